/* SPDX-License-Identifier: MIT */
/* What all sessions share: places for threads that look out for requests, and counts of moves. */
#include <check.h>
#include <fcntl.h>
#include <fsif/error.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>
#include "common.h"
#include "suite.h"

static struct fsi_common ours;
static struct fsi_common theirs; /* as another process maps them */
static int fd;

static void begin(uint32_t count)
{
    ck_assert_int_eq(fsi_common_create(count, &ours, &fd), 0);
    ck_assert_int_eq(fsi_common_map(fd, count, &theirs), 0);
}

static void end(void)
{
    fsi_common_unmap(&ours);
    fsi_common_unmap(&theirs);
    close(fd);
}

START_TEST(test_places)
{
    int first;
    int second;

    begin(2);
    first = fsi_spinners_take(&ours, 7);
    second = fsi_spinners_take(&theirs, 8);
    ck_assert(first >= 0 && second >= 0 && first != second);
    ck_assert_int_eq(fsi_spinners_take(&ours, 9), -1);
    ck_assert_int_eq(fsi_spinners_take(&theirs, 7), -1);
    fsi_spinners_leave(&ours, -1);
    ck_assert_int_eq(fsi_spinners_take(&ours, 9), -1);
    fsi_spinners_leave(&ours, first);
    ck_assert_int_eq(fsi_spinners_take(&theirs, 9), first);
    end();
}
END_TEST

/* What a process held when it died is free again, and nothing else is. */
START_TEST(test_dead_session)
{
    int kept;

    begin(4);
    ck_assert_int_ge(fsi_spinners_take(&theirs, 5), 0);
    kept = fsi_spinners_take(&theirs, 6);
    ck_assert_int_ge(fsi_spinners_take(&theirs, 5), 0);
    ck_assert_int_ge(fsi_spinners_take(&theirs, 5), 0);
    ck_assert_int_eq(fsi_spinners_take(&theirs, 5), -1);
    fsi_spinners_forget(&ours, 5);
    for (int i = 0; i < 3; i++) {
        int place = fsi_spinners_take(&ours, 9);

        ck_assert(place >= 0 && place != kept);
    }
    ck_assert_int_eq(fsi_spinners_take(&ours, 9), -1);
    end();
}
END_TEST

START_TEST(test_none)
{
    struct fsi_common zero = {NULL, 0, NULL};

    begin(0);
    ck_assert_int_eq(fsi_spinners_take(&ours, 1), -1);
    ck_assert_int_eq(fsi_spinners_take(&zero, 1), -1);
    fsi_spinners_forget(&zero, 1);
    ck_assert_int_eq(fsi_common_map(fd, FSI_SPINNERS_MAX + 1, &zero), -FSIF_EINVAL);
    end();
}
END_TEST

/* A worker that is compromised cannot take the page away from under the others. */
START_TEST(test_sealed)
{
    begin(1);
    ck_assert_int_lt(ftruncate(fd, 0), 0);
    ck_assert_int_lt(ftruncate(fd, 1 << 20), 0);
    ck_assert_int_lt(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE), 0);
    end();
}
END_TEST

/* Each process counts for all, and exports of other names mostly do not meet. */
START_TEST(test_moves)
{
    struct fsi_common zero = {NULL, 0, NULL};
    uint32_t before;

    begin(1);
    before = fsi_moves_add(fsi_moves_of(&ours, "data"), 0);
    ck_assert_uint_eq(fsi_moves_add(fsi_moves_of(&theirs, "data"), 1), before + 1);
    ck_assert_uint_eq(fsi_moves_add(fsi_moves_of(&ours, "data"), 0), before + 1);
    ck_assert_uint_eq(fsi_moves_add(fsi_moves_of(&ours, "docs"), 0), before);
    fsi_moves_unknown(&theirs);
    ck_assert_uint_eq(fsi_moves_add(fsi_moves_of(&ours, "data"), 0), before + 2);
    ck_assert_uint_eq(fsi_moves_add(fsi_moves_of(&ours, "docs"), 0), before + 1);
    ck_assert_int_eq(fsi_spinners_take(&ours, 7), 0);
    ck_assert_int_eq(fsi_spinners_take(&ours, 8), -1);
    ck_assert_ptr_null(fsi_moves_of(&zero, "data"));
    end();
}
END_TEST

START_TEST(test_cores)
{
    cpu_set_t all;
    cpu_set_t one;

    ck_assert_int_eq(sched_getaffinity(0, sizeof(all), &all), 0);
    ck_assert_int_eq((int)fsi_spinners_cores(), CPU_COUNT(&all) > 2 ? CPU_COUNT(&all) - 1 : 1);
    CPU_ZERO(&one);
    for (unsigned i = 0; i < CPU_SETSIZE && !CPU_COUNT(&one); i++)
        if (CPU_ISSET(i, &all))
            CPU_SET(i, &one);
    ck_assert_int_eq(sched_setaffinity(0, sizeof(one), &one), 0);
    ck_assert_uint_eq(fsi_spinners_cores(), 1);
}
END_TEST

static struct fsif_shared_u32 inside[2];

static void *come_and_go(void *arg)
{
    uint32_t session = *(uint32_t *)arg;

    for (int i = 0; i < 20000; i++) {
        int place = fsi_spinners_take(session % 2 ? &ours : &theirs, session);

        if (place < 0)
            continue;
        ck_assert_uint_eq(__atomic_fetch_add(&inside[place].v_, 1, __ATOMIC_SEQ_CST), 0);
        __atomic_fetch_sub(&inside[place].v_, 1, __ATOMIC_SEQ_CST);
        fsi_spinners_leave(&ours, place);
    }
    return NULL;
}

START_TEST(test_one_each)
{
    pthread_t threads[4];
    uint32_t sessions[4] = {1, 2, 3, 4};

    begin(2);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, come_and_go, &sessions[i]), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    end();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("server_common");
    TCase *t = tcase_create("all");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_places);
    tcase_add_test(t, test_dead_session);
    tcase_add_test(t, test_none);
    tcase_add_test(t, test_sealed);
    tcase_add_test(t, test_cores);
    tcase_add_test(t, test_moves);
    tcase_add_test(t, test_one_each);
    suite_add_tcase(s, t);
    return run_suite(s);
}
