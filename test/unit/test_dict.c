/* SPDX-License-Identifier: MIT */
/* Row B18 (hostile negotiation keys) as far as the dictionary decides it. */
#include <check.h>
#include <string.h>
#include <fsif/dict.h>
#include <fsif/error.h>
#include "suite.h"

static struct fsif_dict d;

static int parse(const char *text)
{
    return fsif_dict_parse(&d, text, strlen(text));
}

static void rejects(const char *text)
{
    ck_assert_int_eq(parse(text), -FSIF_EINVAL);
    ck_assert_uint_eq(d.used, 0);
}

START_TEST(put_and_get)
{
    char buf[FSIF_DICT_VALUE_MAX + 1];

    fsif_dict_init(&d);
    ck_assert_int_eq(fsif_dict_put(&d, "export", "data"), 0);
    ck_assert_int_eq(fsif_dict_put(&d, "empty", ""), 0);
    ck_assert_int_eq(fsif_dict_put(&d, "text", "a=b ~"), 0);
    ck_assert_int_eq(fsif_dict_put_u32(&d, "zero", 0), 0);
    ck_assert_int_eq(fsif_dict_put_u32(&d, "most", UINT32_MAX), 0);
    ck_assert_int_eq(fsif_dict_put(&d, "export", "other"), -FSIF_EEXIST);
    ck_assert_int_eq(
        memcmp(d.text, "export=data\nempty=\ntext=a=b ~\nzero=0\nmost=4294967295\n", d.used), 0);

    ck_assert_int_eq(fsif_dict_get(&d, "export", buf, sizeof(buf)), 4);
    ck_assert_str_eq(buf, "data");
    ck_assert_int_eq(fsif_dict_get(&d, "text", buf, 6), 5);
    ck_assert_str_eq(buf, "a=b ~");
    ck_assert_int_eq(fsif_dict_get(&d, "text", buf, 5), -FSIF_ERANGE);
    ck_assert_int_eq(fsif_dict_get(&d, "empty", buf, 1), 0);
    ck_assert_str_eq(buf, "");
    ck_assert_int_eq(fsif_dict_get(&d, "empty", buf, 0), -FSIF_ERANGE);
    ck_assert_int_eq(fsif_dict_get(&d, "expor", buf, sizeof(buf)), -FSIF_ENOENT);
    ck_assert_int_eq(fsif_dict_get(&d, "exports", buf, sizeof(buf)), -FSIF_ENOENT);
    ck_assert_int_eq(fsif_dict_get(&d, "", buf, sizeof(buf)), -FSIF_ENOENT);
}
END_TEST

START_TEST(put_refuses)
{
    char long_key[FSIF_DICT_KEY_MAX + 2], long_value[FSIF_DICT_VALUE_MAX + 2];

    memset(long_key, 'k', sizeof(long_key));
    long_key[FSIF_DICT_KEY_MAX + 1] = '\0';
    memset(long_value, 'v', sizeof(long_value));
    long_value[FSIF_DICT_VALUE_MAX + 1] = '\0';

    fsif_dict_init(&d);
    ck_assert_int_eq(fsif_dict_put(&d, "", "v"), -FSIF_EINVAL);
    ck_assert_int_eq(fsif_dict_put(&d, "K", "v"), -FSIF_EINVAL);
    ck_assert_int_eq(fsif_dict_put(&d, "k k", "v"), -FSIF_EINVAL);
    ck_assert_int_eq(fsif_dict_put(&d, "k{", "v"), -FSIF_EINVAL);
    ck_assert_int_eq(fsif_dict_put(&d, "k=", "v"), -FSIF_EINVAL);
    ck_assert_int_eq(fsif_dict_put(&d, "k", "a\nb"), -FSIF_EINVAL);
    ck_assert_int_eq(fsif_dict_put(&d, "k", "\x1f"), -FSIF_EINVAL);
    ck_assert_int_eq(fsif_dict_put(&d, "k", "\x7f"), -FSIF_EINVAL);
    ck_assert_int_eq(fsif_dict_put(&d, "k", "\xff"), -FSIF_EINVAL);
    ck_assert_int_eq(fsif_dict_put(&d, long_key, "v"), -FSIF_EINVAL);
    ck_assert_int_eq(fsif_dict_put(&d, "k", long_value), -FSIF_EINVAL);
    ck_assert_uint_eq(d.used, 0);
    ck_assert_int_eq(fsif_dict_put(&d, long_key + 1, long_value + 1), 0);
    ck_assert_int_eq(fsif_dict_get(&d, long_key, long_value, sizeof(long_value)), -FSIF_ENOENT);
    ck_assert_int_eq(fsif_dict_put(&d, "az-09", ""), 0);
}
END_TEST

START_TEST(put_until_full)
{
    char value[201], key[8];
    int n = 0, error;

    memset(value, 'v', 200);
    value[200] = '\0';
    fsif_dict_init(&d);
    do {
        key[0] = 'k';
        key[1] = (char)('a' + n);
        key[2] = '\0';
        error = fsif_dict_put(&d, key, value);
        n++;
    } while (!error);
    ck_assert_int_eq(error, -FSIF_ENOSPC);
    ck_assert_uint_eq(d.used, (uint32_t)(n - 1) * 204);
    /* Exactly to the end, and not a byte more. */
    memset(value, 'v', 200);
    value[FSIF_DICT_MAX - d.used - 3] = '\0';
    ck_assert_int_eq(fsif_dict_put(&d, "e", value), 0);
    ck_assert_uint_eq(d.used, FSIF_DICT_MAX);
    ck_assert_int_eq(fsif_dict_put(&d, "f", ""), -FSIF_ENOSPC);
}
END_TEST

START_TEST(parse_good)
{
    struct fsif_dict twin;
    uint32_t n;

    ck_assert_int_eq(parse(""), 0);
    ck_assert_uint_eq(d.used, 0);
    ck_assert_int_eq(fsif_dict_parse(&d, NULL, 0), 0);
    ck_assert_int_eq(parse("a=1\nb-2=x=y\nc=\n"), 0);
    ck_assert_int_eq(fsif_dict_get_u32(&d, "a", 0, 9, &n), 0);
    ck_assert_uint_eq(n, 1);
    ck_assert_int_eq(fsif_dict_parse(&twin, d.text, d.used), 0);
    ck_assert_int_eq(memcmp(&twin, &d, sizeof(d)), 0);
}
END_TEST

START_TEST(B18_syntax)
{
    rejects("a");
    rejects("a=");
    rejects("a=1");
    rejects("\n");
    rejects("=\n");
    rejects("=1\n");
    rejects("a=1\nb");
    rejects("a=1\n\n");
    rejects("A=1\n");
    rejects("a b=1\n");
    rejects("a=\t\n");
    rejects("a=\x80\n");
    rejects("a=1\r\n");
    rejects("a=1\nb=2\na=3\n");
    rejects("a\n=1\n");
    ck_assert_int_eq(fsif_dict_parse(&d, "a=\0\n", 4), -FSIF_EINVAL);
    ck_assert_int_eq(fsif_dict_parse(&d, "a\0=\n", 4), -FSIF_EINVAL);
}
END_TEST

START_TEST(B18_size)
{
    static char text[FSIF_DICT_MAX + 1];
    char key[FSIF_DICT_KEY_MAX + 4];

    memset(text, 'a', sizeof(text));
    ck_assert_int_eq(fsif_dict_parse(&d, text, sizeof(text)), -FSIF_E2BIG);
    ck_assert_uint_eq(d.used, 0);
    ck_assert_int_eq(fsif_dict_parse(&d, text, FSIF_DICT_MAX), -FSIF_EINVAL);

    memset(key, 'k', sizeof(key));
    memcpy(key + FSIF_DICT_KEY_MAX, "=\n", 3);
    ck_assert_int_eq(parse(key), 0);
    memset(key, 'k', sizeof(key));
    memcpy(key + FSIF_DICT_KEY_MAX + 1, "=\n", 3);
    ck_assert_int_eq(parse(key), -FSIF_EINVAL);

    memset(text, 'v', sizeof(text));
    text[0] = 'k';
    text[1] = '=';
    text[2 + FSIF_DICT_VALUE_MAX] = '\n';
    ck_assert_int_eq(fsif_dict_parse(&d, text, 3 + FSIF_DICT_VALUE_MAX), 0);
    text[2 + FSIF_DICT_VALUE_MAX] = 'v';
    text[3 + FSIF_DICT_VALUE_MAX] = '\n';
    ck_assert_int_eq(fsif_dict_parse(&d, text, 4 + FSIF_DICT_VALUE_MAX), -FSIF_EINVAL);
}
END_TEST

static int number(const char *value, uint32_t min, uint32_t max, uint32_t *out)
{
    fsif_dict_init(&d);
    ck_assert_int_eq(fsif_dict_put(&d, "n", value), 0);
    return fsif_dict_get_u32(&d, "n", min, max, out);
}

START_TEST(B18_numbers)
{
    static const char *const bad[] = {"",   "-1", "+1", " 1",  "1 ", "0x1", "1.0",         "01",
                                      "00", "1a", "a",  "1,2", "/",  ":",   "99999999999x"};
    static const char *const big[] = {"4294967296", "4294967300", "42949672950",
                                      "18446744073709551616", "99999999999999999999999999"};
    uint32_t n = 7;

    ck_assert_int_eq(number("0", 0, 0, &n), 0);
    ck_assert_uint_eq(n, 0);
    ck_assert_int_eq(number("4294967295", 0, UINT32_MAX, &n), 0);
    ck_assert_uint_eq(n, UINT32_MAX);
    n = 7;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        ck_assert_int_eq(number(bad[i], 0, UINT32_MAX, &n), -FSIF_EINVAL);
    for (size_t i = 0; i < sizeof(big) / sizeof(*big); i++)
        ck_assert_int_eq(number(big[i], 0, UINT32_MAX, &n), -FSIF_ERANGE);
    ck_assert_int_eq(number("2", 3, 9, &n), -FSIF_ERANGE);
    ck_assert_int_eq(number("10", 3, 9, &n), -FSIF_ERANGE);
    ck_assert_int_eq(fsif_dict_get_u32(&d, "m", 0, 9, &n), -FSIF_ENOENT);
    ck_assert_uint_eq(n, 7);
}
END_TEST

START_TEST(words)
{
    ck_assert_int_eq(parse("w=one two,three\ne=\ns=one\nx=,one \n"), 0);
    ck_assert_int_eq(fsif_dict_has_word(&d, "w", "one"), 1);
    ck_assert_int_eq(fsif_dict_has_word(&d, "w", "two"), 1);
    ck_assert_int_eq(fsif_dict_has_word(&d, "w", "three"), 1);
    ck_assert_int_eq(fsif_dict_has_word(&d, "w", "thre"), 0);
    ck_assert_int_eq(fsif_dict_has_word(&d, "w", "hree"), 0);
    ck_assert_int_eq(fsif_dict_has_word(&d, "w", "one two"), 0);
    ck_assert_int_eq(fsif_dict_has_word(&d, "w", ""), 0);
    ck_assert_int_eq(fsif_dict_has_word(&d, "e", "one"), 0);
    ck_assert_int_eq(fsif_dict_has_word(&d, "e", ""), 0);
    ck_assert_int_eq(fsif_dict_has_word(&d, "s", "one"), 1);
    ck_assert_int_eq(fsif_dict_has_word(&d, "x", "one"), 1);
    ck_assert_int_eq(fsif_dict_has_word(&d, "none", "one"), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("dict");
    TCase *t = tcase_create("dict");

    tcase_add_test(t, put_and_get);
    tcase_add_test(t, put_refuses);
    tcase_add_test(t, put_until_full);
    tcase_add_test(t, parse_good);
    tcase_add_test(t, B18_syntax);
    tcase_add_test(t, B18_size);
    tcase_add_test(t, B18_numbers);
    tcase_add_test(t, words);
    suite_add_tcase(s, t);
    return run_suite(s);
}
