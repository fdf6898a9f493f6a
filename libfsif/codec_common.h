/* SPDX-License-Identifier: MIT */
#ifndef FSI_CODEC_COMMON_H
#define FSI_CODEC_COMMON_H

/*
 * What dialects 1 and 2 have in common, for their tables. The functions are what struct
 * fsi_codec_row and struct fsi_dialect want, unless it is said here.
 */

#include "codec.h"

/* number, page, takes a handle, gives one, encode, decode: of all but read, write and stat */
#define FSI_COMMON_ROWS                                                                            \
    [FSIF_OP_OPEN] = {FSIF_WIRE_OPEN,         FSI_PAGE_NAMES,        0, 1,                         \
                      fsi_common_encode_path, fsi_common_decode_path},                             \
    [FSIF_OP_CLOSE] = {FSIF_WIRE_CLOSE,          FSI_PAGE_NONE,           1, 0,                    \
                       fsi_common_encode_handle, fsi_common_decode_handle},                        \
    [FSIF_OP_TRUNCATE] = {FSIF_WIRE_TRUNCATE,                                                      \
                          FSI_PAGE_NONE,                                                           \
                          1,                                                                       \
                          0,                                                                       \
                          fsi_common_encode_truncate,                                              \
                          fsi_common_decode_truncate},                                             \
    [FSIF_OP_REMOVE] = {FSIF_WIRE_REMOVE,       FSI_PAGE_NAMES,        0, 0,                       \
                        fsi_common_encode_path, fsi_common_decode_path},                           \
    [FSIF_OP_RENAME] = {FSIF_WIRE_RENAME,         FSI_PAGE_NAMES,          0, 0,                   \
                        fsi_common_encode_rename, fsi_common_decode_rename},                       \
    [FSIF_OP_CREATE] = {FSIF_WIRE_CREATE,         FSI_PAGE_NAMES,          0, 1,                   \
                        fsi_common_encode_create, fsi_common_decode_create},                       \
    [FSIF_OP_LIST] = {FSIF_WIRE_LIST,         FSI_PAGE_LIST,         0, 0,                         \
                      fsi_common_encode_list, fsi_common_decode_list},                             \
    [FSIF_OP_CHMOD] = {FSIF_WIRE_CHMOD,         FSI_PAGE_NONE,          1, 0,                      \
                       fsi_common_encode_chmod, fsi_common_decode_chmod},                          \
    [FSIF_OP_SPACE] = {FSIF_WIRE_SPACE,        FSI_PAGE_NAMES,        0, 0,                        \
                       fsi_common_encode_path, fsi_common_decode_path},                            \
    [FSIF_OP_SYNC] = {FSIF_WIRE_SYNC,           FSI_PAGE_NONE,           1, 0,                     \
                      fsi_common_encode_handle, fsi_common_decode_handle}

#define FSI_COMMON_FUNCTIONS                                                                       \
    .types = fsi_paged_types, .ntypes = FSI_PAGED_TYPES, .check_op = fsi_paged_check_op,           \
    .encode_request = fsi_paged_encode_request, .decode_response = fsi_paged_decode_response,      \
    .decode_request = fsi_paged_decode_request, .largest_value = fsi_paged_largest_value,          \
    .put_request = fsi_common_put_request, .names_size = fsi_common_names_size,                    \
    .encode_names = fsi_common_encode_names, .decode_names = fsi_common_decode_names,              \
    .decode_listing = fsi_common_decode_listing

/** fsi_common_put_operands, fsi_common_get_operands - operands lie behind the head of a slot */
void fsi_common_put_operands(void *slot, const void *operands, size_t size);
void fsi_common_get_operands(void *operands, const void *slot, size_t size);

/** fsi_common_put_response - the head of a response, in a zeroed slot */
void fsi_common_put_response(void *slot, uint32_t id);

/** fsi_common_error - a result as the peer is told it: -1 for every error that has no name */
int64_t fsi_common_error(uint32_t features, int64_t value);

/** fsi_common_take_value - the peer's result into @out->value */
enum fsif_poison fsi_common_take_value(uint32_t features, int64_t value, struct fsif_result *out);

void fsi_common_encode_path(const struct fsif_op *op, const uint32_t *grefs, void *slot);
int fsi_common_decode_path(const void *slot, struct fsif_op *op, uint32_t *grefs);
void fsi_common_encode_handle(const struct fsif_op *op, const uint32_t *grefs, void *slot);
int fsi_common_decode_handle(const void *slot, struct fsif_op *op, uint32_t *grefs);
void fsi_common_encode_truncate(const struct fsif_op *op, const uint32_t *grefs, void *slot);
int fsi_common_decode_truncate(const void *slot, struct fsif_op *op, uint32_t *grefs);
void fsi_common_encode_rename(const struct fsif_op *op, const uint32_t *grefs, void *slot);
int fsi_common_decode_rename(const void *slot, struct fsif_op *op, uint32_t *grefs);
void fsi_common_encode_create(const struct fsif_op *op, const uint32_t *grefs, void *slot);
int fsi_common_decode_create(const void *slot, struct fsif_op *op, uint32_t *grefs);
void fsi_common_encode_list(const struct fsif_op *op, const uint32_t *grefs, void *slot);
int fsi_common_decode_list(const void *slot, struct fsif_op *op, uint32_t *grefs);
void fsi_common_encode_chmod(const struct fsif_op *op, const uint32_t *grefs, void *slot);
int fsi_common_decode_chmod(const void *slot, struct fsif_op *op, uint32_t *grefs);
void fsi_common_put_request(void *slot, uint32_t wire_type, uint32_t id);
size_t fsi_common_names_size(const struct fsif_op *op);
void fsi_common_encode_names(const struct fsif_op *op, void *page);
int fsi_common_decode_names(const void *slot, char *page, const char *strip, struct fsif_op *op);
void fsi_common_encode_result(uint32_t type, uint32_t features, uint32_t id,
                              const struct fsif_result *result, void *slot);
enum fsif_poison fsi_common_decode_result(uint32_t type, uint32_t features, const void *slot,
                                          struct fsif_result *out);
uint32_t fsi_common_encode_attr(const struct fsif_attr *attr, void *at);
enum fsif_poison fsi_common_decode_attr(const void *at, struct fsif_attr *out);
enum fsif_poison fsi_common_decode_listing(const void *page, const struct fsif_op *op,
                                           struct fsif_result *out);

#endif
