/* SPDX-License-Identifier: MIT */
#ifndef FSIF_TEST_XEN_FIXTURE_H
#define FSIF_TEST_XEN_FIXTURE_H

/* A host of domains in this process: a backend in domain 0, guests 5 and 6, each attached to an
 * export of its own (1 "data", 2 "other"). */

#include <stddef.h>
#include <stdint.h>
#include <xenstore.h>
#include <fsif/host.h>
#include <fsif/transport.h>
#include <fsif/xen.h>

#include "fake.h"

#define GUEST 5u
#define OTHER 6u
#define DATA 1u
#define VFS "/local/domain/0/backend/vfs"
#define GUEST_VFS "/local/domain/5/device/vfs"
#define REQUESTS VFS "/exports/requests"

/* What this process and the host hold. */
struct held {
    struct fake_counts counts;
    int fds;
    int mappings;
};

extern const struct fsif_transport *const xen;
extern struct fsif_listener *listener; /* NULL: none */
extern struct xs_handle *guest, *other, *toolstack;

void xen_setup(void);
void xen_teardown(void);

/** xen_listen, xen_unlisten - the backend's listener, in domain 0 */
void xen_listen(void);
void xen_unlisten(void);

/** put - write a node of @len bytes; fails the test if it may not */
void put(struct xs_handle *xs, const char *path, const void *value, size_t len);
void put_text(struct xs_handle *xs, const char *path, const char *value);

/** value_is - whether the node has this value; NULL: is not there */
int value_is(const char *path, const char *value);

/** take_peer - let the listener work until it has nothing more to do, or a peer; NULL: none */
struct fsif_peer *take_peer(void);

void held_now(struct held *out);

/** same_held - fails the test if not, and says where */
void same_held(const struct held *before, const char *what);

/* --- a session of both sides --- */

struct pair {
    struct fsif_session *front, *back;
    struct fsif_peer *peer;
    void *memory; /* the frontend's pages */
    uint32_t pages;
    uint32_t *grefs;   /* of the pages */
    uint32_t dialects; /* set of bits, and pages of the ring, that are offered */
    uint32_t ring_pages;
    uint32_t dialect; /* that the backend chose */
    void *ring;       /* as the backend mapped it; NULL: not yet */
    int offered;      /* what the frontend's offer said */
    char export[64];
    uint32_t process; /* of the frontend */
    uint32_t status;  /* of the answer */
    int timeout_ms;
};

/** pair_init - no session yet: 66 pages, dialect 1, export "data", a timeout of 10 s, process 1
 */
void pair_init(struct pair *p);

/** pair_connect - connect and share. Return: 0 or a negative FSIF_E* */
int pair_connect(struct pair *p);

/** pair_open - pair_connect() and all that follows, both sides, till the session runs. Return: 0,
 * or the frontend's negative FSIF_E*, -FSIF_ECONNREFUSED for an answer that refuses */
int pair_open(struct pair *p);

/** pair_close_front, pair_close_back, pair_close - end it; then the listener works till it is calm
 */
void pair_close_front(struct pair *p);
void pair_close_back(struct pair *p);
void pair_close(struct pair *p);

/** import_peer - what a worker does with a peer. Return: 0 or a negative FSIF_E* */
int import_peer(struct fsif_peer *peer, struct fsif_session **out);

#endif
