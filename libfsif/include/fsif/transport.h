/* SPDX-License-Identifier: MIT */
#ifndef FSIF_TRANSPORT_H
#define FSIF_TRANSPORT_H

/*
 * The transport vtable: how two sides share memory, ring a doorbell and find each other. A
 * transport never sees an operation or a ring index.
 *
 * It is cut by process. The *listener part* runs in a backend's supervisor: it finds peers and says
 * who they are. The *session part* runs where the session is served (a worker process) or used (a
 * frontend). Between the two a backend's session travels as descriptors and a blob:
 * peer_export() in the one process, session_import() in the other. The *toolstack part* runs where
 * domains are made (Xen: dom0), in the operator's program: it makes what a guest needs to find and
 * ask a backend, and nothing that lets it in; that is the backend's own list.
 *
 * Rules for authors, for every member unless it says otherwise:
 *  - Return 0 or a count, or a negative FSIF_E*. EINTR never reaches the caller.
 *  - Nothing that the peer wrote is trusted: a gref, a size, a descriptor, a key.
 *  - Members of one object are called by one thread at a time, except notify, copy_from, copy_to
 *    and lend, which any number of threads may call at once, and acknowledge, which one thread may
 *    call for each queue.
 *  - Only connect and session_offer, which take a deadline, and the toolstack part may block.
 *  - Descriptors are O_CLOEXEC, mappings MADV_DONTFORK, no signals, no hidden threads, no globals
 *    but the vtable itself.
 */

#include <stddef.h>
#include <stdint.h>
#include <fsif/dict.h>
#include <fsif/error.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FSIF_TRANSPORT_ABI 1u

/* Flags of a transport. EDGES: each ring is a new edge of event_fd for a wait with EPOLLET, whether
 * the one before was acknowledged or not, so whoever waits like that need not acknowledge at all,
 * which saves a system call a ring. */
#define FSIF_TRANSPORT_EDGES 1u

/* Queues of a session at most. */
#define FSIF_QUEUES_MAX 16u

/* A plugin's file is fsif-transport-NAME.so and exports one variable of this name. */
#define FSIF_TRANSPORT_SYMBOL "fsif_transport_plugin"

struct fsif_listener; /* each transport defines its own */
struct fsif_peer;
struct fsif_session;
struct fsif_toolstack;

/* Who a peer is, as the kernel or the hypervisor says. */
enum fsif_credential_kind {
    FSIF_CREDENTIAL_NONE = 0,   /* same process: the loop transport */
    FSIF_CREDENTIAL_USER = 1,   /* uid, gid and groups are valid */
    FSIF_CREDENTIAL_DOMAIN = 2, /* domid is valid */
};

#define FSIF_CREDENTIAL_GROUPS 64u

/* An id that cannot be told here, as one of another user namespace: matches no allow list. */
#define FSIF_CREDENTIAL_UNKNOWN UINT32_MAX

struct fsif_credentials {
    uint32_t kind;
    uint32_t uid;
    uint32_t gid;
    int32_t pid; /* for logs only; 0: unknown */
    uint32_t domid;
    uint32_t ngroups; /* supplementary groups; a peer with more than fit has the first of them */
    uint32_t groups[FSIF_CREDENTIAL_GROUPS];
    uint8_t uuid[16];   /* of the domain; all zero: not known */
    uint32_t read_only; /* 1: whoever made the peer's way here lets it read only */
};

/* What peer_export() hands over, and the most of it. */
#define FSIF_EXPORT_FDS 4u
#define FSIF_EXPORT_BLOB 1024u

/* A domain, as the toolstack knows it. */
#define FSIF_DOMAIN_NAME_MAX 127u

struct fsif_domain {
    uint32_t domid;
    uint8_t uuid[16];                    /* all zero: not known */
    char name[FSIF_DOMAIN_NAME_MAX + 1]; /* plain ASCII; "": not known */
};

/* As a backend: the domain that the caller runs in. */
#define FSIF_DOMAIN_SELF UINT32_MAX

/* An export of a backend's domain, attached to a guest. */
struct fsif_attachment {
    uint32_t domid;       /* the guest */
    uint32_t backend;     /* the domain that serves it; attach() puts the id of SELF here */
    uint32_t number;      /* of the export between the two; attach() tells it */
    uint32_t read_only;   /* 1: the guest may read only */
    char export_name[64]; /* valid as fsif_export_name_valid() has it */
};

typedef void fsif_attachment_fn(void *arg, const struct fsif_attachment *a);

/* State of the other side of a session. */
enum fsif_peer_state {
    FSIF_PEER_ALIVE = 0,
    FSIF_PEER_GONE = 1, /* closed, crashed or destroyed */
};

struct fsif_transport {
    size_t size;      /* sizeof(struct fsif_transport) of the build that made it */
    uint32_t abi;     /* FSIF_TRANSPORT_ABI */
    uint32_t flags;   /* FSIF_TRANSPORT_* */
    const char *name; /* as in addresses: NAME:REST */

    /* --- listener part, backend's supervisor; NULL throughout if the transport has none --- */

    /* Start to listen at @address (REST of the address). Stale leftovers of a dead listener are
     * replaced; a live one is -FSIF_EBUSY. */
    int (*listen)(const char *address, struct fsif_listener **out);
    /* A descriptor that polls readable when accept() may have something. */
    int (*listener_fd)(struct fsif_listener *l);
    /* The next peer, or -FSIF_EAGAIN. Never blocks. -FSIF_EMFILE, -FSIF_ENFILE: out of descriptors,
     * wait a while. */
    int (*accept)(struct fsif_listener *l, struct fsif_peer **out);
    int (*peer_credentials)(struct fsif_peer *p, struct fsif_credentials *out);
    /* What a worker needs to take the session over: at most FSIF_EXPORT_FDS descriptors, borrowed
     * from @p, and FSIF_EXPORT_BLOB bytes. In: capacities, out: used. */
    int (*peer_export)(struct fsif_peer *p, int *fds, size_t *nfds, void *blob, size_t *len);
    /* Optional: publish the worker's answer where only the supervisor can. NULL: session_answer
     * does it. */
    int (*peer_answer)(struct fsif_peer *p, const struct fsif_dict *answer);
    void (*peer_close)(struct fsif_peer *p);
    /* Optional: a domain that ended, once each, or -FSIF_EAGAIN. Never blocks. listener_fd polls
     * readable when there may be one, and accept() is called before. An id that another domain
     * has by now is still told. */
    int (*listener_ended)(struct fsif_listener *l, uint32_t *domid);
    /* Optional: no new peers from now on, which wait for another listener; accept() only goes on
     * with what sessions need until their end. NULL: listener_close does no harm to them. */
    void (*listener_drain)(struct fsif_listener *l);
    /* Stop to listen and remove what others could find. */
    void (*listener_close)(struct fsif_listener *l);

    /* --- session part, backend --- */

    /* Takes the descriptors over, on error too. */
    int (*session_import)(const int *fds, size_t nfds, const void *blob, size_t len,
                          struct fsif_session **out);
    /* The peer's next offer, or -FSIF_EAGAIN (poll peer_fd), -FSIF_EPROTO malformed, -FSIF_EPIPE
     * the peer is gone. */
    int (*session_next_offer)(struct fsif_session *s, struct fsif_dict *offer);
    /* Take what the offer that was just read shares: the memory. Checks seals, sizes, kinds.
     * @max_pages limits it. After it map, lend and copy work. */
    int (*session_accept_memory)(struct fsif_session *s, const struct fsif_dict *offer,
                                 uint32_t max_pages);
    /* Answer the offer. @bells: the queues that get their two doorbells each, so that notify works
     * for them, as many as the answer's key `queues` says (absent: 1); 0 .. FSIF_QUEUES_MAX, 0 with
     * a refusal. -FSIF_EINVAL: out of range, or not what the answer says. */
    int (*session_answer)(struct fsif_session *s, const struct fsif_dict *answer, int bells);
    /* Map @n peer pages, contiguous and in this order, for the session's life; many thousands are
     * an ordinary case. -FSIF_EFAULT a bad gref, -FSIF_EINVAL the same one twice or @n out of
     * range; then nothing stays mapped. */
    int (*map)(struct fsif_session *s, const uint32_t *grefs, uint32_t n, void **mem);
    void (*unmap)(struct fsif_session *s, void *mem, uint32_t n);
    /* Copy @len bytes from or to one peer page at byte @off; @off + @len <= FSIF_PAGE_SIZE.
     * -FSIF_EFAULT: a bad gref; -FSIF_EACCES: granted read-only. */
    int (*copy_from)(struct fsif_session *s, uint32_t gref, uint32_t off, void *dst, uint32_t len);
    int (*copy_to)(struct fsif_session *s, uint32_t gref, uint32_t off, const void *src,
                   uint32_t len);
    /* Optional: the page's address if it is mapped for the session's life, else NULL. The peer
     * may change its bytes at any time: only for file data, which nobody interprets. */
    void *(*lend)(struct fsif_session *s, uint32_t gref);

    /* --- session part, frontend --- */

    /* Find the backend at @address. @timeout_ms: 0 .. INT32_MAX, < 0 none. -FSIF_ENOENT nothing
     * there, -FSIF_ECONNREFUSED nobody listens, -FSIF_EACCES. */
    int (*connect)(const char *address, int timeout_ms, struct fsif_session **out);
    /* Make @n shared pages, contiguous, zeroed; their numbers go to @grefs. Once a session. */
    int (*share)(struct fsif_session *s, uint32_t n, void **mem, uint32_t *grefs);
    /* Send an offer and wait for its answer. Its key `queues` is the most that the answer may
     * choose (absent: 1). After an answer that carries bells notify works for what was chosen.
     * -FSIF_ETIMEDOUT, -FSIF_EPIPE the backend is gone, -FSIF_EPROTO a malformed answer. */
    int (*session_offer)(struct fsif_session *s, const struct fsif_dict *offer,
                         struct fsif_dict *answer, int timeout_ms);

    /* --- session part, both --- */

    /* Ring queue @queue's doorbell, the first is 0. 0; -FSIF_EPIPE when the peer is gone;
     * -FSIF_EINVAL it has none. */
    int (*notify)(struct fsif_session *s, uint32_t queue);
    /* A descriptor, each queue's own, that polls readable when queue @queue's bell was rung;
     * -FSIF_EINVAL it has no bell; -FSIF_EOPNOTSUPP where the transport has no descriptors. */
    int (*event_fd)(struct fsif_session *s, uint32_t queue);
    /* Take the bell back before looking at the ring; spurious calls are harmless. Not needed after
     * a wait for edges, see FSIF_TRANSPORT_EDGES. Each queue has its thread: calls for different
     * queues may run at once. */
    void (*acknowledge)(struct fsif_session *s, uint32_t queue);
    /* A descriptor that polls readable or hung up when the peer's state or keys changed. */
    int (*peer_fd)(struct fsif_session *s);
    /* enum fsif_peer_state. Never blocks. */
    int (*peer_state)(struct fsif_session *s);
    /* Forget the session; the peer learns of it. Shared pages that the peer may still write to
     * stay alive as long as it needs them. */
    void (*close)(struct fsif_session *s);

    /* --- toolstack part; NULL throughout if the transport has none --- */

    /* -FSIF_ENODEV, -FSIF_ENOENT: no toolstack is here; -FSIF_EACCES. */
    int (*toolstack_open)(struct fsif_toolstack **out);
    void (*toolstack_close)(struct fsif_toolstack *t);
    /* A domain that lives, by id (decimal digits), UUID (8-4-4-4-12 hexadecimal digits) or name.
     * -FSIF_ENOENT there is none; -FSIF_EEXIST several have this name. */
    int (*resolve)(struct fsif_toolstack *t, const char *domain, struct fsif_domain *out);
    /* Make what @a->domid needs to ask @a->backend for the export; it may write there and no other
     * guest may. All or nothing. What is attached already takes the new read_only.
     * @a->number: receives the number. Return 1: made; 0: it was there; -FSIF_ENOENT: one of the
     * domains is gone; -FSIF_EINVAL the name or an id; -FSIF_EACCES. */
    int (*attach)(struct fsif_toolstack *t, struct fsif_attachment *a);
    /* Remove it, which ends the guest's sessions. -FSIF_ENOENT: it is not attached. */
    int (*detach)(struct fsif_toolstack *t, const struct fsif_attachment *a);
    /* Call @fn for each attachment of @backend, or of SELF. Return their number. */
    int (*list)(struct fsif_toolstack *t, uint32_t backend, fsif_attachment_fn *fn, void *arg);
};

#ifdef __cplusplus
}
#endif
#endif
