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

/* In dialect 3 a file of at most this is one request, if the session lets one be so large. */
#define CLI_SMALL (256u << 10)

/* More names in one directory are refused: a hostile listing may have no end. */
#define CLI_MAX_ENTRIES (1u << 22)

/* Longer names and values of extended attributes are refused, as Linux does. */
#define CLI_XATTR_MAX 65536u

struct cli_session {
    struct cli_session *next;
    char export_name[64];
    struct fsif_client *client;
    struct fsif_limits limits;
    int full; /* dialect 3: attributes, links, compounds and the rest */
};

struct pool;

/* The options of all commands; which of them a command takes stands in its row of the table. */
struct cli {
    const char *address;
    int timeout_ms;
    uint32_t dialects; /* 0: all */
    uint32_t queues;   /* 0: the client's default */
    uint32_t spin_us;
    const char *plugin_dir; /* NULL: the installed one */
    struct fsif_registry *registry;
    struct cli_session *sessions;
    const struct cli_command *command;
    char **argv;
    const char *option[128]; /* by letter: NULL, or its argument, or "" */
    int json;
    int verify;
    int recursive;    /* -r, -R */
    const char *mode; /* mkdir -m; chmod's */
    unsigned int jobs;
    uint32_t dialect;     /* that a session must speak */
    const char *needs_it; /* what for */
    struct pool *pool;    /* of cli_pool() */
    pthread_mutex_t report_lock;
    _Atomic int failed;
};

struct cli_command {
    const char *name;
    uint32_t dialect; /* the lowest that has it; 0: any */
    /* As getopt's, beside the common ones; a '+' first: what follows the first operand is the
     * command's own to read. J is --json, V --verify. */
    const char *options;
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

/* --- main.c, options.c --- */

const struct cli_command *cli_command_find(const char *name);
_Noreturn void cli_help(const struct cli_command *only);
/* Everything up to the operands, whose first is at optind then. Return: a status */
int options_parse(struct cli *cli, int argc, char **argv);

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
/* From now on a session must speak dialect 3: @what needs it. */
void cli_need_full(struct cli *cli, const char *what);
/* Parse all operands, then run @one on each. It returns 0 or a FSIF_E*, which is reported, or a
 * positive number if it has reported. Return: a status */
int cli_each(struct cli *cli, char **operands, int count,
             int (*one)(struct cli *cli, struct cli_session *s, const struct target *t));
/* Parse all operands, then have @one print each, or add it to @json; with @headings several get
 * one. Return: a status */
struct json_t;
int cli_show_each(struct cli *cli, char **operands, int count, int headings,
                  void (*one)(struct cli *cli, struct cli_session *s, const struct target *t,
                              struct json_t *json));
/* Have @all do @operands, all of one export and the last of them the destination. Return: a status
 */
int cli_on_one_export(struct cli *cli, char **operands, int count,
                      int (*all)(struct cli *cli, struct cli_session *s, struct target *t,
                                 int sources));

/* --- pool.c: jobs on several threads, last in first out --- */

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
/* One for what is done over and over, made when it is first asked for; NULL: there are no threads
 */
struct pool *cli_pool(struct cli *cli);

/* --- names.c --- */

struct dir_entry {
    char *name;
    uint32_t type;         /* FSIF_S_IF*; 0: not known */
    int err;               /* of looking at it */
    char *target;          /* of entries_targets() */
    struct fsif_attr attr; /* dialect 3: a link itself; else what it leads to */
};
struct entries {
    struct dir_entry *items;
    size_t count;
    size_t room;
};
enum entries_what { ENTRIES_NAMES, ENTRIES_TYPES, ENTRIES_ATTRS };
/* What is in a directory, sorted by name. Dialects 1 and 2 look at each file unless it is for
 * names. Return: 0, or a FSIF_E* */
int entries_read(struct cli *cli, struct cli_session *s, const char *path, enum entries_what what,
                 struct entries *out);
/* What the links among them say. */
void entries_targets(struct cli *cli, struct cli_session *s, const char *path, struct entries *e);
/* What a link says, to be freed; NULL and @err. */
char *link_target(struct fsif_client *cl, const char *path, int *err);
/* Run @one on each that @pick lets through (NULL: all), several at once if they are many. */
void entries_each(struct cli *cli, struct entries *e, int (*pick)(const struct dir_entry *entry),
                  void (*one)(void *arg, struct dir_entry *entry), void *arg);
void entries_free(struct entries *e);
static inline uint32_t type_of(uint32_t mode)
{
    return mode & FSIF_S_IFMT;
}

/* --- walk.c --- */

struct walk_place {
    const char *path; /* in the export */
    const char *name;
    unsigned int depth; /* 0: the operand itself */
    int err;            /* of looking at it: a FSIF_E*; then attr is zero */
    uint32_t type;      /* FSIF_S_IF* */
    const struct fsif_attr *attr;
};
struct walk {
    struct cli *cli;
    struct cli_session *session;
    unsigned int max_depth;
    int attr;     /* look at everything, not only at what type it is */
    int parallel; /* @before of what is no directory may run in several threads at once */
    void *arg;
    /* Return: 0 to enter a directory, 1 not to */
    int (*before)(void *arg, const struct walk_place *p);
    /* After what lies in a directory; may be NULL. @err: of reading it, reported already, or 0 */
    void (*after)(void *arg, const struct walk_place *p, int err);
};
/* A tree, names sorted by their bytes. In dialect 3 links are never followed, but the operand
 * itself is if @follow. Return: 0, or a FSIF_E* of looking at the operand, and nothing was called
 */
int walk_tree(struct walk *w, const char *path, int follow);

/* --- data.c --- */

/* A checksum of what went by. */
struct checksum;
int checksum_available(void);
struct checksum *checksum_create(void);
void checksum_add(struct checksum *c, const void *bytes, size_t len);
/* Free both. Return: 1 if they are equal */
int checksum_match(struct checksum *a, struct checksum *b);
/* The parts of a file that were copied; what lies between them are holes. */
struct extent {
    uint64_t off;
    uint64_t len;
};
struct extents {
    struct extent *items;
    size_t count;
    size_t room;
};
void extents_add(struct extents *e, uint64_t off, uint64_t len);
void extents_free(struct extents *e);
/* Those parts of a file of the export into @c. @buf: CLI_CHUNK bytes. Return: 0; 1: it is shorter,
 * or not @size bytes long; a FSIF_E* */
int checksum_remote(struct fsif_client *cl, int fh, const struct extents *of, uint64_t size,
                    void *buf, struct checksum *c);
int write_all(int fd, const void *buf, size_t len);
int write_all_at(int fd, const void *buf, size_t len, uint64_t off);
/* All of it or an error. */
int remote_write(struct fsif_client *cl, int fh, const void *buf, size_t len, uint64_t off);

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
    char *remote; /* the directory of the export; get: NULL for the destination itself */
    int contents; /* put: only what lies in it is copied */
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
/* USER, USER:GROUP, USER: or :GROUP; UINT32_MAX: is left as it is. Return: 0; -1 */
int owner_parse(const char *text, uint32_t *uid, uint32_t *gid);
/* Return: 0; -1: no number, or more than @max */
int number_parse(const char *text, unsigned long max, unsigned int *out);
/* "drwxr-xr-x", 11 bytes */
void mode_text(uint32_t mode, char *out);

/* --- change.c --- */

/* A whole tree; what fails in it is reported. Return: 0, a FSIF_E* of @path itself, or 1 */
int remove_all(struct cli *cli, struct cli_session *s, const char *path);
/* --- times.c, touch.c --- */

/* [[CC]YY]MMDDhhmm[.ss]. Return: 0; -1 */
int stamp_parse(const char *text, struct fsif_timespec *out);
/* YYYY-MM-DD[ hh:mm[:ss[.frac]]][ ][Z|+hh[:mm]], @SECONDS[.frac] or now. Return: 0; -1 */
int date_parse(const char *text, struct fsif_timespec *out);
/* The times of EXPORT:/PATH or of a local file. Return: a status, after saying why */
int reference_times(struct cli *cli, const char *text, int follow, struct fsif_timespec out[2]);

/* --- twins.c: files of several names --- */

struct twins;
struct twin;
enum twin_role {
    TWIN_COPY,  /* the caller copies it and calls twins_copied(), whatever happens */
    TWIN_LINK,  /* it lies at twin_place(); the caller makes a link and calls twins_linked() */
    TWIN_WAITS, /* the job was kept, and runs again later */
};
struct twins *twins_create(void);
enum twin_role twins_meet(struct twins *t, uint64_t dev, uint64_t ino, uint64_t nlink,
                          struct job *job, struct twin **out);
/* @dir (or NULL), of which a reference is taken, and @name: where it lies, if @ok */
void twins_copied(struct twins *t, struct twin *f, struct pool *pool, int ok, struct ldir *dir,
                  const char *name);
const char *twin_place(const struct twin *f, struct ldir **dir);
/* Return: a directory whose reference the caller drops, or NULL */
struct ldir *twins_linked(struct twins *t, struct twin *f);
/* When no job is left. Return: 1 and such a directory or NULL: again; 0: it is freed */
int twins_drain(struct twins *t, struct ldir **dir);

/* --- keep.c: what -a keeps --- */

/* Each name, until @one returns something but 0. Return: 0, that, or a FSIF_E* */
int xattr_names(struct fsif_client *cl, const char *path, uint32_t flags,
                int (*one)(void *arg, const char *name), void *arg);
/* @value: CLI_XATTR_MAX bytes. Return: how many there are, or a FSIF_E* */
int64_t xattr_value(struct fsif_client *cl, const char *path, const char *name, uint32_t flags,
                    void *value);

/* Beside errno and FSIF_E*: what was read back is not what was written. */
#define COPY_DIFFERS 5000

struct keep {
    struct cli *cli;
    struct fsif_client *client;
    int archive;
    _Atomic int told;
};
/* Give the local copy @fd of @path what @a says: modes and times, and with -a the rest. Return: 0;
 * an errno or COPY_DIFFERS; a FSIF_E* of the export's side */
int keep_local(struct keep *k, const char *path, int fd, const struct fsif_attr *a);
/* A symbolic link. Return: 0; an errno or COPY_DIFFERS */
int keep_local_link(int at, const char *name, const struct fsif_attr *a, int verify);
/* Give the copy @path on the export what @st and @fd (-1: a link) have. Return: as keep_local() */
int keep_remote(struct keep *k, const char *path, int fd, const struct stat *st);

/* --- json.c --- */

struct json_t;
int json_available(void);
/* @target: of a link, or NULL */
struct json_t *json_attr(const char *name, const struct fsif_attr *attr, const char *target);
struct json_t *json_error(const char *name, int err);
struct json_t *json_export(const struct fsif_export_info *info);
struct json_t *json_space(const char *name, int64_t bytes);
struct json_t *json_total(const char *name, const struct fsif_statvfs *vfs);
struct json_t *json_usage(const char *name, uint64_t bytes);
struct json_t *json_name(const char *name);
struct json_t *json_text(const char *text);
struct json_t *json_figure(const char *name, double value, const char *unit);
/* @key, and @key_hex if it is not UTF-8 */
void json_add_bytes(struct json_t *object, const char *key, const void *bytes, size_t len);
struct json_t *json_list(void);
void json_list_add(struct json_t *list, struct json_t *item);
void json_add_list(struct json_t *object, const char *key, struct json_t *list);
void json_print(struct json_t *root);
/* On one line, for what comes bit by bit. */
void json_print_line(struct json_t *root);

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
int command_ln(struct cli *cli, char **operands, int count);
int command_chown(struct cli *cli, char **operands, int count);
int command_touch(struct cli *cli, char **operands, int count);
int command_xattr(struct cli *cli, char **operands, int count);
int command_find(struct cli *cli, char **operands, int count);
int command_du(struct cli *cli, char **operands, int count);
int command_watch(struct cli *cli, char **operands, int count);
int command_bench(struct cli *cli, char **operands, int count);

#endif
