/* SPDX-License-Identifier: MIT */
/* The listener part: the socket's place in the file system, and who a peer is. */
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <fsif/host.h>
#include <fsif/shm.h>

#include "scratch.h"
#include "suite.h"

static const struct fsif_transport *const t = &fsif_transport_shm;
static char dir[256], address[512];

static void setup(void)
{
    scratch_make(dir, sizeof(dir));
    scratch_path(address, sizeof(address), dir, "sock");
}

static void teardown(void)
{
    scratch_remove(dir);
}

static int entries(void)
{
    char command[512];
    FILE *f;
    int n = -1;

    snprintf(command, sizeof(command), "ls -A '%s' | wc -l", dir);
    f = popen(command, "r");
    ck_assert_int_eq(fscanf(f, "%d", &n), 1);
    pclose(f);
    return n;
}

START_TEST(comes_and_goes)
{
    struct fsif_listener *l, *second;
    struct fsif_session *s;
    struct stat st;

    umask(0777);
    ck_assert_int_eq(t->listen(address, &l), 0);
    umask(022);
    ck_assert_int_eq(lstat(address, &st), 0);
    ck_assert(S_ISSOCK(st.st_mode));
    ck_assert_int_eq((int)(st.st_mode & 0777), 0666);
    ck_assert_int_eq(t->listen(address, &second), -FSIF_EBUSY);
    ck_assert_int_eq(t->connect(address, 1000, &s), 0);
    t->close(s);
    t->listener_close(l);
    ck_assert_int_eq(entries(), 0);
    ck_assert_int_eq(t->connect(address, 1000, &s), -FSIF_ENOENT);
    ck_assert_int_eq(t->listen(address, &l), 0);
    t->listener_close(l);
}
END_TEST

static int plain_socket(int type, int listens)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int sock = socket(AF_UNIX, type, 0);

    strcpy(a.sun_path, address);
    ck_assert_int_eq(bind(sock, (struct sockaddr *)&a, sizeof(a)), 0);
    if (listens)
        ck_assert_int_eq(listen(sock, 0), 0);
    return sock;
}

START_TEST(leftover_is_replaced)
{
    struct fsif_listener *l;
    struct fsif_session *s;

    close(plain_socket(SOCK_SEQPACKET, 1));
    ck_assert_int_eq(t->connect(address, 1000, &s), -FSIF_ECONNREFUSED);
    ck_assert_int_eq(t->listen(address, &l), 0);
    ck_assert_int_eq(t->connect(address, 1000, &s), 0);
    t->close(s);
    t->listener_close(l);
    close(plain_socket(SOCK_STREAM, 1));
    ck_assert_int_eq(t->listen(address, &l), 0);
    t->listener_close(l);
    ck_assert_int_eq(entries(), 0);
}
END_TEST

/* A listener that knows nothing of the lock file. */
START_TEST(live_one_is_left_alone)
{
    struct fsif_listener *l;
    struct fsif_session *s;
    int sock = plain_socket(SOCK_SEQPACKET, 1);

    ck_assert_int_eq(t->listen(address, &l), -FSIF_EBUSY);
    /* The probe fills its backlog, and still it is alive. */
    ck_assert_int_eq(t->listen(address, &l), -FSIF_EBUSY);
    ck_assert_int_eq(t->listen(address, &l), -FSIF_EBUSY);
    ck_assert_int_eq(t->connect(address, 20, &s), -FSIF_ETIMEDOUT);
    ck_assert_int_eq(t->connect(address, 0, &s), -FSIF_ETIMEDOUT);
    close(sock);
    ck_assert_int_eq(entries(), 1);
    unlink(address);
    sock = plain_socket(SOCK_STREAM, 1);
    ck_assert_int_eq(t->listen(address, &l), -FSIF_EBUSY);
    ck_assert_int_eq(t->connect(address, 20, &s), -FSIF_ECONNREFUSED);
    close(sock);
}
END_TEST

START_TEST(other_files_are_left_alone)
{
    struct fsif_listener *l;
    char target[512];

    close(open(address, O_CREAT | O_RDWR, 0600));
    ck_assert_int_eq(t->listen(address, &l), -FSIF_EEXIST);
    ck_assert_int_eq(access(address, F_OK), 0);
    unlink(address);
    ck_assert_int_eq(mkdir(address, 0700), 0);
    ck_assert_int_eq(t->listen(address, &l), -FSIF_EEXIST);
    rmdir(address);
    ck_assert_int_eq(symlink(scratch_path(target, sizeof(target), dir, "target"), address), 0);
    ck_assert_int_eq(t->listen(address, &l), -FSIF_EEXIST);
    ck_assert_int_eq(entries(), 1);
    /* Nor does the lock follow a link. */
    unlink(address);
    scratch_path(address, sizeof(address), dir, "sock.lock");
    ck_assert_int_eq(symlink(target, address), 0);
    scratch_path(address, sizeof(address), dir, "sock");
    ck_assert_int_eq(t->listen(address, &l), -FSIF_ELOOP);
    ck_assert_int_eq(access(target, F_OK), -1);
}
END_TEST

START_TEST(only_ours_is_removed)
{
    struct fsif_listener *l;

    ck_assert_int_eq(t->listen(address, &l), 0);
    unlink(address);
    close(plain_socket(SOCK_SEQPACKET, 0));
    t->listener_close(l);
    ck_assert_int_eq(access(address, F_OK), 0);
}
END_TEST

START_TEST(bad_addresses)
{
    struct fsif_listener *l;
    struct fsif_session *s;
    char longest[200];

    memset(longest, 'x', sizeof(longest));
    longest[108] = '\0';
    ck_assert_int_eq(t->listen(longest, &l), -FSIF_ENAMETOOLONG);
    ck_assert_int_eq(t->connect(longest, 0, &s), -FSIF_ENAMETOOLONG);
    ck_assert_int_eq(t->listen("", &l), -FSIF_EINVAL);
    scratch_path(address, sizeof(address), dir, "none/sock");
    ck_assert_int_eq(t->listen(address, &l), -FSIF_ENOENT);
    ck_assert_int_eq(t->connect(address, 0, &s), -FSIF_ENOENT);
}
END_TEST

/* What accept says of a child that became @uid, @gid and @n groups. */
static void peer_as(uid_t uid, gid_t gid, const gid_t *groups, size_t n,
                    struct fsif_credentials *who)
{
    struct fsif_listener *l;
    struct fsif_peer *p;
    pid_t pid;
    int status;

    ck_assert_int_eq(chmod(dir, 0755), 0);
    ck_assert_int_eq(t->listen(address, &l), 0);
    pid = fork();
    if (pid == 0) {
        struct fsif_session *s;

        if (getuid() == 0 && (setgroups(n, groups) || setgid(gid) || setuid(uid)))
            _exit(1);
        if (t->connect(address, 1000, &s))
            _exit(1);
        pause();
    }
    ck_assert_int_eq(fsif_wait_fd(t->listener_fd(l), POLLIN, 10000), POLLIN);
    ck_assert_int_eq(t->accept(l, &p), 0);
    kill(pid, SIGKILL);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFSIGNALED(status));
    ck_assert_int_eq(t->peer_credentials(p, who), 0);
    t->peer_close(p);
    t->listener_close(l);
}

START_TEST(credentials)
{
    const gid_t three[3] = {1001, 1002, 65534};
    struct fsif_credentials who;
    gid_t many[200];

    if (getuid() != 0) {
        puts("SKIP: only root can become somebody else; own ids only");
        peer_as(getuid(), getgid(), NULL, 0, &who);
        ck_assert_uint_eq(who.uid, getuid());
        ck_assert_uint_eq(who.gid, getgid());
        return;
    }
    peer_as(1234, 1235, three, 3, &who);
    ck_assert_uint_eq(who.kind, FSIF_CREDENTIAL_USER);
    ck_assert_uint_eq(who.uid, 1234);
    ck_assert_uint_eq(who.gid, 1235);
    ck_assert_int_gt(who.pid, 0);
    /* The overflow id stands for nobody in particular and so matches nothing. */
    ck_assert_uint_eq(who.ngroups, 2);
    ck_assert_uint_eq(who.groups[0], 1001);
    ck_assert_uint_eq(who.groups[1], 1002);

    for (gid_t i = 0; i < 200; i++)
        many[i] = 2000 + i;
    peer_as(65534, 65534, many, 200, &who);
    ck_assert_uint_eq(who.uid, FSIF_CREDENTIAL_UNKNOWN);
    ck_assert_uint_eq(who.gid, FSIF_CREDENTIAL_UNKNOWN);
    ck_assert_uint_eq(who.ngroups, FSIF_CREDENTIAL_GROUPS);
    for (uint32_t i = 0; i < FSIF_CREDENTIAL_GROUPS; i++)
        ck_assert_uint_eq(who.groups[i], 2000 + i);
}
END_TEST

/* Peers that hung up while they waited are passed over. */
START_TEST(gone_before_accept)
{
    struct fsif_listener *l;
    struct fsif_session *s;
    struct fsif_peer *p;

    ck_assert_int_eq(t->listen(address, &l), 0);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(t->connect(address, 1000, &s), 0);
        t->close(s);
    }
    ck_assert_int_eq(t->accept(l, &p), -FSIF_EAGAIN);
    ck_assert_int_eq(t->connect(address, 1000, &s), 0);
    t->close(s);
    ck_assert_int_eq(t->connect(address, 1000, &s), 0);
    ck_assert_int_eq(t->accept(l, &p), 0);
    t->peer_close(p);
    t->close(s);
    t->listener_close(l);
}
END_TEST

START_TEST(export_needs_room)
{
    struct fsif_listener *l;
    struct fsif_session *s;
    struct fsif_peer *p;
    char blob[FSIF_EXPORT_BLOB];
    int fds[1];
    size_t nfds = 0, len = sizeof(blob);

    ck_assert_int_eq(t->listen(address, &l), 0);
    ck_assert_int_eq(t->connect(address, 1000, &s), 0);
    ck_assert_int_eq(t->accept(l, &p), 0);
    ck_assert_int_eq(t->peer_export(p, fds, &nfds, blob, &len), -FSIF_EINVAL);
    nfds = 1;
    len = 1;
    ck_assert_int_eq(t->peer_export(p, fds, &nfds, blob, &len), -FSIF_EINVAL);
    t->peer_close(p);
    t->close(s);
    t->listener_close(l);
}
END_TEST

/* Of many that start at once exactly one listens, over and over. */
START_TEST(one_of_many)
{
    for (int round = 0; round < 20; round++) {
        int go[2], winners = 0;
        pid_t pids[8];

        if (round % 2)
            close(plain_socket(SOCK_SEQPACKET, 1));
        ck_assert_int_eq(pipe(go), 0);
        for (int i = 0; i < 8; i++) {
            pids[i] = fork();
            if (pids[i] == 0) {
                struct fsif_listener *l;
                struct fsif_session *s;
                char byte;

                close(go[1]);
                if (read(go[0], &byte, 1) != 0)
                    _exit(9);
                if (t->listen(address, &l) != 0)
                    _exit(0);
                /* Hold on until every other has lost: they exit, and SIGKILL ends this one. */
                if (t->connect(address, 1000, &s) != 0)
                    _exit(9);
                pause();
            }
        }
        close(go[0]);
        close(go[1]);
        for (int left = 8; left > 1; left--) {
            int status;
            pid_t pid = waitpid(-1, &status, 0);

            ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
            for (int i = 0; i < 8; i++)
                pids[i] = pids[i] == pid ? 0 : pids[i];
        }
        for (int i = 0; i < 8; i++) {
            if (pids[i] > 0) {
                kill(pids[i], SIGKILL);
                waitpid(pids[i], NULL, 0);
                winners++;
            }
        }
        ck_assert_int_eq(winners, 1);
        unlink(address);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("shm_listener");
    TCase *c = tcase_create("all");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_set_timeout(c, 60);
    tcase_add_test(c, comes_and_goes);
    tcase_add_test(c, leftover_is_replaced);
    tcase_add_test(c, live_one_is_left_alone);
    tcase_add_test(c, other_files_are_left_alone);
    tcase_add_test(c, only_ours_is_removed);
    tcase_add_test(c, bad_addresses);
    tcase_add_test(c, credentials);
    tcase_add_test(c, gone_before_accept);
    tcase_add_test(c, export_needs_room);
    tcase_add_test(c, one_of_many);
    suite_add_tcase(suite, c);
    return run_suite(suite);
}
