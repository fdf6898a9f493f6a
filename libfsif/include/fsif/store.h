/* SPDX-License-Identifier: MIT */
#ifndef FSIF_STORE_H
#define FSIF_STORE_H

/*
 * The store vtable: what an export is kept in.
 *
 * Rules for authors, for every member unless it says otherwise:
 *  - Return 0 or a count, or a negative FSIF_E*: the error of the POSIX call of the same name.
 * EINTR never reaches the caller.
 *  - A path is normalised (fsif_path_normalize): never empty, no leading or double slash, no
 *    component "." or "..", "." for the root. A symbolic link inside the export resolves inside it.
 *  - Any number of threads call at once, also on one file. A call may block: the session's other
 *    requests are taken over by another thread meanwhile.
 *  - Files and streams are plain 64-bit numbers that the store makes and nobody else reads. close
 *    is called once, when no other call on the file runs.
 *  - On a read-only store every member that would change something, and open with
 *    FSIF_STORE_WRITE or FSIF_STORE_TRUNCATE, is -FSIF_EROFS.
 *  - The store masks set-id bits unless its configuration says otherwise.
 */

#include <stddef.h>
#include <stdint.h>
#include <fsif/error.h>
#include <fsif/op.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FSIF_STORE_ABI 1u

/* A plugin's file is fsif-store-NAME.so and exports one variable of this name. */
#define FSIF_STORE_SYMBOL "fsif_store_plugin"

struct fsif_store; /* each store defines its own */

/* open flags; read access is always asked for */
#define FSIF_STORE_WRITE 0x1u
#define FSIF_STORE_CREATE 0x2u /* make it if it is not there, with the given mode */
#define FSIF_STORE_TRUNCATE 0x4u
#define FSIF_STORE_DIRECTORY 0x8u /* a directory, for stat, chmod and sync only */

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
    uint32_t setid; /* keep set-id bits */
    uint32_t xdev;  /* cross mount points */
    uint32_t map;   /* enum fsif_map_kind */
    uint32_t uid;
    uint32_t gid;
    uint64_t max_bytes; /* memory: bytes of file data; 0: the store's default */
    uint32_t max_nodes; /* memory: files and directories; 0: the store's default */
};

struct fsif_store_ops {
    size_t size;      /* sizeof(struct fsif_store_ops) of the build that made it */
    uint32_t abi;     /* FSIF_STORE_ABI */
    uint32_t flags;   /* 0 */
    const char *name; /* as in configurations */

    int (*create)(const struct fsif_store_config *config, struct fsif_store **out);
    void (*destroy)(struct fsif_store *st);

    /* Open a file. -FSIF_EISDIR: a directory without FSIF_STORE_DIRECTORY. FIFOs, sockets and
     * devices are refused without blocking: -FSIF_EACCES. A file that is made here has @mode's
     * permission bits, no umask. */
    int (*open)(struct fsif_store *st, const char *path, uint32_t flags, uint32_t mode,
                uint64_t *file);
    int (*close)(struct fsif_store *st, uint64_t file);
    /* @buf may be shared memory that the peer changes meanwhile. */
    int64_t (*read)(struct fsif_store *st, uint64_t file, void *buf, uint32_t len, uint64_t off);
    int64_t (*write)(struct fsif_store *st, uint64_t file, const void *buf, uint32_t len,
                     uint64_t off);
    int (*stat)(struct fsif_store *st, uint64_t file, struct fsif_attr *out);
    int (*truncate)(struct fsif_store *st, uint64_t file, uint64_t size);
    int (*chmod)(struct fsif_store *st, uint64_t file, uint32_t mode);
    int (*sync)(struct fsif_store *st, uint64_t file);
    /* A file, a link itself, or an empty directory. */
    int (*remove)(struct fsif_store *st, const char *path);
    int (*rename)(struct fsif_store *st, const char *from, const char *to);
    int (*mkdir)(struct fsif_store *st, const char *path, uint32_t mode);
    /* Bytes free for the peer, at most INT64_MAX. */
    int64_t (*space)(struct fsif_store *st, const char *path);

    /* A listing: "." and "..", then every entry present throughout exactly once, in any order.
     * list_next writes the next name with its NUL, at most FSIF_NAME_MAX + 1 bytes, and returns 1,
     * or 0 at the end. One thread at a time per stream. */
    int (*list_open)(struct fsif_store *st, const char *path, uint64_t *stream);
    int (*list_next)(struct fsif_store *st, uint64_t stream, char *name);
    void (*list_close)(struct fsif_store *st, uint64_t stream);
};

#ifdef __cplusplus
}
#endif
#endif
