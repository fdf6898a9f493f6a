/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "pick.h"

#include <time.h>
#include "barrier.h"

/*
 * Two ways to do the same work, of which the quicker one depends on what cannot be known: where the
 * scheduler puts the other side, who waits how, where memory lies. So both are timed. One is taken;
 * after rest times the other one is tried TRIALS times in a row, the last of which counts, for the
 * first meet what the way before them has left. A trial in vain doubles rest. The guess is left
 * only for what is clearly better, and gone back to for what is better at all.
 *
 * Threads that share one may lose each other's steps: that costs a trial.
 */

enum { TRIALS = 3, REST_FIRST = 16, REST_MOST = 256 };

/* Nanoseconds for so many bytes */
#define COST_BYTES 4096u

unsigned fsi_pick_class(uint64_t bytes)
{
    unsigned n = 0;

    while (n < FSI_PICK_CLASSES - 1 && bytes >> (FSI_PICK_SHIFT + 1 + n) != 0)
        n++;
    return n;
}

static uint32_t cost_of(uint64_t ns, uint64_t bytes)
{
    uint64_t cost = ns * COST_BYTES / bytes;

    return cost == 0 ? 1 : cost > UINT32_MAX / 8 ? UINT32_MAX / 8 : (uint32_t)cost;
}

int fsi_pick_way(struct fsi_pick *c, int guess)
{
    uint32_t due;

    if (fsi_load_relaxed(&c->rest) == 0 || fsi_load_relaxed(&c->guess) != (guess != 0)) {
        fsi_store_relaxed(&c->guess, guess != 0);
        fsi_store_relaxed(&c->best, guess != 0);
        fsi_store_relaxed(&c->cost, 0);
        fsi_store_relaxed(&c->trials, 0);
        fsi_store_relaxed(&c->rest, REST_FIRST);
        fsi_store_relaxed(&c->due, REST_FIRST);
    }
    due = fsi_load_relaxed(&c->due);
    if (due == 0 && fsi_load_relaxed(&c->cost) != 0)
        return !fsi_load_relaxed(&c->best);
    if (due > 0)
        fsi_store_relaxed(&c->due, due - 1);
    return fsi_load_relaxed(&c->best) != 0;
}

static void learn_trial(struct fsi_pick *c, int way, uint32_t cost)
{
    uint32_t trials = fsi_load_relaxed(&c->trials) + 1;
    uint32_t rest = fsi_load_relaxed(&c->rest);
    uint32_t best = fsi_load_relaxed(&c->cost);

    fsi_store_relaxed(&c->trials, trials % TRIALS);
    if (trials < TRIALS)
        return;
    if ((uint32_t)way != fsi_load_relaxed(&c->guess))
        best -= best / 8;
    if (cost < best) {
        fsi_store_relaxed(&c->best, (uint32_t)way);
        fsi_store_relaxed(&c->cost, cost);
        rest = REST_FIRST;
    } else if (rest < REST_MOST) {
        rest *= 2;
    }
    fsi_store_relaxed(&c->rest, rest);
    fsi_store_relaxed(&c->due, rest);
}

void fsi_pick_learn(struct fsi_pick *c, int way, uint64_t ns, uint64_t bytes)
{
    uint32_t cost = cost_of(ns, bytes);
    uint32_t before = fsi_load_relaxed(&c->cost);

    if ((uint32_t)way == fsi_load_relaxed(&c->best))
        fsi_store_relaxed(&c->cost, before == 0 ? cost : (7 * before + cost) / 8);
    else
        learn_trial(c, way, cost);
}

uint64_t fsi_pick_clock(void)
{
    struct timespec t = {0};

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}
