/* SPDX-License-Identifier: MIT */

/*
 * A store that is an export, reached through the client: so whatever compares two stores compares
 * a store with itself at the other end of the ring, operation by operation. The client's own calls
 * where there is one; the rest as requests.
 */

#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <fsif/client.h>
#include "request.h"
#include "stores.h"

struct fsif_store {
    struct fsif_client *cl;
    int root;
};

static struct fsif_client *client;

void remote_use(struct fsif_client *cl)
{
    client = cl;
}

static int base_of(const struct fsif_store *st, uint64_t base)
{
    return base == FSIF_STORE_ROOT ? st->root : (int)base;
}

/* --- the store as a whole: an empty export ---------------------------------------------------- */

static int take_name(void *arg, const struct fsif_dirent *entry)
{
    snprintf(arg, FSIF_NAME_MAX + 1, "%s", entry->name);
    return 1;
}

static void clear(struct fsif_client *cl, int dir)
{
    char name[FSIF_NAME_MAX + 1];

    while (fsif_scandir(cl, dir, "", 0, take_name, name) == 1) {
        int below, err = fsif_unlinkat(cl, dir, name, 0);

        if (err == 0)
            continue;
        below = fsif_openat(cl, dir, name, FSIF_O_RDONLY | FSIF_O_DIRECTORY, 0);
        if (err != -FSIF_ENOTEMPTY || below < 0) {
            fprintf(stderr, "remote: %s cannot be removed: %d\n", name, err);
            exit(1);
        }
        clear(cl, below);
        fsif_close(cl, below);
    }
}

/* What stays of the root, which cannot be made anew. */
static void clear_attributes(struct fsif_client *cl, int dir)
{
    char names[65536];
    int64_t n = fsif_listxattr(cl, dir, "", names, sizeof(names), 0);

    for (int64_t at = 0; at < n; at += (int64_t)strlen(names + at) + 1)
        fsif_removexattr(cl, dir, "", names + at, 0);
}

/* The source is a directory of the export, or empty: the export as a whole. */
static int remote_create(const struct fsif_store_config *config, struct fsif_store **out)
{
    const struct fsif_setattr set = {.mask = FSIF_SET_MODE | FSIF_SET_UID | FSIF_SET_GID,
                                     .mode = 0755,
                                     .uid = geteuid(),
                                     .gid = getegid()};
    const char *path = config->source[0] != '\0' ? config->source : "/";
    struct fsif_store *st = calloc(1, sizeof(*st));
    int err = fsif_mkdir(client, path, 0755);

    if (st == NULL)
        return -FSIF_ENOMEM;
    st->cl = client;
    st->root = err == 0 || err == -FSIF_EEXIST
                   ? fsif_open(client, path, FSIF_O_RDONLY | FSIF_O_DIRECTORY, 0)
                   : err;
    if (st->root < 0) {
        err = st->root;
        free(st);
        return err;
    }
    *out = st;
    clear(client, st->root);
    clear_attributes(client, st->root);
    if (config->source[0] == '\0') {
        fsif_close(client, st->root);
        st->root = FSIF_ROOT;
    }
    return fsif_setattr(client, st->root, "", 0, &set, NULL);
}

static void remote_destroy(struct fsif_store *st)
{
    if (st->root != FSIF_ROOT)
        fsif_close(st->cl, st->root);
    free(st);
}

/* --- open files ------------------------------------------------------------------------------ */

static int remote_open(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags,
                       uint32_t mode, uint64_t *file, struct fsif_attr *attr)
{
    int err, fh = fsif_openat(st->cl, base_of(st, base), path, flags, mode);

    if (fh < 0)
        return fh;
    err = attr != NULL ? fsif_fstat(st->cl, fh, attr) : 0;
    if (err != 0)
        fsif_close(st->cl, fh);
    *file = (uint64_t)fh;
    return err;
}

static int remote_close(struct fsif_store *st, uint64_t file)
{
    return fsif_close(st->cl, (int)file);
}

static int64_t remote_read(struct fsif_store *st, uint64_t file, void *buf, uint32_t len,
                           uint64_t off)
{
    return fsif_pread(st->cl, (int)file, buf, len, off);
}

/* In two pieces that lie apart, when there are two. */
static int64_t remote_write(struct fsif_store *st, uint64_t file, const void *buf, uint32_t len,
                            uint64_t off, uint32_t flags)
{
    const struct fsif_iovec iov[2] = {{(void *)(uintptr_t)buf, len / 2},
                                      {(char *)(uintptr_t)buf + len / 2, len - len / 2}};
    struct request r = {.call.op = {.type = FSIF_OP_WRITE,
                                    .handle = (uint32_t)file,
                                    .offset = off,
                                    .length = len,
                                    .flags = flags,
                                    .data = buf}};

    if (off == FSIF_STORE_END)
        return fsif_append(st->cl, (int)file, buf, len);
    if (flags != 0)
        return request_run(st->cl, &r);
    return len % 2 == 0 ? fsif_pwritev(st->cl, (int)file, iov, 2, off)
                        : fsif_pwrite(st->cl, (int)file, buf, len, off);
}

static int remote_sync(struct fsif_store *st, uint64_t file, uint32_t flags)
{
    return (flags & FSIF_SYNC_DATA) != 0 ? fsif_fdatasync(st->cl, (int)file)
                                         : fsif_fsync(st->cl, (int)file);
}

static int remote_allocate(struct fsif_store *st, uint64_t file, uint32_t flags, uint64_t off,
                           uint64_t len)
{
    return fsif_fallocate(st->cl, (int)file, flags, off, len);
}

static int64_t remote_seek(struct fsif_store *st, uint64_t file, uint64_t off, uint32_t flags)
{
    return fsif_seek(st->cl, (int)file, off, flags);
}

static int64_t remote_copy_range(struct fsif_store *st, uint64_t file, uint64_t off, uint64_t file2,
                                 uint64_t off2, uint64_t len)
{
    return fsif_copy_file_range(st->cl, (int)file, off, (int)file2, off2, len);
}

static int remote_lock(struct fsif_store *st, uint64_t file, uint32_t flags, struct fsif_lock *lock)
{
    struct request r = {
        .call.op = {
            .type = FSIF_OP_LOCK, .handle = (uint32_t)file, .mode = lock->mode, .flags = flags}};
    int64_t err;

    if (flags == 0)
        return fsif_lock(st->cl, (int)file, lock->mode, 0, lock->offset, lock->length);
    if (flags == FSIF_LOCK_TEST)
        return fsif_lock_test(st->cl, (int)file, lock);
    if (flags == FSIF_LOCK_WHOLE)
        return fsif_flock(st->cl, (int)file, lock->mode, 0);
    err = request_run(st->cl, &r);
    if (err == 0 && (flags & FSIF_LOCK_TEST) != 0)
        *lock = r.call.result.lock;
    return (int)err;
}

static int remote_readdir(struct fsif_store *st, uint64_t dir, uint64_t cookie,
                          fsif_store_entry_fn *fn, void *arg)
{
    for (;;) {
        char buf[1024];
        struct request r = {.call.op = {.type = FSIF_OP_READDIR,
                                        .handle = (uint32_t)dir,
                                        .cookie = cookie,
                                        .length = sizeof(buf),
                                        .buffer = buf}};
        int64_t n = request_run(st->cl, &r);
        struct fsif_entry e;
        uint32_t at = 0;

        if (n <= 0)
            return (int)n;
        while (fsif_entry_next(buf, r.call.result.used, 0, &at, &e)) {
            const struct fsif_store_entry entry = {.name = e.name,
                                                   .name_len = e.name_len,
                                                   .type = e.type,
                                                   .cookie = e.cookie,
                                                   .ino = e.ino};
            if (!fn(arg, &entry))
                return 1;
            cookie = e.cookie;
        }
    }
}

/* --- names ----------------------------------------------------------------------------------- */

static int remote_stat(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags,
                       struct fsif_attr *out)
{
    return fsif_statx(st->cl, base_of(st, base), path, flags, out);
}

static int remote_setattr(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags,
                          const struct fsif_setattr *set)
{
    return fsif_setattr(st->cl, base_of(st, base), path, flags, set, NULL);
}

static int remote_remove(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags)
{
    return fsif_unlinkat(st->cl, base_of(st, base), path, flags);
}

static int remote_rename(struct fsif_store *st, uint64_t base, const char *path, uint64_t base2,
                         const char *path2, uint32_t flags)
{
    return fsif_renameat2(st->cl, base_of(st, base), path, base_of(st, base2), path2, flags);
}

static int remote_mkdir(struct fsif_store *st, uint64_t base, const char *path, uint32_t mode)
{
    return fsif_mkdirat(st->cl, base_of(st, base), path, mode);
}

static int remote_statvfs(struct fsif_store *st, uint64_t base, const char *path,
                          struct fsif_statvfs *out)
{
    struct request r = {
        .call.op = {.type = FSIF_OP_STATVFS, .handle = (uint32_t)base_of(st, base), .path = path}};
    int64_t err = request_run(st->cl, &r);

    *out = r.call.result.vfs;
    return (int)err;
}

static int remote_mknod(struct fsif_store *st, uint64_t base, const char *path, uint32_t mode,
                        uint64_t rdev)
{
    return fsif_mknodat(st->cl, base_of(st, base), path, mode, rdev);
}

static int remote_link(struct fsif_store *st, uint64_t base, const char *path, uint64_t base2,
                       const char *path2, uint32_t flags)
{
    const char *plant = getenv("FSIF_TEST_PLANT");

    if (plant != NULL && strcmp(plant, "link") == 0)
        flags = 0;
    return fsif_linkat(st->cl, base_of(st, base), path, base_of(st, base2), path2, flags);
}

static int remote_symlink(struct fsif_store *st, const char *target, uint64_t base,
                          const char *path)
{
    return fsif_symlinkat(st->cl, target, base_of(st, base), path);
}

static int64_t remote_readlink(struct fsif_store *st, uint64_t base, const char *path, void *buf,
                               uint32_t len)
{
    return fsif_readlinkat(st->cl, base_of(st, base), path, buf, len);
}

/* --- extended attributes --------------------------------------------------------------------- */

static int64_t remote_getxattr(struct fsif_store *st, uint64_t base, const char *path,
                               const char *name, uint32_t flags, void *buf, uint32_t len)
{
    return fsif_getxattr(st->cl, base_of(st, base), path, name, buf, len, flags);
}

static int remote_setxattr(struct fsif_store *st, uint64_t base, const char *path, const char *name,
                           uint32_t flags, const void *buf, uint32_t len)
{
    return fsif_setxattr(st->cl, base_of(st, base), path, name, buf, len, flags);
}

static int64_t remote_listxattr(struct fsif_store *st, uint64_t base, const char *path,
                                uint32_t flags, void *buf, uint32_t len)
{
    return fsif_listxattr(st->cl, base_of(st, base), path, buf, len, flags);
}

static int remote_removexattr(struct fsif_store *st, uint64_t base, const char *path,
                              const char *name, uint32_t flags)
{
    return fsif_removexattr(st->cl, base_of(st, base), path, name, flags);
}

const struct fsif_store_ops remote_store = {
    .size = sizeof(remote_store),
    .abi = FSIF_STORE_ABI,
    .name = "remote",
    .create = remote_create,
    .destroy = remote_destroy,
    .open = remote_open,
    .close = remote_close,
    .read = remote_read,
    .write = remote_write,
    .stat = remote_stat,
    .setattr = remote_setattr,
    .sync = remote_sync,
    .remove = remote_remove,
    .rename = remote_rename,
    .mkdir = remote_mkdir,
    .statvfs = remote_statvfs,
    .readdir = remote_readdir,
    .mknod = remote_mknod,
    .link = remote_link,
    .symlink = remote_symlink,
    .readlink = remote_readlink,
    .allocate = remote_allocate,
    .seek = remote_seek,
    .copy_range = remote_copy_range,
    .getxattr = remote_getxattr,
    .setxattr = remote_setxattr,
    .listxattr = remote_listxattr,
    .removexattr = remote_removexattr,
    .lock = remote_lock,
};
