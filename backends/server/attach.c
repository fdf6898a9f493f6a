/* SPDX-License-Identifier: MIT */
/*
 * Another export for a session that runs:
 *
 *   engine's thread: NONE --ask--> ASKED ................ANSWERED --> open the store --> NONE
 *   main thread:                        --answer arrives-->
 *   either: --the session ends--> gave up: -FSIF_ECANCELED
 *
 * The thread that carries the request out waits; the ring is taken over meanwhile. The question is
 * the same as in the handshake, and so is the check behind it: the peer gets what an allow list
 * gives to the credentials that the kernel told, and one answer for all that it may not use.
 */
#include "attach.h"

#include <string.h>
#include <time.h>
#include <unistd.h>
#include "session.h"

/* A peer may ask in vain this often; then it waits PATIENCE_MS before each question. */
#define FREE_REFUSALS 16u
#define PATIENCE_MS 50u

void fsi_attach_init(struct fsi_attachments *a)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&a->turn, NULL);
    pthread_mutex_init(&a->lock, NULL);
    pthread_cond_init(&a->changed, &attr);
    pthread_condattr_destroy(&attr);
    a->root_fd = -1;
}

/* turn held, or before there are threads */
static void add(struct fsi_attachments *a, const char *name, const struct fsif_store_ops *ops,
                struct fsif_store *store)
{
    pthread_mutex_lock(&a->lock);
    strcpy(a->list[a->n].name, name);
    a->list[a->n].ops = *ops;
    a->list[a->n].store = store;
    a->n++;
    pthread_mutex_unlock(&a->lock);
}

void fsi_attach_first(struct fsi_attachments *a, const char *name, const struct fsif_store_ops *ops,
                      struct fsif_store *store)
{
    add(a, name, ops, store);
}

static void wait_a_while(struct fsi_attachments *a)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)PATIENCE_MS * 1000000;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_nsec -= 1000000000L;
        until.tv_sec++;
    }
    pthread_mutex_lock(&a->lock);
    while (!a->gave_up && !pthread_cond_timedwait(&a->changed, &a->lock, &until))
        ;
    pthread_mutex_unlock(&a->lock);
}

/* turn held. Returns 0, @opening and @fd; a negative FSIF_E* */
static int ask(struct fsi_session *s, const char *name, struct fsi_opening *opening, int *fd)
{
    struct fsi_attachments *a = &s->attachments;
    struct fsif_dict message;
    int rc = fsi_message_ask(&message, "export", name);

    if (rc)
        return rc;
    pthread_mutex_lock(&a->lock);
    if (!a->gave_up) {
        rc = fsi_control_send(s->control, &message, -1);
        a->question = rc ? FSI_QUESTION_NONE : FSI_QUESTION_ASKED;
    }
    while (!a->gave_up && a->question == FSI_QUESTION_ASKED)
        pthread_cond_wait(&a->changed, &a->lock);
    if (!rc && a->question != FSI_QUESTION_ANSWERED)
        rc = -FSIF_ECANCELED;
    if (!rc) {
        *opening = a->opening;
        *fd = a->root_fd;
        a->root_fd = -1;
    }
    a->question = FSI_QUESTION_NONE;
    pthread_mutex_unlock(&a->lock);
    return rc;
}

/* turn held */
static int attach(struct fsi_session *s, const char *name)
{
    struct fsi_attachments *a = &s->attachments;
    struct fsif_store_ops ops;
    struct fsif_store *store;
    struct fsi_opening opening;
    int fd;
    int rc;

    if (a->n == FSIF_BACKEND_EXPORTS_MAX)
        return -FSIF_EMFILE;
    if (a->refused >= FREE_REFUSALS)
        wait_a_while(a);
    rc = ask(s, name, &opening, &fd);
    if (rc)
        return rc;
    if (opening.status) {
        if (fd >= 0)
            close(fd);
        a->refused++;
        return opening.status;
    }
    rc = fsi_session_open_store(s, &opening, fd, &ops, &store);
    if (rc) {
        /* Once: the peer may try again and again. */
        if (!a->reported)
            fsi_session_report(s, "store-failed", fsif_strerror(rc));
        a->reported = 1;
        return -FSIF_EIO;
    }
    add(a, name, &ops, store);
    return 0;
}

int fsi_attach_export(void *arg, const char *name, const struct fsif_store_ops **ops,
                      struct fsif_store **store)
{
    struct fsi_session *s = arg;
    struct fsi_attachments *a = &s->attachments;
    uint32_t i = 0;
    int rc = 0;

    if (!fsif_export_name_valid(name))
        return -FSIF_ENOENT;
    pthread_mutex_lock(&a->turn);
    while (i < a->n && strcmp(a->list[i].name, name) != 0)
        i++;
    if (i == a->n)
        rc = attach(s, name);
    if (!rc) {
        *ops = &a->list[i].ops;
        *store = a->list[i].store;
    }
    pthread_mutex_unlock(&a->turn);
    return rc;
}

int fsi_attach_answer(struct fsi_session *s, const struct fsif_dict *answer, int fd)
{
    struct fsi_attachments *a = &s->attachments;
    int rc = -FSIF_EPROTO;

    pthread_mutex_lock(&a->lock);
    /* Who asked may have given up before it came. */
    if (a->gave_up)
        rc = 0;
    else if (a->question == FSI_QUESTION_ASKED && !fsi_opening_read(answer, &a->opening)) {
        a->root_fd = fd;
        fd = -1;
        a->question = FSI_QUESTION_ANSWERED;
        pthread_cond_broadcast(&a->changed);
        rc = 0;
    }
    pthread_mutex_unlock(&a->lock);
    if (fd >= 0)
        close(fd);
    return rc;
}

void fsi_attach_give_up(struct fsi_session *s)
{
    struct fsi_attachments *a = &s->attachments;

    pthread_mutex_lock(&a->lock);
    a->gave_up = 1;
    pthread_cond_broadcast(&a->changed);
    pthread_mutex_unlock(&a->lock);
}

int fsi_attach_watch_fd(struct fsi_session *s, uint32_t i)
{
    struct fsi_attachments *a = &s->attachments;
    int there;

    pthread_mutex_lock(&a->lock);
    there = i < a->n;
    pthread_mutex_unlock(&a->lock);
    /* A store's descriptor may be one of few, such as inotify's for each user. */
    if (!there || !a->list[i].ops.watch_fd ||
        !fsif_backend_watches(&s->engines[0].backend, a->list[i].store))
        return -FSIF_EOPNOTSUPP;
    return a->list[i].ops.watch_fd(a->list[i].store);
}

void fsi_attach_fini(struct fsi_attachments *a)
{
    while (a->n) {
        a->n--;
        a->list[a->n].ops.destroy(a->list[a->n].store);
    }
    if (a->root_fd >= 0)
        close(a->root_fd);
    pthread_cond_destroy(&a->changed);
    pthread_mutex_destroy(&a->lock);
    pthread_mutex_destroy(&a->turn);
}
