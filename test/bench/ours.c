/* SPDX-License-Identifier: MIT */
/* libfsif's client over shm and a daemon of its own. What needs dialect 3 is in ours3.c. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <fsif/host.h>
#include <fsif/shm.h>
#include "ours.h"

static uint32_t last_dialect;

/* Shared by every client of this process; never freed before it ends. */
static struct fsif_registry *registry(void)
{
    static struct fsif_registry *r;

    if (r == NULL && (fsif_registry_create("", &r) != 0 ||
                      fsif_registry_add_transport(r, &fsif_transport_shm) != 0))
        bench_die("no registry");
    return r;
}

/* Its line says that it listens; at the end of the pipe it is gone. */
static int wait_listening(int fd)
{
    char line[256];
    size_t len = 0;
    ssize_t n;

    while (len < sizeof(line) - 1 && (n = read(fd, line + len, sizeof(line) - 1 - len)) > 0) {
        len += (size_t)n;
        line[len] = '\0';
        if (strstr(line, "listening on ") != NULL)
            return 0;
    }
    return -ECHILD;
}

int ours_daemon_start(const struct bench_place *place, const char *name, const char *keys,
                      struct ours_daemon *out)
{
    char export[2 * BENCH_PATH];
    int out_pipe[2], err;

    if (place->backend == NULL || pipe2(out_pipe, O_CLOEXEC) != 0)
        return -ENOENT;
    snprintf(out->address, sizeof(out->address), "shm:%s/%s.sock", place->dir, name);
    snprintf(export, sizeof(export), "data=%s%s", place->data, keys);
    char *argv[] = {place->backend, "--log-level", "warning", "--control", "none",
                    "-l",           out->address,  "-e",      export,      NULL};
    out->pid = bench_spawn(place, argv, place->server_cpu, -1, out_pipe[1]);
    close(out_pipe[1]);
    err = wait_listening(out_pipe[0]);
    close(out_pipe[0]);
    if (err != 0)
        ours_daemon_stop(out);
    return err;
}

void ours_daemon_stop(struct ours_daemon *d)
{
    bench_reap(d->pid);
    d->pid = 0;
}

int ours_connect(const struct bench_place *place, const struct ours_daemon *d,
                 struct fsif_client **out)
{
    struct fsif_client_options o;
    struct fsif_limits limits;
    int err;

    fsif_client_options_init(&o);
    o.registry = registry();
    if (place->spin_us != UINT32_MAX)
        o.spin_us = place->spin_us;
    err = fsif_connect(d->address, "data", &o, out);
    if (err != 0)
        return err;
    fsif_get_limits(*out, &limits);
    last_dialect = limits.dialect;
    return 0;
}

uint32_t ours_dialect(void)
{
    return last_dialect;
}

static void ours_stop(void *self)
{
    struct ours *o = self;

    fsif_disconnect(o->cl);
    ours_daemon_stop(&o->daemon);
    free(o);
}

static int ours_start(struct bench_place *place, void **self)
{
    struct ours *o = bench_alloc(sizeof(*o));
    int err = ours_daemon_start(place, "ours", "", &o->daemon);

    if (err == 0)
        err = ours_connect(place, &o->daemon, &o->cl);
    if (err == 0)
        o->fh = err = fsif_open(o->cl, "big", FSIF_O_RDONLY, 0);
    if (err >= 0)
        o->out = err = fsif_open(o->cl, "out", FSIF_O_RDWR, 0);
    if (err < 0) {
        ours_stop(o);
        return err;
    }
    fsif_get_limits(o->cl, &o->limits);
    *self = o;
    return 0;
}

static int64_t ours_read(void *self, void *buf, size_t len, uint64_t off)
{
    struct ours *o = self;

    return fsif_pread(o->cl, o->fh, buf, len, off);
}

static int64_t ours_write(void *self, const void *buf, size_t len, uint64_t off)
{
    struct ours *o = self;

    return fsif_pwrite(o->cl, o->out, buf, len, off);
}

/* --- many under way --- */

struct deep {
    struct fsif_call calls[BENCH_DEPTH];
    struct fsif_call *done[BENCH_DEPTH];
    unsigned ndone;
    int64_t error;
};

/* Only takes note: the next one is sent when poll is through with all of them. */
static void deep_done(struct fsif_call *call)
{
    struct deep *d = call->arg;

    if (call->result.value != BENCH_SMALL)
        d->error = call->result.value < 0 ? call->result.value : -EIO;
    d->done[d->ndone++] = call;
}

static int submit_all(struct fsif_client *cl, struct fsif_call *const *calls, unsigned n)
{
    int taken = fsif_submit_many(cl, calls, n);
    return taken == (int)n ? 0 : taken < 0 ? taken : -EAGAIN;
}

static int64_t ours_read_deep(void *self, void *buf, const uint64_t *off, unsigned n)
{
    static struct deep d;
    struct fsif_call *next[BENCH_DEPTH];
    struct ours *o = self;
    unsigned begun = 0, ended = 0, depth = n < BENCH_DEPTH ? n : BENCH_DEPTH;

    memset(&d, 0, sizeof(d));
    for (unsigned i = 0; i < depth; i++) {
        d.calls[i].op.type = FSIF_OP_READ;
        d.calls[i].op.handle = (uint32_t)o->fh;
        d.calls[i].op.length = BENCH_SMALL;
        d.calls[i].op.buffer = (char *)buf + (size_t)i * BENCH_SMALL;
        d.calls[i].deadline = FSIF_NEVER;
        d.calls[i].done = deep_done;
        d.calls[i].arg = &d;
        d.done[d.ndone++] = &d.calls[i];
    }
    while (ended < n) {
        unsigned fresh = 0;
        for (unsigned i = 0; i < d.ndone && begun < n; i++) {
            d.done[i]->op.offset = off[begun++];
            next[fresh++] = d.done[i];
        }
        d.ndone = 0;
        if (fresh > 0 && submit_all(o->cl, next, fresh) != 0)
            return -EIO;
        if (fsif_poll(o->cl, -1) < 0 || d.error != 0)
            return d.error != 0 ? d.error : -EIO;
        ended += d.ndone;
    }
    return 0;
}

/* --- names --- */

static int64_t ours_stat(void *self, const char *path)
{
    struct fsif_attr attr;

    return fsif_stat(((struct ours *)self)->cl, path, &attr);
}

static int64_t ours_open_close(void *self, const char *path)
{
    struct ours *o = self;
    int fh = fsif_open(o->cl, path, FSIF_O_RDONLY, 0);

    return fh < 0 ? fh : fsif_close(o->cl, fh);
}

static int64_t ours_create(void *self, const char *path)
{
    struct ours *o = self;
    uint32_t flags =
        FSIF_O_RDWR | FSIF_O_CREAT | (o->limits.dialect < 3 ? FSIF_O_TRUNC : FSIF_O_EXCL);
    int fh = fsif_open(o->cl, path, flags, 0644);

    return fh < 0 ? fh : fsif_close(o->cl, fh);
}

static int64_t ours_remove(void *self, const char *path)
{
    return fsif_remove(((struct ours *)self)->cl, path);
}

static int64_t walk(struct ours *o, const char *path, int attributes)
{
    char each[BENCH_PATH];
    struct fsif_attr attr;
    struct fsif_dir *dir;
    const char *name;
    int64_t count = 0;
    int got = fsif_opendir(o->cl, path, &dir);

    if (got != 0)
        return got;
    while ((got = fsif_readdir(dir, &name)) == 1) {
        if (attributes) {
            snprintf(each, sizeof(each), "%s/%s", path, name);
            if ((got = fsif_stat(o->cl, each, &attr)) != 0)
                break;
        }
        count++;
    }
    fsif_closedir(dir);
    return got < 0 ? got : count;
}

static int64_t ours_list(void *self, const char *path)
{
    struct ours *o = self;

    if (o->limits.dialect >= 3)
        return bench_ours3.list(self, path);
    return walk(o, path, 0);
}

static int64_t ours_list_attr(void *self, const char *path)
{
    struct ours *o = self;

    if (o->limits.dialect >= 3)
        return bench_ours3.list_attr(self, path);
    return walk(o, path, 1);
}

static int64_t ours_read_file(void *self, const char *path, void *buf, size_t len)
{
    struct ours *o = self;
    int64_t n;
    int fh, err;

    if (o->limits.dialect >= 3)
        return bench_ours3.read_file(self, path, buf, len);
    fh = fsif_open(o->cl, path, FSIF_O_RDONLY, 0);
    if (fh < 0)
        return fh;
    n = fsif_pread(o->cl, fh, buf, len, 0);
    err = fsif_close(o->cl, fh);
    return err != 0 ? err : n;
}

static int64_t ours_nop(void *self)
{
    struct ours *o = self;

    if (o->limits.dialect < 3)
        return -EOPNOTSUPP;
    return bench_ours3.nop(self);
}

static int64_t ours_read_lent(void *self, size_t len, uint64_t off)
{
    struct ours *o = self;

    if (o->limits.dialect < 3)
        return -EOPNOTSUPP;
    return bench_ours3.read_lent(self, len, off);
}

static int64_t ours_write_lent(void *self, size_t len, uint64_t off)
{
    struct ours *o = self;

    if (o->limits.dialect < 3)
        return -EOPNOTSUPP;
    return bench_ours3.write_lent(self, len, off);
}

const struct bench_ops bench_ours = {
    .name = "ours",
    .start = ours_start,
    .stop = ours_stop,
    .nop = ours_nop,
    .read = ours_read,
    .write = ours_write,
    .read_lent = ours_read_lent,
    .write_lent = ours_write_lent,
    .read_deep = ours_read_deep,
    .stat = ours_stat,
    .open_close = ours_open_close,
    .create = ours_create,
    .remove = ours_remove,
    .list = ours_list,
    .list_attr = ours_list_attr,
    .read_file = ours_read_file,
};
