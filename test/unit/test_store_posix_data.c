/* SPDX-License-Identifier: MIT */

/* The posix store's ranges, extended attributes and locks. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "store_posix_fixture.h"

/* --- ranges ---------------------------------------------------------------------------------- */

static struct fsif_attr attr_of(uint64_t f)
{
    struct fsif_attr attr;

    ck_assert_int_eq(OPS->stat(store, f, "", 0, &attr), 0);
    return attr;
}

START_TEST(allocating)
{
    const uint32_t hole = FSIF_ALLOCATE_PUNCH | FSIF_ALLOCATE_KEEP_SIZE;
    uint64_t f = open_at(store, ROOT, "f", FSIF_O_RDWR | FSIF_O_CREAT);
    char buf[4];

    if (OPS->allocate(store, f, 0, 0, 1 << 20) == -FSIF_EOPNOTSUPP) {
        printf("SKIP: the file system allocates nothing\n");
        return;
    }
    ck_assert_uint_eq(attr_of(f).size, 1 << 20);
    ck_assert_uint_ge(attr_of(f).blocks, (1 << 20) / 512);
    ck_assert_int_eq(OPS->allocate(store, f, FSIF_ALLOCATE_KEEP_SIZE, 1 << 20, 1 << 20), 0);
    ck_assert_uint_eq(attr_of(f).size, 1 << 20);
    ck_assert_int_eq(OPS->write(store, f, "abcd", 4, 65536, 0), 4);
    ck_assert_int_eq(OPS->allocate(store, f, hole, 65536, 65536), 0);
    ck_assert_int_eq(OPS->read(store, f, buf, 4, 65536), 4);
    ck_assert_mem_eq(buf, "\0\0\0\0", 4);
    ck_assert_uint_eq(attr_of(f).size, 1 << 20);
    ck_assert_int_eq(OPS->allocate(store, f, FSIF_ALLOCATE_PUNCH, 0, 1), -FSIF_EINVAL);
    ck_assert_int_eq(OPS->allocate(store, f, hole | FSIF_ALLOCATE_ZERO, 0, 1), -FSIF_EINVAL);
    ck_assert_int_eq(OPS->allocate(store, f, 8, 0, 1), -FSIF_EINVAL);
    ck_assert_int_eq(OPS->allocate(store, f, 0, 0, 0), -FSIF_EINVAL);
    ck_assert_int_eq(OPS->allocate(store, f, 0, UINT64_MAX, 1), -FSIF_EINVAL);
    ck_assert_int_eq(OPS->allocate(store, f, 0, 0, UINT64_MAX), -FSIF_EINVAL);
    ck_assert_int_eq(OPS->allocate(store, f, 0, INT64_MAX, INT64_MAX), -FSIF_EFBIG);
    OPS->close(store, f);
    f = open_at(store, ROOT, "f", FSIF_O_RDONLY);
    ck_assert_int_eq(OPS->allocate(store, f, 0, 0, 1), -FSIF_EBADF);
    OPS->close(store, f);
}
END_TEST

START_TEST(zeroing)
{
    uint64_t f;
    char buf[8];
    int r;

    fill("f", 'x', 8192);
    f = open_at(store, ROOT, "f", FSIF_O_RDWR);
    r = OPS->allocate(store, f, FSIF_ALLOCATE_ZERO, 4000, 100);
    if (r == -FSIF_EOPNOTSUPP) {
        printf("SKIP: the file system zeroes no ranges\n");
        return;
    }
    ck_assert_int_eq(r, 0);
    ck_assert_int_eq(OPS->read(store, f, buf, 8, 3996), 8);
    ck_assert_mem_eq(buf, "xxxx\0\0\0\0", 8);
    OPS->close(store, f);
}
END_TEST

START_TEST(seeking)
{
    uint64_t f = open_at(store, ROOT, "f", FSIF_O_RDWR | FSIF_O_CREAT), d;

    ck_assert_int_eq(OPS->write(store, f, "x", 1, 1 << 20, 0), 1);
    ck_assert_int_eq(OPS->seek(store, f, 0, FSIF_SEEK_HOLE), 0);
    ck_assert_int_eq(OPS->seek(store, f, 0, FSIF_SEEK_DATA), 1 << 20);
    ck_assert_int_eq(OPS->seek(store, f, 1 << 20, FSIF_SEEK_HOLE), (1 << 20) + 1);
    ck_assert_int_eq(OPS->seek(store, f, (1 << 20) + 1, FSIF_SEEK_DATA), -FSIF_ENXIO);
    ck_assert_int_eq(OPS->seek(store, f, UINT64_MAX, FSIF_SEEK_DATA), -FSIF_ENXIO);
    ck_assert_int_eq(OPS->seek(store, f, 0, 7), -FSIF_EINVAL);
    OPS->close(store, f);
    d = open_dir(store, ".");
    ck_assert_int_eq(OPS->seek(store, d, 0, FSIF_SEEK_DATA), -FSIF_EINVAL);
    OPS->close(store, d);
}
END_TEST

START_TEST(copying)
{
    uint64_t f, g;
    char buf[8];

    fill("f", 'x', 100000);
    f = open_at(store, ROOT, "f", FSIF_O_RDWR);
    g = open_at(store, ROOT, "g", FSIF_O_RDWR | FSIF_O_CREAT);
    ck_assert_int_eq(OPS->copy_range(store, f, 10, g, 20, 50000), 50000);
    ck_assert_uint_eq(attr_of(g).size, 50020);
    ck_assert_int_eq(OPS->read(store, g, buf, 4, 18), 4);
    ck_assert_mem_eq(buf, "\0\0xx", 4);
    ck_assert_int_eq(OPS->copy_range(store, f, 99990, g, 0, UINT32_MAX), 10);
    ck_assert_int_eq(OPS->copy_range(store, f, 100000, g, 0, 10), 0);
    ck_assert_int_eq(OPS->copy_range(store, f, 0, g, 0, 0), 0);
    ck_assert_int_eq(OPS->copy_range(store, f, 0, f, 10, 100), -FSIF_EINVAL);
    ck_assert_int_eq(OPS->copy_range(store, f, UINT64_MAX, g, 0, 1), -FSIF_EINVAL);
    ck_assert_int_eq(OPS->copy_range(store, f, 0, g, UINT64_MAX, 1), -FSIF_EINVAL);
    ck_assert_int_eq(OPS->copy_range(store, f, 0, g, 0, UINT64_MAX), -FSIF_EINVAL);
    OPS->close(store, g);
    g = open_at(store, ROOT, "g", FSIF_O_RDONLY);
    ck_assert_int_eq(OPS->copy_range(store, f, 0, g, 0, 1), -FSIF_EBADF);
    OPS->close(store, g);
    g = open_dir(store, ".");
    ck_assert_int_lt(OPS->copy_range(store, g, 0, f, 0, 1), 0);
    OPS->close(store, g);
    OPS->close(store, f);
}
END_TEST

/* A file of /proc has no size that the kernel would copy by: it is copied by hand. */
START_TEST(copying_by_hand)
{
    uint64_t g = open_at(store, ROOT, "g", FSIF_O_RDWR | FSIF_O_CREAT);
    int fd = open("/proc/self/status", O_RDONLY);
    char buf[8];
    int64_t n;

    ck_assert_int_ge(fd, 0);
    n = OPS->copy_range(store, (uint64_t)fd, 0, g, 3, 1 << 20);
    ck_assert_int_gt(n, 100);
    ck_assert_int_eq((int64_t)attr_of(g).size, n + 3);
    ck_assert_int_eq(OPS->read(store, g, buf, 8, 0), 8);
    ck_assert_mem_eq(buf, "\0\0\0Name:", 8);
    close(fd);
    OPS->close(store, g);
}
END_TEST

/* B21: every way to change the data takes the set-id bits away. */
START_TEST(b21_ranges)
{
    uint64_t f, g;

    put(export_fd, "g", "text");
    put(export_fd, "f", "program");
    g = open_at(store, ROOT, "g", FSIF_O_RDONLY);
    for (int way = 0; way < 3; way++) {
        ck_assert_int_eq(fchmodat(export_fd, "f", 06755, 0), 0);
        f = open_at(store, ROOT, "f", FSIF_O_RDWR);
        if (way == 0)
            ck_assert_int_eq(OPS->copy_range(store, g, 0, f, 0, 4), 4);
        else if (way == 1)
            ck_assert_int_eq(OPS->write(store, f, "x", 1, FSIF_STORE_END, 0), 1);
        else
            OPS->allocate(store, f, FSIF_ALLOCATE_ZERO, 0, 1);
        ck_assert_uint_eq(mode_of(export_fd, "f"), 0755);
        OPS->close(store, f);
    }
    OPS->close(store, g);
}
END_TEST

START_TEST(b23_data)
{
    struct fsif_store *plain = store;
    uint64_t f;

    put(export_fd, "f", "text");
    store = make_store(1, 0, 0);
    f = open_at(store, ROOT, "f", FSIF_O_RDONLY);
    ck_assert_int_eq(OPS->write(store, f, "x", 1, FSIF_STORE_END, 0), -FSIF_EROFS);
    ck_assert_int_eq(OPS->allocate(store, f, 0, 0, 1), -FSIF_EROFS);
    ck_assert_int_eq(OPS->copy_range(store, f, 0, f, 10, 1), -FSIF_EROFS);
    ck_assert_int_eq(OPS->setxattr(store, f, "", "user.x", 0, "x", 1), -FSIF_EROFS);
    ck_assert_int_eq(OPS->removexattr(store, f, "", "user.x", 0), -FSIF_EROFS);
    ck_assert_int_eq(OPS->setxattr(store, ROOT, "f", "user.x", 0, "x", 1), -FSIF_EROFS);
    OPS->close(store, f);
    OPS->destroy(store);
    store = plain;
}
END_TEST

/* --- extended attributes --------------------------------------------------------------------- */

static int has_no_xattrs(void)
{
    put(export_fd, "f", "text");
    if (OPS->setxattr(store, ROOT, "f", "user.a", 0, "value", 5) != -FSIF_EOPNOTSUPP)
        return 0;
    printf("SKIP: the file system has no extended attributes\n");
    return 1;
}

/* One file, in the ways to name it */
static void check_xattrs(uint64_t from, const char *path)
{
    char buf[64];

    OPS->removexattr(store, from, path, "user.a", 0);
    OPS->removexattr(store, from, path, "user.b", 0);
    ck_assert_int_eq(OPS->listxattr(store, from, path, 0, buf, 0), 0);
    ck_assert_int_eq(OPS->setxattr(store, from, path, "user.a", FSIF_XATTR_REPLACE, "v", 1),
                     -FSIF_ENODATA);
    ck_assert_int_eq(OPS->setxattr(store, from, path, "user.a", FSIF_XATTR_CREATE, "value", 5), 0);
    ck_assert_int_eq(OPS->setxattr(store, from, path, "user.a", FSIF_XATTR_CREATE, "v", 1),
                     -FSIF_EEXIST);
    ck_assert_int_eq(OPS->setxattr(store, from, path, "user.b", 0, "", 0), 0);
    ck_assert_int_eq(OPS->getxattr(store, from, path, "user.a", 0, buf, sizeof(buf)), 5);
    ck_assert_mem_eq(buf, "value", 5);
    ck_assert_int_eq(OPS->getxattr(store, from, path, "user.a", 0, NULL, 0), 5);
    ck_assert_int_eq(OPS->getxattr(store, from, path, "user.a", 0, buf, 4), -FSIF_ERANGE);
    ck_assert_int_eq(OPS->getxattr(store, from, path, "user.b", 0, buf, sizeof(buf)), 0);
    ck_assert_int_eq(OPS->getxattr(store, from, path, "user.c", 0, buf, sizeof(buf)),
                     -FSIF_ENODATA);
    ck_assert_int_eq(OPS->listxattr(store, from, path, 0, NULL, 0), 14);
    ck_assert_int_eq(OPS->listxattr(store, from, path, 0, buf, 13), -FSIF_ERANGE);
    ck_assert_int_eq(OPS->listxattr(store, from, path, 0, buf, 14), 14);
    ck_assert(memcmp(buf, "user.a\0user.b", 14) == 0 || memcmp(buf, "user.b\0user.a", 14) == 0);
    ck_assert_int_eq(OPS->removexattr(store, from, path, "user.b", 0), 0);
    ck_assert_int_eq(OPS->removexattr(store, from, path, "user.b", 0), -FSIF_ENODATA);
}

START_TEST(extended)
{
    uint64_t f;

    if (has_no_xattrs())
        return;
    ck_assert_int_eq(mkdirat(export_fd, "d", 0755), 0);
    ck_assert_int_eq(symlinkat("f", export_fd, "link"), 0);
    check_xattrs(ROOT, "f");
    check_xattrs(ROOT, "link");
    check_xattrs(ROOT, "d");
    check_xattrs(ROOT, ".");
    check_xattrs(ROOT, "");
    for (size_t i = 0; i < 2; i++) {
        const uint32_t flags = i == 0 ? FSIF_O_RDONLY : FSIF_O_PATH;
        f = open_at(store, ROOT, "f", flags);
        check_xattrs(f, "");
        OPS->close(store, f);
        f = open_at(store, ROOT, "d", flags);
        check_xattrs(f, "");
        OPS->close(store, f);
    }
}
END_TEST

/* B21: attributes that are the host's. */
START_TEST(b21_other_attributes)
{
    static const char *const names[] = {
        "security.capability",
        "security.selinux",
        "trusted.x",
        "system.posix_acl_access",
        "user",
        "system.posix_acl_default",
        "x",
        "",
        "USER.x",
    };
    char buf[64];
    int fd;

    if (has_no_xattrs())
        return;
    fd = openat(export_fd, "f", O_RDONLY);
    if (fsetxattr(fd, "trusted.hidden", "v", 1, 0) != 0)
        printf("SKIP: attributes to hide: %s\n", strerror(errno));
    close(fd);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        ck_assert_int_eq(OPS->setxattr(store, ROOT, "f", names[i], 0, "v", 1), -FSIF_EOPNOTSUPP);
        ck_assert_int_eq(OPS->getxattr(store, ROOT, "f", names[i], 0, buf, 64), -FSIF_EOPNOTSUPP);
        ck_assert_int_eq(OPS->removexattr(store, ROOT, "f", names[i], 0), -FSIF_EOPNOTSUPP);
    }
    ck_assert_int_eq(OPS->listxattr(store, ROOT, "f", 0, buf, 64), 7);
    ck_assert_mem_eq(buf, "user.a", 7);
}
END_TEST

START_TEST(extended_of_others)
{
    char buf[8];

    if (has_no_xattrs())
        return;
    put(outside_fd, "f", "outside");
    ck_assert_int_eq(symlinkat("../outside/f", export_fd, "link"), 0);
    ck_assert_int_eq(mkfifoat(export_fd, "fifo", 0600), 0);
    for (size_t i = 0; i < 2; i++) {
        const char *name = i == 0 ? "link" : "fifo";
        const uint32_t flags = FSIF_AT_NOFOLLOW;
        ck_assert_int_eq(OPS->getxattr(store, ROOT, name, "user.a", flags, buf, 8), -FSIF_ENODATA);
        ck_assert_int_eq(OPS->listxattr(store, ROOT, name, flags, buf, 8), 0);
        ck_assert_int_eq(OPS->setxattr(store, ROOT, name, "user.a", flags, "v", 1), -FSIF_EPERM);
        ck_assert_int_eq(OPS->removexattr(store, ROOT, name, "user.a", flags), -FSIF_EPERM);
    }
    ck_assert_int_eq(OPS->getxattr(store, ROOT, "link", "user.a", 0, buf, 8), -FSIF_ENOENT);
    ck_assert_int_eq(OPS->setxattr(store, ROOT, "none", "user.a", 0, "v", 1), -FSIF_ENOENT);
}
END_TEST

/* --- locks ----------------------------------------------------------------------------------- */

static int lock(uint64_t f, uint32_t mode, uint64_t off, uint64_t len)
{
    struct fsif_lock l = {.mode = mode, .offset = off, .length = len};

    return OPS->lock(store, f, 0, &l);
}

static int whole(uint64_t f, uint32_t mode)
{
    struct fsif_lock l = {.mode = mode};

    return OPS->lock(store, f, FSIF_LOCK_WHOLE, &l);
}

START_TEST(locks_of_ranges)
{
    struct fsif_lock l = {.mode = FSIF_LOCK_EXCLUSIVE, .offset = 5, .length = 100};
    uint64_t a, b;

    put(export_fd, "f", "text");
    a = open_at(store, ROOT, "f", FSIF_O_RDWR);
    b = open_at(store, ROOT, "f", FSIF_O_RDWR);
    ck_assert_int_eq(lock(a, FSIF_LOCK_EXCLUSIVE, 0, 10), 0);
    ck_assert_int_eq(lock(b, FSIF_LOCK_SHARED, 9, 1), -FSIF_EAGAIN);
    ck_assert_int_eq(lock(b, FSIF_LOCK_SHARED, 10, 10), 0);
    ck_assert_int_eq(lock(a, FSIF_LOCK_SHARED, 10, 10), 0);
    ck_assert_int_eq(lock(a, FSIF_LOCK_EXCLUSIVE, 10, 10), -FSIF_EAGAIN);
    ck_assert_int_eq(OPS->lock(store, b, FSIF_LOCK_TEST, &l), 0);
    ck_assert(l.mode == FSIF_LOCK_EXCLUSIVE && l.offset == 0 && l.length == 10);
    ck_assert_int_eq(lock(a, FSIF_LOCK_UNLOCK, 0, 0), 0);
    l = (struct fsif_lock){.mode = FSIF_LOCK_EXCLUSIVE, .length = 10};
    ck_assert_int_eq(OPS->lock(store, b, FSIF_LOCK_TEST, &l), 0);
    ck_assert_uint_eq(l.mode, FSIF_LOCK_UNLOCK);
    ck_assert_int_eq(lock(a, FSIF_LOCK_EXCLUSIVE, 100, 0), 0); /* to the end of all */
    ck_assert_int_eq(lock(b, FSIF_LOCK_SHARED, INT64_MAX - 1, 1), -FSIF_EAGAIN);
    ck_assert_int_eq(OPS->close(store, a), 0); /* and with the file the lock goes */
    ck_assert_int_eq(lock(b, FSIF_LOCK_EXCLUSIVE, 0, 0), 0);
    ck_assert_int_eq(lock(b, 0, 0, 0), -FSIF_EINVAL);
    ck_assert_int_eq(lock(b, 4, 0, 0), -FSIF_EINVAL);
    ck_assert_int_eq(lock(b, FSIF_LOCK_SHARED, UINT64_MAX, 1), -FSIF_EINVAL);
    ck_assert_int_eq(lock(b, FSIF_LOCK_SHARED, 0, UINT64_MAX), -FSIF_EINVAL);
    ck_assert_int_eq(lock(b, FSIF_LOCK_SHARED, INT64_MAX, INT64_MAX), -FSIF_EOVERFLOW);
    l = (struct fsif_lock){.mode = FSIF_LOCK_UNLOCK};
    ck_assert_int_eq(OPS->lock(store, b, FSIF_LOCK_TEST, &l), -FSIF_EINVAL);
    ck_assert_int_eq(OPS->lock(store, b, 8, &l), -FSIF_EINVAL);
    OPS->close(store, b);
    a = open_at(store, ROOT, "f", FSIF_O_RDONLY);
    ck_assert_int_eq(lock(a, FSIF_LOCK_EXCLUSIVE, 0, 1), -FSIF_EBADF);
    ck_assert_int_eq(lock(a, FSIF_LOCK_SHARED, 0, 1), 0);
    OPS->close(store, a);
    a = open_at(store, ROOT, "f", FSIF_O_PATH);
    ck_assert_int_eq(lock(a, FSIF_LOCK_SHARED, 0, 1), -FSIF_EBADF);
    OPS->close(store, a);
}
END_TEST

START_TEST(locks_of_files)
{
    struct fsif_lock l = {.mode = FSIF_LOCK_EXCLUSIVE};
    uint64_t a, b;

    put(export_fd, "f", "text");
    a = open_at(store, ROOT, "f", FSIF_O_RDWR);
    b = open_at(store, ROOT, "f", FSIF_O_RDONLY);
    ck_assert_int_eq(whole(a, FSIF_LOCK_EXCLUSIVE), 0);
    ck_assert_int_eq(whole(b, FSIF_LOCK_SHARED), -FSIF_EAGAIN);
    ck_assert_int_eq(lock(b, FSIF_LOCK_SHARED, 0, 0), 0); /* ranges are another thing */
    ck_assert_int_eq(whole(a, FSIF_LOCK_SHARED), 0);
    ck_assert_int_eq(whole(b, FSIF_LOCK_SHARED), 0);
    ck_assert_int_eq(whole(b, FSIF_LOCK_EXCLUSIVE), -FSIF_EAGAIN);
    ck_assert_int_eq(whole(a, FSIF_LOCK_UNLOCK), 0);
    ck_assert_int_eq(whole(b, FSIF_LOCK_EXCLUSIVE), 0);
    ck_assert_int_eq(OPS->lock(store, a, FSIF_LOCK_WHOLE | FSIF_LOCK_TEST, &l), -FSIF_EINVAL);
    OPS->close(store, b);
    ck_assert_int_eq(whole(a, FSIF_LOCK_EXCLUSIVE), 0);
    OPS->close(store, a);
}
END_TEST

/* Other processes of the host see them. */
START_TEST(locks_of_the_host)
{
    int status;
    uint64_t a;
    pid_t pid;

    put(export_fd, "f", "text");
    a = open_at(store, ROOT, "f", FSIF_O_RDWR);
    ck_assert_int_eq(lock(a, FSIF_LOCK_EXCLUSIVE, 0, 0), 0);
    ck_assert_int_eq(whole(a, FSIF_LOCK_EXCLUSIVE), 0);
    pid = fork();
    if (pid == 0) {
        struct flock l = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
        int fd = openat(export_fd, "f", O_RDWR);
        int free = fcntl(fd, F_SETLK, &l) == 0 || flock(fd, LOCK_SH | LOCK_NB) == 0;
        _exit(free);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    OPS->close(store, a);
}
END_TEST

void add_data(TCase *c)
{
    tcase_add_test(c, allocating);
    tcase_add_test(c, zeroing);
    tcase_add_test(c, seeking);
    tcase_add_test(c, copying);
    tcase_add_test(c, copying_by_hand);
    tcase_add_test(c, b21_ranges);
    tcase_add_test(c, b23_data);
    tcase_add_test(c, extended);
    tcase_add_test(c, b21_other_attributes);
    tcase_add_test(c, extended_of_others);
    tcase_add_test(c, locks_of_ranges);
    tcase_add_test(c, locks_of_files);
    tcase_add_test(c, locks_of_the_host);
}
