/* SPDX-License-Identifier: MIT */

/* Calls on names. The last component, with its trailing slash, goes to the kernel as it is: what it
 * means there is what it means here. */

#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include "internal.h"

/* As remove(3): unlink, and rmdir if that says that it is a directory. */
int fsi_posix_remove(struct fsif_store *st, const char *path)
{
    struct posix_place at;
    int err;

    if (st->read_only)
        return -FSIF_EROFS;
    err = fsi_posix_place(st, path, &at);
    if (err != 0)
        return err;
    if (unlinkat(at.dir, at.last, 0) != 0) {
        err = posix_fail();
        if (err == -FSIF_EISDIR)
            err = unlinkat(at.dir, at.last, AT_REMOVEDIR) != 0 ? posix_fail() : 0;
    }
    fsi_posix_unplace(&at);
    return err == -FSIF_EEXIST ? -FSIF_ENOTEMPTY : err;
}

/* Returns 0, an error, or -FSIF_ESTALE: a directory on the way is gone, look again. */
static int rename_once(const struct fsif_store *st, const char *from, const char *to)
{
    struct posix_place source, target;
    int err = fsi_posix_place(st, from, &source);

    if (err != 0)
        return err;
    err = fsi_posix_place(st, to, &target);
    if (err == 0) {
        if (renameat(source.dir, source.last, target.dir, target.last) != 0)
            err = posix_fail();
        if (fsi_posix_gone(&source, err) || fsi_posix_gone(&target, err))
            err = -FSIF_ESTALE;
        fsi_posix_unplace(&target);
    }
    fsi_posix_unplace(&source);
    return err == -FSIF_EEXIST ? -FSIF_ENOTEMPTY : err;
}

int fsi_posix_rename(struct fsif_store *st, const char *from, const char *to)
{
    if (st->read_only)
        return -FSIF_EROFS;
    for (int tries = 0; tries < POSIX_SWAPS; tries++) {
        int err = rename_once(st, from, to);
        if (err != -FSIF_ESTALE)
            return err;
    }
    return -FSIF_EAGAIN;
}

int64_t fsi_posix_space(struct fsif_store *st, const char *path)
{
    struct statvfs fs;
    int fd = fsi_posix_resolve(st, path, O_PATH);
    int err = 0;

    if (fd < 0)
        return fd;
    if (fstatvfs(fd, &fs) != 0)
        err = posix_fail();
    close(fd);
    if (err != 0)
        return err;
    if (fs.f_frsize != 0 && fs.f_bavail > (uint64_t)INT64_MAX / fs.f_frsize)
        return INT64_MAX;
    return (int64_t)(fs.f_bavail * fs.f_frsize);
}
