/* SPDX-License-Identifier: MIT */

/* Cases of data and listings that only dialect 3 has, and of what the others say to it. */

#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "conformance.h"

#define NEW (FSIF_O_RDWR | FSIF_O_CREAT | FSIF_O_TRUNC)

static int open_new(struct context *c, const char *name, const char *text)
{
    int fh = fsif_open(c->cl, at(c, name), NEW, 0644);

    OK(c, fh >= 0);
    EQ(c, fsif_pwrite(c->cl, fh, text, strlen(text), 0), strlen(text));
    return fh;
}

static int open_dir(struct context *c)
{
    int fh = fsif_open(c->cl, c->dir, FSIF_O_RDONLY | FSIF_O_DIRECTORY, 0);

    OK(c, fh >= 0);
    return fh;
}

static void allocating(struct context *c)
{
    enum { LEN = 1 << 20, PUNCHED = 256 << 10 };
    const uint32_t punch = FSIF_ALLOCATE_PUNCH | FSIF_ALLOCATE_KEEP_SIZE;
    struct fsif_client *cl = c->cl;
    struct fsif_attr attr;
    char *buf = malloc(LEN);
    int fh = open_new(c, "f", ""), ro, nonzero = 0;

    memset(buf, 'x', LEN);
    EQ(c, fsif_pwrite(cl, fh, buf, LEN, 0), LEN);
    EQ(c, fsif_fallocate(cl, fh, punch, PUNCHED, PUNCHED), 0);
    EQ(c, fsif_pread(cl, fh, buf, LEN, 0), LEN);
    for (int i = PUNCHED; i < 2 * PUNCHED; i++)
        nonzero += buf[i] != 0;
    EQ(c, nonzero, 0);
    OK(c, buf[PUNCHED - 1] == 'x' && buf[2 * PUNCHED] == 'x');
    EQ(c, fsif_seek(cl, fh, 0, FSIF_SEEK_DATA), 0);
    EQ(c, fsif_seek(cl, fh, 0, FSIF_SEEK_HOLE), PUNCHED);
    EQ(c, fsif_seek(cl, fh, PUNCHED, FSIF_SEEK_DATA), 2 * PUNCHED);
    EQ(c, fsif_seek(cl, fh, 2 * PUNCHED, FSIF_SEEK_HOLE), LEN);
    EQ(c, fsif_seek(cl, fh, LEN, FSIF_SEEK_DATA), -FSIF_ENXIO);
    EQ(c, fsif_seek(cl, fh, 0, 2), -FSIF_EINVAL);
    EQ(c, fsif_fallocate(cl, fh, FSIF_ALLOCATE_KEEP_SIZE, LEN, LEN), 0);
    EQ(c, fsif_fstat(cl, fh, &attr), 0);
    EQ(c, attr.size, LEN);
    EQ(c, fsif_fallocate(cl, fh, 0, LEN, 10), 0);
    EQ(c, fsif_fstat(cl, fh, &attr), 0);
    EQ(c, attr.size, LEN + 10);
    EQ(c, fsif_fallocate(cl, fh, 0, 0, 0), -FSIF_EINVAL);
    EQ(c, fsif_fallocate(cl, fh, FSIF_ALLOCATE_PUNCH, 0, 10), -FSIF_EINVAL);
    EQ(c, fsif_fallocate(cl, fh, 0x100, 0, 10), -FSIF_EINVAL);
    EQ(c, fsif_fallocate(cl, 99999, 0, 0, 10), -FSIF_EBADF);
    ro = fsif_open(cl, at(c, "f"), FSIF_O_RDONLY, 0);
    EQ(c, fsif_fallocate(cl, ro, 0, 0, 10), -FSIF_EBADF);
    EQ(c, fsif_close(cl, ro), 0);
    EQ(c, fsif_close(cl, fh), 0);
    free(buf);
}

static int all_are(const char *buf, size_t n, char what)
{
    size_t i = 0;

    while (i < n && buf[i] == what)
        i++;
    return i == n;
}

static void size_is(struct context *c, int fh, uint64_t size)
{
    struct fsif_attr attr = {0};

    EQ(c, fsif_fstat(c->cl, fh, &attr), 0);
    EQ(c, attr.size, size);
}

enum { ODD_LEN = 200001, ODD_AT = 50001, ODD_N = 70003 };

/* A file of ODD_LEN octets 'x', which no block ends with, and a buffer for more than twice that */
static int open_odd(struct context *c, char **buf)
{
    int fh = open_new(c, "f", "");

    *buf = malloc(3 * ODD_LEN);
    memset(*buf, 'x', ODD_LEN);
    EQ(c, fsif_pwrite(c->cl, fh, *buf, ODD_LEN, 0), ODD_LEN);
    return fh;
}

/* Whether the file is 'x', but zeros at ODD_AT */
static int zeros_inside(struct context *c, int fh, char *buf)
{
    return fsif_pread(c->cl, fh, buf, 3 * ODD_LEN, 0) == ODD_LEN && all_are(buf, ODD_AT, 'x') &&
           all_are(buf + ODD_AT, ODD_N, 0) &&
           all_are(buf + ODD_AT + ODD_N, ODD_LEN - ODD_AT - ODD_N, 'x');
}

/* At the end of a file and behind it: what grows it, and what does not */
static void zeroing_the_end(struct context *c, int fh, char *buf)
{
    const uint32_t zero = FSIF_ALLOCATE_ZERO, keep = FSIF_ALLOCATE_KEEP_SIZE;
    struct fsif_client *cl = c->cl;

    EQ(c, fsif_fallocate(cl, fh, zero | keep, ODD_LEN - 10, 1000), 0);
    size_is(c, fh, ODD_LEN);
    EQ(c, fsif_fallocate(cl, fh, zero | keep, 2 * ODD_LEN, 10), 0);
    size_is(c, fh, ODD_LEN);
    EQ(c, fsif_ftruncate(cl, fh, ODD_LEN + 2000), 0);
    EQ(c, fsif_fallocate(cl, fh, zero, ODD_LEN + 1990, 20), 0);
    size_is(c, fh, ODD_LEN + 2010);
    EQ(c, fsif_fallocate(cl, fh, zero, 2 * ODD_LEN, 7), 0);
    size_is(c, fh, 2 * ODD_LEN + 7);
    EQ(c, fsif_pread(cl, fh, buf, 3 * ODD_LEN, 0), 2 * ODD_LEN + 7);
    EQ(c, buf[ODD_LEN - 11], 'x');
    OK(c, all_are(buf + ODD_LEN - 10, ODD_LEN + 17, 0));
}

static void zeroing_refused(struct context *c, int fh)
{
    const uint32_t zero = FSIF_ALLOCATE_ZERO, punch = FSIF_ALLOCATE_PUNCH;
    struct fsif_client *cl = c->cl;
    int ro = fsif_open(cl, at(c, "f"), FSIF_O_RDONLY, 0);

    EQ(c, fsif_fallocate(cl, fh, zero | punch, 0, 10), -FSIF_EINVAL);
    EQ(c, fsif_fallocate(cl, fh, zero | punch | FSIF_ALLOCATE_KEEP_SIZE, 0, 10), -FSIF_EINVAL);
    EQ(c, fsif_fallocate(cl, fh, zero, 0, 0), -FSIF_EINVAL);
    EQ(c, fsif_fallocate(cl, ro, zero, 0, 10), -FSIF_EBADF);
    EQ(c, fsif_close(cl, ro), 0);
}

static void zeroing(struct context *c)
{
    const uint32_t punch = FSIF_ALLOCATE_PUNCH | FSIF_ALLOCATE_KEEP_SIZE;
    struct fsif_client *cl = c->cl;
    char *buf;
    int fh = open_odd(c, &buf), err = fsif_fallocate(cl, fh, FSIF_ALLOCATE_ZERO, ODD_AT, ODD_N);

    zeroing_refused(c, fh);
    if (err == -FSIF_EOPNOTSUPP && (c->host != NULL || c->outside)) {
        c->skipped = "the file system zeroes no ranges";
        EQ(c, fsif_pread(cl, fh, buf, 3 * ODD_LEN, 0), ODD_LEN);
        OK(c, all_are(buf, ODD_LEN, 'x'));
    } else if (EQ(c, err, 0)) {
        OK(c, zeros_inside(c, fh, buf));
        /* In a hole, and across its end */
        EQ(c, fsif_fallocate(cl, fh, punch, ODD_AT, ODD_N - 100), 0);
        EQ(c, fsif_fallocate(cl, fh, FSIF_ALLOCATE_ZERO, ODD_AT + 5000, 10), 0);
        EQ(c, fsif_fallocate(cl, fh, FSIF_ALLOCATE_ZERO, ODD_AT + ODD_N - 200, 200), 0);
        OK(c, zeros_inside(c, fh, buf));
        zeroing_the_end(c, fh, buf);
    }
    EQ(c, fsif_close(cl, fh), 0);
    free(buf);
}

/* Holes that begin and end anywhere; space given to what has some, or had, changes no octet. */
static void odd_holes(struct context *c)
{
    const uint32_t keep = FSIF_ALLOCATE_KEEP_SIZE, punch = FSIF_ALLOCATE_PUNCH | keep;
    struct fsif_client *cl = c->cl;
    char *buf;
    int fh = open_odd(c, &buf);

    EQ(c, fsif_fallocate(cl, fh, punch, ODD_AT, ODD_N), 0);
    OK(c, zeros_inside(c, fh, buf));
    EQ(c, fsif_fallocate(cl, fh, 0, 0, ODD_LEN), 0);
    EQ(c, fsif_fallocate(cl, fh, 0, ODD_AT + 1, 10), 0);
    OK(c, zeros_inside(c, fh, buf));
    EQ(c, fsif_fallocate(cl, fh, keep, ODD_AT, ODD_LEN), 0);
    EQ(c, fsif_fallocate(cl, fh, punch, ODD_LEN + 10, 10), 0);
    OK(c, zeros_inside(c, fh, buf));
    EQ(c, fsif_fallocate(cl, fh, punch, ODD_LEN - 5, 1 << 20), 0);
    EQ(c, fsif_pread(cl, fh, buf, 3 * ODD_LEN, 0), ODD_LEN);
    OK(c, buf[ODD_LEN - 6] == 'x' && all_are(buf + ODD_LEN - 5, 5, 0));
    EQ(c, fsif_pwrite(cl, fh, "y", 1, ODD_AT + 5000), 1);
    EQ(c, fsif_pread(cl, fh, buf, ODD_N, ODD_AT), ODD_N);
    OK(c, all_are(buf, 5000, 0) && buf[5000] == 'y' && all_are(buf + 5001, ODD_N - 5001, 0));
    EQ(c, fsif_close(cl, fh), 0);
    free(buf);
}

static void copying(struct context *c)
{
    struct fsif_client *cl = c->cl;
    char buf[16];
    int in = open_new(c, "in", "0123456789"), out = open_new(c, "out", ""), ro, dir = open_dir(c);

    EQ(c, fsif_copy_file_range(cl, in, 2, out, 1, 5), 5);
    EQ(c, fsif_pread(cl, out, buf, sizeof(buf), 0), 6);
    EQ(c, memcmp(buf, "\00023456", 6), 0);
    EQ(c, fsif_copy_file_range(cl, in, 8, out, 0, 100), 2);
    EQ(c, fsif_copy_file_range(cl, in, 10, out, 0, 100), 0);
    EQ(c, fsif_copy_file_range(cl, in, 0, in, 5, 10), -FSIF_EINVAL);
    EQ(c, fsif_copy_file_range(cl, in, 0, 99999, 0, 5), -FSIF_EBADF);
    EQ(c, fsif_copy_file_range(cl, dir, 0, out, 0, 5), -FSIF_EISDIR);
    ro = fsif_open(cl, at(c, "out"), FSIF_O_RDONLY, 0);
    EQ(c, fsif_copy_file_range(cl, in, 0, ro, 0, 5), -FSIF_EBADF);
    EQ(c, fsif_append(cl, out, "ab", 2), 2);
    EQ(c, fsif_append(cl, out, "cd", 2), 2);
    EQ(c, fsif_append(cl, ro, "ef", 2), -FSIF_EBADF);
    EQ(c, fsif_pread(cl, out, buf, sizeof(buf), 0), 10);
    EQ(c, memcmp(buf, "893456abcd", 10), 0);
    EQ(c, fsif_fdatasync(cl, out), 0);
    EQ(c, fsif_fdatasync(cl, 99999), -FSIF_EBADF);
    EQ(c, fsif_syncfs(cl), 0);
    EQ(c, fsif_nop(cl), 0);
    EQ(c, fsif_close(cl, ro), 0);
    EQ(c, fsif_close(cl, in), 0);
    EQ(c, fsif_close(cl, out), 0);
    EQ(c, fsif_close(cl, dir), 0);
}

static void pieces(struct context *c)
{
    char a[4], b[8];
    const struct fsif_iovec out[] = {{"01", 2}, {"234", 3}, {"", 0}, {"56789", 5}};
    const struct fsif_iovec in[] = {{a, 3}, {NULL, 0}, {b, 8}};
    const struct fsif_iovec nothing[] = {{NULL, 0}, {NULL, 0}};
    struct fsif_client *cl = c->cl;
    struct fsif_limits limits;
    struct fsif_buf buf, other;
    int fh = open_new(c, "f", "");

    EQ(c, fsif_pwritev(cl, fh, out, 4, 1), 10);
    EQ(c, fsif_preadv(cl, fh, in, 3, 1), 10);
    EQ(c, memcmp(a, "012", 3), 0);
    EQ(c, memcmp(b, "3456789", 7), 0);
    EQ(c, fsif_preadv(cl, fh, in, 0, 0), -FSIF_EINVAL);
    EQ(c, fsif_preadv(cl, fh, in, 1025, 0), -FSIF_EINVAL);
    EQ(c, fsif_preadv(cl, 99999, in, 3, 0), -FSIF_EBADF);
    EQ(c, fsif_pwritev(cl, 99999, out, 4, 0), -FSIF_EBADF);
    EQ(c, fsif_pwritev(cl, 99999, nothing, 2, 0), -FSIF_EBADF);
    EQ(c, fsif_preadv(cl, 99999, nothing, 2, 0), -FSIF_EBADF);
    EQ(c, fsif_pwritev(cl, fh, nothing, 2, 0), 0);
    fsif_get_limits(cl, &limits);
    OK(c, limits.arena_bytes > 0 && limits.queues > 0);
    EQ(c, fsif_buf_get(cl, 0, &buf), -FSIF_EINVAL);
    if (!EQ(c, fsif_buf_get(cl, 5000, &buf), 0))
        return;
    EQ(c, fsif_pread_buf(cl, fh, &buf, 5000, 4), 7);
    EQ(c, memcmp(buf.data, "3456789", 7), 0);
    memcpy(buf.data, "buf", 3);
    EQ(c, fsif_pwrite_buf(cl, fh, &buf, 3, 0), 3);
    EQ(c, fsif_pread_buf(cl, fh, &buf, buf.len + 1, 0), -FSIF_EINVAL);
    EQ(c, fsif_pread_buf(cl, 99999, &buf, 1, 0), -FSIF_EBADF);
    EQ(c, fsif_buf_get(cl, limits.arena_bytes, &other), -FSIF_EAGAIN);
    fsif_buf_put(cl, &buf);
    EQ(c, fsif_close(cl, fh), 0);
    OK(c, text_is(c, "f", "buf23456789"));
}

static void whole_files(struct context *c)
{
    enum { LONG = 3 << 20 };
    const uint32_t fresh = FSIF_O_CREAT | FSIF_O_EXCL;
    struct fsif_client *cl = c->cl;
    struct fsif_attr attr;
    char *large = malloc(LONG), *back = malloc(LONG), buf[8];
    int dir = open_dir(c);

    for (int i = 0; i < LONG; i++)
        large[i] = (char)(i * 7 + i / 4096);
    EQ(c, fsif_writefile(cl, dir, "f", fresh, 0640, "hello", 5, &attr), 5);
    EQ(c, attr.mode, FSIF_S_IFREG | 0640);
    EQ(c, attr.size, 5);
    EQ(c, fsif_writefile(cl, dir, "f", fresh, 0640, "x", 1, NULL), -FSIF_EEXIST);
    EQ(c, fsif_writefile(cl, dir, "none", FSIF_O_TRUNC, 0, "x", 1, NULL), -FSIF_ENOENT);
    EQ(c, fsif_writefile(cl, dir, ".", 0, 0, "x", 1, NULL), -FSIF_EISDIR);
    EQ(c, fsif_writefile(cl, dir, "f", FSIF_O_APPEND, 0, "x", 1, NULL), -FSIF_EINVAL);
    EQ(c, fsif_readfile(cl, dir, "f", 0, buf, 3, &attr), 3);
    EQ(c, attr.size, 5);
    EQ(c, memcmp(buf, "hel", 3), 0);
    EQ(c, fsif_readfile(cl, dir, "f", FSIF_O_TRUNC, buf, 3, NULL), -FSIF_EINVAL);
    EQ(c, fsif_readfile(cl, dir, "none", 0, buf, 3, NULL), -FSIF_ENOENT);
    EQ(c, fsif_readfile(cl, dir, ".", 0, buf, 3, NULL), -FSIF_EISDIR);
    EQ(c, fsif_symlinkat(cl, "f", dir, "l"), 0);
    EQ(c, fsif_readfile(cl, dir, "l", 0, buf, sizeof(buf), NULL), 5);
    EQ(c, fsif_readfile(cl, dir, "l", FSIF_O_NOFOLLOW, buf, 3, NULL), -FSIF_ELOOP);
    EQ(c, fsif_writefile(cl, dir, "l", FSIF_O_NOFOLLOW, 0, "x", 1, NULL), -FSIF_ELOOP);
    EQ(c, fsif_writefile(cl, dir, "f", FSIF_O_TRUNC, 0, large, LONG, &attr), LONG);
    EQ(c, attr.size, LONG);
    EQ(c, fsif_readfile(cl, dir, "f", 0, back, LONG, NULL), LONG);
    EQ(c, memcmp(back, large, LONG), 0);
    EQ(c, fsif_close(cl, dir), 0);
    free(large);
    free(back);
}

static void stat_many(struct context *c)
{
    const char *names[] = {"f", "none", "l", "f/x", "."};
    const char *empty[] = {"f", ""};
    struct fsif_client *cl = c->cl;
    struct fsif_attr attr[5];
    int32_t status[5];
    int dir = open_dir(c);

    make(c, "f", "text");
    EQ(c, fsif_symlinkat(cl, "f", dir, "l"), 0);
    EQ(c, fsif_statmany(cl, dir, names, 5, 0, attr, status), 0);
    OK(c, status[0] == 0 && attr[0].size == 4 && status[2] == 0 && attr[2].ino == attr[0].ino);
    EQ(c, status[1], -FSIF_ENOENT);
    EQ(c, attr[1].mode, 0);
    EQ(c, status[3], -FSIF_ENOTDIR);
    OK(c, status[4] == 0 && (attr[4].mode & FSIF_S_IFMT) == FSIF_S_IFDIR);
    EQ(c, fsif_statmany(cl, dir, names, 5, FSIF_AT_NOFOLLOW, attr, status), 0);
    EQ(c, attr[2].mode & FSIF_S_IFMT, FSIF_S_IFLNK);
    EQ(c, fsif_statmany(cl, dir, names, 5, 0x8000, attr, status), -FSIF_EINVAL);
    EQ(c, fsif_statmany(cl, dir, empty, 2, 0, attr, status), -FSIF_ENOENT);
    EQ(c, fsif_statmany(cl, 99999, names, 5, 0, attr, status), -FSIF_EBADF);
    EQ(c, fsif_close(cl, dir), 0);
}

enum { ENTRIES = 700 };

struct listing {
    int n, wrong, stop;
    unsigned char seen[ENTRIES];
};

/* File e-I has I % 7 bytes, but every tenth is a link to nowhere. */
static int see(void *arg, const struct fsif_dirent *e)
{
    struct listing *l = arg;
    int i = strncmp(e->name, "e-", 2) == 0 ? atoi(e->name + 2) : -1;
    uint32_t type = i % 10 == 0 ? FSIF_S_IFLNK : FSIF_S_IFREG;

    l->n++;
    if (i < 0 || i >= ENTRIES || l->seen[i]++ != 0 || e->status != 0)
        l->wrong++;
    else
        l->wrong += (e->attr.mode & FSIF_S_IFMT) != type || e->attr.ino != e->ino ||
                    (type == FSIF_S_IFREG && e->attr.size != (uint64_t)(i % 7));
    return l->n == l->stop ? 42 : 0;
}

static void listing(struct context *c)
{
    struct fsif_client *cl = c->cl;
    struct listing l = {0}, cut = {.stop = 3};
    char name[32];
    int dir = open_dir(c);

    for (int i = 0; i < ENTRIES; i++) {
        snprintf(name, sizeof(name), "e-%d", i);
        if (i % 10 == 0)
            EQ(c, fsif_symlinkat(cl, "nowhere", dir, name), 0);
        else
            EQ(c, fsif_writefile(cl, dir, name, FSIF_O_CREAT, 0600, "123456", (size_t)i % 7, NULL),
               i % 7);
    }
    EQ(c, fsif_scandir(cl, dir, ".", FSIF_READDIR_ATTR, see, &l), 0);
    EQ(c, l.n, ENTRIES);
    EQ(c, l.wrong, 0);
    EQ(c, fsif_scandir(cl, dir, ".", FSIF_READDIR_ATTR, see, &cut), 42);
    EQ(c, cut.n, 3);
    EQ(c, fsif_scandir(cl, dir, "none", FSIF_READDIR_ATTR, see, &l), -FSIF_ENOENT);
    EQ(c, fsif_scandir(cl, dir, "e-1", FSIF_READDIR_ATTR, see, &l), -FSIF_ENOTDIR);
    EQ(c, fsif_scandir(cl, dir, ".", 0x10, see, &l), -FSIF_EINVAL);
    EQ(c, fsif_close(cl, dir), 0);
}

static void whole_store(struct context *c)
{
    struct fsif_client *cl = c->cl;
    struct fsif_statvfs vfs;
    int fh = open_new(c, "f", "");

    EQ(c, fsif_statvfs(cl, at(c, "f"), &vfs), 0);
    OK(c, vfs.bsize > 0 && vfs.namemax == FSIF_NAME_MAX && vfs.bavail <= vfs.blocks);
    EQ(c, fsif_fstatvfs(cl, fh, &vfs), 0);
    OK(c, vfs.bsize > 0);
    EQ(c, fsif_statvfs(cl, at(c, "none"), &vfs), -FSIF_ENOENT);
    EQ(c, fsif_fstatvfs(cl, 99999, &vfs), -FSIF_EBADF);
    EQ(c, fsif_close(cl, fh), 0);
    EQ(c, fsif_export_open(cl, "no-such-export"), -FSIF_ENOENT);
    EQ(c, fsif_export_open(cl, ""), -FSIF_EINVAL);
    EQ(c, fsif_export_open(cl, "a/b"), -FSIF_EINVAL);
    fh = fsif_export_open(cl, "ro");
    if (fh < 0) {
        EQ(c, fh, -FSIF_ENOENT); /* a backend with one export */
        return;
    }
    EQ(c, fsif_mkdirat(cl, fh, "new", 0755), -FSIF_EROFS);
    EQ(c, fsif_linkat(cl, FSIF_ROOT, at(c, "f"), fh, "new", 0), -FSIF_EXDEV);
    EQ(c, fsif_close(cl, fh), 0);
    EQ(c, fsif_mkdirat(cl, fh, "new", 0755), -FSIF_EBADF);
}

/* What dialects 1 and 2 cannot say is refused, and does nothing. */
static void refused(struct context *c)
{
    const struct fsif_timespec times[2] = {{1000, 0}, {1000, 0}};
    const struct fsif_iovec piece = {"12", 2};
    struct fsif_client *cl = c->cl;
    struct fsif_attr attr;
    struct fsif_statvfs vfs;
    char buf[8];
    int fh = open_new(c, "f", "text");
    const char *f = at(c, "f");

    EQ(c, fsif_nop(cl), -FSIF_EOPNOTSUPP);
    EQ(c, fsif_export_open(cl, "data"), -FSIF_EOPNOTSUPP);
    EQ(c, fsif_append(cl, fh, "x", 1), -FSIF_EOPNOTSUPP);
    EQ(c, fsif_copy_file_range(cl, fh, 0, fh, 4, 4), -FSIF_EOPNOTSUPP);
    EQ(c, fsif_fallocate(cl, fh, 0, 0, 100), -FSIF_EOPNOTSUPP);
    EQ(c, fsif_seek(cl, fh, 0, FSIF_SEEK_HOLE), -FSIF_EOPNOTSUPP);
    EQ(c, fsif_syncfs(cl), -FSIF_EOPNOTSUPP);
    EQ(c, fsif_lstat(cl, f, &attr), -FSIF_EOPNOTSUPP);
    EQ(c, fsif_fchownat(cl, FSIF_ROOT, f, 0, 0, 0), -FSIF_EOPNOTSUPP);
    EQ(c, fsif_utimensat(cl, FSIF_ROOT, f, times, 0), -FSIF_EOPNOTSUPP);
    EQ(c, fsif_unlinkat(cl, FSIF_ROOT, f, FSIF_REMOVE_FILE), -FSIF_EOPNOTSUPP);
    EQ(c, fsif_renameat2(cl, FSIF_ROOT, f, FSIF_ROOT, "x", FSIF_RENAME_NOREPLACE),
       -FSIF_EOPNOTSUPP);
    EQ(c, fsif_mknodat(cl, FSIF_ROOT, "x", FSIF_S_IFREG | 0600, 0), -FSIF_EOPNOTSUPP);
    EQ(c, fsif_linkat(cl, FSIF_ROOT, f, FSIF_ROOT, "x", 0), -FSIF_EOPNOTSUPP);
    EQ(c, fsif_symlinkat(cl, f, FSIF_ROOT, "x"), -FSIF_EOPNOTSUPP);
    EQ(c, fsif_readlinkat(cl, FSIF_ROOT, f, buf, sizeof(buf)), -FSIF_EOPNOTSUPP);
    EQ(c, fsif_statvfs(cl, f, &vfs), -FSIF_EOPNOTSUPP);
    EQ(c, fsif_setxattr(cl, FSIF_ROOT, f, "user.a", "x", 1, 0), -FSIF_EOPNOTSUPP);
    EQ(c, fsif_listxattr(cl, FSIF_ROOT, f, buf, sizeof(buf), 0), -FSIF_EOPNOTSUPP);
    EQ(c, fsif_flock(cl, fh, FSIF_LOCK_SHARED, 0), -FSIF_EOPNOTSUPP);
    EQ(c, fsif_lock(cl, fh, FSIF_LOCK_SHARED, 0, 0, 1), -FSIF_EOPNOTSUPP);
    EQ(c, fsif_watch(cl, fh, FSIF_CHANGE_ALL), -FSIF_EOPNOTSUPP);
    EQ(c, fsif_openat(cl, FSIF_ROOT, f, FSIF_O_RDONLY | FSIF_O_NOFOLLOW, 0), -FSIF_EOPNOTSUPP);
    EQ(c, fsif_open(cl, "x", FSIF_O_RDONLY, 0), -FSIF_ENOENT);
    OK(c, text_is(c, "f", "text"));
    /* These are composed. */
    EQ(c, fsif_pwritev(cl, fh, &piece, 1, 4), 2);
    EQ(c, fsif_readfile(cl, FSIF_ROOT, f, 0, buf, sizeof(buf), &attr), 6);
    EQ(c, memcmp(buf, "text12", 6), 0);
    EQ(c, attr.size, 6);
    EQ(c, fsif_close(cl, fh), 0);
}

const struct test_case before3_cases[] = {
    {"refused", refused},
    {NULL, NULL},
};

const struct test_case data3_cases[] = {
    {"3-allocating", allocating},   {"3-zeroing", zeroing},
    {"3-odd-holes", odd_holes},     {"3-copying", copying},
    {"3-pieces", pieces},           {"3-whole-files", whole_files},
    {"3-stat-many", stat_many},     {"3-listing", listing},
    {"3-whole-store", whole_store}, {NULL, NULL},
};
