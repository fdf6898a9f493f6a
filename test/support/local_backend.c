/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "local_backend.h"
#include "passing_store.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <fsif/fsif.h>
#include <fsif/loop.h>
#include <fsif/memory.h>

/*
 * The threads take the ring in turn: whoever holds `ring` fetches, releases it and executes, so a
 * request that is held up holds up nobody else as long as a thread is left.
 */

#define MAX_THREADS 8u

/* The scripted store: the memory store with a gate before it. */
struct fsif_store {
    struct passing_store to;
    struct local_backend *backend;
};

struct local_backend {
    struct fsif_session *session;
    struct fsif_backend be;
    struct fsif_store store;
    struct fsif_store_ops ops;
    void *state;
    int stop_fd;
    uint32_t nthreads;
    pthread_t threads[MAX_THREADS];
    pthread_mutex_t ring;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* under lock */
    int holding;
    uint32_t passes;
    uint32_t held;
    uint64_t short_at;
    int short_error;
};

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

static int64_t gated_read(struct fsif_store *st, uint64_t file, void *buf, uint32_t len,
                          uint64_t off)
{
    int64_t n;

    pass_gate(st->backend);
    n = cut(st->backend, len, off);
    return n < 0 ? n : M->read(st->to.inner, file, buf, (uint32_t)n, off);
}

static int64_t gated_write(struct fsif_store *st, uint64_t file, const void *buf, uint32_t len,
                           uint64_t off, uint32_t flags)
{
    int64_t n = cut(st->backend, len, off);

    return n < 0 ? n : M->write(st->to.inner, file, buf, (uint32_t)n, off, flags);
}

static void fill_ops(struct fsif_store_ops *ops)
{
    passing_ops(M, ops);
    ops->read = gated_read;
    ops->write = gated_write;
}

/* --- the backend's side of the handshake --------------------------------------------------- */

static void next_offer(struct local_backend *b, struct fsif_offer *offer)
{
    struct fsif_dict dict;
    int err;

    for (;;) {
        struct pollfd fd = {.fd = T->peer_fd(b->session), .events = POLLIN};

        err = T->session_next_offer(b->session, &dict);
        if (err != -FSIF_EAGAIN)
            break;
        poll(&fd, 1, -1);
    }
    CHECK(err == 0);
    CHECK(fsif_offer_read(&dict, offer) == 0);
    CHECK(T->session_accept_memory(b->session, &dict, offer->pages) == 0);
}

static void answer(struct local_backend *b, const struct fsif_offer *offer)
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
        .store = &b->store,
    };

    CHECK(fsif_choose(offer, FSIF_DIALECTS_KNOWN, &choice) == 0);
    config.dialect = choice.dialect;
    config.features = choice.features;
    CHECK(T->map(b->session, offer->ring_grefs, offer->ring_pages, &config.ring) == 0);
    b->state = calloc(1, fsif_backend_state_size(&config));
    CHECK(b->state != NULL);
    CHECK(fsif_backend_init(&b->be, &config, b->state) == 0);
    CHECK(fsif_choice_write(&choice, &dict) == 0);
    CHECK(T->session_answer(b->session, &dict, 1) == 0);
}

/* --- serving ------------------------------------------------------------------------------- */

/* Fetch one request, sleeping until there is one. Ring held. Return: 0 to stop */
static int fetch(struct local_backend *b, struct fsif_fetched *rq)
{
    for (;;) {
        struct pollfd fds[3] = {
            {.fd = T->event_fd(b->session, 0), .events = POLLIN},
            {.fd = b->stop_fd, .events = POLLIN},
            {.fd = T->peer_fd(b->session), .events = POLLIN},
        };
        int n = fsif_backend_fetch(&b->be, rq);

        if (n != 0)
            return n > 0;
        if (fsif_backend_arm(&b->be) != 0)
            continue;
        if (poll(fds, 3, -1) < 0 && errno != EINTR)
            abort();
        if (fds[0].revents != 0)
            T->acknowledge(b->session, 0);
        if (fds[1].revents != 0)
            return 0;
        if (fds[2].revents != 0 && T->peer_state(b->session) == FSIF_PEER_GONE)
            return 0;
    }
}

static void *serve(void *arg)
{
    struct local_backend *b = arg;
    struct fsif_fetched *rq = malloc(sizeof(*rq));
    int more;

    CHECK(rq != NULL);
    do {
        pthread_mutex_lock(&b->ring);
        more = fetch(b, rq);
        pthread_mutex_unlock(&b->ring);
        if (more) {
            fsif_backend_execute(&b->be, rq);
            fsif_backend_flush(&b->be);
        }
    } while (more);
    free(rq);
    return NULL;
}

static void *begin(void *arg)
{
    struct local_backend *b = arg;
    struct fsif_offer offer;

    next_offer(b, &offer);
    answer(b, &offer);
    return serve(b);
}

struct local_backend *local_backend_start(const struct local_backend_options *o,
                                          const struct fsif_client_options *options,
                                          struct fsif_client **client)
{
    struct fsif_store_config config = {.size = sizeof(config),
                                       .source = "",
                                       .root_fd = -1,
                                       .read_only = o != NULL && o->read_only};
    struct local_backend *b = calloc(1, sizeof(*b));
    struct fsif_client_options co;
    uint32_t i;

    CHECK(b != NULL);
    b->nthreads = o == NULL || o->threads == 0 ? 1 : o->threads;
    CHECK(b->nthreads <= MAX_THREADS);
    b->short_at = UINT64_MAX;
    b->store.backend = b;
    b->stop_fd = eventfd(0, EFD_CLOEXEC);
    pthread_mutex_init(&b->ring, NULL);
    pthread_mutex_init(&b->lock, NULL);
    pthread_cond_init(&b->changed, NULL);
    fill_ops(&b->ops);
    b->store.to.ops = M;
    CHECK(M->create(&config, &b->store.to.inner) == 0);

    fsif_client_options_init(&co);
    if (options != NULL)
        co = *options;
    co.transport = T;
    CHECK(fsif_loop_pair(&co.session, &b->session) == 0);
    CHECK(pthread_create(&b->threads[0], NULL, begin, b) == 0);
    CHECK(fsif_connect(NULL, "test", &co, client) == 0);
    for (i = 1; i < b->nthreads; i++)
        CHECK(pthread_create(&b->threads[i], NULL, serve, b) == 0);
    return b;
}

void local_backend_stop(struct local_backend *b)
{
    const uint64_t one = 1;
    uint32_t i;

    local_backend_release(b);
    CHECK(write(b->stop_fd, &one, sizeof(one)) == sizeof(one));
    for (i = 0; i < b->nthreads; i++)
        pthread_join(b->threads[i], NULL);
    fsif_backend_fini(&b->be);
    T->close(b->session);
    M->destroy(b->store.to.inner);
    close(b->stop_fd);
    pthread_cond_destroy(&b->changed);
    pthread_mutex_destroy(&b->lock);
    pthread_mutex_destroy(&b->ring);
    free(b->state);
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
