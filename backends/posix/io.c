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
#include <sys/uio.h>
#include <unistd.h>
#include "internal.h"

static int unsetid(const struct fsif_store *st, uint64_t file)
{
    struct stat now;
    int fd = posix_fd(st, file);

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

/* Before a change at @place, an offset or a size. Return: 0; a negative FSIF_E* */
int fsi_posix_before_change(const struct fsif_store *st, uint64_t file, uint64_t place)
{
    if (st->read_only)
        return -FSIF_EROFS;
    if (place > INT64_MAX)
        return -FSIF_EINVAL;
    return unsetid(st, file);
}

int fsi_posix_close(struct fsif_store *st, uint64_t file)
{
    if ((file & POSIX_FILE_DIR) != 0)
        fsi_posix_drop_rest(st, file); /* its number may come again */
    else
        fsi_posix_close_mapped(st, posix_fd(st, file));
    /* After EINTR the descriptor is gone all the same. */
    return close(posix_fd(st, file)) != 0 && errno != EINTR ? posix_fail() : 0;
}

int64_t fsi_posix_read(struct fsif_store *st, uint64_t file, void *buf, uint32_t len, uint64_t off)
{
    int64_t n;

    if (off > INT64_MAX)
        return -FSIF_EINVAL;
    n = fsi_posix_read_mapped(st, posix_fd(st, file), buf, len, off);
    if (n >= 0)
        return n;
    do
        n = pread(posix_fd(st, file), buf, len, (off_t)off);
    while (n < 0 && errno == EINTR);
    return n < 0 ? posix_fail() : n;
}

int64_t fsi_posix_write(struct fsif_store *st, uint64_t file, const void *buf, uint32_t len,
                        uint64_t off, uint32_t flags)
{
    const int end = off == FSIF_STORE_END;
    const int how = ((flags & FSIF_WRITE_DSYNC) != 0 ? RWF_DSYNC : 0) | (end ? RWF_APPEND : 0);
    const struct iovec piece = {.iov_base = (void *)(uintptr_t)buf, .iov_len = len};
    int err = fsi_posix_before_change(st, file, end ? 0 : off);
    ssize_t n;

    if (err != 0)
        return err;
    do
        n = how == 0 ? pwrite(posix_fd(st, file), buf, len, (off_t)off)
                     : pwritev2(posix_fd(st, file), &piece, 1, end ? 0 : (off_t)off, how);
    while (n < 0 && errno == EINTR);
    return n < 0 ? posix_fail() : n;
}

static int sync_once(int fd, uint32_t flags)
{
    if ((flags & FSIF_SYNC_FS) != 0)
        return syncfs(fd);
    return (flags & FSIF_SYNC_DATA) != 0 ? fdatasync(fd) : fsync(fd);
}

int fsi_posix_sync(struct fsif_store *st, uint64_t file, uint32_t flags)
{
    while (sync_once(posix_fd(st, file), flags) != 0)
        if (errno != EINTR)
            return posix_fail();
    return 0;
}
