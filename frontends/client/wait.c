/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "internal.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

/*
 * Waiting without a thread of our own: leader and followers.
 *
 *              nobody leads                     own counter moved, or time over
 *   arriving ---------------> LEADING ------------------------------------------> leaving
 *      |                         ^                                                   ^
 *      | somebody leads          | woken, nobody leads                               |
 *      +--------------------> FOLLOWING ---------------------------------------------+
 *
 * One waiter at a time has the poll role (cl->leader): it polls the ring, expires deadlines and
 * sleeps on the descriptors. The others sleep each on a condition variable of its own. Whoever
 * leaves while nobody leads wakes the oldest waiter, which then leads.
 *
 * Invariant: if a waiter exists, then somebody leads or a waiter has been signalled that will.
 *
 * cl->lock guards every field marked so in internal.h and every waiter. It is never held while the
 * engine runs, because done callbacks take it (fsi_wake). No wake-up of the leader is lost: it
 * publishes asleep_until under the lock in the same step in which it looks at its counter for the
 * last time, so that whoever completes its call afterwards sees it asleep and kicks. Before it asks
 * the engine for the earliest deadline it publishes FSIF_NEVER, so that every call that is
 * submitted meanwhile, and that the engine might not have counted, kicks as well.
 *
 * A dead session: the engine completes all calls, so every counter moves; until the thread that
 * ends the session has done so, the leader sleeps on the wake descriptor alone.
 */

void fsi_waiter_init(struct fsi_waiter *w, struct fsif_client *cl)
{
    w->cl = cl;
    w->done = 0;
    w->counter = NULL;
    w->following = 0;
    w->next = NULL;
    w->prev = NULL;
}

static void enlist(struct fsi_waiter *w)
{
    struct fsif_client *cl = w->cl;

    w->next = NULL;
    w->prev = cl->last;
    if (cl->last != NULL)
        cl->last->next = w;
    else
        cl->first = w;
    cl->last = w;
}

static void delist(struct fsi_waiter *w)
{
    struct fsif_client *cl = w->cl;

    if (w->prev != NULL)
        w->prev->next = w->next;
    else
        cl->first = w->next;
    if (w->next != NULL)
        w->next->prev = w->prev;
    else
        cl->last = w->prev;
}

void fsi_kick(struct fsif_client *cl)
{
    const uint64_t one = 1;
    ssize_t n;

    do {
        n = write(cl->wake_fd, &one, sizeof(one));
    } while (n < 0 && errno == EINTR);
}

static void drain(struct fsif_client *cl)
{
    uint64_t count;
    ssize_t n;

    do {
        n = read(cl->wake_fd, &count, sizeof(count));
    } while (n < 0 && errno == EINTR);
}

void fsi_wake(struct fsi_waiter *w)
{
    struct fsif_client *cl = w->cl;

    w->done++;
    if (cl->leader == w) {
        if (cl->asleep_until != 0)
            fsi_kick(cl);
    } else if (w->following) {
        pthread_cond_signal(&w->cond);
    }
}

void fsi_progress(struct fsif_client *cl)
{
    struct fsi_waiter *w;

    cl->progress++;
    for (w = cl->first; w != NULL; w = w->next) {
        if (w->following && w->counter == &cl->progress)
            pthread_cond_signal(&w->cond);
    }
}

void fsi_submitted(struct fsif_client *cl, uint64_t deadline)
{
    if (deadline == FSIF_NEVER)
        return;
    pthread_mutex_lock(&cl->lock);
    if (cl->asleep_until != 0 && deadline < cl->asleep_until)
        fsi_kick(cl);
    pthread_mutex_unlock(&cl->lock);
}

/* The backend is gone: what it still answered counts, the rest ends. */
static void end_session(struct fsif_client *cl)
{
    while (fsif_frontend_poll(&cl->fe) > 0) {
    }
    fsif_frontend_shutdown(&cl->fe, FSIF_POISON_TRANSPORT);
}

/* Sleep on the descriptors until @until. Return: 1 if there is a reason to look at the ring. */
static int sleep_on_fds(struct fsif_client *cl, uint64_t until)
{
    int dead = fsif_frontend_dead(&cl->fe);
    struct pollfd fds[3] = {
        {.fd = cl->wake_fd, .events = POLLIN},
        {.fd = dead ? -1 : cl->event_fd, .events = POLLIN},
        {.fd = dead ? -1 : cl->peer_fd, .events = POLLIN},
    };
    int timeout = fsi_left_ms(until);
    int n;

    /* A transport without a descriptor for its bell is looked at every millisecond. */
    if (!dead && cl->event_fd < 0 && timeout != 0)
        timeout = 1;
    n = poll(fds, 3, timeout);
    if (n <= 0)
        return cl->event_fd < 0;
    if (fds[0].revents != 0)
        drain(cl);
    if (fds[1].revents != 0)
        cl->transport->acknowledge(cl->session, 0);
    if (fds[2].revents != 0 && cl->transport->peer_state(cl->session) != FSIF_PEER_ALIVE)
        end_session(cl);
    return 1;
}

/* What the leader finds without sleeping. Return: callbacks run, 0 none, negative: dead. */
static int look(struct fsif_client *cl)
{
    int n;

    do {
        n = fsif_frontend_poll(&cl->fe);
    } while (n == 0 && fsif_frontend_arm(&cl->fe) != 0);
    return n;
}

/* The leader sleeps until @next and looks again. Lock held at entry and return. */
static int lead_asleep(struct fsif_client *cl, uint64_t next)
{
    int n = 0;
    int awake;

    cl->asleep_until = next == 0 ? 1 : next;
    pthread_mutex_unlock(&cl->lock);
    awake = sleep_on_fds(cl, next);
    if (awake)
        n = look(cl);
    pthread_mutex_lock(&cl->lock);
    if (awake)
        fsi_progress(cl);
    return n;
}

/*
 * One round of the leader: complete what there is, else sleep until something happens, *@counter is
 * not @seen, or @until. Lock held at entry and return. Return: callbacks run, negative: dead.
 */
static int lead_round(struct fsi_waiter *w, const uint32_t *counter, uint32_t seen, uint64_t until)
{
    struct fsif_client *cl = w->cl;
    uint64_t next;
    int expired;
    int n;

    pthread_mutex_unlock(&cl->lock);
    n = look(cl);
    pthread_mutex_lock(&cl->lock);
    if (n != 0)
        fsi_progress(cl);
    if (w->done != 0 && *counter != seen)
        return n;

    /* Also when there was something: a busy ring must not hold deadlines up. */
    cl->asleep_until = FSIF_NEVER;
    pthread_mutex_unlock(&cl->lock);
    expired = fsif_frontend_expire(&cl->fe, fsif_now_ms(), &next);
    if (until < next)
        next = until;
    pthread_mutex_lock(&cl->lock);
    if (expired > 0) {
        fsi_progress(cl);
        n = n < 0 ? n : n + expired;
    }
    if (n <= 0 && *counter == seen)
        n = lead_asleep(cl, next);
    cl->asleep_until = 0;
    return n;
}

static void take_role(struct fsi_waiter *w)
{
    w->cl->leader = w;
    w->cl->leader_thread = pthread_self();
}

/* Leave the waiters. Whoever leaves while nobody leads names a successor. */
static void depart(struct fsi_waiter *w)
{
    struct fsif_client *cl = w->cl;

    delist(w);
    if (cl->leader == w)
        cl->leader = NULL;
    if (cl->leader == NULL && cl->first != NULL)
        pthread_cond_signal(&cl->first->cond);
}

/* Nobody sleeps on the bell any more, and it may not be armed: an event loop must look anew. */
static void hand_to_loop(struct fsif_client *cl)
{
    if (cl->first == NULL && cl->poll_fd >= 0)
        fsi_kick(cl);
}

/* Sleep on the waiter's own condition. */
static void follow(struct fsi_waiter *w, uint64_t until)
{
    struct fsif_client *cl = w->cl;

    if (until == FSIF_NEVER) {
        pthread_cond_wait(&w->cond, &cl->lock);
    } else {
        struct timespec ts = {
            .tv_sec = (time_t)(until / 1000),
            .tv_nsec = (long)(until % 1000) * 1000000,
        };

        pthread_cond_timedwait(&w->cond, &cl->lock, &ts);
    }
}

static void follow_begin(struct fsi_waiter *w)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&w->cond, &attr);
    pthread_condattr_destroy(&attr);
    w->following = 1;
}

int fsi_wait(struct fsi_waiter *w, const uint32_t *counter, uint32_t seen, uint64_t until)
{
    struct fsif_client *cl = w->cl;
    int err = 0;

    if (*counter != seen)
        return 0;
    if (cl->leader != NULL && pthread_equal(cl->leader_thread, pthread_self()))
        return -FSIF_EDEADLK;
    w->counter = counter;
    enlist(w);
    while (*counter == seen) {
        if (until != FSIF_NEVER && fsif_now_ms() >= until) {
            err = -FSIF_ETIMEDOUT;
            break;
        }
        if (cl->leader == NULL)
            take_role(w);
        if (cl->leader == w) {
            lead_round(w, counter, seen, until);
        } else {
            if (!w->following)
                follow_begin(w);
            follow(w, until);
        }
    }
    depart(w);
    hand_to_loop(cl);
    if (w->following) {
        w->following = 0;
        pthread_cond_destroy(&w->cond);
    }
    return err;
}

int fsi_poll_once(struct fsi_waiter *w, uint64_t until)
{
    struct fsif_client *cl = w->cl;
    int n;

    if (cl->leader != NULL)
        return -FSIF_EBUSY;
    w->counter = &cl->progress;
    enlist(w);
    take_role(w);
    n = lead_round(w, &cl->progress, cl->progress, until);
    depart(w);
    if (n > 0)
        hand_to_loop(cl);
    return n;
}

int fsi_submit_wait(struct fsi_waiter *w, struct fsif_call *call)
{
    struct fsif_client *cl = w->cl;
    uint32_t seen;
    int err;

    for (;;) {
        pthread_mutex_lock(&cl->lock);
        seen = cl->progress;
        pthread_mutex_unlock(&cl->lock);
        err = fsif_frontend_submit(&cl->fe, call);
        if (err != -FSIF_EAGAIN)
            break;
        pthread_mutex_lock(&cl->lock);
        err = fsi_wait(w, &cl->progress, seen, call->deadline);
        pthread_mutex_unlock(&cl->lock);
        if (err < 0)
            return err;
    }
    if (err == 0)
        fsi_submitted(cl, call->deadline);
    return err;
}
