/* SPDX-License-Identifier: MIT */

/*
 * The plain side. It does what dialect 1 says with the system calls of the same names:
 * open tries reading and writing, then reading alone after EROFS, EACCES and ETXTBSY, and a
 * directory gives a handle too; create is O_CREAT and O_TRUNC; remove is remove(3); set-id bits are
 * masked.
 */

#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <fsif/host.h>
#include "differential.h"

#define MODES 01777u

static int64_t failed(void)
{
    return -fsif_errno_from_host(errno);
}

static int64_t result(int r)
{
    return r < 0 ? failed() : 0;
}

void plain_start(struct plain *p, const char *directory)
{
    p->root = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (p->root < 0) {
        perror(directory);
        abort();
    }
    for (int i = 0; i < SLOTS; i++)
        p->fds[i] = -1;
}

void plain_stop(struct plain *p)
{
    for (int i = 0; i < SLOTS; i++)
        if (p->fds[i] >= 0)
            close(p->fds[i]);
    close(p->root);
}

static int64_t keep(struct plain *p, uint32_t slot, int fd)
{
    if (fd < 0)
        return failed();
    if (p->fds[slot] >= 0)
        close(p->fds[slot]);
    p->fds[slot] = fd;
    return 0;
}

static int open_best(int root, const char *path)
{
    int fd = openat(root, path, O_RDWR | O_CLOEXEC);

    if (fd < 0 && (errno == EROFS || errno == EACCES || errno == ETXTBSY))
        fd = openat(root, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == EISDIR)
        fd = openat(root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd;
}

static int64_t remove_path(int root, const char *path)
{
    if (unlinkat(root, path, 0) == 0)
        return 0;
    return errno == EISDIR ? result(unlinkat(root, path, AT_REMOVEDIR)) : failed();
}

static void list_path(int root, const char *path, struct answer *a)
{
    int fd = openat(root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct dirent *entry;
    DIR *dir;

    if (fd < 0) {
        a->value = failed();
        return;
    }
    dir = fdopendir(fd);
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        a->value++;
        a->hash += hash_bytes(HASH_START, entry->d_name, strlen(entry->d_name));
    }
    closedir(dir);
}

static void stat_fd(int fd, struct answer *a)
{
    struct stat st;
    uint64_t what[3];

    a->value = result(fstat(fd, &st));
    if (a->value != 0)
        return;
    what[0] = st.st_mode & (FSIF_S_IFMT | FSIF_S_PERM);
    what[1] = S_ISDIR(st.st_mode) ? 0 : (uint64_t)st.st_size;
    what[2] = (uint64_t)st.st_uid << 32 | st.st_gid;
    a->hash = hash_bytes(HASH_START, what, sizeof(what));
}

static struct answer on_fd(int fd, const struct step *s)
{
    static _Thread_local unsigned char buf[MAX_IO];
    struct answer a = {0};
    off_t off = (off_t)s->off;

    switch (s->kind) {
    case STEP_READ:
        a.value = pread(fd, buf, s->len, off);
        a.value = a.value < 0 ? failed() : a.value;
        a.hash = a.value > 0 ? hash_bytes(HASH_START, buf, (size_t)a.value) : 0;
        break;
    case STEP_WRITE:
        step_fill(s, buf);
        a.value = pwrite(fd, buf, s->len, off);
        a.value = a.value < 0 ? failed() : a.value;
        break;
    case STEP_STAT:
        stat_fd(fd, &a);
        break;
    case STEP_TRUNCATE:
        a.value = result(ftruncate(fd, off));
        break;
    case STEP_CHMOD:
        a.value = result(fchmod(fd, s->mode & MODES));
        break;
    default:
        a.value = result(fsync(fd));
        break;
    }
    return a;
}

static int has_long_component(const char *path)
{
    size_t len;

    for (; *path != '\0'; path += len + (path[len] == '/')) {
        len = strcspn(path, "/");
        if (len > FSIF_NAME_MAX)
            return 1;
    }
    return 0;
}

static struct answer on_path(struct plain *p, const struct step *s)
{
    struct answer a = {0};
    struct statvfs fs;
    int fd;

    if (has_long_component(s->path) || (s->kind == STEP_RENAME && has_long_component(s->path2))) {
        a.value = -FSIF_ENAMETOOLONG;
        return a;
    }
    switch (s->kind) {
    case STEP_OPEN:
        a.value = keep(p, s->slot, open_best(p->root, s->path));
        break;
    case STEP_CREATE:
        fd = openat(p->root, s->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, s->mode & MODES);
        a.value = keep(p, s->slot, fd);
        break;
    case STEP_REMOVE:
        a.value = remove_path(p->root, s->path);
        break;
    case STEP_RENAME:
        a.value = result(renameat(p->root, s->path, p->root, s->path2));
        break;
    case STEP_MKDIR:
        a.value = result(mkdirat(p->root, s->path, s->mode & MODES));
        break;
    case STEP_LIST:
        list_path(p->root, s->path, &a);
        break;
    default: /* how much space there is changes all the time */
        fd = openat(p->root, s->path, O_PATH | O_CLOEXEC);
        a.value = fd < 0 ? failed() : result(fstatvfs(fd, &fs));
        if (fd >= 0)
            close(fd);
        break;
    }
    return a;
}

struct answer plain_step(struct plain *p, const struct step *s)
{
    struct answer a = {0};

    if (s->kind < STEP_CLOSE || s->kind > STEP_SYNC)
        return on_path(p, s);
    if (p->fds[s->slot] < 0)
        return a;
    if (s->kind != STEP_CLOSE)
        return on_fd(p->fds[s->slot], s);
    a.value = result(close(p->fds[s->slot]));
    p->fds[s->slot] = -1;
    return a;
}
