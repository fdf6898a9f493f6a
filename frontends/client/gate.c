/* SPDX-License-Identifier: MIT */
#include "internal.h"

#include "barrier.h"

/*
 * The gate that every public call passes. Each lane's word counts the threads inside, so that those
 * of different queues do not share a cache line; the bit SHUT sends newcomers to the slow way,
 * where cl->lock says why: the client is closing, has no session (down), or fsif_reconnect() is at
 * work (renewing), which needs the session to itself. A client is freed when the gate is shut for
 * good and nobody is inside.
 *
 * Whoever shuts sets SHUT in every word and then waits until the counts are 0. Who leaves while
 * SHUT is set counts down under cl->lock and wakes them; who leaves without it does so with a
 * compare-and-swap that fails if SHUT came in between, so nobody touches a client that may be
 * freed.
 */

#define SHUT 0x80000000u

/* --- by any thread ---------------------------------------------------------------------------- */

/* The same queue for all calls of a thread, in turn for each new one. */
static uint32_t thread_number(void)
{
    static _Thread_local uint32_t number; /* counts from 1 */
    static struct fsif_shared_u32 threads;

    if (number == 0)
        number = fsi_fetch_add(&threads, 1) % INT32_MAX + 1;
    return number - 1;
}

int fsi_in_child(const struct fsif_client *cl)
{
    return *(const volatile uint32_t *)cl->alive == 0;
}

/* Lock held. */
static void step_out(struct fsi_lane *gate)
{
    fsi_fetch_add(&gate->gate, UINT32_MAX);
    pthread_cond_broadcast(&gate->cl->idle);
}

/* Why the gate is shut. Return: 0 it is not any more. Lock held. */
static int why_shut(const struct fsif_client *cl)
{
    return cl->closing || cl->renewing || cl->down ? -FSIF_EPROTO : 0;
}

/* The word that this thread counts in, whichever queue it uses. */
static struct fsi_lane *gate_of(struct fsif_client *cl)
{
    return &cl->lanes[cl->made == 1 ? 0 : thread_number() % cl->made];
}

static int enter(struct fsif_client *cl)
{
    struct fsi_lane *gate = gate_of(cl);
    int err;

    while (fsi_fetch_add(&gate->gate, 1) & SHUT) {
        pthread_mutex_lock(&cl->lock);
        step_out(gate);
        err = why_shut(cl);
        pthread_mutex_unlock(&cl->lock);
        if (err < 0)
            return err;
    }
    return 0;
}

int fsi_enter(struct fsif_client *cl, struct fsi_lane **lane)
{
    if (fsi_in_child(cl))
        return -FSIF_EBADF;
    *lane = &cl->lanes[0];
    return enter(cl);
}

int fsi_enter_blocking(struct fsif_client *cl, struct fsi_lane **lane)
{
    int err;

    if (fsi_in_child(cl))
        return -FSIF_EBADF;
    if (fsi_polling(&cl->lanes[0]))
        return -FSIF_EDEADLK;
    err = enter(cl);
    if (err == 0)
        *lane = &cl->lanes[cl->queues == 1 ? 0 : thread_number() % cl->queues];
    return err;
}

void fsi_leave(struct fsif_client *cl)
{
    struct fsi_lane *gate = gate_of(cl);
    uint32_t old;

    do {
        old = fsi_load_seq(&gate->gate);
        if (old & SHUT) {
            pthread_mutex_lock(&cl->lock);
            step_out(gate);
            pthread_mutex_unlock(&cl->lock);
            return;
        }
    } while (!fsi_cas(&gate->gate, old, old - 1));
}

uint64_t fsi_deadline(const struct fsif_client *cl)
{
    return cl->timeout_ms < 0 ? FSIF_NEVER : fsif_now_ms() + (uint64_t)cl->timeout_ms;
}

/* --- shutting it ------------------------------------------------------------------------------ */

/* Lock held. */
static void shut(struct fsif_client *cl)
{
    uint32_t i;

    for (i = 0; i < cl->made; i++)
        fsi_fetch_or(&cl->lanes[i].gate, SHUT);
}

int fsi_gate_renew(struct fsif_client *cl)
{
    int err = 0;

    if (fsi_in_child(cl))
        return -FSIF_EBADF;
    if (fsi_polling(&cl->lanes[0]))
        return -FSIF_EDEADLK;
    pthread_mutex_lock(&cl->lock);
    if (cl->renewing)
        err = -FSIF_EBUSY;
    else if (cl->closing)
        err = -FSIF_EPROTO;
    if (err == 0) {
        cl->renewing = 1;
        shut(cl);
    }
    pthread_mutex_unlock(&cl->lock);
    return err;
}

void fsi_gate_renewed(struct fsif_client *cl, int down)
{
    uint32_t i;

    pthread_mutex_lock(&cl->lock);
    cl->renewing = 0;
    cl->down = down;
    for (i = 0; i < cl->made && !down && !cl->closing; i++)
        fsi_fetch_add(&cl->lanes[i].gate, SHUT);
    pthread_cond_broadcast(&cl->idle);
    pthread_mutex_unlock(&cl->lock);
}

void fsi_gate_close(struct fsif_client *cl)
{
    pthread_mutex_lock(&cl->lock);
    while (cl->renewing)
        pthread_cond_wait(&cl->idle, &cl->lock);
    cl->closing = 1;
    shut(cl);
    pthread_mutex_unlock(&cl->lock);
}

void fsi_gate_drained(struct fsif_client *cl)
{
    uint32_t i;

    pthread_mutex_lock(&cl->lock);
    for (i = 0; i < cl->made; i++) {
        while (fsi_load_seq(&cl->lanes[i].gate) != SHUT)
            pthread_cond_wait(&cl->idle, &cl->lock);
    }
    pthread_mutex_unlock(&cl->lock);
}
