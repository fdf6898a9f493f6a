/* SPDX-License-Identifier: MIT */
#include "internal.h"

#include <stdlib.h>
#include <string.h>
#include <fsif/directory.h>
#include "layout.h"

/*
 * Making a session: connect, share memory, agree on it with the backend, start the engines.
 *
 * All dialects are offered at once, on the same memory; layout.h says what lies where. What the
 * transport cannot share, and what the backend does not take, becomes less step by step.
 */

int fsi_open_session(const char *address, const struct fsif_client_options *o,
                     const struct fsif_transport **transport, struct fsif_session **session,
                     struct fsif_registry **registry)
{
    struct fsif_registry *r = o->registry;
    char name[32];
    const char *rest;
    int err;

    *registry = NULL;
    if (o->session != NULL) {
        *transport = o->transport;
        *session = o->session;
        return address == NULL ? 0 : -FSIF_EINVAL;
    }
    *session = NULL;
    if (address == NULL || fsif_address_split(address, name, &rest) < 0)
        return -FSIF_EINVAL;
    if (r == NULL) {
        err = fsif_registry_create(o->plugin_dir, &r);
        if (err < 0)
            return err;
        *registry = r;
    }
    err = fsif_registry_transport(r, name, transport);
    if (err < 0)
        return err == -FSIF_ENOENT ? -FSIF_EOPNOTSUPP : err;
    if ((*transport)->connect == NULL)
        return -FSIF_EOPNOTSUPP;
    return (*transport)->connect(rest, o->timeout_ms, session);
}

/* @l->mem and @l->grefs, of as much as can be had */
static int share(struct fsif_client *cl, struct fsi_layout *l)
{
    int err;

    do {
        free(l->grefs);
        l->grefs = calloc(fsi_layout_pages(l), sizeof(*l->grefs));
        if (l->grefs == NULL)
            return -FSIF_ENOMEM;
        err = cl->transport->share(cl->session, fsi_layout_pages(l), &l->mem, l->grefs);
    } while ((err == -FSIF_ENOMEM || err == -FSIF_ENOSPC) && fsi_layout_shrink(l));
    return err;
}

static void fill_offer(const struct fsi_layout *l, struct fsif_offer *offer)
{
    offer->dialects = l->dialects;
    offer->pages = fsi_layout_pages(l);
    if (l->dialects & ~FSIF_DIALECT_BIT(3)) {
        offer->ring_pages = l->ring_pages;
        memcpy(offer->ring_grefs, l->grefs + fsi_layout_old(l), l->ring_pages * sizeof(*l->grefs));
    }
    if (l->dialects & FSIF_DIALECT_BIT(3)) {
        offer->queues = l->queues;
        offer->slots = l->slots;
        offer->arena_pages = l->arena_pages;
        offer->max_io = fsi_layout_max_io(l);
        offer->directory = l->grefs[0];
    }
}

/* Offer what is shared and take the backend's choice. */
static int negotiate(struct fsif_client *cl, const struct fsif_client_options *o,
                     const struct fsi_layout *l, struct fsif_choice *choice)
{
    struct fsif_offer offer = {.kind = FSIF_OFFER_SESSION, .features = FSIF_FEATURE_ERRNO};
    struct fsif_dict *keys = malloc(2 * sizeof(*keys));
    int err;

    if (keys == NULL)
        return -FSIF_ENOMEM;
    fill_offer(l, &offer);
    if (l->dialects & FSIF_DIALECT_BIT(3))
        fsif_directory_write(l->mem, l->grefs, l->grefs + fsi_layout_area(l),
                             fsi_layout_area_pages(l));
    memcpy(offer.export_name, cl->export_name, sizeof(offer.export_name));
    err = fsif_offer_write(&offer, &keys[0]);
    if (err == 0)
        err = cl->transport->session_offer(cl->session, &keys[0], &keys[1], o->timeout_ms);
    if (err == 0)
        err = fsif_choice_read(&keys[1], &offer, choice);
    else if (err == -FSIF_EPIPE)
        err = -FSIF_ECONNREFUSED;
    free(keys);
    return err;
}

/* An engine on the memory of @config. */
static int start_lane(struct fsif_client *cl, struct fsif_frontend_config *config)
{
    struct fsi_lane *lane = &cl->lanes[cl->queues];
    size_t state_size;
    size_t calls_size;
    int err;

    config->queue = lane->number;
    config->handle_tag = cl->generation * FSIF_HANDLE_TAG;
    config->transport = cl->transport;
    config->session = cl->session;
    config->hooks = cl->options.hooks;
    state_size = fsif_frontend_state_size(config);
    calls_size = fsif_frontend_calls_size(config);
    if (state_size == 0 || calls_size == 0)
        return -FSIF_EPROTO;
    lane->state = calloc(1, state_size);
    lane->calls = calloc(1, calls_size);
    if (lane->state == NULL || lane->calls == NULL)
        return -FSIF_ENOMEM;
    err = fsif_frontend_init(&lane->fe, config, lane->state, lane->calls);
    if (err < 0)
        return err;
    lane->event_fd = cl->transport->event_fd(cl->session, lane->number);
    fsif_spin_init(&lane->spin, cl->options.spin_us);
    memset(lane->partings, 0, sizeof(lane->partings));
    cl->queues++;
    return 0;
}

static int start_old(struct fsif_client *cl, const struct fsi_layout *l,
                     const struct fsif_choice *choice)
{
    uint32_t call_pages = choice->dialect == 1 ? 1 : l->call_pages;
    char *mem = (char *)l->mem + (size_t)fsi_layout_old(l) * FSIF_PAGE_SIZE;
    struct fsif_frontend_config config = {
        .size = sizeof(config),
        .dialect = choice->dialect,
        .features = choice->features,
        .ring = mem,
        .ring_pages = l->ring_pages,
        .pages = mem + l->ring_pages * FSIF_PAGE_SIZE,
        .grefs = l->grefs + fsi_layout_old(l) + l->ring_pages,
        .npages = l->calls * call_pages,
        .pages_per_call = call_pages,
    };

    return start_lane(cl, &config);
}

static int start_queues(struct fsif_client *cl, const struct fsi_layout *l,
                        const struct fsif_choice *choice)
{
    char *mem = (char *)l->mem + (size_t)fsi_layout_area(l) * FSIF_PAGE_SIZE;
    size_t ring = fsif_ring_bytes(l->slots);
    struct fsif_frontend_config config = {
        .size = sizeof(config),
        .dialect = 3,
        .features = choice->features,
        .slots = l->slots,
        .max_io = choice->max_io,
        .arena = &cl->arena,
    };
    uint32_t i;
    int err;

    cl->arena_state = malloc(fsif_arena_state_size(l->arena_pages));
    if (cl->arena_state == NULL)
        return -FSIF_ENOMEM;
    /* The area is laid out as it was offered, also where fewer queues were chosen. */
    err = fsif_arena_init(&cl->arena, mem + l->queues * ring, l->arena_pages, cl->arena_state);
    for (i = 0; err == 0 && i < choice->queues && i < cl->made; i++) {
        config.ring = mem + i * ring;
        config.notice = i == 0 ? fsi_notice : NULL;
        config.notice_arg = cl;
        err = start_lane(cl, &config);
    }
    return err;
}

/* Start the engines on what was agreed. */
static int start_engines(struct fsif_client *cl, const struct fsi_layout *l,
                         const struct fsif_choice *choice)
{
    int err = choice->dialect == 3 ? start_queues(cl, l, choice) : start_old(cl, l, choice);

    if (err < 0)
        return err;
    cl->limits = (struct fsif_limits){
        .dialect = choice->dialect,
        .max_io = fsif_frontend_max_io(&cl->lanes[0].fe),
        .max_calls = fsif_frontend_max_calls(&cl->lanes[0].fe),
        .read_only = choice->read_only,
        .features = choice->features,
        .queues = cl->queues,
        .arena_bytes = choice->dialect == 3 ? fsif_arena_size(&cl->arena) : 0,
    };
    cl->peer_fd = cl->transport->peer_fd(cl->session);
    return 0;
}

/* Have the queues' sleeps end when the session has something to tell. */
static int watch_session(struct fsif_client *cl)
{
    const int edges = (cl->transport->flags & FSIF_TRANSPORT_EDGES) != 0;
    int err = 0;

    for (uint32_t i = 0; err == 0 && i < cl->queues; i++) {
        const struct fsi_lane *lane = &cl->lanes[i];

        if (lane->event_fd >= 0)
            err = fsif_poller_add(lane->sleep_fd, lane->event_fd, FSI_WOKEN_BY_BELL, edges);
        if (err == 0 && cl->peer_fd >= 0)
            err = fsif_poller_add(lane->sleep_fd, cl->peer_fd, FSI_WOKEN_BY_PEER, 0);
    }
    return err;
}

/* Closing alone would not do it: the backend may hold the same bell open. */
static void unwatch_session(struct fsif_client *cl)
{
    for (uint32_t i = 0; i < cl->queues; i++) {
        const struct fsi_lane *lane = &cl->lanes[i];

        if (lane->event_fd >= 0)
            fsif_poller_remove(lane->sleep_fd, lane->event_fd);
        if (cl->peer_fd >= 0)
            fsif_poller_remove(lane->sleep_fd, cl->peer_fd);
    }
}

static int start_session(struct fsif_client *cl, const struct fsif_client_options *o,
                         struct fsi_layout *l)
{
    struct fsif_choice choice;
    int err = share(cl, l);

    if (err == 0)
        err = negotiate(cl, o, l, &choice);
    if (err == 0)
        err = start_engines(cl, l, &choice);
    if (err == 0)
        err = watch_session(cl);
    free(l->grefs);
    l->grefs = NULL;
    return err;
}

int fsi_session_open(struct fsif_client *cl, const struct fsif_client_options *o)
{
    struct fsif_client_options from = *o;
    struct fsif_registry *made;
    struct fsi_layout l;
    int err;

    fsi_layout_init(&l, o);
    for (;;) {
        if (cl->registry != NULL)
            from.registry = cl->registry;
        err = fsi_open_session(cl->address, &from, &cl->transport, &cl->session, &made);
        if (made != NULL)
            cl->registry = made;
        if (err == 0)
            err = start_session(cl, o, &l);
        /* More than the backend takes; over a new connection, because it closes this one. */
        if (err != -FSIF_E2BIG || cl->address == NULL || !fsi_layout_shrink(&l))
            return err;
        fsi_session_close(cl);
    }
}

void fsi_session_close(struct fsif_client *cl)
{
    uint32_t i;

    unwatch_session(cl);
    if (cl->session != NULL)
        cl->transport->close(cl->session);
    cl->session = NULL;
    for (i = 0; i < cl->made; i++) {
        struct fsi_lane *lane = &cl->lanes[i];

        free(lane->calls);
        free(lane->state);
        lane->calls = NULL;
        lane->state = NULL;
        lane->event_fd = -1;
    }
    free(cl->arena_state);
    cl->arena_state = NULL;
    cl->queues = 0;
    cl->peer_fd = -1;
}
