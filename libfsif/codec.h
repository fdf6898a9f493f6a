/* SPDX-License-Identifier: MIT */
#ifndef FSI_CODEC_H
#define FSI_CODEC_H

/*
 * Operations to slots and back, per dialect. Every check on a peer's bytes lives here. The codec
 * works on private copies only: a slot that the ring copied in, a page that the caller copied in.
 *
 * A dialect is a table with one row for each operation. Slots are at most FSI_SLOT_MAX bytes; an
 * operation owns one page, or as many as its data needs, at most FSIF_PAGES_PER_CALL_MAX.
 */

#include <stddef.h>
#include <stdint.h>
#include <fsif/frontend.h>
#include <fsif/hooks.h>
#include <fsif/op.h>
#include <fsif/wire.h>

#define FSI_SLOT_MAX 64u

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
    uint32_t max_io; /* bytes of one read or write */
    uint32_t slots_of_one_page;
    const struct fsi_codec_row *rows; /* FSIF_OP_COUNT, by enum fsif_op_type */
    uint32_t max_ring_pages;

    /* What is alike for all rows of a dialect, and differs between dialects. Slots and pages are as
     * in the functions below. */
    void (*put_request)(void *slot, uint32_t wire_type, uint32_t id);
    uint32_t (*request_type)(const void *slot);
    uint32_t (*request_id)(const void *slot);
    uint32_t (*response_id)(const void *slot);
    /* Bytes that the name (names) of @op take in the page; more than a page: they do not fit. */
    size_t (*names_size)(const struct fsif_op *op);
    void (*encode_names)(const struct fsif_op *op, void *page);
    int (*decode_names)(const void *slot, char *page, const char *strip, struct fsif_op *op);
    /* The result's value and more; negative values are errors already. */
    void (*encode_result)(uint32_t type, uint32_t features, uint32_t id,
                          const struct fsif_result *result, void *slot);
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

/** fsi_dialect_find - the table of a dialect; NULL if there is none */
const struct fsi_dialect *fsi_dialect_find(uint32_t number);

/** fsi_dialect_slots - slots of a ring of @pages pages; 0 if the dialect has no such ring */
uint32_t fsi_dialect_slots(const struct fsi_dialect *d, uint32_t pages);

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
 * @grefs: of the id's pages
 * @page:  the id's shared pages, contiguous: names or data are written to them, never read
 *
 * Return: bytes of the pages that now hold something: what was written, or what the backend may
 *         write in answer, whichever is more
 */
uint32_t fsi_codec_encode_request(const struct fsi_dialect *d, const struct fsif_op *op,
                                  uint32_t id, const uint32_t *grefs, void *slot, void *page);

/** fsi_codec_response_id - the id of a private copy of a response */
uint32_t fsi_codec_response_id(const struct fsi_dialect *d, const void *slot);

/**
 * fsi_codec_decode_response - check a response to @op and copy its data out
 *
 * @slot: private copy
 * @page: the id's shared pages; each byte is read at most once
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
 * @grefs: FSIF_PAGES_PER_CALL_MAX numbers: those of the request, then 0
 * @row: receives the operation's row, NULL for an unknown operation; op->type is 0 then
 *
 * Return: 0, or a negative FSIF_E* to answer with: -FSIF_ENOSYS unknown; -FSIF_EINVAL
 */
int fsi_codec_decode_request(const struct fsi_dialect *d, const void *slot, struct fsif_op *op,
                             uint32_t *grefs, const struct fsi_codec_row **row);

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
 * fsi_codec_encode_response - fill a private slot, zero to its end
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

#endif
