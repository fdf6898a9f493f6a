/* SPDX-License-Identifier: MIT */

/* Nodes: files of every kind, with a name or only held; and what the store has room for. */

#define _GNU_SOURCE
#include <stdlib.h>
#include <time.h>
#include "internal.h"

/* Everything whose size a peer chooses is paid for here: blocks of data and of pointers to them,
 * texts of links, extended attributes. */
int fsi_memory_charge(struct fsif_store *st, uint64_t bytes)
{
    uint64_t now = atomic_load(&st->bytes);

    do {
        if (st->max_bytes - now < bytes)
            return -FSIF_ENOSPC;
    } while (!atomic_compare_exchange_weak(&st->bytes, &now, now + bytes));
    return 0;
}

void fsi_memory_refund(struct fsif_store *st, uint64_t bytes)
{
    atomic_fetch_sub(&st->bytes, bytes);
}

uint32_t fsi_memory_mode(const struct fsif_store *st, uint32_t mode)
{
    mode &= FSIF_S_PERM;
    return st->setid ? mode : mode & ~(FSIF_S_ISUID | FSIF_S_ISGID);
}

struct memory_time fsi_memory_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (struct memory_time){.sec = t.tv_sec, .nsec = (uint32_t)t.tv_nsec};
}

void fsi_memory_touched(struct memory_node *node)
{
    node->ctime = fsi_memory_now();
}

void fsi_memory_changed(struct memory_node *node)
{
    node->ctime = fsi_memory_now();
    node->mtime = node->ctime;
}

/* One that readers cannot keep from a writer; so nobody may read twice. */
int fsi_memory_init_lock(pthread_rwlock_t *lock)
{
    pthread_rwlockattr_t attr;
    int err;

    if (pthread_rwlockattr_init(&attr) != 0)
        return -FSIF_ENOMEM;
    err = pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    if (err == 0)
        err = pthread_rwlock_init(lock, &attr);
    pthread_rwlockattr_destroy(&attr);
    return err != 0 ? -FSIF_ENOMEM : 0;
}

/* Give a node its number and its place among all. */
static int enter(struct fsif_store *st, struct memory_node *node)
{
    int err = 0;

    pthread_mutex_lock(&st->life);
    if (st->nodes >= st->max_nodes) {
        err = -FSIF_ENOSPC;
    } else {
        node->ino = ++st->ino;
        node->older = st->newest;
        if (st->newest != NULL)
            st->newest->newer = node;
        st->newest = node;
        st->nodes++;
    }
    pthread_mutex_unlock(&st->life);
    return err;
}

/* A node without a name, held by the caller; NULL: the limit is reached. */
struct memory_node *fsi_memory_node(struct fsif_store *st, uint32_t type, uint32_t mode)
{
    struct memory_node *node = calloc(1, sizeof(*node));

    if (node == NULL || fsi_memory_init_lock(&node->lock) != 0) {
        free(node);
        return NULL;
    }
    node->type = type;
    node->mode = mode;
    node->uid = st->uid;
    node->gid = st->gid;
    node->holds = 1;
    fsi_memory_changed(node);
    node->atime = node->ctime;
    node->btime = node->ctime;
    if (enter(st, node) == 0)
        return node;
    pthread_rwlock_destroy(&node->lock);
    free(node);
    return NULL;
}

static void free_entries(struct memory_dir *dir)
{
    for (uint32_t i = 0; i < dir->used; i++)
        free(dir->order[i].entry);
    free(dir->order);
    free(dir->buckets);
}

/* Of files that are open at the end of the store */
static void free_held(struct memory_node *node)
{
    for (uint32_t i = 0; i < 2; i++)
        while (node->held[i] != NULL) {
            struct memory_held *h = node->held[i];
            node->held[i] = h->next;
            free(h);
        }
}

/* What a node has. Not recursive: what a directory names is not freed with it. */
static void free_node(struct fsif_store *st, struct memory_node *node)
{
    if (node->type == FSIF_S_IFDIR)
        free_entries(&node->u.dir);
    else if (node->type == FSIF_S_IFREG)
        fsi_memory_data_resize(st, &node->u.data, 0);
    else if (node->type == FSIF_S_IFLNK && node->u.link.text != NULL) {
        fsi_memory_refund(st, (uint64_t)node->u.link.len + 1);
        free(node->u.link.text);
    }
    fsi_memory_free_xattrs(st, node);
    free_held(node);
    pthread_rwlock_destroy(&node->lock);
    free(node);
}

void fsi_memory_hold(struct fsif_store *st, struct memory_node *node)
{
    pthread_mutex_lock(&st->life);
    node->holds++;
    pthread_mutex_unlock(&st->life);
}

/* Let go. The last one to do so frees a node that has no name. */
void fsi_memory_put(struct fsif_store *st, struct memory_node *node)
{
    int last;

    pthread_mutex_lock(&st->life);
    node->holds--;
    last = node->holds == 0 && node->named == 0;
    if (last) {
        if (node->older != NULL)
            node->older->newer = node->newer;
        *(node->newer != NULL ? &node->newer->older : &st->newest) = node->older;
        st->nodes--;
    }
    pthread_mutex_unlock(&st->life);
    if (last)
        free_node(st, node);
}

/* At the end of the store: nobody calls any more. */
void fsi_memory_free_all(struct fsif_store *st)
{
    struct memory_node *node = st->newest;

    while (node != NULL) {
        struct memory_node *older = node->older;
        free_node(st, node);
        node = older;
    }
    st->newest = NULL;
}
