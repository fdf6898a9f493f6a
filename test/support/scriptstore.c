/* SPDX-License-Identifier: MIT */
#include "scriptstore.h"

#include <stdio.h>
#include <string.h>
#include <fsif/error.h>

static struct scriptstore *enter(struct fsif_store *st)
{
    struct scriptstore *s = (struct scriptstore *)(void *)st;

    pthread_mutex_lock(&s->lock);
    s->calls++;
    return s;
}

static int64_t leave(struct scriptstore *s, int64_t value)
{
    pthread_mutex_unlock(&s->lock);
    return value;
}

struct fsif_store *script_store(struct scriptstore *s)
{
    return (struct fsif_store *)(void *)s;
}

void script_init(struct scriptstore *s)
{
    memset(s, 0, sizeof(*s));
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    s->name_size = 8;
}

void script_fini(struct scriptstore *s)
{
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
}

void script_hold(struct scriptstore *s, int held)
{
    pthread_mutex_lock(&s->lock);
    s->held = held;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

void script_wait(struct scriptstore *s, unsigned n)
{
    pthread_mutex_lock(&s->lock);
    while (s->waiting != n)
        pthread_cond_wait(&s->changed, &s->lock);
    pthread_mutex_unlock(&s->lock);
}

void script_name(const struct scriptstore *s, unsigned i, char *name)
{
    memset(name, 'x', s->name_size);
    snprintf(name, 8, "n%06u", i % 1000000);
    if (s->name_size > 8)
        name[7] = '-';
    name[s->name_size - 1] = '\0';
}

static void block(struct scriptstore *s)
{
    s->waiting++;
    pthread_cond_broadcast(&s->changed);
    while (s->held)
        pthread_cond_wait(&s->changed, &s->lock);
    s->waiting--;
    pthread_cond_broadcast(&s->changed);
}

static void use(struct scriptstore *s, uint64_t file)
{
    if (file == 0 || file >= SCRIPT_FILES || !s->file_open[file])
        s->wrong++;
}

static int script_open(struct fsif_store *st, const char *path, uint32_t flags, uint32_t mode,
                       uint64_t *file)
{
    struct scriptstore *s = enter(st);
    int err = s->open_error[0];

    memmove(s->open_error, s->open_error + 1, sizeof(s->open_error) - sizeof(s->open_error[0]));
    s->open_error[3] = 0;
    snprintf(s->path, sizeof(s->path), "%s", path);
    s->flags = flags;
    s->mode = mode;
    if (err)
        return (int)leave(s, err);
    for (*file = 1; s->file_open[*file]; ++*file)
        if (*file == SCRIPT_FILES - 1)
            return (int)leave(s, -FSIF_ENFILE);
    s->file_open[*file] = 1;
    s->opens++;
    return (int)leave(s, 0);
}

static int script_close(struct fsif_store *st, uint64_t file)
{
    struct scriptstore *s = enter(st);

    use(s, file);
    s->file_open[file % SCRIPT_FILES] = 0;
    s->closes++;
    return (int)leave(s, s->answer[FSIF_OP_CLOSE]);
}

static int64_t script_read(struct fsif_store *st, uint64_t file, void *buf, uint32_t len,
                           uint64_t off)
{
    struct scriptstore *s = enter(st);
    int64_t n = s->answer[FSIF_OP_READ];

    use(s, file);
    if (s->held)
        block(s);
    use(s, file);
    s->offset = off;
    s->length = len;
    s->buffer = buf;
    for (uint32_t i = 0; i < len && (int64_t)i < n; i++)
        ((unsigned char *)buf)[i] = (unsigned char)(off + i + 1);
    return leave(s, n);
}

static int64_t script_write(struct fsif_store *st, uint64_t file, const void *buf, uint32_t len,
                            uint64_t off)
{
    struct scriptstore *s = enter(st);

    use(s, file);
    s->offset = off;
    s->length = len;
    s->buffer = buf;
    memcpy(s->data, buf, len);
    return leave(s, s->answer[FSIF_OP_WRITE]);
}

static int script_stat(struct fsif_store *st, uint64_t file, struct fsif_attr *out)
{
    struct scriptstore *s = enter(st);

    use(s, file);
    *out = s->attr;
    return (int)leave(s, s->answer[FSIF_OP_STAT]);
}

static int script_truncate(struct fsif_store *st, uint64_t file, uint64_t size)
{
    struct scriptstore *s = enter(st);

    use(s, file);
    s->length = size;
    return (int)leave(s, s->answer[FSIF_OP_TRUNCATE]);
}

static int script_chmod(struct fsif_store *st, uint64_t file, uint32_t mode)
{
    struct scriptstore *s = enter(st);

    use(s, file);
    s->mode = mode;
    return (int)leave(s, s->answer[FSIF_OP_CHMOD]);
}

static int script_sync(struct fsif_store *st, uint64_t file)
{
    struct scriptstore *s = enter(st);

    use(s, file);
    return (int)leave(s, s->answer[FSIF_OP_SYNC]);
}

static int64_t on_path(struct fsif_store *st, const char *path, const char *path2, int type)
{
    struct scriptstore *s = enter(st);

    snprintf(s->path, sizeof(s->path), "%s", path);
    snprintf(s->path2, sizeof(s->path2), "%s", path2);
    return leave(s, s->answer[type]);
}

static int script_remove(struct fsif_store *st, const char *path)
{
    return (int)on_path(st, path, "", FSIF_OP_REMOVE);
}

static int script_rename(struct fsif_store *st, const char *from, const char *to)
{
    return (int)on_path(st, from, to, FSIF_OP_RENAME);
}

static int script_mkdir(struct fsif_store *st, const char *path, uint32_t mode)
{
    struct scriptstore *s = (struct scriptstore *)(void *)st;
    int err = (int)on_path(st, path, "", FSIF_OP_CREATE);

    s->mode = mode;
    return err;
}

static int64_t script_space(struct fsif_store *st, const char *path)
{
    return on_path(st, path, "", FSIF_OP_SPACE);
}

static int script_list_open(struct fsif_store *st, const char *path, uint64_t *stream)
{
    struct scriptstore *s = enter(st);

    snprintf(s->path, sizeof(s->path), "%s", path);
    if (s->list_open_error)
        return (int)leave(s, -(int)s->list_open_error);
    for (*stream = 0; s->stream[*stream].open; ++*stream)
        if (*stream == SCRIPT_STREAMS - 1)
            return (int)leave(s, -FSIF_EMFILE);
    s->stream[*stream].open = 1;
    s->stream[*stream].at = 0;
    s->list_opens++;
    return (int)leave(s, 0);
}

static int script_list_next(struct fsif_store *st, uint64_t stream, char *name)
{
    struct scriptstore *s = enter(st);
    unsigned at;

    s->nexts++;
    if (s->held)
        block(s);
    if (stream >= SCRIPT_STREAMS || !s->stream[stream].open)
        s->wrong++;
    at = s->stream[stream % SCRIPT_STREAMS].at++;
    if (s->list_fails_at && at + 1 == s->list_fails_at)
        return (int)leave(s, -FSIF_EIO);
    if (at >= s->names)
        return (int)leave(s, 0);
    script_name(s, at, name);
    return (int)leave(s, 1);
}

static void script_list_close(struct fsif_store *st, uint64_t stream)
{
    struct scriptstore *s = enter(st);

    if (stream >= SCRIPT_STREAMS || !s->stream[stream].open)
        s->wrong++;
    s->stream[stream % SCRIPT_STREAMS].open = 0;
    s->list_closes++;
    leave(s, 0);
}

const struct fsif_store_ops script_ops = {
    .size = sizeof(struct fsif_store_ops),
    .abi = FSIF_STORE_ABI,
    .name = "script",
    .open = script_open,
    .close = script_close,
    .read = script_read,
    .write = script_write,
    .stat = script_stat,
    .truncate = script_truncate,
    .chmod = script_chmod,
    .sync = script_sync,
    .remove = script_remove,
    .rename = script_rename,
    .mkdir = script_mkdir,
    .space = script_space,
    .list_open = script_list_open,
    .list_next = script_list_next,
    .list_close = script_list_close,
};
