/* SPDX-License-Identifier: MIT */

/* The memory store: locks. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "store_memory_fixture.h"

static int lock(uint64_t file, uint32_t mode, uint64_t off, uint64_t len)
{
    struct fsif_lock l = {.mode = mode, .offset = off, .length = len};

    return OPS->lock(store, file, 0, &l);
}

static int flock_it(uint64_t file, uint32_t mode)
{
    struct fsif_lock l = {.mode = mode};

    return OPS->lock(store, file, FSIF_LOCK_WHOLE, &l);
}

/* Who is in the way of a lock of all from @off? "none", or for example "x 10+5". */
static const char *in_the_way(uint64_t file, uint32_t mode, uint64_t off)
{
    struct fsif_lock l = {.mode = mode, .offset = off};
    static char text[64];

    ck_ok(OPS->lock(store, file, FSIF_LOCK_TEST, &l));
    if (l.mode == FSIF_LOCK_UNLOCK)
        return "none";
    snprintf(text, sizeof(text), "%c %u+%u", l.mode == FSIF_LOCK_SHARED ? 's' : 'x',
             (unsigned int)l.offset, (unsigned int)l.length);
    return text;
}

#define EX FSIF_LOCK_EXCLUSIVE
#define SH FSIF_LOCK_SHARED
#define UN FSIF_LOCK_UNLOCK

START_TEST(shared_and_exclusive)
{
    uint64_t f = opened("f", NEW), g = opened("f", FSIF_O_RDWR);

    ck_ok(lock(f, SH, 0, 100));
    ck_ok(lock(g, SH, 50, 100));
    ck_fails(lock(g, EX, 0, 10), FSIF_EAGAIN);
    ck_fails(lock(f, EX, 140, 20), FSIF_EAGAIN);
    ck_ok(lock(f, EX, 150, 0));
    ck_fails(lock(g, SH, 149, 2), FSIF_EAGAIN);
    ck_fails(lock(g, SH, INT64_MAX, 0), FSIF_EAGAIN);
    ck_ok(lock(f, UN, 0, 0));
    ck_ok(lock(g, EX, 0, 0));
    ck_fails(lock(f, SH, 7, 1), FSIF_EAGAIN);
    ck_ok(OPS->close(store, g)); /* which lets them go */
    ck_ok(lock(f, EX, 0, 0));
}
END_TEST

START_TEST(split_and_merged)
{
    uint64_t f = opened("f", NEW), g = opened("f", FSIF_O_RDWR);

    ck_ok(lock(f, EX, 10, 20));
    ck_ok(lock(f, UN, 15, 5)); /* 10+5, 20+10 */
    ck_assert_str_eq(in_the_way(g, SH, 0), "x 10+5");
    ck_assert_str_eq(in_the_way(g, SH, 15), "x 20+10");
    ck_ok(lock(g, EX, 15, 5));
    ck_ok(lock(g, UN, 0, 0));
    ck_ok(lock(f, SH, 22, 3)); /* 20+2 x, 22+3 s, 25+5 x */
    ck_assert_str_eq(in_the_way(g, SH, 22), "x 25+5");
    ck_assert_str_eq(in_the_way(g, EX, 22), "s 22+3");
    ck_assert_str_eq(in_the_way(g, EX, 15), "x 20+2");
    ck_ok(lock(f, EX, 22, 3)); /* one again */
    ck_assert_str_eq(in_the_way(g, SH, 15), "x 20+10");
    ck_ok(lock(f, EX, 15, 5));
    ck_assert_str_eq(in_the_way(g, SH, 0), "x 10+20");
    ck_ok(lock(f, SH, 0, 0));
    ck_assert_str_eq(in_the_way(g, EX, 0), "s 0+0");
    ck_assert_str_eq(in_the_way(g, SH, 0), "none");
    ck_assert_str_eq(in_the_way(f, EX, 0), "none");
    ck_ok(lock(f, UN, 5, 0));
    ck_assert_str_eq(in_the_way(g, EX, 0), "s 0+5");
    ck_ok(lock(f, UN, 0, 2));
    ck_assert_str_eq(in_the_way(g, EX, 0), "s 2+3");
}
END_TEST

/* Random locks of three owners against one letter for each byte and owner. */
START_TEST(locks_against_a_model)
{
    enum { OWNERS = 3, BYTES = 40 };
    uint64_t f[OWNERS];
    char model[OWNERS][BYTES];

    srand(3);
    memset(model, 'u', sizeof(model));
    for (int i = 0; i < OWNERS; i++)
        f[i] = opened("f", FSIF_O_RDWR | FSIF_O_CREAT);
    for (int step = 0; step < 20000; step++) {
        unsigned int me = (unsigned int)rand() % OWNERS, first = (unsigned int)rand() % BYTES;
        unsigned int len = 1 + (unsigned int)rand() % (BYTES - first);
        int clash = 0, r;
        uint32_t mode = SH + (uint32_t)rand() % 3;
        char letter = " sxu"[mode];

        for (unsigned int o = 0; o < OWNERS; o++)
            for (unsigned int b = first; b < first + len; b++)
                clash |= o != me && mode != UN && model[o][b] != 'u' &&
                         (mode == EX || model[o][b] == 'x');
        r = lock(f[me], mode, first, len);
        ck_assert_int_eq(r, clash ? -FSIF_EAGAIN : 0);
        if (!clash)
            memset(model[me] + first, letter, len);
    }
}
END_TEST

START_TEST(refused_locks)
{
    const uint32_t test = FSIF_LOCK_TEST;
    uint64_t f = opened("f", NEW), r = opened("f", 0), w = opened("f", FSIF_O_WRONLY);
    uint64_t d = opened(".", 0);

    ck_fails(lock(r, EX, 0, 1), FSIF_EBADF);
    ck_fails(lock(w, SH, 0, 1), FSIF_EBADF);
    ck_ok(lock(r, SH, 0, 1));
    ck_ok(lock(r, UN, 0, 1));
    ck_ok(lock(d, SH, 0, 1));
    ck_fails(lock(99, SH, 0, 1), FSIF_EBADF);
    ck_fails(lock(f, 0, 0, 1), FSIF_EINVAL);
    ck_fails(lock(f, 4, 0, 1), FSIF_EINVAL);
    ck_fails(lock(f, EX, UINT64_MAX, 1), FSIF_EINVAL);
    ck_fails(lock(f, EX, 1, UINT64_MAX), FSIF_EINVAL);
    ck_fails(lock(f, EX, INT64_MAX, 2), FSIF_EOVERFLOW);
    ck_ok(lock(f, EX, INT64_MAX, 1));
    ck_fails(OPS->lock(store, f, test, &(struct fsif_lock){.mode = UN}), FSIF_EINVAL);
    ck_fails(OPS->lock(store, f, 16, &(struct fsif_lock){.mode = EX}), FSIF_EINVAL);
}
END_TEST

START_TEST(whole_files)
{
    struct fsif_lock l = {.mode = SH};
    uint64_t f = opened("f", NEW), g = opened("f", 0), d = opened(".", 0);

    ck_ok(lock(f, EX, 0, 0));
    ck_ok(flock_it(g, EX)); /* the two kinds know nothing of each other */
    ck_fails(flock_it(f, SH), FSIF_EAGAIN);
    ck_fails(OPS->lock(store, f, FSIF_LOCK_WHOLE | FSIF_LOCK_TEST, &l), FSIF_EINVAL);
    ck_ok(flock_it(g, SH));
    ck_ok(flock_it(f, SH));
    ck_fails(flock_it(g, EX), FSIF_EAGAIN); /* and has lost what it had */
    ck_ok(flock_it(f, EX));
    ck_ok(flock_it(f, UN));
    ck_ok(flock_it(g, EX));
    ck_ok(OPS->close(store, g));
    ck_ok(flock_it(f, EX));
    ck_ok(flock_it(d, EX));
}
END_TEST

START_TEST(b24_locks)
{
    uint64_t f = opened("f", NEW);
    uint64_t n = 0;

    for (; lock(f, EX, 2 * n, 1) == 0; n++)
        ck_assert_uint_lt(n, 4097);
    ck_assert_uint_eq(n, 4096);
    ck_fails(lock(f, EX, 2 * n, 1), FSIF_ENOLCK);
    ck_ok(lock(f, UN, 0, 0));
    ck_ok(lock(f, EX, 0, 0));
    /* Nor by cutting. */
    for (n = 0; lock(f, UN, 2 * n + 1, 1) == 0; n++)
        ck_assert_uint_lt(n, 4097);
    ck_assert_uint_eq(n, 4095);
    ck_ok(OPS->close(store, f));
    f = opened("f", FSIF_O_RDWR);
    ck_ok(lock(f, EX, 0, 0));
}
END_TEST

void add_locks(TCase *c)
{
    tcase_add_test(c, shared_and_exclusive);
    tcase_add_test(c, split_and_merged);
    tcase_add_test(c, locks_against_a_model);
    tcase_add_test(c, refused_locks);
    tcase_add_test(c, whole_files);
    tcase_add_test(c, b24_locks);
}
