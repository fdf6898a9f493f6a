/* SPDX-License-Identifier: MIT */

/* The memory store. */

#define _GNU_SOURCE
#include <check.h>
#include <stdio.h>
#include <string.h>
#include "store_memory_fixture.h"
#include "suite.h"

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

START_TEST(b24_limits)
{
    static char block[8192];
    char name[16];
    uint64_t f;
    int i;

    restart(&(struct fsif_store_config){.max_bytes = 16 * 4096, .max_nodes = 10});
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
    const struct fsif_setattr set = {.mask = FSIF_SET_MODE, .mode = 0700};
    uint64_t f;

    restart(&(struct fsif_store_config){.read_only = 1});
    f = opened(".", FSIF_O_DIRECTORY);
    ck_fails(OPS->setattr(store, f, "", 0, &set), FSIF_EROFS);
    ck_fails(OPS->write(store, f, "x", 1, 0, 0), FSIF_EROFS);
    ck_fails(OPS->allocate(store, f, 0, 0, 1), FSIF_EROFS);
    ck_fails(OPS->copy_range(store, f, 0, f, 0, 1), FSIF_EROFS);
    ck_fails(open_at("x", FSIF_O_CREAT, 0, &f), FSIF_EROFS);
    ck_fails(open_at("x", FSIF_O_WRONLY, 0, &f), FSIF_EROFS);
    ck_fails(open_at("x", FSIF_O_RDWR, 0, &f), FSIF_EROFS);
    ck_fails(open_at("x", FSIF_O_TRUNC, 0, &f), FSIF_EROFS);
    ck_fails(open_at(".", FSIF_O_TMPFILE | FSIF_O_RDWR, 0, &f), FSIF_EROFS);
    ck_fails(make_dir("d"), FSIF_EROFS);
    ck_fails(OPS->mknod(store, ROOT, "d", FSIF_S_IFREG | 0644, 0), FSIF_EROFS);
    ck_fails(link_to("a", "b"), FSIF_EROFS);
    ck_fails(OPS->link(store, ROOT, ".", ROOT, "x", 0), FSIF_EROFS);
    ck_fails(remove_at("d"), FSIF_EROFS);
    ck_fails(move("d", "e"), FSIF_EROFS);
    ck_fails(OPS->setxattr(store, ROOT, "", "user.a", 0, "x", 1), FSIF_EROFS);
    ck_fails(OPS->removexattr(store, ROOT, "", "user.a", 0), FSIF_EROFS);
    ck_fails(try_open("x"), FSIF_ENOENT);
}
END_TEST

START_TEST(b21_setid_kept)
{
    struct fsif_attr attr;
    uint64_t f;

    restart(&(struct fsif_store_config){.setid = 1});
    ck_assert_int_eq(open_at("f", NEW, 04755, &f), 0);
    ck_assert_int_eq(OPS->stat(store, f, "", 0, &attr), 0);
    ck_assert_uint_eq(attr.mode, FSIF_S_IFREG | 04755);
    OPS->close(store, f);
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
    tcase_add_test(c, unlinked);
    tcase_add_test(c, directories);
    tcase_add_test(c, deep);
    tcase_add_test(c, configuration);
    tcase_add_test(c, b21_setid_kept);
    tcase_add_test(c, b23_read_only);
    tcase_add_test(c, b24_limits);
    tcase_add_test(c, b24_open_files);
    add_paths(c);
    add_making(c);
    add_renames(c);
    add_listings(c);
    add_data(c);
    add_attributes(c);
    add_locks(c);
    add_watches(c);
    add_threads(c);
    suite_add_tcase(s, c);
    return run_suite(s);
}
