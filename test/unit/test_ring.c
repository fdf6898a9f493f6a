/* SPDX-License-Identifier: MIT */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS, sigaction */
#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <fsif/error.h>
#include <fsif/op.h>
#include "barrier.h"
#include "freelist.h"
#include "ring.h"
#include "suite.h"

#define N FSIF_WIRE1_SLOTS
#define SLOT FSIF_WIRE1_SLOT

static const uint32_t firsts[] = {0, 1, 0x7fffffff, 0xffffffff - N, 0xffffffff - 3, 0xffffffff};
#define NFIRSTS ((int)(sizeof(firsts) / sizeof(firsts[0])))

static uint32_t memory[FSIF_PAGE_SIZE / 4];
static struct fsif_wire_ring *const head = (struct fsif_wire_ring *)memory;
static struct fsif_shared_u32 ready[N];
static struct fsi_ring ring;
static struct fsi_producer prod;
static struct fsi_consumer cons;
static unsigned char slot[SLOT];

static void begin(uint32_t first)
{
    struct fsi_ring responses;

    memset(memory, 0, sizeof(memory));
    fsi_ring_requests(&ring, memory, N, SLOT);
    fsi_ring_responses(&responses, memory, N, SLOT);
    fsi_ring_format(&ring, &responses, first);
    fsi_producer_init(&prod, ready, N, first);
    fsi_consumer_init(&cons, first);
}

static const unsigned char *entry(uint32_t value)
{
    static unsigned char e[SLOT];

    for (size_t i = 0; i < SLOT; i += 4)
        memcpy(e + i, &value, 4);
    return e;
}

static void fill(uint32_t index, uint32_t value)
{
    fsi_producer_ready(&ring, ready, index, entry(value), SLOT);
}

static int produce(uint32_t value)
{
    fill(fsi_producer_reserve(&prod), value);
    return fsi_producer_publish(&ring, &prod, ready);
}

static int peek(void)
{
    memset(slot, 0xee, sizeof(slot));
    return fsi_consumer_peek(&ring, &cons, &cons.next, slot, SLOT);
}

static void consume(uint32_t value)
{
    ck_assert_int_eq(peek(), 1);
    ck_assert_mem_eq(slot, entry(value), SLOT);
    fsi_consumer_take(&cons);
}

START_TEST(format)
{
    begin(firsts[_i]);
    ck_assert_uint_eq(head->req_prod.v_, firsts[_i]);
    ck_assert_uint_eq(head->rsp_prod.v_, firsts[_i]);
    ck_assert_uint_eq(head->req_event.v_, firsts[_i] + 1);
    ck_assert_uint_eq(head->rsp_event.v_, firsts[_i] + 1);
}
END_TEST

START_TEST(halves)
{
    struct fsi_ring rsp;

    begin(0);
    fsi_ring_responses(&rsp, memory, N, SLOT);
    ck_assert_ptr_eq(ring.prod, &head->req_prod);
    ck_assert_ptr_eq(ring.event, &head->req_event);
    ck_assert_ptr_eq(rsp.prod, &head->rsp_prod);
    ck_assert_ptr_eq(rsp.event, &head->rsp_event);
    ck_assert_ptr_eq((void *)(uintptr_t)rsp.slots, (char *)memory + 64);
    ck_assert_ptr_eq((void *)(uintptr_t)ring.slots, (char *)memory + 64);
}
END_TEST

START_TEST(nothing_is_ready_at_first)
{
    begin(firsts[_i]);
    ck_assert_int_eq(fsi_producer_publish(&ring, &prod, ready), 0);
    ck_assert_uint_eq(head->req_prod.v_, firsts[_i]);
    ck_assert_int_eq(peek(), 0);
}
END_TEST

START_TEST(one_by_one)
{
    begin(firsts[_i]);
    for (uint32_t i = 0; i < 5 * N; i++) {
        produce(i);
        ck_assert_uint_eq(head->req_prod.v_, firsts[_i] + i + 1);
        consume(i);
        ck_assert_int_eq(peek(), 0);
    }
}
END_TEST

START_TEST(full)
{
    begin(firsts[_i]);
    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < N; i++)
            produce(round * N + i);
        for (uint32_t i = 0; i < N; i++)
            consume(round * N + i);
    }
}
END_TEST

/* The slot of an index, by its place in the page. */
START_TEST(slot_places)
{
    uint32_t index;

    begin(firsts[_i]);
    index = fsi_producer_reserve(&prod);
    ck_assert_uint_eq(index, firsts[_i]);
    fill(index, 0x12345678);
    ck_assert_mem_eq((char *)memory + 64 + (size_t)(index % N) * SLOT, entry(0x12345678), SLOT);
}
END_TEST

START_TEST(ready_out_of_order)
{
    uint32_t a, b, c;

    begin(firsts[_i]);
    a = fsi_producer_reserve(&prod);
    b = fsi_producer_reserve(&prod);
    c = fsi_producer_reserve(&prod);
    fill(c, 3);
    ck_assert_int_eq(fsi_producer_publish(&ring, &prod, ready), 0);
    fill(b, 2);
    ck_assert_int_eq(fsi_producer_publish(&ring, &prod, ready), 0);
    ck_assert_uint_eq(head->req_prod.v_, a);
    fill(a, 1);
    ck_assert_int_eq(fsi_producer_publish(&ring, &prod, ready), 1);
    ck_assert_uint_eq(head->req_prod.v_, c + 1);
    consume(1);
    consume(2);
    consume(3);
}
END_TEST

/* The token's holder is stopped: others leave at once, and what they made ready goes out later. */
START_TEST(stalled_publisher)
{
    begin(firsts[_i]);
    fsi_store_seq(&prod.token, 1);
    ck_assert_int_eq(produce(1), 0);
    ck_assert_int_eq(produce(2), 0);
    ck_assert_uint_eq(head->req_prod.v_, firsts[_i]);
    fsi_store_seq(&prod.token, 0);
    ck_assert_int_eq(fsi_producer_publish(&ring, &prod, ready), 1);
    ck_assert_uint_eq(head->req_prod.v_, firsts[_i] + 2);
    ck_assert_uint_eq(prod.token.v_, 0);
}
END_TEST

/* A submitter is stopped between reserve and ready: the others do not wait for it. */
START_TEST(stalled_submitter)
{
    uint32_t first, later;

    begin(firsts[_i]);
    produce(0);
    first = fsi_producer_reserve(&prod);
    for (later = 1; later < N - 1; later++)
        ck_assert_int_eq(produce(later), 0);
    ck_assert_uint_eq(head->req_prod.v_, first);
    consume(0);
    ck_assert_int_eq(peek(), 0);
    ck_assert_int_eq(fsi_consumer_arm(&ring, &cons), 0);
    fill(first, 1000);
    ck_assert_int_eq(fsi_producer_publish(&ring, &prod, ready), 1);
    consume(1000);
    for (later = 1; later < N - 1; later++)
        consume(later);
}
END_TEST

/* A bell exactly when the event index lies among the published ones: old < event <= new. */
START_TEST(notify_decision)
{
    static const int32_t far[] = {INT32_MIN, INT32_MIN + 1, INT32_MAX, -1000, 1000};

    for (int32_t run = 1; run <= (int32_t)N; run += run < 4 ? 1 : 12) {
        for (int32_t d = -70; d <= 75; d++) {
            int32_t event = d <= 70 ? d : far[d - 71];
            int rings = event >= 1 && event <= run;

            begin(firsts[_i]);
            head->req_event.v_ = firsts[_i] + (uint32_t)event;
            for (int32_t i = 0; i < run; i++)
                fill(fsi_producer_reserve(&prod), 0);
            ck_assert_int_eq(fsi_producer_publish(&ring, &prod, ready), rings);
            ck_assert_int_eq(fsi_producer_publish(&ring, &prod, ready), 0);
        }
    }
}
END_TEST

START_TEST(arm)
{
    begin(firsts[_i]);
    ck_assert_int_eq(produce(1), 1);
    ck_assert_int_eq(produce(2), 0); /* event still where format put it */
    ck_assert_int_eq(fsi_consumer_arm(&ring, &cons), 1);
    consume(1);
    /* The second is known of already: no need to look, or to ask for a bell. */
    head->req_event.v_ = 77;
    ck_assert_int_eq(fsi_consumer_arm(&ring, &cons), 1);
    ck_assert_uint_eq(head->req_event.v_, 77);
    consume(2);
    ck_assert_int_eq(fsi_consumer_arm(&ring, &cons), 0);
    ck_assert_uint_eq(head->req_event.v_, firsts[_i] + 3);
    ck_assert_int_eq(produce(3), 1);
    ck_assert_int_eq(produce(4), 0);
    consume(3);
    consume(4);
}
END_TEST

/* The consumer arms late: the re-check sees what came before and there is no bell to wait for. */
START_TEST(arm_checks_again)
{
    begin(firsts[_i]);
    head->req_event.v_ = firsts[_i] - 1;
    ck_assert_int_eq(peek(), 0);
    ck_assert_int_eq(produce(1), 0);
    ck_assert_int_eq(fsi_consumer_arm(&ring, &cons), 1);
    consume(1);
}
END_TEST

START_TEST(bad_index)
{
    static const uint32_t ahead[] = {N + 1, N + 2, 0x7fffffff, 0x80000000, 0xffffffff, 0u - N};

    for (size_t i = 0; i < sizeof(ahead) / sizeof(ahead[0]); i++) {
        begin(firsts[_i]);
        head->req_prod.v_ = firsts[_i] + ahead[i];
        ck_assert_int_eq(peek(), -FSIF_EPROTO);
        ck_assert_int_eq(peek(), -FSIF_EPROTO);
        ck_assert_int_eq(fsi_consumer_arm(&ring, &cons), 1); /* look again: do not sleep on it */
        ck_assert_uint_eq(cons.next.v_, firsts[_i]);
    }
    begin(firsts[_i]);
    head->req_prod.v_ = firsts[_i] + N;
    ck_assert_int_eq(peek(), 1);
}
END_TEST

/* An index that was checked is not fetched again: what the peer writes there meanwhile is nothing.
 */
START_TEST(index_is_read_once)
{
    begin(firsts[_i]);
    produce(1);
    produce(2);
    ck_assert_int_eq(peek(), 1);
    head->req_prod.v_ = firsts[_i] - 5;
    consume(1);
    consume(2);
    ck_assert_int_eq(peek(), -FSIF_EPROTO);
}
END_TEST

START_TEST(peek_takes_nothing)
{
    begin(firsts[_i]);
    produce(9);
    ck_assert_int_eq(peek(), 1);
    ck_assert_int_eq(peek(), 1);
    ck_assert_mem_eq(slot, entry(9), SLOT);
    ck_assert_uint_eq(cons.next.v_, firsts[_i]);
    consume(9);
}
END_TEST

/* A responder counts from what it answered: entries it has taken but not answered still count. */
START_TEST(floor_limits)
{
    struct fsif_shared_u32 floor;

    begin(firsts[_i]);
    for (uint32_t i = 0; i < 10; i++) {
        produce(i);
        consume(i);
    }
    floor.v_ = firsts[_i] + 4;
    head->req_prod.v_ = floor.v_ + N + 1;
    ck_assert_int_eq(fsi_consumer_peek(&ring, &cons, &floor, slot, SLOT), -FSIF_EPROTO);
    /* Backwards, though ahead of the floor: what was taken is not there again. */
    head->req_prod.v_ = cons.next.v_ - 2;
    ck_assert_int_eq(fsi_consumer_peek(&ring, &cons, &floor, slot, SLOT), -FSIF_EPROTO);
    head->req_prod.v_ = floor.v_ + N;
    ck_assert_int_eq(fsi_consumer_peek(&ring, &cons, &floor, slot, SLOT), 1);
    begin(firsts[_i]);
    floor.v_ = firsts[_i] - 1;
    head->req_prod.v_ = firsts[_i] + N;
    ck_assert_int_eq(fsi_consumer_peek(&ring, &cons, &floor, slot, SLOT), -FSIF_EPROTO);
}
END_TEST

static struct fsif_wire_ring *trapped;
static struct fsif_shared_u32 moving_floor;

/* Runs when the peer's index is looked at: another thread has just published a response, and the
 * peer has answered it. */
static void overtaken(int signal)
{
    (void)signal;
    if (mprotect(trapped, FSIF_PAGE_SIZE, PROT_READ | PROT_WRITE))
        abort();
    moving_floor.v_++;
    trapped->req_prod.v_++;
}

/* A peer that refills a full ring at once is not judged by what was answered a moment before. */
START_TEST(floor_is_read_after_the_index)
{
    const struct sigaction trap = {.sa_handler = overtaken};
    void *page =
        mmap(NULL, FSIF_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct fsi_ring responses;

    ck_assert_ptr_ne(page, MAP_FAILED);
    begin(firsts[_i]);
    trapped = page;
    fsi_ring_requests(&ring, page, N, SLOT);
    fsi_ring_responses(&responses, page, N, SLOT);
    fsi_ring_format(&ring, &responses, firsts[_i]);
    for (uint32_t i = 0; i < N; i++) {
        produce(i);
        consume(i);
    }
    moving_floor.v_ = firsts[_i]; /* none of them is answered */
    ck_assert_int_eq(sigaction(SIGSEGV, &trap, NULL), 0);
    ck_assert_int_eq(mprotect(page, FSIF_PAGE_SIZE, PROT_NONE), 0);
    ck_assert_int_eq(fsi_consumer_peek(&ring, &cons, &moving_floor, slot, SLOT), 1);
    ck_assert_uint_eq(moving_floor.v_, firsts[_i] + 1);
    munmap(page, FSIF_PAGE_SIZE);
}
END_TEST

START_TEST(recover)
{
    begin(firsts[_i]);
    fill(fsi_producer_reserve(&prod), 1);
    fill(fsi_producer_reserve(&prod), 2);
    /* It died holding the token, after it noted the first and before it told the peer. */
    fsi_store_seq(&prod.token, 1);
    fsi_store_relaxed(&prod.published, firsts[_i] + 1);
    ck_assert_int_eq(fsi_producer_publish(&ring, &prod, ready), 0);
    ck_assert_int_eq(peek(), 0);
    fsi_producer_recover(&ring, &prod);
    consume(1);
    fsi_producer_publish(&ring, &prod, ready);
    consume(2);
}
END_TEST

/* --- many submitters, one consumer --- */

#define SUBMITTERS 4u
#define EACH 20000u

static struct fsi_freelist room;
static struct fsif_shared_u32 room_words[FSI_FREELIST_WORDS(N)];

static void *submitter(void *arg)
{
    uint32_t who = *(uint32_t *)arg;

    for (uint32_t i = 0; i < EACH; i++) {
        unsigned char e[SLOT];
        uint32_t id;
        uint32_t value[SLOT / 4];

        while (!fsi_freelist_get(&room, room_words, &id))
            sched_yield();
        for (size_t w = 0; w < SLOT / 4; w++)
            value[w] = who * EACH + i;
        value[0] = id;
        memcpy(e, value, SLOT);
        fsi_producer_ready(&ring, ready, fsi_producer_reserve(&prod), e, SLOT);
        fsi_producer_publish(&ring, &prod, ready);
    }
    return NULL;
}

START_TEST(many_submitters)
{
    static unsigned char seen[SUBMITTERS * EACH];
    pthread_t thread[SUBMITTERS];
    uint32_t who[SUBMITTERS];

    begin(0xffffffff - 100);
    memset(seen, 0, sizeof(seen));
    fsi_freelist_init(&room, room_words, N);
    for (uint32_t i = 0; i < SUBMITTERS; i++) {
        who[i] = i;
        ck_assert_int_eq(pthread_create(&thread[i], NULL, submitter, &who[i]), 0);
    }
    for (uint32_t i = 0; i < SUBMITTERS * EACH;) {
        uint32_t value[SLOT / 4];
        int got = fsi_consumer_peek(&ring, &cons, &cons.next, value, SLOT);

        ck_assert_int_ge(got, 0);
        if (!got) {
            sched_yield();
            continue;
        }
        ck_assert_uint_lt(value[1], SUBMITTERS * EACH);
        for (size_t w = 2; w < SLOT / 4; w++)
            ck_assert_uint_eq(value[w], value[1]);
        ck_assert_uint_eq(seen[value[1]]++, 0);
        fsi_consumer_take(&cons);
        fsi_freelist_put(&room, room_words, value[0]);
        i++;
    }
    for (uint32_t i = 0; i < SUBMITTERS; i++)
        pthread_join(thread[i], NULL);
    ck_assert_int_eq(peek(), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("ring");
    TCase *tc = tcase_create("ring");

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, halves);
    tcase_add_loop_test(tc, format, 0, NFIRSTS);
    tcase_add_loop_test(tc, nothing_is_ready_at_first, 0, NFIRSTS);
    tcase_add_loop_test(tc, one_by_one, 0, NFIRSTS);
    tcase_add_loop_test(tc, full, 0, NFIRSTS);
    tcase_add_loop_test(tc, slot_places, 0, NFIRSTS);
    tcase_add_loop_test(tc, ready_out_of_order, 0, NFIRSTS);
    tcase_add_loop_test(tc, stalled_publisher, 0, NFIRSTS);
    tcase_add_loop_test(tc, stalled_submitter, 0, NFIRSTS);
    tcase_add_loop_test(tc, notify_decision, 0, NFIRSTS);
    tcase_add_loop_test(tc, arm, 0, NFIRSTS);
    tcase_add_loop_test(tc, arm_checks_again, 0, NFIRSTS);
    tcase_add_loop_test(tc, bad_index, 0, NFIRSTS);
    tcase_add_loop_test(tc, index_is_read_once, 0, NFIRSTS);
    tcase_add_loop_test(tc, peek_takes_nothing, 0, NFIRSTS);
    tcase_add_loop_test(tc, floor_limits, 0, NFIRSTS);
    tcase_add_loop_test(tc, floor_is_read_after_the_index, 0, NFIRSTS);
    tcase_add_loop_test(tc, recover, 0, NFIRSTS);
    tcase_add_test(tc, many_submitters);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
