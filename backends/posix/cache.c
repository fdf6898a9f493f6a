/* SPDX-License-Identifier: MIT */

/*
 * Directories that names were found in lately, kept open.
 *
 * Of an exclusive export, where nobody but its sessions moves them: a path of several components
 * from the root is cut before the last one; if the directory is here, the call costs as much as one
 * on a name of the root. Only paths that lead through no link are kept, so a path is its directory
 * until one of its directories is moved or removed. Whoever has done that, or has changed who may
 * pass, forgets them all, and counts `forgotten`, so that nobody keeps what was found before. Other
 * sessions, which have stores of their own, see it in the count that all of the export share, which
 * has grown before the change is answered; what overlaps with it may come before it.
 *
 * Of every other export anybody may move anything at any time, so a directory that is kept is used
 * only after a look whether its name still is that directory: one system call instead of the two
 * that opening and closing it take. That pays for directories of the root, and only they are kept.
 * A directory that is moved between the look and the call has taken the call with it, as one that
 * was opened for that call alone would have. Open here, an inode's number is nobody else's. Where
 * mount points are crossed nothing is kept: one inode may be reached through two mounts.
 *
 * An entry in use stays open until its last user lets it go. The lock guards everything here.
 */

#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "internal.h"

static void end(struct posix_parent *e)
{
    close(e->fd);
    e->used = 0;
}

/* With the lock held. */
static struct posix_parent *find(struct posix_cache *c, const char *path, size_t len)
{
    for (uint32_t i = 0; i < POSIX_PARENTS; i++) {
        struct posix_parent *e = &c->parent[i];
        if (e->used && !e->dead && e->len == len && memcmp(e->path, path, len) == 0)
            return e;
    }
    return NULL;
}

/* Whether the kept directory still has its name, in the root. */
static int is_there(const struct fsif_store *st, const struct posix_parent *e)
{
    struct statx now;

    return statx(st->root, e->path, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_TYPE | STATX_INO,
                 &now) == 0 &&
           S_ISDIR(now.stx_mode) && (now.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) != 0 &&
           (now.stx_attributes & STATX_ATTR_MOUNT_ROOT) == 0 && now.stx_ino == e->ino &&
           makedev(now.stx_dev_major, now.stx_dev_minor) == e->dev;
}

/* A place for one more: a free one, else the one that was not used for the longest time. With the
 * lock held. NULL: all are in use. */
static struct posix_parent *room(struct posix_cache *c)
{
    struct posix_parent *best = NULL;

    for (uint32_t i = 0; i < POSIX_PARENTS; i++) {
        struct posix_parent *e = &c->parent[i];
        if (!e->used)
            return e;
        if (e->users == 0 && (best == NULL || c->clock - e->stamp > c->clock - best->stamp))
            best = e;
    }
    if (best != NULL)
        end(best);
    return best;
}

/* With the lock held. */
static void drop_all(struct posix_cache *c)
{
    c->forgotten++;
    for (uint32_t i = 0; i < POSIX_PARENTS; i++) {
        struct posix_parent *e = &c->parent[i];
        e->dead = e->used;
        if (e->used && e->users == 0)
            end(e);
    }
}

/* What others who serve the export have moved since. With the lock held. */
static void keep_up(struct fsif_store *st)
{
    struct posix_cache *c = &st->cache;
    uint32_t moves;

    if (!st->exclusive || st->moves == NULL)
        return;
    moves = st->moves(st->moves_arg, 0);
    if (moves != c->moves)
        drop_all(c);
    c->moves = moves;
}

static struct posix_parent *get(struct fsif_store *st, const char *path, size_t len,
                                uint32_t *forgotten)
{
    struct posix_cache *c = &st->cache;
    struct posix_parent *e;

    pthread_mutex_lock(&c->lock);
    keep_up(st);
    e = find(c, path, len);
    if (e != NULL) {
        e->users++;
        e->stamp = ++c->clock;
    }
    *forgotten = c->forgotten;
    pthread_mutex_unlock(&c->lock);
    return e;
}

/* Keep @fd, unless what it was found by may have changed since. @now: what it is, for is_there() */
static struct posix_parent *keep(struct fsif_store *st, const char *path, size_t len, int fd,
                                 const struct stat *now, uint32_t forgotten)
{
    struct posix_cache *c = &st->cache;
    struct posix_parent *e = NULL;

    pthread_mutex_lock(&c->lock);
    keep_up(st);
    if (c->forgotten == forgotten && find(c, path, len) == NULL)
        e = room(c);
    if (e != NULL) {
        *e = (struct posix_parent){.fd = fd, .used = 1, .users = 1, .len = (uint32_t)len};
        e->stamp = ++c->clock;
        e->dev = now->st_dev;
        e->ino = now->st_ino;
        memcpy(e->path, path, len);
        e->path[len] = '\0';
    }
    pthread_mutex_unlock(&c->lock);
    return e;
}

/* Open the directory @name, which leads through no link, and keep it. NULL: whoever resolves all of
 * the path says why, or there is no room */
static struct posix_parent *open_kept(struct fsif_store *st, const char *name, size_t len,
                                      uint32_t forgotten)
{
    struct posix_parent *e;
    struct stat now;
    int fd = fsi_posix_beneath(st, st->root, name, O_PATH | O_DIRECTORY, RESOLVE_NO_SYMLINKS);

    if (fd < 0)
        return NULL;
    e = fstat(fd, &now) == 0 ? keep(st, name, len, fd, &now, forgotten) : NULL;
    if (e == NULL)
        close(fd);
    return e;
}

/* Start at the directory that the last component of @path lies in, if it is kept or can be. */
void fsi_posix_shorten(struct fsif_store *st, const char **path, struct posix_from *from)
{
    char parent[POSIX_PARENT_MAX + 1];
    size_t len = strlen(*path);
    uint32_t forgotten;

    while (len > 0 && (*path)[len - 1] == '/')
        len--;
    while (len > 0 && (*path)[len - 1] != '/')
        len--;
    if (len < 2 || len - 1 > POSIX_PARENT_MAX || (*path)[0] == '/')
        return;
    memcpy(parent, *path, len - 1);
    parent[len - 1] = '\0';
    from->held = get(st, parent, len - 1, &forgotten);
    if (from->held == NULL)
        from->held = open_kept(st, parent, len - 1, forgotten);
    if (from->held == NULL)
        return;
    from->depth = fsi_posix_depth(from, parent);
    from->fd = from->held->fd;
    *path += len;
}

void fsi_posix_let_go(struct fsif_store *st, struct posix_parent *e)
{
    pthread_mutex_lock(&st->cache.lock);
    e->users--;
    if (e->users == 0 && e->dead)
        end(e);
    pthread_mutex_unlock(&st->cache.lock);
}

/* It has not its name any more: nobody else takes it. */
static void drop(struct fsif_store *st, struct posix_parent *e)
{
    pthread_mutex_lock(&st->cache.lock);
    e->dead = 1;
    pthread_mutex_unlock(&st->cache.lock);
    fsi_posix_let_go(st, e);
}

/* How long the name of a directory of the root is that the first @len octets of @path are, slashes
 * at their end aside; 0: they are none that may be kept */
static size_t keepable(const struct fsif_store *st, const char *path, size_t len)
{
    while (len > 0 && path[len - 1] == '/')
        len--;
    return st->exclusive || st->xdev || len > POSIX_PARENT_MAX || memchr(path, '/', len) != NULL
               ? 0
               : len;
}

/* The directory that the first @len octets of @path name if it is one of the root's: held for
 * fsi_posix_let_go(). NULL: it is resolved as any other */
struct posix_parent *fsi_posix_hold(struct fsif_store *st, const char *path, size_t len)
{
    char name[POSIX_PARENT_MAX + 1];
    struct posix_parent *e;
    uint32_t forgotten;

    len = keepable(st, path, len);
    if (len == 0)
        return NULL;
    e = get(st, path, len, &forgotten);
    if (e != NULL && is_there(st, e))
        return e;
    if (e != NULL)
        drop(st, e);
    memcpy(name, path, len);
    name[len] = '\0';
    return open_kept(st, name, len, forgotten);
}

/* The same if it is kept already, without a look whether its name still is that directory: good for
 * nothing but a guess. */
struct posix_parent *fsi_posix_hold_unseen(struct fsif_store *st, const char *path, size_t len)
{
    uint32_t forgotten;

    len = keepable(st, path, len);
    return len == 0 ? NULL : get(st, path, len, &forgotten);
}

/* A directory was moved or removed, or who may pass it has changed. */
void fsi_posix_forget(struct fsif_store *st)
{
    struct posix_cache *c = &st->cache;

    if (st->moves != NULL)
        st->moves(st->moves_arg, 1);
    if (!st->exclusive)
        return;
    pthread_mutex_lock(&c->lock);
    drop_all(c);
    pthread_mutex_unlock(&c->lock);
}
