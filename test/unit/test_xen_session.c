/* SPDX-License-Identifier: MIT */
/* The xen transport's sessions, both sides in one process, on libraries that stand for Xen's. */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fsif/negotiate.h>

#include "suite.h"
#include "xen_fixture.h"

/* What both sides do with a session that runs. Returns 0 or the first error. */
static int use(struct pair *p)
{
    unsigned char *page = (unsigned char *)p->memory + FSIF_PAGE_SIZE;
    unsigned char bytes[16];
    int ret = xen->notify(p->front, 0);

    if (ret == 0)
        ret = xen->notify(p->back, 0);
    xen->acknowledge(p->back, 0);
    xen->acknowledge(p->front, 0);
    memset(page, 'a', 16);
    if (ret == 0)
        ret = xen->copy_from(p->back, p->grefs[1], 0, bytes, sizeof(bytes));
    if (ret == 0)
        ret = memcmp(bytes, page, sizeof(bytes)) != 0;
    memset(bytes, 'b', sizeof(bytes));
    if (ret == 0)
        ret = xen->copy_to(p->back, p->grefs[1], FSIF_PAGE_SIZE - 16, bytes, sizeof(bytes));
    if (ret == 0)
        ret = memcmp(bytes, page + FSIF_PAGE_SIZE - 16, sizeof(bytes)) != 0;
    return ret;
}

START_TEST(comes_and_goes)
{
    struct held before, listening;
    struct pair p;

    held_now(&before);
    xen_listen();
    xen_unlisten();
    /* The nodes that guests look for stay. */
    same_held(&before, "listen and close");
    xen_listen();
    ck_assert_ptr_null(take_peer());
    held_now(&listening);
    for (int i = 0; i < 3; i++) {
        pair_init(&p);
        ck_assert_int_eq(pair_open(&p), 0);
        ck_assert_int_eq(use(&p), 0);
        ck_assert_int_eq(xen->peer_state(p.front), FSIF_PEER_ALIVE);
        ck_assert_int_eq(xen->peer_state(p.back), FSIF_PEER_ALIVE);
        if (i == 0)
            pair_close_front(&p);
        else if (i == 1)
            pair_close_back(&p);
        pair_close(&p);
        same_held(&listening, "a session");
    }
}
END_TEST

/* The ring is shared memory; the first event is there without a ring of the bell. */
START_TEST(memory_and_bells)
{
    struct pair p;

    xen_listen();
    pair_init(&p);
    ck_assert_int_eq(pair_open(&p), 0);
    memset(p.memory, 0x5a, 64);
    ck_assert_int_eq(memcmp(p.ring, p.memory, 64), 0);
    ck_assert_int_eq(fsif_wait_fd(xen->event_fd(p.back, 0), POLLIN, 0), POLLIN);
    xen->acknowledge(p.back, 0);
    ck_assert_int_eq(fsif_wait_fd(xen->event_fd(p.back, 0), POLLIN, 0), 0);
    for (int i = 0; i < 1000; i++)
        ck_assert_int_eq(xen->notify(p.front, 0), 0);
    ck_assert_int_gt(fsif_wait_fd(xen->event_fd(p.back, 0), POLLIN, 0), 0);
    xen->acknowledge(p.back, 0);
    xen->acknowledge(p.back, 0);
    xen->acknowledge(p.back, 0);
    ck_assert_int_eq(fsif_wait_fd(xen->event_fd(p.back, 0), POLLIN, 0), 0);
    ck_assert_int_eq(fsif_wait_fd(xen->event_fd(p.front, 0), POLLIN, 0), 0);
    ck_assert_int_eq(xen->notify(p.front, 1), -FSIF_EINVAL);
    pair_close(&p);
}
END_TEST

/* The n-th call of a library fails, for each n until none does: nothing stays held. */
static void fail_each(int error, int dialect2)
{
    struct held before;
    struct pair p;
    char what[128];
    const char *name;

    held_now(&before);
    for (uint32_t n = 1; n < 400; n++) {
        int ret;

        fake_fail(n, error);
        ret = xen->listen("all", &listener);
        pair_init(&p);
        p.timeout_ms = 50;
        if (dialect2) {
            p.ring_pages = 2;
            p.dialects = FSIF_DIALECT_BIT(2);
        }
        if (ret == 0) {
            if (pair_open(&p) == 0 && p.back)
                (void)use(&p);
            pair_close(&p);
        }
        xen_unlisten();
        name = fake_failed();
        fake_fail(0, 0);
        if (!name) {
            ck_assert_uint_gt(n, 50);
            return;
        }
        /* What a removal left lies there until the next backend comes, or the guest ends. */
        xen_listen();
        xen_unlisten();
        xs_rm(guest, XBT_NULL, GUEST_VFS "/0");
        snprintf(what, sizeof(what), "failure %d of call %u, %s", error, n, name);
        same_held(&before, what);
    }
    ck_abort_msg("it fails for ever");
}

START_TEST(each_call_fails)
{
    static const int errors[] = {EIO, ENOENT, EAGAIN, ENOMEM};

    fail_each(errors[_i / 2], _i % 2);
}
END_TEST

START_TEST(few_descriptors)
{
    struct rlimit limit, old;
    struct held before;
    struct pair p;
    int done = 0;

    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
    held_now(&before);
    for (unsigned n = 3; !done; n++) {
        limit = (struct rlimit){n, old.rlim_max};
        ck_assert_uint_lt(n, 100);
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
        pair_init(&p);
        p.timeout_ms = 50;
        if (xen->listen("all", &listener) == 0) {
            done = pair_open(&p) == 0;
            if (done)
                ck_assert_int_eq(use(&p), 0);
            pair_close(&p);
        }
        xen_unlisten();
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
        same_held(&before, "too few descriptors");
    }
}
END_TEST

/* --- grants --- */

START_TEST(too_many_pages)
{
    struct held connected;
    struct pair p;
    int ret;

    fake_be(GUEST);
    pair_init(&p);
    ck_assert_int_eq(xen->connect("0", 1000, &p.front), 0);
    held_now(&connected);
    for (uint32_t limit = 0; limit < 66; limit += 13) {
        uint32_t grefs[65];

        fake_grant_limit(limit);
        ret = xen->share(p.front, 65, &p.memory, grefs);
        ck_assert(ret == -FSIF_ENOSPC || ret == -FSIF_ENOMEM);
        same_held(&connected, "a share that failed");
    }
    /* Fewer go. */
    fake_grant_limit(20);
    p.grefs = calloc(65, sizeof(*p.grefs));
    ck_assert_int_eq(xen->share(p.front, 10, &p.memory, p.grefs), 0);
    ck_assert_int_eq(xen->share(p.front, 10, &p.memory, p.grefs), -FSIF_EINVAL);
    pair_close(&p);
}
END_TEST

START_TEST(grants_end)
{
    unsigned char bytes[16] = {0};
    void *mem;
    struct pair p;
    uint32_t twice[2], never[2];

    xen_listen();
    pair_init(&p);
    ck_assert_int_eq(pair_open(&p), 0);
    fake_read_only(GUEST, p.grefs[3]);
    ck_assert_int_eq(xen->copy_from(p.back, p.grefs[3], 0, bytes, 16), 0);
    ck_assert_int_eq(xen->copy_to(p.back, p.grefs[3], 0, bytes, 16), -FSIF_EACCES);
    ck_assert_int_eq(xen->map(p.back, &p.grefs[3], 1, &mem), -FSIF_EFAULT);
    fake_revoke(GUEST, p.grefs[4]);
    ck_assert_int_eq(xen->copy_from(p.back, p.grefs[4], 0, bytes, 16), -FSIF_EFAULT);
    ck_assert_int_eq(xen->copy_to(p.back, p.grefs[4], 0, bytes, 16), -FSIF_EFAULT);
    ck_assert_int_eq(xen->copy_from(p.back, 4000000000u, 0, bytes, 16), -FSIF_EFAULT);
    ck_assert_int_eq(xen->copy_from(p.back, p.grefs[5], 4090, bytes, 7), -FSIF_EINVAL);
    ck_assert_int_eq(xen->copy_from(p.back, p.grefs[5], UINT32_MAX, bytes, 2), -FSIF_EINVAL);
    ck_assert_int_eq(xen->copy_to(p.back, p.grefs[5], 4096, bytes, 0), 0);
    twice[0] = twice[1] = p.grefs[6];
    ck_assert_int_eq(xen->map(p.back, twice, 2, &mem), -FSIF_EINVAL);
    never[0] = p.grefs[6];
    never[1] = 12345678;
    ck_assert_int_eq(xen->map(p.back, never, 2, &mem), -FSIF_EFAULT);
    ck_assert_int_eq(xen->map(p.back, never, 0, &mem), -FSIF_EINVAL);
    pair_close(&p);
}
END_TEST

/* B17: one page of the ring twice, never granted, read-only: no session, nothing stays mapped. */
START_TEST(bad_rings)
{
    struct held calm;

    xen_listen();
    held_now(&calm);
    for (int how = 0; how < 4; how++) {
        struct pair p;
        uint32_t gref;
        int ret;

        pair_init(&p);
        p.ring_pages = 4;
        p.dialects = FSIF_DIALECT_BIT(2);
        ck_assert_int_eq(pair_connect(&p), 0);
        gref = p.grefs[2];
        if (how == 0)
            p.grefs[2] = p.grefs[1];
        else if (how == 1)
            p.grefs[2] = 4000000000u;
        else if (how == 2)
            fake_read_only(GUEST, gref);
        else
            fake_revoke(GUEST, gref);
        ret = pair_open(&p);
        ck_assert_int_eq(ret, -FSIF_ECONNREFUSED);
        ck_assert_uint_eq(p.status, how == 0 ? FSIF_EINVAL : FSIF_EFAULT);
        ck_assert_ptr_null(p.ring);
        pair_close(&p);
        same_held(&calm, "a bad ring");
    }
}
END_TEST

/* --- ends --- */

/* The frontend's process is killed: its byte of the canary is cleared, and the bell rings. */
START_TEST(frontend_killed)
{
    struct held before;
    struct pair p;

    xen_listen();
    ck_assert_ptr_null(take_peer());
    held_now(&before);
    pair_init(&p);
    ck_assert_int_eq(pair_open(&p), 0);
    xen->acknowledge(p.back, 0);
    fake_kill(p.process);
    ck_assert_int_gt(fsif_wait_fd(xen->event_fd(p.back, 0), POLLIN, 1000), 0);
    xen->acknowledge(p.back, 0);
    ck_assert_int_ne(fsif_wait_fd(xen->peer_fd(p.back), POLLIN, 1000), 0);
    ck_assert_int_eq(xen->peer_state(p.back), FSIF_PEER_GONE);
    ck_assert_int_eq(xen->notify(p.back, 0), -FSIF_EPIPE);
    pair_close(&p);
    same_held(&before, "a killed frontend");
}
END_TEST

/* The backend's worker is killed, its supervisor lives. */
START_TEST(worker_killed)
{
    struct held before;
    struct pair p;

    xen_listen();
    ck_assert_ptr_null(take_peer());
    held_now(&before);
    pair_init(&p);
    ck_assert_int_eq(pair_open(&p), 0);
    xen->acknowledge(p.front, 0);
    pair_close_back(&p);
    ck_assert_int_gt(fsif_wait_fd(xen->event_fd(p.front, 0), POLLIN, 1000), 0);
    xen->acknowledge(p.front, 0);
    ck_assert_int_ne(fsif_wait_fd(xen->peer_fd(p.front), POLLIN, 1000), 0);
    ck_assert_int_eq(xen->peer_state(p.front), FSIF_PEER_GONE);
    ck_assert_int_eq(xen->notify(p.front, 0), -FSIF_EPIPE);
    pair_close(&p);
    same_held(&before, "a killed worker");
}
END_TEST

/* A destroyed guest clears nothing; its nodes and @releaseDomain tell. */
START_TEST(guest_destroyed)
{
    struct pair p;

    xen_listen();
    pair_init(&p);
    ck_assert_int_eq(pair_open(&p), 0);
    fake_destroy(GUEST);
    ck_assert_ptr_null(take_peer());
    ck_assert_int_ne(fsif_wait_fd(xen->peer_fd(p.back), POLLIN, 1000), 0);
    ck_assert_int_eq(xen->peer_state(p.back), FSIF_PEER_GONE);
    pair_close(&p);
    ck_assert(value_is(REQUESTS "/5", NULL));
    ck_assert(value_is(VFS "/exports/1", NULL));
    ck_assert(value_is(REQUESTS "/6", ""));
}
END_TEST

/* One for each domain, and no name that others could take before. */
START_TEST(one_listener)
{
    struct fsif_listener *second = NULL;

    xen_listen();
    ck_assert_int_eq(xen->listen("all", &second), -FSIF_EBUSY);
    ck_assert_ptr_null(second);
    xen_unlisten();
    xen_listen();
}
END_TEST

START_TEST(supervisor_ends)
{
    struct pair p;

    xen_listen();
    pair_init(&p);
    ck_assert_int_eq(pair_open(&p), 0);
    xen_unlisten();
    ck_assert_int_ne(fsif_wait_fd(xen->peer_fd(p.front), POLLIN, 1000), 0);
    ck_assert_int_eq(xen->peer_state(p.front), FSIF_PEER_GONE);
    ck_assert_int_ne(fsif_wait_fd(xen->peer_fd(p.back), POLLIN, 1000), 0);
    ck_assert_int_eq(xen->peer_state(p.back), FSIF_PEER_GONE);
    pair_close(&p);
}
END_TEST

START_TEST(detached)
{
    struct pair p;

    xen_listen();
    pair_init(&p);
    ck_assert_int_eq(pair_open(&p), 0);
    fake_detach(0, GUEST, DATA);
    ck_assert_ptr_null(take_peer());
    ck_assert_int_eq(xen->peer_state(p.back), FSIF_PEER_GONE);
    pair_close(&p);
    pair_init(&p);
    ck_assert_int_eq(pair_open(&p), -FSIF_ECONNREFUSED);
    ck_assert_uint_eq(p.status, FSIF_ENOENT);
    pair_close(&p);
}
END_TEST

/* --- conflicts --- */

START_TEST(transactions_conflict)
{
    struct held before;
    struct pair p;

    xen_listen();
    ck_assert_ptr_null(take_peer());
    held_now(&before);
    pair_init(&p);
    fake_conflicts(10);
    ck_assert_int_eq(pair_open(&p), 0);
    ck_assert_int_eq(use(&p), 0);
    pair_close(&p);
    same_held(&before, "some conflicts");
    /* For ever: it gives up, and says that something is busy. */
    fake_conflicts(UINT32_MAX);
    pair_init(&p);
    p.timeout_ms = 100;
    ck_assert_int_eq(pair_open(&p), -FSIF_ETIMEDOUT);
    fake_conflicts(0);
    pair_close(&p);
    same_held(&before, "many conflicts");
}
END_TEST

/* --- a backend that died --- */

START_TEST(dead_backend)
{
    struct held before;
    struct pair p;

    put_text(toolstack, VFS "/77/state", "ready");
    put_text(toolstack, VFS "/78/frontend", GUEST_VFS "/0");
    xen_listen();
    ck_assert(value_is(VFS "/77", NULL));
    ck_assert(value_is(VFS "/78", NULL));
    ck_assert_ptr_null(take_peer());
    held_now(&before);
    pair_init(&p);
    ck_assert_int_eq(pair_open(&p), 0);
    pair_close(&p);
    same_held(&before, "a session after it");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("xen_session");
    TCase *c = tcase_create("all");

    tcase_add_checked_fixture(c, xen_setup, xen_teardown);
    tcase_set_timeout(c, 100);
    tcase_add_test(c, comes_and_goes);
    tcase_add_test(c, memory_and_bells);
    tcase_add_loop_test(c, each_call_fails, 0, 8);
    tcase_add_test(c, few_descriptors);
    tcase_add_test(c, too_many_pages);
    tcase_add_test(c, grants_end);
    tcase_add_test(c, bad_rings);
    tcase_add_test(c, frontend_killed);
    tcase_add_test(c, worker_killed);
    tcase_add_test(c, guest_destroyed);
    tcase_add_test(c, one_listener);
    tcase_add_test(c, supervisor_ends);
    tcase_add_test(c, detached);
    tcase_add_test(c, transactions_conflict);
    tcase_add_test(c, dead_backend);
    suite_add_tcase(s, c);
    return run_suite(s);
}
