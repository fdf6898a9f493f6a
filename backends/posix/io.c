/* SPDX-License-Identifier: MIT */

/*
 * Calls on open files. The file's number is its descriptor; what a call on the wrong kind of
 * descriptor gives is what Linux gives: reading a directory -FSIF_EISDIR, writing to one or to a
 * file that is open for reading -FSIF_EBADF, truncating either -FSIF_EINVAL.
 *
 * A file that had set-id bits when it was opened loses them before it is changed, as it would if
 * its writer were an unprivileged process; a privileged daemon's writes would keep them, and a
 * guest could put its own program into a file that runs as somebody else.
 */

#define _GNU_SOURCE
#include <sys/types.h>
#include <unistd.h>
#include "internal.h"

int fsi_posix_unsetid(const struct fsif_store *st, uint64_t file)
{
    struct stat now;
    int fd = posix_fd(file);

    if ((file & POSIX_FILE_SETID) == 0 || st->setid)
        return 0;
    if (fstat(fd, &now) != 0)
        return posix_fail();
    if ((now.st_mode & (S_ISUID | S_ISGID)) == 0)
        return 0;
    return fchmod(fd, now.st_mode & FSIF_S_PERM & ~(FSIF_S_ISUID | FSIF_S_ISGID)) != 0
               ? posix_fail()
               : 0;
}

int fsi_posix_close(struct fsif_store *st, uint64_t file)
{
    (void)st;
    /* After EINTR the descriptor is gone all the same. */
    return close(posix_fd(file)) != 0 && errno != EINTR ? posix_fail() : 0;
}

int64_t fsi_posix_read(struct fsif_store *st, uint64_t file, void *buf, uint32_t len, uint64_t off)
{
    char *to = buf;
    uint32_t done = 0;
    ssize_t n;

    (void)st;
    if (off > INT64_MAX)
        return -FSIF_EINVAL;
    do {
        n = pread(posix_fd(file), to + done, len - done, (off_t)(off + done));
        if (n < 0 && errno != EINTR)
            return done > 0 ? (int64_t)done : posix_fail();
        if (n > 0)
            done += (uint32_t)n;
    } while (n != 0 && done < len);
    return done;
}

/* Before a change at @place, an offset or a size. Return: 0; a negative FSIF_E* */
static int before_change(const struct fsif_store *st, uint64_t file, uint64_t place)
{
    if (st->read_only)
        return -FSIF_EROFS;
    if (place > INT64_MAX)
        return -FSIF_EINVAL;
    return fsi_posix_unsetid(st, file);
}

int64_t fsi_posix_write(struct fsif_store *st, uint64_t file, const void *buf, uint32_t len,
                        uint64_t off)
{
    const char *from = buf;
    uint32_t done = 0;
    ssize_t n;
    int err = before_change(st, file, off);

    if (err != 0)
        return err;
    do {
        n = pwrite(posix_fd(file), from + done, len - done, (off_t)(off + done));
        if (n < 0 && errno != EINTR)
            return done > 0 ? (int64_t)done : posix_fail();
        if (n > 0)
            done += (uint32_t)n;
    } while (n != 0 && done < len);
    return done;
}

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

static uint32_t permissions(mode_t mode)
{
    static const struct {
        mode_t host;
        uint32_t bit;
    } bits[] = {
        {S_ISUID, FSIF_S_ISUID}, {S_ISGID, FSIF_S_ISGID}, {S_ISVTX, FSIF_S_ISVTX}, {S_IRUSR, 0400},
        {S_IWUSR, 0200},         {S_IXUSR, 0100},         {S_IRGRP, 0040},         {S_IWGRP, 0020},
        {S_IXGRP, 0010},         {S_IROTH, 0004},         {S_IWOTH, 0002},         {S_IXOTH, 0001},
    };
    uint32_t out = 0;

    for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++)
        if ((mode & bits[i].host) != 0)
            out |= bits[i].bit;
    return out;
}

int fsi_posix_stat(struct fsif_store *st, uint64_t file, struct fsif_attr *out)
{
    struct stat now;

    (void)st;
    if (fstat(posix_fd(file), &now) != 0)
        return posix_fail();
    *out = (struct fsif_attr){
        .mode = file_type(now.st_mode) | permissions(now.st_mode),
        .uid = now.st_uid,
        .gid = now.st_gid,
        .nlink = now.st_nlink > UINT32_MAX ? UINT32_MAX : (uint32_t)now.st_nlink,
        .size = now.st_size > 0 ? (uint64_t)now.st_size : 0,
        .atime = now.st_atim.tv_sec,
        .mtime = now.st_mtim.tv_sec,
        .ctime = now.st_ctim.tv_sec,
        .atime_nsec = (uint32_t)now.st_atim.tv_nsec,
        .mtime_nsec = (uint32_t)now.st_mtim.tv_nsec,
        .ctime_nsec = (uint32_t)now.st_ctim.tv_nsec,
    };
    return 0;
}

int fsi_posix_truncate(struct fsif_store *st, uint64_t file, uint64_t size)
{
    int err = before_change(st, file, size);

    if (err != 0)
        return err;
    while (ftruncate(posix_fd(file), (off_t)size) != 0)
        if (errno != EINTR)
            return posix_fail();
    return 0;
}

int fsi_posix_chmod(struct fsif_store *st, uint64_t file, uint32_t mode)
{
    if (st->read_only)
        return -FSIF_EROFS;
    return fchmod(posix_fd(file), fsi_posix_mode(st, mode)) != 0 ? posix_fail() : 0;
}

int fsi_posix_sync(struct fsif_store *st, uint64_t file)
{
    (void)st;
    while (fsync(posix_fd(file)) != 0)
        if (errno != EINTR)
            return posix_fail();
    return 0;
}
