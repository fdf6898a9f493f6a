/* SPDX-License-Identifier: MIT */
/* Dialect 1, the format of the 2008 patch: one page for each operation that has any. */
#include "codec_common.h"

#include <fsif/error.h>

static void encode_io(const struct fsif_op *op, const uint32_t *grefs, void *slot)
{
    struct fsif_wire1_io w = {op->handle, grefs[0], op->length, op->offset};

    fsi_common_put_operands(slot, &w, sizeof(w));
}

static int decode_io(const void *slot, struct fsif_op *op, uint32_t *grefs)
{
    struct fsif_wire1_io w;

    fsi_common_get_operands(&w, slot, sizeof(w));
    op->handle = w.fd;
    op->length = w.len;
    op->offset = w.offset;
    grefs[0] = w.gref;
    if (w.len > FSIF_PAGE_SIZE || w.offset > (uint64_t)INT64_MAX - w.len)
        return -FSIF_EINVAL;
    return 0;
}

static void encode_stat(const struct fsif_op *op, const uint32_t *grefs, void *slot)
{
    struct fsif_wire1_stat w = {op->handle, grefs[0]};

    fsi_common_put_operands(slot, &w, sizeof(w));
}

static int decode_stat(const void *slot, struct fsif_op *op, uint32_t *grefs)
{
    struct fsif_wire1_stat w;

    fsi_common_get_operands(&w, slot, sizeof(w));
    op->handle = w.fd;
    grefs[0] = w.gref;
    return 0;
}

static const struct fsi_codec_row rows[FSIF_OP_COUNT] = {
    FSI_COMMON_ROWS,
    [FSIF_OP_READ] = {FSIF_WIRE_READ, FSI_PAGE_DATA_IN, 1, 0, encode_io, decode_io},
    [FSIF_OP_WRITE] = {FSIF_WIRE_WRITE, FSI_PAGE_DATA_OUT, 1, 0, encode_io, decode_io},
    [FSIF_OP_STAT] = {FSIF_WIRE_STAT, FSI_PAGE_ATTR, 1, 0, encode_stat, decode_stat},
};

const struct fsi_dialect fsi_dialect1 = {
    .number = 1,
    .slot_size = FSIF_WIRE1_SLOT,
    .response_size = FSIF_WIRE1_SLOT,
    .max_io = FSIF_PAGE_SIZE,
    .slots_of_one_page = FSIF_WIRE1_SLOTS,
    .rows = rows,
    .max_ring_pages = 1,
    FSI_COMMON_FUNCTIONS,
    .encode_result = fsi_common_encode_result,
    .decode_result = fsi_common_decode_result,
    .encode_attr = fsi_common_encode_attr,
    .decode_attr = fsi_common_decode_attr,
    .attr_size = sizeof(struct fsif_wire1_attr),
};
