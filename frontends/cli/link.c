/* SPDX-License-Identifier: MIT */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

/* ln: a link, symbolic or not, at a name or in a directory. */

/* Make it. @target: of a symbolic link, or a path of the export */
static int make(const struct cli *cli, struct fsif_client *cl, const char *target, const char *path)
{
    if (cli->option['s'])
        return fsif_symlinkat(cl, target, FSIF_ROOT, path_wire(path));
    return fsif_linkat(cl, FSIF_ROOT, path_wire(target), FSIF_ROOT, path_wire(path), 0);
}

/* -f: what is there is replaced in one step, so that the name is never missing. */
static int replace(const struct cli *cli, struct fsif_client *cl, const char *target,
                   const char *path)
{
    char *temporary = remote_temporary(path);
    int err = make(cli, cl, target, temporary);

    if (err == 0) {
        err = fsif_rename(cl, temporary, path);
        /* Of two names of one file rename() leaves both. */
        fsif_unlinkat(cl, FSIF_ROOT, temporary, FSIF_REMOVE_FILE);
    }
    free(temporary);
    return err;
}

static int link_one(struct cli *cli, struct cli_session *s, const char *target, const char *path)
{
    int err = make(cli, s->client, target, path);

    if (err == -FSIF_EEXIST && cli->option['f'])
        err = replace(cli, s->client, target, path);
    return err;
}

/* Whether the last operand is a directory to put links into. With -n a link to one is not. */
static int is_place(struct cli *cli, struct cli_session *s, const struct target *to)
{
    struct fsif_attr a;
    int err = fsif_statx(s->client, FSIF_ROOT, path_wire(to->path),
                         cli->option['n'] && !to->slash ? FSIF_AT_NOFOLLOW : 0, &a);

    return err < 0 ? err : type_of(a.mode) == FSIF_S_IFDIR;
}

/* The name in a directory: the last component, slashes at the end or not */
static char *path_in(const char *dir, const char *target)
{
    size_t len = strlen(target);
    char *trimmed;
    char *path;

    while (len > 1 && target[len - 1] == '/')
        len--;
    trimmed = cli_format("%.*s", (int)len, target);
    path = path_join(dir, path_base(trimmed));
    free(trimmed);
    return path;
}

static int link_all(struct cli *cli, struct cli_session *s, char **targets, int count,
                    const struct target *to)
{
    int into = is_place(cli, s, to);
    int i;

    if (into <= 0 && (count > 1 || to->slash)) {
        cli_error(cli, to->export_name, to->path, into < 0 ? into : -FSIF_ENOTDIR);
        return CLI_FAILED;
    }
    for (i = 0; i < count && !cli_interrupted; i++) {
        char *path = into > 0 ? path_in(to->path, targets[i]) : cli_format("%s", to->path);
        int err = link_one(cli, s, targets[i], path);

        if (err < 0)
            cli_error(cli, to->export_name, path, err);
        free(path);
    }
    return CLI_OK;
}

/* Hard links: every operand is of one export. */
static int hard_links(struct cli *cli, struct cli_session *s, struct target *t, int sources)
{
    char **targets = cli_alloc((size_t)sources * sizeof(*targets));
    int status;
    int i;

    for (i = 0; i < sources; i++)
        targets[i] = t[i].path;
    status = link_all(cli, s, targets, sources, &t[sources]);
    free(targets);
    return status;
}

int command_ln(struct cli *cli, char **operands, int count)
{
    struct cli_session *s;
    struct target to;
    int status;
    int i;

    if (!cli->option['s'])
        return cli_on_one_export(cli, operands, count, hard_links);
    for (i = 0; i < count - 1; i++) {
        if (operands[i][0] == '\0')
            return cli_usage(cli, "a link cannot say nothing");
    }
    status = target_parse(cli, operands[count - 1], &to);
    if (status != CLI_OK)
        return status;
    s = cli_session(cli, to.export_name);
    status = s == NULL ? CLI_CONNECT : link_all(cli, s, operands, count - 1, &to);
    free(to.path);
    return status;
}
