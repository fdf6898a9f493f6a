/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* touch, and the times of a file to compare with. */

int reference_times(struct cli *cli, const char *text, int follow, struct fsif_timespec out[2])
{
    struct cli_session *s;
    struct fsif_attr a;
    struct target t;
    struct stat st;
    int err;

    /* As scp has it: a slash before the colon makes it a file of this host. */
    if (strcspn(text, "/") < strcspn(text, ":") || strchr(text, ':') == NULL) {
        if (fstatat(AT_FDCWD, text, &st, follow ? 0 : AT_SYMLINK_NOFOLLOW) != 0) {
            cli_local_error(cli, text, errno);
            return CLI_FAILED;
        }
        out[0] = (struct fsif_timespec){st.st_atim.tv_sec, (uint32_t)st.st_atim.tv_nsec};
        out[1] = (struct fsif_timespec){st.st_mtim.tv_sec, (uint32_t)st.st_mtim.tv_nsec};
        return CLI_OK;
    }
    err = target_parse(cli, text, &t);
    if (err != CLI_OK)
        return err;
    s = cli_session(cli, t.export_name);
    if (s == NULL) {
        free(t.path);
        return CLI_CONNECT;
    }
    if (s->full)
        err =
            fsif_statx(s->client, FSIF_ROOT, path_wire(t.path), follow ? 0 : FSIF_AT_NOFOLLOW, &a);
    else
        err = fsif_stat(s->client, path_wire(t.path), &a);
    if (err < 0)
        cli_error(cli, t.export_name, t.path, err);
    free(t.path);
    out[0] = (struct fsif_timespec){a.atime, a.atime_nsec};
    out[1] = (struct fsif_timespec){a.mtime, a.mtime_nsec};
    return err < 0 ? CLI_FAILED : CLI_OK;
}

/* Commands run on one thread, and this one once. */
static struct fsif_timespec times[2];

static int create(struct fsif_client *cl, const char *path)
{
    mode_t mask = umask(0);
    int fh;

    umask(mask);
    fh = fsif_openat(cl, FSIF_ROOT, path, FSIF_O_WRONLY | FSIF_O_CREAT, 0666u & ~(uint32_t)mask);
    return fh < 0 ? fh : fsif_close(cl, fh);
}

static int touch_one(struct cli *cli, struct cli_session *s, const struct target *t)
{
    uint32_t flags = cli->option['h'] ? FSIF_AT_NOFOLLOW : 0;
    int err = fsif_utimensat(s->client, FSIF_ROOT, path_wire(t->path), times, flags);

    if (err != -FSIF_ENOENT)
        return err;
    if (cli->option['c'] || cli->option['h'])
        return cli->option['c'] ? 0 : err;
    err = create(s->client, path_wire(t->path));
    return err < 0 ? err : fsif_utimensat(s->client, FSIF_ROOT, path_wire(t->path), times, flags);
}

/* What -d, -t or -r say. Return: a status */
static int set_times(struct cli *cli)
{
    const char *date = cli->option['d'];
    const char *stamp = cli->option['t'];
    const char *reference = cli->option['r'];

    times[0].nsec = FSIF_UTIME_NOW;
    if ((date != NULL) + (stamp != NULL) + (reference != NULL) > 1)
        return cli_usage(cli, "-d, -r and -t exclude each other");
    if (date != NULL && date_parse(date, &times[0]) < 0)
        return cli_usage(cli, "'%s' is not a date: YYYY-MM-DD [hh:mm[:ss]] [+hh:mm], @SECONDS, now",
                         date);
    if (stamp != NULL && stamp_parse(stamp, &times[0]) < 0)
        return cli_usage(cli, "'%s' is not a stamp: [[CC]YY]MMDDhhmm[.ss]", stamp);
    times[1] = times[0];
    return CLI_OK;
}

int command_touch(struct cli *cli, char **operands, int count)
{
    int access = cli->option['a'] || !cli->option['m'];
    int modify = cli->option['m'] || !cli->option['a'];
    int status = set_times(cli);

    if (status == CLI_OK && cli->option['r'])
        status = reference_times(cli, cli->option['r'], !cli->option['h'], times);
    if (status != CLI_OK)
        return status;
    if (!access)
        times[0].nsec = FSIF_UTIME_OMIT;
    if (!modify)
        times[1].nsec = FSIF_UTIME_OMIT;
    return cli_each(cli, operands, count, touch_one);
}
