/* SPDX-License-Identifier: MIT */
/* How calls of the frontend engine end: each once, whoever ends it. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS, sigaction */
#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "barrier.h"
#include "parts.h"
#include "rawback.h"
#include "suite.h"

static struct rawback b;
static struct tracked t[RAW_IDS + 2];

/* --- ends before the answer --- */

START_TEST(cancel)
{
    uint32_t id;

    back_begin(&b, 0, 1);
    call_init(&t[0], FSIF_OP_READ);
    id = call_submit(&b, &t[0]);
    ck_assert_int_eq(fsif_frontend_cancel(&b.fe, &t[0].call), 0);
    call_expect(&t[0], -FSIF_ECANCELED);
    ck_assert_int_eq(fsif_frontend_cancel(&b.fe, &t[0].call), -FSIF_ENOENT);
    ck_assert_uint_eq(fsif_frontend_quarantined(&b.fe), 1);
    /* F8: its page may still be written to. */
    call_init(&t[1], FSIF_OP_SYNC);
    ck_assert_int_eq(fsif_frontend_submit(&b.fe, &t[1].call), -FSIF_EAGAIN);
    memset(back_page(&b, id), 'x', FSIF_PAGE_SIZE);
    back_answer(&b, id, 100);
    ck_assert_int_eq(fsif_frontend_poll(&b.fe), 0);
    ck_assert_uint_eq(fsif_frontend_quarantined(&b.fe), 0);
    ck_assert_uint_eq(t[0].done, 1);
    ck_assert_int_eq(t[0].buffer[0], 0); /* it has been the caller's again since done */
    /* A late cancel of the old call does not hit the new one on the same id. */
    back_answer(&b, call_submit(&b, &t[1]), 0);
    ck_assert_int_eq(fsif_frontend_cancel(&b.fe, &t[0].call), -FSIF_ENOENT);
    ck_assert_int_eq(fsif_frontend_poll(&b.fe), 1);
    call_expect(&t[1], 0);
    ck_assert_int_eq(fsif_frontend_cancel(&b.fe, &t[1].call), -FSIF_ENOENT);
    t[1].call.id_ = RAW_IDS; /* a call that was never submitted */
    ck_assert_int_eq(fsif_frontend_cancel(&b.fe, &t[1].call), -FSIF_ENOENT);
    back_check_all_free(&b, t);
    back_end(&b);
}
END_TEST

/* The answer comes while another thread is between claiming the call and abandoning the id. */
START_TEST(answer_while_cancelling)
{
    struct fsi_frontend_view v;
    uint32_t id, word;

    back_begin(&b, 0, 2);
    call_init(&t[0], FSIF_OP_SYNC);
    id = call_submit(&b, &t[0]);
    fsi_frontend_look(&b.fe, &v);
    word = FSI_CALL_GENERATION(v.ids[id].word.v_);
    v.ids[id].word.v_ = word | FSI_CALL_CLAIMED;
    back_answer(&b, id, 0);
    ck_assert_int_eq(fsif_frontend_poll(&b.fe), 0);
    ck_assert_uint_eq(v.ids[id].word.v_, word | FSI_CALL_ANSWERED);
    ck_assert_uint_eq(v.state->taking.v_, 0);
    ck_assert_uint_eq(t[0].done, 0); /* the claimer runs it */
    ck_assert_int_eq(fsif_frontend_cancel(&b.fe, &t[0].call), -FSIF_ENOENT);
    ck_assert_int_eq(fsif_frontend_expire(&b.fe, UINT64_MAX - 1, NULL), 0);
    call_init(&t[1], FSIF_OP_SYNC); /* so that the index is not what is wrong */
    (void)call_submit(&b, &t[1]);
    back_answer(&b, id, 0); /* a second one is no answer */
    ck_assert_int_eq(fsif_frontend_poll(&b.fe), -FSIF_EPROTO);
    ck_assert_int_eq(fsif_frontend_reason(&b.fe), FSIF_POISON_ID_IDLE);
    back_end(&b);
}
END_TEST

static struct tracked *trapped;

/* Runs when the canceller, who has claimed the call, writes its result: the answer comes. */
static void overtaken(int signal)
{
    (void)signal;
    if (mprotect(trapped, 2 * FSIF_PAGE_SIZE, PROT_READ | PROT_WRITE))
        abort();
    back_answer(&b, trapped->call.id_, 0);
    if (fsif_frontend_poll(&b.fe) || trapped->done)
        abort();
}

START_TEST(answer_overtakes_the_canceller)
{
    const struct sigaction trap = {.sa_handler = overtaken};

    trapped =
        mmap(NULL, 2 * FSIF_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(trapped, MAP_FAILED);
    back_begin(&b, 0, 2);
    call_init(trapped, FSIF_OP_SYNC);
    call_submit(&b, trapped);
    ck_assert_int_eq(sigaction(SIGSEGV, &trap, NULL), 0);
    ck_assert_int_eq(mprotect(trapped, 2 * FSIF_PAGE_SIZE, PROT_READ), 0);
    ck_assert_int_eq(fsif_frontend_cancel(&b.fe, &trapped->call), 0);
    call_expect(trapped, -FSIF_ECANCELED);
    back_check_all_free(&b, t);
    back_end(&b);
    munmap(trapped, 2 * FSIF_PAGE_SIZE);
}
END_TEST

START_TEST(deadlines)
{
    static const uint64_t at[] = {0, 10, 20, UINT64_C(1) << 40, FSIF_NEVER - 1, FSIF_NEVER};
    uint64_t next = 1;
    uint32_t id[6];

    back_begin(&b, 0, 8);
    ck_assert_int_eq(fsif_frontend_expire(&b.fe, 5, &next), 0);
    ck_assert_uint_eq(next, FSIF_NEVER);
    for (int i = 0; i < 6; i++) {
        call_init(&t[i], FSIF_OP_SYNC);
        t[i].call.deadline = at[i];
        id[i] = call_submit(&b, &t[i]);
    }
    ck_assert_int_eq(fsif_frontend_expire(&b.fe, 0, &next), 1);
    call_expect(&t[0], -FSIF_ETIMEDOUT);
    ck_assert_uint_eq(next, 10);
    ck_assert_int_eq(fsif_frontend_expire(&b.fe, 9, &next), 0);
    ck_assert_uint_eq(next, 10);
    ck_assert_int_eq(fsif_frontend_expire(&b.fe, 20, NULL), 2); /* at it, and before */
    call_expect(&t[1], -FSIF_ETIMEDOUT);
    call_expect(&t[2], -FSIF_ETIMEDOUT);
    back_answer(&b, id[3], 0);
    ck_assert_int_eq(fsif_frontend_poll(&b.fe), 1);
    ck_assert_int_eq(fsif_frontend_expire(&b.fe, UINT64_C(1) << 41, &next), 0);
    ck_assert_uint_eq(next, FSIF_NEVER - 1);
    ck_assert_int_eq(fsif_frontend_expire(&b.fe, FSIF_NEVER, &next), 1);
    ck_assert_uint_eq(next, FSIF_NEVER);
    ck_assert_uint_eq(t[5].done, 0);
    ck_assert_uint_eq(fsif_frontend_quarantined(&b.fe), 4);
    for (int i = 0; i < 6; i++)
        if (i != 3)
            back_answer(&b, id[i], 0);
    ck_assert_int_eq(fsif_frontend_poll(&b.fe), 1);
    call_expect(&t[5], 0);
    back_check_all_free(&b, t);
    back_end(&b);
}
END_TEST

START_TEST(shutdown)
{
    back_begin(&b, 0, 3);
    for (int i = 0; i < 3; i++) {
        call_init(&t[i], FSIF_OP_SYNC);
        back_answer(&b, call_submit(&b, &t[i]), 0);
    }
    ck_assert_int_eq(fsif_frontend_cancel(&b.fe, &t[0].call), 0);
    fsif_frontend_shutdown(&b.fe, FSIF_POISON_NONE);
    fsif_frontend_shutdown(&b.fe, FSIF_POISON_TRANSPORT); /* too late to matter */
    call_expect(&t[0], -FSIF_ECANCELED);
    call_expect(&t[1], -FSIF_EIO);
    call_expect(&t[2], -FSIF_EIO);
    ck_assert_int_eq(fsif_frontend_dead(&b.fe), 1);
    ck_assert_int_eq(fsif_frontend_reason(&b.fe), FSIF_POISON_NONE);
    ck_assert_uint_eq(b.poisoned, 0);
    ck_assert_int_eq(fsif_frontend_poll(&b.fe), -FSIF_EPROTO);
    ck_assert_int_eq(fsif_frontend_cancel(&b.fe, &t[1].call), -FSIF_ENOENT);
    ck_assert_int_eq(fsif_frontend_expire(&b.fe, FSIF_NEVER, NULL), 0);
    for (int i = 0; i < 3; i++)
        ck_assert_uint_eq(t[i].done, 1);
    back_end(&b);
}
END_TEST

/* The session ends while a submit is under way: it takes the call back. */
START_TEST(shutdown_inside_submit)
{
    back_begin(&b, 0, 1);
    b.dies_at_begin = 1;
    call_init(&t[0], FSIF_OP_READ);
    ck_assert_int_eq(fsif_frontend_submit(&b.fe, &t[0].call), -FSIF_EPROTO);
    ck_assert_uint_eq(t[0].done, 0);
    ck_assert_uint_eq(b.begun, 1);
    ck_assert_uint_eq(b.ended, 1);
    ck_assert_int_eq(b.last_end.result, -FSIF_EPROTO);
    ck_assert_uint_eq(fsif_frontend_quarantined(&b.fe), 0);
    back_end(&b);
}
END_TEST

static void shut(void *arg)
{
    (void)arg;
    fsif_frontend_shutdown(&b.fe, FSIF_POISON_TRANSPORT);
}

/* ... and after the request was published: done runs, once, and submit has accepted it. */
START_TEST(shutdown_inside_notify)
{
    back_begin(&b, 0, 1);
    b.mem.on_notify = shut;
    call_init(&t[0], FSIF_OP_READ);
    ck_assert_int_eq(fsif_frontend_submit(&b.fe, &t[0].call), 0);
    call_expect(&t[0], -FSIF_EIO);
    ck_assert_int_eq(fsif_frontend_reason(&b.fe), FSIF_POISON_TRANSPORT);
    ck_assert_uint_eq(b.poisoned, 1);
    back_end(&b);
}
END_TEST

static void end_session(struct fsif_call *call)
{
    struct tracked *c = call->arg;

    c->done++;
    fsif_frontend_shutdown(&b.fe, FSIF_POISON_NONE);
}

START_TEST(shutdown_inside_done)
{
    back_begin(&b, 0, 2);
    for (int i = 0; i < 2; i++) {
        call_init(&t[i], FSIF_OP_SYNC);
        t[i].call.done = end_session;
        back_answer(&b, call_submit(&b, &t[i]), 0);
    }
    ck_assert_int_eq(fsif_frontend_poll(&b.fe), -FSIF_EPROTO);
    call_expect(&t[0], 0);
    call_expect(&t[1], -FSIF_EIO);
    back_end(&b);
}
END_TEST

/* --- threads: whoever ends a call, it ends once --- */

#define CALLERS 3
#define ROUNDS 4000

struct caller {
    pthread_t thread;
    struct tracked c[4];
    uint64_t accepted;
    uint64_t completed;
    uint32_t seed;
};

static struct caller callers[CALLERS];
static struct fsif_shared_u32 callers_left;
static struct fsif_shared_u32 double_done;

static void done_once(struct fsif_call *call)
{
    struct tracked *c = call->arg;

    if (__atomic_fetch_add(&c->done, 1, __ATOMIC_SEQ_CST))
        fsi_store_seq(&double_done, 1);
}

static int is_done(struct tracked *c)
{
    return __atomic_load_n(&c->done, __ATOMIC_SEQ_CST) != 0;
}

static void *caller_main(void *arg)
{
    struct caller *me = arg;

    for (uint32_t i = 0; i < ROUNDS; i++) {
        struct tracked *c = &me->c[i % 4];
        int err;

        me->seed = me->seed * 1664525u + 1013904223u;
        c->done = 0;
        c->call.deadline = me->seed & 0x10000 ? i : FSIF_NEVER;
        err = fsif_frontend_submit(&b.fe, &c->call);
        if (err == -FSIF_EPROTO)
            break;
        if (err == -FSIF_EAGAIN) {
            sched_yield();
            continue;
        }
        me->accepted++;
        if (me->seed & 0x60000)
            fsif_frontend_cancel(&b.fe, &c->call);
        while (!is_done(c))
            sched_yield();
        me->completed++;
    }
    fsi_fetch_add(&callers_left, UINT32_MAX);
    return NULL;
}

static void *answerer(void *arg)
{
    struct fsif_wire1_request rq;

    (void)arg;
    while (fsi_load_seq(&callers_left)) {
        if (back_take(&b, &rq))
            back_answer(&b, rq.id, 0);
        else
            sched_yield();
    }
    return NULL;
}

static void *shutter(void *arg)
{
    (void)arg;
    fsif_frontend_shutdown(&b.fe, FSIF_POISON_NONE);
    return NULL;
}

static void start_callers(void)
{
    back_config(&b, 0xffffffff - 500, 5);
    b.config.hooks = NULL;
    back_start(&b);
    memset(callers, 0, sizeof(callers));
    callers_left.v_ = CALLERS;
    double_done.v_ = 0;
    for (uint32_t i = 0; i < CALLERS; i++) {
        callers[i].seed = i + 1;
        for (int k = 0; k < 4; k++) {
            call_init(&callers[i].c[k], FSIF_OP_SYNC);
            callers[i].c[k].call.done = done_once;
        }
        ck_assert_int_eq(pthread_create(&callers[i].thread, NULL, caller_main, &callers[i]), 0);
    }
}

/* Submits, cancels, deadlines, responses and (loop 1) two shutdowns at any moment. */
START_TEST(exactly_once)
{
    pthread_t back, shut_thread;
    uint64_t now = 0;

    start_callers();
    ck_assert_int_eq(pthread_create(&back, NULL, answerer, NULL), 0);
    while (fsi_load_seq(&callers_left)) {
        int err = fsif_frontend_poll(&b.fe);

        if (!_i)
            ck_assert_int_ge(err, 0);
        fsif_frontend_expire(&b.fe, now++, NULL);
        if (_i && now == 3000) {
            ck_assert_int_eq(pthread_create(&shut_thread, NULL, shutter, NULL), 0);
            fsif_frontend_shutdown(&b.fe, FSIF_POISON_NONE);
            pthread_join(shut_thread, NULL);
        }
        if (err <= 0)
            sched_yield();
    }
    pthread_join(back, NULL);
    for (int i = 0; i < CALLERS; i++) {
        pthread_join(callers[i].thread, NULL);
        ck_assert_uint_eq(callers[i].accepted, callers[i].completed);
    }
    ck_assert_uint_eq(double_done.v_, 0);
    if (!_i) {
        struct fsif_wire1_request rq;

        while (back_take(&b, &rq))
            back_answer(&b, rq.id, 0);
        ck_assert_int_eq(fsif_frontend_poll(&b.fe), 0);
        back_check_all_free(&b, t);
    }
    back_end(&b);
}
END_TEST

static TCase *end_cases(void)
{
    TCase *tc = tcase_create("end");

    tcase_add_test(tc, cancel);
    tcase_add_test(tc, answer_while_cancelling);
    tcase_add_test(tc, answer_overtakes_the_canceller);
    tcase_add_test(tc, deadlines);
    tcase_add_test(tc, shutdown);
    tcase_add_test(tc, shutdown_inside_submit);
    tcase_add_test(tc, shutdown_inside_notify);
    tcase_add_test(tc, shutdown_inside_done);
    return tc;
}

int main(void)
{
    Suite *s = suite_create("frontend_end");
    TCase *threads = tcase_create("threads");

    tcase_set_timeout(threads, 100);
    tcase_add_loop_test(threads, exactly_once, 0, 2);
    suite_add_tcase(s, end_cases());
    suite_add_tcase(s, frontend_hostile_cases());
    suite_add_tcase(s, frontend_resume_cases());
    suite_add_tcase(s, threads);
    return run_suite(s);
}
