/* SPDX-License-Identifier: MIT */

/*
 * The posix store's paths from open directories: links, moves and races never lead out of the
 * export, and a directory that left it is no start of a path.
 */

#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "store_posix_fixture.h"

START_TEST(from_a_directory)
{
    struct fsif_attr attr, same;
    struct fsif_statvfs fs;
    uint64_t b, c;

    make_tree();
    b = open_dir(store, "a/b");
    ck_assert_str_eq(text_at(b, "f"), "file");
    ck_assert_int_eq(OPS->stat(store, b, "f", 0, &attr), 0);
    ck_assert_int_eq(OPS->stat(store, ROOT, "a/b/f", 0, &same), 0);
    ck_assert_uint_eq(attr.ino, same.ino);
    ck_assert_int_eq(OPS->stat(store, b, ".", 0, &attr), 0);
    ck_assert_uint_eq(attr.mode & FSIF_S_IFMT, FSIF_S_IFDIR);
    ck_assert_int_eq(OPS->mkdir(store, b, "d", 0700), 0);
    ck_assert_int_eq(try_at(b, "d/new", FSIF_O_WRONLY | FSIF_O_CREAT), 0);
    ck_assert(exists(export_fd, "a/b/d/new"));
    c = open_at(store, b, "c", FSIF_O_PATH | FSIF_O_DIRECTORY);
    ck_assert_int_eq(OPS->rename(store, b, "d/new", c, "new", 0), 0);
    ck_assert(exists(export_fd, "a/b/c/new"));
    ck_assert_int_eq(OPS->remove(store, c, "new", 0), 0);
    ck_assert_int_eq(OPS->remove(store, b, "d", FSIF_REMOVE_DIR), 0);
    ck_assert_int_eq(OPS->statvfs(store, c, ".", &fs), 0);
    ck_assert_int_eq(OPS->statvfs(store, c, "", &fs), 0);
    ck_assert_uint_gt(fs.bsize, 0);
    ck_assert_int_eq(OPS->close(store, b), 0);
    ck_assert_int_eq(OPS->close(store, c), 0);
}
END_TEST

/* What is no directory is the start of nothing. */
START_TEST(from_a_file)
{
    struct fsif_attr attr;
    uint64_t f, p;

    make_tree();
    f = open_at(store, ROOT, "a/b/f", FSIF_O_RDONLY);
    p = open_at(store, ROOT, "a/b/f", FSIF_O_PATH);
    ck_assert_int_eq(OPS->stat(store, f, "x", 0, &attr), -FSIF_ENOTDIR);
    ck_assert_int_eq(OPS->stat(store, p, "x", 0, &attr), -FSIF_ENOTDIR);
    ck_assert_int_eq(try_at(f, "x", FSIF_O_RDWR | FSIF_O_CREAT), -FSIF_ENOTDIR);
    ck_assert_int_eq(try_at(p, "x", FSIF_O_RDWR | FSIF_O_CREAT), -FSIF_ENOTDIR);
    ck_assert_int_eq(OPS->mkdir(store, f, "x", 0755), -FSIF_ENOTDIR);
    ck_assert_int_eq(try_at(f, "", FSIF_O_RDONLY), -FSIF_ENOENT);
    OPS->close(store, f);
    OPS->close(store, p);
}
END_TEST

/* B19: links resolve from a directory as they do from the root. */
START_TEST(b19_links_from_a_directory)
{
    static const struct {
        const char *name, *target, *text;
        int err;
    } links[] = {
        {"same", "f", "file", 0},
        {"below", "c/../f", "file", 0},
        {"up", "../../secret", "inside", 0},
        {"far", "../../../../../../secret", "inside", 0},
        {"absolute", "/secret", "inside", 0},
        {"again", "../b/up", "inside", 0},
        {"dots", "./.././../secret", "inside", 0},
        {"slashes", "..//..///secret", "inside", 0},
        {"out", "../../../outside/secret", "", -FSIF_ENOENT},
        {"slash", "../../secret/", "", -FSIF_ENOTDIR},
        {"through", "../../secret/x", "", -FSIF_ENOTDIR},
        {"loop", "../b/loop", "", -FSIF_ELOOP},
        {"nothing", "../../none", "", -FSIF_ENOENT},
        {"directory", "..", "", 0},
        {"directory2", "../../a/", "", 0},
    };
    struct fsif_attr attr, same;
    char path[64];
    uint64_t b;

    make_tree();
    b = open_dir(store, "a/b");
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
        snprintf(path, sizeof(path), "a/b/%s", links[i].name);
        ck_assert_int_eq(symlinkat(links[i].target, export_fd, path), 0);
    }
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
        snprintf(path, sizeof(path), "a/b/%s", links[i].name);
        ck_assert_int_eq(OPS->stat(store, b, links[i].name, 0, &attr), links[i].err);
        ck_assert_int_eq(OPS->stat(store, ROOT, path, 0, &same), links[i].err);
        if (links[i].err == 0)
            ck_assert_uint_eq(attr.ino, same.ino);
        ck_assert_int_eq(try_at(b, links[i].name, FSIF_O_RDONLY), links[i].err);
        if (links[i].text[0] != '\0')
            ck_assert_str_eq(text_at(b, links[i].name), links[i].text);
        ck_assert_int_eq(OPS->stat(store, b, links[i].name, FSIF_AT_NOFOLLOW, &attr), 0);
        ck_assert_uint_eq(attr.mode & FSIF_S_IFMT, FSIF_S_IFLNK);
    }
    ck_assert_int_eq(try_at(b, "directory/b/f", FSIF_O_RDONLY), 0);
    ck_assert_int_eq(try_at(b, "directory2/b/directory/b/f", FSIF_O_RDONLY), 0);
    ck_assert_int_eq(try_at(b, "directory/none", FSIF_O_RDONLY), -FSIF_ENOENT);
    ck_assert_int_eq(try_at(b, "up", FSIF_O_PATH | FSIF_O_NOFOLLOW), 0);
    ck_assert_int_eq(try_at(b, "directory/b/up", FSIF_O_PATH | FSIF_O_NOFOLLOW), 0);
    ck_assert_int_eq(try_at(b, "directory/b/up", FSIF_O_RDONLY | FSIF_O_NOFOLLOW), -FSIF_ELOOP);
    OPS->close(store, b);
}
END_TEST

/* Through dangling links a file is made where it would be made from the root. */
START_TEST(b19_dangling_from_a_directory)
{
    uint64_t b;

    make_tree();
    ck_assert_int_eq(symlinkat("../../made", export_fd, "a/b/up"), 0);
    ck_assert_int_eq(symlinkat("/a/made", export_fd, "a/b/absolute"), 0);
    ck_assert_int_eq(symlinkat("../../../outside/made", export_fd, "a/b/out"), 0);
    b = open_dir(store, "a/b");
    ck_assert_int_eq(try_at(b, "up", FSIF_O_RDWR | FSIF_O_CREAT), 0);
    ck_assert(exists(export_fd, "made"));
    ck_assert_int_eq(try_at(b, "absolute", FSIF_O_RDWR | FSIF_O_CREAT), 0);
    ck_assert(exists(export_fd, "a/made"));
    ck_assert_int_eq(try_at(b, "out", FSIF_O_RDWR | FSIF_O_CREAT), -FSIF_ENOENT);
    ck_assert(!exists(outside_fd, "made"));
    OPS->close(store, b);
}
END_TEST

static void names_are_stale(uint64_t dir, int err)
{
    struct fsif_setattr set = {.mask = FSIF_SET_MODE, .mode = 0600};
    struct fsif_statvfs fs;
    struct fsif_attr attr;
    char buf[8];

    ck_assert_int_eq(OPS->stat(store, dir, "f", 0, &attr), err);
    ck_assert_int_eq(OPS->stat(store, dir, "f", FSIF_AT_NOFOLLOW, &attr), err);
    ck_assert_int_eq(OPS->stat(store, dir, ".", 0, &attr), err);
    ck_assert_int_eq(try_at(dir, "f", FSIF_O_RDONLY), err);
    ck_assert_int_eq(try_at(dir, "f", FSIF_O_PATH), err);
    ck_assert_int_eq(try_at(dir, "c", FSIF_O_DIRECTORY), err);
    ck_assert_int_eq(OPS->setattr(store, dir, "f", 0, &set), err);
    ck_assert_int_eq(OPS->statvfs(store, dir, "f", &fs), err);
    ck_assert_int_eq((int)OPS->getxattr(store, dir, "f", "user.x", 0, buf, 8),
                     err == 0 ? -FSIF_ENODATA : err);
    ck_assert_int_eq((int)OPS->readlink(store, dir, "f", buf, 8), err == 0 ? -FSIF_EINVAL : err);
}

static void changes_are_stale(uint64_t dir)
{
    ck_assert_int_eq(try_at(dir, "x", FSIF_O_RDWR | FSIF_O_CREAT), -FSIF_ESTALE);
    ck_assert_int_eq(try_at(dir, ".", FSIF_O_RDWR | FSIF_O_TMPFILE), -FSIF_ESTALE);
    ck_assert_int_eq(OPS->mkdir(store, dir, "x", 0755), -FSIF_ESTALE);
    ck_assert_int_eq(OPS->mknod(store, dir, "x", FSIF_S_IFREG, 0), -FSIF_ESTALE);
    ck_assert_int_eq(OPS->symlink(store, "x", dir, "x"), -FSIF_ESTALE);
    ck_assert_int_eq(OPS->link(store, dir, "f", ROOT, "x", 0), -FSIF_ESTALE);
    ck_assert_int_eq(OPS->link(store, ROOT, "secret", dir, "x", 0), -FSIF_ESTALE);
    ck_assert_int_eq(OPS->rename(store, dir, "f", ROOT, "x", 0), -FSIF_ESTALE);
    ck_assert_int_eq(OPS->rename(store, ROOT, "secret", dir, "x", 0), -FSIF_ESTALE);
    ck_assert_int_eq(OPS->remove(store, dir, "f", 0), -FSIF_ESTALE);
}

/* B22 */
START_TEST(b22_moved_out)
{
    struct fsif_attr attr;
    uint64_t b, path, deep;

    make_tree();
    put(export_fd, "a/b/c/f", "file");
    ck_assert_int_eq(mkdirat(export_fd, "a/b/c/c", 0755), 0);
    b = open_dir(store, "a/b");
    path = open_at(store, ROOT, "a/b", FSIF_O_PATH);
    deep = open_dir(store, "a/b/c");
    names_are_stale(b, 0);
    elsewhere_rename(export_fd, "a/b", outside_fd, "moved");
    names_are_stale(b, -FSIF_ESTALE);
    names_are_stale(path, -FSIF_ESTALE);
    names_are_stale(deep, -FSIF_ESTALE);
    changes_are_stale(b);
    changes_are_stale(path);
    changes_are_stale(deep);
    ck_assert_int_eq(OPS->stat(store, b, "", 0, &attr), 0); /* it is still open */
    ck_assert_str_eq(list_names(store, b), "./../c/f/");
    elsewhere_rename(outside_fd, "moved", export_fd, "back");
    names_are_stale(b, 0);
    names_are_stale(deep, 0);
    OPS->close(store, b);
    OPS->close(store, path);
    OPS->close(store, deep);
}
END_TEST

/* Moves inside the export, to any depth, and links to directories change nothing. */
START_TEST(moved_inside)
{
    char path[300] = "a";
    uint64_t b, linked;

    make_tree();
    put(export_fd, "a/b/c/f", "file");
    ck_assert_int_eq(symlinkat("a/b/c", export_fd, "link"), 0);
    b = open_dir(store, "a/b");
    linked = open_dir(store, "link");
    ck_assert_str_eq(text_at(linked, "f"), "file");
    elsewhere_rename(export_fd, "a/b", export_fd, "top");
    ck_assert_str_eq(text_at(b, "f"), "file");
    ck_assert_str_eq(text_at(linked, "f"), "file");
    for (int i = 0; i < 100; i++) {
        strcat(path, "/x");
        ck_assert_int_eq(mkdirat(export_fd, path, 0755), 0);
    }
    strcat(path, "/b");
    elsewhere_rename(export_fd, "top", export_fd, path);
    ck_assert_str_eq(text_at(b, "f"), "file");
    ck_assert_str_eq(text_at(linked, "f"), "file");
    OPS->close(store, b);
    b = open_dir(store, path);
    ck_assert_str_eq(text_at(b, "c/f"), "file");
    OPS->close(store, b);
    OPS->close(store, linked);
}
END_TEST

/* With `exclusive` nobody else moves anything, and nobody looks. */
START_TEST(exclusive)
{
    struct fsif_store *plain = store;
    uint64_t b;

    make_tree();
    store = make_with((struct fsif_store_config){.exclusive = 1});
    b = open_dir(store, "a/b");
    names_are_stale(b, 0);
    ck_assert_int_eq(try_at(b, "new", FSIF_O_RDWR | FSIF_O_CREAT), 0);
    ck_assert_int_eq(OPS->rename(store, ROOT, "a/b", ROOT, "b", 0), 0);
    names_are_stale(b, 0);
    OPS->close(store, b);
    OPS->destroy(store);
    store = plain;
}
END_TEST

/* B22: a directory of a handle goes out and in while links climb from it. */
START_TEST(b22_race_from_a_directory)
{
    const struct moving m = {{export_fd, outside_fd}, {"a/b", "a/b2"}, 0};
    int seen = 0, stale = 0;
    uint64_t c;
    pid_t pid;

    make_tree();
    ck_assert_int_eq(symlinkat("../../../secret", export_fd, "a/b/c/up"), 0);
    ck_assert_int_eq(symlinkat("../../secret", export_fd, "a/b/c/less"), 0);
    c = open_dir(store, "a/b/c");
    pid = keep_moving(&m);
    for (int i = 0; i < 200000 && (seen < 100 || stale < 100 || i < 5000); i++) {
        struct fsif_attr attr;
        const char *text = text_at(c, "up");
        int r = OPS->stat(store, c, "less", 0, &attr);
        ck_assert_msg(strcmp(text, "inside") == 0 || text[0] == '\0', "read %s", text);
        ck_assert_int_ne(r, 0); /* a/secret is outside only */
        seen += text[0] != '\0';
        stale += r == -FSIF_ESTALE;
    }
    stop_moving(pid);
    ck_assert_int_gt(seen, 0);
    ck_assert_int_gt(stale, 0);
    OPS->close(store, c);
}
END_TEST

/* B19: a directory and a link out of the export change places below a handle. */
START_TEST(b19_race_from_a_directory)
{
    const struct moving m = {{export_fd, export_fd}, {"a/b/swap", "a/b/other"}, RENAME_EXCHANGE};
    uint64_t b;
    pid_t pid;

    make_tree();
    put(outside_fd, "f", "outside");
    ck_assert_int_eq(mkdirat(export_fd, "a/b/swap", 0755), 0);
    put(export_fd, "a/b/swap/f", "inside");
    ck_assert_int_eq(symlinkat("../../../outside", export_fd, "a/b/other"), 0);
    b = open_dir(store, "a/b");
    pid = keep_moving(&m);
    for (int i = 0; i < 5000; i++) {
        const char *text = text_at(b, "swap/f");
        struct fsif_attr attr;
        ck_assert_msg(strcmp(text, "inside") == 0 || text[0] == '\0', "read %s", text);
        OPS->stat(store, b, "swap", 0, &attr);
        try_at(b, "swap/new", FSIF_O_RDWR | FSIF_O_CREAT);
        OPS->mkdir(store, b, "swap/dir", 0755);
        OPS->symlink(store, "x", b, "swap/link");
        OPS->link(store, b, "f", b, "swap/hard", 0);
        OPS->rename(store, b, "swap/new", b, "swap/newer", 0);
        OPS->remove(store, b, "swap/newer", 0);
        OPS->remove(store, b, "swap/link", 0);
        OPS->remove(store, b, "swap/hard", 0);
        OPS->remove(store, b, "swap/dir", 0);
    }
    stop_moving(pid);
    ck_assert(exists(outside_fd, "f"));
    ck_assert(!exists(outside_fd, "new") && !exists(outside_fd, "newer"));
    ck_assert(!exists(outside_fd, "dir") && !exists(outside_fd, "link"));
    ck_assert(!exists(outside_fd, "hard"));
    OPS->close(store, b);
}
END_TEST

/* What another session does between the calls of a mkdir; the linker puts it there. */
static _Thread_local void (*after_mkdir)(void);
int __real_mkdirat(int dir, const char *name, mode_t mode);
int __wrap_mkdirat(int dir, const char *name, mode_t mode);
int __wrap_mkdirat(int dir, const char *name, mode_t mode)
{
    int result = __real_mkdirat(dir, name, mode);

    if (after_mkdir != NULL)
        after_mkdir();
    return result;
}

static uid_t owner_of(int dir, const char *name)
{
    struct stat now;

    ck_assert_int_eq(fstatat(dir, name, &now, AT_SYMLINK_NOFOLLOW), 0);
    return now.st_uid;
}

static void swap_with_link(void)
{
    after_mkdir = NULL;
    ck_assert_int_eq(renameat2(export_fd, "new", export_fd, "link", RENAME_EXCHANGE), 0);
}

/* B19: a new directory that is a link by the time it gets its owner and mode. */
START_TEST(b19_link_after_mkdir)
{
    static const char *const names[] = {"new", "new/", "new//"};
    struct fsif_store *plain = store;

    store = make_with((struct fsif_store_config){
        .map = FSIF_MAP_OWNER, .uid = geteuid() == 0 ? 1000 : geteuid(), .gid = getegid()});
    for (int i = 0; i < 2 * 3; i++) {
        struct fsif_store *map = i < 3 ? store : plain;

        ck_assert_int_eq(mkdirat(outside_fd, "theirs", 0700), 0);
        ck_assert_int_eq(symlinkat("../outside/theirs", export_fd, "link"), 0);
        after_mkdir = swap_with_link;
        ck_assert_int_eq(OPS->mkdir(map, ROOT, names[i % 3], 0777), 0);
        ck_assert_ptr_null(after_mkdir);
        ck_assert_uint_eq(mode_of(outside_fd, "theirs"), 0700);
        ck_assert_uint_eq(owner_of(outside_fd, "theirs"), geteuid());
        ck_assert_int_eq(unlinkat(export_fd, "new", 0), 0);
        ck_assert_int_eq(unlinkat(export_fd, "link", AT_REMOVEDIR), 0);
        ck_assert_int_eq(unlinkat(outside_fd, "theirs", AT_REMOVEDIR), 0);
    }
    OPS->destroy(store);
    store = plain;
}
END_TEST

/* However many links of a path climb, and however far: each step is as long a look as it is deep.
 */
START_TEST(climbs_are_limited)
{
    char text[6 * 200 + 8] = "";
    struct fsif_attr attr;
    uint64_t b;

    make_tree();
    for (int i = 0; i < 200; i++)
        strcat(text, "../b/");
    ck_assert_int_eq(symlinkat(text, export_fd, "a/b/once"), 0);
    strcat(text, "once/f");
    ck_assert_int_eq(symlinkat(text, export_fd, "a/b/twice"), 0);
    b = open_dir(store, "a/b");
    ck_assert_int_eq(OPS->stat(store, b, "once/f", 0, &attr), 0);
    ck_assert_int_eq(OPS->stat(store, b, "twice", 0, &attr), -FSIF_ELOOP);
    ck_assert_int_eq(OPS->close(store, b), 0);
}
END_TEST

void add_bases(TCase *c)
{
    tcase_add_test(c, from_a_directory);
    tcase_add_test(c, from_a_file);
    tcase_add_test(c, b19_links_from_a_directory);
    tcase_add_test(c, b19_dangling_from_a_directory);
    tcase_add_test(c, b22_moved_out);
    tcase_add_test(c, moved_inside);
    tcase_add_test(c, exclusive);
    tcase_add_test(c, b19_link_after_mkdir);
    tcase_add_test(c, climbs_are_limited);
    tcase_add_test(c, b22_race_from_a_directory);
    tcase_add_test(c, b19_race_from_a_directory);
}
