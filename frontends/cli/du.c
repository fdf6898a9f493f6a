/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "cli.h"

#include <inttypes.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

/* du: the sum of a tree. A file of several names counts once. */

struct seen {
    uint64_t dev;
    uint64_t ino;
};

struct du {
    struct cli *cli;
    struct cli_session *session;
    struct json_t *json;
    void *seen;    /* of tsearch() */
    uint64_t *sum; /* by depth: of what lies in the directories that the walk is in */
    size_t room;
};

static int by_number(const void *a, const void *b)
{
    const struct seen *x = a;
    const struct seen *y = b;

    if (x->dev != y->dev)
        return x->dev < y->dev ? -1 : 1;
    return x->ino < y->ino ? -1 : x->ino > y->ino;
}

/* Return: 1 if this file was met before */
static int met(struct du *d, const struct fsif_attr *a)
{
    struct seen key = {a->dev, a->ino};
    struct seen *kept;

    if (a->nlink < 2 || type_of(a->mode) == FSIF_S_IFDIR)
        return 0;
    if (tfind(&key, &d->seen, by_number) != NULL)
        return 1;
    kept = cli_alloc(sizeof(*kept));
    *kept = key;
    if (tsearch(kept, &d->seen, by_number) == NULL)
        cli_no_memory();
    return 0;
}

static uint64_t size_of(const struct du *d, const struct fsif_attr *a)
{
    if (d->cli->option['b'])
        return a->size;
    return a->blocks > UINT64_MAX / 512 ? UINT64_MAX : 512 * a->blocks;
}

static uint64_t plus(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static void show(const struct du *d, const char *path, uint64_t bytes)
{
    char *name = cli_format("%s:/%s", d->session->export_name, path);
    char text[16];

    if (d->json != NULL) {
        json_list_add(d->json, json_usage(name, bytes));
    } else {
        human_bytes(text, bytes);
        if (d->cli->option['h'])
            printf("%s\t", text);
        else
            printf("%" PRIu64 "\t",
                   d->cli->option['b'] ? bytes : bytes / 1024 + (bytes % 1024 != 0));
        cli_print_name(stdout, name);
        putchar('\n');
    }
    free(name);
}

static void grow(struct du *d, size_t depth)
{
    if (depth < d->room)
        return;
    d->room = 2 * depth + 64;
    d->sum = realloc(d->sum, d->room * sizeof(*d->sum));
    if (d->sum == NULL)
        cli_no_memory();
}

static int enter(void *arg, const struct walk_place *p)
{
    struct du *d = arg;
    uint64_t bytes;

    grow(d, p->depth + 1);
    if (p->err < 0)
        cli_error(d->cli, d->session->export_name, p->path, p->err);
    bytes = p->err < 0 || met(d, p->attr) ? 0 : size_of(d, p->attr);
    if (p->type == FSIF_S_IFDIR) {
        d->sum[p->depth + 1] = bytes; /* of the directory, which collects there */
        return 0;
    }
    if (p->depth > 0)
        d->sum[p->depth] = plus(d->sum[p->depth], bytes);
    if (p->depth == 0 || d->cli->option['a'])
        show(d, p->path, bytes);
    return 0;
}

static void leave(void *arg, const struct walk_place *p, int err)
{
    struct du *d = arg;
    uint64_t bytes = d->sum[p->depth + 1];

    (void)err;
    if (p->depth > 0)
        d->sum[p->depth] = plus(d->sum[p->depth], bytes);
    if (p->depth == 0 || !d->cli->option['s'])
        show(d, p->path, bytes);
}

static void du_target(struct cli *cli, struct cli_session *s, const struct target *t,
                      struct json_t *json)
{
    struct du d = {.cli = cli, .session = s, .json = json};
    struct walk w = {.cli = cli,
                     .session = s,
                     .max_depth = UINT32_MAX,
                     .attr = 1,
                     .arg = &d,
                     .before = enter,
                     .after = leave};
    int err = walk_tree(&w, t->path, t->slash);

    if (err < 0)
        cli_error(cli, t->export_name, t->path, err);
    tdestroy(d.seen, free);
    free(d.sum);
}

int command_du(struct cli *cli, char **operands, int count)
{
    if (cli->option['a'] && cli->option['s'])
        return cli_usage(cli, "either -a or -s");
    if (!cli->option['b'])
        cli_need_full(cli, "du without -b");
    return cli_show_each(cli, operands, count, 0, du_target);
}
