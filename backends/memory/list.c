/* SPDX-License-Identifier: MIT */

/*
 * Listings. A stream stands before the entry that it gives next. If that entry goes, the stream
 * moves on (fsi_memory_list_leave), so what is there throughout is given once; and it gives nothing
 * that was made after it was opened, so it ends.
 *
 * A stream's number is its place in the table (low half) and how often that was used (high half).
 */

#include <string.h>
#include "internal.h"

static struct memory_stream *find(struct fsif_store *st, uint64_t stream)
{
    uint32_t index = (uint32_t)stream;

    if (index >= MEMORY_STREAMS || st->streams[index].node == NULL ||
        st->streams[index].generation != (uint32_t)(stream >> 32))
        return NULL;
    return &st->streams[index];
}

int fsi_memory_list_open(struct fsif_store *st, const char *path, uint64_t *stream)
{
    struct memory_node *node;
    struct memory_stream *s;
    uint32_t i = 0;
    int err = fsi_memory_lookup(st, path, &node);

    if (err != 0)
        return err;
    if (!node->directory)
        return -FSIF_ENOTDIR;
    while (i < MEMORY_STREAMS && st->streams[i].node != NULL)
        i++;
    if (i == MEMORY_STREAMS)
        return -FSIF_EMFILE;
    s = &st->streams[i];
    s->node = node;
    s->at = node->u.dir.first;
    s->until = node->u.dir.sequence;
    s->dots = 0;
    s->generation++;
    s->other = node->u.dir.streams;
    node->u.dir.streams = s;
    node->refs++;
    *stream = (uint64_t)s->generation << 32 | i;
    return 0;
}

int fsi_memory_list_next(struct fsif_store *st, uint64_t stream, char *name)
{
    struct memory_stream *s = find(st, stream);

    if (s == NULL)
        return -FSIF_EBADF;
    if (s->dots < 2) {
        s->dots++;
        memcpy(name, s->dots == 1 ? "." : "..", s->dots + 1);
        return 1;
    }
    if (s->at == NULL || s->at->sequence > s->until)
        return 0;
    memcpy(name, s->at->name, s->at->len + 1);
    s->at = s->at->after;
    return 1;
}

void fsi_memory_list_close(struct fsif_store *st, uint64_t stream)
{
    struct memory_stream *s = find(st, stream);
    struct memory_stream **at;

    if (s == NULL)
        return;
    at = &s->node->u.dir.streams;
    while (*at != s)
        at = &(*at)->other;
    *at = s->other;
    fsi_memory_unref(st, s->node);
    s->node = NULL;
}

void fsi_memory_list_leave(struct memory_node *dir, const struct memory_entry *entry)
{
    for (struct memory_stream *s = dir->u.dir.streams; s != NULL; s = s->other)
        if (s->at == entry)
            s->at = entry->after;
}
