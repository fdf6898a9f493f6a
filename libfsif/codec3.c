/* SPDX-License-Identifier: MIT */
/*
 * Dialect 3, requests: their rows, and the frontend's side; codec3_decode.c is the backend's. A
 * slot is the head, the row's numbers, its names and its ranges; whatever of the 64 octets the row
 * does not use is 0, and a request where it is not is refused. Names that fit lie in the slot;
 * longer ones, and data that the caller wants copied, lie in a part of the arena that the frontend
 * takes for the request:
 *
 *   part   data, or names and records of statmany | names | unused
 *          0                                      align8
 */
#include "codec3.h"

#include "le.h"
#include "mem.h"
#include "path.h"
#include <fsif/error.h>
#include <fsif/negotiate.h>

#define NAMES(at) .names_at = (at), .names_room = FSIF_WIRE3_SLOT - (at)

#define OP(text, member_, at_, width_)                                                             \
    {                                                                                              \
        .name = (text), .at = (at_), .width = (width_),                                            \
        .size = sizeof(((struct fsif_op *)0)->member_),                                            \
        .member = offsetof(struct fsif_op, member_)                                                \
    }
#define SET(text, member_, at_, width_)                                                            \
    {                                                                                              \
        .name = (text), .at = (at_), .width = (width_), .in_set = 1,                               \
        .size = sizeof(((struct fsif_setattr *)0)->member_),                                       \
        .member = offsetof(struct fsif_setattr, member_)                                           \
    }
#define FIELDS(f) .fields = (f), .nfields = sizeof(f) / sizeof((f)[0])

static const struct fsi_field3 flags16[] = {OP("flags", flags, 16, 4)};
static const struct fsi_field3 flags_mode[] = {OP("flags", flags, 16, 4), OP("mode", mode, 20, 4)};
static const struct fsi_field3 mode20[] = {OP("mode", mode, 20, 4)};
static const struct fsi_field3 read_fields[] = {OP("offset", offset, 16, 8)};
static const struct fsi_field3 write_fields[] = {OP("offset", offset, 16, 8),
                                                 OP("flags", flags, 28, 4)};
static const struct fsi_field3 setattr_fields[] = {
    SET("mode", mode, 14, 2),
    SET("mask", mask, 16, 2),
    OP("flags", flags, 18, 2),
    SET("uid", uid, 24, 4),
    SET("gid", gid, 28, 4),
    SET("size", size, 32, 8),
    SET("atime", atime, 40, 8),
    SET("mtime", mtime, 48, 8),
    SET("atime_nsec", atime_nsec, 56, 4),
    SET("mtime_nsec", mtime_nsec, 60, 4),
};
static const struct fsi_field3 mknod_fields[] = {OP("mode", mode, 16, 4),
                                                 OP("rdev", offset, 24, 8)};
static const struct fsi_field3 readdir_fields[] = {OP("cookie", cookie, 16, 8),
                                                   OP("flags", flags, 32, 4)};
static const struct fsi_field3 allocate_fields[] = {
    OP("offset", offset, 16, 8), OP("length", length, 24, 8), OP("flags", flags, 32, 4)};
static const struct fsi_field3 seek_fields[] = {OP("offset", offset, 16, 8),
                                                OP("flags", flags, 24, 4)};
static const struct fsi_field3 copy_fields[] = {
    OP("offset", offset, 16, 8), OP("offset2", offset2, 24, 8), OP("length", length, 32, 8)};
static const struct fsi_field3 lock_fields[] = {
    OP("mode", mode, 12, 4), OP("offset", offset, 16, 8), OP("length", length, 24, 8),
    OP("cookie", cookie, 32, 8), OP("flags", flags, 40, 4)};
static const struct fsi_field3 cookie16[] = {OP("cookie", cookie, 16, 8)};
static const struct fsi_field3 watch_fields[] = {OP("cookie", cookie, 16, 8),
                                                 OP("flags", flags, 24, 4)};
static const struct fsi_field3 unwatch_fields[] = {OP("watch", offset, 16, 8)};
static const struct fsi_field3 many_fields[] = {OP("flags", flags, 16, 4),
                                                OP("count", offset, 20, 4)};

#define OPEN_FLAGS                                                                                 \
    (FSIF_O_ACCMODE | FSIF_O_CREAT | FSIF_O_EXCL | FSIF_O_TRUNC | FSIF_O_APPEND | FSIF_O_DSYNC |   \
     FSIF_O_DIRECTORY | FSIF_O_NOFOLLOW | FSIF_O_SYNC | FSIF_O_PATH | FSIF_O_TMPFILE |             \
     FSIF_O_STAT)
#define WRITEFILE_FLAGS                                                                            \
    (FSIF_O_CREAT | FSIF_O_EXCL | FSIF_O_TRUNC | FSIF_O_NOFOLLOW | FSIF_O_SYNC | FSIF_O_DSYNC)
#define BASE .handle = FSI_HANDLE_BASE
#define FILE_HANDLE .handle = FSI_HANDLE_FILE
#define BASE2 .handle2 = FSI_HANDLE_BASE, .handle2_at = 20

static const struct fsi_layout3 layouts[FSIF_OP_COUNT] = {
    [FSIF_OP_OPEN] = {BASE, .name = {FSI_NAME_PATH}, NAMES(24), .flags = OPEN_FLAGS,
                      FIELDS(flags_mode)},
    [FSIF_OP_CLOSE] = {FILE_HANDLE},
    [FSIF_OP_READ] = {FILE_HANDLE, .data = FSI_DATA_IN, .count_at = 24, .ranges_at = 32,
                      .max_ranges = FSIF_RANGES_MAX, FIELDS(read_fields)},
    [FSIF_OP_WRITE] = {FILE_HANDLE, .data = FSI_DATA_OUT, .count_at = 24, .ranges_at = 32,
                       .max_ranges = FSIF_RANGES_MAX, FIELDS(write_fields),
                       .flags = FSIF_WRITE_APPEND | FSIF_WRITE_DSYNC},
    [FSIF_OP_STAT] = {BASE, .name = {FSI_NAME_PATH_EMPTY}, NAMES(24), .flags = FSIF_AT_NOFOLLOW,
                      FIELDS(flags16)},
    [FSIF_OP_REMOVE] = {BASE, .name = {FSI_NAME_PATH}, NAMES(24),
                        .flags = FSIF_REMOVE_FILE | FSIF_REMOVE_DIR, FIELDS(flags16)},
    [FSIF_OP_RENAME] = {BASE, BASE2, .name = {FSI_NAME_PATH, FSI_NAME_PATH}, NAMES(24),
                        .flags = FSIF_RENAME_NOREPLACE | FSIF_RENAME_EXCHANGE, FIELDS(flags16)},
    [FSIF_OP_SYNC] = {FILE_HANDLE, .flags = FSIF_SYNC_DATA | FSIF_SYNC_FS, FIELDS(flags16)},
    [FSIF_OP_NOP] = {.handle = FSI_HANDLE_UNUSED},
    [FSIF_OP_SETATTR] = {BASE, .name = {FSI_NAME_PATH_EMPTY}, .names_at = 20,
                         .flags = FSIF_AT_NOFOLLOW, FIELDS(setattr_fields)},
    [FSIF_OP_MKDIR] = {BASE, .name = {FSI_NAME_PATH}, NAMES(24), FIELDS(mode20)},
    [FSIF_OP_MKNOD] = {BASE, .name = {FSI_NAME_PATH}, NAMES(32), FIELDS(mknod_fields)},
    [FSIF_OP_LINK] = {BASE, BASE2, .name = {FSI_NAME_PATH_EMPTY, FSI_NAME_PATH}, NAMES(24),
                      .flags = FSIF_AT_FOLLOW, FIELDS(flags16)},
    [FSIF_OP_SYMLINK] = {BASE, .name = {FSI_NAME_PATH, FSI_NAME_TARGET}, NAMES(24)},
    [FSIF_OP_READLINK] = {BASE, .name = {FSI_NAME_PATH_EMPTY}, .data = FSI_DATA_IN, .ranges_at = 24,
                          .max_ranges = 1, NAMES(32)},
    [FSIF_OP_READDIR] = {FILE_HANDLE, .data = FSI_DATA_IN, .ranges_at = 24, .max_ranges = 1,
                         .flags = FSIF_READDIR_ATTR, FIELDS(readdir_fields)},
    [FSIF_OP_STATVFS] = {BASE, .name = {FSI_NAME_PATH_EMPTY}, NAMES(24)},
    [FSIF_OP_ALLOCATE] = {FILE_HANDLE, FIELDS(allocate_fields),
                          .flags =
                              FSIF_ALLOCATE_KEEP_SIZE | FSIF_ALLOCATE_PUNCH | FSIF_ALLOCATE_ZERO},
    [FSIF_OP_SEEK] = {FILE_HANDLE, .flags = FSIF_SEEK_HOLE, FIELDS(seek_fields)},
    [FSIF_OP_COPY_RANGE] = {FILE_HANDLE, .handle2 = FSI_HANDLE_FILE, .handle2_at = 12,
                            FIELDS(copy_fields)},
    [FSIF_OP_GETXATTR] = {BASE, .name = {FSI_NAME_PATH_EMPTY, FSI_NAME_XATTR}, .data = FSI_DATA_IN,
                          .ranges_at = 24, .max_ranges = 1, NAMES(32), .flags = FSIF_AT_NOFOLLOW,
                          FIELDS(flags16)},
    [FSIF_OP_SETXATTR] = {BASE, .name = {FSI_NAME_PATH_EMPTY, FSI_NAME_XATTR}, .data = FSI_DATA_OUT,
                          .ranges_at = 24, .max_ranges = 1, NAMES(32),
                          .flags = FSIF_AT_NOFOLLOW | FSIF_XATTR_CREATE | FSIF_XATTR_REPLACE,
                          FIELDS(flags16)},
    [FSIF_OP_LISTXATTR] = {BASE, .name = {FSI_NAME_PATH_EMPTY}, .data = FSI_DATA_IN,
                           .ranges_at = 24, .max_ranges = 1, NAMES(32), .flags = FSIF_AT_NOFOLLOW,
                           FIELDS(flags16)},
    [FSIF_OP_REMOVEXATTR] = {BASE, .name = {FSI_NAME_PATH_EMPTY, FSI_NAME_XATTR}, NAMES(24),
                             .flags = FSIF_AT_NOFOLLOW, FIELDS(flags16)},
    [FSIF_OP_LOCK] = {FILE_HANDLE, .flags = FSIF_LOCK_WAIT | FSIF_LOCK_TEST | FSIF_LOCK_WHOLE,
                      FIELDS(lock_fields)},
    [FSIF_OP_CANCEL] = {FIELDS(cookie16)},
    [FSIF_OP_WATCH] = {FILE_HANDLE, .flags = FSIF_CHANGE_ALL, FIELDS(watch_fields)},
    [FSIF_OP_UNWATCH] = {FIELDS(unwatch_fields)},
    [FSIF_OP_EXPORT] = {.name = {FSI_NAME_EXPORT}, NAMES(24)},
    [FSIF_OP_READFILE] = {BASE, .name = {FSI_NAME_PATH}, .data = FSI_DATA_IN, .ranges_at = 24,
                          .max_ranges = 1, NAMES(32), .flags = FSIF_O_NOFOLLOW, FIELDS(flags16)},
    [FSIF_OP_WRITEFILE] = {BASE, .name = {FSI_NAME_PATH}, .data = FSI_DATA_OUT, .ranges_at = 24,
                           .max_ranges = 1, NAMES(32), .flags = WRITEFILE_FLAGS,
                           FIELDS(flags_mode)},
    [FSIF_OP_STATMANY] = {BASE, .data = FSI_DATA_MANY, .ranges_at = 24, .max_ranges = 1,
                          .second_at = 32, .flags = FSIF_AT_NOFOLLOW, FIELDS(many_fields)},
};

const struct fsi_layout3 *fsi_layout3(uint32_t type)
{
    return &layouts[type];
}

/* --- both sides: numbers --- */

static int span_fits(uint64_t offset, uint64_t length)
{
    return length <= INT64_MAX && offset <= (uint64_t)INT64_MAX - length;
}

static int both(uint32_t flags, uint32_t a, uint32_t b)
{
    return (flags & a) && (flags & b);
}

static int setattr_fits(const struct fsif_setattr *set)
{
    if (!set || set->mask & ~FSIF_SET_ALL || set->mode & ~FSIF_S_PERM || set->size > INT64_MAX)
        return 0;
    return set->atime_nsec < 1000000000u && set->mtime_nsec < 1000000000u &&
           !both(set->mask, FSIF_SET_ATIME, FSIF_SET_ATIME_NOW) &&
           !both(set->mask, FSIF_SET_MTIME, FSIF_SET_MTIME_NOW);
}

static int mknod_fits(uint32_t mode)
{
    switch (mode & ~FSIF_S_PERM) {
    case FSIF_S_IFREG:
    case FSIF_S_IFIFO:
    case FSIF_S_IFSOCK:
    case FSIF_S_IFCHR:
    case FSIF_S_IFBLK:
        return 1;
    default:
        return 0;
    }
}

static int allocate_fits(const struct fsif_op *op)
{
    if (op->length == 0 || !span_fits(op->offset, op->length) ||
        both(op->flags, FSIF_ALLOCATE_PUNCH, FSIF_ALLOCATE_ZERO))
        return 0;
    return !(op->flags & FSIF_ALLOCATE_PUNCH) || op->flags & FSIF_ALLOCATE_KEEP_SIZE;
}

static int lock_fits(const struct fsif_op *op)
{
    if (op->mode < FSIF_LOCK_SHARED || op->mode > FSIF_LOCK_UNLOCK ||
        !span_fits(op->offset, op->length) || both(op->flags, FSIF_LOCK_WAIT, FSIF_LOCK_TEST))
        return 0;
    if (op->flags & FSIF_LOCK_WHOLE && (op->offset || op->length))
        return 0;
    return op->mode != FSIF_LOCK_UNLOCK || !(op->flags & (FSIF_LOCK_WAIT | FSIF_LOCK_TEST));
}

static int numbers_fit(const struct fsif_op *op)
{
    switch (op->type) {
    case FSIF_OP_OPEN:
        return (op->flags & FSIF_O_ACCMODE) != FSIF_O_ACCMODE && !(op->mode & ~FSIF_S_PERM);
    case FSIF_OP_MKDIR:
    case FSIF_OP_WRITEFILE:
        return !(op->mode & ~FSIF_S_PERM);
    case FSIF_OP_READ:
    case FSIF_OP_WRITE:
        return span_fits(op->offset, op->length);
    case FSIF_OP_SETATTR:
        return setattr_fits(op->set);
    case FSIF_OP_RENAME:
        return !both(op->flags, FSIF_RENAME_NOREPLACE, FSIF_RENAME_EXCHANGE);
    case FSIF_OP_MKNOD:
        return mknod_fits(op->mode);
    case FSIF_OP_READLINK:
        return op->length > 0;
    case FSIF_OP_READDIR:
        return op->length >= FSIF_ENTRY_MAX;
    case FSIF_OP_ALLOCATE:
        return allocate_fits(op);
    case FSIF_OP_SEEK:
        return op->offset <= INT64_MAX;
    case FSIF_OP_COPY_RANGE:
        return span_fits(op->offset, op->length) && span_fits(op->offset2, op->length);
    case FSIF_OP_SETXATTR:
        return op->length <= FSIF_XATTR_MAX &&
               !both(op->flags, FSIF_XATTR_CREATE, FSIF_XATTR_REPLACE);
    case FSIF_OP_LOCK:
        return lock_fits(op);
    case FSIF_OP_WATCH:
        return op->flags != 0;
    case FSIF_OP_UNWATCH:
        return op->offset <= UINT32_MAX;
    case FSIF_OP_STATMANY:
        return op->offset > 0 && op->offset <= FSIF_STATMANY_MAX && op->length >= 2 * op->offset;
    default:
        return 1;
    }
}

int fsi_check3(const struct fsif_op *op)
{
    if (op->flags & ~layouts[op->type].flags)
        return -FSIF_EINVAL;
    return numbers_fit(op) ? 0 : -FSIF_EINVAL;
}

/* --- frontend's side --- */

static uint32_t align8(uint32_t n)
{
    return (n + 7u) & ~7u;
}

static uint32_t length_of(const char *name)
{
    return name ? (uint32_t)strnlen(name, FSIF_PAGE_SIZE) : 0;
}

static int check_name(uint32_t kind, const char *name)
{
    uint32_t len = length_of(name);

    if (kind == FSI_NAME_NONE)
        return 0;
    if (!name && kind != FSI_NAME_PATH_EMPTY)
        return -FSIF_EINVAL;
    if (kind == FSI_NAME_EXPORT)
        return fsif_export_name_valid(name) ? 0 : -FSIF_EINVAL;
    if (len == 0)
        return kind == FSI_NAME_PATH_EMPTY ? 0 : -FSIF_ENOENT;
    if (kind == FSI_NAME_XATTR)
        return len > FSIF_NAME_MAX ? -FSIF_ERANGE : 0;
    if (len > FSIF_PATH_MAX)
        return -FSIF_ENAMETOOLONG;
    return kind != FSI_NAME_TARGET && fsi_path_climbs(name, len) ? -FSIF_EACCES : 0;
}

static int check_data(const struct fsi_layout3 *l, const struct fsif_op *op)
{
    uint64_t sum = 0;

    if (l->data == FSI_DATA_NONE)
        return op->nranges ? -FSIF_EINVAL : 0;
    if (op->length > FSIF_ARENA_PAGES_MAX * (uint64_t)FSIF_PAGE_SIZE)
        return -FSIF_EINVAL;
    if (l->data == FSI_DATA_MANY)
        return op->nranges || !op->data || !op->buffer ? -FSIF_EINVAL : 0;
    if (!op->nranges)
        return op->length && !(l->data == FSI_DATA_OUT ? op->data : op->buffer) ? -FSIF_EINVAL : 0;
    if (op->nranges > l->max_ranges || !op->ranges)
        return -FSIF_EINVAL;
    for (uint32_t i = 0; i < op->nranges; i++)
        sum += op->ranges[i].len;
    return sum == op->length ? 0 : -FSIF_EINVAL;
}

int fsi_check_op3(const struct fsi_dialect *d, const struct fsif_op *op)
{
    const struct fsi_layout3 *l = &layouts[op->type];
    int error = fsi_check3(op);

    (void)d;
    if (!error)
        error = check_name(l->name[0], op->path);
    if (!error)
        error = check_name(l->name[1], op->path2);
    return error ? error : check_data(l, op);
}

/* Bytes of names; they fit into the slot if they are at most names_room. */
static uint32_t names_length(const struct fsi_layout3 *l, const struct fsif_op *op)
{
    uint32_t n = l->name[0] ? length_of(op->path) : 0;

    return l->name[1] ? n + length_of(op->path2) : n;
}

/* Bytes of data at the beginning of the part. */
static uint32_t data_size(const struct fsi_layout3 *l, const struct fsif_op *op)
{
    if (l->data == FSI_DATA_MANY)
        return align8((uint32_t)op->length) + (uint32_t)op->offset * FSIF_RECORD_SIZE;
    return l->data && !op->nranges ? (uint32_t)op->length : 0;
}

uint32_t fsi_part_size3(const struct fsif_op *op)
{
    const struct fsi_layout3 *l = &layouts[op->type];
    uint32_t names = names_length(l, op);
    uint32_t size = data_size(l, op);

    return names > l->names_room ? align8(size) + names : size;
}

static void put_field(const struct fsi_field3 *f, const struct fsif_op *op, uint8_t *slot)
{
    const char *from = (f->in_set ? (const char *)op->set : (const char *)op) + f->member;
    uint32_t small;
    uint64_t v;

    if (f->size == 8) {
        fsi_memcpy(&v, from, 8);
    } else {
        fsi_memcpy(&small, from, 4);
        v = small;
    }
    if (f->width == 8)
        fsi_put64(slot + f->at, v);
    else if (f->width == 4)
        fsi_put32(slot + f->at, (uint32_t)v);
    else
        fsi_put16(slot + f->at, (uint32_t)v);
}

static void put_names(const struct fsi_layout3 *l, const struct fsif_op *op, uint32_t at,
                      uint8_t *slot, uint8_t *part)
{
    uint32_t len[2] = {length_of(op->path), l->name[1] ? length_of(op->path2) : 0};
    uint32_t offset = align8(data_size(l, op));
    uint8_t *to = slot + l->names_at;

    fsi_put16(slot + FSI_NAME_LEN_AT(0), len[0]);
    if (l->name[1])
        fsi_put16(slot + FSI_NAME_LEN_AT(1), len[1]);
    if (len[0] + len[1] <= l->names_room) {
        slot[offsetof(struct fsif_wire3_request, flags)] = FSIF_WIRE3_INLINE;
    } else {
        fsi_put32(to, at + offset);
        to = part + offset;
    }
    if (len[0])
        fsi_memcpy(to, op->path, len[0]);
    if (len[1])
        fsi_memcpy(to + len[0], op->path2, len[1]);
}

static void put_ranges(const struct fsi_layout3 *l, const struct fsif_op *op, uint32_t at,
                       uint8_t *slot)
{
    const struct fsif_range own = {op->length ? at : 0, (uint32_t)op->length};
    const struct fsif_range *r = op->nranges ? op->ranges : &own;
    uint32_t n = op->nranges ? op->nranges : 1;

    if (l->count_at)
        fsi_put32(slot + l->count_at, n);
    for (uint32_t i = 0; i < n; i++) {
        fsi_put32(slot + l->ranges_at + 8 * i, r[i].at);
        fsi_put32(slot + l->ranges_at + 8 * i + 4, r[i].len);
    }
    if (l->second_at)
        fsi_put32(slot + l->second_at, at + align8((uint32_t)op->length));
}

uint32_t fsi_encode_request3(const struct fsi_dialect *d, const struct fsif_op *op, uint32_t id,
                             uint32_t serial, const uint32_t *where, void *to, void *part)
{
    const struct fsi_layout3 *l = &layouts[op->type];
    uint8_t *slot = (uint8_t *)to;

    fsi_memset(slot, 0, FSIF_WIRE3_SLOT);
    slot[0] = d->rows[op->type].wire_type;
    fsi_put16(slot + offsetof(struct fsif_wire3_request, id), id);
    fsi_put32(slot + offsetof(struct fsif_wire3_request, serial), serial);
    if (l->handle)
        fsi_put32(slot + offsetof(struct fsif_wire3_request, handle), op->handle);
    if (l->handle2)
        fsi_put32(slot + l->handle2_at, op->handle2);
    for (uint32_t i = 0; i < l->nfields; i++)
        put_field(&l->fields[i], op, slot);
    if (l->name[0])
        put_names(l, op, *where, slot, (uint8_t *)part);
    if (l->data)
        put_ranges(l, op, *where, slot);
    if ((l->data == FSI_DATA_OUT || l->data == FSI_DATA_MANY) && !op->nranges && op->length)
        fsi_memcpy(part, op->data, (size_t)op->length);
    return fsi_part_size3(op);
}
