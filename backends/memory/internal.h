/* SPDX-License-Identifier: MIT */
#ifndef FSI_MEMORY_INTERNAL_H
#define FSI_MEMORY_INTERNAL_H

/* What the files of the memory store share. Every function here is called with the store's lock
 * held. */

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <fsif/error.h>
#include <fsif/op.h>
#include <fsif/store.h>

#define MEMORY_DEFAULT_BYTES (UINT64_C(64) << 20)
#define MEMORY_DEFAULT_NODES 65536u

/* A block of file data, or of pointers to such blocks. */
#define MEMORY_BLOCK 4096u
#define MEMORY_FANOUT 512u

/* Four levels of pointers: 256 TiB. A longer file is -FSIF_EFBIG. */
#define MEMORY_HEIGHT_MAX 4u
#define MEMORY_FILE_MAX (UINT64_C(1) << 48)

#define MEMORY_FILES 65536u

struct memory_node;

struct memory_time {
    int64_t sec;
    uint32_t nsec;
};

/* A name in a directory. */
struct memory_entry {
    struct memory_entry *chain; /* of the same hash bucket */
    struct memory_node *node;
    uint64_t hash;
    uint32_t place; /* in the order */
    uint32_t len;
    char name[];
};

/* Where an entry stands in the order in which its directory's entries were made. */
struct memory_place_in_order {
    uint64_t cookie;            /* grows along the order */
    struct memory_entry *entry; /* NULL: it went */
};

struct memory_dir {
    struct memory_node *parent; /* NULL: the root, or removed */
    struct memory_entry **buckets;
    struct memory_place_in_order *order;
    uint64_t cookie;   /* of the newest entry */
    uint32_t nbuckets; /* a power of two; 0 before the first entry */
    uint32_t count;
    uint32_t used, room; /* of order */
    uint32_t subdirs;
};

union memory_block {
    unsigned char data[MEMORY_BLOCK];
    union memory_block *below[MEMORY_FANOUT];
};

/* Data as a tree of blocks that are made when they are written to. */
struct memory_data {
    union memory_block *root;
    uint32_t height; /* 0: the root is data; h: it covers MEMORY_BLOCK * MEMORY_FANOUT^h bytes */
    uint64_t blocks; /* of data */
    uint64_t size;
};

struct memory_node {
    struct memory_node *older; /* of all nodes of the store */
    struct memory_node *newer;
    uint32_t directory;
    uint32_t mode;
    uint32_t refs;   /* open files */
    uint32_t linked; /* has a name, or is the root */
    uint32_t uid, gid;
    uint64_t ino;
    struct memory_time atime, mtime, ctime, btime;
    union {
        struct memory_dir dir;
        struct memory_data data;
    } u;
};

/* An open file; free ones are chained by next. */
struct memory_file {
    struct memory_node *node;
    uint32_t generation;
    uint32_t flags; /* FSIF_O_* */
    uint32_t next;
    uint64_t until; /* a listing gives nothing that was made after it began */
};

struct fsif_store {
    pthread_mutex_t lock;
    uint32_t read_only, setid;
    uint32_t uid, gid;
    uint32_t max_nodes, nodes;
    uint64_t max_bytes, bytes; /* blocks in use, data and pointers alike */
    uint64_t seed[2];
    struct memory_node *root;
    struct memory_node *newest;
    struct memory_file *files;
    uint32_t nfiles, free_file; /* free_file: index, nfiles if none */
    uint64_t ino;               /* of the newest node */
};

/* Where the last component of a path is. */
struct memory_place {
    struct memory_node *dir;
    struct memory_entry *entry; /* NULL: no such name */
    const char *name;
    uint32_t len; /* 0: the path is the base itself */
    uint32_t slash;
};

/* node.c */
struct memory_node *fsi_memory_node(struct fsif_store *st, int directory, uint32_t mode);
void fsi_memory_unref(struct fsif_store *st, struct memory_node *node);
void fsi_memory_free_node(struct fsif_store *st, struct memory_node *node);
void fsi_memory_changed(struct memory_node *node);
void fsi_memory_touched(struct memory_node *node);
void fsi_memory_attr(const struct memory_node *node, struct fsif_attr *out);
uint32_t fsi_memory_mode(const struct fsif_store *st, uint32_t mode);
int fsi_memory_stat(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags,
                    struct fsif_attr *out);
int fsi_memory_setattr(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags,
                       const struct fsif_setattr *set);

/* dir.c */
struct memory_entry *fsi_memory_find(const struct fsif_store *st, const struct memory_node *dir,
                                     const char *name, size_t len);
int fsi_memory_link(struct fsif_store *st, struct memory_node *dir, const char *name, size_t len,
                    struct memory_node *node);
void fsi_memory_unlink(struct memory_node *dir, struct memory_entry *entry);
int fsi_memory_place(struct fsif_store *st, uint64_t base, const char *path,
                     struct memory_place *out);
int fsi_memory_lookup(struct fsif_store *st, uint64_t base, const char *path,
                      struct memory_node **out);

/* list.c */
int fsi_memory_readdir(struct fsif_store *st, uint64_t dir, uint64_t cookie,
                       fsif_store_entry_fn *fn, void *arg);

/* data.c */
int64_t fsi_memory_data_read(const struct memory_data *d, void *buf, uint32_t len, uint64_t off);
int64_t fsi_memory_data_write(struct fsif_store *st, struct memory_data *d, const void *buf,
                              uint32_t len, uint64_t off);
int fsi_memory_data_resize(struct fsif_store *st, struct memory_data *d, uint64_t size);

/* names.c */
int fsi_memory_remove(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags);
int fsi_memory_rename(struct fsif_store *st, uint64_t base, const char *path, uint64_t base2,
                      const char *path2, uint32_t flags);
int fsi_memory_mkdir(struct fsif_store *st, uint64_t base, const char *path, uint32_t mode);

/* file.c */
struct memory_file *fsi_memory_file(struct fsif_store *st, uint64_t file);
int fsi_memory_open(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags,
                    uint32_t mode, uint64_t *file, struct fsif_attr *attr);
int fsi_memory_close(struct fsif_store *st, uint64_t file);
int64_t fsi_memory_read(struct fsif_store *st, uint64_t file, void *buf, uint32_t len,
                        uint64_t off);
int64_t fsi_memory_write(struct fsif_store *st, uint64_t file, const void *buf, uint32_t len,
                         uint64_t off, uint32_t flags);
int fsi_memory_sync(struct fsif_store *st, uint64_t file, uint32_t flags);

#endif
