/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

const char fsi_usage[] =
    "usage: fsif-backend -l ADDRESS -e NAME=SOURCE[,OPTION...] ...\n"
    "       fsif-backend -c FILE\n"
    "\n"
    "Serve directories and other stores to FSIF frontends.\n"
    "\n"
    "  -l, --listen ADDRESS      listen at TRANSPORT:REST, as shm:/run/fsif.sock; repeatable\n"
    "  -e, --export NAME=SOURCE[,OPTION...]\n"
    "                            offer a directory, or STORE:WORDS as memory:; repeatable.\n"
    "                            A comma in SOURCE is written \\, and a backslash \\\\\n"
    "        ro                  read-only\n"
    "        allow-uid=USER      who may use it, by number or name; repeatable.\n"
    "        allow-gid=GROUP     Without either: the daemon's own user only\n"
    "        allow-domain=DOMAIN which Xen domain may use it, by id or UUID; repeatable.\n"
    "                            Without it: none\n"
    "        map=peer|daemon|UID:GID  whom new files belong to (peer)\n"
    "        setid               keep set-id bits\n"
    "        xdev                cross mount points\n"
    "        special             let devices, FIFOs and sockets be made\n"
    "        exclusive           nobody else changes what is there: no need to look\n"
    "        nolease             take no leases of files that are read, map none\n"
    "        nolock              no locks\n"
    "        noxattr             no extended attributes\n"
    "        strip-prefix=PATH   what guests of dialects 1 and 2 put before their paths\n"
    "        size=BYTES          memory: limit of file data, with K, M, G or T\n"
    "        nodes=N             memory: limit of files and directories\n"
    "        handles=N           open files of a session (1024)\n"
    "  -c, --config FILE         read options and exports from FILE\n"
    "      --dialects LIST       dialects that a session may speak (1,2,3)\n"
    "      --plugin-dir DIR      where transports and stores are loaded from\n"
    "      --log-level LEVEL     error, warning, info or debug (info)\n"
    "      --max-sessions N      sessions at once (256)\n"
    "      --max-sessions-per-peer N  of one user (128)\n"
    "      --max-pages N         pages that a frontend may share (4096)\n"
    "      --threads N           requests of a session executed at once (32)\n"
    "      --slow-threshold MS   how long a request may hold up the next one (2)\n"
    "      --spin US             look out for requests this long before sleeping (100)\n"
    "      --max-queues N        queues of a session (4)\n"
    "      --max-slots N         requests under way in each (1024)\n"
    "      --max-arena-pages N   pages of a session's arena (65536)\n"
    "      --max-io BYTES        data of one request (4194304)\n"
    "      --max-locks N         locks of a session that wait (256)\n"
    "      --max-watches N       directories that a session watches (128)\n"
    "      --handshake-timeout S seconds a peer has to start its session (10)\n"
    "      --stop-timeout S      seconds for requests under way at SIGTERM (10)\n"
    "      --control PATH        control socket for fsifctl (/run/fsif/control), or none\n"
    "  -h, --help                print this\n"
    "  -V, --version             print the version\n"
    "\n"
    "Exit codes: 0 stopped by a signal, 1 failure while running, 2 bad options.\n";

enum {
    OPT_GLOBAL = 256,
};

static const char short_options[] = ":l:e:c:hV";
static const struct option long_options[] = {
    {"listen", required_argument, NULL, 'l'},
    {"export", required_argument, NULL, 'e'},
    {"config", required_argument, NULL, 'c'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {"dialects", required_argument, NULL, OPT_GLOBAL},
    {"plugin-dir", required_argument, NULL, OPT_GLOBAL},
    {"log-level", required_argument, NULL, OPT_GLOBAL},
    {"max-sessions", required_argument, NULL, OPT_GLOBAL},
    {"max-sessions-per-peer", required_argument, NULL, OPT_GLOBAL},
    {"max-pages", required_argument, NULL, OPT_GLOBAL},
    {"threads", required_argument, NULL, OPT_GLOBAL},
    {"slow-threshold", required_argument, NULL, OPT_GLOBAL},
    {"spin", required_argument, NULL, OPT_GLOBAL},
    {"max-queues", required_argument, NULL, OPT_GLOBAL},
    {"max-slots", required_argument, NULL, OPT_GLOBAL},
    {"max-arena-pages", required_argument, NULL, OPT_GLOBAL},
    {"max-io", required_argument, NULL, OPT_GLOBAL},
    {"max-locks", required_argument, NULL, OPT_GLOBAL},
    {"max-watches", required_argument, NULL, OPT_GLOBAL},
    {"handshake-timeout", required_argument, NULL, OPT_GLOBAL},
    {"stop-timeout", required_argument, NULL, OPT_GLOBAL},
    {"control", required_argument, NULL, OPT_GLOBAL},
    {NULL, 0, NULL, 0},
};

static int set_export_key(void *arg, const char *key, const char *value, struct fsi_error *err)
{
    return fsi_export_set(arg, key, value, err);
}

static int add_export(struct fsi_options *o, const char *text, struct fsi_error *err)
{
    char name[FSIF_EXPORT_NAME_MAX + 1];
    const char *rest;
    struct fsi_export *e;
    struct fsi_error why;
    int rc = fsi_export_split(text, name, &rest, err);

    if (!rc)
        rc = fsi_options_export(o, name, &e, err);
    if (rc)
        return rc;
    rc = fsi_export_keys(rest, set_export_key, e, &why);
    if (rc)
        fsi_fail(err, rc, "export '%s': %s", name, why.text);
    return rc;
}

/* One walk over the arguments. @with_config: only find --config, else all the others. */
static int walk(int argc, char **argv, struct fsi_options *o, int with_config,
                enum fsi_command *command, struct fsi_error *err)
{
    const char *config = NULL;
    int c;
    int index;
    int rc = 0;

    optind = 0;
    while (!rc && (c = getopt_long(argc, argv, short_options, long_options, &index)) != -1) {
        if (c == '?' && optopt && optopt < OPT_GLOBAL)
            return fsi_fail(err, -FSIF_EINVAL, "unknown option '-%c'", optopt);
        if (c == '?')
            return fsi_fail(err, -FSIF_EINVAL, "unknown option '%s'", argv[optind - 1]);
        if (c == ':')
            return fsi_fail(err, -FSIF_EINVAL, "option '%s' needs a value", argv[optind - 1]);
        if (c == 'h' || c == 'V') {
            *command = c == 'h' ? FSI_COMMAND_HELP : FSI_COMMAND_VERSION;
            return 0;
        }
        if (c == 'c' && with_config) {
            if (config)
                return fsi_fail(err, -FSIF_EINVAL, "'config' is given twice");
            config = optarg;
        }
        if (with_config)
            continue;
        if (c == 'l')
            rc = fsi_options_listen(o, optarg, err);
        else if (c == 'e')
            rc = add_export(o, optarg, err);
        else if (c == OPT_GLOBAL)
            rc = fsi_options_set(o, long_options[index].name, optarg, err);
    }
    if (!rc && optind < argc)
        return fsi_fail(err, -FSIF_EINVAL, "unexpected argument '%s'", argv[optind]);
    return !rc && config ? fsi_config_load(o, config, err) : rc;
}

int fsi_command_line(int argc, char **argv, struct fsi_options *o, enum fsi_command *command,
                     struct fsi_error *err)
{
    int rc;

    opterr = 0;
    *command = FSI_COMMAND_SERVE;
    rc = walk(argc, argv, o, 1, command, err);
    if (rc || *command != FSI_COMMAND_SERVE)
        return rc;
    fsi_options_next_source(o);
    rc = walk(argc, argv, o, 0, command, err);
    return rc ? rc : fsi_options_finish(o, err);
}
