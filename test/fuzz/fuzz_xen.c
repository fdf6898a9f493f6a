/* SPDX-License-Identifier: MIT */
/*
 * Negotiation over xenstore, both sides, by old nodes and by devices. Backend: a guest writes
 * nodes, changes them, shares pages or does not, and is destroyed; the listener and what it hands
 * over must stay in that guest's own nodes and pages. Frontend: a backend's nodes, before and after
 * the answer. Nothing leaks.
 */
#include "fuzz_xen.h"

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

#define PAGES 6u
#define SESSIONS 4u

static const struct fsif_transport *const xen = &fsif_transport_xen;

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

static const char *const device_paths[] = {
    FRONT "/state",
    FRONT "/state",
    FRONT "/dialects",
    FRONT "/pages",
    FRONT "/queues",
    FRONT "/directory",
    FRONT "/max-io",
    FRONT "/event-channel",
    FRONT "/event-channel-0",
    FRONT "/event-channel-1",
    FRONT "/canary-ref",
    FRONT "/export",
    FRONT "/backend",
    FRONT "/backend-id",
    FRONT "/any-key",
    FRONT "/Any_key",
    FRONT "/state/below",
    FRONT,
    "/local/domain/5/device/fsif/1/state",
    "/local/domain/5/device/fsif/9/state",
    "/local/domain/5/device/fsif/x/state",
};
#define DEVICE_PATHS (sizeof(device_paths) / sizeof(device_paths[0]))

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
    int device; /* the guest asks by devices */
};

static const char *some_path(const struct world *w, struct input *in)
{
    return w->device ? device_paths[input_u8(in) % DEVICE_PATHS]
                     : guest_paths[input_u8(in) % GUEST_PATHS];
}

static void put_number(struct world *w, const char *path, uint32_t v)
{
    char text[16];

    snprintf(text, sizeof(text), "%u", v);
    (void)xs_write(w->guest, XBT_NULL, path, text, (unsigned)strlen(text));
}

/* All that a device needs; the input then spoils some of it. */
static void good_device(struct world *w, struct input *in)
{
    uint8_t how = input_u8(in);

    (void)xs_write(w->guest, XBT_NULL, FRONT "/dialects", "3", 1);
    put_number(w, FRONT "/pages", PAGES);
    put_number(w, FRONT "/directory", w->grefs[how % PAGES]);
    put_number(w, FRONT "/event-channel", (uint32_t)w->port);
    if (how & 8) {
        put_number(w, FRONT "/queues", 1 + (how >> 4 & 1u));
        put_number(w, FRONT "/event-channel-0", (uint32_t)w->port);
        put_number(w, FRONT "/event-channel-1", (uint32_t)w->port + (how >> 5 & 1u));
    }
    if (how & 64)
        put_number(w, FRONT "/canary-ref", w->grefs[PAGES - 1]);
    if (how & 128)
        (void)xs_write(w->guest, XBT_NULL, FRONT "/export", "other", 5);
    (void)xs_write(w->guest, XBT_NULL, FRONT "/state", "3", 1);
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
    const char *path = some_path(w, in);
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
    planted_bug(!w->device);
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

    if (ret)
        return;
    ret = fsif_offer_read(&text, &offer);
    MUST(ret == 0 || ret == -FSIF_EPROTO);
    if (ret == 0) {
        MUST(offer.kind == FSIF_OFFER_SESSION && strcmp(offer.export_name, "data") == 0);
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
    choice.status = ret;
    if (fsif_choice_write(&choice, &text) == 0)
        (void)xen->session_answer(s, &text, ret == 0 && !(input_u8(in) & 1));
}

/* The same of a device: a map of some pages, and bells for some queues. */
static void serve_device(struct world *w, uint32_t i, struct input *in)
{
    struct fsif_session *s = w->sessions[i];
    uint32_t queues = 1 + (input_u8(in) & 3u);
    struct fsif_dict text, answer;
    char name[FSIF_EXPORT_NAME_MAX + 1];
    int ret = xen->session_next_offer(s, &text);

    if (ret)
        return;
    MUST(fsif_dict_get(&text, "export", name, sizeof(name)) == 4 && strcmp(name, "data") == 0);
    MUST(fsif_dict_get(&text, "request", name, sizeof(name)) == 7 && strcmp(name, "session") == 0);
    ret = xen->session_accept_memory(s, &text, 1024);
    if (ret == 0)
        ret = xen->map(s, w->grefs, PAGES - 1, &w->rings[i]);
    if (ret == 0) {
        w->mapped[i] = PAGES - 1;
        memset(w->rings[i], (int)i, (size_t)(PAGES - 1) * FSIF_PAGE_SIZE);
    }
    fsif_dict_init(&answer);
    fsif_dict_put_u32(&answer, "status", ret ? (uint32_t)-ret : 0);
    fsif_dict_put_u32(&answer, "queues", queues);
    (void)xen->session_answer(s, &answer, ret ? 0 : (int)queues);
    (void)xen->notify(s, queues - 1);
    MUST(xen->notify(s, queues) != 0);
    xen->acknowledge(s, queues);
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
    else if (w->sessions[i] && !w->rings[i] && w->device)
        serve_device(w, i, in);
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
        (void)xs_rm(w->guest, XBT_NULL, some_path(w, in));
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
        if (w->device)
            good_device(w, in);
        else
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
        if (w->device)
            write_some(w->guest, in, device_paths, DEVICE_PATHS);
        else
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

/* A device's directory on our side is as attach made it, whatever the guest did. */
static void check_back(struct xs_handle *xs)
{
    unsigned n = 0;
    char **names = xs_directory(xs, XBT_NULL, BACK, &n);

    MUST(!names || n == 5 || exists(xs, BACK "/status"));
    free(names);
}

static void backend(struct input *in, int device)
{
    struct world w = {.device = device};
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
    check_back(w.other);
    xengntshr_unshare(w.shr, w.pages, PAGES);
    xengntshr_close(w.shr);
    xenevtchn_close(w.channels);
    xs_close(w.guest);
    xs_close(w.other);
    fake_count(&counts);
    MUST(counts.handles == 0 && counts.grants == 0 && counts.ports == 0 && counts.watches == 0);
    MUST(counts.transactions == 0 && counts.events == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    int before, after;
    uint8_t how;

    fake_reset();
    fake_create(GUEST);
    fake_create(OTHER);
    fake_attach(0, GUEST, 1, "data", 0);
    fake_attach(0, OTHER, 2, "other", 0);
    before = fcntl(0, F_DUPFD_CLOEXEC, 3);
    close(before);
    how = input_u8(&in);
    if (how & 1 && how & 0x80)
        frontend_device(&in);
    else if (how & 1)
        frontend(&in);
    else
        backend(&in, how & 0x80);
    after = fcntl(0, F_DUPFD_CLOEXEC, 3);
    close(after);
    MUST(after == before);
    return 0;
}
