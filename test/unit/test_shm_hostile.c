/* SPDX-License-Identifier: MIT */
/* What a session over shm refuses: packets, descriptors and memory that are not as they should be.
 */
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64
#include <check.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <fsif/error.h>
#include <fsif/op.h>
#include "parts.h"
#include "shm_fixture.h"

#define MAX_PAGES 512u
#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

static ssize_t send_fds(int sock, const void *bytes, size_t len, const int *fds, size_t nfds)
{
    struct iovec iov = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = len};
    char control[CMSG_SPACE(sizeof(int) * 200)] = {0};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

    if (nfds > 0) {
        struct cmsghdr *c = (struct cmsghdr *)(void *)control;

        msg.msg_control = control;
        msg.msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * nfds);
        memcpy(CMSG_DATA(c), fds, sizeof(int) * nfds);
    }
    return sendmsg(sock, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Send one packet and say what the backend makes of it; descriptors must not be left over. */
static int offered(const void *bytes, size_t len, const int *fds, size_t nfds)
{
    struct fsif_dict d;
    struct fsif_session *s;
    int sock, before, ret;

    s = shm_raw_backend(&sock);
    before = count_fds();
    ck_assert_int_eq((int)send_fds(sock, bytes, len, fds, nfds), (int)len);
    ret = t->session_next_offer(s, &d);
    if (ret)
        ck_assert_int_eq(count_fds(), before);
    t->close(s);
    close(sock);
    return ret;
}

START_TEST(B18_malformed_packets)
{
    static const char *const bad[] = {"x",        "a=b",   "=b\n",   "a\n",    "a=b\na=c\n",
                                      "a=\x01\n", "A=b\n", "a=\n\n", " a=b\n", "a=b\nc=d\0"};
    char *big = malloc(20000);
    int fds[200];

    ck_assert_ptr_nonnull(big);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_int_eq(offered(bad[i], strlen(bad[i]), NULL, 0), -FSIF_EPROTO);
    ck_assert_int_eq(offered("a=b\n\0", 5, NULL, 0), -FSIF_EPROTO);
    ck_assert_int_eq(offered("a=b\n", 4, NULL, 0), 0);
    ck_assert_int_eq(offered("", 0, NULL, 0), -FSIF_EPIPE);

    /* 4000 bytes of valid text fit; one byte more is cut off by recvmsg and refused. */
    for (size_t i = 0; i < 20000; i += 20)
        memcpy(big + i, "kaaaaa=aaaaaaaaaaaa\n", 20);
    for (size_t i = 0; i < 1000; i++) {
        for (size_t v = i, k = 1; k < 6; k++, v /= 10)
            big[i * 20 + k] = (char)('0' + v % 10);
    }
    ck_assert_int_eq(offered(big, 4000, NULL, 0), 0);
    ck_assert_int_eq(offered(big, 4020, NULL, 0), -FSIF_EPROTO);
    ck_assert_int_eq(offered(big, 20000, NULL, 0), -FSIF_EPROTO);
    free(big);

    for (size_t i = 0; i < 200; i++)
        fds[i] = STDOUT_FILENO;
    ck_assert_int_eq(offered("a=b\n", 4, fds, 1), 0);
    ck_assert_int_eq(offered("a=b\n", 4, fds, 2), -FSIF_EPROTO);
    ck_assert_int_eq(offered("a=b\n", 4, fds, 3), -FSIF_EPROTO);
    ck_assert_int_eq(offered("a=b\n", 4, fds, 200), -FSIF_EPROTO);
    ck_assert_int_eq(offered("bad", 3, fds, 1), -FSIF_EPROTO);
    ck_assert_int_eq(offered("", 0, fds, 2), -FSIF_EPIPE);
}
END_TEST

/* What session_accept_memory makes of a descriptor that comes with pages=@pages. */
static int accepted(int fd, uint32_t pages)
{
    struct fsif_dict d;
    struct fsif_session *s;
    int sock, ret, before;

    s = shm_raw_backend(&sock);
    shm_offer_of(&d, "session", pages);
    before = count_fds();
    ck_assert_int_gt((int)send_fds(sock, d.text, d.used, &fd, fd >= 0), 0);
    ck_assert_int_eq(t->session_next_offer(s, &d), 0);
    ret = t->session_accept_memory(s, &d, MAX_PAGES);
    ck_assert_int_eq(count_fds(), before);
    ck_assert_ptr_eq(t->lend(s, 0) ? s : NULL, ret ? NULL : s);
    t->close(s);
    close(sock);
    if (fd >= 0)
        close(fd);
    return ret;
}

static int memfd(unsigned flags, off_t size, int seals)
{
    int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING | flags);

    if (fd < 0)
        return -1;
    ck_assert_int_eq(ftruncate(fd, size), 0);
    ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
}

START_TEST(B18_seals)
{
    ck_assert_int_eq(accepted(memfd(0, 4 * 4096, SEALS), 4), 0);
    ck_assert_int_eq(accepted(memfd(0, 4 * 4096, F_SEAL_GROW | F_SEAL_SEAL), 4), -FSIF_EACCES);
    ck_assert_int_eq(accepted(memfd(0, 4 * 4096, F_SEAL_SHRINK | F_SEAL_SEAL), 4), -FSIF_EACCES);
    ck_assert_int_eq(accepted(memfd(0, 4 * 4096, F_SEAL_SHRINK | F_SEAL_GROW), 4), -FSIF_EACCES);
    ck_assert_int_eq(accepted(memfd(0, 4 * 4096, SEALS | F_SEAL_WRITE), 4), -FSIF_EACCES);
    ck_assert_int_eq(accepted(memfd(0, 4 * 4096, SEALS | F_SEAL_FUTURE_WRITE), 4), -FSIF_EACCES);
}
END_TEST

START_TEST(B18_sizes)
{
    ck_assert_int_eq(accepted(memfd(0, 4 * 4096 - 1, SEALS), 4), -FSIF_EPROTO);
    ck_assert_int_eq(accepted(memfd(0, 4 * 4096 + 1, SEALS), 4), -FSIF_EPROTO);
    ck_assert_int_eq(accepted(memfd(0, 4 * 4096, SEALS), 3), -FSIF_EPROTO);
    ck_assert_int_eq(accepted(memfd(0, 0, SEALS), 1), -FSIF_EPROTO);
    ck_assert_int_eq(accepted(memfd(0, 0, SEALS), 0), -FSIF_EPROTO);
    ck_assert_int_eq(accepted(memfd(0, MAX_PAGES * 4096, SEALS), MAX_PAGES), 0);
    ck_assert_int_eq(accepted(memfd(0, (MAX_PAGES + 1) * 4096, SEALS), MAX_PAGES + 1), -FSIF_E2BIG);
    ck_assert_int_eq(accepted(memfd(0, 4096, SEALS), UINT32_MAX), -FSIF_E2BIG);
}
END_TEST

START_TEST(B18_no_memfd)
{
    char path[512];
    int pair[2];
    int fd;

    ck_assert_int_eq(accepted(-1, 4), -FSIF_EPROTO);
    ck_assert_int_eq(pipe(pair), 0);
    close(pair[1]);
    ck_assert_int_eq(accepted(pair[0], 4), -FSIF_EPROTO);
    ck_assert_int_eq(accepted(open("/dev/null", O_RDWR), 4), -FSIF_EPROTO);
    ck_assert_int_eq(accepted(open("/proc/self/status", O_RDONLY), 4), -FSIF_EOPNOTSUPP);
    fd = open(scratch_path(path, sizeof(path), dir, "file"), O_RDWR | O_CREAT, 0600);
    ck_assert_int_eq(ftruncate(fd, 4 * 4096), 0);
    /* On tmpfs an ordinary file lacks the seals, elsewhere it is no tmpfs. */
    ck_assert_int_lt(accepted(fd, 4), 0);
    fd = open("/dev/shm", O_TMPFILE | O_RDWR, 0600);
    if (fd >= 0) {
        ck_assert_int_eq(ftruncate(fd, 4 * 4096), 0);
        ck_assert_int_eq(accepted(fd, 4), -FSIF_EACCES);
    }
    fd = memfd(0, 4 * 4096, SEALS);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    ck_assert_int_eq(accepted(open(path, O_RDONLY), 4), -FSIF_EACCES);
    close(fd);
}
END_TEST

START_TEST(B18_huge_pages)
{
    int fd = memfd(MFD_HUGETLB, 2 * 1024 * 1024, SEALS);

    /* Its seals and its size are in order and its file is not; no huge page is touched. */
    if (fd >= 0)
        ck_assert_int_eq(accepted(fd, 512), -FSIF_EOPNOTSUPP);
    else
        puts("SKIP: this kernel has no huge pages for memfd_create");
}
END_TEST

/* A listener made by hand: what a hostile backend sends to our frontend. */
struct fake {
    int listener;
    const char *text;
    const int *fds;
    size_t nfds;
};

static void *fake_backend(void *arg)
{
    const struct fake *f = arg;
    char buf[FSIF_DICT_MAX];
    int sock = accept4(f->listener, NULL, NULL, SOCK_CLOEXEC);

    if (recv(sock, buf, sizeof(buf), 0) > 0)
        send_fds(sock, f->text, strlen(f->text), f->fds, f->nfds);
    /* Until the frontend closes. */
    while (recv(sock, buf, sizeof(buf), 0) > 0)
        ;
    close(sock);
    return NULL;
}

/* 0: the offer does not say. */
static uint32_t queues_offered;

static int answered(const char *request, const char *text, const int *fds, size_t nfds)
{
    struct fsif_listener *l;
    struct fsif_session *s;
    struct fsif_dict offer, answer;
    struct fake f = {.text = text, .fds = fds, .nfds = nfds};
    char path[512];
    pthread_t thread;
    uint32_t gref;
    void *m;
    int ret;

    ck_assert_int_eq(t->listen(scratch_path(path, sizeof(path), dir, "fake"), &l), 0);
    f.listener = t->listener_fd(l);
    ck_assert_int_eq(fcntl(f.listener, F_SETFL, O_RDWR), 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, fake_backend, &f), 0);
    ck_assert_int_eq(t->connect(path, 1000, &s), 0);
    ck_assert_int_eq(t->share(s, 1, &m, &gref), 0);
    shm_offer_of(&offer, request, 1);
    if (queues_offered)
        fsif_dict_put_u32(&offer, "queues", queues_offered);
    ret = t->session_offer(s, &offer, &answer, 10000);
    t->close(s);
    pthread_join(thread, NULL);
    t->listener_close(l);
    return ret;
}

START_TEST(hostile_answers)
{
    int good[2] = {eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
    int wrong[2] = {good[0], open("/dev/null", O_RDWR | O_NONBLOCK | O_CLOEXEC)};
    int blocking[2] = {good[0], eventfd(0, EFD_CLOEXEC)};
    int many[4] = {good[0], good[1], good[0], good[1]};
    int more[33];
    int before;

    for (size_t i = 0; i < 33; i++)
        more[i] = good[i % 2];
    before = count_fds();
    /* One queue was offered. */
    ck_assert_int_eq(answered("session", "status=0\nqueues=1\n", good, 2), 0);
    ck_assert_int_eq(answered("session", "status=0\nqueues=1\n", many, 4), -FSIF_EPROTO);
    ck_assert_int_eq(answered("session", "status=0\nqueues=2\n", many, 4), -FSIF_EPROTO);
    ck_assert_int_eq(answered("session", "status=0\nqueues=0\n", NULL, 0), -FSIF_EPROTO);
    ck_assert_int_eq(answered("session", "status=0\nqueues=0\n", good, 2), -FSIF_EPROTO);
    ck_assert_int_eq(answered("session", "status=0\nqueues=x\n", good, 2), -FSIF_EPROTO);
    ck_assert_int_eq(answered("session", "status=0\nqueues=4294967297\n", good, 2), -FSIF_EPROTO);
    ck_assert_int_eq(answered("exports", "status=0\nqueues=1\n", good, 2), -FSIF_EPROTO);
    /* Two. */
    queues_offered = 2;
    ck_assert_int_eq(answered("session", "status=0\nqueues=2\n", many, 4), 0);
    ck_assert_int_eq(answered("session", "status=0\nqueues=1\n", good, 2), 0);
    ck_assert_int_eq(answered("session", "status=0\n", good, 2), 0);
    ck_assert_int_eq(answered("session", "status=0\nqueues=2\n", many, 3), -FSIF_EPROTO);
    ck_assert_int_eq(answered("session", "status=0\nqueues=2\n", good, 2), -FSIF_EPROTO);
    ck_assert_int_eq(answered("session", "status=0\nqueues=3\n", more, 6), -FSIF_EPROTO);
    ck_assert_int_eq(answered("session", "status=2\nqueues=2\n", many, 4), -FSIF_EPROTO);
    many[3] = wrong[1];
    ck_assert_int_eq(answered("session", "status=0\nqueues=2\n", many, 4), -FSIF_EPROTO);
    many[3] = good[1];
    queues_offered = 16;
    ck_assert_int_eq(answered("session", "status=0\nqueues=16\n", more, 32), 0);
    ck_assert_int_eq(answered("session", "status=0\nqueues=16\n", more, 31), -FSIF_EPROTO);
    ck_assert_int_eq(answered("session", "status=0\nqueues=16\n", more, 33), -FSIF_EPROTO);
    ck_assert_int_eq(answered("session", "status=0\nqueues=17\n", more, 33), -FSIF_EPROTO);
    queues_offered = 0;
    ck_assert_int_eq(answered("session", "status=0\n", good, 2), 0);
    ck_assert_int_eq(answered("session", "status=2\n", NULL, 0), 0);
    ck_assert_int_eq(answered("exports", "status=0\n", NULL, 0), 0);
    ck_assert_int_eq(answered("session", "status=0\n", NULL, 0), -FSIF_EPROTO);
    ck_assert_int_eq(answered("session", "status=0\n", good, 1), -FSIF_EPROTO);
    ck_assert_int_eq(answered("session", "status=0\n", many, 4), -FSIF_EPROTO);
    ck_assert_int_eq(answered("session", "status=0\n", wrong, 2), -FSIF_EPROTO);
    ck_assert_int_eq(answered("session", "status=0\n", blocking, 2), -FSIF_EPROTO);
    ck_assert_int_eq(answered("session", "status=2\n", good, 2), -FSIF_EPROTO);
    ck_assert_int_eq(answered("exports", "status=0\n", good, 2), -FSIF_EPROTO);
    ck_assert_int_eq(answered("session", "status=-1\n", good, 2), -FSIF_EPROTO);
    ck_assert_int_eq(answered("session", "status=4096\n", NULL, 0), -FSIF_EPROTO);
    ck_assert_int_eq(answered("session", "text=x\n", good, 2), -FSIF_EPROTO);
    ck_assert_int_eq(answered("session", "rubbish", good, 2), -FSIF_EPROTO);
    ck_assert_int_eq(answered("session", "", NULL, 0), -FSIF_EPIPE);
    ck_assert_int_eq(count_fds(), before);
    for (int i = 0; i < 2; i++)
        close(good[i]);
    close(wrong[1]);
    close(blocking[1]);
}
END_TEST

START_TEST(import_checks)
{
    const int junk[2] = {open("/dev/null", O_RDWR | O_CLOEXEC),
                         open("/dev/null", O_RDWR | O_CLOEXEC)};
    char blob[FSIF_EXPORT_BLOB];
    int fds[FSIF_EXPORT_FDS];
    size_t nfds = FSIF_EXPORT_FDS, len = sizeof(blob);
    struct fsif_session *client, *s;
    struct fsif_peer *p;
    int before, copy;

    ck_assert_int_eq(t->connect(address, 1000, &client), 0);
    ck_assert_int_eq(t->accept(listener, &p), 0);
    ck_assert_int_eq(t->peer_export(p, fds, &nfds, blob, &len), 0);
    before = count_fds();
    /* Whatever is wrong, the descriptors are taken over. */
    ck_assert_int_eq(t->session_import(junk, 2, blob, len, &s), -FSIF_EINVAL);
    ck_assert_int_eq(count_fds(), before - 2);
    copy = open("/dev/null", O_RDWR | O_CLOEXEC);
    ck_assert_int_eq(t->session_import(&copy, 1, blob, len, &s), -FSIF_EINVAL);
    copy = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(t->session_import(&copy, 1, blob, len, &s), -FSIF_EINVAL);
    copy = dup(fds[0]);
    ck_assert_int_eq(t->session_import(&copy, 1, blob, len - 1, &s), -FSIF_EINVAL);
    copy = dup(fds[0]);
    blob[0] ^= 1;
    ck_assert_int_eq(t->session_import(&copy, 1, blob, len, &s), -FSIF_EINVAL);
    ck_assert_int_eq(t->session_import(NULL, 0, blob, len, &s), -FSIF_EINVAL);
    ck_assert_int_eq(count_fds(), before - 2);
    t->peer_close(p);
    t->close(client);
}
END_TEST

void shm_add_hostile(TCase *c)
{
    tcase_add_test(c, B18_malformed_packets);
    tcase_add_test(c, B18_seals);
    tcase_add_test(c, B18_sizes);
    tcase_add_test(c, B18_no_memfd);
    tcase_add_test(c, B18_huge_pages);
    tcase_add_test(c, hostile_answers);
    tcase_add_test(c, import_checks);
}
