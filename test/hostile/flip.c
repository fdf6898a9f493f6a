/* SPDX-License-Identifier: MIT */
/*
 * B2 and B30: a frontend whose second thread changes a slot or a page at full speed while the
 * backend reads it. Whatever the backend saw, the answer must be one of the two that the two
 * contents have; anything else means that a byte was looked at twice.
 *
 *   flip [-3] SOCKET EXPORT MODE SECONDS
 *
 * -3: dialect 3, whose rounds are in flip3.c; else dialect 1. The export holds "file" (4096 bytes),
 * "d/f" (3 bytes) and "s" (5 bytes).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "flip.h"

#define PAGES 3u
#define LAST (PAGES - 1) /* the page that nothing follows: what reads on faults */

static void *flip(void *arg)
{
    struct flipper *f = arg;

    while (!__atomic_load_n(&f->stop, __ATOMIC_ACQUIRE)) {
        volatile uint64_t *at = __atomic_load_n(&f->at, __ATOMIC_ACQUIRE);

        if (!at)
            continue;
        for (unsigned i = 0; i < 64; i++) {
            *at = f->values[0];
            *at = f->values[1];
        }
        f->flips += 128;
    }
    return NULL;
}

static void begin(uint8_t slot[32], uint8_t type)
{
    memset(slot, 0, 32);
    slot[0] = type;
    raw_put16(slot + 2, 1);
}

static int64_t ask(struct raw *r, const uint8_t slot[32])
{
    uint16_t id;
    int64_t ret;

    raw_send(r, slot);
    if (raw_wait(r, &id, &ret) < 0)
        raw_die("the session has ended");
    return ret;
}

static void set_name(struct raw *r, const char *name)
{
    volatile uint8_t *page = raw_page(r, LAST);
    size_t n = strlen(name) + 1;

    for (size_t i = 0; i < n; i++)
        page[i] = (uint8_t)name[i];
}

/* A request that takes a path; the name lies in the last page. */
static int64_t by_name(struct raw *r, uint8_t type)
{
    uint8_t slot[32];

    begin(slot, type);
    raw_put32(slot + (type == RAW_LIST ? 12 : 8), LAST);
    return ask(r, slot);
}

static int64_t on_handle(struct raw *r, uint8_t type, int64_t fd, uint32_t gref)
{
    uint8_t slot[32];

    begin(slot, type);
    raw_put32(slot + 8, (uint32_t)fd);
    raw_put32(slot + 12, gref);
    return ask(r, slot);
}

/* --- one round of each mode. Return: what is wrong with the answer, or NULL ------------------- */

static int64_t file_handle;

static uint64_t name_word(const char *name)
{
    char bytes[8] = {0};
    uint64_t w;

    memcpy(bytes, name, strlen(name));
    memcpy(&w, bytes, 8);
    return w;
}

void flip_aim(struct flipper *f, volatile uint8_t *bytes)
{
    volatile uint64_t *at = (volatile uint64_t *)bytes;

    *at = f->values[0];
    __atomic_store_n(&f->at, at, __ATOMIC_RELEASE);
}

/* Let it work on a slot that is about to be sent. */
static void aim_slot(struct raw *r, struct flipper *f, unsigned offset)
{
    flip_aim(f, raw_ring(r)->slots[r->prod % RAW_SLOTS] + offset);
}

/* Operands at 8 lie where the answer's value will be, so the flipper may have written over either
 * half of it: each must be of the one or of the other. */
static int either(const struct flipper *f, int64_t ret, int64_t good, int64_t bad)
{
    const uint64_t may[4] = {f->values[0], f->values[1], (uint64_t)good, (uint64_t)bad};
    int low = 0, high = 0;

    for (unsigned i = 0; i < 4; i++) {
        low |= (uint32_t)ret == (uint32_t)may[i];
        high |= (uint64_t)ret >> 32 == may[i] >> 32;
    }
    return low && high;
}

void flip_rest(struct flipper *f)
{
    __atomic_store_n(&f->at, NULL, __ATOMIC_RELEASE);
}

/* The length flips between 16 and more than a page. */
static const char *round_length(struct raw *r, struct flipper *f)
{
    uint8_t slot[32];
    int64_t ret;

    begin(slot, RAW_READ);
    raw_put32(slot + 8, (uint32_t)file_handle);
    raw_put32(slot + 12, LAST);
    raw_put64(slot + 16, 16);
    raw_put64(slot + 24, 0);
    f->values[0] = 16;
    f->values[1] = 8192;
    aim_slot(r, f, 16);
    ret = ask(r, slot);
    flip_rest(f);
    return ret == 16 || ret == -EINVAL ? NULL : "a read of 16 or 8192 bytes";
}

/* The offset flips between 0 and one that overflows. */
static const char *round_offset(struct raw *r, struct flipper *f)
{
    uint8_t slot[32];
    int64_t ret;

    begin(slot, RAW_READ);
    raw_put32(slot + 8, (uint32_t)file_handle);
    raw_put32(slot + 12, LAST);
    raw_put64(slot + 16, 16);
    f->values[0] = 0;
    f->values[1] = UINT64_C(0xffffffff) << 32; /* a slot is copied in words of 32 bits */
    aim_slot(r, f, 24);
    ret = ask(r, slot);
    flip_rest(f);
    return ret == 16 || ret == -EINVAL ? NULL : "a read at 0 or beyond the end of all numbers";
}

/* Handle and page flip together between good and bad. */
static const char *round_handle(struct raw *r, struct flipper *f)
{
    uint8_t slot[32];
    int64_t ret;

    begin(slot, RAW_READ);
    raw_put64(slot + 16, 16);
    f->values[0] = (uint64_t)LAST << 32 | (uint32_t)file_handle;
    f->values[1] = UINT64_C(0xffffffff) << 32 | (uint32_t)file_handle;
    raw_put64(slot + 8, f->values[0]);
    aim_slot(r, f, 8);
    ret = ask(r, slot);
    flip_rest(f);
    return either(f, ret, 16, -EFAULT) ? NULL : "a read into a page that is there or not";
}

/* The page holds "d/f" or "../s"; nobody may ever open s. */
static const char *round_names(struct raw *r, struct flipper *f)
{
    volatile uint8_t *page = raw_page(r, LAST);
    const char *bad = NULL;
    int64_t fd, size;

    f->values[0] = name_word("d/f");
    f->values[1] = name_word("../s");
    flip_aim(f, page);
    fd = by_name(r, RAW_OPEN);
    flip_rest(f);
    if (fd == -EACCES)
        return NULL;
    if (fd < 0)
        return "an open of d/f or ../s";
    if (on_handle(r, RAW_STAT, fd, 1) != 0)
        raw_die("stat");
    size = *(volatile int64_t *)(raw_page(r, 1) + 16);
    if (size != 3)
        bad = "../s was opened";
    if (on_handle(r, RAW_CLOSE, fd, 0) != 0)
        raw_die("close");
    return bad;
}

/* A name of 200 bytes, or one that runs to the end of the page and beyond. */
static const char *round_end(struct raw *r, struct flipper *f)
{
    volatile uint8_t *page = raw_page(r, LAST);
    int64_t ret;

    for (unsigned i = 0; i < RAW_PAGE; i++)
        page[i] = i % 201 == 200 ? '/' : 'x';
    f->values[0] = name_word("xxx");
    f->values[1] = name_word("xxxxxxxx");
    flip_aim(f, page + RAW_PAGE - 8);
    ret = by_name(r, RAW_REMOVE);
    flip_rest(f);
    return ret == -ENOENT || ret == -ENAMETOOLONG ? NULL : "a name with and without an end";
}

/* A listing of "d" or "..": the request's page is the answer's too. */
static const char *round_list(struct raw *r, struct flipper *f)
{
    volatile uint8_t *page = raw_page(r, LAST);
    int64_t ret;

    f->values[0] = name_word("d");
    f->values[1] = name_word("..");
    flip_aim(f, page);
    ret = by_name(r, RAW_LIST);
    flip_rest(f);
    return ret == 3 || ret == (int64_t)EACCES << 16 ? NULL : "a listing of d or ..";
}

/* The second name of a rename begins in the page or outside it. */
static const char *round_rename(struct raw *r, struct flipper *f)
{
    uint8_t slot[32];
    int64_t ret;

    set_name(r, "gone");
    begin(slot, RAW_RENAME);
    f->values[0] = (uint64_t)LAST << 32 | UINT64_C(64) << 16;
    f->values[1] = (uint64_t)LAST << 32 | UINT64_C(0xfffe) << 16;
    raw_put64(slot + 8, f->values[0]);
    raw_page(r, LAST)[64] = 'y';
    raw_page(r, LAST)[65] = 0;
    aim_slot(r, f, 8);
    ret = ask(r, slot);
    flip_rest(f);
    return either(f, ret, -ENOENT, -EINVAL) ? NULL : "a rename to a name in or out of the page";
}

static round_fn *find_mode(const char *mode)
{
    static const struct {
        const char *name;
        round_fn *round;
    } modes[] = {
        {"length", round_length}, {"offset", round_offset}, {"handle", round_handle},
        {"names", round_names},   {"end", round_end},       {"list", round_list},
        {"rename", round_rename},
    };

    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
        if (!strcmp(modes[i].name, mode))
            return modes[i].round;
    return NULL;
}

static void begin_session(struct raw *r, const char *path, const char *export_name)
{
    if (raw_connect(r, path, export_name, PAGES) != 0)
        raw_die("refused");
    set_name(r, "file");
    file_handle = by_name(r, RAW_OPEN);
    if (file_handle < 0)
        raw_die("cannot open file");
}

/* Rounds under fire for some time. */
static const char *run(struct raw *r, round_fn *one, const char *mode, double seconds)
{
    uint64_t rounds = 0, end = raw_now_ms() + (uint64_t)(1000 * seconds);
    struct flipper f = {.at = NULL};
    const char *bad = NULL;
    pthread_t thread;

    if (pthread_create(&thread, NULL, flip, &f) != 0)
        raw_die("pthread_create");
    while (!bad && raw_now_ms() < end) {
        bad = one(r, &f);
        rounds++;
    }
    __atomic_store_n(&f.stop, 1, __ATOMIC_RELEASE);
    pthread_join(thread, NULL);
    printf("%s: %llu requests, %llu flips\n", mode, (unsigned long long)rounds,
           (unsigned long long)f.flips);
    return bad;
}

int main(int argc, char **argv)
{
    int three = argc > 1 && !strcmp(argv[1], "-3");
    char **a = argv + three;
    const char *bad;
    round_fn *one;
    struct raw r;

    if (argc - three != 5)
        raw_die("usage: flip [-3] SOCKET EXPORT MODE SECONDS");
    one = three ? flip3_find(a[3]) : find_mode(a[3]);
    if (!one)
        raw_die("no such mode");
    (three ? flip3_begin : begin_session)(&r, a[1], a[2]);
    bad = run(&r, one, a[3], atof(a[4]));
    if (three && !bad)
        bad = flip3_end(&r);
    if (bad)
        printf("ILLEGAL ANSWER: %s\n", bad);
    return bad ? 1 : 0;
}
