/* SPDX-License-Identifier: MIT */
/* What the old sides got wrong, and ours must not: a test each, in either dialect. README.md has
 * the table. */
#include <string.h>

#include "rawback.h"
#include "rawfront.h"
#include "suite.h"

static struct rawfront f;
static struct rawback b;
static struct tracked t[RAW_IDS + 1];
static struct fsif_fetched fetched;

START_TEST(id_0_is_usable)
{
    struct fsif_wire1_request rq;

    raw_begin(&f, 0);
    rq = raw_named(&f, FSIF_WIRE_REMOVE, 0, "x");
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(raw_call(&f, &rq), 0);
    raw_end(&f);

    back_begin(&b, 0, 1); /* the only id is 0 */
    for (int i = 0; i < 3; i++) {
        call_round_trip(&b, &t[0], FSIF_OP_REMOVE, 0);
        call_expect(&t[0], 0);
    }
    back_check_all_free(&b, t);
    back_end(&b);
}
END_TEST

START_TEST(empty_list_leaks_no_id)
{
    back_begin(&b, 0, 3);
    for (int i = 0; i < 20; i++) {
        call_round_trip(&b, &t[0], FSIF_OP_LIST, 0);
        call_expect(&t[0], 0);
    }
    back_check_all_free(&b, t);
    back_end(&b);
}
END_TEST

START_TEST(unknown_type_is_answered)
{
    struct fsif_wire1_request rq;

    raw_begin(&f, 0);
    for (uint32_t type = 14; type < 256; type += 11) {
        rq = raw_request(type, 5);
        ck_assert_int_eq(raw_call(&f, &rq), -FSIF_ENOSYS);
    }
    rq = raw_named(&f, FSIF_WIRE_REMOVE, 5, "x");
    ck_assert_int_eq(raw_call(&f, &rq), 0);
    raw_end(&f);
}
END_TEST

START_TEST(io_on_64_ids_at_once)
{
    uint32_t handle;

    raw_begin(&f, 0);
    handle = raw_open(&f);
    f.store.answer[FSIF_OP_READ] = 4096;
    for (uint32_t id = 0; id < RAW_IDS; id++)
        raw_send_handle(&f, FSIF_WIRE_READ, id, handle, 4096);
    ck_assert_int_eq(fsif_backend_serve(&f.be, &fetched), (int)RAW_IDS);
    for (uint32_t id = 0; id < RAW_IDS; id++)
        raw_expect(&f, id, 4096);
    raw_expect_nothing(&f);
    raw_end(&f);
}
END_TEST

START_TEST(list_stays_in_its_page)
{
    struct fsif_wire1_request rq;

    raw_begin(&f, 0);
    f.store.names = 1000;
    f.store.name_size = 256;
    memset(raw_page(&f, 2), 0xa5, FSIF_PAGE_SIZE);
    rq = raw_named(&f, FSIF_WIRE_LIST, 1, "d");
    ck_assert_int_eq(raw_call(&f, &rq), 16 | INT64_C(1) << FSIF_WIRE1_LIST_MORE_SHIFT);
    for (uint32_t i = 0; i < FSIF_PAGE_SIZE; i++)
        ck_assert_uint_eq(raw_page(&f, 2)[i], 0xa5);
    raw_end(&f);
    ck_assert_uint_eq(f.store.list_opens, f.store.list_closes);
}
END_TEST

START_TEST(stat_leaks_no_stack)
{
    struct fsif_wire1_request rq;
    struct fsif_wire1_attr attr;

    raw_begin(&f, 0);
    memset(f.mem.page[0] + 64, 0xa5, RAW_IDS * RAW_SLOT);
    memset(raw_page(&f, 1), 0xa5, FSIF_PAGE_SIZE);
    f.store.attr = (struct fsif_attr){.mode = 0100600, .size = 7};
    rq = raw_on_handle(FSIF_WIRE_STAT, 1, raw_open(&f));
    raw_send(&f, &rq);
    ck_assert_int_eq(fsif_backend_serve(&f.be, &fetched), 1);
    raw_expect(&f, 1, 0);
    memcpy(&attr, raw_page(&f, 1), sizeof(attr));
    ck_assert_uint_eq(attr.pad, 0);
    ck_assert_int_eq(attr.size, 7);
    for (uint32_t i = sizeof(attr); i < FSIF_PAGE_SIZE; i++)
        ck_assert_uint_eq(raw_page(&f, 1)[i], 0xa5);
    raw_end(&f);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("defects");
    TCase *c = tcase_create("defects");

    tcase_add_test(c, id_0_is_usable);
    tcase_add_test(c, empty_list_leaks_no_id);
    tcase_add_test(c, unknown_type_is_answered);
    tcase_add_test(c, io_on_64_ids_at_once);
    tcase_add_test(c, list_stays_in_its_page);
    tcase_add_test(c, stat_leaks_no_stack);
    suite_add_tcase(s, c);
    return run_suite(s);
}
