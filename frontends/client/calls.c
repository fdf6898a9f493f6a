/* SPDX-License-Identifier: MIT */
#include "internal.h"

#include <string.h>

/* The blocking calls that are one request. */

static void wake_waiter(struct fsif_call *call)
{
    fsi_done(call->arg);
}

int64_t fsi_call(struct fsi_lane *lane, const struct fsif_op *op, struct fsif_result *result)
{
    struct fsi_waiter waiter;
    struct fsif_call call; /* what is not set here the engine sets */
    int err;

    fsi_waiter_init(&waiter, lane);
    call.op = *op;
    call.done = wake_waiter;
    call.arg = &waiter;
    call.deadline = fsi_deadline(lane->cl);
    err = fsi_submit_wait(&waiter, &call);
    if (err < 0)
        return err;
    fsi_wait(&waiter, 0, FSIF_NEVER);
    if (result != NULL)
        *result = call.result;
    return call.result.value;
}

/* One request in a gate of its own. */
static int64_t one(struct fsif_client *cl, const struct fsif_op *op, struct fsif_result *result)
{
    struct fsi_lane *lane;
    int64_t value = fsi_enter_blocking(cl, &lane);

    if (value < 0)
        return value;
    value = fsi_call(lane, op, result);
    fsi_leave(cl);
    return value;
}

/* One request on a handle, for calls that return 0. */
static int on_handle(struct fsif_client *cl, int fh, struct fsif_op *op, struct fsif_result *result)
{
    struct fsi_lane *lane;
    int err = fsi_enter_blocking(cl, &lane);

    if (err < 0)
        return err;
    err = fsi_handle_limits(cl, fh);
    if (op->type == FSIF_OP_TRUNCATE && err >= 0 && ((unsigned int)err & FSI_HANDLE_NO_WRITE))
        err = -FSIF_EINVAL;
    if (err >= 0) {
        op->handle = (uint32_t)fh;
        err = (int)fsi_call(lane, op, result);
    }
    fsi_leave(cl);
    return err;
}

int fsif_fstat(struct fsif_client *cl, int fh, struct fsif_attr *out)
{
    struct fsif_op op = {.type = FSIF_OP_STAT};
    struct fsif_result result;
    int err = on_handle(cl, fh, &op, &result);

    if (err >= 0)
        *out = result.attr;
    return err;
}

int fsif_ftruncate(struct fsif_client *cl, int fh, uint64_t size)
{
    struct fsif_op op = {.type = FSIF_OP_TRUNCATE, .length = size};

    return size > INT64_MAX ? -FSIF_EINVAL : on_handle(cl, fh, &op, NULL);
}

int fsif_fchmod(struct fsif_client *cl, int fh, uint32_t mode)
{
    struct fsif_op op = {.type = FSIF_OP_CHMOD, .mode = mode};

    return (mode & ~FSIF_S_PERM) != 0 ? -FSIF_EINVAL : on_handle(cl, fh, &op, NULL);
}

int fsif_fsync(struct fsif_client *cl, int fh)
{
    struct fsif_op op = {.type = FSIF_OP_SYNC};

    return on_handle(cl, fh, &op, NULL);
}

int fsif_remove(struct fsif_client *cl, const char *path)
{
    struct fsif_op op = {.type = FSIF_OP_REMOVE, .path = path};

    return path == NULL ? -FSIF_EINVAL : (int)one(cl, &op, NULL);
}

int fsif_rename(struct fsif_client *cl, const char *from, const char *to)
{
    struct fsif_op op = {.type = FSIF_OP_RENAME, .path = from, .path2 = to};

    return from == NULL || to == NULL ? -FSIF_EINVAL : (int)one(cl, &op, NULL);
}

int fsif_mkdir(struct fsif_client *cl, const char *path, uint32_t mode)
{
    struct fsif_op op = {
        .type = FSIF_OP_CREATE,
        .path = path,
        .mode = mode,
        .flags = FSIF_CREATE_DIRECTORY,
    };

    if (path == NULL || (mode & ~FSIF_S_PERM) != 0)
        return -FSIF_EINVAL;
    return (int)one(cl, &op, NULL);
}

int64_t fsif_space(struct fsif_client *cl, const char *path)
{
    struct fsif_op op = {.type = FSIF_OP_SPACE, .path = path};

    return path == NULL ? -FSIF_EINVAL : one(cl, &op, NULL);
}
