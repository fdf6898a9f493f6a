/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "internal.h"

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

int fsif_client_fd(struct fsif_client *cl)
{
    struct fsi_lane *lane;
    int fd = fsi_enter(cl, &lane);

    if (fd < 0)
        return fd;
    fd = lane->event_fd < 0 ? -FSIF_EOPNOTSUPP : lane->sleep_fd;
    if (fd >= 0)
        fsi_store_seq(&cl->looped, 1);
    fsi_leave(cl);
    return fd;
}

uint64_t fsif_client_now(void)
{
    return fsif_now_ms();
}
