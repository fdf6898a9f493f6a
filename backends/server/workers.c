/* SPDX-License-Identifier: MIT */
/*
 * The supervisor's side of a worker's life:
 *
 *   spawned --message=serving--> serving --exit--> reaped
 *      |  \--handshake deadline--> killed --exit--> reaped
 *      '--bad or too many messages--> killed --exit--> reaped
 *
 * A worker leaves the list when its process was reaped; its memory goes when libuv has closed its
 * handles. It is believed in nothing: each question is answered from the credentials that the
 * kernel gave when the peer was accepted.
 */
#include "supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Questions of one worker: more than the pages of the longest listing need. */
#define MAX_QUESTIONS 4096u
/* Workers beyond the limit of sessions that only tell their peer so */
#define MAX_REFUSALS 8u
/* The worker's own deadline comes first, because its peer gets an answer then. */
#define DEADLINE_SLACK_MS 2000u

struct fsi_worker {
    struct fsi_supervisor *supervisor;
    struct fsi_worker *next;
    struct fsi_worker **link;
    const struct fsif_transport *transport;
    struct fsif_peer *peer; /* NULL: the worker has all of it */
    struct fsif_credentials who;
    uint32_t session;
    uint32_t questions;
    int control;
    int refusing; /* does not count as a session */
    int serving;
    int killed;                                 /* by us */
    char export_name[FSIF_EXPORT_NAME_MAX + 1]; /* the one granted; "": none yet */
    uv_process_t process;
    uv_poll_t poll;
    uv_timer_t deadline;
    int has_process; /* the handle is libuv's, whether a process came of it or not */
    int handles;     /* open ones of the three above */
};

/* --- logs ----------------------------------------------------------------------------------- */

static void describe(const struct fsif_credentials *who, char *out, size_t size)
{
    if (who->kind == FSIF_CREDENTIAL_USER && who->uid == FSIF_CREDENTIAL_UNKNOWN)
        snprintf(out, size, "uid:unknown,pid:%d", who->pid);
    else if (who->kind == FSIF_CREDENTIAL_USER)
        snprintf(out, size, "uid:%u,gid:%u,pid:%d", who->uid, who->gid, who->pid);
    else if (who->kind == FSIF_CREDENTIAL_DOMAIN)
        snprintf(out, size, "domain:%u", who->domid);
    else
        snprintf(out, size, "unknown");
}

static void log_worker(struct fsi_worker *w, int level, const char *event, const char *export_name,
                       const char *reason)
{
    struct fsi_supervisor *sv = w->supervisor;
    char id[16];
    char peer[64];

    snprintf(id, sizeof(id), "%u", w->session);
    describe(&w->who, peer, sizeof(peer));
    fsif_log_limited(level <= FSIF_LOG_WARNING ? &sv->fault_log : &sv->peer_log, level, event,
                     "session", id, "transport", w->transport->name, "peer", peer, "export",
                     export_name, reason ? "reason" : (const char *)NULL, reason,
                     (const char *)NULL);
}

static void log_exit(struct fsi_worker *w, int64_t status, int signal_number)
{
    const char *reason = fsi_end_text((int)status);
    char text[64];
    int bad = signal_number || status != FSI_END_OK;

    if (signal_number) {
        snprintf(text, sizeof(text), w->killed ? "killed" : "worker died of signal %d",
                 signal_number);
        reason = text;
    } else if (!bad && w->supervisor->stopping) {
        reason = "the daemon stops";
    }
    if (w->serving)
        log_worker(w, bad ? FSIF_LOG_WARNING : FSIF_LOG_INFO, "session-end", w->export_name,
                   reason);
    else
        log_worker(w, bad ? FSIF_LOG_WARNING : FSIF_LOG_DEBUG, "handshake-end", w->export_name,
                   reason);
}

/* --- end -------------------------------------------------------------------------------------- */

static void on_handle_closed(uv_handle_t *handle)
{
    struct fsi_worker *w = handle->data;

    if (--w->handles)
        return;
    close(w->control);
    free(w);
}

static void forget(struct fsi_worker *w)
{
    struct fsi_supervisor *sv = w->supervisor;

    if (w->peer)
        w->transport->peer_close(w->peer);
    *w->link = w->next;
    if (w->next)
        w->next->link = w->link;
    sv->nworkers--;
    if (!w->refusing)
        sv->nsessions--;
    uv_close((uv_handle_t *)&w->process, on_handle_closed);
    uv_close((uv_handle_t *)&w->poll, on_handle_closed);
    uv_close((uv_handle_t *)&w->deadline, on_handle_closed);
    fsi_supervisor_worker_gone(sv);
}

static void kill_worker(struct fsi_worker *w)
{
    w->killed = 1;
    uv_poll_stop(&w->poll);
    uv_process_kill(&w->process, SIGKILL);
}

/* --- questions -------------------------------------------------------------------------------- */

/* The same answer whether there is no such export or the peer may not use it. */
static const struct fsi_export *look_up(struct fsi_worker *w, const char *name)
{
    struct fsi_supervisor *sv = w->supervisor;
    const struct fsi_export *e =
        fsi_exports_find(sv->options->exports, sv->options->nexports, name);

    if (e && fsi_export_allows(e, &sv->self, &w->who))
        return e;
    log_worker(w, FSIF_LOG_WARNING, "denied", name, e ? "not allowed" : "no such export");
    return NULL;
}

static int answer_export(struct fsi_worker *w, const char *name)
{
    const struct fsi_export *e = look_up(w, name);
    struct fsi_opening opening;
    struct fsif_dict answer;
    int rc;

    memset(&opening, 0, sizeof(opening));
    if (!e) {
        opening.status = -FSIF_ENOENT;
    } else {
        strcpy(opening.name, e->name);
        strcpy(opening.store, e->store);
        if (e->root_fd < 0)
            snprintf(opening.source, sizeof(opening.source), "%s", e->source);
        opening.max_handles = e->max_handles;
        opening.config.read_only = e->read_only;
        opening.config.setid = e->setid;
        opening.config.xdev = e->xdev;
        opening.config.max_bytes = e->max_bytes;
        opening.config.max_nodes = e->max_nodes;
        fsi_export_owner(e, &w->supervisor->self, &w->who, &opening.config);
    }
    rc = fsi_opening_write(&opening, &answer);
    if (!rc)
        rc = fsi_control_send(w->control, &answer, e ? e->root_fd : -1);
    if (!rc && e)
        strcpy(w->export_name, e->name);
    return rc;
}

static int answer_exports(struct fsi_worker *w, const char *after)
{
    struct fsi_supervisor *sv = w->supervisor;
    struct fsif_dict answer;

    fsi_exports_page(sv->options->exports, sv->options->nexports, &sv->self, &w->who, after,
                     &answer);
    return fsi_control_send(w->control, &answer, -1);
}

static void begin_serving(struct fsi_worker *w)
{
    w->serving = 1;
    uv_timer_stop(&w->deadline);
    log_worker(w, FSIF_LOG_INFO, "session-begin", w->export_name, NULL);
}

/* Returns 0, or anything else if the worker makes no sense. */
static int take_message(struct fsi_worker *w, const struct fsif_dict *message)
{
    char name[FSIF_EXPORT_NAME_MAX + 1];

    if (w->serving || ++w->questions > MAX_QUESTIONS)
        return -FSIF_EPROTO;
    if (fsi_message_is(message, "serving")) {
        if (!w->export_name[0])
            return -FSIF_EPROTO;
        begin_serving(w);
        return 0;
    }
    if (fsif_dict_get(message, "name", name, sizeof(name)) < 0)
        return -FSIF_EPROTO;
    if (fsi_message_is(message, "exports"))
        return answer_exports(w, name);
    if (fsi_message_is(message, "export") && fsif_export_name_valid(name))
        return answer_export(w, name);
    return -FSIF_EPROTO;
}

/* Returns 1 if there may be more. */
static int read_control(struct fsi_worker *w)
{
    struct fsif_dict message;
    int rc = fsi_control_receive(w->control, &message, NULL);

    if (rc == -FSIF_EAGAIN)
        return 0;
    if (rc == -FSIF_EPIPE) {
        /* It is about to end; the exit says how. */
        uv_poll_stop(&w->poll);
        return 0;
    }
    if (!rc)
        rc = take_message(w, &message);
    if (rc && rc != -FSIF_EPIPE) {
        log_worker(w, FSIF_LOG_WARNING, "worker-refused", w->export_name, fsif_strerror(rc));
        kill_worker(w);
        return 0;
    }
    return !rc;
}

static void on_control(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    read_control(poll->data);
}

static void on_deadline(uv_timer_t *timer)
{
    struct fsi_worker *w = timer->data;

    log_worker(w, FSIF_LOG_WARNING, "handshake-late", w->export_name, NULL);
    kill_worker(w);
}

static void on_exit_of(uv_process_t *process, int64_t status, int signal_number)
{
    struct fsi_worker *w = process->data;

    /* What it said last may still wait. */
    if (!w->killed)
        while (read_control(w))
            ;
    log_exit(w, status, signal_number);
    forget(w);
}

/* --- start ------------------------------------------------------------------------------------ */

static int spawn(struct fsi_worker *w, int control, const int *fds, size_t nfds)
{
    struct fsi_supervisor *sv = w->supervisor;
    uv_stdio_container_t stdio[FSI_WORKER_TRANSPORT + FSIF_EXPORT_FDS];
    char program[32];
    char *arguments[] = {"fsif-backend", "--worker", sv->options->plugin_dir, NULL};
    uv_process_options_t options;

    memset(&options, 0, sizeof(options));
    memset(stdio, 0, sizeof(stdio));
    stdio[0].flags = stdio[1].flags = UV_IGNORE;
    stdio[FSI_WORKER_LOG].flags = stdio[FSI_WORKER_CONTROL].flags = UV_INHERIT_FD;
    stdio[FSI_WORKER_LOG].data.fd = STDERR_FILENO;
    stdio[FSI_WORKER_CONTROL].data.fd = control;
    for (size_t i = 0; i < nfds; i++) {
        stdio[FSI_WORKER_TRANSPORT + i].flags = UV_INHERIT_FD;
        stdio[FSI_WORKER_TRANSPORT + i].data.fd = fds[i];
    }
    snprintf(program, sizeof(program), "/proc/self/fd/%d", sv->program_fd);
    options.exit_cb = on_exit_of;
    options.file = program;
    options.args = arguments;
    options.env = sv->environment;
    options.cwd = "/";
    /* A session of its own: the terminal's ^C is for the supervisor, which drains its workers. */
    options.flags = UV_PROCESS_DETACHED;
    options.stdio = stdio;
    options.stdio_count = FSI_WORKER_TRANSPORT + (int)nfds;
    w->has_process = 1;
    w->handles++;
    return uv_spawn(&sv->loop, &w->process, &options) ? -FSIF_EAGAIN : 0;
}

static uint32_t sessions_of(const struct fsi_supervisor *sv, const struct fsif_credentials *who)
{
    uint32_t n = 0;

    for (const struct fsi_worker *w = sv->workers; w; w = w->next)
        n += !w->refusing && w->who.kind == who->kind && w->who.uid == who->uid &&
             w->who.domid == who->domid;
    return n;
}

/* Returns 0: serve it; 1: only tell it that a limit is reached; -1: not even that. */
static int admit(struct fsi_supervisor *sv, const struct fsif_credentials *who)
{
    if (sv->nsessions < sv->options->max_sessions &&
        sessions_of(sv, who) < sv->options->max_sessions_per_peer)
        return 0;
    return sv->nworkers - sv->nsessions < MAX_REFUSALS ? 1 : -1;
}

/* @fds: borrowed from the peer. Returns 0, or a negative FSIF_E* and nothing runs. */
static int start_process(struct fsi_worker *w, const struct fsi_hello *hello, const int *fds)
{
    struct fsi_supervisor *sv = w->supervisor;
    struct fsif_dict message;
    int pair[2];
    int rc = fsi_hello_write(hello, &message);

    if (!rc)
        rc = fsi_control_pair(pair);
    if (rc)
        return rc;
    w->control = pair[0];
    w->process.data = w->poll.data = w->deadline.data = w;
    uv_timer_init(&sv->loop, &w->deadline);
    uv_poll_init(&sv->loop, &w->poll, w->control);
    w->handles = 2;
    rc = fsi_control_send(w->control, &message, -1);
    if (!rc)
        rc = spawn(w, pair[1], fds, hello->nfds);
    close(pair[1]);
    return rc;
}

static void fill_hello(const struct fsi_worker *w, struct fsi_hello *hello)
{
    const struct fsi_options *o = w->supervisor->options;

    memset(hello, 0, sizeof(*hello));
    snprintf(hello->transport, sizeof(hello->transport), "%s", w->transport->name);
    hello->session = w->session;
    hello->log_level = o->log_level;
    hello->max_pages = o->max_pages;
    hello->threads = o->threads;
    hello->slow_threshold = o->slow_threshold;
    hello->handshake_timeout = o->handshake_timeout;
    hello->refuse = w->refusing ? FSIF_EAGAIN : 0;
}

static void enlist(struct fsi_worker *w)
{
    struct fsi_supervisor *sv = w->supervisor;

    w->next = sv->workers;
    w->link = &sv->workers;
    if (w->next)
        w->next->link = &w->next;
    sv->workers = w;
    sv->nworkers++;
    if (!w->refusing)
        sv->nsessions++;
    uv_poll_start(&w->poll, UV_READABLE | UV_DISCONNECT, on_control);
    uv_timer_start(&w->deadline, on_deadline,
                   (uint64_t)sv->options->handshake_timeout * 1000u + DEADLINE_SLACK_MS, 0);
    /* Where the worker answers the peer by itself, the supervisor keeps nothing of it. */
    if (!w->transport->peer_answer) {
        w->transport->peer_close(w->peer);
        w->peer = NULL;
    }
}

/* Nothing of the process came to be. */
static void give_up(struct fsi_worker *w, int error)
{
    log_worker(w, FSIF_LOG_ERROR, "worker-not-started", "", fsif_strerror(error));
    w->transport->peer_close(w->peer);
    if (!w->handles) {
        free(w);
        return;
    }
    if (w->has_process)
        uv_close((uv_handle_t *)&w->process, on_handle_closed);
    uv_close((uv_handle_t *)&w->poll, on_handle_closed);
    uv_close((uv_handle_t *)&w->deadline, on_handle_closed);
}

void fsi_workers_start(struct fsi_supervisor *sv, const struct fsi_listener *from,
                       struct fsif_peer *peer)
{
    struct fsi_worker *w = calloc(1, sizeof(*w));
    struct fsi_hello hello;
    int fds[FSIF_EXPORT_FDS];
    size_t nfds = FSIF_EXPORT_FDS;
    int verdict;
    int rc;

    if (!w) {
        from->transport->peer_close(peer);
        return;
    }
    w->supervisor = sv;
    w->transport = from->transport;
    w->peer = peer;
    w->session = ++sv->last_session;
    rc = w->transport->peer_credentials(peer, &w->who);
    verdict = rc ? -1 : admit(sv, &w->who);
    if (verdict)
        log_worker(w, FSIF_LOG_WARNING, "limit", "", "too many sessions");
    if (verdict < 0) {
        w->transport->peer_close(peer);
        free(w);
        return;
    }
    w->refusing = verdict;
    fill_hello(w, &hello);
    hello.blob_len = sizeof(hello.blob);
    rc = w->transport->peer_export(peer, fds, &nfds, hello.blob, &hello.blob_len);
    hello.nfds = (uint32_t)nfds;
    if (!rc)
        rc = start_process(w, &hello, fds);
    if (rc)
        give_up(w, rc);
    else
        enlist(w);
}

void fsi_workers_drain(struct fsi_supervisor *sv)
{
    struct fsif_dict message;

    fsi_message_simple(&message, "drain");
    for (struct fsi_worker *w = sv->workers; w; w = w->next) {
        if (fsi_control_send(w->control, &message, -1) == -FSIF_EAGAIN)
            kill_worker(w);
    }
}

void fsi_workers_kill(struct fsi_supervisor *sv)
{
    for (struct fsi_worker *w = sv->workers; w; w = w->next)
        kill_worker(w);
}
