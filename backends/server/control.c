/* SPDX-License-Identifier: MIT */
#include "control.h"

#include <errno.h>
#include <fsif/host.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Room for more descriptors than are welcome, so that none gets lost unclosed. */
#define SPARE_FDS 4

const char *fsi_end_text(int code)
{
    switch (code) {
    case FSI_END_OK:
        return "the peer closed the session";
    case FSI_END_HANDSHAKE:
        return "the peer broke the rules of the handshake";
    case FSI_END_TIMEOUT:
        return "the peer did not start its session in time";
    case FSI_END_REFUSED:
        return "a limit of sessions was reached";
    case FSI_END_POISONED:
        return "the peer broke the protocol";
    case FSI_END_STORE:
        return "the store did not open";
    case FSI_END_FAILED:
        return "the worker failed";
    case FSI_END_CONTROL:
        return "the control channel failed";
    default:
        return "the worker ended in an unknown way";
    }
}

int fsi_control_pair(int fds[2])
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
        return -fsif_errno_from_host(errno);
    return 0;
}

int fsi_control_send(int sock, const struct fsif_dict *message, int fd)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } room;
    struct iovec iov = {(void *)message->text, message->used};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    ssize_t n;

    if (fd >= 0) {
        memset(&room, 0, sizeof(room));
        msg.msg_control = room.bytes;
        msg.msg_controllen = sizeof(room.bytes);
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &fd, sizeof(int));
    }
    do {
        n = sendmsg(sock, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n >= 0)
        return 0;
    if (errno == EAGAIN || errno == ENOBUFS)
        return -FSIF_EAGAIN;
    return errno == ECONNRESET || errno == ENOTCONN ? -FSIF_EPIPE : -fsif_errno_from_host(errno);
}

/* Keep the one descriptor that is welcome. Returns the number that came. */
static unsigned take_fds(struct msghdr *msg, int *fd)
{
    unsigned count = 0;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++, count++) {
            int one;
            memcpy(&one, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
            if (fd && *fd < 0)
                *fd = one;
            else
                close(one);
        }
    }
    return count;
}

int fsi_control_receive(int sock, struct fsif_dict *message, int *fd)
{
    char bytes[FSIF_DICT_MAX];
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(SPARE_FDS * sizeof(int))];
    } room;
    struct iovec iov = {bytes, sizeof(bytes)};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = room.bytes,
                         .msg_controllen = sizeof(room.bytes)};
    unsigned count;
    ssize_t n;

    if (fd)
        *fd = -1;
    do {
        n = recvmsg(sock, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN)
        return -FSIF_EAGAIN;
    if (n < 0 && errno != ECONNRESET)
        return -fsif_errno_from_host(errno);
    if (n <= 0)
        return -FSIF_EPIPE;
    count = take_fds(&msg, fd);
    if (count > (fd ? 1u : 0u) || (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) ||
        fsif_dict_parse(message, bytes, (size_t)n)) {
        if (fd && *fd >= 0) {
            close(*fd);
            *fd = -1;
        }
        return -FSIF_EPROTO;
    }
    return 0;
}
