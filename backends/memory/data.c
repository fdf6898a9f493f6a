/* SPDX-License-Identifier: MIT */

/*
 * File data: a tree of blocks, each made when the first byte in it is written. What was never
 * written reads as zeros and costs nothing, so a file may be long and empty. Blocks of pointers
 * count against max_bytes like blocks of data: one byte here and there must not cost more than it
 * is charged.
 *
 * Invariant: bytes behind the file's size are zero. There are blocks of them if somebody allocated
 * more than the size.
 */

#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include "internal.h"

_Static_assert(MEMORY_FILE_MAX <= (uint64_t)MEMORY_BLOCK << (9 * MEMORY_HEIGHT_MAX), "file max");
_Static_assert(MEMORY_FANOUT == 1u << 9, "fan-out");

/* Bytes beneath a root of this height. */
static uint64_t reach(uint32_t height)
{
    return (uint64_t)MEMORY_BLOCK << (9 * height);
}

static union memory_block *block_make(struct fsif_store *st)
{
    union memory_block *b;

    if (fsi_memory_charge(st, MEMORY_BLOCK) != 0)
        return NULL;
    b = calloc(1, sizeof(*b));
    if (b == NULL)
        fsi_memory_refund(st, MEMORY_BLOCK);
    return b;
}

static void block_free(struct fsif_store *st, union memory_block *b)
{
    free(b);
    fsi_memory_refund(st, MEMORY_BLOCK);
}

/* The block that holds byte @off, or NULL where nothing was written. */
static union memory_block *block_find(const struct memory_data *d, uint64_t off)
{
    union memory_block *b = d->root;

    if (b == NULL || off >= reach(d->height))
        return NULL;
    for (uint32_t h = d->height; h > 0 && b != NULL; h--)
        b = b->below[(size_t)(off / reach(h - 1)) % MEMORY_FANOUT];
    return b;
}

/* Make the tree high enough for byte @off. */
static int grow(struct fsif_store *st, struct memory_data *d, uint64_t off)
{
    while (off >= reach(d->height)) {
        if (d->root != NULL) {
            union memory_block *top = block_make(st);
            if (top == NULL)
                return -FSIF_ENOSPC;
            top->below[0] = d->root;
            d->root = top;
        }
        d->height++;
    }
    return 0;
}

/* A way of new blocks that leads to no data is used by the next write there, or freed by resize. */
static union memory_block *block_need(struct fsif_store *st, struct memory_data *d, uint64_t off)
{
    union memory_block **at = &d->root;

    if (grow(st, d, off) != 0)
        return NULL;
    for (uint32_t h = d->height;; h--) {
        if (*at == NULL) {
            *at = block_make(st);
            d->blocks += *at != NULL && h == 0;
        }
        if (*at == NULL || h == 0)
            return *at;
        at = &(*at)->below[(size_t)(off / reach(h - 1)) % MEMORY_FANOUT];
    }
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static int is_empty(const union memory_block *b)
{
    uint32_t i = 0;

    while (i < MEMORY_FANOUT && b->below[i] == NULL)
        i++;
    return i == MEMORY_FANOUT;
}

/* Make a hole of the bytes @from to @to of the tree @b, which begins at byte 0 of its own and is
 * not behind @to. Depth: MEMORY_HEIGHT_MAX. Returns 1 if nothing is left of @b and it was freed. */
static int cut(struct fsif_store *st, struct memory_data *d, union memory_block *b, uint32_t height,
               uint64_t from, uint64_t to)
{
    uint64_t step;

    to = smaller(to, reach(height));
    if (from >= to)
        return 0;
    if (height == 0 && to - from < MEMORY_BLOCK) {
        memset(b->data + from, 0, (size_t)(to - from));
        return 0;
    }
    step = height > 0 ? reach(height - 1) : 0;
    for (uint64_t i = height > 0 ? from / step : 0; height > 0 && i * step < to; i++) {
        uint64_t begin = i * step;
        uint64_t in = from > begin ? from - begin : 0;
        if (b->below[i] != NULL && cut(st, d, b->below[i], height - 1, in, to - begin))
            b->below[i] = NULL;
    }
    if (height > 0 && !is_empty(b))
        return 0;
    block_free(st, b);
    d->blocks -= height == 0;
    return 1;
}

/* Bytes @from to @to are zeros then, and whole blocks of them cost nothing. */
void fsi_memory_data_zero(struct fsif_store *st, struct memory_data *d, uint64_t from, uint64_t to)
{
    if (d->root == NULL || !cut(st, d, d->root, d->height, from, to))
        return;
    d->root = NULL;
    d->height = 0;
}

int64_t fsi_memory_data_read(const struct memory_data *d, void *buf, uint32_t len, uint64_t off)
{
    unsigned char *to = buf;
    uint32_t done = 0;

    if (off >= d->size)
        return 0;
    if (len > d->size - off)
        len = (uint32_t)(d->size - off);
    while (done < len) {
        uint32_t in = (uint32_t)((off + done) % MEMORY_BLOCK);
        uint32_t n = MEMORY_BLOCK - in < len - done ? MEMORY_BLOCK - in : len - done;
        const union memory_block *b = block_find(d, off + done);

        if (b != NULL)
            memcpy(to + done, b->data + in, n);
        else
            memset(to + done, 0, n);
        done += n;
    }
    return done;
}

int64_t fsi_memory_data_write(struct fsif_store *st, struct memory_data *d, const void *buf,
                              uint32_t len, uint64_t off)
{
    const unsigned char *from = buf;
    uint32_t done = 0;

    if (len == 0)
        return 0;
    if (off >= MEMORY_FILE_MAX)
        return -FSIF_EFBIG;
    if (len > MEMORY_FILE_MAX - off)
        len = (uint32_t)(MEMORY_FILE_MAX - off);
    while (done < len) {
        uint32_t in = (uint32_t)((off + done) % MEMORY_BLOCK);
        uint32_t n = MEMORY_BLOCK - in < len - done ? MEMORY_BLOCK - in : len - done;
        union memory_block *b = block_need(st, d, off + done);

        if (b == NULL)
            break;
        memcpy(b->data + in, from + done, n);
        done += n;
    }
    if (done == 0)
        return -FSIF_ENOSPC;
    if (d->size < off + done)
        d->size = off + done;
    return done;
}

int fsi_memory_data_resize(struct fsif_store *st, struct memory_data *d, uint64_t size)
{
    if (size > MEMORY_FILE_MAX)
        return -FSIF_EFBIG;
    if (size <= d->size)
        fsi_memory_data_zero(st, d, size, MEMORY_FILE_MAX);
    d->size = size;
    return 0;
}

static uint64_t missing(const struct memory_data *d, uint64_t from, uint64_t to)
{
    uint64_t n = 0;

    for (uint64_t at = from - from % MEMORY_BLOCK; at < to; at += MEMORY_BLOCK)
        n += block_find(d, at) == NULL;
    return n;
}

/* Zeros, in blocks that are there */
void fsi_memory_data_blank(struct memory_data *d, uint64_t from, uint64_t to)
{
    while (from < to) {
        size_t in = (size_t)(from % MEMORY_BLOCK);
        size_t n = (size_t)smaller(MEMORY_BLOCK - in, to - from);
        union memory_block *b = block_find(d, from);

        if (b != NULL)
            memset(b->data + in, 0, n);
        from += n;
    }
}

/* Have blocks for bytes @from to @to. If there is no room nothing is done; only when the blocks of
 * pointers, or another thread, take the last room, some are made. */
int fsi_memory_data_fill(struct fsif_store *st, struct memory_data *d, uint64_t from, uint64_t to)
{
    uint64_t left = st->max_bytes - atomic_load(&st->bytes);

    if (to > MEMORY_FILE_MAX)
        return -FSIF_EFBIG;
    if ((to - from) / MEMORY_BLOCK > st->max_bytes / MEMORY_BLOCK ||
        missing(d, from, to) > left / MEMORY_BLOCK)
        return -FSIF_ENOSPC;
    for (uint64_t at = from - from % MEMORY_BLOCK; at < to; at += MEMORY_BLOCK)
        if (block_need(st, d, at) == NULL)
            return -FSIF_ENOSPC;
    return 0;
}

/* The first byte at or behind @from that is in a block, or with @hole in none, in the tree @b of
 * which byte 0 is the first. Returns UINT64_MAX: not in this tree. */
static uint64_t next(const union memory_block *b, uint32_t height, uint64_t from, int hole)
{
    uint64_t step;

    if (from >= reach(height))
        return UINT64_MAX;
    if (b == NULL || height == 0)
        return (b == NULL) == (hole != 0) ? from : UINT64_MAX;
    step = reach(height - 1);
    for (uint64_t i = from / step; i < MEMORY_FANOUT; i++) {
        uint64_t begin = i * step;
        uint64_t in = from > begin ? from - begin : 0;
        uint64_t found = next(b->below[i], height - 1, in, hole);
        if (found != UINT64_MAX)
            return begin + found;
    }
    return UINT64_MAX;
}

/* The same of a file's data, whatever its size. What is behind the tree is a hole. */
uint64_t fsi_memory_data_next(const struct memory_data *d, uint64_t from, int hole)
{
    uint64_t found = next(d->root, d->height, from, hole);

    if (found == UINT64_MAX && hole)
        return from > reach(d->height) ? from : reach(d->height);
    return found;
}
