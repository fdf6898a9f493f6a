/* SPDX-License-Identifier: MIT */

/* Ranges of files: space, holes, copies. */

#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>
#include "internal.h"

/* A copy is answered piece by piece, so that nobody waits for a terabyte. */
#define COPY_MAX (64u << 20)
#define COPY_MAX_BY_HAND (4u << 20)

enum { COPY_BUFFER = 128 << 10 };

int fsi_posix_allocate(struct fsif_store *st, uint64_t file, uint32_t flags, uint64_t off,
                       uint64_t len)
{
    const uint32_t known = FSIF_ALLOCATE_KEEP_SIZE | FSIF_ALLOCATE_PUNCH | FSIF_ALLOCATE_ZERO;
    const uint32_t both = FSIF_ALLOCATE_PUNCH | FSIF_ALLOCATE_ZERO;
    int how = 0;
    int err = fsi_posix_before_change(st, file, off);

    if (err != 0)
        return err;
    if ((flags & ~known) != 0 || (flags & both) == both || len > INT64_MAX ||
        (flags & (FSIF_ALLOCATE_PUNCH | FSIF_ALLOCATE_KEEP_SIZE)) == FSIF_ALLOCATE_PUNCH)
        return -FSIF_EINVAL;
    how |= (flags & FSIF_ALLOCATE_KEEP_SIZE) != 0 ? FALLOC_FL_KEEP_SIZE : 0;
    how |= (flags & FSIF_ALLOCATE_PUNCH) != 0 ? FALLOC_FL_PUNCH_HOLE : 0;
    how |= (flags & FSIF_ALLOCATE_ZERO) != 0 ? FALLOC_FL_ZERO_RANGE : 0;
    while (fallocate(posix_fd(st, file), how, (off_t)off, (off_t)len) != 0)
        if (errno != EINTR)
            return posix_fail();
    return 0;
}

int64_t fsi_posix_seek(struct fsif_store *st, uint64_t file, uint64_t off, uint32_t flags)
{
    off_t at;

    if ((flags & ~FSIF_SEEK_HOLE) != 0 || (file & POSIX_FILE_DIR) != 0)
        return -FSIF_EINVAL; /* a directory's position belongs to its listing */
    if (off > INT64_MAX)
        return -FSIF_ENXIO;
    at = lseek(posix_fd(st, file), (off_t)off, flags == FSIF_SEEK_HOLE ? SEEK_HOLE : SEEK_DATA);
    return at < 0 ? posix_fail() : at;
}

/* Where the kernel does not copy between these two. Returns bytes, or a negative FSIF_E* if it is
 * not even one. */
static int64_t copy_by_hand(int from, off_t off, int to, off_t off2, size_t len)
{
    char *buf = malloc(COPY_BUFFER);
    size_t done = 0;
    int64_t err = 0;

    if (buf == NULL)
        return -FSIF_ENOMEM;
    while (err == 0 && done < len) {
        size_t want = len - done < COPY_BUFFER ? len - done : COPY_BUFFER;
        ssize_t got = pread(from, buf, want, off + (off_t)done);
        ssize_t put = got > 0 ? pwrite(to, buf, (size_t)got, off2 + (off_t)done) : got;
        if (put < 0 && errno != EINTR)
            err = posix_fail();
        if (put > 0)
            done += (size_t)put;
        if (got == 0)
            break;
    }
    free(buf);
    return done > 0 ? (int64_t)done : err;
}

static int kernel_cannot(int err)
{
    return err == EXDEV || err == ENOSYS || err == EOPNOTSUPP;
}

int64_t fsi_posix_copy_range(struct fsif_store *st, uint64_t file, uint64_t off, uint64_t file2,
                             uint64_t off2, uint64_t len)
{
    const size_t most = len < COPY_MAX ? (size_t)len : COPY_MAX;
    int from = posix_fd(st, file), to = posix_fd(st, file2);
    off_t at, at2;
    ssize_t n;
    int err = fsi_posix_before_change(st, file2, off2);

    if (err != 0)
        return err;
    if (off > INT64_MAX || len > INT64_MAX)
        return -FSIF_EINVAL;
    do {
        at = (off_t)off;
        at2 = (off_t)off2;
        n = copy_file_range(from, &at, to, &at2, most, 0);
    } while (n < 0 && errno == EINTR);
    if (n >= 0 || !kernel_cannot(errno))
        return n < 0 ? posix_fail() : n;
    return copy_by_hand(from, (off_t)off, to, (off_t)off2,
                        most < COPY_MAX_BY_HAND ? most : COPY_MAX_BY_HAND);
}
