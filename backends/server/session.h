/* SPDX-License-Identifier: MIT */
#ifndef FSI_SERVER_SESSION_H
#define FSI_SERVER_SESSION_H

/* A worker's one session: the handshake with its peer, and what it stands on afterwards. */

#include <pthread.h>
#include <fsif/backend.h>
#include <fsif/host.h>
#include "area.h"
#include "attach.h"
#include "common.h"
#include "control.h"

struct fsi_session {
    struct fsif_log log;
    pthread_mutex_t log_lock; /* the hooks run on the queue's threads */
    int control;
    struct fsi_hello hello;
    struct fsif_registry *registry;
    const struct fsif_transport *transport;
    struct fsif_session *peer;
    struct fsi_opening opening;         /* of the export that it begins with */
    struct fsi_attachments attachments; /* that one, open, and others */
    struct fsi_area area;
    uint32_t dialect;
    uint32_t quirks; /* of the peer, as the transport found */
    struct fsi_common common;
    struct fsif_hooks hooks;
    void (*waiting)(void *arg); /* a lock does; set by who serves */
    void *waiting_arg;
    struct fsi_engine {
        struct fsif_backend backend;
        void *state; /* a mapping of its own, which a successor could share */
        size_t state_size;
    } engines[FSIF_QUEUES_MAX];
    uint32_t nqueues; /* engines that run */
    int running;      /* all of them do */
    int stop;         /* the supervisor wants no session any more */
};

/**
 * fsi_session_import - read the hello message and take the peer over
 *
 * @plugin_dir: as fsif_registry_create()
 *
 * Return: FSI_END_OK or why the worker ends
 */
enum fsi_end fsi_session_import(struct fsi_session *s, const char *plugin_dir);

/**
 * fsi_session_handshake - answer the peer's offers until one of them starts the session
 *
 * Return: FSI_END_OK and @s->running is set: serve; FSI_END_OK and it is not: the peer only looked
 *         at the exports, or the daemon stops; else why the worker ends
 */
enum fsi_end fsi_session_handshake(struct fsi_session *s);

/** fsi_session_report - have the supervisor log why something ended. Threads: any */
void fsi_session_report(struct fsi_session *s, const char *event, const char *reason);

/**
 * fsi_session_open_store - open the store that the supervisor's answer tells of
 *
 * @root_fd: what came with it, or -1; taken over
 * @ops:     receives the store's members, without those that the export is to lack
 *
 * Threads: one at a time
 */
int fsi_session_open_store(struct fsi_session *s, const struct fsi_opening *opening, int root_fd,
                           struct fsif_store_ops *ops, struct fsif_store **store);

/** fsi_session_fini - close everything; no queue may run */
void fsi_session_fini(struct fsi_session *s);

#endif
