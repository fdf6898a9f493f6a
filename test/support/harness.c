/* SPDX-License-Identifier: MIT */

/*
 * The threads of a queue take turns: the one that holds `fetching` fetches, and sleeps when there
 * is nothing; with a request in hand it lets go, so that the next one fetches while it executes.
 * `over` is set once and makes every thread leave when it fetches next. Whoever may have let a lock
 * go, or made room for notices, tries the locks that wait; queue 0's sleeper looks for changes.
 */

#define _GNU_SOURCE
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <fsif/backend.h>
#include <fsif/directory.h>
#include <fsif/host.h>
#include <fsif/loop.h>
#include <fsif/negotiate.h>
#include "harness.h"

enum {
    MAX_THREADS = 16,
    MAX_PAGES = 8192,
    MAX_STREAMS = 16,
    MAX_QUEUES = 16,
    MAX_WAITING = 64,
    LOCK_RETRY_MS = 5
};

struct queue {
    struct harness *harness;
    uint32_t number;
    struct fsif_backend backend;
    void *state;
    pthread_mutex_t fetching;
};

struct harness {
    struct harness_options options;
    struct fsif_session *session;
    struct queue queues[MAX_QUEUES];
    uint32_t nqueues;
    void *shared; /* the ring, or the area of dialect 3 */
    uint32_t shared_pages;
    int stop_fd;
    int waiting_fd; /* a lock begins to wait */
    pthread_t acceptor;
    atomic_int over;
};

static atomic_uint bells;

static int counted_notify(struct fsif_session *s, uint32_t queue)
{
    atomic_fetch_add(&bells, 1);
    return fsif_transport_loop.notify(s, queue);
}

static const struct fsif_transport *counted(void)
{
    static struct fsif_transport t;
    static pthread_mutex_t once = PTHREAD_MUTEX_INITIALIZER;

    pthread_mutex_lock(&once);
    if (t.size == 0) {
        t = fsif_transport_loop;
        t.notify = counted_notify;
    }
    pthread_mutex_unlock(&once);
    return &t;
}

uint32_t harness_bells(void)
{
    return atomic_load(&bells);
}

/* Returns 0 when @fd or @other (may be -1) is readable or the time is over, -FSIF_ECANCELED when
 * the harness stops or the peer is gone. */
static int wait_for(struct harness *h, int fd, int other, int waiting_fd, int timeout_ms)
{
    struct pollfd fds[5] = {
        {.fd = fd, .events = POLLIN},
        {.fd = h->stop_fd, .events = POLLIN},
        {.fd = counted()->peer_fd(h->session), .events = POLLIN},
        {.fd = other, .events = POLLIN},
        {.fd = waiting_fd, .events = POLLIN},
    };
    eventfd_t count;

    while (poll(fds, 5, timeout_ms) < 0)
        ;
    if (fds[4].revents != 0 && eventfd_read(waiting_fd, &count) != 0)
        abort();
    if (fds[1].revents != 0)
        return -FSIF_ECANCELED;
    if (counted()->peer_state(h->session) == FSIF_PEER_GONE)
        return -FSIF_ECANCELED;
    return 0;
}

static int attach(void *arg, const char *name, const struct fsif_store_ops **ops,
                  struct fsif_store **store)
{
    struct harness *h = arg;

    if (h->options.other == NULL || strcmp(name, "other") != 0)
        return -FSIF_ENOENT;
    *ops = h->options.ops;
    *store = h->options.other;
    return 0;
}

/* Queue 0's sleeper must know. */
static void on_waiting(void *arg)
{
    if (eventfd_write(((struct harness *)arg)->waiting_fd, 1) != 0)
        abort();
}

static int start_queue(struct harness *h, const struct fsif_backend_config *config)
{
    struct queue *q = &h->queues[h->nqueues];
    int err;

    q->state = malloc(fsif_backend_state_size(config));
    if (q->state == NULL)
        return -FSIF_ENOMEM;
    err = fsif_backend_init(&q->backend, config, q->state);
    if (err != 0) {
        free(q->state);
        return err;
    }
    q->harness = h;
    q->number = h->nqueues++;
    pthread_mutex_init(&q->fetching, NULL);
    return 0;
}

static int map_area(struct harness *h, const struct fsif_offer *offer)
{
    uint32_t n = fsif_area_pages(offer->queues, offer->slots, offer->arena_pages);
    uint32_t *grefs = calloc(n, sizeof(*grefs));
    int err = grefs == NULL
                  ? -FSIF_ENOMEM
                  : fsif_directory_read(counted(), h->session, offer->directory, grefs, n);

    if (err == 0)
        err = counted()->map(h->session, grefs, n, &h->shared);
    if (err == 0)
        h->shared_pages = n;
    free(grefs);
    return err;
}

static int start_queues(struct harness *h, const struct fsif_offer *offer,
                        const struct fsif_choice *choice, struct fsif_backend_config *config)
{
    size_t ring = fsif_ring_bytes(offer->slots);
    int err = map_area(h, offer);

    config->slots = offer->slots;
    config->arena_pages = offer->arena_pages;
    config->max_io = choice->max_io;
    config->max_locks = config->max_watches = MAX_WAITING;
    config->attach = attach;
    config->waiting = on_waiting;
    config->arg = h;
    while (err == 0 && h->nqueues < choice->queues) {
        config->arena = (char *)h->shared + offer->queues * ring;
        config->ring = (char *)h->shared + h->nqueues * ring;
        config->queue = h->nqueues;
        config->first = h->nqueues == 0 ? NULL : &h->queues[0].backend;
        err = start_queue(h, config);
    }
    return err;
}

static int start_ring(struct harness *h, const struct fsif_offer *offer,
                      struct fsif_backend_config *config)
{
    int err = counted()->map(h->session, offer->ring_grefs, offer->ring_pages, &h->shared);

    if (err != 0)
        return err;
    h->shared_pages = offer->ring_pages;
    config->ring = h->shared;
    config->ring_pages = offer->ring_pages;
    return start_queue(h, config);
}

/* Make the session that @offer asks for, up to the answer that is to be sent. */
static int set_up(struct harness *h, const struct fsif_dict *text, struct fsif_choice *choice)
{
    struct fsif_backend_config config = {
        .size = sizeof(config),
        .max_handles = h->options.max_handles != 0 ? h->options.max_handles : 256,
        .max_streams = MAX_STREAMS,
        .transport = counted(),
        .session = h->session,
        .store_ops = h->options.ops,
        .store = h->options.store,
        .hooks = h->options.hooks,
    };
    struct fsif_offer offer;
    int err = fsif_offer_read(text, &offer);

    if (err == 0)
        err = fsif_choose(&offer, FSIF_DIALECTS_KNOWN, choice);
    if (err == 0)
        err = counted()->session_accept_memory(h->session, text, MAX_PAGES);
    if (err != 0)
        return err;
    config.dialect = choice->dialect;
    config.features = choice->features;
    return choice->dialect == 3 ? start_queues(h, &offer, choice, &config)
                                : start_ring(h, &offer, &config);
}

static int accept_session(struct harness *h)
{
    struct fsif_choice choice;
    struct fsif_dict text;
    int err;

    while ((err = counted()->session_next_offer(h->session, &text)) == -FSIF_EAGAIN) {
        err = wait_for(h, counted()->peer_fd(h->session), -1, -1, -1);
        if (err != 0)
            return err;
    }
    if (err != 0)
        return err;
    memset(&choice, 0, sizeof(choice));
    err = set_up(h, &text, &choice);
    choice.status = err;
    choice.read_only = h->options.read_only;
    if (fsif_choice_write(&choice, &text) == 0)
        counted()->session_answer(h->session, &text, err == 0 ? (int)h->nqueues : 0);
    return err;
}

/* Queue 0's sleeper also looks for changes, and for locks that other sessions let go. */
static void sleep_on(struct queue *q)
{
    struct harness *h = q->harness;
    const struct fsif_store_ops *ops = h->options.ops;
    int watch = q->number == 0 && ops->watch_fd != NULL ? ops->watch_fd(h->options.store) : -1;
    uint32_t waiting = q->number == 0 ? fsif_backend_lock_waiters(&q->backend) : 0;

    if (wait_for(h, counted()->event_fd(h->session, q->number), watch,
                 q->number == 0 ? h->waiting_fd : -1, waiting > 0 ? LOCK_RETRY_MS : -1) != 0)
        atomic_store(&h->over, 1);
    counted()->acknowledge(h->session, q->number);
    if (watch >= 0)
        (void)fsif_backend_changes(&q->backend);
    if (waiting > 0)
        (void)fsif_backend_retry_locks(&q->backend);
    fsif_backend_flush(&q->backend);
}

/* Called with `fetching` held. Returns 1 and a request, or 0: it is over. */
static int next_request(struct queue *q, struct fsif_fetched *rq)
{
    struct harness *h = q->harness;

    while (!atomic_load(&h->over)) {
        int r = fsif_backend_fetch(&q->backend, rq);
        if (r > 0)
            return 1;
        if (r < 0) {
            atomic_store(&h->over, 1);
            if (eventfd_write(h->stop_fd, 1) != 0) /* wakes the others */
                abort();
        } else if (fsif_backend_arm(&q->backend) == 0) {
            sleep_on(q);
        }
    }
    return 0;
}

static void *serve(void *arg)
{
    struct queue *q = arg;
    struct fsif_fetched *rq = malloc(sizeof(*rq));
    int more = rq != NULL;

    while (more) {
        pthread_mutex_lock(&q->fetching);
        more = next_request(q, rq);
        pthread_mutex_unlock(&q->fetching);
        if (more) {
            fsif_backend_execute(&q->backend, rq);
            fsif_backend_flush(&q->backend);
        }
    }
    free(rq);
    return NULL;
}

/* The first thread: hand-shake, helpers, work, end of the engines. */
static void *run(void *arg)
{
    struct harness *h = arg;
    pthread_t helper[MAX_QUEUES * MAX_THREADS];
    uint32_t n = 0;
    uint32_t threads = h->options.threads ? h->options.threads : 1;

    if (accept_session(h) == 0) {
        threads = threads > MAX_THREADS ? MAX_THREADS : threads;
        for (uint32_t i = 1; i < threads * h->nqueues; i++)
            n += pthread_create(&helper[n], NULL, serve, &h->queues[i % h->nqueues]) == 0;
        serve(&h->queues[0]);
        while (n > 0)
            pthread_join(helper[--n], NULL);
    }
    while (h->nqueues > 0) {
        struct queue *q = &h->queues[--h->nqueues];

        fsif_backend_fini(&q->backend);
        free(q->state);
        pthread_mutex_destroy(&q->fetching);
    }
    if (h->shared != NULL)
        counted()->unmap(h->session, h->shared, h->shared_pages);
    counted()->close(h->session);
    return NULL;
}

int harness_start(const struct harness_options *o, struct harness **out, struct fsif_client **cl)
{
    struct harness *h = calloc(1, sizeof(*h));
    struct fsif_client_options options;
    struct fsif_session *frontend;
    int err;

    *out = NULL;
    if (h == NULL)
        return -FSIF_ENOMEM;
    err = fsif_loop_pair(&frontend, &h->session);
    if (err != 0) {
        free(h);
        return err;
    }
    h->options = *o;
    h->stop_fd = eventfd(0, EFD_CLOEXEC);
    h->waiting_fd = eventfd(0, EFD_CLOEXEC);
    if (h->stop_fd < 0 || h->waiting_fd < 0 || pthread_create(&h->acceptor, NULL, run, h) != 0)
        abort();
    fsif_client_options_init(&options);
    if (o->client.size != 0)
        options = o->client;
    options.transport = counted();
    options.session = frontend;
    err = fsif_connect(NULL, "data", &options, cl);
    if (err != 0) {
        harness_stop(h);
        return err;
    }
    *out = h;
    return 0;
}

void harness_stop(struct harness *h)
{
    if (h == NULL)
        return;
    if (eventfd_write(h->stop_fd, 1) != 0)
        abort();
    pthread_join(h->acceptor, NULL);
    close(h->waiting_fd);
    close(h->stop_fd);
    free(h);
}
