/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "store_posix_fixture.h"

char base[200];
struct fsif_store *store;
int export_fd, outside_fd;

struct fsif_store *make_with(struct fsif_store_config config)
{
    struct fsif_store *st = NULL;

    config.size = sizeof(config);
    config.root_fd = openat(export_fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_eq(OPS->create(&config, &st), 0);
    return st;
}

struct fsif_store *make_store(uint32_t read_only, uint32_t xdev, uint32_t setid)
{
    return make_with(
        (struct fsif_store_config){.read_only = read_only, .xdev = xdev, .setid = setid});
}

void setup(void)
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

void teardown(void)
{
    OPS->destroy(store);
    close(export_fd);
    close(outside_fd);
    scratch_remove(base);
}

void put(int dir, const char *name, const char *text)
{
    int fd = openat(dir, name, O_CREAT | O_TRUNC | O_WRONLY, 0644);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

mode_t mode_of(int dir, const char *name)
{
    struct stat st;

    ck_assert_int_eq(fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW), 0);
    return st.st_mode & 07777;
}

int exists(int dir, const char *name)
{
    struct stat st;

    return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

int set_size(struct fsif_store *st, uint64_t file, uint64_t size)
{
    const struct fsif_setattr set = {.mask = FSIF_SET_SIZE, .size = size};

    return OPS->setattr(st, file, "", 0, &set);
}

int set_mode(struct fsif_store *st, uint64_t file, uint32_t mode)
{
    const struct fsif_setattr set = {.mask = FSIF_SET_MODE, .mode = mode};

    return OPS->setattr(st, file, "", 0, &set);
}

uint64_t open_dir(struct fsif_store *st, const char *path)
{
    uint64_t dir = 0;

    ck_assert_int_eq(OPS->open(st, ROOT, path, FSIF_O_DIRECTORY, 0, &dir, NULL), 0);
    return dir;
}

uint64_t open_at(struct fsif_store *st, uint64_t from, const char *path, uint32_t flags)
{
    uint64_t f = 0;

    ck_assert_int_eq(OPS->open(st, from, path, flags, 0644, &f, NULL), 0);
    return f;
}

int try_at(uint64_t from, const char *path, uint32_t flags)
{
    uint64_t f = 0;
    int r = OPS->open(store, from, path, flags, 0644, &f, NULL);

    if (r == 0)
        ck_assert_int_eq(OPS->close(store, f), 0);
    return r;
}

void fill(const char *name, char byte, size_t len)
{
    char block[4096];
    int fd = openat(export_fd, name, O_CREAT | O_TRUNC | O_WRONLY, 0644);

    memset(block, byte, sizeof(block));
    for (size_t n; len > 0; len -= n) {
        n = len < sizeof(block) ? len : sizeof(block);
        ck_assert_int_eq(write(fd, block, n), (ssize_t)n);
    }
    close(fd);
}

int skip_unless_root(const char *what)
{
    if (geteuid() == 0)
        return 0;
    printf("SKIP: %s: not root\n", what);
    return 1;
}

int64_t space(struct fsif_store *st, const char *path)
{
    struct fsif_statvfs fs;
    int err = OPS->statvfs(st, ROOT, path, &fs);

    return err != 0 ? err : (int64_t)(fs.bavail * fs.bsize);
}

struct names {
    char name[64][FSIF_NAME_MAX + 1];
    size_t count;
};

static int add_name(void *arg, const struct fsif_store_entry *entry)
{
    struct names *n = arg;

    ck_assert_uint_lt(n->count, 64);
    ck_assert_uint_eq(strlen(entry->name), entry->name_len);
    ck_assert(entry->cookie != 0);
    strcpy(n->name[n->count++], entry->name);
    return 1;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

const char *list_names(struct fsif_store *st, uint64_t dir)
{
    static char text[4096];
    static struct names n;

    n.count = 0;
    ck_assert_int_eq(OPS->readdir(st, dir, 0, add_name, &n), 0);
    qsort(n.name, n.count, sizeof(n.name[0]), by_name);
    text[0] = '\0';
    for (size_t i = 0; i < n.count; i++)
        strcat(strcat(text, n.name[i]), "/");
    return text;
}

int try_open(const char *path)
{
    uint64_t f = 0;
    int r = OPS->open(store, ROOT, path, 0, 0, &f, NULL);

    if (r == 0)
        OPS->close(store, f);
    return r;
}

int try_create(const char *path, uint32_t mode)
{
    uint64_t f = 0;
    int r = OPS->open(store, ROOT, path, FSIF_O_RDWR | FSIF_O_CREAT | FSIF_O_TRUNC, mode, &f, NULL);

    if (r == 0)
        OPS->close(store, f);
    return r;
}

const char *text_at(uint64_t from, const char *path)
{
    static char text[64];
    uint64_t f;
    int64_t n = 0;

    if (OPS->open(store, from, path, 0, 0, &f, NULL) == 0) {
        n = OPS->read(store, f, text, sizeof(text) - 1, 0);
        ck_assert_int_ge(n, 0);
        OPS->close(store, f);
    }
    text[n] = '\0';
    return text;
}

const char *text_of(const char *path)
{
    return text_at(ROOT, path);
}

/* a/b/c in the export, and a directory of the same shape outside. */
void make_tree(void)
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

ino_t inode_of(int dir, const char *name)
{
    struct stat now;

    ck_assert_int_eq(fstatat(dir, name, &now, AT_SYMLINK_NOFOLLOW), 0);
    return now.st_ino;
}
/* On behalf of somebody else on the host */
void elsewhere_rename(int from_dir, const char *from, int to_dir, const char *to)
{
    int status = 1;
    pid_t pid = fork();

    if (pid == 0)
        _exit(renameat(from_dir, from, to_dir, to) != 0);
    ck_assert_int_gt(pid, 0);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
}

/* Another process that renames there and back until it is killed. */
pid_t keep_moving(const struct moving *m)
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

void stop_moving(pid_t pid)
{
    int status;

    kill(pid, SIGKILL);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFSIGNALED(status)); /* it went on to the end */
}
