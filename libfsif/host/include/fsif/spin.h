/* SPDX-License-Identifier: MIT */
#ifndef FSIF_SPIN_H
#define FSIF_SPIN_H

/*
 * Adaptive waiting: whether to poll for what somebody else is about to do, how, and for how long,
 * before one sleeps. Waking a sleeper on another core costs some 50 microseconds, seeing a word
 * change while one polls costs 0.3; but whoever polls on the core that the other needs holds up
 * what it waits for. Which of them holds is learned from each wait. How to use it:
 *
 *     for (;;) {
 *         if (take_what_there_is())
 *             continue;
 *         if (fsif_spin_wait(&spin, is_there_something, arg))   polled, with success
 *             continue;
 *         if (arm_the_bell())                                   only now: no bell while we poll
 *             continue;
 *         sleep_on_the_bell();
 *         fsif_spin_woken(&spin);                               how long it took is learned from
 *     }
 *
 * A struct fsif_spin belongs to one ring and to the thread that waits there; it may be handed on
 * together with that role. Nothing here sleeps, allocates or starts a thread. An idle ring costs
 * nothing: a wait that was in vain is cut shorter the next time, down to none.
 */

#include <stdint.h>
#include <fsif/wire.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A good longest time for fsif_spin_init(), microseconds: what a wake-up across cores costs */
#define FSIF_SPIN_DEFAULT 100u
#define FSIF_SPIN_MAX 1000000u

struct fsi_spin_env;

/* Fields are private. */
struct fsif_spin {
    const struct fsi_spin_env *env_;
    uint64_t began_;
    uint32_t limit_;
    uint32_t budget_;
    uint32_t pauses_;
    uint32_t hints_;
    uint32_t doubts_;
    uint32_t probing_;
    uint32_t crowd_;
    uint32_t crowded_;
    uint32_t alone_;
    uint32_t handover_;
    struct fsif_shared_u32 local_; /* the one that others may look at */
    uint32_t refused_;
};

/** Return: 1 there is something, 0 not yet. Cheap, without side effects, called very often */
typedef int fsif_spin_ready_fn(void *arg);

/**
 * fsif_spin_init - begin to learn
 *
 * @limit_us: no wait polls longer than this; more than FSIF_SPIN_MAX is taken as that; 0: every
 *            wait sleeps at once
 *
 * Looks at how many cores there are, in files of the system too, and at what system calls cost:
 * before a sandbox is closed.
 */
void fsif_spin_init(struct fsif_spin *s, uint32_t limit_us);

/**
 * fsif_spin_wait - poll for a while
 *
 * For a caller that has just looked and found nothing.
 *
 * Return: 1 @ready said so; 0 sleep now, and call fsif_spin_woken() afterwards
 */
int fsif_spin_wait(struct fsif_spin *s, fsif_spin_ready_fn *ready, void *arg);

/** fsif_spin_woken - what was waited for is there, or was not waited for any longer */
void fsif_spin_woken(struct fsif_spin *s);

/**
 * fsif_spin_shares_core - whether the other side seems to run on the core of whoever waits
 *
 * Return:  1: so both never work at once; 0: they do, or nobody knows
 * Threads: any
 */
int fsif_spin_shares_core(const struct fsif_spin *s);

#ifdef __cplusplus
}
#endif
#endif
