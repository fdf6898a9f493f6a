/* SPDX-License-Identifier: MIT */
#ifndef FSIF_WIRE_H
#define FSIF_WIRE_H

/*
 * What lies in shared memory. Offsets are part of the protocol: every one is asserted in wire.c
 * and PROTOCOL.md has the same tables in words. Dialects 1 and 2 are in the machine's byte order.
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

#ifdef __cplusplus
}
#endif
#endif
