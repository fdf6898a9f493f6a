/* SPDX-License-Identifier: MIT */
/*
 * hostile-nodes: writes values that make no sense into every xenstore node that a guest may write,
 * as a frontend's, and asks for exports with them, for SECONDS: by old nodes and by devices. It
 * holds a ring and an event channel, so that some of its requests are good for a while.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "peer.h"

#define IMPORTS 4u
#define DEVICES 5u /* one more than attach makes */

struct hostile {
    struct xs_handle *xs;
    uint64_t seed;
    unsigned domid;
    unsigned backend;
    unsigned exports;
    uint32_t grefs[8];
    int port;
    unsigned long writes;
    unsigned long refused;
};

static uint32_t pick(struct hostile *h, uint32_t n)
{
    h->seed = h->seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(h->seed >> 33) % n;
}

static void put_raw(struct hostile *h, xs_transaction_t t, const char *path, const void *value,
                    unsigned len)
{
    h->writes++;
    h->refused += !xs_write(h->xs, t, path, value, len);
}

static void put_number(struct hostile *h, xs_transaction_t t, const char *path, uint32_t v)
{
    char text[16];

    put_raw(h, t, path, text, (unsigned)snprintf(text, sizeof(text), "%u", v));
}

/* A value for a node that should be a number, a word or a path. */
static void put_something(struct hostile *h, xs_transaction_t t, const char *path)
{
    static const char *const words[] = {
        "",
        "0",
        "1",
        "2",
        "-1",
        "00",
        "007",
        "4294967295",
        "4294967296",
        "18446744073709551616",
        "9999999999999999999999999",
        " 1",
        "1 ",
        "0x10",
        "+1",
        "1e3",
        "ready",
        "init",
        "closing",
        "closed",
        "READY",
        "1 2",
        "1,2",
        "2 1 2 1",
        "3",
        "%s%n%s",
        "../../..",
        "a\nb=c",
        "nan",
        "/local/domain/0",
        "/local/domain/0/device/vfs/0",
        "16",
        "17",
        "1024",
        "65536",
    };
    static char big[3000];
    unsigned char bytes[64];
    uint32_t n;

    switch (pick(h, 12)) {
    case 0:
        n = pick(h, sizeof(bytes));
        for (uint32_t i = 0; i < n; i++)
            bytes[i] = (unsigned char)pick(h, 256);
        put_raw(h, t, path, bytes, n);
        break;
    case 1:
        memset(big, "9 /a\377"[pick(h, 5)], sizeof(big));
        put_raw(h, t, path, big, 1000 + pick(h, 1990));
        break;
    case 2:
        put_raw(h, t, path, "5\0006", 3);
        break;
    case 3:
        h->refused += !xs_rm(h->xs, t, path);
        break;
    default:
        n = pick(h, sizeof(words) / sizeof(words[0]));
        put_raw(h, t, path, words[n], (unsigned)strlen(words[n]));
    }
}

/* What a good frontend would write, so that the nonsense gets further. */
static void put_good(struct hostile *h, xs_transaction_t t, unsigned import)
{
    char base[PATH_SIZE];
    char path[2 * PATH_SIZE];
    int two = (int)pick(h, 2);

    snprintf(base, sizeof(base), "/local/domain/%u/device/vfs/%u", h->domid, import);
    xs_rm(h->xs, t, base);
    snprintf(path, sizeof(path), "%s/%s", base, two ? "ring-ref-0" : "ring-ref");
    put_number(h, t, path, h->grefs[0]);
    snprintf(path, sizeof(path), "%s/ring-size", base);
    if (two)
        put_number(h, t, path, 1);
    snprintf(path, sizeof(path), "%s/event-channel", base);
    put_number(h, t, path, (uint32_t)h->port);
    snprintf(path, sizeof(path), "%s/state", base);
    put_raw(h, t, path, "ready", 5);
}

static void spoil(struct hostile *h, xs_transaction_t t, unsigned import)
{
    static const char *const names[] = {
        "ring-ref",       "ring-size",     "ring-ref-0", "ring-ref-1", "ring-ref-15",
        "ring-ref-16",    "event-channel", "state",      "pages",      "canary-ref",
        "feature-errno",  "dialects",      "backend",    "other",      "state/below",
        "ring-ref/below", "backend/state",
    };
    char path[PATH_SIZE];

    for (uint32_t i = pick(h, 4); i > 0; i--) {
        snprintf(path, sizeof(path), "/local/domain/%u/device/vfs/%u/%s", h->domid, import,
                 names[pick(h, sizeof(names) / sizeof(names[0]))]);
        put_something(h, t, path);
    }
}

static void ask(struct hostile *h, xs_transaction_t t, unsigned import)
{
    static const char *const numbers[] = {"x", "-1", "00", "99", "4294967296", "0/frontend/deep"};
    char own[PATH_SIZE];
    char path[2 * PATH_SIZE];

    snprintf(own, sizeof(own), "/local/domain/%u/backend/vfs/exports/requests/%u", h->backend,
             h->domid);
    if (pick(h, 4) == 0)
        snprintf(path, sizeof(path), "%s/%s/frontend", own, numbers[pick(h, 6)]);
    else
        snprintf(path, sizeof(path), "%s/%u/frontend", own, pick(h, h->exports));
    if (pick(h, 4) == 0) {
        put_something(h, t, path);
        return;
    }
    snprintf(own, sizeof(own), "/local/domain/%u/device/vfs/%u", h->domid, import);
    put_raw(h, t, path, own, (unsigned)strlen(own));
}

/* A device: an offer that makes sense, some of it spoiled, and any state. */
static void device_round(struct hostile *h)
{
    static const char *const names[] = {
        "dialects",        "pages",  "directory", "queues", "canary-ref", "event-channel",
        "event-channel-0", "max-io", "export",    "other",  "state",      "state/below"};
    static const char *const states[] = {"3", "3", "3", "1", "2", "4", "5", "6"};
    char base[PATH_SIZE];
    char path[2 * PATH_SIZE];
    const char *state = states[pick(h, 8)];

    snprintf(base, sizeof(base), "/local/domain/%u/device/fsif/%u", h->domid, pick(h, DEVICES));
    snprintf(path, sizeof(path), "%s/dialects", base);
    put_raw(h, XBT_NULL, path, "3", 1);
    snprintf(path, sizeof(path), "%s/pages", base);
    put_number(h, XBT_NULL, path, 8);
    snprintf(path, sizeof(path), "%s/directory", base);
    put_number(h, XBT_NULL, path, h->grefs[pick(h, 8)]);
    snprintf(path, sizeof(path), "%s/event-channel", base);
    put_number(h, XBT_NULL, path, (uint32_t)h->port);
    for (uint32_t i = pick(h, 4); i > 0; i--) {
        snprintf(path, sizeof(path), "%s/%s", base, names[pick(h, 12)]);
        put_something(h, XBT_NULL, path);
    }
    snprintf(path, sizeof(path), "%s/state", base);
    put_raw(h, XBT_NULL, path, state, 1);
}

/* So that a frontend may take it: nothing of ours but a state that says so. */
static void free_device(struct hostile *h, unsigned number)
{
    char path[PATH_SIZE];

    snprintf(path, sizeof(path), "/local/domain/%u/device/fsif/%u/state", h->domid, number);
    put_raw(h, XBT_NULL, path, "6", 1);
}

/* Nodes that a guest gives to others, or takes from the backend, as far as it may. */
static void change_owner(struct hostile *h, unsigned import)
{
    struct xs_permissions perms[2] = {
        {.id = h->domid, .perms = pick(h, 4)},
        {.id = pick(h, 8), .perms = pick(h, 4)},
    };
    char path[PATH_SIZE];

    snprintf(path, sizeof(path), "/local/domain/%u/device/vfs/%u%s", h->domid, import,
             pick(h, 2) ? "/state" : "");
    h->refused += !xs_set_permissions(h->xs, XBT_NULL, path, perms, 1 + pick(h, 2));
}

static void round_of(struct hostile *h)
{
    unsigned import = pick(h, IMPORTS);
    xs_transaction_t t = pick(h, 3) ? XBT_NULL : xs_transaction_start(h->xs);

    if (pick(h, 3))
        put_good(h, t, import);
    spoil(h, t, import);
    if (pick(h, 2))
        ask(h, t, import);
    if (t != XBT_NULL)
        xs_transaction_end(h->xs, t, pick(h, 8) == 0);
    if (pick(h, 20) == 0)
        change_owner(h, import);
}

static void open_hostile(struct hostile *h)
{
    xengntshr_handle *shr = xengntshr_open(NULL, 0);
    xenevtchn_handle *evtchn = xenevtchn_open(NULL, 0);
    const char *own;
    void *mem;

    h->xs = xs_open(0);
    if (!h->xs || !shr || !evtchn)
        fatal("xenstore, gntalloc or evtchn");
    own = xs_get(h->xs, "domid");
    h->domid = own ? (unsigned)strtoul(own, NULL, 10) : 0;
    mem = xengntshr_share_pages(shr, h->backend, 8, h->grefs, 1);
    h->port = xenevtchn_bind_unbound_port(evtchn, h->backend);
    if (!mem || h->port < 0)
        fatal("grants or event channel");
}

int main(int argc, char **argv)
{
    static struct hostile h = {.exports = 4};
    char path[PATH_SIZE];
    uint64_t end;

    if (argc != 4)
        die("usage: hostile-nodes BACKEND-DOMID SECONDS SEED");
    h.backend = (unsigned)strtoul(argv[1], NULL, 10);
    end = now_ms() + 1000u * strtoul(argv[2], NULL, 10);
    h.seed = strtoul(argv[3], NULL, 10);
    open_hostile(&h);
    while (now_ms() < end) {
        round_of(&h);
        if (pick(&h, 3) == 0)
            device_round(&h);
    }
    for (unsigned i = 0; i < DEVICES - 1; i++)
        free_device(&h, i);
    snprintf(path, sizeof(path), "/local/domain/%u/device/fsif/%u", h.domid, DEVICES - 1);
    xs_rm(h.xs, XBT_NULL, path);
    for (unsigned i = 0; i < IMPORTS; i++) {
        snprintf(path, sizeof(path), "/local/domain/%u/device/vfs/%u", h.domid, i);
        xs_rm(h.xs, XBT_NULL, path);
    }
    printf("%lu hostile values written, %lu of them refused\n", h.writes, h.refused);
    return 0;
}
