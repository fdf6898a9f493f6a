/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "get.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * One file out of an export. In dialect 3 a small one comes whole in one request; others are opened
 * and read by the chunk, with -a only where data is. It is made beside its place, never through a
 * link, and put there by rename.
 */

struct source {
    int fh;      /* -1: all of it is in the buffer */
    int64_t len; /* then: how much */
    int holes;   /* only where data is */
    struct fsif_attr attr;
    struct checksum *sum;
    struct extents parts; /* what was copied, for the sum */
};

void get_temporary(char out[64])
{
    static _Atomic unsigned int number;

    snprintf(out, 64, ".fsif-%ld-%u.tmp", (long)getpid(), number++);
}

/* --- where it comes from ------------------------------------------------------------------- */

static int is_sparse(const struct fsif_attr *a)
{
    return a->nlink > 0 && a->blocks < a->size / 512;
}

/* Return: 1 if all of it is in @buf now; 0 it is too large; a FSIF_E* */
static int read_whole(struct get_job *j, struct source *src, void *buf)
{
    struct get *g = j->get;
    uint32_t limit = g->session->limits.max_io < CLI_SMALL ? g->session->limits.max_io : CLI_SMALL;
    uint32_t len;

    if (!j->known || j->attr.size > limit || (g->keep.archive && is_sparse(&j->attr)))
        return 0;
    len = j->attr.size < limit ? (uint32_t)j->attr.size + 1 : limit;
    src->len = fsif_readfile(g->client, FSIF_ROOT, path_wire(j->path),
                             j->follow ? 0 : FSIF_O_NOFOLLOW, buf, len, &src->attr);
    if (src->len < 0 || src->len > len)
        return src->len < 0 ? (int)src->len : -FSIF_EPROTO;
    return src->len < len || (uint64_t)src->len == src->attr.size;
}

static int open_source(struct get_job *j, struct source *src, void *buf)
{
    struct get *g = j->get;
    int err = read_whole(j, src, buf);

    src->fh = j->fh;
    j->fh = -1;
    if (!g->session->full) {
        src->attr = j->attr;
    } else if (err == 0) {
        src->fh = fsif_openat(g->client, FSIF_ROOT, path_wire(j->path),
                              j->follow ? 0 : FSIF_O_NOFOLLOW, 0);
        err = src->fh < 0 ? src->fh : fsif_fstat(g->client, src->fh, &src->attr);
        src->holes = g->keep.archive && is_sparse(&src->attr);
    }
    if (err < 0)
        return err;
    /* Reading it has changed that. */
    if (j->known) {
        src->attr.atime = j->attr.atime;
        src->attr.atime_nsec = j->attr.atime_nsec;
    }
    if (src->attr.size > INT64_MAX)
        return -FSIF_EPROTO;
    /* It may have been something else since it was listed. */
    return type_of(src->attr.mode) == FSIF_S_IFREG ? 0 : -FSIF_ESTALE;
}

/* --- bytes: each returns 0; a FSIF_E*: of the export's side; an errno: of ours --------------- */

static int take(struct get *g, struct source *src, int fd, const void *buf, size_t len,
                uint64_t off)
{
    int err = write_all_at(fd, buf, len, off);

    if (err != 0)
        return err;
    if (src->sum != NULL) {
        checksum_add(src->sum, buf, len);
        extents_add(&src->parts, off, len);
    }
    g->progress.bytes += len;
    return cli_interrupted ? EINTR : 0;
}

/* From @off up to @end, or to the end of the file. @at: where it ended */
static int copy_range(struct get *g, struct source *src, int fd, void *buf, uint64_t off,
                      uint64_t end, uint64_t *at)
{
    int err = 0;

    while (err == 0 && off < end) {
        size_t len = end - off < CLI_CHUNK ? (size_t)(end - off) : CLI_CHUNK;
        int64_t n = fsif_pread(g->client, src->fh, buf, len, off);

        if (n < 0 || (uint64_t)n > len)
            return n < 0 ? (int)n : -FSIF_EPROTO;
        if (n == 0)
            break;
        err = take(g, src, fd, buf, (size_t)n, off);
        off += (uint64_t)n;
        /* The size is only a hint: less than was asked for that ends there is the end. */
        if ((size_t)n < len && off == src->attr.size)
            break;
    }
    *at = off;
    return err;
}

/* Where the next data begins and ends. Return: 0; 1: there is none; a FSIF_E* */
static int next_data(struct get *g, const struct source *src, uint64_t off, uint64_t *begin,
                     uint64_t *end)
{
    int64_t data = fsif_seek(g->client, src->fh, off, FSIF_SEEK_DATA);
    int64_t hole;

    if (data == -FSIF_EOPNOTSUPP || data == -FSIF_ENOSYS || data == -FSIF_EINVAL) {
        *begin = off;
        *end = src->attr.size;
        return 0;
    }
    if (data == -FSIF_ENXIO || (data >= 0 && (uint64_t)data >= src->attr.size))
        return 1;
    if (data < 0 || (uint64_t)data < off)
        return data < 0 ? (int)data : -FSIF_EPROTO;
    hole = fsif_seek(g->client, src->fh, (uint64_t)data, FSIF_SEEK_HOLE);
    if (hole <= data)
        return hole < 0 ? (int)hole : -FSIF_EPROTO;
    *begin = (uint64_t)data;
    *end = (uint64_t)hole < src->attr.size ? (uint64_t)hole : src->attr.size;
    return 0;
}

static int copy_with_holes(struct get *g, struct source *src, int fd, void *buf)
{
    uint64_t off = 0;
    int err = 0;

    while (err == 0 && off < src->attr.size) {
        uint64_t begin;
        uint64_t end;

        err = next_data(g, src, off, &begin, &end);
        if (err == 0)
            err = copy_range(g, src, fd, buf, begin, end, &off);
        if (err == 0 && off < end)
            break; /* it was made shorter meanwhile */
        if (cli_interrupted)
            return EINTR;
    }
    if (err < 0 || err > 1)
        return err;
    return ftruncate(fd, (off_t)src->attr.size) != 0 ? errno : 0;
}

/* @size: of the copy then */
static int copy_out(struct get *g, struct source *src, int fd, void *buf, uint64_t *size)
{
    *size = src->attr.size;
    if (src->fh < 0) {
        *size = (uint64_t)src->len;
        return take(g, src, fd, buf, (size_t)src->len, 0);
    }
    if (src->holes)
        return copy_with_holes(g, src, fd, buf);
    return copy_range(g, src, fd, buf, 0, INT64_MAX, size);
}

/* Read back what was written. Return: 0; an errno; COPY_DIFFERS */
static int verify_local(int fd, const struct source *src, uint64_t size, void *buf,
                        struct checksum *back)
{
    struct stat st;
    size_t i;

    if (fstat(fd, &st) != 0)
        return errno;
    for (i = 0; i < src->parts.count; i++) {
        uint64_t off = src->parts.items[i].off;
        uint64_t end = off + src->parts.items[i].len;

        while (off < end) {
            ssize_t n =
                pread(fd, buf, end - off < CLI_CHUNK ? (size_t)(end - off) : CLI_CHUNK, (off_t)off);

            if (n < 0 && errno == EINTR)
                continue;
            if (n <= 0)
                return n < 0 ? errno : COPY_DIFFERS;
            checksum_add(back, buf, (size_t)n);
            off += (uint64_t)n;
        }
    }
    return (uint64_t)st.st_size == size ? 0 : COPY_DIFFERS;
}

static int copy_and_verify(struct get *g, struct source *src, int fd, void *buf)
{
    struct checksum *back;
    uint64_t size;
    int err;

    if (!g->cli->verify)
        return copy_out(g, src, fd, buf, &size);
    src->sum = checksum_create();
    back = checksum_create();
    err = copy_out(g, src, fd, buf, &size);
    if (err == 0)
        err = verify_local(fd, src, size, buf, back);
    if (!checksum_match(src->sum, back) && err == 0)
        err = COPY_DIFFERS;
    extents_free(&src->parts);
    return err;
}

/* --- the file ------------------------------------------------------------------------------ */

static void report(struct get_job *j, int err)
{
    if (err < 0)
        get_remote_failed(j->get, j->path, err);
    else if (err == COPY_DIFFERS)
        get_differs(j->get, j->dir, j->name);
    else if (!(err == EINTR && cli_interrupted))
        get_local_failed(j->get, j->dir, j->name, err);
}

int get_file(struct get_job *j, void *buf)
{
    struct get *g = j->get;
    struct source src = {.fh = -1};
    char temporary[64] = "";
    int fd = -1;
    int err = open_source(j, &src, buf);

    if (err == 0) {
        get_temporary(temporary);
        fd =
            openat(j->dir->fd, temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        err = fd < 0 ? errno : copy_and_verify(g, &src, fd, buf);
    }
    if (err == 0)
        err = keep_local(&g->keep, j->path, fd, &src.attr);
    if (src.fh >= 0)
        fsif_close(g->client, src.fh);
    if (fd >= 0 && close(fd) != 0 && err == 0)
        err = errno;
    if (err == 0 && renameat(j->dir->fd, temporary, j->dir->fd, j->name) != 0)
        err = errno;
    if (err != 0) {
        if (fd >= 0)
            unlinkat(j->dir->fd, temporary, 0);
        report(j, err);
        return 0;
    }
    g->progress.files++;
    return 1;
}
