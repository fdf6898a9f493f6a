/* SPDX-License-Identifier: MIT */

/* The posix store: what its calls do and answer. Cases that need root say so when they are left
 * out. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "store_posix_fixture.h"
#include "suite.h"

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

int main(void)
{
    Suite *s = suite_create("store-posix");
    TCase *c = tcase_create("all");

    tcase_set_timeout(c, 90);
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, files);
    tcase_add_test(c, directories);
    tcase_add_test(c, removing);
    tcase_add_test(c, renaming);
    tcase_add_test(c, owner);
    tcase_add_test(c, listing);
    tcase_add_test(c, configuration);
    tcase_add_test(c, b21_modes);
    tcase_add_test(c, b21_write_to_setid);
    tcase_add_test(c, b23_read_only);
    add_confinement(c);
    suite_add_tcase(s, c);
    return run_suite(s);
}
