/* SPDX-License-Identifier: MIT */
/* What an old frontend does once it is mounted. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "old_front.h"

static int failures;

static void expect(int64_t got, int64_t wanted, const char *what, int line)
{
    if (got == wanted)
        return;
    failures++;
    fprintf(stderr, "%d: %s: %lld, %lld was expected\n", line, what, (long long)got,
            (long long)wanted);
}
#define EQ(got, wanted) expect((int64_t)(got), (int64_t)(wanted), #got, __LINE__)

static void fill(unsigned char *buf, size_t len, unsigned seed)
{
    for (size_t i = 0; i < len; i++)
        buf[i] = (unsigned char)(i * 7 + (i >> 8) + seed);
}

static int has_name(const char *names, int64_t n, const char *wanted)
{
    int found = 0;

    for (; n > 0; n--, names += strlen(names) + 1)
        found += strcmp(names, wanted) == 0;
    return found;
}

static void check_list(struct old_front *f)
{
    char names[PAGE];
    char name[32];
    int more = 1;
    int64_t n;
    uint32_t total = 0;

    n = old_list(f, "old", 0, names, &more);
    EQ(n, 3);
    EQ(more, 0);
    EQ(has_name(names, n, "."), 1);
    EQ(has_name(names, n, ".."), 1);
    EQ(has_name(names, n, "file"), 1);
    for (int i = 0; i < 30; i++) {
        snprintf(name, sizeof(name), "old/%0*d", 20, i);
        EQ(old_create(f, name, 1, 0755), 0);
    }
    for (more = 1; more; total += (uint32_t)n) {
        n = old_list(f, "old", total, names, &more);
        if (n < 0 || (more && n == 0))
            break;
    }
    EQ(n > 0, 1);
    EQ(total, 33);
    for (int i = 0; i < 30; i++) {
        snprintf(name, sizeof(name), "old/%0*d", 20, i);
        EQ(old_remove(f, name), 0);
    }
    /* Of all operations only this one carries an error number. */
    EQ(old_list(f, "none", 0, names, &more), -2);
    EQ(more, 0);
}

static void check_io(struct old_front *f, int64_t fd)
{
    uint64_t most = (uint64_t)f->pages_per_id * PAGE;
    unsigned char *out = malloc(most + PAGE);
    unsigned char *in = malloc(most + PAGE);

    if (!out || !in)
        die("no memory");
    fill(out, most + PAGE, 3);
    EQ(old_write(f, fd, out, most, 0), most);
    EQ(old_write(f, fd, out, 100, most), 100);
    EQ(old_read(f, fd, in, most, 0), most);
    EQ(memcmp(in, out, most), 0);
    EQ(old_read(f, fd, in, most, most - 10), 110);
    EQ(memcmp(in, out + most - 10, 10), 0);
    EQ(memcmp(in + 10, out, 100), 0);
    EQ(old_read(f, fd, in, most, most + 100), 0);
    EQ(old_read(f, fd, in, 0, 0), 0);
    /* More than the pages that the request names. */
    EQ(old_read(f, fd, in, most + 1, 0), -1);
    EQ(old_write(f, fd, out, most + 1, 0), -1);
    EQ(old_read(f, fd, in, most, UINT64_MAX - 5), -1);
    free(out);
    free(in);
}

static void check_errors(struct old_front *f)
{
    unsigned char slot[SLOT_MAX];
    char buf[16];
    struct old_stat st;

    /* An old frontend learns no more than that it failed. */
    EQ(old_open(f, "none"), -1);
    EQ(old_open(f, "../etc/passwd"), -1);
    EQ(old_open(f, "a/../../etc/passwd"), -1);
    EQ(old_open(f, ""), -1);
    EQ(old_remove(f, "none"), -1);
    EQ(old_rename(f, "none", "other"), -1);
    EQ(old_create(f, "none/none", 0, 0644), -1);
    EQ(old_space(f, "none"), -1);
    EQ(old_close(f, 12345), -1);
    EQ(old_read(f, -1, buf, 10, 0), -1);
    EQ(old_sync(f, 12345), -1);
    EQ(old_chmod(f, 12345, 0600), -1);
    EQ(old_truncate(f, 12345, 0), -1);
    EQ(old_stat(f, 12345, &st), -1);
    for (uint32_t type = 14; type < 256; type += 60) {
        front_slot(f, slot, type);
        EQ(front_call(f, slot), -1);
    }
    /* Grants that are not there. */
    front_slot(f, slot, OP_OPEN);
    put32(slot, 8, 0xfffffff0u);
    EQ(front_call(f, slot), -1);
}

/* Every operation, one request at a time. */
static int test_check(struct old_front *f, const char *argument)
{
    struct old_stat st;
    int64_t fd;

    (void)argument;
    EQ(old_create(f, "/old", 1, 0755), 0);
    fd = old_create(f, "old/new", 0, 0640);
    EQ(fd >= 0, 1);
    check_io(f, fd);
    EQ(old_sync(f, fd), 0);
    EQ(old_stat(f, fd, &st), 0);
    EQ(st.mode, 0100640);
    EQ(st.size, f->pages_per_id * PAGE + 100);
    EQ(st.mtime > 1000000000, 1);
    EQ(old_chmod(f, fd, 0600), 0);
    EQ(old_truncate(f, fd, 5), 0);
    EQ(old_stat(f, fd, &st), 0);
    EQ(st.mode, 0100600);
    EQ(st.size, 5);
    EQ(old_close(f, fd), 0);
    EQ(old_close(f, fd), -1);
    EQ(old_rename(f, "old/new", "old/file"), 0);
    EQ(old_open(f, "old/new"), -1);
    fd = old_open(f, "old/file");
    EQ(fd >= 0, 1);
    EQ(old_close(f, fd), 0);
    fd = old_open(f, "old");
    EQ(fd >= 0, 1);
    EQ(old_stat(f, fd, &st), 0);
    EQ(st.mode & 0170000, 0040000);
    EQ(old_close(f, fd), 0);
    EQ(old_space(f, "/") > 0, 1);
    check_list(f);
    check_errors(f);
    EQ(old_remove(f, "old/file"), 0);
    EQ(old_remove(f, "old"), 0);
    if (f->dialect == 1)
        EQ(f->strays, 0);
    printf("%u requests, %u events, %u of them with a request unanswered\n", f->req_prod, f->events,
           f->early);
    return failures != 0;
}

/* @argument requests at once, over and over. In dialect 1 any event before all are answered dies.
 */
static int test_many(struct old_front *f, const char *argument)
{
    unsigned at_once = argument ? (unsigned)strtoul(argument, NULL, 10) : 2;
    uint64_t most = (uint64_t)f->pages_per_id * PAGE;
    unsigned char slot[SLOT_MAX];
    unsigned char *expected = malloc(most);
    uint32_t ids[IDS_MAX];
    int64_t fd = old_create(f, "many", 0, 0644);

    if (!expected || at_once > f->ids)
        die("no memory or too many at once");
    EQ(fd >= 0, 1);
    for (unsigned round = 0; round < 50; round++) {
        fill(expected, most, round);
        EQ(old_write(f, fd, expected, most, 0), most);
        for (unsigned i = 0; i < at_once; i++) {
            ids[i] = old_io_slot(f, slot, OP_READ, fd, most - i, i);
            front_submit(f, slot);
        }
        front_push(f);
        front_wait(f, 30000);
        for (unsigned i = 0; i < at_once; i++) {
            EQ(get64(f->answer[ids[i]], 8), most - i);
            EQ(memcmp(front_page(f, ids[i]), expected + i, most - i), 0);
        }
    }
    EQ(old_close(f, fd), 0);
    EQ(old_remove(f, "many"), 0);
    if (f->dialect == 1)
        EQ(f->strays, 0);
    printf("50 rounds of %u at once, %u events\n", at_once, f->events);
    free(expected);
    return failures != 0;
}

/* Ring as fast as the kernel lets for @argument seconds; then the session must still serve. */
static int test_storm(struct old_front *f, const char *argument)
{
    uint64_t end = now_ms() + 1000u * strtoul(argument ? argument : "2", NULL, 10);
    uint64_t rung = 0;

    while (now_ms() < end) {
        for (int i = 0; i < 100; i++, rung++)
            xenevtchn_notify(f->evtchn, f->port);
    }
    printf("rung %llu times\n", (unsigned long long)rung);
    return test_check(f, NULL);
}

/* Stay mounted for @argument seconds with a file open, and a request now and then. */
static int test_hold(struct old_front *f, const char *argument)
{
    uint64_t end = now_ms() + 1000u * strtoul(argument ? argument : "10", NULL, 10);
    int64_t fd = old_open(f, "file");

    xs_put(f->xs, XBT_NULL, "data/handle", "%lld", (long long)fd);
    while (now_ms() < end) {
        EQ(old_space(f, "/") > 0, 1);
        event_wait(f->evtchn, 200);
    }
    return failures != 0;
}

/* @argument reads at once; tell in xenstore that none is answered yet, and wait for the end. */
static int test_flood(struct old_front *f, const char *argument)
{
    unsigned at_once = (unsigned)strtoul(argument ? argument : "32", NULL, 10);
    unsigned char slot[SLOT_MAX];
    uint32_t before;
    int64_t fd = old_create(f, "flood", 0, 0644);

    EQ(fd >= 0, 1);
    before = f->rsp_cons;
    for (unsigned i = 0; i < at_once; i++) {
        old_io_slot(f, slot, OP_READ, fd, 10, i);
        front_submit(f, slot);
    }
    front_push(f);
    xs_put(f->xs, XBT_NULL, "data/flood", "%u asked, %u answered", at_once,
           ring_get(&f->ring, RSP_PROD) - before);
    front_wait(f, 60000);
    return failures != 0;
}

/* Handles that this session has not opened, the other guest's @argument among them. */
static int test_steal(struct old_front *f, const char *argument)
{
    int64_t theirs = argument ? strtol(argument, NULL, 10) : 0;
    struct old_stat st;
    char buf[16];

    for (int64_t fd = theirs > 50 ? theirs - 50 : 0; fd < theirs + 50; fd++) {
        EQ(old_read(f, fd, buf, sizeof(buf), 0), -1);
        EQ(old_write(f, fd, "x", 1, 0), -1);
        EQ(old_stat(f, fd, &st), -1);
        EQ(old_close(f, fd), -1);
    }
    return failures != 0;
}

static int test_cat(struct old_front *f, const char *argument)
{
    char buf[PAGE];
    int64_t fd = old_open(f, argument ? argument : "file");
    int64_t n;

    if (fd < 0)
        die("cannot open %s", argument);
    n = old_read(f, fd, buf, sizeof(buf), 0);
    EQ(n >= 0, 1);
    if (n > 0)
        fwrite(buf, 1, (size_t)n, stdout);
    EQ(old_close(f, fd), 0);
    return failures != 0;
}

int run_test(struct old_front *f, const char *test, const char *argument)
{
    static const struct {
        const char *name;
        int (*run)(struct old_front *f, const char *argument);
    } tests[] = {
        {"check", test_check}, {"many", test_many},   {"storm", test_storm}, {"hold", test_hold},
        {"cat", test_cat},     {"flood", test_flood}, {"steal", test_steal},
    };

    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        if (strcmp(tests[i].name, test) == 0)
            return tests[i].run(f, argument);
    }
    die("no test %s", test);
}
