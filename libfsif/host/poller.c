/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/epoll.h>

#include <fsif/host.h>

int fsif_poller_create(void)
{
    int fd = epoll_create1(EPOLL_CLOEXEC);

    return fd < 0 ? -fsif_errno_from_host(errno) : fd;
}

int fsif_poller_add(int poller, int fd, uint32_t bit, int edge)
{
    struct epoll_event event = {.events = EPOLLIN | (edge ? EPOLLET : 0u), .data.u32 = bit};

    return epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) != 0 ? -fsif_errno_from_host(errno) : 0;
}

void fsif_poller_remove(int poller, int fd)
{
    (void)epoll_ctl(poller, EPOLL_CTL_DEL, fd, NULL);
}

int fsif_poller_wait(int poller, int timeout_ms)
{
    struct epoll_event events[FSIF_POLLER_FDS];
    int n = epoll_wait(poller, events, FSIF_POLLER_FDS, timeout_ms);
    int bits = 0;

    if (n < 0)
        return errno == EINTR ? 0 : -fsif_errno_from_host(errno);
    for (int i = 0; i < n; i++)
        bits |= (int)events[i].data.u32;
    return bits;
}
