/* SPDX-License-Identifier: MIT */
#include "internal.h"

/*
 * Open, close and stat by path, composed of what dialects 1 and 2 have: open asks for the best
 * access that the backend can give, create always empties. The table of handles keeps what the
 * caller asked for, so that a handle opened for reading cannot write.
 */

#define OPEN_FLAGS                                                                                 \
    (FSIF_O_ACCMODE | FSIF_O_CREAT | FSIF_O_EXCL | FSIF_O_TRUNC | FSIF_O_APPEND | FSIF_O_DIRECTORY)

int fsi_handle_limits(struct fsif_client *cl, int fh)
{
    if (fh < 0)
        return -FSIF_EBADF;
    if ((uint32_t)fh / FSI_CLIENT_HANDLES != cl->generation)
        return cl->generation == 0 ? -FSIF_EBADF : -FSIF_ESTALE;
    return cl->handles[(uint32_t)fh % FSI_CLIENT_HANDLES];
}

static void set_limits(struct fsif_client *cl, int fh, uint32_t limits)
{
    cl->handles[(uint32_t)fh % FSI_CLIENT_HANDLES] = (unsigned char)limits;
}

static int64_t close_handle(struct fsi_lane *lane, uint32_t handle)
{
    struct fsif_op op = {.type = FSIF_OP_CLOSE, .handle = handle};

    return fsi_call(lane, &op, NULL);
}

static int check_flags(uint32_t flags)
{
    uint32_t access = flags & FSIF_O_ACCMODE;

    if ((flags & ~OPEN_FLAGS) != 0 || access == FSIF_O_ACCMODE)
        return -FSIF_EINVAL;
    if ((flags & FSIF_O_DIRECTORY) && (flags & FSIF_O_CREAT))
        return -FSIF_EINVAL;
    if (flags & (FSIF_O_EXCL | FSIF_O_APPEND))
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

static int open_handle(struct fsi_lane *lane, const char *path, uint32_t flags, uint32_t mode)
{
    struct fsif_op op = {.type = FSIF_OP_OPEN, .path = path};
    uint32_t limits = 0;
    int64_t handle;
    int err = 0;

    if (flags & FSIF_O_CREAT) {
        op.type = FSIF_OP_CREATE;
        op.mode = mode;
    }
    handle = fsi_call(lane, &op, NULL);
    if (handle < 0)
        return (int)handle;
    if (handle / FSI_CLIENT_HANDLES != lane->cl->generation)
        err = -FSIF_EMFILE;
    else if (!(flags & FSIF_O_CREAT))
        err = finish_open(lane, (uint32_t)handle, flags);
    if (err < 0) {
        close_handle(lane, (uint32_t)handle);
        return err;
    }
    if ((flags & FSIF_O_ACCMODE) == FSIF_O_RDONLY)
        limits |= FSI_HANDLE_NO_WRITE;
    if ((flags & FSIF_O_ACCMODE) == FSIF_O_WRONLY)
        limits |= FSI_HANDLE_NO_READ;
    if (flags & FSIF_O_DIRECTORY)
        limits |= FSI_HANDLE_DIRECTORY;
    set_limits(lane->cl, (int)handle, limits);
    return (int)handle;
}

int fsif_open(struct fsif_client *cl, const char *path, uint32_t flags, uint32_t mode)
{
    struct fsi_lane *lane;
    int err = check_flags(flags);

    if (err == 0 && (path == NULL || (mode & ~FSIF_S_PERM) != 0))
        err = -FSIF_EINVAL;
    if (err == 0)
        err = fsi_enter_blocking(cl, &lane);
    if (err < 0)
        return err;
    err = open_handle(lane, path, flags, mode);
    fsi_leave(cl);
    return err;
}

int fsif_close(struct fsif_client *cl, int fh)
{
    struct fsi_lane *lane;
    int err = fsi_enter_blocking(cl, &lane);

    if (err < 0)
        return err;
    err = fsi_handle_limits(cl, fh);
    if (err >= 0) {
        /* First: once the backend has closed it, another thread may get the same number. */
        set_limits(cl, fh, 0);
        err = (int)close_handle(lane, (uint32_t)fh);
    }
    fsi_leave(cl);
    return err;
}

int fsif_stat(struct fsif_client *cl, const char *path, struct fsif_attr *out)
{
    struct fsif_op op = {.type = FSIF_OP_OPEN, .path = path};
    struct fsif_result result;
    int64_t value;
    struct fsi_lane *lane;
    uint32_t handle;
    int err = path == NULL ? -FSIF_EINVAL : fsi_enter_blocking(cl, &lane);

    if (err < 0)
        return err;
    value = fsi_call(lane, &op, NULL);
    if (value >= 0) {
        handle = (uint32_t)value;
        op = (struct fsif_op){.type = FSIF_OP_STAT, .handle = handle};
        value = fsi_call(lane, &op, &result);
        close_handle(lane, handle);
    }
    if (value >= 0)
        *out = result.attr;
    fsi_leave(cl);
    return value < 0 ? (int)value : 0;
}
