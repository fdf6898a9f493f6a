/* SPDX-License-Identifier: MIT */
/* The frontend engine against a backend made by hand: each call completes once, whoever ends it. */
#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include "barrier.h"
#include "rawback.h"

static const uint32_t firsts[] = {0, 0x7fffffe0, 0xffffffff - 70, 0xffffffff - 3, 0xffffffff};
#define NFIRSTS ((int)(sizeof(firsts) / sizeof(firsts[0])))

static struct rawback b;
static struct tracked t[RAW_IDS + 2];

static void expect(const struct tracked *c, int64_t value)
{
    ck_assert_uint_eq(c->done, 1);
    ck_assert_int_eq(c->call.result.value, value);
}

static int poll_once(void)
{
    return fsif_frontend_poll(&b.fe);
}

/* Submits a call of @type, whose only answer is @ret. */
static void round_trip(struct tracked *c, uint32_t type, uint64_t ret)
{
    call_init(c, type);
    back_answer(&b, call_submit(&b, c), ret);
    ck_assert_int_eq(poll_once(), 1);
    ck_assert_uint_eq(c->done, 1);
}

/* That no id was lost: as many calls as there may be, and not one more. */
static void check_all_free(void)
{
    uint32_t n = fsif_frontend_max_calls(&b.fe);

    ck_assert_uint_eq(fsif_frontend_quarantined(&b.fe), 0);
    for (uint32_t i = 0; i < n; i++) {
        call_init(&t[i], FSIF_OP_SYNC);
        back_answer(&b, call_submit(&b, &t[i]), 0);
    }
    call_init(&t[n], FSIF_OP_SYNC);
    ck_assert_int_eq(fsif_frontend_submit(&b.fe, &t[n].call), -FSIF_EAGAIN);
    ck_assert_int_eq(poll_once(), (int)n);
    ck_assert_uint_eq(t[n].done, 0);
}

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
    REFUSED(c.dialect = 2);
    REFUSED(c.ring_pages = 0);
    REFUSED(c.ring_pages = 2);
    REFUSED(c.npages = 0);
#define MISSING(member)                                                                            \
    do {                                                                                           \
        c = good;                                                                                  \
        c.member = NULL;                                                                           \
        ck_assert_int_eq(fsif_frontend_init(&b.fe, &c, state, calls), -FSIF_EINVAL);               \
    } while (0)
    MISSING(ring);
    MISSING(pages);
    MISSING(grefs);
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
    check_all_free();
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
    check_all_free();
    check_all_free();
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
    } next[] = {{FSIF_OP_WRITE, 10, 10}, {FSIF_OP_READ, 10, 10}, {FSIF_OP_OPEN, 0, 5},
                {FSIF_OP_STAT, 0, 48},   {FSIF_OP_SYNC, 0, 0},   {FSIF_OP_WRITE, 0, 0},
                {FSIF_OP_RENAME, 0, 21}};
    const struct fsif_wire1_request *slot;
    const unsigned char *page;

    back_begin(&b, 0, 1);
    page = back_page(&b, 0);
    for (size_t i = 0; i < sizeof(next) / sizeof(next[0]); i++) {
        memset(b.mem.page[0] + 64, 0xa5, RAW_IDS * FSIF_WIRE1_SLOT);
        call_init(&t[0], FSIF_OP_WRITE);
        memset(t[0].buffer, 's', FSIF_PAGE_SIZE);
        back_answer(&b, call_submit(&b, &t[0]), FSIF_PAGE_SIZE);
        ck_assert_int_eq(poll_once(), 1);
        memset(b.mem.page[0] + 64, 0xa5, RAW_IDS * FSIF_WIRE1_SLOT);
        call_init(&t[0], next[i].type);
        t[0].call.op.length = next[i].length;
        call_submit(&b, &t[0]);
        for (size_t at = next[i].used; at < FSIF_PAGE_SIZE; at++)
            ck_assert_uint_eq(page[at], 0);
        slot = (const void *)(b.mem.page[0] + 64 + (b.taken - 1) % RAW_IDS * FSIF_WIRE1_SLOT);
        ck_assert_uint_eq(slot->pad0, 0);
        ck_assert_uint_eq(slot->pad1, 0);
        if (next[i].type == FSIF_OP_SYNC)
            for (size_t at = 12; at < FSIF_WIRE1_SLOT; at++)
                ck_assert_uint_eq(((const unsigned char *)slot)[at], 0);
        back_answer(&b, 0, 0);
        if (next[i].type == FSIF_OP_STAT) {
            struct fsif_wire1_attr attr = {.mode = 0100644};

            memcpy(back_page(&b, 0), &attr, sizeof(attr));
        }
        ck_assert_int_eq(poll_once(), 1);
    }
    back_end(&b);
}
END_TEST

/* --- completion --- */

START_TEST(results)
{
    struct fsif_wire1_attr attr = {.mode = 0040755, .uid = 3, .size = 9, .mtime = -1};

    back_begin(&b, 0, 1);
    round_trip(&t[0], FSIF_OP_OPEN, 12);
    expect(&t[0], 12);
    memcpy(back_page(&b, 0), "file data", 9);
    round_trip(&t[0], FSIF_OP_READ, 4);
    expect(&t[0], 4);
    ck_assert_mem_eq(t[0].buffer, "file\0", 5);
    memcpy(back_page(&b, 0), &attr, sizeof(attr));
    round_trip(&t[0], FSIF_OP_STAT, 0);
    expect(&t[0], 0);
    ck_assert_uint_eq(t[0].call.result.attr.mode, 0040755);
    ck_assert_int_eq(t[0].call.result.attr.mtime, -1);
    call_init(&t[0], FSIF_OP_LIST);
    call_submit(&b, &t[0]);
    memcpy(back_page(&b, 0), ".\0..\0x", 7);
    back_answer(&b, 0, 3 | UINT64_C(1) << FSIF_WIRE1_LIST_MORE_SHIFT);
    ck_assert_int_eq(poll_once(), 1);
    expect(&t[0], 3);
    ck_assert_uint_eq(t[0].call.result.more, 1);
    ck_assert_uint_eq(t[0].call.result.used, 7);
    ck_assert_mem_eq(t[0].buffer, ".\0..\0x", 7);
    round_trip(&t[0], FSIF_OP_REMOVE, (uint64_t)-FSIF_ENOTEMPTY);
    expect(&t[0], -FSIF_ENOTEMPTY);
    ck_assert_int_eq(poll_once(), 0);
    ck_assert_int_eq(fsif_frontend_dead(&b.fe), 0);
    ck_assert_int_eq(fsif_frontend_reason(&b.fe), FSIF_POISON_NONE);
    back_end(&b);

    back_config(&b, 0, 1);
    b.config.features = 0; /* -1 is an error without a number */
    back_start(&b);
    round_trip(&t[0], FSIF_OP_REMOVE, UINT64_MAX);
    expect(&t[0], -FSIF_EIO);
    back_end(&b);
}
END_TEST

START_TEST(any_order)
{
    uint32_t id[RAW_IDS];

    back_begin(&b, firsts[_i], RAW_IDS);
    for (uint32_t i = 0; i < RAW_IDS; i++) {
        call_init(&t[i], FSIF_OP_OPEN);
        id[i] = call_submit(&b, &t[i]);
    }
    for (uint32_t i = 0; i < RAW_IDS; i++) {
        uint32_t at = i * 37 % RAW_IDS;

        back_answer(&b, id[at], at);
        ck_assert_uint_eq(t[at].done, 0);
        if (i & 1)
            ck_assert_int_eq(poll_once(), 2);
    }
    for (uint32_t i = 0; i < RAW_IDS; i++)
        expect(&t[i], i);
    check_all_free();
    back_end(&b);
}
END_TEST

START_TEST(wrap)
{
    back_begin(&b, firsts[_i], 7);
    for (uint32_t i = 0; i < 300; i++) {
        round_trip(&t[0], FSIF_OP_OPEN, i);
        expect(&t[0], i);
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
    ck_assert_int_eq(poll_once(), 1);
    ck_assert_int_eq(back_take(&b, &rq), 1);
    back_answer(&b, rq.id, 0);
    ck_assert_int_eq(poll_once(), 1);
    ck_assert_int_eq(back_take(&b, &rq), 1);
    back_answer(&b, rq.id, 0);
    ck_assert_int_eq(poll_once(), 1);
    ck_assert_uint_eq(t[0].done, 3);
    ck_assert_int_eq(back_take(&b, &rq), 0);
    check_all_free();
    back_end(&b);
}
END_TEST

START_TEST(bells)
{
    uint32_t rung;

    back_begin(&b, firsts[_i], RAW_IDS);
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
    ck_assert_int_eq(poll_once(), 1);
    ck_assert_int_eq(fsif_frontend_arm(&b.fe), 0);
    ck_assert_uint_eq(b.ring->rsp_event.v_, b.answered + 1);
    b.ring->req_event.v_ = b.taken + 1;
    b.mem.notify_error = -FSIF_EPIPE; /* is watched elsewhere */
    call_init(&t[1], FSIF_OP_SYNC);
    call_submit(&b, &t[1]);
    ck_assert_uint_eq(mem_notified(&b.mem), 2);
    back_end(&b);

    back_config(&b, firsts[_i], RAW_IDS);
    b.config.transport = NULL;
    b.config.hooks = NULL;
    back_start(&b);
    round_trip(&t[0], FSIF_OP_SYNC, 0);
    fsif_frontend_shutdown(&b.fe, FSIF_POISON_TRANSPORT);
    back_end(&b);
}
END_TEST

/* A submitter that is stopped before its slot is ready: no other caller waits inside submit. */
START_TEST(stalled_submitter)
{
    struct fsif_wire1_request rq = {.type = FSIF_WIRE_SYNC, .id = 63};
    struct fsi_frontend_view v;
    uint32_t index;

    back_begin(&b, firsts[_i], 20);
    fsi_frontend_look(&b.fe, &v);
    index = fsi_producer_reserve(&v.state->producer);
    for (int i = 0; i < 20; i++) {
        call_init(&t[i], FSIF_OP_SYNC);
        ck_assert_int_eq(fsif_frontend_submit(&b.fe, &t[i].call), 0);
    }
    ck_assert_int_eq(back_take(&b, &rq), 0);
    fsi_producer_ready(&v.requests, v.ready, index, &rq);
    fsi_frontend_publish(&b.fe, &v);
    for (int i = 0; i < 21; i++)
        ck_assert_int_eq(back_take(&b, &rq), 1);
    back_end(&b);
}
END_TEST

/* --- ends before the answer --- */

START_TEST(cancel)
{
    uint32_t id;

    back_begin(&b, 0, 1);
    call_init(&t[0], FSIF_OP_READ);
    id = call_submit(&b, &t[0]);
    ck_assert_int_eq(fsif_frontend_cancel(&b.fe, &t[0].call), 0);
    expect(&t[0], -FSIF_ECANCELED);
    ck_assert_int_eq(fsif_frontend_cancel(&b.fe, &t[0].call), -FSIF_ENOENT);
    ck_assert_uint_eq(fsif_frontend_quarantined(&b.fe), 1);
    /* F8: its page may still be written to. */
    call_init(&t[1], FSIF_OP_SYNC);
    ck_assert_int_eq(fsif_frontend_submit(&b.fe, &t[1].call), -FSIF_EAGAIN);
    memset(back_page(&b, id), 'x', FSIF_PAGE_SIZE);
    back_answer(&b, id, 100);
    ck_assert_int_eq(poll_once(), 0);
    ck_assert_uint_eq(fsif_frontend_quarantined(&b.fe), 0);
    ck_assert_uint_eq(t[0].done, 1);
    ck_assert_int_eq(t[0].buffer[0], 0); /* it has been the caller's again since done */
    /* A late cancel of the old call does not hit the new one on the same id. */
    back_answer(&b, call_submit(&b, &t[1]), 0);
    ck_assert_int_eq(fsif_frontend_cancel(&b.fe, &t[0].call), -FSIF_ENOENT);
    ck_assert_int_eq(poll_once(), 1);
    expect(&t[1], 0);
    ck_assert_int_eq(fsif_frontend_cancel(&b.fe, &t[1].call), -FSIF_ENOENT);
    t[1].call.id_ = RAW_IDS; /* a call that was never submitted */
    ck_assert_int_eq(fsif_frontend_cancel(&b.fe, &t[1].call), -FSIF_ENOENT);
    check_all_free();
    back_end(&b);
}
END_TEST

/* The answer comes while another thread is between claiming the call and abandoning the id. */
START_TEST(answer_while_cancelling)
{
    struct fsi_frontend_view v;
    uint32_t id, word;

    back_begin(&b, 0, 2);
    call_init(&t[0], FSIF_OP_SYNC);
    id = call_submit(&b, &t[0]);
    fsi_frontend_look(&b.fe, &v);
    word = FSI_CALL_GENERATION(v.ids[id].word.v_);
    v.ids[id].word.v_ = word | FSI_CALL_CLAIMED;
    back_answer(&b, id, 0);
    ck_assert_int_eq(poll_once(), 0);
    ck_assert_uint_eq(v.ids[id].word.v_, word | FSI_CALL_ANSWERED);
    ck_assert_uint_eq(v.state->taking.v_, 0);
    ck_assert_uint_eq(t[0].done, 0); /* the claimer runs it */
    ck_assert_int_eq(fsif_frontend_cancel(&b.fe, &t[0].call), -FSIF_ENOENT);
    ck_assert_int_eq(fsif_frontend_expire(&b.fe, UINT64_MAX - 1, NULL), 0);
    back_answer(&b, id, 0); /* a second one is no answer */
    ck_assert_int_eq(poll_once(), -FSIF_EPROTO);
    ck_assert_int_eq(fsif_frontend_reason(&b.fe), FSIF_POISON_ID_IDLE);
    back_end(&b);
}
END_TEST

START_TEST(deadlines)
{
    static const uint64_t at[] = {0, 10, 20, UINT64_C(1) << 40, FSIF_NEVER - 1, FSIF_NEVER};
    uint64_t next = 1;
    uint32_t id[6];

    back_begin(&b, 0, 8);
    ck_assert_int_eq(fsif_frontend_expire(&b.fe, 5, &next), 0);
    ck_assert_uint_eq(next, FSIF_NEVER);
    for (int i = 0; i < 6; i++) {
        call_init(&t[i], FSIF_OP_SYNC);
        t[i].call.deadline = at[i];
        id[i] = call_submit(&b, &t[i]);
    }
    ck_assert_int_eq(fsif_frontend_expire(&b.fe, 0, &next), 1);
    expect(&t[0], -FSIF_ETIMEDOUT);
    ck_assert_uint_eq(next, 10);
    ck_assert_int_eq(fsif_frontend_expire(&b.fe, 9, &next), 0);
    ck_assert_uint_eq(next, 10);
    ck_assert_int_eq(fsif_frontend_expire(&b.fe, 20, NULL), 2); /* at it, and before */
    expect(&t[1], -FSIF_ETIMEDOUT);
    expect(&t[2], -FSIF_ETIMEDOUT);
    back_answer(&b, id[3], 0);
    ck_assert_int_eq(poll_once(), 1);
    ck_assert_int_eq(fsif_frontend_expire(&b.fe, UINT64_C(1) << 41, &next), 0);
    ck_assert_uint_eq(next, FSIF_NEVER - 1);
    ck_assert_int_eq(fsif_frontend_expire(&b.fe, FSIF_NEVER, &next), 1);
    ck_assert_uint_eq(next, FSIF_NEVER);
    ck_assert_uint_eq(t[5].done, 0);
    ck_assert_uint_eq(fsif_frontend_quarantined(&b.fe), 4);
    for (int i = 0; i < 6; i++)
        if (i != 3)
            back_answer(&b, id[i], 0);
    ck_assert_int_eq(poll_once(), 1);
    expect(&t[5], 0);
    check_all_free();
    back_end(&b);
}
END_TEST

START_TEST(shutdown)
{
    back_begin(&b, 0, 3);
    for (int i = 0; i < 3; i++) {
        call_init(&t[i], FSIF_OP_SYNC);
        back_answer(&b, call_submit(&b, &t[i]), 0);
    }
    ck_assert_int_eq(fsif_frontend_cancel(&b.fe, &t[0].call), 0);
    fsif_frontend_shutdown(&b.fe, FSIF_POISON_NONE);
    fsif_frontend_shutdown(&b.fe, FSIF_POISON_TRANSPORT); /* too late to matter */
    expect(&t[0], -FSIF_ECANCELED);
    expect(&t[1], -FSIF_EIO);
    expect(&t[2], -FSIF_EIO);
    ck_assert_int_eq(fsif_frontend_dead(&b.fe), 1);
    ck_assert_int_eq(fsif_frontend_reason(&b.fe), FSIF_POISON_NONE);
    ck_assert_uint_eq(b.poisoned, 0);
    ck_assert_int_eq(poll_once(), -FSIF_EPROTO);
    ck_assert_int_eq(fsif_frontend_cancel(&b.fe, &t[1].call), -FSIF_ENOENT);
    ck_assert_int_eq(fsif_frontend_expire(&b.fe, FSIF_NEVER, NULL), 0);
    for (int i = 0; i < 3; i++)
        ck_assert_uint_eq(t[i].done, 1);
    back_end(&b);
}
END_TEST

/* The session ends while a submit is under way: it takes the call back. */
START_TEST(shutdown_inside_submit)
{
    back_begin(&b, 0, 1);
    b.dies_at_begin = 1;
    call_init(&t[0], FSIF_OP_READ);
    ck_assert_int_eq(fsif_frontend_submit(&b.fe, &t[0].call), -FSIF_EPROTO);
    ck_assert_uint_eq(t[0].done, 0);
    ck_assert_uint_eq(b.begun, 1);
    ck_assert_uint_eq(b.ended, 1);
    ck_assert_int_eq(b.last_end.result, -FSIF_EPROTO);
    ck_assert_uint_eq(fsif_frontend_quarantined(&b.fe), 0);
    back_end(&b);
}
END_TEST

static void shut(void *arg)
{
    (void)arg;
    fsif_frontend_shutdown(&b.fe, FSIF_POISON_TRANSPORT);
}

/* ... and after the request was published: done runs, once, and submit has accepted it. */
START_TEST(shutdown_inside_notify)
{
    back_begin(&b, 0, 1);
    b.mem.on_notify = shut;
    call_init(&t[0], FSIF_OP_READ);
    ck_assert_int_eq(fsif_frontend_submit(&b.fe, &t[0].call), 0);
    expect(&t[0], -FSIF_EIO);
    ck_assert_int_eq(fsif_frontend_reason(&b.fe), FSIF_POISON_TRANSPORT);
    ck_assert_uint_eq(b.poisoned, 1);
    back_end(&b);
}
END_TEST

static void end_session(struct fsif_call *call)
{
    struct tracked *c = call->arg;

    c->done++;
    fsif_frontend_shutdown(&b.fe, FSIF_POISON_NONE);
}

START_TEST(shutdown_inside_done)
{
    back_begin(&b, 0, 2);
    for (int i = 0; i < 2; i++) {
        call_init(&t[i], FSIF_OP_SYNC);
        t[i].call.done = end_session;
        back_answer(&b, call_submit(&b, &t[i]), 0);
    }
    ck_assert_int_eq(poll_once(), -FSIF_EPROTO);
    expect(&t[0], 0);
    expect(&t[1], -FSIF_EIO);
    back_end(&b);
}
END_TEST

/* --- hostile backend --- */

/* Two calls under way, of which the first is of @type; returns its id. */
static uint32_t under_way(uint32_t type)
{
    uint32_t id;

    back_begin(&b, firsts[0], 5);
    call_init(&t[0], type);
    id = call_submit(&b, &t[0]);
    call_init(&t[1], FSIF_OP_SYNC);
    call_submit(&b, &t[1]);
    return id;
}

static void expect_poison(enum fsif_poison reason)
{
    ck_assert_int_eq(poll_once(), -FSIF_EPROTO);
    ck_assert_int_eq(poll_once(), -FSIF_EPROTO);
    ck_assert_int_eq(fsif_frontend_reason(&b.fe), reason);
    ck_assert_int_eq(fsif_frontend_dead(&b.fe), 1);
    ck_assert_uint_eq(b.poisoned, 1);
    ck_assert_int_eq(b.reason, reason);
    expect(&t[0], -FSIF_EIO);
    expect(&t[1], -FSIF_EIO);
    ck_assert_uint_eq(b.begun, b.ended);
    ck_assert_int_eq(fsif_frontend_submit(&b.fe, &t[2].call), -FSIF_EPROTO);
    back_end(&b);
}

START_TEST(F1)
{
    static const uint32_t ahead[] = {RAW_IDS + 1, 0x7fffffff, 0x80000000, UINT32_MAX};

    for (size_t i = 0; i < sizeof(ahead) / sizeof(ahead[0]); i++) {
        under_way(FSIF_OP_READ);
        b.ring->rsp_prod.v_ = b.answered + ahead[i];
        ck_assert_int_eq(fsif_frontend_arm(&b.fe), 1);
        expect_poison(FSIF_POISON_INDEX);
    }
}
END_TEST

START_TEST(F3)
{
    static const uint32_t beyond[] = {5, 6, RAW_IDS, 32768, 65535};
    uint32_t id;

    for (size_t i = 0; i < sizeof(beyond) / sizeof(beyond[0]); i++) {
        under_way(FSIF_OP_READ);
        back_answer(&b, beyond[i], 0);
        expect_poison(FSIF_POISON_ID);
    }
    under_way(FSIF_OP_READ);
    back_answer(&b, 4, 0); /* never used */
    expect_poison(FSIF_POISON_ID_IDLE);

    id = under_way(FSIF_OP_READ);
    back_answer(&b, id, 0);
    ck_assert_int_eq(poll_once(), 1);
    expect(&t[0], 0);
    call_init(&t[0], FSIF_OP_READ);
    ck_assert_uint_eq(call_submit(&b, &t[0]), id);
    ck_assert_int_eq(fsif_frontend_cancel(&b.fe, &t[0].call), 0);
    back_answer(&b, id, 0);
    back_answer(&b, id, 0); /* already answered */
    ck_assert_int_eq(poll_once(), -FSIF_EPROTO);
    expect(&t[0], -FSIF_ECANCELED);
    t[0].call.result.value = -FSIF_EIO;
    expect_poison(FSIF_POISON_ID_IDLE);
}
END_TEST

/* An answer to a request that the backend cannot have seen: still before its publisher. */
START_TEST(F3_before_it_was_sent)
{
    struct fsi_frontend_view v;

    for (int placed = 0; placed < 2; placed++) {
        under_way(FSIF_OP_READ);
        fsi_frontend_look(&b.fe, &v);
        v.state->producer.token.v_ = 1;
        call_init(&t[2], FSIF_OP_SYNC);
        ck_assert_int_eq(fsif_frontend_submit(&b.fe, &t[2].call), 0);
        v.ids[t[2].call.id_].placed.v_ = (uint32_t)placed;
        back_answer(&b, t[2].call.id_, 0);
        expect_poison(FSIF_POISON_ID_IDLE);
        expect(&t[2], -FSIF_EIO);
    }
}
END_TEST

START_TEST(F4)
{
    static const struct {
        uint32_t type;
        int64_t ret;
    } bad[] = {{FSIF_OP_READ, 4097},      {FSIF_OP_READ, INT64_MAX}, {FSIF_OP_READ, -4096},
               {FSIF_OP_WRITE, 4097},     {FSIF_OP_SYNC, 1},         {FSIF_OP_SYNC, INT64_MIN},
               {FSIF_OP_OPEN, 1LL << 31}, {FSIF_OP_CLOSE, 1},        {FSIF_OP_STAT, 1}};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        back_answer(&b, under_way(bad[i].type), (uint64_t)bad[i].ret);
        expect_poison(FSIF_POISON_RESULT);
    }
}
END_TEST

START_TEST(F5)
{
    uint32_t id = under_way(FSIF_OP_LIST);

    back_answer(&b, id, 2000); /* the page holds "path" and no more names */
    expect_poison(FSIF_POISON_LISTING);
    id = under_way(FSIF_OP_LIST);
    memcpy(back_page(&b, id), "a/b", 4);
    back_answer(&b, id, 1);
    expect_poison(FSIF_POISON_LISTING);
}
END_TEST

START_TEST(F6)
{
    struct fsif_wire1_attr attr = {.mode = 0100644, .size = -1};
    uint32_t id = under_way(FSIF_OP_STAT);

    memcpy(back_page(&b, id), &attr, sizeof(attr));
    back_answer(&b, id, 0);
    expect_poison(FSIF_POISON_ATTR);
    id = under_way(FSIF_OP_STAT); /* mode 0 is no file */
    back_answer(&b, id, 0);
    expect_poison(FSIF_POISON_ATTR);
}
END_TEST

START_TEST(hooks)
{
    back_begin(&b, 0, 2);
    memcpy(back_page(&b, 0), "data", 4);
    round_trip(&t[0], FSIF_OP_READ, 4);
    ck_assert_uint_eq(b.last_begin.op, FSIF_OP_READ);
    ck_assert_int_eq(b.last_begin.result, 0);
    ck_assert_uint_eq(b.last_begin.bytes, 0);
    ck_assert_uint_eq(b.last_end.op, FSIF_OP_READ);
    ck_assert_uint_eq(b.last_end.id, b.last_begin.id);
    ck_assert_int_eq(b.last_end.result, 4);
    ck_assert_uint_eq(b.last_end.bytes, 4);
    round_trip(&t[0], FSIF_OP_WRITE, (uint64_t)-FSIF_ENOSPC);
    ck_assert_int_eq(b.last_end.result, -FSIF_ENOSPC);
    ck_assert_uint_eq(b.last_end.bytes, 0);
    round_trip(&t[0], FSIF_OP_OPEN, 9);
    ck_assert_uint_eq(b.last_end.bytes, 0);
    round_trip(&t[0], FSIF_OP_LIST, 1); /* "path", our own, lies there */
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
    round_trip(&t[0], FSIF_OP_SYNC, 0);
    fsif_frontend_shutdown(&b.fe, FSIF_POISON_TRANSPORT);
    back_end(&b);
}
END_TEST

/* --- the state goes to another process --- */

/* Everything goes to other addresses; what was at the old ones is gone. */
static void move_state(void)
{
    size_t size = fsif_frontend_state_size(&b.config);
    void *state = malloc(size);

    ck_assert_ptr_nonnull(state);
    memcpy(state, b.state, size);
    memset(b.state, 0xdb, size);
    memset(&b.fe, 0xdb, sizeof(b.fe));
    free(b.state);
    b.state = state;
}

START_TEST(resume)
{
    struct fsif_wire1_request rq;
    struct fsi_frontend_view v;
    uint32_t answered, open, cancelled, rung;

    back_begin(&b, firsts[_i], 6);
    fsi_frontend_look(&b.fe, &v);
    for (int i = 0; i < 5; i++)
        call_init(&t[i], FSIF_OP_SYNC);
    answered = call_submit(&b, &t[0]);
    open = call_submit(&b, &t[1]);
    cancelled = call_submit(&b, &t[2]);
    fsif_frontend_cancel(&b.fe, &t[2].call);
    back_answer(&b, answered, 0);
    v.state->producer.token.v_ = 1; /* died while it published */
    ck_assert_int_eq(fsif_frontend_submit(&b.fe, &t[3].call), 0);
    ck_assert_int_eq(fsif_frontend_submit(&b.fe, &t[4].call), 0);
    /* Another died between reserving its index and noting it, one between noting and filling. */
    v.ids[t[3].call.id_].placed.v_ = 0;
    v.ready[(firsts[_i] + 3) % RAW_IDS].v_ -= RAW_IDS;
    v.ready[(firsts[_i] + 4) % RAW_IDS].v_ -= RAW_IDS;
    move_state();
    rung = mem_notified(&b.mem);
    ck_assert_int_eq(fsif_frontend_resume(&b.fe, &b.config, b.state, b.calls), 0);
    ck_assert_uint_gt(mem_notified(&b.mem), rung);
    ck_assert_uint_eq(fsif_frontend_quarantined(&b.fe), 5);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(back_take(&b, &rq), 1);
        ck_assert_uint_eq(rq.type, FSIF_WIRE_SYNC);
        back_answer(&b, rq.id, 0);
    }
    ck_assert_int_eq(back_take(&b, &rq), 0);
    call_init(&t[5], FSIF_OP_SYNC);
    back_answer(&b, call_submit(&b, &t[5]), 0);
    back_answer(&b, open, 0);
    back_answer(&b, cancelled, 0);
    ck_assert_int_eq(poll_once(), 1); /* the others' calls are gone with their process */
    ck_assert_uint_eq(t[0].done + t[1].done + t[3].done + t[4].done, 0);
    check_all_free();
    back_end(&b);
}
END_TEST

/* It died while it took a response: the index is taken, the id free. */
START_TEST(resume_while_taking)
{
    struct fsi_frontend_view v;
    uint32_t id;

    for (int taken = 0; taken < 2; taken++) {
        back_begin(&b, firsts[_i], 2);
        fsi_frontend_look(&b.fe, &v);
        call_init(&t[0], FSIF_OP_SYNC);
        id = call_submit(&b, &t[0]);
        back_answer(&b, id, 0);
        v.state->taking_index = firsts[_i];
        v.state->taking.v_ = id + 1;
        v.state->consumer.next.v_ += (uint32_t)taken;
        v.state->polling.v_ = 1;
        move_state();
        ck_assert_int_eq(fsif_frontend_resume(&b.fe, &b.config, b.state, b.calls), 0);
        ck_assert_uint_eq(fsif_frontend_quarantined(&b.fe), 0);
        ck_assert_int_eq(poll_once(), 0);
        check_all_free();
        back_end(&b);
    }
}
END_TEST

START_TEST(resume_refusals)
{
    struct fsi_frontend_view v;
    uint32_t *word;

    back_begin(&b, 0, 4);
    word = b.state;
    for (int i = 0; i < 6; i++) { /* magic, version, size, dialect, nslots, nids */
        word[i] ^= 1;
        ck_assert_int_eq(fsif_frontend_resume(&b.fe, &b.config, b.state, b.calls), -FSIF_EINVAL);
        word[i] ^= 1;
    }
    b.config.npages = 3;
    ck_assert_int_eq(fsif_frontend_resume(&b.fe, &b.config, b.state, b.calls), -FSIF_EINVAL);
    b.config.npages = 4;
    b.config.transport = NULL;
    ck_assert_int_eq(fsif_frontend_resume(&b.fe, &b.config, b.state, b.calls), 0);
    /* An index that no id can have reserved. */
    fsi_frontend_look(&b.fe, &v);
    fsi_producer_reserve(&v.state->producer);
    ck_assert_int_eq(fsif_frontend_resume(&b.fe, &b.config, b.state, b.calls), -FSIF_EINVAL);
    back_end(&b);
}
END_TEST

static void some_life(void)
{
    back_begin(&b, 5, 9);
    for (int i = 0; i < 9; i++) {
        call_init(&t[i], 1 + (uint32_t)i);
        call_submit(&b, &t[i]);
    }
    fsif_frontend_cancel(&b.fe, &t[3].call);
    back_answer(&b, 0, 3);
    back_answer(&b, 3, 0);
    ck_assert_int_eq(poll_once(), 1);
}

/* The same life at other addresses leaves the same bytes: there are no pointers among them. */
START_TEST(state_holds_no_pointers)
{
    static unsigned char image[65536];
    struct rawback before;
    size_t size;

    some_life();
    size = fsif_frontend_state_size(&b.config);
    ck_assert_uint_le(size, sizeof(image));
    memcpy(image, b.state, size);
    before = b; /* is kept, so that nothing gets its addresses */
    some_life();
    ck_assert_ptr_ne(b.state, before.state);
    ck_assert_mem_eq(b.state, image, size);
    back_end(&b);
    back_end(&before);
}
END_TEST

/* --- threads: whoever ends a call, it ends once --- */

#define CALLERS 3
#define ROUNDS 4000

struct caller {
    pthread_t thread;
    struct tracked c[4];
    uint64_t accepted;
    uint64_t completed;
    uint32_t seed;
};

static struct caller callers[CALLERS];
static struct fsif_shared_u32 callers_left;
static struct fsif_shared_u32 double_done;

static void done_once(struct fsif_call *call)
{
    struct tracked *c = call->arg;

    if (__atomic_fetch_add(&c->done, 1, __ATOMIC_SEQ_CST))
        fsi_store_seq(&double_done, 1);
}

static int is_done(struct tracked *c)
{
    return __atomic_load_n(&c->done, __ATOMIC_SEQ_CST) != 0;
}

static void *caller_main(void *arg)
{
    struct caller *me = arg;

    for (uint32_t i = 0; i < ROUNDS; i++) {
        struct tracked *c = &me->c[i % 4];
        int err;

        me->seed = me->seed * 1664525u + 1013904223u;
        c->done = 0;
        c->call.deadline = me->seed & 0x10000 ? i : FSIF_NEVER;
        err = fsif_frontend_submit(&b.fe, &c->call);
        if (err == -FSIF_EPROTO)
            break;
        if (err == -FSIF_EAGAIN) {
            sched_yield();
            continue;
        }
        me->accepted++;
        if (me->seed & 0x60000)
            fsif_frontend_cancel(&b.fe, &c->call);
        while (!is_done(c))
            sched_yield();
        me->completed++;
    }
    fsi_fetch_add(&callers_left, UINT32_MAX);
    return NULL;
}

static void *answerer(void *arg)
{
    struct fsif_wire1_request rq;

    (void)arg;
    while (fsi_load_seq(&callers_left)) {
        if (back_take(&b, &rq))
            back_answer(&b, rq.id, 0);
        else
            sched_yield();
    }
    return NULL;
}

static void *shutter(void *arg)
{
    (void)arg;
    fsif_frontend_shutdown(&b.fe, FSIF_POISON_NONE);
    return NULL;
}

static void start_callers(void)
{
    back_config(&b, 0xffffffff - 500, 5);
    b.config.hooks = NULL;
    back_start(&b);
    memset(callers, 0, sizeof(callers));
    callers_left.v_ = CALLERS;
    double_done.v_ = 0;
    for (uint32_t i = 0; i < CALLERS; i++) {
        callers[i].seed = i + 1;
        for (int k = 0; k < 4; k++) {
            call_init(&callers[i].c[k], FSIF_OP_SYNC);
            callers[i].c[k].call.done = done_once;
        }
        ck_assert_int_eq(pthread_create(&callers[i].thread, NULL, caller_main, &callers[i]), 0);
    }
}

/* Submits, cancels, deadlines, responses and (loop 1) two shutdowns at any moment. */
START_TEST(exactly_once)
{
    pthread_t back, shut_thread;
    uint64_t now = 0;

    start_callers();
    ck_assert_int_eq(pthread_create(&back, NULL, answerer, NULL), 0);
    while (fsi_load_seq(&callers_left)) {
        int err = fsif_frontend_poll(&b.fe);

        if (!_i)
            ck_assert_int_ge(err, 0);
        fsif_frontend_expire(&b.fe, now++, NULL);
        if (_i && now == 3000) {
            ck_assert_int_eq(pthread_create(&shut_thread, NULL, shutter, NULL), 0);
            fsif_frontend_shutdown(&b.fe, FSIF_POISON_NONE);
            pthread_join(shut_thread, NULL);
        }
        if (err <= 0)
            sched_yield();
    }
    pthread_join(back, NULL);
    for (int i = 0; i < CALLERS; i++) {
        pthread_join(callers[i].thread, NULL);
        ck_assert_uint_eq(callers[i].accepted, callers[i].completed);
    }
    ck_assert_uint_eq(double_done.v_, 0);
    if (!_i) {
        struct fsif_wire1_request rq;

        while (back_take(&b, &rq))
            back_answer(&b, rq.id, 0);
        ck_assert_int_eq(poll_once(), 0);
        check_all_free();
    }
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

static TCase *end_cases(void)
{
    TCase *tc = tcase_create("end");

    tcase_add_test(tc, cancel);
    tcase_add_test(tc, answer_while_cancelling);
    tcase_add_test(tc, deadlines);
    tcase_add_test(tc, shutdown);
    tcase_add_test(tc, shutdown_inside_submit);
    tcase_add_test(tc, shutdown_inside_notify);
    tcase_add_test(tc, shutdown_inside_done);
    return tc;
}

static TCase *hostile_cases(void)
{
    TCase *tc = tcase_create("hostile");

    tcase_add_test(tc, F1);
    tcase_add_test(tc, F3);
    tcase_add_test(tc, F3_before_it_was_sent);
    tcase_add_test(tc, F4);
    tcase_add_test(tc, F5);
    tcase_add_test(tc, F6);
    return tc;
}

static TCase *resume_cases(void)
{
    TCase *tc = tcase_create("resume");

    tcase_add_loop_test(tc, resume, 0, NFIRSTS);
    tcase_add_loop_test(tc, resume_while_taking, 0, NFIRSTS);
    tcase_add_test(tc, resume_refusals);
    tcase_add_test(tc, state_holds_no_pointers);
    return tc;
}

int main(void)
{
    Suite *s = suite_create("frontend");
    TCase *threads = tcase_create("threads");
    SRunner *r;
    int failed;

    tcase_set_timeout(threads, 100);
    tcase_add_loop_test(threads, exactly_once, 0, 2);
    suite_add_tcase(s, submit_cases());
    suite_add_tcase(s, end_cases());
    suite_add_tcase(s, hostile_cases());
    suite_add_tcase(s, resume_cases());
    suite_add_tcase(s, threads);
    r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
