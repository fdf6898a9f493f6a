/* SPDX-License-Identifier: MIT */
/* The grant directory of dialect 3: its sizes, what the frontend writes, what the backend reads. */
#include <string.h>
#include <fsif/arena.h>
#include <fsif/directory.h>
#include <fsif/error.h>
#include <fsif/wire.h>
#include "le.h"
#include "suite.h"

START_TEST(writing)
{
    static uint32_t refs[3000], page_refs[3] = {7, 1u << 31, 9};
    static uint8_t pages[3 * FSIF_PAGE_SIZE];

    for (uint32_t i = 0; i < 3000; i++)
        refs[i] = i * 3;
    ck_assert_uint_eq(fsif_area_pages(0, 64, 64), 0);
    ck_assert_uint_eq(fsif_area_pages(17, 64, 64), 0);
    ck_assert_uint_eq(fsif_area_pages(1, 63, 64), 0);
    ck_assert_uint_eq(fsif_area_pages(1, 8, 15), 0);
    ck_assert_uint_eq(fsif_area_pages(1, 8, 64), 65);
    ck_assert_uint_eq(fsif_area_pages(2, 64, 64), 76);
    ck_assert_uint_eq(fsif_directory_pages(1023), 1);
    ck_assert_uint_eq(fsif_directory_pages(1024), 2);
    fsif_directory_write(pages, page_refs, refs, 2500);
    ck_assert_uint_eq(fsi_get32(pages), 1u << 31);
    ck_assert_uint_eq(fsi_get32(pages + 4096), 9);
    ck_assert_uint_eq(fsi_get32(pages + 8192), 0);
    ck_assert_uint_eq(fsi_get32(pages + 4), 0);
    ck_assert_uint_eq(fsi_get32(pages + 4096 + 4), 1023 * 3);
    ck_assert_uint_eq(fsi_get32(pages + 8192 + 4 * (2500 - 2046)), 2499 * 3);
}
END_TEST

#define PER_PAGE FSIF_WIRE3_DIRECTORY_REFS

/* Grefs 10, 11 and 12 are the pages of a directory. */
static uint8_t shared[3][FSIF_PAGE_SIZE];
static uint32_t reads;

static int copy_from(struct fsif_session *s, uint32_t gref, uint32_t off, void *dst, uint32_t len)
{
    (void)s;
    reads++;
    if (gref < 10 || gref > 12)
        return -FSIF_EFAULT;
    ck_assert_uint_le(off, FSIF_PAGE_SIZE);
    ck_assert_uint_le(len, FSIF_PAGE_SIZE - off);
    memcpy(dst, shared[gref - 10] + off, len);
    return 0;
}

static const struct fsif_transport transport = {.size = sizeof(transport), .copy_from = copy_from};

/* The pages are followed in the frontend's order, none more than there are references to read. */
START_TEST(reading)
{
    static const uint32_t pages[3] = {12, 10, 11};
    static const uint32_t counts[] = {1, PER_PAGE - 1, PER_PAGE, PER_PAGE + 1, 3 * PER_PAGE};
    static uint32_t refs[3 * PER_PAGE], out[3 * PER_PAGE + 1];
    static uint8_t written[3][FSIF_PAGE_SIZE];

    for (uint32_t i = 0; i < 3 * PER_PAGE; i++)
        refs[i] = i * 5;
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        uint32_t n = counts[i];

        fsif_directory_write(written, pages, refs, n);
        for (uint32_t p = 0; p < 3; p++)
            memcpy(shared[pages[p] - 10], written[p], FSIF_PAGE_SIZE);
        memset(out, 0xa5, sizeof(out));
        reads = 0;
        ck_assert_int_eq(fsif_directory_read(&transport, NULL, 12, out, n), 0);
        ck_assert_uint_eq(reads, fsif_directory_pages(n));
        ck_assert_int_eq(memcmp(out, refs, n * sizeof(refs[0])), 0);
        ck_assert_uint_eq(out[n], 0xa5a5a5a5);
    }
}
END_TEST

/* A page that leads nowhere ends it, one that leads to itself is read as often as was asked. */
START_TEST(chains)
{
    static uint32_t out[3 * PER_PAGE];

    memset(shared, 0, sizeof(shared));
    fsi_put32(shared[0], 99);
    ck_assert_int_eq(fsif_directory_read(&transport, NULL, 9, out, 1), -FSIF_EFAULT);
    ck_assert_int_eq(fsif_directory_read(&transport, NULL, 10, out, PER_PAGE + 1), -FSIF_EFAULT);
    fsi_put32(shared[0], 10);
    reads = 0;
    ck_assert_int_eq(fsif_directory_read(&transport, NULL, 10, out, 3 * PER_PAGE), 0);
    ck_assert_uint_eq(reads, 3);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("directory");
    TCase *tc = tcase_create("directory");

    tcase_add_test(tc, writing);
    tcase_add_test(tc, reading);
    tcase_add_test(tc, chains);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
