/* SPDX-License-Identifier: MIT */
#ifndef HOSTILE_FLIP_H
#define HOSTILE_FLIP_H

/* What the rounds of all dialects share. */

#include "raw.h"

/* Where the second thread writes, and what. Set before it is let loose. */
struct flipper {
    volatile uint64_t *at; /* NULL: rest */
    uint64_t values[2];
    uint64_t flips;
    int stop;
};

/** flip_aim - let the flipper work on eight bytes, which hold the first value until it begins */
void flip_aim(struct flipper *f, volatile uint8_t *bytes);

void flip_rest(struct flipper *f);

/* One round of a mode. Return: what is wrong with the answer, or NULL */
typedef const char *round_fn(struct raw *r, struct flipper *f);

/** flip3_find - Return: the rounds of a mode in dialect 3, or NULL */
round_fn *flip3_find(const char *mode);

/** flip3_begin - start a session of dialect 3, open what the rounds need */
void flip3_begin(struct raw *r, const char *path, const char *export_name);

/** flip3_end - close it again. Return: what is wrong, or NULL */
const char *flip3_end(struct raw *r);

#endif
