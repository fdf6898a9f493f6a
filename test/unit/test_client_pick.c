/* SPDX-License-Identifier: MIT */
#include <check.h>
#include "pick.h"
#include "suite.h"

/* Two ways, of which each takes so long; what is learned from it. */

#define MIB (1u << 20)

static struct fsi_pick pick;
static uint64_t took[2]; /* nanoseconds a MiB */

/* Return: how often way 1 was taken in @times */
static int use(int times, uint64_t bytes)
{
    int ones = 0;

    for (int i = 0; i < times; i++) {
        int way = fsi_pick_way(&pick, 0);

        fsi_pick_learn(&pick, way, took[way] * bytes / MIB, bytes);
        ones += way;
    }
    return ones;
}

static void begin(uint64_t zero, uint64_t one)
{
    pick = (struct fsi_pick){0};
    took[0] = zero;
    took[1] = one;
}

START_TEST(the_guess_comes_first)
{
    begin(100, 100);
    ck_assert_int_eq(fsi_pick_way(&pick, 1), 1);
    begin(100, 100);
    ck_assert_int_eq(fsi_pick_way(&pick, 0), 0);
}
END_TEST

START_TEST(the_quicker_one_is_found)
{
    begin(400000, 100000);
    use(32, MIB);
    ck_assert_int_ge(use(1000, MIB), 950);
    /* It changes. Back to the guess it goes for any gain. */
    took[0] = 95000;
    use(600, MIB);
    ck_assert_int_le(use(1000, MIB), 50);
}
END_TEST

START_TEST(another_guess_begins_anew)
{
    begin(100000, 400000);
    use(1000, MIB);
    for (int i = 0; i < 8; i++)
        ck_assert_int_eq(fsi_pick_way(&pick, 1), 1);
}
END_TEST

START_TEST(trials_in_vain_get_rare)
{
    begin(100000, 400000);
    ck_assert_int_le(use(64, MIB), 9);
    use(1000, MIB);
    ck_assert_int_le(use(1000, MIB), 15);
    ck_assert_int_ge(use(1000, MIB), 3);
}
END_TEST

/* What is hardly better is not worth the change. */
START_TEST(the_same_stays)
{
    begin(100000, 95000);
    ck_assert_int_le(use(2000, MIB), 40);
}
END_TEST

/* The first ones of a trial pay for what the other way has left behind. */
START_TEST(the_last_of_a_trial_counts)
{
    int trials = 0, ones = 0;

    begin(400000, 100000);
    for (int i = 0; i < 200; i++) {
        int way = fsi_pick_way(&pick, 0);

        trials = way == 1 ? trials + 1 : 0;
        fsi_pick_learn(&pick, way, trials == 1 || trials == 2 ? 900000 : took[way], MIB);
        ones += way;
    }
    ck_assert_int_ge(ones, 140);
}
END_TEST

START_TEST(classes)
{
    ck_assert_uint_eq(fsi_pick_class(1), 0);
    ck_assert_uint_eq(fsi_pick_class((128u << 10) - 1), 0);
    ck_assert_uint_eq(fsi_pick_class(128u << 10), 1);
    ck_assert_uint_eq(fsi_pick_class(MIB), 4);
    ck_assert_uint_eq(fsi_pick_class((8u << 20) - 1), 6);
    ck_assert_uint_eq(fsi_pick_class(8u << 20), 7);
    ck_assert_uint_eq(fsi_pick_class(UINT64_MAX), 7);
}
END_TEST

START_TEST(any_figures_are_survived)
{
    begin(0, UINT64_MAX / MIB);
    use(100, MIB);
    begin(UINT64_MAX / MIB, 0);
    use(100, 1);
    fsi_pick_learn(&pick, 0, UINT64_MAX, UINT64_MAX);
    use(100, UINT64_MAX / MIB);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("client_pick");
    TCase *tc = tcase_create("pick");

    tcase_add_test(tc, the_guess_comes_first);
    tcase_add_test(tc, the_quicker_one_is_found);
    tcase_add_test(tc, another_guess_begins_anew);
    tcase_add_test(tc, trials_in_vain_get_rare);
    tcase_add_test(tc, the_same_stays);
    tcase_add_test(tc, the_last_of_a_trial_counts);
    tcase_add_test(tc, classes);
    tcase_add_test(tc, any_figures_are_survived);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
