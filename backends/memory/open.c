/* SPDX-License-Identifier: MIT */

/*
 * Open files. A file's number is its place in a table that grows up to MEMORY_FILES (low half) and
 * how often that place was used (high half). The table consists of pieces that never move, and who
 * has a file's number got it after the file was filled in and gives it back when no other call uses
 * it; so a file is found without a lock. Places are taken and given back with st->life held.
 */

#define _GNU_SOURCE
#include <stdlib.h>
#include "internal.h"

enum { MADE = 1 };

/* What O_PATH looks at */
#define PATH_FLAGS (FSIF_O_PATH | FSIF_O_DIRECTORY | FSIF_O_NOFOLLOW)

static struct memory_file *file_at(const struct fsif_store *st, uint32_t index)
{
    return &st->files[index / MEMORY_FILES_CHUNK][index % MEMORY_FILES_CHUNK];
}

struct memory_file *fsi_memory_file(const struct fsif_store *st, uint64_t file)
{
    uint32_t index = (uint32_t)file;
    struct memory_file *f;

    if (index >= MEMORY_FILES || st->files[index / MEMORY_FILES_CHUNK] == NULL)
        return NULL;
    f = file_at(st, index);
    return f->node != NULL && f->generation == (uint32_t)(file >> 32) ? f : NULL;
}

static int grow(struct fsif_store *st)
{
    struct memory_file *files;

    if (st->nfiles == MEMORY_FILES)
        return -FSIF_EMFILE;
    files = calloc(MEMORY_FILES_CHUNK, sizeof(*files));
    if (files == NULL)
        return -FSIF_ENOMEM;
    for (uint32_t i = 0; i < MEMORY_FILES_CHUNK; i++)
        files[i].next = st->nfiles + i + 1;
    st->files[st->nfiles / MEMORY_FILES_CHUNK] = files;
    st->nfiles += MEMORY_FILES_CHUNK;
    return 0;
}

static int take_place(struct fsif_store *st, uint32_t *index)
{
    int err = 0;

    pthread_mutex_lock(&st->life);
    if (st->free_file == st->nfiles)
        err = grow(st);
    if (err == 0) {
        *index = st->free_file;
        st->free_file = file_at(st, *index)->next;
    }
    pthread_mutex_unlock(&st->life);
    return err;
}

static void give_place(struct fsif_store *st, uint32_t index)
{
    pthread_mutex_lock(&st->life);
    file_at(st, index)->node = NULL;
    file_at(st, index)->next = st->free_file;
    st->free_file = index;
    pthread_mutex_unlock(&st->life);
}

static int check_flags(uint32_t flags)
{
    uint32_t access = flags & FSIF_O_ACCMODE;

    if (access == FSIF_O_ACCMODE)
        return -FSIF_EINVAL;
    if ((flags & FSIF_O_CREAT) != 0 && (flags & (FSIF_O_DIRECTORY | FSIF_O_TMPFILE)) != 0)
        return -FSIF_EINVAL;
    return (flags & FSIF_O_TMPFILE) != 0 && access == FSIF_O_RDONLY ? -FSIF_EINVAL : 0;
}

/* The rest of these have the tree, for writing if something may be made. They hand out a node that
 * the caller holds then, and return MADE if it is new. */

static int open_existing(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags,
                         struct memory_node **out)
{
    int follow = (flags & FSIF_O_NOFOLLOW) == 0;
    struct memory_place at;
    int err;

    err = fsi_memory_walk(st, base, path, follow ? MEMORY_LAST_FOLLOW : MEMORY_LAST_NOFOLLOW, &at);
    if (err == 0)
        err = fsi_memory_end(&at, out);
    if (err == 0)
        fsi_memory_hold(st, *out);
    return err;
}

static int make(struct fsif_store *st, const struct memory_place *at, uint32_t mode,
                struct memory_node **out)
{
    struct memory_node *node = fsi_memory_node(st, FSIF_S_IFREG, fsi_memory_mode(st, mode));
    int err;

    if (node == NULL)
        return -FSIF_ENOSPC;
    err = fsi_memory_link(st, at, node);
    if (err != 0) {
        fsi_memory_put(st, node);
        return err;
    }
    fsi_memory_tell(st, at->dir, FSIF_CHANGE_CREATE, at->name, at->len);
    *out = node;
    return MADE;
}

static int open_create(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags,
                       uint32_t mode, struct memory_node **out)
{
    int stay = (flags & (FSIF_O_NOFOLLOW | FSIF_O_EXCL)) != 0;
    struct memory_place at;
    int err = fsi_memory_walk(st, base, path, stay ? MEMORY_LAST_STAY : MEMORY_LAST_CREATE, &at);

    if (err != 0)
        return err;
    if (at.self == NULL && at.slash)
        return -FSIF_EISDIR;
    if (at.self == NULL && at.entry == NULL) {
        err = fsi_memory_check_name(at.dir, at.len);
        return err != 0 ? err : make(st, &at, mode, out);
    }
    if ((flags & FSIF_O_EXCL) != 0)
        return -FSIF_EEXIST;
    *out = at.self != NULL ? at.self : at.entry->node;
    if ((*out)->type == FSIF_S_IFDIR)
        return -FSIF_EISDIR;
    fsi_memory_hold(st, *out);
    return 0;
}

static int open_unnamed(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags,
                        uint32_t mode, struct memory_node **out)
{
    struct memory_node *dir, *node;
    int err = open_existing(st, base, path, flags, &dir);

    if (err != 0)
        return err;
    if (dir->type != FSIF_S_IFDIR)
        err = -FSIF_ENOTDIR;
    else if (dir->named == 0)
        err = -FSIF_ENOENT;
    fsi_memory_put(st, dir);
    if (err != 0)
        return err;
    node = fsi_memory_node(st, FSIF_S_IFREG, fsi_memory_mode(st, mode));
    if (node == NULL)
        return -FSIF_ENOSPC;
    node->linkable = (flags & FSIF_O_EXCL) == 0;
    *out = node;
    return MADE;
}

static int find_or_make(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags,
                        uint32_t mode, struct memory_node **out)
{
    int err;

    if ((flags & FSIF_O_CREAT) != 0) {
        pthread_rwlock_wrlock(&st->tree);
        err = open_create(st, base, path, flags, mode, out);
    } else {
        pthread_rwlock_rdlock(&st->tree);
        if ((flags & FSIF_O_TMPFILE) != 0)
            err = open_unnamed(st, base, path, flags, mode, out);
        else
            err = open_existing(st, base, path, flags, out);
    }
    pthread_rwlock_unlock(&st->tree);
    return err;
}

/* Whether a node that is there may be opened so. */
static int check_node(const struct memory_node *node, uint32_t flags)
{
    const uint32_t change = FSIF_O_ACCMODE | FSIF_O_TRUNC;

    if ((flags & FSIF_O_DIRECTORY) != 0 && node->type != FSIF_S_IFDIR)
        return -FSIF_ENOTDIR;
    if ((flags & FSIF_O_PATH) != 0)
        return 0;
    switch (node->type) {
    case FSIF_S_IFLNK:
        return -FSIF_ELOOP;
    case FSIF_S_IFDIR:
        return (flags & change) != 0 ? -FSIF_EISDIR : 0;
    case FSIF_S_IFREG:
        return 0;
    default:
        return -FSIF_EACCES;
    }
}

static void empty(struct fsif_store *st, struct memory_node *node)
{
    pthread_rwlock_wrlock(&node->lock);
    fsi_memory_data_resize(st, &node->u.data, 0);
    fsi_memory_changed(node);
    pthread_rwlock_unlock(&node->lock);
    fsi_memory_tell_of(st, node, FSIF_CHANGE_CONTENT);
}

static uint64_t fill(const struct fsif_store *st, uint32_t index, struct memory_node *node,
                     uint32_t flags)
{
    struct memory_file *f = file_at(st, index);

    f->flags = flags;
    f->generation++;
    atomic_store(&f->until, UINT64_MAX);
    f->node = node;
    return (uint64_t)f->generation << 32 | index;
}

int fsi_memory_open(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags,
                    uint32_t mode, uint64_t *file, struct fsif_attr *attr)
{
    const uint32_t change = FSIF_O_ACCMODE | FSIF_O_CREAT | FSIF_O_TRUNC | FSIF_O_TMPFILE;
    struct memory_node *node = NULL;
    uint32_t index = 0;
    int err, made;

    if ((flags & FSIF_O_PATH) != 0)
        flags &= PATH_FLAGS;
    if (st->read_only && (flags & change) != 0)
        return -FSIF_EROFS;
    err = check_flags(flags);
    /* A place first, so that no file is made that cannot be opened. */
    if (err == 0)
        err = take_place(st, &index);
    if (err != 0)
        return err;
    err = find_or_make(st, base, path, flags, mode, &node);
    made = err == MADE;
    if (err == 0) {
        err = check_node(node, flags);
        if (err != 0)
            fsi_memory_put(st, node);
    }
    if (err < 0 || node == NULL) {
        give_place(st, index);
        return err;
    }
    if ((flags & FSIF_O_TRUNC) != 0 && !made)
        empty(st, node);
    if (attr != NULL)
        fsi_memory_attr(node, attr);
    *file = fill(st, index, node, flags);
    return 0;
}

int fsi_memory_close(struct fsif_store *st, uint64_t file)
{
    struct memory_file *f = fsi_memory_file(st, file);
    struct memory_node *node;

    if (f == NULL)
        return -FSIF_EBADF;
    node = f->node;
    fsi_memory_unlock_all(st, f);
    give_place(st, (uint32_t)file);
    fsi_memory_put(st, node);
    return 0;
}
