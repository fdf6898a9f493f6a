/* SPDX-License-Identifier: MIT */

/* The posix store's listings. */

#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "store_posix_fixture.h"

/* Names long enough that the kernel gives them in several pieces */
enum { MANY = 1000 };

#define TAIL "-of-a-directory-with-a-lot-of-entries-that-have-such-long-names-as-this"

static void make_many(const char *dir)
{
    char name[128];

    ck_assert_int_eq(mkdirat(export_fd, dir, 0755), 0);
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof(name), "%s/n%d" TAIL, dir, i);
        put(export_fd, name, "");
    }
}

/* A listing in pieces of `most` entries. */
struct reading {
    unsigned most;
    unsigned now;
    uint64_t cookie;
    unsigned total;
    unsigned dots;
    unsigned char seen[MANY];
};

static int take(void *arg, const struct fsif_store_entry *entry)
{
    struct reading *r = arg;

    if (r->now == r->most)
        return 0;
    if (entry->name[0] == 'n')
        r->seen[atoi(entry->name + 1)]++;
    else
        r->dots += entry->type == FSIF_S_IFDIR && entry->ino == 0;
    r->cookie = entry->cookie;
    r->now++;
    r->total++;
    return 1;
}

/* Returns as readdir */
static int read_piece(uint64_t dir, struct reading *r)
{
    r->now = 0;
    return OPS->readdir(store, dir, r->cookie, take, r);
}

static void check_whole(const struct reading *r)
{
    for (int i = 0; i < MANY; i++)
        ck_assert_uint_eq(r->seen[i], 1);
    ck_assert_uint_eq(r->dots, 2);
    ck_assert_uint_eq(r->total, MANY + 2);
}

START_TEST(b25_pieces)
{
    static const unsigned most[] = {1, 2, 3, 7, 100, MANY, MANY + 2, MANY + 3};
    uint64_t dir;

    make_many("d");
    dir = open_dir(store, "d");
    for (size_t i = 0; i < sizeof(most) / sizeof(most[0]); i++) {
        struct reading r = {.most = most[i]};
        int more;

        do
            more = read_piece(dir, &r);
        while (more == 1);
        ck_assert_int_eq(more, 0);
        check_whole(&r);
        ck_assert_int_eq(read_piece(dir, &r), 0); /* the end stays the end */
        ck_assert_uint_eq(r.total, MANY + 2);
    }
    OPS->close(store, dir);
}
END_TEST

/* Entries come and go between the pieces: those that are there throughout come once. */
START_TEST(b25_changes)
{
    struct reading r = {.most = 10};
    char name[128];
    uint64_t dir;

    make_many("d");
    dir = open_dir(store, "d");
    for (unsigned round = 0; read_piece(dir, &r) == 1; round++) {
        snprintf(name, sizeof(name), "d/x%u", round);
        put(export_fd, name, "");
        snprintf(name, sizeof(name), "d/n%u" TAIL, round % 100);
        unlinkat(export_fd, name, 0);
    }
    for (int i = 100; i < MANY; i++)
        ck_assert_uint_eq(r.seen[i], 1);
    for (int i = 0; i < 100; i++)
        ck_assert_uint_le(r.seen[i], 1);
    OPS->close(store, dir);
}
END_TEST

/* What was read ahead belongs to one open directory, though the next may get its number. */
START_TEST(b25_number_again)
{
    struct reading r = {.most = 5};
    uint64_t dir, again;

    make_many("d");
    ck_assert_int_eq(mkdirat(export_fd, "e", 0755), 0);
    dir = open_dir(store, "d");
    ck_assert_int_eq(read_piece(dir, &r), 1);
    ck_assert_int_eq(OPS->close(store, dir), 0);
    again = open_dir(store, "e");
    ck_assert(again == dir);
    ck_assert_str_eq(list_names(store, again), "./../");
    ck_assert_int_le(read_piece(again, &r), 0);
    ck_assert_uint_eq(r.total, 5);
    OPS->close(store, again);
}
END_TEST

/* Two listings of one handle, in turns and at different places */
START_TEST(b25_two_places)
{
    struct reading a = {.most = 7}, b = {.most = 11};
    int more_a = 1, more_b = 1;
    uint64_t dir;

    make_many("d");
    dir = open_dir(store, "d");
    while (more_a == 1 || more_b == 1) {
        if (more_a == 1)
            more_a = read_piece(dir, &a);
        if (more_b == 1)
            more_b = read_piece(dir, &b);
    }
    check_whole(&a);
    check_whole(&b);
    OPS->close(store, dir);
}
END_TEST

/* B25: any cookie is survived. */
START_TEST(b25_forged_cookies)
{
    uint64_t dir;

    make_many("d");
    dir = open_dir(store, "d");
    for (uint64_t cookie = 1; cookie != 0; cookie = cookie < UINT64_MAX / 3 ? cookie * 3 : 0) {
        struct reading r = {.most = 5, .cookie = cookie};
        int err = read_piece(dir, &r);
        ck_assert(err == 0 || err == 1 || err == -FSIF_EINVAL);
    }
    ck_assert_int_eq(OPS->readdir(store, dir, UINT64_MAX, take, NULL), -FSIF_EINVAL);
    OPS->close(store, dir);
}
END_TEST

struct reader {
    uint64_t dir;
    unsigned most;
    struct reading reading;
};

static void *read_all(void *arg)
{
    struct reader *r = arg;

    for (int round = 0; round < 20; round++) {
        memset(&r->reading, 0, sizeof(r->reading));
        r->reading.most = r->most;
        while (read_piece(r->dir, &r->reading) == 1)
            ;
    }
    return NULL;
}

/* Several threads read one open directory. */
START_TEST(b25_one_handle)
{
    static struct reader readers[4];
    pthread_t thread[4];
    uint64_t dir;

    make_many("d");
    dir = open_dir(store, "d");
    for (unsigned i = 0; i < 4; i++) {
        readers[i] = (struct reader){.dir = dir, .most = 50 + 400 * i};
        ck_assert_int_eq(pthread_create(&thread[i], NULL, read_all, &readers[i]), 0);
    }
    for (unsigned i = 0; i < 4; i++) {
        pthread_join(thread[i], NULL);
        check_whole(&readers[i].reading);
    }
    OPS->close(store, dir);
}
END_TEST

static int look(void *arg, const struct fsif_store_entry *entry)
{
    struct fsif_attr attr;
    uint64_t dir = *(uint64_t *)arg;

    if (strcmp(entry->name, ".") == 0 || strcmp(entry->name, "..") == 0)
        return 1;
    ck_assert_int_eq(OPS->stat(store, dir, entry->name, FSIF_AT_NOFOLLOW, &attr), 0);
    ck_assert_uint_eq(attr.ino, entry->ino);
    ck_assert_uint_eq(attr.mode & FSIF_S_IFMT, entry->type);
    return 1;
}

START_TEST(types)
{
    uint64_t dir;

    ck_assert_int_eq(mkdirat(export_fd, "d", 0755), 0);
    ck_assert_int_eq(mkdirat(export_fd, "d/dir", 0755), 0);
    ck_assert_int_eq(mkfifoat(export_fd, "d/fifo", 0644), 0);
    ck_assert_int_eq(symlinkat("nowhere", export_fd, "d/link"), 0);
    put(export_fd, "d/file", "");
    dir = open_dir(store, "d");
    ck_assert_str_eq(list_names(store, dir), "./../dir/fifo/file/link/");
    ck_assert_int_eq(OPS->readdir(store, dir, 0, look, &dir), 0);
    OPS->close(store, dir);
}
END_TEST

START_TEST(what_cannot_be_listed)
{
    uint64_t file, path, dir;

    put(export_fd, "f", "");
    ck_assert_int_eq(mkdirat(export_fd, "d", 0755), 0);
    ck_assert_int_eq(OPS->open(store, ROOT, "f", FSIF_O_RDONLY, 0, &file, NULL), 0);
    ck_assert_int_eq(OPS->open(store, ROOT, "d", FSIF_O_PATH, 0, &path, NULL), 0);
    ck_assert_int_eq(OPS->readdir(store, file, 0, take, NULL), -FSIF_ENOTDIR);
    ck_assert_int_eq(OPS->readdir(store, path, 0, take, NULL), -FSIF_EBADF);
    ck_assert_int_eq(OPS->readdir(store, ROOT, 0, take, NULL), -FSIF_EBADF);
    /* A directory that was removed has nothing but itself. */
    dir = open_dir(store, "d");
    ck_assert_int_eq(unlinkat(export_fd, "d", AT_REMOVEDIR), 0);
    ck_assert_str_eq(list_names(store, dir), "./../");
    OPS->close(store, file);
    OPS->close(store, path);
    OPS->close(store, dir);
}
END_TEST

void add_listing(TCase *c)
{
    tcase_add_test(c, b25_pieces);
    tcase_add_test(c, b25_changes);
    tcase_add_test(c, b25_number_again);
    tcase_add_test(c, b25_two_places);
    tcase_add_test(c, b25_forged_cookies);
    tcase_add_test(c, b25_one_handle);
    tcase_add_test(c, types);
    tcase_add_test(c, what_cannot_be_listed);
}
