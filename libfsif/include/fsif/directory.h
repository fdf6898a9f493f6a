/* SPDX-License-Identifier: MIT */
#ifndef FSIF_DIRECTORY_H
#define FSIF_DIRECTORY_H

/*
 * The grant directory of dialect 3: shared pages that tell the backend the grefs of the session's
 * area, which is the rings of its queues and then the arena, one after the other.
 */

#include <stddef.h>
#include <stdint.h>
#include <fsif/transport.h>

#ifdef __cplusplus
extern "C" {
#endif

/** fsif_area_pages - pages of an area. Return: 0 if it has no such layout */
uint32_t fsif_area_pages(uint32_t queues, uint32_t slots, uint32_t arena_pages);

/** fsif_directory_pages - pages of the directory of an area of @area_pages pages */
uint32_t fsif_directory_pages(uint32_t area_pages);

/**
 * fsif_directory_write - fill a directory in, before it is offered
 *
 * @pages:      its pages, shared, contiguous
 * @grefs:      of them
 * @area_grefs: @n grefs of the area's pages, in order
 */
void fsif_directory_write(void *pages, const uint32_t *grefs, const uint32_t *area_grefs,
                          uint32_t n);

/**
 * fsif_directory_read - a peer's directory, each word of it read once
 *
 * @gref: of its first page
 * @out:  room for @n grefs; nothing about them is known but their number
 *
 * Return: 0; the errors of the transport's copy_from
 */
int fsif_directory_read(const struct fsif_transport *transport, struct fsif_session *session,
                        uint32_t gref, uint32_t *out, uint32_t n);

#ifdef __cplusplus
}
#endif
#endif
