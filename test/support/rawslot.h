/* SPDX-License-Identifier: MIT */
#ifndef TEST_RAWSLOT_H
#define TEST_RAWSLOT_H

/*
 * Slots made by hand. The tests are written with those of dialect 1; with RAW_DIALECT 2 what goes
 * to the ring and comes from it is turned into that dialect's, so that the same tests run with
 * both. What dialect 2 does not have a page for, the attributes, is moved between the slot and the
 * page that dialect 1 has.
 */

#include <fsif/wire.h>

#ifndef RAW_DIALECT
#define RAW_DIALECT 1
#endif

#define RAW_IDS FSIF_WIRE1_SLOTS
#if RAW_DIALECT == 2
#define RAW_SLOT FSIF_WIRE2_SLOT
#define RAW_MAX_IO FSIF_WIRE2_MAX_IO
#else
#define RAW_SLOT FSIF_WIRE1_SLOT
#define RAW_MAX_IO 4096u
#endif

/** raw_put_request, raw_get_request - RAW_SLOT bytes of a ring's slot */
void raw_put_request(volatile unsigned char *slot, const struct fsif_wire1_request *rq);
void raw_get_request(const volatile unsigned char *slot, struct fsif_wire1_request *rq);

/** raw_put_response, raw_get_response - @type: of the request. @page: its page */
void raw_put_response(volatile unsigned char *slot, uint32_t type, const unsigned char *page,
                      const struct fsif_wire1_response *rsp);
void raw_get_response(const volatile unsigned char *slot, uint32_t type, unsigned char *page,
                      struct fsif_wire1_response *rsp);

#endif
