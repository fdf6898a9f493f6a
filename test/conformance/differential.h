/* SPDX-License-Identifier: MIT */
#ifndef FSIF_TEST_DIFFERENTIAL_H
#define FSIF_TEST_DIFFERENTIAL_H

/*
 * The differential test: a step is an operation that both sides carry out, the library on an export
 * and plain system calls on a twin directory. What they answer is brought into one form and
 * compared.
 */

#include <stddef.h>
#include <stdint.h>
#include <fsif/client.h>

enum step_kind {
    STEP_OPEN,
    STEP_CREATE,
    STEP_CLOSE,
    STEP_READ,
    STEP_WRITE,
    STEP_STAT,
    STEP_TRUNCATE,
    STEP_CHMOD,
    STEP_SYNC,
    STEP_REMOVE,
    STEP_RENAME,
    STEP_MKDIR,
    STEP_LIST,
    STEP_SPACE,
    STEP_KINDS
};

/* A step on handles works on the file that an earlier step put into the slot; on an empty slot both
 * sides leave it out. So any part of a sequence is a sequence. */
enum { SLOTS = 6, STEP_PATH = 300, MAX_IO = 40000 };

struct step {
    uint32_t kind;
    uint32_t slot;
    uint32_t mode;
    uint32_t len;
    uint64_t off;
    uint64_t seed; /* of the bytes to write */
    char path[STEP_PATH];
    char path2[STEP_PATH];
};

struct answer {
    int64_t value; /* 0 or a count, or a negative FSIF_E* */
    uint64_t hash; /* of what else came: data, attributes, names */
};

/* Small, fast, and the same everywhere. */
uint64_t random_next(uint64_t *state);
uint32_t random_below(uint64_t *state, uint32_t n);

#define HASH_START UINT64_C(0xcbf29ce484222325)
uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t len);

/** step_random - a step on few names, so that steps meet; @links: some names are links */
void step_random(struct step *s, uint64_t *state, int links);
void step_print(const struct step *s);
void step_fill(const struct step *s, unsigned char *buf); /* the bytes of a write */

/* --- plain.c: system calls on a directory ---------------------------------------------------- */

struct plain {
    int root;
    int fds[SLOTS]; /* -1: empty */
};

void plain_start(struct plain *p, const char *directory);
struct answer plain_step(struct plain *p, const struct step *s);
void plain_stop(struct plain *p);

/* --- library.c: the same through the library ------------------------------------------------- */

struct library {
    struct fsif_client *cl;
    char prefix[64]; /* directory in the export, with its slash */
    int handles[SLOTS];
    const char *plant; /* a bug to make, or NULL */
};

void library_start(struct library *l, struct fsif_client *cl, const char *directory);
struct answer library_step(struct library *l, const struct step *s);
void library_stop(struct library *l);

/* --- tree.c ---------------------------------------------------------------------------------- */

/** tree_seed - make the tree that sequences begin with, below a directory of this host */
void tree_seed(const char *directory);

/**
 * tree_dump_host, tree_dump_library - names, types, modes, owners, sizes and contents, as sorted
 * lines
 *
 * Return: malloc'd text
 */
char *tree_dump_host(const char *directory);
char *tree_dump_library(struct fsif_client *cl, const char *directory);

/* --- modes ----------------------------------------------------------------------------------- */

struct world {
    struct fsif_client *cl;
    struct fsif_client *other; /* a second session on the same export */
    const char *host;          /* the export's directory, or NULL */
    const char *twin;          /* a directory for the plain side */
    const char *plant;
    uint64_t seed;
    uint32_t ops;
    uint32_t threads;
    uint32_t rounds;
};

/* Return: 0; 1 after printing what differs */
int run_sequences(struct world *w);
int run_races(struct world *w);

#endif
