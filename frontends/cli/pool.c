/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "cli.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/*
 * Threads that take jobs off a stack; a job may push others. Last in first out keeps a walk of a
 * tree in its depth, so few directories are open at once.
 *
 * `left` counts jobs that are pushed and have not ended. All fields are under lock.
 */

struct pool {
    pthread_mutex_t lock;
    pthread_cond_t work; /* a job was pushed, or closing */
    pthread_cond_t idle; /* left became 0 */
    struct job *top;
    size_t left;
    int closing;
    unsigned int nthreads;
    pthread_t threads[];
};

static struct job *take(struct pool *p)
{
    struct job *job;

    while (p->top == NULL && !p->closing)
        pthread_cond_wait(&p->work, &p->lock);
    job = p->top;
    if (job != NULL)
        p->top = job->next;
    return job;
}

static void *work(void *arg)
{
    struct pool *p = arg;
    void *buf = malloc(CLI_CHUNK);
    struct job *job;

    if (buf == NULL)
        cli_no_memory();
    pthread_mutex_lock(&p->lock);
    while ((job = take(p)) != NULL) {
        pthread_mutex_unlock(&p->lock);
        job->run(job, buf);
        pthread_mutex_lock(&p->lock);
        if (--p->left == 0)
            pthread_cond_signal(&p->idle);
    }
    pthread_mutex_unlock(&p->lock);
    free(buf);
    return NULL;
}

struct pool *pool_create(struct cli *cli, unsigned int threads)
{
    struct pool *p = cli_alloc(sizeof(*p) + threads * sizeof(p->threads[0]));
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->work, NULL);
    pthread_cond_init(&p->idle, &attr);
    pthread_condattr_destroy(&attr);
    while (p->nthreads < threads) {
        int err = pthread_create(&p->threads[p->nthreads], NULL, work, p);

        if (err != 0 && p->nthreads == 0) {
            cli_say(cli, "no threads: %s", strerror(err));
            pool_destroy(p);
            return NULL;
        }
        if (err != 0)
            break;
        p->nthreads++;
    }
    return p;
}

void pool_push(struct pool *p, struct job *job)
{
    pthread_mutex_lock(&p->lock);
    job->next = p->top;
    p->top = job;
    p->left++;
    pthread_cond_signal(&p->work);
    pthread_mutex_unlock(&p->lock);
}

void pool_wait(struct pool *p, void (*tick)(void *arg), void *arg)
{
    struct timespec until;

    pthread_mutex_lock(&p->lock);
    clock_gettime(CLOCK_MONOTONIC, &until);
    while (p->left > 0) {
        until.tv_nsec += 200000000;
        if (until.tv_nsec >= 1000000000) {
            until.tv_nsec -= 1000000000;
            until.tv_sec++;
        }
        while (p->left > 0 && pthread_cond_timedwait(&p->idle, &p->lock, &until) == 0) {
        }
        if (tick != NULL) {
            pthread_mutex_unlock(&p->lock);
            tick(arg);
            pthread_mutex_lock(&p->lock);
        }
    }
    pthread_mutex_unlock(&p->lock);
}

void pool_destroy(struct pool *p)
{
    unsigned int i;

    pthread_mutex_lock(&p->lock);
    p->closing = 1;
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->lock);
    for (i = 0; i < p->nthreads; i++)
        pthread_join(p->threads[i], NULL);
    pthread_cond_destroy(&p->idle);
    pthread_cond_destroy(&p->work);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

struct pool *cli_pool(struct cli *cli)
{
    if (cli->pool == NULL)
        cli->pool = pool_create(cli, cli->jobs);
    return cli->pool;
}
