/* SPDX-License-Identifier: MIT */

/* Cases of names and attributes that only dialect 3 has. */

#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "conformance.h"

#define NEW (FSIF_O_RDWR | FSIF_O_CREAT | FSIF_O_TRUNC)

static int open_dir(struct context *c)
{
    int fh = fsif_open(c->cl, c->dir, FSIF_O_RDONLY | FSIF_O_DIRECTORY, 0);

    OK(c, fh >= 0);
    return fh;
}

/* Whether @path in @dir holds exactly this text */
static int holds(struct context *c, int dir, const char *path, const char *text)
{
    char buf[64];
    int64_t n = fsif_readfile(c->cl, dir, path, 0, buf, sizeof(buf), NULL);

    return n == (int64_t)strlen(text) && memcmp(buf, text, (size_t)n) == 0;
}

static void relative(struct context *c)
{
    struct fsif_client *cl = c->cl;
    struct fsif_attr attr, same;
    int dir = open_dir(c), fh;

    EQ(c, fsif_mkdirat(cl, dir, "d", 0750), 0);
    EQ(c, fsif_mkdirat(cl, dir, "d", 0750), -FSIF_EEXIST);
    fh = fsif_openat(cl, dir, "d/f", NEW | FSIF_O_EXCL, 0640);
    OK(c, fh >= 0);
    EQ(c, fsif_openat(cl, dir, "d/f", NEW | FSIF_O_EXCL, 0640), -FSIF_EEXIST);
    EQ(c, fsif_pwrite(cl, fh, "abc", 3, 0), 3);
    EQ(c, fsif_statx(cl, dir, "d/f", 0, &attr), 0);
    EQ(c, attr.size, 3);
    EQ(c, attr.mode, FSIF_S_IFREG | 0640);
    EQ(c, attr.nlink, 1);
    EQ(c, fsif_statx(cl, fh, "", 0, &same), 0);
    OK(c, attr.ino != 0 && attr.ino == same.ino && attr.dev == same.dev);
    EQ(c, fsif_statx(cl, dir, at(c, "d/f"), 0, &attr), -FSIF_ENOENT);
    EQ(c, fsif_statx(cl, dir, "../x", 0, &attr), -FSIF_EACCES);
    EQ(c, fsif_statx(cl, fh, "f", 0, &attr), -FSIF_ENOTDIR);
    EQ(c, fsif_statx(cl, 99999, "f", 0, &attr), -FSIF_EBADF);
    EQ(c, fsif_statx(cl, dir, "d", 0x8000, &attr), -FSIF_EINVAL);
    EQ(c, fsif_openat(cl, fh, "f", FSIF_O_RDONLY, 0), -FSIF_ENOTDIR);
    EQ(c, fsif_unlinkat(cl, dir, "d/f", FSIF_REMOVE_DIR), -FSIF_ENOTDIR);
    EQ(c, fsif_unlinkat(cl, dir, "d", FSIF_REMOVE_FILE), -FSIF_EISDIR);
    EQ(c, fsif_unlinkat(cl, dir, "d", 0x10), -FSIF_EINVAL);
    EQ(c, fsif_unlinkat(cl, dir, "d/f", FSIF_REMOVE_FILE), 0);
    EQ(c, fsif_fstat(cl, fh, &attr), 0);
    EQ(c, attr.nlink, 0);
    EQ(c, fsif_unlinkat(cl, dir, "d", FSIF_REMOVE_DIR), 0);
    EQ(c, fsif_close(cl, fh), 0);
    EQ(c, fsif_close(cl, dir), 0);
}

static void open_flags(struct context *c)
{
    struct fsif_client *cl = c->cl;
    struct fsif_attr attr;
    char buf[16];
    int dir = open_dir(c), fh, below;

    make(c, "f", "text");
    EQ(c, fsif_symlinkat(cl, "f", dir, "l"), 0);
    EQ(c, fsif_openat(cl, dir, "l", FSIF_O_RDONLY | FSIF_O_NOFOLLOW, 0), -FSIF_ELOOP);
    EQ(c, fsif_openat(cl, dir, "f", FSIF_O_ACCMODE, 0), -FSIF_EINVAL);
    EQ(c, fsif_openat(cl, dir, "f", 0x80000000u, 0), -FSIF_EINVAL);
    fh = fsif_openat(cl, dir, "f", FSIF_O_RDWR | FSIF_O_APPEND, 0);
    EQ(c, fsif_pwrite(cl, fh, "+", 1, 0), 1);
    EQ(c, fsif_pread(cl, fh, buf, sizeof(buf), 0), 5);
    EQ(c, memcmp(buf, "text+", 5), 0);
    EQ(c, fsif_close(cl, fh), 0);
    /* Without FSIF_O_TRUNC what is there stays. */
    fh = fsif_openat(cl, dir, "f", FSIF_O_WRONLY | FSIF_O_CREAT | FSIF_O_DSYNC, 0600);
    EQ(c, fsif_pread(cl, fh, buf, 1, 0), -FSIF_EBADF);
    EQ(c, fsif_pwrite(cl, fh, "T", 1, 0), 1);
    EQ(c, fsif_close(cl, fh), 0);
    OK(c, text_is(c, "f", "Text+"));
    fh = fsif_openat(cl, dir, "f", FSIF_O_PATH, 0);
    OK(c, fh >= 0);
    EQ(c, fsif_statx(cl, fh, "", 0, &attr), 0);
    EQ(c, attr.size, 5);
    EQ(c, fsif_pread(cl, fh, buf, 1, 0), -FSIF_EBADF);
    EQ(c, fsif_pwrite(cl, fh, buf, 1, 0), -FSIF_EBADF);
    EQ(c, fsif_flock(cl, fh, FSIF_LOCK_SHARED, 0), -FSIF_EBADF);
    EQ(c, fsif_close(cl, fh), 0);
    fh = fsif_openat(cl, dir, "", FSIF_O_RDONLY, 0);
    EQ(c, fh, -FSIF_ENOENT);
    EQ(c, fsif_mkdirat(cl, dir, "d", 0755), 0);
    make(c, "d/f", "below");
    below = fsif_openat(cl, dir, "d", FSIF_O_PATH | FSIF_O_DIRECTORY, 0);
    OK(c, holds(c, below, "f", "below"));
    EQ(c, fsif_close(cl, below), 0);
    EQ(c, fsif_close(cl, dir), 0);
}

static void nameless(struct context *c)
{
    struct fsif_client *cl = c->cl;
    struct fsif_attr attr;
    int dir = open_dir(c), fh;

    EQ(c, fsif_openat(cl, dir, ".", FSIF_O_RDONLY | FSIF_O_TMPFILE, 0600), -FSIF_EINVAL);
    make(c, "f", "");
    EQ(c, fsif_openat(cl, dir, "f", FSIF_O_RDWR | FSIF_O_TMPFILE, 0600), -FSIF_ENOTDIR);
    fh = fsif_openat(cl, dir, ".", FSIF_O_RDWR | FSIF_O_TMPFILE, 0600);
    if (fh == -FSIF_EOPNOTSUPP && (c->host != NULL || c->outside)) {
        printf("     the file system has no files without names\n");
        EQ(c, fsif_close(cl, dir), 0);
        return;
    }
    OK(c, fh >= 0);
    EQ(c, fsif_pwrite(cl, fh, "tmp", 3, 0), 3);
    EQ(c, fsif_fstat(cl, fh, &attr), 0);
    EQ(c, attr.nlink, 0);
    EQ(c, fsif_linkat(cl, fh, "", dir, "f", 0), -FSIF_EEXIST);
    EQ(c, fsif_linkat(cl, fh, "", dir, "named", 0), 0);
    EQ(c, fsif_fstat(cl, fh, &attr), 0);
    EQ(c, attr.nlink, 1);
    EQ(c, fsif_close(cl, fh), 0);
    OK(c, text_is(c, "named", "tmp"));
    EQ(c, fsif_close(cl, dir), 0);
}

static void links(struct context *c)
{
    struct fsif_client *cl = c->cl;
    struct fsif_attr attr;
    char buf[16];
    int dir = open_dir(c);

    make(c, "f", "text");
    EQ(c, fsif_linkat(cl, dir, "f", dir, "g", 0), 0);
    EQ(c, fsif_statx(cl, dir, "g", 0, &attr), 0);
    EQ(c, attr.nlink, 2);
    EQ(c, fsif_linkat(cl, dir, "f", dir, "g", 0), -FSIF_EEXIST);
    EQ(c, fsif_linkat(cl, dir, "none", dir, "h", 0), -FSIF_ENOENT);
    EQ(c, fsif_linkat(cl, dir, "f", dir, "f/h", 0), -FSIF_ENOTDIR);
    EQ(c, fsif_linkat(cl, dir, "f", dir, "h", FSIF_AT_NOFOLLOW), -FSIF_EINVAL);
    EQ(c, fsif_linkat(cl, dir, ".", dir, "h", 0), -FSIF_EPERM);
    EQ(c, fsif_symlinkat(cl, "f", dir, "l"), 0);
    EQ(c, fsif_symlinkat(cl, "f", dir, "l"), -FSIF_EEXIST);
    EQ(c, fsif_symlinkat(cl, "", dir, "m"), -FSIF_ENOENT);
    EQ(c, fsif_symlinkat(cl, "f", dir, "f/m"), -FSIF_ENOTDIR);
    EQ(c, fsif_readlinkat(cl, dir, "l", buf, sizeof(buf)), 1);
    EQ(c, buf[0], 'f');
    EQ(c, fsif_symlinkat(cl, "far/away", dir, "dangling"), 0);
    EQ(c, fsif_readlinkat(cl, dir, "dangling", buf, 3), 3);
    EQ(c, memcmp(buf, "far", 3), 0);
    EQ(c, fsif_readlinkat(cl, dir, "l", buf, 0), -FSIF_EINVAL);
    EQ(c, fsif_readlinkat(cl, dir, "f", buf, sizeof(buf)), -FSIF_EINVAL);
    EQ(c, fsif_readlinkat(cl, dir, "none", buf, sizeof(buf)), -FSIF_ENOENT);
    EQ(c, fsif_statx(cl, dir, "dangling", 0, &attr), -FSIF_ENOENT);
    EQ(c, fsif_lstat(cl, at(c, "dangling"), &attr), 0);
    EQ(c, attr.mode & FSIF_S_IFMT, FSIF_S_IFLNK);
    EQ(c, attr.size, 8);
    /* A link to a link, and to what it leads to */
    EQ(c, fsif_linkat(cl, dir, "l", dir, "l2", 0), 0);
    EQ(c, fsif_statx(cl, dir, "l2", FSIF_AT_NOFOLLOW, &attr), 0);
    EQ(c, attr.mode & FSIF_S_IFMT, FSIF_S_IFLNK);
    EQ(c, fsif_linkat(cl, dir, "l", dir, "f3", FSIF_AT_FOLLOW), 0);
    EQ(c, fsif_statx(cl, dir, "f3", FSIF_AT_NOFOLLOW, &attr), 0);
    EQ(c, attr.mode & FSIF_S_IFMT, FSIF_S_IFREG);
    EQ(c, attr.nlink, 3);
    EQ(c, fsif_symlinkat(cl, "loop", dir, "loop"), 0);
    EQ(c, fsif_statx(cl, dir, "loop", 0, &attr), -FSIF_ELOOP);
    EQ(c, fsif_close(cl, dir), 0);
}

static void special_nodes(struct context *c, int dir)
{
    struct fsif_client *cl = c->cl;
    struct fsif_attr attr;
    int err = fsif_mknodat(cl, dir, "fifo", FSIF_S_IFIFO | 0620, 0);

    if (err == -FSIF_EPERM) {
        OK(c, c->outside);
        printf("     the export lets no special files be made\n");
        EQ(c, fsif_statx(cl, dir, "fifo", 0, &attr), -FSIF_ENOENT);
        return;
    }
    EQ(c, err, 0);
    EQ(c, fsif_mknodat(cl, dir, "f/x", FSIF_S_IFIFO | 0600, 0), -FSIF_ENOTDIR);
    EQ(c, fsif_statx(cl, dir, "fifo", 0, &attr), 0);
    EQ(c, attr.mode, FSIF_S_IFIFO | 0620);
    EQ(c, fsif_openat(cl, dir, "fifo", FSIF_O_RDONLY, 0), -FSIF_EACCES);
    EQ(c, fsif_mknodat(cl, dir, "socket", FSIF_S_IFSOCK | 0600, 0), 0);
    EQ(c, fsif_statx(cl, dir, "socket", 0, &attr), 0);
    EQ(c, attr.mode & FSIF_S_IFMT, FSIF_S_IFSOCK);
    err = fsif_mknodat(cl, dir, "null", FSIF_S_IFCHR | 0600, FSIF_RDEV(1, 3));
    if (err != 0) {
        EQ(c, err, -FSIF_EPERM); /* devices are for the privileged */
        return;
    }
    EQ(c, fsif_statx(cl, dir, "null", 0, &attr), 0);
    EQ(c, attr.mode & FSIF_S_IFMT, FSIF_S_IFCHR);
    EQ(c, attr.rdev_major, 1);
    EQ(c, attr.rdev_minor, 3);
}

static void nodes(struct context *c)
{
    struct fsif_client *cl = c->cl;
    struct fsif_attr attr;
    int dir = open_dir(c);

    EQ(c, fsif_mknodat(cl, dir, "f", FSIF_S_IFREG | 0604, 0), 0);
    EQ(c, fsif_mknodat(cl, dir, "f", FSIF_S_IFREG | 0604, 0), -FSIF_EEXIST);
    EQ(c, fsif_mknodat(cl, dir, "f/x", FSIF_S_IFREG | 0604, 0), -FSIF_ENOTDIR);
    EQ(c, fsif_mknodat(cl, dir, "d", FSIF_S_IFDIR | 0700, 0), -FSIF_EINVAL);
    EQ(c, fsif_mknodat(cl, dir, "l", FSIF_S_IFLNK | 0700, 0), -FSIF_EINVAL);
    EQ(c, fsif_statx(cl, dir, "f", 0, &attr), 0);
    EQ(c, attr.mode, FSIF_S_IFREG | 0604);
    special_nodes(c, dir);
    EQ(c, fsif_close(cl, dir), 0);
}

static void renames(struct context *c)
{
    struct fsif_client *cl = c->cl;
    int dir = open_dir(c), sub;

    make(c, "a", "A");
    make(c, "b", "B");
    EQ(c, fsif_mkdirat(cl, dir, "d", 0755), 0);
    sub = fsif_openat(cl, dir, "d", FSIF_O_RDONLY | FSIF_O_DIRECTORY, 0);
    EQ(c, fsif_renameat2(cl, dir, "a", dir, "b", FSIF_RENAME_NOREPLACE), -FSIF_EEXIST);
    EQ(c, fsif_renameat2(cl, dir, "a", dir, "none", FSIF_RENAME_EXCHANGE), -FSIF_ENOENT);
    EQ(c, fsif_renameat2(cl, dir, "a", dir, "b", 3), -FSIF_EINVAL);
    EQ(c, fsif_renameat2(cl, dir, "a", dir, "b", 0x10), -FSIF_EINVAL);
    OK(c, text_is(c, "a", "A") && text_is(c, "b", "B"));
    EQ(c, fsif_renameat2(cl, dir, "a", dir, "b", FSIF_RENAME_EXCHANGE), 0);
    OK(c, text_is(c, "a", "B") && text_is(c, "b", "A"));
    EQ(c, fsif_renameat2(cl, dir, "a", sub, "a", FSIF_RENAME_NOREPLACE), 0);
    OK(c, holds(c, sub, "a", "B"));
    EQ(c, fsif_renameat2(cl, dir, "d", sub, "e", FSIF_RENAME_NOREPLACE), -FSIF_EINVAL);
    EQ(c, fsif_renameat2(cl, sub, "a", dir, "b", 0), 0);
    OK(c, text_is(c, "b", "B"));
    EQ(c, fsif_renameat2(cl, 99999, "a", dir, "b", 0), -FSIF_EBADF);
    EQ(c, fsif_close(cl, sub), 0);
    EQ(c, fsif_close(cl, dir), 0);
}

static void setting(struct context *c)
{
    const struct fsif_timespec times[2] = {{1000, 5}, {0, FSIF_UTIME_OMIT}};
    const struct fsif_timespec bad[2] = {{0, 1000000000}, {0, 0}};
    struct fsif_setattr set = {.mask = FSIF_SET_SIZE | FSIF_SET_MODE | FSIF_SET_MTIME,
                               .size = 7,
                               .mode = 0604,
                               .mtime = 77,
                               .mtime_nsec = 9000};
    struct fsif_client *cl = c->cl;
    struct fsif_attr attr, before;
    int dir = open_dir(c);

    make(c, "f", "text");
    EQ(c, fsif_setattr(cl, dir, "f", 0, &set, &attr), 0);
    EQ(c, attr.size, 7);
    EQ(c, attr.mode, FSIF_S_IFREG | 0604);
    EQ(c, attr.mtime, 77);
    EQ(c, attr.mtime_nsec, 9000);
    EQ(c, fsif_utimensat(cl, dir, "f", times, 0), 0);
    EQ(c, fsif_utimensat(cl, dir, "f", bad, 0), -FSIF_EINVAL);
    EQ(c, fsif_utimensat(cl, dir, "none", NULL, 0), -FSIF_ENOENT);
    EQ(c, fsif_statx(cl, dir, "f", 0, &before), 0);
    EQ(c, before.atime, 1000);
    EQ(c, before.atime_nsec, 5);
    EQ(c, before.mtime, 77);
    EQ(c, fsif_utimensat(cl, dir, "f", NULL, 0), 0);
    EQ(c, fsif_statx(cl, dir, "f", 0, &attr), 0);
    OK(c, attr.mtime > 1500000000 && attr.atime > 1500000000);
    EQ(c, fsif_symlinkat(cl, "f", dir, "l"), 0);
    EQ(c, fsif_utimensat(cl, dir, "l", times, FSIF_AT_NOFOLLOW), 0);
    EQ(c, fsif_statx(cl, dir, "f", 0, &before), 0);
    EQ(c, before.atime, attr.atime);
    EQ(c, fsif_fchmodat(cl, dir, "l", 0600, FSIF_AT_NOFOLLOW), -FSIF_EOPNOTSUPP);
    EQ(c, fsif_fchmodat(cl, dir, "l", 0600, 0), 0);
    EQ(c, fsif_fchmodat(cl, dir, "f", 0600, 0x8000), -FSIF_EINVAL);
    EQ(c, fsif_fchownat(cl, dir, "f", UINT32_MAX, UINT32_MAX, 0), 0);
    EQ(c, fsif_fchownat(cl, dir, "f", before.uid, before.gid, FSIF_AT_NOFOLLOW), 0);
    EQ(c, fsif_statx(cl, dir, "f", 0, &attr), 0);
    EQ(c, attr.mode, FSIF_S_IFREG | 0600);
    OK(c, attr.uid == before.uid && attr.gid == before.gid);
    set.mask = 0x8000;
    EQ(c, fsif_setattr(cl, dir, "f", 0, &set, NULL), -FSIF_EINVAL);
    set.mask = FSIF_SET_SIZE;
    EQ(c, fsif_setattr(cl, dir, ".", 0, &set, NULL), -FSIF_EISDIR);
    EQ(c, fsif_close(cl, dir), 0);
}

static void xattrs(struct context *c)
{
    static char large[FSIF_XATTR_MAX + 1];
    struct fsif_client *cl = c->cl;
    char buf[64];
    int dir = open_dir(c), err;

    make(c, "f", "");
    err = fsif_setxattr(cl, dir, "f", "user.a", "one", 3, FSIF_XATTR_CREATE);
    if (err == -FSIF_EOPNOTSUPP && (c->host != NULL || c->outside)) {
        printf("     the file system has no extended attributes\n");
        EQ(c, fsif_getxattr(cl, dir, "f", "user.a", buf, sizeof(buf), 0), -FSIF_EOPNOTSUPP);
        EQ(c, fsif_close(cl, dir), 0);
        return;
    }
    EQ(c, err, 0);
    EQ(c, fsif_setxattr(cl, dir, "f", "user.a", "x", 1, FSIF_XATTR_CREATE), -FSIF_EEXIST);
    EQ(c, fsif_setxattr(cl, dir, "f", "user.b", "x", 1, FSIF_XATTR_REPLACE), -FSIF_ENODATA);
    EQ(c, fsif_setxattr(cl, dir, "f", "user.b", "", 0, 0), 0);
    EQ(c, fsif_setxattr(cl, dir, "f", "user.c", "x", 1, 0x10), -FSIF_EINVAL);
    EQ(c, fsif_setxattr(cl, dir, "f", "trusted.c", "x", 1, 0), -FSIF_EOPNOTSUPP);
    EQ(c, fsif_setxattr(cl, dir, "f", "user.c", large, sizeof(large), 0), -FSIF_E2BIG);
    EQ(c, fsif_getxattr(cl, dir, "f", "user.a", buf, sizeof(buf), 0), 3);
    EQ(c, memcmp(buf, "one", 3), 0);
    EQ(c, fsif_getxattr(cl, dir, "f", "user.a", NULL, 0, 0), 3);
    EQ(c, fsif_getxattr(cl, dir, "f", "user.a", buf, 2, 0), -FSIF_ERANGE);
    EQ(c, fsif_getxattr(cl, dir, "f", "user.none", buf, 9, 0), -FSIF_ENODATA);
    EQ(c, fsif_getxattr(cl, dir, "none", "user.a", buf, 9, 0), -FSIF_ENOENT);
    EQ(c, fsif_listxattr(cl, dir, "f", NULL, 0, 0), 14);
    EQ(c, fsif_listxattr(cl, dir, "f", buf, 13, 0), -FSIF_ERANGE);
    EQ(c, fsif_listxattr(cl, dir, "f", buf, sizeof(buf), 0), 14);
    OK(c, memcmp(buf, "user.a\0user.b", 14) == 0 || memcmp(buf, "user.b\0user.a", 14) == 0);
    EQ(c, fsif_removexattr(cl, dir, "f", "user.b", 0), 0);
    EQ(c, fsif_removexattr(cl, dir, "f", "user.b", 0), -FSIF_ENODATA);
    EQ(c, fsif_listxattr(cl, dir, "f", buf, sizeof(buf), 0), 7);
    EQ(c, fsif_close(cl, dir), 0);
}

static void changes_of_read_only(struct context *c)
{
    const struct fsif_setattr set = {.mask = FSIF_SET_MODE, .mode = 0700};
    struct fsif_client *ro = c->ro;
    struct fsif_statvfs vfs;

    if (ro == NULL) {
        c->skipped = "no read-only export";
        return;
    }
    EQ(c, fsif_openat(ro, FSIF_ROOT, "/", FSIF_O_RDWR | FSIF_O_TMPFILE, 0600), -FSIF_EROFS);
    EQ(c, fsif_writefile(ro, FSIF_ROOT, "n", FSIF_O_CREAT, 0600, "x", 1, NULL), -FSIF_EROFS);
    EQ(c, fsif_mkdirat(ro, FSIF_ROOT, "n", 0700), -FSIF_EROFS);
    EQ(c, fsif_mknodat(ro, FSIF_ROOT, "n", FSIF_S_IFIFO | 0600, 0), -FSIF_EROFS);
    EQ(c, fsif_symlinkat(ro, "t", FSIF_ROOT, "n"), -FSIF_EROFS);
    EQ(c, fsif_linkat(ro, FSIF_ROOT, "t", FSIF_ROOT, "n", 0), -FSIF_EROFS);
    EQ(c, fsif_renameat2(ro, FSIF_ROOT, "t", FSIF_ROOT, "n", FSIF_RENAME_NOREPLACE), -FSIF_EROFS);
    EQ(c, fsif_unlinkat(ro, FSIF_ROOT, "t", FSIF_REMOVE_FILE), -FSIF_EROFS);
    EQ(c, fsif_setattr(ro, FSIF_ROOT, "/", 0, &set, NULL), -FSIF_EROFS);
    EQ(c, fsif_utimensat(ro, FSIF_ROOT, "/", NULL, 0), -FSIF_EROFS);
    EQ(c, fsif_setxattr(ro, FSIF_ROOT, "/", "user.a", "x", 1, 0), -FSIF_EROFS);
    EQ(c, fsif_removexattr(ro, FSIF_ROOT, "/", "user.a", 0), -FSIF_EROFS);
    EQ(c, fsif_statvfs(ro, "/", &vfs), 0);
    EQ(c, fsif_syncfs(ro), 0);
}

const struct test_case name3_cases[] = {
    {"3-relative", relative},
    {"3-open-flags", open_flags},
    {"3-nameless", nameless},
    {"3-links", links},
    {"3-nodes", nodes},
    {"3-renames", renames},
    {"3-setting", setting},
    {"3-xattrs", xattrs},
    {"3-changes-of-read-only", changes_of_read_only},
    {NULL, NULL},
};
