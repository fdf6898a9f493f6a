/* SPDX-License-Identifier: MIT */

/*
 * Changing attributes.
 *
 * Everything is done on a descriptor, so that no name is trusted twice: that of the open file, one
 * that is opened for writing if the size is to change, else one that is opened with O_PATH. The
 * kernel changes owner and times of the latter; its mode only since Linux 6.6 or through /proc.
 * Where there is neither, a file whose mode is to change is opened for reading.
 */

#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "internal.h"

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

#define NSEC_MAX 999999999u

static int check(const struct fsif_setattr *set)
{
    const uint32_t atime = FSIF_SET_ATIME | FSIF_SET_ATIME_NOW;
    const uint32_t mtime = FSIF_SET_MTIME | FSIF_SET_MTIME_NOW;

    if ((set->mask & ~FSIF_SET_ALL) != 0 || (set->mask & atime) == atime ||
        (set->mask & mtime) == mtime)
        return -FSIF_EINVAL;
    if ((set->mask & FSIF_SET_SIZE) != 0 && set->size > INT64_MAX)
        return -FSIF_EINVAL;
    if ((set->mask & FSIF_SET_ATIME) != 0 && set->atime_nsec > NSEC_MAX)
        return -FSIF_EINVAL;
    return (set->mask & FSIF_SET_MTIME) != 0 && set->mtime_nsec > NSEC_MAX ? -FSIF_EINVAL : 0;
}

/* Whom files may be given to: with a map to nobody but its owner. */
static int check_owner(const struct fsif_store *st, const struct fsif_setattr *set)
{
    if (((set->mask & FSIF_SET_UID) != 0 && set->uid == UINT32_MAX) ||
        ((set->mask & FSIF_SET_GID) != 0 && set->gid == UINT32_MAX))
        return -FSIF_EINVAL;
    if (st->map != FSIF_MAP_OWNER)
        return 0;
    return ((set->mask & FSIF_SET_UID) != 0 && set->uid != st->uid) ||
                   ((set->mask & FSIF_SET_GID) != 0 && set->gid != st->gid)
               ? -FSIF_EPERM
               : 0;
}

int fsi_posix_has_chmod_path(const struct fsif_store *st)
{
    return st->proc >= 0 || syscall(SYS_fchmodat2, -1, "", 0, AT_EMPTY_PATH) == 0 ||
           errno != ENOSYS;
}

/* The mode of what the O_PATH descriptor @fd is. */
int fsi_posix_chmod(const struct fsif_store *st, int fd, mode_t mode)
{
    struct stat now;
    char name[16];

    if (fstat(fd, &now) != 0)
        return posix_fail();
    if (S_ISLNK(now.st_mode))
        return -FSIF_EOPNOTSUPP;
    if (syscall(SYS_fchmodat2, fd, "", mode, AT_EMPTY_PATH) == 0)
        return 0;
    if (errno != ENOSYS)
        return posix_fail();
    if (st->proc < 0)
        return -FSIF_EOPNOTSUPP;
    snprintf(name, sizeof(name), "%d", fd);
    return fchmodat(st->proc, name, mode, 0) != 0 ? posix_fail() : 0;
}

static int set_size(struct fsif_store *st, uint64_t file, uint64_t size)
{
    int err = fsi_posix_before_change(st, file, size);
    int fd = posix_fd(st, file);
    int opened = -1;

    if (err != 0)
        return err;
    if ((file & POSIX_FILE_PATH) != 0) {
        opened = fd = fsi_posix_reopen(st, fd, O_WRONLY);
        if (fd < 0)
            return fd;
    }
    while (err == 0 && ftruncate(fd, (off_t)size) != 0)
        err = errno == EINTR ? 0 : posix_fail();
    if (opened >= 0)
        close(opened);
    return err;
}

static int set_owner(const struct fsif_store *st, int fd, const struct fsif_setattr *set)
{
    uid_t uid = (set->mask & FSIF_SET_UID) != 0 ? set->uid : (uid_t)-1;
    gid_t gid = (set->mask & FSIF_SET_GID) != 0 ? set->gid : (gid_t)-1;
    int err = check_owner(st, set);

    if (err != 0)
        return err;
    return fchownat(fd, "", uid, gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) != 0 ? posix_fail() : 0;
}

static struct timespec when(uint32_t mask, uint32_t set, uint32_t now, int64_t sec, uint32_t nsec)
{
    struct timespec t = {.tv_nsec = UTIME_OMIT};

    if ((mask & now) != 0)
        t.tv_nsec = UTIME_NOW;
    if ((mask & set) != 0)
        t = (struct timespec){.tv_sec = (time_t)sec, .tv_nsec = (long)nsec};
    return t;
}

/* Some hosts count seconds in 32 bits. */
static int host_has(uint32_t set, int64_t sec)
{
    return !set || (int64_t)(time_t)sec == sec;
}

static int set_times(int fd, const struct fsif_setattr *set)
{
    const struct timespec times[2] = {
        when(set->mask, FSIF_SET_ATIME, FSIF_SET_ATIME_NOW, set->atime, set->atime_nsec),
        when(set->mask, FSIF_SET_MTIME, FSIF_SET_MTIME_NOW, set->mtime, set->mtime_nsec),
    };

    if (!host_has(set->mask & FSIF_SET_ATIME, set->atime) ||
        !host_has(set->mask & FSIF_SET_MTIME, set->mtime))
        return -FSIF_EOVERFLOW;
    return utimensat(fd, "", times, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) != 0 ? posix_fail() : 0;
}

static int apply(struct fsif_store *st, uint64_t file, const struct fsif_setattr *set)
{
    const uint32_t times =
        FSIF_SET_ATIME | FSIF_SET_MTIME | FSIF_SET_ATIME_NOW | FSIF_SET_MTIME_NOW;
    const uint32_t passing = FSIF_SET_MODE | FSIF_SET_UID | FSIF_SET_GID;
    int fd = posix_fd(st, file);
    int err = 0;

    if ((set->mask & FSIF_SET_SIZE) != 0)
        err = set_size(st, file, set->size);
    if (err == 0 && (set->mask & (FSIF_SET_UID | FSIF_SET_GID)) != 0)
        err = set_owner(st, fd, set);
    if (err == 0 && (set->mask & FSIF_SET_MODE) != 0) {
        mode_t mode = fsi_posix_mode(st, set->mode);
        if ((file & POSIX_FILE_PATH) != 0 || file == FSIF_STORE_ROOT)
            err = fsi_posix_chmod(st, fd, mode);
        else if (fchmod(fd, mode) != 0)
            err = posix_fail();
    }
    if (err == 0 && (set->mask & times) != 0)
        err = set_times(fd, set);
    if ((set->mask & passing) != 0 && (file & (POSIX_FILE_DIR | POSIX_FILE_PATH)) != 0)
        fsi_posix_forget(st);
    return err;
}

/* A file to change as @mask says, on a descriptor of its own. */
static int open_to_set(struct fsif_store *st, const struct posix_from *from, const char *path,
                       uint32_t flags, uint32_t mask, uint64_t *file)
{
    const int nofollow = (flags & FSIF_AT_NOFOLLOW) != 0;
    struct posix_want want = {.access = O_WRONLY, .flags = nofollow ? FSIF_O_NOFOLLOW : 0};
    int fd;

    if ((mask & FSIF_SET_SIZE) != 0)
        return fsi_posix_open_existing(st, from, path, &want, file, NULL);
    want.access = O_RDONLY;
    if ((mask & FSIF_SET_MODE) != 0 && !st->chmod_path &&
        fsi_posix_open_existing(st, from, path, &want, file, NULL) == 0)
        return 0;
    fd = fsi_posix_resolve(st, from->fd, path, nofollow ? O_PATH | O_NOFOLLOW : O_PATH);
    *file = fsi_posix_file(fd, POSIX_FILE_PATH, 0);
    return fd < 0 ? fd : 0;
}

int fsi_posix_setattr(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags,
                      const struct fsif_setattr *set)
{
    struct posix_from from;
    uint64_t file;
    int err;

    if (st->read_only)
        return -FSIF_EROFS;
    err = check(set);
    if (err != 0)
        return err;
    if (path[0] == '\0')
        return apply(st, base, set);
    err = fsi_posix_start(st, base, &path, &from);
    if (err != 0)
        return err;
    err = open_to_set(st, &from, path, flags, set->mask, &file);
    fsi_posix_stop(st, &from);
    if (err != 0)
        return err;
    err = apply(st, file, set);
    close(posix_fd(st, file));
    return err;
}
