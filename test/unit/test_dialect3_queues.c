/* SPDX-License-Identifier: MIT */
/* Dialect 3, several queues: what each counts, and what their threads do to the session at once. */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <fsif/error.h>
#include "backend3.h"
#include "barrier.h"
#include "dialect3_fixture.h"
#include "le.h"
#include "parts.h"

#define ROOT FSIF_HANDLE_ROOT
#define ROUNDS 2000u
#define SESSIONS 50u

static struct d3 d;
static struct fsif_shared_u32 current, ended, told, wrong;

/* A queue of one thread's. */
struct lane {
    uint32_t queue;
    int64_t value;
    int ran;
    struct fsif_fetched rq;
};

static struct lane lanes[D3_QUEUES];

static void on_done(struct fsif_call *call)
{
    struct lane *l = call->arg;

    l->value = call->result.value;
    l->ran = 1;
}

static int64_t go(struct lane *l, struct fsif_op op)
{
    struct fsif_call call = {.op = op, .deadline = FSIF_NEVER, .done = on_done, .arg = l};

    l->ran = 0;
    ck_assert_int_eq(fsif_frontend_submit(&d.fe[l->queue], &call), 0);
    ck_assert_int_ge(fsif_backend_serve(&d.be[l->queue], &l->rq), 0);
    while (!l->ran)
        ck_assert_int_ge(fsif_frontend_poll(&d.fe[l->queue]), 0);
    return l->value;
}

static void begin(void)
{
    d3_begin(&d, 0);
    for (uint32_t q = 0; q < D3_QUEUES; q++)
        lanes[q].queue = q;
}

/* --- serials --- */

static uint32_t serial_at(uint32_t queue, uint32_t index)
{
    return fsi_get32(d.ring[queue] + 128 + index % D3_SLOTS * 64 + 4);
}

/* Each queue counts its own requests, whatever the other does in between. */
START_TEST(serials)
{
    static const uint8_t order[] = {0, 1, 1, 0, 1, 1, 1, 0, 0, 1};
    uint32_t made[D3_QUEUES] = {0, 0};
    uint32_t first[D3_QUEUES];

    begin();
    for (size_t i = 0; i < sizeof(order); i++) {
        uint32_t q = order[i];

        ck_assert_int_eq(d3_on(&d, q, (struct fsif_op){.type = FSIF_OP_NOP}), 0);
        if (!made[q])
            first[q] = serial_at(q, 0);
        ck_assert_uint_eq(serial_at(q, made[q]), first[q] + made[q]);
        made[q]++;
    }
    d3_end(&d);
}
END_TEST

/* --- cancel --- */

static void cancel_7(void *arg, const struct fsif_event *event)
{
    struct fsi_backend_view v;

    (void)arg;
    fsi_backend_look(&d.be[1], &v);
    if (event->result == -FSIF_EINPROGRESS)
        ck_assert_int_eq(fsi_backend_cancel_lock(&d.be[1], &v, 7), 0);
}

/* A cancel that comes before the lock has been answered ends that lock, and no later one. */
START_TEST(cancel_of_a_parked_lock)
{
    const struct fsif_hooks hooks = {.size = sizeof(hooks), .end = cancel_7};
    uint32_t h1, h2;

    begin();
    h1 = d3_open(&d, "f", FSIF_O_RDWR | FSIF_O_CREAT);
    h2 = d3_open(&d, "f", FSIF_O_RDWR);
    ck_assert_int_eq(d3_go(&d, d3_lock(h1, FSIF_LOCK_EXCLUSIVE, 0, 0)), 0);
    d.be[0].config_.hooks = &hooks;
    ck_assert_int_eq(d3_go(&d, d3_lock(h2, FSIF_LOCK_SHARED, FSIF_LOCK_WAIT, 7)),
                     -FSIF_EINPROGRESS);
    d.be[0].config_.hooks = NULL;
    (void)fsif_frontend_poll(&d.fe[0]);
    ck_assert_uint_eq(d.nnotices, 1);
    ck_assert_uint_eq(d.notices[0].cookie, 7);
    ck_assert_int_eq(d.notices[0].value, -FSIF_ECANCELED);
    ck_assert_uint_eq(fsif_backend_lock_waiters(&d.be[0]), 0);
    ck_assert_int_eq(d3_go(&d, (struct fsif_op){.type = FSIF_OP_CANCEL, .cookie = 7}),
                     -FSIF_ENOENT);
    ck_assert_int_eq(d3_go(&d, d3_lock(h2, FSIF_LOCK_SHARED, FSIF_LOCK_WAIT, 8)),
                     -FSIF_EINPROGRESS);
    ck_assert_uint_eq(fsif_backend_retry_locks(&d.be[0]), 1);
    ck_assert_int_eq(d3_go(&d, d3_lock(h1, FSIF_LOCK_UNLOCK, 0, 0)), 0);
    (void)fsif_frontend_poll(&d.fe[0]);
    ck_assert_uint_eq(d.nnotices, 2);
    ck_assert_int_eq(d.notices[1].value, 0);
    d3_end(&d);
}
END_TEST

/* Cancels each lock of the other queue as soon as it is found. */
static void *canceller(void *arg)
{
    uint32_t i;

    (void)arg;
    while ((i = fsi_load_seq(&current)) <= ROUNDS) {
        struct fsif_op op = {.type = FSIF_OP_CANCEL, .cookie = (uint64_t)i << 32 | i};

        int is_told = fsi_load_seq(&told) == i;

        if (fsi_load_seq(&ended) == i || (go(&lanes[1], op) != 0 && !is_told)) {
            sched_yield();
            continue;
        }
        /* It ended, and nobody had cancelled it. */
        if (is_told)
            fsi_store_seq(&wrong, 1);
        fsi_store_seq(&ended, i);
    }
    return NULL;
}

static void *retrier(void *arg)
{
    (void)arg;
    while (fsi_load_seq(&current) <= ROUNDS) {
        (void)fsif_backend_retry_locks(&d.be[0]);
        sched_yield();
    }
    return NULL;
}

/* A cancel that answered 0 is never forgotten. */
START_TEST(cancel_while_a_lock_parks)
{
    pthread_t thread[2];
    uint32_t h1, h2;

    begin();
    h1 = d3_open(&d, "f", FSIF_O_RDWR | FSIF_O_CREAT);
    h2 = d3_open(&d, "f", FSIF_O_RDWR);
    ck_assert_int_eq(d3_go(&d, d3_lock(h1, FSIF_LOCK_EXCLUSIVE, 0, 0)), 0);
    fsi_store_seq(&ended, 0);
    fsi_store_seq(&current, 0);
    ck_assert_int_eq(pthread_create(&thread[0], NULL, canceller, NULL), 0);
    ck_assert_int_eq(pthread_create(&thread[1], NULL, retrier, NULL), 0);
    for (uint32_t i = 1; i <= ROUNDS; i++) {
        uint64_t cookie = (uint64_t)i << 32 | i;

        d.nnotices = 0;
        fsi_store_seq(&current, i);
        ck_assert_int_eq(go(&lanes[0], d3_lock(h2, FSIF_LOCK_SHARED, FSIF_LOCK_WAIT, cookie)),
                         -FSIF_EINPROGRESS);
        while (!d.nnotices || fsi_load_seq(&ended) != i) {
            ck_assert_int_ge(fsif_frontend_poll(&d.fe[0]), 0);
            if (d.nnotices)
                fsi_store_seq(&told, i);
            sched_yield();
        }
        ck_assert_uint_eq(fsi_load_seq(&wrong), 0);
        ck_assert_uint_eq(d.nnotices, 1);
        ck_assert_uint_eq(d.notices[0].cookie, cookie);
        ck_assert_int_eq(d.notices[0].value, -FSIF_ECANCELED);
    }
    fsi_store_seq(&current, ROUNDS + 1);
    ck_assert_int_eq(pthread_join(thread[0], NULL), 0);
    ck_assert_int_eq(pthread_join(thread[1], NULL), 0);
    d3_end(&d);
}
END_TEST

/* --- changes --- */

static void make_changes(uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        (void)d3_on(
            &d, 1,
            (struct fsif_op){
                .type = FSIF_OP_MKDIR, .handle = ROOT, .path = i % 2 ? "b" : "a", .mode = 0700});
        (void)d3_on(&d, 1,
                    (struct fsif_op){.type = FSIF_OP_REMOVE,
                                     .handle = ROOT,
                                     .path = i % 2 ? "b" : "a",
                                     .flags = FSIF_REMOVE_DIR});
    }
    (void)fsif_backend_changes(&d.be[0]);
}

/* As another thread would while a notice is being sent: until there is no room. */
static void fill_up(void)
{
    d.on_bell = NULL;
    make_changes(2 * D3_SLOTS);
}

static uint32_t take_notices(void)
{
    uint32_t lost;

    d.nnotices = 0;
    ck_assert_int_ge(fsif_frontend_poll(&d.fe[0]), 0);
    ck_assert_uint_gt(d.nnotices, 0);
    lost = d.notices[d.nnotices - 1].what & FSIF_CHANGE_LOST;
    ck_assert_int_eq(fsif_backend_serve(&d.be[0], &d.rq), 0);
    return lost;
}

/* Changes that are lost while it is told of earlier ones are told of too. */
START_TEST(lost_while_told)
{
    uint32_t h;

    begin();
    h = d3_open(&d, ".", FSIF_O_DIRECTORY);
    ck_assert_int_eq(
        d3_go(&d,
              (struct fsif_op){.type = FSIF_OP_WATCH, .handle = h, .flags = FSIF_CHANGE_CREATE}),
        0);
    make_changes(2 * D3_SLOTS);
    ck_assert_int_ge(fsif_frontend_poll(&d.fe[0]), 0);
    /* The next response rings. */
    fsi_put32(d.ring[0] + 4, fsi_get32(d.ring[0] + 64) + 1);
    d.on_bell = fill_up;
    ck_assert_int_eq(fsif_backend_serve(&d.be[0], &d.rq), 0);
    ck_assert_ptr_null(d.on_bell);
    ck_assert_uint_eq(take_notices(), 0);
    ck_assert_uint_ne(take_notices(), 0);
    d3_end(&d);
}
END_TEST

/* --- exports --- */

static uint32_t roots[D3_QUEUES];

static void *attacher(void *arg)
{
    struct lane *l = arg;
    int64_t h = go(l, (struct fsif_op){.type = FSIF_OP_EXPORT, .path = "other"});

    ck_assert_int_ge(h, 0);
    roots[l->queue] = (uint32_t)h;
    ck_assert_int_eq(
        go(l, (struct fsif_op){.type = FSIF_OP_STAT, .handle = (uint32_t)h, .path = "."}), 0);
    return NULL;
}

/* A store that two queues attach at once is one export. */
START_TEST(attached_at_once)
{
    for (uint32_t i = 0; i < SESSIONS; i++) {
        pthread_t thread[D3_QUEUES];

        begin();
        for (uint32_t q = 0; q < D3_QUEUES; q++)
            ck_assert_int_eq(pthread_create(&thread[q], NULL, attacher, &lanes[q]), 0);
        ck_assert_int_eq(fsif_backend_changes(&d.be[0]), 0);
        for (uint32_t q = 0; q < D3_QUEUES; q++)
            ck_assert_int_eq(pthread_join(thread[q], NULL), 0);
        ck_assert_int_eq(d3_go(&d, (struct fsif_op){.type = FSIF_OP_RENAME,
                                                    .handle = roots[0],
                                                    .path = "nope",
                                                    .handle2 = roots[1],
                                                    .path2 = "x"}),
                         -FSIF_ENOENT);
        d3_end(&d);
    }
}
END_TEST

void dialect3_add_queues(TCase *t)
{
    tcase_add_test(t, serials);
    tcase_add_test(t, cancel_of_a_parked_lock);
    tcase_add_test(t, cancel_while_a_lock_parks);
    tcase_add_test(t, lost_while_told);
    tcase_add_test(t, attached_at_once);
}
