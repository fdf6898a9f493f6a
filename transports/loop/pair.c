/* SPDX-License-Identifier: MIT */
/* Making a pair and taking it apart: it lives until both ends are closed. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <fsif/host.h>
#include <fsif/op.h>

#include "pair.h"

static void close_fds(struct loop_pair *p)
{
    const int fds[] = {p->bell_fd[0], p->bell_fd[1], p->changed_fd[0], p->changed_fd[1], p->mem_fd};

    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
}

static int open_fds(struct loop_pair *p)
{
    int *const fds[] = {&p->bell_fd[0], &p->bell_fd[1], &p->changed_fd[0], &p->changed_fd[1]};

    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
        *fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (*fds[i] < 0)
            return -fsif_errno_from_host(errno);
    }
    return 0;
}

int fsif_loop_pair(struct fsif_session **frontend, struct fsif_session **backend)
{
    struct loop_pair *p = calloc(1, sizeof(*p));
    pthread_condattr_t attr;
    int ret;

    if (!p)
        return -FSIF_ENOMEM;
    p->bell_fd[0] = p->bell_fd[1] = p->changed_fd[0] = p->changed_fd[1] = p->mem_fd = -1;
    ret = open_fds(p);
    if (ret) {
        close_fds(p);
        free(p);
        return ret;
    }
    pthread_mutex_init(&p->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&p->cond, &attr);
    pthread_condattr_destroy(&attr);
    for (int side = 0; side < 2; side++)
        p->ends[side] = (struct fsif_session){.pair = p, .side = side};
    *frontend = &p->ends[LOOP_FRONTEND];
    *backend = &p->ends[LOOP_BACKEND];
    return 0;
}

void fsi_loop_close(struct fsif_session *s)
{
    struct loop_pair *p = s->pair;
    int last;

    pthread_mutex_lock(&p->lock);
    p->closed[s->side] = 1;
    last = p->closed[!s->side];
    if (!last)
        fsi_loop_signal(p->changed_fd[!s->side]);
    pthread_cond_broadcast(&p->cond);
    pthread_mutex_unlock(&p->lock);
    if (!last)
        return;
    if (p->mem)
        munmap(p->mem, (size_t)p->npages * FSIF_PAGE_SIZE);
    close_fds(p);
    pthread_cond_destroy(&p->cond);
    pthread_mutex_destroy(&p->lock);
    free(p);
}
