/* SPDX-License-Identifier: MIT */
/* Dialect 3, both engines: what each kind of operation answers, notices, queues, exports. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fsif/error.h>
#include "dialect3_fixture.h"
#include "le.h"
#include "parts.h"
#include "suite.h"

#define ROOT FSIF_HANDLE_ROOT
#define GO(...) d3_go(&d, (struct fsif_op){__VA_ARGS__})
#define LONG_NAME "a-name-that-is-too-long-to-lie-in-the-slot-of-a-request"

static struct d3 d;
static char buf[D3_MAX_IO];

START_TEST(files)
{
    uint32_t h;

    d3_begin(&d, UINT32_MAX - 3);
    ck_assert_int_eq(GO(.type = FSIF_OP_NOP), 0);
    ck_assert_int_eq(GO(.type = FSIF_OP_MKDIR, .handle = ROOT, .path = "dir", .mode = 0750), 0);
    ck_assert_int_ge(GO(.type = FSIF_OP_OPEN, .handle = ROOT, .path = "dir/" LONG_NAME,
                        .flags = FSIF_O_RDWR | FSIF_O_CREAT | FSIF_O_EXCL | FSIF_O_STAT,
                        .mode = 0640),
                     0);
    h = (uint32_t)d.result.value;
    ck_assert_uint_eq(d.result.attr.mode, FSIF_S_IFREG | 0640);
    for (uint32_t i = 0; i < sizeof(buf); i++)
        buf[i] = (char)(i * 7);
    ck_assert_int_eq(
        GO(.type = FSIF_OP_WRITE, .handle = h, .offset = 3, .length = sizeof(buf), .data = buf),
        sizeof(buf));
    memset(buf, 0, sizeof(buf));
    ck_assert_int_eq(
        GO(.type = FSIF_OP_READ, .handle = h, .offset = 4, .length = sizeof(buf), .buffer = buf),
        sizeof(buf) - 1);
    for (uint32_t i = 0; i < sizeof(buf) - 1; i++)
        ck_assert_int_eq(buf[i], (char)((i + 1) * 7));
    ck_assert_int_eq(GO(.type = FSIF_OP_WRITE, .handle = h, .flags = FSIF_WRITE_APPEND, .length = 1,
                        .data = "x"),
                     1);
    ck_assert_int_eq(GO(.type = FSIF_OP_STAT, .handle = h, .path = ""), 0);
    ck_assert_uint_eq(d.result.attr.size, sizeof(buf) + 4);
    ck_assert_int_eq(GO(.type = FSIF_OP_CLOSE, .handle = h), 0);
    ck_assert_int_eq(GO(.type = FSIF_OP_STAT, .handle = h, .path = ""), -FSIF_EBADF);
    ck_assert_uint_eq(fsif_backend_handles(&d.be[0]), 0);
    d3_end(&d);
}
END_TEST

/* Without a free handle nothing is made and nothing is emptied; what needs none goes on. */
START_TEST(no_handle_left)
{
    uint32_t h = 0;

    d3_begin(&d, 0);
    ck_assert_int_eq(GO(.type = FSIF_OP_WRITEFILE, .handle = ROOT, .path = "full", .mode = 0600,
                        .flags = FSIF_O_CREAT, .length = 5, .data = "hello"),
                     5);
    for (uint32_t i = 0; i < D3_HANDLES; i++)
        h = d3_open(&d, "full", FSIF_O_RDONLY);
    ck_assert_int_eq(GO(.type = FSIF_OP_OPEN, .handle = ROOT, .path = "full",
                        .flags = FSIF_O_RDWR | FSIF_O_TRUNC),
                     -FSIF_EMFILE);
    ck_assert_int_eq(GO(.type = FSIF_OP_OPEN, .handle = ROOT, .path = "new", .mode = 0600,
                        .flags = FSIF_O_RDWR | FSIF_O_CREAT | FSIF_O_EXCL),
                     -FSIF_EMFILE);
    ck_assert_int_eq(GO(.type = FSIF_OP_EXPORT, .path = "other"), -FSIF_EMFILE);
    ck_assert_uint_eq(d.attached, 0);
    ck_assert_int_eq(GO(.type = FSIF_OP_STAT, .handle = ROOT, .path = "full"), 0);
    ck_assert_uint_eq(d.result.attr.size, 5);
    ck_assert_int_eq(GO(.type = FSIF_OP_STAT, .handle = ROOT, .path = "new"), -FSIF_ENOENT);
    ck_assert_int_eq(
        GO(.type = FSIF_OP_READFILE, .handle = ROOT, .path = "full", .length = 9, .buffer = buf),
        5);
    ck_assert_int_eq(GO(.type = FSIF_OP_CLOSE, .handle = h), 0);
    ck_assert_int_eq(GO(.type = FSIF_OP_OPEN, .handle = ROOT, .path = "nope"), -FSIF_ENOENT);
    ck_assert_int_eq(GO(.type = FSIF_OP_EXPORT, .path = "other"), h);
    ck_assert_uint_eq(fsif_backend_handles(&d.be[0]), D3_HANDLES);
    d3_end(&d);
}
END_TEST

START_TEST(zero_copy)
{
    struct fsif_range r[2];
    uint32_t h;

    d3_begin(&d, 0);
    h = d3_open(&d, "f", FSIF_O_RDWR | FSIF_O_CREAT);
    ck_assert_int_eq(fsif_arena_get(&d.arena, FSIF_PAGE_SIZE, &r[0]), 0);
    ck_assert_int_eq(fsif_arena_get(&d.arena, 100, &r[1]), 0);
    memset(fsif_arena_at(&d.arena, &r[0]), 'a', FSIF_PAGE_SIZE);
    memset(fsif_arena_at(&d.arena, &r[1]), 'b', 100);
    ck_assert_int_eq(GO(.type = FSIF_OP_WRITE, .handle = h, .length = FSIF_PAGE_SIZE + 100,
                        .ranges = r, .nranges = 2),
                     FSIF_PAGE_SIZE + 100);
    memset(fsif_arena_at(&d.arena, &r[0]), 0, FSIF_PAGE_SIZE);
    ck_assert_int_eq(GO(.type = FSIF_OP_READ, .handle = h, .offset = FSIF_PAGE_SIZE - 1,
                        .length = FSIF_PAGE_SIZE, .ranges = r, .nranges = 1),
                     101);
    ck_assert_int_eq(memcmp(fsif_arena_at(&d.arena, &r[0]), "abbb", 4), 0);
    /* The sum is not the length; more than there may be. */
    ck_assert_int_eq(GO(.type = FSIF_OP_READ, .handle = h, .length = 1, .ranges = r, .nranges = 2),
                     -FSIF_EINVAL);
    ck_assert_int_eq(GO(.type = FSIF_OP_STAT, .handle = h, .path = "", .ranges = r, .nranges = 1),
                     -FSIF_EINVAL);
    fsif_arena_put(&d.arena, &r[0]);
    fsif_arena_put(&d.arena, &r[1]);
    d3_end(&d);
}
END_TEST

START_TEST(compounds)
{
    static const char names[] = "b\0nope\0/b\0../x\0";
    struct fsif_attr attr;

    d3_begin(&d, 0);
    ck_assert_int_eq(GO(.type = FSIF_OP_WRITEFILE, .handle = ROOT, .path = "b", .mode = 0600,
                        .flags = FSIF_O_CREAT | FSIF_O_EXCL, .length = 5, .data = "hello"),
                     5);
    ck_assert_uint_eq(d.result.attr.size, 5);
    ck_assert_int_eq(
        GO(.type = FSIF_OP_READFILE, .handle = ROOT, .path = "/b", .length = 4096, .buffer = buf),
        5);
    ck_assert_int_eq(memcmp(buf, "hello", 5), 0);
    ck_assert_uint_eq(d.result.attr.mode, FSIF_S_IFREG | 0600);
    ck_assert_int_eq(
        GO(.type = FSIF_OP_READFILE, .handle = ROOT, .path = ".", .length = 4096, .buffer = buf),
        -FSIF_EISDIR);
    ck_assert_int_eq(GO(.type = FSIF_OP_STATMANY, .handle = ROOT, .data = names, .offset = 5,
                        .length = sizeof(names) - 1, .buffer = buf),
                     5);
    ck_assert_int_eq(fsif_record_get(buf, 0, &attr), 0);
    ck_assert_uint_eq(attr.size, 5);
    ck_assert_int_eq(fsif_record_get(buf, 1, &attr), -FSIF_ENOENT);
    ck_assert_int_eq(fsif_record_get(buf, 2, &attr), 0);
    ck_assert_int_eq(fsif_record_get(buf, 3, &attr), -FSIF_EACCES);
    ck_assert_int_eq(fsif_record_get(buf, 4, &attr), -FSIF_EINVAL); /* there are but four */
    d3_end(&d);
}
END_TEST

/* A name begins at its base, but with a '/' at the root of the base's export; also those of
 * statmany, which end where their octets do. */
START_TEST(bases)
{
    static const char names[] = "f\0/f\0/../f";
    struct fsif_attr attr;
    uint32_t h;

    d3_begin(&d, 0);
    ck_assert_int_eq(GO(.type = FSIF_OP_MKDIR, .handle = ROOT, .path = "d", .mode = 0700), 0);
    for (uint64_t i = 0; i < 2; i++)
        ck_assert_int_eq(GO(.type = FSIF_OP_WRITEFILE, .handle = ROOT, .path = i ? "d/f" : "f",
                            .mode = 0600, .flags = FSIF_O_CREAT, .length = 1 + i, .data = "xx"),
                         (int64_t)(1 + i));
    h = d3_open(&d, "d", FSIF_O_DIRECTORY);
    ck_assert_int_eq(GO(.type = FSIF_OP_STAT, .handle = h, .path = "f"), 0);
    ck_assert_uint_eq(d.result.attr.size, 2);
    ck_assert_int_eq(GO(.type = FSIF_OP_STAT, .handle = h, .path = "/f"), 0);
    ck_assert_uint_eq(d.result.attr.size, 1);
    ck_assert_int_eq(GO(.type = FSIF_OP_STATMANY, .handle = h, .data = names, .offset = 3,
                        .length = sizeof(names), .buffer = buf),
                     3);
    ck_assert_int_eq(fsif_record_get(buf, 0, &attr), 0);
    ck_assert_uint_eq(attr.size, 2);
    ck_assert_int_eq(fsif_record_get(buf, 1, &attr), 0);
    ck_assert_uint_eq(attr.size, 1);
    ck_assert_int_eq(fsif_record_get(buf, 2, &attr), -FSIF_EACCES);
    ck_assert_int_eq(GO(.type = FSIF_OP_STATMANY, .handle = h, .data = "xyz", .offset = 1,
                        .length = 2, .buffer = buf),
                     1);
    ck_assert_int_eq(fsif_record_get(buf, 0, &attr), -FSIF_EINVAL); /* its NUL is not given */
    d3_end(&d);
}
END_TEST

START_TEST(listing)
{
    struct fsif_entry e;
    uint64_t cookie = 0;
    uint32_t seen = 0;
    char name[32];

    d3_begin(&d, 0);
    for (uint32_t i = 0; i < 40; i++) {
        snprintf(name, sizeof(name), "f%u", i);
        ck_assert_int_eq(GO(.type = FSIF_OP_WRITEFILE, .handle = ROOT, .path = name, .mode = 0600,
                            .flags = FSIF_O_CREAT, .length = i, .data = buf),
                         i);
    }
    uint32_t h = d3_open(&d, ".", FSIF_O_DIRECTORY);
    while (GO(.type = FSIF_OP_READDIR, .handle = h, .cookie = cookie, .length = 1000, .buffer = buf,
              .flags = FSIF_READDIR_ATTR) > 0) {
        for (uint32_t at = 0; fsif_entry_next(buf, d.result.used, FSIF_READDIR_ATTR, &at, &e);) {
            uint32_t n = (uint32_t)strtoul(e.name + 1, NULL, 10);

            ck_assert_int_eq(e.status, 0);
            ck_assert_uint_eq(e.attr.size, n);
            ck_assert_uint_eq(e.type, FSIF_S_IFREG);
            cookie = e.cookie;
            seen++;
        }
    }
    ck_assert_int_eq(d.result.value, 0);
    ck_assert_uint_eq(seen, 40);
    ck_assert_int_eq(GO(.type = FSIF_OP_READDIR, .handle = h, .length = 399, .buffer = buf),
                     -FSIF_EINVAL);
    d3_end(&d);
}
END_TEST

START_TEST(attributes_and_names)
{
    struct fsif_setattr set = {.mask = FSIF_SET_MODE | FSIF_SET_SIZE | FSIF_SET_MTIME,
                               .mode = 0604,
                               .size = 77,
                               .mtime = -5,
                               .mtime_nsec = 999999999};

    d3_begin(&d, 0);
    (void)d3_open(&d, "f", FSIF_O_RDWR | FSIF_O_CREAT);
    ck_assert_int_eq(GO(.type = FSIF_OP_SETATTR, .handle = ROOT, .path = "f", .set = &set), 0);
    ck_assert_uint_eq(d.result.attr.mode, FSIF_S_IFREG | 0604);
    ck_assert_uint_eq(d.result.attr.size, 77);
    ck_assert_int_eq(d.result.attr.mtime, -5);
    ck_assert_uint_eq(d.result.attr.mtime_nsec, 999999999);
    set.mtime_nsec++;
    ck_assert_int_eq(GO(.type = FSIF_OP_SETATTR, .handle = ROOT, .path = "f", .set = &set),
                     -FSIF_EINVAL);
    ck_assert_int_eq(GO(.type = FSIF_OP_SYMLINK, .handle = ROOT, .path = "l", .path2 = "../../x"),
                     0);
    ck_assert_int_eq(
        GO(.type = FSIF_OP_READLINK, .handle = ROOT, .path = "l", .length = 100, .buffer = buf), 7);
    ck_assert_int_eq(memcmp(buf, "../../x", 7), 0);
    ck_assert_int_eq(
        GO(.type = FSIF_OP_STAT, .handle = ROOT, .path = "l", .flags = FSIF_AT_NOFOLLOW), 0);
    ck_assert_uint_eq(d.result.attr.mode & FSIF_S_IFMT, FSIF_S_IFLNK);
    ck_assert_int_eq(
        GO(.type = FSIF_OP_LINK, .handle = ROOT, .path = "f", .handle2 = ROOT, .path2 = LONG_NAME),
        0);
    ck_assert_int_eq(GO(.type = FSIF_OP_RENAME, .handle = ROOT, .path = LONG_NAME, .handle2 = ROOT,
                        .path2 = "l", .flags = FSIF_RENAME_NOREPLACE),
                     -FSIF_EEXIST);
    ck_assert_int_eq(
        GO(.type = FSIF_OP_REMOVE, .handle = ROOT, .path = "f", .flags = FSIF_REMOVE_DIR),
        -FSIF_ENOTDIR);
    ck_assert_int_eq(GO(.type = FSIF_OP_SETXATTR, .handle = ROOT, .path = "f", .path2 = "user.k",
                        .length = 2, .data = "vv"),
                     0);
    ck_assert_int_eq(GO(.type = FSIF_OP_GETXATTR, .handle = ROOT, .path = "f", .path2 = "user.k"),
                     2);
    ck_assert_int_eq(GO(.type = FSIF_OP_STATVFS, .handle = ROOT, .path = ""), 0);
    ck_assert_uint_gt(d.result.vfs.bsize, 0);
    ck_assert_int_eq(GO(.type = FSIF_OP_OPEN, .handle = ROOT, .path = "../f"), -FSIF_EACCES);
    ck_assert_int_eq(GO(.type = FSIF_OP_OPEN, .handle = ROOT, .path = ""), -FSIF_ENOENT);
    ck_assert_int_eq(GO(.type = FSIF_OP_TRUNCATE, .handle = 0), -FSIF_ENOSYS);
    d3_end(&d);
}
END_TEST

/* --- watches, queues, exports --- */

static void touch(uint32_t i)
{
    char name[32];

    snprintf(name, sizeof(name), "w/n%u", i);
    ck_assert_int_eq(GO(.type = FSIF_OP_WRITEFILE, .handle = ROOT, .path = name, .mode = 0600,
                        .flags = FSIF_O_CREAT),
                     0);
}

/* Notices beyond the budget are lost and it is said so; answers are not in their way. */
START_TEST(changes)
{
    uint32_t h;
    uint32_t lost = 0;

    d3_begin(&d, UINT32_MAX - 20);
    ck_assert_int_eq(GO(.type = FSIF_OP_MKDIR, .handle = ROOT, .path = "w", .mode = 0755), 0);
    h = d3_open(&d, "w", FSIF_O_DIRECTORY);
    ck_assert_int_eq(
        GO(.type = FSIF_OP_WATCH, .handle = h, .flags = FSIF_CHANGE_CREATE, .cookie = 42), 0);
    touch(1000);
    ck_assert_int_eq(fsif_backend_changes(&d.be[1]), 1);
    ck_assert_int_eq(fsif_frontend_poll(&d.fe[0]), 1);
    ck_assert_uint_eq(d.notices[0].cookie, 42);
    ck_assert_uint_eq(d.notices[0].what, FSIF_CHANGE_CREATE);
    ck_assert_str_eq(d.notices[0].name, "n1000");
    for (uint32_t i = 0; i < 2 * D3_SLOTS; i++) {
        uint32_t before = d.nnotices;

        touch(i);
        if (i < D3_SLOTS)
            continue;
        d.nnotices = before;
    }
    d.nnotices = 0;
    for (uint32_t i = 0; i < 2 * D3_SLOTS; i++) {
        d3_on(&d, 1,
              (struct fsif_op){.type = FSIF_OP_WRITEFILE,
                               .handle = ROOT,
                               .path = "w/x",
                               .flags = FSIF_O_CREAT,
                               .mode = 0600});
        d3_on(&d, 1, (struct fsif_op){.type = FSIF_OP_REMOVE, .handle = ROOT, .path = "w/x"});
    }
    ck_assert_int_gt(fsif_backend_changes(&d.be[0]), (int)D3_SLOTS);
    /* Room again: what was lost is told without another change. */
    for (int i = 0; i < 3; i++) {
        ck_assert_int_ge(fsif_frontend_poll(&d.fe[0]), 0);
        ck_assert_int_eq(fsif_backend_serve(&d.be[0], &d.rq), 0);
    }
    for (uint32_t i = 0; i < d.nnotices; i++)
        lost |= d.notices[i].what & FSIF_CHANGE_LOST;
    ck_assert_uint_ne(lost, 0);
    ck_assert_int_eq(GO(.type = FSIF_OP_UNWATCH, .offset = 0), 0);
    ck_assert_int_eq(GO(.type = FSIF_OP_UNWATCH, .offset = 0), -FSIF_EINVAL);
    ck_assert_int_eq(GO(.type = FSIF_OP_UNWATCH, .offset = 1000), -FSIF_EINVAL);
    d3_end(&d);
}
END_TEST

START_TEST(queues_and_exports)
{
    uint32_t h, other;

    d3_begin(&d, 0);
    h = d3_open(&d, "f", FSIF_O_RDWR | FSIF_O_CREAT);
    ck_assert_int_eq(
        d3_on(&d, 1,
              (struct fsif_op){.type = FSIF_OP_WRITE, .handle = h, .length = 1, .data = "x"}),
        1);
    ck_assert_int_eq(GO(.type = FSIF_OP_EXPORT, .path = "nobody"), -FSIF_ENOENT);
    ck_assert_int_ge(d3_on(&d, 1, (struct fsif_op){.type = FSIF_OP_EXPORT, .path = "other"}), 0);
    other = (uint32_t)d.result.value;
    ck_assert_int_eq(GO(.type = FSIF_OP_STAT, .handle = other, .path = "f"), -FSIF_ENOENT);
    ck_assert_int_eq(GO(.type = FSIF_OP_STAT, .handle = other, .path = "/f"), -FSIF_ENOENT);
    ck_assert_int_eq(GO(.type = FSIF_OP_WRITEFILE, .handle = other, .path = "/g", .mode = 0600,
                        .flags = FSIF_O_CREAT, .length = 1, .data = "y"),
                     1);
    ck_assert_int_eq(GO(.type = FSIF_OP_STAT, .handle = ROOT, .path = "g"), -FSIF_ENOENT);
    ck_assert_int_eq(
        GO(.type = FSIF_OP_RENAME, .handle = other, .path = "g", .handle2 = ROOT, .path2 = "g"),
        -FSIF_EXDEV);
    ck_assert_int_eq(GO(.type = FSIF_OP_CLOSE, .handle = other), 0);
    ck_assert_int_eq(d3_on(&d, 1, (struct fsif_op){.type = FSIF_OP_CLOSE, .handle = h}), 0);
    ck_assert_uint_eq(fsif_backend_handles(&d.be[1]), 0);
    d3_end(&d);
}
END_TEST

/* --- past the frontend: what a hostile one sends --- */

static uint8_t slot[64];

static void request(uint8_t type, uint32_t handle)
{
    memset(slot, 0, sizeof(slot));
    slot[0] = type;
    fsi_put32(slot + 8, handle);
}

START_TEST(B3_reserved)
{
    d3_begin(&d, 0);
    request(FSIF_WIRE3_NOP, 0);
    ck_assert_int_eq(d3_raw(&d, slot), 0);
    for (uint32_t i = 8; i < 64; i++) {
        request(FSIF_WIRE3_NOP, 0);
        slot[i] = 0x80;
        ck_assert_int_eq(d3_raw(&d, slot), -FSIF_EINVAL);
    }
    request(FSIF_WIRE3_NOP, 0);
    slot[1] = 2;
    ck_assert_int_eq(d3_raw(&d, slot), -FSIF_EINVAL);
    for (uint32_t type = 0; type < 256; type++) {
        request((uint8_t)type, 0);
        if (type == 0 || type > FSIF_WIRE3_STATMANY)
            ck_assert_int_eq(d3_raw(&d, slot), -FSIF_ENOSYS);
    }
    d3_end(&d);
}
END_TEST

START_TEST(B5_ranges)
{
    static const uint32_t bad[][2] = {{D3_ARENA * 4096, 1},
                                      {D3_ARENA * 4096 - 1, 2},
                                      {UINT32_MAX, 1},
                                      {1, D3_ARENA * 4096 - 1 + 1},
                                      {UINT32_MAX - 5, 10}};
    uint32_t h;

    d3_begin(&d, 0);
    h = d3_open(&d, "f", FSIF_O_RDWR | FSIF_O_CREAT);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        request(FSIF_WIRE3_READ, h);
        fsi_put32(slot + 24, 1);
        fsi_put32(slot + 32, bad[i][0]);
        fsi_put32(slot + 36, bad[i][1]);
        ck_assert_int_eq(d3_raw(&d, slot), bad[i][1] > D3_MAX_IO ? -FSIF_EINVAL : -FSIF_EFAULT);
    }
    for (uint32_t n = 0; n < 8; n++) {
        request(FSIF_WIRE3_READ, h);
        fsi_put32(slot + 24, n);
        ck_assert_int_eq(d3_raw(&d, slot), n >= 1 && n <= 4 ? 0 : -FSIF_EINVAL);
    }
    d3_end(&d);
}
END_TEST

START_TEST(B7_names)
{
    d3_begin(&d, 0);
    request(FSIF_WIRE3_STAT, ROOT);
    slot[1] = 1;
    fsi_put16(slot + 12, 41); /* more than the slot holds */
    ck_assert_int_eq(d3_raw(&d, slot), -FSIF_EINVAL);
    request(FSIF_WIRE3_STAT, ROOT);
    fsi_put16(slot + 12, 4096);
    ck_assert_int_eq(d3_raw(&d, slot), -FSIF_ENAMETOOLONG);
    request(FSIF_WIRE3_STAT, ROOT);
    fsi_put16(slot + 12, 10);
    fsi_put32(slot + 24, D3_ARENA * 4096 - 9);
    ck_assert_int_eq(d3_raw(&d, slot), -FSIF_EFAULT);
    request(FSIF_WIRE3_STAT, ROOT);
    slot[1] = 1;
    fsi_put16(slot + 12, 3);
    memcpy(slot + 24, "a\0b", 3);
    ck_assert_int_eq(d3_raw(&d, slot), -FSIF_EINVAL);
    memcpy(slot + 24, "../", 3);
    ck_assert_int_eq(d3_raw(&d, slot), -FSIF_EACCES);
    memcpy(slot + 24, "..a", 3);
    ck_assert_int_eq(d3_raw(&d, slot), -FSIF_ENOENT);
    slot[27] = 'x'; /* behind the name */
    ck_assert_int_eq(d3_raw(&d, slot), -FSIF_EINVAL);
    d3_end(&d);
}
END_TEST

/* A backend that stopped for want of room for notices is rung, however few are taken at a time. */
START_TEST(room_for_notices_rings)
{
    uint32_t h;

    for (uint32_t first = 0; first < D3_SLOTS; first++) {
        uint32_t told = 0;

        d3_begin(&d, 0);
        h = d3_open(&d, ".", FSIF_O_DIRECTORY);
        ck_assert_int_eq(GO(.type = FSIF_OP_WATCH, .handle = h, .flags = FSIF_CHANGE_CREATE), 0);
        for (uint32_t i = 0; i < first + 2 * D3_SLOTS; i++) {
            char name[16];

            snprintf(name, sizeof(name), "f%u", i);
            if (i == first) { /* those before have been taken */
                ck_assert_int_ge(fsif_frontend_poll(&d.fe[0]), 0);
                ck_assert_uint_eq(d.nnotices, first);
            }
            d3_on(&d, 1,
                  (struct fsif_op){.type = FSIF_OP_WRITEFILE,
                                   .handle = ROOT,
                                   .path = name,
                                   .flags = FSIF_O_CREAT,
                                   .mode = 0600});
            (void)fsif_backend_changes(&d.be[0]);
        }
        d.bells = 0;
        ck_assert_int_eq(fsif_frontend_poll(&d.fe[0]), D3_SLOTS);
        ck_assert_uint_gt(d.bells, 0);
        ck_assert_int_eq(fsif_backend_serve(&d.be[0], &d.rq), 0);
        ck_assert_int_eq(fsif_frontend_poll(&d.fe[0]), 1);
        for (uint32_t i = 0; i < d.nnotices; i++)
            told |= d.notices[i].what & FSIF_CHANGE_LOST;
        ck_assert_uint_ne(told, 0);
        d3_end(&d);
    }
}
END_TEST

/* A frontend that claims to have taken more notices than there were loses its session. */
START_TEST(B1_notices_seen)
{
    uint32_t h;

    d3_begin(&d, 0);
    h = d3_open(&d, ".", FSIF_O_DIRECTORY);
    ck_assert_int_eq(GO(.type = FSIF_OP_WATCH, .handle = h, .flags = FSIF_CHANGE_CREATE), 0);
    fsi_put32(d.ring[0] + 8, 5);
    (void)d3_open(&d, "f", FSIF_O_RDWR | FSIF_O_CREAT);
    (void)fsif_backend_changes(&d.be[0]);
    ck_assert_int_eq(fsif_backend_reason(&d.be[0]), FSIF_POISON_INDEX);
    d3_end(&d);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("dialect3");
    TCase *tc = tcase_create("dialect3");

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, files);
    tcase_add_test(tc, no_handle_left);
    tcase_add_test(tc, zero_copy);
    tcase_add_test(tc, compounds);
    tcase_add_test(tc, bases);
    tcase_add_test(tc, listing);
    tcase_add_test(tc, attributes_and_names);
    tcase_add_test(tc, changes);
    tcase_add_test(tc, queues_and_exports);
    tcase_add_test(tc, B3_reserved);
    tcase_add_test(tc, B5_ranges);
    tcase_add_test(tc, B7_names);
    tcase_add_test(tc, room_for_notices_rings);
    tcase_add_test(tc, B1_notices_seen);
    dialect3_add_locks(tc);
    dialect3_add_queues(tc);
    dialect3_add_missing(tc);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
