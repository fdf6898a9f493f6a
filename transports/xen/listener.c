/* SPDX-License-Identifier: MIT */
/*
 * The supervisor's part: the only one that has xenstore. Requests are found here and checked in
 * request.c; sessions live in connections.c, what is known of domains in domains.c.
 *
 * Watches are coalesced: an event marks a guest, a connection or a domain and nothing else. What is
 * marked is looked at once for each wake-up, and accept() looks at no more than REQUESTS_AT_ONCE
 * requests of one guest, of GUESTS_AT_ONCE in turn: a guest that floods us waits for its own turn
 * like the others. Events are taken faster than they can come while we work on what is marked, so
 * that the queue of libxenstore does not grow. `kick` is readable while anything is left to do, so
 * that the caller's loop comes back.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <fsif/host.h>

#include "listener.h"

#define EVENTS_AT_ONCE 8192
#define REQUESTS_AT_ONCE 16u
#define GUESTS_AT_ONCE 8
#ifndef LOCK_FILE
#define LOCK_FILE "/dev/xen/gntdev"
#endif

#define TOKEN_EXPORTS "exports"
#define TOKEN_DEVICES "devices"

static void set_kick(struct fsif_listener *l, int on)
{
    uint64_t count = 1;
    ssize_t n;

    do {
        n = on ? write(l->kick, &count, sizeof(count)) : read(l->kick, &count, sizeof(count));
    } while (n < 0 && errno == EINTR);
}

/* --- requests --------------------------------------------------------------------------------- */

/* What was asked at @place stands up: a peer for it. Returns 1; a negative FSIF_E*, and it is
 * withdrawn */
static int hand_over(struct fsif_listener *l, const struct xen_place *place)
{
    struct fsif_peer *p = calloc(1, sizeof(*p));
    int ret = fsi_xen_connection_new(l, place, p ? &p->sock : NULL);

    if (ret || !p) {
        free(p);
        return ret ? ret : -FSIF_ENOMEM;
    }
    p->request = place->request;
    p->read_only = place->read_only;
    fsi_xen_read_uuid(l->xs, place->domid, p->uuid);
    fsi_xen_peer_queue(l, p);
    return 1;
}

/* Returns 1: a peer; 0: refused; a negative FSIF_E*: refused for want of something of ours */
static int take_request(struct fsif_listener *l, uint32_t domid, uint32_t number)
{
    struct xen_place place = {
        .own_domid = l->own_domid,
        .domid = domid,
        .export_number = number,
        .id = l->next_id++,
    };
    int ret = fsi_xen_take_request(l->xs, &place);

    if (!ret)
        return hand_over(l, &place);
    /* What cannot be removed is not looked at again and again. */
    if (ret == -FSIF_EPERM)
        fsi_xen_set_put(&l->dirty, domid, 0);
    return 0;
}

/* Look at the requests box of one guest. Returns as take_request(). */
static int look_at_box(struct fsif_listener *l, uint32_t domid)
{
    char base[XEN_PATH_MAX];
    char path[2 * XEN_PATH_MAX];
    uint32_t number;
    unsigned n = 0;
    char **names;
    int ret = 0;

    fsi_xen_path(base, "/local/domain/%u/backend/vfs/exports/requests/%u", l->own_domid, domid);
    names = xs_directory(l->xs, XBT_NULL, base, &n);
    if (!names || n == 0)
        fsi_xen_set_put(&l->dirty, domid, 0);
    for (unsigned i = 0; names && i < n && i < REQUESTS_AT_ONCE && !ret; i++) {
        if (fsi_xen_number(names[i], UINT32_MAX, &number)) {
            ret = take_request(l, domid, number);
            continue;
        }
        snprintf(path, sizeof(path), "%s/%.100s", base, names[i]);
        if (fsi_xen_remove(l->xs, XBT_NULL, path))
            fsi_xen_set_put(&l->dirty, domid, 0);
    }
    /* Without another event only what was beyond REQUESTS_AT_ONCE, or behind a peer, is left. */
    if (n > 0 && n <= REQUESTS_AT_ONCE && ret == 0)
        fsi_xen_set_put(&l->dirty, domid, 0);
    free(names);
    return ret;
}

struct looking {
    struct fsif_listener *l;
    int ret; /* as take_request() */
};

static int take_device(struct fsif_listener *l, const struct xen_place *device)
{
    struct xen_place place = *device;
    int ret = fsi_xen_take_device(l->xs, &place);

    if (ret == -FSIF_ECANCELED)
        return 0;
    return ret ? fsi_xen_connection_refuse(l, &place, ret) : hand_over(l, &place);
}

/* A device without a session: somebody asks, or its states are left of something. */
static void look_at_device(struct xs_handle *xs, const struct xen_place *p, void *arg)
{
    struct looking *look = arg;
    uint32_t back = fsi_xen_bus_state(xs, XBT_NULL, p->backend);
    uint32_t front = fsi_xen_bus_state(xs, XBT_NULL, p->frontend);

    if (look->ret || back == XEN_BUS_INITIALISING || fsi_xen_connection_at(look->l, p))
        return;
    if (back == XEN_BUS_INIT_WAIT && front == XEN_BUS_INITIALISED)
        look->ret = take_device(look->l, p);
    else if (back != XEN_BUS_INIT_WAIT ||
             (front != XEN_BUS_INITIALISING && front != XEN_BUS_CLOSED && front != 0))
        fsi_xen_reset_device(xs, p, XEN_BUS_INIT_WAIT);
}

/* Look at all that one guest may have asked. Returns as take_request(). */
static int look_at_guest(struct fsif_listener *l, uint32_t domid)
{
    struct looking look = {.l = l, .ret = look_at_box(l, domid)};

    if (!look.ret)
        fsi_xen_each_device_of(l->xs, l->own_domid, domid, look_at_device, &look);
    /* There may be others of it. */
    if (look.ret)
        fsi_xen_set_put(&l->dirty, domid, 1);
    return look.ret;
}

/* Old frontends wait 100 ms for an answer, and the caller starts a worker for each peer: so some
 * are answered before the first is handed out. Returns 0; a negative FSIF_E*. */
static int look_at_requests(struct fsif_listener *l)
{
    int ret = 0;

    for (int i = 0; i < GUESTS_AT_ONCE && ret >= 0 && l->dirty.count && l->npeers < GUESTS_AT_ONCE;
         i++) {
        uint32_t domid = fsi_xen_set_next(&l->dirty, l->turn);

        l->turn = (domid + 1) % XEN_SET_SIZE;
        ret = look_at_guest(l, domid);
    }
    return ret < 0 ? ret : 0;
}

/* --- events ----------------------------------------------------------------------------------- */

/* At or below exports: a guest's request, or what it is attached to. */
static void on_exports(struct fsif_listener *l, const char *path)
{
    static const char requests[] = "requests/";
    char base[XEN_PATH_MAX];
    uint32_t number;

    fsi_xen_path(base, "/local/domain/%u/backend/vfs/exports/", l->own_domid);
    if (strncmp(path, base, strlen(base)) != 0) {
        l->exports_changed = 1;
        return;
    }
    path += strlen(base);
    if (strncmp(path, requests, sizeof(requests) - 1) == 0) {
        if (fsi_xen_leading_number(path + sizeof(requests) - 1, XEN_DOMAINS - 1, &number))
            fsi_xen_set_put(&l->dirty, number, 1);
    } else if (fsi_xen_leading_number(path, UINT32_MAX, &number)) {
        l->exports_changed = 1;
        fsi_xen_connections_exported(l, number);
    }
}

/* At or below backend/fsif. What we write there ourselves is no news. */
static void on_devices(struct fsif_listener *l, const char *path)
{
    char base[XEN_PATH_MAX];
    uint32_t domid;
    uint32_t number;

    fsi_xen_path(base, "/local/domain/%u/backend/fsif/", l->own_domid);
    if (strncmp(path, base, strlen(base)) != 0) {
        l->devices_changed = 1;
        return;
    }
    path = fsi_xen_leading_number(path + strlen(base), XEN_DOMAINS - 1, &domid);
    if (!path || *path == '\0') {
        l->devices_changed = 1;
        return;
    }
    path = fsi_xen_leading_number(path + 1, UINT32_MAX, &number);
    if (!path || (*path != '\0' && strcmp(path, "/mode") != 0 && strcmp(path, "/name") != 0 &&
                  strcmp(path, "/frontend-id") != 0))
        return;
    l->devices_changed = 1;
    fsi_xen_connections_changed(l, domid, &number, 1);
}

static void on_watch(struct fsif_listener *l, char **event)
{
    const char *path = event[XS_WATCH_PATH];

    if (strcmp(event[XS_WATCH_TOKEN], TOKEN_EXPORTS) == 0)
        on_exports(l, path);
    else if (strcmp(event[XS_WATCH_TOKEN], TOKEN_DEVICES) == 0)
        on_devices(l, path);
    else if (path[0] == '@')
        l->domains_changed = 1;
    else
        fsi_xen_domains_on_path(l, path);
}

/* Returns 1 if there is more. */
static int take_events(struct fsif_listener *l)
{
    struct epoll_event events[16];
    int n = epoll_wait(l->poll_fd, events, 16, 0);
    int i;

    for (i = 0; i < n; i++) {
        if (events[i].data.ptr)
            fsi_xen_connection_event(l, events[i].data.ptr);
    }
    fsi_xen_connections_tick(l);
    for (i = 0; i < EVENTS_AT_ONCE; i++) {
        char **event = xs_check_watch(l->xs);

        if (!event)
            break;
        on_watch(l, event);
        free(event);
    }
    fsi_xen_domains_look(l);
    fsi_xen_connections_look(l);
    return i == EVENTS_AT_ONCE;
}

int fsi_xen_accept(struct fsif_listener *l, struct fsif_peer **out)
{
    int more = take_events(l);
    int ret = l->draining ? 0 : look_at_requests(l);
    struct fsif_peer *p = fsi_xen_peer_next(l);

    set_kick(l, more || l->peers || (l->dirty.count && !l->draining));
    if (!p)
        return ret < 0 ? ret : -FSIF_EAGAIN;
    *out = p;
    return 0;
}

int fsi_xen_ended(struct fsif_listener *l, uint32_t *domid)
{
    if (!l->ended.count)
        return -FSIF_EAGAIN;
    *domid = fsi_xen_set_next(&l->ended, 0);
    fsi_xen_set_put(&l->ended, *domid, 0);
    return 0;
}

/* --- life ------------------------------------------------------------------------------------- */

/* One backend for each domain. The lock is gone with its process, whatever happens, and is on a
 * file that nobody may open who could not be a backend: an ordinary user cannot keep us out. */
static int take_lock(void)
{
    int fd = open(LOCK_FILE, O_RDONLY | O_CLOEXEC);
    int ret;

    if (fd < 0)
        return errno == ENOENT || errno == ENXIO ? -FSIF_ENODEV : fsi_xen_error();
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    ret = errno == EWOULDBLOCK ? -FSIF_EBUSY : fsi_xen_error();
    close(fd);
    return ret;
}

static int make_poll(struct fsif_listener *l)
{
    int ret;

    l->poll_fd = epoll_create1(EPOLL_CLOEXEC);
    l->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    l->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (l->poll_fd < 0 || l->kick < 0 || l->timer < 0)
        return fsi_xen_error();
    ret = fsi_xen_add_fd(l, l->kick, NULL);
    if (!ret)
        ret = fsi_xen_add_fd(l, l->timer, NULL);
    return ret ? ret : fsi_xen_add_fd(l, xs_fileno(l->xs), NULL);
}

static void mark_dirty(struct xs_handle *xs, uint32_t own_domid, uint32_t domid, void *arg)
{
    (void)xs;
    (void)own_domid;
    fsi_xen_set_put(arg, domid, 1);
}

static int start(struct fsif_listener *l)
{
    char path[XEN_PATH_MAX];
    int ret = fsi_xen_own_domid(l->xs, &l->own_domid);

    if (!ret)
        ret = make_poll(l);
    if (!ret)
        ret = fsi_xen_prepare(l->xs, l->own_domid, l->open_requests);
    if (ret)
        return ret;
    fsi_xen_sweep(l->xs, l->own_domid);
    fsi_xen_path(path, "/local/domain/%u/backend/vfs/exports", l->own_domid);
    if (!xs_watch(l->xs, path, TOKEN_EXPORTS))
        return fsi_xen_error();
    fsi_xen_path(path, "/local/domain/%u/backend/fsif", l->own_domid);
    if (!xs_watch(l->xs, path, TOKEN_DEVICES))
        return fsi_xen_error();
    fsi_xen_domains_start(l);
    /* Requests that were made while nobody listened. */
    fsi_xen_path(path, "/local/domain/%u/backend/vfs/exports/requests", l->own_domid);
    fsi_xen_each_number(l->xs, l->own_domid, path, XEN_DOMAINS - 1, mark_dirty, &l->dirty);
    set_kick(l, 1);
    return 0;
}

/* "all", and what is asked for beside. Returns 0; -FSIF_EINVAL. */
static int read_address(const char *address, struct fsif_listener *l)
{
    if (strcmp(address, "all,open-requests") == 0)
        l->open_requests = 1;
    else if (strcmp(address, "all") != 0)
        return -FSIF_EINVAL;
    return 0;
}

int fsi_xen_listen(const char *address, struct fsif_listener **out)
{
    struct fsif_listener *l = calloc(1, sizeof(*l));
    int ret = l ? read_address(address, l) : -FSIF_ENOMEM;

    if (ret) {
        free(l);
        return ret;
    }
    l->poll_fd = l->kick = l->timer = -1;
    /* So that a session of a dead backend is never taken for one of ours. */
    if (getrandom(&l->next_id, sizeof(l->next_id), GRND_NONBLOCK) < 0)
        l->next_id = (uint32_t)getpid();
    l->next_id &= 0x7fffffffu;
    l->lock = take_lock();
    ret = l->lock < 0 ? l->lock : 0;
    if (!ret) {
        l->xs = xs_open(0);
        ret = l->xs ? start(l) : -FSIF_ENODEV;
    }
    if (ret) {
        fsi_xen_listener_close(l);
        return ret;
    }
    *out = l;
    return 0;
}

int fsi_xen_listener_fd(struct fsif_listener *l)
{
    return l->poll_fd;
}

/* Requests stay where they are, for the next daemon; sessions end as their workers do. */
void fsi_xen_listener_drain(struct fsif_listener *l)
{
    struct fsif_peer *p;

    l->draining = 1;
    while ((p = fsi_xen_peer_next(l)) != NULL)
        fsi_xen_peer_close(p);
}

void fsi_xen_listener_close(struct fsif_listener *l)
{
    const int fds[] = {l->lock, l->poll_fd, l->kick, l->timer};

    fsi_xen_listener_drain(l);
    while (l->connections)
        fsi_xen_connection_forget(l, l->connections);
    if (l->xs) {
        fsi_xen_devices_leave(l->xs, l->own_domid);
        xs_close(l->xs);
    }
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
    free(l);
}
