/* SPDX-License-Identifier: MIT */
/* The half of the target xen that is a frontend, against a backend that writes what it likes. */
#include "fuzz_xen.h"

#include <string.h>
#include <fsif/negotiate.h>

#include "fake.h"

static const struct fsif_transport *const xen = &fsif_transport_xen;

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
    "3",
    "4",
    "5",
    "6",
    "7",
    "16",
    "17",
    "3 2 1",
    BACK,
    FRONT,
    "/local/domain/0/backend/fsif/6/4",
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

void write_some(struct xs_handle *xs, struct input *in, const char *const *paths, size_t n)
{
    char value[2048];
    const char *path = paths[input_u8(in) % n];
    size_t len = make_value(in, value);

    (void)xs_write(xs, XBT_NULL, path, value, (unsigned)len);
}

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

static const char *const backend_device_paths[] = {
    BACK "/state",   BACK "/state",       BACK "/status", BACK "/dialect",
    BACK "/queues",  BACK "/max-io",      BACK "/name",   BACK "/any-key",
    BACK "/Any_key", BACK "/state/below", FRONT "/state",
};
#define BACKEND_DEVICE_PATHS (sizeof(backend_device_paths) / sizeof(backend_device_paths[0]))

struct hostile {
    struct xs_handle *xs;
    struct input *in;
    int device;
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

    if (h->device) {
        if (how & 1) {
            (void)xs_write(h->xs, XBT_NULL, BACK "/status", "0", 1);
            (void)xs_write(h->xs, XBT_NULL, BACK "/queues", "2", 1);
            (void)xs_write(h->xs, XBT_NULL, BACK "/state", "4", 1);
        }
        for (unsigned i = how >> 5; i > 0; i--)
            write_some(h->xs, h->in, backend_device_paths, BACKEND_DEVICE_PATHS);
        return;
    }
    if (how & 1) {
        (void)xs_write(h->xs, XBT_NULL, VFS "/40/state", "ready", 5);
        (void)xs_write(h->xs, XBT_NULL, VFS "/40/dialect", "1", 1);
        (void)xs_write(h->xs, XBT_NULL, I "/backend", VFS "/40", sizeof(VFS "/40") - 1);
    }
    for (unsigned i = how >> 5; i > 0; i--)
        write_some(h->xs, h->in, backend_paths, BACKEND_PATHS);
}

/* An offer of dialect 3, and whatever comes back. */
void frontend_device(struct input *in)
{
    struct hostile h = {xs_open(0), in, 1};
    struct fsif_dict offer, answer;
    struct fsif_session *s = NULL;
    struct fake_counts counts;
    uint32_t grefs[2];
    uint32_t queues = 1 + (input_u8(in) & 3u);
    uint32_t chosen = 1;
    void *mem;

    (void)xs_write(h.xs, XBT_NULL, BACK "/state", "2", 1);
    fake_be(GUEST);
    MUST(xen->connect("0", 0, &s) == 0 && xen->share(s, 2, &mem, grefs) == 0);
    fsif_dict_init(&offer);
    fsif_dict_put(&offer, "request", "session");
    fsif_dict_put(&offer, "export", "data");
    fsif_dict_put(&offer, "dialects", "3");
    fsif_dict_put_u32(&offer, "pages", 2);
    fsif_dict_put_u32(&offer, "queues", queues);
    fake_after_commit(write_answer, &h);
    if (xen->session_offer(s, &offer, &answer, 0) == 0 &&
        fsif_dict_get_u32(&answer, "status", 0, 0, &chosen) == 0) {
        (void)fsif_dict_get_u32(&answer, "queues", 1, UINT32_MAX, &chosen);
        MUST(chosen <= queues);
        MUST(xen->notify(s, queues) != 0);
    }
    fake_after_commit(NULL, NULL);
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

void frontend(struct input *in)
{
    struct hostile h = {xs_open(0), in, 0};
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
