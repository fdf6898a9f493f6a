/* SPDX-License-Identifier: MIT */
/*
 * The bytes of dialect 2, written here a second time by offset: wire.h, the codec and the
 * protocol's tables must say the same. Rows B3 B4 B5 B27 and F4 F6 of the table of hostile peers.
 */
#include <string.h>
#include <fsif/error.h>
#include "codec.h"
#include "parts.h"
#include "suite.h"

#define D (&fsi_dialect2)
#define SLOT 56u
#define MAX_IO 24576u

static char pages[MAX_IO], buffer[MAX_IO];
static unsigned char slot[SLOT];

static const uint32_t grefs[6] = {0x9abcdef0, 0x11111111, 0x22222222,
                                  0x33333333, 0x44444444, 0xffffffff};

static unsigned char nibble(char c)
{
    return (unsigned char)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* @hex: bytes with blanks between them, as this machine (little-endian) has them; the rest is 0 */
static void slot_is(const char *hex)
{
    unsigned char want[SLOT] = {0};
    size_t n = 0;

    for (; hex[0]; hex += 2) {
        while (*hex == ' ')
            hex++;
        ck_assert_uint_lt(n, SLOT);
        want[n++] = (unsigned char)(nibble(hex[0]) << 4 | nibble(hex[1]));
    }
    ck_assert_mem_eq(slot, want, SLOT);
}

/* Encodes with id 0x0123, compares, and decodes again. */
static int decode(const void *from, struct fsif_op *op, uint32_t *got,
                  const struct fsi_codec_row **row)
{
    struct fsi_operands o;
    int error;

    memset(&o, 0, sizeof(o));
    error = fsi_codec_decode_request(D, from, op, &o, row);
    memcpy(got, o.grefs, sizeof(o.grefs));
    return error;
}

static void request_is(const struct fsif_op *op, uint32_t ngrefs, const char *hex)
{
    uint32_t got[FSIF_PAGES_PER_CALL_MAX];
    const struct fsi_codec_row *row;
    struct fsif_op back;

    memset(slot, 0xa5, sizeof(slot));
    ck_assert_int_eq(fsi_codec_check_op(D, op), 0);
    fsi_codec_encode_request(D, op, 0x123, 0, grefs, slot, pages);
    slot_is(hex);
    ck_assert_uint_eq(fsi_codec_request_id(D, slot), 0x123);
    memset(got, 0xa5, sizeof(got));
    ck_assert_int_eq(decode(slot, &back, got, &row), 0);
    ck_assert_uint_eq(back.type, op->type);
    ck_assert_uint_eq(back.handle, op->handle);
    ck_assert_uint_eq(back.offset, op->offset);
    ck_assert_uint_eq(back.length, op->type == FSIF_OP_LIST ? 0 : op->length);
    ck_assert_uint_eq(back.mode, op->mode);
    ck_assert_uint_eq(back.flags, op->flags);
    for (uint32_t i = 0; i < FSIF_PAGES_PER_CALL_MAX; i++)
        ck_assert_uint_eq(got[i], i < ngrefs ? grefs[i] : 0);
}

static void put_names(void)
{
    request_is(&(struct fsif_op){.type = FSIF_OP_OPEN, .path = "a"}, 1,
               "01 00 2301 00000000 f0debc9a");
    request_is(&(struct fsif_op){.type = FSIF_OP_REMOVE, .path = "a"}, 1,
               "07 00 2301 00000000 f0debc9a");
    request_is(&(struct fsif_op){.type = FSIF_OP_SPACE, .path = "a"}, 1,
               "0c 00 2301 00000000 f0debc9a");
    request_is(&(struct fsif_op){.type = FSIF_OP_RENAME, .path = "one", .path2 = "two"}, 1,
               "08 00 2301 00000000 0500 0e00 f0debc9a");
    ck_assert_mem_eq(pages, "old: one\0new: two", 18);
    request_is(&(struct fsif_op){.type = FSIF_OP_CREATE, .path = "d", .mode = 0755, .flags = 1}, 1,
               "09 00 2301 00000000 01 000000 ed010000 f0debc9a");
    request_is(&(struct fsif_op){.type = FSIF_OP_CREATE, .path = "f", .mode = 0640}, 1,
               "09 00 2301 00000000 00 000000 a0010000 f0debc9a");
    request_is(&(struct fsif_op){.type = FSIF_OP_LIST,
                                 .path = "d",
                                 .offset = 0x01020304,
                                 .buffer = buffer,
                                 .length = FSIF_PAGE_SIZE},
               1, "0a 00 2301 00000000 04030201 f0debc9a");
}

START_TEST(requests)
{
    put_names();
    request_is(&(struct fsif_op){.type = FSIF_OP_CLOSE, .handle = 7}, 0,
               "02 00 2301 00000000 07000000");
    request_is(&(struct fsif_op){.type = FSIF_OP_STAT, .handle = 7}, 0,
               "05 00 2301 00000000 07000000");
    request_is(&(struct fsif_op){.type = FSIF_OP_SYNC, .handle = 7}, 0,
               "0d 00 2301 00000000 07000000");
    request_is(&(struct fsif_op){.type = FSIF_OP_TRUNCATE, .handle = 7, .length = 0x0102030405}, 0,
               "06 00 2301 00000000 07000000 00000000 0504030201000000");
    request_is(&(struct fsif_op){.type = FSIF_OP_CHMOD, .handle = 7, .mode = 0644}, 0,
               "0b 00 2301 00000000 07000000 a4010000");
}
END_TEST

/* As many grefs as the length has pages, behind the operands. */
START_TEST(reads_and_writes)
{
    struct fsif_op op = {.type = FSIF_OP_READ,
                         .handle = 0x01020304,
                         .offset = 0x0807060504030201,
                         .buffer = buffer,
                         .data = buffer};

    op.length = MAX_IO;
    request_is(&op, 6,
               "03 00 2301 00000000 04030201 00000000 0060000000000000 0102030405060708"
               "f0debc9a 11111111 22222222 33333333 44444444 ffffffff");
    op.length = MAX_IO - 4096;
    request_is(&op, 5,
               "03 00 2301 00000000 04030201 00000000 0050000000000000 0102030405060708"
               "f0debc9a 11111111 22222222 33333333 44444444");
    op.type = FSIF_OP_WRITE;
    op.length = 4097;
    request_is(&op, 2,
               "04 00 2301 00000000 04030201 00000000 0110000000000000 0102030405060708"
               "f0debc9a 11111111");
    op.length = 4096;
    request_is(&op, 1,
               "04 00 2301 00000000 04030201 00000000 0010000000000000 0102030405060708"
               "f0debc9a");
    op.length = 0;
    request_is(&op, 0, "04 00 2301 00000000 04030201 00000000 0000000000000000 0102030405060708");
}
END_TEST

START_TEST(data_of_several_pages)
{
    struct fsif_op op = {.type = FSIF_OP_WRITE, .length = 5000, .data = buffer};

    for (size_t i = 0; i < sizeof(buffer); i++)
        buffer[i] = (char)(i * 7 + i / 4096);
    memset(pages, 0, sizeof(pages));
    ck_assert_uint_eq(fsi_codec_encode_request(D, &op, 1, 0, grefs, slot, pages), 5000);
    ck_assert_mem_eq(pages, buffer, 5000);
    ck_assert_int_eq(pages[5000], 0);
    op.type = FSIF_OP_READ;
    op.length = MAX_IO;
    ck_assert_uint_eq(fsi_codec_encode_request(D, &op, 1, 0, grefs, slot, pages), MAX_IO);
    op.type = FSIF_OP_STAT;
    ck_assert_uint_eq(fsi_codec_encode_request(D, &op, 1, 0, grefs, slot, pages), 0);
}
END_TEST

START_TEST(lengths_that_may_start)
{
    struct fsif_op op = {.type = FSIF_OP_READ, .length = MAX_IO, .buffer = buffer, .data = buffer};

    ck_assert_int_eq(fsi_codec_check_op(D, &op), 0);
    op.length++;
    ck_assert_int_eq(fsi_codec_check_op(D, &op), -FSIF_EINVAL);
    op.type = FSIF_OP_WRITE;
    ck_assert_int_eq(fsi_codec_check_op(D, &op), -FSIF_EINVAL);
    op.length = MAX_IO;
    op.offset = INT64_MAX - MAX_IO;
    ck_assert_int_eq(fsi_codec_check_op(D, &op), 0);
    op.offset++;
    ck_assert_int_eq(fsi_codec_check_op(D, &op), -FSIF_EINVAL);
}
END_TEST

/* B4, B5: what is longer than the slot has grefs for is an error, whatever lies behind the slot. */
START_TEST(B4_B5_lengths)
{
    static const uint64_t bad[] = {MAX_IO + 1,        9 * 4096,          11 * 4096, UINT32_MAX,
                                   UINT64_C(1) << 32, UINT64_C(1) << 63, UINT64_MAX};
    struct fsif_wire2_request rq = {.type = FSIF_WIRE_READ};
    uint32_t got[FSIF_PAGES_PER_CALL_MAX];
    const struct fsi_codec_row *row;
    struct fsif_op op;

    memset(rq.u.io.grefs, 0xff, sizeof(rq.u.io.grefs));
    for (int type = FSIF_WIRE_READ; type <= FSIF_WIRE_WRITE; type++) {
        rq.type = (uint8_t)type;
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
            rq.u.io.len = bad[i];
            ck_assert_int_eq(decode(&rq, &op, got, &row), -FSIF_EINVAL);
            ck_assert_uint_eq(got[0], 0);
        }
        rq.u.io.len = MAX_IO;
        rq.u.io.offset = INT64_MAX - MAX_IO;
        ck_assert_int_eq(decode(&rq, &op, got, &row), 0);
        rq.u.io.offset++;
        ck_assert_int_eq(decode(&rq, &op, got, &row), -FSIF_EINVAL);
        rq.u.io.offset = 0;
    }
}
END_TEST

/* B3: padding is ignored, grefs beyond the length are not looked at, unknown types are refused. */
START_TEST(B3_other_bits)
{
    struct fsif_wire2_request rq;
    uint32_t got[FSIF_PAGES_PER_CALL_MAX];
    const struct fsi_codec_row *row;
    struct fsif_op op;

    memset(&rq, 0xff, sizeof(rq));
    rq.type = FSIF_WIRE_WRITE;
    rq.u.io.len = 4097;
    rq.u.io.offset = 5;
    ck_assert_int_eq(decode(&rq, &op, got, &row), 0);
    ck_assert_uint_eq(got[1], UINT32_MAX);
    ck_assert_uint_eq(got[2], 0);
    for (unsigned type = 0; type < 256; type++) {
        rq.type = (uint8_t)type;
        rq.u.io.len = 1;
        if (type < 1 || type > 13) {
            ck_assert_int_eq(decode(&rq, &op, got, &row), -FSIF_ENOSYS);
            ck_assert_ptr_null(row);
        }
    }
}
END_TEST

/* --- responses --- */

static void respond(uint32_t type, uint32_t features, struct fsif_result result, const char *hex)
{
    memset(slot, 0xa5, sizeof(slot));
    fsi_codec_encode_response(D, type, features, 0x123, &result, slot);
    slot_is(hex);
    ck_assert_uint_eq(fsi_codec_response_id(D, slot), 0x123);
}

START_TEST(responses)
{
    respond(FSIF_OP_SPACE, 1, (struct fsif_result){.value = 0x0102030405060708},
            "2301 0000 00000000 0807060504030201");
    respond(FSIF_OP_READ, 1, (struct fsif_result){.value = MAX_IO}, "2301 0000 00000000 0060");
    respond(FSIF_OP_READ, 1, (struct fsif_result){.value = MAX_IO + 1},
            "2301 0000 00000000 fbffffffffffffff");
    respond(FSIF_OP_OPEN, 1, (struct fsif_result){.value = -2},
            "2301 0000 00000000 feffffffffffffff");
    respond(FSIF_OP_OPEN, 0, (struct fsif_result){.value = -2},
            "2301 0000 00000000 ffffffffffffffff");
    respond(FSIF_OP_LIST, 0, (struct fsif_result){.value = 3, .more = 1},
            "2301 0000 00000000 0300000000000100");
    respond(FSIF_OP_NONE, 1, (struct fsif_result){.value = -38},
            "2301 0000 00000000 daffffffffffffff");
}
END_TEST

/* B27: of a stat that failed nothing but that is told. */
START_TEST(B27_stat_response)
{
    struct fsif_result result = {.value = 0,
                                 .attr = {.mode = 0100640,
                                          .uid = 0x01020304,
                                          .gid = 0x05060708,
                                          .nlink = 9,
                                          .size = 0x1122334455,
                                          .atime = 1,
                                          .mtime = -2,
                                          .ctime = 3,
                                          .mtime_nsec = 77}};

    respond(FSIF_OP_STAT, 1, result,
            "2301 0000 00000000 a0810000 04030201 08070605 00000000 5544332211000000"
            "0100000000000000 feffffffffffffff 0300000000000000");
    result.value = -FSIF_EBADF;
    respond(FSIF_OP_STAT, 1, result, "2301 0000 00000000 00000000 00000000 00000000 f7ffffff");
    respond(FSIF_OP_STAT, 0, result, "2301 0000 00000000 00000000 00000000 00000000 ffffffff");
    result.value = 1; /* a store's bug */
    respond(FSIF_OP_STAT, 1, result, "2301 0000 00000000 00000000 00000000 00000000 fbffffff");
    result.value = INT64_MIN;
    respond(FSIF_OP_STAT, 1, result, "2301 0000 00000000 00000000 00000000 00000000 fbffffff");
}
END_TEST

static enum fsif_poison take(uint32_t type, uint32_t features,
                             const struct fsif_wire2_response *rsp, struct fsif_result *out)
{
    struct fsif_op op = {.type = type, .length = MAX_IO, .buffer = buffer};

    return fsi_codec_decode_response(D, &op, features, rsp, pages, out);
}

START_TEST(F6_attributes)
{
    struct fsif_wire2_response good = {
        .u.attr = {.mode = 0100640, .uid = 1, .gid = 2, .size = 3, .atime = -4, .mtime = 5}};
    struct fsif_wire2_response r = good;
    struct fsif_result out;

    ck_assert_int_eq(take(FSIF_OP_STAT, 1, &r, &out), FSIF_POISON_NONE);
    ck_assert_int_eq(out.value, 0);
    ck_assert_uint_eq(out.attr.mode, 0100640);
    ck_assert_uint_eq(out.attr.uid, 1);
    ck_assert_uint_eq(out.attr.gid, 2);
    ck_assert_uint_eq(out.attr.size, 3);
    ck_assert_int_eq(out.attr.atime, -4);
    ck_assert_int_eq(out.attr.mtime, 5);
    r.u.attr.size = -1;
    ck_assert_int_eq(take(FSIF_OP_STAT, 1, &r, &out), FSIF_POISON_ATTR);
    r = good;
    r.u.attr.mode = 0170000;
    ck_assert_int_eq(take(FSIF_OP_STAT, 1, &r, &out), FSIF_POISON_ATTR);
    r.u.attr.mode = 0200644;
    ck_assert_int_eq(take(FSIF_OP_STAT, 1, &r, &out), FSIF_POISON_ATTR);
    r = good;
    r.u.attr.ret = 1;
    ck_assert_int_eq(take(FSIF_OP_STAT, 1, &r, &out), FSIF_POISON_RESULT);
    r.u.attr.ret = -4096;
    ck_assert_int_eq(take(FSIF_OP_STAT, 1, &r, &out), FSIF_POISON_RESULT);
    /* An error's attributes are nobody's. */
    r.u.attr.ret = -9;
    r.u.attr.mode = -1;
    ck_assert_int_eq(take(FSIF_OP_STAT, 1, &r, &out), FSIF_POISON_NONE);
    ck_assert_int_eq(out.value, -9);
    ck_assert_uint_eq(out.attr.mode, 0);
    ck_assert_int_eq(take(FSIF_OP_STAT, 0, &r, &out), FSIF_POISON_NONE);
    ck_assert_int_eq(out.value, -FSIF_EIO);
}
END_TEST

START_TEST(F4_results)
{
    struct fsif_wire2_response r = {.u.ret = MAX_IO};
    struct fsif_result out;

    for (size_t i = 0; i < sizeof(pages); i++)
        pages[i] = (char)(i * 3 + i / 4096);
    memset(buffer, 0, sizeof(buffer));
    ck_assert_int_eq(take(FSIF_OP_READ, 1, &r, &out), FSIF_POISON_NONE);
    ck_assert_int_eq(out.value, MAX_IO);
    ck_assert_mem_eq(buffer, pages, MAX_IO);
    r.u.ret = MAX_IO + 1;
    ck_assert_int_eq(take(FSIF_OP_READ, 1, &r, &out), FSIF_POISON_RESULT);
    r.u.ret = (uint64_t)-4096;
    ck_assert_int_eq(take(FSIF_OP_READ, 1, &r, &out), FSIF_POISON_RESULT);
    r.u.ret = (uint64_t)-5;
    ck_assert_int_eq(take(FSIF_OP_READ, 1, &r, &out), FSIF_POISON_NONE);
    ck_assert_int_eq(out.value, -5);
}
END_TEST

START_TEST(rings)
{
    static const uint32_t slots[17] = {0,   64,  128, 128, 256, 256, 256,  256, 512,
                                       512, 512, 512, 512, 512, 512, 1024, 1024};

    for (uint32_t n = 0; n <= 16; n++)
        ck_assert_msg(fsi_dialect_slots(D, n) == slots[n], "%u pages: %u slots", n,
                      fsi_dialect_slots(D, n));
    ck_assert_uint_eq(fsi_dialect_slots(D, 17), 0);
    ck_assert_uint_eq(fsi_dialect_slots(D, UINT32_MAX), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("dialect2");
    TCase *t = tcase_create("bytes");

    tcase_add_test(t, requests);
    tcase_add_test(t, reads_and_writes);
    tcase_add_test(t, data_of_several_pages);
    tcase_add_test(t, lengths_that_may_start);
    tcase_add_test(t, B4_B5_lengths);
    tcase_add_test(t, B3_other_bits);
    tcase_add_test(t, responses);
    tcase_add_test(t, B27_stat_response);
    tcase_add_test(t, F6_attributes);
    tcase_add_test(t, F4_results);
    tcase_add_test(t, rings);
    suite_add_tcase(s, t);
    suite_add_tcase(s, several_pages_backend_cases());
    suite_add_tcase(s, several_pages_frontend_cases());
    return run_suite(s);
}
