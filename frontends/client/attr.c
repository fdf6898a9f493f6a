/* SPDX-License-Identifier: MIT */
#include "internal.h"

#include <string.h>

/*
 * Attributes. In dialects 1 and 2 only an open file has any: what goes by path opens it first, and
 * mode and size are all that can be changed.
 */

/* What remains of @op in dialects 1 and 2: nothing but an open file or a path from the root. */
static int old_target(int dir, const struct fsif_op *op)
{
    if (op->flags & FSIF_AT_NOFOLLOW)
        return -FSIF_EOPNOTSUPP;
    return dir == FSIF_ROOT || op->path[0] == '\0' ? 0 : -FSIF_EOPNOTSUPP;
}

/* Open @op's path unless it is an open file already. Return: the handle; *@opened */
static int old_handle(struct fsi_lane *lane, int dir, const struct fsif_op *op, int *opened)
{
    struct fsif_op open = {.type = FSIF_OP_OPEN, .path = op->path};

    *opened = dir == FSIF_ROOT;
    return *opened ? (int)fsi_call(lane, &open, NULL) : dir;
}

static int64_t old_stat(struct fsi_lane *lane, int fh, struct fsif_result *result)
{
    struct fsif_op op = {.type = FSIF_OP_STAT, .handle = (uint32_t)fh};

    return fsi_call(lane, &op, result);
}

/* What ftruncate and fchmod are to such a backend. */
static int64_t old_change(struct fsi_lane *lane, int fh, int opened, const struct fsif_setattr *set)
{
    struct fsif_op op = {.type = FSIF_OP_CHMOD, .handle = (uint32_t)fh, .mode = set->mode};
    int64_t value = 0;

    if (set->mask & ~(FSIF_SET_MODE | FSIF_SET_SIZE))
        return -FSIF_EOPNOTSUPP;
    if ((set->mask & FSIF_SET_SIZE) && !opened &&
        ((unsigned int)fsi_handle_limits(lane->cl, fh) & FSI_HANDLE_NO_WRITE))
        return -FSIF_EINVAL;
    if (set->mask & FSIF_SET_MODE)
        value = fsi_call(lane, &op, NULL);
    if (value >= 0 && (set->mask & FSIF_SET_SIZE)) {
        op.type = FSIF_OP_TRUNCATE;
        op.length = set->size;
        value = fsi_call(lane, &op, NULL);
    }
    return value;
}

static int64_t old_at(struct fsi_lane *lane, int dir, const struct fsif_op *op,
                      struct fsif_result *result)
{
    int64_t value = old_target(dir, op);
    int opened;
    int fh;

    if (value < 0)
        return value;
    fh = old_handle(lane, dir, op, &opened);
    if (fh < 0)
        return fh;
    if (op->type == FSIF_OP_SETATTR)
        value = old_change(lane, fh, opened, op->set);
    if (value >= 0 && result != NULL)
        value = old_stat(lane, fh, result);
    if (opened)
        fsi_close_handle(lane, fh);
    return value;
}

static int attr_at(struct fsif_client *cl, int dir, struct fsif_op *op, struct fsif_attr *out)
{
    struct fsif_result result;
    struct fsi_lane *lane;
    int64_t value = fsi_begin(cl, dir, op, &lane);

    if (value < 0)
        return (int)value;
    if (cl->limits.dialect < 3)
        value = old_at(lane, dir, op, out == NULL ? NULL : &result);
    else
        value = fsi_call(lane, op, &result);
    if (value >= 0 && out != NULL)
        *out = result.attr;
    fsi_leave(cl);
    return value < 0 ? (int)value : 0;
}

int fsif_statx(struct fsif_client *cl, int dir, const char *path, uint32_t flags,
               struct fsif_attr *out)
{
    struct fsif_op op = {.type = FSIF_OP_STAT, .path = path, .flags = flags};

    return flags & ~FSIF_AT_NOFOLLOW ? -FSIF_EINVAL : attr_at(cl, dir, &op, out);
}

int fsif_stat(struct fsif_client *cl, const char *path, struct fsif_attr *out)
{
    if (path != NULL && path[0] == '\0')
        return -FSIF_ENOENT;
    return fsif_statx(cl, FSIF_ROOT, path, 0, out);
}

int fsif_lstat(struct fsif_client *cl, const char *path, struct fsif_attr *out)
{
    if (path != NULL && path[0] == '\0')
        return -FSIF_ENOENT;
    return fsif_statx(cl, FSIF_ROOT, path, FSIF_AT_NOFOLLOW, out);
}

/* As @fh of the calls on an open file FSIF_ROOT is no number. */
int fsif_fstat(struct fsif_client *cl, int fh, struct fsif_attr *out)
{
    return fh < 0 ? -FSIF_EBADF : fsif_statx(cl, fh, "", 0, out);
}

/* The rest is 0: the wire wants it in range, whoever calls need not know. */
static struct fsif_setattr what_is_named(const struct fsif_setattr *set)
{
    struct fsif_setattr named = {.mask = set->mask};

    if (set->mask & FSIF_SET_MODE)
        named.mode = set->mode;
    if (set->mask & FSIF_SET_UID)
        named.uid = set->uid;
    if (set->mask & FSIF_SET_GID)
        named.gid = set->gid;
    if (set->mask & FSIF_SET_SIZE)
        named.size = set->size;
    if (set->mask & FSIF_SET_ATIME) {
        named.atime = set->atime;
        named.atime_nsec = set->atime_nsec;
    }
    if (set->mask & FSIF_SET_MTIME) {
        named.mtime = set->mtime;
        named.mtime_nsec = set->mtime_nsec;
    }
    return named;
}

int fsif_setattr(struct fsif_client *cl, int dir, const char *path, uint32_t flags,
                 const struct fsif_setattr *set, struct fsif_attr *out)
{
    struct fsif_setattr named;
    struct fsif_op op = {.type = FSIF_OP_SETATTR, .path = path, .flags = flags, .set = &named};

    if (set == NULL || (flags & ~FSIF_AT_NOFOLLOW) || (set->mask & ~FSIF_SET_ALL))
        return -FSIF_EINVAL;
    named = what_is_named(set);
    if ((named.mode & ~FSIF_S_PERM) || named.size > INT64_MAX)
        return -FSIF_EINVAL;
    return attr_at(cl, dir, &op, out);
}

int fsif_ftruncate(struct fsif_client *cl, int fh, uint64_t size)
{
    const struct fsif_setattr set = {.mask = FSIF_SET_SIZE, .size = size};

    return fh < 0 ? -FSIF_EBADF : fsif_setattr(cl, fh, "", 0, &set, NULL);
}

int fsif_truncate(struct fsif_client *cl, const char *path, uint64_t size)
{
    const struct fsif_setattr set = {.mask = FSIF_SET_SIZE, .size = size};

    return fsif_setattr(cl, FSIF_ROOT, path, 0, &set, NULL);
}

int fsif_fchmodat(struct fsif_client *cl, int dir, const char *path, uint32_t mode, uint32_t flags)
{
    const struct fsif_setattr set = {.mask = FSIF_SET_MODE, .mode = mode};

    return fsif_setattr(cl, dir, path, flags, &set, NULL);
}

int fsif_fchmod(struct fsif_client *cl, int fh, uint32_t mode)
{
    return fh < 0 ? -FSIF_EBADF : fsif_fchmodat(cl, fh, "", mode, 0);
}

int fsif_chmod(struct fsif_client *cl, const char *path, uint32_t mode)
{
    return fsif_fchmodat(cl, FSIF_ROOT, path, mode, 0);
}

int fsif_fchownat(struct fsif_client *cl, int dir, const char *path, uint32_t uid, uint32_t gid,
                  uint32_t flags)
{
    struct fsif_setattr set = {.uid = uid, .gid = gid};

    if (uid != UINT32_MAX)
        set.mask |= FSIF_SET_UID;
    if (gid != UINT32_MAX)
        set.mask |= FSIF_SET_GID;
    return fsif_setattr(cl, dir, path, flags, &set, NULL);
}

/* One of the two times. Return: its bits of the mask, of @set if it is a time and @now if it is
 * now; -FSIF_EINVAL */
static int time_bits(const struct fsif_timespec *t, uint32_t set, uint32_t now)
{
    if (t->nsec == FSIF_UTIME_OMIT)
        return 0;
    if (t->nsec == FSIF_UTIME_NOW)
        return (int)now;
    return t->nsec < 1000000000u ? (int)set : -FSIF_EINVAL;
}

int fsif_utimensat(struct fsif_client *cl, int dir, const char *path,
                   const struct fsif_timespec times[2], uint32_t flags)
{
    static const struct fsif_timespec both_now[2] = {{0, FSIF_UTIME_NOW}, {0, FSIF_UTIME_NOW}};
    const struct fsif_timespec *t = times == NULL ? both_now : times;
    int atime = time_bits(&t[0], FSIF_SET_ATIME, FSIF_SET_ATIME_NOW);
    int mtime = time_bits(&t[1], FSIF_SET_MTIME, FSIF_SET_MTIME_NOW);
    struct fsif_setattr set = {.mask = 0};

    if (atime < 0 || mtime < 0)
        return -FSIF_EINVAL;
    set.mask = (uint32_t)atime | (uint32_t)mtime;
    if (set.mask & FSIF_SET_ATIME) {
        set.atime = t[0].sec;
        set.atime_nsec = t[0].nsec;
    }
    if (set.mask & FSIF_SET_MTIME) {
        set.mtime = t[1].sec;
        set.mtime_nsec = t[1].nsec;
    }
    return fsif_setattr(cl, dir, path, flags, &set, NULL);
}
