/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Moving bytes, and what copies onto an export have in common. */

int write_all(int fd, const void *buf, size_t len)
{
    const char *p = buf;

    while (len > 0) {
        ssize_t n = write(fd, p, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

int write_all_at(int fd, const void *buf, size_t len, uint64_t off)
{
    const char *p = buf;

    while (len > 0) {
        ssize_t n = pwrite(fd, p, len, (off_t)off);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        p += n;
        len -= (size_t)n;
        off += (uint64_t)n;
    }
    return 0;
}

int remote_write(struct fsif_client *cl, int fh, const void *buf, size_t len, uint64_t off)
{
    size_t done = 0;

    while (done < len) {
        int64_t n = fsif_pwrite(cl, fh, (const char *)buf + done, len - done, off + done);

        if (n <= 0)
            return n < 0 ? (int)n : -FSIF_EIO;
        done += (size_t)n;
    }
    return 0;
}

void extents_add(struct extents *e, uint64_t off, uint64_t len)
{
    struct extent *last = e->count > 0 ? &e->items[e->count - 1] : NULL;

    if (last != NULL && last->off + last->len == off) {
        last->len += len;
        return;
    }
    if (e->items == NULL || e->count == e->room) {
        e->room = e->room == 0 ? 8 : 2 * e->room;
        e->items = realloc(e->items, e->room * sizeof(*e->items));
        if (e->items == NULL)
            cli_no_memory();
    }
    e->items[e->count++] = (struct extent){off, len};
}

void extents_free(struct extents *e)
{
    free(e->items);
    *e = (struct extents){.items = NULL};
}

static int checksum_extent(struct fsif_client *cl, int fh, const struct extent *x, void *buf,
                           struct checksum *c)
{
    uint64_t off = x->off;
    uint64_t end = x->off + x->len;

    while (off < end && !cli_interrupted) {
        size_t len = end - off < CLI_CHUNK ? (size_t)(end - off) : CLI_CHUNK;
        int64_t n = fsif_pread(cl, fh, buf, len, off);

        if (n <= 0)
            return n < 0 ? (int)n : 1;
        checksum_add(c, buf, (size_t)n);
        off += (uint64_t)n;
    }
    return 0;
}

int checksum_remote(struct fsif_client *cl, int fh, const struct extents *of, uint64_t size,
                    void *buf, struct checksum *c)
{
    struct fsif_attr attr;
    size_t i;
    int err = fsif_fstat(cl, fh, &attr);

    for (i = 0; err == 0 && i < of->count; i++)
        err = checksum_extent(cl, fh, &of->items[i], buf, c);
    return err == 0 && attr.size != size ? 1 : err;
}

char *remote_temporary(const char *path)
{
    static _Atomic unsigned int number;
    size_t dir = strlen(path) - strlen(path_base(path));

    return cli_format("%.*s.fsif-%ld-%u.tmp", (int)dir, path, (long)getpid(), number++);
}

int remote_finish(struct fsif_client *cl, const char *temporary, const char *path, int err)
{
    if (err == 0)
        err = fsif_rename(cl, temporary, path);
    if (err != 0)
        fsif_remove(cl, temporary);
    return err;
}

int remote_is_dir(struct fsif_client *cl, const char *path)
{
    struct fsif_attr attr;
    int err = fsif_stat(cl, path_wire(path), &attr);

    return err < 0 ? err : (attr.mode & FSIF_S_IFMT) == FSIF_S_IFDIR;
}

int remote_mkdir(struct fsif_client *cl, const char *path, uint32_t mode)
{
    int err = path[0] == '\0' ? -FSIF_EEXIST : fsif_mkdir(cl, path, mode);
    int is_dir;

    if (err == 0)
        return 1;
    is_dir = remote_is_dir(cl, path);
    if (is_dir > 0)
        return 0;
    return is_dir == 0 ? -FSIF_ENOTDIR : err;
}
