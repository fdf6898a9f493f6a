/* SPDX-License-Identifier: MIT */
/*
 * Dialect 3, answers and notices, and the dialect's table. A response entry is one slot, or two if
 * what the operation answers with does not fit into one.
 */
#include "codec3.h"

#include <fsif/error.h>

#include "le.h"
#include "mem.h"

#define VALUE offsetof(struct fsif_wire3_response, value)
#define COOKIE FSIF_WIRE3_BODY

/* What lies in the body of an operation's answer. */
enum body {
    BODY_NONE,
    BODY_ATTR,
    BODY_VFS,
    BODY_LOCK,
};

/* @more: open and lock answer with a body only if they were asked to. */
static enum body body_of(uint32_t type, uint32_t more)
{
    switch (type) {
    case FSIF_OP_STAT:
    case FSIF_OP_SETATTR:
    case FSIF_OP_READFILE:
    case FSIF_OP_WRITEFILE:
        return BODY_ATTR;
    case FSIF_OP_OPEN:
        return more ? BODY_ATTR : BODY_NONE;
    case FSIF_OP_STATVFS:
        return BODY_VFS;
    case FSIF_OP_LOCK:
        return more ? BODY_LOCK : BODY_NONE;
    default:
        return BODY_NONE;
    }
}

static uint32_t asked_for(const struct fsif_op *op)
{
    return (op->type == FSIF_OP_OPEN && op->flags & FSIF_O_STAT) ||
           (op->type == FSIF_OP_LOCK && op->flags & FSIF_LOCK_TEST);
}

static int64_t largest_value(const struct fsi_dialect *d, uint32_t type)
{
    (void)d;
    switch (type) {
    case FSIF_OP_OPEN:
    case FSIF_OP_EXPORT:
    case FSIF_OP_READ:
    case FSIF_OP_WRITE:
    case FSIF_OP_READFILE:
    case FSIF_OP_WRITEFILE:
    case FSIF_OP_READDIR:
    case FSIF_OP_READLINK:
    case FSIF_OP_GETXATTR:
    case FSIF_OP_LISTXATTR:
    case FSIF_OP_WATCH:
        return INT32_MAX;
    case FSIF_OP_SEEK:
    case FSIF_OP_COPY_RANGE:
        return INT64_MAX;
    case FSIF_OP_STATMANY:
        return FSIF_STATMANY_MAX;
    default:
        return 0;
    }
}

static void encode_result(uint32_t type, uint32_t features, uint32_t id,
                          const struct fsif_result *result, void *to)
{
    uint8_t *slot = (uint8_t *)to;

    (void)features;
    fsi_put16(slot, id);
    fsi_put64(slot + VALUE, (uint64_t)result->value);
    if (result->value < 0)
        return;
    switch (body_of(type, result->more)) {
    case BODY_ATTR:
        slot[offsetof(struct fsif_wire3_response, flags)] = FSIF_WIRE3_LONG;
        fsi_attr3_put(&result->attr, slot + FSIF_WIRE3_BODY);
        break;
    case BODY_VFS:
        fsi_statvfs3_put(&result->vfs, slot + FSIF_WIRE3_BODY);
        break;
    case BODY_LOCK:
        fsi_lock3_put(&result->lock, slot + FSIF_WIRE3_BODY);
        break;
    default:
        break;
    }
}

static int value_fits(const struct fsif_op *op, int64_t value)
{
    switch (op->type) {
    case FSIF_OP_GETXATTR:
    case FSIF_OP_LISTXATTR:
        return (uint64_t)value <= (op->length ? op->length : FSIF_XATTR_MAX);
    case FSIF_OP_READ:
    case FSIF_OP_WRITE:
    case FSIF_OP_READFILE:
    case FSIF_OP_WRITEFILE:
    case FSIF_OP_READDIR:
    case FSIF_OP_READLINK:
    case FSIF_OP_COPY_RANGE:
        return (uint64_t)value <= op->length;
    case FSIF_OP_STATMANY:
        return (uint64_t)value == op->offset;
    default:
        return value <= largest_value(NULL, op->type);
    }
}

static enum fsif_poison take_body(const struct fsif_op *op, const uint8_t *slot,
                                  struct fsif_result *out)
{
    int is_long = slot[offsetof(struct fsif_wire3_response, flags)] & FSIF_WIRE3_LONG;

    out->more = asked_for(op);
    switch (body_of(op->type, out->more)) {
    case BODY_ATTR:
        return is_long ? fsi_attr3_get(slot + FSIF_WIRE3_BODY, &out->attr) : FSIF_POISON_ATTR;
    case BODY_VFS:
        return fsi_statvfs3_get(slot + FSIF_WIRE3_BODY, &out->vfs);
    case BODY_LOCK:
        return fsi_lock3_get(slot + FSIF_WIRE3_BODY, &out->lock);
    default:
        return FSIF_POISON_NONE;
    }
}

/* Data out of the request's part, once; then what has a form is judged as a copy. */
static enum fsif_poison take_data(const struct fsif_op *op, const void *part,
                                  struct fsif_result *out)
{
    size_t n = (size_t)out->value;
    uint32_t skip;

    switch (op->type) {
    case FSIF_OP_STATMANY:
        skip = ((uint32_t)op->length + 7u) & ~7u;
        fsi_memcpy(op->buffer, (const char *)part + skip, n * FSIF_RECORD_SIZE);
        return fsi_records3_check(op->buffer, (uint32_t)n);
    case FSIF_OP_READDIR:
        fsi_memcpy(op->buffer, part, n);
        out->used = (uint32_t)n;
        return fsi_entries3_check(op->buffer, out->used, op, &out->cookie);
    case FSIF_OP_GETXATTR:
    case FSIF_OP_LISTXATTR:
        n = op->length ? n : 0;
        break;
    default:
        break;
    }
    if (fsi_layout3(op->type)->data == FSI_DATA_IN && n)
        fsi_memcpy(op->buffer, part, n);
    return FSIF_POISON_NONE;
}

static int unknown_flags(const void *slot)
{
    const uint8_t *at = (const uint8_t *)slot + offsetof(struct fsif_wire3_response, flags);

    return (*at | FSIF_WIRE3_LONG) != FSIF_WIRE3_LONG;
}

static enum fsif_poison decode_response(const struct fsi_dialect *d, const struct fsif_op *op,
                                        uint32_t features, const void *slot, const void *part,
                                        struct fsif_result *out)
{
    enum fsif_poison bad;

    (void)d;
    (void)features;
    fsi_memset(out, 0, sizeof(*out));
    if (unknown_flags(slot))
        return FSIF_POISON_RESULT;
    out->value = (int64_t)fsi_get64((const char *)slot + VALUE);
    if (out->value < 0)
        return out->value < -FSIF_MAX_ERRNO ? FSIF_POISON_RESULT : FSIF_POISON_NONE;
    if (!value_fits(op, out->value))
        return FSIF_POISON_RESULT;
    bad = take_body(op, (const uint8_t *)slot, out);
    return bad || op->nranges ? bad : take_data(op, part, out);
}

/* --- notices --- */

uint32_t fsi_late3_put(uint64_t cookie, int64_t value, void *to)
{
    uint8_t *slot = (uint8_t *)to;

    slot[offsetof(struct fsif_wire3_response, kind)] = FSIF_WIRE3_LATE;
    fsi_put64(slot + VALUE, (uint64_t)value);
    fsi_put64(slot + COOKIE, cookie);
    return FSIF_WIRE3_SLOT;
}

uint32_t fsi_change3_put(uint64_t cookie, uint32_t what, const char *name, uint32_t len, void *to)
{
    uint8_t *slot = (uint8_t *)to;
    uint8_t *body = slot + FSIF_WIRE3_BODY;

    if (len > FSIF_WIRE3_CHANGE_NAME) {
        what |= FSIF_CHANGE_LOST;
        len = 0;
    }
    slot[offsetof(struct fsif_wire3_response, kind)] = FSIF_WIRE3_CHANGE;
    fsi_put32(slot + offsetof(struct fsif_wire3_response, what), what);
    fsi_put64(slot + COOKIE, cookie);
    body[offsetof(struct fsif_wire3_change, name_len)] = (uint8_t)len;
    fsi_memcpy(body + offsetof(struct fsif_wire3_change, name), name, len);
    if (FSIF_WIRE3_BODY + offsetof(struct fsif_wire3_change, name) + len <= FSIF_WIRE3_SLOT)
        return FSIF_WIRE3_SLOT;
    slot[offsetof(struct fsif_wire3_response, flags)] = FSIF_WIRE3_LONG;
    return FSIF_WIRE3_RESPONSE;
}

uint32_t fsi_response3_kind(const void *slot)
{
    return ((const uint8_t *)slot)[offsetof(struct fsif_wire3_response, kind)];
}

static enum fsif_poison change_get(const uint8_t *slot, struct fsif_notice *out)
{
    const uint8_t *body = slot + FSIF_WIRE3_BODY;
    uint32_t len = body[offsetof(struct fsif_wire3_change, name_len)];
    uint32_t room = FSIF_WIRE3_CHANGE_NAME;

    if (!(slot[offsetof(struct fsif_wire3_response, flags)] & FSIF_WIRE3_LONG))
        room -= FSIF_WIRE3_SLOT;
    out->kind = FSIF_NOTICE_CHANGE;
    out->what = fsi_get32(slot + offsetof(struct fsif_wire3_response, what));
    if (len > room || out->what & ~(FSIF_CHANGE_ALL | FSIF_CHANGE_LOST))
        return FSIF_POISON_RESULT;
    fsi_memcpy(out->name, body + offsetof(struct fsif_wire3_change, name), len);
    for (uint32_t i = 0; i < len; i++) {
        if (out->name[i] == '/' || out->name[i] == '\0')
            return FSIF_POISON_LISTING;
    }
    return FSIF_POISON_NONE;
}

enum fsif_poison fsi_notice3_get(const void *from, struct fsif_notice *out)
{
    const uint8_t *slot = (const uint8_t *)from;

    fsi_memset(out, 0, sizeof(*out));
    if (unknown_flags(slot))
        return FSIF_POISON_RESULT;
    out->cookie = fsi_get64(slot + COOKIE);
    switch (fsi_response3_kind(slot)) {
    case FSIF_WIRE3_LATE:
        out->kind = FSIF_NOTICE_LATE;
        out->value = (int64_t)fsi_get64(slot + VALUE);
        return out->value > 0 || out->value < -FSIF_MAX_ERRNO ? FSIF_POISON_RESULT
                                                              : FSIF_POISON_NONE;
    case FSIF_WIRE3_CHANGE:
        return change_get(slot, out);
    case FSIF_WIRE3_VOID:
        return FSIF_POISON_NONE;
    default:
        return FSIF_POISON_RESULT;
    }
}

/* --- the table --- */

/* Pages are not used; which handles a row takes is in its layout. */
#define ROW(op) [FSIF_OP_##op] = {.wire_type = FSIF_WIRE3_##op}
#define TYPE(op) [FSIF_WIRE3_##op] = FSIF_OP_##op
#define ALL(X)                                                                                     \
    X(OPEN), X(CLOSE), X(READ), X(WRITE), X(STAT), X(REMOVE), X(RENAME), X(SYNC), X(NOP),          \
        X(SETATTR), X(MKDIR), X(MKNOD), X(LINK), X(SYMLINK), X(READLINK), X(READDIR), X(STATVFS),  \
        X(ALLOCATE), X(SEEK), X(COPY_RANGE), X(GETXATTR), X(SETXATTR), X(LISTXATTR),               \
        X(REMOVEXATTR), X(LOCK), X(CANCEL), X(WATCH), X(UNWATCH), X(EXPORT), X(READFILE),          \
        X(WRITEFILE), X(STATMANY)

static const struct fsi_codec_row rows[FSIF_OP_COUNT] = {ALL(ROW)};
static const uint8_t types[] = {ALL(TYPE)};

const struct fsi_dialect fsi_dialect3 = {
    .number = 3,
    .slot_size = FSIF_WIRE3_SLOT,
    .response_size = FSIF_WIRE3_RESPONSE,
    .split = 1,
    .rows = rows,
    .types = types,
    .ntypes = sizeof(types),
    .check_op = fsi_check_op3,
    .part_size = fsi_part_size3,
    .encode_request = fsi_encode_request3,
    .decode_response = decode_response,
    .decode_request = fsi_decode_request3,
    .largest_value = largest_value,
    .encode_result = encode_result,
};
