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

enum { SESSIONS_MOST = 64, OPS = 2000, OPS_QUICK = 400 };

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
    uint64_t start = bench_now_ns();

    for (unsigned i = 0; i < n; i++)
        need(fsif_pread(cl, fh, s->work->buf, BENCH_SMALL,
                        (uint64_t)(i * 7919u) % (s->place->file_size / BENCH_SMALL) * BENCH_SMALL),
             "read");
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
    static const unsigned counts[] = {1, 8, SESSIONS_MOST};
    struct samples work[3] = {0}, connect[3] = {0};
    struct sessions all = {0};

    if (ours_daemon_start(s->place, "sessions", "", &all.daemon) != 0)
        bench_die("no daemon");
    grow_to(s, &all, 1);
    all.fh = fsif_open(all.cl[0], "big", FSIF_O_RDONLY, 0);
    need(all.fh, "open");
    busy(s, all.cl[0], all.fh);
    for (unsigned round = 0; round < s->rounds; round++)
        for (unsigned i = 0; i < 3; i++) {
            shrink_to(&all, 1);
            if (i > 0)
                samples_add(&connect[i], grow_to(s, &all, counts[i]));
            samples_add(&work[i], busy(s, all.cl[0], all.fh));
        }
    shrink_to(&all, 0);
    ours_daemon_stop(&all.daemon);
    for (unsigned i = 0; i < 3; i++) {
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

void scale_handles(struct scale *s)
{
    unsigned counts[] = {10, 1000, s->quick ? 10000 : 100000};
    unsigned most = most_handles(), n = 0;
    int *fh = bench_alloc(sizeof(*fh) * 100000);
    struct fsif_client *cl;
    struct ours_daemon d;

    if (ours_daemon_start(s->place, "handles", ",handles=65536", &d) != 0)
        bench_die("no daemon");
    need(ours_connect(s->place, &d, &cl), "connect");
    for (unsigned i = 0; i < 3; i++) {
        struct samples work = {0}, opening = {0};
        n = open_to(cl, fh, n, counts[i] < most ? counts[i] : most);
        if (n < counts[i] && n > 10) { /* leave room for the one that is opened below */
            need(fsif_close(cl, fh[--n]), "close");
        }
        for (unsigned round = 0; round < s->rounds; round++) {
            samples_add(&work, busy(s, cl, fh[n / 2]));
            samples_add(&opening, open_close(s, cl));
        }
        begin(s, "handles", n);
        json_samples(s->json, "ours_ns", &work);
        json_samples(s->json, "open_ns", &opening);
        json_end(s->json, '}');
    }
    fsif_disconnect(cl);
    ours_daemon_stop(&d);
    free(fh);
}

/* --- entries --- */

/* Folder data/scale with @n names; they are links of one file, which all file systems make fast.
 * Return: 0, or -EMLINK: this file system does not let a file have so many */
static int fill(struct scale *s, unsigned n)
{
    int root = open(s->place->data, O_PATH | O_DIRECTORY | O_CLOEXEC);
    char name[32];
    int err = 0;

    if (mkdirat(root, "scale", 0755) != 0 || mknodat(root, "scale-file", S_IFREG | 0644, 0) != 0)
        bench_die("scale: %s", strerror(errno));
    for (unsigned i = 0; i < n && err == 0; i++) {
        snprintf(name, sizeof(name), "scale/f%06u", i);
        if (linkat(root, "scale-file", root, name, 0) != 0)
            err = -errno;
    }
    close(root);
    return err;
}

static void clear(struct scale *s, unsigned n)
{
    int root = open(s->place->data, O_PATH | O_DIRECTORY | O_CLOEXEC);
    char name[32];

    for (unsigned i = 0; i < n; i++) {
        snprintf(name, sizeof(name), "scale/f%06u", i);
        unlinkat(root, name, 0);
    }
    unlinkat(root, "scale-file", 0);
    unlinkat(root, "scale", AT_REMOVEDIR);
    close(root);
}

/* Nanoseconds of one stat among @n names */
static double stat_some(struct scale *s, const struct target *t, unsigned n)
{
    unsigned count = ops(s);
    uint64_t start = bench_now_ns();
    char name[32];

    for (unsigned i = 0; i < count; i++) {
        snprintf(name, sizeof(name), "scale/f%06u", i * 7919u % n);
        need(t->ops->stat(t->self, name), name);
    }
    return (double)(bench_now_ns() - start) / count;
}

/* Nanoseconds for each entry of the whole list with attributes */
static double list_all(const struct target *t, unsigned n)
{
    uint64_t start = bench_now_ns();
    int64_t got = t->ops->list_attr(t->self, "scale");

    if (got != n)
        bench_die("%s lists %lld of %u entries", t->ops->name, (long long)got, n);
    return (double)(bench_now_ns() - start) / n;
}

static void measure_entries(struct scale *s, const struct target *t, unsigned n)
{
    struct samples stat_ns[2] = {0}, list_ns[2] = {0};
    unsigned rounds = n > 100000 ? 3 : s->rounds;

    for (unsigned round = 0; round < rounds; round++)
        for (unsigned i = 0; i < 2; i++) {
            samples_add(&stat_ns[i], stat_some(s, &t[i], n));
            samples_add(&list_ns[i], list_all(&t[i], n));
        }
    begin(s, "entries", n);
    json_samples(s->json, "ours_ns", &stat_ns[0]);
    json_samples(s->json, "plain_ns", &stat_ns[1]);
    json_samples(s->json, "list_ns", &list_ns[0]);
    json_samples(s->json, "list_plain_ns", &list_ns[1]);
    json_end(s->json, '}');
}

void scale_entries(struct scale *s)
{
    static const unsigned counts[] = {1000, 100000, 1000000};
    struct target t[2] = {{.ops = &bench_ours}, {.ops = &bench_plain}};

    for (unsigned i = 0; i < 2; i++)
        need(t[i].ops->start(s->place, &t[i].self), t[i].ops->name);
    for (unsigned i = 0; i < (s->quick ? 2 : 3); i++) {
        int err = fill(s, counts[i]);
        if (err == 0)
            measure_entries(s, t, counts[i]);
        clear(s, counts[i]);
        if (err != 0)
            fprintf(stderr, "fsif-bench: no folder with %u names: %s\n", counts[i], strerror(-err));
    }
    for (unsigned i = 0; i < 2; i++)
        t[i].ops->stop(t[i].self);
}
