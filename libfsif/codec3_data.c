/* SPDX-License-Identifier: MIT */
/*
 * Dialect 3, what lies in answers and buffers. The put functions write each octet once and read
 * nothing back, so they may write to shared memory; the get and check functions want private
 * copies.
 */
#include "codec3.h"

#include <fsif/error.h>

#include "le.h"
#include "mem.h"

#define AT(type, member) offsetof(struct fsif_wire3_##type, member)
#define NSEC_MAX 999999999u

/* --- attributes --- */

void fsi_attr3_put(const struct fsif_attr *a, void *to)
{
    uint8_t *at = (uint8_t *)to;

    fsi_put32(at + AT(attr, mode), a->mode & (FSIF_S_IFMT | FSIF_S_PERM));
    fsi_put32(at + AT(attr, nlink), a->nlink);
    fsi_put32(at + AT(attr, uid), a->uid);
    fsi_put32(at + AT(attr, gid), a->gid);
    fsi_put64(at + AT(attr, size), a->size > INT64_MAX ? INT64_MAX : a->size);
    fsi_put64(at + AT(attr, blocks), a->blocks);
    fsi_put64(at + AT(attr, ino), a->ino);
    fsi_put64(at + AT(attr, mtime), (uint64_t)a->mtime);
    fsi_put64(at + AT(attr, atime), (uint64_t)a->atime);
    fsi_put64(at + AT(attr, ctime), (uint64_t)a->ctime);
    fsi_put64(at + AT(attr, btime), (uint64_t)a->btime);
    fsi_put32(at + AT(attr, mtime_nsec), a->mtime_nsec);
    fsi_put32(at + AT(attr, atime_nsec), a->atime_nsec);
    fsi_put32(at + AT(attr, ctime_nsec), a->ctime_nsec);
    fsi_put32(at + AT(attr, btime_nsec), a->btime_nsec);
    fsi_put64(at + AT(attr, dev), a->dev);
    fsi_put32(at + AT(attr, rdev_major), a->rdev_major);
    fsi_put32(at + AT(attr, rdev_minor), a->rdev_minor);
    fsi_put32(at + AT(attr, blksize), a->blksize ? a->blksize : FSIF_PAGE_SIZE);
    fsi_put32(at + AT(attr, pad), 0);
}

enum fsif_poison fsi_attr3_get(const void *from, struct fsif_attr *a)
{
    const uint8_t *at = (const uint8_t *)from;

    a->mode = fsi_get32(at + AT(attr, mode));
    a->nlink = fsi_get32(at + AT(attr, nlink));
    a->uid = fsi_get32(at + AT(attr, uid));
    a->gid = fsi_get32(at + AT(attr, gid));
    a->size = fsi_get64(at + AT(attr, size));
    a->blocks = fsi_get64(at + AT(attr, blocks));
    a->ino = fsi_get64(at + AT(attr, ino));
    a->mtime = (int64_t)fsi_get64(at + AT(attr, mtime));
    a->atime = (int64_t)fsi_get64(at + AT(attr, atime));
    a->ctime = (int64_t)fsi_get64(at + AT(attr, ctime));
    a->btime = (int64_t)fsi_get64(at + AT(attr, btime));
    a->mtime_nsec = fsi_get32(at + AT(attr, mtime_nsec));
    a->atime_nsec = fsi_get32(at + AT(attr, atime_nsec));
    a->ctime_nsec = fsi_get32(at + AT(attr, ctime_nsec));
    a->btime_nsec = fsi_get32(at + AT(attr, btime_nsec));
    a->dev = fsi_get64(at + AT(attr, dev));
    a->rdev_major = fsi_get32(at + AT(attr, rdev_major));
    a->rdev_minor = fsi_get32(at + AT(attr, rdev_minor));
    a->blksize = fsi_get32(at + AT(attr, blksize));
    a->pad_ = 0;
    if (!fsi_known_type(a->mode & ~FSIF_S_PERM) || a->size > INT64_MAX || a->blksize == 0 ||
        a->mtime_nsec > NSEC_MAX || a->atime_nsec > NSEC_MAX || a->ctime_nsec > NSEC_MAX ||
        a->btime_nsec > NSEC_MAX)
        return FSIF_POISON_ATTR;
    return FSIF_POISON_NONE;
}

/* --- the store's space, locks --- */

/* The most blocks of @bsize bytes whose bytes are a number. */
static uint64_t most_blocks(uint32_t bsize)
{
    uint32_t shift = 0;

    while (bsize > (uint64_t)1 << shift)
        shift++;
    return (uint64_t)INT64_MAX >> shift;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

void fsi_statvfs3_put(const struct fsif_statvfs *v, void *to)
{
    uint8_t *at = (uint8_t *)to;
    uint32_t bsize = v->bsize ? v->bsize : FSIF_PAGE_SIZE;
    uint64_t blocks = least(v->blocks, most_blocks(bsize));
    uint64_t bfree = least(v->bfree, blocks);

    fsi_put64(at + AT(statvfs, blocks), blocks);
    fsi_put64(at + AT(statvfs, bfree), bfree);
    fsi_put64(at + AT(statvfs, bavail), least(v->bavail, bfree));
    fsi_put64(at + AT(statvfs, files), v->files);
    fsi_put64(at + AT(statvfs, ffree), least(v->ffree, v->files));
    fsi_put32(at + AT(statvfs, bsize), bsize);
    fsi_put32(at + AT(statvfs, namemax), v->namemax);
}

enum fsif_poison fsi_statvfs3_get(const void *from, struct fsif_statvfs *v)
{
    const uint8_t *at = (const uint8_t *)from;

    v->blocks = fsi_get64(at + AT(statvfs, blocks));
    v->bfree = fsi_get64(at + AT(statvfs, bfree));
    v->bavail = fsi_get64(at + AT(statvfs, bavail));
    v->files = fsi_get64(at + AT(statvfs, files));
    v->ffree = fsi_get64(at + AT(statvfs, ffree));
    v->bsize = fsi_get32(at + AT(statvfs, bsize));
    v->namemax = fsi_get32(at + AT(statvfs, namemax));
    if (v->bsize == 0 || v->blocks > most_blocks(v->bsize) || v->bfree > v->blocks ||
        v->bavail > v->bfree || v->ffree > v->files)
        return FSIF_POISON_ATTR;
    return FSIF_POISON_NONE;
}

void fsi_lock3_put(const struct fsif_lock *lock, void *to)
{
    uint8_t *at = (uint8_t *)to;

    fsi_put64(at + AT(lock, offset), lock->offset);
    fsi_put64(at + AT(lock, length), lock->length);
    fsi_put32(at + AT(lock, mode), lock->mode);
    fsi_put32(at + AT(lock, pad), 0);
}

enum fsif_poison fsi_lock3_get(const void *from, struct fsif_lock *lock)
{
    const uint8_t *at = (const uint8_t *)from;

    lock->offset = fsi_get64(at + AT(lock, offset));
    lock->length = fsi_get64(at + AT(lock, length));
    lock->mode = fsi_get32(at + AT(lock, mode));
    lock->pad_ = 0;
    if (lock->mode < FSIF_LOCK_SHARED || lock->mode > FSIF_LOCK_UNLOCK ||
        lock->offset > INT64_MAX || lock->length > INT64_MAX - lock->offset)
        return FSIF_POISON_RESULT;
    return FSIF_POISON_NONE;
}

/* --- entries of readdir --- */

static uint32_t name_end(uint32_t name_len)
{
    return ((uint32_t)sizeof(struct fsif_wire3_entry) + name_len + 1 + 7u) & ~7u;
}

uint32_t fsi_entry3_size(uint32_t name_len, uint32_t flags)
{
    uint32_t attr = flags & FSIF_READDIR_ATTR ? (uint32_t)sizeof(struct fsif_wire3_attr) : 0;

    return name_end(name_len) + attr;
}

void fsi_entry3_put(const struct fsif_entry *e, uint32_t flags, void *to)
{
    uint8_t *at = (uint8_t *)to;
    uint32_t end = name_end(e->name_len);

    fsi_put64(at + AT(entry, cookie), e->cookie);
    fsi_put64(at + AT(entry, ino), e->ino);
    fsi_put16(at + AT(entry, size), fsi_entry3_size(e->name_len, flags));
    at[AT(entry, type)] = (uint8_t)(e->type >> 12);
    at[AT(entry, name_len)] = (uint8_t)e->name_len;
    fsi_put32(at + AT(entry, status), flags & FSIF_READDIR_ATTR ? (uint32_t)e->status : 0);
    fsi_put64(at + end - 8, 0); /* what the name leaves of it: its NUL and the padding */
    fsi_memcpy(at + sizeof(struct fsif_wire3_entry), e->name, e->name_len);
    if (!(flags & FSIF_READDIR_ATTR))
        return;
    if (e->status)
        fsi_memset(at + end, 0, sizeof(struct fsif_wire3_attr));
    else
        fsi_attr3_put(&e->attr, at + end);
}

#define EACH_OCTET(v) (UINT64_MAX / 255u * (v))

/* Non-zero if an octet of @word is 0 */
static uint64_t has_zero(uint64_t word)
{
    return (word - EACH_OCTET(1u)) & ~word & EACH_OCTET(0x80u);
}

/* A name of an entry, which is padded to whole words, eight octets at a time */
static int name_is_sound(const uint8_t *name, uint32_t len)
{
    uint64_t bad = 0, word;

    for (uint32_t i = 0; i <= len; i += 8) {
        word = fsi_get64(name + i);
        if (len - i < 8)
            word |= UINT64_MAX << 8 * (len - i);
        bad |= has_zero(word) | has_zero(word ^ EACH_OCTET((uint64_t)'/'));
    }
    return len != 0 && name[len] == '\0' && !bad;
}

/* The entry at @at, of a private copy with @room bytes. Returns its size, 0 if it is not sound. */
static uint32_t entry_size(const uint8_t *at, uint32_t room, uint32_t flags)
{
    uint32_t type, len, size;
    struct fsif_attr attr;
    int32_t status;

    if (room < sizeof(struct fsif_wire3_entry))
        return 0;
    len = at[AT(entry, name_len)];
    size = fsi_get16(at + AT(entry, size));
    type = (uint32_t)at[AT(entry, type)] << 12;
    status = (int32_t)fsi_get32(at + AT(entry, status));
    if (size != fsi_entry3_size(len, flags) || size > room || (type && !fsi_known_type(type)) ||
        status > 0 || status < -FSIF_MAX_ERRNO || fsi_get64(at + AT(entry, cookie)) == 0 ||
        !name_is_sound(at + sizeof(struct fsif_wire3_entry), len))
        return 0;
    if (flags & FSIF_READDIR_ATTR && !status && fsi_attr3_get(at + name_end(len), &attr))
        return 0;
    return flags & FSIF_READDIR_ATTR || !status ? size : 0;
}

enum fsif_poison fsi_entries3_check(const void *buffer, uint32_t used, const struct fsif_op *op,
                                    uint64_t *last)
{
    const uint8_t *at = (const uint8_t *)buffer;

    *last = 0;
    for (uint32_t i = 0, size; i < used; i += size) {
        size = entry_size(at + i, used - i, op->flags);
        if (!size)
            return FSIF_POISON_LISTING;
        *last = fsi_get64(at + i + AT(entry, cookie));
    }
    /* A listing that comes back to where it began would never end. */
    return used && *last == op->cookie ? FSIF_POISON_LISTING : FSIF_POISON_NONE;
}

int fsif_entry_next(const void *buffer, uint32_t used, uint32_t flags, uint32_t *at,
                    struct fsif_entry *out)
{
    const uint8_t *e = (const uint8_t *)buffer + *at;

    if (*at >= used)
        return 0;
    out->name = (const char *)e + sizeof(struct fsif_wire3_entry);
    out->name_len = e[AT(entry, name_len)];
    out->type = (uint32_t)e[AT(entry, type)] << 12;
    out->cookie = fsi_get64(e + AT(entry, cookie));
    out->ino = fsi_get64(e + AT(entry, ino));
    out->status = (int32_t)fsi_get32(e + AT(entry, status));
    if (flags & FSIF_READDIR_ATTR && !out->status)
        (void)fsi_attr3_get(e + name_end(out->name_len), &out->attr);
    else if (flags & FSIF_READDIR_ATTR)
        fsi_memset(&out->attr, 0, sizeof(out->attr));
    *at += fsi_get16(e + AT(entry, size));
    return 1;
}

/* --- records of statmany --- */

void fsi_record3_put(int32_t status, const struct fsif_attr *attr, void *to)
{
    uint8_t *at = (uint8_t *)to;

    fsi_put32(at + AT(record, status), (uint32_t)status);
    fsi_put32(at + AT(record, pad), 0);
    if (status)
        fsi_memset(at + AT(record, attr), 0, sizeof(struct fsif_wire3_attr));
    else
        fsi_attr3_put(attr, at + AT(record, attr));
}

enum fsif_poison fsi_records3_check(const void *buffer, uint32_t n)
{
    const uint8_t *at = (const uint8_t *)buffer;
    struct fsif_attr attr;

    for (uint32_t i = 0; i < n; i++, at += FSIF_RECORD_SIZE) {
        int32_t status = (int32_t)fsi_get32(at + AT(record, status));

        if (status > 0 || status < -FSIF_MAX_ERRNO)
            return FSIF_POISON_RESULT;
        if (!status && fsi_attr3_get(at + AT(record, attr), &attr))
            return FSIF_POISON_ATTR;
    }
    return FSIF_POISON_NONE;
}

int fsif_record_get(const void *buffer, uint32_t i, struct fsif_attr *out)
{
    const uint8_t *at = (const uint8_t *)buffer + (size_t)i * FSIF_RECORD_SIZE;
    int32_t status = (int32_t)fsi_get32(at + AT(record, status));

    if (status)
        fsi_memset(out, 0, sizeof(*out));
    else
        (void)fsi_attr3_get(at + AT(record, attr), out);
    return status;
}
