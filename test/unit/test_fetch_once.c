/* SPDX-License-Identifier: MIT */
/*
 * B2, B30 and F2 without a race: what a peer wrote is fetched once. Each word of the slots, and of
 * the page that belongs to them, changes when it has been read, so a second look never agrees.
 */
#include <check.h>
#include <stdio.h>
#include <string.h>
#include "rawback.h"
#include "barrier.h"
#include "rawfront.h"
#include "suite.h"
#include "watch.h"

#define HEAD 64u /* the ring's words are looked at again and again */

/* @page: NULL if it holds a file's data, which nobody checks */
static void watch(void *ring, void *page)
{
    void *const pages[] = {ring, page};
    const uint32_t spare[] = {HEAD, 0};

    watch_begin(pages, spare, page ? 2 : 1);
}

static void expect_once(uint32_t least)
{
    uint32_t where = 0;

    ck_assert_uint_ge(watch_end(), least);
    ck_assert_msg(watch_most(&where) == 1, "offset %u of ring or page was read twice", where);
}

/* --- the backend --- */

static struct rawfront f;

/* Serves @rq with its slot watched, and @page if it is not NULL. Return: the answer */
static int64_t serve(const struct fsif_wire1_request *rq, void *page)
{
    static struct fsif_fetched fetched;
    struct fsif_wire1_response rsp;
    int err;

    raw_send(&f, rq);
    watch(f.ring, page);
    err = fsif_backend_serve(&f.be, &fetched);
    expect_once(FSIF_WIRE1_SLOT / sizeof(fsi_word));
    ck_assert_int_ge(err, 0); /* 0: answered as it was fetched */
    ck_assert_int_eq(raw_receive(&f, &rsp), 1);
    ck_assert_uint_eq(rsp.id, rq->id);
    return (int64_t)rsp.ret;
}

static void begin(int lends)
{
    raw_config(&f, 0);
    f.mem.lends = lends;
    f.config.transport = lends ? &mem_transport : &mem_transport_copies;
    raw_start(&f);
}

/* B2: a length or an offset that grows after it was checked. */
START_TEST(B2_slots)
{
    struct fsif_wire1_request rq;
    uint32_t handle;

    begin(_i);
    handle = raw_open(&f);
    f.store.answer[FSIF_OP_READ] = 16;
    f.store.answer[FSIF_OP_WRITE] = 16;
    rq = raw_on_handle(FSIF_WIRE_READ, 3, handle);
    rq.u.io.len = 16;
    rq.u.io.offset = 5;
    ck_assert_int_eq(serve(&rq, NULL), 16);
    ck_assert_uint_eq(f.store.length, 16);
    ck_assert_uint_eq(f.store.offset, 5);
    rq.type = FSIF_WIRE_WRITE;
    ck_assert_int_eq(serve(&rq, NULL), 16);
    ck_assert_uint_eq(f.store.length, 16);
    ck_assert_uint_eq(f.store.offset, 5);
    rq = raw_on_handle(FSIF_WIRE_STAT, 3, handle);
    ck_assert_int_eq(serve(&rq, NULL), 0);
    rq = raw_on_handle(FSIF_WIRE_TRUNCATE, 3, handle);
    rq.u.truncate.len = 7;
    ck_assert_int_eq(serve(&rq, NULL), 0);
    ck_assert_uint_eq(f.store.set.size, 7);
    rq = raw_on_handle(FSIF_WIRE_CHMOD, 3, handle);
    rq.u.chmod.mode = 0640;
    ck_assert_int_eq(serve(&rq, NULL), 0);
    ck_assert_uint_eq(f.store.set.mode, 0640);
    rq = raw_on_handle(FSIF_WIRE_SYNC, 3, handle);
    ck_assert_int_eq(serve(&rq, NULL), 0);
    rq = raw_on_handle(FSIF_WIRE_CLOSE, 3, handle);
    ck_assert_int_eq(serve(&rq, NULL), 0);
    rq = raw_request(77, 3);
    ck_assert_int_eq(serve(&rq, NULL), -FSIF_ENOSYS);
    raw_end(&f);
}
END_TEST

/* B30: a name that changes after it was checked; it is parsed in a copy, or the store would see
 * what it became. */
START_TEST(B30_names)
{
    static const uint32_t types[] = {FSIF_WIRE_OPEN, FSIF_WIRE_REMOVE, FSIF_WIRE_CREATE,
                                     FSIF_WIRE_SPACE, FSIF_WIRE_LIST};
    struct fsif_wire1_request rq;

    begin(_i);
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        uint32_t copies = f.mem.copied_from;

        rq = raw_named(&f, types[i], 4, "d/file");
        ck_assert_int_ge(serve(&rq, raw_page(&f, 4)), 0);
        ck_assert_str_eq(f.store.path, "d/file");
        ck_assert_uint_eq(f.mem.copied_from, copies + 1);
    }
    memcpy(raw_page(&f, 4), "from\0to", 8);
    rq = raw_request(FSIF_WIRE_RENAME, 4);
    rq.u.rename.gref = 5;
    rq.u.rename.old_offset = 0;
    rq.u.rename.new_offset = 5;
    ck_assert_int_eq(serve(&rq, raw_page(&f, 4)), 0);
    ck_assert_str_eq(f.store.path, "from");
    ck_assert_str_eq(f.store.path2, "to");
    raw_end(&f);
}
END_TEST

/* --- the frontend --- */

static struct rawback b;
static struct tracked t;

/* Takes the answer to t with everything watched. */
static void take(uint32_t id)
{
    int n;

    watch(b.ring, back_page(&b, id));
    n = fsif_frontend_poll(&b.fe);
    expect_once(FSIF_WIRE1_SLOT / sizeof(fsi_word));
    ck_assert_int_eq(n, 1);
}

START_TEST(F2_answers)
{
    static const char names[] = "one\0two";
    struct fsif_wire1_attr attr = {.mode = 0100644, .size = 12345, .mtime = 17};
    uint32_t id;

    back_begin(&b, 0, 5);
    call_init(&t, FSIF_OP_SYNC);
    back_answer(&b, id = call_submit(&b, &t), 0);
    take(id);
    call_expect(&t, 0);

    call_init(&t, FSIF_OP_STAT);
    id = call_submit(&b, &t);
    memcpy(back_page(&b, id), &attr, sizeof(attr));
    back_answer(&b, id, 0);
    take(id);
    call_expect(&t, 0);
    ck_assert_uint_eq(t.call.result.attr.size, 12345);
    ck_assert_uint_eq(t.call.result.attr.mode, 0100644);
    ck_assert_int_eq(t.call.result.attr.mtime, 17);

    call_init(&t, FSIF_OP_LIST);
    id = call_submit(&b, &t);
    memcpy(back_page(&b, id), names, sizeof(names));
    back_answer(&b, id, 2);
    take(id);
    call_expect(&t, 2);
    ck_assert_mem_eq(t.buffer, names, sizeof(names));

    call_init(&t, FSIF_OP_READ);
    id = call_submit(&b, &t);
    memset(back_page(&b, id), 'r', 100);
    back_answer(&b, id, 100);
    take(id);
    call_expect(&t, 100);
    back_end(&b);
}
END_TEST

/* The watch sees what it is for: a word that is read twice, and what it has become. */
START_TEST(a_second_look_is_seen)
{
    static const uint32_t spare[] = {0};
    volatile uint32_t *page;
    void *pages[1];
    uint32_t first, second, where = 0;

    mem_open(&b.mem);
    pages[0] = b.mem.page[0];
    page = pages[0];
    page[9] = 77;
    watch_begin(pages, spare, 1);
    first = page[9];
    second = page[9];
    ck_assert_uint_eq(watch_end(), 1);
    ck_assert_uint_eq(first, 77);
    ck_assert_uint_ne(second, 77);
    ck_assert_uint_eq(watch_most(&where), 2);
    ck_assert_uint_eq(where, 36);
    mem_close(&b.mem);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("fetch_once");
    TCase *tc = tcase_create("fetch_once");

    if (!watch_possible()) {
        puts("SKIP: single steps are only known on x86-64");
        return 77;
    }
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, a_second_look_is_seen);
    tcase_add_loop_test(tc, B2_slots, 0, 2);
    tcase_add_loop_test(tc, B30_names, 0, 2);
    tcase_add_test(tc, F2_answers);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
