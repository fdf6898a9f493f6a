/* SPDX-License-Identifier: MIT */
/*
 * Dialect 3, beside the ring. Everything here belongs to the session, so it lies in the state of
 * queue 0's engine, and notices go out on queue 0.
 *
 * Notices have a budget of their own: the responses' ring has room for as many notices as there are
 * requests, and the frontend says how many it has taken. What it says may be a lie; too few, and it
 * gets no more notices; too many, and it overwrites its own. An answer's place is never touched by
 * that, because an answer needs an id.
 *
 * A lock that waits:
 *
 *   FREE -> TAKEN -> PARKED --answered--> WAITS <--not yet-- BUSY --got it, failed, cancelled--+
 *                                           |                 ^                               |
 *                                           +------try--------+         FREE <--notice-- DONE <-+
 *
 * Invariant: only who moved the word to TAKEN or BUSY touches the rest, but for the cookie, which
 * cancel reads while it stands. DONE is kept while there is no room for the notice, and tried again
 * like one that waits. The entry holds its handle.
 *
 * A watch: FREE -> TAKEN -> ACTIVE -> TAKEN -> FREE; whoever tells of changes reads one that
 * stands.
 *
 * Beside the stage the word of either counts its lives. Who read members and then finds the word as
 * it was has read those of one life; so cancel sets its bit in the life whose cookie it has seen,
 * and in no other.
 */
#include "backend3.h"

#include <fsif/error.h>

#include "barrier.h"
#include "codec3.h"
#include "mem.h"

enum lock_stage { LOCK_FREE, LOCK_TAKEN, LOCK_PARKED, LOCK_WAITS, LOCK_BUSY, LOCK_DONE };
enum watch_stage { WATCH_FREE, WATCH_TAKEN, WATCH_ACTIVE };

/* Somebody else may make changes as fast as they are taken. */
#define CHANGES_AT_ONCE 256

#define STAGE 7u
#define CANCELLED 8u
#define LIFE 16u

static uint32_t stage_of(const struct fsif_shared_u32 *word)
{
    return fsi_load_seq(word) & STAGE;
}

/* From stage @from on to @to, whatever else is in the word. Returns 1 if it was at @from. */
static int move_on(struct fsif_shared_u32 *word, uint32_t from, uint32_t to)
{
    uint32_t w = fsi_load_seq(word);

    while ((w & STAGE) == from) {
        if (fsi_cas(word, w, w - from + to))
            return 1;
        w = fsi_load_seq(word);
    }
    return 0;
}

/* Take a FREE entry for a new life. Returns 1 if it was FREE. */
static int take_entry(struct fsif_shared_u32 *word, uint32_t taken)
{
    uint32_t w = fsi_load_seq(word);

    return !(w & STAGE) && fsi_cas(word, w, w + LIFE + taken);
}

/* By the one that has taken it: nobody else leaves more than CANCELLED there. */
static void free_entry(struct fsif_shared_u32 *word)
{
    fsi_store_seq(word, fsi_load_seq(word) & ~(STAGE | CANCELLED));
}

static void put_cookie(struct fsif_shared_u32 *to, uint64_t cookie)
{
    fsi_store_release(&to[0], (uint32_t)cookie);
    fsi_store_release(&to[1], (uint32_t)(cookie >> 32));
}

static uint64_t get_cookie(const struct fsif_shared_u32 *from)
{
    uint64_t low = fsi_load_acquire(&from[0]);

    return (uint64_t)fsi_load_acquire(&from[1]) << 32 | low;
}

static struct fsif_backend *home(struct fsif_backend *be)
{
    return be->config_.first ? be->config_.first : be;
}

/* --- what a request needs --- */

static int hold(const struct fsif_backend *be, const struct fsi_backend_view *v,
                struct fsif_fetched *rq, uint32_t which, uint32_t handle)
{
    struct fsi_backend_id *e = &v->ids[rq->id];
    int err = fsi_handles_get(&v->handles, handle, &rq->file_[which], &rq->export_[which]);

    if (err)
        return err;
    e->handle[which] = handle;
    fsi_store_relaxed(&e->holds, fsi_load_relaxed(&e->holds) | 1u << which);
    /* Of an export that an earlier process had attached. */
    return fsi_backend_export(be, rq->export_[which]).ops ? 0 : -FSIF_EBADF;
}

static int take_handles(const struct fsif_backend *be, const struct fsi_backend_view *v,
                        struct fsif_fetched *rq)
{
    uint32_t used = fsi_codec_handles(v->dialect, &rq->op);
    int err = 0;

    rq->file_[0] = rq->file_[1] = FSIF_STORE_ROOT;
    rq->export_[0] = rq->export_[1] = 0;
    if (used & 1)
        err = hold(be, v, rq, 0, rq->op.handle);
    if (!err && used & 2)
        err = hold(be, v, rq, 1, rq->op.handle2);
    return err;
}

int fsi_backend_gather3(const struct fsif_backend *be, const struct fsi_backend_view *v,
                        struct fsif_fetched *rq, const void *slot)
{
    const struct fsif_backend_config *c = &be->config_;
    struct fsi_operands *o = &rq->operands_;
    uint32_t size = c->arena_pages * FSIF_PAGE_SIZE;
    int err = take_handles(be, v, rq);

    if (!err)
        err = fsi_ranges3(&rq->op, size, c->max_io, o);
    if (!err)
        err = fsi_names3(slot, (const uint8_t *)c->arena, size, o, rq->page_, &rq->op);
    if (err)
        return err;
    if (rq->op.nranges) {
        rq->op.buffer = (uint8_t *)c->arena + rq->op.ranges[0].at;
        rq->op.data = rq->op.buffer;
    }
    for (uint32_t i = 0; i < 2; i++) {
        if (o->absolute[i])
            rq->file_[i] = FSIF_STORE_ROOT;
    }
    /* Without a directory of its own a second name starts where the first does. */
    if (!fsi_layout3(rq->op.type)->handle2) {
        rq->file_[1] = rq->file_[0];
        rq->export_[1] = rq->export_[0];
    }
    return 0;
}

/* --- exports --- */

struct fsif_backend_export fsi_backend_export(const struct fsif_backend *be, uint32_t number)
{
    const struct fsif_backend *at = be->config_.first ? be->config_.first : be;
    const struct fsif_backend_export *e = &at->exports_[number];
    struct fsif_backend_export x = {fsi_load_pointer(&e->ops), NULL};

    if (x.ops)
        x.store = fsi_load_pointer(&e->store);
    return x;
}

/* Few, and never taken away. A place is of the store that is written there first; two threads that
 * attach the same one meet there, and each writes the same members. Nobody waits for anybody. */
static int note_export(struct fsif_backend *be, const struct fsif_store_ops *ops,
                       struct fsif_store *store)
{
    if (!store)
        return -FSIF_EINVAL;
    if (store == be->exports_[0].store)
        return 0;
    for (uint32_t i = 1; i < FSIF_BACKEND_EXPORTS_MAX; i++) {
        struct fsif_backend_export *e = &be->exports_[i];
        struct fsif_store *there = NULL;

        if (fsi_cas_pointer(&e->store, &there, store) || there == store) {
            fsi_store_pointer(&e->ops, ops);
            return (int)i;
        }
    }
    return -FSIF_EMFILE;
}

int fsi_backend_attach(struct fsif_backend *be, const char *name)
{
    struct fsif_backend *at = home(be);
    const struct fsif_store_ops *ops;
    struct fsif_store *store;
    int err;

    if (!at->config_.attach)
        return -FSIF_ENOENT;
    err = at->config_.attach(at->config_.arg, name, &ops, &store);
    return err ? err : note_export(at, ops, store);
}

/* --- notices --- */

/* Whether one more notice may be on its way; then it is counted. What the frontend says is read
 * between two looks at our own count, so an honest one is never behind by more than there is room
 * for. */
static int take_budget(struct fsif_backend *be, struct fsi_backend_state *st)
{
    const struct fsif_wire3_ring *ring = (const struct fsif_wire3_ring *)be->config_.ring;
    uint32_t sent = fsi_load_seq(&st->notices);

    for (;;) {
        uint32_t seen = fsi_get32_shared(&ring->notices_seen);
        uint32_t again = fsi_load_seq(&st->notices);

        if (again != sent) {
            sent = again;
        } else if (sent - seen > st->nslots) {
            fsif_backend_poison(be, FSIF_POISON_INDEX);
            return 0;
        } else if (sent - seen == st->nslots) {
            return 0;
        } else if (fsi_cas(&st->notices, sent, sent + 1)) {
            return 1;
        }
    }
}

/* Returns 1, or 0: there is no room now; the caller notes what is left, then that there is
 * something: see owe_notice(). @be: queue 0 */
static int send_notice(struct fsif_backend *be, const uint8_t *slot, uint32_t len)
{
    struct fsi_backend_view v;
    uint32_t index;

    fsi_backend_look(be, &v);
    if (!take_budget(be, v.state))
        return 0;
    index = fsi_producer_reserve(&v.state->producer);
    fsi_producer_ready(&v.responses, v.ready, index, slot, len);
    fsi_backend_publish(be, &v);
    fsif_backend_flush(be);
    return 1;
}

/* Once what is to be sent is noted: who finds this looks for all that is. */
static void owe_notice(struct fsif_backend *be)
{
    fsi_store_seq(&home(be)->state_->unsent, 1);
}

static void fill_holes(const struct fsi_backend_view *v)
{
    struct fsi_producer *p = &v->state->producer;
    uint32_t end = fsi_load_relaxed(&p->reserved);
    uint8_t slot[FSI_RESPONSE_MAX];

    fsi_memset(slot, 0, sizeof(slot));
    slot[offsetof(struct fsif_wire3_response, kind)] = FSIF_WIRE3_VOID;
    for (uint32_t i = fsi_load_relaxed(&p->published); i != end; i++) {
        if (fsi_load_relaxed(&v->ready[i & (v->responses.nslots - 1)]) != i)
            fsi_producer_ready(&v->responses, v->ready, i, slot, FSIF_WIRE3_SLOT);
    }
}

/* --- locks that wait --- */

static int try_lock(const struct fsif_backend *be, const struct fsi_backend_view *v,
                    const struct fsi_waiting_lock *e)
{
    struct fsif_backend_export x;
    struct fsif_lock lock = {.offset = e->offset, .length = e->length, .mode = e->mode};

    if (fsi_load_seq(&e->stage) & CANCELLED)
        return -FSIF_ECANCELED;
    if (fsi_handles_closed(&v->handles, e->handle))
        return -FSIF_EBADF;
    x = fsi_backend_export(be, e->export);
    /* Of an export that an earlier process had attached. */
    if (!x.ops)
        return -FSIF_EBADF;
    return x.ops->lock(x.store, e->file, e->flags, &lock);
}

int fsi_backend_park_lock(const struct fsif_backend *be, const struct fsi_backend_view *v,
                          const struct fsif_fetched *rq)
{
    struct fsi_waiting_lock *e;
    uint64_t file;
    uint32_t export;

    (void)be;
    for (uint32_t i = 0; i < v->home->max_locks; i++) {
        e = &v->locks[i];
        if (!take_entry(&e->stage, LOCK_TAKEN))
            continue;
        if (fsi_handles_get(&v->handles, rq->op.handle, &file, &export)) {
            free_entry(&e->stage);
            return -FSIF_EBADF;
        }
        e->handle = rq->op.handle;
        e->export = export;
        e->file = file;
        e->flags = rq->op.flags & FSIF_LOCK_WHOLE;
        e->mode = rq->op.mode;
        e->offset = rq->op.offset;
        e->length = rq->op.length;
        put_cookie(e->cookie, rq->op.cookie);
        fsi_fetch_add(&v->home->waiting, 1);
        (void)move_on(&e->stage, LOCK_TAKEN, LOCK_PARKED);
        return (int)i;
    }
    return -FSIF_ENOLCK;
}

/* One that was cancelled while another had it is ended by that one, who has it again then. */
static int take_cancelled(struct fsi_waiting_lock *e)
{
    return fsi_load_seq(&e->stage) & CANCELLED && move_on(&e->stage, LOCK_WAITS, LOCK_BUSY);
}

/* Try the lock that is BUSY now, or send its result. */
static void settle_lock(struct fsif_backend *be, const struct fsi_backend_view *v,
                        struct fsi_waiting_lock *e, int done)
{
    uint8_t slot[FSI_RESPONSE_MAX];
    uint32_t len;

    while (!done) {
        e->value = try_lock(be, v, e);
        if (e->value != -FSIF_EAGAIN)
            break;
        (void)move_on(&e->stage, LOCK_BUSY, LOCK_WAITS);
        if (!take_cancelled(e))
            return;
    }
    fsi_memset(slot, 0, sizeof(slot));
    len = fsi_late3_put(get_cookie(e->cookie), e->value, slot);
    if (!send_notice(home(be), slot, len)) {
        (void)move_on(&e->stage, LOCK_BUSY, LOCK_DONE);
        owe_notice(be);
        return;
    }
    (void)fsi_backend_let_go(be, v, e->handle);
    fsi_fetch_add(&v->home->waiting, UINT32_MAX);
    free_entry(&e->stage);
}

void fsi_backend_unpark_lock(struct fsif_backend *be, const struct fsi_backend_view *v,
                             uint32_t number)
{
    const struct fsif_backend_config *c = &home(be)->config_;
    struct fsi_waiting_lock *e = &v->locks[number];

    (void)move_on(&e->stage, LOCK_PARKED, LOCK_WAITS);
    if (take_cancelled(e))
        settle_lock(be, v, e, 0);
    if (c->waiting)
        c->waiting(c->arg);
}

uint32_t fsif_backend_lock_waiters(const struct fsif_backend *be)
{
    struct fsi_backend_view v;

    fsi_backend_look(be, &v);
    return fsi_load_seq(&v.home->waiting);
}

uint32_t fsif_backend_retry_locks(struct fsif_backend *be)
{
    struct fsi_backend_view v;

    fsi_backend_look(be, &v);
    for (uint32_t i = 0; i < v.home->max_locks && fsi_load_seq(&v.home->waiting); i++) {
        struct fsi_waiting_lock *e = &v.locks[i];

        if (move_on(&e->stage, LOCK_WAITS, LOCK_BUSY))
            settle_lock(be, &v, e, 0);
        else if (move_on(&e->stage, LOCK_DONE, LOCK_BUSY))
            settle_lock(be, &v, e, 1);
    }
    return fsi_load_seq(&v.home->waiting);
}

/* Mark the lock with @cookie. Returns 1 if this entry is it and still waits. */
static int mark_cancelled(struct fsi_waiting_lock *e, uint64_t cookie)
{
    for (;;) {
        uint32_t w = fsi_load_seq(&e->stage);
        uint32_t stage = w & STAGE;

        if (stage == LOCK_FREE || stage == LOCK_TAKEN || stage == LOCK_DONE ||
            get_cookie(e->cookie) != cookie)
            return 0;
        if (fsi_cas(&e->stage, w, w | CANCELLED))
            return 1;
    }
}

int fsi_backend_cancel_lock(struct fsif_backend *be, const struct fsi_backend_view *v,
                            uint64_t cookie)
{
    for (uint32_t i = 0; i < v->home->max_locks; i++) {
        struct fsi_waiting_lock *e = &v->locks[i];

        if (!mark_cancelled(e, cookie))
            continue;
        /* One that is BUSY or PARKED is found cancelled by who has it. */
        if (move_on(&e->stage, LOCK_WAITS, LOCK_BUSY))
            settle_lock(be, v, e, 0);
        return 0;
    }
    return -FSIF_ENOENT;
}

/* --- watches --- */

int fsi_backend_watch(const struct fsif_backend *be, const struct fsi_backend_view *v,
                      const struct fsif_fetched *rq)
{
    const struct fsif_backend_export x = fsi_backend_export(be, rq->export_[0]);
    uint32_t number;
    int err;

    if (!x.ops->watch || !x.ops->unwatch || !x.ops->watch_next)
        return -FSIF_EOPNOTSUPP;
    for (uint32_t i = 0; i < v->home->max_watches; i++) {
        struct fsi_watch *w = &v->watches[i];

        if (!take_entry(&w->stage, WATCH_TAKEN))
            continue;
        err = x.ops->watch(x.store, rq->file_[0], rq->op.flags, &number);
        if (err) {
            free_entry(&w->stage);
            return err;
        }
        fsi_store_release(&w->watch, number);
        fsi_store_release(&w->export, rq->export_[0]);
        put_cookie(w->cookie, rq->op.cookie);
        fsi_store_relaxed(&w->lost, 0);
        (void)move_on(&w->stage, WATCH_TAKEN, WATCH_ACTIVE);
        return (int)i;
    }
    return -FSIF_ENOSPC;
}

int fsi_backend_unwatch(const struct fsif_backend *be, const struct fsi_backend_view *v,
                        uint64_t number)
{
    struct fsif_backend_export x;
    struct fsi_watch *w;
    int err;

    if (number >= v->home->max_watches)
        return -FSIF_EINVAL;
    w = &v->watches[(uint32_t)number];
    if (!move_on(&w->stage, WATCH_ACTIVE, WATCH_TAKEN))
        return -FSIF_EINVAL;
    x = fsi_backend_export(be, fsi_load_relaxed(&w->export));
    err = x.ops->unwatch(x.store, fsi_load_relaxed(&w->watch));
    free_entry(&w->stage);
    return err;
}

/* @cookie: that of @w. Several threads may be here for one watch: whoever takes `lost` says so, and
 * notes it again if that found no room either. */
static void tell_change(struct fsif_backend *be, struct fsi_watch *w, uint64_t cookie,
                        uint32_t what, const char *name)
{
    uint8_t slot[FSI_RESPONSE_MAX];
    uint32_t len;

    fsi_memset(slot, 0, sizeof(slot));
    if (fsi_exchange(&w->lost, 0))
        what |= FSIF_CHANGE_LOST;
    len = fsi_change3_put(cookie, what, name, (uint32_t)strnlen(name, FSIF_NAME_MAX), slot);
    if (send_notice(be, slot, len))
        return;
    fsi_store_seq(&w->lost, 1);
    owe_notice(be);
}

static void tell_watchers(struct fsif_backend *be, const struct fsi_backend_view *v,
                          uint32_t export, const struct fsif_store_change *change)
{
    for (uint32_t i = 0; i < v->home->max_watches; i++) {
        struct fsi_watch *w = &v->watches[i];
        uint32_t word = fsi_load_seq(&w->stage);
        int is_it =
            fsi_load_acquire(&w->export) == export && fsi_load_acquire(&w->watch) == change->watch;
        uint64_t cookie = get_cookie(w->cookie);

        if ((word & STAGE) == WATCH_ACTIVE && is_it && fsi_load_seq(&w->stage) == word)
            tell_change(be, w, cookie, change->what, change->name);
    }
}

int fsif_backend_watches(const struct fsif_backend *be, const struct fsif_store *store)
{
    struct fsi_backend_view v;

    fsi_backend_look(be, &v);
    for (uint32_t i = 0; i < v.home->max_watches; i++) {
        const struct fsi_watch *w = &v.watches[i];

        if (stage_of(&w->stage) == WATCH_ACTIVE &&
            fsi_backend_export(be, fsi_load_acquire(&w->export)).store == store)
            return 1;
    }
    return 0;
}

int fsif_backend_changes(struct fsif_backend *any)
{
    struct fsif_backend *be = home(any);
    struct fsif_store_change change;
    struct fsi_backend_view v;
    int count = 0;

    fsi_backend_look(be, &v);
    for (uint32_t i = 0; i < FSIF_BACKEND_EXPORTS_MAX; i++) {
        const struct fsif_backend_export x = fsi_backend_export(be, i);

        while (x.ops && x.ops->watch_next && count < CHANGES_AT_ONCE &&
               x.ops->watch_next(x.store, &change) == 1) {
            tell_watchers(be, &v, i, &change);
            count++;
        }
    }
    return count;
}

void fsi_backend_retry_notices(struct fsif_backend *any)
{
    struct fsif_backend *be = home(any);
    struct fsi_backend_view v;

    fsi_backend_look(be, &v);
    if (!fsi_load_relaxed(&v.state->unsent) || !fsi_cas(&v.state->unsent, 1, 0))
        return;
    (void)fsif_backend_retry_locks(be);
    for (uint32_t i = 0; i < v.home->max_watches; i++) {
        struct fsi_watch *w = &v.watches[i];
        uint32_t word = fsi_load_seq(&w->stage);
        uint64_t cookie = get_cookie(w->cookie);

        if ((word & STAGE) == WATCH_ACTIVE && fsi_load_seq(&w->lost) &&
            fsi_load_seq(&w->stage) == word)
            tell_change(be, w, cookie, 0, "");
    }
}

void fsi_backend_fini3(const struct fsif_backend *be, const struct fsi_backend_view *v)
{
    for (uint32_t i = 0; i < v->home->max_watches; i++)
        (void)fsi_backend_unwatch(be, v, i);
    for (uint32_t i = 0; i < v->home->max_locks; i++)
        free_entry(&v->locks[i].stage);
    fsi_store_seq(&v->home->waiting, 0);
}

void fsi_backend_recover_locks(const struct fsi_backend_view *v)
{
    uint32_t waiting = 0;

    for (uint32_t i = 0; i < v->home->max_locks; i++) {
        struct fsi_waiting_lock *e = &v->locks[i];
        uint32_t stage = stage_of(&e->stage);

        if (stage == LOCK_TAKEN ||
            (stage != LOCK_FREE && !fsi_handles_hold(&v->handles, e->handle)))
            free_entry(&e->stage);
        /* Its request may be answered with an error: then nobody would unlock it. */
        if (stage == LOCK_PARKED)
            e->value = -FSIF_EIO;
        (void)move_on(&e->stage, LOCK_PARKED, LOCK_DONE);
        (void)move_on(&e->stage, LOCK_BUSY, LOCK_WAITS);
        waiting += stage_of(&e->stage) != LOCK_FREE;
    }
    fsi_store_seq(&v->home->waiting, waiting);
}

void fsi_backend_recover3(struct fsif_backend *be, const struct fsi_backend_view *v)
{
    fill_holes(v);
    if (be->config_.first)
        return;
    /* They ended with the process's stores. */
    for (uint32_t i = 0; i < v->home->max_watches; i++) {
        struct fsi_watch *w = &v->watches[i];

        if (stage_of(&w->stage) != WATCH_FREE)
            tell_change(be, w, get_cookie(w->cookie), FSIF_CHANGE_SELF | FSIF_CHANGE_LOST, "");
        free_entry(&w->stage);
    }
}
