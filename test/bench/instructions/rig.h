/* SPDX-License-Identifier: MIT */
#ifndef TEST_BENCH_RIG_H
#define TEST_BENCH_RIG_H

/* Both engines in one thread, on memory of this process, above a store that does nothing. */

#include <fsif/backend.h>
#include <fsif/frontend.h>
#include <fsif/op.h>

/* The octet of every file whose lock is never to be had. */
#define RIG_LOCKED 99u

struct rig {
    struct fsif_frontend fe;
    struct fsif_backend be;
    struct fsif_fetched *rq;
    int64_t value; /* of the last call that completed */
    unsigned done;
};

/** rig_start - a session of @dialect. Return: 0, or negative */
int rig_start(struct rig *r, uint32_t dialect);

/** rig_arena - dialect 3: a part of the arena of a page that nobody else uses */
struct fsif_range rig_arena(void);

/** rig_call - what is counted: submit, serve, poll. Return: the call's value */
int64_t rig_call(struct rig *r, struct fsif_call *call);

/** rig_prepare - a call with everything but its operation */
void rig_prepare(struct rig *r, struct fsif_call *call);

#endif
