/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "internal.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>
#include "barrier.h"

/* The asynchronous form: the engine's calls behind the gate, and a descriptor for event loops. */

/* Whatever is done to handles this way, they are closed in the ordinary way. */
static void note_use(struct fsif_client *cl, const struct fsif_op *op)
{
    (void)fsi_handle_limits(cl, (int)op->handle);
    (void)fsi_handle_limits(cl, (int)op->handle2);
}

int fsif_submit(struct fsif_client *cl, struct fsif_call *call)
{
    /* Once it is submitted it may complete elsewhere and be gone. */
    uint64_t deadline = call->deadline;
    struct fsi_lane *lane;
    int err = fsi_enter(cl, &lane);

    if (err < 0)
        return err;
    note_use(cl, &call->op);
    err = fsif_frontend_submit(&lane->fe, call);
    if (err == 0)
        fsi_submitted(lane, deadline);
    fsi_leave(cl);
    return err;
}

int fsif_submit_many(struct fsif_client *cl, struct fsif_call *const *calls, uint32_t n)
{
    uint64_t deadline = FSIF_NEVER;
    struct fsi_lane *lane;
    uint32_t taken;
    int err = fsi_enter(cl, &lane);

    if (err < 0)
        return err;
    for (taken = 0; taken < n; taken++) {
        uint64_t own = calls[taken]->deadline;

        note_use(cl, &calls[taken]->op);
        err = fsif_frontend_queue(&lane->fe, calls[taken]);
        if (err < 0)
            break;
        deadline = own < deadline ? own : deadline;
    }
    fsif_frontend_flush(&lane->fe);
    if (taken > 0)
        fsi_submitted(lane, deadline);
    fsi_leave(cl);
    return taken > 0 ? (int)taken : err;
}

int fsif_cancel(struct fsif_client *cl, struct fsif_call *call)
{
    struct fsi_lane *lane;
    int err = fsi_enter(cl, &lane);

    if (err < 0)
        return err;
    err = fsif_frontend_cancel(&lane->fe, call);
    fsi_leave(cl);
    return err;
}

/* Another thread polls: wait for it to complete something or to hand the role on. */
static int poll_behind(struct fsi_waiter *w, uint64_t until)
{
    int err = fsi_wait_progress(w, fsi_load_acquire(&w->lane->progress), until);

    return err == -FSIF_EDEADLK ? err : 0;
}

int fsif_poll(struct fsif_client *cl, int timeout_ms)
{
    uint64_t until = timeout_ms > 0 ? fsif_now_ms() + (uint64_t)timeout_ms : FSIF_NEVER;
    struct fsi_lane *lane;
    struct fsi_waiter w;
    int n = fsi_enter(cl, &lane);

    if (n < 0)
        return n;
    if (timeout_ms == 0)
        until = 0;
    fsi_waiter_init(&w, lane);
    do {
        n = fsif_frontend_dead(&lane->fe) ? -FSIF_EPROTO : fsi_poll_once(&w, until);
    } while (n == 0 && until != 0 && (until == FSIF_NEVER || fsif_now_ms() < until));
    if (n == -FSIF_EBUSY)
        n = until == 0 ? 0 : poll_behind(&w, until);
    fsi_leave(cl);
    return n;
}

/* The session's descriptors in or out of @fd. Return: 0; a negative FSIF_E* */
static int watch(const struct fsif_client *cl, int fd, int op)
{
    const int fds[] = {cl->lanes[0].event_fd, cl->peer_fd};

    for (unsigned int i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
        struct epoll_event event = {.events = EPOLLIN};

        if (fds[i] >= 0 && epoll_ctl(fd, op, fds[i], &event) != 0)
            return -fsif_errno_from_host(errno);
    }
    return 0;
}

int fsi_watch(struct fsif_client *cl)
{
    return cl->poll_fd < 0 ? 0 : watch(cl, cl->poll_fd, EPOLL_CTL_ADD);
}

/* Closing alone would not do it: the backend may hold the same bell open. */
void fsi_unwatch(struct fsif_client *cl)
{
    if (cl->poll_fd >= 0 && !cl->down)
        (void)watch(cl, cl->poll_fd, EPOLL_CTL_DEL);
}

static int make_poll_fd(struct fsif_client *cl)
{
    struct epoll_event event = {.events = EPOLLIN};
    int fd = epoll_create1(EPOLL_CLOEXEC);
    int err;

    if (fd < 0)
        return -fsif_errno_from_host(errno);
    err = watch(cl, fd, EPOLL_CTL_ADD);
    if (err == 0 && epoll_ctl(fd, EPOLL_CTL_ADD, cl->lanes[0].wake_fd, &event) != 0)
        err = -fsif_errno_from_host(errno);
    if (err == 0)
        return fd;
    close(fd);
    return err;
}

int fsif_client_fd(struct fsif_client *cl)
{
    struct fsi_lane *lane;
    int fd = fsi_enter(cl, &lane);

    if (fd < 0)
        return fd;
    if (lane->event_fd < 0) {
        fsi_leave(cl);
        return -FSIF_EOPNOTSUPP;
    }
    pthread_mutex_lock(&cl->lock);
    fd = cl->poll_fd;
    if (fd < 0) {
        fd = make_poll_fd(cl);
        cl->poll_fd = fd < 0 ? -1 : fd;
        fsi_store_seq(&cl->looped, fd >= 0);
    }
    pthread_mutex_unlock(&cl->lock);
    fsi_leave(cl);
    return fd;
}

uint64_t fsif_client_now(void)
{
    return fsif_now_ms();
}
