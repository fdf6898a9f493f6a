/* SPDX-License-Identifier: MIT */
/*
 * Dialect 3, requests as a backend takes them. Every number, name and range is taken out of a
 * private copy of the slot, which must be zero in the end: what a row does not use is zero, too.
 * Names that lie in the arena are copied before anything is looked at.
 */
#include "codec3.h"

#include "le.h"
#include "mem.h"
#include <fsif/error.h>
#include <fsif/negotiate.h>
#include <fsif/path.h>

/* Take a number out of the copy that must be zero in the end. */
static uint64_t take(uint8_t *left, uint32_t at, uint32_t width)
{
    uint64_t v;

    if (width == 8) {
        v = fsi_get64(left + at);
        fsi_put64(left + at, 0);
    } else if (width == 4) {
        v = fsi_get32(left + at);
        fsi_put32(left + at, 0);
    } else {
        v = fsi_get16(left + at);
        fsi_put16(left + at, 0);
    }
    return v;
}

static void take_field(const struct fsi_field3 *f, uint8_t *left, struct fsif_op *op,
                       struct fsif_setattr *set)
{
    char *to = (f->in_set ? (char *)set : (char *)op) + f->member;
    uint64_t v = take(left, f->at, f->width);
    uint32_t small = (uint32_t)v;

    if (f->size == 8)
        fsi_memcpy(to, &v, 8);
    else
        fsi_memcpy(to, &small, 4);
}

static int take_names(const struct fsi_layout3 *l, uint8_t *left, struct fsi_operands *o)
{
    uint32_t total;

    o->name_len[0] = (uint32_t)take(left, FSI_NAME_LEN_AT(0), 2);
    o->name_len[1] = l->name[1] ? (uint32_t)take(left, FSI_NAME_LEN_AT(1), 2) : 0;
    total = o->name_len[0] + o->name_len[1];
    o->names_inline = left[1] & FSIF_WIRE3_INLINE;
    left[1] &= (uint8_t)~FSIF_WIRE3_INLINE;
    if (!o->names_inline) {
        o->names_at = (uint32_t)take(left, l->names_at, 4);
        return 0;
    }
    if (total > l->names_room)
        return -FSIF_EINVAL;
    fsi_memset(left + l->names_at, 0, total);
    return 0;
}

static int take_ranges(const struct fsi_layout3 *l, uint8_t *left, struct fsif_op *op,
                       struct fsi_operands *o)
{
    uint32_t n = l->count_at ? (uint32_t)take(left, l->count_at, 4) : 1;

    if (n == 0 || n > l->max_ranges)
        return -FSIF_EINVAL;
    for (uint32_t i = 0; i < n; i++) {
        o->ranges[i].at = (uint32_t)take(left, l->ranges_at + 8 * i, 4);
        o->ranges[i].len = (uint32_t)take(left, l->ranges_at + 8 * i + 4, 4);
        op->length += o->ranges[i].len;
    }
    op->ranges = o->ranges;
    op->nranges = n;
    if (l->second_at)
        o->records_at = (uint32_t)take(left, l->second_at, 4);
    return 0;
}

static int all_zero(const uint8_t *left)
{
    uint64_t any = 0;

    for (uint32_t i = 0; i < FSIF_WIRE3_SLOT; i += 8)
        any |= fsi_get64(left + i);
    return any == 0;
}

int fsi_decode_request3(const struct fsi_dialect *d, const void *slot, struct fsif_op *op,
                        struct fsi_operands *o)
{
    const struct fsi_layout3 *l = fsi_layout3(op->type);
    uint8_t left[FSIF_WIRE3_SLOT];
    int error = 0;

    (void)d;
    fsi_memset(o, 0, sizeof(*o));
    fsi_memcpy(left, slot, sizeof(left));
    left[0] = 0;
    fsi_put16(left + offsetof(struct fsif_wire3_request, id), 0);
    o->serial = (uint32_t)take(left, offsetof(struct fsif_wire3_request, serial), 4);
    if (l->handle)
        op->handle = (uint32_t)take(left, offsetof(struct fsif_wire3_request, handle), 4);
    if (l->handle2)
        op->handle2 = (uint32_t)take(left, l->handle2_at, 4);
    for (uint32_t i = 0; i < l->nfields; i++)
        take_field(&l->fields[i], left, op, &o->set);
    op->set = &o->set;
    if (l->name[0])
        error = take_names(l, left, o);
    if (!error && l->data)
        error = take_ranges(l, left, op, o);
    if (error)
        return error;
    return all_zero(left) ? fsi_check3(op) : -FSIF_EINVAL;
}

/* One name of @len bytes in private memory, into its legal form. */
static int judge_name(uint32_t kind, char *name, uint32_t len, uint32_t *absolute)
{
    int n;

    name[len] = '\0';
    if (strnlen(name, len) != len)
        return -FSIF_EINVAL;
    if (len == 0)
        return kind == FSI_NAME_PATH_EMPTY ? 0 : -FSIF_ENOENT;
    if (kind == FSI_NAME_TARGET)
        return 0;
    if (kind == FSI_NAME_XATTR)
        return len > FSIF_NAME_MAX ? -FSIF_ERANGE : 0;
    if (kind == FSI_NAME_EXPORT)
        return fsif_export_name_valid(name) ? 0 : -FSIF_ENOENT;
    *absolute = name[0] == '/';
    n = fsif_path_normalize(name, FSIF_PAGE_SIZE);
    return n < 0 ? n : 0;
}

/* The names from where they lie, once, to private memory. */
static int copy_names(const struct fsi_layout3 *l, const void *slot, const uint8_t *arena,
                      uint32_t arena_size, const struct fsi_operands *o, char *names)
{
    uint32_t total = o->name_len[0] + o->name_len[1];
    const uint8_t *from = (const uint8_t *)slot + l->names_at;

    if (o->name_len[0] > FSIF_PATH_MAX || o->name_len[1] > FSIF_PATH_MAX)
        return -FSIF_ENAMETOOLONG;
    if (!o->names_inline) {
        if (o->names_at > arena_size || total > arena_size - o->names_at)
            return -FSIF_EFAULT;
        from = arena + o->names_at;
    }
    fsi_memcpy(names, from, o->name_len[0]);
    fsi_memcpy(names + FSIF_PAGE_SIZE, from + o->name_len[0], o->name_len[1]);
    return 0;
}

int fsi_names3(const void *slot, const uint8_t *arena, uint32_t arena_size, struct fsi_operands *o,
               char *names, struct fsif_op *op)
{
    const struct fsi_layout3 *l = fsi_layout3(op->type);
    int error;

    if (!l->name[0])
        return 0;
    error = copy_names(l, slot, arena, arena_size, o, names);
    if (!error)
        error = judge_name(l->name[0], names, o->name_len[0], &o->absolute[0]);
    if (!error && l->name[1])
        error = judge_name(l->name[1], names + FSIF_PAGE_SIZE, o->name_len[1], &o->absolute[1]);
    op->path = names;
    op->path2 = names + FSIF_PAGE_SIZE;
    return error;
}

int fsi_ranges3(const struct fsif_op *op, uint32_t arena_size, uint32_t max_io,
                const struct fsi_operands *o)
{
    const struct fsi_layout3 *l = fsi_layout3(op->type);
    uint64_t records = op->offset * FSIF_RECORD_SIZE;

    if (l->data && op->length > max_io)
        return -FSIF_EINVAL;
    for (uint32_t i = 0; i < op->nranges; i++) {
        if (op->ranges[i].at > arena_size || op->ranges[i].len > arena_size - op->ranges[i].at)
            return -FSIF_EFAULT;
    }
    if (l->second_at && (o->records_at > arena_size || records > arena_size - o->records_at))
        return -FSIF_EFAULT;
    return 0;
}
