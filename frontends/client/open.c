/* SPDX-License-Identifier: MIT */
#include "internal.h"

#include "barrier.h"

/*
 * Open and close. In dialects 1 and 2 they are composed: open asks for the best access that the
 * backend can give, create always empties. The table of handles keeps what the caller asked for, so
 * that a handle opened for reading cannot write. In dialect 3 the backend knows.
 *
 * Closing a handle that was only looked at cannot fail in a way that matters, so in dialect 3
 * nobody waits for it: the request is published, and its answer is taken with a later one. Of each
 * queue a few may be under way; the next one waits. Requests of a queue are begun in order, but
 * with several queues, or a slow close, an open may come first and find no handle free: it waits
 * for what is under way and asks once more.
 */

#define OLD_FLAGS                                                                                  \
    (FSIF_O_ACCMODE | FSIF_O_CREAT | FSIF_O_EXCL | FSIF_O_TRUNC | FSIF_O_APPEND | FSIF_O_DIRECTORY)

#define KNOWN_FLAGS                                                                                \
    (OLD_FLAGS | FSIF_O_DSYNC | FSIF_O_NOFOLLOW | FSIF_O_SYNC | FSIF_O_PATH | FSIF_O_TMPFILE)

int fsi_handle_peek(const struct fsif_client *cl, int fh)
{
    uint32_t limits;

    if (fh < 0)
        return -FSIF_EBADF;
    if ((uint32_t)fh / FSI_CLIENT_HANDLES != cl->generation)
        return cl->generation == 0 ? -FSIF_EBADF : -FSIF_ESTALE;
    limits = cl->handles[(uint32_t)fh % FSI_CLIENT_HANDLES];
    return limits & FSI_HANDLE_PARTING ? -FSIF_EBADF : (int)limits;
}

int fsi_handle_limits(struct fsif_client *cl, int fh)
{
    int limits = fsi_handle_peek(cl, fh);

    if (limits >= 0 && ((uint32_t)limits & FSI_HANDLE_QUIET))
        cl->handles[(uint32_t)fh % FSI_CLIENT_HANDLES] &= (unsigned char)~FSI_HANDLE_QUIET;
    return limits;
}

static void set_limits(struct fsif_client *cl, int fh, uint32_t limits)
{
    cl->handles[(uint32_t)fh % FSI_CLIENT_HANDLES] = (unsigned char)limits;
}

int fsi_close_handle(struct fsi_lane *lane, int fh)
{
    struct fsif_op op = {.type = FSIF_OP_CLOSE, .handle = (uint32_t)fh};

    return (int)fsi_call(lane, &op, NULL);
}

static void parted(struct fsif_call *call)
{
    struct fsi_parting *p = call->arg;

    /* It may have been given out anew already; then the bit is not set any more. */
    p->cl->handles[call->op.handle % FSI_CLIENT_HANDLES] &= (unsigned char)~FSI_HANDLE_PARTING;
    fsi_store_release(&p->busy, 0);
}

int fsi_close_quietly(struct fsi_lane *lane, int fh)
{
    for (uint32_t i = 0; i < FSI_PARTINGS && lane->cl->limits.dialect >= 3; i++) {
        struct fsi_parting *p = &lane->partings[i];

        if (!fsi_cas(&p->busy, 0, 1))
            continue;
        p->call.op = (struct fsif_op){.type = FSIF_OP_CLOSE, .handle = (uint32_t)fh};
        p->call.done = parted;
        p->call.arg = p;
        p->cl = lane->cl;
        set_limits(lane->cl, fh, FSI_HANDLE_PARTING);
        p->call.deadline = FSIF_NEVER;
        if (fsif_frontend_submit(&lane->fe, &p->call) == 0)
            return 0;
        set_limits(lane->cl, fh, 0);
        fsi_store_release(&p->busy, 0);
        break;
    }
    return fsi_close_handle(lane, fh);
}

static int is_parting(const struct fsi_lane *lane)
{
    for (uint32_t i = 0; i < FSI_PARTINGS; i++)
        if (fsi_load_acquire(&lane->partings[i].busy))
            return 1;
    return 0;
}

static int is_any_parting(const struct fsif_client *cl)
{
    for (uint32_t i = 0; i < cl->queues; i++)
        if (is_parting(&cl->lanes[i]))
            return 1;
    return 0;
}

/* Wait for every close that nobody waits for. Return: 0; -FSIF_ETIMEDOUT */
static int await_partings(struct fsif_client *cl)
{
    uint64_t until = fsi_deadline(cl);

    for (uint32_t i = 0; i < cl->queues; i++) {
        struct fsi_lane *lane = &cl->lanes[i];
        uint32_t seen = fsi_load_acquire(&lane->progress);

        while (is_parting(lane)) {
            struct fsi_waiter w;

            fsi_waiter_init(&w, lane);
            if (fsi_wait_progress(&w, seen, until) < 0)
                return -FSIF_ETIMEDOUT;
            seen = fsi_load_acquire(&lane->progress);
        }
    }
    return 0;
}

/* An open that finds no handle free may have overtaken a close. */
static int64_t open3(struct fsi_lane *lane, const struct fsif_op *op)
{
    int parting = is_any_parting(lane->cl);
    int64_t handle = fsi_call(lane, op, NULL);

    if (handle == -FSIF_EMFILE && parting && await_partings(lane->cl) == 0)
        handle = fsi_call(lane, op, NULL);
    return handle;
}

/* --- dialects 1 and 2 ------------------------------------------------------------------------- */

static int check_old(const struct fsif_op *op, uint32_t flags, uint32_t mode)
{
    uint32_t access = flags & FSIF_O_ACCMODE;

    if ((flags & ~KNOWN_FLAGS) != 0)
        return -FSIF_EINVAL;
    if ((flags & ~OLD_FLAGS) != 0)
        return -FSIF_EOPNOTSUPP;
    if (access == FSIF_O_ACCMODE || (mode & ~FSIF_S_PERM) != 0)
        return -FSIF_EINVAL;
    if ((flags & FSIF_O_DIRECTORY) && (flags & FSIF_O_CREAT))
        return -FSIF_EINVAL;
    if (op->handle != FSIF_HANDLE_ROOT || (flags & (FSIF_O_EXCL | FSIF_O_APPEND)))
        return -FSIF_EOPNOTSUPP;
    if ((flags & FSIF_O_CREAT) && !(flags & FSIF_O_TRUNC))
        return -FSIF_EOPNOTSUPP;
    return 0;
}

static int is_directory(struct fsi_lane *lane, uint32_t handle)
{
    struct fsif_op op = {.type = FSIF_OP_STAT, .handle = handle};
    struct fsif_result result;
    int err = (int)fsi_call(lane, &op, &result);

    return err < 0 ? err : (result.attr.mode & FSIF_S_IFMT) == FSIF_S_IFDIR;
}

/* Whether a file that open gave can be written to: open does not say, a write of nothing does. (Old
 * backends cannot be asked; they open for writing or not at all.)
 * Return: 0, or what open(2) would have said. */
static int probe_write(struct fsi_lane *lane, uint32_t handle)
{
    struct fsif_op op = {.type = FSIF_OP_WRITE, .handle = handle, .data = ""};
    int err = fsi_no_empty_io(lane->cl) ? 0 : (int)fsi_call(lane, &op, NULL);
    int dir;

    if (err >= 0)
        return 0;
    dir = is_directory(lane, handle);
    if (dir != 0)
        return dir < 0 ? dir : -FSIF_EISDIR;
    if (lane->cl->limits.read_only)
        return -FSIF_EROFS;
    return err == -FSIF_EBADF ? -FSIF_EACCES : err;
}

/* What is left to do on a handle that open gave. */
static int finish_open(struct fsi_lane *lane, uint32_t handle, uint32_t flags)
{
    int err = 0;

    if (flags & FSIF_O_DIRECTORY) {
        err = is_directory(lane, handle);
        if (err <= 0)
            return err < 0 ? err : -FSIF_ENOTDIR;
    }
    if ((flags & FSIF_O_ACCMODE) != FSIF_O_RDONLY || (flags & FSIF_O_TRUNC))
        err = probe_write(lane, handle);
    if (err >= 0 && (flags & FSIF_O_TRUNC)) {
        struct fsif_op op = {.type = FSIF_OP_TRUNCATE, .handle = handle, .length = 0};

        err = (int)fsi_call(lane, &op, NULL);
    }
    return err < 0 ? err : 0;
}

static int64_t open_old(struct fsi_lane *lane, const struct fsif_op *from, uint32_t flags,
                        uint32_t mode, uint32_t *limits)
{
    struct fsif_op op = {.type = FSIF_OP_OPEN, .path = from->path};
    int64_t handle = check_old(from, flags, mode);
    int err;

    if (handle < 0)
        return handle;
    if (flags & FSIF_O_CREAT) {
        op.type = FSIF_OP_CREATE;
        op.mode = mode;
    }
    handle = fsi_call(lane, &op, NULL);
    if (handle < 0)
        return handle;
    err = flags & FSIF_O_CREAT ? 0 : finish_open(lane, (uint32_t)handle, flags);
    if (err < 0) {
        fsi_close_handle(lane, (int)handle);
        return err;
    }
    if ((flags & FSIF_O_ACCMODE) == FSIF_O_RDONLY)
        *limits |= FSI_HANDLE_NO_WRITE;
    if ((flags & FSIF_O_ACCMODE) == FSIF_O_WRONLY)
        *limits |= FSI_HANDLE_NO_READ;
    if (flags & FSIF_O_DIRECTORY)
        *limits |= FSI_HANDLE_DIRECTORY;
    return handle;
}

/* --- all -------------------------------------------------------------------------------------- */

int fsi_open_at(struct fsi_lane *lane, const struct fsif_op *from, uint32_t flags, uint32_t mode)
{
    struct fsif_client *cl = lane->cl;
    struct fsif_op op = *from;
    uint32_t limits = 0;
    int64_t handle;

    if (cl->limits.dialect < 3) {
        handle = open_old(lane, from, flags, mode, &limits);
    } else {
        op.type = FSIF_OP_OPEN;
        op.flags = flags;
        op.mode = mode;
        handle = open3(lane, &op);
        limits = FSI_HANDLE_QUIET | (flags & FSIF_O_APPEND ? FSI_HANDLE_APPEND : 0);
    }
    if (handle < 0)
        return (int)handle;
    if (handle / FSI_CLIENT_HANDLES != cl->generation) {
        fsi_close_handle(lane, (int)handle);
        return -FSIF_EMFILE;
    }
    set_limits(cl, (int)handle, limits);
    return (int)handle;
}

int fsif_openat(struct fsif_client *cl, int dir, const char *path, uint32_t flags, uint32_t mode)
{
    struct fsif_op op = {.path = path};
    struct fsi_lane *lane;
    int fh;

    if (flags & FSIF_O_STAT)
        return -FSIF_EINVAL;
    if (path != NULL && path[0] == '\0')
        return -FSIF_ENOENT;
    fh = fsi_begin(cl, dir, &op, &lane);
    if (fh < 0)
        return fh;
    fh = fsi_open_at(lane, &op, flags, mode);
    fsi_leave(cl);
    return fh;
}

int fsif_open(struct fsif_client *cl, const char *path, uint32_t flags, uint32_t mode)
{
    return fsif_openat(cl, FSIF_ROOT, path, flags, mode);
}

int fsif_close(struct fsif_client *cl, int fh)
{
    struct fsi_lane *lane;
    int err = fsi_enter_blocking(cl, &lane);

    if (err < 0)
        return err;
    err = fsi_handle_peek(cl, fh);
    if (err >= 0) {
        int quiet = ((uint32_t)err & FSI_HANDLE_QUIET) != 0;

        /* First: once the backend has closed it, another thread may get the same number. */
        set_limits(cl, fh, 0);
        err = quiet ? fsi_close_quietly(lane, fh) : fsi_close_handle(lane, fh);
    }
    fsi_leave(cl);
    return err;
}
