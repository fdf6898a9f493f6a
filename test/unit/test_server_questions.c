/* SPDX-License-Identifier: MIT */
/* What the daemon's supervisor answers to a worker that may be compromised. */
#include <check.h>
#include <fcntl.h>
#include <fsif/error.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "suite.h"
#include "workers.h"

static struct fsi_options options;
static struct fsi_supervisor supervisor;
static struct fsi_worker worker;
static const struct fsif_transport transport = {.name = "test"};
static int far; /* the worker's end of the control channel */

static struct fsi_export *add(const char *name, const char *source, const char *uid)
{
    struct fsi_error err;
    struct fsi_export *e;

    ck_assert_int_eq(fsi_options_export(&options, name, &e, &err), 0);
    ck_assert_int_eq(fsi_export_set(e, "source", source, &err), 0);
    ck_assert_int_eq(fsi_export_set(e, "allow-uid", uid, &err), 0);
    return e;
}

static void setup(void)
{
    static const struct fsi_self self = {0, 0, 65534, 65534, 1};
    int pair[2];
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

    fsi_options_init(&options);
    add("mine", "memory:words", "7");
    add("other", "memory:", "8");
    add("root", "/", "7")->root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    memset(&supervisor, 0, sizeof(supervisor));
    supervisor.options = &options;
    supervisor.self = self;
    fsif_log_init(&supervisor.peer_log, null, FSIF_LOG_INFO, "test");
    fsif_log_init(&supervisor.fault_log, null, FSIF_LOG_INFO, "test");
    ck_assert_int_eq(fsi_control_pair(pair), 0);
    memset(&worker, 0, sizeof(worker));
    worker.supervisor = &supervisor;
    worker.transport = &transport;
    worker.control = pair[0];
    worker.who.kind = FSIF_CREDENTIAL_USER;
    worker.who.uid = 7;
    worker.who.gid = 70;
    far = pair[1];
}

static void teardown(void)
{
    close(worker.control);
    close(far);
    close(supervisor.peer_log.fd);
    fsi_options_fini(&options);
}

START_TEST(test_granted)
{
    struct fsi_opening opening;
    struct fsif_dict d;
    int fd;

    ck_assert_int_eq(fsi_worker_answer_export(&worker, "mine"), 0);
    ck_assert_int_eq(fsi_control_receive(far, &d, &fd), 0);
    ck_assert_int_eq(fd, -1);
    ck_assert_int_eq(fsi_opening_read(&d, &opening), 0);
    ck_assert_int_eq(opening.status, 0);
    ck_assert_str_eq(opening.store, "memory");
    ck_assert_str_eq(opening.source, "words");
    ck_assert_uint_eq(opening.config.map, FSIF_MAP_OWNER);
    ck_assert_uint_eq(opening.config.uid, 7);
    ck_assert_uint_eq(opening.config.gid, 70);
    ck_assert_str_eq(worker.export_name, "mine");
}
END_TEST

START_TEST(test_directory)
{
    struct fsi_opening opening;
    struct fsif_dict d;
    struct stat ours;
    struct stat root;
    int fd;

    ck_assert_int_eq(fsi_worker_answer_export(&worker, "root"), 0);
    ck_assert_int_eq(fsi_control_receive(far, &d, &fd), 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fstat(fd, &ours), 0);
    ck_assert_int_eq(stat("/", &root), 0);
    ck_assert(ours.st_ino == root.st_ino && ours.st_dev == root.st_dev);
    close(fd);
    ck_assert_int_eq(fsi_opening_read(&d, &opening), 0);
    /* A descriptor, not a path. */
    ck_assert_str_eq(opening.source, "");
}
END_TEST

/* An export that is not there and one that is somebody else's: the same bytes, no descriptor. */
START_TEST(test_denied)
{
    static const char *const names[] = {"other", "nosuch", "Mine", "root2"};
    struct fsif_dict first;
    struct fsif_dict d;
    int fd;

    ck_assert_int_eq(fsi_worker_answer_export(&worker, "nothing"), 0);
    ck_assert_int_eq(fsi_control_receive(far, &first, &fd), 0);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        ck_assert_int_eq(fsi_worker_answer_export(&worker, names[i]), 0);
        ck_assert_int_eq(fsi_control_receive(far, &d, &fd), 0);
        ck_assert_int_eq(fd, -1);
        ck_assert_uint_eq(d.used, first.used);
        ck_assert_mem_eq(d.text, first.text, d.used);
        ck_assert_str_eq(worker.export_name, "");
    }
    worker.who.uid = 0;
    ck_assert_int_eq(fsi_worker_answer_export(&worker, "root"), 0);
    ck_assert_int_eq(fsi_control_receive(far, &d, &fd), 0);
    ck_assert_int_eq(fd, -1);
    ck_assert_uint_eq(d.used, first.used);
}
END_TEST

START_TEST(test_listing)
{
    struct fsif_dict d;
    char value[80];

    ck_assert_int_eq(fsi_worker_answer_exports(&worker, ""), 0);
    ck_assert_int_eq(fsi_control_receive(far, &d, NULL), 0);
    ck_assert_int_gt(fsif_dict_get(&d, "export-0", value, sizeof(value)), 0);
    ck_assert_str_eq(value, "mine rw");
    ck_assert_int_gt(fsif_dict_get(&d, "export-1", value, sizeof(value)), 0);
    ck_assert_str_eq(value, "root rw");
    ck_assert_int_eq(fsif_dict_get(&d, "export-2", value, sizeof(value)), -FSIF_ENOENT);
    ck_assert_int_eq(fsi_worker_answer_exports(&worker, "root"), 0);
    ck_assert_int_eq(fsi_control_receive(far, &d, NULL), 0);
    ck_assert_int_eq(fsif_dict_get(&d, "export-0", value, sizeof(value)), -FSIF_ENOENT);
}
END_TEST

static int32_t asked(const char *name)
{
    struct fsi_opening opening;
    struct fsif_dict d;
    int fd;

    ck_assert_int_eq(fsi_worker_answer_export(&worker, name), 0);
    ck_assert_int_eq(fsi_control_receive(far, &d, &fd), 0);
    ck_assert_int_eq(fsi_opening_read(&d, &opening), 0);
    if (fd >= 0)
        close(fd);
    return opening.status;
}

/* A session that is served may have 16 exports, and each is remembered. */
START_TEST(test_several)
{
    char name[8];

    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof(name), "x%02d", i);
        add(name, "memory:", i == 3 ? "8" : "7");
    }
    ck_assert_int_eq(asked("mine"), 0);
    ck_assert_int_eq(asked("root"), 0);
    ck_assert_str_eq(worker.export_name, "root");
    worker.serving = 1;
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof(name), "x%02d", i);
        ck_assert_int_eq(asked(name), i == 3 ? -FSIF_ENOENT : i > 15 ? -FSIF_EMFILE : 0);
        ck_assert_int_eq(fsi_worker_has(&worker, name), i != 3 && i <= 15);
    }
    ck_assert_uint_eq(worker.nothers, 15);
    /* What it has it may ask for again. */
    ck_assert_int_eq(asked("x15"), 0);
    ck_assert_int_eq(asked("root"), 0);
    ck_assert_int_eq(asked("mine"), -FSIF_EMFILE);
    ck_assert_uint_eq(worker.nothers, 15);
    ck_assert_str_eq(worker.export_name, "root");
    ck_assert_int_eq(fsi_worker_has(&worker, "mine"), 0);
}
END_TEST

/* A worker that asks and does not read is found out, and nobody waits for it. */
START_TEST(test_deaf_worker)
{
    int rc = 0;

    for (int i = 0; i < 100000 && !rc; i++)
        rc = fsi_worker_answer_exports(&worker, "");
    ck_assert_int_eq(rc, -FSIF_EAGAIN);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("server_questions");
    TCase *t = tcase_create("all");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_granted);
    tcase_add_test(t, test_directory);
    tcase_add_test(t, test_denied);
    tcase_add_test(t, test_listing);
    tcase_add_test(t, test_several);
    tcase_add_test(t, test_deaf_worker);
    suite_add_tcase(s, t);
    return run_suite(s);
}
