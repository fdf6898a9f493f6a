/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "internal.h"

#include <stdlib.h>
#include <string.h>

/*
 * Directories: pages of names. In dialects 1 and 2 the path is listed anew for each page, continued
 * by the number of entries seen so far; in dialect 3 the directory is open and continued by the
 * cookie of the last entry. "." and ".." are not shown. The engine has checked each page: whole
 * entries, no name with a slash.
 */

/* "." and ".." stand in a listing once each; a few more may come when the backend has lost its
 * place. A backend that sends nothing else would keep a reader here for ever. */
#define MAX_DOTS 16u

#define PAGE3 (32u << 10) /* dialect 3 */

struct fsif_dir {
    struct fsif_client *cl;
    uint32_t generation; /* of the session that it was opened in */
    int fh;              /* dialect 3; else -1 */
    uint64_t seen;       /* entries, for the continuation; dialect 3: the cookie */
    uint32_t size;       /* of page */
    uint32_t used;       /* bytes of page */
    uint32_t pos;
    uint32_t more;
    uint32_t dots; /* "." and ".." in a row */
    char *path;
    char page[];
};

int fsi_is_dots(const char *name)
{
    return name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

/* Lists the next page. Return: 0; an error. */
static int list(struct fsif_dir *d, struct fsi_lane *lane)
{
    struct fsif_op op = {
        .type = FSIF_OP_LIST,
        .path = d->path,
        .offset = d->seen,
        .length = d->size,
        .buffer = d->page,
    };
    struct fsif_result result;
    int err = (int)fsi_call(lane, &op, &result);

    if (err < 0)
        return err;
    /* A backend that has more and sends nothing would keep us here for ever. */
    if ((result.more && result.value == 0) || d->seen + (uint64_t)result.value > UINT32_MAX)
        return -FSIF_EIO;
    d->seen += (uint64_t)result.value;
    d->used = result.used;
    d->more = result.more;
    return 0;
}

static int read_entries(struct fsif_dir *d, struct fsi_lane *lane)
{
    struct fsif_op op = {
        .type = FSIF_OP_READDIR,
        .handle = (uint32_t)d->fh,
        .cookie = d->seen,
        .length = d->size,
        .buffer = d->page,
    };
    struct fsif_result result;
    int err = (int)fsi_call(lane, &op, &result);

    if (err < 0)
        return err;
    d->used = result.used;
    d->more = result.used > 0;
    return 0;
}

/* The next page. Return: 0; an error. */
static int next_page(struct fsif_dir *d)
{
    struct fsi_lane *lane;
    int err = fsi_enter_blocking(d->cl, &lane);

    if (err < 0)
        return err;
    d->pos = 0;
    err = d->generation == d->cl->generation ? 0 : -FSIF_ESTALE;
    if (err == 0)
        err = d->fh < 0 ? list(d, lane) : read_entries(d, lane);
    fsi_leave(d->cl);
    return err;
}

static int open_dir(struct fsif_dir *d)
{
    struct fsif_op op = {.handle = FSIF_HANDLE_ROOT, .path = d->path};
    struct fsi_lane *lane;
    int err = fsi_enter_blocking(d->cl, &lane);

    if (err < 0)
        return err;
    d->generation = d->cl->generation;
    if (d->cl->limits.dialect >= 3) {
        if (d->cl->limits.max_io < d->size)
            d->size = d->cl->limits.max_io;
        err = fsi_open_at(lane, &op, FSIF_O_RDONLY | FSIF_O_DIRECTORY, 0);
        d->fh = err;
    } else {
        d->size = FSIF_PAGE_SIZE;
    }
    fsi_leave(d->cl);
    return err;
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
    d = malloc(sizeof(*d) + PAGE3 + len + 1);
    if (d == NULL)
        return -FSIF_ENOMEM;
    memset(d, 0, sizeof(*d));
    d->cl = cl;
    d->fh = -1;
    d->size = PAGE3;
    d->path = d->page + PAGE3;
    memcpy(d->path, path, len + 1);
    err = open_dir(d);
    if (err >= 0)
        err = next_page(d);
    if (err < 0) {
        fsif_closedir(d);
        return err;
    }
    *out = d;
    return 0;
}

/* The next name of the page. Return: NULL there is none */
static const char *next_name(struct fsif_dir *d)
{
    struct fsif_entry e;
    const char *s;

    if (d->fh >= 0) {
        if (!fsif_entry_next(d->page, d->used, 0, &d->pos, &e))
            return NULL;
        d->seen = e.cookie;
        return e.name;
    }
    if (d->pos >= d->used)
        return NULL;
    s = d->page + d->pos;
    d->pos += (uint32_t)strnlen(s, d->used - d->pos) + 1;
    return s;
}

int fsif_readdir(struct fsif_dir *dir, const char **name)
{
    for (;;) {
        const char *s = next_name(dir);
        int err;

        if (s != NULL && !fsi_is_dots(s)) {
            dir->dots = 0;
            *name = s;
            return 1;
        }
        if (s != NULL) {
            if (++dir->dots > MAX_DOTS)
                return -FSIF_EIO;
            continue;
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
    /* A handle of an earlier session is gone with it. */
    if (dir->fh >= 0)
        (void)fsif_close(dir->cl, dir->fh);
    free(dir);
}
