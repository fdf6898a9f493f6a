/* SPDX-License-Identifier: MIT */
#ifndef FSI_SERVER_SUPERVISOR_H
#define FSI_SERVER_SUPERVISOR_H

/*
 * The supervisor: one libuv loop that accepts peers, starts a worker for each and answers the
 * workers' questions. It reads nothing that a peer wrote.
 */

#include <fsif/host.h>
#include <uv.h>
#include "common.h"
#include "control.h"
#include "options.h"

struct fsi_worker;
struct fsi_admin;

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
    struct fsif_log log;        /* the daemon's own life */
    struct fsif_log peer_log;   /* what peers cause in good order: limited on its own */
    struct fsif_log fault_log;  /* and what they do wrong, so that it does not hide the other */
    struct fsif_log denied_log; /* what they may not use: they can ask again and again */
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
    uint32_t nasked;     /* for their figures, without an answer yet */
    uint32_t last_session;
    struct fsi_admin *admin; /* the control socket; NULL: none */
    struct fsi_common common;
    int common_fd;      /* for workers */
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

/** fsi_worker_end - have a worker answer what it has and end; killed when that takes too long */
void fsi_worker_end(struct fsi_worker *w, const char *why);

/**
 * fsi_workers_recheck - end the sessions of an export whose peers may not use it any more
 *
 * Return: how many
 */
uint32_t fsi_workers_recheck(struct fsi_supervisor *sv, const char *name, const char *why);

/** fsi_workers_ask - ask each worker for its figures. Return: how many have yet to answer */
uint32_t fsi_workers_ask(struct fsi_supervisor *sv);

/** fsi_workers_kill - end every worker now */
void fsi_workers_kill(struct fsi_supervisor *sv);

/** fsi_supervisor_worker_gone - a worker was reaped and forgotten */
void fsi_supervisor_worker_gone(struct fsi_supervisor *sv);

/* --- admin.c: the control socket -------------------------------------------------------------- */

/**
 * fsi_admin_open - bind the control socket, where there shall be one, and watch it
 *
 * Return: 0, and @sv->admin unless there is none; a negative FSIF_E* and @err
 */
int fsi_admin_open(struct fsi_supervisor *sv, struct fsi_error *err);

/** fsi_admin_close - hang up on everybody and remove the socket; the loop runs once more */
void fsi_admin_close(struct fsi_admin *a);

/** fsi_admin_free - after the loop has closed its handles */
void fsi_admin_free(struct fsi_admin *a);

/** fsi_admin_refreshed - every worker that was asked has answered */
void fsi_admin_refreshed(struct fsi_admin *a);

/* --- admin_requests.c ------------------------------------------------------------------------- */

/**
 * fsi_admin_carry_out - answer a request
 *
 * Return: 0; 1: the answer is due when fsi_admin_refreshed() was called
 */
int fsi_admin_carry_out(struct fsi_supervisor *sv, const struct fsif_dict *in,
                        struct fsif_dict *out);

#endif
