/* SPDX-License-Identifier: MIT */
/* The xen transport's frontend against a backend that is written by hand: as that of 2008 was, and
 * as none should be. */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <fsif/negotiate.h>

#include "suite.h"
#include "xen_fixture.h"

#define I GUEST_VFS "/0"
#define M VFS "/40"
#define REQUEST REQUESTS "/5/1"

static struct held before;
static struct pair p;
static struct fsif_offer offer;
static struct fsif_dict answer;
static struct fsif_choice choice;
static _Atomic int over;
static pthread_t thread;

static void setup(void)
{
    xen_setup();
    held_now(&before);
}

/* --- the frontend, in a thread of its own --- */

static void *run_offer(void *arg)
{
    struct fsif_dict text;

    (void)arg;
    fake_be(GUEST);
    fake_process(p.process);
    ck_assert_int_eq(fsif_offer_write(&offer, &text), 0);
    p.offered = xen->session_offer(p.front, &text, &answer, p.timeout_ms);
    if (p.offered == 0) {
        p.offered = fsif_choice_read(&answer, &offer, &choice);
        p.status = (uint32_t)(p.offered ? 0 : -choice.status);
    }
    atomic_store(&over, 1);
    return NULL;
}

static int has(const char *path)
{
    unsigned len;
    void *value = xs_read(toolstack, XBT_NULL, path, &len);

    free(value);
    return value != NULL;
}

/* Begin, up to the request. */
static void begin(int timeout_ms)
{
    pair_init(&p);
    p.timeout_ms = timeout_ms;
    ck_assert_int_eq(pair_connect(&p), 0);
    offer = (struct fsif_offer){.kind = FSIF_OFFER_SESSION,
                                .dialects = FSIF_DIALECT_BIT(1),
                                .features = FSIF_FEATURE_ERRNO,
                                .pages = p.pages,
                                .ring_pages = 1,
                                .ring_grefs = {p.grefs[0]},
                                .export_name = "data"};
    atomic_store(&over, 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, run_offer, NULL), 0);
    while (!atomic_load(&over) && !has(REQUEST "/frontend"))
        poll(NULL, 0, 1);
}

/* Returns what came of it. */
static int end(void)
{
    pthread_join(thread, NULL);
    return p.offered ? p.offered : -(int)p.status;
}

/* The frontend has closed and whatever the backend had is removed: nothing is left. */
static void all_gone(const char *what)
{
    pair_close_front(&p);
    xs_rm(toolstack, XBT_NULL, M);
    same_held(&before, what);
}

static void readable(const char *path)
{
    struct xs_permissions perms[2] = {{.id = 0, .perms = XS_PERM_NONE},
                                      {.id = GUEST, .perms = XS_PERM_READ}};

    ck_assert(xs_mkdir(toolstack, XBT_NULL, path));
    ck_assert(xs_set_permissions(toolstack, XBT_NULL, path, perms, 2));
}

static void write_state(const char *state)
{
    put_text(toolstack, M "/state", state);
}

/* As ours does it: all that the frontend needs, in this order. */
static void answer_with(const char *state)
{
    readable(M);
    write_state("init");
    put_text(toolstack, I "/backend", M);
    xs_rm(toolstack, XBT_NULL, REQUEST);
    write_state(state);
}

/* --- backends of 2008 --- */

START_TEST(no_keys)
{
    begin(10000);
    answer_with("ready");
    ck_assert_int_eq(end(), 0);
    ck_assert_uint_eq(choice.dialect, 1);
    ck_assert_uint_eq(choice.features, 0);
    ck_assert_uint_eq(choice.read_only, 0);
    all_gone("a backend of 2008");
}
END_TEST

/* The old one wrote the frontend's node first and its own state later. */
START_TEST(node_before_state)
{
    begin(10000);
    put_text(toolstack, I "/backend", M);
    for (int i = 0; i < 100 && !atomic_load(&over); i++)
        poll(NULL, 0, 1);
    ck_assert(!atomic_load(&over));
    readable(M);
    write_state("init");
    write_state("ready");
    ck_assert_int_eq(end(), 0);
    all_gone("a node before its state");
}
END_TEST

/* A state that cannot be read is not "ready". */
START_TEST(unreadable_state)
{
    begin(200);
    put_text(toolstack, M "/state", "ready");
    put_text(toolstack, I "/backend", M);
    ck_assert_int_lt(end(), 0);
    all_gone("an unreadable state");
}
END_TEST

START_TEST(leaves_the_request)
{
    begin(10000);
    readable(M);
    write_state("ready");
    put_text(toolstack, I "/backend", M);
    ck_assert_int_eq(end(), 0);
    /* Removed by nobody else: a backend that comes later does not take it for a new one. */
    all_gone("a request that stayed");
}
END_TEST

START_TEST(nobody_answers)
{
    begin(50);
    ck_assert_int_eq(end(), -FSIF_ETIMEDOUT);
    all_gone("nobody answers");
    begin(50);
    put_text(toolstack, I "/backend", M);
    ck_assert_int_lt(end(), 0);
    all_gone("nobody has a state");
    begin(50);
    answer_with("init");
    ck_assert_int_eq(end(), -FSIF_ETIMEDOUT);
    all_gone("nobody is ready");
}
END_TEST

/* --- refusals --- */

START_TEST(refused)
{
    static const struct {
        const char *state, *status;
        int wanted;
    } rows[] = {
        {"closed", "13", -FSIF_EACCES},        {"closing", "5", -FSIF_EIO},
        {"closed", NULL, -FSIF_ECONNREFUSED},  {"closed", "4096", -FSIF_ECONNREFUSED},
        {"closed", "-13", -FSIF_ECONNREFUSED}, {"closed", "no", -FSIF_ECONNREFUSED},
        {"closed", "013", -FSIF_ECONNREFUSED},
    };

    begin(10000);
    readable(M);
    if (rows[_i].status)
        put_text(toolstack, M "/status", rows[_i].status);
    answer_with(rows[_i].state);
    ck_assert_int_eq(end(), rows[_i].wanted);
    all_gone("a refusal");
}
END_TEST

/* "It is over, without an error" is no session. */
START_TEST(closed_with_status_0)
{
    begin(10000);
    readable(M);
    put_text(toolstack, M "/status", "0");
    put_text(toolstack, M "/dialect", "1");
    answer_with("closed");
    ck_assert_int_lt(end(), 0);
    all_gone("closed, status 0");
}
END_TEST

/* --- F11, F12: what a hostile backend writes --- */

START_TEST(hostile_paths)
{
    static const struct {
        const char *bytes;
        size_t len;
    } paths[] = {
        {"", 0},
        {"/local/domain/6/backend/vfs/40", 30},
        {"/local/domain/5/device/vfs/0", 28},
        {M "/", sizeof(M)},
        {M "\0", sizeof(M)},
        {M "x", sizeof(M)},
        {VFS "/040", sizeof(VFS "/040") - 1},
        {VFS "/-1", sizeof(VFS "/-1") - 1},
        {VFS "/../vfs/40", sizeof(VFS "/../vfs/40") - 1},
        {VFS "/4294967296", sizeof(VFS "/4294967296") - 1},
    };
    char huge[2000];

    memset(huge, '4', sizeof(huge));
    memcpy(huge, VFS "/", sizeof(VFS));
    readable(M);
    write_state("ready");
    for (size_t i = 0; i <= sizeof(paths) / sizeof(paths[0]); i++) {
        int last = i == sizeof(paths) / sizeof(paths[0]);

        begin(10000);
        put(toolstack, I "/backend", last ? huge : paths[i].bytes,
            last ? sizeof(huge) : paths[i].len);
        ck_assert_int_eq(end(), -FSIF_EPROTO);
        pair_close_front(&p);
    }
    all_gone("hostile paths");
}
END_TEST

/* A value that was not offered, or is none at all, is no session and no crash. */
START_TEST(hostile_keys)
{
    static const char *const keys[][2] = {
        {"dialect", "2"},
        {"dialect", "3"},
        {"dialect", "0"},
        {"dialect", "31"},
    };
    static const char *const harmless[][2] = {
        {"read-only", "2"},       {"read-only", "x"}, {"feature-errno", "2"},
        {"feature-errno", "yes"}, {"feature-x", "1"}, {"status", "13"},
    };

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        char path[64];

        begin(10000);
        snprintf(path, sizeof(path), M "/%s", keys[i][0]);
        readable(M);
        put_text(toolstack, path, keys[i][1]);
        answer_with("ready");
        ck_assert_int_lt(end(), 0);
        all_gone(path);
    }
    for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++) {
        char path[64];

        begin(10000);
        snprintf(path, sizeof(path), M "/%s", harmless[i][0]);
        readable(M);
        put_text(toolstack, path, harmless[i][1]);
        answer_with("ready");
        (void)end();
        ck_assert_uint_eq(choice.features & ~offer.features, 0);
        all_gone(path);
    }
}
END_TEST

START_TEST(flips_state)
{
    static const char *const states[] = {"closing", "closed", "", "Ready", "init", "ready ", NULL};

    begin(10000);
    answer_with("ready");
    ck_assert_int_eq(end(), 0);
    ck_assert_int_eq(xen->peer_state(p.front), FSIF_PEER_ALIVE);
    write_state("ready");
    ck_assert_int_ne(fsif_wait_fd(xen->peer_fd(p.front), POLLIN, 1000), 0);
    ck_assert_int_eq(xen->peer_state(p.front), FSIF_PEER_ALIVE);
    ck_assert_int_eq(fsif_wait_fd(xen->peer_fd(p.front), POLLIN, 0), 0);
    if (states[_i])
        write_state(states[_i]);
    else
        xs_rm(toolstack, XBT_NULL, M);
    ck_assert_int_ne(fsif_wait_fd(xen->peer_fd(p.front), POLLIN, 1000), 0);
    ck_assert_int_eq(xen->peer_state(p.front), FSIF_PEER_GONE);
    ck_assert_int_eq(xen->notify(p.front, 0), -FSIF_EPIPE);
    /* What is gone stays gone. */
    readable(M);
    write_state("ready");
    ck_assert_int_eq(xen->peer_state(p.front), FSIF_PEER_GONE);
    all_gone("a state that flips");
}
END_TEST

/* Keys of another life change nothing while the session runs. */
START_TEST(changes_features)
{
    begin(10000);
    answer_with("ready");
    ck_assert_int_eq(end(), 0);
    put_text(toolstack, M "/dialect", "2");
    put_text(toolstack, M "/feature-errno", "1");
    put_text(toolstack, I "/backend", VFS "/41");
    ck_assert_int_eq(xen->peer_state(p.front), FSIF_PEER_ALIVE);
    ck_assert_uint_eq(choice.dialect, 1);
    all_gone("changed features");
}
END_TEST

START_TEST(stale_keys)
{
    /* Of a frontend that died: its number is not used again, whatever is there. */
    put_text(guest, I "/backend", M);
    put_text(guest, I "/state", "ready");
    readable(M);
    write_state("ready");
    begin(50);
    ck_assert_int_eq(end(), -FSIF_ETIMEDOUT);
    ck_assert(value_is(I "/backend", M));
    pair_close_front(&p);
    ck_assert(xs_rm(guest, XBT_NULL, I));
    all_gone("stale keys");
}
END_TEST

START_TEST(floods)
{
    begin(10000);
    readable(M);
    write_state("init");
    put_text(toolstack, I "/backend", M);
    for (int i = 0; i < 5000; i++)
        write_state("init");
    write_state("ready");
    ck_assert_int_eq(end(), 0);
    for (int i = 0; i < 5000; i++)
        write_state("ready");
    while (fsif_wait_fd(xen->peer_fd(p.front), POLLIN, 0) > 0)
        ck_assert_int_eq(xen->peer_state(p.front), FSIF_PEER_ALIVE);
    all_gone("floods");
}
END_TEST

/* --- what there is to connect to --- */

static int list(struct fsif_dict *out)
{
    struct fsif_dict text;

    offer = (struct fsif_offer){.kind = FSIF_OFFER_EXPORTS};
    ck_assert_int_eq(fsif_offer_write(&offer, &text), 0);
    return xen->session_offer(p.front, &text, out, 1000);
}

START_TEST(lists_its_own)
{
    struct fsif_dict out;
    uint32_t more = 1;
    char value[128];

    fake_attach(0, GUEST, 7, "again", 1);
    fake_attach(0, GUEST, 8, "..", 0);
    put_text(toolstack, VFS "/exports/008/name", "x");
    pair_init(&p);
    ck_assert_int_eq(pair_connect(&p), 0);
    ck_assert_int_eq(list(&out), 0);
    ck_assert_int_gt(fsif_dict_get(&out, "export-0", value, sizeof(value)), 0);
    ck_assert_str_eq(value, "again ro");
    ck_assert_int_gt(fsif_dict_get(&out, "export-1", value, sizeof(value)), 0);
    ck_assert_str_eq(value, "data rw");
    ck_assert_int_lt(fsif_dict_get(&out, "export-2", value, sizeof(value)), 0);
    ck_assert_int_eq(fsif_dict_get_u32(&out, "more", 0, 1, &more), 0);
    ck_assert_uint_eq(more, 0);
    pair_close_front(&p);
}
END_TEST

START_TEST(many_exports)
{
    struct fsif_dict out;
    uint32_t more = 0;
    char name[32];

    for (uint32_t i = 0; i < 1000; i++) {
        snprintf(name, sizeof(name), "e%04u", i);
        fake_attach(0, GUEST, 100 + i, name, 0);
    }
    pair_init(&p);
    ck_assert_int_eq(pair_connect(&p), 0);
    ck_assert_int_eq(list(&out), 0);
    ck_assert_int_eq(fsif_dict_get_u32(&out, "more", 0, 1, &more), 0);
    ck_assert_uint_eq(more, 1);
    pair_close_front(&p);
}
END_TEST

START_TEST(no_backend_domain)
{
    struct fsif_session *s = NULL;

    fake_be(GUEST);
    ck_assert_int_lt(xen->connect("9", 100, &s), 0);
    ck_assert_int_eq(xen->connect("", 100, &s), -FSIF_EINVAL);
    ck_assert_int_eq(xen->connect("00", 100, &s), -FSIF_EINVAL);
    ck_assert_int_eq(xen->connect("32752", 100, &s), -FSIF_EINVAL);
    ck_assert_int_eq(xen->connect("0x0", 100, &s), -FSIF_EINVAL);
    fake_be(0);
    same_held(&before, "bad addresses");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("xen_frontend");
    TCase *c = tcase_create("all");

    tcase_add_checked_fixture(c, setup, xen_teardown);
    tcase_set_timeout(c, 600);
    tcase_add_test(c, no_keys);
    tcase_add_test(c, node_before_state);
    tcase_add_test(c, unreadable_state);
    tcase_add_test(c, leaves_the_request);
    tcase_add_test(c, nobody_answers);
    tcase_add_loop_test(c, refused, 0, 7);
    tcase_add_test(c, closed_with_status_0);
    tcase_add_test(c, hostile_paths);
    tcase_add_test(c, hostile_keys);
    tcase_add_loop_test(c, flips_state, 0, 7);
    tcase_add_test(c, changes_features);
    tcase_add_test(c, stale_keys);
    tcase_add_test(c, floods);
    tcase_add_test(c, lists_its_own);
    tcase_add_test(c, many_exports);
    tcase_add_test(c, no_backend_domain);
    suite_add_tcase(s, c);
    return run_suite(s);
}
