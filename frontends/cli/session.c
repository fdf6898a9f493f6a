/* SPDX-License-Identifier: MIT */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

/* Sessions: one for each export that the operands name, opened when it is first needed. */

void cli_client_options(const struct cli *cli, struct fsif_client_options *o)
{
    fsif_client_options_init(o);
    o->timeout_ms = cli->timeout_ms;
    o->dialects = cli->dialects;
    o->registry = cli->registry;
    o->queues = cli->queues;
    o->spin_us = cli->spin_us;
}

/* -FSIF_ENOENT has two meanings: nobody is at the address, or the export is not there. */
static int address_answers(const struct cli *cli)
{
    struct fsif_client_options o;
    struct fsif_export_info *list;
    int n;

    cli_client_options(cli, &o);
    n = fsif_exports(cli->address, &o, &list);
    free(list);
    return n >= 0;
}

int cli_connect_failed(struct cli *cli, const char *export_name, int err)
{
    char *shown = cli_escaped(cli->address);

    if (err == -FSIF_ENOENT && export_name != NULL && address_answers(cli))
        cli_say(cli, "%s: no export of that name at %s that you may use", export_name, shown);
    else if (err == -FSIF_EOPNOTSUPP && export_name != NULL && address_answers(cli))
        cli_say(cli, "%s: the backend speaks no dialect that was offered", shown);
    else if (err == -FSIF_EOPNOTSUPP)
        cli_say(cli, "%s: cannot be used: %s", shown, fsif_registry_error(cli->registry));
    else if (err == -FSIF_EINVAL)
        cli_say(cli, "%s: not an address: TRANSPORT:PLACE, as shm:/run/fsif.sock", shown);
    else if (err == -FSIF_EAGAIN)
        cli_say(cli, "%s: the backend has as many sessions as it takes", shown);
    else
        cli_say(cli, "%s: cannot connect: %s", shown, fsif_strerror(err));
    free(shown);
    return CLI_CONNECT;
}

static int suits(struct cli *cli, const struct cli_session *s)
{
    if (s->limits.dialect >= cli->dialect)
        return 1;
    cli_say(cli, "%s: '%s' needs dialect %u, and the session speaks dialect %u", s->export_name,
            cli->needs_it, (unsigned int)cli->dialect, (unsigned int)s->limits.dialect);
    return 0;
}

struct cli_session *cli_session(struct cli *cli, const char *export_name)
{
    struct fsif_client_options o;
    struct cli_session *s;
    int err;

    for (s = cli->sessions; s != NULL; s = s->next) {
        if (strcmp(s->export_name, export_name) == 0)
            return suits(cli, s) ? s : NULL;
    }
    s = cli_alloc(sizeof(*s));
    strcpy(s->export_name, export_name);
    cli_client_options(cli, &o);
    err = fsif_connect(cli->address, export_name, &o, &s->client);
    if (err < 0) {
        cli_connect_failed(cli, export_name, err);
        free(s);
        return NULL;
    }
    fsif_get_limits(s->client, &s->limits);
    s->full = s->limits.dialect >= 3;
    s->next = cli->sessions;
    cli->sessions = s;
    return suits(cli, s) ? s : NULL;
}

void cli_need_full(struct cli *cli, const char *what)
{
    cli->dialect = 3;
    cli->needs_it = what;
}

void cli_sessions_close(struct cli *cli)
{
    while (cli->sessions != NULL) {
        struct cli_session *s = cli->sessions;

        cli->sessions = s->next;
        fsif_disconnect(s->client);
        free(s);
    }
}

int cli_each(struct cli *cli, char **operands, int count,
             int (*one)(struct cli *cli, struct cli_session *s, const struct target *t))
{
    struct target *t = cli_alloc((size_t)count * sizeof(*t));
    int status = targets_parse(cli, operands, count, t);
    int i;

    for (i = 0; status == CLI_OK && i < count && !cli_interrupted; i++) {
        struct cli_session *s = cli_session(cli, t[i].export_name);
        int err;

        if (s == NULL) {
            status = CLI_CONNECT;
            break;
        }
        err = one(cli, s, &t[i]);
        if (err < 0)
            cli_error(cli, t[i].export_name, t[i].path, err);
    }
    if (status != CLI_USAGE)
        targets_free(t, count);
    free(t);
    return status;
}

int cli_on_one_export(struct cli *cli, char **operands, int count,
                      int (*all)(struct cli *cli, struct cli_session *s, struct target *t,
                                 int sources))
{
    struct target *t = cli_alloc((size_t)count * sizeof(*t));
    int status = targets_parse_one_export(cli, operands, count, t);
    struct cli_session *s;

    if (status == CLI_OK) {
        s = cli_session(cli, t[0].export_name);
        status = s == NULL ? CLI_CONNECT : all(cli, s, t, count - 1);
        targets_free(t, count);
    }
    free(t);
    return status;
}

int cli_show_each(struct cli *cli, char **operands, int count, int headings,
                  void (*one)(struct cli *cli, struct cli_session *s, const struct target *t,
                              struct json_t *json))
{
    struct target *t = cli_alloc((size_t)count * sizeof(*t));
    struct json_t *json = NULL;
    int status = targets_parse(cli, operands, count, t);
    int i;

    if (status != CLI_OK) {
        free(t);
        return status;
    }
    if (cli->json)
        json = json_list();
    for (i = 0; i < count && !cli_interrupted; i++) {
        struct cli_session *s = cli_session(cli, t[i].export_name);

        if (s == NULL) {
            status = CLI_CONNECT;
            break;
        }
        if (headings && count > 1 && !cli->json) {
            fputs(i > 0 ? "\n" : "", stdout);
            cli_print_name(stdout, operands[i]);
            puts(":");
        }
        one(cli, s, &t[i], json);
    }
    if (cli->json)
        json_print(json);
    targets_free(t, count);
    free(t);
    return status;
}
