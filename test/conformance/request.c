/* SPDX-License-Identifier: MIT */
#include "request.h"

#include <sched.h>

static void request_done(struct fsif_call *call)
{
    struct request *r = call->arg;

    atomic_store(&r->done, 1);
}

int64_t request_run(struct fsif_client *cl, struct request *r)
{
    int err;

    r->call.deadline = fsif_client_now() + 60000;
    r->call.done = request_done;
    r->call.arg = r;
    while ((err = fsif_submit(cl, &r->call)) == -FSIF_EAGAIN)
        fsif_poll(cl, 1);
    if (err != 0)
        return err;
    while (atomic_load(&r->done) == 0)
        if (fsif_poll(cl, 1) < 0)
            sched_yield();
    return r->call.result.value;
}
