/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <pthread.h>
#include <string.h>
#include "barrier.h"
#include "spin.h"
#include "suite.h"

/*
 * Learning, in a world that is made up: a clock that moves by what pauses and yields cost, and
 * somebody who is done at a certain time, on another core or after so much time on ours.
 */

#define PAUSE_NS 40u
#define EMPTY_YIELD_NS 250u
#define SWITCH_NS 1500u
#define WAKE_NS 70000u
#define LIMIT_US 100u
#define LIMIT_NS (LIMIT_US * 1000u)

static struct world {
    uint64_t now;
    uint64_t done_at; /* on another core; UINT64_MAX: not there */
    uint64_t work;    /* on our core, while we yield; 0: none */
    uint64_t hog;     /* what somebody else takes when we yield */
    uint32_t refuse;  /* yields that come back at once all the same */
    uint32_t pauses;
    uint32_t yields;
    uint32_t looks; /* at the clock */
} world;

static struct fsif_spin spin;

static uint64_t world_now(void *arg)
{
    struct world *w = arg;

    w->looks++;
    w->now += 20;
    return w->now;
}

static void world_pause(void *arg)
{
    struct world *w = arg;

    w->pauses++;
    w->now += PAUSE_NS;
}

static void world_yield(void *arg)
{
    struct world *w = arg;

    w->yields++;
    w->now += EMPTY_YIELD_NS + w->hog;
    if (w->refuse > 0) {
        w->refuse--;
    } else if (w->work > 0) {
        w->now += SWITCH_NS + w->work;
        w->work = 0;
        w->done_at = w->now;
    }
}

static int world_ready(void *arg)
{
    const struct world *w = arg;

    return w->now >= w->done_at;
}

static const struct fsi_spin_env cores2 = {
    world_now, world_pause, world_yield, &world, 2, 2, 100,
};
static const struct fsi_spin_env cores1 = {
    world_now, world_pause, world_yield, &world, 1, 1, 100,
};
static const struct fsi_spin_env pinned = {
    world_now, world_pause, world_yield, &world, 2, 1, 100,
};

/* A machine whose system calls are slow. */
static const struct fsi_spin_env slow_calls = {
    world_now, world_pause, world_yield, &world, 2, 1, 1100,
};

static void begin(uint32_t limit_us, const struct fsi_spin_env *env)
{
    memset(&world, 0, sizeof(world));
    world.now = 1000000000;
    fsi_spin_init_env(&spin, limit_us, env);
}

static void forget_counts(void)
{
    world.pauses = world.yields = world.looks = 0;
}

/* A wait for something that another core does in @ns. Return: what fsif_spin_wait() did; a sleep
 * ends when it is done and we are woken. @spent: receives the time polled */
static int wait_remote(uint64_t ns, uint64_t *spent)
{
    uint64_t start = world.now;
    int found;

    world.done_at = world.now + ns;
    world.work = 0;
    found = fsif_spin_wait(&spin, world_ready, &world);
    if (spent != NULL)
        *spent = world.now - start;
    if (!found) {
        if (world.now < world.done_at)
            world.now = world.done_at;
        world.now += WAKE_NS;
        fsif_spin_woken(&spin);
    }
    return found;
}

/* A wait for something that is done on our core as soon as we let go of it. */
static int wait_local(uint64_t ns)
{
    int found;

    world.done_at = UINT64_MAX;
    world.work = ns;
    found = fsif_spin_wait(&spin, world_ready, &world);
    if (!found) {
        world.now += SWITCH_NS + ns;
        fsif_spin_woken(&spin);
    }
    return found;
}

START_TEST(limit_0_sleeps_at_once)
{
    uint64_t spent;

    begin(0, &cores2);
    ck_assert_int_eq(wait_remote(100, &spent), 0);
    ck_assert_uint_eq(spent, 0);
    ck_assert_uint_eq(world.pauses + world.yields + world.looks, 0);
}
END_TEST

START_TEST(busy_ring_needs_no_clock)
{
    begin(LIMIT_US, &cores2);
    ck_assert_int_eq(wait_remote(1500, NULL), 1);
    ck_assert_int_eq(wait_remote(1500, NULL), 1);
    ck_assert_uint_gt(world.pauses, 0);
    ck_assert_uint_eq(world.yields, 0);
    ck_assert_uint_eq(world.looks, 0);
}
END_TEST

START_TEST(longer_waits_learn_to_pause)
{
    begin(LIMIT_US, &cores2);
    for (int i = 0; i < 8; i++)
        ck_assert_int_eq(wait_remote(8000, NULL), 1);
    forget_counts();
    ck_assert_int_eq(wait_remote(8000, NULL), 1);
    ck_assert_uint_eq(world.yields, 0);
}
END_TEST

START_TEST(same_core_learns_to_yield_and_back)
{
    begin(LIMIT_US, &cores2);
    for (int i = 0; i < 6; i++)
        ck_assert_int_eq(wait_local(2000), 1);
    forget_counts();
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(wait_local(2000), 1);
    ck_assert_uint_eq(world.pauses, 0);
    ck_assert_uint_eq(world.yields, 10);

    /* The other side moves to another core. */
    for (int i = 0; i < 8; i++)
        ck_assert_int_eq(wait_remote(1500, NULL), 1);
    forget_counts();
    ck_assert_int_eq(wait_remote(1500, NULL), 1);
    ck_assert_uint_eq(world.yields, 0);
}
END_TEST

START_TEST(one_core_allowed_begins_with_yields)
{
    begin(LIMIT_US, &pinned);
    ck_assert_int_eq(wait_local(2000), 1);
    ck_assert_uint_eq(world.pauses, 0);
    for (int i = 0; i < 8; i++)
        ck_assert_int_eq(wait_remote(1500, NULL), 1);
    forget_counts();
    ck_assert_int_eq(wait_remote(1500, NULL), 1);
    ck_assert_uint_eq(world.yields, 0);
}
END_TEST

/* An empty yield that takes long because every call does is no sign of the other side. */
START_TEST(slow_calls_are_no_handovers)
{
    begin(LIMIT_US, &slow_calls);
    world.hog = 1100;
    for (int i = 0; i < 8; i++)
        ck_assert_int_eq(wait_remote(3000, NULL), 1);
    forget_counts();
    ck_assert_int_eq(wait_remote(3000, NULL), 1);
    ck_assert_uint_eq(world.yields, 0);
    ck_assert_int_eq(fsif_spin_shares_core(&spin), 0);
}
END_TEST

/* Waits on our core in which @refuse yields come back at once. Return: how many polled */
static uint32_t refused(uint32_t waits, uint32_t refuse)
{
    uint32_t polled = 0;

    for (uint32_t i = 0; i < waits; i++) {
        forget_counts();
        world.refuse = refuse;
        wait_local(60000);
        polled += world.yields > 0;
    }
    world.refuse = 0;
    return polled;
}

/* A scheduler that lets the other side run only when we have had as much time as it. */
START_TEST(refused_yields_give_way_to_sleep)
{
    begin(LIMIT_US, &cores2);
    for (int i = 0; i < 16; i++)
        ck_assert_int_eq(wait_local(3000), 1);
    ck_assert_int_eq(fsif_spin_shares_core(&spin), 1);
    ck_assert_uint_eq(refused(1, 40), 1);
    ck_assert_uint_eq(refused(100, 0), 100); /* once is a disturbance */
    ck_assert_uint_eq(refused(100, 40), 4);
    ck_assert_uint_eq(refused(128, 0), 0); /* longer and longer */
    ck_assert_uint_eq(refused(40, 4), 40); /* a few are cheaper than to sleep */
    ck_assert_int_eq(fsif_spin_shares_core(&spin), 1);
}
END_TEST

/* A yield that somebody else made long proves nothing yet. */
START_TEST(one_long_yield_is_no_shared_core)
{
    begin(LIMIT_US, &cores2);
    world.hog = 5000;
    ck_assert_int_eq(wait_remote(4000, NULL), 1);
    ck_assert_uint_eq(world.yields, 1);
    ck_assert_int_eq(fsif_spin_shares_core(&spin), 0);
}
END_TEST

START_TEST(never_longer_than_the_limit)
{
    uint64_t spent;

    begin(LIMIT_US, &cores2);
    ck_assert_int_eq(wait_remote(50000000, &spent), 0);
    ck_assert_uint_ge(spent, LIMIT_NS);
    ck_assert_uint_lt(spent, LIMIT_NS + LIMIT_NS / 4);
}
END_TEST

START_TEST(idle_ring_polls_no_more)
{
    uint64_t spent;

    begin(LIMIT_US, &cores2);
    for (int i = 0; i < 8; i++)
        ck_assert_int_eq(wait_remote(10000000, NULL), 0);
    forget_counts();
    ck_assert_int_eq(wait_remote(10000000, &spent), 0);
    ck_assert_uint_eq(world.pauses + world.yields, 0);

    /* The first short sleep brings it back. */
    ck_assert_int_eq(wait_remote(2000, NULL), 0);
    ck_assert_int_eq(wait_remote(2000, NULL), 1);
}
END_TEST

START_TEST(one_silence_among_many_is_forgiven)
{
    begin(LIMIT_US, &cores2);
    for (int i = 0; i < 20; i++) {
        ck_assert_int_eq(wait_remote(10000000, NULL), 0);
        ck_assert_int_eq(wait_remote(2000, NULL), 1);
    }
}
END_TEST

/* Waits that are always a little too long: what is polled in vain goes to nothing. */
START_TEST(probes_in_vain_get_rare)
{
    uint64_t total = 0;
    uint64_t spent;

    begin(LIMIT_US, &cores2);
    for (int i = 0; i < 1000; i++) {
        ck_assert_int_eq(wait_remote(LIMIT_NS + 25000, &spent), 0);
        total += spent;
    }
    ck_assert_uint_lt(total, 30u * LIMIT_NS);
    /* And it comes back when they are short. */
    for (int i = 0; i < 64; i++)
        wait_remote(2000, NULL);
    ck_assert_int_eq(wait_remote(2000, NULL), 1);
}
END_TEST

START_TEST(budget_grows_with_success)
{
    uint64_t spent;

    begin(LIMIT_US, &cores2);
    for (int i = 0; i < 2; i++)
        wait_remote(10000000, NULL);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(wait_remote(2000, NULL), 1);
    ck_assert_int_eq(wait_remote(90000, &spent), 1);
}
END_TEST

START_TEST(hog_is_not_yielded_to)
{
    uint32_t yields = 0;

    begin(LIMIT_US, &cores2);
    world.hog = 3000000;
    for (int i = 0; i < 100; i++) {
        forget_counts();
        wait_remote(30000, NULL);
        /* It is no reason not to poll for what comes at once. */
        ck_assert_uint_gt(world.pauses, 0);
        yields += world.yields;
    }
    ck_assert_uint_gt(yields, 0);
    ck_assert_uint_lt(yields, 8);

    /* It went away: yields are tried again. */
    world.hog = 0;
    for (int i = 0; i < 2000; i++)
        wait_remote(30000, NULL);
    ck_assert_int_eq(wait_remote(30000, NULL), 1);
}
END_TEST

/* A slice that was given away says nothing about how long one should have polled. */
START_TEST(hog_does_not_end_polling)
{
    begin(LIMIT_US, &cores2);
    world.hog = 3000000;
    for (int i = 0; i < 200; i++)
        ck_assert_int_eq(wait_remote(10000000, NULL), 0);
    ck_assert_int_eq(wait_remote(2000, NULL), 1);
}
END_TEST

/* Yields that somebody else used, for not quite so long, say nothing about where the other side is.
 */
START_TEST(doubtful_yields_teach_nothing)
{
    begin(LIMIT_US, &cores2);
    world.hog = 50000;
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(wait_remote(30000, NULL), 1);
    world.hog = 0;
    forget_counts();
    ck_assert_int_eq(wait_remote(2000, NULL), 1);
    ck_assert_uint_eq(world.yields, 0);
}
END_TEST

START_TEST(one_core_hands_over)
{
    begin(LIMIT_US, &cores1);
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(wait_local(2000), 1);
    ck_assert_uint_eq(world.pauses, 0);
    ck_assert_uint_eq(world.yields, 10);
}
END_TEST

START_TEST(one_core_sleeps_when_nobody_else_can_run)
{
    begin(LIMIT_US, &cores1);
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(wait_remote(20000, NULL), 0);
    ck_assert_uint_eq(world.pauses, 0);
    ck_assert_uint_eq(world.yields, 10);
}
END_TEST

/* Others run, but not whom we wait for. */
START_TEST(one_core_gives_up_soon)
{
    begin(LIMIT_US, &cores1);
    world.hog = 5000;
    ck_assert_int_eq(wait_remote(50000000, NULL), 0);
    ck_assert_uint_le(world.yields, 4);
    for (int i = 0; i < 8; i++)
        wait_remote(50000000, NULL);
    forget_counts();
    ck_assert_int_eq(wait_remote(50000000, NULL), 0);
    ck_assert_uint_eq(world.yields, 0);
}
END_TEST

/* --- the machine as it is ------------------------------------------------------------------- */

static struct fsif_shared_u32 ball;

struct player {
    uint32_t mine;
    struct fsif_spin spin;
};

static int my_turn(void *arg)
{
    const struct player *p = arg;

    return (fsi_load_acquire(&ball) & 1) == p->mine;
}

static void *play(void *arg)
{
    struct player *p = arg;

    fsif_spin_init(&p->spin, FSIF_SPIN_DEFAULT);
    for (int i = 0; i < 2000; i++) {
        while (!my_turn(p)) {
            if (!fsif_spin_wait(&p->spin, my_turn, p))
                fsif_spin_woken(&p->spin);
        }
        fsi_store_release(&ball, fsi_load_relaxed(&ball) + 1);
    }
    return NULL;
}

START_TEST(two_threads_play)
{
    struct player players[2] = {{.mine = 0}, {.mine = 1}};
    pthread_t thread;

    fsi_store_release(&ball, 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, play, &players[1]), 0);
    play(&players[0]);
    pthread_join(thread, NULL);
    ck_assert_uint_eq(fsi_load_acquire(&ball), 4000);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("host_spin");
    TCase *tc = tcase_create("learning");

    tcase_add_test(tc, limit_0_sleeps_at_once);
    tcase_add_test(tc, busy_ring_needs_no_clock);
    tcase_add_test(tc, longer_waits_learn_to_pause);
    tcase_add_test(tc, same_core_learns_to_yield_and_back);
    tcase_add_test(tc, one_core_allowed_begins_with_yields);
    tcase_add_test(tc, slow_calls_are_no_handovers);
    tcase_add_test(tc, refused_yields_give_way_to_sleep);
    tcase_add_test(tc, one_long_yield_is_no_shared_core);
    tcase_add_test(tc, never_longer_than_the_limit);
    tcase_add_test(tc, idle_ring_polls_no_more);
    tcase_add_test(tc, one_silence_among_many_is_forgiven);
    tcase_add_test(tc, probes_in_vain_get_rare);
    tcase_add_test(tc, budget_grows_with_success);
    tcase_add_test(tc, hog_is_not_yielded_to);
    tcase_add_test(tc, hog_does_not_end_polling);
    tcase_add_test(tc, doubtful_yields_teach_nothing);
    tcase_add_test(tc, one_core_hands_over);
    tcase_add_test(tc, one_core_sleeps_when_nobody_else_can_run);
    tcase_add_test(tc, one_core_gives_up_soon);
    suite_add_tcase(s, tc);
    tc = tcase_create("machine");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, two_threads_play);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
