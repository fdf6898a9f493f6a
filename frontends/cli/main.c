/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <fsif/negotiate.h>
#include <fsif/shm.h>

/* The table of commands and the options. All usage is checked before anything is begun. */

#define DEFAULT_JOBS 8u
#define MAX_JOBS 32u

_Atomic int cli_interrupted;

/* Options in the table: short letters of getopt, V for --verify and J for --json. */
static const struct cli_command commands[] = {
    {"exports", "J", 0, 0, "[--json]", "list the exports that you may use", command_exports},
    {"ls", "l0J", 1, -1, "[-l] [-0] [--json] EXPORT:/PATH...", "list directories", command_ls},
    {"tree", "J", 1, -1, "[--json] EXPORT:/PATH...", "list trees", command_tree},
    {"cat", "", 1, -1, "EXPORT:/PATH...", "write files to standard output", command_cat},
    {"get", "jV", 2, -1, "[-j JOBS] [--verify] EXPORT:/PATH... LOCAL",
     "copy files and trees from an export", command_get},
    {"put", "LjV", 2, -1, "[-L] [-j JOBS] [--verify] LOCAL... EXPORT:/PATH",
     "copy files and trees to an export", command_put},
    {"cp", "rV", 2, -1, "[-r] [--verify] EXPORT:/FROM... EXPORT:/TO", "copy within an export",
     command_cp},
    {"rm", "rf", 1, -1, "[-r] [-f] EXPORT:/PATH...", "remove files and directories", command_rm},
    {"mv", "", 2, -1, "EXPORT:/FROM... EXPORT:/TO", "rename within an export", command_mv},
    {"mkdir", "pm", 1, -1, "[-p] [-m MODE] EXPORT:/PATH...", "make directories", command_mkdir},
    {"stat", "J", 1, -1, "[--json] EXPORT:/PATH...", "show what is known of files", command_stat},
    {"chmod", "", 2, -1, "MODE EXPORT:/PATH...", "change permissions", command_chmod},
    {"truncate", "s", 1, -1, "-s SIZE EXPORT:/PATH...", "set the size of files", command_truncate},
    {"df", "hJ", 0, -1, "[-h] [--json] [EXPORT:/PATH...]", "show free space", command_df},
    {"sync", "", 1, -1, "EXPORT:/PATH...", "write files to stable storage", command_sync},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

enum {
    OPTION_HELP = 256,
    OPTION_VERSION,
    OPTION_JSON,
    OPTION_VERIFY,
    OPTION_DIALECTS,
    OPTION_PLUGIN_DIR
};

static const struct option long_options[] = {
    {"address", required_argument, NULL, 'c'},
    {"timeout", required_argument, NULL, 't'},
    {"help", no_argument, NULL, OPTION_HELP},
    {"version", no_argument, NULL, OPTION_VERSION},
    {"json", no_argument, NULL, OPTION_JSON},
    {"verify", no_argument, NULL, OPTION_VERIFY},
    {"jobs", required_argument, NULL, 'j'},
    {"recursive", no_argument, NULL, 'r'},
    {"force", no_argument, NULL, 'f'},
    {"parents", no_argument, NULL, 'p'},
    {"mode", required_argument, NULL, 'm'},
    {"size", required_argument, NULL, 's'},
    {"dereference", no_argument, NULL, 'L'},
    {"null", no_argument, NULL, '0'},
    {"human-readable", no_argument, NULL, 'h'},
    {"dialects", required_argument, NULL, OPTION_DIALECTS},
    {"plugin-dir", required_argument, NULL, OPTION_PLUGIN_DIR},
    {NULL, 0, NULL, 0},
};

static void help(const struct cli_command *only)
{
    size_t i;

    if (only != NULL) {
        printf("usage: fsif [-c ADDRESS] [-t SECONDS] [--dialects LIST] %s %s\n%s\n", only->name,
               only->synopsis, only->help);
        return;
    }
    puts("usage: fsif [-c ADDRESS] [-t SECONDS] [--dialects LIST] COMMAND ...\n"
         "\n"
         "Uses the exports of an fsif backend. ADDRESS is TRANSPORT:PLACE, as shm:/run/fsif.sock;\n"
         "without -c it is taken from FSIF_ADDRESS.\n");
    for (i = 0; i < COMMANDS; i++)
        printf("  %-9s %-46s %s\n", commands[i].name, commands[i].synopsis, commands[i].help);
    puts("\nExit status: 0 done, 1 something failed, 2 wrong usage, 3 no session. See fsif(1).");
}

static int number(const char *text, unsigned long max, unsigned int *out)
{
    unsigned long value;
    char *end;

    if (text[0] < '0' || text[0] > '9')
        return -1;
    errno = 0;
    value = strtoul(text, &end, 10);
    if (errno != 0 || *end != '\0' || value > max)
        return -1;
    *out = (unsigned int)value;
    return 0;
}

/* The options that every command takes, before or after its name. */
static int common_option(struct cli *cli, int c)
{
    unsigned int seconds;

    switch (c) {
    case 'c':
        cli->address = optarg;
        return CLI_OK;
    case 't':
        if (number(optarg, INT_MAX / 1000, &seconds) < 0)
            return cli_usage(cli, "'%s' is not a number of seconds", optarg);
        cli->timeout_ms = seconds == 0 ? -1 : (int)seconds * 1000;
        return CLI_OK;
    case OPTION_DIALECTS:
        if (fsif_dialects_parse(optarg, &cli->dialects) < 0)
            return cli_usage(cli, "'%s' is no list of dialects: 1, 2 or 1,2", optarg);
        return CLI_OK;
    case OPTION_PLUGIN_DIR:
        cli->plugin_dir = optarg;
        return CLI_OK;
    case OPTION_HELP:
        help(cli->command);
        exit(fflush(stdout) == 0 ? CLI_OK : CLI_FAILED);
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
    int letter = c == OPTION_JSON ? 'J' : c == OPTION_VERIFY ? 'V' : c;

    return letter < 256 && letter != '?' && strchr(cli->command->options, letter) != NULL;
}

static int command_option(struct cli *cli, int c)
{
    switch (c) {
    case 'l':
        cli->long_format = 1;
        break;
    case '0':
        cli->nul = 1;
        break;
    case 'r':
        cli->recursive = 1;
        break;
    case 'f':
        cli->force = 1;
        break;
    case 'p':
        cli->parents = 1;
        break;
    case 'L':
        cli->follow = 1;
        break;
    case 'h':
        cli->human = 1;
        break;
    case 'm':
        cli->mode = optarg;
        break;
    case 's':
        cli->size = optarg;
        break;
    case 'j':
        if (number(optarg, MAX_JOBS, &cli->jobs) < 0 || cli->jobs == 0)
            return cli_usage(cli, "'%s' is not a number of jobs, 1 to %u", optarg, MAX_JOBS);
        break;
    case OPTION_JSON:
        cli->json = 1;
        if (!json_available())
            return cli_usage(cli, "--json: this fsif was built without jansson");
        break;
    default:
        cli->verify = 1;
        if (!checksum_available())
            return cli_usage(cli, "--verify: this fsif was built without xxHash");
        break;
    }
    return CLI_OK;
}

static const struct cli_command *find(const char *name)
{
    size_t i;

    for (i = 0; i < COMMANDS; i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return NULL;
}

/* Everything up to the operands, whose first is at optind then. */
static int parse(struct cli *cli, int argc, char **argv)
{
    int status = CLI_OK;
    int c;

    opterr = 0;
    cli->argv = argv;
    while (status == CLI_OK && (c = getopt_long(argc, argv, "+c:t:", long_options, NULL)) != -1)
        status = common_option(cli, c);
    if (status != CLI_OK)
        return status;
    if (optind == argc)
        return cli_usage(cli, "no command");
    cli->command = find(argv[optind]);
    if (cli->command == NULL)
        return cli_usage(cli, "'%s' is not a command", argv[optind]);
    optind++;
    while ((c = getopt_long(argc, argv, "c:t:l0rfpLhm:s:j:", long_options, NULL)) != -1) {
        status = takes(cli, c) ? command_option(cli, c) : common_option(cli, c);
        if (status != CLI_OK)
            return status;
    }
    if (argc - optind < cli->command->min)
        return cli_usage(cli, "an operand is missing");
    if (cli->command->max >= 0 && argc - optind > cli->command->max)
        return cli_usage(cli, "too many operands");
    return CLI_OK;
}

static int need_address(struct cli *cli)
{
    char name[32];
    const char *rest;

    if (cli->address == NULL)
        cli->address = getenv("FSIF_ADDRESS");
    if (cli->address == NULL || cli->address[0] == '\0')
        return cli_usage(cli, "no address: give -c ADDRESS or set FSIF_ADDRESS");
    if (fsif_address_split(cli->address, name, &rest) < 0)
        return cli_usage(cli, "'%s' is not an address: TRANSPORT:PLACE, as shm:/run/fsif.sock",
                         cli->address);
    return CLI_OK;
}

static void on_signal(int caught)
{
    cli_interrupted = caught;
}

/* The first signal lets what is under way be cleaned up, a second one ends the program at once. */
static void catch_signals(void)
{
    struct sigaction sa = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};

    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
}

/* Deep trees keep a directory open on each level. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static int run(struct cli *cli, char **operands, int count)
{
    int status;

    if (fsif_registry_create(cli->plugin_dir, &cli->registry) < 0)
        cli_no_memory();
    fsif_registry_add_transport(cli->registry, &fsif_transport_shm);
    raise_descriptor_limit();
    catch_signals();
    status = cli->command->run(cli, operands, count);
    cli_sessions_close(cli);
    fsif_registry_destroy(cli->registry);
    if (fflush(stdout) != 0 || ferror(stdout))
        cli_local_error(cli, "standard output", errno);
    if (status == CLI_OK && cli->failed)
        status = CLI_FAILED;
    return status;
}

/* A descriptor that the caller closed must not become the place of somebody's file. */
static void fill_standard_descriptors(void)
{
    int fd;

    do {
        fd = open("/dev/null", O_RDWR);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    close(fd);
}

int main(int argc, char **argv)
{
    struct cli cli = {.timeout_ms = 30000, .jobs = DEFAULT_JOBS};
    int status;

    fill_standard_descriptors();
    pthread_mutex_init(&cli.report_lock, NULL);
    status = parse(&cli, argc, argv);
    if (status == CLI_OK)
        status = need_address(&cli);
    if (status == CLI_OK)
        status = run(&cli, argv + optind, argc - optind);
    pthread_mutex_destroy(&cli.report_lock);
    /* Its disposition is the default again: the caller sees what ended us. */
    if (cli_interrupted)
        raise(cli_interrupted);
    return status;
}
