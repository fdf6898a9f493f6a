/* SPDX-License-Identifier: MIT */
/*
 * The frontend engine. Each id has a word: a generation and a stage.
 *
 *            get id             operands in place           response, decoded
 *   FREE ------------> BUSY ------------------> INFLIGHT -----------------> COMPLETING --> FREE
 *    ^                                            | cancel, deadline, shutdown
 *    |                                            v
 *    |      response                           CLAIMED --- response meanwhile ---> ANSWERED --+
 *    +------------------------ ABANDONED <--------+                                           |
 *    +-----------------------------------------------------------------------------------------+
 *
 * Invariant: whoever moves the word away from INFLIGHT runs the call's done callback, so it runs
 * exactly once. An id goes back to the free list only after its response was taken off the ring:
 * never is a page reused that the backend may still write to, and at most as many requests as slots
 * are under way. The generation makes a late cancel of an earlier call miss.
 *
 * The dead word and INFLIGHT are a Dekker pair: shutdown sets dead, then sweeps; submit sets
 * INFLIGHT, then looks at dead. Either the sweep finds the call, or submit takes it back.
 */
#include <fsif/frontend.h>

#include "barrier.h"
#include "codec.h"
#include "codec3.h"
#include "freelist.h"
#include "frontend_state.h"
#include "mem.h"
#include "ring.h"

void fsi_frontend_find(struct fsif_frontend *fe)
{
    struct fsi_frontend_view v;
    struct fsi_frontend_state *st = fe->state_;

    v.dialect = fsi_dialect_find(fe->config_.dialect);
    v.state = st;
    v.ids = (struct fsi_frontend_id *)(st + 1);
    v.ready = (struct fsif_shared_u32 *)(v.ids + st->nids);
    v.freewords = v.ready + st->nslots;
    fsi_dialect_rings(v.dialect, fe->config_.ring, st->nslots, &v.requests, &v.responses);

    _Static_assert(sizeof(v) <= sizeof(fe->view_), "a view fits");
    fsi_memcpy(fe->view_, &v, sizeof(v));
}

uint32_t fsi_frontend_call_pages(const struct fsif_frontend_config *c)
{
    if (fsi_is_split(fsi_dialect_find(c->dialect)))
        return 0;
    return c->pages_per_call ? c->pages_per_call : 1;
}

/* Whether the memory for names and data makes sense. */
static int memory_fits(const struct fsif_frontend_config *c, const struct fsi_dialect *d)
{
    uint32_t pages;

    if (fsi_is_split(d))
        return c->arena && c->max_io && c->max_io <= fsif_arena_size(c->arena);
    pages = fsi_frontend_call_pages(c);
    return c->npages >= pages && pages <= d->max_io / FSIF_PAGE_SIZE;
}

uint32_t fsi_frontend_slots(const struct fsif_frontend_config *c)
{
    const struct fsi_dialect *d = fsi_dialect_find(c->dialect);
    uint32_t responses;

    if (c->size < sizeof(*c) || !d || !memory_fits(c, d))
        return 0;
    return fsi_dialect_layout(d, c->ring_pages, c->slots, &responses);
}

uint32_t fsi_frontend_ids(const struct fsif_frontend_config *c)
{
    uint32_t nslots = fsi_frontend_slots(c);
    uint32_t pages = nslots ? fsi_frontend_call_pages(c) : 0;
    uint32_t calls = pages ? c->npages / pages : nslots;

    return calls < nslots ? calls : nslots;
}

size_t fsif_frontend_state_size(const struct fsif_frontend_config *c)
{
    uint32_t nslots = fsi_frontend_slots(c);
    uint32_t nids = fsi_frontend_ids(c);

    if (!nslots)
        return 0;
    return sizeof(struct fsi_frontend_state) + (size_t)nids * sizeof(struct fsi_frontend_id) +
           ((size_t)nslots + FSI_FREELIST_WORDS(nids)) * sizeof(struct fsif_shared_u32);
}

size_t fsif_frontend_calls_size(const struct fsif_frontend_config *c)
{
    return (size_t)fsi_frontend_ids(c) * sizeof(struct fsif_call *);
}

int fsi_frontend_bind(struct fsif_frontend *fe, const struct fsif_frontend_config *c, void *state,
                      void *calls)
{
    if (!fsif_frontend_state_size(c) || !c->ring || !state || !calls)
        return -FSIF_EINVAL;
    if (fsi_frontend_call_pages(c) && (!c->pages || !c->grefs))
        return -FSIF_EINVAL;
    if (c->handle_tag % FSIF_HANDLE_TAG || c->handle_tag > INT32_MAX)
        return -FSIF_EINVAL;
    fe->config_ = *c;
    fe->state_ = (struct fsi_frontend_state *)state;
    fe->calls_ = (struct fsif_call **)calls;
    fsi_memset(calls, 0, fsif_frontend_calls_size(c));
    return 0;
}

int fsif_frontend_init(struct fsif_frontend *fe, const struct fsif_frontend_config *c, void *state,
                       void *calls)
{
    struct fsi_frontend_state *st = (struct fsi_frontend_state *)state;
    struct fsi_frontend_view v;
    int err = fsi_frontend_bind(fe, c, state, calls);

    if (err)
        return err;
    fsi_memset(state, 0, fsif_frontend_state_size(c));
    st->magic = FSI_FRONTEND_MAGIC;
    st->version = FSI_FRONTEND_VERSION;
    st->size = (uint32_t)fsif_frontend_state_size(c);
    st->dialect = c->dialect;
    st->nslots = fsi_frontend_slots(c);
    st->nids = fsi_frontend_ids(c);
    st->call_pages = fsi_frontend_call_pages(c);
    fsi_frontend_find(fe);
    fsi_frontend_look(fe, &v);
    fsi_freelist_init(&st->free, v.freewords, st->nids);
    fsi_producer_init(&st->producer, v.ready, st->nslots, c->first_index);
    fsi_consumer_init(&st->consumer, c->first_index);
    for (uint32_t i = 0; i < st->nids * st->call_pages; i++)
        v.ids[i / st->call_pages].grefs[i % st->call_pages] = c->grefs[i];
    fsi_ring_format(&v.requests, &v.responses, c->first_index);
    return 0;
}

uint32_t fsif_frontend_max_io(const struct fsif_frontend *fe)
{
    uint32_t pages = fe->state_->call_pages;

    return pages ? pages * FSIF_PAGE_SIZE : fe->config_.max_io;
}

uint32_t fsif_frontend_max_calls(const struct fsif_frontend *fe)
{
    return fe->state_->nids;
}

int fsif_frontend_dead(const struct fsif_frontend *fe)
{
    return fsi_load_seq(&fe->state_->dead) != 0;
}

enum fsif_poison fsif_frontend_reason(const struct fsif_frontend *fe)
{
    uint32_t dead = fsi_load_seq(&fe->state_->dead);

    return dead ? (enum fsif_poison)(dead - 1) : FSIF_POISON_NONE;
}

uint32_t fsif_frontend_quarantined(const struct fsif_frontend *fe)
{
    return fsi_load_relaxed(&fe->state_->quarantined);
}

void fsi_frontend_report(const struct fsif_frontend *fe, uint32_t id, const struct fsif_call *call,
                         int begin)
{
    const struct fsif_hooks *h = fe->config_.hooks;
    void (*hook)(void *, const struct fsif_event *) = h ? (begin ? h->begin : h->end) : NULL;
    struct fsif_event event;

    if (!hook)
        return;
    fsi_memset(&event, 0, sizeof(event));
    event.id = id;
    event.op = call->op.type;
    if (!begin) {
        event.result = call->result.value;
        event.bytes = fsi_codec_payload(call->op.type, &call->result);
    }
    hook(h->arg, &event);
}

void fsi_frontend_put_part(const struct fsif_frontend *fe, struct fsi_frontend_id *e)
{
    struct fsif_range part = e->part;

    if (!fsi_is_split(fsi_dialect_find(fe->config_.dialect)) || !part.len)
        return;
    e->part.len = 0;
    fsif_arena_put(fe->config_.arena, &part);
}

void fsi_frontend_free_id(const struct fsif_frontend *fe, const struct fsi_frontend_view *v,
                          uint32_t id, uint32_t word)
{
    fsi_frontend_put_part(fe, &v->ids[id]);
    fsi_store_seq(&v->ids[id].word, FSI_CALL_GENERATION(word) + FSI_CALL_NEXT_GENERATION);
    fsi_freelist_put(&v->state->free, v->freewords, id);
}

/* The same for the id whose response is being taken: a successor must find the response taken and
 * the id free, or neither, and nobody may get the id before. */
static void free_taken_id(const struct fsif_frontend *fe, const struct fsi_frontend_view *v,
                          uint32_t id, uint32_t word)
{
    fsi_frontend_put_part(fe, &v->ids[id]);
    fsi_store_seq(&v->ids[id].word, FSI_CALL_GENERATION(word) + FSI_CALL_NEXT_GENERATION);
    fsi_store_seq(&v->state->taking, 0);
    fsi_freelist_put(&v->state->free, v->freewords, id);
}

/* End the call of @id now, whose word the caller moved from FSI_CALL_INFLIGHT to FSI_CALL_CLAIMED.
 */
static void finish_early(const struct fsif_frontend *fe, const struct fsi_frontend_view *v,
                         uint32_t id, uint32_t word, int error)
{
    struct fsi_frontend_id *e = &v->ids[id];
    struct fsif_call *call = fe->calls_[id];

    fsi_memset(&call->result, 0, sizeof(call->result));
    call->result.value = error;
    fsi_fetch_add(&v->state->quarantined, 1);
    if (!fsi_cas(&e->word, FSI_CALL_GENERATION(word) | FSI_CALL_CLAIMED,
                 FSI_CALL_GENERATION(word) | FSI_CALL_ABANDONED)) {
        /* ANSWERED: the response came in between. */
        fsi_fetch_add(&v->state->quarantined, UINT32_MAX);
        fsi_frontend_free_id(fe, v, id, word);
    }
    fsi_frontend_report(fe, id, call, 0);
    call->done(call);
}

int fsi_frontend_claim(const struct fsi_frontend_view *v, uint32_t id, uint32_t word)
{
    return FSI_CALL_STAGE(word) == FSI_CALL_INFLIGHT &&
           fsi_cas(&v->ids[id].word, word, FSI_CALL_GENERATION(word) | FSI_CALL_CLAIMED);
}

/* The shared memory that belongs to an id's request; NULL: it has none. */
uint8_t *fsi_frontend_pages_of(const struct fsif_frontend *fe, const struct fsi_frontend_view *v,
                               uint32_t id)
{
    uint32_t pages = fe->state_->call_pages;

    if (pages)
        return (uint8_t *)fe->config_.pages + (size_t)id * pages * FSIF_PAGE_SIZE;
    return v->ids[id].part.len ? (uint8_t *)fsif_arena_at(fe->config_.arena, &v->ids[id].part)
                               : NULL;
}

void fsi_frontend_ring_bell(const struct fsif_frontend *fe)
{
    /* A bell that fails is a backend that is gone; that is watched elsewhere. */
    if (fe->config_.transport)
        (void)fe->config_.transport->notify(fe->config_.session, fe->config_.queue);
}

void fsi_frontend_publish(const struct fsif_frontend *fe, const struct fsi_frontend_view *v)
{
    if (fsi_producer_publish(&v->requests, &v->state->producer, v->ready))
        fsi_frontend_ring_bell(fe);
}

void fsif_frontend_flush(struct fsif_frontend *fe)
{
    if (fsi_load_relaxed(&fe->state_->owed) && fsi_cas(&fe->state_->owed, 1, 0))
        fsi_frontend_ring_bell(fe);
}

int fsif_frontend_cancel(struct fsif_frontend *fe, struct fsif_call *call)
{
    struct fsi_frontend_view v;
    uint32_t id = call->id_;
    uint32_t word = call->ticket_ | FSI_CALL_INFLIGHT;

    fsi_frontend_look(fe, &v);
    if (id >= v.state->nids || !fsi_frontend_claim(&v, id, word))
        return -FSIF_ENOENT;
    finish_early(fe, &v, id, word, -FSIF_ECANCELED);
    return 0;
}

static uint64_t deadline_of(const struct fsi_frontend_id *e)
{
    return (uint64_t)fsi_load_relaxed(&e->deadline_high) << 32 | fsi_load_relaxed(&e->deadline_low);
}

int fsif_frontend_expire(struct fsif_frontend *fe, uint64_t now, uint64_t *next)
{
    struct fsi_frontend_view v;
    uint64_t earliest = FSIF_NEVER;
    int count = 0;

    fsi_frontend_look(fe, &v);
    for (uint32_t id = 0; id < v.state->nids; id++) {
        /* The word before the deadline: if it is still the same at the claim, so is the call. */
        uint32_t word = fsi_load_acquire(&v.ids[id].word);
        uint64_t deadline = deadline_of(&v.ids[id]);

        if (FSI_CALL_STAGE(word) != FSI_CALL_INFLIGHT)
            continue;
        if (deadline > now || deadline == FSIF_NEVER) {
            earliest = deadline < earliest ? deadline : earliest;
        } else if (fsi_frontend_claim(&v, id, word)) {
            finish_early(fe, &v, id, word, -FSIF_ETIMEDOUT);
            count++;
        }
    }
    if (next)
        *next = earliest;
    return count;
}

void fsif_frontend_shutdown(struct fsif_frontend *fe, enum fsif_poison reason)
{
    struct fsi_frontend_view v;

    fsi_frontend_look(fe, &v);
    if (fsi_cas(&v.state->dead, 0, 1 + (uint32_t)reason) && reason != FSIF_POISON_NONE &&
        fe->config_.hooks && fe->config_.hooks->poisoned)
        fe->config_.hooks->poisoned(fe->config_.hooks->arg, reason);
    for (uint32_t id = 0; id < v.state->nids; id++) {
        uint32_t word = fsi_load_seq(&v.ids[id].word);

        if (fsi_frontend_claim(&v, id, word))
            finish_early(fe, &v, id, word, -FSIF_EIO);
    }
}

/* A handle that the backend gave, as the caller gets it. */
static int64_t tagged(const struct fsif_frontend *fe, const struct fsif_call *call)
{
    uint32_t tag = fe->config_.handle_tag;
    int64_t value = call->result.value;
    int gives = call->op.type == FSIF_OP_OPEN || call->op.type == FSIF_OP_EXPORT ||
                (call->op.type == FSIF_OP_CREATE && !(call->op.flags & FSIF_CREATE_DIRECTORY));

    if (!tag || !gives || value < 0)
        return value;
    return value < FSIF_HANDLE_TAG ? value + tag : -FSIF_EMFILE;
}

/* The response to @id, whose word is @word: hand the result out. */
static enum fsif_poison complete(struct fsif_frontend *fe, const struct fsi_frontend_view *v,
                                 uint32_t id, uint32_t word, const void *slot, int *ran)
{
    struct fsif_call *call = fe->calls_[id];
    enum fsif_poison bad;

    fsi_memset(&call->result, 0, sizeof(call->result));
    bad = fsi_codec_decode_response(v->dialect, &call->op, fe->config_.features, slot,
                                    fsi_frontend_pages_of(fe, v, id), &call->result);
    if (bad) {
        fsi_memset(&call->result, 0, sizeof(call->result));
        call->result.value = -FSIF_EIO;
    }
    call->result.value = tagged(fe, call);
    free_taken_id(fe, v, id, word);
    fsi_frontend_report(fe, id, call, 0);
    call->done(call);
    *ran = 1;
    return bad;
}

/* Whether an answer is due: the request is under way and the backend can have seen it. */
static int is_due(const struct fsi_frontend_view *v, uint32_t id, enum fsi_frontend_stage stage)
{
    const struct fsi_frontend_id *e = &v->ids[id];
    uint32_t published;

    if (stage != FSI_CALL_INFLIGHT && stage != FSI_CALL_CLAIMED && stage != FSI_CALL_ABANDONED)
        return 0;
    if (!fsi_load_acquire(&e->placed))
        return 0;
    published = fsi_load_relaxed(&v->state->producer.published);
    return e->index - published >= fsi_load_relaxed(&v->state->producer.reserved) - published;
}

/* Match a response to its request, whatever became of that. */
static enum fsif_poison settle(struct fsif_frontend *fe, const struct fsi_frontend_view *v,
                               uint32_t id, const void *slot, int *ran)
{
    for (;;) {
        uint32_t word = fsi_load_seq(&v->ids[id].word);
        uint32_t generation = FSI_CALL_GENERATION(word);
        enum fsi_frontend_stage stage = FSI_CALL_STAGE(word);

        if (!is_due(v, id, stage))
            return FSIF_POISON_ID_IDLE;
        if (stage == FSI_CALL_INFLIGHT) {
            if (fsi_cas(&v->ids[id].word, word, generation | FSI_CALL_COMPLETING))
                return complete(fe, v, id, word, slot, ran);
        } else if (stage == FSI_CALL_CLAIMED) { /* its claimer frees it */
            if (!fsi_cas(&v->ids[id].word, word, generation | FSI_CALL_ANSWERED))
                continue;
            fsi_store_relaxed(&v->state->taking, 0);
            return FSIF_POISON_NONE;
        } else {
            fsi_fetch_add(&v->state->quarantined, UINT32_MAX);
            free_taken_id(fe, v, id, word);
            return FSIF_POISON_NONE;
        }
    }
}

/* A notice: no id, no request. */
static enum fsif_poison take_notice(struct fsif_frontend *fe, const struct fsi_frontend_view *v,
                                    const void *slot)
{
    struct fsif_wire3_ring *ring = (struct fsif_wire3_ring *)fe->config_.ring;
    struct fsif_notice notice;
    enum fsif_poison bad = fsi_notice3_get(slot, &notice);
    uint32_t taken;

    fsi_consumer_take(&v->state->consumer);
    if (bad)
        return bad;
    taken = fsi_load_relaxed(&v->state->notices) + 1;
    fsi_store_relaxed(&v->state->notices, taken);
    fsi_put32_shared(&ring->notices_seen, taken);
    if (notice.kind && fe->config_.notice)
        fe->config_.notice(fe->config_.notice_arg, &notice);
    return FSIF_POISON_NONE;
}

/* The next response entry, or what there is in use of it. Returns as fsi_consumer_peek(). */
static int peek(const struct fsi_frontend_view *v, uint8_t *slot)
{
    struct fsi_frontend_state *st = v->state;
    uint32_t next = fsi_load_relaxed(&st->consumer.next);
    int got = fsi_consumer_peek(&v->responses, &st->consumer, &st->consumer.next, slot,
                                v->dialect->slot_size);

    if (got <= 0)
        return got;
    /* Read after the peer's index: there are no more responses than requests were published. */
    if (!fsi_is_split(v->dialect) &&
        st->consumer.seen - next > fsi_load_relaxed(&st->producer.published) - next)
        return -FSIF_EPROTO;
    if (fsi_codec_response_length(v->dialect, slot) > v->dialect->slot_size)
        fsi_consumer_rest(&v->responses, &st->consumer, v->dialect->slot_size, slot);
    return got;
}

/* Take one response. Returns 1, 0 none, or a negative error with the session dead. */
static int take_response(struct fsif_frontend *fe, const struct fsi_frontend_view *v, int *ran)
{
    struct fsi_frontend_state *st = v->state;
    uint8_t slot[FSI_RESPONSE_MAX];
    enum fsif_poison bad = FSIF_POISON_ID;
    int got = peek(v, slot);
    uint32_t id;

    if (got < 0) {
        fsif_frontend_shutdown(fe, FSIF_POISON_INDEX);
        return -FSIF_EPROTO;
    }
    if (!got)
        return 0;
    id = fsi_codec_response_id(v->dialect, slot);
    if (fsi_is_split(v->dialect) && fsi_response3_kind(slot) != FSIF_WIRE3_ANSWER) {
        bad = take_notice(fe, v, slot);
        *ran = !bad;
    } else if (id < st->nids) {
        st->taking_index = fsi_load_relaxed(&st->consumer.next);
        fsi_store_relaxed(&st->taking, id + 1);
        fsi_consumer_take(&st->consumer);
        bad = settle(fe, v, id, slot, ran);
    }
    if (!bad)
        return 1;
    fsif_frontend_shutdown(fe, bad);
    return -FSIF_EPROTO;
}

int fsif_frontend_ready(const struct fsif_frontend *fe)
{
    struct fsi_frontend_view v;

    fsi_frontend_look(fe, &v);
    return fsi_consumer_ready(&v.responses, &v.state->consumer);
}

int fsif_frontend_poll(struct fsif_frontend *fe)
{
    struct fsi_frontend_view v;
    uint32_t notices;
    int count = 0;
    int err = 1;

    fsi_frontend_look(fe, &v);
    if (fsif_frontend_dead(fe))
        return -FSIF_EPROTO;
    if (!fsi_cas(&v.state->polling, 0, 1))
        return 0;
    notices = fsi_load_relaxed(&v.state->notices);
    while (err > 0) {
        int ran = 0;

        err = take_response(fe, &v, &ran);
        count += ran;
        if (fsif_frontend_dead(fe))
            err = -FSIF_EPROTO;
    }
    /* The backend may keep notices back for want of room. */
    if (notices != fsi_load_relaxed(&v.state->notices))
        fsi_frontend_ring_bell(fe);
    fsi_store_seq(&v.state->polling, 0);
    return err < 0 ? err : count;
}

int fsif_frontend_arm(struct fsif_frontend *fe)
{
    struct fsi_frontend_view v;

    fsi_frontend_look(fe, &v);
    return fsi_consumer_arm(&v.responses, &v.state->consumer);
}
