/* SPDX-License-Identifier: MIT */
#ifndef TEST_BENCH_RESULTS_H
#define TEST_BENCH_RESULTS_H

/* Samples of a run and the JSON that they become: report.py reads it. */

#include <stdio.h>
#include "bench.h"

#define RESULTS_TARGETS 9u
#define RESULTS_ROUNDS 64u

struct samples {
    double ns[RESULTS_ROUNDS];
    unsigned n;
};

void samples_add(struct samples *s, double ns);
double samples_median(const struct samples *s);

/* A JSON file, written piece by piece: it is the caller's to nest them rightly. */
struct json {
    FILE *f;
    int more; /* a value stands before: a comma is due */
};

void json_open(struct json *j, const char *path);
void json_close(struct json *j);
void json_begin(struct json *j, const char *key, char bracket); /* @key may be NULL */
void json_end(struct json *j, char bracket);
void json_text(struct json *j, const char *key, const char *text);
void json_number(struct json *j, const char *key, double v);
void json_samples(struct json *j, const char *key, const struct samples *s);

#endif
