/* SPDX-License-Identifier: MIT */
/*
 * The system calls that serving an untrusted peer takes, in this process: every name is resolved
 * with openat2() as if the export were the root, looked at before it is opened, and new files are
 * made in a parent that was resolved so.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "bench.h"

struct confined {
    int root;
    int big;
    int out;
};

static int resolve(const struct confined *c, const char *path, int flags)
{
    struct open_how how = {
        .flags = (uint64_t)(unsigned int)(flags | O_CLOEXEC),
        .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
    };
    long fd = syscall(SYS_openat2, c->root, path, &how, sizeof(how));

    return fd < 0 ? -errno : (int)fd;
}

static int confined_start(struct bench_place *place, void **self)
{
    struct confined *c = bench_alloc(sizeof(*c));

    c->root = open(place->data, O_PATH | O_DIRECTORY | O_CLOEXEC);
    c->big = c->root < 0 ? -errno : resolve(c, "big", O_RDONLY);
    if (c->big < 0)
        return c->big;
    c->out = resolve(c, "out", O_RDWR);
    if (c->out < 0)
        return c->out;
    *self = c;
    return 0;
}

static void confined_stop(void *self)
{
    struct confined *c = self;

    close(c->big);
    close(c->out);
    close(c->root);
    free(c);
}

static int64_t confined_read(void *self, void *buf, size_t len, uint64_t off)
{
    ssize_t n = pread(((struct confined *)self)->big, buf, len, (off_t)off);

    return n < 0 ? -errno : n;
}

static int64_t confined_write(void *self, const void *buf, size_t len, uint64_t off)
{
    ssize_t n = pwrite(((struct confined *)self)->out, buf, len, (off_t)off);

    return n < 0 ? -errno : n;
}

static int64_t confined_read_deep(void *self, void *buf, const uint64_t *off, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        void *to = (char *)buf + (size_t)(i % BENCH_DEPTH) * BENCH_SMALL;
        if (confined_read(self, to, BENCH_SMALL, off[i]) != BENCH_SMALL)
            return -EIO;
    }
    return 0;
}

/* What @fd is, or @name in it, with everything that a peer may want to know */
static int look(int fd, const char *name, struct statx *out)
{
    int flags = name[0] == '\0' ? AT_EMPTY_PATH : AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT;

    return statx(fd, name, flags, STATX_BASIC_STATS | STATX_BTIME, out) != 0 ? -errno : 0;
}

static int look_at_path(const struct confined *c, const char *path, struct statx *out)
{
    int fd = resolve(c, path, O_PATH);
    int err;

    if (fd < 0)
        return fd;
    err = look(fd, "", out);
    return close(fd) != 0 ? -errno : err;
}

static int64_t confined_stat(void *self, const char *path)
{
    struct statx now;

    return look_at_path(self, path, &now);
}

/* Return: a descriptor of a regular file, found out without opening anything else */
static int open_regular(const struct confined *c, const char *path)
{
    struct statx now;
    int err = look_at_path(c, path, &now);
    int fd;

    if (err != 0)
        return err;
    if (!S_ISREG(now.stx_mode))
        return -EACCES;
    fd = resolve(c, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return fd;
    err = look(fd, "", &now);
    if (err != 0)
        return err;
    return S_ISREG(now.stx_mode) ? fd : -ESTALE;
}

static int64_t confined_open_close(void *self, const char *path)
{
    int fd = open_regular(self, path);

    if (fd < 0)
        return fd;
    return close(fd) != 0 ? -errno : 0;
}

/* Return: the parent of @path; @last: its last component */
static int parent(const struct confined *c, const char *path, const char **last)
{
    const char *slash = strrchr(path, '/');
    char before[BENCH_PATH];

    memcpy(before, path, (size_t)(slash - path));
    before[slash - path] = '\0';
    *last = slash + 1;
    return resolve(c, before, O_PATH | O_DIRECTORY);
}

static int64_t confined_create(void *self, const char *path)
{
    const char *last;
    struct stat now;
    int dir = parent(self, path, &last);
    int fd;

    if (dir < 0)
        return dir;
    fd = openat(dir, last, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC, 0644);
    if (fd < 0 || fstat(fd, &now) != 0 || close(dir) != 0 || close(fd) != 0)
        return -errno;
    return 0;
}

static int64_t confined_remove(void *self, const char *path)
{
    const char *last;
    int dir = parent(self, path, &last);

    if (dir < 0)
        return dir;
    if (unlinkat(dir, last, 0) != 0 || close(dir) != 0)
        return -errno;
    return 0;
}

static int64_t walk(struct confined *c, const char *path, int attributes)
{
    int fd = resolve(c, path, O_RDONLY | O_DIRECTORY);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;
    struct statx now;
    int64_t count = 0;

    if (dir == NULL)
        return fd < 0 ? fd : -errno;
    while ((entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (attributes && look(fd, entry->d_name, &now) != 0)
            break;
        count++;
    }
    closedir(dir);
    return count;
}

static int64_t confined_list(void *self, const char *path)
{
    return walk(self, path, 0);
}

static int64_t confined_list_attr(void *self, const char *path)
{
    return walk(self, path, 1);
}

static int64_t confined_read_file(void *self, const char *path, void *buf, size_t len)
{
    int fd = open_regular(self, path);
    ssize_t n;

    if (fd < 0)
        return fd;
    n = pread(fd, buf, len, 0);
    if (n < 0 || close(fd) != 0)
        return -errno;
    return n;
}

const struct bench_ops bench_confined = {
    .name = "confined",
    .start = confined_start,
    .stop = confined_stop,
    .read = confined_read,
    .write = confined_write,
    .read_deep = confined_read_deep,
    .stat = confined_stat,
    .open_close = confined_open_close,
    .create = confined_create,
    .remove = confined_remove,
    .list = confined_list,
    .list_attr = confined_list_attr,
    .read_file = confined_read_file,
};
