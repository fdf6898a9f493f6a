/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "cli.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/*
 * bench: what this session does on this machine, in a directory of its own that is removed again.
 * Each figure is the median of runs that alternate with nothing else, so it is good for comparing
 * settings and no more.
 */

#define FILE_BYTES (8u << 20)
#define SMALL 4096u
#define DEPTH 32u
#define RUNS 301u     /* of something short */
#define BATCHES 21u   /* of many at once, and of something long */
#define BATCH 512u    /* reads in a batch */
#define ENTRIES 1000u /* of the directory that is listed */

struct bench {
    struct cli *cli;
    struct cli_session *session;
    struct fsif_client *client;
    char *dir;  /* what was made */
    char *file; /* in it */
    int fh;
    char *buf; /* CLI_CHUNK bytes */
    unsigned int round;
    struct json_t *json;
};

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* --- what is measured: each returns 0, or a FSIF_E* ----------------------------------------- */

static int null_request(struct bench *b)
{
    return fsif_nop(b->client);
}

/* Somewhere else each time, and the same places in each run of the program */
static uint64_t place(struct bench *b)
{
    b->round = b->round * 1103515245u + 12345u;
    return (uint64_t)(b->round >> 8) % (FILE_BYTES / SMALL) * SMALL;
}

static int whole(int64_t n, int64_t want)
{
    return n == want ? 0 : n < 0 ? (int)n : -FSIF_EIO;
}

static int read_small(struct bench *b)
{
    return whole(fsif_pread(b->client, b->fh, b->buf, SMALL, place(b)), SMALL);
}

static int read_large(struct bench *b)
{
    uint64_t off = place(b) / CLI_CHUNK * CLI_CHUNK;

    return whole(fsif_pread(b->client, b->fh, b->buf, CLI_CHUNK, off), CLI_CHUNK);
}

static int write_large(struct bench *b)
{
    uint64_t off = place(b) / CLI_CHUNK * CLI_CHUNK;

    return whole(fsif_pwrite(b->client, b->fh, b->buf, CLI_CHUNK, off), CLI_CHUNK);
}

static int look(struct bench *b)
{
    struct fsif_attr a;

    return fsif_stat(b->client, b->file, &a);
}

static int open_close(struct bench *b)
{
    int fh = fsif_open(b->client, b->file, FSIF_O_RDONLY, 0);

    return fh < 0 ? fh : fsif_close(b->client, fh);
}

static int create_remove(struct bench *b)
{
    char *path = path_join(b->dir, "new");
    int fh = fsif_open(b->client, path, FSIF_O_RDWR | FSIF_O_CREAT | FSIF_O_TRUNC, 0600);
    int err = fh < 0 ? fh : fsif_close(b->client, fh);

    if (err == 0)
        err = fsif_remove(b->client, path);
    free(path);
    return err;
}

static int small_file(struct bench *b)
{
    char *path = path_join(b->dir, "small");
    int64_t n = fsif_readfile(b->client, FSIF_ROOT, path, 0, b->buf, SMALL, NULL);

    free(path);
    return whole(n, SMALL);
}

static int list(struct bench *b)
{
    struct entries e;
    char *path = path_join(b->dir, "list");
    int err = entries_read(b->cli, b->session, path,
                           b->session->full ? ENTRIES_ATTRS : ENTRIES_NAMES, &e);

    free(path);
    if (err < 0)
        return err;
    err = e.count == ENTRIES ? 0 : -FSIF_EIO;
    entries_free(&e);
    return err;
}

/* DEPTH requests under way until BATCH are answered. */
struct batch {
    struct bench *bench;
    struct fsif_call calls[DEPTH];
    char *buf;
    unsigned int submitted;
    unsigned int done;
    int err;
};

static void next_read(struct batch *t, struct fsif_call *call)
{
    int err;

    call->op.offset = place(t->bench);
    err = fsif_submit(t->bench->client, call);
    if (err < 0)
        t->err = err;
    else
        t->submitted++;
}

static void read_done(struct fsif_call *call)
{
    struct batch *t = call->arg;

    t->done++;
    if (call->result.value != SMALL && t->err == 0)
        t->err = call->result.value < 0 ? (int)call->result.value : -FSIF_EIO;
    if (t->err == 0 && t->submitted < BATCH)
        next_read(t, call);
}

static int read_deep(struct bench *b)
{
    struct batch *t = cli_alloc(sizeof(*t));
    unsigned int depth =
        b->session->limits.max_calls < DEPTH ? b->session->limits.max_calls : DEPTH;
    unsigned int i;
    int err;

    t->bench = b;
    for (i = 0; i < depth && t->err == 0; i++) {
        struct fsif_call *c = &t->calls[i];

        c->op = (struct fsif_op){.type = FSIF_OP_READ,
                                 .handle = (uint32_t)b->fh,
                                 .length = SMALL,
                                 .buffer = b->buf + i * SMALL};
        c->deadline =
            b->cli->timeout_ms < 0 ? FSIF_NEVER : fsif_client_now() + (uint64_t)b->cli->timeout_ms;
        c->done = read_done;
        c->arg = t;
        next_read(t, c);
    }
    /* Whatever was taken is answered, also when the session ends. */
    while (t->done < t->submitted && fsif_poll(b->client, -1) >= 0) {
    }
    err = t->err == 0 && t->done < t->submitted ? -FSIF_EPROTO : t->err;
    if (t->done == t->submitted)
        free(t);
    return err;
}

/* --- the table ----------------------------------------------------------------------------- */

struct row {
    const char *name;
    int (*run)(struct bench *b);
    unsigned int runs;
    int full;     /* dialect 3 only */
    double scale; /* what a run of one second amounts to, in units; negative: units per second */
    const char *unit;
};

static const struct row rows[] = {
    {"null request", null_request, RUNS, 1, 1e6, "us"},
    {"read 4 KiB, one at a time", read_small, RUNS, 0, 1e6, "us"},
    {"read 4 KiB, 32 under way", read_deep, BATCHES, 0, -(double)BATCH, "/s"},
    {"read 1 MiB", read_large, BATCHES * 3, 0, -1.0, "MiB/s"},
    {"write 1 MiB", write_large, BATCHES * 3, 0, -1.0, "MiB/s"},
    {"stat", look, RUNS, 0, 1e6, "us"},
    {"open and close", open_close, RUNS, 0, 1e6, "us"},
    {"create and remove", create_remove, RUNS, 0, 1e6, "us"},
    {"file of 4 KiB in one request", small_file, RUNS, 1, 1e6, "us"},
    {"list 1000 entries", list, BATCHES, 0, 1e6, "us"},
};

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

/* Return: 0 and @ns, the median; a FSIF_E* */
static int measure(struct bench *b, const struct row *row, uint64_t *ns)
{
    uint64_t times[RUNS];
    unsigned int i;
    int err = row->run(b);

    for (i = 0; err == 0 && i < row->runs && !cli_interrupted; i++) {
        uint64_t begun = now_ns();

        err = row->run(b);
        times[i] = now_ns() - begun;
    }
    if (err == 0 && cli_interrupted)
        err = -FSIF_EINTR;
    if (err < 0)
        return err;
    qsort(times, row->runs, sizeof(times[0]), by_size);
    *ns = times[row->runs / 2] > 0 ? times[row->runs / 2] : 1;
    return 0;
}

static int run_row(struct bench *b, const struct row *row)
{
    uint64_t ns;
    double value;
    int err;

    if (row->full && !b->session->full)
        return 0;
    err = measure(b, row, &ns);
    if (err < 0) {
        if (!cli_interrupted)
            cli_say(b->cli, "%s: %s", row->name, fsif_strerror(err));
        return err;
    }
    value = row->scale > 0 ? row->scale * (double)ns / 1e9 : -row->scale * 1e9 / (double)ns;
    if (b->json != NULL)
        json_list_add(b->json, json_figure(row->name, value, row->unit));
    else
        printf("%-30s %12.1f %s\n", row->name, value, row->unit);
    fflush(stdout);
    return 0;
}

/* --- what is made and removed --------------------------------------------------------------- */

static int make_file(struct bench *b, const char *path, uint64_t bytes)
{
    uint64_t off = 0;
    int fh = fsif_open(b->client, path, FSIF_O_RDWR | FSIF_O_CREAT | FSIF_O_TRUNC, 0600);
    int err = fh < 0 ? fh : 0;

    while (err == 0 && off < bytes && !cli_interrupted) {
        size_t len = bytes - off < CLI_CHUNK ? (size_t)(bytes - off) : CLI_CHUNK;

        err = remote_write(b->client, fh, b->buf, len, off);
        off += len;
    }
    if (fh >= 0)
        fsif_close(b->client, fh);
    return err;
}

static int prepare(struct bench *b)
{
    char *path = path_join(b->dir, "list");
    int err = make_file(b, b->file, FILE_BYTES);
    unsigned int i;

    if (err == 0)
        err = fsif_mkdir(b->client, path, 0700);
    for (i = 0; err == 0 && i < ENTRIES && !cli_interrupted; i++) {
        char *name = cli_format("%s/%u", path, i);

        err = make_file(b, name, 0);
        free(name);
    }
    free(path);
    path = path_join(b->dir, "small");
    if (err == 0)
        err = make_file(b, path, SMALL);
    free(path);
    if (err == 0)
        b->fh = fsif_open(b->client, b->file, FSIF_O_RDWR, 0);
    return err == 0 && b->fh < 0 ? b->fh : err;
}

static int bench_one(struct cli *cli, struct cli_session *s, const struct target *t)
{
    struct bench b = {.cli = cli, .session = s, .client = s->client, .fh = -1};
    char *place_of_it = path_join(t->path, "bench");
    int err;
    size_t i;

    b.dir = remote_temporary(place_of_it);
    b.file = path_join(b.dir, "file");
    b.buf = cli_alloc(CLI_CHUNK);
    err = fsif_mkdir(s->client, b.dir, 0700);
    if (err == 0) {
        int removed;
        int caught;

        err = prepare(&b);
        b.json = cli->json ? json_list() : NULL;
        for (i = 0; err == 0 && i < sizeof(rows) / sizeof(rows[0]) && !cli_interrupted; i++)
            err = run_row(&b, &rows[i]);
        if (b.fh >= 0)
            fsif_close(s->client, b.fh);
        /* A signal ends the measuring and not this. */
        caught = cli_interrupted;
        cli_interrupted = 0;
        removed = remove_all(cli, s, b.dir);
        cli_interrupted = caught;
        err = err == 0 && removed < 0 ? removed : err;
        if (b.json != NULL)
            json_print(b.json);
    }
    free(b.buf);
    free(b.file);
    free(b.dir);
    free(place_of_it);
    return cli_interrupted ? 1 : err;
}

int command_bench(struct cli *cli, char **operands, int count)
{
    return cli_each(cli, operands, count, bench_one);
}
