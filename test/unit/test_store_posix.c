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
    const uint32_t flags = FSIF_O_RDWR | FSIF_O_CREAT | FSIF_O_TRUNC;

    ck_assert_int_eq(OPS->open(store, ROOT, "f", flags, 0640, &f, NULL), 0);
    ck_assert_int_eq(OPS->write(store, f, "hello", 5, 3, 0), 5);
    ck_assert_int_eq(OPS->read(store, f, buf, sizeof(buf), 0), 8);
    ck_assert_int_eq(memcmp(buf, "\0\0\0hello", 8), 0);
    ck_assert_int_eq(OPS->read(store, f, buf, sizeof(buf), 8), 0);
    ck_assert_int_eq(OPS->read(store, f, buf, 0, 0), 0);
    ck_assert_int_eq(OPS->read(store, f, buf, 1, UINT64_MAX), -FSIF_EINVAL);
    ck_assert_int_eq(OPS->write(store, f, buf, 1, UINT64_C(1) << 63, 0), -FSIF_EINVAL);
    ck_assert_int_eq(set_size(store, f, 4), 0);
    ck_assert_int_eq(set_size(store, f, UINT64_MAX), -FSIF_EINVAL);
    ck_assert_int_eq(set_mode(store, f, 0604), 0);
    ck_assert_int_eq(OPS->sync(store, f, 0), 0);
    ck_assert_int_eq(OPS->stat(store, f, "", 0, &attr), 0);
    ck_assert_uint_eq(attr.mode, FSIF_S_IFREG | 0604);
    ck_assert_uint_eq(attr.size, 4);
    ck_assert_uint_eq(attr.uid, geteuid());
    ck_assert_uint_eq(attr.nlink, 1);
    ck_assert(attr.mtime > 1500000000);
    ck_assert_int_eq(OPS->close(store, f), 0);
    ck_assert_int_eq(OPS->open(store, ROOT, "f", 0, 0, &f, NULL), 0);
    ck_assert_int_eq(OPS->write(store, f, "x", 1, 0, 0), -FSIF_EBADF);
    ck_assert_int_eq(set_size(store, f, 0), -FSIF_EINVAL);
    ck_assert_int_eq(OPS->close(store, f), 0);
    ck_assert_int_eq(OPS->open(store, ROOT, "f", FSIF_O_RDWR | FSIF_O_TRUNC, 0, &f, NULL), 0);
    ck_assert_int_eq(OPS->read(store, f, buf, 1, 0), 0);
    ck_assert_int_eq(OPS->close(store, f), 0);
}
END_TEST

START_TEST(directories)
{
    char buf[4];
    struct fsif_attr attr;
    uint64_t f;

    ck_assert_int_eq(OPS->mkdir(store, ROOT, "d", 0751), 0);
    ck_assert_int_eq(OPS->mkdir(store, ROOT, "d", 0751), -FSIF_EEXIST);
    ck_assert_int_eq(OPS->mkdir(store, ROOT, "d/e/", 0700), 0);
    ck_assert_int_eq(OPS->mkdir(store, ROOT, "x/y", 0700), -FSIF_ENOENT);
    ck_assert_int_eq(OPS->mkdir(store, ROOT, ".", 0700), -FSIF_EEXIST);
    ck_assert_int_eq(try_open("d"), 0);
    ck_assert_int_eq(try_create("d", 0644), -FSIF_EISDIR);
    ck_assert_int_eq(try_create("new/", 0644), -FSIF_EISDIR);
    ck_assert_int_eq(try_create(".", 0644), -FSIF_EISDIR);
    ck_assert_int_eq(OPS->open(store, ROOT, "d", FSIF_O_DIRECTORY | FSIF_O_RDWR, 0, &f, NULL),
                     -FSIF_EISDIR);
    ck_assert_int_eq(OPS->open(store, ROOT, "d/", FSIF_O_DIRECTORY, 0, &f, NULL), 0);
    ck_assert_int_eq(OPS->stat(store, f, "", 0, &attr), 0);
    ck_assert_uint_eq(attr.mode, FSIF_S_IFDIR | 0751);
    ck_assert_int_eq(set_mode(store, f, 01777), 0);
    ck_assert_int_eq(OPS->sync(store, f, 0), 0);
    ck_assert_int_eq(OPS->read(store, f, buf, 1, 0), -FSIF_EISDIR);
    ck_assert_int_eq(OPS->write(store, f, buf, 1, 0, 0), -FSIF_EBADF);
    ck_assert_int_eq(set_size(store, f, 0), -FSIF_EINVAL);
    ck_assert_int_eq(OPS->close(store, f), 0);
    ck_assert_uint_eq(mode_of(export_fd, "d"), 01777);
    ck_assert_int_eq(try_create("f", 0600), 0);
    ck_assert_int_eq(OPS->open(store, ROOT, "f", FSIF_O_DIRECTORY, 0, &f, NULL), -FSIF_ENOTDIR);
    ck_assert_int_eq(try_open("f/"), -FSIF_ENOTDIR);
    ck_assert_int_eq(try_open("f/g"), -FSIF_ENOTDIR);
    ck_assert_int_eq(OPS->open(store, ROOT, ".", FSIF_O_DIRECTORY, 0, &f, NULL), 0);
    ck_assert_int_eq(OPS->close(store, f), 0);
}
END_TEST

START_TEST(removing)
{
    ck_assert_int_eq(OPS->mkdir(store, ROOT, "d", 0755), 0);
    ck_assert_int_eq(try_create("d/f", 0644), 0);
    ck_assert_int_eq(OPS->remove(store, ROOT, "d", 0), -FSIF_ENOTEMPTY);
    ck_assert_int_eq(OPS->remove(store, ROOT, "d/f/", 0), -FSIF_ENOTDIR);
    ck_assert_int_eq(OPS->remove(store, ROOT, "d/f", 0), 0);
    ck_assert_int_eq(OPS->remove(store, ROOT, "d/f", 0), -FSIF_ENOENT);
    ck_assert_int_eq(OPS->remove(store, ROOT, "d/", 0), 0);
    ck_assert_int_eq(OPS->remove(store, ROOT, ".", 0), -FSIF_EINVAL);
    put(outside_fd, "kept", "kept");
    ck_assert_int_eq(symlinkat("../outside/kept", export_fd, "link"), 0);
    ck_assert_int_eq(OPS->remove(store, ROOT, "link", 0), 0);
    ck_assert(exists(outside_fd, "kept"));
}
END_TEST

START_TEST(renaming)
{
    ck_assert_int_eq(OPS->mkdir(store, ROOT, "d", 0755), 0);
    ck_assert_int_eq(OPS->mkdir(store, ROOT, "e", 0755), 0);
    ck_assert_int_eq(try_create("d/f", 0644), 0);
    ck_assert_int_eq(try_create("g", 0644), 0);
    ck_assert_int_eq(OPS->rename(store, ROOT, "d", ROOT, "d/x", 0), -FSIF_EINVAL);
    ck_assert_int_eq(OPS->rename(store, ROOT, "e", ROOT, "d", 0), -FSIF_ENOTEMPTY);
    ck_assert_int_eq(OPS->rename(store, ROOT, "d/f", ROOT, "d", 0), -FSIF_ENOTEMPTY);
    ck_assert_int_eq(OPS->rename(store, ROOT, "e", ROOT, "g", 0), -FSIF_ENOTDIR);
    ck_assert_int_eq(OPS->rename(store, ROOT, "g", ROOT, "e", 0), -FSIF_EISDIR);
    ck_assert_int_eq(OPS->rename(store, ROOT, "g/", ROOT, "h", 0), -FSIF_ENOTDIR);
    ck_assert_int_eq(OPS->rename(store, ROOT, ".", ROOT, "h", 0), -FSIF_EBUSY);
    ck_assert_int_eq(OPS->rename(store, ROOT, "g", ROOT, ".", 0), -FSIF_EBUSY);
    ck_assert_int_eq(OPS->rename(store, ROOT, "nothing", ROOT, "h", 0), -FSIF_ENOENT);
    ck_assert_int_eq(OPS->rename(store, ROOT, "g", ROOT, "d/f", 0), 0);
    ck_assert_int_eq(OPS->rename(store, ROOT, "d", ROOT, "e", 0), 0);
    ck_assert_int_eq(try_open("e/f"), 0);
    ck_assert_int_eq(OPS->rename(store, ROOT, "e/f", ROOT, "e/f", 0), 0);
}
END_TEST

/* B21: the umask of the process changes nothing; set-id bits go. */
START_TEST(b21_modes)
{
    struct fsif_store *keeps = make_store(0, 0, 1);
    const uint32_t flags = FSIF_O_RDWR | FSIF_O_CREAT;
    uint64_t f;

    umask(077);
    ck_assert_int_eq(try_create("f", 06777), 0);
    ck_assert_uint_eq(mode_of(export_fd, "f"), 0777);
    ck_assert_int_eq(OPS->mkdir(store, ROOT, "d", 07777), 0);
    ck_assert_uint_eq(mode_of(export_fd, "d"), 01777);
    ck_assert_int_eq(try_create("none", 0), 0);
    ck_assert_uint_eq(mode_of(export_fd, "none"), 0);
    ck_assert_int_eq(OPS->open(store, ROOT, "f", FSIF_O_RDWR, 0, &f, NULL), 0);
    ck_assert_int_eq(set_mode(store, f, 07755), 0);
    ck_assert_uint_eq(mode_of(export_fd, "f"), 01755);
    ck_assert_int_eq(OPS->close(store, f), 0);
    ck_assert_int_eq(OPS->open(keeps, ROOT, "k", flags, 04755, &f, NULL), 0);
    ck_assert_uint_eq(mode_of(export_fd, "k"), 04755);
    ck_assert_int_eq(set_mode(keeps, f, 02755), 0);
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
    ck_assert_int_eq(OPS->open(store, ROOT, "su", FSIF_O_RDWR, 0, &f, NULL), 0);
    ck_assert_uint_eq(mode_of(export_fd, "su"), 06755);
    ck_assert_int_eq(OPS->write(store, f, "x", 1, 0, 0), 1);
    ck_assert_uint_eq(mode_of(export_fd, "su"), 0755);
    ck_assert_int_eq(OPS->close(store, f), 0);
    ck_assert_int_eq(fchmodat(export_fd, "su", 04755, 0), 0);
    ck_assert_int_eq(OPS->open(store, ROOT, "su", FSIF_O_RDWR | FSIF_O_TRUNC, 0, &f, NULL), 0);
    ck_assert_uint_eq(mode_of(export_fd, "su"), 0755);
    ck_assert_int_eq(OPS->close(store, f), 0);
}
END_TEST

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
    ck_assert_int_eq(OPS->open(mapped, ROOT, "f", FSIF_O_RDWR | FSIF_O_CREAT, 0666, &f, NULL), 0);
    ck_assert_int_eq(OPS->close(mapped, f), 0);
    ck_assert_int_eq(fstatat(export_fd, "f", &st, 0), 0);
    ck_assert(st.st_uid == 1234 && st.st_gid == 5678 && (st.st_mode & 07777) == 0666);
    ck_assert_int_eq(OPS->mkdir(mapped, ROOT, "d", 0777), 0);
    ck_assert_int_eq(fstatat(export_fd, "d", &st, 0), 0);
    ck_assert(st.st_uid == 1234 && st.st_gid == 5678 && (st.st_mode & 07777) == 0777);
    /* A set-group-id directory gives its group. */
    ck_assert_int_eq(mkdirat(export_fd, "g", 0755), 0);
    ck_assert_int_eq(fchownat(export_fd, "g", 0, 99, 0), 0);
    ck_assert_int_eq(fchmodat(export_fd, "g", 02775, 0), 0);
    ck_assert_int_eq(OPS->open(mapped, ROOT, "g/f", FSIF_O_RDWR | FSIF_O_CREAT, 0600, &f, NULL), 0);
    ck_assert_int_eq(OPS->close(mapped, f), 0);
    ck_assert_int_eq(fstatat(export_fd, "g/f", &st, 0), 0);
    ck_assert(st.st_uid == 1234 && st.st_gid == 99);
    ck_assert_int_eq(OPS->mkdir(mapped, ROOT, "g/d", 0755), 0);
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

    OPS->destroy(store);
    store = make_store(1, 0, 0);
    put(export_fd, "f", "text");
    ck_assert_int_eq(OPS->open(store, ROOT, "f", FSIF_O_RDWR, 0, &f, NULL), -FSIF_EROFS);
    ck_assert_int_eq(OPS->open(store, ROOT, "f", FSIF_O_TRUNC, 0, &f, NULL), -FSIF_EROFS);
    ck_assert_int_eq(OPS->open(store, ROOT, "f", FSIF_O_CREAT, 0, &f, NULL), -FSIF_EROFS);
    ck_assert_int_eq(OPS->open(store, ROOT, "f", 0, 0, &f, NULL), 0);
    ck_assert_int_eq(OPS->write(store, f, "x", 1, 0, 0), -FSIF_EROFS);
    ck_assert_int_eq(set_size(store, f, 0), -FSIF_EROFS);
    ck_assert_int_eq(set_mode(store, f, 0600), -FSIF_EROFS);
    ck_assert_int_eq(OPS->sync(store, f, 0), 0);
    ck_assert_int_eq(OPS->close(store, f), 0);
    ck_assert_int_eq(OPS->remove(store, ROOT, "f", 0), -FSIF_EROFS);
    ck_assert_int_eq(OPS->rename(store, ROOT, "f", ROOT, "g", 0), -FSIF_EROFS);
    ck_assert_int_eq(OPS->mkdir(store, ROOT, "d", 0755), -FSIF_EROFS);
    f = open_dir(store, ".");
    ck_assert_str_eq(list_names(store, f), "./../f/");
    ck_assert_int_eq(OPS->close(store, f), 0);
    ck_assert_str_eq(text_of("f"), "text");
    ck_assert_uint_eq(mode_of(export_fd, "f"), 0644);
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
    ck_assert_int_gt(space(st, "."), 0);
    ck_assert_int_gt(space(st, "f"), 0);
    ck_assert_int_eq(space(st, "g"), -FSIF_ENOENT);
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
    tcase_add_test(c, configuration);
    tcase_add_test(c, b21_modes);
    tcase_add_test(c, b21_write_to_setid);
    tcase_add_test(c, b23_read_only);
    add_listing(c);
    add_opening(c);
    add_attributes(c);
    add_links(c);
    add_data(c);
    add_watches(c);
    suite_add_tcase(s, c);
    return run_suite(s);
}
