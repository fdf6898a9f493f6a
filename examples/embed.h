/* SPDX-License-Identifier: MIT */
#ifndef EXAMPLE_EMBED_H
#define EXAMPLE_EMBED_H

/* A backend in a thread: what three of the examples serve their exports with. */

#include <pthread.h>
#include <fsif/fsif.h>

struct embed {
    const struct fsif_transport *transport;
    struct fsif_session *session;
    const struct fsif_store_ops *store_ops;
    struct fsif_store *store;
    pthread_t thread;
    int result; /* 0, or the negative FSIF_E* that ended it */
};

/* Fill in the first four members, start, connect a client, use it, disconnect it, join. The thread
 * closes the session when the client is gone. Return: 0, or a negative FSIF_E* */
int embed_start(struct embed *e);
int embed_join(struct embed *e);

#endif
