/* SPDX-License-Identifier: MIT */

/* Calls on names, with the results of Linux, in its order where several errors hold. */

#include "internal.h"

/* Let go of a node that has lost its name. */
static void let_go(struct fsif_store *st, struct memory_node *node)
{
    fsi_memory_touched(node);
    if (node->refs == 0)
        fsi_memory_free_node(st, node);
}

int fsi_memory_remove(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags)
{
    struct memory_place at;
    struct memory_node *node;
    int err = fsi_memory_place(st, base, path, &at);

    if (err != 0)
        return err;
    if (at.len == 0)
        return flags == FSIF_REMOVE_FILE ? -FSIF_EISDIR : -FSIF_EINVAL;
    if (at.entry == NULL)
        return -FSIF_ENOENT;
    node = at.entry->node;
    if (!node->directory && (at.slash || flags == FSIF_REMOVE_DIR))
        return -FSIF_ENOTDIR;
    if (node->directory && flags == FSIF_REMOVE_FILE)
        return -FSIF_EISDIR;
    if (node->directory && node->u.dir.count > 0)
        return -FSIF_ENOTEMPTY;
    fsi_memory_unlink(at.dir, at.entry);
    let_go(st, node);
    return 0;
}

/* Whether @node is @dir or lies above it. */
static int is_above(const struct memory_node *node, const struct memory_node *dir)
{
    while (dir != NULL && dir != node)
        dir = dir->u.dir.parent;
    return dir == node;
}

/* Whether the rename is one that Linux would do. */
static int check_rename(const struct memory_place *from, const struct memory_place *to)
{
    const struct memory_node *node, *target;

    if (from->len == 0 || to->len == 0)
        return -FSIF_EBUSY;
    if (from->entry == NULL)
        return -FSIF_ENOENT;
    node = from->entry->node;
    target = to->entry != NULL ? to->entry->node : NULL;
    if (!node->directory && (from->slash || to->slash))
        return -FSIF_ENOTDIR;
    if (node->directory && is_above(node, to->dir))
        return -FSIF_EINVAL;
    if (target == NULL || target == node)
        return 0;
    if (target->directory && is_above(target, from->dir))
        return -FSIF_ENOTEMPTY;
    if (node->directory != target->directory)
        return node->directory ? -FSIF_ENOTDIR : -FSIF_EISDIR;
    return target->directory && target->u.dir.count > 0 ? -FSIF_ENOTEMPTY : 0;
}

/* The target's name was there before and stays; only what it names changes. So a listing meets it
 * once, neither twice nor never. */
static void rename_over(struct fsif_store *st, struct memory_place *from, struct memory_place *to)
{
    struct memory_node *node = from->entry->node;
    struct memory_node *target = to->entry->node;

    fsi_memory_unlink(from->dir, from->entry);
    to->entry->node = node;
    node->linked = 1;
    target->linked = 0;
    if (node->directory) {
        node->u.dir.parent = to->dir;
        target->u.dir.parent = NULL;
    }
    fsi_memory_changed(to->dir);
    let_go(st, target);
}

int fsi_memory_rename(struct fsif_store *st, uint64_t base, const char *path, uint64_t base2,
                      const char *path2, uint32_t flags)
{
    struct memory_place source, target;
    struct memory_node *node;
    int err = flags != 0 ? -FSIF_EINVAL : fsi_memory_place(st, base, path, &source);

    if (err == 0)
        err = fsi_memory_place(st, base2, path2, &target);
    if (err == 0)
        err = check_rename(&source, &target);
    if (err != 0)
        return err;
    node = source.entry->node;
    if (target.entry != NULL && target.entry->node == node)
        return 0;
    if (target.entry != NULL) {
        rename_over(st, &source, &target);
    } else {
        /* The new name first: if there is no memory for it nothing has happened. */
        err = fsi_memory_link(st, target.dir, target.name, target.len, node);
        if (err != 0)
            return err;
        fsi_memory_unlink(source.dir, source.entry);
        node->linked = 1;
        if (node->directory)
            node->u.dir.parent = target.dir;
    }
    fsi_memory_touched(node);
    return 0;
}

int fsi_memory_mkdir(struct fsif_store *st, uint64_t base, const char *path, uint32_t mode)
{
    const uint32_t known = FSIF_S_PERM & ~(FSIF_S_ISUID | FSIF_S_ISGID);
    struct memory_place at;
    struct memory_node *node;
    int err = fsi_memory_place(st, base, path, &at);

    if (err != 0)
        return err;
    if (at.len == 0 || at.entry != NULL)
        return -FSIF_EEXIST;
    node = fsi_memory_node(st, 1, mode & known);
    if (node == NULL)
        return -FSIF_ENOSPC;
    err = fsi_memory_link(st, at.dir, at.name, at.len, node);
    if (err != 0)
        fsi_memory_free_node(st, node);
    return err;
}
