/* SPDX-License-Identifier: MIT */

/* Cases of the session itself: threads, the asynchronous form, cancel and deadlines. */

#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "conformance.h"

#define NEW (FSIF_O_RDWR | FSIF_O_CREAT | FSIF_O_TRUNC)

enum { THREADS = 8, ROUNDS = 40, CHUNK = 9000 };

struct worker {
    struct context *c;
    int number;
    int wrong;
};

static void one_round(struct worker *w, int round)
{
    struct fsif_client *cl = w->c->cl;
    unsigned char buf[CHUNK], back[CHUNK];
    char name[64], to[64];
    int fh;

    memset(buf, w->number * 16 + round % 16, sizeof(buf));
    snprintf(name, sizeof(name), "t%d-%d", w->number, round);
    snprintf(to, sizeof(to), "t%d-moved", w->number);
    fh = fsif_open(cl, at(w->c, name), NEW, 0644);
    w->wrong += fh < 0;
    w->wrong += fsif_pwrite(cl, fh, buf, sizeof(buf), (uint64_t)round) != CHUNK;
    w->wrong += fsif_pread(cl, fh, back, sizeof(back), (uint64_t)round) != CHUNK;
    w->wrong += memcmp(buf, back, sizeof(buf)) != 0;
    w->wrong += fsif_close(cl, fh) != 0;
    w->wrong += fsif_rename(cl, at(w->c, name), at(w->c, to)) != 0;
    w->wrong += fsif_open(cl, at(w->c, name), FSIF_O_RDONLY, 0) != -FSIF_ENOENT;
    w->wrong += fsif_remove(cl, at(w->c, to)) != 0;
}

static void *work(void *arg)
{
    struct worker *w = arg;

    for (int i = 0; i < ROUNDS; i++)
        one_round(w, i);
    return NULL;
}

static void threads(struct context *c)
{
    struct worker w[THREADS];
    pthread_t id[THREADS];
    int wrong = 0;

    for (int i = 0; i < THREADS; i++) {
        w[i] = (struct worker){.c = c, .number = i};
        if (pthread_create(&id[i], NULL, work, &w[i]) != 0)
            abort();
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(id[i], NULL);
        wrong += w[i].wrong;
    }
    EQ(c, wrong, 0);
}

struct async {
    struct fsif_call call;
    atomic_int done;
    char buf[FSIF_PAGE_SIZE];
};

static void async_done(struct fsif_call *call)
{
    struct async *a = call->arg;

    atomic_fetch_add(&a->done, 1);
}

static void prepare(struct async *a, uint32_t type, int fh)
{
    memset(a, 0, sizeof(*a));
    a->call.op.type = type;
    a->call.op.handle = (uint32_t)fh;
    a->call.op.buffer = a->buf;
    a->call.deadline = FSIF_NEVER;
    a->call.done = async_done;
    a->call.arg = a;
}

/* Wait until a call is done. */
static void finish(struct context *c, struct async *a)
{
    while (atomic_load(&a->done) == 0)
        if (!OK(c, fsif_poll(c->cl, 1000) >= 0))
            break;
    EQ(c, atomic_load(&a->done), 1);
}

static void async_reads(struct context *c)
{
    enum { N = 32 };
    struct async *a = calloc(N, sizeof(*a));
    struct fsif_limits limits;
    int submitted = 0, right = 0, fh;

    fsif_get_limits(c->cl, &limits);
    make(c, "f", "abcdefghijklmnopqrstuvwxyz0123456789");
    fh = fsif_open(c->cl, at(c, "f"), FSIF_O_RDONLY, 0);
    for (int i = 0; i < N; i++) {
        prepare(&a[i], FSIF_OP_READ, fh);
        a[i].call.op.offset = (uint64_t)i;
        a[i].call.op.length = 1;
        while (fsif_submit(c->cl, &a[i].call) == -FSIF_EAGAIN)
            fsif_poll(c->cl, 1000);
        submitted++;
    }
    for (int i = 0; i < submitted; i++) {
        finish(c, &a[i]);
        right +=
            a[i].call.result.value == 1 && a[i].buf[0] == "abcdefghijklmnopqrstuvwxyz0123456789"[i];
    }
    EQ(c, right, N);
    prepare(&a[0], FSIF_OP_READ, fh);
    a[0].call.op.length = (uint64_t)limits.max_io + 1;
    EQ(c, fsif_submit(c->cl, &a[0].call), -FSIF_EINVAL);
    EQ(c, atomic_load(&a[0].done), 0);
    prepare(&a[0], FSIF_OP_READ, 99999);
    a[0].call.op.length = 1;
    EQ(c, fsif_submit(c->cl, &a[0].call), 0);
    finish(c, &a[0]);
    EQ(c, a[0].call.result.value, -FSIF_EBADF);
    EQ(c, fsif_close(c->cl, fh), 0);
    free(a);
}

/* A cancelled call ends once, with its own result or -FSIF_ECANCELED, and nothing else suffers. */
static void cancelling(struct context *c)
{
    struct async a;
    int cancelled = 0, fh;

    make(c, "f", "text");
    fh = fsif_open(c->cl, at(c, "f"), FSIF_O_RDONLY, 0);
    for (int i = 0; i < 500; i++) {
        int r;
        prepare(&a, FSIF_OP_READ, fh);
        a.call.op.length = 4;
        /* Answers to cancelled calls free ids without a callback to wait for. */
        while ((r = fsif_submit(c->cl, &a.call)) == -FSIF_EAGAIN)
            fsif_poll(c->cl, 1);
        EQ(c, r, 0);
        r = fsif_cancel(c->cl, &a.call);
        if (r == 0) {
            EQ(c, atomic_load(&a.done), 1);
            EQ(c, a.call.result.value, -FSIF_ECANCELED);
            cancelled++;
        } else {
            EQ(c, r, -FSIF_ENOENT);
            finish(c, &a);
            EQ(c, a.call.result.value, 4);
        }
    }
    OK(c, cancelled > 0);
    OK(c, text_is(c, "f", "text"));
    EQ(c, fsif_close(c->cl, fh), 0);
}

static void deadlines(struct context *c)
{
    struct async a;
    int late = 0, fh;

    make(c, "f", "text");
    fh = fsif_open(c->cl, at(c, "f"), FSIF_O_RDONLY, 0);
    for (int i = 0; i < 200; i++) {
        int r;
        prepare(&a, FSIF_OP_READ, fh);
        a.call.op.length = 4;
        a.call.deadline = i % 2 ? fsif_client_now() : fsif_client_now() + 60000;
        /* Answers to cancelled calls free ids without a callback to wait for. */
        while ((r = fsif_submit(c->cl, &a.call)) == -FSIF_EAGAIN)
            fsif_poll(c->cl, 1);
        EQ(c, r, 0);
        finish(c, &a);
        if (a.call.result.value == -FSIF_ETIMEDOUT && i % 2)
            late++;
        else
            EQ(c, a.call.result.value, 4);
    }
    printf("     %d of 100 calls met a deadline that was over\n", late);
    OK(c, text_is(c, "f", "text"));
    EQ(c, fsif_close(c->cl, fh), 0);
}

/* More calls at once than there are ids: the rest is told to come back, nothing is lost. */
static void all_ids(struct context *c)
{
    enum { N = 200 };
    struct async *a = calloc(N, sizeof(*a));
    int begun = 0, again = 0, wrong = 0, fh;

    make(c, "f", "text");
    fh = fsif_open(c->cl, at(c, "f"), FSIF_O_RDONLY, 0);
    while (begun < N) {
        prepare(&a[begun], FSIF_OP_STAT, fh);
        if (fsif_submit(c->cl, &a[begun].call) == 0) {
            begun++;
        } else {
            again++;
            fsif_poll(c->cl, 1000);
        }
    }
    for (int i = 0; i < N; i++) {
        finish(c, &a[i]);
        wrong += a[i].call.result.value != 0 || a[i].call.result.attr.size != 4;
    }
    EQ(c, wrong, 0);
    printf("     %d calls waited for an id %d times\n", N, again);
    EQ(c, fsif_close(c->cl, fh), 0);
    free(a);
}

const struct test_case session_cases[] = {
    {"threads", threads},     {"async-reads", async_reads}, {"cancelling", cancelling},
    {"deadlines", deadlines}, {"all-ids", all_ids},         {NULL, NULL},
};
