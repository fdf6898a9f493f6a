/* SPDX-License-Identifier: MIT */
/* The nodes that are there before and after sessions. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <fsif/host.h>

#include "internal.h"

static int has_node(struct xs_handle *xs, const char *path)
{
    unsigned len;
    char *value = xs_read(xs, XBT_NULL, path, &len);

    free(value);
    return value != NULL;
}

int fsi_xen_is_gone(struct xs_handle *xs, uint32_t domid)
{
    char path[XEN_PATH_MAX];

    errno = 0;
    if (xs_is_domain_introduced(xs, domid))
        return 0;
    if (errno == 0)
        return 1;
    fsi_xen_path(path, "/local/domain/%u/device/vfs", domid);
    return fsi_xen_error() == -FSIF_EACCES && !has_node(xs, path);
}

void fsi_xen_each_number(struct xs_handle *xs, uint32_t own_domid, const char *path, uint32_t max,
                         fsi_xen_each_fn *fn, void *arg)
{
    unsigned n = 0;
    char **names = xs_directory(xs, XBT_NULL, path, &n);
    uint32_t number;

    for (unsigned i = 0; names && i < n; i++) {
        if (fsi_xen_number(names[i], max, &number))
            fn(xs, own_domid, number, arg);
    }
    free(names);
}

/* --- before ----------------------------------------------------------------------------------- */

/* Whether a frontend of ours wrote the nodes at @base: an old one may go on with its own. */
static uint32_t is_keyed(struct xs_handle *xs, const char *base)
{
    char path[XEN_PATH_MAX + 16];
    uint32_t value;

    snprintf(path, sizeof(path), "%s/feature-errno", base);
    return fsi_xen_read_u32(xs, XBT_NULL, path, 1, &value) == 0;
}

/* A session of a backend that died: its frontend learns that it is over, and if that died too,
 * nobody else removes what it left. */
static void remove_session(struct xs_handle *xs, uint32_t own_domid, uint32_t id, void *arg)
{
    struct xen_place p = {.own_domid = own_domid, .id = id};
    char path[XEN_PATH_MAX];
    char vfs[XEN_PATH_MAX];

    (void)arg;
    fsi_xen_path(p.backend, "/local/domain/%u/backend/vfs/%u", own_domid, id);
    fsi_xen_path(path, "%s/frontend-id", p.backend);
    if (fsi_xen_read_u32(xs, XBT_NULL, path, XEN_DOMAINS - 1, &p.domid))
        p.domid = own_domid;
    fsi_xen_path(path, "%s/frontend", p.backend);
    fsi_xen_path(vfs, "/local/domain/%u/device/vfs", p.domid);
    if (fsi_xen_read(xs, XBT_NULL, path, p.frontend, sizeof(p.frontend)) ||
        !fsi_xen_numbered(p.frontend, vfs, &p.import)) {
        fsi_xen_remove(xs, XBT_NULL, p.backend);
        return;
    }
    p.request.keyed = is_keyed(xs, p.frontend);
    fsi_xen_withdraw(xs, &p);
}

/* @again: also if it is there */
static int make(struct xs_handle *xs, uint32_t own_domid, const char *name, unsigned others,
                int again)
{
    struct xs_permissions perms = {.id = own_domid, .perms = others};
    char path[XEN_PATH_MAX];

    fsi_xen_path(path, "/local/domain/%u/backend/vfs%s", own_domid, name);
    if (has_node(xs, path) && !again)
        return 0;
    if (!xs_mkdir(xs, XBT_NULL, path) || !xs_set_permissions(xs, XBT_NULL, path, &perms, 1))
        return fsi_xen_error();
    return 0;
}

/* A box that a guest made, when all could. */
static void remove_box(struct xs_handle *xs, uint32_t own_domid, uint32_t domid, void *arg)
{
    char path[XEN_PATH_MAX];

    (void)arg;
    fsi_xen_path(path, "/local/domain/%u/backend/vfs/exports/requests/%u", own_domid, domid);
    if (fsi_xen_owned_by(xs, XBT_NULL, path, own_domid) == -FSIF_EACCES)
        fsi_xen_remove(xs, XBT_NULL, path);
}

/* The box of requests, whatever it was before. */
static int make_box(struct xs_handle *xs, uint32_t own_domid, int open_requests)
{
    /* A domain without privileges reads only what it is allowed to. */
    unsigned open = own_domid == 0 ? XS_PERM_WRITE : XS_PERM_READ | XS_PERM_WRITE;

    return make(xs, own_domid, "/exports/requests", open_requests ? open : XS_PERM_NONE, 1);
}

/* The same of a device. One that waits for an answer waits for ours. */
static void end_session(struct xs_handle *xs, const struct xen_place *p, void *arg)
{
    uint32_t state = fsi_xen_bus_state(xs, XBT_NULL, p->backend);

    (void)arg;
    if (state != XEN_BUS_INITIALISING && state != XEN_BUS_INIT_WAIT)
        fsi_xen_reset_device(xs, p, XEN_BUS_INITIALISING);
}

int fsi_xen_prepare(struct xs_handle *xs, uint32_t own_domid, int open_requests)
{
    char path[XEN_PATH_MAX];
    int ret = make(xs, own_domid, "", XS_PERM_NONE, 0);

    /* Old frontends list the exports: bare numbers, whose names only the attached guest can read.
     */
    if (!ret)
        ret = make(xs, own_domid, "/exports", XS_PERM_READ, 0);
    if (!ret)
        ret = make_box(xs, own_domid, open_requests);
    if (ret)
        return ret;
    fsi_xen_path(path, "/local/domain/%u/backend/vfs/exports/requests", own_domid);
    if (!open_requests)
        fsi_xen_each_number(xs, own_domid, path, UINT32_MAX, remove_box, NULL);
    fsi_xen_path(path, "/local/domain/%u/backend/vfs", own_domid);
    fsi_xen_each_number(xs, own_domid, path, UINT32_MAX, remove_session, NULL);
    fsi_xen_each_device(xs, own_domid, end_session, NULL);
    return 0;
}

static void leave(struct xs_handle *xs, const struct xen_place *p, void *arg)
{
    (void)arg;
    if (fsi_xen_bus_state(xs, XBT_NULL, p->backend) == XEN_BUS_INIT_WAIT)
        (void)fsi_xen_publish_bus_state(xs, p, XEN_BUS_INITIALISING);
}

void fsi_xen_devices_leave(struct xs_handle *xs, uint32_t own_domid)
{
    fsi_xen_each_device(xs, own_domid, leave, NULL);
}

static void open_guest(struct xs_handle *xs, uint32_t own_domid, uint32_t domid, void *arg)
{
    struct xs_permissions perms[2] = {
        {.id = domid, .perms = XS_PERM_NONE},
        {.id = own_domid, .perms = XS_PERM_READ | XS_PERM_WRITE},
    };
    char path[XEN_PATH_MAX];

    (void)arg;
    fsi_xen_path(path, "/local/domain/%u/device/vfs", domid);
    if (domid != own_domid && !has_node(xs, path) && xs_mkdir(xs, XBT_NULL, path))
        (void)xs_set_permissions(xs, XBT_NULL, path, perms, 2);
}

void fsi_xen_open_guests(struct xs_handle *xs, uint32_t own_domid)
{
    /* Attaching closes it. */
    (void)make_box(xs, own_domid, 1);
    fsi_xen_each_number(xs, own_domid, "/local/domain", XEN_DOMAINS - 1, open_guest, NULL);
}

/* --- after ------------------------------------------------------------------------------------ */

struct sweeping {
    uint32_t domid;
    int any; /* of the domains that are gone, not only @domid */
};

static int is_swept(struct xs_handle *xs, const struct sweeping *s, uint32_t domid)
{
    return s->any ? fsi_xen_is_gone(xs, domid) : domid == s->domid;
}

static void sweep_requests(struct xs_handle *xs, uint32_t own_domid, uint32_t domid, void *arg)
{
    char path[XEN_PATH_MAX];

    fsi_xen_path(path, "/local/domain/%u/backend/vfs/exports/requests/%u", own_domid, domid);
    if (is_swept(xs, arg, domid))
        fsi_xen_remove(xs, XBT_NULL, path);
}

static void sweep_export(struct xs_handle *xs, uint32_t own_domid, uint32_t number, void *arg)
{
    char path[XEN_PATH_MAX];
    uint32_t domid;

    fsi_xen_path(path, "/local/domain/%u/backend/vfs/exports/%u/frontend-id", own_domid, number);
    if (fsi_xen_read_u32(xs, XBT_NULL, path, XEN_DOMAINS - 1, &domid) || !is_swept(xs, arg, domid))
        return;
    fsi_xen_path(path, "/local/domain/%u/backend/vfs/exports/%u", own_domid, number);
    fsi_xen_remove(xs, XBT_NULL, path);
}

static void sweep_devices(struct xs_handle *xs, uint32_t own_domid, uint32_t domid, void *arg)
{
    char path[XEN_PATH_MAX];

    fsi_xen_path(path, "/local/domain/%u/backend/fsif/%u", own_domid, domid);
    if (is_swept(xs, arg, domid))
        fsi_xen_remove(xs, XBT_NULL, path);
}

static void sweep(struct xs_handle *xs, uint32_t own_domid, struct sweeping *s)
{
    char path[XEN_PATH_MAX];

    fsi_xen_path(path, "/local/domain/%u/backend/vfs/exports/requests", own_domid);
    fsi_xen_each_number(xs, own_domid, path, XEN_DOMAINS - 1, sweep_requests, s);
    fsi_xen_path(path, "/local/domain/%u/backend/vfs/exports", own_domid);
    fsi_xen_each_number(xs, own_domid, path, UINT32_MAX, sweep_export, s);
    fsi_xen_path(path, "/local/domain/%u/backend/fsif", own_domid);
    fsi_xen_each_number(xs, own_domid, path, XEN_DOMAINS - 1, sweep_devices, s);
}

void fsi_xen_sweep(struct xs_handle *xs, uint32_t own_domid)
{
    struct sweeping s = {.any = 1};

    sweep(xs, own_domid, &s);
}

void fsi_xen_sweep_domain(struct xs_handle *xs, uint32_t own_domid, uint32_t domid)
{
    struct sweeping s = {.domid = domid};

    sweep(xs, own_domid, &s);
}
