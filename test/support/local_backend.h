/* SPDX-License-Identifier: MIT */
#ifndef FSIF_TEST_LOCAL_BACKEND_H
#define FSIF_TEST_LOCAL_BACKEND_H

/*
 * A backend in a thread of the test's own process, over the loop transport, on a memory store that
 * can be scripted: reads and writes can be held up, cut short or failed.
 */

#include <stdint.h>
#include <fsif/client.h>

struct local_backend;

struct local_backend_options {
    uint32_t read_only;
    uint32_t threads;   /* that serve each ring: 1 .. 8; more than one where requests are held up */
    uint32_t lies;      /* says of every lock that its result will come later, and it never does */
    uint32_t max_pages; /* what shares more is refused with -FSIF_E2BIG; 0: anything goes */
};

/** local_backend_try - serve an export "test" and connect a client to it; dialect 3 finds another
 * one, "other". @o, @options: may be NULL. Return: what fsif_connect() said */
int local_backend_try(const struct local_backend_options *o,
                      const struct fsif_client_options *options, struct fsif_client **client,
                      struct local_backend **out);

/** local_backend_start - the same; ends the program on error */
struct local_backend *local_backend_start(const struct local_backend_options *o,
                                          const struct fsif_client_options *options,
                                          struct fsif_client **client);

/** local_backend_stop - end the backend's side; the client may be connected still */
void local_backend_stop(struct local_backend *b);

/** local_backend_hold - from now on reads wait; @n of them may pass */
void local_backend_hold(struct local_backend *b, uint32_t n);

/** local_backend_release - let all pass */
void local_backend_release(struct local_backend *b);

/** local_backend_wait_held - until @n reads wait */
void local_backend_wait_held(struct local_backend *b, uint32_t n);

/** local_backend_short - cut what reads and writes move at byte @offset of a file: a request that
 * begins there or beyond gets @error (negative), one that crosses it moves what lies before.
 * UINT64_MAX: no more. */
void local_backend_short(struct local_backend *b, uint64_t offset, int error);

/** local_backend_lock_waiters - locks that wait */
uint32_t local_backend_lock_waiters(struct local_backend *b);

#endif
