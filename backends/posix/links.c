/* SPDX-License-Identifier: MIT */

/*
 * Links and nodes.
 *
 * A path with a slash at its end makes the kernel follow a link that the call would not follow
 * otherwise, and outside of openat2 there is nothing to keep that inside. So a call that reads what
 * a name is gets it without such a slash, or a descriptor.
 */

#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "internal.h"

/* Returns 0, an error, or -FSIF_ESTALE: the directory that it was to be in is gone, look again. */
static int make_once(struct fsif_store *st, int from, const char *path,
                     const struct posix_node *node)
{
    struct posix_place at;
    int err = fsi_posix_place(st, from, path, &at);

    if (err != 0)
        return err;
    if (S_ISREG(node->mode)) {
        const struct posix_want want = {.access = O_WRONLY, .mode = node->mode & FSIF_S_PERM};
        int fd = fsi_posix_make_file(st, &at, &want, NULL);
        err = fd < 0 ? fd : 0;
        if (fd >= 0)
            close(fd);
    } else {
        err = fsi_posix_make_node(st, &at, node);
    }
    if (fsi_posix_gone(&at, err))
        err = -FSIF_ESTALE;
    fsi_posix_unplace(st, &at);
    return err;
}

static int make(struct fsif_store *st, uint64_t base, const char *path,
                const struct posix_node *node)
{
    struct posix_from from;
    int err = fsi_posix_start(st, base, &path, &from);

    if (err != 0)
        return err;
    err = -FSIF_ESTALE;
    for (int tries = 0; err == -FSIF_ESTALE && tries < POSIX_SWAPS; tries++)
        err = make_once(st, from.fd, path, node);
    fsi_posix_stop(st, &from);
    return err == -FSIF_ESTALE ? -FSIF_EAGAIN : err;
}

/* The host's type for FSIF_S_IF*. Returns 0; -FSIF_EINVAL */
static int host_type(uint32_t type, mode_t *out)
{
    switch (type) {
    case 0:
    case FSIF_S_IFREG:
        *out = S_IFREG;
        return 0;
    case FSIF_S_IFIFO:
        *out = S_IFIFO;
        return 0;
    case FSIF_S_IFSOCK:
        *out = S_IFSOCK;
        return 0;
    case FSIF_S_IFCHR:
        *out = S_IFCHR;
        return 0;
    case FSIF_S_IFBLK:
        *out = S_IFBLK;
        return 0;
    default:
        return -FSIF_EINVAL;
    }
}

int fsi_posix_mknod(struct fsif_store *st, uint64_t base, const char *path, uint32_t mode,
                    uint64_t rdev)
{
    struct posix_node node = {.target = NULL};
    int err;

    if (st->read_only)
        return -FSIF_EROFS;
    err = host_type(mode & FSIF_S_IFMT, &node.mode);
    if (err != 0)
        return err;
    if (!S_ISREG(node.mode) && !st->special)
        return -FSIF_EPERM;
    if (S_ISCHR(node.mode) || S_ISBLK(node.mode))
        node.device = makedev((unsigned int)(rdev >> 32), (unsigned int)rdev);
    node.mode |= fsi_posix_mode(st, mode);
    return make(st, base, path, &node);
}

int fsi_posix_symlink(struct fsif_store *st, const char *target, uint64_t base, const char *path)
{
    const struct posix_node node = {.mode = S_IFLNK | 0777, .target = target};

    return st->read_only ? -FSIF_EROFS : make(st, base, path, &node);
}

/* Give the file @fd another name. The first way is for those who may read everything, and since
 * Linux 6.10 for whoever opened the file. */
static int link_open(struct fsif_store *st, int fd, const struct posix_place *to)
{
    char name[16];
    int err;

    if (linkat(fd, "", to->dir, to->last, AT_EMPTY_PATH) == 0)
        return 0;
    err = posix_fail();
    if (err != -FSIF_ENOENT)
        return err;
    if (st->proc < 0)
        return fsi_posix_removed(to->dir, err) ? err : -FSIF_EOPNOTSUPP;
    snprintf(name, sizeof(name), "%d", fd);
    return linkat(st->proc, name, to->dir, to->last, AT_SYMLINK_FOLLOW) != 0 ? posix_fail() : 0;
}

static int link_named(struct fsif_store *st, int from, const char *path,
                      const struct posix_place *to)
{
    struct posix_place at;
    int err = fsi_posix_place(st, from, path, &at);

    if (err != 0)
        return err;
    if (linkat(at.dir, at.last, to->dir, to->last, 0) != 0)
        err = posix_fail();
    if (fsi_posix_gone(&at, err))
        err = -FSIF_ESTALE;
    fsi_posix_unplace(st, &at);
    return err;
}

/* What is linked: an open file, or a name. */
struct linked {
    int fd; /* -1: the name */
    struct posix_from from;
    const char *path;
    int follow;
};

static int link_to(struct fsif_store *st, const struct linked *what, const struct posix_place *to)
{
    int fd, err;

    if (what->fd >= 0)
        return link_open(st, what->fd, to);
    if (!what->follow && what->path[strlen(what->path) - 1] != '/')
        return link_named(st, what->from.fd, what->path, to);
    fd = fsi_posix_resolve(st, what->from.fd, what->path, O_PATH);
    if (fd < 0)
        return fd;
    err = link_open(st, fd, to);
    close(fd);
    return err;
}

/* The new name may be what is not possible, so not for ever. */
#define LINK_TRIES 8

/* What the name meant may lose it between being found and being linked; then another file has it.
 */
static int still_named(struct fsif_store *st, const struct linked *what, int err)
{
    int fd;

    if (err != -FSIF_ENOENT || what->fd >= 0)
        return 0;
    fd = fsi_posix_resolve(st, what->from.fd, what->path, O_PATH | (what->follow ? 0 : O_NOFOLLOW));
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

/* Returns 0, an error, or -FSIF_ESTALE: a directory on the way is gone, look again. */
static int link_once(struct fsif_store *st, const struct linked *what, int from2, const char *path2)
{
    struct posix_place to;
    int err = fsi_posix_place(st, from2, path2, &to);

    if (err != 0)
        return err;
    err = link_to(st, what, &to);
    for (int tries = 0; still_named(st, what, err) && tries < LINK_TRIES; tries++)
        err = link_to(st, what, &to);
    if (fsi_posix_gone(&to, err))
        err = -FSIF_ESTALE;
    fsi_posix_unplace(st, &to);
    return err;
}

int fsi_posix_link(struct fsif_store *st, uint64_t base, const char *path, uint64_t base2,
                   const char *path2, uint32_t flags)
{
    struct linked what = {.fd = -1, .path = path, .follow = (flags & FSIF_AT_FOLLOW) != 0};
    struct posix_from from2;
    int err;

    if (st->read_only)
        return -FSIF_EROFS;
    if (path[0] == '\0') {
        what.fd = posix_fd(st, base);
        err = fsi_posix_start(st, base2, &path2, &from2);
    } else {
        err = fsi_posix_start(st, base, &what.path, &what.from);
        if (err != 0)
            return err;
        err = fsi_posix_start_second(st, base, &what.from, base2, &path2, &from2);
    }
    if (err == 0) {
        err = -FSIF_ESTALE;
        for (int tries = 0; err == -FSIF_ESTALE && tries < POSIX_SWAPS; tries++)
            err = link_once(st, &what, from2.fd, path2);
        err = err == -FSIF_ESTALE ? -FSIF_EAGAIN : err;
        fsi_posix_stop(st, &from2);
    }
    fsi_posix_stop(st, &what.from);
    return err;
}

/* Of a descriptor of anything else the kernel says that there is no such name. */
static int64_t read_open(int fd, void *buf, uint32_t len)
{
    ssize_t n = readlinkat(fd, "", buf, len);

    return n >= 0 ? n : errno == ENOENT ? -FSIF_EINVAL : posix_fail();
}

static int64_t read_named(const struct fsif_store *st, int from, const char *path, void *buf,
                          uint32_t len)
{
    int64_t n;
    int fd;

    if (strchr(path, '/') == NULL) {
        n = readlinkat(from, path, buf, len);
        return n < 0 ? posix_fail() : n;
    }
    fd = fsi_posix_resolve(st, from, path, O_PATH | O_NOFOLLOW);
    if (fd < 0)
        return fd;
    n = read_open(fd, buf, len);
    close(fd);
    return n;
}

int64_t fsi_posix_readlink(struct fsif_store *st, uint64_t base, const char *path, void *buf,
                           uint32_t len)
{
    struct posix_from from;
    int64_t n;
    int err;

    if (path[0] == '\0')
        return read_open(posix_fd(st, base), buf, len);
    err = fsi_posix_start(st, base, &path, &from);
    if (err != 0)
        return err;
    n = read_named(st, from.fd, path, buf, len);
    fsi_posix_stop(st, &from);
    return n;
}
