/* SPDX-License-Identifier: MIT */
#ifndef FSI_XEN_INTERNAL_H
#define FSI_XEN_INTERNAL_H

/* What the files of the xen transport share. Everything here is private to it. */

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <xenevtchn.h>
#include <xengnttab.h>
#include <xenstore.h>
#include <xentoollog.h>
#include <fsif/negotiate.h>
#include <fsif/xen.h>

/* Domain ids from here on stand for no domain. */
#define XEN_DOMAINS 0x7ff0u

/* Our paths: /local/domain/32751/backend/vfs/exports/requests/32751/4294967295/frontend is 70. */
#define XEN_PATH_MAX 128u

#define XEN_RING_PAGES_MAX 16u

/* --- store.c: xenstore, with checks ----------------------------------------------------------- */

/**
 * fsi_xen_path - format a path of ours; it always fits
 */
void fsi_xen_path(char out[XEN_PATH_MAX], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** fsi_xen_number - the one way to write a number: no sign, blank or leading zero. Return: 1 or 0
 */
int fsi_xen_number(const char *text, uint32_t max, uint32_t *out);

/** fsi_xen_leading_number - the same, of a path's first part. Return: what follows it, "" or
 * "/...", or NULL */
const char *fsi_xen_leading_number(const char *text, uint32_t max, uint32_t *out);

/** fsi_xen_numbered - whether @path is exactly @parent/NUMBER. Return: 1 or 0 */
int fsi_xen_numbered(const char *path, const char *parent, uint32_t *out);

/**
 * fsi_xen_read - a node's value as text, with its NUL
 *
 * Return: 0; -FSIF_ENOENT; -FSIF_EACCES; -FSIF_EPROTO longer than @size or with a NUL inside
 */
int fsi_xen_read(struct xs_handle *xs, xs_transaction_t t, const char *path, char *out,
                 size_t size);

/** fsi_xen_read_u32 - the same, a number up to @max; -FSIF_EPROTO if it is none */
int fsi_xen_read_u32(struct xs_handle *xs, xs_transaction_t t, const char *path, uint32_t max,
                     uint32_t *out);

/** fsi_xen_write, fsi_xen_write_u32, fsi_xen_remove - Return: 0 or a negative FSIF_E* */
int fsi_xen_write(struct xs_handle *xs, xs_transaction_t t, const char *path, const char *value);
int fsi_xen_write_u32(struct xs_handle *xs, xs_transaction_t t, const char *path, uint32_t value);
int fsi_xen_remove(struct xs_handle *xs, xs_transaction_t t, const char *path);

/** fsi_xen_owned_by - Return: 0 if @domid owns the node; -FSIF_EACCES; -FSIF_ENOENT */
int fsi_xen_owned_by(struct xs_handle *xs, xs_transaction_t t, const char *path, uint32_t domid);

/** fsi_xen_own_domid - Return: 0; -FSIF_EPROTO */
int fsi_xen_own_domid(struct xs_handle *xs, uint32_t *out);

/** fsi_xen_parse_uuid - 8-4-4-4-12 digits of either case. Return: 1 or 0 */
int fsi_xen_parse_uuid(const char *text, uint8_t out[16]);

/** fsi_xen_read_uuid - the toolstack's word on a domain; all zero if there is none that counts */
void fsi_xen_read_uuid(struct xs_handle *xs, uint32_t domid, uint8_t out[16]);

/** fsi_xen_is - whether a node's value is @word. Return: 1 or 0 */
int fsi_xen_is(struct xs_handle *xs, xs_transaction_t t, const char *path, const char *word);

/**
 * fsi_xen_transact - run @step in a transaction, again if others got in between, at most 16 times
 *
 * Return: 0 committed; what @step returned, and nothing was changed; -FSIF_EBUSY
 */
typedef int fsi_xen_step(struct xs_handle *xs, xs_transaction_t t, void *arg);
int fsi_xen_transact(struct xs_handle *xs, fsi_xen_step *step, void *arg);

/** fsi_xen_error - errno as a negative FSIF_E* */
int fsi_xen_error(void);

/* --- request.c: what a frontend wrote --------------------------------------------------------- */

/* A frontend's request, checked. Plain data: it goes to the worker as it is. */
#define XEN_BLOB_MAGIC 0x6e657866u /* "fxen" in memory */
#define XEN_BLOB_VERSION 3u

#define XEN_OFFER_MAX 704u

struct xen_request {
    uint32_t magic;
    uint32_t version;
    uint32_t domid;
    uint32_t dialects; /* set of bits: those whose nodes are there */
    uint32_t ring_pages;
    uint32_t ring_refs[XEN_RING_PAGES_MAX];
    uint32_t queues;
    uint32_t ports[FSIF_QUEUES_MAX]; /* of each queue's event channel, in the frontend's domain */
    uint32_t pages;                  /* shared in all */
    uint32_t has_canary;
    uint32_t canary_ref;
    uint32_t keyed;         /* it wrote keys beside the nodes of its dialect */
    uint32_t feature_errno; /* it asked for error numbers */
    char export_name[FSIF_EXPORT_NAME_MAX + 1];
    /* Of a device: the offer as it is. Then nothing above counts but domid, queues, ports, the
     * canary and the export's name. */
    uint32_t offer_len; /* 0: not of a device */
    char offer[XEN_OFFER_MAX];
};

/* Offsets in the canary page: 1 while a side lives, cleared by its kernel when it is gone. */
#define XEN_CANARY_FRONTEND 0u
#define XEN_CANARY_BACKEND 1u

/* Where a request stands and what becomes of it. */
struct xen_place {
    uint32_t own_domid;
    uint32_t domid;
    uint32_t export_number;
    uint32_t id;        /* M: the number of the session's nodes */
    uint32_t import;    /* I: the number of the frontend's; N of a device */
    uint32_t read_only; /* it was attached so */
    uint32_t is_device; /* export_number and id mean nothing */
    char frontend[XEN_PATH_MAX];
    char backend[XEN_PATH_MAX];
    struct xen_request request;
};

/**
 * fsi_xen_take_request - check requests/F/E and answer it: nodes of M, state init, the frontend's
 * backend node; removes the request whatever comes of it
 *
 * @place: own_domid, domid, export_number and id set; receives the rest
 *
 * Return: 0; -FSIF_EACCES, -FSIF_EPROTO, -FSIF_ENOENT the request was refused; -FSIF_EPERM and it
 *         could not be removed
 */
int fsi_xen_take_request(struct xs_handle *xs, struct xen_place *place);

/** fsi_xen_read_export - the export's name and mode, if it is attached to this guest. Return: 0;
 * -FSIF_EACCES; -FSIF_ENOENT; -FSIF_EPROTO */
int fsi_xen_read_export(struct xs_handle *xs, xs_transaction_t t, struct xen_place *place);

/* --- nodes.c: a session's nodes --------------------------------------------------------------- */

/** fsi_xen_write_init - the first answer to a request. Return: 0 or a negative FSIF_E* */
int fsi_xen_write_init(struct xs_handle *xs, xs_transaction_t t, const struct xen_place *place);

/** fsi_xen_publish - write what the worker answered to M. Return: 0 or a negative FSIF_E* */
int fsi_xen_publish(struct xs_handle *xs, const struct xen_place *place,
                    const struct fsif_dict *answer);

/** fsi_xen_publish_state - write M/state only. Return: 0 or a negative FSIF_E* */
int fsi_xen_publish_state(struct xs_handle *xs, const struct xen_place *place, const char *state);

/** fsi_xen_is_named - whether the frontend's nodes name this session's still. Return: 1 or 0 */
int fsi_xen_is_named(struct xs_handle *xs, xs_transaction_t t, const struct xen_place *place);

/** fsi_xen_withdraw - remove the session's nodes, if they are still those of this session */
void fsi_xen_withdraw(struct xs_handle *xs, const struct xen_place *place);

/* --- keys.c: dictionaries as nodes ------------------------------------------------------------
 */

/**
 * fsi_xen_read_keys - the children of @base as keys, but @others
 *
 * @owner:  of each of them
 * @others: names, NULL at the end; "NAME*" stands for all that begin so
 *
 * Return: 0, and they are added to @out; -FSIF_EPROTO too many, no keys, no values; -FSIF_EACCES;
 *         -FSIF_ENOENT no such directory
 */
int fsi_xen_read_keys(struct xs_handle *xs, xs_transaction_t t, const char *base, uint32_t owner,
                      const char *const *others, struct fsif_dict *out);

/** fsi_xen_write_keys - a node below @base for each key of @d, but @others. Return: 0 or a negative
 * FSIF_E* */
int fsi_xen_write_keys(struct xs_handle *xs, xs_transaction_t t, const char *base,
                       const struct fsif_dict *d, const char *const *others);

/** fsi_xen_drop_keys - remove the children of @base, but @others. Return: 0 or a negative FSIF_E*
 */
int fsi_xen_drop_keys(struct xs_handle *xs, xs_transaction_t t, const char *base,
                      const char *const *others);

/* --- device.c: devices, in the supervisor ------------------------------------------------------
 */

/* States of either side, as XenbusState has them. */
#define XEN_BUS_INITIALISING 1u
#define XEN_BUS_INIT_WAIT 2u
#define XEN_BUS_INITIALISED 3u
#define XEN_BUS_CONNECTED 4u
#define XEN_BUS_CLOSING 5u
#define XEN_BUS_CLOSED 6u

/** fsi_xen_device_paths - of the device at @p's own_domid, domid and import */
void fsi_xen_device_paths(struct xen_place *p);

/** fsi_xen_bus_state - of a side, or 0: none that can be read */
uint32_t fsi_xen_bus_state(struct xs_handle *xs, xs_transaction_t t, const char *device);

/** fsi_xen_read_device - the export's name and mode. Return: 0; -FSIF_ENOENT it is not attached;
 * another negative FSIF_E* */
int fsi_xen_read_device(struct xs_handle *xs, xs_transaction_t t, struct xen_place *p);

/** fsi_xen_device_asks - whether its frontend waits for an answer. Return: 1 or 0 */
int fsi_xen_device_asks(struct xs_handle *xs, xs_transaction_t t, const struct xen_place *p);

/** fsi_xen_take_device - check the offer. Return: 0, and the place's request; -FSIF_ECANCELED there
 * is none any more; another negative FSIF_E*: to be refused */
int fsi_xen_take_device(struct xs_handle *xs, struct xen_place *p);

/** fsi_xen_publish_device - the answer and its state, Connected or Closed;
 * fsi_xen_publish_bus_state - no more than a state. Return: 0 or a negative FSIF_E* */
int fsi_xen_publish_device(struct xs_handle *xs, const struct xen_place *p,
                           const struct fsif_dict *answer);
int fsi_xen_publish_bus_state(struct xs_handle *xs, const struct xen_place *p, uint32_t state);

/** fsi_xen_reset_device - free for the next session, the backend's state is @state */
void fsi_xen_reset_device(struct xs_handle *xs, const struct xen_place *p, uint32_t state);

/** fsi_xen_each_device, fsi_xen_each_device_of - call @fn for all devices, or those of a guest */
typedef void fsi_xen_device_fn(struct xs_handle *xs, const struct xen_place *p, void *arg);
void fsi_xen_each_device(struct xs_handle *xs, uint32_t own_domid, fsi_xen_device_fn *fn,
                         void *arg);
void fsi_xen_each_device_of(struct xs_handle *xs, uint32_t own_domid, uint32_t domid,
                            fsi_xen_device_fn *fn, void *arg);

/* --- listener.c ------------------------------------------------------------------------------- */

int fsi_xen_listen(const char *address, struct fsif_listener **out);
int fsi_xen_listener_fd(struct fsif_listener *l);
int fsi_xen_accept(struct fsif_listener *l, struct fsif_peer **out);
int fsi_xen_peer_credentials(struct fsif_peer *p, struct fsif_credentials *out);
int fsi_xen_peer_export(struct fsif_peer *p, int *fds, size_t *nfds, void *blob, size_t *len);
void fsi_xen_peer_close(struct fsif_peer *p);
int fsi_xen_ended(struct fsif_listener *l, uint32_t *domid);
void fsi_xen_listener_drain(struct fsif_listener *l);
void fsi_xen_listener_close(struct fsif_listener *l);

/* --- sweep.c: what is left of others -----------------------------------------------------------
 */

/** fsi_xen_is_gone - Return: 1 if xenstore says that there is no such domain, or will not say to us
 * (oxenstored tells dom0 only) and its device/vfs is not there; 0 */
int fsi_xen_is_gone(struct xs_handle *xs, uint32_t domid);

/** fsi_xen_each_number - call @fn for each child of @path whose name is a number up to @max */
typedef void fsi_xen_each_fn(struct xs_handle *xs, uint32_t own_domid, uint32_t number, void *arg);
void fsi_xen_each_number(struct xs_handle *xs, uint32_t own_domid, const char *path, uint32_t max,
                         fsi_xen_each_fn *fn, void *arg);

/** fsi_xen_prepare - make the nodes that frontends look for; remove those of a dead backend */
int fsi_xen_prepare(struct xs_handle *xs, uint32_t own_domid, int open_requests);

/** fsi_xen_open_guests - let every guest make frontends, as old toolstacks did; where we may */
void fsi_xen_open_guests(struct xs_handle *xs, uint32_t own_domid);

/** fsi_xen_devices_leave - nobody serves them any more */
void fsi_xen_devices_leave(struct xs_handle *xs, uint32_t own_domid);

/** fsi_xen_sweep - remove what belonged to domains that are gone */
void fsi_xen_sweep(struct xs_handle *xs, uint32_t own_domid);

/** fsi_xen_sweep_domain - remove what belonged to one domain */
void fsi_xen_sweep_domain(struct xs_handle *xs, uint32_t own_domid, uint32_t domid);

/* --- toolstack.c: what makes the nodes ---------------------------------------------------------
 */

int fsi_xen_toolstack_open(struct fsif_toolstack **out);
void fsi_xen_toolstack_close(struct fsif_toolstack *t);
int fsi_xen_resolve(struct fsif_toolstack *t, const char *domain, struct fsif_domain *out);
int fsi_xen_attach(struct fsif_toolstack *t, struct fsif_attachment *a);
int fsi_xen_detach(struct fsif_toolstack *t, const struct fsif_attachment *a);
int fsi_xen_list(struct fsif_toolstack *t, uint32_t backend, fsif_attachment_fn *fn, void *arg);

/* --- toolstack_devices.c: an attachment's devices, in its transaction --------------------------
 */

/* Sessions that an attachment has devices for. */
#define XEN_DEVICES 4u

/** fsi_xen_attach_devices, fsi_xen_detach_devices - make what is not there; remove it. Return: 0 or
 * a negative FSIF_E* */
int fsi_xen_attach_devices(struct xs_handle *xs, xs_transaction_t t,
                           const struct fsif_attachment *a);
int fsi_xen_detach_devices(struct xs_handle *xs, xs_transaction_t t,
                           const struct fsif_attachment *a);

/* --- session: both roles -----------------------------------------------------------------------
 */

enum xen_role {
    XEN_FRONTEND = 0,
    XEN_BACKEND = 1,
};

/*
 * A session of either role. Set up by one thread; once it runs everything but gone is constant, so
 * notify, acknowledge of different queues, copy_from and copy_to need no lock.
 */

/* An event channel, with a handle of its own so that it has a descriptor of its own. */
struct xen_bell {
    xenevtchn_handle *evtchn;
    xenevtchn_port_or_error_t port; /* ours */
};

struct fsif_session {
    int role;       /* enum xen_role */
    uint32_t domid; /* the other side */
    struct xentoollog_logger quiet;
    uint32_t queues; /* whose bells are there: the first so many; 0: none yet */
    struct xen_bell bells[FSIF_QUEUES_MAX];
    volatile unsigned char *canary; /* NULL: none */
    int canary_armed;               /* the other side's byte was set to begin with */
    _Atomic int gone;
    /* backend */
    xengnttab_handle *tab;
    int sock; /* to the supervisor; frontend: -1 */
    int offered;
    int answered;
    struct xen_request request;
    /* frontend */
    xengntshr_handle *shr;
    struct xs_handle *xs;
    uint32_t own_domid;
    unsigned char *mem; /* npages shared pages, NULL before */
    uint32_t npages;
    uint32_t canary_ref;
    uint32_t dialects; /* set of bits that was offered */
    int poll_fd;       /* xenstore's descriptor and wake_fd */
    int wake_fd;       /* readable once the canary died */
    int running;
    int is_device; /* frontend and backend are a device's */
    uint32_t export_number;
    char frontend[XEN_PATH_MAX]; /* "": nothing was written */
    char backend[XEN_PATH_MAX];  /* "": not known */
};

/* --- session.c --- */

/** fsi_xen_canary_died - Return: whether the other side's byte, which was set when the session
 * began, was cleared */
int fsi_xen_canary_died(const struct fsif_session *s);

struct fsif_session *fsi_xen_session_new(int role);

/** fsi_xen_add_bell - the bell of the next queue. @port: frontend: not used; backend: the other
 * side's. Return: 0 or a negative FSIF_E* */
int fsi_xen_add_bell(struct fsif_session *s, uint32_t port);

/** fsi_xen_keep_bells - close those of the queues from @queues on */
void fsi_xen_keep_bells(struct fsif_session *s, uint32_t queues);
int fsi_xen_notify(struct fsif_session *s, uint32_t queue);
int fsi_xen_event_fd(struct fsif_session *s, uint32_t queue);
void fsi_xen_acknowledge(struct fsif_session *s, uint32_t queue);
int fsi_xen_peer_fd(struct fsif_session *s);
int fsi_xen_peer_state(struct fsif_session *s);
void fsi_xen_close(struct fsif_session *s);

/* --- backend.c --- */

int fsi_xen_import(const int *fds, size_t nfds, const void *blob, size_t len,
                   struct fsif_session **out);
int fsi_xen_next_offer(struct fsif_session *s, struct fsif_dict *offer);
int fsi_xen_accept_memory(struct fsif_session *s, const struct fsif_dict *offer,
                          uint32_t max_pages);
int fsi_xen_answer(struct fsif_session *s, const struct fsif_dict *answer, int bells);
int fsi_xen_map(struct fsif_session *s, const uint32_t *grefs, uint32_t n, void **mem);
void fsi_xen_unmap(struct fsif_session *s, void *mem, uint32_t n);
int fsi_xen_copy_from(struct fsif_session *s, uint32_t gref, uint32_t off, void *dst, uint32_t len);
int fsi_xen_copy_to(struct fsif_session *s, uint32_t gref, uint32_t off, const void *src,
                    uint32_t len);

/* --- frontend.c --- */

int fsi_xen_connect(const char *address, int timeout_ms, struct fsif_session **out);
int fsi_xen_share(struct fsif_session *s, uint32_t n, void **mem, uint32_t *grefs);
int fsi_xen_offer(struct fsif_session *s, const struct fsif_dict *offer, struct fsif_dict *answer,
                  int timeout_ms);

/** fsi_xen_wait_change - until something that we watch changes, at most @at_most ms (-1: no limit).
 * Return: 0; -FSIF_ETIMEDOUT at @end; another negative FSIF_E* */
int fsi_xen_wait_change(struct fsif_session *s, uint64_t end, int timeout_ms, int at_most);

/* --- claim.c: a frontend on a device --- */

/**
 * fsi_xen_offer_device - take a device of the export @name, and wait for its answer
 *
 * Return: 0, also for an answer that refuses; -FSIF_EOPNOTSUPP there is no device for it, or none
 *         that is free and served; what session_offer returns
 */
int fsi_xen_offer_device(struct fsif_session *s, const struct fsif_dict *offer, const char *name,
                         struct fsif_dict *answer, uint64_t end, int timeout_ms);

/** fsi_xen_release - give it back, if it is still this session's; waits up to 2 s until its backend
 * has unmapped what it mapped */
void fsi_xen_release(struct fsif_session *s);

/* --- import.c: a frontend's own nodes --- */

/** fsi_xen_ask - write them and the request. Return: 0; -FSIF_ETIMEDOUT; -FSIF_EINVAL; -FSIF_E* */
int fsi_xen_ask(struct fsif_session *s, const struct fsif_dict *offer, uint64_t end,
                int timeout_ms);

/** fsi_xen_is_asked - whether nobody took our request yet. Return: 1 or 0 */
int fsi_xen_is_asked(const struct fsif_session *s);

/** fsi_xen_unask - remove what is left of them, if it is still this session's */
void fsi_xen_unask(struct fsif_session *s);

/** fsi_xen_left_ms - milliseconds until @end, for poll(); -1: @timeout_ms is negative, no end */
int fsi_xen_left_ms(uint64_t end, int timeout_ms);

/* --- exports.c: a frontend's view of what it is attached to --- */

/** fsi_xen_find_export - the number of the export @name. Return: 0; -FSIF_ENOENT; -FSIF_EACCES */
int fsi_xen_find_export(const struct fsif_session *s, const char *name, uint32_t *number);

/** fsi_xen_list_exports - a page of names after @after, as an answer. Return: 0; -FSIF_E* */
int fsi_xen_list_exports(const struct fsif_session *s, const char *after, struct fsif_dict *answer);

#endif
