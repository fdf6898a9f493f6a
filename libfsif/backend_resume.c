/* SPDX-License-Identifier: MIT */
/*
 * Going on with the state of a process that died at any instruction. The stages of backend.c say
 * what each request has reached; what its threads held in registers is gone:
 *
 *  FETCHED    nobody knows whether the store did it: answered with -FSIF_EIO. If the slot had not
 *             been taken yet it is taken here.
 *  ANSWERED   the response is in the state, an index for it may have been reserved: such an index
 *             belongs to nobody else, so it gets one of those.
 *  PLACED     published, or ready and about to be, or to be copied again.
 */
#include <fsif/backend.h>

#include "backend3.h"
#include "backend_state.h"
#include "barrier.h"
#include "mem.h"

static int is_unpublished(const struct fsi_backend_view *v, uint32_t id)
{
    return fsi_load_relaxed(&v->ids[id].stage) == FSI_ID_PLACED && fsi_backend_unpublished(v, id);
}

/* An index that was reserved and belongs to no id; else a new one. */
static uint32_t index_for_answer(const struct fsi_backend_view *v)
{
    struct fsi_producer *p = &v->state->producer;
    uint32_t end = fsi_load_relaxed(&p->reserved);

    for (uint32_t i = fsi_load_relaxed(&p->published); i != end; i++) {
        uint32_t id = 0;

        /* Filled with a notice. */
        if (fsi_load_relaxed(&v->ready[i & (v->responses.nslots - 1)]) == i)
            continue;
        while (id < v->state->nslots && !(is_unpublished(v, id) && v->ids[id].index == i))
            id++;
        if (id == v->state->nslots)
            return i;
    }
    return fsi_producer_reserve(p);
}

static void recover_handles(const struct fsif_backend *be, const struct fsi_backend_view *v)
{
    uint32_t at = 0;
    uint32_t handle;
    uint64_t file;
    int closed;

    fsi_handles_recover(&v->handles);
    /* Before a closed handle is let go: a lock that waits keeps it until its own end. */
    fsi_backend_recover_locks(v);
    fsi_store_relaxed(&v->state->open, 0);
    while (fsi_handles_next(&v->handles, &at, &handle, &file, &closed)) {
        fsi_fetch_add(&v->state->open, 1);
        if (closed)
            (void)fsi_backend_let_go(be, v, handle);
    }
}

static void answer_interrupted(const struct fsif_backend *be, const struct fsi_backend_view *v,
                               uint32_t id)
{
    struct fsi_backend_id *e = &v->ids[id];
    struct fsif_result result;

    /* The fetching thread died between noting the request and taking it. */
    if (e->index == fsi_load_relaxed(&v->state->consumer.next))
        fsi_consumer_take(&v->state->consumer);
    fsi_memset(&result, 0, sizeof(result));
    result.value = -FSIF_EIO;
    fsi_codec_encode_response(v->dialect, e->type, be->config_.features, id, &result, e->answer);
    fsi_store_seq(&e->stage, FSI_ID_ANSWERED);
}

/* Returns requests that were answered here. */
static int recover_ids(const struct fsif_backend *be, const struct fsi_backend_view *v)
{
    int count = 0;

    for (uint32_t id = 0; id < v->state->nslots; id++) {
        if (is_unpublished(v, id))
            fsi_backend_place(v, id, v->ids[id].index);
    }
    for (uint32_t id = 0; id < v->state->nslots; id++) {
        uint32_t stage = fsi_load_relaxed(&v->ids[id].stage);

        if (stage == FSI_ID_FETCHED) {
            answer_interrupted(be, v, id);
            count++;
        }
        if (stage == FSI_ID_FETCHED || stage == FSI_ID_ANSWERED)
            fsi_backend_place(v, id, index_for_answer(v));
        fsi_store_relaxed(&v->ids[id].holds, 0);
    }
    return count;
}

int fsif_backend_resume(struct fsif_backend *be, const struct fsif_backend_config *c, void *state)
{
    const struct fsi_backend_state *st = (const struct fsi_backend_state *)state;
    struct fsi_backend_view v;
    uint32_t nresponses = 0;
    int err = fsi_backend_bind(be, c, state);
    int count;

    if (err)
        return err;
    if (st->magic != FSI_BACKEND_MAGIC || st->version != FSI_BACKEND_VERSION ||
        st->size != fsif_backend_state_size(c) || st->dialect != c->dialect ||
        st->nslots != fsi_backend_slots(c, &nresponses) || st->nresponses != nresponses ||
        (!c->first &&
         (st->max_streams != c->max_streams || st->max_locks != c->max_locks ||
          st->max_watches != c->max_watches || st->free_handles.count != c->max_handles)))
        return -FSIF_EINVAL;
    fsi_backend_find(be);
    fsi_backend_look(be, &v);
    v.state->consumer.seen = fsi_load_relaxed(&v.state->consumer.next);
    fsi_producer_recover(&v.responses, &v.state->producer);
    fsi_store_relaxed(&v.state->busy, 0);
    if (!c->first) {
        fsi_streams_forget(&v.streams);
        recover_handles(be, &v);
    }
    count = recover_ids(be, &v);
    if (fsi_is_split(v.dialect))
        fsi_backend_recover3(be, &v);
    v.state->consumer.seen = fsi_load_relaxed(&v.state->consumer.next);
    (void)fsi_producer_publish(&v.responses, &v.state->producer, v.ready);
    /* Also for what the dead process published: it may not have come to ring. */
    fsi_store_seq(&v.state->owed, 1);
    fsif_backend_flush(be);
    return count;
}
