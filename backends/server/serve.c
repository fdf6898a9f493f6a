/* SPDX-License-Identifier: MIT */
/*
 * A session that is served. The queues' threads carry requests out; the main thread sleeps in
 * libuv's loop until the peer hangs up, the supervisor wants something, a lock is to be tried
 * again, a directory changed, or all queues have closed:
 *
 *   serving --peer gone, protocol broken, supervisor gone--> closing (now)
 *   serving --drain, SIGTERM--> closing (drain)
 *   closing --every request that was fetched is answered--> end
 *   closing (now) --GRACE_MS later, a request still hangs in the store--> end without it
 *
 * Locks that wait are tried again by a timer, which runs only while there are any: another process
 * of the host that lets a lock go tells nobody. It begins at RETRY_FIRST_MS whenever a lock begins
 * to wait and slows down to RETRY_LAST_MS.
 */
#include "serve.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>
#include <uv.h>
#include "attach.h"
#include "queue.h"

#define GRACE_MS 2000u
#define RETRY_FIRST_MS 1u
#define RETRY_LAST_MS 20u

/* How long this thread may be kept in a bell */
#define RING_MS 100
#define THREADS_MIN 2u

struct serving {
    struct fsi_session *session;
    struct fsi_queue *queues[FSIF_QUEUES_MAX];
    uint32_t nqueues; /* that were started */
    uv_loop_t loop;
    uv_poll_t control;
    uv_poll_t peer;
    uv_async_t closed;
    uv_async_t poisoned;
    uv_async_t waiting; /* a lock does */
    uv_async_t watched; /* a directory is */
    uv_signal_t term;
    uv_timer_t grace;
    uv_timer_t retry;
    uint32_t retry_ms;
    struct watched_store {
        uv_poll_t poll;
        int polled;
    } stores[FSIF_BACKEND_EXPORTS_MAX];
    enum fsi_end end;
    pthread_mutex_t lock;
    uint32_t open; /* lock: queues that have not closed */
    int status;    /* lock: of the first that closed with one */
    int stuck;
};

/* --- hooks: on the queues' threads ---------------------------------------------------------- */

static void on_poison(void *arg, enum fsif_poison reason)
{
    struct serving *w = arg;

    fsi_session_report(w->session, "poisoned", fsif_poison_text(reason));
    /* A queue closes only when its requests have ended, and one may hang in the store. */
    uv_async_send(&w->poisoned);
}

static void log_request(void *arg, const struct fsif_event *event)
{
    struct serving *w = arg;
    struct fsi_session *s = w->session;
    char id[16];
    char request[16];
    char result[24];

    snprintf(id, sizeof(id), "%u", s->hello.session);
    snprintf(request, sizeof(request), "%u", event->id);
    snprintf(result, sizeof(result), "%lld", (long long)event->result);
    pthread_mutex_lock(&s->log_lock);
    /* Not limited: who asks for debug lines wants them all. */
    fsif_log_event(&s->log, FSIF_LOG_DEBUG, "request", "session", id, "id", request, "op",
                   fsif_op_name(event->op), "result", result, (const char *)NULL);
    pthread_mutex_unlock(&s->log_lock);
}

static void on_waiting(void *arg)
{
    struct serving *w = arg;

    uv_async_send(&w->waiting);
}

static void on_watched(void *arg)
{
    struct serving *w = arg;

    uv_async_send(&w->watched);
}

static void on_queue_closed(void *arg, int status)
{
    struct serving *w = arg;
    int last;

    pthread_mutex_lock(&w->lock);
    if (!w->status)
        w->status = status;
    last = --w->open == 0;
    pthread_mutex_unlock(&w->lock);
    if (last)
        uv_async_send(&w->closed);
}

/* --- the end -------------------------------------------------------------------------------- */

static void close_queues(struct serving *w, enum fsi_close how)
{
    for (uint32_t i = 0; i < w->nqueues; i++)
        fsi_queue_close(w->queues[i], how);
}

static void on_grace(uv_timer_t *timer)
{
    struct serving *w = timer->data;

    w->stuck = 1;
    uv_stop(&w->loop);
}

static void end_now(struct serving *w, enum fsi_end end)
{
    if (w->end == FSI_END_OK)
        w->end = end;
    fsi_attach_give_up(w->session);
    close_queues(w, FSI_CLOSE_NOW);
    uv_poll_stop(&w->peer);
    if (!uv_is_active((uv_handle_t *)&w->grace))
        uv_timer_start(&w->grace, on_grace, GRACE_MS, 0);
}

static void on_closed(uv_async_t *async)
{
    struct serving *w = async->data;

    if (w->status < 0 && w->end == FSI_END_OK)
        w->end = FSI_END_POISONED;
    uv_stop(&w->loop);
}

static void on_poisoned(uv_async_t *async)
{
    end_now(async->data, FSI_END_POISONED);
}

static void on_term(uv_signal_t *sig, int number)
{
    (void)number;
    close_queues(sig->data, FSI_CLOSE_DRAIN);
}

/* --- locks and watches ---------------------------------------------------------------------- */

static void on_alarm(int number)
{
    (void)number;
}

/* Notices are rung for by this thread, which alone sees the end of the session: a peer must not
 * keep it in a bell. A signal ends what waits there; see bell.c of the shm transport. */
static void bound_rings(int on)
{
    const struct timeval each = {.tv_usec = on ? RING_MS * 1000 : 0};
    const struct itimerval timer = {.it_interval = each, .it_value = each};

    (void)setitimer(ITIMER_REAL, &timer, NULL);
}

static void on_retry(uv_timer_t *timer)
{
    struct serving *w = timer->data;
    uint32_t left;

    bound_rings(1);
    left = fsif_backend_retry_locks(&w->session->engines[0].backend);
    bound_rings(0);
    if (!left)
        return;
    w->retry_ms = 2 * w->retry_ms < RETRY_LAST_MS ? 2 * w->retry_ms : RETRY_LAST_MS;
    uv_timer_start(timer, on_retry, w->retry_ms, 0);
}

static void on_lock_waits(uv_async_t *async)
{
    struct serving *w = async->data;

    w->retry_ms = RETRY_FIRST_MS;
    uv_timer_start(&w->retry, on_retry, w->retry_ms, 0);
}

static void on_change(uv_poll_t *poll, int status, int events)
{
    struct serving *w = poll->data;

    (void)status;
    (void)events;
    bound_rings(1);
    fsif_backend_changes(&w->session->engines[0].backend);
    bound_rings(0);
}

/* A store's descriptor is looked for when it is needed: it may be made by the first watch. */
static void on_directory_watched(uv_async_t *async)
{
    struct serving *w = async->data;

    for (uint32_t i = 0; i < FSIF_BACKEND_EXPORTS_MAX; i++) {
        struct watched_store *ws = &w->stores[i];
        int fd = ws->polled ? -1 : fsi_attach_watch_fd(w->session, i);

        if (fd < 0 || uv_poll_init(&w->loop, &ws->poll, fd))
            continue;
        ws->polled = 1;
        ws->poll.data = w;
        uv_poll_start(&ws->poll, UV_READABLE, on_change);
    }
}

/* --- the supervisor and the peer ------------------------------------------------------------ */

static void tell_figures(struct serving *w)
{
    struct fsi_figures figures = {.handles = fsif_backend_handles(&w->session->engines[0].backend)};
    struct fsif_dict message;

    for (uint32_t i = 0; i < w->nqueues; i++)
        fsi_queue_figures(w->queues[i], &figures.requests, &figures.bytes);
    if (!fsi_figures_write(&figures, &message))
        (void)fsi_control_send(w->session->control, &message, -1);
}

/* Returns 0, or anything else if the supervisor is gone or makes no sense. */
static int take_message(struct serving *w, const struct fsif_dict *message, int fd)
{
    if (fsi_message_is_answer(message))
        return fsi_attach_answer(w->session, message, fd);
    if (fd >= 0)
        close(fd);
    if (fd >= 0 || (!fsi_message_is(message, "drain") && !fsi_message_is(message, "figures")))
        return -FSIF_EPROTO;
    if (fsi_message_is(message, "drain"))
        close_queues(w, FSI_CLOSE_DRAIN);
    else
        tell_figures(w);
    return 0;
}

static void on_control(uv_poll_t *poll, int status, int events)
{
    struct serving *w = poll->data;
    struct fsif_dict message;
    int fd = -1;
    int rc = fsi_control_receive(w->session->control, &message, &fd);

    (void)status;
    (void)events;
    if (rc == -FSIF_EAGAIN)
        return;
    if (!rc)
        rc = take_message(w, &message, fd);
    if (!rc)
        return;
    uv_poll_stop(poll);
    end_now(w, FSI_END_CONTROL);
}

static void on_peer(uv_poll_t *poll, int status, int events)
{
    struct serving *w = poll->data;
    struct fsi_session *s = w->session;
    struct fsif_dict offer;

    (void)status;
    (void)events;
    if (s->transport->peer_state(s->peer) == FSIF_PEER_GONE) {
        end_now(w, FSI_END_OK);
        return;
    }
    /* While a session runs there is nothing to say beside the ring. */
    switch (s->transport->session_next_offer(s->peer, &offer)) {
    case -FSIF_EAGAIN:
        break;
    case -FSIF_EPIPE:
        end_now(w, FSI_END_OK);
        break;
    default:
        fsif_backend_poison(&s->engines[0].backend, FSIF_POISON_TRANSPORT);
        end_now(w, FSI_END_POISONED);
    }
}

/* --- life ----------------------------------------------------------------------------------- */

static int init_loop(struct serving *w)
{
    struct fsi_session *s = w->session;

    if (uv_loop_init(&w->loop))
        return -1;
    if (uv_async_init(&w->loop, &w->closed, on_closed) ||
        uv_async_init(&w->loop, &w->poisoned, on_poisoned) ||
        uv_async_init(&w->loop, &w->waiting, on_lock_waits) ||
        uv_async_init(&w->loop, &w->watched, on_directory_watched) ||
        uv_timer_init(&w->loop, &w->grace) || uv_timer_init(&w->loop, &w->retry) ||
        uv_signal_init(&w->loop, &w->term) || uv_poll_init(&w->loop, &w->control, s->control) ||
        uv_poll_init(&w->loop, &w->peer, s->transport->peer_fd(s->peer)))
        return -1;
    w->closed.data = w->poisoned.data = w->waiting.data = w->watched.data = w->grace.data =
        w->retry.data = w->term.data = w->control.data = w->peer.data = w;
    if (uv_signal_start(&w->term, on_term, SIGTERM))
        return -1;
    return 0;
}

static void close_handle(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void fini_loop(struct serving *w)
{
    uv_walk(&w->loop, close_handle, NULL);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    uv_loop_close(&w->loop);
}

static void set_hooks(struct serving *w)
{
    struct fsi_session *s = w->session;

    s->hooks.arg = w;
    s->hooks.poisoned = on_poison;
    if (s->log.level >= FSIF_LOG_DEBUG)
        s->hooks.end = log_request;
    s->waiting = on_waiting;
    s->waiting_arg = w;
}

static int start_queues(struct serving *w)
{
    struct fsi_session *s = w->session;
    uint32_t threads = s->hello.threads / s->nqueues;
    struct fsi_queue_config config = {
        .transport = s->transport,
        .session = s->peer,
        .slots = s->area.slots,
        .ring_pages = s->area.ring_pages,
        .threads = s->hello.threads,
        .slow_threshold = s->hello.slow_threshold,
        .spin = s->hello.spin,
        .common = &s->common,
        .session_number = s->hello.session,
        .closed = on_queue_closed,
        .watched = on_watched,
        .arg = w,
    };

    if (s->nqueues > 1)
        config.threads = threads > THREADS_MIN ? threads : THREADS_MIN;
    w->open = s->nqueues;
    for (uint32_t i = 0; i < s->nqueues; i++) {
        int rc;

        config.queue = i;
        config.backend = &s->engines[i].backend;
        rc = fsi_queue_start(&config, &w->queues[i]);
        if (rc)
            return rc;
        w->nqueues++;
    }
    return 0;
}

static void tell_serving(const struct fsi_session *s)
{
    struct fsif_dict message;

    fsi_message_simple(&message, "serving");
    (void)fsif_dict_put_u32(&message, "dialect", s->dialect);
    (void)fsif_dict_put_u32(&message, "queues", s->nqueues);
    (void)fsi_control_send(s->control, &message, -1);
}

static int begin(struct serving *w)
{
    const struct sigaction alarmed = {.sa_handler = on_alarm};

    if (init_loop(w) || sigaction(SIGALRM, &alarmed, NULL))
        return -FSIF_ENOMEM;
    set_hooks(w);
    return start_queues(w);
}

enum fsi_end fsi_serve(struct fsi_session *s)
{
    struct serving *w = calloc(1, sizeof(*w));
    enum fsi_end end;

    if (!w)
        return FSI_END_FAILED;
    w->session = s;
    pthread_mutex_init(&w->lock, NULL);
    /* Before a request can ask for another export: the first one is this session's. */
    tell_serving(s);
    if (begin(w)) {
        /* Threads of the queues that did start are at work. */
        fsi_session_report(s, "engine-failed", "no threads");
        _exit(FSI_END_FAILED);
    }
    uv_poll_start(&w->control, UV_READABLE | UV_DISCONNECT, on_control);
    uv_poll_start(&w->peer, UV_READABLE | UV_DISCONNECT, on_peer);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    if (w->stuck) {
        /* Threads are still in the store: what they use must stay. The kernel closes it all. */
        _exit((int)w->end);
    }
    for (uint32_t i = 0; i < w->nqueues; i++)
        fsi_queue_destroy(w->queues[i]);
    fini_loop(w);
    end = w->end;
    pthread_mutex_destroy(&w->lock);
    free(w);
    return end;
}
