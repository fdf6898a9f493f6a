/* SPDX-License-Identifier: MIT */

/* The memory store: attributes. */

#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "store_memory_fixture.h"

static int set_at(const char *path, uint32_t flags, struct fsif_setattr set)
{
    return OPS->setattr(store, ROOT, path, flags, &set);
}

START_TEST(sizes)
{
    uint64_t f = opened("f", NEW), r = opened("f", 0), d;

    ck_ok(make_dir("d"));
    ck_ok(link_to("f", "l"));
    d = opened("d", 0);
    ck_ok(set_at("l", 0, (struct fsif_setattr){.mask = FSIF_SET_SIZE, .size = 5}));
    ck_assert_uint_eq(attr_of(f).size, 5);
    ck_fails(truncate_to(r, 0), FSIF_EINVAL);
    ck_fails(truncate_to(d, 0), FSIF_EINVAL);
    ck_fails(truncate_to(f, UINT64_MAX), FSIF_EINVAL);
    ck_fails(set_at("d", 0, (struct fsif_setattr){.mask = FSIF_SET_SIZE}), FSIF_EISDIR);
    ck_fails(set_at("l", FSIF_AT_NOFOLLOW, (struct fsif_setattr){.mask = FSIF_SET_SIZE}),
             FSIF_ELOOP);
    ck_fails(set_at("none", 0, (struct fsif_setattr){.mask = FSIF_SET_SIZE}), FSIF_ENOENT);
}
END_TEST

START_TEST(owners_and_modes)
{
    const uint32_t owner = FSIF_SET_UID | FSIF_SET_GID;
    struct fsif_attr attr;

    restart(&(struct fsif_store_config){.setid = 1});
    ck_ok(try_create("f"));
    ck_ok(link_to("f", "l"));
    ck_ok(set_at("f", 0, (struct fsif_setattr){.mask = FSIF_SET_MODE, .mode = 06755}));
    ck_assert_uint_eq(attr_at("f").mode, FSIF_S_IFREG | 06755);
    ck_ok(set_at("f", 0, (struct fsif_setattr){.mask = FSIF_SET_GID, .gid = 5}));
    attr = attr_at("f");
    ck_assert(attr.uid == geteuid() && attr.gid == 5 && attr.mode == (FSIF_S_IFREG | 0755));
    ck_ok(set_at("l", FSIF_AT_NOFOLLOW, (struct fsif_setattr){.mask = owner, .uid = 1, .gid = 2}));
    attr = attr_at("l");
    ck_assert(attr.uid == 1 && attr.gid == 2);
    ck_assert_uint_eq(attr_at("f").uid, geteuid());
    ck_fails(set_at("l", FSIF_AT_NOFOLLOW, (struct fsif_setattr){.mask = FSIF_SET_MODE}),
             FSIF_EOPNOTSUPP);
    ck_ok(set_at("l", 0, (struct fsif_setattr){.mask = FSIF_SET_MODE, .mode = 0600}));
    ck_assert_uint_eq(attr_at("f").mode, FSIF_S_IFREG | 0600);
    ck_fails(set_at("f", 0, (struct fsif_setattr){.mask = 0x100}), FSIF_EINVAL);
    ck_ok(set_at("f", 0, (struct fsif_setattr){.mask = 0}));
}
END_TEST

START_TEST(given_to_nobody_else)
{
    ck_ok(try_create("f"));
    ck_fails(set_at("f", 0, (struct fsif_setattr){.mask = FSIF_SET_UID, .uid = 5}), FSIF_EPERM);
    ck_fails(set_at("f", 0, (struct fsif_setattr){.mask = FSIF_SET_GID, .gid = 5}), FSIF_EPERM);
    ck_ok(set_at("f", 0, (struct fsif_setattr){.mask = FSIF_SET_UID, .uid = 12}));
    ck_ok(set_at("f", 0, (struct fsif_setattr){.mask = FSIF_SET_GID, .gid = 34}));
    ck_fails(set_at("f", 0, (struct fsif_setattr){.mask = FSIF_SET_UID, .uid = UINT32_MAX}),
             FSIF_EINVAL);
    ck_assert(attr_at("f").uid == 12 && attr_at("f").gid == 34);
}
END_TEST

START_TEST(b21_writing_takes_setid)
{
    uint64_t f;

    restart(&(struct fsif_store_config){.setid = 1});
    f = opened("f", NEW);
    ck_ok(chmod_to(f, 06710));
    ck_assert_int_eq(put(f, "x", 0), 1);
    ck_assert_uint_eq(attr_of(f).mode, FSIF_S_IFREG | 0710);
}
END_TEST

START_TEST(times)
{
    struct fsif_setattr set = {.mask = FSIF_SET_ATIME | FSIF_SET_MTIME,
                               .atime = -5,
                               .atime_nsec = 999999999,
                               .mtime = INT64_C(1) << 40,
                               .mtime_nsec = 1};
    struct fsif_attr attr, before;
    uint64_t f = opened("f", NEW);

    before = attr_of(f);
    ck_assert(before.btime > 1500000000 && before.btime <= before.ctime);
    ck_ok(set_at("f", 0, set));
    attr = attr_of(f);
    ck_assert(attr.atime == -5 && attr.atime_nsec == 999999999);
    ck_assert(attr.mtime == INT64_C(1) << 40 && attr.mtime_nsec == 1);
    ck_assert(attr.ctime > before.ctime || attr.ctime_nsec >= before.ctime_nsec);
    ck_assert(attr.btime == before.btime && attr.btime_nsec == before.btime_nsec);
    set.atime_nsec = 1000000000;
    ck_fails(set_at("f", 0, set), FSIF_EINVAL);
    set.mask = FSIF_SET_ATIME_NOW;
    ck_ok(set_at("f", 0, set));
    attr = attr_of(f);
    ck_assert(attr.atime >= before.atime && attr.mtime == INT64_C(1) << 40);
    set.mask = FSIF_SET_MTIME_NOW;
    ck_ok(set_at("f", 0, set));
    ck_assert(attr_of(f).mtime < INT64_C(1) << 40);
}
END_TEST

/* Numbers tell files apart, also those that share a name one after the other. */
START_TEST(numbers)
{
    struct fsif_statvfs vfs, after;
    uint64_t first;

    ck_ok(OPS->statvfs(store, ROOT, ".", &vfs));
    ck_assert_uint_eq(vfs.bsize, 4096);
    ck_assert_uint_eq(vfs.blocks, (64 << 20) / 4096);
    ck_assert_uint_eq(vfs.namemax, 255);
    ck_assert_uint_eq(vfs.files, 65536);
    ck_assert_uint_eq(vfs.ffree, 65535);
    ck_ok(try_create("f"));
    first = attr_at("f").ino;
    ck_assert_uint_ne(first, 0);
    ck_ok(OPS->statvfs(store, ROOT, "f", &after));
    ck_assert_uint_eq(after.ffree, 65534);
    ck_fails(OPS->statvfs(store, ROOT, "g", &after), FSIF_ENOENT);
    ck_ok(remove_at("f"));
    ck_ok(try_create("f"));
    ck_assert_uint_ne(attr_at("f").ino, first);
    ck_assert_uint_eq(attr_at("f").dev, attr_at(".").dev);
}
END_TEST

static int64_t get(const char *path, const char *name, char *buf, uint32_t len)
{
    return OPS->getxattr(store, ROOT, path, name, 0, buf, len);
}

static int put_xattr(const char *path, const char *name, const char *text, uint32_t flags)
{
    return OPS->setxattr(store, ROOT, path, name, flags, text, (uint32_t)strlen(text));
}

START_TEST(xattrs)
{
    uint64_t f = opened("f", NEW);
    char buf[64];

    ck_ok(OPS->listxattr(store, f, "", 0, buf, sizeof(buf)));
    ck_fails(get("f", "user.a", buf, 0), FSIF_ENODATA);
    ck_ok(put_xattr("f", "user.a", "first", FSIF_XATTR_CREATE));
    ck_fails(put_xattr("f", "user.a", "x", FSIF_XATTR_CREATE), FSIF_EEXIST);
    ck_fails(put_xattr("f", "user.b", "x", FSIF_XATTR_REPLACE), FSIF_ENODATA);
    ck_fails(put_xattr("f", "user.b", "x", 8), FSIF_EINVAL);
    ck_ok(put_xattr("f", "user.b", "", 0));
    ck_ok(put_xattr("f", "user.a", "second", FSIF_XATTR_REPLACE));
    ck_assert_int_eq(get("f", "user.a", buf, 0), 6);
    ck_fails(get("f", "user.a", buf, 5), FSIF_ERANGE);
    ck_assert_int_eq(OPS->getxattr(store, f, "", "user.a", 0, buf, 64), 6);
    ck_assert_int_eq(memcmp(buf, "second", 6), 0);
    ck_ok(get("f", "user.b", buf, 64));
    ck_assert_int_eq(OPS->listxattr(store, f, "", 0, buf, 0), 14);
    ck_fails(OPS->listxattr(store, f, "", 0, buf, 13), FSIF_ERANGE);
    ck_assert_int_eq(OPS->listxattr(store, f, "", 0, buf, 14), 14);
    ck_assert(memcmp(buf, "user.a\0user.b", 14) == 0 || memcmp(buf, "user.b\0user.a", 14) == 0);
    ck_ok(OPS->removexattr(store, f, "", "user.a", 0));
    ck_fails(OPS->removexattr(store, f, "", "user.a", 0), FSIF_ENODATA);
    ck_fails(get("f", "user.a", buf, 0), FSIF_ENODATA);
    ck_ok(remove_at("f"));
    ck_ok(OPS->close(store, f));
    ck_assert_int_eq(space(), 64 << 20);
}
END_TEST

START_TEST(names_of_xattrs)
{
    char name[300] = "user.";

    ck_ok(try_create("f"));
    ck_ok(link_to("f", "l"));
    ck_fails(put_xattr("f", "trusted.a", "x", 0), FSIF_EOPNOTSUPP);
    ck_fails(get("f", "security.a", name, 0), FSIF_EOPNOTSUPP);
    ck_fails(put_xattr("f", "user", "x", 0), FSIF_EOPNOTSUPP);
    ck_fails(put_xattr("f", "user.", "x", 0), FSIF_EINVAL);
    ck_fails(put_xattr("f", "", "x", 0), FSIF_EOPNOTSUPP);
    ck_fails(put_xattr("none", "user.a", "x", 0), FSIF_ENOENT);
    memset(name + 5, 'n', 250);
    ck_ok(put_xattr("f", name, "x", 0));
    name[255] = 'n';
    ck_fails(put_xattr("f", name, "x", 0), FSIF_ERANGE);
    /* Links have none. */
    ck_fails(put_xattr("l", "user.a", "x", FSIF_AT_NOFOLLOW), FSIF_EPERM);
    ck_fails(OPS->getxattr(store, ROOT, "l", "user.a", FSIF_AT_NOFOLLOW, name, 0), FSIF_ENODATA);
    ck_fails(OPS->removexattr(store, ROOT, "l", "user.a", FSIF_AT_NOFOLLOW), FSIF_EPERM);
    ck_ok(OPS->listxattr(store, ROOT, "l", FSIF_AT_NOFOLLOW, name, 0));
    ck_ok(put_xattr("l", "user.a", "x", 0));
    ck_assert_int_eq(get("f", "user.a", name, 1), 1);
}
END_TEST

START_TEST(b24_xattrs)
{
    static char value[65537];
    char name[300];
    int i, r = 0;

    ck_ok(make_dir("d"));
    ck_ok(OPS->setxattr(store, ROOT, "d", "user.a", 0, value, 65536));
    ck_fails(OPS->setxattr(store, ROOT, "d", "user.a", 0, value, 65537), FSIF_E2BIG);
    for (i = 0; r == 0; i++) {
        snprintf(name, sizeof(name), "user.%0250d", i);
        r = OPS->setxattr(store, ROOT, "d", name, 0, "", 0);
        ck_assert_int_le(i, 256);
    }
    ck_assert_int_eq(r, -FSIF_ENOSPC);
    ck_assert_int_le(OPS->listxattr(store, ROOT, "d", 0, NULL, 0), 65536);
    restart(&(struct fsif_store_config){.max_bytes = 10 * 4096});
    ck_ok(make_dir("d"));
    ck_ok(OPS->setxattr(store, ROOT, "d", "user.a", 0, value, 30000));
    ck_fails(OPS->setxattr(store, ROOT, "d", "user.b", 0, value, 30000), FSIF_ENOSPC);
    ck_ok(OPS->removexattr(store, ROOT, "d", "user.a", 0));
    ck_ok(OPS->setxattr(store, ROOT, "d", "user.b", 0, value, 30000));
}
END_TEST

void add_attributes(TCase *c)
{
    tcase_add_test(c, sizes);
    tcase_add_test(c, owners_and_modes);
    tcase_add_test(c, given_to_nobody_else);
    tcase_add_test(c, b21_writing_takes_setid);
    tcase_add_test(c, times);
    tcase_add_test(c, numbers);
    tcase_add_test(c, xattrs);
    tcase_add_test(c, names_of_xattrs);
    tcase_add_test(c, b24_xattrs);
}
