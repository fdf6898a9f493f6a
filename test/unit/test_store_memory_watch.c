/* SPDX-License-Identifier: MIT */

/* The memory store: watches. */

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include "store_memory_fixture.h"

static uint32_t watched(const char *path, uint32_t what)
{
    uint32_t watch;

    ck_ok(OPS->watch(store, opened(path, 0), what, &watch));
    return watch;
}

static int readable(void)
{
    struct pollfd p = {.fd = OPS->watch_fd(store), .events = POLLIN};

    ck_assert_int_ge(poll(&p, 1, 0), 0);
    return (p.revents & POLLIN) != 0;
}

/* The next change must be this. */
static void expect(uint32_t watch, uint32_t what, const char *name)
{
    struct fsif_store_change c;

    ck_assert(readable());
    ck_assert_int_eq(OPS->watch_next(store, &c), 1);
    ck_assert_msg(c.watch == watch && c.what == what && strcmp(c.name, name) == 0,
                  "watch %u what %x name %s", c.watch, c.what, c.name);
}

static void expect_nothing(void)
{
    struct fsif_store_change c;

    ck_assert(!readable());
    ck_ok(OPS->watch_next(store, &c));
}

#define CREATE FSIF_CHANGE_CREATE
#define REMOVE FSIF_CHANGE_REMOVE
#define CONTENT FSIF_CHANGE_CONTENT
#define ATTR FSIF_CHANGE_ATTR
#define SELF FSIF_CHANGE_SELF

START_TEST(watching_names)
{
    uint32_t d, e;

    ck_ok(make_dir("d"));
    ck_ok(make_dir("e"));
    d = watched("d", CREATE | REMOVE | SELF);
    expect_nothing();
    ck_ok(try_create("d/a"));
    expect(d, CREATE, "a");
    ck_ok(make_dir("d/b"));
    expect(d, CREATE, "b");
    ck_ok(link_to("x", "d/c"));
    expect(d, CREATE, "c");
    ck_ok(OPS->link(store, ROOT, "d/a", ROOT, "d/l", 0));
    expect(d, CREATE, "l");
    ck_ok(OPS->mknod(store, ROOT, "d/n", FSIF_S_IFREG, 0));
    expect(d, CREATE, "n");
    ck_ok(remove_at("d/n"));
    expect(d, REMOVE, "n");
    e = watched("e", FSIF_CHANGE_ALL);
    ck_ok(move("d/b", "e/b"));
    expect(d, REMOVE, "b");
    expect(e, CREATE, "b");
    ck_ok(move("d/a", "d/c"));
    expect(d, REMOVE, "a");
    expect(d, CREATE, "c");
    ck_ok(OPS->rename(store, ROOT, "d/c", ROOT, "e/b", FSIF_RENAME_EXCHANGE));
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(OPS->watch_next(store, &(struct fsif_store_change){0}), 1);
    ck_ok(move("d", "moved"));
    expect(d, SELF, "");
    ck_ok(remove_at("e/b"));
    expect(e, REMOVE, "b");
    ck_ok(remove_at("e"));
    expect(e, SELF, "");
    expect_nothing();
}
END_TEST

START_TEST(watching_content)
{
    struct fsif_setattr set = {.mask = FSIF_SET_MODE, .mode = 0600};
    uint32_t d, e;
    uint64_t f;

    ck_ok(make_dir("d"));
    ck_ok(make_dir("e"));
    ck_ok(try_create("d/f"));
    ck_ok(OPS->link(store, ROOT, "d/f", ROOT, "e/g", 0));
    d = watched("d", CONTENT | ATTR);
    e = watched("e", CONTENT);
    f = opened("d/f", FSIF_O_RDWR);
    ck_assert_int_eq(put(f, "text", 0), 4);
    expect(e, CONTENT, "g");
    expect(d, CONTENT, "f");
    ck_ok(truncate_to(f, 1));
    expect(e, CONTENT, "g");
    expect(d, CONTENT, "f");
    ck_ok(OPS->allocate(store, f, 0, 0, 10));
    expect(e, CONTENT, "g");
    expect(d, CONTENT, "f");
    ck_ok(try_create("d/f")); /* which empties it */
    expect(e, CONTENT, "g");
    expect(d, CONTENT, "f");
    ck_ok(OPS->setattr(store, f, "", 0, &set));
    expect(d, ATTR, "f");
    ck_ok(OPS->setxattr(store, f, "", "user.a", 0, "x", 1));
    expect(d, ATTR, "f");
    ck_ok(OPS->removexattr(store, f, "", "user.a", 0));
    expect(d, ATTR, "f");
    ck_ok(OPS->setattr(store, ROOT, "d", 0, &set));
    expect(d, ATTR, "");
    expect_nothing();
    /* The same again and again is told once. */
    for (int i = 0; i < 3; i++)
        ck_ok(OPS->setattr(store, f, "", 0, &set));
    expect(d, ATTR, "f");
    ck_ok(remove_at("d/f"));
    ck_ok(remove_at("e/g"));
    ck_assert_int_eq(put(f, "text", 0), 4);
    expect_nothing();
}
END_TEST

START_TEST(b24_changes)
{
    struct fsif_store_change c;
    uint32_t d, e, n = 0, lost = 0;
    char name[32];

    ck_ok(make_dir("d"));
    ck_ok(make_dir("e"));
    d = watched("d", CREATE);
    e = watched("e", CREATE);
    for (int i = 0; i < 2000; i++) {
        snprintf(name, sizeof(name), "d/%d", i);
        ck_ok(try_create(name));
    }
    ck_ok(try_create("e/f"));
    while (OPS->watch_next(store, &c) == 1) {
        if (c.what != FSIF_CHANGE_LOST) {
            ck_assert_uint_eq(lost, 0);
            n++;
            continue;
        }
        lost += c.watch == d ? 1 : 10;
        ck_assert(c.watch == d || c.watch == e);
        ck_assert_str_eq(c.name, "");
    }
    ck_assert_uint_eq(n, 1024);
    ck_assert_uint_eq(lost, 11); /* of each watch, once */
    expect_nothing();
    ck_ok(try_create("d/new"));
    expect(d, CREATE, "new");
}
END_TEST

START_TEST(unwatching)
{
    uint64_t dir;
    uint32_t d, e;

    ck_ok(make_dir("d"));
    ck_ok(make_dir("e"));
    d = watched("d", CREATE);
    e = watched("e", CREATE);
    ck_ok(try_create("d/a"));
    ck_ok(try_create("e/a"));
    ck_ok(OPS->unwatch(store, d));
    ck_fails(OPS->unwatch(store, d), FSIF_EINVAL);
    ck_fails(OPS->unwatch(store, 0), FSIF_EINVAL);
    ck_fails(OPS->unwatch(store, 5000), FSIF_EINVAL);
    expect(e, CREATE, "a");
    expect_nothing();
    d = watched("d", CREATE);
    ck_ok(try_create("d/b"));
    ck_ok(OPS->unwatch(store, d));
    expect_nothing();
    ck_fails(OPS->watch(store, opened("d/a", 0), CREATE, &d), FSIF_ENOTDIR);
    dir = opened("d", 0);
    ck_fails(OPS->watch(store, dir, 0, &d), FSIF_EINVAL);
    ck_fails(OPS->watch(store, dir, FSIF_CHANGE_LOST, &d), FSIF_EINVAL);
    ck_fails(OPS->watch(store, 4444, CREATE, &d), FSIF_EBADF);
}
END_TEST

START_TEST(b24_watches)
{
    uint64_t dir = opened(".", 0);
    uint32_t w, n = 0;
    int r;

    while ((r = OPS->watch(store, dir, CREATE, &w)) == 0) {
        n++;
        ck_assert_uint_le(n, 1024);
    }
    ck_assert_int_eq(r, -FSIF_ENOSPC);
    ck_assert_uint_eq(n, 1024);
    ck_ok(OPS->unwatch(store, 7));
    ck_ok(OPS->watch(store, dir, CREATE, &w));
    ck_assert_uint_eq(w, 7);
}
END_TEST

void add_watches(TCase *c)
{
    tcase_add_test(c, watching_names);
    tcase_add_test(c, watching_content);
    tcase_add_test(c, b24_changes);
    tcase_add_test(c, unwatching);
    tcase_add_test(c, b24_watches);
}
