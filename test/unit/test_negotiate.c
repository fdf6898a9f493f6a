/* SPDX-License-Identifier: MIT */
/* Rows B18 (hostile keys) and F12 (values clamped to what was asked). */
#include <check.h>
#include <stdio.h>
#include <string.h>
#include <fsif/negotiate.h>
#include "suite.h"

static const struct fsif_offer session = {
    .kind = FSIF_OFFER_SESSION,
    .export_name = "data",
    .dialects = FSIF_DIALECT_BIT(1),
    .features = FSIF_FEATURE_ERRNO,
    .pages = 65,
    .ring_pages = 1,
    .ring_grefs = {0},
};

static struct fsif_dict d;

static void parse(const char *text)
{
    ck_assert_int_eq(fsif_dict_parse(&d, text, strlen(text)), 0);
}

/* A good offer with the key @key set to @value, or without it if @value is NULL. */
static int read_with(const char *key, const char *value, struct fsif_offer *out)
{
    static const char *const keys[][2] = {
        {"fsif", "1"},         {"request", "session"}, {"export", "data"},  {"dialects", "1"},
        {"features", "errno"}, {"pages", "65"},        {"ring-pages", "1"}, {"ring-ref", "0"},
    };

    fsif_dict_init(&d);
    for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
        if (strcmp(keys[i][0], key) != 0)
            ck_assert_int_eq(fsif_dict_put(&d, keys[i][0], keys[i][1]), 0);
    }
    if (value)
        ck_assert_int_eq(fsif_dict_put(&d, key, value), 0);
    return fsif_offer_read(&d, out);
}

START_TEST(export_names)
{
    char name[FSIF_EXPORT_NAME_MAX + 2];

    ck_assert_int_eq(fsif_export_name_valid("a"), 1);
    ck_assert_int_eq(fsif_export_name_valid("AZaz09._-"), 1);
    ck_assert_int_eq(fsif_export_name_valid("_a"), 1);
    ck_assert_int_eq(fsif_export_name_valid(""), 0);
    ck_assert_int_eq(fsif_export_name_valid(".a"), 0);
    ck_assert_int_eq(fsif_export_name_valid("-a"), 0);
    ck_assert_int_eq(fsif_export_name_valid("a/b"), 0);
    ck_assert_int_eq(fsif_export_name_valid("a b"), 0);
    ck_assert_int_eq(fsif_export_name_valid("a\n"), 0);
    ck_assert_int_eq(fsif_export_name_valid("a@[`{"), 0);
    ck_assert_int_eq(fsif_export_name_valid("\xc3\xa4"), 0);
    memset(name, 'n', sizeof(name));
    name[FSIF_EXPORT_NAME_MAX] = '\0';
    ck_assert_int_eq(fsif_export_name_valid(name), 1);
    name[FSIF_EXPORT_NAME_MAX] = 'n';
    name[FSIF_EXPORT_NAME_MAX + 1] = '\0';
    ck_assert_int_eq(fsif_export_name_valid(name), 0);
}
END_TEST

START_TEST(offer_round_trip)
{
    struct fsif_offer in = session, out;
    const char *want = "fsif=1\nrequest=session\nexport=data\ndialects=1\nfeatures=errno\n"
                       "pages=65\nring-pages=1\nring-ref=0\n";

    ck_assert_int_eq(fsif_offer_write(&in, &d), 0);
    ck_assert_uint_eq(d.used, strlen(want));
    ck_assert_int_eq(memcmp(d.text, want, d.used), 0);
    ck_assert_int_eq(fsif_offer_read(&d, &out), 0);
    ck_assert_uint_eq(out.kind, FSIF_OFFER_SESSION);
    ck_assert_str_eq(out.export_name, "data");
    ck_assert_uint_eq(out.dialects, FSIF_DIALECT_BIT(1));
    ck_assert_uint_eq(out.features, FSIF_FEATURE_ERRNO);
    ck_assert_uint_eq(out.pages, 65);
    ck_assert_uint_eq(out.ring_pages, 1);
    ck_assert_uint_eq(out.ring_grefs[0], 0);

    in.features = 0;
    ck_assert_int_eq(fsif_offer_write(&in, &d), 0);
    ck_assert_int_eq(fsif_offer_read(&d, &out), 0);
    ck_assert_uint_eq(out.features, 0);
}
END_TEST

START_TEST(exports_round_trip)
{
    struct fsif_offer in = {.kind = FSIF_OFFER_EXPORTS}, out;

    ck_assert_int_eq(fsif_offer_write(&in, &d), 0);
    ck_assert_int_eq(fsif_offer_read(&d, &out), 0);
    ck_assert_uint_eq(out.kind, FSIF_OFFER_EXPORTS);
    ck_assert_str_eq(out.export_name, "");
    strcpy(in.export_name, "last");
    ck_assert_int_eq(fsif_offer_write(&in, &d), 0);
    ck_assert_int_eq(fsif_offer_read(&d, &out), 0);
    ck_assert_str_eq(out.export_name, "last");
    parse("fsif=1\nrequest=exports\nexport=\n");
    ck_assert_int_eq(fsif_offer_read(&d, &out), -FSIF_EPROTO);
    strcpy(in.export_name, "../x");
    ck_assert_int_eq(fsif_offer_write(&in, &d), -FSIF_EINVAL);
    parse("fsif=1\nrequest=exports\nexport=../x\n");
    ck_assert_int_eq(fsif_offer_read(&d, &out), -FSIF_EPROTO);
}
END_TEST

/* A ring of several pages, whose grefs follow no order; dialect 2 alone has it. */
START_TEST(long_ring_round_trip)
{
    struct fsif_offer in = session, out;
    const char *want =
        "fsif=1\nrequest=session\nexport=data\ndialects=2\nfeatures=errno\npages=65\n"
        "ring-pages=12\nring-ref-0=4294967295\nring-ref-1=0\nring-ref-2=100\n";

    in.dialects = FSIF_DIALECT_BIT(2);
    in.ring_pages = 12;
    in.ring_grefs[0] = UINT32_MAX;
    in.ring_grefs[2] = 100;
    in.ring_grefs[9] = 7;
    in.ring_grefs[10] = 8;
    in.ring_grefs[11] = 9;
    ck_assert_int_eq(fsif_offer_write(&in, &d), 0);
    ck_assert_int_eq(memcmp(d.text, want, strlen(want)), 0);
    ck_assert_ptr_nonnull(strstr(d.text, "\nring-ref-9=7\nring-ref-10=8\nring-ref-11=9\n"));
    ck_assert_int_eq(fsif_offer_read(&d, &out), 0);
    ck_assert_int_eq(memcmp(&in, &out, sizeof(in)), 0);
}
END_TEST

START_TEST(dialect_words)
{
    static const char *const words[] = {NULL, NULL, "1", NULL, "2", NULL, "1 2"};
    struct fsif_offer in = session, out;
    char text[16];

    for (uint32_t set = 2; set <= 6; set += 2) {
        in.dialects = set;
        ck_assert_int_eq(fsif_offer_write(&in, &d), 0);
        ck_assert_int_gt(fsif_dict_get(&d, "dialects", text, sizeof(text)), 0);
        ck_assert_str_eq(text, words[set]);
        ck_assert_int_eq(fsif_offer_read(&d, &out), 0);
        ck_assert_uint_eq(out.dialects, set);
    }
    ck_assert_int_eq(read_with("dialects", "2,1", &out), 0);
    ck_assert_uint_eq(out.dialects, 6);
}
END_TEST

/* Read an offer of dialect 2 with these keys behind it. */
static int read_ring(const char *keys, struct fsif_offer *out)
{
    char text[512];

    snprintf(text, sizeof(text), "fsif=1\nrequest=session\nexport=a\ndialects=2\n%s", keys);
    parse(text);
    return fsif_offer_read(&d, out);
}

START_TEST(B18_ring_keys)
{
    static const char *const bad[] = {
        "pages=9\nring-pages=2\nring-ref=1\n",
        "pages=9\nring-pages=2\nring-ref-0=1\n",
        "pages=9\nring-pages=2\nring-ref-1=1\nring-ref-2=2\n",
        "pages=9\nring-pages=2\nring-ref-0=1\nring-ref-01=2\n",
        "pages=9\nring-pages=2\nring-ref-0=1\nring-ref-1=x\n",
        "pages=9\nring-pages=2\nring-ref-0=1\nring-ref-1=4294967296\n",
        "pages=9\nring-pages=1\nring-ref-0=1\n",
        "pages=2\nring-pages=2\nring-ref-0=1\nring-ref-1=2\n",
        "pages=99\nring-pages=17\nring-ref-0=1\nring-ref-1=2\n",
        "pages=6147\nring-pages=2\nring-ref-0=1\nring-ref-1=2\n",
    };
    struct fsif_offer out;

    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        ck_assert_msg(read_ring(bad[i], &out) == -FSIF_EPROTO, "%s", bad[i]);
    /* Whether the pages are two, and the peer's, is for the transport to say. */
    ck_assert_int_eq(read_ring("pages=6146\nring-pages=2\nring-ref-0=5\nring-ref-1=5\n", &out), 0);
    ck_assert_uint_eq(out.ring_grefs[1], 5);
    ck_assert_int_eq(read_ring("pages=2\nring-pages=1\nring-ref=5\nring-ref-0=6\n", &out), 0);
    ck_assert_uint_eq(out.ring_grefs[0], 5);
}
END_TEST

static void refuses(struct fsif_offer offer)
{
    ck_assert_int_eq(fsif_offer_write(&offer, &d), -FSIF_EINVAL);
}

START_TEST(offer_write_checks)
{
    struct fsif_offer o;

#define WITH(member, value) (o = session, o.member = (value), o)
    refuses(WITH(kind, 0));
    refuses(WITH(kind, 3));
    refuses(WITH(export_name[0], '\0'));
    refuses(WITH(export_name[1], '/'));
    refuses(WITH(dialects, 0));
    refuses(WITH(dialects, FSIF_DIALECT_BIT(3)));
    refuses(WITH(dialects, FSIF_DIALECT_BIT(1) | FSIF_DIALECT_BIT(3)));
    refuses(WITH(features, 2));
    refuses(WITH(pages, 0));
    refuses(WITH(pages, 1));
    refuses(WITH(pages, 1026));
    refuses(WITH(ring_pages, 0));
    refuses(WITH(ring_pages, 2));
#undef WITH

    o.dialects = FSIF_DIALECT_BIT(2);
    o.ring_pages = 17;
    refuses(o);
    o.ring_pages = 16;
    o.pages = 16;
    refuses(o);
    o.pages = 16 + 6144 + 1;
    refuses(o);
    o.pages--;
    ck_assert_int_eq(fsif_offer_write(&o, &d), 0);
    o.dialects |= FSIF_DIALECT_BIT(1);
    refuses(o);
}
END_TEST

START_TEST(B18_offer_keys)
{
    static const char *const bad[][2] = {
        {"fsif", NULL},
        {"fsif", "0"},
        {"fsif", "2"},
        {"fsif", "x"},
        {"request", NULL},
        {"request", ""},
        {"request", "Session"},
        {"request", "sessions"},
        {"request", "sessiom"},
        {"export", NULL},
        {"export", ""},
        {"export", ".."},
        {"export", "/etc"},
        {"export", "a b"},
        {"dialects", NULL},
        {"dialects", ""},
        {"pages", NULL},
        {"pages", "0"},
        {"pages", "1"},
        {"pages", "1026"},
        {"pages", "-1"},
        {"pages", "4294967296"},
        {"pages", "1048577"},
        {"pages", "many"},
        {"ring-pages", NULL},
        {"ring-pages", "0"},
        {"ring-pages", "2"},
        {"ring-pages", "66"},
        {"ring-pages", "4294967295"},
        {"ring-ref", NULL},
        {"ring-ref", "4294967296"},
        {"ring-ref", "-1"},
        {"request", "a value that is longer than any word which this side knows"},
    };
    struct fsif_offer out, zero;

    memset(&zero, 0, sizeof(zero));
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        ck_assert_msg(read_with(bad[i][0], bad[i][1], &out) == -FSIF_EPROTO, "%s=%s", bad[i][0],
                      bad[i][1] ? bad[i][1] : "(none)");
        ck_assert_int_eq(memcmp(&out, &zero, sizeof(out)), 0);
    }
}
END_TEST

START_TEST(B18_long_export)
{
    char name[FSIF_DICT_VALUE_MAX + 1];
    struct fsif_offer out;

    memset(name, 'n', sizeof(name));
    name[FSIF_DICT_VALUE_MAX] = '\0';
    ck_assert_int_eq(read_with("export", name, &out), -FSIF_EPROTO);
    name[FSIF_EXPORT_NAME_MAX + 1] = '\0';
    ck_assert_int_eq(read_with("export", name, &out), -FSIF_EPROTO);
    name[FSIF_EXPORT_NAME_MAX] = '\0';
    ck_assert_int_eq(read_with("export", name, &out), 0);
    ck_assert_str_eq(out.export_name, name);
}
END_TEST

START_TEST(offer_edges)
{
    struct fsif_offer out;

    ck_assert_int_eq(read_with("pages", "2", &out), 0);
    ck_assert_int_eq(read_with("pages", "1025", &out), 0);
    ck_assert_uint_eq(out.pages, 1025);
    ck_assert_int_eq(read_with("ring-ref", "64", &out), 0);
    ck_assert_uint_eq(out.ring_grefs[0], 64);
    ck_assert_int_eq(read_with("ring-ref", "4294967295", &out), 0);
    ck_assert_int_eq(read_with("unknown", "value", &out), 0);
    ck_assert_int_eq(read_with("features", NULL, &out), 0);
    ck_assert_uint_eq(out.features, 0);
    ck_assert_int_eq(read_with("features", "speed errno", &out), 0);
    ck_assert_uint_eq(out.features, FSIF_FEATURE_ERRNO);
    ck_assert_int_eq(read_with("dialects", "9 1 7 12", &out), 0);
    ck_assert_uint_eq(out.dialects, FSIF_DIALECT_BIT(1));
}
END_TEST

/* A later dialect's layout is not judged by the rules of dialect 1, but it has bounds. */
START_TEST(unknown_dialects)
{
    struct fsif_offer out;

    ck_assert_int_eq(read_with("dialects", "7", &out), 0);
    ck_assert_uint_eq(out.dialects, 0);
    parse("fsif=1\nrequest=session\nexport=a\ndialects=7\npages=5000\nring-pages=16\nring-ref=9\n");
    ck_assert_int_eq(fsif_offer_read(&d, &out), 0);
    ck_assert_uint_eq(out.pages, 5000);
    parse("fsif=1\nrequest=session\nexport=a\ndialects=7\npages=4\nring-pages=4\nring-ref=9\n");
    ck_assert_int_eq(fsif_offer_read(&d, &out), 0);
    parse("fsif=1\nrequest=session\nexport=a\ndialects=7\npages=0\nring-pages=5\nring-ref=9\n");
    ck_assert_int_eq(fsif_offer_read(&d, &out), -FSIF_EPROTO);
}
END_TEST

START_TEST(choosing)
{
    struct fsif_offer offer = session;
    struct fsif_choice c;

    offer.features = UINT32_MAX;
    ck_assert_int_eq(fsif_choose(&offer, FSIF_DIALECTS_KNOWN, &c), 0);
    ck_assert_int_eq(c.status, 0);
    ck_assert_uint_eq(c.dialect, 1);
    ck_assert_uint_eq(c.features, FSIF_FEATURE_ERRNO);
    ck_assert_uint_eq(c.read_only, 0);
    ck_assert_int_eq(fsif_choose(&offer, FSIF_DIALECT_BIT(2), &c), -FSIF_EOPNOTSUPP);
    ck_assert_int_eq(c.status, -FSIF_EOPNOTSUPP);
    offer.dialects = FSIF_DIALECT_BIT(4);
    ck_assert_int_eq(fsif_choose(&offer, UINT32_MAX, &c), -FSIF_EOPNOTSUPP);

    /* The highest that both allow. */
    offer.dialects = FSIF_DIALECTS_KNOWN | FSIF_DIALECT_BIT(4);
    ck_assert_int_eq(fsif_choose(&offer, UINT32_MAX, &c), 0);
    ck_assert_uint_eq(c.dialect, 3);
    ck_assert_int_eq(fsif_choose(&offer, FSIF_DIALECT_BIT(1) | FSIF_DIALECT_BIT(2), &c), 0);
    ck_assert_uint_eq(c.dialect, 2);
    ck_assert_int_eq(fsif_choose(&offer, FSIF_DIALECT_BIT(1), &c), 0);
    ck_assert_uint_eq(c.dialect, 1);
    ck_assert_int_eq(fsif_choose(&offer, 0, &c), -FSIF_EOPNOTSUPP);
}
END_TEST

START_TEST(choice_round_trip)
{
    struct fsif_choice in = {.dialect = 1, .features = FSIF_FEATURE_ERRNO, .read_only = 1}, out;
    const char *want = "status=0\ndialect=1\nfeatures=errno\nread-only=1\n";

    ck_assert_int_eq(fsif_choice_write(&in, &d), 0);
    ck_assert_uint_eq(d.used, strlen(want));
    ck_assert_int_eq(memcmp(d.text, want, d.used), 0);
    ck_assert_int_eq(fsif_choice_read(&d, &session, &out), 0);
    ck_assert_int_eq(memcmp(&in, &out, sizeof(in)), 0);

    in = (struct fsif_choice){.status = -FSIF_EACCES};
    ck_assert_int_eq(fsif_choice_write(&in, &d), 0);
    ck_assert_int_eq(memcmp(d.text, "status=13\n", d.used), 0);
    ck_assert_int_eq(fsif_choice_read(&d, &session, &out), -FSIF_EACCES);
    ck_assert_int_eq(out.status, -FSIF_EACCES);
}
END_TEST

START_TEST(choice_write_checks)
{
    struct fsif_choice c = {.status = 1};

    ck_assert_int_eq(fsif_choice_write(&c, &d), -FSIF_EINVAL);
    c.status = -FSIF_MAX_ERRNO - 1;
    ck_assert_int_eq(fsif_choice_write(&c, &d), -FSIF_EINVAL);
    c.status = -FSIF_MAX_ERRNO;
    ck_assert_int_eq(fsif_choice_write(&c, &d), 0);
    c.status = INT32_MIN;
    ck_assert_int_eq(fsif_choice_write(&c, &d), -FSIF_EINVAL);
    c.status = 0;
    ck_assert_int_eq(fsif_choice_write(&c, &d), -FSIF_EINVAL);
    c.dialect = 2;
    ck_assert_int_eq(fsif_choice_write(&c, &d), 0);
    c.dialect = 3;
    ck_assert_int_eq(fsif_choice_write(&c, &d), 0);
    c.dialect = 4;
    ck_assert_int_eq(fsif_choice_write(&c, &d), -FSIF_EINVAL);
    c.dialect = 33; /* a bit that wraps */
    ck_assert_int_eq(fsif_choice_write(&c, &d), -FSIF_EINVAL);
}
END_TEST

START_TEST(F12_answer)
{
    static const char *const bad[] = {
        "",
        "dialect=1\n",
        "status=x\n",
        "status=-13\n",
        "status=4096\n",
        "status=0\n",
        "status=0\ndialect=0\n",
        "status=0\ndialect=2\n",
        "status=0\ndialect=32\n",
        "status=0\ndialect=4294967297\n",
        "status=0\ndialect=1 \n",
        "status=0\ndialect=1\nread-only=2\n",
        "status=0\ndialect=1\nread-only=\n",
    };
    struct fsif_offer plain = session, exports = {.kind = FSIF_OFFER_EXPORTS};
    struct fsif_choice out;

    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        parse(bad[i]);
        ck_assert_msg(fsif_choice_read(&d, &session, &out) == -FSIF_EPROTO, "%s", bad[i]);
        ck_assert_int_eq(out.status, -FSIF_EPROTO);
        ck_assert_uint_eq(out.dialect, 0);
    }

    plain.features = 0;
    parse("status=0\ndialect=1\nfeatures=errno more\nnew=key\n");
    ck_assert_int_eq(fsif_choice_read(&d, &plain, &out), 0);
    ck_assert_uint_eq(out.features, 0);
    ck_assert_uint_eq(out.read_only, 0);
    ck_assert_int_eq(fsif_choice_read(&d, &session, &out), 0);
    ck_assert_uint_eq(out.features, FSIF_FEATURE_ERRNO);

    parse("status=0\nexport-0=data rw\nmore=0\n");
    ck_assert_int_eq(fsif_choice_read(&d, &exports, &out), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("negotiate");
    TCase *t = tcase_create("negotiate");

    tcase_add_test(t, export_names);
    tcase_add_test(t, offer_round_trip);
    tcase_add_test(t, long_ring_round_trip);
    tcase_add_test(t, dialect_words);
    tcase_add_test(t, B18_ring_keys);
    tcase_add_test(t, exports_round_trip);
    tcase_add_test(t, offer_write_checks);
    tcase_add_test(t, B18_offer_keys);
    tcase_add_test(t, B18_long_export);
    tcase_add_test(t, offer_edges);
    tcase_add_test(t, unknown_dialects);
    tcase_add_test(t, choosing);
    tcase_add_test(t, choice_round_trip);
    tcase_add_test(t, choice_write_checks);
    tcase_add_test(t, F12_answer);
    suite_add_tcase(s, t);
    return run_suite(s);
}
