/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "cli.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* stat and df. */

static void print_time(const char *what, const struct fsif_attr *a, int64_t seconds, uint32_t nsec)
{
    char when[32] = "?";
    char zone[16] = "";
    time_t t = (time_t)seconds;
    struct tm tm;

    if (localtime_r(&t, &tm) != NULL) {
        strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
        strftime(zone, sizeof(zone), " %z", &tm);
    }
    if (a->nlink > 0)
        printf("  %s: %s.%09" PRIu32 "%s\n", what, when, nsec, zone);
    else
        printf("  %s: %s%s\n", what, when, zone);
}

static void print_attr(const char *name, const struct fsif_attr *a, const char *target)
{
    char mode[11];

    mode_text(a->mode, mode);
    cli_print_name(stdout, name);
    if (target != NULL) {
        fputs(" -> ", stdout);
        cli_print_name(stdout, target);
    }
    printf("\n  size: %" PRIu64 "\n  mode: %04o (%s)\n  owner: %" PRIu32 ":%" PRIu32 "\n", a->size,
           a->mode & FSIF_S_PERM, mode, a->uid, a->gid);
    if (a->nlink > 0) {
        printf("  links: %" PRIu32 "\n  inode: %" PRIu64 "\n  device: %" PRIu64 "\n", a->nlink,
               a->ino, a->dev);
        printf("  blocks: %" PRIu64 " of 512\n  block size: %" PRIu32 "\n", a->blocks, a->blksize);
    }
    if (type_of(a->mode) == FSIF_S_IFCHR || type_of(a->mode) == FSIF_S_IFBLK)
        printf("  special: %" PRIu32 ", %" PRIu32 "\n", a->rdev_major, a->rdev_minor);
    print_time("access", a, a->atime, a->atime_nsec);
    print_time("modify", a, a->mtime, a->mtime_nsec);
    print_time("change", a, a->ctime, a->ctime_nsec);
    if (a->btime != 0 || a->btime_nsec != 0)
        print_time("birth", a, a->btime, a->btime_nsec);
}

/* In dialect 3 nothing is opened and a link is meant itself; the others open it, and follow. */
static void stat_target(struct cli *cli, struct cli_session *s, const struct target *t,
                        struct json_t *json)
{
    char *name = cli_format("%s:/%s", t->export_name, t->path);
    char *target = NULL;
    struct fsif_attr a;
    int err;

    if (s->full)
        err = fsif_statx(s->client, FSIF_ROOT, path_wire(t->path),
                         cli->option['L'] || t->slash ? 0 : FSIF_AT_NOFOLLOW, &a);
    else
        err = fsif_stat(s->client, path_wire(t->path), &a);
    if (err == 0 && s->full && type_of(a.mode) == FSIF_S_IFLNK)
        target = link_target(s->client, t->path, &err);
    if (err < 0) {
        cli_error(cli, t->export_name, t->path, err);
        if (json != NULL)
            json_list_add(json, json_error(name, err));
    } else if (json != NULL) {
        json_list_add(json, json_attr(name, &a, target));
    } else {
        print_attr(name, &a, target);
    }
    free(target);
    free(name);
}

int command_stat(struct cli *cli, char **operands, int count)
{
    return cli_show_each(cli, operands, count, 0, stat_target);
}

/* --- df ----------------------------------------------------------------------------------- */

/* Whether the figures can be multiplied out: nothing of a backend is taken on trust. */
static int sound(const struct fsif_statvfs *v)
{
    return v->bsize > 0 && v->blocks <= INT64_MAX / v->bsize && v->bfree <= v->blocks &&
           v->bavail <= v->blocks && v->ffree <= v->files;
}

/* Return: 0, or a FSIF_E*. Dialects 1 and 2 tell what is free, and nothing else. */
static int space_of(struct cli_session *s, const char *path, struct fsif_statvfs *out)
{
    int64_t free_bytes;
    int err;

    if (s->full) {
        err = fsif_statvfs(s->client, path_wire(path), out);
        return err == 0 && !sound(out) ? -FSIF_EPROTO : err;
    }
    free_bytes = fsif_space(s->client, path_wire(path));
    *out = (struct fsif_statvfs){.bavail = free_bytes < 0 ? 0 : (uint64_t)free_bytes, .bsize = 1};
    return free_bytes < 0 ? (int)free_bytes : 0;
}

static void print_figure(const struct cli *cli, int known, uint64_t value)
{
    int width = cli->option['h'] ? 6 : 16;
    char text[32];

    if (!known)
        strcpy(text, "-");
    else if (cli->option['h'])
        human_bytes(text, value);
    else
        snprintf(text, sizeof(text), "%" PRIu64, value);
    printf("%*s ", width, text);
}

/* Once, above the first that there are figures of */
static void print_heading(const struct cli *cli)
{
    static int done;
    int width = cli->option['h'] ? 6 : 16;

    if (!done)
        printf("%*s %*s %*s %s\n", width, cli->option['i'] ? "inodes" : "size", width, "used",
               width, "free", "export");
    done = 1;
}

static void print_space(struct cli *cli, const struct cli_session *s, const char *name,
                        const struct fsif_statvfs *v)
{
    print_heading(cli);
    if (cli->option['i']) {
        print_figure(cli, s->full, v->files);
        print_figure(cli, s->full, v->files - v->ffree);
        print_figure(cli, s->full, v->ffree);
    } else {
        print_figure(cli, s->full, v->blocks * v->bsize);
        print_figure(cli, s->full, (v->blocks - v->bfree) * v->bsize);
        print_figure(cli, 1, v->bavail * v->bsize);
    }
    cli_print_name(stdout, name);
    putchar('\n');
}

static void space_target(struct cli *cli, struct cli_session *s, const struct target *t,
                         struct json_t *json)
{
    char *name = cli_format("%s:/%s", t->export_name, t->path);
    struct fsif_statvfs v;
    int err = space_of(s, t->path, &v);

    if (err < 0) {
        cli_error(cli, t->export_name, t->path, err);
        if (json != NULL)
            json_list_add(json, json_error(name, err));
    } else if (json != NULL) {
        json_list_add(json, s->full ? json_total(name, &v) : json_space(name, (int64_t)v.bavail));
    } else {
        print_space(cli, s, name, &v);
    }
    free(name);
}

/* Without operands: every export there is. */
int command_df(struct cli *cli, char **operands, int count)
{
    struct fsif_client_options o;
    struct fsif_export_info *list;
    char **names;
    int status;
    int n;
    int i;

    if (count > 0)
        return cli_show_each(cli, operands, count, 0, space_target);
    cli_client_options(cli, &o);
    n = fsif_exports(cli->address, &o, &list);
    if (n < 0)
        return cli_connect_failed(cli, NULL, n);
    names = cli_alloc((size_t)(n + 1) * sizeof(*names));
    for (i = 0; i < n; i++)
        names[i] = cli_format("%s:/", list[i].name);
    status = cli_show_each(cli, names, n, 0, space_target);
    for (i = 0; i < n; i++)
        free(names[i]);
    free(names);
    free(list);
    return status;
}
