/* SPDX-License-Identifier: MIT */

/* What is done with the data of open files. */

#define _GNU_SOURCE
#include "internal.h"

/* One call copies this much of a file at most, and this much at a time. */
enum { COPY_MAX = 64 << 20, PIECE = 16384 };

static int reads(const struct memory_file *f)
{
    return (f->flags & FSIF_O_PATH) == 0 && (f->flags & FSIF_O_ACCMODE) != FSIF_O_WRONLY;
}

static int writes(const struct memory_file *f)
{
    return (f->flags & FSIF_O_ACCMODE) != FSIF_O_RDONLY;
}

int64_t fsi_memory_read(struct fsif_store *st, uint64_t file, void *buf, uint32_t len, uint64_t off)
{
    struct memory_file *f = fsi_memory_file(st, file);
    int64_t n;

    if (f == NULL)
        return -FSIF_EBADF;
    if (off > INT64_MAX)
        return -FSIF_EINVAL;
    if (!reads(f))
        return -FSIF_EBADF;
    if (f->node->type != FSIF_S_IFREG)
        return -FSIF_EISDIR;
    pthread_rwlock_rdlock(&f->node->lock);
    n = fsi_memory_data_read(&f->node->u.data, buf, len, off);
    pthread_rwlock_unlock(&f->node->lock);
    return n;
}

/* After the data changed, the lock held: what ran for its owner may be something else now. */
static void written(struct memory_node *node)
{
    const uint32_t group_runs = FSIF_S_ISGID | 010;

    fsi_memory_changed(node);
    node->mode &= ~FSIF_S_ISUID;
    if ((node->mode & group_runs) == group_runs)
        node->mode &= ~FSIF_S_ISGID;
}

int64_t fsi_memory_write(struct fsif_store *st, uint64_t file, const void *buf, uint32_t len,
                         uint64_t off, uint32_t flags)
{
    struct memory_file *f = fsi_memory_file(st, file);
    struct memory_node *node;
    int64_t n;

    (void)flags; /* the medium is here */
    if (st->read_only)
        return -FSIF_EROFS;
    if (f == NULL)
        return -FSIF_EBADF;
    if (off > INT64_MAX && off != FSIF_STORE_END)
        return -FSIF_EINVAL;
    if (!writes(f))
        return -FSIF_EBADF;
    node = f->node;
    pthread_rwlock_wrlock(&node->lock);
    if (off == FSIF_STORE_END || (f->flags & FSIF_O_APPEND) != 0)
        off = node->u.data.size;
    n = fsi_memory_data_write(st, &node->u.data, buf, len, off);
    if (n > 0)
        written(node);
    pthread_rwlock_unlock(&node->lock);
    if (n > 0)
        fsi_memory_tell_of(st, node, FSIF_CHANGE_CONTENT);
    return n;
}

int fsi_memory_sync(struct fsif_store *st, uint64_t file, uint32_t flags)
{
    const struct memory_file *f = fsi_memory_file(st, file);

    if (f == NULL || (f->flags & FSIF_O_PATH) != 0)
        return -FSIF_EBADF;
    return (flags & ~(FSIF_SYNC_DATA | FSIF_SYNC_FS)) != 0 ? -FSIF_EINVAL : 0;
}

/* Whether these flags mean something together */
static int knows_flags(uint32_t flags)
{
    switch (flags) {
    case 0:
    case FSIF_ALLOCATE_KEEP_SIZE:
    case FSIF_ALLOCATE_ZERO:
    case FSIF_ALLOCATE_ZERO | FSIF_ALLOCATE_KEEP_SIZE:
    case FSIF_ALLOCATE_PUNCH | FSIF_ALLOCATE_KEEP_SIZE:
        return 1;
    default:
        return 0;
    }
}

static int check_allocate(const struct memory_file *f, uint32_t flags, uint64_t off, uint64_t len)
{
    if (f == NULL)
        return -FSIF_EBADF;
    if (!knows_flags(flags) || off > INT64_MAX || len > INT64_MAX)
        return -FSIF_EINVAL;
    if ((f->flags & FSIF_O_PATH) != 0)
        return -FSIF_EBADF;
    if (len == 0)
        return -FSIF_EINVAL;
    if (!writes(f))
        return -FSIF_EBADF;
    return off + len > MEMORY_FILE_MAX ? -FSIF_EFBIG : 0;
}

static int allocate(struct fsif_store *st, struct memory_data *d, uint32_t flags, uint64_t from,
                    uint64_t to)
{
    int err;

    if ((flags & FSIF_ALLOCATE_PUNCH) != 0) {
        fsi_memory_data_zero(st, d, from, to);
        return 0;
    }
    err = fsi_memory_data_fill(st, d, from, to);
    if (err != 0)
        return err;
    if ((flags & FSIF_ALLOCATE_ZERO) != 0)
        fsi_memory_data_blank(d, from, to);
    if ((flags & FSIF_ALLOCATE_KEEP_SIZE) == 0 && d->size < to)
        d->size = to;
    return 0;
}

int fsi_memory_allocate(struct fsif_store *st, uint64_t file, uint32_t flags, uint64_t off,
                        uint64_t len)
{
    struct memory_file *f = fsi_memory_file(st, file);
    struct memory_node *node;
    int err;

    if (st->read_only)
        return -FSIF_EROFS;
    err = check_allocate(f, flags, off, len);
    if (err != 0)
        return err;
    node = f->node;
    pthread_rwlock_wrlock(&node->lock);
    err = allocate(st, &node->u.data, flags, off, off + len);
    if (err == 0)
        written(node);
    pthread_rwlock_unlock(&node->lock);
    if (err == 0)
        fsi_memory_tell_of(st, node, FSIF_CHANGE_CONTENT);
    return err;
}

int64_t fsi_memory_seek(struct fsif_store *st, uint64_t file, uint64_t off, uint32_t flags)
{
    struct memory_file *f = fsi_memory_file(st, file);
    const struct memory_data *d;
    uint64_t at, size;

    if (f == NULL)
        return -FSIF_EBADF;
    if (flags > FSIF_SEEK_HOLE)
        return -FSIF_EINVAL;
    if ((f->flags & FSIF_O_PATH) != 0)
        return -FSIF_EBADF;
    if (f->node->type != FSIF_S_IFREG)
        return -FSIF_EINVAL;
    d = &f->node->u.data;
    pthread_rwlock_rdlock(&f->node->lock);
    size = d->size;
    at = off < size ? fsi_memory_data_next(d, off, flags == FSIF_SEEK_HOLE) : UINT64_MAX;
    pthread_rwlock_unlock(&f->node->lock);
    if (off >= size)
        return -FSIF_ENXIO;
    if (at >= size)
        return flags == FSIF_SEEK_HOLE ? (int64_t)size : -FSIF_ENXIO;
    return (int64_t)at;
}

/* Copies up to PIECE bytes of data, or a hole of any length as a hole. The two are locked one after
 * the other, as they may be one. */
static int64_t copy_piece(struct fsif_store *st, struct memory_node *from, uint64_t off,
                          struct memory_node *to, uint64_t off2, uint64_t len)
{
    unsigned char buf[PIECE];
    struct memory_data *d = &from->u.data;
    uint64_t data;
    int64_t n;

    pthread_rwlock_rdlock(&from->lock);
    data = fsi_memory_data_next(d, off, 0);
    if (data > d->size)
        data = d->size;
    if (data <= off)
        len = len < sizeof(buf) ? len : sizeof(buf);
    else if (len > data - off)
        len = data - off;
    n = data <= off ? fsi_memory_data_read(d, buf, (uint32_t)len, off) : (int64_t)len;
    pthread_rwlock_unlock(&from->lock);
    if (n <= 0)
        return n;
    d = &to->u.data;
    pthread_rwlock_wrlock(&to->lock);
    if (data <= off) {
        n = fsi_memory_data_write(st, d, buf, (uint32_t)n, off2);
    } else {
        fsi_memory_data_zero(st, d, off2, off2 + (uint64_t)n);
        if (d->size < off2 + (uint64_t)n)
            d->size = off2 + (uint64_t)n;
    }
    if (n > 0)
        written(to);
    pthread_rwlock_unlock(&to->lock);
    return n;
}

static int check_copy(const struct memory_file *f, const struct memory_file *f2, uint64_t off,
                      uint64_t off2, uint64_t len)
{
    if (f == NULL || f2 == NULL || ((f->flags | f2->flags) & FSIF_O_PATH) != 0)
        return -FSIF_EBADF;
    if (f->node->type != FSIF_S_IFREG || f2->node->type != FSIF_S_IFREG)
        return -FSIF_EISDIR;
    if (!reads(f) || !writes(f2) || (f2->flags & FSIF_O_APPEND) != 0)
        return -FSIF_EBADF;
    if (off + len > INT64_MAX || off2 + len > INT64_MAX)
        return -FSIF_EOVERFLOW;
    return 0;
}

static uint64_t size_now(struct memory_node *node)
{
    uint64_t size;

    pthread_rwlock_rdlock(&node->lock);
    size = node->u.data.size;
    pthread_rwlock_unlock(&node->lock);
    return size;
}

int64_t fsi_memory_copy_range(struct fsif_store *st, uint64_t file, uint64_t off, uint64_t file2,
                              uint64_t off2, uint64_t len)
{
    struct memory_file *f = fsi_memory_file(st, file), *f2 = fsi_memory_file(st, file2);
    uint64_t done = 0, size;
    int64_t n = 0;
    int err;

    if (st->read_only)
        return -FSIF_EROFS;
    if (off > INT64_MAX || off2 > INT64_MAX || len > INT64_MAX)
        return -FSIF_EINVAL;
    if (len > COPY_MAX)
        len = COPY_MAX;
    err = check_copy(f, f2, off, off2, len);
    if (err != 0)
        return err;
    size = size_now(f->node);
    if (off >= size || len == 0)
        return 0;
    if (len > size - off)
        len = size - off;
    if (f->node == f2->node && off < off2 + len && off2 < off + len)
        return -FSIF_EINVAL;
    if (off2 >= MEMORY_FILE_MAX)
        return -FSIF_EFBIG;
    if (len > MEMORY_FILE_MAX - off2)
        len = MEMORY_FILE_MAX - off2;
    while (done < len) {
        n = copy_piece(st, f->node, off + done, f2->node, off2 + done, len - done);
        if (n <= 0)
            break;
        done += (uint64_t)n;
    }
    if (done > 0)
        fsi_memory_tell_of(st, f2->node, FSIF_CHANGE_CONTENT);
    return done > 0 ? (int64_t)done : n;
}
