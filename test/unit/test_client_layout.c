/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <fsif/arena.h>
#include <fsif/directory.h>
#include <fsif/negotiate.h>
#include "internal.h"
#include "layout.h"
#include "suite.h"

/* What lies where in a session's memory, and how it becomes less. */

static struct fsi_layout l;

static int begin(uint32_t dialects, uint32_t queues, uint32_t slots, uint32_t arena)
{
    struct fsif_client_options o = {
        .dialects = dialects, .queues = queues, .slots = slots, .arena_pages = arena};
    int err = fsi_layout_check(&o);

    if (err == 0)
        fsi_layout_init(&l, &o);
    return err;
}

START_TEST(defaults)
{
    ck_assert_int_eq(begin(0, 0, 0, 0), 0);
    ck_assert_uint_eq(l.dialects, FSIF_DIALECTS_KNOWN);
    ck_assert_uint_eq(l.queues, 1);
    ck_assert_uint_eq(l.slots, 64);
    ck_assert_uint_eq(l.arena_pages, 1024);
    ck_assert_uint_eq(l.call_pages, 6);
    ck_assert_uint_eq(fsi_layout_max_io(&l), 1 << 20);
    /* The old ring lies behind the directory, and all of its pages are shared. */
    ck_assert_uint_eq(fsi_layout_area(&l), fsif_directory_pages(fsi_layout_area_pages(&l)));
    ck_assert_uint_eq(fsi_layout_old(&l), fsi_layout_area(&l));
    ck_assert_uint_ge(fsi_layout_pages(&l), fsi_layout_old(&l) + 1 + 64 * 6);
    ck_assert_uint_eq(fsi_layout_pages(&l), fsi_layout_area(&l) + fsi_layout_area_pages(&l));
}
END_TEST

START_TEST(old_dialects_alone)
{
    ck_assert_int_eq(begin(FSIF_DIALECT_BIT(1), 0, 0, 0), 0);
    ck_assert_uint_eq(fsi_layout_pages(&l), 65);
    ck_assert_uint_eq(fsi_layout_old(&l), 0);
    ck_assert_int_eq(fsi_layout_shrink(&l), 0);
    ck_assert_int_eq(begin(FSIF_DIALECT_BIT(2), 0, 0, 0), 0);
    ck_assert_uint_eq(fsi_layout_pages(&l), 1 + 64 * 6);
    ck_assert_int_eq(fsi_layout_shrink(&l), 1);
    ck_assert_uint_eq(fsi_layout_pages(&l), 1 + 64 * 2);
    ck_assert_int_eq(fsi_layout_shrink(&l), 1);
    ck_assert_uint_eq(fsi_layout_pages(&l), 1 + 64);
    ck_assert_int_eq(fsi_layout_shrink(&l), 0);
}
END_TEST

/* Each step is smaller and makes sense, and the last is the least that dialect 3 can do with. */
START_TEST(every_step_is_smaller)
{
    static const uint32_t sizes[][3] = {
        {0, 0, 0}, {16, 1024, 65536}, {1, 8, 16}, {3, 256, 100}, {16, 8, 1000}};
    static const uint32_t dialects[] = {0, FSIF_DIALECT_BIT(3)};
    const uint32_t *s = sizes[_i / 2];
    uint32_t before = 0;
    int steps = 0;

    ck_assert_int_eq(begin(dialects[_i % 2], s[0], s[1], s[2]), 0);
    do {
        ck_assert_uint_ne(fsi_layout_area_pages(&l), 0);
        ck_assert_uint_ge(fsi_layout_max_io(&l), FSIF_PAGE_SIZE);
        ck_assert_uint_le(fsi_layout_max_io(&l), l.arena_pages * FSIF_PAGE_SIZE);
        ck_assert(steps == 0 || fsi_layout_pages(&l) < before);
        before = fsi_layout_pages(&l);
        ck_assert_int_lt(steps++, 40);
    } while (fsi_layout_shrink(&l));
    ck_assert_uint_eq(l.dialects, FSIF_DIALECT_BIT(3));
    ck_assert_uint_eq(l.arena_pages, FSIF_ARENA_PAGES_MIN);
    ck_assert_uint_eq(l.slots, 8);
    ck_assert_uint_eq(l.queues, 1);
    ck_assert_uint_eq(fsi_layout_pages(&l), 18);
}
END_TEST

START_TEST(out_of_range)
{
    ck_assert_int_eq(begin(0, FSIF_QUEUES_MAX + 1, 0, 0), -FSIF_EINVAL);
    ck_assert_int_eq(begin(0, 0, 12, 0), -FSIF_EINVAL);
    ck_assert_int_eq(begin(0, 0, 0, FSIF_ARENA_PAGES_MAX + 1), -FSIF_EINVAL);
    ck_assert_int_eq(begin(1u << 30, 0, 0, 0), -FSIF_EOPNOTSUPP);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("client_layout");
    TCase *t = tcase_create("layout");

    tcase_add_test(t, defaults);
    tcase_add_test(t, old_dialects_alone);
    tcase_add_loop_test(t, every_step_is_smaller, 0, 10);
    tcase_add_test(t, out_of_range);
    suite_add_tcase(s, t);
    return run_suite(s);
}
