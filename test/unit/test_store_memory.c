/* SPDX-License-Identifier: MIT */

/* The memory store. */

#define _GNU_SOURCE
#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fsif/error.h>
#include <fsif/memory.h>
#include "suite.h"

#define OPS (&fsif_store_memory)
#define ROOT FSIF_STORE_ROOT
#define NEW (FSIF_O_RDWR | FSIF_O_CREAT | FSIF_O_TRUNC)

static struct fsif_store *store;

static void restart(uint64_t max_bytes, uint32_t max_nodes, uint32_t read_only, uint32_t setid)
{
    struct fsif_store_config config = {.size = sizeof(config),
                                       .source = "",
                                       .root_fd = -1,
                                       .max_bytes = max_bytes,
                                       .max_nodes = max_nodes,
                                       .read_only = read_only,
                                       .setid = setid,
                                       .map = FSIF_MAP_OWNER,
                                       .uid = 12,
                                       .gid = 34};

    if (store != NULL)
        OPS->destroy(store);
    ck_assert_int_eq(OPS->create(&config, &store), 0);
}

static void setup(void)
{
    restart(0, 0, 0, 0);
}

static void teardown(void)
{
    OPS->destroy(store);
    store = NULL;
}

static int open_at(const char *path, uint32_t flags, uint32_t mode, uint64_t *file)
{
    return OPS->open(store, ROOT, path, flags, mode, file, NULL);
}

static int remove_at(const char *path)
{
    return OPS->remove(store, ROOT, path, 0);
}

static int truncate_to(uint64_t file, uint64_t size)
{
    struct fsif_setattr set = {.mask = FSIF_SET_SIZE, .size = size};

    return OPS->setattr(store, file, "", 0, &set);
}

static int chmod_to(uint64_t file, uint32_t mode)
{
    struct fsif_setattr set = {.mask = FSIF_SET_MODE, .mode = mode};

    return OPS->setattr(store, file, "", 0, &set);
}

/* Free bytes */
static int64_t space(void)
{
    struct fsif_statvfs vfs;

    ck_assert_int_eq(OPS->statvfs(store, ROOT, "", &vfs), 0);
    ck_assert_uint_eq(vfs.bavail, vfs.bfree);
    return (int64_t)(vfs.bavail * vfs.bsize);
}

static int try_create(const char *path)
{
    uint64_t f = 0;
    int r = open_at(path, NEW, 0644, &f);

    return r == 0 ? OPS->close(store, f) : r;
}

static int try_open(const char *path)
{
    uint64_t f = 0;
    int r = open_at(path, 0, 0, &f);

    return r == 0 ? OPS->close(store, f) : r;
}

START_TEST(files)
{
    char buf[32];
    struct fsif_attr attr;
    uint64_t f, g;

    ck_assert_int_eq(open_at("f", NEW, 06640, &f), 0);
    ck_assert_int_eq(OPS->write(store, f, "hello", 5, 3, 0), 5);
    ck_assert_int_eq(OPS->read(store, f, buf, sizeof(buf), 0), 8);
    ck_assert_int_eq(memcmp(buf, "\0\0\0hello", 8), 0);
    ck_assert_int_eq(OPS->read(store, f, buf, 2, 8), 0);
    ck_assert_int_eq(OPS->read(store, f, buf, 2, UINT64_MAX), -FSIF_EINVAL);
    ck_assert_int_eq(OPS->write(store, f, buf, 2, UINT64_MAX - 1, 0), -FSIF_EINVAL);
    ck_assert_int_eq(OPS->write(store, f, buf, 0, 1 << 20, 0), 0);
    ck_assert_int_eq(OPS->stat(store, f, "", 0, &attr), 0);
    ck_assert_uint_eq(attr.size, 8);
    ck_assert_uint_eq(attr.mode, FSIF_S_IFREG | 0640);
    ck_assert(attr.uid == 12 && attr.gid == 34 && attr.nlink == 1);
    ck_assert(attr.mtime > 1500000000);
    ck_assert_int_eq(chmod_to(f, 07777), 0);
    ck_assert_int_eq(OPS->stat(store, f, "", 0, &attr), 0);
    ck_assert_uint_eq(attr.mode, FSIF_S_IFREG | 01777);
    ck_assert_int_eq(OPS->sync(store, f, 0), 0);
    ck_assert_int_eq(open_at("f", 0, 0, &g), 0);
    ck_assert_int_eq(OPS->write(store, g, "x", 1, 0, 0), -FSIF_EBADF);
    ck_assert_int_eq(truncate_to(g, 0), -FSIF_EINVAL);
    ck_assert_int_eq(OPS->close(store, g), 0);
    ck_assert_int_eq(OPS->close(store, g), -FSIF_EBADF);
    ck_assert_int_eq(OPS->read(store, g, buf, 1, 0), -FSIF_EBADF);
    ck_assert_int_eq(OPS->read(store, UINT64_MAX, buf, 1, 0), -FSIF_EBADF);
    ck_assert_int_eq(open_at("f", NEW, 0600, &g), 0);
    ck_assert_int_eq(OPS->read(store, f, buf, 1, 0), 0);
    ck_assert_int_eq(OPS->close(store, g), 0);
    ck_assert_int_eq(OPS->close(store, f), 0);
    ck_assert_int_eq(try_open("f/"), -FSIF_ENOTDIR);
    ck_assert_int_eq(try_open("f/g"), -FSIF_ENOTDIR);
    ck_assert_int_eq(try_create("x/"), -FSIF_EISDIR);
    ck_assert_int_eq(try_create("."), -FSIF_EISDIR);
    ck_assert_int_eq(try_open("x"), -FSIF_ENOENT);
}
END_TEST

/* Every byte of a file against a plain array, through writes and truncations at random places. */
START_TEST(data)
{
    enum { SPAN = 5 * 4096 * 512 }; /* beyond one level of pointers */
    unsigned char *model = calloc(1, SPAN), *now = malloc(SPAN), piece[9000];
    uint64_t f, size = 0;

    srand(1);
    ck_assert_int_eq(open_at("f", NEW, 0644, &f), 0);
    for (int i = 0; i < 600; i++) {
        uint64_t at = (uint64_t)rand() % (SPAN - sizeof(piece));
        uint32_t n = (uint32_t)rand() % (uint32_t)sizeof(piece) + 1;
        if (i % 5 == 4) {
            ck_assert_int_eq(truncate_to(f, at), 0);
            if (at < size)
                memset(model + at, 0, size - at);
            size = at;
            continue;
        }
        memset(piece, 1 + i % 255, n);
        ck_assert_int_eq(OPS->write(store, f, piece, n, at, 0), n);
        memcpy(model + at, piece, n);
        size = at + n > size ? at + n : size;
    }
    ck_assert_int_eq(OPS->read(store, f, now, SPAN, 0), (int64_t)size);
    ck_assert_int_eq(memcmp(now, model, size), 0);
    ck_assert_int_eq(truncate_to(f, 0), 0);
    ck_assert_int_eq(space(), 64 << 20);
    OPS->close(store, f);
    free(model);
    free(now);
}
END_TEST

START_TEST(huge_and_sparse)
{
    const uint64_t max = UINT64_C(1) << 48;
    char buf[8] = "data";
    struct fsif_attr attr;
    uint64_t f;

    ck_assert_int_eq(open_at("f", NEW, 0644, &f), 0);
    ck_assert_int_eq(truncate_to(f, max), 0);
    ck_assert_int_eq(truncate_to(f, max + 1), -FSIF_EFBIG);
    ck_assert_int_eq(truncate_to(f, UINT64_MAX), -FSIF_EINVAL);
    ck_assert_int_eq(OPS->write(store, f, buf, 1, max, 0), -FSIF_EFBIG);
    ck_assert_int_eq(OPS->write(store, f, buf, 4, max - 2, 0), 2);
    ck_assert_int_eq(OPS->read(store, f, buf, 8, max - 4), 4);
    ck_assert_int_eq(memcmp(buf, "\0\0da", 4), 0);
    ck_assert_int_eq(OPS->stat(store, f, "", 0, &attr), 0);
    ck_assert_uint_eq(attr.size, max);
    ck_assert_int_gt(space(), (64 << 20) - 6 * 4096);
    ck_assert_int_eq(truncate_to(f, 1), 0);
    ck_assert_int_eq(space(), 64 << 20);
    OPS->close(store, f);
}
END_TEST

START_TEST(b24_limits)
{
    static char block[8192];
    char name[16];
    uint64_t f;
    int i;

    restart(16 * 4096, 10, 0, 0);
    ck_assert_int_eq(open_at("f", NEW, 0644, &f), 0);
    ck_assert_int_eq(OPS->write(store, f, block, 8192, 0, 0), 8192);
    /* Blocks of pointers are paid for too. */
    ck_assert_int_eq(space(), 13 * 4096);
    for (i = 1; OPS->write(store, f, block, 1, UINT64_C(1) << (13 + i), 0) == 1; i++)
        ck_assert_int_lt(i, 16);
    ck_assert_int_eq(OPS->write(store, f, block, 1, UINT64_C(1) << 40, 0), -FSIF_ENOSPC);
    ck_assert_int_eq(OPS->write(store, f, "x", 1, 0, 0), 1); /* what is there may be changed */
    ck_assert_int_eq(truncate_to(f, 0), 0);
    ck_assert_int_eq(space(), 16 * 4096);
    ck_assert_int_eq(OPS->write(store, f, block, 8192, 14 * 4096, 0), 8192);
    for (i = 2; i < 10; i++) {
        snprintf(name, sizeof(name), "n%d", i);
        ck_assert_int_eq(i % 2 ? OPS->mkdir(store, ROOT, name, 0755) : try_create(name), 0);
    }
    ck_assert_int_eq(try_create("more"), -FSIF_ENOSPC);
    ck_assert_int_eq(OPS->mkdir(store, ROOT, "more", 0755), -FSIF_ENOSPC);
    ck_assert_int_eq(remove_at("n2"), 0);
    ck_assert_int_eq(try_create("more"), 0);
    /* An open file without a name takes its place still. */
    ck_assert_int_eq(remove_at("f"), 0);
    ck_assert_int_eq(try_create("n2"), -FSIF_ENOSPC);
    ck_assert_int_lt(space(), 16 * 4096);
    OPS->close(store, f);
    ck_assert_int_eq(try_create("n2"), 0);
    ck_assert_int_eq(space(), 16 * 4096);
}
END_TEST

START_TEST(b24_open_files)
{
    uint64_t f, first;
    int n;

    ck_assert_int_eq(open_at("f", NEW, 0644, &first), 0);
    for (n = 1; open_at("f", 0, 0, &f) == 0; n++)
        ck_assert_int_le(n, 65536);
    ck_assert_int_eq(n, 65536);
    ck_assert_int_eq(open_at("new", NEW, 0644, &f), -FSIF_EMFILE);
    ck_assert_int_eq(try_open("new"), -FSIF_EMFILE);
    ck_assert_int_eq(OPS->close(store, first), 0);
    ck_assert_int_eq(try_open("new"), -FSIF_ENOENT);
    ck_assert_int_eq(open_at("f", 0, 0, &f), 0);
    ck_assert_uint_ne(f, first);
    ck_assert_int_eq(OPS->sync(store, first, 0), -FSIF_EBADF);
}
END_TEST

START_TEST(unlinked)
{
    char buf[8];
    struct fsif_attr attr;
    uint64_t f, g, d;

    ck_assert_int_eq(OPS->mkdir(store, ROOT, "d", 0755), 0);
    ck_assert_int_eq(open_at("d/f", NEW, 0644, &f), 0);
    ck_assert_int_eq(OPS->write(store, f, "text", 4, 0, 0), 4);
    ck_assert_int_eq(remove_at("d"), -FSIF_ENOTEMPTY);
    ck_assert_int_eq(remove_at("d/f/"), -FSIF_ENOTDIR);
    ck_assert_int_eq(remove_at("d/f"), 0);
    ck_assert_int_eq(remove_at("d/f"), -FSIF_ENOENT);
    ck_assert_int_eq(try_create("d/f"), 0);
    ck_assert_int_eq(OPS->read(store, f, buf, 8, 0), 4);
    ck_assert_int_eq(OPS->stat(store, f, "", 0, &attr), 0);
    ck_assert_uint_eq(attr.nlink, 0);
    ck_assert_int_eq(remove_at("d/f"), 0);
    ck_assert_int_eq(open_at("d", FSIF_O_DIRECTORY, 0, &d), 0);
    ck_assert_int_eq(remove_at("d/"), 0);
    ck_assert_int_eq(OPS->stat(store, d, "", 0, &attr), 0);
    ck_assert_uint_eq(attr.nlink, 0);
    ck_assert_int_eq(OPS->open(store, d, "f", NEW, 0644, &g, NULL), -FSIF_ENOENT);
    ck_assert_int_eq(OPS->stat(store, d, "f", 0, &attr), -FSIF_ENOENT);
    ck_assert_int_eq(OPS->close(store, d), 0);
    ck_assert_int_eq(OPS->close(store, f), 0);
    ck_assert_int_eq(remove_at("."), -FSIF_EINVAL);
    ck_assert_int_eq(space(), 64 << 20);
}
END_TEST

START_TEST(directories)
{
    char buf[4];
    struct fsif_attr attr;
    uint64_t f;

    ck_assert_int_eq(OPS->mkdir(store, ROOT, "d/", 07755), 0);
    ck_assert_int_eq(OPS->mkdir(store, ROOT, "d", 0755), -FSIF_EEXIST);
    ck_assert_int_eq(OPS->mkdir(store, ROOT, ".", 0755), -FSIF_EEXIST);
    ck_assert_int_eq(OPS->mkdir(store, ROOT, "x/y", 0755), -FSIF_ENOENT);
    ck_assert_int_eq(try_open("d"), 0);
    ck_assert_int_eq(try_create("d"), -FSIF_EISDIR);
    ck_assert_int_eq(open_at("d", FSIF_O_RDWR, 0, &f), -FSIF_EISDIR);
    ck_assert_int_eq(open_at("d/", FSIF_O_DIRECTORY, 0, &f), 0);
    ck_assert_int_eq(OPS->read(store, f, buf, 1, 0), -FSIF_EISDIR);
    ck_assert_int_eq(OPS->write(store, f, buf, 1, 0, 0), -FSIF_EBADF);
    ck_assert_int_eq(truncate_to(f, 0), -FSIF_EINVAL);
    ck_assert_int_eq(OPS->mkdir(store, ROOT, "d/e", 0700), 0);
    ck_assert_int_eq(OPS->stat(store, f, "", 0, &attr), 0);
    ck_assert_uint_eq(attr.mode, FSIF_S_IFDIR | 01755);
    ck_assert_uint_eq(attr.nlink, 3);
    ck_assert_int_eq(OPS->close(store, f), 0);
    ck_assert_int_eq(try_create("f"), 0);
    ck_assert_int_eq(open_at("f", FSIF_O_DIRECTORY, 0, &f), -FSIF_ENOTDIR);
}
END_TEST

START_TEST(renaming)
{
    uint64_t f;

    ck_assert_int_eq(OPS->mkdir(store, ROOT, "d", 0755), 0);
    ck_assert_int_eq(OPS->mkdir(store, ROOT, "d/e", 0755), 0);
    ck_assert_int_eq(OPS->mkdir(store, ROOT, "empty", 0755), 0);
    ck_assert_int_eq(try_create("d/f"), 0);
    ck_assert_int_eq(open_at("g", NEW, 0644, &f), 0);
    ck_assert_int_eq(OPS->rename(store, ROOT, "d", ROOT, "d/x", 0), -FSIF_EINVAL);
    ck_assert_int_eq(OPS->rename(store, ROOT, "d", ROOT, "d/e/x", 0), -FSIF_EINVAL);
    ck_assert_int_eq(OPS->rename(store, ROOT, "d/e", ROOT, "d", 0), -FSIF_ENOTEMPTY);
    ck_assert_int_eq(OPS->rename(store, ROOT, "d/f", ROOT, "d", 0), -FSIF_ENOTEMPTY);
    ck_assert_int_eq(OPS->rename(store, ROOT, "empty", ROOT, "d", 0), -FSIF_ENOTEMPTY);
    ck_assert_int_eq(OPS->rename(store, ROOT, "empty", ROOT, "g", 0), -FSIF_ENOTDIR);
    ck_assert_int_eq(OPS->rename(store, ROOT, "g", ROOT, "empty", 0), -FSIF_EISDIR);
    ck_assert_int_eq(OPS->rename(store, ROOT, "g/", ROOT, "h", 0), -FSIF_ENOTDIR);
    ck_assert_int_eq(OPS->rename(store, ROOT, "g", ROOT, "h/", 0), -FSIF_ENOTDIR);
    ck_assert_int_eq(OPS->rename(store, ROOT, ".", ROOT, "h", 0), -FSIF_EBUSY);
    ck_assert_int_eq(OPS->rename(store, ROOT, "g", ROOT, ".", 0), -FSIF_EBUSY);
    ck_assert_int_eq(OPS->rename(store, ROOT, "none", ROOT, "h", 0), -FSIF_ENOENT);
    ck_assert_int_eq(OPS->rename(store, ROOT, "g", ROOT, "x/h", 0), -FSIF_ENOENT);
    ck_assert_int_eq(OPS->rename(store, ROOT, "g", ROOT, "g", 0), 0);
    ck_assert_int_eq(OPS->write(store, f, "new", 3, 0, 0), 3);
    ck_assert_int_eq(OPS->rename(store, ROOT, "g", ROOT, "d/f", 0), 0);
    ck_assert_int_eq(try_open("g"), -FSIF_ENOENT);
    ck_assert_int_eq(OPS->rename(store, ROOT, "d", ROOT, "empty", 0), 0);
    ck_assert_int_eq(try_open("empty/f"), 0);
    ck_assert_int_eq(OPS->rename(store, ROOT, "empty", ROOT, "moved/", 0), 0);
    ck_assert_int_eq(remove_at("moved/e"), 0);
    ck_assert_int_eq(remove_at("moved/f"), 0);
    ck_assert_int_eq(remove_at("moved"), 0);
    ck_assert_int_eq(OPS->close(store, f), 0);
    ck_assert_int_eq(space(), 64 << 20);
}
END_TEST

/* Depth that no single path can name, and then all of it goes at once. */
START_TEST(deep)
{
    ck_assert_int_eq(OPS->mkdir(store, ROOT, "a", 0755), 0);
    for (int i = 0; i < 20000; i++) {
        ck_assert_int_eq(OPS->mkdir(store, ROOT, "b", 0755), 0);
        ck_assert_int_eq(OPS->rename(store, ROOT, "a", ROOT, "b/a", 0), 0);
        ck_assert_int_eq(OPS->rename(store, ROOT, "b", ROOT, "a", 0), 0);
    }
}
END_TEST

START_TEST(b23_read_only)
{
    uint64_t f;

    restart(0, 0, 1, 0);
    ck_assert_int_eq(open_at(".", FSIF_O_DIRECTORY, 0, &f), 0);
    ck_assert_int_eq(chmod_to(f, 0700), -FSIF_EROFS);
    ck_assert_int_eq(OPS->write(store, f, "x", 1, 0, 0), -FSIF_EROFS);
    ck_assert_int_eq(truncate_to(f, 0), -FSIF_EROFS);
    ck_assert_int_eq(OPS->close(store, f), 0);
    ck_assert_int_eq(open_at("x", FSIF_O_CREAT, 0, &f), -FSIF_EROFS);
    ck_assert_int_eq(open_at("x", FSIF_O_WRONLY, 0, &f), -FSIF_EROFS);
    ck_assert_int_eq(open_at("x", FSIF_O_TRUNC, 0, &f), -FSIF_EROFS);
    ck_assert_int_eq(OPS->mkdir(store, ROOT, "d", 0755), -FSIF_EROFS);
    ck_assert_int_eq(remove_at("d"), -FSIF_EROFS);
    ck_assert_int_eq(OPS->rename(store, ROOT, "d", ROOT, "e", 0), -FSIF_EROFS);
}
END_TEST

START_TEST(b21_setid_kept)
{
    struct fsif_attr attr;
    uint64_t f;

    restart(0, 0, 0, 1);
    ck_assert_int_eq(open_at("f", NEW, 04755, &f), 0);
    ck_assert_int_eq(OPS->stat(store, f, "", 0, &attr), 0);
    ck_assert_uint_eq(attr.mode, FSIF_S_IFREG | 04755);
    OPS->close(store, f);
}
END_TEST

enum { LISTED = 100000 };
static unsigned char seen[LISTED];
static int given;

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
    ck_assert_int_eq(OPS->mkdir(store, ROOT, path, 0755), 0);
    ck_assert_int_eq(OPS->rename(store, ROOT, path, ROOT, other, 0), 0);
    ck_assert_int_eq(OPS->mkdir(store, ROOT, path, 0755), 0);
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
    ck_assert_uint_eq(entry->name_len, strlen(entry->name));
    ck_assert_uint_ne(entry->cookie, 0);
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

    restart(0, 2 * LISTED, 0, 0);
    ck_assert_int_eq(OPS->mkdir(store, ROOT, "d", 0755), 0);
    for (int i = 0; i < LISTED; i++) {
        snprintf(name, sizeof(name), "d/%d", i);
        ck_assert_int_eq(OPS->mkdir(store, ROOT, name, 0755), 0);
    }
    ck_assert_int_eq(open_at("d", FSIF_O_DIRECTORY, 0, &dir), 0);
    for (;;) {
        at.room = 1;
        ck_assert_int_ge(OPS->readdir(store, dir, at.cookie, take, &at), 0);
        if (at.room == 1)
            break;
        if (given++ < 2) {
            ck_assert_str_eq(at.name, given == 1 ? "." : "..");
            continue;
        }
        ck_assert_int_eq(seen[atoi(at.name)]++, 0);
        disturb(atoi(at.name));
    }
    for (int i = 0; i < LISTED; i += 2)
        ck_assert_msg(seen[i] == 1, "%d was given %d times", i, seen[i]);
    at.room = 1;
    ck_assert_int_eq(OPS->readdir(store, dir, UINT64_MAX, take, &at), 0);
    ck_assert_int_eq(at.room, 1);
    ck_assert_int_eq(OPS->close(store, dir), 0);
    ck_assert_int_eq(OPS->readdir(store, dir, 0, take, &at), -FSIF_EBADF);
    ck_assert_int_eq(open_at("f", NEW, 0644, &dir), 0);
    ck_assert_int_eq(OPS->readdir(store, dir, 0, take, &at), -FSIF_ENOTDIR);
}
END_TEST

static int pass(void *arg, const struct fsif_store_entry *entry)
{
    (void)arg;
    return entry->name_len > 0;
}

static atomic_int errors;

static void *worker(void *arg)
{
    int me = *(int *)arg;
    char path[32], buf[64];
    uint64_t f;

    for (int i = 0; i < 2000; i++) {
        snprintf(path, sizeof(path), "t%d-%d", me, i % 50);
        if (open_at(path, NEW, 0644, &f) != 0)
            atomic_fetch_add(&errors, 1);
        if (OPS->write(store, f, path, sizeof(path), 0, 0) != sizeof(path) ||
            OPS->read(store, f, buf, sizeof(buf), 0) != sizeof(path) || strcmp(buf, path) != 0)
            atomic_fetch_add(&errors, 1);
        OPS->close(store, f);
        OPS->rename(store, ROOT, path, ROOT, "shared", 0);
        if (i % 20 == 0 && open_at(".", 0, 0, &f) == 0) {
            if (OPS->readdir(store, f, 0, pass, NULL) != 0)
                atomic_fetch_add(&errors, 1);
            OPS->close(store, f);
        }
        remove_at(i % 2 ? "shared" : "t0-1");
    }
    return NULL;
}

START_TEST(threads)
{
    pthread_t thread[8];
    int number[8];

    for (int i = 0; i < 8; i++) {
        number[i] = i;
        ck_assert_int_eq(pthread_create(&thread[i], NULL, worker, &number[i]), 0);
    }
    for (int i = 0; i < 8; i++)
        pthread_join(thread[i], NULL);
    ck_assert_int_eq(atomic_load(&errors), 0);
    remove_at("shared");
    remove_at("t0-1");
    ck_assert_int_eq(space(), 64 << 20);
}
END_TEST

START_TEST(configuration)
{
    struct fsif_store_config config = {.size = sizeof(config), .root_fd = -1};
    struct fsif_store *st;
    struct fsif_attr attr;
    struct fsif_statvfs vfs;
    uint64_t f;

    config.map = 9;
    ck_assert_int_eq(OPS->create(&config, &st), -FSIF_EINVAL);
    config.map = FSIF_MAP_DAEMON;
    config.size = 4;
    ck_assert_int_eq(OPS->create(&config, &st), -FSIF_EINVAL);
    config.size = sizeof(config);
    config.max_bytes = UINT64_MAX;
    ck_assert_int_eq(OPS->create(&config, &st), -FSIF_EINVAL);
    config.max_bytes = INT64_MAX;
    ck_assert_int_eq(OPS->create(&config, &st), 0);
    ck_assert_int_eq(OPS->statvfs(st, ROOT, ".", &vfs), 0);
    ck_assert_uint_eq(vfs.bavail, INT64_MAX / 4096);
    ck_assert_int_eq(OPS->statvfs(st, ROOT, "x", &vfs), -FSIF_ENOENT);
    ck_assert_int_eq(OPS->open(st, ROOT, ".", FSIF_O_DIRECTORY, 0, &f, NULL), 0);
    ck_assert_int_eq(OPS->stat(st, f, "", 0, &attr), 0);
    ck_assert_uint_eq(attr.mode, FSIF_S_IFDIR | 0755);
    OPS->destroy(st);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("store-memory");
    TCase *c = tcase_create("all");

    tcase_set_timeout(c, 90);
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, files);
    tcase_add_test(c, data);
    tcase_add_test(c, huge_and_sparse);
    tcase_add_test(c, unlinked);
    tcase_add_test(c, directories);
    tcase_add_test(c, renaming);
    tcase_add_test(c, deep);
    tcase_add_test(c, threads);
    tcase_add_test(c, configuration);
    tcase_add_test(c, b21_setid_kept);
    tcase_add_test(c, b23_read_only);
    tcase_add_test(c, b24_limits);
    tcase_add_test(c, b24_open_files);
    tcase_add_test(c, b25_listing);
    suite_add_tcase(s, c);
    return run_suite(s);
}
