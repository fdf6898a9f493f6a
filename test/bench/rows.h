/* SPDX-License-Identifier: MIT */
#ifndef TEST_BENCH_ROWS_H
#define TEST_BENCH_ROWS_H

/* The kinds of work that are timed, each the same through every target that can do it. */

#include <stdint.h>
#include "bench.h"

struct target {
    const struct bench_ops *ops;
    void *self;
};

struct work {
    const struct bench_place *place;
    unsigned char *buf; /* BENCH_BIG, page aligned */
    uint64_t random;
    uint64_t budget_ns; /* of one sample, about */
};

struct row {
    const char *id;
    const char *title;
    uint64_t bytes;    /* that one operation moves, where the figure is a rate; else 0 */
    unsigned per_call; /* operations in one call of run */
    unsigned most;     /* calls in one sample; 0: as many as the budget allows */
    int (*can)(const struct bench_ops *ops);
    int64_t (*run)(struct work *w, const struct target *t, unsigned i); /* negative: errno */
    void (*before)(struct work *w);
    void (*after)(struct work *w);
};

extern const struct row bench_rows[];
extern const unsigned bench_nrows;

/** bench_sample - Return: nanoseconds of one operation; negative: it cannot be done; dies on errors
 */
double bench_sample(struct work *w, const struct row *r, const struct target *t);

#endif
