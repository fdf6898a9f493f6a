/* SPDX-License-Identifier: MIT */
/*
 * The part of the codec that is the same for every dialect: which row an operation has, what an
 * operation may ask for, what its result may be.
 *
 * A slot is private when it comes here, a page need not be. What is interpreted is copied out of a
 * shared page once, by the dialect, and judged as a copy; file data is copied once and never
 * judged.
 */
#include "codec.h"

#include "mem.h"
#include "path.h"
#include <fsif/error.h>

const struct fsi_dialect *fsi_dialect_find(uint32_t number)
{
    if (number == fsi_dialect1.number)
        return &fsi_dialect1;
    return number == fsi_dialect2.number ? &fsi_dialect2 : NULL;
}

uint32_t fsi_dialect_slots(const struct fsi_dialect *d, uint32_t pages)
{
    uint32_t slots = d->slots_of_one_page;

    if (pages == 0 || pages > d->max_ring_pages)
        return 0;
    while (2 * slots * d->slot_size + FSIF_WIRE_RING_SLOTS <= pages * FSIF_PAGE_SIZE)
        slots *= 2;
    return slots;
}

/* A row without a number on the wire is an operation that the dialect does not have. */
static const struct fsi_codec_row *find_row(const struct fsi_dialect *d, uint32_t type)
{
    if (type >= FSIF_OP_COUNT || d->rows[type].wire_type == 0)
        return NULL;
    return &d->rows[type];
}

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

int fsi_codec_check_op(const struct fsi_dialect *d, const struct fsif_op *op)
{
    const struct fsi_codec_row *row = find_row(d, op->type);
    int error = 0;

    if (!row)
        return -FSIF_ENOSYS;
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

uint32_t fsi_codec_encode_request(const struct fsi_dialect *d, const struct fsif_op *op,
                                  uint32_t id, const uint32_t *grefs, void *slot, void *page)
{
    const struct fsi_codec_row *row = &d->rows[op->type];

    fsi_memset(slot, 0, d->slot_size);
    d->put_request(slot, row->wire_type, id);
    row->encode(op, grefs, slot);
    return fill_page(d, row, op, page);
}

uint32_t fsi_codec_response_id(const struct fsi_dialect *d, const void *slot)
{
    return d->response_id(slot);
}

/* The largest value that a successful operation answers with. */
static int64_t largest_value(const struct fsi_dialect *d, uint32_t type)
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
    if (value > largest_value(d, op->type))
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

enum fsif_poison fsi_codec_decode_response(const struct fsi_dialect *d, const struct fsif_op *op,
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

/* --- backend's side --- */

uint32_t fsi_codec_request_id(const struct fsi_dialect *d, const void *slot)
{
    return d->request_id(slot);
}

int fsi_codec_decode_request(const struct fsi_dialect *d, const void *slot, struct fsif_op *op,
                             uint32_t *grefs, const struct fsi_codec_row **row)
{
    uint32_t wire_type = d->request_type(slot);

    fsi_memset(op, 0, sizeof(*op));
    fsi_memset(grefs, 0, FSIF_PAGES_PER_CALL_MAX * sizeof(*grefs));
    *row = NULL;
    if (wire_type == 0)
        return -FSIF_ENOSYS;
    for (uint32_t type = FSIF_OP_NONE + 1; type < FSIF_OP_COUNT; type++) {
        if (d->rows[type].wire_type == wire_type) {
            op->type = type;
            *row = &d->rows[type];
            return (*row)->decode(slot, op, grefs);
        }
    }
    return -FSIF_ENOSYS;
}

int fsi_codec_decode_names(const struct fsi_dialect *d, const void *slot, char *page,
                           const char *strip, struct fsif_op *op)
{
    return d->decode_names(slot, page, strip, op);
}

static int result_is_sound(const struct fsi_dialect *d, uint32_t type,
                           const struct fsif_result *result)
{
    if (result->value < 0)
        return result->value >= -FSIF_MAX_ERRNO;
    if (type == FSIF_OP_LIST && result->value == 0 && result->more)
        return 0;
    return find_row(d, type) && result->value <= largest_value(d, type);
}

void fsi_codec_encode_response(const struct fsi_dialect *d, uint32_t type, uint32_t features,
                               uint32_t id, const struct fsif_result *result, void *slot)
{
    struct fsif_result failed;

    if (!result_is_sound(d, type, result)) {
        fsi_memset(&failed, 0, sizeof(failed));
        failed.value = -FSIF_EIO;
        result = &failed;
    }
    fsi_memset(slot, 0, d->slot_size);
    d->encode_result(type, features, id, result, slot);
}

uint32_t fsi_codec_encode_attr(const struct fsi_dialect *d, const struct fsif_attr *attr,
                               void *page)
{
    return d->encode_attr(attr, page);
}
