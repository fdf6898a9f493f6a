/* SPDX-License-Identifier: MIT */
#ifndef FSIF_BACKEND_H
#define FSIF_BACKEND_H

/*
 * The backend engine: takes requests off a ring, checks them, carries them out on a store and
 * answers them in any order. It allocates nothing, blocks nowhere but in the store, and reads no
 * clock. One thread at a time fetches; each fetched request may be executed and completed on any
 * thread.
 */

#include <fsif/error.h>
#include <fsif/frontend.h>
#include <fsif/hooks.h>
#include <fsif/op.h>
#include <fsif/store.h>
#include <fsif/transport.h>
#include <fsif/wire.h>

#ifdef __cplusplus
extern "C" {
#endif

/* fsif_backend_config.quirks: the frontend of 2008 takes its unanswered requests for answers when
 * it is rung, so it is rung when every request that it published is answered, and at no other time.
 */
#define FSIF_QUIRK_RING_WHEN_IDLE 0x1u

struct fsif_backend_config {
    size_t size; /* sizeof(struct fsif_backend_config) */
    uint32_t dialect;
    uint32_t features; /* FSIF_FEATURE_* that both sides agreed on */
    void *ring;        /* the ring's pages, mapped */
    uint32_t ring_pages;
    uint32_t first_index;                   /* 0, except in tests of the wrap */
    uint32_t max_handles;                   /* open files of the session, 1 .. 65536 */
    uint32_t max_streams;                   /* listings kept for their continuation, 1 .. 64 */
    uint32_t queue;                         /* for notify */
    const struct fsif_transport *transport; /* copy_from, copy_to, lend, notify are used */
    struct fsif_session *session;
    const struct fsif_store_ops *store_ops;
    struct fsif_store *store;
    const struct fsif_hooks *hooks; /* may be NULL; outlives the engine */
    uint32_t quirks;                /* FSIF_QUIRK_* of the peer */
    const char *strip_prefix;       /* dialects 1 and 2: what names that begin with '/' may have
                                       before the export's root; normalised, without a slash at
                                       either end; outlives the engine. NULL: nothing */
    /* dialect 3 only */
    uint32_t slots;             /* of the ring: a power of two, 8 .. 1024 */
    void *arena;                /* mapped for the session's life */
    uint32_t arena_pages;       /* 16 .. 65536 */
    uint32_t max_io;            /* bytes of one request, at most the arena's */
    uint32_t max_locks;         /* that wait at once, 0 .. 4096 */
    uint32_t max_watches;       /* 0 .. 1024 */
    struct fsif_backend *first; /* the engine of queue 0, whose handles, locks and watches this
                                         queue uses; NULL: this is queue 0. It outlives this one */
    /* Another export of the peer's by name, on the thread that executes; may block. Return: 0 and
     * its store, never NULL, which lives until fini and is found again under the same name, with
     * the same members; a negative FSIF_E*. NULL: there is no other */
    int (*attach)(void *arg, const char *name, const struct fsif_store_ops **ops,
                  struct fsif_store **store);
    /* Locks wait from now on: call fsif_backend_retry_locks() every now and then until
     * fsif_backend_lock_waiters() is 0. Any thread. May be NULL */
    void (*waiting)(void *arg);
    void *arg;
};

/* Exports of one session */
#define FSIF_BACKEND_EXPORTS_MAX 16u

/* This process's view of an engine. The state behind it holds no pointers. Fields are private. */
struct fsif_backend {
    struct fsif_backend_config config_;
    struct fsi_backend_state *state_;
    struct fsif_backend_export {
        const struct fsif_store_ops *ops;
        struct fsif_store *store;
    } exports_[FSIF_BACKEND_EXPORTS_MAX];
    void *view_[32];
};

/* What a request carries beside the operation; private to the engine. */
struct fsi_operands {
    uint32_t grefs[FSIF_PAGES_PER_CALL_MAX]; /* dialects 1 and 2 */
    struct fsif_range ranges[FSIF_RANGES_MAX];
    struct fsif_setattr set;
    uint32_t serial;
    uint32_t names_at; /* in the arena */
    uint32_t names_inline;
    uint32_t name_len[2];
    uint32_t absolute[2]; /* the name began with '/' */
    uint32_t records_at;
};

/* A fetched request. The caller's storage, one for each thread that executes. (The name
 * fsif_request is owned by Xen's own io/fsif.h.) */
struct fsif_fetched {
    struct fsif_op op; /* checked; paths normalised and in page_ */
    uint32_t id;
    uint32_t moved; /* bytes of data that it read or wrote; once it is completed */
    struct fsi_operands operands_;
    uint64_t file_[2]; /* the stores' numbers for op.handle and op.handle2 */
    uint32_t export_[2];
    char page_[2 * FSIF_PAGE_SIZE];
    char data_[FSIF_PAGES_PER_CALL_MAX * FSIF_PAGE_SIZE];
};

/** fsif_backend_state_size - Return: bytes of state an engine needs; 0 if @config makes no sense */
size_t fsif_backend_state_size(const struct fsif_backend_config *config);

/**
 * fsif_backend_init - start an engine in the caller's storage
 *
 * @state: fsif_backend_state_size() bytes, 8-byte aligned; may lie in memory that a successor maps
 *
 * Return: 0; -FSIF_EINVAL
 */
int fsif_backend_init(struct fsif_backend *be, const struct fsif_backend_config *config,
                      void *state);

/**
 * fsif_backend_resume - go on with the state that another process left at any point
 *
 * Responses that were complete but not published are published. Requests that were fetched and
 * not answered are answered with -FSIF_EIO: whether the store carried them out is not known. Open
 * files keep their handles: the store must know their numbers. No thread of the other process may
 * still run.
 *
 * Return: requests that were answered here; -FSIF_EINVAL the state is not one of this version and
 *         these sizes
 */
int fsif_backend_resume(struct fsif_backend *be, const struct fsif_backend_config *config,
                        void *state);

/**
 * fsif_backend_fetch - take the next request off the ring
 *
 * A request that is malformed is answered here and the next one is looked at.
 *
 * Return:  1: @rq is a checked request, to be executed or completed once
 *          0: none is there, or there were only malformed ones: fsif_backend_arm() tells
 *          -FSIF_EPROTO: the peer broke the protocol, the session is over
 * Threads: one at a time
 */
int fsif_backend_fetch(struct fsif_backend *be, struct fsif_fetched *rq);

/** fsif_backend_execute - carry a fetched request out on the store and complete it */
void fsif_backend_execute(struct fsif_backend *be, struct fsif_fetched *rq);

/**
 * fsif_backend_complete - answer a fetched request
 *
 * For callers that carry operations out themselves. The value of an open or a create is 0 and the
 * store's number is @file; its handle was reserved by fsif_backend_fetch(), which answers
 * -FSIF_EMFILE itself.
 * The bell waits for fsif_backend_flush().
 *
 * Threads: any
 */
void fsif_backend_complete(struct fsif_backend *be, struct fsif_fetched *rq,
                           const struct fsif_result *result, uint64_t file);

/**
 * fsif_backend_flush - ring the peer for the answers since the last flush, if it asked for it
 *
 * Answers are published at once, bells wait for this. fsif_backend_fetch() does it when it finds
 * nothing; call it after some answers, and after each on a thread that does not fetch.
 */
void fsif_backend_flush(struct fsif_backend *be);

/** fsif_backend_ready - Return: 1 if fsif_backend_fetch() would find something; cheap, for polling
 */
int fsif_backend_ready(const struct fsif_backend *be);

/** fsif_backend_lock_waiters - locks of the session that wait */
uint32_t fsif_backend_lock_waiters(const struct fsif_backend *be);

/**
 * fsif_backend_retry_locks - try the locks that wait again; who gets one is told by a notice
 *
 * Return:  locks that still wait
 * Threads: any; the engine does it too when the session itself lets a lock go
 */
uint32_t fsif_backend_retry_locks(struct fsif_backend *be);

/**
 * fsif_backend_changes - tell the peer what the stores' watches found
 *
 * Return:  changes taken, at most 256: the stores' descriptors are readable while there are more
 * Threads: one at a time
 */
int fsif_backend_changes(struct fsif_backend *any);

/**
 * fsif_backend_serve - fetch and execute until the ring is empty, and flush
 *
 * Return: requests answered, or -FSIF_EPROTO
 */
int fsif_backend_serve(struct fsif_backend *be, struct fsif_fetched *rq);

/**
 * fsif_backend_arm - ask for a doorbell at the next request
 *
 * Return:  1 if requests are there already (fetch again, do not sleep), else 0
 * Threads: the one that fetches
 */
int fsif_backend_arm(struct fsif_backend *be);

/** fsif_backend_busy - fetched requests that are not answered yet */
uint32_t fsif_backend_busy(const struct fsif_backend *be);

/** fsif_backend_handles - open handles */
uint32_t fsif_backend_handles(const struct fsif_backend *be);

/** fsif_backend_poison - end the session for a reason that the caller found */
void fsif_backend_poison(struct fsif_backend *be, enum fsif_poison reason);

/** fsif_backend_watches - whether the peer watches a directory of @store. Threads: any */
int fsif_backend_watches(const struct fsif_backend *be, const struct fsif_store *store);

/** fsif_backend_reason - why the session is poisoned; FSIF_POISON_NONE: it is not */
enum fsif_poison fsif_backend_reason(const struct fsif_backend *be);

/**
 * fsif_backend_fini - close every open file and listing of the session
 *
 * Queue 0's engine is the last to go. No other call may run or follow. Does not touch the ring.
 */
void fsif_backend_fini(struct fsif_backend *be);

#ifdef __cplusplus
}
#endif
#endif
