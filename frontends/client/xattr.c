/* SPDX-License-Identifier: MIT */
#include "internal.h"

/* Extended attributes. No buffer is too large: what no value can fill is not asked for. */

static uint64_t most(size_t len)
{
    return len < FSIF_XATTR_MAX ? len : FSIF_XATTR_MAX;
}

int64_t fsif_getxattr(struct fsif_client *cl, int dir, const char *path, const char *name,
                      void *buf, size_t len, uint32_t flags)
{
    struct fsif_op op = {.type = FSIF_OP_GETXATTR,
                         .path = path,
                         .path2 = name,
                         .buffer = buf,
                         .length = most(len),
                         .flags = flags};

    return fsi_at(cl, dir, &op, NULL);
}

int fsif_setxattr(struct fsif_client *cl, int dir, const char *path, const char *name,
                  const void *buf, size_t len, uint32_t flags)
{
    struct fsif_op op = {.type = FSIF_OP_SETXATTR,
                         .path = path,
                         .path2 = name,
                         .data = buf,
                         .length = len,
                         .flags = flags};

    return len > FSIF_XATTR_MAX ? -FSIF_E2BIG : (int)fsi_at(cl, dir, &op, NULL);
}

int64_t fsif_listxattr(struct fsif_client *cl, int dir, const char *path, char *buf, size_t len,
                       uint32_t flags)
{
    struct fsif_op op = {.type = FSIF_OP_LISTXATTR,
                         .path = path,
                         .buffer = buf,
                         .length = most(len),
                         .flags = flags};

    return fsi_at(cl, dir, &op, NULL);
}

int fsif_removexattr(struct fsif_client *cl, int dir, const char *path, const char *name,
                     uint32_t flags)
{
    struct fsif_op op = {.type = FSIF_OP_REMOVEXATTR, .path = path, .path2 = name, .flags = flags};

    return (int)fsi_at(cl, dir, &op, NULL);
}
