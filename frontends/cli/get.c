/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "get.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * get: files and trees out of an export. Every entry is a job; what it is the listing says in
 * dialect 3, before that it is opened to see. The backend is not trusted: names are checked, local
 * files and links are made beside their place, never through a link, and put there by rename; every
 * name is one component, relative to a descriptor; set-id bits are dropped. A link that is kept
 * (-a) says what the backend says, and nothing here ever goes through it.
 */

void get_remote_failed(struct get *g, const char *path, int err)
{
    if (!cli_interrupted)
        cli_error(g->cli, g->export_name, path, err);
}

void get_local_failed(struct get *g, const struct ldir *dir, const char *name, int err)
{
    char *path = path_join(dir->shown, name);

    cli_local_error(g->cli, path, err);
    free(path);
}

void get_differs(struct get *g, const struct ldir *dir, const char *name)
{
    char *path = path_join(dir->shown, name);
    char *shown = cli_escaped(path);

    g->cli->failed = 1;
    cli_say(g->cli, "%s: the copy differs", shown);
    free(shown);
    free(path);
}

static void skipped(const struct get_job *j, const char *why)
{
    char *shown = cli_escaped(j->path);

    j->get->cli->failed = 1;
    cli_say(j->get->cli, "%s:/%s: skipped: %s", j->get->export_name, shown, why);
    free(shown);
}

/* A directory that is complete gets its mode and times; with -a one that was there does too. */
static void finish_dir(struct get *g, struct ldir *d)
{
    int err;

    if (!d->made && !(g->keep.archive && d->remote != NULL))
        return;
    err = keep_local(&g->keep, d->remote, d->fd, &d->attr);
    if (err < 0)
        get_remote_failed(g, d->remote, err);
    else if (err == COPY_DIFFERS)
        get_differs(g, d, "");
    else if (err > 0)
        get_local_failed(g, d, "", err);
}

static void leave_dir(struct get *g, struct ldir *d)
{
    while (d != NULL && ldir_put(d)) {
        finish_dir(g, d);
        d = ldir_free(d);
    }
}

static void get_run(struct job *job, void *buf);

/* @attr: NULL if it is not known */
static void push(struct get *g, struct ldir *dir, char *path, const char *name,
                 const struct fsif_attr *attr)
{
    struct get_job *j = cli_alloc(sizeof(*j));

    j->job.run = get_run;
    j->get = g;
    j->dir = dir;
    j->path = path;
    j->name = cli_format("%s", name);
    j->fh = -1;
    if (attr != NULL) {
        j->known = 1;
        j->attr = *attr;
    }
    ldir_get(dir);
    pool_push(g->pool, &j->job);
}

/* --- one directory ------------------------------------------------------------------------- */

struct level {
    struct get *get;
    struct ldir *dir;
    const char *path;
    uint32_t count;
};

/* Return: 0, or a FSIF_E* that ends the listing */
static int push_entry(struct level *l, const char *name, const struct fsif_attr *attr)
{
    if (cli_interrupted)
        return -FSIF_EINTR;
    if (l->count++ == CLI_MAX_ENTRIES)
        return -FSIF_EOVERFLOW;
    if (name_is_safe(name))
        push(l->get, l->dir, path_join(l->path, name), name, attr);
    else
        get_remote_failed(l->get, l->path, -FSIF_EPROTO);
    return 0;
}

static int push_scanned(void *arg, const struct fsif_dirent *e)
{
    return push_entry(arg, e->name, e->status == 0 ? &e->attr : NULL);
}

static void push_entries(struct get *g, struct ldir *dir, const char *path)
{
    struct level l = {g, dir, path, 0};
    struct fsif_dir *list;
    const char *name;
    int err;

    if (g->session->full) {
        err = fsif_scandir(g->client, FSIF_ROOT, path_wire(path), FSIF_READDIR_ATTR, push_scanned,
                           &l);
    } else {
        err = fsif_opendir(g->client, path_wire(path), &list);
        if (err == 0) {
            while ((err = fsif_readdir(list, &name)) > 0 &&
                   (err = push_entry(&l, name, NULL)) == 0) {
            }
            fsif_closedir(list);
        }
    }
    if (err < 0)
        get_remote_failed(g, path, err);
}

/* Whether it is one of the directories that this one lies in: a link led back. */
static int leads_back(const struct ldir *d, const struct fsif_attr *a)
{
    for (; d != NULL; d = d->parent) {
        if (d->remote != NULL && a->ino != 0 && d->attr.ino == a->ino && d->attr.dev == a->dev)
            return 1;
    }
    return 0;
}

/* With -a one that was there may not let us in, as it will not in the end. */
static int open_local_dir(struct get_job *j, int made)
{
    int fd = openat(j->dir->fd, j->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;

    if (fd >= 0 && !made && j->get->keep.archive && fstat(fd, &st) == 0 && st.st_uid == geteuid() &&
        (st.st_mode & 0700) != 0700 && fchmod(fd, (st.st_mode & 0777) | 0700) != 0) {
        int err = errno;

        close(fd);
        errno = err;
        return -1;
    }
    return fd;
}

static void get_dir(struct get_job *j)
{
    int made;
    struct ldir *d;
    int fd = -1;

    if (j->known && j->follow && leads_back(j->dir, &j->attr)) {
        skipped(j, "a link leads back to a directory that it lies in");
        return;
    }
    made = mkdirat(j->dir->fd, j->name, 0700) == 0;
    if (made || errno == EEXIST)
        fd = open_local_dir(j, made);
    if (fd < 0) {
        get_local_failed(j->get, j->dir, j->name, errno);
        return;
    }
    d = ldir_create(j->dir, fd, path_join(j->dir->shown, j->name));
    d->made = made;
    d->attr = j->attr;
    d->remote = cli_format("%s", j->path);
    push_entries(j->get, d, j->path);
    leave_dir(j->get, d);
}

/* --- links --------------------------------------------------------------------------------- */

/* Put what was made under a temporary name in its place. Return: 0 or an errno */
static int place(struct get_job *j, const char *temporary, int err)
{
    if (err == 0 && renameat(j->dir->fd, temporary, j->dir->fd, j->name) != 0)
        err = errno;
    /* Of two names of one file rename() leaves both. */
    unlinkat(j->dir->fd, temporary, 0);
    return err;
}

static void get_link(struct get_job *j)
{
    struct get *g = j->get;
    char temporary[64];
    int remote;
    char *target = link_target(g->client, j->path, &remote);
    int err;

    if (target == NULL) {
        get_remote_failed(g, j->path, remote);
        return;
    }
    get_temporary(temporary);
    err = symlinkat(target, j->dir->fd, temporary) != 0 ? errno : 0;
    if (err == 0)
        err = place(j, temporary, keep_local_link(j->dir->fd, temporary, &j->attr, g->cli->verify));
    if (err == COPY_DIFFERS)
        get_differs(g, j->dir, j->name);
    else if (err != 0)
        get_local_failed(g, j->dir, j->name, err);
    else
        g->progress.files++;
    free(target);
}

/* Another name of a file that was copied already. Return: 0 or an errno */
static int link_twin(struct get_job *j, const struct twin *f)
{
    struct ldir *dir;
    const char *name = twin_place(f, &dir);
    char temporary[64];

    get_temporary(temporary);
    if (linkat(dir->fd, name, j->dir->fd, temporary, 0) != 0)
        return errno;
    return place(j, temporary, 0);
}

/* Return: 1 if the job was kept for later */
static int get_regular(struct get_job *j, void *buf)
{
    struct get *g = j->get;
    struct twin *f;
    int err;

    if (g->twins == NULL || j->attr.nlink < 2) {
        get_file(j, buf);
        return 0;
    }
    switch (twins_meet(g->twins, j->attr.dev, j->attr.ino, j->attr.nlink, &j->job, &f)) {
    case TWIN_WAITS:
        return 1;
    case TWIN_COPY:
        twins_copied(g->twins, f, g->pool, get_file(j, buf), j->dir, j->name);
        break;
    default:
        err = link_twin(j, f);
        leave_dir(g, twins_linked(g->twins, f));
        if (err == 0)
            g->progress.files++;
        else
            get_file(j, buf); /* then as a file of its own */
        break;
    }
    return 0;
}

/* --- what an entry is ---------------------------------------------------------------------- */

/* Look at it, unless the listing told; without -a a link is what it leads to. Return: 0 or FSIF_E*
 */
static int look_at(struct get_job *j)
{
    struct get *g = j->get;
    int err = 0;

    if (!g->session->full) {
        j->fh = fsif_open(g->client, path_wire(j->path), FSIF_O_RDONLY, 0);
        return j->fh < 0 ? j->fh : fsif_fstat(g->client, j->fh, &j->attr);
    }
    if (!j->known)
        err = fsif_statx(g->client, FSIF_ROOT, path_wire(j->path), FSIF_AT_NOFOLLOW, &j->attr);
    if (err == 0 && type_of(j->attr.mode) == FSIF_S_IFLNK && !g->keep.archive) {
        j->follow = 1;
        err = fsif_statx(g->client, FSIF_ROOT, path_wire(j->path), 0, &j->attr);
    }
    j->known = err == 0;
    return err;
}

static void close_it(struct get_job *j)
{
    if (j->fh >= 0)
        fsif_close(j->get->client, j->fh);
    j->fh = -1;
}

/* Return: 1 if the job was kept for later */
static int get_one(struct get_job *j, void *buf)
{
    int err = look_at(j);

    if (type_of(j->attr.mode) != FSIF_S_IFREG || err < 0)
        close_it(j);
    if (err < 0) {
        get_remote_failed(j->get, j->path, err);
        return 0;
    }
    switch (type_of(j->attr.mode)) {
    case FSIF_S_IFREG:
        return get_regular(j, buf);
    case FSIF_S_IFDIR:
        get_dir(j);
        return 0;
    case FSIF_S_IFLNK:
        get_link(j);
        return 0;
    default:
        skipped(j, "neither a file nor a directory");
        return 0;
    }
}

static void get_run(struct job *job, void *buf)
{
    struct get_job *j = (struct get_job *)job;

    if (!cli_interrupted && get_one(j, buf))
        return;
    leave_dir(j->get, j->dir);
    free(j->path);
    free(j->name);
    free(j);
}

/* --- operands ------------------------------------------------------------------------------ */

static struct ldir *open_dir(struct get *g, const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0) {
        cli_local_error(g->cli, path, errno);
        return NULL;
    }
    return ldir_create(NULL, fd, cli_format("%s", path));
}

/* The directory that @dest names, made if it is not there. */
static struct ldir *destination_dir(struct get *g, const char *dest)
{
    if (mkdir(dest, 0777) != 0 && errno != EEXIST) {
        cli_local_error(g->cli, dest, errno);
        return NULL;
    }
    return open_dir(g, dest);
}

/* One file to a name of its own. */
static void get_onto(struct get *g, const struct target *from, const char *dest)
{
    const char *name = path_base(dest);
    char *parent = name == dest ? cli_format(".") : cli_format("%.*s", (int)(name - dest), dest);
    struct ldir *d = open_dir(g, parent);

    if (d != NULL) {
        push(g, d, cli_format("%s", from->path), name, NULL);
        leave_dir(g, d);
    }
    free(parent);
}

/* With -a a link that is named is copied itself. */
static int source_is_dir(struct get *g, const char *path)
{
    struct fsif_attr a;
    int err;

    if (!g->keep.archive)
        return remote_is_dir(g->client, path);
    err = fsif_statx(g->client, FSIF_ROOT, path_wire(path), FSIF_AT_NOFOLLOW, &a);
    return err < 0 ? err : type_of(a.mode) == FSIF_S_IFDIR;
}

static void get_targets(struct get *g, const struct target *from, int sources, const char *dest)
{
    struct stat st;
    int is_dir = stat(dest, &st) == 0 && S_ISDIR(st.st_mode);
    int into = is_dir || sources > 1 || from[0].slash || dest[strlen(dest) - 1] == '/';
    struct ldir *d;
    int i;

    if (!into) {
        int dir = source_is_dir(g, from[0].path);

        if (dir == 0) {
            get_onto(g, &from[0], dest);
            return;
        }
        if (dir < 0) {
            get_remote_failed(g, from[0].path, dir);
            return;
        }
    }
    d = destination_dir(g, dest);
    if (d == NULL)
        return;
    for (i = 0; i < sources; i++) {
        if (from[i].slash)
            push_entries(g, d, from[i].path);
        else
            push(g, d, cli_format("%s", from[i].path), path_base(from[i].path), NULL);
    }
    leave_dir(g, d);
}

static void get_all(struct get *g, const struct target *from, int sources, const char *dest)
{
    struct ldir *dir;

    if (g->keep.archive)
        g->twins = twins_create();
    progress_begin(&g->progress, 0);
    get_targets(g, from, sources, dest);
    pool_wait(g->pool, progress_draw, &g->progress);
    while (g->twins != NULL && twins_drain(g->twins, &dir))
        leave_dir(g, dir);
    pool_destroy(g->pool);
    progress_end(&g->progress);
}

int command_get(struct cli *cli, char **operands, int count)
{
    struct target *t = cli_alloc((size_t)count * sizeof(*t));
    struct get g = {.cli = cli, .keep = {.cli = cli}};
    struct cli_session *s;
    int status;

    if (operands[count - 1][0] == '\0') {
        free(t);
        return cli_usage(cli, "the destination is empty");
    }
    status = targets_parse_one_export(cli, operands, count - 1, t);
    if (status != CLI_OK) {
        free(t);
        return status;
    }
    g.keep.archive = cli->option['a'] != NULL;
    if (g.keep.archive)
        cli_need_full(cli, "get -a");
    s = cli_session(cli, t[0].export_name);
    if (s != NULL) {
        g.session = s;
        g.client = s->client;
        g.keep.client = s->client;
        g.export_name = s->export_name;
        g.pool = pool_create(cli, cli->jobs);
    }
    status = s == NULL ? CLI_CONNECT : g.pool == NULL ? CLI_FAILED : CLI_OK;
    if (status == CLI_OK)
        get_all(&g, t, count - 1, operands[count - 1]);
    targets_free(t, count - 1);
    free(t);
    return status;
}
