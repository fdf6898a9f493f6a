/* SPDX-License-Identifier: MIT */
/*
 * The supervisor's part: the only one that has xenstore. A session of a frontend, as seen here:
 *
 *   request node --checked, state init--> [connected] --worker answers--> [answered, ready]
 *      |                                        \-- refused --> [answered, closed]
 *      '--refused: nothing but the request's removal
 *   any --frontend's state is not "ready", its domain is gone--> [told]: the worker sees its socket
 * end any --the worker closes its socket, or never started--> nodes withdrawn, forgotten
 *
 * Invariant: the nodes of M are there exactly as long as the connection is on the list.
 *
 * Watches are coalesced: an event marks a guest as dirty and nothing else, at most EVENTS_AT_ONCE
 * events are taken in one go, and accept() looks at one request of one dirty guest at a time, in
 * turn. `kick` is readable while anything is left to do, so that the caller's loop comes back.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <fsif/host.h>

#include "internal.h"

#define EVENTS_AT_ONCE 256
#define REQUESTS_AT_ONCE 16u
#ifndef LOCK_NAME
#define LOCK_NAME "fsif-xen-backend"
#endif
#define DOMAINS_TABLE 0x8000u

/* Tokens of watches; a connection's is "M" and its number. */
#define TOKEN_REQUESTS "requests"
#define TOKEN_RELEASE "release"

struct connection {
    struct connection *next;
    struct xen_place place;
    int sock; /* our end; the worker's death closes the other */
    int answered;
    int told;
};

struct fsif_listener {
    struct xs_handle *xs;
    uint32_t own_domid;
    uint32_t next_id;
    int lock; /* held while we listen */
    int poll_fd;
    int kick;
    int released;  /* a domain is gone */
    uint32_t turn; /* the domain after the one that was looked at last */
    uint32_t ndirty;
    uint32_t dirty[DOMAINS_TABLE / 32]; /* a bit for each guest that wrote requests */
    struct connection *connections;
};

struct fsif_peer {
    struct xen_request request;
    int sock;         /* the worker's end */
    uint8_t uuid[16]; /* of the domain; all zero where this domain cannot read it */
};

/* --- dirty guests ------------------------------------------------------------------------------
 */

static int is_dirty(const struct fsif_listener *l, uint32_t domid)
{
    return (l->dirty[domid / 32] >> domid % 32) & 1u;
}

static void set_dirty(struct fsif_listener *l, uint32_t domid, int dirty)
{
    if (is_dirty(l, domid) == dirty)
        return;
    l->dirty[domid / 32] ^= 1u << domid % 32;
    l->ndirty += dirty ? 1u : UINT32_MAX;
}

static uint32_t next_dirty(struct fsif_listener *l)
{
    uint32_t domid = l->turn;

    while (!is_dirty(l, domid))
        domid = l->dirty[domid / 32] ? (domid + 1) % DOMAINS_TABLE
                                     : (domid / 32 + 1) * 32 % DOMAINS_TABLE;
    l->turn = (domid + 1) % DOMAINS_TABLE;
    return domid;
}

static void set_kick(struct fsif_listener *l, int on)
{
    uint64_t count = 1;
    ssize_t n;

    do {
        n = on ? write(l->kick, &count, sizeof(count)) : read(l->kick, &count, sizeof(count));
    } while (n < 0 && errno == EINTR);
}

/* --- connections -------------------------------------------------------------------------------
 */

static void connection_token(const struct connection *c, char token[16])
{
    snprintf(token, 16, "M%u", c->place.id);
}

static void state_path(const struct connection *c, char path[XEN_PATH_MAX])
{
    fsi_xen_path(path, "%s/state", c->place.frontend);
}

/* What says that the export is attached to this guest. */
static void attached_path(const struct connection *c, char path[XEN_PATH_MAX])
{
    fsi_xen_path(path, "/local/domain/%u/backend/vfs/exports/%u/frontend-id", c->place.own_domid,
                 c->place.export_number);
}

static int watch(struct fsif_listener *l, const struct connection *c)
{
    char state[XEN_PATH_MAX];
    char attached[XEN_PATH_MAX];
    char token[16];

    connection_token(c, token);
    state_path(c, state);
    attached_path(c, attached);
    return xs_watch(l->xs, state, token) && xs_watch(l->xs, attached, token) ? 0 : fsi_xen_error();
}

static void unwatch(struct fsif_listener *l, const struct connection *c)
{
    char path[XEN_PATH_MAX];
    char token[16];

    connection_token(c, token);
    state_path(c, path);
    xs_unwatch(l->xs, path, token);
    attached_path(c, path);
    xs_unwatch(l->xs, path, token);
}

static void forget(struct fsif_listener *l, struct connection *c)
{
    struct connection **link = &l->connections;

    while (*link != c)
        link = &(*link)->next;
    *link = c->next;
    unwatch(l, c);
    fsi_xen_withdraw(l->xs, &c->place);
    close(c->sock);
    free(c);
}

/* The worker finds its socket at an end and stops; then it is forgotten here. */
static void tell_worker(struct connection *c)
{
    if (!c->told)
        shutdown(c->sock, SHUT_WR);
    c->told = 1;
}

static void check_frontend(struct fsif_listener *l, struct connection *c)
{
    char path[XEN_PATH_MAX];
    uint32_t domid;

    state_path(c, path);
    if (!fsi_xen_is(l->xs, XBT_NULL, path, "ready"))
        tell_worker(c);
    attached_path(c, path);
    if (fsi_xen_read_u32(l->xs, XBT_NULL, path, XEN_DOMAINS - 1, &domid) || domid != c->place.domid)
        tell_worker(c);
}

static int add_socket(struct fsif_listener *l, int fd, struct connection *c)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};

    return epoll_ctl(l->poll_fd, EPOLL_CTL_ADD, fd, &ev) == 0 ? 0 : fsi_xen_error();
}

/* A new session of a guest on the same nodes ends the one before. */
static void end_older(struct fsif_listener *l, const struct connection *newer)
{
    for (struct connection *c = l->connections; c; c = c->next) {
        if (c != newer && strcmp(c->place.frontend, newer->place.frontend) == 0)
            tell_worker(c);
    }
}

static int connect_worker(struct fsif_listener *l, struct connection *c, struct fsif_peer **out)
{
    struct fsif_peer *p = calloc(1, sizeof(*p));
    int pair[2];
    int ret;

    if (!p)
        return -FSIF_ENOMEM;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair)) {
        ret = fsi_xen_error();
        free(p);
        return ret;
    }
    ret = add_socket(l, pair[0], c);
    if (!ret)
        ret = watch(l, c);
    if (ret) {
        unwatch(l, c);
        close(pair[0]);
        close(pair[1]);
        free(p);
        return ret;
    }
    c->sock = pair[0];
    p->sock = pair[1];
    p->request = c->place.request;
    fsi_xen_read_uuid(l->xs, c->place.domid, p->uuid);
    *out = p;
    return 0;
}

/* Returns 1: a peer; 0: refused; a negative FSIF_E*: refused for want of something of ours */
static int take_request(struct fsif_listener *l, uint32_t domid, uint32_t number,
                        struct fsif_peer **out)
{
    struct connection *c = calloc(1, sizeof(*c));
    int ret;

    if (!c)
        return -FSIF_ENOMEM;
    c->place.own_domid = l->own_domid;
    c->place.domid = domid;
    c->place.export_number = number;
    c->place.id = l->next_id++;
    ret = fsi_xen_take_request(l->xs, &c->place);
    if (ret) {
        /* What cannot be removed is not looked at again and again. */
        if (ret == -FSIF_EPERM)
            set_dirty(l, domid, 0);
        free(c);
        return 0;
    }
    ret = connect_worker(l, c, out);
    if (ret) {
        fsi_xen_withdraw(l->xs, &c->place);
        free(c);
        return ret;
    }
    c->next = l->connections;
    l->connections = c;
    end_older(l, c);
    return 1;
}

/* Look at the requests of one guest. Returns as take_request(). */
static int look_at_guest(struct fsif_listener *l, uint32_t domid, struct fsif_peer **out)
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
        set_dirty(l, domid, 0);
    for (unsigned i = 0; names && i < n && i < REQUESTS_AT_ONCE && !ret; i++) {
        if (fsi_xen_number(names[i], UINT32_MAX, &number)) {
            ret = take_request(l, domid, number, out);
            continue;
        }
        snprintf(path, sizeof(path), "%s/%.100s", base, names[i]);
        if (fsi_xen_remove(l->xs, XBT_NULL, path))
            set_dirty(l, domid, 0);
    }
    /* Without another event only what was beyond REQUESTS_AT_ONCE, or behind a peer, is left. */
    if (n > 0 && n <= REQUESTS_AT_ONCE && ret == 0)
        set_dirty(l, domid, 0);
    free(names);
    return ret;
}

/* --- events ------------------------------------------------------------------------------------
 */

static void on_request_path(struct fsif_listener *l, const char *path)
{
    char base[XEN_PATH_MAX];
    char digits[12];
    uint32_t domid;
    size_t len;

    fsi_xen_path(base, "/local/domain/%u/backend/vfs/exports/requests/", l->own_domid);
    if (strncmp(path, base, strlen(base)) != 0)
        return;
    path += strlen(base);
    len = strcspn(path, "/");
    if (len >= sizeof(digits))
        return;
    memcpy(digits, path, len);
    digits[len] = '\0';
    if (fsi_xen_number(digits, XEN_DOMAINS - 1, &domid))
        set_dirty(l, domid, 1);
}

static void on_watch(struct fsif_listener *l, char **event)
{
    const char *token = event[XS_WATCH_TOKEN];
    char own[16];

    if (strcmp(token, TOKEN_REQUESTS) == 0) {
        on_request_path(l, event[XS_WATCH_PATH]);
    } else if (strcmp(token, TOKEN_RELEASE) == 0) {
        l->released = 1;
    } else {
        for (struct connection *c = l->connections; c; c = c->next) {
            connection_token(c, own);
            if (strcmp(token, own) == 0)
                check_frontend(l, c);
        }
    }
}

/* A domain is gone: its sessions end, and what it was attached to is removed. */
static void on_release(struct fsif_listener *l)
{
    l->released = 0;
    for (struct connection *c = l->connections; c; c = c->next)
        check_frontend(l, c);
    fsi_xen_sweep(l->xs, l->own_domid);
}

/* What a worker says: one answer. It is believed no more than its peer. */
static void on_worker(struct fsif_listener *l, struct connection *c)
{
    char text[FSIF_DICT_MAX];
    struct fsif_dict answer;
    ssize_t n;

    do {
        n = recv(c->sock, text, sizeof(text), MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        forget(l, c);
        return;
    }
    if (c->answered || fsif_dict_parse(&answer, text, (size_t)n) ||
        fsi_xen_publish(l->xs, &c->place, &answer))
        tell_worker(c);
    c->answered = 1;
}

/* Returns 1 if there is more. */
static int take_events(struct fsif_listener *l)
{
    struct epoll_event events[16];
    int n = epoll_wait(l->poll_fd, events, 16, 0);
    int i;

    for (i = 0; i < n; i++) {
        if (events[i].data.ptr)
            on_worker(l, events[i].data.ptr);
    }
    for (i = 0; i < EVENTS_AT_ONCE; i++) {
        char **event = xs_check_watch(l->xs);

        if (!event)
            break;
        on_watch(l, event);
        free(event);
    }
    if (l->released)
        on_release(l);
    return i == EVENTS_AT_ONCE;
}

int fsi_xen_accept(struct fsif_listener *l, struct fsif_peer **out)
{
    int more = take_events(l);
    int ret = 0;

    if (l->ndirty)
        ret = look_at_guest(l, next_dirty(l), out);
    set_kick(l, more || l->ndirty);
    if (ret < 0)
        return ret;
    return ret > 0 ? 0 : -FSIF_EAGAIN;
}

/* --- peers -------------------------------------------------------------------------------------
 */

int fsi_xen_peer_credentials(struct fsif_peer *p, struct fsif_credentials *out)
{
    memset(out, 0, sizeof(*out));
    out->kind = FSIF_CREDENTIAL_DOMAIN;
    out->uid = FSIF_CREDENTIAL_UNKNOWN;
    out->gid = FSIF_CREDENTIAL_UNKNOWN;
    out->domid = p->request.domid;
    memcpy(out->uuid, p->uuid, sizeof(out->uuid));
    return 0;
}

int fsi_xen_peer_export(struct fsif_peer *p, int *fds, size_t *nfds, void *blob, size_t *len)
{
    if (*nfds < 1 || *len < sizeof(p->request))
        return -FSIF_EINVAL;
    fds[0] = p->sock;
    *nfds = 1;
    memcpy(blob, &p->request, sizeof(p->request));
    *len = sizeof(p->request);
    return 0;
}

void fsi_xen_peer_close(struct fsif_peer *p)
{
    close(p->sock);
    free(p);
}

/* --- life --------------------------------------------------------------------------------------
 */

/* One backend for each domain: an abstract socket is gone with its process, whatever happens. */
static int take_lock(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int ret;

    if (fd < 0)
        return fsi_xen_error();
    memcpy(a.sun_path + 1, LOCK_NAME, sizeof(LOCK_NAME) - 1);
    if (bind(fd, (const struct sockaddr *)&a,
             (socklen_t)(offsetof(struct sockaddr_un, sun_path) + sizeof(LOCK_NAME)))) {
        ret = errno == EADDRINUSE ? -FSIF_EBUSY : fsi_xen_error();
        close(fd);
        return ret;
    }
    return fd;
}

static int make_poll(struct fsif_listener *l)
{
    int ret;

    l->poll_fd = epoll_create1(EPOLL_CLOEXEC);
    l->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (l->poll_fd < 0 || l->kick < 0)
        return fsi_xen_error();
    ret = add_socket(l, l->kick, NULL);
    return ret ? ret : add_socket(l, xs_fileno(l->xs), NULL);
}

static int start(struct fsif_listener *l)
{
    char path[XEN_PATH_MAX];
    int ret = fsi_xen_own_domid(l->xs, &l->own_domid);

    if (!ret)
        ret = make_poll(l);
    if (!ret)
        ret = fsi_xen_prepare(l->xs, l->own_domid);
    if (ret)
        return ret;
    fsi_xen_sweep(l->xs, l->own_domid);
    fsi_xen_path(path, "/local/domain/%u/backend/vfs/exports/requests", l->own_domid);
    if (!xs_watch(l->xs, path, TOKEN_REQUESTS))
        return fsi_xen_error();
    /* A driver domain may not be told of it: then the frontend's nodes and its canary tell. */
    (void)xs_watch(l->xs, "@releaseDomain", TOKEN_RELEASE);
    return 0;
}

/* Requests that were made while nobody listened. */
static void look_at_all(struct fsif_listener *l)
{
    char path[XEN_PATH_MAX];
    uint32_t domid;
    unsigned n = 0;
    char **names;

    fsi_xen_path(path, "/local/domain/%u/backend/vfs/exports/requests", l->own_domid);
    names = xs_directory(l->xs, XBT_NULL, path, &n);
    for (unsigned i = 0; names && i < n; i++) {
        if (fsi_xen_number(names[i], XEN_DOMAINS - 1, &domid))
            set_dirty(l, domid, 1);
    }
    free(names);
    set_kick(l, l->ndirty > 0);
}

int fsi_xen_listen(const char *address, struct fsif_listener **out)
{
    struct fsif_listener *l;
    int ret;

    if (strcmp(address, "all") != 0)
        return -FSIF_EINVAL;
    l = calloc(1, sizeof(*l));
    if (!l)
        return -FSIF_ENOMEM;
    l->poll_fd = l->kick = -1;
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
    look_at_all(l);
    *out = l;
    return 0;
}

int fsi_xen_listener_fd(struct fsif_listener *l)
{
    return l->poll_fd;
}

void fsi_xen_listener_close(struct fsif_listener *l)
{
    const int fds[] = {l->lock, l->poll_fd, l->kick};

    /* Workers are told by the daemon; each ends when it has answered what it took. */
    while (l->connections)
        forget(l, l->connections);
    xs_close(l->xs);
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
    free(l);
}
