/* SPDX-License-Identifier: MIT */

/* Cases of locks that need a session besides the case's own: another owner, another time limit. */

#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include "conformance.h"

/* Long enough to connect on a busy machine, which it limits as well. */
enum { LIMIT_MS = 1500, STILL = 99 };

static int open_of(struct context *c, struct fsif_client *cl)
{
    int fh = fsif_open(cl, at(c, "f"), FSIF_O_RDWR, 0);

    OK(c, fh >= 0);
    return fh;
}

/* Both kinds of locks: of the file, or of its first octets */
static int take(struct fsif_client *cl, int fh, int whole, uint32_t mode, uint32_t flags)
{
    return whole ? fsif_flock(cl, fh, mode, flags) : fsif_lock(cl, fh, mode, flags, 0, 10);
}

/* Time for the backend to give a lock to who waits for it */
static void pause_for_locks(struct context *c, struct fsif_client *cl)
{
    uint64_t until = fsif_client_now() + 100;

    while (fsif_client_now() < until)
        EQ(c, fsif_nop(cl), 0);
}

/* --- time limits ----------------------------------------------------------------------------- */

/* A lock that came too late is not held then, and nothing is left that takes it later. */
static void one_withdrawn(struct context *c, struct fsif_client *cl, int whole)
{
    int holder = open_of(c, cl), late = open_of(c, cl), third = open_of(c, cl);
    uint64_t begin;

    EQ(c, take(cl, holder, whole, FSIF_LOCK_EXCLUSIVE, 0), 0);
    begin = fsif_client_now();
    EQ(c, take(cl, late, whole, FSIF_LOCK_EXCLUSIVE, FSIF_LOCK_WAIT), -FSIF_ETIMEDOUT);
    OK(c, fsif_client_now() >= begin + LIMIT_MS);
    EQ(c, take(cl, third, whole, FSIF_LOCK_SHARED, 0), -FSIF_EAGAIN);
    EQ(c, take(cl, holder, whole, FSIF_LOCK_UNLOCK, 0), 0);
    pause_for_locks(c, cl);
    EQ(c, take(cl, third, whole, FSIF_LOCK_EXCLUSIVE, 0), 0);
    EQ(c, take(cl, third, whole, FSIF_LOCK_UNLOCK, 0), 0);
    /* The handle that waited is as good as any. */
    EQ(c, take(cl, late, whole, FSIF_LOCK_EXCLUSIVE, FSIF_LOCK_WAIT), 0);
    EQ(c, take(cl, holder, whole, FSIF_LOCK_SHARED, 0), -FSIF_EAGAIN);
    EQ(c, fsif_close(cl, late), 0);
    EQ(c, fsif_close(cl, third), 0);
    EQ(c, fsif_close(cl, holder), 0);
}

static void withdrawn(struct context *c)
{
    struct fsif_client *cl;
    int fh, err;

    if (!EQ(c, target_another(c->target, LIMIT_MS, &cl), 0))
        return;
    /* Its store may be one of its own. */
    err = fsif_mkdir(cl, c->dir, 0777);
    OK(c, err == 0 || err == -FSIF_EEXIST);
    fh = fsif_open(cl, at(c, "f"), FSIF_O_RDWR | FSIF_O_CREAT, 0644);
    OK(c, fh >= 0);
    one_withdrawn(c, cl, 1);
    one_withdrawn(c, cl, 0);
    EQ(c, fsif_close(cl, fh), 0);
    target_another_end(c->target, cl);
}

/* --- two sessions ---------------------------------------------------------------------------- */

static const char *const own_stores = "each session of the export has a store of its own";

/* A session that sees the case's file "f". Return: NULL the case failed, or is skipped */
static struct fsif_client *sharing(struct context *c)
{
    struct fsif_client *other;
    struct fsif_attr attr;
    int err;

    if (!target_shares(c->target)) {
        c->skipped = own_stores;
        return NULL;
    }
    if (!EQ(c, target_another(c->target, 0, &other), 0))
        return NULL;
    err = fsif_stat(other, at(c, "f"), &attr);
    if (err == 0)
        return other;
    if (c->outside && err == -FSIF_ENOENT)
        c->skipped = own_stores;
    else
        EQ(c, err, 0);
    target_another_end(c->target, other);
    return NULL;
}

/* What is in the way of a lock of the first 1000 octets */
static void in_the_way(struct context *c, struct fsif_client *cl, int fh, uint32_t wanted,
                       const struct fsif_lock *is)
{
    struct fsif_lock lock = {.mode = wanted, .length = 1000};

    EQ(c, fsif_lock_test(cl, fh, &lock), 0);
    EQ(c, lock.mode, is->mode);
    if (is->mode == FSIF_LOCK_UNLOCK)
        return;
    EQ(c, lock.offset, is->offset);
    EQ(c, lock.length, is->length);
}

static void ranges(struct context *c, struct fsif_client *other, int a, int b)
{
    const struct fsif_lock of_a = {.mode = FSIF_LOCK_EXCLUSIVE, .offset = 100, .length = 50};
    const struct fsif_lock of_b = {.mode = FSIF_LOCK_EXCLUSIVE, .length = 100};
    const struct fsif_lock shared = {.mode = FSIF_LOCK_SHARED, .offset = 100, .length = 50};
    const struct fsif_lock none = {.mode = FSIF_LOCK_UNLOCK};
    struct fsif_client *cl = c->cl;

    EQ(c, fsif_lock(cl, a, FSIF_LOCK_EXCLUSIVE, 0, 100, 50), 0);
    EQ(c, fsif_lock(other, b, FSIF_LOCK_SHARED, 0, 149, 1), -FSIF_EAGAIN);
    EQ(c, fsif_lock(other, b, FSIF_LOCK_EXCLUSIVE, 0, 50, 0), -FSIF_EAGAIN);
    EQ(c, fsif_lock(other, b, FSIF_LOCK_EXCLUSIVE, 0, 0, 100), 0);
    EQ(c, fsif_lock(cl, a, FSIF_LOCK_SHARED, 0, 99, 1), -FSIF_EAGAIN);
    in_the_way(c, other, b, FSIF_LOCK_SHARED, &of_a);
    in_the_way(c, cl, a, FSIF_LOCK_SHARED, &of_b);
    EQ(c, fsif_lock(other, b, FSIF_LOCK_UNLOCK, 0, 0, 0), 0);
    in_the_way(c, cl, a, FSIF_LOCK_EXCLUSIVE, &none);
    EQ(c, fsif_lock(cl, a, FSIF_LOCK_SHARED, 0, 100, 50), 0);
    in_the_way(c, other, b, FSIF_LOCK_SHARED, &none);
    in_the_way(c, other, b, FSIF_LOCK_EXCLUSIVE, &shared);
    EQ(c, fsif_lock(other, b, FSIF_LOCK_SHARED, 0, 0, 0), 0);
    EQ(c, fsif_lock(cl, a, FSIF_LOCK_EXCLUSIVE, 0, 100, 50), -FSIF_EAGAIN);
}

static void across_sessions(struct context *c)
{
    struct fsif_client *other, *cl = c->cl;
    int a, b;

    make(c, "f", "text");
    other = sharing(c);
    if (other == NULL)
        return;
    a = open_of(c, cl);
    b = open_of(c, other);
    ranges(c, other, a, b);
    EQ(c, fsif_flock(cl, a, FSIF_LOCK_EXCLUSIVE, 0), 0);
    EQ(c, fsif_flock(other, b, FSIF_LOCK_SHARED, 0), -FSIF_EAGAIN);
    EQ(c, fsif_flock(cl, a, FSIF_LOCK_UNLOCK, 0), 0);
    EQ(c, fsif_flock(other, b, FSIF_LOCK_SHARED, 0), 0);
    EQ(c, fsif_flock(cl, a, FSIF_LOCK_EXCLUSIVE, 0), -FSIF_EAGAIN);
    EQ(c, fsif_flock(cl, a, FSIF_LOCK_SHARED, 0), 0);
    EQ(c, fsif_close(other, b), 0);
    EQ(c, fsif_close(cl, a), 0);
    target_another_end(c->target, other);
}

struct taker {
    struct context *c;
    int fh;
    int whole;
    atomic_int result;
};

static void *wait_for_it(void *arg)
{
    struct taker *t = arg;

    t->result = take(t->c->cl, t->fh, t->whole, FSIF_LOCK_EXCLUSIVE, FSIF_LOCK_WAIT);
    return NULL;
}

/* @end: the holder's session ends, else it closes the file. */
static void released(struct context *c, int whole, int end)
{
    struct taker t = {.c = c, .whole = whole, .result = STILL};
    struct fsif_client *other = sharing(c);
    pthread_t id;
    int fh;

    if (other == NULL)
        return;
    fh = open_of(c, other);
    t.fh = open_of(c, c->cl);
    EQ(c, take(other, fh, whole, FSIF_LOCK_EXCLUSIVE, 0), 0);
    if (!EQ(c, pthread_create(&id, NULL, wait_for_it, &t), 0))
        return;
    pause_for_locks(c, c->cl);
    EQ(c, t.result, STILL);
    if (end)
        target_another_end(c->target, other);
    else
        EQ(c, fsif_close(other, fh), 0);
    pthread_join(id, NULL);
    EQ(c, t.result, 0);
    EQ(c, fsif_close(c->cl, t.fh), 0);
    if (!end)
        target_another_end(c->target, other);
}

static void released_by_another(struct context *c)
{
    make(c, "f", "text");
    for (int i = 0; i < 4 && c->skipped == NULL && c->failures == 0; i++)
        released(c, i % 2, i / 2);
}

const struct test_case lock3_cases[] = {
    {"3-lock-withdrawn", withdrawn},
    {"3-locks-across-sessions", across_sessions},
    {"3-lock-released-by-another", released_by_another},
    {NULL, NULL},
};
