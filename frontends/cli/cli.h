/* SPDX-License-Identifier: MIT */
#ifndef FSI_CLI_H
#define FSI_CLI_H

/* What the files of the program fsif share. */

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <fsif/client.h>
#include <fsif/host.h>

enum cli_exit {
    CLI_OK = 0,
    CLI_FAILED = 1,  /* an operation failed, or something was skipped */
    CLI_USAGE = 2,   /* nothing was begun */
    CLI_CONNECT = 3, /* no session */
};

/* Bytes that one read or write of a copy carries; the client cuts them into requests. */
#define CLI_CHUNK (1u << 20)

/* More names in one directory are refused: a hostile listing may have no end. */
#define CLI_MAX_ENTRIES (1u << 22)

struct cli_session {
    struct cli_session *next;
    char export_name[64];
    struct fsif_client *client;
    struct fsif_limits limits;
};

/* The options of all commands; which of them a command takes stands in its row of the table. */
struct cli {
    const char *address;
    int timeout_ms;
    uint32_t dialects;      /* 0: all */
    const char *plugin_dir; /* NULL: the installed one */
    struct fsif_registry *registry;
    struct cli_session *sessions;
    const struct cli_command *command;
    char **argv;
    int json;
    int long_format; /* ls -l */
    int nul;         /* -0 */
    int recursive;   /* -r */
    int force;       /* -f */
    int parents;     /* mkdir -p */
    int follow;      /* put -L */
    int verify;
    int human;        /* -h of df */
    const char *mode; /* mkdir -m */
    const char *size; /* truncate -s */
    unsigned int jobs;
    pthread_mutex_t report_lock;
    _Atomic int failed;
};

struct cli_command {
    const char *name;
    const char
        *options; /* getopt's short options, beside the common ones; 'V' --verify, 'J' --json */
    int min;
    int max; /* operands; -1: any number */
    const char *synopsis;
    const char *help;
    int (*run)(struct cli *cli, char **operands, int count);
};

/* EXPORT:/path taken apart. */
struct target {
    char export_name[64];
    char *path; /* no slash at either end; "" is the root */
    int slash;  /* ended in a slash, or is the root */
};

/* SIGINT or SIGTERM, once it came: stop, clean up what is under way, leave. */
extern _Atomic int cli_interrupted;

/* --- report.c --- */

void cli_say(struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* fsif: EXPORT:/PATH: reason */
void cli_error(struct cli *cli, const char *export_name, const char *path, int err);
/* fsif: PATH: reason; err is a FSIF_E* or, positive, an errno */
void cli_local_error(struct cli *cli, const char *path, int err);
int cli_usage(struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A name on a terminal is escaped, otherwise its bytes are left alone. */
void cli_print_name(FILE *f, const char *name);
/* An escaped copy, to be freed. */
char *cli_escaped(const char *name);
_Noreturn void cli_no_memory(void);
void *cli_alloc(size_t size);
char *cli_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* --- target.c --- */

/* Return: 0, or CLI_USAGE after saying why */
int target_parse(struct cli *cli, const char *text, struct target *out);
int targets_parse(struct cli *cli, char **operands, int count, struct target *out);
/* As targets_parse, and all of one export. */
int targets_parse_one_export(struct cli *cli, char **operands, int count, struct target *out);
void targets_free(struct target *t, int count);
/* "DIR/NAME", to be freed; DIR may be "". */
char *path_join(const char *dir, const char *name);
/* The last component; "" for the root. */
const char *path_base(const char *path);
/* What the client is given: "/" for the root. */
const char *path_wire(const char *path);

/* --- session.c --- */

/* The session of an export, opened when it is first asked for. NULL after saying why. */
struct cli_session *cli_session(struct cli *cli, const char *export_name);
void cli_client_options(const struct cli *cli, struct fsif_client_options *o);
/* Say why there is no session. Return: CLI_CONNECT */
int cli_connect_failed(struct cli *cli, const char *export_name, int err);
void cli_sessions_close(struct cli *cli);
/* Have @all do @operands, all of one export and the last of them the destination. Return: a status
 */
int cli_on_one_export(struct cli *cli, char **operands, int count,
                      int (*all)(struct cli *cli, struct fsif_client *cl, struct target *t,
                                 int sources));

/* --- pool.c: jobs on several threads, last in first out --- */

struct pool;
struct job {
    struct job *next;
    /* @buf: CLI_CHUNK bytes of the thread's own. Frees the job. */
    void (*run)(struct job *job, void *buf);
};
/* Return: NULL after saying why */
struct pool *pool_create(struct cli *cli, unsigned int threads);
void pool_push(struct pool *p, struct job *job);
/* Until every job ran; @tick is called about five times a second. */
void pool_wait(struct pool *p, void (*tick)(void *arg), void *arg);
void pool_destroy(struct pool *p);

/* --- names.c --- */

struct entry {
    char *name;
    int err; /* of looking at it */
    struct fsif_attr attr;
};
struct entries {
    struct entry *items;
    size_t count;
    size_t room;
};
/* The names in a directory, sorted. Return: 0, or a FSIF_E* */
int entries_read(struct fsif_client *cl, const char *path, struct entries *out);
/* Look at each of them, several at once. */
void entries_stat(struct cli *cli, struct fsif_client *cl, const char *path, struct entries *e);
void entries_free(struct entries *e);

/* --- data.c --- */

/* A checksum of what went by. */
struct checksum;
int checksum_available(void);
struct checksum *checksum_create(void);
void checksum_add(struct checksum *c, const void *bytes, size_t len);
/* Free both. Return: 1 if they are equal */
int checksum_match(struct checksum *a, struct checksum *b);
/* All of a file of the export into @c. Return: 0, or a FSIF_E* */
int checksum_remote(struct fsif_client *cl, int fh, void *buf, struct checksum *c);
int write_all(int fd, const void *buf, size_t len);
/* All of it or an error. */
int remote_write(struct fsif_client *cl, int fh, const void *buf, size_t len, uint64_t off);

/* --- remote.c --- */

/* Where a copy is made until it is complete: a name of its own in the directory of @path. */
char *remote_temporary(const char *path);
/* Complete it: rename, or remove it if @err is not 0. Return: 0, or a FSIF_E* */
int remote_finish(struct fsif_client *cl, const char *temporary, const char *path, int err);
/* Return: 1 a directory, 0 something else, or a FSIF_E* */
int remote_is_dir(struct fsif_client *cl, const char *path);
/* Make it unless it is a directory already. Return: 1 made, 0 was there, or a FSIF_E* */
int remote_mkdir(struct fsif_client *cl, const char *path, uint32_t mode);

/* --- progress.c --- */

struct progress {
    _Atomic uint64_t bytes;
    _Atomic uint64_t files;
    uint64_t total; /* bytes; 0: not known */
    uint64_t begun;
    int shown; /* standard error is a terminal */
};
void progress_begin(struct progress *p, uint64_t total);
void progress_draw(void *progress);
void progress_end(struct progress *p);
/* "1.5M": three digits and a binary unit. @out: 16 bytes */
void human_bytes(char *out, uint64_t bytes);

/* --- local.c: directories of this host, as a chain of descriptors --- */

/* A directory under way: open as long as something in it is. */
struct ldir {
    _Atomic unsigned int refs;
    int fd;
    struct ldir *parent;
    char *shown; /* its path, for messages */
    /* What is to be done at the end */
    int made;
    uint32_t mode;
    struct fsif_attr attr;
    char *remote; /* put: the directory made of it */
    dev_t dev;
    ino_t ino;
};
/* Takes @fd over; @parent gets a reference. */
struct ldir *ldir_create(struct ldir *parent, int fd, char *shown);
void ldir_get(struct ldir *d);
/* Return: 1 if that was the last reference: the caller finishes the directory and calls ldir_free,
 * which returns the parent for ldir_put. */
int ldir_put(struct ldir *d);
struct ldir *ldir_free(struct ldir *d);
/* Whether a name that a backend sent is one component. */
int name_is_safe(const char *name);
struct stat;
/* Open a file or directory to read, never waiting for one that takes its place. @out: the
 * descriptor; -1 if it is neither, which is in @st. @follow: links. Return: 0; an errno */
int local_open(int dirfd, const char *name, int follow, struct stat *st, int *out);

/* --- mode.c --- */

/* Octal or symbolic (u+rw,go-w). Return: 0 and @out; -1 */
int mode_parse(const char *text, uint32_t old, int directory, uint32_t *out);
/* Return: 0 and bytes; -1. Suffixes K M G T */
int size_parse(const char *text, uint64_t *out);
/* "drwxr-xr-x", 11 bytes */
void mode_text(uint32_t mode, char *out);

/* --- json.c --- */

struct json_t;
int json_available(void);
struct json_t *json_attr(const char *name, const struct fsif_attr *attr);
struct json_t *json_error(const char *name, int err);
struct json_t *json_export(const struct fsif_export_info *info);
struct json_t *json_space(const char *name, int64_t bytes);
struct json_t *json_name(const char *name);
struct json_t *json_list(void);
void json_list_add(struct json_t *list, struct json_t *item);
void json_add_list(struct json_t *object, const char *key, struct json_t *list);
void json_print(struct json_t *root);

/* --- the commands --- */

int command_exports(struct cli *cli, char **operands, int count);
int command_ls(struct cli *cli, char **operands, int count);
int command_tree(struct cli *cli, char **operands, int count);
int command_cat(struct cli *cli, char **operands, int count);
int command_get(struct cli *cli, char **operands, int count);
int command_put(struct cli *cli, char **operands, int count);
int command_cp(struct cli *cli, char **operands, int count);
int command_rm(struct cli *cli, char **operands, int count);
int command_mv(struct cli *cli, char **operands, int count);
int command_mkdir(struct cli *cli, char **operands, int count);
int command_stat(struct cli *cli, char **operands, int count);
int command_chmod(struct cli *cli, char **operands, int count);
int command_truncate(struct cli *cli, char **operands, int count);
int command_df(struct cli *cli, char **operands, int count);
int command_sync(struct cli *cli, char **operands, int count);

#endif
