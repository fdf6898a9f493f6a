/* SPDX-License-Identifier: MIT */

/* The memory store: names that are made and taken away. */

#include <stdio.h>
#include <string.h>
#include "store_memory_fixture.h"

START_TEST(hard_links)
{
    uint64_t f, d;

    f = opened("f", NEW);
    ck_ok(make_dir("d"));
    ck_ok(OPS->link(store, ROOT, "f", ROOT, "d/g", 0));
    ck_assert_uint_eq(attr_of(f).nlink, 2);
    ck_assert_uint_eq(attr_at("d/g").ino, attr_at("f").ino);
    ck_fails(OPS->link(store, ROOT, "f", ROOT, "d/g", 0), FSIF_EEXIST);
    ck_fails(OPS->link(store, ROOT, "d", ROOT, "e", 0), FSIF_EPERM);
    ck_fails(OPS->link(store, ROOT, "d", ROOT, "f", 0), FSIF_EEXIST);
    ck_fails(OPS->link(store, ROOT, "f", ROOT, "e/", 0), FSIF_ENOENT);
    ck_fails(OPS->link(store, ROOT, "f", ROOT, "f/", 0), FSIF_EEXIST);
    ck_fails(OPS->link(store, ROOT, "f/", ROOT, "e", 0), FSIF_ENOTDIR);
    ck_fails(OPS->link(store, ROOT, "none", ROOT, "e", 0), FSIF_ENOENT);
    ck_fails(OPS->link(store, ROOT, "f", ROOT, "none/e", 0), FSIF_ENOENT);
    ck_fails(OPS->link(store, ROOT, "f", ROOT, ".", 0), FSIF_EEXIST);
    ck_ok(remove_at("f"));
    ck_assert_uint_eq(attr_of(f).nlink, 1);
    d = opened("d", 0);
    ck_ok(OPS->link(store, d, "g", ROOT, "f", 0));
    ck_ok(remove_at("f"));
    ck_ok(remove_at("d/g"));
    ck_assert_uint_eq(attr_of(f).nlink, 0);
    ck_fails(OPS->link(store, f, "", ROOT, "f", 0), FSIF_ENOENT);
}
END_TEST

START_TEST(links_of_links)
{
    ck_ok(try_create("f"));
    ck_ok(link_to("f", "l"));
    ck_ok(OPS->link(store, ROOT, "l", ROOT, "same", 0));
    ck_assert_uint_eq(attr_at("same").ino, attr_at("l").ino);
    ck_ok(OPS->link(store, ROOT, "l", ROOT, "followed", FSIF_AT_FOLLOW));
    ck_assert_uint_eq(attr_at("followed").ino, attr_at("f").ino);
}
END_TEST

/* The names of one file are as many as nodes there may be, and no more than a file may have. */
START_TEST(many_links)
{
    char name[16];
    int i, r = 0;

    restart(&(struct fsif_store_config){.max_nodes = 10});
    ck_ok(try_create("f"));
    for (i = 1; r == 0; i++) {
        snprintf(name, sizeof(name), "l%d", i);
        r = OPS->link(store, ROOT, "f", ROOT, name, 0);
        ck_assert_int_le(i, 10);
    }
    ck_assert_int_eq(r, -FSIF_ENOSPC);
    ck_ok(remove_at("l1"));
    ck_ok(OPS->link(store, ROOT, "f", ROOT, "l1", 0));
    restart(&(struct fsif_store_config){.max_nodes = 70000});
    ck_ok(try_create("f"));
    for (i = 1, r = 0; r == 0; i++) {
        snprintf(name, sizeof(name), "l%d", i);
        r = OPS->link(store, ROOT, "f", ROOT, name, 0);
    }
    ck_assert_int_eq(r, -FSIF_EMLINK);
    ck_assert_uint_eq(attr_at("f").nlink, 65000);
}
END_TEST

START_TEST(unnamed_files)
{
    uint64_t f, g;

    ck_ok(make_dir("d"));
    ck_ok(try_create("f"));
    ck_ok(open_at("d", FSIF_O_TMPFILE | FSIF_O_RDWR, 0640, &f));
    ck_assert_int_eq(put(f, "text", 0), 4);
    ck_assert_uint_eq(attr_of(f).nlink, 0);
    ck_assert_uint_eq(attr_of(f).mode, FSIF_S_IFREG | 0640);
    ck_ok(OPS->link(store, f, "", ROOT, "d/name", 0));
    ck_assert_uint_eq(attr_at("d/name").size, 4);
    ck_ok(remove_at("d/name"));
    ck_fails(OPS->link(store, f, "", ROOT, "d/name", 0), FSIF_ENOENT);
    ck_ok(open_at(".", FSIF_O_TMPFILE | FSIF_O_EXCL | FSIF_O_WRONLY, 0640, &g));
    ck_fails(OPS->link(store, g, "", ROOT, "name", 0), FSIF_ENOENT);
    ck_fails(open_at("f", FSIF_O_TMPFILE | FSIF_O_RDWR, 0640, &g), FSIF_ENOTDIR);
    ck_fails(open_at("none", FSIF_O_TMPFILE | FSIF_O_RDWR, 0640, &g), FSIF_ENOENT);
    ck_ok(OPS->close(store, f));
    ck_assert_int_eq(space(), 64 << 20);
}
END_TEST

START_TEST(texts_of_links)
{
    char text[4098], buf[4200];

    memset(text, 'x', sizeof(text));
    text[4096] = '\0';
    ck_fails(link_to(text, "l"), FSIF_ENAMETOOLONG);
    text[4095] = '\0';
    ck_ok(link_to(text, "l"));
    ck_assert_int_eq(OPS->readlink(store, ROOT, "l", buf, sizeof(buf)), 4095);
    ck_assert_int_eq(memcmp(buf, text, 4095), 0);
    ck_assert_int_eq(OPS->readlink(store, ROOT, "l", buf, 10), 10);
    ck_assert_int_lt(space(), 64 << 20);
    ck_ok(remove_at("l"));
    ck_assert_int_eq(space(), 64 << 20);
    ck_fails(link_to("", "l"), FSIF_ENOENT);
    ck_ok(link_to("a b/../c", "l"));
    ck_assert_int_eq(OPS->readlink(store, ROOT, "l", buf, sizeof(buf)), 8);
    ck_fails(link_to("x", "l"), FSIF_EEXIST);
    ck_fails(link_to("x", "m/"), FSIF_ENOENT);
    ck_fails(OPS->readlink(store, ROOT, "l", buf, 0), FSIF_EINVAL);
    ck_fails(OPS->readlink(store, ROOT, ".", buf, 1), FSIF_EINVAL);
    ck_fails(OPS->readlink(store, ROOT, "", buf, 1), FSIF_EINVAL);
    ck_fails(OPS->readlink(store, ROOT, "none", buf, 1), FSIF_ENOENT);
}
END_TEST

START_TEST(special_files)
{
    static const uint32_t types[] = {FSIF_S_IFIFO, FSIF_S_IFSOCK, FSIF_S_IFCHR, FSIF_S_IFBLK};
    struct fsif_attr attr;
    uint64_t f;

    ck_fails(OPS->mknod(store, ROOT, "p", FSIF_S_IFIFO | 0644, 0), FSIF_EPERM);
    ck_ok(OPS->mknod(store, ROOT, "plain", 06644, 7));
    ck_assert_uint_eq(attr_at("plain").mode, FSIF_S_IFREG | 0644);
    ck_assert_uint_eq(attr_at("plain").rdev_minor, 0);
    ck_fails(OPS->mknod(store, ROOT, "plain", FSIF_S_IFREG, 0), FSIF_EEXIST);
    ck_fails(OPS->mknod(store, ROOT, "other/", FSIF_S_IFREG, 0), FSIF_ENOENT);
    ck_fails(OPS->mknod(store, ROOT, "other", FSIF_S_IFDIR, 0), FSIF_EINVAL);
    ck_fails(OPS->mknod(store, ROOT, "other", FSIF_S_IFLNK, 0), FSIF_EINVAL);
    restart(&(struct fsif_store_config){.special = 1});
    for (int i = 0; i < 4; i++) {
        ck_ok(OPS->mknod(store, ROOT, "n", types[i] | 0600, FSIF_RDEV(8, 17)));
        attr = attr_at("n");
        ck_assert_uint_eq(attr.mode, types[i] | 0600);
        ck_assert_uint_eq(attr.rdev_major, i < 2 ? 0 : 8);
        ck_assert_uint_eq(attr.rdev_minor, i < 2 ? 0 : 17);
        ck_fails(try_open("n"), FSIF_EACCES);
        ck_fails(open_at("n", FSIF_O_RDWR, 0, &f), FSIF_EACCES);
        ck_fails(try_create("n"), FSIF_EACCES);
        f = opened("n", FSIF_O_PATH);
        ck_assert_uint_eq(attr_of(f).mode, types[i] | 0600);
        ck_ok(remove_at("n"));
    }
}
END_TEST

START_TEST(removing)
{
    uint64_t d;

    ck_ok(make_dir("d"));
    ck_ok(try_create("d/f"));
    ck_ok(link_to("d", "l"));
    ck_fails(OPS->remove(store, ROOT, "d", FSIF_REMOVE_FILE), FSIF_EISDIR);
    ck_fails(OPS->remove(store, ROOT, "d/f", FSIF_REMOVE_DIR), FSIF_ENOTDIR);
    ck_fails(OPS->remove(store, ROOT, "l", FSIF_REMOVE_DIR), FSIF_ENOTDIR);
    ck_fails(OPS->remove(store, ROOT, "l/", FSIF_REMOVE_DIR), FSIF_ENOTDIR);
    ck_fails(OPS->remove(store, ROOT, "l/", FSIF_REMOVE_FILE), FSIF_ENOTDIR);
    ck_fails(OPS->remove(store, ROOT, "d/f/", FSIF_REMOVE_FILE), FSIF_ENOTDIR);
    ck_fails(OPS->remove(store, ROOT, "d/", FSIF_REMOVE_FILE), FSIF_EISDIR);
    ck_fails(OPS->remove(store, ROOT, "d", FSIF_REMOVE_DIR), FSIF_ENOTEMPTY);
    ck_fails(OPS->remove(store, ROOT, ".", FSIF_REMOVE_DIR), FSIF_EINVAL);
    ck_fails(OPS->remove(store, ROOT, ".", FSIF_REMOVE_FILE), FSIF_EISDIR);
    ck_fails(OPS->remove(store, ROOT, "", 0), FSIF_ENOENT);
    ck_fails(OPS->remove(store, ROOT, "none/", FSIF_REMOVE_FILE), FSIF_ENOENT);
    ck_fails(OPS->remove(store, ROOT, "d", 8), FSIF_EINVAL);
    d = opened("d", 0);
    ck_ok(OPS->remove(store, d, "f", FSIF_REMOVE_FILE));
    ck_ok(OPS->remove(store, ROOT, "l", FSIF_REMOVE_FILE));
    ck_ok(OPS->remove(store, ROOT, "d/", FSIF_REMOVE_DIR | FSIF_REMOVE_FILE));
    ck_assert_uint_eq(attr_at(".").nlink, 2);
}
END_TEST

void add_making(TCase *c)
{
    tcase_add_test(c, hard_links);
    tcase_add_test(c, links_of_links);
    tcase_add_test(c, many_links);
    tcase_add_test(c, unnamed_files);
    tcase_add_test(c, texts_of_links);
    tcase_add_test(c, special_files);
    tcase_add_test(c, removing);
}
