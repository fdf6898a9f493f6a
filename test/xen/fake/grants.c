/* SPDX-License-Identifier: MIT */
/*
 * Pages of all domains, in one memory file, and the grants of them. A page that is not shared any
 * more stays, grant and all, until the other side has unmapped it, as gntalloc does it; of a domain
 * that is gone nothing can be mapped or copied any more, what is mapped stays.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xengnttab.h>

#include "fake.h"
#include "host.h"

#define BYTES 4096

struct grant {
    struct grant *next;
    uint32_t owner, gref, peer, page;
    uint32_t maps;
    int writable;
    int shared; /* the owner's process has it still */
    int gone;   /* nobody gets it any more */
};

/* What one call shared or mapped. */
struct held {
    struct held *next;
    struct connection *c;
    uint32_t id;
    uint32_t offset, port; /* to be told; FAKE_NONE */
    uint32_t count;
    struct grant *grants[];
};

static struct grant *grants;
static struct held *held;
static uint32_t last_id;
static uint32_t last_gref = 8;
static uint32_t limit;
static unsigned char used[HOST_PAGES];

void grant_reset(void)
{
    limit = 1024;
}

uint32_t grant_count(void)
{
    uint32_t n = 0;

    for (const struct grant *g = grants; g; g = g->next)
        n++;
    return n;
}

uint32_t grant_maps(void)
{
    uint32_t n = 0;

    for (const struct grant *g = grants; g; g = g->next)
        n += g->maps;
    return n;
}

static uint32_t shared_by(uint32_t domid)
{
    uint32_t n = 0;

    for (const struct grant *g = grants; g; g = g->next)
        n += g->owner == domid;
    return n;
}

static uint32_t take_page(void)
{
    for (uint32_t i = 0; i < HOST_PAGES; i++) {
        if (!used[i]) {
            used[i] = 1;
            return i;
        }
    }
    abort();
}

static void sweep(void)
{
    struct grant **link = &grants;

    while (*link) {
        struct grant *g = *link;

        if (g->shared || g->maps) {
            link = &g->next;
            continue;
        }
        *link = g->next;
        used[g->page] = 0;
        if (fallocate(host_memory(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                      (off_t)g->page * BYTES, BYTES))
            abort();
        free(g);
    }
}

static struct grant *find(uint32_t owner, uint32_t gref)
{
    struct grant *g = grants;

    while (g && (g->gone || g->owner != owner || g->gref != gref))
        g = g->next;
    return g;
}

static struct held *hold(struct connection *c, const struct fake_message *m, uint32_t count)
{
    struct held *h = calloc(1, sizeof(*h) + count * sizeof(h->grants[0]));

    h->c = c;
    h->id = ++last_id;
    h->offset = m->number[3];
    h->port = m->number[4];
    h->count = count;
    h->next = held;
    held = h;
    return h;
}

/* Returns the pages in @m. */
static void tell(struct fake_message *m, const struct held *h)
{
    struct fake_page pages[FAKE_DATA / sizeof(struct fake_page)];

    for (uint32_t i = 0; i < h->count; i++)
        pages[i] = (struct fake_page){h->grants[i]->gref, h->grants[i]->page};
    m->len = h->count * (uint32_t)sizeof(pages[0]);
    memcpy(m->data, pages, m->len);
    answer(m, (int)h->id, 0);
}

static int bad_notify(const struct connection *c, const struct fake_message *m)
{
    return (m->number[3] != FAKE_NONE && m->number[3] >= BYTES) ||
           (m->number[4] != FAKE_NONE && !channel_is(c->domid, m->number[4]));
}

static void share(struct connection *c, struct fake_message *m)
{
    uint32_t count = m->number[1];
    struct held *h;

    if (count == 0 || count > FAKE_DATA / sizeof(struct fake_page) || bad_notify(c, m)) {
        answer(m, 0, EINVAL);
        return;
    }
    if (shared_by(c->domid) + count > limit) {
        answer(m, 0, ENOSPC);
        return;
    }
    h = hold(c, m, count);
    for (uint32_t i = 0; i < count; i++) {
        struct grant *g = calloc(1, sizeof(*g));

        /* Numbers without any order, as a busy domain would get them. */
        last_gref += 1 + (last_gref * 7 + i) % 5;
        *g = (struct grant){.next = grants,
                            .owner = c->domid,
                            .gref = last_gref,
                            .peer = m->number[0],
                            .page = take_page(),
                            .writable = m->number[2] != 0,
                            .shared = 1};
        h->grants[i] = grants = g;
    }
    tell(m, h);
}

static void map(struct connection *c, struct fake_message *m)
{
    uint32_t count = m->number[1];
    uint32_t grefs[FAKE_DATA / sizeof(struct fake_page)];
    struct held *h;

    if (count == 0 || count > sizeof(grefs) / sizeof(grefs[0]) || bad_notify(c, m)) {
        answer(m, 0, EINVAL);
        return;
    }
    memcpy(grefs, m->data, count * sizeof(grefs[0]));
    for (uint32_t i = 0; i < count; i++) {
        const struct grant *g = find(m->number[0], grefs[i]);

        if (!g || g->peer != c->domid || (m->number[2] && !g->writable)) {
            answer(m, 0, EINVAL);
            return;
        }
    }
    h = hold(c, m, count);
    for (uint32_t i = 0; i < count; i++) {
        h->grants[i] = find(m->number[0], grefs[i]);
        h->grants[i]->maps++;
    }
    tell(m, h);
}

/* @notify: as when a process ends or lets go; not when its whole domain is gone. */
static void let_go(struct held *h, int notify)
{
    struct held **link = &held;
    int shared = h->c->kind == FAKE_SHARER;

    while (*link != h)
        link = &(*link)->next;
    *link = h->next;
    if (notify && h->offset != FAKE_NONE &&
        pwrite(host_memory(), "", 1, (off_t)h->grants[0]->page * BYTES + (off_t)h->offset) != 1)
        abort();
    if (notify && h->port != FAKE_NONE)
        channel_ring(h->c->domid, h->port);
    for (uint32_t i = 0; i < h->count; i++) {
        if (shared)
            h->grants[i]->shared = 0;
        else
            h->grants[i]->maps--;
    }
    if (h->port != FAKE_NONE)
        channel_check(h->c->domid, h->port);
    free(h);
    sweep();
}

int grant_rings(uint32_t domid, uint32_t port)
{
    for (const struct held *h = held; h; h = h->next) {
        if (h->c->domid == domid && h->port == port)
            return 1;
    }
    return 0;
}

static void end(struct connection *c, struct fake_message *m)
{
    struct held *h = held;

    while (h && (h->id != m->number[0] || h->c != c))
        h = h->next;
    m->len = 0;
    answer(m, 0, h ? 0 : EINVAL);
    if (h)
        let_go(h, 1);
}

void grant_drop(struct connection *c, int notify)
{
    struct held *next;

    for (struct held *h = held; h; h = next) {
        next = h->next;
        if (h->c == c)
            let_go(h, notify);
    }
}

static int copy_status(const struct connection *c, const struct fake_message *m,
                       const struct grant *g)
{
    if (!host_exists(m->number[0]))
        return GNTST_bad_domain;
    if (!g)
        return GNTST_bad_gntref;
    if (g->peer != c->domid || (m->number[3] && !g->writable))
        return GNTST_permission_denied;
    if (m->number[4] > BYTES || m->number[2] > BYTES - m->number[4])
        return GNTST_bad_copy_arg;
    return GNTST_okay;
}

static void copy(struct connection *c, struct fake_message *m)
{
    const struct grant *g = find(m->number[0], m->number[1]);
    int status = copy_status(c, m, g);
    ssize_t n = 0;
    off_t at;

    answer(m, -status, 0);
    if (status != GNTST_okay) {
        m->len = 0;
        return;
    }
    at = (off_t)g->page * BYTES + (off_t)m->number[2];
    if (m->number[3])
        n = pwrite(host_memory(), m->data, m->number[4], at);
    else
        n = pread(host_memory(), m->data, m->number[4], at);
    if (n != (ssize_t)m->number[4])
        abort();
    m->len = m->number[3] ? 0 : m->number[4];
}

void grant_call(struct connection *c, struct fake_message *m)
{
    switch (m->op) {
    case FAKE_SHARE:
        share(c, m);
        break;
    case FAKE_MAP:
        map(c, m);
        break;
    case FAKE_COPY:
        copy(c, m);
        break;
    default:
        end(c, m);
    }
}

void grant_forget_domain(uint32_t domid)
{
    for (struct grant *g = grants; g; g = g->next)
        g->gone |= g->owner == domid;
    sweep();
}

void grant_limit(uint32_t pages)
{
    limit = pages;
}

void grant_change(uint32_t domid, uint32_t gref, int gone)
{
    struct grant *g = find(domid, gref);

    if (!g)
        abort();
    g->writable = 0;
    g->gone = gone;
}
