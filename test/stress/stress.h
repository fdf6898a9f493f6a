/* SPDX-License-Identifier: MIT */
#ifndef TEST_STRESS_H
#define TEST_STRESS_H

/* What the stress programs share: one queue over the loop transport, with both engines, that any
 * number of threads submit to and serve. */

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <fsif/backend.h>
#include <fsif/frontend.h>

#define CHECK(what)                                                                                \
    do {                                                                                           \
        if (!(what)) {                                                                             \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #what);                   \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

struct queue {
    struct fsif_session *front_session;
    struct fsif_session *back_session;
    uint32_t number;
    struct queue *next; /* of the session, in a circle; they share the arena */
    struct fsif_frontend fe;
    struct fsif_backend be;
    pthread_mutex_t fetching;
    pthread_mutex_t polling;
    atomic_int stop;
    atomic_uint started; /* calls that were taken */
    atomic_uint ended;   /* runs of their callbacks */
    atomic_uint early;   /* ended by cancel or deadline */
};

struct pending {
    struct fsif_call call;
    struct queue *queue;
    atomic_int runs;
};

/** queue_make_room - take responses of all of the session's queues */
void queue_make_room(struct queue *q);

/** queue_submit - start @p->call on @q, however long it takes to find room */
void queue_submit(struct queue *q, struct pending *p);

/** queue_wait - until @p has ended, which it must do once. Return: its value */
int64_t queue_wait(struct pending *p);

int64_t queue_run(struct queue *q, const struct fsif_op *op);

/** queue_run_early - a call that is ended while the backend works on it */
void queue_run_early(struct queue *q, const struct fsif_op *op, int expire);

/** queue_server - a thread that carries requests of its argument, a queue, out until stop */
void *queue_server(void *arg);

/** queue_settle - until the backend has answered what ended early; all that started has ended then
 */
void queue_settle(struct queue *q);

#endif
