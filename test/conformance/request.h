/* SPDX-License-Identifier: MIT */
#ifndef FSIF_TEST_REQUEST_H
#define FSIF_TEST_REQUEST_H

/* Requests for which the client has no call of its own. */

#include <stdatomic.h>
#include <fsif/client.h>

struct request {
    struct fsif_call call; /* op is the caller's, the rest is filled in */
    atomic_int done;
};

/** request_run - carry it out. Return: its value, or why it could not be sent */
int64_t request_run(struct fsif_client *cl, struct request *r);

#endif
