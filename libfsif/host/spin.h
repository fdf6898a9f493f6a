/* SPDX-License-Identifier: MIT */
#ifndef FSI_SPIN_H
#define FSI_SPIN_H

#include <fsif/spin.h>

/* What waiting needs of the machine; tests bring their own, so that learning is repeatable. */
struct fsi_spin_env {
    uint64_t (*now_ns)(void *arg);
    void (*pause)(void *arg);
    void (*yield)(void *arg);
    void *arg;
    uint32_t online;  /* cores of the machine */
    uint32_t usable;  /* by this thread */
    uint32_t call_ns; /* what a system call costs that does nothing */
};

/** fsi_spin_init_env - as fsif_spin_init() on @env, which outlives @s */
void fsi_spin_init_env(struct fsif_spin *s, uint32_t limit_us, const struct fsi_spin_env *env);

#endif
