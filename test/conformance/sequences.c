/* SPDX-License-Identifier: MIT */

/*
 * Sequences: each thread does random steps in a subtree of its own, on both sides. A sequence that
 * fails is cut down: as long as a part of it can be left out and the rest fails still, on fresh
 * directories, it is left out.
 */

#define _GNU_SOURCE
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <fsif/host.h>
#include "differential.h"
#include "scratch.h"

enum { MAX_THREADS = 16, MAX_TRIALS = 3000, TREE_EVERY = 200 };

struct difference {
    uint32_t step; /* number of the step, or of all steps if the trees differ */
    struct answer library, plain;
    char *library_tree, *plain_tree; /* if they differ */
};

struct sequence {
    struct world *w;
    uint32_t number;
    struct step *steps;
    uint32_t n;
    int failed;
    struct difference difference;
};

static int compare_trees(struct world *w, const char *name, const char *twin, struct difference *d)
{
    char host[512];
    char *ours, *plain = tree_dump_host(twin);

    if (w->host != NULL)
        ours = tree_dump_host(scratch_path(host, sizeof(host), w->host, name));
    else
        ours = tree_dump_library(w->cl, name);
    if (strcmp(ours, plain) == 0) {
        free(ours);
        free(plain);
        return 0;
    }
    d->library_tree = ours;
    d->plain_tree = plain;
    return 1;
}

/* Both sides' empty directories, or nearly so. */
static void make_directories(struct world *w, const char *name, char *twin, size_t size)
{
    char host[512];

    if (mkdir(scratch_path(twin, size, w->twin, name), 0755) != 0 ||
        fsif_mkdir(w->cl, name, 0755) != 0)
        abort();
    if (w->host == NULL)
        return;
    tree_seed(twin);
    tree_seed(scratch_path(host, sizeof(host), w->host, name));
}

/* Run steps on fresh directories. Returns 1 if the sides differ. */
static int run_steps(struct world *w, const struct step *steps, uint32_t n, struct difference *d)
{
    static atomic_uint fresh;
    struct library l;
    struct plain p;
    char name[32], twin[512];
    int differ = 0;

    memset(d, 0, sizeof(*d));
    snprintf(name, sizeof(name), "run-%u", atomic_fetch_add(&fresh, 1));
    make_directories(w, name, twin, sizeof(twin));
    library_start(&l, w->cl, name);
    l.plant = w->plant;
    plain_start(&p, twin);
    for (d->step = 0; d->step < n && !differ; d->step++) {
        d->library = library_step(&l, &steps[d->step]);
        d->plain = plain_step(&p, &steps[d->step]);
        differ = d->library.value != d->plain.value || d->library.hash != d->plain.hash;
        if (!differ && (d->step % TREE_EVERY == TREE_EVERY - 1 || d->step + 1 == n))
            differ = compare_trees(w, name, twin, d);
    }
    library_stop(&l);
    plain_stop(&p);
    if (w->host != NULL) {
        char host[512];
        scratch_remove(scratch_path(host, sizeof(host), w->host, name));
    }
    scratch_remove(twin);
    return differ;
}

static void free_difference(struct difference *d)
{
    free(d->library_tree);
    free(d->plain_tree);
}

/* Leave out parts, from halves down to single steps. Returns how many are left. */
static uint32_t shrink(struct world *w, struct step *steps, uint32_t n)
{
    struct step *trial = malloc(n * sizeof(*trial));
    uint32_t trials = 0;

    for (uint32_t part = n / 2 > 0 ? n / 2 : 1; part > 0; part /= 2) {
        for (uint32_t from = 0; from + part <= n && n > part && trials < MAX_TRIALS; trials++) {
            struct difference d;
            int fails;

            memcpy(trial, steps, from * sizeof(*trial));
            memcpy(trial + from, steps + from + part, (n - from - part) * sizeof(*trial));
            fails = run_steps(w, trial, n - part, &d);
            if (fails) {
                n = d.step;
                memcpy(steps, trial, n * sizeof(*trial));
            } else {
                from += part;
            }
            free_difference(&d);
        }
    }
    free(trial);
    return n;
}

static void print_answer(const char *side, const struct answer *a)
{
    printf("  %s: %" PRId64, side, a->value);
    if (a->value < 0)
        printf(" (%s)", fsif_strerror((int)a->value));
    printf(", hash %016" PRIx64 "\n", a->hash);
}

static void print_difference(const struct step *steps, uint32_t n, const struct difference *d)
{
    for (uint32_t i = 0; i < n; i++)
        step_print(&steps[i]);
    if (d->library_tree != NULL) {
        printf("  the library's tree (path, mode, owner, size, contents):\n%s", d->library_tree);
        printf("  the plain tree:\n%s", d->plain_tree);
        return;
    }
    print_answer("library", &d->library);
    print_answer("plain  ", &d->plain);
}

static void report(struct sequence *q)
{
    struct difference d;
    uint32_t n;

    printf("thread %u differs after %u operations; shrinking\n", q->number, q->difference.step);
    n = shrink(q->w, q->steps, q->difference.step);
    if (run_steps(q->w, q->steps, n, &d)) {
        printf("shrunk to %u operations:\n", n);
        print_difference(q->steps, n, &d);
    } else {
        printf("alone it does not fail; as it failed among other threads:\n");
        print_difference(q->steps, 0, &q->difference);
    }
    free_difference(&d);
}

static void *run_sequence(void *arg)
{
    struct sequence *q = arg;
    uint64_t state = q->w->seed + q->number * UINT64_C(1000003);

    for (uint32_t i = 0; i < q->n; i++)
        step_random(&q->steps[i], &state, q->w->host != NULL);
    q->failed = run_steps(q->w, q->steps, q->n, &q->difference);
    return NULL;
}

int run_sequences(struct world *w)
{
    struct sequence q[MAX_THREADS];
    pthread_t thread[MAX_THREADS];
    uint32_t n = w->threads < MAX_THREADS ? w->threads : MAX_THREADS;
    int failed = 0;

    for (uint32_t i = 0; i < n; i++) {
        q[i] = (struct sequence){.w = w, .number = i, .n = w->ops / n};
        q[i].steps = calloc(q[i].n, sizeof(struct step));
        if (q[i].steps == NULL || pthread_create(&thread[i], NULL, run_sequence, &q[i]) != 0)
            abort();
    }
    for (uint32_t i = 0; i < n; i++)
        pthread_join(thread[i], NULL);
    for (uint32_t i = 0; i < n; i++) {
        if (q[i].failed && !failed)
            report(&q[i]);
        failed |= q[i].failed;
        free_difference(&q[i].difference);
        free(q[i].steps);
    }
    if (!failed)
        printf("%u operations in %u threads: results and trees are the same\n", w->ops, n);
    return failed;
}
