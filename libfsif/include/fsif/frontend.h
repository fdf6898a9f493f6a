/* SPDX-License-Identifier: MIT */
#ifndef FSIF_FRONTEND_H
#define FSIF_FRONTEND_H

/*
 * The frontend engine: submits operations to a ring and hands out their results. It allocates
 * nothing, blocks nowhere and reads no clock. Any number of threads submit, cancel and shut down at
 * once; one at a time polls.
 */

#include <fsif/arena.h>
#include <fsif/error.h>
#include <fsif/hooks.h>
#include <fsif/op.h>
#include <fsif/transport.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FSIF_FEATURE_ERRNO 0x1u /* the backend answers with -errno instead of -1 */

/* Steps of fsif_frontend_config.handle_tag */
#define FSIF_HANDLE_TAG 0x10000u

/* No deadline. */
#define FSIF_NEVER UINT64_MAX

struct fsif_call;
typedef void fsif_done_fn(struct fsif_call *call);

/* One operation under way. The caller's storage, left alone from submit until done ran. */
struct fsif_call {
    struct fsif_op op;         /* in */
    uint64_t deadline;         /* in: absolute, in the unit of fsif_frontend_expire's now */
    fsif_done_fn *done;        /* in */
    void *arg;                 /* the caller's */
    struct fsif_result result; /* out, valid in done */
    uint32_t ticket_;
    uint32_t id_;
};

/* What the backend tells of its own accord, dialect 3. */
enum fsif_notice_kind {
    FSIF_NOTICE_LATE = 1,   /* the result of a lock that waited: cookie, value */
    FSIF_NOTICE_CHANGE = 2, /* below a watched directory: cookie (of the watch), what, name */
};

struct fsif_notice {
    uint32_t kind; /* enum fsif_notice_kind */
    uint32_t what; /* FSIF_CHANGE_* */
    uint64_t cookie;
    int64_t value;                /* 0 or a negative FSIF_E* */
    char name[FSIF_NAME_MAX + 1]; /* of the entry; "" for the directory itself, or not known */
};

struct fsif_frontend_config {
    size_t size; /* sizeof(struct fsif_frontend_config) */
    uint32_t dialect;
    uint32_t features; /* FSIF_FEATURE_* that both sides agreed on */
    void *ring;        /* the ring's pages, zeroed, shared with the backend */
    uint32_t ring_pages;
    uint32_t first_index;    /* 0, except in tests of the wrap */
    void *pages;             /* shared pages for the calls, contiguous, zeroed */
    const uint32_t *grefs;   /* of each of them; copied by init */
    uint32_t npages;         /* of @pages; npages / pages_per_call calls at once, or one a slot */
    uint32_t pages_per_call; /* that one read or write may fill; 0: 1. Dialect 1: 1;
                                dialect 2: 1 .. 6 */
    uint32_t handle_tag;     /* 0, or a multiple of FSIF_HANDLE_TAG, at most INT32_MAX: is in the
                                handles that this engine gives out, so that those of an earlier session
                                are told from them. The backend's numbers must then be below
                                FSIF_HANDLE_TAG; a larger one is -FSIF_EMFILE */
    uint32_t queue;          /* for notify */
    const struct fsif_transport *transport; /* notify is used; NULL: no doorbell */
    struct fsif_session *session;
    const struct fsif_hooks *hooks; /* may be NULL; outlives the engine */
    /* dialect 3 only; ring_pages, pages, grefs, npages and pages_per_call are not looked at */
    uint32_t slots;           /* requests at once: a power of two, 8 .. 1024 */
    uint32_t max_io;          /* bytes of one request, 1 .. the arena's */
    struct fsif_arena *arena; /* of the session, the same for all its queues; outlives the engine */
    /* Each notice once, in order, inside poll. It may submit. NULL: notices are dropped */
    void (*notice)(void *arg, const struct fsif_notice *notice);
    void *notice_arg;
};

/** fsif_ring_bytes - Return: bytes of a dialect 3 queue's ring with @slots slots, whole pages */
size_t fsif_ring_bytes(uint32_t slots);

#define FSIF_FRONTEND_MAX_CALLS 1024u
#define FSIF_PAGES_PER_CALL_MAX 6u

/* This process's view of an engine. The state behind it holds no pointers. Fields are private. */
struct fsif_frontend {
    struct fsif_frontend_config config_;
    struct fsi_frontend_state *state_;
    struct fsif_call **calls_;
    void *view_[24];
};

/**
 * fsif_frontend_state_size, fsif_frontend_calls_size - storage that an engine needs
 *
 * Return: bytes; 0 if the dialect or the pages of @config make no sense. The state may lie
 *         in memory shared with a successor; the calls array is private to the process.
 */
size_t fsif_frontend_state_size(const struct fsif_frontend_config *config);
size_t fsif_frontend_calls_size(const struct fsif_frontend_config *config);

/**
 * fsif_frontend_init - start an engine in the caller's storage
 *
 * @state, @calls: storage of the sizes above, 8-byte aligned, the caller's until the engine is
 * unused
 *
 * Return: 0; -FSIF_EINVAL
 */
int fsif_frontend_init(struct fsif_frontend *fe, const struct fsif_frontend_config *config,
                       void *state, void *calls);

/**
 * fsif_frontend_resume - go on with the state that another process left
 *
 * The calls of the other process are gone with it; their ids and pages stay out of use until the
 * backend answers them.
 *
 * Return: 0; -FSIF_EINVAL the state is not one of this version and these sizes
 */
int fsif_frontend_resume(struct fsif_frontend *fe, const struct fsif_frontend_config *config,
                         void *state, void *calls);

/**
 * fsif_frontend_submit - start an operation
 *
 * @call: op, deadline, done and arg filled in
 *
 * Return:   0: done runs exactly once, inside poll, cancel, expire or shutdown
 *           negative, and done never runs: -FSIF_EAGAIN no free id, retry after any completion;
 *           -FSIF_EINVAL operands out of range, a length above fsif_frontend_max_io(), a listing
 *           buffer below FSIF_PAGE_SIZE, or a read or write of nothing where the backend may be an
 *           old one that does not survive it (dialect 2 without FSIF_FEATURE_ERRNO);
 *           -FSIF_ESTALE a handle with another tag; -FSIF_ENOENT an empty path; -FSIF_EACCES a
 *           component ".."; -FSIF_ENAMETOOLONG; -FSIF_ENOSYS the dialect has no such operation;
 *           -FSIF_EPROTO the session is dead
 * Lifetime: op's buffers stay in use until done, and no longer
 * Threads:  any; a thread that is stopped inside delays later requests, never a caller
 */
int fsif_frontend_submit(struct fsif_frontend *fe, struct fsif_call *call);

/**
 * fsif_frontend_queue, fsif_frontend_flush - submit without ringing; ring, if the backend asked for
 * it, for all that was queued since
 *
 * Return: as fsif_frontend_submit()
 */
int fsif_frontend_queue(struct fsif_frontend *fe, struct fsif_call *call);
void fsif_frontend_flush(struct fsif_frontend *fe);

/** fsif_frontend_ready - Return: 1 if fsif_frontend_poll() would find something; cheap, for polling
 */
int fsif_frontend_ready(const struct fsif_frontend *fe);

/** fsif_frontend_max_io - bytes that one read or write of this session may carry, >= 1 */
uint32_t fsif_frontend_max_io(const struct fsif_frontend *fe);

/** fsif_frontend_max_calls - operations that may be under way at once */
uint32_t fsif_frontend_max_calls(const struct fsif_frontend *fe);

/**
 * fsif_frontend_poll - take responses off the ring and run their done callbacks
 *
 * Return:  callbacks run; 0 none; -FSIF_EPROTO the session is dead (everything was completed)
 * Threads: one at a time; a second one returns 0 at once
 */
int fsif_frontend_poll(struct fsif_frontend *fe);

/**
 * fsif_frontend_arm - ask for a doorbell at the next response
 *
 * Return: 1 if responses are there already (poll again, do not sleep), else 0
 * Threads: the one that polls
 */
int fsif_frontend_arm(struct fsif_frontend *fe);

/**
 * fsif_frontend_cancel - complete a call now with -FSIF_ECANCELED
 *
 * The backend may still carry the operation out. Its id and page stay out of use until it answers.
 *
 * Return:  0: done ran, in here; -FSIF_ENOENT: it is completing or has completed
 * Threads: any, after submit returned
 */
int fsif_frontend_cancel(struct fsif_frontend *fe, struct fsif_call *call);

/**
 * fsif_frontend_expire - complete every call whose deadline is at or before @now: -FSIF_ETIMEDOUT
 *
 * @next: receives the earliest deadline that is left, or FSIF_NEVER; may be NULL
 *
 * Return: calls completed
 */
int fsif_frontend_expire(struct fsif_frontend *fe, uint64_t now, uint64_t *next);

/**
 * fsif_frontend_shutdown - end the session: every call under way completes with -FSIF_EIO
 *
 * @reason: FSIF_POISON_NONE for an orderly end, else it is kept and reported to the hook
 * Threads: any, several at once too
 */
void fsif_frontend_shutdown(struct fsif_frontend *fe, enum fsif_poison reason);

/** fsif_frontend_dead - Return: 1 after shutdown or poison; fsif_frontend_reason says why */
int fsif_frontend_dead(const struct fsif_frontend *fe);
enum fsif_poison fsif_frontend_reason(const struct fsif_frontend *fe);

/** fsif_frontend_quarantined - calls that ended early and whose answers are still due */
uint32_t fsif_frontend_quarantined(const struct fsif_frontend *fe);

#ifdef __cplusplus
}
#endif
#endif
