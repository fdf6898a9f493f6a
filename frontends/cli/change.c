/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "cli.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The commands that change one thing at a time: rm, mv, mkdir, chmod, truncate, sync. */

/* Parse all operands, then run @one on each. @one returns 0 or a FSIF_E* that is reported here, or
 * a positive number if it has reported. */
static int each(struct cli *cli, char **operands, int count,
                int (*one)(struct cli *cli, struct fsif_client *cl, const struct target *t))
{
    struct target *t = cli_alloc((size_t)count * sizeof(*t));
    int status = targets_parse(cli, operands, count, t);
    int i;

    for (i = 0; status == CLI_OK && i < count && !cli_interrupted; i++) {
        struct cli_session *s = cli_session(cli, t[i].export_name);
        int err;

        if (s == NULL) {
            status = CLI_CONNECT;
            break;
        }
        err = one(cli, s->client, &t[i]);
        if (err < 0)
            cli_error(cli, t[i].export_name, t[i].path, err);
    }
    if (status != CLI_USAGE)
        targets_free(t, count);
    free(t);
    return status;
}

/* --- rm ----------------------------------------------------------------------------------- */

static int remove_tree(struct cli *cli, struct fsif_client *cl, const struct target *t,
                       const char *path);

/* All names are read first: removing while listing would move the continuation. */
static int remove_contents(struct cli *cli, struct fsif_client *cl, const struct target *t,
                           const char *path)
{
    struct entries e;
    size_t i;
    int failed = 0;
    int err = entries_read(cl, path, &e);

    if (err < 0)
        return err;
    for (i = 0; i < e.count && !cli_interrupted; i++) {
        char *inner = path_join(path, e.items[i].name);

        err = remove_tree(cli, cl, t, inner);
        if (err < 0)
            cli_error(cli, t->export_name, inner, err);
        failed |= err != 0;
        free(inner);
    }
    entries_free(&e);
    return failed;
}

/* A link goes as itself: what it leads to is never entered. */
static int remove_tree(struct cli *cli, struct fsif_client *cl, const struct target *t,
                       const char *path)
{
    int err = fsif_remove(cl, path);

    if (err != -FSIF_ENOTEMPTY && err != -FSIF_EEXIST)
        return err;
    err = remove_contents(cli, cl, t, path);
    return err != 0 ? err : fsif_remove(cl, path);
}

static int rm_one(struct cli *cli, struct fsif_client *cl, const struct target *t)
{
    int err = cli->recursive ? remove_tree(cli, cl, t, t->path) : fsif_remove(cl, t->path);

    return err == -FSIF_ENOENT && cli->force ? 0 : err;
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
    return each(cli, operands, count, rm_one);
}

/* --- mv ----------------------------------------------------------------------------------- */

/* Into a directory, or onto a name. */
static int move_all(struct cli *cli, struct fsif_client *cl, struct target *t, int sources)
{
    struct target *to = &t[sources];
    int into = remote_is_dir(cl, to->path);
    int i;

    if (into <= 0 && (sources > 1 || to->slash)) {
        cli_error(cli, to->export_name, to->path, into < 0 ? into : -FSIF_ENOTDIR);
        return CLI_FAILED;
    }
    for (i = 0; i < sources && !cli_interrupted; i++) {
        char *path =
            into > 0 ? path_join(to->path, path_base(t[i].path)) : cli_format("%s", to->path);
        int err = fsif_rename(cl, path_wire(t[i].path), path_wire(path));

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

static int mkdir_one(struct cli *cli, struct fsif_client *cl, const struct target *t)
{
    uint32_t mode = mkdir_mode(cli);
    int err;

    if (!cli->parents)
        return fsif_mkdir(cl, path_wire(t->path), mode);
    err = make_parents(cl, t->path, 0777u & ~(uint32_t)the_umask());
    if (err == 0)
        err = remote_mkdir(cl, t->path, mode);
    return err < 0 ? err : 0;
}

int command_mkdir(struct cli *cli, char **operands, int count)
{
    uint32_t mode;

    if (cli->mode != NULL && mode_parse(cli->mode, 0777, 1, &mode) < 0)
        return cli_usage(cli, "'%s' is not a mode", cli->mode);
    return each(cli, operands, count, mkdir_one);
}

/* --- on an open handle -------------------------------------------------------------------- */

static int chmod_one(struct cli *cli, struct fsif_client *cl, const struct target *t)
{
    struct fsif_attr attr;
    uint32_t mode;
    int fh = fsif_open(cl, path_wire(t->path), FSIF_O_RDONLY, 0);
    int err;

    if (fh < 0)
        return fh;
    err = fsif_fstat(cl, fh, &attr);
    if (err == 0) {
        mode_parse(cli->mode, attr.mode, (attr.mode & FSIF_S_IFMT) == FSIF_S_IFDIR, &mode);
        err = fsif_fchmod(cl, fh, mode);
    }
    fsif_close(cl, fh);
    return err;
}

int command_chmod(struct cli *cli, char **operands, int count)
{
    uint32_t mode;

    cli->mode = operands[0];
    if (mode_parse(cli->mode, 0, 0, &mode) < 0)
        return cli_usage(cli, "'%s' is not a mode", cli->mode);
    return each(cli, operands + 1, count - 1, chmod_one);
}

static int truncate_one(struct cli *cli, struct fsif_client *cl, const struct target *t)
{
    uint64_t size = 0;
    int fh = fsif_open(cl, path_wire(t->path), FSIF_O_RDWR, 0);
    int err;

    if (fh < 0)
        return fh;
    size_parse(cli->size, &size);
    err = fsif_ftruncate(cl, fh, size);
    fsif_close(cl, fh);
    return err;
}

int command_truncate(struct cli *cli, char **operands, int count)
{
    uint64_t size;

    if (cli->size == NULL)
        return cli_usage(cli, "the size is missing: -s SIZE");
    if (size_parse(cli->size, &size) < 0)
        return cli_usage(cli, "'%s' is not a size", cli->size);
    return each(cli, operands, count, truncate_one);
}

static int sync_one(struct cli *cli, struct fsif_client *cl, const struct target *t)
{
    int fh = fsif_open(cl, path_wire(t->path), FSIF_O_RDONLY, 0);
    int err;

    (void)cli;
    if (fh < 0)
        return fh;
    err = fsif_fsync(cl, fh);
    fsif_close(cl, fh);
    return err;
}

int command_sync(struct cli *cli, char **operands, int count)
{
    return each(cli, operands, count, sync_one);
}
