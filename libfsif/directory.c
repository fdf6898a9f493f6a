/* SPDX-License-Identifier: MIT */
#include <fsif/directory.h>

#include "codec.h"
#include "le.h"
#include "mem.h"
#include <fsif/arena.h>
#include <fsif/op.h>
#include <fsif/wire.h>

#define REFS FSIF_WIRE3_DIRECTORY_REFS
#define REF(i) (4u * ((i) + 1))

uint32_t fsif_area_pages(uint32_t queues, uint32_t slots, uint32_t arena_pages)
{
    uint32_t responses;

    if (!queues || queues > FSIF_WIRE3_QUEUES_MAX || !fsif_arena_state_size(arena_pages) ||
        !fsi_dialect_layout(&fsi_dialect3, 0, slots, &responses))
        return 0;
    return queues * (uint32_t)(fsif_ring_bytes(slots) / FSIF_PAGE_SIZE) + arena_pages;
}

uint32_t fsif_directory_pages(uint32_t area_pages)
{
    return (area_pages + REFS - 1) / REFS;
}

void fsif_directory_write(void *pages, const uint32_t *grefs, const uint32_t *area_grefs,
                          uint32_t n)
{
    uint8_t *page = (uint8_t *)pages;

    for (uint32_t i = 0; i < n; i++) {
        if (i % REFS == 0) {
            page = (uint8_t *)pages + (size_t)(i / REFS) * FSIF_PAGE_SIZE;
            fsi_memset(page, 0, FSIF_PAGE_SIZE);
            if (n - i > REFS)
                fsi_put32(page, grefs[i / REFS + 1]);
        }
        fsi_put32(page + REF(i % REFS), area_grefs[i]);
    }
}

int fsif_directory_read(const struct fsif_transport *t, struct fsif_session *session, uint32_t gref,
                        uint32_t *out, uint32_t n)
{
    uint8_t page[FSIF_PAGE_SIZE];

    for (uint32_t i = 0; i < n; i++) {
        if (i % REFS == 0) {
            uint32_t left = n - i < REFS ? n - i : REFS;
            int err = t->copy_from(session, gref, 0, page, REF(left));

            if (err)
                return err;
            gref = fsi_get32(page);
        }
        out[i] = fsi_get32(page + REF(i % REFS));
    }
    return 0;
}
