/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * get: files and trees out of an export. Every entry is a job: it is opened, and what it turns out
 * to be is copied or walked. The backend is not trusted: names are checked, local files are made
 * beside their place, never through a link, and put there by rename; set-id bits are dropped.
 */

struct get {
    struct cli *cli;
    struct fsif_client *client;
    const char *export_name;
    struct pool *pool;
    struct progress progress;
};

struct get_job {
    struct job job;
    struct get *get;
    struct ldir *dir; /* where it goes */
    char *path;       /* in the export */
    char *name;       /* in dir */
};

static void remote_failed(struct get *g, const char *path, int err)
{
    if (!cli_interrupted)
        cli_error(g->cli, g->export_name, path, err);
}

static void local_failed(struct get *g, const struct ldir *dir, const char *name, int err)
{
    char *path = path_join(dir->shown, name);

    cli_local_error(g->cli, path, err);
    free(path);
}

/* Drop a reference; a directory that is complete gets its mode and time. */
static void leave_dir(struct get *g, struct ldir *d)
{
    while (d != NULL && ldir_put(d)) {
        if (d->made) {
            struct timespec times[2] = {{.tv_sec = (time_t)d->attr.atime},
                                        {.tv_sec = (time_t)d->attr.mtime}};

            if (fchmod(d->fd, d->attr.mode & 0777) != 0 || futimens(d->fd, times) != 0)
                local_failed(g, d, "", errno);
        }
        d = ldir_free(d);
    }
}

static void get_run(struct job *job, void *buf);

static void push(struct get *g, struct ldir *dir, char *path, const char *name)
{
    struct get_job *j = cli_alloc(sizeof(*j));

    j->job.run = get_run;
    j->get = g;
    j->dir = dir;
    j->path = path;
    j->name = cli_format("%s", name);
    ldir_get(dir);
    pool_push(g->pool, &j->job);
}

/* --- one file ------------------------------------------------------------------------------ */

/* Return: 0; a FSIF_E*: of the export's side; an errno: of ours */
static int copy_out(struct get *g, int fh, int fd, const struct fsif_attr *attr, void *buf,
                    struct checksum *sum)
{
    uint64_t off = 0;

    for (;;) {
        int64_t n = fsif_pread(g->client, fh, buf, CLI_CHUNK, off);
        int err;

        if (n <= 0)
            return (int)n;
        err = write_all(fd, buf, (size_t)n);
        if (err != 0 || cli_interrupted)
            return err != 0 ? err : EINTR;
        if (sum != NULL)
            checksum_add(sum, buf, (size_t)n);
        off += (uint64_t)n;
        g->progress.bytes += (uint64_t)n;
        /* The size is only a hint: less than a whole chunk that ends there is the end. */
        if ((uint64_t)n < CLI_CHUNK && off == attr->size)
            return 0;
    }
}

/* Read back what was written. Return: 0; an errno; -1: it differs */
static int verify_local(int fd, void *buf, struct checksum *sum)
{
    struct checksum *back = checksum_create();
    off_t off = 0;
    ssize_t n;
    int err = 0;

    while ((n = pread(fd, buf, CLI_CHUNK, off)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            err = errno;
            break;
        }
        checksum_add(back, buf, (size_t)n);
        off += n;
    }
    if (!checksum_match(sum, back) && err == 0)
        err = -1;
    return err;
}

static int finish_local(struct get_job *j, int fd, const struct fsif_attr *attr)
{
    struct timespec times[2] = {{.tv_sec = (time_t)attr->atime}, {.tv_sec = (time_t)attr->mtime}};

    (void)j;
    if (fchmod(fd, attr->mode & 0777) != 0 || futimens(fd, times) != 0)
        return errno;
    return 0;
}

static void get_into(struct get_job *j, int fh, int fd, const struct fsif_attr *attr,
                     const char *temporary, void *buf)
{
    struct get *g = j->get;
    struct checksum *sum = g->cli->verify ? checksum_create() : NULL;
    int err = copy_out(g, fh, fd, attr, buf, sum);

    if (err < 0)
        remote_failed(g, j->path, err);
    if (sum != NULL) {
        int differs = verify_local(fd, buf, sum);

        if (err == 0 && differs < 0) {
            g->cli->failed = 1;
            cli_say(g->cli, "%s/%s: the copy differs", j->dir->shown, j->name);
            err = -1;
        } else if (err == 0) {
            err = differs;
        }
    }
    if (err == 0)
        err = finish_local(j, fd, attr);
    if (close(fd) != 0 && err == 0)
        err = errno;
    if (err == 0 && renameat(j->dir->fd, temporary, j->dir->fd, j->name) != 0)
        err = errno;
    if (err > 0 && !(err == EINTR && cli_interrupted))
        local_failed(g, j->dir, j->name, err);
    if (err != 0)
        unlinkat(j->dir->fd, temporary, 0);
    else
        g->progress.files++;
}

static void get_file(struct get_job *j, int fh, const struct fsif_attr *attr, void *buf)
{
    static _Atomic unsigned int number;
    char temporary[64];
    int fd;

    snprintf(temporary, sizeof(temporary), ".fsif-%ld-%u.tmp", (long)getpid(), number++);
    fd = openat(j->dir->fd, temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        local_failed(j->get, j->dir, j->name, errno);
    else
        get_into(j, fh, fd, attr, temporary, buf);
}

/* --- one directory ------------------------------------------------------------------------- */

static void push_entries(struct get *g, struct ldir *dir, const char *path)
{
    struct fsif_dir *list;
    const char *name;
    uint32_t count = 0;
    int err = fsif_opendir(g->client, path_wire(path), &list);

    if (err < 0) {
        remote_failed(g, path, err);
        return;
    }
    while ((err = fsif_readdir(list, &name)) > 0 && !cli_interrupted) {
        if (count++ == CLI_MAX_ENTRIES) {
            err = -FSIF_EOVERFLOW;
            break;
        }
        if (name_is_safe(name))
            push(g, dir, path_join(path, name), name);
        else
            remote_failed(g, path, -FSIF_EPROTO);
    }
    if (err < 0)
        remote_failed(g, path, err);
    fsif_closedir(list);
}

static void get_dir(struct get_job *j, const struct fsif_attr *attr)
{
    int made = mkdirat(j->dir->fd, j->name, 0700) == 0;
    struct ldir *d;
    int fd = -1;

    if (made || errno == EEXIST)
        fd = openat(j->dir->fd, j->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        local_failed(j->get, j->dir, j->name, errno);
        return;
    }
    d = ldir_create(j->dir, fd, path_join(j->dir->shown, j->name));
    d->made = made;
    d->attr = *attr;
    push_entries(j->get, d, j->path);
    leave_dir(j->get, d);
}

static void get_run(struct job *job, void *buf)
{
    struct get_job *j = (struct get_job *)job;
    struct get *g = j->get;
    struct fsif_attr attr;
    int fh = cli_interrupted ? -1 : fsif_open(g->client, path_wire(j->path), FSIF_O_RDONLY, 0);
    int err = fh < 0 ? fh : fsif_fstat(g->client, fh, &attr);

    if (err < 0) {
        remote_failed(g, j->path, err);
    } else if ((attr.mode & FSIF_S_IFMT) == FSIF_S_IFDIR) {
        fsif_close(g->client, fh);
        fh = -1;
        get_dir(j, &attr);
    } else if ((attr.mode & FSIF_S_IFMT) == FSIF_S_IFREG) {
        get_file(j, fh, &attr, buf);
    } else {
        g->cli->failed = 1;
        cli_say(g->cli, "%s:/%s: skipped: neither a file nor a directory", g->export_name, j->path);
    }
    if (fh >= 0)
        fsif_close(g->client, fh);
    leave_dir(g, j->dir);
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
        push(g, d, cli_format("%s", from->path), name);
        leave_dir(g, d);
    }
    free(parent);
}

static void get_targets(struct get *g, const struct target *from, int sources, const char *dest)
{
    struct stat st;
    int is_dir = stat(dest, &st) == 0 && S_ISDIR(st.st_mode);
    int into = is_dir || sources > 1 || from[0].slash || dest[strlen(dest) - 1] == '/';
    struct ldir *d;
    int i;

    if (!into) {
        int dir = remote_is_dir(g->client, from[0].path);

        if (dir == 0) {
            get_onto(g, &from[0], dest);
            return;
        }
        if (dir < 0) {
            remote_failed(g, from[0].path, dir);
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
            push(g, d, cli_format("%s", from[i].path), path_base(from[i].path));
    }
    leave_dir(g, d);
}

int command_get(struct cli *cli, char **operands, int count)
{
    struct target *t = cli_alloc((size_t)count * sizeof(*t));
    struct get g = {.cli = cli};
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
    s = cli_session(cli, t[0].export_name);
    if (s != NULL) {
        g.client = s->client;
        g.export_name = s->export_name;
        g.pool = pool_create(cli, cli->jobs);
    }
    status = s == NULL ? CLI_CONNECT : g.pool == NULL ? CLI_FAILED : CLI_OK;
    if (status == CLI_OK) {
        progress_begin(&g.progress, 0);
        get_targets(&g, t, count - 1, operands[count - 1]);
        pool_wait(g.pool, progress_draw, &g.progress);
        pool_destroy(g.pool);
        progress_end(&g.progress);
    }
    targets_free(t, count - 1);
    free(t);
    return status;
}
