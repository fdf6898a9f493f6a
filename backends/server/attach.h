/* SPDX-License-Identifier: MIT */
#ifndef FSI_SERVER_ATTACH_H
#define FSI_SERVER_ATTACH_H

/* The exports of a session: the one that it began with, and those that its peer asked for later. */

#include <pthread.h>
#include <fsif/backend.h>
#include "control.h"

struct fsi_session;

enum fsi_question {
    FSI_QUESTION_NONE = 0,
    FSI_QUESTION_ASKED,    /* the supervisor has yet to answer */
    FSI_QUESTION_ANSWERED, /* and did */
};

struct fsi_attachments {
    pthread_mutex_t turn; /* of whoever attaches an export */
    uint32_t refused;     /* turn: questions that were answered with no */
    int reported;         /* turn: that a store did not open */

    pthread_mutex_t lock; /* all of these; never held for long */
    pthread_cond_t changed;
    uint32_t n;
    struct {
        char name[FSIF_EXPORT_NAME_MAX + 1];
        struct fsif_store_ops ops; /* without those that the export lacks */
        struct fsif_store *store;
    } list[FSIF_BACKEND_EXPORTS_MAX]; /* what is there stays */
    enum fsi_question question;
    struct fsi_opening opening; /* the answer */
    int root_fd;                /* and what came with it */
    int gave_up;                /* no more questions */
};

void fsi_attach_init(struct fsi_attachments *a);

/** fsi_attach_first - the export that the session begins with, its store open */
void fsi_attach_first(struct fsi_attachments *a, const char *name, const struct fsif_store_ops *ops,
                      struct fsif_store *store);

/**
 * fsi_attach_export - fsif_backend_config.attach; @arg: struct fsi_session
 *
 * Asks the supervisor, who knows what the peer may use, and opens the store. One question at a
 * time; a peer that asks for what it may not use has to wait between its questions after a while.
 *
 * Threads: any but the main one, which takes the answer
 */
int fsi_attach_export(void *arg, const char *name, const struct fsif_store_ops **ops,
                      struct fsif_store **store);

/**
 * fsi_attach_answer - the supervisor's answer; takes @fd over
 *
 * Return: 0; -FSIF_EPROTO nobody asked, or it makes no sense
 */
int fsi_attach_answer(struct fsi_session *s, const struct fsif_dict *answer, int fd);

/** fsi_attach_give_up - whoever waits for an answer gets none */
void fsi_attach_give_up(struct fsi_session *s);

/** fsi_attach_watch_fd - what tells that a directory of export @i changed; a negative FSIF_E*: none
 * is watched */
int fsi_attach_watch_fd(struct fsi_session *s, uint32_t i);

/** fsi_attach_fini - close the stores; no engine uses them any more */
void fsi_attach_fini(struct fsi_attachments *a);

#endif
