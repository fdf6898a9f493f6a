/* SPDX-License-Identifier: MIT */
/* The backend's half of the handshake. It runs before the peer has any export. */
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fsif/error.h>
#include <fsif/op.h>

#include "internal.h"

static int is_socket(int fd)
{
    int type = 0, domain = 0;
    socklen_t len = sizeof(int);

    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) != 0)
        return 0;
    len = sizeof(int);
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) != 0)
        return 0;
    return type == SOCK_SEQPACKET && domain == AF_UNIX;
}

int fsi_shm_import(const int *fds, size_t nfds, const void *blob, size_t len,
                   struct fsif_session **out)
{
    struct shm_blob b = {0};
    struct fsif_session *s;
    int ret = -FSIF_EINVAL;

    if (len == sizeof(b))
        memcpy(&b, blob, sizeof(b));
    if (nfds != 1 || b.magic != SHM_BLOB_MAGIC || b.version != SHM_BLOB_VERSION ||
        !is_socket(fds[0]))
        goto out;
    ret = -FSIF_ENOMEM;
    s = fsi_shm_session_new(SHM_BACKEND, fds[0]);
    if (!s)
        goto out;
    *out = s;
    return 0;
out:
    fsi_shm_close_fds(fds, nfds);
    return ret;
}

static void drop_memfd(struct fsif_session *s)
{
    if (s->memfd >= 0)
        close(s->memfd);
    s->memfd = -1;
}

int fsi_shm_next_offer(struct fsif_session *s, struct fsif_dict *offer)
{
    int fds[SHM_PACKET_FDS];
    size_t nfds;
    int ret;

    if (s->role != SHM_BACKEND)
        return -FSIF_EINVAL;
    ret = fsi_shm_receive(s->sock, offer, fds, &nfds);
    if (ret)
        return ret;
    /* Once a session runs, a packet is a breach of the protocol. */
    if (nfds > 1 || s->queues > 0) {
        fsi_shm_close_fds(fds, nfds);
        return -FSIF_EPROTO;
    }
    drop_memfd(s);
    if (nfds == 1)
        s->memfd = fds[0];
    return 0;
}

int fsi_shm_accept_memory(struct fsif_session *s, const struct fsif_dict *offer, uint32_t max_pages)
{
    unsigned char *mem;
    uint32_t pages;
    int ret;

    if (s->role != SHM_BACKEND || s->queues > 0)
        return -FSIF_EINVAL;
    ret = -FSIF_EPROTO;
    if (s->memfd < 0 || fsif_dict_get_u32(offer, "pages", 1, UINT32_MAX, &pages) != 0)
        goto out;
    ret = -FSIF_E2BIG;
    if (pages > max_pages)
        goto out;
    ret = fsi_shm_check_memory(s->memfd, pages);
    if (ret)
        goto out;
    ret = fsi_shm_map_all(s->memfd, pages, &mem);
    if (ret)
        goto out;
    /* An earlier offer of this connection may have been refused after its memory was taken. */
    if (s->mem)
        munmap(s->mem, (size_t)s->npages * FSIF_PAGE_SIZE);
    s->mem = mem;
    s->npages = pages;
out:
    drop_memfd(s);
    return ret;
}

/* @n new bells. Return: 0; -FSIF_E* and none */
static int make_bells(int *fds, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        fds[i] = fsi_shm_bell_create();
        if (fds[i] < 0) {
            fsi_shm_close_fds(fds, i);
            return fds[i];
        }
    }
    return 0;
}

/* A peer that takes no answers is as good as gone. */
static int send_answer(struct fsif_session *s, const struct fsif_dict *answer, const int *fds,
                       size_t nfds)
{
    int ret = fsi_shm_send(s->sock, answer, fds, nfds);

    return ret == -FSIF_EAGAIN ? -FSIF_EPIPE : ret;
}

int fsi_shm_answer(struct fsif_session *s, const struct fsif_dict *answer, int bells)
{
    int fds[SHM_PACKET_FDS];
    uint32_t queues;
    size_t nfds;
    int ret;

    if (s->role != SHM_BACKEND || s->queues > 0)
        return -FSIF_EINVAL;
    if (!bells)
        return send_answer(s, answer, NULL, 0);
    if (fsi_shm_queues(answer, FSIF_QUEUES_MAX, &queues) || bells != (int)queues)
        return -FSIF_EINVAL;
    nfds = 2 * (size_t)queues;
    ret = make_bells(fds, nfds);
    if (ret)
        return ret;
    ret = send_answer(s, answer, fds, nfds);
    if (ret) {
        fsi_shm_close_fds(fds, nfds);
        return ret;
    }
    for (uint32_t q = 0; q < queues; q++)
        s->bells[q] = (struct shm_bells){.wait_fd = fds[2 * q], .ring_fd = fds[2 * q + 1]};
    s->queues = queues;
    return 0;
}
