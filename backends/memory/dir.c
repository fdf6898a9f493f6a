/* SPDX-License-Identifier: MIT */

/*
 * Directories: a hash table for finding a name, and an array in the order in which the names were
 * made for listing them.
 *
 * An entry's cookie is its number in that order, never used again in its directory. A listing goes
 * on behind a cookie, which is found by halving, whether the entry is still there or not. A name
 * that is renamed over keeps its entry. The array is packed when half of it is empty, so adding,
 * removing and listing an entry each take constant time, over many.
 *
 * Everything here has the tree to itself, but for finding.
 */

#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include "internal.h"

enum { FIRST = 8 };

struct memory_entry *fsi_memory_find(const struct fsif_store *st, const struct memory_node *dir,
                                     const char *name, size_t len)
{
    const struct memory_dir *d = &dir->u.dir;
    struct memory_entry *e = NULL;
    uint64_t hash;

    if (d->count == 0)
        return NULL;
    hash = fsi_memory_hash(st->seed, name, len);
    for (e = d->buckets[hash & (d->nbuckets - 1)]; e != NULL; e = e->chain)
        if (e->hash == hash && e->len == len && memcmp(e->name, name, len) == 0)
            break;
    return e;
}

/* Keep as many buckets as entries, at least. */
static int more_buckets(struct memory_dir *d)
{
    uint32_t n = d->nbuckets == 0 ? FIRST : d->nbuckets * 2;
    struct memory_entry **buckets;

    if (d->count < d->nbuckets)
        return 0;
    buckets = calloc(n, sizeof(struct memory_entry *));
    if (buckets == NULL)
        return -FSIF_ENOMEM;
    for (uint32_t i = 0; i < d->used; i++) {
        struct memory_entry *e = d->order[i].entry;
        if (e == NULL)
            continue;
        e->chain = buckets[e->hash & (n - 1)];
        buckets[e->hash & (n - 1)] = e;
    }
    free(d->buckets);
    d->buckets = buckets;
    d->nbuckets = n;
    return 0;
}

static void pack(struct memory_dir *d)
{
    uint32_t to = 0;

    for (uint32_t i = 0; i < d->used; i++) {
        struct memory_entry *e = d->order[i].entry;

        if (e == NULL)
            continue;
        d->order[to] = d->order[i];
        e->place = to;
        to++;
    }
    d->used = to;
}

/* Make room for one more. */
static int more_order(struct memory_dir *d)
{
    uint32_t room = d->room == 0 ? FIRST : d->room * 2;
    struct memory_rank *order;

    if (d->used < d->room)
        return 0;
    if (d->used > 0 && d->count <= d->used / 2) {
        pack(d);
        return 0;
    }
    order = realloc(d->order, room * sizeof(*order));
    if (order == NULL)
        return -FSIF_ENOMEM;
    d->order = order;
    d->room = room;
    return 0;
}

/* With node->lock held for writing */
static void count_links(struct memory_node *node)
{
    if (node->moving)
        return;
    if (node->type != FSIF_S_IFDIR)
        node->nlink = node->named;
    else
        node->nlink = node->named > 0 ? 2 + node->u.dir.subdirs : 0;
}

void fsi_memory_show_links(struct memory_node *node)
{
    pthread_rwlock_wrlock(&node->lock);
    count_links(node);
    pthread_rwlock_unlock(&node->lock);
}

void fsi_memory_count_links(struct memory_node *node)
{
    if (node->moving)
        return;
    pthread_rwlock_wrlock(&node->lock);
    count_links(node);
    fsi_memory_touched(node);
    pthread_rwlock_unlock(&node->lock);
}

/* The names in @dir have changed. */
static void directory_changed(struct memory_node *dir)
{
    pthread_rwlock_wrlock(&dir->lock);
    count_links(dir);
    fsi_memory_changed(dir);
    pthread_rwlock_unlock(&dir->lock);
}

static void attach(struct fsif_store *st, struct memory_entry *e, struct memory_node *node)
{
    e->node = node;
    e->sibling = node->names;
    node->names = e;
    node->linkable = 0;
    pthread_mutex_lock(&st->life);
    node->named++;
    pthread_mutex_unlock(&st->life);
    if (node->type == FSIF_S_IFDIR)
        e->dir->u.dir.subdirs++;
    fsi_memory_count_links(node);
    directory_changed(e->dir);
}

/* The node's last name may go: the caller holds it. */
static void detach(struct fsif_store *st, struct memory_entry *e)
{
    struct memory_node *node = e->node;
    struct memory_entry **at = &node->names;

    while (*at != e)
        at = &(*at)->sibling;
    *at = e->sibling;
    pthread_mutex_lock(&st->life);
    node->named--;
    pthread_mutex_unlock(&st->life);
    if (node->type == FSIF_S_IFDIR)
        e->dir->u.dir.subdirs--;
    fsi_memory_count_links(node);
    directory_changed(e->dir);
}

static int count_name(struct fsif_store *st)
{
    int err = 0;

    pthread_mutex_lock(&st->life);
    if (st->names >= st->max_nodes)
        err = -FSIF_ENOSPC;
    else
        st->names++;
    pthread_mutex_unlock(&st->life);
    return err;
}

static void discount_name(struct fsif_store *st)
{
    pthread_mutex_lock(&st->life);
    st->names--;
    pthread_mutex_unlock(&st->life);
}

static struct memory_entry *make_entry(struct fsif_store *st, const struct memory_place *at)
{
    struct memory_entry *e = malloc(sizeof(*e) + at->len + 1);

    if (e == NULL)
        return NULL;
    memcpy(e->name, at->name, at->len);
    e->name[at->len] = '\0';
    e->len = at->len;
    e->hash = fsi_memory_hash(st->seed, at->name, at->len);
    e->dir = at->dir;
    return e;
}

/* Give @node, which the caller holds, a name that is free. */
int fsi_memory_link(struct fsif_store *st, const struct memory_place *at, struct memory_node *node)
{
    struct memory_dir *d = &at->dir->u.dir;
    struct memory_entry *e;
    int err = more_buckets(d);

    if (err == 0)
        err = more_order(d);
    if (err == 0)
        err = count_name(st);
    if (err != 0)
        return err;
    e = make_entry(st, at);
    if (e == NULL) {
        discount_name(st);
        return -FSIF_ENOMEM;
    }
    e->chain = d->buckets[e->hash & (d->nbuckets - 1)];
    d->buckets[e->hash & (d->nbuckets - 1)] = e;
    if (d->cookie < MEMORY_COOKIE_DOT_DOT)
        d->cookie = MEMORY_COOKIE_DOT_DOT;
    e->place = d->used++;
    d->order[e->place] = (struct memory_rank){++d->cookie, e};
    d->count++;
    attach(st, e, node);
    return 0;
}

/* Take a name away. The caller holds the node. */
void fsi_memory_unlink(struct fsif_store *st, struct memory_entry *entry)
{
    struct memory_dir *d = &entry->dir->u.dir;
    struct memory_entry **at = &d->buckets[entry->hash & (d->nbuckets - 1)];

    while (*at != entry)
        at = &(*at)->chain;
    *at = entry->chain;
    d->order[entry->place].entry = NULL;
    d->count--;
    discount_name(st);
    detach(st, entry);
    free(entry);
}

/* A name that stays names another node from now on. The caller holds both. */
void fsi_memory_relink(struct fsif_store *st, struct memory_entry *entry, struct memory_node *node)
{
    detach(st, entry);
    attach(st, entry, node);
}

void fsi_memory_exchange(struct fsif_store *st, struct memory_entry *a, struct memory_entry *b)
{
    struct memory_node *node = a->node;

    detach(st, a);
    attach(st, a, b->node);
    detach(st, b);
    attach(st, b, node);
}
