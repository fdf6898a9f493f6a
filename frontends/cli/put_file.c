/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "put.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * One file into an export. It is written beside its place and renamed when it is complete. In
 * dialect 3 a small one is written in one request, and in a directory that this copy has made,
 * where there is nothing to lose, at its place.
 */

/* For a name that nobody has */
#define TRIES 100u

struct sink {
    int fh;
    struct checksum *sum;
    struct extents parts; /* what was copied, for the sum */
};

static uint32_t first_mode(const struct put *p, const struct stat *st)
{
    uint32_t mode = (uint32_t)st->st_mode & 0777;

    /* What follows with -a needs to be able to write; the mode comes last. */
    return p->keep.archive ? mode | 0600 : mode;
}

/* --- bytes: each returns 0; a FSIF_E*: of the export's side; an errno: of ours --------------- */

static int give(struct put *p, struct sink *to, const void *buf, size_t len, uint64_t off)
{
    int err = remote_write(p->client, to->fh, buf, len, off);

    if (err < 0)
        return err;
    if (to->sum != NULL) {
        checksum_add(to->sum, buf, len);
        extents_add(&to->parts, off, len);
    }
    p->progress.bytes += len;
    return cli_interrupted ? EINTR : 0;
}

static ssize_t read_some(int fd, void *buf, size_t len, uint64_t off)
{
    ssize_t n;

    do
        n = pread(fd, buf, len, (off_t)off);
    while (n < 0 && errno == EINTR);
    return n;
}

/* From @off up to @end, or to the end of the file. @at: where it ended */
static int copy_range(struct put *p, int fd, struct sink *to, void *buf, uint64_t off, uint64_t end,
                      uint64_t *at)
{
    int err = 0;

    while (err == 0 && off < end) {
        size_t len = end - off < CLI_CHUNK ? (size_t)(end - off) : CLI_CHUNK;
        ssize_t n = read_some(fd, buf, len, off);

        if (n < 0)
            return errno;
        if (n == 0)
            break;
        err = give(p, to, buf, (size_t)n, off);
        off += (uint64_t)n;
    }
    *at = off;
    return err;
}

/* Only where data is; what lies between becomes a hole there too. */
static int copy_with_holes(struct put *p, int fd, struct sink *to, void *buf, uint64_t size)
{
    uint64_t off = 0;
    int err = 0;

    while (err == 0 && off < size) {
        off_t data = lseek(fd, (off_t)off, SEEK_DATA);
        off_t hole;

        if (data < 0 && errno == ENXIO)
            break;
        if (data < 0)
            return errno;
        hole = lseek(fd, data, SEEK_HOLE);
        if (hole < 0)
            return errno;
        if (hole <= data)
            break;
        err = copy_range(p, fd, to, buf, (uint64_t)data, (uint64_t)hole, &off);
        if (off < (uint64_t)hole)
            break;
    }
    return err != 0 ? err : fsif_ftruncate(p->client, to->fh, size);
}

static int copy_in(struct put *p, int fd, const struct stat *st, struct sink *to, void *buf,
                   uint64_t *size)
{
    if (p->keep.archive && st->st_blocks < st->st_size / 512) {
        *size = (uint64_t)st->st_size;
        return copy_with_holes(p, fd, to, buf, *size);
    }
    return copy_range(p, fd, to, buf, 0, INT64_MAX, size);
}

static int copy_and_verify(struct put *p, int fd, const struct stat *st, struct sink *to, void *buf)
{
    struct checksum *back;
    uint64_t size;
    int err;

    if (!p->cli->verify)
        return copy_in(p, fd, st, to, buf, &size);
    to->sum = checksum_create();
    back = checksum_create();
    err = copy_in(p, fd, st, to, buf, &size);
    if (err == 0) {
        err = checksum_remote(p->client, to->fh, &to->parts, size, buf, back);
        if (err > 0)
            err = COPY_DIFFERS;
    }
    if (!checksum_match(to->sum, back) && err == 0)
        err = COPY_DIFFERS;
    extents_free(&to->parts);
    return err;
}

/* --- by the chunk -------------------------------------------------------------------------- */

static int write_opened(struct put_job *j, int fd, const struct stat *st, const char *path,
                        void *buf)
{
    struct put *p = j->put;
    struct sink to = {.fh = fsif_open(p->client, path, FSIF_O_RDWR | FSIF_O_CREAT | FSIF_O_TRUNC,
                                      first_mode(p, st))};
    int err;
    int closed;

    if (to.fh < 0)
        return to.fh;
    err = copy_and_verify(p, fd, st, &to, buf);
    closed = fsif_close(p->client, to.fh);
    return err == 0 ? closed : err;
}

/* --- small: one request -------------------------------------------------------------------- */

/* Read it back. Return: 0; COPY_DIFFERS; a FSIF_E* */
static int verify_small(struct put *p, const char *path, const void *buf, size_t len)
{
    char *back = cli_alloc(len + 1);
    int64_t n = fsif_readfile(p->client, FSIF_ROOT, path, FSIF_O_NOFOLLOW, back, len + 1, NULL);
    int same = n == (int64_t)len && memcmp(back, buf, len) == 0;

    free(back);
    return n < 0 ? (int)n : same ? 0 : COPY_DIFFERS;
}

/* Beside errno and COPY_DIFFERS */
#define NOT_SMALL 6000

/* Return: 0; COPY_DIFFERS; NOT_SMALL, and nothing was made; a FSIF_E*; an errno */
static int write_small(struct put_job *j, int fd, const struct stat *st, const char *path,
                       void *buf)
{
    struct put *p = j->put;
    uint32_t limit = p->session->limits.max_io < CLI_SMALL ? p->session->limits.max_io : CLI_SMALL;
    size_t len = 0;
    ssize_t n;
    int64_t written;

    if (!p->session->full || st->st_size >= limit ||
        (p->keep.archive && st->st_blocks < st->st_size / 512))
        return NOT_SMALL;
    while (len < limit && (n = read_some(fd, (char *)buf + len, limit - len, len)) != 0) {
        if (n < 0)
            return errno;
        len += (size_t)n;
    }
    if (len == limit)
        return NOT_SMALL; /* it grew */
    written = fsif_writefile(p->client, FSIF_ROOT, path, FSIF_O_CREAT | FSIF_O_EXCL,
                             first_mode(p, st), buf, len, NULL);
    if (written != (int64_t)len)
        return written < 0 ? (int)written : -FSIF_ENOSPC;
    p->progress.bytes += len;
    return p->cli->verify ? verify_small(p, path, buf, len) : 0;
}

/* --- the file ------------------------------------------------------------------------------ */

/* Everything of it, under @path. */
static int write_file(struct put_job *j, int fd, const struct stat *st, const char *path, void *buf)
{
    int err = write_small(j, fd, st, path, buf);

    if (err == NOT_SMALL)
        err = write_opened(j, fd, st, path, buf);
    if (err == 0 && j->put->keep.archive)
        err = keep_remote(&j->put->keep, path, fd, st);
    return err;
}

static void report(struct put_job *j, int err)
{
    if (err < 0)
        put_remote_failed(j->put, j->path, err);
    else if (err == COPY_DIFFERS)
        put_differs(j->put, j->path);
    else if (!(err == EINTR && cli_interrupted))
        put_local_failed(j, err);
}

/* Return: -FSIF_EEXIST: somebody was quicker; else as write_file() */
static int write_in_place(struct put_job *j, int fd, const struct stat *st, void *buf)
{
    int err = write_small(j, fd, st, j->path, buf);

    /* Then nothing of ours is there to be removed. */
    if (err == -FSIF_EEXIST || (err > 0 && err != COPY_DIFFERS))
        return err;
    if (err == 0 && j->put->keep.archive)
        err = keep_remote(&j->put->keep, j->path, fd, st);
    if (err != 0)
        fsif_remove(j->put->client, j->path);
    return err;
}

/* Beside its place. A program of our number that was killed may have left one of the same name. */
static int write_beside(struct put_job *j, int fd, const struct stat *st, void *buf)
{
    struct fsif_client *cl = j->put->client;
    unsigned int tries = 0;
    int err;

    do {
        char *temporary = remote_temporary(j->path);

        err = write_file(j, fd, st, temporary, buf);
        if (err == 0)
            err = remote_finish(cl, temporary, j->path, 0);
        else if (err != -FSIF_EEXIST)
            fsif_remove(cl, temporary);
        free(temporary);
    } while (err == -FSIF_EEXIST && ++tries < TRIES);
    return err;
}

int put_file(struct put_job *j, int fd, const struct stat *st, void *buf)
{
    int err = NOT_SMALL;

    if (j->dir != NULL && j->dir->made)
        err = write_in_place(j, fd, st, buf);
    if (err == NOT_SMALL || err == -FSIF_EEXIST)
        err = write_beside(j, fd, st, buf);
    if (err != 0) {
        report(j, err);
        return 0;
    }
    j->put->progress.files++;
    return 1;
}
