/* SPDX-License-Identifier: MIT */
/* A frontend of dialect 2: calls of several pages. Rows F3 F4 F8 F9. And handles with a tag. */
#include <string.h>

#include "barrier.h"
#include "parts.h"
#include "rawback.h"
#include "ring.h"

#define CALLS 10u
#define CALL_PAGES 6u

static struct rawback b;
static struct tracked t[CALLS + 1];
static char data[24577];

static void config(uint32_t call_pages)
{
    back_config(&b, UINT32_MAX - 2, CALLS * call_pages);
    b.config.pages_per_call = call_pages;
}

static void begin(void)
{
    config(CALL_PAGES);
    back_start(&b);
}

static struct fsif_wire2_request take2(void)
{
    struct fsif_wire2_request rq;
    struct fsi_ring r;

    ck_assert_uint_ne(fsi_load_acquire(&b.ring->req_prod), b.taken);
    fsi_ring_requests(&r, b.ring, RAW_IDS, FSIF_WIRE2_SLOT);
    fsi_copy_in(&rq, r.slots + (size_t)(b.taken++ % RAW_IDS) * FSIF_WIRE2_SLOT, sizeof(rq));
    b.types[rq.id] = rq.type;
    return rq;
}

static int submit(struct tracked *c, uint32_t type, uint64_t length)
{
    call_init(c, type);
    c->call.op.length = length;
    c->call.op.data = data;
    c->call.op.buffer = data;
    return fsif_frontend_submit(&b.fe, &c->call);
}

static unsigned char *pages_of(uint32_t id)
{
    return b.mem.page[1 + id * CALL_PAGES];
}

START_TEST(pages_of_a_call)
{
    struct fsif_wire2_request rq;

    begin();
    ck_assert_uint_eq(fsif_frontend_max_io(&b.fe), 24576);
    ck_assert_uint_eq(fsif_frontend_max_calls(&b.fe), CALLS);
    for (uint32_t i = 0; i < CALLS; i++) {
        memset(data, 'a' + (int)i, sizeof(data));
        ck_assert_int_eq(submit(&t[i], FSIF_OP_WRITE, 24576), 0);
        rq = take2();
        ck_assert_uint_eq(rq.u.io.len, 24576);
        for (uint32_t k = 0; k < CALL_PAGES; k++)
            ck_assert_uint_eq(rq.u.io.grefs[k], 1000 + rq.id * CALL_PAGES + k);
        ck_assert_mem_eq(pages_of(rq.id), data, 24576);
        t[i].call.op.offset = rq.id; /* kept for the answer */
    }
    ck_assert_int_eq(submit(&t[CALLS], FSIF_OP_SYNC, 0), -FSIF_EAGAIN);
    for (uint32_t i = 0; i < CALLS; i++)
        back_answer(&b, (uint32_t)t[i].call.op.offset, 24576);
    ck_assert_int_eq(fsif_frontend_poll(&b.fe), (int)CALLS);
    for (uint32_t i = 0; i < CALLS; i++)
        call_expect(&t[i], 24576);
    ck_assert_int_eq(submit(&t[0], FSIF_OP_WRITE, 24577), -FSIF_EINVAL);
    ck_assert_int_eq(submit(&t[0], FSIF_OP_READ, 24577), -FSIF_EINVAL);
    back_check_all_free(&b, t);
    back_end(&b);
}
END_TEST

/* Fewer pages a call: shorter requests. What does not make up a call is not used. */
START_TEST(fewer_pages)
{
    uint32_t k = (uint32_t)_i;

    config(k);
    b.config.npages += k - 1;
    back_start(&b);
    ck_assert_uint_eq(fsif_frontend_max_io(&b.fe), k * 4096);
    ck_assert_uint_eq(fsif_frontend_max_calls(&b.fe), CALLS);
    ck_assert_int_eq(submit(&t[0], FSIF_OP_READ, k * 4096 + 1), -FSIF_EINVAL);
    ck_assert_int_eq(submit(&t[0], FSIF_OP_READ, k * 4096), 0);
    back_answer(&b, take2().id, k * 4096);
    ck_assert_int_eq(fsif_frontend_poll(&b.fe), 1);
    call_expect(&t[0], k * 4096);
    back_check_all_free(&b, t);
    back_end(&b);
}
END_TEST

/* F9: nothing of an earlier call lies behind what this one sends, on any of its pages. */
START_TEST(F9_all_pages_are_clean)
{
    static const struct {
        uint32_t type, length, used;
    } next[] = {{FSIF_OP_WRITE, 20481, 20481}, {FSIF_OP_WRITE, 4097, 4097}, {FSIF_OP_WRITE, 1, 1},
                {FSIF_OP_READ, 8193, 8193},    {FSIF_OP_OPEN, 0, 5},        {FSIF_OP_STAT, 0, 0},
                {FSIF_OP_LIST, 4096, 4096},    {FSIF_OP_WRITE, 0, 0}};

    config(CALL_PAGES);
    b.config.npages = CALL_PAGES;
    back_start(&b);
    memset(data, 's', sizeof(data));
    for (size_t i = 0; i < sizeof(next) / sizeof(next[0]); i++) {
        ck_assert_int_eq(submit(&t[0], FSIF_OP_WRITE, 24576), 0);
        back_answer(&b, take2().id, 24576);
        ck_assert_int_eq(fsif_frontend_poll(&b.fe), 1);
        ck_assert_int_eq(submit(&t[0], next[i].type, next[i].length), 0);
        for (uint32_t at = next[i].used; at < 24576; at++)
            ck_assert_uint_eq(pages_of(0)[at], 0);
        take2();
        back_answer(&b, 0, next[i].type == FSIF_OP_LIST ? FSIF_EIO << 16 : (uint64_t)-FSIF_EIO);
        ck_assert_int_eq(fsif_frontend_poll(&b.fe), 1);
    }
    back_end(&b);
}
END_TEST

/* F8: the pages of a call that ended early are nobody's until its answer comes. */
START_TEST(F8_quarantine)
{
    uint32_t id, other;

    config(CALL_PAGES);
    b.config.npages = 2 * CALL_PAGES;
    back_start(&b);
    ck_assert_int_eq(submit(&t[0], FSIF_OP_READ, 24576), 0);
    id = take2().id;
    ck_assert_int_eq(fsif_frontend_cancel(&b.fe, &t[0].call), 0);
    memset(data, 'm', sizeof(data));
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(submit(&t[1], FSIF_OP_WRITE, 24576), 0);
        other = take2().id;
        ck_assert_uint_ne(other, id);
        back_answer(&b, other, 24576);
        ck_assert_int_eq(fsif_frontend_poll(&b.fe), 1);
    }
    ck_assert_uint_eq(fsif_frontend_quarantined(&b.fe), 1);
    memset(pages_of(id), 'x', 24576);
    back_answer(&b, id, 24576);
    ck_assert_int_eq(fsif_frontend_poll(&b.fe), 0);
    ck_assert_int_eq(data[0], 'm');
    back_check_all_free(&b, t);
    back_end(&b);
}
END_TEST

/* F4: more than was asked for, although the call has pages for it; F3: an id beyond the calls. */
START_TEST(F3_F4_answers)
{
    uint32_t id;

    begin();
    ck_assert_int_eq(submit(&t[0], FSIF_OP_READ, 5000), 0);
    id = take2().id;
    back_answer(&b, _i == 0 ? id : CALLS, _i == 0 ? 5001 : 5000);
    ck_assert_int_eq(fsif_frontend_poll(&b.fe), -FSIF_EPROTO);
    ck_assert_int_eq(fsif_frontend_reason(&b.fe), _i == 0 ? FSIF_POISON_RESULT : FSIF_POISON_ID);
    call_expect(&t[0], -FSIF_EIO);
    back_end(&b);
}
END_TEST

/* A successor has the same pages; its predecessor's are out of use until they are answered. */
START_TEST(resume_with_several_pages)
{
    struct fsif_frontend_config other;
    struct fsif_frontend again;
    uint32_t id;

    begin();
    memset(data, 'p', sizeof(data));
    ck_assert_int_eq(submit(&t[0], FSIF_OP_WRITE, 24576), 0);
    id = take2().id;
    other = b.config;
    other.pages_per_call = 5;
    other.npages = 5 * CALLS; /* the same number of calls */
    ck_assert_int_eq(fsif_frontend_resume(&again, &other, b.state, b.calls), -FSIF_EINVAL);
    ck_assert_int_eq(fsif_frontend_resume(&again, &b.config, b.state, b.calls), 0);
    b.fe = again;
    ck_assert_uint_eq(fsif_frontend_quarantined(&b.fe), 1);
    for (uint32_t i = 1; i < CALLS; i++) {
        ck_assert_int_eq(submit(&t[i], FSIF_OP_WRITE, 24576), 0);
        ck_assert_uint_ne(take2().id, id);
    }
    ck_assert_int_eq(submit(&t[CALLS], FSIF_OP_SYNC, 0), -FSIF_EAGAIN);
    for (uint32_t i = 0; i < CALLS; i++)
        back_answer(&b, i, 24576);
    ck_assert_int_eq(fsif_frontend_poll(&b.fe), (int)CALLS - 1);
    ck_assert_int_eq(submit(&t[0], FSIF_OP_WRITE, 1), 0);
    id = take2().id;
    for (uint32_t at = 1; at < 24576; at++)
        ck_assert_uint_eq(pages_of(id)[at], 0);
    back_answer(&b, id, 1);
    ck_assert_int_eq(fsif_frontend_poll(&b.fe), 1);
    back_check_all_free(&b, t);
    back_end(&b);
}
END_TEST

/* Old backends of dialect 2 end themselves over a read or write of nothing. */
START_TEST(nothing_for_old_backends)
{
    config(CALL_PAGES);
    b.config.features = 0;
    back_start(&b);
    ck_assert_int_eq(submit(&t[0], FSIF_OP_READ, 0), -FSIF_EINVAL);
    ck_assert_int_eq(submit(&t[0], FSIF_OP_WRITE, 0), -FSIF_EINVAL);
    ck_assert_int_eq(submit(&t[0], FSIF_OP_WRITE, 1), 0);
    back_end(&b);
    begin();
    ck_assert_int_eq(submit(&t[0], FSIF_OP_WRITE, 0), 0);
    back_end(&b);
}
END_TEST

static int64_t answered(uint32_t type, uint32_t flags, uint64_t ret)
{
    call_init(&t[0], type);
    t[0].call.op.flags = flags;
    ck_assert_int_eq(fsif_frontend_submit(&b.fe, &t[0].call), 0);
    back_answer(&b, take2().id, ret);
    ck_assert_int_eq(fsif_frontend_poll(&b.fe), 1);
    return t[0].call.result.value;
}

/* Handles of another session are told from this one's; only the backend's numbers are sent. */
START_TEST(tagged_handles)
{
    static const uint32_t wrong[] = {7, 2 * FSIF_HANDLE_TAG + 7, 4 * FSIF_HANDLE_TAG + 7,
                                     UINT32_MAX};

    config(1);
    b.config.handle_tag = 3 * FSIF_HANDLE_TAG;
    back_start(&b);
    ck_assert_int_eq(answered(FSIF_OP_OPEN, 0, 7), 3 * FSIF_HANDLE_TAG + 7);
    ck_assert_int_eq(answered(FSIF_OP_OPEN, 0, 0xffff), 3 * FSIF_HANDLE_TAG + 0xffff);
    ck_assert_int_eq(answered(FSIF_OP_OPEN, 0, 0x10000), -FSIF_EMFILE);
    ck_assert_int_eq(answered(FSIF_OP_OPEN, 0, (uint64_t)-2), -2);
    ck_assert_int_eq(answered(FSIF_OP_CREATE, 0, 0), 3 * FSIF_HANDLE_TAG);
    ck_assert_int_eq(answered(FSIF_OP_CREATE, FSIF_CREATE_DIRECTORY, 0), 0);
    ck_assert_int_eq(answered(FSIF_OP_SPACE, 0, 5), 5);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        call_init(&t[0], FSIF_OP_SYNC);
        t[0].call.op.handle = wrong[i];
        ck_assert_int_eq(fsif_frontend_submit(&b.fe, &t[0].call), -FSIF_ESTALE);
    }
    call_init(&t[0], FSIF_OP_SYNC);
    t[0].call.op.handle = 3 * FSIF_HANDLE_TAG + 7;
    ck_assert_int_eq(fsif_frontend_submit(&b.fe, &t[0].call), 0);
    ck_assert_uint_eq(take2().u.handle.fd, 7);
    ck_assert_uint_eq(t[0].call.op.handle, 3 * FSIF_HANDLE_TAG + 7);
    back_end(&b);
}
END_TEST

TCase *several_pages_frontend_cases(void)
{
    TCase *c = tcase_create("frontend");

    tcase_set_timeout(c, 30);
    tcase_add_test(c, pages_of_a_call);
    tcase_add_loop_test(c, fewer_pages, 1, 7);
    tcase_add_test(c, F9_all_pages_are_clean);
    tcase_add_test(c, F8_quarantine);
    tcase_add_loop_test(c, F3_F4_answers, 0, 2);
    tcase_add_test(c, resume_with_several_pages);
    tcase_add_test(c, nothing_for_old_backends);
    tcase_add_test(c, tagged_handles);
    return c;
}
