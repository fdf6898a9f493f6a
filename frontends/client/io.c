/* SPDX-License-Identifier: MIT */
#include "internal.h"

#include <string.h>
#include "barrier.h"

/*
 * Reads and writes of any length. What is short is one request. What is longer is cut into pieces,
 * up to WINDOW of them under way at once, counted in order: while the backend works at the next,
 * the last is copied.
 *
 *   pieces   0 .. first-1   counted into `total`
 *            first .. next-1   under way or complete, slot = number % WINDOW
 *            next ..           not begun
 *
 * A piece that fails or is short ends the count: nothing is begun after it, everything under way
 * is waited for, because the pieces lie on this stack and the buffer is the caller's. Pieces
 * beyond a failed write may have been written all the same; the count says which prefix surely was.
 *
 * What is appended must stay in order, so it goes one piece after the other.
 */

#define WINDOW 64u

/* Of dialect 3: large enough that a request's own cost does not count, small enough for both sides
 * to work at once and for the pieces to stay in the cache. The backend has nothing to do until the
 * first piece of a write is copied, so that is a small one; the next may be as much larger as a
 * copy is faster than the store's write, which costs some microseconds a piece beyond its data.
 * Where both share a core, each piece would cost a change of who runs: there whole requests, as
 * large as they may be, are quicker. They are, too, if the backend is slow and both sleep. */
#define PIECE (128u << 10)
#define FIRST_WRITE (64u << 10)
#define GROWTH 4u
#define LARGEST_WRITE (768u << 10)

struct piece {
    struct fsif_call call;
    struct transfer *transfer;
    struct fsif_shared_u32 finished;
};

struct transfer {
    struct fsi_waiter waiter;
    const struct fsif_op *op; /* the whole */
    uint64_t deadline;
    uint64_t begun;   /* bytes in pieces 0 .. next-1 */
    uint64_t settled; /* bytes in pieces 0 .. first-1 */
    uint64_t room;    /* bytes that may be under way, but for one piece alone */
    uint64_t total;   /* bytes counted */
    uint32_t piece;   /* bytes of the next one */
    uint32_t most;    /* bytes of one */
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
    p->call.op.length = left < t->piece ? left : t->piece;
    if (t->op->type == FSIF_OP_READ)
        p->call.op.buffer = (char *)t->op->buffer + t->begun;
    else
        p->call.op.data = (const char *)t->op->data + t->begun;
    p->call.deadline = t->deadline;
    p->call.done = piece_done;
    p->call.arg = p;
    /* Wait for an id only with nothing of our own under way, else its completion is enough. */
    err = alone ? fsi_submit_wait(&t->waiter, &p->call, t->deadline)
                : fsif_frontend_submit(&t->waiter.lane->fe, &p->call);
    if (err < 0)
        return err;
    if (!alone)
        fsi_submitted(t->waiter.lane, t->deadline);
    t->begun += p->call.op.length;
    t->piece = t->piece > t->most / GROWTH ? t->most : GROWTH * t->piece;
    t->next++;
    return 0;
}

static void end_count(struct transfer *t, int64_t error)
{
    if (!t->ended)
        t->error = error;
    t->ended = 1;
}

static int may_begin(const struct transfer *t)
{
    if (t->ended || (t->begun == t->op->length && t->next > 0))
        return 0;
    if (t->next == t->first)
        return 1;
    return t->next - t->first < WINDOW && t->begun - t->settled + t->piece <= t->room;
}

/* Keep the ring full. */
static void begin_pieces(struct transfer *t)
{
    int err = 0;

    while (err == 0 && may_begin(t))
        err = begin_piece(t);
    if (err < 0 && err != -FSIF_EAGAIN)
        end_count(t, err);
}

/* Count what is complete at the front. */
static void count_pieces(struct transfer *t)
{
    while (t->first != t->next && fsi_load_acquire(&t->pieces[t->first % WINDOW].finished)) {
        const struct fsif_call *c = &t->pieces[t->first++ % WINDOW].call;

        t->settled += c->op.length;
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

static int64_t in_pieces(struct fsi_lane *lane, const struct fsif_op *op, uint32_t first,
                         uint32_t most, uint64_t room)
{
    struct transfer t; /* pieces are set up one by one as they are used */

    fsi_waiter_init(&t.waiter, lane);
    t.op = op;
    t.deadline = fsi_deadline(lane->cl);
    t.begun = t.settled = t.total = 0;
    t.piece = first;
    t.most = most;
    t.room = room;
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

/* Of the arena, which others use too, half. */
static uint64_t room(const struct fsif_client *cl)
{
    return cl->limits.dialect < 3 ? UINT64_MAX : cl->limits.arena_bytes / 2;
}

static int64_t in_whole_requests(struct fsi_lane *lane, const struct fsif_op *op)
{
    uint32_t most = lane->cl->limits.max_io;

    return op->length <= most ? fsi_call(lane, op, NULL)
                              : in_pieces(lane, op, most, most, room(lane->cl));
}

static int64_t large_transfer(struct fsi_lane *lane, const struct fsif_op *op)
{
    int is_write = op->type == FSIF_OP_WRITE;
    struct fsi_pick *pick = &lane->whole[is_write][fsi_pick_class(op->length)];
    int whole = fsi_pick_way(pick, fsif_spin_shares_core(&lane->spin));
    uint32_t most = lane->cl->limits.max_io;
    uint64_t begun = fsi_pick_clock();
    int64_t n;

    if (whole)
        n = in_whole_requests(lane, op);
    else if (is_write)
        n = in_pieces(lane, op, FIRST_WRITE, most < LARGEST_WRITE ? most : LARGEST_WRITE,
                      room(lane->cl));
    else
        n = in_pieces(lane, op, PIECE, PIECE, room(lane->cl));
    if (n == (int64_t)op->length)
        fsi_pick_learn(pick, whole, fsi_pick_clock() - begun, (uint64_t)n);
    return n;
}

static int64_t transfer(struct fsi_lane *lane, const struct fsif_op *op, uint32_t limits)
{
    const struct fsif_client *cl = lane->cl;
    uint32_t most = cl->limits.max_io;

    if (op->type == FSIF_OP_WRITE &&
        ((limits & FSI_HANDLE_APPEND) || (op->flags & FSIF_WRITE_APPEND)))
        return op->length <= most ? fsi_call(lane, op, NULL) : in_pieces(lane, op, most, most, 0);
    if (cl->limits.dialect >= 3 && most > PIECE && op->length > PIECE)
        return large_transfer(lane, op);
    return in_whole_requests(lane, op);
}

int fsi_no_empty_io(const struct fsif_client *cl)
{
    return cl->limits.dialect == 2 && !(cl->limits.features & FSIF_FEATURE_ERRNO);
}

static uint32_t forbidden(const struct fsif_op *op)
{
    return op->type == FSIF_OP_READ ? FSI_HANDLE_NO_READ : FSI_HANDLE_NO_WRITE;
}

/* Whether @fh may do that. Return: its FSI_HANDLE_*, or negative */
static int check_handle(struct fsif_client *cl, int fh, const struct fsif_op *op)
{
    int limits = op->type == FSIF_OP_READ ? fsi_handle_peek(cl, fh) : fsi_handle_limits(cl, fh);

    if (limits < 0)
        return limits;
    if ((uint32_t)limits & forbidden(op))
        return -FSIF_EBADF;
    if ((uint32_t)limits & FSI_HANDLE_DIRECTORY)
        return -FSIF_EISDIR;
    return (op->flags & FSIF_WRITE_APPEND) && cl->limits.dialect < 3 ? -FSIF_EOPNOTSUPP : limits;
}

static int64_t checked_transfer(struct fsif_client *cl, int fh, struct fsif_op *op)
{
    struct fsi_lane *lane;
    int64_t n;

    if (op->offset > INT64_MAX || op->length > INT64_MAX - op->offset)
        return -FSIF_EINVAL;
    n = fsi_enter_blocking(cl, &lane);
    if (n < 0)
        return n;
    n = check_handle(cl, fh, op);
    if (n >= 0 && op->length == 0 && fsi_no_empty_io(cl)) {
        n = 0;
    } else if (n >= 0) {
        op->handle = (uint32_t)fh;
        n = transfer(lane, op, (uint32_t)n);
    }
    fsi_leave(cl);
    return n;
}

int64_t fsif_pread(struct fsif_client *cl, int fh, void *buf, size_t len, uint64_t off)
{
    struct fsif_op op = {.type = FSIF_OP_READ, .offset = off, .length = len, .buffer = buf};

    return checked_transfer(cl, fh, &op);
}

int64_t fsif_pwrite(struct fsif_client *cl, int fh, const void *buf, size_t len, uint64_t off)
{
    struct fsif_op op = {.type = FSIF_OP_WRITE, .offset = off, .length = len, .data = buf};

    return checked_transfer(cl, fh, &op);
}

int64_t fsif_append(struct fsif_client *cl, int fh, const void *buf, size_t len)
{
    struct fsif_op op = {
        .type = FSIF_OP_WRITE, .length = len, .data = buf, .flags = FSIF_WRITE_APPEND};

    return checked_transfer(cl, fh, &op);
}

/* --- scattered and gathered ------------------------------------------------------------------- */

#define IOV_MAX_ 1024

struct pieces_of_memory {
    const struct fsif_iovec *iov;
    int n;
};

static int64_t iov_length(const struct fsif_iovec *iov, int n)
{
    uint64_t total = 0;
    int i;

    if (n < 1 || n > IOV_MAX_)
        return -FSIF_EINVAL;
    for (i = 0; i < n; i++) {
        if (iov[i].len > (uint64_t)INT64_MAX - total)
            return -FSIF_EINVAL;
        total += iov[i].len;
    }
    return (int64_t)total;
}

static void scatter(void *arg, const void *data, uint32_t len)
{
    const struct pieces_of_memory *m = arg;
    const char *from = data;
    int i;

    for (i = 0; len > 0 && i < m->n; i++) {
        uint32_t part = m->iov[i].len < len ? (uint32_t)m->iov[i].len : len;

        if (part > 0)
            memcpy(m->iov[i].base, from, part);
        from += part;
        len -= part;
    }
}

static void gather(const struct pieces_of_memory *m, char *to)
{
    int i;

    for (i = 0; i < m->n; i++) {
        if (m->iov[i].len > 0)
            memcpy(to, m->iov[i].base, m->iov[i].len);
        to += m->iov[i].len;
    }
}

/* One request of dialect 3, in a part of the arena. */
static int64_t vectored(struct fsi_lane *lane, struct fsif_op *op, struct pieces_of_memory *m)
{
    struct fsif_range range;
    struct fsi_waiter w;
    int err;

    fsi_waiter_init(&w, lane);
    err = fsi_wait_room(&w, (uint32_t)op->length, fsi_deadline(lane->cl), &range);
    if (err < 0)
        return err;
    if (op->type == FSIF_OP_WRITE)
        gather(m, fsif_arena_at(&lane->cl->arena, &range));
    op->ranges = &range;
    op->nranges = 1;
    return fsi_call_on_loan(lane, op, 1, op->type == FSIF_OP_READ ? scatter : NULL, m);
}

/* One piece of memory after the other; one that is moved in part ends it. If all are empty the last
 * one asks all the same whether the handle may do that. */
static int64_t one_by_one(struct fsif_client *cl, int fh, const struct fsif_op *whole,
                          const struct pieces_of_memory *m)
{
    uint64_t total = 0;
    int i;

    for (i = 0; i < m->n; i++) {
        struct fsif_op op = *whole;
        int64_t n;

        if (m->iov[i].len == 0 && (i + 1 < m->n || total > 0))
            continue;
        op.offset += total;
        op.length = m->iov[i].len;
        op.buffer = m->iov[i].base;
        op.data = m->iov[i].base;
        n = checked_transfer(cl, fh, &op);
        if (n < 0)
            return total > 0 ? (int64_t)total : n;
        total += (uint64_t)n;
        if ((uint64_t)n < op.length)
            break;
    }
    return (int64_t)total;
}

static int64_t transfer_iov(struct fsif_client *cl, int fh, uint32_t type,
                            const struct fsif_iovec *iov, int n, uint64_t off)
{
    struct pieces_of_memory m = {.iov = iov, .n = n};
    struct fsif_op op = {.type = type, .offset = off};
    int64_t length = iov_length(iov, n);
    struct fsi_lane *lane;
    int64_t moved;

    if (length < 0)
        return length;
    if (off > INT64_MAX || (uint64_t)length > INT64_MAX - off)
        return -FSIF_EINVAL;
    moved = fsi_enter_blocking(cl, &lane);
    if (moved < 0)
        return moved;
    if (n == 1 || length == 0 || cl->limits.dialect < 3 || length > cl->limits.max_io) {
        moved = one_by_one(cl, fh, &op, &m);
    } else {
        moved = check_handle(cl, fh, &op);
        if (moved >= 0) {
            op.handle = (uint32_t)fh;
            op.length = (uint64_t)length;
            moved = vectored(lane, &op, &m);
        }
    }
    fsi_leave(cl);
    return moved;
}

int64_t fsif_preadv(struct fsif_client *cl, int fh, const struct fsif_iovec *iov, int n,
                    uint64_t off)
{
    return transfer_iov(cl, fh, FSIF_OP_READ, iov, n, off);
}

int64_t fsif_pwritev(struct fsif_client *cl, int fh, const struct fsif_iovec *iov, int n,
                     uint64_t off)
{
    return transfer_iov(cl, fh, FSIF_OP_WRITE, iov, n, off);
}
