/* SPDX-License-Identifier: MIT */
/*
 * The store "slow", for tests only: the memory store behind a delay. Its words are the milliseconds
 * that each read and write takes, as in `-e s=slow:100`; "0" or none is no delay.
 */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <fsif/error.h>
#include <fsif/memory.h>
#include <stdlib.h>
#include <time.h>

#define MAX_DELAY_MS 600000ul

struct fsif_store {
    struct fsif_store *inner;
    struct timespec delay;
};

static const struct fsif_store_ops *const inner = &fsif_store_memory;

static int slow_create(const struct fsif_store_config *config, struct fsif_store **out)
{
    struct fsif_store_config copy = *config;
    struct fsif_store *st;
    char *end;
    unsigned long ms = strtoul(config->source, &end, 10);
    int rc;

    if (*end || ms > MAX_DELAY_MS)
        return -FSIF_EINVAL;
    st = calloc(1, sizeof(*st));
    if (!st)
        return -FSIF_ENOMEM;
    st->delay.tv_sec = (time_t)(ms / 1000);
    st->delay.tv_nsec = (long)(ms % 1000) * 1000000;
    copy.source = "";
    rc = inner->create(&copy, &st->inner);
    if (rc) {
        free(st);
        return rc;
    }
    *out = st;
    return 0;
}

static void slow_destroy(struct fsif_store *st)
{
    inner->destroy(st->inner);
    free(st);
}

static void wait_a_while(const struct fsif_store *st)
{
    struct timespec left = st->delay;

    while (nanosleep(&left, &left) < 0 && errno == EINTR)
        ;
}

static int64_t slow_read(struct fsif_store *st, uint64_t file, void *buf, uint32_t len,
                         uint64_t off)
{
    wait_a_while(st);
    return inner->read(st->inner, file, buf, len, off);
}

static int64_t slow_write(struct fsif_store *st, uint64_t file, const void *buf, uint32_t len,
                          uint64_t off, uint32_t flags)
{
    wait_a_while(st);
    return inner->write(st->inner, file, buf, len, off, flags);
}

static int slow_open(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags,
                     uint32_t mode, uint64_t *file, struct fsif_attr *attr)
{
    return inner->open(st->inner, base, path, flags, mode, file, attr);
}

static int slow_close(struct fsif_store *st, uint64_t file)
{
    return inner->close(st->inner, file);
}

static int slow_stat(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags,
                     struct fsif_attr *out)
{
    return inner->stat(st->inner, base, path, flags, out);
}

static int slow_setattr(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags,
                        const struct fsif_setattr *set)
{
    return inner->setattr(st->inner, base, path, flags, set);
}

static int slow_sync(struct fsif_store *st, uint64_t file, uint32_t flags)
{
    return inner->sync(st->inner, file, flags);
}

static int slow_remove(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags)
{
    return inner->remove(st->inner, base, path, flags);
}

static int slow_rename(struct fsif_store *st, uint64_t base, const char *path, uint64_t base2,
                       const char *path2, uint32_t flags)
{
    return inner->rename(st->inner, base, path, base2, path2, flags);
}

static int slow_mkdir(struct fsif_store *st, uint64_t base, const char *path, uint32_t mode)
{
    return inner->mkdir(st->inner, base, path, mode);
}

static int slow_statvfs(struct fsif_store *st, uint64_t base, const char *path,
                        struct fsif_statvfs *out)
{
    return inner->statvfs(st->inner, base, path, out);
}

static int slow_readdir(struct fsif_store *st, uint64_t dir, uint64_t cookie,
                        fsif_store_entry_fn *fn, void *arg)
{
    return inner->readdir(st->inner, dir, cookie, fn, arg);
}

static const struct fsif_store_ops slow = {
    .size = sizeof(slow),
    .abi = FSIF_STORE_ABI,
    .name = "slow",
    .create = slow_create,
    .destroy = slow_destroy,
    .read = slow_read,
    .write = slow_write,
    .open = slow_open,
    .close = slow_close,
    .stat = slow_stat,
    .setattr = slow_setattr,
    .sync = slow_sync,
    .remove = slow_remove,
    .rename = slow_rename,
    .mkdir = slow_mkdir,
    .statvfs = slow_statvfs,
    .readdir = slow_readdir,
};

extern const struct fsif_store_ops *const fsif_store_plugin;
const struct fsif_store_ops *const fsif_store_plugin = &slow;
