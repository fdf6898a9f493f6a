/* SPDX-License-Identifier: MIT */

/* Cases of open files. */

#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "conformance.h"

#define NEW (FSIF_O_RDWR | FSIF_O_CREAT | FSIF_O_TRUNC)

static void open_modes(struct context *c)
{
    struct fsif_client *cl = c->cl;
    int fh;

    EQ(c, fsif_open(cl, at(c, "none"), FSIF_O_RDONLY, 0), -FSIF_ENOENT);
    EQ(c, fsif_open(cl, at(c, "none/below"), FSIF_O_RDONLY, 0), -FSIF_ENOENT);
    EQ(c, fsif_open(cl, "", FSIF_O_RDONLY, 0), -FSIF_ENOENT);
    EQ(c, fsif_open(cl, at(c, "none/f"), NEW, 0644), -FSIF_ENOENT);
    make(c, "f", "text");
    EQ(c, fsif_open(cl, at(c, "f/g"), FSIF_O_RDONLY, 0), -FSIF_ENOTDIR);
    EQ(c, fsif_open(cl, at(c, "f/"), FSIF_O_RDONLY, 0), -FSIF_ENOTDIR);
    EQ(c, fsif_open(cl, at(c, "f"), FSIF_O_RDONLY | FSIF_O_DIRECTORY, 0), -FSIF_ENOTDIR);
    EQ(c, fsif_open(cl, at(c, "."), FSIF_O_RDWR, 0), -FSIF_EISDIR);
    EQ(c, fsif_open(cl, at(c, "../x"), FSIF_O_RDONLY, 0), -FSIF_EACCES);
    EQ(c, fsif_open(cl, at(c, "new/"), NEW, 0644), -FSIF_EISDIR);
    EQ(c, fsif_open(cl, c->dir, NEW, 0644), -FSIF_EISDIR);
    fh = fsif_open(cl, at(c, "f"), FSIF_O_RDONLY, 0);
    OK(c, fh >= 0);
    EQ(c, fsif_pwrite(cl, fh, "x", 1, 0), -FSIF_EBADF);
    EQ(c, fsif_close(cl, fh), 0);
    fh = fsif_open(cl, at(c, "f"), FSIF_O_WRONLY | FSIF_O_TRUNC, 0);
    OK(c, fh >= 0);
    EQ(c, fsif_pwrite(cl, fh, "x", 1, 0), 1);
    EQ(c, fsif_close(cl, fh), 0);
    OK(c, text_is(c, "f", "x"));
    fh = fsif_open(cl, at(c, "f"), NEW, 0600);
    OK(c, fh >= 0);
    EQ(c, fsif_close(cl, fh), 0);
    OK(c, text_is(c, "f", ""));
    fh = fsif_open(cl, at(c, "."), FSIF_O_RDONLY | FSIF_O_DIRECTORY, 0);
    OK(c, fh >= 0);
    EQ(c, fsif_close(cl, fh), 0);
}

static void bad_handles(struct context *c)
{
    const int bad[] = {-1, 100000, INT32_MAX, INT32_MIN};
    struct fsif_attr attr;
    char buf[4];
    int fh;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        EQ(c, fsif_close(c->cl, bad[i]), -FSIF_EBADF);
        EQ(c, fsif_pread(c->cl, bad[i], buf, 1, 0), -FSIF_EBADF);
        EQ(c, fsif_pwrite(c->cl, bad[i], buf, 1, 0), -FSIF_EBADF);
        EQ(c, fsif_fstat(c->cl, bad[i], &attr), -FSIF_EBADF);
        EQ(c, fsif_ftruncate(c->cl, bad[i], 0), -FSIF_EBADF);
        EQ(c, fsif_fchmod(c->cl, bad[i], 0644), -FSIF_EBADF);
        EQ(c, fsif_fsync(c->cl, bad[i]), -FSIF_EBADF);
    }
    make(c, "f", "x");
    fh = fsif_open(c->cl, at(c, "f"), FSIF_O_RDWR, 0);
    EQ(c, fsif_close(c->cl, fh), 0);
    EQ(c, fsif_close(c->cl, fh), -FSIF_EBADF);
    EQ(c, fsif_pread(c->cl, fh, buf, 1, 0), -FSIF_EBADF);
}

static void read_write(struct context *c)
{
    struct fsif_client *cl = c->cl;
    char buf[64];
    int fh = fsif_open(cl, at(c, "f"), NEW, 0644);

    EQ(c, fsif_pread(cl, fh, buf, sizeof(buf), 0), 0);
    EQ(c, fsif_pwrite(cl, fh, "hello", 5, 0), 5);
    EQ(c, fsif_pwrite(cl, fh, "", 0, 0), 0);
    EQ(c, fsif_pwrite(cl, fh, "", 0, 1000), 0);
    EQ(c, fsif_pread(cl, fh, buf, 0, 0), 0);
    EQ(c, fsif_pread(cl, fh, buf, 3, 1), 3);
    EQ(c, memcmp(buf, "ell", 3), 0);
    EQ(c, fsif_pread(cl, fh, buf, sizeof(buf), 3), 2);
    EQ(c, fsif_pread(cl, fh, buf, 1, 5), 0);
    EQ(c, fsif_pread(cl, fh, buf, 1, 1 << 30), 0);
    EQ(c, fsif_pread(cl, fh, buf, 1, UINT64_MAX), -FSIF_EINVAL);
    EQ(c, fsif_pwrite(cl, fh, buf, 1, UINT64_MAX), -FSIF_EINVAL);
    EQ(c, fsif_pwrite(cl, fh, buf, 1, INT64_MAX), -FSIF_EINVAL);
    EQ(c, fsif_pwrite(cl, fh, "!", 1, 20), 1);
    EQ(c, fsif_pread(cl, fh, buf, sizeof(buf), 0), 21);
    EQ(c, memcmp(buf, "hello\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0!", 21), 0);
    EQ(c, fsif_fsync(cl, fh), 0);
    EQ(c, fsif_close(cl, fh), 0);
}

static unsigned char pattern(uint64_t at_byte)
{
    return (unsigned char)(at_byte * 31 + at_byte / 251 + at_byte / 4096);
}

/* Lengths and offsets about pages, each checked byte by byte. */
static void big_io(struct context *c)
{
    enum { SIZE = 1 << 20 };
    static const uint32_t lens[] = {1, 4095, 4096, 4097, 8192, 65536, 300001};
    static const uint32_t offs[] = {0, 1, 4095, 4096, 4097, 500000};
    unsigned char *buf = malloc(SIZE), *back = malloc(SIZE);
    int fh = fsif_open(c->cl, at(c, "f"), NEW, 0644);
    int wrong = 0;

    for (uint32_t i = 0; i < SIZE; i++)
        buf[i] = pattern(i);
    EQ(c, fsif_pwrite(c->cl, fh, buf, SIZE, 0), SIZE);
    for (size_t l = 0; l < sizeof(lens) / sizeof(lens[0]); l++) {
        for (size_t o = 0; o < sizeof(offs) / sizeof(offs[0]); o++) {
            memset(back, 0xee, lens[l] + 1);
            EQ(c, fsif_pread(c->cl, fh, back, lens[l], offs[o]), lens[l]);
            wrong += memcmp(back, buf + offs[o], lens[l]) != 0;
            wrong += back[lens[l]] != 0xee;
            EQ(c, fsif_pwrite(c->cl, fh, buf + offs[o], lens[l], offs[o]), lens[l]);
        }
    }
    EQ(c, wrong, 0);
    EQ(c, fsif_pread(c->cl, fh, back, SIZE, SIZE - 5000), 5000);
    EQ(c, memcmp(back, buf + SIZE - 5000, 5000), 0);
    EQ(c, fsif_pread(c->cl, fh, back, SIZE, 0), SIZE);
    EQ(c, memcmp(back, buf, SIZE), 0);
    EQ(c, fsif_close(c->cl, fh), 0);
    free(buf);
    free(back);
}

static void sparse(struct context *c)
{
    const uint64_t far = UINT64_C(5) << 32;
    struct fsif_attr attr;
    char buf[8192];
    int fh = fsif_open(c->cl, at(c, "f"), NEW, 0644);
    int nonzero = 0;

    EQ(c, fsif_pwrite(c->cl, fh, "end", 3, far), 3);
    EQ(c, fsif_fstat(c->cl, fh, &attr), 0);
    EQ(c, attr.size, far + 3);
    EQ(c, fsif_pread(c->cl, fh, buf, sizeof(buf), far - 8000), 8003);
    for (int i = 0; i < 8000; i++)
        nonzero += buf[i] != 0;
    EQ(c, nonzero, 0);
    EQ(c, memcmp(buf + 8000, "end", 3), 0);
    EQ(c, fsif_close(c->cl, fh), 0);
}

static void truncating(struct context *c)
{
    struct fsif_attr attr;
    char buf[32];
    int fh, ro;

    make(c, "f", "0123456789");
    fh = fsif_open(c->cl, at(c, "f"), FSIF_O_RDWR, 0);
    ro = fsif_open(c->cl, at(c, "f"), FSIF_O_RDONLY, 0);
    EQ(c, fsif_ftruncate(c->cl, fh, 4), 0);
    EQ(c, fsif_ftruncate(c->cl, fh, 8), 0);
    EQ(c, fsif_pread(c->cl, fh, buf, sizeof(buf), 0), 8);
    EQ(c, memcmp(buf, "0123\0\0\0\0", 8), 0);
    EQ(c, fsif_ftruncate(c->cl, fh, UINT64_C(1) << 40), 0);
    EQ(c, fsif_fstat(c->cl, ro, &attr), 0);
    EQ(c, attr.size, UINT64_C(1) << 40);
    EQ(c, fsif_ftruncate(c->cl, fh, 0), 0);
    EQ(c, fsif_pread(c->cl, ro, buf, 1, 0), 0);
    EQ(c, fsif_ftruncate(c->cl, fh, UINT64_MAX), -FSIF_EINVAL);
    EQ(c, fsif_ftruncate(c->cl, fh, UINT64_C(1) << 63), -FSIF_EINVAL);
    EQ(c, fsif_ftruncate(c->cl, ro, 0), -FSIF_EINVAL);
    EQ(c, fsif_close(c->cl, fh), 0);
    EQ(c, fsif_close(c->cl, ro), 0);
}

static void attributes(struct context *c)
{
    struct fsif_attr attr;
    int fh;

    make(c, "f", "12345");
    EQ(c, fsif_stat(c->cl, at(c, "f"), &attr), 0);
    EQ(c, attr.mode, FSIF_S_IFREG | 0644);
    EQ(c, attr.size, 5);
    OK(c, attr.mtime > 1500000000 && attr.ctime > 1500000000 && attr.atime > 1500000000);
    EQ(c, fsif_stat(c->cl, c->dir, &attr), 0);
    EQ(c, attr.mode, FSIF_S_IFDIR | 0777);
    EQ(c, fsif_stat(c->cl, "/", &attr), 0);
    EQ(c, attr.mode & FSIF_S_IFMT, FSIF_S_IFDIR);
    EQ(c, fsif_stat(c->cl, at(c, "none"), &attr), -FSIF_ENOENT);
    EQ(c, fsif_stat(c->cl, at(c, "f/"), &attr), -FSIF_ENOTDIR);
    fh = fsif_open(c->cl, at(c, "f"), FSIF_O_RDONLY, 0);
    EQ(c, fsif_fchmod(c->cl, fh, 0), 0);
    EQ(c, fsif_fstat(c->cl, fh, &attr), 0);
    EQ(c, attr.mode, FSIF_S_IFREG);
    EQ(c, fsif_fchmod(c->cl, fh, 0754), 0);
    EQ(c, fsif_fstat(c->cl, fh, &attr), 0);
    EQ(c, attr.mode, FSIF_S_IFREG | 0754);
    EQ(c, fsif_close(c->cl, fh), 0);
}

/* B21: set-id bits are masked, the sticky bit is not. */
static void setid_masked(struct context *c)
{
    struct fsif_attr attr;
    int fh = fsif_open(c->cl, at(c, "f"), NEW, 07755);

    OK(c, fh >= 0);
    EQ(c, fsif_fstat(c->cl, fh, &attr), 0);
    EQ(c, attr.mode, FSIF_S_IFREG | 01755);
    EQ(c, fsif_fchmod(c->cl, fh, 06711), 0);
    EQ(c, fsif_fstat(c->cl, fh, &attr), 0);
    EQ(c, attr.mode, FSIF_S_IFREG | 0711);
    EQ(c, fsif_close(c->cl, fh), 0);
    EQ(c, fsif_mkdir(c->cl, at(c, "d"), 07777), 0);
    EQ(c, fsif_stat(c->cl, at(c, "d"), &attr), 0);
    EQ(c, attr.mode, FSIF_S_IFDIR | 01777);
}

static void directory_handle(struct context *c)
{
    struct fsif_attr attr;
    char buf[4];
    int fh;

    EQ(c, fsif_mkdir(c->cl, at(c, "d"), 0700), 0);
    fh = fsif_open(c->cl, at(c, "d"), FSIF_O_RDONLY | FSIF_O_DIRECTORY, 0);
    OK(c, fh >= 0);
    EQ(c, fsif_pread(c->cl, fh, buf, 1, 0), -FSIF_EISDIR);
    EQ(c, fsif_pwrite(c->cl, fh, buf, 1, 0), -FSIF_EBADF);
    EQ(c, fsif_ftruncate(c->cl, fh, 0), -FSIF_EINVAL);
    EQ(c, fsif_fchmod(c->cl, fh, 01750), 0);
    EQ(c, fsif_fsync(c->cl, fh), 0);
    EQ(c, fsif_fstat(c->cl, fh, &attr), 0);
    EQ(c, attr.mode, FSIF_S_IFDIR | 01750);
    EQ(c, fsif_close(c->cl, fh), 0);
}

static void after_unlink(struct context *c)
{
    struct fsif_attr attr;
    char buf[16];
    int fh, dir;

    make(c, "f", "kept");
    EQ(c, fsif_mkdir(c->cl, at(c, "d"), 0755), 0);
    fh = fsif_open(c->cl, at(c, "f"), FSIF_O_RDWR, 0);
    dir = fsif_open(c->cl, at(c, "d"), FSIF_O_RDONLY | FSIF_O_DIRECTORY, 0);
    EQ(c, fsif_remove(c->cl, at(c, "f")), 0);
    EQ(c, fsif_remove(c->cl, at(c, "d")), 0);
    EQ(c, fsif_open(c->cl, at(c, "f"), FSIF_O_RDONLY, 0), -FSIF_ENOENT);
    EQ(c, fsif_pwrite(c->cl, fh, "!", 1, 4), 1);
    EQ(c, fsif_pread(c->cl, fh, buf, sizeof(buf), 0), 5);
    EQ(c, memcmp(buf, "kept!", 5), 0);
    EQ(c, fsif_fstat(c->cl, dir, &attr), 0);
    make(c, "f", "other");
    EQ(c, fsif_pread(c->cl, fh, buf, sizeof(buf), 0), 5);
    EQ(c, memcmp(buf, "kept!", 5), 0);
    EQ(c, fsif_close(c->cl, fh), 0);
    EQ(c, fsif_close(c->cl, dir), 0);
    OK(c, text_is(c, "f", "other"));
}

/* B24: as many handles as there are, then the right error, then it goes on. */
static void many_handles(struct context *c)
{
    enum { MOST = 70000 };
    int *fh = malloc(MOST * sizeof(*fh));
    int n = 0, wrong = 0, extra;
    char text;

    make(c, "f", "x");
    while (n < MOST && (fh[n] = fsif_open(c->cl, at(c, "f"), FSIF_O_RDONLY, 0)) >= 0)
        n++;
    OK(c, n >= 64 && n < MOST);
    EQ(c, fsif_open(c->cl, at(c, "f"), FSIF_O_RDONLY, 0), -FSIF_EMFILE);
    EQ(c, fsif_open(c->cl, at(c, "new"), NEW, 0644), -FSIF_EMFILE);
    for (int i = 0; i < n; i++)
        wrong += fsif_pread(c->cl, fh[i], &text, 1, 0) != 1;
    EQ(c, fsif_close(c->cl, fh[n / 2]), 0);
    extra = fsif_open(c->cl, at(c, "f"), FSIF_O_RDONLY, 0);
    OK(c, extra >= 0);
    fh[n / 2] = extra;
    for (int i = 0; i < n; i++)
        wrong += fsif_close(c->cl, fh[i]) != 0;
    EQ(c, wrong, 0);
    free(fh);
}

const struct test_case file_cases[] = {
    {"open-modes", open_modes},
    {"bad-handles", bad_handles},
    {"read-write", read_write},
    {"big-io", big_io},
    {"sparse", sparse},
    {"truncating", truncating},
    {"attributes", attributes},
    {"setid-masked", setid_masked},
    {"directory-handle", directory_handle},
    {"after-unlink", after_unlink},
    {"many-handles", many_handles},
    {NULL, NULL},
};
