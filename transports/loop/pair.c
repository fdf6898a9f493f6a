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

static void close_two(const int fd[2])
{
    for (int side = 0; side < 2; side++) {
        if (fd[side] >= 0)
            close(fd[side]);
    }
}

static void close_fds(struct loop_pair *p)
{
    for (uint32_t q = 0; q < p->bells; q++)
        close_two(p->bell_fd[q]);
    close_two(p->changed_fd);
    if (p->mem_fd >= 0)
        close(p->mem_fd);
}

/* One for each side. Return: 0; -FSIF_E* and none */
static int open_two(int fd[2])
{
    int ret;

    fd[0] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    fd[1] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd[0] >= 0 && fd[1] >= 0)
        return 0;
    ret = -fsif_errno_from_host(errno);
    close_two(fd);
    fd[0] = fd[1] = -1;
    return ret;
}

int fsi_loop_open_bells(struct loop_pair *p, uint32_t queues)
{
    int ret = 0;

    while (p->bells < queues && (ret = open_two(p->bell_fd[p->bells])) == 0)
        p->bells++;
    return ret;
}

int fsif_loop_pair(struct fsif_session **frontend, struct fsif_session **backend)
{
    struct loop_pair *p = calloc(1, sizeof(*p));
    pthread_condattr_t attr;
    int ret;

    if (!p)
        return -FSIF_ENOMEM;
    p->mem_fd = -1;
    ret = open_two(p->changed_fd);
    if (ret) {
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
