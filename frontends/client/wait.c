/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "internal.h"

#include <time.h>
#include "barrier.h"

/*
 * Waiting without a thread of our own: leader and followers, for each queue (lane).
 *
 *              nobody leads                     own counter moved, or time over
 *   arriving ---------------> LEADING ------------------------------------------> leaving
 *      |                         ^                                                   ^
 *      | somebody leads          | woken, nobody leads                               |
 *      +--------------------> FOLLOWING ---------------------------------------------+
 *
 * One waiter at a time has the poll role: it polls the ring, at first awake (fsif/spin.h), then it
 * expires deadlines and sleeps on the descriptors (lead.c). The others sleep each on a condition
 * variable of its own. lane->role says who:
 *
 *   0            nobody leads, nobody waits
 *   LED          a leader that is awake
 *   LED|WAITERS  a leader, and waiters in the list (one of which may be the leader itself)
 *   WAITERS      nobody leads: a waiter has been signalled, or is about to look
 *
 * A thread that finds 0 takes the role with one compare-and-swap, and if nobody came meanwhile
 * gives it back with another: a caller that is alone never takes the lock. Everything else happens
 * under lane->lock. Whoever leaves while nobody leads wakes the oldest waiter, which then leads.
 *
 * Invariant: if a waiter exists, then somebody leads or a waiter has been signalled that will.
 *
 * lane->lock guards the fields marked so in internal.h and every waiter but its `done`. It is never
 * held while the engine runs, because done callbacks take it (fsi_done). WAITERS and free ids are a
 * Dekker pair: who waits for an id sets the one and tries once more; the leader frees ids and then
 * looks whether somebody waits. Likewise cl->starved and the arena, which all queues share.
 */

#define LED 1u
#define WAITERS 2u

void fsi_waiter_init(struct fsi_waiter *w, struct fsi_lane *lane)
{
    w->lane = lane;
    fsi_store_relaxed(&w->done, 0);
    w->counter = NULL;
    w->following = 0;
    w->next = NULL;
    w->prev = NULL;
}

static void set_role(struct fsi_lane *lane, uint32_t set, uint32_t clear)
{
    uint32_t old;

    do {
        old = fsi_load_seq(&lane->role);
    } while (!fsi_cas(&lane->role, old, (old & ~clear) | set));
}

/* Lock held, as for all that follow until stated otherwise. */
static void enlist(struct fsi_waiter *w)
{
    struct fsi_lane *lane = w->lane;

    w->next = NULL;
    w->prev = lane->last;
    if (lane->last != NULL)
        lane->last->next = w;
    else
        lane->first = w;
    lane->last = w;
    set_role(lane, WAITERS, 0);
}

static void delist(struct fsi_waiter *w)
{
    struct fsi_lane *lane = w->lane;

    if (w->prev != NULL)
        w->prev->next = w->next;
    else
        lane->first = w->next;
    if (w->next != NULL)
        w->next->prev = w->prev;
    else
        lane->last = w->prev;
}

/* One that does not follow yet looks for itself before it does. */
static void name_successor(struct fsi_lane *lane)
{
    if (lane->first != NULL && lane->first->following && !(fsi_load_seq(&lane->role) & LED))
        pthread_cond_signal(&lane->first->cond);
}

/* Leave the waiters, and the role if @w has it. Whoever leaves while nobody leads names a
 * successor. */
static void depart(struct fsi_waiter *w, int leading)
{
    struct fsi_lane *lane = w->lane;

    delist(w);
    if (leading)
        lane->leader = NULL;
    set_role(lane, 0, (leading ? LED : 0) | (lane->first == NULL ? WAITERS : 0));
    name_successor(lane);
}

/* Nobody sleeps on the bell any more, and it may not be armed: an event loop must look anew. With
 * or without the lock. */
static void hand_to_loop(struct fsi_lane *lane)
{
    if (lane->number == 0 && fsi_load_seq(&lane->cl->looped) != 0 && fsi_load_seq(&lane->role) == 0)
        fsi_kick(lane);
}

/* --- without the lock ------------------------------------------------------------------------- */

void fsi_done(struct fsi_waiter *w)
{
    struct fsi_lane *lane = w->lane;
    int following;

    /* The leader completes a call of its own. */
    if (fsi_polling(lane) && lane->leader == w) {
        fsi_store_relaxed(&w->done, fsi_load_relaxed(&w->done) + 1);
        return;
    }
    /* One that does not follow may be gone as soon as it is done. */
    pthread_mutex_lock(&lane->lock);
    following = w->following;
    fsi_store_release(&w->done, fsi_load_relaxed(&w->done) + 1);
    if (following)
        pthread_cond_signal(&w->cond);
    else if (lane->sleeper == w)
        fsi_kick(lane);
    pthread_mutex_unlock(&lane->lock);
}

static void progress(struct fsi_lane *lane)
{
    struct fsi_waiter *w;

    pthread_mutex_lock(&lane->lock);
    fsi_fetch_add(&lane->progress, 1);
    for (w = lane->first; w != NULL; w = w->next) {
        if (w->counter != &lane->progress)
            continue;
        if (w->following)
            pthread_cond_signal(&w->cond);
        else if (lane->sleeper == w)
            fsi_kick(lane);
    }
    pthread_mutex_unlock(&lane->lock);
}

void fsi_room(struct fsif_client *cl)
{
    uint32_t i;

    for (i = 0; fsi_load_seq(&cl->starved) != 0 && i < cl->queues; i++)
        progress(&cl->lanes[i]);
}

void fsi_progress(struct fsi_lane *lane)
{
    if (fsi_load_seq(&lane->role) & WAITERS)
        progress(lane);
    if (lane->cl->queues > 1)
        fsi_room(lane->cl);
}

void fsi_submitted(struct fsi_lane *lane, uint64_t deadline)
{
    if (deadline == FSIF_NEVER || fsi_load_seq(&lane->asleep) == 0)
        return;
    pthread_mutex_lock(&lane->lock);
    if (fsi_load_seq(&lane->asleep) != 0 && deadline < lane->asleep_until)
        fsi_kick(lane);
    pthread_mutex_unlock(&lane->lock);
}

/* --- waiting ---------------------------------------------------------------------------------- */

/* Sleep on the waiter's own condition. Lock held. */
static void follow(struct fsi_waiter *w, uint64_t until)
{
    if (until == FSIF_NEVER) {
        pthread_cond_wait(&w->cond, &w->lane->lock);
    } else {
        struct timespec ts = {
            .tv_sec = (time_t)(until / 1000),
            .tv_nsec = (long)(until % 1000) * 1000000,
        };

        pthread_cond_timedwait(&w->cond, &w->lane->lock, &ts);
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

/* An enlisted waiter until its counter is not @seen; @leading: it has the role. Lock held. */
static int wait_enlisted(struct fsi_waiter *w, uint32_t seen, uint64_t until, int leading)
{
    struct fsi_lane *lane = w->lane;
    int err = 0;
    int led;

    while (fsi_load_acquire(w->counter) == seen) {
        if (until != FSIF_NEVER && fsif_now_ms() >= until) {
            err = -FSIF_ETIMEDOUT;
            break;
        }
        if (!leading && fsi_cas(&lane->role, WAITERS, WAITERS | LED)) {
            lane->leader = w;
            leading = 1;
        }
        if (leading) {
            pthread_mutex_unlock(&lane->lock);
            led = fsi_lead_a_while(w, seen);
            pthread_mutex_lock(&lane->lock);
            if (!led)
                fsi_lead_round(w, seen, until);
        } else {
            if (!w->following)
                follow_begin(w);
            follow(w, until);
        }
    }
    depart(w, leading);
    hand_to_loop(lane);
    if (w->following) {
        w->following = 0;
        pthread_cond_destroy(&w->cond);
    }
    return err;
}

/* Give the role back that a compare-and-swap gave. Lock not held. */
static void release(struct fsi_lane *lane, int to_loop)
{
    lane->leader = NULL;
    if (!fsi_cas(&lane->role, LED, 0)) {
        pthread_mutex_lock(&lane->lock);
        set_role(lane, 0, LED);
        name_successor(lane);
        pthread_mutex_unlock(&lane->lock);
    }
    if (to_loop)
        hand_to_loop(lane);
}

int fsi_wait(struct fsi_waiter *w, uint32_t seen, uint64_t until)
{
    struct fsi_lane *lane = w->lane;
    int leading;
    int err;

    if (fsi_load_acquire(&w->done) != seen)
        return 0;
    if (fsi_polling(lane))
        return -FSIF_EDEADLK;
    w->counter = &w->done;
    leading = fsi_cas(&lane->role, 0, LED);
    if (leading) {
        lane->leader = w;
        if (fsi_lead_a_while(w, seen)) {
            release(lane, 1);
            return 0;
        }
    }
    pthread_mutex_lock(&lane->lock);
    enlist(w);
    err = wait_enlisted(w, seen, until, leading);
    pthread_mutex_unlock(&lane->lock);
    return err;
}

int fsi_wait_progress(struct fsi_waiter *w, uint32_t seen, uint64_t until)
{
    int err;

    if (fsi_polling(w->lane))
        return -FSIF_EDEADLK;
    w->counter = &w->lane->progress;
    pthread_mutex_lock(&w->lane->lock);
    enlist(w);
    err = wait_enlisted(w, seen, until, 0);
    pthread_mutex_unlock(&w->lane->lock);
    return err;
}

/* Without sleeping: what is there, and deadlines. If it is nothing the bell is armed, and the
 * descriptors are quiet. */
static int poll_at_once(struct fsi_lane *lane)
{
    int n = fsi_look(lane);

    if (n == 0)
        n = fsif_frontend_expire(&lane->fe, fsif_now_ms(), NULL);
    if (n == 0 && fsi_sleep(lane, 0))
        n = fsi_look(lane);
    return n;
}

/* One round with the role, for fsif_poll(). @until 0: do not wait. Lock not held. */
static int poll_leading(struct fsi_waiter *w, uint32_t seen, uint64_t until)
{
    struct fsi_lane *lane = w->lane;
    int n;

    lane->leader = w;
    n = until == 0 ? poll_at_once(lane) : fsi_lead_awake(w, seen);
    if (n != 0 || until == 0) {
        release(lane, n > 0);
        return n;
    }
    pthread_mutex_lock(&lane->lock);
    enlist(w);
    n = fsi_lead_round(w, seen, until);
    depart(w, 1);
    pthread_mutex_unlock(&lane->lock);
    if (n > 0)
        hand_to_loop(lane);
    return n;
}

int fsi_poll_once(struct fsi_waiter *w, uint64_t until)
{
    struct fsi_lane *lane = w->lane;
    uint32_t seen = fsi_load_acquire(&lane->progress);

    if (fsi_polling(lane))
        return -FSIF_EBUSY;
    w->counter = &lane->progress;
    /* Waiters that were told to lead follow us instead. */
    if (!fsi_cas(&lane->role, 0, LED) && !fsi_cas(&lane->role, WAITERS, WAITERS | LED))
        return -FSIF_EBUSY;
    return poll_leading(w, seen, until);
}

/* --- for an id, or for room in the arena ------------------------------------------------------ */

struct want {
    struct fsi_lane *lane;
    struct fsif_call *call; /* NULL: a part of the arena */
    uint32_t len;
    struct fsif_range *out;
};

static int try_want(const struct want *want)
{
    if (want->call != NULL)
        return fsif_frontend_submit(&want->lane->fe, want->call);
    return fsif_arena_get(&want->lane->cl->arena, want->len, want->out);
}

/* One try as a waiter whom progress wakes, and if it fails a wait for that. Return: as try_want();
 * -FSIF_ETIMEDOUT */
static int want_once(struct fsi_waiter *w, const struct want *want, uint64_t until)
{
    struct fsi_lane *lane = w->lane;
    uint32_t seen;
    int err;

    if (fsi_polling(lane))
        return -FSIF_EDEADLK;
    w->counter = &lane->progress;
    pthread_mutex_lock(&lane->lock);
    enlist(w);
    seen = fsi_load_acquire(&lane->progress);
    pthread_mutex_unlock(&lane->lock);
    err = try_want(want);
    pthread_mutex_lock(&lane->lock);
    if (err == -FSIF_EAGAIN) {
        int late = wait_enlisted(w, seen, until, 0);

        err = late < 0 ? late : err;
    } else {
        depart(w, 0);
    }
    pthread_mutex_unlock(&lane->lock);
    return err;
}

static int wait_for(struct fsi_waiter *w, const struct want *want, uint64_t until)
{
    struct fsif_client *cl = w->lane->cl;
    int err = try_want(want);

    if (err != -FSIF_EAGAIN)
        return err;
    fsi_fetch_add(&cl->starved, 1);
    do {
        err = want_once(w, want, until);
    } while (err == -FSIF_EAGAIN);
    fsi_fetch_add(&cl->starved, UINT32_MAX);
    return err;
}

int fsi_submit_wait(struct fsi_waiter *w, struct fsif_call *call, uint64_t until)
{
    const struct want want = {.lane = w->lane, .call = call};
    /* Once it is submitted it may complete elsewhere and be gone. */
    uint64_t deadline = call->deadline;
    int err = wait_for(w, &want, until);

    if (err == 0)
        fsi_submitted(w->lane, deadline);
    return err;
}

int fsi_wait_room(struct fsi_waiter *w, uint32_t len, uint64_t until, struct fsif_range *out)
{
    const struct want want = {.lane = w->lane, .len = len, .out = out};

    return wait_for(w, &want, until);
}
