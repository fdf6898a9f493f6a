/* SPDX-License-Identifier: MIT */
/*
 * fsif-bench: the same work through all targets, interleaved, in one run; the samples go to a JSON
 * file. In a round each row is taken through each target, one after the other, so that what the
 * machine does meanwhile hits all of them alike. run.sh calls it and report.py reads what it wrote.
 */
#define _GNU_SOURCE
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "ours.h"
#include "results.h"
#include "rows.h"
#include "scale.h"

enum { SLOW_NS = 200000000, SLOW_ROUNDS = 3, ROWS_MOST = 32, READ_BEFORE = 4 };

/* references and ours first: they are never left out */
static const struct bench_ops *const all_targets[] = {
    &bench_plain, &bench_confined, &bench_ours, &bench_virtiofsd, &bench_virtiofsd_spin,
    &bench_fuse,  &bench_diod,     &bench_sftp, &bench_ganesha,
};
enum { REFERENCES = 2, OWN = 3, TARGETS = sizeof(all_targets) / sizeof(all_targets[0]) };
_Static_assert(TARGETS <= RESULTS_TARGETS, "targets");

struct options {
    struct bench_place place;
    const char *json;
    const char *modes;
    const char *rows;   /* "": all */
    char *const *peers; /* those that are wanted; none: all */
    int npeers;
    unsigned rounds;
    int quick;
    int extras;
};

struct run {
    const struct options *o;
    struct bench_place place;
    struct work work;
    struct json json;
    struct target targets[TARGETS];
    int runs[TARGETS];
    char why[TARGETS][256]; /* why it does not */
    struct samples samples[ROWS_MOST][TARGETS];
    int slow[ROWS_MOST][TARGETS];
};

static int listed(const char *list, const char *word)
{
    size_t len = strlen(word);

    for (const char *at = list; (at = strstr(at, word)) != NULL; at += len)
        if ((at == list || at[-1] == ',') && (at[len] == '\0' || at[len] == ','))
            return 1;
    return list[0] == '\0';
}

static int wanted(const struct options *o, const struct bench_ops *ops)
{
    for (int i = 0; i < o->npeers; i++)
        if (strcmp(o->peers[i], ops->name) == 0)
            return 1;
    return o->npeers == 0;
}

static void start_targets(struct run *r)
{
    for (unsigned i = 0; i < TARGETS; i++) {
        struct target *t = &r->targets[i];
        int err;

        t->ops = all_targets[i];
        r->runs[i] = 0;
        snprintf(r->why[i], sizeof(r->why[i]), "not asked for");
        if (i >= OWN && !wanted(r->o, t->ops))
            continue;
        err = t->ops->start(&r->place, &t->self);
        if (err < 0)
            bench_die("%s: %s", t->ops->name, strerror(-err));
        if (err == BENCH_DONE)
            snprintf(r->why[i], sizeof(r->why[i]), "%s", r->place.why);
        r->runs[i] = err == 0;
    }
}

static void stop_targets(struct run *r)
{
    for (unsigned i = 0; i < TARGETS; i++)
        if (r->runs[i])
            r->targets[i].ops->stop(r->targets[i].self);
}

/* The cores of a machine that others use too are not equally fast: what the servers do is compared
 * with the same work on their core. */
static void sample(struct run *r, unsigned row, unsigned target)
{
    const struct row *work = &bench_rows[row];
    uint64_t start;
    double ns;

    bench_pin(target < REFERENCES ? r->place.server_cpu : r->place.client_cpu);
    start = bench_now_ns();
    ns = bench_sample(&r->work, work, &r->targets[target]);

    if (ns >= 0)
        samples_add(&r->samples[row][target], ns);
    else
        r->slow[row][target] = SLOW_ROUNDS; /* it cannot: never again */
    if (bench_now_ns() - start > SLOW_NS)
        r->slow[row][target]++;
}

/* What has been read a few times is read faster, by the kernels' caches and by those that map
 * files. The rows are of what has been read: the same for all. */
static void read_before(struct run *r)
{
    for (unsigned i = 0; i < TARGETS; i++)
        for (unsigned pass = 0; r->runs[i] && pass < READ_BEFORE; pass++)
            for (uint64_t off = 0; off < r->place.file_size; off += BENCH_BIG)
                if (r->targets[i].ops->read(r->targets[i].self, r->work.buf, BENCH_BIG, off) !=
                    BENCH_BIG)
                    bench_die("%s: big cannot be read", r->targets[i].ops->name);
}

static void rounds(struct run *r, const char *mode)
{
    memset(r->samples, 0, sizeof(r->samples));
    memset(r->slow, 0, sizeof(r->slow));
    for (unsigned round = 0; round < r->o->rounds; round++) {
        fprintf(stderr, "mode %s, round %u of %u\n", mode, round + 1, r->o->rounds);
        for (unsigned row = 0; row < bench_nrows; row++) {
            if (!listed(r->o->rows, bench_rows[row].id) && row > 0)
                continue;
            for (unsigned i = 0; i < TARGETS; i++)
                if (r->runs[i] && r->slow[row][i] < SLOW_ROUNDS &&
                    bench_rows[row].can(r->targets[i].ops))
                    sample(r, row, i);
        }
    }
}

static void write_row(struct run *r, unsigned row, const char *mode)
{
    static const char *const keys[OWN] = {"plain_ns", "confined_ns", "ours_ns"};

    json_begin(&r->json, NULL, '{');
    json_text(&r->json, "row", bench_rows[row].id);
    json_text(&r->json, "title", bench_rows[row].title);
    json_text(&r->json, "mode", mode);
    json_number(&r->json, "bytes", (double)bench_rows[row].bytes);
    for (unsigned i = 0; i < OWN; i++)
        json_samples(&r->json, keys[i], &r->samples[row][i]);
    json_samples(&r->json, "null_ns", &r->samples[0][OWN - 1]);
    json_begin(&r->json, "peer_ns", '{');
    for (unsigned i = OWN; i < TARGETS; i++)
        if (r->samples[row][i].n > 0)
            json_samples(&r->json, all_targets[i]->name, &r->samples[row][i]);
    json_end(&r->json, '}');
    json_end(&r->json, '}');
}

static void write_skips(struct run *r, const char *mode)
{
    for (unsigned i = OWN; i < TARGETS; i++) {
        if (r->runs[i])
            continue;
        json_begin(&r->json, NULL, '{');
        json_text(&r->json, "target", all_targets[i]->name);
        json_text(&r->json, "mode", mode);
        json_text(&r->json, "why", r->why[i]);
        json_end(&r->json, '}');
    }
}

/* The first two cpus that this process may use; the second is the first where there is only one. */
static int two_cpus(int cpu[2])
{
    cpu_set_t set;
    int found = 0;

    if (sched_getaffinity(0, sizeof(set), &set) != 0)
        bench_die("no affinity");
    for (int i = 0; i < CPU_SETSIZE && found < 2; i++)
        if (CPU_ISSET((size_t)i, &set))
            cpu[found++] = i;
    if (found == 1)
        cpu[1] = cpu[0];
    return found;
}

static void one_mode(struct run *r, char letter, const int cpu[2])
{
    const char mode[2] = {letter, '\0'};
    struct scale s = {
        .work = &r->work,
        .place = &r->place,
        .json = &r->json,
        .mode = mode,
        .quick = r->o->quick,
        .rounds = r->o->quick ? 3 : 5,
    };

    r->place.client_cpu = letter == 'U' ? BENCH_ANY_CPU : cpu[0];
    r->place.server_cpu = letter == 'X' ? cpu[1] : r->place.client_cpu;
    bench_pin(r->place.client_cpu);
    start_targets(r);
    read_before(r);
    rounds(r, mode);
    stop_targets(r);
    json_begin(&r->json, NULL, '{');
    json_text(&r->json, "mode", mode);
    json_begin(&r->json, "skipped", '[');
    write_skips(r, mode);
    json_end(&r->json, ']');
    json_begin(&r->json, "rows", '[');
    for (unsigned row = 0; row < bench_nrows; row++)
        if (row == 0 || listed(r->o->rows, bench_rows[row].id))
            write_row(r, row, mode);
    json_end(&r->json, ']');
    json_begin(&r->json, "extra", '[');
    if (r->o->extras && letter != 'U') {
        fprintf(stderr, "mode %s, silence, sessions, handles, entries\n", mode);
        scale_silence(&s);
        scale_sessions(&s);
        scale_handles(&s);
        scale_entries(&s);
    }
    json_end(&r->json, ']');
    json_end(&r->json, '}');
}

static void run_all(const struct options *o)
{
    struct run *r = bench_alloc(sizeof(*r));
    int cpu[2], cpus = two_cpus(cpu);

    r->o = o;
    r->place = o->place;
    r->work = (struct work){.place = &r->place, .random = 88172645463325252u};
    r->work.budget_ns = o->quick ? 2000000 : 6000000;
    r->work.buf = aligned_alloc(4096, BENCH_BIG);
    if (r->work.buf == NULL)
        bench_die("no memory");
    memset(r->work.buf, 'b', BENCH_BIG);
    bench_files(&r->place);
    json_open(&r->json, o->json);
    json_begin(&r->json, NULL, '{');
    json_number(&r->json, "quick", o->quick);
    json_number(&r->json, "rounds", o->rounds);
    json_number(&r->json, "names", r->place.names);
    json_number(&r->json, "file_bytes", (double)r->place.file_size);
    json_begin(&r->json, "modes", '[');
    for (const char *m = o->modes; *m != '\0'; m++) {
        if (*m != 'S' && cpus < 2)
            fprintf(stderr, "fsif-bench: mode %c left out: this process may use one cpu only\n",
                    *m);
        else
            one_mode(r, *m, cpu);
    }
    json_end(&r->json, ']');
    json_number(&r->json, "dialect", ours_dialect());
    json_end(&r->json, '}');
    json_close(&r->json);
    free(r->work.buf);
    free(r);
}

/* --- the command line --- */

static const struct option longs[] = {
    {"dir", required_argument, NULL, 'd'},       {"backend", required_argument, NULL, 'b'},
    {"virtiofsd", required_argument, NULL, 'v'}, {"fuse-ll", required_argument, NULL, 'l'},
    {"fuse-fh", required_argument, NULL, 'f'},   {"diod", required_argument, NULL, 'i'},
    {"sftp", required_argument, NULL, 's'},      {"ganesha", required_argument, NULL, 'g'},
    {"json", required_argument, NULL, 'j'},      {"modes", required_argument, NULL, 'm'},
    {"rows", required_argument, NULL, 'r'},      {"rounds", required_argument, NULL, 'n'},
    {"quick", no_argument, NULL, 'q'},           {"no-extras", no_argument, NULL, 'x'},
    {"spin-us", required_argument, NULL, 'u'},   {NULL, 0, NULL, 0},
};

static const char usage[] =
    "usage: fsif-bench --dir DIR --backend PROGRAM --json FILE [--virtiofsd PROGRAM]\n"
    "    [--fuse-ll PROGRAM --fuse-fh PROGRAM] [--diod PROGRAM] [--sftp PROGRAM]\n"
    "    [--ganesha PROGRAM] [--modes SXU] [--rows ID,...] [--rounds 1..64] [--quick]\n"
    "    [--no-extras] [--spin-us N] [PEER...]\n"
    "DIR is an empty folder, best on tmpfs. run.sh fills all of this in.\n";

static void take_option(struct options *o, int c)
{
    switch (c) {
    case 'd':
        o->place.dir = optarg;
        break;
    case 'b':
        o->place.backend = optarg;
        break;
    case 'v':
        o->place.virtiofsd = optarg;
        break;
    case 'l':
        o->place.fuse_ll = optarg;
        break;
    case 'f':
        o->place.fuse_fh = optarg;
        break;
    case 'i':
        o->place.diod = optarg;
        break;
    case 's':
        o->place.sftp = optarg;
        break;
    case 'g':
        o->place.ganesha = optarg;
        break;
    case 'j':
        o->json = optarg;
        break;
    case 'm':
        o->modes = optarg;
        break;
    case 'r':
        o->rows = optarg;
        break;
    case 'n':
        o->rounds = (unsigned)strtoul(optarg, NULL, 10);
        break;
    case 'u':
        o->place.spin_us = (unsigned)strtoul(optarg, NULL, 10);
        break;
    case 'q':
        o->quick = 1;
        break;
    case 'x':
        o->extras = 0;
        break;
    default:
        fputs(usage, stderr);
        exit(2);
    }
}

static void check_words(const struct options *o)
{
    for (int i = 0; i < o->npeers; i++) {
        unsigned known = 0;
        for (unsigned k = OWN; k < TARGETS; k++)
            known += strcmp(o->peers[i], all_targets[k]->name) == 0;
        if (known == 0)
            bench_die("no peer '%s'; there are virtiofsd, virtiofsd-spin, fuse, diod, sftp-server, "
                      "ganesha",
                      o->peers[i]);
    }
    if (o->modes[strspn(o->modes, "SXU")] != '\0')
        bench_die("modes are S, X and U");
}

int main(int argc, char **argv)
{
    struct options o = {.modes = NULL, .rows = "", .extras = 1, .place = {.spin_us = UINT32_MAX}};
    char data[BENCH_PATH];
    int c;

    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1)
        take_option(&o, c);
    o.peers = argv + optind;
    o.npeers = argc - optind;
    if (o.modes == NULL)
        o.modes = o.quick ? "SX" : "SXU";
    if (o.rounds == 0)
        o.rounds = o.quick ? 5 : 21;
    if (o.place.dir == NULL || o.place.backend == NULL || o.json == NULL ||
        o.rounds > RESULTS_ROUNDS) {
        fputs(usage, stderr);
        return 2;
    }
    check_words(&o);
    umask(022);
    snprintf(data, sizeof(data), "%s/data", o.place.dir);
    if (mkdir(data, 0755) != 0)
        bench_die("%s: it is not empty", o.place.dir);
    o.place.data = data;
    o.place.file_size = (o.quick ? 32u : 256u) * (uint64_t)BENCH_BIG;
    o.place.names = o.quick ? 2000 : 10000;
    o.place.smalls = 1000;
    run_all(&o);
    return 0;
}
