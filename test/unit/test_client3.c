/* SPDX-License-Identifier: MIT */
/* What the client has in dialect 3 alone: attributes, names, data. */
#define _GNU_SOURCE
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fsif/client.h>
#include "client_fixture.h"
#include "parts.h"
#include "suite.h"

static void start(void)
{
    client_start(2, 30000, 0);
}

static void make(const char *path, const char *text)
{
    ck_assert_int_eq(fsif_close(cl, client_file(path, text, strlen(text))), 0);
}

static int open_dir(const char *path)
{
    int fh = fsif_open(cl, path, FSIF_O_RDONLY | FSIF_O_DIRECTORY, 0);

    ck_assert_int_ge(fh, 0);
    return fh;
}

START_TEST(relative_to_a_directory)
{
    struct fsif_attr attr;
    int dir;
    int fh;

    start();
    ck_assert_int_eq(fsif_mkdirat(cl, FSIF_ROOT, "d", 0755), 0);
    dir = open_dir("d");
    fh = fsif_openat(cl, dir, "f", CLIENT_NEW | FSIF_O_EXCL, 0640);
    ck_assert_int_ge(fh, 0);
    ck_assert_int_eq(fsif_openat(cl, dir, "f", CLIENT_NEW | FSIF_O_EXCL, 0640), -FSIF_EEXIST);
    ck_assert_int_eq(fsif_pwrite(cl, fh, "123", 3, 0), 3);
    ck_assert_int_eq(fsif_statx(cl, dir, "f", 0, &attr), 0);
    ck_assert_uint_eq(attr.size, 3);
    ck_assert_uint_eq(attr.mode, FSIF_S_IFREG | 0640);
    ck_assert_uint_ne(attr.ino, 0);
    ck_assert_int_eq(fsif_statx(cl, fh, "", 0, &attr), 0);
    ck_assert_uint_eq(attr.size, 3);
    ck_assert_int_eq(fsif_statx(cl, dir, "/d/f", 0, &attr), 0);
    ck_assert_int_eq(fsif_statx(cl, dir, "d/f", 0, &attr), -FSIF_ENOENT);
    ck_assert_int_eq(fsif_statx(cl, dir, "../d/f", 0, &attr), -FSIF_EACCES);
    ck_assert_int_eq(fsif_statx(cl, FSIF_ROOT, "", 0, &attr), 0);
    ck_assert_uint_eq(attr.mode & FSIF_S_IFMT, FSIF_S_IFDIR);
    ck_assert_int_eq(fsif_statx(cl, 77, "f", 0, &attr), -FSIF_EBADF);
    ck_assert_int_eq(fsif_statx(cl, -2, "f", 0, &attr), -FSIF_EBADF);
    ck_assert_int_eq(fsif_statx(cl, fh, "f", 0, &attr), -FSIF_ENOTDIR);
    ck_assert_int_eq(fsif_statx(cl, dir, NULL, 0, &attr), -FSIF_EINVAL);
    ck_assert_int_eq(fsif_statx(cl, dir, "f", 0x8000, &attr), -FSIF_EINVAL);
    ck_assert_int_eq(fsif_fstat(cl, FSIF_ROOT, &attr), -FSIF_EBADF);
    ck_assert_int_eq(fsif_unlinkat(cl, dir, "f", FSIF_REMOVE_DIR), -FSIF_ENOTDIR);
    ck_assert_int_eq(fsif_unlinkat(cl, dir, "f", FSIF_REMOVE_FILE), 0);
    ck_assert_int_eq(fsif_unlinkat(cl, FSIF_ROOT, "d", FSIF_REMOVE_FILE), -FSIF_EISDIR);
    ck_assert_int_eq(fsif_unlinkat(cl, FSIF_ROOT, "d", 0x10), -FSIF_EINVAL);
    ck_assert_int_eq(fsif_unlinkat(cl, FSIF_ROOT, "", 0), -FSIF_ENOENT);
    client_stop();
}
END_TEST

START_TEST(names_and_links)
{
    struct fsif_attr attr;
    char buf[64];
    int dir;
    int fh;

    start();
    make("a", "A");
    make("b", "BB");
    ck_assert_int_eq(fsif_mkdir(cl, "d", 0755), 0);
    dir = open_dir("d");
    ck_assert_int_eq(fsif_renameat2(cl, FSIF_ROOT, "a", FSIF_ROOT, "b", FSIF_RENAME_NOREPLACE),
                     -FSIF_EEXIST);
    ck_assert_int_eq(fsif_renameat2(cl, FSIF_ROOT, "a", FSIF_ROOT, "b", FSIF_RENAME_EXCHANGE), 0);
    ck_assert_int_eq(fsif_stat(cl, "a", &attr), 0);
    ck_assert_uint_eq(attr.size, 2);
    ck_assert_int_eq(fsif_renameat2(cl, FSIF_ROOT, "a", dir, "a", 0), 0);
    ck_assert_int_eq(fsif_linkat(cl, dir, "a", FSIF_ROOT, "second", 0), 0);
    ck_assert_int_eq(fsif_stat(cl, "second", &attr), 0);
    ck_assert_uint_eq(attr.nlink, 2);
    ck_assert_int_eq(fsif_symlinkat(cl, "d/a", FSIF_ROOT, "l"), 0);
    ck_assert_int_eq(fsif_readlinkat(cl, FSIF_ROOT, "l", buf, sizeof(buf)), 3);
    ck_assert_int_eq(memcmp(buf, "d/a", 3), 0);
    ck_assert_int_eq(fsif_readlinkat(cl, FSIF_ROOT, "l", buf, 2), 2);
    ck_assert_int_eq(fsif_readlinkat(cl, FSIF_ROOT, "l", buf, 0), -FSIF_EINVAL);
    ck_assert_int_eq(fsif_readlinkat(cl, FSIF_ROOT, "b", buf, 9), -FSIF_EINVAL);
    ck_assert_int_eq(fsif_lstat(cl, "l", &attr), 0);
    ck_assert_uint_eq(attr.mode & FSIF_S_IFMT, FSIF_S_IFLNK);
    ck_assert_int_eq(fsif_stat(cl, "l", &attr), 0);
    ck_assert_uint_eq(attr.size, 2);
    ck_assert_int_eq(fsif_symlinkat(cl, "", FSIF_ROOT, "m"), -FSIF_ENOENT);
    ck_assert_int_eq(fsif_mknodat(cl, FSIF_ROOT, "n", FSIF_S_IFREG | 0600, 0), 0);
    ck_assert_int_eq(fsif_mknodat(cl, FSIF_ROOT, "o", FSIF_S_IFDIR | 0600, 0), -FSIF_EINVAL);
    /* A file without a name gets one. */
    fh = fsif_openat(cl, FSIF_ROOT, "d", FSIF_O_RDWR | FSIF_O_TMPFILE, 0600);
    ck_assert_int_ge(fh, 0);
    ck_assert_int_eq(fsif_pwrite(cl, fh, "tmp", 3, 0), 3);
    ck_assert_int_eq(fsif_linkat(cl, fh, "", dir, "named", 0), 0);
    ck_assert_int_eq(fsif_stat(cl, "d/named", &attr), 0);
    ck_assert_uint_eq(attr.size, 3);
    client_stop();
}
END_TEST

START_TEST(attributes)
{
    const struct fsif_timespec times[2] = {{1000, 5}, {0, FSIF_UTIME_OMIT}};
    const struct fsif_timespec bad[2] = {{0, 1000000000}, {0, 0}};
    struct fsif_setattr set = {.mask = FSIF_SET_SIZE | FSIF_SET_MODE | FSIF_SET_MTIME,
                               .size = 7,
                               .mode = 0604,
                               .mtime = -3,
                               .mtime_nsec = 9};
    struct fsif_statvfs vfs;
    struct fsif_attr attr;
    int fh;

    start();
    make("f", "text");
    ck_assert_int_eq(fsif_setattr(cl, FSIF_ROOT, "f", 0, &set, &attr), 0);
    ck_assert_uint_eq(attr.size, 7);
    ck_assert_uint_eq(attr.mode & FSIF_S_PERM, 0604);
    ck_assert_int_eq(attr.mtime, -3);
    ck_assert_uint_eq(attr.mtime_nsec, 9);
    ck_assert_int_eq(fsif_utimensat(cl, FSIF_ROOT, "f", times, 0), 0);
    ck_assert_int_eq(fsif_utimensat(cl, FSIF_ROOT, "f", bad, 0), -FSIF_EINVAL);
    ck_assert_int_eq(fsif_stat(cl, "f", &attr), 0);
    ck_assert_int_eq(attr.atime, 1000);
    ck_assert_uint_eq(attr.atime_nsec, 5);
    ck_assert_int_eq(attr.mtime, -3);
    ck_assert_int_eq(fsif_utimensat(cl, FSIF_ROOT, "f", NULL, 0), 0);
    ck_assert_int_eq(fsif_stat(cl, "f", &attr), 0);
    ck_assert_int_gt(attr.mtime, 1000);
    ck_assert_int_eq(fsif_chmod(cl, "f", 0600), 0);
    ck_assert_int_eq(fsif_chmod(cl, "f", 010000), -FSIF_EINVAL);
    ck_assert_int_eq(fsif_fchmodat(cl, FSIF_ROOT, "none", 0600, 0), -FSIF_ENOENT);
    ck_assert_int_eq(fsif_truncate(cl, "f", 2), 0);
    ck_assert_int_eq(fsif_fchownat(cl, FSIF_ROOT, "f", UINT32_MAX, UINT32_MAX, 0), 0);
    fh = fsif_open(cl, "f", FSIF_O_RDWR, 0);
    ck_assert_int_eq(fsif_fchmod(cl, fh, 0611), 0);
    ck_assert_int_eq(fsif_fstat(cl, fh, &attr), 0);
    ck_assert_uint_eq(attr.mode & FSIF_S_PERM, 0611);
    ck_assert_uint_eq(attr.size, 2);
    ck_assert_int_eq(fsif_setattr(cl, fh, "", 0, NULL, NULL), -FSIF_EINVAL);
    ck_assert_int_eq(fsif_statvfs(cl, "f", &vfs), 0);
    ck_assert_uint_gt(vfs.bsize, 0);
    ck_assert_int_eq(fsif_fstatvfs(cl, fh, &vfs), 0);
    ck_assert_int_eq(fsif_fstatvfs(cl, -1, &vfs), -FSIF_EBADF);
    ck_assert_int_gt(fsif_space(cl, "/"), 0);
    client_stop();
}
END_TEST

START_TEST(extended_attributes)
{
    static char large[2 * FSIF_XATTR_MAX];
    char buf[64];

    start();
    make("f", "");
    ck_assert_int_eq(fsif_setxattr(cl, FSIF_ROOT, "f", "user.a", "one", 3, FSIF_XATTR_REPLACE),
                     -FSIF_ENODATA);
    ck_assert_int_eq(fsif_setxattr(cl, FSIF_ROOT, "f", "user.a", "one", 3, FSIF_XATTR_CREATE), 0);
    ck_assert_int_eq(fsif_setxattr(cl, FSIF_ROOT, "f", "user.b", "", 0, 0), 0);
    ck_assert_int_eq(fsif_getxattr(cl, FSIF_ROOT, "f", "user.a", buf, sizeof(buf), 0), 3);
    ck_assert_int_eq(memcmp(buf, "one", 3), 0);
    ck_assert_int_eq(fsif_getxattr(cl, FSIF_ROOT, "f", "user.a", NULL, 0, 0), 3);
    ck_assert_int_eq(fsif_getxattr(cl, FSIF_ROOT, "f", "user.a", buf, 2, 0), -FSIF_ERANGE);
    ck_assert_int_eq(fsif_getxattr(cl, FSIF_ROOT, "f", "user.a", large, sizeof(large), 0), 3);
    ck_assert_int_eq(fsif_listxattr(cl, FSIF_ROOT, "f", buf, sizeof(buf), 0), 14);
    ck_assert_int_eq(fsif_removexattr(cl, FSIF_ROOT, "f", "user.b", 0), 0);
    ck_assert_int_eq(fsif_listxattr(cl, FSIF_ROOT, "f", NULL, 0, 0), 7);
    ck_assert_int_eq(fsif_setxattr(cl, FSIF_ROOT, "f", "user.c", large, sizeof(large), 0),
                     -FSIF_E2BIG);
    ck_assert_int_eq(fsif_getxattr(cl, FSIF_ROOT, "f", NULL, buf, 1, 0), -FSIF_EINVAL);
    client_stop();
}
END_TEST

START_TEST(holes_copies_and_the_end)
{
    char buf[16] = "";
    int in;
    int out;
    int i;

    start();
    in = client_file("in", "0123456789", 10);
    out = client_file("out", "", 0);
    ck_assert_int_eq(fsif_copy_file_range(cl, in, 2, out, 1, 5), 5);
    ck_assert_int_eq(fsif_pread(cl, out, buf, sizeof(buf), 0), 6);
    ck_assert_int_eq(memcmp(buf, "\00023456", 6), 0);
    ck_assert_int_eq(fsif_copy_file_range(cl, in, 0, 99, 0, 5), -FSIF_EBADF);
    ck_assert_int_eq(fsif_fallocate(cl, out, 0, 0, 1 << 20), 0);
    ck_assert_int_eq(
        fsif_fallocate(cl, out, FSIF_ALLOCATE_PUNCH | FSIF_ALLOCATE_KEEP_SIZE, 0, 65536), 0);
    ck_assert_int_eq(fsif_fallocate(cl, out, 0, 0, 0), -FSIF_EINVAL);
    ck_assert_int_eq(fsif_seek(cl, in, 0, FSIF_SEEK_DATA), 0);
    ck_assert_int_eq(fsif_seek(cl, in, 0, FSIF_SEEK_HOLE), 10);
    ck_assert_int_eq(fsif_seek(cl, in, 10, FSIF_SEEK_DATA), -FSIF_ENXIO);
    for (i = 0; i < 3; i++)
        ck_assert_int_eq(fsif_append(cl, in, "ab", 2), 2);
    ck_assert_int_eq(fsif_pread(cl, in, buf, sizeof(buf), 8), 8);
    ck_assert_int_eq(memcmp(buf, "89ababab", 8), 0);
    ck_assert_int_eq(fsif_fdatasync(cl, in), 0);
    ck_assert_int_eq(fsif_syncfs(cl), 0);
    ck_assert_int_eq(fsif_nop(cl), 0);
    client_stop();
}
END_TEST

/* Longer than one request, in order, though pieces of it could pass each other. */
START_TEST(long_appends_stay_in_order)
{
    enum { LEN = 5 << 20 };
    uint32_t *out = malloc(LEN);
    uint32_t *in = malloc(LEN);
    int fh;

    client_start(8, 30000, 0);
    for (uint32_t i = 0; i < LEN / 4; i++)
        out[i] = i;
    fh = fsif_open(cl, "f", CLIENT_NEW | FSIF_O_APPEND, 0600);
    ck_assert_int_eq(fsif_pwrite(cl, fh, out, LEN, 12345), LEN);
    ck_assert_int_eq(fsif_append(cl, fh, out, LEN), LEN);
    ck_assert_int_eq(fsif_pread(cl, fh, in, LEN, 0), LEN);
    ck_assert_int_eq(memcmp(in, out, LEN), 0);
    ck_assert_int_eq(fsif_pread(cl, fh, in, LEN, LEN), LEN);
    ck_assert_int_eq(memcmp(in, out, LEN), 0);
    free(in);
    free(out);
    client_stop();
}
END_TEST

START_TEST(vectors)
{
    enum { LONG = 3 << 20 };
    char a[5] = "";
    char b[9] = "";
    char *large = calloc(1, LONG);
    struct fsif_iovec in[4] = {{a, 3}, {NULL, 0}, {b, 6}, {large, LONG}};
    struct fsif_iovec out[3] = {{"01", 2}, {"234", 3}, {"56789", 5}};
    struct fsif_iovec huge[2] = {{a, SIZE_MAX / 2}, {b, SIZE_MAX / 2}};
    int fh;

    start();
    fh = client_file("f", "", 0);
    ck_assert_int_eq(fsif_pwritev(cl, fh, out, 3, 1), 10);
    ck_assert_int_eq(fsif_preadv(cl, fh, in, 3, 1), 9);
    ck_assert_str_eq(a, "012");
    ck_assert_str_eq(b, "345678");
    ck_assert_int_eq(fsif_preadv(cl, fh, in, 4, 8), 3);
    ck_assert_int_eq(memcmp(a, "789", 3), 0);
    ck_assert_int_eq(fsif_preadv(cl, fh, in, 0, 0), -FSIF_EINVAL);
    ck_assert_int_eq(fsif_preadv(cl, fh, in, 1025, 0), -FSIF_EINVAL);
    ck_assert_int_eq(fsif_preadv(cl, fh, huge, 2, 0), -FSIF_EINVAL);
    ck_assert_int_eq(fsif_preadv(cl, fh, in, 3, INT64_MAX), -FSIF_EINVAL);
    ck_assert_int_eq(fsif_preadv(cl, 99, in, 3, 0), -FSIF_EBADF);
    memset(large, 'L', LONG);
    in[0] = (struct fsif_iovec){"xyz", 3};
    ck_assert_int_eq(fsif_pwritev(cl, fh, in, 4, 0), LONG + 9);
    ck_assert_int_eq(fsif_pread(cl, fh, a, 1, LONG + 8), 1);
    ck_assert_int_eq(a[0], 'L');
    free(large);
    client_stop();
}
END_TEST

START_TEST(buffers)
{
    struct fsif_limits l;
    struct fsif_buf one;
    struct fsif_buf two;
    int fh;

    start();
    fsif_get_limits(cl, &l);
    fh = client_file("f", "0123456789", 10);
    ck_assert_int_eq(fsif_buf_get(cl, 100, &one), 0);
    ck_assert_int_eq(fsif_pread_buf(cl, fh, &one, 100, 3), 7);
    ck_assert_int_eq(memcmp(one.data, "3456789", 7), 0);
    ck_assert_int_eq(fsif_pread_buf(cl, fh, &one, 100, 10), 0);
    ck_assert_int_eq(fsif_pread_buf(cl, fh, &one, 0, 0), 0);
    ck_assert_int_eq(fsif_pread_buf(cl, fh, &one, 101, 0), -FSIF_EINVAL);
    ck_assert_int_eq(fsif_pread_buf(cl, 99, &one, 10, 0), -FSIF_EBADF);
    memcpy(one.data, "abc", 3);
    ck_assert_int_eq(fsif_pwrite_buf(cl, fh, &one, 3, 0), 3);
    ck_assert_int_eq(fsif_pread_buf(cl, fh, &one, 5, 0), 5);
    ck_assert_int_eq(memcmp(one.data, "abc34", 5), 0);
    ck_assert_int_eq(fsif_buf_get(cl, 0, &two), -FSIF_EINVAL);
    ck_assert_int_eq(fsif_buf_get(cl, l.arena_bytes, &two), -FSIF_EAGAIN);
    fsif_buf_put(cl, &one);
    ck_assert_int_eq(fsif_buf_get(cl, l.arena_bytes, &two), 0);
    ck_assert_int_eq(fsif_pread_buf(cl, fh, &two, l.max_io, 0), 10);
    ck_assert_int_eq(fsif_pread_buf(cl, fh, &two, l.max_io + 1, 0), -FSIF_EINVAL);
    fsif_buf_put(cl, &two);
    fsif_buf_put(cl, &two); /* it is empty by now */
    client_stop();
}
END_TEST

/* All of the arena, as soon as the backend gave the last of it back. */
static void get_all(void)
{
    struct fsif_limits l;
    struct fsif_buf all;
    int err;

    fsif_get_limits(cl, &l);
    do {
        ck_assert_int_eq(fsif_nop(cl), 0);
        err = fsif_buf_get(cl, l.arena_bytes, &all);
    } while (err == -FSIF_EAGAIN);
    ck_assert_int_eq(err, 0);
    fsif_buf_put(cl, &all);
}

/* The backend may still write to a buffer whose call timed out: it is not handed out again before
 * that is over. */
START_TEST(buffer_of_a_call_that_timed_out)
{
    struct fsif_limits l;
    struct fsif_buf late;
    struct fsif_buf all;
    int fh;

    client_start(2, 1000, 0);
    fsif_get_limits(cl, &l);
    fh = client_file("f", "0123456789", 10);
    ck_assert_int_eq(fsif_buf_get(cl, 4096, &late), 0);
    local_backend_hold(backend, 0);
    ck_assert_int_eq(fsif_pread_buf(cl, fh, &late, 10, 0), -FSIF_ETIMEDOUT);
    fsif_buf_put(cl, &late);
    ck_assert_int_eq(fsif_buf_get(cl, l.arena_bytes, &all), -FSIF_EAGAIN);
    local_backend_release(backend);
    get_all();
    /* The same, given back by the call itself. */
    local_backend_hold(backend, 0);
    {
        char a[2];
        char b[2];
        const struct fsif_iovec iov[2] = {{a, 2}, {b, 2}};

        ck_assert_int_eq(fsif_preadv(cl, fh, iov, 2, 0), -FSIF_ETIMEDOUT);
    }
    ck_assert_int_eq(fsif_buf_get(cl, l.arena_bytes, &all), -FSIF_EAGAIN);
    local_backend_release(backend);
    get_all();
    /* And it goes with the session. */
    ck_assert_int_eq(fsif_buf_get(cl, 4096, &late), 0);
    local_backend_hold(backend, 0);
    ck_assert_int_eq(fsif_pread_buf(cl, fh, &late, 10, 0), -FSIF_ETIMEDOUT);
    client_stop();
}
END_TEST

START_TEST(whole_files)
{
    enum { LEN = 3 << 20 };
    char *out = malloc(LEN);
    char *in = malloc(LEN);
    struct fsif_attr attr;
    char buf[16];

    start();
    memset(out, 'q', LEN);
    ck_assert_int_eq(fsif_readfile(cl, FSIF_ROOT, "f", 0, buf, sizeof(buf), NULL), -FSIF_ENOENT);
    ck_assert_int_eq(fsif_writefile(cl, FSIF_ROOT, "f", 0, 0, "x", 1, NULL), -FSIF_ENOENT);
    ck_assert_int_eq(fsif_writefile(cl, FSIF_ROOT, "f", FSIF_O_CREAT, 0640, "hello", 5, &attr), 5);
    ck_assert_uint_eq(attr.size, 5);
    ck_assert_uint_eq(attr.mode, FSIF_S_IFREG | 0640);
    ck_assert_int_eq(fsif_readfile(cl, FSIF_ROOT, "f", 0, buf, sizeof(buf), &attr), 5);
    ck_assert_int_eq(memcmp(buf, "hello", 5), 0);
    ck_assert_int_eq(fsif_readfile(cl, FSIF_ROOT, "f", 0, buf, 2, &attr), 2);
    ck_assert_uint_eq(attr.size, 5);
    ck_assert_int_eq(fsif_readfile(cl, FSIF_ROOT, "f", FSIF_O_TRUNC, buf, 2, &attr), -FSIF_EINVAL);
    ck_assert_int_eq(fsif_readfile(cl, FSIF_ROOT, "", 0, buf, 2, &attr), -FSIF_ENOENT);
    ck_assert_int_eq(
        fsif_writefile(cl, FSIF_ROOT, "f", FSIF_O_CREAT | FSIF_O_EXCL, 0, "x", 1, NULL),
        -FSIF_EEXIST);
    ck_assert_int_eq(fsif_writefile(cl, FSIF_ROOT, "big", FSIF_O_CREAT, 0600, out, LEN, &attr),
                     LEN);
    ck_assert_uint_eq(attr.size, LEN);
    ck_assert_int_eq(fsif_readfile(cl, FSIF_ROOT, "big", 0, in, LEN, &attr), LEN);
    ck_assert_int_eq(memcmp(in, out, LEN), 0);
    ck_assert_int_eq(fsif_readfile(cl, FSIF_ROOT, "f", 0, in, LEN, &attr), 5);
    free(in);
    free(out);
    client_stop();
}
END_TEST

START_TEST(attributes_of_many)
{
    enum { COUNT = 2500 };
    static const char *names[COUNT];
    static struct fsif_attr attrs[COUNT];
    static int32_t status[COUNT];
    int dir;

    start();
    ck_assert_int_eq(fsif_mkdir(cl, "d", 0755), 0);
    make("d/f", "four");
    dir = open_dir("d");
    for (int i = 0; i < COUNT; i++)
        names[i] = i % 3 == 0 ? "f" : "none";
    ck_assert_int_eq(fsif_statmany(cl, dir, names, COUNT, 0, attrs, status), 0);
    for (int i = 0; i < COUNT; i++) {
        ck_assert_int_eq(status[i], i % 3 == 0 ? 0 : -FSIF_ENOENT);
        ck_assert_uint_eq(attrs[i].size, i % 3 == 0 ? 4 : 0);
    }
    ck_assert_int_eq(fsif_statmany(cl, dir, names, 0, 0, attrs, status), 0);
    names[1] = "";
    ck_assert_int_eq(fsif_statmany(cl, dir, names, 2, 0, attrs, status), -FSIF_ENOENT);
    names[1] = NULL;
    ck_assert_int_eq(fsif_statmany(cl, dir, names, 2, 0, attrs, status), -FSIF_EINVAL);
    client_stop();
}
END_TEST

struct seen {
    uint32_t count;
    uint32_t stop_at;
    uint32_t attrs;
    uint64_t bytes;
};

static int see(void *arg, const struct fsif_dirent *e)
{
    struct seen *s = arg;
    struct fsif_attr attr;

    ck_assert_int_eq(e->name[0], 'n');
    if (e->attr.mode != 0) {
        ck_assert_int_eq(e->status, 0);
        s->attrs++;
        s->bytes += e->attr.size;
    }
    /* Any call may be made meanwhile. */
    if (s->count == 0)
        ck_assert_int_eq(fsif_stat(cl, "d", &attr), 0);
    return ++s->count == s->stop_at ? 42 : 0;
}

START_TEST(directories)
{
    enum { COUNT = 2000 };
    struct seen seen = {.count = 0};
    struct fsif_dir *d;
    const char *name;
    int dir;
    int n = 0;

    start();
    ck_assert_int_eq(fsif_mkdir(cl, "d", 0755), 0);
    for (int i = 0; i < COUNT; i++) {
        char path[32];

        snprintf(path, sizeof(path), "d/name-%d", i);
        ck_assert_int_eq(fsif_writefile(cl, FSIF_ROOT, path, FSIF_O_CREAT, 0600, "xy", 2, NULL), 2);
    }
    ck_assert_int_eq(fsif_scandir(cl, FSIF_ROOT, "d", 0, see, &seen), 0);
    ck_assert_uint_eq(seen.count, COUNT);
    ck_assert_uint_eq(seen.attrs, 0);
    seen = (struct seen){.count = 0};
    ck_assert_int_eq(fsif_scandir(cl, FSIF_ROOT, "d", FSIF_READDIR_ATTR, see, &seen), 0);
    ck_assert_uint_eq(seen.attrs, COUNT);
    ck_assert_uint_eq(seen.bytes, 2 * COUNT);
    seen = (struct seen){.stop_at = 700};
    dir = open_dir("d");
    ck_assert_int_eq(fsif_scandir(cl, dir, "", FSIF_READDIR_ATTR, see, &seen), 42);
    ck_assert_uint_eq(seen.count, 700);
    ck_assert_int_eq(fsif_scandir(cl, dir, "name-1", 0, see, &seen), -FSIF_ENOTDIR);
    ck_assert_int_eq(fsif_scandir(cl, dir, "none", 0, see, &seen), -FSIF_ENOENT);
    ck_assert_int_eq(fsif_scandir(cl, dir, "", 0x10, see, &seen), -FSIF_EINVAL);
    ck_assert_int_eq(fsif_opendir(cl, "d", &d), 0);
    while (fsif_readdir(d, &name) > 0)
        n++;
    fsif_closedir(d);
    ck_assert_int_eq(n, COUNT);
    client_stop();
}
END_TEST

START_TEST(another_export)
{
    char buf[8];
    int other;

    start();
    make("f", "here");
    other = fsif_export_open(cl, "other");
    ck_assert_int_ge(other, 0);
    ck_assert_int_eq(fsif_writefile(cl, other, "f", FSIF_O_CREAT, 0600, "there!", 6, NULL), 6);
    ck_assert_int_eq(fsif_readfile(cl, FSIF_ROOT, "f", 0, buf, sizeof(buf), NULL), 4);
    ck_assert_int_eq(fsif_readfile(cl, other, "/f", 0, buf, sizeof(buf), NULL), 6);
    ck_assert_int_eq(fsif_renameat2(cl, other, "f", FSIF_ROOT, "g", 0), -FSIF_EXDEV);
    ck_assert_int_eq(fsif_export_open(cl, "none"), -FSIF_ENOENT);
    ck_assert_int_eq(fsif_export_open(cl, "../x"), -FSIF_EINVAL);
    ck_assert_int_eq(fsif_export_open(cl, ""), -FSIF_EINVAL);
    ck_assert_int_eq(fsif_close(cl, other), 0);
    client_stop();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("client3");
    TCase *t = tcase_create("calls");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, relative_to_a_directory);
    tcase_add_test(t, names_and_links);
    tcase_add_test(t, attributes);
    tcase_add_test(t, extended_attributes);
    tcase_add_test(t, holes_copies_and_the_end);
    tcase_add_test(t, long_appends_stay_in_order);
    tcase_add_test(t, vectors);
    tcase_add_test(t, buffers);
    tcase_add_test(t, buffer_of_a_call_that_timed_out);
    tcase_add_test(t, whole_files);
    tcase_add_test(t, attributes_of_many);
    tcase_add_test(t, directories);
    tcase_add_test(t, another_export);
    client3_add_closing(t);
    suite_add_tcase(s, t);
    t = tcase_create("notes");
    tcase_set_timeout(t, 60);
    client3_add_notes(t);
    suite_add_tcase(s, t);
    return run_suite(s);
}
