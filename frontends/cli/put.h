/* SPDX-License-Identifier: MIT */
#ifndef FSI_CLI_PUT_H
#define FSI_CLI_PUT_H

/* What put.c (trees) and put_file.c (one file) share. */

#include <sys/stat.h>
#include "cli.h"

struct put {
    struct cli *cli;
    struct cli_session *session;
    struct fsif_client *client;
    const char *export_name;
    struct pool *pool;
    struct twins *twins; /* with -a */
    struct keep keep;
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

void put_remote_failed(struct put *p, const char *path, int err);
void put_local_failed(const struct put_job *j, int err);
void put_differs(struct put *p, const char *path);
/* Copy the open regular file @fd; what fails is reported. @buf: CLI_CHUNK bytes. Return: 1 if it is
 * there now */
int put_file(struct put_job *j, int fd, const struct stat *st, void *buf);

#endif
