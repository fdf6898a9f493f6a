/* SPDX-License-Identifier: MIT */
#include "internal.h"

#include <string.h>

/* What changes names, and what the store has room for. Dialects 1 and 2 know neither bases nor
 * flags. */

/* @op has no flags, and its bases are the root, so that dialects 1 and 2 can carry it. */
static int plain(const struct fsif_op *op, int dir, int dir2)
{
    return op->flags == 0 && dir == FSIF_ROOT && dir2 == FSIF_ROOT;
}

/* One request; @old: NULL, or what it is in dialects 1 and 2. */
static int change(struct fsif_client *cl, int dir, int dir2, struct fsif_op *op,
                  const struct fsif_op *old)
{
    struct fsi_lane *lane;
    int64_t value = fsi_begin(cl, dir, op, &lane);

    if (value < 0)
        return (int)value;
    value = fsi_base(cl, dir2, &op->handle2);
    if (value == 0 && cl->limits.dialect >= 3)
        value = fsi_call(lane, op, NULL);
    else if (value == 0)
        value = old != NULL && plain(op, dir, dir2) ? fsi_call(lane, old, NULL) : -FSIF_EOPNOTSUPP;
    fsi_leave(cl);
    return (int)value;
}

/* fsi_begin() takes an empty path as the base itself, which has no name to change. */
static int no_name(const char *path)
{
    if (path == NULL)
        return -FSIF_EINVAL;
    return path[0] == '\0' ? -FSIF_ENOENT : 0;
}

int fsif_unlinkat(struct fsif_client *cl, int dir, const char *path, uint32_t flags)
{
    struct fsif_op op = {.type = FSIF_OP_REMOVE, .path = path, .flags = flags};
    const struct fsif_op old = {.type = FSIF_OP_REMOVE, .path = path};
    int err = no_name(path);

    if (flags & ~(FSIF_REMOVE_FILE | FSIF_REMOVE_DIR))
        return -FSIF_EINVAL;
    if (flags == (FSIF_REMOVE_FILE | FSIF_REMOVE_DIR))
        op.flags = 0;
    return err < 0 ? err : change(cl, dir, FSIF_ROOT, &op, &old);
}

int fsif_remove(struct fsif_client *cl, const char *path)
{
    return fsif_unlinkat(cl, FSIF_ROOT, path, 0);
}

int fsif_renameat2(struct fsif_client *cl, int dir, const char *from, int dir2, const char *to,
                   uint32_t flags)
{
    struct fsif_op op = {.type = FSIF_OP_RENAME, .path = from, .path2 = to, .flags = flags};
    const struct fsif_op old = {.type = FSIF_OP_RENAME, .path = from, .path2 = to};
    int err = no_name(from);

    if (err == 0)
        err = no_name(to);
    return err < 0 ? err : change(cl, dir, dir2, &op, &old);
}

int fsif_rename(struct fsif_client *cl, const char *from, const char *to)
{
    return fsif_renameat2(cl, FSIF_ROOT, from, FSIF_ROOT, to, 0);
}

int fsif_mkdirat(struct fsif_client *cl, int dir, const char *path, uint32_t mode)
{
    struct fsif_op op = {.type = FSIF_OP_MKDIR, .path = path, .mode = mode};
    const struct fsif_op old = {
        .type = FSIF_OP_CREATE, .path = path, .mode = mode, .flags = FSIF_CREATE_DIRECTORY};
    int err = no_name(path);

    if (mode & ~FSIF_S_PERM)
        return -FSIF_EINVAL;
    return err < 0 ? err : change(cl, dir, FSIF_ROOT, &op, &old);
}

int fsif_mkdir(struct fsif_client *cl, const char *path, uint32_t mode)
{
    return fsif_mkdirat(cl, FSIF_ROOT, path, mode);
}

int fsif_mknodat(struct fsif_client *cl, int dir, const char *path, uint32_t mode, uint64_t rdev)
{
    struct fsif_op op = {.type = FSIF_OP_MKNOD, .path = path, .mode = mode, .offset = rdev};
    int err = no_name(path);

    return err < 0 ? err : change(cl, dir, FSIF_ROOT, &op, NULL);
}

int fsif_linkat(struct fsif_client *cl, int dir, const char *path, int dir2, const char *path2,
                uint32_t flags)
{
    struct fsif_op op = {.type = FSIF_OP_LINK, .path = path, .path2 = path2, .flags = flags};
    int err = no_name(path2);

    return err < 0 ? err : change(cl, dir, dir2, &op, NULL);
}

int fsif_symlinkat(struct fsif_client *cl, const char *target, int dir, const char *path)
{
    struct fsif_op op = {.type = FSIF_OP_SYMLINK, .path = path, .path2 = target};
    int err = no_name(path);

    if (err == 0)
        err = no_name(target);
    return err < 0 ? err : change(cl, dir, FSIF_ROOT, &op, NULL);
}

int64_t fsif_readlinkat(struct fsif_client *cl, int dir, const char *path, char *buf, size_t len)
{
    struct fsif_op op = {.type = FSIF_OP_READLINK, .path = path, .buffer = buf};

    if (len == 0)
        return -FSIF_EINVAL;
    op.length = len < FSIF_PAGE_SIZE ? len : FSIF_PAGE_SIZE;
    return fsi_at(cl, dir, &op, NULL);
}

/* --- the store -------------------------------------------------------------------------------- */

static int64_t free_bytes(const struct fsif_statvfs *v)
{
    return v->bsize != 0 && v->bavail > (uint64_t)INT64_MAX / v->bsize
               ? INT64_MAX
               : (int64_t)(v->bavail * v->bsize);
}

int64_t fsif_space(struct fsif_client *cl, const char *path)
{
    struct fsif_op op = {.type = FSIF_OP_STATVFS, .path = path};
    const struct fsif_op old = {.type = FSIF_OP_SPACE, .path = path};
    struct fsif_result result;
    struct fsi_lane *lane;
    int64_t value = no_name(path);

    if (value == 0)
        value = fsi_begin(cl, FSIF_ROOT, &op, &lane);
    if (value < 0)
        return value;
    if (cl->limits.dialect < 3) {
        value = fsi_call(lane, &old, NULL);
    } else {
        value = fsi_call(lane, &op, &result);
        if (value >= 0)
            value = free_bytes(&result.vfs);
    }
    fsi_leave(cl);
    return value;
}

static int statvfs_at(struct fsif_client *cl, int dir, const char *path, struct fsif_statvfs *out)
{
    struct fsif_op op = {.type = FSIF_OP_STATVFS, .path = path};
    struct fsif_result result;
    int64_t value = fsi_at(cl, dir, &op, &result);

    if (value >= 0)
        *out = result.vfs;
    return value < 0 ? (int)value : 0;
}

int fsif_statvfs(struct fsif_client *cl, const char *path, struct fsif_statvfs *out)
{
    return statvfs_at(cl, FSIF_ROOT, path, out);
}

int fsif_fstatvfs(struct fsif_client *cl, int fh, struct fsif_statvfs *out)
{
    return fh < 0 ? -FSIF_EBADF : statvfs_at(cl, fh, "", out);
}
