/* SPDX-License-Identifier: MIT */
/*
 * The part of the codec that dialects 1 and 2 share: what an operation may ask for, how its pages
 * are used, what its result may be.
 *
 * A slot is private when it comes here, a page need not be. What is interpreted is copied out of a
 * shared page once, by the dialect, and judged as a copy; file data is copied once and never
 * judged.
 */
#include "codec.h"

#include "mem.h"
#include "path.h"
#include <fsif/error.h>

const uint8_t fsi_paged_types[FSI_PAGED_TYPES] = {
    [FSIF_WIRE_OPEN] = FSIF_OP_OPEN,     [FSIF_WIRE_CLOSE] = FSIF_OP_CLOSE,
    [FSIF_WIRE_READ] = FSIF_OP_READ,     [FSIF_WIRE_WRITE] = FSIF_OP_WRITE,
    [FSIF_WIRE_STAT] = FSIF_OP_STAT,     [FSIF_WIRE_TRUNCATE] = FSIF_OP_TRUNCATE,
    [FSIF_WIRE_REMOVE] = FSIF_OP_REMOVE, [FSIF_WIRE_RENAME] = FSIF_OP_RENAME,
    [FSIF_WIRE_CREATE] = FSIF_OP_CREATE, [FSIF_WIRE_LIST] = FSIF_OP_LIST,
    [FSIF_WIRE_CHMOD] = FSIF_OP_CHMOD,   [FSIF_WIRE_SPACE] = FSIF_OP_SPACE,
    [FSIF_WIRE_SYNC] = FSIF_OP_SYNC,
};

/* --- frontend's side --- */

static int check_name(const char *name)
{
    size_t len;

    if (!name)
        return -FSIF_EINVAL;
    len = strnlen(name, FSIF_PAGE_SIZE);
    if (len == 0)
        return -FSIF_ENOENT;
    if (len == FSIF_PAGE_SIZE)
        return -FSIF_ENAMETOOLONG;
    return fsi_path_climbs(name, len) ? -FSIF_EACCES : 0;
}

static int check_names(const struct fsi_dialect *d, const struct fsif_op *op)
{
    int error = check_name(op->path);

    if (!error && op->type == FSIF_OP_RENAME)
        error = check_name(op->path2);
    if (!error && d->names_size(op) > FSIF_PAGE_SIZE)
        error = -FSIF_ENAMETOOLONG;
    return error;
}

static int check_io(const struct fsi_dialect *d, const struct fsif_op *op, const void *memory)
{
    if (op->length > d->max_io || op->offset > (uint64_t)INT64_MAX - op->length)
        return -FSIF_EINVAL;
    return op->length > 0 && !memory ? -FSIF_EINVAL : 0;
}

static int check_list(const struct fsif_op *op)
{
    if (op->offset > UINT32_MAX || op->length < FSIF_PAGE_SIZE || !op->buffer)
        return -FSIF_EINVAL;
    return 0;
}

int fsi_paged_check_op(const struct fsi_dialect *d, const struct fsif_op *op)
{
    const struct fsi_codec_row *row = &d->rows[op->type];
    int error = 0;

    switch (op->type) {
    case FSIF_OP_READ:
        error = check_io(d, op, op->buffer);
        break;
    case FSIF_OP_WRITE:
        error = check_io(d, op, op->data);
        break;
    case FSIF_OP_TRUNCATE:
        error = op->length > INT64_MAX ? -FSIF_EINVAL : 0;
        break;
    case FSIF_OP_CREATE:
        error = op->flags & ~FSIF_CREATE_DIRECTORY ? -FSIF_EINVAL : 0;
        break;
    case FSIF_OP_LIST:
        error = check_list(op);
        break;
    default:
        break;
    }
    if (!error && (row->page_use == FSI_PAGE_NAMES || row->page_use == FSI_PAGE_LIST))
        error = check_names(d, op);
    return error;
}

/* Returns the bytes of the page that are in use before or after the answer. */
static uint32_t fill_page(const struct fsi_dialect *d, const struct fsi_codec_row *row,
                          const struct fsif_op *op, void *page)
{
    switch (row->page_use) {
    case FSI_PAGE_NAMES:
        d->encode_names(op, page);
        return (uint32_t)d->names_size(op);
    case FSI_PAGE_LIST:
        d->encode_names(op, page);
        return FSIF_PAGE_SIZE;
    case FSI_PAGE_DATA_OUT:
        if (op->length > 0)
            fsi_memcpy(page, op->data, (size_t)op->length);
        return (uint32_t)op->length;
    case FSI_PAGE_DATA_IN:
        return (uint32_t)op->length;
    case FSI_PAGE_ATTR:
        return d->attr_size;
    default:
        return 0;
    }
}

uint32_t fsi_paged_encode_request(const struct fsi_dialect *d, const struct fsif_op *op,
                                  uint32_t id, uint32_t serial, const uint32_t *grefs, void *slot,
                                  void *page)
{
    const struct fsi_codec_row *row = &d->rows[op->type];

    (void)serial;
    fsi_memset(slot, 0, d->slot_size);
    d->put_request(slot, row->wire_type, id);
    row->encode(op, grefs, slot);
    return fill_page(d, row, op, page);
}

int64_t fsi_paged_largest_value(const struct fsi_dialect *d, uint32_t type)
{
    switch (type) {
    case FSIF_OP_OPEN:
    case FSIF_OP_CREATE:
        return INT32_MAX;
    case FSIF_OP_READ:
    case FSIF_OP_WRITE:
        return d->max_io;
    case FSIF_OP_LIST:
        return FSIF_PAGE_SIZE / 2; /* a name and its NUL are at least two bytes */
    case FSIF_OP_SPACE:
        return INT64_MAX;
    default:
        return 0;
    }
}

static int value_fits(const struct fsi_dialect *d, const struct fsif_op *op, int64_t value)
{
    if (value > fsi_paged_largest_value(d, op->type))
        return 0;
    if (op->type == FSIF_OP_READ || op->type == FSIF_OP_WRITE)
        return (uint64_t)value <= op->length;
    if (op->type == FSIF_OP_CREATE && (op->flags & FSIF_CREATE_DIRECTORY))
        return value == 0;
    return 1;
}

static enum fsif_poison take_page(const struct fsi_dialect *d, const struct fsif_op *op,
                                  const void *page, struct fsif_result *out)
{
    switch (d->rows[op->type].page_use) {
    case FSI_PAGE_DATA_IN:
        if (out->value > 0)
            fsi_memcpy(op->buffer, page, (size_t)out->value);
        return FSIF_POISON_NONE;
    case FSI_PAGE_ATTR:
        return d->decode_attr(page, &out->attr);
    case FSI_PAGE_LIST:
        return d->decode_listing(page, op, out);
    default:
        return FSIF_POISON_NONE;
    }
}

enum fsif_poison fsi_paged_decode_response(const struct fsi_dialect *d, const struct fsif_op *op,
                                           uint32_t features, const void *slot, const void *page,
                                           struct fsif_result *out)
{
    enum fsif_poison poison;

    fsi_memset(out, 0, sizeof(*out));
    poison = d->decode_result(op->type, features, slot, out);
    if (poison != FSIF_POISON_NONE || out->value < 0)
        return poison;
    if (!value_fits(d, op, out->value))
        return op->type == FSIF_OP_LIST ? FSIF_POISON_LISTING : FSIF_POISON_RESULT;
    return take_page(d, op, page, out);
}

int fsi_paged_decode_request(const struct fsi_dialect *d, const void *slot, struct fsif_op *op,
                             struct fsi_operands *o)
{
    fsi_memset(o->grefs, 0, sizeof(o->grefs));
    return d->rows[op->type].decode(slot, op, o->grefs);
}
