/* SPDX-License-Identifier: MIT */
/*
 * Devices of the toolstack's, as the supervisor sees them. Device N of guest F is a directory on
 * either side, both made by attach, and carries one session at a time.
 *
 *   backend's state                                    frontend's state
 *   Initialising --a daemon serves--> InitWait         Initialising, Closed: free
 *   InitWait     <--------------- taken if ----------- Initialised: its offer is there
 *   InitWait     --the worker answers--> Connected     --> Connected
 *   InitWait     --it refuses, or the offer does not stand up--> Closed, with status
 *   Connected    --the frontend's is none of these two, detached, ...--> Closing
 *   Closing      --the worker is gone--> Closed
 *   Closed       --the frontend's is free, or time is up--> InitWait, and the frontend's
 * Initialising
 *
 * Only nodes that the toolstack made are looked at, so a guest's own do not add to the work: which
 * devices there are is said on the backend's side. A frontend's directory belongs to F; we may
 * write its state, nothing else. Whatever is written goes with the question whether the device is
 * still there, in one transaction: a node that comes too late would bring its directory back.
 */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <string.h>

#include <fsif/host.h>

#include "internal.h"

/* What lies in a backend's directory beside the answer's keys. */
static const char *const backend_others[] = {"frontend", "frontend-id", "name",
                                             "mode",     "state",       NULL};

/* What a frontend's directory has beside the offer's keys, and what is not the guest's to say. */
static const char *const frontend_others[] = {"backend",    "backend-id",     "state",
                                              "canary-ref", "event-channel*", "fsif",
                                              "request",    "export",         NULL};

void fsi_xen_device_paths(struct xen_place *p)
{
    fsi_xen_path(p->backend, "/local/domain/%u/backend/fsif/%u/%u", p->own_domid, p->domid,
                 p->import);
    fsi_xen_path(p->frontend, "/local/domain/%u/device/fsif/%u", p->domid, p->import);
}

/* The backend's nodes are the toolstack's and ours. Return: 0 the device is there, for this guest;
 * -FSIF_ENOENT; another -FSIF_E* */
static int is_there(struct xs_handle *xs, xs_transaction_t t, const struct xen_place *p)
{
    char path[XEN_PATH_MAX];
    uint32_t domid;
    int ret;

    fsi_xen_path(path, "%s/frontend-id", p->backend);
    ret = fsi_xen_read_u32(xs, t, path, XEN_DOMAINS - 1, &domid);
    if (ret == -FSIF_EPROTO || (!ret && domid != p->domid))
        ret = -FSIF_ENOENT;
    return ret;
}

int fsi_xen_read_device(struct xs_handle *xs, xs_transaction_t t, struct xen_place *p)
{
    char path[XEN_PATH_MAX];
    int ret = is_there(xs, t, p);

    if (ret)
        return ret;
    fsi_xen_path(path, "%s/mode", p->backend);
    p->read_only = (uint32_t)!fsi_xen_is(xs, t, path, "rw");
    fsi_xen_path(path, "%s/name", p->backend);
    ret = fsi_xen_read(xs, t, path, p->request.export_name, sizeof(p->request.export_name));
    if (!ret && !fsif_export_name_valid(p->request.export_name))
        ret = -FSIF_EPROTO;
    return ret;
}

uint32_t fsi_xen_bus_state(struct xs_handle *xs, xs_transaction_t t, const char *device)
{
    char path[XEN_PATH_MAX];
    uint32_t state;

    fsi_xen_path(path, "%s/state", device);
    return fsi_xen_read_u32(xs, t, path, XEN_BUS_CLOSED, &state) ? 0 : state;
}

static int write_state(struct xs_handle *xs, xs_transaction_t t, const char *device, uint32_t state)
{
    char path[XEN_PATH_MAX];

    fsi_xen_path(path, "%s/state", device);
    return fsi_xen_write_u32(xs, t, path, state);
}

/* --- an offer ----------------------------------------------------------------------------------
 */

static int read_own(struct xs_handle *xs, xs_transaction_t t, const struct xen_place *p,
                    const char *name, uint32_t max, uint32_t *out)
{
    char path[XEN_PATH_MAX];
    int ret;

    fsi_xen_path(path, "%s/%s", p->frontend, name);
    ret = fsi_xen_owned_by(xs, t, path, p->domid);
    return ret ? ret : fsi_xen_read_u32(xs, t, path, max, out);
}

static int read_bells(struct xs_handle *xs, xs_transaction_t t, struct xen_place *p,
                      const struct fsif_dict *offer)
{
    struct xen_request *r = &p->request;
    char name[32];
    int ret = fsif_dict_get_u32(offer, "queues", 1, FSIF_QUEUES_MAX, &r->queues);

    if (ret == -FSIF_ENOENT)
        r->queues = 1;
    else if (ret)
        return -FSIF_EPROTO;
    if (r->queues == 1)
        return read_own(xs, t, p, "event-channel", INT32_MAX, &r->ports[0]);
    for (uint32_t q = 0; q < r->queues; q++) {
        snprintf(name, sizeof(name), "event-channel-%u", q);
        ret = read_own(xs, t, p, name, INT32_MAX, &r->ports[q]);
        if (ret)
            return ret;
    }
    return 0;
}

static int read_offer(struct xs_handle *xs, xs_transaction_t t, struct xen_place *p)
{
    struct xen_request *r = &p->request;
    struct fsif_dict offer;
    int ret;

    fsif_dict_init(&offer);
    ret = fsi_xen_read_keys(xs, t, p->frontend, p->domid, frontend_others, &offer);
    if (!ret && offer.used > sizeof(r->offer))
        ret = -FSIF_E2BIG;
    if (!ret)
        ret = read_bells(xs, t, p, &offer);
    if (ret)
        return ret;
    memcpy(r->offer, offer.text, offer.used);
    r->offer_len = offer.used;
    ret = read_own(xs, t, p, "canary-ref", UINT32_MAX, &r->canary_ref);
    r->has_canary = !ret;
    return ret == -FSIF_ENOENT ? 0 : ret;
}

int fsi_xen_device_asks(struct xs_handle *xs, xs_transaction_t t, const struct xen_place *p)
{
    return is_there(xs, t, p) == 0 && fsi_xen_bus_state(xs, t, p->backend) == XEN_BUS_INIT_WAIT &&
           fsi_xen_bus_state(xs, t, p->frontend) == XEN_BUS_INITIALISED;
}

static int take_step(struct xs_handle *xs, xs_transaction_t t, void *arg)
{
    struct xen_place *p = arg;
    char path[XEN_PATH_MAX];
    int ret;

    memset(&p->request, 0, sizeof(p->request));
    if (!fsi_xen_device_asks(xs, t, p))
        return -FSIF_ECANCELED;
    ret = fsi_xen_read_device(xs, t, p);
    if (ret)
        return ret;
    ret = fsi_xen_owned_by(xs, t, p->frontend, p->domid);
    fsi_xen_path(path, "%s/state", p->frontend);
    if (!ret)
        ret = fsi_xen_owned_by(xs, t, path, p->domid);
    if (!ret)
        ret = read_offer(xs, t, p);
    return ret == -FSIF_ENOENT ? -FSIF_EPROTO : ret;
}

int fsi_xen_take_device(struct xs_handle *xs, struct xen_place *p)
{
    int ret = fsi_xen_transact(xs, take_step, p);

    p->request.magic = XEN_BLOB_MAGIC;
    p->request.version = XEN_BLOB_VERSION;
    p->request.domid = p->domid;
    return ret;
}

/* --- what we say -------------------------------------------------------------------------------
 */

struct saying {
    const struct xen_place *place;
    const struct fsif_dict *answer;
    uint32_t state;
};

static int answer_step(struct xs_handle *xs, xs_transaction_t t, void *arg)
{
    const struct saying *s = arg;
    const char *base = s->place->backend;
    int ret = is_there(xs, t, s->place);

    if (!ret)
        ret = fsi_xen_write_keys(xs, t, base, s->answer, backend_others);
    return ret ? ret : write_state(xs, t, base, s->state);
}

int fsi_xen_publish_device(struct xs_handle *xs, const struct xen_place *p,
                           const struct fsif_dict *answer)
{
    struct saying s = {.place = p, .answer = answer, .state = XEN_BUS_CONNECTED};
    uint32_t status;

    if (fsif_dict_get_u32(answer, "status", 0, FSIF_MAX_ERRNO, &status))
        return -FSIF_EPROTO;
    if (status)
        s.state = XEN_BUS_CLOSED;
    return fsi_xen_transact(xs, answer_step, &s);
}

static int state_step(struct xs_handle *xs, xs_transaction_t t, void *arg)
{
    const struct saying *s = arg;
    int ret = is_there(xs, t, s->place);

    return ret ? ret : write_state(xs, t, s->place->backend, s->state);
}

int fsi_xen_publish_bus_state(struct xs_handle *xs, const struct xen_place *p, uint32_t state)
{
    struct saying s = {.place = p, .state = state};

    return fsi_xen_transact(xs, state_step, &s);
}

/* --- between sessions --------------------------------------------------------------------------
 */

/* The frontend's state, if it has one that we may write. */
static int free_frontend(struct xs_handle *xs, xs_transaction_t t, const struct xen_place *p)
{
    char path[XEN_PATH_MAX];
    int ret;

    fsi_xen_path(path, "%s/state", p->frontend);
    ret = fsi_xen_owned_by(xs, t, path, p->domid);
    if (!ret && fsi_xen_bus_state(xs, t, p->frontend) != XEN_BUS_INITIALISING)
        ret = write_state(xs, t, p->frontend, XEN_BUS_INITIALISING);
    /* A guest that took it from us, or away, has no use of the device until it mends it. */
    return ret == -FSIF_ENOENT || ret == -FSIF_EACCES ? 0 : ret;
}

static int reset_step(struct xs_handle *xs, xs_transaction_t t, void *arg)
{
    const struct saying *s = arg;
    int ret = is_there(xs, t, s->place);

    if (!ret)
        ret = fsi_xen_drop_keys(xs, t, s->place->backend, backend_others);
    if (!ret)
        ret = free_frontend(xs, t, s->place);
    return ret ? ret : write_state(xs, t, s->place->backend, s->state);
}

void fsi_xen_reset_device(struct xs_handle *xs, const struct xen_place *p, uint32_t state)
{
    struct saying s = {.place = p, .state = state};

    /* What could not be done now is done when the device is looked at. */
    (void)fsi_xen_transact(xs, reset_step, &s);
}

/* --- all of them -------------------------------------------------------------------------------
 */

struct walk {
    uint32_t domid;
    fsi_xen_device_fn *fn;
    void *arg;
};

static void walk_device(struct xs_handle *xs, uint32_t own_domid, uint32_t number, void *arg)
{
    const struct walk *w = arg;
    struct xen_place p = {
        .own_domid = own_domid,
        .domid = w->domid,
        .import = number,
        .is_device = 1,
        .export_number = UINT32_MAX,
    };

    fsi_xen_device_paths(&p);
    w->fn(xs, &p, w->arg);
}

void fsi_xen_each_device_of(struct xs_handle *xs, uint32_t own_domid, uint32_t domid,
                            fsi_xen_device_fn *fn, void *arg)
{
    struct walk w = {.domid = domid, .fn = fn, .arg = arg};
    char path[XEN_PATH_MAX];

    fsi_xen_path(path, "/local/domain/%u/backend/fsif/%u", own_domid, domid);
    fsi_xen_each_number(xs, own_domid, path, UINT32_MAX, walk_device, &w);
}

static void walk_guest(struct xs_handle *xs, uint32_t own_domid, uint32_t number, void *arg)
{
    struct walk *w = arg;

    fsi_xen_each_device_of(xs, own_domid, number, w->fn, w->arg);
}

void fsi_xen_each_device(struct xs_handle *xs, uint32_t own_domid, fsi_xen_device_fn *fn, void *arg)
{
    struct walk w = {.fn = fn, .arg = arg};
    char path[XEN_PATH_MAX];

    fsi_xen_path(path, "/local/domain/%u/backend/fsif", own_domid);
    fsi_xen_each_number(xs, own_domid, path, XEN_DOMAINS - 1, walk_guest, &w);
}
