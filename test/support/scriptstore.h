/* SPDX-License-Identifier: MIT */
#ifndef TEST_SCRIPTSTORE_H
#define TEST_SCRIPTSTORE_H

/*
 * A store that answers what the test says, remembers what it was asked, counts what is open and
 * can be made to block. Any thread may call it.
 */

#include <pthread.h>
#include <stdint.h>
#include <fsif/op.h>
#include <fsif/store.h>

#define SCRIPT_FILES 4096u
#define SCRIPT_STREAMS 256u /* directories, numbered from SCRIPT_FILES on */

struct scriptstore {
    pthread_mutex_t lock;
    pthread_cond_t changed;

    /* The script. */
    int open_error[4];             /* answers of the next opens, in order; 0: success */
    int64_t answer[FSIF_OP_COUNT]; /* of the other members; a read moves that many bytes */
    struct fsif_attr attr;         /* stat's */
    unsigned names;                /* entries of every directory */
    unsigned name_size;            /* bytes of each with its NUL, 8 .. 256 */
    struct fsif_statvfs vfs;       /* statvfs's, unless answer[FSIF_OP_SPACE] is an error */
    uint32_t entry_name_len;       /* what readdir says of its names, unless 0 */
    unsigned list_open_error;      /* a positive FSIF_E*, of an open of a directory */
    unsigned list_fails_at;        /* 1 + the entry that readdir fails at with -FSIF_EIO */
    int held;                      /* read and readdir wait; script_hold() */

    /* What happened. */
    unsigned waiting; /* calls that wait because of held */
    unsigned opens;
    unsigned closes;
    unsigned list_opens; /* with FSIF_O_DIRECTORY */
    unsigned list_closes;
    unsigned nexts; /* entries that readdir named */
    unsigned wrong; /* a file or directory that is not open was used or closed */
    unsigned calls;
    uint64_t base;
    uint64_t base2;
    uint32_t flags;
    uint32_t mode;
    struct fsif_setattr set;
    uint64_t offset;
    uint64_t length;
    char path[FSIF_PATH_MAX + 1];
    char path2[FSIF_PATH_MAX + 1];
    char data[6 * FSIF_PAGE_SIZE]; /* of the last write */
    const void *buffer;            /* of the last read or write */

    unsigned char file_open[SCRIPT_FILES];
    unsigned char directory_open[SCRIPT_STREAMS];
};

void script_init(struct scriptstore *s);
void script_fini(struct scriptstore *s);

/** script_hold - @held 1: reads and readdir block; 0: they go on */
void script_hold(struct scriptstore *s, int held);

/** script_wait - until @n calls are blocked */
void script_wait(struct scriptstore *s, unsigned n);

/** script_name - the name of entry @i and its NUL, s->name_size bytes */
void script_name(const struct scriptstore *s, unsigned i, char *name);

struct fsif_store *script_store(struct scriptstore *s);

extern const struct fsif_store_ops script_ops;

#endif
