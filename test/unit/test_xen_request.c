/* SPDX-License-Identifier: MIT */
/* What a guest writes to xenstore, by hand: what is taken, what is refused, and what is left. */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "suite.h"
#include "xen_fixture.h"

#define I GUEST_VFS "/0"
#define REQUEST REQUESTS "/5/1"

struct text {
    const char *bytes;
    size_t len;
};
#define TEXT(s)                                                                                    \
    {                                                                                              \
        s, sizeof(s) - 1                                                                           \
    }
#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

static struct held calm;

static void setup(void)
{
    xen_setup();
    xen_listen();
    ck_assert_ptr_null(take_peer());
    held_now(&calm);
}

/* A frontend of 2008, as it should be. */
static void write_nodes(void)
{
    put_text(guest, I "/ring-ref", "8");
    put_text(guest, I "/event-channel", "1");
    put_text(guest, I "/state", "ready");
}

static void ask(void)
{
    put_text(guest, REQUEST "/frontend", I);
}

static int sessions(void)
{
    unsigned n = 0;
    char **names = xs_directory(toolstack, XBT_NULL, VFS, &n);
    int found = 0;

    ck_assert_ptr_nonnull(names);
    for (unsigned i = 0; i < n; i++)
        found += strcmp(names[i], "exports") != 0;
    free(names);
    return found;
}

/* Nothing comes of it, and nothing is left. */
static void refused(const char *what)
{
    struct fsif_peer *peer = take_peer();

    if (peer)
        ck_abort_msg("%s is taken", what);
    ck_assert(value_is(REQUEST, NULL));
    ck_assert(value_is(I "/backend", NULL));
    ck_assert_int_eq(sessions(), 0);
    xs_rm(guest, XBT_NULL, I);
    same_held(&calm, what);
}

static void accepted(const char *what)
{
    struct fsif_peer *peer = take_peer();

    if (!peer)
        ck_abort_msg("%s is not taken", what);
    ck_assert(value_is(REQUEST, NULL));
    ck_assert_int_eq(sessions(), 1);
    xen->peer_close(peer);
    ck_assert_ptr_null(take_peer());
    xs_rm(guest, XBT_NULL, I);
    same_held(&calm, what);
}

/* --- a good one --- */

static void permissions(const char *path, const char *wanted)
{
    static const char letters[] = "nrwb";
    char text[64] = "";
    unsigned n = 0;
    struct xs_permissions *perms = xs_get_permissions(toolstack, XBT_NULL, path, &n);

    ck_assert_ptr_nonnull(perms);
    for (unsigned i = 0; i < n; i++) {
        size_t len = strlen(text);

        snprintf(text + len, sizeof(text) - len, "%s%c%u", i ? " " : "",
                 letters[perms[i].perms & 3u], perms[i].id);
    }
    free(perms);
    ck_assert_str_eq(text, wanted);
}

START_TEST(well_formed)
{
    struct fsif_credentials who;
    struct fsif_peer *peer;
    char backend[128];
    char path[160];
    unsigned len;
    char *value;

    write_nodes();
    ask();
    peer = take_peer();
    ck_assert_ptr_nonnull(peer);
    ck_assert_int_eq(xen->peer_credentials(peer, &who), 0);
    ck_assert_uint_eq(who.kind, FSIF_CREDENTIAL_DOMAIN);
    ck_assert_uint_eq(who.domid, GUEST);
    ck_assert_uint_eq(who.uid, FSIF_CREDENTIAL_UNKNOWN);
    ck_assert_uint_eq(who.uuid[15], GUEST);
    ck_assert_uint_eq(who.uuid[6], 0x40);
    /* What an old frontend waits for at most 100 ms is there before any worker is. */
    value = xs_read(guest, XBT_NULL, I "/backend", &len);
    ck_assert_ptr_nonnull(value);
    snprintf(backend, sizeof(backend), "%s", value);
    free(value);
    snprintf(path, sizeof(path), "%s/state", backend);
    value = xs_read(guest, XBT_NULL, path, &len);
    ck_assert_str_eq(value, "init");
    free(value);
    permissions(path, "n0 r5");
    permissions(backend, "n0 r5");
    value = xs_read(other, XBT_NULL, path, &len);
    ck_assert_ptr_null(value);
    ck_assert_int_eq(errno, EACCES);
    ck_assert(!xs_write(guest, XBT_NULL, path, "ready", 5));
    ck_assert_int_eq(errno, EACCES);
    xen->peer_close(peer);
    ck_assert_ptr_null(take_peer());
    ck_assert(value_is(backend, NULL));
    /* Its own nodes are an old frontend's to remove. */
    ck_assert(value_is(I "/state", "ready"));
    xs_rm(guest, XBT_NULL, I);
    same_held(&calm, "a request without a worker");
}
END_TEST

/* What an old frontend leaves out is no error. */
START_TEST(all_keys)
{
    write_nodes();
    put_text(guest, I "/pages", "66");
    put_text(guest, I "/canary-ref", "4294967295");
    put_text(guest, I "/feature-errno", "1");
    put_text(guest, I "/unknown-key", "whatever \x01\xff");
    ask();
    accepted("all keys");
    write_nodes();
    put_text(guest, I "/pages", "66");
    ask();
    accepted("some keys");
}
END_TEST

/* --- the path --- */

static const struct text bad_paths[] = {
    TEXT(""),
    TEXT("/"),
    TEXT("/local/domain/6/device/vfs/0"),
    TEXT("/local/domain/0/device/vfs/0"),
    TEXT("/local/domain/05/device/vfs/0"),
    TEXT("/local/domain/5/device/vbd/0"),
    TEXT("/local/domain/5/device/vfs"),
    TEXT("/local/domain/5/device/vfs/"),
    TEXT("/local/domain/5/device/vfs/00"),
    TEXT("/local/domain/5/device/vfs/+0"),
    TEXT("/local/domain/5/device/vfs/-1"),
    TEXT("/local/domain/5/device/vfs/ 0"),
    TEXT("/local/domain/5/device/vfs/0 "),
    TEXT("/local/domain/5/device/vfs/0\n"),
    TEXT("/local/domain/5/device/vfs/0/"),
    TEXT("/local/domain/5/device/vfs/0/0"),
    TEXT("/local/domain/5/device/vfs/0\0"),
    TEXT("/local/domain/5/device/vfs/0\0/../../6"),
    TEXT("/local/domain/5/device/vfs/4294967296"),
    TEXT("/local/domain/5/device/vfs/99999999999999999999"),
    TEXT("/local/domain/5/device/vfs/../../../6/device/vfs/0"),
    TEXT("/local/domain/5/device/vfs//0"),
    TEXT("//local/domain/5/device/vfs/0"),
    TEXT("device/vfs/0"),
    TEXT("/local/domain/5/device/vfs/1"), /* is not there */
    TEXT("/local/domain/0/backend/vfs/exports"),
    TEXT("@releaseDomain"),
};

START_TEST(bad_path)
{
    write_nodes();
    put_text(other, "/local/domain/6/device/vfs/0/state", "ready");
    put_text(other, "/local/domain/6/device/vfs/0/ring-ref", "8");
    put_text(other, "/local/domain/6/device/vfs/0/event-channel", "1");
    held_now(&calm);
    xs_rm(guest, XBT_NULL, I);
    write_nodes();
    put(guest, REQUEST "/frontend", bad_paths[_i].bytes, bad_paths[_i].len);
    ck_assert_ptr_null(take_peer());
    ck_assert(value_is(REQUEST, NULL));
    ck_assert(value_is("/local/domain/6/device/vfs/0/backend", NULL));
    ck_assert(value_is(I "/backend", NULL));
    ck_assert_int_eq(sessions(), 0);
    same_held(&calm, bad_paths[_i].bytes);
}
END_TEST

START_TEST(long_path)
{
    char path[1024];

    for (size_t len = 100; len < sizeof(path); len += 7) {
        memset(path, '0', sizeof(path));
        memcpy(path, I, strlen(I));
        put(guest, REQUEST "/frontend", path, len);
        refused("a long path");
    }
}
END_TEST

/* --- values --- */

static const char *const must[] = {"ring-ref", "event-channel", "state"};

START_TEST(missing)
{
    char path[128];

    write_nodes();
    snprintf(path, sizeof(path), I "/%s", must[_i]);
    ck_assert(xs_rm(guest, XBT_NULL, path));
    ask();
    refused(path);
}
END_TEST

static const struct text bad_numbers[] = {
    TEXT(""),
    TEXT(" "),
    TEXT("-1"),
    TEXT("+8"),
    TEXT("08"),
    TEXT("00"),
    TEXT("0x8"),
    TEXT(" 8"),
    TEXT("8 "),
    TEXT("8\n"),
    TEXT("8\0"),
    TEXT("\0"),
    TEXT("8\09"),
    TEXT("8.0"),
    TEXT("1e3"),
    TEXT("eight"),
    TEXT("4294967296"),
    TEXT("99999999999"),
    TEXT("18446744073709551624"),
    TEXT("\xd9\xa8"),
    TEXT("888888888888888888888888888888888888888888888888888888888888888888888888888888888888888"),
};
static const char *const numbers[] = {"ring-ref", "event-channel", "pages", "canary-ref",
                                      "feature-errno"};

START_TEST(bad_number)
{
    char path[128];

    for (int i = 0; i < COUNT(bad_numbers); i++) {
        write_nodes();
        snprintf(path, sizeof(path), I "/%s", numbers[_i]);
        put(guest, path, bad_numbers[i].bytes, bad_numbers[i].len);
        ask();
        refused(path);
    }
    if (strcmp(numbers[_i], "event-channel") == 0) {
        write_nodes();
        put_text(guest, path, "2147483648");
        ask();
        refused("a port beyond 31 bits");
    }
    if (strcmp(numbers[_i], "feature-errno") == 0) {
        write_nodes();
        put_text(guest, path, "2");
        ask();
        refused("a feature of 2");
    }
}
END_TEST

static const struct text bad_states[] = {
    TEXT(""),
    TEXT("Ready"),
    TEXT("ready "),
    TEXT("ready\0"),
    TEXT("read"),
    TEXT("init"),
    TEXT("closed"),
    TEXT("closing"),
    TEXT("4"),
    TEXT("readyreadyreadyreadyreadyreadyreadyreadyreadyreadyreadyreadyreadyreadyreadyready"),
};

START_TEST(bad_state)
{
    write_nodes();
    put(guest, I "/state", bad_states[_i].bytes, bad_states[_i].len);
    ask();
    refused(bad_states[_i].bytes);
}
END_TEST

/* As much as a guest can write, in each node. */
START_TEST(huge_values)
{
    static char huge[1900];
    char path[128];

    memset(huge, '1', sizeof(huge));
    for (int i = 0; i < COUNT(must) + COUNT(numbers); i++) {
        write_nodes();
        snprintf(path, sizeof(path), I "/%s", i < 3 ? must[i] : numbers[i - 3]);
        put(guest, path, huge, sizeof(huge));
        ask();
        refused(path);
    }
    write_nodes();
    put(guest, REQUEST "/frontend", huge, sizeof(huge));
    refused("a huge path");
}
END_TEST

/* --- owners --- */

static void give_away(const char *path, uint32_t owner)
{
    struct xs_permissions perms[2] = {{.id = owner, .perms = XS_PERM_READ},
                                      {.id = GUEST, .perms = XS_PERM_READ | XS_PERM_WRITE}};

    ck_assert(xs_set_permissions(toolstack, XBT_NULL, path, perms, 2));
}

static const char *const owned[] = {
    I "/ring-ref",       I "/event-channel", I "/state",         I,
    REQUEST "/frontend", I "/pages",         I "/feature-errno", I "/canary-ref"};

START_TEST(owner)
{
    write_nodes();
    put_text(guest, I "/pages", "66");
    put_text(guest, I "/canary-ref", "9");
    put_text(guest, I "/feature-errno", "1");
    put_text(guest, REQUEST "/none", "");
    ck_assert_ptr_null(take_peer());
    write_nodes();
    /* In one step, so that nothing is looked at half done. */
    ask();
    give_away(owned[_i], OTHER);
    ck_assert_ptr_null(take_peer());
    ck_assert(value_is(REQUEST, NULL));
    ck_assert_int_eq(sessions(), 0);
    xs_rm(toolstack, XBT_NULL, I);
    same_held(&calm, owned[_i]);
}
END_TEST

/* Nobody asks in another's name. */
START_TEST(anothers_name)
{
    ck_assert(!xs_write(other, XBT_NULL, REQUEST "/frontend", I, strlen(I)));
    ck_assert_int_eq(errno, EACCES);
    ck_assert(!xs_mkdir(other, XBT_NULL, REQUESTS "/7"));
    ck_assert(!xs_mkdir(guest, XBT_NULL, VFS "/9"));
    ck_assert(!xs_mkdir(guest, XBT_NULL, VFS "/exports/9"));
    write_nodes();
    /* The toolstack can, but that is not the guest's word. */
    put_text(toolstack, REQUEST "/frontend", I);
    ck_assert_ptr_null(take_peer());
    ck_assert(value_is(REQUEST, NULL));
    xs_rm(guest, XBT_NULL, I);
    same_held(&calm, "a request of domain 0's making");
}
END_TEST

static const char *const exports[] = {
    "2",  "0",    "3",        "01",

    "-1", "1x",   "x1",       "_",          "-",          "@",
    "1-", "name", "requests", "4294967296", "4294967297", "99999999999999999999"};

START_TEST(not_attached)
{
    char path[128];

    write_nodes();
    snprintf(path, sizeof(path), REQUESTS "/5/%s/frontend", exports[_i]);
    put_text(guest, path, I);
    ck_assert_ptr_null(take_peer());
    path[strlen(path) - strlen("/frontend")] = '\0';
    ck_assert(value_is(path, NULL));
    refused(path);
}
END_TEST

/* What the toolstack wrote by mistake is checked as well. */
START_TEST(bad_export)
{
    static const char *const names[] = {"", "..", "a/b", "a b", "x\n"};

    for (int i = 0; i < COUNT(names); i++) {
        put_text(toolstack, VFS "/exports/1/name", names[i]);
        write_nodes();
        ask();
        refused(names[i]);
    }
    put_text(toolstack, VFS "/exports/1/name", "data");
    put_text(toolstack, VFS "/exports/1/frontend-id", "05");
    write_nodes();
    ask();
    ck_assert_ptr_null(take_peer());
    put_text(toolstack, VFS "/exports/1/frontend-id", "5");
    refused("an export for nobody");
}
END_TEST

/* --- times --- */

START_TEST(guest_gone)
{
    write_nodes();
    ask();
    fake_destroy(GUEST);
    ck_assert_ptr_null(take_peer());
    ck_assert(value_is(REQUESTS "/5", NULL));
    ck_assert(value_is(VFS "/exports/1", NULL));
    ck_assert_int_eq(sessions(), 0);
    /* Another domain of that number is attached to nothing. */
    fake_create(GUEST);
    ck_assert_ptr_null(take_peer());
}
END_TEST

/* A guest that leaves while it is looked at, and that comes back. */
START_TEST(asks_again)
{
    struct fsif_peer *first, *second;

    write_nodes();
    ask();
    first = take_peer();
    ck_assert_ptr_nonnull(first);
    ask();
    second = take_peer();
    ck_assert_ptr_nonnull(second);
    ck_assert_int_eq(sessions(), 2);
    xen->peer_close(first);
    ck_assert_ptr_null(take_peer());
    ck_assert_int_eq(sessions(), 1);
    xs_rm(guest, XBT_NULL, I);
    ck_assert_ptr_null(take_peer());
    xen->peer_close(second);
    ck_assert_ptr_null(take_peer());
    same_held(&calm, "two of one");
}
END_TEST

static void change_it(void *arg)
{
    char text[16];
    int *n = arg;

    snprintf(text, sizeof(text), "%d", ++*n);
    put_text(guest, I "/ring-ref", text);
}

/* A guest that writes all the time what is being read: refused after some tries, not for ever. */
START_TEST(changes_all_the_time)
{
    int n = 0;

    write_nodes();
    ask();
    fake_before_commit(change_it, &n);
    ck_assert_ptr_null(take_peer());
    fake_before_commit(NULL, NULL);
    ck_assert_int_ge(n, 2);
    ck_assert_int_le(n, 100);
    refused("a moving target");
}
END_TEST

/* --- floods --- */

/* Others are served while one guest floods, and what is left to do is bounded. */
START_TEST(flood)
{
    struct fsif_peer *peer = NULL;
    char path[128];
    int calls = 0;

    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 300; i++) {
            snprintf(path, sizeof(path), REQUESTS "/5/%d/frontend", 100 + i);
            put_text(guest, path, "");
        }
        for (int i = 0; i < 300; i++) {
            snprintf(path, sizeof(path), REQUESTS "/5/%d", 100 + i);
            (void)xs_rm(guest, XBT_NULL, path);
        }
    }
    write_nodes();
    ask();
    put_text(other, "/local/domain/6/device/vfs/0/state", "ready");
    put_text(other, "/local/domain/6/device/vfs/0/ring-ref", "8");
    put_text(other, "/local/domain/6/device/vfs/0/event-channel", "1");
    put_text(other, REQUESTS "/6/2/frontend", "/local/domain/6/device/vfs/0");
    while (calls < 1000) {
        struct fsif_credentials who;

        ck_assert_int_gt(fsif_wait_fd(xen->listener_fd(listener), POLLIN, 0), 0);
        calls++;
        if (xen->accept(listener, &peer) != 0)
            continue;
        ck_assert_int_eq(xen->peer_credentials(peer, &who), 0);
        xen->peer_close(peer);
        if (who.domid == OTHER)
            break;
    }
    ck_assert_int_lt(calls, 200);
    ck_assert_ptr_null(take_peer());
    xs_rm(guest, XBT_NULL, I);
    xs_rm(other, XBT_NULL, "/local/domain/6/device/vfs/0");
    ck_assert_ptr_null(take_peer());
    same_held(&calm, "a flood");
}
END_TEST

/* As many requests as a guest's quota allows, at once. */
START_TEST(many_requests)
{
    char path[128];
    int made = 0;

    for (int i = 0; i < 2000; i++) {
        snprintf(path, sizeof(path), REQUESTS "/5/%d", 2 + i);
        made += xs_write(guest, XBT_NULL, path, "", 0);
    }
    ck_assert_int_gt(made, 500);
    ck_assert_int_lt(made, 1000);
    refused("many requests");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("xen_request");
    TCase *c = tcase_create("all");

    tcase_add_checked_fixture(c, setup, xen_teardown);
    tcase_set_timeout(c, 60);
    tcase_add_test(c, well_formed);
    tcase_add_test(c, all_keys);
    tcase_add_loop_test(c, bad_path, 0, COUNT(bad_paths));
    tcase_add_test(c, long_path);
    tcase_add_loop_test(c, missing, 0, COUNT(must));
    tcase_add_loop_test(c, bad_number, 0, COUNT(numbers));
    tcase_add_loop_test(c, bad_state, 0, COUNT(bad_states));
    tcase_add_test(c, huge_values);
    tcase_add_loop_test(c, owner, 0, COUNT(owned));
    tcase_add_test(c, anothers_name);
    tcase_add_loop_test(c, not_attached, 0, COUNT(exports));
    tcase_add_test(c, bad_export);
    tcase_add_test(c, guest_gone);
    tcase_add_test(c, asks_again);
    tcase_add_test(c, changes_all_the_time);
    tcase_add_test(c, flood);
    tcase_add_test(c, many_requests);
    suite_add_tcase(s, c);
    return run_suite(s);
}
