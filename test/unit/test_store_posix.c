/* SPDX-License-Identifier: MIT */

/* The posix store. Cases that need root, mounts or devices say why when they are left out. */

#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>
#include <fsif/error.h>
#include <fsif/posix.h>
#include "scratch.h"

#define OPS (&fsif_store_posix)

/* A folder of two: the export, and what lies outside of it. */
static char base[200];
static struct fsif_store *store;
static int export_fd, outside_fd;

static struct fsif_store *make_store(uint32_t read_only, uint32_t xdev, uint32_t setid)
{
    struct fsif_store_config config = {
        .size = sizeof(config), .read_only = read_only, .xdev = xdev, .setid = setid};
    struct fsif_store *st = NULL;

    config.root_fd = openat(export_fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_eq(OPS->create(&config, &st), 0);
    return st;
}

static void setup(void)
{
    char path[256];

    umask(022);
    alarm(60); /* whatever blocks is a failure */
    scratch_make(base, sizeof(base));
    ck_assert_int_eq(mkdir(scratch_path(path, sizeof(path), base, "export"), 0755), 0);
    export_fd = open(path, O_RDONLY | O_DIRECTORY);
    ck_assert_int_eq(mkdir(scratch_path(path, sizeof(path), base, "outside"), 0755), 0);
    outside_fd = open(path, O_RDONLY | O_DIRECTORY);
    ck_assert_int_ge(export_fd, 0);
    ck_assert_int_ge(outside_fd, 0);
    store = make_store(0, 0, 0);
}

static void teardown(void)
{
    OPS->destroy(store);
    close(export_fd);
    close(outside_fd);
    scratch_remove(base);
}

static void put(int dir, const char *name, const char *text)
{
    int fd = openat(dir, name, O_CREAT | O_TRUNC | O_WRONLY, 0644);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static mode_t mode_of(int dir, const char *name)
{
    struct stat st;

    ck_assert_int_eq(fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW), 0);
    return st.st_mode & 07777;
}

static int exists(int dir, const char *name)
{
    struct stat st;

    return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Open for reading and close again. */
static int try_open(const char *path)
{
    uint64_t f = 0;
    int r = OPS->open(store, path, 0, 0, &f);

    if (r == 0)
        OPS->close(store, f);
    return r;
}

static int try_create(const char *path, uint32_t mode)
{
    uint64_t f = 0;
    int r = OPS->open(store, path, FSIF_STORE_WRITE | FSIF_STORE_CREATE | FSIF_STORE_TRUNCATE, mode,
                      &f);

    if (r == 0)
        OPS->close(store, f);
    return r;
}

/* The first bytes of a file as text; "" if it cannot be opened. */
static const char *text_of(const char *path)
{
    static char text[64];
    uint64_t f;
    int64_t n = 0;

    if (OPS->open(store, path, 0, 0, &f) == 0) {
        n = OPS->read(store, f, text, sizeof(text) - 1, 0);
        ck_assert_int_ge(n, 0);
        OPS->close(store, f);
    }
    text[n] = '\0';
    return text;
}

START_TEST(files)
{
    char buf[16];
    struct fsif_attr attr;
    uint64_t f;
    const uint32_t flags = FSIF_STORE_WRITE | FSIF_STORE_CREATE | FSIF_STORE_TRUNCATE;

    ck_assert_int_eq(OPS->open(store, "f", flags, 0640, &f), 0);
    ck_assert_int_eq(OPS->write(store, f, "hello", 5, 3), 5);
    ck_assert_int_eq(OPS->read(store, f, buf, sizeof(buf), 0), 8);
    ck_assert_int_eq(memcmp(buf, "\0\0\0hello", 8), 0);
    ck_assert_int_eq(OPS->read(store, f, buf, sizeof(buf), 8), 0);
    ck_assert_int_eq(OPS->read(store, f, buf, 0, 0), 0);
    ck_assert_int_eq(OPS->read(store, f, buf, 1, UINT64_MAX), -FSIF_EINVAL);
    ck_assert_int_eq(OPS->write(store, f, buf, 1, UINT64_C(1) << 63), -FSIF_EINVAL);
    ck_assert_int_eq(OPS->truncate(store, f, 4), 0);
    ck_assert_int_eq(OPS->truncate(store, f, UINT64_MAX), -FSIF_EINVAL);
    ck_assert_int_eq(OPS->chmod(store, f, 0604), 0);
    ck_assert_int_eq(OPS->sync(store, f), 0);
    ck_assert_int_eq(OPS->stat(store, f, &attr), 0);
    ck_assert_uint_eq(attr.mode, FSIF_S_IFREG | 0604);
    ck_assert_uint_eq(attr.size, 4);
    ck_assert_uint_eq(attr.uid, geteuid());
    ck_assert_uint_eq(attr.nlink, 1);
    ck_assert(attr.mtime > 1500000000);
    ck_assert_int_eq(OPS->close(store, f), 0);
    ck_assert_int_eq(OPS->open(store, "f", 0, 0, &f), 0);
    ck_assert_int_eq(OPS->write(store, f, "x", 1, 0), -FSIF_EBADF);
    ck_assert_int_eq(OPS->truncate(store, f, 0), -FSIF_EINVAL);
    ck_assert_int_eq(OPS->close(store, f), 0);
    ck_assert_int_eq(OPS->open(store, "f", FSIF_STORE_WRITE | FSIF_STORE_TRUNCATE, 0, &f), 0);
    ck_assert_int_eq(OPS->read(store, f, buf, 1, 0), 0);
    ck_assert_int_eq(OPS->close(store, f), 0);
}
END_TEST

START_TEST(directories)
{
    char buf[4];
    struct fsif_attr attr;
    uint64_t f;

    ck_assert_int_eq(OPS->mkdir(store, "d", 0751), 0);
    ck_assert_int_eq(OPS->mkdir(store, "d", 0751), -FSIF_EEXIST);
    ck_assert_int_eq(OPS->mkdir(store, "d/e/", 0700), 0);
    ck_assert_int_eq(OPS->mkdir(store, "x/y", 0700), -FSIF_ENOENT);
    ck_assert_int_eq(OPS->mkdir(store, ".", 0700), -FSIF_EEXIST);
    ck_assert_int_eq(try_open("d"), -FSIF_EISDIR);
    ck_assert_int_eq(try_create("d", 0644), -FSIF_EISDIR);
    ck_assert_int_eq(try_create("new/", 0644), -FSIF_EISDIR);
    ck_assert_int_eq(try_create(".", 0644), -FSIF_EISDIR);
    ck_assert_int_eq(OPS->open(store, "d", FSIF_STORE_DIRECTORY | FSIF_STORE_WRITE, 0, &f),
                     -FSIF_EISDIR);
    ck_assert_int_eq(OPS->open(store, "d/", FSIF_STORE_DIRECTORY, 0, &f), 0);
    ck_assert_int_eq(OPS->stat(store, f, &attr), 0);
    ck_assert_uint_eq(attr.mode, FSIF_S_IFDIR | 0751);
    ck_assert_int_eq(OPS->chmod(store, f, 01777), 0);
    ck_assert_int_eq(OPS->sync(store, f), 0);
    ck_assert_int_eq(OPS->read(store, f, buf, 1, 0), -FSIF_EISDIR);
    ck_assert_int_eq(OPS->write(store, f, buf, 1, 0), -FSIF_EBADF);
    ck_assert_int_eq(OPS->truncate(store, f, 0), -FSIF_EINVAL);
    ck_assert_int_eq(OPS->close(store, f), 0);
    ck_assert_uint_eq(mode_of(export_fd, "d"), 01777);
    ck_assert_int_eq(try_create("f", 0600), 0);
    ck_assert_int_eq(OPS->open(store, "f", FSIF_STORE_DIRECTORY, 0, &f), -FSIF_ENOTDIR);
    ck_assert_int_eq(try_open("f/"), -FSIF_ENOTDIR);
    ck_assert_int_eq(try_open("f/g"), -FSIF_ENOTDIR);
    ck_assert_int_eq(OPS->open(store, ".", FSIF_STORE_DIRECTORY, 0, &f), 0);
    ck_assert_int_eq(OPS->close(store, f), 0);
}
END_TEST

START_TEST(removing)
{
    ck_assert_int_eq(OPS->mkdir(store, "d", 0755), 0);
    ck_assert_int_eq(try_create("d/f", 0644), 0);
    ck_assert_int_eq(OPS->remove(store, "d"), -FSIF_ENOTEMPTY);
    ck_assert_int_eq(OPS->remove(store, "d/f/"), -FSIF_ENOTDIR);
    ck_assert_int_eq(OPS->remove(store, "d/f"), 0);
    ck_assert_int_eq(OPS->remove(store, "d/f"), -FSIF_ENOENT);
    ck_assert_int_eq(OPS->remove(store, "d/"), 0);
    ck_assert_int_eq(OPS->remove(store, "."), -FSIF_EINVAL);
    put(outside_fd, "kept", "kept");
    ck_assert_int_eq(symlinkat("../outside/kept", export_fd, "link"), 0);
    ck_assert_int_eq(OPS->remove(store, "link"), 0);
    ck_assert(exists(outside_fd, "kept"));
}
END_TEST

START_TEST(renaming)
{
    ck_assert_int_eq(OPS->mkdir(store, "d", 0755), 0);
    ck_assert_int_eq(OPS->mkdir(store, "e", 0755), 0);
    ck_assert_int_eq(try_create("d/f", 0644), 0);
    ck_assert_int_eq(try_create("g", 0644), 0);
    ck_assert_int_eq(OPS->rename(store, "d", "d/x"), -FSIF_EINVAL);
    ck_assert_int_eq(OPS->rename(store, "e", "d"), -FSIF_ENOTEMPTY);
    ck_assert_int_eq(OPS->rename(store, "d/f", "d"), -FSIF_ENOTEMPTY);
    ck_assert_int_eq(OPS->rename(store, "e", "g"), -FSIF_ENOTDIR);
    ck_assert_int_eq(OPS->rename(store, "g", "e"), -FSIF_EISDIR);
    ck_assert_int_eq(OPS->rename(store, "g/", "h"), -FSIF_ENOTDIR);
    ck_assert_int_eq(OPS->rename(store, ".", "h"), -FSIF_EBUSY);
    ck_assert_int_eq(OPS->rename(store, "g", "."), -FSIF_EBUSY);
    ck_assert_int_eq(OPS->rename(store, "nothing", "h"), -FSIF_ENOENT);
    ck_assert_int_eq(OPS->rename(store, "g", "d/f"), 0);
    ck_assert_int_eq(OPS->rename(store, "d", "e"), 0);
    ck_assert_int_eq(try_open("e/f"), 0);
    ck_assert_int_eq(OPS->rename(store, "e/f", "e/f"), 0);
}
END_TEST

/* B21: the umask of the process changes nothing; set-id bits go. */
START_TEST(b21_modes)
{
    struct fsif_store *keeps = make_store(0, 0, 1);
    const uint32_t flags = FSIF_STORE_WRITE | FSIF_STORE_CREATE;
    uint64_t f;

    umask(077);
    ck_assert_int_eq(try_create("f", 06777), 0);
    ck_assert_uint_eq(mode_of(export_fd, "f"), 0777);
    ck_assert_int_eq(OPS->mkdir(store, "d", 07777), 0);
    ck_assert_uint_eq(mode_of(export_fd, "d"), 01777);
    ck_assert_int_eq(try_create("none", 0), 0);
    ck_assert_uint_eq(mode_of(export_fd, "none"), 0);
    ck_assert_int_eq(OPS->open(store, "f", FSIF_STORE_WRITE, 0, &f), 0);
    ck_assert_int_eq(OPS->chmod(store, f, 07755), 0);
    ck_assert_uint_eq(mode_of(export_fd, "f"), 01755);
    ck_assert_int_eq(OPS->close(store, f), 0);
    ck_assert_int_eq(OPS->open(keeps, "k", flags, 04755, &f), 0);
    ck_assert_uint_eq(mode_of(export_fd, "k"), 04755);
    ck_assert_int_eq(OPS->chmod(keeps, f, 02755), 0);
    ck_assert_uint_eq(mode_of(export_fd, "k"), 02755);
    ck_assert_int_eq(OPS->close(keeps, f), 0);
    OPS->destroy(keeps);
}
END_TEST

/* B21: a guest cannot put its own program into a set-id file of the host. */
START_TEST(b21_write_to_setid)
{
    uint64_t f;

    put(export_fd, "su", "program");
    ck_assert_int_eq(fchmodat(export_fd, "su", 06755, 0), 0);
    ck_assert_int_eq(OPS->open(store, "su", FSIF_STORE_WRITE, 0, &f), 0);
    ck_assert_uint_eq(mode_of(export_fd, "su"), 06755);
    ck_assert_int_eq(OPS->write(store, f, "x", 1, 0), 1);
    ck_assert_uint_eq(mode_of(export_fd, "su"), 0755);
    ck_assert_int_eq(OPS->close(store, f), 0);
    ck_assert_int_eq(fchmodat(export_fd, "su", 04755, 0), 0);
    ck_assert_int_eq(OPS->open(store, "su", FSIF_STORE_WRITE | FSIF_STORE_TRUNCATE, 0, &f), 0);
    ck_assert_uint_eq(mode_of(export_fd, "su"), 0755);
    ck_assert_int_eq(OPS->close(store, f), 0);
}
END_TEST

static int skip_unless_root(const char *what)
{
    if (geteuid() == 0)
        return 0;
    printf("SKIP: %s: not root\n", what);
    return 1;
}

START_TEST(owner)
{
    struct fsif_store_config config = {
        .size = sizeof(config), .map = FSIF_MAP_OWNER, .uid = 1234, .gid = 5678, .root_fd = -1};
    struct fsif_store *mapped;
    struct stat st;
    char source[256];
    uint64_t f;

    if (skip_unless_root("owners"))
        return;
    config.source = scratch_path(source, sizeof(source), base, "export");
    ck_assert_int_eq(OPS->create(&config, &mapped), 0);
    ck_assert_int_eq(OPS->open(mapped, "f", FSIF_STORE_WRITE | FSIF_STORE_CREATE, 0666, &f), 0);
    ck_assert_int_eq(OPS->close(mapped, f), 0);
    ck_assert_int_eq(fstatat(export_fd, "f", &st, 0), 0);
    ck_assert(st.st_uid == 1234 && st.st_gid == 5678 && (st.st_mode & 07777) == 0666);
    ck_assert_int_eq(OPS->mkdir(mapped, "d", 0777), 0);
    ck_assert_int_eq(fstatat(export_fd, "d", &st, 0), 0);
    ck_assert(st.st_uid == 1234 && st.st_gid == 5678 && (st.st_mode & 07777) == 0777);
    /* A set-group-id directory gives its group. */
    ck_assert_int_eq(mkdirat(export_fd, "g", 0755), 0);
    ck_assert_int_eq(fchownat(export_fd, "g", 0, 99, 0), 0);
    ck_assert_int_eq(fchmodat(export_fd, "g", 02775, 0), 0);
    ck_assert_int_eq(OPS->open(mapped, "g/f", FSIF_STORE_WRITE | FSIF_STORE_CREATE, 0600, &f), 0);
    ck_assert_int_eq(OPS->close(mapped, f), 0);
    ck_assert_int_eq(fstatat(export_fd, "g/f", &st, 0), 0);
    ck_assert(st.st_uid == 1234 && st.st_gid == 99);
    ck_assert_int_eq(OPS->mkdir(mapped, "g/d", 0755), 0);
    ck_assert_int_eq(fstatat(export_fd, "g/d", &st, 0), 0);
    ck_assert(st.st_uid == 1234 && st.st_gid == 99 && (st.st_mode & 07777) == 02755);
    OPS->destroy(mapped);
    config.uid = UINT32_MAX;
    ck_assert_int_eq(OPS->create(&config, &mapped), -FSIF_EINVAL);
}
END_TEST

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
    ck_assert_int_eq(OPS->rename(store, "secret", "loop/x"), -FSIF_ELOOP);
    ck_assert_int_eq((int)OPS->space(store, "host"), -FSIF_ENOENT);
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
    OPS->mkdir(store, "swap/dir", 0755);
    OPS->rename(store, "swap/new", "swap/newer");
    OPS->rename(store, "mine", "swap/mine");
    OPS->rename(store, "swap/mine", "mine");
    OPS->remove(store, "swap/newer");
    OPS->remove(store, "swap/dir");
    OPS->remove(store, "swap/g");
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
    uint64_t f, stream;
    char name[FSIF_NAME_MAX + 1];

    ck_assert_int_eq(OPS->mkdir(store, "d", 0755), 0);
    ck_assert_int_eq(try_create("d/f", 0644), 0);
    ck_assert_int_eq(OPS->open(store, "d", FSIF_STORE_DIRECTORY, 0, &f), 0);
    ck_assert_int_eq(OPS->list_open(store, "d", &stream), 0);
    ck_assert_int_eq(renameat(export_fd, "d", outside_fd, "d"), 0);
    ck_assert_int_eq(OPS->stat(store, f, &attr), 0);
    ck_assert_int_eq(try_open("d/f"), -FSIF_ENOENT);
    ck_assert_int_eq(try_create("d/g", 0644), -FSIF_ENOENT);
    ck_assert_int_eq(OPS->list_next(store, stream, name), 1);
    OPS->list_close(store, stream);
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

    ck_assert_int_eq(OPS->open(store, path, 0, 0, &f), -FSIF_EACCES);
    ck_assert_int_eq(OPS->open(store, path, FSIF_STORE_WRITE, 0, &f), -FSIF_EACCES);
    ck_assert_int_eq(try_create(path, 0644), -FSIF_EACCES);
    ck_assert_int_eq(OPS->open(store, path, FSIF_STORE_DIRECTORY, 0, &f), -FSIF_ENOTDIR);
    ck_assert_int_gt(OPS->space(store, path), 0);
    ck_assert_int_eq(OPS->rename(store, path, "renamed"), 0);
    ck_assert_int_eq(OPS->remove(store, "renamed"), 0);
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
        int r = OPS->open(store, "fifo", FSIF_STORE_WRITE * ((uint32_t)opened % 2), 0, &f);
        ck_assert(r == 0 || r == -FSIF_EACCES || r == -FSIF_EAGAIN);
        if (r != 0)
            continue;
        opened++;
        ck_assert_int_eq(OPS->stat(store, f, &attr), 0);
        ck_assert_uint_eq(attr.mode & FSIF_S_IFMT, FSIF_S_IFREG);
        ck_assert_int_eq(fcntl((int)f, F_GETFL) & O_NONBLOCK, 0);
        OPS->close(store, f);
    } while (atomic_load(&s.rounds) < 20000);
    atomic_store(&s.stop, 1);
    atomic_store(&s.rounds, 100000);
    pthread_join(thread, NULL);
    ck_assert_int_gt(opened, 0);
}
END_TEST

/* B23 */
START_TEST(b23_read_only)
{
    uint64_t f;
    char name[FSIF_NAME_MAX + 1];

    OPS->destroy(store);
    store = make_store(1, 0, 0);
    put(export_fd, "f", "text");
    ck_assert_int_eq(OPS->open(store, "f", FSIF_STORE_WRITE, 0, &f), -FSIF_EROFS);
    ck_assert_int_eq(OPS->open(store, "f", FSIF_STORE_TRUNCATE, 0, &f), -FSIF_EROFS);
    ck_assert_int_eq(OPS->open(store, "f", FSIF_STORE_CREATE, 0, &f), -FSIF_EROFS);
    ck_assert_int_eq(OPS->open(store, "f", 0, 0, &f), 0);
    ck_assert_int_eq(OPS->write(store, f, "x", 1, 0), -FSIF_EROFS);
    ck_assert_int_eq(OPS->truncate(store, f, 0), -FSIF_EROFS);
    ck_assert_int_eq(OPS->chmod(store, f, 0600), -FSIF_EROFS);
    ck_assert_int_eq(OPS->sync(store, f), 0);
    ck_assert_int_eq(OPS->close(store, f), 0);
    ck_assert_int_eq(OPS->remove(store, "f"), -FSIF_EROFS);
    ck_assert_int_eq(OPS->rename(store, "f", "g"), -FSIF_EROFS);
    ck_assert_int_eq(OPS->mkdir(store, "d", 0755), -FSIF_EROFS);
    ck_assert_int_eq(OPS->list_open(store, ".", &f), 0);
    ck_assert_int_eq(OPS->list_next(store, f, name), 1);
    OPS->list_close(store, f);
    ck_assert_str_eq(text_of("f"), "text");
    ck_assert_uint_eq(mode_of(export_fd, "f"), 0644);
}
END_TEST

START_TEST(listing)
{
    char name[FSIF_NAME_MAX + 1], seen[500] = {0};
    uint64_t stream, old;
    int n, dots = 0;

    for (int i = 0; i < 500; i++) {
        snprintf(name, sizeof(name), "n%d", i);
        put(export_fd, name, "");
    }
    ck_assert_int_eq(OPS->list_open(store, "n1", &stream), -FSIF_ENOTDIR);
    ck_assert_int_eq(OPS->list_open(store, "none", &stream), -FSIF_ENOENT);
    ck_assert_int_eq(OPS->list_open(store, ".", &stream), 0);
    for (n = 0; OPS->list_next(store, stream, name) == 1; n++) {
        if (name[0] == 'n')
            ck_assert_int_eq(seen[atoi(name + 1)]++, 0);
        else
            ck_assert_str_eq(name, dots++ == 0 ? "." : "..");
    }
    ck_assert_int_eq(n, 502);
    ck_assert_int_eq(OPS->list_next(store, stream, name), 0);
    OPS->list_close(store, stream);
    ck_assert_int_eq(OPS->list_next(store, stream, name), -FSIF_EBADF);
    old = stream;
    ck_assert_int_eq(OPS->list_open(store, ".", &stream), 0);
    ck_assert_uint_ne(old, stream);
    OPS->list_close(store, old);
    ck_assert_int_eq(OPS->list_next(store, stream, name), 1);
    for (n = 1; OPS->list_open(store, ".", &old) == 0; n++)
        ck_assert_int_lt(n, 10000);
    ck_assert_int_eq(OPS->list_open(store, ".", &old), -FSIF_EMFILE);
    OPS->list_close(store, stream);
    ck_assert_int_eq(OPS->list_open(store, ".", &stream), 0);
    ck_assert_int_eq(OPS->list_next(store, UINT64_MAX, name), -FSIF_EBADF);
}
END_TEST

START_TEST(configuration)
{
    struct fsif_store_config config = {.size = sizeof(config), .root_fd = -1};
    struct fsif_store *st;
    char path[256];

    ck_assert_int_eq(OPS->create(&config, &st), -FSIF_EINVAL);
    config.source = scratch_path(path, sizeof(path), base, "none");
    ck_assert_int_eq(OPS->create(&config, &st), -FSIF_ENOENT);
    put(export_fd, "f", "");
    config.source = scratch_path(path, sizeof(path), base, "export/f");
    ck_assert_int_eq(OPS->create(&config, &st), -FSIF_ENOTDIR);
    config.root_fd = openat(export_fd, "f", O_PATH);
    ck_assert_int_eq(OPS->create(&config, &st), -FSIF_ENOTDIR);
    ck_assert_int_eq(close(config.root_fd), 0); /* still the caller's */
    config.root_fd = -1;
    config.source = scratch_path(path, sizeof(path), base, "export");
    config.map = 7;
    ck_assert_int_eq(OPS->create(&config, &st), -FSIF_EINVAL);
    config.map = FSIF_MAP_DAEMON;
    config.size = 8;
    ck_assert_int_eq(OPS->create(&config, &st), -FSIF_EINVAL);
    config.size = sizeof(config);
    ck_assert_int_eq(OPS->create(&config, &st), 0);
    ck_assert_int_gt(OPS->space(st, "."), 0);
    ck_assert_int_gt(OPS->space(st, "f"), 0);
    ck_assert_int_eq((int)OPS->space(st, "g"), -FSIF_ENOENT);
    OPS->destroy(st);
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
    ck_assert_int_eq(OPS->remove(store, "mnt/secret"), -FSIF_EXDEV);
    ck_assert_int_eq(OPS->remove(store, "mnt"), -FSIF_EBUSY);
    ck_assert_int_eq((int)OPS->space(store, "mnt"), -FSIF_EXDEV);
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
    ck_assert_int_eq(OPS->space(store, "small"), 1 << 20);
    ck_assert_int_eq(OPS->open(store, "small/f", FSIF_STORE_WRITE | FSIF_STORE_CREATE, 0644, &f),
                     0);
    while ((n = OPS->write(store, f, block, sizeof(block), (uint64_t)sum)) > 0)
        sum += n;
    ck_assert_int_eq(n, -FSIF_ENOSPC);
    ck_assert_int_gt(sum, 900000);
    ck_assert_int_eq(OPS->truncate(store, f, 0), 0);
    ck_assert_int_eq(OPS->write(store, f, block, 10, 0), 10);
    ck_assert_int_eq(OPS->close(store, f), 0);
    ck_assert_int_eq(OPS->rename(store, "small/f", "f"), -FSIF_EXDEV);
    ck_assert_int_eq(umount2(to, MNT_DETACH), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("store-posix");
    TCase *c = tcase_create("all");
    SRunner *r;
    int failed;

    tcase_set_timeout(c, 90);
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, files);
    tcase_add_test(c, directories);
    tcase_add_test(c, removing);
    tcase_add_test(c, renaming);
    tcase_add_test(c, owner);
    tcase_add_test(c, listing);
    tcase_add_test(c, configuration);
    tcase_add_test(c, b19_links);
    tcase_add_test(c, b19_dangling);
    tcase_add_test(c, b19_swap_race);
    tcase_add_test(c, b19_mounts);
    tcase_add_test(c, b20_special_files);
    tcase_add_test(c, b20_swap_race);
    tcase_add_test(c, b21_modes);
    tcase_add_test(c, b21_write_to_setid);
    tcase_add_test(c, b22_open_handle);
    tcase_add_test(c, b22_move_race);
    tcase_add_test(c, b23_read_only);
    tcase_add_test(c, b24_disk_full);
    suite_add_tcase(s, c);
    r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? 0 : 1;
}
