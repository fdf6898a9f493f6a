/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "cli.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

/*
 * Files of several names, while a tree is copied with -a: the first name that is met is copied, the
 * others become links to that copy.
 *
 *   NEW --meet: COPY--> UNDER_WAY --copied, well--> THERE --every name seen--> forgotten
 *    ^                     |  meet: WAITS                  meet: LINK
 *    '----copied, badly----'
 *
 * A job that waits is pushed again when the copy ends, and meets the file anew; so it becomes the
 * one that copies if the first could not. All fields are under lock. A file stays in the table
 * while a job links to it (users), whatever a backend says of how many names there are.
 */

enum state { NEW, UNDER_WAY, THERE };

struct twin {
    uint64_t dev;
    uint64_t ino;
    enum state state;
    uint64_t left; /* names that were not met yet */
    unsigned int users;
    struct job *waiting;
    struct ldir *dir;
    char *name;
};

struct twins {
    pthread_mutex_t lock;
    void *root; /* of tsearch() */
};

static int by_number(const void *a, const void *b)
{
    const struct twin *x = a;
    const struct twin *y = b;

    if (x->dev != y->dev)
        return x->dev < y->dev ? -1 : 1;
    return x->ino < y->ino ? -1 : x->ino > y->ino;
}

struct twins *twins_create(void)
{
    struct twins *t = cli_alloc(sizeof(*t));

    pthread_mutex_init(&t->lock, NULL);
    return t;
}

static struct twin *find(struct twins *t, uint64_t dev, uint64_t ino)
{
    struct twin key = {.dev = dev, .ino = ino};
    struct twin **found = tfind(&key, &t->root, by_number);
    struct twin *made;

    if (found != NULL)
        return *found;
    made = cli_alloc(sizeof(*made));
    made->dev = dev;
    made->ino = ino;
    if (tsearch(made, &t->root, by_number) == NULL)
        cli_no_memory();
    return made;
}

enum twin_role twins_meet(struct twins *t, uint64_t dev, uint64_t ino, uint64_t nlink,
                          struct job *job, struct twin **out)
{
    enum twin_role role;
    struct twin *f;

    pthread_mutex_lock(&t->lock);
    f = find(t, dev, ino);
    *out = f;
    if (f->state == NEW) {
        f->state = UNDER_WAY;
        f->left = nlink - 1;
        role = TWIN_COPY;
    } else if (f->state == UNDER_WAY) {
        job->next = f->waiting;
        f->waiting = job;
        role = TWIN_WAITS;
    } else {
        f->users++;
        role = TWIN_LINK;
    }
    pthread_mutex_unlock(&t->lock);
    return role;
}

void twins_copied(struct twins *t, struct twin *f, struct pool *pool, int ok, struct ldir *dir,
                  const char *name)
{
    struct job *job;

    pthread_mutex_lock(&t->lock);
    f->state = ok ? THERE : NEW;
    if (ok) {
        f->name = cli_format("%s", name);
        f->dir = dir;
        if (dir != NULL)
            ldir_get(dir);
    }
    job = f->waiting;
    f->waiting = NULL;
    pthread_mutex_unlock(&t->lock);
    while (job != NULL) {
        struct job *next = job->next;

        pool_push(pool, job);
        job = next;
    }
}

const char *twin_place(const struct twin *f, struct ldir **dir)
{
    if (dir != NULL)
        *dir = f->dir;
    return f->name;
}

static struct ldir *forget(struct twins *t, struct twin *f)
{
    struct ldir *dir = f->dir;

    tdelete(f, &t->root, by_number);
    free(f->name);
    free(f);
    return dir;
}

struct ldir *twins_linked(struct twins *t, struct twin *f)
{
    struct ldir *dir = NULL;

    pthread_mutex_lock(&t->lock);
    f->users--;
    f->left -= f->left > 0;
    if (f->users == 0 && f->left == 0)
        dir = forget(t, f);
    pthread_mutex_unlock(&t->lock);
    return dir;
}

int twins_drain(struct twins *t, struct ldir **dir)
{
    if (t->root == NULL) {
        pthread_mutex_destroy(&t->lock);
        free(t);
        return 0;
    }
    *dir = forget(t, *(struct twin **)t->root);
    return 1;
}
