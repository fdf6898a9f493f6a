/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include "barrier.h"
#include "freelist.h"
#include "suite.h"

#define MOST 1024u

static const uint32_t counts[] = {1, 2, 31, 32, 33, 63, 64, 65, 100, 1000, MOST};
#define NCOUNTS ((int)(sizeof(counts) / sizeof(counts[0])))

static struct fsi_freelist list;
static struct fsif_shared_u32 words[FSI_FREELIST_WORDS(MOST) + 1];

static void begin(uint32_t count)
{
    memset(words, 0xa5, sizeof(words));
    fsi_freelist_init(&list, words, count);
}

/* Takes all there is and checks that it is 0 .. count - 1, each once. */
static void drain(uint32_t count)
{
    unsigned char got[MOST] = {0};
    uint32_t n = MOST;

    for (uint32_t i = 0; i < count; i++) {
        ck_assert_int_eq(fsi_freelist_get(&list, words, &n), 1);
        ck_assert_uint_lt(n, count);
        ck_assert_uint_eq(got[n]++, 0);
    }
    n = 12345;
    ck_assert_int_eq(fsi_freelist_get(&list, words, &n), 0);
    ck_assert_uint_eq(n, 12345);
}

START_TEST(exhaust)
{
    begin(counts[_i]);
    drain(counts[_i]);
    /* No word behind the last is touched. */
    ck_assert_uint_eq(words[FSI_FREELIST_WORDS(counts[_i])].v_, 0xa5a5a5a5);
}
END_TEST

START_TEST(reuse)
{
    uint32_t count = counts[_i];
    uint32_t n;

    begin(count);
    drain(count);
    for (uint32_t i = 0; i < count; i++) {
        fsi_freelist_put(&list, words, i);
        ck_assert_int_eq(fsi_freelist_get(&list, words, &n), 1);
        ck_assert_uint_eq(n, i);
        ck_assert_int_eq(fsi_freelist_get(&list, words, &n), 0);
    }
    for (uint32_t i = count; i-- > 0;)
        fsi_freelist_put(&list, words, i);
    drain(count);
}
END_TEST

START_TEST(take)
{
    uint32_t count = counts[_i];
    uint32_t last = count - 1;
    uint32_t n;

    begin(count);
    ck_assert_int_eq(fsi_freelist_take(&list, words, last), 1);
    ck_assert_int_eq(fsi_freelist_take(&list, words, last), 0);
    ck_assert_int_eq(fsi_freelist_take(&list, words, count), 0);
    ck_assert_int_eq(fsi_freelist_take(&list, words, count + 31), 0);
    ck_assert_int_eq(fsi_freelist_take(&list, words, UINT32_MAX), 0);
    for (uint32_t i = 0; i < last; i++) {
        ck_assert_int_eq(fsi_freelist_get(&list, words, &n), 1);
        ck_assert_uint_ne(n, last);
    }
    ck_assert_int_eq(fsi_freelist_get(&list, words, &n), 0);
    fsi_freelist_put(&list, words, last);
    ck_assert_int_eq(fsi_freelist_take(&list, words, last), 1);
}
END_TEST

/* --- no number is held twice --- */

#define THREADS 4
#define ROUNDS 50000
#define SHARED 37u /* few enough to run out */

static struct fsif_shared_u32 holder[SHARED];
static struct fsif_shared_u32 twice;

static void *hammer(void *arg)
{
    uint32_t seed = *(uint32_t *)arg;
    uint32_t mine[16];
    uint32_t n = 0;

    for (int i = 0; i < ROUNDS; i++) {
        seed = seed * 1664525u + 1013904223u;
        if (n < 16 && seed & 0x10000) {
            int got = seed & 0x20000 ? fsi_freelist_get(&list, words, &mine[n])
                                     : (mine[n] = (seed >> 18) % SHARED,
                                        fsi_freelist_take(&list, words, mine[n]));

            if (!got)
                continue;
            if (fsi_fetch_add(&holder[mine[n]], 1))
                fsi_store_seq(&twice, 1);
            n++;
        } else if (n > 0) {
            n--;
            fsi_fetch_add(&holder[mine[n]], UINT32_MAX);
            fsi_freelist_put(&list, words, mine[n]);
        }
    }
    while (n > 0) {
        n--;
        fsi_fetch_add(&holder[mine[n]], UINT32_MAX);
        fsi_freelist_put(&list, words, mine[n]);
    }
    return NULL;
}

START_TEST(threads)
{
    pthread_t thread[THREADS];
    uint32_t seed[THREADS];

    begin(SHARED);
    memset(holder, 0, sizeof(holder));
    twice.v_ = 0;
    for (uint32_t i = 0; i < THREADS; i++) {
        seed[i] = i + 1;
        ck_assert_int_eq(pthread_create(&thread[i], NULL, hammer, &seed[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    ck_assert_uint_eq(twice.v_, 0);
    drain(SHARED);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("freelist");
    TCase *tc = tcase_create("freelist");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, exhaust, 0, NCOUNTS);
    tcase_add_loop_test(tc, reuse, 0, NCOUNTS);
    tcase_add_loop_test(tc, take, 0, NCOUNTS);
    tcase_add_test(tc, threads);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
