/* SPDX-License-Identifier: MIT */
/*
 * Which domains there are. Two ways to learn that one ended:
 *
 *   @releaseDomain     where xenstore lets us have it: dom0, or a domain that dom0 allowed
 *   its device/vfs     is watched for each domain that something is attached to; the toolstack
 *                      removes it with the domain. A guest may also do that, so it only raises the
 *                      question, and xenstore is asked once for each wake-up and domain
 *
 *   [unknown] --introduced or attached--> [known] --not there any more--> [ended] --told-->
 * [unknown]
 */
#define _POSIX_C_SOURCE 200809L
#include <stdlib.h>
#include <string.h>

#include <fsif/host.h>

#include "listener.h"

#define TOKEN "domain"

/* --- sets ------------------------------------------------------------------------------------- */

int fsi_xen_set_has(const struct xen_set *set, uint32_t domid)
{
    return (set->bits[domid / 32] >> domid % 32) & 1u;
}

void fsi_xen_set_put(struct xen_set *set, uint32_t domid, int in)
{
    if (fsi_xen_set_has(set, domid) == in)
        return;
    set->bits[domid / 32] ^= 1u << domid % 32;
    set->count += in ? 1u : UINT32_MAX;
}

uint32_t fsi_xen_set_next(const struct xen_set *set, uint32_t from)
{
    while (!fsi_xen_set_has(set, from))
        from =
            set->bits[from / 32] ? (from + 1) % XEN_SET_SIZE : (from / 32 + 1) * 32 % XEN_SET_SIZE;
    return from;
}

/* --- what there is ---------------------------------------------------------------------------- */

static void vfs_path(uint32_t domid, char path[XEN_PATH_MAX])
{
    fsi_xen_path(path, "/local/domain/%u/device/vfs", domid);
}

/* Where xenstore has no watch left for us, a guest's devices are not served. */
static void watch_devices(struct fsif_listener *l, uint32_t domid, int on)
{
    char path[XEN_PATH_MAX];

    if (fsi_xen_set_has(&l->devices, domid) == on)
        return;
    fsi_xen_path(path, "/local/domain/%u/device/fsif", domid);
    if (on ? xs_watch(l->xs, path, TOKEN) : xs_unwatch(l->xs, path, TOKEN))
        fsi_xen_set_put(&l->devices, domid, on);
}

static void watch(struct fsif_listener *l, uint32_t domid, int on)
{
    char path[XEN_PATH_MAX];

    if (fsi_xen_set_has(&l->watched, domid) == on)
        return;
    vfs_path(domid, path);
    /* Where xenstore has no watch left for us, the canary and the worker's socket must do. */
    if (on ? xs_watch(l->xs, path, TOKEN) : xs_unwatch(l->xs, path, TOKEN))
        fsi_xen_set_put(&l->watched, domid, on);
    watch_devices(l, domid, on);
}

/* A device is served where it is seen to ask, and its guest was allowed. */
static void serve_device(struct xs_handle *xs, const struct xen_place *p, void *arg)
{
    struct fsif_listener *l = arg;

    if (fsi_xen_bus_state(xs, XBT_NULL, p->backend) == XEN_BUS_INITIALISING &&
        fsi_xen_set_has(&l->devices, p->domid))
        fsi_xen_reset_device(xs, p, XEN_BUS_INIT_WAIT);
    fsi_xen_set_put(&l->dirty, p->domid, 1);
}

static void note_export(struct xs_handle *xs, uint32_t own_domid, uint32_t number, void *arg)
{
    struct xen_set *attached = arg;
    char path[XEN_PATH_MAX];
    uint32_t domid;

    fsi_xen_path(path, "/local/domain/%u/backend/vfs/exports/%u/frontend-id", own_domid, number);
    if (fsi_xen_read_u32(xs, XBT_NULL, path, XEN_DOMAINS - 1, &domid) == 0)
        fsi_xen_set_put(attached, domid, 1);
}

/* Watch the domains that something is attached to, and those only. */
static void note_attached(struct fsif_listener *l)
{
    struct xen_set *attached = calloc(1, sizeof(*attached));
    char path[XEN_PATH_MAX];

    if (!attached)
        return;
    fsi_xen_path(path, "/local/domain/%u/backend/vfs/exports", l->own_domid);
    fsi_xen_each_number(l->xs, l->own_domid, path, UINT32_MAX, note_export, attached);
    for (uint32_t d = 0; d < XEN_DOMAINS; d++) {
        if (fsi_xen_set_has(attached, d)) {
            fsi_xen_set_put(&l->known, d, 1);
            watch(l, d, 1);
        } else if (fsi_xen_set_has(&l->watched, d) && !fsi_xen_connections_of(l, d)) {
            watch(l, d, 0);
        }
    }
    free(attached);
}

static void note_domain(struct xs_handle *xs, uint32_t own_domid, uint32_t number, void *arg)
{
    (void)xs;
    if (number != own_domid)
        fsi_xen_set_put(arg, number, 1);
}

static void note_ended(struct fsif_listener *l, uint32_t domid)
{
    fsi_xen_set_put(&l->known, domid, 0);
    fsi_xen_set_put(&l->ended, domid, 1);
    fsi_xen_connections_changed(l, domid, NULL, 0);
    watch(l, domid, 0);
    fsi_xen_sweep_domain(l->xs, l->own_domid, domid);
}

static void find_ended(struct fsif_listener *l, const struct xen_set *among)
{
    struct xen_set *set = malloc(sizeof(*set));

    if (!set)
        return;
    *set = *among;
    for (uint32_t d = 0; set->count; fsi_xen_set_put(set, d, 0)) {
        d = fsi_xen_set_next(set, d);
        if (fsi_xen_is_gone(l->xs, d))
            note_ended(l, d);
    }
    free(set);
}

void fsi_xen_domains_look(struct fsif_listener *l)
{
    if (l->open_requests && (l->domains_changed || l->exports_changed))
        fsi_xen_open_guests(l->xs, l->own_domid);
    if (l->domains_changed) {
        l->domains_changed = 0;
        find_ended(l, &l->known);
        /* A driver domain cannot list them; it knows those that are attached. */
        fsi_xen_each_number(l->xs, l->own_domid, "/local/domain", XEN_DOMAINS - 1, note_domain,
                            &l->known);
    }
    if (l->suspect.count) {
        find_ended(l, &l->suspect);
        memset(&l->suspect, 0, sizeof(l->suspect));
    }
    if (l->exports_changed) {
        l->exports_changed = 0;
        note_attached(l);
        l->devices_changed = 1;
    }
    if (l->devices_changed) {
        l->devices_changed = 0;
        fsi_xen_each_device(l->xs, l->own_domid, serve_device, l);
    }
}

/* --- events ----------------------------------------------------------------------------------- */

/* The same below device/fsif. Which of them are devices is looked up on our side. */
static void on_device(struct fsif_listener *l, uint32_t domid, const char *path)
{
    uint32_t number;

    if (*path == '\0') {
        fsi_xen_connections_changed(l, domid, NULL, 1);
        fsi_xen_set_put(&l->dirty, domid, 1);
        return;
    }
    path = fsi_xen_leading_number(path + 1, UINT32_MAX, &number);
    if (!path || (*path != '\0' && strcmp(path, "/state") != 0))
        return;
    fsi_xen_connections_changed(l, domid, &number, 1);
    fsi_xen_set_put(&l->dirty, domid, 1);
}

/* "", "/I" and "/I/state" below device/vfs matter; what else a guest does there is its business. */
void fsi_xen_domains_on_path(struct fsif_listener *l, const char *path)
{
    static const char prefix[] = "/local/domain/";
    static const char vfs[] = "/device/vfs";
    static const char fsif[] = "/device/fsif";
    uint32_t domid;
    uint32_t import;

    if (strncmp(path, prefix, sizeof(prefix) - 1) != 0)
        return;
    path = fsi_xen_leading_number(path + sizeof(prefix) - 1, XEN_DOMAINS - 1, &domid);
    if (path && strncmp(path, fsif, sizeof(fsif) - 1) == 0) {
        on_device(l, domid, path + sizeof(fsif) - 1);
        return;
    }
    if (!path || strncmp(path, vfs, sizeof(vfs) - 1) != 0)
        return;
    path += sizeof(vfs) - 1;
    if (*path == '\0') {
        fsi_xen_set_put(&l->suspect, domid, 1);
        fsi_xen_connections_changed(l, domid, NULL, 0);
        return;
    }
    path = fsi_xen_leading_number(path + 1, UINT32_MAX, &import);
    if (path && (*path == '\0' || strcmp(path, "/state") == 0))
        fsi_xen_connections_changed(l, domid, &import, 0);
}

void fsi_xen_domains_start(struct fsif_listener *l)
{
    /* A driver domain may not be told of them: that is no error. */
    (void)xs_watch(l->xs, "@releaseDomain", TOKEN);
    (void)xs_watch(l->xs, "@introduceDomain", TOKEN);
    l->domains_changed = 1;
    l->exports_changed = 1;
    fsi_xen_domains_look(l);
}
