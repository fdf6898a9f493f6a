/* SPDX-License-Identifier: MIT */

/*
 * The posix store against links, mounts, moves and special files: nothing outside the export is
 * ever reached. Cases that need mounts or devices say why when they are left out.
 */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>
#include "store_posix_fixture.h"
#include "suite.h"

/* B19: links of all kinds resolve inside the export, or not at all. */
START_TEST(b19_links)
{
    char target[256];

    put(outside_fd, "secret", "outside");
    put(export_fd, "secret", "inside");
    ck_assert_int_eq(symlinkat("../outside/secret", export_fd, "up"), 0);
    ck_assert_int_eq(symlinkat("../../../../../../../secret", export_fd, "far"), 0);
    ck_assert_int_eq(symlinkat("/secret", export_fd, "absolute"), 0);
    scratch_path(target, sizeof(target), base, "outside/secret");
    ck_assert_int_eq(symlinkat(target, export_fd, "host"), 0);
    ck_assert_int_eq(symlinkat("loop", export_fd, "loop"), 0);
    ck_assert_int_eq(try_open("up"), -FSIF_ENOENT);
    ck_assert_str_eq(text_of("far"), "inside");
    ck_assert_str_eq(text_of("absolute"), "inside");
    ck_assert_int_eq(try_open("host"), -FSIF_ENOENT);
    ck_assert_int_eq(try_open("loop"), -FSIF_ELOOP);
    ck_assert_int_eq(try_create("loop", 0644), -FSIF_ELOOP);
    ck_assert_int_eq(OPS->rename(store, ROOT, "secret", ROOT, "loop/x", 0), -FSIF_ELOOP);
    ck_assert_int_eq(space(store, "host"), -FSIF_ENOENT);
}
END_TEST

/* B19: creating through a dangling link makes its target, inside. */
START_TEST(b19_dangling)
{
    ck_assert_int_eq(mkdirat(export_fd, "d", 0755), 0);
    ck_assert_int_eq(symlinkat("../made", export_fd, "d/link"), 0);
    ck_assert_int_eq(symlinkat("/d/made", export_fd, "absolute"), 0);
    ck_assert_int_eq(symlinkat("absolute2", export_fd, "chain"), 0);
    ck_assert_int_eq(symlinkat("/d/../d/chained", export_fd, "absolute2"), 0);
    ck_assert_int_eq(symlinkat("../../outside/made", export_fd, "d/out"), 0);
    ck_assert_int_eq(symlinkat("missing/..", export_fd, "dots"), 0);
    ck_assert_int_eq(symlinkat("new/", export_fd, "slash"), 0);
    ck_assert_int_eq(try_create("d/link", 0640), 0);
    ck_assert_uint_eq(mode_of(export_fd, "made"), 0640);
    ck_assert_int_eq(try_create("absolute", 0644), 0);
    ck_assert(exists(export_fd, "d/made"));
    ck_assert_int_eq(try_create("chain", 0644), 0);
    ck_assert(exists(export_fd, "d/chained"));
    ck_assert_int_eq(try_create("d/out", 0644), -FSIF_ENOENT);
    ck_assert(!exists(outside_fd, "made"));
    ck_assert_int_eq(try_create("dots", 0644), -FSIF_ENOENT);
    ck_assert_int_eq(try_create("slash", 0644), -FSIF_EISDIR);
}
END_TEST

struct swap {
    const char *a, *b;
    int dir_a, dir_b;
    unsigned int flags;
    atomic_int stop, rounds;
};

static void *swapping(void *arg)
{
    struct swap *s = arg;

    while (!atomic_load(&s->stop) || atomic_load(&s->rounds) < 100000) {
        if (renameat2(s->dir_a, s->a, s->dir_b, s->b, s->flags) != 0)
            break;
        if (s->flags == 0 && renameat(s->dir_b, s->b, s->dir_a, s->a) != 0)
            break;
        atomic_fetch_add(&s->rounds, 1);
    }
    return NULL;
}

static void check_names_in_swap(void)
{
    const char *text = text_of("swap/f");
    int r;

    ck_assert_msg(strcmp(text, "inside") == 0 || text[0] == '\0', "read %s", text);
    r = try_create("swap/new", 0644);
    ck_assert(r == 0 || r == -FSIF_ENOENT || r == -FSIF_EAGAIN);
    OPS->mkdir(store, ROOT, "swap/dir", 0755);
    OPS->rename(store, ROOT, "swap/new", ROOT, "swap/newer", 0);
    OPS->rename(store, ROOT, "mine", ROOT, "swap/mine", 0);
    OPS->rename(store, ROOT, "swap/mine", ROOT, "mine", 0);
    OPS->remove(store, ROOT, "swap/newer", 0);
    OPS->remove(store, ROOT, "swap/dir", 0);
    OPS->remove(store, ROOT, "swap/g", 0);
}

/* B19: a directory and a link out of the export change places while names go through them. */
START_TEST(b19_swap_race)
{
    struct swap s = {.a = "swap",
                     .b = "other",
                     .dir_a = export_fd,
                     .dir_b = export_fd,
                     .flags = RENAME_EXCHANGE};
    pthread_t thread;

    put(outside_fd, "f", "outside");
    put(outside_fd, "g", "outside");
    put(export_fd, "mine", "mine");
    ck_assert_int_eq(mkdirat(export_fd, "swap", 0755), 0);
    put(export_fd, "swap/f", "inside");
    ck_assert_int_eq(symlinkat("../outside", export_fd, "other"), 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, swapping, &s), 0);
    do
        check_names_in_swap();
    while (atomic_load(&s.rounds) < 100000);
    atomic_store(&s.stop, 1);
    pthread_join(thread, NULL);
    ck_assert_int_ge(atomic_load(&s.rounds), 100000);
    ck_assert(exists(outside_fd, "f") && exists(outside_fd, "g"));
    ck_assert(!exists(outside_fd, "new") && !exists(outside_fd, "newer"));
    ck_assert(!exists(outside_fd, "dir") && !exists(outside_fd, "mine"));
}
END_TEST

/* B22: a directory that is moved out of the export while ".." of a link in it is walked. */
START_TEST(b22_move_race)
{
    struct swap s = {.a = "a/b", .b = "b", .dir_a = export_fd, .dir_b = outside_fd};
    char secret[256];
    pthread_t thread;
    int seen = 0;

    put(AT_FDCWD, scratch_path(secret, sizeof(secret), base, "secret"), "outside");
    put(outside_fd, "secret", "outside");
    put(export_fd, "secret", "inside");
    ck_assert_int_eq(mkdirat(export_fd, "a", 0755), 0);
    ck_assert_int_eq(mkdirat(export_fd, "a/b", 0755), 0);
    ck_assert_int_eq(mkdirat(export_fd, "a/b/c", 0755), 0);
    ck_assert_int_eq(symlinkat("../../../secret", export_fd, "a/b/c/up"), 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, swapping, &s), 0);
    do {
        const char *text = text_of("a/b/c/up");
        ck_assert_msg(strcmp(text, "inside") == 0 || text[0] == '\0', "read %s", text);
        seen += text[0] != '\0';
    } while (atomic_load(&s.rounds) < 50000);
    atomic_store(&s.stop, 1);
    pthread_join(thread, NULL);
    ck_assert_int_gt(seen, 0);
}
END_TEST

/* B22: what is open stays open and is no way to anything else. */
START_TEST(b22_open_handle)
{
    struct fsif_attr attr;
    uint64_t f;

    ck_assert_int_eq(OPS->mkdir(store, ROOT, "d", 0755), 0);
    ck_assert_int_eq(try_create("d/f", 0644), 0);
    f = open_dir(store, "d");
    ck_assert_int_eq(renameat(export_fd, "d", outside_fd, "d"), 0);
    ck_assert_int_eq(OPS->stat(store, f, "", 0, &attr), 0);
    ck_assert_int_eq(try_open("d/f"), -FSIF_ENOENT);
    ck_assert_int_eq(try_create("d/g", 0644), -FSIF_ENOENT);
    ck_assert_str_eq(list_names(store, f), "./../f/");
    ck_assert_int_eq(OPS->close(store, f), 0);
}
END_TEST

static void make_socket(void)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int s = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(addr.sun_path, sizeof(addr.sun_path), "%.80s/export/socket", base);
    ck_assert_int_eq(bind(s, (struct sockaddr *)&addr, sizeof(addr)), 0);
    close(s);
}

static void refused(const char *path)
{
    uint64_t f;

    ck_assert_int_eq(OPS->open(store, ROOT, path, 0, 0, &f, NULL), -FSIF_EACCES);
    ck_assert_int_eq(OPS->open(store, ROOT, path, FSIF_O_RDWR, 0, &f, NULL), -FSIF_EACCES);
    ck_assert_int_eq(try_create(path, 0644), -FSIF_EACCES);
    ck_assert_int_eq(OPS->open(store, ROOT, path, FSIF_O_DIRECTORY, 0, &f, NULL), -FSIF_ENOTDIR);
    ck_assert_int_gt(space(store, path), 0);
    ck_assert_int_eq(OPS->rename(store, ROOT, path, ROOT, "renamed", 0), 0);
    ck_assert_int_eq(OPS->remove(store, ROOT, "renamed", 0), 0);
}

/* B20 */
START_TEST(b20_special_files)
{
    ck_assert_int_eq(mkfifoat(export_fd, "fifo", 0666), 0);
    refused("fifo");
    make_socket();
    refused("socket");
    if (mknodat(export_fd, "null", S_IFCHR | 0666, makedev(1, 3)) != 0)
        printf("SKIP: device nodes: %s\n", strerror(errno));
    else
        refused("null");
}
END_TEST

/* B20: a FIFO and a file change places while they are opened. */
START_TEST(b20_swap_race)
{
    struct swap s = {
        .a = "fifo", .b = "file", .dir_a = export_fd, .dir_b = export_fd, .flags = RENAME_EXCHANGE};
    struct fsif_attr attr;
    pthread_t thread;
    int opened = 0;

    ck_assert_int_eq(mkfifoat(export_fd, "fifo", 0666), 0);
    put(export_fd, "file", "file");
    ck_assert_int_eq(pthread_create(&thread, NULL, swapping, &s), 0);
    do {
        uint64_t f;
        int r = OPS->open(store, ROOT, "fifo", FSIF_O_RDWR * ((uint32_t)opened % 2), 0, &f, NULL);
        ck_assert(r == 0 || r == -FSIF_EACCES || r == -FSIF_EAGAIN);
        if (r != 0)
            continue;
        opened++;
        ck_assert_int_eq(OPS->stat(store, f, "", 0, &attr), 0);
        ck_assert_uint_eq(attr.mode & FSIF_S_IFMT, FSIF_S_IFREG);
        OPS->close(store, f);
    } while (atomic_load(&s.rounds) < 20000);
    atomic_store(&s.stop, 1);
    atomic_store(&s.rounds, 100000);
    pthread_join(thread, NULL);
    ck_assert_int_gt(opened, 0);
}
END_TEST

/* Mounts for this process alone. What was open before still sees the old ones. */
static int own_mounts(void)
{
    char path[256];

    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) {
        printf("SKIP: mounts: %s\n", strerror(errno));
        return 0;
    }
    close(export_fd);
    export_fd = open(scratch_path(path, sizeof(path), base, "export"), O_RDONLY | O_DIRECTORY);
    OPS->destroy(store);
    store = make_store(0, 0, 0);
    return 1;
}

/* B19: bind mounts, and the links of /proc that lead anywhere. */
START_TEST(b19_mounts)
{
    char from[256], to[256];
    struct fsif_store *plain, *crossing;

    if (!own_mounts())
        return;
    put(outside_fd, "secret", "outside");
    ck_assert_int_eq(mkdirat(export_fd, "mnt", 0755), 0);
    ck_assert_int_eq(mkdirat(export_fd, "proc", 0755), 0);
    scratch_path(from, sizeof(from), base, "outside");
    scratch_path(to, sizeof(to), base, "export/mnt");
    ck_assert_int_eq(mount(from, to, NULL, MS_BIND, NULL), 0);
    scratch_path(to, sizeof(to), base, "export/proc");
    ck_assert_int_eq(mount("/proc", to, NULL, MS_BIND, NULL), 0);
    crossing = make_store(0, 1, 0);
    ck_assert_int_eq(try_open("mnt/secret"), -FSIF_EXDEV);
    ck_assert_int_eq(try_create("mnt/new", 0644), -FSIF_EXDEV);
    ck_assert_int_eq(OPS->remove(store, ROOT, "mnt/secret", 0), -FSIF_EXDEV);
    ck_assert_int_eq(OPS->remove(store, ROOT, "mnt", 0), -FSIF_EBUSY);
    ck_assert_int_eq(space(store, "mnt"), -FSIF_EXDEV);
    plain = store;
    store = crossing;
    ck_assert_str_eq(text_of("mnt/secret"), "outside");
    ck_assert_int_eq(try_open("proc/self/root/etc/passwd"), -FSIF_ELOOP);
    ck_assert_int_eq(try_open("proc/self/cwd"), -FSIF_ELOOP);
    ck_assert_int_eq(try_open("proc/self/fd/0"), -FSIF_ELOOP);
    ck_assert_int_eq(try_open("proc/self/exe"), -FSIF_ELOOP);
    store = plain;
    OPS->destroy(crossing);
    ck_assert_int_eq(umount2(to, MNT_DETACH), 0);
    scratch_path(to, sizeof(to), base, "export/mnt");
    ck_assert_int_eq(umount2(to, MNT_DETACH), 0);
}
END_TEST

/* B24: a full file system. */
START_TEST(b24_disk_full)
{
    static char block[65536];
    char to[256];
    int64_t n, sum = 0;
    uint64_t f;

    if (!own_mounts())
        return;
    ck_assert_int_eq(mkdirat(export_fd, "small", 0755), 0);
    scratch_path(to, sizeof(to), base, "export/small");
    ck_assert_int_eq(mount("none", to, "tmpfs", 0, "size=1m"), 0);
    OPS->destroy(store);
    store = make_store(0, 1, 0);
    ck_assert_int_eq(space(store, "small"), 1 << 20);
    ck_assert_int_eq(OPS->open(store, ROOT, "small/f", FSIF_O_RDWR | FSIF_O_CREAT, 0644, &f, NULL),
                     0);
    while ((n = OPS->write(store, f, block, sizeof(block), (uint64_t)sum, 0)) > 0)
        sum += n;
    ck_assert_int_eq(n, -FSIF_ENOSPC);
    ck_assert_int_gt(sum, 900000);
    ck_assert_int_eq(set_size(store, f, 0), 0);
    ck_assert_int_eq(OPS->write(store, f, block, 10, 0, 0), 10);
    ck_assert_int_eq(OPS->close(store, f), 0);
    ck_assert_int_eq(OPS->rename(store, ROOT, "small/f", ROOT, "f", 0), -FSIF_EXDEV);
    ck_assert_int_eq(umount2(to, MNT_DETACH), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("store-posix-confined");
    TCase *c = tcase_create("all");

    tcase_set_timeout(c, 90);
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, b19_links);
    tcase_add_test(c, b19_dangling);
    tcase_add_test(c, b19_swap_race);
    tcase_add_test(c, b22_move_race);
    tcase_add_test(c, b22_open_handle);
    tcase_add_test(c, b20_special_files);
    tcase_add_test(c, b20_swap_race);
    tcase_add_test(c, b19_mounts);
    tcase_add_test(c, b24_disk_full);
    add_bases(c);
    add_kept(c);
    suite_add_tcase(s, c);
    return run_suite(s);
}
