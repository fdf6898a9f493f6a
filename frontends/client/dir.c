/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "internal.h"

#include <stdlib.h>
#include <string.h>

/*
 * Directories: pages of names, continued by the number of entries seen so far. "." and ".." count
 * for the backend and are not shown. The engine has checked each page: whole names, none of them
 * with a slash.
 */

/* "." and ".." stand in a listing once each; a few more may come when the backend has lost its
 * place. A backend that sends nothing else would keep a reader here for ever. */
#define MAX_DOTS 16u

struct fsif_dir {
    struct fsif_client *cl;
    uint32_t generation; /* of the session that it was opened in */
    uint64_t seen;       /* entries, for the continuation */
    uint32_t used;       /* bytes of page */
    uint32_t pos;
    uint32_t more;
    uint32_t dots; /* "." and ".." in a row */
    char page[FSIF_PAGE_SIZE];
    char path[];
};

/* The next page. Return: 0; an error. */
static int next_page(struct fsif_dir *d)
{
    struct fsif_op op = {
        .type = FSIF_OP_LIST,
        .path = d->path,
        .offset = d->seen,
        .length = sizeof(d->page),
        .buffer = d->page,
    };
    struct fsif_result result;
    struct fsi_lane *lane;
    int err = fsi_enter_blocking(d->cl, &lane);

    if (err < 0)
        return err;
    err = d->generation == d->cl->generation ? (int)fsi_call(lane, &op, &result) : -FSIF_ESTALE;
    fsi_leave(d->cl);
    if (err < 0)
        return err;
    /* A backend that has more and sends nothing would keep us here for ever. */
    if ((result.more && result.value == 0) || d->seen + (uint64_t)result.value > UINT32_MAX)
        return -FSIF_EIO;
    d->seen += (uint64_t)result.value;
    d->used = result.used;
    d->pos = 0;
    d->more = result.more;
    return 0;
}

int fsif_opendir(struct fsif_client *cl, const char *path, struct fsif_dir **out)
{
    struct fsif_dir *d;
    size_t len;
    int err;

    *out = NULL;
    if (path == NULL)
        return -FSIF_EINVAL;
    len = strnlen(path, FSIF_PAGE_SIZE);
    if (len == FSIF_PAGE_SIZE)
        return -FSIF_ENAMETOOLONG;
    d = malloc(sizeof(*d) + len + 1);
    if (d == NULL)
        return -FSIF_ENOMEM;
    d->cl = cl;
    d->generation = cl->generation;
    d->seen = 0;
    d->dots = 0;
    memcpy(d->path, path, len + 1);
    err = next_page(d);
    if (err < 0) {
        free(d);
        return err;
    }
    *out = d;
    return 0;
}

int fsif_readdir(struct fsif_dir *dir, const char **name)
{
    for (;;) {
        const char *s;
        int err;

        while (dir->pos < dir->used) {
            s = dir->page + dir->pos;
            dir->pos += (uint32_t)strnlen(s, dir->used - dir->pos) + 1;
            if (strcmp(s, ".") != 0 && strcmp(s, "..") != 0) {
                dir->dots = 0;
                *name = s;
                return 1;
            }
            if (++dir->dots > MAX_DOTS)
                return -FSIF_EIO;
        }
        if (!dir->more)
            return 0;
        err = next_page(dir);
        if (err < 0)
            return err;
    }
}

void fsif_closedir(struct fsif_dir *dir)
{
    free(dir);
}
