/* SPDX-License-Identifier: MIT */

/*
 * Files of several names in a copy: one is copied, the others wait for it and become links,
 * whatever a backend says of how many there are, and in any order.
 */

#define _GNU_SOURCE
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include "cli.h"
#include "suite.h"

_Atomic int cli_interrupted;

static struct twins *t;
static struct pool *pool;
static struct cli cli;
static _Atomic int runs;

static void count_run(struct job *job, void *buf)
{
    (void)buf;
    free(job);
    runs++;
}

static struct job *new_job(void)
{
    struct job *job = cli_alloc(sizeof(*job));

    job->run = count_run;
    return job;
}

static void setup(void)
{
    pthread_mutex_init(&cli.report_lock, NULL);
    t = twins_create();
    pool = pool_create(&cli, 2);
    ck_assert_ptr_nonnull(pool);
    runs = 0;
}

static void teardown(void)
{
    struct ldir *dir;

    pool_wait(pool, NULL, NULL);
    pool_destroy(pool);
    while (twins_drain(t, &dir))
        ck_assert_ptr_null(dir);
}

static enum twin_role meet(uint64_t dev, uint64_t ino, uint64_t nlink, struct job *job,
                           struct twin **f)
{
    return twins_meet(t, dev, ino, nlink, job, f);
}

START_TEST(first_copies_others_link)
{
    struct twin *f;
    struct twin *g;

    ck_assert_int_eq(meet(1, 2, 3, NULL, &f), TWIN_COPY);
    twins_copied(t, f, pool, 1, NULL, "a/b");
    ck_assert_int_eq(meet(1, 2, 3, NULL, &g), TWIN_LINK);
    ck_assert_ptr_eq(f, g);
    ck_assert_str_eq(twin_place(g, NULL), "a/b");
    ck_assert_ptr_null(twins_linked(t, g));
    ck_assert_int_eq(meet(1, 2, 3, NULL, &g), TWIN_LINK);
    ck_assert_ptr_null(twins_linked(t, g));
    /* All three were seen and it is forgotten: another is a file of its own. */
    ck_assert_int_eq(meet(1, 2, 3, NULL, &g), TWIN_COPY);
    twins_copied(t, g, pool, 1, NULL, "c");
}
END_TEST

START_TEST(numbers_tell_apart)
{
    struct twin *f;

    ck_assert_int_eq(meet(1, 2, 2, NULL, &f), TWIN_COPY);
    twins_copied(t, f, pool, 1, NULL, "x");
    ck_assert_int_eq(meet(2, 2, 2, NULL, &f), TWIN_COPY);
    twins_copied(t, f, pool, 1, NULL, "y");
    ck_assert_int_eq(meet(1, 3, 2, NULL, &f), TWIN_COPY);
    twins_copied(t, f, pool, 1, NULL, "z");
    ck_assert_int_eq(meet(2, 2, 2, NULL, &f), TWIN_LINK);
    ck_assert_str_eq(twin_place(f, NULL), "y");
    twins_linked(t, f);
}
END_TEST

START_TEST(waits_for_the_copy)
{
    struct twin *f;
    struct twin *g;

    ck_assert_int_eq(meet(1, 2, 9, NULL, &f), TWIN_COPY);
    ck_assert_int_eq(meet(1, 2, 9, new_job(), &g), TWIN_WAITS);
    ck_assert_int_eq(meet(1, 2, 9, new_job(), &g), TWIN_WAITS);
    pool_wait(pool, NULL, NULL);
    ck_assert_int_eq(runs, 0);
    twins_copied(t, f, pool, _i, NULL, "a");
    pool_wait(pool, NULL, NULL);
    ck_assert_int_eq(runs, 2);
    /* If it could not be copied the next one tries. */
    ck_assert_int_eq(meet(1, 2, 9, NULL, &f), _i ? TWIN_LINK : TWIN_COPY);
    if (_i)
        twins_linked(t, f);
    else
        twins_copied(t, f, pool, 0, NULL, "a");
}
END_TEST

/* A backend that says two and lists more: what one job links to is not taken away by another. */
START_TEST(more_names_than_said)
{
    struct twin *f;
    struct twin *g;
    struct twin *h;

    ck_assert_int_eq(meet(1, 2, 2, NULL, &f), TWIN_COPY);
    twins_copied(t, f, pool, 1, NULL, "a");
    ck_assert_int_eq(meet(1, 2, 2, NULL, &g), TWIN_LINK);
    ck_assert_int_eq(meet(1, 2, 2, NULL, &h), TWIN_LINK);
    twins_linked(t, g);
    ck_assert_str_eq(twin_place(h, NULL), "a");
    twins_linked(t, h);
    ck_assert_int_eq(meet(1, 2, 2, NULL, &f), TWIN_COPY);
    twins_copied(t, f, pool, 0, NULL, "a");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("cli_twins");
    TCase *c = tcase_create("cli_twins");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, first_copies_others_link);
    tcase_add_test(c, numbers_tell_apart);
    tcase_add_loop_test(c, waits_for_the_copy, 0, 2);
    tcase_add_test(c, more_names_than_said);
    suite_add_tcase(s, c);
    return run_suite(s);
}
