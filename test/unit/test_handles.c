/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <fsif/error.h>
#include "barrier.h"
#include "handles.h"
#include "suite.h"

#define N 5u

static struct fsi_freelist list;
static struct fsif_shared_u32 words[FSI_FREELIST_WORDS(N)];
static struct fsi_handle table[N];
static const struct fsi_handles h = {&list, words, table};

static void begin(void)
{
    memset(table, 0, sizeof(table));
    fsi_freelist_init(&list, words, N);
}

static uint32_t export;

static int try_open(uint64_t file)
{
    int n = fsi_handles_reserve(&h);

    if (n >= 0)
        fsi_handles_open(&h, (uint32_t)n, file, 0);
    return n;
}

static uint32_t open_one(uint64_t file)
{
    int n = try_open(file);

    ck_assert_int_ge(n, 0);
    ck_assert_int_lt(n, (int)N);
    return (uint32_t)n;
}

/* As CLOSE does: hold, mark, let go. */
static int close_one(uint32_t n)
{
    uint64_t file;

    ck_assert_int_eq(fsi_handles_get(&h, n, &file, &export), 0);
    ck_assert_int_eq(fsi_handles_close(&h, n), 0);
    return fsi_handles_put(&h, n);
}

static unsigned count_open(unsigned *closed)
{
    uint32_t at = 0, n;
    uint64_t file;
    int was_closed;
    unsigned count = 0;

    *closed = 0;
    while (fsi_handles_next(&h, &at, &n, &file, &was_closed)) {
        ck_assert_uint_eq(file, 100 + n);
        *closed += was_closed != 0;
        count++;
    }
    return count;
}

START_TEST(life)
{
    uint64_t file = 0;
    uint32_t n;

    begin();
    n = open_one(0x123456789abcdef0);
    ck_assert_int_eq(fsi_handles_get(&h, n, &file, &export), 0);
    ck_assert_uint_eq(file, 0x123456789abcdef0);
    ck_assert_int_eq(fsi_handles_put(&h, n), 0);
    ck_assert_int_eq(close_one(n), 1);
    fsi_handles_free(&h, n);
    ck_assert_int_eq(fsi_handles_get(&h, n, &file, &export), -FSIF_EBADF);
}
END_TEST

START_TEST(too_many)
{
    begin();
    for (uint32_t i = 0; i < N; i++)
        open_one(i);
    ck_assert_int_eq(try_open(9), -FSIF_EMFILE);
    ck_assert_int_eq(close_one(3), 1);
    /* Not before the file is closed in the store. */
    ck_assert_int_eq(try_open(9), -FSIF_EMFILE);
    fsi_handles_free(&h, 3);
    ck_assert_uint_eq(open_one(9), 3);
}
END_TEST

/* Nobody else gets the number, nobody can use it, and it may be given back. */
START_TEST(reserved)
{
    uint64_t file;
    int n;

    begin();
    for (uint32_t i = 0; i + 1 < N; i++)
        open_one(i);
    n = fsi_handles_reserve(&h);
    ck_assert_int_eq(n, N - 1);
    ck_assert_int_eq(fsi_handles_reserve(&h), -FSIF_EMFILE);
    ck_assert_int_eq(fsi_handles_get(&h, N - 1, &file, &export), -FSIF_EBADF);
    fsi_handles_free(&h, N - 1);
    ck_assert_uint_eq(open_one(5), N - 1);
}
END_TEST

START_TEST(bad_numbers)
{
    static const uint32_t bad[] = {0, 1, N - 1, N, N + 1, 1000, 0x7fffffff, 0x80000000, UINT32_MAX};
    uint64_t file = 77;

    begin();
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_int_eq(fsi_handles_get(&h, bad[i], &file, &export), -FSIF_EBADF);
    ck_assert_uint_eq(file, 77);
}
END_TEST

START_TEST(closed_while_held)
{
    uint64_t file;
    uint32_t n;

    begin();
    n = open_one(1);
    ck_assert_int_eq(fsi_handles_get(&h, n, &file, &export), 0);
    ck_assert_int_eq(fsi_handles_get(&h, n, &file, &export), 0);
    ck_assert_int_eq(close_one(n), 0);
    ck_assert_int_eq(fsi_handles_get(&h, n, &file, &export), -FSIF_EBADF);
    ck_assert_int_eq(fsi_handles_put(&h, n), 0);
    ck_assert_int_eq(fsi_handles_put(&h, n), 1); /* the last ends it */
    /* ENDING: taken, and not open to anyone. */
    ck_assert_int_eq(fsi_handles_get(&h, n, &file, &export), -FSIF_EBADF);
    fsi_handles_free(&h, n);
}
END_TEST

START_TEST(closed_twice)
{
    uint64_t file;
    uint32_t n;

    begin();
    n = open_one(1);
    /* Two closes were fetched before either ran. */
    ck_assert_int_eq(fsi_handles_get(&h, n, &file, &export), 0);
    ck_assert_int_eq(fsi_handles_get(&h, n, &file, &export), 0);
    ck_assert_int_eq(fsi_handles_close(&h, n), 0);
    ck_assert_int_eq(fsi_handles_close(&h, n), -FSIF_EBADF);
    ck_assert_int_eq(fsi_handles_put(&h, n), 0);
    ck_assert_int_eq(fsi_handles_put(&h, n), 1);
}
END_TEST

START_TEST(walk)
{
    unsigned closed;
    uint64_t file;

    begin();
    ck_assert_uint_eq(count_open(&closed), 0);
    for (uint32_t i = 0; i < N; i++)
        open_one(100 + i);
    ck_assert_uint_eq(count_open(&closed), N);
    ck_assert_uint_eq(closed, 0);
    ck_assert_int_eq(fsi_handles_get(&h, 2, &file, &export), 0);
    ck_assert_int_eq(close_one(2), 0);
    ck_assert_int_eq(close_one(4), 1);
    fsi_handles_free(&h, 4);
    ck_assert_uint_eq(count_open(&closed), N - 1);
    ck_assert_uint_eq(closed, 1);
}
END_TEST

/* A process died: 0 idle, 1 held, 2 closed while held, 3 being closed, 4 taken and not yet open. */
START_TEST(recover)
{
    unsigned closed;
    uint64_t file;
    uint32_t n;

    begin();
    for (uint32_t i = 0; i < 4; i++)
        open_one(100 + i);
    ck_assert_int_eq(fsi_handles_get(&h, 1, &file, &export), 0);
    ck_assert_int_eq(fsi_handles_get(&h, 2, &file, &export), 0);
    ck_assert_int_eq(close_one(2), 0);
    ck_assert_int_eq(close_one(3), 1);
    ck_assert_int_eq(fsi_freelist_take(&list, words, 4), 1);

    fsi_handles_recover(&h);
    ck_assert_uint_eq(count_open(&closed), 3);
    ck_assert_uint_eq(closed, 1);
    ck_assert_int_eq(fsi_handles_get(&h, 2, &file, &export), -FSIF_EBADF);
    ck_assert_int_eq(fsi_handles_get(&h, 3, &file, &export), -FSIF_EBADF);
    /* The successor ends what was closed, and dies in the middle of it: not again. */
    ck_assert_int_eq(fsi_handles_put(&h, 2), 1);
    fsi_handles_recover(&h);
    ck_assert_uint_eq(count_open(&closed), 2);
    ck_assert_uint_eq(closed, 0);
    /* The dead process's hold of 1 is gone. */
    ck_assert_int_eq(close_one(1), 1);
    fsi_handles_free(&h, 1);
    ck_assert_int_eq(close_one(0), 1);
    fsi_handles_free(&h, 0);
    /* Every number is there again, once. */
    for (uint32_t i = 0; i < N; i++) {
        n = open_one(i);
        ck_assert_int_eq(fsi_handles_get(&h, n, &file, &export), 0);
        ck_assert_uint_eq(file, i);
    }
    ck_assert_int_eq(try_open(1), -FSIF_EMFILE);
}
END_TEST

/* --- threads: each file is closed once, by the last that held it --- */

#define THREADS 4
#define ROUNDS 20000

static struct fsif_shared_u32 closes[THREADS * ROUNDS];
static struct fsif_shared_u32 wrong;

static void let_go(uint32_t n, uint64_t file)
{
    if (!fsi_handles_put(&h, n))
        return;
    if (fsi_fetch_add(&closes[file], 1))
        fsi_store_seq(&wrong, 1);
    fsi_handles_free(&h, n);
}

static void *opener(void *arg)
{
    uint64_t file = *(uint64_t *)arg * ROUNDS;
    uint64_t end = file + ROUNDS;
    uint64_t other;
    uint32_t other_export;

    while (file < end) {
        int n = try_open(file);

        if (n < 0) {
            sched_yield();
            continue;
        }
        for (uint32_t i = 0; i < N; i++) {
            if (fsi_handles_get(&h, i, &other, &other_export))
                continue;
            if (fsi_load_seq(&closes[other]))
                fsi_store_seq(&wrong, 1); /* held and closed in the store */
            let_go(i, other);
        }
        if (fsi_handles_get(&h, (uint32_t)n, &other, &other_export) || other != file)
            fsi_store_seq(&wrong, 1);
        if (fsi_handles_close(&h, (uint32_t)n))
            fsi_store_seq(&wrong, 1);
        let_go((uint32_t)n, file);
        file++;
    }
    return NULL;
}

START_TEST(threads)
{
    pthread_t thread[THREADS];
    uint64_t who[THREADS];
    unsigned closed;

    begin();
    memset(closes, 0, sizeof(closes));
    wrong.v_ = 0;
    for (uint64_t i = 0; i < THREADS; i++) {
        who[i] = i;
        ck_assert_int_eq(pthread_create(&thread[i], NULL, opener, &who[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    ck_assert_uint_eq(wrong.v_, 0);
    for (size_t i = 0; i < THREADS * ROUNDS; i++)
        ck_assert_uint_eq(closes[i].v_, 1);
    ck_assert_uint_eq(count_open(&closed), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("handles");
    TCase *tc = tcase_create("handles");

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, life);
    tcase_add_test(tc, too_many);
    tcase_add_test(tc, reserved);
    tcase_add_test(tc, bad_numbers);
    tcase_add_test(tc, closed_while_held);
    tcase_add_test(tc, closed_twice);
    tcase_add_test(tc, walk);
    tcase_add_test(tc, recover);
    tcase_add_test(tc, threads);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
