/* SPDX-License-Identifier: MIT */
/* What the transport uses of libxengnttab. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <xengnttab.h>

#include "client.h"

struct xengntdev_handle {
    struct handle h;
};

static struct handle *base(struct xengntdev_handle *g)
{
    return &g->h;
}

xengnttab_handle *xengnttab_open(struct xentoollog_logger *logger, unsigned flags)
{
    (void)logger;
    (void)flags;
    return (xengnttab_handle *)client_open(FAKE_MAPPER, "xengnttab_open");
}

int xengnttab_close(xengnttab_handle *g)
{
    client_close(base(g));
    return 0;
}

xengntshr_handle *xengntshr_open(struct xentoollog_logger *logger, unsigned flags)
{
    (void)logger;
    (void)flags;
    return (xengntshr_handle *)client_open(FAKE_SHARER, "xengntshr_open");
}

int xengntshr_close(xengntshr_handle *g)
{
    client_close(base(g));
    return 0;
}

static int end(struct xengntdev_handle *g, enum fake_op op, void *at)
{
    uint32_t id;
    int ret;

    client_begin(base(g), op);
    id = client_unmap(base(g), at);
    base(g)->m.number[0] = id;
    errno = EINVAL;
    ret = id ? client_call(base(g)) : -1;
    client_end(base(g));
    return ret;
}

/* Make the pages of a call that mapped or shared them appear; undo the call if they do not. */
static void *appear(struct xengntdev_handle *g, enum fake_op undo, int writable)
{
    void *at = client_map(base(g), writable);
    int error = errno;
    uint32_t id = (uint32_t)base(g)->m.result;

    if (at)
        return at;
    memset(&base(g)->m, 0, FAKE_HEAD);
    base(g)->m.op = undo;
    base(g)->m.number[0] = id;
    (void)client_call(base(g));
    errno = error;
    return NULL;
}

static void *share(xengntshr_handle *g, uint32_t domid, uint32_t count, uint32_t *refs,
                   int writable, uint32_t offset, uint32_t port)
{
    const uint32_t numbers[5] = {domid, count, writable != 0, offset, port};
    struct fake_page page;
    struct fake_message *m = client_begin(base(g), FAKE_SHARE);
    void *at = NULL;

    memcpy(m->number, numbers, sizeof(numbers));
    if (client_call(base(g)) == 0) {
        for (uint32_t i = 0; i < count; i++) {
            memcpy(&page, m->data + i * sizeof(page), sizeof(page));
            refs[i] = page.gref;
        }
        at = appear(g, FAKE_UNSHARE, 1);
    }
    client_end(base(g));
    return at;
}

void *xengntshr_share_pages(xengntshr_handle *g, uint32_t domid, int count, uint32_t *refs,
                            int writable)
{
    if (client_fault("xengntshr_share_pages"))
        return NULL;
    return share(g, domid, (uint32_t)count, refs, writable, FAKE_NONE, FAKE_NONE);
}

void *xengntshr_share_page_notify(xengntshr_handle *g, uint32_t domid, uint32_t *ref, int writable,
                                  uint32_t offset, evtchn_port_t port)
{
    if (client_fault("xengntshr_share_page_notify"))
        return NULL;
    return share(g, domid, 1, ref, writable, offset, port);
}

int xengntshr_unshare(xengntshr_handle *g, void *at, uint32_t count)
{
    (void)count;
    return end(g, FAKE_UNSHARE, at);
}

static void *map(xengnttab_handle *g, uint32_t domid, uint32_t count, const uint32_t *refs,
                 int prot, uint32_t offset, uint32_t port)
{
    const uint32_t numbers[5] = {domid, count, (prot & PROT_WRITE) != 0, offset, port};
    struct fake_message *m;
    void *at = NULL;

    if (count > FAKE_DATA / sizeof(struct fake_page)) {
        errno = EINVAL;
        return NULL;
    }
    m = client_begin(base(g), FAKE_MAP);
    memcpy(m->number, numbers, sizeof(numbers));
    m->len = count * (uint32_t)sizeof(*refs);
    memcpy(m->data, refs, m->len);
    if (client_call(base(g)) == 0)
        at = appear(g, FAKE_UNMAP, prot & PROT_WRITE);
    client_end(base(g));
    return at;
}

void *xengnttab_map_domain_grant_refs(xengnttab_handle *g, uint32_t count, uint32_t domid,
                                      uint32_t *refs, int prot)
{
    if (client_fault("xengnttab_map_domain_grant_refs"))
        return NULL;
    return map(g, domid, count, refs, prot, FAKE_NONE, FAKE_NONE);
}

void *xengnttab_map_grant_ref(xengnttab_handle *g, uint32_t domid, uint32_t ref, int prot)
{
    if (client_fault("xengnttab_map_grant_ref"))
        return NULL;
    return map(g, domid, 1, &ref, prot, FAKE_NONE, FAKE_NONE);
}

void *xengnttab_map_grant_ref_notify(xengnttab_handle *g, uint32_t domid, uint32_t ref, int prot,
                                     uint32_t offset, evtchn_port_t port)
{
    if (client_fault("xengnttab_map_grant_ref_notify"))
        return NULL;
    return map(g, domid, 1, &ref, prot, offset, port);
}

int xengnttab_unmap(xengnttab_handle *g, void *at, uint32_t count)
{
    (void)count;
    return end(g, FAKE_UNMAP, at);
}

static int copy_one(xengnttab_handle *g, xengnttab_grant_copy_segment_t *s)
{
    int to_peer = (s->flags & GNTCOPY_dest_gref) != 0;
    uint32_t len = s->len;
    struct fake_message *m = client_begin(base(g), FAKE_COPY);
    const uint32_t numbers[5] = {
        to_peer ? s->dest.foreign.domid : s->source.foreign.domid,
        to_peer ? s->dest.foreign.ref : s->source.foreign.ref,
        to_peer ? s->dest.foreign.offset : s->source.foreign.offset,
        (uint32_t)to_peer,
        len,
    };
    int ret;

    memcpy(m->number, numbers, sizeof(numbers));
    if (to_peer && len <= sizeof(m->data)) {
        m->len = len;
        memcpy(m->data, s->source.virt, len);
    }
    ret = client_call(base(g));
    if (ret == 0)
        s->status = (int16_t)-m->result;
    if (ret == 0 && s->status == GNTST_okay && !to_peer)
        memcpy(s->dest.virt, m->data, len);
    client_end(base(g));
    return ret;
}

int xengnttab_grant_copy(xengnttab_handle *g, uint32_t count, xengnttab_grant_copy_segment_t *segs)
{
    if (client_fault("xengnttab_grant_copy"))
        return -1;
    for (uint32_t i = 0; i < count; i++) {
        if (copy_one(g, &segs[i]))
            return -1;
    }
    return 0;
}
