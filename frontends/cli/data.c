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

int checksum_remote(struct fsif_client *cl, int fh, void *buf, struct checksum *c)
{
    uint64_t off = 0;
    int64_t n;

    while ((n = fsif_pread(cl, fh, buf, CLI_CHUNK, off)) > 0 && !cli_interrupted) {
        checksum_add(c, buf, (size_t)n);
        off += (uint64_t)n;
    }
    return n < 0 ? (int)n : 0;
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
