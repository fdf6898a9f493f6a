/* SPDX-License-Identifier: MIT */
#include "internal.h"

#include <stdlib.h>
#include <string.h>
#include "barrier.h"

/*
 * Requests that name parts of the arena which the engine does not own: fsif_buf, and what is
 * gathered or scattered. If such a call times out, the backend may still read or write the part, so
 * it must stay out of use until the answer comes. So these calls have no deadline for the engine;
 * the caller waits until its own and then abandons the call, which lives on in the list of loans:
 *
 *   ASKED --- answered ------------------------> ANSWERED   freed by the caller
 *     |
 *     +------ the caller's time is over -------> ABANDONED  freed by whoever takes the answer, or
 *                                                           ends the session
 *
 * Both change the state with a compare-and-swap, so one of them frees. cl->lock guards the list and
 * `give` of what is in it.
 */

enum state {
    ASKED,
    ANSWERED,
    ABANDONED,
};

struct fsi_loan {
    struct fsif_call call;
    struct fsi_waiter waiter;
    struct fsif_shared_u32 state;
    struct fsif_range range; /* of the call */
    struct fsif_range whole; /* what goes back with the answer, if @give */
    int give;
    struct fsi_loan *next;
    struct fsi_loan *prev;
};

/* Lock held. */
static struct fsi_loan *find(const struct fsif_client *cl, const struct fsif_range *range)
{
    struct fsi_loan *l = cl->loans;

    while (l != NULL && l->range.at != range->at)
        l = l->next;
    return l;
}

static void link_loan(struct fsif_client *cl, struct fsi_loan *l)
{
    l->prev = NULL;
    l->next = cl->loans;
    if (l->next != NULL)
        l->next->prev = l;
    cl->loans = l;
}

static void unlink_loan(struct fsif_client *cl, struct fsi_loan *l)
{
    if (l->prev != NULL)
        l->prev->next = l->next;
    else
        cl->loans = l->next;
    if (l->next != NULL)
        l->next->prev = l->prev;
}

/* The answer to an abandoned call. Another one may use the same part. */
static void end_abandoned(struct fsif_client *cl, struct fsi_loan *l)
{
    struct fsi_loan *other;
    int give;

    pthread_mutex_lock(&cl->lock);
    unlink_loan(cl, l);
    give = l->give;
    other = give ? find(cl, &l->range) : NULL;
    if (other != NULL) {
        other->give = 1;
        other->whole = l->whole;
    }
    pthread_mutex_unlock(&cl->lock);
    if (give && other == NULL) {
        fsif_arena_put(&cl->arena, &l->whole);
        fsi_room(cl);
    }
    free(l);
}

static void loan_done(struct fsif_call *call)
{
    struct fsi_loan *l = call->arg;

    if (fsi_cas(&l->state, ASKED, ANSWERED))
        fsi_done(&l->waiter);
    else
        end_abandoned(l->waiter.lane->cl, l);
}

/* The caller's time is over. Return: 1 the call is none of its business any more */
static int abandon(struct fsif_client *cl, struct fsi_loan *l, int give)
{
    int gone;

    pthread_mutex_lock(&cl->lock);
    l->give = give;
    link_loan(cl, l);
    gone = fsi_cas(&l->state, ASKED, ABANDONED);
    if (!gone)
        unlink_loan(cl, l);
    pthread_mutex_unlock(&cl->lock);
    return gone;
}

/* Return: the result's value; -FSIF_ETIMEDOUT and *@gone, or not gone */
static int64_t ask(struct fsi_lane *lane, struct fsi_loan *l, int give, int *gone)
{
    uint64_t until = fsi_deadline(lane->cl);
    int err = fsi_submit_wait(&l->waiter, &l->call, until);

    *gone = 0;
    if (err < 0)
        return err;
    if (fsi_wait(&l->waiter, 0, until) < 0) {
        *gone = abandon(lane->cl, l, give);
        if (*gone)
            return -FSIF_ETIMEDOUT;
        fsi_wait(&l->waiter, 0, FSIF_NEVER);
    }
    return l->call.result.value;
}

int64_t fsi_call_on_loan(struct fsi_lane *lane, const struct fsif_op *op, int give, fsi_use_fn *use,
                         void *arg)
{
    struct fsif_client *cl = lane->cl;
    struct fsi_loan *l = malloc(sizeof(*l));
    int64_t value;
    int gone;

    if (l == NULL)
        return -FSIF_ENOMEM;
    l->call.op = *op;
    l->call.op.ranges = &l->range;
    l->call.deadline = FSIF_NEVER;
    l->call.done = loan_done;
    l->call.arg = l;
    l->range = op->ranges[0];
    l->whole = l->range;
    fsi_store_relaxed(&l->state, ASKED);
    fsi_waiter_init(&l->waiter, lane);
    value = ask(lane, l, give, &gone);
    if (gone)
        return value;
    if (value > 0 && use != NULL)
        use(arg, fsif_arena_at(&cl->arena, &l->range), (uint32_t)value);
    free(l);
    if (give) {
        fsif_arena_put(&cl->arena, &op->ranges[0]);
        fsi_room(cl);
    }
    return value;
}

/* --- buffers ---------------------------------------------------------------------------------- */

/* Dialects 1 and 2 have no arena: plain memory. */
static int get_plain(uint32_t len, struct fsif_buf *out)
{
    out->data = len == 0 ? NULL : malloc(len);
    if (out->data == NULL)
        return len == 0 ? -FSIF_EINVAL : -FSIF_ENOMEM;
    out->len = len;
    return 0;
}

int fsif_buf_get(struct fsif_client *cl, uint32_t len, struct fsif_buf *out)
{
    struct fsi_lane *lane;
    int err = fsi_enter(cl, &lane);

    memset(out, 0, sizeof(*out));
    if (err < 0)
        return err;
    out->generation_ = cl->generation;
    if (cl->limits.dialect < 3) {
        err = get_plain(len, out);
    } else {
        err = fsif_arena_get(&cl->arena, len, &out->range_);
        if (err == 0) {
            out->data = fsif_arena_at(&cl->arena, &out->range_);
            out->len = len;
        }
    }
    fsi_leave(cl);
    return err;
}

/* Whether an abandoned call still uses it, which then gives it back. */
static int still_used(struct fsif_client *cl, const struct fsif_range *range)
{
    struct fsi_loan *l;

    pthread_mutex_lock(&cl->lock);
    l = find(cl, range);
    if (l != NULL) {
        l->give = 1;
        l->whole = *range;
    }
    pthread_mutex_unlock(&cl->lock);
    return l != NULL;
}

void fsif_buf_put(struct fsif_client *cl, struct fsif_buf *buf)
{
    struct fsi_lane *lane;

    if (buf->range_.len == 0) {
        free(buf->data);
    } else if (fsi_enter(cl, &lane) == 0) {
        if (buf->generation_ == cl->generation && !still_used(cl, &buf->range_)) {
            fsif_arena_put(&cl->arena, &buf->range_);
            fsi_room(cl);
        }
        fsi_leave(cl);
    }
    memset(buf, 0, sizeof(*buf));
}

static int64_t buf_call(struct fsif_client *cl, int fh, const struct fsif_buf *buf,
                        struct fsif_op *op)
{
    const struct fsif_range range = {.at = buf->range_.at, .len = (uint32_t)op->length};
    struct fsi_lane *lane;
    int64_t n = fsi_enter_blocking(cl, &lane);

    if (n < 0)
        return n;
    n = op->type == FSIF_OP_READ ? fsi_handle_peek(cl, fh) : fsi_handle_limits(cl, fh);
    if (n >= 0 && buf->generation_ != cl->generation)
        n = -FSIF_ESTALE;
    else if (n >= 0 && (op->length > buf->len || op->length > cl->limits.max_io))
        n = -FSIF_EINVAL;
    if (n >= 0) {
        op->handle = (uint32_t)fh;
        op->ranges = &range;
        op->nranges = op->length != 0;
        op->buffer = buf->data; /* for a read or write of nothing */
        op->data = buf->data;
        n = op->length == 0 ? fsi_call(lane, op, NULL) : fsi_call_on_loan(lane, op, 0, NULL, NULL);
        op->ranges = NULL;
    }
    fsi_leave(cl);
    return n;
}

int64_t fsif_pread_buf(struct fsif_client *cl, int fh, struct fsif_buf *buf, uint32_t len,
                       uint64_t off)
{
    struct fsif_op op = {.type = FSIF_OP_READ, .offset = off, .length = len};

    if (buf->range_.len == 0)
        return len > buf->len ? -FSIF_EINVAL : fsif_pread(cl, fh, buf->data, len, off);
    return buf_call(cl, fh, buf, &op);
}

int64_t fsif_pwrite_buf(struct fsif_client *cl, int fh, const struct fsif_buf *buf, uint32_t len,
                        uint64_t off)
{
    struct fsif_op op = {.type = FSIF_OP_WRITE, .offset = off, .length = len};

    if (buf->range_.len == 0)
        return len > buf->len ? -FSIF_EINVAL : fsif_pwrite(cl, fh, buf->data, len, off);
    return buf_call(cl, fh, buf, &op);
}
