/* SPDX-License-Identifier: MIT */
#include "guard.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <ucontext.h>
#include <fsif/host.h>

/* A copy under way in this thread */
struct guard {
    sigjmp_buf back;
    uintptr_t from;
    size_t len;
};

static _Thread_local struct guard *volatile under_way;
static struct sigaction before;

/* A call that the compiler cannot see through stays between the marks before and after it. */
static void *(*volatile copy)(void *, const void *, size_t) = memcpy;

static void on_fault(int sig, siginfo_t *info, void *context)
{
    const ucontext_t *at = context;
    struct guard *g = under_way;

    if (info->si_code > 0 && g != NULL && (uintptr_t)info->si_addr - g->from < g->len) {
        /* Saving the mask with each copy would be a system call. */
        pthread_sigmask(SIG_SETMASK, &at->uc_sigmask, NULL);
        siglongjmp(g->back, 1);
    }
    /* Not ours: what would have happened without us. A fault comes again, a sent signal does not.
     */
    sigaction(sig, &before, NULL);
    if (info->si_code <= 0)
        raise(sig);
}

int fsi_guard_install(void)
{
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    struct sigaction was;

    sigemptyset(&action.sa_mask);
    if (sigaction(SIGBUS, &action, &was) != 0)
        return -fsif_errno_from_host(errno);
    if (was.sa_sigaction != on_fault)
        before = was;
    return 0;
}

int fsi_guarded_copy(void *dst, const void *src, size_t len)
{
    struct guard g = {.from = (uintptr_t)src, .len = len};
    int err = 0;

    if (sigsetjmp(g.back, 0) == 0) {
        under_way = &g;
        copy(dst, src, len);
    } else {
        err = -FSIF_EIO;
    }
    under_way = NULL;
    return err;
}
