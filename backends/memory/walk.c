/* SPDX-License-Identifier: MIT */

/*
 * From a path to what it names, as Linux walks it.
 *
 * A symbolic link's text takes the place of its name: what was left to walk is put on a stack, so
 * the last component of a path is one with nothing behind it, neither in the text at hand nor on
 * the stack. ".." occurs in such texts only, and stops at the root. The texts cannot go while the
 * tree is held.
 */

#define _GNU_SOURCE
#include <assert.h>
#include <string.h>
#include "internal.h"

enum { MORE = 1 };

struct walk {
    struct memory_node *at;
    const char *text;
    const char *rest[MEMORY_FOLLOW_MAX]; /* none is empty */
    uint32_t depth;
    uint32_t links;
};

/* Where a directory is; NULL: it is the root, or was removed. */
struct memory_node *fsi_memory_parent(const struct memory_node *dir)
{
    return dir->names != NULL ? dir->names->dir : NULL;
}

/* The node of an open file, or the root. */
int fsi_memory_start(struct fsif_store *st, uint64_t base, struct memory_node **out)
{
    const struct memory_file *file;

    *out = st->root;
    if (base == FSIF_STORE_ROOT)
        return 0;
    file = fsi_memory_file(st, base);
    if (file == NULL)
        return -FSIF_EBADF;
    *out = file->node;
    return 0;
}

/* What is wrong with a name that is not there, but that it is not: it cannot be. For the last one
 * of a path this is the caller's to do, when other things were found right. */
int fsi_memory_check_name(const struct memory_node *dir, size_t len)
{
    if (dir->named == 0)
        return -FSIF_ENOENT;
    return len > FSIF_NAME_MAX ? -FSIF_ENAMETOOLONG : 0;
}

static int follow(struct fsif_store *st, struct walk *w, const struct memory_node *link,
                  const char *rest)
{
    if (w->links++ >= MEMORY_FOLLOW_MAX)
        return -FSIF_ELOOP;
    if (*rest != '\0')
        w->rest[w->depth++] = rest;
    w->text = link->u.link.text;
    if (w->text[0] == '/')
        w->at = st->root;
    return MORE;
}

/* "." and "..", and a text of nothing but slashes. Returns where that is; NULL: a real name. */
static struct memory_node *dots(const struct walk *w, const char *name, size_t len)
{
    struct memory_node *parent;

    if (len == 0 || (len == 1 && name[0] == '.'))
        return w->at;
    if (len != 2 || name[0] != '.' || name[1] != '.')
        return NULL;
    parent = fsi_memory_parent(w->at);
    return parent != NULL ? parent : w->at;
}

/* Whether a link that is the last component gives its place to its text. */
static int goes_on(enum memory_last last, const struct memory_place *at)
{
    switch (last) {
    case MEMORY_LAST_STAY:
        return 0;
    case MEMORY_LAST_NOFOLLOW:
        return at->directory != 0;
    case MEMORY_LAST_CREATE:
        return !at->slash;
    case MEMORY_LAST_FOLLOW:
        break;
    }
    return 1;
}

static int component(struct fsif_store *st, struct walk *w, enum memory_last last,
                     struct memory_place *out)
{
    const char *name = w->text + strspn(w->text, "/");
    size_t len = strcspn(name, "/");
    const char *rest = name + len + strspn(name + len, "/");
    int final = *rest == '\0' && w->depth == 0;
    struct memory_node *to;
    struct memory_entry *e;

    if (w->at->type != FSIF_S_IFDIR)
        return -FSIF_ENOTDIR;
    if (*rest == '\0' && !final) {
        rest = w->rest[--w->depth];
        assert(rest != NULL);
    }
    to = dots(w, name, len);
    if (final && to != NULL)
        out->self = to;
    if (to == NULL) {
        int err = final ? 0 : fsi_memory_check_name(w->at, len);
        if (err != 0)
            return err;
        e = fsi_memory_find(st, w->at, name, len);
        if (e == NULL && !final)
            return -FSIF_ENOENT;
        out->dir = w->at;
        out->entry = e;
        out->name = name;
        out->len = (uint32_t)len;
        out->slash = name[len] == '/';
        out->directory |= final && out->slash;
        if (e != NULL && e->node->type == FSIF_S_IFLNK && (!final || goes_on(last, out)))
            return follow(st, w, e->node, rest);
        to = e != NULL ? e->node : NULL;
    }
    w->at = to;
    w->text = rest;
    return final ? 0 : MORE;
}

/* Find where the last component of @path is, or could be. The tree is held. */
int fsi_memory_walk(struct fsif_store *st, uint64_t base, const char *path, enum memory_last last,
                    struct memory_place *out)
{
    struct walk w = {.text = path};
    int r;

    w.links = 0;
    memset(out, 0, sizeof(*out));
    r = fsi_memory_start(st, base, &w.at);
    if (r == 0 && path[0] == '\0')
        r = -FSIF_ENOENT;
    if (r != 0)
        return r;
    do
        r = component(st, &w, last, out);
    while (r == MORE);
    return r;
}

/* What is at a place. */
int fsi_memory_end(const struct memory_place *at, struct memory_node **out)
{
    if (at->self == NULL && at->entry == NULL) {
        int err = fsi_memory_check_name(at->dir, at->len);
        return err != 0 ? err : -FSIF_ENOENT;
    }
    *out = at->self != NULL ? at->self : at->entry->node;
    return at->directory && (*out)->type != FSIF_S_IFDIR ? -FSIF_ENOTDIR : 0;
}

/* Find what is there and hold it. @flags: FSIF_AT_NOFOLLOW. */
int fsi_memory_get(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags,
                   struct memory_node **out)
{
    enum memory_last last =
        (flags & FSIF_AT_NOFOLLOW) != 0 ? MEMORY_LAST_NOFOLLOW : MEMORY_LAST_FOLLOW;
    struct memory_place at;
    int err;

    if (path[0] == '\0') {
        err = fsi_memory_start(st, base, out);
        if (err == 0)
            fsi_memory_hold(st, *out);
        return err;
    }
    pthread_rwlock_rdlock(&st->tree);
    err = fsi_memory_walk(st, base, path, last, &at);
    if (err == 0)
        err = fsi_memory_end(&at, out);
    if (err == 0)
        fsi_memory_hold(st, *out);
    pthread_rwlock_unlock(&st->tree);
    return err;
}
