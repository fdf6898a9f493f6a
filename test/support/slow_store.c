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

#include "passing_store.h"

#define MAX_DELAY_MS 600000ul

struct fsif_store {
    struct passing_store to;
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
    st->to.ops = inner;
    copy.source = "";
    rc = inner->create(&copy, &st->to.inner);
    if (rc) {
        free(st);
        return rc;
    }
    *out = st;
    return 0;
}

static void slow_destroy(struct fsif_store *st)
{
    inner->destroy(st->to.inner);
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
    return inner->read(st->to.inner, file, buf, len, off);
}

static int64_t slow_write(struct fsif_store *st, uint64_t file, const void *buf, uint32_t len,
                          uint64_t off, uint32_t flags)
{
    wait_a_while(st);
    return inner->write(st->to.inner, file, buf, len, off, flags);
}

static struct fsif_store_ops slow;

extern const struct fsif_store_ops *const fsif_store_plugin;
const struct fsif_store_ops *const fsif_store_plugin = &slow;

/* What is not slow is passed on, whatever the memory store has. */
__attribute__((constructor)) static void fill_ops(void)
{
    passing_ops(inner, &slow);
    slow.name = "slow";
    slow.create = slow_create;
    slow.destroy = slow_destroy;
    slow.read = slow_read;
    slow.write = slow_write;
}
