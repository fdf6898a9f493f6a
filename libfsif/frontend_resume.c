/* SPDX-License-Identifier: MIT */
/*
 * Going on with the state of a process that died at any instruction. Its calls are gone; what it
 * put on the ring, or was about to, is still answered by the backend, so those ids and pages stay
 * out of use until then. An index that was reserved must be filled, or nothing behind it is ever
 * published: the id's own copy of its slot is kept for that.
 */
#include <fsif/frontend.h>

#include "barrier.h"
#include "frontend_state.h"
#include "mem.h"

/* The id whose request belongs into @index, which a dead process reserved and did not fill. */
static struct fsi_frontend_id *owner_of_hole(const struct fsi_frontend_view *v, uint32_t index)
{
    struct fsi_frontend_id *unplaced = NULL;

    for (uint32_t i = 0; i < v->state->nids; i++) {
        struct fsi_frontend_id *e = &v->ids[i];
        enum fsi_frontend_stage stage = FSI_CALL_STAGE(fsi_load_relaxed(&e->word));

        if (stage != FSI_CALL_INFLIGHT && stage != FSI_CALL_CLAIMED && stage != FSI_CALL_ABANDONED)
            continue;
        if (!fsi_load_relaxed(&e->placed))
            unplaced = e;
        else if (e->index == index)
            return e;
    }
    return unplaced;
}

/* Fill the holes that a dead process left between published and reserved. */
static int recover_ring(const struct fsif_frontend *fe, const struct fsi_frontend_view *v)
{
    struct fsi_producer *p = &v->state->producer;
    uint32_t end = fsi_load_relaxed(&p->reserved);

    for (uint32_t i = fsi_load_relaxed(&p->published); i != end; i++) {
        struct fsi_frontend_id *e;

        if (fsi_load_relaxed(&v->ready[i & (v->state->nslots - 1)]) == i)
            continue;
        e = owner_of_hole(v, i);
        if (!e)
            return -FSIF_EINVAL;
        e->index = i;
        fsi_store_relaxed(&e->placed, 1);
        fsi_producer_ready(&v->requests, v->ready, i, e->slot, v->dialect->slot_size);
    }
    fsi_producer_recover(&v->requests, p);
    (void)fsi_producer_publish(&v->requests, p, v->ready);
    /* Also for what the dead process published: it may not have come to ring. */
    if (fe->config_.transport)
        (void)fe->config_.transport->notify(fe->config_.session, fe->config_.queue);
    return 0;
}

/* Its calls are gone: an id is free unless its request is on the ring without an answer. */
static void recover_id(const struct fsif_frontend *fe, const struct fsi_frontend_view *v,
                       uint32_t id)
{
    struct fsi_frontend_id *e = &v->ids[id];
    uint32_t word = fsi_load_relaxed(&e->word);
    enum fsi_frontend_stage stage = FSI_CALL_STAGE(word);
    uint32_t generation = FSI_CALL_GENERATION(word);

    if ((stage == FSI_CALL_INFLIGHT || stage == FSI_CALL_CLAIMED || stage == FSI_CALL_ABANDONED) &&
        fsi_load_relaxed(&e->placed)) {
        fsi_store_relaxed(&e->word, generation | FSI_CALL_ABANDONED);
        fsi_fetch_add(&v->state->quarantined, 1);
        (void)fsi_freelist_take(&v->state->free, v->freewords, id);
        return;
    }
    fsi_frontend_put_part(fe, e);
    fsi_store_relaxed(&e->word, generation + FSI_CALL_NEXT_GENERATION + FSI_CALL_FREE);
}

/* A response that was being taken is taken. */
static void recover_taking(const struct fsi_frontend_view *v)
{
    struct fsi_frontend_state *st = v->state;
    uint32_t taking = fsi_load_relaxed(&st->taking);

    if (!taking || taking > st->nids)
        return;
    if (fsi_load_relaxed(&st->consumer.next) == st->taking_index)
        fsi_consumer_take(&st->consumer);
    fsi_store_relaxed(&v->ids[taking - 1].word,
                      (fsi_load_relaxed(&v->ids[taking - 1].word) & ~7u) + FSI_CALL_FREE);
    fsi_store_relaxed(&st->taking, 0);
}

int fsif_frontend_resume(struct fsif_frontend *fe, const struct fsif_frontend_config *c,
                         void *state, void *calls)
{
    struct fsi_frontend_state *st = (struct fsi_frontend_state *)state;
    struct fsi_frontend_view v;
    int err = fsi_frontend_bind(fe, c, state, calls);

    if (err)
        return err;
    if (st->magic != FSI_FRONTEND_MAGIC || st->version != FSI_FRONTEND_VERSION ||
        st->size != fsif_frontend_state_size(c) || st->dialect != c->dialect ||
        st->nslots != fsi_frontend_slots(c) || st->nids != fsi_frontend_ids(c) ||
        st->call_pages != fsi_frontend_call_pages(c))
        return -FSIF_EINVAL;
    fsi_frontend_find(fe);
    fsi_frontend_look(fe, &v);
    err = recover_ring(fe, &v);
    if (err)
        return err;
    recover_taking(&v);
    st->consumer.seen = fsi_load_relaxed(&st->consumer.next);
    fsi_store_relaxed(&st->polling, 0);
    fsi_store_relaxed(&st->quarantined, 0);
    fsi_freelist_init(&st->free, v.freewords, st->nids);
    for (uint32_t i = 0; i < st->nids; i++)
        recover_id(fe, &v, i);
    return 0;
}
