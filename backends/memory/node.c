/* SPDX-License-Identifier: MIT */

/* Nodes: files and directories, with a name or only open. */

#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "internal.h"

uint32_t fsi_memory_mode(const struct fsif_store *st, uint32_t mode)
{
    mode &= FSIF_S_PERM;
    return st->setid ? mode : mode & ~(FSIF_S_ISUID | FSIF_S_ISGID);
}

static void stamp(int64_t *sec, uint32_t *nsec)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    *sec = now.tv_sec;
    *nsec = (uint32_t)now.tv_nsec;
}

void fsi_memory_touched(struct memory_node *node)
{
    stamp(&node->ctime, &node->ctime_nsec);
}

void fsi_memory_changed(struct memory_node *node)
{
    fsi_memory_touched(node);
    node->mtime = node->ctime;
    node->mtime_nsec = node->ctime_nsec;
}

/* A node without a name; NULL: the limit is reached. */
struct memory_node *fsi_memory_node(struct fsif_store *st, int directory, uint32_t mode)
{
    struct memory_node *node;

    if (st->nodes >= st->max_nodes)
        return NULL;
    node = calloc(1, sizeof(*node));
    if (node == NULL)
        return NULL;
    node->directory = directory != 0;
    node->mode = mode;
    fsi_memory_changed(node);
    node->atime = node->ctime;
    node->atime_nsec = node->ctime_nsec;
    node->older = st->newest;
    if (st->newest != NULL)
        st->newest->newer = node;
    st->newest = node;
    st->nodes++;
    return node;
}

static void free_entries(struct memory_dir *dir)
{
    struct memory_entry *e = dir->first;

    while (e != NULL) {
        struct memory_entry *after = e->after;
        free(e);
        e = after;
    }
    free(dir->buckets);
}

/* Not recursive: what a directory names is not freed with it. */
void fsi_memory_free_node(struct fsif_store *st, struct memory_node *node)
{
    if (node->directory)
        free_entries(&node->u.dir);
    else
        fsi_memory_data_resize(st, &node->u.data, 0);
    if (node->older != NULL)
        node->older->newer = node->newer;
    if (node->newer != NULL)
        node->newer->older = node->older;
    else
        st->newest = node->older;
    st->nodes--;
    free(node);
}

void fsi_memory_unref(struct fsif_store *st, struct memory_node *node)
{
    node->refs--;
    if (node->refs == 0 && !node->linked)
        fsi_memory_free_node(st, node);
}

static uint32_t links(const struct memory_node *node)
{
    if (!node->linked)
        return 0;
    return node->directory ? 2 + node->u.dir.subdirs : 1;
}

void fsi_memory_attr(const struct fsif_store *st, const struct memory_node *node,
                     struct fsif_attr *out)
{
    *out = (struct fsif_attr){
        .mode = (node->directory ? FSIF_S_IFDIR : FSIF_S_IFREG) | node->mode,
        .uid = st->uid,
        .gid = st->gid,
        .nlink = links(node),
        .size = node->directory ? MEMORY_BLOCK : node->u.data.size,
        .atime = node->atime,
        .mtime = node->mtime,
        .ctime = node->ctime,
        .atime_nsec = node->atime_nsec,
        .mtime_nsec = node->mtime_nsec,
        .ctime_nsec = node->ctime_nsec,
    };
}
