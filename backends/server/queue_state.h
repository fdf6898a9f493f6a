/* SPDX-License-Identifier: MIT */
#ifndef FSI_SERVER_QUEUE_STATE_H
#define FSI_SERVER_QUEUE_STATE_H

/* What queue.c, watcher.c and threads.c know of a queue; queue.c has the states and who may do
 * what. */

#include <pthread.h>
#include <fsif/spin.h>
#include "barrier.h"
#include "counter.h"
#include "queue.h"

/* The word: bits 0-1 state, bits 2-9 thread, bits 10-31 sequence */
enum {
    WORD_FETCH = 0, /* the owner fetches, or looks out for a request */
    WORD_EXEC = 1,  /* it executes */
    WORD_IDLE = 2,  /* it sleeps, or is about to */
    WORD_STATE = 3,
};
#define WORD(thread, sequence) ((sequence) << 10 | (thread) << 2 | WORD_EXEC)

enum role {
    ROLE_OWNER,
    ROLE_WATCHER,
    ROLE_IDLE,
    ROLE_LEAVE,
};

struct thread {
    struct fsi_queue *queue;
    uint32_t number;
    enum role role; /* to begin with */
    pthread_t id;
    struct fsi_counter served; /* requests; written by this thread, as the next */
    struct fsi_counter moved;  /* bytes of data */
    struct fsif_fetched request;
};

struct fsi_queue {
    struct fsi_queue_config config;
    int wake_fd;
    int sleep_fd; /* the set of the bell and wake_fd, for the owner's sleep */
    int timer_fd; /* wakes the watcher that sleeps: set by the ring's owner */
    struct fsif_shared_u32 word;
    struct fsif_shared_u32 asleep;  /* the watcher sleeps until the timer says so */
    struct fsif_shared_u32 closing; /* enum fsi_close, or 0 */
    struct fsif_shared_u32 streak;  /* takeovers in a row; written by the watcher */
    uint32_t sequence;              /* the ring's owner, these four */
    uint32_t drain_left;            /* requests that a drain may still fetch */
    uint32_t unrung;                /* answers since the last flush */
    struct fsif_spin spin;

    pthread_mutex_t lock;
    pthread_cond_t idle_wakes;
    uint32_t nthreads; /* lock, all of these */
    uint32_t running;  /* owner and executors */
    uint32_t idle;
    uint32_t promoted; /* an idle thread was told to become the watcher */
    int has_watcher;   /* or will have one at once */
    int closed;        /* the intake is */
    int status;
    struct thread threads[];
};

/* --- watcher.c -------------------------------------------------------------------------------- */

/** fsi_queue_find_watcher - have a thread watch the owner, if one is left. lock held */
void fsi_queue_find_watcher(struct fsi_queue *q);

/** fsi_queue_watch_soon - wake the watcher @us from now, whatever it sleeps for. Threads: the
 * ring's owner */
void fsi_queue_watch_soon(struct fsi_queue *q, uint64_t us);

enum role fsi_queue_watch(struct fsi_queue *q);
enum role fsi_queue_rest(struct fsi_queue *q);

/* --- queue.c ---------------------------------------------------------------------------------- */

/** fsi_queue_start_thread - lock held. Return: 0; a negative FSIF_E* */
int fsi_queue_start_thread(struct fsi_queue *q, enum role role);

#endif
