/* SPDX-License-Identifier: MIT */
#ifndef FSI_CLI_GET_H
#define FSI_CLI_GET_H

/* What get.c (trees) and get_file.c (one file) share. */

#include "cli.h"

struct get {
    struct cli *cli;
    struct cli_session *session;
    struct fsif_client *client;
    const char *export_name;
    struct pool *pool;
    struct twins *twins; /* with -a */
    struct keep keep;
    struct progress progress;
};

struct get_job {
    struct job job;
    struct get *get;
    struct ldir *dir; /* where it goes */
    char *path;       /* in the export */
    char *name;       /* in dir */
    int known;        /* dialect 3: attr is what the listing said, a link itself */
    int follow;       /* a link is what it leads to */
    int fh;           /* dialects 1 and 2: it was opened to look at it; else -1 */
    struct fsif_attr attr;
};

/* ".fsif-PID-N.tmp" */
void get_temporary(char out[64]);
void get_remote_failed(struct get *g, const char *path, int err);
void get_local_failed(struct get *g, const struct ldir *dir, const char *name, int err);
void get_differs(struct get *g, const struct ldir *dir, const char *name);
/* Copy a regular file; what fails is reported. @buf: CLI_CHUNK bytes. Return: 1 if it is there now
 */
int get_file(struct get_job *j, void *buf);

#endif
