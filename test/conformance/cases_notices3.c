/* SPDX-License-Identifier: MIT */

/* Cases of locks and watches, which only dialect 3 has. */

#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "conformance.h"

static int open_file(struct context *c, uint32_t access)
{
    int fh = fsif_open(c->cl, at(c, "f"), access, 0);

    OK(c, fh >= 0);
    return fh;
}

static void locks(struct context *c)
{
    struct fsif_lock lock = {.mode = FSIF_LOCK_SHARED, .length = 6};
    struct fsif_client *cl = c->cl;
    int a, b, ro;

    make(c, "f", "text");
    a = open_file(c, FSIF_O_RDWR);
    b = open_file(c, FSIF_O_RDWR);
    ro = open_file(c, FSIF_O_RDONLY);
    EQ(c, fsif_flock(cl, a, FSIF_LOCK_EXCLUSIVE, 0), 0);
    EQ(c, fsif_flock(cl, b, FSIF_LOCK_SHARED, 0), -FSIF_EAGAIN);
    EQ(c, fsif_flock(cl, a, FSIF_LOCK_SHARED, 0), 0);
    EQ(c, fsif_flock(cl, b, FSIF_LOCK_SHARED, 0), 0);
    EQ(c, fsif_flock(cl, a, FSIF_LOCK_EXCLUSIVE, 0), -FSIF_EAGAIN);
    EQ(c, fsif_flock(cl, b, FSIF_LOCK_UNLOCK, 0), 0);
    EQ(c, fsif_flock(cl, b, 9, 0), -FSIF_EINVAL);
    EQ(c, fsif_flock(cl, b, FSIF_LOCK_SHARED, FSIF_LOCK_TEST), -FSIF_EINVAL);
    EQ(c, fsif_flock(cl, 99999, FSIF_LOCK_SHARED, 0), -FSIF_EBADF);
    EQ(c, fsif_lock(cl, a, FSIF_LOCK_EXCLUSIVE, 0, 5, 10), 0);
    EQ(c, fsif_lock(cl, b, FSIF_LOCK_SHARED, 0, 14, 1), -FSIF_EAGAIN);
    EQ(c, fsif_lock(cl, b, FSIF_LOCK_EXCLUSIVE, 0, 15, 0), 0);
    EQ(c, fsif_lock(cl, a, FSIF_LOCK_SHARED, 0, 1 << 20, 1), -FSIF_EAGAIN);
    EQ(c, fsif_lock_test(cl, b, &lock), 0);
    EQ(c, lock.mode, FSIF_LOCK_EXCLUSIVE);
    EQ(c, lock.offset, 5);
    EQ(c, lock.length, 10);
    lock = (struct fsif_lock){.mode = FSIF_LOCK_EXCLUSIVE, .length = 5};
    EQ(c, fsif_lock_test(cl, b, &lock), 0);
    EQ(c, lock.mode, FSIF_LOCK_UNLOCK);
    EQ(c, fsif_lock(cl, ro, FSIF_LOCK_EXCLUSIVE, 0, 0, 1), -FSIF_EBADF);
    EQ(c, fsif_lock(cl, ro, FSIF_LOCK_SHARED, 0, 0, 1), 0);
    /* Closing lets both kinds go. */
    EQ(c, fsif_close(cl, a), 0);
    EQ(c, fsif_lock(cl, b, FSIF_LOCK_EXCLUSIVE, 0, 5, 10), 0);
    EQ(c, fsif_flock(cl, b, FSIF_LOCK_EXCLUSIVE, 0), 0);
    EQ(c, fsif_close(cl, b), 0);
    EQ(c, fsif_close(cl, ro), 0);
}

struct taker {
    struct context *c;
    int fh;
    int whole;
    atomic_int result;
};

static void *take(void *arg)
{
    struct taker *t = arg;

    t->result = t->whole ? fsif_flock(t->c->cl, t->fh, FSIF_LOCK_EXCLUSIVE, FSIF_LOCK_WAIT)
                         : fsif_lock(t->c->cl, t->fh, FSIF_LOCK_EXCLUSIVE, FSIF_LOCK_WAIT, 0, 10);
    return NULL;
}

static void one_waits(struct context *c, int whole)
{
    struct fsif_client *cl = c->cl;
    struct taker t = {.c = c, .whole = whole, .result = 99};
    int a = open_file(c, FSIF_O_RDWR);
    uint64_t begin = fsif_client_now();
    pthread_t id;

    t.fh = open_file(c, FSIF_O_RDWR);
    EQ(c,
       whole ? fsif_flock(cl, a, FSIF_LOCK_SHARED, 0) : fsif_lock(cl, a, FSIF_LOCK_SHARED, 0, 9, 1),
       0);
    if (!EQ(c, pthread_create(&id, NULL, take, &t), 0))
        return;
    while (fsif_client_now() < begin + 50)
        EQ(c, fsif_nop(cl), 0);
    EQ(c, t.result, 99);
    EQ(c,
       whole ? fsif_flock(cl, a, FSIF_LOCK_UNLOCK, 0) : fsif_lock(cl, a, FSIF_LOCK_UNLOCK, 0, 0, 0),
       0);
    pthread_join(id, NULL);
    EQ(c, t.result, 0);
    EQ(c,
       whole ? fsif_flock(cl, a, FSIF_LOCK_SHARED, 0) : fsif_lock(cl, a, FSIF_LOCK_SHARED, 0, 9, 1),
       -FSIF_EAGAIN);
    EQ(c, fsif_close(cl, t.fh), 0);
    EQ(c, fsif_close(cl, a), 0);
}

static void waiting_locks(struct context *c)
{
    make(c, "f", "text");
    one_waits(c, 1);
    one_waits(c, 0);
}

struct asked {
    struct fsif_call call;
    atomic_int done;
};

static void answered(struct fsif_call *call)
{
    struct asked *a = call->arg;

    atomic_store(&a->done, 1);
}

/* One request in the asynchronous form. Return: its result */
static int64_t ask(struct context *c, const struct fsif_op *op)
{
    struct asked a = {.call = {.op = *op, .deadline = FSIF_NEVER, .done = answered}};
    int r;

    a.call.arg = &a;
    while ((r = fsif_submit(c->cl, &a.call)) == -FSIF_EAGAIN)
        fsif_poll(c->cl, 10);
    if (r != 0)
        return r;
    while (atomic_load(&a.done) == 0)
        if (fsif_poll(c->cl, 1000) < 0)
            return -FSIF_EPROTO;
    return a.call.result.value;
}

/* A lock that waits is taken back: whoever is next gets it, not the one that was cancelled. */
static void cancelled_lock(struct context *c)
{
    struct fsif_op wait = {.type = FSIF_OP_LOCK,
                           .mode = FSIF_LOCK_EXCLUSIVE,
                           .flags = FSIF_LOCK_WHOLE | FSIF_LOCK_WAIT,
                           .cookie = UINT64_C(0x1234567800000001)};
    struct fsif_op cancel = {.type = FSIF_OP_CANCEL, .cookie = wait.cookie};
    struct fsif_client *cl = c->cl;
    int a, b;

    make(c, "f", "text");
    a = open_file(c, FSIF_O_RDWR);
    b = open_file(c, FSIF_O_RDWR);
    wait.handle = (uint32_t)b;
    EQ(c, ask(c, &cancel), -FSIF_ENOENT);
    EQ(c, fsif_flock(cl, a, FSIF_LOCK_EXCLUSIVE, 0), 0);
    EQ(c, ask(c, &wait), -FSIF_EINPROGRESS);
    EQ(c, ask(c, &cancel), 0);
    EQ(c, fsif_flock(cl, a, FSIF_LOCK_UNLOCK, 0), 0);
    EQ(c, fsif_flock(cl, a, FSIF_LOCK_EXCLUSIVE, 0), 0);
    EQ(c, fsif_flock(cl, b, FSIF_LOCK_EXCLUSIVE, 0), -FSIF_EAGAIN);
    EQ(c, fsif_close(cl, b), 0);
    EQ(c, fsif_close(cl, a), 0);
}

/* Wait for a change of this kind, past others, of which there may be some hundred. Return: 1; 0 it
 * or others were lost; -1 nothing came */
static int told_or_lost(struct context *c, int watch, uint32_t what, const char *name)
{
    struct fsif_change change;

    for (int i = 0; i < 1000 && fsif_watch_next(c->cl, watch, &change, 5000) == 1; i++) {
        if ((change.what & what) != 0 && strcmp(change.name, name) == 0)
            return 1;
        if ((change.what & FSIF_CHANGE_LOST) != 0)
            return 0;
    }
    return -1;
}

static int told(struct context *c, int watch, uint32_t what, const char *name)
{
    return told_or_lost(c, watch, what, name) == 1;
}

static void watches(struct context *c)
{
    struct fsif_client *cl = c->cl;
    struct fsif_change change;
    int dir, file, w, all;

    EQ(c, fsif_mkdir(cl, at(c, "d"), 0755), 0);
    make(c, "f", "text");
    dir = fsif_open(cl, at(c, "d"), FSIF_O_RDONLY | FSIF_O_DIRECTORY, 0);
    file = open_file(c, FSIF_O_RDONLY);
    EQ(c, fsif_watch(cl, dir, 0), -FSIF_EINVAL);
    EQ(c, fsif_watch(cl, dir, 0x100), -FSIF_EINVAL);
    EQ(c, fsif_watch(cl, 99999, FSIF_CHANGE_CREATE), -FSIF_EBADF);
    EQ(c, fsif_watch(cl, file, FSIF_CHANGE_CREATE), -FSIF_ENOTDIR);
    EQ(c, fsif_close(cl, file), 0);
    w = fsif_watch(cl, dir, FSIF_CHANGE_REMOVE);
    all = fsif_watch(cl, dir, FSIF_CHANGE_ALL);
    OK(c, w >= 0 && all >= 0);
    EQ(c, fsif_close(cl, dir), 0);
    EQ(c, fsif_watch_next(cl, all, &change, 0), 0);
    make(c, "d/new", "text");
    OK(c, told(c, all, FSIF_CHANGE_CREATE, "new"));
    OK(c, told(c, all, FSIF_CHANGE_CONTENT, "new"));
    EQ(c, fsif_fchmodat(cl, FSIF_ROOT, at(c, "d/new"), 0600, 0), 0);
    OK(c, told(c, all, FSIF_CHANGE_ATTR, "new"));
    EQ(c, fsif_rename(cl, at(c, "d/new"), at(c, "d/newer")), 0);
    OK(c, told(c, all, FSIF_CHANGE_CREATE, "newer"));
    EQ(c, fsif_remove(cl, at(c, "d/newer")), 0);
    OK(c, told(c, all, FSIF_CHANGE_REMOVE, "newer"));
    EQ(c, fsif_watch_next(cl, w, &change, 5000), 1);
    EQ(c, change.what, FSIF_CHANGE_REMOVE);
    OK(c, strcmp(change.name, "new") == 0);
    EQ(c, fsif_watch_next(cl, w, &change, 5000), 1);
    OK(c, strcmp(change.name, "newer") == 0);
    EQ(c, fsif_unwatch(cl, w), 0);
    EQ(c, fsif_unwatch(cl, w), -FSIF_EBADF);
    EQ(c, fsif_watch_next(cl, w, &change, 0), -FSIF_EBADF);
    EQ(c, fsif_remove(cl, at(c, "d")), 0);
    OK(c, told(c, all, FSIF_CHANGE_SELF, ""));
    EQ(c, fsif_unwatch(cl, all), 0);
}

/* --- changes that are lost -------------------------------------------------------------------- */

/* Two notices for each move are more than the session's 64 slots and fewer than a watch's share of
 * the client's memory: what is lost then is lost by the backend, for want of room. */
enum { MOVES = 60, ROUNDS = 8 };

struct moves {
    struct fsif_call calls[MOVES];
    char names[2][MOVES][16];
    atomic_int done;
};

static void moved(struct fsif_call *call)
{
    struct moves *m = call->arg;

    atomic_fetch_add(&m->done, 1);
}

static void make_movable(struct context *c, struct moves *m, int dir)
{
    for (int i = 0; i < MOVES; i++) {
        snprintf(m->names[0][i], sizeof(m->names[0][i]), "a-%d", i);
        snprintf(m->names[1][i], sizeof(m->names[1][i]), "b-%d", i);
        EQ(c, fsif_mkdirat(c->cl, dir, m->names[0][i], 0755), 0);
    }
}

/* Give every entry its other name, and take nothing off the ring for a while. */
static void move_all(struct context *c, struct moves *m, int dir, int round)
{
    struct fsif_call *calls[MOVES];
    int begun = 0, n;

    atomic_store(&m->done, 0);
    for (int i = 0; i < MOVES; i++) {
        m->calls[i] = (struct fsif_call){.op = {.type = FSIF_OP_RENAME,
                                                .handle = (uint32_t)dir,
                                                .handle2 = (uint32_t)dir,
                                                .path = m->names[round % 2][i],
                                                .path2 = m->names[(round + 1) % 2][i]},
                                         .deadline = FSIF_NEVER,
                                         .done = moved,
                                         .arg = m};
        calls[i] = &m->calls[i];
    }
    while (begun < MOVES) {
        n = fsif_submit_many(c->cl, calls + begun, (uint32_t)(MOVES - begun));
        if (n > 0)
            begun += n;
        else if (!EQ(c, n, -FSIF_EAGAIN) || fsif_poll(c->cl, 10) < 0)
            return;
    }
    usleep(20000u << round);
    while (atomic_load(&m->done) < MOVES)
        if (!OK(c, fsif_poll(c->cl, 1000) >= 0))
            return;
    for (int i = 0; i < MOVES; i++)
        EQ(c, m->calls[i].result.value, 0);
}

/* Take all that is told. Return: 1 the last one told that some were lost */
static int told_lost(struct context *c, int watch, int *kept)
{
    struct fsif_change change;

    while (fsif_watch_next(c->cl, watch, &change, 200) == 1) {
        if ((change.what & FSIF_CHANGE_LOST) != 0)
            return 1;
        (*kept)++;
    }
    return 0;
}

/* Some changes were told before others were lost, and those that follow are told as ever: the end
 * of the watch and of @dir. The backend may have changes to tell still, and lose among them the one
 * that we make: it says so, and the next round makes it again. */
static void lost_and_on(struct context *c, int watch, int dir, int lost, int kept)
{
    int again = 0;

    EQ(c, lost, 1);
    OK(c, kept > 0);
    for (int round = 0; round < ROUNDS && again == 0; round++) {
        if (round > 0)
            EQ(c, fsif_unlinkat(c->cl, dir, "again", FSIF_REMOVE_DIR), 0);
        EQ(c, fsif_mkdirat(c->cl, dir, "again", 0755), 0);
        again = told_or_lost(c, watch, FSIF_CHANGE_CREATE, "again");
    }
    EQ(c, again, 1);
    EQ(c, fsif_unlinkat(c->cl, dir, "again", FSIF_REMOVE_DIR), 0);
    OK(c, told(c, watch, FSIF_CHANGE_REMOVE, "again"));
    EQ(c, fsif_unwatch(c->cl, watch), 0);
    EQ(c, fsif_close(c->cl, dir), 0);
}

/* More notices than the ring has room for. The backend may be slow to see what changed: then
 * nothing is lost, and the next round leaves it more time. */
static void no_room(struct context *c)
{
    struct moves m;
    int dir = fsif_open(c->cl, c->dir, FSIF_O_RDONLY | FSIF_O_DIRECTORY, 0), w;
    int kept = 0, lost = 0;

    make_movable(c, &m, dir);
    w = fsif_watch(c->cl, dir, FSIF_CHANGE_CREATE | FSIF_CHANGE_REMOVE);
    OK(c, w >= 0);
    for (int round = 0; round < ROUNDS && !lost; round++) {
        move_all(c, &m, dir, round);
        lost = told_lost(c, w, &kept);
    }
    lost_and_on(c, w, dir, lost, kept);
}

/* More changes than the client keeps for a watch, as nobody takes them */
static void not_taken(struct context *c)
{
    enum { MANY = 300 };
    int dir = fsif_open(c->cl, c->dir, FSIF_O_RDONLY | FSIF_O_DIRECTORY, 0);
    int w = fsif_watch(c->cl, dir, FSIF_CHANGE_CREATE | FSIF_CHANGE_REMOVE), kept = 0, lost = 0;
    char name[32];

    OK(c, w >= 0);
    for (int round = 0; round < ROUNDS && !lost; round++) {
        for (int i = 0; i < MANY; i++) {
            snprintf(name, sizeof(name), "n-%d-%d", round, i);
            EQ(c, fsif_mkdirat(c->cl, dir, name, 0755), 0);
        }
        lost = told_lost(c, w, &kept);
    }
    lost_and_on(c, w, dir, lost, kept);
}

const struct test_case notice3_cases[] = {
    {"3-locks", locks},
    {"3-waiting-locks", waiting_locks},
    {"3-cancelled-lock", cancelled_lock},
    {"3-watches", watches},
    {"3-changes-without-room", no_room},
    {"3-changes-not-taken", not_taken},
    {NULL, NULL},
};
