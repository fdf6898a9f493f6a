/* SPDX-License-Identifier: MIT */

/*
 * Opening files.
 *
 * Only regular files and directories may be opened, and finding out must neither block (a FIFO) nor
 * do anything to a device. So a name is looked at first, which opens nothing. If it is a regular
 * file it is resolved once more for real, with O_NONBLOCK in case a FIFO was put there meanwhile,
 * and looked at again: if it is none by now, again, up to POSIX_SWAPS times. A device is really
 * opened only if somebody who may make devices swaps it in at that moment, and then it is closed at
 * once. Reopening what was looked at through /proc/self/fd would close that gap, but a confined
 * worker has no /proc. O_NONBLOCK stays: to a regular file it means nothing.
 *
 * The first look may be a guess, at a directory that is kept (cache.c) and may have lost its name:
 * that saves a call, and what is opened is resolved from the root in any case. So the moment of a
 * device is any between two calls if a directory of the root is swapped for one that holds it.
 *
 * Creating: an exclusive creation on the parent first, so that this side knows whether the file is
 * its own and must get its owner; if the name exists, it is opened as above. A dangling link is
 * what POSIX creates through: its text is put in place of the last component and resolved like any
 * other name, inside the export.
 *
 * A file with a lease that conflicts is -FSIF_EAGAIN while its holder gives it up.
 */

#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "internal.h"

/* What a name that may be opened is. Returns 0 and @type, or why not. */
static int probe(struct fsif_store *st, const struct posix_from *from, const char *path,
                 const struct posix_want *want, uint32_t *type)
{
    struct fsif_attr attr;
    int nofollow = (want->flags & FSIF_O_NOFOLLOW) != 0;
    int err = fsi_posix_look(st, from, path, nofollow ? FSIF_AT_NOFOLLOW : 0, &attr);

    if (err != 0)
        return err;
    *type = attr.mode & FSIF_S_IFMT;
    if (*type == FSIF_S_IFDIR)
        return (want->access & O_ACCMODE) != O_RDONLY || (want->flags & FSIF_O_TRUNC) != 0
                   ? -FSIF_EISDIR
                   : 0;
    if (*type == FSIF_S_IFLNK)
        return -FSIF_ELOOP;
    return *type == FSIF_S_IFREG ? 0 : -FSIF_EACCES;
}

/* A file that was emptied loses its set-id bits, as one that is written to does. */
static int unsetid(struct fsif_store *st, int fd, struct fsif_attr *now)
{
    const uint32_t bits = FSIF_S_ISUID | FSIF_S_ISGID;

    if (st->setid || (now->mode & bits) == 0)
        return 0;
    return fchmod(fd, now->mode & FSIF_S_PERM & ~bits) != 0 ? posix_fail()
                                                            : fsi_posix_attr(st, fd, now);
}

/* Open for real what should be a regular file. Returns -FSIF_ESTALE if it is none by now. */
static int open_regular(struct fsif_store *st, const struct posix_from *from, const char *path,
                        const struct posix_want *want, uint64_t *file, struct fsif_attr *attr)
{
    const int empty = (want->flags & FSIF_O_TRUNC) != 0;
    struct fsif_attr now;
    int flags = want->access | O_NONBLOCK | O_NOCTTY | O_LARGEFILE;
    int fd, err;

    flags |= (want->flags & FSIF_O_NOFOLLOW) != 0 ? O_NOFOLLOW : 0;
    fd = fsi_posix_resolve(st, from->fd, path, empty ? flags | O_TRUNC : flags);
    if (fd < 0)
        return fd == -FSIF_ENXIO || fd == -FSIF_ENODEV || fd == -FSIF_EISDIR ? -FSIF_ESTALE : fd;
    err = fsi_posix_attr(st, fd, &now);
    if (err == 0 && (now.mode & FSIF_S_IFMT) != FSIF_S_IFREG)
        err = -FSIF_ESTALE;
    if (err == 0 && empty)
        err = unsetid(st, fd, &now);
    if (err != 0) {
        close(fd);
        return err;
    }
    *file =
        fsi_posix_file(fd, (now.mode & (FSIF_S_ISUID | FSIF_S_ISGID)) ? POSIX_FILE_SETID : 0, 0);
    if (attr != NULL)
        *attr = now;
    return 0;
}

static int open_directory(struct fsif_store *st, const struct posix_from *from, const char *path,
                          int flags, uint64_t *file, struct fsif_attr *attr)
{
    int fd = fsi_posix_resolve(st, from->fd, path, flags | O_DIRECTORY | O_LARGEFILE);
    int err = 0;

    if (fd < 0)
        return fd;
    if (attr != NULL)
        err = fsi_posix_attr(st, fd, attr);
    if (err != 0)
        close(fd);
    *file = fsi_posix_file(fd, POSIX_FILE_DIR, fsi_posix_depth(from, path));
    return err;
}

int fsi_posix_open_existing(struct fsif_store *st, const struct posix_from *from, const char *path,
                            const struct posix_want *want, uint64_t *file, struct fsif_attr *attr)
{
    const int nofollow = (want->flags & FSIF_O_NOFOLLOW) != 0 ? O_NOFOLLOW : 0;

    for (int tries = 0; tries < POSIX_SWAPS; tries++) {
        uint32_t type = FSIF_S_IFREG;
        int err = tries == 0 && fsi_posix_seems_regular(st, from, path)
                      ? 0
                      : probe(st, from, path, want, &type);

        if (err != 0)
            return err;
        if (type == FSIF_S_IFDIR) {
            err = open_directory(st, from, path, nofollow, file, attr);
            /* Nobody asked for a directory: by now there is something else. */
            if (err == -FSIF_ENOTDIR && (want->flags & FSIF_O_DIRECTORY) == 0)
                err = -FSIF_ESTALE;
        } else {
            err = open_regular(st, from, path, want, file, attr);
        }
        if (err != -FSIF_ESTALE)
            return err;
    }
    return -FSIF_EAGAIN;
}

/* A name and nothing else of it. */
static int open_path(struct fsif_store *st, const struct posix_from *from, const char *path,
                     uint32_t flags, uint64_t *file, struct fsif_attr *attr)
{
    int how = O_PATH | ((flags & FSIF_O_NOFOLLOW) != 0 ? O_NOFOLLOW : 0);
    int err = 0, fd;

    how |= (flags & FSIF_O_DIRECTORY) != 0 ? O_DIRECTORY : 0;
    fd = fsi_posix_resolve(st, from->fd, path, how);
    if (fd < 0)
        return fd;
    if (attr != NULL)
        err = fsi_posix_attr(st, fd, attr);
    if (err != 0)
        close(fd);
    *file = fsi_posix_file(fd, POSIX_FILE_PATH, fsi_posix_depth(from, path));
    return err;
}

/* --- files that may have to be made ---------------------------------------------------------- */

/* A path on its way through dangling links. */
struct route {
    struct posix_from from;
    char path[FSIF_PATH_MAX + 1];
};

/* Put the text of the link @at in the place of the last component.
 * Returns 1; -FSIF_ESTALE: it is not a link, or gone. */
static int follow(const struct fsif_store *st, const struct posix_place *at, struct route *route)
{
    char text[FSIF_PATH_MAX + 1];
    ssize_t n = readlinkat(at->dir, at->last, text, sizeof(text));
    size_t len = n > 0 ? (size_t)n : 0;
    size_t before = strlen(at->parent);

    if (n < 0)
        return errno == EINVAL || errno == ENOENT ? -FSIF_ESTALE : posix_fail();
    if (len > 0 && text[0] == '/') {
        route->from = (struct posix_from){.fd = st->root};
        before = 0;
    }
    if (before + len > FSIF_PATH_MAX)
        return -FSIF_ENAMETOOLONG;
    memcpy(route->path, at->parent, before);
    memcpy(route->path + before, text, len);
    route->path[before + len] = '\0';
    return 1;
}

static int is_dots(const char *last)
{
    return strcmp(last, ".") == 0 || strcmp(last, "..") == 0;
}

/* The name exists: 0 or an error; 1: it was a link and the route is its target now; -FSIF_ESTALE:
 * it came and went, look again. */
static int open_found(struct fsif_store *st, const struct posix_place *at, struct route *route,
                      const struct posix_want *want, uint64_t *file, struct fsif_attr *attr)
{
    int err;

    if ((want->flags & FSIF_O_EXCL) != 0)
        return -FSIF_EEXIST;
    err = fsi_posix_open_existing(st, &route->from, route->path, want, file, attr);
    return err == -FSIF_ENOENT ? follow(st, at, route) : err;
}

/* One round at the route. Returns as open_found(). */
static int create_once(struct fsif_store *st, struct route *route, const struct posix_want *want,
                       uint64_t *file, struct fsif_attr *attr)
{
    struct posix_place at;
    int err = fsi_posix_place(st, route->from.fd, route->path, &at);

    if (err != 0)
        return err;
    if (is_dots(at.last)) {
        err = (want->flags & FSIF_O_EXCL) != 0
                  ? -FSIF_EEXIST
                  : fsi_posix_open_existing(st, &route->from, route->path, want, file, attr);
    } else {
        err = fsi_posix_make_file(st, &at, want, attr);
        if (err >= 0) {
            *file = fsi_posix_file(err, 0, 0);
            err = 0;
        } else if (err == -FSIF_EEXIST) {
            err = open_found(st, &at, route, want, file, attr);
        } else if (fsi_posix_gone(&at, err)) {
            err = -FSIF_ESTALE;
        }
    }
    fsi_posix_unplace(st, &at);
    return err;
}

static int open_create(struct fsif_store *st, const struct posix_from *from, const char *path,
                       const struct posix_want *want, uint64_t *file, struct fsif_attr *attr)
{
    struct route route = {.from = *from};
    size_t len = strnlen(path, sizeof(route.path));
    int links = 0;

    if (len == sizeof(route.path))
        return -FSIF_ENAMETOOLONG;
    memcpy(route.path, path, len + 1);
    for (int tries = 0; tries < POSIX_SWAPS; tries++) {
        int err = create_once(st, &route, want, file, attr);
        if (err == 1 && ++links > POSIX_LINKS)
            return -FSIF_ELOOP;
        if (err != 1 && err != -FSIF_ESTALE)
            return err;
    }
    return -FSIF_EAGAIN;
}

/* A file without a name in the directory @path. */
static int open_tmpfile(struct fsif_store *st, const struct posix_from *from, const char *path,
                        const struct posix_want *want, uint64_t *file, struct fsif_attr *attr)
{
    struct posix_place at = {.last = NULL};
    int fd;

    if ((want->access & O_ACCMODE) == O_RDONLY)
        return -FSIF_EINVAL;
    at.dir = fsi_posix_resolve(st, from->fd, path, O_PATH | O_DIRECTORY);
    if (at.dir < 0)
        return at.dir;
    fd = fsi_posix_make_file(st, &at, want, attr);
    close(at.dir);
    *file = fsi_posix_file(fd, 0, 0);
    return fd < 0 ? fd : 0;
}

static int open_any(struct fsif_store *st, const struct posix_from *from, const char *path,
                    const struct posix_want *want, uint64_t *file, struct fsif_attr *attr)
{
    const uint32_t change = FSIF_O_CREAT | FSIF_O_TRUNC;
    const int nofollow = (want->flags & FSIF_O_NOFOLLOW) != 0 ? O_NOFOLLOW : 0;

    if ((want->flags & FSIF_O_PATH) != 0)
        return open_path(st, from, path, want->flags, file, attr);
    if ((want->flags & FSIF_O_TMPFILE) != 0)
        return open_tmpfile(st, from, path, want, file, attr);
    if ((want->flags & FSIF_O_DIRECTORY) != 0) {
        if ((want->access & O_ACCMODE) != O_RDONLY || (want->flags & change) != 0)
            return -FSIF_EISDIR;
        return open_directory(st, from, path, nofollow, file, attr);
    }
    if ((want->flags & FSIF_O_CREAT) != 0)
        return open_create(st, from, path, want, file, attr);
    return fsi_posix_open_existing(st, from, path, want, file, attr);
}

static int host_access(uint32_t flags)
{
    static const int modes[] = {O_RDONLY, O_WRONLY, O_RDWR};
    int access = modes[flags & FSIF_O_ACCMODE];

    access |= (flags & FSIF_O_APPEND) != 0 ? O_APPEND : 0;
    access |= (flags & FSIF_O_DSYNC) != 0 ? O_DSYNC : 0;
    return access | ((flags & FSIF_O_SYNC) != 0 ? O_SYNC : 0);
}

int fsi_posix_open(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags,
                   uint32_t mode, uint64_t *file, struct fsif_attr *attr)
{
    const uint32_t change = FSIF_O_CREAT | FSIF_O_TRUNC | FSIF_O_TMPFILE;
    struct posix_want want = {.flags = flags, .mode = mode};
    struct posix_from from;
    int err;

    if (path[0] == '\0')
        return -FSIF_ENOENT;
    if ((flags & FSIF_O_ACCMODE) == FSIF_O_ACCMODE)
        return -FSIF_EINVAL;
    if ((flags & FSIF_O_PATH) == 0) {
        want.access = host_access(flags);
        if (st->read_only && ((flags & FSIF_O_ACCMODE) != FSIF_O_RDONLY || (flags & change) != 0))
            return -FSIF_EROFS;
    }
    err = fsi_posix_start(st, base, &path, &from);
    if (err != 0)
        return err;
    err = open_any(st, &from, path, &want, file, attr);
    fsi_posix_stop(st, &from);
    return err;
}
