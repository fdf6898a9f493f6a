/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <fsif/host.h>
#include <fsif/loop.h>
#include <fsif/op.h>
#include "suite.h"

#define PAGES 8u

static const struct fsif_transport *const t = &fsif_transport_loop;
static struct fsif_session *front, *back;
static unsigned char *mem;
static uint32_t grefs[PAGES];

static void setup(void)
{
    void *m;

    ck_assert_int_eq(fsif_loop_pair(&front, &back), 0);
    ck_assert_int_eq(t->share(front, PAGES, &m, grefs), 0);
    mem = m;
}

static void teardown(void)
{
    t->close(front);
    t->close(back);
}

/* The backend's half: one offer, answered. */
static void *answer_one(void *arg)
{
    const int *bells = arg;
    struct fsif_dict offer, answer;

    while (t->session_next_offer(back, &offer) == -FSIF_EAGAIN)
        fsif_wait_fd(t->peer_fd(back), POLLIN, -1);
    ck_assert_int_eq(t->session_accept_memory(back, &offer, PAGES), 0);
    fsif_dict_init(&answer);
    fsif_dict_put_u32(&answer, "status", 0);
    if (*bells > 1)
        fsif_dict_put_u32(&answer, "queues", (uint32_t)*bells);
    ck_assert_int_eq(t->session_answer(back, &answer, *bells), 0);
    return NULL;
}

static void handshake(int bells)
{
    struct fsif_dict offer, answer;
    pthread_t thread;
    uint32_t status = 99;

    fsif_dict_init(&offer);
    fsif_dict_put_u32(&offer, "pages", PAGES);
    ck_assert_int_eq(pthread_create(&thread, NULL, answer_one, &bells), 0);
    ck_assert_int_eq(t->session_offer(front, &offer, &answer, 10000), 0);
    pthread_join(thread, NULL);
    ck_assert_int_eq(fsif_dict_get_u32(&answer, "status", 0, 0, &status), 0);
}

START_TEST(offer_and_answer)
{
    struct fsif_dict d;

    fsif_dict_init(&d);
    ck_assert_int_eq(t->session_next_offer(back, &d), -FSIF_EAGAIN);
    ck_assert_int_eq(t->session_answer(back, &d, 0), -FSIF_EINVAL);
    ck_assert_int_eq(t->notify(front, 0), -FSIF_EINVAL);
    handshake(0);
    ck_assert_int_eq(t->notify(front, 0), -FSIF_EINVAL);
    handshake(1);
    ck_assert_int_eq(t->notify(front, 0), 0);
    ck_assert_int_eq(t->notify(front, 1), -FSIF_EINVAL);
}
END_TEST

START_TEST(time_out)
{
    struct fsif_dict d, offer;

    fsif_dict_init(&d);
    ck_assert_int_eq(t->session_offer(front, &d, &d, 1), -FSIF_ETIMEDOUT);
    ck_assert_int_eq(t->session_next_offer(back, &offer), -FSIF_EAGAIN);
    ck_assert_int_eq(t->session_offer(front, &d, &d, 1), -FSIF_EPIPE);
}
END_TEST

START_TEST(bells)
{
    int fd;

    handshake(1);
    fd = t->event_fd(back, 0);
    ck_assert_int_eq(fsif_wait_fd(fd, POLLIN, 0), 0);
    ck_assert_int_eq(t->notify(front, 0), 0);
    ck_assert_int_eq(t->notify(front, 0), 0);
    ck_assert_int_eq(fsif_wait_fd(fd, POLLIN, 0), POLLIN);
    ck_assert_int_eq(fsif_wait_fd(t->event_fd(front, 0), POLLIN, 0), 0);
    t->acknowledge(back, 0);
    t->acknowledge(back, 0);
    ck_assert_int_eq(fsif_wait_fd(fd, POLLIN, 0), 0);
    ck_assert_int_eq(t->notify(back, 0), 0);
    ck_assert_int_eq(fsif_wait_fd(t->event_fd(front, 0), POLLIN, 0), POLLIN);
}
END_TEST

/* Each queue has bells of its own. */
START_TEST(queues)
{
    ck_assert_int_eq(t->event_fd(back, 0), -FSIF_EINVAL);
    handshake(3);
    for (uint32_t q = 0; q < 3; q++) {
        ck_assert_int_eq(t->notify(front, q), 0);
        for (uint32_t k = 0; k < 3; k++) {
            ck_assert_int_eq(fsif_wait_fd(t->event_fd(back, k), POLLIN, 0), k == q ? POLLIN : 0);
            ck_assert_int_eq(fsif_wait_fd(t->event_fd(front, k), POLLIN, 0), 0);
        }
        t->acknowledge(back, q);
        ck_assert_int_eq(fsif_wait_fd(t->event_fd(back, q), POLLIN, 0), 0);
        ck_assert_int_eq(t->notify(back, q), 0);
        ck_assert_int_eq(fsif_wait_fd(t->event_fd(front, q), POLLIN, 0), POLLIN);
        t->acknowledge(front, q);
    }
    ck_assert_int_eq(t->notify(front, 3), -FSIF_EINVAL);
    ck_assert_int_eq(t->notify(back, UINT32_MAX), -FSIF_EINVAL);
    ck_assert_int_eq(t->event_fd(front, 3), -FSIF_EINVAL);
    t->acknowledge(front, 3);
    t->acknowledge(front, UINT32_MAX);
}
END_TEST

static void *offer_one(void *arg)
{
    struct fsif_dict offer, answer;

    (void)arg;
    fsif_dict_init(&offer);
    fsif_dict_put_u32(&offer, "pages", PAGES);
    ck_assert_int_eq(t->session_offer(front, &offer, &answer, 10000), 0);
    return NULL;
}

START_TEST(bells_are_as_many_as_queues)
{
    struct fsif_dict d;
    pthread_t thread;

    ck_assert_int_eq(pthread_create(&thread, NULL, offer_one, NULL), 0);
    while (t->session_next_offer(back, &d) == -FSIF_EAGAIN)
        fsif_wait_fd(t->peer_fd(back), POLLIN, -1);
    fsif_dict_init(&d);
    ck_assert_int_eq(t->session_answer(back, &d, -1), -FSIF_EINVAL);
    ck_assert_int_eq(t->session_answer(back, &d, 2), -FSIF_EINVAL);
    fsif_dict_put_u32(&d, "queues", 17);
    ck_assert_int_eq(t->session_answer(back, &d, 17), -FSIF_EINVAL);
    fsif_dict_init(&d);
    fsif_dict_put_u32(&d, "queues", 16);
    ck_assert_int_eq(t->session_answer(back, &d, 1), -FSIF_EINVAL);
    ck_assert_int_eq(t->session_answer(back, &d, 16), 0);
    pthread_join(thread, NULL);
    ck_assert_int_eq(t->notify(front, 15), 0);
    ck_assert_int_eq(t->notify(front, 16), -FSIF_EINVAL);
}
END_TEST

START_TEST(memory)
{
    char buf[16] = "hello";
    void *page;

    ck_assert_ptr_null(t->lend(back, grefs[0]));
    ck_assert_int_eq(t->copy_to(back, grefs[0], 0, buf, 1), -FSIF_EFAULT);
    handshake(1);
    ck_assert_int_eq(t->copy_to(back, grefs[1], 10, buf, sizeof(buf)), 0);
    ck_assert_str_eq((char *)mem + FSIF_PAGE_SIZE + 10, "hello");
    mem[FSIF_PAGE_SIZE + 10] = 'j';
    ck_assert_int_eq(t->copy_from(back, grefs[1], 10, buf, sizeof(buf)), 0);
    ck_assert_str_eq(buf, "jello");
    page = t->lend(back, grefs[1]);
    ck_assert_str_eq((char *)page + 10, "jello");

    ck_assert_int_eq(t->copy_from(back, grefs[0], 4096, buf, 0), 0);
    ck_assert_int_eq(t->copy_from(back, grefs[0], 4096, buf, 1), -FSIF_EINVAL);
    ck_assert_int_eq(t->copy_from(back, grefs[0], UINT32_MAX, buf, 2), -FSIF_EINVAL);
    ck_assert_int_eq(t->copy_from(back, grefs[0], 2, buf, UINT32_MAX), -FSIF_EINVAL);
    ck_assert_int_eq(t->copy_to(back, grefs[0], 4090, buf, 7), -FSIF_EINVAL);
    ck_assert_int_eq(t->copy_to(back, grefs[PAGES - 1] + 1, 0, buf, 1), -FSIF_EFAULT);
    ck_assert_int_eq(t->copy_to(back, 0, 0, buf, 1), -FSIF_EFAULT);
    ck_assert_ptr_null(t->lend(back, UINT32_MAX));
}
END_TEST

START_TEST(map)
{
    uint32_t list[PAGES + 1];
    unsigned char *m;
    void *out;

    handshake(1);
    for (uint32_t i = 0; i < PAGES; i++)
        mem[i * FSIF_PAGE_SIZE] = (unsigned char)(i + 1);
    ck_assert_int_eq(t->map(back, grefs, PAGES, &out), 0);
    ck_assert_mem_eq(out, mem, PAGES * FSIF_PAGE_SIZE);
    t->unmap(back, out, PAGES);

    for (uint32_t i = 0; i < PAGES; i++)
        list[i] = grefs[PAGES - 1 - i];
    ck_assert_int_eq(t->map(back, list, PAGES, &out), 0);
    m = out;
    for (uint32_t i = 0; i < PAGES; i++)
        ck_assert_uint_eq(m[i * FSIF_PAGE_SIZE], PAGES - i);
    m[0] = 77;
    ck_assert_uint_eq(mem[(PAGES - 1) * FSIF_PAGE_SIZE], 77);
    t->unmap(back, out, PAGES);

    ck_assert_int_eq(t->map(back, grefs, 0, &out), -FSIF_EINVAL);
    ck_assert_int_eq(t->map(back, grefs, PAGES + 1, &out), -FSIF_EINVAL);
    list[0] = list[1];
    ck_assert_int_eq(t->map(back, list, 2, &out), -FSIF_EINVAL);
    list[0] = 1;
    ck_assert_int_eq(t->map(back, list, 2, &out), -FSIF_EFAULT);
}
END_TEST

/* In order they are where they are; runs in another order are mapped a run at a time, so that more
 * pages than a process may have mappings are no matter. */
START_TEST(map_many)
{
    static uint32_t list[2 * 70000];
    const uint32_t n = sizeof(list) / sizeof(list[0]);
    struct fsif_dict d;
    unsigned char *all;
    void *out;

    teardown();
    ck_assert_int_eq(fsif_loop_pair(&front, &back), 0);
    ck_assert_int_eq(t->share(front, n, &out, list), 0);
    all = out;
    fsif_dict_init(&d);
    fsif_dict_put_u32(&d, "pages", n);
    ck_assert_int_eq(t->session_accept_memory(back, &d, n), 0);
    ck_assert_int_eq(t->map(back, list + 1, n - 1, &out), 0);
    ck_assert_ptr_eq(out, all + FSIF_PAGE_SIZE);
    t->unmap(back, out, n - 1);
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

START_TEST(accept_memory_checks)
{
    struct fsif_dict d;

    fsif_dict_init(&d);
    ck_assert_int_eq(t->session_accept_memory(back, &d, PAGES), -FSIF_EPROTO);
    fsif_dict_put_u32(&d, "pages", PAGES);
    ck_assert_int_eq(t->session_accept_memory(back, &d, PAGES - 1), -FSIF_E2BIG);
    fsif_dict_init(&d);
    fsif_dict_put_u32(&d, "pages", PAGES + 1);
    ck_assert_int_eq(t->session_accept_memory(back, &d, 100), -FSIF_EPROTO);
    ck_assert_int_eq(t->share(front, 1, &(void *){NULL}, grefs), -FSIF_EINVAL);
}
END_TEST

static void *close_back(void *arg)
{
    (void)arg;
    fsif_wait_fd(t->peer_fd(back), POLLIN, -1);
    t->close(back);
    return NULL;
}

START_TEST(close_wakes_an_offer)
{
    struct fsif_dict d;
    pthread_t thread;

    fsif_dict_init(&d);
    ck_assert_int_eq(pthread_create(&thread, NULL, close_back, NULL), 0);
    ck_assert_int_eq(t->session_offer(front, &d, &d, -1), -FSIF_EPIPE);
    pthread_join(thread, NULL);
    ck_assert_int_eq(t->peer_state(front), FSIF_PEER_GONE);
    t->close(front);
    setup();
}
END_TEST

START_TEST(close_is_seen)
{
    struct fsif_dict d;

    handshake(1);
    ck_assert_int_eq(t->peer_state(back), FSIF_PEER_ALIVE);
    mem[0] = 42;
    t->close(front);
    ck_assert_int_eq(t->peer_state(back), FSIF_PEER_GONE);
    ck_assert_int_eq(t->notify(back, 0), -FSIF_EPIPE);
    ck_assert_int_eq(t->session_next_offer(back, &d), -FSIF_EPIPE);
    ck_assert_int_eq(fsif_wait_fd(t->peer_fd(back), POLLIN, 0), POLLIN);
    /* The pages live on until both are closed. */
    ck_assert_uint_eq(*(unsigned char *)t->lend(back, grefs[0]), 42);
    t->close(back);
    setup();
}
END_TEST

START_TEST(only_pairs)
{
    struct fsif_session *s;

    ck_assert_int_eq(t->connect("x", 0, &s), -FSIF_EOPNOTSUPP);
    ck_assert_int_eq(t->session_import(NULL, 0, NULL, 0, &s), -FSIF_EOPNOTSUPP);
    ck_assert(t->listen == NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("loop");
    TCase *c = tcase_create("all");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, offer_and_answer);
    tcase_add_test(c, time_out);
    tcase_add_test(c, bells);
    tcase_add_test(c, queues);
    tcase_add_test(c, bells_are_as_many_as_queues);
    tcase_add_test(c, memory);
    tcase_add_test(c, map);
    tcase_add_test(c, map_many);
    tcase_add_test(c, accept_memory_checks);
    tcase_add_test(c, close_wakes_an_offer);
    tcase_add_test(c, close_is_seen);
    tcase_add_test(c, only_pairs);
    suite_add_tcase(suite, c);
    return run_suite(suite);
}
