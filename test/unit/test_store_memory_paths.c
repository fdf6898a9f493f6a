/* SPDX-License-Identifier: MIT */

/* The memory store: from paths to files. */

#include <stdio.h>
#include <string.h>
#include "store_memory_fixture.h"

/* Names from an open directory, and from one that was removed (B22). */
START_TEST(b22_bases)
{
    uint64_t d, f, g;

    ck_ok(make_dir("d"));
    ck_ok(make_dir("d/e"));
    d = opened("d", FSIF_O_DIRECTORY);
    ck_ok(OPS->open(store, d, "f", NEW, 0644, &f, NULL));
    ck_ok(try_open("d/f"));
    ck_fails(OPS->open(store, f, "x", 0, 0, &g, NULL), FSIF_ENOTDIR);
    ck_fails(OPS->open(store, f, ".", 0, 0, &g, NULL), FSIF_ENOTDIR);
    ck_fails(OPS->open(store, d, "", 0, 0, &g, NULL), FSIF_ENOENT);
    ck_fails(OPS->open(store, 12345, "x", 0, 0, &g, NULL), FSIF_EBADF);
    ck_ok(move("d", "moved"));
    ck_ok(OPS->mkdir(store, d, "new", 0755));
    ck_ok(try_open("moved/new"));
    ck_ok(OPS->rename(store, d, "e", ROOT, "e", 0));
    ck_ok(OPS->remove(store, d, "f", FSIF_REMOVE_FILE));
    ck_ok(OPS->remove(store, d, "new", FSIF_REMOVE_DIR));
    ck_ok(remove_at("moved"));
    ck_fails(OPS->open(store, d, "f", NEW, 0644, &g, NULL), FSIF_ENOENT);
    ck_fails(OPS->mkdir(store, d, "f", 0755), FSIF_ENOENT);
    ck_fails(OPS->rename(store, ROOT, "e", d, "e", 0), FSIF_ENOENT);
    ck_fails(OPS->link(store, f, "", d, "f", 0), FSIF_ENOENT);
    ck_ok(OPS->readdir(store, d, 2, NULL, NULL)); /* behind "." and ".." is nothing */
    ck_ok(OPS->open(store, d, ".", 0, 0, &g, NULL));
    ck_assert_uint_eq(attr_of(g).nlink, 0);
    ck_assert_uint_eq(attr_of(g).ino, attr_of(d).ino);
}
END_TEST

START_TEST(links_followed)
{
    struct fsif_attr attr;
    uint64_t f;

    ck_ok(make_dir("d"));
    ck_ok(make_dir("d/e"));
    ck_ok(try_create("d/f"));
    ck_ok(link_to("d", "to-d"));
    ck_ok(link_to("/d/e", "d/abs"));
    ck_ok(link_to("../../../d/./f", "d/e/up")); /* ".." stops at the root */
    ck_ok(link_to("/", "d/root"));
    ck_ok(link_to("to-d//e/", "slash"));
    ck_ok(try_open("to-d/f"));
    ck_ok(try_open("to-d/abs/up"));
    ck_ok(try_open("slash/up"));
    ck_ok(try_open("d/root/d/root/to-d/f"));
    ck_fails(try_open("to-d/f/"), FSIF_ENOTDIR);
    ck_fails(try_open("d/f/x"), FSIF_ENOTDIR);
    ck_ok(OPS->stat(store, ROOT, "d/root", 0, &attr));
    ck_assert_uint_eq(attr.ino, attr_at(".").ino);
    ck_assert_uint_eq(attr_at("to-d").mode, FSIF_S_IFLNK | 0777);
    ck_assert_uint_eq(attr_at("to-d").size, 1);
    ck_assert_uint_eq(attr_at("to-d/").mode, FSIF_S_IFDIR | 0755);
    f = opened("to-d", FSIF_O_DIRECTORY);
    ck_assert_uint_eq(attr_of(f).ino, attr_at("d").ino);
    ck_fails(open_at("to-d", FSIF_O_NOFOLLOW, 0, &f), FSIF_ELOOP);
    ck_fails(open_at("to-d", FSIF_O_NOFOLLOW | FSIF_O_DIRECTORY, 0, &f), FSIF_ENOTDIR);
    ck_ok(open_at("to-d/", FSIF_O_NOFOLLOW, 0, &f));
}
END_TEST

START_TEST(link_loops)
{
    char name[16], next[16];

    ck_ok(link_to("loop", "loop"));
    ck_fails(try_open("loop"), FSIF_ELOOP);
    ck_fails(try_open("loop/x"), FSIF_ELOOP);
    ck_fails(try_create("loop"), FSIF_ELOOP);
    ck_ok(try_create("l0"));
    for (int i = 1; i <= 41; i++) {
        snprintf(name, sizeof(name), "l%d", i);
        snprintf(next, sizeof(next), "l%d", i - 1);
        ck_ok(link_to(next, name));
    }
    ck_ok(try_open("l40"));
    ck_fails(try_open("l41"), FSIF_ELOOP);
}
END_TEST

START_TEST(created_through_links)
{
    uint64_t f;

    ck_ok(make_dir("d"));
    ck_ok(link_to("d/new", "to-new"));
    ck_fails(try_open("to-new"), FSIF_ENOENT);
    ck_fails(open_at("to-new", NEW | FSIF_O_EXCL, 0644, &f), FSIF_EEXIST);
    ck_fails(open_at("to-new", NEW | FSIF_O_NOFOLLOW, 0644, &f), FSIF_ELOOP);
    ck_fails(try_create("to-new/"), FSIF_EISDIR);
    ck_ok(try_create("to-new"));
    ck_ok(try_open("d/new"));
    ck_ok(open_at("to-new", FSIF_O_RDWR | FSIF_O_CREAT, 0644, &f));
    ck_ok(link_to("d", "to-d"));
    ck_fails(try_create("to-d"), FSIF_EISDIR);
    ck_fails(open_at("to-d", FSIF_O_CREAT, 0644, &f), FSIF_EISDIR);
    ck_ok(link_to("nowhere/", "slash"));
    ck_fails(try_create("slash"), FSIF_EISDIR);
    ck_fails(open_at(".", FSIF_O_CREAT, 0644, &f), FSIF_EISDIR);
    ck_fails(open_at(".", FSIF_O_CREAT | FSIF_O_EXCL, 0644, &f), FSIF_EEXIST);
    ck_fails(make_dir("to-d"), FSIF_EEXIST);
    ck_fails(make_dir("slash"), FSIF_EEXIST);
}
END_TEST

START_TEST(long_names)
{
    char name[600];

    memset(name, 'n', sizeof(name));
    name[255] = '\0';
    ck_ok(try_create(name));
    ck_ok(try_open(name));
    name[255] = 'n';
    name[256] = '\0';
    ck_fails(try_create(name), FSIF_ENAMETOOLONG);
    ck_fails(try_open(name), FSIF_ENAMETOOLONG);
    ck_fails(make_dir(name), FSIF_ENAMETOOLONG);
    ck_ok(link_to(name, "link"));
    ck_fails(try_open("link"), FSIF_ENAMETOOLONG);
    name[256] = '/';
    name[300] = '\0';
    ck_fails(try_open(name), FSIF_ENAMETOOLONG);
}
END_TEST

START_TEST(open_path)
{
    char buf[4];
    uint64_t f;

    ck_ok(make_dir("d"));
    ck_ok(try_create("d/f"));
    ck_ok(link_to("d", "l"));
    f = opened("d/f", FSIF_O_PATH | FSIF_O_RDWR | FSIF_O_TRUNC);
    ck_fails(OPS->read(store, f, buf, 1, 0), FSIF_EBADF);
    ck_fails(OPS->write(store, f, buf, 1, 0, 0), FSIF_EBADF);
    ck_fails(OPS->sync(store, f, 0), FSIF_EBADF);
    ck_ok(truncate_to(f, 5));
    ck_fails(OPS->seek(store, f, 0, 0), FSIF_EBADF);
    ck_fails(OPS->getxattr(store, f, "", "user.a", 0, buf, 0), FSIF_ENODATA);
    ck_fails(OPS->lock(store, f, 0, &(struct fsif_lock){.mode = FSIF_LOCK_SHARED}), FSIF_EBADF);
    ck_ok(chmod_to(f, 0600));
    ck_assert_uint_eq(attr_of(f).mode, FSIF_S_IFREG | 0600);
    ck_ok(OPS->link(store, f, "", ROOT, "g", 0));
    f = opened("l", FSIF_O_PATH | FSIF_O_NOFOLLOW);
    ck_assert_uint_eq(attr_of(f).mode, FSIF_S_IFLNK | 0777);
    ck_assert_int_eq(OPS->readlink(store, f, "", buf, 4), 1);
    ck_assert_int_eq(buf[0], 'd');
    f = opened("d", FSIF_O_PATH);
    ck_fails(OPS->readdir(store, f, 0, NULL, NULL), FSIF_EBADF);
    ck_fails(OPS->watch(store, f, FSIF_CHANGE_ALL, &(uint32_t){0}), FSIF_EBADF);
    ck_ok(OPS->open(store, f, "f", 0, 0, &f, NULL));
    ck_fails(open_at("d/f", FSIF_O_PATH | FSIF_O_DIRECTORY, 0, &f), FSIF_ENOTDIR);
}
END_TEST

START_TEST(open_flags)
{
    struct fsif_attr attr;
    uint64_t f;

    ck_fails(open_at("f", FSIF_O_ACCMODE, 0, &f), FSIF_EINVAL);
    ck_fails(open_at("f", FSIF_O_CREAT | FSIF_O_DIRECTORY, 0, &f), FSIF_EINVAL);
    ck_fails(open_at("f", NEW | FSIF_O_TMPFILE, 0, &f), FSIF_EINVAL);
    ck_fails(open_at(".", FSIF_O_TMPFILE, 0, &f), FSIF_EINVAL);
    ck_ok(OPS->open(store, ROOT, "f", NEW | FSIF_O_EXCL, 0640, &f, &attr));
    ck_assert_uint_eq(attr.mode, FSIF_S_IFREG | 0640);
    ck_assert_uint_eq(attr.nlink, 1);
    ck_assert_int_eq(put(f, "text", 0), 4);
    ck_fails(open_at("f", NEW | FSIF_O_EXCL, 0640, &f), FSIF_EEXIST);
    ck_assert_uint_eq(attr_at("f").size, 4);
    ck_fails(open_at(".", FSIF_O_WRONLY, 0, &f), FSIF_EISDIR);
    ck_fails(open_at(".", FSIF_O_TRUNC, 0, &f), FSIF_EISDIR);
    f = opened("f", FSIF_O_WRONLY);
    ck_fails(OPS->read(store, f, &attr, 1, 0), FSIF_EBADF);
    ck_ok(OPS->open(store, ROOT, "f", FSIF_O_TRUNC, 0, &f, &attr));
    ck_assert_uint_eq(attr.size, 0);
}
END_TEST

void add_paths(TCase *c)
{
    tcase_add_test(c, b22_bases);
    tcase_add_test(c, links_followed);
    tcase_add_test(c, link_loops);
    tcase_add_test(c, created_through_links);
    tcase_add_test(c, long_names);
    tcase_add_test(c, open_path);
    tcase_add_test(c, open_flags);
}
