/* SPDX-License-Identifier: MIT */
/* The toolstack's half of the xen transport: all or nothing, whatever fails. */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "suite.h"
#include "xen_fixture.h"

static struct fsif_toolstack *stack;
static struct held before;

static void setup(void)
{
    xen_setup();
    ck_assert_int_eq(xen->toolstack_open(&stack), 0);
    held_now(&before);
}

static void teardown(void)
{
    xen->toolstack_close(stack);
    xen_teardown();
}

static struct fsif_attachment attachment(uint32_t domid, const char *name)
{
    struct fsif_attachment a = {.domid = domid, .backend = FSIF_DOMAIN_SELF};

    snprintf(a.export_name, sizeof(a.export_name), "%s", name);
    return a;
}

/* A guest uses what was attached, and nothing of it is left when it is detached. */
START_TEST(attached_and_used)
{
    struct fsif_attachment a = attachment(GUEST, "more");
    struct pair p;

    ck_assert_int_eq(xen->attach(stack, &a), 1);
    ck_assert_int_eq(xen->attach(stack, &a), 0);
    xen_listen();
    pair_init(&p);
    strcpy(p.export, "more");
    ck_assert_int_eq(pair_open(&p), 0);
    ck_assert_int_eq(xen->detach(stack, &a), 0);
    ck_assert_int_eq(xen->detach(stack, &a), -FSIF_ENOENT);
    ck_assert_ptr_null(take_peer());
    ck_assert_int_eq(xen->peer_state(p.back), FSIF_PEER_GONE);
    pair_close(&p);
    xen_unlisten();
    same_held(&before, "attached and detached");
}
END_TEST

/* Nobody but this guest sees or writes anything of it. */
START_TEST(others_see_nothing)
{
    struct fsif_attachment a = attachment(GUEST, "more");
    char path[160];
    unsigned len;

    ck_assert_int_eq(xen->attach(stack, &a), 1);
    snprintf(path, sizeof(path), VFS "/exports/%u/name", a.number);
    free(xs_read(guest, XBT_NULL, path, &len));
    ck_assert_ptr_null(xs_read(other, XBT_NULL, path, &len));
    ck_assert_int_eq(errno, EACCES);
    ck_assert(!xs_write(guest, XBT_NULL, path, "x", 1));
    snprintf(path, sizeof(path), REQUESTS "/5/%u/frontend", a.number);
    ck_assert(!xs_write(other, XBT_NULL, path, "x", 1));
    ck_assert(xs_write(guest, XBT_NULL, path, "x", 1));
    ck_assert_ptr_null(xs_read(other, XBT_NULL, path, &len));
}
END_TEST

/* The n-th call fails, for each n: what was there before, or all of the attachment. */
static void fail_each(int error, int (*act)(struct fsif_attachment *a), int undone)
{
    for (uint32_t n = 1; n < 300; n++) {
        struct fsif_attachment a = attachment(GUEST, "more");
        char *was, *now;
        int ret;

        if (undone)
            ck_assert_int_eq(xen->attach(stack, &a), 1);
        was = fake_dump();
        fake_fail(n, error);
        ret = act(&a);
        if (!fake_failed()) {
            fake_fail(0, 0);
            free(was);
            ck_assert_int_ge(ret, 0);
            ck_assert_uint_gt(n, 5);
            return;
        }
        now = fake_dump();
        if (ret < 0)
            ck_assert_str_eq(now, was);
        fake_fail(0, 0);
        free(was);
        free(now);
        a = attachment(GUEST, "more");
        ret = xen->detach(stack, &a);
        ck_assert(ret == 0 || ret == -FSIF_ENOENT);
        same_held(&before, "a call that failed");
    }
    ck_abort_msg("it fails for ever");
}

static int do_attach(struct fsif_attachment *a)
{
    return xen->attach(stack, a);
}

static int do_detach(struct fsif_attachment *a)
{
    return xen->detach(stack, a);
}

START_TEST(each_call_fails)
{
    static const int errors[] = {EIO, ENOMEM, ENOSPC, EACCES, EAGAIN};

    fail_each(errors[_i], do_attach, 0);
}
END_TEST

START_TEST(each_call_of_detach_fails)
{
    static const int errors[] = {EIO, ENOMEM, EACCES, EAGAIN};

    fail_each(errors[_i], do_detach, 1);
}
END_TEST

START_TEST(conflicts)
{
    struct fsif_attachment a = attachment(GUEST, "more");
    char *was = fake_dump();
    char *now;

    fake_conflicts(UINT32_MAX);
    ck_assert_int_eq(xen->attach(stack, &a), -FSIF_EBUSY);
    now = fake_dump();
    ck_assert_str_eq(now, was);
    fake_conflicts(5);
    ck_assert_int_eq(xen->attach(stack, &a), 1);
    free(was);
    free(now);
}
END_TEST

START_TEST(no_such_domain)
{
    struct fsif_attachment a = attachment(9, "more");

    ck_assert_int_eq(xen->attach(stack, &a), -FSIF_ENOENT);
    a = attachment(GUEST, "no/name");
    ck_assert_int_eq(xen->attach(stack, &a), -FSIF_EINVAL);
    a = attachment(UINT32_MAX, "more");
    ck_assert_int_lt(xen->attach(stack, &a), 0);
    same_held(&before, "nothing attached");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("xen_toolstack");
    TCase *c = tcase_create("all");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_set_timeout(c, 60);
    tcase_add_test(c, attached_and_used);
    tcase_add_test(c, others_see_nothing);
    tcase_add_loop_test(c, each_call_fails, 0, 5);
    tcase_add_loop_test(c, each_call_of_detach_fails, 0, 4);
    tcase_add_test(c, conflicts);
    tcase_add_test(c, no_such_domain);
    suite_add_tcase(s, c);
    return run_suite(s);
}
