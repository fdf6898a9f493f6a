/* SPDX-License-Identifier: MIT */
#ifndef FSI_CODEC3_H
#define FSI_CODEC3_H

/*
 * Dialect 3: how each request is laid out, and the pieces that its answers are made of. A row of
 * the table says it all, so PROTOCOL.md can be compared with it.
 */

#include <stdint.h>
#include "codec.h"

/* What a name is for; it decides what is legal in it. */
enum fsi_name_kind {
    FSI_NAME_NONE = 0,
    FSI_NAME_PATH,       /* of an entry: not empty */
    FSI_NAME_PATH_EMPTY, /* of an entry, or empty: the handle itself */
    FSI_NAME_TARGET,     /* what a symbolic link says: any bytes */
    FSI_NAME_XATTR,      /* 1 .. 255 bytes */
    FSI_NAME_EXPORT,     /* as fsif_export_name_valid() */
};

/* Which way a request's data goes, and where it lies. */
enum fsi_data_use {
    FSI_DATA_NONE = 0,
    FSI_DATA_OUT,  /* from the frontend: op.data */
    FSI_DATA_IN,   /* to it: op.buffer */
    FSI_DATA_MANY, /* names out, records in */
};

/* How a row uses its handle. */
enum fsi_handle_use {
    FSI_HANDLE_UNUSED = 0,
    FSI_HANDLE_FILE, /* must be open */
    FSI_HANDLE_BASE, /* or FSIF_HANDLE_ROOT */
};

/* A number of the operation: where it lies in the slot, and in struct fsif_op or fsif_setattr. */
struct fsi_field3 {
    const char *name;
    uint8_t at;
    uint8_t width; /* 2, 4 or 8 octets in the slot */
    uint8_t size;  /* 4 or 8 bytes of the member */
    uint8_t in_set;
    uint16_t member;
};

struct fsi_layout3 {
    uint8_t handle;     /* enum fsi_handle_use */
    uint8_t handle2_at; /* 0: none */
    uint8_t handle2;    /* enum fsi_handle_use */
    uint8_t name[2];    /* enum fsi_name_kind */
    uint8_t names_at;   /* the names themselves, or u32 where in the arena */
    uint8_t names_room; /* octets for names in the slot */
    uint8_t data;       /* enum fsi_data_use */
    uint8_t ranges_at;  /* {u32 at, u32 len} each */
    uint8_t max_ranges;
    uint8_t nfields;
    uint8_t count_at;  /* of ranges, where there may be several */
    uint8_t second_at; /* FSI_DATA_MANY: u32 where the records go */
    uint32_t flags;    /* that are legal */
    const struct fsi_field3 *fields;
};

/* Where the lengths of the names lie in every row that has any */
#define FSI_NAME_LEN_AT(i) (12u + 2u * (i))

/** fsi_layout3 - the layout of an operation of dialect 3 */
const struct fsi_layout3 *fsi_layout3(uint32_t type);

/** fsi_check3 - whether an operation's numbers make sense, on either side. Return: 0; -FSIF_EINVAL
 */
int fsi_check3(const struct fsif_op *op);

/* --- codec3.c: members of the dialect's table --- */

int fsi_check_op3(const struct fsi_dialect *d, const struct fsif_op *op);
uint32_t fsi_part_size3(const struct fsif_op *op);
uint32_t fsi_encode_request3(const struct fsi_dialect *d, const struct fsif_op *op, uint32_t id,
                             uint32_t serial, const uint32_t *where, void *to, void *part);
int fsi_decode_request3(const struct fsi_dialect *d, const void *slot, struct fsif_op *op,
                        struct fsi_operands *o);

/**
 * fsi_names3 - the names of a request into private memory, in their legal form
 *
 * @slot:  private copy; @arena: shared, each octet is read once
 * @names: 2 * FSIF_PAGE_SIZE bytes; op's paths point there
 *
 * Return: 0, or a negative FSIF_E* to answer with
 */
int fsi_names3(const void *slot, const uint8_t *arena, uint32_t arena_size, struct fsi_operands *o,
               char *names, struct fsif_op *op);

/** fsi_ranges3 - whether a request's ranges lie in the arena. Return: 0; -FSIF_EFAULT, -FSIF_EINVAL
 */
int fsi_ranges3(const struct fsif_op *op, uint32_t arena_size, uint32_t max_io,
                const struct fsi_operands *o);

/* --- codec3_data.c: what lies in answers and buffers --- */

void fsi_attr3_put(const struct fsif_attr *a, void *to);
/** fsi_attr3_get - from a private copy. Return: FSIF_POISON_NONE or FSIF_POISON_ATTR */
enum fsif_poison fsi_attr3_get(const void *from, struct fsif_attr *a);
void fsi_statvfs3_put(const struct fsif_statvfs *v, void *to);
enum fsif_poison fsi_statvfs3_get(const void *from, struct fsif_statvfs *v);
void fsi_lock3_put(const struct fsif_lock *lock, void *to);
enum fsif_poison fsi_lock3_get(const void *from, struct fsif_lock *lock);

/** fsi_entry3_size - bytes of an entry */
uint32_t fsi_entry3_size(uint32_t name_len, uint32_t flags);
/** fsi_entry3_put - write an entry to @to, which may be shared; @e->attr only with
 * FSIF_READDIR_ATTR */
void fsi_entry3_put(const struct fsif_entry *e, uint32_t flags, void *to);
/** fsi_entries3_check - whether a private copy of what readdir answered is sound.
 * @last: receives the cookie of the last entry, 0 if there is none */
enum fsif_poison fsi_entries3_check(const void *buffer, uint32_t used, const struct fsif_op *op,
                                    uint64_t *last);

/** fsi_record3_put - write a record of statmany to @to, which may be shared */
void fsi_record3_put(int32_t status, const struct fsif_attr *attr, void *to);
/** fsi_records3_check - whether a private copy of @n records is sound */
enum fsif_poison fsi_records3_check(const void *buffer, uint32_t n);

/* --- notices, in response entries --- */

/** fsi_late3_put, fsi_change3_put - a notice into a zeroed response entry. Return: octets in use */
uint32_t fsi_late3_put(uint64_t cookie, int64_t value, void *to);
uint32_t fsi_change3_put(uint64_t cookie, uint32_t what, const char *name, uint32_t len, void *to);

/** fsi_notice3_get - a notice of a private copy of a response entry; @out->kind 0: a void one */
enum fsif_poison fsi_notice3_get(const void *from, struct fsif_notice *out);

/** fsi_response3_kind - enum fsif_wire3_kind of a private copy */
uint32_t fsi_response3_kind(const void *slot);

#endif
