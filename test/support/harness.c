/* SPDX-License-Identifier: MIT */

/*
 * The threads of a harness take turns: the one that holds `fetching` fetches, and sleeps when there
 * is nothing; with a request in hand it lets go, so that the next one fetches while it executes.
 * `over` is set once, under `fetching`, and makes every thread leave.
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
#include <fsif/host.h>
#include <fsif/loop.h>
#include <fsif/negotiate.h>
#include "harness.h"

enum { MAX_THREADS = 16, MAX_PAGES = 8192, MAX_STREAMS = 16 };

struct harness {
    struct harness_options options;
    struct fsif_session *session;
    struct fsif_backend backend;
    void *state;
    void *ring;
    uint32_t ring_pages;
    int stop_fd;
    pthread_t acceptor;
    pthread_mutex_t fetching;
    int over;
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

/* Returns 0 when @fd is readable, -FSIF_ECANCELED when the harness stops or the peer is gone. */
static int wait_for(struct harness *h, int fd)
{
    struct pollfd fds[3] = {
        {.fd = fd, .events = POLLIN},
        {.fd = h->stop_fd, .events = POLLIN},
        {.fd = counted()->peer_fd(h->session), .events = POLLIN},
    };

    while (poll(fds, 3, -1) < 0)
        ;
    if (fds[1].revents != 0)
        return -FSIF_ECANCELED;
    if (counted()->peer_state(h->session) == FSIF_PEER_GONE)
        return -FSIF_ECANCELED;
    return 0;
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
    err = counted()->map(h->session, offer.ring_grefs, offer.ring_pages, &h->ring);
    if (err != 0)
        return err;
    h->ring_pages = offer.ring_pages;
    config.ring = h->ring;
    config.ring_pages = offer.ring_pages;
    config.dialect = choice->dialect;
    config.features = choice->features;
    h->state = malloc(fsif_backend_state_size(&config));
    return h->state == NULL ? -FSIF_ENOMEM : fsif_backend_init(&h->backend, &config, h->state);
}

static int accept_session(struct harness *h)
{
    struct fsif_choice choice;
    struct fsif_dict text;
    int err;

    while ((err = counted()->session_next_offer(h->session, &text)) == -FSIF_EAGAIN) {
        err = wait_for(h, counted()->peer_fd(h->session));
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
        counted()->session_answer(h->session, &text, err == 0);
    return err;
}

/* Called with `fetching` held. Returns 1 and a request, or 0: it is over. */
static int next_request(struct harness *h, struct fsif_fetched *rq)
{
    while (!h->over) {
        int r = fsif_backend_fetch(&h->backend, rq);
        if (r > 0)
            return 1;
        if (r < 0) {
            h->over = 1;
        } else if (fsif_backend_arm(&h->backend) == 0) {
            h->over = wait_for(h, counted()->event_fd(h->session, 0)) != 0;
            counted()->acknowledge(h->session, 0);
        }
    }
    return 0;
}

static void *serve(void *arg)
{
    struct harness *h = arg;
    struct fsif_fetched *rq = malloc(sizeof(*rq));
    int more = rq != NULL;

    while (more) {
        pthread_mutex_lock(&h->fetching);
        more = next_request(h, rq);
        pthread_mutex_unlock(&h->fetching);
        if (more) {
            fsif_backend_execute(&h->backend, rq);
            fsif_backend_flush(&h->backend);
        }
    }
    free(rq);
    return NULL;
}

/* The first thread: hand-shake, helpers, work, end of the engine. */
static void *run(void *arg)
{
    struct harness *h = arg;
    pthread_t helper[MAX_THREADS];
    uint32_t n = 0;

    if (accept_session(h) == 0) {
        while (n + 1 < h->options.threads && n < MAX_THREADS &&
               pthread_create(&helper[n], NULL, serve, h) == 0)
            n++;
        serve(h);
        while (n > 0)
            pthread_join(helper[--n], NULL);
        fsif_backend_fini(&h->backend);
    }
    if (h->ring != NULL)
        counted()->unmap(h->session, h->ring, h->ring_pages);
    counted()->close(h->session);
    free(h->state);
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
    pthread_mutex_init(&h->fetching, NULL);
    if (h->stop_fd < 0 || pthread_create(&h->acceptor, NULL, run, h) != 0)
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
    close(h->stop_fd);
    pthread_mutex_destroy(&h->fetching);
    free(h);
}
