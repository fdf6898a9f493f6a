/* SPDX-License-Identifier: MIT */
#ifndef FSI_SERVER_OPTIONS_H
#define FSI_SERVER_OPTIONS_H

/*
 * What the daemon was told to do, by its command line and its configuration file. Both speak of the
 * same keys, which are defined once, in options.c (global keys) and exports.c (keys of an export).
 */

#include <stddef.h>
#include <stdint.h>
#include <fsif/negotiate.h>
#include "common.h"
#include "exports.h"
#include "text.h"

/* Exit codes of the daemon */
enum fsi_exit {
    FSI_EXIT_OK = 0,
    FSI_EXIT_RUNTIME = 1, /* memory, descriptors, an address in use ... */
    FSI_EXIT_USAGE = 2,   /* what was asked for makes no sense or is not there */
};

struct fsi_options {
    char **listen; /* addresses */
    size_t nlisten;
    struct fsi_export *exports; /* sorted by name once fsi_options_finish() ran */
    size_t nexports;
    char *plugin_dir; /* absolute; NULL: the installed one; "": none */
    char *control;    /* path of the control socket; NULL: the usual one, if it can be; "none" */
    uint32_t log_level;
    uint32_t dialects; /* set of bits that sessions may speak */
    uint32_t max_sessions;
    uint32_t max_sessions_per_peer;
    uint32_t max_pages;
    uint32_t stop_timeout;      /* seconds */
    uint32_t handshake_timeout; /* seconds */
    uint32_t threads;           /* of a session */
    uint32_t slow_threshold;    /* milliseconds */
    uint32_t spin;              /* microseconds */
    uint32_t max_queues;        /* of a session, these six; dialect 3 */
    uint32_t max_slots;         /* of a queue */
    uint32_t max_arena_pages;
    uint32_t max_io; /* bytes of one request */
    uint32_t max_locks;
    uint32_t max_watches;
    uint32_t seen_; /* a bit for each global key that was given in this source */
};

void fsi_options_init(struct fsi_options *o);
void fsi_options_fini(struct fsi_options *o);

/**
 * fsi_options_set - set a global key
 *
 * Return: 0; -FSIF_ENOENT no such key; -FSIF_EINVAL bad value or given twice; -FSIF_ENOMEM. @err
 *         says why.
 */
int fsi_options_set(struct fsi_options *o, const char *key, const char *value,
                    struct fsi_error *err);

/** fsi_options_number - the name and the value of the @i-th global key that is a number. Return:
 * NULL there are no more */
const char *fsi_options_number(const struct fsi_options *o, size_t i, uint32_t *value);

/** fsi_options_next_source - another source may set the global keys again, and wins */
void fsi_options_next_source(struct fsi_options *o);

/** fsi_options_listen - one more address. Return: 0; -FSIF_EINVAL; -FSIF_ENOMEM */
int fsi_options_listen(struct fsi_options *o, const char *address, struct fsi_error *err);

/**
 * fsi_options_export - one more export, with defaults; @out is valid until the next one
 *
 * Return: 0; -FSIF_EINVAL bad name, or there is one of this name; -FSIF_ENOMEM
 */
int fsi_options_export(struct fsi_options *o, const char *name, struct fsi_export **out,
                       struct fsi_error *err);

/**
 * fsi_options_insert - one more export while the daemon runs, in its place; owned from now on
 *
 * Return: 0; -FSIF_EEXIST; -FSIF_EINVAL bad name, too many; -FSIF_ENOMEM
 */
int fsi_options_insert(struct fsi_options *o, const struct fsi_export *e, struct fsi_error *err);

/** fsi_options_remove - take one of the exports out and free it */
void fsi_options_remove(struct fsi_options *o, struct fsi_export *e);

/** fsi_options_finish - checks that need the whole: something to serve, somewhere to listen */
int fsi_options_finish(struct fsi_options *o, struct fsi_error *err);

enum fsi_command {
    FSI_COMMAND_SERVE,
    FSI_COMMAND_HELP,
    FSI_COMMAND_VERSION,
};

/**
 * fsi_command_line - read the command line and the configuration file that it names
 *
 * Return: 0 and @command; else a negative FSIF_E* and @err
 */
int fsi_command_line(int argc, char **argv, struct fsi_options *o, enum fsi_command *command,
                     struct fsi_error *err);

/** fsi_usage - the text of --help */
extern const char fsi_usage[];

/**
 * fsi_config_parse - read a configuration from memory
 *
 * @name: the file's name, for messages: NAME:LINE: ...
 *
 * Return: 0; -FSIF_EINVAL, -FSIF_ENOMEM or -FSIF_EOPNOTSUPP (built without the parser) and @err
 */
int fsi_config_parse(struct fsi_options *o, const char *name, const char *text, size_t len,
                     struct fsi_error *err);

/** fsi_config_load - the same, from a file of at most 1 MiB */
int fsi_config_load(struct fsi_options *o, const char *path, struct fsi_error *err);

#endif
