/* SPDX-License-Identifier: MIT */
#include "internal.h"

#include "barrier.h"

/*
 * Two ways to do the same work, of which the quicker one depends on what cannot be known: where the
 * scheduler puts the other side, who waits how. So both are timed. The better one is taken; after
 * `rest` times the other one is tried TRIALS times in a row, the last of which counts, for the
 * first meets what the way before it has left. A trial in vain doubles `rest`.
 *
 * Costs are compared within a class of lengths; work of another class begins anew with the way that
 * was the better one. Threads that share one may lose each other's steps: that costs a trial.
 */

enum { TRIALS = 2, REST_FIRST = 8, REST_MOST = 256 };

/* Nanoseconds for so many bytes */
#define COST_BYTES 4096u

static uint32_t length_class(uint64_t bytes)
{
    uint32_t class = 0;

    while (bytes >>= 1)
        class ++;
    return class;
}

static uint32_t cost_of(uint64_t ns, uint64_t bytes)
{
    uint64_t cost = ns * COST_BYTES / bytes;

    return cost == 0 ? 1 : cost > UINT32_MAX / 8 ? UINT32_MAX / 8 : (uint32_t)cost;
}

int fsi_choice_make(struct fsi_choice *c, int guess, uint64_t bytes)
{
    uint32_t due;

    if (fsi_load_relaxed(&c->rest) == 0) {
        fsi_store_relaxed(&c->best, guess != 0);
        fsi_store_relaxed(&c->rest, REST_FIRST);
        fsi_store_relaxed(&c->due, REST_FIRST);
    }
    if (fsi_load_relaxed(&c->class) != length_class(bytes)) {
        fsi_store_relaxed(&c->class, length_class(bytes));
        fsi_store_relaxed(&c->cost, 0);
        fsi_store_relaxed(&c->trials, 0);
    }
    due = fsi_load_relaxed(&c->due);
    if (due == 0 && fsi_load_relaxed(&c->cost) != 0)
        return !fsi_load_relaxed(&c->best);
    if (due > 0)
        fsi_store_relaxed(&c->due, due - 1);
    return fsi_load_relaxed(&c->best) != 0;
}

static void learn_trial(struct fsi_choice *c, int way, uint32_t cost)
{
    uint32_t trials = fsi_load_relaxed(&c->trials) + 1;
    uint32_t rest = fsi_load_relaxed(&c->rest);
    uint32_t best = fsi_load_relaxed(&c->cost);

    fsi_store_relaxed(&c->trials, trials % TRIALS);
    if (trials < TRIALS)
        return;
    if (cost < best - best / 8) {
        fsi_store_relaxed(&c->best, (uint32_t)way);
        fsi_store_relaxed(&c->cost, cost);
        rest = REST_FIRST;
    } else if (rest < REST_MOST) {
        rest *= 2;
    }
    fsi_store_relaxed(&c->rest, rest);
    fsi_store_relaxed(&c->due, rest);
}

void fsi_choice_learn(struct fsi_choice *c, int way, uint64_t ns, uint64_t bytes)
{
    uint32_t cost = cost_of(ns, bytes);
    uint32_t before = fsi_load_relaxed(&c->cost);

    if (fsi_load_relaxed(&c->class) != length_class(bytes))
        return;
    if ((uint32_t)way == fsi_load_relaxed(&c->best))
        fsi_store_relaxed(&c->cost, before == 0 ? cost : (7 * before + cost) / 8);
    else
        learn_trial(c, way, cost);
}
