/* SPDX-License-Identifier: MIT */
/* The backend engine against a frontend made by hand: handles, their limits, hooks. */
#include <check.h>
#include "parts.h"
#include "rawfront.h"

static struct rawfront f;
static struct fsif_fetched rq[RAW_IDS];

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
    ck_assert_uint_eq(f.store.opens, 2); /* a failed request has done nothing */
    ck_assert_uint_eq(f.store.closes, 0);
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

/* A handle is reserved for an open that runs, and free again if the store refuses. */
START_TEST(handle_of_a_failed_open)
{
    struct fsif_wire1_request r;

    raw_config(&f, 0);
    f.config.max_handles = 1;
    raw_start(&f);
    for (uint32_t i = 0; i < 3; i++) {
        f.store.open_error[0] = -FSIF_ENOENT;
        r = raw_named(&f, FSIF_WIRE_OPEN, 1, "x");
        raw_send(&f, &r);
        ck_assert_int_eq(fsif_backend_fetch(&f.be, &rq[1]), 1);
        r = raw_named(&f, FSIF_WIRE_CREATE, 2, "y");
        raw_send(&f, &r);
        ck_assert_int_eq(fsif_backend_fetch(&f.be, &rq[2]), 0);
        raw_expect(&f, 2, -FSIF_EMFILE);
        raw_execute(&f, &rq[1]);
        raw_expect(&f, 1, -FSIF_ENOENT);
    }
    ck_assert_uint_eq(f.store.opens, 0);
    ck_assert_uint_eq(raw_open(&f), 0);
    ck_assert_uint_eq(fsif_backend_handles(&f.be), 1);
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
    raw_send_handle(&f, FSIF_WIRE_READ, 1, handle, 10);
    raw_send_handle(&f, FSIF_WIRE_CLOSE, 2, handle, 0);
    raw_send_handle(&f, FSIF_WIRE_READ, 3, handle, 10);
    ck_assert_int_eq(fsif_backend_fetch(&f.be, &rq[1]), 1);
    ck_assert_int_eq(fsif_backend_fetch(&f.be, &rq[2]), 1);
    raw_execute(&f, &rq[2]);
    raw_expect(&f, 2, 0);
    ck_assert_uint_eq(f.store.closes, 0);
    ck_assert_int_eq(fsif_backend_fetch(&f.be, &rq[3]), 0); /* answered there */
    raw_expect(&f, 3, -FSIF_EBADF);
    raw_execute(&f, &rq[1]);
    raw_expect(&f, 1, 10);
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
    raw_send_handle(&f, FSIF_WIRE_CLOSE, 1, handle, 0);
    raw_send_handle(&f, FSIF_WIRE_CLOSE, 2, handle, 0);
    ck_assert_int_eq(fsif_backend_fetch(&f.be, &rq[1]), 1);
    ck_assert_int_eq(fsif_backend_fetch(&f.be, &rq[2]), 1);
    raw_execute(&f, &rq[2]);
    raw_execute(&f, &rq[1]);
    raw_expect(&f, 2, 0);
    raw_expect(&f, 1, -FSIF_EBADF);
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
    raw_send_handle(&f, FSIF_WIRE_SYNC, 1, 7, 0);
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
    raw_send_handle(&f, FSIF_WIRE_READ, 6, handle, 100);
    ck_assert_int_eq(fsif_backend_fetch(&f.be, &rq[0]), 1);
    ck_assert_uint_eq(f.begun, 2);
    ck_assert_uint_eq(f.ended, 1);
    ck_assert_uint_eq(f.last_begin.id, 6);
    ck_assert_uint_eq(f.last_begin.op, FSIF_OP_READ);
    ck_assert_int_eq(f.last_begin.result, 0);
    ck_assert_uint_eq(f.last_begin.bytes, 0);
    raw_execute(&f, &rq[0]);
    raw_expect(&f, 6, 99);
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

TCase *backend_handle_cases(void)
{
    TCase *tc = tcase_create("handles");

    tcase_add_test(tc, too_many_handles);
    tcase_add_test(tc, handle_of_a_failed_open);
    tcase_add_test(tc, bad_handles);
    tcase_add_test(tc, close_while_a_read_runs);
    tcase_add_test(tc, closed_twice_at_once);
    tcase_add_test(tc, close_fails);
    tcase_add_test(tc, fini_closes_everything);
    tcase_add_test(tc, hooks);
    tcase_add_test(tc, hooks_are_optional);
    return tc;
}
