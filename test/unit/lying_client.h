/* SPDX-License-Identifier: MIT */
/* A client library, of what get needs, that says whatever a test wants: `lies`. */
#ifndef LYING_CLIENT_H
#define LYING_CLIENT_H

#include <stddef.h>
#include <stdint.h>

struct node {
    const char *name;
    uint32_t mode;
    uint32_t nlink;
    uint64_t ino;
    uint64_t size;
    uint64_t blocks;
};

struct lies {
    struct node say[16];  /* what the root lists */
    struct node inner[4]; /* what every other directory lists */
    const char *data;     /* of every file */
    size_t data_len;
    const char *target; /* of every link */
    int64_t target_len;
    const char *xattr_list;
    int64_t xattr_len;
    int64_t read_result; /* of readfile, unless 0 */
    int64_t seeks[8];    /* what fsif_seek() answers, one after the other */
    _Atomic unsigned int sought;
    uint32_t mode_now; /* of a file when it is read, unless 0 */
};

extern struct lies lies;

#endif
