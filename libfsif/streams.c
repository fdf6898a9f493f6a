/* SPDX-License-Identifier: MIT */
/*
 * A kept listing's word:
 *
 *   FREE --take a free one--> USED --page full, entries left--> KEPT --same path and offset--> USED
 *     ^                        |                                 | least recently used
 *     +------- end, error -----+<--------------------------------+
 *
 * Invariant: only the thread that moved the word to USED touches the rest of the entry, so the
 * path is compared after taking it. A listing whose stream was evicted starts again by counting.
 * A page ends at an entry that does not fit, or at the end: "more" is never said of nothing.
 */
#include "streams.h"

#include "barrier.h"
#include "mem.h"
#include <fsif/error.h>

enum { FREE, KEPT, USED };

static size_t string_size(const char *s)
{
    return strnlen(s, FSIF_PATH_MAX) + 1;
}

static int matches(const struct fsi_stream *e, const char *path, uint64_t offset)
{
    return e->offset == offset && !fsi_memcmp(e->path, path, string_size(path));
}

/* The kept stream that @op goes on with, in use now; NULL if there is none. */
static struct fsi_stream *find(const struct fsi_streams *s, const struct fsif_op *op)
{
    for (uint32_t i = 0; i < s->count; i++) {
        struct fsi_stream *e = &s->table[i];

        if (!fsi_cas(&e->word, KEPT, USED))
            continue;
        if (matches(e, op->path, op->offset))
            return e;
        fsi_store_seq(&e->word, KEPT);
    }
    return NULL;
}

static struct fsi_stream *oldest(const struct fsi_streams *s)
{
    uint32_t now = fsi_load_relaxed(s->clock);
    struct fsi_stream *best = NULL;
    uint32_t age = 0;

    for (uint32_t i = 0; i < s->count; i++) {
        struct fsi_stream *e = &s->table[i];

        if (fsi_load_relaxed(&e->word) == KEPT && now - fsi_load_relaxed(&e->stamp) >= age) {
            age = now - fsi_load_relaxed(&e->stamp);
            best = e;
        }
    }
    return best;
}

/* An entry to fill, in use; NULL while every one is in use by other requests. */
static struct fsi_stream *take(const struct fsi_streams *s)
{
    struct fsi_stream *e;

    for (uint32_t i = 0; i < s->count; i++) {
        if (fsi_cas(&s->table[i].word, FREE, USED))
            return &s->table[i];
    }
    while ((e = oldest(s)) != NULL) {
        if (fsi_cas(&e->word, KEPT, USED)) {
            (void)s->ops->close(s->store, e->file);
            return e;
        }
    }
    return NULL;
}

/* A page that is being filled. */
struct page {
    struct fsi_stream *stream;
    uint64_t wanted; /* the first entry to give out */
    char *out;
    struct fsif_result *result;
    int error;
};

static int add_entry(void *arg, const struct fsif_store_entry *entry)
{
    struct page *p = (struct page *)arg;
    struct fsif_result *result = p->result;

    if (entry->name_len == 0 || entry->name_len > FSIF_NAME_MAX || entry->cookie == 0) {
        p->error = -FSIF_EIO; /* a store that answers what it may not */
        return 0;
    }
    if (p->stream->offset >= p->wanted) {
        if (FSIF_PAGE_SIZE - result->used <= FSIF_WIRE1_LIST_RESERVE)
            return 0;
        fsi_memcpy(p->out + result->used, entry->name, entry->name_len);
        p->out[result->used + entry->name_len] = '\0';
        result->used += entry->name_len + 1;
        result->value++;
    }
    p->stream->cookie = entry->cookie;
    p->stream->offset++;
    return 1;
}

/* Open @op's directory in @e. Returns 0 or a negative FSIF_E*. */
static int start(const struct fsi_streams *s, struct fsi_stream *e, const struct fsif_op *op)
{
    int err = s->ops->open(s->store, FSIF_STORE_ROOT, op->path, FSIF_O_RDONLY | FSIF_O_DIRECTORY, 0,
                           &e->file, NULL);

    if (err < 0)
        return err;
    fsi_memcpy(e->path, op->path, string_size(op->path));
    e->offset = 0;
    e->cookie = 0;
    return 0;
}

/* Names into the page until it is full or the listing ends. Returns 1: entries are left; 0 none, or
 * a negative FSIF_E*. */
static int fill(const struct fsi_streams *s, struct fsi_stream *e, const struct fsif_op *op,
                char *out, struct fsif_result *result)
{
    struct page p = {e, op->offset, out, result, 0};
    int got = s->ops->readdir(s->store, e->file, e->cookie, add_entry, &p);

    return p.error ? p.error : got;
}

void fsi_streams_list(const struct fsi_streams *s, const struct fsif_op *op, char *out,
                      struct fsif_result *result)
{
    struct fsi_stream *e = find(s, op);
    int got = 0;

    if (!e) {
        e = take(s);
        if (!e) {
            result->value = -FSIF_EAGAIN;
            return;
        }
        got = start(s, e, op);
        if (got < 0) {
            result->value = got;
            fsi_store_seq(&e->word, FREE);
            return;
        }
    }
    got = fill(s, e, op, out, result);
    if (got == 1) {
        result->more = 1;
        fsi_store_relaxed(&e->stamp, fsi_fetch_add(s->clock, 1) + 1);
        fsi_store_seq(&e->word, KEPT);
        return;
    }
    if (got < 0) {
        result->used = 0;
        result->value = got;
    }
    (void)s->ops->close(s->store, e->file);
    fsi_store_seq(&e->word, FREE);
}

void fsi_streams_fini(const struct fsi_streams *s)
{
    for (uint32_t i = 0; i < s->count; i++) {
        if (fsi_load_relaxed(&s->table[i].word) == KEPT)
            (void)s->ops->close(s->store, s->table[i].file);
        fsi_store_relaxed(&s->table[i].word, FREE);
    }
}

void fsi_streams_forget(const struct fsi_streams *s)
{
    for (uint32_t i = 0; i < s->count; i++)
        fsi_store_relaxed(&s->table[i].word, FREE);
}
