/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "victim.h"

#include <fsif/host.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ARGS 4

int victim_connect(struct victim *v)
{
    struct fsif_client_options o;

    fsif_client_options_init(&o);
    o.timeout_ms = v->timeout_ms;
    o.registry = v->registry;
    o.hooks = v->hooks;
    o.dialects = v->dialects; /* what the row's backend speaks */
    o.queues = v->queues;
    return fsif_connect(v->address, v->export_name, &o, &v->cl);
}

static uint64_t number(const char *arg)
{
    return arg ? strtoull(arg, NULL, 0) : 0;
}

/* --- steps: each returns what it prints ------------------------------------------------------- */

static int64_t step_connect(struct victim *v, char **a)
{
    (void)a;
    return victim_connect(v);
}

static int64_t step_disconnect(struct victim *v, char **a)
{
    (void)a;
    fsif_disconnect(v->cl);
    v->cl = NULL;
    return 0;
}

static int64_t step_shutdown(struct victim *v, char **a)
{
    (void)a;
    fsif_shutdown(v->cl);
    return 0;
}

static int64_t step_open(struct victim *v, char **a)
{
    return v->fh = fsif_open(v->cl, a[0], a[1] ? FSIF_O_RDWR : FSIF_O_RDONLY, 0);
}

static int64_t step_create(struct victim *v, char **a)
{
    return v->fh = fsif_open(v->cl, a[0], FSIF_O_RDWR | FSIF_O_CREAT | FSIF_O_TRUNC, 0644);
}

/* The buffer is as long as what is asked for, so that a sanitizer sees one byte more. */
static int64_t step_read(struct victim *v, char **a)
{
    size_t len = (size_t)number(a[0]);
    char *buf = victim_malloc(len);
    int64_t n = fsif_pread(v->cl, v->fh, buf, len, number(a[1]));

    free(buf);
    return n;
}

static int64_t step_write(struct victim *v, char **a)
{
    size_t len = (size_t)number(a[0]);
    char *buf = victim_malloc(len);
    int64_t n;

    memset(buf, a[1] ? a[1][0] : 'w', len);
    n = fsif_pwrite(v->cl, v->fh, buf, len, 0);
    free(buf);
    return n;
}

static int64_t step_stat(struct victim *v, char **a)
{
    struct fsif_attr attr = {0};
    int err = fsif_fstat(v->cl, v->fh, &attr);

    (void)a;
    if (err == 0)
        printf("attr = mode %o size %" PRIu64 " mtime %" PRId64 "\n", attr.mode, attr.size,
               attr.mtime);
    return err;
}

static int64_t step_truncate(struct victim *v, char **a)
{
    return fsif_ftruncate(v->cl, v->fh, number(a[0]));
}

static int64_t step_chmod(struct victim *v, char **a)
{
    return fsif_fchmod(v->cl, v->fh, (uint32_t)number(a[0]));
}

static int64_t step_sync(struct victim *v, char **a)
{
    (void)a;
    return fsif_fsync(v->cl, v->fh);
}

static int64_t step_close(struct victim *v, char **a)
{
    (void)a;
    return fsif_close(v->cl, v->fh);
}

static int64_t step_remove(struct victim *v, char **a)
{
    return fsif_remove(v->cl, a[0]);
}

static int64_t step_rename(struct victim *v, char **a)
{
    return fsif_rename(v->cl, a[0], a[1]);
}

static int64_t step_mkdir(struct victim *v, char **a)
{
    return fsif_mkdir(v->cl, a[0], 0755);
}

static int64_t step_space(struct victim *v, char **a)
{
    return fsif_space(v->cl, a[0]);
}

/* Names of a directory; at most @a[1] of them, if given. */
static int64_t step_list(struct victim *v, char **a)
{
    uint64_t most = a[1] ? number(a[1]) : UINT64_MAX;
    struct fsif_dir *dir;
    const char *name;
    int64_t n = 0;
    int err = fsif_opendir(v->cl, a[0], &dir);

    if (err < 0)
        return err;
    while ((uint64_t)n < most && (err = fsif_readdir(dir, &name)) > 0) {
        if (strlen(name) > FSIF_NAME_MAX || strchr(name, '/') || !strcmp(name, ".."))
            printf("ILLEGAL NAME = %s\n", name);
        n++;
    }
    fsif_closedir(dir);
    return err < 0 ? err : n;
}

static void raw_done(struct fsif_call *call)
{
    *(int *)call->arg = 1;
}

/* One page of a listing into a buffer of exactly one page. */
static int64_t step_rawlist(struct victim *v, char **a)
{
    int done = 0;
    struct fsif_call call = {.op = {.type = FSIF_OP_LIST, .path = a[0], .length = FSIF_PAGE_SIZE},
                             .deadline = FSIF_NEVER,
                             .done = raw_done,
                             .arg = &done};
    int64_t n;

    call.op.buffer = victim_malloc(FSIF_PAGE_SIZE);
    n = fsif_submit(v->cl, &call);
    while (n == 0 && !done)
        (void)fsif_poll(v->cl, 100);
    if (n == 0)
        n = call.result.value;
    if (n >= 0)
        printf("used = %u more %u\n", call.result.used, call.result.more);
    free(call.op.buffer);
    return n;
}

static int64_t step_exports(struct victim *v, char **a)
{
    struct fsif_client_options o;
    struct fsif_export_info *list;
    int64_t n;

    (void)a;
    fsif_client_options_init(&o);
    o.timeout_ms = v->timeout_ms;
    o.registry = v->registry;
    n = fsif_exports(v->address, &o, &list);
    free(list);
    return n;
}

static int64_t step_limits(struct victim *v, char **a)
{
    struct fsif_limits l;

    (void)a;
    fsif_get_limits(v->cl, &l);
    printf("chosen = dialect %u max_io %u max_calls %u read_only %u features %u\n", l.dialect,
           l.max_io, l.max_calls, l.read_only, l.features);
    return 0;
}

/* Until the script says a word. */
static int64_t step_pause(struct victim *v, char **a)
{
    char line[16];

    (void)v;
    (void)a;
    printf("paused = 0\n");
    return fgets(line, sizeof(line), stdin) ? 0 : -1;
}

static int64_t step_race(struct victim *v, char **a)
{
    return victim_race(v, atof(a[0]));
}

static int64_t step_hammer(struct victim *v, char **a)
{
    return victim_hammer(v, atof(a[0]));
}

/* --- steps that only dialect 3 has ------------------------------------------------------------ */

static void print_attr(const struct fsif_attr *attr)
{
    printf("attr = mode %o size %" PRIu64 " mtime %" PRId64 ".%u\n", attr->mode, attr->size,
           attr->mtime, attr->mtime_nsec);
}

static int64_t step_statx(struct victim *v, char **a)
{
    struct fsif_attr attr = {0};
    int err = fsif_statx(v->cl, FSIF_ROOT, a[0], FSIF_AT_NOFOLLOW, &attr);

    if (err == 0)
        print_attr(&attr);
    return err;
}

static int64_t step_statvfs(struct victim *v, char **a)
{
    struct fsif_statvfs s = {0};
    int err = fsif_statvfs(v->cl, a[0], &s);

    if (err == 0)
        printf("vfs = %" PRIu64 " %" PRIu64 " %" PRIu64 " of %u\n", s.blocks, s.bfree, s.bavail,
               s.bsize);
    return err;
}

static int64_t step_getxattr(struct victim *v, char **a)
{
    size_t len = (size_t)number(a[1]);
    char *buf = victim_malloc(len);
    int64_t n = fsif_getxattr(v->cl, FSIF_ROOT, a[0], "user.x", buf, len, 0);

    free(buf);
    return n;
}

static int64_t step_listxattr(struct victim *v, char **a)
{
    size_t len = (size_t)number(a[1]);
    char *buf = victim_malloc(len);
    int64_t n = fsif_listxattr(v->cl, FSIF_ROOT, a[0], buf, len, 0);

    free(buf);
    return n;
}

static int64_t step_readlink(struct victim *v, char **a)
{
    size_t len = (size_t)number(a[1]);
    char *buf = victim_malloc(len);
    int64_t n = fsif_readlinkat(v->cl, FSIF_ROOT, a[0], buf, len);

    free(buf);
    return n;
}

static int64_t step_readfile(struct victim *v, char **a)
{
    size_t len = (size_t)number(a[1]);
    char *buf = victim_malloc(len);
    struct fsif_attr attr = {0};
    int64_t n = fsif_readfile(v->cl, FSIF_ROOT, a[0], 0, buf, len, &attr);

    if (n >= 0)
        print_attr(&attr);
    free(buf);
    return n;
}

static int64_t step_writefile(struct victim *v, char **a)
{
    size_t len = (size_t)number(a[1]);
    char *buf = victim_malloc(len);
    int64_t n;

    memset(buf, 'W', len);
    n = fsif_writefile(v->cl, FSIF_ROOT, a[0], FSIF_O_CREAT, 0644, buf, len, NULL);
    free(buf);
    return n;
}

/* So many names at once. */
static int64_t step_statmany(struct victim *v, char **a)
{
    uint32_t n = (uint32_t)number(a[0]);
    const char **names = victim_malloc(n * sizeof(*names));
    struct fsif_attr *attrs = victim_malloc(n * sizeof(*attrs));
    int32_t *status = victim_malloc(n * sizeof(*status));
    int64_t err;

    for (uint32_t i = 0; i < n; i++)
        names[i] = "n";
    err = fsif_statmany(v->cl, FSIF_ROOT, names, n, 0, attrs, status);
    for (uint32_t i = 0; i < n && err == 0; i++) {
        if (status[i] > 0 || status[i] < -FSIF_MAX_ERRNO)
            printf("ILLEGAL STATUS = %d\n", status[i]);
    }
    free(names);
    free(attrs);
    free(status);
    return err;
}

struct shown {
    int64_t n;
    int64_t most;
};

static int show(void *arg, const struct fsif_dirent *e)
{
    struct shown *s = arg;

    if (strlen(e->name) > FSIF_NAME_MAX || strchr(e->name, '/') || !strcmp(e->name, "..") ||
        e->status > 0 || e->attr.mtime_nsec > 999999999)
        printf("ILLEGAL ENTRY = %s\n", e->name);
    return ++s->n == s->most;
}

/* Entries of a directory with their attributes; at most @a[1] of them, if given. */
static int64_t step_scan(struct victim *v, char **a)
{
    struct shown s = {.most = a[1] ? (int64_t)number(a[1]) : INT64_MAX};
    int err = fsif_scandir(v->cl, FSIF_ROOT, a[0], FSIF_READDIR_ATTR, show, &s);

    return err < 0 ? err : s.n;
}

static int64_t step_seek(struct victim *v, char **a)
{
    return fsif_seek(v->cl, v->fh, number(a[0]), FSIF_SEEK_DATA);
}

static int64_t step_flock(struct victim *v, char **a)
{
    (void)a;
    return fsif_flock(v->cl, v->fh, FSIF_LOCK_EXCLUSIVE, FSIF_LOCK_WAIT);
}

static int64_t step_locktest(struct victim *v, char **a)
{
    struct fsif_lock lock = {.mode = FSIF_LOCK_SHARED, .length = 1};

    (void)a;
    return fsif_lock_test(v->cl, v->fh, &lock);
}

static int64_t step_nop(struct victim *v, char **a)
{
    (void)a;
    return fsif_nop(v->cl);
}

struct many {
    struct victim *v;
    const char *step;
    pthread_t thread;
};

static void *many_main(void *arg)
{
    struct many *m = arg;

    victim_step(m->v, m->step);
    return NULL;
}

/* many/N/STEP: N threads do the step at once. */
static void many(struct victim *v, const char *text)
{
    unsigned n = (unsigned)strtoul(text, NULL, 10);
    const char *step = strchr(text, '/');
    struct many *all = step ? calloc(n, sizeof(*all)) : NULL;

    if (!all)
        exit(2);
    for (unsigned i = 0; i < n; i++) {
        all[i] = (struct many){.v = v, .step = step + 1};
        if (pthread_create(&all[i].thread, NULL, many_main, &all[i]) != 0)
            exit(3);
    }
    for (unsigned i = 0; i < n; i++)
        pthread_join(all[i].thread, NULL);
    free(all);
}

typedef int64_t step_fn(struct victim *v, char **a);

static const struct {
    const char *name;
    step_fn *run;
} steps[] = {
    {"connect", step_connect},     {"disconnect", step_disconnect},
    {"shutdown", step_shutdown},   {"open", step_open},
    {"create", step_create},       {"read", step_read},
    {"write", step_write},         {"stat", step_stat},
    {"truncate", step_truncate},   {"chmod", step_chmod},
    {"sync", step_sync},           {"close", step_close},
    {"remove", step_remove},       {"rename", step_rename},
    {"mkdir", step_mkdir},         {"space", step_space},
    {"list", step_list},           {"exports", step_exports},
    {"limits", step_limits},       {"pause", step_pause},
    {"race", step_race},           {"hammer", step_hammer},
    {"rawlist", step_rawlist},     {"statx", step_statx},
    {"statvfs", step_statvfs},     {"getxattr", step_getxattr},
    {"listxattr", step_listxattr}, {"readlink", step_readlink},
    {"readfile", step_readfile},   {"writefile", step_writefile},
    {"statmany", step_statmany},   {"scan", step_scan},
    {"seek", step_seek},           {"flock", step_flock},
    {"locktest", step_locktest},   {"nop", step_nop},
};

void victim_step(struct victim *v, const char *text)
{
    char *args[MAX_ARGS + 1] = {NULL};
    char *copy, *save = NULL;
    const char *name;

    if (!strncmp(text, "many/", 5)) {
        many(v, text + 5);
        return;
    }
    copy = strdup(text);
    name = copy ? strtok_r(copy, ":", &save) : NULL;
    for (int i = 0; name && i < MAX_ARGS; i++)
        args[i] = strtok_r(NULL, ":", &save);
    for (size_t i = 0; name && i < sizeof(steps) / sizeof(steps[0]); i++) {
        if (strcmp(steps[i].name, name) != 0)
            continue;
        printf("%s = %" PRId64 "\n", text, steps[i].run(v, args));
        free(copy);
        return;
    }
    fprintf(stderr, "victim: there is no step '%s'\n", text);
    exit(2);
}
