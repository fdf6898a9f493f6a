/* SPDX-License-Identifier: MIT */
/*
 * Dialect 1, the format of the 2008 patch: a row for each operation and the shape of what rows
 * have in common. Padding is sent as zero and ignored on receipt: old guests leave what their
 * memory held before.
 *
 * Slots are private copies of any alignment, hence the copies into typed values.
 */
#include "barrier.h"
#include "codec.h"
#include "mem.h"
#include <fsif/error.h>
#include <fsif/path.h>

/* --- requests: operands --- */

/* Operands lie behind the head, which encode leaves alone. */
static void put_operands(void *slot, const void *operands, size_t size)
{
    fsi_memcpy((char *)slot + offsetof(struct fsif_wire1_request, u), operands, size);
}

static void get_operands(void *operands, const void *slot, size_t size)
{
    fsi_memcpy(operands, (const char *)slot + offsetof(struct fsif_wire1_request, u), size);
}

static void encode_io(const struct fsif_op *op, uint32_t gref, void *slot)
{
    struct fsif_wire1_io w = {op->handle, gref, op->length, op->offset};

    put_operands(slot, &w, sizeof(w));
}

static int decode_io(const void *slot, struct fsif_op *op, uint32_t *gref)
{
    struct fsif_wire1_io w;

    get_operands(&w, slot, sizeof(w));
    op->handle = w.fd;
    op->length = w.len;
    op->offset = w.offset;
    *gref = w.gref;
    if (w.len > FSIF_PAGE_SIZE || w.offset > (uint64_t)INT64_MAX - w.len)
        return -FSIF_EINVAL;
    return 0;
}

static void encode_path(const struct fsif_op *op, uint32_t gref, void *slot)
{
    struct fsif_wire1_path w = {gref};

    (void)op;
    put_operands(slot, &w, sizeof(w));
}

static int decode_path(const void *slot, struct fsif_op *op, uint32_t *gref)
{
    struct fsif_wire1_path w;

    (void)op;
    get_operands(&w, slot, sizeof(w));
    *gref = w.gref;
    return 0;
}

static void encode_handle(const struct fsif_op *op, uint32_t gref, void *slot)
{
    struct fsif_wire1_handle w = {op->handle};

    (void)gref;
    put_operands(slot, &w, sizeof(w));
}

static int decode_handle(const void *slot, struct fsif_op *op, uint32_t *gref)
{
    struct fsif_wire1_handle w;

    (void)gref;
    get_operands(&w, slot, sizeof(w));
    op->handle = w.fd;
    return 0;
}

static void encode_stat(const struct fsif_op *op, uint32_t gref, void *slot)
{
    struct fsif_wire1_stat w = {op->handle, gref};

    put_operands(slot, &w, sizeof(w));
}

static int decode_stat(const void *slot, struct fsif_op *op, uint32_t *gref)
{
    struct fsif_wire1_stat w;

    get_operands(&w, slot, sizeof(w));
    op->handle = w.fd;
    *gref = w.gref;
    return 0;
}

static void encode_truncate(const struct fsif_op *op, uint32_t gref, void *slot)
{
    struct fsif_wire1_truncate w = {op->handle, 0, (int64_t)op->length};

    (void)gref;
    put_operands(slot, &w, sizeof(w));
}

static int decode_truncate(const void *slot, struct fsif_op *op, uint32_t *gref)
{
    struct fsif_wire1_truncate w;

    (void)gref;
    get_operands(&w, slot, sizeof(w));
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

static void encode_rename(const struct fsif_op *op, uint32_t gref, void *slot)
{
    struct fsif_wire1_rename w = {FSIF_WIRE1_RENAME_LABEL, (uint16_t)second_name(op), gref};

    put_operands(slot, &w, sizeof(w));
}

static int decode_rename(const void *slot, struct fsif_op *op, uint32_t *gref)
{
    struct fsif_wire1_rename w;

    (void)op;
    get_operands(&w, slot, sizeof(w));
    *gref = w.gref;
    if (w.old_offset >= FSIF_PAGE_SIZE || w.new_offset >= FSIF_PAGE_SIZE)
        return -FSIF_EINVAL;
    return 0;
}

static void encode_create(const struct fsif_op *op, uint32_t gref, void *slot)
{
    struct fsif_wire1_create w = {
        .directory = op->flags & FSIF_CREATE_DIRECTORY ? 1 : 0,
        .mode = (int32_t)(op->mode & FSIF_S_PERM),
        .gref = gref,
    };

    put_operands(slot, &w, sizeof(w));
}

static int decode_create(const void *slot, struct fsif_op *op, uint32_t *gref)
{
    struct fsif_wire1_create w;

    get_operands(&w, slot, sizeof(w));
    op->flags = w.directory ? FSIF_CREATE_DIRECTORY : 0;
    op->mode = (uint32_t)w.mode & FSIF_S_PERM;
    *gref = w.gref;
    return 0;
}

static void encode_list(const struct fsif_op *op, uint32_t gref, void *slot)
{
    struct fsif_wire1_list w = {(uint32_t)op->offset, gref};

    put_operands(slot, &w, sizeof(w));
}

static int decode_list(const void *slot, struct fsif_op *op, uint32_t *gref)
{
    struct fsif_wire1_list w;

    get_operands(&w, slot, sizeof(w));
    op->offset = w.offset;
    *gref = w.gref;
    return 0;
}

static void encode_chmod(const struct fsif_op *op, uint32_t gref, void *slot)
{
    struct fsif_wire1_chmod w = {op->handle, (int32_t)(op->mode & FSIF_S_PERM)};

    (void)gref;
    put_operands(slot, &w, sizeof(w));
}

static int decode_chmod(const void *slot, struct fsif_op *op, uint32_t *gref)
{
    struct fsif_wire1_chmod w;

    (void)gref;
    get_operands(&w, slot, sizeof(w));
    op->handle = w.fd;
    op->mode = (uint32_t)w.mode & FSIF_S_PERM;
    return 0;
}

/* number, page, takes a handle, gives one, encode, decode */
static const struct fsi_codec_row rows[FSIF_OP_COUNT] = {
    [FSIF_OP_OPEN] = {FSIF_WIRE_OPEN, FSI_PAGE_NAMES, 0, 1, encode_path, decode_path},
    [FSIF_OP_CLOSE] = {FSIF_WIRE_CLOSE, FSI_PAGE_NONE, 1, 0, encode_handle, decode_handle},
    [FSIF_OP_READ] = {FSIF_WIRE_READ, FSI_PAGE_DATA_IN, 1, 0, encode_io, decode_io},
    [FSIF_OP_WRITE] = {FSIF_WIRE_WRITE, FSI_PAGE_DATA_OUT, 1, 0, encode_io, decode_io},
    [FSIF_OP_STAT] = {FSIF_WIRE_STAT, FSI_PAGE_ATTR, 1, 0, encode_stat, decode_stat},
    [FSIF_OP_TRUNCATE] = {FSIF_WIRE_TRUNCATE, FSI_PAGE_NONE, 1, 0, encode_truncate,
                          decode_truncate},
    [FSIF_OP_REMOVE] = {FSIF_WIRE_REMOVE, FSI_PAGE_NAMES, 0, 0, encode_path, decode_path},
    [FSIF_OP_RENAME] = {FSIF_WIRE_RENAME, FSI_PAGE_NAMES, 0, 0, encode_rename, decode_rename},
    [FSIF_OP_CREATE] = {FSIF_WIRE_CREATE, FSI_PAGE_NAMES, 0, 1, encode_create, decode_create},
    [FSIF_OP_LIST] = {FSIF_WIRE_LIST, FSI_PAGE_LIST, 0, 0, encode_list, decode_list},
    [FSIF_OP_CHMOD] = {FSIF_WIRE_CHMOD, FSI_PAGE_NONE, 1, 0, encode_chmod, decode_chmod},
    [FSIF_OP_SPACE] = {FSIF_WIRE_SPACE, FSI_PAGE_NAMES, 0, 0, encode_path, decode_path},
    [FSIF_OP_SYNC] = {FSIF_WIRE_SYNC, FSI_PAGE_NONE, 1, 0, encode_handle, decode_handle},
};

/* --- requests: head and names --- */

static void put_request(void *slot, uint32_t wire_type, uint32_t id)
{
    struct fsif_wire1_request head;

    fsi_memset(&head, 0, sizeof(head));
    head.type = (uint8_t)wire_type;
    head.id = (uint16_t)id;
    fsi_memcpy(slot, &head, offsetof(struct fsif_wire1_request, u));
}

static uint32_t request_type(const void *slot)
{
    return *(const uint8_t *)slot;
}

static uint32_t request_id(const void *slot)
{
    uint16_t id;

    fsi_memcpy(&id, (const char *)slot + offsetof(struct fsif_wire1_request, id), sizeof(id));
    return id;
}

static size_t names_size(const struct fsif_op *op)
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

static void encode_names(const struct fsif_op *op, void *page)
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

static int normalize(char *name, size_t size, const char **out)
{
    int len = fsif_path_normalize(name, size);

    *out = name;
    return len < 0 ? len : 0;
}

static int decode_two_names(const void *slot, char *page, struct fsif_op *op)
{
    struct fsif_wire1_rename w;
    size_t from, from_end, to, to_end;
    int error;

    get_operands(&w, slot, sizeof(w));
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

    error = normalize(page + from, from_end - from + 1, &op->path);
    if (error)
        return error;
    return normalize(page + to, to_end - to + 1, &op->path2);
}

static int decode_names(const void *slot, char *page, struct fsif_op *op)
{
    if (op->type == FSIF_OP_RENAME)
        return decode_two_names(slot, page, op);
    return normalize(page, FSIF_PAGE_SIZE, &op->path);
}

/* --- responses --- */

static uint64_t listing_ret(const struct fsif_result *result)
{
    if (result->value < 0)
        return (uint64_t)-result->value << FSIF_WIRE1_LIST_ERROR_SHIFT;
    return (uint64_t)result->value | (uint64_t)(result->more != 0) << FSIF_WIRE1_LIST_MORE_SHIFT;
}

static void encode_result(uint32_t type, uint32_t features, uint32_t id,
                          const struct fsif_result *result, void *slot)
{
    struct fsif_wire1_response w;
    int64_t value = result->value;

    fsi_memset(&w, 0, sizeof(w));
    w.id = (uint16_t)id;
    if (value < 0 && !(features & FSIF_FEATURE_ERRNO))
        value = -1;
    w.ret = type == FSIF_OP_LIST ? listing_ret(result) : (uint64_t)value;
    fsi_memcpy(slot, &w, sizeof(w));
}

static uint32_t response_id(const void *slot)
{
    uint16_t id;

    fsi_memcpy(&id, (const char *)slot + offsetof(struct fsif_wire1_response, id), sizeof(id));
    return id;
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

static enum fsif_poison decode_result(uint32_t type, uint32_t features, const void *slot,
                                      struct fsif_result *out)
{
    struct fsif_wire1_response w;

    fsi_memcpy(&w, slot, sizeof(w));
    if (type == FSIF_OP_LIST)
        return decode_listing_ret(w.ret, out);
    out->value = (int64_t)w.ret;
    if (out->value < 0 && !(features & FSIF_FEATURE_ERRNO))
        out->value = -FSIF_EIO;
    return out->value < -FSIF_MAX_ERRNO ? FSIF_POISON_RESULT : FSIF_POISON_NONE;
}

/* --- answers in the page --- */

static uint32_t encode_attr(const struct fsif_attr *attr, void *page)
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
    fsi_memcpy(page, &w, sizeof(w));
    return sizeof(w);
}

static int known_type(uint32_t mode)
{
    switch (mode & FSIF_S_IFMT) {
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

static enum fsif_poison decode_attr(const void *page, struct fsif_attr *out)
{
    struct fsif_wire1_attr w;
    uint32_t mode;

    fsi_copy_in(&w, page, sizeof(w));
    mode = (uint32_t)w.mode;
    if (w.size < 0 || mode & ~(FSIF_S_IFMT | FSIF_S_PERM) || !known_type(mode))
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

static enum fsif_poison decode_listing(const void *page, const struct fsif_op *op,
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

const struct fsi_dialect fsi_dialect1 = {
    .number = 1,
    .slot_size = FSIF_WIRE1_SLOT,
    .max_io = FSIF_PAGE_SIZE,
    .slots_of_one_page = FSIF_WIRE1_SLOTS,
    .rows = rows,
    .max_ring_pages = 1,
    .put_request = put_request,
    .request_type = request_type,
    .request_id = request_id,
    .response_id = response_id,
    .names_size = names_size,
    .encode_names = encode_names,
    .decode_names = decode_names,
    .encode_result = encode_result,
    .decode_result = decode_result,
    .encode_attr = encode_attr,
    .decode_attr = decode_attr,
    .decode_listing = decode_listing,
    .attr_size = sizeof(struct fsif_wire1_attr),
};
