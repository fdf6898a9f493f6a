/* SPDX-License-Identifier: MIT */
/*
 * A frontend on a device that the toolstack made. A device carries one session, so a frontend takes
 * any free one of those that its export has.
 *
 *   (none) --backend InitWait, ours free; one transaction: keys, Initialised--> asked
 *   asked --backend Connected--> Connected --close--> Closed
 *   asked --backend Closing, Closed--> refused: status; Closed, and another offer may follow
 *   asked --backend Initialising, gone, or the device is not ours any more--> EPIPE
 *
 * Stale keys of an earlier life are removed with the transaction that takes the device. Whether it
 * is still ours is told by the event channel's port, which nobody else has while we live.
 */
#define _POSIX_C_SOURCE 200809L
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fsif/host.h>

#include "internal.h"

/* How long to look for a free device, and how often. */
#define FREE_MS 1000
#define TURN_MS 20
#ifndef CLOSE_MS /* shorter in tests where nobody plays the other side meanwhile */
#define CLOSE_MS 2000
#endif
#define DEVICES_MAX 64u

/* What an offer has that is no key of a device. */
static const char *const offer_others[] = {"fsif", "request", "export", NULL};

/* What the toolstack wrote; everything else is a session's. */
static const char *const device_others[] = {"backend", "backend-id", "state", NULL};

static const char *const answer_others[] = {"frontend", "frontend-id", "name",
                                            "mode",     "state",       NULL};

struct claim {
    struct fsif_session *s;
    const struct fsif_dict *offer;
    uint32_t queues;
    uint32_t numbers[DEVICES_MAX]; /* of the devices that have the export */
    uint32_t count;
};

static int write_state(struct xs_handle *xs, xs_transaction_t t, const char *device, uint32_t state)
{
    char path[XEN_PATH_MAX];

    fsi_xen_path(path, "%s/state", device);
    return fsi_xen_write_u32(xs, t, path, state);
}

static int write_node(struct xs_handle *xs, xs_transaction_t t, const char *device,
                      const char *name, uint32_t value)
{
    char path[XEN_PATH_MAX];

    fsi_xen_path(path, "%s/%s", device, name);
    return fsi_xen_write_u32(xs, t, path, value);
}

/* --- which ------------------------------------------------------------------------------------
 */

static void set_paths(struct fsif_session *s, uint32_t number)
{
    fsi_xen_path(s->frontend, "/local/domain/%u/device/fsif/%u", s->own_domid, number);
    fsi_xen_path(s->backend, "/local/domain/%u/backend/fsif/%u/%u", s->domid, s->own_domid, number);
}

/* Whether the device leads to this export of our backend, and by the one path that it can have. */
static int has_export(struct fsif_session *s, const char *name)
{
    char path[XEN_PATH_MAX];
    char text[XEN_PATH_MAX];

    fsi_xen_path(path, "%s/backend", s->frontend);
    if (fsi_xen_read(s->xs, XBT_NULL, path, text, sizeof(text)) || strcmp(text, s->backend) != 0)
        return 0;
    fsi_xen_path(path, "%s/name", s->backend);
    return fsi_xen_read(s->xs, XBT_NULL, path, text, sizeof(text)) == 0 && strcmp(text, name) == 0;
}

static int find(struct claim *c, const char *name)
{
    struct fsif_session *s = c->s;
    char path[XEN_PATH_MAX];
    uint32_t number;
    unsigned n = 0;
    char **names;

    fsi_xen_path(path, "/local/domain/%u/device/fsif", s->own_domid);
    names = xs_directory(s->xs, XBT_NULL, path, &n);
    for (unsigned i = 0; names && i < n && c->count < DEVICES_MAX; i++) {
        if (!fsi_xen_number(names[i], UINT32_MAX, &number))
            continue;
        set_paths(s, number);
        if (has_export(s, name))
            c->numbers[c->count++] = number;
    }
    free(names);
    s->frontend[0] = s->backend[0] = '\0';
    return c->count > 0 ? 0 : -FSIF_EOPNOTSUPP;
}

/* --- taking it --------------------------------------------------------------------------------
 */

static int write_bells(struct xs_handle *xs, xs_transaction_t t, const struct claim *c)
{
    const struct fsif_session *s = c->s;
    char name[32];
    int ret = 0;

    if (c->queues == 1)
        return write_node(xs, t, s->frontend, "event-channel", (uint32_t)s->bells[0].port);
    for (uint32_t q = 0; q < c->queues && !ret; q++) {
        snprintf(name, sizeof(name), "event-channel-%u", q);
        ret = write_node(xs, t, s->frontend, name, (uint32_t)s->bells[q].port);
    }
    return ret;
}

static int claim_step(struct xs_handle *xs, xs_transaction_t t, void *arg)
{
    const struct claim *c = arg;
    const struct fsif_session *s = c->s;
    uint32_t state = fsi_xen_bus_state(xs, t, s->frontend);
    int ret;

    if ((state != XEN_BUS_INITIALISING && state != XEN_BUS_CLOSED) ||
        fsi_xen_bus_state(xs, t, s->backend) != XEN_BUS_INIT_WAIT)
        return -FSIF_EBUSY;
    ret = fsi_xen_drop_keys(xs, t, s->frontend, device_others);
    if (!ret)
        ret = fsi_xen_write_keys(xs, t, s->frontend, c->offer, offer_others);
    if (!ret)
        ret = write_node(xs, t, s->frontend, "canary-ref", s->canary_ref);
    if (!ret)
        ret = write_bells(xs, t, c);
    return ret ? ret : write_state(xs, t, s->frontend, XEN_BUS_INITIALISED);
}

/* Return: 0 one of them is ours; -FSIF_EBUSY they are all in use, or nobody serves them */
static int claim_any(struct claim *c)
{
    struct fsif_session *s = c->s;
    int ret = -FSIF_EBUSY;

    for (uint32_t i = 0; i < c->count && ret == -FSIF_EBUSY; i++) {
        set_paths(s, c->numbers[i]);
        ret = fsi_xen_transact(s->xs, claim_step, c);
    }
    if (ret)
        s->frontend[0] = s->backend[0] = '\0';
    return ret;
}

static int claim(struct claim *c, uint64_t end, int timeout_ms)
{
    uint64_t enough = fsif_now_ms() + FREE_MS;
    int ret;

    while ((ret = claim_any(c)) == -FSIF_EBUSY) {
        int left = fsi_xen_left_ms(end, timeout_ms);

        if (left == 0 || fsif_now_ms() >= enough)
            return -FSIF_EOPNOTSUPP;
        poll(NULL, 0, left < 0 || left > TURN_MS ? TURN_MS : left);
    }
    return ret;
}

/* --- the answer -------------------------------------------------------------------------------
 */

static int is_ours(struct xs_handle *xs, xs_transaction_t t, const struct fsif_session *s)
{
    static const char *const names[] = {"event-channel", "event-channel-0"};
    char path[XEN_PATH_MAX];
    uint32_t port;

    for (size_t i = 0; i < 2; i++) {
        fsi_xen_path(path, "%s/%s", s->frontend, names[i]);
        if (fsi_xen_read_u32(xs, t, path, INT32_MAX, &port) == 0)
            return port == (uint32_t)s->bells[0].port;
    }
    return 0;
}

/* Return: 1 the backend has answered, and 1 in @ready if the session runs; 0 not yet; -FSIF_EPIPE
 */
static int look(struct fsif_session *s, int *ready)
{
    uint32_t state = fsi_xen_bus_state(s->xs, XBT_NULL, s->backend);

    *ready = state == XEN_BUS_CONNECTED;
    if (*ready || state == XEN_BUS_CLOSING || state == XEN_BUS_CLOSED)
        return 1;
    if (state != XEN_BUS_INIT_WAIT || !is_ours(s->xs, XBT_NULL, s) ||
        fsi_xen_bus_state(s->xs, XBT_NULL, s->frontend) != XEN_BUS_INITIALISED)
        return -FSIF_EPIPE;
    return 0;
}

static int wait_answer(struct fsif_session *s, uint64_t end, int timeout_ms, int *ready)
{
    char path[XEN_PATH_MAX];
    int ret;

    fsi_xen_path(path, "%s/state", s->backend);
    if (!xs_watch(s->xs, path, "state"))
        return fsi_xen_error();
    while ((ret = look(s, ready)) == 0) {
        ret = fsi_xen_wait_change(s, end, timeout_ms, -1);
        if (ret)
            return ret;
    }
    return ret < 0 ? ret : 0;
}

static int connected_step(struct xs_handle *xs, xs_transaction_t t, void *arg)
{
    const struct fsif_session *s = arg;

    if (!is_ours(xs, t, s) || fsi_xen_bus_state(xs, t, s->frontend) != XEN_BUS_INITIALISED)
        return -FSIF_EPIPE;
    return write_state(xs, t, s->frontend, XEN_BUS_CONNECTED);
}

/* The answer of a session that runs: its bells are those that were chosen. */
static int take_answer(const struct claim *c, struct fsif_dict *answer)
{
    struct fsif_session *s = c->s;
    uint32_t status;
    uint32_t queues;
    int ret = fsi_xen_read_keys(s->xs, XBT_NULL, s->backend, s->domid, answer_others, answer);

    if (ret || fsif_dict_get_u32(answer, "status", 0, 0, &status))
        return ret == -FSIF_ENOENT ? -FSIF_EPIPE : -FSIF_EPROTO;
    ret = fsif_dict_get_u32(answer, "queues", 1, c->queues, &queues);
    if (ret == -FSIF_ENOENT)
        queues = 1;
    else if (ret)
        return -FSIF_EPROTO;
    fsi_xen_keep_bells(s, queues);
    return fsi_xen_transact(s->xs, connected_step, s);
}

static int read_refusal(const struct fsif_session *s, struct fsif_dict *answer)
{
    char path[XEN_PATH_MAX];
    uint32_t status;

    fsi_xen_path(path, "%s/status", s->backend);
    if (fsi_xen_read_u32(s->xs, XBT_NULL, path, FSIF_MAX_ERRNO, &status) || status == 0)
        status = FSIF_ECONNREFUSED;
    return fsif_dict_put_u32(answer, "status", status);
}

/* --- all of it --------------------------------------------------------------------------------
 */

static int prepare(struct claim *c, const char *name)
{
    struct fsif_session *s = c->s;
    int ret = fsif_dict_get_u32(c->offer, "queues", 1, FSIF_QUEUES_MAX, &c->queues);

    if (ret == -FSIF_ENOENT)
        c->queues = 1;
    else if (ret)
        return -FSIF_EINVAL;
    ret = find(c, name);
    while (!ret && s->queues < c->queues)
        ret = fsi_xen_add_bell(s, 0);
    return ret;
}

int fsi_xen_offer_device(struct fsif_session *s, const struct fsif_dict *offer, const char *name,
                         struct fsif_dict *answer, uint64_t end, int timeout_ms)
{
    struct claim c = {.s = s, .offer = offer};
    int ready = 0;
    int ret = prepare(&c, name);

    if (!ret)
        ret = claim(&c, end, timeout_ms);
    if (ret) {
        fsi_xen_keep_bells(s, 1);
        return ret;
    }
    fsif_dict_init(answer);
    s->is_device = 1;
    ret = wait_answer(s, end, timeout_ms, &ready);
    if (!ret)
        ret = ready ? take_answer(&c, answer) : read_refusal(s, answer);
    s->running = !ret && ready;
    if (!ret && !ready)
        fsi_xen_release(s);
    return ret;
}

static int release_step(struct xs_handle *xs, xs_transaction_t t, void *arg)
{
    const struct fsif_session *s = arg;
    uint32_t state = fsi_xen_bus_state(xs, t, s->frontend);

    /* A backend that gave up waiting has freed it, and then it is not ours to close. */
    if (!is_ours(xs, t, s) || (state != XEN_BUS_INITIALISED && state != XEN_BUS_CONNECTED))
        return 0;
    return write_state(xs, t, s->frontend, XEN_BUS_CLOSED);
}

/* A page that the worker still maps when we take it back keeps its grant reference, and Linux gives
 * no more than ten of those back in a second: many short sessions would leave the guest without. */
static void wait_unmapped(struct fsif_session *s)
{
    uint64_t end = fsif_now_ms() + CLOSE_MS;
    uint32_t state;

    do {
        state = fsi_xen_bus_state(s->xs, XBT_NULL, s->backend);
    } while ((state == XEN_BUS_CONNECTED || state == XEN_BUS_CLOSING) && !fsi_xen_canary_died(s) &&
             is_ours(s->xs, XBT_NULL, s) && fsi_xen_wait_change(s, end, CLOSE_MS, -1) == 0);
}

void fsi_xen_release(struct fsif_session *s)
{
    char path[XEN_PATH_MAX];

    if (fsi_xen_transact(s->xs, release_step, s) == 0)
        wait_unmapped(s);
    fsi_xen_path(path, "%s/state", s->backend);
    xs_unwatch(s->xs, path, "state");
    fsi_xen_keep_bells(s, 1);
    s->frontend[0] = s->backend[0] = '\0';
    s->is_device = 0;
}
