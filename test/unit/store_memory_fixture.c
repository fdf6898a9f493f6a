/* SPDX-License-Identifier: MIT */

#include <string.h>
#include "store_memory_fixture.h"

struct fsif_store *store;

void restart(const struct fsif_store_config *more)
{
    struct fsif_store_config config = {.map = FSIF_MAP_OWNER, .uid = 12, .gid = 34};

    if (more != NULL)
        config = *more;
    config.size = sizeof(config);
    config.source = "";
    config.root_fd = -1;
    if (store != NULL)
        OPS->destroy(store);
    ck_ok(OPS->create(&config, &store));
}

void setup(void)
{
    restart(NULL);
}

void teardown(void)
{
    OPS->destroy(store);
    store = NULL;
}

int open_at(const char *path, uint32_t flags, uint32_t mode, uint64_t *file)
{
    return OPS->open(store, ROOT, path, flags, mode, file, NULL);
}

int make_dir(const char *path)
{
    return OPS->mkdir(store, ROOT, path, 0755);
}

int link_to(const char *target, const char *path)
{
    return OPS->symlink(store, target, ROOT, path);
}

int remove_at(const char *path)
{
    return OPS->remove(store, ROOT, path, 0);
}

int move(const char *from, const char *to)
{
    return OPS->rename(store, ROOT, from, ROOT, to, 0);
}

int truncate_to(uint64_t file, uint64_t size)
{
    struct fsif_setattr set = {.mask = FSIF_SET_SIZE, .size = size};

    return OPS->setattr(store, file, "", 0, &set);
}

int chmod_to(uint64_t file, uint32_t mode)
{
    struct fsif_setattr set = {.mask = FSIF_SET_MODE, .mode = mode};

    return OPS->setattr(store, file, "", 0, &set);
}

int64_t put(uint64_t file, const char *text, uint64_t off)
{
    return OPS->write(store, file, text, (uint32_t)strlen(text), off, 0);
}

int64_t space(void)
{
    struct fsif_statvfs vfs;

    ck_ok(OPS->statvfs(store, ROOT, "", &vfs));
    ck_assert_uint_eq(vfs.bavail, vfs.bfree);
    return (int64_t)(vfs.bavail * vfs.bsize);
}

uint64_t opened(const char *path, uint32_t flags)
{
    uint64_t file = 0;
    int err = open_at(path, flags, 0644, &file);

    ck_assert_msg(err == 0, "%s: %d", path, err);
    return file;
}

struct fsif_attr attr_at(const char *path)
{
    struct fsif_attr attr;
    int err = OPS->stat(store, ROOT, path, FSIF_AT_NOFOLLOW, &attr);

    ck_assert_msg(err == 0, "%s: %d", path, err);
    return attr;
}

struct fsif_attr attr_of(uint64_t file)
{
    struct fsif_attr attr;

    ck_ok(OPS->stat(store, file, "", 0, &attr));
    return attr;
}

int try_create(const char *path)
{
    uint64_t f = 0;
    int r = open_at(path, NEW, 0644, &f);

    return r == 0 ? OPS->close(store, f) : r;
}

int try_open(const char *path)
{
    uint64_t f = 0;
    int r = open_at(path, 0, 0, &f);

    return r == 0 ? OPS->close(store, f) : r;
}
