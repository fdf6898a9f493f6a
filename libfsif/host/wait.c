/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <poll.h>
#include <time.h>

#include <fsif/host.h>

uint64_t fsif_now_ms(void)
{
    struct timespec t = {0};

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000u + (uint64_t)t.tv_nsec / 1000000u;
}

int fsif_wait_fd(int fd, short events, int timeout_ms)
{
    uint64_t end = timeout_ms < 0 ? 0 : fsif_now_ms() + (uint64_t)timeout_ms;

    for (;;) {
        struct pollfd p = {.fd = fd, .events = events};
        int n = poll(&p, 1, timeout_ms);

        if (n > 0)
            return p.revents & POLLNVAL ? -FSIF_EBADF : p.revents;
        if (n == 0)
            return 0;
        if (errno != EINTR)
            return -fsif_errno_from_host(errno);
        if (timeout_ms > 0) {
            uint64_t now = fsif_now_ms();

            timeout_ms = now < end ? (int)(end - now) : 0;
        }
    }
}
