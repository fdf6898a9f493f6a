/* SPDX-License-Identifier: MIT */
#ifndef FSI_HANDLES_H
#define FSI_HANDLES_H

/*
 * A backend session's open files: a handle is an index, never the store's number. Requests that use
 * a file hold it; close only marks it, and whoever lets it go last closes it in the store.
 */

#include <stdint.h>
#include "freelist.h"

struct fsi_handle {
    struct fsif_shared_u32 word; /* see handles.c */
    uint32_t export;             /* whose store the file is of */
    uint64_t file;
};

/* A view; everything it points to is plain integers in the engine's state. */
struct fsi_handles {
    struct fsi_freelist *free;
    struct fsif_shared_u32 *words;
    struct fsi_handle *table;
};

/** fsi_handles_reserve - a number for fsi_handles_open(), or to be given back by
 * fsi_handles_free(); it opens nothing yet. Return: a handle >= 0, or -FSIF_EMFILE */
int fsi_handles_reserve(const struct fsi_handles *h);
void fsi_handles_open(const struct fsi_handles *h, uint32_t handle, uint64_t file, uint32_t export);

/** fsi_handles_get - hold the file of a handle. Return: 0; -FSIF_EBADF */
int fsi_handles_get(const struct fsi_handles *h, uint32_t handle, uint64_t *file, uint32_t *export);

/** fsi_handles_close - no fsi_handles_get() after this. Return: 0; -FSIF_EBADF closed already */
int fsi_handles_close(const struct fsi_handles *h, uint32_t handle);

/** fsi_handles_closed - whether a handle that the caller holds was closed. Return: 1 or 0 */
int fsi_handles_closed(const struct fsi_handles *h, uint32_t handle);

/**
 * fsi_handles_put - let go
 *
 * Return: 1 if the caller was the last and the handle was closed: it closes the file in the store
 *         and calls fsi_handles_free()
 */
int fsi_handles_put(const struct fsi_handles *h, uint32_t handle);
void fsi_handles_free(const struct fsi_handles *h, uint32_t handle);

/**
 * fsi_handles_recover - after a process died: forget its holds, rebuild the free numbers
 *
 * A handle that was closed while held is left with one hold, the caller's, to end with a put.
 */
void fsi_handles_recover(const struct fsi_handles *h);

/**
 * fsi_handles_hold - after fsi_handles_recover(): count a hold that outlives its process
 *
 * Return: 1; 0 the handle is no more
 */
int fsi_handles_hold(const struct fsi_handles *h, uint32_t handle);

/**
 * fsi_handles_next - walk the open handles, of a table that nobody else uses
 *
 * @at: in and out; start with 0
 *
 * Return: 1 and the handle, its file and whether it was closed while held; 0 at the end
 */
int fsi_handles_next(const struct fsi_handles *h, uint32_t *at, uint32_t *handle, uint64_t *file,
                     int *closed);

#endif
