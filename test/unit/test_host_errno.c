/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L
#include <check.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/time.h>
#include <unistd.h>
#include <fsif/host.h>
#include "suite.h"

static const int known[] = {
    FSIF_EPERM,        FSIF_ENOENT,  FSIF_EINTR,     FSIF_EIO,        FSIF_ENXIO,
    FSIF_E2BIG,        FSIF_EBADF,   FSIF_EAGAIN,    FSIF_ENOMEM,     FSIF_EACCES,
    FSIF_EFAULT,       FSIF_EBUSY,   FSIF_EEXIST,    FSIF_EXDEV,      FSIF_ENODEV,
    FSIF_ENOTDIR,      FSIF_EISDIR,  FSIF_EINVAL,    FSIF_ENFILE,     FSIF_EMFILE,
    FSIF_ENOTTY,       FSIF_ETXTBSY, FSIF_EFBIG,     FSIF_ENOSPC,     FSIF_ESPIPE,
    FSIF_EROFS,        FSIF_EMLINK,  FSIF_EPIPE,     FSIF_ERANGE,     FSIF_EDEADLK,
    FSIF_ENAMETOOLONG, FSIF_ENOLCK,  FSIF_ENOSYS,    FSIF_ENOTEMPTY,  FSIF_ELOOP,
    FSIF_ENODATA,      FSIF_EPROTO,  FSIF_EOVERFLOW, FSIF_EOPNOTSUPP, FSIF_ECONNREFUSED,
    FSIF_ETIMEDOUT,    FSIF_ESTALE,  FSIF_EDQUOT,    FSIF_ECANCELED,
};
#define COUNT (sizeof(known) / sizeof(known[0]))

START_TEST(there_and_back)
{
    for (size_t i = 0; i < COUNT; i++)
        ck_assert_int_eq(fsif_errno_from_host(fsif_errno_to_host(known[i])), known[i]);
    /* Only EIO itself may be EIO: a row that is missing would hide behind it. */
    for (size_t i = 0; i < COUNT; i++)
        ck_assert(known[i] == FSIF_EIO || fsif_errno_to_host(known[i]) != EIO);
}
END_TEST

START_TEST(some_by_hand)
{
    ck_assert_int_eq(fsif_errno_from_host(ENOENT), FSIF_ENOENT);
    ck_assert_int_eq(fsif_errno_from_host(EWOULDBLOCK), FSIF_EAGAIN);
    ck_assert_int_eq(fsif_errno_from_host(ENOTSUP), FSIF_EOPNOTSUPP);
    ck_assert_int_eq(fsif_errno_from_host(ECONNRESET), FSIF_EPIPE);
    ck_assert_int_eq(fsif_errno_from_host(0), FSIF_EIO);
    ck_assert_int_eq(fsif_errno_from_host(EILSEQ), FSIF_EIO);
    ck_assert_int_eq(fsif_errno_to_host(FSIF_ENOTEMPTY), ENOTEMPTY);
    ck_assert_int_eq(fsif_errno_to_host(-1), EIO);
    ck_assert_int_eq(fsif_errno_to_host(4095), EIO);
}
END_TEST

START_TEST(texts)
{
    ck_assert_str_eq(fsif_strerror(0), "Success");
    ck_assert_str_eq(fsif_strerror(99999), "Unknown error");
    for (size_t i = 0; i < COUNT; i++) {
        ck_assert_str_eq(fsif_strerror(known[i]), fsif_strerror(-known[i]));
        ck_assert_str_eq(fsif_strerror(known[i]), strerror(fsif_errno_to_host(known[i])));
    }
}
END_TEST

static void on_alarm(int number)
{
    (void)number;
}

START_TEST(waits_through_signals)
{
    const struct itimerval often = {{0, 5000}, {0, 5000}}, never = {{0, 0}, {0, 0}};
    struct sigaction action = {.sa_handler = on_alarm};
    int fds[2];
    uint64_t begin;

    ck_assert_int_eq(pipe(fds), 0);
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    begin = fsif_now_ms();
    ck_assert_int_eq(fsif_wait_fd(fds[0], POLLIN, 60), 0);
    ck_assert_uint_ge(fsif_now_ms() - begin, 60);
    setitimer(ITIMER_REAL, &never, NULL);

    ck_assert_int_eq(fsif_wait_fd(fds[0], POLLIN, 0), 0);
    ck_assert_int_eq((int)write(fds[1], "x", 1), 1);
    ck_assert_int_eq(fsif_wait_fd(fds[0], POLLIN, -1), POLLIN);
    close(fds[1]);
    ck_assert_int_ne(fsif_wait_fd(fds[0], POLLIN, 0) & POLLHUP, 0);
    close(fds[0]);
    ck_assert_int_eq(fsif_wait_fd(fds[0], POLLIN, -1), -FSIF_EBADF);
}
END_TEST

/* One descriptor for as long as it is readable, another one each time that it becomes so. */
START_TEST(pollers)
{
    const int level = 1, edge = 4;
    int poller = fsif_poller_create();
    int a = eventfd(0, EFD_NONBLOCK), b = eventfd(0, EFD_NONBLOCK);

    ck_assert_int_ge(poller, 0);
    ck_assert_int_eq(fsif_poller_add(poller, a, (uint32_t)level, 0), 0);
    ck_assert_int_eq(fsif_poller_add(poller, b, (uint32_t)edge, 1), 0);
    ck_assert_int_eq(fsif_poller_add(poller, b, 2, 0), -FSIF_EEXIST);
    ck_assert_int_eq(fsif_poller_add(poller, -1, 2, 0), -FSIF_EBADF);
    ck_assert_int_eq(fsif_poller_wait(poller, 0), 0);
    ck_assert_int_eq(fsif_poller_wait(poller, 5), 0);

    eventfd_write(a, 1);
    eventfd_write(b, 1);
    ck_assert_int_eq(fsif_wait_fd(poller, POLLIN, 0), POLLIN);
    ck_assert_int_eq(fsif_poller_wait(poller, -1), level | edge);
    ck_assert_int_eq(fsif_poller_wait(poller, -1), level);
    eventfd_write(b, 1);
    eventfd_write(b, 1);
    ck_assert_int_eq(fsif_poller_wait(poller, 0), level | edge);
    fsif_poller_remove(poller, a);
    ck_assert_int_eq(fsif_poller_wait(poller, 0), 0);
    ck_assert_int_eq(fsif_wait_fd(poller, POLLIN, 0), 0);
    fsif_poller_remove(poller, a);
    close(a);
    close(b);
    close(poller);
    ck_assert_int_eq(fsif_poller_wait(poller, 0), -FSIF_EBADF);
}
END_TEST

/* A signal ends the wait, and is no news. */
START_TEST(poller_and_signals)
{
    const struct itimerval soon = {{0, 0}, {0, 5000}};
    struct sigaction action = {.sa_handler = on_alarm};
    int poller = fsif_poller_create();

    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &soon, NULL);
    ck_assert_int_eq(fsif_poller_wait(poller, -1), 0);
    close(poller);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("host_errno");
    TCase *t = tcase_create("all");

    tcase_add_test(t, there_and_back);
    tcase_add_test(t, some_by_hand);
    tcase_add_test(t, texts);
    tcase_add_test(t, waits_through_signals);
    tcase_add_test(t, pollers);
    tcase_add_test(t, poller_and_signals);
    suite_add_tcase(suite, t);
    return run_suite(suite);
}
