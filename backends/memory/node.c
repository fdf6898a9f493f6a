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

static struct memory_time now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (struct memory_time){.sec = t.tv_sec, .nsec = (uint32_t)t.tv_nsec};
}

void fsi_memory_touched(struct memory_node *node)
{
    node->ctime = now();
}

void fsi_memory_changed(struct memory_node *node)
{
    node->ctime = now();
    node->mtime = node->ctime;
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
    node->btime = node->ctime;
    node->ino = ++st->ino;
    node->uid = st->uid;
    node->gid = st->gid;
    node->older = st->newest;
    if (st->newest != NULL)
        st->newest->newer = node;
    st->newest = node;
    st->nodes++;
    return node;
}

static void free_entries(struct memory_dir *dir)
{
    for (uint32_t i = 0; i < dir->used; i++)
        free(dir->order[i].entry);
    free(dir->order);
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

void fsi_memory_attr(const struct memory_node *node, struct fsif_attr *out)
{
    *out = (struct fsif_attr){
        .mode = (node->directory ? FSIF_S_IFDIR : FSIF_S_IFREG) | node->mode,
        .uid = node->uid,
        .gid = node->gid,
        .nlink = links(node),
        .size = node->directory ? MEMORY_BLOCK : node->u.data.size,
        .atime = node->atime.sec,
        .mtime = node->mtime.sec,
        .ctime = node->ctime.sec,
        .btime = node->btime.sec,
        .atime_nsec = node->atime.nsec,
        .mtime_nsec = node->mtime.nsec,
        .ctime_nsec = node->ctime.nsec,
        .btime_nsec = node->btime.nsec,
        .blocks = node->directory ? 0 : node->u.data.blocks * (MEMORY_BLOCK / 512),
        .ino = node->ino,
        .dev = 1,
        .blksize = MEMORY_BLOCK,
    };
}

int fsi_memory_stat(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags,
                    struct fsif_attr *out)
{
    struct memory_node *node;
    int err = fsi_memory_lookup(st, base, path, &node);

    (void)flags; /* there are no links */
    if (err == 0)
        fsi_memory_attr(node, out);
    return err;
}

static int resize(struct fsif_store *st, const struct memory_file *file, struct memory_node *node,
                  uint64_t size)
{
    int err;

    if (file != NULL && (file->flags & FSIF_O_ACCMODE) == FSIF_O_RDONLY)
        return -FSIF_EINVAL;
    if (node->directory)
        return -FSIF_EISDIR;
    if (size > INT64_MAX)
        return -FSIF_EINVAL;
    err = fsi_memory_data_resize(st, &node->u.data, size);
    if (err == 0)
        fsi_memory_changed(node);
    return err;
}

static void set_times(struct memory_node *node, const struct fsif_setattr *set)
{
    if ((set->mask & FSIF_SET_ATIME) != 0)
        node->atime = (struct memory_time){set->atime, set->atime_nsec};
    if ((set->mask & FSIF_SET_MTIME) != 0)
        node->mtime = (struct memory_time){set->mtime, set->mtime_nsec};
    if ((set->mask & FSIF_SET_ATIME_NOW) != 0)
        node->atime = node->ctime;
    if ((set->mask & FSIF_SET_MTIME_NOW) != 0)
        node->mtime = node->ctime;
}

int fsi_memory_setattr(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags,
                       const struct fsif_setattr *set)
{
    const struct memory_file *file = path[0] == '\0' ? fsi_memory_file(st, base) : NULL;
    struct memory_node *node;
    int err = fsi_memory_lookup(st, base, path, &node);

    (void)flags; /* there are no links */
    if (err == 0 && (set->mask & FSIF_SET_SIZE) != 0)
        err = resize(st, file, node, set->size);
    if (err != 0 || set->mask == 0)
        return err;
    if ((set->mask & FSIF_SET_UID) != 0)
        node->uid = set->uid;
    if ((set->mask & FSIF_SET_GID) != 0)
        node->gid = set->gid;
    if ((set->mask & FSIF_SET_MODE) != 0)
        node->mode = fsi_memory_mode(st, set->mode);
    fsi_memory_touched(node);
    set_times(node, set);
    return 0;
}
