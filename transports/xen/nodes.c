/* SPDX-License-Identifier: MIT */
/*
 * The nodes of a session, which the supervisor writes and its frontend reads.
 *
 *   (none) --request--> state init, I/backend --worker answers--> ready | closed
 *      ready --frontend says closing--> closing --worker gone--> closed
 *      any --the session is over--> (none)
 */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <string.h>

#include <fsif/host.h>

#include "internal.h"

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

/* What an unprivileged backend makes among the frontend's nodes is its own, so the frontend must be
 * told that it may read it. */
static int write_backend(struct xs_handle *xs, xs_transaction_t t, const struct xen_place *p)
{
    char path[XEN_PATH_MAX];
    int ret;

    fsi_xen_path(path, "%s/backend", p->frontend);
    ret = fsi_xen_write(xs, t, path, p->backend);
    if (!ret && !fsi_xen_owned_by(xs, t, path, p->own_domid))
        ret = make_readable(xs, t, p, path);
    return ret;
}

int fsi_xen_write_init(struct xs_handle *xs, xs_transaction_t t, const struct xen_place *p)
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
    return ret ? ret : write_backend(xs, t, p);
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

int fsi_xen_publish_state(struct xs_handle *xs, const struct xen_place *place, const char *state)
{
    char path[XEN_PATH_MAX];

    fsi_xen_path(path, "%s/state", place->backend);
    return fsi_xen_write(xs, XBT_NULL, path, state);
}

/* --- the end -----------------------------------------------------------------------------------
 */

int fsi_xen_is_named(struct xs_handle *xs, xs_transaction_t t, const struct xen_place *p)
{
    char path[XEN_PATH_MAX];
    char now[XEN_PATH_MAX];

    fsi_xen_path(path, "%s/backend", p->frontend);
    return fsi_xen_read(xs, t, path, now, sizeof(now)) == 0 && strcmp(now, p->backend) == 0;
}

static int withdraw_step(struct xs_handle *xs, xs_transaction_t t, void *arg)
{
    const struct xen_place *p = arg;
    char path[XEN_PATH_MAX];

    /* By now the frontend's nodes may be those of its next session, or of nobody. */
    fsi_xen_path(path, "%s/backend", p->frontend);
    if (fsi_xen_is_named(xs, t, p))
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
