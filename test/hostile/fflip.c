/* SPDX-License-Identifier: MIT */
/*
 * F2 and F16: a backend by hand, and fast. It answers whatever comes; its second thread changes the
 * answer while the frontend reads it.
 *
 *   fflip [-3] SOCKET MODE
 *
 * plain    no changes
 * legal    between two answers that are both right: reads of 16 or 48 bytes, one name of 1 or 7
 *          bytes, a size of 5 or 7
 * illegal  between a right answer and a wrong one: more bytes than asked for, a name with a slash,
 * a negative size; in dialect 3 also a form, a length or a status that cannot be
 *
 * -3: dialect 3, else dialect 1.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include "raw3.h"

struct flipper {
    volatile uint64_t *at; /* NULL: rest */
    uint64_t values[2];
    pthread_mutex_t lock; /* held while it writes: the memory goes with the session */
};

static int flips_between; /* 0 plain, 1 legal, 2 illegal */

static void *flip(void *arg)
{
    struct flipper *f = arg;

    for (;;) {
        pthread_mutex_lock(&f->lock);
        for (unsigned i = 0; f->at && i < 512; i++) {
            *f->at = f->values[0];
            *f->at = f->values[1];
        }
        pthread_mutex_unlock(&f->lock);
    }
    return NULL;
}

static void aim(struct flipper *f, volatile uint8_t *at, uint64_t a, uint64_t b)
{
    if (!flips_between)
        return;
    pthread_mutex_lock(&f->lock);
    f->at = (volatile uint64_t *)at;
    f->values[0] = a;
    f->values[1] = b;
    pthread_mutex_unlock(&f->lock);
}

static uint32_t get32(const uint8_t *at)
{
    uint32_t v;

    memcpy(&v, at, sizeof(v));
    return v;
}

static uint64_t get64(const uint8_t *at)
{
    uint64_t v;

    memcpy(&v, at, sizeof(v));
    return v;
}

static void put(volatile uint8_t *at, const void *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        at[i] = ((const uint8_t *)bytes)[i];
}

static uint64_t word(const char *eight)
{
    uint64_t w;

    memcpy(&w, eight, sizeof(w));
    return w;
}

/* What the page holds and what the flipper is to do to it. Returns the answer. */
static uint64_t fill(const struct raw *r, struct flipper *f, const uint8_t slot[32],
                     volatile uint8_t *answer)
{
    uint8_t data[RAW_PAGE];
    uint32_t gref = get32(slot + 12) % r->pages;
    volatile uint8_t *page = raw_page(r, gref);
    uint64_t len = get64(slot + 16);
    uint8_t attr[48] = {0};

    switch (slot[0]) {
    case RAW_READ:
        memset(data, 'R', sizeof(data));
        put(page, data, len < RAW_PAGE ? len : RAW_PAGE);
        if (len < 48)
            return len;
        aim(f, answer + 8, 16, flips_between == 2 ? len + RAW_PAGE : 48);
        return 16;
    case RAW_WRITE:
        return len;
    case RAW_STAT:
        attr[1] = 0x81; /* a regular file, 0664 */
        attr[0] = 0xb4;
        attr[16] = 5;
        put(page, attr, sizeof(attr));
        /* One half differs: a copy by words may meet the halves at two moments. */
        aim(f, page + 16, 5, flips_between == 2 ? 0xffffffff00000005u : 7);
        return 0;
    case RAW_LIST:
        put(page, "abcdefg", 8);
        aim(f, page, word("abcdefg"), flips_between == 2 ? word("abc/efg") : word("a\0cdefg"));
        return 1;
    default:
        return 0;
    }
}

static void serve(struct raw *r, struct flipper *f)
{
    uint8_t slot[32];

    while (raw_take(r, slot) == 0) {
        volatile uint8_t *answer;
        uint8_t bytes[32] = {0};
        uint64_t ret;

        aim(f, NULL, 0, 0);
        answer = raw_answer_slot(r);
        ret = fill(r, f, slot, answer);
        memcpy(bytes, slot + 2, 2);
        memcpy(bytes + 8, &ret, 8);
        put(answer, bytes, sizeof(bytes));
        raw_publish(r);
    }
}

/* --- dialect 3 ----------------------------------------------------------------------------------
 */

/* What the flipper is to do to an answer when it is in its place. */
struct target {
    volatile uint8_t *at; /* NULL: nothing */
    uint64_t a, b;
};

static struct target between(volatile uint8_t *at, uint64_t a, uint64_t legal, uint64_t illegal)
{
    return (struct target){at, a, flips_between == 2 ? illegal : legal};
}

static void fill_attr(uint8_t *attr)
{
    raw_put32(attr, 0100664);
    raw_put64(attr + 16, 5);
    raw_put32(attr + 104, RAW_PAGE); /* blksize */
}

/* A size that changes, in attributes at @attr. */
static struct target sizes(volatile uint8_t *attr)
{
    return between(attr + 16, 5, 7, 0xffffffff00000005u);
}

/* Data of 16 or 48 octets in the first range; @range: where the slot says it. */
static struct target fill_data(const struct raw *r, const uint8_t *range, uint8_t *bytes,
                               volatile uint8_t *answer)
{
    uint32_t len = get32(range + 4);
    uint8_t data[RAW_PAGE];

    memset(data, 'R', sizeof(data));
    raw3_put(r, get32(range), data, len < RAW_PAGE ? len : RAW_PAGE);
    raw_put64(bytes + 8, len < 48 ? len : 16);
    return len < 48 ? (struct target){NULL, 0, 0}
                    : between(answer + 8, 16, 48, (uint64_t)len + RAW_PAGE);
}

/* Attributes in the answer: their size changes, or, every other time, the answer's form. */
static struct target fill_stat(uint8_t *bytes, volatile uint8_t *answer, unsigned turn)
{
    const uint64_t head = get64(bytes);

    if (flips_between < 2 || turn % 3 == 0)
        return sizes(answer + 16);
    if (turn % 3 == 1) /* not long */
        return (struct target){answer, head, head & 0xffffff};
    return (struct target){answer, head, head | 4u << 16}; /* a kind that there is not */
}

/* One entry, whose name changes, or, every other time, its size and the length of its name. */
static struct target fill_entries(const struct raw *r, const uint8_t *slot, uint8_t *bytes,
                                  unsigned turn)
{
    uint32_t at = get32(slot + 24);
    uint8_t entry[32] = {0};

    if (get64(slot + 16) != 0)
        return (struct target){NULL, 0, 0};
    entry[0] = 1; /* cookie */
    raw_put16(entry + 16, sizeof(entry));
    entry[18] = 8; /* a regular file */
    entry[19] = 7;
    memcpy(entry + 24, "abcdefg", 7);
    raw3_put(r, at, entry, sizeof(entry));
    raw_put64(bytes + 8, sizeof(entry));
    if (turn % 2 && flips_between == 2)
        return (struct target){raw3_arena(r, at + 16), get64(entry + 16), 0xff08fff8};
    return between(raw3_arena(r, at + 24), word("abcdefg"), word("abcdefG"), word("abc/efg"));
}

/* Records, in the last of which the size changes, or, every other time, the status. */
static struct target fill_records(const struct raw *r, const uint8_t *slot, uint8_t *bytes,
                                  unsigned turn)
{
    uint32_t at = get32(slot + 32), n = get32(slot + 20);
    uint8_t record[RAW3_RECORD] = {0};

    fill_attr(record + 8);
    for (uint32_t i = 0; i < n; i++)
        raw3_put(r, at + i * RAW3_RECORD, record, sizeof(record));
    raw_put64(bytes + 8, n);
    at += (n - 1) * RAW3_RECORD;
    if (turn % 2 && flips_between == 2)
        return (struct target){raw3_arena(r, at), 0, 7777};
    return sizes(raw3_arena(r, at + 8));
}

/* The answer to a request, but for its id. */
static struct target fill3(const struct raw *r, const uint8_t *slot, uint8_t *bytes,
                           volatile uint8_t *answer, unsigned turn)
{
    switch (slot[0]) {
    case RAW3_OPEN: /* the folder has another handle than the file, which stays open */
        raw_put64(bytes + 8, get32(slot + 16) & RAW3_DIRECTORY ? 1 : 0);
        return (struct target){NULL, 0, 0};
    case RAW3_READ:
        return fill_data(r, slot + 32, bytes, answer);
    case RAW3_READFILE:
        return fill_data(r, slot + 24, bytes, answer);
    case RAW3_STAT:
        return fill_stat(bytes, answer, turn);
    case RAW3_READDIR:
        return fill_entries(r, slot, bytes, turn);
    case RAW3_STATMANY:
        return fill_records(r, slot, bytes, turn);
    default:
        return (struct target){NULL, 0, 0};
    }
}

static void serve3(struct raw *r, struct flipper *f)
{
    uint8_t slot[RAW3_SLOT];

    while (raw3_take(r, slot) == 0) {
        volatile uint8_t *answer = raw3_answer(r);
        uint8_t bytes[RAW3_ENTRY] = {0};
        struct target t;

        aim(f, NULL, 0, 0);
        memcpy(bytes, slot + 2, 2);
        bytes[3] = RAW3_LONG;
        fill_attr(bytes + 16);
        /* By chance: the victim asks in a rhythm of its own. */
        t = fill3(r, slot, bytes, answer, (unsigned)random());
        put(answer, bytes, sizeof(bytes));
        aim(f, t.at, t.a, t.b);
        raw3_publish(r);
    }
}

int main(int argc, char **argv)
{
    static const char *const modes[] = {"plain", "legal", "illegal"};
    struct flipper f = {.at = NULL, .lock = PTHREAD_MUTEX_INITIALIZER};
    int three = argc > 1 && !strcmp(argv[1], "-3");
    char **a = argv + 1 + three;
    pthread_t thread;
    struct raw r;
    int listener;

    if (argc - three != 3)
        raw_die("usage: fflip [-3] SOCKET MODE");
    for (flips_between = 0; strcmp(modes[flips_between], a[1]) != 0; flips_between++)
        if (flips_between == 2)
            raw_die("no such mode");
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    listener = raw_listen(a[0]);
    printf("listening\n");
    fflush(stdout);
    if (flips_between && pthread_create(&thread, NULL, flip, &f) != 0)
        raw_die("pthread_create");
    for (;;) {
        if (three)
            raw3_accept(&r, listener);
        else
            raw_accept(&r, listener, "errno");
        (three ? serve3 : serve)(&r, &f);
        aim(&f, NULL, 0, 0);
        raw_close(&r);
    }
}
