/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "internal.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>
#include "barrier.h"

/*
 * What a leader does; wait.c says who it is. A round: take what is on the ring, poll for a while
 * (fsif/spin.h), and only then arm the bell, expire deadlines, and sleep on the descriptors.
 *
 * No wake-up of the leader is lost: it publishes `sleeper` under lane->lock in the same step in
 * which it looks at its counter for the last time, so that whoever completes its call afterwards
 * sees it asleep and kicks. Deadlines: `asleep` and the engine's calls are a Dekker pair. The
 * leader sets `asleep` and then asks the engine for the earliest deadline; who submits looks at
 * `asleep` afterwards.
 *
 * A dead session: the engine completes all calls, so every counter moves; until the thread that
 * ends the session has done so, the leader sleeps on the wake descriptor alone.
 */

/* Rounds on a busy ring after which deadlines are looked at all the same */
#define BUSY_ROUNDS 64u

/* The lane that this thread polls, innermost first if a callback polls another client. */
static _Thread_local const struct fsi_lane *polling;

int fsi_polling(const struct fsi_lane *lane)
{
    return polling == lane;
}

void fsi_kick(struct fsi_lane *lane)
{
    const uint64_t one = 1;
    ssize_t n;

    do {
        n = write(lane->wake_fd, &one, sizeof(one));
    } while (n < 0 && errno == EINTR);
}

static void drain(struct fsi_lane *lane)
{
    uint64_t count;
    ssize_t n;

    do {
        n = read(lane->wake_fd, &count, sizeof(count));
    } while (n < 0 && errno == EINTR);
}

static void end_lane(struct fsi_lane *lane, enum fsif_poison reason)
{
    fsif_frontend_shutdown(&lane->fe, reason);
    fsi_progress(lane);
    fsi_kick(lane);
}

/* A queue whose backend broke the protocol ends the others too. */
static void end_others(const struct fsi_lane *lane)
{
    struct fsif_client *cl = lane->cl;
    uint32_t i;

    for (i = 0; i < cl->queues; i++) {
        if (&cl->lanes[i] != lane && !fsif_frontend_dead(&cl->lanes[i].fe))
            end_lane(&cl->lanes[i], fsif_frontend_reason(&lane->fe));
    }
}

/* Return: callbacks run, 0 none, negative: dead */
static int poll_ring(struct fsi_lane *lane)
{
    const struct fsi_lane *outer = polling;
    int n;

    polling = lane;
    n = fsif_frontend_poll(&lane->fe);
    polling = outer;
    if (n != 0)
        fsi_progress(lane);
    if (n < 0) {
        end_others(lane);
        fsi_notes_end(lane->cl);
    }
    return n;
}

void fsi_end(struct fsif_client *cl, enum fsif_poison reason)
{
    uint32_t i;

    for (i = 0; i < cl->queues; i++)
        end_lane(&cl->lanes[i], reason);
    fsi_notes_end(cl);
}

/* The backend is gone: what it still answered counts, the rest ends. */
static void end_session(struct fsi_lane *lane)
{
    while (poll_ring(lane) > 0) {
    }
    fsi_end(lane->cl, FSIF_POISON_TRANSPORT);
}

/* One thread at a time asks the transport. */
static int peer_gone(struct fsif_client *cl)
{
    int state;

    pthread_mutex_lock(&cl->lock);
    state = cl->transport->peer_state(cl->session);
    pthread_mutex_unlock(&cl->lock);
    return state != FSIF_PEER_ALIVE;
}

/* Sleep on the descriptors until @until. Return: FSI_WOKEN_*; 0: the time is over */
static int sleep_on(struct fsi_lane *lane, uint64_t until)
{
    int timeout = fsi_left_ms(until);

    if (fsif_frontend_dead(&lane->fe))
        return fsif_wait_fd(lane->wake_fd, POLLIN, timeout) > 0 ? FSI_WOKEN_BY_US : 0;
    /* A transport without a descriptor for its bell is looked at every millisecond. */
    if (lane->event_fd < 0 && timeout != 0)
        timeout = 1;
    return fsif_poller_wait(lane->sleep_fd, timeout);
}

/* Sleep until @until. Return: 1 if there is a reason to look at the ring. */
int fsi_sleep(struct fsi_lane *lane, uint64_t until)
{
    const struct fsif_transport *transport = lane->cl->transport;
    int woken = sleep_on(lane, until);

    if (woken <= 0)
        return lane->event_fd < 0;
    if (woken & FSI_WOKEN_BY_US)
        drain(lane);
    if ((woken & FSI_WOKEN_BY_BELL) && !(transport->flags & FSIF_TRANSPORT_EDGES))
        transport->acknowledge(lane->cl->session, lane->number);
    if ((woken & FSI_WOKEN_BY_PEER) && peer_gone(lane->cl))
        end_session(lane);
    return 1;
}

/* What the leader finds without sleeping; the bell is armed if it is nothing. Return: as
 * poll_ring() */
int fsi_look(struct fsi_lane *lane)
{
    int n;

    do {
        n = poll_ring(lane);
    } while (n == 0 && fsif_frontend_arm(&lane->fe) != 0);
    return n;
}

struct awake {
    const struct fsi_waiter *w;
    uint32_t seen;
};

static int something_there(void *arg)
{
    const struct awake *a = arg;
    const struct fsif_frontend *fe = &a->w->lane->fe;

    return fsif_frontend_ready(fe) || fsi_load_acquire(a->w->counter) != a->seen ||
           fsif_frontend_dead(fe);
}

int fsi_lead_awake(struct fsi_waiter *w, uint32_t seen)
{
    struct awake a = {.w = w, .seen = seen};
    int n = poll_ring(w->lane);

    if (n == 0 && fsi_load_acquire(w->counter) == seen &&
        fsif_spin_wait(&w->lane->spin, something_there, &a))
        n = poll_ring(w->lane);
    return n;
}

/* The leader awake, for a while. Return: 1 its counter moved. */
int fsi_lead_a_while(struct fsi_waiter *w, uint32_t seen)
{
    uint32_t rounds;

    for (rounds = 0; rounds < BUSY_ROUNDS; rounds++) {
        int n = fsi_lead_awake(w, seen);

        if (fsi_load_acquire(w->counter) != seen)
            return 1;
        if (n <= 0)
            return 0;
    }
    return 0;
}

/* The leader sleeps until @next and looks again. Lock held at entry and return. */
static int lead_asleep(struct fsi_waiter *w, uint64_t next)
{
    struct fsi_lane *lane = w->lane;
    int n = 0;

    lane->asleep_until = next;
    lane->sleeper = w;
    pthread_mutex_unlock(&lane->lock);
    if (fsi_sleep(lane, next)) {
        n = fsi_look(lane);
        if (n == 0)
            fsi_progress(lane);
    }
    fsif_spin_woken(&lane->spin);
    pthread_mutex_lock(&lane->lock);
    lane->sleeper = NULL;
    return n;
}

/*
 * One round of an enlisted leader: complete what there is, else sleep until something happens, the
 * counter is not @seen, or @until. Lock held at entry and return. Return: callbacks run, negative:
 * dead.
 */
int fsi_lead_round(struct fsi_waiter *w, uint32_t seen, uint64_t until)
{
    struct fsi_lane *lane = w->lane;
    uint64_t next;
    int expired;
    int n;

    pthread_mutex_unlock(&lane->lock);
    n = fsi_look(lane);
    pthread_mutex_lock(&lane->lock);
    if (n != 0 && fsi_load_acquire(w->counter) != seen)
        return n;

    /* Also when there was something: a busy ring must not hold deadlines up. */
    lane->asleep_until = FSIF_NEVER;
    fsi_store_seq(&lane->asleep, 1);
    pthread_mutex_unlock(&lane->lock);
    expired = fsif_frontend_expire(&lane->fe, fsif_now_ms(), &next);
    if (until < next)
        next = until;
    if (expired > 0) {
        fsi_progress(lane);
        n = n < 0 ? n : n + expired;
    }
    pthread_mutex_lock(&lane->lock);
    if (n <= 0 && fsi_load_acquire(w->counter) == seen)
        n = lead_asleep(w, next);
    fsi_store_seq(&lane->asleep, 0);
    return n;
}
