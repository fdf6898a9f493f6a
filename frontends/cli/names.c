/* SPDX-License-Identifier: MIT */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

/* A directory's names, and what they are. */

static void add(struct entries *e, const char *name)
{
    if (e->count == e->room) {
        e->room = e->room == 0 ? 64 : 2 * e->room;
        e->items = realloc(e->items, e->room * sizeof(*e->items));
        if (e->items == NULL)
            cli_no_memory();
    }
    memset(&e->items[e->count], 0, sizeof(*e->items));
    e->items[e->count++].name = cli_format("%s", name);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

int entries_read(struct fsif_client *cl, const char *path, struct entries *out)
{
    struct fsif_dir *dir;
    const char *name;
    int err;

    *out = (struct entries){.items = NULL};
    err = fsif_opendir(cl, path_wire(path), &dir);
    if (err < 0)
        return err;
    while ((err = fsif_readdir(dir, &name)) > 0 && out->count < CLI_MAX_ENTRIES)
        add(out, name);
    if (err > 0)
        err = -FSIF_EOVERFLOW;
    fsif_closedir(dir);
    if (err < 0) {
        entries_free(out);
        return err;
    }
    if (out->count > 0)
        qsort(out->items, out->count, sizeof(*out->items), by_name);
    return 0;
}

/* Each job looks at every STEP-th entry. */
struct stat_job {
    struct job job;
    struct fsif_client *client;
    const char *path;
    struct entries *entries;
    size_t first;
    size_t step;
};

static void stat_run(struct job *job, void *buf)
{
    struct stat_job *s = (struct stat_job *)job;
    size_t i;

    (void)buf;
    for (i = s->first; i < s->entries->count && !cli_interrupted; i += s->step) {
        struct entry *e = &s->entries->items[i];
        char *path = path_join(s->path, e->name);

        e->err = fsif_stat(s->client, path, &e->attr);
        free(path);
    }
    free(s);
}

void entries_stat(struct cli *cli, struct fsif_client *cl, const char *path, struct entries *e)
{
    struct pool *pool = e->count > 0 ? pool_create(cli, cli->jobs) : NULL;
    size_t i;

    for (i = 0; pool != NULL && i < cli->jobs; i++) {
        struct stat_job *s = cli_alloc(sizeof(*s));

        *s = (struct stat_job){{.run = stat_run}, cl, path, e, i, cli->jobs};
        pool_push(pool, &s->job);
    }
    if (pool != NULL) {
        pool_wait(pool, NULL, NULL);
        pool_destroy(pool);
    }
}

void entries_free(struct entries *e)
{
    size_t i;

    for (i = 0; i < e->count; i++)
        free(e->items[i].name);
    free(e->items);
    *e = (struct entries){.items = NULL};
}
