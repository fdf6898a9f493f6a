/* SPDX-License-Identifier: MIT */

/*
 * Directories that names were found in lately, kept open: only for an exclusive export, where
 * nobody but this store moves them.
 *
 * A path of several components from the root is cut before the last one; if the directory is here,
 * the call costs as much as one on a name of the root. Only paths that lead through no link are
 * kept, so a path is its directory until one of its directories is moved or removed. Whoever has
 * done that, or has changed who may pass, forgets them all, and counts `forgotten`, so that nobody
 * keeps what was found before.
 *
 * An entry in use stays open until its last user lets it go. The lock guards everything here.
 */

#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
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

static struct posix_parent *get(struct posix_cache *c, const char *path, size_t len,
                                uint32_t *forgotten)
{
    struct posix_parent *e;

    pthread_mutex_lock(&c->lock);
    e = find(c, path, len);
    if (e != NULL) {
        e->users++;
        e->stamp = ++c->clock;
    }
    *forgotten = c->forgotten;
    pthread_mutex_unlock(&c->lock);
    return e;
}

/* Keep @fd, unless what it was found by may have changed since. */
static struct posix_parent *keep(struct posix_cache *c, const char *path, size_t len, int fd,
                                 uint32_t forgotten)
{
    struct posix_parent *e = NULL;

    pthread_mutex_lock(&c->lock);
    if (c->forgotten == forgotten && find(c, path, len) == NULL)
        e = room(c);
    if (e != NULL) {
        *e = (struct posix_parent){.fd = fd, .used = 1, .users = 1, .len = (uint32_t)len};
        e->stamp = ++c->clock;
        memcpy(e->path, path, len);
    }
    pthread_mutex_unlock(&c->lock);
    return e;
}

/* Start at the directory that the last component of @path lies in, if it is kept or can be. */
void fsi_posix_shorten(struct fsif_store *st, const char **path, struct posix_from *from)
{
    char parent[POSIX_PARENT_MAX + 1];
    size_t len = strlen(*path);
    uint32_t forgotten;
    int fd;

    while (len > 0 && (*path)[len - 1] == '/')
        len--;
    while (len > 0 && (*path)[len - 1] != '/')
        len--;
    if (len < 2 || len - 1 > POSIX_PARENT_MAX || (*path)[0] == '/')
        return;
    memcpy(parent, *path, len - 1);
    parent[len - 1] = '\0';
    from->held = get(&st->cache, parent, len - 1, &forgotten);
    if (from->held == NULL) {
        fd = fsi_posix_beneath(st, st->root, parent, O_PATH | O_DIRECTORY, RESOLVE_NO_SYMLINKS);
        if (fd < 0)
            return; /* whoever resolves all of it says why */
        from->held = keep(&st->cache, parent, len - 1, fd, forgotten);
        if (from->held == NULL) {
            close(fd);
            return;
        }
    }
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

/* A directory was moved or removed, or who may pass it has changed. */
void fsi_posix_forget(struct fsif_store *st)
{
    struct posix_cache *c = &st->cache;

    if (!st->exclusive)
        return;
    pthread_mutex_lock(&c->lock);
    c->forgotten++;
    for (uint32_t i = 0; i < POSIX_PARENTS; i++) {
        struct posix_parent *e = &c->parent[i];
        e->dead = e->used;
        if (e->used && e->users == 0)
            end(e);
    }
    pthread_mutex_unlock(&c->lock);
}
