/* SPDX-License-Identifier: MIT */

/*
 * Locks. Their owner is the open file: ranges by the host's open file description locks, whole
 * files by flock(), and the two know nothing of each other. Both are seen by every process of the
 * host that uses the same calls, and go with the last close.
 */

#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>
#include "internal.h"

/* flock() has no way to ask. */
static int lock_whole(int fd, uint32_t flags, uint32_t mode)
{
    static const int modes[] = {[FSIF_LOCK_SHARED] = LOCK_SH,
                                [FSIF_LOCK_EXCLUSIVE] = LOCK_EX,
                                [FSIF_LOCK_UNLOCK] = LOCK_UN};

    if ((flags & FSIF_LOCK_TEST) != 0)
        return -FSIF_EINVAL;
    while (flock(fd, modes[mode] | LOCK_NB) != 0)
        if (errno != EINTR)
            return posix_fail();
    return 0;
}

static int lock_range(int fd, uint32_t flags, struct fsif_lock *lock)
{
    static const short modes[] = {[FSIF_LOCK_SHARED] = F_RDLCK,
                                  [FSIF_LOCK_EXCLUSIVE] = F_WRLCK,
                                  [FSIF_LOCK_UNLOCK] = F_UNLCK};
    const int test = (flags & FSIF_LOCK_TEST) != 0;
    struct flock range = {.l_type = modes[lock->mode],
                          .l_whence = SEEK_SET,
                          .l_start = (off_t)lock->offset,
                          .l_len = (off_t)lock->length};

    if (test && lock->mode == FSIF_LOCK_UNLOCK)
        return -FSIF_EINVAL;
    while (fcntl(fd, test ? F_OFD_GETLK : F_OFD_SETLK, &range) != 0) {
        if (errno == EACCES)
            return -FSIF_EAGAIN;
        if (errno != EINTR)
            return posix_fail();
    }
    if (!test)
        return 0;
    lock->mode = FSIF_LOCK_UNLOCK;
    if (range.l_type != F_UNLCK) {
        lock->mode = range.l_type == F_RDLCK ? FSIF_LOCK_SHARED : FSIF_LOCK_EXCLUSIVE;
        lock->offset = (uint64_t)range.l_start;
        lock->length = (uint64_t)range.l_len;
    }
    return 0;
}

int fsi_posix_lock(struct fsif_store *st, uint64_t file, uint32_t flags, struct fsif_lock *lock)
{
    const uint32_t known = FSIF_LOCK_WAIT | FSIF_LOCK_TEST | FSIF_LOCK_WHOLE;

    if (lock->mode < FSIF_LOCK_SHARED || lock->mode > FSIF_LOCK_UNLOCK || (flags & ~known) != 0)
        return -FSIF_EINVAL;
    if ((flags & FSIF_LOCK_WHOLE) != 0)
        return lock_whole(posix_fd(st, file), flags, lock->mode);
    if (lock->offset > INT64_MAX || lock->length > INT64_MAX)
        return -FSIF_EINVAL;
    return lock_range(posix_fd(st, file), flags, lock);
}
