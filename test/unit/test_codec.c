/* SPDX-License-Identifier: MIT */
/*
 * The codec on the frontend's side: operations that may start, and rows F3 F4 F5 F6 F7 F9 of the
 * table of hostile peers.
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

/* --- frontend: operations that may start --- */

static int check(struct fsif_op o)
{
    return fsi_codec_check_op(D, &o);
}

START_TEST(check_types)
{
    ck_assert_int_eq(check((struct fsif_op){.type = FSIF_OP_NONE}), -FSIF_ENOSYS);
    ck_assert_int_eq(check((struct fsif_op){.type = FSIF_OP_COUNT}), -FSIF_ENOSYS);
    ck_assert_int_eq(check((struct fsif_op){.type = UINT32_MAX}), -FSIF_ENOSYS);
    ck_assert_int_eq(check((struct fsif_op){.type = FSIF_OP_CLOSE, .handle = UINT32_MAX}), 0);
    ck_assert_int_eq(check((struct fsif_op){.type = FSIF_OP_STAT}), 0);
}
END_TEST

static int check_io(uint32_t type, uint64_t offset, uint64_t length)
{
    return check((struct fsif_op){
        .type = type, .offset = offset, .length = length, .data = buffer, .buffer = buffer});
}

START_TEST(check_lengths)
{
    static const uint32_t types[] = {FSIF_OP_READ, FSIF_OP_WRITE};

    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(check_io(types[i], 0, 0), 0);
        ck_assert_int_eq(check_io(types[i], 0, 1), 0);
        ck_assert_int_eq(check_io(types[i], 0, 4096), 0);
        ck_assert_int_eq(check_io(types[i], 0, 4097), -FSIF_EINVAL);
        ck_assert_int_eq(check_io(types[i], 0, UINT64_C(1) << 32), -FSIF_EINVAL);
        ck_assert_int_eq(check_io(types[i], 0, UINT64_MAX), -FSIF_EINVAL);
        ck_assert_int_eq(check_io(types[i], INT64_MAX, 0), 0);
        ck_assert_int_eq(check_io(types[i], INT64_MAX, 1), -FSIF_EINVAL);
        ck_assert_int_eq(check_io(types[i], INT64_MAX - 4096, 4096), 0);
        ck_assert_int_eq(check_io(types[i], INT64_MAX - 4095, 4096), -FSIF_EINVAL);
        ck_assert_int_eq(check_io(types[i], UINT64_MAX, 0), -FSIF_EINVAL);
        ck_assert_int_eq(check_io(types[i], UINT64_MAX, 2), -FSIF_EINVAL);
        ck_assert_int_eq(check((struct fsif_op){.type = types[i]}), 0);
        ck_assert_int_eq(check((struct fsif_op){.type = types[i], .length = 1}), -FSIF_EINVAL);
    }
    ck_assert_int_eq(check((struct fsif_op){.type = FSIF_OP_TRUNCATE, .length = INT64_MAX}), 0);
    ck_assert_int_eq(
        check((struct fsif_op){.type = FSIF_OP_TRUNCATE, .length = (uint64_t)INT64_MAX + 1}),
        -FSIF_EINVAL);
}
END_TEST

static int check_list(uint64_t offset, void *buf, uint64_t length)
{
    return check((struct fsif_op){
        .type = FSIF_OP_LIST, .path = "d", .offset = offset, .buffer = buf, .length = length});
}

START_TEST(check_listing)
{
    ck_assert_int_eq(check_list(0, buffer, FSIF_PAGE_SIZE), 0);
    ck_assert_int_eq(check_list(UINT32_MAX, buffer, FSIF_PAGE_SIZE + 1), 0);
    ck_assert_int_eq(check_list(UINT64_C(1) << 32, buffer, FSIF_PAGE_SIZE), -FSIF_EINVAL);
    ck_assert_int_eq(check_list(0, buffer, FSIF_PAGE_SIZE - 1), -FSIF_EINVAL);
    ck_assert_int_eq(check_list(0, NULL, FSIF_PAGE_SIZE), -FSIF_EINVAL);
    ck_assert_int_eq(
        check((struct fsif_op){
            .type = FSIF_OP_LIST, .path = "", .buffer = buffer, .length = FSIF_PAGE_SIZE}),
        -FSIF_ENOENT);
}
END_TEST

static int check_name(const char *name)
{
    return check((struct fsif_op){.type = FSIF_OP_OPEN, .path = name});
}

START_TEST(check_names)
{
    char name[FSIF_PAGE_SIZE + 1];

    ck_assert_int_eq(check_name("a/b"), 0);
    ck_assert_int_eq(check_name("/"), 0);
    ck_assert_int_eq(check_name("\x01\xff a..b"), 0);
    ck_assert_int_eq(check_name(NULL), -FSIF_EINVAL);
    ck_assert_int_eq(check_name(""), -FSIF_ENOENT);
    ck_assert_int_eq(check_name("a/../b"), -FSIF_EACCES);
    memset(name, 'n', sizeof(name));
    name[FSIF_PATH_MAX] = '\0';
    ck_assert_int_eq(check_name(name), 0);
    name[FSIF_PATH_MAX] = 'n';
    name[FSIF_PATH_MAX + 1] = '\0';
    ck_assert_int_eq(check_name(name), -FSIF_ENAMETOOLONG);
    ck_assert_int_eq(check((struct fsif_op){.type = FSIF_OP_CREATE, .path = "x", .flags = 2}),
                     -FSIF_EINVAL);
    ck_assert_int_eq(check((struct fsif_op){.type = FSIF_OP_CREATE, .path = "x", .flags = 1}), 0);
}
END_TEST

static int check_rename(const char *from, const char *to)
{
    return check((struct fsif_op){.type = FSIF_OP_RENAME, .path = from, .path2 = to});
}

START_TEST(check_two_names)
{
    char name[FSIF_PAGE_SIZE];

    ck_assert_int_eq(check_rename("a", "b"), 0);
    ck_assert_int_eq(check_rename("", "b"), -FSIF_ENOENT);
    ck_assert_int_eq(check_rename("a", ""), -FSIF_ENOENT);
    ck_assert_int_eq(check_rename("a", NULL), -FSIF_EINVAL);
    ck_assert_int_eq(check_rename(NULL, "b"), -FSIF_EINVAL);
    ck_assert_int_eq(check_rename("a", ".."), -FSIF_EACCES);
    /* 5 + 1 + 1 + 5 + n + 1 bytes in one page */
    memset(name, 'n', sizeof(name));
    name[FSIF_PAGE_SIZE - 13] = '\0';
    ck_assert_int_eq(check_rename("a", name), 0);
    ck_assert_int_eq(check_rename(name, "a"), 0);
    ck_assert_int_eq(check_rename("ab", name), -FSIF_ENAMETOOLONG);
    ck_assert_int_eq(check_rename(name, name), -FSIF_ENAMETOOLONG);
}
END_TEST

/* --- frontend: what is sent --- */

static uint32_t encode(void)
{
    static const uint32_t gref = 2;

    ck_assert_int_eq(fsi_codec_check_op(D, &op), 0);
    return fsi_codec_encode_request(D, &op, 1, 0, &gref, &request, page);
}

START_TEST(F9_bytes_of_the_page)
{
    char name[FSIF_PAGE_SIZE];

    reset();
    op.type = FSIF_OP_READ;
    op.length = 100;
    op.buffer = buffer;
    ck_assert_uint_eq(encode(), 100);
    ck_assert_int_eq(page[0], 0);
    op.type = FSIF_OP_STAT;
    ck_assert_uint_eq(encode(), 48);
    op.type = FSIF_OP_SYNC;
    ck_assert_uint_eq(encode(), 0);
    op.type = FSIF_OP_WRITE;
    op.data = "abcdef";
    op.length = 3;
    ck_assert_uint_eq(encode(), 3);
    ck_assert_mem_eq(page, "abc\0\0", 5);
    op.length = 0;
    op.data = NULL;
    ck_assert_uint_eq(encode(), 0);
    op.type = FSIF_OP_OPEN;
    op.path = "name";
    ck_assert_uint_eq(encode(), 5);
    ck_assert_mem_eq(page, "name\0\0", 6);
    op.type = FSIF_OP_LIST;
    op.buffer = buffer;
    op.length = FSIF_PAGE_SIZE;
    ck_assert_uint_eq(encode(), FSIF_PAGE_SIZE);

    op.type = FSIF_OP_RENAME;
    memset(name, 'n', sizeof(name));
    name[FSIF_PAGE_SIZE - 13] = '\0';
    op.path = name;
    op.path2 = "z";
    ck_assert_uint_eq(encode(), FSIF_PAGE_SIZE);
    ck_assert_int_eq(page[FSIF_PAGE_SIZE - 2], 'z');
    ck_assert_int_eq(page[FSIF_PAGE_SIZE - 1], '\0');
    ck_assert_uint_eq(request.u.rename.new_offset, FSIF_PAGE_SIZE - 2);
}
END_TEST

/* Whatever the slot's memory held before, nothing of it is sent. */
START_TEST(F9_slot_holds_nothing_else)
{
    struct fsif_wire1_request twin;

    reset();
    op.path = "a";
    op.path2 = "b";
    op.buffer = buffer;
    op.data = buffer;
    for (op.type = FSIF_OP_OPEN; op.type <= FSIF_OP_SYNC; op.type++) {
        op.length = op.type == FSIF_OP_LIST ? FSIF_PAGE_SIZE : 0;
        memset(&request, 0x5a, sizeof(request));
        encode();
        memcpy(&twin, &request, sizeof(twin));
        memset(&request, 0xa5, sizeof(request));
        encode();
        ck_assert_mem_eq(&twin, &request, sizeof(twin));
    }
}
END_TEST

/* --- frontend: hostile answers --- */

static enum fsif_poison take(uint32_t features, uint64_t ret)
{
    response.ret = ret;
    memset(&result, 0xa5, sizeof(result));
    return fsi_codec_decode_response(D, &op, features, &response, page, &result);
}

START_TEST(F3_id)
{
    reset();
    response.id = 0xffff;
    response.pad0 = 0xffff;
    ck_assert_uint_eq(fsi_codec_response_id(D, &response), 0xffff);
    response.id = 0;
    ck_assert_uint_eq(fsi_codec_response_id(D, &response), 0);
}
END_TEST

START_TEST(F4_errors)
{
    reset();
    for (op.type = FSIF_OP_OPEN; op.type <= FSIF_OP_SYNC; op.type++) {
        if (op.type == FSIF_OP_LIST)
            continue;
        ck_assert_int_eq(take(FSIF_FEATURE_ERRNO, (uint64_t)-2), FSIF_POISON_NONE);
        ck_assert_int_eq(result.value, -FSIF_ENOENT);
        ck_assert_int_eq(take(FSIF_FEATURE_ERRNO, (uint64_t)-4095), FSIF_POISON_NONE);
        ck_assert_int_eq(result.value, -4095);
        ck_assert_int_eq(take(FSIF_FEATURE_ERRNO, (uint64_t)-4096), FSIF_POISON_RESULT);
        ck_assert_int_eq(take(FSIF_FEATURE_ERRNO, (uint64_t)INT64_MIN), FSIF_POISON_RESULT);
        ck_assert_int_eq(take(0, (uint64_t)-1), FSIF_POISON_NONE);
        ck_assert_int_eq(result.value, -FSIF_EIO);
        ck_assert_int_eq(take(0, (uint64_t)INT64_MIN), FSIF_POISON_NONE);
        ck_assert_int_eq(result.value, -FSIF_EIO);
    }
}
END_TEST

START_TEST(F4_larger_than_asked)
{
    reset();
    op.buffer = buffer;
    op.data = buffer;
    for (op.type = FSIF_OP_READ; op.type <= FSIF_OP_WRITE; op.type++) {
        op.length = 10;
        ck_assert_int_eq(take(0, 10), FSIF_POISON_NONE);
        ck_assert_int_eq(result.value, 10);
        ck_assert_int_eq(take(0, 11), FSIF_POISON_RESULT);
        ck_assert_int_eq(take(0, INT64_MAX), FSIF_POISON_RESULT);
        op.length = 0;
        ck_assert_int_eq(take(0, 0), FSIF_POISON_NONE);
        ck_assert_int_eq(take(0, 1), FSIF_POISON_RESULT);
    }
}
END_TEST

START_TEST(F4_zero_and_handles)
{
    static const uint32_t zero[] = {FSIF_OP_CLOSE,  FSIF_OP_STAT,  FSIF_OP_TRUNCATE, FSIF_OP_REMOVE,
                                    FSIF_OP_RENAME, FSIF_OP_CHMOD, FSIF_OP_SYNC};
    struct fsif_wire1_attr attr = {.mode = 0100644};

    reset();
    memcpy(page, &attr, sizeof(attr));
    for (size_t i = 0; i < sizeof(zero) / sizeof(*zero); i++) {
        op.type = zero[i];
        ck_assert_int_eq(take(0, 0), FSIF_POISON_NONE);
        ck_assert_int_eq(take(0, 1), FSIF_POISON_RESULT);
        ck_assert_int_eq(take(0, INT64_MAX), FSIF_POISON_RESULT);
    }
    op.type = FSIF_OP_OPEN;
    ck_assert_int_eq(take(0, INT32_MAX), FSIF_POISON_NONE);
    ck_assert_int_eq(take(0, (uint64_t)INT32_MAX + 1), FSIF_POISON_RESULT);
    op.type = FSIF_OP_CREATE;
    ck_assert_int_eq(take(0, 3), FSIF_POISON_NONE);
    ck_assert_int_eq(result.value, 3);
    ck_assert_int_eq(take(0, UINT32_MAX), FSIF_POISON_RESULT);
    op.flags = FSIF_CREATE_DIRECTORY;
    ck_assert_int_eq(take(0, 0), FSIF_POISON_NONE);
    ck_assert_int_eq(take(0, 3), FSIF_POISON_RESULT);
}
END_TEST

START_TEST(read_copies_what_came)
{
    reset();
    memcpy(page, "abcdef", 6);
    op.type = FSIF_OP_READ;
    op.length = 6;
    op.buffer = buffer + 1;
    ck_assert_int_eq(take(0, 4), FSIF_POISON_NONE);
    ck_assert_mem_eq(buffer, "\0abcd\0", 6);
}
END_TEST

static enum fsif_poison take_list(uint64_t ret)
{
    op.type = FSIF_OP_LIST;
    op.path = "d";
    op.buffer = buffer + 1; /* any alignment */
    op.length = FSIF_PAGE_SIZE;
    return take(FSIF_FEATURE_ERRNO, ret);
}

START_TEST(listing)
{
    reset();
    memcpy(page, ".\0..\0a b\0\xff\x01", 12);
    ck_assert_int_eq(take_list(4), FSIF_POISON_NONE);
    ck_assert_int_eq(result.value, 4);
    ck_assert_uint_eq(result.used, 12);
    ck_assert_uint_eq(result.more, 0);
    ck_assert_mem_eq(buffer + 1, page, 12);
    ck_assert_int_eq(take_list(UINT64_C(1) << 48 | 2), FSIF_POISON_NONE);
    ck_assert_uint_eq(result.used, 5);
    ck_assert_uint_eq(result.more, 1);
    ck_assert_int_eq(take_list(0), FSIF_POISON_NONE);
    ck_assert_int_eq(result.value, 0);
    ck_assert_uint_eq(result.used, 0);
    ck_assert_int_eq(take_list(20 << 16), FSIF_POISON_NONE);
    ck_assert_int_eq(result.value, -FSIF_ENOTDIR);
    ck_assert_int_eq(take_list(UINT64_C(1) << 48 | 20 << 16 | 3), FSIF_POISON_NONE);
    ck_assert_int_eq(result.value, -FSIF_ENOTDIR);
    ck_assert_uint_eq(result.more, 0);
}
END_TEST

START_TEST(listing_fills_the_page)
{
    reset();
    memset(page, 'n', FSIF_PAGE_SIZE);
    for (unsigned i = 255; i < FSIF_PAGE_SIZE; i += 256)
        page[i] = '\0';
    ck_assert_int_eq(take_list(16), FSIF_POISON_NONE);
    ck_assert_uint_eq(result.used, FSIF_PAGE_SIZE);
    ck_assert_int_eq(take_list(17), FSIF_POISON_LISTING);
    for (unsigned i = 1; i < FSIF_PAGE_SIZE; i += 2)
        page[i] = '\0';
    ck_assert_int_eq(take_list(2032), FSIF_POISON_NONE);
    for (unsigned i = 0; i < FSIF_PAGE_SIZE; i += 2)
        page[i] = 'n';
    ck_assert_int_eq(take_list(2048), FSIF_POISON_NONE);
    ck_assert_uint_eq(result.used, FSIF_PAGE_SIZE);
}
END_TEST

START_TEST(F5_return_values)
{
    reset();
    memcpy(page, "a\0b", 4);
    ck_assert_int_eq(take_list(UINT64_C(1) << 48), FSIF_POISON_LISTING);
    ck_assert_int_eq(take_list(3), FSIF_POISON_LISTING);
    ck_assert_int_eq(take_list(2049), FSIF_POISON_LISTING);
    ck_assert_int_eq(take_list(0xffff), FSIF_POISON_LISTING);
    ck_assert_int_eq(take_list(UINT64_C(4095) << 16), FSIF_POISON_NONE);
    ck_assert_int_eq(take_list(UINT64_C(4096) << 16), FSIF_POISON_LISTING);
    ck_assert_int_eq(take_list(UINT64_C(0xffffffff) << 16), FSIF_POISON_LISTING);
    ck_assert_int_eq(take_list(UINT64_C(1) << 49), FSIF_POISON_LISTING);
    ck_assert_int_eq(take_list(UINT64_C(1) << 63 | 1), FSIF_POISON_LISTING);
    ck_assert_int_eq(take_list(UINT64_MAX), FSIF_POISON_LISTING);
}
END_TEST

START_TEST(F5_names)
{
    reset();
    memset(page, 'n', FSIF_PAGE_SIZE);
    ck_assert_int_eq(take_list(1), FSIF_POISON_LISTING); /* no NUL */
    page[256] = '\0';
    ck_assert_int_eq(take_list(1), FSIF_POISON_LISTING); /* 256 bytes */
    page[255] = '\0';
    ck_assert_int_eq(take_list(1), FSIF_POISON_NONE);
    ck_assert_int_eq(take_list(2), FSIF_POISON_LISTING); /* an empty name follows */
    memcpy(page, "a/b", 4);
    ck_assert_int_eq(take_list(1), FSIF_POISON_LISTING);
    memcpy(page, "/", 2);
    ck_assert_int_eq(take_list(1), FSIF_POISON_LISTING);
    memcpy(page, "a\0../b", 7);
    ck_assert_int_eq(take_list(1), FSIF_POISON_NONE);
    ck_assert_int_eq(take_list(2), FSIF_POISON_LISTING);
    memcpy(page, "\0a", 3);
    ck_assert_int_eq(take_list(1), FSIF_POISON_LISTING);
    ck_assert_uint_eq(result.used, 0);
    /* The last name runs to the end of the page and has no NUL. */
    memset(page, 'n', FSIF_PAGE_SIZE);
    for (unsigned i = 255; i < FSIF_PAGE_SIZE - 1; i += 256)
        page[i] = '\0';
    ck_assert_int_eq(take_list(15), FSIF_POISON_NONE);
    ck_assert_int_eq(take_list(16), FSIF_POISON_LISTING);
}
END_TEST

static enum fsif_poison take_stat(struct fsif_wire1_attr attr)
{
    memcpy(page, &attr, sizeof(attr));
    op.type = FSIF_OP_STAT;
    return take(0, 0);
}

START_TEST(attributes)
{
    static const uint32_t types[] = {FSIF_S_IFREG,  FSIF_S_IFDIR, FSIF_S_IFLNK, FSIF_S_IFIFO,
                                     FSIF_S_IFSOCK, FSIF_S_IFCHR, FSIF_S_IFBLK};
    struct fsif_attr in = {.mode = FSIF_S_IFREG | 0640,
                           .uid = 1,
                           .gid = UINT32_MAX,
                           .size = 7,
                           .atime = -1,
                           .mtime = INT64_MAX,
                           .ctime = INT64_MIN};

    reset();
    ck_assert_uint_eq(fsi_codec_encode_attr(D, &in, page), 48);
    op.type = FSIF_OP_STAT;
    ck_assert_int_eq(take(0, 0), FSIF_POISON_NONE);
    ck_assert_mem_eq(&result.attr, &in, sizeof(in));
    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
        ck_assert_int_eq(take_stat((struct fsif_wire1_attr){.mode = (int32_t)types[i] | 07777}),
                         FSIF_POISON_NONE);
        ck_assert_uint_eq(result.attr.mode, types[i] | 07777);
    }
    /* An error has no attributes: what lies in the page is not looked at. */
    memset(page, 0xff, FSIF_PAGE_SIZE);
    ck_assert_int_eq(take(0, (uint64_t)-1), FSIF_POISON_NONE);
    ck_assert_uint_eq(result.attr.mode, 0);
}
END_TEST

START_TEST(F6_attributes)
{
    static const int32_t modes[] = {0,       0644,    -1,      0x10000 | 0100644,
                                    0170000, 0110644, 0130644, INT32_MIN};

    reset();
    for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++)
        ck_assert_int_eq(take_stat((struct fsif_wire1_attr){.mode = modes[i]}), FSIF_POISON_ATTR);
    ck_assert_int_eq(take_stat((struct fsif_wire1_attr){.mode = 0100644, .size = -1}),
                     FSIF_POISON_ATTR);
    ck_assert_int_eq(take_stat((struct fsif_wire1_attr){.mode = 0100644, .size = INT64_MIN}),
                     FSIF_POISON_ATTR);
    ck_assert_int_eq(take_stat((struct fsif_wire1_attr){.mode = 0100644, .pad = UINT32_MAX}),
                     FSIF_POISON_NONE);
}
END_TEST

START_TEST(F7_space)
{
    reset();
    op.type = FSIF_OP_SPACE;
    ck_assert_int_eq(take(0, INT64_MAX), FSIF_POISON_NONE);
    ck_assert_int_eq(result.value, INT64_MAX);
    ck_assert_int_eq(take(FSIF_FEATURE_ERRNO, (uint64_t)INT64_MAX + 1), FSIF_POISON_RESULT);
    ck_assert_int_eq(take(FSIF_FEATURE_ERRNO, UINT64_MAX - 5000), FSIF_POISON_RESULT);
    ck_assert_int_eq(take(0, (uint64_t)INT64_MAX + 1), FSIF_POISON_NONE);
    ck_assert_int_eq(result.value, -FSIF_EIO);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("codec");
    TCase *t = tcase_create("codec");

    tcase_add_test(t, check_types);
    tcase_add_test(t, check_lengths);
    tcase_add_test(t, check_listing);
    tcase_add_test(t, check_names);
    tcase_add_test(t, check_two_names);
    tcase_add_test(t, F9_bytes_of_the_page);
    tcase_add_test(t, F9_slot_holds_nothing_else);
    tcase_add_test(t, F3_id);
    tcase_add_test(t, F4_errors);
    tcase_add_test(t, F4_larger_than_asked);
    tcase_add_test(t, F4_zero_and_handles);
    tcase_add_test(t, read_copies_what_came);
    tcase_add_test(t, listing);
    tcase_add_test(t, listing_fills_the_page);
    tcase_add_test(t, F5_return_values);
    tcase_add_test(t, F5_names);
    tcase_add_test(t, attributes);
    tcase_add_test(t, F6_attributes);
    tcase_add_test(t, F7_space);
    suite_add_tcase(s, t);
    return run_suite(s);
}
