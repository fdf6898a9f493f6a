/* SPDX-License-Identifier: MIT */
#include "internal.h"

#include <stdlib.h>
#include <string.h>
#include <fsif/wire.h>

/*
 * Making a session: connect, share memory, agree on it with the backend, start an engine.
 *
 * The memory holds the ring and, for each call, as many pages as the largest dialect that is
 * offered can use. Where so much cannot be had the calls get fewer pages; dialect 1 uses one page
 * of the same memory for each call.
 */

#define SLOTS_OF_A_PAGE 64u

/* What is shared, and with which grefs. */
struct layout {
    uint32_t ring_pages;
    uint32_t calls;
    uint32_t call_pages;
    void *mem;
    uint32_t *grefs;
};

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

int fsi_layout_check(struct fsif_client_options *o)
{
    uint32_t known = FSIF_DIALECT_BIT(1) | FSIF_DIALECT_BIT(2);

    if (o->ring_pages == 0)
        o->ring_pages = 1;
    if (o->call_pages == 0)
        o->call_pages = FSIF_WIRE2_GREFS;
    if (o->ring_pages > FSIF_WIRE2_RING_PAGES || (o->ring_pages & (o->ring_pages - 1)) != 0 ||
        o->call_pages > FSIF_WIRE2_GREFS)
        return -FSIF_EINVAL;
    /* A longer ring is not dialect 1's. */
    if (o->ring_pages > 1)
        known &= ~FSIF_DIALECT_BIT(1);
    o->dialects = o->dialects == 0 ? known : o->dialects & known;
    if (o->dialects == 0)
        return -FSIF_EOPNOTSUPP;
    if (!(o->dialects & FSIF_DIALECT_BIT(2)))
        o->call_pages = 1;
    if (o->max_calls == 0)
        o->max_calls = o->ring_pages * SLOTS_OF_A_PAGE;
    return o->max_calls > o->ring_pages * SLOTS_OF_A_PAGE ? -FSIF_EINVAL : 0;
}

/* The next smaller layout; 0: there is none. */
static int shrink(struct layout *l)
{
    if (l->call_pages == 1)
        return 0;
    l->call_pages = l->call_pages > 2 ? 2 : 1;
    return 1;
}

static int share(struct fsif_client *cl, struct layout *l)
{
    int err;

    do {
        err = cl->transport->share(cl->session, l->ring_pages + l->calls * l->call_pages, &l->mem,
                                   l->grefs);
    } while ((err == -FSIF_ENOMEM || err == -FSIF_ENOSPC) && shrink(l));
    return err;
}

/* Offer what is shared and take the backend's choice. */
static int negotiate(struct fsif_client *cl, const struct fsif_client_options *o,
                     const struct layout *l, struct fsif_choice *choice)
{
    struct fsif_offer offer = {
        .kind = FSIF_OFFER_SESSION,
        .dialects = o->dialects,
        .features = FSIF_FEATURE_ERRNO,
        .pages = l->ring_pages + l->calls * l->call_pages,
        .ring_pages = l->ring_pages,
    };
    struct fsif_dict *keys = malloc(2 * sizeof(*keys));
    int err;

    if (keys == NULL)
        return -FSIF_ENOMEM;
    memcpy(offer.ring_grefs, l->grefs, l->ring_pages * sizeof(*l->grefs));
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
static int start_lane(struct fsif_client *cl, struct fsi_lane *lane,
                      const struct fsif_frontend_config *config)
{
    size_t state_size = fsif_frontend_state_size(config);
    size_t calls_size = fsif_frontend_calls_size(config);
    int err;

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
    cl->queues = lane->number + 1;
    return 0;
}

/* Start the engine on what was agreed. */
static int start_engine(struct fsif_client *cl, const struct layout *l,
                        const struct fsif_choice *choice)
{
    uint32_t call_pages = choice->dialect == 1 ? 1 : l->call_pages;
    struct fsif_frontend_config config = {
        .size = sizeof(config),
        .dialect = choice->dialect,
        .features = choice->features,
        .ring = l->mem,
        .ring_pages = l->ring_pages,
        .pages = (char *)l->mem + l->ring_pages * FSIF_PAGE_SIZE,
        .grefs = l->grefs + l->ring_pages,
        .npages = l->calls * call_pages,
        .pages_per_call = call_pages,
        .handle_tag = cl->generation * FSIF_HANDLE_TAG,
        .transport = cl->transport,
        .session = cl->session,
        .hooks = cl->options.hooks,
    };
    int err = start_lane(cl, &cl->lanes[0], &config);

    if (err < 0)
        return err;
    cl->limits = (struct fsif_limits){
        .dialect = choice->dialect,
        .max_io = fsif_frontend_max_io(&cl->lanes[0].fe),
        .max_calls = fsif_frontend_max_calls(&cl->lanes[0].fe),
        .read_only = choice->read_only,
        .features = choice->features,
    };
    cl->peer_fd = cl->transport->peer_fd(cl->session);
    return 0;
}

static int start_session(struct fsif_client *cl, const struct fsif_client_options *o,
                         struct layout *l)
{
    struct fsif_choice choice;
    int err;

    l->grefs = calloc(l->ring_pages + l->calls * l->call_pages, sizeof(*l->grefs));
    if (l->grefs == NULL)
        return -FSIF_ENOMEM;
    err = share(cl, l);
    if (err == 0)
        err = negotiate(cl, o, l, &choice);
    if (err == 0)
        err = start_engine(cl, l, &choice);
    free(l->grefs);
    return err;
}

int fsi_session_open(struct fsif_client *cl, const struct fsif_client_options *o)
{
    struct fsif_client_options from = *o;
    struct layout l = {
        .ring_pages = o->ring_pages, .calls = o->max_calls, .call_pages = o->call_pages};
    struct fsif_registry *made;
    int err;

    for (;;) {
        if (cl->registry != NULL)
            from.registry = cl->registry;
        err = fsi_open_session(cl->address, &from, &cl->transport, &cl->session, &made);
        if (made != NULL)
            cl->registry = made;
        if (err == 0)
            err = start_session(cl, o, &l);
        /* More than the backend takes; over a new connection, because it closes this one. */
        if (err != -FSIF_E2BIG || cl->address == NULL || !shrink(&l))
            return err;
        fsi_session_close(cl);
    }
}

void fsi_session_close(struct fsif_client *cl)
{
    uint32_t i;

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
    cl->queues = 0;
    cl->peer_fd = -1;
}
