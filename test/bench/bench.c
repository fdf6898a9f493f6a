/* SPDX-License-Identifier: MIT */
/*
 * The same work through libfsif and through plain system calls on the same directory, interleaved,
 * in one run. Prints medians, their spread and the ratio; --json prints the same for machines.
 *
 * usage: fsif-bench ADDRESS EXPORT HOSTDIR [--json] [--rounds N]
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <fsif/client.h>
#include <fsif/host.h>
#include <fsif/shm.h>

#define FILE_SIZE (64u << 20)
#define BIG (1u << 20)
#define ENTRIES 2000
#define MAX_ROUNDS 101
#define DEPTH 32

struct bench {
    struct fsif_client *cl;
    const char *dir;
    char path[4096];
    int fd; /* the big file, plain */
    int fh; /* and through libfsif */
    unsigned char *buf;
    uint64_t random;
};

static void die(const char *what, int64_t error)
{
    fprintf(stderr, "fsif-bench: %s: %s\n", what, fsif_strerror((int)error));
    exit(1);
}

static void need(int64_t value, const char *what)
{
    if (value < 0)
        die(what, value);
}

static void need_plain(int64_t value, const char *what)
{
    if (value < 0)
        die(what, -fsif_errno_from_host(errno));
}

static const char *host_path(struct bench *b, const char *name)
{
    snprintf(b->path, sizeof(b->path), "%s/%s", b->dir, name);
    return b->path;
}

static uint64_t random_page(struct bench *b)
{
    b->random ^= b->random << 13;
    b->random ^= b->random >> 7;
    b->random ^= b->random << 17;
    return b->random % (FILE_SIZE / FSIF_PAGE_SIZE) * FSIF_PAGE_SIZE;
}

/* --- one operation each, through libfsif and plain ---------------------------------------------
 */

static void read_fsif(struct bench *b)
{
    need(fsif_pread(b->cl, b->fh, b->buf, 4096, random_page(b)), "read");
}

static void read_plain(struct bench *b)
{
    need_plain(pread(b->fd, b->buf, 4096, (off_t)random_page(b)), "read");
}

static void count_down(struct fsif_call *call)
{
    --*(int *)call->arg;
}

/* DEPTH reads under way at once. */
static void deep_fsif(struct bench *b)
{
    static struct fsif_call calls[DEPTH];
    int left = DEPTH;

    for (int i = 0; i < DEPTH; i++) {
        memset(&calls[i], 0, sizeof(calls[i]));
        calls[i].op.type = FSIF_OP_READ;
        calls[i].op.handle = (uint32_t)b->fh;
        calls[i].op.offset = random_page(b);
        calls[i].op.length = 4096;
        calls[i].op.buffer = b->buf + (size_t)i * 4096;
        calls[i].deadline = FSIF_NEVER;
        calls[i].done = count_down;
        calls[i].arg = &left;
        need(fsif_submit(b->cl, &calls[i]), "submit");
    }
    while (left > 0)
        need(fsif_poll(b->cl, -1), "poll");
}

static void deep_plain(struct bench *b)
{
    for (int i = 0; i < DEPTH; i++)
        need_plain(pread(b->fd, b->buf + (size_t)i * 4096, 4096, (off_t)random_page(b)), "read");
}

static uint64_t big_offset(struct bench *b)
{
    return random_page(b) / BIG * BIG;
}

static void big_read_fsif(struct bench *b)
{
    need(fsif_pread(b->cl, b->fh, b->buf, BIG, big_offset(b)), "read");
}

static void big_read_plain(struct bench *b)
{
    need_plain(pread(b->fd, b->buf, BIG, (off_t)big_offset(b)), "read");
}

static void big_write_fsif(struct bench *b)
{
    need(fsif_pwrite(b->cl, b->fh, b->buf, BIG, big_offset(b)), "write");
}

static void big_write_plain(struct bench *b)
{
    need_plain(pwrite(b->fd, b->buf, BIG, (off_t)big_offset(b)), "write");
}

static void stat_fsif(struct bench *b)
{
    struct fsif_attr attr;

    need(fsif_fstat(b->cl, b->fh, &attr), "fstat");
}

static void stat_plain(struct bench *b)
{
    struct stat st;

    need_plain(fstat(b->fd, &st), "fstat");
}

static void open_fsif(struct bench *b)
{
    int fh = fsif_open(b->cl, "/big", FSIF_O_RDWR, 0);

    need(fh, "open");
    need(fsif_close(b->cl, fh), "close");
}

static void open_plain(struct bench *b)
{
    int fd = open(host_path(b, "big"), O_RDWR | O_CLOEXEC);

    need_plain(fd, "open");
    need_plain(close(fd), "close");
}

static void create_fsif(struct bench *b)
{
    int fh = fsif_open(b->cl, "/new", FSIF_O_RDWR | FSIF_O_CREAT | FSIF_O_TRUNC, 0600);

    need(fh, "create");
    need(fsif_close(b->cl, fh), "close");
    need(fsif_remove(b->cl, "/new"), "remove");
}

static void create_plain(struct bench *b)
{
    int fd = open(host_path(b, "new"), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    need_plain(fd, "create");
    need_plain(close(fd), "close");
    need_plain(unlink(host_path(b, "new")), "remove");
}

static void list_fsif(struct bench *b)
{
    struct fsif_dir *dir;
    const char *name;
    int count = 0;

    need(fsif_opendir(b->cl, "/many", &dir), "opendir");
    while (fsif_readdir(dir, &name) == 1)
        count++;
    fsif_closedir(dir);
    if (count != ENTRIES)
        die("list", -FSIF_EIO);
}

static void list_plain(struct bench *b)
{
    DIR *dir = opendir(host_path(b, "many"));
    int count = 0;

    need_plain(dir ? 0 : -1, "opendir");
    while (readdir(dir))
        count++;
    closedir(dir);
    if (count != ENTRIES + 2)
        die("list", -FSIF_EIO);
}

static const struct work {
    const char *name;
    void (*fsif)(struct bench *b);
    void (*plain)(struct bench *b);
    unsigned calls;  /* in a round */
    double per_call; /* operations, or bytes for MB/s, in a call */
    const char *unit;
} works[] = {
    {"read 4 KiB, one at a time", read_fsif, read_plain, 2000, 1, "us"},
    {"read 4 KiB, 32 under way", deep_fsif, deep_plain, 200, DEPTH, "us"},
    {"read 1 MiB", big_read_fsif, big_read_plain, 40, BIG, "MB/s"},
    {"write 1 MiB", big_write_fsif, big_write_plain, 40, BIG, "MB/s"},
    {"stat of an open file", stat_fsif, stat_plain, 2000, 1, "us"},
    {"open and close", open_fsif, open_plain, 1000, 1, "us"},
    {"create, close, remove", create_fsif, create_plain, 500, 1, "us"},
    {"list 2000 names", list_fsif, list_plain, 10, 1, "us"},
};

/* --- measuring -----------------------------------------------------------------------------------
 */

static double now_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static double time_round(struct bench *b, const struct work *w, void (*run)(struct bench *))
{
    double start = now_us();
    double each;

    for (unsigned i = 0; i < w->calls; i++)
        run(b);
    each = (now_us() - start) / w->calls / w->per_call;
    return !strcmp(w->unit, "us") ? each : 1 / each; /* bytes in a microsecond are MB/s */
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *v, int n)
{
    qsort(v, (size_t)n, sizeof(*v), compare);
    return v[n / 2];
}

static void measure(struct bench *b, const struct work *w, int rounds, int json)
{
    double fsif[MAX_ROUNDS];
    double plain[MAX_ROUNDS];
    double mf;
    double mp;

    for (int i = 0; i < rounds; i++) {
        fsif[i] = time_round(b, w, w->fsif);
        plain[i] = time_round(b, w, w->plain);
    }
    mf = median(fsif, rounds);
    mp = median(plain, rounds);
    if (json)
        printf("{\"work\":\"%s\",\"unit\":\"%s\",\"fsif\":%.3f,\"fsif_min\":%.3f,\"fsif_max\":%.3f,"
               "\"plain\":%.3f,\"ratio\":%.3f}\n",
               w->name, w->unit, mf, fsif[0], fsif[rounds - 1], mp, mf / mp);
    else
        printf("%-28s %10.2f (%.2f .. %.2f) %10.2f %-5s %8.2f x\n", w->name, mf, fsif[0],
               fsif[rounds - 1], mp, w->unit, mf / mp);
    fflush(stdout);
}

static void prepare(struct bench *b)
{
    char name[64];

    b->fd = open(host_path(b, "big"), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    need_plain(b->fd, "big");
    memset(b->buf, 'x', BIG);
    for (unsigned i = 0; i < FILE_SIZE / BIG; i++)
        need_plain(pwrite(b->fd, b->buf, BIG, (off_t)i * (off_t)BIG), "big");
    need_plain(mkdir(host_path(b, "many"), 0700), "many");
    for (int i = 0; i < ENTRIES; i++) {
        int fd;

        snprintf(name, sizeof(name), "many/entry-%05d", i);
        fd = open(host_path(b, name), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        need_plain(fd, name);
        close(fd);
    }
    b->fh = fsif_open(b->cl, "/big", FSIF_O_RDWR, 0);
    need(b->fh, "open");
}

int main(int argc, char **argv)
{
    struct fsif_client_options options;
    struct fsif_registry *registry;
    struct bench b = {.random = 88172645463325252u};
    int json = 0;
    int rounds = 5;

    for (int i = 4; i < argc; i++) {
        if (!strcmp(argv[i], "--json"))
            json = 1;
        else if (!strcmp(argv[i], "--rounds") && i + 1 < argc)
            rounds = atoi(argv[++i]);
    }
    if (argc < 4 || rounds < 1 || rounds > MAX_ROUNDS) {
        fprintf(stderr, "usage: fsif-bench ADDRESS EXPORT HOSTDIR [--json] [--rounds 1..%d]\n",
                MAX_ROUNDS);
        return 2;
    }
    need(fsif_registry_create("", &registry), "registry");
    need(fsif_registry_add_transport(registry, &fsif_transport_shm), "registry");
    fsif_client_options_init(&options);
    options.registry = registry;
    need(fsif_connect(argv[1], argv[2], &options, &b.cl), "connect");
    b.dir = argv[3];
    b.buf = malloc(BIG);
    if (!b.buf)
        die("memory", -FSIF_ENOMEM);
    prepare(&b);
    if (!json)
        printf("%-28s %29s %16s\n", "work (medians)", "libfsif (min .. max)", "plain calls");
    for (size_t i = 0; i < sizeof(works) / sizeof(works[0]); i++)
        measure(&b, &works[i], rounds, json);
    need(fsif_close(b.cl, b.fh), "close");
    close(b.fd);
    free(b.buf);
    fsif_disconnect(b.cl);
    fsif_registry_destroy(registry);
    return 0;
}
