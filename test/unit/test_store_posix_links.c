/* SPDX-License-Identifier: MIT */

/* The posix store's links, nodes, and the flags of removing and renaming. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "store_posix_fixture.h"

static const char *target_of(uint64_t from, const char *path)
{
    static char text[64];
    int64_t n = OPS->readlink(store, from, path, text, sizeof(text) - 1);

    ck_assert_int_ge(n, 0);
    text[n] = '\0';
    return text;
}

START_TEST(symbolic)
{
    char buf[4];
    uint64_t d, f;

    ck_assert_int_eq(mkdirat(export_fd, "d", 0755), 0);
    put(export_fd, "f", "text");
    d = open_dir(store, "d");
    ck_assert_int_eq(OPS->symlink(store, "../f", d, "link"), 0);
    ck_assert_int_eq(OPS->symlink(store, "x", ROOT, "d/link"), -FSIF_EEXIST);
    ck_assert_int_eq(OPS->symlink(store, "x", ROOT, "none/link"), -FSIF_ENOENT);
    ck_assert_int_eq(OPS->symlink(store, "/etc/passwd", ROOT, "any"), 0);
    ck_assert_str_eq(target_of(d, "link"), "../f");
    ck_assert_str_eq(target_of(ROOT, "d/link"), "../f");
    ck_assert_str_eq(target_of(ROOT, "any"), "/etc/passwd");
    ck_assert_str_eq(text_at(d, "link"), "text");
    ck_assert_int_eq(try_open("any"), -FSIF_ENOENT);
    ck_assert_int_eq(OPS->readlink(store, ROOT, "any", buf, 4), 4);
    ck_assert_mem_eq(buf, "/etc", 4);
    ck_assert_int_eq(OPS->readlink(store, ROOT, "f", buf, 4), -FSIF_EINVAL);
    ck_assert_int_eq(OPS->readlink(store, ROOT, "d", buf, 4), -FSIF_EINVAL);
    ck_assert_int_eq(OPS->readlink(store, ROOT, "none", buf, 4), -FSIF_ENOENT);
    ck_assert_int_eq(OPS->readlink(store, ROOT, "any/", buf, 4), -FSIF_ENOENT);
    ck_assert_int_eq(OPS->readlink(store, d, "", buf, 4), -FSIF_EINVAL);
    f = open_at(store, ROOT, "f", FSIF_O_PATH);
    ck_assert_int_eq(OPS->readlink(store, f, "", buf, 4), -FSIF_EINVAL);
    OPS->close(store, f);
    OPS->close(store, d);
}
END_TEST

START_TEST(hard)
{
    struct fsif_attr attr;
    uint64_t d, f;

    ck_assert_int_eq(mkdirat(export_fd, "d", 0755), 0);
    put(export_fd, "f", "text");
    put(outside_fd, "f", "outside");
    ck_assert_int_eq(symlinkat("../f", export_fd, "d/link"), 0);
    ck_assert_int_eq(symlinkat("../outside/f", export_fd, "out"), 0);
    d = open_dir(store, "d");
    ck_assert_int_eq(OPS->link(store, ROOT, "f", d, "one", 0), 0);
    ck_assert_int_eq(OPS->link(store, d, "one", ROOT, "d/two", 0), 0);
    ck_assert_int_eq(OPS->stat(store, ROOT, "f", 0, &attr), 0);
    ck_assert_uint_eq(attr.nlink, 3);
    f = open_at(store, ROOT, "f", FSIF_O_RDONLY);
    ck_assert_int_eq(OPS->link(store, f, "", d, "three", 0), 0);
    OPS->close(store, f);
    f = open_at(store, ROOT, "f", FSIF_O_PATH);
    ck_assert_int_eq(OPS->link(store, f, "", d, "four", 0), 0);
    OPS->close(store, f);
    ck_assert_int_eq(OPS->link(store, d, "link", d, "five", FSIF_AT_FOLLOW), 0);
    ck_assert_str_eq(text_at(d, "five"), "text");
    ck_assert_int_eq(OPS->stat(store, ROOT, "f", 0, &attr), 0);
    ck_assert_uint_eq(attr.nlink, 6);
    ck_assert_int_eq(OPS->link(store, d, "link", ROOT, "same", 0), 0); /* the link itself */
    ck_assert_str_eq(target_of(ROOT, "same"), "../f");
    ck_assert_int_eq(OPS->link(store, ROOT, "f", d, "one", 0), -FSIF_EEXIST);
    ck_assert_int_eq(OPS->link(store, ROOT, "none", d, "x", 0), -FSIF_ENOENT);
    ck_assert_int_eq(OPS->link(store, ROOT, "f", ROOT, "none/x", 0), -FSIF_ENOENT);
    ck_assert_int_eq(OPS->link(store, ROOT, "d", ROOT, "x", 0), -FSIF_EPERM);
    ck_assert_int_eq(OPS->link(store, ROOT, "f/", ROOT, "x", 0), -FSIF_ENOTDIR);
    /* B19: nothing outside gets a name inside. */
    ck_assert_int_eq(OPS->link(store, ROOT, "out", ROOT, "x", FSIF_AT_FOLLOW), -FSIF_ENOENT);
    ck_assert_int_eq(OPS->link(store, ROOT, "out/", ROOT, "x", 0), -FSIF_ENOENT);
    ck_assert(!exists(export_fd, "x"));
    OPS->close(store, d);
}
END_TEST

START_TEST(nodes)
{
    struct fsif_store *plain = store;
    struct fsif_attr attr;

    umask(077);
    ck_assert_int_eq(OPS->mknod(store, ROOT, "f", FSIF_S_IFREG | 06664, 0), 0);
    ck_assert_uint_eq(mode_of(export_fd, "f"), 0664);
    ck_assert_int_eq(OPS->mknod(store, ROOT, "g", 0604, 0), 0);
    ck_assert_int_eq(OPS->mknod(store, ROOT, "g", 0604, 0), -FSIF_EEXIST);
    ck_assert_int_eq(OPS->mknod(store, ROOT, "d", FSIF_S_IFDIR | 0755, 0), -FSIF_EINVAL);
    ck_assert_int_eq(OPS->mknod(store, ROOT, "l", FSIF_S_IFLNK | 0755, 0), -FSIF_EINVAL);
    /* B21: no devices, nor anything else that is none of the peer's business. */
    ck_assert_int_eq(OPS->mknod(store, ROOT, "fifo", FSIF_S_IFIFO | 0644, 0), -FSIF_EPERM);
    ck_assert_int_eq(OPS->mknod(store, ROOT, "s", FSIF_S_IFSOCK | 0644, 0), -FSIF_EPERM);
    ck_assert_int_eq(OPS->mknod(store, ROOT, "c", FSIF_S_IFCHR | 0644, FSIF_RDEV(1, 3)),
                     -FSIF_EPERM);
    ck_assert_int_eq(OPS->mknod(store, ROOT, "b", FSIF_S_IFBLK | 0644, FSIF_RDEV(1, 3)),
                     -FSIF_EPERM);
    store = make_with((struct fsif_store_config){.special = 1});
    ck_assert_int_eq(OPS->mknod(store, ROOT, "fifo", FSIF_S_IFIFO | 0644, 0), 0);
    ck_assert_uint_eq(mode_of(export_fd, "fifo"), 0644);
    ck_assert_int_eq(OPS->mknod(store, ROOT, "s", FSIF_S_IFSOCK | 0600, 0), 0);
    ck_assert_int_eq(OPS->stat(store, ROOT, "s", 0, &attr), 0);
    ck_assert_uint_eq(attr.mode, FSIF_S_IFSOCK | 0600);
    ck_assert_int_eq(try_at(ROOT, "fifo", FSIF_O_RDONLY), -FSIF_EACCES); /* made, never opened */
    if (OPS->mknod(store, ROOT, "c", FSIF_S_IFCHR | 0666, FSIF_RDEV(1, 3)) != 0) {
        printf("SKIP: device nodes\n");
    } else {
        ck_assert_int_eq(OPS->stat(store, ROOT, "c", 0, &attr), 0);
        ck_assert_uint_eq(attr.mode, FSIF_S_IFCHR | 0666);
        ck_assert(attr.rdev_major == 1 && attr.rdev_minor == 3);
        ck_assert_int_eq(try_at(ROOT, "c", FSIF_O_RDWR), -FSIF_EACCES);
    }
    OPS->destroy(store);
    store = plain;
}
END_TEST

START_TEST(owners_of_nodes)
{
    struct fsif_store *plain = store;
    struct fsif_attr attr;
    uint64_t f;

    if (skip_unless_root("owners of links and nodes"))
        return;
    store = make_with(
        (struct fsif_store_config){.map = FSIF_MAP_OWNER, .uid = 1234, .gid = 5678, .special = 1});
    ck_assert_int_eq(OPS->symlink(store, "x", ROOT, "link"), 0);
    ck_assert_int_eq(OPS->mknod(store, ROOT, "f", FSIF_S_IFREG | 0666, 0), 0);
    ck_assert_int_eq(OPS->mknod(store, ROOT, "fifo", FSIF_S_IFIFO | 0666, 0), 0);
    for (size_t i = 0; i < 3; i++) {
        static const char *const names[] = {"link", "f", "fifo"};
        ck_assert_int_eq(OPS->stat(store, ROOT, names[i], FSIF_AT_NOFOLLOW, &attr), 0);
        ck_assert(attr.uid == 1234 && attr.gid == 5678);
        ck_assert(i == 0 || (attr.mode & 07777) == 0666);
    }
    ck_assert_int_eq(OPS->open(store, ROOT, ".", FSIF_O_RDWR | FSIF_O_TMPFILE, 0640, &f, &attr), 0);
    ck_assert(attr.uid == 1234 && attr.gid == 5678 && (attr.mode & 07777) == 0640);
    OPS->close(store, f);
    OPS->destroy(store);
    store = plain;
}
END_TEST

START_TEST(removing_what)
{
    ck_assert_int_eq(mkdirat(export_fd, "d", 0755), 0);
    put(export_fd, "f", "text");
    ck_assert_int_eq(symlinkat("d", export_fd, "link"), 0);
    ck_assert_int_eq(OPS->remove(store, ROOT, "d", FSIF_REMOVE_FILE), -FSIF_EISDIR);
    ck_assert_int_eq(OPS->remove(store, ROOT, "f", FSIF_REMOVE_DIR), -FSIF_ENOTDIR);
    ck_assert_int_eq(OPS->remove(store, ROOT, "link", FSIF_REMOVE_DIR), -FSIF_ENOTDIR);
    ck_assert_int_eq(OPS->remove(store, ROOT, "f", 4), -FSIF_EINVAL);
    ck_assert_int_eq(OPS->remove(store, ROOT, "link", FSIF_REMOVE_FILE), 0);
    ck_assert_int_eq(OPS->remove(store, ROOT, "f", FSIF_REMOVE_FILE), 0);
    ck_assert_int_eq(OPS->remove(store, ROOT, "d", FSIF_REMOVE_FILE | FSIF_REMOVE_DIR), 0);
    ck_assert(!exists(export_fd, "d") && !exists(export_fd, "f") && !exists(export_fd, "link"));
}
END_TEST

START_TEST(renaming_how)
{
    uint64_t d;

    ck_assert_int_eq(mkdirat(export_fd, "d", 0755), 0);
    put(export_fd, "f", "f");
    put(export_fd, "d/g", "g");
    d = open_dir(store, "d");
    ck_assert_int_eq(OPS->rename(store, ROOT, "f", d, "g", FSIF_RENAME_NOREPLACE), -FSIF_EEXIST);
    ck_assert_int_eq(OPS->rename(store, ROOT, "f", d, "g", FSIF_RENAME_EXCHANGE), 0);
    ck_assert_str_eq(text_of("f"), "g");
    ck_assert_str_eq(text_at(d, "g"), "f");
    ck_assert_int_eq(OPS->rename(store, ROOT, "f", d, "h", FSIF_RENAME_EXCHANGE), -FSIF_ENOENT);
    ck_assert_int_eq(OPS->rename(store, ROOT, "f", d, "h", FSIF_RENAME_NOREPLACE), 0);
    ck_assert_str_eq(text_at(d, "h"), "g");
    ck_assert_int_eq(
        OPS->rename(store, d, "g", d, "h", FSIF_RENAME_NOREPLACE | FSIF_RENAME_EXCHANGE),
        -FSIF_EINVAL);
    ck_assert_int_eq(OPS->rename(store, d, "g", d, "h", 4), -FSIF_EINVAL);
    ck_assert_int_eq(OPS->rename(store, d, "g", d, "h", 0), 0);
    ck_assert_str_eq(text_at(d, "h"), "f");
    OPS->close(store, d);
}
END_TEST

/* Nothing is made in a directory that was removed, whichever way leads back to it. */
START_TEST(in_what_was_removed)
{
    static const char *const names[] = {"n", "./n"};
    uint64_t dir, file;

    put(export_fd, "f", "");
    ck_assert_int_eq(mkdirat(export_fd, "d", 0755), 0);
    dir = open_dir(store, "d");
    ck_assert_int_eq(unlinkat(export_fd, "d", AT_REMOVEDIR), 0);
    for (int i = 0; i < 2; i++) {
        const char *name = names[i];

        ck_assert_int_eq(
            OPS->open(store, dir, name, FSIF_O_CREAT | FSIF_O_WRONLY, 0600, &file, NULL),
            -FSIF_ENOENT);
        ck_assert_int_eq(OPS->mkdir(store, dir, name, 0700), -FSIF_ENOENT);
        ck_assert_int_eq(OPS->symlink(store, "t", dir, name), -FSIF_ENOENT);
        ck_assert_int_eq(OPS->mknod(store, dir, name, FSIF_S_IFREG | 0600, 0), -FSIF_ENOENT);
        ck_assert_int_eq(OPS->link(store, ROOT, "f", dir, name, 0), -FSIF_ENOENT);
        ck_assert_int_eq(OPS->rename(store, ROOT, "f", dir, name, 0), -FSIF_ENOENT);
        ck_assert_int_eq(OPS->remove(store, dir, name, 0), -FSIF_ENOENT);
    }
    OPS->close(store, dir);
}
END_TEST

/* B23 */
START_TEST(b23_names)
{
    struct fsif_store *plain = store;

    put(export_fd, "f", "text");
    ck_assert_int_eq(symlinkat("f", export_fd, "link"), 0);
    store = make_with((struct fsif_store_config){.read_only = 1, .special = 1});
    ck_assert_int_eq(OPS->symlink(store, "x", ROOT, "x"), -FSIF_EROFS);
    ck_assert_int_eq(OPS->link(store, ROOT, "f", ROOT, "x", 0), -FSIF_EROFS);
    ck_assert_int_eq(OPS->mknod(store, ROOT, "x", FSIF_S_IFREG, 0), -FSIF_EROFS);
    ck_assert_int_eq(OPS->mknod(store, ROOT, "x", FSIF_S_IFIFO, 0), -FSIF_EROFS);
    ck_assert_int_eq(OPS->rename(store, ROOT, "f", ROOT, "link", FSIF_RENAME_EXCHANGE),
                     -FSIF_EROFS);
    ck_assert_int_eq(OPS->remove(store, ROOT, "f", FSIF_REMOVE_FILE), -FSIF_EROFS);
    ck_assert_str_eq(target_of(ROOT, "link"), "f");
    OPS->destroy(store);
    store = plain;
}
END_TEST

void add_links(TCase *c)
{
    tcase_add_test(c, symbolic);
    tcase_add_test(c, hard);
    tcase_add_test(c, nodes);
    tcase_add_test(c, owners_of_nodes);
    tcase_add_test(c, removing_what);
    tcase_add_test(c, in_what_was_removed);
    tcase_add_test(c, renaming_how);
    tcase_add_test(c, b23_names);
}
