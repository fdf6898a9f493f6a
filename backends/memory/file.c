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
static void hold(struct fsif_store *st, struct memory_node *node, int writable, uint64_t *file)
{
    struct memory_file *f;

    *file = st->free_file;
    f = &st->files[st->free_file];
    st->free_file = f->next;
    f->node = node;
    f->writable = writable != 0;
    f->generation++;
    *file |= (uint64_t)f->generation << 32;
    node->refs++;
}

static struct memory_file *find(struct fsif_store *st, uint64_t file)
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
static int find_or_make(struct fsif_store *st, const char *path, uint32_t flags, uint32_t mode,
                        struct memory_node **out)
{
    struct memory_place at;
    int err;

    if ((flags & FSIF_STORE_CREATE) == 0)
        return fsi_memory_lookup(st, path, out);
    err = fsi_memory_place(st, path, &at);
    if (err != 0)
        return err;
    if (at.len == 0 || at.slash)
        return -FSIF_EISDIR;
    if (at.entry == NULL)
        return make(st, &at, mode, out);
    *out = at.entry->node;
    return 0;
}

int fsi_memory_open(struct fsif_store *st, const char *path, uint32_t flags, uint32_t mode,
                    uint64_t *file)
{
    const uint32_t change = FSIF_STORE_WRITE | FSIF_STORE_CREATE | FSIF_STORE_TRUNCATE;
    int directory = (flags & FSIF_STORE_DIRECTORY) != 0;
    struct memory_node *node;
    int err;

    if (directory && (flags & change) != 0)
        return -FSIF_EISDIR;
    /* A place first, so that no file is made that cannot be opened. */
    err = st->free_file == st->nfiles ? grow(st) : 0;
    if (err == 0)
        err = find_or_make(st, path, flags, mode, &node);
    if (err != 0)
        return err;
    if (!node->directory && directory)
        return -FSIF_ENOTDIR;
    if (node->directory && !directory)
        return -FSIF_EISDIR;
    hold(st, node, (flags & (FSIF_STORE_WRITE | FSIF_STORE_TRUNCATE)) != 0, file);
    if ((flags & FSIF_STORE_TRUNCATE) != 0) {
        fsi_memory_data_resize(st, &node->u.data, 0);
        fsi_memory_changed(node);
    }
    return 0;
}

int fsi_memory_close(struct fsif_store *st, uint64_t file)
{
    struct memory_file *f = find(st, file);

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
    struct memory_file *f = find(st, file);

    if (f == NULL)
        return -FSIF_EBADF;
    if (off > INT64_MAX)
        return -FSIF_EINVAL;
    if (f->node->directory)
        return -FSIF_EISDIR;
    return fsi_memory_data_read(&f->node->u.data, buf, len, off);
}

int64_t fsi_memory_write(struct fsif_store *st, uint64_t file, const void *buf, uint32_t len,
                         uint64_t off)
{
    struct memory_file *f = find(st, file);
    int64_t n;

    if (f == NULL)
        return -FSIF_EBADF;
    if (off > INT64_MAX)
        return -FSIF_EINVAL;
    if (!f->writable)
        return -FSIF_EBADF;
    n = fsi_memory_data_write(st, &f->node->u.data, buf, len, off);
    if (n > 0)
        fsi_memory_changed(f->node);
    return n;
}

int fsi_memory_stat(struct fsif_store *st, uint64_t file, struct fsif_attr *out)
{
    struct memory_file *f = find(st, file);

    if (f == NULL)
        return -FSIF_EBADF;
    fsi_memory_attr(st, f->node, out);
    return 0;
}

int fsi_memory_truncate(struct fsif_store *st, uint64_t file, uint64_t size)
{
    struct memory_file *f = find(st, file);
    int err;

    if (f == NULL)
        return -FSIF_EBADF;
    if (size > INT64_MAX || !f->writable)
        return -FSIF_EINVAL;
    err = fsi_memory_data_resize(st, &f->node->u.data, size);
    if (err == 0)
        fsi_memory_changed(f->node);
    return err;
}

int fsi_memory_chmod(struct fsif_store *st, uint64_t file, uint32_t mode)
{
    struct memory_file *f = find(st, file);

    if (f == NULL)
        return -FSIF_EBADF;
    f->node->mode = fsi_memory_mode(st, mode);
    fsi_memory_touched(f->node);
    return 0;
}

int fsi_memory_sync(struct fsif_store *st, uint64_t file)
{
    return find(st, file) == NULL ? -FSIF_EBADF : 0;
}
