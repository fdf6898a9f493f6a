/* SPDX-License-Identifier: MIT */
/*
 * The worker: a process that serves one session and knows nothing of any other.
 *
 *   confine --> import --> handshake --> serve --> close --> exit code
 *
 * While it serves, the queue's threads carry requests out and the main thread sleeps in libuv's
 * loop until the peer hangs up, the supervisor wants an end, or the queue has closed:
 *
 *   serving --peer gone, protocol broken, supervisor gone--> closing (now)
 *   serving --drain, SIGTERM--> closing (drain)
 *   closing --every request that was fetched is answered--> end
 *   closing (now) --GRACE_MS later, a request still hangs in the store--> end without it
 */
#include "worker.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>
#include "queue.h"
#include "sanitize.h"
#include "session.h"

#define GRACE_MS 2000u

struct worker {
    struct fsi_session session;
    struct fsi_queue *queue;
    uv_loop_t loop;
    uv_poll_t control;
    uv_poll_t peer;
    uv_async_t closed;
    uv_async_t poisoned;
    uv_signal_t term;
    uv_timer_t grace;
    enum fsi_end end;
    int status; /* of the queue; written before `closed` is sent */
    int stuck;
};

/* What can be given up before anything of a peer is read. The place for namespaces, Landlock and
 * seccomp is here too, and after the handshake for what it still needs. */
static int confine(void)
{
    struct rlimit none = {0, 0};

    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
        setrlimit(RLIMIT_CORE, &none) < 0)
        return -1;
    prctl(PR_SET_NAME, "fsif-worker", 0, 0, 0);
    umask(0);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    /* A write beyond RLIMIT_FSIZE is the peer's EFBIG and no reason to die. */
    signal(SIGXFSZ, SIG_IGN);
    return 0;
}

/* --- hooks: on the queue's threads ---------------------------------------------------------- */

static void on_poison(void *arg, enum fsif_poison reason)
{
    struct worker *w = arg;

    fsi_session_report(&w->session, "poisoned", fsif_poison_text(reason));
    /* The queue closes only when its requests have ended, and one may hang in the store. */
    uv_async_send(&w->poisoned);
}

static void log_request(void *arg, const struct fsif_event *event)
{
    struct worker *w = arg;
    struct fsi_session *s = &w->session;
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

static void on_queue_closed(void *arg, int status)
{
    struct worker *w = arg;

    w->status = status;
    uv_async_send(&w->closed);
}

/* --- the main thread's loop ----------------------------------------------------------------- */

static void on_grace(uv_timer_t *timer)
{
    struct worker *w = timer->data;

    w->stuck = 1;
    uv_stop(&w->loop);
}

static void end_now(struct worker *w, enum fsi_end end)
{
    if (w->end == FSI_END_OK)
        w->end = end;
    fsi_queue_close(w->queue, FSI_CLOSE_NOW);
    uv_poll_stop(&w->peer);
    if (!uv_is_active((uv_handle_t *)&w->grace))
        uv_timer_start(&w->grace, on_grace, GRACE_MS, 0);
}

static void on_closed(uv_async_t *async)
{
    struct worker *w = async->data;

    if (w->status < 0 && w->end == FSI_END_OK)
        w->end = FSI_END_POISONED;
    uv_stop(&w->loop);
}

static void on_poisoned(uv_async_t *async)
{
    end_now(async->data, FSI_END_POISONED);
}

static void tell_figures(struct worker *w)
{
    struct fsi_figures figures = {
        .handles = fsif_backend_handles(&w->session.backend),
        .requests = fsi_queue_served(w->queue),
    };
    struct fsif_dict message;

    if (!fsi_figures_write(&figures, &message))
        (void)fsi_control_send(w->session.control, &message, -1);
}

static void on_control(uv_poll_t *poll, int status, int events)
{
    struct worker *w = poll->data;
    struct fsif_dict message;
    int rc = fsi_control_receive(w->session.control, &message, NULL);

    (void)status;
    (void)events;
    if (rc == -FSIF_EAGAIN)
        return;
    if (!rc && fsi_message_is(&message, "drain")) {
        fsi_queue_close(w->queue, FSI_CLOSE_DRAIN);
        return;
    }
    if (!rc && fsi_message_is(&message, "figures")) {
        tell_figures(w);
        return;
    }
    uv_poll_stop(poll);
    end_now(w, FSI_END_CONTROL);
}

static void on_peer(uv_poll_t *poll, int status, int events)
{
    struct worker *w = poll->data;
    struct fsi_session *s = &w->session;
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
        fsif_backend_poison(&s->backend, FSIF_POISON_TRANSPORT);
        end_now(w, FSI_END_POISONED);
    }
}

static void on_term(uv_signal_t *sig, int number)
{
    struct worker *w = sig->data;

    (void)number;
    fsi_queue_close(w->queue, FSI_CLOSE_DRAIN);
}

static int init_loop(struct worker *w)
{
    struct fsi_session *s = &w->session;

    if (uv_loop_init(&w->loop))
        return -1;
    if (uv_async_init(&w->loop, &w->closed, on_closed) ||
        uv_async_init(&w->loop, &w->poisoned, on_poisoned) || uv_timer_init(&w->loop, &w->grace) ||
        uv_signal_init(&w->loop, &w->term) || uv_poll_init(&w->loop, &w->control, s->control) ||
        uv_poll_init(&w->loop, &w->peer, s->transport->peer_fd(s->peer)))
        return -1;
    w->closed.data = w->poisoned.data = w->grace.data = w->term.data = w->control.data =
        w->peer.data = w;
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

static void fini_loop(struct worker *w)
{
    uv_walk(&w->loop, close_handle, NULL);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    uv_loop_close(&w->loop);
}

static void tell_serving(struct worker *w)
{
    struct fsif_dict message;

    fsi_message_simple(&message, "serving");
    (void)fsif_dict_put_u32(&message, "dialect", w->session.dialect);
    (void)fsi_control_send(w->session.control, &message, -1);
}

static enum fsi_end serve(struct worker *w)
{
    struct fsi_session *s = &w->session;
    struct fsi_queue_config config = {
        .backend = &s->backend,
        .transport = s->transport,
        .session = s->peer,
        .ring_pages = s->ring_pages,
        .threads = s->hello.threads,
        .slow_threshold = s->hello.slow_threshold,
        .closed = on_queue_closed,
        .arg = w,
    };
    int rc;

    if (init_loop(w))
        return FSI_END_FAILED;
    rc = fsi_queue_start(&config, &w->queue);
    if (rc)
        return FSI_END_FAILED;
    tell_serving(w);
    uv_poll_start(&w->control, UV_READABLE | UV_DISCONNECT, on_control);
    uv_poll_start(&w->peer, UV_READABLE | UV_DISCONNECT, on_peer);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    if (w->stuck) {
        /* Threads are still in the store: what they use must stay. The kernel closes it all. */
        _exit((int)w->end);
    }
    fsi_queue_destroy(w->queue);
    fini_loop(w);
    return w->end;
}

static int is_control_socket(int fd)
{
    int type = 0;
    socklen_t len = sizeof(type);

    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_SEQPACKET;
}

int fsi_worker_main(const char *plugin_dir)
{
    struct worker *w;
    struct fsi_session *s;
    enum fsi_end end;

    if (!is_control_socket(FSI_WORKER_CONTROL)) {
        fprintf(stderr, "fsif-backend: %s is internal\n", FSI_WORKER_ARGUMENT);
        return 2;
    }
    w = calloc(1, sizeof(*w));
    if (!w || confine()) {
        free(w);
        return FSI_END_FAILED;
    }
    s = &w->session;
    s->control = FSI_WORKER_CONTROL;
    fsif_log_init(&s->log, FSI_WORKER_LOG, FSIF_LOG_INFO, "fsif-backend");
    pthread_mutex_init(&s->log_lock, NULL);
    end = fsi_session_import(s, plugin_dir);
    if (end == FSI_END_OK) {
        s->hooks.size = sizeof(s->hooks);
        s->hooks.arg = w;
        s->hooks.poisoned = on_poison;
        if (s->log.level >= FSIF_LOG_DEBUG)
            s->hooks.end = log_request;
        end = fsi_session_handshake(s);
    }
    if (end == FSI_END_OK && s->running)
        end = serve(w);
    fsi_session_fini(s);
    free(w);
    /* The leak checker looks at the process as a debugger does. */
    if (FSI_SANITIZED)
        prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    return (int)end;
}
