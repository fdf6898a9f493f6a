/* SPDX-License-Identifier: MIT */
/* Dialect 3: locks that wait, and what becomes of them. */
#include <check.h>
#include <string.h>
#include <fsif/error.h>
#include "backend_state.h"
#include "dialect3_fixture.h"
#include "parts.h"

#define ROOT FSIF_HANDLE_ROOT
#define GO(...) d3_go(&d, (struct fsif_op){__VA_ARGS__})

static struct d3 d;

static int64_t lock(uint32_t queue, uint32_t h, uint32_t mode, uint32_t flags, uint64_t cookie)
{
    return d3_on(&d, queue, d3_lock(h, mode, flags, cookie));
}

START_TEST(locks_that_wait)
{
    uint32_t h1, h2;

    d3_begin(&d, 0);
    h1 = d3_open(&d, "f", FSIF_O_RDWR | FSIF_O_CREAT);
    h2 = d3_open(&d, "f", FSIF_O_RDWR);
    ck_assert_int_eq(lock(0, h1, FSIF_LOCK_EXCLUSIVE, 0, 0), 0);
    ck_assert_int_eq(lock(0, h2, FSIF_LOCK_SHARED, 0, 0), -FSIF_EAGAIN);
    ck_assert_int_eq(lock(0, h2, FSIF_LOCK_SHARED, FSIF_LOCK_TEST, 0), 0);
    ck_assert_uint_eq(d.result.lock.mode, FSIF_LOCK_EXCLUSIVE);
    /* As many as may wait, on any queue; then none, and whoever holds it can still let go. */
    for (uint32_t i = 0; i < D3_LOCKS; i++)
        ck_assert_int_eq(lock(i % 2, h2, FSIF_LOCK_SHARED, FSIF_LOCK_WAIT, 100 + i),
                         -FSIF_EINPROGRESS);
    ck_assert_uint_eq(d.waiting, D3_LOCKS);
    ck_assert_int_eq(lock(0, h2, FSIF_LOCK_SHARED, FSIF_LOCK_WAIT, 1), -FSIF_ENOLCK);
    ck_assert_int_eq(GO(.type = FSIF_OP_CANCEL, .cookie = 101), 0);
    ck_assert_int_eq(GO(.type = FSIF_OP_CANCEL, .cookie = 7), -FSIF_ENOENT);
    ck_assert_uint_eq(fsif_backend_lock_waiters(&d.be[1]), D3_LOCKS - 1);
    ck_assert_int_eq(lock(1, h1, FSIF_LOCK_UNLOCK, 0, 0), 0);
    ck_assert_uint_eq(fsif_backend_lock_waiters(&d.be[0]), 0);
    ck_assert_int_ge(fsif_frontend_poll(&d.fe[0]), 1);
    ck_assert_uint_eq(d.nnotices, D3_LOCKS);
    for (uint32_t i = 0; i < d.nnotices; i++) {
        ck_assert_uint_eq(d.notices[i].kind, FSIF_NOTICE_LATE);
        ck_assert_int_eq(d.notices[i].value, d.notices[i].cookie == 101 ? -FSIF_ECANCELED : 0);
    }
    d3_end(&d);
}
END_TEST

/* One whose handle is closed ends, and the file with it. */
START_TEST(lock_of_a_closed_handle)
{
    uint32_t h1, h2;

    d3_begin(&d, 0);
    h1 = d3_open(&d, "f", FSIF_O_RDWR | FSIF_O_CREAT);
    h2 = d3_open(&d, "f", FSIF_O_RDWR);
    ck_assert_int_eq(lock(0, h1, FSIF_LOCK_EXCLUSIVE, 0, 0), 0);
    ck_assert_int_eq(lock(0, h2, FSIF_LOCK_EXCLUSIVE, FSIF_LOCK_WAIT, 5), -FSIF_EINPROGRESS);
    ck_assert_int_eq(GO(.type = FSIF_OP_CLOSE, .handle = h2), 0);
    ck_assert_int_ge(fsif_frontend_poll(&d.fe[0]), 0);
    ck_assert_uint_eq(d.nnotices, 1);
    ck_assert_int_eq(d.notices[0].value, -FSIF_EBADF);
    ck_assert_uint_eq(fsif_backend_handles(&d.be[0]), 1);
    d3_end(&d);
}
END_TEST

/* The process dies while a lock waits: the lock keeps its hold, and its handle is good after it;
 * one whose handle was closed meanwhile ends with the file. */
START_TEST(resume_of_waiting_locks)
{
    uint32_t h1, h2, h3, open;
    int closing = _i;

    d3_begin(&d, UINT32_MAX - 1);
    h1 = d3_open(&d, "f", FSIF_O_RDWR | FSIF_O_CREAT);
    h2 = d3_open(&d, "f", FSIF_O_RDWR);
    h3 = d3_open(&d, "f", FSIF_O_RDWR);
    ck_assert_int_eq(lock(0, h1, FSIF_LOCK_EXCLUSIVE, 0, 0), 0);
    ck_assert_int_eq(lock(1, h2, FSIF_LOCK_EXCLUSIVE, FSIF_LOCK_WAIT, 5), -FSIF_EINPROGRESS);
    if (closing) {
        struct fsi_backend_view v;

        fsi_backend_look(&d.be[0], &v);
        ck_assert_int_eq(fsi_handles_close(&v.handles, h2), 0);
    }
    for (uint32_t q = 0; q < D3_QUEUES; q++) {
        memset(&d.be[q], 0xdb, sizeof(d.be[q]));
        ck_assert_int_eq(fsif_backend_resume(&d.be[q], &d.bc[q], d.memory[3 * q + 2]), 0);
    }
    ck_assert_uint_eq(fsif_backend_lock_waiters(&d.be[1]), 1);
    ck_assert_uint_eq(fsif_backend_handles(&d.be[0]), 3);
    ck_assert_int_eq(lock(0, h1, FSIF_LOCK_UNLOCK, 0, 0), 0);
    ck_assert_uint_eq(fsif_backend_retry_locks(&d.be[0]), 0);
    (void)fsif_frontend_poll(&d.fe[0]);
    ck_assert_uint_eq(d.nnotices, 1);
    ck_assert_int_eq(d.notices[0].value, closing ? -FSIF_EBADF : 0);
    open = closing ? 2 : 3;
    ck_assert_uint_eq(fsif_backend_handles(&d.be[0]), open);
    if (!closing)
        ck_assert_int_eq(GO(.type = FSIF_OP_CLOSE, .handle = h2), 0);
    ck_assert_int_eq(GO(.type = FSIF_OP_CLOSE, .handle = h3), 0);
    ck_assert_uint_eq(fsif_backend_handles(&d.be[0]), 1);
    d3_end(&d);
}
END_TEST

void dialect3_add_locks(TCase *t)
{
    tcase_add_test(t, locks_that_wait);
    tcase_add_test(t, lock_of_a_closed_handle);
    tcase_add_loop_test(t, resume_of_waiting_locks, 0, 2);
}
