/* SPDX-License-Identifier: MIT */

/*
 * Listings. A stream's number is its place in the store's table (low half) and how often that place
 * was used (high half), so a number that is used up names nothing.
 *
 * The lock guards the table. A DIR is used by the one thread that its stream belongs to, outside
 * the lock. Each stream has an open directory of its own, so the kernel's own promise holds:
 * entries present throughout are read once.
 */

#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "internal.h"

static struct posix_stream *find(struct fsif_store *st, uint64_t stream)
{
    uint32_t index = (uint32_t)stream;

    if (index >= POSIX_STREAMS || st->streams[index].dir == NULL ||
        st->streams[index].generation != (uint32_t)(stream >> 32))
        return NULL;
    return &st->streams[index];
}

static int add(struct fsif_store *st, DIR *dir, uint64_t *stream)
{
    int err = -FSIF_EMFILE;

    pthread_mutex_lock(&st->lock);
    for (uint32_t i = 0; i < POSIX_STREAMS; i++) {
        struct posix_stream *s = &st->streams[i];
        if (s->dir != NULL)
            continue;
        s->dir = dir;
        s->dots = 0;
        s->generation++;
        *stream = (uint64_t)s->generation << 32 | i;
        err = 0;
        break;
    }
    pthread_mutex_unlock(&st->lock);
    return err;
}

int fsi_posix_list_open(struct fsif_store *st, const char *path, uint64_t *stream)
{
    int fd = fsi_posix_resolve(st, path, O_RDONLY | O_DIRECTORY | O_LARGEFILE);
    DIR *dir;
    int err;

    if (fd < 0)
        return fd;
    dir = fdopendir(fd);
    if (dir == NULL) {
        err = posix_fail();
        close(fd);
        return err;
    }
    err = add(st, dir, stream);
    if (err != 0)
        closedir(dir);
    return err;
}

static int is_dots(const char *name)
{
    return name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

/* Some file systems have names longer than any path here may hold; they are passed over. */
static int next_entry(DIR *dir, char *name)
{
    for (;;) {
        struct dirent *entry;
        size_t len;

        errno = 0;
        entry = readdir(dir);
        if (entry == NULL && errno == EINTR)
            continue;
        if (entry == NULL)
            return errno != 0 && errno != ENOENT ? posix_fail() : 0;
        len = strlen(entry->d_name);
        if (is_dots(entry->d_name) || len > FSIF_NAME_MAX)
            continue;
        memcpy(name, entry->d_name, len + 1);
        return 1;
    }
}

int fsi_posix_list_next(struct fsif_store *st, uint64_t stream, char *name)
{
    struct posix_stream *s;

    pthread_mutex_lock(&st->lock);
    s = find(st, stream);
    pthread_mutex_unlock(&st->lock);
    if (s == NULL)
        return -FSIF_EBADF;
    if (s->dots < 2) {
        s->dots++;
        memcpy(name, s->dots == 1 ? "." : "..", s->dots + 1);
        return 1;
    }
    return next_entry(s->dir, name);
}

void fsi_posix_list_close(struct fsif_store *st, uint64_t stream)
{
    struct posix_stream *s;
    DIR *dir = NULL;

    pthread_mutex_lock(&st->lock);
    s = find(st, stream);
    if (s != NULL) {
        dir = s->dir;
        s->dir = NULL;
    }
    pthread_mutex_unlock(&st->lock);
    if (dir != NULL)
        closedir(dir);
}
