/* SPDX-License-Identifier: MIT */
#ifndef FSIF_TEST_XEN_HOST_H
#define FSIF_TEST_XEN_HOST_H

/* What the files of the host share: xenstore's tree, grants, event channels, and who has them open.
 * One lock, in host.c, guards all of it; the functions here want it held but where they say so. */

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <xenstore.h>
#include "message.h"

#define HOST_DOMAINS 0x8000u
#define HOST_PAGES 32768u
#define HOST_PERMS 16u

struct event;
struct watch;
struct change;
struct access;

/* An open handle of some process. */
struct connection {
    struct connection *next;
    enum fake_kind kind;
    uint32_t domid;
    uint32_t process;
    int dead; /* the process was killed or its domain destroyed */
    int fd;   /* readable when there is a watch's event or a channel's; -1: none */
    struct watch *watches;
    struct event *events, *last_event;
};

/* --- host.c --- */

struct connection *host_open(enum fake_kind kind, uint32_t domid, uint32_t process); /* locks */
void host_close(struct connection *c);                                               /* locks */
int host_fd(const struct connection *c);
void host_call(struct connection *c, struct fake_message *m); /* locks */
int host_memory(void);                                        /* the descriptor of all pages */

struct connection *host_connections(void);
int host_exists(uint32_t domid);
void host_signal(struct connection *c, int on);

extern pthread_mutex_t host_lock;

/** host_node, host_remove - a node of the toolstack's: made, or set, by domain 0, with these
 * permissions; taken away */
void host_node(const char *path, const char *value, uint32_t owner, unsigned others,
               uint32_t reader, unsigned reading);
void host_remove(const char *path);

/* --- tree.c: nodes and permissions --- */

struct node {
    char *name;
    char *value;
    unsigned len;
    struct xs_permissions perms[HOST_PERMS];
    unsigned nperms;
    uint64_t generation; /* of value, permissions and children's names */
    struct node *parent, *child, *next;
};

struct transaction {
    struct transaction *next;
    struct connection *owner;
    uint32_t id;
    uint64_t since; /* the tree's generation when it began */
    struct node *root;
    struct access *accesses;
    struct change *changes, *last_change;
};

/* Who looks at what: @tx NULL is the tree itself. */
struct view {
    uint32_t domid;
    struct transaction *tx;
};

void tree_reset(void);
struct node *tree_root(void);
void tree_call(struct connection *c, struct fake_message *m);
void tree_forget_domain(uint32_t domid); /* nodes and permissions of its own */
struct node *tree_find(struct node *root, const char *path);
void tree_path(const struct node *n, char *out, size_t size);
unsigned tree_perm(const struct node *n, uint32_t domid);
struct node *tree_copy(const struct node *n, struct node *parent);
void tree_free(struct node *n);
uint64_t tree_generation(void);
uint32_t tree_nodes(const struct node *n);
int tree_apply(struct view v, struct fake_message *m); /* 0 or an errno */

/* --- transact.c --- */

void transact_call(struct connection *c, struct fake_message *m);
void transact_drop(struct connection *c);
void transact_conflicts(uint32_t n);
uint32_t transact_count(void);
struct transaction *transact_find(struct connection *c, uint32_t id);
void transact_access(struct transaction *tx, const char *path, const struct node *n);
void transact_change(struct transaction *tx, const struct fake_message *m);

/* --- watches.c --- */

void watch_call(struct connection *c, struct fake_message *m);
void watch_fire(const char *path, const struct node *n, bool exact);
void watch_special(const char *name);
void watch_drop(struct connection *c);
void watch_count(const struct connection *c, uint32_t *watches, uint32_t *events);

/* --- grants.c --- */

void grant_reset(void);
void grant_call(struct connection *c, struct fake_message *m);
void grant_drop(struct connection *c, int notify);
int grant_rings(uint32_t domid, uint32_t port); /* pages are held that will ring it */
void grant_forget_domain(uint32_t domid);
uint32_t grant_count(void);
uint32_t grant_maps(void);
void grant_limit(uint32_t pages);
void grant_change(uint32_t domid, uint32_t gref, int gone); /* read-only, or none any more */

/* --- channels.c --- */

void channel_reset(void);
void channel_call(struct connection *c, struct fake_message *m);
void channel_drop(struct connection *c);
int channel_is(uint32_t domid, uint32_t port);
void channel_ring(uint32_t domid, uint32_t port);
void channel_check(uint32_t domid, uint32_t port); /* pages held for it have gone */
uint32_t channel_count(void);

/* Set the result of @m to @result, or to @error if that is not 0. */
void answer(struct fake_message *m, int result, int error);

#endif
