/* SPDX-License-Identifier: MIT */
/* The frontend's half of the handshake. */
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <fsif/host.h>
#include <fsif/op.h>

#include "internal.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

static int left_ms(uint64_t end, int timeout_ms)
{
    uint64_t now;

    if (timeout_ms < 0)
        return -1;
    now = fsif_now_ms();
    return now < end ? (int)(end - now) : 0;
}

/* A unix connect waits while the listener's backlog is full, as long as SO_SNDTIMEO says. */
static int connect_by(int sock, const struct sockaddr_un *a, uint64_t end, int timeout_ms)
{
    for (;;) {
        int left = left_ms(end, timeout_ms);
        struct timeval tv = {.tv_sec = left < 0 ? 0 : left / 1000,
                             .tv_usec = left < 0 ? 0 : (left % 1000) * 1000};

        /* 0 means no limit, so the shortest wait is 1 ms. */
        if (left == 0)
            tv.tv_usec = 1000;
        if (setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)) != 0)
            return fsi_shm_last_error();
        if (connect(sock, (const struct sockaddr *)a, sizeof(*a)) == 0)
            return 0;
        if (errno == EAGAIN)
            return -FSIF_ETIMEDOUT;
        if (errno == EPROTOTYPE)
            return -FSIF_ECONNREFUSED;
        if (errno != EINTR)
            return fsi_shm_last_error();
    }
}

int fsi_shm_connect(const char *address, int timeout_ms, struct fsif_session **out)
{
    uint64_t end = timeout_ms < 0 ? 0 : fsif_now_ms() + (uint64_t)timeout_ms;
    struct sockaddr_un a;
    struct fsif_session *s;
    int sock;
    int ret = fsif_socket_address(address, &a);

    if (ret)
        return ret;
    sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (sock < 0)
        return fsi_shm_last_error();
    ret = connect_by(sock, &a, end, timeout_ms);
    if (ret)
        goto out;
    ret = -FSIF_ENOMEM;
    s = fsi_shm_session_new(SHM_FRONTEND, sock);
    if (!s)
        goto out;
    *out = s;
    return 0;
out:
    close(sock);
    return ret;
}

static int sealed_memory(size_t size)
{
    const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    int fd = memfd_create("fsif", flags | MFD_NOEXEC_SEAL);
    int ret;

    if (fd < 0 && errno == EINVAL)
        fd = memfd_create("fsif", flags);
    if (fd < 0)
        return fsi_shm_last_error();
    if (ftruncate(fd, (off_t)size) == 0 &&
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
        return fd;
    ret = fsi_shm_last_error();
    close(fd);
    return ret;
}

int fsi_shm_share(struct fsif_session *s, uint32_t n, void **mem, uint32_t *grefs)
{
    size_t size = (size_t)n * FSIF_PAGE_SIZE;
    int fd;
    int ret;

    if (s->role != SHM_FRONTEND || s->mem || n == 0 || size / FSIF_PAGE_SIZE != n)
        return -FSIF_EINVAL;
    fd = sealed_memory(size);
    if (fd < 0)
        return fd;
    ret = fsi_shm_map_all(fd, n, &s->mem);
    if (ret) {
        close(fd);
        return ret;
    }
    s->memfd = fd;
    s->npages = n;
    for (uint32_t i = 0; i < n; i++)
        grefs[i] = i;
    *mem = s->mem;
    return 0;
}

static int send_offer(struct fsif_session *s, const struct fsif_dict *offer, int with_memory,
                      uint64_t end, int timeout_ms)
{
    for (;;) {
        int ret = fsi_shm_send(s->sock, offer, &s->memfd, with_memory ? 1 : 0);

        if (ret != -FSIF_EAGAIN)
            return ret;
        ret = fsif_wait_fd(s->sock, POLLOUT, left_ms(end, timeout_ms));
        if (ret <= 0)
            return ret ? ret : -FSIF_ETIMEDOUT;
    }
}

static int receive_answer(struct fsif_session *s, struct fsif_dict *answer, int *fds, size_t *nfds,
                          uint64_t end, int timeout_ms)
{
    for (;;) {
        int ret = fsi_shm_receive(s->sock, answer, fds, nfds);

        if (ret != -FSIF_EAGAIN)
            return ret;
        ret = fsif_wait_fd(s->sock, POLLIN, left_ms(end, timeout_ms));
        if (ret <= 0)
            return ret ? ret : -FSIF_ETIMEDOUT;
    }
}

/* Bells come with the answer that starts a session, two for each queue, and with no other.
 * @offered: the queues that the answer may choose at most; 0: the offer was for no session */
static int take_bells(struct fsif_session *s, const struct fsif_dict *answer, uint32_t offered,
                      const int *fds, size_t nfds)
{
    uint32_t status, queues = 0;

    if (fsif_dict_get_u32(answer, "status", 0, FSIF_MAX_ERRNO, &status) != 0)
        return -FSIF_EPROTO;
    if (offered > 0 && status == 0 && fsi_shm_queues(answer, offered, &queues))
        return -FSIF_EPROTO;
    if (nfds != 2 * (size_t)queues)
        return -FSIF_EPROTO;
    if (queues == 0)
        return 0;
    for (size_t i = 0; i < nfds; i++) {
        if (fsi_shm_bell_check(fds[i]))
            return -FSIF_EPROTO;
    }
    for (uint32_t q = 0; q < queues; q++)
        s->bells[q] = (struct shm_bells){.ring_fd = fds[2 * q], .wait_fd = fds[2 * q + 1]};
    s->queues = queues;
    close(s->memfd);
    s->memfd = -1;
    return 0;
}

static int is_session(const struct fsif_dict *offer)
{
    char request[16];

    return fsif_dict_get(offer, "request", request, sizeof(request)) > 0 &&
           strcmp(request, "session") == 0;
}

int fsi_shm_offer(struct fsif_session *s, const struct fsif_dict *offer, struct fsif_dict *answer,
                  int timeout_ms)
{
    uint64_t end = timeout_ms < 0 ? 0 : fsif_now_ms() + (uint64_t)timeout_ms;
    int fds[SHM_PACKET_FDS];
    uint32_t queues = 0;
    size_t nfds = 0;
    int ret;

    if (s->role != SHM_FRONTEND || s->queues > 0)
        return -FSIF_EINVAL;
    if (s->broken)
        return -FSIF_EPIPE;
    if (is_session(offer) && (s->memfd < 0 || fsi_shm_queues(offer, FSIF_QUEUES_MAX, &queues) != 0))
        return -FSIF_EINVAL;
    ret = send_offer(s, offer, queues > 0, end, timeout_ms);
    if (!ret)
        ret = receive_answer(s, answer, fds, &nfds, end, timeout_ms);
    if (!ret) {
        ret = take_bells(s, answer, queues, fds, nfds);
        if (ret)
            fsi_shm_close_fds(fds, nfds);
    }
    /* An answer that comes after all would be taken for the next offer's. */
    if (ret)
        s->broken = 1;
    return ret;
}
