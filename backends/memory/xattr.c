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

static int is_user(const char *name)
{
    return strncmp(name, prefix, sizeof(prefix) - 1) == 0;
}

static int has_none(const struct memory_node *node)
{
    return node->type != FSIF_S_IFREG && node->type != FSIF_S_IFDIR;
}

/* Find and hold a node for an attribute, and see what is wrong with its name. @none: the answer for
 * files that have none. */
static int get(struct fsif_store *st, uint64_t base, const char *path, const char *name,
               uint32_t flags, int none, struct memory_node **out)
{
    size_t len = strnlen(name, FSIF_NAME_MAX + 1);
    int err = 0;

    if (!is_user(name))
        return -FSIF_EOPNOTSUPP;
    err = fsi_memory_get(st, base, path, flags & FSIF_AT_NOFOLLOW, out);
    if (err != 0)
        return err;
    if (has_none(*out))
        err = none;
    else if (len > FSIF_NAME_MAX)
        err = -FSIF_ERANGE;
    else if (len == sizeof(prefix) - 1)
        err = -FSIF_EINVAL;
    if (err != 0)
        fsi_memory_put(st, *out);
    return err;
}

/* Where the attribute is, or the end of the list. */
static struct memory_xattr **find(struct memory_node *node, const char *name)
{
    struct memory_xattr **at = &node->xattrs;
    size_t len = strlen(name);

    while (*at != NULL && ((*at)->name_len != len || memcmp((*at)->name, name, len) != 0))
        at = &(*at)->next;
    return at;
}

int64_t fsi_memory_getxattr(struct fsif_store *st, uint64_t base, const char *path,
                            const char *name, uint32_t flags, void *buf, uint32_t len)
{
    struct memory_xattr *x;
    struct memory_node *node;
    int64_t n;
    int err = get(st, base, path, name, flags, -FSIF_ENODATA, &node);

    if (err != 0)
        return err;
    pthread_rwlock_rdlock(&node->lock);
    x = *find(node, name);
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
    struct memory_xattr **at = find(node, made->name);
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

static struct memory_xattr *make(const char *name, const void *buf, uint32_t len)
{
    size_t name_len = strlen(name);
    struct memory_xattr *x = malloc(sizeof(*x) + name_len + 1 + len);

    if (x == NULL)
        return NULL;
    x->next = NULL;
    x->name_len = (uint32_t)name_len;
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
    int err;

    if (st->read_only)
        return -FSIF_EROFS;
    if ((flags & ~known) != 0)
        return -FSIF_EINVAL;
    err = get(st, base, path, name, flags, -FSIF_EPERM, &node);
    if (err != 0)
        return err;
    if (len > MEMORY_VALUE_MAX)
        err = -FSIF_E2BIG;
    if (err == 0) {
        x = make(name, buf, len);
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
    int err = fsi_memory_get(st, base, path, flags, &node);

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
    struct memory_xattr *x, **at;
    struct memory_node *node;
    int err;

    if (st->read_only)
        return -FSIF_EROFS;
    err = get(st, base, path, name, flags, -FSIF_EPERM, &node);
    if (err != 0)
        return err;
    pthread_rwlock_wrlock(&node->lock);
    at = find(node, name);
    x = *at;
    if (x != NULL) {
        *at = x->next;
        fsi_memory_touched(node);
    }
    pthread_rwlock_unlock(&node->lock);
    if (x != NULL) {
        free_xattr(st, x);
        fsi_memory_tell_of(st, node, FSIF_CHANGE_ATTR);
    }
    fsi_memory_put(st, node);
    return x == NULL ? -FSIF_ENODATA : 0;
}

void fsi_memory_free_xattrs(struct fsif_store *st, struct memory_node *node)
{
    while (node->xattrs != NULL) {
        struct memory_xattr *x = node->xattrs;
        node->xattrs = x->next;
        free_xattr(st, x);
    }
}
