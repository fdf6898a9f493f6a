/* SPDX-License-Identifier: MIT */
#include "embed.h"

#include <poll.h>
#include <stdlib.h>
#include <fsif/directory.h>

/* Pages that one frontend may share. */
#define MAX_PAGES 4096

/* Dialect 3: one mapping of the area, which the grant directory lists. One queue is enough here. */
static int map_area(const struct embed *e, const struct fsif_offer *offer,
                    struct fsif_choice *choice, struct fsif_backend_config *config)
{
    uint32_t n = fsif_area_pages(offer->queues, offer->slots, offer->arena_pages);
    uint32_t *grefs = calloc(n, sizeof(*grefs));
    int err = grefs == NULL ? -FSIF_ENOMEM : 0;

    if (err == 0)
        err = fsif_directory_read(e->transport, e->session, offer->directory, grefs, n);
    if (err == 0)
        err = e->transport->map(e->session, grefs, n, &config->ring);
    free(grefs);
    if (err < 0)
        return err;
    choice->queues = 1;
    config->slots = offer->slots;
    config->arena = (char *)config->ring + offer->queues * fsif_ring_bytes(offer->slots);
    config->arena_pages = offer->arena_pages;
    config->max_io = choice->max_io;
    return 0;
}

/* Dialects 1 and 2: the ring alone stays mapped. */
static int map_ring(const struct embed *e, const struct fsif_offer *offer,
                    struct fsif_backend_config *config)
{
    config->ring_pages = offer->ring_pages;
    return e->transport->map(e->session, offer->ring_grefs, offer->ring_pages, &config->ring);
}

/* Wait for the frontend's offer, take the memory that it shares, and answer. The engine is ready
 * before the answer goes out, for the first request may follow at once. */
static int shake_hands(struct embed *e, struct fsif_backend *be)
{
    struct fsif_backend_config config = {
        .size = sizeof(config),
        .max_handles = 64,
        .max_streams = 4,
        .transport = e->transport,
        .session = e->session,
        .store_ops = e->store_ops,
        .store = e->store,
    };
    struct pollfd fd = {.fd = e->transport->peer_fd(e->session), .events = POLLIN};
    struct fsif_choice choice;
    struct fsif_offer offer;
    struct fsif_dict keys;
    void *state;
    int err;

    while ((err = e->transport->session_next_offer(e->session, &keys)) == -FSIF_EAGAIN)
        poll(&fd, 1, -1);
    if (err == 0)
        err = fsif_offer_read(&keys, &offer);
    if (err == 0)
        err = fsif_choose(&offer, FSIF_DIALECTS_KNOWN, &choice);
    if (err == 0)
        err = e->transport->session_accept_memory(e->session, &keys, MAX_PAGES);
    if (err == 0)
        err = choice.dialect == 3 ? map_area(e, &offer, &choice, &config)
                                  : map_ring(e, &offer, &config);
    if (err < 0)
        return err;
    config.dialect = choice.dialect;
    config.features = choice.features;
    state = calloc(1, fsif_backend_state_size(&config));
    err = state == NULL ? -FSIF_ENOMEM : fsif_backend_init(be, &config, state);
    if (err == 0)
        err = fsif_choice_write(&choice, &keys);
    if (err == 0)
        err = e->transport->session_answer(e->session, &keys, 1);
    return err;
}

/* Answer requests until the frontend is gone; sleep only after the ring said that it is empty. */
static int serve(struct embed *e, struct fsif_backend *be, struct fsif_fetched *rq)
{
    struct pollfd fds[2] = {
        {.fd = e->transport->event_fd(e->session, 0), .events = POLLIN},
        {.fd = e->transport->peer_fd(e->session), .events = POLLIN},
    };
    int n;

    while ((n = fsif_backend_serve(be, rq)) >= 0) {
        if (e->transport->peer_state(e->session) == FSIF_PEER_GONE)
            return 0;
        if (n > 0 || fsif_backend_arm(be))
            continue;
        poll(fds, 2, -1);
        e->transport->acknowledge(e->session, 0);
    }
    return n;
}

static void *run(void *arg)
{
    struct embed *e = arg;
    struct fsif_fetched *rq = malloc(sizeof(*rq));
    struct fsif_backend be = {.state_ = NULL};

    e->result = rq == NULL ? -FSIF_ENOMEM : shake_hands(e, &be);
    if (e->result == 0) {
        e->result = serve(e, &be, rq);
        fsif_backend_fini(&be);
    }
    e->transport->close(e->session);
    free(be.state_);
    free(rq);
    return NULL;
}

int embed_start(struct embed *e)
{
    return pthread_create(&e->thread, NULL, run, e) == 0 ? 0 : -FSIF_EAGAIN;
}

int embed_join(struct embed *e)
{
    pthread_join(e->thread, NULL);
    return e->result;
}
