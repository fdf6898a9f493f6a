/* SPDX-License-Identifier: MIT */

/*
 * Extended attributes: those of "user." and no others. What "security.", "system." and "trusted."
 * say is for the host alone, so those names are not listed, and asking for them or setting them is
 * -FSIF_EOPNOTSUPP.
 *
 * The host has calls on a path, which would follow a link anywhere, and calls on an open file. So
 * the file is opened. Only regular files and directories have attributes of "user."; for others the
 * answers are what Linux gives there.
 */

#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "internal.h"

enum { LIST_MAX = 65536, NO_ATTRIBUTES = 1 };

static const char prefix[] = "user.";

struct target {
    int fd;
    int opened; /* to be closed */
};

static int is_user(const char *name)
{
    return strncmp(name, prefix, sizeof(prefix) - 1) == 0;
}

/* Files that cannot be opened: whether because they are none. */
static int why_not(struct fsif_store *st, const struct posix_from *from, const char *path,
                   uint32_t flags, int err)
{
    struct fsif_attr attr;
    uint32_t type;

    if (fsi_posix_look(st, from, path, flags & FSIF_AT_NOFOLLOW, &attr) != 0)
        return err;
    type = attr.mode & FSIF_S_IFMT;
    return type == FSIF_S_IFREG || type == FSIF_S_IFDIR ? err : NO_ATTRIBUTES;
}

static int open_from(struct fsif_store *st, const struct posix_from *from, const char *path,
                     uint32_t flags, struct target *out)
{
    const int nofollow = (flags & FSIF_AT_NOFOLLOW) != 0;
    struct posix_want want = {.access = O_RDONLY, .flags = nofollow ? FSIF_O_NOFOLLOW : 0};
    uint64_t file;
    int err = fsi_posix_open_existing(st, from, path, &want, &file, NULL);

    if (err == -FSIF_EACCES) {
        /* Perhaps it may be written all the same. */
        want.access = O_WRONLY;
        err = fsi_posix_open_existing(st, from, path, &want, &file, NULL);
        err = err == -FSIF_EISDIR ? -FSIF_EACCES : err;
    }
    if (err == -FSIF_EACCES || err == -FSIF_ELOOP)
        return why_not(st, from, path, flags, err);
    out->opened = 1;
    out->fd = err == 0 ? posix_fd(st, file) : -1;
    return err;
}

static int open_named(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags,
                      struct target *out)
{
    struct posix_from from;
    int err = fsi_posix_start(st, base, &path, &from);

    if (err != 0)
        return err;
    err = open_from(st, &from, path, flags, out);
    fsi_posix_stop(st, &from);
    return err;
}

/* What an O_PATH descriptor names. */
static int open_again(const struct fsif_store *st, int fd, struct target *out)
{
    struct stat now;

    if (fstat(fd, &now) != 0)
        return posix_fail();
    if (S_ISDIR(now.st_mode)) {
        out->fd = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (out->fd < 0)
            return posix_fail();
    } else if (S_ISREG(now.st_mode)) {
        out->fd = fsi_posix_reopen(st, fd, O_RDONLY);
        if (out->fd < 0)
            return out->fd;
    } else {
        return NO_ATTRIBUTES;
    }
    out->opened = 1;
    return 0;
}

/* Returns 0, NO_ATTRIBUTES, or a negative FSIF_E* */
static int find(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags,
                struct target *out)
{
    out->fd = posix_fd(st, base);
    out->opened = 0;
    if (path[0] != '\0')
        return open_named(st, base, path, flags, out);
    if (base == FSIF_STORE_ROOT || (base & POSIX_FILE_PATH) != 0)
        return open_again(st, out->fd, out);
    return 0;
}

static void done(const struct target *t)
{
    if (t->opened)
        close(t->fd);
}

int64_t fsi_posix_getxattr(struct fsif_store *st, uint64_t base, const char *path, const char *name,
                           uint32_t flags, void *buf, uint32_t len)
{
    struct target t;
    ssize_t n;
    int err;

    if (!is_user(name))
        return -FSIF_EOPNOTSUPP;
    err = find(st, base, path, flags, &t);
    if (err != 0)
        return err == NO_ATTRIBUTES ? -FSIF_ENODATA : err;
    n = fgetxattr(t.fd, name, buf, len);
    err = n < 0 ? posix_fail() : 0;
    done(&t);
    return err != 0 ? err : n;
}

int fsi_posix_setxattr(struct fsif_store *st, uint64_t base, const char *path, const char *name,
                       uint32_t flags, const void *buf, uint32_t len)
{
    struct target t;
    int how = 0, err;

    if (st->read_only)
        return -FSIF_EROFS;
    if (!is_user(name))
        return -FSIF_EOPNOTSUPP;
    how |= (flags & FSIF_XATTR_CREATE) != 0 ? XATTR_CREATE : 0;
    how |= (flags & FSIF_XATTR_REPLACE) != 0 ? XATTR_REPLACE : 0;
    err = find(st, base, path, flags, &t);
    if (err != 0)
        return err == NO_ATTRIBUTES ? -FSIF_EPERM : err;
    if (fsetxattr(t.fd, name, buf, len, how) != 0)
        err = posix_fail();
    done(&t);
    return err;
}

/* Leave the names that are let through. Returns their bytes. */
static size_t filter(char *names, size_t len)
{
    size_t kept = 0;

    for (size_t at = 0; at < len;) {
        size_t size = strnlen(names + at, len - at) + 1;
        if (size > len - at)
            break;
        if (is_user(names + at)) {
            memmove(names + kept, names + at, size);
            kept += size;
        }
        at += size;
    }
    return kept;
}

static int64_t list(int fd, void *buf, uint32_t len)
{
    char *names = malloc(LIST_MAX);
    int64_t kept;
    ssize_t n;

    if (names == NULL)
        return -FSIF_ENOMEM;
    n = flistxattr(fd, names, LIST_MAX);
    kept = n < 0 ? posix_fail() : (int64_t)filter(names, (size_t)n);
    if (kept > (int64_t)len && len != 0)
        kept = -FSIF_ERANGE;
    if (kept > 0 && len != 0)
        memcpy(buf, names, (size_t)kept);
    free(names);
    return kept;
}

int64_t fsi_posix_listxattr(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags,
                            void *buf, uint32_t len)
{
    struct target t;
    int64_t n;
    int err = find(st, base, path, flags, &t);

    if (err != 0)
        return err == NO_ATTRIBUTES ? 0 : err;
    n = list(t.fd, buf, len);
    done(&t);
    return n;
}

int fsi_posix_removexattr(struct fsif_store *st, uint64_t base, const char *path, const char *name,
                          uint32_t flags)
{
    struct target t;
    int err;

    if (st->read_only)
        return -FSIF_EROFS;
    if (!is_user(name))
        return -FSIF_EOPNOTSUPP;
    err = find(st, base, path, flags, &t);
    if (err != 0)
        return err == NO_ATTRIBUTES ? -FSIF_EPERM : err;
    if (fremovexattr(t.fd, name) != 0)
        err = posix_fail();
    done(&t);
    return err;
}
