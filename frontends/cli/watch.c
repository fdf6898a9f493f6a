/* SPDX-License-Identifier: MIT */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

/* watch: what happens in a directory, a line each, until a signal ends it. */

/* How long a signal may go unnoticed, milliseconds */
#define TICK_MS 200

static const struct {
    uint32_t bit;
    const char *word;
} words[] = {{FSIF_CHANGE_CREATE, "create"},   {FSIF_CHANGE_REMOVE, "remove"},
             {FSIF_CHANGE_CONTENT, "content"}, {FSIF_CHANGE_ATTR, "attributes"},
             {FSIF_CHANGE_SELF, "self"},       {FSIF_CHANGE_LOST, "lost"}};

#define WORDS (sizeof(words) / sizeof(words[0]))

static void print_line(const struct fsif_change *c, const char *name)
{
    const char *comma = "";
    size_t i;

    for (i = 0; i < WORDS; i++) {
        if (c->what & words[i].bit) {
            printf("%s%s", comma, words[i].word);
            comma = ",";
        }
    }
    putchar(' ');
    cli_print_name(stdout, name);
    putchar('\n');
}

static void print_json(const struct fsif_change *c, const char *name)
{
    struct json_t *o = json_name(name);
    struct json_t *list = json_list();
    size_t i;

    for (i = 0; i < WORDS; i++) {
        if (c->what & words[i].bit)
            json_list_add(list, json_text(words[i].word));
    }
    json_add_list(o, "what", list);
    json_print_line(o);
}

/* Return: 0, or a FSIF_E* */
static int show(const struct cli *cli, const struct target *t, const struct fsif_change *c)
{
    char *path;
    char *name;

    if (c->name[0] != '\0' && !name_is_safe(c->name))
        return -FSIF_EPROTO;
    path = c->name[0] == '\0' ? cli_format("%s", t->path) : path_join(t->path, c->name);
    name = cli_format("%s:/%s", t->export_name, path);
    if (cli->json)
        print_json(c, name);
    else
        print_line(c, name);
    free(name);
    free(path);
    /* Who reads the other end is not kept waiting; one that went ends it. */
    return fflush(stdout) == 0 ? 0 : -FSIF_EPIPE;
}

static int follow(struct cli *cli, struct fsif_client *cl, const struct target *t, int number)
{
    unsigned int left = UINT32_MAX;
    struct fsif_change change;
    int err = 0;

    if (cli->option['n'])
        number_parse(cli->option['n'], UINT32_MAX, &left);
    while (err >= 0 && left > 0 && !cli_interrupted) {
        err = fsif_watch_next(cl, number, &change, TICK_MS);
        if (err == -FSIF_ETIMEDOUT)
            err = 0;
        if (err > 0) {
            err = show(cli, t, &change);
            left -= cli->option['n'] != NULL;
        }
    }
    return err;
}

static int watch_one(struct cli *cli, struct cli_session *s, const struct target *t)
{
    int fh =
        fsif_openat(s->client, FSIF_ROOT, path_wire(t->path), FSIF_O_RDONLY | FSIF_O_DIRECTORY, 0);
    int number;
    int err;

    if (fh < 0)
        return fh;
    number = fsif_watch(s->client, fh, FSIF_CHANGE_ALL);
    err = number < 0 ? number : follow(cli, s->client, t, number);
    if (number >= 0)
        fsif_unwatch(s->client, number);
    fsif_close(s->client, fh);
    return err == -FSIF_EPIPE ? 1 : err; /* the output's error is told at the end */
}

int command_watch(struct cli *cli, char **operands, int count)
{
    unsigned int changes;

    if (cli->option['n'] &&
        (number_parse(cli->option['n'], UINT32_MAX, &changes) < 0 || changes == 0))
        return cli_usage(cli, "'%s' is not a number of changes", cli->option['n']);
    return cli_each(cli, operands, count, watch_one);
}
