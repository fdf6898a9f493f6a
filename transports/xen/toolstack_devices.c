/* SPDX-License-Identifier: MIT */
/*
 * The devices of an attachment, as attach makes them beside the nodes that old guests ask by: a
 * directory on either side for each (README.md has the table). All of it runs inside attach's and
 * detach's transaction. The same number stands on both sides; it is the lowest that neither the
 * guest's directory nor the backend's has.
 */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fsif/host.h>

#include "internal.h"

#define PERMS_MAX 16u
#define NUMBERS_MAX 65536u

struct paths {
    char back_all[XEN_PATH_MAX]; /* of the backend, all guests */
    char back[XEN_PATH_MAX];     /* of them this one */
    char front[XEN_PATH_MAX];    /* of the guest, all backends */
};

struct device {
    char back[XEN_PATH_MAX];
    char front[XEN_PATH_MAX];
};

static void set_paths(const struct fsif_attachment *a, struct paths *out)
{
    fsi_xen_path(out->back_all, "/local/domain/%u/backend/fsif", a->backend);
    fsi_xen_path(out->back, "/local/domain/%u/backend/fsif/%u", a->backend, a->domid);
    fsi_xen_path(out->front, "/local/domain/%u/device/fsif", a->domid);
}

static int make(struct xs_handle *xs, xs_transaction_t t, const char *path,
                struct xs_permissions *perms, unsigned n)
{
    return xs_mkdir(xs, t, path) && xs_set_permissions(xs, t, path, perms, n) ? 0 : fsi_xen_error();
}

static int write_below(struct xs_handle *xs, xs_transaction_t t, const char *base, const char *name,
                       const char *value)
{
    char path[2 * XEN_PATH_MAX];

    snprintf(path, sizeof(path), "%s/%s", base, name);
    return fsi_xen_write(xs, t, path, value);
}

static int write_number_below(struct xs_handle *xs, xs_transaction_t t, const char *base,
                              const char *name, uint32_t value)
{
    char path[2 * XEN_PATH_MAX];

    snprintf(path, sizeof(path), "%s/%s", base, name);
    return fsi_xen_write_u32(xs, t, path, value);
}

/* Return: 1; 0 there is no such node; a negative FSIF_E* */
static int is_node(struct xs_handle *xs, xs_transaction_t t, const char *base, const char *name)
{
    char path[2 * XEN_PATH_MAX];
    unsigned len;
    char *value;
    int ret;

    snprintf(path, sizeof(path), "%s/%s", base, name);
    value = xs_read(xs, t, path, &len);
    ret = value ? 0 : fsi_xen_error();
    free(value);
    if (!ret)
        return 1;
    return ret == -FSIF_ENOENT ? 0 : ret;
}

/* --- which there are --------------------------------------------------------------------------
 */

/* The children of @path; none if there is no such directory. Return: 0 or a negative FSIF_E* */
static int list(struct xs_handle *xs, xs_transaction_t t, const char *path, char ***names,
                unsigned *n)
{
    *n = 0;
    *names = xs_directory(xs, t, path, n);
    if (*names || fsi_xen_error() == -FSIF_ENOENT)
        return *n > NUMBERS_MAX ? -FSIF_ENOSPC : 0;
    return fsi_xen_error();
}

/* Mark in @taken, of @size numbers, those that stand in @path. */
static int mark_taken(struct xs_handle *xs, xs_transaction_t t, const char *path,
                      unsigned char *taken, uint32_t size)
{
    char **names;
    uint32_t number;
    unsigned n;
    int ret = list(xs, t, path, &names, &n);

    for (unsigned i = 0; i < n && !ret; i++) {
        if (fsi_xen_number(names[i], size - 1, &number))
            taken[number] = 1;
    }
    free(names);
    return ret;
}

/* A number for a new device. */
static int find_free(struct xs_handle *xs, xs_transaction_t t, const struct paths *p, uint32_t *out)
{
    unsigned char *taken = calloc(NUMBERS_MAX, 1);
    int ret = taken ? mark_taken(xs, t, p->back, taken, NUMBERS_MAX) : -FSIF_ENOMEM;

    if (!ret)
        ret = mark_taken(xs, t, p->front, taken, NUMBERS_MAX);
    *out = 0;
    while (!ret && *out < NUMBERS_MAX && taken[*out])
        ++*out;
    free(taken);
    return !ret && *out == NUMBERS_MAX ? -FSIF_ENOSPC : ret;
}

static void set_device(const struct fsif_attachment *a, uint32_t number, struct device *out)
{
    fsi_xen_path(out->back, "/local/domain/%u/backend/fsif/%u/%u", a->backend, a->domid, number);
    fsi_xen_path(out->front, "/local/domain/%u/device/fsif/%u", a->domid, number);
}

/* Return: 1 it is of this attachment; 0 it is not; a negative FSIF_E* */
static int is_of(struct xs_handle *xs, xs_transaction_t t, const struct fsif_attachment *a,
                 const struct device *d)
{
    char path[2 * XEN_PATH_MAX];
    char name[FSIF_EXPORT_NAME_MAX + 1];
    int ret;

    snprintf(path, sizeof(path), "%s/name", d->back);
    ret = fsi_xen_read(xs, t, path, name, sizeof(name));
    if (ret)
        return ret == -FSIF_ENOENT || ret == -FSIF_EPROTO ? 0 : ret;
    return strcmp(name, a->export_name) == 0;
}

/* Call @fn for each device of the attachment. Return: how many; a negative FSIF_E*, of @fn too */
typedef int device_fn(struct xs_handle *xs, xs_transaction_t t, const struct fsif_attachment *a,
                      const struct device *d);

static int each(struct xs_handle *xs, xs_transaction_t t, const struct fsif_attachment *a,
                device_fn *fn)
{
    struct paths p;
    char **names;
    uint32_t number;
    unsigned n;
    int found = 0;
    int ret;

    set_paths(a, &p);
    ret = list(xs, t, p.back, &names, &n);
    for (unsigned i = 0; i < n && !ret; i++) {
        struct device d;

        if (!fsi_xen_number(names[i], UINT32_MAX, &number))
            continue;
        set_device(a, number, &d);
        ret = is_of(xs, t, a, &d);
        if (ret <= 0)
            continue;
        found++;
        ret = fn(xs, t, a, &d);
    }
    free(names);
    return ret ? ret : found;
}

/* --- attach -----------------------------------------------------------------------------------
 */

/* The backend's side: the guest reads its own devices and cannot write. */
static int make_back(struct xs_handle *xs, xs_transaction_t t, const struct fsif_attachment *a,
                     const struct device *d)
{
    struct xs_permissions perms[2] = {
        {.id = a->backend, .perms = XS_PERM_NONE},
        {.id = a->domid, .perms = XS_PERM_READ},
    };
    int ret = make(xs, t, d->back, perms, 2);

    if (!ret)
        ret = write_below(xs, t, d->back, "frontend", d->front);
    if (!ret)
        ret = write_number_below(xs, t, d->back, "frontend-id", a->domid);
    if (!ret)
        ret = write_below(xs, t, d->back, "name", a->export_name);
    return ret ? ret : write_number_below(xs, t, d->back, "state", XEN_BUS_INITIALISING);
}

/* The guest's side: all of it is the guest's; the backend reads it, and writes its state. */
static int make_front(struct xs_handle *xs, xs_transaction_t t, const struct fsif_attachment *a,
                      const struct device *d)
{
    struct xs_permissions perms[2] = {
        {.id = a->domid, .perms = XS_PERM_NONE},
        {.id = a->backend, .perms = XS_PERM_READ},
    };
    char state[2 * XEN_PATH_MAX];
    int ret = make(xs, t, d->front, perms, 2);

    if (!ret)
        ret = write_below(xs, t, d->front, "backend", d->back);
    if (!ret)
        ret = write_number_below(xs, t, d->front, "backend-id", a->backend);
    if (!ret)
        ret = write_number_below(xs, t, d->front, "state", XEN_BUS_INITIALISING);
    if (ret)
        return ret;
    perms[1].perms = XS_PERM_READ | XS_PERM_WRITE;
    snprintf(state, sizeof(state), "%s/state", d->front);
    return xs_set_permissions(xs, t, state, perms, 2) ? 0 : fsi_xen_error();
}

/* One that is there: its mode, and what the guest has removed of its side. */
static int mend(struct xs_handle *xs, xs_transaction_t t, const struct fsif_attachment *a,
                const struct device *d)
{
    int ret = write_below(xs, t, d->back, "mode", a->read_only ? "ro" : "rw");

    if (!ret)
        ret = is_node(xs, t, d->front, "state");
    if (ret)
        return ret < 0 ? ret : 0;
    return make_front(xs, t, a, d);
}

static int add(struct xs_handle *xs, xs_transaction_t t, const struct fsif_attachment *a,
               const struct paths *p)
{
    struct device d;
    uint32_t number;
    int ret = find_free(xs, t, p, &number);

    set_device(a, number, &d);
    if (!ret)
        ret = make_back(xs, t, a, &d);
    return ret ? ret : mend(xs, t, a, &d);
}

/* Other backends that serve the guest keep what they have. */
static int make_front_all(struct xs_handle *xs, xs_transaction_t t, const struct fsif_attachment *a,
                          const char *path)
{
    struct xs_permissions perms[PERMS_MAX] = {
        {.id = a->domid, .perms = XS_PERM_NONE},
        {.id = a->backend, .perms = XS_PERM_READ},
    };
    unsigned n = 0;
    unsigned used = 2;
    struct xs_permissions *old = xs_get_permissions(xs, t, path, &n);

    for (unsigned i = 1; old && i < n && used < PERMS_MAX; i++) {
        if (old[0].id == a->domid && old[i].id != a->backend)
            perms[used++] = old[i];
    }
    free(old);
    return make(xs, t, path, perms, used);
}

int fsi_xen_attach_devices(struct xs_handle *xs, xs_transaction_t t,
                           const struct fsif_attachment *a)
{
    struct xs_permissions closed = {.id = a->backend, .perms = XS_PERM_NONE};
    struct paths p;
    int there;
    int ret;

    set_paths(a, &p);
    ret = make(xs, t, p.back_all, &closed, 1);
    if (!ret)
        ret = make(xs, t, p.back, &closed, 1);
    if (!ret)
        ret = make_front_all(xs, t, a, p.front);
    if (ret)
        return ret;
    there = each(xs, t, a, mend);
    for (ret = there < 0 ? there : 0; !ret && there < (int)XEN_DEVICES; there++)
        ret = add(xs, t, a, &p);
    return ret;
}

/* --- detach -----------------------------------------------------------------------------------
 */

static int remove_both(struct xs_handle *xs, xs_transaction_t t, const struct fsif_attachment *a,
                       const struct device *d)
{
    int ret = fsi_xen_remove(xs, t, d->front);

    (void)a;
    return ret ? ret : fsi_xen_remove(xs, t, d->back);
}

static int remove_empty(struct xs_handle *xs, xs_transaction_t t, const char *path)
{
    char **names;
    unsigned n;
    int ret = list(xs, t, path, &names, &n);

    if (!ret && names && n == 0)
        ret = fsi_xen_remove(xs, t, path);
    free(names);
    return ret;
}

int fsi_xen_detach_devices(struct xs_handle *xs, xs_transaction_t t,
                           const struct fsif_attachment *a)
{
    struct paths p;
    int ret = each(xs, t, a, remove_both);

    if (ret < 0)
        return ret;
    set_paths(a, &p);
    ret = remove_empty(xs, t, p.back);
    if (!ret)
        ret = remove_empty(xs, t, p.back_all);
    return ret ? ret : remove_empty(xs, t, p.front);
}
