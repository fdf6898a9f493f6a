/* SPDX-License-Identifier: MIT */
/* Devices of the toolstack's: what attach makes, sessions on them and their ends. */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "suite.h"
#include "xen_device_fixture.h"

static struct held calm;

static void setup(void)
{
    device_setup();
    held_now(&calm);
}

/* --- attach --- */

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
    if (strcmp(text, wanted) != 0)
        ck_abort_msg("%s is %s", path, text);
}

START_TEST(made_by_attach)
{
    unsigned len;

    ck_assert(states("1", "2"));
    ck_assert(value_is(BACK "/frontend", FRONT));
    ck_assert(value_is(BACK "/frontend-id", "5"));
    ck_assert(value_is(BACK "/name", "data"));
    ck_assert(value_is(BACK "/mode", "rw"));
    ck_assert(value_is(FRONT "/backend", BACK));
    ck_assert(value_is(FRONT "/backend-id", "0"));
    permissions("/local/domain/0/backend/fsif", "n0");
    permissions("/local/domain/0/backend/fsif/5", "n0");
    permissions(BACK, "n0 r5");
    permissions(BACK "/state", "n0 r5");
    permissions("/local/domain/5/device/fsif", "n5 r0");
    permissions(FRONT, "n5 r0");
    permissions(FRONT "/backend", "n5 r0");
    permissions(FRONT "/state", "n5 b0");
    /* The guest reads its own, writes nothing of ours, and others see none of it. */
    free(xs_read(guest, XBT_NULL, BACK "/name", &len));
    ck_assert(!xs_write(guest, XBT_NULL, BACK "/state", "4", 1));
    ck_assert(!xs_write(guest, XBT_NULL, BACK "/mode", "rw", 2));
    ck_assert_ptr_null(xs_read(other, XBT_NULL, BACK "/name", &len));
    ck_assert_ptr_null(xs_read(other, XBT_NULL, FRONT "/state", &len));
    ck_assert(!xs_write(other, XBT_NULL, FRONT "/state", "3", 1));
    ck_assert_ptr_null(xs_directory(guest, XBT_NULL, "/local/domain/0/backend/fsif", &len));
}
END_TEST

/* What the guest removed of its side is there again, and its own numbers are left alone. */
START_TEST(attached_again)
{
    struct fsif_attachment a = {.domid = GUEST, .backend = 0, .export_name = "data"};
    struct fsif_attachment more = {.domid = GUEST, .backend = 0, .export_name = "more"};

    xs_rm(guest, XBT_NULL, FRONT);
    put_text(guest, "/local/domain/5/device/fsif/4/x", "mine");
    a.read_only = 1;
    ck_assert_int_eq(xen->attach(stack, &a), 0);
    ck_assert(value_is(FRONT "/backend", BACK));
    ck_assert(value_is(BACK "/mode", "ro"));
    permissions(FRONT "/state", "n5 b0");
    ck_assert_int_eq(xen->attach(stack, &more), 1);
    ck_assert(value_is("/local/domain/0/backend/fsif/5/4", NULL));
    ck_assert(value_is("/local/domain/0/backend/fsif/5/5/name", "more"));
    ck_assert(value_is("/local/domain/5/device/fsif/4/x", "mine"));
    ck_assert_int_eq(xen->detach(stack, &a), 0);
    ck_assert(value_is(BACK, NULL));
    ck_assert(value_is(FRONT, NULL));
    ck_assert(value_is("/local/domain/0/backend/fsif/5/5/name", "more"));
    ck_assert_int_eq(xen->detach(stack, &more), 0);
    ck_assert(value_is("/local/domain/0/backend/fsif", NULL));
}
END_TEST

/* --- a session --- */

START_TEST(comes_and_goes)
{
    for (int i = 0; i < 4; i++) {
        struct device d;
        char name[64];
        uint32_t n;

        device_init(&d);
        ck_assert_int_eq(device_open(&d), 0);
        ck_assert(states("4", "4"));
        ck_assert(value_is(BACK "/status", "0"));
        ck_assert(value_is(BACK "/dialect", "3"));
        ck_assert(value_is(FRONT "/dialects", "3"));
        ck_assert_int_gt(fsif_dict_get(&d.offer, "export", name, sizeof(name)), 0);
        ck_assert_str_eq(name, "data");
        ck_assert_int_gt(fsif_dict_get(&d.offer, "request", name, sizeof(name)), 0);
        ck_assert_str_eq(name, "session");
        ck_assert_int_eq(fsif_dict_get_u32(&d.offer, "fsif", 1, 1, &n), 0);
        ck_assert_int_eq(fsif_dict_get_u32(&d.offer, "directory", 0, UINT32_MAX, &n), 0);
        ck_assert_uint_eq(n, d.grefs[0]);
        ck_assert_int_eq(fsif_dict_get_u32(&d.answer, "dialect", 3, 3, &n), 0);
        ck_assert_int_eq(xen->notify(d.front, 0), 0);
        ck_assert_int_eq(xen->notify(d.back, 0), 0);
        ck_assert_int_eq(xen->peer_state(d.front), FSIF_PEER_ALIVE);
        ck_assert_int_eq(xen->peer_state(d.back), FSIF_PEER_ALIVE);
        if (i % 2 == 0)
            device_close_front(&d);
        else
            device_close_back(&d);
        device_calm();
        ck_assert(i % 2 == 0 ? states("6", "5") : states("4", "6"));
        device_close(&d);
        ck_assert(states(i % 2 == 0 ? "1" : "1", "2"));
        ck_assert(value_is(BACK "/status", NULL));
        xs_rm(toolstack, XBT_NULL, FRONT "/dialects");
    }
    /* Only keys of the last life stay, on the guest's side: the next one removes them. */
    xs_rm(toolstack, XBT_NULL, FRONT "/features");
    xs_rm(toolstack, XBT_NULL, FRONT "/pages");
    xs_rm(toolstack, XBT_NULL, FRONT "/directory");
    xs_rm(toolstack, XBT_NULL, FRONT "/canary-ref");
    xs_rm(toolstack, XBT_NULL, FRONT "/event-channel");
    same_held(&calm, "sessions on a device");
}
END_TEST

START_TEST(queues)
{
    struct device d;

    device_init(&d);
    d.queues = 5;
    d.chosen = 3;
    ck_assert_int_eq(device_open(&d), 0);
    ck_assert(value_is(FRONT "/queues", "5"));
    ck_assert(value_is(FRONT "/event-channel", NULL));
    for (uint32_t q = 0; q < 3; q++) {
        /* The one that comes with binding. */
        xen->acknowledge(d.back, q);
        ck_assert_int_eq(fsif_wait_fd(xen->event_fd(d.back, q), POLLIN, 0), 0);
    }
    for (uint32_t q = 0; q < 3; q++) {
        ck_assert_int_eq(xen->notify(d.front, q), 0);
        for (uint32_t k = 0; k < 3; k++)
            ck_assert_int_eq(fsif_wait_fd(xen->event_fd(d.back, k), POLLIN, 0),
                             k == q ? POLLIN : 0);
        xen->acknowledge(d.back, q);
        ck_assert_int_eq(xen->notify(d.back, q), 0);
        ck_assert_int_eq(fsif_wait_fd(xen->event_fd(d.front, q), POLLIN, 0), POLLIN);
        xen->acknowledge(d.front, q);
        ck_assert_int_eq(fsif_wait_fd(xen->event_fd(d.front, q), POLLIN, 0), 0);
    }
    ck_assert_int_eq(xen->notify(d.front, 3), -FSIF_EINVAL);
    ck_assert_int_eq(xen->notify(d.back, 3), -FSIF_EINVAL);
    ck_assert_int_eq(xen->event_fd(d.back, UINT32_MAX), -FSIF_EINVAL);
    xen->acknowledge(d.front, 3);
    device_close(&d);
}
END_TEST

/* The whole area in one call, and the directory by copies. */
START_TEST(area)
{
    uint32_t *list = calloc(700, sizeof(*list));
    struct device d;
    uint32_t word;
    void *out;

    device_init(&d);
    d.pages = 700;
    ck_assert_int_eq(device_open(&d), 0);
    memcpy(d.memory, &d.grefs[1], sizeof(*d.grefs));
    ck_assert_int_eq(xen->copy_from(d.back, d.grefs[0], 0, &word, sizeof(word)), 0);
    ck_assert_uint_eq(word, d.grefs[1]);
    for (uint32_t i = 0; i < 699; i++)
        list[i] = d.grefs[699 - i];
    ck_assert_int_eq(xen->map(d.back, list, 699, &out), 0);
    d.memory[699 * FSIF_PAGE_SIZE] = 77;
    ck_assert_uint_eq(*(unsigned char *)out, 77);
    ((unsigned char *)out)[698 * FSIF_PAGE_SIZE] = 78;
    ck_assert_uint_eq(d.memory[FSIF_PAGE_SIZE], 78);
    xen->unmap(d.back, out, 699);
    list[698] = list[0];
    ck_assert_int_eq(xen->map(d.back, list, 699, &out), -FSIF_EINVAL);
    list[698] = 4000000000u;
    ck_assert_int_eq(xen->map(d.back, list, 699, &out), -FSIF_EFAULT);
    ck_assert_int_eq(xen->map(d.back, list, 65537, &out), -FSIF_EINVAL);
    free(list);
    device_close(&d);
}
END_TEST

START_TEST(too_many_pages)
{
    struct device d;

    device_init(&d);
    d.pages = 1100;
    fake_grant_limit(2000);
    ck_assert_int_eq(device_open(&d), -FSIF_E2BIG);
    device_close(&d);
    ck_assert(states("1", "2"));
}
END_TEST

/* A device carries one session; more go to others, and then by old nodes. */
START_TEST(several_at_once)
{
    struct device d[4], more;

    for (uint32_t i = 0; i < 4; i++) {
        device_init(&d[i]);
        d[i].process = i + 1;
        ck_assert_int_eq(device_open(&d[i]), 0);
    }
    device_init(&more);
    more.process = 9;
    ck_assert_int_eq(device_open(&more), -FSIF_EOPNOTSUPP);
    more.dialects = "1 3";
    ck_assert_int_eq(device_open(&more), 0);
    ck_assert(value_is(GUEST_VFS "/0/state", "ready"));
    device_close(&more);
    for (uint32_t i = 0; i < 4; i++) {
        ck_assert_int_eq(xen->peer_state(d[i].front), FSIF_PEER_ALIVE);
        device_close(&d[i]);
    }
    device_init(&more);
    ck_assert_int_eq(device_open(&more), 0);
    device_close(&more);
}
END_TEST

START_TEST(refused_and_again)
{
    struct device d;

    device_init(&d);
    d.refuse = FSIF_EAGAIN;
    ck_assert_int_eq(device_open(&d), -FSIF_EAGAIN);
    device_calm();
    ck_assert(states("1", "2"));
    /* On the same connection. */
    d.refuse = 0;
    ck_assert_int_eq(device_open(&d), 0);
    device_close(&d);
}
END_TEST

START_TEST(attached_by_an_older_toolstack)
{
    struct device d;

    xs_rm(toolstack, XBT_NULL, "/local/domain/5/device/fsif");
    xs_rm(toolstack, XBT_NULL, "/local/domain/0/backend/fsif");
    device_init(&d);
    ck_assert_int_eq(device_open(&d), -FSIF_EOPNOTSUPP);
    d.export_name = "nothing";
    ck_assert_int_eq(device_open(&d), -FSIF_ENOENT);
    d.export_name = "data";
    d.dialects = "1 3";
    ck_assert_int_eq(device_open(&d), 0);
    ck_assert(value_is(GUEST_VFS "/0/state", "ready"));
    device_close(&d);
}
END_TEST

/* Nobody serves: a frontend that knows the old nodes asks by them. */
START_TEST(no_daemon)
{
    struct device d;

    xen_unlisten();
    ck_assert(states("1", "1"));
    device_init(&d);
    d.timeout_ms = 50;
    ck_assert_int_eq(device_open(&d), -FSIF_EOPNOTSUPP);
    d.dialects = "1 3";
    ck_assert_int_eq(device_open(&d), -FSIF_ETIMEDOUT);
    device_close(&d);
}
END_TEST

START_TEST(stale_keys)
{
    struct device d;
    uint32_t n;

    put_text(guest, FRONT "/queues", "16");
    put_text(guest, FRONT "/event-channel-7", "7");
    put_text(guest, FRONT "/arena-pages", "9");
    put_text(guest, FRONT "/export", "secret");
    put_text(guest, FRONT "/deep/er", "x");
    device_init(&d);
    ck_assert_int_eq(device_open(&d), 0);
    ck_assert(value_is(FRONT "/queues", NULL));
    ck_assert(value_is(FRONT "/event-channel-7", NULL));
    ck_assert(value_is(FRONT "/export", NULL));
    ck_assert(value_is(FRONT "/deep", NULL));
    ck_assert(value_is(FRONT "/backend", BACK));
    ck_assert_int_eq(fsif_dict_get_u32(&d.offer, "arena-pages", 0, 99, &n), -FSIF_ENOENT);
    device_close(&d);
}
END_TEST

/* --- ends --- */

START_TEST(frontend_killed)
{
    struct device d;

    device_init(&d);
    ck_assert_int_eq(device_open(&d), 0);
    xen->acknowledge(d.back, 0);
    fake_kill(d.process);
    ck_assert_int_gt(fsif_wait_fd(xen->event_fd(d.back, 0), POLLIN, 1000), 0);
    xen->acknowledge(d.back, 0);
    ck_assert_int_eq(xen->peer_state(d.back), FSIF_PEER_GONE);
    device_close_back(&d);
    device_calm();
    /* Nobody is there to close it: it is given back after a while. */
    ck_assert(states("4", "6"));
    while (!value_is(BACK "/state", "2")) {
        fsif_wait_fd(xen->listener_fd(listener), POLLIN, 1000);
        device_calm();
    }
    ck_assert(states("1", "2"));
    device_close(&d);
    device_init(&d);
    d.process = 2;
    ck_assert_int_eq(device_open(&d), 0);
    device_close(&d);
}
END_TEST

START_TEST(worker_killed)
{
    struct device d;

    device_init(&d);
    ck_assert_int_eq(device_open(&d), 0);
    device_close_back(&d);
    device_calm();
    ck_assert(states("4", "6"));
    ck_assert_int_eq(xen->peer_state(d.front), FSIF_PEER_GONE);
    ck_assert_int_eq(xen->notify(d.front, 0), -FSIF_EPIPE);
    device_close(&d);
    ck_assert(states("1", "2"));
}
END_TEST

START_TEST(guest_destroyed)
{
    struct device d;

    device_init(&d);
    ck_assert_int_eq(device_open(&d), 0);
    fake_destroy(GUEST);
    device_calm();
    ck_assert_int_eq(xen->peer_state(d.back), FSIF_PEER_GONE);
    device_close(&d);
    ck_assert(value_is("/local/domain/0/backend/fsif/5", NULL));
    ck_assert(value_is("/local/domain/5", NULL));
}
END_TEST

START_TEST(detached)
{
    struct fsif_attachment a = {.domid = GUEST, .backend = 0, .export_name = "data"};
    struct device d;

    device_init(&d);
    ck_assert_int_eq(device_open(&d), 0);
    ck_assert_int_eq(xen->detach(stack, &a), 0);
    device_calm();
    ck_assert_int_eq(xen->peer_state(d.back), FSIF_PEER_GONE);
    ck_assert_int_eq(xen->peer_state(d.front), FSIF_PEER_GONE);
    device_close(&d);
    /* Nothing was written too late. */
    ck_assert(value_is("/local/domain/0/backend/fsif", NULL));
    ck_assert(value_is("/local/domain/5/device/fsif", NULL));
    device_init(&d);
    ck_assert_int_eq(device_open(&d), -FSIF_ENOENT);
    device_close(&d);
}
END_TEST

START_TEST(mode_changed)
{
    struct fsif_attachment a = {
        .domid = GUEST, .backend = 0, .export_name = "data", .read_only = 1};
    struct device d;

    device_init(&d);
    ck_assert_int_eq(device_open(&d), 0);
    ck_assert_int_eq(xen->attach(stack, &a), 0);
    device_calm();
    ck_assert_int_eq(xen->peer_state(d.back), FSIF_PEER_GONE);
    device_close(&d);
}
END_TEST

START_TEST(daemon_ends_and_comes_back)
{
    struct device d;

    device_init(&d);
    ck_assert_int_eq(device_open(&d), 0);
    xen_unlisten();
    ck_assert(states("1", "1"));
    ck_assert_int_eq(xen->peer_state(d.front), FSIF_PEER_GONE);
    ck_assert_int_eq(xen->peer_state(d.back), FSIF_PEER_GONE);
    device_close(&d);
    ck_assert(states("1", "1"));
    xen_listen();
    device_calm();
    ck_assert(states("1", "2"));
    /* One that was killed: its session's states are there, and a frontend that waits. */
    xen_unlisten();
    put_text(toolstack, BACK "/state", "4");
    put_text(toolstack, BACK "/status", "0");
    put_text(toolstack, FRONT "/state", "4");
    put_text(toolstack, "/local/domain/0/backend/fsif/5/1/state", "2");
    put_text(guest, "/local/domain/5/device/fsif/1/state", "3");
    xen_listen();
    d.peer = take_peer();
    ck_assert_ptr_null(d.peer);
    ck_assert(states("1", "2"));
    ck_assert(value_is(BACK "/status", NULL));
    /* What waited had said nothing of an event channel. */
    ck_assert(value_is("/local/domain/0/backend/fsif/5/1/state", "6"));
}
END_TEST

/* A backend without privileges: it has what attach gives it. */
START_TEST(driver_domain)
{
    struct fsif_attachment a = {.domid = GUEST, .backend = OTHER, .export_name = "data"};
    struct device d;

    xen_unlisten();
    ck_assert_int_eq(xen->attach(stack, &a), 1);
    permissions("/local/domain/5/device/fsif", "n5 r6 r0");
    fake_be(OTHER);
    xen_listen();
    fake_be(0);
    device_calm();
    for (int i = 0; i < 3; i++) {
        device_init(&d);
        d.address = "6";
        d.queues = d.chosen = 2;
        ck_assert_int_eq(device_open(&d), 0);
        ck_assert(value_is("/local/domain/5/device/fsif/4/state", "4"));
        ck_assert(value_is("/local/domain/6/backend/fsif/5/4/state", "4"));
        permissions("/local/domain/6/backend/fsif/5/4/queues", "n6 r5");
        ck_assert(states("1", "1"));
        if (i == 1)
            device_close_back(&d);
        device_close(&d);
        ck_assert(value_is("/local/domain/5/device/fsif/4/state", "1"));
        ck_assert(value_is("/local/domain/6/backend/fsif/5/4/state", "2"));
    }
    ck_assert_int_eq(device_open(&d), 0);
    ck_assert_int_eq(xen->detach(stack, &a), 0);
    device_calm();
    ck_assert_int_eq(xen->peer_state(d.back), FSIF_PEER_GONE);
    device_close(&d);
    ck_assert(value_is("/local/domain/6/backend/fsif", NULL));
    ck_assert(value_is("/local/domain/5/device/fsif/4", NULL));
    ck_assert(value_is("/local/domain/5/device/fsif/0/state", "1"));
}
END_TEST

/* --- what fails --- */

/* The n-th call of a library fails, for each n until none does: nothing stays held. */
START_TEST(each_call_fails)
{
    static const int errors[] = {EIO, ENOENT, EAGAIN, ENOMEM};
    const int error = errors[_i];
    struct held before;
    struct device d;
    char what[128];

    xen_unlisten();
    held_now(&before);
    for (uint32_t n = 1; n < 900; n++) {
        const char *name;

        fake_fail(n, error);
        device_init(&d);
        d.timeout_ms = 50;
        if (xen->listen("all", &listener) == 0) {
            if (device_open(&d) == 0 && d.back)
                (void)xen->peer_state(d.back);
            device_close_front(&d);
            device_close_back(&d);
            if (take_peer())
                ck_abort_msg("a peer is left");
        }
        xen_unlisten();
        name = fake_failed();
        fake_fail(0, 0);
        if (!name) {
            ck_assert_uint_gt(n, 60);
            return;
        }
        /* What was left undone is done by the next daemon; keys are the guest's own. */
        xen_listen();
        device_calm();
        xen_unlisten();
        for (unsigned i = 0; i < 4; i++) {
            static const char *const keys[] = {"dialects",  "features",   "pages",
                                               "directory", "canary-ref", "event-channel"};

            for (unsigned k = 0; k < 6; k++) {
                snprintf(what, sizeof(what), "/local/domain/5/device/fsif/%u/%s", i, keys[k]);
                xs_rm(guest, XBT_NULL, what);
            }
        }
        snprintf(what, sizeof(what), "failure %d of call %u, %s", error, n, name);
        same_held(&before, what);
        ck_assert(states("1", "1"));
    }
    ck_abort_msg("it fails for ever");
}
END_TEST

START_TEST(conflicts)
{
    struct device d;

    device_init(&d);
    fake_conflicts(10);
    ck_assert_int_eq(device_open(&d), 0);
    device_close(&d);
    ck_assert(states("1", "2"));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("xen_device");
    TCase *c = tcase_create("all");

    tcase_add_checked_fixture(c, setup, device_teardown);
    tcase_set_timeout(c, 100);
    tcase_add_test(c, made_by_attach);
    tcase_add_test(c, attached_again);
    tcase_add_test(c, comes_and_goes);
    tcase_add_test(c, queues);
    tcase_add_test(c, area);
    tcase_add_test(c, too_many_pages);
    tcase_add_test(c, several_at_once);
    tcase_add_test(c, refused_and_again);
    tcase_add_test(c, attached_by_an_older_toolstack);
    tcase_add_test(c, no_daemon);
    tcase_add_test(c, stale_keys);
    tcase_add_test(c, frontend_killed);
    tcase_add_test(c, worker_killed);
    tcase_add_test(c, guest_destroyed);
    tcase_add_test(c, detached);
    tcase_add_test(c, mode_changed);
    tcase_add_test(c, daemon_ends_and_comes_back);
    tcase_add_test(c, driver_domain);
    tcase_add_loop_test(c, each_call_fails, 0, 4);
    tcase_add_test(c, conflicts);
    suite_add_tcase(s, c);
    return run_suite(s);
}
