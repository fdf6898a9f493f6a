/* SPDX-License-Identifier: MIT */

/* Carrying out a call on one store. */

#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fsif/memory.h>
#include "differential.h"
#include "stores.h"

/* Times before this were set by a step; later ones are those of the test's run. */
#define LONG_AGO 1000000000

void side_start(struct side *s, const struct fsif_store_ops *ops, const char *directory,
                const struct ability *can)
{
    struct fsif_store_config config = {.size = sizeof(config),
                                       .source = directory,
                                       .root_fd = -1,
                                       .special = 1,
                                       .map = FSIF_MAP_DAEMON};
    int err;

    memset(s, 0, sizeof(*s));
    s->ops = ops;
    s->can = can;
    for (uint32_t i = 0; i < FILES; i++)
        s->files[i] = FSIF_STORE_ROOT;
    err = ops->create(&config, &s->st);
    if (err != 0) {
        fprintf(stderr, "store %s: error %d\n", ops->name, err);
        exit(1);
    }
}

static void close_file(struct side *s, uint32_t slot)
{
    if (s->files[slot] != FSIF_STORE_ROOT)
        s->ops->close(s->st, s->files[slot]);
    s->files[slot] = FSIF_STORE_ROOT;
}

void side_stop(struct side *s)
{
    for (uint32_t i = 0; i < FILES; i++)
        close_file(s, i);
    s->ops->destroy(s->st);
}

static void time_text(char *out, size_t size, int64_t sec, uint32_t nsec)
{
    if (sec < LONG_AGO)
        snprintf(out, size, "%" PRId64 ".%09u", sec, nsec);
    else
        snprintf(out, size, "now");
}

void side_attr(const struct side *s, const struct fsif_attr *attr, char *out, size_t size)
{
    uint32_t type = attr->mode & FSIF_S_IFMT;
    int device = type == FSIF_S_IFCHR || type == FSIF_S_IFBLK;
    char mtime[40];

    time_text(mtime, sizeof(mtime), attr->mtime, attr->mtime_nsec);
    snprintf(out, size, "%06o %u:%u links %u size %" PRIu64 " rdev %u:%u mtime %s", attr->mode,
             attr->uid, attr->gid,
             type == FSIF_S_IFDIR && !s->can->links_of_dir && attr->nlink > 0 ? 1 : attr->nlink,
             type == FSIF_S_IFDIR ? 0 : attr->size, device ? attr->rdev_major : 0,
             device ? attr->rdev_minor : 0, mtime);
}

static uint64_t base_of(const struct side *s, uint32_t base)
{
    return base == FROM_ROOT ? FSIF_STORE_ROOT : s->files[base];
}

static void fill(const struct call_step *step, unsigned char *buf)
{
    uint64_t state = step->seed, word = 0;

    for (uint32_t i = 0; i < step->len; i++) {
        if (i % 8 == 0)
            word = random_next(&state);
        buf[i] = (unsigned char)(word >> 8 * (i % 8));
    }
}

static void bytes_text(struct call_answer *a, const void *buf)
{
    if (a->value > 0)
        snprintf(a->text, sizeof(a->text), "bytes %016" PRIx64,
                 hash_bytes(HASH_START, buf, (size_t)a->value));
}

static void step_open(struct side *s, const struct call_step *step, struct call_answer *a)
{
    struct fsif_attr attr;
    uint64_t file;

    a->value = s->ops->open(s->st, base_of(s, step->base), step->path, step->flags, step->mode,
                            &file, &attr);
    /* Some file systems say so where a directory was removed. */
    if (a->value == -FSIF_EPERM && (step->flags & FSIF_O_TMPFILE) != 0)
        a->value = -FSIF_ENOENT;
    if (a->value != 0)
        return;
    close_file(s, step->file);
    s->files[step->file] = file;
    s->directory[step->file] = (attr.mode & FSIF_S_IFMT) == FSIF_S_IFDIR;
    side_attr(s, &attr, a->text, sizeof(a->text));
}

static void step_stat(struct side *s, const struct call_step *step, struct call_answer *a)
{
    struct fsif_attr attr;

    a->value = s->ops->stat(s->st, base_of(s, step->base), step->path, step->flags, &attr);
    if (a->value == 0)
        side_attr(s, &attr, a->text, sizeof(a->text));
}

static void step_readdir(struct side *s, const struct call_step *step, struct call_answer *a)
{
    char *names = NULL;

    a->value = side_names(s, s->files[step->file], 1 + step->len % 5, &names);
    if (a->value == 0)
        snprintf(a->text, sizeof(a->text), "%.390s", names);
    free(names);
}

/* Whether all that is read between two places is zeros. */
static int is_zero(struct side *s, uint64_t file, uint64_t from, uint64_t to)
{
    static const unsigned char zeros[4096];
    unsigned char buf[4096];

    while (from < to) {
        uint32_t n = to - from < sizeof(buf) ? (uint32_t)(to - from) : (uint32_t)sizeof(buf);
        if (s->ops->read(s->st, file, buf, n, from) != n)
            return 1; /* not open for reading, or shorter */
        if (memcmp(buf, zeros, n) != 0)
            return 0;
        from += n;
    }
    return 1;
}

/* Where holes are is the store's own; but what is skipped must be one. */
static void step_seek(struct side *s, const struct call_step *step, struct call_answer *a)
{
    uint64_t file = s->files[step->file];
    struct fsif_attr attr;
    uint64_t end;
    int64_t at = s->ops->seek(s->st, file, step->off, step->flags);

    a->value = at;
    if (s->ops->stat(s->st, file, "", 0, &attr) != 0 || step->off >= attr.size ||
        (at < 0 && at != -FSIF_ENXIO))
        return;
    a->value = 0;
    end = at < 0 ? attr.size : (uint64_t)at;
    if (end < step->off || end > attr.size)
        snprintf(a->text, sizeof(a->text), "found %" PRIu64 " in %" PRIu64, end, attr.size);
    else if (step->flags == FSIF_SEEK_HOLE && at < 0)
        snprintf(a->text, sizeof(a->text), "no hole at the end");
    else if (step->flags == FSIF_SEEK_DATA && !is_zero(s, file, step->off, end))
        snprintf(a->text, sizeof(a->text), "data before %" PRIu64, end);
}

static void step_lock(struct side *s, const struct call_step *step, struct call_answer *a)
{
    struct fsif_lock lock = {.offset = step->off, .length = step->off2, .mode = step->mode};

    a->value = s->ops->lock(s->st, s->files[step->file], step->flags, &lock);
    if (a->value == 0 && (step->flags & FSIF_LOCK_TEST) != 0)
        snprintf(a->text, sizeof(a->text), "%s",
                 lock.mode == FSIF_LOCK_UNLOCK ? "free" : "in the way");
}

/* Sorted, as stores list them in any order. */
static void names_text(struct call_answer *a, const char *buf)
{
    uint64_t sum = 0;

    for (int64_t at = 0; at < a->value; at += (int64_t)strlen(buf + at) + 1)
        sum += hash_bytes(HASH_START, buf + at, strlen(buf + at));
    snprintf(a->text, sizeof(a->text), "names %016" PRIx64, sum);
}

static void step_xattr(struct side *s, const struct call_step *step, struct call_answer *a)
{
    uint64_t base = base_of(s, step->base);
    unsigned char buf[4096];

    switch (step->call) {
    case CALL_GETXATTR:
        a->value =
            s->ops->getxattr(s->st, base, step->path, step->path2, step->flags, buf, step->len);
        if (step->len > 0)
            bytes_text(a, buf);
        break;
    case CALL_SETXATTR:
        fill(step, buf);
        a->value =
            s->ops->setxattr(s->st, base, step->path, step->path2, step->flags, buf, step->len);
        break;
    case CALL_LISTXATTR:
        a->value = s->ops->listxattr(s->st, base, step->path, step->flags, buf, step->len);
        if (step->len > 0 && a->value > 0)
            names_text(a, (const char *)buf);
        break;
    default:
        a->value = s->ops->removexattr(s->st, base, step->path, step->path2, step->flags);
        break;
    }
}

/* If both paths lead nowhere, either may be what the error is about. */
static int two_paths(int value)
{
    switch (value) {
    case -FSIF_ENOTDIR:
    case -FSIF_ELOOP:
    case -FSIF_ENAMETOOLONG:
        return -FSIF_ENOENT;
    default:
        return value;
    }
}

/* Calls on names. Returns 0: it is none. */
static int step_names(struct side *s, const struct call_step *step, struct call_answer *a)
{
    uint64_t base = base_of(s, step->base), base2 = base_of(s, step->base2);
    struct fsif_statvfs vfs = {0};
    char buf[4096];

    switch (step->call) {
    case CALL_SETATTR:
        a->value = s->ops->setattr(s->st, base, step->path, step->flags, &step->set);
        break;
    case CALL_REMOVE:
        a->value = s->ops->remove(s->st, base, step->path, step->flags);
        break;
    case CALL_RENAME:
        a->value =
            two_paths(s->ops->rename(s->st, base, step->path, base2, step->path2, step->flags));
        break;
    case CALL_MKDIR:
        a->value = s->ops->mkdir(s->st, base, step->path, step->mode);
        break;
    case CALL_STATVFS:
        a->value = s->ops->statvfs(s->st, base, step->path, &vfs);
        break;
    case CALL_MKNOD:
        a->value = s->ops->mknod(s->st, base, step->path, step->mode, step->off);
        break;
    case CALL_LINK:
        a->value =
            two_paths(s->ops->link(s->st, base, step->path, base2, step->path2, step->flags));
        break;
    case CALL_SYMLINK:
        a->value = s->ops->symlink(s->st, step->path2, base, step->path);
        break;
    case CALL_READLINK:
        a->value = s->ops->readlink(s->st, base, step->path, buf,
                                    step->len < sizeof(buf) ? step->len : (uint32_t)sizeof(buf));
        bytes_text(a, buf);
        break;
    default:
        return 0;
    }
    return 1;
}

/* Calls on open files. Returns 0: it is none. */
static int step_files(struct side *s, const struct call_step *step, struct call_answer *a)
{
    static _Thread_local unsigned char buf[CALL_BYTES];
    uint64_t file = s->files[step->file];

    switch (step->call) {
    case CALL_CLOSE:
        close_file(s, step->file);
        break;
    case CALL_READ:
        a->value = s->ops->read(s->st, file, buf, step->len, step->off);
        bytes_text(a, buf);
        break;
    case CALL_WRITE:
        fill(step, buf);
        a->value = s->ops->write(s->st, file, buf, step->len, step->off, step->flags);
        if (s->plant != NULL && strcmp(s->plant, "write") == 0 && step->len == 4097)
            a->value = s->ops->write(s->st, file, "?", 1, step->off, 0);
        break;
    case CALL_SYNC:
        a->value = s->ops->sync(s->st, file, step->flags);
        break;
    case CALL_ALLOCATE:
        a->value = s->ops->allocate(s->st, file, step->flags, step->off, step->len);
        break;
    case CALL_COPY_RANGE:
        a->value = s->ops->copy_range(s->st, file, step->off, s->files[step->file2], step->off2,
                                      step->len);
        break;
    case CALL_SEEK:
        step_seek(s, step, a);
        break;
    case CALL_LOCK:
        step_lock(s, step, a);
        break;
    case CALL_READDIR:
        step_readdir(s, step, a);
        break;
    default:
        return 0;
    }
    return 1;
}

/* Whether the step needs a slot that is empty; or a second path starts from what is no directory,
 * as which of two errors is told is not looked at. */
static int is_left_out(const struct side *s, const struct call_step *step)
{
    static const uint32_t on_file = 1u << CALL_CLOSE | 1u << CALL_READ | 1u << CALL_WRITE |
                                    1u << CALL_SYNC | 1u << CALL_READDIR | 1u << CALL_ALLOCATE |
                                    1u << CALL_SEEK | 1u << CALL_COPY_RANGE | 1u << CALL_LOCK;

    if ((on_file >> step->call & 1) != 0)
        return s->files[step->file] == FSIF_STORE_ROOT ||
               (step->call == CALL_COPY_RANGE && s->files[step->file2] == FSIF_STORE_ROOT);
    if (step->base != FROM_ROOT && s->files[step->base] == FSIF_STORE_ROOT)
        return 1;
    return (step->call == CALL_RENAME || step->call == CALL_LINK) && step->base2 != FROM_ROOT &&
           (s->files[step->base2] == FSIF_STORE_ROOT || !s->directory[step->base2]);
}

struct call_answer side_step(struct side *s, const struct call_step *step)
{
    struct call_answer a;

    memset(&a, 0, sizeof(a));
    if (is_left_out(s, step))
        return a;
    if (step->call == CALL_OPEN)
        step_open(s, step, &a);
    else if (step->call == CALL_STAT)
        step_stat(s, step, &a);
    else if (!step_names(s, step, &a) && !step_files(s, step, &a))
        step_xattr(s, step, &a);
    s->succeeded[step->call] += a.value >= 0;
    return a;
}
