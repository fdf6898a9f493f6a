/* SPDX-License-Identifier: MIT */

/* Names in pages of entries: what is written is taken, and every octet that is none is found. */

#include <string.h>
#include "codec3.h"
#include "suite.h"

#define FILL 0xa5u

static const struct fsif_op names_only = {.type = FSIF_OP_READDIR, .cookie = 9};
static uint8_t page[1024];

static uint32_t put_entry(const char *name, uint32_t len)
{
    struct fsif_entry e = {
        .name = name, .name_len = len, .cookie = 1, .ino = 2, .type = FSIF_S_IFREG};

    memset(page, FILL, sizeof(page));
    fsi_entry3_put(&e, 0, page);
    return fsi_entry3_size(len, 0);
}

static int is_sound(uint32_t size)
{
    uint64_t last;

    return fsi_entries3_check(page, size, &names_only, &last) == FSIF_POISON_NONE;
}

START_TEST(every_length)
{
    char name[FSIF_NAME_MAX + 1];
    struct fsif_entry e;

    memset(name, 'n', sizeof(name));
    for (uint32_t len = 1; len <= FSIF_NAME_MAX; len++) {
        uint32_t size = put_entry(name, len), at = 0;

        ck_assert_uint_eq(page[size], FILL);
        for (uint32_t i = 24 + len; i < size; i++)
            ck_assert_uint_eq(page[i], 0);
        ck_assert(is_sound(size));
        ck_assert_int_eq(fsif_entry_next(page, size, 0, &at, &e), 1);
        ck_assert_uint_eq(e.name_len, len);
        ck_assert_uint_eq(strlen(e.name), len);
        ck_assert_uint_eq(at, size);
    }
}
END_TEST

START_TEST(every_octet)
{
    char name[FSIF_NAME_MAX + 1];

    for (uint32_t c = 1; c < 256; c++) {
        memset(name, (int)c, sizeof(name));
        ck_assert_int_eq(is_sound(put_entry(name, 1 + c % FSIF_NAME_MAX)), c != '/');
    }
}
END_TEST

START_TEST(every_place)
{
    static const char bad[] = {'/', '\0'};
    char name[FSIF_NAME_MAX + 1];

    memset(name, 0xff, sizeof(name));
    for (uint32_t len = 1; len <= FSIF_NAME_MAX; len++) {
        uint32_t size = put_entry(name, len);

        for (uint32_t i = 0; i < 2 * len; i++) {
            uint8_t *octet = &page[24 + i / 2];

            *octet = (uint8_t)bad[i % 2];
            ck_assert_msg(!is_sound(size), "%u of %u is taken for a name's", i / 2, len);
            *octet = 0xff;
        }
        ck_assert(is_sound(size));
        page[24 + len] = 'x';
        ck_assert_msg(!is_sound(size), "a name of %u without its end is taken", len);
    }
}
END_TEST

START_TEST(no_name)
{
    ck_assert(!is_sound(put_entry("", 0)));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("codec3_entries");
    TCase *tc = tcase_create("codec3_entries");

    tcase_add_test(tc, every_length);
    tcase_add_test(tc, every_octet);
    tcase_add_test(tc, every_place);
    tcase_add_test(tc, no_name);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
