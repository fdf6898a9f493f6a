/* SPDX-License-Identifier: MIT */
#include "layout.h"

#include <string.h>
#include <fsif/arena.h>
#include <fsif/directory.h>
#include <fsif/negotiate.h>
#include <fsif/wire.h>
#include "internal.h"

#define SLOTS_OF_A_PAGE 64u /* dialects 1 and 2 */

#define OLD_DIALECTS (FSIF_DIALECT_BIT(1) | FSIF_DIALECT_BIT(2))

#define SLOTS_DEFAULT 64u
#define SLOTS_LEAST 8u
#define ARENA_DEFAULT 1024u

/* Below this the arena shrinks only when queues and slots cannot. */
#define ARENA_MODEST 128u
#define SLOTS_MODEST 16u

/* One request takes no more than this share of the arena, so that several are under way. */
#define ARENA_SHARE 4u
#define MAX_IO (4u << 20)

static int power_of_two(uint32_t n)
{
    return n != 0 && (n & (n - 1)) == 0;
}

static int check_old(struct fsif_client_options *o, uint32_t *known)
{
    if (o->ring_pages == 0)
        o->ring_pages = 1;
    if (o->call_pages == 0)
        o->call_pages = FSIF_WIRE2_GREFS;
    if (o->ring_pages > FSIF_WIRE2_RING_PAGES || !power_of_two(o->ring_pages) ||
        o->call_pages > FSIF_WIRE2_GREFS)
        return -FSIF_EINVAL;
    /* A longer ring is not dialect 1's. */
    if (o->ring_pages > 1)
        *known &= ~FSIF_DIALECT_BIT(1);
    if (o->max_calls == 0)
        o->max_calls = o->ring_pages * SLOTS_OF_A_PAGE;
    return o->max_calls > o->ring_pages * SLOTS_OF_A_PAGE ? -FSIF_EINVAL : 0;
}

static int check_new(struct fsif_client_options *o)
{
    if (o->queues == 0)
        o->queues = 1;
    if (o->slots == 0)
        o->slots = SLOTS_DEFAULT;
    if (o->arena_pages == 0)
        o->arena_pages = ARENA_DEFAULT;
    if (!power_of_two(o->slots) || fsif_area_pages(o->queues, o->slots, o->arena_pages) == 0)
        return -FSIF_EINVAL;
    return 0;
}

int fsi_layout_check(struct fsif_client_options *o)
{
    uint32_t known = FSIF_DIALECTS_KNOWN;
    int err = check_old(o, &known);

    if (err == 0)
        err = check_new(o);
    if (err < 0)
        return err;
    o->dialects = o->dialects == 0 ? known : o->dialects & known;
    if (o->dialects == 0)
        return -FSIF_EOPNOTSUPP;
    if (!(o->dialects & FSIF_DIALECT_BIT(2)))
        o->call_pages = 1;
    return 0;
}

void fsi_layout_init(struct fsi_layout *l, const struct fsif_client_options *o)
{
    memset(l, 0, sizeof(*l));
    l->dialects = o->dialects;
    l->ring_pages = o->ring_pages;
    l->calls = o->max_calls;
    l->call_pages = o->call_pages;
    l->queues = o->queues;
    l->slots = o->slots;
    l->arena_pages = o->arena_pages;
}

uint32_t fsi_layout_area_pages(const struct fsi_layout *l)
{
    return fsif_area_pages(l->queues, l->slots, l->arena_pages);
}

uint32_t fsi_layout_area(const struct fsi_layout *l)
{
    return l->dialects & FSIF_DIALECT_BIT(3) ? fsif_directory_pages(fsi_layout_area_pages(l)) : 0;
}

uint32_t fsi_layout_old(const struct fsi_layout *l)
{
    return fsi_layout_area(l);
}

static uint32_t old_pages(const struct fsi_layout *l)
{
    return l->dialects & OLD_DIALECTS ? l->ring_pages + l->calls * l->call_pages : 0;
}

static uint32_t new_pages(const struct fsi_layout *l)
{
    return l->dialects & FSIF_DIALECT_BIT(3) ? fsi_layout_area_pages(l) : 0;
}

uint32_t fsi_layout_pages(const struct fsi_layout *l)
{
    uint32_t a = old_pages(l);
    uint32_t b = new_pages(l);

    return fsi_layout_area(l) + (a > b ? a : b);
}

uint32_t fsi_layout_max_io(const struct fsi_layout *l)
{
    uint32_t bytes = l->arena_pages / ARENA_SHARE * FSIF_PAGE_SIZE;

    return bytes > MAX_IO ? MAX_IO : bytes;
}

static uint32_t half(uint32_t n, uint32_t least)
{
    return n / 2 > least ? n / 2 : least;
}

static int shrink_new(struct fsi_layout *l)
{
    if (l->arena_pages > ARENA_MODEST)
        l->arena_pages = half(l->arena_pages, ARENA_MODEST);
    else if (l->queues > 1)
        l->queues = 1;
    else if (l->slots > SLOTS_MODEST)
        l->slots = half(l->slots, SLOTS_MODEST);
    else if (l->arena_pages > FSIF_ARENA_PAGES_MIN)
        l->arena_pages = half(l->arena_pages, FSIF_ARENA_PAGES_MIN);
    else if (l->slots > SLOTS_LEAST)
        l->slots = half(l->slots, SLOTS_LEAST);
    else
        return 0;
    return 1;
}

/* Fewer pages for each call; without dialect 3 that is all there is, with it dialects 1 and 2 are
 * given up before it is. */
static int shrink_old(struct fsi_layout *l)
{
    if (l->call_pages > 1) {
        l->call_pages = l->call_pages > 2 ? 2 : 1;
        return 1;
    }
    if (!(l->dialects & FSIF_DIALECT_BIT(3)))
        return 0;
    l->dialects &= ~OLD_DIALECTS;
    return 1;
}

/* The dialects share their pages: what makes one smaller may change nothing for all. */
int fsi_layout_shrink(struct fsi_layout *l)
{
    uint32_t before = fsi_layout_pages(l);
    int smaller;

    do {
        smaller = old_pages(l) >= new_pages(l) ? shrink_old(l) : shrink_new(l);
    } while (smaller && fsi_layout_pages(l) >= before);
    return smaller;
}
