/* SPDX-License-Identifier: MIT */
#ifndef FSI_SERVER_QUEUE_H
#define FSI_SERVER_QUEUE_H

/* The threads that serve one ring. */

#include <stdint.h>
#include <fsif/backend.h>
#include "common.h"

struct fsi_queue;

/* What fsi_queue_close() and the end of a session want */
enum fsi_close {
    FSI_CLOSE_DRAIN = 1, /* answer what the peer has published */
    FSI_CLOSE_NOW = 2,   /* take nothing more off the ring; what runs is answered */
};

struct fsi_queue_config {
    struct fsif_backend *backend;
    const struct fsif_transport *transport;
    struct fsif_session *session;
    uint32_t queue; /* for the transport's bell */
    uint32_t slots; /* of the ring; 0: as many as fit into ring_pages in any other dialect */
    uint32_t ring_pages;
    uint32_t threads;        /* at most; 1 .. 256 */
    uint32_t slow_threshold; /* milliseconds until a spare thread takes the ring over */
    uint32_t spin; /* microseconds to look out for a request before sleeping, at most; 0: none */
    const struct fsi_common *common; /* places for that; outlives the queue */
    uint32_t session_number;         /* for them */
    /* Called once, on one of the threads, when no request is under way and none will be: after
     * fsi_queue_close(), or because the peer broke the protocol (@status -FSIF_EPROTO). */
    void (*closed)(void *arg, int status);
    /* Called when a directory was watched, or may be, on the thread that did. May be NULL */
    void (*watched)(void *arg);
    void *arg;
};

/** fsi_queue_start - Return: 0; a negative FSIF_E* */
int fsi_queue_start(const struct fsi_queue_config *config, struct fsi_queue **out);

/** fsi_queue_figures - add what was carried out so far: requests, and bytes of data. Threads: any
 */
void fsi_queue_figures(struct fsi_queue *q, uint64_t *requests, uint64_t *bytes);

/** fsi_queue_close - any thread, any number of times; returns at once */
void fsi_queue_close(struct fsi_queue *q, enum fsi_close how);

/** fsi_queue_destroy - only after closed() was called; waits for the threads to leave */
void fsi_queue_destroy(struct fsi_queue *q);

#endif
