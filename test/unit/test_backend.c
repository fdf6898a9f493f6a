/* SPDX-License-Identifier: MIT */
/* The backend engine against a frontend made by hand: order, limits, hostile requests, resume. */
#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include "barrier.h"
#include "rawfront.h"

static const uint32_t firsts[] = {0, 0x7fffffe0, 0xffffffff - 70, 0xffffffff - 3, 0xffffffff};
#define NFIRSTS ((int)(sizeof(firsts) / sizeof(firsts[0])))

static struct rawfront f;
static struct fsif_fetched rq[RAW_IDS];

static void send_handle(uint32_t type, uint32_t id, uint32_t handle, uint64_t len)
{
    struct fsif_wire1_request r = raw_on_handle(type, id, handle);

    if (type == FSIF_WIRE_READ || type == FSIF_WIRE_WRITE)
        r.u.io.len = len;
    raw_send(&f, &r);
}

static void expect(uint32_t id, int64_t ret)
{
    static const unsigned char zero[16];
    struct fsif_wire1_response r;

    ck_assert_int_eq(raw_receive(&f, &r), 1);
    ck_assert_uint_eq(r.id, id);
    ck_assert_int_eq((int64_t)r.ret, ret);
    /* B27 */
    ck_assert_uint_eq(r.pad0, 0);
    ck_assert_uint_eq(r.pad1, 0);
    ck_assert_mem_eq(r.unused, zero, sizeof(zero));
}

static void expect_nothing(void)
{
    struct fsif_wire1_response r;

    ck_assert_int_eq(raw_receive(&f, &r), 0);
}

static void expect_poison(enum fsif_poison reason)
{
    uint32_t answered = f.ring->rsp_prod.v_;

    ck_assert_int_eq(fsif_backend_fetch(&f.be, &rq[0]), -FSIF_EPROTO);
    ck_assert_int_eq(fsif_backend_fetch(&f.be, &rq[0]), -FSIF_EPROTO);
    ck_assert_int_eq(fsif_backend_serve(&f.be, &rq[0]), -FSIF_EPROTO);
    ck_assert_int_eq(fsif_backend_reason(&f.be), reason);
    ck_assert_uint_eq(f.poisoned, 1);
    ck_assert_int_eq(f.reason, reason);
    ck_assert_uint_eq(f.ring->rsp_prod.v_, answered);
}

START_TEST(refusals)
{
    static uint64_t state[1024 * 1024 / 8];
    struct fsif_backend_config good, c;

    raw_config(&f, 0);
    good = f.config;
#define REFUSED(change)                                                                            \
    do {                                                                                           \
        c = good;                                                                                  \
        change;                                                                                    \
        ck_assert_uint_eq(fsif_backend_state_size(&c), 0);                                         \
        ck_assert_int_eq(fsif_backend_init(&f.be, &c, state), -FSIF_EINVAL);                       \
        ck_assert_int_eq(fsif_backend_resume(&f.be, &c, state), -FSIF_EINVAL);                     \
    } while (0)
    REFUSED(c.size = sizeof(c) - 1);
    REFUSED(c.size = 0);
    REFUSED(c.max_handles = 0);
    REFUSED(c.max_handles = 65537);
    REFUSED(c.max_streams = 0);
    REFUSED(c.max_streams = 65);
    REFUSED(c.dialect = 0);
    REFUSED(c.dialect = 2);
    REFUSED(c.dialect = 3);
    REFUSED(c.dialect = UINT32_MAX);
    REFUSED(c.ring_pages = 0);
    REFUSED(c.ring_pages = 2);
    REFUSED(c.ring_pages = UINT32_MAX);
#define MISSING(member)                                                                            \
    do {                                                                                           \
        c = good;                                                                                  \
        c.member = NULL;                                                                           \
        ck_assert_int_eq(fsif_backend_init(&f.be, &c, state), -FSIF_EINVAL);                       \
    } while (0)
    MISSING(ring);
    MISSING(transport);
    MISSING(store_ops);
    ck_assert_int_eq(fsif_backend_init(&f.be, &good, NULL), -FSIF_EINVAL);
    c = good;
    c.max_handles = 65536;
    c.max_streams = 64;
    ck_assert_uint_gt(fsif_backend_state_size(&c), fsif_backend_state_size(&good));
    raw_start(&f);
    raw_end(&f);
}
END_TEST

/* --- order --- */

START_TEST(any_order)
{
    uint32_t handle;

    raw_begin(&f, firsts[_i]);
    handle = raw_open(&f);
    f.store.answer[FSIF_OP_READ] = 1;
    for (uint32_t id = 0; id < RAW_IDS; id++)
        send_handle(FSIF_WIRE_READ, id, handle, 1);
    for (uint32_t id = 0; id < RAW_IDS; id++) {
        ck_assert_int_eq(fsif_backend_fetch(&f.be, &rq[id]), 1);
        ck_assert_uint_eq(rq[id].id, id);
        ck_assert_uint_eq(fsif_backend_busy(&f.be), id + 1);
    }
    ck_assert_int_eq(fsif_backend_fetch(&f.be, &rq[0]), 0);
    for (uint32_t i = 0; i < RAW_IDS; i++) {
        uint32_t id = i * 37 % RAW_IDS; /* each once, far from in order */

        fsif_backend_execute(&f.be, &rq[id]);
        expect(id, 1);
        ck_assert_uint_eq(fsif_backend_busy(&f.be), RAW_IDS - 1 - i);
    }
    raw_end(&f);
}
END_TEST

START_TEST(wrap)
{
    uint32_t handle;

    raw_begin(&f, firsts[_i]);
    handle = raw_open(&f);
    for (uint32_t i = 0; i < 300; i++) {
        send_handle(FSIF_WIRE_SYNC, i % 7, handle, 0);
        ck_assert_int_eq(fsif_backend_serve(&f.be, &rq[0]), 1);
        expect(i % 7, 0);
    }
    raw_end(&f);
}
END_TEST

/* An id may be used again when its response was published, not when it is merely complete. */
START_TEST(id_reuse)
{
    struct fsi_backend_view v;
    uint32_t handle;

    raw_begin(&f, firsts[_i]);
    handle = raw_open(&f);
    fsi_backend_look(&f.be, &v);
    send_handle(FSIF_WIRE_SYNC, 5, handle, 0);
    ck_assert_int_eq(fsif_backend_serve(&f.be, &rq[0]), 1);
    expect(5, 0);
    send_handle(FSIF_WIRE_SYNC, 5, handle, 0);
    fsi_store_seq(&v.state->producer.token, 1); /* a publisher that was stopped */
    ck_assert_int_eq(fsif_backend_serve(&f.be, &rq[0]), 1);
    expect_nothing();
    send_handle(FSIF_WIRE_SYNC, 5, handle, 0);
    ck_assert_int_eq(fsif_backend_fetch(&f.be, &rq[1]), -FSIF_EPROTO);
    ck_assert_int_eq(fsif_backend_reason(&f.be), FSIF_POISON_ID_BUSY);
    raw_end(&f);
}
END_TEST

/* B12: nobody takes the responses, and nobody has to wait for that. */
START_TEST(responses_never_consumed)
{
    uint32_t handle;

    raw_begin(&f, firsts[_i]);
    handle = raw_open(&f);
    for (uint32_t i = 0; i < 5000; i++) {
        send_handle(FSIF_WIRE_SYNC, i % RAW_IDS, handle, 0);
        if (i % 3 == 0)
            ck_assert_int_ge(fsif_backend_serve(&f.be, &rq[0]), 1);
    }
    ck_assert_int_ge(fsif_backend_serve(&f.be, &rq[0]), 0);
    ck_assert_uint_eq(f.ring->rsp_prod.v_, f.sent);
    ck_assert_int_eq(fsif_backend_reason(&f.be), FSIF_POISON_NONE);
    raw_end(&f);
}
END_TEST

/* --- doorbells --- */

START_TEST(bells)
{
    uint32_t handle;
    uint32_t rung;

    raw_begin(&f, firsts[_i]);
    handle = raw_open(&f);
    ck_assert_int_eq(fsif_backend_arm(&f.be), 0);
    ck_assert_uint_eq(f.ring->req_event.v_, f.sent + 1);
    send_handle(FSIF_WIRE_SYNC, 1, handle, 0);
    ck_assert_int_eq(fsif_backend_arm(&f.be), 1);
    rung = mem_notified(&f.mem);
    f.ring->rsp_event.v_ = f.got + 2; /* not for the next, for the one after it */
    ck_assert_int_eq(fsif_backend_serve(&f.be, &rq[0]), 1);
    ck_assert_uint_eq(mem_notified(&f.mem), rung);
    f.mem.notify_error = -FSIF_EPIPE; /* is no reason for anything here */
    send_handle(FSIF_WIRE_SYNC, 1, handle, 0);
    ck_assert_int_eq(fsif_backend_serve(&f.be, &rq[0]), 1);
    ck_assert_uint_eq(mem_notified(&f.mem), rung + 1);
    ck_assert_int_eq(fsif_backend_arm(&f.be), 0);
    ck_assert_int_eq(fsif_backend_reason(&f.be), FSIF_POISON_NONE);
    raw_end(&f);
}
END_TEST

/* A frontend of 2008: the bell comes after the last answer, however they are completed. */
START_TEST(bell_when_idle)
{
    const struct fsif_result ok = {.value = 0};
    uint32_t handle;
    uint32_t rung;

    raw_begin(&f, firsts[_i]);
    f.be.config_.quirks = FSIF_QUIRK_RING_WHEN_IDLE;
    handle = raw_open(&f);
    for (uint32_t id = 1; id <= 3; id++)
        send_handle(FSIF_WIRE_SYNC, id, handle, 0);
    rung = mem_notified(&f.mem);
    f.ring->rsp_event.v_ = f.got + 1;
    for (uint32_t i = 0; i < 2; i++)
        ck_assert_int_eq(fsif_backend_fetch(&f.be, &rq[i]), 1);
    fsif_backend_complete(&f.be, &rq[1], &ok, 0);
    ck_assert_uint_eq(mem_notified(&f.mem), rung);
    fsif_backend_complete(&f.be, &rq[0], &ok, 0);
    ck_assert_uint_eq(mem_notified(&f.mem), rung); /* one is not even fetched */
    ck_assert_int_eq(fsif_backend_serve(&f.be, &rq[0]), 1);
    ck_assert_uint_eq(mem_notified(&f.mem), rung + 1);
    /* Nothing is owed any more, and nobody asked. */
    f.ring->rsp_event.v_ = f.got + 20;
    send_handle(FSIF_WIRE_SYNC, 4, handle, 0);
    ck_assert_int_eq(fsif_backend_serve(&f.be, &rq[0]), 1);
    ck_assert_uint_eq(mem_notified(&f.mem), rung + 1);
    raw_end(&f);
}
END_TEST

/* --- poison --- */

START_TEST(poison_index)
{
    static const uint32_t ahead[] = {RAW_IDS + 1, 0x7fffffff, 0x80000000, UINT32_MAX};

    for (size_t i = 0; i < sizeof(ahead) / sizeof(ahead[0]); i++) {
        raw_begin(&f, firsts[_i]);
        f.ring->req_prod.v_ = firsts[_i] + ahead[i];
        ck_assert_int_eq(fsif_backend_arm(&f.be), 1);
        expect_poison(FSIF_POISON_INDEX);
        raw_end(&f);
    }
}
END_TEST

/* Requests that were taken and not answered still fill the ring, and are not there twice. */
START_TEST(poison_index_with_requests_open)
{
    static const int32_t ahead[] = {RAW_IDS - 9, -1, -9};
    uint32_t handle;

    raw_begin(&f, firsts[_i % NFIRSTS]);
    handle = raw_open(&f);
    for (uint32_t id = 0; id < 10; id++) {
        send_handle(FSIF_WIRE_SYNC, id, handle, 0);
        ck_assert_int_eq(fsif_backend_fetch(&f.be, &rq[id]), 1);
    }
    f.ring->req_prod.v_ = f.sent + (uint32_t)ahead[_i / NFIRSTS];
    ck_assert_int_eq(fsif_backend_fetch(&f.be, &rq[20]), -FSIF_EPROTO);
    ck_assert_int_eq(fsif_backend_reason(&f.be), FSIF_POISON_INDEX);
    /* What is under way can still be completed. */
    for (uint32_t id = 0; id < 10; id++)
        fsif_backend_execute(&f.be, &rq[id]);
    ck_assert_uint_eq(fsif_backend_busy(&f.be), 0);
    raw_end(&f);
}
END_TEST

START_TEST(poison_id)
{
    static const uint16_t bad[] = {RAW_IDS, RAW_IDS + 1, 255, 32767, 65535};
    struct fsif_wire1_request r;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        raw_begin(&f, 0);
        r = raw_named(&f, FSIF_WIRE_OPEN, 0, "x");
        r.id = bad[i];
        raw_send(&f, &r);
        expect_poison(FSIF_POISON_ID);
        ck_assert_uint_eq(f.store.calls, 0);
        raw_end(&f);
    }
}
END_TEST

START_TEST(poison_id_busy)
{
    uint32_t handle;

    raw_begin(&f, firsts[_i]);
    handle = raw_open(&f);
    send_handle(FSIF_WIRE_SYNC, 3, handle, 0);
    send_handle(FSIF_WIRE_SYNC, 3, handle, 0);
    ck_assert_int_eq(fsif_backend_fetch(&f.be, &rq[1]), 1);
    expect_poison(FSIF_POISON_ID_BUSY);
    fsif_backend_execute(&f.be, &rq[1]);
    raw_end(&f);
}
END_TEST

START_TEST(poison_by_the_caller)
{
    raw_begin(&f, 0);
    fsif_backend_poison(&f.be, FSIF_POISON_TRANSPORT);
    fsif_backend_poison(&f.be, FSIF_POISON_ID);
    expect_poison(FSIF_POISON_TRANSPORT);
    raw_end(&f);

    raw_config(&f, 0);
    f.config.hooks = NULL;
    raw_start(&f);
    fsif_backend_poison(&f.be, FSIF_POISON_TRANSPORT);
    ck_assert_int_eq(fsif_backend_reason(&f.be), FSIF_POISON_TRANSPORT);
    raw_end(&f);
}
END_TEST

/* --- limits and handles --- */

START_TEST(too_many_handles)
{
    struct fsif_wire1_request r;

    raw_config(&f, 0);
    f.config.max_handles = 2;
    raw_start(&f);
    raw_open(&f);
    raw_open(&f);
    r = raw_named(&f, FSIF_WIRE_OPEN, 1, "x");
    ck_assert_int_eq(raw_call(&f, &r), -FSIF_EMFILE);
    r = raw_named(&f, FSIF_WIRE_CREATE, 1, "x");
    ck_assert_int_eq(raw_call(&f, &r), -FSIF_EMFILE);
    ck_assert_uint_eq(f.store.opens, 4);
    ck_assert_uint_eq(f.store.closes, 2); /* nobody could use them */
    ck_assert_uint_eq(fsif_backend_handles(&f.be), 2);
    /* A directory needs none, and service goes on. */
    r.u.create.directory = 1;
    ck_assert_int_eq(raw_call(&f, &r), 0);
    r = raw_on_handle(FSIF_WIRE_CLOSE, 1, 0);
    ck_assert_int_eq(raw_call(&f, &r), 0);
    ck_assert_uint_eq(fsif_backend_handles(&f.be), 1);
    ck_assert_uint_eq(raw_open(&f), 0);
    raw_end(&f);
}
END_TEST

START_TEST(bad_handles)
{
    static const uint32_t bad[] = {1, 39, 40, 41, 64, 65536, 0x7fffffff, 0x80000000, UINT32_MAX};
    static const uint32_t types[] = {FSIF_WIRE_CLOSE, FSIF_WIRE_READ,  FSIF_WIRE_WRITE,
                                     FSIF_WIRE_STAT,  FSIF_WIRE_CHMOD, FSIF_WIRE_TRUNCATE,
                                     FSIF_WIRE_SYNC};

    raw_begin(&f, 0);
    raw_open(&f);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        for (size_t t = 0; t < sizeof(types) / sizeof(types[0]); t++) {
            struct fsif_wire1_request r = raw_on_handle(types[t], 0, bad[i]);

            ck_assert_int_eq(raw_call(&f, &r), -FSIF_EBADF);
        }
    }
    ck_assert_uint_eq(f.store.calls, 1);
    raw_end(&f);
}
END_TEST

/* B11: the file lives until the read has it no longer. */
START_TEST(close_while_a_read_runs)
{
    uint32_t handle;

    raw_begin(&f, 0);
    handle = raw_open(&f);
    f.store.answer[FSIF_OP_READ] = 10;
    send_handle(FSIF_WIRE_READ, 1, handle, 10);
    send_handle(FSIF_WIRE_CLOSE, 2, handle, 0);
    send_handle(FSIF_WIRE_READ, 3, handle, 10);
    ck_assert_int_eq(fsif_backend_fetch(&f.be, &rq[1]), 1);
    ck_assert_int_eq(fsif_backend_fetch(&f.be, &rq[2]), 1);
    fsif_backend_execute(&f.be, &rq[2]);
    expect(2, 0);
    ck_assert_uint_eq(f.store.closes, 0);
    ck_assert_int_eq(fsif_backend_fetch(&f.be, &rq[3]), 0); /* answered there */
    expect(3, -FSIF_EBADF);
    fsif_backend_execute(&f.be, &rq[1]);
    expect(1, 10);
    ck_assert_uint_eq(f.store.closes, 1);
    ck_assert_uint_eq(fsif_backend_handles(&f.be), 0);
    raw_end(&f);
}
END_TEST

START_TEST(closed_twice_at_once)
{
    uint32_t handle;

    raw_begin(&f, 0);
    handle = raw_open(&f);
    send_handle(FSIF_WIRE_CLOSE, 1, handle, 0);
    send_handle(FSIF_WIRE_CLOSE, 2, handle, 0);
    ck_assert_int_eq(fsif_backend_fetch(&f.be, &rq[1]), 1);
    ck_assert_int_eq(fsif_backend_fetch(&f.be, &rq[2]), 1);
    fsif_backend_execute(&f.be, &rq[2]);
    fsif_backend_execute(&f.be, &rq[1]);
    expect(2, 0);
    expect(1, -FSIF_EBADF);
    ck_assert_uint_eq(f.store.closes, 1);
    raw_end(&f);
}
END_TEST

START_TEST(close_fails)
{
    struct fsif_wire1_request r;

    raw_begin(&f, 0);
    r = raw_on_handle(FSIF_WIRE_CLOSE, 1, raw_open(&f));
    f.store.answer[FSIF_OP_CLOSE] = -FSIF_EDQUOT;
    ck_assert_int_eq(raw_call(&f, &r), -FSIF_EDQUOT);
    ck_assert_uint_eq(fsif_backend_handles(&f.be), 0);
    ck_assert_int_eq(raw_call(&f, &r), -FSIF_EBADF);
    raw_end(&f);
}
END_TEST

START_TEST(fini_closes_everything)
{
    struct fsif_wire1_request r;

    raw_begin(&f, 0);
    for (int i = 0; i < 33; i++)
        raw_open(&f);
    f.store.names = 300;
    f.store.name_size = 100;
    r = raw_named(&f, FSIF_WIRE_LIST, 1, "d");
    raw_call(&f, &r);
    send_handle(FSIF_WIRE_SYNC, 1, 7, 0);
    ck_assert_int_eq(fsif_backend_fetch(&f.be, &rq[1]), 1); /* holds one, for ever */
    ck_assert_uint_eq(f.store.list_closes, 0);
    raw_end(&f);
    ck_assert_uint_eq(f.store.closes, 33);
    ck_assert_uint_eq(f.store.list_closes, 1);
}
END_TEST

/* --- hooks --- */

START_TEST(hooks)
{
    struct fsif_wire1_request r;
    uint32_t handle;

    raw_begin(&f, 0);
    handle = raw_open(&f);
    ck_assert_uint_eq(f.begun, 1);
    ck_assert_uint_eq(f.ended, 1);
    ck_assert_uint_eq(f.last_end.op, FSIF_OP_OPEN);
    ck_assert_int_eq(f.last_end.result, handle);
    ck_assert_uint_eq(f.last_end.bytes, 0);

    f.store.answer[FSIF_OP_READ] = 99;
    send_handle(FSIF_WIRE_READ, 6, handle, 100);
    ck_assert_int_eq(fsif_backend_fetch(&f.be, &rq[0]), 1);
    ck_assert_uint_eq(f.begun, 2);
    ck_assert_uint_eq(f.ended, 1);
    ck_assert_uint_eq(f.last_begin.id, 6);
    ck_assert_uint_eq(f.last_begin.op, FSIF_OP_READ);
    ck_assert_int_eq(f.last_begin.result, 0);
    ck_assert_uint_eq(f.last_begin.bytes, 0);
    fsif_backend_execute(&f.be, &rq[0]);
    expect(6, 99);
    ck_assert_uint_eq(f.last_end.id, 6);
    ck_assert_int_eq(f.last_end.result, 99);
    ck_assert_uint_eq(f.last_end.bytes, 99);

    f.store.answer[FSIF_OP_WRITE] = -FSIF_ENOSPC;
    r = raw_on_handle(FSIF_WIRE_WRITE, 3, handle);
    raw_call(&f, &r);
    ck_assert_int_eq(f.last_end.result, -FSIF_ENOSPC);
    ck_assert_uint_eq(f.last_end.bytes, 0);

    f.store.names = 4;
    r = raw_named(&f, FSIF_WIRE_LIST, 2, ".");
    raw_call(&f, &r);
    ck_assert_int_eq(f.last_end.result, 4);
    ck_assert_uint_eq(f.last_end.bytes, 32);

    r = raw_request(77, 1); /* one that is answered in fetch has its pair too */
    raw_call(&f, &r);
    ck_assert_uint_eq(f.last_begin.op, FSIF_OP_NONE);
    ck_assert_int_eq(f.last_end.result, -FSIF_ENOSYS);
    ck_assert_uint_eq(f.begun, 5);
    ck_assert_uint_eq(f.ended, 5);
    raw_end(&f);
}
END_TEST

START_TEST(hooks_are_optional)
{
    raw_config(&f, 0);
    f.hooks.begin = NULL;
    f.hooks.end = NULL;
    f.hooks.poisoned = NULL;
    raw_start(&f);
    raw_open(&f);
    fsif_backend_poison(&f.be, FSIF_POISON_TRANSPORT);
    raw_end(&f);
}
END_TEST

/* --- threads --- */

#define LOADS 50000u

static struct fsif_shared_u32 filled[RAW_IDS]; /* 1: fetched, to be executed */
static struct fsif_shared_u32 stop;

static void *executor(void *arg)
{
    uint32_t at = *(uint32_t *)arg;

    while (!fsi_load_seq(&stop)) {
        at = (at + 1) % RAW_IDS;
        if (fsi_cas(&filled[at], 1, 2)) {
            fsif_backend_execute(&f.be, &rq[at]);
            fsi_store_seq(&filled[at], 0);
        } else {
            sched_yield();
        }
    }
    return NULL;
}

static void *refiller(void *arg)
{
    uint32_t handle = *(uint32_t *)arg;
    struct fsif_wire1_response r;
    uint32_t n = 0;

    for (; n < RAW_IDS; n++)
        send_handle(FSIF_WIRE_SYNC, n, handle, 0);
    while (n < LOADS) {
        if (!raw_receive(&f, &r)) {
            sched_yield();
            continue;
        }
        send_handle(FSIF_WIRE_SYNC, r.id, handle, 0);
        n++;
    }
    while (f.got != f.sent)
        if (!raw_receive(&f, &r))
            sched_yield();
    fsi_store_seq(&stop, 1);
    return NULL;
}

/* A frontend that keeps the ring full answers each response with a request at once: it is never
 * taken for a hostile one. */
START_TEST(full_ring_refilled_at_once)
{
    static struct fsif_fetched next;
    pthread_t thread[3];
    uint32_t start[2] = {0, RAW_IDS / 2};
    uint32_t handle;

    raw_config(&f, 0xffffffff - 1000);
    f.config.hooks = NULL;
    raw_start(&f);
    handle = raw_open(&f);
    stop.v_ = 0;
    memset(filled, 0, sizeof(filled));
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&thread[i], NULL, executor, &start[i]), 0);
    ck_assert_int_eq(pthread_create(&thread[2], NULL, refiller, &handle), 0);
    while (!fsi_load_seq(&stop)) {
        int got = fsif_backend_fetch(&f.be, &next);

        ck_assert_int_ge(got, 0);
        if (!got) {
            sched_yield();
            continue;
        }
        while (fsi_load_seq(&filled[next.id])) /* its last round is just over */
            sched_yield();
        rq[next.id] = next; /* a sync has no buffers to point to */
        fsi_store_seq(&filled[next.id], 1);
    }
    for (int i = 0; i < 3; i++)
        pthread_join(thread[i], NULL);
    ck_assert_uint_eq(fsif_backend_busy(&f.be), 0);
    raw_end(&f);
}
END_TEST

/* --- resume --- */

START_TEST(resume)
{
    struct fsi_backend_view v;
    size_t size;
    void *elsewhere;
    uint32_t handle, closing, rung;

    raw_begin(&f, firsts[_i]);
    handle = raw_open(&f);
    closing = raw_open(&f);
    size = fsif_backend_state_size(&f.config);
    fsi_backend_look(&f.be, &v);
    send_handle(FSIF_WIRE_SYNC, 1, handle, 0);   /* fetched, not answered */
    send_handle(FSIF_WIRE_SYNC, 2, closing, 0);  /* holds what is closed */
    send_handle(FSIF_WIRE_CLOSE, 3, closing, 0); /* complete, not published */
    send_handle(FSIF_WIRE_SYNC, 4, handle, 0);   /* not fetched */
    for (uint32_t i = 1; i <= 3; i++)
        ck_assert_int_eq(fsif_backend_fetch(&f.be, &rq[i]), 1);
    fsi_store_seq(&v.state->producer.token, 1);
    fsif_backend_execute(&f.be, &rq[3]);
    expect_nothing();

    /* The process is gone; its state is found at another address. */
    elsewhere = malloc(size);
    ck_assert_ptr_nonnull(elsewhere);
    memcpy(elsewhere, f.state, size);
    memset(f.state, 0xdb, size);
    free(f.state);
    f.state = elsewhere;
    memset(&f.be, 0xdb, sizeof(f.be));
    rung = mem_notified(&f.mem);
    ck_assert_int_eq(fsif_backend_resume(&f.be, &f.config, f.state), 2);
    ck_assert_uint_gt(mem_notified(&f.mem), rung);
    expect(3, 0);
    expect(1, -FSIF_EIO);
    expect(2, -FSIF_EIO);
    ck_assert_uint_eq(f.store.closes, 1);
    ck_assert_uint_eq(fsif_backend_handles(&f.be), 1);
    ck_assert_uint_eq(fsif_backend_busy(&f.be), 0);
    ck_assert_int_eq(fsif_backend_serve(&f.be, &rq[0]), 1);
    expect(4, 0);
    send_handle(FSIF_WIRE_CLOSE, 1, handle, 0);
    ck_assert_int_eq(fsif_backend_serve(&f.be, &rq[0]), 1);
    expect(1, 0);
    raw_end(&f);
}
END_TEST

/* It died between noting an index as published and telling the peer; nothing else is ready. */
START_TEST(resume_tells_the_peer)
{
    struct fsi_backend_view v;
    uint32_t handle, rung;

    raw_begin(&f, firsts[_i]);
    handle = raw_open(&f);
    fsi_backend_look(&f.be, &v);
    send_handle(FSIF_WIRE_SYNC, 1, handle, 0);
    ck_assert_int_eq(fsif_backend_serve(&f.be, &rq[0]), 1);
    f.ring->rsp_prod.v_--;
    fsi_store_seq(&v.state->producer.token, 1);
    rung = mem_notified(&f.mem);
    ck_assert_int_eq(fsif_backend_resume(&f.be, &f.config, f.state), 0);
    expect(1, 0);
    ck_assert_uint_gt(mem_notified(&f.mem), rung);
    raw_end(&f);
}
END_TEST

/* It died between noting a request and taking it, and another of its threads after it had reserved
 * the index of a response: both are used up, none is left open. */
START_TEST(resume_half_way)
{
    struct fsi_backend_view v;
    uint32_t handle;

    raw_begin(&f, firsts[_i]);
    handle = raw_open(&f);
    fsi_backend_look(&f.be, &v);
    send_handle(FSIF_WIRE_SYNC, 1, handle, 0);
    send_handle(FSIF_WIRE_SYNC, 2, handle, 0);
    send_handle(FSIF_WIRE_SYNC, 3, handle, 0);
    for (uint32_t i = 1; i <= 2; i++)
        ck_assert_int_eq(fsif_backend_fetch(&f.be, &rq[i]), 1);
    fsi_producer_reserve(&v.state->producer);
    v.state->consumer.next.v_--;
    ck_assert_int_eq(fsif_backend_resume(&f.be, &f.config, f.state), 2);
    expect(1, -FSIF_EIO);
    expect(2, -FSIF_EIO);
    ck_assert_int_eq(fsif_backend_serve(&f.be, &rq[0]), 1);
    expect(3, 0);
    expect_nothing();
    raw_end(&f);
}
END_TEST

START_TEST(resume_refusals)
{
    struct fsif_backend_config c;
    uint32_t *word;

    raw_begin(&f, 0);
    word = f.state;
    for (int i = 0; i < 6; i++) { /* magic, version, size, dialect, nslots, max_streams */
        word[i] ^= 1;
        ck_assert_int_eq(fsif_backend_resume(&f.be, &f.config, f.state), -FSIF_EINVAL);
        word[i] ^= 1;
    }
    c = f.config;
    c.max_handles++;
    ck_assert_int_eq(fsif_backend_resume(&f.be, &c, f.state), -FSIF_EINVAL);
    c.max_handles -= 2;
    ck_assert_int_eq(fsif_backend_resume(&f.be, &c, f.state), -FSIF_EINVAL);
    ck_assert_int_eq(fsif_backend_resume(&f.be, &f.config, f.state), 0);
    raw_open(&f);
    raw_end(&f);
}
END_TEST

/* A poisoned session stays one. */
START_TEST(resume_poisoned)
{
    raw_begin(&f, 0);
    fsif_backend_poison(&f.be, FSIF_POISON_ID);
    ck_assert_int_eq(fsif_backend_resume(&f.be, &f.config, f.state), 0);
    expect_poison(FSIF_POISON_ID);
    raw_end(&f);
}
END_TEST

static TCase *order_cases(void)
{
    TCase *tc = tcase_create("order");

    tcase_set_timeout(tc, 100);
    tcase_add_test(tc, refusals);
    tcase_add_loop_test(tc, any_order, 0, NFIRSTS);
    tcase_add_loop_test(tc, wrap, 0, NFIRSTS);
    tcase_add_loop_test(tc, id_reuse, 0, NFIRSTS);
    tcase_add_loop_test(tc, responses_never_consumed, 0, NFIRSTS);
    tcase_add_loop_test(tc, bells, 0, NFIRSTS);
    tcase_add_loop_test(tc, bell_when_idle, 0, NFIRSTS);
    tcase_add_test(tc, full_ring_refilled_at_once);
    return tc;
}

static TCase *poison_cases(void)
{
    TCase *tc = tcase_create("poison");

    tcase_add_loop_test(tc, poison_index, 0, NFIRSTS);
    tcase_add_loop_test(tc, poison_index_with_requests_open, 0, 3 * NFIRSTS);
    tcase_add_test(tc, poison_id);
    tcase_add_loop_test(tc, poison_id_busy, 0, NFIRSTS);
    tcase_add_test(tc, poison_by_the_caller);
    return tc;
}

static TCase *handle_cases(void)
{
    TCase *tc = tcase_create("handles");

    tcase_add_test(tc, too_many_handles);
    tcase_add_test(tc, bad_handles);
    tcase_add_test(tc, close_while_a_read_runs);
    tcase_add_test(tc, closed_twice_at_once);
    tcase_add_test(tc, close_fails);
    tcase_add_test(tc, fini_closes_everything);
    tcase_add_test(tc, hooks);
    tcase_add_test(tc, hooks_are_optional);
    return tc;
}

static TCase *resume_cases(void)
{
    TCase *tc = tcase_create("resume");

    tcase_add_loop_test(tc, resume, 0, NFIRSTS);
    tcase_add_loop_test(tc, resume_tells_the_peer, 0, NFIRSTS);
    tcase_add_loop_test(tc, resume_half_way, 0, NFIRSTS);
    tcase_add_test(tc, resume_refusals);
    tcase_add_test(tc, resume_poisoned);
    return tc;
}

int main(void)
{
    Suite *s = suite_create("backend");
    SRunner *r;
    int failed;

    suite_add_tcase(s, order_cases());
    suite_add_tcase(s, poison_cases());
    suite_add_tcase(s, handle_cases());
    suite_add_tcase(s, resume_cases());
    r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
