/* SPDX-License-Identifier: MIT */

/* Calls on names. The last component, with its trailing slash, goes to the kernel as it is: what it
 * means there is what it means here. */

#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include "internal.h"

/* A name's place, for a change. */
static int place_for_change(const struct fsif_store *st, uint64_t base, const char *path,
                            struct posix_place *out)
{
    struct posix_from from;
    int err;

    if (st->read_only)
        return -FSIF_EROFS;
    err = fsi_posix_from(st, base, &from);
    return err != 0 ? err : fsi_posix_place(st, from.fd, path, out);
}

/* Neither or both flags: as remove(3), unlink, and rmdir if that says that it is a directory. */
int fsi_posix_remove(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags)
{
    const int directory = flags == FSIF_REMOVE_DIR ? AT_REMOVEDIR : 0;
    struct posix_place at;
    int err;

    if ((flags & ~(FSIF_REMOVE_FILE | FSIF_REMOVE_DIR)) != 0)
        return -FSIF_EINVAL;
    err = place_for_change(st, base, path, &at);
    if (err != 0)
        return err;
    if (unlinkat(at.dir, at.last, directory) != 0) {
        err = posix_fail();
        if (err == -FSIF_EISDIR && flags != FSIF_REMOVE_FILE)
            err = unlinkat(at.dir, at.last, AT_REMOVEDIR) != 0 ? posix_fail() : 0;
    }
    fsi_posix_unplace(&at);
    return err == -FSIF_EEXIST ? -FSIF_ENOTEMPTY : err;
}

/* Returns 0, an error, or -FSIF_ESTALE: a directory on the way is gone, look again. */
static int rename_once(const struct fsif_store *st, const struct posix_from *from, const char *path,
                       const struct posix_from *from2, const char *path2, unsigned int how)
{
    struct posix_place source, target;
    int err = fsi_posix_place(st, from->fd, path, &source);

    if (err != 0)
        return err;
    err = fsi_posix_place(st, from2->fd, path2, &target);
    if (err == 0) {
        if (renameat2(source.dir, source.last, target.dir, target.last, how) != 0)
            err = posix_fail();
        if (fsi_posix_gone(&source, err) || fsi_posix_gone(&target, err))
            err = -FSIF_ESTALE;
        fsi_posix_unplace(&target);
    }
    fsi_posix_unplace(&source);
    return err == -FSIF_EEXIST && how != RENAME_NOREPLACE ? -FSIF_ENOTEMPTY : err;
}

int fsi_posix_rename(struct fsif_store *st, uint64_t base, const char *path, uint64_t base2,
                     const char *path2, uint32_t flags)
{
    struct posix_from from, from2;
    unsigned int how = 0;
    int err;

    if (st->read_only)
        return -FSIF_EROFS;
    if ((flags & ~(FSIF_RENAME_NOREPLACE | FSIF_RENAME_EXCHANGE)) != 0)
        return -FSIF_EINVAL;
    how |= (flags & FSIF_RENAME_NOREPLACE) != 0 ? RENAME_NOREPLACE : 0;
    how |= (flags & FSIF_RENAME_EXCHANGE) != 0 ? RENAME_EXCHANGE : 0;
    err = fsi_posix_from_both(st, base, &from, base2, &from2);
    if (err != 0)
        return err;
    for (int tries = 0; tries < POSIX_SWAPS; tries++) {
        err = rename_once(st, &from, path, &from2, path2, how);
        if (err != -FSIF_ESTALE)
            return err;
    }
    return -FSIF_EAGAIN;
}

int fsi_posix_statvfs(struct fsif_store *st, uint64_t base, const char *path,
                      struct fsif_statvfs *out)
{
    struct posix_from from;
    struct statvfs fs;
    int fd = posix_fd(st, base);
    int err = 0;

    if (path[0] != '\0') {
        err = fsi_posix_from(st, base, &from);
        fd = err == 0 ? fsi_posix_resolve(st, from.fd, path, O_PATH) : err;
        if (fd < 0)
            return fd;
    }
    if (fstatvfs(fd, &fs) != 0)
        err = posix_fail();
    if (path[0] != '\0')
        close(fd);
    if (err != 0)
        return err;
    *out = (struct fsif_statvfs){
        .blocks = fs.f_blocks,
        .bfree = fs.f_bfree,
        .bavail = fs.f_bavail,
        .files = fs.f_files,
        .ffree = fs.f_ffree,
        .bsize = (uint32_t)(fs.f_frsize != 0 ? fs.f_frsize : fs.f_bsize),
        .namemax = fs.f_namemax < FSIF_NAME_MAX ? (uint32_t)fs.f_namemax : FSIF_NAME_MAX,
    };
    return 0;
}
