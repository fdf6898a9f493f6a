/* SPDX-License-Identifier: MIT */

/* The client, against a backend in a thread of this process. */

#define _GNU_SOURCE
#include <check.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <fsif/client.h>
#include <fsif/loop.h>
#include "../support/local_backend.h"

#define NEW (FSIF_O_RDWR | FSIF_O_CREAT | FSIF_O_TRUNC)

static struct local_backend *backend;
static struct fsif_client *cl;

static void start(uint32_t threads, int timeout_ms, uint32_t max_calls)
{
    struct local_backend_options bo = {.threads = threads};
    struct fsif_client_options co;

    fsif_client_options_init(&co);
    co.timeout_ms = timeout_ms;
    co.max_calls = max_calls;
    backend = local_backend_start(&bo, &co, &cl);
}

static void stop(void)
{
    fsif_disconnect(cl);
    if (backend != NULL)
        local_backend_stop(backend);
    cl = NULL;
    backend = NULL;
}

static int make_file(const char *path, const void *bytes, size_t len)
{
    int fh = fsif_open(cl, path, NEW, 0644);

    ck_assert_int_ge(fh, 0);
    ck_assert_int_eq(fsif_pwrite(cl, fh, bytes, len, 0), (int64_t)len);
    return fh;
}

static unsigned char *pattern(size_t len)
{
    unsigned char *p = malloc(len);
    size_t i;

    ck_assert_ptr_nonnull(p);
    for (i = 0; i < len; i++)
        p[i] = (unsigned char)(i * 7 + i / 4096);
    return p;
}

/* --- files ---------------------------------------------------------------------------------- */

START_TEST(whole_life_of_a_file)
{
    struct fsif_attr attr;
    char buf[16];
    int fh;

    start(1, 30000, 0);
    fh = make_file("/a", "hello", 5);
    ck_assert_int_eq(fsif_pread(cl, fh, buf, sizeof(buf), 1), 4);
    ck_assert_int_eq(memcmp(buf, "ello", 4), 0);
    ck_assert_int_eq(fsif_pread(cl, fh, buf, sizeof(buf), 5), 0);
    ck_assert_int_eq(fsif_pread(cl, fh, buf, 0, 0), 0);
    ck_assert_int_eq(fsif_fstat(cl, fh, &attr), 0);
    ck_assert_uint_eq(attr.size, 5);
    ck_assert_uint_eq(attr.mode, FSIF_S_IFREG | 0644);
    ck_assert_int_eq(fsif_ftruncate(cl, fh, 2), 0);
    ck_assert_int_eq(fsif_fchmod(cl, fh, 0600), 0);
    ck_assert_int_eq(fsif_fsync(cl, fh), 0);
    ck_assert_int_eq(fsif_close(cl, fh), 0);
    ck_assert_int_eq(fsif_close(cl, fh), -FSIF_EBADF);
    ck_assert_int_eq(fsif_stat(cl, "a", &attr), 0);
    ck_assert_uint_eq(attr.size, 2);
    ck_assert_uint_eq(attr.mode & 07777, 0600);
    ck_assert_int_eq(fsif_mkdir(cl, "/d", 0755), 0);
    ck_assert_int_eq(fsif_mkdir(cl, "/d", 0755), -FSIF_EEXIST);
    ck_assert_int_eq(fsif_rename(cl, "/a", "/d/b"), 0);
    ck_assert_int_eq(fsif_remove(cl, "/d"), -FSIF_ENOTEMPTY);
    ck_assert_int_eq(fsif_remove(cl, "/d/b"), 0);
    ck_assert_int_eq(fsif_remove(cl, "/d"), 0);
    ck_assert_int_eq(fsif_stat(cl, "/d", &attr), -FSIF_ENOENT);
    ck_assert_int_gt(fsif_space(cl, "/"), 0);
    stop();
}
END_TEST

START_TEST(open_flags)
{
    static const struct {
        uint32_t flags;
        int result; /* 1: a handle */
    } rows[] = {
        {FSIF_O_RDONLY, 1},
        {FSIF_O_WRONLY, 1},
        {FSIF_O_RDWR | FSIF_O_TRUNC, 1},
        {FSIF_O_ACCMODE, -FSIF_EINVAL},
        {0x80000000u, -FSIF_EINVAL},
        {FSIF_O_RDWR | FSIF_O_CREAT, -FSIF_EOPNOTSUPP},
        {NEW | FSIF_O_EXCL, -FSIF_EOPNOTSUPP},
        {FSIF_O_WRONLY | FSIF_O_APPEND, -FSIF_EOPNOTSUPP},
        {NEW | FSIF_O_DIRECTORY, -FSIF_EINVAL},
        {FSIF_O_DIRECTORY, -FSIF_ENOTDIR},
    };
    size_t i;

    start(1, 30000, 0);
    fsif_close(cl, make_file("f", "x", 1));
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int fh = fsif_open(cl, "f", rows[i].flags, 0);

        ck_assert_msg(rows[i].result == 1 ? fh >= 0 : fh == rows[i].result, "row %zu: %d", i, fh);
        if (fh >= 0)
            ck_assert_int_eq(fsif_close(cl, fh), 0);
    }
    ck_assert_int_eq(fsif_open(cl, "none", FSIF_O_RDWR, 0), -FSIF_ENOENT);
    ck_assert_int_eq(fsif_open(cl, NULL, 0, 0), -FSIF_EINVAL);
    ck_assert_int_eq(fsif_open(cl, "f", 0, 010000), -FSIF_EINVAL);
    ck_assert_int_eq(fsif_open(cl, "", 0, 0), -FSIF_ENOENT);
    ck_assert_int_eq(fsif_open(cl, "../f", 0, 0), -FSIF_EACCES);
    stop();
}
END_TEST

START_TEST(access_modes_are_held)
{
    char c = 'c';
    int fh;

    start(1, 30000, 0);
    fsif_close(cl, make_file("f", "x", 1));
    fh = fsif_open(cl, "f", FSIF_O_RDONLY, 0);
    ck_assert_int_eq(fsif_pwrite(cl, fh, &c, 1, 0), -FSIF_EBADF);
    ck_assert_int_eq(fsif_ftruncate(cl, fh, 0), -FSIF_EINVAL);
    ck_assert_int_eq(fsif_pread(cl, fh, &c, 1, 0), 1);
    ck_assert_int_eq(fsif_close(cl, fh), 0);
    fh = fsif_open(cl, "f", FSIF_O_WRONLY, 0);
    ck_assert_int_eq(fsif_pread(cl, fh, &c, 1, 0), -FSIF_EBADF);
    ck_assert_int_eq(fsif_pwrite(cl, fh, &c, 1, 0), 1);
    ck_assert_int_eq(fsif_close(cl, fh), 0);
    fh = fsif_open(cl, "/", FSIF_O_RDONLY | FSIF_O_DIRECTORY, 0);
    ck_assert_int_ge(fh, 0);
    ck_assert_int_eq(fsif_pread(cl, fh, &c, 1, 0), -FSIF_EISDIR);
    ck_assert_int_eq(fsif_close(cl, fh), 0);
    ck_assert_int_eq(fsif_open(cl, "/", FSIF_O_RDWR, 0), -FSIF_EISDIR);
    ck_assert_int_eq(fsif_pread(cl, -1, &c, 1, 0), -FSIF_EBADF);
    ck_assert_int_eq(fsif_pread(cl, 1 << 20, &c, 1, 0), -FSIF_EBADF);
    ck_assert_int_eq(fsif_fstat(cl, 200, &(struct fsif_attr){0}), -FSIF_EBADF);
    stop();
}
END_TEST

START_TEST(read_only_export)
{
    struct local_backend_options bo = {.read_only = 1};

    backend = local_backend_start(&bo, NULL, &cl);
    ck_assert_int_eq(fsif_open(cl, "f", NEW, 0644), -FSIF_EROFS);
    ck_assert_int_eq(fsif_mkdir(cl, "d", 0755), -FSIF_EROFS);
    ck_assert_int_eq(fsif_open(cl, "none", FSIF_O_RDWR, 0), -FSIF_ENOENT);
    stop();
}
END_TEST

/* --- long reads and writes ------------------------------------------------------------------ */

START_TEST(long_transfers_are_pipelined)
{
    static const size_t lengths[] = {1, 4095, 4096, 4097, 64 * 4096, 64 * 4096 + 1, 1000001};
    static const uint32_t calls[] = {1, 3, 64};
    unsigned char *out = pattern(1000001);
    unsigned char *in = malloc(1000001);
    size_t i;
    size_t k;

    for (k = 0; k < 3; k++) {
        start(2, 30000, calls[k]);
        for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
            int fh = make_file("f", out, lengths[i]);

            memset(in, 0, lengths[i]);
            ck_assert_int_eq(fsif_pread(cl, fh, in, lengths[i], 0), (int64_t)lengths[i]);
            ck_assert_int_eq(memcmp(in, out, lengths[i]), 0);
            ck_assert_int_eq(fsif_pread(cl, fh, in, 1000001, 1), (int64_t)lengths[i] - 1);
            ck_assert_int_eq(fsif_close(cl, fh), 0);
        }
        stop();
    }
    free(in);
    free(out);
}
END_TEST

START_TEST(pieces_that_end_early)
{
    static const uint64_t cuts[] = {0, 1, 4096, 5000, 8192, 100000};
    unsigned char *out = pattern(200000);
    unsigned char *in = malloc(200000);
    size_t i;
    int fh;

    start(4, 30000, 0);
    for (i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
        int64_t whole = cuts[i] == 0 ? -FSIF_EIO : (int64_t)cuts[i];

        fh = make_file("f", out, 200000);
        local_backend_short(backend, cuts[i], -FSIF_EIO);
        ck_assert_int_eq(fsif_pread(cl, fh, in, 200000, 0), whole);
        if (whole > 0)
            ck_assert_int_eq(memcmp(in, out, (size_t)whole), 0);
        ck_assert_int_eq(fsif_pread(cl, fh, in, 10, cuts[i]), -FSIF_EIO);
        local_backend_short(backend, cuts[i], -FSIF_ENOSPC);
        whole = cuts[i] == 0 ? -FSIF_ENOSPC : (int64_t)cuts[i];
        ck_assert_int_eq(fsif_pwrite(cl, fh, out, 200000, 0), whole);
        local_backend_short(backend, UINT64_MAX, 0);
        ck_assert_int_eq(fsif_close(cl, fh), 0);
    }
    free(in);
    free(out);
    stop();
}
END_TEST

START_TEST(offsets_at_the_end_of_the_world)
{
    char c = 0;
    int fh;

    start(1, 30000, 0);
    fh = make_file("f", "x", 1);
    ck_assert_int_eq(fsif_pread(cl, fh, &c, 1, INT64_MAX), -FSIF_EINVAL);
    ck_assert_int_eq(fsif_pread(cl, fh, &c, 1, (uint64_t)INT64_MAX - 1), 0);
    ck_assert_int_eq(fsif_pread(cl, fh, &c, 1, UINT64_MAX), -FSIF_EINVAL);
    if (sizeof(size_t) == 8)
        ck_assert_int_eq(fsif_pwrite(cl, fh, &c, SIZE_MAX, 1), -FSIF_EINVAL);
    ck_assert_int_lt(fsif_pwrite(cl, fh, &c, 1, (uint64_t)INT64_MAX - 1), 0);
    ck_assert_int_eq(fsif_ftruncate(cl, fh, UINT64_MAX), -FSIF_EINVAL);
    stop();
}
END_TEST

/* --- directories ---------------------------------------------------------------------------- */

START_TEST(directory_of_many_names)
{
    enum { COUNT = 3000 };
    unsigned char seen[COUNT] = {0};
    struct fsif_dir *dir;
    const char *name;
    char path[32];
    int n;
    int i;

    start(1, 30000, 0);
    ck_assert_int_eq(fsif_mkdir(cl, "d", 0755), 0);
    for (i = 0; i < COUNT; i++) {
        snprintf(path, sizeof(path), "d/name-%d", i);
        ck_assert_int_eq(fsif_mkdir(cl, path, 0755), 0);
    }
    ck_assert_int_eq(fsif_opendir(cl, "d", &dir), 0);
    for (n = 0; fsif_readdir(dir, &name) == 1; n++) {
        ck_assert_int_eq(sscanf(name, "name-%d", &i), 1);
        ck_assert_int_eq(seen[i]++, 0);
    }
    ck_assert_int_eq(n, COUNT);
    ck_assert_int_eq(fsif_readdir(dir, &name), 0);
    fsif_closedir(dir);
    ck_assert_int_eq(fsif_opendir(cl, "none", &dir), -FSIF_ENOENT);
    fsif_close(cl, make_file("f", "x", 1));
    ck_assert_int_eq(fsif_opendir(cl, "f", &dir), -FSIF_ENOTDIR);
    stop();
}
END_TEST

/* --- time and end --------------------------------------------------------------------------- */

START_TEST(deadline_and_quarantine)
{
    char buf[4096];
    int fh;

    start(4, 1000, 2); /* connecting has this time too, on a busy machine */
    fh = make_file("f", "0123456789", 10);
    local_backend_hold(backend, 0);
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
    stop();
}
END_TEST

static atomic_int results;

static void count_result(struct fsif_call *call)
{
    atomic_store((atomic_int *)call->arg, (int)call->result.value);
}

START_TEST(cancel)
{
    atomic_int value = 1;
    struct fsif_call call = {.deadline = FSIF_NEVER, .done = count_result, .arg = &value};
    char buf[64] = "";
    int fh;

    start(2, 30000, 0);
    fh = make_file("f", "0123456789", 10);
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
    stop();
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

    start(5, -1, 0);
    fh = make_file("f", "0123456789", 10);
    local_backend_hold(backend, 0);
    for (i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, blocked_read, &fh);
    local_backend_wait_held(backend, 4);
    fsif_disconnect(cl);
    cl = NULL;
    join_all(threads, 4, -FSIF_EIO);
    stop();
}
END_TEST

START_TEST(shutdown_and_after)
{
    pthread_t threads[3];
    struct fsif_call call = {.op = {.type = FSIF_OP_SPACE, .path = "/"}, .deadline = FSIF_NEVER};
    int fh;
    int i;

    start(4, -1, 0);
    fh = make_file("f", "0123456789", 10);
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
    stop();
}
END_TEST

START_TEST(backend_goes_away)
{
    int fh;

    start(1, -1, 0);
    fh = make_file("f", "0123456789", 10);
    local_backend_stop(backend);
    backend = NULL;
    ck_assert_int_eq(fsif_fsync(cl, fh), -FSIF_EIO);
    ck_assert_int_eq(fsif_fsync(cl, fh), -FSIF_EPROTO);
    stop();
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

    start(1, 30000, 0);
    fh = make_file("f", "0123456789", 10);
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
    stop();
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
    fh = fsif_open(cl, path, NEW, 0644);
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
        start(2, 60000, calls[round]);
        for (i = 0; i < 8; i++) {
            workers[i] = (struct worker){.number = i};
            pthread_create(&workers[i].thread, NULL, work, &workers[i]);
        }
        for (i = 0; i < 8; i++) {
            pthread_join(workers[i].thread, NULL);
            ck_assert_int_eq(workers[i].failures, 0);
        }
        stop();
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

    start(1, 30000, 0);
    fh = make_file("f", "0123456789", 10);
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
    stop();
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

    start(2, 30000, 0);
    fh = make_file("f", "0123456789", 10);
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
    stop();
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
    struct fsif_call call = {
        .op = {.type = FSIF_OP_SPACE, .path = "/"}, .deadline = FSIF_NEVER, .done = block_inside};

    start(1, 30000, 0);
    ck_assert_int_eq(fsif_submit(cl, &call), 0);
    ck_assert_int_eq(fsif_poll(cl, -1), 1);
    ck_assert_int_eq(inner_result, -FSIF_EDEADLK);
    stop();
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

    start(3, 30000, 0);
    fh = make_file("f", "0123456789", 10);
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
    stop();
    ck_assert_int_eq(first, -FSIF_EIO);
}
END_TEST

/* --- connecting ----------------------------------------------------------------------------- */

START_TEST(bad_options)
{
    struct fsif_client_options o;
    struct fsif_export_info *list;
    struct fsif_client *c;

    fsif_client_options_init(&o);
    ck_assert_int_eq(fsif_connect("no-colon", "x", &o, &c), -FSIF_EINVAL);
    ck_assert_int_eq(fsif_connect(NULL, "x", &o, &c), -FSIF_EINVAL);
    ck_assert_int_eq(fsif_connect("shm:/nowhere", "../x", &o, &c), -FSIF_EINVAL);
    o.plugin_dir = "";
    ck_assert_int_eq(fsif_connect("nosuch:/nowhere", "x", &o, &c), -FSIF_EOPNOTSUPP);
    ck_assert_int_eq(fsif_exports("nosuch:/nowhere", &o, &list), -FSIF_EOPNOTSUPP);
    ck_assert_ptr_null(list);
    o.max_calls = 65;
    ck_assert_int_eq(fsif_connect("shm:/nowhere", "x", &o, &c), -FSIF_EINVAL);
    fsif_client_options_init(&o);
    o.size = 1;
    ck_assert_int_eq(fsif_connect("shm:/nowhere", "x", &o, &c), -FSIF_EINVAL);
    fsif_client_options_init(&o);
    o.transport = &fsif_transport_loop;
    ck_assert_int_eq(fsif_connect(NULL, "x", &o, &c), -FSIF_EINVAL);
    fsif_client_options_init(&o);
    o.dialects = 1u << 30;
    ck_assert_int_eq(fsif_connect("shm:/nowhere", "x", &o, &c), -FSIF_EOPNOTSUPP);
    fsif_disconnect(NULL);
}
END_TEST

START_TEST(limits)
{
    struct fsif_limits l;

    start(1, 30000, 5);
    fsif_get_limits(cl, &l);
    ck_assert_uint_eq(l.dialect, 1);
    ck_assert_uint_eq(l.max_io, 4096);
    ck_assert_uint_eq(l.max_calls, 5);
    ck_assert_uint_eq(l.features, FSIF_FEATURE_ERRNO);
    ck_assert_uint_eq(l.read_only, 0);
    stop();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("client");
    TCase *t = tcase_create("client");
    SRunner *r;
    int failed;

    tcase_set_timeout(t, 60);
    tcase_add_test(t, whole_life_of_a_file);
    tcase_add_test(t, open_flags);
    tcase_add_test(t, access_modes_are_held);
    tcase_add_test(t, read_only_export);
    tcase_add_test(t, long_transfers_are_pipelined);
    tcase_add_test(t, pieces_that_end_early);
    tcase_add_test(t, offsets_at_the_end_of_the_world);
    tcase_add_test(t, directory_of_many_names);
    tcase_add_test(t, deadline_and_quarantine);
    tcase_add_test(t, cancel);
    tcase_add_test(t, disconnect_with_calls_under_way);
    tcase_add_test(t, shutdown_and_after);
    tcase_add_test(t, backend_goes_away);
    tcase_add_test(t, forked_child);
    tcase_add_test(t, eight_threads);
    tcase_add_test(t, submit_and_poll);
    tcase_add_test(t, descriptor_for_event_loops);
    tcase_add_test(t, blocking_call_inside_a_callback);
    tcase_add_test(t, deadline_of_a_call_submitted_behind_the_leader);
    tcase_add_test(t, bad_options);
    tcase_add_test(t, limits);
    suite_add_tcase(s, t);
    r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? 0 : 1;
}
