/* SPDX-License-Identifier: MIT */

/* What the program fsif makes of words: modes, sizes, times, owners, paths, names for a terminal.
 */

#define _GNU_SOURCE
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include "cli.h"
#include "suite.h"

_Atomic int cli_interrupted;

START_TEST(modes)
{
    static const struct {
        const char *text;
        uint32_t old;
        int directory;
        int64_t want; /* -1: refused */
    } rows[] = {
        {"0", 0777, 0, 0},
        {"644", 0, 0, 0644},
        {"07777", 0, 0, 07777},
        {"10000", 0, 0, -1},
        {"8", 0, 0, -1},
        {"", 0, 0, -1},
        {" 644", 0, 0, -1},
        {"u+rwx", 0, 0, 0700},
        {"+x", 0644, 0, 0755},
        {"a=r", 0777, 0, 0444},
        {"u=rw,go=r", 0777, 0, 0644},
        {"go-rwx", 0777, 0, 0700},
        {"ug+w-x", 0555, 0, 0665},
        {"u+s", 0755, 0, 04755},
        {"g+s", 0755, 0, 02755},
        {"+t", 0755, 0, 01755},
        {"a+X", 0644, 0, 0644},
        {"a+X", 0644, 1, 0755},
        {"a+X", 0744, 0, 0755},
        {"u", 0, 0, -1},
        {"u+", 0644, 0, 0644},
        {"u+q", 0, 0, -1},
        {"u+r,", 0, 0, -1},
        {",u+r", 0, 0, -1},
        {"u+r go", 0, 0, -1},
    };
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint32_t out = 0;
        int err = mode_parse(rows[i].text, rows[i].old, rows[i].directory, &out);

        ck_assert_msg(rows[i].want < 0 ? err < 0 : err == 0 && out == rows[i].want,
                      "'%s' of %04o: %d %04o", rows[i].text, rows[i].old, err, out);
    }
}
END_TEST

START_TEST(mode_texts)
{
    static const struct {
        uint32_t mode;
        const char *want;
    } rows[] = {
        {FSIF_S_IFREG | 0644, "-rw-r--r--"},  {FSIF_S_IFDIR | 0755, "drwxr-xr-x"},
        {FSIF_S_IFREG | 04755, "-rwsr-xr-x"}, {FSIF_S_IFREG | 04655, "-rwSr-xr-x"},
        {FSIF_S_IFDIR | 02770, "drwxrws---"}, {FSIF_S_IFDIR | 01777, "drwxrwxrwt"},
        {FSIF_S_IFDIR | 01776, "drwxrwxrwT"}, {FSIF_S_IFIFO, "p---------"},
        {FSIF_S_IFLNK | 0777, "lrwxrwxrwx"},  {FSIF_S_IFSOCK, "s---------"},
        {FSIF_S_IFCHR | 0600, "crw-------"},  {FSIF_S_IFBLK | 0600, "brw-------"},
        {FSIF_S_IFREG | 02645, "-rw-r-Sr-x"}, {0170000, "?---------"},
    };
    char out[11];
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        mode_text(rows[i].mode, out);
        ck_assert_str_eq(out, rows[i].want);
    }
}
END_TEST

START_TEST(sizes)
{
    static const struct {
        const char *text;
        int64_t want;
    } rows[] = {
        {"0", 0},
        {"1", 1},
        {"1K", 1024},
        {"3M", 3 << 20},
        {"2G", (int64_t)2 << 30},
        {"1T", (int64_t)1 << 40},
        {"9223372036854775807", INT64_MAX},
        {"9223372036854775808", -1},
        {"8388607T", (int64_t)8388607 << 40},
        {"8388608T", -1},
        {"00000000000000000001", -1},
        {"-1", -1},
        {"+1", -1},
        {"1k", -1},
        {"K", -1},
        {"1KB", -1},
        {"", -1},
        {"0x10", -1},
    };
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t out = 0;
        int err = size_parse(rows[i].text, &out);

        ck_assert_msg(rows[i].want < 0 ? err < 0 : err == 0 && out == (uint64_t)rows[i].want,
                      "'%s'", rows[i].text);
    }
}
END_TEST

/* A point in time; sec INT64_MIN: refused */
struct time_row {
    const char *text;
    int64_t sec;
    uint32_t nsec;
};

static void check_times(const struct time_row *rows, size_t n,
                        int (*parse)(const char *text, struct fsif_timespec *out))
{
    size_t i;

    for (i = 0; i < n; i++) {
        struct fsif_timespec out = {0, 0};
        int err = parse(rows[i].text, &out);

        ck_assert_msg(rows[i].sec == INT64_MIN
                          ? err < 0
                          : err == 0 && out.sec == rows[i].sec && out.nsec == rows[i].nsec,
                      "'%s': %d %lld.%u", rows[i].text, err, (long long)out.sec, out.nsec);
    }
}

START_TEST(dates)
{
    static const struct time_row rows[] = {
        {"now", 0, FSIF_UTIME_NOW},
        {"@0", 0, 0},
        {"@1234567890", 1234567890, 0},
        {"@-1", -1, 0},
        {"@1.5", 1, 500000000},
        {"@1,000000001", 1, 1},
        {"@1.0000000019", 1, 1},
        {"@-1.25", -2, 750000000},
        {"2001-09-09", 999993600, 0},
        {"2001-09-09 01:46", 999999960, 0},
        {"2001-09-09 01:46:40", 1000000000, 0},
        {"2001-09-09T01:46:40.125", 1000000000, 125000000},
        {"2001-09-09 01:46:40Z", 1000000000, 0},
        {"2001-09-09 01:46:40 Z", 1000000000, 0},
        {"2001-09-09 03:46:40+02:00", 1000000000, 0},
        {"2001-09-08 20:16:40 -0530", 1000000000, 0},
        {"2001-09-09 03:46:40 +02", 1000000000, 0},
        {"2000-02-29", 951782400, 0},
        {"1969-12-31 23:59:59Z", -1, 0},
        {"2001-02-29", INT64_MIN, 0},
        {"2001-13-01", INT64_MIN, 0},
        {"2001-00-01", INT64_MIN, 0},
        {"2001-01-32", INT64_MIN, 0},
        {"2001-1-1", INT64_MIN, 0},
        {"2001-01-01 24:00", INT64_MIN, 0},
        {"2001-01-01 00:60", INT64_MIN, 0},
        {"2001-01-01 1:00", INT64_MIN, 0},
        {"2001-01-01 01:00:00.", INT64_MIN, 0},
        {"2001-01-01 01:00 +25", INT64_MIN, 0},
        {"2001-01-01 01:00 +1", INT64_MIN, 0},
        {"2001-01-01 01:00 x", INT64_MIN, 0},
        {"2001-01-01+01", INT64_MIN, 0},
        {"@", INT64_MIN, 0},
        {"@1.", INT64_MIN, 0},
        {"@1x", INT64_MIN, 0},
        {"@1234567890123456789", INT64_MIN, 0},
        {"yesterday", INT64_MIN, 0},
        {"", INT64_MIN, 0},
    };

    check_times(rows, sizeof(rows) / sizeof(rows[0]), date_parse);
}
END_TEST

START_TEST(stamps)
{
    static const struct time_row rows[] = {
        {"200109090146.40", 1000000000, 0}, {"200109090146", 999999960, 0},
        {"0109090146.40", 1000000000, 0},   {"7001010000", 0, 0},
        {"6901010000", -31536000, 0},       {"3701010000", 2114380800, 0},
        {"20010909014", INT64_MIN, 0},      {"2001090901460", INT64_MIN, 0},
        {"200113090146", INT64_MIN, 0},     {"200109320146", INT64_MIN, 0},
        {"200109092460", INT64_MIN, 0},     {"200109090146.4", INT64_MIN, 0},
        {"200109090146.400", INT64_MIN, 0}, {"200109090146.", INT64_MIN, 0},
        {"2001x9090146", INT64_MIN, 0},     {"", INT64_MIN, 0},
    };
    struct fsif_timespec this_year;

    check_times(rows, sizeof(rows) / sizeof(rows[0]), stamp_parse);
    ck_assert_int_eq(stamp_parse("01010000", &this_year), 0);
    ck_assert_int_gt(this_year.sec, 1577836800); /* 2020 */
}
END_TEST

START_TEST(owners)
{
    static const struct {
        const char *text;
        int err;
        uint32_t uid;
        uint32_t gid;
    } rows[] = {
        {"0", 0, 0, UINT32_MAX},
        {"1234:2345", 0, 1234, 2345},
        {":7", 0, UINT32_MAX, 7},
        {"root", 0, 0, UINT32_MAX},
        {"root:root", 0, 0, 0},
        {"root:", 0, 0, 0},
        {":root", 0, UINT32_MAX, 0},
        {"4294967294", 0, UINT32_MAX - 1, UINT32_MAX},
        {"4294967295", -1, 0, 0},
        {"-1", -1, 0, 0},
        {"", -1, 0, 0},
        {":", -1, 0, 0},
        {"12:", -1, 0, 0},
        {"0:no such group", -1, 0, 0},
        {"no such user", -1, 0, 0},
        {"0:0:0", -1, 0, 0},
    };
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint32_t uid;
        uint32_t gid;
        int err = owner_parse(rows[i].text, &uid, &gid);

        ck_assert_msg(err == rows[i].err && (err < 0 || (uid == rows[i].uid && gid == rows[i].gid)),
                      "'%s': %d %u %u", rows[i].text, err, uid, gid);
    }
}
END_TEST

START_TEST(human)
{
    static const struct {
        uint64_t bytes;
        const char *want;
    } rows[] = {
        {0, "0B"},           {1023, "1023B"},      {1024, "1.0K"},
        {1535, "1.4K"},      {10240, "10K"},       {1048575, "1023K"},
        {1 << 20, "1.0M"},   {5ull << 30, "5.0G"}, {7ull << 40, "7.0T"},
        {UINT64_MAX, "15E"},
    };
    char out[16];
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        human_bytes(out, rows[i].bytes);
        ck_assert_str_eq(out, rows[i].want);
    }
}
END_TEST

START_TEST(targets)
{
    static const struct {
        const char *text;
        const char *export_name; /* NULL: refused */
        const char *path;
        int slash;
    } rows[] = {
        {"e:/", "e", "", 1},
        {"e:", "e", "", 1},
        {"e:///", "e", "", 1},
        {"e:/.", "e", "", 1},
        {"e:.", "e", "", 1},
        {"e:./.", "e", "", 1},
        {"e:/a", "e", "a", 0},
        {"e:a", "e", "a", 0},
        {"e://a", "e", "a", 0},
        {"e:/a/", "e", "a", 1},
        {"e:/a/./", "e", "a", 1},
        {"e:/a.", "e", "a.", 0},
        {"e:/a/..", "e", "a/..", 0},
        {"e:/a:b", "e", "a:b", 0},
        {"E-x_1.0:/a/b", "E-x_1.0", "a/b", 0},
        {"", NULL, NULL, 0},
        {"e", NULL, NULL, 0},
        {":/a", NULL, NULL, 0},
        {"-e:/a", NULL, NULL, 0},
        {".e:/a", NULL, NULL, 0},
        {"a/b:/c", NULL, NULL, 0},
        {"a b:/c", NULL, NULL, 0},
    };
    struct cli cli = {.command = NULL};
    size_t i;

    pthread_mutex_init(&cli.report_lock, NULL);
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct target t;
        int status = target_parse(&cli, rows[i].text, &t);

        ck_assert_msg(status == (rows[i].export_name == NULL ? CLI_USAGE : CLI_OK), "'%s'",
                      rows[i].text);
        if (status != CLI_OK)
            continue;
        ck_assert_str_eq(t.export_name, rows[i].export_name);
        ck_assert_msg(strcmp(t.path, rows[i].path) == 0, "'%s': '%s'", rows[i].text, t.path);
        ck_assert_msg(t.slash == rows[i].slash, "'%s'", rows[i].text);
        targets_free(&t, 1);
    }
    pthread_mutex_destroy(&cli.report_lock);
}
END_TEST

START_TEST(paths)
{
    char *joined = path_join("", "a");

    ck_assert_str_eq(joined, "a");
    free(joined);
    joined = path_join("a/b", "c");
    ck_assert_str_eq(joined, "a/b/c");
    ck_assert_str_eq(path_base(joined), "c");
    free(joined);
    ck_assert_str_eq(path_base("x"), "x");
    ck_assert_str_eq(path_base(""), "");
    ck_assert_str_eq(path_wire(""), "/");
    ck_assert_str_eq(path_wire("a"), "a");
}
END_TEST

START_TEST(names_from_a_backend)
{
    char name[FSIF_NAME_MAX + 2];

    memset(name, 'n', sizeof(name));
    name[FSIF_NAME_MAX + 1] = '\0';
    ck_assert(!name_is_safe(name));
    name[FSIF_NAME_MAX] = '\0';
    ck_assert(name_is_safe(name));
    ck_assert(name_is_safe("..."));
    ck_assert(name_is_safe("a..b"));
    ck_assert(name_is_safe("\x1b\xff"));
    ck_assert(!name_is_safe(""));
    ck_assert(!name_is_safe("."));
    ck_assert(!name_is_safe(".."));
    ck_assert(!name_is_safe("/"));
    ck_assert(!name_is_safe("a/b"));
}
END_TEST

START_TEST(escapes)
{
    static const struct {
        const char *name;
        const char *want;
    } rows[] = {
        {"plain name", "plain name"},
        {"\x1b[31m", "\\x1b[31m"},
        {"a\nb\tc\x7f", "a\\x0ab\\x09c\\x7f"},
        {"back\\slash", "back\\\\slash"},
        {"\xc3\xa9", "\xc3\xa9"},
        {"\xe2\x82\xac", "\xe2\x82\xac"},
        {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
        {"\xff\xfe", "\\xff\\xfe"},
        {"\xc3", "\\xc3"},
        {"\xe2\x82", "\\xe2\\x82"},
        {"\xf0\x9f\x98", "\\xf0\\x9f\\x98"},
        {"\xc0\x80", "\\xc0\\x80"},                   /* overlong */
        {"\xe0\x80\x80", "\\xe0\\x80\\x80"},          /* overlong */
        {"\xed\xa0\x80", "\\xed\\xa0\\x80"},          /* a surrogate */
        {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"}, /* beyond Unicode */
        {"\xc2\x9b", "\\xc2\\x9b"},                   /* C1: a control sequence */
        {"\xe2\x80\xae", "\\xe2\\x80\\xae"},          /* turns the text around */
        {"\xe2\x80\xa8", "\\xe2\\x80\\xa8"},          /* a line separator */
        {"\xe2\x81\xa6", "\\xe2\\x81\\xa6"},          /* an isolate */
        {"\xe2\x80\x93", "\xe2\x80\x93"},             /* a dash */
    };
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *s = cli_escaped(rows[i].name);

        ck_assert_str_eq(s, rows[i].want);
        free(s);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("cli_words");
    TCase *t = tcase_create("cli_words");

    setenv("TZ", "UTC", 1);
    tcase_add_test(t, modes);
    tcase_add_test(t, mode_texts);
    tcase_add_test(t, sizes);
    tcase_add_test(t, dates);
    tcase_add_test(t, stamps);
    tcase_add_test(t, owners);
    tcase_add_test(t, human);
    tcase_add_test(t, targets);
    tcase_add_test(t, paths);
    tcase_add_test(t, names_from_a_backend);
    tcase_add_test(t, escapes);
    suite_add_tcase(s, t);
    return run_suite(s);
}
