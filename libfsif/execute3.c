/* SPDX-License-Identifier: MIT */
/*
 * Carrying a request of dialect 3 out. Data moves between the store and the arena; names and
 * numbers are private by now. What has a form (entries, records) is built by the codec right in the
 * arena, where it is written once and never read.
 */
#include <fsif/backend.h>

#include "backend3.h"
#include "backend_state.h"
#include "barrier.h"
#include "codec3.h"
#include "mem.h"
#include <fsif/error.h>
#include <fsif/path.h>

/* What the store's members need, in one place. */
struct job {
    struct fsif_backend *be;
    const struct fsi_backend_view *v;
    struct fsif_fetched *rq;
    const struct fsif_op *op;
    const struct fsif_store_ops *ops;
    struct fsif_store *store;
    uint64_t base;
    struct fsif_result *result;
    uint64_t file; /* that was opened */
    int parked;    /* number of the lock that waits, or -1 */
};

static uint8_t *in_arena(const struct job *j, uint32_t at)
{
    return (uint8_t *)j->be->config_.arena + at;
}

static uint32_t nofollow(const struct job *j)
{
    return j->op->flags & FSIF_AT_NOFOLLOW;
}

/* --- data --- */

static int64_t one_range(const struct job *j, const struct fsif_range *r, uint64_t off)
{
    const struct fsif_op *op = j->op;
    uint32_t flags = op->flags & FSIF_WRITE_DSYNC;

    if (op->type == FSIF_OP_READ)
        return j->ops->read(j->store, j->base, in_arena(j, r->at), r->len, off);
    return j->ops->write(j->store, j->base, in_arena(j, r->at), r->len,
                         op->flags & FSIF_WRITE_APPEND ? FSIF_STORE_END : off, flags);
}

static int64_t move_data(const struct job *j)
{
    const struct fsif_op *op = j->op;
    int64_t total = 0;

    for (uint32_t i = 0; i < op->nranges; i++) {
        int64_t n = one_range(j, &op->ranges[i], op->offset + (uint64_t)total);

        if (n < 0)
            return total ? total : n;
        if ((uint64_t)n > op->ranges[i].len)
            return -FSIF_EIO;
        total += n;
        if ((uint64_t)n < op->ranges[i].len)
            break;
    }
    return total;
}

/* --- listings and records --- */

/* Entries are made in the job's own memory and move to the arena many at a time: each line there is
 * the peer's, and to write it piece by piece waits for the peer's core again and again. */
struct listing {
    const struct job *job;
    uint8_t *to;    /* in the arena: the next one's place */
    uint32_t ready; /* bytes in data_ that are not there yet */
    uint32_t used;  /* bytes of entries in all */
    int error;      /* of the store's making */
};

static int is_dots(const struct fsif_store_entry *e)
{
    return e->name[0] == '.' && (e->name_len == 1 || (e->name_len == 2 && e->name[1] == '.'));
}

static void move_entries(struct listing *l)
{
    fsi_memcpy(l->to, l->job->rq->data_, l->ready);
    l->to += l->ready;
    l->ready = 0;
}

static int add_entry(void *arg, const struct fsif_store_entry *e)
{
    struct listing *l = (struct listing *)arg;
    const struct job *j = l->job;
    struct fsif_entry out;
    uint32_t size;

    if (is_dots(e))
        return 1;
    /* What the frontend would take for an attack. */
    if (e->name_len == 0 || e->name_len > FSIF_NAME_MAX || e->cookie == 0) {
        l->error = -FSIF_EIO;
        return 0;
    }
    size = fsi_entry3_size(e->name_len, j->op->flags);
    if (size > j->op->length - l->used)
        return 0;
    if (size > sizeof(j->rq->data_) - l->ready)
        move_entries(l);
    out.name = e->name;
    out.name_len = e->name_len;
    out.type = e->type;
    out.cookie = e->cookie;
    out.ino = e->ino;
    out.status = 0;
    if (j->op->flags & FSIF_READDIR_ATTR) {
        out.status = j->ops->stat(j->store, j->base, e->name, FSIF_AT_NOFOLLOW, &out.attr);
        if (!out.status) {
            out.type = out.attr.mode & FSIF_S_IFMT;
            out.ino = out.attr.ino;
        }
    }
    fsi_entry3_put(&out, j->op->flags, j->rq->data_ + l->ready);
    l->ready += size;
    l->used += size;
    return 1;
}

static int64_t read_directory(const struct job *j)
{
    struct listing l = {j, in_arena(j, j->op->ranges[0].at), 0, 0, 0};
    int err = j->ops->readdir(j->store, j->base, j->op->cookie, add_entry, &l);

    move_entries(&l);
    j->result->used = l.used;
    err = l.error ? l.error : err;
    return err < 0 && !l.used ? err : (int64_t)l.used;
}

/* The next name of the blob into @name, each octet read once. Returns its length and NUL, or 0. */
static uint32_t next_name(const volatile uint8_t *blob, uint32_t left, char *name)
{
    for (uint32_t n = 0; n < left && n < FSIF_PAGE_SIZE; n++) {
        name[n] = (char)blob[n];
        if (name[n] == '\0')
            return n + 1;
    }
    return 0;
}

static int64_t stat_many(const struct job *j)
{
    const struct fsif_range *r = &j->op->ranges[0];
    uint8_t *to = in_arena(j, j->rq->operands_.records_at);
    struct fsif_attr attr;
    uint32_t at = 0;

    for (uint64_t i = 0; i < j->op->offset; i++, to += FSIF_RECORD_SIZE) {
        uint32_t n = next_name(in_arena(j, r->at + at), r->len - at, j->rq->page_);
        int absolute = j->rq->page_[0] == '/';
        int err = n ? fsif_path_normalize(j->rq->page_, n) : -FSIF_EINVAL;

        if (err >= 0)
            err = j->ops->stat(j->store, absolute ? FSIF_STORE_ROOT : j->base, j->rq->page_,
                               nofollow(j), &attr);
        fsi_record3_put(err < 0 ? err : 0, &attr, to);
        at = n ? at + n : r->len;
    }
    return (int64_t)j->op->offset;
}

/* --- opening, and compounds --- */

static int64_t open_file(struct job *j)
{
    int want = (j->op->flags & FSIF_O_STAT) != 0;
    int err = j->ops->open(j->store, j->base, j->op->path, j->op->flags & ~FSIF_O_STAT, j->op->mode,
                           &j->file, want ? &j->result->attr : NULL);

    j->result->more = !err && want;
    return err;
}

static int64_t read_file(const struct job *j)
{
    const struct fsif_range *r = &j->op->ranges[0];
    uint64_t file;
    int64_t n =
        j->ops->open(j->store, j->base, j->op->path, j->op->flags, 0, &file, &j->result->attr);

    if (n < 0)
        return n;
    if ((j->result->attr.mode & FSIF_S_IFMT) != FSIF_S_IFREG)
        n = -FSIF_EISDIR;
    else if (r->len)
        n = j->ops->read(j->store, file, in_arena(j, r->at), r->len, 0);
    (void)j->ops->close(j->store, file);
    return n;
}

static int64_t write_file(const struct job *j)
{
    const struct fsif_range *r = &j->op->ranges[0];
    uint64_t file;
    int64_t n = j->ops->open(j->store, j->base, j->op->path, j->op->flags | FSIF_O_WRONLY,
                             j->op->mode, &file, NULL);
    int err;

    if (n < 0)
        return n;
    if (r->len)
        n = j->ops->write(j->store, file, in_arena(j, r->at), r->len, 0, 0);
    err = n < 0 ? 0 : j->ops->stat(j->store, file, "", 0, &j->result->attr);
    n = err < 0 ? err : n;
    err = j->ops->close(j->store, file);
    return n >= 0 && err < 0 ? err : n;
}

static int64_t set_attributes(const struct job *j)
{
    int err = j->ops->setattr(j->store, j->base, j->op->path, nofollow(j), j->op->set);

    return err ? err : j->ops->stat(j->store, j->base, j->op->path, nofollow(j), &j->result->attr);
}

static int64_t open_export(struct job *j)
{
    struct fsif_backend_export x;
    int number = fsi_backend_attach(j->be, j->op->path);

    if (number < 0)
        return number;
    x = fsi_backend_export(j->be, (uint32_t)number);
    j->rq->export_[0] = (uint32_t)number;
    return x.ops->open(x.store, FSIF_STORE_ROOT, ".", FSIF_O_DIRECTORY, 0, &j->file, NULL);
}

/* --- locks --- */

static int64_t lock_file(struct job *j)
{
    const struct fsif_op *op = j->op;
    struct fsif_lock lock = {.offset = op->offset, .length = op->length, .mode = op->mode};
    int err;

    if (!j->ops->lock)
        return -FSIF_EOPNOTSUPP;
    err = j->ops->lock(j->store, j->base, op->flags & ~FSIF_LOCK_WAIT, &lock);
    if (op->flags & FSIF_LOCK_TEST && !err) {
        j->result->lock = lock;
        j->result->more = 1;
    }
    if (err != -FSIF_EAGAIN || !(op->flags & FSIF_LOCK_WAIT))
        return err;
    j->parked = fsi_backend_park_lock(j->be, j->v, j->rq);
    return j->parked < 0 ? j->parked : -FSIF_EINPROGRESS;
}

/* --- members that a store may lack --- */

static int64_t on_two_names(const struct job *j)
{
    const struct fsif_op *op = j->op;
    uint64_t base2 = j->rq->file_[1];

    if (j->rq->export_[0] != j->rq->export_[1])
        return -FSIF_EXDEV;
    if (op->type == FSIF_OP_RENAME)
        return j->ops->rename(j->store, j->base, op->path, base2, op->path2, op->flags);
    if (op->type == FSIF_OP_COPY_RANGE)
        return j->ops->copy_range ? j->ops->copy_range(j->store, j->base, op->offset, base2,
                                                       op->offset2, op->length)
                                  : -FSIF_EOPNOTSUPP;
    return j->ops->link ? j->ops->link(j->store, j->base, op->path, base2, op->path2, op->flags)
                        : -FSIF_EOPNOTSUPP;
}

static int64_t on_xattr(const struct job *j)
{
    const struct fsif_store_ops *ops = j->ops;
    const struct fsif_op *op = j->op;
    uint32_t len = (uint32_t)op->length;

    switch (op->type) {
    case FSIF_OP_GETXATTR:
        return ops->getxattr ? ops->getxattr(j->store, j->base, op->path, op->path2, op->flags,
                                             op->buffer, len)
                             : -FSIF_EOPNOTSUPP;
    case FSIF_OP_SETXATTR:
        return ops->setxattr
                   ? ops->setxattr(j->store, j->base, op->path, op->path2, op->flags, op->data, len)
                   : -FSIF_EOPNOTSUPP;
    case FSIF_OP_LISTXATTR:
        return ops->listxattr
                   ? ops->listxattr(j->store, j->base, op->path, op->flags, op->buffer, len)
                   : -FSIF_EOPNOTSUPP;
    default:
        return ops->removexattr
                   ? ops->removexattr(j->store, j->base, op->path, op->path2, op->flags)
                   : -FSIF_EOPNOTSUPP;
    }
}

static int64_t on_new_name(const struct job *j)
{
    const struct fsif_store_ops *ops = j->ops;
    const struct fsif_op *op = j->op;

    switch (op->type) {
    case FSIF_OP_MKDIR:
        return ops->mkdir(j->store, j->base, op->path, op->mode);
    case FSIF_OP_MKNOD:
        return ops->mknod ? ops->mknod(j->store, j->base, op->path, op->mode, op->offset)
                          : -FSIF_EOPNOTSUPP;
    case FSIF_OP_SYMLINK:
        return ops->symlink ? ops->symlink(j->store, op->path2, j->base, op->path)
                            : -FSIF_EOPNOTSUPP;
    default:
        return ops->readlink
                   ? ops->readlink(j->store, j->base, op->path, op->buffer, (uint32_t)op->length)
                   : -FSIF_EOPNOTSUPP;
    }
}

static int64_t on_space(const struct job *j)
{
    const struct fsif_store_ops *ops = j->ops;
    const struct fsif_op *op = j->op;

    if (op->type == FSIF_OP_ALLOCATE)
        return ops->allocate ? ops->allocate(j->store, j->base, op->flags, op->offset, op->length)
                             : -FSIF_EOPNOTSUPP;
    return ops->seek ? ops->seek(j->store, j->base, op->offset, op->flags) : -FSIF_EOPNOTSUPP;
}

static int64_t on_session(struct job *j)
{
    switch (j->op->type) {
    case FSIF_OP_NOP:
        return 0;
    case FSIF_OP_CLOSE:
        return fsi_handles_close(&j->v->handles, j->op->handle);
    case FSIF_OP_EXPORT:
        return open_export(j);
    case FSIF_OP_CANCEL:
        return fsi_backend_cancel_lock(j->be, j->v, j->op->cookie);
    case FSIF_OP_WATCH:
        return fsi_backend_watch(j->be, j->v, j->rq);
    default:
        return fsi_backend_unwatch(j->be, j->v, j->op->offset);
    }
}

static int64_t carry_out(struct job *j)
{
    const struct fsif_op *op = j->op;

    switch (op->type) {
    case FSIF_OP_READ:
    case FSIF_OP_WRITE:
        return move_data(j);
    case FSIF_OP_OPEN:
        return open_file(j);
    case FSIF_OP_STAT:
        return j->ops->stat(j->store, j->base, op->path, nofollow(j), &j->result->attr);
    case FSIF_OP_SETATTR:
        return set_attributes(j);
    case FSIF_OP_REMOVE:
        return j->ops->remove(j->store, j->base, op->path, op->flags);
    case FSIF_OP_READDIR:
        return read_directory(j);
    case FSIF_OP_READFILE:
        return read_file(j);
    case FSIF_OP_WRITEFILE:
        return write_file(j);
    case FSIF_OP_STATMANY:
        return stat_many(j);
    case FSIF_OP_STATVFS:
        return j->ops->statvfs(j->store, j->base, op->path, &j->result->vfs);
    case FSIF_OP_SYNC:
        return j->ops->sync(j->store, j->base, op->flags);
    case FSIF_OP_LOCK:
        return lock_file(j);
    case FSIF_OP_RENAME:
    case FSIF_OP_LINK:
    case FSIF_OP_COPY_RANGE:
        return on_two_names(j);
    case FSIF_OP_GETXATTR:
    case FSIF_OP_SETXATTR:
    case FSIF_OP_LISTXATTR:
    case FSIF_OP_REMOVEXATTR:
        return on_xattr(j);
    case FSIF_OP_MKDIR:
    case FSIF_OP_MKNOD:
    case FSIF_OP_SYMLINK:
    case FSIF_OP_READLINK:
        return on_new_name(j);
    case FSIF_OP_ALLOCATE:
    case FSIF_OP_SEEK:
        return on_space(j);
    default:
        return on_session(j);
    }
}

/* Whether the operation may have let a lock go that somebody in this session waits for. */
static int lets_go(const struct fsif_op *op)
{
    return op->type == FSIF_OP_CLOSE || (op->type == FSIF_OP_LOCK && op->mode == FSIF_LOCK_UNLOCK);
}

void fsi_execute3(struct fsif_backend *be, const struct fsi_backend_view *v,
                  struct fsif_fetched *rq)
{
    const struct fsif_backend_export x = fsi_backend_export(be, rq->export_[0]);
    struct fsif_result result;
    struct job j = {be, v, rq, &rq->op, x.ops, x.store, rq->file_[0], &result, 0, -1};
    int retry = lets_go(&rq->op);

    fsi_memset(&result, 0, sizeof(result));
    result.value = carry_out(&j);
    fsif_backend_complete(be, rq, &result, j.file);
    if (j.parked >= 0)
        fsi_backend_unpark_lock(be, v, (uint32_t)j.parked);
    if (retry && fsi_load_relaxed(&v->home->waiting))
        (void)fsif_backend_retry_locks(be);
}
