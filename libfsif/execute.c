/* SPDX-License-Identifier: MIT */
/* Carrying a checked request out on the store: dialects 1 and 2, and the way to dialect 3. */
#include <fsif/backend.h>

#include "backend3.h"
#include "backend_state.h"
#include "mem.h"

/* What the store's members need, in one place. */
struct job {
    const struct fsif_store_ops *ops;
    struct fsif_store *store;
    const struct fsif_op *op;
    uint64_t file;
};

static int open_file(const struct job *j, uint32_t flags, uint64_t *file)
{
    return j->ops->open(j->store, FSIF_STORE_ROOT, j->op->path, flags, j->op->mode, file, NULL);
}

/* An open of dialects 1 and 2 names no access: the best there is. */
static int open_best(const struct job *j, uint64_t *file)
{
    int err = open_file(j, FSIF_O_RDWR, file);

    if (err == -FSIF_EROFS || err == -FSIF_EACCES || err == -FSIF_ETXTBSY || err == -FSIF_EISDIR)
        err = open_file(j, FSIF_O_RDONLY, file);
    return err;
}

static int create(const struct job *j, uint64_t *file)
{
    if (j->op->flags & FSIF_CREATE_DIRECTORY)
        return j->ops->mkdir(j->store, FSIF_STORE_ROOT, j->op->path, j->op->mode);
    return open_file(j, FSIF_O_RDWR | FSIF_O_CREAT | FSIF_O_TRUNC, file);
}

static int set(const struct job *j, uint32_t mask)
{
    const struct fsif_setattr to = {.mask = mask, .mode = j->op->mode, .size = j->op->length};

    return j->ops->setattr(j->store, j->file, "", 0, &to);
}

/* Free bytes, at most INT64_MAX; the core knows no 64-bit division. */
static int64_t space(const struct job *j)
{
    struct fsif_statvfs fs;
    uint64_t high, low;
    int err = j->ops->statvfs(j->store, FSIF_STORE_ROOT, j->op->path, &fs);

    if (err < 0)
        return err;
    high = (fs.bavail >> 32) * fs.bsize;
    low = (fs.bavail & UINT32_MAX) * fs.bsize;
    high += low >> 32;
    if (high > INT32_MAX)
        return INT64_MAX;
    return (int64_t)(high << 32 | (low & UINT32_MAX));
}

static int64_t on_file(const struct job *j, struct fsif_result *result)
{
    const struct fsif_op *op = j->op;

    switch (op->type) {
    case FSIF_OP_READ:
        return j->ops->read(j->store, j->file, op->buffer, (uint32_t)op->length, op->offset);
    case FSIF_OP_WRITE:
        return j->ops->write(j->store, j->file, op->data, (uint32_t)op->length, op->offset, 0);
    case FSIF_OP_STAT:
        return j->ops->stat(j->store, j->file, "", 0, &result->attr);
    case FSIF_OP_TRUNCATE:
        return set(j, FSIF_SET_SIZE);
    case FSIF_OP_CHMOD:
        return set(j, FSIF_SET_MODE);
    case FSIF_OP_SYNC:
        return j->ops->sync(j->store, j->file, 0);
    default:
        return -FSIF_ENOSYS;
    }
}

static int64_t on_path(const struct job *j, uint64_t *file)
{
    const struct fsif_op *op = j->op;

    switch (op->type) {
    case FSIF_OP_OPEN:
        return open_best(j, file);
    case FSIF_OP_CREATE:
        return create(j, file);
    case FSIF_OP_REMOVE:
        return j->ops->remove(j->store, FSIF_STORE_ROOT, op->path, 0);
    case FSIF_OP_RENAME:
        return j->ops->rename(j->store, FSIF_STORE_ROOT, op->path, FSIF_STORE_ROOT, op->path2, 0);
    case FSIF_OP_SPACE:
        return space(j);
    default:
        return -FSIF_ENOSYS;
    }
}

void fsif_backend_execute(struct fsif_backend *be, struct fsif_fetched *rq)
{
    const struct job j = {be->config_.store_ops, be->config_.store, &rq->op, rq->file_[0]};
    struct fsi_backend_view v;
    struct fsif_result result;
    uint64_t file = 0;

    fsi_backend_look(be, &v);
    if (fsi_is_split(v.dialect)) {
        fsi_execute3(be, &v, rq);
        return;
    }
    fsi_memset(&result, 0, sizeof(result));
    if (rq->op.type == FSIF_OP_CLOSE)
        result.value = fsi_handles_close(&v.handles, rq->op.handle);
    else if (rq->op.type == FSIF_OP_LIST)
        fsi_streams_list(&v.streams, &rq->op, rq->data_, &result);
    else if (v.dialect->rows[rq->op.type].takes_handle)
        result.value = on_file(&j, &result);
    else
        result.value = on_path(&j, &file);
    fsif_backend_complete(be, rq, &result, file);
}

int fsif_backend_serve(struct fsif_backend *be, struct fsif_fetched *rq)
{
    int count = 0;
    int got;

    while ((got = fsif_backend_fetch(be, rq)) > 0) {
        fsif_backend_execute(be, rq);
        count++;
    }
    return got < 0 ? got : count;
}
