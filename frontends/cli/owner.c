/* SPDX-License-Identifier: MIT */
#include "cli.h"

#include <stdlib.h>

/* chown. */

struct chown {
    struct cli *cli;
    struct cli_session *session;
    uint32_t uid;
    uint32_t gid;
};

/* What a walk meets is meant itself, links too: a tree's link must not lead to a file outside it.
 */
static int chown_place(void *arg, const struct walk_place *p)
{
    struct chown *c = arg;
    int err = fsif_fchownat(c->session->client, FSIF_ROOT, path_wire(p->path), c->uid, c->gid,
                            FSIF_AT_NOFOLLOW);

    if (err < 0)
        cli_error(c->cli, c->session->export_name, p->path, err);
    return 0;
}

static int chown_one(struct cli *cli, struct cli_session *s, const struct target *t)
{
    struct chown c = {.cli = cli, .session = s};
    struct walk w = {.cli = cli,
                     .session = s,
                     .max_depth = UINT32_MAX,
                     .parallel = 1,
                     .arg = &c,
                     .before = chown_place};

    owner_parse(cli->mode, &c.uid, &c.gid);
    if (cli->recursive)
        return walk_tree(&w, t->path, 0);
    return fsif_fchownat(s->client, FSIF_ROOT, path_wire(t->path), c.uid, c.gid,
                         cli->option['h'] ? FSIF_AT_NOFOLLOW : 0);
}

int command_chown(struct cli *cli, char **operands, int count)
{
    uint32_t uid;
    uint32_t gid;

    cli->mode = operands[0];
    if (owner_parse(operands[0], &uid, &gid) < 0) {
        char *shown = cli_escaped(operands[0]);

        cli_usage(cli, "'%s' is not an owner: USER, USER:GROUP or :GROUP, names or numbers", shown);
        free(shown);
        return CLI_USAGE;
    }
    return cli_each(cli, operands + 1, count - 1, chown_one);
}
