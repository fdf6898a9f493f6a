/* SPDX-License-Identifier: MIT */
#include "internal.h"

#include "barrier.h"

/*
 * Reads and writes of any length: cut into pieces of at most max_io, up to WINDOW of them under way
 * at once, counted in order.
 *
 *   pieces   0 .. first-1   counted into `total`
 *            first .. next-1   under way or complete, slot = number % WINDOW
 *            next ..           not begun
 *
 * A piece that fails or is short ends the count: nothing is begun after it, everything under way
 * is waited for, because the pieces lie on this stack and the buffer is the caller's. Pieces
 * beyond a failed write may have been written all the same; the count says which prefix surely was.
 */

#define WINDOW 64u

struct piece {
    struct fsif_call call;
    struct transfer *transfer;
    struct fsif_shared_u32 finished;
};

struct transfer {
    struct fsi_waiter waiter;
    const struct fsif_op *op; /* the whole */
    uint64_t deadline;
    uint64_t begun; /* bytes in pieces 0 .. next-1 */
    uint64_t total; /* bytes counted */
    uint32_t max_io;
    uint32_t first;
    uint32_t next;
    int64_t error; /* what ended the count, if not a short piece */
    int ended;
    struct piece pieces[WINDOW];
};

static void piece_done(struct fsif_call *call)
{
    struct piece *p = call->arg;
    struct fsi_waiter *w = &p->transfer->waiter;

    fsi_store_release(&p->finished, 1);
    fsi_done(w);
}

/* Begin the next piece. Return: 0, or why not. */
static int begin_piece(struct transfer *t)
{
    struct piece *p = &t->pieces[t->next % WINDOW];
    uint64_t left = t->op->length - t->begun;
    int alone = t->first == t->next;
    int err;

    p->transfer = t;
    fsi_store_relaxed(&p->finished, 0);
    p->call.op = *t->op;
    p->call.op.offset = t->op->offset + t->begun;
    p->call.op.length = left < t->max_io ? left : t->max_io;
    if (t->op->type == FSIF_OP_READ)
        p->call.op.buffer = (char *)t->op->buffer + t->begun;
    else
        p->call.op.data = (const char *)t->op->data + t->begun;
    p->call.deadline = t->deadline;
    p->call.done = piece_done;
    p->call.arg = p;
    /* Wait for an id only with nothing of our own under way, else its completion is enough. */
    err = alone ? fsi_submit_wait(&t->waiter, &p->call)
                : fsif_frontend_submit(&t->waiter.lane->fe, &p->call);
    if (err < 0)
        return err;
    if (!alone)
        fsi_submitted(t->waiter.lane, t->deadline);
    t->begun += p->call.op.length;
    t->next++;
    return 0;
}

static void end_count(struct transfer *t, int64_t error)
{
    if (!t->ended)
        t->error = error;
    t->ended = 1;
}

/* Keep the ring full. */
static void begin_pieces(struct transfer *t)
{
    int err = 0;

    while (err == 0 && !t->ended && t->next - t->first < WINDOW &&
           (t->begun < t->op->length || t->next == 0))
        err = begin_piece(t);
    if (err < 0 && err != -FSIF_EAGAIN)
        end_count(t, err);
}

/* Count what is complete at the front. */
static void count_pieces(struct transfer *t)
{
    while (t->first != t->next && fsi_load_acquire(&t->pieces[t->first % WINDOW].finished)) {
        const struct fsif_call *c = &t->pieces[t->first++ % WINDOW].call;

        if (t->ended)
            continue;
        if (c->result.value < 0) {
            end_count(t, c->result.value);
            continue;
        }
        t->total += (uint64_t)c->result.value;
        if ((uint64_t)c->result.value < c->op.length)
            end_count(t, 0);
    }
}

/* Wait until the piece at the front is complete. */
static void wait_front(struct transfer *t)
{
    for (;;) {
        uint32_t seen = fsi_load_acquire(&t->waiter.done);

        if (fsi_load_acquire(&t->pieces[t->first % WINDOW].finished))
            return;
        fsi_wait(&t->waiter, seen, FSIF_NEVER);
    }
}

/* Whoever completed the last piece may still be about to tell. */
static void wait_all(struct transfer *t)
{
    uint32_t seen;

    while ((seen = fsi_load_acquire(&t->waiter.done)) != t->next)
        fsi_wait(&t->waiter, seen, FSIF_NEVER);
}

static int64_t transfer(struct fsi_lane *lane, const struct fsif_op *op)
{
    struct transfer t; /* pieces are set up one by one as they are used */

    fsi_waiter_init(&t.waiter, lane);
    t.op = op;
    t.deadline = fsi_deadline(lane->cl);
    t.begun = t.total = 0;
    t.max_io = lane->cl->limits.max_io;
    t.first = t.next = 0;
    t.error = 0;
    t.ended = 0;
    for (;;) {
        begin_pieces(&t);
        if (t.first == t.next)
            break;
        wait_front(&t);
        count_pieces(&t);
    }
    wait_all(&t);
    return t.total > 0 || t.error == 0 ? (int64_t)t.total : t.error;
}

int fsi_no_empty_io(const struct fsif_client *cl)
{
    return cl->limits.dialect == 2 && !(cl->limits.features & FSIF_FEATURE_ERRNO);
}

static int64_t checked_transfer(struct fsif_client *cl, int fh, struct fsif_op *op,
                                unsigned int forbidden)
{
    struct fsi_lane *lane;
    int64_t n;

    if (op->offset > INT64_MAX || op->length > INT64_MAX - op->offset)
        return -FSIF_EINVAL;
    n = fsi_enter_blocking(cl, &lane);
    if (n < 0)
        return n;
    n = fsi_handle_limits(cl, fh);
    if (n >= 0 && ((unsigned int)n & forbidden))
        n = -FSIF_EBADF;
    else if (n >= 0 && ((unsigned int)n & FSI_HANDLE_DIRECTORY))
        n = -FSIF_EISDIR;
    if (n >= 0 && op->length == 0 && fsi_no_empty_io(cl)) {
        n = 0;
    } else if (n >= 0) {
        op->handle = (uint32_t)fh;
        n = op->length <= cl->limits.max_io ? fsi_call(lane, op, NULL) : transfer(lane, op);
    }
    fsi_leave(cl);
    return n;
}

int64_t fsif_pread(struct fsif_client *cl, int fh, void *buf, size_t len, uint64_t off)
{
    struct fsif_op op = {.type = FSIF_OP_READ, .offset = off, .length = len, .buffer = buf};

    return checked_transfer(cl, fh, &op, FSI_HANDLE_NO_READ);
}

int64_t fsif_pwrite(struct fsif_client *cl, int fh, const void *buf, size_t len, uint64_t off)
{
    struct fsif_op op = {.type = FSIF_OP_WRITE, .offset = off, .length = len, .data = buf};

    return checked_transfer(cl, fh, &op, FSI_HANDLE_NO_WRITE);
}
