/* SPDX-License-Identifier: MIT */

/* The memory store: many threads at once. */

#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "store_memory_fixture.h"

enum { THREADS = 8 };

static int pass(void *arg, const struct fsif_store_entry *entry)
{
    (void)arg;
    return entry->name_len > 0;
}

static atomic_int errors;

static void *worker(void *arg)
{
    int me = *(int *)arg;
    char path[32], buf[64];
    uint64_t f;

    for (int i = 0; i < 2000; i++) {
        snprintf(path, sizeof(path), "t%d-%d", me, i % 50);
        if (open_at(path, NEW, 0644, &f) != 0)
            atomic_fetch_add(&errors, 1);
        if (OPS->write(store, f, path, sizeof(path), 0, 0) != sizeof(path) ||
            OPS->read(store, f, buf, sizeof(buf), 0) != sizeof(path) || strcmp(buf, path) != 0)
            atomic_fetch_add(&errors, 1);
        OPS->close(store, f);
        OPS->rename(store, ROOT, path, ROOT, "shared", 0);
        if (i % 20 == 0 && open_at(".", 0, 0, &f) == 0) {
            if (OPS->readdir(store, f, 0, pass, NULL) != 0)
                atomic_fetch_add(&errors, 1);
            OPS->close(store, f);
        }
        remove_at(i % 2 ? "shared" : "t0-1");
    }
    return NULL;
}

START_TEST(threads)
{
    pthread_t thread[8];
    int number[8];

    for (int i = 0; i < 8; i++) {
        number[i] = i;
        ck_assert_int_eq(pthread_create(&thread[i], NULL, worker, &number[i]), 0);
    }
    for (int i = 0; i < 8; i++)
        pthread_join(thread[i], NULL);
    ck_assert_int_eq(atomic_load(&errors), 0);
    remove_at("shared");
    remove_at("t0-1");
    ck_assert_int_eq(space(), 64 << 20);
}
END_TEST

static const char *any(unsigned int *seed)
{
    static const char *const paths[] = {"a", "b",   "c",   "a/a",   "a/b", "b/a",
                                        "l", "l/a", "c/a", "a/b/c", "l/b", "b/c"};

    return paths[(unsigned int)rand_r(seed) % 12];
}

static void change_names(unsigned int *seed)
{
    const char *path = any(seed);

    switch (rand_r(seed) % 7) {
    case 0:
        OPS->mkdir(store, ROOT, path, 0755);
        break;
    case 1:
        OPS->rename(store, ROOT, path, ROOT, any(seed), (uint32_t)rand_r(seed) % 3);
        break;
    case 2:
        OPS->link(store, ROOT, path, ROOT, any(seed), 0);
        break;
    case 3:
        OPS->symlink(store, any(seed), ROOT, path);
        break;
    default:
        OPS->remove(store, ROOT, path, 0);
        break;
    }
}

static void use_file(uint64_t f, unsigned int *seed)
{
    struct fsif_lock lock = {.mode = 1 + (uint32_t)rand_r(seed) % 3, .length = 10};
    uint64_t off = (uint64_t)rand_r(seed) % 20000;
    struct fsif_attr attr;
    char buf[5000] = "";
    uint32_t watch;

    OPS->write(store, f, buf, sizeof(buf), rand_r(seed) % 2 ? off : FSIF_STORE_END, 0);
    OPS->read(store, f, buf, sizeof(buf), off);
    OPS->allocate(store, f, FSIF_ALLOCATE_PUNCH | FSIF_ALLOCATE_KEEP_SIZE, off, 5000);
    OPS->copy_range(store, f, 0, f, 30000, 5000);
    OPS->seek(store, f, off, FSIF_SEEK_DATA);
    OPS->setxattr(store, f, "", "user.a", 0, buf, (uint32_t)off % 100);
    OPS->getxattr(store, f, "", "user.a", 0, buf, sizeof(buf));
    OPS->lock(store, f, off % 2 ? FSIF_LOCK_WHOLE : 0, &lock);
    OPS->stat(store, f, "", 0, &attr);
    truncate_to(f, off);
    OPS->readdir(store, f, 0, pass, NULL);
    if (OPS->watch(store, f, FSIF_CHANGE_ALL, &watch) == 0) {
        change_names(seed);
        if (OPS->unwatch(store, watch) != 0)
            atomic_fetch_add(&errors, 1);
    }
}

static void *anything(void *arg)
{
    unsigned int seed = *(unsigned int *)arg;
    uint64_t f;

    for (int i = 0; i < 3000; i++) {
        uint32_t flags = rand_r(&seed) % 2 ? FSIF_O_RDWR | FSIF_O_CREAT : 0;

        change_names(&seed);
        if (OPS->open(store, ROOT, any(&seed), flags, 0644, &f, NULL) != 0)
            continue;
        use_file(f, &seed);
        if (OPS->close(store, f) != 0)
            atomic_fetch_add(&errors, 1);
    }
    return NULL;
}

/* One takes what the others' watches see. */
static void *taker(void *arg)
{
    struct fsif_store_change c;
    atomic_int *end = arg;

    while (!atomic_load(end))
        OPS->watch_next(store, &c);
    return NULL;
}

/* An entry but "." and "..", if there is one */
static int take_one(void *arg, const struct fsif_store_entry *entry)
{
    if (entry->cookie > 2)
        memcpy(arg, entry->name, entry->name_len + 1);
    return entry->cookie <= 2;
}

static void clear(uint64_t dir)
{
    char name[FSIF_NAME_MAX + 1];
    uint64_t below;

    while (OPS->readdir(store, dir, 0, take_one, name) == 1) {
        int err = OPS->remove(store, dir, name, 0);
        if (err == 0)
            continue;
        ck_assert_int_eq(err, -FSIF_ENOTEMPTY);
        ck_ok(OPS->open(store, dir, name, FSIF_O_DIRECTORY, 0, &below, NULL));
        clear(below);
        ck_ok(OPS->close(store, below));
    }
}

/* Whatever they did to each other, the tree can be taken away, and then nothing is left. */
START_TEST(threads_on_everything)
{
    struct fsif_statvfs before, after;
    unsigned int seed[THREADS];
    pthread_t thread[THREADS], other;
    atomic_int end = 0;
    uint64_t root;

    ck_ok(OPS->statvfs(store, ROOT, "", &before));
    ck_ok(pthread_create(&other, NULL, taker, &end));
    for (unsigned int i = 0; i < THREADS; i++) {
        seed[i] = i;
        ck_ok(pthread_create(&thread[i], NULL, anything, &seed[i]));
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    atomic_store(&end, 1);
    pthread_join(other, NULL);
    ck_assert_int_eq(atomic_load(&errors), 0);
    root = opened(".", 0);
    clear(root);
    ck_ok(OPS->close(store, root));
    ck_ok(OPS->statvfs(store, ROOT, "", &after));
    ck_assert_uint_eq(after.ffree, before.ffree);
    ck_assert_uint_eq(after.bfree, before.bfree);
}
END_TEST

/* What others see of links while names move: what was before is what is after. */
static void *mover(void *arg)
{
    (void)arg;
    for (int i = 0; i < 20000; i++) {
        int err = OPS->rename(store, ROOT, "a", ROOT, "b", FSIF_RENAME_EXCHANGE);

        err |= OPS->rename(store, ROOT, "a", ROOT, "d", FSIF_RENAME_EXCHANGE);
        err |= OPS->rename(store, ROOT, "d", ROOT, "a", FSIF_RENAME_EXCHANGE);
        err |= OPS->rename(store, ROOT, "d", ROOT, "e", 0);
        err |= OPS->rename(store, ROOT, "e", ROOT, "d", 0);
        if (err != 0)
            atomic_fetch_add(&errors, 1);
    }
    return NULL;
}

START_TEST(links_of_what_moves)
{
    struct fsif_attr attr;
    uint32_t links[4];
    uint64_t files[4];
    pthread_t thread;

    ck_ok(open_at("a", NEW, 0644, &files[0]));
    ck_ok(open_at("b", NEW, 0644, &files[1]));
    ck_ok(OPS->link(store, ROOT, "b", ROOT, "another", 0));
    ck_ok(OPS->mkdir(store, ROOT, "d", 0755));
    ck_ok(OPS->mkdir(store, ROOT, "d/inner", 0755));
    files[2] = opened("d", 0);
    files[3] = opened(".", 0);
    for (int i = 0; i < 4; i++) {
        ck_ok(OPS->stat(store, files[i], "", 0, &attr));
        links[i] = attr.nlink;
    }
    atomic_store(&errors, 0);
    ck_ok(pthread_create(&thread, NULL, mover, NULL));
    while (pthread_tryjoin_np(thread, NULL) != 0) {
        for (int i = 0; i < 4; i++) {
            ck_ok(OPS->stat(store, files[i], "", 0, &attr));
            ck_assert_uint_eq(attr.nlink, links[i]);
        }
    }
    ck_assert_int_eq(atomic_load(&errors), 0);
    for (int i = 0; i < 4; i++)
        ck_ok(OPS->close(store, files[i]));
}
END_TEST

void add_threads(TCase *c)
{
    tcase_add_test(c, threads);
    tcase_add_test(c, threads_on_everything);
    tcase_add_test(c, links_of_what_moves);
}
