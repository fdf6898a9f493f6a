/* SPDX-License-Identifier: MIT */
/*
 * A frontend's request, in the supervisor.
 *
 *   requests/F/E/frontend = /local/domain/F/device/vfs/I
 *      --checked--> M/state = init, I/backend = M, request removed
 *      --refused--> request removed
 *
 * Who asks is the owner of the request node, which xenstore sets itself and a guest cannot change
 * in another's name; F in the path must be the same, the frontend's path must be F's own, and F
 * must own each node that is read there. E must be attached to F: exports/E/frontend-id, which only
 * the toolstack and this domain can write. Every value is read once, all in one transaction with
 * the answer: what was checked is what was there when it was answered.
 */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <string.h>

#include <fsif/host.h>

#include "internal.h"

/* A node below the frontend's that must be F's own. */
static int read_own(struct xs_handle *xs, xs_transaction_t t, const struct xen_place *p,
                    const char *name, uint32_t max, uint32_t *out)
{
    char path[XEN_PATH_MAX];
    int ret;

    fsi_xen_path(path, "%s/%s", p->frontend, name);
    ret = fsi_xen_owned_by(xs, t, path, p->domid);
    return ret ? ret : fsi_xen_read_u32(xs, t, path, max, out);
}

/* A key that not every frontend writes: absent is 0 and leaves @out alone; there is 1. */
static int read_key(struct xs_handle *xs, xs_transaction_t t, const struct xen_place *p,
                    const char *name, uint32_t max, uint32_t *out)
{
    int ret = read_own(xs, t, p, name, max, out);

    if (ret == -FSIF_ENOENT)
        return 0;
    return ret ? ret : 1;
}

/* The frontend's path: exactly /local/domain/F/device/vfs/NUMBER, of F's own. */
static int read_frontend_path(struct xs_handle *xs, xs_transaction_t t, struct xen_place *p,
                              const char *node)
{
    char vfs[XEN_PATH_MAX];
    int ret = fsi_xen_owned_by(xs, t, node, p->domid);

    if (!ret)
        ret = fsi_xen_read(xs, t, node, p->frontend, sizeof(p->frontend));
    if (ret)
        return ret;
    fsi_xen_path(vfs, "/local/domain/%u/device/vfs", p->domid);
    if (!fsi_xen_numbered(p->frontend, vfs, &p->import))
        return -FSIF_EACCES;
    return fsi_xen_owned_by(xs, t, p->frontend, p->domid);
}

int fsi_xen_read_export(struct xs_handle *xs, xs_transaction_t t, struct xen_place *p)
{
    char base[XEN_PATH_MAX - 16];
    char path[XEN_PATH_MAX];
    uint32_t attached;
    int ret;

    snprintf(base, sizeof(base), "/local/domain/%u/backend/vfs/exports/%u", p->own_domid,
             p->export_number);
    fsi_xen_path(path, "%s/frontend-id", base);
    ret = fsi_xen_read_u32(xs, t, path, XEN_DOMAINS - 1, &attached);
    if (ret)
        return ret;
    if (attached != p->domid)
        return -FSIF_EACCES;
    fsi_xen_path(path, "%s/mode", base);
    p->read_only = (uint32_t)!fsi_xen_is(xs, t, path, "rw");
    fsi_xen_path(path, "%s/name", base);
    ret = fsi_xen_read(xs, t, path, p->request.export_name, sizeof(p->request.export_name));
    if (ret)
        return ret;
    return fsif_export_name_valid(p->request.export_name) ? 0 : -FSIF_EPROTO;
}

/* --- the ring ---------------------------------------------------------------------------------
 */

/* Dialect 2's nodes: ring-size pages. Returns 1; 0 without them; a negative FSIF_E*. */
static int read_ring2(struct xs_handle *xs, xs_transaction_t t, struct xen_place *p)
{
    struct xen_request *r = &p->request;
    char name[24];
    int ret = read_key(xs, t, p, "ring-size", XEN_RING_PAGES_MAX, &r->ring_pages);

    if (ret <= 0)
        return ret;
    if (r->ring_pages == 0)
        return -FSIF_EPROTO;
    for (uint32_t i = 0; i < r->ring_pages; i++) {
        snprintf(name, sizeof(name), "ring-ref-%u", i);
        ret = read_own(xs, t, p, name, UINT32_MAX, &r->ring_refs[i]);
        if (ret)
            return ret;
    }
    return 1;
}

/* The set of dialects that the words of a key stand for; those of later ones are left to them. */
static uint32_t dialect_set(const char *words)
{
    uint32_t set = 0;

    for (const char *w = words; *w; w += *w == ' ') {
        size_t len = strcspn(w, " ");

        if (len == 1 && (*w == '1' || *w == '2'))
            set |= FSIF_DIALECT_BIT((uint32_t)(*w - '0'));
        w += len;
    }
    return set;
}

/*
 * By the nodes that are there: a frontend of 2008 writes dialect 1's, one of Xen 3.3 to 4.1 dialect
 * 2's. One that says so speaks both over the same page; without a word of it the newer counts.
 */
static int read_ring(struct xs_handle *xs, xs_transaction_t t, struct xen_place *p)
{
    struct xen_request *r = &p->request;
    char path[XEN_PATH_MAX];
    char words[64];
    uint32_t ref = 0;
    int two = read_ring2(xs, t, p);
    int one = two < 0 ? two : read_key(xs, t, p, "ring-ref", UINT32_MAX, &ref);
    int ret;

    if (one < 0 || (!one && !two))
        return -FSIF_EPROTO;
    r->dialects = two ? FSIF_DIALECT_BIT(2) : FSIF_DIALECT_BIT(1);
    if (!two) {
        r->ring_pages = 1;
        r->ring_refs[0] = ref;
    }
    fsi_xen_path(path, "%s/dialects", p->frontend);
    ret = fsi_xen_owned_by(xs, t, path, p->domid);
    if (ret == -FSIF_ENOENT)
        return 0;
    if (!ret)
        ret = fsi_xen_read(xs, t, path, words, sizeof(words));
    if (ret)
        return -FSIF_EPROTO;
    if (one && two && r->ring_pages == 1 && r->ring_refs[0] == ref)
        r->dialects |= FSIF_DIALECT_BIT(1);
    r->dialects &= dialect_set(words);
    return r->dialects ? 0 : -FSIF_EPROTO;
}

/* What a frontend that does not say so shares: its ring, and at least a page for each slot. */
static uint32_t old_pages(const struct xen_request *r)
{
    uint32_t slots = 64;

    while (slots * 2 <= 64 * r->ring_pages)
        slots *= 2;
    return r->ring_pages + slots;
}

/* What a frontend of ours writes beside: absent in all or some is fine, nonsense is not. */
static int read_keys(struct xs_handle *xs, xs_transaction_t t, struct xen_place *p)
{
    struct xen_request *r = &p->request;
    int has_pages, has_canary, has_errno;

    r->pages = old_pages(r);
    has_pages = read_key(xs, t, p, "pages", UINT32_MAX, &r->pages);
    has_canary = read_key(xs, t, p, "canary-ref", UINT32_MAX, &r->canary_ref);
    has_errno = read_key(xs, t, p, "feature-errno", 1, &r->feature_errno);
    if (has_pages < 0 || has_canary < 0 || has_errno < 0)
        return -FSIF_EPROTO;
    r->has_canary = has_canary > 0;
    r->keyed = has_pages && has_errno;
    return 0;
}

/* --- all of it --------------------------------------------------------------------------------
 */

static int read_request(struct xs_handle *xs, xs_transaction_t t, struct xen_place *p,
                        const char *node)
{
    char path[XEN_PATH_MAX];
    int ret = read_frontend_path(xs, t, p, node);

    if (ret)
        return ret;
    ret = fsi_xen_read_export(xs, t, p);
    if (ret)
        return ret;
    fsi_xen_path(path, "%s/state", p->frontend);
    ret = fsi_xen_owned_by(xs, t, path, p->domid);
    if (ret)
        return ret;
    if (!fsi_xen_is(xs, t, path, "ready"))
        return -FSIF_EPROTO;
    ret = read_ring(xs, t, p);
    if (!ret)
        ret = read_own(xs, t, p, "event-channel", INT32_MAX, &p->request.ports[0]);
    p->request.queues = 1;
    return ret ? ret : read_keys(xs, t, p);
}

static void request_path(const struct xen_place *p, char path[XEN_PATH_MAX])
{
    fsi_xen_path(path, "/local/domain/%u/backend/vfs/exports/requests/%u/%u", p->own_domid,
                 p->domid, p->export_number);
}

static int take_step(struct xs_handle *xs, xs_transaction_t t, void *arg)
{
    struct xen_place *p = arg;
    char request[XEN_PATH_MAX];
    char node[XEN_PATH_MAX];
    int ret;

    request_path(p, request);
    fsi_xen_path(node, "%s/frontend", request);
    memset(&p->request, 0, sizeof(p->request));
    ret = read_request(xs, t, p, node);
    if (!ret)
        ret = fsi_xen_write_init(xs, t, p);
    return ret ? ret : fsi_xen_remove(xs, t, request);
}

int fsi_xen_take_request(struct xs_handle *xs, struct xen_place *p)
{
    char request[XEN_PATH_MAX];
    int ret;

    fsi_xen_path(p->backend, "/local/domain/%u/backend/vfs/%u", p->own_domid, p->id);
    ret = fsi_xen_transact(xs, take_step, p);
    if (ret) {
        request_path(p, request);
        return fsi_xen_remove(xs, XBT_NULL, request) ? -FSIF_EPERM : ret;
    }
    p->request.magic = XEN_BLOB_MAGIC;
    p->request.version = XEN_BLOB_VERSION;
    p->request.domid = p->domid;
    return 0;
}
