/* SPDX-License-Identifier: MIT */
/* Row B28 (log injection and flooding) as far as the log decides it. */
#define _GNU_SOURCE
#include <check.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <fsif/host.h>
#include "suite.h"

static int fds[2];
static struct fsif_log log_;

/* A packet socket keeps each write apart. */
static void setup(void)
{
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fds), 0);
    fsif_log_init(&log_, fds[1], FSIF_LOG_INFO, "test");
}

static void teardown(void)
{
    close(fds[0]);
    close(fds[1]);
}

/* The next line without its newline, or NULL. */
static const char *line(void)
{
    static char text[2048];
    ssize_t n = read(fds[0], text, sizeof(text) - 1);

    if (n <= 0)
        return NULL;
    ck_assert_int_le((int)n, 1024);
    ck_assert_int_eq(text[n - 1], '\n');
    text[n - 1] = '\0';
    ck_assert_ptr_null(strchr(text, '\n'));
    return text;
}

/* What stands after the time. */
static const char *body(void)
{
    const char *l = line();

    ck_assert_ptr_nonnull(l);
    ck_assert_uint_gt(strlen(l), 25);
    ck_assert_int_eq(l[10], 'T');
    ck_assert_int_eq(l[23], 'Z');
    return l + 25;
}

static const char *expect(char *out, size_t size, const char *level, const char *rest)
{
    snprintf(out, size, "%s test[%d] %s", level, (int)getpid(), rest);
    return out;
}

START_TEST(form)
{
    char want[256];

    fsif_log_event(&log_, FSIF_LOG_INFO, "started", "address", "shm:/x", "who", "a b", "n", "",
                   (const char *)NULL);
    ck_assert_str_eq(body(), expect(want, sizeof(want), "info",
                                    "event=started address=shm:/x who=\"a b\" n=\"\""));
    fsif_log_event(&log_, FSIF_LOG_ERROR, "bare", (const char *)NULL);
    ck_assert_str_eq(body(), expect(want, sizeof(want), "error", "event=bare"));
    fsif_log_event(&log_, FSIF_LOG_WARNING, "null", "key", (const char *)NULL, (const char *)NULL);
    ck_assert_str_eq(body(), expect(want, sizeof(want), "warning", "event=null key=\"\""));
    fsif_log_event(&log_, FSIF_LOG_DEBUG, "hidden", (const char *)NULL);
    ck_assert_ptr_null(line());
}
END_TEST

START_TEST(B28_no_value_forges_a_line_or_a_key)
{
    char all[256];
    const char *l;

    fsif_log_event(&log_, FSIF_LOG_INFO, "e", "name", "x\nforged event=login uid=0\"\\\t",
                   (const char *)NULL);
    l = body();
    ck_assert_ptr_nonnull(
        strstr(l, "name=\"x\\x0aforged event\\x3dlogin uid\\x3d0\\x22\\x5c\\x09\""));

    for (int i = 1; i < 256; i++)
        all[i - 1] = (char)i;
    all[255] = '\0';
    fsif_log_event(&log_, FSIF_LOG_INFO, "e", "name", all, (const char *)NULL);
    l = strstr(body(), " name=") + 6;
    ck_assert_int_eq(l[0], '"');
    for (const char *c = l + 1; c[1]; c++)
        ck_assert(*c >= 0x20 && *c <= 0x7e && *c != '"' && *c != '=');
    ck_assert_int_eq(l[strlen(l) - 1], '"');
}
END_TEST

START_TEST(long_values_are_cut)
{
    char text[3000];
    const char *l;

    memset(text, '\x01', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    fsif_log_event(&log_, FSIF_LOG_INFO, "e", "a", text, "b", "lost", (const char *)NULL);
    l = body();
    ck_assert_ptr_nonnull(strstr(l, "\\x01...\" truncated=1"));
    ck_assert_ptr_null(strstr(l, "lost"));
    fsif_log_event(&log_, FSIF_LOG_INFO, "e", "a", text, (const char *)NULL);
    l = body();
    ck_assert_str_eq(l + strlen(l) - 8, "\\x01...\"");
}
END_TEST

START_TEST(escape_sizes)
{
    static const char *const texts[] = {"", "plain", "a b", "\n", "=\\\"=", "ends in nl\n"};
    char out[64];

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        size_t full = fsif_escape(out, sizeof(out), texts[i], strlen(texts[i]));

        ck_assert_uint_eq(full, strlen(out));
        for (size_t size = 0; size <= full + 1; size++) {
            size_t n;

            memset(out, '#', sizeof(out));
            n = fsif_escape(out, size, texts[i], strlen(texts[i]));
            if (size == 0) {
                ck_assert_int_eq(out[0], '#');
                continue;
            }
            ck_assert_uint_lt(n, size);
            ck_assert_uint_eq(strlen(out), n);
            ck_assert_int_eq(out[size], '#');
            if (size == full + 1)
                ck_assert_uint_eq(n, full);
            else if (size > 6)
                ck_assert_ptr_nonnull(strstr(out, "..."));
        }
    }
    ck_assert_uint_eq(fsif_escape(out, sizeof(out), "a\0b", 3), 8);
    ck_assert_str_eq(out, "\"a\\x00b\"");
}
END_TEST

START_TEST(B28_flooding_is_limited)
{
    char want[256];

    for (int i = 0; i < 100; i++)
        fsif_log_limited(&log_, FSIF_LOG_INFO, "flood", (const char *)NULL);
    for (int i = 0; i < 20; i++)
        ck_assert_str_eq(body(), expect(want, sizeof(want), "info", "event=flood"));
    ck_assert_ptr_null(line());

    /* Ten seconds later */
    log_.window_ -= 10000;
    fsif_log_limited(&log_, FSIF_LOG_INFO, "flood", "k", "v", (const char *)NULL);
    ck_assert_str_eq(body(), expect(want, sizeof(want), "info", "event=flood dropped=80 k=v"));
    fsif_log_limited(&log_, FSIF_LOG_INFO, "flood", (const char *)NULL);
    ck_assert_str_eq(body(), expect(want, sizeof(want), "info", "event=flood"));
}
END_TEST

START_TEST(unlimited_lines_pass)
{
    char want[256];

    for (int i = 0; i < 25; i++)
        fsif_log_limited(&log_, FSIF_LOG_INFO, "flood", (const char *)NULL);
    for (int i = 0; i < 20; i++)
        ck_assert_ptr_nonnull(line());
    fsif_log_event(&log_, FSIF_LOG_INFO, "own", (const char *)NULL);
    ck_assert_str_eq(body(), expect(want, sizeof(want), "info", "event=own dropped=5"));
    /* A line below the level costs nothing of the limit. */
    log_.window_ -= 10000;
    for (int i = 0; i < 25; i++)
        fsif_log_limited(&log_, FSIF_LOG_DEBUG, "quiet", (const char *)NULL);
    fsif_log_limited(&log_, FSIF_LOG_INFO, "flood", (const char *)NULL);
    ck_assert_str_eq(body(), expect(want, sizeof(want), "info", "event=flood"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("host_log");
    TCase *t = tcase_create("all");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, form);
    tcase_add_test(t, B28_no_value_forges_a_line_or_a_key);
    tcase_add_test(t, long_values_are_cut);
    tcase_add_test(t, escape_sizes);
    tcase_add_test(t, B28_flooding_is_limited);
    tcase_add_test(t, unlimited_lines_pass);
    suite_add_tcase(suite, t);
    return run_suite(suite);
}
