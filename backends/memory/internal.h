/* SPDX-License-Identifier: MIT */
#ifndef FSI_MEMORY_INTERNAL_H
#define FSI_MEMORY_INTERNAL_H

/*
 * What the files of the memory store share.
 *
 * Locks, in the order in which they are taken; nobody holds two of one kind:
 *
 *   st->tree      the names: entries, what they name, which names a node has. Looking up reads it,
 *                 changing a name writes it.
 *   node->lock    what a node is: attributes, data, extended attributes. So files are read side by
 *                 side, and one file by many.
 *   st->life      which nodes and open files there are, and what holds them
 *   st->locking   the locks that open files have
 *   st->watching  watches and what they have seen
 *
 * The last three are never held while another is taken. The number of links of a node is changed
 * with both tree and node->lock held for writing, so either is enough to read it.
 *
 * A node lives as long as it has a name or somebody holds it: an open file, a watch, or a call that
 * works on it. Calls on paths hold the node and let the tree go.
 */

#include <pthread.h>
#include <stdatomic.h>
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
#define MEMORY_FILES_CHUNK 64u
#define MEMORY_LINKS_MAX 65000u
#define MEMORY_FOLLOW_MAX 40u
#define MEMORY_VALUE_MAX 65536u /* of an extended attribute, and of a list of their names */
#define MEMORY_LOCKS 65536u     /* ranges that are held, of all files */
#define MEMORY_FILE_LOCKS 4096u /* of one, as each lock looks at all of them */
#define MEMORY_WATCHES 1024u
#define MEMORY_CHANGES 1024u

/* Cookies of a listing; those of entries come behind them. */
#define MEMORY_COOKIE_DOT 1u
#define MEMORY_COOKIE_DOT_DOT 2u

struct memory_node;

struct memory_time {
    int64_t sec;
    uint32_t nsec;
};

/* A name in a directory. */
struct memory_entry {
    struct memory_entry *chain;   /* of the same hash bucket */
    struct memory_entry *sibling; /* another name of the same node */
    struct memory_node *dir;
    struct memory_node *node;
    uint64_t hash;
    uint32_t place; /* in the order */
    uint32_t len;
    char name[];
};

/* Where an entry stands in the order in which its directory's entries were made. */
struct memory_rank {
    uint64_t cookie;            /* grows along the order */
    struct memory_entry *entry; /* NULL: it went */
};

struct memory_dir {
    struct memory_entry **buckets;
    struct memory_rank *order;
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

struct memory_text {
    char *text; /* with a NUL */
    uint32_t len;
};

struct memory_xattr {
    struct memory_xattr *next;
    uint32_t name_len;
    uint32_t len;
    char name[]; /* with its NUL; the value stands behind it */
};

/* What an open file has locked. */
struct memory_held {
    struct memory_held *next; /* of the same node */
    const struct memory_file *owner;
    uint64_t first, last;
    uint32_t mode;
};

struct memory_node {
    /* st->life */
    struct memory_node *older; /* of all nodes of the store */
    struct memory_node *newer;
    uint32_t holds;
    uint32_t named; /* names; 1 for the root. Changed with the tree held for writing */
    /* constant */
    uint32_t type; /* FSIF_S_IF* */
    uint64_t ino;
    uint64_t rdev;
    struct memory_time btime;
    /* st->tree */
    struct memory_entry *names;
    uint32_t linkable; /* FSIF_O_TMPFILE, and never had a name */
    /* lock */
    pthread_rwlock_t lock;
    uint32_t mode, uid, gid, nlink;
    int moving; /* the tree's lock: a name of it, or in it, moves; links do not show it half way */
    struct memory_time atime, mtime, ctime;
    struct memory_xattr *xattrs;
    /* st->locking: ranges, and the whole file */
    struct memory_held *held[2];
    /* st->watching */
    struct memory_watch *watches;
    union {
        struct memory_dir dir;   /* st->tree */
        struct memory_data data; /* lock */
        struct memory_text link; /* constant */
    } u;
};

/* An open file; free ones are chained by next. */
struct memory_file {
    struct memory_node *node; /* NULL: free */
    uint32_t generation;
    uint32_t flags; /* FSIF_O_* */
    uint32_t next;
    _Atomic uint64_t until; /* a listing gives nothing that was made after it began */
};

struct memory_watch {
    struct memory_node *node;  /* NULL: free */
    struct memory_watch *next; /* of the same node */
    uint32_t what;
    uint32_t lost;
};

struct memory_changes {
    struct memory_watch *watches;      /* MEMORY_WATCHES; NULL before the first */
    struct fsif_store_change *changes; /* MEMORY_CHANGES, a ring */
    uint32_t first, count;
    uint32_t lost; /* watches that lost some */
    int fd;
};

struct fsif_store {
    pthread_rwlock_t tree;
    pthread_mutex_t life, locking, watching;
    /* constant */
    uint32_t read_only, setid, special;
    uint32_t mapped; /* all files belong to uid and gid, and stay theirs */
    uint32_t uid, gid;
    uint32_t max_nodes;
    uint64_t max_bytes;
    uint64_t seed[2];
    struct memory_node *root;
    /* life */
    struct memory_node *newest;
    uint32_t nodes;
    uint32_t names;
    uint64_t ino; /* of the newest node */
    struct memory_file *files[MEMORY_FILES / MEMORY_FILES_CHUNK];
    uint32_t nfiles, free_file; /* free_file: index, nfiles if none */
    /* locking */
    uint32_t nlocks;
    /* watching */
    struct memory_changes seen;

    _Atomic uint64_t bytes;   /* see fsi_memory_charge */
    _Atomic uint32_t watched; /* watches that there are */
};

/* What a walk does with a symbolic link at the end of a path. */
enum memory_last {
    MEMORY_LAST_STAY,     /* nothing */
    MEMORY_LAST_NOFOLLOW, /* nothing, unless a slash stands behind it */
    MEMORY_LAST_FOLLOW,
    MEMORY_LAST_CREATE, /* follow it, unless a slash stands behind it */
};

/* Where the last component of a path is. Good while the tree is held. */
struct memory_place {
    struct memory_node *self; /* not NULL: the path ends here, with no name to work on */
    struct memory_node *dir;
    struct memory_entry *entry; /* NULL: no such name */
    const char *name;
    uint32_t len;
    uint32_t slash;     /* behind the name */
    uint32_t directory; /* a slash on the way says that it must be one */
};

/* node.c */
int fsi_memory_charge(struct fsif_store *st, uint64_t bytes);
void fsi_memory_refund(struct fsif_store *st, uint64_t bytes);
struct memory_time fsi_memory_now(void);
int fsi_memory_init_lock(pthread_rwlock_t *lock);
void fsi_memory_changed(struct memory_node *node); /* lock held */
void fsi_memory_touched(struct memory_node *node); /* lock held */
uint32_t fsi_memory_mode(const struct fsif_store *st, uint32_t mode);
struct memory_node *fsi_memory_node(struct fsif_store *st, uint32_t type, uint32_t mode);
void fsi_memory_hold(struct fsif_store *st, struct memory_node *node);
void fsi_memory_put(struct fsif_store *st, struct memory_node *node);
void fsi_memory_free_all(struct fsif_store *st);

/* hash.c */
uint64_t fsi_memory_hash(const uint64_t seed[2], const char *name, size_t len);

/* The number of links, after names or directories beneath were added or went; and with it the time
 * of the change. */
void fsi_memory_show_links(struct memory_node *node);
void fsi_memory_count_links(struct memory_node *node);

/* dir.c; the tree is held, for writing but for find */
struct memory_entry *fsi_memory_find(const struct fsif_store *st, const struct memory_node *dir,
                                     const char *name, size_t len);
int fsi_memory_link(struct fsif_store *st, const struct memory_place *at, struct memory_node *node);
void fsi_memory_unlink(struct fsif_store *st, struct memory_entry *entry);
void fsi_memory_relink(struct fsif_store *st, struct memory_entry *entry, struct memory_node *node);
void fsi_memory_exchange(struct fsif_store *st, struct memory_entry *a, struct memory_entry *b);

/* walk.c */
struct memory_node *fsi_memory_parent(const struct memory_node *dir);
int fsi_memory_check_name(const struct memory_node *dir, size_t len);
int fsi_memory_start(struct fsif_store *st, uint64_t base, struct memory_node **out);
int fsi_memory_walk(struct fsif_store *st, uint64_t base, const char *path, enum memory_last last,
                    struct memory_place *out);
int fsi_memory_end(const struct memory_place *at, struct memory_node **out);
int fsi_memory_get(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags,
                   struct memory_node **out);

/* data.c; the node's lock is held */
int64_t fsi_memory_data_read(const struct memory_data *d, void *buf, uint32_t len, uint64_t off);
int64_t fsi_memory_data_write(struct fsif_store *st, struct memory_data *d, const void *buf,
                              uint32_t len, uint64_t off);
int fsi_memory_data_resize(struct fsif_store *st, struct memory_data *d, uint64_t size);
void fsi_memory_data_zero(struct fsif_store *st, struct memory_data *d, uint64_t from, uint64_t to);
void fsi_memory_data_blank(struct memory_data *d, uint64_t from, uint64_t to);
int fsi_memory_data_fill(struct fsif_store *st, struct memory_data *d, uint64_t from, uint64_t to);
uint64_t fsi_memory_data_next(const struct memory_data *d, uint64_t from, int hole);

/* open.c */
struct memory_file *fsi_memory_file(const struct fsif_store *st, uint64_t file);
int fsi_memory_open(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags,
                    uint32_t mode, uint64_t *file, struct fsif_attr *attr);
int fsi_memory_close(struct fsif_store *st, uint64_t file);

/* attr.c */
void fsi_memory_attr(struct memory_node *node, struct fsif_attr *out);
int fsi_memory_stat(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags,
                    struct fsif_attr *out);
int fsi_memory_setattr(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags,
                       const struct fsif_setattr *set);
int fsi_memory_statvfs(struct fsif_store *st, uint64_t base, const char *path,
                       struct fsif_statvfs *out);

/* io.c */
int64_t fsi_memory_read(struct fsif_store *st, uint64_t file, void *buf, uint32_t len,
                        uint64_t off);
int64_t fsi_memory_write(struct fsif_store *st, uint64_t file, const void *buf, uint32_t len,
                         uint64_t off, uint32_t flags);
int fsi_memory_sync(struct fsif_store *st, uint64_t file, uint32_t flags);
int fsi_memory_allocate(struct fsif_store *st, uint64_t file, uint32_t flags, uint64_t off,
                        uint64_t len);
int64_t fsi_memory_seek(struct fsif_store *st, uint64_t file, uint64_t off, uint32_t flags);
int64_t fsi_memory_copy_range(struct fsif_store *st, uint64_t file, uint64_t off, uint64_t file2,
                              uint64_t off2, uint64_t len);

/* names.c */
int fsi_memory_remove(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags);
int fsi_memory_rename(struct fsif_store *st, uint64_t base, const char *path, uint64_t base2,
                      const char *path2, uint32_t flags);

/* make.c */
int fsi_memory_mkdir(struct fsif_store *st, uint64_t base, const char *path, uint32_t mode);
int fsi_memory_mknod(struct fsif_store *st, uint64_t base, const char *path, uint32_t mode,
                     uint64_t rdev);
int fsi_memory_hardlink(struct fsif_store *st, uint64_t base, const char *path, uint64_t base2,
                        const char *path2, uint32_t flags);
int fsi_memory_symlink(struct fsif_store *st, const char *target, uint64_t base, const char *path);
int64_t fsi_memory_readlink(struct fsif_store *st, uint64_t base, const char *path, void *buf,
                            uint32_t len);

/* list.c */
int fsi_memory_readdir(struct fsif_store *st, uint64_t dir, uint64_t cookie,
                       fsif_store_entry_fn *fn, void *arg);

/* xattr.c */
int64_t fsi_memory_getxattr(struct fsif_store *st, uint64_t base, const char *path,
                            const char *name, uint32_t flags, void *buf, uint32_t len);
int fsi_memory_setxattr(struct fsif_store *st, uint64_t base, const char *path, const char *name,
                        uint32_t flags, const void *buf, uint32_t len);
int64_t fsi_memory_listxattr(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags,
                             void *buf, uint32_t len);
int fsi_memory_removexattr(struct fsif_store *st, uint64_t base, const char *path, const char *name,
                           uint32_t flags);
void fsi_memory_free_xattrs(struct fsif_store *st, struct memory_node *node);

/* lock.c */
int fsi_memory_lock(struct fsif_store *st, uint64_t file, uint32_t flags, struct fsif_lock *lock);
void fsi_memory_unlock_all(struct fsif_store *st, const struct memory_file *file);

/* watch.c */
int fsi_memory_watch(struct fsif_store *st, uint64_t dir, uint32_t what, uint32_t *watch);
int fsi_memory_unwatch(struct fsif_store *st, uint32_t watch);
int fsi_memory_watch_fd(struct fsif_store *st);
int fsi_memory_watch_next(struct fsif_store *st, struct fsif_store_change *out);
void fsi_memory_tell(struct fsif_store *st, struct memory_node *dir, uint32_t what,
                     const char *name, size_t len);
void fsi_memory_tell_of(struct fsif_store *st, struct memory_node *node, uint32_t what);

#endif
