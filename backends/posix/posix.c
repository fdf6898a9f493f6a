/* SPDX-License-Identifier: MIT */

/* The posix store: configuration and vtable. */

#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
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

/* A kernel without openat2 cannot keep names inside the export. */
static int check_kernel(const struct fsif_store *st)
{
    int fd = fsi_posix_resolve(st, ".", O_PATH | O_DIRECTORY);

    if (fd < 0)
        return fd;
    close(fd);
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
    st->map = config->map;
    st->uid = config->uid;
    st->gid = config->gid;
    st->resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
    if (!config->xdev)
        st->resolve |= RESOLVE_NO_XDEV;
    st->root = open_root(config);
    err = st->root < 0 ? st->root : check_kernel(st);
    if (err == 0 && pthread_mutex_init(&st->lock, NULL) != 0)
        err = -FSIF_ENOMEM;
    if (err == 0) {
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
    for (uint32_t i = 0; i < POSIX_STREAMS; i++)
        if (st->streams[i].dir != NULL)
            closedir(st->streams[i].dir);
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
    .truncate = fsi_posix_truncate,
    .chmod = fsi_posix_chmod,
    .sync = fsi_posix_sync,
    .remove = fsi_posix_remove,
    .rename = fsi_posix_rename,
    .mkdir = fsi_posix_mkdir,
    .space = fsi_posix_space,
    .list_open = fsi_posix_list_open,
    .list_next = fsi_posix_list_next,
    .list_close = fsi_posix_list_close,
};
