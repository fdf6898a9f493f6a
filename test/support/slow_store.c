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
                          uint64_t off)
{
    wait_a_while(st);
    return inner->write(st->inner, file, buf, len, off);
}

static int slow_open(struct fsif_store *st, const char *path, uint32_t flags, uint32_t mode,
                     uint64_t *file)
{
    return inner->open(st->inner, path, flags, mode, file);
}

static int slow_close(struct fsif_store *st, uint64_t file)
{
    return inner->close(st->inner, file);
}

static int slow_stat(struct fsif_store *st, uint64_t file, struct fsif_attr *out)
{
    return inner->stat(st->inner, file, out);
}

static int slow_truncate(struct fsif_store *st, uint64_t file, uint64_t size)
{
    return inner->truncate(st->inner, file, size);
}

static int slow_chmod(struct fsif_store *st, uint64_t file, uint32_t mode)
{
    return inner->chmod(st->inner, file, mode);
}

static int slow_sync(struct fsif_store *st, uint64_t file)
{
    return inner->sync(st->inner, file);
}

static int slow_remove(struct fsif_store *st, const char *path)
{
    return inner->remove(st->inner, path);
}

static int slow_rename(struct fsif_store *st, const char *from, const char *to)
{
    return inner->rename(st->inner, from, to);
}

static int slow_mkdir(struct fsif_store *st, const char *path, uint32_t mode)
{
    return inner->mkdir(st->inner, path, mode);
}

static int64_t slow_space(struct fsif_store *st, const char *path)
{
    return inner->space(st->inner, path);
}

static int slow_list_open(struct fsif_store *st, const char *path, uint64_t *stream)
{
    return inner->list_open(st->inner, path, stream);
}

static int slow_list_next(struct fsif_store *st, uint64_t stream, char *name)
{
    return inner->list_next(st->inner, stream, name);
}

static void slow_list_close(struct fsif_store *st, uint64_t stream)
{
    inner->list_close(st->inner, stream);
}

static const struct fsif_store_ops slow = {
    .size = sizeof(slow),
    .abi = FSIF_STORE_ABI,
    .name = "slow",
    .create = slow_create,
    .destroy = slow_destroy,
    .open = slow_open,
    .close = slow_close,
    .read = slow_read,
    .write = slow_write,
    .stat = slow_stat,
    .truncate = slow_truncate,
    .chmod = slow_chmod,
    .sync = slow_sync,
    .remove = slow_remove,
    .rename = slow_rename,
    .mkdir = slow_mkdir,
    .space = slow_space,
    .list_open = slow_list_open,
    .list_next = slow_list_next,
    .list_close = slow_list_close,
};

extern const struct fsif_store_ops *const fsif_store_plugin;
const struct fsif_store_ops *const fsif_store_plugin = &slow;
