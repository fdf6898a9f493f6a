/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "cli.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The commands that change one thing at a time: rm, mv, mkdir, chmod, truncate, sync. */

/* --- rm ----------------------------------------------------------------------------------- */

/* Dialects 1 and 2: what a name is shows when it is removed. */
static int remove_blindly(struct cli *cli, struct cli_session *s, const char *path);

/* All names are read first: removing while listing would move the continuation. */
static int remove_contents(struct cli *cli, struct cli_session *s, const char *path)
{
    struct entries e;
    size_t i;
    int failed = 0;
    int err = entries_read(cli, s, path, ENTRIES_NAMES, &e);

    if (err < 0)
        return err;
    for (i = 0; i < e.count && !cli_interrupted; i++) {
        char *inner = path_join(path, e.items[i].name);

        err = remove_blindly(cli, s, inner);
        if (err < 0)
            cli_error(cli, s->export_name, inner, err);
        failed |= err != 0;
        free(inner);
    }
    entries_free(&e);
    return failed;
}

/* A link goes as itself: what it leads to is never entered. */
static int remove_blindly(struct cli *cli, struct cli_session *s, const char *path)
{
    int err = fsif_remove(s->client, path);

    if (err != -FSIF_ENOTEMPTY && err != -FSIF_EEXIST)
        return err;
    err = remove_contents(cli, s, path);
    return err != 0 ? err : fsif_remove(s->client, path);
}

/* Listings of dialect 3 tell what is a directory: one request for each name. */
struct removal {
    struct cli *cli;
    struct cli_session *session;
    _Atomic int failed; /* something stays, so the directories above it do too */
};

static void removed(struct removal *r, const char *path, int err)
{
    if (err < 0 && err != -FSIF_ENOENT) {
        r->failed = 1;
        cli_error(r->cli, r->session->export_name, path, err);
    }
}

static int remove_file(void *arg, const struct walk_place *p)
{
    struct removal *r = arg;

    if (p->type != FSIF_S_IFDIR)
        removed(r, p->path,
                fsif_unlinkat(r->session->client, FSIF_ROOT, p->path, FSIF_REMOVE_FILE));
    return 0;
}

static void remove_dir(void *arg, const struct walk_place *p, int err)
{
    struct removal *r = arg;

    if (err < 0) {
        r->failed = 1;
        return;
    }
    err = fsif_unlinkat(r->session->client, FSIF_ROOT, p->path, FSIF_REMOVE_DIR);
    if (err != -FSIF_ENOTEMPTY || !r->failed)
        removed(r, p->path, err);
}

static int remove_tree(struct cli *cli, struct cli_session *s, const char *path)
{
    struct removal r = {.cli = cli, .session = s};
    struct walk w = {.cli = cli,
                     .session = s,
                     .max_depth = UINT32_MAX,
                     .parallel = 1,
                     .arg = &r,
                     .before = remove_file,
                     .after = remove_dir};
    int err = walk_tree(&w, path, 0);

    return err < 0 ? err : r.failed;
}

int remove_all(struct cli *cli, struct cli_session *s, const char *path)
{
    return s->full ? remove_tree(cli, s, path) : remove_blindly(cli, s, path);
}

static int rm_one(struct cli *cli, struct cli_session *s, const struct target *t)
{
    int err = cli->recursive ? remove_all(cli, s, t->path) : fsif_remove(s->client, t->path);

    return err == -FSIF_ENOENT && cli->option['f'] ? 0 : err;
}

int command_rm(struct cli *cli, char **operands, int count)
{
    int i;

    for (i = 0; i < count; i++) {
        struct target t;
        int root;

        if (target_parse(cli, operands[i], &t) != CLI_OK)
            return CLI_USAGE;
        root = t.path[0] == '\0';
        free(t.path);
        if (root)
            return cli_usage(cli, "%s: the root of an export is not removed", operands[i]);
    }
    return cli_each(cli, operands, count, rm_one);
}

/* --- mv ----------------------------------------------------------------------------------- */

/* Into a directory, or onto a name. */
static int move_all(struct cli *cli, struct cli_session *s, struct target *t, int sources)
{
    struct target *to = &t[sources];
    int into = remote_is_dir(s->client, to->path);
    int i;

    if (into <= 0 && (sources > 1 || to->slash)) {
        cli_error(cli, to->export_name, to->path, into < 0 ? into : -FSIF_ENOTDIR);
        return CLI_FAILED;
    }
    for (i = 0; i < sources && !cli_interrupted; i++) {
        char *path =
            into > 0 ? path_join(to->path, path_base(t[i].path)) : cli_format("%s", to->path);
        int err = fsif_rename(s->client, path_wire(t[i].path), path_wire(path));

        if (err < 0)
            cli_error(cli, t[i].export_name, t[i].path, err);
        free(path);
    }
    return CLI_OK;
}

int command_mv(struct cli *cli, char **operands, int count)
{
    return cli_on_one_export(cli, operands, count, move_all);
}

/* --- mkdir -------------------------------------------------------------------------------- */

static mode_t the_umask(void)
{
    mode_t mask = umask(0);

    umask(mask);
    return mask;
}

static uint32_t mkdir_mode(const struct cli *cli)
{
    uint32_t mode = 0777u & ~(uint32_t)the_umask();

    if (cli->mode != NULL)
        mode_parse(cli->mode, 0777, 1, &mode);
    return mode;
}

/* Each directory on the way that is missing; those get our bits for searching and writing. */
static int make_parents(struct fsif_client *cl, char *path, uint32_t mode)
{
    char *slash = path;
    int err = 0;

    while (err >= 0 && (slash = strchr(slash, '/')) != NULL) {
        *slash = '\0';
        err = remote_mkdir(cl, path, mode);
        *slash++ = '/';
        while (*slash == '/')
            slash++;
    }
    return err < 0 ? err : 0;
}

static int mkdir_one(struct cli *cli, struct cli_session *s, const struct target *t)
{
    uint32_t mode = mkdir_mode(cli);
    int err;

    if (!cli->option['p'])
        return fsif_mkdir(s->client, path_wire(t->path), mode);
    err = make_parents(s->client, t->path, 0777u & ~(uint32_t)the_umask());
    if (err == 0)
        err = remote_mkdir(s->client, t->path, mode);
    return err < 0 ? err : 0;
}

int command_mkdir(struct cli *cli, char **operands, int count)
{
    uint32_t mode;

    cli->mode = cli->option['m'];
    if (cli->mode != NULL && mode_parse(cli->mode, 0777, 1, &mode) < 0)
        return cli_usage(cli, "'%s' is not a mode", cli->mode);
    return cli_each(cli, operands, count, mkdir_one);
}

/* --- chmod -------------------------------------------------------------------------------- */

/* Dialects 1 and 2 open a file to change it. */
static int chmod_opened(struct fsif_client *cl, const char *text, const char *path)
{
    struct fsif_attr attr;
    uint32_t mode;
    int fh = fsif_open(cl, path_wire(path), FSIF_O_RDONLY, 0);
    int err;

    if (fh < 0)
        return fh;
    err = fsif_fstat(cl, fh, &attr);
    if (err == 0) {
        mode_parse(text, attr.mode, type_of(attr.mode) == FSIF_S_IFDIR, &mode);
        err = fsif_fchmod(cl, fh, mode);
    }
    fsif_close(cl, fh);
    return err;
}

struct chmod {
    struct cli *cli;
    struct cli_session *session;
};

/* In a tree links are left alone, as chmod(1) does. */
static int chmod_place(void *arg, const struct walk_place *p)
{
    struct chmod *c = arg;
    uint32_t mode;
    int err = p->err;

    if (err == 0 && p->type == FSIF_S_IFLNK)
        return 0;
    if (err == 0 && c->session->full) {
        mode_parse(c->cli->mode, p->attr->mode, p->type == FSIF_S_IFDIR, &mode);
        err = fsif_chmod(c->session->client, path_wire(p->path), mode);
    } else if (err == 0) {
        err = chmod_opened(c->session->client, c->cli->mode, p->path);
    }
    if (err < 0)
        cli_error(c->cli, c->session->export_name, p->path, err);
    return 0;
}

static int is_absolute(const char *mode)
{
    return mode[strspn(mode, "01234567")] == '\0';
}

static int chmod_one(struct cli *cli, struct cli_session *s, const struct target *t)
{
    struct chmod c = {cli, s};
    struct walk w = {.cli = cli,
                     .session = s,
                     .max_depth = cli->recursive ? UINT32_MAX : 0,
                     .attr = 1,
                     .parallel = 1,
                     .arg = &c,
                     .before = chmod_place};
    uint32_t mode;

    if (cli->recursive || (s->full && !is_absolute(cli->mode)))
        return walk_tree(&w, t->path, 1);
    if (!s->full)
        return chmod_opened(s->client, cli->mode, t->path);
    mode_parse(cli->mode, 0, 0, &mode);
    return fsif_chmod(s->client, path_wire(t->path), mode);
}

int command_chmod(struct cli *cli, char **operands, int count)
{
    uint32_t mode;

    cli->mode = operands[0];
    if (mode_parse(cli->mode, 0, 0, &mode) < 0)
        return cli_usage(cli, "'%s' is not a mode", cli->mode);
    return cli_each(cli, operands + 1, count - 1, chmod_one);
}

/* --- truncate and sync -------------------------------------------------------------------- */

static int truncate_one(struct cli *cli, struct cli_session *s, const struct target *t)
{
    uint64_t size = 0;
    int fh;
    int err;

    size_parse(cli->option['s'], &size);
    if (s->full)
        return fsif_truncate(s->client, path_wire(t->path), size);
    fh = fsif_open(s->client, path_wire(t->path), FSIF_O_RDWR, 0);
    if (fh < 0)
        return fh;
    err = fsif_ftruncate(s->client, fh, size);
    fsif_close(s->client, fh);
    return err;
}

int command_truncate(struct cli *cli, char **operands, int count)
{
    const char *text = cli->option['s'];
    uint64_t size;

    if (text == NULL)
        return cli_usage(cli, "the size is missing: -s SIZE");
    if (size_parse(text, &size) < 0)
        return cli_usage(cli, "'%s' is not a size", text);
    return cli_each(cli, operands, count, truncate_one);
}

static int sync_one(struct cli *cli, struct cli_session *s, const struct target *t)
{
    int fh = fsif_open(s->client, path_wire(t->path), FSIF_O_RDONLY, 0);
    int err;

    if (fh < 0)
        return fh;
    if (cli->option['f'])
        err = fsif_syncfs(s->client);
    else if (cli->option['d'])
        err = fsif_fdatasync(s->client, fh);
    else
        err = fsif_fsync(s->client, fh);
    fsif_close(s->client, fh);
    return err;
}

int command_sync(struct cli *cli, char **operands, int count)
{
    if (cli->option['f'] && cli->option['d'])
        return cli_usage(cli, "either -d or -f");
    if (cli->option['f'] || cli->option['d'])
        cli_need_full(cli, cli->option['f'] ? "sync -f" : "sync -d");
    return cli_each(cli, operands, count, sync_one);
}
