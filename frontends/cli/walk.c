/* SPDX-License-Identifier: MIT */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

/* A walk over a tree of an export: one listing for each directory, in the order of the names. */

struct level {
    struct walk *walk;
    const char *path;
    unsigned int depth; /* of its entries */
};

static struct walk_place place_of(const struct dir_entry *e, const char *path, unsigned int depth)
{
    return (struct walk_place){.path = path,
                               .name = e->name,
                               .depth = depth,
                               .err = e->err,
                               .type = e->type,
                               .attr = &e->attr};
}

static int no_directory(const struct dir_entry *e)
{
    return e->type != FSIF_S_IFDIR;
}

static void one_of_many(void *arg, struct dir_entry *e)
{
    struct level *l = arg;
    char *path = path_join(l->path, e->name);
    struct walk_place p = place_of(e, path, l->depth);

    l->walk->before(l->walk->arg, &p);
    free(path);
}

static void visit(struct walk *w, const struct walk_place *p);

static int contents(struct walk *w, const char *dir, unsigned int depth)
{
    struct level level = {w, dir, depth};
    struct entries e;
    size_t i;
    int err = entries_read(w->cli, w->session, dir, w->attr ? ENTRIES_ATTRS : ENTRIES_TYPES, &e);

    if (err < 0) {
        if (!cli_interrupted)
            cli_error(w->cli, w->session->export_name, dir, err);
        return err;
    }
    if (w->parallel)
        entries_each(w->cli, &e, no_directory, one_of_many, &level);
    for (i = 0; i < e.count && !cli_interrupted; i++) {
        char *path;
        struct walk_place p;

        if (w->parallel && no_directory(&e.items[i]))
            continue;
        path = path_join(dir, e.items[i].name);
        p = place_of(&e.items[i], path, depth);
        visit(w, &p);
        free(path);
    }
    entries_free(&e);
    return 0;
}

static void visit(struct walk *w, const struct walk_place *p)
{
    int err = 0;

    if (w->before(w->arg, p) != 0 || p->type != FSIF_S_IFDIR || cli_interrupted)
        return;
    if (p->depth < w->max_depth)
        err = contents(w, p->path, p->depth + 1);
    if (w->after != NULL && !cli_interrupted)
        w->after(w->arg, p, err);
}

int walk_tree(struct walk *w, const char *path, int follow)
{
    struct fsif_attr attr;
    struct walk_place p = {.path = path, .name = path_base(path), .attr = &attr};
    int err;

    if (w->session->full)
        err = fsif_statx(w->session->client, FSIF_ROOT, path_wire(path),
                         follow ? 0 : FSIF_AT_NOFOLLOW, &attr);
    else
        err = fsif_stat(w->session->client, path_wire(path), &attr);
    if (err < 0)
        return err;
    p.type = type_of(attr.mode);
    visit(w, &p);
    return 0;
}
