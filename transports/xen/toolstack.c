/* SPDX-License-Identifier: MIT */
/*
 * The toolstack's half, where domains are made: the nodes through which one guest may ask one
 * domain for one export (README.md has the table). An attachment comes and goes in one transaction,
 * so a daemon never sees half of it.
 *
 * What a guest can write are its own requests node and its own device/vfs, and there it can let in
 * whom it likes; everything else belongs to the backend's domain.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fsif/host.h>

#include "internal.h"

#define EXPORTS_MAX 65536u
#define PERMS_MAX 16u

struct fsif_toolstack {
    struct xs_handle *xs;
    uint32_t own_domid;
};

int fsi_xen_toolstack_open(struct fsif_toolstack **out)
{
    struct fsif_toolstack *t = calloc(1, sizeof(*t));
    int ret = -FSIF_ENOMEM;

    if (!t)
        return ret;
    t->xs = xs_open(0);
    if (t->xs)
        ret = fsi_xen_own_domid(t->xs, &t->own_domid);
    else
        ret = fsi_xen_error() == -FSIF_EACCES ? -FSIF_EACCES : -FSIF_ENODEV;
    if (ret) {
        fsi_xen_toolstack_close(t);
        return ret;
    }
    *out = t;
    return 0;
}

void fsi_xen_toolstack_close(struct fsif_toolstack *t)
{
    if (t->xs)
        xs_close(t->xs);
    free(t);
}

/* --- domains -----------------------------------------------------------------------------------
 */

/* Names and UUIDs are the toolstack's word; what a guest could have written is not believed. */
static void read_name(struct fsif_toolstack *t, uint32_t domid, char *out, size_t size)
{
    char path[XEN_PATH_MAX];

    fsi_xen_path(path, "/local/domain/%u/name", domid);
    if (fsi_xen_owned_by(t->xs, XBT_NULL, path, 0) ||
        fsi_xen_read(t->xs, XBT_NULL, path, out, size))
        out[0] = '\0';
    for (const char *p = out; *p; p++) {
        if (*p < 0x21 || *p > 0x7e) {
            out[0] = '\0';
            return;
        }
    }
}

static void describe(struct fsif_toolstack *t, uint32_t domid, struct fsif_domain *out)
{
    memset(out, 0, sizeof(*out));
    out->domid = domid;
    read_name(t, domid, out->name, sizeof(out->name));
    fsi_xen_read_uuid(t->xs, domid, out->uuid);
}

/* Return: 0 it lives; -FSIF_ENOENT; -FSIF_EACCES this domain is not told */
static int is_there(struct fsif_toolstack *t, uint32_t domid)
{
    if (domid >= XEN_DOMAINS)
        return -FSIF_ENOENT;
    errno = 0;
    if (xs_is_domain_introduced(t->xs, domid))
        return 0;
    return errno ? fsi_xen_error() : -FSIF_ENOENT;
}

/* Return: 0 the one domain that is meant; -FSIF_ENOENT; -FSIF_EEXIST */
static int search(struct fsif_toolstack *t, const char *name, struct fsif_domain *out)
{
    uint8_t uuid[16];
    int by_uuid = fsi_xen_parse_uuid(name, uuid);
    unsigned n = 0;
    char **all = xs_directory(t->xs, XBT_NULL, "/local/domain", &n);
    int ret = -FSIF_ENOENT;

    if (!all)
        return fsi_xen_error();
    for (unsigned i = 0; i < n && ret != -FSIF_EEXIST; i++) {
        struct fsif_domain d;
        uint32_t domid;

        if (!fsi_xen_number(all[i], XEN_DOMAINS - 1, &domid))
            continue;
        describe(t, domid, &d);
        if (by_uuid ? memcmp(d.uuid, uuid, sizeof(uuid)) != 0 : strcmp(d.name, name) != 0)
            continue;
        if (is_there(t, domid))
            continue;
        ret = ret ? 0 : -FSIF_EEXIST;
        *out = d;
    }
    free(all);
    return ret;
}

int fsi_xen_resolve(struct fsif_toolstack *t, const char *domain, struct fsif_domain *out)
{
    uint32_t domid;
    int ret;

    if (!*domain)
        return -FSIF_ENOENT;
    if (!fsi_xen_number(domain, UINT32_MAX, &domid))
        return search(t, domain, out);
    ret = is_there(t, domid);
    if (!ret)
        describe(t, domid, out);
    return ret;
}

/* --- attachments -------------------------------------------------------------------------------
 */

static void exports_path(char path[XEN_PATH_MAX], uint32_t backend, const char *rest)
{
    fsi_xen_path(path, "/local/domain/%u/backend/vfs/exports%s", backend, rest);
}

/* Return: 0 and the attachment below number @a->number of @a->backend; -FSIF_ENOENT there is none;
 * another -FSIF_E* it could not be read */
static int read_attachment(struct xs_handle *xs, xs_transaction_t t, struct fsif_attachment *a)
{
    char base[XEN_PATH_MAX];
    char path[2 * XEN_PATH_MAX];
    int ret;

    fsi_xen_path(base, "/local/domain/%u/backend/vfs/exports/%u", a->backend, a->number);
    snprintf(path, sizeof(path), "%s/frontend-id", base);
    ret = fsi_xen_read_u32(xs, t, path, XEN_DOMAINS - 1, &a->domid);
    snprintf(path, sizeof(path), "%s/name", base);
    if (!ret)
        ret = fsi_xen_read(xs, t, path, a->export_name, sizeof(a->export_name));
    if (!ret && !fsif_export_name_valid(a->export_name))
        ret = -FSIF_EPROTO;
    if (ret)
        return ret == -FSIF_EPROTO ? -FSIF_ENOENT : ret;
    snprintf(path, sizeof(path), "%s/mode", base);
    a->read_only = fsi_xen_is(xs, t, path, "ro") ? 1 : 0;
    return 0;
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

/* The numbers that are taken, in order. Return: how many; a negative FSIF_E* */
static int read_numbers(struct xs_handle *xs, xs_transaction_t t, uint32_t backend, uint32_t **out)
{
    char path[XEN_PATH_MAX];
    uint32_t *numbers;
    unsigned n = 0;
    int used = 0;
    char **names;

    *out = NULL;
    exports_path(path, backend, "");
    names = xs_directory(xs, t, path, &n);
    if (!names)
        return fsi_xen_error() == -FSIF_ENOENT ? 0 : fsi_xen_error();
    numbers = n > EXPORTS_MAX ? NULL : calloc(n + 1, sizeof(*numbers));
    for (unsigned i = 0; numbers && i < n; i++)
        used += fsi_xen_number(names[i], UINT32_MAX, &numbers[used]);
    free(names);
    if (!numbers)
        return n > EXPORTS_MAX ? -FSIF_ENOSPC : -FSIF_ENOMEM;
    qsort(numbers, (size_t)used, sizeof(*numbers), by_number);
    *out = numbers;
    return used;
}

struct place {
    uint32_t found;  /* 1: the guest has this export, under a->number */
    uint32_t free;   /* the lowest number that is not taken */
    uint32_t others; /* further exports of this guest */
};

static int look_up(struct xs_handle *xs, xs_transaction_t t, struct fsif_attachment *a,
                   struct place *out)
{
    struct fsif_attachment each = {.backend = a->backend};
    uint32_t *numbers;
    int n = read_numbers(xs, t, a->backend, &numbers);
    int ret = n < 0 ? n : 0;

    memset(out, 0, sizeof(*out));
    for (int i = 0; i < n && !ret; i++) {
        out->free += numbers[i] == out->free;
        each.number = numbers[i];
        ret = read_attachment(xs, t, &each);
        if (ret == -FSIF_ENOENT) {
            ret = 0;
            continue;
        }
        if (ret || each.domid != a->domid)
            continue;
        if (strcmp(each.export_name, a->export_name) != 0) {
            out->others++;
        } else {
            out->found = 1;
            a->number = each.number;
        }
    }
    free(numbers);
    return ret;
}

static int make(struct xs_handle *xs, xs_transaction_t t, const char *path,
                struct xs_permissions *perms, unsigned n)
{
    return xs_mkdir(xs, t, path) && xs_set_permissions(xs, t, path, perms, n) ? 0 : fsi_xen_error();
}

/* What every guest of the backend shares: only bare numbers can be seen. */
static int make_base(struct xs_handle *xs, xs_transaction_t t, uint32_t backend)
{
    struct xs_permissions closed = {.id = backend, .perms = XS_PERM_NONE};
    struct xs_permissions listed = {.id = backend, .perms = XS_PERM_READ};
    char path[XEN_PATH_MAX];
    int ret;

    fsi_xen_path(path, "/local/domain/%u/backend/vfs", backend);
    ret = make(xs, t, path, &closed, 1);
    exports_path(path, backend, "");
    if (!ret)
        ret = make(xs, t, path, &listed, 1);
    exports_path(path, backend, "/requests");
    return ret ? ret : make(xs, t, path, &closed, 1);
}

static int write_mode(struct xs_handle *xs, xs_transaction_t t, const struct fsif_attachment *a)
{
    char path[XEN_PATH_MAX];

    fsi_xen_path(path, "/local/domain/%u/backend/vfs/exports/%u/mode", a->backend, a->number);
    return fsi_xen_write(xs, t, path, a->read_only ? "ro" : "rw");
}

/* Children inherit the permissions. The guest sees its own exports' names, and no others. */
static int make_export(struct xs_handle *xs, xs_transaction_t t, const struct fsif_attachment *a)
{
    struct xs_permissions perms[2] = {
        {.id = a->backend, .perms = XS_PERM_NONE},
        {.id = a->domid, .perms = XS_PERM_READ},
    };
    char base[XEN_PATH_MAX];
    char path[2 * XEN_PATH_MAX];
    int ret;

    fsi_xen_path(base, "/local/domain/%u/backend/vfs/exports/%u", a->backend, a->number);
    ret = make(xs, t, base, perms, 2);
    snprintf(path, sizeof(path), "%s/frontend-id", base);
    if (!ret)
        ret = fsi_xen_write_u32(xs, t, path, a->domid);
    snprintf(path, sizeof(path), "%s/name", base);
    if (!ret)
        ret = fsi_xen_write(xs, t, path, a->export_name);
    return ret;
}

/* Where the guest may ask. What it makes there is its own and inherits what the backend needs. */
static int make_requests(struct xs_handle *xs, xs_transaction_t t, const struct fsif_attachment *a)
{
    struct xs_permissions perms[3] = {
        {.id = a->backend, .perms = XS_PERM_NONE},
        {.id = a->domid, .perms = XS_PERM_WRITE},
        {.id = a->backend, .perms = XS_PERM_READ | XS_PERM_WRITE},
    };
    char path[XEN_PATH_MAX];

    fsi_xen_path(path, "/local/domain/%u/backend/vfs/exports/requests/%u", a->backend, a->domid);
    return make(xs, t, path, perms, 3);
}

/* The guest's part; other backends that serve it keep what they have. */
static int make_device(struct xs_handle *xs, xs_transaction_t t, const struct fsif_attachment *a)
{
    struct xs_permissions perms[PERMS_MAX] = {
        {.id = a->domid, .perms = XS_PERM_NONE},
        {.id = a->backend, .perms = XS_PERM_READ | XS_PERM_WRITE},
    };
    struct xs_permissions *old;
    char path[XEN_PATH_MAX];
    unsigned used = 2;
    unsigned n = 0;

    fsi_xen_path(path, "/local/domain/%u/device/vfs", a->domid);
    old = xs_get_permissions(xs, t, path, &n);
    for (unsigned i = 1; old && i < n && used < PERMS_MAX; i++) {
        if (old[0].id == a->domid && old[i].id != a->backend)
            perms[used++] = old[i];
    }
    free(old);
    return make(xs, t, path, perms, used);
}

struct attaching {
    struct fsif_attachment *a;
    int made;
};

static int attach_step(struct xs_handle *xs, xs_transaction_t t, void *arg)
{
    struct attaching *at = arg;
    struct fsif_attachment *a = at->a;
    struct place place;
    int ret = make_base(xs, t, a->backend);

    if (!ret)
        ret = look_up(xs, t, a, &place);
    if (ret)
        return ret;
    at->made = !place.found;
    if (at->made) {
        a->number = place.free;
        ret = make_export(xs, t, a);
    }
    if (!ret)
        ret = write_mode(xs, t, a);
    if (!ret)
        ret = make_requests(xs, t, a);
    if (!ret)
        ret = make_device(xs, t, a);
    return ret ? ret : fsi_xen_attach_devices(xs, t, a);
}

int fsi_xen_attach(struct fsif_toolstack *t, struct fsif_attachment *a)
{
    struct attaching at = {.a = a};
    int ret;

    if (a->backend == FSIF_DOMAIN_SELF)
        a->backend = t->own_domid;
    if (!fsif_export_name_valid(a->export_name) || a->domid >= XEN_DOMAINS ||
        a->backend >= XEN_DOMAINS)
        return -FSIF_EINVAL;
    ret = is_there(t, a->domid);
    if (!ret)
        ret = is_there(t, a->backend);
    if (!ret)
        ret = fsi_xen_transact(t->xs, attach_step, &at);
    return ret ? ret : at.made;
}

static int detach_step(struct xs_handle *xs, xs_transaction_t t, void *arg)
{
    struct fsif_attachment *a = arg;
    struct place place;
    char path[XEN_PATH_MAX];
    int ret = look_up(xs, t, a, &place);

    if (ret || !place.found)
        return ret ? ret : -FSIF_ENOENT;
    fsi_xen_path(path, "/local/domain/%u/backend/vfs/exports/%u", a->backend, a->number);
    ret = fsi_xen_remove(xs, t, path);
    if (!ret)
        ret = fsi_xen_detach_devices(xs, t, a);
    if (ret || place.others)
        return ret;
    fsi_xen_path(path, "/local/domain/%u/backend/vfs/exports/requests/%u", a->backend, a->domid);
    return fsi_xen_remove(xs, t, path);
}

int fsi_xen_detach(struct fsif_toolstack *t, const struct fsif_attachment *a)
{
    struct fsif_attachment copy = *a;

    if (copy.backend == FSIF_DOMAIN_SELF)
        copy.backend = t->own_domid;
    if (!fsif_export_name_valid(copy.export_name) || copy.backend >= XEN_DOMAINS)
        return -FSIF_EINVAL;
    return fsi_xen_transact(t->xs, detach_step, &copy);
}

int fsi_xen_list(struct fsif_toolstack *t, uint32_t backend, fsif_attachment_fn *fn, void *arg)
{
    struct fsif_attachment a = {.backend = backend == FSIF_DOMAIN_SELF ? t->own_domid : backend};
    uint32_t *numbers;
    int n = read_numbers(t->xs, XBT_NULL, a.backend, &numbers);
    int listed = 0;

    for (int i = 0; numbers && i < n; i++) {
        a.number = numbers[i];
        /* It may go meanwhile. */
        if (read_attachment(t->xs, XBT_NULL, &a))
            continue;
        fn(arg, &a);
        listed++;
    }
    free(numbers);
    return n < 0 ? n : listed;
}
