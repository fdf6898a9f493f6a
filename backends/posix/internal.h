/* SPDX-License-Identifier: MIT */
#ifndef FSI_POSIX_INTERNAL_H
#define FSI_POSIX_INTERNAL_H

/* What the files of the posix store share. */

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/stat.h>
#include <fsif/error.h>
#include <fsif/host.h>
#include <fsif/op.h>
#include <fsif/store.h>

/* How often a name is looked at again that changed what it is meanwhile; then -FSIF_EAGAIN. */
#define POSIX_SWAPS 100

/* How many links a name may lead through, as in Linux. */
#define POSIX_LINKS 40

/* A file's number: its descriptor; whether changing it must first take set-id bits away; whether it
 * is a directory, or open with FSIF_O_PATH; and how many components below the root it was opened,
 * which is where it is looked for first when it is used as a base. */
#define POSIX_FILE_SETID (UINT64_C(1) << 32)
#define POSIX_FILE_DIR (UINT64_C(1) << 33)
#define POSIX_FILE_PATH (UINT64_C(1) << 34)
#define POSIX_DEPTH_SHIFT 48
#define POSIX_DEPTH_UNKNOWN 0xfffu

/* Directories that are read at once wait for each other if their numbers share a place here. */
#define POSIX_READERS 64u

/* File systems of an export that are told apart by a small number. */
#define POSIX_DEVICES 32u

struct posix_reader {
    _Atomic uint64_t dir; /* that is being read and was in the export when this began; 0: none */
    pthread_mutex_t lock; /* of the directory's position, and of the rest */
    uint64_t rest_dir;    /* whose entries were read and not taken */
    uint64_t rest_cookie; /* where they begin */
    uint32_t rest_len;    /* bytes */
    char *rest;           /* NULL: none */
};

/* Watches of a store, see watch.c */
#define POSIX_WATCHES 256u

struct posix_watch {
    int fd;    /* the directory */
    int wd;    /* inotify's number of it */
    int above; /* and of the directory above it; -1: not watched */
    uint32_t what;
    uint8_t used;
    uint8_t lost; /* to be told that changes were lost */
    uint8_t gone; /* its removal was told */
};

struct posix_watches {
    pthread_mutex_t lock;
    int queue;     /* inotify; -1, like the next two: nobody watches yet */
    int rest;      /* an eventfd: something was read and is not handed out */
    int poll;      /* an epoll of both */
    int has_rest;  /* rest is readable */
    uint32_t at;   /* the event to offer */
    uint32_t len;  /* bytes of events */
    uint32_t next; /* the watch to offer it to */
    struct posix_watch watch[POSIX_WATCHES];
    _Alignas(8) char events[4096];
};

/* Directories that are kept open, see cache.c */
#define POSIX_PARENTS 32u
#define POSIX_PARENT_MAX 255u

struct posix_parent {
    int fd;
    uint32_t users;
    uint32_t stamp; /* when it was used last */
    uint32_t len;
    uint8_t used;
    uint8_t dead; /* to be closed by its last user, and nobody else's any more */
    dev_t dev;    /* what it is */
    ino_t ino;
    char path[POSIX_PARENT_MAX + 1];
};

struct posix_cache {
    pthread_mutex_t lock;
    uint32_t clock;
    uint32_t forgotten;
    uint32_t moves; /* that were counted when all that is kept was forgotten last */
    struct posix_parent parent[POSIX_PARENTS];
};

/* Files that are mapped, see mapped.c. Those with higher descriptors are not. */
#define POSIX_MAPPED_FDS 4096
#define POSIX_MAPPINGS 64u

struct posix_mapping;
struct posix_region;

struct posix_mapped_fds {
    _Atomic(struct posix_mapping *) file[POSIX_MAPPED_FDS]; /* the last one of each descriptor */
    _Atomic uint32_t reads[POSIX_MAPPED_FDS];               /* plain ones */
};

struct posix_maps {
    pthread_mutex_t lock;
    pthread_t thread;  /* that gives leases back */
    _Atomic pid_t tid; /* its number; 0: there is none yet */
    int stop;
    uint32_t nactive;
    struct posix_mapping *active[POSIX_MAPPINGS];
    struct posix_region *ended; /* to be unmapped */
    _Atomic uint32_t windows;   /* that are mapped, of all */
    struct posix_mapped_fds *fds;
};

struct fsif_store {
    int root;
    int proc;       /* /proc/self/fd; -1: there is none */
    int chmod_path; /* whether O_PATH descriptors are good for chmod */
    dev_t root_dev;
    ino_t root_ino;
    uint32_t read_only;
    uint32_t setid;
    uint32_t xdev;
    uint32_t special;
    uint32_t exclusive;
    uint32_t map;
    uint32_t uid;
    uint32_t gid;
    uint64_t resolve; /* RESOLVE_* of every resolution */
    pthread_mutex_t lock;
    dev_t devices[POSIX_DEVICES]; /* under lock */
    uint32_t ndevices;
    struct posix_reader readers[POSIX_READERS];
    struct posix_watches watches;
    struct posix_cache cache;
    int (*copy)(void *dst, const void *src, size_t len); /* NULL: no file is mapped */
    uint32_t (*moves)(void *arg, uint32_t add);          /* of all who serve the export, or NULL */
    void *moves_arg;
    struct posix_maps maps;
};

/* Where a path starts: a directory that is in the export. */
struct posix_from {
    int fd;
    uint32_t depth;
    struct posix_parent *held; /* fd is of the cache; NULL: it is not */
};

/* A path cut in two: an open directory and the last component, trailing slash included. */
struct posix_place {
    int from;                  /* the directory that the path starts at */
    int dir;                   /* O_PATH, the base or the root itself */
    int owned;                 /* dir is to be closed */
    struct posix_parent *held; /* dir is of the cache; NULL: it is not */
    const char *last;
    char parent[FSIF_PATH_MAX + 1];
};

/* What an open is to be, in the host's words */
struct posix_want {
    int access;     /* O_RDONLY and so on, O_APPEND, O_SYNC, O_DSYNC */
    uint32_t flags; /* FSIF_O_* */
    uint32_t mode;
};

/* A new node that is neither a file nor a directory */
struct posix_node {
    mode_t mode; /* with its type */
    dev_t device;
    const char *target; /* of a link; else NULL */
};

static inline int posix_fail(void)
{
    return -fsif_errno_from_host(errno);
}

static inline int posix_fd(const struct fsif_store *st, uint64_t file)
{
    return file == FSIF_STORE_ROOT ? st->root : (int)(uint32_t)file;
}

/* resolve.c */
int fsi_posix_resolve(const struct fsif_store *st, int from, const char *path, int flags);
int fsi_posix_beneath(const struct fsif_store *st, int from, const char *path, int flags,
                      uint64_t resolve);
int fsi_posix_place(struct fsif_store *st, int from, const char *path, struct posix_place *out);
void fsi_posix_unplace(struct fsif_store *st, struct posix_place *place);
int fsi_posix_removed(int dir, int err);
int fsi_posix_gone(const struct posix_place *place, int err);
int fsi_posix_reopen(const struct fsif_store *st, int fd, int access);

/* base.c */
int fsi_posix_from(const struct fsif_store *st, uint64_t base, struct posix_from *out);
int fsi_posix_start(struct fsif_store *st, uint64_t base, const char **path,
                    struct posix_from *out);
int fsi_posix_start_second(struct fsif_store *st, uint64_t base, const struct posix_from *first,
                           uint64_t base2, const char **path2, struct posix_from *out);
void fsi_posix_stop(struct fsif_store *st, const struct posix_from *from);
int fsi_posix_inside(const struct fsif_store *st, int fd, uint32_t depth);
int fsi_posix_is_root(const struct fsif_store *st, const struct stat *now);
uint64_t fsi_posix_file(int fd, uint64_t kind, uint32_t depth);
uint32_t fsi_posix_depth(const struct posix_from *from, const char *path);
int fsi_posix_climb(const struct fsif_store *st, int from, const char *path, int flags);

/* cache.c */
void fsi_posix_shorten(struct fsif_store *st, const char **path, struct posix_from *from);
struct posix_parent *fsi_posix_hold(struct fsif_store *st, const char *path, size_t len);
struct posix_parent *fsi_posix_hold_unseen(struct fsif_store *st, const char *path, size_t len);
void fsi_posix_let_go(struct fsif_store *st, struct posix_parent *e);
void fsi_posix_forget(struct fsif_store *st);

/* attr.c */
int fsi_posix_attr(struct fsif_store *st, int fd, struct fsif_attr *out);
int fsi_posix_look(struct fsif_store *st, const struct posix_from *from, const char *path,
                   uint32_t flags, struct fsif_attr *out);
int fsi_posix_seems_regular(struct fsif_store *st, const struct posix_from *from, const char *path);
int fsi_posix_stat(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags,
                   struct fsif_attr *out);

/* setattr.c */
int fsi_posix_chmod(const struct fsif_store *st, int fd, mode_t mode);
int fsi_posix_has_chmod_path(const struct fsif_store *st);
int fsi_posix_setattr(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags,
                      const struct fsif_setattr *set);

/* open.c */
int fsi_posix_open(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags,
                   uint32_t mode, uint64_t *file, struct fsif_attr *attr);
int fsi_posix_open_existing(struct fsif_store *st, const struct posix_from *from, const char *path,
                            const struct posix_want *want, uint64_t *file, struct fsif_attr *attr);

/* make.c */
mode_t fsi_posix_mode(const struct fsif_store *st, uint32_t mode);
int fsi_posix_make_file(struct fsif_store *st, const struct posix_place *at,
                        const struct posix_want *want, struct fsif_attr *attr);
int fsi_posix_make_node(struct fsif_store *st, const struct posix_place *at,
                        const struct posix_node *node);
int fsi_posix_mkdir(struct fsif_store *st, uint64_t base, const char *path, uint32_t mode);

/* names.c */
int fsi_posix_remove(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags);
int fsi_posix_rename(struct fsif_store *st, uint64_t base, const char *path, uint64_t base2,
                     const char *path2, uint32_t flags);
int fsi_posix_statvfs(struct fsif_store *st, uint64_t base, const char *path,
                      struct fsif_statvfs *out);

/* links.c */
int fsi_posix_mknod(struct fsif_store *st, uint64_t base, const char *path, uint32_t mode,
                    uint64_t rdev);
int fsi_posix_symlink(struct fsif_store *st, const char *target, uint64_t base, const char *path);
int fsi_posix_link(struct fsif_store *st, uint64_t base, const char *path, uint64_t base2,
                   const char *path2, uint32_t flags);
int64_t fsi_posix_readlink(struct fsif_store *st, uint64_t base, const char *path, void *buf,
                           uint32_t len);

/* range.c */
int fsi_posix_allocate(struct fsif_store *st, uint64_t file, uint32_t flags, uint64_t off,
                       uint64_t len);
int64_t fsi_posix_seek(struct fsif_store *st, uint64_t file, uint64_t off, uint32_t flags);
int64_t fsi_posix_copy_range(struct fsif_store *st, uint64_t file, uint64_t off, uint64_t file2,
                             uint64_t off2, uint64_t len);

/* xattr.c */
int64_t fsi_posix_getxattr(struct fsif_store *st, uint64_t base, const char *path, const char *name,
                           uint32_t flags, void *buf, uint32_t len);
int fsi_posix_setxattr(struct fsif_store *st, uint64_t base, const char *path, const char *name,
                       uint32_t flags, const void *buf, uint32_t len);
int64_t fsi_posix_listxattr(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags,
                            void *buf, uint32_t len);
int fsi_posix_removexattr(struct fsif_store *st, uint64_t base, const char *path, const char *name,
                          uint32_t flags);

/* lock.c */
int fsi_posix_lock(struct fsif_store *st, uint64_t file, uint32_t flags, struct fsif_lock *lock);

/* watch.c */
int fsi_posix_watch(struct fsif_store *st, uint64_t dir, uint32_t what, uint32_t *watch);
int fsi_posix_unwatch(struct fsif_store *st, uint32_t watch);
int fsi_posix_watch_fd(struct fsif_store *st);
int fsi_posix_watch_next(struct fsif_store *st, struct fsif_store_change *out);
void fsi_posix_watch_end(struct fsif_store *st);

/* io.c */
int fsi_posix_before_change(const struct fsif_store *st, uint64_t file, uint64_t place);
int fsi_posix_close(struct fsif_store *st, uint64_t file);
int64_t fsi_posix_read(struct fsif_store *st, uint64_t file, void *buf, uint32_t len, uint64_t off);
int64_t fsi_posix_write(struct fsif_store *st, uint64_t file, const void *buf, uint32_t len,
                        uint64_t off, uint32_t flags);
int fsi_posix_sync(struct fsif_store *st, uint64_t file, uint32_t flags);

/* mapped.c */
int fsi_posix_begin_mapped(struct fsif_store *st);
int64_t fsi_posix_read_mapped(struct fsif_store *st, int fd, void *buf, uint32_t len, uint64_t off);
void fsi_posix_close_mapped(struct fsif_store *st, int fd);
void fsi_posix_end_mapped(struct fsif_store *st);

/* list.c */
void fsi_posix_drop_rest(struct fsif_store *st, uint64_t dir);
int fsi_posix_readdir(struct fsif_store *st, uint64_t dir, uint64_t cookie, fsif_store_entry_fn *fn,
                      void *arg);

#endif
