/* SPDX-License-Identifier: MIT */

/* Cases of names. */

#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "conformance.h"

static void directories(struct context *c)
{
    struct fsif_client *cl = c->cl;

    EQ(c, fsif_mkdir(cl, at(c, "d"), 0755), 0);
    EQ(c, fsif_mkdir(cl, at(c, "d"), 0755), -FSIF_EEXIST);
    EQ(c, fsif_mkdir(cl, at(c, "d/e/"), 0755), 0);
    EQ(c, fsif_mkdir(cl, at(c, "x/y"), 0755), -FSIF_ENOENT);
    EQ(c, fsif_mkdir(cl, "/", 0755), -FSIF_EEXIST);
    make(c, "f", "");
    EQ(c, fsif_mkdir(cl, at(c, "f"), 0755), -FSIF_EEXIST);
    EQ(c, fsif_mkdir(cl, at(c, "f/d"), 0755), -FSIF_ENOTDIR);
    EQ(c, fsif_mkdir(cl, "", 0755), -FSIF_ENOENT);
    EQ(c, fsif_mkdir(cl, at(c, ".."), 0755), -FSIF_EACCES);
}

static void removing(struct context *c)
{
    struct fsif_client *cl = c->cl;

    EQ(c, fsif_remove(cl, at(c, "none")), -FSIF_ENOENT);
    EQ(c, fsif_mkdir(cl, at(c, "d"), 0755), 0);
    make(c, "d/f", "");
    EQ(c, fsif_remove(cl, at(c, "d")), -FSIF_ENOTEMPTY);
    EQ(c, fsif_remove(cl, at(c, "d/f/")), -FSIF_ENOTDIR);
    EQ(c, fsif_remove(cl, at(c, "d/f/g")), -FSIF_ENOTDIR);
    EQ(c, fsif_remove(cl, at(c, "d/f")), 0);
    EQ(c, fsif_remove(cl, at(c, "d/f")), -FSIF_ENOENT);
    EQ(c, fsif_remove(cl, at(c, "d/")), 0);
    EQ(c, fsif_remove(cl, "/"), -FSIF_EINVAL);
    EQ(c, fsif_remove(cl, ".."), -FSIF_EACCES);
    EQ(c, fsif_remove(cl, ""), -FSIF_ENOENT);
}

static void renaming(struct context *c)
{
    struct fsif_client *cl = c->cl;

    make(c, "f", "f");
    make(c, "g", "g");
    EQ(c, fsif_mkdir(cl, at(c, "d"), 0755), 0);
    EQ(c, fsif_mkdir(cl, at(c, "e"), 0755), 0);
    make(c, "e/x", "x");
    EQ(c, fsif_rename(cl, at(c, "none"), at(c, "h")), -FSIF_ENOENT);
    EQ(c, fsif_rename(cl, at(c, "f"), at(c, "none/h")), -FSIF_ENOENT);
    EQ(c, fsif_rename(cl, at(c, "f"), at(c, "f")), 0);
    EQ(c, fsif_rename(cl, at(c, "f"), at(c, "h")), 0);
    OK(c, text_is(c, "h", "f"));
    EQ(c, fsif_rename(cl, at(c, "h"), at(c, "g")), 0);
    OK(c, text_is(c, "g", "f"));
    EQ(c, fsif_rename(cl, at(c, "g"), at(c, "d")), -FSIF_EISDIR);
    EQ(c, fsif_rename(cl, at(c, "d"), at(c, "g")), -FSIF_ENOTDIR);
    EQ(c, fsif_rename(cl, at(c, "d"), at(c, "e")), -FSIF_ENOTEMPTY);
    EQ(c, fsif_rename(cl, at(c, "e/x"), at(c, "e")), -FSIF_ENOTEMPTY);
    EQ(c, fsif_rename(cl, at(c, "e"), at(c, "e/y")), -FSIF_EINVAL);
    EQ(c, fsif_rename(cl, at(c, "g/"), at(c, "h")), -FSIF_ENOTDIR);
    EQ(c, fsif_rename(cl, at(c, "g"), at(c, "h/")), -FSIF_ENOTDIR);
    EQ(c, fsif_rename(cl, at(c, "e"), at(c, "d")), 0);
    OK(c, text_is(c, "d/x", "x"));
    EQ(c, fsif_rename(cl, at(c, "d/"), at(c, "i/")), 0);
    EQ(c, fsif_rename(cl, at(c, "g"), at(c, "i/x")), 0);
    OK(c, text_is(c, "i/x", "f"));
    EQ(c, fsif_rename(cl, "/", at(c, "r")), -FSIF_EBUSY);
    EQ(c, fsif_rename(cl, at(c, "i"), "/"), -FSIF_EBUSY);
    EQ(c, fsif_rename(cl, at(c, "i"), at(c, "../h")), -FSIF_EACCES);
    EQ(c, fsif_rename(cl, "", at(c, "h")), -FSIF_ENOENT);
    EQ(c, fsif_rename(cl, at(c, "i"), ""), -FSIF_ENOENT);
}

/* B7: what is legal in a name, and the forms of one path. */
static void odd_names(struct context *c)
{
    static const char *const names[] = {
        "a b",
        "a\tb",
        "new\nline",
        "\x01\x02\x1b[31m",
        "\x7f",
        "\xff\xfe\x80",
        "gr\xc3\xbc\xc3\x9f",
        "a..b",
        "...",
        ".hidden",
        "..x",
        "-rf",
        "*?[]",
        "back\\slash",
        "\"q\"'",
        "%s%n",
        "a=b,c",
        ":",
        "~",
        "=",
    };
    char path[512];
    const char *name;
    struct fsif_dir *dir;
    size_t n = sizeof(names) / sizeof(names[0]), found = 0;

    for (size_t i = 0; i < n; i++) {
        make(c, names[i], names[i]);
        OK(c, text_is(c, names[i], names[i]));
    }
    if (!EQ(c, fsif_opendir(c->cl, c->dir, &dir), 0))
        return;
    while (fsif_readdir(dir, &name) == 1)
        for (size_t i = 0; i < n; i++)
            found += strcmp(name, names[i]) == 0;
    fsif_closedir(dir);
    EQ(c, found, n);
    snprintf(path, sizeof(path), "///./%s//././/a b", c->dir);
    EQ(c, fsif_remove(c->cl, path), 0);
    EQ(c, fsif_remove(c->cl, at(c, "a b")), -FSIF_ENOENT);
    EQ(c, fsif_rename(c->cl, at(c, "a..b"), at(c, "\x80")), 0);
    OK(c, text_is(c, "\x80", "a..b"));
    EQ(c, fsif_mkdir(c->cl, at(c, "d/."), 0755), 0);
    EQ(c, fsif_remove(c->cl, at(c, "d/./")), 0);
}

static void long_names(struct context *c)
{
    static char path[2 * FSIF_PATH_MAX];
    char name[FSIF_NAME_MAX + 2];
    size_t len;
    int depth = 0, wrong = 0;

    memset(name, 'n', sizeof(name));
    name[FSIF_NAME_MAX] = '\0';
    make(c, name, "long");
    OK(c, text_is(c, name, "long"));
    EQ(c, fsif_rename(c->cl, at(c, name), at(c, "short")), 0);
    EQ(c, fsif_rename(c->cl, at(c, "short"), at(c, name)), 0);
    name[FSIF_NAME_MAX] = 'n';
    name[FSIF_NAME_MAX + 1] = '\0';
    EQ(c, fsif_open(c->cl, at(c, name), FSIF_O_RDONLY, 0), -FSIF_ENAMETOOLONG);
    EQ(c, fsif_mkdir(c->cl, at(c, name), 0755), -FSIF_ENAMETOOLONG);
    EQ(c, fsif_remove(c->cl, at(c, name)), -FSIF_ENAMETOOLONG);
    EQ(c, fsif_rename(c->cl, at(c, "x"), at(c, name)), -FSIF_ENAMETOOLONG);
    /* A path as long as they come. */
    len = (size_t)snprintf(path, sizeof(path), "%s", c->dir);
    while (len + 101 <= FSIF_PATH_MAX) {
        path[len] = '/';
        memset(path + len + 1, 'd', 100);
        len += 101;
        path[len] = '\0';
        wrong += fsif_mkdir(c->cl, path, 0755) != 0;
        depth++;
    }
    EQ(c, wrong, 0);
    while (depth-- > 0) {
        path[len] = '\0';
        wrong += fsif_remove(c->cl, path) != 0;
        len -= 101;
    }
    EQ(c, wrong, 0);
    memset(path, 'a', sizeof(path) - 1);
    for (size_t i = 100; i < sizeof(path); i += 100)
        path[i] = '/';
    EQ(c, fsif_open(c->cl, path, FSIF_O_RDONLY, 0), -FSIF_ENAMETOOLONG);
    EQ(c, fsif_remove(c->cl, path), -FSIF_ENAMETOOLONG);
    EQ(c, fsif_rename(c->cl, path, path), -FSIF_ENAMETOOLONG);
}

/* B19, B20: what lies in a real directory. */
static void host_links(struct context *c)
{
    char path[1024], target[512];

    if (c->host == NULL) {
        c->skipped = "the store is not a directory of this host";
        return;
    }
    make(c, "f", "inside");
    snprintf(path, sizeof(path), "%s/%s/relative", c->host, c->dir);
    EQ(c, symlink("f", path), 0);
    snprintf(path, sizeof(path), "%s/%s/absolute", c->host, c->dir);
    snprintf(target, sizeof(target), "/%s/f", c->dir);
    EQ(c, symlink(target, path), 0);
    snprintf(path, sizeof(path), "%s/%s/escape", c->host, c->dir);
    EQ(c, symlink("../../../../../../../../etc/passwd", path), 0);
    snprintf(path, sizeof(path), "%s/%s/etc", c->host, c->dir);
    EQ(c, symlink("/etc", path), 0);
    OK(c, text_is(c, "relative", "inside"));
    OK(c, text_is(c, "absolute", "inside"));
    EQ(c, fsif_open(c->cl, at(c, "escape"), FSIF_O_RDONLY, 0), -FSIF_ENOENT);
    EQ(c, fsif_open(c->cl, at(c, "etc/passwd"), FSIF_O_RDONLY, 0), -FSIF_ENOENT);
    EQ(c, fsif_remove(c->cl, at(c, "relative")), 0);
    OK(c, text_is(c, "f", "inside"));
}

static void space(struct context *c)
{
    make(c, "f", "");
    OK(c, fsif_space(c->cl, "/") > 0);
    OK(c, fsif_space(c->cl, at(c, "f")) > 0);
    EQ(c, fsif_space(c->cl, at(c, "none")), -FSIF_ENOENT);
    EQ(c, fsif_space(c->cl, at(c, "f/x")), -FSIF_ENOTDIR);
}

/* B23 */
static void read_only(struct context *c)
{
    struct fsif_limits limits;
    struct fsif_dir *dir;
    const char *name;
    int fh;

    if (c->ro == NULL) {
        c->skipped = "no read-only export";
        return;
    }
    fsif_get_limits(c->ro, &limits);
    EQ(c, limits.read_only, 1);
    fsif_get_limits(c->cl, &limits);
    EQ(c, limits.read_only, 0);
    EQ(c, fsif_open(c->ro, "new", FSIF_O_RDWR | FSIF_O_CREAT | FSIF_O_TRUNC, 0644), -FSIF_EROFS);
    EQ(c, fsif_mkdir(c->ro, "new", 0755), -FSIF_EROFS);
    EQ(c, fsif_remove(c->ro, "new"), -FSIF_EROFS);
    EQ(c, fsif_rename(c->ro, "new", "newer"), -FSIF_EROFS);
    fh = fsif_open(c->ro, "/", FSIF_O_RDONLY | FSIF_O_DIRECTORY, 0);
    OK(c, fh >= 0);
    EQ(c, fsif_fchmod(c->ro, fh, 0700), -FSIF_EROFS);
    EQ(c, fsif_fsync(c->ro, fh), 0);
    EQ(c, fsif_close(c->ro, fh), 0);
    if (!EQ(c, fsif_opendir(c->ro, "/", &dir), 0))
        return;
    OK(c, fsif_readdir(dir, &name) >= 0);
    fsif_closedir(dir);
    OK(c, fsif_space(c->ro, "/") > 0);
}

/* B23: files of the export that is writable elsewhere. */
static void read_only_files(struct context *c)
{
    struct fsif_attr attr;
    char buf[8];
    int fh;

    if (c->ro == NULL || c->host == NULL) {
        c->skipped = "no read-only session on the same files";
        return;
    }
    make(c, "f", "text");
    EQ(c, fsif_open(c->ro, at(c, "f"), FSIF_O_RDWR, 0), -FSIF_EROFS);
    EQ(c, fsif_open(c->ro, at(c, "f"), FSIF_O_WRONLY | FSIF_O_TRUNC, 0), -FSIF_EROFS);
    fh = fsif_open(c->ro, at(c, "f"), FSIF_O_RDONLY, 0);
    OK(c, fh >= 0);
    EQ(c, fsif_pread(c->ro, fh, buf, sizeof(buf), 0), 4);
    EQ(c, fsif_fstat(c->ro, fh, &attr), 0);
    EQ(c, fsif_fchmod(c->ro, fh, 0600), -FSIF_EROFS);
    EQ(c, fsif_close(c->ro, fh), 0);
    EQ(c, fsif_remove(c->ro, at(c, "f")), -FSIF_EROFS);
    OK(c, text_is(c, "f", "text"));
}

const struct test_case name_cases[] = {
    {"directories", directories},
    {"removing", removing},
    {"renaming", renaming},
    {"odd-names", odd_names},
    {"long-names", long_names},
    {"host-links", host_links},
    {"space", space},
    {"read-only", read_only},
    {"read-only-files", read_only_files},
    {NULL, NULL},
};
