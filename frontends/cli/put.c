/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "cli.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * put: files and trees into an export. Every entry is a job. Symbolic links are not carried by
 * dialect 1: they are skipped with a warning, or followed with -L; an operand is always followed.
 * A file is written beside its place and renamed when it is complete.
 */

struct put {
    struct cli *cli;
    struct fsif_client *client;
    const char *export_name;
    struct pool *pool;
    struct progress progress;
};

struct put_job {
    struct job job;
    struct put *put;
    struct ldir *dir; /* where it lies; NULL: name is a path of its own */
    char *name;
    char *path; /* in the export */
    int follow;
};

static void remote_failed(struct put *p, const char *path, int err)
{
    if (!cli_interrupted)
        cli_error(p->cli, p->export_name, path, err);
}

static char *local_path(const struct put_job *j)
{
    return j->dir == NULL ? cli_format("%s", j->name) : path_join(j->dir->shown, j->name);
}

static void local_failed(const struct put_job *j, int err)
{
    char *path = local_path(j);

    cli_local_error(j->put->cli, path, err);
    free(path);
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

/* A directory that had to be made wider than it shall be is complete. */
static void narrow(struct put *p, const struct ldir *d)
{
    int fh = fsif_open(p->client, path_wire(d->remote), FSIF_O_RDONLY, 0);
    int err = fh < 0 ? fh : fsif_fchmod(p->client, fh, d->mode);

    if (err < 0)
        remote_failed(p, d->remote, err);
    fsif_close(p->client, fh);
}

static void leave_dir(struct put *p, struct ldir *d)
{
    while (d != NULL && ldir_put(d)) {
        if (d->made && (d->mode & 0700) != 0700)
            narrow(p, d);
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

/* --- one file ------------------------------------------------------------------------------ */

/* Return: 0; a FSIF_E*: of the export's side; an errno: of ours */
static int copy_in(struct put *p, int fd, int fh, void *buf, struct checksum *sum)
{
    uint64_t off = 0;

    for (;;) {
        ssize_t n = read(fd, buf, CLI_CHUNK);
        int err;

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? errno : 0;
        if (sum != NULL)
            checksum_add(sum, buf, (size_t)n);
        err = remote_write(p->client, fh, buf, (size_t)n, off);
        if (err < 0 || cli_interrupted)
            return err < 0 ? err : EINTR;
        off += (uint64_t)n;
        p->progress.bytes += (uint64_t)n;
    }
}

/* Return: 0; a FSIF_E*; 1: it differs */
static int verify_remote(struct put *p, int fh, void *buf, struct checksum *sum)
{
    struct checksum *back = checksum_create();
    int err = checksum_remote(p->client, fh, buf, back);

    return checksum_match(sum, back) || err < 0 ? err : 1;
}

static void put_into(struct put_job *j, int fd, int fh, const char *temporary, void *buf)
{
    struct put *p = j->put;
    struct checksum *sum = p->cli->verify ? checksum_create() : NULL;
    int err = copy_in(p, fd, fh, buf, sum);
    int closed;

    if (err > 0) {
        if (!(err == EINTR && cli_interrupted))
            local_failed(j, err);
    }
    if (sum != NULL) {
        int differs = verify_remote(p, fh, buf, sum);

        if (err == 0 && differs > 0) {
            p->cli->failed = 1;
            cli_say(p->cli, "%s:/%s: the copy differs", p->export_name, j->path);
        }
        err = err == 0 ? differs : err;
    }
    closed = fsif_close(p->client, fh);
    err = err == 0 ? closed : err;
    err = remote_finish(p->client, temporary, j->path, err);
    if (err < 0)
        remote_failed(p, j->path, err);
    if (err == 0)
        p->progress.files++;
}

static void put_file(struct put_job *j, int fd, const struct stat *st, void *buf)
{
    struct put *p = j->put;
    char *temporary = remote_temporary(j->path);
    int fh = fsif_open(p->client, temporary, FSIF_O_RDWR | FSIF_O_CREAT | FSIF_O_TRUNC,
                       (uint32_t)st->st_mode & 0777);

    if (fh < 0)
        remote_failed(p, j->path, fh);
    else
        put_into(j, fd, fh, temporary, buf);
    free(temporary);
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
            push(p, d, e->d_name, path_join(d->remote, e->d_name), p->cli->follow);
    }
    if (errno != 0 && !cli_interrupted)
        cli_local_error(p->cli, d->shown, errno);
    closedir(stream);
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
    made = remote_mkdir(p->client, j->path, ((uint32_t)st->st_mode & 0777) | 0700);
    if (made < 0) {
        remote_failed(p, j->path, made);
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

static void put_one(struct put_job *j, void *buf)
{
    struct stat st;
    int fd;
    int err = local_open(at(j), j->name, j->follow, &st, &fd);

    if (err != 0) {
        local_failed(j, err);
    } else if (fd < 0) {
        skipped(j, S_ISLNK(st.st_mode) ? "a symbolic link (-L follows)"
                                       : "neither a file nor a directory");
    } else if (S_ISDIR(st.st_mode)) {
        put_dir(j, fd, &st);
    } else {
        put_file(j, fd, &st, buf);
        close(fd);
    }
}

static void put_run(struct job *job, void *buf)
{
    struct put_job *j = (struct put_job *)job;

    if (!cli_interrupted)
        put_one(j, buf);
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
    d->dev = st.st_dev;
    d->ino = st.st_ino;
    push_entries(p, d);
    leave_dir(p, d);
}

static void put_sources(struct put *p, char **sources, int count, const struct target *to)
{
    struct stat st;
    int is_dir = remote_is_dir(p->client, to->path);
    int source_dir = stat(sources[0], &st) == 0 && S_ISDIR(st.st_mode);
    int into = is_dir > 0 || count > 1 || to->slash || source_dir;
    int err = into && is_dir <= 0 ? remote_mkdir(p->client, to->path, 0777) : 0;
    int i;

    if (err < 0) {
        remote_failed(p, to->path, err);
        return;
    }
    for (i = 0; i < count; i++) {
        char *name = without_slashes(sources[i]);

        if (ends_in_contents(sources[i]))
            put_contents(p, sources[i], to->path);
        else
            push(p, NULL, name,
                 into ? path_join(to->path, path_base(name)) : cli_format("%s", to->path), 1);
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

int command_put(struct cli *cli, char **operands, int count)
{
    struct put p = {.cli = cli};
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
    s = cli_session(cli, to.export_name);
    if (s != NULL) {
        p.client = s->client;
        p.export_name = s->export_name;
        p.pool = pool_create(cli, cli->jobs);
    }
    status = s == NULL ? CLI_CONNECT : p.pool == NULL ? CLI_FAILED : CLI_OK;
    if (status == CLI_OK) {
        progress_begin(&p.progress, isatty(STDERR_FILENO) ? total_size(operands, count - 1) : 0);
        put_sources(&p, operands, count - 1, &to);
        pool_wait(p.pool, progress_draw, &p.progress);
        pool_destroy(p.pool);
        progress_end(&p.progress);
    }
    free(to.path);
    return status;
}
