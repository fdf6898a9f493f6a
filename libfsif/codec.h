/* SPDX-License-Identifier: MIT */
#ifndef FSI_CODEC_H
#define FSI_CODEC_H

/*
 * Operations to slots and back, per dialect. Every check on a peer's bytes lives here. The codec
 * works on private copies only: a slot that the ring copied in, a page that the caller copied in.
 *
 * A dialect is a table with one row for each operation. Slots are at most FSI_SLOT_MAX bytes,
 * responses FSI_RESPONSE_MAX. Dialects 1 and 2 are paged: an operation owns one page, or as many as
 * its data needs, at most FSIF_PAGES_PER_CALL_MAX. In dialect 3 it owns a part of the arena, if it
 * needs any.
 */

#include <stddef.h>
#include <stdint.h>
#include <fsif/backend.h>
#include <fsif/frontend.h>
#include <fsif/hooks.h>
#include <fsif/op.h>
#include <fsif/wire.h>

#define FSI_SLOT_MAX 64u
#define FSI_RESPONSE_MAX 128u

/* How an operation uses its page. */
enum fsi_page_use {
    FSI_PAGE_NONE = 0,
    FSI_PAGE_NAMES,    /* names from frontend to backend */
    FSI_PAGE_DATA_OUT, /* write: data from frontend to backend */
    FSI_PAGE_DATA_IN,  /* read: data from backend to frontend */
    FSI_PAGE_ATTR,     /* stat: attributes from backend to frontend */
    FSI_PAGE_LIST,     /* names to the backend, a listing back */
};

/* One operation of one dialect. Functions are NULL where the operation has nothing to do. */
struct fsi_codec_row {
    uint8_t wire_type;
    uint8_t page_use; /* enum fsi_page_use */
    uint8_t takes_handle;
    uint8_t gives_handle;
    /* Operands of @op into @slot (zeroed before, type and id are the caller's). @grefs: of the
     * pages that the operation needs. */
    void (*encode)(const struct fsif_op *op, const uint32_t *grefs, void *slot);
    /* Operands from @slot into @op (zeroed before); paths and lengths of names are not looked at.
     * Return 0, or a negative FSIF_E* to answer with. */
    int (*decode)(const void *slot, struct fsif_op *op, uint32_t *grefs);
};

struct fsi_dialect {
    uint32_t number;
    uint32_t slot_size;
    uint32_t response_size;
    uint32_t split;  /* requests and responses have rings of their own; there is an arena */
    uint32_t max_io; /* bytes of one read or write; split: the session's matter */
    uint32_t slots_of_one_page;
    uint32_t max_ring_pages;
    const struct fsi_codec_row *rows; /* FSIF_OP_COUNT, by enum fsif_op_type */
    const uint8_t *types;             /* enum fsif_op_type, by number on the wire */
    uint32_t ntypes;

    int (*check_op)(const struct fsi_dialect *d, const struct fsif_op *op);
    /* Bytes of the arena that the request takes; 0: none. NULL: the dialect is paged. */
    uint32_t (*part_size)(const struct fsif_op *op);
    /* As fsi_codec_encode_request(), fsi_codec_decode_response() */
    uint32_t (*encode_request)(const struct fsi_dialect *d, const struct fsif_op *op, uint32_t id,
                               uint32_t serial, const uint32_t *where, void *slot, void *page);
    enum fsif_poison (*decode_response)(const struct fsi_dialect *d, const struct fsif_op *op,
                                        uint32_t features, const void *slot, const void *page,
                                        struct fsif_result *out);
    int (*decode_request)(const struct fsi_dialect *d, const void *slot, struct fsif_op *op,
                          struct fsi_operands *operands);
    /* The largest value that a successful operation answers with */
    int64_t (*largest_value)(const struct fsi_dialect *d, uint32_t type);
    /* The result's value and more; negative values are errors already. */
    void (*encode_result)(uint32_t type, uint32_t features, uint32_t id,
                          const struct fsif_result *result, void *slot);

    /* --- paged dialects: what is alike for all rows of one, and differs between them --- */

    void (*put_request)(void *slot, uint32_t wire_type, uint32_t id);
    /* Bytes that the name (names) of @op take in the page; more than a page: they do not fit. */
    size_t (*names_size)(const struct fsif_op *op);
    void (*encode_names)(const struct fsif_op *op, void *page);
    int (*decode_names)(const void *slot, char *page, const char *strip, struct fsif_op *op);
    enum fsif_poison (*decode_result)(uint32_t type, uint32_t features, const void *slot,
                                      struct fsif_result *out);
    /* Attributes in a page; NULL where no row has FSI_PAGE_ATTR. */
    uint32_t (*encode_attr)(const struct fsif_attr *attr, void *page);
    enum fsif_poison (*decode_attr)(const void *page, struct fsif_attr *out);
    /* The names of out->value entries, into op->buffer. */
    enum fsif_poison (*decode_listing)(const void *page, const struct fsif_op *op,
                                       struct fsif_result *out);
    uint32_t attr_size; /* bytes of the page that attributes take */
};

/* A guest that speaks dialects 1 and 2 only is built with FSIF_WITHOUT_DIALECT3, and without the
 * files that are then not asked for. */
static inline int fsi_is_split(const struct fsi_dialect *d)
{
#ifdef FSIF_WITHOUT_DIALECT3
    (void)d;
    return 0;
#else
    return d->split != 0;
#endif
}

/** fsi_dialect_find - the table of a dialect; NULL if there is none */
const struct fsi_dialect *fsi_dialect_find(uint32_t number);

/** fsi_dialect_slots - slots of a ring of @pages pages; 0 if the dialect has no such ring */
uint32_t fsi_dialect_slots(const struct fsi_dialect *d, uint32_t pages);

/**
 * fsi_dialect_layout - requests at once and entries of the responses' ring
 *
 * @pages: of the ring, paged dialects; @slots: that are wanted, split ones
 *
 * Return: slots, and @responses; 0 if the dialect has no such ring
 */
uint32_t fsi_dialect_layout(const struct fsi_dialect *d, uint32_t pages, uint32_t slots,
                            uint32_t *responses);

/** fsi_dialect_rings - the two halves of the ring at @mem with @slots slots */
struct fsi_ring;
void fsi_dialect_rings(const struct fsi_dialect *d, void *mem, uint32_t slots,
                       struct fsi_ring *requests, struct fsi_ring *responses);

/** fsi_codec_response_length - octets in use of a response entry */
uint32_t fsi_codec_response_length(const struct fsi_dialect *d, const void *slot);

/* --- frontend's side --- */

/**
 * fsi_codec_check_op - whether the dialect can carry @op
 *
 * Return: 0; -FSIF_EINVAL; -FSIF_ENAMETOOLONG a name (names) and its NUL do not fit in the page;
 *         -FSIF_ENOENT an empty name; -FSIF_EACCES a component ".."; -FSIF_ENOSYS
 */
int fsi_codec_check_op(const struct fsi_dialect *d, const struct fsif_op *op);

/**
 * fsi_codec_encode_request - fill a private slot and the (shared) pages of a checked op
 *
 * @serial: of the request
 * @where: grefs of the id's pages; or where in the arena the request's part begins
 * @page:  the id's shared pages, contiguous, or its part: names or data are written, never read
 *
 * Return: bytes of the pages that now hold something: what was written, or what the backend may
 *         write in answer, whichever is more
 */
uint32_t fsi_codec_encode_request(const struct fsi_dialect *d, const struct fsif_op *op,
                                  uint32_t id, uint32_t serial, const uint32_t *where, void *slot,
                                  void *page);

/** fsi_codec_handles - which of an operation's handles are handles, and not the root: bit 0 handle,
 * bit 1 handle2 */
uint32_t fsi_codec_handles(const struct fsi_dialect *d, const struct fsif_op *op);

/** fsi_codec_moves_data - whether the operation's length is that of data, so that max_io limits it
 */
int fsi_codec_moves_data(const struct fsi_dialect *d, uint32_t type);

/** fsi_codec_payload - bytes of data that an operation moved, for the hooks */
uint32_t fsi_codec_payload(uint32_t type, const struct fsif_result *result);

/** fsi_codec_response_id - the id of a private copy of a response */
uint32_t fsi_codec_response_id(const struct fsi_dialect *d, const void *slot);

/**
 * fsi_codec_decode_response - check a response to @op and copy its data out
 *
 * @slot: private copy
 * @page: the id's shared pages or part; each byte is read at most once
 * @out:  filled in on success; @op's buffer too. A file error is a success: value is negative.
 *
 * Return: FSIF_POISON_NONE, or what the backend did wrong
 */
enum fsif_poison fsi_codec_decode_response(const struct fsi_dialect *d, const struct fsif_op *op,
                                           uint32_t features, const void *slot, const void *page,
                                           struct fsif_result *out);

/* --- backend's side --- */

/** fsi_codec_request_id - the id of a private copy of a request */
uint32_t fsi_codec_request_id(const struct fsi_dialect *d, const void *slot);

/**
 * fsi_codec_decode_request - operands of a private copy of a request
 *
 * @operands: receives what is not in @op; @op's ranges and set point into it
 * @row: receives the operation's row, NULL for an unknown operation; op->type is 0 then
 *
 * Return: 0, or a negative FSIF_E* to answer with: -FSIF_ENOSYS unknown; -FSIF_EINVAL
 */
int fsi_codec_decode_request(const struct fsi_dialect *d, const void *slot, struct fsif_op *op,
                             struct fsi_operands *operands, const struct fsi_codec_row **row);

/**
 * fsi_codec_decode_names - the names of a request, from a private copy of its page
 *
 * @slot: private copy of the request
 * @page: FSIF_PAGE_SIZE bytes, private; normalised in place, op's paths point into it
 * @strip: what absolute names may begin with, see fsi_path_strip(); NULL: nothing
 *
 * Return: 0, or a negative FSIF_E* to answer with
 */
int fsi_codec_decode_names(const struct fsi_dialect *d, const void *slot, char *page,
                           const char *strip, struct fsif_op *op);

/**
 * fsi_codec_encode_response - fill a private response entry, zero to its end
 *
 * A value outside what the operation may return is a bug of the store and is answered with
 * -FSIF_EIO.
 */
void fsi_codec_encode_response(const struct fsi_dialect *d, uint32_t type, uint32_t features,
                               uint32_t id, const struct fsif_result *result, void *slot);

/** fsi_codec_encode_attr - attributes as the stat page has them. Return: bytes of @page in use */
uint32_t fsi_codec_encode_attr(const struct fsi_dialect *d, const struct fsif_attr *attr,
                               void *page);

extern const struct fsi_dialect fsi_dialect1;
extern const struct fsi_dialect fsi_dialect2;
extern const struct fsi_dialect fsi_dialect3;

/* --- codec_paged.c: for the tables of dialects 1 and 2 --- */

int fsi_paged_check_op(const struct fsi_dialect *d, const struct fsif_op *op);
uint32_t fsi_paged_encode_request(const struct fsi_dialect *d, const struct fsif_op *op,
                                  uint32_t id, uint32_t serial, const uint32_t *grefs, void *slot,
                                  void *page);
enum fsif_poison fsi_paged_decode_response(const struct fsi_dialect *d, const struct fsif_op *op,
                                           uint32_t features, const void *slot, const void *page,
                                           struct fsif_result *out);
int fsi_paged_decode_request(const struct fsi_dialect *d, const void *slot, struct fsif_op *op,
                             struct fsi_operands *operands);
int64_t fsi_paged_largest_value(const struct fsi_dialect *d, uint32_t type);
extern const uint8_t fsi_paged_types[];
#define FSI_PAGED_TYPES (FSIF_WIRE_SYNC + 1u)

/** fsi_known_type - whether @type, without other bits, is one of FSIF_S_IFREG and so on */
static inline int fsi_known_type(uint32_t type)
{
    switch (type) {
    case FSIF_S_IFREG:
    case FSIF_S_IFDIR:
    case FSIF_S_IFLNK:
    case FSIF_S_IFIFO:
    case FSIF_S_IFSOCK:
    case FSIF_S_IFCHR:
    case FSIF_S_IFBLK:
        return 1;
    default:
        return 0;
    }
}

#endif
