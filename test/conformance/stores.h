/* SPDX-License-Identifier: MIT */
#ifndef FSIF_TEST_STORES_H
#define FSIF_TEST_STORES_H

/*
 * Two stores side by side: a step is a call on a store's vtable that both carry out. What they
 * answer is brought into one text and compared.
 */

#include <stddef.h>
#include <stdint.h>
#include <fsif/store.h>

enum call {
    CALL_OPEN,
    CALL_CLOSE,
    CALL_READ,
    CALL_WRITE,
    CALL_STAT,
    CALL_SETATTR,
    CALL_SYNC,
    CALL_REMOVE,
    CALL_RENAME,
    CALL_MKDIR,
    CALL_STATVFS,
    CALL_READDIR,
    CALL_MKNOD,
    CALL_LINK,
    CALL_SYMLINK,
    CALL_READLINK,
    CALL_ALLOCATE,
    CALL_SEEK,
    CALL_COPY_RANGE,
    CALL_GETXATTR,
    CALL_SETXATTR,
    CALL_LISTXATTR,
    CALL_REMOVEXATTR,
    CALL_LOCK,
    CALLS
};

/* A step on an open file works on what an earlier step put into the slot; on an empty slot both
 * stores leave it out. So any part of a sequence is a sequence. */
enum { FILES = 4, FROM_ROOT = FILES, CALL_PATH = 300, CALL_BYTES = 40000, ANSWER_TEXT = 400 };

struct call_step {
    uint32_t call;
    uint32_t file, file2; /* slots */
    uint32_t base, base2; /* slots, or FROM_ROOT */
    uint32_t flags;
    uint32_t mode;
    uint32_t len;
    uint64_t off, off2;
    uint64_t seed; /* of the bytes to write */
    struct fsif_setattr set;
    char path[CALL_PATH];
    char path2[CALL_PATH]; /* also what a link says, and the name of an attribute */
};

struct call_answer {
    int64_t value;          /* 0 or a count, or a negative FSIF_E* */
    char text[ANSWER_TEXT]; /* what else came */
};

/* What the machine that the test runs on lets the posix store do */
struct ability {
    int owners;       /* files may be given away */
    int devices;      /* they may be made */
    int xattrs;       /* the file system has them */
    int zero;         /* FSIF_ALLOCATE_ZERO */
    int punch;        /* FSIF_ALLOCATE_PUNCH */
    int unnamed;      /* FSIF_O_TMPFILE */
    int links_of_dir; /* a directory's links count those in it */
    int texts;        /* both stores tell what links say */
    int modes;        /* permissions do not bind this process */
    int roots;        /* what a link says may lead to the root, and above */
    int anything;     /* there is no protocol between that refuses what a store need not see */
};

/* --- stores_steps.c -------------------------------------------------------------------------- */

/** call_random - a step on few names, so that steps meet, of those that both stores have */
void call_random(struct call_step *s, uint64_t *state, const struct ability *can,
                 const struct fsif_store_ops *a, const struct fsif_store_ops *b);
void call_print(const struct call_step *s);
const char *call_name(uint32_t call);
int call_is_there(const struct fsif_store_ops *ops, uint32_t call);

/* --- stores_side.c: one of the two ----------------------------------------------------------- */

struct side {
    const struct fsif_store_ops *ops;
    struct fsif_store *st;
    const struct ability *can;
    const char *plant;     /* a bug to make, or NULL */
    uint64_t files[FILES]; /* FSIF_STORE_ROOT: empty */
    int directory[FILES];
    uint32_t succeeded[CALLS];
};

void side_start(struct side *s, const struct fsif_store_ops *ops, const char *directory,
                const struct ability *can);
struct call_answer side_step(struct side *s, const struct call_step *step);
void side_stop(struct side *s);

/** side_attr - attributes as a text, without what differs between stores or runs */
void side_attr(const struct side *s, const struct fsif_attr *attr, char *out, size_t size);

/* --- remote.c: an export as a store ------------------------------------------------------------
 */

extern const struct fsif_store_ops remote_store;

/** remote_use - the session that the stores are in. Each is the directory of the export that its
 * source names, or the export; it is emptied when it begins */
void remote_use(struct fsif_client *cl);

/* --- stores_tree.c --------------------------------------------------------------------------- */

/** side_tree - names, attributes, contents, texts of links and extended attributes of all that a
 * store has, as sorted lines. Return: malloc'd text */
char *side_tree(struct side *s);

/** side_names - the names and types of an open directory as a sorted list of words; read in pieces
 * of @piece. Return: 0 or a negative FSIF_E*; *@out is malloc'd */
int side_names(struct side *s, uint64_t dir, uint32_t piece, char **out);

#endif
