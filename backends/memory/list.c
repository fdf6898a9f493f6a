/* SPDX-License-Identifier: MIT */

/* Listings: what is given is copied out in batches, so that the caller may ask for more about it
 * while the lock is free. */

#include <string.h>
#include "internal.h"

enum { DOT = 1, DOT_DOT = 2, BATCH = 32 };

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
        .type = node->directory ? FSIF_S_IFDIR : FSIF_S_IFREG,
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

    b->n = 0;
    if (cookie < DOT)
        add(b, ".", 1, node, DOT);
    if (cookie < DOT_DOT)
        add(b, "..", 2, d->parent != NULL ? d->parent : node, DOT_DOT);
    for (uint32_t i = find(d, cookie); i < d->used && b->n < BATCH; i++) {
        const struct memory_entry *e = d->order[i].entry;
        if (d->order[i].cookie > until)
            break;
        if (e != NULL)
            add(b, e->name, e->len, e->node, d->order[i].cookie);
    }
}

static int next_batch(struct fsif_store *st, uint64_t dir, uint64_t cookie, struct batch *b)
{
    struct memory_file *file;
    int err = 0;

    pthread_mutex_lock(&st->lock);
    file = fsi_memory_file(st, dir);
    if (file == NULL)
        err = -FSIF_EBADF;
    else if (!file->node->directory)
        err = -FSIF_ENOTDIR;
    else if (cookie == 0)
        file->until = file->node->u.dir.cookie;
    if (err == 0)
        fill(b, file->node, cookie, file->until);
    pthread_mutex_unlock(&st->lock);
    return err;
}

/* Takes the lock itself. */
int fsi_memory_readdir(struct fsif_store *st, uint64_t dir, uint64_t cookie,
                       fsif_store_entry_fn *fn, void *arg)
{
    struct batch b;

    for (;;) {
        int err = next_batch(st, dir, cookie, &b);
        if (err != 0 || b.n == 0)
            return err;
        for (uint32_t i = 0; i < b.n; i++)
            if (fn(arg, &b.entry[i]) == 0)
                return 1;
        cookie = b.entry[b.n - 1].cookie;
    }
}
