/* SPDX-License-Identifier: MIT */
/*
 * A guest on Xen's libraries, or what stands for them: a frontend by hand, nothing of libfsif but
 * in "vanish". FSIF_FAKE_XEN and FSIF_FAKE_XEN_DOMAIN say where and who it is.
 *
 *   hostile-xen good EXPORT ROUNDS      sessions that open, read and close "file"
 *   hostile-xen lives EXPORT N SEED     sessions cut short anywhere (B14)
 *   hostile-xen die EXPORT              64 reads in flight, "ready", and then wait for the end
 * (B15) hostile-xen ring EXPORT             rings, grants and channels that are none (B17)
 *   hostile-xen keys EXPORT N SEED      nodes with anything in them (B18)
 *   hostile-xen devices EXPORT N SEED   the same of the guest's sides of its devices (B14, B18)
 *   hostile-xen vanish EXPORT           a client whose backend goes away (F11)
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <fsif/client.h>
#include <fsif/xen.h>
#include <xenevtchn.h>
#include <xengnttab.h>
#include <xenstore.h>
#include "raw.h"

#define PAGES 65u /* ring, 64 of data */
#define PATIENCE_MS 20000u

enum outcome {
    REFUSED,
    RUNS,
    CLOSED,
};

struct guest {
    struct xs_handle *xs;
    xengntshr_handle *shr;
    xenevtchn_handle *channels;
    uint32_t domid, export;
    uint32_t grefs[PAGES];
    uint8_t *mem, *canary;
    uint32_t canary_ref;
    int port;
    uint32_t prod, cons;
    char home[64], request[96];
};

static uint32_t chance_state;

static uint32_t chance(uint32_t n)
{
    chance_state = chance_state * 1664525u + 1013904223u;
    return (chance_state >> 8) % n;
}

static void put(const struct guest *g, const char *name, const void *value, size_t len)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/%s", g->home, name);
    (void)xs_write(g->xs, XBT_NULL, path, value, (unsigned)len);
}

/* Some of a text, all of it too */
static void put_part(const struct guest *g, const char *name, const char *text)
{
    put(g, name, text, chance((uint32_t)strlen(text) + 1));
}

static void put_number(const struct guest *g, const char *name, uint32_t value)
{
    char text[16];

    snprintf(text, sizeof(text), "%u", value);
    put(g, name, text, strlen(text));
}

/* Returns 1 and the text, or 0. */
static int get(const struct guest *g, const char *path, char *out, size_t size)
{
    unsigned len;
    char *value = xs_read(g->xs, XBT_NULL, path, &len);

    if (!value)
        return 0;
    snprintf(out, size, "%s", value);
    free(value);
    return 1;
}

static void begin(struct guest *g, uint32_t export)
{
    const char *domid = getenv("FSIF_FAKE_XEN_DOMAIN");

    memset(g, 0, sizeof(*g));
    g->domid = domid ? (uint32_t)atoi(domid) : 0;
    g->export = export;
    g->xs = xs_open(0);
    g->shr = xengntshr_open(NULL, 0);
    g->channels = xenevtchn_open(NULL, 0);
    if (!g->xs || !g->shr || !g->channels)
        raw_die("no handles");
    g->port = xenevtchn_bind_unbound_port(g->channels, 0);
    g->mem = xengntshr_share_pages(g->shr, 0, PAGES, g->grefs, 1);
    g->canary =
        xengntshr_share_page_notify(g->shr, 0, &g->canary_ref, 1, 0, (evtchn_port_t)g->port);
    if (g->port < 0 || !g->mem || !g->canary)
        raw_die("no pages, no port");
    g->canary[0] = 1;
    snprintf(g->home, sizeof(g->home), "/local/domain/%u/device/vfs/0", g->domid);
    snprintf(g->request, sizeof(g->request), "/local/domain/0/backend/vfs/exports/requests/%u/%u",
             g->domid, export);
    ((struct raw_ring *)g->mem)->req_event = 1;
    ((struct raw_ring *)g->mem)->rsp_event = 1;
}

static void finish(struct guest *g)
{
    (void)xs_rm(g->xs, XBT_NULL, g->home);
    (void)xs_rm(g->xs, XBT_NULL, g->request);
    (void)xengntshr_unshare(g->shr, g->mem, PAGES);
    (void)xengntshr_unshare(g->shr, g->canary, 1);
    (void)xengntshr_close(g->shr);
    (void)xenevtchn_close(g->channels);
    xs_close(g->xs);
}

static void write_nodes(const struct guest *g)
{
    put_number(g, "ring-ref", g->grefs[0]);
    put_number(g, "event-channel", (uint32_t)g->port);
    put_number(g, "pages", PAGES + 1);
    put_number(g, "canary-ref", g->canary_ref);
    put_number(g, "feature-errno", 1);
    put(g, "state", "ready", 5);
}

static void ask(const struct guest *g)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/frontend", g->request);
    (void)xs_write(g->xs, XBT_NULL, path, g->home, (unsigned)strlen(g->home));
}

static enum outcome outcome(const struct guest *g)
{
    uint64_t end = raw_now_ms() + PATIENCE_MS;
    char path[128], backend[128], state[160], text[32];

    snprintf(path, sizeof(path), "%s/backend", g->home);
    while (raw_now_ms() < end) {
        int asked = get(g, g->request, text, sizeof(text));

        if (get(g, path, backend, sizeof(backend))) {
            snprintf(state, sizeof(state), "%s/state", backend);
            if (!get(g, state, text, sizeof(text)) || strcmp(text, "closed") == 0)
                return CLOSED;
            if (strcmp(text, "ready") == 0)
                return RUNS;
        } else if (!asked) {
            return REFUSED;
        }
        poll(NULL, 0, 1);
    }
    raw_die("no answer to a request");
}

static enum outcome start(const struct guest *g)
{
    write_nodes(g);
    ask(g);
    return outcome(g);
}

/* --- the ring --- */

static void slot(struct guest *g, uint8_t type, uint16_t id, uint32_t a, uint32_t b, uint64_t len)
{
    struct raw_ring *r = (struct raw_ring *)g->mem;
    uint8_t *s = r->slots[g->prod++ % RAW_SLOTS];

    memset(s, 0, 32);
    s[0] = type;
    raw_put16(s + 2, id);
    raw_put32(s + 8, a);
    raw_put32(s + 12, b);
    raw_put64(s + 16, len);
}

static void publish(const struct guest *g)
{
    struct raw_ring *r = (struct raw_ring *)g->mem;

    __atomic_store_n(&r->req_prod, g->prod, __ATOMIC_SEQ_CST);
    (void)xenevtchn_notify(g->channels, (evtchn_port_t)g->port);
}

/* Returns the result of the next answer; INT64_MIN: none came. */
static int64_t wait_answer(struct guest *g)
{
    struct raw_ring *r = (struct raw_ring *)g->mem;
    struct pollfd p = {.fd = xenevtchn_fd(g->channels), .events = POLLIN};
    uint64_t end = raw_now_ms() + PATIENCE_MS;
    int64_t ret;

    while (__atomic_load_n(&r->rsp_prod, __ATOMIC_SEQ_CST) == g->cons) {
        __atomic_store_n(&r->rsp_event, g->cons + 1, __ATOMIC_SEQ_CST);
        if (raw_now_ms() > end)
            return INT64_MIN;
        if (poll(&p, 1, 10) > 0)
            (void)xenevtchn_unmask(g->channels, (evtchn_port_t)xenevtchn_pending(g->channels));
    }
    memcpy(&ret, r->slots[g->cons++ % RAW_SLOTS] + 8, sizeof(ret));
    return ret;
}

static int64_t open_file(struct guest *g)
{
    strcpy((char *)g->mem + RAW_PAGE, "file");
    slot(g, RAW_OPEN, 0, g->grefs[1], 0, 0);
    publish(g);
    return wait_answer(g);
}

static void good(uint32_t export, int rounds)
{
    for (int i = 0; i < rounds; i++) {
        struct guest g;
        int64_t fd, n;

        begin(&g, export);
        if (start(&g) != RUNS)
            raw_die("a good session does not run");
        fd = open_file(&g);
        if (fd < 0)
            raw_die("a good file does not open");
        slot(&g, RAW_READ, 1, (uint32_t)fd, g.grefs[2], 16);
        publish(&g);
        n = wait_answer(&g);
        if (n != 16)
            raw_die("a good read fails");
        slot(&g, RAW_CLOSE, 2, (uint32_t)fd, 0, 0);
        publish(&g);
        if (wait_answer(&g) != 0)
            raw_die("a good close fails");
        finish(&g);
    }
    printf("%d rounds\n", rounds);
}

/* --- attacks --- */

static void fill_ring(struct guest *g)
{
    int64_t fd = open_file(g);

    for (uint16_t i = 0; i < RAW_SLOTS; i++)
        slot(g, RAW_READ, i, (uint32_t)fd, g->grefs[1 + i % 64], RAW_PAGE);
    publish(g);
}

static void flip_states(const struct guest *g)
{
    static const char *const states[] = {"ready", "closing", "closed", "init", "", "5", "ready"};

    for (uint32_t i = 0; i < 20; i++) {
        const char *state = states[chance(7)];

        put(g, "state", state, strlen(state));
    }
}

/* Returns 1 if a session ran. */
static int live(uint32_t export)
{
    struct guest g;
    uint32_t stage = chance(8);
    int ran = 0;

    begin(&g, export);
    if (stage == 0) {
        put(&g, "state", "ready", 5);
    } else if (stage == 1) {
        ask(&g);
    } else if (stage == 2) { /* gone before the answer */
        write_nodes(&g);
        ask(&g);
    } else if (stage == 3) { /* an earlier life's ring */
        ((struct raw_ring *)g.mem)->req_prod = 70 + chance(1000);
        ((struct raw_ring *)g.mem)->rsp_prod = chance(100);
        (void)start(&g);
        publish(&g);
    } else if (stage == 4) { /* twice on the same nodes */
        write_nodes(&g);
        ask(&g);
        ask(&g);
        (void)outcome(&g);
    } else {
        ran = start(&g) == RUNS;
        if (ran && stage >= 6)
            fill_ring(&g);
        if (stage == 7)
            flip_states(&g);
    }
    finish(&g);
    return ran;
}

static void lives(uint32_t export, int n)
{
    int ran = 0;

    for (int i = 0; i < n; i++)
        ran += live(export);
    printf("%d lives, %d sessions\n", n, ran);
}

static void die(uint32_t export)
{
    struct guest g;

    begin(&g, export);
    if (start(&g) != RUNS)
        raw_die("the session does not run");
    fill_ring(&g);
    printf("ready\n");
    fflush(stdout);
    for (;;)
        pause();
}

struct spoiled {
    const char *what;
    const char *node;
    uint32_t value;
};

static void no_session(struct guest *g, const char *what)
{
    ask(g);
    if (outcome(g) == RUNS)
        raw_die(what);
    (void)xs_rm(g->xs, XBT_NULL, g->home);
    printf("%s: no session\n", what);
}

static void ring(uint32_t export)
{
    struct guest g;
    uint32_t read_only, foreign;
    void *page, *other;
    int port;

    begin(&g, export);
    page = xengntshr_share_pages(g.shr, 0, 1, &read_only, 0);
    other = xengntshr_share_pages(g.shr, 7, 1, &foreign, 1);
    port = xenevtchn_bind_unbound_port(g.channels, 6);
    if (!page || !other || port < 0)
        raw_die("no pages");
    const struct spoiled rows[] = {
        {"a ring that was never granted", "ring-ref", 4000000000u},
        {"gref 0", "ring-ref", 0},
        {"a read-only ring", "ring-ref", read_only},
        {"a ring granted to another domain", "ring-ref", foreign},
        {"a canary that was never granted", "canary-ref", 4000000000u},
        {"a read-only canary", "canary-ref", read_only},
        {"a port that is none", "event-channel", 900},
        {"port 0", "event-channel", 0},
        {"a port for another domain", "event-channel", (uint32_t)port},
        {"no pages", "pages", 0},
        {"2^32-1 pages", "pages", UINT32_MAX},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        write_nodes(&g);
        put_number(&g, rows[i].node, rows[i].value);
        no_session(&g, rows[i].what);
    }
    write_nodes(&g);
    /* The same page twice: whatever comes of it, the guest harms itself only. */
    put_number(&g, "canary-ref", g.grefs[0]);
    ask(&g);
    printf("the canary in the ring: %d\n", (int)outcome(&g));
    (void)xengntshr_unshare(g.shr, page, 1);
    (void)xengntshr_unshare(g.shr, other, 1);
    finish(&g);
}

static const char *const names[] = {"ring-ref",   "event-channel", "state",    "pages",
                                    "canary-ref", "feature-errno", "backend",  "ring-size",
                                    "ring-ref-0", "ring-ref-1",    "dialects", "x"};
static const char *const values[] = {"",           "0",
                                     "-1",         "4294967295",
                                     "4294967296", "99999999999999999999",
                                     "0x10",       " 1",
                                     "01",         "ready",
                                     "closed",     "1 2",
                                     "%s%n",       "/local/domain/6/device/vfs/0",
                                     "\n",         "/local/domain/0/backend/vfs/exports"};

static void write_anything(const struct guest *g)
{
    char bytes[1800];
    const char *name = names[chance(12)];
    size_t len;

    if (chance(4)) {
        const char *value = values[chance(16)];

        put(g, name, value, strlen(value));
        return;
    }
    len = chance(sizeof(bytes));
    for (size_t i = 0; i < len; i++)
        bytes[i] = (char)chance(256);
    put(g, name, bytes, len);
}

static void ask_anything(const struct guest *g)
{
    char path[160];
    const char *value = values[chance(16)];
    uint32_t how = chance(4);

    snprintf(path, sizeof(path), "%s/frontend", g->request);
    if (how == 0)
        snprintf(path, sizeof(path), "%.80s/../7/frontend", g->request);
    else if (how == 1)
        snprintf(path, sizeof(path), "%.80s%u/frontend", g->request, chance(100));
    else if (how == 2)
        value = g->home;
    (void)xs_write(g->xs, XBT_NULL, path, value, (unsigned)strlen(value));
}

static void keys(uint32_t export, int n)
{
    struct guest g;

    begin(&g, export);
    for (int i = 0; i < n; i++) {
        if (chance(8) == 0)
            write_nodes(&g);
        if (chance(16) == 0)
            (void)xs_rm(g.xs, XBT_NULL, g.home);
        for (uint32_t k = chance(4); k > 0; k--)
            write_anything(&g);
        if (chance(4))
            ask(&g);
        else
            ask_anything(&g);
        /* A flood of events now and then. */
        for (int k = 0; i % 500 == 0 && k < 3000; k++)
            put(&g, "state", "ready", 5);
    }
    finish(&g);
    printf("%d rounds of keys\n", n);
}

/* --- devices ---------------------------------------------------------------------------------- */

#define DEVICES 4u

static const char *const keys_of_devices[] = {
    "dialects", "features",      "pages",      "directory", "queues",          "slots",
    "max-io",   "event-channel", "canary-ref", "export",    "event-channel-0", "event-channel-1",
    "x"};
#define DEVICE_KEYS (sizeof(keys_of_devices) / sizeof(keys_of_devices[0]))

static void set_device(struct guest *g, uint32_t number)
{
    snprintf(g->home, sizeof(g->home), "/local/domain/%u/device/fsif/%u", g->domid, number);
}

/* An offer as a frontend of ours makes it; the directory leads nowhere. */
static void write_device(const struct guest *g)
{
    put(g, "dialects", "3", 1);
    put_number(g, "pages", PAGES);
    put_number(g, "directory", g->grefs[0]);
    put_number(g, "queues", 1 + chance(2));
    put_number(g, "max-io", 65536);
    put_number(g, "event-channel", (uint32_t)g->port);
    put_number(g, "event-channel-0", (uint32_t)g->port);
    put_number(g, "event-channel-1", (uint32_t)g->port + chance(3));
    put_number(g, "canary-ref", g->canary_ref);
}

static void spoil_device(const struct guest *g)
{
    char bytes[600];
    const char *name = keys_of_devices[chance(DEVICE_KEYS)];
    const char *value = values[chance(16)];
    size_t len = chance(sizeof(bytes));

    if (chance(4)) {
        put(g, name, value, strlen(value));
        return;
    }
    for (size_t i = 0; i < len; i++)
        bytes[i] = (char)chance(256);
    put(g, name, bytes, len);
}

/* The device is free again: the daemon has seen that we are done with it. */
static void give_back(struct guest *g, uint32_t number)
{
    uint64_t end = raw_now_ms() + PATIENCE_MS;
    char path[128], text[32];

    set_device(g, number);
    for (size_t i = 0; i < DEVICE_KEYS; i++) {
        snprintf(path, sizeof(path), "%s/%s", g->home, keys_of_devices[i]);
        (void)xs_rm(g->xs, XBT_NULL, path);
    }
    put(g, "state", "6", 1);
    snprintf(path, sizeof(path), "/local/domain/0/backend/fsif/%u/%u/state", g->domid, number);
    while (!get(g, path, text, sizeof(text)) || strcmp(text, "2") != 0) {
        if (raw_now_ms() > end)
            raw_die("a device is not given back");
        poll(NULL, 0, 5);
    }
}

static void devices(uint32_t export, int n)
{
    static const char *const states[] = {"1", "2", "4", "5", "6", "", "03", "9"};
    struct guest g;

    begin(&g, export);
    for (int i = 0; i < n; i++) {
        set_device(&g, chance(DEVICES + 1));
        if (chance(3))
            write_device(&g);
        for (uint32_t k = chance(4); k > 0; k--)
            spoil_device(&g);
        if (chance(4))
            put(&g, "state", "3", 1);
        else
            put_part(&g, "state", states[chance(8)]);
        for (int k = 0; i % 500 == 0 && k < 3000; k++)
            put(&g, "state", k % 2 ? "3" : "6", 1);
    }
    for (uint32_t i = 0; i < DEVICES; i++)
        give_back(&g, i);
    /* A number of our own that is no device. */
    set_device(&g, DEVICES);
    finish(&g);
    printf("%d rounds of devices\n", n);
}

static void vanish(const char *name)
{
    struct fsif_client_options o;
    struct fsif_session *session;
    struct fsif_client *cl;
    struct fsif_attr st;
    int ret = fsif_transport_xen.connect("0", 1000, &session);

    if (ret)
        raw_die("no connection");
    fsif_client_options_init(&o);
    o.transport = &fsif_transport_xen;
    o.session = session;
    if (fsif_connect(NULL, name, &o, &cl))
        raw_die("no session");
    for (int i = 0; (ret = fsif_stat(cl, "file", &st)) == 0; i++) {
        if (i == 0)
            printf("served\n");
        fflush(stdout);
    }
    printf("first = %d\n", ret);
    printf("second = %d\n", fsif_stat(cl, "file", &st));
    fsif_disconnect(cl);
}

int main(int argc, char **argv)
{
    uint32_t export = argc > 2 ? (uint32_t)atoi(argv[2]) : 0;
    int n = argc > 3 ? atoi(argv[3]) : 1;

    chance_state = argc > 4 ? (uint32_t)atoi(argv[4]) : 1;
    if (argc < 3)
        raw_die("usage: hostile-xen good|lives|die|ring|keys|devices|vanish EXPORT [N] [SEED]");
    if (strcmp(argv[1], "good") == 0)
        good(export, n);
    else if (strcmp(argv[1], "lives") == 0)
        lives(export, n);
    else if (strcmp(argv[1], "die") == 0)
        die(export);
    else if (strcmp(argv[1], "ring") == 0)
        ring(export);
    else if (strcmp(argv[1], "keys") == 0)
        keys(export, n);
    else if (strcmp(argv[1], "devices") == 0)
        devices(export, n);
    else if (strcmp(argv[1], "vanish") == 0)
        vanish(argv[2]);
    else
        raw_die("no such attack");
    return 0;
}
