/* SPDX-License-Identifier: MIT */
/*
 * Negotiation over xenstore, both sides. Backend: a guest writes nodes, changes them, shares pages
 * or does not, and is destroyed; the listener and what it hands over must stay in that guest's own
 * nodes and pages. Frontend: a backend's nodes, before and after the answer. Nothing leaks.
 */
#include "arena.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <fsif/host.h>
#include <fsif/negotiate.h>
#include <fsif/xen.h>
#include <xenevtchn.h>
#include <xengnttab.h>
#include <xenstore.h>

#include "fake.h"

#define GUEST 5u
#define OTHER 6u
#define PAGES 6u
#define SESSIONS 4u
#define VFS "/local/domain/0/backend/vfs"
#define I "/local/domain/5/device/vfs/0"

static const struct fsif_transport *const xen = &fsif_transport_xen;

/* --- values --- */

static const char *const words[] = {
    "",
    "0",
    "1",
    "2",
    "8",
    "65",
    "66",
    "1024",
    "2147483647",
    "4294967295",
    "4294967296",
    "01",
    "-1",
    "1 2",
    "ready",
    "init",
    "closing",
    "closed",
    "data",
    "other",
    "ro",
    I,
    "/local/domain/5/device/vfs/1",
    "/local/domain/6/device/vfs/0",
    "/local/domain/5/device/vfs/00",
    VFS "/40",
    VFS "/41",
    "/local/domain/6/backend/vfs/40",
};
#define WORDS (sizeof(words) / sizeof(words[0]))

/* A word, or any bytes. */
static size_t make_value(struct input *in, char value[2048])
{
    uint8_t which = input_u8(in);

    if (which >= 0xf0)
        return input_bytes(in, value, (size_t)input_u8(in) * (which & 7u));
    strcpy(value, words[which % WORDS]);
    return strlen(value);
}

static void write_some(struct xs_handle *xs, struct input *in, const char *const *paths, size_t n)
{
    char value[2048];
    const char *path = paths[input_u8(in) % n];
    size_t len = make_value(in, value);

    (void)xs_write(xs, XBT_NULL, path, value, (unsigned)len);
}

/* --- the guest --- */

static const char *const guest_paths[] = {
    I "/ring-ref",
    I "/event-channel",
    I "/state",
    I "/pages",
    I "/canary-ref",
    I "/feature-errno",
    I "/dialects",
    I "/ring-size",
    I "/ring-ref-0",
    I "/ring-ref-1",
    I "/backend",
    I,
    VFS "/exports/requests/5/1/frontend",
    VFS "/exports/requests/5/2/frontend",
    VFS "/exports/requests/5/1",
    VFS "/exports/requests/5/x",
    "/local/domain/5/device/vfs/1/state",
};
#define GUEST_PATHS (sizeof(guest_paths) / sizeof(guest_paths[0]))

/* What the guest has, and the backend's sessions with it. */
struct world {
    struct xs_handle *guest, *other;
    xengntshr_handle *shr;
    xenevtchn_handle *channels;
    void *pages;
    uint32_t grefs[PAGES];
    int port;
    struct fsif_listener *l;
    struct fsif_peer *peers[SESSIONS];
    struct fsif_session *sessions[SESSIONS];
    uint32_t mapped[SESSIONS]; /* pages */
    void *rings[SESSIONS];
};

static void put_number(struct world *w, const char *path, uint32_t v)
{
    char text[16];

    snprintf(text, sizeof(text), "%u", v);
    (void)xs_write(w->guest, XBT_NULL, path, text, (unsigned)strlen(text));
}

/* All that a request needs; the input then spoils some of it. */
static void good_request(struct world *w, struct input *in)
{
    uint8_t how = input_u8(in);

    put_number(w, I "/ring-ref", w->grefs[how % PAGES]);
    put_number(w, I "/event-channel", (uint32_t)w->port);
    if (how & 8) {
        put_number(w, I "/ring-size", 1u << (how >> 4 & 1u));
        put_number(w, I "/ring-ref-0", w->grefs[0]);
        put_number(w, I "/ring-ref-1", w->grefs[1]);
        (void)xs_write(w->guest, XBT_NULL, I "/dialects", "1 2", 3);
    }
    if (how & 16)
        put_number(w, I "/pages", 66);
    if (how & 32)
        put_number(w, I "/canary-ref", w->grefs[PAGES - 1]);
    if (how & 64)
        put_number(w, I "/feature-errno", 1);
    (void)xs_write(w->guest, XBT_NULL, I "/state", "ready", 5);
}

static void change_perms(struct world *w, struct input *in)
{
    const char *path = guest_paths[input_u8(in) % GUEST_PATHS];
    struct xs_permissions perms[2] = {{.id = GUEST, .perms = input_u8(in) & 3u},
                                      {.id = input_u8(in) % 8u, .perms = input_u8(in) & 3u}};

    (void)xs_set_permissions(w->guest, XBT_NULL, path, perms, 1 + (input_u8(in) & 1u));
}

/* --- the backend --- */

static uint32_t free_session(const struct world *w)
{
    uint32_t i = 0;

    while (i < SESSIONS && (w->peers[i] || w->sessions[i]))
        i++;
    return i;
}

static void take(struct world *w)
{
    for (unsigned n = 0; n < 8 && free_session(w) < SESSIONS; n++) {
        uint32_t i = free_session(w);
        struct fsif_credentials who;

        if (fsif_wait_fd(xen->listener_fd(w->l), POLLIN, 0) <= 0)
            return;
        if (xen->accept(w->l, &w->peers[i]) != 0)
            continue;
        MUST(xen->peer_credentials(w->peers[i], &who) == 0);
        MUST(who.kind == FSIF_CREDENTIAL_DOMAIN && who.domid == GUEST);
    }
}

static void import(struct world *w, uint32_t i)
{
    unsigned char blob[FSIF_EXPORT_BLOB];
    size_t len = sizeof(blob), nfds = FSIF_EXPORT_FDS;
    int fds[FSIF_EXPORT_FDS];

    MUST(xen->peer_export(w->peers[i], fds, &nfds, blob, &len) == 0);
    for (size_t k = 0; k < nfds; k++)
        fds[k] = fcntl(fds[k], F_DUPFD_CLOEXEC, 3);
    MUST(xen->session_import(fds, nfds, blob, len, &w->sessions[i]) == 0);
    xen->peer_close(w->peers[i]);
    w->peers[i] = NULL;
}

static void serve(struct world *w, uint32_t i, struct input *in)
{
    struct fsif_session *s = w->sessions[i];
    struct fsif_choice choice = {0};
    struct fsif_dict text;
    struct fsif_offer offer;
    int ret = xen->session_next_offer(s, &text);
    uint32_t keyed = 0;

    if (ret)
        return;
    ret = fsif_offer_read(&text, &offer);
    MUST(ret == 0 || ret == -FSIF_EPROTO);
    if (ret == 0) {
        MUST(offer.kind == FSIF_OFFER_SESSION && strcmp(offer.export_name, "data") == 0);
        keyed = offer.features;
        ret = fsif_choose(&offer, FSIF_DIALECTS_KNOWN, &choice);
    }
    if (ret == 0)
        ret = xen->session_accept_memory(s, &text, 1024);
    if (ret == 0)
        ret = xen->map(s, offer.ring_grefs, offer.ring_pages, &w->rings[i]);
    if (ret == 0) {
        w->mapped[i] = offer.ring_pages;
        memset(w->rings[i], (int)i, (size_t)offer.ring_pages * FSIF_PAGE_SIZE);
    }
    planted_bug(ret == 0 && keyed);
    choice.status = ret;
    if (fsif_choice_write(&choice, &text) == 0)
        (void)xen->session_answer(s, &text, ret == 0 && !(input_u8(in) & 1));
}

static void use(struct world *w, uint32_t i, struct input *in)
{
    struct fsif_session *s = w->sessions[i];
    uint32_t gref = w->grefs[input_u8(in) % PAGES] + (input_u8(in) & 1u);
    unsigned char bytes[64];

    (void)xen->peer_state(s);
    (void)xen->notify(s, 0);
    xen->acknowledge(s, 0);
    (void)xen->copy_from(s, gref, input_u16(in), bytes, input_u8(in) & 63u);
    (void)xen->copy_to(s, gref, input_u16(in), bytes, input_u8(in) & 63u);
}

static void end_session(struct world *w, uint32_t i)
{
    if (w->rings[i])
        xen->unmap(w->sessions[i], w->rings[i], w->mapped[i]);
    if (w->sessions[i])
        xen->close(w->sessions[i]);
    if (w->peers[i])
        xen->peer_close(w->peers[i]);
    w->rings[i] = NULL;
    w->sessions[i] = NULL;
    w->peers[i] = NULL;
}

static void session_step(struct world *w, struct input *in)
{
    uint8_t what = input_u8(in);
    uint32_t i = what % SESSIONS;

    if (what & 0x80)
        end_session(w, i);
    else if (w->peers[i])
        import(w, i);
    else if (w->sessions[i] && !w->rings[i])
        serve(w, i, in);
    else if (w->sessions[i])
        use(w, i, in);
}

static void step(struct world *w, struct input *in)
{
    uint8_t what = input_u8(in);

    switch (what % 16) {
    case 0:
        (void)xs_rm(w->guest, XBT_NULL, guest_paths[input_u8(in) % GUEST_PATHS]);
        break;
    case 1:
        change_perms(w, in);
        break;
    case 2:
        fake_conflicts(input_u8(in) % 20u);
        break;
    case 3:
        if (what == 0xf3)
            fake_destroy(GUEST);
        else if (what == 0xe3)
            fake_detach(0, GUEST, 1);
        break;
    case 4:
        fake_kill(1);
        break;
    case 5:
    case 6:
        good_request(w, in);
        break;
    case 7:
    case 8:
        (void)xs_write(w->guest, XBT_NULL, VFS "/exports/requests/5/1/frontend", I, strlen(I));
        take(w);
        break;
    case 9:
        take(w);
        break;
    case 10:
    case 11:
    case 12:
        session_step(w, in);
        break;
    default:
        write_some(w->guest, in, guest_paths, GUEST_PATHS);
    }
}

static void open_world(struct world *w)
{
    w->other = xs_open(0);
    MUST(w->other && xen->listen("all", &w->l) == 0);
    fake_be(GUEST);
    w->guest = xs_open(0);
    fake_process(1);
    w->shr = xengntshr_open(NULL, 0);
    w->channels = xenevtchn_open(NULL, 0);
    w->pages = xengntshr_share_pages(w->shr, 0, PAGES, w->grefs, 1);
    w->port = xenevtchn_bind_unbound_port(w->channels, 0);
    fake_be(0);
    fake_process(0);
    MUST(w->guest && w->pages && w->port > 0);
}

static int exists(struct xs_handle *xs, const char *path)
{
    unsigned len;
    void *value = xs_read(xs, XBT_NULL, path, &len);

    free(value);
    return value != NULL;
}

static void backend(struct input *in)
{
    struct world w = {0};
    struct fake_counts counts;
    unsigned n = 0;
    char **names;

    open_world(&w);
    while (in->left)
        step(&w, in);
    fake_conflicts(0);
    for (uint32_t i = 0; i < SESSIONS; i++)
        end_session(&w, i);
    take(&w);
    for (uint32_t i = 0; i < SESSIONS; i++)
        end_session(&w, i);
    xen->listener_close(w.l);
    /* No node of another guest was touched, and none of a session is left. */
    MUST(!exists(w.other, "/local/domain/6/device/vfs/0"));
    names = xs_directory(w.other, XBT_NULL, VFS, &n);
    MUST(names && n == 1);
    free(names);
    xengntshr_unshare(w.shr, w.pages, PAGES);
    xengntshr_close(w.shr);
    xenevtchn_close(w.channels);
    xs_close(w.guest);
    xs_close(w.other);
    fake_count(&counts);
    MUST(counts.handles == 0 && counts.grants == 0 && counts.ports == 0 && counts.watches == 0);
    MUST(counts.transactions == 0 && counts.events == 0);
}

/* --- the frontend, against a backend that writes what it likes --- */

static const char *const backend_paths[] = {
    I "/backend",
    VFS "/40/state",
    VFS "/40/status",
    VFS "/40/dialect",
    VFS "/40/read-only",
    VFS "/40/feature-errno",
    VFS "/41/state",
    VFS "/40",
    VFS "/exports/1/name",
    VFS "/exports/1/mode",
    VFS "/exports/7/name",
    VFS "/exports/requests/5/1/frontend",
    I "/state",
};
#define BACKEND_PATHS (sizeof(backend_paths) / sizeof(backend_paths[0]))

struct hostile {
    struct xs_handle *xs;
    struct input *in;
};

static void readable(struct xs_handle *xs, const char *path)
{
    struct xs_permissions perms[2] = {{.id = 0, .perms = XS_PERM_NONE},
                                      {.id = GUEST, .perms = XS_PERM_READ}};

    (void)xs_mkdir(xs, XBT_NULL, path);
    (void)xs_set_permissions(xs, XBT_NULL, path, perms, 2);
}

static void write_answer(void *arg)
{
    struct hostile *h = arg;
    uint8_t how = input_u8(h->in);

    if (how & 1) {
        (void)xs_write(h->xs, XBT_NULL, VFS "/40/state", "ready", 5);
        (void)xs_write(h->xs, XBT_NULL, VFS "/40/dialect", "1", 1);
        (void)xs_write(h->xs, XBT_NULL, I "/backend", VFS "/40", sizeof(VFS "/40") - 1);
    }
    for (unsigned i = how >> 5; i > 0; i--)
        write_some(h->xs, h->in, backend_paths, BACKEND_PATHS);
}

static void frontend(struct input *in)
{
    struct hostile h = {xs_open(0), in};
    struct fsif_offer o = {.dialects = FSIF_DIALECT_BIT(1), .pages = 2, .ring_pages = 1};
    struct fsif_dict offer, answer;
    struct fsif_choice choice;
    struct fsif_session *s = NULL;
    struct fake_counts counts;
    uint32_t grefs[2];
    uint8_t how = input_u8(in);
    void *mem;
    int ret;

    readable(h.xs, VFS "/40");
    readable(h.xs, VFS "/exports/7");
    fake_be(GUEST);
    MUST(xen->connect("0", 0, &s) == 0 && xen->share(s, 2, &mem, grefs) == 0);
    o.kind = how & 1 ? FSIF_OFFER_SESSION : FSIF_OFFER_EXPORTS;
    o.features = how & 2 ? FSIF_FEATURE_ERRNO : 0;
    strcpy(o.export_name, how & 1 ? "data" : "");
    o.ring_grefs[0] = grefs[0];
    MUST(fsif_offer_write(&o, &offer) == 0);
    if (!(how & 1) || how & 4)
        write_answer(&h);
    fake_after_commit(write_answer, &h);
    ret = xen->session_offer(s, &offer, &answer, 0);
    fake_after_commit(NULL, NULL);
    if (ret == 0) {
        ret = fsif_choice_read(&answer, &o, &choice);
        MUST(ret <= 0);
        if (ret == 0)
            MUST((choice.features & ~o.features) == 0 && choice.dialect <= 2);
    }
    write_answer(&h);
    (void)xen->notify(s, 0);
    xen->acknowledge(s, 0);
    (void)xen->peer_state(s);
    xen->close(s);
    fake_be(0);
    xs_close(h.xs);
    fake_count(&counts);
    MUST(counts.handles == 0 && counts.grants == 0 && counts.ports == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    int before, after;

    fake_reset();
    fake_create(GUEST);
    fake_create(OTHER);
    fake_attach(0, GUEST, 1, "data", 0);
    fake_attach(0, OTHER, 2, "other", 0);
    before = fcntl(0, F_DUPFD_CLOEXEC, 3);
    close(before);
    if (input_u8(&in) & 1)
        frontend(&in);
    else
        backend(&in);
    after = fcntl(0, F_DUPFD_CLOEXEC, 3);
    close(after);
    MUST(after == before);
    return 0;
}
