/* SPDX-License-Identifier: MIT */
/*
 * local_open against a tree that changes under it: fstatat is wrapped, so that whatever was looked
 * at is replaced before it is opened.
 */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "cli.h"
#include "scratch.h"
#include "suite.h"

_Atomic int cli_interrupted;

static char home[256];
static int dir;
static int fds_before;
static void (*swap)(void); /* what happens between the look and the opening; may be NULL */

int __real_fstatat(int at, const char *name, struct stat *st, int flags);
int __wrap_fstatat(int at, const char *name, struct stat *st, int flags);

int __wrap_fstatat(int at, const char *name, struct stat *st, int flags)
{
    int ret = __real_fstatat(at, name, st, flags);

    if (swap)
        swap();
    return ret;
}

static void make_file(const char *name)
{
    int fd = openat(dir, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);

    ck_assert_int_ge(fd, 0);
    close(fd);
}

static void setup(void)
{
    alarm(20); /* whatever blocks is a failure */
    scratch_make(home, sizeof(home));
    dir = open(home, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_ge(dir, 0);
    make_file("f");
    swap = NULL;
    fds_before = count_fds();
}

static void teardown(void)
{
    ck_assert_int_eq(count_fds(), fds_before);
    close(dir);
    scratch_remove(home);
}

/* Opens "f" and closes it again. Return: what local_open returned; @opened: whether it opened */
static int look(int follow, struct stat *st, int *opened)
{
    int fd = 99;
    int err = local_open(dir, "f", follow, st, &fd);

    *opened = fd >= 0;
    if (fd >= 0)
        close(fd);
    return err;
}

static void to_fifo(void)
{
    ck_assert_int_eq(unlinkat(dir, "f", 0), 0);
    ck_assert_int_eq(mkfifoat(dir, "f", 0600), 0);
}

static void to_socket(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_eq(unlinkat(dir, "f", 0), 0);
    scratch_path(a.sun_path, sizeof(a.sun_path), home, "f");
    ck_assert_int_eq(bind(s, (struct sockaddr *)&a, sizeof(a)), 0);
    close(s);
}

static void to_link(void)
{
    ck_assert_int_eq(unlinkat(dir, "f", 0), 0);
    ck_assert_int_eq(symlinkat("/dev/null", dir, "f"), 0);
}

static void to_directory(void)
{
    ck_assert_int_eq(unlinkat(dir, "f", 0), 0);
    ck_assert_int_eq(mkdirat(dir, "f", 0700), 0);
}

static void to_nothing(void)
{
    ck_assert_int_eq(unlinkat(dir, "f", 0), 0);
}

START_TEST(as_it_is)
{
    struct stat st;
    int opened;

    for (int follow = 0; follow < 2; follow++) {
        ck_assert_int_eq(look(follow, &st, &opened), 0);
        ck_assert(opened && S_ISREG(st.st_mode));
    }
    to_fifo();
    ck_assert_int_eq(look(1, &st, &opened), 0);
    ck_assert(!opened && S_ISFIFO(st.st_mode));
    to_link();
    ck_assert_int_eq(look(0, &st, &opened), 0);
    ck_assert(!opened && S_ISLNK(st.st_mode));
    ck_assert_int_eq(look(1, &st, &opened), 0); /* follows: a device, which is not opened */
    ck_assert(!opened && S_ISCHR(st.st_mode));
    to_nothing();
    ck_assert_int_eq(look(0, &st, &opened), ENOENT);
}
END_TEST

START_TEST(a_fifo_in_its_place)
{
    struct stat st;
    int opened;

    swap = to_fifo;
    ck_assert_int_eq(look(_i, &st, &opened), 0);
    ck_assert(!opened && S_ISFIFO(st.st_mode));
}
END_TEST

START_TEST(a_socket_in_its_place)
{
    struct stat st;
    int opened;

    swap = to_socket;
    ck_assert_int_eq(look(_i, &st, &opened), ENXIO);
    ck_assert_int_eq(opened, 0);
}
END_TEST

START_TEST(a_link_in_its_place)
{
    struct stat st;
    int opened;

    swap = to_link;
    ck_assert_int_eq(look(0, &st, &opened), ELOOP);
    ck_assert_int_eq(opened, 0);
    to_nothing();
    make_file("f");
    ck_assert_int_eq(look(1, &st, &opened), 0);
    ck_assert(!opened && S_ISCHR(st.st_mode));
}
END_TEST

START_TEST(a_directory_in_its_place)
{
    struct stat st;
    int opened;

    swap = to_directory;
    ck_assert_int_eq(look(0, &st, &opened), 0);
    ck_assert(opened && S_ISDIR(st.st_mode));
}
END_TEST

START_TEST(nothing_in_its_place)
{
    struct stat st;
    int opened;

    swap = to_nothing;
    ck_assert_int_eq(look(_i, &st, &opened), ENOENT);
    ck_assert_int_eq(opened, 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("cli_local");
    TCase *t = tcase_create("local");

    tcase_set_timeout(t, 30);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, as_it_is);
    tcase_add_loop_test(t, a_fifo_in_its_place, 0, 2);
    tcase_add_loop_test(t, a_socket_in_its_place, 0, 2);
    tcase_add_test(t, a_link_in_its_place);
    tcase_add_test(t, a_directory_in_its_place);
    tcase_add_loop_test(t, nothing_in_its_place, 0, 2);
    suite_add_tcase(s, t);
    return run_suite(s);
}
