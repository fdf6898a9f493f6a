/* SPDX-License-Identifier: MIT */
/*
 * B2, B30 and F2 in dialect 3 without a race, as test_fetch_once.c has them for the dialects with
 * pages: each word of the ring's slots, and of the arena that belongs to them, changes when it has
 * been read.
 *
 * The lengths of names and listings are such that no copy of the C library's reads a word twice by
 * itself, as its two halves would of 16 bytes.
 */
#include <check.h>
#include <stdio.h>
#include <string.h>
#include <fsif/error.h>
#include "dialect3_fixture.h"
#include "suite.h"
#include "watch.h"

#define HEAD 128u     /* the ring's words are looked at again and again */
#define SLOT_WORDS 8u /* of a copy, 8 bytes each */
#define MORE 2u       /* at least, where something of the arena is looked at, too */

/* Longer than a slot has room for, so it lies in the arena. */
#define LONG_NAME "a-name-that-is-longer-than-a-slot-has-room-for-0123456789"
#define LONG_NAME2 "the-second-name-that-is-longer-than-a-slot-has-room-for"

static struct d3 d;
static struct fsif_call call;
static int ran;

static void on_done(struct fsif_call *c)
{
    (void)c;
    ran++;
}

static void submit(struct fsif_op op)
{
    call = (struct fsif_call){.op = op, .deadline = FSIF_NEVER, .done = on_done};
    ran = 0;
    ck_assert_int_eq(fsif_frontend_submit(&d.fe[0], &call), 0);
}

/* The ring of queue 0 from its slots on and, if @arena, the arena's first page. */
static void watch(int arena)
{
    void *const pages[] = {d.ring[0], d.ring[0] + FSIF_PAGE_SIZE, d.arena_mem};
    const uint32_t spare[] = {HEAD, 0, 0};

    watch_begin(pages, spare, arena ? 3 : 2);
}

static void expect_once(uint32_t least)
{
    uint32_t where = 0;

    ck_assert_uint_ge(watch_end(), least);
    ck_assert_msg(watch_most(&where) == 1, "offset %u of ring or arena was read twice", where);
}

/* The backend serves @op with everything watched that it checks; @data: the arena has only data. */
static int64_t serve_all(struct fsif_op op, int data, uint32_t least)
{
    submit(op);
    watch(!data);
    ck_assert_int_ge(fsif_backend_serve(&d.be[0], &d.rq), 0);
    expect_once(least);
    ck_assert_int_eq(fsif_frontend_poll(&d.fe[0]), 1);
    ck_assert_int_eq(ran, 1);
    return call.result.value;
}

/* One whose names, if it has any, lie in the slot */
static int64_t serve(struct fsif_op op)
{
    return serve_all(op, 1, SLOT_WORDS);
}

/* One whose names lie in the arena */
static int64_t serve_long(struct fsif_op op)
{
    return serve_all(op, 0, SLOT_WORDS + MORE);
}

/* The frontend takes the answer to @op with everything watched. */
static int64_t take_all(struct fsif_op op, uint32_t least)
{
    submit(op);
    ck_assert_int_ge(fsif_backend_serve(&d.be[0], &d.rq), 0);
    watch(1);
    ck_assert_int_eq(fsif_frontend_poll(&d.fe[0]), 1);
    expect_once(least);
    ck_assert_int_eq(ran, 1);
    return call.result.value;
}

static int64_t take(struct fsif_op op)
{
    return take_all(op, SLOT_WORDS);
}

static struct fsif_op on_path(uint32_t type, const char *path)
{
    return (struct fsif_op){.type = type, .handle = FSIF_HANDLE_ROOT, .path = path};
}

/* B2: handles, numbers and ranges that grow after they were checked. */
START_TEST(B2_slots)
{
    char bytes[3 * FSIF_PAGE_SIZE] = "0123456789abcdef";
    struct fsif_setattr set = {.mask = FSIF_SET_SIZE, .size = 5};
    struct fsif_op op = {.type = FSIF_OP_WRITE, .data = bytes, .length = 16, .offset = 3};

    d3_begin(&d, 0);
    op.handle = d3_open(&d, "f", FSIF_O_RDWR | FSIF_O_CREAT);
    ck_assert_int_eq(serve(op), 16);
    op = (struct fsif_op){
        .type = FSIF_OP_READ, .handle = op.handle, .buffer = bytes, .length = 16, .offset = 3};
    ck_assert_int_eq(serve(op), 16);
    ck_assert_mem_eq(bytes, "0123456789abcdef", 16);
    op.type = FSIF_OP_SETATTR;
    op.set = &set;
    op.offset = op.length = 0;
    ck_assert_int_eq(serve(op), 0);
    op = (struct fsif_op){.type = FSIF_OP_ALLOCATE, .handle = op.handle, .offset = 6, .length = 4};
    ck_assert_int_eq(serve(op), 0);
    op = (struct fsif_op){.type = FSIF_OP_SEEK, .handle = op.handle, .flags = FSIF_SEEK_HOLE};
    ck_assert_int_ge(serve(op), 5);
    op = (struct fsif_op){.type = FSIF_OP_COPY_RANGE,
                          .handle = op.handle,
                          .handle2 = op.handle,
                          .offset = 0,
                          .offset2 = 20,
                          .length = 10};
    ck_assert_int_eq(serve(op), 10);
    op = (struct fsif_op){.type = FSIF_OP_LOCK,
                          .handle = op.handle,
                          .mode = FSIF_LOCK_EXCLUSIVE,
                          .offset = 1,
                          .length = 2};
    ck_assert_int_eq(serve(op), 0);
    ck_assert_int_eq(serve((struct fsif_op){.type = FSIF_OP_CANCEL, .cookie = 7}), -FSIF_ENOENT);
    ck_assert_int_eq(serve((struct fsif_op){.type = FSIF_OP_CLOSE, .handle = op.handle}), 0);
    ck_assert_int_eq(serve((struct fsif_op){.type = FSIF_OP_NOP}), 0);
    d3_end(&d);
}
END_TEST

/* B30: names that change after they were checked, in the slot and in the arena. */
START_TEST(B30_names)
{
    struct fsif_op op;

    d3_begin(&d, 0);
    op = on_path(FSIF_OP_MKDIR, "in-the-slot-itself-20xx");
    op.mode = 0755;
    ck_assert_int_eq(serve(op), 0);
    op = on_path(FSIF_OP_MKDIR, LONG_NAME);
    op.mode = 0755;
    ck_assert_int_eq(serve_long(op), 0);
    ck_assert_int_eq(serve_long(on_path(FSIF_OP_STAT, LONG_NAME)), 0);
    op = on_path(FSIF_OP_RENAME, LONG_NAME);
    op.handle2 = FSIF_HANDLE_ROOT;
    op.path2 = LONG_NAME2;
    ck_assert_int_eq(serve_long(op), 0);
    ck_assert_int_eq(serve_long(on_path(FSIF_OP_STAT, LONG_NAME)), -FSIF_ENOENT);
    ck_assert_int_eq(serve_long(on_path(FSIF_OP_STAT, LONG_NAME2)), 0);
    op = on_path(FSIF_OP_SYMLINK, LONG_NAME);
    op.path2 = LONG_NAME2;
    ck_assert_int_eq(serve_long(op), 0);
    op = on_path(FSIF_OP_REMOVE, LONG_NAME2);
    op.flags = FSIF_REMOVE_DIR;
    ck_assert_int_eq(serve_long(op), 0);
    op = (struct fsif_op){.type = FSIF_OP_EXPORT, .path = "other"};
    ck_assert_int_ge(serve(op), 0);
    d3_end(&d);
}
END_TEST

/* F2: answers with bodies and data. */
START_TEST(F2_answers)
{
    char bytes[FSIF_PAGE_SIZE];
    struct fsif_op op;
    uint32_t handle;

    d3_begin(&d, 0);
    handle = d3_open(&d, "12345678", FSIF_O_RDWR | FSIF_O_CREAT);
    ck_assert_int_eq(take((struct fsif_op){.type = FSIF_OP_NOP}), 0);
    ck_assert_int_eq(take(on_path(FSIF_OP_STAT, "12345678")), 0);
    ck_assert_uint_eq(call.result.attr.mode, FSIF_S_IFREG | 0644);
    ck_assert_int_eq(take(on_path(FSIF_OP_STATVFS, "12345678")), 0);
    ck_assert_uint_gt(call.result.vfs.bsize, 0);
    op = (struct fsif_op){.type = FSIF_OP_LOCK,
                          .handle = handle,
                          .mode = FSIF_LOCK_EXCLUSIVE,
                          .flags = FSIF_LOCK_TEST,
                          .length = 2};
    ck_assert_int_eq(take(op), 0);
    /* Two entries of 40 bytes: their copy is one, and its check is of the copy. */
    d3_open(&d, "87654321", FSIF_O_RDWR | FSIF_O_CREAT);
    op = (struct fsif_op){.type = FSIF_OP_READDIR,
                          .handle = d3_open(&d, ".", FSIF_O_DIRECTORY),
                          .buffer = bytes,
                          .length = 1024};
    ck_assert_int_eq(take_all(op, SLOT_WORDS + MORE), 80);
    d3_end(&d);
}
END_TEST

/* F2: a notice, with a name that goes on into its second slot. */
START_TEST(F2_notices)
{
    struct fsif_op op = {.type = FSIF_OP_WATCH, .flags = FSIF_CHANGE_CREATE, .cookie = 77};

    d3_begin(&d, 0);
    op.handle = d3_open(&d, ".", FSIF_O_DIRECTORY);
    ck_assert_int_ge(d3_go(&d, op), 0);
    d3_open(&d, LONG_NAME, FSIF_O_RDWR | FSIF_O_CREAT);
    ck_assert_int_ge(fsif_backend_changes(&d.be[0]), 1);
    watch(1);
    ck_assert_int_ge(fsif_frontend_poll(&d.fe[0]), 0);
    expect_once(SLOT_WORDS);
    ck_assert_uint_eq(d.nnotices, 1);
    ck_assert_uint_eq(d.notices[0].cookie, 77);
    ck_assert_str_eq(d.notices[0].name, LONG_NAME);
    d3_end(&d);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("fetch_once3");
    TCase *tc = tcase_create("fetch_once3");

    if (!watch_possible()) {
        puts("SKIP: single steps are only known on x86-64");
        return 77;
    }
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, B2_slots);
    tcase_add_test(tc, B30_names);
    tcase_add_test(tc, F2_answers);
    tcase_add_test(tc, F2_notices);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
