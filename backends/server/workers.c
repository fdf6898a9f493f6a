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
#include "workers.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Questions of one worker: more than the pages of the longest listing need (44 exports each). */
#define MAX_QUESTIONS(exports) (256u + (uint32_t)(exports) / 16u)
/* More of them while a session is served: several times what attach.c lets through */
#define QUESTIONS_A_SECOND 100u
/* Lines of one worker for the log */
#define MAX_REPORTS 4u
/* Workers beyond the limit of sessions that only tell their peer so */
#define MAX_REFUSALS 8u
/* Connections at once of peers that may use nothing, so that they lock out nobody who may */
#define MAX_STRANGERS 16u
/* The worker's own deadline comes first, because its peer gets an answer then. */
#define DEADLINE_SLACK_MS 2000u

static void log_exit(struct fsi_worker *w, int64_t status, int signal_number)
{
    const char *reason = fsi_end_text((int)status);
    char text[64];
    int bad = signal_number || status != FSI_END_OK;

    if (signal_number) {
        snprintf(text, sizeof(text), w->killed ? "killed" : "worker died of signal %d",
                 signal_number);
        reason = text;
    } else if (!bad && w->why) {
        reason = w->why;
    } else if (!bad && w->supervisor->stopping) {
        reason = "the daemon stops";
    }
    if (w->serving)
        fsi_worker_log(w, bad ? FSIF_LOG_WARNING : FSIF_LOG_INFO, "session-end", w->export_name,
                       reason);
    else
        fsi_worker_log(w, bad ? FSIF_LOG_WARNING : FSIF_LOG_DEBUG, "handshake-end", w->export_name,
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

static void answered(struct fsi_worker *w)
{
    if (!w->asked)
        return;
    w->asked = 0;
    if (!--w->supervisor->nasked)
        fsi_admin_refreshed(w->supervisor->admin);
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
    answered(w);
    sv->nstrangers -= (uint32_t)w->stranger;
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

/* --- the control channel -----------------------------------------------------------------------
 */

static void begin_serving(struct fsi_worker *w, const struct fsif_dict *message)
{
    w->serving = 1;
    w->since = (int64_t)time(NULL);
    w->serving_since = uv_now(&w->supervisor->loop);
    (void)fsif_dict_get_u32(message, "dialect", 1, 31, &w->dialect);
    w->queues = 1;
    (void)fsif_dict_get_u32(message, "queues", 1, FSIF_QUEUES_MAX, &w->queues);
    if (!w->why)
        uv_timer_stop(&w->deadline);
    fsi_worker_log(w, FSIF_LOG_INFO, "session-begin", w->export_name, NULL);
}

/* A line for the log: one of the words that a worker may say, and its reason. */
static int take_report(struct fsi_worker *w, const struct fsif_dict *message)
{
    static const char *const events[] = {"poisoned", "memory-refused", "store-failed",
                                         "engine-failed", "import-failed"};
    char event[32];
    char reason[FSIF_DICT_VALUE_MAX + 1];

    if (++w->reports > MAX_REPORTS || fsif_dict_get(message, "event", event, sizeof(event)) < 0 ||
        fsif_dict_get(message, "reason", reason, sizeof(reason)) < 0)
        return -FSIF_EPROTO;
    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
        if (strcmp(events[i], event) != 0)
            continue;
        fsi_worker_log(w, FSIF_LOG_WARNING, events[i], w->export_name, reason);
        return 0;
    }
    return -FSIF_EPROTO;
}

static int take_figures(struct fsi_worker *w, const struct fsif_dict *message)
{
    if (!w->asked || fsi_figures_read(message, &w->figures))
        return -FSIF_EPROTO;
    w->has_figures = 1;
    answered(w);
    return 0;
}

/* A worker holds its peer's questions back; one that does not is no worker of ours. */
static uint64_t may_ask(const struct fsi_worker *w)
{
    uint64_t n = MAX_QUESTIONS(w->supervisor->options->nexports);

    if (w->serving)
        n += (uv_now(&w->supervisor->loop) - w->serving_since) * QUESTIONS_A_SECOND / 1000u;
    return n;
}

/* Returns 0, or anything else if the worker makes no sense. */
static int take_message(struct fsi_worker *w, const struct fsif_dict *message)
{
    char name[FSIF_EXPORT_NAME_MAX + 1];

    if (fsi_message_is(message, "report"))
        return take_report(w, message);
    if (fsi_message_is(message, "figures"))
        return take_figures(w, message);
    if (++w->questions > may_ask(w))
        return -FSIF_EPROTO;
    if (fsi_message_is(message, "serving")) {
        if (!w->export_name[0] || w->serving)
            return -FSIF_EPROTO;
        begin_serving(w, message);
        return 0;
    }
    if (fsif_dict_get(message, "name", name, sizeof(name)) < 0)
        return -FSIF_EPROTO;
    if (fsi_message_is(message, "exports") && !w->serving)
        return fsi_worker_answer_exports(w, name);
    if (fsi_message_is(message, "export") && fsif_export_name_valid(name))
        return fsi_worker_answer_export(w, name);
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
        fsi_worker_log(w, FSIF_LOG_WARNING, "worker-refused", w->export_name, fsif_strerror(rc));
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

    fsi_worker_log(w, FSIF_LOG_WARNING, w->why ? "end-late" : "handshake-late", w->export_name,
                   NULL);
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
    fsi_spinners_forget(&w->supervisor->common, w->session);
    if (signal_number)
        fsi_moves_unknown(&w->supervisor->common);
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
    stdio[FSI_WORKER_COMMON].flags = UV_INHERIT_FD;
    stdio[FSI_WORKER_LOG].data.fd = STDERR_FILENO;
    stdio[FSI_WORKER_CONTROL].data.fd = control;
    stdio[FSI_WORKER_COMMON].data.fd = sv->common_fd;
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
static int admit(struct fsi_worker *w)
{
    const struct fsi_supervisor *sv = w->supervisor;
    const struct fsif_credentials *who = &w->who;

    w->stranger = !fsi_exports_any(sv->options->exports, sv->options->nexports, &sv->self, who);
    if (w->stranger && sv->nstrangers >= MAX_STRANGERS)
        return -1;
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
    hello->dialects = o->dialects;
    hello->max_pages = o->max_pages;
    hello->threads = o->threads;
    hello->slow_threshold = o->slow_threshold;
    hello->max_queues = o->max_queues;
    hello->max_slots = o->max_slots;
    hello->max_arena_pages = o->max_arena_pages;
    hello->max_io = o->max_io;
    hello->max_locks = o->max_locks;
    hello->max_watches = o->max_watches;
    hello->spin = o->spin;
    hello->spinners = w->supervisor->common.count;
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
    sv->nstrangers += (uint32_t)w->stranger;
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
    fsi_worker_log(w, FSIF_LOG_ERROR, "worker-not-started", "", fsif_strerror(error));
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
    verdict = rc ? -1 : admit(w);
    if (verdict)
        fsi_worker_log(w, FSIF_LOG_WARNING, "limit", "", "too many sessions");
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

void fsi_worker_end(struct fsi_worker *w, const char *why)
{
    struct fsif_dict message;

    if (w->why)
        return;
    w->why = why;
    fsi_message_simple(&message, "drain");
    if (fsi_control_send(w->control, &message, -1) == -FSIF_EAGAIN)
        kill_worker(w);
    else
        uv_timer_start(&w->deadline, on_deadline,
                       (uint64_t)w->supervisor->options->stop_timeout * 1000u, 0);
}

uint32_t fsi_workers_recheck(struct fsi_supervisor *sv, const char *name, const char *why)
{
    const struct fsi_export *e =
        fsi_exports_find(sv->options->exports, sv->options->nexports, name);
    uint32_t n = 0;

    for (struct fsi_worker *w = sv->workers; w; w = w->next) {
        if (!fsi_worker_has(w, name) || w->why || (e && fsi_export_allows(e, &sv->self, &w->who)))
            continue;
        fsi_worker_end(w, why);
        n++;
    }
    return n;
}

uint32_t fsi_workers_ask(struct fsi_supervisor *sv)
{
    struct fsif_dict message;

    fsi_message_simple(&message, "figures");
    for (struct fsi_worker *w = sv->workers; w; w = w->next) {
        w->has_figures = 0;
        if (!w->serving || w->asked || fsi_control_send(w->control, &message, -1))
            continue;
        w->asked = 1;
        sv->nasked++;
    }
    return sv->nasked;
}

void fsi_workers_kill(struct fsi_supervisor *sv)
{
    for (struct fsi_worker *w = sv->workers; w; w = w->next)
        kill_worker(w);
}
