/* SPDX-License-Identifier: MIT */

/* The memory store: renaming. */

#include "store_memory_fixture.h"

START_TEST(renaming)
{
    uint64_t f;

    ck_ok(make_dir("d"));
    ck_ok(make_dir("d/e"));
    ck_ok(make_dir("empty"));
    ck_ok(try_create("d/f"));
    ck_ok(open_at("g", NEW, 0644, &f));
    ck_fails(move("d", "d/x"), FSIF_EINVAL);
    ck_fails(move("d", "d/e/x"), FSIF_EINVAL);
    ck_fails(move("d/e", "d"), FSIF_ENOTEMPTY);
    ck_fails(move("d/f", "d"), FSIF_ENOTEMPTY);
    ck_fails(move("empty", "d"), FSIF_ENOTEMPTY);
    ck_fails(move("empty", "g"), FSIF_ENOTDIR);
    ck_fails(move("g", "empty"), FSIF_EISDIR);
    ck_fails(move("g/", "h"), FSIF_ENOTDIR);
    ck_fails(move("g", "h/"), FSIF_ENOTDIR);
    ck_fails(move(".", "h"), FSIF_EBUSY);
    ck_fails(move("g", "."), FSIF_EBUSY);
    ck_fails(move("none", "h"), FSIF_ENOENT);
    ck_fails(move("g", "x/h"), FSIF_ENOENT);
    ck_ok(move("g", "g"));
    ck_assert_int_eq(OPS->write(store, f, "new", 3, 0, 0), 3);
    ck_ok(move("g", "d/f"));
    ck_fails(try_open("g"), FSIF_ENOENT);
    ck_ok(move("d", "empty"));
    ck_ok(try_open("empty/f"));
    ck_ok(move("empty", "moved/"));
    ck_ok(remove_at("moved/e"));
    ck_ok(remove_at("moved/f"));
    ck_ok(remove_at("moved"));
    ck_ok(OPS->close(store, f));
    ck_assert_int_eq(space(), 64 << 20);
}
END_TEST

START_TEST(not_replacing)
{
    ck_ok(try_create("f"));
    ck_ok(try_create("g"));
    ck_fails(OPS->rename(store, ROOT, "f", ROOT, "g", FSIF_RENAME_NOREPLACE), FSIF_EEXIST);
    ck_fails(OPS->rename(store, ROOT, "f", ROOT, "f", FSIF_RENAME_NOREPLACE), FSIF_EEXIST);
    ck_fails(OPS->rename(store, ROOT, "f", ROOT, ".", FSIF_RENAME_NOREPLACE), FSIF_EEXIST);
    ck_fails(OPS->rename(store, ROOT, "none", ROOT, "g", FSIF_RENAME_NOREPLACE), FSIF_ENOENT);
    ck_ok(OPS->rename(store, ROOT, "f", ROOT, "h", FSIF_RENAME_NOREPLACE));
    ck_fails(try_open("f"), FSIF_ENOENT);
    ck_fails(OPS->rename(store, ROOT, "h", ROOT, "g", 3), FSIF_EINVAL);
    ck_fails(OPS->rename(store, ROOT, "h", ROOT, "g", 4), FSIF_EINVAL);
}
END_TEST

START_TEST(exchanging)
{
    const uint32_t x = FSIF_RENAME_EXCHANGE;
    uint64_t ino;

    ck_ok(make_dir("d"));
    ck_ok(make_dir("d/e"));
    ck_ok(try_create("d/e/f"));
    ck_ok(try_create("g"));
    ino = attr_at("g").ino;
    ck_fails(OPS->rename(store, ROOT, "g", ROOT, "none", x), FSIF_ENOENT);
    ck_fails(OPS->rename(store, ROOT, "d", ROOT, "d/e", x), FSIF_EINVAL);
    ck_fails(OPS->rename(store, ROOT, "d/e", ROOT, "d", x), FSIF_EINVAL);
    ck_fails(OPS->rename(store, ROOT, "d/e", ROOT, "g/", x), FSIF_ENOTDIR);
    ck_fails(OPS->rename(store, ROOT, "g/", ROOT, "d/e", x), FSIF_ENOTDIR);
    ck_ok(OPS->rename(store, ROOT, "g", ROOT, "d/e", x));
    ck_assert_uint_eq(attr_at("d/e").ino, ino);
    ck_ok(try_open("g/f"));
    ck_assert_uint_eq(attr_at("d").nlink, 2);
    ck_assert_uint_eq(attr_at(".").nlink, 4);
    ck_assert_uint_eq(attr_at("g").nlink, 2);
    ck_ok(OPS->rename(store, ROOT, "g", ROOT, "d", x));
    ck_ok(try_open("d/f"));
    ck_ok(try_open("g/e"));
    ck_ok(OPS->rename(store, ROOT, "g", ROOT, "g", x));
    ck_ok(link_to("..", "g/up"));
    ck_ok(try_open("g/up/d/f"));
}
END_TEST

/* Two names of one file: nothing happens, and both stay. */
START_TEST(renaming_links)
{
    ck_ok(try_create("f"));
    ck_ok(OPS->link(store, ROOT, "f", ROOT, "g", 0));
    ck_ok(move("f", "g"));
    ck_ok(try_open("f"));
    ck_ok(try_open("g"));
    ck_ok(link_to("nowhere", "l"));
    ck_ok(move("l", "m"));
    ck_fails(move("m/", "n"), FSIF_ENOTDIR);
    ck_ok(move("f", "m"));
    ck_assert_uint_eq(attr_at("m").nlink, 2);
    ck_assert_uint_eq(attr_at("m").mode & FSIF_S_IFMT, FSIF_S_IFREG);
}
END_TEST

void add_renames(TCase *c)
{
    tcase_add_test(c, renaming);
    tcase_add_test(c, not_replacing);
    tcase_add_test(c, exchanging);
    tcase_add_test(c, renaming_links);
}
