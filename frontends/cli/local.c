/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * Directories of this host while a tree is copied. Files are named relative to a descriptor and
 * links are never followed, so neither a name from a backend nor a change of the tree meanwhile
 * leads elsewhere. A directory stays open while something in it is under way: each job and each
 * directory within holds a reference. Whoever drops the last one finishes it.
 */

struct ldir *ldir_create(struct ldir *parent, int fd, char *shown)
{
    struct ldir *d = cli_alloc(sizeof(*d));

    d->refs = 1;
    d->fd = fd;
    d->parent = parent;
    d->shown = shown;
    if (parent != NULL)
        ldir_get(parent);
    return d;
}

void ldir_get(struct ldir *d)
{
    atomic_fetch_add(&d->refs, 1);
}

int ldir_put(struct ldir *d)
{
    return atomic_fetch_sub(&d->refs, 1) == 1;
}

struct ldir *ldir_free(struct ldir *d)
{
    struct ldir *parent = d->parent;

    close(d->fd);
    free(d->shown);
    free(d->remote);
    free(d);
    return parent;
}

int name_is_safe(const char *name)
{
    return name[0] != '\0' && strchr(name, '/') == NULL && strcmp(name, ".") != 0 &&
           strcmp(name, "..") != 0 && strlen(name) <= FSIF_NAME_MAX;
}

/* Looks before, so that a FIFO's writer or a tape is left alone, and after, at what it really is.
 */
int local_open(int dirfd, const char *name, int follow, struct stat *st, int *out)
{
    int fd;

    *out = -1;
    if (fstatat(dirfd, name, st, follow ? 0 : AT_SYMLINK_NOFOLLOW) != 0)
        return errno;
    if (!S_ISREG(st->st_mode) && !S_ISDIR(st->st_mode))
        return 0;
    fd = openat(dirfd, name,
                O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW));
    if (fd < 0)
        return errno;
    if (fstat(fd, st) != 0) {
        int err = errno;

        close(fd);
        return err;
    }
    if (S_ISREG(st->st_mode) || S_ISDIR(st->st_mode))
        *out = fd;
    else
        close(fd);
    return 0;
}
