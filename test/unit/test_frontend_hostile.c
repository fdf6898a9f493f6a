/* SPDX-License-Identifier: MIT */
/* A hostile backend ends its session, and each call under way with it. */
#include <check.h>
#include <string.h>
#include "barrier.h"
#include "parts.h"
#include "rawback.h"

static struct rawback b;
static struct tracked t[RAW_IDS + 2];

/* Two calls under way, of which the first is of @type; returns its id. */
static uint32_t under_way(uint32_t type)
{
    uint32_t id;

    back_begin(&b, first_indices[0], 5);
    call_init(&t[0], type);
    id = call_submit(&b, &t[0]);
    call_init(&t[1], FSIF_OP_SYNC);
    call_submit(&b, &t[1]);
    return id;
}

static void expect_poison(enum fsif_poison reason)
{
    ck_assert_int_eq(fsif_frontend_poll(&b.fe), -FSIF_EPROTO);
    ck_assert_int_eq(fsif_frontend_poll(&b.fe), -FSIF_EPROTO);
    ck_assert_int_eq(fsif_frontend_reason(&b.fe), reason);
    ck_assert_int_eq(fsif_frontend_dead(&b.fe), 1);
    ck_assert_uint_eq(b.poisoned, 1);
    ck_assert_int_eq(b.reason, reason);
    call_expect(&t[0], -FSIF_EIO);
    call_expect(&t[1], -FSIF_EIO);
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
    ck_assert_int_eq(fsif_frontend_poll(&b.fe), 1);
    call_expect(&t[0], 0);
    call_init(&t[0], FSIF_OP_READ);
    ck_assert_uint_eq(call_submit(&b, &t[0]), id);
    ck_assert_int_eq(fsif_frontend_cancel(&b.fe, &t[0].call), 0);
    call_init(&t[2], FSIF_OP_SYNC);
    (void)call_submit(&b, &t[2]);
    back_answer(&b, id, 0);
    back_answer(&b, id, 0); /* already answered */
    ck_assert_int_eq(fsif_frontend_poll(&b.fe), -FSIF_EPROTO);
    call_expect(&t[0], -FSIF_ECANCELED);
    call_expect(&t[2], -FSIF_EIO);
    t[0].call.result.value = -FSIF_EIO;
    expect_poison(FSIF_POISON_ID_IDLE);
}
END_TEST

/* One response more than requests: not even the good ones are taken. */
START_TEST(F1_more_responses_than_requests)
{
    uint32_t id = under_way(FSIF_OP_READ);

    while (b.answered != fsi_load_seq(&b.ring->req_prod) + 1)
        back_answer(&b, id, 0);
    expect_poison(FSIF_POISON_INDEX);
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
        call_expect(&t[2], -FSIF_EIO);
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

TCase *frontend_hostile_cases(void)
{
    TCase *tc = tcase_create("hostile");

    tcase_add_test(tc, F1);
    tcase_add_test(tc, F3);
    tcase_add_test(tc, F1_more_responses_than_requests);
    tcase_add_test(tc, F3_before_it_was_sent);
    tcase_add_test(tc, F4);
    tcase_add_test(tc, F5);
    tcase_add_test(tc, F6);
    return tc;
}
