/* SPDX-License-Identifier: MIT */
#ifndef FSI_XEN_LISTENER_H
#define FSI_XEN_LISTENER_H

/* What the files of the supervisor's part share: listener.c, connections.c, domains.c. */

#include "internal.h"

/* A set of domain ids. */
#define XEN_SET_SIZE 0x8000u

struct xen_set {
    uint32_t count;
    uint32_t bits[XEN_SET_SIZE / 32];
};

struct connection {
    struct connection *next;
    struct xen_place place;
    int sock;       /* our end; the worker's death closes the other. -1: it did */
    int changed;    /* what it depends on may have: look */
    int answered;   /* the worker's answer was published */
    int told;       /* the worker knows that it is over */
    int refused;    /* it answered that there is no session, and why */
    int closing;    /* "closing" was written for a frontend that waits to see it */
    int closed;     /* "closed" too */
    uint32_t ticks; /* of the timer since the worker is gone */
};

struct fsif_peer {
    struct fsif_peer *next; /* answered later than this one, and not handed out yet */
    struct xen_request request;
    uint32_t read_only;
    int sock;         /* the worker's end */
    uint8_t uuid[16]; /* of the domain; all zero where this domain cannot read it */
};

struct fsif_listener {
    struct xs_handle *xs;
    uint32_t own_domid;
    uint32_t next_id;
    int open_requests;
    int draining; /* no new peers */
    int lock;     /* held while we listen */
    int poll_fd;
    int kick;
    int timer; /* runs while a connection lingers */
    int timer_runs;
    int exports_changed;    /* something was attached or detached */
    int devices_changed;    /* a device was made */
    int domains_changed;    /* a domain came or went */
    uint32_t turn;          /* the domain after the one that was looked at last */
    struct xen_set dirty;   /* wrote requests */
    struct xen_set known;   /* domains that live */
    struct xen_set watched; /* of them, those whose device/vfs we watch */
    struct xen_set devices; /* and those whose device/fsif */
    struct xen_set suspect; /* their device/vfs was removed: do they live? */
    struct xen_set ended;   /* to be told */
    struct connection *connections;
    struct fsif_peer *peers; /* answered, not handed out yet; oldest first */
    uint32_t npeers;
};

/* --- peer.c --- */

/** fsi_xen_peer_queue - keep a peer until it is handed out */
void fsi_xen_peer_queue(struct fsif_listener *l, struct fsif_peer *p);

/** fsi_xen_peer_next - the oldest of them, or NULL */
struct fsif_peer *fsi_xen_peer_next(struct fsif_listener *l);

/* --- domains.c -------------------------------------------------------------------------------- */

int fsi_xen_set_has(const struct xen_set *set, uint32_t domid);
void fsi_xen_set_put(struct xen_set *set, uint32_t domid, int in);

/** fsi_xen_set_next - the first member from @from on, in a circle; @set is not empty */
uint32_t fsi_xen_set_next(const struct xen_set *set, uint32_t from);

/** fsi_xen_domains_start - watch domains as they come, go and are attached */
void fsi_xen_domains_start(struct fsif_listener *l);

/** fsi_xen_domains_on_path - a watch on /local/domain/F/device/vfs fired for @path */
void fsi_xen_domains_on_path(struct fsif_listener *l, const char *path);

/** fsi_xen_domains_look - find out what changed since the last time */
void fsi_xen_domains_look(struct fsif_listener *l);

/* --- connections.c ---------------------------------------------------------------------------- */

/** fsi_xen_add_fd - let the listener's descriptor wake for @fd; @c NULL: no connection's */
int fsi_xen_add_fd(struct fsif_listener *l, int fd, struct connection *c);

/**
 * fsi_xen_connection_new - a connection for a request that was taken
 *
 * @worker: receives the worker's end of its socket; NULL: there is no memory for the peer
 *
 * Return: 0; a negative FSIF_E*, and the session's nodes are withdrawn
 */
int fsi_xen_connection_new(struct fsif_listener *l, const struct xen_place *place, int *worker);

/** fsi_xen_connection_refuse - one without a worker, until its frontend has read @error */
int fsi_xen_connection_refuse(struct fsif_listener *l, const struct xen_place *place, int error);

/** fsi_xen_connections_changed - @import NULL: all of @domid; else the one at that number, of a
 * device or not */
void fsi_xen_connections_changed(struct fsif_listener *l, uint32_t domid, const uint32_t *import,
                                 int is_device);

/** fsi_xen_connection_at - whether the device has one. Return: 1 or 0 */
int fsi_xen_connection_at(const struct fsif_listener *l, const struct xen_place *device);

/** fsi_xen_connections_exported - what says that @number is attached may have changed */
void fsi_xen_connections_exported(struct fsif_listener *l, uint32_t number);

/** fsi_xen_connections_look - act on what changed, once for each connection */
void fsi_xen_connections_look(struct fsif_listener *l);

/** fsi_xen_connection_event - its worker wrote, or is gone */
void fsi_xen_connection_event(struct fsif_listener *l, struct connection *c);

/** fsi_xen_connections_tick - time passed for those that linger */
void fsi_xen_connections_tick(struct fsif_listener *l);

/** fsi_xen_connection_forget - withdraw its nodes and free it */
void fsi_xen_connection_forget(struct fsif_listener *l, struct connection *c);

/** fsi_xen_connections_of - whether @domid has any. Return: 1 or 0 */
int fsi_xen_connections_of(const struct fsif_listener *l, uint32_t domid);

#endif
