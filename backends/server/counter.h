/* SPDX-License-Identifier: MIT */
#ifndef FSI_SERVER_COUNTER_H
#define FSI_SERVER_COUNTER_H

/*
 * A 64-bit count that one thread moves and any thread reads, without a locked instruction and
 * without 64-bit atomics, which not every machine has. `high` is the count from bit 31 on, so the
 * two words share a bit: a reader that finds it different in both came between the two stores.
 */

#include "barrier.h"

struct fsi_counter {
    struct fsif_shared_u32 low;
    struct fsif_shared_u32 high;
};

static inline uint64_t fsi_counter_read(const struct fsi_counter *c)
{
    uint32_t low;
    uint32_t high;

    do {
        low = fsi_load_acquire(&c->low);
        high = fsi_load_acquire(&c->high);
    } while (low >> 31 != (high & 1));
    return (uint64_t)high << 31 | low;
}

/* Threads: one, the same always */
static inline void fsi_counter_add(struct fsi_counter *c, uint64_t n)
{
    uint64_t now = ((uint64_t)fsi_load_relaxed(&c->high) << 31 | fsi_load_relaxed(&c->low)) + n;

    fsi_store_release(&c->high, (uint32_t)(now >> 31));
    fsi_store_release(&c->low, (uint32_t)now);
}

#endif
