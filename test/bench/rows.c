/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "rows.h"

enum { DEEP_CALLS = 128, NAMES_AT_ONCE = 256 };
/* Before a sample one part in so many of its time is spent untimed: other targets had the caches
 * meanwhile, and both sides of a session learn anew how to wait. What first requests cost is
 * measured by silence.c. */
#define WARM_UP 3
#define CLOCK_EVERY 50000u /* nanoseconds between looks at the clock, about */

static uint64_t random_number(struct work *w)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return w->random;
}

static uint64_t random_at(struct work *w, uint64_t len)
{
    return random_number(w) % (w->place->file_size / len) * len;
}

static int64_t full(int64_t n, int64_t want)
{
    return n < 0 || n == want ? n : -EIO;
}

/* --- the work --- */

static int64_t run_nop(struct work *w, const struct target *t, unsigned i)
{
    (void)w;
    (void)i;
    return t->ops->nop(t->self);
}

static int64_t run_read(struct work *w, const struct target *t, unsigned i)
{
    (void)i;
    return full(t->ops->read(t->self, w->buf, BENCH_SMALL, random_at(w, BENCH_SMALL)), BENCH_SMALL);
}

/* Where nothing is lent the reference is the ordinary call. */
static int64_t read_lent(struct work *w, const struct target *t, size_t len)
{
    uint64_t off = random_at(w, len);

    if (t->ops->read_lent != NULL)
        return full(t->ops->read_lent(t->self, len, off), (int64_t)len);
    return full(t->ops->read(t->self, w->buf, len, off), (int64_t)len);
}

static int64_t run_read_lent(struct work *w, const struct target *t, unsigned i)
{
    (void)i;
    return read_lent(w, t, BENCH_SMALL);
}

static int64_t run_read_deep(struct work *w, const struct target *t, unsigned i)
{
    uint64_t off[DEEP_CALLS];

    (void)i;
    for (unsigned n = 0; n < DEEP_CALLS; n++)
        off[n] = random_at(w, BENCH_SMALL);
    return t->ops->read_deep(t->self, w->buf, off, DEEP_CALLS);
}

static int64_t run_read_big(struct work *w, const struct target *t, unsigned i)
{
    (void)i;
    return full(t->ops->read(t->self, w->buf, BENCH_BIG, random_at(w, BENCH_BIG)), BENCH_BIG);
}

static int64_t run_read_big_lent(struct work *w, const struct target *t, unsigned i)
{
    (void)i;
    return read_lent(w, t, BENCH_BIG);
}

static int64_t run_write_big(struct work *w, const struct target *t, unsigned i)
{
    (void)i;
    return full(t->ops->write(t->self, w->buf, BENCH_BIG, random_at(w, BENCH_BIG)), BENCH_BIG);
}

static int64_t run_write_big_lent(struct work *w, const struct target *t, unsigned i)
{
    if (t->ops->write_lent == NULL)
        return run_write_big(w, t, i);
    return full(t->ops->write_lent(t->self, BENCH_BIG, random_at(w, BENCH_BIG)), BENCH_BIG);
}

/* "FOLDER/f000123". Formatted by hand: snprintf() would be a good part of a system call. */
static void name_into(char out[32], const char *folder, uint64_t number)
{
    size_t len = strlen(folder);

    memcpy(out, folder, len);
    memcpy(out + len, "/f000000", 9);
    for (char *digit = out + len + 7; number > 0; number /= 10)
        *digit-- = (char)('0' + number % 10);
}

static int64_t run_stat(struct work *w, const struct target *t, unsigned i)
{
    char name[32];

    (void)i;
    name_into(name, "many", random_number(w) % w->place->names);
    return t->ops->stat(t->self, name);
}

static int64_t run_open(struct work *w, const struct target *t, unsigned i)
{
    char name[32];

    (void)i;
    name_into(name, "many", random_number(w) % w->place->names);
    return t->ops->open_close(t->self, name);
}

static int64_t run_create(struct work *w, const struct target *t, unsigned i)
{
    char name[32];

    (void)w;
    name_into(name, "work", i);
    return t->ops->create(t->self, name);
}

static int64_t run_remove(struct work *w, const struct target *t, unsigned i)
{
    char name[32];

    (void)w;
    name_into(name, "work", i);
    return t->ops->remove(t->self, name);
}

static int64_t run_list(struct work *w, const struct target *t, unsigned i)
{
    (void)i;
    return full(t->ops->list(t->self, "many"), w->place->names);
}

static int64_t run_list_attr(struct work *w, const struct target *t, unsigned i)
{
    (void)i;
    return full(t->ops->list_attr(t->self, "many"), w->place->names);
}

static int64_t run_small(struct work *w, const struct target *t, unsigned i)
{
    char name[32];

    (void)i;
    name_into(name, "small", random_number(w) % w->place->smalls);
    return full(t->ops->read_file(t->self, name, w->buf, BENCH_SMALL), BENCH_SMALL);
}

/* --- data/work, emptied and filled by plain calls --- */

static void each_name(struct work *w, int make)
{
    int root = open(w->place->data, O_PATH | O_DIRECTORY | O_CLOEXEC);
    char name[32];

    for (unsigned i = 0; i < NAMES_AT_ONCE; i++) {
        name_into(name, "work", i);
        if (make && mknodat(root, name, S_IFREG | 0644, 0) != 0)
            bench_die("%s: %s", name, strerror(errno));
        if (!make && unlinkat(root, name, 0) != 0 && errno != ENOENT)
            bench_die("%s: %s", name, strerror(errno));
    }
    close(root);
}

static void empty_folder(struct work *w)
{
    each_name(w, 0);
}

static void fill_folder(struct work *w)
{
    each_name(w, 1);
}

/* --- who can --- */

#define CAN(member)                                                                                \
    static int can_##member(const struct bench_ops *ops)                                           \
    {                                                                                              \
        return ops->member != NULL;                                                                \
    }
CAN(nop)
CAN(read)
CAN(write)
CAN(read_deep)
CAN(stat)
CAN(open_close)
CAN(create)
CAN(remove)
CAN(list)
CAN(list_attr)
CAN(read_file)

static int can_lend(const struct bench_ops *ops)
{
    return ops == &bench_ours || ops == &bench_plain || ops == &bench_confined;
}

const struct row bench_rows[] = {
    {.id = "null", .title = "a request that does nothing", .can = can_nop, .run = run_nop},
    {.id = "read-4k", .title = "4 KiB read, one at a time", .can = can_read, .run = run_read},
    {.id = "read-4k-zc", .title = "4 KiB read, zero copy", .can = can_lend, .run = run_read_lent},
    {.id = "read-4k-32",
     .title = "4 KiB reads, 32 under way",
     .per_call = DEEP_CALLS,
     .can = can_read_deep,
     .run = run_read_deep},
    {.id = "read-1m",
     .title = "1 MiB read",
     .bytes = BENCH_BIG,
     .can = can_read,
     .run = run_read_big},
    {.id = "read-1m-zc",
     .title = "1 MiB read, zero copy",
     .bytes = BENCH_BIG,
     .can = can_lend,
     .run = run_read_big_lent},
    {.id = "write-1m",
     .title = "1 MiB write",
     .bytes = BENCH_BIG,
     .can = can_write,
     .run = run_write_big},
    {.id = "write-1m-zc",
     .title = "1 MiB write, zero copy",
     .bytes = BENCH_BIG,
     .can = can_lend,
     .run = run_write_big_lent},
    {.id = "stat", .title = "stat of a path", .can = can_stat, .run = run_stat},
    {.id = "open", .title = "open and close", .can = can_open_close, .run = run_open},
    {.id = "create",
     .title = "create and close",
     .most = NAMES_AT_ONCE,
     .can = can_create,
     .run = run_create,
     .before = empty_folder,
     .after = empty_folder},
    {.id = "remove",
     .title = "remove",
     .most = NAMES_AT_ONCE,
     .can = can_remove,
     .run = run_remove,
     .before = fill_folder,
     .after = empty_folder},
    {.id = "list", .title = "list names of a folder", .can = can_list, .run = run_list},
    {.id = "list-attr",
     .title = "list with attributes",
     .can = can_list_attr,
     .run = run_list_attr},
    {.id = "small",
     .title = "read a small file: open, read, close",
     .can = can_read_file,
     .run = run_small},
};
const unsigned bench_nrows = sizeof(bench_rows) / sizeof(bench_rows[0]);

/* Calls until @budget is over or @most are made. Return: how many; 0: it cannot be done */
static unsigned repeat(struct work *w, const struct row *r, const struct target *t, uint64_t budget,
                       unsigned most, uint64_t *elapsed)
{
    uint64_t start = bench_now_ns();
    unsigned done = 0, batch = 1;
    int64_t n;

    do {
        for (unsigned i = 0; i < batch && done < most; i++, done++) {
            n = r->run(w, t, done);
            if (n == -EOPNOTSUPP)
                return 0;
            if (n < 0)
                bench_die("%s: %s: %s", t->ops->name, r->id, strerror((int)-n));
        }
        *elapsed = bench_now_ns() - start;
        if (*elapsed < CLOCK_EVERY)
            batch *= 2;
    } while (*elapsed < budget && done < most);
    return done;
}

double bench_sample(struct work *w, const struct row *r, const struct target *t)
{
    unsigned per_call = r->per_call > 0 ? r->per_call : 1;
    unsigned most = r->most > 0 ? r->most : UINT32_MAX;
    uint64_t elapsed;
    unsigned n = 1;

    if (r->before != NULL)
        r->before(w);
    if (r->most > 0 && t->ops->stat != NULL) /* names are used up: something else wakes the peer */
        run_stat(w, t, 0);
    else
        n = repeat(w, r, t, w->budget_ns / WARM_UP, most, &elapsed);
    if (n > 0)
        n = repeat(w, r, t, w->budget_ns, most, &elapsed);
    if (r->after != NULL)
        r->after(w);
    return n > 0 ? (double)elapsed / n / per_call : -1;
}
