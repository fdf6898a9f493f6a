/* SPDX-License-Identifier: MIT */

/*
 * File data: a tree of blocks, each made when the first byte in it is written. What was never
 * written reads as zeros and costs nothing, so a file may be long and empty. Blocks of pointers
 * count against max_bytes like blocks of data: one byte here and there must not cost more than it
 * is charged.
 *
 * Invariant: bytes of the last block behind the file's size are zero.
 */

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

    if (st->max_bytes - st->bytes < MEMORY_BLOCK)
        return NULL;
    b = calloc(1, sizeof(*b));
    if (b != NULL)
        st->bytes += MEMORY_BLOCK;
    return b;
}

static void block_free(struct fsif_store *st, union memory_block *b)
{
    free(b);
    st->bytes -= MEMORY_BLOCK;
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

/* Free what lies at or behind byte @from of the tree @b, which begins at byte 0 of its own.
 * Depth: MEMORY_HEIGHT_MAX. Returns 1 if nothing is left of @b and it was freed. */
static int cut(struct fsif_store *st, struct memory_data *d, union memory_block *b, uint32_t height,
               uint64_t from)
{
    uint32_t left = 0;

    if (b == NULL)
        return 1;
    if (from >= reach(height))
        return 0;
    if (height == 0 && from > 0) {
        memset(b->data + from, 0, MEMORY_BLOCK - (size_t)from);
        return 0;
    }
    for (uint32_t i = 0; height > 0 && i < MEMORY_FANOUT; i++) {
        uint64_t begin = reach(height - 1) * i;
        if (b->below[i] == NULL)
            continue;
        if (cut(st, d, b->below[i], height - 1, from > begin ? from - begin : 0))
            b->below[i] = NULL;
        else
            left++;
    }
    if (left > 0)
        return 0;
    block_free(st, b);
    d->blocks -= height == 0;
    return 1;
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
    if (size <= d->size && cut(st, d, d->root, d->height, size)) {
        d->root = NULL;
        d->height = 0;
    }
    d->size = size;
    return 0;
}
