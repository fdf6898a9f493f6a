/* SPDX-License-Identifier: MIT */
#include "stress.h"

#include <poll.h>

#include <fsif/host.h>
#include <fsif/loop.h>

static void finished(struct fsif_call *call)
{
    struct pending *p = call->arg;

    atomic_fetch_add(&p->queue->ended, 1);
    atomic_fetch_add(&p->runs, 1);
}

/* Take responses, and ask for a bell if there are none. Returns 1 if there may be more. */
static int poll_and_arm(struct queue *q)
{
    int again = 1;

    if (pthread_mutex_trylock(&q->polling))
        return 0;
    CHECK(fsif_frontend_poll(&q->fe) >= 0);
    again = fsif_frontend_arm(&q->fe);
    pthread_mutex_unlock(&q->polling);
    return again;
}

/* Any thread that waits polls; whoever finds another one polling sleeps on the same bell. */
int64_t queue_wait(struct pending *p)
{
    struct queue *q = p->queue;
    int fd = fsif_transport_loop.event_fd(q->front_session, q->number);

    while (!atomic_load(&p->runs)) {
        if (poll_and_arm(q) || atomic_load(&p->runs))
            continue;
        /* Another thread may take this one's bell, so the sleep is short. */
        (void)fsif_wait_fd(fd, POLLIN, 1);
        fsif_transport_loop.acknowledge(q->front_session, q->number);
    }
    CHECK(atomic_load(&p->runs) == 1);
    return p->call.result.value;
}

void queue_make_room(struct queue *q)
{
    struct queue *at = q;

    do {
        (void)poll_and_arm(at);
        at = at->next;
    } while (at != q);
}

void queue_submit(struct queue *q, struct pending *p)
{
    int err;

    atomic_store(&p->runs, 0);
    p->call.done = finished;
    p->call.arg = p;
    p->queue = q;
    while ((err = fsif_frontend_submit(&q->fe, &p->call)) == -FSIF_EAGAIN)
        queue_make_room(q);
    CHECK(err == 0);
    atomic_fetch_add(&q->started, 1);
}

int64_t queue_run(struct queue *q, const struct fsif_op *op)
{
    struct pending p = {.call = {.op = *op, .deadline = FSIF_NEVER}};

    queue_submit(q, &p);
    return queue_wait(&p);
}

void queue_run_early(struct queue *q, const struct fsif_op *op, int expire)
{
    struct pending p = {.call = {.op = *op, .deadline = expire ? 1 : FSIF_NEVER}};
    uint64_t next;
    int64_t value;

    queue_submit(q, &p);
    if (expire)
        (void)fsif_frontend_expire(&q->fe, 1, &next);
    else
        (void)fsif_frontend_cancel(&q->fe, &p.call);
    value = queue_wait(&p);
    if (value == -FSIF_ECANCELED || value == -FSIF_ETIMEDOUT)
        atomic_fetch_add(&q->early, 1);
}

/* Fetch under a lock, carry out without one. Returns 0 when there is nothing to do. */
static int serve_one(struct queue *q, struct fsif_fetched *rq)
{
    int got;

    pthread_mutex_lock(&q->fetching);
    got = fsif_backend_fetch(&q->be, rq);
    if (!got)
        got = fsif_backend_arm(&q->be) ? 2 : 0;
    pthread_mutex_unlock(&q->fetching);
    CHECK(got >= 0);
    if (got == 1) {
        fsif_backend_execute(&q->be, rq);
        fsif_backend_flush(&q->be);
    }
    return got;
}

void *queue_server(void *arg)
{
    struct queue *q = arg;
    struct fsif_fetched *rq = malloc(sizeof(*rq));

    CHECK(rq);
    while (!atomic_load(&q->stop)) {
        if (serve_one(q, rq))
            continue;
        (void)fsif_wait_fd(fsif_transport_loop.event_fd(q->back_session, q->number), POLLIN, 1);
        fsif_transport_loop.acknowledge(q->back_session, q->number);
    }
    free(rq);
    return NULL;
}

void queue_settle(struct queue *q)
{
    while (fsif_frontend_quarantined(&q->fe) || fsif_backend_busy(&q->be))
        CHECK(fsif_frontend_poll(&q->fe) >= 0);
    CHECK(atomic_load(&q->started) == atomic_load(&q->ended));
}
