/* SPDX-License-Identifier: MIT */

/* Listings: what is given is copied out in batches, so that the caller may ask for more about it
 * while the tree is free. */

#define _GNU_SOURCE
#include <string.h>
#include "internal.h"

enum { BATCH = 32 };

struct batch {
    uint32_t n;
    struct fsif_store_entry entry[BATCH];
    char name[BATCH][FSIF_NAME_MAX + 1];
};

static void add(struct batch *b, const char *name, size_t len, const struct memory_node *node,
                uint64_t cookie)
{
    struct fsif_store_entry *e = &b->entry[b->n];

    memcpy(b->name[b->n], name, len + 1);
    *e = (struct fsif_store_entry){
        .name = b->name[b->n],
        .name_len = (uint32_t)len,
        .type = node->type,
        .ino = node->ino,
        .cookie = cookie,
    };
    b->n++;
}

/* The first place behind @cookie. */
static uint32_t find(const struct memory_dir *d, uint64_t cookie)
{
    uint32_t low = 0, high = d->used;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (d->order[middle].cookie <= cookie)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void fill(struct batch *b, const struct memory_node *node, uint64_t cookie, uint64_t until)
{
    const struct memory_dir *d = &node->u.dir;
    const struct memory_node *parent = fsi_memory_parent(node);

    b->n = 0;
    if (cookie < MEMORY_COOKIE_DOT)
        add(b, ".", 1, node, MEMORY_COOKIE_DOT);
    if (cookie < MEMORY_COOKIE_DOT_DOT)
        add(b, "..", 2, parent != NULL ? parent : node, MEMORY_COOKIE_DOT_DOT);
    for (uint32_t i = find(d, cookie); i < d->used && b->n < BATCH; i++) {
        const struct memory_entry *e = d->order[i].entry;
        if (d->order[i].cookie > until)
            break;
        if (e != NULL)
            add(b, e->name, e->len, e->node, d->order[i].cookie);
    }
}

static void next_batch(struct fsif_store *st, struct memory_file *f, uint64_t cookie,
                       struct batch *b)
{
    pthread_rwlock_rdlock(&st->tree);
    if (cookie == 0)
        atomic_store(&f->until, f->node->u.dir.cookie);
    fill(b, f->node, cookie, atomic_load(&f->until));
    pthread_rwlock_unlock(&st->tree);
}

int fsi_memory_readdir(struct fsif_store *st, uint64_t dir, uint64_t cookie,
                       fsif_store_entry_fn *fn, void *arg)
{
    struct memory_file *f = fsi_memory_file(st, dir);
    struct batch b;

    if (f == NULL || (f->flags & FSIF_O_PATH) != 0)
        return -FSIF_EBADF;
    if (f->node->type != FSIF_S_IFDIR)
        return -FSIF_ENOTDIR;
    for (;;) {
        next_batch(st, f, cookie, &b);
        if (b.n == 0)
            return 0;
        for (uint32_t i = 0; i < b.n; i++)
            if (fn(arg, &b.entry[i]) == 0)
                return 1;
        cookie = b.entry[b.n - 1].cookie;
    }
}
