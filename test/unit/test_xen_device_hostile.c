/* SPDX-License-Identifier: MIT */
/* Devices, when one side writes what it likes: the guest its own directory, the backend its own. */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "suite.h"
#include "xen_device_fixture.h"

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

static struct held calm;

static void setup(void)
{
    device_setup();
    held_now(&calm);
}

/* --- the guest --- */

/* A good offer, as a frontend writes it. */
static void write_good(void)
{
    put_text(guest, FRONT "/dialects", "3");
    put_text(guest, FRONT "/features", "errno");
    put_text(guest, FRONT "/pages", "40");
    put_text(guest, FRONT "/directory", "8");
    put_text(guest, FRONT "/canary-ref", "9");
    put_text(guest, FRONT "/event-channel", "1");
}

static void ask(void)
{
    put_text(guest, FRONT "/state", "3");
}

/* The guest goes back to where it was; then nothing is left but what attach made. */
static void back_to_calm(const char *what)
{
    put_text(guest, FRONT "/state", "6");
    device_calm();
    ck_assert(value_is(BACK "/state", "2"));
    ck_assert(value_is(BACK "/status", NULL));
    for (const char *const *k = (const char *const[]){"dialects", "features", "pages", "directory",
                                                      "canary-ref", "event-channel", NULL};
         *k; k++) {
        char path[128];

        snprintf(path, sizeof(path), FRONT "/%s", *k);
        xs_rm(guest, XBT_NULL, path);
    }
    put_text(toolstack, FRONT "/state", "1");
    device_calm();
    same_held(&calm, what);
}

/* Nothing comes of it but a word. */
static void refused(const char *what, const char *status)
{
    ask();
    if (take_peer())
        ck_abort_msg("%s is taken", what);
    if (!value_is(BACK "/state", "6") || !value_is(BACK "/status", status))
        ck_abort_msg("%s", what);
}

static void accepted(const char *what)
{
    struct fsif_peer *peer;

    ask();
    peer = take_peer();
    if (!peer)
        ck_abort_msg("%s is not taken", what);
    ck_assert(value_is(BACK "/state", "2"));
    xen->peer_close(peer);
    device_calm();
}

START_TEST(well_formed)
{
    struct fsif_credentials who;
    struct fsif_peer *peer;

    write_good();
    ask();
    peer = take_peer();
    ck_assert_ptr_nonnull(peer);
    ck_assert_int_eq(xen->peer_credentials(peer, &who), 0);
    ck_assert_uint_eq(who.kind, FSIF_CREDENTIAL_DOMAIN);
    ck_assert_uint_eq(who.domid, GUEST);
    ck_assert_uint_eq(who.uuid[15], GUEST);
    ck_assert_uint_eq(who.read_only, 0);
    /* Asked again it is the same session. */
    ask();
    device_calm();
    xen->peer_close(peer);
    device_calm();
    back_to_calm("an offer without a worker");
}
END_TEST

struct bad {
    const char *node;
    const char *value; /* NULL: removed */
    size_t len;
};
#define BAD(node, value)                                                                           \
    {                                                                                              \
        node, value, sizeof(value) - 1                                                             \
    }
static const struct bad bad_nodes[] = {
    {"event-channel", NULL, 0},
    BAD("event-channel", ""),
    BAD("event-channel", "-1"),
    BAD("event-channel", "01"),
    BAD("event-channel", "2147483648"),
    BAD("event-channel", "1\0"),
    BAD("canary-ref", "x"),
    BAD("canary-ref", "4294967296"),
    BAD("queues", "0"),
    BAD("queues", "17"),
    BAD("queues", "2"),
    BAD("queues", "4294967297"),
    BAD("queues", "one"),
    BAD("pages", "4\n0"),
    BAD("pages", "40\0"),
    BAD("dialects", "3\x80"),
    BAD("max-io", "\x01"),
    BAD("Key", "1"),
    BAD("a_key", "1"),
};

START_TEST(B18_bad_nodes)
{
    const struct bad *b = &bad_nodes[_i];
    char path[128];

    write_good();
    snprintf(path, sizeof(path), FRONT "/%s", b->node);
    if (b->value)
        put(guest, path, b->value, b->len);
    else
        xs_rm(guest, XBT_NULL, path);
    refused(path, "71");
    xs_rm(guest, XBT_NULL, path);
    back_to_calm(path);
}
END_TEST

/* Too many, too long, and what is not the guest's to say. */
START_TEST(B18_much)
{
    char path[128];
    char value[300];
    struct fsif_peer *peer;
    struct fsif_session *s;
    struct fsif_dict offer;

    write_good();
    for (int i = 0; i < 64; i++) {
        snprintf(path, sizeof(path), FRONT "/k%d", i);
        put_text(guest, path, "");
    }
    refused("64 keys more", "71");
    for (int i = 0; i < 64; i++) {
        snprintf(path, sizeof(path), FRONT "/k%d", i);
        xs_rm(guest, XBT_NULL, path);
    }
    back_to_calm("many keys");

    memset(value, 'v', sizeof(value));
    value[255] = '\0';
    write_good();
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof(path), FRONT "/k%d", i);
        put_text(guest, path, value);
    }
    refused("long keys", "7");
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof(path), FRONT "/k%d", i);
        xs_rm(guest, XBT_NULL, path);
    }
    put_text(guest, FRONT "/state", "6");
    device_calm();
    put(guest, FRONT "/k", value, 255);
    put(guest, FRONT "/a-name-that-is-longer-than-any-key-can-be", "1", 1);
    put_text(guest, FRONT "/export", "other");
    put_text(guest, FRONT "/request", "exports");
    put_text(guest, FRONT "/fsif", "9");
    write_good();
    ask();
    peer = take_peer();
    ck_assert_ptr_nonnull(peer);
    ck_assert_int_eq(import_peer(peer, &s), 0);
    xen->peer_close(peer);
    ck_assert_int_eq(xen->session_next_offer(s, &offer), 0);
    ck_assert_int_gt(fsif_dict_get(&offer, "export", value, sizeof(value)), 0);
    ck_assert_str_eq(value, "data");
    ck_assert_int_gt(fsif_dict_get(&offer, "request", value, sizeof(value)), 0);
    ck_assert_str_eq(value, "session");
    xen->close(s);
    device_calm();
}
END_TEST

/* Another's nodes in its directory, or nodes that we may not read. */
START_TEST(B18_foreign_nodes)
{
    struct xs_permissions to_all[2] = {{.id = GUEST, .perms = XS_PERM_NONE},
                                       {.id = OTHER, .perms = XS_PERM_READ | XS_PERM_WRITE}};

    write_good();
    ck_assert(xs_rm(guest, XBT_NULL, FRONT "/event-channel"));
    ck_assert(xs_set_permissions(guest, XBT_NULL, FRONT, to_all, 2));
    put_text(other, FRONT "/event-channel", "1");
    refused("another guest's event channel", "13");
}
END_TEST

START_TEST(B18_unreadable)
{
    struct xs_permissions closed = {.id = GUEST, .perms = XS_PERM_NONE};

    /* Domain 0 reads everything; what it may not write it leaves. */
    write_good();
    ck_assert(xs_set_permissions(guest, XBT_NULL, FRONT "/state", &closed, 1));
    accepted("a state of its own");
    xs_rm(guest, XBT_NULL, FRONT);
    device_calm();
    ck_assert(value_is(BACK "/state", "2"));
    ck_assert(value_is(FRONT, NULL));
}
END_TEST

/* Any state, when none is asked for and while a session runs. */
static const char *const jumps[] = {"1", "2", "5", "6", "7", "0", "", "ready", "03", "4294967299"};

START_TEST(B14_state_jumps)
{
    struct device d;

    put_text(guest, FRONT "/state", jumps[_i]);
    device_calm();
    ck_assert(value_is(BACK "/state", "2"));
    put_text(toolstack, FRONT "/state", "1");
    device_init(&d);
    ck_assert_int_eq(device_open(&d), 0);
    put_text(guest, FRONT "/state", jumps[_i]);
    device_calm();
    ck_assert(value_is(BACK "/state", "5"));
    ck_assert_int_eq(xen->peer_state(d.back), FSIF_PEER_GONE);
    device_close_back(&d);
    while (!value_is(BACK "/state", "2")) {
        fsif_wait_fd(xen->listener_fd(listener), POLLIN, 1000);
        device_calm();
    }
    device_close(&d);
    device_init(&d);
    ck_assert_int_eq(device_open(&d), 0);
    device_close(&d);
}
END_TEST

/* It takes its directory away, in the middle of everything. */
START_TEST(B14_directory_removed)
{
    struct device d;

    device_init(&d);
    ck_assert_int_eq(device_open(&d), 0);
    xs_rm(guest, XBT_NULL, "/local/domain/5/device/fsif");
    device_calm();
    ck_assert_int_eq(xen->peer_state(d.back), FSIF_PEER_GONE);
    device_close(&d);
    ck_assert(states("", "2"));
    ck_assert(value_is("/local/domain/5/device/fsif", NULL));
}
END_TEST

START_TEST(B18_own_numbers)
{
    char path[128];

    for (int i = 0; i < 300; i++) {
        snprintf(path, sizeof(path), "/local/domain/5/device/fsif/%d/state", 100 + i);
        put_text(guest, path, "3");
    }
    put_text(guest, "/local/domain/5/device/fsif/x/state", "3");
    put_text(guest, "/local/domain/5/device/fsif/00/state", "3");
    device_calm();
    ck_assert(states("1", "2"));
    ck_assert(value_is("/local/domain/0/backend/fsif/5/100", NULL));
}
END_TEST

START_TEST(B14_thousand_flips)
{
    struct device d;

    for (int i = 0; i < 1000; i++) {
        struct fsif_peer *peer;

        put_text(guest, FRONT "/state", i % 3 ? "3" : "1");
        if (i % 7)
            continue;
        peer = take_peer();
        if (peer)
            xen->peer_close(peer);
    }
    put_text(guest, FRONT "/state", "6");
    device_calm();
    ck_assert(value_is(BACK "/state", "2"));
    device_init(&d);
    ck_assert_int_eq(device_open(&d), 0);
    device_close(&d);
}
END_TEST

START_TEST(B17_bad_channels)
{
    struct device d, second;

    device_init(&d);
    ck_assert_int_eq(device_open(&d), 0);
    /* A session's port once more, and one that nobody has. */
    for (int i = 0; i < 2; i++) {
        put_text(guest, "/local/domain/5/device/fsif/1/pages", "40");
        put_text(guest, "/local/domain/5/device/fsif/1/dialects", "3");
        put_text(guest, "/local/domain/5/device/fsif/1/event-channel", i ? "1022" : "1");
        put_text(guest, "/local/domain/5/device/fsif/1/state", "3");
        second = (struct device){.chosen = 1, .peer = take_peer()};
        ck_assert_ptr_nonnull(second.peer);
        device_serve(&second);
        ck_assert_int_eq(second.accepted, -FSIF_EPROTO);
        device_calm();
        ck_assert(value_is("/local/domain/0/backend/fsif/5/1/state", "6"));
        ck_assert(value_is("/local/domain/0/backend/fsif/5/1/status", "71"));
        put_text(guest, "/local/domain/5/device/fsif/1/state", "1");
        device_calm();
        ck_assert(value_is("/local/domain/0/backend/fsif/5/1/state", "2"));
    }
    ck_assert_int_eq(xen->peer_state(d.front), FSIF_PEER_ALIVE);
    device_close(&d);
}
END_TEST

/* --- the worker --- */

/* A worker that was taken over answers what it likes. */
START_TEST(hostile_worker)
{
    static const char *const answers[] = {"x", "a=b\n", "status=4096\n", "status=-1\n"};
    struct fsif_session *s;
    struct fsif_peer *peer;
    struct fsif_dict answer;

    write_good();
    ask();
    peer = take_peer();
    ck_assert_int_eq(import_peer(peer, &s), 0);
    xen->peer_close(peer);
    fsif_dict_init(&answer);
    strcpy(answer.text, answers[_i]);
    answer.used = (uint32_t)strlen(answers[_i]);
    ck_assert_int_eq(xen->session_answer(s, &answer, 0), 0);
    device_calm();
    ck_assert(value_is(BACK "/state", "2"));
    xen->close(s);
    device_calm();
    ck_assert(value_is(BACK "/state", "6"));
    back_to_calm("a hostile answer");
}
END_TEST

START_TEST(worker_writes_no_other_nodes)
{
    struct fsif_session *s;
    struct fsif_peer *peer;
    struct fsif_dict answer;

    write_good();
    ask();
    peer = take_peer();
    ck_assert_int_eq(import_peer(peer, &s), 0);
    xen->peer_close(peer);
    fsif_dict_init(&answer);
    fsif_dict_put_u32(&answer, "status", 1);
    fsif_dict_put(&answer, "state", "4");
    fsif_dict_put(&answer, "name", "other");
    fsif_dict_put(&answer, "frontend-id", "6");
    fsif_dict_put(&answer, "mode", "rw");
    ck_assert_int_eq(xen->session_answer(s, &answer, 0), 0);
    device_calm();
    ck_assert(value_is(BACK "/state", "6"));
    ck_assert(value_is(BACK "/name", "data"));
    ck_assert(value_is(BACK "/frontend-id", "5"));
    xen->close(s);
    device_calm();
    back_to_calm("a hostile answer");
}
END_TEST

/* --- the backend --- */

static struct device d;
static _Atomic int over;
static pthread_t thread;

static void *offer_thread(void *arg)
{
    (void)arg;
    ck_assert_int_le(device_open(&d), 0);
    atomic_store(&over, 1);
    return NULL;
}

/* A frontend that asks a backend which is written by hand. */
static void begin(uint32_t queues, int timeout_ms)
{
    unsigned len;
    char *state = NULL;

    xen_unlisten();
    put_text(toolstack, BACK "/state", "2");
    device_init(&d);
    d.queues = queues;
    d.timeout_ms = timeout_ms;
    atomic_store(&over, 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, offer_thread, NULL), 0);
    do {
        free(state);
        poll(NULL, 0, 1);
        state = xs_read(toolstack, XBT_NULL, FRONT "/state", &len);
    } while (strcmp(state, "3") != 0);
    free(state);
}

static int end(void)
{
    pthread_join(thread, NULL);
    return d.offered ? d.offered : -(int)d.status;
}

static void all_gone(void)
{
    device_close(&d);
    ck_assert(value_is(FRONT "/state", "6") || value_is(FRONT "/state", "1"));
}

struct reply {
    const char *state;
    const char *status; /* NULL: none */
    const char *queues;
    int expected;
};
static const struct reply replies[] = {
    {"4", "0", NULL, 0},
    {"4", "0", "2", 0},
    {"4", NULL, NULL, -FSIF_EPROTO},
    {"4", "1", NULL, -FSIF_EPROTO},
    {"4", "0", "3", -FSIF_EPROTO},
    {"4", "0", "0", -FSIF_EPROTO},
    {"4", "0", "x", -FSIF_EPROTO},
    {"4", "\n", NULL, -FSIF_EPROTO},
    {"5", NULL, NULL, -FSIF_ECONNREFUSED},
    {"6", NULL, NULL, -FSIF_ECONNREFUSED},
    {"6", "0", NULL, -FSIF_ECONNREFUSED},
    {"6", "11", NULL, -FSIF_EAGAIN},
    {"6", "4096", NULL, -FSIF_ECONNREFUSED},
    {"6", "x", NULL, -FSIF_ECONNREFUSED},
    {"1", NULL, NULL, -FSIF_EPIPE},
    {"7", NULL, NULL, -FSIF_EPIPE},
    {"ready", NULL, NULL, -FSIF_EPIPE},
    {"", NULL, NULL, -FSIF_EPIPE},
};

START_TEST(F11_replies)
{
    const struct reply *r = &replies[_i];

    begin(2, 10000);
    if (r->status)
        put_text(toolstack, BACK "/status", r->status);
    if (r->queues)
        put_text(toolstack, BACK "/queues", r->queues);
    put_text(toolstack, BACK "/state", r->state);
    ck_assert_int_eq(end(), r->expected);
    if (r->expected == 0)
        ck_assert_int_eq(xen->notify(d.front, r->queues ? 2 : 1), -FSIF_EINVAL);
    all_gone();
}
END_TEST

START_TEST(F11_never_answers)
{
    begin(1, 100);
    ck_assert_int_eq(end(), -FSIF_ETIMEDOUT);
    all_gone();
}
END_TEST

/* It frees the device while we wait, or takes it away. */
START_TEST(F11_vanishes)
{
    begin(1, 10000);
    if (_i == 0)
        xs_rm(toolstack, XBT_NULL, BACK);
    else if (_i == 1)
        put_text(toolstack, BACK "/state", "2");
    if (_i >= 1) {
        put_text(toolstack, FRONT "/state", "1");
        put_text(toolstack, BACK "/state", "2");
    }
    ck_assert_int_eq(end(), -FSIF_EPIPE);
    device_close(&d);
}
END_TEST

START_TEST(F11_flips_while_it_runs)
{
    static const char *const flips[] = {"1", "2", "3", "5", "6", "x"};

    begin(1, 10000);
    put_text(toolstack, BACK "/status", "0");
    put_text(toolstack, BACK "/state", "4");
    ck_assert_int_eq(end(), 0);
    ck_assert(value_is(FRONT "/state", "4"));
    put_text(toolstack, BACK "/status", "5");
    ck_assert_int_eq(xen->peer_state(d.front), FSIF_PEER_ALIVE);
    put_text(toolstack, BACK "/state", flips[_i]);
    ck_assert_int_ne(fsif_wait_fd(xen->peer_fd(d.front), POLLIN, 1000), 0);
    ck_assert_int_eq(xen->peer_state(d.front), FSIF_PEER_GONE);
    all_gone();
}
END_TEST

/* A device of ours that leads to somebody else, or nowhere. */
START_TEST(F11_other_paths)
{
    static const char *const paths[] = {
        "",
        "/local/domain/0/backend/fsif/6/0",
        "/local/domain/0/backend/fsif/5/00",
        "/local/domain/6/backend/fsif/5/0",
        "/local/domain/0/backend/fsif/5/0/",
        "/local/domain/0/backend/vfs/0",
    };

    for (int n = 1; n < 4; n++) {
        char path[128];

        snprintf(path, sizeof(path), "/local/domain/5/device/fsif/%d", n);
        xs_rm(toolstack, XBT_NULL, path);
    }
    for (int i = 0; i < COUNT(paths); i++) {
        device_init(&d);
        put_text(toolstack, FRONT "/backend", paths[i]);
        ck_assert_int_eq(device_open(&d), -FSIF_EOPNOTSUPP);
        ck_assert(value_is(FRONT "/state", "1"));
        device_close(&d);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("xen_device_hostile");
    TCase *c = tcase_create("all");

    tcase_add_checked_fixture(c, setup, device_teardown);
    tcase_set_timeout(c, 60);
    tcase_add_test(c, well_formed);
    tcase_add_loop_test(c, B18_bad_nodes, 0, COUNT(bad_nodes));
    tcase_add_test(c, B18_much);
    tcase_add_test(c, B18_foreign_nodes);
    tcase_add_test(c, B18_unreadable);
    tcase_add_loop_test(c, B14_state_jumps, 0, COUNT(jumps));
    tcase_add_test(c, B14_directory_removed);
    tcase_add_test(c, B18_own_numbers);
    tcase_add_test(c, B14_thousand_flips);
    tcase_add_test(c, B17_bad_channels);
    tcase_add_loop_test(c, hostile_worker, 0, 4);
    tcase_add_test(c, worker_writes_no_other_nodes);
    tcase_add_loop_test(c, F11_replies, 0, COUNT(replies));
    tcase_add_test(c, F11_never_answers);
    tcase_add_loop_test(c, F11_vanishes, 0, 3);
    tcase_add_loop_test(c, F11_flips_while_it_runs, 0, 6);
    tcase_add_test(c, F11_other_paths);
    suite_add_tcase(s, c);
    return run_suite(s);
}
