/* SPDX-License-Identifier: MIT */

/*
 * The memory store: configuration, vtable and lock.
 *
 * One mutex guards everything that a store has: tree, data and open files. Each member
 * takes it for as long as it runs, so members are atomic to each other. None of them waits for
 * anything but memory; the longest hold it while they copy one request's data or free a file's
 * blocks.
 */

#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>
#include <fsif/memory.h>
#include "internal.h"

static int check_config(const struct fsif_store_config *config)
{
    if (config->size < sizeof(*config))
        return -FSIF_EINVAL;
    if (config->map != FSIF_MAP_DAEMON && config->map != FSIF_MAP_OWNER)
        return -FSIF_EINVAL;
    return config->max_bytes > INT64_MAX ? -FSIF_EINVAL : 0;
}

/* A key for hashing names. Early in a machine's life there is no randomness to have without
 * waiting. */
static void choose_seed(uint64_t seed[2])
{
    struct timespec now;

    if (getrandom(seed, 2 * sizeof(seed[0]), GRND_NONBLOCK) == 2 * (ssize_t)sizeof(seed[0]))
        return;
    clock_gettime(CLOCK_REALTIME, &now);
    seed[0] = (uint64_t)now.tv_nsec << 32 ^ (uint64_t)now.tv_sec;
    seed[1] = (uint64_t)(uintptr_t)seed ^ (uint64_t)getpid() << 40;
}

static void fill(struct fsif_store *st, const struct fsif_store_config *config)
{
    int mapped = config->map == FSIF_MAP_OWNER;

    st->read_only = config->read_only;
    st->setid = config->setid;
    st->uid = mapped ? config->uid : (uint32_t)geteuid();
    st->gid = mapped ? config->gid : (uint32_t)getegid();
    st->max_bytes = config->max_bytes != 0 ? config->max_bytes : MEMORY_DEFAULT_BYTES;
    st->max_nodes = config->max_nodes != 0 ? config->max_nodes : MEMORY_DEFAULT_NODES;
    choose_seed(st->seed);
}

static int create(const struct fsif_store_config *config, struct fsif_store **out)
{
    struct fsif_store *st;
    int err = check_config(config);

    if (err != 0)
        return err;
    st = calloc(1, sizeof(*st));
    if (st == NULL)
        return -FSIF_ENOMEM;
    fill(st, config);
    st->root = fsi_memory_node(st, 1, 0755);
    if (st->root == NULL || pthread_mutex_init(&st->lock, NULL) != 0) {
        free(st->root);
        free(st);
        return -FSIF_ENOMEM;
    }
    st->root->linked = 1;
    if (config->root_fd >= 0)
        close(config->root_fd);
    *out = st;
    return 0;
}

static void destroy(struct fsif_store *st)
{
    while (st->newest != NULL)
        fsi_memory_free_node(st, st->newest);
    free(st->files);
    pthread_mutex_destroy(&st->lock);
    free(st);
}

static int statvfs_of(struct fsif_store *st, uint64_t base, const char *path,
                      struct fsif_statvfs *out)
{
    struct memory_node *node;
    int err;

    pthread_mutex_lock(&st->lock);
    err = fsi_memory_lookup(st, base, path, &node);
    if (err == 0)
        *out = (struct fsif_statvfs){
            .blocks = st->max_bytes / MEMORY_BLOCK,
            .bfree = (st->max_bytes - st->bytes) / MEMORY_BLOCK,
            .bavail = (st->max_bytes - st->bytes) / MEMORY_BLOCK,
            .files = st->max_nodes,
            .ffree = st->max_nodes - st->nodes,
            .bsize = MEMORY_BLOCK,
            .namemax = FSIF_NAME_MAX,
        };
    pthread_mutex_unlock(&st->lock);
    return err;
}

static int locked_open(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags,
                       uint32_t mode, uint64_t *file, struct fsif_attr *attr)
{
    int r;

    if (st->read_only &&
        (flags & (FSIF_O_ACCMODE | FSIF_O_CREAT | FSIF_O_TRUNC | FSIF_O_TMPFILE)) != 0)
        return -FSIF_EROFS;
    pthread_mutex_lock(&st->lock);
    r = fsi_memory_open(st, base, path, flags, mode, file, attr);
    pthread_mutex_unlock(&st->lock);
    return r;
}

static int locked_close(struct fsif_store *st, uint64_t file)
{
    int r;

    pthread_mutex_lock(&st->lock);
    r = fsi_memory_close(st, file);
    pthread_mutex_unlock(&st->lock);
    return r;
}

static int64_t locked_read(struct fsif_store *st, uint64_t file, void *buf, uint32_t len,
                           uint64_t off)
{
    int64_t r;

    pthread_mutex_lock(&st->lock);
    r = fsi_memory_read(st, file, buf, len, off);
    pthread_mutex_unlock(&st->lock);
    return r;
}

static int64_t locked_write(struct fsif_store *st, uint64_t file, const void *buf, uint32_t len,
                            uint64_t off, uint32_t flags)
{
    int64_t r;

    if (st->read_only)
        return -FSIF_EROFS;
    pthread_mutex_lock(&st->lock);
    r = fsi_memory_write(st, file, buf, len, off, flags);
    pthread_mutex_unlock(&st->lock);
    return r;
}

static int locked_stat(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags,
                       struct fsif_attr *out)
{
    int r;

    pthread_mutex_lock(&st->lock);
    r = fsi_memory_stat(st, base, path, flags, out);
    pthread_mutex_unlock(&st->lock);
    return r;
}

static int locked_setattr(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags,
                          const struct fsif_setattr *set)
{
    int r;

    if (st->read_only)
        return -FSIF_EROFS;
    pthread_mutex_lock(&st->lock);
    r = fsi_memory_setattr(st, base, path, flags, set);
    pthread_mutex_unlock(&st->lock);
    return r;
}

static int locked_sync(struct fsif_store *st, uint64_t file, uint32_t flags)
{
    int r;

    pthread_mutex_lock(&st->lock);
    r = fsi_memory_sync(st, file, flags);
    pthread_mutex_unlock(&st->lock);
    return r;
}

static int locked_remove(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags)
{
    int r;

    if (st->read_only)
        return -FSIF_EROFS;
    pthread_mutex_lock(&st->lock);
    r = fsi_memory_remove(st, base, path, flags);
    pthread_mutex_unlock(&st->lock);
    return r;
}

static int locked_rename(struct fsif_store *st, uint64_t base, const char *path, uint64_t base2,
                         const char *path2, uint32_t flags)
{
    int r;

    if (st->read_only)
        return -FSIF_EROFS;
    pthread_mutex_lock(&st->lock);
    r = fsi_memory_rename(st, base, path, base2, path2, flags);
    pthread_mutex_unlock(&st->lock);
    return r;
}

static int locked_mkdir(struct fsif_store *st, uint64_t base, const char *path, uint32_t mode)
{
    int r;

    if (st->read_only)
        return -FSIF_EROFS;
    pthread_mutex_lock(&st->lock);
    r = fsi_memory_mkdir(st, base, path, mode);
    pthread_mutex_unlock(&st->lock);
    return r;
}

const struct fsif_store_ops fsif_store_memory = {
    .size = sizeof(struct fsif_store_ops),
    .abi = FSIF_STORE_ABI,
    .name = "memory",
    .create = create,
    .destroy = destroy,
    .open = locked_open,
    .close = locked_close,
    .read = locked_read,
    .write = locked_write,
    .stat = locked_stat,
    .setattr = locked_setattr,
    .sync = locked_sync,
    .remove = locked_remove,
    .rename = locked_rename,
    .mkdir = locked_mkdir,
    .statvfs = statvfs_of,
    .readdir = fsi_memory_readdir,
};
