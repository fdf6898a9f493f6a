/* SPDX-License-Identifier: MIT */

/*
 * The posix store, in a directory of its own, and the memory store carry out the same random calls.
 * Their answers are compared after each, their trees now and then. A sequence that fails is cut
 * down: as long as a part of it can be left out and the rest fails still, on fresh stores, it is
 * left out. Exit codes: 0 the same, 1 a difference, 2 bad usage.
 */

#define _GNU_SOURCE
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <fsif/host.h>
#include <fsif/memory.h>
#include <fsif/posix.h>
#include "differential.h"
#include "scratch.h"
#include "stores.h"

enum { SEQUENCE = 1000, TREE_EVERY = 100, MAX_TRIALS = 3000 };

#define POSIX (&fsif_store_posix)
#define MEMORY (&fsif_store_memory)

static uint64_t succeeded[CALLS]; /* in all sequences */

struct outcome {
    uint32_t step; /* number of the step that differs, and one */
    struct call_answer posix, memory;
    char *posix_tree, *memory_tree; /* if they differ */
};

/* --- what this machine can do ---------------------------------------------------------------- */

static uint64_t opened(struct side *s, const char *path, uint32_t flags)
{
    uint64_t file = FSIF_STORE_ROOT;
    int err = s->ops->open(s->st, FSIF_STORE_ROOT, path, flags, 0644, &file, NULL);

    return err == 0 ? file : FSIF_STORE_ROOT;
}

static void probe_file(struct side *s, struct ability *can, uint64_t file)
{
    const uint32_t keep = FSIF_ALLOCATE_KEEP_SIZE;

    can->zero =
        s->ops->allocate != NULL && s->ops->allocate(s->st, file, FSIF_ALLOCATE_ZERO, 0, 4096) == 0;
    can->punch = s->ops->allocate != NULL &&
                 s->ops->allocate(s->st, file, FSIF_ALLOCATE_PUNCH | keep, 0, 4096) == 0;
    can->xattrs =
        s->ops->setxattr != NULL && s->ops->setxattr(s->st, file, "", "user.probe", 0, "x", 1) == 0;
}

static void probe(struct ability *can)
{
    const struct fsif_setattr away = {.mask = FSIF_SET_UID, .uid = 12345};
    struct fsif_attr attr;
    struct side s;
    char directory[256];
    uint64_t file;

    memset(can, 0, sizeof(*can));
    scratch_make(directory, sizeof(directory));
    side_start(&s, POSIX, directory, can);
    can->modes = geteuid() == 0;
    can->texts = POSIX->readlink != NULL && MEMORY->readlink != NULL;
    can->links_of_dir = s.ops->stat(s.st, FSIF_STORE_ROOT, "", 0, &attr) == 0 && attr.nlink == 2;
    can->unnamed = (file = opened(&s, ".", FSIF_O_TMPFILE | FSIF_O_RDWR)) != FSIF_STORE_ROOT;
    if (can->unnamed)
        s.ops->close(s.st, file);
    file = opened(&s, "f", FSIF_O_CREAT | FSIF_O_RDWR);
    probe_file(&s, can, file);
    can->owners = s.ops->setattr(s.st, file, "", 0, &away) == 0;
    can->devices = s.ops->mknod != NULL && s.ops->mknod(s.st, FSIF_STORE_ROOT, "c",
                                                        FSIF_S_IFCHR | 0600, FSIF_RDEV(1, 3)) == 0;
    s.ops->close(s.st, file);
    side_stop(&s);
    scratch_remove(directory);
}

static void print_abilities(const struct ability *can)
{
    printf("left out here:%s%s%s%s%s%s\n", can->owners ? "" : " giving files away",
           can->devices ? "" : " devices", can->xattrs ? "" : " extended attributes",
           can->zero ? "" : " zeroed ranges", can->punch ? "" : " punched holes",
           can->unnamed ? "" : " unnamed files");
    printf("members not in both stores:");
    for (uint32_t i = 0; i < CALLS; i++)
        if (!call_is_there(POSIX, i) || !call_is_there(MEMORY, i))
            printf(" %s", call_name(i));
    printf("\n");
}

/* A call that never succeeds was not tested. Returns 1 if there is one. */
static int print_succeeded(const struct ability *can)
{
    int never = 0;

    printf("succeeded:");
    for (uint32_t i = 0; i < CALLS; i++) {
        printf(" %s %" PRIu64, call_name(i), succeeded[i]);
        if (succeeded[i] == 0 && call_is_there(POSIX, i) && call_is_there(MEMORY, i) &&
            (can->xattrs || i < CALL_GETXATTR || i > CALL_REMOVEXATTR))
            never = 1;
    }
    printf("\n");
    return never;
}

/* --- sequences ------------------------------------------------------------------------------- */

/* The links that sequences begin with */
static const struct {
    const char *name, *target;
} links[] = {{"to-a", "a"},    {"to-ab", "a/b"}, {"dangling", "c/nothing"},
             {"loop", "loop"}, {"up", "a/../d"}, {"root", "/"}};

static void seed_posix(const char *directory)
{
    int dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
        if (symlinkat(links[i].target, dir, links[i].name) != 0)
            perror(links[i].name);
    if (fchmod(dir, 0755) != 0)
        perror(directory);
    close(dir);
}

static void seed_memory(struct side *s)
{
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
        if (s->ops->symlink(s->st, links[i].target, FSIF_STORE_ROOT, links[i].name) != 0)
            abort();
}

/* The directories and files that they begin with */
static void seed_tree(struct side *s)
{
    static const char *const directories[] = {"a", "a/b", "d", "d/a", "d/a/d"};
    static const char *const files[] = {"c", "a/c", "a/b/c", "d/b"};

    for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++)
        if (s->ops->mkdir(s->st, FSIF_STORE_ROOT, directories[i], 0755) != 0)
            abort();
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        uint64_t file = opened(s, files[i], FSIF_O_CREAT | FSIF_O_RDWR);
        if (file == FSIF_STORE_ROOT)
            abort();
        s->ops->close(s->st, file);
    }
}

static int compare_trees(struct side *posix, struct side *memory, struct outcome *o)
{
    o->posix_tree = side_tree(posix);
    o->memory_tree = side_tree(memory);
    if (strcmp(o->posix_tree, o->memory_tree) != 0)
        return 1;
    free(o->posix_tree);
    free(o->memory_tree);
    o->posix_tree = o->memory_tree = NULL;
    return 0;
}

/* Run steps on fresh stores. Returns 1 if they differ. */
static int run_steps(const struct ability *can, const struct call_step *steps, uint32_t n,
                     struct outcome *o)
{
    struct side posix, memory;
    char directory[256];
    int differ = 0;

    memset(o, 0, sizeof(*o));
    scratch_make(directory, sizeof(directory));
    side_start(&posix, POSIX, directory, can);
    side_start(&memory, MEMORY, "", can);
    memory.plant = getenv("FSIF_TEST_PLANT");
    seed_posix(directory);
    seed_memory(&memory);
    seed_tree(&posix);
    seed_tree(&memory);
    for (o->step = 0; o->step < n && !differ; o->step++) {
        o->posix = side_step(&posix, &steps[o->step]);
        o->memory = side_step(&memory, &steps[o->step]);
        differ = o->posix.value != o->memory.value || strcmp(o->posix.text, o->memory.text) != 0;
        if (!differ && (o->step % TREE_EVERY == TREE_EVERY - 1 || o->step + 1 == n))
            differ = compare_trees(&posix, &memory, o);
    }
    for (uint32_t i = 0; i < CALLS; i++)
        succeeded[i] += memory.succeeded[i];
    side_stop(&posix);
    side_stop(&memory);
    scratch_remove(directory);
    return differ;
}

static void free_outcome(struct outcome *o)
{
    free(o->posix_tree);
    free(o->memory_tree);
}

/* Leave out parts, from halves down to single steps. Returns how many are left. */
static uint32_t shrink(const struct ability *can, struct call_step *steps, uint32_t n)
{
    struct call_step *trial = malloc(n * sizeof(*trial));
    uint32_t trials = 0;

    if (trial == NULL)
        abort();
    for (uint32_t part = n / 2 > 0 ? n / 2 : 1; part > 0; part /= 2) {
        for (uint32_t from = 0; from + part <= n && n > part && trials < MAX_TRIALS; trials++) {
            struct outcome o;

            memcpy(trial, steps, from * sizeof(*trial));
            memcpy(trial + from, steps + from + part, (n - from - part) * sizeof(*trial));
            if (run_steps(can, trial, n - part, &o)) {
                n = o.step;
                memcpy(steps, trial, n * sizeof(*trial));
            } else {
                from += part;
            }
            free_outcome(&o);
        }
    }
    free(trial);
    return n;
}

static void print_answer(const char *side, const struct call_answer *a)
{
    printf("  %s: %" PRId64, side, a->value);
    if (a->value < 0)
        printf(" (%s)", fsif_strerror((int)a->value));
    printf(" %s\n", a->text);
}

static void report(const struct ability *can, struct call_step *steps, uint32_t n, uint64_t seed)
{
    struct outcome o;

    n = shrink(can, steps, n);
    printf("differs with seed %" PRIu64 "; shrunk to %u operations:\n", seed, n);
    if (!run_steps(can, steps, n, &o))
        printf("  (and not when it ran once more)\n");
    for (uint32_t i = 0; i < n; i++)
        call_print(&steps[i]);
    print_answer("posix", &o.posix);
    print_answer("memory", &o.memory);
    if (o.posix_tree != NULL)
        printf("  posix:\n%s  memory:\n%s", o.posix_tree, o.memory_tree);
    free_outcome(&o);
}

/* Returns 1 if the stores differ. */
static int run_sequence(const struct ability *can, uint64_t seed, uint32_t n)
{
    struct call_step *steps = malloc(n * sizeof(*steps));
    uint64_t state = seed;
    struct outcome o;
    int differ;

    if (steps == NULL)
        abort();
    for (uint32_t i = 0; i < n; i++)
        call_random(&steps[i], &state, can, POSIX, MEMORY);
    differ = run_steps(can, steps, n, &o);
    if (differ)
        report(can, steps, o.step, seed);
    free_outcome(&o);
    free(steps);
    return differ;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"seed", required_argument, NULL, 'S'},
                                            {"ops", required_argument, NULL, 'o'},
                                            {NULL, 0, NULL, 0}};
    uint64_t seed = fsif_now_ms(), ops = 20000;
    struct ability can;
    int o, failed = 0;

    while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (o == '?') {
            fprintf(stderr, "usage: stores [--seed N] [--ops N]\n"
                            "FSIF_TEST_PLANT=write plants a bug, which must be found.\n");
            return 2;
        }
        *(o == 'S' ? &seed : &ops) = strtoull(optarg, NULL, 10);
    }
    printf("seed %" PRIu64 "\n", seed);
    umask(0);
    probe(&can);
    print_abilities(&can);
    for (uint64_t done = 0; done < ops && !failed; done += SEQUENCE)
        failed = run_sequence(&can, seed++, SEQUENCE);
    printf("%s\n", failed ? "they differ" : "the same");
    if (print_succeeded(&can) && !failed) {
        printf("and one of these never did\n");
        return 1;
    }
    return failed;
}
