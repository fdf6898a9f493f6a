/* SPDX-License-Identifier: MIT */
#ifndef FSI_SERVER_WORKERS_H
#define FSI_SERVER_WORKERS_H

/* A worker as the supervisor sees it: shared by workers.c and questions.c. */

#include <fsif/backend.h>
#include "supervisor.h"

struct fsi_worker {
    struct fsi_supervisor *supervisor;
    struct fsi_worker *next;
    struct fsi_worker **link;
    const struct fsif_transport *transport;
    struct fsif_peer *peer; /* NULL: the worker has all of it */
    struct fsif_credentials who;
    uint32_t session;
    uint32_t questions;
    uint32_t reports;
    int control;
    int refusing; /* does not count as a session */
    int stranger; /* may use no export at all */
    int serving;
    int asked;       /* for its figures, and did not answer yet */
    int has_figures; /* of the last time */
    struct fsi_figures figures;
    uint32_t dialect;                           /* what it says, for the operator to see */
    int64_t since;                              /* the session began: seconds of the clock */
    const char *why;                            /* it was told to end; NULL: it was not */
    int killed;                                 /* by us */
    char export_name[FSIF_EXPORT_NAME_MAX + 1]; /* that the session begins with; "": none yet */
    /* Those that were granted while it is served; dialect 3 */
    char others[FSIF_BACKEND_EXPORTS_MAX - 1][FSIF_EXPORT_NAME_MAX + 1];
    uint32_t nothers;
    uint32_t queues;
    uint64_t serving_since; /* milliseconds of the loop's clock */
    uv_process_t process;
    uv_poll_t poll;
    uv_timer_t deadline;
    int has_process; /* the handle is libuv's, whether a process came of it or not */
    int handles;     /* open ones of the three above */
};

/** fsi_worker_log - a line about a worker and its peer; @reason may be NULL */
void fsi_worker_log(struct fsi_worker *w, int level, const char *event, const char *export_name,
                    const char *reason);

/* Room for a peer in words */
#define FSI_PEER_TEXT 64u

/** fsi_worker_peer - who the peer is, in words */
void fsi_worker_peer(const struct fsi_worker *w, char out[FSI_PEER_TEXT]);

/** fsi_worker_has - whether its session was granted an export. Return: 1 or 0 */
int fsi_worker_has(const struct fsi_worker *w, const char *name);

/**
 * fsi_worker_answer_export, fsi_worker_answer_exports - answer a question
 *
 * Return: 0; a negative FSIF_E*, as fsi_control_send()
 */
int fsi_worker_answer_export(struct fsi_worker *w, const char *name);
int fsi_worker_answer_exports(struct fsi_worker *w, const char *after);

#endif
