/* SPDX-License-Identifier: MIT */

/*
 * Open files. A file's number is its place in a table that grows up to MEMORY_FILES (low half) and
 * how often that place was used (high half). A node lives as long as it has a name or is open.
 */

#include <stdlib.h>
#include <string.h>
#include "internal.h"

enum { FIRST_FILES = 64 };

static int grow(struct fsif_store *st)
{
    uint32_t n = st->nfiles == 0 ? FIRST_FILES : st->nfiles * 2;
    struct memory_file *files;

    if (st->nfiles >= MEMORY_FILES)
        return -FSIF_EMFILE;
    files = realloc(st->files, n * sizeof(*files));
    if (files == NULL)
        return -FSIF_ENOMEM;
    memset(files + st->nfiles, 0, (n - st->nfiles) * sizeof(*files));
    for (uint32_t i = st->nfiles; i < n; i++)
        files[i].next = i + 1;
    st->files = files;
    st->free_file = st->nfiles;
    st->nfiles = n;
    return 0;
}

/* There is a free place: see fsi_memory_open. */
static void hold(struct fsif_store *st, struct memory_node *node, uint32_t flags, uint64_t *file)
{
    struct memory_file *f;

    *file = st->free_file;
    f = &st->files[st->free_file];
    st->free_file = f->next;
    f->node = node;
    f->flags = flags;
    f->until = UINT64_MAX;
    f->generation++;
    *file |= (uint64_t)f->generation << 32;
    node->refs++;
}

struct memory_file *fsi_memory_file(struct fsif_store *st, uint64_t file)
{
    uint32_t index = (uint32_t)file;

    if (index >= st->nfiles || st->files[index].node == NULL ||
        st->files[index].generation != (uint32_t)(file >> 32))
        return NULL;
    return &st->files[index];
}

static int make(struct fsif_store *st, const struct memory_place *at, uint32_t mode,
                struct memory_node **out)
{
    struct memory_node *node = fsi_memory_node(st, 0, fsi_memory_mode(st, mode));
    int err;

    if (node == NULL)
        return -FSIF_ENOSPC;
    err = fsi_memory_link(st, at->dir, at->name, at->len, node);
    if (err != 0) {
        fsi_memory_free_node(st, node);
        return err;
    }
    *out = node;
    return 0;
}

/* Find the node, making it if that was asked for. */
static int find_or_make(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags,
                        uint32_t mode, struct memory_node **out)
{
    struct memory_place at;
    int err;

    if ((flags & FSIF_O_CREAT) == 0)
        return fsi_memory_lookup(st, base, path, out);
    err = fsi_memory_place(st, base, path, &at);
    if (err != 0)
        return err;
    if (at.slash)
        return -FSIF_EISDIR;
    if (at.len != 0 && at.entry == NULL)
        return make(st, &at, mode, out);
    *out = at.len == 0 ? at.dir : at.entry->node;
    if ((flags & FSIF_O_EXCL) != 0)
        return -FSIF_EEXIST;
    return (*out)->directory ? -FSIF_EISDIR : 0;
}

/* As far as the store goes: no O_TMPFILE, no O_PATH, no O_APPEND. */
static int check_flags(uint32_t flags)
{
    if ((flags & (FSIF_O_TMPFILE | FSIF_O_PATH | FSIF_O_APPEND)) != 0)
        return -FSIF_EOPNOTSUPP;
    if ((flags & FSIF_O_DIRECTORY) != 0 && (flags & FSIF_O_CREAT) != 0)
        return -FSIF_EINVAL;
    return (flags & FSIF_O_ACCMODE) == FSIF_O_ACCMODE ? -FSIF_EINVAL : 0;
}

int fsi_memory_open(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags,
                    uint32_t mode, uint64_t *file, struct fsif_attr *attr)
{
    const uint32_t change = FSIF_O_ACCMODE | FSIF_O_TRUNC;
    struct memory_node *node;
    int err = check_flags(flags);

    /* A place first, so that no file is made that cannot be opened. */
    if (err == 0 && st->free_file == st->nfiles)
        err = grow(st);
    if (err == 0)
        err = find_or_make(st, base, path, flags, mode, &node);
    if (err != 0)
        return err;
    if (!node->directory && (flags & FSIF_O_DIRECTORY) != 0)
        return -FSIF_ENOTDIR;
    if (node->directory && (flags & change) != 0)
        return -FSIF_EISDIR;
    hold(st, node, flags, file);
    if ((flags & FSIF_O_TRUNC) != 0) {
        fsi_memory_data_resize(st, &node->u.data, 0);
        fsi_memory_changed(node);
    }
    if (attr != NULL)
        fsi_memory_attr(node, attr);
    return 0;
}

int fsi_memory_close(struct fsif_store *st, uint64_t file)
{
    struct memory_file *f = fsi_memory_file(st, file);

    if (f == NULL)
        return -FSIF_EBADF;
    fsi_memory_unref(st, f->node);
    f->node = NULL;
    f->next = st->free_file;
    st->free_file = (uint32_t)file;
    return 0;
}

int64_t fsi_memory_read(struct fsif_store *st, uint64_t file, void *buf, uint32_t len, uint64_t off)
{
    struct memory_file *f = fsi_memory_file(st, file);

    if (f == NULL)
        return -FSIF_EBADF;
    if (off > INT64_MAX)
        return -FSIF_EINVAL;
    if ((f->flags & FSIF_O_ACCMODE) == FSIF_O_WRONLY)
        return -FSIF_EBADF;
    if (f->node->directory)
        return -FSIF_EISDIR;
    return fsi_memory_data_read(&f->node->u.data, buf, len, off);
}

int64_t fsi_memory_write(struct fsif_store *st, uint64_t file, const void *buf, uint32_t len,
                         uint64_t off, uint32_t flags)
{
    struct memory_file *f = fsi_memory_file(st, file);
    int64_t n;

    (void)flags; /* the medium is here */
    if (f == NULL)
        return -FSIF_EBADF;
    if (off > INT64_MAX && off != FSIF_STORE_END)
        return -FSIF_EINVAL;
    if ((f->flags & FSIF_O_ACCMODE) == FSIF_O_RDONLY)
        return -FSIF_EBADF;
    if (off == FSIF_STORE_END)
        off = f->node->u.data.size;
    n = fsi_memory_data_write(st, &f->node->u.data, buf, len, off);
    if (n > 0)
        fsi_memory_changed(f->node);
    return n;
}

int fsi_memory_sync(struct fsif_store *st, uint64_t file, uint32_t flags)
{
    (void)flags;
    return fsi_memory_file(st, file) == NULL ? -FSIF_EBADF : 0;
}
