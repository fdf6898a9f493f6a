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
#define NEW (FSIF_STORE_WRITE | FSIF_STORE_CREATE | FSIF_STORE_TRUNCATE)

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

static int try_create(const char *path)
{
    uint64_t f = 0;
    int r = OPS->open(store, path, NEW, 0644, &f);

    return r == 0 ? OPS->close(store, f) : r;
}

static int try_open(const char *path)
{
    uint64_t f = 0;
    int r = OPS->open(store, path, 0, 0, &f);

    return r == 0 ? OPS->close(store, f) : r;
}

START_TEST(files)
{
    char buf[32];
    struct fsif_attr attr;
    uint64_t f, g;

    ck_assert_int_eq(OPS->open(store, "f", NEW, 06640, &f), 0);
    ck_assert_int_eq(OPS->write(store, f, "hello", 5, 3), 5);
    ck_assert_int_eq(OPS->read(store, f, buf, sizeof(buf), 0), 8);
    ck_assert_int_eq(memcmp(buf, "\0\0\0hello", 8), 0);
    ck_assert_int_eq(OPS->read(store, f, buf, 2, 8), 0);
    ck_assert_int_eq(OPS->read(store, f, buf, 2, UINT64_MAX), -FSIF_EINVAL);
    ck_assert_int_eq(OPS->write(store, f, buf, 2, UINT64_MAX), -FSIF_EINVAL);
    ck_assert_int_eq(OPS->write(store, f, buf, 0, 1 << 20), 0);
    ck_assert_int_eq(OPS->stat(store, f, &attr), 0);
    ck_assert_uint_eq(attr.size, 8);
    ck_assert_uint_eq(attr.mode, FSIF_S_IFREG | 0640);
    ck_assert(attr.uid == 12 && attr.gid == 34 && attr.nlink == 1);
    ck_assert(attr.mtime > 1500000000);
    ck_assert_int_eq(OPS->chmod(store, f, 07777), 0);
    ck_assert_int_eq(OPS->stat(store, f, &attr), 0);
    ck_assert_uint_eq(attr.mode, FSIF_S_IFREG | 01777);
    ck_assert_int_eq(OPS->sync(store, f), 0);
    ck_assert_int_eq(OPS->open(store, "f", 0, 0, &g), 0);
    ck_assert_int_eq(OPS->write(store, g, "x", 1, 0), -FSIF_EBADF);
    ck_assert_int_eq(OPS->truncate(store, g, 0), -FSIF_EINVAL);
    ck_assert_int_eq(OPS->close(store, g), 0);
    ck_assert_int_eq(OPS->close(store, g), -FSIF_EBADF);
    ck_assert_int_eq(OPS->read(store, g, buf, 1, 0), -FSIF_EBADF);
    ck_assert_int_eq(OPS->read(store, UINT64_MAX, buf, 1, 0), -FSIF_EBADF);
    ck_assert_int_eq(OPS->open(store, "f", NEW, 0600, &g), 0);
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
    ck_assert_int_eq(OPS->open(store, "f", NEW, 0644, &f), 0);
    for (int i = 0; i < 600; i++) {
        uint64_t at = (uint64_t)rand() % (SPAN - sizeof(piece));
        uint32_t n = (uint32_t)rand() % (uint32_t)sizeof(piece) + 1;
        if (i % 5 == 4) {
            ck_assert_int_eq(OPS->truncate(store, f, at), 0);
            if (at < size)
                memset(model + at, 0, size - at);
            size = at;
            continue;
        }
        memset(piece, 1 + i % 255, n);
        ck_assert_int_eq(OPS->write(store, f, piece, n, at), n);
        memcpy(model + at, piece, n);
        size = at + n > size ? at + n : size;
    }
    ck_assert_int_eq(OPS->read(store, f, now, SPAN, 0), (int64_t)size);
    ck_assert_int_eq(memcmp(now, model, size), 0);
    ck_assert_int_eq(OPS->truncate(store, f, 0), 0);
    ck_assert_int_eq(OPS->space(store, "."), 64 << 20);
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

    ck_assert_int_eq(OPS->open(store, "f", NEW, 0644, &f), 0);
    ck_assert_int_eq(OPS->truncate(store, f, max), 0);
    ck_assert_int_eq(OPS->truncate(store, f, max + 1), -FSIF_EFBIG);
    ck_assert_int_eq(OPS->truncate(store, f, UINT64_MAX), -FSIF_EINVAL);
    ck_assert_int_eq(OPS->write(store, f, buf, 1, max), -FSIF_EFBIG);
    ck_assert_int_eq(OPS->write(store, f, buf, 4, max - 2), 2);
    ck_assert_int_eq(OPS->read(store, f, buf, 8, max - 4), 4);
    ck_assert_int_eq(memcmp(buf, "\0\0da", 4), 0);
    ck_assert_int_eq(OPS->stat(store, f, &attr), 0);
    ck_assert_uint_eq(attr.size, max);
    ck_assert_int_gt(OPS->space(store, "f"), (64 << 20) - 6 * 4096);
    ck_assert_int_eq(OPS->truncate(store, f, 1), 0);
    ck_assert_int_eq(OPS->space(store, "f"), 64 << 20);
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
    ck_assert_int_eq(OPS->open(store, "f", NEW, 0644, &f), 0);
    ck_assert_int_eq(OPS->write(store, f, block, 8192, 0), 8192);
    /* Blocks of pointers are paid for too. */
    ck_assert_int_eq(OPS->space(store, "."), 13 * 4096);
    for (i = 1; OPS->write(store, f, block, 1, UINT64_C(1) << (13 + i)) == 1; i++)
        ck_assert_int_lt(i, 16);
    ck_assert_int_eq(OPS->write(store, f, block, 1, UINT64_C(1) << 40), -FSIF_ENOSPC);
    ck_assert_int_eq(OPS->write(store, f, "x", 1, 0), 1); /* what is there may be changed */
    ck_assert_int_eq(OPS->truncate(store, f, 0), 0);
    ck_assert_int_eq(OPS->space(store, "."), 16 * 4096);
    ck_assert_int_eq(OPS->write(store, f, block, 8192, 14 * 4096), 8192);
    for (i = 2; i < 10; i++) {
        snprintf(name, sizeof(name), "n%d", i);
        ck_assert_int_eq(i % 2 ? OPS->mkdir(store, name, 0755) : try_create(name), 0);
    }
    ck_assert_int_eq(try_create("more"), -FSIF_ENOSPC);
    ck_assert_int_eq(OPS->mkdir(store, "more", 0755), -FSIF_ENOSPC);
    ck_assert_int_eq(OPS->remove(store, "n2"), 0);
    ck_assert_int_eq(try_create("more"), 0);
    /* An open file without a name takes its place still. */
    ck_assert_int_eq(OPS->remove(store, "f"), 0);
    ck_assert_int_eq(try_create("n2"), -FSIF_ENOSPC);
    ck_assert_int_lt(OPS->space(store, "."), 16 * 4096);
    OPS->close(store, f);
    ck_assert_int_eq(try_create("n2"), 0);
    ck_assert_int_eq(OPS->space(store, "."), 16 * 4096);
}
END_TEST

START_TEST(b24_open_files)
{
    uint64_t f, first;
    int n;

    ck_assert_int_eq(OPS->open(store, "f", NEW, 0644, &first), 0);
    for (n = 1; OPS->open(store, "f", 0, 0, &f) == 0; n++)
        ck_assert_int_le(n, 65536);
    ck_assert_int_eq(n, 65536);
    ck_assert_int_eq(OPS->open(store, "new", NEW, 0644, &f), -FSIF_EMFILE);
    ck_assert_int_eq(try_open("new"), -FSIF_EMFILE);
    ck_assert_int_eq(OPS->close(store, first), 0);
    ck_assert_int_eq(try_open("new"), -FSIF_ENOENT);
    ck_assert_int_eq(OPS->open(store, "f", 0, 0, &f), 0);
    ck_assert_uint_ne(f, first);
    ck_assert_int_eq(OPS->sync(store, first), -FSIF_EBADF);
}
END_TEST

START_TEST(unlinked)
{
    char buf[8];
    struct fsif_attr attr;
    uint64_t f, d, stream;

    ck_assert_int_eq(OPS->mkdir(store, "d", 0755), 0);
    ck_assert_int_eq(OPS->open(store, "d/f", NEW, 0644, &f), 0);
    ck_assert_int_eq(OPS->write(store, f, "text", 4, 0), 4);
    ck_assert_int_eq(OPS->remove(store, "d"), -FSIF_ENOTEMPTY);
    ck_assert_int_eq(OPS->remove(store, "d/f/"), -FSIF_ENOTDIR);
    ck_assert_int_eq(OPS->remove(store, "d/f"), 0);
    ck_assert_int_eq(OPS->remove(store, "d/f"), -FSIF_ENOENT);
    ck_assert_int_eq(try_create("d/f"), 0);
    ck_assert_int_eq(OPS->read(store, f, buf, 8, 0), 4);
    ck_assert_int_eq(OPS->stat(store, f, &attr), 0);
    ck_assert_uint_eq(attr.nlink, 0);
    ck_assert_int_eq(OPS->remove(store, "d/f"), 0);
    ck_assert_int_eq(OPS->open(store, "d", FSIF_STORE_DIRECTORY, 0, &d), 0);
    ck_assert_int_eq(OPS->list_open(store, "d", &stream), 0);
    ck_assert_int_eq(OPS->remove(store, "d/"), 0);
    ck_assert_int_eq(OPS->stat(store, d, &attr), 0);
    ck_assert_uint_eq(attr.nlink, 0);
    OPS->list_close(store, stream);
    OPS->list_close(store, stream);
    ck_assert_int_eq(OPS->close(store, d), 0);
    ck_assert_int_eq(OPS->close(store, f), 0);
    ck_assert_int_eq(OPS->remove(store, "."), -FSIF_EINVAL);
    ck_assert_int_eq(OPS->space(store, "."), 64 << 20);
}
END_TEST

START_TEST(directories)
{
    char buf[4];
    struct fsif_attr attr;
    uint64_t f;

    ck_assert_int_eq(OPS->mkdir(store, "d/", 07755), 0);
    ck_assert_int_eq(OPS->mkdir(store, "d", 0755), -FSIF_EEXIST);
    ck_assert_int_eq(OPS->mkdir(store, ".", 0755), -FSIF_EEXIST);
    ck_assert_int_eq(OPS->mkdir(store, "x/y", 0755), -FSIF_ENOENT);
    ck_assert_int_eq(try_open("d"), -FSIF_EISDIR);
    ck_assert_int_eq(try_create("d"), -FSIF_EISDIR);
    ck_assert_int_eq(OPS->open(store, "d", FSIF_STORE_DIRECTORY | NEW, 0, &f), -FSIF_EISDIR);
    ck_assert_int_eq(OPS->open(store, "d/", FSIF_STORE_DIRECTORY, 0, &f), 0);
    ck_assert_int_eq(OPS->read(store, f, buf, 1, 0), -FSIF_EISDIR);
    ck_assert_int_eq(OPS->write(store, f, buf, 1, 0), -FSIF_EBADF);
    ck_assert_int_eq(OPS->truncate(store, f, 0), -FSIF_EINVAL);
    ck_assert_int_eq(OPS->mkdir(store, "d/e", 0700), 0);
    ck_assert_int_eq(OPS->stat(store, f, &attr), 0);
    ck_assert_uint_eq(attr.mode, FSIF_S_IFDIR | 01755);
    ck_assert_uint_eq(attr.nlink, 3);
    ck_assert_int_eq(OPS->close(store, f), 0);
    ck_assert_int_eq(try_create("f"), 0);
    ck_assert_int_eq(OPS->open(store, "f", FSIF_STORE_DIRECTORY, 0, &f), -FSIF_ENOTDIR);
}
END_TEST

START_TEST(renaming)
{
    uint64_t f;

    ck_assert_int_eq(OPS->mkdir(store, "d", 0755), 0);
    ck_assert_int_eq(OPS->mkdir(store, "d/e", 0755), 0);
    ck_assert_int_eq(OPS->mkdir(store, "empty", 0755), 0);
    ck_assert_int_eq(try_create("d/f"), 0);
    ck_assert_int_eq(OPS->open(store, "g", NEW, 0644, &f), 0);
    ck_assert_int_eq(OPS->rename(store, "d", "d/x"), -FSIF_EINVAL);
    ck_assert_int_eq(OPS->rename(store, "d", "d/e/x"), -FSIF_EINVAL);
    ck_assert_int_eq(OPS->rename(store, "d/e", "d"), -FSIF_ENOTEMPTY);
    ck_assert_int_eq(OPS->rename(store, "d/f", "d"), -FSIF_ENOTEMPTY);
    ck_assert_int_eq(OPS->rename(store, "empty", "d"), -FSIF_ENOTEMPTY);
    ck_assert_int_eq(OPS->rename(store, "empty", "g"), -FSIF_ENOTDIR);
    ck_assert_int_eq(OPS->rename(store, "g", "empty"), -FSIF_EISDIR);
    ck_assert_int_eq(OPS->rename(store, "g/", "h"), -FSIF_ENOTDIR);
    ck_assert_int_eq(OPS->rename(store, "g", "h/"), -FSIF_ENOTDIR);
    ck_assert_int_eq(OPS->rename(store, ".", "h"), -FSIF_EBUSY);
    ck_assert_int_eq(OPS->rename(store, "g", "."), -FSIF_EBUSY);
    ck_assert_int_eq(OPS->rename(store, "none", "h"), -FSIF_ENOENT);
    ck_assert_int_eq(OPS->rename(store, "g", "x/h"), -FSIF_ENOENT);
    ck_assert_int_eq(OPS->rename(store, "g", "g"), 0);
    ck_assert_int_eq(OPS->write(store, f, "new", 3, 0), 3);
    ck_assert_int_eq(OPS->rename(store, "g", "d/f"), 0);
    ck_assert_int_eq(try_open("g"), -FSIF_ENOENT);
    ck_assert_int_eq(OPS->rename(store, "d", "empty"), 0);
    ck_assert_int_eq(try_open("empty/f"), 0);
    ck_assert_int_eq(OPS->rename(store, "empty", "moved/"), 0);
    ck_assert_int_eq(OPS->remove(store, "moved/e"), 0);
    ck_assert_int_eq(OPS->remove(store, "moved/f"), 0);
    ck_assert_int_eq(OPS->remove(store, "moved"), 0);
    ck_assert_int_eq(OPS->close(store, f), 0);
    ck_assert_int_eq(OPS->space(store, "."), 64 << 20);
}
END_TEST

/* Depth that no single path can name, and then all of it goes at once. */
START_TEST(deep)
{
    ck_assert_int_eq(OPS->mkdir(store, "a", 0755), 0);
    for (int i = 0; i < 20000; i++) {
        ck_assert_int_eq(OPS->mkdir(store, "b", 0755), 0);
        ck_assert_int_eq(OPS->rename(store, "a", "b/a"), 0);
        ck_assert_int_eq(OPS->rename(store, "b", "a"), 0);
    }
}
END_TEST

START_TEST(b23_read_only)
{
    uint64_t f;

    restart(0, 0, 1, 0);
    ck_assert_int_eq(OPS->open(store, ".", FSIF_STORE_DIRECTORY, 0, &f), 0);
    ck_assert_int_eq(OPS->chmod(store, f, 0700), -FSIF_EROFS);
    ck_assert_int_eq(OPS->write(store, f, "x", 1, 0), -FSIF_EROFS);
    ck_assert_int_eq(OPS->truncate(store, f, 0), -FSIF_EROFS);
    ck_assert_int_eq(OPS->close(store, f), 0);
    ck_assert_int_eq(OPS->open(store, "x", FSIF_STORE_CREATE, 0, &f), -FSIF_EROFS);
    ck_assert_int_eq(OPS->open(store, "x", FSIF_STORE_WRITE, 0, &f), -FSIF_EROFS);
    ck_assert_int_eq(OPS->open(store, "x", FSIF_STORE_TRUNCATE, 0, &f), -FSIF_EROFS);
    ck_assert_int_eq(OPS->mkdir(store, "d", 0755), -FSIF_EROFS);
    ck_assert_int_eq(OPS->remove(store, "d"), -FSIF_EROFS);
    ck_assert_int_eq(OPS->rename(store, "d", "e"), -FSIF_EROFS);
}
END_TEST

START_TEST(b21_setid_kept)
{
    struct fsif_attr attr;
    uint64_t f;

    restart(0, 0, 0, 1);
    ck_assert_int_eq(OPS->open(store, "f", NEW, 04755, &f), 0);
    ck_assert_int_eq(OPS->stat(store, f, &attr), 0);
    ck_assert_uint_eq(attr.mode, FSIF_S_IFREG | 04755);
    OPS->close(store, f);
}
END_TEST

/* B25: 100,000 entries, half of them removed, renamed over or added while the listing runs. */
START_TEST(b25_listing)
{
    enum { N = 100000 };
    static unsigned char seen[N];
    char name[FSIF_NAME_MAX + 1], other[64];
    uint64_t stream;
    int r, given = 0;

    restart(0, 2 * N, 0, 0);
    ck_assert_int_eq(OPS->mkdir(store, "d", 0755), 0);
    for (int i = 0; i < N; i++) {
        snprintf(name, sizeof(name), "d/%d", i);
        ck_assert_int_eq(OPS->mkdir(store, name, 0755), 0);
    }
    ck_assert_int_eq(OPS->list_open(store, "d", &stream), 0);
    while ((r = OPS->list_next(store, stream, name)) == 1) {
        if (given++ < 2) {
            ck_assert_str_eq(name, given == 1 ? "." : "..");
            continue;
        }
        ck_assert_int_eq(seen[atoi(name)]++, 0);
        /* Odd ones go: the one just given, the next, and one far away. */
        snprintf(other, sizeof(other), "d/%d", atoi(name) | 1);
        OPS->remove(store, other);
        snprintf(other, sizeof(other), "d/%d", (atoi(name) * 7) % N | 1);
        OPS->remove(store, other);
        /* An even one is renamed over: its name was there throughout. */
        snprintf(other, sizeof(other), "d/%d", (atoi(name) + 2) % N & ~1);
        snprintf(name, sizeof(name), "d/new%d", given);
        ck_assert_int_eq(OPS->mkdir(store, name, 0755), 0);
        ck_assert_int_eq(OPS->rename(store, name, other), 0);
        ck_assert_int_eq(OPS->mkdir(store, name, 0755), 0);
    }
    ck_assert_int_eq(r, 0);
    for (int i = 0; i < N; i += 2)
        ck_assert_msg(seen[i] == 1, "%d was given %d times", i, seen[i]);
    ck_assert_int_eq(OPS->list_next(store, stream, name), 0);
    OPS->list_close(store, stream);
    ck_assert_int_eq(OPS->list_next(store, stream, name), -FSIF_EBADF);
}
END_TEST

START_TEST(b24_streams)
{
    uint64_t stream, last = 0;
    char name[FSIF_NAME_MAX + 1];
    int n;

    ck_assert_int_eq(try_create("f"), 0);
    ck_assert_int_eq(OPS->list_open(store, "f", &stream), -FSIF_ENOTDIR);
    ck_assert_int_eq(OPS->list_open(store, "x", &stream), -FSIF_ENOENT);
    for (n = 0; OPS->list_open(store, ".", &stream) == 0; n++) {
        ck_assert_int_lt(n, 10000);
        last = stream;
    }
    ck_assert_int_eq(OPS->list_open(store, ".", &stream), -FSIF_EMFILE);
    OPS->list_close(store, last);
    ck_assert_int_eq(OPS->list_open(store, ".", &stream), 0);
    ck_assert_int_eq(OPS->list_next(store, last, name), -FSIF_EBADF);
    ck_assert_int_eq(OPS->list_next(store, UINT64_MAX, name), -FSIF_EBADF);
}
END_TEST

static atomic_int errors;

static void *worker(void *arg)
{
    int me = *(int *)arg;
    char path[32], name[FSIF_NAME_MAX + 1], buf[64];
    uint64_t f, stream;

    for (int i = 0; i < 2000; i++) {
        snprintf(path, sizeof(path), "t%d-%d", me, i % 50);
        if (OPS->open(store, path, NEW, 0644, &f) != 0)
            atomic_fetch_add(&errors, 1);
        if (OPS->write(store, f, path, sizeof(path), 0) != sizeof(path) ||
            OPS->read(store, f, buf, sizeof(buf), 0) != sizeof(path) || strcmp(buf, path) != 0)
            atomic_fetch_add(&errors, 1);
        OPS->close(store, f);
        OPS->rename(store, path, "shared");
        if (i % 20 == 0 && OPS->list_open(store, ".", &stream) == 0) {
            while (OPS->list_next(store, stream, name) == 1)
                ;
            OPS->list_close(store, stream);
        }
        OPS->remove(store, i % 2 ? "shared" : "t0-1");
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
    OPS->remove(store, "shared");
    OPS->remove(store, "t0-1");
    ck_assert_int_eq(OPS->space(store, "."), 64 << 20);
}
END_TEST

START_TEST(configuration)
{
    struct fsif_store_config config = {.size = sizeof(config), .root_fd = -1};
    struct fsif_store *st;
    struct fsif_attr attr;
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
    ck_assert_int_eq(OPS->space(st, "."), INT64_MAX);
    ck_assert_int_eq((int)OPS->space(st, "x"), -FSIF_ENOENT);
    ck_assert_int_eq(OPS->open(st, ".", FSIF_STORE_DIRECTORY, 0, &f), 0);
    ck_assert_int_eq(OPS->stat(st, f, &attr), 0);
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
    tcase_add_test(c, b24_streams);
    tcase_add_test(c, b25_listing);
    suite_add_tcase(s, c);
    return run_suite(s);
}
