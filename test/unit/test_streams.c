/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <fsif/error.h>
#include "scriptstore.h"
#include "streams.h"
#include "suite.h"

#define MOST 4u
#define MANY 2000u /* entries; no directory here has more */

static struct scriptstore store;
static struct fsi_stream table[MOST];
static struct fsif_shared_u32 last_stamp;
static struct fsi_streams streams;
static char page[FSIF_PAGE_SIZE];

static void begin(unsigned count, unsigned names, unsigned name_size)
{
    script_init(&store);
    store.names = names;
    store.name_size = name_size;
    memset(table, 0, sizeof(table));
    last_stamp.v_ = 0;
    streams = (struct fsi_streams){table, count, &last_stamp, &script_ops, script_store(&store)};
}

/* Everything that was opened is closed, once. */
static void end(void)
{
    fsi_streams_fini(&streams);
    ck_assert_uint_eq(store.list_opens, store.list_closes);
    ck_assert_uint_eq(store.wrong, 0);
    script_fini(&store);
}

static struct fsif_result list(const char *path, uint64_t offset)
{
    struct fsif_op op = {.type = FSIF_OP_LIST, .path = path, .offset = offset};
    struct fsif_result r = {0};

    memset(page, 0x5a, sizeof(page));
    fsi_streams_list(&streams, &op, page, &r);
    return r;
}

/* The page holds entries @from and following, r's number of them, and nothing behind them. */
static void check_page(const struct fsif_result *r, unsigned from)
{
    char want[FSIF_NAME_MAX + 1];
    uint32_t at = 0;

    for (int64_t i = 0; i < r->value; i++) {
        script_name(&store, from + (unsigned)i, want);
        ck_assert_mem_eq(page + at, want, store.name_size);
        at += store.name_size;
    }
    ck_assert_uint_eq(r->used, at);
    for (; at < FSIF_PAGE_SIZE; at++)
        ck_assert_int_eq(page[at], 0x5a);
}

/* A whole listing, page by page. Returns the pages. */
static unsigned walk(const char *path)
{
    unsigned seen = 0;
    unsigned pages = 0;
    struct fsif_result r;

    do {
        r = list(path, seen);
        ck_assert_int_ge(r.value, 0);
        check_page(&r, seen);
        seen += (unsigned)r.value;
        pages++;
        ck_assert_uint_le(pages, MANY);
    } while (r.more);
    ck_assert_uint_eq(seen, store.names);
    return pages;
}

START_TEST(small)
{
    struct fsif_result r;

    begin(1, 3, 8);
    r = list(".", 0);
    ck_assert_int_eq(r.value, 3);
    ck_assert_uint_eq(r.more, 0);
    check_page(&r, 0);
    ck_assert_str_eq(store.path, ".");
    ck_assert_uint_eq(store.list_closes, 1);
    end();
}
END_TEST

START_TEST(empty)
{
    struct fsif_result r;

    begin(1, 0, 8);
    r = list("d", 0);
    ck_assert_int_eq(r.value, 0);
    ck_assert_uint_eq(r.more, 0);
    ck_assert_uint_eq(r.used, 0);
    ck_assert_uint_eq(store.list_closes, 1);
    end();
}
END_TEST

/* A continuation opens nothing anew and skips nothing by counting. */
START_TEST(continuation)
{
    unsigned pages;

    begin(2, MANY, 30);
    pages = walk("d");
    ck_assert_uint_gt(pages, 10);
    ck_assert_uint_eq(store.list_opens, 1);
    ck_assert_uint_eq(store.nexts, MANY + pages - 1); /* what does not fit comes again */
    end();
}
END_TEST

/* A name is added while more than 255 bytes are free, never otherwise. */
START_TEST(page_limit)
{
    for (unsigned size = 8; size <= 256; size++) {
        unsigned fits = (FSIF_PAGE_SIZE - 256) / size + 1;
        struct fsif_result r;

        begin(1, 1000, size);
        r = list("d", 0);
        ck_assert_int_eq(r.value, (int64_t)fits);
        ck_assert_uint_eq(r.more, 1);
        check_page(&r, 0);
        end();
    }
}
END_TEST

/* more is never said of nothing, nor kept quiet about. */
START_TEST(more_is_exact)
{
    for (unsigned size = 8; size <= 256; size += 31) {
        unsigned fits = (FSIF_PAGE_SIZE - 256) / size + 1;

        for (unsigned names = 2 * fits - 1; names <= 2 * fits + 1; names++) {
            begin(1, names, size);
            ck_assert_uint_eq(walk("d"), (names + fits - 1) / fits);
            ck_assert_uint_eq(table[0].word.v_, 0);
            end();
        }
    }
}
END_TEST

/* The least recently used goes; its listing starts again by counting and loses nothing. */
START_TEST(eviction)
{
    struct fsif_result a, b, c;

    begin(2, 300, 100);
    a = list("a", 0);
    b = list("b", 0);
    ck_assert_uint_eq(a.more && b.more, 1);
    a = list("a", (uint64_t)a.value); /* a is now younger than b */
    ck_assert_uint_eq(store.list_opens, 2);
    c = list("c", 0);
    ck_assert_uint_eq(store.list_opens, 3);
    ck_assert_uint_eq(store.list_closes, 1);
    list("a", 2 * (uint64_t)a.value);
    ck_assert_uint_eq(store.list_opens, 3); /* a was kept */
    b = list("b", (uint64_t)b.value);
    ck_assert_uint_eq(store.list_opens, 4); /* b was not */
    check_page(&b, (unsigned)c.value);
    end();
}
END_TEST

START_TEST(eviction_across_the_stamps_wrap)
{
    struct fsif_result a;

    begin(2, 300, 100);
    last_stamp.v_ = UINT32_MAX - 1;
    a = list("a", 0);
    list("b", 0); /* stamped 0 */
    list("c", 0);
    ck_assert_uint_eq(store.list_opens, 3);
    list("b", (uint64_t)a.value);
    ck_assert_uint_eq(store.list_opens, 3);
    list("a", (uint64_t)a.value);
    ck_assert_uint_eq(store.list_opens, 4);
    end();
}
END_TEST

/* Another path, an offset that no page ended at: a listing of its own. */
START_TEST(no_false_match)
{
    struct fsif_result r;
    char long_path[FSIF_PATH_MAX + 1];

    begin(4, 300, 100);
    r = list("abc", 0);
    list("abcd", (uint64_t)r.value);
    list("ab", (uint64_t)r.value);
    list("abc", (uint64_t)r.value - 1);
    ck_assert_uint_eq(store.list_opens, 4);
    list("abc", (uint64_t)r.value);
    ck_assert_uint_eq(store.list_opens, 4);
    end();

    begin(2, 300, 100);
    memset(long_path, 'p', FSIF_PATH_MAX);
    long_path[FSIF_PATH_MAX] = '\0';
    r = list(long_path, 0);
    long_path[FSIF_PATH_MAX - 1] = 'q';
    list(long_path, (uint64_t)r.value);
    ck_assert_uint_eq(store.list_opens, 2);
    long_path[FSIF_PATH_MAX - 1] = 'p';
    list(long_path, (uint64_t)r.value);
    ck_assert_uint_eq(store.list_opens, 2);
    end();
}
END_TEST

/* Offset 0 is always a new listing: never the rest of an old one. */
START_TEST(from_the_start_again)
{
    struct fsif_result r;

    begin(2, 300, 100);
    list("d", 0);
    r = list("d", 0);
    check_page(&r, 0);
    ck_assert_uint_eq(store.list_opens, 2);
    end();
}
END_TEST

START_TEST(offset_beyond_the_end)
{
    struct fsif_result r;

    begin(1, 10, 8);
    for (uint64_t offset = 10; offset < UINT64_C(0x100000000); offset = offset * 3 + 1) {
        r = list("d", offset);
        ck_assert_int_eq(r.value, 0);
        ck_assert_uint_eq(r.more, 0);
    }
    r = list("d", 9);
    ck_assert_int_eq(r.value, 1);
    end();
}
END_TEST

START_TEST(errors)
{
    struct fsif_result r;

    begin(1, 300, 100);
    store.list_open_error = FSIF_ENOTDIR;
    ck_assert_int_eq(list("d", 0).value, -FSIF_ENOTDIR);
    store.list_open_error = 0;

    store.list_fails_at = 1; /* the first entry */
    ck_assert_int_eq(list("d", 0).value, -FSIF_EIO);
    store.list_fails_at = 5; /* one to be skipped */
    ck_assert_int_eq(list("d", 7).value, -FSIF_EIO);
    store.list_fails_at = 20; /* in the middle of a page */
    r = list("d", 0);
    ck_assert_int_eq(r.value, -FSIF_EIO);
    ck_assert_uint_eq(r.used, 0);
    ck_assert_uint_eq(r.more, 0);
    store.list_fails_at = 60; /* in a continuation */
    r = list("d", 0);
    ck_assert_int_gt(r.value, 0);
    ck_assert_int_eq(list("d", (uint64_t)r.value).value, -FSIF_EIO);
    /* Nothing of it is kept; it works again when the store does. */
    ck_assert_uint_eq(table[0].word.v_, 0);
    store.list_fails_at = 0;
    r = list("d", (uint64_t)r.value);
    check_page(&r, 39);
    end();
}
END_TEST

/* A store's names are no longer than names may be. */
START_TEST(store_says_too_much)
{
    static const uint32_t lies[] = {FSIF_NAME_MAX + 1, FSIF_PAGE_SIZE, UINT32_MAX};
    struct fsif_result r;

    begin(1, 300, 100);
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        store.entry_name_len = lies[i];
        r = list("d", 0);
        ck_assert_int_eq(r.value, -FSIF_EIO);
        ck_assert_uint_eq(r.used, 0);
        check_page(&(struct fsif_result){0}, 0);
    }
    ck_assert_uint_eq(table[0].word.v_, 0);
    end();
}
END_TEST

START_TEST(forget)
{
    begin(2, 300, 100);
    list("a", 0);
    list("b", 0);
    fsi_streams_forget(&streams);
    ck_assert_uint_eq(store.list_closes, 0); /* they died with their process */
    list("a", 39);
    ck_assert_uint_eq(store.list_opens, 3);
    store.list_closes += 2;
    end();
}
END_TEST

/* --- threads --- */

static void *list_first(void *arg)
{
    struct fsif_op op = {.type = FSIF_OP_LIST, .path = arg};
    static _Thread_local char mine[FSIF_PAGE_SIZE];
    struct fsif_result r = {0};

    fsi_streams_list(&streams, &op, mine, &r);
    return (void *)(intptr_t)r.value;
}

START_TEST(all_in_use)
{
    char a[] = "a", b[] = "b";
    pthread_t thread[2];
    void *value;

    begin(2, 10, 8);
    script_hold(&store, 1);
    ck_assert_int_eq(pthread_create(&thread[0], NULL, list_first, a), 0);
    ck_assert_int_eq(pthread_create(&thread[1], NULL, list_first, b), 0);
    script_wait(&store, 2);
    ck_assert_int_eq(list("c", 0).value, -FSIF_EAGAIN);
    script_hold(&store, 0);
    for (int i = 0; i < 2; i++) {
        pthread_join(thread[i], &value);
        ck_assert_int_eq((intptr_t)value, 10);
    }
    ck_assert_int_eq(list("c", 0).value, 10);
    end();
}
END_TEST

static int failures;

static void *walk_all(void *arg)
{
    static _Thread_local char mine[FSIF_PAGE_SIZE];
    char want[FSIF_NAME_MAX + 1];

    for (int round = 0; round < 20; round++) {
        unsigned seen = 0;
        struct fsif_result r;

        do {
            struct fsif_op op = {.type = FSIF_OP_LIST, .path = arg, .offset = seen};
            uint32_t at = 0;

            memset(&r, 0, sizeof(r));
            fsi_streams_list(&streams, &op, mine, &r);
            if (r.value == -FSIF_EAGAIN) {
                r.more = 1;
                continue;
            }
            for (int64_t i = 0; i < r.value; i++, at += store.name_size) {
                script_name(&store, seen + (unsigned)i, want);
                if (memcmp(mine + at, want, store.name_size))
                    __atomic_fetch_add(&failures, 1, __ATOMIC_SEQ_CST);
            }
            seen += (unsigned)(r.value > 0 ? r.value : 0);
        } while (r.more);
        if (seen != store.names)
            __atomic_fetch_add(&failures, 1, __ATOMIC_SEQ_CST);
    }
    return NULL;
}

/* More listings than entries, two of them of one directory: each is whole. */
START_TEST(concurrent)
{
    char path[4][2] = {"a", "b", "c", "a"};
    pthread_t thread[4];

    begin(2, 200, 100);
    failures = 0;
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&thread[i], NULL, walk_all, path[i]), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(thread[i], NULL);
    ck_assert_int_eq(failures, 0);
    end();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("streams");
    TCase *tc = tcase_create("streams");

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, small);
    tcase_add_test(tc, empty);
    tcase_add_test(tc, continuation);
    tcase_add_test(tc, page_limit);
    tcase_add_test(tc, more_is_exact);
    tcase_add_test(tc, eviction);
    tcase_add_test(tc, eviction_across_the_stamps_wrap);
    tcase_add_test(tc, no_false_match);
    tcase_add_test(tc, from_the_start_again);
    tcase_add_test(tc, offset_beyond_the_end);
    tcase_add_test(tc, errors);
    tcase_add_test(tc, store_says_too_much);
    tcase_add_test(tc, forget);
    tcase_add_test(tc, all_in_use);
    tcase_add_test(tc, concurrent);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
