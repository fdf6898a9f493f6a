/* SPDX-License-Identifier: MIT */
#ifndef FSI_CLIENT_LAYOUT_H
#define FSI_CLIENT_LAYOUT_H

/*
 * The memory of a session, one layout for all dialects that are offered:
 *
 *   dialect 3:   directory | rings of the queues | arena
 *   1 and 2:       unused  | ring | pages of the calls | unused
 *
 * The ring of dialects 1 and 2 lies behind the directory, on pages that nobody wrote to.
 */

#include <fsif/client.h>

/* What is offered, what is shared, and with which grefs. */
struct fsi_layout {
    uint32_t dialects;
    uint32_t ring_pages; /* dialects 1 and 2 */
    uint32_t calls;
    uint32_t call_pages;
    uint32_t queues; /* dialect 3 */
    uint32_t slots;
    uint32_t arena_pages;
    void *mem;
    uint32_t *grefs;
};

/** fsi_layout_init - as large as the options ask for, which fsi_layout_check() has filled in */
void fsi_layout_init(struct fsi_layout *l, const struct fsif_client_options *o);

/** fsi_layout_shrink - the next smaller one. Return: 1; 0: there is none */
int fsi_layout_shrink(struct fsi_layout *l);

/** fsi_layout_pages - of all */
uint32_t fsi_layout_pages(const struct fsi_layout *l);

/** fsi_layout_area, fsi_layout_area_pages - where the area of dialect 3 begins, and its pages */
uint32_t fsi_layout_area(const struct fsi_layout *l);
uint32_t fsi_layout_area_pages(const struct fsi_layout *l);

/** fsi_layout_old - where the ring of dialects 1 and 2 begins */
uint32_t fsi_layout_old(const struct fsi_layout *l);

/** fsi_layout_max_io - bytes of one request of dialect 3 to ask for */
uint32_t fsi_layout_max_io(const struct fsi_layout *l);

#endif
