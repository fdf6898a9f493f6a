/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "watch.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <fsif/op.h>

#define WORDS (FSIF_PAGE_SIZE / 4)
#define WRITES 0x2 /* in the page fault's error code */
#define STEP 0x100 /* the trap flag */

static struct {
    unsigned char *page;
    uint32_t spare;
    uint32_t reads[WORDS];
} watched[WATCH_PAGES];

static unsigned count;
static unsigned char *touched; /* by the instruction under way, if it reads */

static void protect(int access)
{
    for (unsigned i = 0; i < count; i++) {
        if (mprotect(watched[i].page, FSIF_PAGE_SIZE, access))
            abort();
    }
}

#ifdef __x86_64__
static void on_fault(int number, siginfo_t *info, void *context)
{
    ucontext_t *u = context;
    unsigned char *at = info->si_addr;
    unsigned i = 0;

    while (i < count && (at < watched[i].page || at >= watched[i].page + FSIF_PAGE_SIZE))
        i++;
    if (i == count) { /* not ours: the next time it is fatal */
        signal(number, SIG_DFL);
        return;
    }
    protect(PROT_READ | PROT_WRITE);
    if (!(u->uc_mcontext.gregs[REG_ERR] & WRITES))
        touched = at;
    u->uc_mcontext.gregs[REG_EFL] |= STEP;
}

static void on_step(int number, siginfo_t *info, void *context)
{
    ucontext_t *u = context;

    (void)number;
    (void)info;
    u->uc_mcontext.gregs[REG_EFL] &= ~(greg_t)STEP;
    for (unsigned i = 0; touched && i < count; i++) {
        size_t off = (size_t)(touched - watched[i].page);

        if (touched >= watched[i].page && off < FSIF_PAGE_SIZE && off >= watched[i].spare) {
            watched[i].reads[off / 4]++;
            watched[i].page[off] ^= 0xff;
        }
    }
    touched = NULL;
    protect(PROT_NONE);
}

int watch_possible(void)
{
    return 1;
}

static void catch_both(void)
{
    struct sigaction a = {.sa_flags = SA_SIGINFO};

    a.sa_sigaction = on_fault;
    sigaction(SIGSEGV, &a, NULL);
    a.sa_sigaction = on_step;
    sigaction(SIGTRAP, &a, NULL);
}
#else
int watch_possible(void)
{
    return 0;
}

static void catch_both(void)
{
    abort();
}
#endif

void watch_begin(void *const pages[], const uint32_t spare[], unsigned n)
{
    memset(watched, 0, sizeof(watched));
    for (unsigned i = 0; i < n; i++) {
        watched[i].page = pages[i];
        watched[i].spare = spare[i];
    }
    count = n;
    catch_both();
    protect(PROT_NONE);
}

uint32_t watch_end(void)
{
    uint32_t words = 0;

    protect(PROT_READ | PROT_WRITE);
    for (unsigned i = 0; i < count; i++) {
        for (unsigned w = 0; w < WORDS; w++)
            words += watched[i].reads[w] > 0;
    }
    return words;
}

uint32_t watch_most(uint32_t *where)
{
    uint32_t most = 0;

    for (unsigned i = 0; i < count; i++) {
        for (unsigned w = 0; w < WORDS; w++) {
            if (watched[i].reads[w] > most) {
                most = watched[i].reads[w];
                *where = i * FSIF_PAGE_SIZE + 4 * w;
            }
        }
    }
    return most;
}
