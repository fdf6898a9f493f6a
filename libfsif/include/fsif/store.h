/* SPDX-License-Identifier: MIT */
#ifndef FSIF_STORE_H
#define FSIF_STORE_H

/*
 * The store vtable: what an export is kept in.
 *
 * Rules for authors, for every member unless it says otherwise:
 *  - Return 0 or a count, or a negative FSIF_E*: the error of the POSIX call of the same name.
 * EINTR never reaches the caller.
 *  - A path is normalised (fsif_path_normalize): no leading or double slash, no component "." or
 *    "..", "." for the root of a walk. It starts from @base: an open directory of this store, or
 *    FSIF_STORE_ROOT. A symbolic link inside the export resolves inside it, an absolute one from
 *    the export's root. A base that has left the export is -FSIF_ESTALE.
 *  - Where a member takes (@base, @path), an empty path means the open file @base itself.
 *  - Any number of threads call at once, also on one file. A call may block: the session's other
 *    requests are taken over by another thread meanwhile.
 *  - Files are plain 64-bit numbers below FSIF_STORE_ROOT that the store makes and nobody else
 *    reads. close is called once, when no other call on the file runs.
 *  - On a read-only store every member that would change something, and open for writing, with
 *    FSIF_O_CREAT, FSIF_O_TRUNC or FSIF_O_TMPFILE, is -FSIF_EROFS.
 *  - The store masks set-id bits unless its configuration says otherwise.
 *  - A buffer may be shared memory that the peer changes meanwhile. Nothing but what is answered is
 *    written to it.
 *  - Members marked optional may be NULL: the engine answers -FSIF_EOPNOTSUPP.
 */

#include <stddef.h>
#include <stdint.h>
#include <fsif/error.h>
#include <fsif/op.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FSIF_STORE_ABI 2u

/* A plugin's file is fsif-store-NAME.so and exports one variable of this name. */
#define FSIF_STORE_SYMBOL "fsif_store_plugin"

struct fsif_store; /* each store defines its own */

/* As @base: the root of the export */
#define FSIF_STORE_ROOT UINT64_MAX

/* As @off of write: the end of the file, whatever others append meanwhile */
#define FSIF_STORE_END UINT64_MAX

/* An entry of a listing */
struct fsif_store_entry {
    const char *name; /* 1 .. FSIF_NAME_MAX bytes and a NUL; "." and ".." are entries too */
    uint32_t name_len;
    uint32_t type;   /* FSIF_S_IF*; 0: not known without a look */
    uint64_t ino;    /* 0: not known */
    uint64_t cookie; /* goes on behind this entry; never 0 */
};

/* Return: 1 to go on, 0 to stop; the entry that it was called with then counts as not given */
typedef int fsif_store_entry_fn(void *arg, const struct fsif_store_entry *entry);

/* Something that happened below a watched directory */
struct fsif_store_change {
    uint32_t watch;               /* number of the watch */
    uint32_t what;                /* FSIF_CHANGE_*, one or more */
    char name[FSIF_NAME_MAX + 1]; /* of the entry; "" for the directory itself */
};

/* Whom new files belong to */
enum fsif_map_kind {
    FSIF_MAP_DAEMON = 0, /* the serving process */
    FSIF_MAP_OWNER = 1,  /* uid and gid below */
};

struct fsif_store_config {
    size_t size;        /* sizeof(struct fsif_store_config) */
    const char *source; /* what the export's configuration names: a directory, or the store's own
                           words; for logs and for stores that open it themselves */
    int root_fd;        /* posix: a directory descriptor, taken over on success; -1: open @source */
    uint32_t read_only;
    uint32_t setid;     /* keep set-id bits */
    uint32_t xdev;      /* cross mount points */
    uint32_t special;   /* let devices, FIFOs and sockets be made (never opened) */
    uint32_t exclusive; /* nobody but stores that share @moves changes the export: they may cache */
    uint32_t map;       /* enum fsif_map_kind */
    uint32_t uid;
    uint32_t gid;
    uint64_t max_bytes; /* memory: bytes of file data; 0: the store's default */
    uint32_t max_nodes; /* memory: files and directories; 0: the store's default */
    uint32_t nolease;   /* posix: take no leases, and map no files */
    /* memcpy() that survives if @src cannot be read, such as a mapped file that was cut off: it
     * handles SIGBUS, which is the process's to do. Any threads at once. Return: 0; -FSIF_EIO.
     * NULL: there is none, and the store maps nothing. */
    int (*copy)(void *dst, const void *src, size_t len);
    /* Counts what may have made a path lead elsewhere: a directory moved or removed, or who may
     * pass it changed. @add 1: this store did so, and says it before it answers; 0: only asks. An
     * exclusive store keeps nothing of paths that it learned at another count. Any threads at once.
     * Return: the count of all stores of the export, of every process. NULL: this is the only one.
     */
    uint32_t (*moves)(void *arg, uint32_t add);
    void *moves_arg;
};

struct fsif_store_ops {
    size_t size;      /* sizeof(struct fsif_store_ops) of the build that made it */
    uint32_t abi;     /* FSIF_STORE_ABI */
    uint32_t flags;   /* 0 */
    const char *name; /* as in configurations */

    int (*create)(const struct fsif_store_config *config, struct fsif_store **out);
    void (*destroy)(struct fsif_store *st);

    /*
     * Open a file. @flags: FSIF_O_* without STAT; with none of WRONLY and RDWR for reading.
     * A directory opens with RDONLY, with or without FSIF_O_DIRECTORY, and for writing is
     * -FSIF_EISDIR; it is good as a base, for readdir, stat, setattr, sync and watch. FSIF_O_PATH
     * opens anything, links themselves with NOFOLLOW, for use as a base and for stat, setattr,
     * readlink and link only. Otherwise FIFOs, sockets and devices are refused without blocking:
     * -FSIF_EACCES. A file that is made here has @mode's permission bits, no umask. @attr, unless
     * NULL, receives the attributes of what was opened.
     */
    int (*open)(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags,
                uint32_t mode, uint64_t *file, struct fsif_attr *attr);
    int (*close)(struct fsif_store *st, uint64_t file);
    int64_t (*read)(struct fsif_store *st, uint64_t file, void *buf, uint32_t len, uint64_t off);
    /* @flags: FSIF_WRITE_DSYNC. A file opened with FSIF_O_APPEND, and @off FSIF_STORE_END, append.
     */
    int64_t (*write)(struct fsif_store *st, uint64_t file, const void *buf, uint32_t len,
                     uint64_t off, uint32_t flags);
    /* @flags: FSIF_AT_NOFOLLOW. */
    int (*stat)(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags,
                struct fsif_attr *out);
    /* All of @set or, on an error, some of it. @flags: FSIF_AT_NOFOLLOW. */
    int (*setattr)(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags,
                   const struct fsif_setattr *set);
    int (*sync)(struct fsif_store *st, uint64_t file, uint32_t flags); /* FSIF_SYNC_* */
    /* @flags: FSIF_REMOVE_*; neither: a file, a link itself, or an empty directory. */
    int (*remove)(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags);
    int (*rename)(struct fsif_store *st, uint64_t base, const char *path, uint64_t base2,
                  const char *path2, uint32_t flags);
    int (*mkdir)(struct fsif_store *st, uint64_t base, const char *path, uint32_t mode);
    int (*statvfs)(struct fsif_store *st, uint64_t base, const char *path,
                   struct fsif_statvfs *out);
    /*
     * The entries of an open directory behind @cookie, 0 for the beginning, in any order, until @fn
     * stops it or the end. Entries that are there throughout come exactly once, whatever else
     * changes. Any @cookie is survived. Return: 0 at the end, 1 if @fn stopped it. @fn calls no
     * member but stat.
     */
    int (*readdir)(struct fsif_store *st, uint64_t dir, uint64_t cookie, fsif_store_entry_fn *fn,
                   void *arg);

    /* --- optional from here on --- */

    int (*mknod)(struct fsif_store *st, uint64_t base, const char *path, uint32_t mode,
                 uint64_t rdev); /* FSIF_RDEV(); FSIF_S_IFREG too */
    /* @flags: FSIF_AT_FOLLOW. (base, path) is what exists, and may be a FSIF_O_TMPFILE. */
    int (*link)(struct fsif_store *st, uint64_t base, const char *path, uint64_t base2,
                const char *path2, uint32_t flags);
    int (*symlink)(struct fsif_store *st, const char *target, uint64_t base, const char *path);
    /* Return: bytes, without a NUL, at most @len. */
    int64_t (*readlink)(struct fsif_store *st, uint64_t base, const char *path, void *buf,
                        uint32_t len);
    int (*allocate)(struct fsif_store *st, uint64_t file, uint32_t flags, uint64_t off,
                    uint64_t len); /* FSIF_ALLOCATE_* */
    int64_t (*seek)(struct fsif_store *st, uint64_t file, uint64_t off, uint32_t flags);
    int64_t (*copy_range)(struct fsif_store *st, uint64_t file, uint64_t off, uint64_t file2,
                          uint64_t off2, uint64_t len);
    /* Names of attributes: only those of "user." are let through. @len 0 asks for the size;
     * -FSIF_ERANGE: there is more. @flags: FSIF_AT_NOFOLLOW, FSIF_XATTR_*. */
    int64_t (*getxattr)(struct fsif_store *st, uint64_t base, const char *path, const char *name,
                        uint32_t flags, void *buf, uint32_t len);
    int (*setxattr)(struct fsif_store *st, uint64_t base, const char *path, const char *name,
                    uint32_t flags, const void *buf, uint32_t len);
    int64_t (*listxattr)(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags,
                         void *buf, uint32_t len);
    int (*removexattr)(struct fsif_store *st, uint64_t base, const char *path, const char *name,
                       uint32_t flags);
    /* Never waits: -FSIF_EAGAIN, somebody else has it. @flags: FSIF_LOCK_TEST, FSIF_LOCK_WHOLE.
     * With TEST @lock receives who is in the way. The owner of a lock is the open file, whatever
     * other sessions and processes of the host have. */
    int (*lock)(struct fsif_store *st, uint64_t file, uint32_t flags, struct fsif_lock *lock);
    /* Watch an open directory for @what (FSIF_CHANGE_*). @watch: a small number, also of changes.
     */
    int (*watch)(struct fsif_store *st, uint64_t dir, uint32_t what, uint32_t *watch);
    int (*unwatch)(struct fsif_store *st, uint32_t watch);
    /* A descriptor that polls readable when there are changes; the store's own, for its life. */
    int (*watch_fd)(struct fsif_store *st);
    /* The next change. Return: 1; 0 none. Never blocks. One thread at a time. */
    int (*watch_next)(struct fsif_store *st, struct fsif_store_change *out);
};

#ifdef __cplusplus
}
#endif
#endif
