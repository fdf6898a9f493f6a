/* SPDX-License-Identifier: MIT */
/* System calls in this process: what everything else is compared with. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "bench.h"

struct plain {
    int root;
    int big;
    int out;
};

static int plain_start(struct bench_place *place, void **self)
{
    struct plain *p = bench_alloc(sizeof(*p));

    p->root = open(place->data, O_PATH | O_DIRECTORY | O_CLOEXEC);
    p->big = openat(p->root, "big", O_RDONLY | O_CLOEXEC);
    p->out = openat(p->root, "out", O_RDWR | O_CLOEXEC);
    if (p->root < 0 || p->big < 0 || p->out < 0)
        return -errno;
    *self = p;
    return 0;
}

static void plain_stop(void *self)
{
    struct plain *p = self;

    close(p->big);
    close(p->out);
    close(p->root);
    free(p);
}

static int64_t plain_read(void *self, void *buf, size_t len, uint64_t off)
{
    ssize_t n = pread(((struct plain *)self)->big, buf, len, (off_t)off);

    return n < 0 ? -errno : n;
}

static int64_t plain_write(void *self, const void *buf, size_t len, uint64_t off)
{
    ssize_t n = pwrite(((struct plain *)self)->out, buf, len, (off_t)off);

    return n < 0 ? -errno : n;
}

/* One thread has one system call under way. */
static int64_t plain_read_deep(void *self, void *buf, const uint64_t *off, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        void *to = (char *)buf + (size_t)(i % BENCH_DEPTH) * BENCH_SMALL;
        if (pread(((struct plain *)self)->big, to, BENCH_SMALL, (off_t)off[i]) != BENCH_SMALL)
            return -errno;
    }
    return 0;
}

static int64_t plain_stat(void *self, const char *path)
{
    struct stat st;

    return fstatat(((struct plain *)self)->root, path, &st, 0) != 0 ? -errno : 0;
}

static int64_t plain_open_close(void *self, const char *path)
{
    int fd = openat(((struct plain *)self)->root, path, O_RDONLY | O_CLOEXEC);

    return fd < 0 || close(fd) != 0 ? -errno : 0;
}

static int64_t plain_create(void *self, const char *path)
{
    int fd =
        openat(((struct plain *)self)->root, path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

    return fd < 0 || close(fd) != 0 ? -errno : 0;
}

static int64_t plain_remove(void *self, const char *path)
{
    return unlinkat(((struct plain *)self)->root, path, 0) != 0 ? -errno : 0;
}

static int is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static int64_t walk(struct plain *p, const char *path, int attributes)
{
    int fd = openat(p->root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;
    struct stat st;
    int64_t count = 0;

    if (dir == NULL)
        return -errno;
    while ((entry = readdir(dir)) != NULL) {
        if (is_dots(entry->d_name))
            continue;
        if (attributes && fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            break;
        count++;
    }
    closedir(dir);
    return count;
}

static int64_t plain_list(void *self, const char *path)
{
    return walk(self, path, 0);
}

static int64_t plain_list_attr(void *self, const char *path)
{
    return walk(self, path, 1);
}

static int64_t plain_read_file(void *self, const char *path, void *buf, size_t len)
{
    int fd = openat(((struct plain *)self)->root, path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : pread(fd, buf, len, 0);

    if (n < 0 || close(fd) != 0)
        return -errno;
    return n;
}

const struct bench_ops bench_plain = {
    .name = "plain",
    .start = plain_start,
    .stop = plain_stop,
    .read = plain_read,
    .write = plain_write,
    .read_deep = plain_read_deep,
    .stat = plain_stat,
    .open_close = plain_open_close,
    .create = plain_create,
    .remove = plain_remove,
    .list = plain_list,
    .list_attr = plain_list_attr,
    .read_file = plain_read_file,
};
