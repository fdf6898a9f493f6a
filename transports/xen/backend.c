/* SPDX-License-Identifier: MIT */
/*
 * The worker's part. It has the checked request as plain data and opens its own handles; it never
 * sees xenstore: what it answers goes to the supervisor's part over the socket that it was given.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fsif/host.h>
#include <fsif/op.h>

#include "internal.h"

/* Linux's gntdev takes no more in one call (its parameter `limit`). */
#define MAP_PAGES_MAX 65536u

static int check_blob(const void *blob, size_t len, struct xen_request *out)
{
    if (len != sizeof(*out))
        return -FSIF_EINVAL;
    memcpy(out, blob, len);
    if (out->magic != XEN_BLOB_MAGIC || out->version != XEN_BLOB_VERSION ||
        out->domid >= XEN_DOMAINS || out->queues == 0 || out->queues > FSIF_QUEUES_MAX ||
        out->ring_pages > XEN_RING_PAGES_MAX || out->offer_len > sizeof(out->offer) ||
        (out->ring_pages > 0) == (out->offer_len > 0) ||
        strnlen(out->export_name, sizeof(out->export_name)) == sizeof(out->export_name))
        return -FSIF_EINVAL;
    return 0;
}

int fsi_xen_import(const int *fds, size_t nfds, const void *blob, size_t len,
                   struct fsif_session **out)
{
    struct fsif_session *s = fsi_xen_session_new(XEN_BACKEND);
    int ret = s ? 0 : -FSIF_ENOMEM;

    if (!ret)
        ret = nfds == 1 ? check_blob(blob, len, &s->request) : -FSIF_EINVAL;
    if (ret)
        goto out;
    s->domid = s->request.domid;
    s->tab = xengnttab_open(&s->quiet, 0);
    if (!s->tab) {
        ret = fsi_xen_error();
        goto out;
    }
    /* All that is opened is opened here: later the worker may not be able to. */
    for (uint32_t q = 0; q < s->request.queues; q++) {
        s->bells[q].evtchn = xenevtchn_open(&s->quiet, 0);
        if (!s->bells[q].evtchn) {
            ret = fsi_xen_error();
            goto out;
        }
    }
    s->sock = fds[0];
    *out = s;
    return 0;
out:
    if (s)
        fsi_xen_close(s);
    for (size_t i = 0; i < nfds; i++)
        close(fds[i]);
    return ret;
}

static const char *dialect_words(uint32_t set)
{
    if (set == FSIF_DIALECT_BIT(1))
        return "1";
    return set == FSIF_DIALECT_BIT(2) ? "2" : "1 2";
}

static int put_ring(const struct xen_request *r, struct fsif_dict *offer)
{
    int ret = fsif_dict_put_u32(offer, "ring-pages", r->ring_pages);
    char key[24];

    if (r->ring_pages == 1)
        return ret | fsif_dict_put_u32(offer, "ring-ref", r->ring_refs[0]);
    for (uint32_t i = 0; i < r->ring_pages; i++) {
        snprintf(key, sizeof(key), "ring-ref-%u", i);
        ret |= fsif_dict_put_u32(offer, key, r->ring_refs[i]);
    }
    return ret;
}

/* A device's keys are an offer but for what is not the guest's to say. */
static int copy_offer(const struct xen_request *r, struct fsif_dict *offer)
{
    int ret = fsif_dict_parse(offer, r->offer, r->offer_len);

    if (!ret)
        ret = fsif_dict_put_u32(offer, "fsif", 1);
    if (!ret)
        ret = fsif_dict_put(offer, "request", "session");
    if (!ret)
        ret = fsif_dict_put(offer, "export", r->export_name);
    return ret ? -FSIF_EPROTO : 0;
}

/* The nodes as the offer that every transport has. */
static int write_offer(const struct xen_request *r, struct fsif_dict *offer)
{
    int ret;

    if (r->offer_len > 0)
        return copy_offer(r, offer);
    fsif_dict_init(offer);
    ret = fsif_dict_put_u32(offer, "fsif", 1);
    ret |= fsif_dict_put(offer, "request", "session");
    ret |= fsif_dict_put(offer, "export", r->export_name);
    ret |= fsif_dict_put(offer, "dialects", dialect_words(r->dialects));
    ret |= fsif_dict_put(offer, "features", r->feature_errno ? "errno" : "");
    ret |= fsif_dict_put_u32(offer, "pages", r->pages);
    ret |= put_ring(r, offer);
    /* Without our keys it may be a frontend of 2008. */
    if (!r->keyed && r->dialects == FSIF_DIALECT_BIT(1))
        ret |= fsif_dict_put(offer, "quirks", "ring-when-idle");
    return ret ? -FSIF_EPROTO : 0;
}

int fsi_xen_next_offer(struct fsif_session *s, struct fsif_dict *offer)
{
    if (s->role != XEN_BACKEND)
        return -FSIF_EINVAL;
    if (fsi_xen_peer_state(s) == FSIF_PEER_GONE)
        return -FSIF_EPIPE;
    if (!s->offered) {
        s->offered = 1;
        return write_offer(&s->request, offer);
    }
    /* There is one offer in each request; after a refusal nothing can follow. */
    return s->answered && s->queues == 0 ? -FSIF_EPIPE : -FSIF_EAGAIN;
}

/* Bind the bells, and map the canary with our own byte in it. */
int fsi_xen_accept_memory(struct fsif_session *s, const struct fsif_dict *offer, uint32_t max_pages)
{
    void *page;
    int ret = 0;

    uint32_t pages;

    if (s->role != XEN_BACKEND || s->queues > 0)
        return -FSIF_EINVAL;
    if (fsif_dict_get_u32(offer, "pages", 1, UINT32_MAX, &pages))
        return -FSIF_EPROTO;
    if (pages > max_pages)
        return -FSIF_E2BIG;
    for (uint32_t q = 0; q < s->request.queues && !ret; q++)
        ret = fsi_xen_add_bell(s, s->request.ports[q]);
    if (ret || !s->request.has_canary)
        return ret;
    page = xengnttab_map_grant_ref_notify(s->tab, s->domid, s->request.canary_ref,
                                          PROT_READ | PROT_WRITE, XEN_CANARY_BACKEND,
                                          (evtchn_port_t)s->bells[0].port);
    if (!page)
        return -FSIF_EFAULT;
    madvise(page, FSIF_PAGE_SIZE, MADV_DONTFORK);
    s->canary = page;
    s->canary[XEN_CANARY_BACKEND] = 1;
    s->canary_armed = s->canary[XEN_CANARY_FRONTEND] != 0;
    return 0;
}

/* Whether an answer that says how many queues there are goes with this many bells. */
static int bells_valid(const struct fsif_session *s, const struct fsif_dict *answer, int bells)
{
    uint32_t queues = 1;
    int ret = fsif_dict_get_u32(answer, "queues", 1, s->queues, &queues);

    return bells == 0 || (s->queues > 0 && (!ret || ret == -FSIF_ENOENT) && bells == (int)queues);
}

int fsi_xen_answer(struct fsif_session *s, const struct fsif_dict *answer, int bells)
{
    ssize_t n;

    if (s->role != XEN_BACKEND || s->answered || !bells_valid(s, answer, bells))
        return -FSIF_EINVAL;
    s->answered = 1;
    do {
        n = send(s->sock, answer->text, answer->used, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EPIPE || errno == ECONNRESET ? -FSIF_EPIPE : fsi_xen_error();
    fsi_xen_keep_bells(s, (uint32_t)bells);
    return 0;
}

static int by_gref(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

/* @copy receives @n of @grefs. Return: 0; -FSIF_EINVAL one of them stands twice */
static int copy_distinct(uint32_t *copy, const uint32_t *grefs, uint32_t n)
{
    size_t size = n * sizeof(*copy);
    int ret = 0;

    memcpy(copy, grefs, size);
    qsort(copy, n, sizeof(*copy), by_gref);
    for (uint32_t i = 1; i < n && !ret; i++)
        ret = copy[i] == copy[i - 1] ? -FSIF_EINVAL : 0;
    memcpy(copy, grefs, size);
    return ret;
}

int fsi_xen_map(struct fsif_session *s, const uint32_t *grefs, uint32_t n, void **mem)
{
    uint32_t *copy;
    void *at = NULL;
    int ret;

    if (s->role != XEN_BACKEND || n == 0 || n > MAP_PAGES_MAX)
        return -FSIF_EINVAL;
    copy = malloc(n * sizeof(*copy));
    if (!copy)
        return -FSIF_ENOMEM;
    ret = copy_distinct(copy, grefs, n);
    if (!ret) {
        at = xengnttab_map_domain_grant_refs(s->tab, n, s->domid, copy, PROT_READ | PROT_WRITE);
        ret = at ? 0 : -FSIF_EFAULT;
    }
    free(copy);
    if (ret)
        return ret;
    madvise(at, (size_t)n * FSIF_PAGE_SIZE, MADV_DONTFORK);
    *mem = at;
    return 0;
}

void fsi_xen_unmap(struct fsif_session *s, void *mem, uint32_t n)
{
    xengnttab_unmap(s->tab, mem, n);
}

/* One page of the peer's, once. */
static int copy_once(struct fsif_session *s, xengnttab_grant_copy_segment_t *segment)
{
    if (xengnttab_grant_copy(s->tab, 1, segment))
        return -FSIF_EFAULT;
    if (segment->status == GNTST_okay)
        return 0;
    return segment->status == GNTST_permission_denied ? -FSIF_EACCES : -FSIF_EFAULT;
}

static int range_valid(uint32_t off, uint32_t len)
{
    return off <= FSIF_PAGE_SIZE && len <= FSIF_PAGE_SIZE - off;
}

int fsi_xen_copy_from(struct fsif_session *s, uint32_t gref, uint32_t off, void *dst, uint32_t len)
{
    xengnttab_grant_copy_segment_t segment;

    if (!range_valid(off, len))
        return -FSIF_EINVAL;
    if (len == 0)
        return 0;
    memset(&segment, 0, sizeof(segment));
    segment.source.foreign.ref = gref;
    segment.source.foreign.offset = (uint16_t)off;
    segment.source.foreign.domid = (uint16_t)s->domid;
    segment.dest.virt = dst;
    segment.len = (uint16_t)len;
    segment.flags = GNTCOPY_source_gref;
    return copy_once(s, &segment);
}

int fsi_xen_copy_to(struct fsif_session *s, uint32_t gref, uint32_t off, const void *src,
                    uint32_t len)
{
    xengnttab_grant_copy_segment_t segment;

    if (!range_valid(off, len))
        return -FSIF_EINVAL;
    if (len == 0)
        return 0;
    memset(&segment, 0, sizeof(segment));
    segment.source.virt = (void *)(uintptr_t)src;
    segment.dest.foreign.ref = gref;
    segment.dest.foreign.offset = (uint16_t)off;
    segment.dest.foreign.domid = (uint16_t)s->domid;
    segment.len = (uint16_t)len;
    segment.flags = GNTCOPY_dest_gref;
    return copy_once(s, &segment);
}
