/* SPDX-License-Identifier: MIT */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

/* A directory's names, and what they are. */

/* Fewer are looked at one after the other. */
#define MANY 8u

static struct dir_entry *add(struct entries *e, const char *name)
{
    struct dir_entry *entry;

    if (e->count == e->room) {
        e->room = e->room == 0 ? 64 : 2 * e->room;
        e->items = realloc(e->items, e->room * sizeof(*e->items));
        if (e->items == NULL)
            cli_no_memory();
    }
    entry = &e->items[e->count++];
    memset(entry, 0, sizeof(*entry));
    entry->name = cli_format("%s", name);
    return entry;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct dir_entry *)a)->name, ((const struct dir_entry *)b)->name);
}

/* --- a job for several --------------------------------------------------------------------- */

/* Each job takes every STEP-th entry. */
struct some_job {
    struct job job;
    struct entries *entries;
    int (*pick)(const struct dir_entry *entry);
    void (*one)(void *arg, struct dir_entry *entry);
    void *arg;
    size_t first;
    size_t step;
};

static void some_run(struct job *job, void *buf)
{
    struct some_job *j = (struct some_job *)job;
    size_t i;

    (void)buf;
    for (i = j->first; i < j->entries->count && !cli_interrupted; i += j->step) {
        struct dir_entry *e = &j->entries->items[i];

        if (j->pick == NULL || j->pick(e))
            j->one(j->arg, e);
    }
    free(j);
}

void entries_each(struct cli *cli, struct entries *e, int (*pick)(const struct dir_entry *entry),
                  void (*one)(void *arg, struct dir_entry *entry), void *arg)
{
    struct pool *pool = e->count > MANY ? cli_pool(cli) : NULL;
    size_t jobs = pool != NULL ? cli->jobs : 1;
    size_t i;

    for (i = 0; i < jobs; i++) {
        struct some_job *j = cli_alloc(sizeof(*j));

        *j = (struct some_job){{.run = some_run}, e, pick, one, arg, i, jobs};
        if (pool != NULL)
            pool_push(pool, &j->job);
        else
            some_run(&j->job, NULL);
    }
    if (pool != NULL)
        pool_wait(pool, NULL, NULL);
}

/* --- reading ------------------------------------------------------------------------------- */

/* One request for some hundred names, with what they are. */
static int scanned(void *arg, const struct fsif_dirent *d)
{
    struct entries *out = arg;
    struct dir_entry *e;

    if (!name_is_safe(d->name))
        return -FSIF_EPROTO;
    if (out->count == CLI_MAX_ENTRIES)
        return -FSIF_EOVERFLOW;
    if (cli_interrupted)
        return -FSIF_EINTR;
    e = add(out, d->name);
    e->err = d->status;
    e->attr = d->attr;
    e->type = d->attr.mode != 0 ? type_of(d->attr.mode) : d->type;
    return 0;
}

static int read_names(struct fsif_client *cl, const char *path, struct entries *out)
{
    struct fsif_dir *dir;
    const char *name;
    int err = fsif_opendir(cl, path_wire(path), &dir);

    if (err < 0)
        return err;
    while ((err = fsif_readdir(dir, &name)) > 0 && out->count < CLI_MAX_ENTRIES)
        add(out, name);
    if (err > 0)
        err = -FSIF_EOVERFLOW;
    fsif_closedir(dir);
    return err;
}

struct look {
    struct fsif_client *client;
    const char *path;
};

/* Dialects 1 and 2 look at one file at a time. */
static void look_at(void *arg, struct dir_entry *e)
{
    struct look *l = arg;
    char *path = path_join(l->path, e->name);

    e->err = fsif_stat(l->client, path, &e->attr);
    e->type = type_of(e->attr.mode);
    free(path);
}

static int scan(struct fsif_client *cl, const char *path, uint32_t flags, struct entries *out)
{
    return fsif_scandir(cl, FSIF_ROOT, path_wire(path), flags, scanned, out);
}

static int all_typed(const struct entries *e)
{
    size_t i;

    for (i = 0; i < e->count; i++) {
        if (e->items[i].type == 0)
            return 0;
    }
    return 1;
}

/* Some stores do not know the types of what they list without a look: then it looks at all. */
static int scan_typed(struct fsif_client *cl, const char *path, struct entries *out)
{
    int err = scan(cl, path, 0, out);

    if (err < 0 || all_typed(out))
        return err;
    entries_free(out);
    return scan(cl, path, FSIF_READDIR_ATTR, out);
}

int entries_read(struct cli *cli, struct cli_session *s, const char *path, enum entries_what what,
                 struct entries *out)
{
    struct look look = {s->client, path};
    int err;

    *out = (struct entries){.items = NULL};
    if (s->full && what == ENTRIES_TYPES)
        err = scan_typed(s->client, path, out);
    else if (s->full)
        err = scan(s->client, path, what == ENTRIES_ATTRS ? FSIF_READDIR_ATTR : 0, out);
    else
        err = read_names(s->client, path, out);
    if (err < 0) {
        entries_free(out);
        return err;
    }
    if (out->count > 0)
        qsort(out->items, out->count, sizeof(*out->items), by_name);
    if (!s->full && what != ENTRIES_NAMES)
        entries_each(cli, out, NULL, look_at, &look);
    return 0;
}

/* --- links --------------------------------------------------------------------------------- */

char *link_target(struct fsif_client *cl, const char *path, int *err)
{
    char *text = cli_alloc(FSIF_PATH_MAX + 1);
    int64_t n = fsif_readlinkat(cl, FSIF_ROOT, path_wire(path), text, FSIF_PATH_MAX);

    *err = n < 0 ? (int)n : 0;
    if (n == 0 || n > FSIF_PATH_MAX || (n > 0 && memchr(text, '\0', (size_t)n) != NULL))
        *err = -FSIF_EPROTO;
    if (*err == 0)
        return text;
    free(text);
    return NULL;
}

static int is_link(const struct dir_entry *e)
{
    return e->err == 0 && e->type == FSIF_S_IFLNK;
}

static void read_target(void *arg, struct dir_entry *e)
{
    struct look *l = arg;
    char *path = path_join(l->path, e->name);

    e->target = link_target(l->client, path, &e->err);
    free(path);
}

void entries_targets(struct cli *cli, struct cli_session *s, const char *path, struct entries *e)
{
    struct look look = {s->client, path};
    size_t i;

    for (i = 0; i < e->count; i++) {
        if (is_link(&e->items[i])) {
            entries_each(cli, e, is_link, read_target, &look);
            return;
        }
    }
}

void entries_free(struct entries *e)
{
    size_t i;

    for (i = 0; i < e->count; i++) {
        free(e->items[i].name);
        free(e->items[i].target);
    }
    free(e->items);
    *e = (struct entries){.items = NULL};
}
