/* SPDX-License-Identifier: MIT */
/*
 * One packet of the handshake. The kernel hands over descriptors before anybody has looked at the
 * bytes that came with them, so whatever is wrong with a packet, its descriptors are found and
 * closed first.
 */
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fsif/error.h>

#include "internal.h"

union control {
    char bytes[CMSG_SPACE(sizeof(int) * SHM_PACKET_FDS)];
    struct cmsghdr align;
};

void fsi_shm_close_fds(const int *fds, size_t nfds)
{
    for (size_t i = 0; i < nfds; i++)
        close(fds[i]);
}

int fsi_shm_send(int sock, const struct fsif_dict *d, const int *fds, size_t nfds)
{
    struct iovec iov = {.iov_base = (void *)(uintptr_t)d->text, .iov_len = d->used};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    union control control;
    ssize_t n;

    if (nfds > 0) {
        struct cmsghdr *c;

        memset(&control, 0, sizeof(control));
        msg.msg_control = control.bytes;
        msg.msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
        c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * nfds);
        memcpy(CMSG_DATA(c), fds, sizeof(int) * nfds);
    }
    do {
        n = sendmsg(sock, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? fsi_shm_last_error() : 0;
}

/* Collect every descriptor of a message. The control buffer has room for no more than fit. */
static size_t take_fds(struct msghdr *msg, int *fds)
{
    size_t n = 0;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        size_t bytes;

        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        bytes = c->cmsg_len - CMSG_LEN(0);
        for (size_t i = 0; i < bytes / sizeof(int) && n < SHM_PACKET_FDS; i++)
            memcpy(&fds[n++], CMSG_DATA(c) + i * sizeof(int), sizeof(int));
    }
    return n;
}

int fsi_shm_receive(int sock, struct fsif_dict *d, int *fds, size_t *nfds)
{
    char bytes[FSIF_DICT_MAX];
    union control control;
    struct iovec iov = {.iov_base = bytes, .iov_len = sizeof(bytes)};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control.bytes,
                         .msg_controllen = sizeof(control.bytes)};
    ssize_t n;
    int ret;

    *nfds = 0;
    do {
        n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return fsi_shm_last_error();
    *nfds = take_fds(&msg, fds);
    if (n == 0)
        ret = -FSIF_EPIPE;
    else if (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
        ret = -FSIF_EPROTO;
    else
        ret = fsif_dict_parse(d, bytes, (size_t)n) ? -FSIF_EPROTO : 0;
    if (ret) {
        fsi_shm_close_fds(fds, *nfds);
        *nfds = 0;
    }
    return ret;
}
