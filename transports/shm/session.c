/* SPDX-License-Identifier: MIT */
/* What both roles of a session do. */
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fsif/host.h>
#include <fsif/op.h>

#include "internal.h"

int fsi_shm_last_error(void)
{
    return -fsif_errno_from_host(errno);
}

struct fsif_session *fsi_shm_session_new(int role, int sock)
{
    struct fsif_session *s = calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    s->role = role;
    s->sock = sock;
    s->memfd = -1;
    atomic_init(&s->gone, 0);
    return s;
}

int fsi_shm_notify(struct fsif_session *s, uint32_t queue)
{
    if (queue >= s->queues)
        return -FSIF_EINVAL;
    if (atomic_load(&s->gone))
        return -FSIF_EPIPE;
    return fsi_shm_bell_ring(s->bells[queue].ring_fd);
}

int fsi_shm_event_fd(struct fsif_session *s, uint32_t queue)
{
    return queue < s->queues ? s->bells[queue].wait_fd : -FSIF_EINVAL;
}

void fsi_shm_acknowledge(struct fsif_session *s, uint32_t queue)
{
    if (queue < s->queues)
        fsi_shm_bell_clear(s->bells[queue].wait_fd);
}

int fsi_shm_peer_fd(struct fsif_session *s)
{
    return s->sock;
}

/*
 * Only a backend that has not started a session may find a packet waiting: the next offer. At any
 * other time the protocol has none, and a peer that sends one has left it.
 */
int fsi_shm_peer_state(struct fsif_session *s)
{
    int may_send = s->role == SHM_BACKEND && s->queues == 0;
    char byte;
    ssize_t n;

    if (atomic_load(&s->gone))
        return FSIF_PEER_GONE;
    do {
        n = recv(s->sock, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if ((n < 0 && errno == EAGAIN) || (n > 0 && may_send))
        return FSIF_PEER_ALIVE;
    atomic_store(&s->gone, 1);
    return FSIF_PEER_GONE;
}

void fsi_shm_close(struct fsif_session *s)
{
    /* The peer learns of it even if another process still has a copy of the socket. */
    shutdown(s->sock, SHUT_RDWR);
    for (uint32_t q = 0; q < s->queues; q++) {
        close(s->bells[q].ring_fd);
        close(s->bells[q].wait_fd);
    }
    if (s->memfd >= 0)
        close(s->memfd);
    close(s->sock);
    if (s->mem)
        munmap(s->mem, (size_t)s->npages * FSIF_PAGE_SIZE);
    free(s);
}
