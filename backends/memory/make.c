/* SPDX-License-Identifier: MIT */

/* Making names, with the results of Linux, in its order where several errors hold. */

#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include "internal.h"

/* Find a place for a new name. The tree is held. */
static int new_place(struct fsif_store *st, uint64_t base, const char *path, int directory,
                     struct memory_place *out)
{
    int err = fsi_memory_walk(st, base, path, MEMORY_LAST_STAY, out);

    if (err != 0)
        return err;
    if (out->self != NULL || out->entry != NULL)
        return -FSIF_EEXIST;
    err = fsi_memory_check_name(out->dir, out->len);
    if (err != 0)
        return err;
    return out->slash && !directory ? -FSIF_ENOENT : 0;
}

/* Give a new node its first name and let it go. */
static int place_node(struct fsif_store *st, uint64_t base, const char *path,
                      struct memory_node *node)
{
    struct memory_place at;
    int err;

    pthread_rwlock_wrlock(&st->tree);
    err = new_place(st, base, path, node->type == FSIF_S_IFDIR, &at);
    if (err == 0)
        err = fsi_memory_link(st, &at, node);
    if (err == 0)
        fsi_memory_tell(st, at.dir, FSIF_CHANGE_CREATE, at.name, at.len);
    pthread_rwlock_unlock(&st->tree);
    fsi_memory_put(st, node);
    return err;
}

/* Whether a name could be made, when no node can be: what is wrong with the name comes first. */
static int no_room(struct fsif_store *st, uint64_t base, const char *path, int directory)
{
    struct memory_place at;
    int err;

    pthread_rwlock_rdlock(&st->tree);
    err = new_place(st, base, path, directory, &at);
    pthread_rwlock_unlock(&st->tree);
    return err != 0 ? err : -FSIF_ENOSPC;
}

int fsi_memory_mkdir(struct fsif_store *st, uint64_t base, const char *path, uint32_t mode)
{
    const uint32_t known = FSIF_S_PERM & ~(FSIF_S_ISUID | FSIF_S_ISGID);
    struct memory_node *node;

    if (st->read_only)
        return -FSIF_EROFS;
    node = fsi_memory_node(st, FSIF_S_IFDIR, mode & known);
    if (node == NULL)
        return no_room(st, base, path, 1);
    return place_node(st, base, path, node);
}

static int check_type(const struct fsif_store *st, uint32_t type)
{
    switch (type) {
    case FSIF_S_IFREG:
        return 0;
    case FSIF_S_IFIFO:
    case FSIF_S_IFSOCK:
    case FSIF_S_IFCHR:
    case FSIF_S_IFBLK:
        return st->special ? 0 : -FSIF_EPERM;
    default:
        return -FSIF_EINVAL;
    }
}

int fsi_memory_mknod(struct fsif_store *st, uint64_t base, const char *path, uint32_t mode,
                     uint64_t rdev)
{
    uint32_t type = (mode & FSIF_S_IFMT) != 0 ? mode & FSIF_S_IFMT : FSIF_S_IFREG;
    struct memory_node *node;
    int err;

    if (st->read_only)
        return -FSIF_EROFS;
    err = check_type(st, type);
    if (err != 0)
        return err;
    node = fsi_memory_node(st, type, fsi_memory_mode(st, mode));
    if (node == NULL)
        return no_room(st, base, path, 0);
    if (type == FSIF_S_IFCHR || type == FSIF_S_IFBLK)
        node->rdev = rdev;
    return place_node(st, base, path, node);
}

int fsi_memory_symlink(struct fsif_store *st, const char *target, uint64_t base, const char *path)
{
    size_t len = strnlen(target, FSIF_PATH_MAX + 1);
    struct memory_node *node;
    char *text;

    if (st->read_only)
        return -FSIF_EROFS;
    if (len == 0 || len > FSIF_PATH_MAX)
        return len == 0 ? -FSIF_ENOENT : -FSIF_ENAMETOOLONG;
    if (fsi_memory_charge(st, len + 1) != 0)
        return no_room(st, base, path, 0);
    text = malloc(len + 1);
    node = text != NULL ? fsi_memory_node(st, FSIF_S_IFLNK, 0777) : NULL;
    if (node == NULL) {
        fsi_memory_refund(st, len + 1);
        free(text);
        return no_room(st, base, path, 0);
    }
    memcpy(text, target, len + 1);
    node->u.link = (struct memory_text){text, (uint32_t)len};
    return place_node(st, base, path, node);
}

/* The tree is held. */
static int check_hardlink(const struct memory_node *node)
{
    if (node->type == FSIF_S_IFDIR)
        return -FSIF_EPERM;
    if (node->named == 0 && !node->linkable)
        return -FSIF_ENOENT;
    return node->named >= MEMORY_LINKS_MAX ? -FSIF_EMLINK : 0;
}

int fsi_memory_hardlink(struct fsif_store *st, uint64_t base, const char *path, uint64_t base2,
                        const char *path2, uint32_t flags)
{
    int follow = (flags & FSIF_AT_FOLLOW) != 0;
    struct memory_node *node;
    struct memory_place at;
    int err;

    if (st->read_only)
        return -FSIF_EROFS;
    err = fsi_memory_get(st, base, path, follow ? 0 : FSIF_AT_NOFOLLOW, &node);
    if (err != 0)
        return err;
    pthread_rwlock_wrlock(&st->tree);
    err = new_place(st, base2, path2, 0, &at);
    if (err == 0)
        err = check_hardlink(node);
    if (err == 0)
        err = fsi_memory_link(st, &at, node);
    if (err == 0)
        fsi_memory_tell(st, at.dir, FSIF_CHANGE_CREATE, at.name, at.len);
    pthread_rwlock_unlock(&st->tree);
    fsi_memory_put(st, node);
    return err;
}

int64_t fsi_memory_readlink(struct fsif_store *st, uint64_t base, const char *path, void *buf,
                            uint32_t len)
{
    struct memory_node *node;
    int64_t n;
    int err;

    if (len == 0)
        return -FSIF_EINVAL;
    err = fsi_memory_get(st, base, path, FSIF_AT_NOFOLLOW, &node);
    if (err != 0)
        return err;
    if (node->type == FSIF_S_IFLNK) {
        n = len < node->u.link.len ? len : node->u.link.len;
        memcpy(buf, node->u.link.text, (size_t)n);
    } else {
        n = -FSIF_EINVAL;
    }
    fsi_memory_put(st, node);
    return n;
}
