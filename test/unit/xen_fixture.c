/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <fsif/negotiate.h>

#include "xen_fixture.h"

const struct fsif_transport *const xen = &fsif_transport_xen;
struct fsif_listener *listener;
struct xs_handle *guest, *other, *toolstack;

static struct xs_handle *open_as(uint32_t domid, uint32_t process)
{
    struct xs_handle *xs;

    fake_be(domid);
    fake_process(process);
    xs = xs_open(0);
    ck_assert_ptr_nonnull(xs);
    fake_be(0);
    fake_process(0);
    return xs;
}

void xen_setup(void)
{
    fake_reset();
    fake_create(GUEST);
    fake_create(OTHER);
    fake_attach(0, GUEST, DATA, "data", 0);
    fake_attach(0, OTHER, 2, "other", 0);
    guest = open_as(GUEST, 90);
    other = open_as(OTHER, 91);
    toolstack = open_as(0, 92);
}

void xen_teardown(void)
{
    xen_unlisten();
    xs_close(guest);
    xs_close(other);
    xs_close(toolstack);
}

void xen_listen(void)
{
    ck_assert_int_eq(xen->listen("all", &listener), 0);
}

void xen_unlisten(void)
{
    if (listener)
        xen->listener_close(listener);
    listener = NULL;
}

void put(struct xs_handle *xs, const char *path, const void *value, size_t len)
{
    if (!xs_write(xs, XBT_NULL, path, value, (unsigned)len))
        ck_abort_msg("%s: %s", path, strerror(errno));
}

void put_text(struct xs_handle *xs, const char *path, const char *value)
{
    put(xs, path, value, strlen(value));
}

int value_is(const char *path, const char *value)
{
    unsigned len;
    char *now = xs_read(toolstack, XBT_NULL, path, &len);
    int same = now && value ? strcmp(now, value) == 0 : !now && !value;

    if (!same)
        fprintf(stderr, "%s is '%s'\n", path, now ? now : "(nothing)");
    free(now);
    return same;
}

struct fsif_peer *take_peer(void)
{
    struct fsif_peer *peer = NULL;

    while (fsif_wait_fd(xen->listener_fd(listener), POLLIN, 0) > 0) {
        if (xen->accept(listener, &peer) == 0)
            return peer;
    }
    return NULL;
}

/* --- what is held --- */

static int count_fds(void)
{
    DIR *d = opendir("/proc/self/fd");
    int n = 0;

    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

static int count_mappings(void)
{
    FILE *f = fopen("/proc/self/maps", "re");
    char line[512];
    int n = 0;

    while (fgets(line, sizeof(line), f))
        n += strstr(line, "memfd:fake-xen") != NULL;
    fclose(f);
    return n;
}

void held_now(struct held *out)
{
    /* Events that wait to be taken are nobody's. */
    if (listener)
        ck_assert_ptr_null(take_peer());
    fake_count(&out->counts);
    out->fds = count_fds();
    out->mappings = count_mappings();
}

void same_held(const struct held *before, const char *what)
{
    struct held now;
    char *dump;

    held_now(&now);
    if (memcmp(&now, before, sizeof(now)) == 0)
        return;
    dump = fake_dump();
    ck_abort_msg("after %s: descriptors %d (%d), mappings %d (%d), handles %u (%u), nodes %u (%u), "
                 "watches %u (%u), transactions %u (%u), events %u (%u), grants %u (%u), maps %u "
                 "(%u), ports %u (%u)\n%s",
                 what, now.fds, before->fds, now.mappings, before->mappings, now.counts.handles,
                 before->counts.handles, now.counts.nodes, before->counts.nodes, now.counts.watches,
                 before->counts.watches, now.counts.transactions, before->counts.transactions,
                 now.counts.events, before->counts.events, now.counts.grants, before->counts.grants,
                 now.counts.maps, before->counts.maps, now.counts.ports, before->counts.ports,
                 dump);
}

/* --- a session --- */

void pair_init(struct pair *p)
{
    memset(p, 0, sizeof(*p));
    p->pages = 65;
    p->dialects = FSIF_DIALECT_BIT(1);
    p->ring_pages = 1;
    p->process = 1;
    p->timeout_ms = 10000;
    strcpy(p->export, "data");
}

int pair_connect(struct pair *p)
{
    int ret;

    fake_be(GUEST);
    fake_process(p->process);
    ret = xen->connect("0", 1000, &p->front);
    if (ret == 0) {
        p->grefs = calloc(p->pages, sizeof(*p->grefs));
        ret = xen->share(p->front, p->pages, &p->memory, p->grefs);
    }
    fake_be(0);
    fake_process(0);
    return ret;
}

struct offering {
    struct pair *p;
    struct fsif_dict offer, answer;
    _Atomic int over;
};

static void *send_offer(void *arg)
{
    struct offering *o = arg;
    struct pair *p = o->p;

    fake_be(GUEST);
    fake_process(p->process);
    p->offered = xen->session_offer(p->front, &o->offer, &o->answer, p->timeout_ms);
    atomic_store(&o->over, 1);
    return NULL;
}

static void write_offer(const struct pair *p, struct fsif_dict *offer)
{
    struct fsif_offer o = {.kind = FSIF_OFFER_SESSION,
                           .dialects = p->dialects,
                           .features = FSIF_FEATURE_ERRNO,
                           .pages = p->pages,
                           .ring_pages = p->ring_pages};

    memcpy(o.ring_grefs, p->grefs, p->ring_pages * sizeof(*p->grefs));
    strcpy(o.export_name, p->export);
    ck_assert_int_eq(fsif_offer_write(&o, offer), 0);
}

int import_peer(struct fsif_peer *peer, struct fsif_session **out)
{
    unsigned char blob[FSIF_EXPORT_BLOB];
    size_t len = sizeof(blob);
    size_t nfds = FSIF_EXPORT_FDS;
    int fds[FSIF_EXPORT_FDS];

    ck_assert_int_eq(xen->peer_export(peer, fds, &nfds, blob, &len), 0);
    for (size_t i = 0; i < nfds; i++) {
        fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);
        if (fds[i] < 0) {
            while (i > 0)
                close(fds[--i]);
            return -FSIF_EMFILE;
        }
    }
    return xen->session_import(fds, nfds, blob, len, out);
}

/* The worker's part of it, up to the answer. */
static int serve_offer(struct pair *p)
{
    struct fsif_choice choice = {0};
    struct fsif_dict text;
    struct fsif_offer offer;
    int ret = xen->session_next_offer(p->back, &text);

    if (ret == 0)
        ret = fsif_offer_read(&text, &offer);
    if (ret == 0)
        ret = fsif_choose(&offer, FSIF_DIALECTS_KNOWN, &choice);
    if (ret == 0)
        ret = xen->session_accept_memory(p->back, &text, 1024);
    if (ret == 0)
        ret = xen->map(p->back, offer.ring_grefs, offer.ring_pages, &p->ring);
    p->dialect = choice.dialect;
    choice.status = ret;
    if (fsif_choice_write(&choice, &text) == 0)
        (void)xen->session_answer(p->back, &text, ret == 0);
    return ret;
}

static void serve_peer(struct pair *p)
{
    int ret;

    /* A request that could not be removed is taken again. */
    pair_close_back(p);
    ret = import_peer(p->peer, &p->back);
    xen->peer_close(p->peer);
    p->peer = NULL;
    if (ret == 0 && serve_offer(p) != 0)
        pair_close_back(p);
}

int pair_open(struct pair *p)
{
    struct offering o = {.p = p};
    pthread_t thread;
    int ret = p->front ? 0 : pair_connect(p);

    if (ret)
        return ret;
    write_offer(p, &o.offer);
    ck_assert_int_eq(pthread_create(&thread, NULL, send_offer, &o), 0);
    while (!atomic_load(&o.over)) {
        if (fsif_wait_fd(xen->listener_fd(listener), POLLIN, 5) <= 0)
            continue;
        if (xen->accept(listener, &p->peer) == 0)
            serve_peer(p);
    }
    pthread_join(thread, NULL);
    if (p->offered == 0)
        ck_assert_int_eq(fsif_dict_get_u32(&o.answer, "status", 0, FSIF_MAX_ERRNO, &p->status), 0);
    return p->offered == 0 && p->status ? -FSIF_ECONNREFUSED : p->offered;
}

void pair_close_front(struct pair *p)
{
    if (p->front)
        xen->close(p->front);
    p->front = NULL;
    free(p->grefs);
    p->grefs = NULL;
}

void pair_close_back(struct pair *p)
{
    if (p->ring)
        xen->unmap(p->back, p->ring, p->ring_pages);
    if (p->back)
        xen->close(p->back);
    p->ring = NULL;
    p->back = NULL;
}

void pair_close(struct pair *p)
{
    struct fsif_peer *left;

    pair_close_front(p);
    pair_close_back(p);
    if (!listener)
        return;
    left = take_peer();
    /* A request whose removal only seemed to work is taken again. */
    if (left && fake_failed()) {
        xen->peer_close(left);
        left = take_peer();
    }
    ck_assert_ptr_null(left);
}
