/* SPDX-License-Identifier: MIT */

/* Attributes of nodes, and of the store. */

#define _GNU_SOURCE
#include "internal.h"

enum { SECOND = 1000000000, SECTOR = 512 };

static uint64_t size_of(const struct memory_node *node)
{
    switch (node->type) {
    case FSIF_S_IFREG:
        return node->u.data.size;
    case FSIF_S_IFDIR:
        return MEMORY_BLOCK;
    case FSIF_S_IFLNK:
        return node->u.link.len;
    default:
        return 0;
    }
}

void fsi_memory_attr(struct memory_node *node, struct fsif_attr *out)
{
    pthread_rwlock_rdlock(&node->lock);
    *out = (struct fsif_attr){
        .mode = node->type | node->mode,
        .uid = node->uid,
        .gid = node->gid,
        .nlink = node->nlink,
        .size = size_of(node),
        .atime = node->atime.sec,
        .mtime = node->mtime.sec,
        .ctime = node->ctime.sec,
        .btime = node->btime.sec,
        .atime_nsec = node->atime.nsec,
        .mtime_nsec = node->mtime.nsec,
        .ctime_nsec = node->ctime.nsec,
        .btime_nsec = node->btime.nsec,
        .blocks = node->type == FSIF_S_IFREG ? node->u.data.blocks * (MEMORY_BLOCK / SECTOR) : 0,
        .ino = node->ino,
        .dev = 1,
        .rdev_major = (uint32_t)(node->rdev >> 32),
        .rdev_minor = (uint32_t)node->rdev,
        .blksize = MEMORY_BLOCK,
    };
    pthread_rwlock_unlock(&node->lock);
}

int fsi_memory_stat(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags,
                    struct fsif_attr *out)
{
    struct memory_node *node;
    int err = fsi_memory_get(st, base, path, flags, &node);

    if (err != 0)
        return err;
    fsi_memory_attr(node, out);
    fsi_memory_put(st, node);
    return 0;
}

/* As truncate() on a path, @file NULL or good for that only, or ftruncate(). */
static int check_size(const struct memory_file *file, const struct memory_node *node, uint64_t size)
{
    if (file != NULL && (file->flags & (FSIF_O_ACCMODE | FSIF_O_PATH)) == FSIF_O_RDONLY)
        return -FSIF_EINVAL;
    if (file == NULL && node->type == FSIF_S_IFLNK)
        return -FSIF_ELOOP;
    if (node->type != FSIF_S_IFREG)
        return node->type == FSIF_S_IFDIR ? -FSIF_EISDIR : -FSIF_EACCES;
    return size > MEMORY_FILE_MAX ? -FSIF_EFBIG : 0;
}

static int check_set(const struct memory_file *file, const struct memory_node *node,
                     const struct fsif_setattr *set)
{
    int err = (set->mask & FSIF_SET_SIZE) != 0 ? check_size(file, node, set->size) : 0;

    if (err == 0 && (set->mask & FSIF_SET_MODE) != 0 && node->type == FSIF_S_IFLNK)
        err = -FSIF_EOPNOTSUPP;
    return err;
}

/* What is wrong whatever it is set on */
static int check_values(const struct fsif_setattr *set)
{
    const uint32_t atime = FSIF_SET_ATIME | FSIF_SET_ATIME_NOW;
    const uint32_t mtime = FSIF_SET_MTIME | FSIF_SET_MTIME_NOW;
    uint32_t mask = set->mask;

    if ((mask & ~FSIF_SET_ALL) != 0 || (mask & atime) == atime || (mask & mtime) == mtime)
        return -FSIF_EINVAL;
    if (((mask & FSIF_SET_UID) != 0 && set->uid == UINT32_MAX) ||
        ((mask & FSIF_SET_GID) != 0 && set->gid == UINT32_MAX) ||
        ((mask & FSIF_SET_SIZE) != 0 && set->size > INT64_MAX))
        return -FSIF_EINVAL;
    return ((mask & FSIF_SET_ATIME) != 0 && set->atime_nsec >= SECOND) ||
                   ((mask & FSIF_SET_MTIME) != 0 && set->mtime_nsec >= SECOND)
               ? -FSIF_EINVAL
               : 0;
}

/* With a map to one owner, files are given to nobody else. */
static int check_owner(const struct fsif_store *st, const struct fsif_setattr *set)
{
    if (!st->mapped)
        return 0;
    return ((set->mask & FSIF_SET_UID) != 0 && set->uid != st->uid) ||
                   ((set->mask & FSIF_SET_GID) != 0 && set->gid != st->gid)
               ? -FSIF_EPERM
               : 0;
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

static void set_owner(struct memory_node *node, const struct fsif_setattr *set)
{
    const uint32_t group_runs = FSIF_S_ISGID | 010;

    if ((set->mask & FSIF_SET_UID) != 0)
        node->uid = set->uid;
    if ((set->mask & FSIF_SET_GID) != 0)
        node->gid = set->gid;
    if ((set->mask & (FSIF_SET_UID | FSIF_SET_GID)) == 0 || node->type == FSIF_S_IFDIR)
        return;
    /* A program must not run for its new owner. */
    node->mode &= ~FSIF_S_ISUID;
    if ((node->mode & group_runs) == group_runs)
        node->mode &= ~FSIF_S_ISGID;
}

static void set_all(struct fsif_store *st, struct memory_node *node, const struct fsif_setattr *set)
{
    pthread_rwlock_wrlock(&node->lock);
    set_owner(node, set);
    if ((set->mask & FSIF_SET_MODE) != 0)
        node->mode = fsi_memory_mode(st, set->mode);
    if ((set->mask & FSIF_SET_SIZE) != 0) {
        fsi_memory_data_resize(st, &node->u.data, set->size);
        fsi_memory_changed(node);
    }
    fsi_memory_touched(node);
    set_times(node, set);
    pthread_rwlock_unlock(&node->lock);
}

int fsi_memory_setattr(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags,
                       const struct fsif_setattr *set)
{
    const struct memory_file *file = path[0] == '\0' ? fsi_memory_file(st, base) : NULL;
    uint32_t size = set->mask & FSIF_SET_SIZE;
    struct memory_node *node;
    int err;

    if (st->read_only)
        return -FSIF_EROFS;
    err = check_values(set);
    if (err == 0)
        err = check_owner(st, set);
    if (err == 0)
        err = fsi_memory_get(st, base, path, flags, &node);
    if (err != 0)
        return err;
    err = check_set(file, node, set);
    if (err == 0 && set->mask != 0) {
        set_all(st, node, set);
        fsi_memory_tell_of(st, node, size != 0 ? FSIF_CHANGE_CONTENT : 0);
        fsi_memory_tell_of(st, node, set->mask != size ? FSIF_CHANGE_ATTR : 0);
    }
    fsi_memory_put(st, node);
    return err;
}

int fsi_memory_statvfs(struct fsif_store *st, uint64_t base, const char *path,
                       struct fsif_statvfs *out)
{
    struct memory_node *node;
    uint64_t left;
    int err = fsi_memory_get(st, base, path, 0, &node);

    if (err != 0)
        return err;
    fsi_memory_put(st, node);
    left = (st->max_bytes - atomic_load(&st->bytes)) / MEMORY_BLOCK;
    pthread_mutex_lock(&st->life);
    *out = (struct fsif_statvfs){
        .blocks = st->max_bytes / MEMORY_BLOCK,
        .bfree = left,
        .bavail = left,
        .files = st->max_nodes,
        .ffree = st->max_nodes - st->nodes,
        .bsize = MEMORY_BLOCK,
        .namemax = FSIF_NAME_MAX,
    };
    pthread_mutex_unlock(&st->life);
    return 0;
}
