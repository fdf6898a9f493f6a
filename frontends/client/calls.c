/* SPDX-License-Identifier: MIT */
#include "internal.h"

#include <string.h>

/* One request and its answer, and what public calls of one request have in common. */

static void wake_waiter(struct fsif_call *call)
{
    fsi_done(call->arg);
}

int64_t fsi_call_until(struct fsi_lane *lane, const struct fsif_op *op, struct fsif_result *result,
                       uint64_t deadline)
{
    struct fsi_waiter waiter;
    struct fsif_call call; /* what is not set here the engine sets */
    int err;

    fsi_waiter_init(&waiter, lane);
    call.op = *op;
    call.done = wake_waiter;
    call.arg = &waiter;
    call.deadline = deadline;
    err = fsi_submit_wait(&waiter, &call, deadline);
    if (err < 0)
        return err;
    fsi_wait(&waiter, 0, FSIF_NEVER);
    if (result != NULL)
        *result = call.result;
    return call.result.value;
}

int64_t fsi_call(struct fsi_lane *lane, const struct fsif_op *op, struct fsif_result *result)
{
    return fsi_call_until(lane, op, result, fsi_deadline(lane->cl));
}

int fsi_base(struct fsif_client *cl, int dir, uint32_t *out)
{
    int err = 0;

    if (dir == FSIF_ROOT) {
        *out = FSIF_HANDLE_ROOT;
    } else {
        err = fsi_handle_peek(cl, dir);
        *out = (uint32_t)dir;
    }
    return err < 0 ? err : 0;
}

int fsi_begin(struct fsif_client *cl, int dir, struct fsif_op *op, struct fsi_lane **lane)
{
    int err;

    if (op->path == NULL)
        return -FSIF_EINVAL;
    err = fsi_enter_blocking(cl, lane);
    if (err < 0)
        return err;
    err = fsi_base(cl, dir, &op->handle);
    /* What has no path is done to the handle itself. */
    if (err >= 0 && dir != FSIF_ROOT && op->path[0] == '\0' && op->type != FSIF_OP_STAT)
        err = fsi_handle_limits(cl, dir);
    if (err < 0)
        fsi_leave(cl);
    /* The root is no open file. */
    if (dir == FSIF_ROOT && op->path[0] == '\0')
        op->path = ".";
    return err;
}

int64_t fsi_at(struct fsif_client *cl, int dir, struct fsif_op *op, struct fsif_result *result)
{
    struct fsi_lane *lane;
    int64_t value = fsi_begin(cl, dir, op, &lane);

    if (value < 0)
        return value;
    if (op->buffer != NULL && op->length > cl->limits.max_io)
        op->length = cl->limits.max_io;
    if (cl->limits.dialect < 3)
        value = -FSIF_EOPNOTSUPP;
    else if (op->length > cl->limits.max_io)
        value = -FSIF_E2BIG;
    else
        value = fsi_call(lane, op, result);
    fsi_leave(cl);
    return value;
}

int64_t fsi_on(struct fsif_client *cl, int fh, struct fsif_op *op, struct fsif_result *result)
{
    struct fsi_lane *lane;
    int64_t value = fsi_enter_blocking(cl, &lane);

    if (value < 0)
        return value;
    value = fsi_handle_limits(cl, fh);
    if (value >= 0) {
        op->handle = (uint32_t)fh;
        value = cl->limits.dialect < 3 ? -FSIF_EOPNOTSUPP : fsi_call(lane, op, result);
    }
    fsi_leave(cl);
    return value;
}

int fsif_nop(struct fsif_client *cl)
{
    struct fsif_op op = {.type = FSIF_OP_NOP, .path = ""};

    return (int)fsi_at(cl, FSIF_ROOT, &op, NULL);
}

int fsif_export_open(struct fsif_client *cl, const char *export_name)
{
    struct fsif_op op = {.type = FSIF_OP_EXPORT, .path = export_name};
    int64_t fh;

    if (export_name == NULL || export_name[0] == '\0')
        return -FSIF_EINVAL;
    fh = fsi_at(cl, FSIF_ROOT, &op, NULL);
    /* A number that the table has no room for, from an engine without a tag */
    return fh > INT32_MAX || (fh >= 0 && fsi_handle_limits(cl, (int)fh) < 0) ? -FSIF_EMFILE
                                                                             : (int)fh;
}

/* --- files as a whole ------------------------------------------------------------------------- */

static int sync_file(struct fsif_client *cl, int fh, uint32_t flags)
{
    struct fsif_op op = {.type = FSIF_OP_SYNC, .flags = flags};
    struct fsi_lane *lane;
    int err = fsi_enter_blocking(cl, &lane);

    if (err < 0)
        return err;
    err = fsi_handle_limits(cl, fh);
    if (err >= 0) {
        op.handle = (uint32_t)fh;
        if (cl->limits.dialect < 3)
            op.flags = 0;
        err = (int)fsi_call(lane, &op, NULL);
    }
    fsi_leave(cl);
    return err;
}

int fsif_fsync(struct fsif_client *cl, int fh)
{
    return sync_file(cl, fh, 0);
}

int fsif_fdatasync(struct fsif_client *cl, int fh)
{
    return sync_file(cl, fh, FSIF_SYNC_DATA);
}

/* The export's root stands for all of it. */
int fsif_syncfs(struct fsif_client *cl)
{
    struct fsif_op root = {.type = FSIF_OP_OPEN, .path = "."};
    struct fsif_op op = {.type = FSIF_OP_SYNC, .flags = FSIF_SYNC_FS};
    struct fsi_lane *lane;
    int64_t value = fsi_begin(cl, FSIF_ROOT, &root, &lane);

    if (value < 0)
        return (int)value;
    if (cl->limits.dialect < 3) {
        value = -FSIF_EOPNOTSUPP;
    } else {
        int fh = fsi_open_at(lane, &root, FSIF_O_RDONLY | FSIF_O_DIRECTORY, 0);

        value = fh;
        if (fh >= 0) {
            op.handle = (uint32_t)fh;
            value = fsi_call(lane, &op, NULL);
            fsi_close_quietly(lane, fh);
        }
    }
    fsi_leave(cl);
    return (int)value;
}

int fsif_fallocate(struct fsif_client *cl, int fh, uint32_t flags, uint64_t off, uint64_t len)
{
    struct fsif_op op = {.type = FSIF_OP_ALLOCATE, .flags = flags, .offset = off, .length = len};

    return (int)fsi_on(cl, fh, &op, NULL);
}

int64_t fsif_seek(struct fsif_client *cl, int fh, uint64_t off, uint32_t what)
{
    struct fsif_op op = {.type = FSIF_OP_SEEK, .flags = what, .offset = off};

    return fsi_on(cl, fh, &op, NULL);
}

int64_t fsif_copy_file_range(struct fsif_client *cl, int in, uint64_t off_in, int out,
                             uint64_t off_out, uint64_t len)
{
    struct fsif_op op = {
        .type = FSIF_OP_COPY_RANGE, .offset = off_in, .offset2 = off_out, .length = len};
    struct fsi_lane *lane;
    int64_t value = fsi_enter_blocking(cl, &lane);

    if (value < 0)
        return value;
    value = fsi_handle_limits(cl, in);
    if (value >= 0)
        value = fsi_handle_limits(cl, out);
    if (value >= 0) {
        op.handle = (uint32_t)in;
        op.handle2 = (uint32_t)out;
        value = cl->limits.dialect < 3 ? -FSIF_EOPNOTSUPP : fsi_call(lane, &op, NULL);
    }
    fsi_leave(cl);
    return value;
}
