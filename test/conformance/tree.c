/* SPDX-License-Identifier: MIT */

/* Trees as text, one line for each entry. */

#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "differential.h"

struct lines {
    char **line;
    size_t n, room;
};

static void add_line(struct lines *l, const char *path, uint32_t mode, uint64_t owner,
                     uint64_t size, uint64_t hash)
{
    char *text = NULL;

    if (asprintf(&text, "%s %06o %" PRIx64 " %" PRIu64 " %016" PRIx64, path, mode, owner, size,
                 hash) < 0)
        abort();
    if (l->n == l->room) {
        l->room = l->room * 2 + 16;
        l->line = realloc(l->line, l->room * sizeof(char *));
        if (l->line == NULL)
            abort();
    }
    l->line[l->n++] = text;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *join(struct lines *l)
{
    size_t size = 1, at = 0;
    char *text;

    qsort(l->line, l->n, sizeof(char *), compare);
    for (size_t i = 0; i < l->n; i++)
        size += strlen(l->line[i]) + 1;
    text = malloc(size);
    if (text == NULL)
        abort();
    text[0] = '\0';
    for (size_t i = 0; i < l->n; i++) {
        at += (size_t)snprintf(text + at, size - at, "%s\n", l->line[i]);
        free(l->line[i]);
    }
    free(l->line);
    return text;
}

static uint64_t hash_host_file(int dir, const char *name)
{
    static _Thread_local char buf[65536];
    int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    uint64_t hash = HASH_START;
    ssize_t n;

    while (fd >= 0 && (n = read(fd, buf, sizeof(buf))) > 0)
        hash = hash_bytes(hash, buf, (size_t)n);
    if (fd >= 0)
        close(fd);
    return hash;
}

static void dump_host(struct lines *l, int fd, const char *path)
{
    DIR *dir = fdopendir(fd);
    struct dirent *entry;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        const char *name = entry->d_name;
        char below[4096], link[4096];
        struct stat st;
        uint64_t hash = 0, size = 0;

        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
            fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        snprintf(below, sizeof(below), "%s/%s", path, name);
        if (S_ISREG(st.st_mode)) {
            hash = hash_host_file(fd, name);
            size = (uint64_t)st.st_size;
        } else if (S_ISLNK(st.st_mode)) {
            ssize_t n = readlinkat(fd, name, link, sizeof(link));
            hash = hash_bytes(HASH_START, link, n > 0 ? (size_t)n : 0);
        }
        add_line(l, below, st.st_mode, (uint64_t)st.st_uid << 32 | st.st_gid, size, hash);
        if (S_ISDIR(st.st_mode))
            dump_host(l, openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), below);
    }
    closedir(dir);
}

char *tree_dump_host(const char *directory)
{
    struct lines l = {0};

    dump_host(&l, open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC), "");
    return join(&l);
}

static uint64_t hash_library_file(struct fsif_client *cl, const char *path)
{
    static _Thread_local char buf[65536];
    int fh = fsif_open(cl, path, FSIF_O_RDONLY, 0);
    uint64_t hash = HASH_START, off = 0;
    int64_t n;

    while (fh >= 0 && (n = fsif_pread(cl, fh, buf, sizeof(buf), off)) > 0) {
        hash = hash_bytes(hash, buf, (size_t)n);
        off += (uint64_t)n;
    }
    if (fh >= 0)
        fsif_close(cl, fh);
    return hash;
}

static void dump_library(struct lines *l, struct fsif_client *cl, const char *root,
                         const char *path)
{
    char full[8192], below[4096];
    struct fsif_dir *dir;
    const char *name;

    snprintf(full, sizeof(full), "%s%s", root, path);
    if (fsif_opendir(cl, full, &dir) != 0)
        return;
    while (fsif_readdir(dir, &name) == 1) {
        struct fsif_attr attr;
        int is_dir;

        snprintf(below, sizeof(below), "%.3800s/%s", path, name);
        snprintf(full, sizeof(full), "%s%s", root, below);
        if (fsif_stat(cl, full, &attr) != 0)
            memset(&attr, 0, sizeof(attr));
        is_dir = (attr.mode & FSIF_S_IFMT) == FSIF_S_IFDIR;
        add_line(l, below, attr.mode, (uint64_t)attr.uid << 32 | attr.gid, is_dir ? 0 : attr.size,
                 is_dir ? 0 : hash_library_file(cl, full));
        if (is_dir)
            dump_library(l, cl, root, below);
    }
    fsif_closedir(dir);
}

char *tree_dump_library(struct fsif_client *cl, const char *directory)
{
    struct lines l = {0};

    dump_library(&l, cl, directory, "");
    return join(&l);
}

void tree_seed(const char *directory)
{
    static const struct {
        const char *name, *target;
    } links[] = {{"to-a", "a"},
                 {"to-ab", "a/b"},
                 {"dangling", "c/nothing"},
                 {"loop", "loop"},
                 {"up", "a/../d"}};
    int dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
        if (symlinkat(links[i].target, dir, links[i].name) != 0)
            perror(links[i].name);
    close(dir);
}
