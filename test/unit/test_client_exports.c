/* SPDX-License-Identifier: MIT */
/* The client's list of exports, from answers of a backend that is not to be trusted. */
#include <check.h>
#include <fsif/client.h>
#include <fsif/dict.h>
#include <stdlib.h>
#include <string.h>
#include "suite.h"

/* What the transport answers: -FSIF_E*, or 0 and this text. */
static int error;
static const char *text;

static int offer(struct fsif_session *s, const struct fsif_dict *asked, struct fsif_dict *answer,
                 int timeout_ms)
{
    (void)s;
    (void)asked;
    (void)timeout_ms;
    return error ? error : fsif_dict_parse(answer, text, strlen(text));
}

static void no_close(struct fsif_session *s)
{
    (void)s;
}

static const struct fsif_transport fake = {
    .size = sizeof(fake),
    .abi = FSIF_TRANSPORT_ABI,
    .name = "fake",
    .session_offer = offer,
    .close = no_close,
};

static int exports(int with_error, const char *answer)
{
    struct fsif_client_options o;
    struct fsif_export_info *list;
    int ret;

    error = with_error;
    text = answer;
    fsif_client_options_init(&o);
    o.transport = &fake;
    o.session = (struct fsif_session *)(void *)&error;
    ret = fsif_exports(NULL, &o, &list);
    free(list);
    return ret;
}

START_TEST(pages)
{
    ck_assert_int_eq(exports(0, "status=0\nmore=0\n"), 0);
    ck_assert_int_eq(exports(0, "status=0\nexport-0=a rw\nexport-1=b ro\nmore=0\n"), 2);
    ck_assert_int_eq(exports(0, "export-1=b ro\nexport-0=a rw\nstatus=0\n"), 2);
}
END_TEST

START_TEST(gaps)
{
    static const char *const bad[] = {
        "status=0\nexport-0=a rw\nexport-2=c rw\nmore=0\n",
        "status=0\nexport-1=a rw\nmore=0\n",
        "status=0\nexport-0=a rw\nexport-00=b rw\nmore=0\n",
        "status=0\nexport-0=a rw\nexport-x=b rw\nmore=0\n",
        "status=0\nexport-0=a rw\nexport-=b rw\nmore=0\n",
        "status=0\nmore=1\n",
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_int_eq(exports(0, bad[i]), -FSIF_EPROTO);
}
END_TEST

START_TEST(errors)
{
    /* Connected, and there is no list: no exports. */
    ck_assert_int_eq(exports(-FSIF_ENOENT, NULL), 0);
    ck_assert_int_eq(exports(-FSIF_EPIPE, NULL), -FSIF_ECONNREFUSED);
    ck_assert_int_eq(exports(-FSIF_EACCES, NULL), -FSIF_EACCES);
    ck_assert_int_eq(exports(0, "status=11\n"), -FSIF_EAGAIN);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("client_exports");
    TCase *t = tcase_create("all");

    tcase_add_test(t, pages);
    tcase_add_test(t, gaps);
    tcase_add_test(t, errors);
    suite_add_tcase(s, t);
    return run_suite(s);
}
