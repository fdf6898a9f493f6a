/* SPDX-License-Identifier: MIT */
/* The backend engine against a frontend made by hand: order, limits, hostile requests. */
#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include "barrier.h"
#include "parts.h"
#include "rawfront.h"
#include "suite.h"

static struct rawfront f;
static struct fsif_fetched rq[RAW_IDS];

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
    REFUSED(c.dialect = 3);
    REFUSED(c.dialect = UINT32_MAX);
    REFUSED(c.ring_pages = 0);
    REFUSED((c.dialect = 1, c.ring_pages = 2));
    REFUSED(c.ring_pages = UINT32_MAX);
    REFUSED((c.dialect = 2, c.ring_pages = 17));
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

    raw_begin(&f, first_indices[_i]);
    handle = raw_open(&f);
    f.store.answer[FSIF_OP_READ] = 1;
    for (uint32_t id = 0; id < RAW_IDS; id++)
        raw_send_handle(&f, FSIF_WIRE_READ, id, handle, 1);
    for (uint32_t id = 0; id < RAW_IDS; id++) {
        ck_assert_int_eq(fsif_backend_fetch(&f.be, &rq[id]), 1);
        ck_assert_uint_eq(rq[id].id, id);
        ck_assert_uint_eq(fsif_backend_busy(&f.be), id + 1);
    }
    ck_assert_int_eq(fsif_backend_fetch(&f.be, &rq[0]), 0);
    for (uint32_t i = 0; i < RAW_IDS; i++) {
        uint32_t id = i * 37 % RAW_IDS; /* each once, far from in order */

        raw_execute(&f, &rq[id]);
        raw_expect(&f, id, 1);
        ck_assert_uint_eq(fsif_backend_busy(&f.be), RAW_IDS - 1 - i);
    }
    raw_end(&f);
}
END_TEST

START_TEST(wrap)
{
    uint32_t handle;

    raw_begin(&f, first_indices[_i]);
    handle = raw_open(&f);
    for (uint32_t i = 0; i < 300; i++) {
        raw_send_handle(&f, FSIF_WIRE_SYNC, i % 7, handle, 0);
        ck_assert_int_eq(fsif_backend_serve(&f.be, &rq[0]), 1);
        raw_expect(&f, i % 7, 0);
    }
    raw_end(&f);
}
END_TEST

/* An id may be used again when its response was published, not when it is merely complete. */
START_TEST(id_reuse)
{
    struct fsi_backend_view v;
    uint32_t handle;

    raw_begin(&f, first_indices[_i]);
    handle = raw_open(&f);
    fsi_backend_look(&f.be, &v);
    raw_send_handle(&f, FSIF_WIRE_SYNC, 5, handle, 0);
    ck_assert_int_eq(fsif_backend_serve(&f.be, &rq[0]), 1);
    raw_expect(&f, 5, 0);
    raw_send_handle(&f, FSIF_WIRE_SYNC, 5, handle, 0);
    fsi_store_seq(&v.state->producer.token, 1); /* a publisher that was stopped */
    ck_assert_int_eq(fsif_backend_serve(&f.be, &rq[0]), 1);
    raw_expect_nothing(&f);
    raw_send_handle(&f, FSIF_WIRE_SYNC, 5, handle, 0);
    ck_assert_int_eq(fsif_backend_fetch(&f.be, &rq[1]), -FSIF_EPROTO);
    ck_assert_int_eq(fsif_backend_reason(&f.be), FSIF_POISON_ID_BUSY);
    raw_end(&f);
}
END_TEST

/* B12: nobody takes the responses, and nobody has to wait for that. */
START_TEST(responses_never_consumed)
{
    uint32_t handle;

    raw_begin(&f, first_indices[_i]);
    handle = raw_open(&f);
    for (uint32_t i = 0; i < 5000; i++) {
        raw_send_handle(&f, FSIF_WIRE_SYNC, i % RAW_IDS, handle, 0);
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

    raw_begin(&f, first_indices[_i]);
    handle = raw_open(&f);
    ck_assert_int_eq(fsif_backend_arm(&f.be), 0);
    ck_assert_uint_eq(f.ring->req_event.v_, f.sent + 1);
    raw_send_handle(&f, FSIF_WIRE_SYNC, 1, handle, 0);
    ck_assert_int_eq(fsif_backend_arm(&f.be), 1);
    rung = mem_notified(&f.mem);
    f.ring->rsp_event.v_ = f.got + 2; /* not for the next, for the one after it */
    ck_assert_int_eq(fsif_backend_serve(&f.be, &rq[0]), 1);
    ck_assert_uint_eq(mem_notified(&f.mem), rung);
    f.mem.notify_error = -FSIF_EPIPE; /* is no reason for anything here */
    raw_send_handle(&f, FSIF_WIRE_SYNC, 1, handle, 0);
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

    raw_begin(&f, first_indices[_i]);
    f.be.config_.quirks = FSIF_QUIRK_RING_WHEN_IDLE;
    handle = raw_open(&f);
    for (uint32_t id = 1; id <= 3; id++)
        raw_send_handle(&f, FSIF_WIRE_SYNC, id, handle, 0);
    rung = mem_notified(&f.mem);
    f.ring->rsp_event.v_ = f.got + 1;
    for (uint32_t i = 0; i < 2; i++)
        ck_assert_int_eq(fsif_backend_fetch(&f.be, &rq[i]), 1);
    raw_complete(&f, &rq[1], &ok, 0);
    ck_assert_uint_eq(mem_notified(&f.mem), rung);
    raw_complete(&f, &rq[0], &ok, 0);
    ck_assert_uint_eq(mem_notified(&f.mem), rung); /* one is not even fetched */
    ck_assert_int_eq(fsif_backend_serve(&f.be, &rq[0]), 1);
    ck_assert_uint_eq(mem_notified(&f.mem), rung + 1);
    /* Nothing is owed any more, and nobody asked. */
    f.ring->rsp_event.v_ = f.got + 20;
    raw_send_handle(&f, FSIF_WIRE_SYNC, 4, handle, 0);
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
        raw_begin(&f, first_indices[_i]);
        f.ring->req_prod.v_ = first_indices[_i] + ahead[i];
        ck_assert_int_eq(fsif_backend_arm(&f.be), 1);
        raw_expect_poison(&f, FSIF_POISON_INDEX);
        raw_end(&f);
    }
}
END_TEST

/* Requests that were taken and not answered still fill the ring, and are not there twice. */
START_TEST(poison_index_with_requests_open)
{
    static const int32_t ahead[] = {RAW_IDS - 9, -1, -9};
    uint32_t handle;

    raw_begin(&f, first_indices[_i % NFIRSTS]);
    handle = raw_open(&f);
    for (uint32_t id = 0; id < 10; id++) {
        raw_send_handle(&f, FSIF_WIRE_SYNC, id, handle, 0);
        ck_assert_int_eq(fsif_backend_fetch(&f.be, &rq[id]), 1);
    }
    f.ring->req_prod.v_ = f.sent + (uint32_t)ahead[_i / NFIRSTS];
    ck_assert_int_eq(fsif_backend_fetch(&f.be, &rq[20]), -FSIF_EPROTO);
    ck_assert_int_eq(fsif_backend_reason(&f.be), FSIF_POISON_INDEX);
    /* What is under way can still be completed. */
    for (uint32_t id = 0; id < 10; id++)
        raw_execute(&f, &rq[id]);
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
        raw_expect_poison(&f, FSIF_POISON_ID);
        ck_assert_uint_eq(f.store.calls, 0);
        raw_end(&f);
    }
}
END_TEST

START_TEST(poison_id_busy)
{
    uint32_t handle;

    raw_begin(&f, first_indices[_i]);
    handle = raw_open(&f);
    raw_send_handle(&f, FSIF_WIRE_SYNC, 3, handle, 0);
    raw_send_handle(&f, FSIF_WIRE_SYNC, 3, handle, 0);
    ck_assert_int_eq(fsif_backend_fetch(&f.be, &rq[1]), 1);
    raw_expect_poison(&f, FSIF_POISON_ID_BUSY);
    raw_execute(&f, &rq[1]);
    raw_end(&f);
}
END_TEST

START_TEST(poison_by_the_caller)
{
    raw_begin(&f, 0);
    fsif_backend_poison(&f.be, FSIF_POISON_TRANSPORT);
    fsif_backend_poison(&f.be, FSIF_POISON_ID);
    raw_expect_poison(&f, FSIF_POISON_TRANSPORT);
    raw_end(&f);

    raw_config(&f, 0);
    f.config.hooks = NULL;
    raw_start(&f);
    fsif_backend_poison(&f.be, FSIF_POISON_TRANSPORT);
    ck_assert_int_eq(fsif_backend_reason(&f.be), FSIF_POISON_TRANSPORT);
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
            raw_execute(&f, &rq[at]);
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
        raw_send_handle(&f, FSIF_WIRE_SYNC, n, handle, 0);
    while (n < LOADS) {
        if (!raw_receive(&f, &r)) {
            sched_yield();
            continue;
        }
        raw_send_handle(&f, FSIF_WIRE_SYNC, r.id, handle, 0);
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

int main(void)
{
    Suite *s = suite_create("backend");

    suite_add_tcase(s, order_cases());
    suite_add_tcase(s, poison_cases());
    suite_add_tcase(s, backend_handle_cases());
    suite_add_tcase(s, backend_resume_cases());
    return run_suite(s);
}
