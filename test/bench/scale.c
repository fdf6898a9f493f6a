/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "ours.h"
#include "scale.h"

enum { COUNTS = 3, SESSIONS_MOST = 64, OPS = 2000, OPS_QUICK = 400, WARM = 64 };

static void begin(struct scale *s, const char *what, double count)
{
    json_begin(s->json, NULL, '{');
    json_text(s->json, "what", what);
    json_text(s->json, "mode", s->mode);
    json_number(s->json, "count", count);
}

static unsigned ops(const struct scale *s)
{
    return s->quick ? OPS_QUICK : OPS;
}

static void need(int64_t value, const char *what)
{
    if (value < 0)
        bench_die("%s: %s", what, strerror((int)-value));
}

/* Nanoseconds of one 4 KiB read, mean of some hundreds */
static double busy(struct scale *s, struct fsif_client *cl, int fh)
{
    unsigned n = ops(s);
    uint64_t start = 0;

    for (unsigned i = 0; i < WARM + n; i++) {
        if (i == WARM)
            start = bench_now_ns();
        need(fsif_pread(cl, fh, s->work->buf, BENCH_SMALL,
                        (uint64_t)(i * 7919u) % (s->place->file_size / BENCH_SMALL) * BENCH_SMALL),
             "read");
    }
    return (double)(bench_now_ns() - start) / n;
}

/* --- sessions --- */

struct sessions {
    struct ours_daemon daemon;
    struct fsif_client *cl[SESSIONS_MOST];
    unsigned n;
    int fh;
};

/* Return: nanoseconds that each new one took */
static double grow_to(struct scale *s, struct sessions *all, unsigned n)
{
    uint64_t start = bench_now_ns();
    unsigned made = n - all->n;

    for (; all->n < n; all->n++)
        need(ours_connect(s->place, &all->daemon, &all->cl[all->n]), "connect");
    return made > 0 ? (double)(bench_now_ns() - start) / made : 0;
}

static void shrink_to(struct sessions *all, unsigned n)
{
    while (all->n > n)
        fsif_disconnect(all->cl[--all->n]);
}

/* The first session works, the others have nothing to do. 1, 8 and 64, alternately. */
void scale_sessions(struct scale *s)
{
    static const unsigned counts[COUNTS] = {1, 8, SESSIONS_MOST};
    struct samples work[COUNTS] = {0}, connect[COUNTS] = {0};
    struct sessions all = {0};

    if (ours_daemon_start(s->place, "sessions", "", &all.daemon) != 0)
        bench_die("no daemon");
    grow_to(s, &all, 1);
    all.fh = fsif_open(all.cl[0], "big", FSIF_O_RDONLY, 0);
    need(all.fh, "open");
    busy(s, all.cl[0], all.fh);
    for (unsigned round = 0; round < s->rounds; round++)
        for (unsigned i = 0; i < COUNTS; i++) {
            shrink_to(&all, 1);
            if (i > 0)
                samples_add(&connect[i], grow_to(s, &all, counts[i]));
            samples_add(&work[i], busy(s, all.cl[0], all.fh));
        }
    shrink_to(&all, 0);
    ours_daemon_stop(&all.daemon);
    for (unsigned i = 0; i < COUNTS; i++) {
        begin(s, "sessions", counts[i]);
        json_samples(s->json, "ours_ns", &work[i]);
        json_samples(s->json, "connect_ns", &connect[i]);
        json_end(s->json, '}');
    }
}

/* --- handles --- */

/* The most that a session is let have: the export's limit is 65536, and descriptors are another. */
static unsigned most_handles(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_max == RLIM_INFINITY)
        return 65000;
    return limit.rlim_max > 66000 ? 65000 : (unsigned)(limit.rlim_max - 1000);
}

static double open_close(struct scale *s, struct fsif_client *cl)
{
    unsigned n = ops(s);
    uint64_t start = bench_now_ns();

    for (unsigned i = 0; i < n; i++) {
        int fh = fsif_open(cl, "big", FSIF_O_RDONLY, 0);
        need(fh, "open");
        need(fsif_close(cl, fh), "close");
    }
    return (double)(bench_now_ns() - start) / n;
}

/* Open more of them. Return: how many there are, fewer where the backend has a limit of its own */
static unsigned open_to(struct fsif_client *cl, int *fh, unsigned n, unsigned most)
{
    while (n < most) {
        fh[n] = fsif_open(cl, "big", FSIF_O_RDONLY, 0);
        if (fh[n] == -FSIF_EMFILE || fh[n] == -FSIF_ENFILE)
            break;
        need(fh[n], "open");
        n++;
    }
    return n;
}

struct opened {
    struct fsif_client *cl;
    int *fh;
    unsigned n;
    struct samples work;
    struct samples opening;
};

static void open_session(struct scale *s, const struct ours_daemon *d, struct opened *o,
                         unsigned count)
{
    unsigned most = most_handles();

    o->fh = bench_alloc(sizeof(*o->fh) * count);
    need(ours_connect(s->place, d, &o->cl), "connect");
    o->n = open_to(o->cl, o->fh, 0, count < most ? count : most);
    if (o->n == 0)
        bench_die("no file could be opened");
    if (o->n < count && o->n > 1) /* leave room for the one that is opened below */
        need(fsif_close(o->cl, o->fh[--o->n]), "close");
}

/* A session for each number, taken in turn, in one worker each */
void scale_handles(struct scale *s)
{
    const unsigned counts[] = {10, 1000, s->quick ? 10000 : 100000};
    struct opened all[COUNTS] = {0};
    struct ours_daemon d;

    if (ours_daemon_start(s->place, "handles", ",handles=65536", &d) != 0)
        bench_die("no daemon");
    for (unsigned i = 0; i < COUNTS; i++)
        open_session(s, &d, &all[i], counts[i]);
    for (unsigned round = 0; round < s->rounds; round++)
        for (unsigned i = 0; i < COUNTS; i++) {
            samples_add(&all[i].work, busy(s, all[i].cl, all[i].fh[all[i].n / 2]));
            samples_add(&all[i].opening, open_close(s, all[i].cl));
        }
    for (unsigned i = 0; i < COUNTS; i++) {
        begin(s, "handles", all[i].n);
        json_samples(s->json, "ours_ns", &all[i].work);
        json_samples(s->json, "open_ns", &all[i].opening);
        json_end(s->json, '}');
        fsif_disconnect(all[i].cl);
        free(all[i].fh);
    }
    ours_daemon_stop(&d);
}

/* --- entries --- */

struct folder {
    char name[32];
    unsigned n;
    struct samples stat_ns[2]; /* ours, plain */
    struct samples list_ns[2];
};

/* @n names, links of one file, which all file systems make fast. Return: 0; -EMLINK: this file
 * system does not let a file have so many */
static int fill(struct scale *s, struct folder *f, unsigned n)
{
    int root = open(s->place->data, O_PATH | O_DIRECTORY | O_CLOEXEC);
    char name[64];
    int err = 0;

    snprintf(f->name, sizeof(f->name), "scale%u", n);
    if (mkdirat(root, f->name, 0755) != 0 ||
        (mknodat(root, "scale-file", S_IFREG | 0644, 0) != 0 && errno != EEXIST))
        bench_die("%s: %s", f->name, strerror(errno));
    for (f->n = 0; f->n < n && err == 0; f->n++) {
        snprintf(name, sizeof(name), "%s/f%06u", f->name, f->n);
        if (linkat(root, "scale-file", root, name, 0) != 0)
            err = -errno;
    }
    close(root);
    return err;
}

static void clear(struct scale *s, const struct folder *f)
{
    int root = open(s->place->data, O_PATH | O_DIRECTORY | O_CLOEXEC);
    char name[64];

    for (unsigned i = 0; i < f->n; i++) {
        snprintf(name, sizeof(name), "%s/f%06u", f->name, i);
        unlinkat(root, name, 0);
    }
    unlinkat(root, "scale-file", 0);
    unlinkat(root, f->name, AT_REMOVEDIR);
    close(root);
}

/* Nanoseconds of one stat */
static double stat_some(struct scale *s, const struct target *t, const struct folder *f)
{
    unsigned count = ops(s);
    uint64_t start = bench_now_ns();
    char name[64];

    for (unsigned i = 0; i < count; i++) {
        snprintf(name, sizeof(name), "%s/f%06u", f->name, (unsigned)(i * UINT64_C(7919) % f->n));
        need(t->ops->stat(t->self, name), name);
    }
    return (double)(bench_now_ns() - start) / count;
}

/* Nanoseconds for each entry of the whole list with attributes */
static double list_all(const struct target *t, const struct folder *f)
{
    uint64_t start = bench_now_ns();
    int64_t got = t->ops->list_attr(t->self, f->name);

    if (got != f->n)
        bench_die("%s lists %lld of %u entries", t->ops->name, (long long)got, f->n);
    return (double)(bench_now_ns() - start) / f->n;
}

static void write_folder(struct scale *s, const struct folder *f)
{
    begin(s, "entries", f->n);
    json_samples(s->json, "ours_ns", &f->stat_ns[0]);
    json_samples(s->json, "plain_ns", &f->stat_ns[1]);
    json_samples(s->json, "list_ns", &f->list_ns[0]);
    json_samples(s->json, "list_plain_ns", &f->list_ns[1]);
    json_end(s->json, '}');
}

/* All folders are there at once and are taken in turn. */
void scale_entries(struct scale *s)
{
    static const unsigned counts[COUNTS] = {1000, 100000, 1000000};
    struct target t[2] = {{.ops = &bench_ours}, {.ops = &bench_plain}};
    struct folder all[COUNTS] = {0};
    unsigned n = 0, most = s->quick ? COUNTS - 1 : COUNTS;

    for (unsigned k = 0; k < 2; k++)
        need(t[k].ops->start(s->place, &t[k].self), t[k].ops->name);
    for (int err = 0; n < most && err == 0; n += err == 0) {
        err = fill(s, &all[n], counts[n]);
        if (err == 0)
            continue;
        fprintf(stderr, "fsif-bench: no folder with %u names: %s\n", counts[n], strerror(-err));
        clear(s, &all[n]);
    }
    for (unsigned round = 0; round < s->rounds; round++)
        for (unsigned i = 0; i < n; i++)
            for (unsigned k = 0; k < 2; k++) {
                samples_add(&all[i].stat_ns[k], stat_some(s, &t[k], &all[i]));
                samples_add(&all[i].list_ns[k], list_all(&t[k], &all[i]));
            }
    for (unsigned i = 0; i < n; i++) {
        write_folder(s, &all[i]);
        clear(s, &all[i]);
    }
    for (unsigned k = 0; k < 2; k++)
        t[k].ops->stop(t[k].self);
}
