/* SPDX-License-Identifier: MIT */
/*
 * Event channels. A port is unbound, waiting for one domain, or has its partner. What comes while a
 * port is masked comes once more after its unmasking; a channel that was just bound has one event,
 * and one whose other end is gone is unbound again and silently swallows what is sent. A port whose
 * process is gone stays while pages are held that are to ring it at their end, as in Linux.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>

#include "host.h"

#define PORTS_MAX 1023u

struct port {
    struct port *next;
    struct connection *c; /* NULL: only held pages keep it */
    uint32_t domid, number;
    uint32_t other; /* the domain that may bind or has bound it */
    struct port *partner;
    int masked;
    int pending; /* while masked */
    int queued;  /* to be taken */
    uint64_t turn;
};

static struct port *ports;
static uint64_t turns;

void channel_reset(void)
{
    turns = 0;
}

uint32_t channel_count(void)
{
    uint32_t n = 0;

    for (const struct port *p = ports; p; p = p->next)
        n++;
    return n;
}

static struct port *find(uint32_t domid, uint32_t number)
{
    struct port *p = ports;

    while (p && (p->domid != domid || p->number != number))
        p = p->next;
    return p;
}

int channel_is(uint32_t domid, uint32_t port)
{
    return find(domid, port) != NULL;
}

static void ring(struct port *p)
{
    if (!p->c)
        return;
    if (p->masked) {
        p->pending = 1;
        return;
    }
    p->masked = p->queued = 1;
    p->turn = ++turns;
    host_signal(p->c, 1);
}

static void notify(struct port *p)
{
    if (p->partner)
        ring(p->partner);
}

void channel_ring(uint32_t domid, uint32_t port)
{
    struct port *p = find(domid, port);

    if (p)
        notify(p);
}

static struct port *add(struct connection *c, uint32_t other)
{
    struct port *p;
    uint32_t number = 1;

    while (find(c->domid, number))
        number++;
    if (number > PORTS_MAX)
        return NULL;
    p = calloc(1, sizeof(*p));
    p->c = c;
    p->domid = c->domid;
    p->number = number;
    p->other = other;
    p->next = ports;
    ports = p;
    return p;
}

static void drop(struct port *p)
{
    struct port **link = &ports;

    while (*link != p)
        link = &(*link)->next;
    *link = p->next;
    if (p->partner)
        p->partner->partner = NULL;
    free(p);
}

/* Its process has no use for it any more. */
static void let_go(struct port *p)
{
    if (grant_rings(p->domid, p->number))
        p->c = NULL;
    else
        drop(p);
}

void channel_drop(struct connection *c)
{
    struct port *next;

    for (struct port *p = ports; p; p = next) {
        next = p->next;
        if (p->c == c)
            let_go(p);
    }
}

void channel_check(uint32_t domid, uint32_t port)
{
    struct port *p = find(domid, port);

    if (p && !p->c)
        let_go(p);
}

static void bind_unbound(struct connection *c, struct fake_message *m)
{
    const struct port *p = host_exists(m->number[0]) ? add(c, m->number[0]) : NULL;

    answer(m, p ? (int)p->number : 0, p ? 0 : host_exists(m->number[0]) ? ENOSPC : ESRCH);
}

static void bind_interdomain(struct connection *c, struct fake_message *m)
{
    struct port *remote = find(m->number[0], m->number[1]);
    struct port *p;

    if (!remote || remote->partner || remote->other != c->domid) {
        answer(m, 0, host_exists(m->number[0]) ? EINVAL : ESRCH);
        return;
    }
    p = add(c, m->number[0]);
    if (!p) {
        answer(m, 0, ENOSPC);
        return;
    }
    p->partner = remote;
    remote->partner = p;
    ring(p);
    answer(m, (int)p->number, 0);
}

static void take(struct connection *c, struct fake_message *m)
{
    struct port *first = NULL;
    uint32_t queued = 0;

    for (struct port *p = ports; p; p = p->next) {
        if (p->c != c || !p->queued)
            continue;
        queued++;
        if (!first || p->turn < first->turn)
            first = p;
    }
    if (!first) {
        answer(m, 0, EAGAIN);
        return;
    }
    first->queued = 0;
    if (queued == 1)
        host_signal(c, 0);
    answer(m, (int)first->number, 0);
}

static void unmask(struct port *p)
{
    p->masked = 0;
    if (p->pending) {
        p->pending = 0;
        ring(p);
    }
}

void channel_call(struct connection *c, struct fake_message *m)
{
    struct port *p = find(c->domid, m->number[0]);

    m->len = 0;
    if (m->op == FAKE_UNBOUND) {
        bind_unbound(c, m);
        return;
    }
    if (m->op == FAKE_INTERDOMAIN) {
        bind_interdomain(c, m);
        return;
    }
    if (m->op == FAKE_PENDING) {
        take(c, m);
        return;
    }
    if (!p || p->c != c) {
        answer(m, 0, EINVAL);
        return;
    }
    if (m->op == FAKE_NOTIFY)
        notify(p);
    else if (m->op == FAKE_UNBIND)
        let_go(p);
    else
        unmask(p);
    answer(m, 0, 0);
}
