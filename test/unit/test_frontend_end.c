/* SPDX-License-Identifier: MIT */
/* How calls of the frontend engine end: each once, whoever ends it, a hostile backend and the death
 * of the process among them. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS, sigaction */
#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "barrier.h"
#include "rawback.h"

static const uint32_t firsts[] = {0, 0x7fffffe0, 0xffffffff - 70, 0xffffffff - 3, 0xffffffff};
#define NFIRSTS ((int)(sizeof(firsts) / sizeof(firsts[0])))

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

/* --- hostile backend --- */

/* Two calls under way, of which the first is of @type; returns its id. */
static uint32_t under_way(uint32_t type)
{
    uint32_t id;

    back_begin(&b, firsts[0], 5);
    call_init(&t[0], type);
    id = call_submit(&b, &t[0]);
    call_init(&t[1], FSIF_OP_SYNC);
    call_submit(&b, &t[1]);
    return id;
}

static void expect_poison(enum fsif_poison reason)
{
    ck_assert_int_eq(fsif_frontend_poll(&b.fe), -FSIF_EPROTO);
    ck_assert_int_eq(fsif_frontend_poll(&b.fe), -FSIF_EPROTO);
    ck_assert_int_eq(fsif_frontend_reason(&b.fe), reason);
    ck_assert_int_eq(fsif_frontend_dead(&b.fe), 1);
    ck_assert_uint_eq(b.poisoned, 1);
    ck_assert_int_eq(b.reason, reason);
    call_expect(&t[0], -FSIF_EIO);
    call_expect(&t[1], -FSIF_EIO);
    ck_assert_uint_eq(b.begun, b.ended);
    ck_assert_int_eq(fsif_frontend_submit(&b.fe, &t[2].call), -FSIF_EPROTO);
    back_end(&b);
}

START_TEST(F1)
{
    static const uint32_t ahead[] = {RAW_IDS + 1, 0x7fffffff, 0x80000000, UINT32_MAX};

    for (size_t i = 0; i < sizeof(ahead) / sizeof(ahead[0]); i++) {
        under_way(FSIF_OP_READ);
        b.ring->rsp_prod.v_ = b.answered + ahead[i];
        ck_assert_int_eq(fsif_frontend_arm(&b.fe), 1);
        expect_poison(FSIF_POISON_INDEX);
    }
}
END_TEST

START_TEST(F3)
{
    static const uint32_t beyond[] = {5, 6, RAW_IDS, 32768, 65535};
    uint32_t id;

    for (size_t i = 0; i < sizeof(beyond) / sizeof(beyond[0]); i++) {
        under_way(FSIF_OP_READ);
        back_answer(&b, beyond[i], 0);
        expect_poison(FSIF_POISON_ID);
    }
    under_way(FSIF_OP_READ);
    back_answer(&b, 4, 0); /* never used */
    expect_poison(FSIF_POISON_ID_IDLE);

    id = under_way(FSIF_OP_READ);
    back_answer(&b, id, 0);
    ck_assert_int_eq(fsif_frontend_poll(&b.fe), 1);
    call_expect(&t[0], 0);
    call_init(&t[0], FSIF_OP_READ);
    ck_assert_uint_eq(call_submit(&b, &t[0]), id);
    ck_assert_int_eq(fsif_frontend_cancel(&b.fe, &t[0].call), 0);
    call_init(&t[2], FSIF_OP_SYNC);
    (void)call_submit(&b, &t[2]);
    back_answer(&b, id, 0);
    back_answer(&b, id, 0); /* already answered */
    ck_assert_int_eq(fsif_frontend_poll(&b.fe), -FSIF_EPROTO);
    call_expect(&t[0], -FSIF_ECANCELED);
    call_expect(&t[2], -FSIF_EIO);
    t[0].call.result.value = -FSIF_EIO;
    expect_poison(FSIF_POISON_ID_IDLE);
}
END_TEST

/* One response more than requests: not even the good ones are taken. */
START_TEST(F1_more_responses_than_requests)
{
    uint32_t id = under_way(FSIF_OP_READ);

    while (b.answered != fsi_load_seq(&b.ring->req_prod) + 1)
        back_answer(&b, id, 0);
    expect_poison(FSIF_POISON_INDEX);
}
END_TEST

/* An answer to a request that the backend cannot have seen: still before its publisher. */
START_TEST(F3_before_it_was_sent)
{
    struct fsi_frontend_view v;

    for (int placed = 0; placed < 2; placed++) {
        under_way(FSIF_OP_READ);
        fsi_frontend_look(&b.fe, &v);
        v.state->producer.token.v_ = 1;
        call_init(&t[2], FSIF_OP_SYNC);
        ck_assert_int_eq(fsif_frontend_submit(&b.fe, &t[2].call), 0);
        v.ids[t[2].call.id_].placed.v_ = (uint32_t)placed;
        back_answer(&b, t[2].call.id_, 0);
        expect_poison(FSIF_POISON_ID_IDLE);
        call_expect(&t[2], -FSIF_EIO);
    }
}
END_TEST

START_TEST(F4)
{
    static const struct {
        uint32_t type;
        int64_t ret;
    } bad[] = {{FSIF_OP_READ, 4097},      {FSIF_OP_READ, INT64_MAX}, {FSIF_OP_READ, -4096},
               {FSIF_OP_WRITE, 4097},     {FSIF_OP_SYNC, 1},         {FSIF_OP_SYNC, INT64_MIN},
               {FSIF_OP_OPEN, 1LL << 31}, {FSIF_OP_CLOSE, 1},        {FSIF_OP_STAT, 1}};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        back_answer(&b, under_way(bad[i].type), (uint64_t)bad[i].ret);
        expect_poison(FSIF_POISON_RESULT);
    }
}
END_TEST

START_TEST(F5)
{
    uint32_t id = under_way(FSIF_OP_LIST);

    back_answer(&b, id, 2000); /* the page holds "path" and no more names */
    expect_poison(FSIF_POISON_LISTING);
    id = under_way(FSIF_OP_LIST);
    memcpy(back_page(&b, id), "a/b", 4);
    back_answer(&b, id, 1);
    expect_poison(FSIF_POISON_LISTING);
}
END_TEST

START_TEST(F6)
{
    struct fsif_wire1_attr attr = {.mode = 0100644, .size = -1};
    uint32_t id = under_way(FSIF_OP_STAT);

    memcpy(back_page(&b, id), &attr, sizeof(attr));
    back_answer(&b, id, 0);
    expect_poison(FSIF_POISON_ATTR);
    id = under_way(FSIF_OP_STAT); /* mode 0 is no file */
    back_answer(&b, id, 0);
    expect_poison(FSIF_POISON_ATTR);
}
END_TEST

/* --- the state goes to another process --- */

/* Everything goes to other addresses; what was at the old ones is gone. */
static void move_state(void)
{
    size_t size = fsif_frontend_state_size(&b.config);
    void *state = malloc(size);

    ck_assert_ptr_nonnull(state);
    memcpy(state, b.state, size);
    memset(b.state, 0xdb, size);
    memset(&b.fe, 0xdb, sizeof(b.fe));
    free(b.state);
    b.state = state;
}

START_TEST(resume)
{
    struct fsif_wire1_request rq;
    struct fsi_frontend_view v;
    uint32_t answered, open, cancelled, rung;

    back_begin(&b, firsts[_i], 6);
    fsi_frontend_look(&b.fe, &v);
    for (int i = 0; i < 5; i++)
        call_init(&t[i], FSIF_OP_SYNC);
    answered = call_submit(&b, &t[0]);
    open = call_submit(&b, &t[1]);
    cancelled = call_submit(&b, &t[2]);
    fsif_frontend_cancel(&b.fe, &t[2].call);
    back_answer(&b, answered, 0);
    v.state->producer.token.v_ = 1; /* died while it published */
    ck_assert_int_eq(fsif_frontend_submit(&b.fe, &t[3].call), 0);
    ck_assert_int_eq(fsif_frontend_submit(&b.fe, &t[4].call), 0);
    /* Another died between reserving its index and noting it, one between noting and filling. */
    v.ids[t[3].call.id_].placed.v_ = 0;
    v.ready[(firsts[_i] + 3) % RAW_IDS].v_ -= RAW_IDS;
    v.ready[(firsts[_i] + 4) % RAW_IDS].v_ -= RAW_IDS;
    move_state();
    rung = mem_notified(&b.mem);
    ck_assert_int_eq(fsif_frontend_resume(&b.fe, &b.config, b.state, b.calls), 0);
    ck_assert_uint_gt(mem_notified(&b.mem), rung);
    ck_assert_uint_eq(fsif_frontend_quarantined(&b.fe), 5);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(back_take(&b, &rq), 1);
        ck_assert_uint_eq(rq.type, FSIF_WIRE_SYNC);
        back_answer(&b, rq.id, 0);
    }
    ck_assert_int_eq(back_take(&b, &rq), 0);
    call_init(&t[5], FSIF_OP_SYNC);
    back_answer(&b, call_submit(&b, &t[5]), 0);
    back_answer(&b, open, 0);
    back_answer(&b, cancelled, 0);
    ck_assert_int_eq(fsif_frontend_poll(&b.fe),
                     1); /* the others' calls are gone with their process */
    ck_assert_uint_eq(t[0].done + t[1].done + t[3].done + t[4].done, 0);
    back_check_all_free(&b, t);
    back_end(&b);
}
END_TEST

/* It died while it took a response: the index is taken, the id free. */
START_TEST(resume_while_taking)
{
    struct fsi_frontend_view v;
    uint32_t id;

    for (int taken = 0; taken < 2; taken++) {
        back_begin(&b, firsts[_i], 2);
        fsi_frontend_look(&b.fe, &v);
        call_init(&t[0], FSIF_OP_SYNC);
        id = call_submit(&b, &t[0]);
        back_answer(&b, id, 0);
        v.state->taking_index = firsts[_i];
        v.state->taking.v_ = id + 1;
        v.state->consumer.next.v_ += (uint32_t)taken;
        v.state->polling.v_ = 1;
        move_state();
        ck_assert_int_eq(fsif_frontend_resume(&b.fe, &b.config, b.state, b.calls), 0);
        ck_assert_uint_eq(fsif_frontend_quarantined(&b.fe), 0);
        ck_assert_int_eq(fsif_frontend_poll(&b.fe), 0);
        back_check_all_free(&b, t);
        back_end(&b);
    }
}
END_TEST

START_TEST(resume_refusals)
{
    struct fsi_frontend_view v;
    uint32_t *word;

    back_begin(&b, 0, 4);
    word = b.state;
    for (int i = 0; i < 6; i++) { /* magic, version, size, dialect, nslots, nids */
        word[i] ^= 1;
        ck_assert_int_eq(fsif_frontend_resume(&b.fe, &b.config, b.state, b.calls), -FSIF_EINVAL);
        word[i] ^= 1;
    }
    b.config.npages = 3;
    ck_assert_int_eq(fsif_frontend_resume(&b.fe, &b.config, b.state, b.calls), -FSIF_EINVAL);
    b.config.npages = 4;
    b.config.transport = NULL;
    ck_assert_int_eq(fsif_frontend_resume(&b.fe, &b.config, b.state, b.calls), 0);
    /* An index that no id can have reserved. */
    fsi_frontend_look(&b.fe, &v);
    fsi_producer_reserve(&v.state->producer);
    ck_assert_int_eq(fsif_frontend_resume(&b.fe, &b.config, b.state, b.calls), -FSIF_EINVAL);
    back_end(&b);
}
END_TEST

static void some_life(void)
{
    back_begin(&b, 5, 9);
    for (int i = 0; i < 9; i++) {
        call_init(&t[i], 1 + (uint32_t)i);
        call_submit(&b, &t[i]);
    }
    fsif_frontend_cancel(&b.fe, &t[3].call);
    back_answer(&b, 0, 3);
    back_answer(&b, 3, 0);
    ck_assert_int_eq(fsif_frontend_poll(&b.fe), 1);
}

/* The same life at other addresses leaves the same bytes: there are no pointers among them. */
START_TEST(state_holds_no_pointers)
{
    static unsigned char image[65536];
    struct rawback before;
    size_t size;

    some_life();
    size = fsif_frontend_state_size(&b.config);
    ck_assert_uint_le(size, sizeof(image));
    memcpy(image, b.state, size);
    before = b; /* is kept, so that nothing gets its addresses */
    some_life();
    ck_assert_ptr_ne(b.state, before.state);
    ck_assert_mem_eq(b.state, image, size);
    back_end(&b);
    back_end(&before);
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

static TCase *hostile_cases(void)
{
    TCase *tc = tcase_create("hostile");

    tcase_add_test(tc, F1);
    tcase_add_test(tc, F3);
    tcase_add_test(tc, F1_more_responses_than_requests);
    tcase_add_test(tc, F3_before_it_was_sent);
    tcase_add_test(tc, F4);
    tcase_add_test(tc, F5);
    tcase_add_test(tc, F6);
    return tc;
}

static TCase *resume_cases(void)
{
    TCase *tc = tcase_create("resume");

    tcase_add_loop_test(tc, resume, 0, NFIRSTS);
    tcase_add_loop_test(tc, resume_while_taking, 0, NFIRSTS);
    tcase_add_test(tc, resume_refusals);
    tcase_add_test(tc, state_holds_no_pointers);
    return tc;
}

int main(void)
{
    Suite *s = suite_create("frontend_end");
    TCase *threads = tcase_create("threads");
    SRunner *r;
    int failed;

    tcase_set_timeout(threads, 100);
    tcase_add_loop_test(threads, exactly_once, 0, 2);
    suite_add_tcase(s, end_cases());
    suite_add_tcase(s, hostile_cases());
    suite_add_tcase(s, resume_cases());
    suite_add_tcase(s, threads);
    r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
