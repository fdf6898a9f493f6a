/* SPDX-License-Identifier: MIT */
#ifndef FSI_SERVER_SUPERVISOR_H
#define FSI_SERVER_SUPERVISOR_H

/*
 * The supervisor: one libuv loop that accepts peers, starts a worker for each and answers the
 * workers' questions. It reads nothing that a peer wrote.
 */

#include <fsif/host.h>
#include <uv.h>
#include "control.h"
#include "options.h"

struct fsi_worker;

struct fsi_listener {
    struct fsi_supervisor *supervisor;
    const char *address;
    const struct fsif_transport *transport;
    struct fsif_listener *listener; /* NULL: closed */
    uv_poll_t poll;
    uv_timer_t pause; /* runs while descriptors are short */
};

struct fsi_supervisor {
    struct fsi_options *options;
    struct fsi_self self;
    struct fsif_registry *registry;
    struct fsif_log log;       /* the daemon's own life */
    struct fsif_log peer_log;  /* what peers cause in good order: limited on its own */
    struct fsif_log fault_log; /* and what they do wrong, so that it does not hide the other */
    uv_loop_t loop;
    uv_signal_t term;
    uv_signal_t interrupt;
    uv_signal_t hangup;
    uv_timer_t stop_timer;
    struct fsi_listener *listeners;
    size_t nlisteners;
    struct fsi_worker *workers;
    uint32_t nworkers;   /* processes */
    uint32_t nsessions;  /* of them, those that count against the limit */
    uint32_t nstrangers; /* and those of peers that may use nothing */
    uint32_t last_session;
    int program_fd;     /* this program, to be started again as a worker */
    int reserve_fd;     /* closed to get out of a shortage of descriptors */
    char **environment; /* of workers */
    int stopping;
};

/**
 * fsi_supervisor_run - open, listen, serve until a signal
 *
 * Return: exit code of the process
 */
int fsi_supervisor_run(struct fsi_options *options, struct fsi_error *err);

/* --- workers.c ------------------------------------------------------------------------------ */

/** fsi_workers_start - a worker for an accepted peer; takes the peer over, on error too */
void fsi_workers_start(struct fsi_supervisor *sv, const struct fsi_listener *from,
                       struct fsif_peer *peer);

/** fsi_workers_drain - tell every worker to answer what it has and end */
void fsi_workers_drain(struct fsi_supervisor *sv);

/** fsi_workers_kill - end every worker now */
void fsi_workers_kill(struct fsi_supervisor *sv);

/** fsi_supervisor_worker_gone - a worker was reaped and forgotten */
void fsi_supervisor_worker_gone(struct fsi_supervisor *sv);

#endif
