/* SPDX-License-Identifier: MIT */

/* The memory store: listings. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "store_memory_fixture.h"

enum { LISTED = 100000 };
static unsigned char seen[LISTED];
static int given, failed; /* to look at each call alone would take longer than the call */

/* Odd ones go: the one just given, the next, and one far away. An even one is renamed over: its
 * name was there throughout. */
static void disturb(int at)
{
    char path[64], other[64];

    snprintf(path, sizeof(path), "d/%d", at | 1);
    remove_at(path);
    snprintf(path, sizeof(path), "d/%d", (at * 7) % LISTED | 1);
    remove_at(path);
    snprintf(other, sizeof(other), "d/%d", (at + 2) % LISTED & ~1);
    snprintf(path, sizeof(path), "d/new%d", given);
    failed += make_dir(path) != 0;
    failed += move(path, other) != 0;
    failed += make_dir(path) != 0;
}

struct given {
    char name[FSIF_NAME_MAX + 1];
    uint64_t cookie;
    int room;
};

static int take(void *arg, const struct fsif_store_entry *entry)
{
    struct given *to = arg;

    if (to->room == 0)
        return 0;
    failed += entry->name_len != strlen(entry->name) || entry->cookie == 0;
    memcpy(to->name, entry->name, entry->name_len + 1);
    to->cookie = entry->cookie;
    to->room--;
    return 1;
}

/* B25: 100,000 entries, half of them removed, renamed over or added while the listing runs. */
START_TEST(b25_listing)
{
    struct given at = {.cookie = 0};
    char name[32];
    uint64_t dir;

    restart(&(struct fsif_store_config){.max_nodes = 2 * LISTED});
    ck_ok(make_dir("d"));
    for (int i = 0; i < LISTED; i++) {
        snprintf(name, sizeof(name), "d/%d", i);
        failed += make_dir(name) != 0;
    }
    ck_ok(open_at("d", FSIF_O_DIRECTORY, 0, &dir));
    for (;;) {
        at.room = 1;
        failed += OPS->readdir(store, dir, at.cookie, take, &at) < 0;
        if (at.room == 1)
            break;
        if (given++ < 2) {
            ck_assert_str_eq(at.name, given == 1 ? "." : "..");
            continue;
        }
        failed += seen[atoi(at.name)]++ != 0;
        disturb(atoi(at.name));
    }
    for (int i = 0; i < LISTED; i += 2)
        failed += seen[i] != 1;
    ck_assert_int_eq(failed, 0);
    at.room = 1;
    ck_ok(OPS->readdir(store, dir, UINT64_MAX, take, &at));
    ck_assert_int_eq(at.room, 1);
    ck_ok(OPS->close(store, dir));
    ck_assert_int_eq(OPS->readdir(store, dir, 0, take, &at), -FSIF_EBADF);
    ck_ok(open_at("f", NEW, 0644, &dir));
    ck_assert_int_eq(OPS->readdir(store, dir, 0, take, &at), -FSIF_ENOTDIR);
}
END_TEST

/* What an entry says, and that "." and ".." are where they must be. */
static int check_entry(void *arg, const struct fsif_store_entry *entry)
{
    const char *name = entry->name[0] == '.' ? entry->name : "d";
    struct fsif_attr attr = attr_at(strcmp(name, "..") == 0 ? "." : name);
    int *n = arg;

    if (strcmp(entry->name, "l") == 0)
        attr = attr_at("d/l");
    else if (strcmp(name, "d") == 0)
        attr = attr_at("d/f");
    else if (strcmp(name, ".") == 0)
        attr = attr_at("d");
    ck_assert_uint_eq(entry->ino, attr.ino);
    ck_assert_uint_eq(entry->type, attr.mode & FSIF_S_IFMT);
    ++*n;
    return 1;
}

START_TEST(entries)
{
    uint64_t d;
    int n = 0;

    ck_ok(make_dir("d"));
    ck_ok(try_create("d/f"));
    ck_ok(link_to("x", "d/l"));
    d = opened("d", 0);
    ck_ok(OPS->readdir(store, d, 0, check_entry, &n));
    ck_assert_int_eq(n, 4);
}
END_TEST

static int count(void *arg, const struct fsif_store_entry *entry)
{
    uint32_t *n = arg;

    ++*n;
    return entry->name_len > 0;
}

/* Sanitizers make ten of one. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(__clang__)
enum { MANY = 100000 };
#else
enum { MANY = 1000000 };
#endif

/* A million entries are found, listed and removed, which a search from the start would take days
 * for. */
START_TEST(million)
{
    struct given at = {.cookie = 0};
    struct fsif_attr attr;
    uint32_t n = 0;
    char name[16];
    uint64_t d;

    restart(&(struct fsif_store_config){.max_nodes = MANY + 10});
    ck_ok(make_dir("d"));
    d = opened("d", 0);
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof(name), "%d", i);
        failed += OPS->mknod(store, d, name, FSIF_S_IFREG, 0) != 0;
    }
    for (int i = 0; i < MANY; i += 7) {
        snprintf(name, sizeof(name), "%d", i);
        failed += OPS->stat(store, d, name, 0, &attr) != 0;
    }
    ck_ok(OPS->readdir(store, d, 0, count, &n));
    ck_assert_uint_eq(n, MANY + 2);
    for (int i = 0; i < MANY; i += 50) {
        at.room = 50;
        failed += OPS->readdir(store, d, at.cookie, take, &at) != 1;
    }
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof(name), "%d", i);
        failed += OPS->remove(store, d, name, FSIF_REMOVE_FILE) != 0;
    }
    n = 0;
    ck_ok(OPS->readdir(store, d, 0, count, &n));
    ck_assert_uint_eq(n, 2);
    ck_assert_int_eq(failed, 0);
}
END_TEST

void add_listings(TCase *c)
{
    tcase_add_test(c, b25_listing);
    tcase_add_test(c, entries);
    tcase_add_test(c, million);
}
