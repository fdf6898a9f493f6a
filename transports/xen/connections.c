/* SPDX-License-Identifier: MIT */
/*
 * Sessions of frontends, as the supervisor's part sees them.
 *
 *   request node --checked, state init--> [connected] --worker answers--> [answered, ready]
 *      |                                        \-- refused --> [answered, closed]
 *      '--refused: nothing but the request's removal
 *   any --frontend's state is not "ready", detached, its domain is gone--> [told]: the worker sees
 *         the end of its socket
 *   any --the worker closes its socket, or never started--> nodes withdrawn, forgotten
 *
 * Two kinds of connection linger without a worker, because a frontend is still to read their nodes:
 * one that was refused, and that of an old dialect-2 frontend that wrote "closing" and waits to see
 * "closing" and then "closed" in the backend's state:
 *
 *   [answered, closed] --worker gone--> [lingering, refused]
 *   [told, state closing] --worker gone--> [lingering] --frontend went on, or GRACE ticks--> state
 *   closed
 *   [lingering] --frontend's nodes are gone or another session's, or LINGER ticks--> forgotten
 *
 * No more than LINGER_MAX of one guest do: their nodes count against a driver domain's quota.
 *
 * A device (device.c has its states) has one connection at most, and it lingers until its frontend
 * has seen that it is over.
 *
 * Invariant: the nodes of M are there exactly as long as the connection is on the list; the state
 * of a device without one is InitWait or what it was before we served it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <fsif/host.h>

#include "listener.h"

#define TICK_SECONDS 1
#define GRACE_TICKS 3u
#define LINGER_TICKS 10u
#define LINGER_MAX 16u

int fsi_xen_add_fd(struct fsif_listener *l, int fd, struct connection *c)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};

    return epoll_ctl(l->poll_fd, EPOLL_CTL_ADD, fd, &ev) == 0 ? 0 : fsi_xen_error();
}

static void set_timer(struct fsif_listener *l, int on)
{
    struct itimerspec spec = {{TICK_SECONDS, 0}, {TICK_SECONDS, 0}};

    /* One that runs is not set back, or whoever keeps coming would stop it. */
    if (l->timer_runs == on)
        return;
    l->timer_runs = on;
    if (!on)
        memset(&spec, 0, sizeof(spec));
    timerfd_settime(l->timer, 0, &spec, NULL);
}

static void withdraw(struct fsif_listener *l, const struct xen_place *place)
{
    if (place->is_device)
        fsi_xen_reset_device(l->xs, place, XEN_BUS_INIT_WAIT);
    else
        fsi_xen_withdraw(l->xs, place);
}

void fsi_xen_connection_forget(struct fsif_listener *l, struct connection *c)
{
    struct connection **link = &l->connections;

    while (*link != c)
        link = &(*link)->next;
    *link = c->next;
    withdraw(l, &c->place);
    if (c->sock >= 0)
        close(c->sock);
    free(c);
}

/* The worker finds its socket at an end and stops; then it is forgotten here. */
static void tell_worker(struct connection *c)
{
    if (!c->told && c->sock >= 0)
        shutdown(c->sock, SHUT_WR);
    c->told = 1;
}

/* A new session of a guest on the same nodes ends the one before. */
static void end_older(struct fsif_listener *l, const struct connection *newer)
{
    for (struct connection *c = l->connections; c; c = c->next) {
        if (c == newer || strcmp(c->place.frontend, newer->place.frontend) != 0)
            continue;
        tell_worker(c);
        c->changed = 1;
    }
}

static void add(struct fsif_listener *l, struct connection *c, int sock)
{
    c->sock = sock;
    /* What changed before we began to look for it. */
    c->changed = 1;
    c->next = l->connections;
    l->connections = c;
}

int fsi_xen_connection_new(struct fsif_listener *l, const struct xen_place *place, int *worker)
{
    struct connection *c = worker ? calloc(1, sizeof(*c)) : NULL;
    int pair[2];
    int ret = c ? 0 : -FSIF_ENOMEM;

    if (!ret && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair))
        ret = fsi_xen_error();
    if (!ret && (ret = fsi_xen_add_fd(l, pair[0], c)) != 0) {
        close(pair[0]);
        close(pair[1]);
    }
    if (ret) {
        withdraw(l, place);
        free(c);
        return ret;
    }
    c->place = *place;
    add(l, c, pair[0]);
    end_older(l, c);
    *worker = pair[1];
    return 0;
}

int fsi_xen_connection_refuse(struct fsif_listener *l, const struct xen_place *place, int error)
{
    struct connection *c = calloc(1, sizeof(*c));
    struct fsif_dict answer;

    if (!c)
        return -FSIF_ENOMEM;
    c->place = *place;
    c->answered = c->told = c->refused = c->closed = 1;
    fsif_dict_init(&answer);
    (void)fsif_dict_put_u32(&answer, "status", (uint32_t)-error);
    (void)fsi_xen_publish_device(l->xs, place, &answer);
    add(l, c, -1);
    set_timer(l, 1);
    return 0;
}

/* --- what changed ----------------------------------------------------------------------------- */

void fsi_xen_connections_changed(struct fsif_listener *l, uint32_t domid, const uint32_t *import,
                                 int is_device)
{
    for (struct connection *c = l->connections; c; c = c->next) {
        if (c->place.domid == domid &&
            (!import || (*import == c->place.import && is_device == (int)c->place.is_device)))
            c->changed = 1;
    }
}

int fsi_xen_connection_at(const struct fsif_listener *l, const struct xen_place *device)
{
    for (const struct connection *c = l->connections; c; c = c->next) {
        if (c->place.is_device && c->place.domid == device->domid &&
            c->place.import == device->import)
            return 1;
    }
    return 0;
}

void fsi_xen_connections_exported(struct fsif_listener *l, uint32_t number)
{
    for (struct connection *c = l->connections; c; c = c->next)
        c->changed |= c->place.export_number == number;
}

int fsi_xen_connections_of(const struct fsif_listener *l, uint32_t domid)
{
    for (const struct connection *c = l->connections; c; c = c->next) {
        if (c->place.domid == domid)
            return 1;
    }
    return 0;
}

/* Whether the export is still attached to this guest, as it was. */
static int is_attached(struct fsif_listener *l, const struct connection *c)
{
    struct xen_place now = c->place;
    int ret = now.is_device ? fsi_xen_read_device(l->xs, XBT_NULL, &now)
                            : fsi_xen_read_export(l->xs, XBT_NULL, &now);

    return ret == 0 && now.read_only == c->place.read_only &&
           strcmp(now.request.export_name, c->place.request.export_name) == 0;
}

static void say_closed(struct fsif_listener *l, struct connection *c)
{
    if (c->closed)
        return;
    c->closed = 1;
    if (c->place.is_device)
        (void)fsi_xen_publish_bus_state(l->xs, &c->place, XEN_BUS_CLOSED);
    else
        (void)fsi_xen_publish_state(l->xs, &c->place, "closed");
}

/* Without its worker. */
static void look_at_lingering(struct fsif_listener *l, struct connection *c, int readable,
                              const char *state)
{
    int over = !readable || c->ticks >= LINGER_TICKS;

    if (!over)
        over = c->refused ? !fsi_xen_is_named(l->xs, XBT_NULL, &c->place)
                          : strcmp(state, "ready") == 0;
    if (over) {
        fsi_xen_connection_forget(l, c);
        return;
    }
    if (c->refused)
        return;
    if (strcmp(state, "closing") != 0 || c->ticks >= GRACE_TICKS)
        say_closed(l, c);
}

/* A device whose session is over is given back when its frontend has seen that, or is not there to
 * see it. */
static void look_at_closed_device(struct fsif_listener *l, struct connection *c, uint32_t state)
{
    say_closed(l, c);
    if (state == 0 || state == XEN_BUS_CLOSED || state == XEN_BUS_INITIALISING ||
        c->ticks >= (c->refused ? LINGER_TICKS : GRACE_TICKS))
        fsi_xen_connection_forget(l, c);
}

static void look_at_device(struct fsif_listener *l, struct connection *c)
{
    uint32_t state = fsi_xen_bus_state(l->xs, XBT_NULL, c->place.frontend);

    if (c->sock < 0) {
        look_at_closed_device(l, c, state);
        return;
    }
    if ((state == XEN_BUS_INITIALISED || state == XEN_BUS_CONNECTED) && is_attached(l, c))
        return;
    tell_worker(c);
    if (!c->closing && !c->refused)
        (void)fsi_xen_publish_bus_state(l->xs, &c->place, XEN_BUS_CLOSING);
    c->closing = 1;
}

static void look(struct fsif_listener *l, struct connection *c)
{
    char path[XEN_PATH_MAX];
    char state[16];
    int readable;

    c->changed = 0;
    if (c->place.is_device) {
        look_at_device(l, c);
        return;
    }
    fsi_xen_path(path, "%s/state", c->place.frontend);
    readable = fsi_xen_read(l->xs, XBT_NULL, path, state, sizeof(state)) == 0;
    if (c->sock < 0) {
        look_at_lingering(l, c, readable, state);
        return;
    }
    if (!readable || strcmp(state, "ready") != 0 || !is_attached(l, c))
        tell_worker(c);
    if (readable && !c->closing && !c->refused && strcmp(state, "closing") == 0 &&
        (c->place.request.dialects & FSIF_DIALECT_BIT(2)))
        c->closing = fsi_xen_publish_state(l->xs, &c->place, "closing") == 0;
}

void fsi_xen_connections_look(struct fsif_listener *l)
{
    struct connection *next;

    for (struct connection *c = l->connections; c; c = next) {
        next = c->next;
        if (c->changed)
            look(l, c);
    }
}

/* --- the worker ------------------------------------------------------------------------------- */

static unsigned count_lingering(const struct fsif_listener *l, uint32_t domid)
{
    unsigned n = 0;

    for (const struct connection *c = l->connections; c; c = c->next)
        n += c->sock < 0 && c->place.domid == domid && !c->place.is_device;
    return n;
}

/* Whether its frontend is still to read something. Of devices there are few. */
static int is_to_linger(const struct fsif_listener *l, const struct connection *c)
{
    if (l->draining)
        return 0;
    if (c->place.is_device)
        return 1;
    return (c->closing || c->refused) && count_lingering(l, c->place.domid) < LINGER_MAX;
}

static void worker_gone(struct fsif_listener *l, struct connection *c)
{
    if (!is_to_linger(l, c)) {
        fsi_xen_connection_forget(l, c);
        return;
    }
    close(c->sock);
    c->sock = -1;
    c->changed = 1;
    set_timer(l, 1);
}

static int publish(struct fsif_listener *l, const struct connection *c,
                   const struct fsif_dict *answer)
{
    return c->place.is_device ? fsi_xen_publish_device(l->xs, &c->place, answer)
                              : fsi_xen_publish(l->xs, &c->place, answer);
}

/* One answer. It is believed no more than its peer. */
void fsi_xen_connection_event(struct fsif_listener *l, struct connection *c)
{
    char text[FSIF_DICT_MAX];
    struct fsif_dict answer;
    uint32_t status;
    ssize_t n;

    do {
        n = recv(c->sock, text, sizeof(text), MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        worker_gone(l, c);
        return;
    }
    /* What is over does not become ready. */
    if (c->told)
        return;
    if (c->answered || fsif_dict_parse(&answer, text, (size_t)n) || publish(l, c, &answer))
        tell_worker(c);
    else
        c->refused = !fsif_dict_get_u32(&answer, "status", 1, FSIF_MAX_ERRNO, &status);
    c->answered = 1;
}

void fsi_xen_connections_tick(struct fsif_listener *l)
{
    struct connection *next;
    uint64_t count;
    int left = 0;

    if (read(l->timer, &count, sizeof(count)) != (ssize_t)sizeof(count))
        return;
    for (struct connection *c = l->connections; c; c = next) {
        next = c->next;
        if (c->sock >= 0)
            continue;
        c->ticks++;
        c->changed = 1;
        left = 1;
    }
    if (!left)
        set_timer(l, 0);
}
