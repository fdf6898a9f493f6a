/* SPDX-License-Identifier: MIT */
/*
 * What dialects 1 and 2 have in common: the head of a slot, the operands of all operations but
 * read, write and stat, names, listings, results and the layout of attributes. Padding is sent as
 * zero and ignored on receipt: old guests leave what their memory held before.
 *
 * Slots are private copies of any alignment, hence the copies into typed values.
 */
#include "codec_common.h"

#include "barrier.h"
#include "mem.h"
#include <fsif/error.h>
#include <fsif/path.h>
#include "path.h"

/* --- requests: operands --- */

/* Operands lie behind the head, which encode leaves alone. */
void fsi_common_put_operands(void *slot, const void *operands, size_t size)
{
    fsi_memcpy((char *)slot + offsetof(struct fsif_wire1_request, u), operands, size);
}

void fsi_common_get_operands(void *operands, const void *slot, size_t size)
{
    fsi_memcpy(operands, (const char *)slot + offsetof(struct fsif_wire1_request, u), size);
}

void fsi_common_encode_path(const struct fsif_op *op, const uint32_t *grefs, void *slot)
{
    struct fsif_wire1_path w = {grefs[0]};

    (void)op;
    fsi_common_put_operands(slot, &w, sizeof(w));
}

int fsi_common_decode_path(const void *slot, struct fsif_op *op, uint32_t *grefs)
{
    struct fsif_wire1_path w;

    (void)op;
    fsi_common_get_operands(&w, slot, sizeof(w));
    grefs[0] = w.gref;
    return 0;
}

void fsi_common_encode_handle(const struct fsif_op *op, const uint32_t *grefs, void *slot)
{
    struct fsif_wire1_handle w = {op->handle};

    (void)grefs;
    fsi_common_put_operands(slot, &w, sizeof(w));
}

int fsi_common_decode_handle(const void *slot, struct fsif_op *op, uint32_t *grefs)
{
    struct fsif_wire1_handle w;

    (void)grefs;
    fsi_common_get_operands(&w, slot, sizeof(w));
    op->handle = w.fd;
    return 0;
}

void fsi_common_encode_truncate(const struct fsif_op *op, const uint32_t *grefs, void *slot)
{
    struct fsif_wire1_truncate w = {op->handle, 0, (int64_t)op->length};

    (void)grefs;
    fsi_common_put_operands(slot, &w, sizeof(w));
}

int fsi_common_decode_truncate(const void *slot, struct fsif_op *op, uint32_t *grefs)
{
    struct fsif_wire1_truncate w;

    (void)grefs;
    fsi_common_get_operands(&w, slot, sizeof(w));
    op->handle = w.fd;
    op->length = (uint64_t)w.len;
    return w.len < 0 ? -FSIF_EINVAL : 0;
}

/* Where the two names of a rename begin in their page. */
static size_t second_name(const struct fsif_op *op)
{
    return FSIF_WIRE1_RENAME_LABEL + strnlen(op->path, FSIF_PAGE_SIZE) + 1 +
           FSIF_WIRE1_RENAME_LABEL;
}

void fsi_common_encode_rename(const struct fsif_op *op, const uint32_t *grefs, void *slot)
{
    struct fsif_wire1_rename w = {FSIF_WIRE1_RENAME_LABEL, (uint16_t)second_name(op), grefs[0]};

    fsi_common_put_operands(slot, &w, sizeof(w));
}

int fsi_common_decode_rename(const void *slot, struct fsif_op *op, uint32_t *grefs)
{
    struct fsif_wire1_rename w;

    (void)op;
    fsi_common_get_operands(&w, slot, sizeof(w));
    grefs[0] = w.gref;
    if (w.old_offset >= FSIF_PAGE_SIZE || w.new_offset >= FSIF_PAGE_SIZE)
        return -FSIF_EINVAL;
    return 0;
}

void fsi_common_encode_create(const struct fsif_op *op, const uint32_t *grefs, void *slot)
{
    struct fsif_wire1_create w = {
        .directory = op->flags & FSIF_CREATE_DIRECTORY ? 1 : 0,
        .mode = (int32_t)(op->mode & FSIF_S_PERM),
        .gref = grefs[0],
    };

    fsi_common_put_operands(slot, &w, sizeof(w));
}

int fsi_common_decode_create(const void *slot, struct fsif_op *op, uint32_t *grefs)
{
    struct fsif_wire1_create w;

    fsi_common_get_operands(&w, slot, sizeof(w));
    op->flags = w.directory ? FSIF_CREATE_DIRECTORY : 0;
    op->mode = (uint32_t)w.mode & FSIF_S_PERM;
    grefs[0] = w.gref;
    return 0;
}

void fsi_common_encode_list(const struct fsif_op *op, const uint32_t *grefs, void *slot)
{
    struct fsif_wire1_list w = {(uint32_t)op->offset, grefs[0]};

    fsi_common_put_operands(slot, &w, sizeof(w));
}

int fsi_common_decode_list(const void *slot, struct fsif_op *op, uint32_t *grefs)
{
    struct fsif_wire1_list w;

    fsi_common_get_operands(&w, slot, sizeof(w));
    op->offset = w.offset;
    grefs[0] = w.gref;
    return 0;
}

void fsi_common_encode_chmod(const struct fsif_op *op, const uint32_t *grefs, void *slot)
{
    struct fsif_wire1_chmod w = {op->handle, (int32_t)(op->mode & FSIF_S_PERM)};

    (void)grefs;
    fsi_common_put_operands(slot, &w, sizeof(w));
}

int fsi_common_decode_chmod(const void *slot, struct fsif_op *op, uint32_t *grefs)
{
    struct fsif_wire1_chmod w;

    (void)grefs;
    fsi_common_get_operands(&w, slot, sizeof(w));
    op->handle = w.fd;
    op->mode = (uint32_t)w.mode & FSIF_S_PERM;
    return 0;
}

/* --- requests: head and names --- */

void fsi_common_put_request(void *slot, uint32_t wire_type, uint32_t id)
{
    struct fsif_wire1_request head;

    fsi_memset(&head, 0, sizeof(head));
    head.type = (uint8_t)wire_type;
    head.id = (uint16_t)id;
    fsi_memcpy(slot, &head, offsetof(struct fsif_wire1_request, u));
}

size_t fsi_common_names_size(const struct fsif_op *op)
{
    if (op->type == FSIF_OP_RENAME)
        return second_name(op) + strnlen(op->path2, FSIF_PAGE_SIZE) + 1;
    return strnlen(op->path, FSIF_PAGE_SIZE) + 1;
}

/* Returns where the next byte goes. */
static char *put_text(char *at, const char *text)
{
    size_t n = strnlen(text, FSIF_PAGE_SIZE);

    fsi_memcpy(at, text, n);
    at[n] = '\0';
    return at + n + 1;
}

static char *put_label(char *at, const char *label)
{
    fsi_memcpy(at, label, FSIF_WIRE1_RENAME_LABEL);
    return at + FSIF_WIRE1_RENAME_LABEL;
}

void fsi_common_encode_names(const struct fsif_op *op, void *page)
{
    char *at = page;

    if (op->type == FSIF_OP_RENAME) {
        at = put_label(at, "old: ");
        at = put_text(at, op->path);
        at = put_label(at, "new: ");
        put_text(at, op->path2);
    } else {
        put_text(at, op->path);
    }
}

/* @strip: what absolute names may begin with, see fsi_path_strip(); NULL: nothing */
static int normalize(char *name, size_t size, const char *strip, const char **out)
{
    int absolute = name[0] == '/';
    int len = fsif_path_normalize(name, size);

    if (len < 0)
        return len;
    *out = absolute && strip ? fsi_path_strip(name, strip) : name;
    return 0;
}

static int decode_two_names(const void *slot, char *page, const char *strip, struct fsif_op *op)
{
    struct fsif_wire1_rename w;
    size_t from, from_end, to, to_end;
    int error;

    fsi_common_get_operands(&w, slot, sizeof(w));
    from = w.old_offset;
    to = w.new_offset;
    if (from >= FSIF_PAGE_SIZE || to >= FSIF_PAGE_SIZE)
        return -FSIF_EINVAL;

    from_end = from + strnlen(page + from, FSIF_PAGE_SIZE - from);
    to_end = to + strnlen(page + to, FSIF_PAGE_SIZE - to);
    if (from_end == FSIF_PAGE_SIZE || to_end == FSIF_PAGE_SIZE)
        return -FSIF_ENAMETOOLONG;
    if (to <= from_end && from <= to_end)
        return -FSIF_EINVAL;

    error = normalize(page + from, from_end - from + 1, strip, &op->path);
    if (error)
        return error;
    return normalize(page + to, to_end - to + 1, strip, &op->path2);
}

int fsi_common_decode_names(const void *slot, char *page, const char *strip, struct fsif_op *op)
{
    if (op->type == FSIF_OP_RENAME)
        return decode_two_names(slot, page, strip, op);
    return normalize(page, FSIF_PAGE_SIZE, strip, &op->path);
}

/* --- responses --- */

static uint64_t listing_ret(const struct fsif_result *result)
{
    if (result->value < 0)
        return (uint64_t)-result->value << FSIF_WIRE1_LIST_ERROR_SHIFT;
    return (uint64_t)result->value | (uint64_t)(result->more != 0) << FSIF_WIRE1_LIST_MORE_SHIFT;
}

int64_t fsi_common_error(uint32_t features, int64_t value)
{
    return value < 0 && !(features & FSIF_FEATURE_ERRNO) ? -1 : value;
}

void fsi_common_put_response(void *slot, uint32_t id)
{
    uint16_t on_wire = (uint16_t)id;

    fsi_memcpy((char *)slot + offsetof(struct fsif_wire1_response, id), &on_wire, sizeof(on_wire));
}

void fsi_common_encode_result(uint32_t type, uint32_t features, uint32_t id,
                              const struct fsif_result *result, void *slot)
{
    uint64_t ret = (uint64_t)fsi_common_error(features, result->value);

    if (type == FSIF_OP_LIST)
        ret = listing_ret(result);
    fsi_common_put_response(slot, id);
    fsi_memcpy((char *)slot + offsetof(struct fsif_wire1_response, ret), &ret, sizeof(ret));
}

static enum fsif_poison decode_listing_ret(uint64_t ret, struct fsif_result *out)
{
    uint32_t error = (uint32_t)(ret >> FSIF_WIRE1_LIST_ERROR_SHIFT);

    if (ret >> (FSIF_WIRE1_LIST_MORE_SHIFT + 1) || error > FSIF_MAX_ERRNO)
        return FSIF_POISON_LISTING;
    out->value = (int64_t)(ret & FSIF_WIRE1_LIST_COUNT_MASK);
    out->more = (uint32_t)(ret >> FSIF_WIRE1_LIST_MORE_SHIFT);
    if (error) {
        out->value = -(int64_t)error;
        out->more = 0;
    }
    return FSIF_POISON_NONE;
}

enum fsif_poison fsi_common_take_value(uint32_t features, int64_t value, struct fsif_result *out)
{
    out->value = value;
    if (value < 0 && !(features & FSIF_FEATURE_ERRNO))
        out->value = -FSIF_EIO;
    return out->value < -FSIF_MAX_ERRNO ? FSIF_POISON_RESULT : FSIF_POISON_NONE;
}

enum fsif_poison fsi_common_decode_result(uint32_t type, uint32_t features, const void *slot,
                                          struct fsif_result *out)
{
    uint64_t ret;

    fsi_memcpy(&ret, (const char *)slot + offsetof(struct fsif_wire1_response, ret), sizeof(ret));
    if (type == FSIF_OP_LIST)
        return decode_listing_ret(ret, out);
    return fsi_common_take_value(features, (int64_t)ret, out);
}

/* --- attributes and listings --- */

uint32_t fsi_common_encode_attr(const struct fsif_attr *attr, void *at)
{
    struct fsif_wire1_attr w;

    fsi_memset(&w, 0, sizeof(w));
    w.mode = (int32_t)(attr->mode & (FSIF_S_IFMT | FSIF_S_PERM));
    w.uid = attr->uid;
    w.gid = attr->gid;
    w.size = attr->size > INT64_MAX ? INT64_MAX : (int64_t)attr->size;
    w.atime = attr->atime;
    w.mtime = attr->mtime;
    w.ctime = attr->ctime;
    fsi_memcpy(at, &w, sizeof(w));
    return sizeof(w);
}

enum fsif_poison fsi_common_decode_attr(const void *at, struct fsif_attr *out)
{
    struct fsif_wire1_attr w;
    uint32_t mode;

    fsi_copy_in(&w, at, sizeof(w));
    mode = (uint32_t)w.mode;
    if (w.size < 0 || mode & ~(FSIF_S_IFMT | FSIF_S_PERM) || !fsi_known_type(mode & FSIF_S_IFMT))
        return FSIF_POISON_ATTR;
    out->mode = mode;
    out->uid = w.uid;
    out->gid = w.gid;
    out->size = (uint64_t)w.size;
    out->atime = w.atime;
    out->mtime = w.mtime;
    out->ctime = w.ctime;
    return FSIF_POISON_NONE;
}

/* Bytes of the name at @name and its NUL; 0 if it is none. */
static size_t listed_name(const char *name, size_t room)
{
    for (size_t n = 0; n < room && n <= FSIF_NAME_MAX; n++) {
        if (name[n] == '/')
            return 0;
        if (name[n] == '\0')
            return n > 0 ? n + 1 : 0;
    }
    return 0;
}

enum fsif_poison fsi_common_decode_listing(const void *page, const struct fsif_op *op,
                                           struct fsif_result *out)
{
    char *names = op->buffer;
    size_t used = 0;

    if (out->value == 0)
        return out->more ? FSIF_POISON_LISTING : FSIF_POISON_NONE;
    fsi_copy_in(names, page, FSIF_PAGE_SIZE);
    for (int64_t i = 0; i < out->value; i++) {
        size_t n = listed_name(names + used, FSIF_PAGE_SIZE - used);

        if (n == 0)
            return FSIF_POISON_LISTING;
        used += n;
    }
    out->used = (uint32_t)used;
    return FSIF_POISON_NONE;
}
