/* SPDX-License-Identifier: MIT */
/* Who may use which export of the daemon. */
#include <check.h>
#include <fsif/error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "exports.h"
#include "suite.h"

static struct fsi_export export;
static struct fsi_error err;
static const struct fsi_self root = {0, 0, 65534, 65533, 1};
static const struct fsi_self user = {1000, 1000, 65534, 65533, 0};

static void setup(void)
{
    fsi_export_init(&export, "x");
}

static void teardown(void)
{
    fsi_export_fini(&export);
}

static void set(const char *key, const char *value)
{
    int rc = fsi_export_set(&export, key, value, &err);

    ck_assert_msg(rc == 0, "%s", err.text);
}

static struct fsif_credentials peer(uint32_t uid, uint32_t gid)
{
    struct fsif_credentials c;

    memset(&c, 0, sizeof(c));
    c.kind = FSIF_CREDENTIAL_USER;
    c.uid = uid;
    c.gid = gid;
    return c;
}

static int allows(const struct fsi_self *self, struct fsif_credentials c)
{
    return fsi_export_allows(&export, self, &c);
}

START_TEST(test_default)
{
    ck_assert_int_eq(allows(&root, peer(0, 5)), 1);
    ck_assert_int_eq(allows(&root, peer(1000, 0)), 0);
    ck_assert_int_eq(allows(&user, peer(1000, 5)), 1);
    ck_assert_int_eq(allows(&user, peer(0, 0)), 0);
}
END_TEST

static struct fsif_credentials domain(uint32_t domid, const char *uuid)
{
    struct fsif_credentials c;

    memset(&c, 0, sizeof(c));
    c.kind = FSIF_CREDENTIAL_DOMAIN;
    c.domid = domid;
    if (uuid)
        ck_assert_int_eq(fsi_parse_uuid(uuid, c.uuid), 0);
    return c;
}

#define UUID_A "0a1b2c3d-0000-4000-8000-00000000000f"
#define UUID_B "0a1b2c3d-0000-4000-8000-00000000000e"

START_TEST(test_domains)
{
    /* No domain uses an export that names none, and none is taken for a user. */
    ck_assert_int_eq(allows(&root, domain(0, NULL)), 0);
    ck_assert_int_eq(allows(&root, domain(7, UUID_A)), 0);
    set("allow-uid", "7");
    ck_assert_int_eq(allows(&root, domain(7, NULL)), 0);
    set("allow-domain", "3 5");
    set("allow-domain", "0A1B2C3D-0000-4000-8000-00000000000F");
    ck_assert_int_eq(allows(&root, domain(3, NULL)), 1);
    ck_assert_int_eq(allows(&root, domain(5, UUID_B)), 1);
    ck_assert_int_eq(allows(&root, domain(4, NULL)), 0);
    ck_assert_int_eq(allows(&root, domain(4, UUID_A)), 1);
    ck_assert_int_eq(allows(&root, domain(4, UUID_B)), 0);
    ck_assert_int_eq(allows(&root, peer(7, 7)), 1);
    ck_assert_int_eq(allows(&root, peer(3, 3)), 0);
    /* Domains do not take the daemon's own user away from an export without other lists. */
    fsi_export_fini(&export);
    fsi_export_init(&export, "x");
    set("allow-domain", "3");
    ck_assert_int_eq(allows(&root, peer(3, 3)), 0);
}
END_TEST

START_TEST(test_bad_domains)
{
    static const char *const bad[] = {
        "",
        "guest",
        "-1",
        "32752",
        "0a1b2c3d-0000-4000-8000-00000000000",
        UUID_A "0",
        "00000000-0000-0000-0000-000000000000",
        "0a1b2c3d00000-4000-8000-00000000000f",
        "0a1b2c3g-0000-4000-8000-00000000000f",
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_int_eq(fsi_export_set(&export, "allow-domain", bad[i], &err), -FSIF_EINVAL);
}
END_TEST

START_TEST(test_uids)
{
    set("allow-uid", "7");
    set("allow-uid", "9");
    ck_assert_int_eq(allows(&root, peer(7, 0)), 1);
    ck_assert_int_eq(allows(&root, peer(9, 0)), 1);
    ck_assert_int_eq(allows(&root, peer(8, 7)), 0);
    /* A list takes the place of the default. */
    ck_assert_int_eq(allows(&root, peer(0, 0)), 0);
}
END_TEST

START_TEST(test_gids)
{
    struct fsif_credentials c = peer(7, 7);

    set("allow-gid", "50");
    ck_assert_int_eq(allows(&root, c), 0);
    ck_assert_int_eq(allows(&root, peer(7, 50)), 1);
    c.groups[0] = 3;
    c.groups[1] = 50;
    c.ngroups = 1;
    ck_assert_int_eq(allows(&root, c), 0);
    c.ngroups = 2;
    ck_assert_int_eq(allows(&root, c), 1);
    c.ngroups = UINT32_MAX;
    ck_assert_int_eq(allows(&root, c), 1);
    ck_assert_int_eq(allows(&root, peer(0, 0)), 0);
}
END_TEST

START_TEST(test_overflow_ids)
{
    static const struct fsi_self nobody = {65534, 65534, 65534, 65533, 0};
    struct fsif_credentials c = peer(65534, 50);

    ck_assert_int_eq(allows(&nobody, c), 0);
    set("allow-gid", "50");
    ck_assert_int_eq(allows(&root, c), 0);
    c.uid = FSIF_CREDENTIAL_UNKNOWN;
    ck_assert_int_eq(allows(&root, c), 0);
    c.uid = 7;
    ck_assert_int_eq(allows(&root, c), 1);
    c.gid = 65533;
    ck_assert_int_eq(allows(&root, c), 0);
    /* Configured by hand past the check, they still do not match. */
    set("allow-gid", "65533");
    set("allow-uid", "65534");
    ck_assert_int_eq(allows(&root, c), 0);
    ck_assert_int_eq(allows(&root, peer(65534, 1)), 0);
}
END_TEST

START_TEST(test_other_kinds)
{
    struct fsif_credentials c = peer(0, 0);

    c.kind = FSIF_CREDENTIAL_NONE;
    ck_assert_int_eq(allows(&root, c), 0);
    c.kind = FSIF_CREDENTIAL_DOMAIN;
    ck_assert_int_eq(allows(&root, c), 0);
}
END_TEST

static int check(const struct fsi_self *self, const char *says)
{
    int rc = fsi_export_check(&export, self, &err);

    if (rc)
        ck_assert_msg(strstr(err.text, says) != NULL, "%s", err.text);
    return rc;
}

START_TEST(test_check_source)
{
    ck_assert_int_lt(check(&root, "no source"), 0);
}
END_TEST

START_TEST(test_check_overflow)
{
    static const struct fsi_self nobody = {65534, 65534, 65534, 65533, 0};

    set("source", "/");
    ck_assert_int_lt(check(&nobody, "nobody could use it"), 0);
    set("allow-uid", "65534");
    ck_assert_int_lt(check(&root, "cannot be allowed"), 0);
}
END_TEST

START_TEST(test_check_map)
{
    set("source", "/");
    ck_assert_int_eq(check(&user, ""), 0);
    set("allow-uid", "1000");
    ck_assert_int_eq(check(&user, ""), 0);
    set("allow-uid", "1001");
    ck_assert_int_lt(check(&user, "map=daemon"), 0);
    ck_assert_int_eq(check(&root, ""), 0);
    set("map", "daemon");
    ck_assert_int_eq(check(&user, ""), 0);
}
END_TEST

START_TEST(test_check_map_group)
{
    set("source", "/");
    set("allow-gid", "1000");
    ck_assert_int_lt(check(&user, "map=daemon"), 0);
    set("ro", NULL);
    ck_assert_int_eq(check(&user, ""), 0);
}
END_TEST

START_TEST(test_check_map_ids)
{
    set("source", "/");
    set("map", "1000:1000");
    ck_assert_int_eq(check(&user, ""), 0);
    export.map_gid = 5;
    ck_assert_int_lt(check(&user, "map=daemon"), 0);
    ck_assert_int_eq(check(&root, ""), 0);
}
END_TEST

static struct fsif_store_config owner(const struct fsi_self *self, struct fsif_credentials c)
{
    struct fsif_store_config config;

    memset(&config, 0, sizeof(config));
    fsi_export_owner(&export, self, &c, &config);
    return config;
}

START_TEST(test_owner)
{
    struct fsif_store_config c = owner(&root, peer(7, 8));

    ck_assert_uint_eq(c.map, FSIF_MAP_OWNER);
    ck_assert_uint_eq(c.uid, 7);
    ck_assert_uint_eq(c.gid, 8);
    ck_assert_uint_eq(owner(&root, peer(0, 0)).map, FSIF_MAP_DAEMON);
    /* The same user with another group owns what it makes, group and all. */
    ck_assert_uint_eq(owner(&root, peer(0, 8)).map, FSIF_MAP_OWNER);
    ck_assert_uint_eq(owner(&user, peer(1000, 8)).map, FSIF_MAP_DAEMON);
    c = owner(&root, peer(7, FSIF_CREDENTIAL_UNKNOWN));
    ck_assert_uint_eq(c.gid, 65533);
    set("map", "5:6");
    c = owner(&root, peer(7, 8));
    ck_assert_uint_eq(c.map, FSIF_MAP_OWNER);
    ck_assert_uint_eq(c.uid, 5);
    ck_assert_uint_eq(c.gid, 6);
    export.map = FSI_MAP_DAEMON;
    ck_assert_uint_eq(owner(&root, peer(7, 8)).map, FSIF_MAP_DAEMON);
}
END_TEST

/* --- listing ---------------------------------------------------------------------------------- */

#define MANY 200

START_TEST(test_pages)
{
    struct fsi_export *list = calloc(MANY, sizeof(*list));
    struct fsif_credentials c = peer(7, 7);
    struct fsif_dict page;
    char after[64] = "";
    char name[80];
    unsigned seen = 0;
    unsigned pages = 0;
    uint32_t more = 1;

    for (unsigned i = 0; i < MANY; i++) {
        snprintf(name, sizeof(name), "export-with-a-rather-long-name-%03u", i);
        fsi_export_init(&list[i], name);
        list[i].read_only = i % 2;
        if (i % 4 != 3)
            ck_assert_int_eq(fsi_export_set(&list[i], "allow-uid", "7", &err), 0);
    }
    for (; more; pages++) {
        unsigned n = fsi_exports_page(list, MANY, &root, &c, after, &page);
        ck_assert_uint_gt(n, 0);
        ck_assert_int_eq(fsif_dict_get_u32(&page, "more", 0, 1, &more), 0);
        for (unsigned i = 0; i < n; i++) {
            char key[32];
            char want[80];
            snprintf(key, sizeof(key), "export-%u", i);
            ck_assert_int_gt(fsif_dict_get(&page, key, name, sizeof(name)), 0);
            seen += seen % 4 == 3;
            snprintf(want, sizeof(want), "%s %s", list[seen].name, seen % 2 ? "ro" : "rw");
            ck_assert_str_eq(name, want);
            snprintf(after, sizeof(after), "%s", list[seen].name);
            seen++;
        }
        ck_assert_int_eq(fsif_dict_get(&page, "message", name, sizeof(name)), -FSIF_ENOENT);
    }
    ck_assert_uint_eq(seen, MANY - 1);
    ck_assert_uint_gt(pages, 1);
    c.uid = 8;
    ck_assert_uint_eq(fsi_exports_page(list, MANY, &root, &c, "", &page), 0);
    for (unsigned i = 0; i < MANY; i++)
        fsi_export_fini(&list[i]);
    free(list);
}
END_TEST

/* --- entries with terms ------------------------------------------------------------------------
 */

static int allow(const char *subject, const char *terms)
{
    struct fsi_allow a;
    char term[64];

    ck_assert_msg(fsi_allow_read(subject, &a, &err) == 0, "%s", err.text);
    while (*terms) {
        size_t len = strcspn(terms, " ");

        snprintf(term, sizeof(term), "%.*s", (int)len, terms);
        ck_assert_msg(fsi_allow_term(&a.terms, term, &err) == 0, "%s", err.text);
        terms += len + strspn(terms + len, " ");
    }
    return fsi_allow_add(&export.allowed, &a, &err);
}

/* "ro HANDLES SIZE NODES", or "" when the peer may not */
static const char *terms_of(struct fsif_credentials c)
{
    static char text[64];
    struct fsi_terms t;

    if (!fsi_export_terms(&export, &root, &c, &t))
        return "";
    snprintf(text, sizeof(text), "%s %u %llu %u", t.read_only ? "ro" : "rw", t.max_handles,
             (unsigned long long)t.max_bytes, t.max_nodes);
    return text;
}

START_TEST(test_terms)
{
    struct fsif_credentials both = peer(7, 50);

    set("handles", "100");
    ck_assert_str_eq(terms_of(peer(0, 0)), "rw 100 0 0");
    ck_assert_int_eq(allow("uid:7", "handles=200"), 1);
    ck_assert_int_eq(allow("gid:50", "ro handles=5 size=4K"), 1);
    ck_assert_int_eq(allow("gid:51", "handles=300 nodes=9"), 1);
    ck_assert_str_eq(terms_of(peer(8, 50)), "ro 5 4096 0");
    /* A user's own entry counts before those of groups. */
    ck_assert_str_eq(terms_of(both), "rw 200 0 0");
    /* Of several groups the strictest. */
    both = peer(8, 51);
    both.groups[0] = 50;
    both.ngroups = 1;
    ck_assert_str_eq(terms_of(both), "ro 5 4096 9");
    /* Terms are replaced as a whole; the export's own "ro" always holds. */
    ck_assert_int_eq(allow("uid:7", "nodes=1"), 0);
    ck_assert_str_eq(terms_of(peer(7, 1)), "rw 100 0 1");
    set("ro", NULL);
    ck_assert_str_eq(terms_of(peer(7, 1)), "ro 100 0 1");
}
END_TEST

START_TEST(test_domain_terms)
{
    struct fsif_credentials c = domain(3, UUID_A);

    ck_assert_int_eq(allow("domain:3", "handles=5"), 1);
    ck_assert_int_eq(allow("uuid:" UUID_A, "ro handles=9"), 1);
    ck_assert_str_eq(terms_of(c), "ro 5 0 0");
    ck_assert_str_eq(terms_of(domain(4, UUID_A)), "ro 9 0 0");
    ck_assert_str_eq(terms_of(domain(3, UUID_B)), "rw 5 0 0");
    c = domain(3, UUID_B);
    c.read_only = 1;
    ck_assert_str_eq(terms_of(c), "ro 5 0 0");
}
END_TEST

START_TEST(test_settled)
{
    struct fsi_allow own = {.kind = FSI_ALLOW_UID, .id = 0};

    ck_assert_int_eq(fsi_export_settle(&export, &root, &err), 0);
    ck_assert_int_eq(allow("uid:7", ""), 1);
    ck_assert_int_eq(allows(&root, peer(0, 0)), 1);
    ck_assert_int_eq(allows(&root, peer(7, 0)), 1);
    /* Without an entry there is no default any more. */
    ck_assert_int_eq(fsi_allow_remove(&export.allowed, &own), 1);
    ck_assert_int_eq(fsi_allow_remove(&export.allowed, &own), 0);
    own.id = 7;
    ck_assert_int_eq(fsi_allow_remove(&export.allowed, &own), 1);
    ck_assert_uint_eq(export.allowed.n, 0);
    ck_assert_int_eq(allows(&root, peer(0, 0)), 0);
}
END_TEST

START_TEST(test_subjects)
{
    static const char *const bad[] = {"",          "uid:",         "uid:-1",    "uid:4294967295",
                                      "gid:x",     "domain:32752", "uuid:x",    "7",
                                      "frob:1",    "uid:1 ",       "uuid:",     "domain:",
                                      "uid:alice", "Uid:1",        "domain:-1", "uid:01x"};
    static const char *const good[] = {"uid:0", "gid:4294967294", "domain:32751", ("uuid:" UUID_A)};
    struct fsi_allow a;
    char text[FSI_SUBJECT_MAX];

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_msg(fsi_allow_read(bad[i], &a, &err) == -FSIF_EINVAL, "%s", bad[i]);
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        ck_assert_int_eq(fsi_allow_read(good[i], &a, &err), 0);
        fsi_allow_write(&a, text);
        ck_assert_str_eq(text, good[i]);
    }
}
END_TEST

/* Walked by serial, an entry is seen once, whatever comes and goes. */
START_TEST(test_walk)
{
    const struct fsi_allow *a;
    struct fsi_allow gone;

    for (unsigned i = 0; i < 5; i++) {
        char subject[16];

        snprintf(subject, sizeof(subject), "uid:%u", i);
        ck_assert_int_eq(allow(subject, ""), 1);
    }
    a = fsi_allow_after(&export.allowed, 0);
    ck_assert_uint_eq(a->id, 0);
    gone = *a;
    fsi_allow_remove(&export.allowed, &gone);
    a = fsi_allow_after(&export.allowed, gone.serial);
    ck_assert_uint_eq(a->id, 1);
    gone = export.allowed.entries[3];
    ck_assert_uint_eq(gone.id, 4);
    fsi_allow_remove(&export.allowed, &gone);
    ck_assert_int_eq(allow("uid:4", ""), 1);
    a = fsi_allow_after(&export.allowed, gone.serial);
    ck_assert_uint_eq(a->id, 4);
    ck_assert_ptr_null(fsi_allow_after(&export.allowed, a->serial));
}
END_TEST

START_TEST(test_change)
{
    set("source", "/");
    set("ro", NULL);
    ck_assert_int_eq(fsi_export_change(&export, "ro=no", &err), 0);
    ck_assert_uint_eq(export.read_only, 0);
    ck_assert_int_eq(fsi_export_change(&export, "ro", &err), 0);
    ck_assert_uint_eq(export.read_only, 1);
    ck_assert_int_eq(fsi_export_change(&export, "handles=3", &err), 0);
    ck_assert_uint_eq(export.max_handles, 3);
    ck_assert_int_eq(fsi_export_change(&export, "handles", &err), -FSIF_EINVAL);
    ck_assert_int_eq(fsi_export_change(&export, "source=/tmp", &err), -FSIF_EINVAL);
    ck_assert_int_eq(fsi_export_change(&export, "allow-uid=3", &err), -FSIF_EINVAL);
    ck_assert_int_eq(fsi_export_change(&export, "", &err), -FSIF_EINVAL);
    ck_assert_int_eq(fsi_export_change(&export, "=x", &err), -FSIF_EINVAL);
    ck_assert_str_eq(export.source, "/");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("server_access");
    TCase *t = tcase_create("all");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_default);
    tcase_add_test(t, test_domains);
    tcase_add_test(t, test_bad_domains);
    tcase_add_test(t, test_uids);
    tcase_add_test(t, test_terms);
    tcase_add_test(t, test_domain_terms);
    tcase_add_test(t, test_settled);
    tcase_add_test(t, test_subjects);
    tcase_add_test(t, test_walk);
    tcase_add_test(t, test_change);
    tcase_add_test(t, test_gids);
    tcase_add_test(t, test_overflow_ids);
    tcase_add_test(t, test_other_kinds);
    tcase_add_test(t, test_check_source);
    tcase_add_test(t, test_check_overflow);
    tcase_add_test(t, test_check_map);
    tcase_add_test(t, test_check_map_group);
    tcase_add_test(t, test_check_map_ids);
    tcase_add_test(t, test_owner);
    tcase_add_test(t, test_pages);
    suite_add_tcase(s, t);
    return run_suite(s);
}
