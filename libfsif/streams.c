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
 * One entry is read ahead, so "more" is never said of nothing.
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
            s->ops->list_close(s->store, e->stream);
            return e;
        }
    }
    return NULL;
}

/* The next name into next. Returns 1, 0 at the end, or a negative FSIF_E*. */
static int read_ahead(const struct fsi_streams *s, struct fsi_stream *e)
{
    int got = s->ops->list_next(s->store, e->stream, e->next);

    if (got == 1)
        e->next_size = (uint32_t)strnlen(e->next, FSIF_NAME_MAX) + 1;
    return got;
}

/* Open @op's directory in @e and skip what was seen. Returns as read_ahead(). */
static int start(const struct fsi_streams *s, struct fsi_stream *e, const struct fsif_op *op)
{
    int got = s->ops->list_open(s->store, op->path, &e->stream);

    if (got < 0)
        return got;
    fsi_memcpy(e->path, op->path, string_size(op->path));
    e->offset = 0;
    got = read_ahead(s, e);
    while (got == 1 && e->offset < op->offset) {
        e->offset++;
        got = read_ahead(s, e);
    }
    if (got <= 0)
        s->ops->list_close(s->store, e->stream);
    return got;
}

/* Names into the page until it is full or the listing ends. Returns as read_ahead(). */
static int fill(const struct fsi_streams *s, struct fsi_stream *e, char *out,
                struct fsif_result *result)
{
    int got = 1;

    while (got == 1 && FSIF_PAGE_SIZE - result->used > FSIF_WIRE1_LIST_RESERVE) {
        fsi_memcpy(out + result->used, e->next, e->next_size);
        out[result->used + e->next_size - 1] = '\0';
        result->used += e->next_size;
        result->value++;
        e->offset++;
        got = read_ahead(s, e);
    }
    return got;
}

void fsi_streams_list(const struct fsi_streams *s, const struct fsif_op *op, char *out,
                      struct fsif_result *result)
{
    struct fsi_stream *e = find(s, op);
    int got = 1;

    if (!e) {
        e = take(s);
        if (!e) {
            result->value = -FSIF_EAGAIN;
            return;
        }
        got = start(s, e, op);
        if (got <= 0) {
            result->value = got;
            fsi_store_seq(&e->word, FREE);
            return;
        }
    }
    got = fill(s, e, out, result);
    if (got < 0) {
        result->used = 0;
        result->value = got;
    }
    if (got == 1) {
        result->more = 1;
        fsi_store_relaxed(&e->stamp, fsi_fetch_add(s->clock, 1) + 1);
        fsi_store_seq(&e->word, KEPT);
        return;
    }
    s->ops->list_close(s->store, e->stream);
    fsi_store_seq(&e->word, FREE);
}

void fsi_streams_fini(const struct fsi_streams *s)
{
    for (uint32_t i = 0; i < s->count; i++) {
        if (fsi_load_relaxed(&s->table[i].word) == KEPT)
            s->ops->list_close(s->store, s->table[i].stream);
        fsi_store_relaxed(&s->table[i].word, FREE);
    }
}

void fsi_streams_forget(const struct fsi_streams *s)
{
    for (uint32_t i = 0; i < s->count; i++)
        fsi_store_relaxed(&s->table[i].word, FREE);
}
