/* SPDX-License-Identifier: MIT */

/* The posix store: configuration and vtable. */

#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <fsif/posix.h>
#include "internal.h"

static int check_config(const struct fsif_store_config *config)
{
    if (config->size < sizeof(*config))
        return -FSIF_EINVAL;
    if (config->map != FSIF_MAP_DAEMON && config->map != FSIF_MAP_OWNER)
        return -FSIF_EINVAL;
    /* To chown the largest number means "leave it". */
    if (config->map == FSIF_MAP_OWNER && (config->uid == UINT32_MAX || config->gid == UINT32_MAX))
        return -FSIF_EINVAL;
    return config->root_fd < 0 && config->source == NULL ? -FSIF_EINVAL : 0;
}

/* Returns a directory's descriptor. */
static int open_root(const struct fsif_store_config *config)
{
    struct stat now;
    int fd = config->root_fd;

    if (fd < 0) {
        fd = open(config->source, O_PATH | O_DIRECTORY | O_CLOEXEC);
        return fd < 0 ? posix_fail() : fd;
    }
    if (fstat(fd, &now) != 0)
        return posix_fail();
    if (!S_ISDIR(now.st_mode))
        return -FSIF_ENOTDIR;
    return fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 ? posix_fail() : fd;
}

/* Remember which directory the root is. A kernel without openat2 cannot keep names inside. */
static int look_at_root(struct fsif_store *st)
{
    struct stat now;
    int fd = fsi_posix_resolve(st, st->root, ".", O_PATH | O_DIRECTORY);

    if (fd < 0)
        return fd;
    close(fd);
    if (fstat(st->root, &now) != 0)
        return posix_fail();
    st->root_dev = now.st_dev;
    st->root_ino = now.st_ino;
    return 0;
}

/* What O_PATH descriptors can be reopened through, if there is a /proc. */
static int open_proc(void)
{
    struct statfs fs;
    int fd = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0 && (fstatfs(fd, &fs) != 0 || fs.f_type != PROC_SUPER_MAGIC)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

/* Returns 0; -FSIF_ENOMEM */
static int make_locks(struct fsif_store *st)
{
    if (pthread_mutex_init(&st->lock, NULL) != 0 ||
        pthread_mutex_init(&st->watches.lock, NULL) != 0 ||
        pthread_mutex_init(&st->cache.lock, NULL) != 0 ||
        pthread_mutex_init(&st->maps.lock, NULL) != 0)
        return -FSIF_ENOMEM;
    for (uint32_t i = 0; i < POSIX_READERS; i++)
        if (pthread_mutex_init(&st->readers[i].lock, NULL) != 0)
            return -FSIF_ENOMEM;
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
    st->read_only = config->read_only;
    st->setid = config->setid;
    st->xdev = config->xdev;
    st->special = config->special;
    st->exclusive = config->exclusive;
    st->copy = config->nolease ? NULL : config->copy;
    st->moves = config->moves;
    st->moves_arg = config->moves_arg;
    st->map = config->map;
    st->uid = config->uid;
    st->gid = config->gid;
    st->resolve = RESOLVE_NO_MAGICLINKS;
    if (!config->xdev)
        st->resolve |= RESOLVE_NO_XDEV;
    st->root = open_root(config);
    err = st->root < 0 ? st->root : look_at_root(st);
    if (err == 0)
        err = make_locks(st);
    if (err == 0 && st->copy != NULL)
        err = fsi_posix_begin_mapped(st);
    if (err == 0) {
        st->proc = open_proc();
        st->chmod_path = fsi_posix_has_chmod_path(st);
        st->watches.queue = st->watches.rest = st->watches.poll = -1;
        *out = st;
        return 0;
    }
    if (st->root >= 0 && config->root_fd < 0)
        close(st->root);
    free(st);
    return err;
}

static void destroy(struct fsif_store *st)
{
    for (uint32_t i = 0; i < POSIX_READERS; i++) {
        free(st->readers[i].rest);
        pthread_mutex_destroy(&st->readers[i].lock);
    }
    fsi_posix_end_mapped(st);
    fsi_posix_watch_end(st);
    fsi_posix_forget(st);
    pthread_mutex_destroy(&st->cache.lock);
    pthread_mutex_destroy(&st->watches.lock);
    if (st->proc >= 0)
        close(st->proc);
    close(st->root);
    pthread_mutex_destroy(&st->lock);
    free(st);
}

const struct fsif_store_ops fsif_store_posix = {
    .size = sizeof(struct fsif_store_ops),
    .abi = FSIF_STORE_ABI,
    .name = "posix",
    .create = create,
    .destroy = destroy,
    .open = fsi_posix_open,
    .close = fsi_posix_close,
    .read = fsi_posix_read,
    .write = fsi_posix_write,
    .stat = fsi_posix_stat,
    .setattr = fsi_posix_setattr,
    .sync = fsi_posix_sync,
    .remove = fsi_posix_remove,
    .rename = fsi_posix_rename,
    .mkdir = fsi_posix_mkdir,
    .statvfs = fsi_posix_statvfs,
    .readdir = fsi_posix_readdir,
    .mknod = fsi_posix_mknod,
    .link = fsi_posix_link,
    .symlink = fsi_posix_symlink,
    .readlink = fsi_posix_readlink,
    .allocate = fsi_posix_allocate,
    .seek = fsi_posix_seek,
    .copy_range = fsi_posix_copy_range,
    .getxattr = fsi_posix_getxattr,
    .setxattr = fsi_posix_setxattr,
    .listxattr = fsi_posix_listxattr,
    .removexattr = fsi_posix_removexattr,
    .lock = fsi_posix_lock,
    .watch = fsi_posix_watch,
    .unwatch = fsi_posix_unwatch,
    .watch_fd = fsi_posix_watch_fd,
    .watch_next = fsi_posix_watch_next,
};
