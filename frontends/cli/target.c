/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "cli.h"

#include <stdlib.h>
#include <string.h>
#include <fsif/negotiate.h>

/* EXPORT:/path. A "." at the end means the same as a slash: the directory's contents. */

static void trim(struct target *t)
{
    size_t len = strlen(t->path);

    t->slash = len == 0;
    while (len > 0 && (t->path[len - 1] == '/' ||
                       (t->path[len - 1] == '.' && (len == 1 || t->path[len - 2] == '/')))) {
        t->path[--len] = '\0';
        t->slash = 1;
    }
}

int target_parse(struct cli *cli, const char *text, struct target *out)
{
    const char *colon = strchr(text, ':');
    size_t len = colon == NULL ? 0 : (size_t)(colon - text);
    char *shown;

    out->path = NULL;
    out->export_name[0] = '\0';
    if (len > 0 && len < sizeof(out->export_name)) {
        memcpy(out->export_name, text, len);
        out->export_name[len] = '\0';
    }
    if (out->export_name[0] == '\0' || !fsif_export_name_valid(out->export_name)) {
        shown = cli_escaped(text);
        cli_usage(cli, "'%s' is not of the form EXPORT:/path", shown);
        free(shown);
        return CLI_USAGE;
    }
    colon++;
    while (*colon == '/')
        colon++;
    out->path = cli_format("%s", colon);
    trim(out);
    return CLI_OK;
}

int targets_parse(struct cli *cli, char **operands, int count, struct target *out)
{
    int i;

    for (i = 0; i < count; i++) {
        int status = target_parse(cli, operands[i], &out[i]);

        if (status != CLI_OK) {
            targets_free(out, i);
            return status;
        }
    }
    return CLI_OK;
}

int targets_parse_one_export(struct cli *cli, char **operands, int count, struct target *out)
{
    int status = targets_parse(cli, operands, count, out);
    int i;

    for (i = 1; status == CLI_OK && i < count; i++) {
        if (strcmp(out[i].export_name, out[0].export_name) != 0) {
            status = cli_usage(cli, "%s works within one export, not from '%s' to '%s'",
                               cli->command->name, out[0].export_name, out[i].export_name);
            targets_free(out, count);
        }
    }
    return status;
}

void targets_free(struct target *t, int count)
{
    int i;

    for (i = 0; i < count; i++)
        free(t[i].path);
}

char *path_join(const char *dir, const char *name)
{
    return dir[0] == '\0' ? cli_format("%s", name) : cli_format("%s/%s", dir, name);
}

const char *path_base(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == NULL ? path : slash + 1;
}

const char *path_wire(const char *path)
{
    return path[0] == '\0' ? "/" : path;
}
