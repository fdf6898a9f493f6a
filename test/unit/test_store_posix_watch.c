/* SPDX-License-Identifier: MIT */

/* The posix store's watches. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "store_posix_fixture.h"

static uint32_t watch_for(uint64_t dir, uint32_t what)
{
    uint32_t watch = UINT32_MAX;

    ck_assert_int_eq(OPS->watch(store, dir, what, &watch), 0);
    return watch;
}

static int is_readable(void)
{
    struct pollfd fd = {.fd = OPS->watch_fd(store), .events = POLLIN};

    ck_assert_int_ge(fd.fd, 0);
    return poll(&fd, 1, 0);
}

static void next_is(uint32_t watch, uint32_t what, const char *name)
{
    struct fsif_store_change change;

    ck_assert_int_eq(is_readable(), 1);
    memset(&change, 0xa5, sizeof(change));
    ck_assert_int_eq(OPS->watch_next(store, &change), 1);
    ck_assert_uint_eq(change.watch, watch);
    ck_assert_uint_eq(change.what, what);
    ck_assert_str_eq(change.name, name);
}

static void nothing_more(void)
{
    struct fsif_store_change change;

    ck_assert_int_eq(OPS->watch_next(store, &change), 0);
    ck_assert_int_eq(is_readable(), 0);
    ck_assert_int_eq(OPS->watch_next(store, &change), 0);
}

static uint64_t make_dir(const char *name)
{
    ck_assert_int_eq(mkdirat(export_fd, name, 0755), 0);
    return open_dir(store, name);
}

START_TEST(changes)
{
    uint64_t d = make_dir("d");
    uint32_t w = watch_for(d, FSIF_CHANGE_ALL);

    nothing_more();
    put(export_fd, "d/f", "text");
    next_is(w, FSIF_CHANGE_CREATE, "f");
    next_is(w, FSIF_CHANGE_CONTENT, "f");
    nothing_more();
    ck_assert_int_eq(fchmodat(export_fd, "d/f", 0600, 0), 0);
    next_is(w, FSIF_CHANGE_ATTR, "f");
    ck_assert_int_eq(renameat(export_fd, "d/f", export_fd, "d/g"), 0);
    next_is(w, FSIF_CHANGE_REMOVE, "f");
    next_is(w, FSIF_CHANGE_CREATE, "g");
    ck_assert_int_eq(unlinkat(export_fd, "d/g", 0), 0);
    next_is(w, FSIF_CHANGE_REMOVE, "g");
    ck_assert_int_eq(fchmodat(export_fd, "d", 0700, 0), 0);
    next_is(w, FSIF_CHANGE_ATTR, "");
    nothing_more();
    ck_assert_int_eq(OPS->unwatch(store, w), 0);
    ck_assert_int_eq(OPS->unwatch(store, w), -FSIF_EINVAL);
    put(export_fd, "d/f", "text");
    nothing_more();
    OPS->close(store, d);
}
END_TEST

/* Each watch of a directory hears what it asked for. */
START_TEST(several)
{
    uint64_t d = make_dir("d"), again = open_dir(store, "d"), e = make_dir("e");
    uint32_t a = watch_for(d, FSIF_CHANGE_CREATE);
    uint32_t b = watch_for(again, FSIF_CHANGE_CREATE | FSIF_CHANGE_REMOVE);
    uint32_t c = watch_for(e, FSIF_CHANGE_ALL);

    put(export_fd, "d/f", "");
    put(export_fd, "e/f", "");
    next_is(a, FSIF_CHANGE_CREATE, "f");
    next_is(b, FSIF_CHANGE_CREATE, "f");
    next_is(c, FSIF_CHANGE_CREATE, "f");
    ck_assert_int_eq(unlinkat(export_fd, "d/f", 0), 0);
    next_is(b, FSIF_CHANGE_REMOVE, "f");
    nothing_more();
    ck_assert_int_eq(OPS->unwatch(store, b), 0);
    put(export_fd, "d/g", "");
    next_is(a, FSIF_CHANGE_CREATE, "g");
    nothing_more();
    /* One that ends while changes for it wait. */
    put(export_fd, "d/h", "");
    put(export_fd, "e/h", "");
    ck_assert_int_eq(OPS->unwatch(store, a), 0);
    next_is(c, FSIF_CHANGE_CREATE, "h");
    nothing_more();
    OPS->close(store, d);
    OPS->close(store, again);
    OPS->close(store, e);
}
END_TEST

/* The directory itself goes, in each way there is. */
START_TEST(itself)
{
    uint64_t d;
    uint32_t w;

    ck_assert_int_eq(mkdirat(export_fd, "top", 0755), 0);
    d = make_dir("top/d");
    w = watch_for(d, FSIF_CHANGE_SELF);
    ck_assert_int_eq(renameat(export_fd, "top/d", export_fd, "d2"), 0);
    next_is(w, FSIF_CHANGE_SELF, "");
    nothing_more();
    ck_assert_int_eq(unlinkat(export_fd, "top", AT_REMOVEDIR), 0); /* no longer above it */
    nothing_more();
    ck_assert_int_eq(unlinkat(export_fd, "d2", AT_REMOVEDIR), 0);
    next_is(w, FSIF_CHANGE_SELF, "");
    nothing_more();
    ck_assert_int_eq(OPS->unwatch(store, w), 0);
    OPS->close(store, d);

    d = make_dir("under");
    w = watch_for(d, FSIF_CHANGE_SELF);
    ck_assert_int_eq(mkdirat(export_fd, "over", 0755), 0);
    ck_assert_int_eq(renameat(export_fd, "over", export_fd, "under"), 0);
    next_is(w, FSIF_CHANGE_SELF, "");
    nothing_more();
    OPS->close(store, d);
}
END_TEST

/* What happens beside the root is nobody's business here. */
START_TEST(the_root)
{
    uint64_t d = open_dir(store, ".");
    uint32_t w = watch_for(d, FSIF_CHANGE_ALL);
    char path[256];

    ck_assert_int_eq(mkdir(scratch_path(path, sizeof(path), base, "beside"), 0755), 0);
    ck_assert_int_eq(rmdir(path), 0);
    nothing_more();
    put(export_fd, "f", "");
    next_is(w, FSIF_CHANGE_CREATE, "f");
    nothing_more();
    OPS->close(store, d);
}
END_TEST

/* A watch goes on when the handle is closed; the store's end ends it. */
START_TEST(longer_than_the_handle)
{
    uint64_t d = make_dir("d");
    uint32_t w = watch_for(d, FSIF_CHANGE_CREATE);

    OPS->close(store, d);
    put(export_fd, "d/f", "");
    next_is(w, FSIF_CHANGE_CREATE, "f");
    nothing_more();
}
END_TEST

static unsigned long queue_limit(void)
{
    FILE *f = fopen("/proc/sys/fs/inotify/max_queued_events", "r");
    unsigned long n = 0;

    if (f == NULL || fscanf(f, "%lu", &n) != 1)
        n = 0;
    if (f != NULL)
        fclose(f);
    return n;
}

/* More than the kernel keeps: each watch is told. */
START_TEST(lost)
{
    uint64_t d = make_dir("d"), e = make_dir("e");
    uint32_t a = watch_for(d, FSIF_CHANGE_ALL), b = watch_for(e, FSIF_CHANGE_CREATE);
    unsigned long most = queue_limit(), told = 0, lost_a = 0, lost_b = 0;
    struct fsif_store_change change;

    if (most == 0 || most > 100000) {
        printf("SKIP: the queue is too long to fill\n");
        return;
    }
    put(export_fd, "d/f", "");
    put(export_fd, "d/g", "");
    for (unsigned long i = 0; i <= most; i++) { /* equal events in a row would count once */
        ck_assert_int_eq(fchmodat(export_fd, "d/f", 0600, 0), 0);
        ck_assert_int_eq(fchmodat(export_fd, "d/g", 0600, 0), 0);
    }
    while (OPS->watch_next(store, &change) == 1) {
        told += change.what == FSIF_CHANGE_ATTR;
        lost_a += change.watch == a && change.what == FSIF_CHANGE_LOST;
        lost_b += change.watch == b && change.what == FSIF_CHANGE_LOST;
    }
    ck_assert_uint_gt(told, 0);
    ck_assert_uint_eq(lost_a, 1);
    ck_assert_uint_eq(lost_b, 1);
    put(export_fd, "e/f", "");
    next_is(b, FSIF_CHANGE_CREATE, "f");
    nothing_more();
    OPS->close(store, d);
    OPS->close(store, e);
}
END_TEST

START_TEST(what_cannot_be_watched)
{
    uint64_t d = make_dir("d"), f, p;
    uint32_t w;
    int n = 0;

    put(export_fd, "f", "");
    f = open_at(store, ROOT, "f", FSIF_O_RDONLY);
    p = open_at(store, ROOT, "d", FSIF_O_PATH);
    ck_assert_int_eq(OPS->watch(store, f, FSIF_CHANGE_ALL, &w), -FSIF_ENOTDIR);
    ck_assert_int_eq(OPS->watch(store, p, FSIF_CHANGE_ALL, &w), -FSIF_EBADF);
    ck_assert_int_eq(OPS->watch(store, ROOT, FSIF_CHANGE_ALL, &w), -FSIF_EBADF);
    ck_assert_int_eq(OPS->watch(store, d, 0, &w), -FSIF_EINVAL);
    ck_assert_int_eq(OPS->watch(store, d, FSIF_CHANGE_ALL + 1, &w), -FSIF_EINVAL);
    ck_assert_int_eq(OPS->unwatch(store, 0), -FSIF_EINVAL);
    ck_assert_int_eq(OPS->unwatch(store, UINT32_MAX), -FSIF_EINVAL);
    while (OPS->watch(store, d, FSIF_CHANGE_CREATE, &w) == 0)
        n++;
    ck_assert_int_eq(n, 256);
    ck_assert_int_eq(OPS->watch(store, d, FSIF_CHANGE_CREATE, &w), -FSIF_ENOSPC);
    ck_assert_int_eq(OPS->unwatch(store, 77), 0);
    ck_assert_int_eq(OPS->watch(store, d, FSIF_CHANGE_CREATE, &w), 0);
    ck_assert_uint_eq(w, 77);
    OPS->close(store, d);
    OPS->close(store, f);
    OPS->close(store, p);
}
END_TEST

/* The current directory of the process stays what it is. */
START_TEST(stands_still)
{
    char before[4096], after[4096];
    uint64_t d = make_dir("d");

    ck_assert_ptr_nonnull(getcwd(before, sizeof(before)));
    watch_for(d, FSIF_CHANGE_ALL);
    ck_assert_ptr_nonnull(getcwd(after, sizeof(after)));
    ck_assert_str_eq(before, after);
    OPS->close(store, d);
}
END_TEST

void add_watches(TCase *c)
{
    tcase_add_test(c, changes);
    tcase_add_test(c, several);
    tcase_add_test(c, itself);
    tcase_add_test(c, the_root);
    tcase_add_test(c, longer_than_the_handle);
    tcase_add_test(c, lost);
    tcase_add_test(c, what_cannot_be_watched);
    tcase_add_test(c, stands_still);
}
