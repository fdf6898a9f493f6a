/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "cli.h"

#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <fsif/negotiate.h>

/*
 * Options. Those of a command come first: touch -c and -t are touch's own, and the address stands
 * before the command then. All usage is checked before anything is begun.
 */

#define MAX_JOBS 32u
#define MAX_QUEUES 16u

enum {
    OPTION_HELP = 256,
    OPTION_VERSION,
    OPTION_DIALECTS,
    OPTION_PLUGIN_DIR,
    OPTION_QUEUES,
    OPTION_SPIN
};

/* commands: that take it, each between spaces; NULL: common */
static const struct {
    struct option option;
    const char *commands;
} long_table[] = {
    {{"address", required_argument, NULL, 'c'}, NULL},
    {{"timeout", required_argument, NULL, 't'}, NULL},
    {{"help", no_argument, NULL, OPTION_HELP}, NULL},
    {{"version", no_argument, NULL, OPTION_VERSION}, NULL},
    {{"dialects", required_argument, NULL, OPTION_DIALECTS}, NULL},
    {{"plugin-dir", required_argument, NULL, OPTION_PLUGIN_DIR}, NULL},
    {{"queues", required_argument, NULL, OPTION_QUEUES}, NULL},
    {{"spin", required_argument, NULL, OPTION_SPIN}, NULL},
    {{"json", no_argument, NULL, 'J'}, " exports ls tree find du stat xattr df watch bench "},
    {{"verify", no_argument, NULL, 'V'}, " get put cp "},
    {{"jobs", required_argument, NULL, 'j'}, " get put "},
    {{"archive", no_argument, NULL, 'a'}, " get put "},
    {{"dereference", no_argument, NULL, 'L'}, " put stat "},
    {{"recursive", no_argument, NULL, 'R'}, " cp rm chmod chown "},
    {{"force", no_argument, NULL, 'f'}, " rm ln "},
    {{"symbolic", no_argument, NULL, 's'}, " ln "},
    {{"no-dereference", no_argument, NULL, 'n'}, " ln "},
    {{"no-dereference", no_argument, NULL, 'h'}, " chown touch xattr "},
    {{"parents", no_argument, NULL, 'p'}, " mkdir "},
    {{"mode", required_argument, NULL, 'm'}, " mkdir "},
    {{"size", required_argument, NULL, 's'}, " truncate "},
    {{"null", no_argument, NULL, '0'}, " ls "},
    {{"directory", no_argument, NULL, 'd'}, " ls "},
    {{"human-readable", no_argument, NULL, 'h'}, " df du "},
    {{"inodes", no_argument, NULL, 'i'}, " df "},
    {{"all", no_argument, NULL, 'a'}, " du "},
    {{"summarize", no_argument, NULL, 's'}, " du "},
    {{"bytes", no_argument, NULL, 'b'}, " du "},
    {{"no-create", no_argument, NULL, 'c'}, " touch "},
    {{"date", required_argument, NULL, 'd'}, " touch "},
    {{"reference", required_argument, NULL, 'r'}, " touch "},
    {{"data", no_argument, NULL, 'd'}, " sync "},
    {{"file-system", no_argument, NULL, 'f'}, " sync "},
    {{"count", required_argument, NULL, 'n'}, " watch "},
};

#define LONG_OPTIONS (sizeof(long_table) / sizeof(long_table[0]))

/* Those that every command takes, and those of @command unless it is NULL. */
static void collect(const struct cli_command *command, struct option *out)
{
    char word[32];
    size_t i;

    snprintf(word, sizeof(word), " %s ", command == NULL ? "" : command->name);
    for (i = 0; i < LONG_OPTIONS; i++) {
        if (long_table[i].commands == NULL ||
            (command != NULL && strstr(long_table[i].commands, word) != NULL))
            *out++ = long_table[i].option;
    }
    *out = (struct option){.name = NULL};
}

static int set_timeout(struct cli *cli)
{
    unsigned int seconds;

    if (number_parse(optarg, INT_MAX / 1000, &seconds) < 0)
        return cli_usage(cli, "'%s' is not a number of seconds", optarg);
    cli->timeout_ms = seconds == 0 ? -1 : (int)seconds * 1000;
    return CLI_OK;
}

/* The options that every command takes, before or after its name. */
static int common_option(struct cli *cli, int c)
{
    switch (c) {
    case 'c':
        cli->address = optarg;
        return CLI_OK;
    case 't':
        return set_timeout(cli);
    case OPTION_DIALECTS:
        if (fsif_dialects_parse(optarg, &cli->dialects) < 0)
            return cli_usage(cli, "'%s' is no list of dialects: 1, 2, 3 or several, as 1,3",
                             optarg);
        return CLI_OK;
    case OPTION_QUEUES:
        if (number_parse(optarg, MAX_QUEUES, &cli->queues) < 0 || cli->queues == 0)
            return cli_usage(cli, "'%s' is not a number of queues, 1 to %u", optarg, MAX_QUEUES);
        return CLI_OK;
    case OPTION_SPIN:
        if (number_parse(optarg, 1000000, &cli->spin_us) < 0)
            return cli_usage(cli, "'%s' is not a number of microseconds, 0 to 1000000", optarg);
        return CLI_OK;
    case OPTION_PLUGIN_DIR:
        cli->plugin_dir = optarg;
        return CLI_OK;
    case OPTION_HELP:
        cli_help(cli->command);
    case OPTION_VERSION:
        puts("fsif " FSIF_CLI_VERSION);
        exit(fflush(stdout) == 0 ? CLI_OK : CLI_FAILED);
    default:
        return cli_usage(cli, "unknown option, or its argument is missing: '%s'",
                         optind > 0 ? cli->argv[optind - 1] : "");
    }
}

static int takes(const struct cli *cli, int c)
{
    return c < 128 && c != '?' && strchr(cli->command->options, c) != NULL;
}

static int command_option(struct cli *cli, int c)
{
    cli->option[c] = optarg == NULL ? "" : optarg;
    switch (c) {
    case 'r':
    case 'R':
        cli->recursive = 1;
        break;
    case 'j':
        if (number_parse(optarg, MAX_JOBS, &cli->jobs) < 0 || cli->jobs == 0)
            return cli_usage(cli, "'%s' is not a number of jobs, 1 to %u", optarg, MAX_JOBS);
        break;
    case 'J':
        cli->json = 1;
        if (!json_available())
            return cli_usage(cli, "--json: this fsif was built without jansson");
        break;
    case 'V':
        cli->verify = 1;
        if (!checksum_available())
            return cli_usage(cli, "--verify: this fsif was built without xxHash");
        break;
    default:
        break;
    }
    return CLI_OK;
}

/* What getopt is told: the command's own letters first, for the first of two counts. J and V stand
 * for words and cannot be typed. */
static void letters_of(const struct cli_command *command, char *out)
{
    const char *own;

    for (own = command->options; *own != '\0'; own++) {
        if (*own != 'J' && *own != 'V')
            *out++ = *own;
    }
    strcpy(out, "c:t:");
}

/* @argv: begins with the command's name */
static int parse_after(struct cli *cli, int argc, char **argv, struct option *list)
{
    char letters[64];
    int c;

    letters_of(cli->command, letters);
    collect(cli->command, list);
    cli->argv = argv;
    optind = 0; /* getopt begins anew, and lets options follow operands */
    while ((c = getopt_long(argc, argv, letters, list, NULL)) != -1) {
        int status = takes(cli, c) ? command_option(cli, c) : common_option(cli, c);

        if (status != CLI_OK)
            return status;
    }
    return CLI_OK;
}

int options_parse(struct cli *cli, int argc, char **argv)
{
    struct option list[LONG_OPTIONS + 1];
    int status = CLI_OK;
    int at;
    int c;

    opterr = 0;
    cli->argv = argv;
    collect(NULL, list);
    while (status == CLI_OK && (c = getopt_long(argc, argv, "+c:t:", list, NULL)) != -1)
        status = common_option(cli, c);
    if (status != CLI_OK)
        return status;
    at = optind;
    if (at == argc)
        return cli_usage(cli, "no command");
    cli->command = cli_command_find(argv[at]);
    if (cli->command == NULL)
        return cli_usage(cli, "'%s' is not a command", argv[at]);
    status = parse_after(cli, argc - at, argv + at, list);
    optind += at;
    if (status != CLI_OK)
        return status;
    if (argc - optind < cli->command->min)
        return cli_usage(cli, "an operand is missing");
    if (cli->command->max >= 0 && argc - optind > cli->command->max)
        return cli_usage(cli, "too many operands");
    return CLI_OK;
}
