/* SPDX-License-Identifier: MIT */

/* Taking names away and moving them, with the results of Linux, in its order where several errors
 * hold. */

#define _GNU_SOURCE
#include "internal.h"

/* Whether unlink(), rmdir(), or with neither flag remove() would do it. */
static int check_remove(const struct memory_place *at, uint32_t flags)
{
    int file = flags == FSIF_REMOVE_FILE, dir = flags == FSIF_REMOVE_DIR;
    struct memory_node *node;

    if (at->self != NULL)
        return file ? -FSIF_EISDIR : -FSIF_EINVAL;
    if (at->entry == NULL)
        return fsi_memory_end(at, &node);
    node = at->entry->node;
    if (node->type != FSIF_S_IFDIR)
        return dir || at->slash ? -FSIF_ENOTDIR : 0;
    if (file)
        return -FSIF_EISDIR;
    return node->u.dir.count > 0 ? -FSIF_ENOTEMPTY : 0;
}

int fsi_memory_remove(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags)
{
    const uint32_t both = FSIF_REMOVE_FILE | FSIF_REMOVE_DIR;
    struct memory_node *node = NULL;
    struct memory_place at;
    int err;

    if (st->read_only)
        return -FSIF_EROFS;
    if ((flags & ~both) != 0)
        return -FSIF_EINVAL;
    pthread_rwlock_wrlock(&st->tree);
    err = fsi_memory_walk(st, base, path, MEMORY_LAST_STAY, &at);
    if (err == 0)
        err = check_remove(&at, flags);
    if (err == 0) {
        node = at.entry->node;
        fsi_memory_hold(st, node);
        fsi_memory_unlink(st, at.entry);
        fsi_memory_tell(st, at.dir, FSIF_CHANGE_REMOVE, at.name, at.len);
        fsi_memory_tell(st, node, FSIF_CHANGE_SELF, "", 0);
    }
    pthread_rwlock_unlock(&st->tree);
    if (node != NULL)
        fsi_memory_put(st, node);
    return err;
}

/* Whether @node is @dir or lies above it. */
static int is_above(const struct memory_node *node, const struct memory_node *dir)
{
    while (dir != NULL && dir != node)
        dir = fsi_memory_parent(dir);
    return dir == node;
}

/* What stands at the target, if anything does, may be replaced. */
static int check_target(const struct memory_node *node, const struct memory_node *target)
{
    int is_dir = node->type == FSIF_S_IFDIR;

    if (target == NULL || target == node)
        return 0;
    if (is_dir != (target->type == FSIF_S_IFDIR))
        return is_dir ? -FSIF_ENOTDIR : -FSIF_EISDIR;
    return is_dir && target->u.dir.count > 0 ? -FSIF_ENOTEMPTY : 0;
}

/* Whether the names may be used so, whatever they name. */
static int check_names(const struct memory_place *from, const struct memory_place *to,
                       uint32_t flags)
{
    int err;

    if (from->self != NULL)
        return -FSIF_EBUSY;
    if (to->self != NULL)
        return (flags & FSIF_RENAME_NOREPLACE) != 0 ? -FSIF_EEXIST : -FSIF_EBUSY;
    err = fsi_memory_check_name(from->dir, from->len);
    if (err == 0 && from->entry == NULL)
        err = -FSIF_ENOENT;
    if (err == 0)
        err = fsi_memory_check_name(to->dir, to->len);
    if (err != 0)
        return err;
    if ((flags & FSIF_RENAME_NOREPLACE) != 0 && to->entry != NULL)
        return -FSIF_EEXIST;
    return (flags & FSIF_RENAME_EXCHANGE) != 0 && to->entry == NULL ? -FSIF_ENOENT : 0;
}

/* Whether the rename is one that Linux would do. */
static int check_rename(const struct memory_place *from, const struct memory_place *to,
                        uint32_t flags)
{
    int exchange = (flags & FSIF_RENAME_EXCHANGE) != 0;
    const struct memory_node *node, *target;
    int err = check_names(from, to, flags);

    if (err != 0)
        return err;
    node = from->entry->node;
    target = to->entry != NULL ? to->entry->node : NULL;
    if (exchange && target->type != FSIF_S_IFDIR && to->slash)
        return -FSIF_ENOTDIR;
    if (node->type != FSIF_S_IFDIR && (from->slash || (!exchange && to->slash)))
        return -FSIF_ENOTDIR;
    if (node->type == FSIF_S_IFDIR && is_above(node, to->dir))
        return -FSIF_EINVAL;
    if (target != NULL && target->type == FSIF_S_IFDIR && is_above(target, from->dir))
        return exchange ? -FSIF_EINVAL : -FSIF_ENOTEMPTY;
    return exchange ? 0 : check_target(node, target);
}

static void tell_move(struct fsif_store *st, struct memory_node *node,
                      const struct memory_place *from, const struct memory_place *to)
{
    fsi_memory_tell(st, from->dir, FSIF_CHANGE_REMOVE, from->name, from->len);
    fsi_memory_tell(st, to->dir, FSIF_CHANGE_CREATE, to->name, to->len);
    fsi_memory_tell(st, node, FSIF_CHANGE_SELF, "", 0);
}

/* @node, and @target if there is one, are held. */
static int move(struct fsif_store *st, const struct memory_place *from,
                const struct memory_place *to, struct memory_node *node, struct memory_node *target,
                uint32_t flags)
{
    int err;

    if ((flags & FSIF_RENAME_EXCHANGE) != 0) {
        fsi_memory_exchange(st, from->entry, to->entry);
        tell_move(st, target, to, from);
    } else if (target != NULL) {
        /* The target's name was there before and stays; only what it names changes. So a listing
         * meets it once, neither twice nor never. */
        fsi_memory_unlink(st, from->entry);
        fsi_memory_relink(st, to->entry, node);
        fsi_memory_tell(st, target, FSIF_CHANGE_SELF, "", 0);
    } else {
        /* The new name first: if there is no memory for it nothing has happened. */
        err = fsi_memory_link(st, to, node);
        if (err != 0)
            return err;
        fsi_memory_unlink(st, from->entry);
    }
    tell_move(st, node, from, to);
    return 0;
}

/* The tree is held. */
static int rename_places(struct fsif_store *st, const struct memory_place *from,
                         const struct memory_place *to, uint32_t flags,
                         struct memory_node *let_go[2])
{
    struct memory_node *nodes[4]; /* whose links must not be seen half way */
    int err = check_rename(from, to, flags);

    if (err != 0)
        return err;
    let_go[0] = from->entry->node;
    fsi_memory_hold(st, let_go[0]);
    if (to->entry != NULL) {
        let_go[1] = to->entry->node;
        fsi_memory_hold(st, let_go[1]);
    }
    if (let_go[0] == let_go[1]) /* two names of one file: both stay */
        return 0;
    nodes[0] = let_go[0];
    nodes[1] = (flags & FSIF_RENAME_EXCHANGE) != 0 ? let_go[1] : let_go[0];
    nodes[2] = from->dir;
    nodes[3] = to->dir;
    for (int i = 0; i < 4; i++)
        nodes[i]->moving = 1;
    err = move(st, from, to, let_go[0], let_go[1], flags);
    for (int i = 0; i < 4; i++) {
        nodes[i]->moving = 0;
        fsi_memory_show_links(nodes[i]);
    }
    for (int i = 0; err == 0 && i < 2; i++)
        fsi_memory_count_links(nodes[i]);
    return err;
}

int fsi_memory_rename(struct fsif_store *st, uint64_t base, const char *path, uint64_t base2,
                      const char *path2, uint32_t flags)
{
    struct memory_node *let_go[2] = {NULL, NULL};
    struct memory_place from, to;
    int err;

    if (st->read_only)
        return -FSIF_EROFS;
    if (flags != 0 && flags != FSIF_RENAME_NOREPLACE && flags != FSIF_RENAME_EXCHANGE)
        return -FSIF_EINVAL;
    pthread_rwlock_wrlock(&st->tree);
    err = fsi_memory_walk(st, base, path, MEMORY_LAST_STAY, &from);
    if (err == 0)
        err = fsi_memory_walk(st, base2, path2, MEMORY_LAST_STAY, &to);
    if (err == 0)
        err = rename_places(st, &from, &to, flags, let_go);
    pthread_rwlock_unlock(&st->tree);
    for (int i = 0; i < 2; i++)
        if (let_go[i] != NULL)
            fsi_memory_put(st, let_go[i]);
    return err;
}
