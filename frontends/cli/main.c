/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <fsif/shm.h>

/* The table of commands, and how the program begins and ends. */

#define DEFAULT_JOBS 8u

_Atomic int cli_interrupted;

static const struct cli_command commands[] = {
    {"exports", 0, "J", 0, 0, "[--json]", "list the exports that you may use", command_exports},
    {"ls", 0, "dl0J", 1, -1, "[-d] [-l] [-0] [--json] EXPORT:/PATH...", "list directories",
     command_ls},
    {"tree", 0, "J", 1, -1, "[--json] EXPORT:/PATH...", "list trees", command_tree},
    {"find", 0, "+J", 1, -1, "[--json] EXPORT:/PATH... [TEST...]", "search trees", command_find},
    {"du", 0, "abhsJ", 1, -1, "[-a | -s] [-b] [-h] [--json] EXPORT:/PATH...",
     "sum up the space that trees take", command_du},
    {"cat", 0, "", 1, -1, "EXPORT:/PATH...", "write files to standard output", command_cat},
    {"get", 0, "aj:V", 2, -1, "[-a] [-j JOBS] [--verify] EXPORT:/PATH... LOCAL",
     "copy files and trees from an export", command_get},
    {"put", 0, "aLj:V", 2, -1, "[-a] [-L] [-j JOBS] [--verify] LOCAL... EXPORT:/PATH",
     "copy files and trees to an export", command_put},
    {"cp", 0, "rRV", 2, -1, "[-r] [--verify] EXPORT:/FROM... EXPORT:/TO", "copy within an export",
     command_cp},
    {"ln", 3, "sfn", 2, -1, "[-s] [-f] [-n] TARGET... EXPORT:/LINK", "make links", command_ln},
    {"rm", 0, "rRf", 1, -1, "[-r] [-f] EXPORT:/PATH...", "remove files and directories",
     command_rm},
    {"mv", 0, "", 2, -1, "EXPORT:/FROM... EXPORT:/TO", "rename within an export", command_mv},
    {"mkdir", 0, "pm:", 1, -1, "[-p] [-m MODE] EXPORT:/PATH...", "make directories", command_mkdir},
    {"stat", 0, "LJ", 1, -1, "[-L] [--json] EXPORT:/PATH...", "show what is known of files",
     command_stat},
    {"touch", 3, "acd:hmr:t:", 1, -1,
     "[-a] [-m] [-c] [-h] [-d DATE | -r FILE | -t STAMP] EXPORT:/PATH...",
     "set times, make empty files", command_touch},
    {"chmod", 0, "R", 2, -1, "[-R] MODE EXPORT:/PATH...", "change permissions", command_chmod},
    {"chown", 3, "Rh", 2, -1, "[-R] [-h] [USER][:GROUP] EXPORT:/PATH...", "change owners",
     command_chown},
    {"xattr", 3, "hJ", 2, -1, "[-h] [--json] get|set|list|rm [NAME [VALUE]] EXPORT:/PATH...",
     "extended attributes", command_xattr},
    {"truncate", 0, "s:", 1, -1, "-s SIZE EXPORT:/PATH...", "set the size of files",
     command_truncate},
    {"df", 0, "hiJ", 0, -1, "[-h] [-i] [--json] [EXPORT:/PATH...]", "show free space", command_df},
    {"sync", 0, "df", 1, -1, "[-d | -f] EXPORT:/PATH...", "write files to stable storage",
     command_sync},
    {"watch", 3, "n:J", 1, 1, "[-n COUNT] [--json] EXPORT:/PATH", "print changes of a directory",
     command_watch},
    {"bench", 0, "J", 1, 1, "[--json] EXPORT:/PATH", "measure the session, in a directory",
     command_bench},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

const struct cli_command *cli_command_find(const char *name)
{
    size_t i;

    for (i = 0; i < COMMANDS; i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return NULL;
}

void cli_help(const struct cli_command *only)
{
    size_t i;

    if (only != NULL) {
        printf("usage: fsif [-c ADDRESS] [-t SECONDS] [--dialects LIST] [--queues N] %s %s\n%s\n",
               only->name, only->synopsis, only->help);
        exit(fflush(stdout) == 0 ? CLI_OK : CLI_FAILED);
    }
    puts("usage: fsif [-c ADDRESS] [-t SECONDS] [--dialects LIST] [--queues N] COMMAND ...\n"
         "\n"
         "Uses the exports of an fsif backend. ADDRESS is TRANSPORT:PLACE, as shm:/run/fsif.sock;\n"
         "without -c it is taken from FSIF_ADDRESS.\n");
    for (i = 0; i < COMMANDS; i++)
        printf("  %-9s %s\n", commands[i].name, commands[i].help);
    puts("\n'fsif COMMAND --help' tells its options.\n"
         "Exit status: 0 done, 1 something failed, 2 wrong usage, 3 no session. See fsif(1).");
    exit(fflush(stdout) == 0 ? CLI_OK : CLI_FAILED);
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
    if (cli->command->dialect == 3)
        cli_need_full(cli, cli->command->name);
    status = cli->command->run(cli, operands, count);
    if (cli->pool != NULL)
        pool_destroy(cli->pool);
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
    struct cli cli = {.timeout_ms = 30000, .jobs = DEFAULT_JOBS, .spin_us = FSIF_SPIN_DEFAULT};
    int status;

    fill_standard_descriptors();
    pthread_mutex_init(&cli.report_lock, NULL);
    status = options_parse(&cli, argc, argv);
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
