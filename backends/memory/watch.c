/* SPDX-License-Identifier: MIT */

/*
 * Watches of directories, and what they have seen.
 *
 * Changes stand in one ring of the store until somebody takes them. One that is the same as the
 * newest is not kept twice. When the ring is full, a watch is marked instead; once the ring is
 * empty, each marked watch gives FSIF_CHANGE_LOST. The descriptor is readable while there is
 * something to take: it is written to when something comes to nothing, and read when nothing is
 * left, both with the lock held.
 *
 * A watch holds its directory, so its number and its node are good until it is taken away. What it
 * has seen goes with it, as its number may be given again.
 */

#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "internal.h"

static void ring(struct fsif_store *st)
{
    const uint64_t one = 1;
    ssize_t n = write(st->seen.fd, &one, sizeof(one));

    (void)n; /* a counter that is full is readable too */
}

static void quiet(struct fsif_store *st)
{
    uint64_t count;
    ssize_t n = read(st->seen.fd, &count, sizeof(count));

    (void)n; /* nothing to read is what is wanted */
}

static struct fsif_store_change *change_at(struct memory_changes *seen, uint32_t i)
{
    return &seen->changes[(seen->first + i) % MEMORY_CHANGES];
}

static int is_newest(struct memory_changes *seen, uint32_t watch, uint32_t what, const char *name,
                     size_t len)
{
    const struct fsif_store_change *c;

    if (seen->count == 0)
        return 0;
    c = change_at(seen, seen->count - 1);
    return c->watch == watch && c->what == what && strlen(c->name) == len &&
           memcmp(c->name, name, len) == 0;
}

static void note(struct fsif_store *st, struct memory_watch *w, uint32_t what, const char *name,
                 size_t len)
{
    struct memory_changes *seen = &st->seen;
    uint32_t number = (uint32_t)(w - seen->watches) + 1;
    struct fsif_store_change *c;

    if (is_newest(seen, number, what, name, len))
        return;
    if (seen->count == MEMORY_CHANGES) {
        seen->lost += !w->lost;
        w->lost = 1;
        return;
    }
    if (seen->count == 0 && seen->lost == 0)
        ring(st);
    c = change_at(seen, seen->count++);
    c->watch = number;
    c->what = what;
    memcpy(c->name, name, len);
    c->name[len] = '\0';
}

/* Something happened to the entry @name of @dir, or to it itself. */
void fsi_memory_tell(struct fsif_store *st, struct memory_node *dir, uint32_t what,
                     const char *name, size_t len)
{
    if (atomic_load(&st->watched) == 0)
        return;
    pthread_mutex_lock(&st->watching);
    for (struct memory_watch *w = dir->watches; w != NULL; w = w->next)
        if ((w->what & what) != 0)
            note(st, w, what, name, len);
    pthread_mutex_unlock(&st->watching);
}

/* Something happened to a node, under whatever names. No lock is held. */
void fsi_memory_tell_of(struct fsif_store *st, struct memory_node *node, uint32_t what)
{
    if (what == 0 || atomic_load(&st->watched) == 0)
        return;
    pthread_rwlock_rdlock(&st->tree);
    for (const struct memory_entry *e = node->names; e != NULL; e = e->sibling)
        fsi_memory_tell(st, e->dir, what, e->name, e->len);
    pthread_rwlock_unlock(&st->tree);
    fsi_memory_tell(st, node, what, "", 0);
}

/* At the first watch */
static int make_room(struct memory_changes *seen)
{
    if (seen->watches == NULL)
        seen->watches = calloc(MEMORY_WATCHES, sizeof(*seen->watches));
    if (seen->changes == NULL)
        seen->changes = malloc(MEMORY_CHANGES * sizeof(*seen->changes));
    return seen->watches == NULL || seen->changes == NULL ? -FSIF_ENOMEM : 0;
}

static int add(struct fsif_store *st, struct memory_node *node, uint32_t what, uint32_t *watch)
{
    struct memory_changes *seen = &st->seen;
    int err = make_room(seen);
    uint32_t i = 0;

    if (err != 0)
        return err;
    while (i < MEMORY_WATCHES && seen->watches[i].node != NULL)
        i++;
    if (i == MEMORY_WATCHES)
        return -FSIF_ENOSPC;
    seen->watches[i] = (struct memory_watch){.node = node, .next = node->watches, .what = what};
    node->watches = &seen->watches[i];
    atomic_fetch_add(&st->watched, 1);
    *watch = i + 1;
    return 0;
}

int fsi_memory_watch(struct fsif_store *st, uint64_t dir, uint32_t what, uint32_t *watch)
{
    const struct memory_file *f = fsi_memory_file(st, dir);
    int err;

    if (f == NULL || (f->flags & FSIF_O_PATH) != 0)
        return -FSIF_EBADF;
    if (f->node->type != FSIF_S_IFDIR)
        return -FSIF_ENOTDIR;
    if (what == 0 || (what & ~FSIF_CHANGE_ALL) != 0)
        return -FSIF_EINVAL;
    fsi_memory_hold(st, f->node);
    pthread_mutex_lock(&st->watching);
    err = add(st, f->node, what, watch);
    pthread_mutex_unlock(&st->watching);
    if (err != 0)
        fsi_memory_put(st, f->node);
    return err;
}

static void forget(struct memory_changes *seen, uint32_t watch)
{
    uint32_t left = 0;

    for (uint32_t i = 0; i < seen->count; i++) {
        if (change_at(seen, i)->watch == watch)
            continue;
        if (left != i)
            *change_at(seen, left) = *change_at(seen, i);
        left++;
    }
    seen->count = left;
}

static struct memory_node *take_away(struct fsif_store *st, uint32_t watch)
{
    struct memory_changes *seen = &st->seen;
    struct memory_watch *w, **at;
    struct memory_node *node;

    if (seen->watches == NULL || watch == 0 || watch > MEMORY_WATCHES)
        return NULL;
    w = &seen->watches[watch - 1];
    node = w->node;
    if (node == NULL)
        return NULL;
    at = &node->watches;
    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
    forget(seen, watch);
    seen->lost -= w->lost;
    if (seen->count == 0 && seen->lost == 0)
        quiet(st);
    memset(w, 0, sizeof(*w));
    atomic_fetch_sub(&st->watched, 1);
    return node;
}

int fsi_memory_unwatch(struct fsif_store *st, uint32_t watch)
{
    struct memory_node *node;

    pthread_mutex_lock(&st->watching);
    node = take_away(st, watch);
    pthread_mutex_unlock(&st->watching);
    if (node == NULL)
        return -FSIF_EINVAL;
    fsi_memory_put(st, node);
    return 0;
}

int fsi_memory_watch_fd(struct fsif_store *st)
{
    return st->seen.fd;
}

static void take_lost(struct memory_changes *seen, struct fsif_store_change *out)
{
    struct memory_watch *w = seen->watches;

    while (!w->lost)
        w++;
    w->lost = 0;
    seen->lost--;
    out->watch = (uint32_t)(w - seen->watches) + 1;
    out->what = FSIF_CHANGE_LOST;
    out->name[0] = '\0';
}

int fsi_memory_watch_next(struct fsif_store *st, struct fsif_store_change *out)
{
    struct memory_changes *seen = &st->seen;
    int r = 1;

    pthread_mutex_lock(&st->watching);
    if (seen->count > 0) {
        *out = *change_at(seen, 0);
        seen->first = (seen->first + 1) % MEMORY_CHANGES;
        seen->count--;
    } else if (seen->lost > 0) {
        take_lost(seen, out);
    } else {
        r = 0;
    }
    if (r == 1 && seen->count == 0 && seen->lost == 0)
        quiet(st);
    pthread_mutex_unlock(&st->watching);
    return r;
}
