/* SPDX-License-Identifier: MIT */

/*
 * A store of one's own: two constant files, read-only. A store answers about names and files and
 * knows nothing of rings, sessions or who asks. Names come to it in one form: no leading slash, no
 * ".." and "." for the root.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fsif/client.h>
#include <fsif/host.h>
#include <fsif/loop.h>
#include "embed.h"

static const struct {
    const char *name;
    const char *text;
} files[] = {
    {"motto", "Every guest its own files.\n"},
    {"number", "42\n"},
};

#define FILES (sizeof(files) / sizeof(files[0]))
#define ROOT FILES /* the number of the directory, beside those of the files */

/* A name's number, or a negative FSIF_E*. */
static int find(const char *path)
{
    size_t i;

    if (strcmp(path, ".") == 0)
        return (int)ROOT;
    for (i = 0; i < FILES; i++) {
        if (strcmp(path, files[i].name) == 0)
            return (int)i;
    }
    return -FSIF_ENOENT;
}

static int two_create(const struct fsif_store_config *config, struct fsif_store **out)
{
    (void)config;
    *out = NULL; /* everything is constant: there is nothing to keep */
    return 0;
}

static void two_destroy(struct fsif_store *st)
{
    (void)st;
}

static int two_open(struct fsif_store *st, const char *path, uint32_t flags, uint32_t mode,
                    uint64_t *file)
{
    int n = find(path);

    (void)st;
    (void)mode;
    if (flags & (FSIF_STORE_WRITE | FSIF_STORE_CREATE | FSIF_STORE_TRUNCATE))
        return n < 0 && !(flags & FSIF_STORE_CREATE) ? n : -FSIF_EROFS;
    if (n < 0)
        return n;
    if (n == (int)ROOT && !(flags & FSIF_STORE_DIRECTORY))
        return -FSIF_EISDIR;
    *file = (uint64_t)n;
    return 0;
}

static int two_close(struct fsif_store *st, uint64_t file)
{
    (void)st;
    (void)file;
    return 0;
}

static int64_t two_read(struct fsif_store *st, uint64_t file, void *buf, uint32_t len, uint64_t off)
{
    size_t size;

    (void)st;
    if (file == ROOT)
        return -FSIF_EISDIR;
    size = strlen(files[file].text);
    if (off >= size)
        return 0;
    if (len > size - off)
        len = (uint32_t)(size - off);
    memcpy(buf, files[file].text + off, len);
    return len;
}

static int two_stat(struct fsif_store *st, uint64_t file, struct fsif_attr *out)
{
    (void)st;
    memset(out, 0, sizeof(*out));
    out->mode = file == ROOT ? FSIF_S_IFDIR | 0555 : FSIF_S_IFREG | 0444;
    out->size = file == ROOT ? 0 : strlen(files[file].text);
    return 0;
}

/* Nothing can be changed: each of these says so. */
static int64_t two_write(struct fsif_store *st, uint64_t file, const void *buf, uint32_t len,
                         uint64_t off)
{
    (void)st;
    (void)file;
    (void)buf;
    (void)len;
    (void)off;
    return -FSIF_EROFS;
}

static int two_truncate(struct fsif_store *st, uint64_t file, uint64_t size)
{
    (void)st;
    (void)file;
    (void)size;
    return -FSIF_EROFS;
}

static int two_chmod(struct fsif_store *st, uint64_t file, uint32_t mode)
{
    (void)st;
    (void)file;
    (void)mode;
    return -FSIF_EROFS;
}

static int two_sync(struct fsif_store *st, uint64_t file)
{
    (void)st;
    (void)file;
    return 0;
}

static int two_remove(struct fsif_store *st, const char *path)
{
    (void)st;
    (void)path;
    return -FSIF_EROFS;
}

static int two_rename(struct fsif_store *st, const char *from, const char *to)
{
    (void)st;
    (void)from;
    (void)to;
    return -FSIF_EROFS;
}

static int two_mkdir(struct fsif_store *st, const char *path, uint32_t mode)
{
    (void)st;
    (void)path;
    (void)mode;
    return -FSIF_EROFS;
}

static int64_t two_space(struct fsif_store *st, const char *path)
{
    int n = find(path);

    (void)st;
    return n < 0 ? n : 0;
}

/* Files and streams are plain numbers that only the store reads. A listing in progress has to
 * remember its place, so its number is the address of that. */
static int two_list_open(struct fsif_store *st, const char *path, uint64_t *stream)
{
    int n = find(path);
    size_t *next;

    (void)st;
    if (n != (int)ROOT)
        return n < 0 ? n : -FSIF_ENOTDIR;
    next = calloc(1, sizeof(*next));
    if (next == NULL)
        return -FSIF_ENOMEM;
    *stream = (uint64_t)(uintptr_t)next;
    return 0;
}

static int two_list_next(struct fsif_store *st, uint64_t stream, char *name)
{
    static const char *const dots[] = {".", ".."};
    size_t *next = (size_t *)(uintptr_t)stream;
    size_t n = *next;

    (void)st;
    if (n >= FILES + 2)
        return 0;
    strcpy(name, n < 2 ? dots[n] : files[n - 2].name);
    ++*next;
    return 1;
}

static void two_list_close(struct fsif_store *st, uint64_t stream)
{
    (void)st;
    free((size_t *)(uintptr_t)stream);
}

/* To make a plugin of it: `const struct fsif_store_ops *const fsif_store_plugin = &two_files;` in a
 * shared object named fsif-store-two.so. */
static const struct fsif_store_ops two_files = {
    .size = sizeof(two_files),
    .abi = FSIF_STORE_ABI,
    .name = "two",
    .create = two_create,
    .destroy = two_destroy,
    .open = two_open,
    .close = two_close,
    .read = two_read,
    .write = two_write,
    .stat = two_stat,
    .truncate = two_truncate,
    .chmod = two_chmod,
    .sync = two_sync,
    .remove = two_remove,
    .rename = two_rename,
    .mkdir = two_mkdir,
    .space = two_space,
    .list_open = two_list_open,
    .list_next = two_list_next,
    .list_close = two_list_close,
};

static int use(struct fsif_client *cl)
{
    struct fsif_dir *dir;
    const char *name;
    char text[64];
    int count = 0;

    if (fsif_opendir(cl, "/", &dir) < 0)
        return 1;
    while (fsif_readdir(dir, &name) > 0) {
        int fh = fsif_open(cl, name, FSIF_O_RDONLY, 0);
        int64_t n = fsif_pread(cl, fh, text, sizeof(text), 0);

        if (n > 0)
            printf("%s: %.*s", name, (int)n, text);
        count += n > 0;
        fsif_close(cl, fh);
    }
    fsif_closedir(dir);
    printf("remove: %s\n", fsif_strerror(fsif_remove(cl, "/motto")));
    return count == (int)FILES && fsif_remove(cl, "/motto") == -FSIF_EROFS ? 0 : 1;
}

int main(void)
{
    struct embed e = {.transport = &fsif_transport_loop, .store_ops = &two_files};
    struct fsif_client_options options;
    struct fsif_client *cl;
    int status;

    fsif_client_options_init(&options);
    options.transport = &fsif_transport_loop;
    if (two_files.create(NULL, &e.store) < 0 || fsif_loop_pair(&options.session, &e.session) < 0 ||
        embed_start(&e) < 0 || fsif_connect(NULL, "two", &options, &cl) < 0)
        return 1;
    status = use(cl);
    fsif_disconnect(cl);
    return embed_join(&e) < 0 ? 1 : status;
}
