/* SPDX-License-Identifier: MIT */
/*
 * Submitting: from an operation to a slot on the ring. The stages of an id are drawn in frontend.c.
 */
#include <fsif/frontend.h>

#include "barrier.h"
#include "codec.h"
#include "freelist.h"
#include "frontend_state.h"
#include "mem.h"
#include "ring.h"

/* What an earlier call left behind this one's bytes is nobody's business. (In the arena lies
 * nothing but what was meant for the backend.) */
static void clear_behind(struct fsi_frontend_id *e, uint8_t *page, uint32_t used)
{
    if (e->dirty > used)
        fsi_memset(page + used, 0, e->dirty - used);
    e->dirty = used;
}

/* Handles as the backend knows them */
static void untag(const struct fsif_frontend *fe, const struct fsi_frontend_view *v,
                  struct fsif_op *op)
{
    uint32_t used = fsi_codec_handles(v->dialect, op);

    if (used & 1)
        op->handle -= fe->config_.handle_tag;
    if (used & 2)
        op->handle2 -= fe->config_.handle_tag;
}

/* Put the operands into the id's own copy of the slot and its shared memory. */
static int prepare(const struct fsif_frontend *fe, const struct fsi_frontend_view *v, uint32_t id,
                   const struct fsif_call *call)
{
    struct fsi_frontend_id *e = &v->ids[id];
    const uint32_t *where = e->grefs;
    struct fsif_op op = call->op;
    uint32_t serial = 0;
    uint32_t used;

    untag(fe, v, &op);
    if (fsi_is_split(v->dialect)) {
        uint32_t size = v->dialect->part_size(&op);

        if (size && fsif_arena_get(fe->config_.arena, size, &e->part))
            return -FSIF_EAGAIN;
        where = &e->part.at;
        serial = fsi_fetch_add(&v->state->serial, 1);
    }
    used = fsi_codec_encode_request(v->dialect, &op, id, serial, where, e->slot,
                                    fsi_frontend_pages_of(fe, v, id));
    if (!fsi_is_split(v->dialect))
        clear_behind(e, fsi_frontend_pages_of(fe, v, id), used);
    fsi_store_relaxed(&e->placed, 0);
    fsi_store_relaxed(&e->deadline_low, (uint32_t)call->deadline);
    fsi_store_relaxed(&e->deadline_high, (uint32_t)(call->deadline >> 32));
    return 0;
}

static void put_on_ring(const struct fsif_frontend *fe, const struct fsi_frontend_view *v,
                        uint32_t id, int later)
{
    struct fsi_frontend_id *e = &v->ids[id];
    uint8_t slot[FSI_SLOT_MAX];
    uint32_t index;

    /* Once the index is reserved the slot goes out; the id cannot be reused before its answer. */
    fsi_memcpy(slot, e->slot, sizeof(slot));
    index = fsi_producer_reserve(&v->state->producer);
    e->index = index;
    fsi_store_release(&e->placed, 1);
    fsi_producer_ready(&v->requests, v->ready, index, slot, v->dialect->slot_size);
    if (!fsi_producer_publish(&v->requests, &v->state->producer, v->ready))
        return;
    if (later)
        fsi_store_seq(&v->state->owed, 1);
    else
        fsi_frontend_ring_bell(fe);
}

/* What this session can carry. A backend of dialect 2 that knows no error numbers may be an old
 * one, and those end themselves over a read or write of nothing. */
static int check_op(const struct fsif_frontend *fe, const struct fsi_frontend_view *v,
                    const struct fsif_op *op)
{
    uint32_t tag = fe->config_.handle_tag;
    uint32_t used;
    int err = fsi_codec_check_op(v->dialect, op);

    if (err)
        return err;
    used = tag ? fsi_codec_handles(v->dialect, op) : 0;
    if ((used & 1 && op->handle / FSIF_HANDLE_TAG * FSIF_HANDLE_TAG != tag) ||
        (used & 2 && op->handle2 / FSIF_HANDLE_TAG * FSIF_HANDLE_TAG != tag))
        return -FSIF_ESTALE;
    if (fsi_codec_moves_data(v->dialect, op->type)) {
        if (op->length > fsif_frontend_max_io(fe))
            return -FSIF_EINVAL;
        if (!op->length && v->dialect->number == 2 && !(fe->config_.features & FSIF_FEATURE_ERRNO))
            return -FSIF_EINVAL;
    }
    return 0;
}

/* Take back a call that nobody else has seen, or has claimed. */
static int take_back(const struct fsif_frontend *fe, const struct fsi_frontend_view *v,
                     struct fsif_call *call, uint32_t id, uint32_t word)
{
    fsi_memset(&call->result, 0, sizeof(call->result));
    call->result.value = -FSIF_EPROTO;
    fsi_frontend_report(fe, id, call, 0);
    fsi_frontend_free_id(fe, v, id, word);
    return -FSIF_EPROTO;
}

static int submit(struct fsif_frontend *fe, struct fsif_call *call, int later)
{
    struct fsi_frontend_view v;
    uint32_t id;
    uint32_t word;
    int err;

    fsi_frontend_look(fe, &v);
    if (fsif_frontend_dead(fe))
        return -FSIF_EPROTO;
    err = check_op(fe, &v, &call->op);
    if (err)
        return err;
    if (!fsi_freelist_get(&v.state->free, v.freewords, &id))
        return -FSIF_EAGAIN;
    word = fsi_load_relaxed(&v.ids[id].word) & ~7u;
    fsi_store_relaxed(&v.ids[id].word, word | FSI_CALL_BUSY);
    err = prepare(fe, &v, id, call);
    if (err) {
        fsi_frontend_free_id(fe, &v, id, word);
        return err;
    }
    call->id_ = id;
    call->ticket_ = word;
    fe->calls_[id] = call;
    fsi_frontend_report(fe, id, call, 1);
    fsi_store_seq(&v.ids[id].word, word | FSI_CALL_INFLIGHT);
    if (fsif_frontend_dead(fe) && fsi_frontend_claim(&v, id, word | FSI_CALL_INFLIGHT))
        return take_back(fe, &v, call, id, word);
    put_on_ring(fe, &v, id, later);
    return 0;
}

int fsif_frontend_submit(struct fsif_frontend *fe, struct fsif_call *call)
{
    return submit(fe, call, 0);
}

int fsif_frontend_queue(struct fsif_frontend *fe, struct fsif_call *call)
{
    return submit(fe, call, 1);
}
