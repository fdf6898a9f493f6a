/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "cli.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* exports, ls and tree. */

int command_exports(struct cli *cli, char **operands, int count)
{
    struct fsif_client_options o;
    struct fsif_export_info *list;
    struct json_t *json = cli->json ? json_list() : NULL;
    int n;
    int i;

    (void)operands;
    (void)count;
    cli_client_options(cli, &o);
    n = fsif_exports(cli->address, &o, &list);
    if (n < 0)
        return cli_connect_failed(cli, NULL, n);
    for (i = 0; i < n; i++) {
        if (cli->json)
            json_list_add(json, json_export(&list[i]));
        else
            printf("%s %s\n", list[i].name, list[i].read_only ? "ro" : "rw");
    }
    if (cli->json)
        json_print(json);
    free(list);
    return CLI_OK;
}

/* --- ls ----------------------------------------------------------------------------------- */

static void print_long(const struct fsif_attr *a)
{
    char mode[11];
    char when[32] = "?";
    time_t t = (time_t)a->mtime;
    struct tm tm;

    mode_text(a->mode, mode);
    if (localtime_r(&t, &tm) != NULL)
        strftime(when, sizeof(when), "%Y-%m-%d %H:%M", &tm);
    printf("%s %5" PRIu32 " %5" PRIu32 " %12" PRIu64 " %s ", mode, a->uid, a->gid, a->size, when);
}

static void print_entry(const struct cli *cli, const struct entry *e)
{
    if (cli->long_format && e->err == 0)
        print_long(&e->attr);
    else if (cli->long_format)
        printf("??????????     ?     ?            ?                ? ");
    if (cli->nul)
        fputs(e->name, stdout);
    else
        cli_print_name(stdout, e->name);
    putchar(cli->nul ? '\0' : '\n');
}

static struct json_t *json_entry(const struct cli *cli, const struct entry *e)
{
    if (!cli->long_format)
        return json_name(e->name);
    return e->err == 0 ? json_attr(e->name, &e->attr) : json_error(e->name, e->err);
}

static void show_entries(struct cli *cli, const struct target *t, const struct entries *e,
                         struct json_t *json)
{
    size_t i;

    for (i = 0; i < e->count; i++) {
        if (e->items[i].err < 0) {
            char *path = path_join(t->path, e->items[i].name);

            cli_error(cli, t->export_name, path, e->items[i].err);
            free(path);
        }
        if (json != NULL)
            json_list_add(json, json_entry(cli, &e->items[i]));
        else
            print_entry(cli, &e->items[i]);
    }
}

/* A file is listed as itself. Return: 0, or a FSIF_E* */
static int list_file(struct cli *cli, struct fsif_client *cl, const struct target *t,
                     struct json_t *json)
{
    struct entry file = {.name = t->path};
    struct entries one = {.items = &file, .count = 1};
    struct target root = {.path = ""};

    file.err = fsif_stat(cl, t->path, &file.attr);
    if (file.err < 0)
        return file.err;
    strcpy(root.export_name, t->export_name);
    show_entries(cli, &root, &one, json);
    return 0;
}

static void list_target(struct cli *cli, const struct target *t, struct json_t *json)
{
    struct cli_session *s = cli_session(cli, t->export_name);
    struct entries e;
    int err;

    if (s == NULL)
        return;
    err = entries_read(s->client, t->path, &e);
    if (err == -FSIF_ENOTDIR && !t->slash)
        err = list_file(cli, s->client, t, json);
    if (err < 0) {
        cli_error(cli, t->export_name, t->path, err);
        return;
    }
    if (cli->long_format)
        entries_stat(cli, s->client, t->path, &e);
    show_entries(cli, t, &e, json);
    entries_free(&e);
}

/* Run @one on each target; several get a heading. Return: an exit code */
static int for_targets(struct cli *cli, char **operands, int count, int headings,
                       void (*one)(struct cli *cli, const struct target *t, struct json_t *json))
{
    struct target *t = cli_alloc((size_t)count * sizeof(*t));
    struct json_t *json = NULL;
    int status = targets_parse(cli, operands, count, t);
    int i;

    if (status != CLI_OK) {
        free(t);
        return status;
    }
    if (cli->json)
        json = json_list();
    for (i = 0; i < count; i++) {
        if (cli_session(cli, t[i].export_name) == NULL) {
            status = CLI_CONNECT;
            break;
        }
        if (headings && count > 1 && !cli->json && !cli->nul) {
            fputs(i > 0 ? "\n" : "", stdout);
            cli_print_name(stdout, operands[i]);
            puts(":");
        }
        one(cli, &t[i], json);
    }
    if (cli->json)
        json_print(json);
    targets_free(t, count);
    free(t);
    return status;
}

int command_ls(struct cli *cli, char **operands, int count)
{
    return for_targets(cli, operands, count, 1, list_target);
}

/* --- tree --------------------------------------------------------------------------------- */

static struct json_t *tree_level(struct cli *cli, const struct target *t, const char *path,
                                 const char *indent);

static struct json_t *tree_entry(struct cli *cli, const struct target *t, const char *dir,
                                 const struct entry *e, const char *indent, int last)
{
    struct json_t *object = NULL;
    char *path = path_join(dir, e->name);

    if (e->err < 0)
        cli_error(cli, t->export_name, path, e->err);
    if (cli->json) {
        object = e->err < 0 ? json_error(e->name, e->err) : json_attr(e->name, &e->attr);
    } else {
        printf("%s%s ", indent, last ? "`--" : "|--");
        cli_print_name(stdout, e->name);
        putchar('\n');
    }
    if (e->err == 0 && (e->attr.mode & FSIF_S_IFMT) == FSIF_S_IFDIR && !cli_interrupted) {
        char *deeper = cli_format("%s%s", indent, last ? "    " : "|   ");
        struct json_t *list = tree_level(cli, t, path, deeper);

        if (list != NULL)
            json_add_list(object, "entries", list);
        free(deeper);
    }
    free(path);
    return object;
}

static struct json_t *tree_level(struct cli *cli, const struct target *t, const char *path,
                                 const char *indent)
{
    struct fsif_client *cl = cli_session(cli, t->export_name)->client;
    struct json_t *list = cli->json ? json_list() : NULL;
    struct entries e;
    size_t i;
    int err = entries_read(cl, path, &e);

    if (err < 0) {
        cli_error(cli, t->export_name, path, err);
        return list;
    }
    entries_stat(cli, cl, path, &e);
    for (i = 0; i < e.count; i++) {
        struct json_t *o = tree_entry(cli, t, path, &e.items[i], indent, i + 1 == e.count);

        if (list != NULL)
            json_list_add(list, o);
    }
    entries_free(&e);
    return list;
}

static void tree_target(struct cli *cli, const struct target *t, struct json_t *json)
{
    char *name = cli_format("%s:/%s", t->export_name, t->path);
    struct json_t *list;

    if (json == NULL) {
        cli_print_name(stdout, name);
        putchar('\n');
    }
    list = tree_level(cli, t, t->path, "");
    if (json != NULL) {
        struct json_t *o = json_name(name);

        json_add_list(o, "entries", list);
        json_list_add(json, o);
    }
    free(name);
}

int command_tree(struct cli *cli, char **operands, int count)
{
    return for_targets(cli, operands, count, 0, tree_target);
}

/* --- stat --------------------------------------------------------------------------------- */

static void print_time(const char *what, int64_t seconds)
{
    char when[64] = "?";
    time_t t = (time_t)seconds;
    struct tm tm;

    if (localtime_r(&t, &tm) != NULL)
        strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S %z", &tm);
    printf("  %s: %s\n", what, when);
}

static void stat_target(struct cli *cli, const struct target *t, struct json_t *json)
{
    struct fsif_client *cl = cli_session(cli, t->export_name)->client;
    char *name = cli_format("%s:/%s", t->export_name, t->path);
    struct fsif_attr a;
    char mode[11];
    int err = fsif_stat(cl, path_wire(t->path), &a);

    if (err < 0) {
        cli_error(cli, t->export_name, t->path, err);
        if (json != NULL)
            json_list_add(json, json_error(name, err));
    } else if (json != NULL) {
        json_list_add(json, json_attr(name, &a));
    } else {
        mode_text(a.mode, mode);
        cli_print_name(stdout, name);
        printf("\n  size: %" PRIu64 "\n  mode: %04o (%s)\n  owner: %" PRIu32 ":%" PRIu32 "\n",
               a.size, a.mode & FSIF_S_PERM, mode, a.uid, a.gid);
        print_time("access", a.atime);
        print_time("modify", a.mtime);
        print_time("change", a.ctime);
    }
    free(name);
}

int command_stat(struct cli *cli, char **operands, int count)
{
    return for_targets(cli, operands, count, 0, stat_target);
}

/* --- df ----------------------------------------------------------------------------------- */

static void space_target(struct cli *cli, const struct target *t, struct json_t *json)
{
    struct fsif_client *cl = cli_session(cli, t->export_name)->client;
    char *name = cli_format("%s:/%s", t->export_name, t->path);
    int64_t bytes = fsif_space(cl, path_wire(t->path));
    char text[16];

    if (bytes < 0) {
        cli_error(cli, t->export_name, t->path, (int)bytes);
        if (json != NULL)
            json_list_add(json, json_error(name, (int)bytes));
    } else if (json != NULL) {
        json_list_add(json, json_space(name, bytes));
    } else {
        human_bytes(text, (uint64_t)bytes);
        if (cli->human)
            printf("%6s ", text);
        else
            printf("%16" PRId64 " ", bytes);
        cli_print_name(stdout, name);
        putchar('\n');
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
        return for_targets(cli, operands, count, 0, space_target);
    cli_client_options(cli, &o);
    n = fsif_exports(cli->address, &o, &list);
    if (n < 0)
        return cli_connect_failed(cli, NULL, n);
    names = cli_alloc((size_t)(n + 1) * sizeof(*names));
    for (i = 0; i < n; i++)
        names[i] = cli_format("%s:/", list[i].name);
    status = for_targets(cli, names, n, 0, space_target);
    for (i = 0; i < n; i++)
        free(names[i]);
    free(names);
    free(list);
    return status;
}
