/* SPDX-License-Identifier: MIT */

/*
 * Directories that the posix store keeps open: never used for a name that is not theirs any more,
 * whoever moved them.
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
#include <unistd.h>
#include "store_posix_fixture.h"

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
        ck_assert_int_eq(try_at(ROOT, fifos[i], FSIF_O_RDONLY), -FSIF_EACCES);
        ck_assert_int_eq(try_at(ROOT, fifos[i], FSIF_O_RDWR), -FSIF_EACCES);
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
            ck_assert_int_eq(try_at(ROOT, "k/f", FSIF_O_RDONLY), -FSIF_EACCES);
            ck_assert_int_eq(try_at(ROOT, "k/f", FSIF_O_WRONLY), -FSIF_EACCES);
            ck_assert_int_eq(try_at(ROOT, "k/f", rw), -FSIF_EACCES);
        } else if (turn == 1) {
            ck_assert_int_eq(symlinkat("../../outside/gone/f", export_fd, "k/f"), 0);
            ck_assert_int_eq(try_at(ROOT, "k/f", rw), -FSIF_ENOENT);
            ck_assert_int_eq(try_at(ROOT, "k/f", rw | FSIF_O_NOFOLLOW), -FSIF_ELOOP);
        } else if (turn == 2) {
            ck_assert_int_eq(mkdirat(export_fd, "k/f", 0755), 0);
            ck_assert_int_eq(try_at(ROOT, "k/f", rw), -FSIF_EISDIR);
            ck_assert_int_eq(try_at(ROOT, "k/f", FSIF_O_RDONLY), 0);
            ck_assert_int_eq(unlinkat(export_fd, "k/f", AT_REMOVEDIR), 0);
        } else {
            ck_assert_int_eq(try_at(ROOT, "k/f", rw), -FSIF_ENOENT);
            ck_assert_int_eq(try_at(ROOT, "k/f", rw | FSIF_O_TRUNC), -FSIF_ENOENT);
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

/* Two stores of one export, as two sessions have them, that share a count. */
static uint32_t count_moves(void *arg, uint32_t add)
{
    return atomic_fetch_add((_Atomic uint32_t *)arg, add) + add;
}

START_TEST(exclusive_of_two_sessions)
{
    _Atomic uint32_t moves = 41;
    struct fsif_store_config config = {.exclusive = 1, .moves = count_moves, .moves_arg = &moves};
    struct fsif_setattr mode = {.mask = FSIF_SET_MODE, .mode = 0750};
    struct fsif_store *other = make_with(config);
    struct fsif_store *plain = store;

    make_tree();
    store = make_with(config);
    ck_assert_str_eq(text_of("a/b/f"), "file");
    ck_assert_int_eq(OPS->rename(other, ROOT, "a/b", ROOT, "moved", 0), 0);
    ck_assert_int_eq(OPS->mkdir(other, ROOT, "a/b", 0755), 0);
    ck_assert_int_eq(try_open("a/b/f"), -FSIF_ENOENT);
    ck_assert_int_eq(try_create("a/b/new", 0644), 0);
    ck_assert(exists(export_fd, "a/b/new") && !exists(export_fd, "moved/new"));
    ck_assert_int_eq(OPS->rename(other, ROOT, "a/b", ROOT, "moved", FSIF_RENAME_EXCHANGE), 0);
    ck_assert_str_eq(text_of("a/b/f"), "file");
    /* Above what is kept, by a session that keeps nothing. */
    config.exclusive = 0;
    OPS->destroy(other);
    other = make_with(config);
    ck_assert_int_eq(OPS->rename(other, ROOT, "a", ROOT, "above", 0), 0);
    ck_assert_int_eq(try_open("a/b/f"), -FSIF_ENOENT);
    ck_assert_str_eq(text_of("above/b/f"), "file");
    ck_assert_int_eq(OPS->remove(other, ROOT, "above/b/c", FSIF_REMOVE_DIR), 0);
    ck_assert_uint_eq(moves, 41 + 5);
    ck_assert_int_eq(OPS->setattr(other, ROOT, "above", 0, &mode), 0);
    ck_assert_uint_eq(moves, 41 + 6);
    /* What is no directory moves nothing that another store keeps. */
    ck_assert_int_eq(OPS->rename(store, ROOT, "above/b/f", ROOT, "above/b/g", 0), 0);
    ck_assert_uint_eq(moves, 41 + 6);
    OPS->destroy(other);
    OPS->destroy(store);
    store = plain;
}
END_TEST

/* With two paths from one handle of the root each is found on its own. */
START_TEST(exclusive_from_one_handle)
{
    struct fsif_store *plain = store;
    uint64_t root;

    make_tree();
    ck_assert_int_eq(mkdirat(export_fd, "c", 0755), 0);
    put(export_fd, "a/f", "mine");
    store = make_with((struct fsif_store_config){.exclusive = 1});
    root = open_dir(store, ".");
    ck_assert_int_eq(OPS->rename(store, root, "a/f", root, "c/f", 0), 0);
    ck_assert(exists(export_fd, "c/f") && !exists(export_fd, "a/c/f"));
    ck_assert_int_eq(OPS->link(store, root, "c/f", root, "a/b/g", 0), 0);
    ck_assert(exists(export_fd, "a/b/g"));
    ck_assert_int_eq(OPS->close(store, root), 0);
    OPS->destroy(store);
    store = plain;
}
END_TEST

void add_kept(TCase *c)
{
    tcase_add_test(c, b22_kept_directories_keep_up);
    tcase_add_test(c, b20_nothing_else_is_opened);
    tcase_add_test(c, b22_open_after_a_wrong_guess);
    tcase_add_test(c, b22_race_of_kept_directories);
    tcase_add_test(c, exclusive_keeps_up);
    tcase_add_test(c, exclusive_threads);
    tcase_add_test(c, exclusive_of_two_sessions);
    tcase_add_test(c, exclusive_from_one_handle);
}
