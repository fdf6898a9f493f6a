/* SPDX-License-Identifier: MIT */
/*
 * The codec on the backend's side, and both sides together: rows B3 B4 B5 B7 B8 B27 of the table of
 * hostile peers.
 */
#include <check.h>
#include <string.h>
#include <fsif/error.h>
#include <fsif/op.h>
#include "codec.h"
#include "suite.h"

#define D (&fsi_dialect1)

static uint64_t shared[FSIF_PAGE_SIZE / 8];
static char *const page = (char *)shared;
static struct fsif_wire1_request request;
static struct fsif_wire1_response response;
static char buffer[FSIF_PAGE_SIZE + 1];
static struct fsif_op op;
static struct fsif_result result;

static void reset(void)
{
    memset(shared, 0, sizeof(shared));
    memset(&request, 0, sizeof(request));
    memset(&response, 0, sizeof(response));
    memset(buffer, 0, sizeof(buffer));
    memset(&op, 0, sizeof(op));
    memset(&result, 0, sizeof(result));
}

/* --- round trip --- */

static int decode(struct fsif_op *out, uint32_t *grefs, const struct fsi_codec_row **row)
{
    struct fsi_operands o;
    int error;

    memset(&o, 0, sizeof(o));
    error = fsi_codec_decode_request(D, &request, out, &o, row);
    memcpy(grefs, o.grefs, sizeof(o.grefs));
    return error;
}

START_TEST(round_trip)
{
    static const uint32_t gref = 0xffffffff;
    struct fsif_op back;
    const struct fsi_codec_row *row;
    uint32_t grefs[FSIF_PAGES_PER_CALL_MAX];

    for (uint32_t type = FSIF_OP_OPEN; type <= FSIF_OP_SYNC; type++) {
        char names[FSIF_PAGE_SIZE];

        reset();
        op = (struct fsif_op){.type = type,
                              .handle = 0x7fffffff,
                              .mode = 0107640,
                              .flags = FSIF_CREATE_DIRECTORY,
                              .offset = 12,
                              .length = FSIF_PAGE_SIZE,
                              .path = "/one//two/",
                              .path2 = "three/./four",
                              .data = buffer,
                              .buffer = buffer};
        ck_assert_int_eq(fsi_codec_check_op(D, &op), 0);
        fsi_codec_encode_request(D, &op, 0xfffe, 0, &gref, &request, page);
        ck_assert_uint_eq(fsi_codec_request_id(D, &request), 0xfffe);
        ck_assert_int_eq(decode(&back, grefs, &row), 0);
        ck_assert_uint_eq(back.type, type);
        ck_assert_ptr_eq(row, &D->rows[type]);
        ck_assert_uint_eq(grefs[0], row->page_use == FSI_PAGE_NONE ? 0 : 0xffffffff);
        ck_assert_uint_eq(back.handle, row->takes_handle ? 0x7fffffff : 0);
        if (row->page_use != FSI_PAGE_NAMES && row->page_use != FSI_PAGE_LIST)
            continue;
        memcpy(names, page, sizeof(names));
        ck_assert_int_eq(fsi_codec_decode_names(D, &request, names, NULL, &back), 0);
        ck_assert_str_eq(back.path, "one/two/");
        if (type == FSIF_OP_RENAME)
            ck_assert_str_eq(back.path2, "three/four");
        else
            ck_assert_ptr_null(back.path2);
    }
}
END_TEST

START_TEST(operands)
{
    const struct fsi_codec_row *row;
    uint32_t grefs[FSIF_PAGES_PER_CALL_MAX];

    reset();
    request.type = FSIF_WIRE_CREATE;
    request.u.create.directory = -128;
    request.u.create.mode = -1;
    ck_assert_int_eq(decode(&op, grefs, &row), 0);
    ck_assert_uint_eq(op.flags, FSIF_CREATE_DIRECTORY);
    ck_assert_uint_eq(op.mode, 07777);
    ck_assert_int_eq(row->gives_handle, 1);
    request.u.create.directory = 0;
    ck_assert_int_eq(decode(&op, grefs, &row), 0);
    ck_assert_uint_eq(op.flags, 0);
    request.type = FSIF_WIRE_CHMOD;
    request.u.chmod.mode = 0x7fffffff;
    ck_assert_int_eq(decode(&op, grefs, &row), 0);
    ck_assert_uint_eq(op.mode, 07777);
    request.type = FSIF_WIRE_LIST;
    request.u.list.offset = UINT32_MAX;
    ck_assert_int_eq(decode(&op, grefs, &row), 0);
    ck_assert_uint_eq(op.offset, UINT32_MAX);
}
END_TEST

/* --- backend: hostile requests --- */

START_TEST(B3_unknown_operation)
{
    const struct fsi_codec_row *row;
    uint32_t grefs[FSIF_PAGES_PER_CALL_MAX];

    reset();
    for (unsigned type = 0; type < 256; type++) {
        int known = type >= FSIF_WIRE_OPEN && type <= FSIF_WIRE_SYNC;

        request.type = (uint8_t)type;
        ck_assert_int_eq(decode(&op, grefs, &row), known ? 0 : -FSIF_ENOSYS);
        ck_assert_uint_eq(op.type, known ? type : 0);
        ck_assert_int_eq(row != NULL, known);
    }
    /* It has an answer like any other. */
    result.value = -FSIF_ENOSYS;
    fsi_codec_encode_response(D, 0, FSIF_FEATURE_ERRNO, 9, &result, &response);
    ck_assert_int_eq((int64_t)response.ret, -FSIF_ENOSYS);
    ck_assert_uint_eq(response.id, 9);
    fsi_codec_encode_response(D, 0, 0, 9, &result, &response);
    ck_assert_int_eq((int64_t)response.ret, -1);
}
END_TEST

START_TEST(B3_reserved_bits)
{
    const struct fsi_codec_row *row;
    struct fsif_op clean;
    uint32_t grefs[FSIF_PAGES_PER_CALL_MAX], clean_grefs[FSIF_PAGES_PER_CALL_MAX];

    for (unsigned type = FSIF_WIRE_OPEN; type <= FSIF_WIRE_SYNC; type++) {
        reset();
        request.type = (uint8_t)type;
        ck_assert_int_eq(decode(&clean, clean_grefs, &row), 0);
        memset(&request.pad0, 0xff, 1);
        memset(&request.pad1, 0xff, 4);
        if (type == FSIF_WIRE_TRUNCATE)
            request.u.truncate.pad = UINT32_MAX;
        if (type == FSIF_WIRE_CREATE)
            memset(request.u.create.pad, 0xff, 3);
        ck_assert_int_eq(decode(&op, grefs, &row), 0);
        ck_assert_mem_eq(&op, &clean, sizeof(op));
        ck_assert_uint_eq(grefs[0], clean_grefs[0]);
    }
}
END_TEST

static int decode_io(uint8_t type, uint64_t len, uint64_t offset)
{
    const struct fsi_codec_row *row;
    uint32_t grefs[FSIF_PAGES_PER_CALL_MAX];
    int error;

    request.type = type;
    request.u.io.len = len;
    request.u.io.offset = offset;
    error = decode(&op, grefs, &row);
    ck_assert_ptr_nonnull(row);
    return error;
}

START_TEST(B4_lengths_and_offsets)
{
    static const uint64_t bad_lengths[] = {
        4097,      UINT64_C(1) << 31, UINT64_C(1) << 32, (UINT64_C(1) << 32) + 1, UINT64_C(1) << 63,
        UINT64_MAX};
    static const uint8_t types[] = {FSIF_WIRE_READ, FSIF_WIRE_WRITE};

    reset();
    for (int i = 0; i < 2; i++) {
        for (size_t j = 0; j < sizeof(bad_lengths) / sizeof(*bad_lengths); j++)
            ck_assert_int_eq(decode_io(types[i], bad_lengths[j], 0), -FSIF_EINVAL);
        ck_assert_int_eq(decode_io(types[i], 0, 0), 0);
        ck_assert_int_eq(decode_io(types[i], 1, 0), 0);
        ck_assert_int_eq(decode_io(types[i], 4095, 4097), 0);
        ck_assert_int_eq(decode_io(types[i], 4096, INT64_MAX - 4096), 0);
        ck_assert_int_eq(decode_io(types[i], 4096, INT64_MAX - 4095), -FSIF_EINVAL);
        ck_assert_int_eq(decode_io(types[i], 0, INT64_MAX), 0);
        ck_assert_int_eq(decode_io(types[i], 0, (uint64_t)INT64_MAX + 1), -FSIF_EINVAL);
        ck_assert_int_eq(decode_io(types[i], 1, UINT64_MAX), -FSIF_EINVAL);
        ck_assert_int_eq(decode_io(types[i], UINT64_MAX, UINT64_MAX), -FSIF_EINVAL);
    }
}
END_TEST

START_TEST(B4_truncate)
{
    const struct fsi_codec_row *row;
    uint32_t grefs[FSIF_PAGES_PER_CALL_MAX];

    reset();
    request.type = FSIF_WIRE_TRUNCATE;
    request.u.truncate.len = -1;
    ck_assert_int_eq(decode(&op, grefs, &row), -FSIF_EINVAL);
    request.u.truncate.len = INT64_MIN;
    ck_assert_int_eq(decode(&op, grefs, &row), -FSIF_EINVAL);
    request.u.truncate.len = INT64_MAX;
    ck_assert_int_eq(decode(&op, grefs, &row), 0);
    ck_assert_uint_eq(op.length, INT64_MAX);
    request.u.truncate.len = 0;
    ck_assert_int_eq(decode(&op, grefs, &row), 0);
}
END_TEST

static int names_of(uint32_t type)
{
    op.type = type;
    return fsi_codec_decode_names(D, &request, page, NULL, &op);
}

START_TEST(B7_names)
{
    reset();
    ck_assert_int_eq(names_of(FSIF_OP_OPEN), -FSIF_ENOENT);
    strcpy(page, "a/../../etc/passwd");
    ck_assert_int_eq(names_of(FSIF_OP_OPEN), -FSIF_EACCES);
    strcpy(page, "..");
    ck_assert_int_eq(names_of(FSIF_OP_LIST), -FSIF_EACCES);
    strcpy(page, "//a..b/\x01\xff/");
    ck_assert_int_eq(names_of(FSIF_OP_REMOVE), 0);
    ck_assert_str_eq(op.path, "a..b/\x01\xff/");
    memset(page, 'n', FSIF_PAGE_SIZE);
    ck_assert_int_eq(names_of(FSIF_OP_OPEN), -FSIF_ENAMETOOLONG);
    page[FSIF_PAGE_SIZE - 1] = '\0';
    ck_assert_int_eq(names_of(FSIF_OP_OPEN), -FSIF_ENAMETOOLONG);
    for (unsigned i = 100; i < FSIF_PATH_MAX; i += 100)
        page[i] = '/';
    ck_assert_int_eq(names_of(FSIF_OP_OPEN), 0);
    ck_assert_uint_eq(strlen(op.path), FSIF_PATH_MAX);
}
END_TEST

static int rename_at(uint16_t from, uint16_t to)
{
    const struct fsi_codec_row *row;
    uint32_t grefs[FSIF_PAGES_PER_CALL_MAX];
    int error;

    request.type = FSIF_WIRE_RENAME;
    request.u.rename.old_offset = from;
    request.u.rename.new_offset = to;
    error = decode(&op, grefs, &row);
    ck_assert_int_eq(op.type, FSIF_OP_RENAME);
    ck_assert_ptr_nonnull(row);
    /* The request alone tells an offset outside; the names need not be fetched. */
    ck_assert_int_eq(error, from < FSIF_PAGE_SIZE && to < FSIF_PAGE_SIZE ? 0 : -FSIF_EINVAL);
    return error ? error : names_of(FSIF_OP_RENAME);
}

START_TEST(B5_B8_offsets_outside)
{
    reset();
    memcpy(page, "aa\0bb", 6);
    ck_assert_int_eq(rename_at(0, 4096), -FSIF_EINVAL);
    ck_assert_int_eq(rename_at(4096, 0), -FSIF_EINVAL);
    ck_assert_int_eq(rename_at(0, 65535), -FSIF_EINVAL);
    ck_assert_int_eq(rename_at(65535, 65535), -FSIF_EINVAL);
    ck_assert_int_eq(rename_at(0, 3), 0);
    /* The names are looked at again, not the offsets as they were checked before. */
    request.u.rename.new_offset = 4096;
    ck_assert_int_eq(names_of(FSIF_OP_RENAME), -FSIF_EINVAL);
    request.u.rename.old_offset = 4096;
    request.u.rename.new_offset = 0;
    ck_assert_int_eq(names_of(FSIF_OP_RENAME), -FSIF_EINVAL);
}
END_TEST

START_TEST(B8_second_inside_first)
{
    reset();
    memcpy(page, "aaa\0bbb", 8);
    ck_assert_int_eq(rename_at(0, 0), -FSIF_EINVAL);
    ck_assert_int_eq(rename_at(0, 1), -FSIF_EINVAL);
    ck_assert_int_eq(rename_at(0, 3), -FSIF_EINVAL); /* on its NUL */
    ck_assert_int_eq(rename_at(1, 0), -FSIF_EINVAL);
    ck_assert_int_eq(rename_at(3, 0), -FSIF_EINVAL);
    ck_assert_int_eq(rename_at(0, 4), 0);
    ck_assert_str_eq(op.path, "aaa");
    ck_assert_str_eq(op.path2, "bbb");
    /* The order in the page is free. */
    ck_assert_int_eq(rename_at(4, 0), 0);
    ck_assert_str_eq(op.path, "bbb");
    ck_assert_str_eq(op.path2, "aaa");
}
END_TEST

START_TEST(B8_names)
{
    reset();
    memset(page, 'n', FSIF_PAGE_SIZE);
    ck_assert_int_eq(rename_at(0, 100), -FSIF_ENAMETOOLONG);
    page[50] = '\0';
    ck_assert_int_eq(rename_at(0, 100), -FSIF_ENAMETOOLONG);
    ck_assert_int_eq(rename_at(100, 0), -FSIF_ENAMETOOLONG);
    ck_assert_int_eq(rename_at(0, 4095), -FSIF_ENAMETOOLONG);
    page[4095] = '\0';
    ck_assert_int_eq(rename_at(0, 4095), -FSIF_ENOENT);
    ck_assert_int_eq(rename_at(4095, 0), -FSIF_ENOENT);
    ck_assert_int_eq(rename_at(0, 4094), 0);
    memcpy(page, "a/..\0b", 7);
    ck_assert_int_eq(rename_at(0, 5), -FSIF_EACCES);
    memcpy(page, "a\0..", 5);
    ck_assert_int_eq(rename_at(0, 2), -FSIF_EACCES);
}
END_TEST

/* --- backend: answers --- */

static int64_t answer(uint32_t type, uint32_t features, int64_t value, uint32_t more)
{
    struct fsif_result r = {.value = value, .more = more};

    memset(&response, 0xa5, sizeof(response));
    fsi_codec_encode_response(D, type, features, 3, &r, &response);
    ck_assert_uint_eq(response.id, 3);
    ck_assert_uint_eq(response.pad0, 0);
    ck_assert_uint_eq(response.pad1, 0);
    for (size_t i = 0; i < sizeof(response.unused); i++)
        ck_assert_uint_eq(response.unused[i], 0);
    return (int64_t)response.ret;
}

START_TEST(B27_answers)
{
    uint32_t e = FSIF_FEATURE_ERRNO;

    ck_assert_int_eq(answer(FSIF_OP_OPEN, e, 5, 0), 5);
    ck_assert_int_eq(answer(FSIF_OP_OPEN, e, -FSIF_EROFS, 0), -30);
    ck_assert_int_eq(answer(FSIF_OP_OPEN, 0, -FSIF_EROFS, 0), -1);
    ck_assert_int_eq(answer(FSIF_OP_READ, 0, 4096, 0), 4096);
    ck_assert_int_eq(answer(FSIF_OP_SPACE, 0, INT64_MAX, 0), INT64_MAX);
    ck_assert_int_eq(answer(FSIF_OP_LIST, 0, 0, 0), 0);
    ck_assert_int_eq(answer(FSIF_OP_LIST, 0, 7, 9), INT64_C(1) << 48 | 7);
    ck_assert_int_eq(answer(FSIF_OP_LIST, 0, -FSIF_ENOENT, 1), 2 << 16);
    ck_assert_int_eq(answer(FSIF_OP_LIST, e, -FSIF_MAX_ERRNO, 0), INT64_C(4095) << 16);
}
END_TEST

/* What a store must not return becomes an I/O error, and never a lie. */
START_TEST(store_out_of_range)
{
    uint32_t e = FSIF_FEATURE_ERRNO;

    ck_assert_int_eq(answer(FSIF_OP_OPEN, e, (int64_t)INT32_MAX + 1, 0), -5);
    ck_assert_int_eq(answer(FSIF_OP_READ, e, 4097, 0), -5);
    ck_assert_int_eq(answer(FSIF_OP_CLOSE, e, 1, 0), -5);
    ck_assert_int_eq(answer(FSIF_OP_CLOSE, e, -FSIF_MAX_ERRNO - 1, 0), -5);
    ck_assert_int_eq(answer(FSIF_OP_SPACE, e, INT64_MIN, 0), -5);
    ck_assert_int_eq(answer(FSIF_OP_LIST, e, 2049, 0), 5 << 16);
    ck_assert_int_eq(answer(FSIF_OP_LIST, e, 0, 1), 5 << 16);
    ck_assert_int_eq(answer(FSIF_OP_NONE, e, 0, 0), -5);
    ck_assert_int_eq(answer(FSIF_OP_COUNT, e, 0, 0), -5);
}
END_TEST

START_TEST(attributes_of_a_store)
{
    struct fsif_attr in = {.mode = UINT32_MAX, .size = UINT64_MAX};
    struct fsif_wire1_attr out;

    reset();
    fsi_codec_encode_attr(D, &in, page);
    memcpy(&out, page, sizeof(out));
    ck_assert_int_eq(out.mode, 0177777);
    ck_assert_int_eq(out.size, INT64_MAX);
    ck_assert_uint_eq(out.pad, 0);
}
END_TEST

/* Any bytes at all: no crash, and whatever is let through is within its bounds. */
START_TEST(any_bytes)
{
    uint32_t seed = 0x9e3779b9;

    reset();
    for (int round = 0; round < 20000; round++) {
        unsigned char *r = (unsigned char *)&request;
        const struct fsi_codec_row *row;
        uint32_t grefs[FSIF_PAGES_PER_CALL_MAX];

        for (size_t i = 0; i < sizeof(request); i++) {
            seed = seed * 1664525 + 1013904223;
            r[i] = (unsigned char)(seed >> 24);
        }
        request.type &= 15;
        for (size_t i = 0; i < FSIF_PAGE_SIZE; i += 1 + (seed >> 26)) {
            seed = seed * 1664525 + 1013904223;
            page[i] = (char)("a/.\0"[seed >> 30]);
        }
        if (decode(&op, grefs, &row))
            continue;
        ck_assert_uint_le(op.mode, 07777);
        if (row->page_use == FSI_PAGE_DATA_IN || row->page_use == FSI_PAGE_DATA_OUT)
            ck_assert_uint_le(op.length, FSIF_PAGE_SIZE);
        if (row->page_use == FSI_PAGE_NAMES || row->page_use == FSI_PAGE_LIST) {
            if (fsi_codec_decode_names(D, &request, page, NULL, &op) == 0)
                ck_assert_uint_gt(strlen(op.path), 0);
        }
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("codec_backend");
    TCase *t = tcase_create("codec_backend");

    tcase_add_test(t, round_trip);
    tcase_add_test(t, operands);
    tcase_add_test(t, B3_unknown_operation);
    tcase_add_test(t, B3_reserved_bits);
    tcase_add_test(t, B4_lengths_and_offsets);
    tcase_add_test(t, B4_truncate);
    tcase_add_test(t, B7_names);
    tcase_add_test(t, B5_B8_offsets_outside);
    tcase_add_test(t, B8_second_inside_first);
    tcase_add_test(t, B8_names);
    tcase_add_test(t, B27_answers);
    tcase_add_test(t, store_out_of_range);
    tcase_add_test(t, attributes_of_a_store);
    tcase_add_test(t, any_bytes);
    suite_add_tcase(s, t);
    return run_suite(s);
}
