/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "cli.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* cat, and cp within an export: dialect 1 has no copy of its own, so the bytes come and go. */

/* Return: 0, a FSIF_E*, or a positive errno of standard output */
static int cat_file(struct fsif_client *cl, const char *path, void *buf)
{
    uint64_t off = 0;
    int64_t n = 0;
    int err = 0;
    int fh = fsif_open(cl, path_wire(path), FSIF_O_RDONLY, 0);

    if (fh < 0)
        return fh;
    while (err == 0 && !cli_interrupted) {
        n = fsif_pread(cl, fh, buf, CLI_CHUNK, off);
        if (n <= 0)
            break;
        err = write_all(STDOUT_FILENO, buf, (size_t)n);
        off += (uint64_t)n;
    }
    fsif_close(cl, fh);
    return n < 0 ? (int)n : err;
}

int command_cat(struct cli *cli, char **operands, int count)
{
    struct target *t = cli_alloc((size_t)count * sizeof(*t));
    int status = targets_parse(cli, operands, count, t);
    void *buf = cli_alloc(CLI_CHUNK);
    int err = 0;
    int i;

    for (i = 0; status == CLI_OK && i < count && err <= 0; i++) {
        struct cli_session *s = cli_session(cli, t[i].export_name);

        if (s == NULL) {
            status = CLI_CONNECT;
            break;
        }
        err = cat_file(s->client, t[i].path, buf);
        if (err < 0)
            cli_error(cli, t[i].export_name, t[i].path, err);
        else if (err > 0)
            cli_local_error(cli, "standard output", err);
    }
    if (status != CLI_USAGE)
        targets_free(t, count);
    free(buf);
    free(t);
    return status;
}

/* --- cp ----------------------------------------------------------------------------------- */

static int copy_bytes(struct fsif_client *cl, int in, int out, void *buf, struct checksum *sum)
{
    uint64_t off = 0;
    int64_t n;
    int err = 0;

    while (err == 0 && (n = fsif_pread(cl, in, buf, CLI_CHUNK, off)) != 0) {
        if (n < 0 || cli_interrupted)
            return n < 0 ? (int)n : -FSIF_EINTR;
        if (sum != NULL)
            checksum_add(sum, buf, (size_t)n);
        err = remote_write(cl, out, buf, (size_t)n, off);
        off += (uint64_t)n;
    }
    return err;
}

/* Copy an open file to a temporary name. Return: 0, a FSIF_E*; 1: the checksums differ */
static int copy_file(struct cli *cli, struct fsif_client *cl, int in, uint32_t mode,
                     const char *temporary, void *buf)
{
    struct checksum *sum = cli->verify ? checksum_create() : NULL;
    struct checksum *back = cli->verify ? checksum_create() : NULL;
    int out = fsif_open(cl, temporary, FSIF_O_RDWR | FSIF_O_CREAT | FSIF_O_TRUNC, mode & 0777);
    int err = out;

    if (out >= 0) {
        int closed;

        err = copy_bytes(cl, in, out, buf, sum);
        if (err == 0 && back != NULL)
            err = checksum_remote(cl, out, buf, back);
        closed = fsif_close(cl, out);
        err = err == 0 ? closed : err;
    }
    if (sum != NULL && !checksum_match(sum, back) && err == 0)
        err = 1;
    return err;
}

static int copy_tree(struct cli *cli, struct fsif_client *cl, const char *export_name,
                     const char *from, const char *to, void *buf);

static int copy_dir(struct cli *cli, struct fsif_client *cl, const char *export_name,
                    const char *from, const char *to, uint32_t mode, void *buf)
{
    struct entries e;
    size_t i;
    int made;
    int err = entries_read(cl, from, &e);

    if (err < 0)
        return err;
    made = remote_mkdir(cl, to, (mode & 0777) | 0700);
    for (i = 0; made >= 0 && i < e.count && !cli_interrupted; i++) {
        char *inner = path_join(from, e.items[i].name);
        char *copy = path_join(to, e.items[i].name);

        err = copy_tree(cli, cl, export_name, inner, copy, buf);
        if (err < 0)
            cli_error(cli, export_name, inner, err);
        free(copy);
        free(inner);
    }
    entries_free(&e);
    if (made > 0 && (mode & 0700) != 0700) {
        int fh = fsif_open(cl, to, FSIF_O_RDONLY, 0);

        err = fh < 0 ? fh : fsif_fchmod(cl, fh, mode & 0777);
        fsif_close(cl, fh);
        return err;
    }
    return made < 0 ? made : 0;
}

/* Return: 0, or a FSIF_E* of @from itself; what lies in it has been reported. */
static int copy_tree(struct cli *cli, struct fsif_client *cl, const char *export_name,
                     const char *from, const char *to, void *buf)
{
    struct fsif_attr attr;
    int fh = fsif_open(cl, path_wire(from), FSIF_O_RDONLY, 0);
    int err = fh < 0 ? fh : fsif_fstat(cl, fh, &attr);
    int is_dir = err == 0 && (attr.mode & FSIF_S_IFMT) == FSIF_S_IFDIR;

    if (err == 0 && is_dir && !cli->recursive) {
        err = -FSIF_EISDIR;
    } else if (err == 0 && !is_dir) {
        char *temporary = remote_temporary(to);

        err = copy_file(cli, cl, fh, attr.mode, temporary, buf);
        if (err > 0) {
            cli->failed = 1;
            cli_say(cli, "%s:/%s: the copy differs", export_name, to);
        }
        err = remote_finish(cl, temporary, to, err);
        free(temporary);
    }
    fsif_close(cl, fh);
    if (err == 0 && is_dir)
        err = copy_dir(cli, cl, export_name, from, to, attr.mode, buf);
    return err;
}

/* Whether @path is @dir or lies in it. */
static int lies_in(const char *path, const char *dir)
{
    size_t len = strlen(dir);

    return len == 0 || (strncmp(path, dir, len) == 0 && (path[len] == '/' || path[len] == '\0'));
}

static int copy_all(struct cli *cli, struct fsif_client *cl, struct target *t, int sources)
{
    struct target *to = &t[sources];
    void *buf = cli_alloc(CLI_CHUNK);
    int into = remote_is_dir(cl, to->path);
    int i;

    if (into <= 0 && (sources > 1 || (to->slash && !cli->recursive))) {
        cli_error(cli, to->export_name, to->path, into < 0 ? into : -FSIF_ENOTDIR);
        sources = 0;
    }
    for (i = 0; i < sources && !cli_interrupted; i++) {
        int contents = t[i].slash && cli->recursive;
        char *path = into > 0 && !contents ? path_join(to->path, path_base(t[i].path))
                                           : cli_format("%s", to->path);
        int err;

        if (cli->recursive && lies_in(path, t[i].path) && remote_is_dir(cl, t[i].path) != 0)
            err = -FSIF_EINVAL;
        else
            err = copy_tree(cli, cl, t[i].export_name, t[i].path, path, buf);
        if (err < 0)
            cli_error(cli, t[i].export_name, t[i].path, err);
        free(path);
    }
    free(buf);
    return CLI_OK;
}

int command_cp(struct cli *cli, char **operands, int count)
{
    return cli_on_one_export(cli, operands, count, copy_all);
}
