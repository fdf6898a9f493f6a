/* SPDX-License-Identifier: MIT */

/*
 * Two stores carry out the same random calls: the posix store, in a directory of its own, and the
 * memory store; or, with a transport, one of them in this process and an export of its kind at the
 * other end of a ring. Their answers are compared after each, their trees now and then. A sequence
 * that fails is cut down: as long as a part of it can be left out and the rest fails still, on
 * fresh stores, it is left out. Exit codes: 0 the same, 1 a difference, 2 bad usage.
 */

#define _GNU_SOURCE
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <fsif/host.h>
#include <fsif/memory.h>
#include <fsif/posix.h>
#include "conformance.h"
#include "differential.h"
#include "scratch.h"
#include "stores.h"

enum { SEQUENCE = 1000, TREE_EVERY = 100, MAX_TRIALS = 3000, THREADS_MOST = 16 };

/* The two */
static const struct fsif_store_ops *one = &fsif_store_posix, *other = &fsif_store_memory;

static _Atomic uint64_t succeeded[CALLS]; /* in all sequences */
static uint32_t threads = 1;              /* each in a directory of the export of its own */

struct outcome {
    uint32_t step; /* number of the step that differs, and one */
    struct call_answer one, other;
    char *one_tree, *other_tree; /* if they differ */
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

static void probe_store(struct ability *can, const struct fsif_store_ops *ops)
{
    const struct fsif_setattr away = {.mask = FSIF_SET_UID, .uid = 12345};
    struct fsif_attr attr;
    struct side s;
    char directory[256];
    uint64_t file;

    memset(can, 0, sizeof(*can));
    scratch_make(directory, sizeof(directory));
    side_start(&s, ops, ops == &fsif_store_posix ? directory : "", can);
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

/* What both can */
static void probe(struct ability *can)
{
    struct ability too;

    probe_store(can, one);
    probe_store(&too, other);
    can->links_of_dir &= too.links_of_dir;
    can->unnamed &= too.unnamed;
    can->zero &= too.zero;
    can->punch &= too.punch;
    can->xattrs &= too.xattrs;
    can->owners &= too.owners;
    can->devices &= too.devices;
    can->modes = geteuid() == 0;
    can->texts = one->readlink != NULL && other->readlink != NULL;
    can->anything = other != &remote_store;
    can->roots = threads == 1;
}

static void print_abilities(const struct ability *can)
{
    printf("left out here:%s%s%s%s%s%s\n", can->owners ? "" : " giving files away",
           can->devices ? "" : " devices", can->xattrs ? "" : " extended attributes",
           can->zero ? "" : " zeroed ranges", can->punch ? "" : " punched holes",
           can->unnamed ? "" : " unnamed files");
    printf("members not in both stores:");
    for (uint32_t i = 0; i < CALLS; i++)
        if (!call_is_there(one, i) || !call_is_there(other, i))
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
        if (succeeded[i] == 0 && call_is_there(one, i) && call_is_there(other, i) &&
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

static void seed_links(struct side *s)
{
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
        if ((s->can->roots ||
             (links[i].target[0] != '/' && strstr(links[i].target, "..") == NULL)) &&
            s->ops->symlink(s->st, links[i].target, FSIF_STORE_ROOT, links[i].name) != 0)
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

static int compare_trees(struct side sides[2], struct outcome *o)
{
    o->one_tree = side_tree(&sides[0]);
    o->other_tree = side_tree(&sides[1]);
    if (strcmp(o->one_tree, o->other_tree) != 0)
        return 1;
    free(o->one_tree);
    free(o->other_tree);
    o->one_tree = o->other_tree = NULL;
    return 0;
}

static void start(struct side sides[2], const struct ability *can, const char *directory,
                  uint32_t thread)
{
    char own[16] = "";

    if (threads > 1)
        snprintf(own, sizeof(own), "thread-%u", thread);
    side_start(&sides[0], one, one == &fsif_store_posix ? directory : "", can);
    side_start(&sides[1], other, own, can);
    sides[1].plant = getenv("FSIF_TEST_PLANT");
    for (int i = 0; i < 2; i++) {
        seed_links(&sides[i]);
        seed_tree(&sides[i]);
    }
}

/* Run steps on fresh stores. Returns 1 if they differ. */
static int run_steps(const struct ability *can, uint32_t thread, const struct call_step *steps,
                     uint32_t n, struct outcome *o)
{
    struct side sides[2];
    char directory[256];
    int differ = 0;

    memset(o, 0, sizeof(*o));
    scratch_make(directory, sizeof(directory));
    if (chmod(directory, 0755) != 0)
        perror(directory);
    start(sides, can, directory, thread);
    for (o->step = 0; o->step < n && !differ; o->step++) {
        o->one = side_step(&sides[0], &steps[o->step]);
        o->other = side_step(&sides[1], &steps[o->step]);
        differ = o->one.value != o->other.value || strcmp(o->one.text, o->other.text) != 0;
        if (!differ && (o->step % TREE_EVERY == TREE_EVERY - 1 || o->step + 1 == n))
            differ = compare_trees(sides, o);
    }
    for (uint32_t i = 0; i < CALLS; i++)
        succeeded[i] += sides[1].succeeded[i];
    side_stop(&sides[0]);
    side_stop(&sides[1]);
    scratch_remove(directory);
    return differ;
}

static void free_outcome(struct outcome *o)
{
    free(o->one_tree);
    free(o->other_tree);
}

/* Leave out parts, from halves down to single steps. Returns how many are left. */
static uint32_t shrink(const struct ability *can, uint32_t thread, struct call_step *steps,
                       uint32_t n)
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
            if (run_steps(can, thread, trial, n - part, &o)) {
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

static void report(const struct ability *can, uint32_t thread, struct call_step *steps, uint32_t n,
                   uint64_t seed)
{
    struct outcome o;

    n = shrink(can, thread, steps, n);
    printf("differs with seed %" PRIu64 "; shrunk to %u operations:\n", seed, n);
    if (!run_steps(can, thread, steps, n, &o))
        printf("  (and not when it ran once more)\n");
    for (uint32_t i = 0; i < n; i++)
        call_print(&steps[i]);
    print_answer(one->name, &o.one);
    print_answer(other->name, &o.other);
    if (o.one_tree != NULL)
        printf("  %s:\n%s  %s:\n%s", one->name, o.one_tree, other->name, o.other_tree);
    free_outcome(&o);
}

/* Returns 1 if the stores differ. */
static int run_sequence(const struct ability *can, uint32_t thread, uint64_t seed, uint32_t n)
{
    struct call_step *steps = malloc(n * sizeof(*steps));
    uint64_t state = seed;
    struct outcome o;
    int differ;

    if (steps == NULL)
        abort();
    for (uint32_t i = 0; i < n; i++)
        call_random(&steps[i], &state, can, one, other);
    differ = run_steps(can, thread, steps, n, &o);
    if (differ)
        report(can, thread, steps, o.step, seed);
    free_outcome(&o);
    free(steps);
    return differ;
}

struct worker {
    pthread_t id;
    const struct ability *can;
    uint32_t number;
    uint64_t seed;
    uint64_t ops;
    int failed;
};

static void *work(void *arg)
{
    struct worker *w = arg;

    for (uint64_t done = 0; done < w->ops && !w->failed; done += SEQUENCE)
        w->failed = run_sequence(w->can, w->number, w->seed++, SEQUENCE);
    return NULL;
}

static int run(uint64_t seed, uint64_t ops)
{
    struct worker workers[THREADS_MOST];
    struct ability can;
    int failed = 0;

    probe(&can);
    print_abilities(&can);
    for (uint32_t i = 0; i < threads; i++) {
        workers[i] = (struct worker){
            .can = &can, .number = i, .seed = seed + i * UINT64_C(1000000), .ops = ops / threads};
        if (pthread_create(&workers[i].id, NULL, work, &workers[i]) != 0)
            abort();
    }
    for (uint32_t i = 0; i < threads; i++) {
        pthread_join(workers[i].id, NULL);
        failed |= workers[i].failed;
    }
    printf("%s\n", failed ? "they differ" : "the same");
    if (print_succeeded(&can) && !failed && ops >= 10 * SEQUENCE) {
        printf("and one of these never did\n");
        return 1;
    }
    return failed;
}

static int run_remote(struct target *t, uint64_t seed, uint64_t ops)
{
    struct context c = {0};
    int failed;

    if (target_start(t, &c) != 0)
        return 1;
    one = strcmp(t->store, "memory") == 0 ? &fsif_store_memory : &fsif_store_posix;
    other = &remote_store;
    remote_use(c.cl);
    failed = run(seed, ops);
    return target_stop(t, &c) != 0 ? 1 : failed;
}

static int usage(void)
{
    fprintf(stderr,
            "usage: stores [--seed N] [--ops N] [--transport loop|shm|xen --store posix|memory\n"
            "           [--daemon PROGRAM] [--plugins DIR] [--xen PROGRAM] [--threads N] [--queues "
            "N]]\n"
            "       stores --address ADDRESS --export NAME [...]: it is emptied\n"
            "FSIF_TEST_PLANT=write|link plants a bug, which must be found.\n");
    return 2;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"seed", required_argument, NULL, 'S'},      {"ops", required_argument, NULL, 'o'},
        {"transport", required_argument, NULL, 't'}, {"store", required_argument, NULL, 's'},
        {"daemon", required_argument, NULL, 'd'},    {"plugins", required_argument, NULL, 'p'},
        {"xen", required_argument, NULL, 'X'},       {"address", required_argument, NULL, 'a'},
        {"export", required_argument, NULL, 'e'},    {"threads", required_argument, NULL, 'n'},
        {"queues", required_argument, NULL, 'q'},    {NULL, 0, NULL, 0}};
    struct target target = {.store = "posix", .dialect = "3"};
    const char *seed = NULL, *ops = "20000", *number = "1";
    const char **place[256] = {['S'] = &seed,
                               ['o'] = &ops,
                               ['t'] = &target.transport,
                               ['s'] = &target.store,
                               ['d'] = &target.daemon,
                               ['p'] = &target.plugins,
                               ['X'] = &target.xen,
                               ['a'] = &target.address,
                               ['e'] = &target.export_name,
                               ['n'] = &number,
                               ['q'] = &target.queues};
    uint64_t first;
    int o;

    while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (o == '?')
            return usage();
        *place[o] = optarg;
    }
    if (optind != argc || (target.address != NULL && target.export_name == NULL))
        return usage();
    threads = (uint32_t)strtoul(number, NULL, 10);
    if (threads < 1 || threads > THREADS_MOST ||
        (threads > 1 && target.transport == NULL && target.address == NULL))
        return usage();
    first = seed != NULL ? strtoull(seed, NULL, 10) : fsif_now_ms();
    printf("seed %" PRIu64 "\n", first);
    umask(0);
    if (target.transport == NULL && target.address == NULL)
        return run(first, strtoull(ops, NULL, 10));
    return run_remote(&target, first, strtoull(ops, NULL, 10));
}
