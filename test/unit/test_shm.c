/* SPDX-License-Identifier: MIT */
/* Both roles of a session in one process: the handshake, memory, bells. */
#define _GNU_SOURCE
#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#include <fsif/host.h>
#include <fsif/op.h>
#include "parts.h"
#include "shm_fixture.h"
#include "suite.h"

struct reply {
    int accept; /* expected of session_accept_memory; 1: not called */
    int bells;
    uint32_t status;
    uint32_t offered; /* queues; 0: the offer does not say */
    uint32_t pages;   /* 0: PAGES */
};

static void *answer_one(void *arg)
{
    const struct reply *r = arg;
    struct fsif_dict offer, answer;

    while (t->session_next_offer(back, &offer) == -FSIF_EAGAIN)
        fsif_wait_fd(t->peer_fd(back), POLLIN, -1);
    if (r->accept <= 0)
        ck_assert_int_eq(t->session_accept_memory(back, &offer, r->pages ? r->pages : PAGES),
                         r->accept);
    fsif_dict_init(&answer);
    fsif_dict_put_u32(&answer, "status", r->status);
    if (r->bells > 1)
        fsif_dict_put_u32(&answer, "queues", (uint32_t)r->bells);
    ck_assert_int_eq(t->session_answer(back, &answer, r->bells), 0);
    return NULL;
}

static int exchange(const char *request, const struct reply *r)
{
    struct fsif_dict offer, answer;
    struct reply copy = *r;
    pthread_t thread;
    int ret;

    shm_offer_of(&offer, request, r->pages ? r->pages : PAGES);
    if (r->offered)
        fsif_dict_put_u32(&offer, "queues", r->offered);
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

/* Each queue has bells of its own, and the answer may choose fewer than were offered. */
START_TEST(queues)
{
    ck_assert_int_eq(exchange("session", &(struct reply){.bells = 16, .offered = 16}), 0);
    for (uint32_t q = 0; q < 16; q++) {
        ck_assert_int_eq(t->notify(front, q), 0);
        for (uint32_t k = 0; k < 16; k++) {
            ck_assert_int_eq(fsif_wait_fd(t->event_fd(back, k), POLLIN, 0), k == q ? POLLIN : 0);
            ck_assert_int_eq(fsif_wait_fd(t->event_fd(front, k), POLLIN, 0), 0);
        }
        t->acknowledge(back, q);
        ck_assert_int_eq(t->notify(back, q), 0);
        ck_assert_int_eq(fsif_wait_fd(t->event_fd(front, q), POLLIN, 0), POLLIN);
        t->acknowledge(front, q);
        ck_assert_int_eq(fsif_wait_fd(t->event_fd(front, q), POLLIN, 0), 0);
    }
    ck_assert_int_eq(t->notify(front, 16), -FSIF_EINVAL);
    ck_assert_int_eq(t->event_fd(back, UINT32_MAX), -FSIF_EINVAL);
    t->acknowledge(back, 16);
}
END_TEST

START_TEST(fewer_queues)
{
    ck_assert_int_eq(exchange("session", &(struct reply){.bells = 2, .offered = 5}), 0);
    ck_assert_int_eq(t->notify(front, 1), 0);
    ck_assert_int_eq(t->notify(front, 2), -FSIF_EINVAL);
    ck_assert_int_eq(t->notify(back, 2), -FSIF_EINVAL);
}
END_TEST

START_TEST(F12_more_queues_than_offered)
{
    ck_assert_int_eq(exchange("session", &(struct reply){.bells = 3, .offered = 2}), -FSIF_EPROTO);
    ck_assert_int_eq(t->notify(front, 0), -FSIF_EINVAL);
}
END_TEST

START_TEST(bells_are_as_many_as_queues)
{
    struct fsif_dict d;

    shm_offer_of(&d, "session", PAGES);
    fsif_dict_put_u32(&d, "queues", 17);
    ck_assert_int_eq(t->session_offer(front, &d, &d, 1000), -FSIF_EINVAL);
    fsif_dict_init(&d);
    ck_assert_int_eq(t->session_answer(back, &d, -1), -FSIF_EINVAL);
    ck_assert_int_eq(t->session_answer(back, &d, 2), -FSIF_EINVAL);
    fsif_dict_put_u32(&d, "queues", 2);
    ck_assert_int_eq(t->session_answer(back, &d, 1), -FSIF_EINVAL);
    fsif_dict_init(&d);
    fsif_dict_put_u32(&d, "queues", 17);
    ck_assert_int_eq(t->session_answer(back, &d, 17), -FSIF_EINVAL);
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

/* What the peer does between a look at the bell and the ring; the linker puts it there. */
static _Thread_local int fill_at_next_poll = -1;
int __real_poll(struct pollfd *fds, nfds_t n, int timeout);
int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout);
int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout)
{
    int result = __real_poll(fds, n, timeout);

    if (fill_at_next_poll >= 0)
        (void)eventfd_write(fill_at_next_poll, UINT64_MAX - 1);
    fill_at_next_poll = -1;
    return result;
}

static void on_alarm(int number)
{
    (void)number;
}

/* One that fills the counter just before the ring keeps a thread no longer than to the next signal.
 */
START_TEST(B13_bell_that_is_full_by_then)
{
    const struct itimerval soon = {{0, 50000}, {0, 50000}}, never = {{0, 0}, {0, 0}};
    const struct sigaction action = {.sa_handler = on_alarm};
    int fd;

    start();
    fd = t->event_fd(front, 0);
    ck_assert_int_eq(fcntl(fd, F_SETFL, O_RDWR), 0);
    ck_assert_int_eq(sigaction(SIGALRM, &action, NULL), 0);
    fill_at_next_poll = fd;
    setitimer(ITIMER_REAL, &soon, NULL);
    ck_assert_int_eq(t->notify(back, 0), 0);
    setitimer(ITIMER_REAL, &never, NULL);
    ck_assert_int_eq(fill_at_next_poll, -1);
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

/* A run of pages is one mapping, so that more pages than a process may have mappings are no
 * matter. */
START_TEST(B6_B17_map_many)
{
    static uint32_t list[2 * 70000];
    const uint32_t n = sizeof(list) / sizeof(list[0]);
    unsigned char *all;
    void *out;

    t->close(front);
    t->close(back);
    shm_connect(n, list, &all);
    ck_assert_int_eq(exchange("session", &(struct reply){.bells = 1, .pages = n}), 0);
    for (uint32_t i = 0; i < n / 2; i++) {
        uint32_t first = list[i];

        list[i] = list[n / 2 + i];
        list[n / 2 + i] = first;
    }
    ck_assert_int_eq(t->map(back, list, n, &out), 0);
    all[0] = 1;
    all[(size_t)(n - 1) * FSIF_PAGE_SIZE] = 2;
    ck_assert_uint_eq(((unsigned char *)out)[(size_t)(n / 2) * FSIF_PAGE_SIZE], 1);
    ck_assert_uint_eq(((unsigned char *)out)[(size_t)(n / 2 - 1) * FSIF_PAGE_SIZE], 2);
    t->unmap(back, out, n);
    list[n - 1] = list[0];
    ck_assert_int_eq(t->map(back, list, n, &out), -FSIF_EINVAL);
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

    shm_offer_of(&d, "exports", PAGES);
    t->close(back);
    ck_assert_int_eq(t->session_offer(front, &d, &d, 1000), -FSIF_EPIPE);
    ck_assert_int_eq(t->peer_state(front), FSIF_PEER_GONE);
    back = shm_raw_backend(&sock);
    close(sock);
    ck_assert_int_eq(t->session_next_offer(back, &d), -FSIF_EPIPE);
}
END_TEST

START_TEST(offer_times_out)
{
    struct fsif_dict d;

    shm_offer_of(&d, "exports", PAGES);
    ck_assert_int_eq(t->session_offer(front, &d, &d, 10), -FSIF_ETIMEDOUT);
    shm_offer_of(&d, "exports", PAGES);
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

    tcase_add_checked_fixture(c, shm_setup, shm_teardown);
    tcase_set_timeout(c, 60);
    tcase_add_test(c, session);
    tcase_add_test(c, bells);
    tcase_add_test(c, queues);
    tcase_add_test(c, fewer_queues);
    tcase_add_test(c, F12_more_queues_than_offered);
    tcase_add_test(c, bells_are_as_many_as_queues);
    tcase_add_test(c, B13_hostile_bells);
    tcase_add_test(c, B13_bell_that_is_full_by_then);
    tcase_add_test(c, memory);
    tcase_add_test(c, B6_B17_map);
    tcase_add_test(c, B6_B17_map_many);
    tcase_add_test(c, peer_goes);
    tcase_add_test(c, backend_goes);
    tcase_add_test(c, offer_times_out);
    tcase_add_test(c, packets_after_the_start);
    tcase_add_test(c, memory_stays_out_of_children);
    shm_add_hostile(c);
    suite_add_tcase(suite, c);
    return run_suite(suite);
}
