/* SPDX-License-Identifier: MIT */
#include "area.h"

#include <fsif/directory.h>
#include <fsif/op.h>
#include <stdlib.h>
#include <string.h>

static uint32_t little_endian(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/*
 * Whether a page of the directory is part of the area too. It would harm nobody but who offers it,
 * and so it does not matter if the directory is another one when it is read.
 */
static int check_own(const struct fsif_transport *t, struct fsif_session *peer, uint32_t gref,
                     const uint32_t *grefs, uint32_t n)
{
    uint8_t next[4];

    for (uint32_t i = 0; i < fsif_directory_pages(n); i++) {
        int rc;

        for (uint32_t k = 0; k < n; k++)
            if (grefs[k] == gref)
                return -FSIF_EINVAL;
        rc = t->copy_from(peer, gref, 0, next, sizeof(next));
        if (rc)
            return rc;
        gref = little_endian(next);
    }
    return 0;
}

static int map_area(const struct fsif_transport *t, struct fsif_session *peer,
                    const struct fsif_offer *offer, struct fsi_area *out)
{
    uint32_t *grefs = malloc(out->pages * sizeof(*grefs));
    int rc;

    if (!grefs)
        return -FSIF_ENOMEM;
    rc = fsif_directory_read(t, peer, offer->directory, grefs, out->pages);
    if (!rc)
        rc = check_own(t, peer, offer->directory, grefs, out->pages);
    if (!rc)
        rc = t->map(peer, grefs, out->pages, &out->mem);
    free(grefs);
    return rc;
}

int fsi_area_map(const struct fsif_transport *t, struct fsif_session *peer,
                 const struct fsif_offer *offer, uint32_t dialect, struct fsi_area *out)
{
    memset(out, 0, sizeof(*out));
    if (dialect != 3) {
        out->queues = 1;
        out->pages = out->ring_pages = offer->ring_pages;
        return t->map(peer, offer->ring_grefs, out->pages, &out->mem);
    }
    out->pages = fsif_area_pages(offer->queues, offer->slots, offer->arena_pages);
    if (!out->pages)
        return -FSIF_EINVAL;
    out->queues = offer->queues;
    out->slots = offer->slots;
    out->arena_pages = offer->arena_pages;
    out->ring_pages = (out->pages - out->arena_pages) / out->queues;
    return map_area(t, peer, offer, out);
}

void *fsi_area_ring(const struct fsi_area *a, uint32_t queue)
{
    return (char *)a->mem + (size_t)queue * a->ring_pages * FSIF_PAGE_SIZE;
}

void *fsi_area_arena(const struct fsi_area *a)
{
    return fsi_area_ring(a, a->queues);
}

void fsi_area_unmap(const struct fsif_transport *t, struct fsif_session *peer, struct fsi_area *a)
{
    if (a->mem)
        t->unmap(peer, a->mem, a->pages);
    a->mem = NULL;
}
