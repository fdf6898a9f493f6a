/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <fsif/arena.h>
#include <fsif/error.h>
#include "barrier.h"
#include "suite.h"

#define PAGES 100u

static uint8_t memory[PAGES * FSIF_PAGE_SIZE];
static struct fsif_arena arena;
static void *state;

static void begin(void)
{
    state = malloc(fsif_arena_state_size(PAGES));
    ck_assert_ptr_nonnull(state);
    ck_assert_int_eq(fsif_arena_init(&arena, memory, PAGES, state), 0);
}

static void end(void)
{
    free(state);
}

static struct fsif_range get(uint32_t len)
{
    struct fsif_range r = {0, 0};

    ck_assert_int_eq(fsif_arena_get(&arena, len, &r), 0);
    ck_assert_uint_eq(r.len, len);
    ck_assert_uint_eq(r.at % FSIF_PAGE_SIZE, 0);
    ck_assert_ptr_eq(fsif_arena_at(&arena, &r), memory + r.at);
    return r;
}

START_TEST(sizes)
{
    struct fsif_range r = {PAGES * FSIF_PAGE_SIZE, 1};

    ck_assert_uint_eq(fsif_arena_state_size(FSIF_ARENA_PAGES_MIN - 1), 0);
    ck_assert_uint_eq(fsif_arena_state_size(FSIF_ARENA_PAGES_MAX + 1), 0);
    ck_assert_uint_ne(fsif_arena_state_size(FSIF_ARENA_PAGES_MAX), 0);
    begin();
    ck_assert_uint_eq(fsif_arena_size(&arena), sizeof(memory));
    ck_assert_ptr_null(fsif_arena_at(&arena, &r));
    r = (struct fsif_range){4, UINT32_MAX};
    ck_assert_ptr_null(fsif_arena_at(&arena, &r));
    ck_assert_int_eq(fsif_arena_get(&arena, 0, &r), -FSIF_EINVAL);
    ck_assert_int_eq(fsif_arena_get(&arena, sizeof(memory) + 1, &r), -FSIF_EINVAL);
    ck_assert_int_eq(fsif_arena_get(&arena, UINT32_MAX, &r), -FSIF_EINVAL);
    end();
}
END_TEST

START_TEST(all_of_it)
{
    struct fsif_range part[PAGES], whole, none;

    begin();
    for (uint32_t i = 0; i < PAGES; i++)
        part[i] = get(1 + i % FSIF_PAGE_SIZE);
    ck_assert_int_eq(fsif_arena_get(&arena, 1, &none), -FSIF_EAGAIN);
    for (uint32_t i = 0; i < PAGES; i++)
        memset(memory + part[i].at, (int)i, FSIF_PAGE_SIZE);
    for (uint32_t i = 0; i < PAGES; i++)
        ck_assert_uint_eq(memory[part[i].at + FSIF_PAGE_SIZE - 1], i);
    for (uint32_t i = 0; i < PAGES; i++)
        fsif_arena_put(&arena, &part[i]);
    whole = get(sizeof(memory));
    ck_assert_int_eq(fsif_arena_get(&arena, 1, &none), -FSIF_EAGAIN);
    fsif_arena_put(&arena, &whole);
    end();
}
END_TEST

/* Runs across the ends of words, and between what is taken. */
START_TEST(runs)
{
    struct fsif_range a, b, c, none;

    begin();
    a = get(40 * FSIF_PAGE_SIZE);
    b = get(1);
    c = get(30 * FSIF_PAGE_SIZE);
    ck_assert_int_eq(fsif_arena_get(&arena, 41 * FSIF_PAGE_SIZE, &none), -FSIF_EAGAIN);
    fsif_arena_put(&arena, &a);
    a = get(40 * FSIF_PAGE_SIZE);
    fsif_arena_put(&arena, &c);
    c = get(59 * FSIF_PAGE_SIZE);
    ck_assert_int_eq(fsif_arena_get(&arena, 1, &none), -FSIF_EAGAIN);
    fsif_arena_put(&arena, &b);
    fsif_arena_put(&arena, &a);
    a = get(41 * FSIF_PAGE_SIZE);
    fsif_arena_put(&arena, &a);
    fsif_arena_put(&arena, &c);
    end();
}
END_TEST

START_TEST(resumed)
{
    struct fsif_range a, none;

    begin();
    a = get(99 * FSIF_PAGE_SIZE);
    ck_assert_int_eq(fsif_arena_resume(&arena, memory, PAGES - 1, state), -FSIF_EINVAL);
    ck_assert_int_eq(fsif_arena_resume(&arena, memory, PAGES, state), 0);
    ck_assert_int_eq(fsif_arena_get(&arena, 2 * FSIF_PAGE_SIZE, &none), -FSIF_EAGAIN);
    fsif_arena_put(&arena, &a);
    a = get(sizeof(memory));
    fsif_arena_put(&arena, &a);
    end();
}
END_TEST

static struct fsif_shared_u32 owner[PAGES];
static struct fsif_shared_u32 wrong;

/* Parts of every size; a page in two of them shows. */
static void *churn(void *arg)
{
    uint32_t seed = *(uint32_t *)arg;

    for (int round = 0; round < 20000; round++) {
        struct fsif_range r;
        uint32_t first;

        seed = seed * 1664525u + 1013904223u;
        if (fsif_arena_get(&arena, 1 + (seed >> 8) % (9 * FSIF_PAGE_SIZE), &r))
            continue;
        first = r.at / FSIF_PAGE_SIZE;
        for (uint32_t i = first; i * FSIF_PAGE_SIZE < r.at + r.len; i++) {
            if (!fsi_cas(&owner[i], 0, 1))
                fsi_store_seq(&wrong, 1);
        }
        for (uint32_t i = first; i * FSIF_PAGE_SIZE < r.at + r.len; i++)
            fsi_store_seq(&owner[i], 0);
        fsif_arena_put(&arena, &r);
    }
    return NULL;
}

START_TEST(threads)
{
    uint32_t seeds[4] = {1, 2, 3, 4};
    pthread_t id[4];
    struct fsif_range whole;

    begin();
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&id[i], NULL, churn, &seeds[i]), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(id[i], NULL);
    ck_assert_uint_eq(fsi_load_seq(&wrong), 0);
    whole = get(sizeof(memory));
    fsif_arena_put(&arena, &whole);
    end();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("arena");
    TCase *tc = tcase_create("arena");

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, sizes);
    tcase_add_test(tc, all_of_it);
    tcase_add_test(tc, runs);
    tcase_add_test(tc, resumed);
    tcase_add_test(tc, threads);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
