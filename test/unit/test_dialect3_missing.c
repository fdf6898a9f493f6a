/* SPDX-License-Identifier: MIT */
/* Dialect 3 above a store that lacks what it may lack. */
#include <check.h>
#include <stddef.h>
#include <string.h>
#include <fsif/error.h>
#include <fsif/memory.h>
#include "dialect3_fixture.h"
#include "parts.h"

static struct d3 d;
static char buffer[64];

#define MEMBER(m) offsetof(struct fsif_store_ops, m)
#define OP(t) .type = FSIF_OP_##t
#define ROOT .handle = FSIF_HANDLE_ROOT

/* Each member that a store may lack, and an operation that needs it; @on: its handles are the open
 * file's (1), the open directory's (2) */
static const struct {
    size_t member;
    int on;
    struct fsif_op op;
} optional[] = {
    {MEMBER(mknod), 0, {OP(MKNOD), ROOT, .path = "n", .mode = FSIF_S_IFREG | 0644}},
    {MEMBER(link), 0, {OP(LINK), ROOT, .handle2 = FSIF_HANDLE_ROOT, .path = "f", .path2 = "g"}},
    {MEMBER(symlink), 0, {OP(SYMLINK), ROOT, .path = "l", .path2 = "f"}},
    {MEMBER(readlink), 0, {OP(READLINK), ROOT, .path = "s", .buffer = buffer, .length = 64}},
    {MEMBER(allocate), 1, {OP(ALLOCATE), .length = 1}},
    {MEMBER(seek), 1, {OP(SEEK)}},
    {MEMBER(copy_range), 1, {OP(COPY_RANGE), .offset2 = 100, .length = 1}},
    {MEMBER(getxattr),
     0,
     {OP(GETXATTR), ROOT, .path = "f", .path2 = "user.a", .buffer = buffer, .length = 64}},
    {MEMBER(setxattr),
     0,
     {OP(SETXATTR), ROOT, .path = "f", .path2 = "user.a", .data = buffer, .length = 1}},
    {MEMBER(listxattr), 0, {OP(LISTXATTR), ROOT, .path = "f", .buffer = buffer, .length = 64}},
    {MEMBER(removexattr), 0, {OP(REMOVEXATTR), ROOT, .path = "f", .path2 = "user.a"}},
    {MEMBER(lock), 1, {OP(LOCK), .mode = FSIF_LOCK_SHARED, .length = 1}},
    {MEMBER(watch), 2, {OP(WATCH), .flags = FSIF_CHANGE_CREATE}},
    {MEMBER(unwatch), 2, {OP(WATCH), .flags = FSIF_CHANGE_CREATE}},
    {MEMBER(watch_next), 2, {OP(WATCH), .flags = FSIF_CHANGE_CREATE}},
};
#define OPTIONAL ((int)(sizeof(optional) / sizeof(optional[0])))

START_TEST(missing_member)
{
    const void *none = NULL;
    struct fsif_store_ops ops = fsif_store_memory;
    struct fsif_op op = optional[_i].op;
    uint32_t file;

    d3_begin(&d, 0);
    file = d3_open(&d, "f", FSIF_O_RDWR | FSIF_O_CREAT);
    ck_assert_int_eq(
        d3_go(&d, (struct fsif_op){OP(SYMLINK), ROOT, .path = "s", .path2 = "somewhere-else"}), 0);
    if (optional[_i].on)
        op.handle = op.handle2 = optional[_i].on == 1 ? file : d3_open(&d, ".", FSIF_O_DIRECTORY);
    if (op.type != FSIF_OP_COPY_RANGE && optional[_i].on)
        op.handle2 = 0;
    memcpy((char *)&ops + optional[_i].member, &none, sizeof(none));
    d.be[0].exports_[0].ops = &ops;
    ck_assert_int_eq(d3_go(&d, op), -FSIF_EOPNOTSUPP);
    d.be[0].exports_[0].ops = &fsif_store_memory;
    ck_assert_int_ne(d3_go(&d, op), -FSIF_EOPNOTSUPP);
    d3_end(&d);
}
END_TEST

void dialect3_add_missing(TCase *t)
{
    tcase_add_loop_test(t, missing_member, 0, OPTIONAL);
}
