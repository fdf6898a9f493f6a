/* SPDX-License-Identifier: MIT */
#ifndef FSI_PICK_H
#define FSI_PICK_H

/*
 * Which of two ways to do the same work is the quicker one, learned from how long each took: whole
 * requests or pieces.
 *
 *     c = &picks[fsi_pick_class(bytes)];
 *     way = fsi_pick_way(c, 1);
 *     begun = fsi_pick_clock();
 *     if (way ? that(bytes) : this(bytes))
 *         fsi_pick_learn(c, way, fsi_pick_clock() - begun, bytes);
 *
 * Threads may share one: a step that is lost costs no more than a trial.
 */

#include <stdint.h>
#include <fsif/wire.h>

/* All zero: nothing is known */
struct fsi_pick {
    struct fsif_shared_u32 guess;
    struct fsif_shared_u32 best;
    struct fsif_shared_u32 cost;   /* of it, a moving average; 0: not known */
    struct fsif_shared_u32 trials; /* of the other one in this row */
    struct fsif_shared_u32 due;    /* how often the better one is taken before the next trial */
    struct fsif_shared_u32 rest;   /* what due begins with */
};

/* Classes are powers of two: the first ends at 128 KiB, the last begins at 8 MiB. */
#define FSI_PICK_CLASSES 8u
#define FSI_PICK_SHIFT 16u

/** fsi_pick_class - Return: which class of lengths @bytes is of; each needs a pick of its own */
unsigned fsi_pick_class(uint64_t bytes);

/**
 * fsi_pick_way - which way to take now
 *
 * @guess: the way to begin with, 0 or 1. Another guess than last time begins anew
 *
 * Return: 0 or 1
 */
int fsi_pick_way(struct fsi_pick *c, int guess);

/** fsi_pick_learn - @way took @ns for @bytes, not 0. Not to be called if it could not be taken */
void fsi_pick_learn(struct fsi_pick *c, int way, uint64_t ns, uint64_t bytes);

/** fsi_pick_clock - a time in nanoseconds */
uint64_t fsi_pick_clock(void);

#endif
