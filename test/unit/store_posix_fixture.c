/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "store_posix_fixture.h"

char base[200];
struct fsif_store *store;
int export_fd, outside_fd;

struct fsif_store *make_store(uint32_t read_only, uint32_t xdev, uint32_t setid)
{
    struct fsif_store_config config = {
        .size = sizeof(config), .read_only = read_only, .xdev = xdev, .setid = setid};
    struct fsif_store *st = NULL;

    config.root_fd = openat(export_fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_eq(OPS->create(&config, &st), 0);
    return st;
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

int try_open(const char *path)
{
    uint64_t f = 0;
    int r = OPS->open(store, path, 0, 0, &f);

    if (r == 0)
        OPS->close(store, f);
    return r;
}

int try_create(const char *path, uint32_t mode)
{
    uint64_t f = 0;
    int r = OPS->open(store, path, FSIF_STORE_WRITE | FSIF_STORE_CREATE | FSIF_STORE_TRUNCATE, mode,
                      &f);

    if (r == 0)
        OPS->close(store, f);
    return r;
}

const char *text_of(const char *path)
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
