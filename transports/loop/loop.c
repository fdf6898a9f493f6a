/* SPDX-License-Identifier: MIT */
/*
 * The exchange of offers and answers, the bells, and the vtable.
 *
 *             session_offer        next_offer        session_answer        (offer returns)
 *     IDLE -------------> OFFERED -----------> TAKEN --------------> ANSWERED ----------> IDLE
 *                            |                   |
 *                            +--- time-out ------+---> BROKEN
 *
 * exchange, closed, bells, offer and answer are guarded by lock; cond tells of every change.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <fsif/host.h>

#include "pair.h"

void fsi_loop_signal(int fd)
{
    int ret;

    do {
        ret = eventfd_write(fd, 1);
    } while (ret != 0 && errno == EINTR);
}

static void drain(int fd)
{
    eventfd_t count;
    int ret;

    do {
        ret = eventfd_read(fd, &count);
    } while (ret != 0 && errno == EINTR);
}

static int loop_session_import(const int *fds, size_t nfds, const void *blob, size_t len,
                               struct fsif_session **out)
{
    (void)blob;
    (void)len;
    (void)out;
    for (size_t i = 0; i < nfds; i++)
        close(fds[i]);
    return -FSIF_EOPNOTSUPP;
}

static int loop_connect(const char *address, int timeout_ms, struct fsif_session **out)
{
    (void)address;
    (void)timeout_ms;
    (void)out;
    return -FSIF_EOPNOTSUPP;
}

static int loop_next_offer(struct fsif_session *s, struct fsif_dict *offer)
{
    struct loop_pair *p = s->pair;
    int ret = -FSIF_EAGAIN;

    if (s->side != LOOP_BACKEND)
        return -FSIF_EINVAL;
    pthread_mutex_lock(&p->lock);
    drain(p->changed_fd[s->side]);
    if (p->closed[LOOP_FRONTEND]) {
        /* That the peer is gone stays readable. */
        fsi_loop_signal(p->changed_fd[s->side]);
        ret = -FSIF_EPIPE;
    } else if (p->exchange == LOOP_OFFERED) {
        *offer = p->offer;
        p->exchange = LOOP_TAKEN;
        ret = 0;
    }
    pthread_mutex_unlock(&p->lock);
    return ret;
}

/* Whether an answer that says how many queues there are goes with this many bells. */
static int bells_valid(const struct fsif_dict *answer, int bells)
{
    uint32_t queues = 1;
    int ret = fsif_dict_get_u32(answer, "queues", 1, FSIF_QUEUES_MAX, &queues);

    return bells == 0 || ((!ret || ret == -FSIF_ENOENT) && bells == (int)queues);
}

static int loop_answer(struct fsif_session *s, const struct fsif_dict *answer, int bells)
{
    struct loop_pair *p = s->pair;
    int ret = 0;

    pthread_mutex_lock(&p->lock);
    if (s->side != LOOP_BACKEND || !bells_valid(answer, bells) ||
        (p->exchange != LOOP_TAKEN && p->exchange != LOOP_BROKEN))
        ret = -FSIF_EINVAL;
    else if (p->closed[LOOP_FRONTEND] || p->exchange == LOOP_BROKEN)
        ret = -FSIF_EPIPE;
    else
        ret = fsi_loop_open_bells(p, (uint32_t)bells);
    if (!ret) {
        p->answer = *answer;
        p->exchange = LOOP_ANSWERED;
        pthread_cond_broadcast(&p->cond);
    }
    pthread_mutex_unlock(&p->lock);
    return ret;
}

/* Wait until @p changed. Return 0 at the time-out. */
static int wait_change(struct loop_pair *p, int timeout_ms, const struct timespec *end)
{
    if (timeout_ms < 0)
        return pthread_cond_wait(&p->cond, &p->lock) == 0;
    return pthread_cond_timedwait(&p->cond, &p->lock, end) == 0;
}

static void deadline(int timeout_ms, struct timespec *end)
{
    clock_gettime(CLOCK_MONOTONIC, end);
    if (timeout_ms < 0)
        return;
    end->tv_sec += timeout_ms / 1000;
    end->tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (end->tv_nsec >= 1000000000) {
        end->tv_sec++;
        end->tv_nsec -= 1000000000;
    }
}

static int loop_offer(struct fsif_session *s, const struct fsif_dict *offer,
                      struct fsif_dict *answer, int timeout_ms)
{
    struct loop_pair *p = s->pair;
    struct timespec end;
    int in_time = 1;
    int ret = 0;

    if (s->side != LOOP_FRONTEND)
        return -FSIF_EINVAL;
    deadline(timeout_ms, &end);
    pthread_mutex_lock(&p->lock);
    if (p->exchange != LOOP_IDLE || p->closed[LOOP_BACKEND]) {
        ret = -FSIF_EPIPE;
        goto out;
    }
    p->offer = *offer;
    p->exchange = LOOP_OFFERED;
    fsi_loop_signal(p->changed_fd[LOOP_BACKEND]);
    while (p->exchange != LOOP_ANSWERED && !p->closed[LOOP_BACKEND] && in_time)
        in_time = wait_change(p, timeout_ms, &end);
    if (p->exchange == LOOP_ANSWERED) {
        *answer = p->answer;
        p->exchange = LOOP_IDLE;
    } else {
        ret = p->closed[LOOP_BACKEND] ? -FSIF_EPIPE : -FSIF_ETIMEDOUT;
        p->exchange = LOOP_BROKEN;
    }
out:
    pthread_mutex_unlock(&p->lock);
    return ret;
}

static int loop_notify(struct fsif_session *s, uint32_t queue)
{
    struct loop_pair *p = s->pair;
    int ret = 0;

    pthread_mutex_lock(&p->lock);
    if (queue >= p->bells)
        ret = -FSIF_EINVAL;
    else if (p->closed[!s->side])
        ret = -FSIF_EPIPE;
    else
        fsi_loop_signal(p->bell_fd[queue][!s->side]);
    pthread_mutex_unlock(&p->lock);
    return ret;
}

static int loop_event_fd(struct fsif_session *s, uint32_t queue)
{
    struct loop_pair *p = s->pair;
    int fd;

    pthread_mutex_lock(&p->lock);
    fd = queue < p->bells ? p->bell_fd[queue][s->side] : -FSIF_EINVAL;
    pthread_mutex_unlock(&p->lock);
    return fd;
}

static void loop_acknowledge(struct fsif_session *s, uint32_t queue)
{
    int fd = loop_event_fd(s, queue);

    if (fd >= 0)
        drain(fd);
}

static int loop_peer_fd(struct fsif_session *s)
{
    return s->pair->changed_fd[s->side];
}

static int loop_peer_state(struct fsif_session *s)
{
    struct loop_pair *p = s->pair;
    int gone;

    pthread_mutex_lock(&p->lock);
    gone = p->closed[!s->side];
    pthread_mutex_unlock(&p->lock);
    return gone ? FSIF_PEER_GONE : FSIF_PEER_ALIVE;
}

const struct fsif_transport fsif_transport_loop = {
    .size = sizeof(struct fsif_transport),
    .abi = FSIF_TRANSPORT_ABI,
    .flags = FSIF_TRANSPORT_EDGES,
    .name = "loop",
    .session_import = loop_session_import,
    .session_next_offer = loop_next_offer,
    .session_accept_memory = fsi_loop_accept_memory,
    .session_answer = loop_answer,
    .map = fsi_loop_map,
    .unmap = fsi_loop_unmap,
    .copy_from = fsi_loop_copy_from,
    .copy_to = fsi_loop_copy_to,
    .lend = fsi_loop_lend,
    .connect = loop_connect,
    .share = fsi_loop_share,
    .session_offer = loop_offer,
    .notify = loop_notify,
    .event_fd = loop_event_fd,
    .acknowledge = loop_acknowledge,
    .peer_fd = loop_peer_fd,
    .peer_state = loop_peer_state,
    .close = fsi_loop_close,
};
