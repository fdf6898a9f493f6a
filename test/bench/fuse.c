/* SPDX-License-Identifier: MIT */
/*
 * FUSE through the kernel, with libfuse's own examples as the servers and everything of the
 * kernel's caches switched off: passthrough_ll for the big file, passthrough_fh for names
 * (passthrough_ll keeps its inodes in one list, which grows long).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "aio.h"
#include "bench.h"

#define FUSE_MAGIC 0x65735546L
enum { START_MS = 5000 };

struct mounted {
    char at[BENCH_PATH];
    pid_t pid;
};

struct fuse {
    struct mounted data;
    struct mounted names;
    int big;
    int out;
    int direct; /* the same for asynchronous reads */
    struct bench_aio *aio;
    void *plain; /* bench_plain on the mount of names */
};

static int wait_mounted(const struct mounted *m)
{
    struct statfs fs;

    for (int i = 0; i < START_MS; i++) {
        if (statfs(m->at, &fs) == 0 && fs.f_type == FUSE_MAGIC)
            return 0;
        if (waitpid(m->pid, NULL, WNOHANG) != 0)
            return -ECHILD;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return -ETIMEDOUT;
}

static int mount_one(const struct bench_place *place, struct mounted *m, const char *name,
                     char *program, char *options)
{
    char *argv[] = {program, "-f", "-o", options, m->at, NULL};

    snprintf(m->at, sizeof(m->at), "%s/%s", place->dir, name);
    if (mkdir(m->at, 0755) != 0 && errno != EEXIST)
        return -errno;
    m->pid = bench_spawn(place, argv, place->server_cpu, -1, -1);
    return wait_mounted(m);
}

static void unmount(struct mounted *m)
{
    if (m->pid > 0)
        umount2(m->at, MNT_DETACH);
    bench_reap(m->pid);
}

static void fuse_stop(void *self)
{
    struct fuse *f = self;

    bench_aio_close(f->aio);
    if (f->plain != NULL)
        bench_plain.stop(f->plain);
    if (f->big >= 0)
        close(f->big);
    if (f->out >= 0)
        close(f->out);
    if (f->direct >= 0)
        close(f->direct);
    unmount(&f->data);
    unmount(&f->names);
    free(f);
}

static int open_all(struct bench_place *place, struct fuse *f)
{
    struct bench_place mounted = *place;
    char path[BENCH_PATH + 8];

    snprintf(path, sizeof(path), "%s/big", f->data.at);
    f->big = open(path, O_RDONLY | O_CLOEXEC);
    f->direct = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
    snprintf(path, sizeof(path), "%s/out", f->data.at);
    f->out = open(path, O_RDWR | O_CLOEXEC);
    f->aio = bench_aio_open();
    mounted.data = f->names.at;
    if (f->big < 0 || f->out < 0 || bench_plain.start(&mounted, &f->plain) != 0)
        return -errno;
    return 0;
}

static int fuse_start(struct bench_place *place, void **self)
{
    char data[2 * BENCH_PATH], names[2 * BENCH_PATH];
    struct fuse *f;

    if (place->fuse_ll == NULL || place->fuse_fh == NULL)
        return bench_why(place, "libfuse's examples could not be built (package libfuse3-dev)");
    if (access("/dev/fuse", R_OK | W_OK) != 0)
        return bench_why(place, "/dev/fuse cannot be opened");
    f = bench_alloc(sizeof(*f));
    f->big = f->out = f->direct = -1;
    snprintf(data, sizeof(data), "source=%s,cache=never", place->data);
    snprintf(names, sizeof(names),
             "modules=subdir,subdir=%s,entry_timeout=0,attr_timeout=0,negative_timeout=0",
             place->data);
    if (mount_one(place, &f->data, "fuse-data", place->fuse_ll, data) != 0 ||
        mount_one(place, &f->names, "fuse-names", place->fuse_fh, names) != 0 ||
        open_all(place, f) != 0) {
        fuse_stop(f);
        return bench_failed(place, "FUSE passthrough");
    }
    *self = f;
    return 0;
}

static int64_t fuse_read(void *self, void *buf, size_t len, uint64_t off)
{
    ssize_t n = pread(((struct fuse *)self)->big, buf, len, (off_t)off);

    return n < 0 ? -errno : n;
}

static int64_t fuse_write(void *self, const void *buf, size_t len, uint64_t off)
{
    ssize_t n = pwrite(((struct fuse *)self)->out, buf, len, (off_t)off);

    return n < 0 ? -errno : n;
}

static int64_t fuse_read_deep(void *self, void *buf, const uint64_t *off, unsigned n)
{
    struct fuse *f = self;

    if (f->aio == NULL || f->direct < 0)
        return -EOPNOTSUPP;
    return bench_aio_read(f->aio, f->direct, buf, off, n);
}

static int64_t fuse_stat(void *self, const char *path)
{
    return bench_plain.stat(((struct fuse *)self)->plain, path);
}

static int64_t fuse_open_close(void *self, const char *path)
{
    return bench_plain.open_close(((struct fuse *)self)->plain, path);
}

static int64_t fuse_create(void *self, const char *path)
{
    return bench_plain.create(((struct fuse *)self)->plain, path);
}

static int64_t fuse_remove(void *self, const char *path)
{
    return bench_plain.remove(((struct fuse *)self)->plain, path);
}

static int64_t fuse_list(void *self, const char *path)
{
    return bench_plain.list(((struct fuse *)self)->plain, path);
}

static int64_t fuse_list_attr(void *self, const char *path)
{
    return bench_plain.list_attr(((struct fuse *)self)->plain, path);
}

const struct bench_ops bench_fuse = {
    .name = "fuse",
    .start = fuse_start,
    .stop = fuse_stop,
    .read = fuse_read,
    .write = fuse_write,
    .read_deep = fuse_read_deep,
    .stat = fuse_stat,
    .open_close = fuse_open_close,
    .create = fuse_create,
    .remove = fuse_remove,
    .list = fuse_list,
    .list_attr = fuse_list_attr,
    /* no read_file: passthrough_fh lets the kernel keep the data after the first time */
};
