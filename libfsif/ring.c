/* SPDX-License-Identifier: MIT */
/*
 * Shared fields of one half of a ring:
 *
 *   field  written by      read by         order                  the reader may assume
 *   prod   producing side  consuming side  seq_cst store, acquire nothing: checked against nslots
 *   event  consuming side  producing side  seq_cst both           nothing: any value only costs or
 *                                                                 saves a bell
 *   slots  producing side  consuming side  by prod                nothing: copied in once
 *
 * Own indices are private; the shared copy is write-only for its owner.
 *
 * Many producers. A submitter reserves an index, fills the slot, stores the index into the slot's
 * ready word and tries to publish. Whoever takes the token moves `published` over consecutive
 * ready slots; the others leave. Invariant: a slot that is ready is published by its submitter, by
 * the token's holder, or by the one who makes the slot before it ready. The holder may miss a slot
 * that became ready after it looked and whose submitter found the token taken; so it looks again
 * after giving the token back. ready and token are both sequentially consistent: either the
 * submitter sees the token free, or the holder sees the slot ready.
 *
 * No wake-up is lost. The producer stores prod, then loads event; the consumer stores event, then
 * loads prod, all sequentially consistent. In their one total order either the consumer's load
 * comes after the producer's store and it does not sleep, or the producer's load comes after the
 * consumer's store and it rings. The bell itself counts, so one rung before the sleep wakes it.
 *
 * A ready word cannot be taken for an older one's: it holds the whole index, and an index recurs
 * only after 2^32 entries.
 */
#include "ring.h"

#include "barrier.h"
#include <fsif/error.h>

static struct fsif_wire_ring *head(void *mem)
{
    return (struct fsif_wire_ring *)mem;
}

/* An index between the ring and this machine, either way. */
static uint32_t order(const struct fsi_ring *r, uint32_t v)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return r->little ? __builtin_bswap32(v) : v;
#else
    (void)r;
    return v;
#endif
}

static void view(struct fsi_ring *r, void *mem, uint32_t nslots, uint32_t slot_size)
{
    r->slots = (volatile uint8_t *)mem + FSIF_WIRE_RING_SLOTS;
    r->nslots = nslots;
    r->slot_size = slot_size;
    r->little = 0;
}

void fsi_ring_requests(struct fsi_ring *r, void *mem, uint32_t nslots, uint32_t slot_size)
{
    view(r, mem, nslots, slot_size);
    r->prod = &head(mem)->req_prod;
    r->event = &head(mem)->req_event;
}

void fsi_ring_responses(struct fsi_ring *r, void *mem, uint32_t nslots, uint32_t slot_size)
{
    view(r, mem, nslots, slot_size);
    r->prod = &head(mem)->rsp_prod;
    r->event = &head(mem)->rsp_event;
}

void fsi_ring_split(void *mem, uint32_t nslots, struct fsi_ring *requests,
                    struct fsi_ring *responses)
{
    struct fsif_wire3_ring *h = (struct fsif_wire3_ring *)mem;
    volatile uint8_t *slots = (volatile uint8_t *)mem + FSIF_WIRE3_RING_SLOTS;

    requests->prod = &h->req_prod;
    requests->event = &h->req_event;
    requests->slots = slots;
    requests->slot_size = FSIF_WIRE3_SLOT;
    requests->nslots = nslots;
    responses->prod = &h->rsp_prod;
    responses->event = &h->rsp_event;
    responses->slots = slots + (size_t)nslots * FSIF_WIRE3_SLOT;
    responses->slot_size = FSIF_WIRE3_RESPONSE;
    responses->nslots = 2 * nslots;
    requests->little = responses->little = 1;
}

void fsi_ring_format(const struct fsi_ring *requests, const struct fsi_ring *responses,
                     uint32_t first)
{
    fsi_store_relaxed(requests->prod, order(requests, first));
    fsi_store_relaxed(responses->prod, order(responses, first));
    fsi_store_relaxed(requests->event, order(requests, first + 1));
    fsi_store_relaxed(responses->event, order(responses, first + 1));
}

static volatile uint8_t *slot_at(const struct fsi_ring *r, uint32_t index)
{
    return r->slots + (size_t)(index & (r->nslots - 1)) * r->slot_size;
}

void fsi_producer_init(struct fsi_producer *p, struct fsif_shared_u32 *ready, uint32_t nslots,
                       uint32_t first)
{
    fsi_store_relaxed(&p->reserved, first);
    fsi_store_relaxed(&p->published, first);
    fsi_store_relaxed(&p->token, 0);
    for (uint32_t i = 0; i < nslots; i++)
        fsi_store_relaxed(&ready[(first + i) & (nslots - 1)], first + i - nslots);
}

uint32_t fsi_producer_reserve(struct fsi_producer *p)
{
    return fsi_fetch_add(&p->reserved, 1);
}

void fsi_producer_ready(const struct fsi_ring *r, struct fsif_shared_u32 *ready, uint32_t index,
                        const void *slot, uint32_t len)
{
    fsi_copy_out(slot_at(r, index), slot, len);
    fsi_store_seq(&ready[index & (r->nslots - 1)], index);
}

static int is_ready(const struct fsi_ring *r, const struct fsif_shared_u32 *ready, uint32_t index)
{
    return fsi_load_seq(&ready[index & (r->nslots - 1)]) == index;
}

/* The token's holder: publish the run of ready slots. Returns whether to ring. */
static int publish_run(const struct fsi_ring *r, struct fsi_producer *p,
                       const struct fsif_shared_u32 *ready, uint32_t *published)
{
    uint32_t old = fsi_load_relaxed(&p->published);
    uint32_t now = old;

    while (now - old < r->nslots && is_ready(r, ready, now))
        now++;
    *published = now;
    if (now == old)
        return 0;
    fsi_store_relaxed(&p->published, now);
    fsi_store_seq(r->prod, order(r, now));
    return now - order(r, fsi_load_seq(r->event)) < now - old;
}

int fsi_producer_publish(const struct fsi_ring *r, struct fsi_producer *p,
                         struct fsif_shared_u32 *ready)
{
    uint32_t published;
    int ring = 0;

    while (fsi_cas(&p->token, 0, 1)) {
        ring |= publish_run(r, p, ready, &published);
        fsi_store_seq(&p->token, 0);
        if (!is_ready(r, ready, published))
            break;
    }
    return ring;
}

void fsi_producer_recover(const struct fsi_ring *r, struct fsi_producer *p)
{
    fsi_store_relaxed(&p->token, 0);
    /* It may have noted the index and not told the peer. */
    fsi_store_seq(r->prod, order(r, fsi_load_relaxed(&p->published)));
}

void fsi_consumer_init(struct fsi_consumer *c, uint32_t first)
{
    fsi_store_relaxed(&c->next, first);
    c->seen = first;
}

int fsi_consumer_peek(const struct fsi_ring *r, struct fsi_consumer *c,
                      const struct fsif_shared_u32 *floor, void *slot, uint32_t len)
{
    uint32_t next = fsi_load_relaxed(&c->next);

    if (c->seen == next) {
        uint32_t prod = order(r, fsi_load_acquire(r->prod));

        if (prod == next)
            return 0;
        if (prod - next > r->nslots || prod - fsi_load_relaxed(floor) > r->nslots)
            return -FSIF_EPROTO;
        c->seen = prod;
    }
    fsi_copy_in(slot, slot_at(r, next), len);
    return 1;
}

void fsi_consumer_rest(const struct fsi_ring *r, const struct fsi_consumer *c, uint32_t from,
                       void *slot)
{
    fsi_copy_in((char *)slot + from, slot_at(r, fsi_load_relaxed(&c->next)) + from,
                r->slot_size - from);
}

int fsi_consumer_ready(const struct fsi_ring *r, const struct fsi_consumer *c)
{
    return order(r, fsi_load_relaxed(r->prod)) != fsi_load_relaxed(&c->next);
}

void fsi_consumer_take(struct fsi_consumer *c)
{
    fsi_store_relaxed(&c->next, fsi_load_relaxed(&c->next) + 1);
}

int fsi_consumer_arm(const struct fsi_ring *r, struct fsi_consumer *c)
{
    uint32_t next = fsi_load_relaxed(&c->next);

    if (c->seen != next)
        return 1;
    fsi_store_seq(r->event, order(r, next + 1));
    return order(r, fsi_load_seq(r->prod)) != next;
}
