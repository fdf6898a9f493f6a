/* SPDX-License-Identifier: MIT */

/*
 * Directories: a hash table for finding a name, and an array in the order in which the names were
 * made for listing them. The hash is SipHash-2-4 with a key of the store's own, so a guest cannot
 * choose names that collide.
 *
 * An entry's cookie is its number in that order, never used again in its directory. A listing goes
 * on behind a cookie, which is found by halving, whether the entry is still there or not. A name
 * that is renamed over keeps its entry. The array is packed when half of it is empty.
 */

#include <stdlib.h>
#include <string.h>
#include "internal.h"

enum { FIRST_BUCKETS = 8, DOT = 1, DOT_DOT = 2 };

static uint64_t rotate(uint64_t x, int by)
{
    return x << by | x >> (64 - by);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

static void sip_word(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    sip_round(v);
    sip_round(v);
    v[0] ^= word;
}

static uint64_t hash_name(const uint64_t seed[2], const char *name, size_t len)
{
    uint64_t v[4] = {
        seed[0] ^ UINT64_C(0x736f6d6570736575),
        seed[1] ^ UINT64_C(0x646f72616e646f6d),
        seed[0] ^ UINT64_C(0x6c7967656e657261),
        seed[1] ^ UINT64_C(0x7465646279746573),
    };
    uint64_t word = 0;

    for (size_t i = 0; i < len; i++) {
        word |= (uint64_t)(unsigned char)name[i] << (8 * (i % 8));
        if (i % 8 == 7) {
            sip_word(v, word);
            word = 0;
        }
    }
    sip_word(v, word | (uint64_t)len << 56);
    v[2] ^= 0xff;
    for (int i = 0; i < 4; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

struct memory_entry *fsi_memory_find(const struct fsif_store *st, const struct memory_node *dir,
                                     const char *name, size_t len)
{
    const struct memory_dir *d = &dir->u.dir;
    struct memory_entry *e = NULL;
    uint64_t hash;

    if (d->nbuckets == 0)
        return NULL;
    hash = hash_name(st->seed, name, len);
    for (e = d->buckets[hash & (d->nbuckets - 1)]; e != NULL; e = e->chain)
        if (e->hash == hash && e->len == len && memcmp(e->name, name, len) == 0)
            break;
    return e;
}

/* Keep as many buckets as entries, at least. */
static int more_buckets(struct memory_dir *d)
{
    uint32_t n = d->nbuckets == 0 ? FIRST_BUCKETS : d->nbuckets * 2;
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
        if (d->order[i].entry == NULL)
            continue;
        d->order[to] = d->order[i];
        d->order[to].entry->place = to;
        to++;
    }
    d->used = to;
}

/* There is room for one more. */
static int more_order(struct memory_dir *d)
{
    uint32_t room = d->room == 0 ? FIRST_BUCKETS : d->room * 2;
    struct memory_place_in_order *order;

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

/* Give @node, which has no name, one that is free in @dir. */
int fsi_memory_link(struct fsif_store *st, struct memory_node *dir, const char *name, size_t len,
                    struct memory_node *node)
{
    struct memory_dir *d = &dir->u.dir;
    struct memory_entry *e;
    int err = more_buckets(d);

    if (err == 0)
        err = more_order(d);
    if (err != 0)
        return err;
    e = malloc(sizeof(*e) + len + 1);
    if (e == NULL)
        return -FSIF_ENOMEM;
    memcpy(e->name, name, len);
    e->name[len] = '\0';
    e->len = (uint32_t)len;
    e->hash = hash_name(st->seed, name, len);
    e->node = node;
    e->chain = d->buckets[e->hash & (d->nbuckets - 1)];
    d->buckets[e->hash & (d->nbuckets - 1)] = e;
    if (d->cookie < DOT_DOT)
        d->cookie = DOT_DOT;
    e->place = d->used++;
    d->order[e->place] = (struct memory_place_in_order){++d->cookie, e};
    d->count++;
    node->linked = 1;
    if (node->directory) {
        node->u.dir.parent = dir;
        d->subdirs++;
    }
    fsi_memory_changed(dir);
    return 0;
}

/* Take a name away. Its node has none then; the caller gives it another or lets it go. */
void fsi_memory_unlink(struct memory_node *dir, struct memory_entry *entry)
{
    struct memory_dir *d = &dir->u.dir;
    struct memory_entry **at = &d->buckets[entry->hash & (d->nbuckets - 1)];

    while (*at != entry)
        at = &(*at)->chain;
    *at = entry->chain;
    d->order[entry->place].entry = NULL;
    d->count--;
    entry->node->linked = 0;
    if (entry->node->directory) {
        entry->node->u.dir.parent = NULL;
        d->subdirs--;
    }
    free(entry);
    fsi_memory_changed(dir);
}

/* One component further. Returns 0 and @at, now the node of that name. */
static int step(const struct fsif_store *st, struct memory_node **at, const char *name, size_t len)
{
    const struct memory_entry *e;

    if (!(*at)->directory)
        return -FSIF_ENOTDIR;
    if (len > FSIF_NAME_MAX)
        return -FSIF_ENAMETOOLONG;
    e = fsi_memory_find(st, *at, name, len);
    if (e == NULL)
        return -FSIF_ENOENT;
    *at = e->node;
    return 0;
}

/* The node of an open file, or the root. */
static int start(struct fsif_store *st, uint64_t base, struct memory_node **out)
{
    const struct memory_file *file;

    *out = st->root;
    if (base == FSIF_STORE_ROOT)
        return 0;
    file = fsi_memory_file(st, base);
    if (file == NULL)
        return -FSIF_EBADF;
    *out = file->node;
    return 0;
}

/* Find where the last component of @path is, or could be. */
int fsi_memory_place(struct fsif_store *st, uint64_t base, const char *path,
                     struct memory_place *out)
{
    struct memory_node *at;
    int err = start(st, base, &at);

    memset(out, 0, sizeof(*out));
    if (err != 0)
        return err;
    if (path[0] == '\0')
        return -FSIF_ENOENT;
    if (!at->directory)
        return -FSIF_ENOTDIR;
    if (path[0] == '.' && path[1] == '\0') {
        out->dir = at;
        return 0;
    }
    for (;;) {
        size_t len = strcspn(path, "/");
        int slash = path[len] == '/';

        if (!slash || path[len + 1] == '\0') {
            if (!at->directory)
                return -FSIF_ENOTDIR;
            if (len > FSIF_NAME_MAX)
                return -FSIF_ENAMETOOLONG;
            out->dir = at;
            out->name = path;
            out->len = (uint32_t)len;
            out->slash = (uint32_t)slash;
            out->entry = fsi_memory_find(st, at, path, len);
            return out->entry == NULL && !at->linked ? -FSIF_ENOENT : 0;
        }
        err = step(st, &at, path, len);
        if (err != 0)
            return err;
        path += len + 1;
    }
}

/* Find what is there. */
int fsi_memory_lookup(struct fsif_store *st, uint64_t base, const char *path,
                      struct memory_node **out)
{
    struct memory_place at;
    int err;

    if (path[0] == '\0')
        return start(st, base, out);
    err = fsi_memory_place(st, base, path, &at);
    if (err != 0)
        return err;
    if (at.len == 0) {
        *out = at.dir;
        return 0;
    }
    if (at.entry == NULL)
        return -FSIF_ENOENT;
    if (at.slash && !at.entry->node->directory)
        return -FSIF_ENOTDIR;
    *out = at.entry->node;
    return 0;
}
