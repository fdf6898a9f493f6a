/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "internal.h"

#include <stdlib.h>
#include <string.h>

/* Much in one request: whole small files, the attributes of many. What does not fit into one, and
 * all of it in dialects 1 and 2, is composed. */

/* --- files ------------------------------------------------------------------------------------ */

static int no_name(const char *path)
{
    if (path == NULL)
        return -FSIF_EINVAL;
    return path[0] == '\0' ? -FSIF_ENOENT : 0;
}

/* Return: @n, or why there are no attributes */
static int64_t with_attr(struct fsif_client *cl, int fh, int64_t n, struct fsif_attr *attr)
{
    int err = n < 0 || attr == NULL ? 0 : fsif_fstat(cl, fh, attr);

    return err < 0 ? err : n;
}

/* The rest of a file from @off on. */
static int64_t read_rest(struct fsif_client *cl, int dir, const char *path, uint32_t flags,
                         void *buf, size_t len, uint64_t off, struct fsif_attr *attr)
{
    int fh = fsif_openat(cl, dir, path, flags, 0);
    int64_t n;

    if (fh < 0)
        return fh;
    n = with_attr(cl, fh, fsif_pread(cl, fh, buf, len, off), attr);
    fsif_close(cl, fh);
    return n;
}

int64_t fsif_readfile(struct fsif_client *cl, int dir, const char *path, uint32_t flags, void *buf,
                      size_t len, struct fsif_attr *attr)
{
    struct fsif_op op = {.type = FSIF_OP_READFILE, .path = path, .flags = flags, .buffer = buf};
    struct fsif_result result;
    int64_t n = no_name(path);
    int64_t rest;

    if (flags & ~FSIF_O_NOFOLLOW)
        return -FSIF_EINVAL;
    if (n < 0)
        return n;
    op.length = len;
    n = fsi_at(cl, dir, &op, &result);
    if (n == -FSIF_EOPNOTSUPP)
        return read_rest(cl, dir, path, flags, buf, len, 0, attr);
    if (n < 0)
        return n;
    if (attr != NULL)
        *attr = result.attr;
    if ((uint64_t)n < op.length || op.length == len)
        return n;
    rest = read_rest(cl, dir, path, flags, (char *)buf + n, len - (size_t)n, (uint64_t)n, attr);
    return rest < 0 ? rest : n + rest;
}

static int64_t write_whole(struct fsif_client *cl, int dir, const char *path, uint32_t flags,
                           uint32_t mode, const void *buf, size_t len, struct fsif_attr *attr)
{
    int fh = fsif_openat(cl, dir, path, FSIF_O_WRONLY | flags, mode);
    int64_t n;
    int err;

    if (fh < 0)
        return fh;
    n = with_attr(cl, fh, fsif_pwrite(cl, fh, buf, len, 0), attr);
    err = fsif_close(cl, fh);
    return n >= 0 && err < 0 ? err : n;
}

int64_t fsif_writefile(struct fsif_client *cl, int dir, const char *path, uint32_t flags,
                       uint32_t mode, const void *buf, size_t len, struct fsif_attr *attr)
{
    const uint32_t known =
        FSIF_O_CREAT | FSIF_O_EXCL | FSIF_O_TRUNC | FSIF_O_NOFOLLOW | FSIF_O_SYNC | FSIF_O_DSYNC;
    struct fsif_op op = {.type = FSIF_OP_WRITEFILE,
                         .path = path,
                         .flags = flags,
                         .mode = mode,
                         .data = buf,
                         .length = len};
    struct fsif_result result;
    int64_t n = no_name(path);

    if ((flags & ~known) || (mode & ~FSIF_S_PERM))
        return -FSIF_EINVAL;
    if (n < 0)
        return n;
    n = fsi_at(cl, dir, &op, &result);
    if (n == -FSIF_EOPNOTSUPP || n == -FSIF_E2BIG)
        return write_whole(cl, dir, path, flags, mode, buf, len, attr);
    if (n >= 0 && attr != NULL)
        *attr = result.attr;
    return n;
}

/* --- the attributes of many ------------------------------------------------------------------- */

/* Names of one request, and their answers. */
struct batch {
    uint32_t room; /* bytes of names and records together */
    uint32_t used; /* bytes of names */
    uint32_t count;
    char *names;
    char *records;
};

static int check_names(const char *const *names, uint32_t n)
{
    uint32_t i;

    for (i = 0; i < n; i++) {
        int err = no_name(names[i]);

        if (err < 0)
            return err;
        if (strnlen(names[i], FSIF_PATH_MAX + 1) > FSIF_PATH_MAX)
            return -FSIF_ENAMETOOLONG;
    }
    return 0;
}

/* Add names from the first on as long as they fit. At least one does. */
static void fill(struct batch *b, const char *const *names, uint32_t n)
{
    b->used = 0;
    for (b->count = 0; b->count < n && b->count < FSIF_STATMANY_MAX; b->count++) {
        uint32_t len = (uint32_t)strlen(names[b->count]) + 1;

        if (b->used + len + (b->count + 1) * FSIF_RECORD_SIZE > b->room)
            break;
        memcpy(b->names + b->used, names[b->count], len);
        b->used += len;
    }
}

static int ask(struct fsi_lane *lane, uint32_t base, uint32_t flags, const struct batch *b)
{
    struct fsif_op op = {.type = FSIF_OP_STATMANY,
                         .handle = base,
                         .flags = flags,
                         .data = b->names,
                         .length = b->used,
                         .offset = b->count,
                         .buffer = b->records};

    return (int)fsi_call(lane, &op, NULL);
}

static int stat_batches(struct fsi_lane *lane, uint32_t base, const char *const *names, uint32_t n,
                        uint32_t flags, struct fsif_attr *attrs, int32_t *status)
{
    struct batch b = {.room = lane->cl->limits.max_io};
    uint32_t at = 0;
    int err = 0;

    b.names = malloc(2 * (size_t)b.room);
    if (b.names == NULL)
        return -FSIF_ENOMEM;
    b.records = b.names + b.room;
    while (at < n && err >= 0) {
        uint32_t i;

        fill(&b, names + at, n - at);
        err = b.count == 0 ? -FSIF_ENAMETOOLONG : ask(lane, base, flags, &b);
        for (i = 0; err >= 0 && i < b.count; i++)
            status[at + i] = fsif_record_get(b.records, i, &attrs[at + i]);
        at += b.count;
    }
    free(b.names);
    return err < 0 ? err : 0;
}

static int stat_each(struct fsif_client *cl, int dir, const char *const *names, uint32_t n,
                     uint32_t flags, struct fsif_attr *attrs, int32_t *status)
{
    uint32_t i;

    for (i = 0; i < n; i++) {
        memset(&attrs[i], 0, sizeof(attrs[i]));
        status[i] = fsif_statx(cl, dir, names[i], flags, &attrs[i]);
        if (status[i] == -FSIF_EOPNOTSUPP || status[i] == -FSIF_EPROTO || status[i] == -FSIF_EIO ||
            status[i] == -FSIF_ETIMEDOUT)
            return status[i];
    }
    return 0;
}

int fsif_statmany(struct fsif_client *cl, int dir, const char *const *names, uint32_t n,
                  uint32_t flags, struct fsif_attr *attrs, int32_t *status)
{
    struct fsif_op op = {.path = ""};
    struct fsi_lane *lane;
    int err = check_names(names, n);

    if (flags & ~FSIF_AT_NOFOLLOW)
        return -FSIF_EINVAL;
    if (err != 0)
        return err;
    err = fsi_begin(cl, dir, &op, &lane);
    if (err < 0)
        return err;
    if (cl->limits.dialect < 3)
        err = stat_each(cl, dir, names, n, flags, attrs, status);
    else
        err = stat_batches(lane, op.handle, names, n, flags, attrs, status);
    fsi_leave(cl);
    return err;
}
