/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "local_backend.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <fsif/directory.h>
#include <fsif/fsif.h>
#include <fsif/loop.h>
#include <fsif/memory.h>

/*
 * The threads of a queue take its ring in turn: whoever holds `ring` fetches, releases it and
 * executes, so a request that is held up holds up nobody else as long as a thread is left.
 */

#define MAX_THREADS 8u

struct queue {
    struct local_backend *backend;
    uint32_t number;
    struct fsif_backend be;
    void *state;
    uint32_t nthreads;
    pthread_t threads[MAX_THREADS];
    pthread_mutex_t ring;
};

struct local_backend {
    struct fsif_session *session;
    struct queue queues[FSIF_QUEUES_MAX];
    uint32_t nqueues;
    uint32_t max_pages; /* that are taken; 0: any number */
    struct fsif_store *store;
    struct fsif_store *other;  /* the export "other" */
    struct fsif_store_ops ops; /* the memory store with a gate before it */
    int stop_fd;
    uint32_t nthreads; /* of each queue */
    pthread_t starter;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* under lock */
    int holding;
    uint32_t passes;
    uint32_t held;
    uint64_t short_at;
    int short_error;
    struct local_backend *next;
};

/* By their store; under backends_lock. */
static struct local_backend *backends;
static pthread_mutex_t backends_lock = PTHREAD_MUTEX_INITIALIZER;

#define T (&fsif_transport_loop)
#define M (&fsif_store_memory)

#define CHECK(x)                                                                                   \
    do {                                                                                           \
        if (!(x))                                                                                  \
            abort();                                                                               \
    } while (0)

static void pass_gate(struct local_backend *b)
{
    pthread_mutex_lock(&b->lock);
    b->held++;
    pthread_cond_broadcast(&b->changed);
    while (b->holding && b->passes == 0)
        pthread_cond_wait(&b->changed, &b->lock);
    if (b->passes > 0)
        b->passes--;
    b->held--;
    pthread_mutex_unlock(&b->lock);
}

/* Return: bytes that may be moved, or the scripted error */
static int64_t cut(struct local_backend *b, uint32_t len, uint64_t off)
{
    int64_t n = len;

    pthread_mutex_lock(&b->lock);
    if (off >= b->short_at)
        n = b->short_error;
    else if (off + len > b->short_at)
        n = (int64_t)(b->short_at - off);
    pthread_mutex_unlock(&b->lock);
    return n;
}

static struct local_backend *backend_of(const struct fsif_store *st)
{
    struct local_backend *b;

    pthread_mutex_lock(&backends_lock);
    for (b = backends; b->store != st; b = b->next)
        CHECK(b->next != NULL);
    pthread_mutex_unlock(&backends_lock);
    return b;
}

static int64_t gated_read(struct fsif_store *st, uint64_t file, void *buf, uint32_t len,
                          uint64_t off)
{
    struct local_backend *b = backend_of(st);
    int64_t n;

    pass_gate(b);
    n = cut(b, len, off);
    return n < 0 ? n : M->read(st, file, buf, (uint32_t)n, off);
}

static int64_t gated_write(struct fsif_store *st, uint64_t file, const void *buf, uint32_t len,
                           uint64_t off, uint32_t flags)
{
    int64_t n = off == FSIF_STORE_END ? len : cut(backend_of(st), len, off);

    return n < 0 ? n : M->write(st, file, buf, (uint32_t)n, off, flags);
}

static int lying_lock(struct fsif_store *st, uint64_t file, uint32_t flags, struct fsif_lock *lock)
{
    (void)st;
    (void)file;
    (void)flags;
    (void)lock;
    return -FSIF_EINPROGRESS;
}

/* --- the backend's side of the handshake --------------------------------------------------- */

static void next_offer(struct local_backend *b, struct fsif_dict *dict, struct fsif_offer *offer)
{
    int err;

    for (;;) {
        struct pollfd fd = {.fd = T->peer_fd(b->session), .events = POLLIN};

        err = T->session_next_offer(b->session, dict);
        if (err != -FSIF_EAGAIN)
            break;
        poll(&fd, 1, -1);
    }
    CHECK(err == 0);
    CHECK(fsif_offer_read(dict, offer) == 0);
}

static int attach(void *arg, const char *name, const struct fsif_store_ops **ops,
                  struct fsif_store **store)
{
    struct local_backend *b = arg;

    if (strcmp(name, "other") != 0)
        return -FSIF_ENOENT;
    *ops = M;
    *store = b->other;
    return 0;
}

/* Map the area of dialect 3. Return: its first page */
static char *map_area(struct local_backend *b, const struct fsif_offer *offer)
{
    uint32_t n = fsif_area_pages(offer->queues, offer->slots, offer->arena_pages);
    uint32_t *grefs = calloc(n, sizeof(*grefs));
    void *mem;

    CHECK(grefs != NULL);
    CHECK(fsif_directory_read(T, b->session, offer->directory, grefs, n) == 0);
    CHECK(T->map(b->session, grefs, n, &mem) == 0);
    free(grefs);
    return mem;
}

static void start_queue(struct local_backend *b, const struct fsif_backend_config *config)
{
    struct queue *q = &b->queues[b->nqueues];

    q->backend = b;
    q->number = b->nqueues++;
    pthread_mutex_init(&q->ring, NULL);
    q->state = calloc(1, fsif_backend_state_size(config));
    CHECK(q->state != NULL);
    CHECK(fsif_backend_init(&q->be, config, q->state) == 0);
}

static void start_queues(struct local_backend *b, const struct fsif_offer *offer,
                         const struct fsif_choice *choice, struct fsif_backend_config *config)
{
    size_t ring = fsif_ring_bytes(offer->slots);
    char *area = map_area(b, offer);

    config->slots = offer->slots;
    config->arena = area + offer->queues * ring;
    config->arena_pages = offer->arena_pages;
    config->max_io = choice->max_io;
    config->max_locks = 16;
    config->max_watches = 16;
    config->attach = attach;
    config->arg = b;
    while (b->nqueues < choice->queues) {
        config->ring = area + b->nqueues * ring;
        config->queue = b->nqueues;
        config->first = b->nqueues == 0 ? NULL : &b->queues[0].be;
        start_queue(b, config);
    }
}

/* Return: 0 it was refused */
static int answer(struct local_backend *b, const struct fsif_offer *offer,
                  const struct fsif_dict *from)
{
    struct fsif_choice choice;
    struct fsif_dict dict;
    struct fsif_backend_config config = {
        .size = sizeof(config),
        .ring_pages = offer->ring_pages,
        .max_handles = 256,
        .max_streams = 8,
        .transport = T,
        .session = b->session,
        .store_ops = &b->ops,
        .store = b->store,
    };

    CHECK(fsif_choose(offer, FSIF_DIALECTS_KNOWN, &choice) == 0);
    if (b->max_pages != 0 && offer->pages > b->max_pages)
        choice.status = -FSIF_E2BIG;
    if (choice.status == 0) {
        CHECK(T->session_accept_memory(b->session, from, offer->pages) == 0);
        config.dialect = choice.dialect;
        config.features = choice.features;
        if (choice.dialect == 3) {
            start_queues(b, offer, &choice, &config);
        } else {
            CHECK(T->map(b->session, offer->ring_grefs, offer->ring_pages, &config.ring) == 0);
            start_queue(b, &config);
        }
    }
    CHECK(fsif_choice_write(&choice, &dict) == 0);
    CHECK(T->session_answer(b->session, &dict, (int)b->nqueues) == 0);
    return choice.status == 0;
}

/* --- serving ------------------------------------------------------------------------------- */

/* Fetch one request, sleeping until there is one. Ring held. Return: 0 to stop */
static int fetch(struct queue *q, struct fsif_fetched *rq)
{
    struct local_backend *b = q->backend;

    for (;;) {
        struct pollfd fds[4] = {
            {.fd = T->event_fd(b->session, q->number), .events = POLLIN},
            {.fd = b->stop_fd, .events = POLLIN},
            {.fd = T->peer_fd(b->session), .events = POLLIN},
            {.fd = q->number == 0 ? M->watch_fd(b->store) : -1, .events = POLLIN},
        };
        int n = fsif_backend_fetch(&q->be, rq);

        if (n != 0)
            return n > 0;
        if (fsif_backend_arm(&q->be) != 0)
            continue;
        if (poll(fds, 4, -1) < 0 && errno != EINTR)
            abort();
        if (fds[0].revents != 0)
            T->acknowledge(b->session, q->number);
        if (fds[1].revents != 0)
            return 0;
        if (fds[2].revents != 0 && T->peer_state(b->session) == FSIF_PEER_GONE)
            return 0;
        if (fds[3].revents != 0 && fsif_backend_changes(&q->be) > 0)
            fsif_backend_flush(&q->be);
    }
}

static void *serve(void *arg)
{
    struct queue *q = arg;
    struct fsif_fetched *rq = malloc(sizeof(*rq));
    int more;

    CHECK(rq != NULL);
    do {
        pthread_mutex_lock(&q->ring);
        more = fetch(q, rq);
        pthread_mutex_unlock(&q->ring);
        if (more) {
            fsif_backend_execute(&q->be, rq);
            fsif_backend_flush(&q->be);
            /* A lock that this queue let go may be what another waits for. */
            fsif_backend_flush(&q->backend->queues[0].be);
        }
    } while (more);
    free(rq);
    return NULL;
}

static void *begin(void *arg)
{
    struct local_backend *b = arg;
    struct fsif_offer offer;
    struct fsif_dict from;
    uint32_t i;
    uint32_t k;

    next_offer(b, &from, &offer);
    if (!answer(b, &offer, &from))
        return NULL;
    for (i = 0; i < b->nqueues; i++) {
        struct queue *q = &b->queues[i];

        for (k = 0; k < b->nthreads; k++)
            CHECK(pthread_create(&q->threads[q->nthreads++], NULL, serve, q) == 0);
    }
    return NULL;
}

static void make_stores(struct local_backend *b, uint32_t read_only, uint32_t lies)
{
    struct fsif_store_config config = {
        .size = sizeof(config), .source = "", .root_fd = -1, .read_only = read_only};

    CHECK(M->create(&config, &b->store) == 0);
    CHECK(M->create(&config, &b->other) == 0);
    b->ops = *M;
    b->ops.read = gated_read;
    b->ops.write = gated_write;
    if (lies)
        b->ops.lock = lying_lock;
    pthread_mutex_lock(&backends_lock);
    b->next = backends;
    backends = b;
    pthread_mutex_unlock(&backends_lock);
}

int local_backend_try(const struct local_backend_options *o,
                      const struct fsif_client_options *options, struct fsif_client **client,
                      struct local_backend **out)
{
    struct local_backend *b = calloc(1, sizeof(*b));
    struct fsif_client_options co;
    int err;

    CHECK(b != NULL);
    b->nthreads = o == NULL || o->threads == 0 ? 1 : o->threads;
    CHECK(b->nthreads <= MAX_THREADS);
    b->max_pages = o == NULL ? 0 : o->max_pages;
    b->short_at = UINT64_MAX;
    b->stop_fd = eventfd(0, EFD_CLOEXEC);
    pthread_mutex_init(&b->lock, NULL);
    pthread_cond_init(&b->changed, NULL);
    make_stores(b, o != NULL && o->read_only, o != NULL && o->lies);

    fsif_client_options_init(&co);
    if (options != NULL)
        co = *options;
    co.transport = T;
    CHECK(fsif_loop_pair(&co.session, &b->session) == 0);
    CHECK(pthread_create(&b->starter, NULL, begin, b) == 0);
    err = fsif_connect(NULL, "test", &co, client);
    pthread_join(b->starter, NULL);
    *out = b;
    return err;
}

struct local_backend *local_backend_start(const struct local_backend_options *o,
                                          const struct fsif_client_options *options,
                                          struct fsif_client **client)
{
    struct local_backend *b;

    CHECK(local_backend_try(o, options, client, &b) == 0);
    return b;
}

static void forget(const struct local_backend *b)
{
    struct local_backend **at = &backends;

    pthread_mutex_lock(&backends_lock);
    while (*at != b)
        at = &(*at)->next;
    *at = b->next;
    pthread_mutex_unlock(&backends_lock);
}

void local_backend_stop(struct local_backend *b)
{
    const uint64_t one = 1;
    uint32_t i;
    uint32_t k;

    local_backend_release(b);
    CHECK(write(b->stop_fd, &one, sizeof(one)) == sizeof(one));
    for (i = 0; i < b->nqueues; i++) {
        for (k = 0; k < b->queues[i].nthreads; k++)
            pthread_join(b->queues[i].threads[k], NULL);
    }
    for (i = b->nqueues; i-- > 0;) {
        fsif_backend_fini(&b->queues[i].be);
        pthread_mutex_destroy(&b->queues[i].ring);
        free(b->queues[i].state);
    }
    T->close(b->session);
    forget(b);
    M->destroy(b->store);
    M->destroy(b->other);
    close(b->stop_fd);
    pthread_cond_destroy(&b->changed);
    pthread_mutex_destroy(&b->lock);
    free(b);
}

void local_backend_hold(struct local_backend *b, uint32_t n)
{
    pthread_mutex_lock(&b->lock);
    b->holding = 1;
    b->passes = n;
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->lock);
}

void local_backend_release(struct local_backend *b)
{
    pthread_mutex_lock(&b->lock);
    b->holding = 0;
    b->passes = 0;
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->lock);
}

void local_backend_wait_held(struct local_backend *b, uint32_t n)
{
    pthread_mutex_lock(&b->lock);
    while (b->held < n)
        pthread_cond_wait(&b->changed, &b->lock);
    pthread_mutex_unlock(&b->lock);
}

void local_backend_short(struct local_backend *b, uint64_t offset, int error)
{
    pthread_mutex_lock(&b->lock);
    b->short_at = offset;
    b->short_error = error;
    pthread_mutex_unlock(&b->lock);
}

uint32_t local_backend_lock_waiters(struct local_backend *b)
{
    return fsif_backend_lock_waiters(&b->queues[0].be);
}
