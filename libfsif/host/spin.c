/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "spin.h"

#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "barrier.h"

/*
 * A wait goes: pauses, yield, pauses, yield, ... until there is something or the budget is used up.
 *
 *    budget 0 ------------------------------------------------> sleep
 *    pauses --> yield --> pauses --> yield ... budget over ---> sleep
 *       |         |         |          |
 *       +---------+---------+----------+--> found
 *
 * Three things are learned.
 *
 * How long (budget_): success doubles it up to the limit, a wait in vain halves it, and below a
 * sixteenth of the limit it is 0: an idle ring polls a few times and then no more. While it is
 * short, the sleeps tell: one that was over so soon that polling would have found it is a hint, and
 * after enough hints the next wait polls for the whole limit (a probe). A probe in vain doubles the
 * hints that the next one takes (doubts_), so waits that are a little too long for us cost little.
 *
 * How (pauses_): what is found while we pause, or after a yield that came back at once, was done by
 * another core: more pauses, fewer system calls. What is found after a yield that took long enough
 * for somebody else to run was done on this core: fewer pauses, down to none, for they hold it up.
 * At none the other side is taken to share our core (local_).
 *
 * Whether to yield (crowded_): a yield that took very long gave the core to somebody who does not
 * care for us. Then some waits do without, and sleep after a few pauses: whoever is woken gets the
 * core back sooner than whoever yielded. The same where the other side shares our core (local_) and
 * yields came back at once before one let it run: a fair scheduler gives the core only to whoever
 * has had less of it, so a side that has little to do would burn as much time as the other works.
 *
 * On a machine with one core nothing pauses, and a yield that comes back at once says that nobody
 * else could run: sleep. A thread that may use one core of several does not know where the other
 * side is; it begins with yields.
 */

#define PAUSES_FIRST 64u
#define PAUSES_MAX 256u
#define PAUSES_LEAST 8u

/* Nobody switches to another thread and back in less, and an empty yield does not take more: where
 * system calls are quick. Where they are slow it is twice what an empty yield costs. */
#define HANDOVER_NS 1000u
#define CALL_TRIES 8

/* A yield that took longer may have been anybody's: the other side, or somebody who has nothing to
 * do with us. */
#define DOUBTFUL_NS 20000u

/* And one that took even longer was a time slice of somebody else's. */
#define SLICE_NS 200000u

/* What it may cost that both sides are woken. A sleep that took no longer than this and the limit
 * is a hint. */
#define WAKE_NS 200000u

/* Yielding in vain for longer than so many handovers costs more than to sleep and be woken on the
 * same core. If it happens twice in a row, which no passing disturbance does, so many waits sleep
 * at once, more of them each time. The wait after them polls for a part of the limit, in case the
 * other side has moved to another core. */
#define REFUSED_HANDOVERS 2u
#define REFUSED_TWICE 2u
#define REFUSED_WAITS 32u
#define REFUSED_MOST 5u
#define REFUSED_SHARE 4u

#define BUDGET_SHARES 16u
#define DOUBTS_MAX 63u
#define CROWD_FIRST 16u
#define CROWD_MAX 1024u
#define YIELDS_ALONE 4u

/* --- the machine -------------------------------------------------------------------------- */

/* Tell the core that we poll: it saves power, and leaves more to its other thread. */
static inline void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("isb" ::: "memory"); /* its yield returns at once */
#elif defined(__arm__)
    __asm__ __volatile__("yield" ::: "memory");
#elif defined(__riscv)
    __asm__ __volatile__(".4byte 0x0100000f" ::: "memory"); /* pause; a hint everywhere else */
#elif defined(__powerpc__)
    __asm__ __volatile__("or 27,27,27" ::: "memory");
#else
    __asm__ __volatile__("" ::: "memory");
#endif
}

static inline void pause_once(const struct fsif_spin *s)
{
    if (s->env_ == NULL)
        relax();
    else
        s->env_->pause(s->env_->arg);
}

static void yield(const struct fsif_spin *s)
{
    if (s->env_ == NULL)
        sched_yield();
    else
        s->env_->yield(s->env_->arg);
}

static uint64_t now_ns(const struct fsif_spin *s)
{
    struct timespec t = {0};

    if (s->env_ != NULL)
        return s->env_->now_ns(s->env_->arg);
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* More cores than a cpu_set_t has are many. */
static uint32_t usable_cores(void)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    return sched_getaffinity(0, sizeof(set), &set) == 0 ? (uint32_t)CPU_COUNT(&set) : UINT32_MAX;
}

/* What a system call costs that does nothing, nanoseconds: the least of some tries, of which the
 * first ones run into cold caches and any may be interrupted. */
static uint32_t call_ns(void)
{
    static const struct fsif_spin real;
    uint64_t least = UINT32_MAX;

    for (int i = 0; i < CALL_TRIES; i++) {
        uint64_t before = now_ns(&real);
        uint64_t took;

        (void)getppid();
        took = now_ns(&real) - before;
        if (took < least)
            least = took;
    }
    return (uint32_t)least;
}

static void init(struct fsif_spin *s, uint32_t limit_us, uint32_t online, uint32_t usable,
                 uint32_t call)
{
    uint64_t handover = 2 * ((uint64_t)call + call / 4);

    s->handover_ = handover > DOUBTFUL_NS   ? DOUBTFUL_NS
                   : handover > HANDOVER_NS ? (uint32_t)handover
                                            : HANDOVER_NS;
    s->limit_ = (limit_us < FSIF_SPIN_MAX ? limit_us : FSIF_SPIN_MAX) * 1000u;
    s->budget_ = s->limit_;
    s->alone_ = online == 1;
    s->pauses_ = online == 1 || usable == 1 ? 0 : PAUSES_FIRST;
}

void fsif_spin_init(struct fsif_spin *s, uint32_t limit_us)
{
    long online;

    memset(s, 0, sizeof(*s));
    if (limit_us == 0)
        return;
    online = sysconf(_SC_NPROCESSORS_ONLN);
    init(s, limit_us, online < 1 ? 1 : (uint32_t)online, usable_cores(), call_ns());
}

void fsi_spin_init_env(struct fsif_spin *s, uint32_t limit_us, const struct fsi_spin_env *env)
{
    memset(s, 0, sizeof(*s));
    s->env_ = env;
    init(s, limit_us, env->online, env->usable, env->call_ns);
}

/* Whether nothing but yields lets the other side run, as far as we know. */
static int is_local(const struct fsif_spin *s)
{
    return fsi_load_relaxed(&s->local_) != 0;
}

/* --- learning ----------------------------------------------------------------------------- */

static void succeed(struct fsif_spin *s)
{
    s->doubts_ = 0;
    s->hints_ = 0;
    s->probing_ = 0;
    if (s->budget_ == s->limit_)
        return;
    s->budget_ = s->budget_ < s->limit_ / 8 ? s->limit_ / 4 : 2 * s->budget_;
    if (s->budget_ > s->limit_)
        s->budget_ = s->limit_;
}

static void fail(struct fsif_spin *s)
{
    s->budget_ = s->probing_ ? 0 : s->budget_ / 2;
    if (s->budget_ < s->limit_ / BUDGET_SHARES)
        s->budget_ = 0;
    if (s->probing_)
        s->doubts_ = s->doubts_ < DOUBTS_MAX ? 2 * s->doubts_ + 1 : DOUBTS_MAX;
    s->probing_ = 0;
    s->hints_ = 0;
}

static void more_pauses(struct fsif_spin *s)
{
    if (s->alone_ || s->pauses_ == PAUSES_MAX)
        return;
    s->pauses_ = s->pauses_ < PAUSES_LEAST ? 2 * PAUSES_LEAST : 2 * s->pauses_;
    if (s->pauses_ > PAUSES_MAX)
        s->pauses_ = PAUSES_MAX;
}

static void crowd(struct fsif_spin *s)
{
    s->crowd_ = s->crowd_ == 0 ? CROWD_FIRST : 2 * s->crowd_;
    if (s->crowd_ > CROWD_MAX)
        s->crowd_ = CROWD_MAX;
    s->crowded_ = s->crowd_;
}

static uint64_t patience_once(const struct fsif_spin *s)
{
    return REFUSED_HANDOVERS * (uint64_t)s->handover_;
}

/* How long to poll now */
static uint64_t patience(const struct fsif_spin *s)
{
    uint64_t most = s->refused_ == 1 ? patience_once(s) : s->limit_ / REFUSED_SHARE;

    return s->refused_ == 0 || !is_local(s) || most > s->budget_ ? s->budget_ : most;
}

/* Yields did not let the other side run when they should. */
static void refuse(struct fsif_spin *s)
{
    if (s->refused_ < REFUSED_MOST)
        s->refused_++;
    if (s->refused_ >= REFUSED_TWICE)
        s->crowded_ = REFUSED_WAITS << (s->refused_ - REFUSED_TWICE);
}

static void found_pausing(struct fsif_spin *s)
{
    fsi_store_relaxed(&s->local_, 0);
    more_pauses(s);
    succeed(s);
}

/* @took: by the yield after which it was there; @burnt: before that yield */
static void found_yielding(struct fsif_spin *s, uint64_t took, uint64_t burnt)
{
    if (took < s->handover_) {
        more_pauses(s);
        fsi_store_relaxed(&s->local_, 0);
    } else if (took < DOUBTFUL_NS) {
        s->pauses_ = s->pauses_ / 2 < PAUSES_LEAST ? 0 : s->pauses_ / 2;
        if (s->pauses_ == 0)
            fsi_store_relaxed(&s->local_, 1);
    }
    if (burnt <= patience_once(s) || !is_local(s))
        s->refused_ = 0;
    else
        refuse(s);
    if (took >= SLICE_NS)
        crowd(s);
    else if (s->crowd_ > 0)
        s->crowd_--;
    succeed(s);
}

/* --- waiting ------------------------------------------------------------------------------ */

static inline int pause_until(const struct fsif_spin *s, uint32_t pauses, fsif_spin_ready_fn *ready,
                              void *arg)
{
    while (pauses-- > 0) {
        pause_once(s);
        if (ready(arg))
            return 1;
    }
    return 0;
}

/* Somebody else wants the core: not even a yield. */
static int wait_crowded(struct fsif_spin *s, fsif_spin_ready_fn *ready, void *arg)
{
    s->crowded_--;
    if (s->pauses_ < PAUSES_FIRST && !s->alone_ && !is_local(s) &&
        pause_until(s, PAUSES_FIRST - s->pauses_, ready, arg)) {
        found_pausing(s);
        return 1;
    }
    return 0;
}

/* @most: how long it was polled for */
static void give_up(struct fsif_spin *s, uint64_t most)
{
    if (most >= s->budget_)
        fail(s);
    if (is_local(s))
        refuse(s);
}

/* The pauses did not find it. */
static int wait_yielding(struct fsif_spin *s, fsif_spin_ready_fn *ready, void *arg)
{
    const uint64_t most = patience(s);
    uint64_t before = s->began_;
    uint32_t yields = 0;

    for (;;) {
        uint64_t after;
        uint64_t took;

        yield(s);
        after = now_ns(s);
        took = after - before;
        if (ready(arg)) {
            found_yielding(s, took, before - s->began_);
            return 1;
        }
        if (took >= SLICE_NS) {
            crowd(s);
            return 0;
        }
        if (s->alone_ && took < s->handover_)
            return 0;
        if (after - s->began_ >= most || (s->alone_ && ++yields == YIELDS_ALONE)) {
            give_up(s, most);
            return 0;
        }
        if (s->pauses_ > 0) {
            if (pause_until(s, s->pauses_, ready, arg)) {
                found_pausing(s);
                return 1;
            }
            after = now_ns(s);
        }
        before = after;
    }
}

int fsif_spin_wait(struct fsif_spin *s, fsif_spin_ready_fn *ready, void *arg)
{
    if (s->limit_ == 0)
        return 0;
    if (s->budget_ == 0) {
        s->began_ = now_ns(s);
        return 0;
    }
    /* The common case of a busy ring: found without a look at the clock. */
    if (pause_until(s, s->pauses_, ready, arg)) {
        found_pausing(s);
        return 1;
    }
    s->began_ = now_ns(s);
    return s->crowded_ > 0 ? wait_crowded(s, ready, arg) : wait_yielding(s, ready, arg);
}

int fsif_spin_shares_core(const struct fsif_spin *s)
{
    return s->alone_ || is_local(s);
}

void fsif_spin_woken(struct fsif_spin *s)
{
    if (s->limit_ == 0 || s->budget_ == s->limit_)
        return;
    if (now_ns(s) - s->began_ > (uint64_t)s->limit_ + WAKE_NS)
        return;
    if (++s->hints_ <= s->doubts_)
        return;
    s->hints_ = 0;
    s->budget_ = s->limit_;
    s->probing_ = 1;
}
