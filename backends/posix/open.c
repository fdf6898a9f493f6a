/* SPDX-License-Identifier: MIT */

/*
 * Opening files.
 *
 * Only regular files and directories may be opened, and finding out must neither block (a FIFO) nor
 * do anything to a device. So a name is opened with O_PATH first, which opens nothing but the name,
 * and looked at. If it is a regular file it is resolved once more for real, with O_NONBLOCK in case
 * a FIFO was put there meanwhile, and compared with the first (whose inode number is still in use,
 * as the O_PATH descriptor holds it). If it is not the same file, again, up to POSIX_SWAPS times. A
 * device is really opened only if somebody who may make devices on the host swaps it in at that
 * moment, and then it is closed at once. Reopening through /proc/self/fd would save the comparison,
 * but a confined worker has no /proc.
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

enum { LINKS = 40 };

static int same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
           (a->st_mode & S_IFMT) == (b->st_mode & S_IFMT);
}

/* Returns 0 and @out, or why the file may not be opened. */
static int inspect(int fd, struct stat *out)
{
    if (fstat(fd, out) != 0)
        return posix_fail();
    if (S_ISDIR(out->st_mode))
        return -FSIF_EISDIR;
    return S_ISREG(out->st_mode) ? 0 : -FSIF_EACCES;
}

/* Open for real what @probe is. Returns a descriptor, -FSIF_ESTALE if it is another file by now. */
static int open_same(const struct fsif_store *st, const char *path, int access,
                     const struct stat *probe)
{
    struct stat now;
    int fd = fsi_posix_resolve(st, path, access | O_NONBLOCK | O_NOCTTY | O_LARGEFILE);
    int err = 0;

    if (fd < 0)
        return fd == -FSIF_ENXIO || fd == -FSIF_ENODEV ? -FSIF_ESTALE : fd;
    if (fstat(fd, &now) != 0)
        err = posix_fail();
    else if (!same_file(&now, probe))
        err = -FSIF_ESTALE;
    else if (fcntl(fd, F_SETFL, access | O_LARGEFILE) != 0)
        err = posix_fail();
    if (err == 0)
        return fd;
    close(fd);
    return err;
}

static int open_existing(const struct fsif_store *st, const char *path, int access, uint64_t *file)
{
    struct stat probe;

    for (int tries = 0; tries < POSIX_SWAPS; tries++) {
        int fd = -FSIF_EAGAIN;
        int path_fd = fsi_posix_resolve(st, path, O_PATH);
        int err;

        if (path_fd < 0)
            return path_fd;
        err = inspect(path_fd, &probe);
        if (err == 0)
            fd = open_same(st, path, access, &probe);
        close(path_fd);
        if (err != 0)
            return err;
        if (fd == -FSIF_ESTALE)
            continue;
        if (fd < 0)
            return fd;
        *file = (uint64_t)(unsigned int)fd;
        if ((probe.st_mode & (S_ISUID | S_ISGID)) != 0)
            *file |= POSIX_FILE_SETID;
        return 0;
    }
    return -FSIF_EAGAIN;
}

static int open_directory(const struct fsif_store *st, const char *path, uint64_t *file)
{
    int fd = fsi_posix_resolve(st, path, O_RDONLY | O_DIRECTORY | O_LARGEFILE);

    if (fd < 0)
        return fd;
    *file = (uint64_t)(unsigned int)fd;
    return 0;
}

/* Put the text of the link @at in the place of the last component of @path.
 * Returns 1; -FSIF_ESTALE: it is not a link, or gone. */
static int follow(const struct posix_place *at, char path[FSIF_PATH_MAX + 1])
{
    char text[FSIF_PATH_MAX + 1];
    ssize_t n = readlinkat(at->dir, at->last, text, sizeof(text));
    size_t len = n > 0 ? (size_t)n : 0;
    size_t before = strlen(at->parent);

    if (n < 0)
        return errno == EINVAL || errno == ENOENT ? -FSIF_ESTALE : posix_fail();
    if (len > 0 && text[0] == '/')
        before = 0;
    if (before + len > FSIF_PATH_MAX)
        return -FSIF_ENAMETOOLONG;
    memcpy(path, at->parent, before);
    memcpy(path + before, text, len);
    path[before + len] = '\0';
    return 1;
}

static int is_dots(const char *last)
{
    return strcmp(last, ".") == 0 || strcmp(last, "..") == 0;
}

/* One round at @path. Returns 0 or an error; 1: @path was a link and is its target now;
 * -FSIF_ESTALE: the name came and went, look again. */
static int create_once(const struct fsif_store *st, char path[FSIF_PATH_MAX + 1], int access,
                       uint32_t mode, uint64_t *file)
{
    struct posix_place at;
    int err = fsi_posix_place(st, path, &at);

    if (err != 0)
        return err;
    if (is_dots(at.last)) {
        err = open_existing(st, path, access, file);
    } else {
        err = fsi_posix_make_file(st, &at, access, mode);
        if (err >= 0) {
            *file = (uint64_t)(unsigned int)err;
            err = 0;
        } else if (err == -FSIF_EEXIST) {
            err = open_existing(st, path, access, file);
            if (err == -FSIF_ENOENT)
                err = follow(&at, path);
        } else if (fsi_posix_gone(&at, err)) {
            err = -FSIF_ESTALE;
        }
    }
    fsi_posix_unplace(&at);
    return err;
}

static int open_create(const struct fsif_store *st, const char *path, int access, uint32_t mode,
                       uint64_t *file)
{
    char now[FSIF_PATH_MAX + 1];
    size_t len = strnlen(path, sizeof(now));
    int links = 0;

    if (len == sizeof(now))
        return -FSIF_ENAMETOOLONG;
    memcpy(now, path, len + 1);
    for (int tries = 0; tries < POSIX_SWAPS; tries++) {
        int err = create_once(st, now, access, mode, file);
        if (err == 1 && ++links > LINKS)
            return -FSIF_ELOOP;
        if (err != 1 && err != -FSIF_ESTALE)
            return err;
    }
    return -FSIF_EAGAIN;
}

/* Empty an opened file; closes it on error. */
static int empty(struct fsif_store *st, uint64_t file)
{
    int err = fsi_posix_truncate(st, file, 0);

    if (err != 0)
        close(posix_fd(file));
    return err;
}

int fsi_posix_open(struct fsif_store *st, const char *path, uint32_t flags, uint32_t mode,
                   uint64_t *file)
{
    const uint32_t change = FSIF_STORE_WRITE | FSIF_STORE_CREATE | FSIF_STORE_TRUNCATE;
    int access = O_RDONLY;
    int err;

    if (st->read_only && (flags & change) != 0)
        return -FSIF_EROFS;
    if ((flags & FSIF_STORE_DIRECTORY) != 0)
        return (flags & change) != 0 ? -FSIF_EISDIR : open_directory(st, path, file);
    if ((flags & (FSIF_STORE_WRITE | FSIF_STORE_TRUNCATE)) != 0)
        access = O_RDWR;
    if ((flags & FSIF_STORE_CREATE) != 0)
        err = open_create(st, path, access, mode, file);
    else
        err = open_existing(st, path, access, file);
    if (err == 0 && (flags & FSIF_STORE_TRUNCATE) != 0)
        err = empty(st, *file);
    return err;
}
