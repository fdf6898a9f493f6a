/* SPDX-License-Identifier: MIT */
/*
 * Bells are eventfds, non-blocking. Both sides hold both of them, and O_NONBLOCK belongs to the
 * open file and not to the descriptor, so a hostile peer can clear it. Then
 *  - a read could wait: RWF_NOWAIT forbids that whatever the flag says;
 *  - a write could wait if the peer had also filled the counter, which takes nobody but the peer:
 *    eventfd has no RWF_NOWAIT for writing, so the counter is polled first, for some 0.1 us.
 * What is left is a peer that fills the counter between that poll and the write, with O_NONBLOCK
 * cleared: it can stop one thread of its own session until somebody reads the bell, or a signal
 * comes. The backend serves each session in a process of its own, has a signal ready for the one
 * thread there that must not be stopped, and may kill it; a frontend trusts its backend with its
 * files in any case.
 */
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include <fsif/host.h>

#include "internal.h"

int fsi_shm_bell_create(void)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    return fd < 0 ? fsi_shm_last_error() : fd;
}

/* "/proc/self/fdinfo/N" without printf, which a library has no other use for. */
static void fdinfo_path(char *path, int fd)
{
    char digits[12];
    size_t i = sizeof(digits);

    digits[--i] = '\0';
    do {
        digits[--i] = (char)('0' + fd % 10);
        fd /= 10;
    } while (fd > 0);
    strcpy(path, "/proc/self/fdinfo/");
    strcat(path, digits + i);
}

/* 1: an eventfd, 0: something else, -1: /proc does not say */
static int is_eventfd(int fd)
{
    char path[48], text[1024];
    ssize_t n;
    int info;

    fdinfo_path(path, fd);
    info = open(path, O_RDONLY | O_CLOEXEC);
    if (info < 0)
        return -1;
    do {
        n = read(info, text, sizeof(text) - 1);
    } while (n < 0 && errno == EINTR);
    close(info);
    if (n <= 0)
        return -1;
    text[n] = '\0';
    return strstr(text, "\neventfd-count:") != NULL;
}

int fsi_shm_bell_check(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || (flags & O_ACCMODE) != O_RDWR || !(flags & O_NONBLOCK))
        return -FSIF_EPROTO;
    return is_eventfd(fd) == 0 ? -FSIF_EPROTO : 0;
}

int fsi_shm_queues(const struct fsif_dict *d, uint32_t max, uint32_t *out)
{
    int ret = fsif_dict_get_u32(d, "queues", 1, max, out);

    if (ret == -FSIF_ENOENT)
        *out = 1;
    return ret && ret != -FSIF_ENOENT ? -FSIF_EPROTO : 0;
}

/* Whether a write to @fd would not wait now. Returns 1, 0 or a negative FSIF_E* */
static int has_room(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    int ready;

    do {
        ready = poll(&p, 1, 0);
    } while (ready < 0 && errno == EINTR);
    return ready < 0 ? fsi_shm_last_error() : (p.revents & POLLOUT) != 0;
}

int fsi_shm_bell_ring(int fd)
{
    const uint64_t one = 1;
    ssize_t n = -1;
    int room;

    do {
        room = has_room(fd);
        /* A counter that is full is a bell that rings already. */
        if (room <= 0)
            return room;
        n = write(fd, &one, sizeof(one));
    } while (n < 0 && errno == EINTR);
    return n < 0 && errno != EAGAIN ? fsi_shm_last_error() : 0;
}

void fsi_shm_bell_clear(int fd)
{
    uint64_t count;
    struct iovec iov = {.iov_base = &count, .iov_len = sizeof(count)};
    ssize_t n;

    do {
        n = preadv2(fd, &iov, 1, -1, RWF_NOWAIT);
    } while (n < 0 && errno == EINTR);
    if (n >= 0 || (errno != EOPNOTSUPP && errno != ENOSYS))
        return;
    /* A kernel before 5.8. */
    if (fsif_wait_fd(fd, POLLIN, 0) > 0 && read(fd, &count, sizeof(count)) < 0)
        return; /* another thread took it */
}
