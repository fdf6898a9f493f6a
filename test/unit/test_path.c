/* SPDX-License-Identifier: MIT */
/* Rows B7 (names) as far as the path rules decide them. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <fsif/error.h>
#include <fsif/op.h>
#include <fsif/path.h>
#include "path.h"
#include "suite.h"

static void becomes(const char *in, const char *want)
{
    size_t size = strlen(in) + 1;
    char *path = malloc(size); /* exactly as long: a write behind it shows under ASan */

    ck_assert_ptr_nonnull(path);
    memcpy(path, in, size);
    ck_assert_int_eq(fsif_path_normalize(path, size), (int)strlen(want));
    ck_assert_str_eq(path, want);
    free(path);
}

static void fails(const char *in, int error)
{
    char path[FSIF_PAGE_SIZE] = "";

    memcpy(path, in, strlen(in) + 1);
    ck_assert_int_eq(fsif_path_normalize(path, sizeof(path)), error);
}

START_TEST(plain)
{
    becomes("a", "a");
    becomes("a/b/c", "a/b/c");
    becomes("/a", "a");
    becomes("///a", "a");
    becomes("a//b///c", "a/b/c");
    becomes(" ", " ");
    becomes("...", "...");
    becomes(".a", ".a");
    becomes("a.", "a.");
}
END_TEST

START_TEST(root)
{
    becomes("/", ".");
    becomes("//", ".");
    becomes(".", ".");
    becomes("./", ".");
    becomes("/.", ".");
    becomes("/./", ".");
    becomes("././.", ".");
}
END_TEST

START_TEST(dot_components)
{
    becomes("./a", "a");
    becomes("a/./b", "a/b");
    becomes("/./a/././b", "a/b");
}
END_TEST

START_TEST(trailing_slash)
{
    becomes("a/", "a/");
    becomes("a///", "a/");
    becomes("a/.", "a/");
    becomes("a/./", "a/");
    becomes("a/.//.", "a/");
    becomes("/a/b/", "a/b/");
    becomes("./a/.", "a/");
}
END_TEST

START_TEST(B7_dot_dot)
{
    fails("..", -FSIF_EACCES);
    fails("../", -FSIF_EACCES);
    fails("/..", -FSIF_EACCES);
    fails("a/..", -FSIF_EACCES);
    fails("a/../b", -FSIF_EACCES);
    fails("a//..//b", -FSIF_EACCES);
    fails("./../a", -FSIF_EACCES);
    becomes("a..b", "a..b");
    becomes("..a", "..a");
    becomes("a..", "a..");
    becomes("a/..b/c..", "a/..b/c..");
}
END_TEST

START_TEST(B7_any_byte)
{
    becomes("\x01\x1f\n\t\x7f", "\x01\x1f\n\t\x7f");
    becomes("\x80\xff/\xc3\xa4", "\x80\xff/\xc3\xa4");
    becomes("a\\b", "a\\b");
}
END_TEST

START_TEST(B7_empty)
{
    fails("", -FSIF_ENOENT);
}
END_TEST

START_TEST(B7_no_nul)
{
    char path[8];

    memset(path, 'a', sizeof(path));
    ck_assert_int_eq(fsif_path_normalize(path, sizeof(path)), -FSIF_ENAMETOOLONG);
    ck_assert_int_eq(fsif_path_normalize(path, 1), -FSIF_ENAMETOOLONG);
    path[0] = '\0';
    ck_assert_int_eq(fsif_path_normalize(path, 1), -FSIF_ENOENT);
}
END_TEST

START_TEST(B7_long_component)
{
    char path[FSIF_NAME_MAX + 8];

    memset(path, 'n', sizeof(path));
    path[FSIF_NAME_MAX] = '\0';
    ck_assert_int_eq(fsif_path_normalize(path, sizeof(path)), FSIF_NAME_MAX);
    path[FSIF_NAME_MAX] = 'n';
    path[FSIF_NAME_MAX + 1] = '\0';
    ck_assert_int_eq(fsif_path_normalize(path, sizeof(path)), -FSIF_ENAMETOOLONG);
    path[FSIF_NAME_MAX + 1] = '/';
    path[FSIF_NAME_MAX + 2] = '\0';
    ck_assert_int_eq(fsif_path_normalize(path, sizeof(path)), -FSIF_ENAMETOOLONG);
    path[FSIF_NAME_MAX] = '/';
    path[FSIF_NAME_MAX + 1] = 'n';
    ck_assert_int_eq(fsif_path_normalize(path, sizeof(path)), FSIF_NAME_MAX + 2);
}
END_TEST

START_TEST(longest_path)
{
    char path[FSIF_PAGE_SIZE];

    for (size_t i = 0; i < FSIF_PATH_MAX; i++)
        path[i] = i % 2 ? '/' : 'p';
    path[FSIF_PATH_MAX] = '\0';
    ck_assert_int_eq(fsif_path_normalize(path, sizeof(path)), FSIF_PATH_MAX);
    path[FSIF_PATH_MAX] = '/';
    ck_assert_int_eq(fsif_path_normalize(path, sizeof(path)), -FSIF_ENAMETOOLONG);
}
END_TEST

/* Normalising twice changes nothing, and whatever comes out obeys the stores' rules. */
START_TEST(every_short_path)
{
    static const char bytes[] = {'.', '/', 'a'};

    for (unsigned n = 0; n < 3 * 3 * 3 * 3 * 3 * 3 * 3; n++) {
        char path[9] = "", again[9];
        unsigned rest = n;
        int len;

        for (int i = 0; i < 7; i++, rest /= 3)
            path[i] = bytes[rest % 3];
        len = fsif_path_normalize(path, sizeof(path));
        if (len < 0) {
            ck_assert_int_eq(len, -FSIF_EACCES);
            continue;
        }
        ck_assert_int_eq(len, (int)strlen(path));
        ck_assert_int_ne(path[0], '/');
        ck_assert_ptr_null(strstr(path, "//"));
        ck_assert_int_eq(fsi_path_climbs(path, (size_t)len), 0);
        memcpy(again, path, sizeof(path));
        ck_assert_int_eq(fsif_path_normalize(again, sizeof(again)), len);
        ck_assert_str_eq(again, path);
    }
}
END_TEST

START_TEST(climbs)
{
    ck_assert_int_eq(fsi_path_climbs("..", 2), 1);
    ck_assert_int_eq(fsi_path_climbs("a/..", 4), 1);
    ck_assert_int_eq(fsi_path_climbs("../a", 4), 1);
    ck_assert_int_eq(fsi_path_climbs("//../", 5), 1);
    ck_assert_int_eq(fsi_path_climbs("..a/a../a..a/.", 14), 0);
    ck_assert_int_eq(fsi_path_climbs("", 0), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("path");
    TCase *t = tcase_create("path");

    tcase_add_test(t, plain);
    tcase_add_test(t, root);
    tcase_add_test(t, dot_components);
    tcase_add_test(t, trailing_slash);
    tcase_add_test(t, B7_dot_dot);
    tcase_add_test(t, B7_any_byte);
    tcase_add_test(t, B7_empty);
    tcase_add_test(t, B7_no_nul);
    tcase_add_test(t, B7_long_component);
    tcase_add_test(t, longest_path);
    tcase_add_test(t, every_short_path);
    tcase_add_test(t, climbs);
    suite_add_tcase(s, t);
    return run_suite(s);
}
