/* SPDX-License-Identifier: MIT */

/*
 * Locks of open files: on ranges, and on whole files, which know nothing of each other.
 *
 * A node has a list of what is held of it for each of the two. The ranges that one owner holds of a
 * node never overlap, and two that touch are of different modes: a new one takes the place of what
 * was there, swallows what touches it and is of its mode, and cuts the rest.
 */

#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include "internal.h"

#define LAST ((uint64_t)INT64_MAX)

struct want {
    const struct memory_file *owner;
    uint64_t first, last;
    uint32_t mode;
};

/* What is in the way, the first of it. */
static const struct memory_held *conflict(const struct memory_held *h, const struct want *w)
{
    const struct memory_held *found = NULL;

    for (; h != NULL; h = h->next)
        if (h->owner != w->owner && h->first <= w->last && w->first <= h->last &&
            (h->mode == FSIF_LOCK_EXCLUSIVE || w->mode == FSIF_LOCK_EXCLUSIVE) &&
            (found == NULL || h->first < found->first))
            found = h;
    return found;
}

static void drop(struct fsif_store *st, struct memory_held **at)
{
    struct memory_held *h = *at;

    *at = h->next;
    free(h);
    st->nlocks--;
}

static void add(struct fsif_store *st, struct memory_held **list, struct memory_held **spare,
                const struct want *w)
{
    struct memory_held *h = *spare;

    *spare = h->next;
    *h = (struct memory_held){
        .next = *list, .owner = w->owner, .first = w->first, .last = w->last, .mode = w->mode};
    *list = h;
    st->nlocks++;
}

/* Two of one owner and mode that overlap or touch become one: in @w. */
static int swallow(struct want *w, const struct memory_held *h)
{
    if (h->mode != w->mode || h->first > w->last + 1 || w->first > h->last + 1)
        return 0;
    if (h->first < w->first)
        w->first = h->first;
    if (h->last > w->last)
        w->last = h->last;
    return 1;
}

/* Put @w in the place of what its owner has there. @spare: a chain of two. */
static void replace(struct fsif_store *st, struct memory_held **list, struct memory_held **spare,
                    struct want *w)
{
    struct memory_held **at = list;

    while (*at != NULL) {
        struct memory_held *h = *at;
        struct want behind = {w->owner, w->last + 1, h->last, h->mode};

        if (h->owner != w->owner) {
            at = &h->next;
        } else if (swallow(w, h)) {
            drop(st, at);
        } else if (h->last < w->first || h->first > w->last) {
            at = &h->next;
        } else if (h->first < w->first) {
            if (h->last > w->last)
                add(st, list, spare, &behind);
            h->last = w->first - 1;
            at = &h->next;
        } else if (h->last > w->last) {
            h->first = w->last + 1;
            at = &h->next;
        } else {
            drop(st, at);
        }
    }
    if (w->mode != FSIF_LOCK_UNLOCK)
        add(st, list, spare, w);
}

/* Whether there may be as many as there would be then, at most. */
static int check_number(const struct fsif_store *st, const struct memory_held *h,
                        const struct want *w)
{
    uint32_t more = w->mode != FSIF_LOCK_UNLOCK, here = 0;

    for (; h != NULL; h = h->next) {
        here++;
        if (h->owner == w->owner && h->first < w->first && h->last > w->last)
            more++;
    }
    if (more == 0 || (here + more <= MEMORY_FILE_LOCKS && st->nlocks + more <= MEMORY_LOCKS))
        return 0;
    return -FSIF_ENOLCK;
}

/* Room for what a change may need: a new one, and the end of one that is cut in two. */
static int make_spare(struct memory_held **spare)
{
    *spare = NULL;
    for (int i = 0; i < 2; i++) {
        struct memory_held *h = malloc(sizeof(*h));
        if (h == NULL)
            return -FSIF_ENOLCK;
        h->next = *spare;
        *spare = h;
    }
    return 0;
}

static int change(struct fsif_store *st, struct memory_node *node, uint32_t whole, struct want *w)
{
    struct memory_held **list = &node->held[whole], *spare;
    int err = make_spare(&spare);

    pthread_mutex_lock(&st->locking);
    /* A lock of a whole file that changes its mode is let go first, as flock() does. */
    if (err == 0 && whole && w->mode != FSIF_LOCK_UNLOCK) {
        struct want none = {w->owner, 0, LAST, FSIF_LOCK_UNLOCK};
        replace(st, list, &spare, &none);
    }
    if (err == 0 && w->mode != FSIF_LOCK_UNLOCK && conflict(*list, w) != NULL)
        err = -FSIF_EAGAIN;
    if (err == 0)
        err = check_number(st, *list, w);
    if (err == 0)
        replace(st, list, &spare, w);
    pthread_mutex_unlock(&st->locking);
    while (spare != NULL) {
        struct memory_held *h = spare;
        spare = h->next;
        free(h);
    }
    return err;
}

static void test(struct fsif_store *st, const struct memory_node *node, const struct want *w,
                 struct fsif_lock *lock)
{
    const struct memory_held *h;

    pthread_mutex_lock(&st->locking);
    h = conflict(node->held[0], w);
    lock->mode = h != NULL ? h->mode : FSIF_LOCK_UNLOCK;
    if (h != NULL) {
        lock->offset = h->first;
        lock->length = h->last == LAST ? 0 : h->last - h->first + 1;
    }
    pthread_mutex_unlock(&st->locking);
}

static int check(const struct memory_file *f, uint32_t flags, const struct fsif_lock *lock)
{
    const uint32_t known = FSIF_LOCK_TEST | FSIF_LOCK_WHOLE | FSIF_LOCK_WAIT;
    uint32_t access, testing = flags & FSIF_LOCK_TEST;

    if (f == NULL)
        return -FSIF_EBADF;
    if ((flags & ~known) != 0 || lock->mode < FSIF_LOCK_SHARED || lock->mode > FSIF_LOCK_UNLOCK)
        return -FSIF_EINVAL;
    if ((flags & FSIF_LOCK_WHOLE) != 0 && testing) /* flock() cannot ask either */
        return -FSIF_EINVAL;
    if ((flags & FSIF_LOCK_WHOLE) != 0)
        return (f->flags & FSIF_O_PATH) != 0 ? -FSIF_EBADF : 0;
    if (lock->offset > LAST || lock->length > LAST || (testing && lock->mode == FSIF_LOCK_UNLOCK))
        return -FSIF_EINVAL;
    if ((f->flags & FSIF_O_PATH) != 0)
        return -FSIF_EBADF;
    if (lock->length > 0 && lock->length - 1 > LAST - lock->offset)
        return -FSIF_EOVERFLOW;
    access = f->flags & FSIF_O_ACCMODE;
    if (testing)
        return 0;
    if (lock->mode == FSIF_LOCK_SHARED && access == FSIF_O_WRONLY)
        return -FSIF_EBADF;
    return lock->mode == FSIF_LOCK_EXCLUSIVE && access == FSIF_O_RDONLY ? -FSIF_EBADF : 0;
}

int fsi_memory_lock(struct fsif_store *st, uint64_t file, uint32_t flags, struct fsif_lock *lock)
{
    const struct memory_file *f = fsi_memory_file(st, file);
    const uint32_t whole = (flags & FSIF_LOCK_WHOLE) != 0;
    struct want w = {f, 0, LAST, lock->mode};
    int err = check(f, flags, lock);

    if (err != 0)
        return err;
    if (!whole) {
        w.first = lock->offset;
        w.last = lock->length > 0 ? lock->offset + lock->length - 1 : LAST;
    }
    if ((flags & FSIF_LOCK_TEST) == 0)
        return change(st, f->node, whole, &w);
    test(st, f->node, &w, lock);
    return 0;
}

/* At the close of the file */
void fsi_memory_unlock_all(struct fsif_store *st, const struct memory_file *file)
{
    pthread_mutex_lock(&st->locking);
    for (uint32_t i = 0; i < 2; i++) {
        struct memory_held **at = &file->node->held[i];
        while (*at != NULL) {
            if ((*at)->owner == file)
                drop(st, at);
            else
                at = &(*at)->next;
        }
    }
    pthread_mutex_unlock(&st->locking);
}
