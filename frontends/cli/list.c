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

static void print_entry(const struct cli *cli, const struct dir_entry *e)
{
    int nul = cli->option['0'] != NULL;

    if (cli->option['l'] && e->err == 0)
        print_long(&e->attr);
    else if (cli->option['l'])
        printf("??????????     ?     ?            ?                ? ");
    if (nul)
        fputs(e->name, stdout);
    else
        cli_print_name(stdout, e->name);
    if (e->target != NULL && !nul) {
        fputs(" -> ", stdout);
        cli_print_name(stdout, e->target);
    }
    putchar(nul ? '\0' : '\n');
}

static struct json_t *json_entry(const struct cli *cli, const struct dir_entry *e)
{
    if (!cli->option['l'])
        return json_name(e->name);
    return e->err == 0 ? json_attr(e->name, &e->attr, e->target) : json_error(e->name, e->err);
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

/* A file is listed as itself, and so is a link that leads to no directory. Return: 0, or a FSIF_E*
 */
static int list_file(struct cli *cli, struct cli_session *s, const struct target *t,
                     struct json_t *json)
{
    struct dir_entry file = {.name = t->path[0] == '\0' ? "/" : t->path};
    struct entries one = {.items = &file, .count = 1};
    struct target root = {.path = ""};

    if (s->full)
        file.err =
            fsif_statx(s->client, FSIF_ROOT, path_wire(t->path), FSIF_AT_NOFOLLOW, &file.attr);
    else
        file.err = fsif_stat(s->client, path_wire(t->path), &file.attr);
    if (file.err < 0)
        return file.err;
    file.type = type_of(file.attr.mode);
    if (cli->option['l'] && s->full)
        entries_targets(cli, s, "", &one);
    strcpy(root.export_name, t->export_name);
    show_entries(cli, &root, &one, json);
    free(file.target);
    return 0;
}

static int may_be_no_directory(int err)
{
    return err == -FSIF_ENOTDIR || err == -FSIF_ENOENT || err == -FSIF_ELOOP;
}

static void list_target(struct cli *cli, struct cli_session *s, const struct target *t,
                        struct json_t *json)
{
    struct entries e = {.items = NULL};
    int itself = cli->option['d'] != NULL;
    int err = itself ? -FSIF_ENOTDIR
                     : entries_read(cli, s, t->path,
                                    cli->option['l'] ? ENTRIES_ATTRS : ENTRIES_NAMES, &e);

    if (itself || (!t->slash && may_be_no_directory(err)))
        err = list_file(cli, s, t, json);
    if (err < 0) {
        cli_error(cli, t->export_name, t->path, err);
        return;
    }
    if (cli->option['l'] && s->full)
        entries_targets(cli, s, t->path, &e);
    show_entries(cli, t, &e, json);
    entries_free(&e);
}

int command_ls(struct cli *cli, char **operands, int count)
{
    return cli_show_each(cli, operands, count, !cli->option['0'], list_target);
}

/* --- tree --------------------------------------------------------------------------------- */

struct tree {
    struct cli *cli;
    struct cli_session *session;
};

static struct json_t *tree_level(struct tree *t, const char *path, const char *indent);

static void tree_line(const struct dir_entry *e, const char *indent, int last)
{
    printf("%s%s ", indent, last ? "`--" : "|--");
    cli_print_name(stdout, e->name);
    if (e->target != NULL) {
        fputs(" -> ", stdout);
        cli_print_name(stdout, e->target);
    }
    putchar('\n');
}

static struct json_t *tree_entry(struct tree *t, const char *dir, const struct dir_entry *e,
                                 const char *indent, int last)
{
    struct json_t *object = NULL;
    char *path = path_join(dir, e->name);

    if (e->err < 0)
        cli_error(t->cli, t->session->export_name, path, e->err);
    if (t->cli->json)
        object = e->err < 0 ? json_error(e->name, e->err) : json_attr(e->name, &e->attr, e->target);
    else
        tree_line(e, indent, last);
    if (e->err == 0 && e->type == FSIF_S_IFDIR && !cli_interrupted) {
        char *deeper = cli_format("%s%s", indent, last ? "    " : "|   ");
        struct json_t *list = tree_level(t, path, deeper);

        if (list != NULL)
            json_add_list(object, "entries", list);
        free(deeper);
    }
    free(path);
    return object;
}

static struct json_t *tree_level(struct tree *t, const char *path, const char *indent)
{
    struct json_t *list = t->cli->json ? json_list() : NULL;
    struct entries e;
    size_t i;
    int err =
        entries_read(t->cli, t->session, path, t->cli->json ? ENTRIES_ATTRS : ENTRIES_TYPES, &e);

    if (err < 0) {
        cli_error(t->cli, t->session->export_name, path, err);
        return list;
    }
    if (t->session->full)
        entries_targets(t->cli, t->session, path, &e);
    for (i = 0; i < e.count; i++) {
        struct json_t *o = tree_entry(t, path, &e.items[i], indent, i + 1 == e.count);

        if (list != NULL)
            json_list_add(list, o);
    }
    entries_free(&e);
    return list;
}

static void tree_target(struct cli *cli, struct cli_session *s, const struct target *t,
                        struct json_t *json)
{
    struct tree tree = {cli, s};
    char *name = cli_format("%s:/%s", t->export_name, t->path);
    struct json_t *list;

    if (json == NULL) {
        cli_print_name(stdout, name);
        putchar('\n');
    }
    list = tree_level(&tree, t->path, "");
    if (json != NULL) {
        struct json_t *o = json_name(name);

        json_add_list(o, "entries", list);
        json_list_add(json, o);
    }
    free(name);
}

int command_tree(struct cli *cli, char **operands, int count)
{
    return cli_show_each(cli, operands, count, 0, tree_target);
}
