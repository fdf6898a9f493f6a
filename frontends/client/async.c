/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "internal.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

/* The asynchronous form: the engine's calls behind the gate, and a descriptor for event loops. */

int fsif_submit(struct fsif_client *cl, struct fsif_call *call)
{
    /* Once it is submitted it may complete elsewhere and be gone. */
    uint64_t deadline = call->deadline;
    int err = fsi_enter(cl);

    if (err < 0)
        return err;
    err = fsif_frontend_submit(&cl->fe, call);
    if (err == 0)
        fsi_submitted(cl, deadline);
    fsi_leave(cl);
    return err;
}

int fsif_cancel(struct fsif_client *cl, struct fsif_call *call)
{
    int err = fsi_enter(cl);

    if (err < 0)
        return err;
    err = fsif_frontend_cancel(&cl->fe, call);
    fsi_leave(cl);
    return err;
}

/* Another thread polls: wait for it to complete something or to hand the role on. */
static int poll_behind(struct fsi_waiter *w, uint64_t until)
{
    struct fsif_client *cl = w->cl;
    int err = fsi_wait(w, &cl->progress, cl->progress, until);

    return err == -FSIF_EDEADLK ? err : 0;
}

int fsif_poll(struct fsif_client *cl, int timeout_ms)
{
    uint64_t until = timeout_ms < 0 ? FSIF_NEVER : fsif_now_ms() + (uint64_t)timeout_ms;
    struct fsi_waiter w;
    int n = fsi_enter(cl);

    if (n < 0)
        return n;
    fsi_waiter_init(&w, cl);
    pthread_mutex_lock(&cl->lock);
    do {
        n = fsif_frontend_dead(&cl->fe) ? -FSIF_EPROTO : fsi_poll_once(&w, until);
    } while (n == 0 && timeout_ms != 0 && (until == FSIF_NEVER || fsif_now_ms() < until));
    if (n == -FSIF_EBUSY)
        n = timeout_ms == 0 ? 0 : poll_behind(&w, until);
    pthread_mutex_unlock(&cl->lock);
    fsi_leave(cl);
    return n;
}

static int make_poll_fd(struct fsif_client *cl)
{
    const int fds[] = {cl->event_fd, cl->peer_fd, cl->wake_fd};
    int fd = epoll_create1(EPOLL_CLOEXEC);
    unsigned int i;

    for (i = 0; fd >= 0 && i < sizeof(fds) / sizeof(fds[0]); i++) {
        struct epoll_event event = {.events = EPOLLIN};

        if (fds[i] < 0 || epoll_ctl(fd, EPOLL_CTL_ADD, fds[i], &event) == 0)
            continue;
        close(fd);
        fd = -1;
    }
    return fd < 0 ? -fsif_errno_from_host(errno) : fd;
}

int fsif_client_fd(struct fsif_client *cl)
{
    int fd = fsi_enter(cl);

    if (fd < 0)
        return fd;
    if (cl->event_fd < 0) {
        fsi_leave(cl);
        return -FSIF_EOPNOTSUPP;
    }
    pthread_mutex_lock(&cl->lock);
    fd = cl->poll_fd;
    if (fd < 0) {
        fd = make_poll_fd(cl);
        cl->poll_fd = fd < 0 ? -1 : fd;
    }
    pthread_mutex_unlock(&cl->lock);
    fsi_leave(cl);
    return fd;
}

uint64_t fsif_client_now(void)
{
    return fsif_now_ms();
}
