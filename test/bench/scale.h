/* SPDX-License-Identifier: MIT */
#ifndef TEST_BENCH_SCALE_H
#define TEST_BENCH_SCALE_H

/* What one more session, handle or entry costs, and the first request after silence. Each appends
 * objects to the array "extra" of the results. */

#include "results.h"
#include "rows.h"

struct scale {
    struct work *work;
    struct bench_place *place;
    struct json *json;
    const char *mode;
    int quick;
    unsigned rounds;
};

void scale_silence(struct scale *s);
void scale_sessions(struct scale *s);
void scale_handles(struct scale *s);
void scale_entries(struct scale *s);

#endif
