/* SPDX-License-Identifier: MIT */
/*
 * How the old frontends found their backend and used the ring.
 *
 * Dialect 1's event handler took req_prod for rsp_prod: it believed that all that it had asked was
 * answered as soon as it was rung. So does this one, and counts when that would have hurt: with an
 * event while a request is unanswered it would have taken its own request for the answer.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "old_front.h"

void front_open(struct old_front *f)
{
    uint32_t total;
    int port;

    f->ring_pages = f->dialect == 1 ? 1 : 2;
    f->pages_per_id = f->dialect == 1 ? 1 : IO_PAGES_MAX;
    f->ids = f->dialect == 1 ? 64 : IDS_MAX;
    total = f->ring_pages + f->ids * f->pages_per_id;
    f->xs = xs_open(0);
    f->shr = xengntshr_open(NULL, 0);
    f->evtchn = xenevtchn_open(NULL, 0);
    if (!f->xs || !f->shr || !f->evtchn)
        fatal("xenstore, gntalloc or evtchn");
    port = xenevtchn_bind_unbound_port(f->evtchn, f->backend);
    if (port < 0)
        fatal("event channel");
    f->port = (evtchn_port_t)port;
    unsigned char *mem = xengntshr_share_pages(f->shr, f->backend, (int)total, f->grefs, 1);
    if (!mem)
        fatal("grants");
    memset(mem, 0, (size_t)total * PAGE);
    ring_init(&f->ring, mem, f->dialect, f->ring_pages);
    f->data = mem + (size_t)f->ring_pages * PAGE;
    ring_set(&f->ring, REQ_EVENT, 1);
    ring_set(&f->ring, RSP_EVENT, 1);
}

int64_t front_export_number(struct old_front *f)
{
    char path[PATH_SIZE];
    unsigned n = 0;
    char **names;
    int64_t found = -1;

    snprintf(path, sizeof(path), "/local/domain/%u/backend/vfs/exports", f->backend);
    names = xs_directory(f->xs, XBT_NULL, path, &n);
    for (unsigned i = 0; names && i < n && found < 0; i++) {
        const char *name = xs_get(f->xs, "%s/%s/name", path, names[i]);

        if (strspn(names[i], "0123456789") == strlen(names[i]) && name &&
            strcmp(name, f->export_name) == 0)
            found = strtol(names[i], NULL, 10);
    }
    free(names);
    return found;
}

static void write_number(struct old_front *f, xs_transaction_t t, const char *name, uint32_t v)
{
    char path[2 * PATH_SIZE];

    snprintf(path, sizeof(path), "%s/%s", f->frontend, name);
    xs_put(f->xs, t, path, "%u", v);
}

static void write_state(struct old_front *f, xs_transaction_t t, const char *state)
{
    char path[2 * PATH_SIZE];

    snprintf(path, sizeof(path), "%s/state", f->frontend);
    xs_put(f->xs, t, path, "%s", state);
}

static void write_size(struct old_front *f, xs_transaction_t t)
{
    char path[2 * PATH_SIZE];

    snprintf(path, sizeof(path), "%s/ring-size", f->frontend);
    if (f->forged_size)
        xs_put(f->xs, t, path, "%s", f->forged_size);
    else
        xs_put(f->xs, t, path, "%u", f->ring_pages);
}

static void write_nodes(struct old_front *f)
{
    xs_transaction_t t;
    char name[32];

    do {
        t = xs_transaction_start(f->xs);
        if (f->dialect == 1) {
            write_number(f, t, "ring-ref",
                         f->forged_ref >= 0 ? (uint32_t)f->forged_ref : f->grefs[0]);
        } else {
            write_size(f, t);
            for (uint32_t i = 0; i < f->ring_pages; i++) {
                snprintf(name, sizeof(name), "ring-ref-%u", i);
                write_number(f, t, name,
                             f->forged_ref >= 0 ? (uint32_t)f->forged_ref : f->grefs[i]);
            }
        }
        write_number(f, t, "event-channel", f->port);
        write_state(f, t, "ready");
    } while (!xs_transaction_end(f->xs, t, false) && errno == EAGAIN);
}

/* The 2008 patch waited so long and no longer. */
static void wait_backend(struct old_front *f)
{
    char path[2 * PATH_SIZE];
    uint64_t begin = now_ms();
    const char *m;

    snprintf(path, sizeof(path), "%s/backend", f->frontend);
    if (!xs_watch(f->xs, path, "backend"))
        fatal(path);
    while (!(m = xs_get(f->xs, "%s", path))) {
        uint64_t spent = now_ms() - begin;

        if (spent >= f->patience_ms || !xs_wait(f->xs, f->patience_ms - spent))
            die("no answer in %llu ms", (unsigned long long)f->patience_ms);
    }
    snprintf(f->m, sizeof(f->m), "%s", m);
    xs_unwatch(f->xs, path, "backend");
    printf("answered after %llu ms\n", (unsigned long long)(now_ms() - begin));
}

/* An unreadable node is "ready", to the old ones. A new session must never show it one; the nodes
 * of a session before it, on the same frontend's nodes, may go at any moment. */
static void wait_ready(struct old_front *f)
{
    char path[2 * PATH_SIZE];
    const char *state;

    snprintf(path, sizeof(path), "%s/state", f->m);
    if (!xs_watch(f->xs, path, "state"))
        fatal(path);
    while ((state = xs_get(f->xs, "%s", path)) && strcmp(state, "ready") != 0) {
        if (strcmp(state, "closed") == 0 || strcmp(state, "closing") == 0)
            die("refused");
        if (!xs_wait(f->xs, 20000))
            die("the backend is not ready after 20 s");
    }
    if (!state && !f->stale)
        die("the backend's state is unreadable, which old frontends took for ready");
    xs_unwatch(f->xs, path, "state");
}

/* Whether the nodes still name a session before this one whose state can be read. */
static int before_lives(struct old_front *f)
{
    char m[PATH_SIZE];
    const char *named = xs_get(f->xs, "%s/backend", f->frontend);

    if (!named)
        return 0;
    snprintf(m, sizeof(m), "%s", named);
    return xs_get(f->xs, "%s/state", m) != NULL;
}

void front_mount(struct old_front *f)
{
    const char *own = xs_get(f->xs, "domid");
    unsigned domid = own ? (unsigned)strtoul(own, NULL, 10) : 0;
    int64_t number = front_export_number(f);
    char path[PATH_SIZE];

    if (number < 0)
        die("there is no export %s", f->export_name);
    snprintf(f->frontend, sizeof(f->frontend), "/local/domain/%u/device/vfs/%u", domid, f->import);
    f->stale = before_lives(f);
    write_nodes(f);
    snprintf(path, sizeof(path), "/local/domain/%u/backend/vfs/exports/requests/%u/%lld/frontend",
             f->backend, domid, (long long)number);
    xs_put(f->xs, XBT_NULL, path, "%s", f->frontend);
    wait_backend(f);
    wait_ready(f);
}

void front_close(struct old_front *f)
{
    char path[2 * PATH_SIZE];
    const char *state;

    if (f->dialect == 1)
        return;
    snprintf(path, sizeof(path), "%s/state", f->m);
    xs_watch(f->xs, path, "state");
    write_state(f, XBT_NULL, "closing");
    while ((state = xs_get(f->xs, "%s", path)) && strcmp(state, "closed") != 0) {
        if (!xs_wait(f->xs, 10000))
            die("the backend does not close: %s", state);
    }
    write_state(f, XBT_NULL, "closed");
}

/* --- the ring ----------------------------------------------------------------------------------
 */

uint32_t front_slot(struct old_front *f, unsigned char slot[SLOT_MAX], uint32_t type)
{
    uint32_t id = 0;

    while (f->busy[id]) {
        if (++id == f->ids)
            die("no free id");
    }
    f->busy[id] = 1;
    memset(slot, 0, SLOT_MAX);
    slot[0] = (unsigned char)type;
    put16(slot, 2, id);
    return id;
}

unsigned char *front_page(struct old_front *f, uint32_t id)
{
    return f->data + (size_t)id * f->pages_per_id * PAGE;
}

uint32_t front_gref(struct old_front *f, uint32_t id, uint32_t page)
{
    return f->grefs[f->ring_pages + id * f->pages_per_id + page];
}

void front_submit(struct old_front *f, const unsigned char slot[SLOT_MAX])
{
    size_t len = f->ring.stride < SLOT_MAX ? f->ring.stride : SLOT_MAX;

    memcpy(ring_slot(&f->ring, f->req_prod++), slot, len);
}

void front_push(struct old_front *f)
{
    uint32_t old = ring_get(&f->ring, REQ_PROD);

    ring_set(&f->ring, REQ_PROD, f->req_prod);
    if (f->req_prod - ring_get(&f->ring, REQ_EVENT) < f->req_prod - old &&
        xenevtchn_notify(f->evtchn, f->port))
        fatal("notify");
}

static void take_response(struct old_front *f)
{
    unsigned char slot[SLOT_MAX] = {0};
    uint32_t id;

    memcpy(slot, ring_slot(&f->ring, f->rsp_cons++), f->ring.stride);
    id = get16(slot, 0);
    if (id >= f->ids || !f->busy[id])
        die("a response for id %u, which was not asked", id);
    memcpy(f->answer[id], slot, sizeof(slot));
    f->busy[id] = 0;
}

static void on_event(struct old_front *f)
{
    uint32_t rsp_prod = ring_get(&f->ring, RSP_PROD);

    f->events++;
    f->strays += rsp_prod == f->rsp_cons;
    f->early += rsp_prod != f->req_prod;
    if (f->dialect == 1 && rsp_prod != f->req_prod)
        die("rung while %u requests are unanswered: the frontend of 2008 takes its own requests "
            "for answers",
            f->req_prod - rsp_prod);
    do {
        while (f->rsp_cons != rsp_prod)
            take_response(f);
        ring_set(&f->ring, RSP_EVENT, f->rsp_cons + 1);
        rsp_prod = ring_get(&f->ring, RSP_PROD);
    } while (rsp_prod != f->rsp_cons);
}

void front_wait(struct old_front *f, uint64_t ms)
{
    while (f->rsp_cons != f->req_prod) {
        if (!event_wait(f->evtchn, ms))
            die("no event in %llu ms: %u asked, %u answered", (unsigned long long)ms, f->req_prod,
                ring_get(&f->ring, RSP_PROD));
        on_event(f);
    }
}

int64_t front_call(struct old_front *f, const unsigned char slot[SLOT_MAX])
{
    front_submit(f, slot);
    front_push(f);
    front_wait(f, 30000);
    return (int64_t)get64(f->answer[get16(slot, 2)], 8);
}
