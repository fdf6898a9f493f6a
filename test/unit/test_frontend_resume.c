/* SPDX-License-Identifier: MIT */
/* A frontend engine that goes on from the state of another that died. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include "barrier.h"
#include "parts.h"
#include "rawback.h"

static struct rawback b;
static struct tracked t[RAW_IDS + 2];

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

    back_begin(&b, first_indices[_i], 6);
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
    v.ready[(first_indices[_i] + 3) % RAW_IDS].v_ -= RAW_IDS;
    v.ready[(first_indices[_i] + 4) % RAW_IDS].v_ -= RAW_IDS;
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
    ck_assert_int_eq(fsif_frontend_poll(&b.fe),
                     1); /* the others' calls are gone with their process */
    ck_assert_uint_eq(t[0].done + t[1].done + t[3].done + t[4].done, 0);
    back_check_all_free(&b, t);
    back_end(&b);
}
END_TEST

/* It died while it took a response: the index is taken, the id free. */
START_TEST(resume_while_taking)
{
    struct fsi_frontend_view v;
    uint32_t id;

    for (int taken = 0; taken < 2; taken++) {
        back_begin(&b, first_indices[_i], 2);
        fsi_frontend_look(&b.fe, &v);
        call_init(&t[0], FSIF_OP_SYNC);
        id = call_submit(&b, &t[0]);
        back_answer(&b, id, 0);
        v.state->taking_index = first_indices[_i];
        v.state->taking.v_ = id + 1;
        v.state->consumer.next.v_ += (uint32_t)taken;
        v.state->polling.v_ = 1;
        move_state();
        ck_assert_int_eq(fsif_frontend_resume(&b.fe, &b.config, b.state, b.calls), 0);
        ck_assert_uint_eq(fsif_frontend_quarantined(&b.fe), 0);
        ck_assert_int_eq(fsif_frontend_poll(&b.fe), 0);
        back_check_all_free(&b, t);
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
    ck_assert_int_eq(fsif_frontend_poll(&b.fe), 1);
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

TCase *frontend_resume_cases(void)
{
    TCase *tc = tcase_create("resume");

    tcase_add_loop_test(tc, resume, 0, NFIRSTS);
    tcase_add_loop_test(tc, resume_while_taking, 0, NFIRSTS);
    tcase_add_test(tc, resume_refusals);
    tcase_add_test(tc, state_holds_no_pointers);
    return tc;
}
