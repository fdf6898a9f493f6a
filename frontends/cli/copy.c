/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "cli.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * cat, and cp within an export. Dialect 3 has the backend copy; before that the bytes come and go,
 * and so they do with --verify, which needs to see them.
 */

/* A first request for this much has the small file whole. */
#define CAT_FIRST (64u << 10)

/* What the backend is asked to copy at once: a signal is noticed in between. */
#define CLI_SERVER_COPY (64u << 20)

static int cat_rest(struct fsif_client *cl, const char *path, void *buf, uint64_t off)
{
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

/* Return: 0, a FSIF_E*, or a positive errno of standard output */
static int cat_file(struct cli_session *s, const char *path, void *buf)
{
    uint32_t len = s->limits.max_io < CAT_FIRST ? s->limits.max_io : CAT_FIRST;
    struct fsif_attr attr;
    int64_t n;
    int err;

    if (!s->full)
        return cat_rest(s->client, path, buf, 0);
    n = fsif_readfile(s->client, FSIF_ROOT, path_wire(path), 0, buf, len, &attr);
    if (n < 0 || n > len)
        return n < 0 ? (int)n : -FSIF_EPROTO;
    err = write_all(STDOUT_FILENO, buf, (size_t)n);
    if (err != 0 || (n < len && (uint64_t)n >= attr.size))
        return err;
    return cat_rest(s->client, path, buf, (uint64_t)n);
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
        err = cat_file(s, t[i].path, buf);
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

struct copy {
    struct cli *cli;
    struct cli_session *session;
    struct fsif_client *client;
    const char *export_name;
    void *buf;
};

static int copy_bytes(struct copy *c, int in, int out, struct checksum *sum, struct extents *parts)
{
    uint64_t off = 0;
    int64_t n;
    int err = 0;

    while (err == 0 && (n = fsif_pread(c->client, in, c->buf, CLI_CHUNK, off)) != 0) {
        if (n < 0 || cli_interrupted)
            return n < 0 ? (int)n : -FSIF_EINTR;
        if (sum != NULL) {
            checksum_add(sum, c->buf, (size_t)n);
            extents_add(parts, off, (uint64_t)n);
        }
        err = remote_write(c->client, out, c->buf, (size_t)n, off);
        off += (uint64_t)n;
    }
    return err;
}

/* The backend copies. Return: 0; 1: it does not do that here; a FSIF_E* */
static int copy_there(struct copy *c, int in, int out)
{
    uint64_t off = 0;
    int64_t n;

    do {
        n = fsif_copy_file_range(c->client, in, off, out, off, CLI_SERVER_COPY);
        if (n < 0 && off == 0 &&
            (n == -FSIF_EOPNOTSUPP || n == -FSIF_ENOSYS || n == -FSIF_EXDEV || n == -FSIF_EINVAL))
            return 1;
        if (n < 0 || n > (int64_t)CLI_SERVER_COPY || cli_interrupted)
            return n < 0 ? (int)n : cli_interrupted ? -FSIF_EINTR : -FSIF_EPROTO;
        off += (uint64_t)n;
    } while (n > 0);
    /* Some file systems copy nothing of files whose size they do not know. */
    return off == 0;
}

static int copy_verified(struct copy *c, int in, int out)
{
    struct checksum *sum = checksum_create();
    struct checksum *back = checksum_create();
    struct extents parts = {.items = NULL};
    uint64_t size;
    int err = copy_bytes(c, in, out, sum, &parts);

    size = parts.count > 0 ? parts.items[0].len : 0;
    if (err == 0)
        err = checksum_remote(c->client, out, &parts, size, c->buf, back);
    extents_free(&parts);
    if (!checksum_match(sum, back) && err == 0)
        err = 1;
    return err;
}

/* Copy an open file to a temporary name. Return: 0, a FSIF_E*; 1: the checksums differ */
static int copy_file(struct copy *c, int in, uint32_t mode, const char *temporary)
{
    int out =
        fsif_open(c->client, temporary, FSIF_O_RDWR | FSIF_O_CREAT | FSIF_O_TRUNC, mode & 0777);
    int err;
    int closed;

    if (out < 0)
        return out;
    if (c->cli->verify) {
        err = copy_verified(c, in, out);
    } else {
        err = c->session->full ? copy_there(c, in, out) : 1;
        if (err == 1)
            err = copy_bytes(c, in, out, NULL, NULL);
    }
    closed = fsif_close(c->client, out);
    return err == 0 ? closed : err;
}

static int copy_tree(struct copy *c, const char *from, const char *to);

/* A link in a tree stays a link, as with cp(1). */
static int copy_link(struct copy *c, const char *from, const char *to)
{
    char *temporary = remote_temporary(to);
    int err;
    char *target = link_target(c->client, from, &err);

    if (target != NULL)
        err = fsif_symlinkat(c->client, target, FSIF_ROOT, temporary);
    if (err == 0)
        err = remote_finish(c->client, temporary, to, 0);
    free(target);
    free(temporary);
    return err;
}

static int copy_entry(struct copy *c, const struct dir_entry *e, const char *from, const char *to)
{
    if (c->session->full && e->type == FSIF_S_IFLNK)
        return copy_link(c, from, to);
    if (c->session->full && e->type != FSIF_S_IFREG && e->type != FSIF_S_IFDIR) {
        char *shown = cli_escaped(from);

        c->cli->failed = 1;
        cli_say(c->cli, "%s:/%s: skipped: neither a file nor a directory", c->export_name, shown);
        free(shown);
        return 0;
    }
    return copy_tree(c, from, to);
}

static int narrow(struct copy *c, const char *path, uint32_t mode)
{
    int fh;
    int err;

    if (c->session->full)
        return fsif_chmod(c->client, path_wire(path), mode & 0777);
    fh = fsif_open(c->client, path, FSIF_O_RDONLY, 0);
    if (fh < 0)
        return fh;
    err = fsif_fchmod(c->client, fh, mode & 0777);
    fsif_close(c->client, fh);
    return err;
}

static int copy_dir(struct copy *c, const char *from, const char *to, uint32_t mode)
{
    struct entries e;
    size_t i;
    int made;
    int err = entries_read(c->cli, c->session, from,
                           c->session->full ? ENTRIES_TYPES : ENTRIES_NAMES, &e);

    if (err < 0)
        return err;
    made = remote_mkdir(c->client, to, (mode & 0777) | 0700);
    for (i = 0; made >= 0 && i < e.count && !cli_interrupted; i++) {
        char *inner = path_join(from, e.items[i].name);
        char *copy = path_join(to, e.items[i].name);

        err = copy_entry(c, &e.items[i], inner, copy);
        if (err < 0)
            cli_error(c->cli, c->export_name, inner, err);
        free(copy);
        free(inner);
    }
    entries_free(&e);
    if (made > 0 && (mode & 0700) != 0700)
        return narrow(c, to, mode);
    return made < 0 ? made : 0;
}

/* Return: 0, or a FSIF_E* of @from itself; what lies in it has been reported. */
static int copy_tree(struct copy *c, const char *from, const char *to)
{
    struct fsif_attr attr;
    int fh = fsif_open(c->client, path_wire(from), FSIF_O_RDONLY, 0);
    int err = fh < 0 ? fh : fsif_fstat(c->client, fh, &attr);
    int is_dir = err == 0 && type_of(attr.mode) == FSIF_S_IFDIR;

    if (err == 0 && is_dir && !c->cli->recursive) {
        err = -FSIF_EISDIR;
    } else if (err == 0 && !is_dir) {
        char *temporary = remote_temporary(to);

        err = copy_file(c, fh, attr.mode, temporary);
        if (err > 0) {
            char *shown = cli_escaped(to);

            c->cli->failed = 1;
            cli_say(c->cli, "%s:/%s: the copy differs", c->export_name, shown);
            free(shown);
        }
        err = remote_finish(c->client, temporary, to, err);
        free(temporary);
    }
    if (fh >= 0)
        fsif_close(c->client, fh);
    if (err == 0 && is_dir)
        err = copy_dir(c, from, to, attr.mode);
    return err;
}

/* Whether @path is @dir or lies in it. */
static int lies_in(const char *path, const char *dir)
{
    size_t len = strlen(dir);

    return len == 0 || (strncmp(path, dir, len) == 0 && (path[len] == '/' || path[len] == '\0'));
}

static int copy_all(struct cli *cli, struct cli_session *s, struct target *t, int sources)
{
    struct copy c = {cli, s, s->client, s->export_name, cli_alloc(CLI_CHUNK)};
    struct target *to = &t[sources];
    int into = remote_is_dir(s->client, to->path);
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

        if (cli->recursive && lies_in(path, t[i].path) && remote_is_dir(s->client, t[i].path) != 0)
            err = -FSIF_EINVAL;
        else
            err = copy_tree(&c, t[i].path, path);
        if (err < 0)
            cli_error(cli, t[i].export_name, t[i].path, err);
        free(path);
    }
    free(c.buf);
    return CLI_OK;
}

int command_cp(struct cli *cli, char **operands, int count)
{
    return cli_on_one_export(cli, operands, count, copy_all);
}
