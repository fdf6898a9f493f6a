/* SPDX-License-Identifier: MIT */
/*
 * F16 and F2: many threads on one client, and a judge of what a hostile backend's answers became.
 *
 * A racing call lies in the heap and is freed as soon as its done callback ran, so that a callback
 * that runs twice, or after the call was given back, is seen by a sanitizer. Everything that was
 * submitted is counted, and so is every callback: at the end both counts must be the same.
 */
#define _GNU_SOURCE
#include "victim.h"

#include <fsif/host.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RACERS 4u
#define CALLS 8u

struct race {
    struct victim *v;
    uint64_t end;
    atomic_int over; /* the session was shut down: no new calls */
    atomic_ulong submitted;
    atomic_ulong done;
    atomic_ulong cancelled;
};

struct shot {
    struct fsif_call call;
    struct race *race;
    atomic_int finished;
    atomic_int holders; /* the racer and the callback */
    char page[FSIF_PAGE_SIZE];
};

static void drop(struct shot *s)
{
    if (atomic_fetch_sub(&s->holders, 1) == 1)
        free(s);
}

static void shot_done(struct fsif_call *call)
{
    struct shot *s = call->arg;

    atomic_fetch_add(&s->race->done, 1);
    if (atomic_exchange(&s->finished, 1)) {
        printf("DONE TWICE\n");
        abort();
    }
    drop(s);
}

static struct shot *shoot(struct race *r, unsigned n)
{
    struct shot *s = victim_malloc(sizeof(*s));
    int err;

    memset(s, 0, sizeof(*s));
    s->race = r;
    atomic_init(&s->holders, 2);
    s->call.op.type = n % 3 ? FSIF_OP_READ : r->v->queues ? FSIF_OP_READDIR : FSIF_OP_LIST;
    s->call.op.path = r->v->queues ? NULL : "d";
    s->call.op.buffer = s->page;
    s->call.op.length = n % 3 == 0 ? sizeof(s->page) : 16;
    s->call.deadline = n % 5 == 0 ? fsif_client_now() + 1 : FSIF_NEVER;
    s->call.done = shot_done;
    s->call.arg = s;
    atomic_fetch_add(&r->submitted, 1);
    err = fsif_submit(r->v->cl, &s->call);
    if (err < 0) {
        atomic_fetch_sub(&r->submitted, 1);
        free(s);
        return NULL;
    }
    return s;
}

/* Submits, and cancels half of what it submitted. */
static void *racer(void *arg)
{
    struct race *r = arg;
    unsigned n = 0;

    while (!atomic_load(&r->over) && fsif_now_ms() < r->end) {
        struct shot *mine[CALLS];

        for (unsigned i = 0; i < CALLS; i++)
            mine[i] = shoot(r, n++);
        for (unsigned i = 0; i < CALLS; i++) {
            if (!mine[i])
                continue;
            if ((n + i) % 2 && fsif_cancel(r->v->cl, &mine[i]->call) == 0)
                atomic_fetch_add(&r->cancelled, 1);
            drop(mine[i]);
        }
    }
    return NULL;
}

static void *poller(void *arg)
{
    struct race *r = arg;

    while (!atomic_load(&r->over) && fsif_now_ms() < r->end)
        (void)fsif_poll(r->v->cl, 1);
    return NULL;
}

static void *killer(void *arg)
{
    struct race *r = arg;

    usleep(1000 + (useconds_t)(random() % 20000));
    fsif_shutdown(r->v->cl);
    atomic_store(&r->over, 1);
    return NULL;
}

/* One session from its start to its end under fire. */
static void one_life(struct race *r)
{
    pthread_t threads[RACERS + 4];
    unsigned n = 0;

    atomic_store(&r->over, 0);
    for (unsigned i = 0; i < RACERS; i++)
        pthread_create(&threads[n++], NULL, racer, r);
    for (unsigned i = 0; i < 2; i++)
        pthread_create(&threads[n++], NULL, poller, r);
    for (unsigned i = 0; i < 2; i++)
        pthread_create(&threads[n++], NULL, killer, r);
    while (n > 0)
        pthread_join(threads[--n], NULL);
}

int64_t victim_race(struct victim *v, double seconds)
{
    struct race r = {.v = v, .end = fsif_now_ms() + (uint64_t)(1000 * seconds)};
    int64_t lives = 0;

    for (; fsif_now_ms() < r.end; lives++) {
        int err = victim_connect(v);

        if (err < 0)
            return err;
        one_life(&r);
        fsif_disconnect(v->cl);
        v->cl = NULL;
        if (atomic_load(&r.submitted) != atomic_load(&r.done)) {
            printf("LOST CALLS: %lu submitted, %lu done\n", atomic_load(&r.submitted),
                   atomic_load(&r.done));
            return -1;
        }
    }
    printf("raced = %lu calls, %lu cancelled\n", atomic_load(&r.submitted),
           atomic_load(&r.cancelled));
    return lives;
}

/* --- F2 ----------------------------------------------------------------------------------------
 */

#define FILL 0xee

/* What became of a buffer of 64 bytes, filled before: bytes beyond the count must be as they were.
 */
static const char *judge_bytes(const unsigned char *buf, const int64_t *result)
{
    const char *bad = NULL;

    for (int64_t i = 0; *result >= 0 && i < 64; i++)
        if (buf[i] != (i < *result ? 'R' : FILL))
            bad = "a read that moved other bytes than it says";
    if (*result > 64)
        bad = "a read of more than was asked for";
    if (*result >= 0 && *result != 16 && *result != 48)
        bad = "a read of a length that nobody sent";
    return bad;
}

static const char *judge_read(struct victim *v, int64_t *result)
{
    unsigned char *buf = victim_malloc(64);
    const char *bad;

    memset(buf, FILL, 64);
    *result = fsif_pread(v->cl, v->fh, buf, 64, 0);
    bad = judge_bytes(buf, result);
    free(buf);
    return bad;
}

static const char *judge_stat(struct victim *v, int64_t *result)
{
    struct fsif_attr attr;

    *result = fsif_fstat(v->cl, v->fh, &attr);
    if (*result == 0 && attr.size != 5 && attr.size != 7)
        return "a size that nobody sent";
    return NULL;
}

static const char *judge_list(struct victim *v, int64_t *result)
{
    const char *bad = NULL;
    struct fsif_dir *dir;
    const char *name;

    *result = fsif_opendir(v->cl, "d", &dir);
    if (*result < 0)
        return NULL;
    *result = fsif_readdir(dir, &name);
    if (*result == 1 && strcmp(name, "abcdefg") != 0 && strcmp(name, "a") != 0 &&
        strcmp(name, "abcdefG") != 0)
        bad = "a name that nobody may send";
    if (*result == 1 && fsif_readdir(dir, &name) != 0)
        bad = "more names than there are";
    fsif_closedir(dir);
    return bad;
}

static const char *judge_file(struct victim *v, int64_t *result)
{
    unsigned char *buf = victim_malloc(64);
    struct fsif_attr attr;
    const char *bad;

    memset(buf, FILL, 64);
    *result = fsif_readfile(v->cl, FSIF_ROOT, "file", 0, buf, 64, &attr);
    bad = judge_bytes(buf, result);
    if (*result >= 0 && attr.size != 5)
        bad = "a file's size that nobody sent";
    free(buf);
    return bad;
}

static const char *judge_many(struct victim *v, int64_t *result)
{
    const char *const names[] = {"file", "d/f"};
    struct fsif_attr attrs[2];
    int32_t status[2];

    *result = fsif_statmany(v->cl, FSIF_ROOT, names, 2, 0, attrs, status);
    if (*result == 0 && (status[0] != 0 || status[1] != 0))
        return "a status that nobody sent";
    if (*result == 0 && (attrs[0].size != 5 || (attrs[1].size != 5 && attrs[1].size != 7)))
        return "a size of many that nobody sent";
    return NULL;
}

/* Until the session ends or time is over. */
static const char *one_session(struct victim *v, uint64_t end, uint64_t *calls)
{
    static const struct {
        const char *(*judge)(struct victim *v, int64_t *result);
    } judges[] = {{judge_read}, {judge_list}, {judge_stat}, {judge_file}, {judge_many}};
    const unsigned kinds = v->queues ? 5 : 3; /* the last ones are requests in dialect 3 only */
    const char *bad = NULL;
    int64_t result = 0;

    v->fh = fsif_open(v->cl, "file", FSIF_O_RDONLY, 0);
    while (v->fh >= 0 && result >= 0 && !bad && fsif_now_ms() < end)
        bad = judges[(*calls)++ % kinds].judge(v, &result);
    if (!bad && result < 0 && result != -FSIF_EIO)
        bad = "an error that is not EIO";
    return bad;
}

int64_t victim_hammer(struct victim *v, double seconds)
{
    uint64_t end = fsif_now_ms() + (uint64_t)(1000 * seconds);
    const char *bad = NULL;
    uint64_t calls = 0;
    int64_t sessions = 0;
    const struct fsif_hooks *hooks = v->hooks;

    v->hooks = NULL; /* thousands of poisoned sessions */
    for (; !bad && fsif_now_ms() < end; sessions++) {
        int err = victim_connect(v);

        if (err < 0)
            return err;
        bad = one_session(v, end, &calls);
        fsif_disconnect(v->cl);
        v->cl = NULL;
    }
    v->hooks = hooks;
    printf("hammered = %llu calls\n", (unsigned long long)calls);
    if (bad)
        printf("ILLEGAL RESULT: %s\n", bad);
    return bad ? -1 : sessions;
}
