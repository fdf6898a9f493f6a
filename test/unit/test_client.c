/* SPDX-License-Identifier: MIT */

/* The client, against a backend in a thread of this process: files, directories, connecting. */

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fsif/client.h>
#include <fsif/loop.h>
#include "client_fixture.h"
#include "parts.h"
#include "suite.h"

static unsigned char *pattern(size_t len)
{
    unsigned char *p = malloc(len);
    size_t i;

    ck_assert_ptr_nonnull(p);
    for (i = 0; i < len; i++)
        p[i] = (unsigned char)(i * 7 + i / 4096);
    return p;
}

/* --- files ---------------------------------------------------------------------------------- */

START_TEST(whole_life_of_a_file)
{
    struct fsif_attr attr;
    char buf[16];
    int fh;

    client_start(1, 30000, 0);
    fh = client_file("/a", "hello", 5);
    ck_assert_int_eq(fsif_pread(cl, fh, buf, sizeof(buf), 1), 4);
    ck_assert_int_eq(memcmp(buf, "ello", 4), 0);
    ck_assert_int_eq(fsif_pread(cl, fh, buf, sizeof(buf), 5), 0);
    ck_assert_int_eq(fsif_pread(cl, fh, buf, 0, 0), 0);
    ck_assert_int_eq(fsif_fstat(cl, fh, &attr), 0);
    ck_assert_uint_eq(attr.size, 5);
    ck_assert_uint_eq(attr.mode, FSIF_S_IFREG | 0644);
    ck_assert_int_eq(fsif_ftruncate(cl, fh, 2), 0);
    ck_assert_int_eq(fsif_fchmod(cl, fh, 0600), 0);
    ck_assert_int_eq(fsif_fsync(cl, fh), 0);
    ck_assert_int_eq(fsif_close(cl, fh), 0);
    ck_assert_int_eq(fsif_close(cl, fh), -FSIF_EBADF);
    ck_assert_int_eq(fsif_stat(cl, "a", &attr), 0);
    ck_assert_uint_eq(attr.size, 2);
    ck_assert_uint_eq(attr.mode & 07777, 0600);
    ck_assert_int_eq(fsif_mkdir(cl, "/d", 0755), 0);
    ck_assert_int_eq(fsif_mkdir(cl, "/d", 0755), -FSIF_EEXIST);
    ck_assert_int_eq(fsif_rename(cl, "/a", "/d/b"), 0);
    ck_assert_int_eq(fsif_remove(cl, "/d"), -FSIF_ENOTEMPTY);
    ck_assert_int_eq(fsif_remove(cl, "/d/b"), 0);
    ck_assert_int_eq(fsif_remove(cl, "/d"), 0);
    ck_assert_int_eq(fsif_stat(cl, "/d", &attr), -FSIF_ENOENT);
    ck_assert_int_gt(fsif_space(cl, "/"), 0);
    client_stop();
}
END_TEST

START_TEST(open_flags)
{
    static const struct {
        uint32_t flags;
        int result; /* 1: a handle */
    } rows[] = {
        {FSIF_O_RDONLY, 1},
        {FSIF_O_WRONLY, 1},
        {FSIF_O_RDWR | FSIF_O_TRUNC, 1},
        {FSIF_O_ACCMODE, -FSIF_EINVAL},
        {0x80000000u, -FSIF_EINVAL},
        {FSIF_O_STAT, -FSIF_EINVAL},
        {FSIF_O_RDWR | FSIF_O_CREAT, CLIENT_OLD ? -FSIF_EOPNOTSUPP : 1},
        {CLIENT_NEW | FSIF_O_EXCL, CLIENT_OLD ? -FSIF_EOPNOTSUPP : -FSIF_EEXIST},
        {FSIF_O_WRONLY | FSIF_O_APPEND, CLIENT_OLD ? -FSIF_EOPNOTSUPP : 1},
        {FSIF_O_RDONLY | FSIF_O_NOFOLLOW, CLIENT_OLD ? -FSIF_EOPNOTSUPP : 1},
        {CLIENT_NEW | FSIF_O_DIRECTORY, -FSIF_EINVAL},
        {FSIF_O_DIRECTORY, -FSIF_ENOTDIR},
    };
    size_t i;

    client_start(1, 30000, 0);
    fsif_close(cl, client_file("f", "x", 1));
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int fh = fsif_open(cl, "f", rows[i].flags, 0);

        ck_assert_msg(rows[i].result == 1 ? fh >= 0 : fh == rows[i].result, "row %zu: %d", i, fh);
        if (fh >= 0)
            ck_assert_int_eq(fsif_close(cl, fh), 0);
    }
    ck_assert_int_eq(fsif_open(cl, "none", FSIF_O_RDWR, 0), -FSIF_ENOENT);
    ck_assert_int_eq(fsif_open(cl, NULL, 0, 0), -FSIF_EINVAL);
    ck_assert_int_eq(fsif_open(cl, "f", 0, 010000), -FSIF_EINVAL);
    ck_assert_int_eq(fsif_open(cl, "", 0, 0), -FSIF_ENOENT);
    ck_assert_int_eq(fsif_open(cl, "../f", 0, 0), -FSIF_EACCES);
    client_stop();
}
END_TEST

START_TEST(access_modes_are_held)
{
    char c = 'c';
    int fh;

    client_start(1, 30000, 0);
    fsif_close(cl, client_file("f", "x", 1));
    fh = fsif_open(cl, "f", FSIF_O_RDONLY, 0);
    ck_assert_int_eq(fsif_pwrite(cl, fh, &c, 1, 0), -FSIF_EBADF);
    ck_assert_int_eq(fsif_ftruncate(cl, fh, 0), -FSIF_EINVAL);
    ck_assert_int_eq(fsif_pread(cl, fh, &c, 1, 0), 1);
    ck_assert_int_eq(fsif_close(cl, fh), 0);
    fh = fsif_open(cl, "f", FSIF_O_WRONLY, 0);
    ck_assert_int_eq(fsif_pread(cl, fh, &c, 1, 0), -FSIF_EBADF);
    ck_assert_int_eq(fsif_pwrite(cl, fh, &c, 1, 0), 1);
    ck_assert_int_eq(fsif_close(cl, fh), 0);
    fh = fsif_open(cl, "/", FSIF_O_RDONLY | FSIF_O_DIRECTORY, 0);
    ck_assert_int_ge(fh, 0);
    ck_assert_int_eq(fsif_pread(cl, fh, &c, 1, 0), -FSIF_EISDIR);
    ck_assert_int_eq(fsif_close(cl, fh), 0);
    ck_assert_int_eq(fsif_open(cl, "/", FSIF_O_RDWR, 0), -FSIF_EISDIR);
    ck_assert_int_eq(fsif_pread(cl, -1, &c, 1, 0), -FSIF_EBADF);
    ck_assert_int_eq(fsif_pread(cl, 1 << 20, &c, 1, 0), -FSIF_EBADF);
    ck_assert_int_eq(fsif_fstat(cl, 200, &(struct fsif_attr){0}), -FSIF_EBADF);
    client_stop();
}
END_TEST

START_TEST(read_only_export)
{
    struct local_backend_options bo = {.read_only = 1};
    struct fsif_client_options co;

    fsif_client_options_init(&co);
    co.dialects = client_dialects;
    backend = local_backend_start(&bo, &co, &cl);
    ck_assert_int_eq(fsif_open(cl, "f", CLIENT_NEW, 0644), -FSIF_EROFS);
    ck_assert_int_eq(fsif_mkdir(cl, "d", 0755), -FSIF_EROFS);
    ck_assert_int_eq(fsif_open(cl, "none", FSIF_O_RDWR, 0),
                     CLIENT_OLD ? -FSIF_ENOENT : -FSIF_EROFS);
    client_stop();
}
END_TEST

/* --- long reads and writes ------------------------------------------------------------------ */

START_TEST(long_transfers_are_pipelined)
{
    static const size_t lengths[] = {1, 4095, 4096, 4097, 64 * 4096, 64 * 4096 + 1, 1000001};
    static const uint32_t calls[] = {1, 3, 64};
    unsigned char *out = pattern(1000001);
    unsigned char *in = malloc(1000001);
    size_t i;
    size_t k;

    for (k = 0; k < 3; k++) {
        client_start(2, 30000, calls[k]);
        for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
            int fh = client_file("f", out, lengths[i]);

            memset(in, 0, lengths[i]);
            ck_assert_int_eq(fsif_pread(cl, fh, in, lengths[i], 0), (int64_t)lengths[i]);
            ck_assert_int_eq(memcmp(in, out, lengths[i]), 0);
            ck_assert_int_eq(fsif_pread(cl, fh, in, 1000001, 1), (int64_t)lengths[i] - 1);
            ck_assert_int_eq(fsif_close(cl, fh), 0);
        }
        client_stop();
    }
    free(in);
    free(out);
}
END_TEST

START_TEST(pieces_that_end_early)
{
    static const uint64_t cuts[] = {0, 1, 4096, 5000, 8192, 100000};
    unsigned char *out = pattern(200000);
    unsigned char *in = malloc(200000);
    size_t i;
    int fh;

    client_start(4, 30000, 0);
    for (i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
        int64_t whole = cuts[i] == 0 ? -FSIF_EIO : (int64_t)cuts[i];

        fh = client_file("f", out, 200000);
        local_backend_short(backend, cuts[i], -FSIF_EIO);
        ck_assert_int_eq(fsif_pread(cl, fh, in, 200000, 0), whole);
        if (whole > 0)
            ck_assert_int_eq(memcmp(in, out, (size_t)whole), 0);
        ck_assert_int_eq(fsif_pread(cl, fh, in, 10, cuts[i]), -FSIF_EIO);
        local_backend_short(backend, cuts[i], -FSIF_ENOSPC);
        whole = cuts[i] == 0 ? -FSIF_ENOSPC : (int64_t)cuts[i];
        ck_assert_int_eq(fsif_pwrite(cl, fh, out, 200000, 0), whole);
        local_backend_short(backend, UINT64_MAX, 0);
        ck_assert_int_eq(fsif_close(cl, fh), 0);
    }
    free(in);
    free(out);
    client_stop();
}
END_TEST

START_TEST(offsets_at_the_end_of_the_world)
{
    char c = 0;
    int fh;

    client_start(1, 30000, 0);
    fh = client_file("f", "x", 1);
    ck_assert_int_eq(fsif_pread(cl, fh, &c, 1, INT64_MAX), -FSIF_EINVAL);
    ck_assert_int_eq(fsif_pread(cl, fh, &c, 1, (uint64_t)INT64_MAX - 1), 0);
    ck_assert_int_eq(fsif_pread(cl, fh, &c, 1, UINT64_MAX), -FSIF_EINVAL);
    if (sizeof(size_t) == 8)
        ck_assert_int_eq(fsif_pwrite(cl, fh, &c, SIZE_MAX, 1), -FSIF_EINVAL);
    ck_assert_int_lt(fsif_pwrite(cl, fh, &c, 1, (uint64_t)INT64_MAX - 1), 0);
    ck_assert_int_eq(fsif_ftruncate(cl, fh, UINT64_MAX), -FSIF_EINVAL);
    client_stop();
}
END_TEST

/* --- directories ---------------------------------------------------------------------------- */

START_TEST(directory_of_many_names)
{
    enum { COUNT = 3000 };
    unsigned char seen[COUNT] = {0};
    struct fsif_dir *dir;
    const char *name;
    char path[32];
    int n;
    int i;

    client_start(1, 30000, 0);
    ck_assert_int_eq(fsif_mkdir(cl, "d", 0755), 0);
    for (i = 0; i < COUNT; i++) {
        snprintf(path, sizeof(path), "d/name-%d", i);
        ck_assert_int_eq(fsif_mkdir(cl, path, 0755), 0);
    }
    ck_assert_int_eq(fsif_opendir(cl, "d", &dir), 0);
    for (n = 0; fsif_readdir(dir, &name) == 1; n++) {
        ck_assert_int_eq(sscanf(name, "name-%d", &i), 1);
        ck_assert_int_eq(seen[i]++, 0);
    }
    ck_assert_int_eq(n, COUNT);
    ck_assert_int_eq(fsif_readdir(dir, &name), 0);
    fsif_closedir(dir);
    ck_assert_int_eq(fsif_opendir(cl, "none", &dir), -FSIF_ENOENT);
    fsif_close(cl, client_file("f", "x", 1));
    ck_assert_int_eq(fsif_opendir(cl, "f", &dir), -FSIF_ENOTDIR);
    client_stop();
}
END_TEST

/* --- connecting ----------------------------------------------------------------------------- */

START_TEST(bad_options)
{
    struct fsif_client_options o;
    struct fsif_export_info *list;
    struct fsif_client *c;

    fsif_client_options_init(&o);
    ck_assert_int_eq(fsif_connect("no-colon", "x", &o, &c), -FSIF_EINVAL);
    ck_assert_int_eq(fsif_connect(NULL, "x", &o, &c), -FSIF_EINVAL);
    ck_assert_int_eq(fsif_connect("shm:/nowhere", "../x", &o, &c), -FSIF_EINVAL);
    o.plugin_dir = "";
    ck_assert_int_eq(fsif_connect("nosuch:/nowhere", "x", &o, &c), -FSIF_EOPNOTSUPP);
    ck_assert_int_eq(fsif_exports("nosuch:/nowhere", &o, &list), -FSIF_EOPNOTSUPP);
    ck_assert_ptr_null(list);
    o.max_calls = 65;
    ck_assert_int_eq(fsif_connect("shm:/nowhere", "x", &o, &c), -FSIF_EINVAL);
    fsif_client_options_init(&o);
    o.size = 1;
    ck_assert_int_eq(fsif_connect("shm:/nowhere", "x", &o, &c), -FSIF_EINVAL);
    fsif_client_options_init(&o);
    o.transport = &fsif_transport_loop;
    ck_assert_int_eq(fsif_connect(NULL, "x", &o, &c), -FSIF_EINVAL);
    fsif_client_options_init(&o);
    o.dialects = 1u << 30;
    ck_assert_int_eq(fsif_connect("shm:/nowhere", "x", &o, &c), -FSIF_EOPNOTSUPP);
    fsif_disconnect(NULL);
}
END_TEST

START_TEST(limits)
{
    struct fsif_limits l;

    client_start(1, 30000, CLIENT_OLD ? 5 : 8);
    fsif_get_limits(cl, &l);
    ck_assert_uint_eq(l.dialect, CLIENT_OLD ? 2 : 3);
    ck_assert_uint_eq(l.max_io, CLIENT_OLD ? 24576 : 1 << 20);
    ck_assert_uint_eq(l.max_calls, CLIENT_OLD ? 5 : 8);
    ck_assert_uint_eq(l.queues, 1);
    ck_assert_uint_eq(l.arena_bytes, CLIENT_OLD ? 0 : 4 << 20);
    ck_assert_uint_eq(l.features, FSIF_FEATURE_ERRNO);
    ck_assert_uint_eq(l.read_only, 0);
    client_stop();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("client");
    TCase *t = tcase_create("client");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, whole_life_of_a_file);
    tcase_add_test(t, open_flags);
    tcase_add_test(t, access_modes_are_held);
    tcase_add_test(t, read_only_export);
    tcase_add_test(t, long_transfers_are_pipelined);
    tcase_add_test(t, pieces_that_end_early);
    tcase_add_test(t, offsets_at_the_end_of_the_world);
    tcase_add_test(t, directory_of_many_names);
    client_add_ends(t);
    tcase_add_test(t, bad_options);
    tcase_add_test(t, limits);
    suite_add_tcase(s, t);
    return run_suite(s);
}
