/* SPDX-License-Identifier: MIT */
#ifndef TEST_SHM_FIXTURE_H
#define TEST_SHM_FIXTURE_H

/* A listener in a folder of its own, and both ends of one session, with memory and not started. */

#include <stdint.h>
#include <fsif/dict.h>
#include <fsif/transport.h>
#include "scratch.h"

#define PAGES 8u

extern const struct fsif_transport *const t;
extern char dir[256], address[512];
extern struct fsif_listener *listener;
extern struct fsif_session *front, *back;
extern unsigned char *mem; /* of the frontend: PAGES, which grefs name */
extern uint32_t grefs[PAGES];

void shm_setup(void);

/** shm_teardown - closes everything; no descriptor may be left */
void shm_teardown(void);

/** shm_connect - front and back anew, which share @pages pages */
void shm_connect(uint32_t pages, uint32_t *numbers, unsigned char **at);

/** shm_raw_backend - a session whose frontend is the plain socket @sock, for packets that ours
 * never sends */
struct fsif_session *shm_raw_backend(int *sock);

/** shm_offer_of - the keys of an offer that asks for @request */
void shm_offer_of(struct fsif_dict *d, const char *request, uint32_t pages);

#endif
