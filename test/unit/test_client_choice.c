/* SPDX-License-Identifier: MIT */
#include <check.h>
#include "internal.h"
#include "suite.h"

/* Two ways, of which each takes so long; what is learned from it. */

#define MIB (1u << 20)

static struct fsi_choice choice;
static uint64_t took[2]; /* nanoseconds a MiB */

/* Return: how often way 1 was taken in @times */
static int use(int times, uint64_t bytes)
{
    int ones = 0;

    for (int i = 0; i < times; i++) {
        int way = fsi_choice_make(&choice, 0, bytes);

        fsi_choice_learn(&choice, way, took[way] * bytes / MIB, bytes);
        ones += way;
    }
    return ones;
}

static void begin(uint64_t zero, uint64_t one)
{
    choice = (struct fsi_choice){0};
    took[0] = zero;
    took[1] = one;
}

START_TEST(the_guess_comes_first)
{
    begin(100, 100);
    ck_assert_int_eq(fsi_choice_make(&choice, 1, MIB), 1);
    begin(100, 100);
    ck_assert_int_eq(fsi_choice_make(&choice, 0, MIB), 0);
}
END_TEST

START_TEST(the_quicker_one_is_found)
{
    begin(400000, 100000);
    use(16, MIB);
    ck_assert_int_ge(use(1000, MIB), 950);
    /* It changes. */
    took[0] = 50000;
    use(600, MIB);
    ck_assert_int_le(use(1000, MIB), 50);
}
END_TEST

START_TEST(trials_in_vain_get_rare)
{
    begin(100000, 400000);
    ck_assert_int_le(use(32, MIB), 4);
    use(1000, MIB);
    ck_assert_int_le(use(1000, MIB), 8);
    ck_assert_int_ge(use(1000, MIB), 2);
}
END_TEST

/* What is hardly better is not worth the change. */
START_TEST(the_same_stays)
{
    begin(100000, 95000);
    ck_assert_int_le(use(2000, MIB), 40);
}
END_TEST

/* The first of a trial pays for what the other way has left behind. */
START_TEST(the_last_of_a_trial_counts)
{
    int trials = 0, ones = 0;

    begin(400000, 100000);
    for (int i = 0; i < 100; i++) {
        int way = fsi_choice_make(&choice, 0, MIB);

        trials = way == 1 ? trials + 1 : 0;
        fsi_choice_learn(&choice, way, trials == 1 ? 900000 : took[way], MIB);
        ones += way;
    }
    ck_assert_int_ge(ones, 80);
}
END_TEST

/* A length of another class is never compared, and neither is what came short. */
START_TEST(lengths_are_not_mixed)
{
    begin(100000, 100000);
    use(8, MIB);
    took[1] = 1000;
    for (int i = 0; i < 1000; i++)
        ck_assert_int_eq(use(1, i % 2 == 0 ? MIB / 4 : MIB), 0);
    begin(100000, 1000);
    for (int i = 0; i < 100; i++) {
        int way = fsi_choice_make(&choice, 0, MIB);

        fsi_choice_learn(&choice, way, 1, 1);
        ck_assert_int_eq(way, 0);
    }
}
END_TEST

START_TEST(any_figures_are_survived)
{
    begin(0, UINT64_MAX / MIB);
    use(100, MIB);
    begin(UINT64_MAX / MIB, 0);
    use(100, 1);
    fsi_choice_learn(&choice, 0, UINT64_MAX, UINT64_MAX);
    use(100, UINT64_MAX / MIB);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("client_choice");
    TCase *tc = tcase_create("choice");

    tcase_add_test(tc, the_guess_comes_first);
    tcase_add_test(tc, the_quicker_one_is_found);
    tcase_add_test(tc, trials_in_vain_get_rare);
    tcase_add_test(tc, the_same_stays);
    tcase_add_test(tc, the_last_of_a_trial_counts);
    tcase_add_test(tc, lengths_are_not_mixed);
    tcase_add_test(tc, any_figures_are_survived);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
