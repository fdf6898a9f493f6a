/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fsif/host.h>
#include <fsif/loop.h>

#include "scratch.h"
#include "suite.h"

/* PLUGIN_DIR: this build's plugins. BAD_PLUGIN: one whose vtable has another ABI version. */

static struct fsif_registry *r;

static void setup(void)
{
    ck_assert_int_eq(fsif_registry_create("", &r), 0);
}

static void teardown(void)
{
    fsif_registry_destroy(r);
}

static void error_has(const char *words)
{
    if (!strstr(fsif_registry_error(r), words))
        ck_abort_msg("\"%s\" does not say \"%s\"", fsif_registry_error(r), words);
}

START_TEST(linked_in)
{
    const struct fsif_transport *t = NULL;
    struct fsif_transport other = fsif_transport_loop;

    ck_assert_int_eq(fsif_registry_transport(r, "loop", &t), -FSIF_ENOENT);
    error_has("not linked in");
    ck_assert_int_eq(fsif_registry_add_transport(r, &fsif_transport_loop), 0);
    ck_assert_int_eq(fsif_registry_transport(r, "loop", &t), 0);
    ck_assert_ptr_eq(t, &fsif_transport_loop);
    ck_assert_str_eq(fsif_registry_error(r), "");
    ck_assert_int_eq(fsif_registry_add_transport(r, &other), -FSIF_EEXIST);
    other.name = "loop-2";
    ck_assert_int_eq(fsif_registry_add_transport(r, &other), 0);
    ck_assert_int_eq(fsif_registry_transport(r, "loop-2", &t), 0);
    ck_assert_ptr_eq(t, &other);
}
END_TEST

START_TEST(names)
{
    static const char *const bad[] = {"",    "Loop", "../loop", "a/b",
                                      "a.b", "a b",  "loop\n",  "abcdefghijklmnopqrstuvwxyz012345"};
    const struct fsif_transport *t;
    const struct fsif_store_ops *s;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct fsif_transport named = fsif_transport_loop;

        ck_assert_int_eq(fsif_registry_transport(r, bad[i], &t), -FSIF_EINVAL);
        ck_assert_int_eq(fsif_registry_store(r, bad[i], &s), -FSIF_EINVAL);
        named.name = bad[i];
        ck_assert_int_eq(fsif_registry_add_transport(r, &named), -FSIF_EINVAL);
    }
}
END_TEST

START_TEST(transport_checks)
{
    struct fsif_transport t = fsif_transport_loop;

    t.abi++;
    ck_assert_int_eq(fsif_registry_add_transport(r, &t), -FSIF_EINVAL);
    error_has("ABI");
    t = fsif_transport_loop;
    t.size--;
    ck_assert_int_eq(fsif_registry_add_transport(r, &t), -FSIF_EINVAL);
    error_has("too small");
    t = fsif_transport_loop;
    t.flags = FSIF_TRANSPORT_EDGES << 1;
    ck_assert_int_eq(fsif_registry_add_transport(r, &t), -FSIF_EINVAL);
    error_has("flags");
    t = fsif_transport_loop;
    t.name = NULL;
    ck_assert_int_eq(fsif_registry_add_transport(r, &t), -FSIF_EINVAL);
    error_has("name");
    t = fsif_transport_loop;
    t.lend = NULL;
    t.size += 64; /* a later version with members that we do not know */
    ck_assert_int_eq(fsif_registry_add_transport(r, &t), 0);
}
END_TEST

/* Without any one member of the session part a transport is refused, and the reason names it. */
START_TEST(transport_members)
{
    static const struct {
        size_t at;
        const char *name;
    } members[] = {
#define M(m) {offsetof(struct fsif_transport, m), #m}
        M(session_import),
        M(session_next_offer),
        M(session_accept_memory),
        M(session_answer),
        M(map),
        M(unmap),
        M(copy_from),
        M(copy_to),
        M(connect),
        M(share),
        M(session_offer),
        M(notify),
        M(event_fd),
        M(acknowledge),
        M(peer_fd),
        M(peer_state),
        M(close),
    };

    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        struct fsif_transport t = fsif_transport_loop;

        memset((char *)&t + members[i].at, 0, sizeof(void (*)(void)));
        ck_assert_int_eq(fsif_registry_add_transport(r, &t), -FSIF_EINVAL);
        error_has(members[i].name);
    }
}
END_TEST

static int some_fd(struct fsif_listener *l)
{
    (void)l;
    return -1;
}

START_TEST(half_a_listener)
{
    struct fsif_transport t = fsif_transport_loop;

    t.listener_fd = some_fd;
    ck_assert_int_eq(fsif_registry_add_transport(r, &t), -FSIF_EINVAL);
    error_has("listen");
}
END_TEST

static int no_ended(struct fsif_listener *l, uint32_t *domid)
{
    (void)l;
    (void)domid;
    return -FSIF_EAGAIN;
}

static void no_close(struct fsif_toolstack *t)
{
    (void)t;
}

START_TEST(half_a_toolstack)
{
    struct fsif_transport t = fsif_transport_loop;

    t.listener_ended = no_ended;
    ck_assert_int_eq(fsif_registry_add_transport(r, &t), -FSIF_EINVAL);
    error_has("listen");
    t = fsif_transport_loop;
    t.toolstack_close = no_close;
    ck_assert_int_eq(fsif_registry_add_transport(r, &t), -FSIF_EINVAL);
    error_has("toolstack_open");
}
END_TEST

START_TEST(store_members)
{
    struct fsif_store_ops s = {.size = sizeof(s), .abi = FSIF_STORE_ABI, .name = "none"};

    ck_assert_int_eq(fsif_registry_add_store(r, &s), -FSIF_EINVAL);
    error_has("create");
    s.abi = 99;
    ck_assert_int_eq(fsif_registry_add_store(r, &s), -FSIF_EINVAL);
    error_has("ABI");
}
END_TEST

START_TEST(loads_plugins)
{
    const struct fsif_transport *t, *again;

    fsif_registry_destroy(r);
    ck_assert_int_eq(fsif_registry_create(PLUGIN_DIR, &r), 0);
    ck_assert_int_eq(fsif_registry_transport(r, "shm", &t), 0);
    ck_assert_str_eq(t->name, "shm");
    ck_assert_int_eq(fsif_registry_transport(r, "shm", &again), 0);
    ck_assert_ptr_eq(t, again);
    ck_assert_int_eq(fsif_registry_transport(r, "nothing", &t), -FSIF_ENOENT);
    error_has("fsif-transport-nothing.so");
}
END_TEST

START_TEST(refuses_plugins)
{
    char dir[256], path[512], command[4096];
    const struct fsif_transport *t;
    FILE *f;

    scratch_make(dir, sizeof(dir));
    fsif_registry_destroy(r);
    ck_assert_int_eq(fsif_registry_create(dir, &r), 0);

    f = fopen(scratch_path(path, sizeof(path), dir, "fsif-transport-text.so"), "w");
    ck_assert_ptr_nonnull(f);
    fputs("not an object\n", f);
    fclose(f);
    ck_assert_int_eq(fsif_registry_transport(r, "text", &t), -FSIF_EINVAL);
    error_has("cannot load");

    snprintf(command, sizeof(command),
             "cp '%s/fsif-transport-shm.so' '%s/fsif-transport-other.so' && "
             "cp '%s/fsif-transport-shm.so' '%s/fsif-store-shm.so' && "
             "cp '%s' '%s/fsif-transport-bad.so'",
             PLUGIN_DIR, dir, PLUGIN_DIR, dir, BAD_PLUGIN, dir);
    ck_assert_int_eq(system(command), 0);
    ck_assert_int_eq(fsif_registry_transport(r, "other", &t), -FSIF_EINVAL);
    error_has("calls itself shm");
    ck_assert_int_eq(fsif_registry_store(r, "shm", &(const struct fsif_store_ops *){NULL}),
                     -FSIF_EINVAL);
    error_has("no symbol fsif_store_plugin");
    ck_assert_int_eq(fsif_registry_transport(r, "bad", &t), -FSIF_EINVAL);
    error_has("ABI");
    scratch_remove(dir);
}
END_TEST

START_TEST(default_directory)
{
    const struct fsif_transport *t;

    fsif_registry_destroy(r);
    ck_assert_int_eq(fsif_registry_create(NULL, &r), 0);
    ck_assert_int_eq(fsif_registry_transport(r, "nothing", &t), -FSIF_ENOENT);
    error_has("/fsif/fsif-transport-nothing.so");
    fsif_registry_destroy(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("host_registry");
    TCase *t = tcase_create("all");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, linked_in);
    tcase_add_test(t, names);
    tcase_add_test(t, transport_checks);
    tcase_add_test(t, transport_members);
    tcase_add_test(t, half_a_listener);
    tcase_add_test(t, half_a_toolstack);
    tcase_add_test(t, store_members);
    tcase_add_test(t, loads_plugins);
    tcase_add_test(t, refuses_plugins);
    tcase_add_test(t, default_directory);
    suite_add_tcase(suite, t);
    return run_suite(suite);
}
