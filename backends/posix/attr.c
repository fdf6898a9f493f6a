/* SPDX-License-Identifier: MIT */

/*
 * What files are.
 *
 * A name without a slash is looked at with one statx from its directory, which follows no link, and
 * so is a name in a directory that is kept (cache.c); if it is one that is to be followed, or a
 * mount point, which no other call here crosses unasked, the name is resolved like every other.
 */

#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "internal.h"

#define WANTED (STATX_BASIC_STATS | STATX_BTIME)

static uint32_t file_type(mode_t mode)
{
    if (S_ISREG(mode))
        return FSIF_S_IFREG;
    if (S_ISDIR(mode))
        return FSIF_S_IFDIR;
    if (S_ISLNK(mode))
        return FSIF_S_IFLNK;
    if (S_ISFIFO(mode))
        return FSIF_S_IFIFO;
    if (S_ISSOCK(mode))
        return FSIF_S_IFSOCK;
    return S_ISBLK(mode) ? FSIF_S_IFBLK : FSIF_S_IFCHR;
}

/* The number of a file system: 0 the root's, the others as they are met. */
static uint64_t device(struct fsif_store *st, dev_t dev)
{
    uint32_t i = 0;

    if (dev == st->root_dev)
        return 0;
    pthread_mutex_lock(&st->lock);
    while (i < st->ndevices && st->devices[i] != dev)
        i++;
    if (i == st->ndevices && i < POSIX_DEVICES)
        st->devices[st->ndevices++] = dev;
    pthread_mutex_unlock(&st->lock);
    /* Beyond the table they are told apart no more than a mixture of the bits does. */
    return i < POSIX_DEVICES ? i + 1 : (uint64_t)dev * UINT64_C(0x9e3779b97f4a7c15) | 1ull << 63;
}

static void fill(struct fsif_store *st, const struct statx *now, struct fsif_attr *out)
{
    *out = (struct fsif_attr){
        .mode = file_type(now->stx_mode) | (now->stx_mode & FSIF_S_PERM),
        .uid = now->stx_uid,
        .gid = now->stx_gid,
        .nlink = now->stx_nlink,
        .size = now->stx_size,
        .atime = now->stx_atime.tv_sec,
        .mtime = now->stx_mtime.tv_sec,
        .ctime = now->stx_ctime.tv_sec,
        .atime_nsec = now->stx_atime.tv_nsec,
        .mtime_nsec = now->stx_mtime.tv_nsec,
        .ctime_nsec = now->stx_ctime.tv_nsec,
        .blocks = now->stx_blocks,
        .ino = now->stx_ino,
        .dev = device(st, makedev(now->stx_dev_major, now->stx_dev_minor)),
        .rdev_major = now->stx_rdev_major,
        .rdev_minor = now->stx_rdev_minor,
        .blksize = now->stx_blksize,
    };
    if ((now->stx_mask & STATX_BTIME) != 0) {
        out->btime = now->stx_btime.tv_sec;
        out->btime_nsec = now->stx_btime.tv_nsec;
    }
}

int fsi_posix_attr(struct fsif_store *st, int fd, struct fsif_attr *out)
{
    struct statx now;

    if (statx(fd, "", AT_EMPTY_PATH, WANTED, &now) != 0)
        return posix_fail();
    fill(st, &now, out);
    return 0;
}

/* Returns 0 and @out; 1: the name has to be resolved; or a negative FSIF_E*. */
static int look_here(struct fsif_store *st, int dir, const char *name, uint32_t flags,
                     struct fsif_attr *out)
{
    struct statx now;

    if (statx(dir, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, WANTED, &now) != 0)
        return posix_fail();
    if (S_ISLNK(now.stx_mode) && (flags & FSIF_AT_NOFOLLOW) == 0)
        return 1;
    /* An older kernel does not tell. */
    if (!st->xdev && ((now.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) == 0 ||
                      (now.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0))
        return 1;
    fill(st, &now, out);
    return 0;
}

/* The same of a name in a directory that is kept; 1 also if there is none. */
static int look_in_held(struct fsif_store *st, const char *path, const char *name, uint32_t flags,
                        struct fsif_attr *out)
{
    struct posix_parent *held;
    int err;

    if (name[0] == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return 1;
    held = fsi_posix_hold(st, path, (size_t)(name - path));
    if (held == NULL)
        return 1;
    err = look_here(st, held->fd, name, flags, out);
    if (fsi_posix_removed(held->fd, err))
        err = 1;
    fsi_posix_let_go(st, held);
    return err;
}

/* What @path is. @flags: FSIF_AT_NOFOLLOW */
int fsi_posix_look(struct fsif_store *st, const struct posix_from *from, const char *path,
                   uint32_t flags, struct fsif_attr *out)
{
    const char *slash = strrchr(path, '/');
    int fd, err = 1;

    if (path[0] == '.' && path[1] == '\0')
        return fsi_posix_attr(st, from->fd, out);
    if (slash == NULL)
        err = look_here(st, from->fd, path, flags, out);
    else if (from->fd == st->root)
        err = look_in_held(st, path, slash + 1, flags, out);
    if (err != 1)
        return err;
    fd = fsi_posix_resolve(st, from->fd, path,
                           (flags & FSIF_AT_NOFOLLOW) != 0 ? O_PATH | O_NOFOLLOW : O_PATH);
    if (fd < 0)
        return fd;
    err = fsi_posix_attr(st, fd, out);
    close(fd);
    return err;
}

/* Whether @path was a regular file when the directory that is kept under its parent's name had that
 * name for sure: whoever opens it for real finds out. 0 also where that takes more than one call.
 */
int fsi_posix_seems_regular(struct fsif_store *st, const struct posix_from *from, const char *path)
{
    const char *slash = strrchr(path, '/');
    struct posix_parent *held;
    struct statx now;
    int regular;

    if (slash == NULL || from->fd != st->root)
        return 0;
    held = fsi_posix_hold_unseen(st, path, (size_t)(slash - path));
    if (held == NULL)
        return 0;
    regular =
        statx(held->fd, slash + 1, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_TYPE, &now) == 0 &&
        S_ISREG(now.stx_mode);
    fsi_posix_let_go(st, held);
    return regular;
}

int fsi_posix_stat(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags,
                   struct fsif_attr *out)
{
    struct posix_from from;
    int err;

    if (path[0] == '\0')
        return fsi_posix_attr(st, posix_fd(st, base), out);
    err = fsi_posix_start(st, base, &path, &from);
    if (err != 0)
        return err;
    err = fsi_posix_look(st, &from, path, flags, out);
    fsi_posix_stop(st, &from);
    return err;
}
