/* SPDX-License-Identifier: MIT */
/*
 * A frontend's own nodes and its request.
 *
 *   (none) --one transaction: I with state ready, requests/F/E/frontend--> asked
 *   any --close--> (none), if they are still ours
 *
 * Which nodes tell the ring says which dialects are offered: ring-ref dialect 1, ring-size and
 * ring-ref-0 ... dialect 2, both of them both, over the same page, and then `dialects` says so.
 */
#define _POSIX_C_SOURCE 200809L
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fsif/host.h>

#include "internal.h"

/* Another program of this guest asks for the same export: how often to look again */
#define TURN_MS 20

struct asking {
    struct fsif_session *s;
    uint32_t ring_pages;
    uint32_t ring_refs[XEN_RING_PAGES_MAX];
    uint32_t feature_errno;
};

int fsi_xen_left_ms(uint64_t end, int timeout_ms)
{
    uint64_t now = fsif_now_ms();

    if (timeout_ms < 0)
        return -1;
    return now >= end ? 0 : (int)(end - now);
}

/* What the offer says of dialects and ring. Returns 0; -FSIF_EINVAL. */
static int read_offer(const struct fsif_dict *offer, struct asking *a)
{
    struct fsif_session *s = a->s;
    char key[24];

    s->dialects = fsif_dict_has_word(offer, "dialects", "1") ? FSIF_DIALECT_BIT(1) : 0;
    if (fsif_dict_has_word(offer, "dialects", "2"))
        s->dialects |= FSIF_DIALECT_BIT(2);
    a->feature_errno = (uint32_t)fsif_dict_has_word(offer, "features", "errno");
    if (!s->dialects ||
        fsif_dict_get_u32(offer, "ring-pages", 1, XEN_RING_PAGES_MAX, &a->ring_pages) ||
        (a->ring_pages > 1 && s->dialects != FSIF_DIALECT_BIT(2)))
        return -FSIF_EINVAL;
    if (a->ring_pages == 1)
        return fsif_dict_get_u32(offer, "ring-ref", 0, UINT32_MAX, &a->ring_refs[0]) ? -FSIF_EINVAL
                                                                                     : 0;
    for (uint32_t i = 0; i < a->ring_pages; i++) {
        snprintf(key, sizeof(key), "ring-ref-%u", i);
        if (fsif_dict_get_u32(offer, key, 0, UINT32_MAX, &a->ring_refs[i]))
            return -FSIF_EINVAL;
    }
    return 0;
}

/* The lowest number that is not in use below device/vfs. */
static int choose_import(struct xs_handle *xs, xs_transaction_t t, struct fsif_session *s)
{
    char base[XEN_PATH_MAX];
    unsigned n = 0;
    uint32_t number;
    uint32_t import = 0;
    char **names;
    int again = 1;

    fsi_xen_path(base, "/local/domain/%u/device/vfs", s->own_domid);
    names = xs_directory(xs, t, base, &n);
    if (!names)
        return fsi_xen_error();
    while (again) {
        again = 0;
        for (unsigned i = 0; i < n; i++) {
            if (fsi_xen_number(names[i], UINT32_MAX, &number) && number == import)
                again = 1;
        }
        import += (uint32_t)again;
    }
    free(names);
    fsi_xen_path(s->frontend, "%s/%u", base, import);
    return 0;
}

static int write_node(struct xs_handle *xs, xs_transaction_t t, const struct fsif_session *s,
                      const char *name, uint32_t value)
{
    char path[XEN_PATH_MAX];

    fsi_xen_path(path, "%s/%s", s->frontend, name);
    return fsi_xen_write_u32(xs, t, path, value);
}

static int write_ring(struct xs_handle *xs, xs_transaction_t t, const struct asking *a)
{
    const struct fsif_session *s = a->s;
    char path[XEN_PATH_MAX];
    char name[24];
    int ret = 0;

    if (s->dialects & FSIF_DIALECT_BIT(1))
        ret = write_node(xs, t, s, "ring-ref", a->ring_refs[0]);
    if (!(s->dialects & FSIF_DIALECT_BIT(2)) || ret)
        return ret;
    ret = write_node(xs, t, s, "ring-size", a->ring_pages);
    for (uint32_t i = 0; i < a->ring_pages && !ret; i++) {
        snprintf(name, sizeof(name), "ring-ref-%u", i);
        ret = write_node(xs, t, s, name, a->ring_refs[i]);
    }
    if (ret || !(s->dialects & FSIF_DIALECT_BIT(1)))
        return ret;
    fsi_xen_path(path, "%s/dialects", s->frontend);
    return fsi_xen_write(xs, t, path, "1 2");
}

static int write_nodes(struct xs_handle *xs, xs_transaction_t t, const struct asking *a)
{
    const struct fsif_session *s = a->s;
    char path[XEN_PATH_MAX];
    int ret = write_ring(xs, t, a);

    if (!ret)
        ret = write_node(xs, t, s, "event-channel", (uint32_t)s->bells[0].port);
    if (!ret)
        ret = write_node(xs, t, s, "pages", s->npages);
    if (!ret)
        ret = write_node(xs, t, s, "canary-ref", s->canary_ref);
    if (!ret)
        ret = write_node(xs, t, s, "feature-errno", a->feature_errno);
    fsi_xen_path(path, "%s/state", s->frontend);
    return ret ? ret : fsi_xen_write(xs, t, path, "ready");
}

static void request_path(const struct fsif_session *s, char path[XEN_PATH_MAX])
{
    fsi_xen_path(path, "/local/domain/%u/backend/vfs/exports/requests/%u/%u", s->domid,
                 s->own_domid, s->export_number);
}

/* One step for all of it: the backend sees no half of a request. */
static int request_step(struct xs_handle *xs, xs_transaction_t t, void *arg)
{
    const struct asking *a = arg;
    struct fsif_session *s = a->s;
    char request[XEN_PATH_MAX];
    char path[XEN_PATH_MAX];
    char other[XEN_PATH_MAX];
    int ret;

    request_path(s, request);
    snprintf(path, sizeof(path), "%.100s/frontend", request);
    /* Another program of this guest asks for the same export just now. */
    if (fsi_xen_read(xs, t, path, other, sizeof(other)) == 0)
        return -FSIF_EBUSY;
    ret = choose_import(xs, t, s);
    if (!ret)
        ret = write_nodes(xs, t, a);
    return ret ? ret : fsi_xen_write(xs, t, path, s->frontend);
}

int fsi_xen_ask(struct fsif_session *s, const struct fsif_dict *offer, uint64_t end, int timeout_ms)
{
    struct asking a = {.s = s};
    int ret = read_offer(offer, &a);

    if (ret)
        return ret;
    /* Many programs of one guest may ask at once; each waits for its turn. */
    while ((ret = fsi_xen_transact(s->xs, request_step, &a)) == -FSIF_EBUSY) {
        int left = fsi_xen_left_ms(end, timeout_ms);

        s->frontend[0] = '\0';
        if (left == 0)
            return -FSIF_ETIMEDOUT;
        poll(NULL, 0, left < 0 || left > TURN_MS ? TURN_MS : left);
    }
    if (ret)
        s->frontend[0] = '\0';
    return ret;
}

int fsi_xen_is_asked(const struct fsif_session *s)
{
    char request[XEN_PATH_MAX];
    char path[XEN_PATH_MAX];
    char now[XEN_PATH_MAX];

    request_path(s, request);
    snprintf(path, sizeof(path), "%.100s/frontend", request);
    return fsi_xen_read(s->xs, XBT_NULL, path, now, sizeof(now)) == 0 &&
           strcmp(now, s->frontend) == 0;
}

/* --- the end -----------------------------------------------------------------------------------
 */

/* By now the nodes may be those of another program of this guest: the backend removes them too, and
 * their number is free then. The event channel's port is ours alone as long as it is open. */
static int is_ours(struct xs_handle *xs, xs_transaction_t t, const struct fsif_session *s)
{
    char path[XEN_PATH_MAX];
    uint32_t port;

    fsi_xen_path(path, "%s/event-channel", s->frontend);
    return fsi_xen_read_u32(xs, t, path, INT32_MAX, &port) == 0 &&
           port == (uint32_t)s->bells[0].port;
}

static int remove_step(struct xs_handle *xs, xs_transaction_t t, void *arg)
{
    const struct fsif_session *s = arg;
    char request[XEN_PATH_MAX];
    char path[XEN_PATH_MAX];
    char now[XEN_PATH_MAX];

    if (!is_ours(xs, t, s))
        return 0;
    /* A request that nobody took */
    request_path(s, request);
    snprintf(path, sizeof(path), "%.100s/frontend", request);
    if (fsi_xen_read(xs, t, path, now, sizeof(now)) == 0 && strcmp(now, s->frontend) == 0)
        fsi_xen_remove(xs, t, request);
    return fsi_xen_remove(xs, t, s->frontend);
}

static int closing_step(struct xs_handle *xs, xs_transaction_t t, void *arg)
{
    const struct fsif_session *s = arg;
    char path[XEN_PATH_MAX];

    fsi_xen_path(path, "%s/state", s->frontend);
    return is_ours(xs, t, s) ? fsi_xen_write(xs, t, path, "closing") : 0;
}

void fsi_xen_unask(struct fsif_session *s)
{
    if (!s->frontend[0])
        return;
    /* A word for an old backend of dialect 2, which ends on anything but "ready". */
    if (s->dialects & FSIF_DIALECT_BIT(2))
        (void)fsi_xen_transact(s->xs, closing_step, s);
    (void)fsi_xen_transact(s->xs, remove_step, s);
}
