/* SPDX-License-Identifier: MIT */
#ifndef FSIF_WIRE_H
#define FSIF_WIRE_H

/*
 * What lies in shared memory. Offsets are part of the protocol: every one is asserted in wire.c
 * and PROTOCOL.md has the same tables in words. Dialects 1 and 2 are in the machine's byte order,
 * dialect 3 is little-endian, indices too.
 */

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A word that both sides see. Only barrier.h touches v_. */
struct fsif_shared_u32 {
    uint32_t v_;
};

/* The head of a ring; slots begin at FSIF_WIRE_RING_SLOTS. */
struct fsif_wire_ring {
    struct fsif_shared_u32 req_prod;  /* @0  written by the frontend */
    struct fsif_shared_u32 req_event; /* @4  written by the backend */
    struct fsif_shared_u32 rsp_prod;  /* @8  written by the backend */
    struct fsif_shared_u32 rsp_event; /* @12 written by the frontend */
};
#define FSIF_WIRE_RING_SLOTS 64u

/* Operation numbers of dialects 1 and 2 */
enum fsif_wire_type {
    FSIF_WIRE_OPEN = 1,
    FSIF_WIRE_CLOSE = 2,
    FSIF_WIRE_READ = 3,
    FSIF_WIRE_WRITE = 4,
    FSIF_WIRE_STAT = 5,
    FSIF_WIRE_TRUNCATE = 6,
    FSIF_WIRE_REMOVE = 7,
    FSIF_WIRE_RENAME = 8,
    FSIF_WIRE_CREATE = 9,
    FSIF_WIRE_LIST = 10,
    FSIF_WIRE_CHMOD = 11,
    FSIF_WIRE_SPACE = 12,
    FSIF_WIRE_SYNC = 13,
};

/*
 * Dialect 1: 32-byte slots, 64 of them in the one ring page. Dialect 2 has the same operands but
 * for read, write and stat, the same listings and the same pages of names.
 */
#define FSIF_WIRE1_SLOT 32u
#define FSIF_WIRE1_SLOTS 64u

struct fsif_wire1_io { /* read, write */
    uint32_t fd;       /* @8 */
    uint32_t gref;     /* @12 */
    uint64_t len;      /* @16 */
    uint64_t offset;   /* @24 */
};

struct fsif_wire1_path { /* open, remove, space */
    uint32_t gref;       /* @8 */
};

struct fsif_wire1_handle { /* close, sync */
    uint32_t fd;           /* @8 */
};

struct fsif_wire1_stat {
    uint32_t fd;   /* @8 */
    uint32_t gref; /* @12 */
};

struct fsif_wire1_truncate {
    uint32_t fd;  /* @8 */
    uint32_t pad; /* @12 */
    int64_t len;  /* @16 */
};

struct fsif_wire1_rename {
    uint16_t old_offset; /* @8 */
    uint16_t new_offset; /* @10 */
    uint32_t gref;       /* @12 */
};

struct fsif_wire1_create {
    int8_t directory; /* @8 */
    uint8_t pad[3];   /* @9 */
    int32_t mode;     /* @12 */
    uint32_t gref;    /* @16 */
};

struct fsif_wire1_list {
    uint32_t offset; /* @8 entries */
    uint32_t gref;   /* @12 */
};

struct fsif_wire1_chmod {
    uint32_t fd;  /* @8 */
    int32_t mode; /* @12 */
};

struct fsif_wire1_request {
    uint8_t type;  /* @0 */
    uint8_t pad0;  /* @1 */
    uint16_t id;   /* @2 */
    uint32_t pad1; /* @4 */
    union {
        struct fsif_wire1_io io;
        struct fsif_wire1_path path;
        struct fsif_wire1_handle handle;
        struct fsif_wire1_stat stat;
        struct fsif_wire1_truncate truncate;
        struct fsif_wire1_rename rename;
        struct fsif_wire1_create create;
        struct fsif_wire1_list list;
        struct fsif_wire1_chmod chmod;
    } u; /* @8 */
};

struct fsif_wire1_response {
    uint16_t id;        /* @0 */
    uint16_t pad0;      /* @2 */
    uint32_t pad1;      /* @4 */
    uint64_t ret;       /* @8 */
    uint8_t unused[16]; /* @16 */
};

/* What a stat request's page holds when it is answered */
struct fsif_wire1_attr {
    int32_t mode;  /* @0 */
    uint32_t uid;  /* @4 */
    uint32_t gid;  /* @8 */
    uint32_t pad;  /* @12 */
    int64_t size;  /* @16 */
    int64_t atime; /* @24 */
    int64_t mtime; /* @32 */
    int64_t ctime; /* @40 */
};

/* The answer of list, in ret */
#define FSIF_WIRE1_LIST_COUNT_MASK 0xffffu
#define FSIF_WIRE1_LIST_ERROR_SHIFT 16
#define FSIF_WIRE1_LIST_MORE_SHIFT 48

/* A name is added to a listing only while more than this many bytes of its page are free. */
#define FSIF_WIRE1_LIST_RESERVE 255u

/* The page of a rename: `old: ` OLD NUL `new: ` NEW NUL. Only the offsets in the slot count. */
#define FSIF_WIRE1_RENAME_LABEL 5u

/*
 * Dialect 2: 56-byte slots, as a response is long; 64 of them for each of 1, 2, 4, 8 or 16 ring
 * pages. Headers of its time speak of 64-byte slots and reckon with 9 pages or more for a read or
 * write: only these lie in the slot.
 */
#define FSIF_WIRE2_SLOT 56u
#define FSIF_WIRE2_SLOTS 64u
#define FSIF_WIRE2_RING_PAGES 16u
#define FSIF_WIRE2_GREFS 6u
#define FSIF_WIRE2_MAX_IO 24576u

struct fsif_wire2_io {                /* read, write */
    uint32_t fd;                      /* @8 */
    uint32_t pad;                     /* @12 */
    uint64_t len;                     /* @16 */
    uint64_t offset;                  /* @24 */
    uint32_t grefs[FSIF_WIRE2_GREFS]; /* @32 as many as len has pages */
};

struct fsif_wire2_request {
    uint8_t type;  /* @0 */
    uint8_t pad0;  /* @1 */
    uint16_t id;   /* @2 */
    uint32_t pad1; /* @4 */
    union {
        struct fsif_wire2_io io;
        struct fsif_wire1_path path;
        struct fsif_wire1_handle handle; /* stat too */
        struct fsif_wire1_truncate truncate;
        struct fsif_wire1_rename rename;
        struct fsif_wire1_create create;
        struct fsif_wire1_list list;
        struct fsif_wire1_chmod chmod;
    } u; /* @8 */
};

/* The answer to stat: what dialect 1 leaves in the page, with the result where that has padding */
struct fsif_wire2_attr {
    int32_t mode;  /* @8 */
    uint32_t uid;  /* @12 */
    uint32_t gid;  /* @16 */
    int32_t ret;   /* @20 */
    int64_t size;  /* @24 */
    int64_t atime; /* @32 */
    int64_t mtime; /* @40 */
    int64_t ctime; /* @48 */
};

struct fsif_wire2_response {
    uint16_t id;   /* @0 */
    uint16_t pad0; /* @2 */
    uint32_t pad1; /* @4 */
    union {
        uint64_t ret;
        struct fsif_wire2_attr attr;
    } u; /* @8 */
};

/*
 * Dialect 3. A queue's ring is one piece of whole pages: the head, N slots of requests, 2N entries
 * of responses. N is a power of two. A response entry is a pair of slots, the second of which is in
 * use only if the first says so. Requests are laid out by the rows of codec3.c.
 */
#define FSIF_WIRE3_SLOT 64u
#define FSIF_WIRE3_RESPONSE 128u
#define FSIF_WIRE3_SLOTS_MIN 8u
#define FSIF_WIRE3_SLOTS_MAX 1024u
#define FSIF_WIRE3_QUEUES_MAX 16u

struct fsif_wire3_ring {
    /* a cache line that the frontend writes */
    struct fsif_shared_u32 req_prod;     /* @0 */
    struct fsif_shared_u32 rsp_event;    /* @4 */
    struct fsif_shared_u32 notices_seen; /* @8 notices that it has taken, since the start */
    uint32_t pad0[13];                   /* @12 */
    /* and one that the backend writes */
    struct fsif_shared_u32 rsp_prod;  /* @64 */
    struct fsif_shared_u32 req_event; /* @68 */
    uint32_t pad1[14];                /* @72 */
};
#define FSIF_WIRE3_RING_SLOTS 128u

/* A page of the grant directory: the gref of the next such page, and grefs of the area's pages */
#define FSIF_WIRE3_DIRECTORY_REFS 1023u
struct fsif_wire3_directory {
    uint32_t next;                            /* @0 not looked at in the last page */
    uint32_t refs[FSIF_WIRE3_DIRECTORY_REFS]; /* @4 */
};

/* Operation numbers of dialect 3 */
enum fsif_wire3_type {
    FSIF_WIRE3_NOP = 1,
    FSIF_WIRE3_OPEN = 2,
    FSIF_WIRE3_CLOSE = 3,
    FSIF_WIRE3_READ = 4,
    FSIF_WIRE3_WRITE = 5,
    FSIF_WIRE3_STAT = 6,
    FSIF_WIRE3_SETATTR = 7,
    FSIF_WIRE3_REMOVE = 8,
    FSIF_WIRE3_RENAME = 9,
    FSIF_WIRE3_MKDIR = 10,
    FSIF_WIRE3_MKNOD = 11,
    FSIF_WIRE3_LINK = 12,
    FSIF_WIRE3_SYMLINK = 13,
    FSIF_WIRE3_READLINK = 14,
    FSIF_WIRE3_READDIR = 15,
    FSIF_WIRE3_STATVFS = 16,
    FSIF_WIRE3_SYNC = 17,
    FSIF_WIRE3_ALLOCATE = 18,
    FSIF_WIRE3_SEEK = 19,
    FSIF_WIRE3_COPY_RANGE = 20,
    FSIF_WIRE3_GETXATTR = 21,
    FSIF_WIRE3_SETXATTR = 22,
    FSIF_WIRE3_LISTXATTR = 23,
    FSIF_WIRE3_REMOVEXATTR = 24,
    FSIF_WIRE3_LOCK = 25,
    FSIF_WIRE3_CANCEL = 26,
    FSIF_WIRE3_WATCH = 27,
    FSIF_WIRE3_UNWATCH = 28,
    FSIF_WIRE3_EXPORT = 29,
    FSIF_WIRE3_READFILE = 30,
    FSIF_WIRE3_WRITEFILE = 31,
    FSIF_WIRE3_STATMANY = 32,
};

/* The head of every request */
struct fsif_wire3_request {
    uint8_t type;    /* @0 */
    uint8_t flags;   /* @1 FSIF_WIRE3_INLINE */
    uint16_t id;     /* @2 */
    uint32_t serial; /* @4 counts the session's requests; tells one from another after a break */
    uint32_t handle; /* @8 file, or base; 0 where the operation has none */
    uint8_t operands[52]; /* @12 */
};
#define FSIF_WIRE3_INLINE 0x1u /* the names lie in the slot, else in the arena */

/* The first slot of a response entry */
struct fsif_wire3_response {
    uint16_t id;      /* @0 of an answer, else 0 */
    uint8_t kind;     /* @2 enum fsif_wire3_kind */
    uint8_t flags;    /* @3 FSIF_WIRE3_LONG */
    uint32_t what;    /* @4 change: FSIF_CHANGE_*, else 0 */
    int64_t value;    /* @8 result; change: 0 */
    uint8_t body[48]; /* @16 */
};
#define FSIF_WIRE3_LONG 0x1u /* the second slot is in use */
#define FSIF_WIRE3_BODY 16u

enum fsif_wire3_kind {
    FSIF_WIRE3_ANSWER = 0,
    FSIF_WIRE3_LATE = 1,   /* notice: the result of a lock that waited; body: u64 cookie */
    FSIF_WIRE3_CHANGE = 2, /* notice: something happened below a watched directory */
    FSIF_WIRE3_VOID = 3,   /* nothing; counts as a notice */
};

/* The body of a change; the name goes on into the second slot. */
#define FSIF_WIRE3_CHANGE_NAME 103u
struct fsif_wire3_change {
    uint64_t cookie;                      /* @16 of the watch */
    uint8_t name_len;                     /* @24 */
    uint8_t name[FSIF_WIRE3_CHANGE_NAME]; /* @25 */
};

/* Attributes: the body of an answer, in entries and in records */
struct fsif_wire3_attr {
    uint32_t mode;       /* @0 */
    uint32_t nlink;      /* @4 */
    uint32_t uid;        /* @8 */
    uint32_t gid;        /* @12 */
    uint64_t size;       /* @16 */
    uint64_t blocks;     /* @24 */
    uint64_t ino;        /* @32 */
    int64_t mtime;       /* @40 */
    int64_t atime;       /* @48 */
    int64_t ctime;       /* @56 */
    int64_t btime;       /* @64 */
    uint32_t mtime_nsec; /* @72 */
    uint32_t atime_nsec; /* @76 */
    uint32_t ctime_nsec; /* @80 */
    uint32_t btime_nsec; /* @84 */
    uint64_t dev;        /* @88 */
    uint32_t rdev_major; /* @96 */
    uint32_t rdev_minor; /* @100 */
    uint32_t blksize;    /* @104 */
    uint32_t pad;        /* @108 */
};

struct fsif_wire3_statvfs {
    uint64_t blocks;  /* @0 */
    uint64_t bfree;   /* @8 */
    uint64_t bavail;  /* @16 */
    uint64_t files;   /* @24 */
    uint64_t ffree;   /* @32 */
    uint32_t bsize;   /* @40 */
    uint32_t namemax; /* @44 */
};

struct fsif_wire3_lock {
    uint64_t offset; /* @0 */
    uint64_t length; /* @8 */
    uint32_t mode;   /* @16 */
    uint32_t pad;    /* @20 */
};

/* An entry of readdir: this, the name with its NUL, zeros up to a multiple of 8, and attributes if
 * they were asked for. */
struct fsif_wire3_entry {
    uint64_t cookie;  /* @0 */
    uint64_t ino;     /* @8 */
    uint16_t size;    /* @16 of all of it; a multiple of 8 */
    uint8_t type;     /* @18 the type bits of a mode, shifted right by 12; 0: not known */
    uint8_t name_len; /* @19 */
    int32_t status;   /* @20 of the attributes */
};

/* A record of statmany */
struct fsif_wire3_record {
    int32_t status;              /* @0 */
    uint32_t pad;                /* @4 */
    struct fsif_wire3_attr attr; /* @8 zero if status is not */
};

#ifdef __cplusplus
}
#endif
#endif
