/* SPDX-License-Identifier: MIT */
/*
 * F2 and F16: a backend by hand, and fast. It answers whatever comes; its second thread changes the
 * answer while the frontend reads it.
 *
 *   fflip SOCKET MODE
 *
 * plain    no changes
 * legal    between two answers that are both right: reads of 16 or 48 bytes, one name of 1 or 7
 *          bytes, a size of 5 or 7
 * illegal  between a right answer and a wrong one: more bytes than asked for, a name with a slash,
 * a negative size
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include "raw.h"

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

int main(int argc, char **argv)
{
    static const char *const modes[] = {"plain", "legal", "illegal"};
    struct flipper f = {.at = NULL, .lock = PTHREAD_MUTEX_INITIALIZER};
    pthread_t thread;
    struct raw r;
    int listener;

    if (argc != 3)
        raw_die("usage: fflip SOCKET MODE");
    for (flips_between = 0; strcmp(modes[flips_between], argv[2]) != 0; flips_between++)
        if (flips_between == 2)
            raw_die("no such mode");
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    listener = raw_listen(argv[1]);
    printf("listening\n");
    fflush(stdout);
    if (flips_between && pthread_create(&thread, NULL, flip, &f) != 0)
        raw_die("pthread_create");
    for (;;) {
        raw_accept(&r, listener, "errno");
        serve(&r, &f);
        aim(&f, NULL, 0, 0);
        raw_close(&r);
    }
}
