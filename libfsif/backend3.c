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
 *   FREE -> PARKED --answered--> WAITS <--not yet-- BUSY --got it, failed, cancelled--> DONE ->
 * FREE
 *                                  +--------try------^                        notice sent
 *
 * Invariant: only who moved the word to BUSY touches the rest. DONE is kept while there is no room
 * for the notice, and tried again like one that waits. The entry holds its handle.
 */
#include "backend3.h"

#include <fsif/error.h>

#include "barrier.h"
#include "codec3.h"
#include "mem.h"

enum lock_stage { LOCK_FREE, LOCK_PARKED, LOCK_WAITS, LOCK_BUSY, LOCK_DONE };
enum watch_stage { WATCH_FREE, WATCH_TAKEN, WATCH_ACTIVE };

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
    return fsi_backend_export(be, rq->export_[which])->ops ? 0 : -FSIF_EBADF;
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

const struct fsif_backend_export *fsi_backend_export(const struct fsif_backend *be, uint32_t number)
{
    const struct fsif_backend *at = be->config_.first ? be->config_.first : be;

    return &at->exports_[number];
}

/* Few, and seldom added: whoever adds keeps the others out for some instructions. */
static int note_export(struct fsif_backend *be, const struct fsif_store_ops *ops,
                       struct fsif_store *store)
{
    int number = -FSIF_EMFILE;

    while (!fsi_cas(&be->exports_token_, 0, 1))
        ;
    for (uint32_t i = 0; i < FSIF_BACKEND_EXPORTS_MAX && number < 0; i++) {
        struct fsif_backend_export *e = &be->exports_[i];

        if (!e->ops) {
            e->store = store;
            e->ops = ops;
        }
        if (e->store == store)
            number = (int)i;
    }
    fsi_store_seq(&be->exports_token_, 0);
    return number;
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

/* Returns 1, or 0: there is no room now. @be: queue 0 */
static int send_notice(struct fsif_backend *be, const uint8_t *slot, uint32_t len)
{
    struct fsi_backend_view v;
    uint32_t index;

    fsi_backend_look(be, &v);
    if (!take_budget(be, v.state)) {
        fsi_store_seq(&v.state->unsent, 1);
        return 0;
    }
    index = fsi_producer_reserve(&v.state->producer);
    fsi_producer_ready(&v.responses, v.ready, index, slot, len);
    fsi_backend_publish(be, &v);
    fsif_backend_flush(be);
    return 1;
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
    const struct fsif_backend_export *x;
    struct fsif_lock lock = {.offset = e->offset, .length = e->length, .mode = e->mode};

    if (fsi_load_seq(&e->cancelled))
        return -FSIF_ECANCELED;
    if (fsi_handles_closed(&v->handles, e->handle))
        return -FSIF_EBADF;
    x = fsi_backend_export(be, e->export);
    return x->ops->lock(x->store, e->file, e->flags, &lock);
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
        if (!fsi_cas(&e->stage, LOCK_FREE, LOCK_PARKED))
            continue;
        if (fsi_handles_get(&v->handles, rq->op.handle, &file, &export)) {
            fsi_store_seq(&e->stage, LOCK_FREE);
            return -FSIF_EBADF;
        }
        e->handle = rq->op.handle;
        e->export = export;
        e->file = file;
        e->flags = rq->op.flags & FSIF_LOCK_WHOLE;
        e->mode = rq->op.mode;
        e->offset = rq->op.offset;
        e->length = rq->op.length;
        e->cookie = rq->op.cookie;
        fsi_store_relaxed(&e->cancelled, 0);
        fsi_fetch_add(&v->home->waiting, 1);
        return (int)i;
    }
    return -FSIF_ENOLCK;
}

void fsi_backend_unpark_lock(struct fsif_backend *be, const struct fsi_backend_view *v,
                             uint32_t number)
{
    const struct fsif_backend_config *c = &home(be)->config_;

    fsi_store_seq(&v->locks[number].stage, LOCK_WAITS);
    if (c->waiting)
        c->waiting(c->arg);
}

/* Try the lock that is BUSY now, or send its result. */
static void settle_lock(struct fsif_backend *be, const struct fsi_backend_view *v,
                        struct fsi_waiting_lock *e, int done)
{
    uint8_t slot[FSI_RESPONSE_MAX];
    uint32_t len;

    if (!done) {
        e->value = try_lock(be, v, e);
        if (e->value == -FSIF_EAGAIN) {
            fsi_store_seq(&e->stage, LOCK_WAITS);
            return;
        }
    }
    fsi_memset(slot, 0, sizeof(slot));
    len = fsi_late3_put(e->cookie, e->value, slot);
    if (!send_notice(home(be), slot, len)) {
        fsi_store_seq(&e->stage, LOCK_DONE);
        return;
    }
    (void)fsi_backend_let_go(be, v, e->handle);
    fsi_fetch_add(&v->home->waiting, UINT32_MAX);
    fsi_store_seq(&e->stage, LOCK_FREE);
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

        if (fsi_cas(&e->stage, LOCK_WAITS, LOCK_BUSY))
            settle_lock(be, &v, e, 0);
        else if (fsi_cas(&e->stage, LOCK_DONE, LOCK_BUSY))
            settle_lock(be, &v, e, 1);
    }
    return fsi_load_seq(&v.home->waiting);
}

int fsi_backend_cancel_lock(struct fsif_backend *be, const struct fsi_backend_view *v,
                            uint64_t cookie)
{
    for (uint32_t i = 0; i < v->home->max_locks; i++) {
        struct fsi_waiting_lock *e = &v->locks[i];
        uint32_t stage = fsi_load_seq(&e->stage);

        if (stage == LOCK_FREE || stage == LOCK_DONE || e->cookie != cookie)
            continue;
        fsi_store_seq(&e->cancelled, 1);
        /* One that is BUSY or PARKED is found cancelled when it is tried again. */
        if (fsi_cas(&e->stage, LOCK_WAITS, LOCK_BUSY))
            settle_lock(be, v, e, 0);
        return 0;
    }
    return -FSIF_ENOENT;
}

/* --- watches --- */

int fsi_backend_watch(const struct fsif_backend *be, const struct fsi_backend_view *v,
                      const struct fsif_fetched *rq)
{
    const struct fsif_backend_export *x = fsi_backend_export(be, rq->export_[0]);
    int err;

    if (!x->ops->watch || !x->ops->unwatch || !x->ops->watch_next)
        return -FSIF_EOPNOTSUPP;
    for (uint32_t i = 0; i < v->home->max_watches; i++) {
        struct fsi_watch *w = &v->watches[i];

        if (!fsi_cas(&w->stage, WATCH_FREE, WATCH_TAKEN))
            continue;
        err = x->ops->watch(x->store, rq->file_[0], rq->op.flags, &w->watch);
        if (err) {
            fsi_store_seq(&w->stage, WATCH_FREE);
            return err;
        }
        w->export = rq->export_[0];
        w->cookie = rq->op.cookie;
        fsi_store_relaxed(&w->lost, 0);
        fsi_store_seq(&w->stage, WATCH_ACTIVE);
        return (int)i;
    }
    return -FSIF_ENOSPC;
}

int fsi_backend_unwatch(const struct fsif_backend *be, const struct fsi_backend_view *v,
                        uint64_t number)
{
    const struct fsif_backend_export *x;
    struct fsi_watch *w;
    int err;

    if (number >= v->home->max_watches)
        return -FSIF_EINVAL;
    w = &v->watches[(uint32_t)number];
    if (!fsi_cas(&w->stage, WATCH_ACTIVE, WATCH_TAKEN))
        return -FSIF_EINVAL;
    x = fsi_backend_export(be, w->export);
    err = x->ops->unwatch(x->store, w->watch);
    fsi_store_seq(&w->stage, WATCH_FREE);
    return err;
}

static void tell_change(struct fsif_backend *be, struct fsi_watch *w, uint32_t what,
                        const char *name)
{
    uint8_t slot[FSI_RESPONSE_MAX];
    uint32_t len;

    fsi_memset(slot, 0, sizeof(slot));
    if (fsi_load_relaxed(&w->lost))
        what |= FSIF_CHANGE_LOST;
    len = fsi_change3_put(w->cookie, what, name, (uint32_t)strnlen(name, FSIF_NAME_MAX), slot);
    fsi_store_relaxed(&w->lost, !send_notice(be, slot, len));
}

static void tell_watchers(struct fsif_backend *be, const struct fsi_backend_view *v,
                          uint32_t export, const struct fsif_store_change *change)
{
    for (uint32_t i = 0; i < v->home->max_watches; i++) {
        struct fsi_watch *w = &v->watches[i];

        if (fsi_load_seq(&w->stage) == WATCH_ACTIVE && w->export == export &&
            w->watch == change->watch)
            tell_change(be, w, change->what, change->name);
    }
}

int fsif_backend_changes(struct fsif_backend *any)
{
    struct fsif_backend *be = home(any);
    struct fsif_store_change change;
    struct fsi_backend_view v;
    int count = 0;

    fsi_backend_look(be, &v);
    for (uint32_t i = 0; i < FSIF_BACKEND_EXPORTS_MAX && be->exports_[i].ops; i++) {
        const struct fsif_backend_export *x = &be->exports_[i];

        while (x->ops->watch_next && x->ops->watch_next(x->store, &change) == 1) {
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
        if (fsi_load_seq(&v.watches[i].stage) == WATCH_ACTIVE &&
            fsi_load_relaxed(&v.watches[i].lost))
            tell_change(be, &v.watches[i], 0, "");
    }
}

void fsi_backend_fini3(const struct fsif_backend *be, const struct fsi_backend_view *v)
{
    for (uint32_t i = 0; i < v->home->max_watches; i++)
        (void)fsi_backend_unwatch(be, v, i);
    for (uint32_t i = 0; i < v->home->max_locks; i++)
        fsi_store_seq(&v->locks[i].stage, LOCK_FREE);
    fsi_store_seq(&v->home->waiting, 0);
}

void fsi_backend_recover3(struct fsif_backend *be, const struct fsi_backend_view *v)
{
    fill_holes(v);
    if (be->config_.first)
        return;
    for (uint32_t i = 0; i < v->home->max_locks; i++) {
        uint32_t stage = fsi_load_relaxed(&v->locks[i].stage);

        if (stage == LOCK_PARKED || stage == LOCK_BUSY)
            fsi_store_seq(&v->locks[i].stage, LOCK_WAITS);
    }
    /* They ended with the process's stores. */
    for (uint32_t i = 0; i < v->home->max_watches; i++) {
        if (fsi_load_relaxed(&v->watches[i].stage) != WATCH_FREE)
            tell_change(be, &v->watches[i], FSIF_CHANGE_SELF | FSIF_CHANGE_LOST, "");
        fsi_store_seq(&v->watches[i].stage, WATCH_FREE);
    }
}
