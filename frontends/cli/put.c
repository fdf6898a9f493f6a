/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "put.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * put: files and trees into an export. Every entry is a job. Symbolic links are kept with -a,
 * followed with -L, and skipped with a warning without either; an operand is followed unless -a
 * keeps it.
 */

void put_remote_failed(struct put *p, const char *path, int err)
{
    if (!cli_interrupted)
        cli_error(p->cli, p->export_name, path, err);
}

static char *local_path(const struct put_job *j)
{
    return j->dir == NULL ? cli_format("%s", j->name) : path_join(j->dir->shown, j->name);
}

void put_local_failed(const struct put_job *j, int err)
{
    char *path = local_path(j);

    cli_local_error(j->put->cli, path, err);
    free(path);
}

void put_differs(struct put *p, const char *path)
{
    char *shown = cli_escaped(path);

    p->cli->failed = 1;
    cli_say(p->cli, "%s:/%s: the copy differs", p->export_name, shown);
    free(shown);
}

static void skipped(const struct put_job *j, const char *why)
{
    char *path = local_path(j);
    char *shown = cli_escaped(path);

    j->put->cli->failed = 1;
    cli_say(j->put->cli, "%s: skipped: %s", shown, why);
    free(shown);
    free(path);
}

static int at(const struct put_job *j)
{
    return j->dir == NULL ? AT_FDCWD : j->dir->fd;
}

/* --- the end of a directory ----------------------------------------------------------------- */

/* Dialects 1 and 2: one that had to be made wider than it shall be is complete. */
static int narrow(struct put *p, const struct ldir *d)
{
    int fh;
    int err;

    if (!d->made || (d->mode & 0700) == 0700)
        return 0;
    if (p->session->full)
        return fsif_chmod(p->client, path_wire(d->remote), d->mode);
    fh = fsif_open(p->client, path_wire(d->remote), FSIF_O_RDONLY, 0);
    if (fh < 0)
        return fh;
    err = fsif_fchmod(p->client, fh, d->mode);
    fsif_close(p->client, fh);
    return err;
}

static void finish_dir(struct put *p, struct ldir *d)
{
    struct stat st;
    int err;

    if (!p->keep.archive || d->contents)
        err = narrow(p, d);
    else
        err = fstat(d->fd, &st) != 0 ? errno : keep_remote(&p->keep, d->remote, d->fd, &st);
    if (err < 0)
        put_remote_failed(p, d->remote, err);
    else if (err == COPY_DIFFERS)
        put_differs(p, d->remote);
    else if (err > 0)
        cli_local_error(p->cli, d->shown, err);
}

static void leave_dir(struct put *p, struct ldir *d)
{
    while (d != NULL && ldir_put(d)) {
        finish_dir(p, d);
        d = ldir_free(d);
    }
}

static void put_run(struct job *job, void *buf);

static void push(struct put *p, struct ldir *dir, const char *name, char *path, int follow)
{
    struct put_job *j = cli_alloc(sizeof(*j));

    j->job.run = put_run;
    j->put = p;
    j->dir = dir;
    j->name = cli_format("%s", name);
    j->path = path;
    j->follow = follow;
    if (dir != NULL)
        ldir_get(dir);
    pool_push(p->pool, &j->job);
}

/* --- one directory ------------------------------------------------------------------------- */

static int compare(const struct ldir *d, const struct stat *st)
{
    for (; d != NULL; d = d->parent) {
        if (d->dev == st->st_dev && d->ino == st->st_ino)
            return 1;
    }
    return 0;
}

/* Every entry of @d becomes a job. */
static void push_entries(struct put *p, struct ldir *d)
{
    int fd = openat(d->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *e;

    if (stream == NULL) {
        cli_local_error(p->cli, d->shown, errno);
        if (fd >= 0)
            close(fd);
        return;
    }
    while (errno = 0, !cli_interrupted && (e = readdir(stream)) != NULL) {
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            push(p, d, e->d_name, path_join(d->remote, e->d_name), p->cli->option['L'] != NULL);
    }
    if (errno != 0 && !cli_interrupted)
        cli_local_error(p->cli, d->shown, errno);
    closedir(stream);
}

/* With -a one that was there may not let us in, as it will not in the end. */
static int make_dir(struct put *p, const char *path, uint32_t mode)
{
    int made = remote_mkdir(p->client, path, mode | 0700);
    struct fsif_attr a;

    if (made == 0 && p->keep.archive && path[0] != '\0' && fsif_stat(p->client, path, &a) == 0 &&
        (a.mode & 0700) != 0700)
        fsif_chmod(p->client, path,
                   (a.mode & 0777) | 0700); /* or what lies in it fails, and says so */
    return made;
}

/* Takes @fd over. */
static void put_dir(struct put_job *j, int fd, const struct stat *st)
{
    struct put *p = j->put;
    struct ldir *d;
    int made;

    if (compare(j->dir, st)) {
        skipped(j, "a link leads back to a directory that it lies in");
        close(fd);
        return;
    }
    made = make_dir(p, j->path, (uint32_t)st->st_mode & 0777);
    if (made < 0) {
        put_remote_failed(p, j->path, made);
        close(fd);
        return;
    }
    d = ldir_create(j->dir, fd, local_path(j));
    d->remote = cli_format("%s", j->path);
    d->made = made;
    d->mode = (uint32_t)st->st_mode & 0777;
    d->dev = st->st_dev;
    d->ino = st->st_ino;
    push_entries(p, d);
    leave_dir(p, d);
}

/* --- links --------------------------------------------------------------------------------- */

/* Make a link where there is nothing, or in the place of what is there. @target: of a symbolic
 * link; NULL: @first is another name of the file. Return: 0, or a FSIF_E* */
static int make_link(struct put *p, const char *target, const char *first, const char *path)
{
    if (target != NULL)
        return fsif_symlinkat(p->client, target, FSIF_ROOT, path);
    return fsif_linkat(p->client, FSIF_ROOT, first, FSIF_ROOT, path, 0);
}

static int replace_link(struct put *p, const char *target, const char *first, const char *path)
{
    int err = make_link(p, target, first, path);
    char *temporary;

    if (err != -FSIF_EEXIST)
        return err;
    temporary = remote_temporary(path);
    err = make_link(p, target, first, temporary);
    if (err == 0) {
        err = fsif_rename(p->client, temporary, path);
        /* Of two names of one file rename() leaves both. */
        fsif_unlinkat(p->client, FSIF_ROOT, temporary, FSIF_REMOVE_FILE);
    }
    free(temporary);
    return err;
}

static void put_link(struct put_job *j, const struct stat *st)
{
    struct put *p = j->put;
    char *target = cli_alloc(FSIF_PATH_MAX + 1);
    ssize_t n = readlinkat(at(j), j->name, target, FSIF_PATH_MAX);
    int err;

    if (n < 0) {
        put_local_failed(j, errno);
    } else {
        err = replace_link(p, target, NULL, j->path);
        if (err == 0)
            err = keep_remote(&p->keep, j->path, -1, st);
        if (err == COPY_DIFFERS)
            put_differs(p, j->path);
        else if (err < 0)
            put_remote_failed(p, j->path, err);
        else
            p->progress.files++;
    }
    free(target);
}

/* --- what an entry is ---------------------------------------------------------------------- */

/* Return: 1 if the job was kept for later */
static int put_regular(struct put_job *j, int fd, const struct stat *st, void *buf)
{
    struct put *p = j->put;
    struct twin *f;
    int err;

    if (p->twins == NULL || st->st_nlink < 2) {
        put_file(j, fd, st, buf);
        return 0;
    }
    switch (twins_meet(p->twins, st->st_dev, st->st_ino, st->st_nlink, &j->job, &f)) {
    case TWIN_WAITS:
        return 1;
    case TWIN_COPY:
        twins_copied(p->twins, f, p->pool, put_file(j, fd, st, buf), NULL, j->path);
        return 0;
    default:
        err = replace_link(p, NULL, twin_place(f, NULL), j->path);
        twins_linked(p->twins, f);
        if (err == 0)
            p->progress.files++;
        else
            put_file(j, fd, st, buf); /* then as a file of its own */
        return 0;
    }
}

/* Return: 1 if the job was kept for later */
static int put_one(struct put_job *j, void *buf)
{
    struct stat st;
    int kept = 0;
    int fd;
    int err = local_open(at(j), j->name, j->follow, &st, &fd);

    if (err != 0) {
        put_local_failed(j, err);
    } else if (fd < 0 && S_ISLNK(st.st_mode) && j->put->keep.archive) {
        put_link(j, &st);
    } else if (fd < 0) {
        skipped(j, S_ISLNK(st.st_mode) ? "a symbolic link (-a keeps, -L follows)"
                                       : "neither a file nor a directory");
    } else if (S_ISDIR(st.st_mode)) {
        put_dir(j, fd, &st);
    } else {
        kept = put_regular(j, fd, &st, buf);
        close(fd);
    }
    return kept;
}

static void put_run(struct job *job, void *buf)
{
    struct put_job *j = (struct put_job *)job;

    if (!cli_interrupted && put_one(j, buf))
        return;
    leave_dir(j->put, j->dir);
    free(j->name);
    free(j->path);
    free(j);
}

/* --- operands ------------------------------------------------------------------------------ */

/* What is to be copied, for the progress bar. */
static uint64_t local_size(int dirfd, const char *name, int follow)
{
    struct stat st;
    uint64_t total = 0;
    struct dirent *e;
    DIR *stream;
    int fd;

    if (fstatat(dirfd, name, &st, follow ? 0 : AT_SYMLINK_NOFOLLOW) != 0)
        return 0;
    if (S_ISREG(st.st_mode))
        return (uint64_t)st.st_size;
    if (!S_ISDIR(st.st_mode))
        return 0;
    fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW));
    stream = fd < 0 ? NULL : fdopendir(fd);
    if (stream == NULL) {
        if (fd >= 0)
            close(fd);
        return 0;
    }
    while ((e = readdir(stream)) != NULL && !cli_interrupted) {
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            total += local_size(fd, e->d_name, 0);
    }
    closedir(stream);
    return total;
}

static char *without_slashes(const char *text)
{
    char *s = cli_format("%s", text);
    size_t len = strlen(s);

    while (len > 1 && s[len - 1] == '/')
        s[--len] = '\0';
    return s;
}

static int ends_in_contents(const char *text)
{
    size_t len = strlen(text);

    return text[len - 1] == '/' || strcmp(text, ".") == 0 || strcmp(text, "..") == 0 ||
           (len > 1 && strcmp(text + len - 2, "/.") == 0) ||
           (len > 2 && strcmp(text + len - 3, "/..") == 0);
}

/* What lies in @source goes into the directory @to. */
static void put_contents(struct put *p, const char *source, const char *to)
{
    int fd = open(source, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct ldir *d;
    struct stat st;

    if (fd < 0 || fstat(fd, &st) != 0) {
        cli_local_error(p->cli, source, errno);
        if (fd >= 0)
            close(fd);
        return;
    }
    d = ldir_create(NULL, fd, without_slashes(source));
    d->remote = cli_format("%s", to);
    d->contents = 1;
    d->dev = st.st_dev;
    d->ino = st.st_ino;
    push_entries(p, d);
    leave_dir(p, d);
}

static void put_sources(struct put *p, char **sources, int count, const struct target *to)
{
    struct stat st;
    int is_dir = remote_is_dir(p->client, to->path);
    int follow = !p->keep.archive || p->cli->option['L'] != NULL;
    int source_dir = fstatat(AT_FDCWD, sources[0], &st, follow ? 0 : AT_SYMLINK_NOFOLLOW) == 0 &&
                     S_ISDIR(st.st_mode);
    int into = is_dir > 0 || count > 1 || to->slash || source_dir;
    int err = into && is_dir <= 0 ? remote_mkdir(p->client, to->path, 0777) : 0;
    int i;

    if (err < 0) {
        put_remote_failed(p, to->path, err);
        return;
    }
    for (i = 0; i < count; i++) {
        char *name = without_slashes(sources[i]);

        if (ends_in_contents(sources[i]))
            put_contents(p, sources[i], to->path);
        else
            push(p, NULL, name,
                 into ? path_join(to->path, path_base(name)) : cli_format("%s", to->path), follow);
        free(name);
    }
}

static uint64_t total_size(char **sources, int count)
{
    uint64_t total = 0;
    int i;

    for (i = 0; i < count; i++)
        total += local_size(AT_FDCWD, sources[i], 1);
    return total;
}

static void put_all(struct put *p, char **sources, int count, const struct target *to)
{
    struct ldir *dir;

    if (p->keep.archive)
        p->twins = twins_create();
    progress_begin(&p->progress, isatty(STDERR_FILENO) ? total_size(sources, count) : 0);
    put_sources(p, sources, count, to);
    pool_wait(p->pool, progress_draw, &p->progress);
    while (p->twins != NULL && twins_drain(p->twins, &dir)) {
    }
    pool_destroy(p->pool);
    progress_end(&p->progress);
}

int command_put(struct cli *cli, char **operands, int count)
{
    struct put p = {.cli = cli, .keep = {.cli = cli, .archive = cli->option['a'] != NULL}};
    struct cli_session *s;
    struct target to;
    int status = target_parse(cli, operands[count - 1], &to);
    int i;

    for (i = 0; status == CLI_OK && i < count - 1; i++) {
        if (operands[i][0] == '\0') {
            free(to.path);
            return cli_usage(cli, "a source is empty");
        }
    }
    if (status != CLI_OK)
        return status;
    if (p.keep.archive)
        cli_need_full(cli, "put -a");
    s = cli_session(cli, to.export_name);
    if (s != NULL) {
        p.session = s;
        p.client = s->client;
        p.keep.client = s->client;
        p.export_name = s->export_name;
        p.pool = pool_create(cli, cli->jobs);
    }
    status = s == NULL ? CLI_CONNECT : p.pool == NULL ? CLI_FAILED : CLI_OK;
    if (status == CLI_OK)
        put_all(&p, operands, count - 1, &to);
    free(to.path);
    return status;
}
