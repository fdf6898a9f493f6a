/* SPDX-License-Identifier: MIT */
#include "passing_store.h"

#include <stddef.h>

static const struct passing_store *as(struct fsif_store *st)
{
    return (const struct passing_store *)(const void *)st;
}

static int pass_open(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags,
                     uint32_t mode, uint64_t *file, struct fsif_attr *attr)
{
    const struct passing_store *p = as(st);

    return p->ops->open(p->inner, base, path, flags, mode, file, attr);
}

static int pass_close(struct fsif_store *st, uint64_t file)
{
    const struct passing_store *p = as(st);

    return p->ops->close(p->inner, file);
}

static int64_t pass_read(struct fsif_store *st, uint64_t file, void *buf, uint32_t len,
                         uint64_t off)
{
    const struct passing_store *p = as(st);

    return p->ops->read(p->inner, file, buf, len, off);
}

static int64_t pass_write(struct fsif_store *st, uint64_t file, const void *buf, uint32_t len,
                          uint64_t off, uint32_t flags)
{
    const struct passing_store *p = as(st);

    return p->ops->write(p->inner, file, buf, len, off, flags);
}

static int pass_stat(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags,
                     struct fsif_attr *out)
{
    const struct passing_store *p = as(st);

    return p->ops->stat(p->inner, base, path, flags, out);
}

static int pass_setattr(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags,
                        const struct fsif_setattr *set)
{
    const struct passing_store *p = as(st);

    return p->ops->setattr(p->inner, base, path, flags, set);
}

static int pass_sync(struct fsif_store *st, uint64_t file, uint32_t flags)
{
    const struct passing_store *p = as(st);

    return p->ops->sync(p->inner, file, flags);
}

static int pass_remove(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags)
{
    const struct passing_store *p = as(st);

    return p->ops->remove(p->inner, base, path, flags);
}

static int pass_rename(struct fsif_store *st, uint64_t base, const char *path, uint64_t base2,
                       const char *path2, uint32_t flags)
{
    const struct passing_store *p = as(st);

    return p->ops->rename(p->inner, base, path, base2, path2, flags);
}

static int pass_mkdir(struct fsif_store *st, uint64_t base, const char *path, uint32_t mode)
{
    const struct passing_store *p = as(st);

    return p->ops->mkdir(p->inner, base, path, mode);
}

static int pass_statvfs(struct fsif_store *st, uint64_t base, const char *path,
                        struct fsif_statvfs *out)
{
    const struct passing_store *p = as(st);

    return p->ops->statvfs(p->inner, base, path, out);
}

static int pass_readdir(struct fsif_store *st, uint64_t dir, uint64_t cookie,
                        fsif_store_entry_fn *fn, void *arg)
{
    const struct passing_store *p = as(st);

    return p->ops->readdir(p->inner, dir, cookie, fn, arg);
}

static int pass_mknod(struct fsif_store *st, uint64_t base, const char *path, uint32_t mode,
                      uint64_t rdev)
{
    const struct passing_store *p = as(st);

    return p->ops->mknod(p->inner, base, path, mode, rdev);
}

static int pass_link(struct fsif_store *st, uint64_t base, const char *path, uint64_t base2,
                     const char *path2, uint32_t flags)
{
    const struct passing_store *p = as(st);

    return p->ops->link(p->inner, base, path, base2, path2, flags);
}

static int pass_symlink(struct fsif_store *st, const char *target, uint64_t base, const char *path)
{
    const struct passing_store *p = as(st);

    return p->ops->symlink(p->inner, target, base, path);
}

static int64_t pass_readlink(struct fsif_store *st, uint64_t base, const char *path, void *buf,
                             uint32_t len)
{
    const struct passing_store *p = as(st);

    return p->ops->readlink(p->inner, base, path, buf, len);
}

static int pass_allocate(struct fsif_store *st, uint64_t file, uint32_t flags, uint64_t off,
                         uint64_t len)
{
    const struct passing_store *p = as(st);

    return p->ops->allocate(p->inner, file, flags, off, len);
}

static int64_t pass_seek(struct fsif_store *st, uint64_t file, uint64_t off, uint32_t flags)
{
    const struct passing_store *p = as(st);

    return p->ops->seek(p->inner, file, off, flags);
}

static int64_t pass_copy_range(struct fsif_store *st, uint64_t file, uint64_t off, uint64_t file2,
                               uint64_t off2, uint64_t len)
{
    const struct passing_store *p = as(st);

    return p->ops->copy_range(p->inner, file, off, file2, off2, len);
}

static int64_t pass_getxattr(struct fsif_store *st, uint64_t base, const char *path,
                             const char *name, uint32_t flags, void *buf, uint32_t len)
{
    const struct passing_store *p = as(st);

    return p->ops->getxattr(p->inner, base, path, name, flags, buf, len);
}

static int pass_setxattr(struct fsif_store *st, uint64_t base, const char *path, const char *name,
                         uint32_t flags, const void *buf, uint32_t len)
{
    const struct passing_store *p = as(st);

    return p->ops->setxattr(p->inner, base, path, name, flags, buf, len);
}

static int64_t pass_listxattr(struct fsif_store *st, uint64_t base, const char *path,
                              uint32_t flags, void *buf, uint32_t len)
{
    const struct passing_store *p = as(st);

    return p->ops->listxattr(p->inner, base, path, flags, buf, len);
}

static int pass_removexattr(struct fsif_store *st, uint64_t base, const char *path,
                            const char *name, uint32_t flags)
{
    const struct passing_store *p = as(st);

    return p->ops->removexattr(p->inner, base, path, name, flags);
}

static int pass_lock(struct fsif_store *st, uint64_t file, uint32_t flags, struct fsif_lock *lock)
{
    const struct passing_store *p = as(st);

    return p->ops->lock(p->inner, file, flags, lock);
}

static int pass_watch(struct fsif_store *st, uint64_t dir, uint32_t what, uint32_t *watch)
{
    const struct passing_store *p = as(st);

    return p->ops->watch(p->inner, dir, what, watch);
}

static int pass_unwatch(struct fsif_store *st, uint32_t watch)
{
    const struct passing_store *p = as(st);

    return p->ops->unwatch(p->inner, watch);
}

static int pass_watch_fd(struct fsif_store *st)
{
    const struct passing_store *p = as(st);

    return p->ops->watch_fd(p->inner);
}

static int pass_watch_next(struct fsif_store *st, struct fsif_store_change *out)
{
    const struct passing_store *p = as(st);

    return p->ops->watch_next(p->inner, out);
}

void passing_ops(const struct fsif_store_ops *inner, struct fsif_store_ops *out)
{
    *out = (struct fsif_store_ops){
        .size = sizeof(*out),
        .abi = FSIF_STORE_ABI,
        .name = inner->name,
        .create = inner->create,
        .destroy = inner->destroy,
        .open = pass_open,
        .close = pass_close,
        .read = pass_read,
        .write = pass_write,
        .stat = pass_stat,
        .setattr = pass_setattr,
        .sync = pass_sync,
        .remove = pass_remove,
        .rename = pass_rename,
        .mkdir = pass_mkdir,
        .statvfs = pass_statvfs,
        .readdir = pass_readdir,
        .mknod = inner->mknod != NULL ? pass_mknod : NULL,
        .link = inner->link != NULL ? pass_link : NULL,
        .symlink = inner->symlink != NULL ? pass_symlink : NULL,
        .readlink = inner->readlink != NULL ? pass_readlink : NULL,
        .allocate = inner->allocate != NULL ? pass_allocate : NULL,
        .seek = inner->seek != NULL ? pass_seek : NULL,
        .copy_range = inner->copy_range != NULL ? pass_copy_range : NULL,
        .getxattr = inner->getxattr != NULL ? pass_getxattr : NULL,
        .setxattr = inner->setxattr != NULL ? pass_setxattr : NULL,
        .listxattr = inner->listxattr != NULL ? pass_listxattr : NULL,
        .removexattr = inner->removexattr != NULL ? pass_removexattr : NULL,
        .lock = inner->lock != NULL ? pass_lock : NULL,
        .watch = inner->watch != NULL ? pass_watch : NULL,
        .unwatch = inner->unwatch != NULL ? pass_unwatch : NULL,
        .watch_fd = inner->watch_fd != NULL ? pass_watch_fd : NULL,
        .watch_next = inner->watch_next != NULL ? pass_watch_next : NULL,
    };
}
