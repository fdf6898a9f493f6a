/* SPDX-License-Identifier: MIT */
/*
 * A handle's word: bit 31 open, bit 30 closed while held, bit 29 its file is being closed, below
 * them the number of holds.
 *
 *          open()              close()                 last put()
 *   0 ------------> OPEN|n ------------> OPEN|CLOSED|n ------------> ENDING --free()--> 0
 *                   ^  | get(), put(): n+1, n-1
 *                   +--+
 *
 * Invariant: `file` is written while the word is 0 and the number is taken off the free list, and
 * does not change until free(). A process that dies at ENDING may have closed the file or not: its
 * successor never closes it a second time. CLOSE itself holds the handle, so the word never goes
 * from OPEN|0 to closed without a put() that sees it. The table is all that a peer's number is
 * looked up in.
 */
#include "handles.h"

#include "barrier.h"
#include <fsif/error.h>

#define OPEN 0x80000000u
#define CLOSED 0x40000000u
#define ENDING 0x20000000u

int fsi_handles_reserve(const struct fsi_handles *h)
{
    uint32_t number;

    return fsi_freelist_get(h->free, h->words, &number) ? (int)number : -FSIF_EMFILE;
}

void fsi_handles_open(const struct fsi_handles *h, uint32_t handle, uint64_t file, uint32_t export)
{
    h->table[handle].file = file;
    h->table[handle].export = export;
    fsi_store_seq(&h->table[handle].word, OPEN);
}

int fsi_handles_get(const struct fsi_handles *h, uint32_t handle, uint64_t *file, uint32_t *export)
{
    struct fsi_handle *e;

    if (handle >= h->free->count)
        return -FSIF_EBADF;
    e = &h->table[handle];
    for (;;) {
        uint32_t word = fsi_load_relaxed(&e->word);

        if ((word & (OPEN | CLOSED)) != OPEN)
            return -FSIF_EBADF;
        if (fsi_cas(&e->word, word, word + 1)) {
            *file = e->file;
            *export = e->export;
            return 0;
        }
    }
}

int fsi_handles_close(const struct fsi_handles *h, uint32_t handle)
{
    if (fsi_fetch_or(&h->table[handle].word, CLOSED) & CLOSED)
        return -FSIF_EBADF;
    return 0;
}

int fsi_handles_closed(const struct fsi_handles *h, uint32_t handle)
{
    return (fsi_load_seq(&h->table[handle].word) & CLOSED) != 0;
}

int fsi_handles_put(const struct fsi_handles *h, uint32_t handle)
{
    if (fsi_fetch_add(&h->table[handle].word, UINT32_MAX) != (OPEN | CLOSED | 1))
        return 0;
    fsi_store_seq(&h->table[handle].word, ENDING);
    return 1;
}

void fsi_handles_free(const struct fsi_handles *h, uint32_t handle)
{
    fsi_store_seq(&h->table[handle].word, 0);
    fsi_freelist_put(h->free, h->words, handle);
}

void fsi_handles_recover(const struct fsi_handles *h)
{
    uint32_t count = h->free->count;

    fsi_freelist_init(h->free, h->words, count);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t word = fsi_load_relaxed(&h->table[i].word);

        word &= word & ENDING ? 0 : OPEN | CLOSED;
        word |= word & CLOSED ? 1 : 0;
        fsi_store_relaxed(&h->table[i].word, word);
        if (!word)
            continue;
        (void)fsi_freelist_take(h->free, h->words, i);
    }
}

int fsi_handles_hold(const struct fsi_handles *h, uint32_t handle)
{
    uint32_t word = handle < h->free->count ? fsi_load_relaxed(&h->table[handle].word) : 0;

    if (!(word & OPEN))
        return 0;
    fsi_store_relaxed(&h->table[handle].word, word + 1);
    return 1;
}

int fsi_handles_next(const struct fsi_handles *h, uint32_t *at, uint32_t *handle, uint64_t *file,
                     int *closed)
{
    for (; *at < h->free->count; ++*at) {
        uint32_t word = fsi_load_relaxed(&h->table[*at].word);

        if (!word)
            continue;
        *handle = (*at)++;
        *file = h->table[*handle].file;
        *closed = (word & CLOSED) != 0;
        return 1;
    }
    return 0;
}
