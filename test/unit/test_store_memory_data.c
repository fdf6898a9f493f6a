/* SPDX-License-Identifier: MIT */

/* The memory store: data and holes. */

#include <stdlib.h>
#include <string.h>
#include "store_memory_fixture.h"

/* Every byte of a file against a plain array, through writes and truncations at random places. */
START_TEST(data)
{
    enum { SPAN = 5 * 4096 * 512 }; /* beyond one level of pointers */
    unsigned char *model = calloc(1, SPAN), *now = malloc(SPAN), piece[9000];
    uint64_t f, size = 0;

    srand(1);
    ck_assert_int_eq(open_at("f", NEW, 0644, &f), 0);
    for (int i = 0; i < 600; i++) {
        uint64_t at = (uint64_t)rand() % (SPAN - sizeof(piece));
        uint32_t n = (uint32_t)rand() % (uint32_t)sizeof(piece) + 1;
        if (i % 5 == 4) {
            ck_assert_int_eq(truncate_to(f, at), 0);
            if (at < size)
                memset(model + at, 0, size - at);
            size = at;
            continue;
        }
        memset(piece, 1 + i % 255, n);
        ck_assert_int_eq(OPS->write(store, f, piece, n, at, 0), n);
        memcpy(model + at, piece, n);
        size = at + n > size ? at + n : size;
    }
    ck_assert_int_eq(OPS->read(store, f, now, SPAN, 0), (int64_t)size);
    ck_assert_int_eq(memcmp(now, model, size), 0);
    ck_assert_int_eq(truncate_to(f, 0), 0);
    ck_assert_int_eq(space(), 64 << 20);
    OPS->close(store, f);
    free(model);
    free(now);
}
END_TEST

START_TEST(huge_and_sparse)
{
    const uint64_t max = UINT64_C(1) << 48;
    char buf[8] = "data";
    struct fsif_attr attr;
    uint64_t f;

    ck_assert_int_eq(open_at("f", NEW, 0644, &f), 0);
    ck_assert_int_eq(truncate_to(f, max), 0);
    ck_assert_int_eq(truncate_to(f, max + 1), -FSIF_EFBIG);
    ck_assert_int_eq(truncate_to(f, UINT64_MAX), -FSIF_EINVAL);
    ck_assert_int_eq(OPS->write(store, f, buf, 1, max, 0), -FSIF_EFBIG);
    ck_assert_int_eq(OPS->write(store, f, buf, 4, max - 2, 0), 2);
    ck_assert_int_eq(OPS->read(store, f, buf, 8, max - 4), 4);
    ck_assert_int_eq(memcmp(buf, "\0\0da", 4), 0);
    ck_assert_int_eq(OPS->stat(store, f, "", 0, &attr), 0);
    ck_assert_uint_eq(attr.size, max);
    ck_assert_int_gt(space(), (64 << 20) - 6 * 4096);
    ck_assert_int_eq(truncate_to(f, 1), 0);
    ck_assert_int_eq(space(), 64 << 20);
    OPS->close(store, f);
}
END_TEST

START_TEST(appending)
{
    uint64_t f, g;
    char buf[16];

    f = opened("f", NEW | FSIF_O_APPEND);
    g = opened("f", FSIF_O_RDWR);
    ck_assert_int_eq(put(f, "one", 0), 3);
    ck_assert_int_eq(put(g, "two", FSIF_STORE_END), 3);
    ck_assert_int_eq(put(f, "three", 1), 5);
    ck_assert_int_eq(put(g, "O", 0), 1);
    ck_assert_int_eq(OPS->read(store, g, buf, sizeof(buf), 0), 11);
    ck_assert_int_eq(memcmp(buf, "Onetwothree", 11), 0);
    ck_fails(OPS->write(store, g, buf, 1, UINT64_MAX - 1, 0), FSIF_EINVAL);
    ck_fails(OPS->read(store, g, buf, 1, UINT64_MAX), FSIF_EINVAL);
    ck_ok(OPS->sync(store, f, 0));
    ck_ok(OPS->sync(store, f, FSIF_SYNC_DATA | FSIF_SYNC_FS));
    ck_fails(OPS->sync(store, f, 8), FSIF_EINVAL);
}
END_TEST

START_TEST(seeking)
{
    const uint64_t far = UINT64_C(5) << 30;
    uint64_t f = opened("f", NEW);

    ck_fails(OPS->seek(store, f, 0, FSIF_SEEK_DATA), FSIF_ENXIO);
    ck_fails(OPS->seek(store, f, 0, FSIF_SEEK_HOLE), FSIF_ENXIO);
    ck_ok(truncate_to(f, far));
    ck_fails(OPS->seek(store, f, 0, FSIF_SEEK_DATA), FSIF_ENXIO);
    ck_ok(OPS->seek(store, f, 0, FSIF_SEEK_HOLE));
    ck_assert_int_eq(put(f, "x", 3 << 20 | 5), 1);
    ck_assert_int_eq(put(f, "x", (3 << 20) + 4096), 1);
    ck_assert_int_eq(OPS->seek(store, f, 0, FSIF_SEEK_DATA), 3 << 20);
    ck_assert_int_eq(OPS->seek(store, f, 3 << 20 | 17, FSIF_SEEK_DATA), 3 << 20 | 17);
    ck_assert_int_eq(OPS->seek(store, f, 3 << 20 | 17, FSIF_SEEK_HOLE), (3 << 20) + 8192);
    ck_assert_int_eq(OPS->seek(store, f, 100, FSIF_SEEK_HOLE), 100);
    ck_fails(OPS->seek(store, f, (3 << 20) + 8192, FSIF_SEEK_DATA), FSIF_ENXIO);
    ck_fails(OPS->seek(store, f, far, FSIF_SEEK_HOLE), FSIF_ENXIO);
    ck_fails(OPS->seek(store, f, 0, 2), FSIF_EINVAL);
    ck_ok(truncate_to(f, (3 << 20) + 4097));
    ck_assert_int_eq(OPS->seek(store, f, 3 << 20, FSIF_SEEK_HOLE), (3 << 20) + 4097);
    ck_fails(OPS->seek(store, opened(".", 0), 0, FSIF_SEEK_HOLE), FSIF_EINVAL);
    ck_assert_uint_eq(attr_of(f).blocks, 16);
}
END_TEST

START_TEST(allocating)
{
    const uint32_t keep = FSIF_ALLOCATE_KEEP_SIZE, zero = FSIF_ALLOCATE_ZERO;
    const uint32_t punch = FSIF_ALLOCATE_PUNCH | keep;
    uint64_t f = opened("f", NEW);
    char buf[6];

    ck_ok(OPS->allocate(store, f, 0, 100, 8192));
    ck_assert_uint_eq(attr_of(f).size, 8292);
    ck_assert_uint_eq(attr_of(f).blocks, 24);
    ck_ok(OPS->allocate(store, f, keep, 100, 1 << 20));
    ck_assert_uint_eq(attr_of(f).size, 8292);
    ck_assert_uint_eq(attr_of(f).blocks, 257 * 8);
    ck_assert_int_eq(put(f, "abcdefgh", 4092), 8);
    ck_ok(OPS->allocate(store, f, punch, 4094, 4));
    ck_assert_int_eq(OPS->read(store, f, buf, 6, 4092), 6);
    ck_assert_int_eq(memcmp(buf, "ab\0\0\0\0", 6), 0);
    ck_assert_uint_eq(attr_of(f).blocks, 257 * 8);
    ck_ok(OPS->allocate(store, f, punch, 4096, UINT64_C(1) << 40));
    ck_assert_uint_eq(attr_of(f).blocks, 8);
    ck_assert_uint_eq(attr_of(f).size, 8292);
    ck_ok(OPS->allocate(store, f, zero | keep, 4093, 10));
    ck_assert_int_eq(OPS->read(store, f, buf, 2, 4092), 2);
    ck_assert_int_eq(memcmp(buf, "a\0", 2), 0);
    ck_assert_uint_eq(attr_of(f).blocks, 16);
    ck_ok(OPS->allocate(store, f, zero, 8000, 1000));
    ck_assert_uint_eq(attr_of(f).size, 9000);
    ck_ok(OPS->allocate(store, f, punch, 0, 1 << 20));
    ck_assert_int_eq(space(), 64 << 20);
}
END_TEST

START_TEST(not_allocating)
{
    uint64_t f, g, d;

    restart(&(struct fsif_store_config){.max_bytes = 16 * 4096});
    f = opened("f", NEW);
    g = opened("f", 0);
    d = opened(".", 0);
    ck_fails(OPS->allocate(store, f, 0, 0, 0), FSIF_EINVAL);
    ck_fails(OPS->allocate(store, f, 0, UINT64_MAX, 1), FSIF_EINVAL);
    ck_fails(OPS->allocate(store, f, 0, 1, UINT64_MAX), FSIF_EINVAL);
    ck_fails(OPS->allocate(store, f, 0, INT64_MAX, INT64_MAX), FSIF_EFBIG);
    ck_fails(OPS->allocate(store, f, FSIF_ALLOCATE_PUNCH, 0, 1), FSIF_EINVAL);
    ck_fails(OPS->allocate(store, f, 7, 0, 1), FSIF_EINVAL);
    ck_fails(OPS->allocate(store, f, 8, 0, 1), FSIF_EINVAL);
    ck_fails(OPS->allocate(store, g, 0, 0, 1), FSIF_EBADF);
    ck_fails(OPS->allocate(store, d, 0, 0, 1), FSIF_EBADF);
    ck_fails(OPS->allocate(store, 77, 0, 0, 1), FSIF_EBADF);
    /* What does not fit takes no room from others. */
    ck_fails(OPS->allocate(store, f, 0, 0, 17 * 4096), FSIF_ENOSPC);
    ck_fails(OPS->allocate(store, f, 0, 0, UINT64_C(1) << 47), FSIF_ENOSPC);
    ck_assert_int_eq(space(), 16 * 4096);
    ck_assert_uint_eq(attr_of(f).size, 0);
    ck_ok(OPS->allocate(store, f, 0, 0, 15 * 4096));
    ck_assert_int_eq(space(), 0);
}
END_TEST

/* Data, holes and punches at random places, against a plain array. */
START_TEST(punched)
{
    enum { SPAN = 3 * 4096 * 512, PIECE = 20000 };
    const uint32_t punch = FSIF_ALLOCATE_PUNCH | FSIF_ALLOCATE_KEEP_SIZE;
    unsigned char *model = calloc(1, SPAN), *now = malloc(SPAN), piece[PIECE];
    uint64_t f = opened("f", NEW);

    srand(2);
    ck_ok(truncate_to(f, SPAN));
    for (int i = 0; i < 1000; i++) {
        uint64_t at = (uint64_t)rand() % (SPAN - PIECE);
        uint32_t n = (uint32_t)rand() % PIECE + 1;
        int kind = rand() % 4;

        memset(piece, kind == 0 ? 1 + i % 255 : 0, n);
        memcpy(model + at, piece, n);
        if (kind == 0)
            ck_assert_int_eq(OPS->write(store, f, piece, n, at, 0), n);
        else
            ck_ok(OPS->allocate(store, f, kind == 1 ? FSIF_ALLOCATE_ZERO : punch, at, n));
    }
    ck_assert_int_eq(OPS->read(store, f, now, SPAN, 0), SPAN);
    ck_assert_int_eq(memcmp(now, model, SPAN), 0);
    /* What is told to be a hole is one, and data and holes are all there is. */
    for (uint64_t at = 0; at < SPAN;) {
        int64_t found = OPS->seek(store, f, at, FSIF_SEEK_DATA);
        uint64_t end = found < 0 ? SPAN : (uint64_t)found;
        while (at < end && model[at] == 0)
            at++;
        ck_assert_uint_eq(at, end);
        if (found >= 0)
            at = (uint64_t)OPS->seek(store, f, at, FSIF_SEEK_HOLE);
    }
    ck_ok(OPS->allocate(store, f, punch, 0, SPAN));
    ck_assert_int_eq(space(), 64 << 20);
    free(model);
    free(now);
}
END_TEST

START_TEST(copying)
{
    uint64_t f = opened("f", NEW), g = opened("g", NEW), r = opened("f", 0);
    uint64_t a = opened("g", FSIF_O_WRONLY | FSIF_O_APPEND), d = opened(".", 0);
    char buf[16];

    ck_assert_int_eq(put(f, "0123456789", 0), 10);
    ck_assert_int_eq(OPS->copy_range(store, r, 2, g, 1, 5), 5);
    ck_assert_int_eq(OPS->copy_range(store, r, 8, g, 6, 100), 2);
    ck_assert_int_eq(OPS->read(store, g, buf, sizeof(buf), 0), 8);
    ck_assert_int_eq(memcmp(buf,
                            "\000"
                            "2345689",
                            8),
                     0);
    ck_ok(OPS->copy_range(store, f, 10, g, 0, 5));
    ck_ok(OPS->copy_range(store, f, 0, g, 0, 0));
    ck_assert_int_eq(OPS->copy_range(store, f, 0, f, 10, 10), 10);
    ck_fails(OPS->copy_range(store, f, 0, f, 9, 10), FSIF_EINVAL);
    ck_fails(OPS->copy_range(store, f, 9, r, 0, 10), FSIF_EBADF);
    ck_fails(OPS->copy_range(store, a, 0, f, 0, 1), FSIF_EBADF);
    ck_fails(OPS->copy_range(store, f, 0, a, 0, 1), FSIF_EBADF);
    ck_fails(OPS->copy_range(store, d, 0, f, 0, 1), FSIF_EISDIR);
    ck_fails(OPS->copy_range(store, f, 0, d, 0, 1), FSIF_EISDIR);
    ck_fails(OPS->copy_range(store, f, 0, 99, 0, 1), FSIF_EBADF);
    ck_fails(OPS->copy_range(store, f, 1, g, 0, UINT64_MAX), FSIF_EINVAL);
    ck_fails(OPS->copy_range(store, f, 0, g, INT64_MAX, 1), FSIF_EOVERFLOW);
    ck_fails(OPS->copy_range(store, f, UINT64_MAX, g, 0, 1), FSIF_EINVAL);
    ck_fails(OPS->copy_range(store, f, 0, g, UINT64_C(1) << 48, 1), FSIF_EFBIG);
}
END_TEST

/* Holes stay holes, and over data they become holes again. */
START_TEST(copying_holes)
{
    uint64_t f = opened("f", NEW), g = opened("g", NEW), at = 0;
    char buf[4];
    int64_t n;

    ck_ok(truncate_to(f, 40 << 20));
    ck_assert_int_eq(put(f, "here", 20 << 20), 4);
    ck_ok(OPS->allocate(store, g, 0, 0, 10 << 20));
    while ((n = OPS->copy_range(store, f, at, g, at, 40 << 20)) > 0)
        at += (uint64_t)n;
    ck_assert_int_eq(n, 0);
    ck_assert_uint_eq(at, 40 << 20);
    ck_assert_uint_eq(attr_of(g).size, 40 << 20);
    ck_assert_uint_le(attr_of(g).blocks, 8 * 8);
    ck_assert_int_eq(OPS->read(store, g, buf, 4, 20 << 20), 4);
    ck_assert_int_eq(memcmp(buf, "here", 4), 0);
}
END_TEST

void add_data(TCase *c)
{
    tcase_add_test(c, data);
    tcase_add_test(c, huge_and_sparse);
    tcase_add_test(c, appending);
    tcase_add_test(c, seeking);
    tcase_add_test(c, allocating);
    tcase_add_test(c, not_allocating);
    tcase_add_test(c, punched);
    tcase_add_test(c, copying);
    tcase_add_test(c, copying_holes);
}
