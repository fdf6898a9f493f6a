/* SPDX-License-Identifier: MIT */

/*
 * Races: two threads do one step each at the same moment, on the same small tree. What both were
 * answered and the tree that is left must be what one of the two orders gives with plain calls.
 *
 * Left out are pairs that Linux itself does not carry out in some order: a listing beside a rename;
 * data that is read while it is written; and a rename of a directory beside a rename through it,
 * because rename(2) looks up its two parents one after the other.
 */

#define _GNU_SOURCE
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <fsif/host.h>
#include "differential.h"
#include "scratch.h"

struct outcome {
    struct answer answer[2];
    char *tree;
};

struct racer {
    struct library library;
    struct step step;
    uint32_t delay;
    struct answer answer;
    pthread_barrier_t *barrier;
    atomic_int *ready;
    atomic_int *stop;
};

/* The tree: files a and b, directories d with a file f, and e without. No mkdir of a race asks for
 * e's mode or more: the posix store may take e, moved to the new directory's place, for that one.
 */
static const struct step seed_steps[] = {
    {.kind = STEP_CREATE, .path = "a", .mode = 0644, .slot = 0},
    {.kind = STEP_WRITE, .slot = 0, .len = 3000, .seed = 1},
    {.kind = STEP_CREATE, .path = "b", .mode = 0600, .slot = 1},
    {.kind = STEP_WRITE, .slot = 1, .len = 100, .seed = 2},
    {.kind = STEP_MKDIR, .path = "d", .mode = 0755},
    {.kind = STEP_MKDIR, .path = "e", .mode = 01711},
    {.kind = STEP_CREATE, .path = "d/f", .mode = 0640, .slot = 2},
    {.kind = STEP_WRITE, .slot = 2, .len = 10, .seed = 3},
    {.kind = STEP_OPEN, .path = "d", .slot = 3},
};
enum { SEEDS = sizeof(seed_steps) / sizeof(seed_steps[0]) };

static void random_step(struct step *s, uint64_t *state)
{
    static const char *const paths[] = {"a", "b", "c", "d", "e", "d/f", "d/g", "e/f", "d/", "e/"};
    static const uint32_t kinds[] = {STEP_OPEN,   STEP_CREATE, STEP_CREATE, STEP_READ,
                                     STEP_WRITE,  STEP_STAT,   STEP_CHMOD,  STEP_REMOVE,
                                     STEP_REMOVE, STEP_RENAME, STEP_RENAME, STEP_RENAME,
                                     STEP_MKDIR,  STEP_MKDIR,  STEP_LIST,   STEP_TRUNCATE};

    memset(s, 0, sizeof(*s));
    s->kind = kinds[random_below(state, sizeof(kinds) / sizeof(kinds[0]))];
    /* What is opened goes where no handle lies: closing is not part of the race. */
    s->slot = s->kind <= STEP_CREATE ? 4 + random_below(state, 2) : random_below(state, 4);
    s->mode = random_below(state, 01000) | 0700;
    /* Within a page, so that one write is one step for everybody. */
    s->off = random_below(state, 3) * 4096;
    s->len = 1 + random_below(state, 4096);
    s->seed = random_next(state);
    strcpy(s->path, paths[random_below(state, 10)]);
    strcpy(s->path2, paths[random_below(state, 10)]);
}

static int is_change_of_data(const struct step *s)
{
    return s->kind == STEP_WRITE || s->kind == STEP_TRUNCATE || s->kind == STEP_CREATE;
}

static int passes_through(const struct step *rename)
{
    return strchr(rename->path, '/') != NULL || strchr(rename->path2, '/') != NULL;
}

static int is_left_out(const struct step *a, const struct step *b)
{
    if (a->kind == STEP_LIST && b->kind == STEP_RENAME)
        return 1;
    if (a->kind == STEP_READ && is_change_of_data(b))
        return 1;
    return a->kind == STEP_RENAME && b->kind == STEP_RENAME && passes_through(a);
}

static void seed_plain(struct plain *p, const char *directory)
{
    if (mkdir(directory, 0755) != 0)
        abort();
    plain_start(p, directory);
    for (int i = 0; i < SEEDS; i++)
        if (plain_step(p, &seed_steps[i]).value < 0)
            abort();
}

/* Do both on the plain side, @first first. */
static void run_order(const struct world *w, const struct step steps[2], int first,
                      struct outcome *out)
{
    struct plain p;
    char directory[512];

    scratch_path(directory, sizeof(directory), w->twin, "order");
    seed_plain(&p, directory);
    out->answer[first] = plain_step(&p, &steps[first]);
    out->answer[1 - first] = plain_step(&p, &steps[1 - first]);
    plain_stop(&p);
    out->tree = tree_dump_host(directory);
    scratch_remove(directory);
}

static int same(const struct outcome *a, const struct outcome *b)
{
    for (int i = 0; i < 2; i++)
        if (a->answer[i].value != b->answer[i].value || a->answer[i].hash != b->answer[i].hash)
            return 0;
    return strcmp(a->tree, b->tree) == 0;
}

static void *race(void *arg)
{
    struct racer *r = arg;

    for (;;) {
        pthread_barrier_wait(r->barrier);
        if (atomic_load(r->stop))
            return NULL;
        /* Both run, and only then both go. */
        atomic_fetch_add(r->ready, 1);
        for (int spins = 0; atomic_load(r->ready) < 2; spins++)
            if (spins > 1000)
                sched_yield();
        for (volatile uint32_t i = 0; i < r->delay; i++)
            ;
        r->answer = library_step(&r->library, &r->step);
        pthread_barrier_wait(r->barrier);
    }
}

static void print_outcome(const char *title, const struct outcome *o)
{
    printf("%s:\n", title);
    for (int i = 0; i < 2; i++)
        printf("  %d: %" PRId64 " (%s), hash %016" PRIx64 "\n", i, o->answer[i].value,
               o->answer[i].value < 0 ? fsif_strerror((int)o->answer[i].value) : "ok",
               o->answer[i].hash);
    printf("%s", o->tree);
}

/* Returns 1 if what the race gave is what an order gives. */
static int check(const struct world *w, const struct step steps[2], const struct outcome *got)
{
    struct outcome order[2];
    int ok = 0;

    for (int i = 0; i < 2; i++) {
        run_order(w, steps, i, &order[i]);
        ok |= same(got, &order[i]);
    }
    if (!ok) {
        printf("this pair ended as no serial order does:\n");
        step_print(&steps[0]);
        step_print(&steps[1]);
        print_outcome("the library", got);
        print_outcome("0 then 1", &order[0]);
        print_outcome("1 then 0", &order[1]);
    }
    free(order[0].tree);
    free(order[1].tree);
    return ok;
}

static void start_round(struct world *w, struct racer r[2], const char *name, uint64_t *state)
{
    struct fsif_client *clients[2] = {w->cl, w->other != NULL ? w->other : w->cl};

    if (fsif_mkdir(w->cl, name, 0755) != 0)
        abort();
    for (int i = 0; i < 2; i++) {
        library_start(&r[i].library, clients[i], name);
        r[i].library.plant = w->plant;
        r[i].delay = random_below(state, 4) ? random_below(state, 3000) : 0;
    }
    for (int i = 0; i < SEEDS; i++)
        if (library_step(&r[0].library, &seed_steps[i]).value < 0)
            abort();
    /* The second session has handles of its own on the same files. */
    for (uint32_t i = 0; i < 4; i++) {
        struct step s = {.kind = STEP_OPEN, .slot = i};
        static const char *const files[] = {"a", "b", "d/f", "d"};
        strcpy(s.path, files[i]);
        if (library_step(&r[1].library, &s).value < 0)
            abort();
    }
    do {
        random_step(&r[0].step, state);
        random_step(&r[1].step, state);
        if (random_below(state, 2) == 0) /* or they would seldom meet */
            strcpy(r[1].step.path, random_below(state, 2) ? r[0].step.path : r[0].step.path2);
    } while (is_left_out(&r[0].step, &r[1].step) || is_left_out(&r[1].step, &r[0].step));
}

static int finish_round(struct world *w, struct racer r[2], const char *name)
{
    struct step steps[2] = {r[0].step, r[1].step};
    struct outcome got = {.answer = {r[0].answer, r[1].answer}};
    char host[512];
    int ok;

    library_stop(&r[0].library);
    library_stop(&r[1].library);
    if (w->host != NULL)
        got.tree = tree_dump_host(scratch_path(host, sizeof(host), w->host, name));
    else
        got.tree = tree_dump_library(w->cl, name);
    ok = check(w, steps, &got);
    free(got.tree);
    if (w->host != NULL)
        scratch_remove(host);
    return ok;
}

int run_races(struct world *w)
{
    struct racer r[2] = {0};
    pthread_barrier_t barrier;
    pthread_t thread[2];
    atomic_int ready = 0, stop = 0;
    uint64_t state = w->seed;
    char name[32];
    int ok = 1;
    uint32_t round;

    pthread_barrier_init(&barrier, NULL, 3);
    for (int i = 0; i < 2; i++) {
        r[i] = (struct racer){.barrier = &barrier, .ready = &ready, .stop = &stop};
        if (pthread_create(&thread[i], NULL, race, &r[i]) != 0)
            abort();
    }
    for (round = 0; round < w->rounds && ok; round++) {
        snprintf(name, sizeof(name), "race-%u", round);
        start_round(w, r, name, &state);
        atomic_store(&ready, 0);
        pthread_barrier_wait(&barrier);
        pthread_barrier_wait(&barrier);
        ok = finish_round(w, r, name);
    }
    atomic_store(&stop, 1);
    pthread_barrier_wait(&barrier);
    pthread_join(thread[0], NULL);
    pthread_join(thread[1], NULL);
    pthread_barrier_destroy(&barrier);
    printf(ok ? "%u races: each ended as one of its two orders does\n" : "in round %u\n", round);
    return !ok;
}
