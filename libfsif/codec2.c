/* SPDX-License-Identifier: MIT */
/*
 * Dialect 2, the format of Xen 3.3 to 4.1: reads and writes of several pages, whose grefs follow
 * the operands as far as the slot reaches, and attributes in the response itself. Their number is
 * not on the wire: it follows from the length.
 */
#include "codec_common.h"

#include "mem.h"
#include <fsif/error.h>

static void encode_io(const struct fsif_op *op, const uint32_t *grefs, void *slot)
{
    struct fsif_wire2_io w = {.fd = op->handle, .len = op->length, .offset = op->offset};

    for (uint32_t i = 0; i < FSIF_WIRE2_GREFS && i * FSIF_PAGE_SIZE < op->length; i++)
        w.grefs[i] = grefs[i];
    fsi_common_put_operands(slot, &w, sizeof(w));
}

static int decode_io(const void *slot, struct fsif_op *op, uint32_t *grefs)
{
    struct fsif_wire2_io w;

    fsi_common_get_operands(&w, slot, sizeof(w));
    op->handle = w.fd;
    op->length = w.len;
    op->offset = w.offset;
    if (w.len > FSIF_WIRE2_MAX_IO || w.offset > (uint64_t)INT64_MAX - w.len)
        return -FSIF_EINVAL;
    for (uint32_t i = 0; i * FSIF_PAGE_SIZE < w.len; i++)
        grefs[i] = w.grefs[i];
    return 0;
}

static void encode_result(uint32_t type, uint32_t features, uint32_t id,
                          const struct fsif_result *result, void *slot)
{
    struct fsif_wire2_attr w;

    if (type != FSIF_OP_STAT) {
        fsi_common_encode_result(type, features, id, result, slot);
        return;
    }
    fsi_memset(&w, 0, sizeof(w));
    if (result->value == 0)
        (void)fsi_common_encode_attr(&result->attr, &w);
    w.ret = (int32_t)fsi_common_error(features, result->value);
    fsi_common_put_response(slot, id);
    fsi_common_put_operands(slot, &w, sizeof(w));
}

static enum fsif_poison decode_result(uint32_t type, uint32_t features, const void *slot,
                                      struct fsif_result *out)
{
    struct fsif_wire2_attr w;
    enum fsif_poison bad;

    if (type != FSIF_OP_STAT)
        return fsi_common_decode_result(type, features, slot, out);
    fsi_common_get_operands(&w, slot, sizeof(w));
    bad = fsi_common_take_value(features, w.ret, out);
    return bad || out->value ? bad : fsi_common_decode_attr(&w, &out->attr);
}

static const struct fsi_codec_row rows[FSIF_OP_COUNT] = {
    FSI_COMMON_ROWS,
    [FSIF_OP_READ] = {FSIF_WIRE_READ, FSI_PAGE_DATA_IN, 1, 0, encode_io, decode_io},
    [FSIF_OP_WRITE] = {FSIF_WIRE_WRITE, FSI_PAGE_DATA_OUT, 1, 0, encode_io, decode_io},
    [FSIF_OP_STAT] = {FSIF_WIRE_STAT, FSI_PAGE_NONE, 1, 0, fsi_common_encode_handle,
                      fsi_common_decode_handle},
};

const struct fsi_dialect fsi_dialect2 = {
    .number = 2,
    .slot_size = FSIF_WIRE2_SLOT,
    .response_size = FSIF_WIRE2_SLOT,
    .max_io = FSIF_WIRE2_MAX_IO,
    .slots_of_one_page = FSIF_WIRE2_SLOTS,
    .rows = rows,
    .max_ring_pages = FSIF_WIRE2_RING_PAGES,
    FSI_COMMON_FUNCTIONS,
    .encode_result = encode_result,
    .decode_result = decode_result,
};
