/* SPDX-License-Identifier: MIT */
#ifndef FSIF_TEST_HARNESS_H
#define FSIF_TEST_HARNESS_H

/*
 * A backend in this process: a session over the loop transport, served by threads of its own on a
 * store of the caller's.
 */

#include <stdint.h>
#include <fsif/client.h>
#include <fsif/store.h>

struct harness;

struct harness_options {
    const struct fsif_store_ops *ops;
    struct fsif_store *store; /* stays the caller's, and may serve several harnesses */
    struct fsif_store *other; /* dialect 3: the export "other", or NULL */
    uint32_t read_only;       /* what the answer says; the store must be told itself */
    uint32_t threads;         /* executing at once; 0: 1 */
    uint32_t max_handles;     /* 0: 256 */
    const struct fsif_hooks *hooks;
    struct fsif_client_options client; /* dialects, ring_pages and so on; size 0: the defaults */
};

/**
 * harness_start - start a backend and connect a client to it
 *
 * Return: 0 or a negative FSIF_E*
 */
int harness_start(const struct harness_options *o, struct harness **out, struct fsif_client **cl);

/** harness_stop - after the client disconnected: end the backend's threads. NULL is ignored. */
void harness_stop(struct harness *h);

/** harness_bells - doorbells that went through the loop transport in either direction, of all
 * harnesses of the process */
uint32_t harness_bells(void);

#endif
