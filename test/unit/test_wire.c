/* SPDX-License-Identifier: MIT */
/*
 * The bytes of dialect 1, written here a second time by offset: wire.h, the codec and the
 * protocol's tables must say the same.
 */
#include <check.h>
#include <string.h>
#include <fsif/hooks.h>
#include <fsif/op.h>
#include "codec.h"
#include "suite.h"

static uint64_t memory[FSIF_PAGE_SIZE / 8];
static char *const page = (char *)memory;
static unsigned char slot[FSIF_WIRE1_SLOT], want[FSIF_WIRE1_SLOT];

static void put16(size_t at, uint16_t v)
{
    memcpy(want + at, &v, sizeof(v));
}

static void put32(size_t at, uint32_t v)
{
    memcpy(want + at, &v, sizeof(v));
}

static void put64(size_t at, uint64_t v)
{
    memcpy(want + at, &v, sizeof(v));
}

static void head(uint8_t type)
{
    memset(want, 0, sizeof(want));
    want[0] = type;
    put16(2, 0x1234);
}

/* Encodes with id 0x1234 and gref 0x9abcdef0, compares with @want. */
static void same(const struct fsif_op *op)
{
    static const uint32_t gref = 0x9abcdef0;

    memset(slot, 0xa5, sizeof(slot));
    ck_assert_int_eq(fsi_codec_check_op(&fsi_dialect1, op), 0);
    fsi_codec_encode_request(&fsi_dialect1, op, 0x1234, 0, &gref, slot, page);
    ck_assert_mem_eq(slot, want, sizeof(want));
}

START_TEST(paths)
{
    static const uint32_t types[] = {FSIF_OP_OPEN, FSIF_OP_REMOVE, FSIF_OP_SPACE};
    static const uint8_t numbers[] = {1, 7, 12};

    for (int i = 0; i < 3; i++) {
        struct fsif_op op = {.type = types[i], .path = "dir/file"};

        head(numbers[i]);
        put32(8, 0x9abcdef0);
        same(&op);
        ck_assert_mem_eq(page, "dir/file", 9);
    }
}
END_TEST

START_TEST(handles)
{
    struct fsif_op op = {.type = FSIF_OP_CLOSE, .handle = 7};

    head(2);
    put32(8, 7);
    same(&op);
    op.type = FSIF_OP_SYNC;
    head(13);
    put32(8, 7);
    same(&op);
}
END_TEST

START_TEST(io)
{
    struct fsif_op op = {.type = FSIF_OP_READ,
                         .handle = 7,
                         .length = 4096,
                         .offset = 0x0102030405060708,
                         .buffer = slot};

    head(3);
    put32(8, 7);
    put32(12, 0x9abcdef0);
    put64(16, 4096);
    put64(24, 0x0102030405060708);
    same(&op);
    op.type = FSIF_OP_WRITE;
    op.length = 3;
    op.data = "abc";
    want[0] = 4;
    put64(16, 3);
    same(&op);
    ck_assert_mem_eq(page, "abc", 3);
}
END_TEST

START_TEST(stat)
{
    struct fsif_op op = {.type = FSIF_OP_STAT, .handle = 7};

    head(5);
    put32(8, 7);
    put32(12, 0x9abcdef0);
    same(&op);
}
END_TEST

START_TEST(truncate)
{
    struct fsif_op op = {.type = FSIF_OP_TRUNCATE, .handle = 7, .length = INT64_MAX};

    head(6);
    put32(8, 7);
    put64(16, INT64_MAX);
    same(&op);
}
END_TEST

START_TEST(rename)
{
    struct fsif_op op = {.type = FSIF_OP_RENAME, .path = "from", .path2 = "there"};

    head(8);
    put16(8, 5);
    put16(10, 5 + 4 + 1 + 5);
    put32(12, 0x9abcdef0);
    same(&op);
    ck_assert_mem_eq(page, "old: from\0new: there", 21);
}
END_TEST

START_TEST(create)
{
    struct fsif_op op = {.type = FSIF_OP_CREATE, .path = "p", .mode = 0100644};

    head(9);
    put32(12, 0644);
    put32(16, 0x9abcdef0);
    same(&op);
    op.flags = FSIF_CREATE_DIRECTORY;
    want[8] = 1;
    same(&op);
}
END_TEST

START_TEST(list)
{
    struct fsif_op op = {.type = FSIF_OP_LIST,
                         .path = "dir",
                         .offset = 0xfffffffe,
                         .buffer = memory,
                         .length = FSIF_PAGE_SIZE};

    head(10);
    put32(8, 0xfffffffe);
    put32(12, 0x9abcdef0);
    same(&op);
    ck_assert_str_eq(page, "dir");
}
END_TEST

START_TEST(chmod)
{
    struct fsif_op op = {.type = FSIF_OP_CHMOD, .handle = 7, .mode = 0107755};

    head(11);
    put32(8, 7);
    put32(12, 07755);
    same(&op);
}
END_TEST

/* A response: id at 0, the value at 8, zero elsewhere. */
START_TEST(response)
{
    struct fsif_result result = {.value = 0x0102030405060708};

    memset(slot, 0xa5, sizeof(slot));
    fsi_codec_encode_response(&fsi_dialect1, FSIF_OP_SPACE, FSIF_FEATURE_ERRNO, 0xffff, &result,
                              slot);
    memset(want, 0, sizeof(want));
    put16(0, 0xffff);
    put64(8, 0x0102030405060708);
    ck_assert_mem_eq(slot, want, sizeof(want));
    ck_assert_uint_eq(fsi_codec_response_id(&fsi_dialect1, slot), 0xffff);
}
END_TEST

START_TEST(listing_response)
{
    struct fsif_result result = {.value = 3, .more = 1};

    memset(want, 0, sizeof(want));
    put64(8, UINT64_C(1) << 48 | 3);
    fsi_codec_encode_response(&fsi_dialect1, FSIF_OP_LIST, 0, 0, &result, slot);
    ck_assert_mem_eq(slot, want, sizeof(want));
    result.value = -FSIF_ENOTDIR;
    put64(8, UINT64_C(20) << 16);
    fsi_codec_encode_response(&fsi_dialect1, FSIF_OP_LIST, 0, 0, &result, slot);
    ck_assert_mem_eq(slot, want, sizeof(want));
}
END_TEST

START_TEST(attributes)
{
    struct fsif_attr attr = {.mode = FSIF_S_IFREG | 0640,
                             .uid = 1,
                             .gid = 2,
                             .size = 3,
                             .atime = -4,
                             .mtime = 5,
                             .ctime = 6,
                             .nlink = 7,
                             .mtime_nsec = 8};
    static const uint32_t words[4] = {0100640, 1, 2, 0};
    static const int64_t longs[4] = {3, -4, 5, 6};

    memset(memory, 0xa5, sizeof(memory));
    ck_assert_uint_eq(fsi_codec_encode_attr(&fsi_dialect1, &attr, page), 48);
    ck_assert_mem_eq(page, words, 16);
    ck_assert_mem_eq(page + 16, longs, 32);
    ck_assert_uint_eq((unsigned char)page[48], 0xa5);
}
END_TEST

START_TEST(dialects)
{
    ck_assert_ptr_eq(fsi_dialect_find(1), &fsi_dialect1);
    ck_assert_ptr_null(fsi_dialect_find(0));
    ck_assert_ptr_eq(fsi_dialect_find(2), &fsi_dialect2);
    ck_assert_ptr_eq(fsi_dialect_find(3), &fsi_dialect3);
    ck_assert_ptr_null(fsi_dialect_find(4));
    ck_assert_uint_eq(fsi_dialect_slots(&fsi_dialect1, 1), 64);
    ck_assert_uint_eq(fsi_dialect_slots(&fsi_dialect1, 0), 0);
    ck_assert_uint_eq(fsi_dialect_slots(&fsi_dialect1, 2), 0);
    ck_assert_uint_eq(fsi_dialect_slots(&fsi_dialect1, UINT32_MAX), 0);
}
END_TEST

START_TEST(words)
{
    ck_assert_str_eq(fsif_op_name(FSIF_OP_OPEN), "open");
    ck_assert_str_eq(fsif_op_name(FSIF_OP_TRUNCATE), "truncate");
    ck_assert_str_eq(fsif_op_name(FSIF_OP_SYNC), "sync");
    ck_assert_str_eq(fsif_op_name(FSIF_OP_NONE), "unknown");
    ck_assert_str_eq(fsif_op_name(FSIF_OP_COUNT), "unknown");
    ck_assert_str_eq(fsif_op_name(UINT32_MAX), "unknown");
    for (int i = 0; i < FSIF_POISON_COUNT; i++) {
        for (int j = 0; j <= i; j++)
            ck_assert_int_eq(strcmp(fsif_poison_text((enum fsif_poison)i),
                                    fsif_poison_text((enum fsif_poison)j)) == 0,
                             i == j);
    }
    ck_assert_str_eq(fsif_poison_text(FSIF_POISON_COUNT), "unknown reason");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("wire");
    TCase *t = tcase_create("wire");

    tcase_add_test(t, paths);
    tcase_add_test(t, handles);
    tcase_add_test(t, io);
    tcase_add_test(t, stat);
    tcase_add_test(t, truncate);
    tcase_add_test(t, rename);
    tcase_add_test(t, create);
    tcase_add_test(t, list);
    tcase_add_test(t, chmod);
    tcase_add_test(t, response);
    tcase_add_test(t, listing_response);
    tcase_add_test(t, attributes);
    tcase_add_test(t, dialects);
    tcase_add_test(t, words);
    suite_add_tcase(s, t);
    return run_suite(s);
}
