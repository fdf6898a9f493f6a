/* SPDX-License-Identifier: MIT */
#ifndef FSIF_OP_H
#define FSIF_OP_H

/*
 * The operation as a typed value, the same for every dialect. A frontend fills a struct fsif_op
 * and receives a struct fsif_result; a backend is handed the one and returns the other. Neither
 * lies in shared memory: the codec turns them into slots and pages.
 */

#include <stddef.h>
#include <stdint.h>
#include <fsif/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A page is this long on every host and in every dialect. */
#define FSIF_PAGE_SIZE 4096u

/* The longest path and the longest component of one, in bytes without the NUL. */
#define FSIF_PATH_MAX 4095u
#define FSIF_NAME_MAX 255u

enum fsif_op_type {
    FSIF_OP_NONE = 0,
    FSIF_OP_OPEN,     /* path -> value: handle. Best access the store gives, see fsif_store.open */
    FSIF_OP_CLOSE,    /* handle */
    FSIF_OP_READ,     /* handle, offset, length, buffer -> value: bytes, 0 at end of file */
    FSIF_OP_WRITE,    /* handle, offset, length, data -> value: bytes */
    FSIF_OP_STAT,     /* handle -> attr */
    FSIF_OP_TRUNCATE, /* handle, length */
    FSIF_OP_REMOVE,   /* path: a file or an empty directory */
    FSIF_OP_RENAME,   /* path (old), path2 (new) */
    FSIF_OP_CREATE,   /* path, mode, flags -> value: handle of a file; 0 for a directory */
    FSIF_OP_LIST,     /* path, offset (entries to skip), buffer, length -> value: names, more */
    FSIF_OP_CHMOD,    /* handle, mode */
    FSIF_OP_SPACE,    /* path -> value: free bytes */
    FSIF_OP_SYNC,     /* handle */
    FSIF_OP_COUNT
};

/* fsif_op.flags of FSIF_OP_CREATE */
#define FSIF_CREATE_DIRECTORY 0x1u

/* File type and permission bits of mode: these values, whatever the host's <sys/stat.h> says. */
#define FSIF_S_IFMT 0170000u
#define FSIF_S_IFREG 0100000u
#define FSIF_S_IFDIR 0040000u
#define FSIF_S_IFLNK 0120000u
#define FSIF_S_IFIFO 0010000u
#define FSIF_S_IFSOCK 0140000u
#define FSIF_S_IFCHR 0020000u
#define FSIF_S_IFBLK 0060000u
#define FSIF_S_ISUID 04000u
#define FSIF_S_ISGID 02000u
#define FSIF_S_ISVTX 01000u
#define FSIF_S_PERM 07777u

struct fsif_op {
    uint32_t type;    /* enum fsif_op_type */
    uint32_t handle;  /* from FSIF_OP_OPEN or FSIF_OP_CREATE of the same session */
    uint32_t mode;    /* permission bits */
    uint32_t flags;   /* FSIF_CREATE_* */
    uint64_t offset;  /* read, write: byte; list: number of entries to skip */
    uint64_t length;  /* read, write: bytes; truncate: new size; list: bytes of buffer */
    const char *path; /* NUL-terminated, relative to the export; a leading '/' is its root */
    const char *path2;
    const void *data; /* write: length bytes */
    void *buffer;     /* read, list: length bytes; list: names back to back, each with its NUL */
};

/* What a file is. Times are seconds since 1970 UTC; nanoseconds are 0 where the dialect has none.
 */
struct fsif_attr {
    uint32_t mode; /* FSIF_S_* type and permission bits */
    uint32_t uid;
    uint32_t gid;
    uint32_t nlink; /* 0: the dialect does not carry it */
    uint64_t size;  /* bytes */
    int64_t atime;
    int64_t mtime;
    int64_t ctime;
    uint32_t atime_nsec;
    uint32_t mtime_nsec;
    uint32_t ctime_nsec;
    uint32_t pad_;
};

struct fsif_result {
    int64_t value; /* what the operation's comment says, or a negative FSIF_E* */
    uint32_t more; /* list: entries are left */
    uint32_t used; /* list: bytes of the buffer in use */
    struct fsif_attr attr;
};

/**
 * fsif_op_name - the word for an operation, for logs
 *
 * Return: a constant string; "unknown" for a type that does not exist
 */
const char *fsif_op_name(uint32_t type);

#ifdef __cplusplus
}
#endif
#endif
