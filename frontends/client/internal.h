/* SPDX-License-Identifier: MIT */
#ifndef FSI_CLIENT_INTERNAL_H
#define FSI_CLIENT_INTERNAL_H

/* What the files of the client share. The locking rules stand in wait.c and gate.c. */

#include <pthread.h>
#include <stdint.h>
#include <fsif/arena.h>
#include <fsif/client.h>
#include <fsif/host.h>
#include <fsif/negotiate.h>
#include <fsif/spin.h>
#include <fsif/wire.h>
#include "pick.h"

/* Handles above are refused: no backend of ours has more, and a table must end. */
#define FSI_CLIENT_HANDLES FSIF_HANDLE_TAG

/* Sessions of a client after its first, told apart in the upper half of a handle */
#define FSI_CLIENT_GENERATIONS (INT32_MAX / FSI_CLIENT_HANDLES)

/* What the caller of fsif_open() did not ask for, or cannot do, with a handle; 0: anything goes. */
#define FSI_HANDLE_NO_READ 0x1u
#define FSI_HANDLE_NO_WRITE 0x2u
#define FSI_HANDLE_DIRECTORY 0x4u
#define FSI_HANDLE_APPEND 0x8u /* writes go to the end: one after the other */
/* Dialect 3: open, and only looked at since, so that closing it has nothing to tell, and nothing to
 * let go of that others wait for */
#define FSI_HANDLE_QUIET 0x10u
#define FSI_HANDLE_PARTING 0x20u /* is being closed, and nobody waits for that */

/* What ends a leader's sleep */
#define FSI_WOKEN_BY_BELL 1
#define FSI_WOKEN_BY_PEER 2
#define FSI_WOKEN_BY_US 4

/* Calls of a queue that close a handle and that nobody waits for */
#define FSI_PARTINGS 4u

struct fsi_lane;

/* A thread that waits. Lies on its stack, linked into the lane while it sleeps or leads asleep. */
struct fsi_waiter {
    struct fsi_lane *lane;
    struct fsif_shared_u32 done; /* calls of this waiter that have completed */
    /* private to wait.c, under the lane's lock */
    const struct fsif_shared_u32 *counter;
    int following;
    struct fsi_waiter *next;
    struct fsi_waiter *prev;
    pthread_cond_t cond;
};

struct fsi_parting {
    struct fsif_call call;
    struct fsif_client *cl;
    struct fsif_shared_u32 busy;
};

/* One queue of the session: its engine, and who polls it. */
struct fsi_lane {
    struct fsif_client *cl;
    uint32_t number;
    int event_fd; /* -1: the transport has none */
    int wake_fd;
    int sleep_fd; /* the set of wake_fd and, in a session, of event_fd and peer_fd */
    struct fsif_frontend fe;
    void *state;
    void *calls;

    struct fsif_shared_u32 gate;   /* gate.c: threads inside, not only those that use this queue */
    struct fsif_shared_u32 role;   /* wait.c */
    struct fsif_shared_u32 asleep; /* the leader sleeps, or is about to look at deadlines */
    struct fsif_shared_u32
        progress; /* rounds in which an id may have become free or callbacks ran */
    struct fsi_pick whole[2][FSI_PICK_CLASSES]; /* io.c: large reads, large writes */
    /* whoever has the role */
    struct fsi_waiter *leader;
    struct fsif_spin spin;
    struct fsi_parting partings[FSI_PARTINGS];

    pthread_mutex_t lock;
    /* below: under lock */
    uint64_t asleep_until;      /* if asleep: when it looks at deadlines again */
    struct fsi_waiter *sleeper; /* the leader, if it sleeps */
    struct fsi_waiter *first;   /* those who sleep, and a leader that does, oldest first */
    struct fsi_waiter *last;
};

struct fsi_late;
struct fsi_watch;
struct fsi_loan;

/* What waits for notices: notes.c. */
struct fsi_notes {
    pthread_mutex_t lock; /* taken before a lane's */
    uint64_t cookies;     /* given out so far */
    struct fsi_late *lates;
    struct fsi_watch **watches; /* by number; NULL: free */
    uint32_t nwatches;
    int ended; /* the session is over */
};

struct fsif_client {
    const struct fsif_transport *transport;
    struct fsif_session *session;
    struct fsif_registry *registry;     /* ours to destroy, or NULL */
    char *address;                      /* for a later session; NULL: there can be none */
    struct fsif_client_options options; /* as they were read, without what lasts a session only */
    char export_name[FSIF_EXPORT_NAME_MAX + 1];
    uint32_t generation;   /* 0: the first session; else 1 .. FSI_CLIENT_GENERATIONS */
    const uint32_t *alive; /* a page that reads 0 in a forked child */
    int timeout_ms;
    struct fsif_limits limits;
    int peer_fd;
    _Atomic unsigned char *handles; /* FSI_HANDLE_*, by handle */
    struct fsi_lane *lanes;         /* of all queues that there may be */
    uint32_t made;                  /* of them, usable as far as no session is needed */
    uint32_t queues;                /* of them, with an engine */
    struct fsif_shared_u32 looped;  /* somebody has fsif_client_fd() */
    struct fsif_shared_u32 starved; /* threads that wait for an id or for room in the arena */
    struct fsif_arena arena;        /* dialect 3 */
    void *arena_state;
    struct fsi_notes notes;

    pthread_mutex_t lock;
    /* below: under lock */
    pthread_cond_t idle;    /* users or renewing changed, while somebody waits for that */
    int closing;            /* fsif_disconnect() waits for them */
    int renewing;           /* fsif_reconnect() is inside */
    int down;               /* there is no session; written while nobody else is inside */
    struct fsi_loan *loans; /* calls that timed out and may still use parts of the arena */
};

/* --- gate.c --- */

/**
 * fsi_enter, fsi_enter_blocking - begin a public call
 *
 * @lane: receives the queue that this thread uses; fsi_enter(): the first
 *
 * Return: 0; -FSIF_EBADF forked child; -FSIF_EPROTO closing; -FSIF_EDEADLK a blocking call from
 *         inside a done callback, which nobody else could complete
 */
int fsi_enter(struct fsif_client *cl, struct fsi_lane **lane);
int fsi_enter_blocking(struct fsif_client *cl, struct fsi_lane **lane);
void fsi_leave(struct fsif_client *cl);

/** fsi_in_child - whether this is a forked child, where nothing of @cl may be touched */
int fsi_in_child(const struct fsif_client *cl);

/** fsi_gate_renew - shut the gate for a new session; fsi_gate_renewed() opens it.
 * Return: 0; as fsi_enter(); -FSIF_EBUSY */
int fsi_gate_renew(struct fsif_client *cl);
void fsi_gate_renewed(struct fsif_client *cl, int down);

/** fsi_gate_close - let nobody in from now on, for ever */
void fsi_gate_close(struct fsif_client *cl);

/** fsi_gate_drained - wait until nobody is inside */
void fsi_gate_drained(struct fsif_client *cl);

/** fsi_deadline - when a blocking call that begins now must end, or FSIF_NEVER */
uint64_t fsi_deadline(const struct fsif_client *cl);

/* --- lead.c: for whoever has the role --- */

/** fsi_polling - whether this thread polls @lane now, so that we are inside a done callback */
int fsi_polling(const struct fsi_lane *lane);

/** fsi_kick - make the leader, or whoever polls fsif_client_fd(), look again; by anybody */
void fsi_kick(struct fsi_lane *lane);

/** fsi_end - nothing is answered any more: every call under way completes with -FSIF_EIO. By
 * anybody */
void fsi_end(struct fsif_client *cl, enum fsif_poison reason);

/** fsi_look - what there is without sleeping; the bell is armed if it is nothing.
 * Return: callbacks run, 0 none, negative: dead */
int fsi_look(struct fsi_lane *lane);

/** fsi_sleep - on the descriptors until @until. Return: 1 if there is a reason to look at the ring
 */
int fsi_sleep(struct fsi_lane *lane, uint64_t until);

/** fsi_lead_awake - what there is, else poll until there is something or the counter is not @seen.
 * Return: as fsi_look(); 0: it is time to sleep */
int fsi_lead_awake(struct fsi_waiter *w, uint32_t seen);

/** fsi_lead_a_while - as often as that finds something. Return: 1 the counter moved */
int fsi_lead_a_while(struct fsi_waiter *w, uint32_t seen);

/**
 * fsi_lead_round - complete what there is, else sleep until something happens, the counter is not
 * @seen, or @until
 *
 * @w: enlisted
 *
 * Lock:   held at entry and return
 * Return: as fsi_look()
 */
int fsi_lead_round(struct fsi_waiter *w, uint32_t seen, uint64_t until);

/* --- wait.c --- */

void fsi_waiter_init(struct fsi_waiter *w, struct fsi_lane *lane);

/**
 * fsi_wait - block until w->done is not @seen any more, polling if nobody else does
 *
 * @until: absolute, or FSIF_NEVER
 *
 * Return: 0; -FSIF_ETIMEDOUT; -FSIF_EDEADLK from inside a done callback
 */
int fsi_wait(struct fsi_waiter *w, uint32_t seen, uint64_t until);

/** fsi_wait_progress - the same until lane->progress is not @seen any more */
int fsi_wait_progress(struct fsi_waiter *w, uint32_t seen, uint64_t until);

/** fsi_done - a call of @w completed, in whichever thread */
void fsi_done(struct fsi_waiter *w);

/** fsi_progress - callbacks ran, or an id may be free: wake those who wait for that */
void fsi_progress(struct fsi_lane *lane);

/** fsi_room - part of the arena is free again, which any queue may wait for */
void fsi_room(struct fsif_client *cl);

/** fsi_poll_once - take the poll role for one round.
 * Return: as fsif_poll(); -FSIF_EBUSY another thread has the role */
int fsi_poll_once(struct fsi_waiter *w, uint64_t until);

/** fsi_submitted - a call with @deadline is under way: the leader must not sleep beyond it */
void fsi_submitted(struct fsi_lane *lane, uint64_t deadline);

/**
 * fsi_submit_wait - submit, and wait for a free id and room in the arena until @until
 *
 * Return: 0; -FSIF_ETIMEDOUT; as fsif_frontend_submit()
 */
int fsi_submit_wait(struct fsi_waiter *w, struct fsif_call *call, uint64_t until);

/** fsi_wait_room - the same for a part of the arena. Return: 0 and @out; -FSIF_ETIMEDOUT;
 * -FSIF_EINVAL more than the arena has */
int fsi_wait_room(struct fsi_waiter *w, uint32_t len, uint64_t until, struct fsif_range *out);

/* --- calls.c --- */

/** fsi_call - carry one operation out and wait for it. Inside fsi_enter_blocking().
 * Return: result->value, or the error of submitting */
int64_t fsi_call(struct fsi_lane *lane, const struct fsif_op *op, struct fsif_result *result);
/** fsi_call_until - the same with a deadline of its own */
int64_t fsi_call_until(struct fsi_lane *lane, const struct fsif_op *op, struct fsif_result *result,
                       uint64_t deadline);

/** fsi_begin - a public call on a base and a path
 *
 * @dir:  FSIF_ROOT or a handle; op->handle receives what the engine wants
 * @op:   path filled in; one that may be empty and is, with FSIF_ROOT, becomes "."
 *
 * Return: 0, and fsi_leave() is owed; -FSIF_EINVAL no path; -FSIF_EBADF; -FSIF_ESTALE; as
 *         fsi_enter_blocking() */
int fsi_begin(struct fsif_client *cl, int dir, struct fsif_op *op, struct fsi_lane **lane);

/** fsi_base - what op->handle or op->handle2 is for @dir. Return: 0; -FSIF_EBADF; -FSIF_ESTALE */
int fsi_base(struct fsif_client *cl, int dir, uint32_t *out);

/** fsi_at - one request of dialect 3 on a base and a path, as a public call of its own.
 * @op: a buffer larger than a request may carry is used in part, and length says so afterwards
 * Return: result->value; -FSIF_EOPNOTSUPP another dialect; -FSIF_E2BIG more data than a request may
 *         carry; as fsi_begin() */
int64_t fsi_at(struct fsif_client *cl, int dir, struct fsif_op *op, struct fsif_result *result);

/** fsi_on - the same on a handle alone */
int64_t fsi_on(struct fsif_client *cl, int fh, struct fsif_op *op, struct fsif_result *result);

/* --- io.c --- */

/** fsi_no_empty_io - whether the backend may be an old one, which must not be sent a read or write
 * of nothing: see fsif_frontend_submit(). Return: 1 or 0 */
int fsi_no_empty_io(const struct fsif_client *cl);

/* --- open.c --- */

/**
 * fsi_handle_limits - FSI_HANDLE_* of a handle that is about to be used
 *
 * From now on it is not quiet any more; fsi_handle_peek() is for uses that leave it so.
 *
 * Return: -FSIF_EBADF: no handle has this number; -FSIF_ESTALE it is one of an earlier session
 */
int fsi_handle_limits(struct fsif_client *cl, int fh);
int fsi_handle_peek(const struct fsif_client *cl, int fh);

/** fsi_open_at - open, in all dialects. @from: path and base filled in; inside fsi_enter_blocking()
 */
int fsi_open_at(struct fsi_lane *lane, const struct fsif_op *from, uint32_t flags, uint32_t mode);

/** fsi_close_handle - close it, without a look at @fh */
int fsi_close_handle(struct fsi_lane *lane, int fh);

/** fsi_close_quietly - the same for one through which nothing was changed: nobody waits for the
 * answer if that can be helped. Return: 0; why it could not be asked for */
int fsi_close_quietly(struct fsi_lane *lane, int fh);

/* --- dir.c --- */

/** fsi_is_dots - whether it is "." or ".." */
int fsi_is_dots(const char *name);

/* --- notes.c --- */

void fsi_notes_init(struct fsif_client *cl);
void fsi_notes_fini(struct fsif_client *cl);

/** fsi_notice - fsif_frontend_config.notice of the first queue */
void fsi_notice(void *arg, const struct fsif_notice *notice);

/** fsi_notes_end - the session is over: nothing more is told; fsi_notes_begin() a new one starts */
void fsi_notes_end(struct fsif_client *cl);
void fsi_notes_begin(struct fsif_client *cl);

/* --- loan.c --- */

/**
 * fsi_call_on_loan - as fsi_call(), with a part of the arena as op->ranges
 *
 * @give: put the part back as soon as the backend is done with it, on error too
 * @use:  NULL, or called with what was read before it is given back
 *
 * Return: as fsi_call(); -FSIF_ENOMEM
 */
typedef void fsi_use_fn(void *arg, const void *data, uint32_t len);
int64_t fsi_call_on_loan(struct fsi_lane *lane, const struct fsif_op *op, int give, fsi_use_fn *use,
                         void *arg);

/* --- layout.c --- */

/** fsi_layout_check - dialects and pages of @o, with the defaults filled in.
 * Return: 0; -FSIF_EINVAL; -FSIF_EOPNOTSUPP no dialect is left */
int fsi_layout_check(struct fsif_client_options *o);

/* --- session.c --- */

/** fsi_session_open - connect, or take over the session in @o, and start an engine on it.
 * On error fsi_session_close() takes away what there is */
int fsi_session_open(struct fsif_client *cl, const struct fsif_client_options *o);

/** fsi_session_close - the session and its engines; nobody uses them */
void fsi_session_close(struct fsif_client *cl);

/** fsi_open_session - a connected transport session for @address or the one in @o.
 * @registry: receives what to destroy after the session, or NULL */
int fsi_open_session(const char *address, const struct fsif_client_options *o,
                     const struct fsif_transport **transport, struct fsif_session **session,
                     struct fsif_registry **registry);

/* --- connect.c --- */

/** fsi_options_read - the caller's options, of this or an older build, over the defaults */
int fsi_options_read(const struct fsif_client_options *in, struct fsif_client_options *out);

/** fsi_left_ms - what is left of a time-out at @deadline; -1: none */
int fsi_left_ms(uint64_t deadline);

#endif
