/* SPDX-License-Identifier: MIT */

/* Extended attributes: those of "user.", on files and directories, as on Linux. */

#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include "internal.h"

static const char prefix[] = "user.";

static uint64_t cost(const struct memory_xattr *x)
{
    return sizeof(*x) + x->name_len + 1 + x->len;
}

static unsigned char *value(struct memory_xattr *x)
{
    return (unsigned char *)x->name + x->name_len + 1;
}

static int check_name(const char *name, uint32_t *len)
{
    size_t n = strnlen(name, FSIF_NAME_MAX + 1);

    if (n == 0 || n > FSIF_NAME_MAX)
        return -FSIF_ERANGE;
    if (strncmp(name, prefix, sizeof(prefix) - 1) != 0)
        return -FSIF_EOPNOTSUPP;
    *len = (uint32_t)n;
    return n == sizeof(prefix) - 1 ? -FSIF_EINVAL : 0;
}

/* Find and hold a node; not through a handle that is good for its name only. */
static int get(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags,
               struct memory_node **out)
{
    const struct memory_file *file = path[0] == '\0' ? fsi_memory_file(st, base) : NULL;

    if (file != NULL && (file->flags & FSIF_O_PATH) != 0)
        return -FSIF_EBADF;
    return fsi_memory_get(st, base, path, flags & FSIF_AT_NOFOLLOW, out);
}

static int has_none(const struct memory_node *node)
{
    return node->type != FSIF_S_IFREG && node->type != FSIF_S_IFDIR;
}

/* Where the attribute is, or the end of the list. */
static struct memory_xattr **find(struct memory_node *node, const char *name, uint32_t len)
{
    struct memory_xattr **at = &node->xattrs;

    while (*at != NULL && ((*at)->name_len != len || memcmp((*at)->name, name, len) != 0))
        at = &(*at)->next;
    return at;
}

int64_t fsi_memory_getxattr(struct fsif_store *st, uint64_t base, const char *path,
                            const char *name, uint32_t flags, void *buf, uint32_t len)
{
    struct memory_xattr *x;
    struct memory_node *node;
    uint32_t name_len;
    int64_t n;
    int err = check_name(name, &name_len);

    if (err == 0)
        err = get(st, base, path, flags, &node);
    if (err != 0)
        return err;
    pthread_rwlock_rdlock(&node->lock);
    x = *find(node, name, name_len);
    n = x != NULL ? (int64_t)x->len : -FSIF_ENODATA;
    if (n > 0 && len != 0 && n > len)
        n = -FSIF_ERANGE;
    if (n > 0 && len != 0)
        memcpy(buf, value(x), (size_t)n);
    pthread_rwlock_unlock(&node->lock);
    fsi_memory_put(st, node);
    return n;
}

static uint32_t list_bytes(const struct memory_node *node)
{
    uint32_t n = 0;

    for (const struct memory_xattr *x = node->xattrs; x != NULL; x = x->next)
        n += x->name_len + 1;
    return n;
}

static void free_xattr(struct fsif_store *st, struct memory_xattr *x)
{
    fsi_memory_refund(st, cost(x));
    free(x);
}

/* The lock is held. @made stands for what is to be there. */
static int set(struct fsif_store *st, struct memory_node *node, uint32_t flags,
               struct memory_xattr *made)
{
    struct memory_xattr **at = find(node, made->name, made->name_len);
    struct memory_xattr *old = *at;

    if ((flags & FSIF_XATTR_CREATE) != 0 && old != NULL)
        return -FSIF_EEXIST;
    if ((flags & FSIF_XATTR_REPLACE) != 0 && old == NULL)
        return -FSIF_ENODATA;
    if (old == NULL && list_bytes(node) + made->name_len + 1 > MEMORY_VALUE_MAX)
        return -FSIF_ENOSPC;
    if (fsi_memory_charge(st, cost(made)) != 0)
        return -FSIF_ENOSPC;
    made->next = old != NULL ? old->next : NULL;
    *at = made;
    if (old != NULL)
        free_xattr(st, old);
    fsi_memory_touched(node);
    return 0;
}

static struct memory_xattr *make(const char *name, uint32_t name_len, const void *buf, uint32_t len)
{
    struct memory_xattr *x = malloc(sizeof(*x) + name_len + 1 + len);

    if (x == NULL)
        return NULL;
    x->next = NULL;
    x->name_len = name_len;
    x->len = len;
    memcpy(x->name, name, name_len);
    x->name[name_len] = '\0';
    if (len > 0)
        memcpy(value(x), buf, len);
    return x;
}

int fsi_memory_setxattr(struct fsif_store *st, uint64_t base, const char *path, const char *name,
                        uint32_t flags, const void *buf, uint32_t len)
{
    const uint32_t known = FSIF_AT_NOFOLLOW | FSIF_XATTR_CREATE | FSIF_XATTR_REPLACE;
    struct memory_xattr *x = NULL;
    struct memory_node *node;
    uint32_t name_len = 0;
    int err;

    if (st->read_only)
        return -FSIF_EROFS;
    if ((flags & ~known) != 0)
        return -FSIF_EINVAL;
    err = check_name(name, &name_len);
    if (err == 0 && len > MEMORY_VALUE_MAX)
        err = -FSIF_E2BIG;
    if (err == 0)
        err = get(st, base, path, flags, &node);
    if (err != 0)
        return err;
    err = has_none(node) ? -FSIF_EPERM : 0;
    if (err == 0) {
        x = make(name, name_len, buf, len);
        err = x == NULL ? -FSIF_ENOMEM : 0;
    }
    if (err == 0) {
        pthread_rwlock_wrlock(&node->lock);
        err = set(st, node, flags, x);
        pthread_rwlock_unlock(&node->lock);
        if (err == 0)
            fsi_memory_tell_of(st, node, FSIF_CHANGE_ATTR);
        else
            free(x);
    }
    fsi_memory_put(st, node);
    return err;
}

int64_t fsi_memory_listxattr(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags,
                             void *buf, uint32_t len)
{
    struct memory_node *node;
    char *to = buf;
    int64_t n;
    int err = get(st, base, path, flags, &node);

    if (err != 0)
        return err;
    pthread_rwlock_rdlock(&node->lock);
    n = list_bytes(node);
    if (len != 0 && n > len)
        n = -FSIF_ERANGE;
    for (const struct memory_xattr *x = node->xattrs; n > 0 && len != 0 && x != NULL; x = x->next) {
        memcpy(to, x->name, x->name_len + 1);
        to += x->name_len + 1;
    }
    pthread_rwlock_unlock(&node->lock);
    fsi_memory_put(st, node);
    return n;
}

int fsi_memory_removexattr(struct fsif_store *st, uint64_t base, const char *path, const char *name,
                           uint32_t flags)
{
    struct memory_xattr *x = NULL, **at;
    struct memory_node *node;
    uint32_t len;
    int err;

    if (st->read_only)
        return -FSIF_EROFS;
    err = check_name(name, &len);
    if (err == 0)
        err = get(st, base, path, flags, &node);
    if (err != 0)
        return err;
    err = has_none(node) ? -FSIF_EPERM : 0;
    if (err == 0) {
        pthread_rwlock_wrlock(&node->lock);
        at = find(node, name, len);
        x = *at;
        if (x != NULL) {
            *at = x->next;
            fsi_memory_touched(node);
        }
        pthread_rwlock_unlock(&node->lock);
        err = x == NULL ? -FSIF_ENODATA : 0;
    }
    if (x != NULL) {
        free_xattr(st, x);
        fsi_memory_tell_of(st, node, FSIF_CHANGE_ATTR);
    }
    fsi_memory_put(st, node);
    return err;
}

void fsi_memory_free_xattrs(struct fsif_store *st, struct memory_node *node)
{
    while (node->xattrs != NULL) {
        struct memory_xattr *x = node->xattrs;
        node->xattrs = x->next;
        free_xattr(st, x);
    }
}
