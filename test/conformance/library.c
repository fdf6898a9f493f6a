/* SPDX-License-Identifier: MIT */

/*
 * The library's side. Open asks for the best access there is, as dialects 1 and 2 do by themselves;
 * in dialect 3 it is asked for step by step.
 *
 * Planted bugs, for the tests of this test: "chmod" loses the group's right to write, "truncate"
 * leaves a byte too many, "rename" removes the target first and so is not atomic.
 */

#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "differential.h"
#include "request.h"

/* Dialect 3 has no open that takes what it gets. */
static int open_best(struct fsif_client *cl, const char *path)
{
    int fh = fsif_open(cl, path, FSIF_O_RDWR, 0);

    if (fh == -FSIF_EROFS || fh == -FSIF_EACCES || fh == -FSIF_ETXTBSY)
        fh = fsif_open(cl, path, FSIF_O_RDONLY, 0);
    if (fh == -FSIF_EISDIR)
        fh = fsif_open(cl, path, FSIF_O_RDONLY | FSIF_O_DIRECTORY, 0);
    return fh;
}

static int64_t raw_open(struct fsif_client *cl, const char *path)
{
    struct request r = {.call.op = {.type = FSIF_OP_OPEN, .path = path}};
    struct fsif_limits limits;

    fsif_get_limits(cl, &limits);
    return limits.dialect == 3 ? open_best(cl, path) : request_run(cl, &r);
}

void library_start(struct library *l, struct fsif_client *cl, const char *directory)
{
    memset(l, 0, sizeof(*l));
    l->cl = cl;
    snprintf(l->prefix, sizeof(l->prefix), "%s/", directory);
    for (int i = 0; i < SLOTS; i++)
        l->handles[i] = -1;
}

void library_stop(struct library *l)
{
    for (int i = 0; i < SLOTS; i++)
        if (l->handles[i] >= 0)
            fsif_close(l->cl, l->handles[i]);
}

static int64_t keep(struct library *l, uint32_t slot, int64_t handle)
{
    if (handle < 0)
        return handle;
    if (l->handles[slot] >= 0)
        fsif_close(l->cl, l->handles[slot]);
    l->handles[slot] = (int)handle;
    return 0;
}

static int planted(const struct library *l, const char *bug)
{
    return l->plant != NULL && strcmp(l->plant, bug) == 0;
}

static void list_path(struct fsif_client *cl, const char *path, struct answer *a)
{
    struct fsif_dir *dir;
    const char *name;
    int64_t n = 0;
    int r = fsif_opendir(cl, path, &dir);

    if (r == 0) {
        while ((r = fsif_readdir(dir, &name)) == 1) {
            n++;
            a->hash += hash_bytes(HASH_START, name, strlen(name));
        }
        fsif_closedir(dir);
    }
    a->value = r < 0 ? r : n;
    if (r < 0)
        a->hash = 0;
}

static void stat_handle(struct fsif_client *cl, int fh, struct answer *a)
{
    struct fsif_attr attr;
    uint64_t what[3];

    a->value = fsif_fstat(cl, fh, &attr);
    if (a->value != 0)
        return;
    what[0] = attr.mode;
    what[1] = (attr.mode & FSIF_S_IFMT) == FSIF_S_IFDIR ? 0 : attr.size;
    what[2] = (uint64_t)attr.uid << 32 | attr.gid;
    a->hash = hash_bytes(HASH_START, what, sizeof(what));
}

static struct answer on_handle(struct library *l, int fh, const struct step *s)
{
    static _Thread_local unsigned char buf[MAX_IO];
    struct answer a = {0};

    switch (s->kind) {
    case STEP_READ:
        a.value = fsif_pread(l->cl, fh, buf, s->len, s->off);
        a.hash = a.value > 0 ? hash_bytes(HASH_START, buf, (size_t)a.value) : 0;
        break;
    case STEP_WRITE:
        step_fill(s, buf);
        a.value = fsif_pwrite(l->cl, fh, buf, s->len, s->off);
        break;
    case STEP_STAT:
        stat_handle(l->cl, fh, &a);
        break;
    case STEP_TRUNCATE:
        a.value = fsif_ftruncate(l->cl, fh, s->off + (planted(l, "truncate") && s->off == 5000));
        break;
    case STEP_CHMOD:
        a.value = fsif_fchmod(l->cl, fh, planted(l, "chmod") ? s->mode & ~020u : s->mode);
        break;
    default:
        a.value = fsif_fsync(l->cl, fh);
        break;
    }
    return a;
}

static int64_t mkdir_in_two(struct fsif_client *cl, const char *path, uint32_t mode)
{
    int err = fsif_mkdir(cl, path, 0700);
    int64_t fh;

    if (err != 0)
        return err;
    for (int i = 0; i < 10; i++) /* time for somebody else */
        fsif_space(cl, "/");
    fh = raw_open(cl, path);
    if (fh >= 0) {
        fsif_fchmod(cl, (int)fh, mode);
        fsif_close(cl, (int)fh);
    }
    return 0;
}

static struct answer on_path(struct library *l, const struct step *s)
{
    char path[STEP_PATH + 64], path2[STEP_PATH + 64];
    struct answer a = {0};

    snprintf(path, sizeof(path), "%s%s", l->prefix, s->path);
    snprintf(path2, sizeof(path2), "%s%s", l->prefix, s->path2);
    switch (s->kind) {
    case STEP_OPEN:
        a.value = keep(l, s->slot, raw_open(l->cl, path));
        break;
    case STEP_CREATE:
        a.value = keep(l, s->slot,
                       fsif_open(l->cl, path, FSIF_O_RDWR | FSIF_O_CREAT | FSIF_O_TRUNC, s->mode));
        break;
    case STEP_REMOVE:
        a.value = fsif_remove(l->cl, path);
        break;
    case STEP_RENAME:
        a.value = fsif_rename(l->cl, path, path2);
        break;
    case STEP_MKDIR:
        a.value = planted(l, "mkdir") ? mkdir_in_two(l->cl, path, s->mode)
                                      : fsif_mkdir(l->cl, path, s->mode);
        break;
    case STEP_LIST:
        list_path(l->cl, path, &a);
        break;
    default:
        a.value = fsif_space(l->cl, path);
        a.value = a.value > 0 ? 0 : a.value;
        break;
    }
    return a;
}

struct answer library_step(struct library *l, const struct step *s)
{
    struct answer a = {0};

    if (s->kind < STEP_CLOSE || s->kind > STEP_SYNC)
        return on_path(l, s);
    if (l->handles[s->slot] < 0)
        return a;
    if (s->kind != STEP_CLOSE)
        return on_handle(l, l->handles[s->slot], s);
    a.value = fsif_close(l->cl, l->handles[s->slot]);
    l->handles[s->slot] = -1;
    return a;
}
