/* SPDX-License-Identifier: MIT */

/*
 * The posix store's paths from open directories: links, moves and races never lead out of the
 * export, and a directory that left it is no start of a path.
 */

#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "store_posix_fixture.h"

/* a/b/c in the export, and a directory of the same shape outside. */
static void make_tree(void)
{
    static const char *const dirs[] = {"a", "a/b", "a/b/c"};

    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq(mkdirat(export_fd, dirs[i], 0755), 0);
        ck_assert_int_eq(mkdirat(outside_fd, dirs[i], 0755), 0);
    }
    put(export_fd, "secret", "inside");
    put(export_fd, "a/b/f", "file");
    put(outside_fd, "secret", "outside");
    put(outside_fd, "a/secret", "outside");
}

static ino_t inode_of(int dir, const char *name)
{
    struct stat now;

    ck_assert_int_eq(fstatat(dir, name, &now, AT_SYMLINK_NOFOLLOW), 0);
    return now.st_ino;
}

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

/* On behalf of somebody else on the host */
static void elsewhere_rename(int from_dir, const char *from, int to_dir, const char *to)
{
    int status = 1;
    pid_t pid = fork();

    if (pid == 0)
        _exit(renameat(from_dir, from, to_dir, to) != 0);
    ck_assert_int_gt(pid, 0);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
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

/* What an exclusive store keeps of directories never outlives their names. */
START_TEST(exclusive_keeps_up)
{
    struct fsif_store *plain = store;
    struct fsif_setattr mode = {.mask = FSIF_SET_MODE, .mode = 0700};
    char path[64];

    make_tree();
    store = make_with((struct fsif_store_config){.exclusive = 1});
    ck_assert_str_eq(text_of("a/b/f"), "file");
    ck_assert_int_eq(OPS->rename(store, ROOT, "a/b", ROOT, "b", 0), 0);
    ck_assert_int_eq(try_open("a/b/f"), -FSIF_ENOENT);
    ck_assert_str_eq(text_of("b/f"), "file");
    ck_assert_int_eq(OPS->mkdir(store, ROOT, "a/b", 0755), 0);
    ck_assert_int_eq(try_create("a/b/f", 0644), 0);
    ck_assert_str_eq(text_of("a/b/f"), "");
    ck_assert_int_eq(OPS->rename(store, ROOT, "a/b", ROOT, "b", FSIF_RENAME_EXCHANGE), 0);
    ck_assert_str_eq(text_of("a/b/f"), "file");
    ck_assert_str_eq(text_of("b/f"), "");
    ck_assert_int_eq(OPS->rename(store, ROOT, "a", ROOT, "above", 0), 0);
    ck_assert_int_eq(try_open("a/b/f"), -FSIF_ENOENT);
    ck_assert_str_eq(text_of("above/b/f"), "file");
    ck_assert_int_eq(OPS->setattr(store, ROOT, "above/b", 0, &mode), 0);
    /* Removed and made anew. */
    ck_assert_int_eq(OPS->remove(store, ROOT, "above/b/c", FSIF_REMOVE_DIR), 0);
    ck_assert_int_eq(OPS->mkdir(store, ROOT, "above/b/c", 0755), 0);
    ck_assert_int_eq(try_create("above/b/c/x", 0644), 0);
    ck_assert_int_eq(OPS->remove(store, ROOT, "above/b/c/x", 0), 0);
    ck_assert_int_eq(OPS->remove(store, ROOT, "above/b/c", 0), 0);
    ck_assert_int_eq(OPS->mkdir(store, ROOT, "above/b/c", 0755), 0);
    ck_assert_int_eq(try_create("above/b/c/x", 0644), 0);
    /* Through a link, which may change. */
    ck_assert_int_eq(OPS->symlink(store, "above/b", ROOT, "link"), 0);
    ck_assert_str_eq(text_of("link/f"), "file");
    ck_assert_int_eq(OPS->remove(store, ROOT, "link", 0), 0);
    ck_assert_int_eq(OPS->symlink(store, "b", ROOT, "link"), 0);
    ck_assert_str_eq(text_of("link/f"), "");
    /* More of them than are kept. */
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 100; i++) {
            snprintf(path, sizeof(path), "above/d%d", i);
            ck_assert_int_eq(OPS->mkdir(store, ROOT, path, 0755), round == 0 ? 0 : -FSIF_EEXIST);
            snprintf(path, sizeof(path), "above/d%d/f", i);
            ck_assert_int_eq(try_create(path, 0644), 0);
            ck_assert(exists(export_fd, path));
        }
    }
    ck_assert_int_eq(try_open("above/none/x"), -FSIF_ENOENT);
    ck_assert_int_eq(try_open("above/b/f/x"), -FSIF_ENOTDIR);
    ck_assert_int_eq(try_open("above/b/f/"), -FSIF_ENOTDIR);
    OPS->destroy(store);
    store = plain;
}
END_TEST

static void *use_directories(void *arg)
{
    atomic_int *stop = arg;
    struct fsif_attr attr;
    int r = 0;

    while (atomic_load(stop) == 0) {
        r = OPS->stat(store, ROOT, "a/b/f", 0, &attr);
        if (r != 0 && r != -FSIF_ENOENT)
            break;
        r = OPS->stat(store, ROOT, "a/b2/f", 0, &attr);
        if (r != 0 && r != -FSIF_ENOENT)
            break;
        r = 0;
    }
    return (void *)(intptr_t)r;
}

/* Names are up to date for whoever changed them, whatever other threads keep meanwhile. */
START_TEST(exclusive_threads)
{
    struct fsif_store *plain = store;
    pthread_t thread[2];
    atomic_int stop = 0;
    void *r;

    make_tree();
    store = make_with((struct fsif_store_config){.exclusive = 1});
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&thread[i], NULL, use_directories, &stop), 0);
    for (int i = 0; i < 3000; i++) {
        ck_assert_int_eq(OPS->rename(store, ROOT, "a/b", ROOT, "a/b2", 0), 0);
        ck_assert_int_eq(try_open("a/b/f"), -FSIF_ENOENT);
        ck_assert_int_eq(try_open("a/b2/f"), 0);
        ck_assert_int_eq(OPS->rename(store, ROOT, "a/b2", ROOT, "a/b", 0), 0);
        ck_assert_int_eq(try_open("a/b2/f"), -FSIF_ENOENT);
        ck_assert_int_eq(try_open("a/b/f"), 0);
    }
    atomic_store(&stop, 1);
    for (int i = 0; i < 2; i++) {
        pthread_join(thread[i], &r);
        ck_assert_ptr_null(r);
    }
    OPS->destroy(store);
    store = plain;
}
END_TEST

struct moving {
    int dirs[2];
    const char *names[2];
    unsigned int flags;
};

/* Another process that renames there and back until it is killed. */
static pid_t keep_moving(const struct moving *m)
{
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    for (;;) {
        if (renameat2(m->dirs[0], m->names[0], m->dirs[1], m->names[1], m->flags) != 0)
            _exit(1);
        if (m->flags == 0 && renameat2(m->dirs[1], m->names[1], m->dirs[0], m->names[0], 0) != 0)
            _exit(1);
    }
}

static void stop_moving(pid_t pid)
{
    int status;

    kill(pid, SIGKILL);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFSIGNALED(status)); /* it went on to the end */
}

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

/* Directories of the root are kept open, and never used for a name that is not theirs any more. */
START_TEST(b22_kept_directories_keep_up)
{
    struct fsif_attr attr;
    char path[64];

    make_tree();
    put(export_fd, "a/f", "first");
    ck_assert_int_eq(OPS->stat(store, ROOT, "a/f", 0, &attr), 0);
    ck_assert_uint_eq(attr.size, 5);
    /* Moved out, and another one in its place. */
    elsewhere_rename(export_fd, "a", outside_fd, "gone");
    ck_assert_int_eq(symlinkat("../outside/gone", export_fd, "a"), 0);
    ck_assert_int_eq(OPS->stat(store, ROOT, "a/f", 0, &attr), -FSIF_ENOENT);
    ck_assert_int_eq(unlinkat(export_fd, "a", 0), 0);
    ck_assert_int_eq(OPS->stat(store, ROOT, "a/f", 0, &attr), -FSIF_ENOENT);
    ck_assert_int_eq(try_create("a/new", 0644), -FSIF_ENOENT);
    ck_assert_int_eq(OPS->remove(store, ROOT, "a/f", 0), -FSIF_ENOENT);
    ck_assert_int_eq(mkdirat(export_fd, "a", 0755), 0);
    put(export_fd, "a/f", "other");
    ck_assert_str_eq(text_of("a/f"), "other");
    ck_assert_int_eq(try_create("a/new", 0644), 0);
    ck_assert_int_eq(OPS->rename(store, ROOT, "a/new", ROOT, "a//newer", 0), 0);
    ck_assert(exists(export_fd, "a/newer"));
    ck_assert(exists(outside_fd, "gone/f") && !exists(outside_fd, "gone/new"));
    /* A link in its place, out of the export or inside. */
    elsewhere_rename(export_fd, "a", export_fd, "b");
    ck_assert_int_eq(symlinkat("../outside/a", export_fd, "a"), 0);
    ck_assert_int_eq(OPS->stat(store, ROOT, "a/secret", 0, &attr), -FSIF_ENOENT);
    ck_assert_int_eq(OPS->remove(store, ROOT, "a/secret", 0), -FSIF_ENOENT);
    ck_assert(exists(outside_fd, "a/secret"));
    ck_assert_int_eq(unlinkat(export_fd, "a", 0), 0);
    ck_assert_int_eq(symlinkat("b", export_fd, "a"), 0);
    ck_assert_str_eq(text_of("a/f"), "other");
    /* Links in a kept directory, with and without a slash behind. */
    ck_assert_int_eq(symlinkat("../secret", export_fd, "b/up"), 0);
    ck_assert_int_eq(symlinkat("../../outside", export_fd, "b/out"), 0);
    ck_assert_int_eq(OPS->stat(store, ROOT, "b/up", 0, &attr), 0);
    ck_assert_uint_eq(attr.size, 6);
    ck_assert_int_eq(OPS->stat(store, ROOT, "b/up", FSIF_AT_NOFOLLOW, &attr), 0);
    ck_assert_uint_eq(attr.mode & FSIF_S_IFMT, FSIF_S_IFLNK);
    ck_assert_int_eq(OPS->stat(store, ROOT, "b/out/", 0, &attr), -FSIF_ENOENT);
    ck_assert_int_eq(OPS->stat(store, ROOT, "b/out/", FSIF_AT_NOFOLLOW, &attr), -FSIF_ENOENT);
    ck_assert_int_eq(OPS->stat(store, ROOT, "b/f/", 0, &attr), -FSIF_ENOTDIR);
    ck_assert_int_eq(OPS->stat(store, ROOT, "b/..", 0, &attr), 0);
    ck_assert_uint_eq(attr.ino, inode_of(export_fd, "."));
    ck_assert_int_eq(OPS->stat(store, ROOT, "secret/f", 0, &attr), -FSIF_ENOTDIR);
    /* More of them than are kept. */
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 100; i++) {
            snprintf(path, sizeof(path), "d%d", i);
            ck_assert_int_eq(OPS->mkdir(store, ROOT, path, 0755), round == 0 ? 0 : -FSIF_EEXIST);
            snprintf(path, sizeof(path), "d%d/f", i);
            ck_assert_int_eq(try_create(path, 0644), 0);
            ck_assert(exists(export_fd, path));
        }
    }
}
END_TEST

static int64_t open_and_close(const char *path, uint32_t flags)
{
    uint64_t f;
    int err = OPS->open(store, ROOT, path, flags, 0, &f, NULL);

    return err == 0 ? OPS->close(store, f) : err;
}

/* B20: what is no file is not even opened, in a kept directory and elsewhere. */
START_TEST(b20_nothing_else_is_opened)
{
    static const char *const fifos[] = {"fifo", "k/fifo", "a/b/fifo"};
    int events = inotify_init1(IN_NONBLOCK);
    char name[PATH_MAX], event[512];

    make_tree();
    ck_assert_int_eq(mkdirat(export_fd, "k", 0755), 0);
    put(export_fd, "k/f", "text");
    ck_assert_str_eq(text_of("k/f"), "text");
    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq(mkfifoat(export_fd, fifos[i], 0666), 0);
        snprintf(name, sizeof(name), "/proc/self/fd/%d/%s", export_fd, fifos[i]);
        ck_assert_int_ge(inotify_add_watch(events, name, IN_OPEN), 0);
        ck_assert_int_eq(open_and_close(fifos[i], FSIF_O_RDONLY), -FSIF_EACCES);
        ck_assert_int_eq(open_and_close(fifos[i], FSIF_O_RDWR), -FSIF_EACCES);
        ck_assert_int_eq((int)read(events, event, sizeof(event)), -1);
        close(openat(export_fd, fifos[i], O_RDONLY | O_NONBLOCK));
        ck_assert_int_gt((int)read(events, event, sizeof(event)), 0);
    }
    close(events);
}
END_TEST

/* What a kept directory that lost its name tells of a file is not what an open of that name gets.
 */
START_TEST(b22_open_after_a_wrong_guess)
{
    const uint32_t rw = FSIF_O_RDWR;

    ck_assert_int_eq(mkdirat(export_fd, "k", 0755), 0);
    for (int turn = 0; turn < 4; turn++) {
        put(export_fd, "k/f", "first");
        ck_assert_str_eq(text_of("k/f"), "first");
        elsewhere_rename(export_fd, "k", outside_fd, "gone");
        ck_assert_int_eq(mkdirat(export_fd, "k", 0755), 0);
        alarm(20);
        if (turn == 0) {
            ck_assert_int_eq(mkfifoat(export_fd, "k/f", 0666), 0);
            ck_assert_int_eq(open_and_close("k/f", FSIF_O_RDONLY), -FSIF_EACCES);
            ck_assert_int_eq(open_and_close("k/f", FSIF_O_WRONLY), -FSIF_EACCES);
            ck_assert_int_eq(open_and_close("k/f", rw), -FSIF_EACCES);
        } else if (turn == 1) {
            ck_assert_int_eq(symlinkat("../../outside/gone/f", export_fd, "k/f"), 0);
            ck_assert_int_eq(open_and_close("k/f", rw), -FSIF_ENOENT);
            ck_assert_int_eq(open_and_close("k/f", rw | FSIF_O_NOFOLLOW), -FSIF_ELOOP);
        } else if (turn == 2) {
            ck_assert_int_eq(mkdirat(export_fd, "k/f", 0755), 0);
            ck_assert_int_eq(open_and_close("k/f", rw), -FSIF_EISDIR);
            ck_assert_int_eq(open_and_close("k/f", FSIF_O_RDONLY), 0);
            ck_assert_int_eq(unlinkat(export_fd, "k/f", AT_REMOVEDIR), 0);
        } else {
            ck_assert_int_eq(open_and_close("k/f", rw), -FSIF_ENOENT);
            ck_assert_int_eq(open_and_close("k/f", rw | FSIF_O_TRUNC), -FSIF_ENOENT);
        }
        alarm(0);
        ck_assert_int_eq(unlinkat(outside_fd, "gone/f", 0), 0);
        ck_assert_int_eq(unlinkat(outside_fd, "gone", AT_REMOVEDIR), 0);
        (void)unlinkat(export_fd, "k/f", 0);
    }
}
END_TEST

/* B22: a directory of the root and another one change places under the names of their files. */
START_TEST(b22_race_of_kept_directories)
{
    const struct moving m = {{export_fd, outside_fd}, {"a", "a"}, RENAME_EXCHANGE};
    struct fsif_attr attr;
    int seen[2] = {0, 0};
    pid_t pid;

    make_tree();
    put(export_fd, "a/f", "in");
    put(outside_fd, "a/f", "outside");
    pid = keep_moving(&m);
    /* Either directory is the export's while it has the name, and only then. One that leaves while
     * the kernel walks through it is one of elsewhere. */
    for (int i = 0; i < 20000; i++) {
        int err = OPS->stat(store, ROOT, "a/f", 0, &attr);

        ck_assert(err == 0 || err == -FSIF_EXDEV);
        ck_assert(err != 0 || attr.size == 2 || attr.size == 7);
        seen[err == 0 && attr.size == 7]++;
    }
    stop_moving(pid);
    ck_assert_int_gt(seen[0], 0);
    ck_assert_int_gt(seen[1], 0);
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
    tcase_add_test(c, b22_kept_directories_keep_up);
    tcase_add_test(c, b20_nothing_else_is_opened);
    tcase_add_test(c, b22_open_after_a_wrong_guess);
    tcase_add_test(c, b22_race_of_kept_directories);
    tcase_add_test(c, exclusive);
    tcase_add_test(c, exclusive_keeps_up);
    tcase_add_test(c, exclusive_threads);
    tcase_add_test(c, b22_race_from_a_directory);
    tcase_add_test(c, b19_race_from_a_directory);
}
