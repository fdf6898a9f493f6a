/* SPDX-License-Identifier: MIT */
/* How calls of the client end: time, cancel, disconnect, threads and callbacks. */
#define _GNU_SOURCE
#include <check.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <fsif/client.h>
#include "client_fixture.h"
#include "parts.h"

static atomic_int results;

static void count_result(struct fsif_call *call)
{
    atomic_store((atomic_int *)call->arg, (int)call->result.value);
}

static void begin_read(struct fsif_call *call, int fh, char *buf, atomic_int *value)
{
    *call = (struct fsif_call){
        .deadline = FSIF_NEVER,
        .done = count_result,
        .arg = value,
        .op = {.type = FSIF_OP_READ, .handle = (uint32_t)fh, .length = 10, .buffer = buf}};
    ck_assert_int_eq(fsif_submit(cl, call), 0);
}

START_TEST(deadline_and_quarantine)
{
    enum { OTHERS = CLIENT_OLD ? 0 : 6 }; /* no queue has less than 8 ids */
    struct fsif_call others[OTHERS + 1];
    atomic_int values[OTHERS + 1];
    char bufs[OTHERS + 1][10];
    char buf[4096];
    int fh;
    int i;

    client_start(4, 1000, 2); /* connecting has this time too, on a busy machine */
    fh = client_file("f", "0123456789", 10);
    local_backend_hold(backend, 0);
    for (i = 0; i < OTHERS; i++)
        begin_read(&others[i], fh, bufs[i], &values[i]);
    memset(buf, 'u', sizeof(buf));
    ck_assert_int_eq(fsif_pread(cl, fh, buf, 10, 0), -FSIF_ETIMEDOUT);
    ck_assert_int_eq(fsif_pread(cl, fh, buf, 10, 0), -FSIF_ETIMEDOUT);
    /* Both ids are in quarantine: nothing can be begun. */
    ck_assert_int_eq(fsif_fsync(cl, fh), -FSIF_ETIMEDOUT);
    local_backend_release(backend);
    /* The late answers give the ids back and never touch the buffer. */
    while (fsif_fsync(cl, fh) == -FSIF_ETIMEDOUT) {
    }
    ck_assert_int_eq(buf[0], 'u');
    ck_assert_int_eq(buf[9], 'u');
    ck_assert_int_eq(fsif_pread(cl, fh, buf, 10, 0), 10);
    client_stop();
}
END_TEST

START_TEST(cancel)
{
    atomic_int value = 1;
    struct fsif_call call = {.deadline = FSIF_NEVER, .done = count_result, .arg = &value};
    char buf[64] = "";
    int fh;

    client_start(2, 30000, 0);
    fh = client_file("f", "0123456789", 10);
    local_backend_hold(backend, 0);
    call.op = (struct fsif_op){
        .type = FSIF_OP_READ, .handle = (uint32_t)fh, .length = sizeof(buf), .buffer = buf};
    ck_assert_int_eq(fsif_submit(cl, &call), 0);
    local_backend_wait_held(backend, 1);
    ck_assert_int_eq(fsif_cancel(cl, &call), 0);
    ck_assert_int_eq(value, -FSIF_ECANCELED);
    ck_assert_int_eq(fsif_cancel(cl, &call), -FSIF_ENOENT);
    local_backend_release(backend);
    ck_assert_int_eq(fsif_fsync(cl, fh), 0);
    ck_assert_int_eq(buf[0], 0);
    client_stop();
}
END_TEST

static void *blocked_read(void *arg)
{
    char buf[10];

    return (void *)(intptr_t)fsif_pread(cl, *(int *)arg, buf, sizeof(buf), 0);
}

static void join_all(pthread_t *threads, int n, intptr_t expected)
{
    int i;

    for (i = 0; i < n; i++) {
        void *value;

        ck_assert_int_eq(pthread_join(threads[i], &value), 0);
        ck_assert_int_eq((intptr_t)value, expected);
    }
}

START_TEST(disconnect_with_calls_under_way)
{
    pthread_t threads[4];
    int fh;
    int i;

    client_start(5, -1, 0);
    fh = client_file("f", "0123456789", 10);
    local_backend_hold(backend, 0);
    for (i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, blocked_read, &fh);
    local_backend_wait_held(backend, 4);
    fsif_disconnect(cl);
    cl = NULL;
    join_all(threads, 4, -FSIF_EIO);
    client_stop();
}
END_TEST

START_TEST(shutdown_and_after)
{
    pthread_t threads[3];
    struct fsif_call call = {.op = {.type = FSIF_OP_SPACE, .path = "/"}, .deadline = FSIF_NEVER};
    int fh;
    int i;

    client_start(4, -1, 0);
    fh = client_file("f", "0123456789", 10);
    local_backend_hold(backend, 0);
    for (i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, blocked_read, &fh);
    local_backend_wait_held(backend, 3);
    fsif_shutdown(cl);
    join_all(threads, 3, -FSIF_EIO);
    ck_assert_int_eq(fsif_fsync(cl, fh), -FSIF_EPROTO);
    call.done = count_result;
    call.arg = &results;
    ck_assert_int_eq(fsif_submit(cl, &call), -FSIF_EPROTO);
    ck_assert_int_eq(fsif_poll(cl, 0), -FSIF_EPROTO);
    ck_assert_int_eq(fsif_poll(cl, -1), -FSIF_EPROTO);
    client_stop();
}
END_TEST

START_TEST(backend_goes_away)
{
    int fh;

    client_start(1, -1, 0);
    fh = client_file("f", "0123456789", 10);
    local_backend_stop(backend);
    backend = NULL;
    ck_assert_int_eq(fsif_fsync(cl, fh), -FSIF_EIO);
    ck_assert_int_eq(fsif_fsync(cl, fh), -FSIF_EPROTO);
    client_stop();
}
END_TEST

START_TEST(forked_child)
{
    struct fsif_call call = {.op = {.type = FSIF_OP_SPACE, .path = "/"}};
    struct fsif_dir *dir;
    char buf[10];
    int status;
    pid_t pid;
    int fh;

    client_start(1, 30000, 0);
    fh = client_file("f", "0123456789", 10);
    pid = fork();
    if (pid == 0) {
        int ok = fsif_pread(cl, fh, buf, 10, 0) == -FSIF_EBADF &&
                 fsif_open(cl, "f", 0, 0) == -FSIF_EBADF && fsif_close(cl, fh) == -FSIF_EBADF &&
                 fsif_remove(cl, "f") == -FSIF_EBADF && fsif_submit(cl, &call) == -FSIF_EBADF &&
                 fsif_poll(cl, -1) == -FSIF_EBADF && fsif_cancel(cl, &call) == -FSIF_EBADF &&
                 fsif_opendir(cl, "/", &dir) == -FSIF_EBADF && fsif_client_fd(cl) == -FSIF_EBADF;

        fsif_shutdown(cl);
        fsif_disconnect(cl);
        _exit(ok ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(fsif_pread(cl, fh, buf, 10, 0), 10);
    client_stop();
}
END_TEST

/* --- threads and callbacks ------------------------------------------------------------------ */

struct worker {
    pthread_t thread;
    int number;
    int failures;
};

/* Writes and reads a file of its own, block by block, and looks at the directory. */
static void *work(void *arg)
{
    struct worker *w = arg;
    char path[32];
    char out[9000];
    char in[9000];
    int i;
    int fh;

    snprintf(path, sizeof(path), "file-%d", w->number);
    fh = fsif_open(cl, path, CLIENT_NEW, 0644);
    w->failures += fh < 0;
    for (i = 0; i < 200; i++) {
        size_t len = (size_t)(1 + (i * 613 + w->number * 97) % 9000);
        struct fsif_attr attr;

        memset(out, w->number * 31 + i, len);
        w->failures += fsif_pwrite(cl, fh, out, len, (uint64_t)i) != (int64_t)len;
        w->failures += fsif_pread(cl, fh, in, len, (uint64_t)i) != (int64_t)len;
        w->failures += memcmp(in, out, len) != 0;
        w->failures += fsif_stat(cl, path, &attr) != 0;
    }
    w->failures += fsif_close(cl, fh) != 0;
    return NULL;
}

START_TEST(eight_threads)
{
    static const uint32_t calls[] = {2, 0};
    struct worker workers[8];
    int round;
    int i;

    for (round = 0; round < 2; round++) {
        client_start(2, 60000, calls[round]);
        for (i = 0; i < 8; i++) {
            workers[i] = (struct worker){.number = i};
            pthread_create(&workers[i].thread, NULL, work, &workers[i]);
        }
        for (i = 0; i < 8; i++) {
            pthread_join(workers[i].thread, NULL);
            ck_assert_int_eq(workers[i].failures, 0);
        }
        client_stop();
    }
}
END_TEST

/* How long one polls before one sleeps changes nothing but the time it takes. */
START_TEST(any_time_of_polling)
{
    static const uint32_t times[] = {0, 1, FSIF_SPIN_DEFAULT, UINT32_MAX};
    struct local_backend_options bo = {.threads = 2};
    struct fsif_client_options co;
    struct worker workers[3];
    unsigned int round;
    int i;

    fsif_client_options_init(&co);
    ck_assert_uint_eq(co.spin_us, FSIF_SPIN_DEFAULT);
    for (round = 0; round < sizeof(times) / sizeof(times[0]); round++) {
        co.spin_us = times[round];
        backend = local_backend_start(&bo, &co, &cl);
        for (i = 0; i < 3; i++) {
            workers[i] = (struct worker){.number = i};
            pthread_create(&workers[i].thread, NULL, work, &workers[i]);
        }
        for (i = 0; i < 3; i++) {
            pthread_join(workers[i].thread, NULL);
            ck_assert_int_eq(workers[i].failures, 0);
        }
        client_stop();
    }
}
END_TEST

START_TEST(submit_and_poll)
{
    enum { COUNT = 40 };
    struct fsif_call calls[COUNT];
    atomic_int values[COUNT];
    char bufs[COUNT][8];
    int done = 0;
    int fh;
    int i;

    client_start(1, 30000, 0);
    fh = client_file("f", "0123456789", 10);
    for (i = 0; i < COUNT; i++) {
        values[i] = 99;
        calls[i] = (struct fsif_call){.deadline = FSIF_NEVER,
                                      .done = count_result,
                                      .arg = &values[i],
                                      .op = {.type = FSIF_OP_READ,
                                             .handle = (uint32_t)fh,
                                             .offset = (uint64_t)i % 10,
                                             .length = 1,
                                             .buffer = bufs[i]}};
        ck_assert_int_eq(fsif_submit(cl, &calls[i]), 0);
    }
    while (done < COUNT) {
        int n = fsif_poll(cl, -1);

        ck_assert_int_ge(n, 0);
        done += n;
    }
    for (i = 0; i < COUNT; i++) {
        ck_assert_int_eq(values[i], 1);
        ck_assert_int_eq(bufs[i][0], '0' + i % 10);
    }
    ck_assert_int_eq(fsif_poll(cl, 0), 0);
    ck_assert_int_eq(fsif_poll(cl, 10), 0);
    client_stop();
}
END_TEST

START_TEST(descriptor_for_event_loops)
{
    atomic_int value = 99;
    struct fsif_call call = {.deadline = FSIF_NEVER, .done = count_result, .arg = &value};
    struct pollfd pfd = {.events = POLLIN};
    char buf[8];
    int i;
    int fh;

    client_start(2, 30000, 0);
    fh = client_file("f", "0123456789", 10);
    pfd.fd = fsif_client_fd(cl);
    ck_assert_int_ge(pfd.fd, 0);
    ck_assert_int_eq(fsif_client_fd(cl), pfd.fd);
    for (i = 0; i < 20; i++) {
        while (fsif_poll(cl, 0) > 0) {
        }
        ck_assert_int_eq(poll(&pfd, 1, 0), 0);
        call.op = (struct fsif_op){
            .type = FSIF_OP_READ, .handle = (uint32_t)fh, .length = 8, .buffer = buf};
        value = 99;
        local_backend_hold(backend, 0);
        ck_assert_int_eq(fsif_submit(cl, &call), 0);
        local_backend_wait_held(backend, 1);
        /* A blocking call takes the bells, and hands them back. */
        ck_assert_int_eq(fsif_fsync(cl, fh), 0);
        local_backend_release(backend);
        while (value == 99) {
            ck_assert_int_eq(poll(&pfd, 1, 10000), 1);
            ck_assert_int_ge(fsif_poll(cl, 0), 0);
        }
        ck_assert_int_eq(value, 8);
    }
    client_stop();
}
END_TEST

static atomic_int inner_result;

static void block_inside(struct fsif_call *call)
{
    (void)call;
    inner_result = fsif_fsync(cl, 0);
}

START_TEST(blocking_call_inside_a_callback)
{
    struct fsif_call call = {.op = {.type = CLIENT_OLD ? FSIF_OP_SPACE : FSIF_OP_STATVFS,
                                    .handle = FSIF_HANDLE_ROOT,
                                    .path = "/"},
                             .deadline = FSIF_NEVER,
                             .done = block_inside};

    client_start(1, 30000, 0);
    ck_assert_int_eq(fsif_submit(cl, &call), 0);
    ck_assert_int_eq(fsif_poll(cl, -1), 1);
    ck_assert_int_eq(inner_result, -FSIF_EDEADLK);
    client_stop();
}
END_TEST

static void *poll_for_ever(void *arg)
{
    atomic_int *value = arg;

    while (*value == 99)
        fsif_poll(cl, -1);
    return NULL;
}

/* A thread sleeps without a deadline; a call with one, submitted later, still ends in time. */
START_TEST(deadline_of_a_call_submitted_behind_the_leader)
{
    atomic_int first = 99;
    atomic_int second = 99;
    struct fsif_call held = {.deadline = FSIF_NEVER, .done = count_result, .arg = &first};
    struct fsif_call late = {.done = count_result, .arg = &second};
    char buf[8];
    pthread_t thread;
    int fh;

    client_start(3, 30000, 0);
    fh = client_file("f", "0123456789", 10);
    local_backend_hold(backend, 0);
    held.op =
        (struct fsif_op){.type = FSIF_OP_READ, .handle = (uint32_t)fh, .length = 8, .buffer = buf};
    ck_assert_int_eq(fsif_submit(cl, &held), 0);
    local_backend_wait_held(backend, 1);
    pthread_create(&thread, NULL, poll_for_ever, &second);
    late.op = held.op;
    late.deadline = fsif_client_now() + 50;
    ck_assert_int_eq(fsif_submit(cl, &late), 0);
    pthread_join(thread, NULL);
    ck_assert_int_eq(second, -FSIF_ETIMEDOUT);
    ck_assert_int_eq(first, 99);
    client_stop();
    ck_assert_int_eq(first, -FSIF_EIO);
}
END_TEST

void client_add_ends(TCase *t)
{
    tcase_add_test(t, deadline_and_quarantine);
    tcase_add_test(t, cancel);
    tcase_add_test(t, disconnect_with_calls_under_way);
    tcase_add_test(t, shutdown_and_after);
    tcase_add_test(t, backend_goes_away);
    tcase_add_test(t, forked_child);
    tcase_add_test(t, eight_threads);
    tcase_add_test(t, any_time_of_polling);
    tcase_add_test(t, submit_and_poll);
    tcase_add_test(t, descriptor_for_event_loops);
    tcase_add_test(t, blocking_call_inside_a_callback);
    tcase_add_test(t, deadline_of_a_call_submitted_behind_the_leader);
}
