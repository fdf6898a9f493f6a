/* SPDX-License-Identifier: MIT */

/* The memory store: configuration and vtable. Its locks are explained in internal.h. */

#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/eventfd.h>
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
    st->read_only = config->read_only;
    st->setid = config->setid;
    st->special = config->special;
    st->mapped = config->map == FSIF_MAP_OWNER;
    st->uid = st->mapped ? config->uid : (uint32_t)geteuid();
    st->gid = st->mapped ? config->gid : (uint32_t)getegid();
    st->max_bytes = config->max_bytes != 0 ? config->max_bytes : MEMORY_DEFAULT_BYTES;
    st->max_nodes = config->max_nodes != 0 ? config->max_nodes : MEMORY_DEFAULT_NODES;
    choose_seed(st->seed);
}

static int init_locks(struct fsif_store *st)
{
    if (fsi_memory_init_lock(&st->tree) != 0)
        return -FSIF_ENOMEM;
    if (pthread_mutex_init(&st->life, NULL) == 0) {
        if (pthread_mutex_init(&st->locking, NULL) == 0) {
            if (pthread_mutex_init(&st->watching, NULL) == 0)
                return 0;
            pthread_mutex_destroy(&st->locking);
        }
        pthread_mutex_destroy(&st->life);
    }
    pthread_rwlock_destroy(&st->tree);
    return -FSIF_ENOMEM;
}

static void fini_locks(struct fsif_store *st)
{
    pthread_mutex_destroy(&st->watching);
    pthread_mutex_destroy(&st->locking);
    pthread_mutex_destroy(&st->life);
    pthread_rwlock_destroy(&st->tree);
}

static int make_root(struct fsif_store *st)
{
    st->root = fsi_memory_node(st, FSIF_S_IFDIR, 0755);
    if (st->root == NULL)
        return -FSIF_ENOMEM;
    st->root->holds = 0;
    st->root->named = 1;
    st->root->nlink = 2;
    return 0;
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
    st->seen.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    err = st->seen.fd < 0 ? -FSIF_EMFILE : init_locks(st);
    if (err == 0) {
        err = make_root(st);
        if (err != 0)
            fini_locks(st);
    }
    if (err != 0) {
        if (st->seen.fd >= 0)
            close(st->seen.fd);
        free(st);
        return err;
    }
    if (config->root_fd >= 0)
        close(config->root_fd);
    *out = st;
    return 0;
}

static void destroy(struct fsif_store *st)
{
    fsi_memory_free_all(st);
    for (uint32_t i = 0; i < MEMORY_FILES / MEMORY_FILES_CHUNK; i++)
        free(st->files[i]);
    free(st->seen.watches);
    free(st->seen.changes);
    close(st->seen.fd);
    fini_locks(st);
    free(st);
}

const struct fsif_store_ops fsif_store_memory = {
    .size = sizeof(struct fsif_store_ops),
    .abi = FSIF_STORE_ABI,
    .name = "memory",
    .create = create,
    .destroy = destroy,
    .open = fsi_memory_open,
    .close = fsi_memory_close,
    .read = fsi_memory_read,
    .write = fsi_memory_write,
    .stat = fsi_memory_stat,
    .setattr = fsi_memory_setattr,
    .sync = fsi_memory_sync,
    .remove = fsi_memory_remove,
    .rename = fsi_memory_rename,
    .mkdir = fsi_memory_mkdir,
    .statvfs = fsi_memory_statvfs,
    .readdir = fsi_memory_readdir,
    .mknod = fsi_memory_mknod,
    .link = fsi_memory_hardlink,
    .symlink = fsi_memory_symlink,
    .readlink = fsi_memory_readlink,
    .allocate = fsi_memory_allocate,
    .seek = fsi_memory_seek,
    .copy_range = fsi_memory_copy_range,
    .getxattr = fsi_memory_getxattr,
    .setxattr = fsi_memory_setxattr,
    .listxattr = fsi_memory_listxattr,
    .removexattr = fsi_memory_removexattr,
    .lock = fsi_memory_lock,
    .watch = fsi_memory_watch,
    .unwatch = fsi_memory_unwatch,
    .watch_fd = fsi_memory_watch_fd,
    .watch_next = fsi_memory_watch_next,
};
