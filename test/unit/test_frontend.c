/* SPDX-License-Identifier: MIT */
/* The frontend engine against a backend made by hand: submit, what is on the
 * wire, completion. */
#include <check.h>
#include <string.h>
#include "barrier.h"
#include "rawback.h"
#include "suite.h"

static struct rawback b;
static struct tracked t[RAW_IDS + 2];

START_TEST(refusals)
{
    static uint64_t state[4096];
    static struct fsif_call *calls[RAW_IDS];
    struct fsif_frontend_config good, c;

    back_config(&b, 0, RAW_IDS);
    good = b.config;
#define REFUSED(change)                                                                            \
    do {                                                                                           \
        c = good;                                                                                  \
        change;                                                                                    \
        ck_assert_uint_eq(fsif_frontend_state_size(&c), 0);                                        \
        ck_assert_uint_eq(fsif_frontend_calls_size(&c), 0);                                        \
        ck_assert_int_eq(fsif_frontend_init(&b.fe, &c, state, calls), -FSIF_EINVAL);               \
        ck_assert_int_eq(fsif_frontend_resume(&b.fe, &c, state, calls), -FSIF_EINVAL);             \
    } while (0)
    REFUSED(c.size = sizeof(c) - 1);
    REFUSED(c.dialect = 0);
    REFUSED(c.dialect = 3);
    REFUSED(c.ring_pages = 0);
    REFUSED((c.dialect = 1, c.ring_pages = 2));
    REFUSED(c.npages = 0);
    REFUSED((c.dialect = 1, c.npages = 64, c.pages_per_call = 2));
    REFUSED((c.dialect = 2, c.ring_pages = 17));
    REFUSED((c.dialect = 2, c.pages_per_call = 7, c.npages = 70));
    REFUSED((c.dialect = 2, c.pages_per_call = 6, c.npages = 5));
#define MISSING(member)                                                                            \
    do {                                                                                           \
        c = good;                                                                                  \
        c.member = NULL;                                                                           \
        ck_assert_int_eq(fsif_frontend_init(&b.fe, &c, state, calls), -FSIF_EINVAL);               \
    } while (0)
    MISSING(ring);
    MISSING(pages);
    MISSING(grefs);
    c = good;
    c.handle_tag = 1;
    ck_assert_int_eq(fsif_frontend_init(&b.fe, &c, state, calls), -FSIF_EINVAL);
    c.handle_tag = UINT32_MAX - FSIF_HANDLE_TAG + 1;
    ck_assert_int_eq(fsif_frontend_init(&b.fe, &c, state, calls), -FSIF_EINVAL);
    ck_assert_int_eq(fsif_frontend_init(&b.fe, &good, NULL, calls), -FSIF_EINVAL);
    ck_assert_int_eq(fsif_frontend_init(&b.fe, &good, state, NULL), -FSIF_EINVAL);
    b.config.npages = UINT32_MAX; /* more than slots are of no use */
    back_start(&b);
    ck_assert_uint_eq(fsif_frontend_max_calls(&b.fe), RAW_IDS);
    ck_assert_uint_eq(fsif_frontend_max_io(&b.fe), FSIF_PAGE_SIZE);
    back_end(&b);
}
END_TEST

/* --- submit --- */

START_TEST(submit_refuses)
{
    static char long_name[FSIF_PAGE_SIZE + 1];
    uint32_t types[] = {FSIF_OP_NONE, FSIF_OP_COUNT, UINT32_MAX};
    struct fsif_wire1_request rq;

    back_begin(&b, 0, 3);
    memset(long_name, 'n', FSIF_PAGE_SIZE);
#define REFUSE(type, error, change)                                                                \
    do {                                                                                           \
        call_init(&t[0], type);                                                                    \
        change;                                                                                    \
        ck_assert_int_eq(fsif_frontend_submit(&b.fe, &t[0].call), error);                          \
        ck_assert_uint_eq(t[0].done, 0);                                                           \
    } while (0)
    for (int i = 0; i < 3; i++)
        REFUSE(types[i], -FSIF_ENOSYS, );
    REFUSE(FSIF_OP_READ, -FSIF_EINVAL, t[0].call.op.length = FSIF_PAGE_SIZE + 1);
    REFUSE(FSIF_OP_WRITE, -FSIF_EINVAL, t[0].call.op.length = UINT64_MAX);
    REFUSE(FSIF_OP_READ, -FSIF_EINVAL, t[0].call.op.offset = INT64_MAX);
    REFUSE(FSIF_OP_READ, -FSIF_EINVAL, t[0].call.op.buffer = NULL);
    REFUSE(FSIF_OP_WRITE, -FSIF_EINVAL, t[0].call.op.data = NULL);
    REFUSE(FSIF_OP_LIST, -FSIF_EINVAL, t[0].call.op.length = FSIF_PAGE_SIZE - 1);
    REFUSE(FSIF_OP_LIST, -FSIF_EINVAL, t[0].call.op.offset = UINT64_C(1) << 32);
    REFUSE(FSIF_OP_TRUNCATE, -FSIF_EINVAL, t[0].call.op.length = UINT64_C(1) << 63);
    REFUSE(FSIF_OP_CREATE, -FSIF_EINVAL, t[0].call.op.flags = 2);
    REFUSE(FSIF_OP_OPEN, -FSIF_EINVAL, t[0].call.op.path = NULL);
    REFUSE(FSIF_OP_OPEN, -FSIF_ENOENT, t[0].call.op.path = "");
    REFUSE(FSIF_OP_OPEN, -FSIF_EACCES, t[0].call.op.path = "a/..");
    REFUSE(FSIF_OP_OPEN, -FSIF_ENAMETOOLONG, t[0].call.op.path = long_name);
    REFUSE(FSIF_OP_RENAME, -FSIF_ENAMETOOLONG, t[0].call.op.path2 = long_name + 1);
    ck_assert_int_eq(back_take(&b, &rq), 0);
    ck_assert_uint_eq(b.begun, 0);
    back_check_all_free(&b, t);
    fsif_frontend_shutdown(&b.fe, FSIF_POISON_NONE);
    REFUSE(FSIF_OP_SYNC, -FSIF_EPROTO, );
    back_end(&b);
}
END_TEST

START_TEST(no_free_id)
{
    static const uint32_t pages[] = {1, 5, 33, RAW_IDS};

    back_begin(&b, 0, pages[_i]);
    ck_assert_uint_eq(fsif_frontend_max_calls(&b.fe), pages[_i]);
    back_check_all_free(&b, t);
    back_check_all_free(&b, t);
    back_end(&b);
}
END_TEST

START_TEST(request_on_the_wire)
{
    struct fsif_wire1_request rq;

    back_begin(&b, 0, RAW_IDS);
    call_init(&t[0], FSIF_OP_WRITE);
    t[0].call.op.length = 5;
    t[0].call.op.offset = 77;
    memcpy(t[0].buffer, "hello, world", 12);
    ck_assert_int_eq(fsif_frontend_submit(&b.fe, &t[0].call), 0);
    ck_assert_int_eq(back_take(&b, &rq), 1);
    ck_assert_uint_eq(rq.type, FSIF_WIRE_WRITE);
    ck_assert_uint_lt(rq.id, RAW_IDS);
    ck_assert_uint_eq(rq.u.io.gref, 1000u + rq.id);
    ck_assert_uint_eq(rq.u.io.fd, 7);
    ck_assert_uint_eq(rq.u.io.len, 5);
    ck_assert_uint_eq(rq.u.io.offset, 77);
    ck_assert_mem_eq(back_page(&b, rq.id), "hello\0\0", 7);
    back_end(&b);
}
END_TEST

/* F9: nothing of an earlier call lies behind what this one sends or asks for. */
START_TEST(pages_and_slots_are_clean)
{
    static const struct {
        uint32_t type, length, used;
    } next[] = {{FSIF_OP_WRITE, 10, 10}, {FSIF_OP_READ, 10, 10},
                {FSIF_OP_OPEN, 0, 5},    {FSIF_OP_STAT, 0, RAW_DIALECT == 1 ? 48 : 0},
                {FSIF_OP_SYNC, 0, 0},    {FSIF_OP_WRITE, 0, 0},
                {FSIF_OP_RENAME, 0, 21}};
    const struct fsif_wire1_request *slot;
    const unsigned char *page;

    back_begin(&b, 0, 1);
    page = back_page(&b, 0);
    for (size_t i = 0; i < sizeof(next) / sizeof(next[0]); i++) {
        memset(b.mem.page[0] + 64, 0xa5, RAW_IDS * RAW_SLOT);
        call_init(&t[0], FSIF_OP_WRITE);
        memset(t[0].buffer, 's', FSIF_PAGE_SIZE);
        back_answer(&b, call_submit(&b, &t[0]), FSIF_PAGE_SIZE);
        ck_assert_int_eq(fsif_frontend_poll(&b.fe), 1);
        memset(b.mem.page[0] + 64, 0xa5, RAW_IDS * RAW_SLOT);
        call_init(&t[0], next[i].type);
        t[0].call.op.length = next[i].length;
        call_submit(&b, &t[0]);
        for (size_t at = next[i].used; at < FSIF_PAGE_SIZE; at++)
            ck_assert_uint_eq(page[at], 0);
        slot = (const void *)(b.mem.page[0] + 64 + (b.taken - 1) % RAW_IDS * RAW_SLOT);
        ck_assert_uint_eq(slot->pad0, 0);
        ck_assert_uint_eq(slot->pad1, 0);
        if (next[i].type == FSIF_OP_SYNC)
            for (size_t at = 12; at < RAW_SLOT; at++)
                ck_assert_uint_eq(((const unsigned char *)slot)[at], 0);
        if (next[i].type == FSIF_OP_STAT) {
            struct fsif_wire1_attr attr = {.mode = 0100644};

            memcpy(back_page(&b, 0), &attr, sizeof(attr));
        }
        back_answer(&b, 0, 0);
        ck_assert_int_eq(fsif_frontend_poll(&b.fe), 1);
    }
    back_end(&b);
}
END_TEST

/* --- completion --- */

START_TEST(results)
{
    struct fsif_wire1_attr attr = {.mode = 0040755, .uid = 3, .size = 9, .mtime = -1};

    back_begin(&b, 0, 1);
    call_round_trip(&b, &t[0], FSIF_OP_OPEN, 12);
    call_expect(&t[0], 12);
    memcpy(back_page(&b, 0), "file data", 9);
    call_round_trip(&b, &t[0], FSIF_OP_READ, 4);
    call_expect(&t[0], 4);
    ck_assert_mem_eq(t[0].buffer, "file\0", 5);
    call_init(&t[0], FSIF_OP_STAT);
    call_submit(&b, &t[0]);
    memcpy(back_page(&b, 0), &attr, sizeof(attr));
    back_answer(&b, 0, 0);
    ck_assert_int_eq(fsif_frontend_poll(&b.fe), 1);
    call_expect(&t[0], 0);
    ck_assert_uint_eq(t[0].call.result.attr.mode, 0040755);
    ck_assert_int_eq(t[0].call.result.attr.mtime, -1);
    call_init(&t[0], FSIF_OP_LIST);
    call_submit(&b, &t[0]);
    memcpy(back_page(&b, 0), ".\0..\0x", 7);
    back_answer(&b, 0, 3 | UINT64_C(1) << FSIF_WIRE1_LIST_MORE_SHIFT);
    ck_assert_int_eq(fsif_frontend_poll(&b.fe), 1);
    call_expect(&t[0], 3);
    ck_assert_uint_eq(t[0].call.result.more, 1);
    ck_assert_uint_eq(t[0].call.result.used, 7);
    ck_assert_mem_eq(t[0].buffer, ".\0..\0x", 7);
    call_round_trip(&b, &t[0], FSIF_OP_REMOVE, (uint64_t)-FSIF_ENOTEMPTY);
    call_expect(&t[0], -FSIF_ENOTEMPTY);
    ck_assert_int_eq(fsif_frontend_poll(&b.fe), 0);
    ck_assert_int_eq(fsif_frontend_dead(&b.fe), 0);
    ck_assert_int_eq(fsif_frontend_reason(&b.fe), FSIF_POISON_NONE);
    back_end(&b);

    back_config(&b, 0, 1);
    b.config.features = 0; /* -1 is an error without a number */
    back_start(&b);
    call_round_trip(&b, &t[0], FSIF_OP_REMOVE, UINT64_MAX);
    call_expect(&t[0], -FSIF_EIO);
    back_end(&b);
}
END_TEST

START_TEST(any_order)
{
    uint32_t id[RAW_IDS];

    back_begin(&b, first_indices[_i], RAW_IDS);
    for (uint32_t i = 0; i < RAW_IDS; i++) {
        call_init(&t[i], FSIF_OP_OPEN);
        id[i] = call_submit(&b, &t[i]);
    }
    for (uint32_t i = 0; i < RAW_IDS; i++) {
        uint32_t at = i * 37 % RAW_IDS;

        back_answer(&b, id[at], at);
        ck_assert_uint_eq(t[at].done, 0);
        if (i & 1)
            ck_assert_int_eq(fsif_frontend_poll(&b.fe), 2);
    }
    for (uint32_t i = 0; i < RAW_IDS; i++)
        call_expect(&t[i], i);
    back_check_all_free(&b, t);
    back_end(&b);
}
END_TEST

START_TEST(wrap)
{
    back_begin(&b, first_indices[_i], 7);
    for (uint32_t i = 0; i < 300; i++) {
        call_round_trip(&b, &t[0], FSIF_OP_OPEN, i);
        call_expect(&t[0], i);
    }
    back_end(&b);
}
END_TEST

static void again_and_poll(struct fsif_call *call)
{
    struct tracked *c = call->arg;

    c->done++;
    ck_assert_int_eq(fsif_frontend_poll(&b.fe), 0); /* somebody polls: we */
    ck_assert_int_eq(fsif_frontend_cancel(&b.fe, call), -FSIF_ENOENT);
    if (c->done < 3)
        ck_assert_int_eq(fsif_frontend_submit(&b.fe, call), 0);
}

/* Inside done the id is free, the call is the caller's, and the call may be used again. */
START_TEST(submit_inside_done)
{
    struct fsif_wire1_request rq;

    back_begin(&b, 0, 1);
    call_init(&t[0], FSIF_OP_SYNC);
    t[0].call.done = again_and_poll;
    back_answer(&b, call_submit(&b, &t[0]), 0);
    ck_assert_int_eq(fsif_frontend_poll(&b.fe), 1);
    ck_assert_int_eq(back_take(&b, &rq), 1);
    back_answer(&b, rq.id, 0);
    ck_assert_int_eq(fsif_frontend_poll(&b.fe), 1);
    ck_assert_int_eq(back_take(&b, &rq), 1);
    back_answer(&b, rq.id, 0);
    ck_assert_int_eq(fsif_frontend_poll(&b.fe), 1);
    ck_assert_uint_eq(t[0].done, 3);
    ck_assert_int_eq(back_take(&b, &rq), 0);
    back_check_all_free(&b, t);
    back_end(&b);
}
END_TEST

START_TEST(bells)
{
    uint32_t rung;

    back_begin(&b, first_indices[_i], RAW_IDS);
    ck_assert_int_eq(fsif_frontend_arm(&b.fe), 0);
    call_init(&t[0], FSIF_OP_SYNC);
    call_submit(&b, &t[0]);
    ck_assert_uint_eq(mem_notified(&b.mem), 1); /* the first is always asked for */
    call_init(&t[1], FSIF_OP_SYNC);
    rung = call_submit(&b, &t[1]);
    ck_assert_uint_eq(mem_notified(&b.mem), 1);
    ck_assert_uint_eq(b.ring->rsp_event.v_, b.answered + 1);
    back_answer(&b, rung, 0);
    ck_assert_int_eq(fsif_frontend_arm(&b.fe), 1);
    ck_assert_int_eq(fsif_frontend_poll(&b.fe), 1);
    ck_assert_int_eq(fsif_frontend_arm(&b.fe), 0);
    ck_assert_uint_eq(b.ring->rsp_event.v_, b.answered + 1);
    b.ring->req_event.v_ = b.taken + 1;
    b.mem.notify_error = -FSIF_EPIPE; /* is watched elsewhere */
    call_init(&t[1], FSIF_OP_SYNC);
    call_submit(&b, &t[1]);
    ck_assert_uint_eq(mem_notified(&b.mem), 2);
    back_end(&b);

    back_config(&b, first_indices[_i], RAW_IDS);
    b.config.transport = NULL;
    b.config.hooks = NULL;
    back_start(&b);
    call_round_trip(&b, &t[0], FSIF_OP_SYNC, 0);
    fsif_frontend_shutdown(&b.fe, FSIF_POISON_TRANSPORT);
    back_end(&b);
}
END_TEST

/* A submitter that is stopped before its slot is ready: no other caller waits inside submit. */
START_TEST(stalled_submitter)
{
    union {
        struct fsif_wire1_request rq;
        uint8_t bytes[FSI_SLOT_MAX];
    } slot = {.rq = {.type = FSIF_WIRE_SYNC, .id = 63}};
    struct fsi_frontend_view v;
    uint32_t index;

    back_begin(&b, first_indices[_i], 20);
    fsi_frontend_look(&b.fe, &v);
    index = fsi_producer_reserve(&v.state->producer);
    for (int i = 0; i < 20; i++) {
        call_init(&t[i], FSIF_OP_SYNC);
        ck_assert_int_eq(fsif_frontend_submit(&b.fe, &t[i].call), 0);
    }
    ck_assert_int_eq(back_take(&b, &slot.rq), 0);
    fsi_producer_ready(&v.requests, v.ready, index, &slot, sizeof(slot.rq));
    fsi_frontend_publish(&b.fe, &v);
    for (int i = 0; i < 21; i++)
        ck_assert_int_eq(back_take(&b, &slot.rq), 1);
    back_end(&b);
}
END_TEST

START_TEST(hooks)
{
    back_begin(&b, 0, 2);
    memcpy(back_page(&b, 0), "data", 4);
    call_round_trip(&b, &t[0], FSIF_OP_READ, 4);
    ck_assert_uint_eq(b.last_begin.op, FSIF_OP_READ);
    ck_assert_int_eq(b.last_begin.result, 0);
    ck_assert_uint_eq(b.last_begin.bytes, 0);
    ck_assert_uint_eq(b.last_end.op, FSIF_OP_READ);
    ck_assert_uint_eq(b.last_end.id, b.last_begin.id);
    ck_assert_int_eq(b.last_end.result, 4);
    ck_assert_uint_eq(b.last_end.bytes, 4);
    call_round_trip(&b, &t[0], FSIF_OP_WRITE, (uint64_t)-FSIF_ENOSPC);
    ck_assert_int_eq(b.last_end.result, -FSIF_ENOSPC);
    ck_assert_uint_eq(b.last_end.bytes, 0);
    call_round_trip(&b, &t[0], FSIF_OP_OPEN, 9);
    ck_assert_uint_eq(b.last_end.bytes, 0);
    call_round_trip(&b, &t[0], FSIF_OP_LIST, 1); /* "path", our own, lies there */
    ck_assert_int_eq(b.last_end.result, 1);
    ck_assert_uint_eq(b.last_end.bytes, 5);
    call_init(&t[0], FSIF_OP_SYNC);
    call_submit(&b, &t[0]);
    fsif_frontend_cancel(&b.fe, &t[0].call);
    ck_assert_int_eq(b.last_end.result, -FSIF_ECANCELED);
    ck_assert_uint_eq(b.begun, 5);
    ck_assert_uint_eq(b.ended, 5);
    b.hooks.begin = NULL;
    b.hooks.end = NULL;
    b.hooks.poisoned = NULL;
    call_round_trip(&b, &t[0], FSIF_OP_SYNC, 0);
    fsif_frontend_shutdown(&b.fe, FSIF_POISON_TRANSPORT);
    back_end(&b);
}
END_TEST

static TCase *submit_cases(void)
{
    TCase *tc = tcase_create("submit");

    tcase_add_test(tc, refusals);
    tcase_add_test(tc, submit_refuses);
    tcase_add_loop_test(tc, no_free_id, 0, 4);
    tcase_add_test(tc, request_on_the_wire);
    tcase_add_test(tc, pages_and_slots_are_clean);
    tcase_add_test(tc, results);
    tcase_add_loop_test(tc, any_order, 0, NFIRSTS);
    tcase_add_loop_test(tc, wrap, 0, NFIRSTS);
    tcase_add_test(tc, submit_inside_done);
    tcase_add_loop_test(tc, bells, 0, NFIRSTS);
    tcase_add_loop_test(tc, stalled_submitter, 0, NFIRSTS);
    tcase_add_test(tc, hooks);
    return tc;
}

int main(void)
{
    Suite *s = suite_create("frontend");

    suite_add_tcase(s, submit_cases());
    return run_suite(s);
}
