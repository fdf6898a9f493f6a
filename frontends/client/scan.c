/* SPDX-License-Identifier: MIT */
#include "internal.h"

#include <stdlib.h>
#include <string.h>
#include "barrier.h"

/*
 * fsif_scandir(): two pages of entries, one that is shown while the other is being read. The cookie
 * that the next page goes on with is that of the last entry of this one, which the engine has met,
 * so it is asked for before the page is shown. However the scan ends, the page under way is waited
 * for.
 */

/* Bytes of a page. Each costs a change of who runs where both share a core, and elsewhere a sleep
 * if it takes longer than the client polls: so large ones, but names on two cores in such small
 * ones that they are there before that. */
#define PAGE (256u << 10)
#define PAGE_OF_NAMES (16u << 10)

/* As in dir.c */
#define MAX_DOTS 16u

struct page {
    struct fsif_call call;
    char *bytes;
};

struct scan {
    struct fsif_client *cl;
    struct fsi_waiter waiter;
    uint32_t handle;
    uint32_t flags;
    uint32_t size;
    uint32_t asked; /* pages; at most one of them not answered */
    uint32_t dots;
    fsif_scandir_fn *fn;
    void *arg;
    struct page pages[2];
};

static void page_done(struct fsif_call *call)
{
    fsi_done(call->arg);
}

/* Return: 0; why not */
static int ask_page(struct scan *s, uint64_t cookie)
{
    struct page *p = &s->pages[s->asked % 2];
    int err;

    memset(&p->call, 0, sizeof(p->call));
    p->call.op = (struct fsif_op){.type = FSIF_OP_READDIR,
                                  .handle = s->handle,
                                  .cookie = cookie,
                                  .flags = s->flags,
                                  .length = s->size,
                                  .buffer = p->bytes};
    p->call.deadline = fsi_deadline(s->cl);
    p->call.done = page_done;
    p->call.arg = &s->waiter;
    err = fsi_submit_wait(&s->waiter, &p->call, p->call.deadline);
    if (err == 0)
        s->asked++;
    return err;
}

static void await_pages(struct scan *s)
{
    uint32_t seen;

    while ((seen = fsi_load_acquire(&s->waiter.done)) != s->asked)
        fsi_wait(&s->waiter, seen, FSIF_NEVER);
}

/* Return: 0; what the caller's function says; negative */
static int show_page(struct scan *s, const struct page *p)
{
    struct fsif_dirent entry = {.name = NULL};
    struct fsif_entry e;
    uint32_t at = 0;
    int value = 0;

    while (value == 0 && fsif_entry_next(p->bytes, p->call.result.used, s->flags, &at, &e)) {
        if (fsi_is_dots(e.name)) {
            if (++s->dots > MAX_DOTS)
                return -FSIF_EIO;
            continue;
        }
        s->dots = 0;
        entry.name = e.name;
        entry.type = e.type;
        entry.ino = e.ino;
        if (s->flags & FSIF_READDIR_ATTR) {
            entry.status = e.status;
            entry.attr = e.attr;
        }
        value = s->fn(s->arg, &entry);
    }
    return value;
}

static int show_all(struct scan *s)
{
    int value = ask_page(s, 0);

    while (value == 0) {
        const struct page *p = &s->pages[(s->asked - 1) % 2];
        int err;

        await_pages(s);
        if (p->call.result.value <= 0)
            return (int)p->call.result.value;
        err = ask_page(s, p->call.result.cookie);
        value = show_page(s, p);
        if (value == 0)
            value = err;
    }
    return value;
}

/* Others use the arena, too. */
static uint32_t page_size(const struct fsi_lane *lane, uint32_t flags)
{
    const struct fsif_limits *limits = &lane->cl->limits;
    int small = flags == 0 && !fsif_spin_shares_core(&lane->spin);
    uint32_t size = small ? PAGE_OF_NAMES : PAGE;

    if (size > limits->arena_bytes / 4)
        size = limits->arena_bytes / 4;
    return size < limits->max_io ? size : limits->max_io;
}

static int scan_open(struct fsi_lane *lane, uint32_t handle, uint32_t flags, fsif_scandir_fn *fn,
                     void *arg)
{
    struct fsif_client *cl = lane->cl;
    uint32_t size = page_size(lane, flags);
    struct scan s = {
        .cl = cl, .handle = handle, .flags = flags, .size = size, .fn = fn, .arg = arg};
    char *bytes;
    int value;

    fsi_waiter_init(&s.waiter, lane);
    bytes = malloc(2 * (size_t)size);
    if (bytes == NULL)
        return -FSIF_ENOMEM;
    s.pages[0].bytes = bytes;
    s.pages[1].bytes = bytes + size;
    value = show_all(&s);
    await_pages(&s);
    free(bytes);
    return value;
}

/* Dialects 1 and 2: names are all there is. */
static int scan_names(struct fsif_client *cl, int dir, const char *path, uint32_t flags,
                      fsif_scandir_fn *fn, void *arg)
{
    struct fsif_dirent entry = {.name = NULL};
    struct fsif_dir *d;
    int value;

    if (dir != FSIF_ROOT || flags != 0)
        return -FSIF_EOPNOTSUPP;
    value = fsif_opendir(cl, path, &d);
    if (value < 0)
        return value;
    while ((value = fsif_readdir(d, &entry.name)) > 0) {
        value = fn(arg, &entry);
        if (value != 0)
            break;
    }
    fsif_closedir(d);
    return value;
}

int fsif_scandir(struct fsif_client *cl, int dir, const char *path, uint32_t flags,
                 fsif_scandir_fn *fn, void *arg)
{
    struct fsif_op op = {.path = path};
    struct fsi_lane *lane;
    int value;
    int fh;

    if (flags & ~FSIF_READDIR_ATTR)
        return -FSIF_EINVAL;
    value = fsi_begin(cl, dir, &op, &lane);
    if (value < 0)
        return value;
    if (cl->limits.dialect < 3) {
        value = scan_names(cl, dir, op.path, flags, fn, arg);
    } else if (op.path[0] == '\0') {
        value = scan_open(lane, op.handle, flags, fn, arg);
    } else {
        fh = fsi_open_at(lane, &op, FSIF_O_RDONLY | FSIF_O_DIRECTORY, 0);
        value = fh < 0 ? fh : scan_open(lane, (uint32_t)fh, flags, fn, arg);
        if (fh >= 0)
            fsi_close_quietly(lane, fh);
    }
    fsi_leave(cl);
    return value;
}
