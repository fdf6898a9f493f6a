/* SPDX-License-Identifier: MIT */
/*
 * The backend engine: takes requests off the ring and answers them. Each id of the peer's has a
 * stage:
 *
 *          fetch             complete              index reserved
 *   FREE ---------> FETCHED ----------> ANSWERED ------------------> PLACED
 *    ^                                                                 |
 *    +---------------- its response is published ----------------------+
 *
 * Invariant: the peer may use an id again when it has seen the response, which is after it was
 * published; so PLACED counts as free once its index is not between published and reserved, and
 * nobody has to touch the word in between. Whatever a stage promises is in the state before the
 * stage is, so a successor finds each request either unanswered or with its response.
 *
 * One thread fetches. Completing threads meet only in the producer, which takes any number.
 */
#include <fsif/backend.h>

#include "backend3.h"
#include "backend_state.h"
#include "barrier.h"
#include "mem.h"

#define MAX_HANDLES 65536u
#define MAX_STREAMS 64u
#define MAX_LOCKS 4096u
#define MAX_WATCHES 1024u

/* What belongs to the session; it is looked for in the state of queue 0 only. */
static int session_fits(const struct fsif_backend_config *c)
{
    return c->max_handles && c->max_handles <= MAX_HANDLES && c->max_streams &&
           c->max_streams <= MAX_STREAMS && c->max_locks <= MAX_LOCKS &&
           c->max_watches <= MAX_WATCHES;
}

static int arena_fits(const struct fsif_backend_config *c)
{
    return c->arena && c->arena_pages >= FSIF_ARENA_PAGES_MIN &&
           c->arena_pages <= FSIF_ARENA_PAGES_MAX && c->max_io &&
           c->max_io <= c->arena_pages * FSIF_PAGE_SIZE;
}

uint32_t fsi_backend_slots(const struct fsif_backend_config *c, uint32_t *responses)
{
    const struct fsi_dialect *d;

    if (c->size < sizeof(*c) || (!c->first && !session_fits(c)))
        return 0;
    d = fsi_dialect_find(c->dialect);
    if (!d || (fsi_is_split(d) ? !arena_fits(c) : c->first != NULL))
        return 0;
    return fsi_dialect_layout(d, c->ring_pages, c->slots, responses);
}

size_t fsif_backend_state_size(const struct fsif_backend_config *c)
{
    uint32_t nresponses = 0;
    uint32_t nslots = fsi_backend_slots(c, &nresponses);
    size_t size = sizeof(struct fsi_backend_state) + nslots * sizeof(struct fsi_backend_id) +
                  nresponses * sizeof(struct fsif_shared_u32);

    if (!nslots)
        return 0;
    if (c->first)
        return size;
    return size + c->max_streams * sizeof(struct fsi_stream) +
           c->max_handles * sizeof(struct fsi_handle) +
           c->max_locks * sizeof(struct fsi_waiting_lock) +
           c->max_watches * sizeof(struct fsi_watch) +
           FSI_FREELIST_WORDS(c->max_handles) * sizeof(struct fsif_shared_u32);
}

/* The tables of the session behind the head of queue 0's state. Returns what lies behind them. */
static void *look_home(struct fsi_backend_state *st, struct fsi_backend_view *v)
{
    v->home = st;
    v->streams.table = (struct fsi_stream *)(st + 1);
    v->streams.count = st->max_streams;
    v->streams.clock = &st->clock;
    v->handles.table = (struct fsi_handle *)(v->streams.table + st->max_streams);
    v->handles.free = &st->free_handles;
    v->locks = (struct fsi_waiting_lock *)(v->handles.table + st->free_handles.count);
    v->watches = (struct fsi_watch *)(v->locks + st->max_locks);
    return v->watches + st->max_watches;
}

void fsi_backend_find(struct fsif_backend *be)
{
    struct fsi_backend_view v;
    struct fsi_backend_state *st = be->state_;
    struct fsi_backend_state *home = be->config_.first ? be->config_.first->state_ : st;
    void *end = look_home(home, &v);

    v.dialect = fsi_dialect_find(st->dialect);
    v.state = st;
    v.streams.ops = be->config_.store_ops;
    v.streams.store = be->config_.store;
    v.handles.words =
        (struct fsif_shared_u32 *)((struct fsi_backend_id *)end + home->nslots) + home->nresponses;
    v.ids = (struct fsi_backend_id *)(home == st ? end : st + 1);
    v.ready = (struct fsif_shared_u32 *)(v.ids + st->nslots);
    fsi_dialect_rings(v.dialect, be->config_.ring, st->nslots, &v.requests, &v.responses);

    _Static_assert(sizeof(v) <= sizeof(be->view_), "a view fits");
    fsi_memcpy(be->view_, &v, sizeof(v));
}

int fsi_backend_bind(struct fsif_backend *be, const struct fsif_backend_config *c, void *state)
{
    if (!fsif_backend_state_size(c) || !c->ring || !c->transport || !c->store_ops || !state)
        return -FSIF_EINVAL;
    fsi_memset(be, 0, sizeof(*be));
    be->config_ = *c;
    be->state_ = (struct fsi_backend_state *)state;
    be->exports_[0].ops = c->store_ops;
    be->exports_[0].store = c->store;
    return 0;
}

int fsif_backend_init(struct fsif_backend *be, const struct fsif_backend_config *c, void *state)
{
    struct fsi_backend_state *st = (struct fsi_backend_state *)state;
    struct fsi_backend_view v;
    int err = fsi_backend_bind(be, c, state);

    if (err)
        return err;
    fsi_memset(state, 0, fsif_backend_state_size(c));
    st->magic = FSI_BACKEND_MAGIC;
    st->version = FSI_BACKEND_VERSION;
    st->size = (uint32_t)fsif_backend_state_size(c);
    st->dialect = c->dialect;
    st->nslots = fsi_backend_slots(c, &st->nresponses);
    if (!c->first) {
        st->max_streams = c->max_streams;
        st->max_locks = c->max_locks;
        st->max_watches = c->max_watches;
        st->free_handles.count = c->max_handles;
    }
    fsi_backend_find(be);
    fsi_backend_look(be, &v);
    if (!c->first)
        fsi_freelist_init(&st->free_handles, v.handles.words, c->max_handles);
    fsi_producer_init(&st->producer, v.ready, st->nresponses, c->first_index);
    fsi_consumer_init(&st->consumer, c->first_index);
    return 0;
}

uint32_t fsif_backend_busy(const struct fsif_backend *be)
{
    return fsi_load_seq(&be->state_->busy);
}

uint32_t fsif_backend_handles(const struct fsif_backend *be)
{
    const struct fsif_backend *home = be->config_.first ? be->config_.first : be;

    return fsi_load_seq(&home->state_->open);
}

enum fsif_poison fsif_backend_reason(const struct fsif_backend *be)
{
    return (enum fsif_poison)fsi_load_seq(&be->state_->reason);
}

void fsif_backend_poison(struct fsif_backend *be, enum fsif_poison reason)
{
    const struct fsif_hooks *hooks = be->config_.hooks;

    if (fsi_cas(&be->state_->reason, FSIF_POISON_NONE, (uint32_t)reason) && hooks &&
        hooks->poisoned)
        hooks->poisoned(hooks->arg, reason);
}

static void report(const struct fsif_backend *be, const struct fsif_fetched *rq,
                   const struct fsif_result *result)
{
    const struct fsif_hooks *h = be->config_.hooks;
    void (*hook)(void *, const struct fsif_event *) = h ? (result ? h->end : h->begin) : NULL;
    struct fsif_event event;

    if (!hook)
        return;
    fsi_memset(&event, 0, sizeof(event));
    event.id = rq->id;
    event.op = rq->op.type;
    if (result) {
        event.result = result->value;
        event.bytes = rq->moved;
    }
    hook(h->arg, &event);
}

int fsi_backend_let_go(const struct fsif_backend *be, const struct fsi_backend_view *v,
                       uint32_t handle)
{
    struct fsif_backend_export x;
    int err;

    if (!fsi_handles_put(&v->handles, handle))
        return 0;
    x = fsi_backend_export(be, v->handles.table[handle].export);
    err = x.ops ? x.ops->close(x.store, v->handles.table[handle].file) : 0;
    fsi_handles_free(&v->handles, handle);
    fsi_fetch_add(&v->home->open, UINT32_MAX);
    return err;
}

void fsi_backend_place(const struct fsi_backend_view *v, uint32_t id, uint32_t index)
{
    struct fsi_backend_id *e = &v->ids[id];
    uint8_t answer[FSI_RESPONSE_MAX];
    uint32_t len = fsi_codec_response_length(v->dialect, e->answer);

    fsi_memcpy(answer, e->answer, len);
    e->index = index;
    fsi_store_seq(&e->stage, FSI_ID_PLACED);
    fsi_producer_ready(&v->responses, v->ready, index, answer, len);
}

int fsi_backend_unpublished(const struct fsi_backend_view *v, uint32_t id)
{
    uint32_t published = fsi_load_relaxed(&v->state->producer.published);
    uint32_t reserved = fsi_load_relaxed(&v->state->producer.reserved);

    return v->ids[id].index - published < reserved - published;
}

void fsi_backend_publish(const struct fsif_backend *be, const struct fsi_backend_view *v)
{
    (void)be;
    if (fsi_producer_publish(&v->responses, &v->state->producer, v->ready))
        fsi_store_seq(&v->state->owed, 1);
}

/* With the quirk, whoever publishes the last answer finds the bell that the others owe: `owed` is
 * stored before the indices are looked at, by everyone. */
void fsif_backend_flush(struct fsif_backend *be)
{
    const struct fsif_backend_config *c = &be->config_;
    struct fsi_backend_view v;

    if (!fsi_load_seq(&be->state_->owed))
        return;
    if (c->quirks & FSIF_QUIRK_RING_WHEN_IDLE) {
        fsi_backend_look(be, &v);
        if (fsi_load_seq(v.requests.prod) != fsi_load_seq(&v.state->producer.published))
            return;
    }
    /* A bell that fails is a peer that is gone; its session ends where that is watched. */
    if (fsi_cas(&be->state_->owed, 1, 0))
        (void)c->transport->notify(c->session, c->queue);
}

int fsif_backend_ready(const struct fsif_backend *be)
{
    struct fsi_backend_view v;

    fsi_backend_look(be, &v);
    return fsi_consumer_ready(&v.requests, &v.state->consumer);
}

static uint32_t in_page(uint32_t len)
{
    return len < FSIF_PAGE_SIZE ? len : FSIF_PAGE_SIZE;
}

/* @len bytes of data_ into the peer's pages. Returns 0 or a negative FSIF_E*. */
static int data_to(const struct fsif_backend *be, struct fsif_fetched *rq, uint32_t len)
{
    const struct fsif_backend_config *c = &be->config_;
    int err = 0;

    for (uint32_t at = 0; at < len && !err; at += FSIF_PAGE_SIZE)
        err = c->transport->copy_to(c->session, rq->operands_.grefs[at / FSIF_PAGE_SIZE], 0,
                                    rq->data_ + at, in_page(len - at));
    return err;
}

/* The same from them. */
static int data_from(const struct fsif_backend *be, struct fsif_fetched *rq, uint32_t len)
{
    const struct fsif_backend_config *c = &be->config_;
    int err = 0;

    for (uint32_t at = 0; at < len && !err; at += FSIF_PAGE_SIZE)
        err = c->transport->copy_from(c->session, rq->operands_.grefs[at / FSIF_PAGE_SIZE], 0,
                                      rq->data_ + at, in_page(len - at));
    return err;
}

/* Bytes that the operation leaves in the peer's pages. Returns 0 or a negative FSIF_E*. */
static int answer_pages(const struct fsif_backend *be, const struct fsi_backend_view *v,
                        struct fsif_fetched *rq, const struct fsif_result *result)
{
    uint32_t len = 0;

    if (result->value < 0 || fsi_is_split(v->dialect))
        return 0;
    switch (v->dialect->rows[rq->op.type].page_use) {
    case FSI_PAGE_ATTR:
        len = fsi_codec_encode_attr(v->dialect, &result->attr, rq->data_);
        break;
    case FSI_PAGE_LIST:
        len = result->used;
        break;
    case FSI_PAGE_DATA_IN:
        if (rq->op.buffer == rq->data_)
            len = (uint32_t)result->value;
        break;
    default:
        break;
    }
    return data_to(be, rq, len);
}

static int gives_handle(const struct fsif_op *op)
{
    return op->type == FSIF_OP_OPEN || op->type == FSIF_OP_EXPORT ||
           (op->type == FSIF_OP_CREATE && !(op->flags & FSIF_CREATE_DIRECTORY));
}

/* The handle of the file that is to be opened: it is there before the store is asked, because a
 * request that fails has done nothing. */
static int reserve_handle(const struct fsi_backend_view *v, const struct fsif_fetched *rq)
{
    struct fsi_backend_id *e = &v->ids[rq->id];
    int handle;

    if (!gives_handle(&rq->op))
        return 0;
    handle = fsi_handles_reserve(&v->handles);
    if (handle < 0)
        return handle;
    e->handle[1] = (uint32_t)handle;
    fsi_store_relaxed(&e->holds, fsi_load_relaxed(&e->holds) | FSI_HOLDS_NEW);
    return 0;
}

/* An opened file gets its handle; a request that failed gives it back. */
static void use_handle(const struct fsi_backend_view *v, const struct fsif_fetched *rq,
                       uint64_t file, struct fsif_result *result)
{
    struct fsi_backend_id *e = &v->ids[rq->id];
    uint32_t holds = fsi_load_relaxed(&e->holds);

    if (!(holds & FSI_HOLDS_NEW))
        return;
    fsi_store_relaxed(&e->holds, holds & ~FSI_HOLDS_NEW);
    if (result->value < 0) {
        fsi_handles_free(&v->handles, e->handle[1]);
        return;
    }
    result->value = e->handle[1];
    fsi_handles_open(&v->handles, e->handle[1], file, rq->export_[0]);
    fsi_fetch_add(&v->home->open, 1);
}

/* A store that answers what it may not: never a reason to copy more to the peer, or to name it a
 * handle. */
static int is_unsound(const struct fsif_op *op, const struct fsif_result *result)
{
    switch (op->type) {
    case FSIF_OP_READ:
    case FSIF_OP_WRITE:
    case FSIF_OP_READFILE:
    case FSIF_OP_WRITEFILE:
    case FSIF_OP_READLINK:
    case FSIF_OP_COPY_RANGE:
        return result->value > 0 && (uint64_t)result->value > op->length;
    case FSIF_OP_GETXATTR:
    case FSIF_OP_LISTXATTR:
        return result->value > 0 && op->length && (uint64_t)result->value > op->length;
    case FSIF_OP_LIST:
        return result->used > FSIF_PAGE_SIZE;
    case FSIF_OP_CREATE:
        return op->flags & FSIF_CREATE_DIRECTORY && result->value > 0;
    default:
        return 0;
    }
}

/* Returns what closing the files said. */
static int end_holds(const struct fsif_backend *be, const struct fsi_backend_view *v,
                     struct fsi_backend_id *e)
{
    uint32_t holds = fsi_load_relaxed(&e->holds);
    int err = 0;

    if (!holds)
        return 0;
    fsi_store_relaxed(&e->holds, 0);
    if (holds & 1)
        err = fsi_backend_let_go(be, v, e->handle[0]);
    if (holds & 2)
        (void)fsi_backend_let_go(be, v, e->handle[1]);
    return err;
}

void fsif_backend_complete(struct fsif_backend *be, struct fsif_fetched *rq,
                           const struct fsif_result *result, uint64_t file)
{
    struct fsi_backend_view v;
    struct fsi_backend_id *e;
    struct fsif_result r = *result;
    int err;

    fsi_backend_look(be, &v);
    e = &v.ids[rq->id];
    if (is_unsound(&rq->op, &r))
        r.value = -FSIF_EIO;
    use_handle(&v, rq, file, &r);
    err = answer_pages(be, &v, rq, &r);
    if (err)
        r.value = err;
    err = end_holds(be, &v, e);
    if (err && r.value >= 0 && rq->op.type == FSIF_OP_CLOSE)
        r.value = err;
    if (r.value < 0)
        r.used = r.more = 0;
    fsi_codec_encode_response(v.dialect, rq->op.type, be->config_.features, rq->id, &r, e->answer);
    fsi_store_seq(&e->stage, FSI_ID_ANSWERED);
    rq->moved = fsi_codec_payload(rq->op.type, &r);
    report(be, rq, &r);
    fsi_backend_place(&v, rq->id, fsi_producer_reserve(&v.state->producer));
    fsi_backend_publish(be, &v);
    fsi_fetch_add(&v.state->busy, UINT32_MAX);
}

static void answer_error(struct fsif_backend *be, struct fsif_fetched *rq, int error)
{
    struct fsif_result result;

    fsi_memset(&result, 0, sizeof(result));
    result.value = error;
    fsif_backend_complete(be, rq, &result, 0);
}

/* Whether the peer may use @id now. */
static enum fsif_poison check_id(const struct fsi_backend_view *v, uint32_t id)
{
    uint32_t stage;

    if (id >= v->state->nslots)
        return FSIF_POISON_ID;
    stage = fsi_load_seq(&v->ids[id].stage);
    if (stage == FSI_ID_FREE || (stage == FSI_ID_PLACED && !fsi_backend_unpublished(v, id)))
        return FSIF_POISON_NONE;
    return FSIF_POISON_ID_BUSY;
}

/* The request's pages as one piece of memory that is mapped for the session's life; else NULL. */
static void *lend(const struct fsif_backend *be, const struct fsif_fetched *rq)
{
    const struct fsif_backend_config *c = &be->config_;
    char *first = NULL;

    if (c->transport->lend)
        first = c->transport->lend(c->session, rq->operands_.grefs[0]);
    for (uint32_t at = FSIF_PAGE_SIZE; first && at < rq->op.length; at += FSIF_PAGE_SIZE) {
        if (c->transport->lend(c->session, rq->operands_.grefs[at / FSIF_PAGE_SIZE]) != first + at)
            first = NULL;
    }
    return first;
}

/* The request's names or data. Returns 0 or a negative FSIF_E* to answer with. */
static int gather_pages(const struct fsif_backend *be, const struct fsi_backend_view *v,
                        struct fsif_fetched *rq, const struct fsi_codec_row *row, const void *slot)
{
    const struct fsif_backend_config *c = &be->config_;
    void *lent = NULL;
    int err = 0;

    if (row->page_use == FSI_PAGE_DATA_IN || row->page_use == FSI_PAGE_DATA_OUT)
        lent = lend(be, rq);
    rq->op.buffer = lent ? lent : rq->data_;
    rq->op.data = rq->op.buffer;
    if (row->page_use == FSI_PAGE_NAMES || row->page_use == FSI_PAGE_LIST) {
        err = c->transport->copy_from(c->session, rq->operands_.grefs[0], 0, rq->page_,
                                      FSIF_PAGE_SIZE);
        if (!err)
            err = fsi_codec_decode_names(v->dialect, slot, rq->page_, c->strip_prefix, &rq->op);
    } else if (row->page_use == FSI_PAGE_DATA_OUT && !lent) {
        err = data_from(be, rq, (uint32_t)rq->op.length);
    }
    return err;
}

/* What the request needs beside its slot. Returns 0 or a negative FSIF_E* to answer with. */
static int gather(const struct fsif_backend *be, const struct fsi_backend_view *v,
                  struct fsif_fetched *rq, const struct fsi_codec_row *row, const void *slot)
{
    rq->export_[0] = 0;
    if (row->takes_handle) {
        int err = fsi_handles_get(&v->handles, rq->op.handle, &rq->file_[0], &rq->export_[0]);

        if (err)
            return err;
        v->ids[rq->id].handle[0] = rq->op.handle;
        fsi_store_relaxed(&v->ids[rq->id].holds, 1);
    }
    return gather_pages(be, v, rq, row, slot);
}

/* Take over the slot that was peeked at. Returns 1: @rq is to be executed; 0: it was answered. */
static int accept(struct fsif_backend *be, const struct fsi_backend_view *v,
                  struct fsif_fetched *rq, const void *slot)
{
    const struct fsi_codec_row *row = NULL;
    struct fsi_backend_id *e = &v->ids[rq->id];
    int err;

    rq->file_[0] = rq->export_[0] = 0;
    rq->operands_.serial = 0;
    err = fsi_codec_decode_request(v->dialect, slot, &rq->op, &rq->operands_, &row);
    e->serial = rq->operands_.serial;
    e->index = fsi_load_relaxed(&v->state->consumer.next);
    e->type = rq->op.type;
    fsi_store_relaxed(&e->holds, 0);
    fsi_store_seq(&e->stage, FSI_ID_FETCHED);
    fsi_consumer_take(&v->state->consumer);
    fsi_fetch_add(&v->state->busy, 1);
    report(be, rq, NULL);
    if (!err && fsi_is_split(v->dialect))
        err = fsi_backend_gather3(be, v, rq, slot);
    else if (!err)
        err = gather(be, v, rq, row, slot);
    if (!err)
        err = reserve_handle(v, rq);
    if (!err)
        return 1;
    answer_error(be, rq, err);
    return 0;
}

int fsif_backend_fetch(struct fsif_backend *be, struct fsif_fetched *rq)
{
    struct fsi_backend_view v;
    uint8_t slot[FSI_SLOT_MAX];

    fsi_backend_look(be, &v);
    /* A peer that makes nothing but malformed requests must not keep the caller here for ever. */
    for (uint32_t i = 0; i < v.state->nslots; i++) {
        /* Where responses take the requests' place there are as many at most. */
        const struct fsif_shared_u32 *floor =
            fsi_is_split(v.dialect) ? &v.state->consumer.next : &v.state->producer.published;
        enum fsif_poison bad = FSIF_POISON_INDEX;
        int got;

        if (fsif_backend_reason(be))
            return -FSIF_EPROTO;
        got = fsi_consumer_peek(&v.requests, &v.state->consumer, floor, slot, v.dialect->slot_size);
        if (!got && fsi_is_split(v.dialect) && fsi_load_relaxed(&v.home->unsent))
            fsi_backend_retry_notices(be);
        if (!got) {
            fsif_backend_flush(be);
            return 0;
        }
        if (got == 1) {
            rq->id = fsi_codec_request_id(v.dialect, slot);
            bad = check_id(&v, rq->id);
            if (!bad && accept(be, &v, rq, slot))
                return 1;
        }
        if (bad)
            fsif_backend_poison(be, bad);
    }
    fsif_backend_flush(be);
    return fsif_backend_reason(be) ? -FSIF_EPROTO : 0;
}

int fsif_backend_arm(struct fsif_backend *be)
{
    struct fsi_backend_view v;

    fsi_backend_look(be, &v);
    return fsi_consumer_arm(&v.requests, &v.state->consumer);
}

void fsif_backend_fini(struct fsif_backend *be)
{
    struct fsi_backend_view v;
    struct fsif_backend_export x;
    uint32_t at = 0;
    uint32_t handle;
    uint64_t file;
    int closed;

    if (be->config_.first)
        return;
    fsi_backend_look(be, &v);
    fsi_backend_fini3(be, &v);
    while (fsi_handles_next(&v.handles, &at, &handle, &file, &closed)) {
        x = fsi_backend_export(be, v.handles.table[handle].export);
        if (x.ops)
            (void)x.ops->close(x.store, file);
        fsi_handles_free(&v.handles, handle);
    }
    fsi_store_relaxed(&v.state->open, 0);
    fsi_streams_fini(&v.streams);
}
