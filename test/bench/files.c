/* SPDX-License-Identifier: MIT */
/* The tree of a run: big to read, out to write, many/f000000 ..., small/f000000 ..., an empty
 * work/. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "bench.h"

static int at(const struct bench_place *place)
{
    int fd = open(place->data, O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        bench_die("%s: %s", place->data, strerror(errno));
    return fd;
}

static void make(int root, const char *name, const void *data, size_t len, uint64_t times)
{
    int fd = openat(root, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    if (fd < 0)
        bench_die("%s: %s", name, strerror(errno));
    for (uint64_t i = 0; i < times; i++)
        if (write(fd, data, len) != (ssize_t)len)
            bench_die("%s: %s", name, strerror(errno));
    close(fd);
}

static void folder(int root, const char *name)
{
    if (mkdirat(root, name, 0755) != 0)
        bench_die("%s: %s", name, strerror(errno));
}

void bench_files(const struct bench_place *place)
{
    unsigned char *block = bench_alloc(BENCH_BIG);
    int root = at(place);
    char name[64];

    for (size_t i = 0; i < BENCH_BIG; i++)
        block[i] = (unsigned char)(i * 2654435761u >> 24);
    make(root, "big", block, BENCH_BIG, place->file_size / BENCH_BIG);
    make(root, "out", block, BENCH_BIG, place->file_size / BENCH_BIG);
    folder(root, "work");
    folder(root, "many");
    for (unsigned i = 0; i < place->names; i++) {
        snprintf(name, sizeof(name), "many/f%06u", i);
        make(root, name, block, 0, 0);
    }
    folder(root, "small");
    for (unsigned i = 0; i < place->smalls; i++) {
        snprintf(name, sizeof(name), "small/f%06u", i);
        make(root, name, block, BENCH_SMALL, 1);
    }
    close(root);
    free(block);
}
