/* SPDX-License-Identifier: MIT */
/* Messages between the daemon's supervisor and its workers. */
#include <check.h>
#include <fcntl.h>
#include <fsif/error.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "control.h"
#include "suite.h"

static int pair[2];

static void setup(void)
{
    ck_assert_int_eq(fsi_control_pair(pair), 0);
}

static void teardown(void)
{
    close(pair[0]);
    close(pair[1]);
}

static struct fsi_hello some_hello(void)
{
    struct fsi_hello h;

    memset(&h, 0, sizeof(h));
    strcpy(h.transport, "shm");
    h.session = 4000000000u;
    h.nfds = 1;
    h.log_level = 2;
    h.dialects = 6;
    h.max_pages = 4096;
    h.threads = 32;
    h.slow_threshold = 2;
    h.spin = 100;
    h.spinners = 3;
    h.handshake_timeout = 10;
    h.refuse = 11;
    h.blob_len = sizeof(h.blob);
    for (size_t i = 0; i < sizeof(h.blob); i++)
        h.blob[i] = (unsigned char)(i * 7);
    return h;
}

START_TEST(test_hello)
{
    struct fsi_hello in = some_hello();
    struct fsi_hello out;
    struct fsif_dict d;
    struct fsif_dict got;

    ck_assert_int_eq(fsi_hello_write(&in, &d), 0);
    ck_assert_int_eq(fsi_control_send(pair[0], &d, -1), 0);
    ck_assert_int_eq(fsi_control_receive(pair[1], &got, NULL), 0);
    ck_assert_int_eq(fsi_hello_read(&got, &out), 0);
    ck_assert_mem_eq(&in, &out, sizeof(in));
    in.blob_len = 0;
    ck_assert_int_eq(fsi_hello_write(&in, &d), 0);
    ck_assert_int_eq(fsi_hello_read(&d, &out), 0);
    ck_assert_uint_eq(out.blob_len, 0);
}
END_TEST

START_TEST(test_bad_hello)
{
    struct fsi_hello in = some_hello();
    struct fsi_hello out;
    struct fsif_dict d;

    in.nfds = FSIF_EXPORT_FDS + 1;
    ck_assert_int_lt(fsi_hello_write(&in, &d), 0);
    in = some_hello();
    in.threads = 0;
    ck_assert_int_eq(fsi_hello_write(&in, &d), 0);
    ck_assert_int_lt(fsi_hello_read(&d, &out), 0);
    fsi_message_simple(&d, "hello");
    ck_assert_int_lt(fsi_hello_read(&d, &out), 0);
    fsi_message_simple(&d, "drain");
    ck_assert_int_lt(fsi_hello_read(&d, &out), 0);
    in.threads = 1;
    in.blob_len = 0;
    ck_assert_int_eq(fsi_hello_write(&in, &d), 0);
    ck_assert_int_eq(fsif_dict_put(&d, "blob-0", "0g"), 0);
    ck_assert_int_lt(fsi_hello_read(&d, &out), 0);
}
END_TEST

START_TEST(test_opening)
{
    struct fsi_opening in;
    struct fsi_opening out;
    struct fsif_dict d;

    memset(&in, 0, sizeof(in));
    strcpy(in.name, "data");
    strcpy(in.store, "slow");
    strcpy(in.source, "100 = x, y");
    in.max_handles = 65536;
    in.config.size = sizeof(in.config);
    in.config.root_fd = -1;
    in.config.read_only = 1;
    in.config.special = 1;
    in.config.map = FSIF_MAP_OWNER;
    in.config.uid = 4294967294u;
    in.config.gid = 5;
    in.config.max_bytes = UINT64_MAX;
    in.config.max_nodes = 7;
    ck_assert_int_eq(fsi_opening_write(&in, &d), 0);
    ck_assert_int_eq(fsi_message_is_answer(&d), 1);
    ck_assert_int_eq(fsi_opening_read(&d, &out), 0);
    ck_assert_mem_eq(&in, &out, sizeof(in));
}
END_TEST

START_TEST(test_opening_denied)
{
    struct fsi_opening in;
    struct fsi_opening out;
    struct fsif_dict d;
    char value[64];

    memset(&in, 0, sizeof(in));
    strcpy(in.name, "data");
    in.status = -FSIF_ENOENT;
    ck_assert_int_eq(fsi_opening_write(&in, &d), 0);
    ck_assert_int_eq(fsi_opening_read(&d, &out), 0);
    ck_assert_int_eq(out.status, -FSIF_ENOENT);
    /* Nothing of the export goes along. */
    ck_assert_int_eq(fsif_dict_get(&d, "export", value, sizeof(value)), -FSIF_ENOENT);
    fsif_dict_init(&d);
    ck_assert_int_lt(fsi_opening_read(&d, &out), 0);
    fsif_dict_put_u32(&d, "status", 0);
    ck_assert_int_lt(fsi_opening_read(&d, &out), 0);
}
END_TEST

START_TEST(test_descriptor)
{
    struct fsif_dict d;
    int sent = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int got;

    fsi_message_simple(&d, "x");
    ck_assert_int_eq(fsi_control_send(pair[0], &d, sent), 0);
    close(sent);
    ck_assert_int_eq(fsi_control_receive(pair[1], &d, &got), 0);
    ck_assert_int_ge(got, 0);
    ck_assert_int_eq(fcntl(got, F_GETFD), FD_CLOEXEC);
    close(got);
    ck_assert_int_eq(fsi_control_receive(pair[1], &d, &got), -FSIF_EAGAIN);
    ck_assert_int_eq(got, -1);
}
END_TEST

static void send_fds(unsigned n)
{
    char room[CMSG_SPACE(16 * sizeof(int))];
    struct iovec iov = {"message=x\n", 10};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = room};
    struct cmsghdr *c;

    memset(room, 0, sizeof(room));
    msg.msg_controllen = CMSG_SPACE(n * sizeof(int));
    c = CMSG_FIRSTHDR(&msg);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(n * sizeof(int));
    for (unsigned i = 0; i < n; i++)
        memcpy(CMSG_DATA(c) + i * sizeof(int), &pair[0], sizeof(int));
    ck_assert_int_eq(sendmsg(pair[0], &msg, 0), 10);
}

static int next_fd(void)
{
    int fd = dup(0);

    close(fd);
    return fd;
}

START_TEST(test_unwelcome_descriptors)
{
    struct fsif_dict d;
    int fd = -1;
    int free_fd = next_fd();

    send_fds(1);
    ck_assert_int_eq(fsi_control_receive(pair[1], &d, NULL), -FSIF_EPROTO);
    send_fds(2);
    ck_assert_int_eq(fsi_control_receive(pair[1], &d, &fd), -FSIF_EPROTO);
    ck_assert_int_eq(fd, -1);
    send_fds(16);
    ck_assert_int_eq(fsi_control_receive(pair[1], &d, &fd), -FSIF_EPROTO);
    ck_assert_int_eq(fd, -1);
    /* All of them were closed. */
    ck_assert_int_eq(next_fd(), free_fd);
}
END_TEST

START_TEST(test_bad_packets)
{
    static char big[FSIF_DICT_MAX + 1];
    struct fsif_dict d;

    ck_assert_int_eq(send(pair[0], "junk", 4, 0), 4);
    ck_assert_int_eq(fsi_control_receive(pair[1], &d, NULL), -FSIF_EPROTO);
    ck_assert_int_eq(send(pair[0], "a=1\na=2\n", 8, 0), 8);
    ck_assert_int_eq(fsi_control_receive(pair[1], &d, NULL), -FSIF_EPROTO);
    memset(big, 'a', sizeof(big));
    ck_assert_int_eq(send(pair[0], big, sizeof(big), 0), (ssize_t)sizeof(big));
    ck_assert_int_eq(fsi_control_receive(pair[1], &d, NULL), -FSIF_EPROTO);
    ck_assert_int_eq(fsi_control_receive(pair[1], &d, NULL), -FSIF_EAGAIN);
}
END_TEST

START_TEST(test_gone)
{
    struct fsif_dict d;

    fsi_message_simple(&d, "x");
    close(pair[0]);
    ck_assert_int_eq(fsi_control_receive(pair[1], &d, NULL), -FSIF_EPIPE);
    ck_assert_int_eq(fsi_control_send(pair[1], &d, -1), -FSIF_EPIPE);
    pair[0] = dup(pair[1]);
}
END_TEST

START_TEST(test_never_blocks)
{
    struct fsif_dict d;
    int rc = 0;

    fsi_message_simple(&d, "x");
    for (int i = 0; i < 100000 && !rc; i++)
        rc = fsi_control_send(pair[0], &d, -1);
    ck_assert_int_eq(rc, -FSIF_EAGAIN);
}
END_TEST

START_TEST(test_texts)
{
    for (int code = FSI_END_HANDSHAKE; code <= FSI_END_CONTROL; code++)
        ck_assert_str_ne(fsi_end_text(code), fsi_end_text(1));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("server_control");
    TCase *t = tcase_create("all");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_hello);
    tcase_add_test(t, test_bad_hello);
    tcase_add_test(t, test_opening);
    tcase_add_test(t, test_opening_denied);
    tcase_add_test(t, test_descriptor);
    tcase_add_test(t, test_unwelcome_descriptors);
    tcase_add_test(t, test_bad_packets);
    tcase_add_test(t, test_gone);
    tcase_add_test(t, test_never_blocks);
    tcase_add_test(t, test_texts);
    suite_add_tcase(s, t);
    return run_suite(s);
}
