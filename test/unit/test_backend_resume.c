/* SPDX-License-Identifier: MIT */
/* A backend engine that goes on from the state of another that died. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include "barrier.h"
#include "parts.h"
#include "rawfront.h"

static struct rawfront f;
static struct fsif_fetched rq[RAW_IDS];

START_TEST(resume)
{
    struct fsi_backend_view v;
    size_t size;
    void *elsewhere;
    uint32_t handle, closing, rung;

    raw_begin(&f, first_indices[_i]);
    handle = raw_open(&f);
    closing = raw_open(&f);
    size = fsif_backend_state_size(&f.config);
    fsi_backend_look(&f.be, &v);
    raw_send_handle(&f, FSIF_WIRE_SYNC, 1, handle, 0);   /* fetched, not answered */
    raw_send_handle(&f, FSIF_WIRE_SYNC, 2, closing, 0);  /* holds what is closed */
    raw_send_handle(&f, FSIF_WIRE_CLOSE, 3, closing, 0); /* complete, not published */
    raw_send_handle(&f, FSIF_WIRE_SYNC, 4, handle, 0);   /* not fetched */
    for (uint32_t i = 1; i <= 3; i++)
        ck_assert_int_eq(fsif_backend_fetch(&f.be, &rq[i]), 1);
    fsi_store_seq(&v.state->producer.token, 1);
    raw_execute(&f, &rq[3]);
    raw_expect_nothing(&f);

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
    raw_expect(&f, 3, 0);
    raw_expect(&f, 1, -FSIF_EIO);
    raw_expect(&f, 2, -FSIF_EIO);
    ck_assert_uint_eq(f.store.closes, 1);
    ck_assert_uint_eq(fsif_backend_handles(&f.be), 1);
    ck_assert_uint_eq(fsif_backend_busy(&f.be), 0);
    ck_assert_int_eq(fsif_backend_serve(&f.be, &rq[0]), 1);
    raw_expect(&f, 4, 0);
    raw_send_handle(&f, FSIF_WIRE_CLOSE, 1, handle, 0);
    ck_assert_int_eq(fsif_backend_serve(&f.be, &rq[0]), 1);
    raw_expect(&f, 1, 0);
    raw_end(&f);
}
END_TEST

/* It died between noting an index as published and telling the peer; nothing else is ready. */
START_TEST(resume_tells_the_peer)
{
    struct fsi_backend_view v;
    uint32_t handle, rung;

    raw_begin(&f, first_indices[_i]);
    handle = raw_open(&f);
    fsi_backend_look(&f.be, &v);
    raw_send_handle(&f, FSIF_WIRE_SYNC, 1, handle, 0);
    ck_assert_int_eq(fsif_backend_serve(&f.be, &rq[0]), 1);
    f.ring->rsp_prod.v_--;
    fsi_store_seq(&v.state->producer.token, 1);
    rung = mem_notified(&f.mem);
    ck_assert_int_eq(fsif_backend_resume(&f.be, &f.config, f.state), 0);
    raw_expect(&f, 1, 0);
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

    raw_begin(&f, first_indices[_i]);
    handle = raw_open(&f);
    fsi_backend_look(&f.be, &v);
    raw_send_handle(&f, FSIF_WIRE_SYNC, 1, handle, 0);
    raw_send_handle(&f, FSIF_WIRE_SYNC, 2, handle, 0);
    raw_send_handle(&f, FSIF_WIRE_SYNC, 3, handle, 0);
    for (uint32_t i = 1; i <= 2; i++)
        ck_assert_int_eq(fsif_backend_fetch(&f.be, &rq[i]), 1);
    fsi_producer_reserve(&v.state->producer);
    v.state->consumer.next.v_--;
    ck_assert_int_eq(fsif_backend_resume(&f.be, &f.config, f.state), 2);
    raw_expect(&f, 1, -FSIF_EIO);
    raw_expect(&f, 2, -FSIF_EIO);
    ck_assert_int_eq(fsif_backend_serve(&f.be, &rq[0]), 1);
    raw_expect(&f, 3, 0);
    raw_expect_nothing(&f);
    raw_end(&f);
}
END_TEST

START_TEST(resume_refusals)
{
    struct fsif_backend_config c;
    uint32_t *word;

    raw_begin(&f, 0);
    word = f.state;
    /* magic, version, size, dialect, nslots, nresponses, max_streams, max_locks, max_watches */
    for (int i = 0; i < 9; i++) {
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
    raw_expect_poison(&f, FSIF_POISON_ID);
    raw_end(&f);
}
END_TEST

TCase *backend_resume_cases(void)
{
    TCase *tc = tcase_create("resume");

    tcase_add_loop_test(tc, resume, 0, NFIRSTS);
    tcase_add_loop_test(tc, resume_tells_the_peer, 0, NFIRSTS);
    tcase_add_loop_test(tc, resume_half_way, 0, NFIRSTS);
    tcase_add_test(tc, resume_refusals);
    tcase_add_test(tc, resume_poisoned);
    return tc;
}
