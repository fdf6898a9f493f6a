/* SPDX-License-Identifier: MIT */
/* Dialect 3 in the client: what the backend tells late, several queues, sizes, and how it all ends.
 */
#define _GNU_SOURCE
#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <fsif/client.h>
#include "client_fixture.h"
#include "parts.h"

static void start_queues(uint32_t queues, int timeout_ms)
{
    struct local_backend_options bo = {.threads = 2};
    struct fsif_client_options co;

    fsif_client_options_init(&co);
    co.queues = queues;
    co.timeout_ms = timeout_ms;
    backend = local_backend_start(&bo, &co, &cl);
}

static int handle(const char *path)
{
    int fh = fsif_open(cl, path, FSIF_O_RDWR | FSIF_O_CREAT, 0600);

    ck_assert_int_ge(fh, 0);
    return fh;
}

/* --- locks ------------------------------------------------------------------------------------ */

START_TEST(locks)
{
    struct fsif_lock lock = {.mode = FSIF_LOCK_EXCLUSIVE, .length = 10};
    int a;
    int b;

    start_queues(1, 30000);
    a = handle("f");
    b = handle("f");
    ck_assert_int_eq(fsif_flock(cl, a, FSIF_LOCK_EXCLUSIVE, 0), 0);
    ck_assert_int_eq(fsif_flock(cl, b, FSIF_LOCK_SHARED, 0), -FSIF_EAGAIN);
    ck_assert_int_eq(fsif_flock(cl, a, FSIF_LOCK_UNLOCK, 0), 0);
    ck_assert_int_eq(fsif_flock(cl, b, FSIF_LOCK_SHARED, 0), 0);
    ck_assert_int_eq(fsif_flock(cl, b, 9, 0), -FSIF_EINVAL);
    ck_assert_int_eq(fsif_flock(cl, b, FSIF_LOCK_SHARED, FSIF_LOCK_TEST), -FSIF_EINVAL);
    ck_assert_int_eq(fsif_lock_test(cl, b, &lock), 0);
    ck_assert_uint_eq(lock.mode, FSIF_LOCK_UNLOCK);
    ck_assert_int_eq(fsif_lock(cl, a, FSIF_LOCK_EXCLUSIVE, 0, 5, 10), 0);
    ck_assert_int_eq(fsif_lock(cl, b, FSIF_LOCK_SHARED, 0, 14, 1), -FSIF_EAGAIN);
    ck_assert_int_eq(fsif_lock(cl, b, FSIF_LOCK_SHARED, 0, 15, 0), 0);
    lock = (struct fsif_lock){.mode = FSIF_LOCK_SHARED, .offset = 0, .length = 6};
    ck_assert_int_eq(fsif_lock_test(cl, b, &lock), 0);
    ck_assert_uint_eq(lock.mode, FSIF_LOCK_EXCLUSIVE);
    ck_assert_uint_eq(lock.offset, 5);
    ck_assert_int_eq(fsif_lock(cl, 99, FSIF_LOCK_SHARED, 0, 0, 0), -FSIF_EBADF);
    client_stop();
}
END_TEST

struct taker {
    pthread_t thread;
    int fh;
    atomic_int result;
};

static void *take_lock(void *arg)
{
    struct taker *t = arg;

    t->result = fsif_flock(cl, t->fh, FSIF_LOCK_EXCLUSIVE, FSIF_LOCK_WAIT);
    return NULL;
}

static void begin_taker(struct taker *t)
{
    t->fh = handle("f");
    t->result = 99;
    ck_assert_int_eq(pthread_create(&t->thread, NULL, take_lock, t), 0);
}

static void wait_until_waiting(uint32_t n)
{
    while (local_backend_lock_waiters(backend) < n)
        ck_assert_int_eq(fsif_nop(cl), 0);
}

START_TEST(a_lock_that_waits)
{
    struct taker takers[3];
    int granted = 0;
    int held;

    start_queues((uint32_t)_i, 30000);
    held = handle("f");
    ck_assert_int_eq(fsif_flock(cl, held, FSIF_LOCK_EXCLUSIVE, 0), 0);
    for (int i = 0; i < 3; i++)
        begin_taker(&takers[i]);
    wait_until_waiting(3);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(takers[i].result, 99);
    ck_assert_int_eq(fsif_flock(cl, held, FSIF_LOCK_UNLOCK, 0), 0);
    /* One after the other has it: each closes its handle, which lets it go. */
    while (granted != 7) {
        for (int i = 0; i < 3; i++) {
            if ((granted & 1 << i) || takers[i].result == 99)
                continue;
            ck_assert_int_eq(takers[i].result, 0);
            pthread_join(takers[i].thread, NULL);
            ck_assert_int_eq(fsif_close(cl, takers[i].fh), 0);
            granted |= 1 << i;
        }
        ck_assert_int_eq(fsif_nop(cl), 0);
    }
    client_stop();
}
END_TEST

START_TEST(a_lock_that_times_out_is_not_held)
{
    int a;
    int b;

    start_queues(1, 500);
    a = handle("f");
    b = handle("f");
    ck_assert_int_eq(fsif_flock(cl, a, FSIF_LOCK_EXCLUSIVE, 0), 0);
    ck_assert_int_eq(fsif_flock(cl, b, FSIF_LOCK_EXCLUSIVE, FSIF_LOCK_WAIT), -FSIF_ETIMEDOUT);
    ck_assert_uint_eq(local_backend_lock_waiters(backend), 0);
    ck_assert_int_eq(fsif_flock(cl, a, FSIF_LOCK_UNLOCK, 0), 0);
    ck_assert_int_eq(fsif_flock(cl, a, FSIF_LOCK_EXCLUSIVE, 0), 0);
    client_stop();
}
END_TEST

START_TEST(locks_that_wait_when_it_ends)
{
    struct taker takers[2];
    int held;

    start_queues(2, -1);
    held = handle("f");
    ck_assert_int_eq(fsif_flock(cl, held, FSIF_LOCK_EXCLUSIVE, 0), 0);
    begin_taker(&takers[0]);
    begin_taker(&takers[1]);
    wait_until_waiting(2);
    if (_i == 0) {
        fsif_shutdown(cl);
    } else {
        local_backend_stop(backend);
        backend = NULL;
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(takers[i].thread, NULL);
        ck_assert_int_eq(takers[i].result, -FSIF_EIO);
    }
    client_stop();
}
END_TEST

/* A backend that promises a notice and sends none: nobody waits for ever. */
START_TEST(a_backend_that_lies)
{
    struct local_backend_options bo = {.threads = 2, .lies = 1};
    struct fsif_client_options co;
    int fh;

    fsif_client_options_init(&co);
    co.timeout_ms = 500;
    backend = local_backend_start(&bo, &co, &cl);
    fh = handle("f");
    ck_assert_int_eq(fsif_flock(cl, fh, FSIF_LOCK_EXCLUSIVE, 0), -FSIF_EIO);
    ck_assert_int_eq(fsif_flock(cl, fh, FSIF_LOCK_EXCLUSIVE, FSIF_LOCK_WAIT), -FSIF_ETIMEDOUT);
    ck_assert_int_eq(fsif_nop(cl), 0);
    client_stop();
}
END_TEST

/* --- watches ---------------------------------------------------------------------------------- */

START_TEST(watches)
{
    struct fsif_change c;
    int dir;
    int w;
    int n;

    start_queues(1, 30000);
    ck_assert_int_eq(fsif_mkdir(cl, "d", 0755), 0);
    dir = fsif_open(cl, "d", FSIF_O_DIRECTORY, 0);
    w = fsif_watch(cl, dir, FSIF_CHANGE_CREATE | FSIF_CHANGE_REMOVE);
    ck_assert_int_ge(w, 0);
    ck_assert_int_eq(fsif_watch(cl, dir, 0), -FSIF_EINVAL);
    ck_assert_int_eq(fsif_watch(cl, 99, FSIF_CHANGE_CREATE), -FSIF_EBADF);
    ck_assert_int_eq(fsif_watch_next(cl, w, &c, 0), 0);
    ck_assert_int_eq(fsif_watch_next(cl, w, &c, 20), 0);
    ck_assert_int_eq(fsif_mkdir(cl, "d/new", 0755), 0);
    ck_assert_int_eq(fsif_watch_next(cl, w, &c, -1), 1);
    ck_assert_uint_eq(c.what, FSIF_CHANGE_CREATE);
    ck_assert_str_eq(c.name, "new");
    ck_assert_int_eq(fsif_remove(cl, "d/new"), 0);
    ck_assert_int_eq(fsif_watch_next(cl, w, &c, 30000), 1);
    ck_assert_uint_eq(c.what, FSIF_CHANGE_REMOVE);
    /* More than is kept, and nobody looks. */
    for (int i = 0; i < 200; i++) {
        ck_assert_int_eq(fsif_mkdir(cl, "d/x", 0755), 0);
        ck_assert_int_eq(fsif_remove(cl, "d/x"), 0);
    }
    for (n = 0; fsif_watch_next(cl, w, &c, 30000) == 1 && !(c.what & FSIF_CHANGE_LOST); n++)
        ck_assert_str_eq(c.name, "x");
    ck_assert_uint_ne(c.what & FSIF_CHANGE_LOST, 0);
    ck_assert_int_gt(n, 0);
    ck_assert_int_eq(fsif_unwatch(cl, w), 0);
    ck_assert_int_eq(fsif_unwatch(cl, w), -FSIF_EBADF);
    ck_assert_int_eq(fsif_watch_next(cl, w, &c, 0), -FSIF_EBADF);
    ck_assert_int_eq(fsif_watch_next(cl, -1, &c, 0), -FSIF_EBADF);
    client_stop();
}
END_TEST

struct watcher {
    pthread_t thread;
    int watch;
    atomic_int changes;
    atomic_int result;
};

static void *watch_on(void *arg)
{
    struct watcher *w = arg;
    struct fsif_change c;
    int n;

    while ((n = fsif_watch_next(cl, w->watch, &c, -1)) == 1)
        w->changes++;
    w->result = n;
    return NULL;
}

/* Others work on their queues while somebody waits on the first. */
START_TEST(watching_beside_others)
{
    struct watcher w = {.watch = -1};
    int dir;

    start_queues((uint32_t)_i, 30000);
    dir = fsif_open(cl, "/", FSIF_O_DIRECTORY, 0);
    w.watch = fsif_watch(cl, dir, FSIF_CHANGE_ALL);
    ck_assert_int_ge(w.watch, 0);
    ck_assert_int_eq(fsif_close(cl, dir), 0);
    ck_assert_int_eq(pthread_create(&w.thread, NULL, watch_on, &w), 0);
    for (int i = 0; i < 50; i++) {
        int before = w.changes;

        ck_assert_int_eq(fsif_mkdir(cl, "x", 0755), 0);
        ck_assert_int_eq(fsif_remove(cl, "x"), 0);
        while (w.changes == before)
            ck_assert_int_eq(fsif_nop(cl), 0);
    }
    ck_assert_int_eq(fsif_unwatch(cl, w.watch), 0);
    pthread_join(w.thread, NULL);
    ck_assert_int_eq(w.result, -FSIF_EBADF);
    client_stop();
}
END_TEST

START_TEST(a_watch_ends_with_the_session)
{
    struct watcher w = {.watch = -1};
    int dir;

    start_queues(1, 30000);
    dir = fsif_open(cl, "/", FSIF_O_DIRECTORY, 0);
    w.watch = fsif_watch(cl, dir, FSIF_CHANGE_ALL);
    ck_assert_int_eq(pthread_create(&w.thread, NULL, watch_on, &w), 0);
    ck_assert_int_eq(fsif_mkdir(cl, "x", 0755), 0);
    local_backend_stop(backend);
    backend = NULL;
    pthread_join(w.thread, NULL);
    ck_assert_int_eq(w.result, -FSIF_EIO);
    client_stop();
}
END_TEST

/* --- queues and sizes ------------------------------------------------------------------------- */

struct worker {
    pthread_t thread;
    int number;
    int shared; /* a handle that all use */
    int failures;
};

static void *work(void *arg)
{
    static char data[300000];
    struct worker *w = arg;
    char path[32];
    char *in = malloc(sizeof(data));
    struct fsif_iovec iov[2] = {{in, 5}, {in + 5, 100}};

    snprintf(path, sizeof(path), "file-%d", w->number);
    for (int i = 0; i < 40; i++) {
        w->failures += fsif_writefile(cl, FSIF_ROOT, path, FSIF_O_CREAT | FSIF_O_TRUNC, 0600, data,
                                      1000, NULL) != 1000;
        w->failures += fsif_readfile(cl, FSIF_ROOT, path, 0, in, 2000, NULL) != 1000;
        w->failures += fsif_pwrite(cl, w->shared, data, sizeof(data), 0) != sizeof(data);
        w->failures += fsif_pread(cl, w->shared, in, sizeof(data), 0) != sizeof(data);
        w->failures += fsif_preadv(cl, w->shared, iov, 2, 0) != 105;
    }
    free(in);
    return NULL;
}

START_TEST(threads_on_queues)
{
    static const uint32_t arenas[] = {16, 0};
    struct local_backend_options bo = {.threads = 2};
    struct fsif_client_options co;
    struct worker workers[6];
    struct fsif_limits l;
    int shared;

    for (unsigned int round = 0; round < 2; round++) {
        fsif_client_options_init(&co);
        co.queues = 4;
        co.slots = 8;
        co.arena_pages = arenas[round];
        co.timeout_ms = 60000;
        backend = local_backend_start(&bo, &co, &cl);
        fsif_get_limits(cl, &l);
        ck_assert_uint_eq(l.queues, 4);
        ck_assert_uint_eq(l.max_calls, 8);
        ck_assert_uint_eq(l.arena_bytes, round == 0 ? 65536 : 4 << 20);
        shared = handle("shared");
        for (int i = 0; i < 6; i++) {
            workers[i] = (struct worker){.number = i, .shared = shared};
            pthread_create(&workers[i].thread, NULL, work, &workers[i]);
        }
        for (int i = 0; i < 6; i++) {
            pthread_join(workers[i].thread, NULL);
            ck_assert_int_eq(workers[i].failures, 0);
        }
        client_stop();
    }
}
END_TEST

START_TEST(options_of_dialect_3)
{
    static const struct {
        uint32_t queues, slots, arena_pages;
    } bad[] = {{17, 0, 0}, {0, 4, 0}, {0, 9, 0}, {0, 2048, 0}, {0, 0, 15}, {0, 0, 65537}};
    struct fsif_client_options o;
    struct fsif_client *c;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        fsif_client_options_init(&o);
        o.queues = bad[i].queues;
        o.slots = bad[i].slots;
        o.arena_pages = bad[i].arena_pages;
        ck_assert_int_eq(fsif_connect("shm:/nowhere", "x", &o, &c), -FSIF_EINVAL);
    }
}
END_TEST

/* Dialect 3 alone needs little; the others need more than that backend takes. */
START_TEST(the_smallest_session)
{
    struct local_backend_options bo = {.max_pages = 18};
    struct fsif_client_options co;
    struct fsif_limits l;
    char buf[100000];
    int fh;

    fsif_client_options_init(&co);
    co.dialects = 1u << 3;
    co.slots = 8;
    co.arena_pages = 16;
    backend = local_backend_start(&bo, &co, &cl);
    fsif_get_limits(cl, &l);
    ck_assert_uint_eq(l.dialect, 3);
    ck_assert_uint_eq(l.max_io, 16384);
    fh = handle("f");
    memset(buf, 's', sizeof(buf));
    ck_assert_int_eq(fsif_pwrite(cl, fh, buf, sizeof(buf), 0), sizeof(buf));
    ck_assert_int_eq(fsif_pread(cl, fh, buf, sizeof(buf), 0), sizeof(buf));
    ck_assert_int_eq(fsif_readfile(cl, FSIF_ROOT, "f", 0, buf, sizeof(buf), NULL), sizeof(buf));
    client_stop();
}
END_TEST

/* --- many at once ----------------------------------------------------------------------------- */

static void count_done(struct fsif_call *call)
{
    ++*(atomic_int *)call->arg;
}

START_TEST(many_with_one_bell)
{
    enum { COUNT = 100 };
    static struct fsif_call calls[COUNT];
    struct fsif_call *list[COUNT];
    atomic_int done = 0;
    int taken = 0;

    client_start(1, 30000, 16);
    for (int i = 0; i < COUNT; i++) {
        calls[i] = (struct fsif_call){.op = {.type = FSIF_OP_NOP},
                                      .deadline = fsif_client_now() + 30000,
                                      .done = count_done,
                                      .arg = &done};
        list[i] = &calls[i];
    }
    ck_assert_int_eq(fsif_submit_many(cl, list, 0), 0);
    while (taken < COUNT) {
        int n = fsif_submit_many(cl, list + taken, (uint32_t)(COUNT - taken));

        ck_assert(n == -FSIF_EAGAIN || (n > 0 && n <= 16));
        if (n > 0)
            taken += n;
        ck_assert_int_ge(fsif_poll(cl, -1), 0);
    }
    while (done < COUNT)
        ck_assert_int_ge(fsif_poll(cl, -1), 0);
    calls[0].op.type = FSIF_OP_COUNT;
    ck_assert_int_lt(fsif_submit_many(cl, list, 1), 0);
    client_stop();
}
END_TEST

/* --- the end ---------------------------------------------------------------------------------- */

static int failures_in_child(int fh, int w, struct fsif_buf *buf)
{
    struct fsif_change c;
    struct fsif_attr attr;
    int bad = 0;

    bad += fsif_nop(cl) != -FSIF_EBADF;
    bad += fsif_flock(cl, fh, FSIF_LOCK_SHARED, 0) != -FSIF_EBADF;
    bad += fsif_watch(cl, fh, FSIF_CHANGE_ALL) != -FSIF_EBADF;
    bad += fsif_unwatch(cl, w) != -FSIF_EBADF;
    bad += fsif_watch_next(cl, w, &c, 0) != -FSIF_EBADF;
    bad += fsif_statx(cl, FSIF_ROOT, "f", 0, &attr) != -FSIF_EBADF;
    bad += fsif_pread_buf(cl, fh, buf, 1, 0) != -FSIF_EBADF;
    bad += fsif_export_open(cl, "other") != -FSIF_EBADF;
    bad += fsif_submit_many(cl, NULL, 0) != -FSIF_EBADF;
    fsif_buf_put(cl, buf);
    fsif_disconnect(cl);
    return bad;
}

START_TEST(a_forked_child_of_dialect_3)
{
    struct fsif_buf buf;
    int status;
    pid_t pid;
    int dir;
    int fh;
    int w;

    start_queues(2, 30000);
    fh = handle("f");
    dir = fsif_open(cl, "/", FSIF_O_DIRECTORY, 0);
    w = fsif_watch(cl, dir, FSIF_CHANGE_ALL);
    ck_assert_int_eq(fsif_buf_get(cl, 10, &buf), 0);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        _exit(failures_in_child(fh, w, &buf));
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(fsif_nop(cl), 0);
    ck_assert_int_eq(fsif_pwrite(cl, fh, "x", 1, 0), 1);
    client_stop();
}
END_TEST

/* Nothing of a dead session can be used, and everything says so. */
START_TEST(after_the_end)
{
    struct fsif_change c;
    struct fsif_attr attr;
    struct fsif_buf buf;
    int dir;
    int fh;
    int w;

    start_queues(2, 30000);
    fh = handle("f");
    dir = fsif_open(cl, "/", FSIF_O_DIRECTORY, 0);
    w = fsif_watch(cl, dir, FSIF_CHANGE_CREATE);
    ck_assert_int_eq(fsif_buf_get(cl, 10, &buf), 0);
    fsif_shutdown(cl);
    ck_assert_int_eq(fsif_nop(cl), -FSIF_EPROTO);
    ck_assert_int_eq(fsif_statx(cl, FSIF_ROOT, "f", 0, &attr), -FSIF_EPROTO);
    ck_assert_int_eq(fsif_pread_buf(cl, fh, &buf, 5, 0), -FSIF_EPROTO);
    ck_assert_int_eq(fsif_flock(cl, fh, FSIF_LOCK_EXCLUSIVE, FSIF_LOCK_WAIT), -FSIF_EPROTO);
    ck_assert_int_eq(fsif_watch_next(cl, w, &c, -1), -FSIF_EIO);
    ck_assert_int_eq(fsif_unwatch(cl, w), -FSIF_EPROTO);
    fsif_buf_put(cl, &buf);
    client_stop();
}
END_TEST

void client3_add_notes(TCase *t)
{
    tcase_add_test(t, locks);
    tcase_add_loop_test(t, a_lock_that_waits, 1, 4);
    tcase_add_test(t, a_lock_that_times_out_is_not_held);
    tcase_add_loop_test(t, locks_that_wait_when_it_ends, 0, 2);
    tcase_add_test(t, a_backend_that_lies);
    tcase_add_test(t, watches);
    tcase_add_loop_test(t, watching_beside_others, 1, 3);
    tcase_add_test(t, a_watch_ends_with_the_session);
    tcase_add_test(t, threads_on_queues);
    tcase_add_test(t, options_of_dialect_3);
    tcase_add_test(t, the_smallest_session);
    tcase_add_test(t, many_with_one_bell);
    tcase_add_test(t, a_forked_child_of_dialect_3);
    tcase_add_test(t, after_the_end);
}
