/* SPDX-License-Identifier: MIT */
/*
 * What both roles of a session do.
 *
 * How each side learns that the other is gone:
 *   a process that dies     its kernel clears its byte of the canary page and rings (unmap-notify)
 *   a domain that is gone   the toolstack removes its nodes, which are watched
 *   an orderly end          the nodes again
 * The kernel rings queue 0. Its bell is taken by whoever serves the ring, peer_fd by somebody else;
 * so acknowledge() looks at the canary and makes peer_fd readable.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fsif/host.h>

#include "internal.h"

/* The libraries write to stderr whatever fails, which a client that asks for less memory has no use
 * for, and a hostile guest would fill a log with. Errors are told by their calls. */
static void say_nothing(struct xentoollog_logger *logger, xentoollog_level level, int errnoval,
                        const char *context, const char *format, va_list al)
{
    (void)logger;
    (void)level;
    (void)errnoval;
    (void)context;
    (void)format;
    (void)al;
}

struct fsif_session *fsi_xen_session_new(int role)
{
    struct fsif_session *s = calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    s->role = role;
    s->quiet.vmessage = say_nothing;
    s->sock = s->poll_fd = s->wake_fd = -1;
    atomic_init(&s->gone, 0);
    return s;
}

int fsi_xen_add_bell(struct fsif_session *s, uint32_t port)
{
    struct xen_bell *b;
    int ret = -FSIF_EPROTO;

    if (s->queues == FSIF_QUEUES_MAX)
        return -FSIF_EINVAL;
    b = &s->bells[s->queues];
    if (!b->evtchn)
        b->evtchn = xenevtchn_open(&s->quiet, 0);
    if (!b->evtchn)
        return fsi_xen_error();
    if (s->role == XEN_BACKEND) {
        b->port = xenevtchn_bind_interdomain(b->evtchn, s->domid, port);
    } else {
        b->port = xenevtchn_bind_unbound_port(b->evtchn, s->domid);
        ret = fsi_xen_error();
    }
    if (b->port < 0)
        return ret;
    s->queues++;
    return 0;
}

void fsi_xen_keep_bells(struct fsif_session *s, uint32_t queues)
{
    for (uint32_t q = queues; q < FSIF_QUEUES_MAX; q++) {
        if (s->bells[q].evtchn)
            xenevtchn_close(s->bells[q].evtchn);
        s->bells[q].evtchn = NULL;
    }
    if (s->queues > queues)
        s->queues = queues;
}

int fsi_xen_notify(struct fsif_session *s, uint32_t queue)
{
    const struct xen_bell *b;

    if (queue >= s->queues)
        return -FSIF_EINVAL;
    b = &s->bells[queue];
    if (atomic_load(&s->gone))
        return -FSIF_EPIPE;
    return xenevtchn_notify(b->evtchn, (evtchn_port_t)b->port) ? -FSIF_EPIPE : 0;
}

int fsi_xen_event_fd(struct fsif_session *s, uint32_t queue)
{
    return queue < s->queues ? xenevtchn_fd(s->bells[queue].evtchn) : -FSIF_EINVAL;
}

int fsi_xen_canary_died(const struct fsif_session *s)
{
    unsigned char alive;

    if (!s->canary || !s->canary_armed)
        return 0;
    alive = s->canary[s->role == XEN_FRONTEND ? XEN_CANARY_BACKEND : XEN_CANARY_FRONTEND];
    return !alive;
}

static void wake_watcher(struct fsif_session *s)
{
    const uint64_t one = 1;
    ssize_t n;

    if (s->role == XEN_BACKEND) {
        shutdown(s->sock, SHUT_RD);
        return;
    }
    do {
        n = write(s->wake_fd, &one, sizeof(one));
    } while (n < 0 && errno == EINTR);
}

void fsi_xen_acknowledge(struct fsif_session *s, uint32_t queue)
{
    xenevtchn_port_or_error_t port;
    xenevtchn_handle *evtchn;

    if (queue >= s->queues)
        return;
    evtchn = s->bells[queue].evtchn;
    /* A read would wait, whatever O_NONBLOCK says. One is all there is to take; a storm is not
     * waited out. */
    if (fsif_wait_fd(xenevtchn_fd(evtchn), POLLIN, 0) > 0) {
        port = xenevtchn_pending(evtchn);
        if (port >= 0)
            xenevtchn_unmask(evtchn, (evtchn_port_t)port);
    }
    if (fsi_xen_canary_died(s) && !atomic_exchange(&s->gone, 1))
        wake_watcher(s);
}

int fsi_xen_peer_fd(struct fsif_session *s)
{
    return s->role == XEN_BACKEND ? s->sock : s->poll_fd;
}

/* The supervisor says nothing while a session runs but that it is over. */
static int backend_gone(struct fsif_session *s)
{
    char byte;
    ssize_t n;

    do {
        n = recv(s->sock, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    return !(n < 0 && errno == EAGAIN);
}

static int frontend_gone(struct fsif_session *s)
{
    char path[XEN_PATH_MAX];
    int changed = 0;
    char **event;

    while ((event = xs_check_watch(s->xs)) != NULL) {
        changed = 1;
        free(event);
    }
    if (!changed || !s->running)
        return 0;
    if (s->is_device)
        return fsi_xen_bus_state(s->xs, XBT_NULL, s->backend) != XEN_BUS_CONNECTED;
    fsi_xen_path(path, "%s/state", s->backend);
    return !fsi_xen_is(s->xs, XBT_NULL, path, "ready");
}

int fsi_xen_peer_state(struct fsif_session *s)
{
    int gone = atomic_load(&s->gone);

    if (!gone)
        gone =
            fsi_xen_canary_died(s) || (s->role == XEN_BACKEND ? backend_gone(s) : frontend_gone(s));
    if (!gone)
        return FSIF_PEER_ALIVE;
    atomic_store(&s->gone, 1);
    return FSIF_PEER_GONE;
}

/* The nodes go first, so that the other side does not look for what is being taken away. */
static void close_frontend(struct fsif_session *s)
{
    if (s->is_device)
        fsi_xen_release(s);
    else
        fsi_xen_unask(s);
    if (s->mem)
        xengntshr_unshare(s->shr, s->mem, s->npages);
    if (s->canary)
        xengntshr_unshare(s->shr, (void *)(uintptr_t)s->canary, 1);
    if (s->shr)
        xengntshr_close(s->shr);
    xs_close(s->xs);
}

void fsi_xen_close(struct fsif_session *s)
{
    const int fds[] = {s->poll_fd, s->wake_fd, s->sock};

    if (s->role == XEN_FRONTEND)
        close_frontend(s);
    if (s->tab && s->canary)
        xengnttab_unmap(s->tab, (void *)(uintptr_t)s->canary, 1);
    fsi_xen_keep_bells(s, 0);
    if (s->tab)
        xengnttab_close(s->tab);
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
    free(s);
}
