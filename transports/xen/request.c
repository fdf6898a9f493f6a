/* SPDX-License-Identifier: MIT */
/*
 * A frontend's request and the nodes of its session, in the supervisor.
 *
 *   requests/F/E/frontend = /local/domain/F/device/vfs/I
 *      --checked--> M/state = init, I/backend = M, request removed --worker answers-->
 *      M/state = ready --either side ends--> nodes removed
 *
 * Who asks is the owner of the request node, which xenstore sets itself and a guest cannot change
 * in another's name; F in the path must be the same, the frontend's path must be F's own, and F
 * must own each node that is read there. E must be attached to F: exports/E/frontend-id, which only
 * the toolstack and this domain can write. Every value is read once.
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

/* A key that old frontends do not write: absent is 0 and leaves @out alone. */
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
    uint32_t import;
    int ret = fsi_xen_owned_by(xs, t, node, p->domid);

    if (!ret)
        ret = fsi_xen_read(xs, t, node, p->frontend, sizeof(p->frontend));
    if (ret)
        return ret;
    fsi_xen_path(vfs, "/local/domain/%u/device/vfs", p->domid);
    if (!fsi_xen_numbered(p->frontend, vfs, &import))
        return -FSIF_EACCES;
    return fsi_xen_owned_by(xs, t, p->frontend, p->domid);
}

/* The export's name, if it is attached to this guest. */
static int read_export(struct xs_handle *xs, xs_transaction_t t, struct xen_place *p)
{
    char path[XEN_PATH_MAX];
    uint32_t attached;
    int ret;

    fsi_xen_path(path, "/local/domain/%u/backend/vfs/exports/%u/frontend-id", p->own_domid,
                 p->export_number);
    ret = fsi_xen_read_u32(xs, t, path, XEN_DOMAINS - 1, &attached);
    if (ret)
        return ret;
    if (attached != p->domid)
        return -FSIF_EACCES;
    fsi_xen_path(path, "/local/domain/%u/backend/vfs/exports/%u/name", p->own_domid,
                 p->export_number);
    ret = fsi_xen_read(xs, t, path, p->request.export_name, sizeof(p->request.export_name));
    if (ret)
        return ret;
    return fsif_export_name_valid(p->request.export_name) ? 0 : -FSIF_EPROTO;
}

static int read_request(struct xs_handle *xs, xs_transaction_t t, struct xen_place *p,
                        const char *node)
{
    struct xen_request *r = &p->request;
    char path[XEN_PATH_MAX];
    int ret = read_frontend_path(xs, t, p, node);

    if (ret)
        return ret;
    ret = read_export(xs, t, p);
    if (ret)
        return ret;
    fsi_xen_path(path, "%s/state", p->frontend);
    ret = fsi_xen_owned_by(xs, t, path, p->domid);
    if (ret)
        return ret;
    if (!fsi_xen_is(xs, t, path, "ready"))
        return -FSIF_EPROTO;
    ret = read_own(xs, t, p, "ring-ref", UINT32_MAX, &r->ring_ref);
    if (!ret)
        ret = read_own(xs, t, p, "event-channel", INT32_MAX, &r->port);
    return ret;
}

/* What a frontend of ours writes beside: absent in all or some is fine, nonsense is not. */
static int read_keys(struct xs_handle *xs, xs_transaction_t t, struct xen_place *p)
{
    struct xen_request *r = &p->request;
    int has_pages, has_canary, has_errno;

    r->pages = XEN_OLD_PAGES;
    r->feature_errno = 0;
    has_pages = read_key(xs, t, p, "pages", UINT32_MAX, &r->pages);
    has_canary = read_key(xs, t, p, "canary-ref", UINT32_MAX, &r->canary_ref);
    has_errno = read_key(xs, t, p, "feature-errno", 1, &r->feature_errno);
    if (has_pages < 0 || has_canary < 0 || has_errno < 0)
        return -FSIF_EPROTO;
    r->has_canary = has_canary > 0;
    r->keyed = has_pages && has_errno;
    return 0;
}

/* A node of ours that this guest may read and nobody else. */
static int make_readable(struct xs_handle *xs, xs_transaction_t t, const struct xen_place *p,
                         const char *path)
{
    struct xs_permissions perms[2] = {
        {.id = p->own_domid, .perms = XS_PERM_NONE},
        {.id = p->domid, .perms = XS_PERM_READ},
    };

    if (!xs_mkdir(xs, t, path) || !xs_set_permissions(xs, t, path, perms, 2))
        return fsi_xen_error();
    return 0;
}

static int write_init(struct xs_handle *xs, xs_transaction_t t, const struct xen_place *p)
{
    char path[XEN_PATH_MAX];
    int ret = make_readable(xs, t, p, p->backend);

    /* Children inherit the permissions. */
    fsi_xen_path(path, "%s/frontend", p->backend);
    if (!ret)
        ret = fsi_xen_write(xs, t, path, p->frontend);
    fsi_xen_path(path, "%s/frontend-id", p->backend);
    if (!ret)
        ret = fsi_xen_write_u32(xs, t, path, p->domid);
    fsi_xen_path(path, "%s/state", p->backend);
    if (!ret)
        ret = fsi_xen_write(xs, t, path, "init");
    fsi_xen_path(path, "%s/backend", p->frontend);
    return ret ? ret : fsi_xen_write(xs, t, path, p->backend);
}

static int take_step(struct xs_handle *xs, xs_transaction_t t, void *arg)
{
    struct xen_place *p = arg;
    char request[XEN_PATH_MAX];
    char node[XEN_PATH_MAX];
    int ret;

    fsi_xen_path(request, "/local/domain/%u/backend/vfs/exports/requests/%u/%u", p->own_domid,
                 p->domid, p->export_number);
    fsi_xen_path(node, "%s/frontend", request);
    memset(&p->request, 0, sizeof(p->request));
    ret = read_request(xs, t, p, node);
    if (!ret)
        ret = read_keys(xs, t, p);
    if (!ret)
        ret = write_init(xs, t, p);
    return ret ? ret : fsi_xen_remove(xs, t, request);
}

int fsi_xen_take_request(struct xs_handle *xs, struct xen_place *p)
{
    char request[XEN_PATH_MAX];
    int ret;

    fsi_xen_path(p->backend, "/local/domain/%u/backend/vfs/%u", p->own_domid, p->id);
    ret = fsi_xen_transact(xs, take_step, p);
    if (ret) {
        fsi_xen_path(request, "/local/domain/%u/backend/vfs/exports/requests/%u/%u", p->own_domid,
                     p->domid, p->export_number);
        return fsi_xen_remove(xs, XBT_NULL, request) ? -FSIF_EPERM : ret;
    }
    p->request.magic = XEN_BLOB_MAGIC;
    p->request.version = XEN_BLOB_VERSION;
    p->request.domid = p->domid;
    return 0;
}

/* --- the worker's answer -----------------------------------------------------------------------
 */

struct publishing {
    const struct xen_place *place;
    uint32_t status;
    uint32_t dialect;
    uint32_t read_only;
    int feature_errno;
};

static int publish_step(struct xs_handle *xs, xs_transaction_t t, void *arg)
{
    const struct publishing *a = arg;
    const char *base = a->place->backend;
    char path[XEN_PATH_MAX];
    int ret;

    fsi_xen_path(path, "%s/status", base);
    ret = fsi_xen_write_u32(xs, t, path, a->status);
    fsi_xen_path(path, "%s/dialect", base);
    if (!ret && !a->status)
        ret = fsi_xen_write_u32(xs, t, path, a->dialect);
    fsi_xen_path(path, "%s/read-only", base);
    if (!ret && !a->status)
        ret = fsi_xen_write_u32(xs, t, path, a->read_only);
    fsi_xen_path(path, "%s/feature-errno", base);
    if (!ret && !a->status && a->feature_errno)
        ret = fsi_xen_write_u32(xs, t, path, 1);
    fsi_xen_path(path, "%s/state", base);
    return ret ? ret : fsi_xen_write(xs, t, path, a->status ? "closed" : "ready");
}

int fsi_xen_publish(struct xs_handle *xs, const struct xen_place *place,
                    const struct fsif_dict *answer)
{
    struct publishing a = {.place = place};

    if (fsif_dict_get_u32(answer, "status", 0, FSIF_MAX_ERRNO, &a.status))
        return -FSIF_EPROTO;
    if (!a.status && (fsif_dict_get_u32(answer, "dialect", 1, 31, &a.dialect) ||
                      fsif_dict_get_u32(answer, "read-only", 0, 1, &a.read_only)))
        return -FSIF_EPROTO;
    a.feature_errno = fsif_dict_has_word(answer, "features", "errno");
    return fsi_xen_transact(xs, publish_step, &a);
}

/* --- the end -----------------------------------------------------------------------------------
 */

static int withdraw_step(struct xs_handle *xs, xs_transaction_t t, void *arg)
{
    const struct xen_place *p = arg;
    char path[XEN_PATH_MAX];
    char now[XEN_PATH_MAX];

    /* By now the frontend's nodes may be those of its next session, or of nobody. */
    fsi_xen_path(path, "%s/backend", p->frontend);
    if (fsi_xen_read(xs, t, path, now, sizeof(now)) == 0 && strcmp(now, p->backend) == 0)
        fsi_xen_remove(xs, t, p->request.keyed ? p->frontend : path);
    return fsi_xen_remove(xs, t, p->backend);
}

void fsi_xen_withdraw(struct xs_handle *xs, const struct xen_place *place)
{
    struct xen_place copy = *place;

    /* A guest that changes its nodes all the time is not waited for. */
    if (fsi_xen_transact(xs, withdraw_step, &copy))
        fsi_xen_remove(xs, XBT_NULL, place->backend);
}
