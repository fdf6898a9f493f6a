/* SPDX-License-Identifier: MIT */
/* Closing handles in dialect 3. */
#define _GNU_SOURCE
#include <check.h>
#include <fsif/client.h>
#include "client_fixture.h"
#include "parts.h"

#define TRIED_HANDLES 4096

static void ignore(struct fsif_call *call)
{
    (void)call;
}

/* Nobody waits for the close of a handle that was only looked at, and it is none at once. */
START_TEST(quiet_closes_are_not_waited_for)
{
    struct fsif_call call = {.done = ignore, .deadline = FSIF_NEVER};
    struct fsif_attr attr;
    int busy, quiet, used;
    char buf[4];

    client_start(1, 300, 0);
    ck_assert_int_eq(fsif_close(cl, client_file("f", "text", 4)), 0);
    busy = fsif_open(cl, "f", FSIF_O_RDONLY, 0);
    quiet = fsif_open(cl, "f", FSIF_O_RDONLY, 0);
    used = fsif_open(cl, "f", FSIF_O_RDWR, 0);
    ck_assert_int_eq(fsif_pread(cl, quiet, buf, 4, 0), 4);
    ck_assert_int_eq(fsif_fstat(cl, quiet, &attr), 0);
    ck_assert_int_eq(fsif_pwrite(cl, used, "T", 1, 0), 1);
    local_backend_hold(backend, 0);
    call.op = (struct fsif_op){
        .type = FSIF_OP_READ, .handle = (uint32_t)busy, .length = 4, .buffer = buf};
    ck_assert_int_eq(fsif_submit(cl, &call), 0);
    local_backend_wait_held(backend, 1);
    ck_assert_int_eq(fsif_close(cl, quiet), 0);
    ck_assert_int_eq(fsif_close(cl, quiet), -FSIF_EBADF);
    ck_assert_int_eq(fsif_pread(cl, quiet, buf, 4, 0), -FSIF_EBADF);
    ck_assert_int_eq(fsif_close(cl, used), -FSIF_ETIMEDOUT);
    local_backend_release(backend);
    ck_assert_int_eq(fsif_close(cl, busy), 0);
    ck_assert_int_eq(fsif_close(cl, quiet), -FSIF_EBADF);
    client_stop();
}
END_TEST

/* Handles that are being closed are free again when they are needed. */
START_TEST(quiet_closes_leave_room)
{
    int fh[TRIED_HANDLES];
    int n = 0;

    client_start(2, 30000, 0);
    ck_assert_int_eq(fsif_close(cl, client_file("f", "text", 4)), 0);
    while (n < TRIED_HANDLES && (fh[n] = fsif_open(cl, "f", FSIF_O_RDONLY, 0)) >= 0)
        n++;
    ck_assert_int_gt(n, 8);
    for (int i = 0; i < 2000; i++) {
        ck_assert_int_eq(fsif_close(cl, fh[i % n]), 0);
        fh[i % n] = fsif_open(cl, "f", FSIF_O_RDONLY, 0);
        ck_assert_int_ge(fh[i % n], 0);
    }
    client_stop();
}
END_TEST

void client3_add_closing(TCase *t)
{
    tcase_add_test(t, quiet_closes_are_not_waited_for);
    tcase_add_test(t, quiet_closes_leave_room);
}
