/* SPDX-License-Identifier: MIT */
/* Both roles of a session in one process: the handshake, what a backend refuses, memory, bells. */
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <fsif/host.h>
#include <fsif/op.h>
#include <fsif/shm.h>

#include "scratch.h"

#define PAGES 8u
#define MAX_PAGES 512u
#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

static const struct fsif_transport *const t = &fsif_transport_shm;
static char dir[256], address[512];
static struct fsif_listener *listener;
static struct fsif_session *front, *back;
static unsigned char *mem;
static uint32_t grefs[PAGES];
static int fds_before;

static int count_fds(void)
{
    DIR *d = opendir("/proc/self/fd");
    int n = 0;

    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

static struct fsif_session *import(struct fsif_peer *p)
{
    int fds[FSIF_EXPORT_FDS], copies[1];
    char blob[FSIF_EXPORT_BLOB];
    size_t nfds = FSIF_EXPORT_FDS, len = sizeof(blob);
    struct fsif_session *s = NULL;

    ck_assert_int_eq(t->peer_export(p, fds, &nfds, blob, &len), 0);
    ck_assert_uint_eq(nfds, 1);
    copies[0] = fcntl(fds[0], F_DUPFD_CLOEXEC, 0);
    t->peer_close(p);
    ck_assert_int_eq(t->session_import(copies, nfds, blob, len, &s), 0);
    return s;
}

/* A connection whose frontend end is a plain socket, for packets that our own would never send. */
static struct fsif_session *raw_backend(int *sock)
{
    char blob[FSIF_EXPORT_BLOB];
    int fds[FSIF_EXPORT_FDS];
    size_t nfds = FSIF_EXPORT_FDS, len = sizeof(blob);
    struct fsif_session *s = NULL;
    struct fsif_session *client;
    struct fsif_peer *p;
    int pair[2];

    /* Only peer_export knows the blob, so one real peer must lend it. */
    ck_assert_int_eq(t->connect(address, 1000, &client), 0);
    ck_assert_int_eq(t->accept(listener, &p), 0);
    ck_assert_int_eq(t->peer_export(p, fds, &nfds, blob, &len), 0);
    t->peer_close(p);
    t->close(client);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    ck_assert_int_eq(t->session_import(&pair[1], 1, blob, len, &s), 0);
    *sock = pair[0];
    return s;
}

static void setup(void)
{
    struct fsif_peer *p;
    void *m;

    scratch_make(dir, sizeof(dir));
    scratch_path(address, sizeof(address), dir, "sock");
    fds_before = count_fds();
    ck_assert_int_eq(t->listen(address, &listener), 0);
    ck_assert_int_eq(t->accept(listener, &p), -FSIF_EAGAIN);
    ck_assert_int_eq(t->connect(address, 1000, &front), 0);
    ck_assert_int_eq(fsif_wait_fd(t->listener_fd(listener), POLLIN, 1000), POLLIN);
    ck_assert_int_eq(t->accept(listener, &p), 0);
    back = import(p);
    ck_assert_int_eq(t->share(front, PAGES, &m, grefs), 0);
    mem = m;
}

static void teardown(void)
{
    t->close(front);
    t->close(back);
    t->listener_close(listener);
    ck_assert_int_eq(count_fds(), fds_before);
    ck_assert_int_ne(access(address, F_OK), 0);
    scratch_remove(dir);
}

struct reply {
    int accept; /* expected of session_accept_memory; 1: not called */
    int bells;
    uint32_t status;
};

static void *answer_one(void *arg)
{
    const struct reply *r = arg;
    struct fsif_dict offer, answer;

    while (t->session_next_offer(back, &offer) == -FSIF_EAGAIN)
        fsif_wait_fd(t->peer_fd(back), POLLIN, -1);
    if (r->accept <= 0)
        ck_assert_int_eq(t->session_accept_memory(back, &offer, PAGES), r->accept);
    fsif_dict_init(&answer);
    fsif_dict_put_u32(&answer, "status", r->status);
    ck_assert_int_eq(t->session_answer(back, &answer, r->bells), 0);
    return NULL;
}

static void offer_of(struct fsif_dict *d, const char *request, uint32_t pages)
{
    fsif_dict_init(d);
    fsif_dict_put_u32(d, "fsif", 1);
    fsif_dict_put(d, "request", request);
    fsif_dict_put_u32(d, "pages", pages);
}

static int exchange(const char *request, const struct reply *r)
{
    struct fsif_dict offer, answer;
    struct reply copy = *r;
    pthread_t thread;
    int ret;

    offer_of(&offer, request, PAGES);
    ck_assert_int_eq(pthread_create(&thread, NULL, answer_one, &copy), 0);
    ret = t->session_offer(front, &offer, &answer, 10000);
    pthread_join(thread, NULL);
    return ret;
}

static void start(void)
{
    ck_assert_int_eq(exchange("session", &(struct reply){.bells = 1}), 0);
}

START_TEST(session)
{
    ck_assert_int_eq(t->notify(front, 0), -FSIF_EINVAL);
    ck_assert_int_eq(t->event_fd(front, 0), -FSIF_EINVAL);
    ck_assert_int_eq(exchange("exports", &(struct reply){.accept = 1}), 0);
    ck_assert_int_eq(exchange("exports", &(struct reply){.accept = 1}), 0);
    /* A refusal first, after the memory was taken; then the session on the same connection. */
    ck_assert_int_eq(exchange("session", &(struct reply){.status = FSIF_EAGAIN}), 0);
    start();
    ck_assert_int_eq(t->peer_state(front), FSIF_PEER_ALIVE);
    ck_assert_int_eq(t->peer_state(back), FSIF_PEER_ALIVE);
}
END_TEST

START_TEST(bells)
{
    start();
    ck_assert_int_eq(fsif_wait_fd(t->event_fd(back, 0), POLLIN, 0), 0);
    ck_assert_int_eq(t->notify(front, 0), 0);
    ck_assert_int_eq(t->notify(front, 1), -FSIF_EINVAL);
    ck_assert_int_eq(fsif_wait_fd(t->event_fd(back, 0), POLLIN, 0), POLLIN);
    ck_assert_int_eq(fsif_wait_fd(t->event_fd(front, 0), POLLIN, 0), 0);
    t->acknowledge(back, 0);
    t->acknowledge(back, 0);
    t->acknowledge(back, 1);
    ck_assert_int_eq(fsif_wait_fd(t->event_fd(back, 0), POLLIN, 0), 0);
    ck_assert_int_eq(t->notify(back, 0), 0);
    ck_assert_int_eq(fsif_wait_fd(t->event_fd(front, 0), POLLIN, 0), POLLIN);
}
END_TEST

/* A peer that clears O_NONBLOCK and fills or empties a counter makes nobody wait. */
START_TEST(B13_hostile_bells)
{
    int fd;

    start();
    fd = t->event_fd(front, 0);
    ck_assert_int_eq(fcntl(fd, F_SETFL, O_RDWR), 0);
    ck_assert_int_eq(eventfd_write(fd, UINT64_MAX - 1), 0);
    alarm(20);
    ck_assert_int_eq(t->notify(back, 0), 0);
    ck_assert_int_eq(t->notify(back, 0), 0);
    t->acknowledge(front, 0);
    t->acknowledge(front, 0);
    ck_assert_int_eq(t->notify(back, 0), 0);
    ck_assert_int_eq(fsif_wait_fd(fd, POLLIN, 0), POLLIN);
    alarm(0);
}
END_TEST

START_TEST(memory)
{
    char buf[16] = "hello";

    ck_assert_ptr_null(t->lend(back, 0));
    ck_assert_int_eq(t->copy_from(back, 0, 0, buf, 1), -FSIF_EFAULT);
    start();
    ck_assert_int_eq(t->copy_to(back, grefs[1], 10, buf, sizeof(buf)), 0);
    ck_assert_str_eq((char *)mem + FSIF_PAGE_SIZE + 10, "hello");
    mem[FSIF_PAGE_SIZE + 10] = 'j';
    ck_assert_int_eq(t->copy_from(back, grefs[1], 10, buf, sizeof(buf)), 0);
    ck_assert_str_eq(buf, "jello");
    ck_assert_str_eq((char *)t->lend(back, grefs[1]) + 10, "jello");
    ck_assert_ptr_ne(t->lend(back, grefs[1]), mem + FSIF_PAGE_SIZE);

    ck_assert_int_eq(t->copy_from(back, 0, 4096, buf, 0), 0);
    ck_assert_int_eq(t->copy_from(back, 0, 4096, buf, 1), -FSIF_EINVAL);
    ck_assert_int_eq(t->copy_from(back, 0, UINT32_MAX, buf, 2), -FSIF_EINVAL);
    ck_assert_int_eq(t->copy_from(back, 0, 2, buf, UINT32_MAX), -FSIF_EINVAL);
    ck_assert_int_eq(t->copy_to(back, 0, 4090, buf, 7), -FSIF_EINVAL);
    ck_assert_int_eq(t->copy_to(back, PAGES, 0, buf, 1), -FSIF_EFAULT);
    ck_assert_int_eq(t->copy_to(back, UINT32_MAX, 0, buf, 1), -FSIF_EFAULT);
    ck_assert_ptr_null(t->lend(back, PAGES));
}
END_TEST

START_TEST(B6_B17_map)
{
    uint32_t list[PAGES + 1];
    unsigned char *m;
    void *out;

    start();
    for (uint32_t i = 0; i < PAGES; i++)
        mem[i * FSIF_PAGE_SIZE] = (unsigned char)(i + 1);
    ck_assert_int_eq(t->map(back, grefs + 2, 3, &out), 0);
    ck_assert_mem_eq(out, mem + 2 * FSIF_PAGE_SIZE, 3 * FSIF_PAGE_SIZE);
    t->unmap(back, out, 3);
    for (uint32_t i = 0; i < PAGES; i++)
        list[i] = PAGES - 1 - i;
    ck_assert_int_eq(t->map(back, list, PAGES, &out), 0);
    m = out;
    for (uint32_t i = 0; i < PAGES; i++)
        ck_assert_uint_eq(m[i * FSIF_PAGE_SIZE], PAGES - i);
    m[0] = 77;
    ck_assert_uint_eq(mem[(PAGES - 1) * FSIF_PAGE_SIZE], 77);
    t->unmap(back, out, PAGES);

    ck_assert_int_eq(t->map(back, grefs, 0, &out), -FSIF_EINVAL);
    ck_assert_int_eq(t->map(back, grefs, PAGES + 1, &out), -FSIF_EINVAL);
    list[0] = list[1] = 3;
    ck_assert_int_eq(t->map(back, list, 2, &out), -FSIF_EINVAL);
    list[0] = PAGES;
    ck_assert_int_eq(t->map(back, list, 2, &out), -FSIF_EFAULT);
}
END_TEST

START_TEST(peer_goes)
{
    struct fsif_session *gone = front;

    start();
    t->close(gone);
    ck_assert_int_ne(fsif_wait_fd(t->peer_fd(back), POLLIN, 1000), 0);
    ck_assert_int_eq(t->peer_state(back), FSIF_PEER_GONE);
    ck_assert_int_eq(t->notify(back, 0), -FSIF_EPIPE);
    /* What the peer shared can still be touched. */
    ck_assert_int_eq(t->copy_to(back, 0, 0, "x", 1), 0);
    ck_assert_int_eq(t->connect(address, 1000, &front), 0);
}
END_TEST

START_TEST(backend_goes)
{
    struct fsif_dict d;
    int sock;

    offer_of(&d, "exports", PAGES);
    t->close(back);
    ck_assert_int_eq(t->session_offer(front, &d, &d, 1000), -FSIF_EPIPE);
    ck_assert_int_eq(t->peer_state(front), FSIF_PEER_GONE);
    back = raw_backend(&sock);
    close(sock);
    ck_assert_int_eq(t->session_next_offer(back, &d), -FSIF_EPIPE);
}
END_TEST

START_TEST(offer_times_out)
{
    struct fsif_dict d;

    offer_of(&d, "exports", PAGES);
    ck_assert_int_eq(t->session_offer(front, &d, &d, 10), -FSIF_ETIMEDOUT);
    offer_of(&d, "exports", PAGES);
    /* The late answer would be taken for the second offer's. */
    ck_assert_int_eq(t->session_offer(front, &d, &d, 10), -FSIF_EPIPE);
}
END_TEST

START_TEST(packets_after_the_start)
{
    struct fsif_dict d;

    start();
    ck_assert_int_eq((int)send(t->peer_fd(front), "x", 1, 0), 1);
    ck_assert_int_eq(t->peer_state(back), FSIF_PEER_GONE);
    ck_assert_int_eq((int)send(t->peer_fd(front), "a=b\n", 4, 0), 4);
    ck_assert_int_eq(t->session_next_offer(back, &d), -FSIF_EPROTO);
    ck_assert_int_eq(t->session_next_offer(back, &d), -FSIF_EPROTO);
    ck_assert_int_eq((int)send(t->peer_fd(back), "x", 1, 0), 1);
    ck_assert_int_eq(t->peer_state(front), FSIF_PEER_GONE);
}
END_TEST

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

    s = raw_backend(&sock);
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

    s = raw_backend(&sock);
    offer_of(&d, "session", pages);
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
    offer_of(&offer, request, 1);
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
    int before = count_fds();

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

/* Neither side's memory is inherited, so a child cannot touch it. */
START_TEST(memory_stays_out_of_children)
{
    int status = 0;
    pid_t pid;

    start();
    mem[0] = 1;
    pid = fork();
    if (pid == 0) {
        signal(SIGSEGV, SIG_DFL);
        _exit(msync(mem, FSIF_PAGE_SIZE, MS_ASYNC) == 0 ||
              msync(t->lend(back, 0), FSIF_PAGE_SIZE, MS_ASYNC) == 0);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("shm");
    TCase *c = tcase_create("all");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_set_timeout(c, 60);
    tcase_add_test(c, session);
    tcase_add_test(c, bells);
    tcase_add_test(c, B13_hostile_bells);
    tcase_add_test(c, memory);
    tcase_add_test(c, B6_B17_map);
    tcase_add_test(c, peer_goes);
    tcase_add_test(c, backend_goes);
    tcase_add_test(c, offer_times_out);
    tcase_add_test(c, packets_after_the_start);
    tcase_add_test(c, B18_malformed_packets);
    tcase_add_test(c, B18_seals);
    tcase_add_test(c, B18_sizes);
    tcase_add_test(c, B18_no_memfd);
    tcase_add_test(c, B18_huge_pages);
    tcase_add_test(c, hostile_answers);
    tcase_add_test(c, import_checks);
    tcase_add_test(c, memory_stays_out_of_children);
    suite_add_tcase(suite, c);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
