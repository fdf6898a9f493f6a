/* SPDX-License-Identifier: MIT */
#include "rawback.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "barrier.h"
#include "ring.h"

static void on_poisoned(void *arg, enum fsif_poison reason)
{
    struct rawback *b = arg;

    b->poisoned++;
    b->reason = reason;
}

static void on_begin(void *arg, const struct fsif_event *event)
{
    struct rawback *b = arg;

    b->begun++;
    b->last_begin = *event;
    if (b->dies_at_begin)
        fsif_frontend_shutdown(&b->fe, FSIF_POISON_NONE);
}

static void on_end(void *arg, const struct fsif_event *event)
{
    struct rawback *b = arg;

    b->ended++;
    b->last_end = *event;
}

void back_config(struct rawback *b, uint32_t first_index, uint32_t npages)
{
    memset(b, 0, sizeof(*b));
    mem_open(&b->mem);
    b->ring = (struct fsif_wire_ring *)(void *)b->mem.page[0];
    b->taken = b->answered = first_index;
    for (uint32_t i = 0; i < sizeof(b->grefs) / sizeof(b->grefs[0]); i++)
        b->grefs[i] = 1000 + i;
    b->hooks = (struct fsif_hooks){sizeof(b->hooks), b, on_poisoned, on_begin, on_end};
    b->config = (struct fsif_frontend_config){
        .size = sizeof(b->config),
        .dialect = RAW_DIALECT,
        .features = FSIF_FEATURE_ERRNO,
        .ring = b->ring,
        .ring_pages = 1,
        .first_index = first_index,
        .pages = b->mem.page[1],
        .grefs = b->grefs,
        .npages = npages,
        .transport = &mem_transport,
        .session = mem_session(&b->mem),
        .hooks = &b->hooks,
    };
}

void back_start(struct rawback *b)
{
    size_t size = fsif_frontend_state_size(&b->config);
    size_t calls = fsif_frontend_calls_size(&b->config);

    ck_assert_uint_gt(size, 0);
    b->state = malloc(size);
    b->calls = malloc(calls);
    ck_assert(b->state && b->calls);
    memset(b->state, 0xdb, size);
    memset(b->calls, 0xdb, calls);
    ck_assert_int_eq(fsif_frontend_init(&b->fe, &b->config, b->state, b->calls), 0);
}

void back_begin(struct rawback *b, uint32_t first_index, uint32_t npages)
{
    back_config(b, first_index, npages);
    back_start(b);
}

void back_end(struct rawback *b)
{
    free(b->state);
    free(b->calls);
    mem_close(&b->mem);
}

unsigned char *back_page(struct rawback *b, uint32_t id)
{
    return b->mem.page[id + 1];
}

int back_take(struct rawback *b, struct fsif_wire1_request *out)
{
    struct fsi_ring r;

    if (fsi_load_acquire(&b->ring->req_prod) == b->taken)
        return 0;
    fsi_ring_requests(&r, b->ring, RAW_IDS, RAW_SLOT);
    raw_get_request(r.slots + (size_t)(b->taken++ % RAW_IDS) * RAW_SLOT, out);
    b->types[out->id] = out->type;
    return 1;
}

void back_answer(struct rawback *b, uint32_t id, uint64_t ret)
{
    const struct fsif_wire1_response rsp = {.id = (uint16_t)id, .ret = ret};
    struct fsi_ring r;

    fsi_ring_responses(&r, b->ring, RAW_IDS, RAW_SLOT);
    raw_put_response(r.slots + (size_t)(b->answered % RAW_IDS) * RAW_SLOT, b->types[rsp.id],
                     back_page(b, id % RAW_IDS), &rsp);
    fsi_store_seq(&b->ring->rsp_prod, ++b->answered);
}

static void count_done(struct fsif_call *call)
{
    struct tracked *t = call->arg;

    __atomic_fetch_add(&t->done, 1, __ATOMIC_SEQ_CST);
}

void call_init(struct tracked *t, uint32_t type)
{
    memset(t, 0, sizeof(*t));
    t->call.op = (struct fsif_op){.type = type,
                                  .handle = 7,
                                  .path = "path",
                                  .path2 = "path2",
                                  .data = t->buffer,
                                  .buffer = t->buffer};
    if (type == FSIF_OP_READ || type == FSIF_OP_WRITE || type == FSIF_OP_LIST)
        t->call.op.length = FSIF_PAGE_SIZE;
    t->call.deadline = FSIF_NEVER;
    t->call.done = count_done;
    t->call.arg = t;
    t->call.result.value = 0x5a5a;
}

uint32_t call_submit(struct rawback *b, struct tracked *t)
{
    struct fsif_wire1_request rq;

    ck_assert_int_eq(fsif_frontend_submit(&b->fe, &t->call), 0);
    ck_assert_int_eq(back_take(b, &rq), 1);
    ck_assert_uint_eq(rq.type, t->call.op.type); /* dialect 1 has the same numbers */
    return rq.id;
}

void call_expect(const struct tracked *t, int64_t value)
{
    ck_assert_uint_eq(t->done, 1);
    ck_assert_int_eq(t->call.result.value, value);
}

void call_round_trip(struct rawback *b, struct tracked *t, uint32_t type, uint64_t ret)
{
    call_init(t, type);
    back_answer(b, call_submit(b, t), ret);
    ck_assert_int_eq(fsif_frontend_poll(&b->fe), 1);
    ck_assert_uint_eq(t->done, 1);
}

void back_check_all_free(struct rawback *b, struct tracked *t)
{
    uint32_t n = fsif_frontend_max_calls(&b->fe);

    ck_assert_uint_eq(fsif_frontend_quarantined(&b->fe), 0);
    for (uint32_t i = 0; i < n; i++) {
        call_init(&t[i], FSIF_OP_SYNC);
        back_answer(b, call_submit(b, &t[i]), 0);
    }
    call_init(&t[n], FSIF_OP_SYNC);
    ck_assert_int_eq(fsif_frontend_submit(&b->fe, &t[n].call), -FSIF_EAGAIN);
    ck_assert_int_eq(fsif_frontend_poll(&b->fe), (int)n);
    ck_assert_uint_eq(t[n].done, 0);
}
