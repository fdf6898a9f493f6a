/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "lying_client.h"

#include <check.h>
#include <string.h>
#include <unistd.h>
#include <fsif/negotiate.h>
#include "cli.h"

struct lies lies;

static const struct node *node_of(const char *path)
{
    const char *name = path_base(path);
    const struct node *n;

    for (n = lies.say; n->name != NULL; n++) {
        if (strcmp(n->name, path) == 0)
            return n;
    }
    for (n = strchr(path, '/') == NULL ? lies.say : lies.inner; n->name != NULL; n++) {
        if (strcmp(n->name, name) == 0)
            return n;
    }
    return NULL;
}

static void attr_of(const struct node *n, struct fsif_attr *out)
{
    *out = (struct fsif_attr){.mode = n->mode,
                              .nlink = n->nlink > 0 ? n->nlink : 1,
                              .uid = getuid(),
                              .gid = getgid(),
                              .size = n->size,
                              .blocks = n->blocks > 0 ? n->blocks : n->size / 512 + 1,
                              .ino = n->ino,
                              .dev = 1,
                              .mtime = 1000000000};
}

void fsif_client_options_init(struct fsif_client_options *o)
{
    *o = (struct fsif_client_options){.size = sizeof(*o)};
}

int fsif_connect(const char *address, const char *export_name,
                 const struct fsif_client_options *options, struct fsif_client **out)
{
    (void)address;
    (void)export_name;
    (void)options;
    *out = NULL;
    return 0;
}

void fsif_disconnect(struct fsif_client *cl)
{
    (void)cl;
}

int fsif_exports(const char *address, const struct fsif_client_options *options,
                 struct fsif_export_info **list)
{
    (void)address;
    (void)options;
    *list = NULL;
    return 0;
}

void fsif_get_limits(const struct fsif_client *cl, struct fsif_limits *out)
{
    (void)cl;
    *out = (struct fsif_limits){
        .dialect = 3, .max_io = 65536, .max_calls = 64, .features = FSIF_FEATURE_ERRNO};
}

int fsif_statx(struct fsif_client *cl, int dir, const char *path, uint32_t flags,
               struct fsif_attr *out)
{
    const struct node *n = node_of(path);

    (void)cl;
    (void)dir;
    (void)flags;
    if (n == NULL)
        return -FSIF_ENOENT;
    attr_of(n, out);
    return 0;
}

int fsif_stat(struct fsif_client *cl, const char *path, struct fsif_attr *out)
{
    return fsif_statx(cl, FSIF_ROOT, path, 0, out);
}

int fsif_scandir(struct fsif_client *cl, int dir, const char *path, uint32_t flags,
                 fsif_scandir_fn *fn, void *arg)
{
    const struct node *n = strcmp(path, "/") == 0 ? lies.say : lies.inner;
    int err = 0;

    (void)cl;
    (void)dir;
    (void)flags;
    for (; n->name != NULL && err == 0; n++) {
        struct fsif_dirent e = {.name = n->name};

        attr_of(n, &e.attr);
        err = fn(arg, &e);
    }
    return err;
}

int64_t fsif_readlinkat(struct fsif_client *cl, int dir, const char *path, char *buf, size_t len)
{
    (void)cl;
    (void)dir;
    (void)path;
    memcpy(buf, lies.target,
           lies.target_len < 0             ? 0
           : (size_t)lies.target_len < len ? (size_t)lies.target_len
                                           : len);
    return lies.target_len;
}

int64_t fsif_readfile(struct fsif_client *cl, int dir, const char *path, uint32_t flags, void *buf,
                      size_t len, struct fsif_attr *attr)
{
    size_t n = lies.data_len < len ? lies.data_len : len;

    fsif_statx(cl, dir, path, flags, attr);
    if (lies.mode_now != 0)
        attr->mode = lies.mode_now;
    memcpy(buf, lies.data, n);
    return lies.read_result != 0 ? lies.read_result : (int64_t)n;
}

int fsif_openat(struct fsif_client *cl, int dir, const char *path, uint32_t flags, uint32_t mode)
{
    const struct node *n = node_of(path);

    (void)cl;
    (void)dir;
    (void)flags;
    (void)mode;
    return n == NULL ? -FSIF_ENOENT : (int)(n - lies.say);
}

int fsif_open(struct fsif_client *cl, const char *path, uint32_t flags, uint32_t mode)
{
    return fsif_openat(cl, FSIF_ROOT, path, flags, mode);
}

int fsif_close(struct fsif_client *cl, int fh)
{
    (void)cl;
    (void)fh;
    return 0;
}

int fsif_fstat(struct fsif_client *cl, int fh, struct fsif_attr *out)
{
    (void)cl;
    attr_of(&lies.say[fh], out);
    return 0;
}

int64_t fsif_pread(struct fsif_client *cl, int fh, void *buf, size_t len, uint64_t off)
{
    size_t n = off >= lies.data_len        ? 0
               : lies.data_len - off < len ? lies.data_len - (size_t)off
                                           : len;

    (void)cl;
    (void)fh;
    memcpy(buf, lies.data + (off >= lies.data_len ? 0 : off), n);
    return (int64_t)n;
}

int64_t fsif_seek(struct fsif_client *cl, int fh, uint64_t off, uint32_t what)
{
    (void)cl;
    (void)fh;
    (void)off;
    (void)what;
    ck_assert_uint_lt(lies.sought, 8);
    return lies.seeks[lies.sought++];
}

int64_t fsif_listxattr(struct fsif_client *cl, int dir, const char *path, char *buf, size_t len,
                       uint32_t flags)
{
    (void)cl;
    (void)dir;
    (void)path;
    (void)flags;
    if (lies.xattr_len > (int64_t)len && lies.xattr_len <= CLI_XATTR_MAX)
        return -FSIF_ERANGE;
    if (lies.xattr_len > 0 && (size_t)lies.xattr_len <= len)
        memcpy(buf, lies.xattr_list, (size_t)lies.xattr_len);
    return lies.xattr_len;
}

int64_t fsif_getxattr(struct fsif_client *cl, int dir, const char *path, const char *name,
                      void *buf, size_t len, uint32_t flags)
{
    (void)cl;
    (void)dir;
    (void)path;
    (void)flags;
    ck_assert_int_eq(strncmp(name, "user.", 5), 0); /* no other is even asked for */
    ck_assert_uint_ge(len, 5);
    memcpy(buf, "value", 5);
    return 5;
}

/* What get has no use for */

int fsif_opendir(struct fsif_client *cl, const char *path, struct fsif_dir **out)
{
    (void)cl;
    (void)path;
    *out = NULL;
    return -FSIF_EOPNOTSUPP;
}

int fsif_readdir(struct fsif_dir *dir, const char **name)
{
    (void)dir;
    *name = NULL;
    return 0;
}

void fsif_closedir(struct fsif_dir *dir)
{
    (void)dir;
}

int64_t fsif_pwrite(struct fsif_client *cl, int fh, const void *buf, size_t len, uint64_t off)
{
    (void)cl;
    (void)fh;
    (void)buf;
    (void)off;
    return (int64_t)len;
}

int fsif_rename(struct fsif_client *cl, const char *from, const char *to)
{
    (void)cl;
    (void)from;
    (void)to;
    return -FSIF_EROFS;
}

int fsif_remove(struct fsif_client *cl, const char *path)
{
    (void)cl;
    (void)path;
    return -FSIF_EROFS;
}

int fsif_mkdir(struct fsif_client *cl, const char *path, uint32_t mode)
{
    (void)cl;
    (void)path;
    (void)mode;
    return -FSIF_EROFS;
}

int fsif_setxattr(struct fsif_client *cl, int dir, const char *path, const char *name,
                  const void *buf, size_t len, uint32_t flags)
{
    (void)cl;
    (void)dir;
    (void)path;
    (void)name;
    (void)buf;
    (void)len;
    (void)flags;
    return -FSIF_EROFS;
}

int fsif_setattr(struct fsif_client *cl, int dir, const char *path, uint32_t flags,
                 const struct fsif_setattr *set, struct fsif_attr *out)
{
    (void)cl;
    (void)dir;
    (void)path;
    (void)flags;
    (void)set;
    (void)out;
    return -FSIF_EROFS;
}
