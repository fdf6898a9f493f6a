/* SPDX-License-Identifier: MIT */
/*
 * The arena's pages are bits of 32-bit words; a set bit is a free page. A part of n pages is a run
 * of set bits. Taking one clears the bits word by word with compare-and-swap; who finds a bit gone
 * half way sets what it had cleared and looks further on. So a bit belongs to whoever cleared it,
 * and no list can go wrong. Two takers of large parts may each make the other look further and both
 * find nothing: that is -FSIF_EAGAIN, which a caller must expect.
 */
#include <fsif/arena.h>

#include "barrier.h"
#include "freelist.h"
#include "mem.h"
#include <fsif/error.h>

struct fsi_arena_state {
    uint32_t pages;
    struct fsif_shared_u32 hint; /* a page where a free run may begin; only a guess */
    struct fsif_shared_u32 words[];
};

size_t fsif_arena_state_size(uint32_t pages)
{
    if (pages < FSIF_ARENA_PAGES_MIN || pages > FSIF_ARENA_PAGES_MAX)
        return 0;
    return sizeof(struct fsi_arena_state) + (pages + 31u) / 32u * sizeof(struct fsif_shared_u32);
}

/* Bits [@from, @from + @n) of a word, @n >= 1 */
static uint32_t mask(uint32_t from, uint32_t n)
{
    return (n == 32 ? UINT32_MAX : (1u << n) - 1) << from;
}

static uint32_t in_word(uint32_t page, uint32_t left)
{
    uint32_t room = 32 - page % 32;

    return left < room ? left : room;
}

static void set_bits(struct fsi_arena_state *st, uint32_t page, uint32_t n)
{
    for (uint32_t k; n; page += k, n -= k) {
        k = in_word(page, n);
        fsi_fetch_or(&st->words[page / 32], mask(page % 32, k));
    }
}

int fsif_arena_init(struct fsif_arena *a, void *mem, uint32_t pages, void *state)
{
    struct fsi_arena_state *st = (struct fsi_arena_state *)state;

    if (!fsif_arena_state_size(pages) || !mem || !state)
        return -FSIF_EINVAL;
    fsi_memset(state, 0, fsif_arena_state_size(pages));
    st->pages = pages;
    a->mem_ = (uint8_t *)mem;
    a->state_ = st;
    set_bits(st, 0, pages);
    return 0;
}

int fsif_arena_resume(struct fsif_arena *a, void *mem, uint32_t pages, void *state)
{
    if (!fsif_arena_state_size(pages) || !mem || !state ||
        ((struct fsi_arena_state *)state)->pages != pages)
        return -FSIF_EINVAL;
    a->mem_ = (uint8_t *)mem;
    a->state_ = (struct fsi_arena_state *)state;
    return 0;
}

/* Clear all of @bits, or none. Returns 1 if they were all set. */
static int clear_bits(struct fsif_shared_u32 *word, uint32_t bits)
{
    uint32_t w = fsi_load_relaxed(word);

    while ((w & bits) == bits) {
        if (fsi_cas(word, w, w & ~bits))
            return 1;
        w = fsi_load_relaxed(word);
    }
    return 0;
}

static int take_run(struct fsi_arena_state *st, uint32_t page, uint32_t n)
{
    uint32_t done = 0;

    while (done < n) {
        uint32_t k = in_word(page + done, n - done);

        if (!clear_bits(&st->words[(page + done) / 32], mask((page + done) % 32, k))) {
            set_bits(st, page, done);
            return 0;
        }
        done += k;
    }
    return 1;
}

/* The first free page at or behind @page, or @end. */
static uint32_t next_free(const struct fsi_arena_state *st, uint32_t page, uint32_t end)
{
    while (page < end) {
        uint32_t w = fsi_load_relaxed(&st->words[page / 32]) >> page % 32;

        if (w) {
            page += fsi_lowest_bit(w);
            return page < end ? page : end;
        }
        page += 32 - page % 32;
    }
    return end;
}

/* Pages that are free from @page on, at most @n. */
static uint32_t run_length(const struct fsi_arena_state *st, uint32_t page, uint32_t n)
{
    uint32_t done = 0;

    while (done < n) {
        uint32_t k = in_word(page + done, n - done);
        uint32_t used =
            ~fsi_load_relaxed(&st->words[(page + done) / 32]) & mask((page + done) % 32, k);

        if (used)
            return done + fsi_lowest_bit(used) - (page + done) % 32;
        done += k;
    }
    return n;
}

/* A run of @n free pages that begins in [@page, @end). Returns 1 and where, or 0. */
static int find_run(struct fsi_arena_state *st, uint32_t page, uint32_t end, uint32_t n,
                    uint32_t *out)
{
    for (;;) {
        uint32_t run;

        page = next_free(st, page, end);
        if (page >= end || n > st->pages - page)
            return 0;
        run = run_length(st, page, n);
        if (run == n && take_run(st, page, n)) {
            *out = page;
            return 1;
        }
        page += run ? run : 1;
    }
}

int fsif_arena_get(struct fsif_arena *a, uint32_t len, struct fsif_range *out)
{
    struct fsi_arena_state *st = a->state_;
    uint32_t n = len / FSIF_PAGE_SIZE + (len % FSIF_PAGE_SIZE != 0);
    uint32_t hint = fsi_load_relaxed(&st->hint);
    uint32_t page;

    if (n == 0 || n > st->pages)
        return -FSIF_EINVAL;
    if (hint >= st->pages)
        hint = 0;
    if (!find_run(st, hint, st->pages, n, &page) && !find_run(st, 0, hint, n, &page))
        return -FSIF_EAGAIN;
    fsi_store_relaxed(&st->hint, page + n);
    out->at = page * FSIF_PAGE_SIZE;
    out->len = len;
    return 0;
}

void fsif_arena_put(struct fsif_arena *a, const struct fsif_range *range)
{
    uint32_t page = range->at / FSIF_PAGE_SIZE;
    uint32_t n = range->len / FSIF_PAGE_SIZE + (range->len % FSIF_PAGE_SIZE != 0);

    set_bits(a->state_, page, n);
    /* What was used last is in the cache. */
    fsi_store_relaxed(&a->state_->hint, page);
}

uint32_t fsif_arena_size(const struct fsif_arena *a)
{
    return a->state_->pages * FSIF_PAGE_SIZE;
}

void *fsif_arena_at(const struct fsif_arena *a, const struct fsif_range *range)
{
    uint32_t size = fsif_arena_size(a);

    if (range->at > size || range->len > size - range->at)
        return NULL;
    return a->mem_ + range->at;
}
