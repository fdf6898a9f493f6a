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

static int open_directory(struct scriptstore *s, uint64_t *file)
{
    if (s->list_open_error)
        return -(int)s->list_open_error;
    for (unsigned i = 0; i < SCRIPT_STREAMS; i++) {
        if (s->directory_open[i])
            continue;
        s->directory_open[i] = 1;
        s->list_opens++;
        *file = SCRIPT_FILES + i;
        return 0;
    }
    return -FSIF_EMFILE;
}

static int open_file(struct scriptstore *s, uint64_t *file)
{
    int err = s->open_error[0];

    memmove(s->open_error, s->open_error + 1, sizeof(s->open_error) - sizeof(s->open_error[0]));
    s->open_error[3] = 0;
    if (err)
        return err;
    for (*file = 1; s->file_open[*file]; ++*file)
        if (*file == SCRIPT_FILES - 1)
            return -FSIF_ENFILE;
    s->file_open[*file] = 1;
    s->opens++;
    return 0;
}

static int script_open(struct fsif_store *st, uint64_t from, const char *path, uint32_t flags,
                       uint32_t mode, uint64_t *file, struct fsif_attr *attr)
{
    struct scriptstore *s = enter(st);
    int err;

    snprintf(s->path, sizeof(s->path), "%s", path);
    s->base = from;
    s->flags = flags;
    s->mode = mode;
    err = flags & FSIF_O_DIRECTORY ? open_directory(s, file) : open_file(s, file);
    if (!err && attr)
        *attr = s->attr;
    return (int)leave(s, err);
}

static int is_open_directory(const struct scriptstore *s, uint64_t file)
{
    return file >= SCRIPT_FILES && file < SCRIPT_FILES + SCRIPT_STREAMS &&
           s->directory_open[file - SCRIPT_FILES];
}

static int script_close(struct fsif_store *st, uint64_t file)
{
    struct scriptstore *s = enter(st);

    if (is_open_directory(s, file)) {
        s->directory_open[file - SCRIPT_FILES] = 0;
        s->list_closes++;
        return (int)leave(s, 0);
    }
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
                            uint64_t off, uint32_t flags)
{
    struct scriptstore *s = enter(st);

    use(s, file);
    s->flags = flags;
    s->offset = off;
    s->length = len;
    s->buffer = buf;
    memcpy(s->data, buf, len);
    return leave(s, s->answer[FSIF_OP_WRITE]);
}

static int script_stat(struct fsif_store *st, uint64_t from, const char *path, uint32_t flags,
                       struct fsif_attr *out)
{
    struct scriptstore *s = enter(st);

    if (path[0] == '\0')
        use(s, from);
    s->base = from;
    s->flags = flags;
    *out = s->attr;
    return (int)leave(s, s->answer[FSIF_OP_STAT]);
}

static int script_setattr(struct fsif_store *st, uint64_t from, const char *path, uint32_t flags,
                          const struct fsif_setattr *set)
{
    struct scriptstore *s = enter(st);

    if (path[0] == '\0')
        use(s, from);
    s->base = from;
    s->flags = flags;
    s->set = *set;
    return (int)leave(s, s->answer[FSIF_OP_SETATTR]);
}

static int script_sync(struct fsif_store *st, uint64_t file, uint32_t flags)
{
    struct scriptstore *s = enter(st);

    use(s, file);
    s->flags = flags;
    return (int)leave(s, s->answer[FSIF_OP_SYNC]);
}

static int64_t on_path(struct fsif_store *st, uint64_t from, const char *path, const char *path2,
                       uint32_t flags, int type)
{
    struct scriptstore *s = enter(st);

    s->base = from;
    s->flags = flags;
    snprintf(s->path, sizeof(s->path), "%s", path);
    snprintf(s->path2, sizeof(s->path2), "%s", path2);
    return leave(s, s->answer[type]);
}

static int script_remove(struct fsif_store *st, uint64_t from, const char *path, uint32_t flags)
{
    return (int)on_path(st, from, path, "", flags, FSIF_OP_REMOVE);
}

static int script_rename(struct fsif_store *st, uint64_t from, const char *path, uint64_t base2,
                         const char *path2, uint32_t flags)
{
    struct scriptstore *s = (struct scriptstore *)(void *)st;
    int err = (int)on_path(st, from, path, path2, flags, FSIF_OP_RENAME);

    s->base2 = base2;
    return err;
}

static int script_mkdir(struct fsif_store *st, uint64_t from, const char *path, uint32_t mode)
{
    struct scriptstore *s = (struct scriptstore *)(void *)st;
    int err = (int)on_path(st, from, path, "", 0, FSIF_OP_CREATE);

    s->mode = mode;
    return err;
}

static int script_statvfs(struct fsif_store *st, uint64_t from, const char *path,
                          struct fsif_statvfs *out)
{
    struct scriptstore *s = (struct scriptstore *)(void *)st;

    *out = s->vfs;
    return (int)on_path(st, from, path, "", 0, FSIF_OP_SPACE);
}

/* A cookie is the number of entries before it. */
static int script_readdir(struct fsif_store *st, uint64_t dir, uint64_t cookie,
                          fsif_store_entry_fn *fn, void *arg)
{
    struct scriptstore *s = enter(st);
    char name[FSIF_NAME_MAX + 1];

    if (s->held)
        block(s);
    if (!is_open_directory(s, dir))
        s->wrong++;
    for (; cookie < s->names; cookie++) {
        struct fsif_store_entry entry = {
            .name = name, .name_len = s->name_size - 1, .ino = cookie + 1, .cookie = cookie + 1};

        if (s->list_fails_at && cookie + 1 == s->list_fails_at)
            return (int)leave(s, -FSIF_EIO);
        s->nexts++;
        script_name(s, (unsigned)cookie, name);
        entry.name_len = s->entry_name_len ? s->entry_name_len : entry.name_len;
        if (!fn(arg, &entry))
            return (int)leave(s, 1);
    }
    return (int)leave(s, 0);
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
    .setattr = script_setattr,
    .sync = script_sync,
    .remove = script_remove,
    .rename = script_rename,
    .mkdir = script_mkdir,
    .statvfs = script_statvfs,
    .readdir = script_readdir,
};
