/* SPDX-License-Identifier: MIT */

/*
 * The posix store reads out of mapped files with the worker's copy: these are reads, whatever
 * others do to the file. The export is on tmpfs, which is mapped, and every byte of a file tells
 * where it stands and is not 0.
 */

#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <fsif/posix.h>
#include "guard.h"
#include "scratch.h"
#include "suite.h"

#define OPS (&fsif_store_posix)
#define SIZE (3u << 20) /* more than one window */
#define MANY 1000       /* reads after which a place is mapped for sure */

static char dir[200];
static char path[256];
static struct fsif_store *store;

static unsigned char byte_at(uint64_t off)
{
    return (unsigned char)(1 + off % 251);
}

/* Write [from, to) of the file, behind the store's back. */
static void extend(uint64_t from, uint64_t to)
{
    static unsigned char block[65536];
    int fd = open(path, O_WRONLY | O_CREAT, 0600);

    ck_assert_int_ge(fd, 0);
    while (from < to) {
        size_t n = to - from < sizeof(block) ? (size_t)(to - from) : sizeof(block);
        for (size_t i = 0; i < n; i++)
            block[i] = byte_at(from + i);
        ck_assert_int_eq(pwrite(fd, block, n, (off_t)from), (ssize_t)n);
        from += n;
    }
    close(fd);
}

static struct fsif_store *make(struct fsif_store_config config)
{
    struct fsif_store *st = NULL;

    config.size = sizeof(config);
    config.root_fd = -1;
    config.source = dir;
    ck_assert_int_eq(OPS->create(&config, &st), 0);
    return st;
}

static void setup(void)
{
    alarm(120);
    setenv("TMPDIR", "/dev/shm", 1);
    scratch_make(dir, sizeof(dir));
    scratch_path(path, sizeof(path), dir, "f");
    extend(0, SIZE);
    ck_assert_int_eq(fsi_guard_install(), 0);
    store = make((struct fsif_store_config){.copy = fsi_guarded_copy});
}

static void teardown(void)
{
    OPS->destroy(store);
    scratch_remove(dir);
}

static uint64_t open_file(struct fsif_store *st, uint32_t flags)
{
    uint64_t f = 0;

    ck_assert_int_eq(OPS->open(st, FSIF_STORE_ROOT, "f", flags, 0, &f, NULL), 0);
    return f;
}

/* Mappings of the file in this process */
static int mappings(void)
{
    char line[512];
    FILE *maps = fopen("/proc/self/maps", "r");
    int n = 0;

    while (fgets(line, sizeof(line), maps) != NULL)
        n += strstr(line, path) != NULL;
    fclose(maps);
    return n;
}

/* They go a little after the file was closed or given back. */
static int mappings_go(int to)
{
    while (mappings() > to) /* alarm() */
        usleep(1000);
    return mappings() == to;
}

/* Read [off, off + len) and compare. Returns bytes. */
static int64_t read_at(struct fsif_store *st, uint64_t f, uint64_t off, uint32_t len)
{
    unsigned char *buf = malloc(len + 1u);
    int64_t n = OPS->read(st, f, buf, len, off);

    ck_assert_int_ge(n, 0);
    for (int64_t i = 0; i < n; i++)
        if (buf[i] != byte_at(off + (uint64_t)i))
            ck_abort_msg("byte %lld of the file is %u", (long long)off + i, buf[i]);
    free(buf);
    return n;
}

/* Until all of the file is mapped */
static void read_often(struct fsif_store *st, uint64_t f)
{
    for (int i = 0; i < MANY; i++)
        ck_assert_int_eq(read_at(st, f, (uint64_t)i % 2 * (SIZE - 4096), 4096), 4096);
}

START_TEST(the_same_bytes)
{
    static const struct {
        uint64_t off;
        uint32_t len;
        int64_t n;
    } reads[] = {
        {0, 1, 1},        {1, 8191, 8191},     {4095, 2, 2},        {(2u << 20) - 5, 10, 10},
        {0, SIZE, SIZE},  {1, SIZE, SIZE - 1}, {SIZE - 1, 4096, 1}, {SIZE, 4096, 0},
        {SIZE + 1, 1, 0}, {7, 0, 0},
    };
    unsigned char buf[1];
    uint64_t f = open_file(store, FSIF_O_RDONLY);

    for (int mapped = 0; mapped < 2; mapped++) {
        ck_assert_int_eq(mappings(), mapped);
        for (size_t i = 0; i < sizeof(reads) / sizeof(reads[0]); i++)
            ck_assert_int_eq(read_at(store, f, reads[i].off, reads[i].len), reads[i].n);
        ck_assert_int_eq(OPS->read(store, f, buf, 1, INT64_MAX), -FSIF_EINVAL);
        ck_assert_int_eq(OPS->read(store, f, buf, 1, (uint64_t)INT64_MAX + 1), -FSIF_EINVAL);
        read_often(store, f);
    }
    ck_assert_int_eq(OPS->close(store, f), 0);
    ck_assert(mappings_go(0));
}
END_TEST

/* What is not mapped: a file that somebody may change, one with holes, any without the copy that
 * survives, or where no lease is wanted. */
START_TEST(not_mapped)
{
    struct fsif_store *without = make((struct fsif_store_config){.copy = NULL});
    struct fsif_store *nolease =
        make((struct fsif_store_config){.copy = fsi_guarded_copy, .nolease = 1});
    uint64_t f = open_file(without, FSIF_O_RDONLY), g = open_file(nolease, FSIF_O_RDONLY);
    int fd;

    read_often(without, f);
    read_often(nolease, g);
    ck_assert_int_eq(mappings(), 0);
    OPS->close(without, f);
    OPS->close(nolease, g);
    OPS->destroy(without);
    OPS->destroy(nolease);

    f = open_file(store, FSIF_O_RDWR);
    read_often(store, f);
    g = open_file(store, FSIF_O_RDONLY);
    read_often(store, g);
    ck_assert_int_eq(mappings(), 0);
    OPS->close(store, g);
    OPS->close(store, f);

    fd = open(path, O_RDWR);
    ck_assert_int_eq(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 1 << 20, 4096), 0);
    close(fd);
    f = open_file(store, FSIF_O_RDONLY);
    read_often(store, f);
    ck_assert_int_eq(mappings(), 0);
    OPS->close(store, f);
}
END_TEST

/* Whoever wants to write gets the file, by this store, another one or none, and by its name. */
START_TEST(given_back)
{
    struct fsif_store *other = make((struct fsif_store_config){.copy = fsi_guarded_copy});
    const struct fsif_setattr set = {.mask = FSIF_SET_SIZE, .size = SIZE - 5000};
    uint64_t f = open_file(store, FSIF_O_RDONLY), g;

    read_often(store, f);
    ck_assert_int_eq(mappings(), 1);
    g = open_file(store, FSIF_O_WRONLY);
    ck_assert_int_eq(OPS->write(store, g, "\1", 1, 251, 0), 1);
    OPS->close(store, g);
    ck_assert_int_eq(read_at(store, f, 0, 4096), 4096);

    read_often(store, f); /* it is asked for again some time */
    read_often(store, f);
    ck_assert_int_eq(mappings(), 1);
    g = open_file(other, FSIF_O_RDWR);
    OPS->close(other, g);
    read_often(store, f);
    read_often(store, f);
    read_often(store, f);
    ck_assert_int_eq(OPS->setattr(other, FSIF_STORE_ROOT, "f", 0, &set), 0);
    ck_assert_int_eq(read_at(store, f, SIZE - 8192, 8192), 8192 - 5000);
    ck_assert_int_eq(read_at(store, f, SIZE - 5000, 8192), 0);

    extend(SIZE - 5000, SIZE);
    for (int i = 0; i < 8; i++)
        read_often(store, f);
    ck_assert_int_eq(mappings(), 1);
    ck_assert_int_eq(truncate(path, 10), 0);
    ck_assert_int_eq(read_at(store, f, 0, 4096), 10);
    ck_assert(mappings_go(0));
    OPS->close(store, f);
    OPS->destroy(other);
}
END_TEST

/* The one thing that breaks no lease: every page is gone, and the copy says so. */
START_TEST(emptied_for_reading)
{
    uint64_t f = open_file(store, FSIF_O_RDONLY);
    int fd;

    read_often(store, f);
    ck_assert_int_eq(mappings(), 1);
    fd = open(path, O_RDONLY | O_TRUNC);
    ck_assert_int_ge(fd, 0);
    close(fd);
    ck_assert_int_eq(read_at(store, f, 0, SIZE), 0);
    ck_assert(mappings_go(0));
    extend(0, 5000);
    ck_assert_int_eq(read_at(store, f, 4096, 4096), 5000 - 4096);
    OPS->close(store, f);
}
END_TEST

/* --- a copy that lasts --- */

static atomic_int inside, leave;

static int slow_copy(void *dst, const void *src, size_t len)
{
    atomic_store(&inside, 1);
    while (!atomic_load(&leave)) /* alarm() */
        usleep(100);
    memcpy(dst, src, len);
    return 0;
}

static void *read_once(void *arg)
{
    unsigned char buf[16];
    uint64_t f = *(uint64_t *)arg;

    while (!atomic_load(&inside))
        ck_assert_int_eq(OPS->read(store, f, buf, sizeof(buf), 0), sizeof(buf));
    return NULL;
}

/* Who wants to write waits for the copies under way, and no longer. */
START_TEST(copies_end_first)
{
    pthread_t thread;
    uint64_t f;
    int fd = -1;

    OPS->destroy(store);
    store = make((struct fsif_store_config){.copy = slow_copy});
    f = open_file(store, FSIF_O_RDONLY);
    atomic_store(&inside, 0);
    atomic_store(&leave, 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, read_once, &f), 0);
    while (!atomic_load(&inside))
        usleep(100);
    for (int i = 0; i < 50; i++) {
        ck_assert_int_lt(open(path, O_WRONLY | O_NONBLOCK), 0);
        ck_assert_int_eq(errno, EWOULDBLOCK);
        usleep(1000);
    }
    atomic_store(&leave, 1);
    while (fd < 0)
        fd = open(path, O_WRONLY | O_NONBLOCK);
    close(fd);
    pthread_join(thread, NULL);
    OPS->close(store, f);
}
END_TEST

/* --- a file that is cut off and grows while it is read --- */

static atomic_int writing;

static void *reader(void *arg)
{
    uint64_t f = *(uint64_t *)arg;
    unsigned x = (unsigned)(uintptr_t)&f;

    while (atomic_load(&writing)) {
        x = x * 1664525u + 1013904223u;
        read_at(store, f, x % SIZE, x % 5 == 0 ? 1u << 17 : 4096);
    }
    return NULL;
}

/* Each read is one of the file as it was before or after each change: no byte that was never
 * written, no fault. */
START_TEST(while_it_changes)
{
    uint64_t f = open_file(store, FSIF_O_RDONLY);
    pthread_t readers[3];
    int mapped = 0;

    atomic_store(&writing, 1);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(pthread_create(&readers[i], NULL, reader, &f), 0);
    for (int i = 0; i < 30 || mapped < 6; i++) {
        uint64_t to = SIZE - 1 - (uint64_t)(i % 70) * 40009;
        usleep(20000);
        mapped += mappings();
        ck_assert_int_eq(truncate(path, (off_t)to), 0);
        extend(to, SIZE);
        /* Every lease is asked for later than the one before: a new file number begins anew. */
        if (i % 6 == 5) {
            atomic_store(&writing, 0);
            for (int k = 0; k < 3; k++)
                pthread_join(readers[k], NULL);
            OPS->close(store, f);
            f = open_file(store, FSIF_O_RDONLY);
            atomic_store(&writing, 1);
            for (int k = 0; k < 3; k++)
                ck_assert_int_eq(pthread_create(&readers[k], NULL, reader, &f), 0);
        }
    }
    atomic_store(&writing, 0);
    for (int i = 0; i < 3; i++)
        pthread_join(readers[i], NULL);
    OPS->close(store, f);
}
END_TEST

/* More files than are mapped at once, and a store that goes with all of them open. */
START_TEST(many_files)
{
    struct fsif_store *st = make((struct fsif_store_config){.copy = fsi_guarded_copy});
    uint64_t f[70];
    int n;

    for (int i = 0; i < 70; i++) {
        f[i] = open_file(st, FSIF_O_RDONLY);
        for (int k = 0; k < 40; k++)
            ck_assert_int_eq(read_at(st, f[i], 0, 4096), 4096);
    }
    n = mappings();
    ck_assert_int_eq(n, 64);
    for (int i = 0; i < 70; i += 2)
        OPS->close(st, f[i]);
    ck_assert(mappings_go(32));
    for (int i = 1; i < 70; i += 2)
        OPS->close(st, f[i]);
    OPS->destroy(st);
    ck_assert_int_eq(mappings(), 0);
}
END_TEST

/* --- the copy that survives --- */

START_TEST(cut_off)
{
    unsigned char to[8192];
    int fd = open(path, O_RDWR);
    unsigned char *from = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0);

    ck_assert_ptr_ne(from, MAP_FAILED);
    ck_assert_int_eq(ftruncate(fd, 4096), 0);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(fsi_guarded_copy(to, from, 4096), 0);
        ck_assert_uint_eq(to[4095], byte_at(4095));
        ck_assert_int_eq(fsi_guarded_copy(to, from, 8192), -FSIF_EIO);
    }
    munmap(from, SIZE);
    close(fd);
}
END_TEST

/* A fault elsewhere ends the process as ever. */
START_TEST(elsewhere)
{
    int fd = open(path, O_RDWR), status = 0;
    unsigned char *gone = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    pid_t child;

    ck_assert_int_eq(ftruncate(fd, 0), 0);
    child = fork();
    if (child == 0) {
        dup2(open("/dev/null", O_WRONLY), STDERR_FILENO); /* a sanitizer's report */
        fsi_guarded_copy(gone, "word", 4);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(!WIFEXITED(status) || WEXITSTATUS(status) != 0);
    munmap(gone, 4096);
    close(fd);
}
END_TEST

static int can_lease(void)
{
    char name[] = "/dev/shm/fsif-lease-XXXXXX";
    int fd = mkstemp(name), ok;

    if (fd < 0)
        return 0;
    close(fd);
    fd = open(name, O_RDONLY);
    ok = fcntl(fd, F_SETLEASE, F_RDLCK) == 0;
    close(fd);
    unlink(name);
    return ok;
}

int main(void)
{
    Suite *s = suite_create("server-mapped");
    TCase *c = tcase_create("mapped");
    TCase *guard = tcase_create("guard");

    if (!can_lease()) {
        printf("SKIP: mapped files: no leases on /dev/shm\n");
        return 77;
    }
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_set_timeout(c, 120);
    tcase_add_test(c, the_same_bytes);
    tcase_add_test(c, not_mapped);
    tcase_add_test(c, given_back);
    tcase_add_test(c, emptied_for_reading);
    tcase_add_test(c, copies_end_first);
    tcase_add_test(c, while_it_changes);
    tcase_add_test(c, many_files);
    suite_add_tcase(s, c);
    tcase_add_checked_fixture(guard, setup, teardown);
    tcase_add_test(guard, cut_off);
    tcase_add_test(guard, elsewhere);
    suite_add_tcase(s, guard);
    return run_suite(s);
}
