/* SPDX-License-Identifier: MIT */
/*
 * The part of the codec that is the same for every dialect: which row an operation has, the heads
 * of slots, and the way to the dialect's own functions.
 */
#include "codec.h"
#include "codec3.h"

#include "le.h"
#include "mem.h"
#include "ring.h"
#include <fsif/error.h>

const struct fsi_dialect *fsi_dialect_find(uint32_t number)
{
    if (number == fsi_dialect1.number)
        return &fsi_dialect1;
#ifndef FSIF_WITHOUT_DIALECT3
    if (number == fsi_dialect3.number)
        return &fsi_dialect3;
#endif
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

uint32_t fsi_dialect_layout(const struct fsi_dialect *d, uint32_t pages, uint32_t slots,
                            uint32_t *responses)
{
    if (!fsi_is_split(d)) {
        *responses = fsi_dialect_slots(d, pages);
        return *responses;
    }
    if (slots < FSIF_WIRE3_SLOTS_MIN || slots > FSIF_WIRE3_SLOTS_MAX || (slots & (slots - 1)))
        return 0;
    *responses = 2 * slots;
    return slots;
}

void fsi_dialect_rings(const struct fsi_dialect *d, void *mem, uint32_t slots,
                       struct fsi_ring *requests, struct fsi_ring *responses)
{
    if (fsi_is_split(d)) {
        fsi_ring_split(mem, slots, requests, responses);
    } else {
        fsi_ring_requests(requests, mem, slots, d->slot_size);
        fsi_ring_responses(responses, mem, slots, d->slot_size);
    }
}

size_t fsif_ring_bytes(uint32_t slots)
{
    size_t bytes =
        FSIF_WIRE3_RING_SLOTS + slots * (size_t)(FSIF_WIRE3_SLOT + 2 * FSIF_WIRE3_RESPONSE);

    return (bytes + FSIF_PAGE_SIZE - 1) & ~(size_t)(FSIF_PAGE_SIZE - 1);
}

/* A row without a number on the wire is an operation that the dialect does not have. */
static const struct fsi_codec_row *find_row(const struct fsi_dialect *d, uint32_t type)
{
    if (type >= FSIF_OP_COUNT || d->rows[type].wire_type == 0)
        return NULL;
    return &d->rows[type];
}

/* --- frontend's side --- */

int fsi_codec_check_op(const struct fsi_dialect *d, const struct fsif_op *op)
{
    return find_row(d, op->type) ? d->check_op(d, op) : -FSIF_ENOSYS;
}

uint32_t fsi_codec_encode_request(const struct fsi_dialect *d, const struct fsif_op *op,
                                  uint32_t id, uint32_t serial, const uint32_t *where, void *slot,
                                  void *page)
{
    return d->encode_request(d, op, id, serial, where, slot, page);
}

/* The root is a base, never a file. */
static uint32_t is_handle(uint32_t use, uint32_t handle)
{
    return use == FSI_HANDLE_FILE || (use == FSI_HANDLE_BASE && handle != FSIF_HANDLE_ROOT);
}

uint32_t fsi_codec_handles(const struct fsi_dialect *d, const struct fsif_op *op)
{
    const struct fsi_layout3 *l;

    if (!fsi_is_split(d))
        return d->rows[op->type].takes_handle;
    l = fsi_layout3(op->type);
    return is_handle(l->handle, op->handle) | is_handle(l->handle2, op->handle2) << 1;
}

int fsi_codec_moves_data(const struct fsi_dialect *d, uint32_t type)
{
    if (fsi_is_split(d))
        return fsi_layout3(type)->data != FSI_DATA_NONE;
    return type == FSIF_OP_READ || type == FSIF_OP_WRITE;
}

uint32_t fsi_codec_payload(uint32_t type, const struct fsif_result *result)
{
    switch (type) {
    case FSIF_OP_LIST:
    case FSIF_OP_READDIR:
        return result->used;
    case FSIF_OP_READ:
    case FSIF_OP_WRITE:
    case FSIF_OP_READFILE:
    case FSIF_OP_WRITEFILE:
        return result->value > 0 ? (uint32_t)result->value : 0;
    default:
        return 0;
    }
}

/* Ids are two octets at the same place in every dialect, but in the machine's order in some. */
static uint32_t id_at(const struct fsi_dialect *d, const void *at)
{
    uint16_t id;

    if (fsi_is_split(d))
        return fsi_get16(at);
    fsi_memcpy(&id, at, sizeof(id));
    return id;
}

uint32_t fsi_codec_response_id(const struct fsi_dialect *d, const void *slot)
{
    return id_at(d, slot);
}

uint32_t fsi_codec_response_length(const struct fsi_dialect *d, const void *slot)
{
    const uint8_t *flags = (const uint8_t *)slot + offsetof(struct fsif_wire3_response, flags);

    if (fsi_is_split(d))
        return *flags & FSIF_WIRE3_LONG ? FSIF_WIRE3_RESPONSE : FSIF_WIRE3_SLOT;
    return d->slot_size;
}

enum fsif_poison fsi_codec_decode_response(const struct fsi_dialect *d, const struct fsif_op *op,
                                           uint32_t features, const void *slot, const void *page,
                                           struct fsif_result *out)
{
    return d->decode_response(d, op, features, slot, page, out);
}

/* --- backend's side --- */

uint32_t fsi_codec_request_id(const struct fsi_dialect *d, const void *slot)
{
    return id_at(d, (const char *)slot + offsetof(struct fsif_wire1_request, id));
}

int fsi_codec_decode_request(const struct fsi_dialect *d, const void *slot, struct fsif_op *op,
                             struct fsi_operands *operands, const struct fsi_codec_row **row)
{
    uint32_t wire_type = *(const uint8_t *)slot;

    fsi_memset(op, 0, sizeof(*op));
    *row = NULL;
    if (wire_type >= d->ntypes || d->types[wire_type] == FSIF_OP_NONE)
        return -FSIF_ENOSYS;
    op->type = d->types[wire_type];
    *row = &d->rows[op->type];
    return d->decode_request(d, slot, op, operands);
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
    return find_row(d, type) && result->value <= d->largest_value(d, type);
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
    fsi_memset(slot, 0, d->response_size);
    d->encode_result(type, features, id, result, slot);
}

uint32_t fsi_codec_encode_attr(const struct fsi_dialect *d, const struct fsif_attr *attr,
                               void *page)
{
    return d->encode_attr(attr, page);
}
