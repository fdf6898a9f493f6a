/* SPDX-License-Identifier: MIT */

/* The posix store's attributes: what is told, and what can be changed. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "store_posix_fixture.h"

static struct fsif_attr attr_of(const char *path)
{
    struct fsif_attr attr;

    memset(&attr, 0xa5, sizeof(attr));
    ck_assert_int_eq(OPS->stat(store, ROOT, path, FSIF_AT_NOFOLLOW, &attr), 0);
    return attr;
}

START_TEST(what_is_told)
{
    struct fsif_attr attr;
    struct stat st;
    uint64_t f;

    fill("f", 'x', 10000);
    ck_assert_int_eq(linkat(export_fd, "f", export_fd, "g", 0), 0);
    ck_assert_int_eq(fstatat(export_fd, "f", &st, 0), 0);
    attr = attr_of("f");
    ck_assert_uint_eq(attr.mode, FSIF_S_IFREG | 0644);
    ck_assert_uint_eq(attr.uid, st.st_uid);
    ck_assert_uint_eq(attr.gid, st.st_gid);
    ck_assert_uint_eq(attr.nlink, 2);
    ck_assert_uint_eq(attr.size, 10000);
    ck_assert_uint_eq(attr.blocks, (uint64_t)st.st_blocks);
    ck_assert_uint_eq(attr.ino, st.st_ino);
    ck_assert_uint_eq(attr.dev, 0);
    ck_assert_uint_eq(attr.blksize, (uint32_t)st.st_blksize);
    ck_assert_uint_eq(attr.rdev_major | attr.rdev_minor | attr.pad_, 0);
    ck_assert_int_eq(attr.mtime, st.st_mtim.tv_sec);
    ck_assert_uint_eq(attr.mtime_nsec, (uint32_t)st.st_mtim.tv_nsec);
    ck_assert_int_eq(attr.ctime, st.st_ctim.tv_sec);
    ck_assert_int_eq(attr.atime, st.st_atim.tv_sec);
    ck_assert(attr.btime == 0 || (attr.btime > 1500000000 && attr.btime <= attr.ctime));
    f = open_at(store, ROOT, "f", FSIF_O_RDONLY);
    ck_assert_int_eq(OPS->stat(store, f, "", 0, &attr), 0);
    ck_assert_uint_eq(attr.ino, st.st_ino);
    OPS->close(store, f);
    ck_assert_int_eq(OPS->stat(store, ROOT, "", 0, &attr), 0);
    ck_assert_uint_eq(attr.mode & FSIF_S_IFMT, FSIF_S_IFDIR);
    ck_assert_int_eq(OPS->stat(store, ROOT, "none", 0, &attr), -FSIF_ENOENT);
    ck_assert_int_eq(OPS->stat(store, ROOT, "f/", 0, &attr), -FSIF_ENOTDIR);
    ck_assert_int_eq(OPS->stat(store, ROOT, "f/x", 0, &attr), -FSIF_ENOTDIR);
}
END_TEST

START_TEST(links_themselves)
{
    struct fsif_attr attr;

    ck_assert_int_eq(mkdirat(export_fd, "d", 0755), 0);
    ck_assert_int_eq(symlinkat("d", export_fd, "link"), 0);
    ck_assert_int_eq(symlinkat("../outside", export_fd, "out"), 0);
    attr = attr_of("link");
    ck_assert_uint_eq(attr.mode & FSIF_S_IFMT, FSIF_S_IFLNK);
    ck_assert_uint_eq(attr.size, 1);
    ck_assert_int_eq(OPS->stat(store, ROOT, "link", 0, &attr), 0);
    ck_assert_uint_eq(attr.mode & FSIF_S_IFMT, FSIF_S_IFDIR);
    /* A slash at the end follows, but never out of the export. */
    attr = attr_of("link/");
    ck_assert_uint_eq(attr.mode & FSIF_S_IFMT, FSIF_S_IFDIR);
    ck_assert_int_eq(OPS->stat(store, ROOT, "out/", FSIF_AT_NOFOLLOW, &attr), -FSIF_ENOENT);
    ck_assert_int_eq(OPS->stat(store, ROOT, "out", 0, &attr), -FSIF_ENOENT);
}
END_TEST

/* One file system is 0, the others are told apart, and none by its number on the host. */
START_TEST(devices_of_an_export)
{
    struct fsif_store *plain = store;
    struct fsif_attr attr;
    struct stat st;
    char path[256];

    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) {
        printf("SKIP: mounts: %s\n", strerror(errno));
        return;
    }
    close(export_fd);
    export_fd = open(scratch_path(path, sizeof(path), base, "export"), O_RDONLY | O_DIRECTORY);
    for (int i = 0; i < 40; i++) {
        snprintf(path, sizeof(path), "m%d", i);
        ck_assert_int_eq(mkdirat(export_fd, path, 0755), 0);
        snprintf(path, sizeof(path), "%s/export/m%d", base, i);
        ck_assert_int_eq(mount("none", path, "tmpfs", 0, "size=64k"), 0);
    }
    store = make_store(0, 0, 0);
    ck_assert_int_eq(OPS->stat(store, ROOT, "m1", FSIF_AT_NOFOLLOW, &attr), -FSIF_EXDEV);
    ck_assert_int_eq(OPS->stat(store, ROOT, "m1", 0, &attr), -FSIF_EXDEV);
    OPS->destroy(store);
    store = make_store(0, 1, 0);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 40; i++) {
            snprintf(path, sizeof(path), "m%d", i);
            attr = attr_of(path);
            ck_assert_int_eq(fstatat(export_fd, path, &st, 0), 0);
            ck_assert(attr.dev != st.st_dev && attr.dev != 0);
            if (i < 32)
                ck_assert_uint_eq(attr.dev, (uint64_t)i + 1);
            else
                ck_assert_uint_gt(attr.dev, 32);
        }
    }
    ck_assert_uint_eq(attr_of(".").dev, 0);
    OPS->destroy(store);
    store = plain;
    for (int i = 0; i < 40; i++) {
        snprintf(path, sizeof(path), "%s/export/m%d", base, i);
        ck_assert_int_eq(umount2(path, MNT_DETACH), 0);
    }
}
END_TEST

/* The ways to name a file for setattr: open, named, open with O_PATH. */
enum { BY_FILE, BY_NAME, BY_PATH, WAYS };

static int set_by(int way, const char *name, const struct fsif_setattr *set)
{
    uint64_t f;
    int r;

    if (way == BY_NAME)
        return OPS->setattr(store, ROOT, name, 0, set);
    f = open_at(store, ROOT, name, way == BY_FILE ? FSIF_O_RDWR : FSIF_O_PATH);
    r = OPS->setattr(store, f, "", 0, set);
    OPS->close(store, f);
    return r;
}

START_TEST(changing)
{
    struct fsif_setattr set = {.mask = FSIF_SET_SIZE, .size = 100};
    struct fsif_attr attr;

    put(export_fd, "f", "text");
    ck_assert_int_eq(set_by(_i, "f", &set), 0);
    ck_assert_uint_eq(attr_of("f").size, 100);
    set.size = 2;
    ck_assert_int_eq(set_by(_i, "f", &set), 0);
    ck_assert_str_eq(text_of("f"), "te");
    set = (struct fsif_setattr){.mask = FSIF_SET_MODE, .mode = 06711};
    ck_assert_int_eq(set_by(_i, "f", &set), 0);
    ck_assert_uint_eq(attr_of("f").mode, FSIF_S_IFREG | 0711);
    set = (struct fsif_setattr){.mask = FSIF_SET_ATIME | FSIF_SET_MTIME,
                                .atime = -5,
                                .atime_nsec = 6,
                                .mtime = 7000000000,
                                .mtime_nsec = 999999999};
    ck_assert_int_eq(set_by(_i, "f", &set), 0);
    attr = attr_of("f");
    ck_assert_int_eq(attr.atime, -5);
    ck_assert_uint_eq(attr.atime_nsec, 6);
    ck_assert_int_eq(attr.mtime, 7000000000);
    ck_assert_uint_eq(attr.mtime_nsec, 999999999);
    set = (struct fsif_setattr){.mask = FSIF_SET_MTIME_NOW};
    ck_assert_int_eq(set_by(_i, "f", &set), 0);
    attr = attr_of("f");
    ck_assert_int_eq(attr.atime, -5); /* left as it was */
    ck_assert(attr.mtime > 1500000000 && attr.mtime < 7000000000);
    set = (struct fsif_setattr){.mask = FSIF_SET_SIZE | FSIF_SET_MODE | FSIF_SET_MTIME,
                                .size = 9,
                                .mode = 0600,
                                .mtime = 77};
    ck_assert_int_eq(set_by(_i, "f", &set), 0);
    attr = attr_of("f");
    ck_assert(attr.size == 9 && attr.mode == (FSIF_S_IFREG | 0600) && attr.mtime == 77);
    set.mask = 0;
    ck_assert_int_eq(set_by(_i, "f", &set), 0);
}
END_TEST

START_TEST(changing_others)
{
    struct fsif_setattr mode = {.mask = FSIF_SET_MODE, .mode = 0700};
    struct fsif_setattr size = {.mask = FSIF_SET_SIZE};
    struct fsif_setattr time = {.mask = FSIF_SET_MTIME, .mtime = 5};
    uint64_t f;

    put(outside_fd, "f", "outside");
    ck_assert_int_eq(mkdirat(export_fd, "d", 0755), 0);
    ck_assert_int_eq(symlinkat("d", export_fd, "link"), 0);
    ck_assert_int_eq(symlinkat("../outside/f", export_fd, "out"), 0);
    ck_assert_int_eq(mkfifoat(export_fd, "fifo", 0600), 0);
    ck_assert_int_eq(OPS->setattr(store, ROOT, "d", 0, &size), -FSIF_EISDIR);
    ck_assert_int_eq(OPS->setattr(store, ROOT, "fifo", 0, &size), -FSIF_EACCES);
    ck_assert_int_eq(OPS->setattr(store, ROOT, "none", 0, &mode), -FSIF_ENOENT);
    ck_assert_int_eq(OPS->setattr(store, ROOT, "link", 0, &mode), 0);
    ck_assert_uint_eq(attr_of("d").mode, FSIF_S_IFDIR | 0700);
    ck_assert_int_eq(OPS->setattr(store, ROOT, "link", FSIF_AT_NOFOLLOW, &mode), -FSIF_EOPNOTSUPP);
    ck_assert_int_eq(OPS->setattr(store, ROOT, "link", FSIF_AT_NOFOLLOW, &size), -FSIF_ELOOP);
    ck_assert_int_eq(OPS->setattr(store, ROOT, "link", FSIF_AT_NOFOLLOW, &time), 0);
    ck_assert_int_eq(attr_of("link").mtime, 5);
    ck_assert_int_ne(attr_of("d").mtime, 5);
    ck_assert_int_eq(OPS->setattr(store, ROOT, "fifo", 0, &mode), 0);
    ck_assert_uint_eq(attr_of("fifo").mode, FSIF_S_IFIFO | 0700);
    ck_assert_int_eq(OPS->setattr(store, ROOT, ".", 0, &mode), 0);
    ck_assert_int_eq(OPS->setattr(store, ROOT, "", 0, &mode), 0);
    ck_assert_uint_eq(attr_of(".").mode, FSIF_S_IFDIR | 0700);
    ck_assert_int_eq(OPS->setattr(store, ROOT, "out", 0, &mode), -FSIF_ENOENT);
    ck_assert_int_eq(OPS->setattr(store, ROOT, "out", FSIF_AT_NOFOLLOW, &time), 0);
    ck_assert_uint_eq(mode_of(outside_fd, "f"), 0644);
    f = open_dir(store, "d");
    ck_assert_int_eq(OPS->setattr(store, f, "", 0, &size), -FSIF_EINVAL);
    ck_assert_int_eq(OPS->setattr(store, f, "", 0, &time), 0);
    ck_assert_int_eq(attr_of("d").mtime, 5);
    OPS->close(store, f);
}
END_TEST

START_TEST(what_cannot_be_set)
{
    static const struct fsif_setattr bad[] = {
        {.mask = FSIF_SET_ALL + 1},
        {.mask = FSIF_SET_ATIME | FSIF_SET_ATIME_NOW},
        {.mask = FSIF_SET_MTIME | FSIF_SET_MTIME_NOW},
        {.mask = FSIF_SET_ATIME, .atime_nsec = 1000000000},
        {.mask = FSIF_SET_MTIME, .mtime_nsec = UINT32_MAX},
        {.mask = FSIF_SET_SIZE, .size = UINT64_C(1) << 63},
        {.mask = FSIF_SET_UID, .uid = UINT32_MAX},
        {.mask = FSIF_SET_GID, .gid = UINT32_MAX},
    };

    put(export_fd, "f", "text");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        for (int way = 0; way < WAYS; way++)
            ck_assert_int_eq(set_by(way, "f", &bad[i]), -FSIF_EINVAL);
    ck_assert_str_eq(text_of("f"), "text");
}
END_TEST

START_TEST(owners)
{
    struct fsif_setattr set = {.mask = FSIF_SET_UID | FSIF_SET_GID, .uid = 12, .gid = 34};
    struct fsif_store *plain = store;
    struct fsif_attr attr;

    if (skip_unless_root("owners"))
        return;
    put(export_fd, "f", "text");
    ck_assert_int_eq(symlinkat("f", export_fd, "link"), 0);
    for (int way = 0; way < WAYS; way++) {
        set.uid++;
        ck_assert_int_eq(set_by(way, "f", &set), 0);
        attr = attr_of("f");
        ck_assert(attr.uid == set.uid && attr.gid == 34);
    }
    set.mask = FSIF_SET_GID;
    set.gid = 99;
    ck_assert_int_eq(OPS->setattr(store, ROOT, "link", FSIF_AT_NOFOLLOW, &set), 0);
    ck_assert_uint_eq(attr_of("link").gid, 99);
    ck_assert_uint_eq(attr_of("f").gid, 34);
    /* B21: who gets a file gets no set-id bits with it. */
    ck_assert_int_eq(fchmodat(export_fd, "f", 06755, 0), 0);
    ck_assert_int_eq(OPS->setattr(store, ROOT, "f", 0, &set), 0);
    ck_assert_uint_eq(mode_of(export_fd, "f"), 0755);
    /* With a map only to its owner. */
    store = make_with((struct fsif_store_config){.map = FSIF_MAP_OWNER, .uid = 5, .gid = 6});
    set = (struct fsif_setattr){.mask = FSIF_SET_UID, .uid = 0};
    ck_assert_int_eq(OPS->setattr(store, ROOT, "f", 0, &set), -FSIF_EPERM);
    set.uid = 5;
    ck_assert_int_eq(OPS->setattr(store, ROOT, "f", 0, &set), 0);
    set = (struct fsif_setattr){.mask = FSIF_SET_GID, .gid = 5};
    ck_assert_int_eq(OPS->setattr(store, ROOT, "f", 0, &set), -FSIF_EPERM);
    ck_assert_uint_eq(attr_of("f").uid, 5);
    OPS->destroy(store);
    store = plain;
}
END_TEST

/* B23 */
START_TEST(b23_attributes)
{
    struct fsif_setattr set = {.mask = FSIF_SET_MTIME_NOW};
    struct fsif_store *plain = store;
    uint64_t f;

    put(export_fd, "f", "text");
    store = make_store(1, 0, 0);
    f = open_at(store, ROOT, "f", FSIF_O_RDONLY);
    for (uint32_t bit = 1; bit < FSIF_SET_ALL; bit <<= 1) {
        set.mask = bit;
        ck_assert_int_eq(OPS->setattr(store, f, "", 0, &set), -FSIF_EROFS);
        ck_assert_int_eq(OPS->setattr(store, ROOT, "f", 0, &set), -FSIF_EROFS);
    }
    OPS->close(store, f);
    OPS->destroy(store);
    store = plain;
}
END_TEST

/* From here on the kernel has no fchmodat2, which Linux 6.6 brought. */
static int take_fchmodat2(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 452, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {.len = 4, .filter = code};

    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* A process without /proc, as a confined worker is, on a new kernel and on an old one: what is done
 * without, and what says so. */
START_TEST(without_proc)
{
    struct fsif_setattr mode = {.mask = FSIF_SET_MODE, .mode = 0600};
    struct fsif_setattr size = {.mask = FSIF_SET_SIZE};
    struct fsif_setattr time = {.mask = FSIF_SET_MTIME, .mtime = 5};
    struct fsif_store *plain = store;
    int host = open("/", O_PATH | O_DIRECTORY);
    uint64_t f;
    int r;

    put(export_fd, "f", "text");
    ck_assert_int_eq(mkfifoat(export_fd, "fifo", 0644), 0);
    if ((_i == 1 && !take_fchmodat2()) || chroot(base) != 0) {
        printf("SKIP: chroot, seccomp: %s\n", strerror(errno));
        return;
    }
    store = make_store(0, 0, 0);
    ck_assert_int_eq(OPS->setattr(store, ROOT, "f", 0, &time), 0);
    ck_assert_int_eq(OPS->setattr(store, ROOT, "f", 0, &mode), 0);
    ck_assert_uint_eq(mode_of(export_fd, "f"), 0600);
    ck_assert_int_eq(OPS->setattr(store, ROOT, ".", 0, &mode), 0);
    ck_assert_int_eq(OPS->setattr(store, ROOT, "f", 0, &size), 0);
    f = open_at(store, ROOT, "f", FSIF_O_PATH);
    ck_assert_int_eq(OPS->setattr(store, f, "", 0, &size), -FSIF_EBADF);
    ck_assert_int_eq(OPS->setattr(store, f, "", 0, &time), 0);
    r = OPS->setattr(store, f, "", 0, &mode);
    ck_assert(r == -FSIF_EOPNOTSUPP || (r == 0 && _i == 0));
    ck_assert_int_eq(OPS->setattr(store, ROOT, "fifo", 0, &mode), r);
    OPS->close(store, f);
    OPS->destroy(store);
    store = plain;
    ck_assert_int_eq(fchdir(host), 0);
    ck_assert_int_eq(chroot("."), 0);
    close(host);
}
END_TEST

void add_attributes(TCase *c)
{
    tcase_add_test(c, what_is_told);
    tcase_add_test(c, links_themselves);
    tcase_add_test(c, devices_of_an_export);
    tcase_add_loop_test(c, changing, 0, WAYS);
    tcase_add_test(c, changing_others);
    tcase_add_test(c, what_cannot_be_set);
    tcase_add_test(c, owners);
    tcase_add_test(c, b23_attributes);
    tcase_add_loop_test(c, without_proc, 0, 2);
}
