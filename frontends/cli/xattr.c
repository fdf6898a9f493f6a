/* SPDX-License-Identifier: MIT */
#include "cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* xattr: get, set, list, rm. Values may hold anything; get writes one as it is. */

struct xattr {
    const char *name;
    void *value;
    size_t len;
};

static struct xattr the; /* what the operands say */

static uint32_t flags_of(const struct cli *cli)
{
    return cli->option['h'] ? FSIF_AT_NOFOLLOW : 0;
}

/* --- get ---------------------------------------------------------------------------------- */

static void get_target(struct cli *cli, struct cli_session *s, const struct target *t,
                       struct json_t *json)
{
    char *value = cli_alloc(CLI_XATTR_MAX);
    int64_t n = xattr_value(s->client, t->path, the.name, flags_of(cli), value);
    char *name = cli_format("%s:/%s", t->export_name, t->path);

    if (n < 0) {
        cli_error(cli, t->export_name, t->path, (int)n);
        if (json != NULL)
            json_list_add(json, json_error(name, (int)n));
    } else if (json != NULL) {
        struct json_t *o = json_name(name);

        json_add_bytes(o, "value", value, (size_t)n);
        json_list_add(json, o);
    } else {
        fwrite(value, 1, (size_t)n, stdout);
        if (isatty(STDOUT_FILENO))
            putchar('\n');
    }
    free(name);
    free(value);
}

/* --- list --------------------------------------------------------------------------------- */

static int print_line(void *arg, const char *name)
{
    (void)arg;
    cli_print_name(stdout, name);
    putchar('\n');
    return 0;
}

struct listing {
    struct cli *cli;
    struct cli_session *session;
    const char *path;
    struct json_t *list;
};

static int add_json(void *arg, const char *name)
{
    struct listing *l = arg;
    char *value = cli_alloc(CLI_XATTR_MAX);
    int64_t n = xattr_value(l->session->client, l->path, name, flags_of(l->cli), value);
    struct json_t *o = n < 0 ? json_error(name, (int)n) : json_name(name);

    if (n >= 0)
        json_add_bytes(o, "value", value, (size_t)n);
    json_list_add(l->list, o);
    free(value);
    return 0;
}

static void list_target(struct cli *cli, struct cli_session *s, const struct target *t,
                        struct json_t *json)
{
    struct listing l = {cli, s, t->path, json != NULL ? json_list() : NULL};
    char *name = cli_format("%s:/%s", t->export_name, t->path);
    struct json_t *o = NULL;
    int err =
        xattr_names(s->client, t->path, flags_of(cli), json != NULL ? add_json : print_line, &l);

    if (err < 0)
        cli_error(cli, t->export_name, t->path, err);
    if (json != NULL) {
        o = err < 0 ? json_error(name, err) : json_name(name);
        json_add_list(o, "xattrs", l.list);
        json_list_add(json, o);
    }
    free(name);
}

/* --- set and rm --------------------------------------------------------------------------- */

static int set_one(struct cli *cli, struct cli_session *s, const struct target *t)
{
    return fsif_setxattr(s->client, FSIF_ROOT, path_wire(t->path), the.name, the.value, the.len,
                         flags_of(cli));
}

static int rm_one(struct cli *cli, struct cli_session *s, const struct target *t)
{
    return fsif_removexattr(s->client, FSIF_ROOT, path_wire(t->path), the.name, flags_of(cli));
}

/* The value is an operand, or standard input. Return: a status */
static int read_value(struct cli *cli, const char *text)
{
    ssize_t n = 1;

    the.value = cli_alloc(CLI_XATTR_MAX + 1);
    the.len = strlen(text);
    if (strcmp(text, "-") != 0 && the.len <= CLI_XATTR_MAX)
        memcpy(the.value, text, the.len);
    if (strcmp(text, "-") == 0) {
        for (the.len = 0; n != 0 && the.len <= CLI_XATTR_MAX; the.len += n > 0 ? (size_t)n : 0) {
            n = read(STDIN_FILENO, (char *)the.value + the.len, CLI_XATTR_MAX + 1 - the.len);
            if (n < 0 && errno != EINTR) {
                cli_local_error(cli, "standard input", errno);
                return CLI_FAILED;
            }
        }
    }
    if (the.len > CLI_XATTR_MAX)
        return cli_usage(cli, "a value is at most %u bytes", CLI_XATTR_MAX);
    return CLI_OK;
}

int command_xattr(struct cli *cli, char **operands, int count)
{
    static const char *const verbs[] = {"get", "set", "list", "rm"};
    static const int words[] = {2, 3, 1, 2}; /* before the paths */
    unsigned int verb = 0;
    int status = CLI_OK;

    while (verb < 4 && strcmp(operands[0], verbs[verb]) != 0)
        verb++;
    if (verb == 4)
        return cli_usage(cli, "'%s' is not get, set, list or rm", operands[0]);
    if (count <= words[verb])
        return cli_usage(cli, "an operand is missing");
    if (cli->json && (verb == 1 || verb == 3))
        return cli_usage(cli, "%s prints nothing", verbs[verb]);
    if (verb != 2)
        the.name = operands[1];
    if (verb == 1)
        status = read_value(cli, operands[2]);
    operands += words[verb];
    count -= words[verb];
    if (status == CLI_OK && verb == 0)
        status = cli_show_each(cli, operands, count, 0, get_target);
    else if (status == CLI_OK && verb == 2)
        status = cli_show_each(cli, operands, count, count > 1, list_target);
    else if (status == CLI_OK)
        status = cli_each(cli, operands, count, verb == 1 ? set_one : rm_one);
    free(the.value);
    return status;
}
