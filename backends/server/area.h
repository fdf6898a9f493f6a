/* SPDX-License-Identifier: MIT */
#ifndef FSI_SERVER_AREA_H
#define FSI_SERVER_AREA_H

/* The memory that a session's peer shares: rings, and in dialect 3 the arena too. */

#include <fsif/negotiate.h>
#include <fsif/transport.h>

struct fsi_area {
    void *mem; /* NULL: not mapped */
    uint32_t pages;
    uint32_t ring_pages; /* of each queue's ring */
    uint32_t queues;     /* that have one, used or not */
    uint32_t slots;      /* dialect 3: of each */
    uint32_t arena_pages;
};

/**
 * fsi_area_map - map what an offer names, for the session's life
 *
 * In dialect 3 the grant directory is read, and checked: no page may have two uses.
 *
 * Return: 0; -FSIF_EINVAL, -FSIF_EFAULT bad grefs; -FSIF_ENOMEM; another of the transport's errors
 */
int fsi_area_map(const struct fsif_transport *t, struct fsif_session *peer,
                 const struct fsif_offer *offer, uint32_t dialect, struct fsi_area *out);

/** fsi_area_ring - where queue @queue's ring lies */
void *fsi_area_ring(const struct fsi_area *a, uint32_t queue);

/** fsi_area_arena - where the arena begins */
void *fsi_area_arena(const struct fsi_area *a);

void fsi_area_unmap(const struct fsif_transport *t, struct fsif_session *peer, struct fsi_area *a);

#endif
