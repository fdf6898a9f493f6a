/* SPDX-License-Identifier: MIT */

/* The posix store's ways to open a file. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "store_posix_fixture.h"

START_TEST(access_modes)
{
    char buf[8];
    uint64_t f;

    put(export_fd, "f", "text");
    f = open_at(store, ROOT, "f", FSIF_O_RDONLY);
    ck_assert_int_eq(OPS->read(store, f, buf, 8, 0), 4);
    ck_assert_int_eq(OPS->write(store, f, "x", 1, 0, 0), -FSIF_EBADF);
    OPS->close(store, f);
    f = open_at(store, ROOT, "f", FSIF_O_WRONLY);
    ck_assert_int_eq(OPS->read(store, f, buf, 8, 0), -FSIF_EBADF);
    ck_assert_int_eq(OPS->write(store, f, "x", 1, 0, 0), 1);
    OPS->close(store, f);
    f = open_at(store, ROOT, "f", FSIF_O_RDWR);
    ck_assert_int_eq(OPS->write(store, f, "y", 1, 1, 0), 1);
    ck_assert_int_eq(OPS->read(store, f, buf, 8, 0), 4);
    ck_assert_mem_eq(buf, "xyxt", 4);
    OPS->close(store, f);
    ck_assert_int_eq(try_at(ROOT, "f", FSIF_O_ACCMODE), -FSIF_EINVAL);
    ck_assert_int_eq(try_at(ROOT, "", FSIF_O_RDONLY), -FSIF_ENOENT);
}
END_TEST

START_TEST(creating)
{
    struct fsif_attr attr;
    uint64_t f;

    ck_assert_int_eq(try_at(ROOT, "f", FSIF_O_RDWR), -FSIF_ENOENT);
    ck_assert_int_eq(
        OPS->open(store, ROOT, "f", FSIF_O_RDWR | FSIF_O_CREAT | FSIF_O_EXCL, 0640, &f, &attr), 0);
    ck_assert_uint_eq(attr.mode, FSIF_S_IFREG | 0640);
    ck_assert_uint_eq(attr.size, 0);
    ck_assert_uint_eq(attr.nlink, 1);
    ck_assert_int_eq(OPS->write(store, f, "hello", 5, 0, 0), 5);
    OPS->close(store, f);
    ck_assert_int_eq(try_at(ROOT, "f", FSIF_O_RDWR | FSIF_O_CREAT | FSIF_O_EXCL), -FSIF_EEXIST);
    ck_assert_int_eq(try_at(ROOT, ".", FSIF_O_CREAT | FSIF_O_EXCL), -FSIF_EEXIST);
    ck_assert_int_eq(symlinkat("nowhere", export_fd, "link"), 0);
    ck_assert_int_eq(try_at(ROOT, "link", FSIF_O_RDWR | FSIF_O_CREAT | FSIF_O_EXCL), -FSIF_EEXIST);
    ck_assert_int_eq(try_at(ROOT, "link", FSIF_O_RDWR | FSIF_O_CREAT | FSIF_O_NOFOLLOW),
                     -FSIF_ELOOP);
    ck_assert(!exists(export_fd, "nowhere"));
    ck_assert_int_eq(OPS->open(store, ROOT, "f", FSIF_O_RDWR | FSIF_O_CREAT, 0777, &f, &attr), 0);
    ck_assert_uint_eq(attr.mode, FSIF_S_IFREG | 0640); /* it was there */
    ck_assert_uint_eq(attr.size, 5);
    OPS->close(store, f);
    /* One that is made may be written whatever its mode says. */
    f = 0;
    ck_assert_int_eq(OPS->open(store, ROOT, "n", FSIF_O_RDWR | FSIF_O_CREAT, 0, &f, &attr), 0);
    ck_assert_uint_eq(attr.mode, FSIF_S_IFREG);
    ck_assert_int_eq(OPS->write(store, f, "x", 1, 0, 0), 1);
    OPS->close(store, f);
}
END_TEST

START_TEST(emptying)
{
    static const uint32_t access[] = {FSIF_O_RDONLY, FSIF_O_WRONLY, FSIF_O_RDWR};
    struct fsif_attr attr;
    uint64_t f;

    for (size_t i = 0; i < 3; i++) {
        put(export_fd, "f", "text");
        ck_assert_int_eq(OPS->open(store, ROOT, "f", access[i] | FSIF_O_TRUNC, 0, &f, &attr), 0);
        ck_assert_uint_eq(attr.size, 0);
        ck_assert_int_eq(OPS->write(store, f, "x", 1, 0, 0), i == 0 ? -FSIF_EBADF : 1);
        OPS->close(store, f);
    }
    ck_assert_int_eq(try_at(ROOT, ".", FSIF_O_TRUNC), -FSIF_EISDIR);
    ck_assert_int_eq(try_at(ROOT, ".", FSIF_O_TRUNC | FSIF_O_DIRECTORY), -FSIF_EISDIR);
    ck_assert_int_eq(try_at(ROOT, "none", FSIF_O_TRUNC), -FSIF_ENOENT);
}
END_TEST

START_TEST(appending)
{
    uint64_t a, b;

    put(export_fd, "f", "ab");
    a = open_at(store, ROOT, "f", FSIF_O_WRONLY | FSIF_O_APPEND);
    b = open_at(store, ROOT, "f", FSIF_O_RDWR);
    ck_assert_int_eq(OPS->write(store, a, "cd", 2, 0, 0), 2);
    ck_assert_int_eq(OPS->write(store, b, "ef", 2, FSIF_STORE_END, 0), 2);
    ck_assert_int_eq(OPS->write(store, a, "gh", 2, FSIF_STORE_END, FSIF_WRITE_DSYNC), 2);
    ck_assert_int_eq(OPS->write(store, b, "A", 1, 0, FSIF_WRITE_DSYNC), 1);
    ck_assert_int_eq(OPS->write(store, b, "A", 1, FSIF_STORE_END - 1, 0), -FSIF_EINVAL);
    ck_assert_str_eq(text_of("f"), "Abcdefgh");
    OPS->close(store, a);
    OPS->close(store, b);
}
END_TEST

START_TEST(durable)
{
    static const struct {
        uint32_t flag;
        int host;
    } kinds[] = {{FSIF_O_DSYNC, O_DSYNC}, {FSIF_O_SYNC, O_SYNC}};

    for (size_t i = 0; i < 2; i++) {
        uint64_t f = open_at(store, ROOT, "f", FSIF_O_RDWR | FSIF_O_CREAT | kinds[i].flag);
        ck_assert_int_eq(fcntl((int)f, F_GETFL) & O_SYNC, kinds[i].host);
        ck_assert_int_eq(OPS->write(store, f, "x", 1, 0, 0), 1);
        ck_assert_int_eq(OPS->sync(store, f, FSIF_SYNC_DATA), 0);
        ck_assert_int_eq(OPS->sync(store, f, FSIF_SYNC_FS), 0);
        ck_assert_int_eq(OPS->sync(store, f, 0), 0);
        OPS->close(store, f);
    }
}
END_TEST

START_TEST(links_and_directories)
{
    struct fsif_attr attr;
    uint64_t f;

    put(export_fd, "f", "text");
    ck_assert_int_eq(symlinkat("f", export_fd, "link"), 0);
    ck_assert_int_eq(mkdirat(export_fd, "d", 0755), 0);
    ck_assert_int_eq(symlinkat("d", export_fd, "dlink"), 0);
    ck_assert_int_eq(try_at(ROOT, "link", FSIF_O_RDONLY), 0);
    ck_assert_int_eq(try_at(ROOT, "link", FSIF_O_RDONLY | FSIF_O_NOFOLLOW), -FSIF_ELOOP);
    ck_assert_int_eq(try_at(ROOT, "dlink/", FSIF_O_RDONLY | FSIF_O_NOFOLLOW), 0);
    ck_assert_int_eq(try_at(ROOT, "dlink", FSIF_O_DIRECTORY), 0);
    ck_assert_int_eq(try_at(ROOT, "dlink", FSIF_O_DIRECTORY | FSIF_O_NOFOLLOW), -FSIF_ENOTDIR);
    ck_assert_int_eq(try_at(ROOT, "f", FSIF_O_DIRECTORY), -FSIF_ENOTDIR);
    ck_assert_int_eq(try_at(ROOT, "d", FSIF_O_WRONLY), -FSIF_EISDIR);
    ck_assert_int_eq(try_at(ROOT, "d", FSIF_O_DIRECTORY | FSIF_O_CREAT), -FSIF_EISDIR);
    ck_assert_int_eq(OPS->open(store, ROOT, "d", FSIF_O_RDONLY, 0, &f, &attr), 0);
    ck_assert_uint_eq(attr.mode, FSIF_S_IFDIR | 0755);
    ck_assert_str_eq(list_names(store, f), "./../");
    ck_assert_int_eq(OPS->sync(store, f, 0), 0);
    OPS->close(store, f);
}
END_TEST

/* O_PATH opens names: nothing of the file can be read or written. */
START_TEST(paths)
{
    struct fsif_attr attr;
    char buf[8];
    uint64_t f;

    put(export_fd, "f", "text");
    ck_assert_int_eq(symlinkat("f", export_fd, "link"), 0);
    ck_assert_int_eq(mkfifoat(export_fd, "fifo", 0600), 0);
    ck_assert_int_eq(OPS->open(store, ROOT, "f", FSIF_O_PATH, 0, &f, &attr), 0);
    ck_assert_uint_eq(attr.size, 4);
    ck_assert_int_eq(OPS->read(store, f, buf, 8, 0), -FSIF_EBADF);
    ck_assert_int_eq(OPS->write(store, f, buf, 8, 0, 0), -FSIF_EBADF);
    ck_assert_int_eq(OPS->sync(store, f, 0), -FSIF_EBADF);
    ck_assert_int_eq(OPS->allocate(store, f, 0, 0, 1), -FSIF_EBADF);
    ck_assert_int_eq(OPS->seek(store, f, 0, FSIF_SEEK_DATA), -FSIF_EBADF);
    OPS->close(store, f);
    ck_assert_int_eq(OPS->open(store, ROOT, "link", FSIF_O_PATH, 0, &f, &attr), 0);
    ck_assert_uint_eq(attr.mode & FSIF_S_IFMT, FSIF_S_IFREG);
    OPS->close(store, f);
    ck_assert_int_eq(OPS->open(store, ROOT, "link", FSIF_O_PATH | FSIF_O_NOFOLLOW, 0, &f, &attr),
                     0);
    ck_assert_uint_eq(attr.mode & FSIF_S_IFMT, FSIF_S_IFLNK);
    ck_assert_int_eq(OPS->readlink(store, f, "", buf, 8), 1);
    ck_assert_int_eq(buf[0], 'f');
    OPS->close(store, f);
    ck_assert_int_eq(OPS->open(store, ROOT, "fifo", FSIF_O_PATH, 0, &f, &attr), 0);
    ck_assert_uint_eq(attr.mode & FSIF_S_IFMT, FSIF_S_IFIFO);
    OPS->close(store, f);
    ck_assert_int_eq(try_at(ROOT, "f", FSIF_O_PATH | FSIF_O_DIRECTORY), -FSIF_ENOTDIR);
}
END_TEST

/* A file without a name, until it is linked. */
START_TEST(without_a_name)
{
    struct fsif_attr attr;
    uint64_t f, dir;

    ck_assert_int_eq(mkdirat(export_fd, "d", 0755), 0);
    if (OPS->open(store, ROOT, "d", FSIF_O_RDWR | FSIF_O_TMPFILE, 06640, &f, &attr) ==
        -FSIF_EOPNOTSUPP) {
        printf("SKIP: the file system has no O_TMPFILE\n");
        return;
    }
    ck_assert_uint_eq(attr.mode, FSIF_S_IFREG | 0640);
    ck_assert_uint_eq(attr.nlink, 0);
    ck_assert_int_eq(OPS->write(store, f, "text", 4, 0, 0), 4);
    dir = open_dir(store, "d");
    ck_assert_str_eq(list_names(store, dir), "./../");
    ck_assert_int_eq(OPS->link(store, f, "", dir, "named", 0), 0);
    ck_assert_int_eq(OPS->link(store, f, "", dir, "named", 0), -FSIF_EEXIST);
    ck_assert_str_eq(text_at(dir, "named"), "text");
    OPS->close(store, f);
    f = open_at(store, dir, ".", FSIF_O_WRONLY | FSIF_O_TMPFILE | FSIF_O_EXCL);
    ck_assert_int_lt(OPS->link(store, f, "", dir, "never", 0), 0);
    OPS->close(store, f);
    ck_assert_int_eq(try_at(ROOT, "d", FSIF_O_RDONLY | FSIF_O_TMPFILE), -FSIF_EINVAL);
    ck_assert_int_eq(try_at(ROOT, "d/named", FSIF_O_RDWR | FSIF_O_TMPFILE), -FSIF_ENOTDIR);
    ck_assert_int_eq(try_at(ROOT, "x", FSIF_O_RDWR | FSIF_O_TMPFILE), -FSIF_ENOENT);
    OPS->close(store, dir);
}
END_TEST

/* B23: what open may change, and what not. */
START_TEST(b23_opening)
{
    static const uint32_t refused[] = {
        FSIF_O_WRONLY,
        FSIF_O_RDWR,
        FSIF_O_CREAT,
        FSIF_O_TRUNC,
        FSIF_O_RDWR | FSIF_O_TMPFILE,
        FSIF_O_WRONLY | FSIF_O_APPEND,
        FSIF_O_CREAT | FSIF_O_EXCL,
    };
    struct fsif_store *plain = store;

    put(export_fd, "f", "text");
    store = make_store(1, 0, 0);
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        ck_assert_int_eq(try_at(ROOT, "f", refused[i]), -FSIF_EROFS);
    ck_assert_int_eq(try_at(ROOT, "f", FSIF_O_RDONLY), 0);
    ck_assert_int_eq(try_at(ROOT, "f", FSIF_O_PATH), 0);
    ck_assert_int_eq(try_at(ROOT, ".", FSIF_O_DIRECTORY), 0);
    ck_assert_str_eq(text_of("f"), "text");
    OPS->destroy(store);
    store = plain;
}
END_TEST

static int limit_files(int most)
{
    const struct rlimit limit = {.rlim_cur = (rlim_t)most, .rlim_max = (rlim_t)most};

    return setrlimit(RLIMIT_NOFILE, &limit);
}

/* B24: descriptors end; the right error, and it goes on when there are some again. */
START_TEST(b24_descriptors)
{
    uint64_t files[64];
    int used = 0, err = 0;
    int room = dup(export_fd);

    put(export_fd, "f", "text");
    close(room);
    ck_assert_int_eq(limit_files(room + 8), 0);
    while (used < 64 && (err = OPS->open(store, ROOT, "f", 0, 0, &files[used], NULL)) == 0)
        used++;
    ck_assert_int_eq(err, -FSIF_EMFILE);
    ck_assert_int_eq(try_at(ROOT, "new", FSIF_O_RDWR | FSIF_O_CREAT), -FSIF_EMFILE);
    ck_assert(!exists(export_fd, "new"));
    while (used-- > 0)
        ck_assert_int_eq(OPS->close(store, files[used]), 0);
    ck_assert_int_eq(try_at(ROOT, "f", 0), 0);
}
END_TEST

void add_opening(TCase *c)
{
    tcase_add_test(c, access_modes);
    tcase_add_test(c, creating);
    tcase_add_test(c, emptying);
    tcase_add_test(c, appending);
    tcase_add_test(c, durable);
    tcase_add_test(c, links_and_directories);
    tcase_add_test(c, paths);
    tcase_add_test(c, without_a_name);
    tcase_add_test(c, b23_opening);
    tcase_add_test(c, b24_descriptors);
}
