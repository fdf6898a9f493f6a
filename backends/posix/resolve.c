/* SPDX-License-Identifier: MIT */

/*
 * The one code path that turns names into descriptors.
 *
 * Every name is resolved by the kernel. From the export's root that is openat2 with
 * RESOLVE_IN_ROOT: as if that directory were the root of everything, so links, absolute ones too,
 * resolve inside and
 * ".." in a link stops at the export. From another directory it is RESOLVE_BENEATH: links that stay
 * below it are followed, and one that climbs or is absolute is resolved step by step (base.c).
 * Links of /proc that jump are refused (RESOLVE_NO_MAGICLINKS), and so are mount points
 * (RESOLVE_NO_XDEV) unless the export allows them. No string is compared with a prefix.
 *
 * The kernel gives EAGAIN when a rename elsewhere might have let ".." escape; that is tried again
 * up to TRIES times, then -FSIF_EAGAIN is the answer. It gives the same while somebody holds a
 * lease on a file that is to be opened for writing.
 *
 * Calls that work on a name itself (unlink, rename, mkdir, exclusive creation) get the parent from
 * here and use the last component on it. None of them follows a link there. If the parent is moved
 * in between, they act in the directory that was inside the export when its name was resolved. If
 * it is removed in between, perhaps because another directory was renamed over it, the kernel says
 * ENOENT, although the name may be there all along: fsi_posix_gone() tells, and they resolve again.
 */

#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "internal.h"

enum { TRIES = 1000, TRIES_SPINNING = 16 };

/* Before a name is tried again. Opening for writing may wait for a lease, which costs its holder a
 * millisecond or more. */
static void wait_a_little(int tries, int flags)
{
    const struct timespec ms = {.tv_nsec = 1000000};

    if (tries < TRIES_SPINNING)
        return;
    if ((flags & O_ACCMODE) == O_RDONLY)
        sched_yield();
    else
        nanosleep(&ms, NULL);
}

/* Returns a descriptor or a negative FSIF_E*. @flags never has O_CREAT. */
static int open_from(int from, const char *path, int flags, uint64_t resolve)
{
    struct open_how how;

    memset(&how, 0, sizeof(how));
    how.flags = (uint64_t)(unsigned int)(flags | O_CLOEXEC);
    how.resolve = resolve;
    for (int tries = 0; tries < TRIES; tries++) {
        long fd = syscall(SYS_openat2, from, path, &how, sizeof(how));
        if (fd >= 0)
            return (int)fd;
        if (errno != EAGAIN && errno != EINTR)
            return posix_fail();
        wait_a_little(tries, flags);
    }
    return -FSIF_EAGAIN;
}

/* The same as openat2 has it: never above @from. @resolve: more of RESOLVE_*. */
int fsi_posix_beneath(const struct fsif_store *st, int from, const char *path, int flags,
                      uint64_t resolve)
{
    return open_from(from, path, flags, st->resolve | RESOLVE_BENEATH | resolve);
}

/* @from: a directory in the export, as fsi_posix_from() gives it. */
int fsi_posix_resolve(const struct fsif_store *st, int from, const char *path, int flags)
{
    int fd;

    if (from == st->root)
        return open_from(from, path, flags, st->resolve | RESOLVE_IN_ROOT);
    fd = fsi_posix_beneath(st, from, path, flags, 0);
    return fd == -FSIF_EXDEV ? fsi_posix_climb(st, from, path, flags) : fd;
}

/* Cut @path before its last component, which keeps its trailing slash, and open what is before. */
int fsi_posix_place(struct fsif_store *st, int from, const char *path, struct posix_place *out)
{
    size_t len = strlen(path);
    size_t cut = len;
    int fd;

    if (len == 0)
        return -FSIF_ENOENT;
    if (len > FSIF_PATH_MAX)
        return -FSIF_ENAMETOOLONG;
    while (cut > 1 && path[cut - 1] == '/')
        cut--;
    while (cut > 0 && path[cut - 1] != '/')
        cut--;
    out->last = path + cut;
    memcpy(out->parent, path, cut);
    out->parent[cut] = '\0';
    out->from = out->dir = from;
    out->owned = 0;
    out->held = NULL;
    if (cut == 0)
        return 0;
    if (from == st->root)
        out->held = fsi_posix_hold(st, path, cut);
    if (out->held != NULL) {
        out->dir = out->held->fd;
        return 0;
    }
    fd = fsi_posix_resolve(st, from, out->parent, O_PATH | O_DIRECTORY);
    if (fd < 0)
        return fd;
    out->dir = fd;
    out->owned = 1;
    return 0;
}

void fsi_posix_unplace(struct fsif_store *st, struct posix_place *place)
{
    if (place->owned)
        close(place->dir);
    if (place->held != NULL)
        fsi_posix_let_go(st, place->held);
    place->owned = 0;
    place->held = NULL;
}

/* Whether a call in @dir failed with @err because that directory is not in the tree any more. */
int fsi_posix_removed(int dir, int err)
{
    struct stat now;

    return err == -FSIF_ENOENT && fstat(dir, &now) == 0 && now.st_nlink == 0;
}

/* The same of the directory of @place, which may be found anew: not from one that is removed
 * itself, which "./" leads back to. */
int fsi_posix_gone(const struct posix_place *place, int err)
{
    return (place->owned || place->held != NULL) && fsi_posix_removed(place->dir, err) &&
           !fsi_posix_removed(place->from, err);
}

/* Open for real what the O_PATH descriptor @fd is. Needs /proc; -FSIF_EBADF without. */
int fsi_posix_reopen(const struct fsif_store *st, int fd, int access)
{
    struct stat now;
    char name[16];

    if (st->proc < 0)
        return -FSIF_EBADF;
    if (fstat(fd, &now) != 0)
        return posix_fail();
    if (!S_ISREG(now.st_mode) && !S_ISDIR(now.st_mode))
        return -FSIF_EACCES;
    snprintf(name, sizeof(name), "%d", fd);
    for (int tries = 0; tries < TRIES; tries++) {
        int to = openat(st->proc, name, access | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (to >= 0 || errno != EAGAIN)
            return to < 0 ? posix_fail() : to;
        wait_a_little(tries, access);
    }
    return -FSIF_EAGAIN;
}
