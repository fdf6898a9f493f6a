/* SPDX-License-Identifier: MIT */
#include "ctl.h"

#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fsif/fsif.h>

static const struct {
    const char *name;
    const char *synopsis;
    int min; /* operands */
    int max; /* -1: any number */
    int (*run)(struct ctl *ctl, char **operands, int count);
} commands[] = {
    {"list", "list", 0, 0, command_list},
    {"show", "show EXPORT", 1, 1, command_show},
    {"sessions", "sessions [EXPORT]", 0, 1, command_sessions},
    {"end", "end SESSION", 1, 1, command_end},
    {"limits", "limits", 0, 0, command_limits},
    {"export",
     "export add NAME=SOURCE[,KEY[=VALUE]...] | export change NAME KEY[=VALUE]... | export remove "
     "NAME",
     1, -1, command_export},
    {"attach", "attach DOMAIN EXPORT [ro] [LIMIT=VALUE...]", 2, -1, command_attach},
    {"detach", "detach DOMAIN EXPORT", 2, 2, command_detach},
    {"allow", "allow WHO EXPORT [ro] [LIMIT=VALUE...]", 2, -1, command_allow},
    {"deny", "deny WHO EXPORT", 2, 2, command_deny},
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static const char usage[] =
    "usage: fsifctl [OPTION...] COMMAND [OPERAND...]\n"
    "\n"
    "Operate a daemon fsif-backend that runs, and attach its exports to Xen guests.\n"
    "\n"
    "The daemon's half, where it runs:\n"
    "  list                         exports, and what is attached if the toolstack is here\n"
    "  show EXPORT                  one export, who may use it, its sessions\n"
    "  sessions [EXPORT]            sessions that are served\n"
    "  end SESSION                  end one\n"
    "  limits                       what the daemon was told to allow in all\n"
    "  export add NAME=SOURCE[,KEY[=VALUE]...]   as -e of fsif-backend\n"
    "  export change NAME KEY[=VALUE]...         ro, handles ...: for new sessions\n"
    "  export remove NAME                        ends its sessions\n"
    "  allow WHO EXPORT [ro] [LIMIT=VALUE...]    uid:USER, gid:GROUP, a domain\n"
    "  deny WHO EXPORT                           ends sessions that are not allowed any more\n"
    "\n"
    "Both halves, in dom0; with --backend the toolstack's half alone:\n"
    "  attach DOMAIN EXPORT [ro] [LIMIT=VALUE...]  a domain by name, id or UUID\n"
    "  detach DOMAIN EXPORT\n"
    "\n"
    "  -c, --control PATH    control socket of the daemon (/run/fsif/control)\n"
    "  -b, --backend DOMAIN  the daemon runs in this domain (this one)\n"
    "  -j, --json            print JSON\n"
    "      --transport NAME  whose toolstack is meant (xen)\n"
    "      --plugin-dir DIR  where transports are loaded from\n"
    "  -h, --help            print this\n"
    "  -V, --version         print the version\n"
    "\n"
    "LIMIT is handles, size or nodes. Exit codes: 0 done, 1 failed, 2 bad usage.\n";

enum {
    OPT_TRANSPORT = 256,
    OPT_PLUGIN_DIR,
};

static const struct option long_options[] = {
    {"control", required_argument, NULL, 'c'},
    {"backend", required_argument, NULL, 'b'},
    {"json", no_argument, NULL, 'j'},
    {"transport", required_argument, NULL, OPT_TRANSPORT},
    {"plugin-dir", required_argument, NULL, OPT_PLUGIN_DIR},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

static void say(const char *format, va_list ap)
{
    fputs("fsifctl: ", stderr);
    vfprintf(stderr, format, ap);
    fputc('\n', stderr);
}

int ctl_say(const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    say(format, ap);
    va_end(ap);
    return CTL_FAILED;
}

int ctl_usage(const struct ctl *ctl, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    say(format, ap);
    va_end(ap);
    if (ctl->synopsis)
        fprintf(stderr, "usage: fsifctl %s\n", ctl->synopsis);
    else
        fputs("Try 'fsifctl --help'.\n", stderr);
    return CTL_USAGE;
}

void *ctl_alloc(size_t size)
{
    void *p = calloc(1, size);

    if (!p) {
        ctl_say("out of memory");
        exit(CTL_FAILED);
    }
    return p;
}

static int run(struct ctl *ctl, char **operands, int count)
{
    if (!count)
        return ctl_usage(ctl, "a command is missing");
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(commands[i].name, operands[0]) != 0)
            continue;
        ctl->synopsis = commands[i].synopsis;
        if (count - 1 < commands[i].min || (commands[i].max >= 0 && count - 1 > commands[i].max))
            return ctl_usage(ctl, "'%s' has %s operands", operands[0],
                             count - 1 < commands[i].min ? "too few" : "too many");
        return commands[i].run(ctl, operands + 1, count - 1);
    }
    return ctl_usage(ctl, "there is no command '%s'", operands[0]);
}

/* Returns -1 to go on. */
static int take_option(struct ctl *ctl, int c, char **argv)
{
    switch (c) {
    case 'c':
        ctl->control = optarg;
        return -1;
    case 'b':
        ctl->backend = optarg;
        return -1;
    case 'j':
        ctl->json = 1;
        return -1;
    case OPT_TRANSPORT:
        ctl->transport = optarg;
        return -1;
    case OPT_PLUGIN_DIR:
        ctl->plugin_dir = optarg;
        return -1;
    case 'h':
        fputs(usage, stdout);
        return CTL_OK;
    case 'V':
        printf("fsifctl %d.%d.%d\n", FSIF_VERSION_MAJOR, FSIF_VERSION_MINOR, FSIF_VERSION_PATCH);
        return CTL_OK;
    case ':':
        return ctl_usage(ctl, "option '%s' needs a value", argv[optind - 1]);
    default:
        return ctl_usage(ctl, "unknown option '%s'", argv[optind - 1]);
    }
}

int main(int argc, char **argv)
{
    struct ctl ctl = {.control = FSI_ADMIN_PATH, .transport = "xen", .sock = -1};
    int code = -1;
    int c;

    opterr = 0;
    signal(SIGPIPE, SIG_IGN);
    while (code < 0 && (c = getopt_long(argc, argv, ":c:b:jhV", long_options, NULL)) != -1)
        code = take_option(&ctl, c, argv);
    if (code < 0 && ctl.json && !json_available())
        code = ctl_say("this program was built without JSON (jansson)");
    if (code < 0)
        code = run(&ctl, argv + optind, argc - optind);
    ctl_close(&ctl);
    if (ctl.toolstack)
        ctl.xen->toolstack_close(ctl.toolstack);
    fsif_registry_destroy(ctl.registry);
    return code;
}
