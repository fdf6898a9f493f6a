/* SPDX-License-Identifier: MIT */
#ifndef FSI_FREELIST_H
#define FSI_FREELIST_H

/*
 * A lock-free pool of small numbers: a bitmap of 32-bit words, a set bit is a free number. There is
 * no linked list, so no ABA; "none left" is an answer.
 */

#include <stdint.h>
#include <fsif/wire.h>

/* The lowest set bit's number. __builtin_ctz is a call into libgcc on riscv64; a multiplication by
 * a de Bruijn sequence is not. */
static inline uint32_t fsi_lowest_bit(uint32_t word)
{
    static const uint8_t position[32] = {0,  1,  28, 2,  29, 14, 24, 3,  30, 22, 20,
                                         15, 25, 17, 4,  8,  31, 27, 13, 23, 21, 19,
                                         16, 7,  26, 12, 18, 6,  11, 5,  10, 9};
    uint32_t lowest = word & (~word + 1u);

    return position[(uint32_t)(lowest * 0x077cb531u) >> 27];
}

struct fsi_freelist {
    struct fsif_shared_u32 hint; /* a word that may have a free bit; only a guess */
    uint32_t count;
};

#define FSI_FREELIST_WORDS(count) (((count) + 31u) / 32u)

/** fsi_freelist_init - numbers 0 .. @count - 1, all free. @words: FSI_FREELIST_WORDS(count) */
void fsi_freelist_init(struct fsi_freelist *f, struct fsif_shared_u32 *words, uint32_t count);

/** fsi_freelist_get - Return: 1 and a number, or 0 if none is free. Any thread. */
int fsi_freelist_get(struct fsi_freelist *f, struct fsif_shared_u32 *words, uint32_t *number);

/** fsi_freelist_put - give a number back; it must have been taken. Any thread. */
void fsi_freelist_put(struct fsi_freelist *f, struct fsif_shared_u32 *words, uint32_t number);

/** fsi_freelist_take - take exactly @number. Return: 1, or 0 if it was not free */
int fsi_freelist_take(struct fsi_freelist *f, struct fsif_shared_u32 *words, uint32_t number);

#endif
