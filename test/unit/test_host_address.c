/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <string.h>
#include <fsif/host.h>
#include "suite.h"

START_TEST(splits)
{
    char name[32];
    const char *rest;

    ck_assert_int_eq(fsif_address_split("shm:/run/fsif.sock", name, &rest), 0);
    ck_assert_str_eq(name, "shm");
    ck_assert_str_eq(rest, "/run/fsif.sock");
    ck_assert_int_eq(fsif_address_split("x-9:a:b", name, &rest), 0);
    ck_assert_str_eq(name, "x-9");
    ck_assert_str_eq(rest, "a:b");
    ck_assert_int_eq(fsif_address_split("abcdefghijklmnopqrstuvwxyz01234:r", name, &rest), 0);
    ck_assert_uint_eq(strlen(name), 31);
}
END_TEST

START_TEST(refuses)
{
    static const char *const bad[] = {
        "",
        "shm",
        ":",
        ":rest",
        "shm:",
        "SHM:/x",
        "s m:/x",
        "s_m:/x",
        "../x:/y",
        "a/b:c",
        "abcdefghijklmnopqrstuvwxyz012345:rest",
    };
    char name[32];
    const char *rest;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_int_eq(fsif_address_split(bad[i], name, &rest), -FSIF_EINVAL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("host_address");
    TCase *t = tcase_create("all");

    tcase_add_test(t, splits);
    tcase_add_test(t, refuses);
    suite_add_tcase(suite, t);
    return run_suite(suite);
}
