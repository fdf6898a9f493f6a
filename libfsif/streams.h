/* SPDX-License-Identifier: MIT */
#ifndef FSI_STREAMS_H
#define FSI_STREAMS_H

/*
 * Listings that a session keeps between two requests: dialect 1 asks for a directory page by page
 * and names only a path and how many entries it has seen.
 */

#include <stdint.h>
#include <fsif/op.h>
#include <fsif/store.h>
#include <fsif/wire.h>

struct fsi_stream {
    struct fsif_shared_u32 word;  /* free, kept, in use */
    struct fsif_shared_u32 stamp; /* when it was kept, for the least recently used */
    uint64_t file;                /* the directory, open in the store */
    uint64_t cookie;              /* of the last entry that was given out; 0: none */
    uint32_t offset;              /* entries given out */
    uint32_t pad;
    char path[FSIF_PATH_MAX + 1];
};

struct fsi_streams {
    struct fsi_stream *table;
    uint32_t count;
    struct fsif_shared_u32 *clock;
    const struct fsif_store_ops *ops;
    struct fsif_store *store;
};

/**
 * fsi_streams_list - one page of names
 *
 * @op:  path, offset
 * @out: FSIF_PAGE_SIZE bytes; @result: value, used, more
 */
void fsi_streams_list(const struct fsi_streams *s, const struct fsif_op *op, char *out,
                      struct fsif_result *result);

/** fsi_streams_fini - close what is kept; nobody else uses the table */
void fsi_streams_fini(const struct fsi_streams *s);

/** fsi_streams_forget - mark all free without asking the store: they died with their process */
void fsi_streams_forget(const struct fsi_streams *s);

#endif
