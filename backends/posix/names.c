/* SPDX-License-Identifier: MIT */

/* Calls on names. The last component, with its trailing slash, goes to the kernel as it is: what it
 * means there is what it means here. */

#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include "internal.h"

/* Returns 0; 1 it was a directory; or a negative FSIF_E* */
static int remove_at(const struct posix_place *at, uint32_t flags)
{
    const int directory = flags == FSIF_REMOVE_DIR;

    if (unlinkat(at->dir, at->last, directory ? AT_REMOVEDIR : 0) == 0)
        return directory;
    if (errno != EISDIR || flags == FSIF_REMOVE_FILE)
        return posix_fail();
    return unlinkat(at->dir, at->last, AT_REMOVEDIR) != 0 ? posix_fail() : 1;
}

/* Neither or both flags: as remove(3), unlink, and rmdir if that says that it is a directory. */
int fsi_posix_remove(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags)
{
    struct posix_from from;
    struct posix_place at;
    int err;

    if (st->read_only)
        return -FSIF_EROFS;
    if ((flags & ~(FSIF_REMOVE_FILE | FSIF_REMOVE_DIR)) != 0)
        return -FSIF_EINVAL;
    err = fsi_posix_start(st, base, &path, &from);
    if (err != 0)
        return err;
    err = fsi_posix_place(st, from.fd, path, &at);
    if (err == 0) {
        err = remove_at(&at, flags);
        fsi_posix_unplace(st, &at);
    }
    if (err == 1)
        fsi_posix_forget(st);
    fsi_posix_stop(st, &from);
    return err == -FSIF_EEXIST ? -FSIF_ENOTEMPTY : err < 0 ? err : 0;
}

/* After a rename to @target: a directory may have got another path. */
static void forget_moved(struct fsif_store *st, const struct posix_place *target, unsigned int how)
{
    struct stat now;

    /* Where nothing is kept here that costs less than to find out. */
    if (!st->exclusive || how == RENAME_EXCHANGE ||
        fstatat(target->dir, target->last, &now, AT_SYMLINK_NOFOLLOW) != 0 || S_ISDIR(now.st_mode))
        fsi_posix_forget(st);
}

/* Returns 0, an error, or -FSIF_ESTALE: a directory on the way is gone, look again. */
static int rename_once(struct fsif_store *st, int from, const char *path, int from2,
                       const char *path2, unsigned int how)
{
    struct posix_place source, target;
    int err = fsi_posix_place(st, from, path, &source);

    if (err != 0)
        return err;
    err = fsi_posix_place(st, from2, path2, &target);
    if (err == 0) {
        if (renameat2(source.dir, source.last, target.dir, target.last, how) != 0)
            err = posix_fail();
        else
            forget_moved(st, &target, how);
        if (fsi_posix_gone(&source, err) || fsi_posix_gone(&target, err))
            err = -FSIF_ESTALE;
        fsi_posix_unplace(st, &target);
    }
    fsi_posix_unplace(st, &source);
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
    err = fsi_posix_start(st, base, &path, &from);
    if (err != 0)
        return err;
    err = fsi_posix_start_second(st, base, &from, base2, &path2, &from2);
    if (err == 0) {
        err = -FSIF_ESTALE;
        for (int tries = 0; err == -FSIF_ESTALE && tries < POSIX_SWAPS; tries++)
            err = rename_once(st, from.fd, path, from2.fd, path2, how);
        err = err == -FSIF_ESTALE ? -FSIF_EAGAIN : err;
        fsi_posix_stop(st, &from2);
    }
    fsi_posix_stop(st, &from);
    return err;
}

static int statvfs_of(int fd, struct fsif_statvfs *out)
{
    struct statvfs fs;

    if (fstatvfs(fd, &fs) != 0)
        return posix_fail();
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

int fsi_posix_statvfs(struct fsif_store *st, uint64_t base, const char *path,
                      struct fsif_statvfs *out)
{
    struct posix_from from;
    int fd, err;

    if (path[0] == '\0')
        return statvfs_of(posix_fd(st, base), out);
    err = fsi_posix_start(st, base, &path, &from);
    if (err != 0)
        return err;
    fd = fsi_posix_resolve(st, from.fd, path, O_PATH);
    fsi_posix_stop(st, &from);
    if (fd < 0)
        return fd;
    err = statvfs_of(fd, out);
    close(fd);
    return err;
}
