/* SPDX-License-Identifier: MIT */

/*
 * A store of one's own: two constant files, read-only. A store answers about names and files and
 * knows nothing of rings, sessions or who asks. Names come to it in one form: no leading slash, no
 * ".." and "." for where they start, which is the root of the export or an open directory.
 */

#include <stdio.h>
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

/* The number of what (@base, @path) names. An empty path is the open file @base itself. */
static int find_from(uint64_t base, const char *path)
{
    if (path[0] == '\0' && base != FSIF_STORE_ROOT)
        return (int)base;
    if (base != FSIF_STORE_ROOT && base != ROOT)
        return -FSIF_ENOTDIR;
    return find(path[0] == '\0' ? "." : path);
}

static void fill_attr(uint64_t file, struct fsif_attr *out)
{
    memset(out, 0, sizeof(*out));
    out->mode = file == ROOT ? FSIF_S_IFDIR | 0555 : FSIF_S_IFREG | 0444;
    out->nlink = 1;
    out->ino = file + 1;
    out->size = file == ROOT ? 0 : strlen(files[file].text);
}

static int two_open(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags,
                    uint32_t mode, uint64_t *file, struct fsif_attr *attr)
{
    const uint32_t change = FSIF_O_CREAT | FSIF_O_TRUNC | FSIF_O_TMPFILE;
    int n = find_from(base, path);

    (void)st;
    (void)mode;
    if ((flags & FSIF_O_ACCMODE) != FSIF_O_RDONLY || (flags & change))
        return n < 0 && !(flags & FSIF_O_CREAT) ? n : -FSIF_EROFS;
    if (n < 0)
        return n;
    if (n != (int)ROOT && (flags & FSIF_O_DIRECTORY))
        return -FSIF_ENOTDIR;
    *file = (uint64_t)n;
    if (attr != NULL)
        fill_attr(*file, attr);
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

static int two_stat(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags,
                    struct fsif_attr *out)
{
    int n = find_from(base, path);

    (void)st;
    (void)flags;
    if (n < 0)
        return n;
    fill_attr((uint64_t)n, out);
    return 0;
}

/* Nothing can be changed: each of these says so. */
static int64_t two_write(struct fsif_store *st, uint64_t file, const void *buf, uint32_t len,
                         uint64_t off, uint32_t flags)
{
    (void)st;
    (void)file;
    (void)buf;
    (void)len;
    (void)off;
    (void)flags;
    return -FSIF_EROFS;
}

static int two_setattr(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags,
                       const struct fsif_setattr *set)
{
    (void)st;
    (void)base;
    (void)path;
    (void)flags;
    (void)set;
    return -FSIF_EROFS;
}

static int two_sync(struct fsif_store *st, uint64_t file, uint32_t flags)
{
    (void)st;
    (void)file;
    (void)flags;
    return 0;
}

static int two_remove(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags)
{
    (void)st;
    (void)base;
    (void)path;
    (void)flags;
    return -FSIF_EROFS;
}

static int two_rename(struct fsif_store *st, uint64_t base, const char *path, uint64_t base2,
                      const char *path2, uint32_t flags)
{
    (void)st;
    (void)base;
    (void)path;
    (void)base2;
    (void)path2;
    (void)flags;
    return -FSIF_EROFS;
}

static int two_mkdir(struct fsif_store *st, uint64_t base, const char *path, uint32_t mode)
{
    (void)st;
    (void)base;
    (void)path;
    (void)mode;
    return -FSIF_EROFS;
}

static int two_statvfs(struct fsif_store *st, uint64_t base, const char *path,
                       struct fsif_statvfs *out)
{
    int n = find_from(base, path);

    (void)st;
    memset(out, 0, sizeof(*out));
    out->bsize = 1;
    out->namemax = FSIF_NAME_MAX;
    return n < 0 ? n : 0;
}

/* A cookie tells where the listing goes on: here it counts the entries before that place. */
static int two_readdir(struct fsif_store *st, uint64_t dir, uint64_t cookie,
                       fsif_store_entry_fn *fn, void *arg)
{
    static const char *const dots[] = {".", ".."};

    (void)st;
    if (dir != ROOT)
        return -FSIF_ENOTDIR;
    for (; cookie < FILES + 2; cookie++) {
        struct fsif_store_entry entry = {.cookie = cookie + 1};

        entry.name = cookie < 2 ? dots[cookie] : files[cookie - 2].name;
        entry.name_len = (uint32_t)strlen(entry.name);
        if (!fn(arg, &entry))
            return 1;
    }
    return 0;
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
    .setattr = two_setattr,
    .sync = two_sync,
    .remove = two_remove,
    .rename = two_rename,
    .mkdir = two_mkdir,
    .statvfs = two_statvfs,
    .readdir = two_readdir,
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
