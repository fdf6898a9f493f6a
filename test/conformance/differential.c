/* SPDX-License-Identifier: MIT */

/* The differential test's program. Exit codes: 0 the same, 1 a difference, 2 bad usage. */

#define _GNU_SOURCE
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <fsif/host.h>
#include "conformance.h"
#include "differential.h"
#include "scratch.h"

static int usage(void)
{
    fprintf(stderr,
            "usage: differential --transport loop|shm|xen --store posix|memory [--daemon PROGRAM]\n"
            "           [--plugins DIR] [--xen PROGRAM] [--seed N] [--ops N] [--threads N]\n"
            "           [--dialect 1|2|3] [--queues N] [--shared [--rounds N]]\n"
            "       differential --address ADDRESS --export NAME [...]\n"
            "FSIF_TEST_PLANT=chmod|truncate|mkdir plants a bug, which must be found.\n");
    return 2;
}

static int run(struct target *t, struct world *w, int shared)
{
    struct context c = {0};
    char twin[256];
    int failed;

    if (target_start(t, &c) != 0)
        return 1;
    failed = shared && target_shares(t) && target_another(t, 0, &w->other) != 0;
    scratch_make(twin, sizeof(twin));
    w->cl = c.cl;
    w->host = c.host;
    w->twin = twin;
    if (!failed)
        failed = shared ? run_races(w) : run_sequences(w);
    fsif_disconnect(w->other);
    scratch_remove(twin);
    if (target_stop(t, &c) != 0)
        failed = 1;
    return failed;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"transport", required_argument, NULL, 't'},
        {"store", required_argument, NULL, 's'},
        {"daemon", required_argument, NULL, 'd'},
        {"plugins", required_argument, NULL, 'p'},
        {"seed", required_argument, NULL, 'S'},
        {"ops", required_argument, NULL, 'o'},
        {"threads", required_argument, NULL, 'n'},
        {"rounds", required_argument, NULL, 'r'},
        {"shared", no_argument, NULL, 'x'},
        {"xen", required_argument, NULL, 'X'},
        {"address", required_argument, NULL, 'a'},
        {"export", required_argument, NULL, 'e'},
        {"dialect", required_argument, NULL, 'D'},
        {"queues", required_argument, NULL, 'q'},
        {NULL, 0, NULL, 0},
    };
    struct target target = {.store = "posix"};
    const char *seed = NULL, *ops = "4000", *threads = "1", *rounds = "2000", *shared = NULL;
    const char **place[256] = {['t'] = &target.transport,
                               ['s'] = &target.store,
                               ['d'] = &target.daemon,
                               ['p'] = &target.plugins,
                               ['S'] = &seed,
                               ['o'] = &ops,
                               ['n'] = &threads,
                               ['r'] = &rounds,
                               ['X'] = &target.xen,
                               ['a'] = &target.address,
                               ['e'] = &target.export_name,
                               ['D'] = &target.dialect,
                               ['q'] = &target.queues};
    struct world w = {.plant = getenv("FSIF_TEST_PLANT")};
    int o;

    while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (o == '?')
            return usage();
        if (o == 'x')
            shared = "";
        else
            *place[o] = optarg;
    }
    w.ops = (uint32_t)strtoul(ops, NULL, 10);
    w.threads = (uint32_t)strtoul(threads, NULL, 10);
    w.rounds = (uint32_t)strtoul(rounds, NULL, 10);
    if (optind != argc || (target.transport == NULL) == (target.address == NULL) ||
        (target.address != NULL && target.export_name == NULL) || w.threads == 0 ||
        w.ops < w.threads)
        return usage();
    w.seed = seed != NULL ? strtoull(seed, NULL, 10) : fsif_now_ms();
    printf("seed %" PRIu64 "\n", w.seed);
    /* Both sides make files with exactly the modes that are asked for. */
    umask(0);
    return run(&target, &w, shared != NULL);
}
