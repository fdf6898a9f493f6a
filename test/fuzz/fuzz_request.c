/* SPDX-License-Identifier: MIT */
/*
 * Request slots: a frontend that keeps to the ring's indices but writes what it likes into slots
 * and pages. Every request is answered once, in order, within the bounds of what its operation
 * returns; only an id beyond the ring ends the session.
 */
#include "arena.h"

#include <fsif/memory.h>
#include <stdlib.h>
#include <string.h>

#define MAX_HANDLES 8

struct world {
    struct fsif_backend be;
    struct fsif_fetched *rq;
    void *state;
    struct fsif_store *store;
    uint32_t req_prod;
    uint32_t rsp_cons;
    uint32_t errno_feature;
    uint32_t dialect;
    unsigned wrote; /* for the planted bug */
};

static void world_init(struct world *w, struct input *in)
{
    struct fsif_backend_config c = {.size = sizeof(c)};
    uint8_t bits = input_u8(in);

    memset(w, 0, sizeof(*w));
    arena_reset(bits & 8 ? 1u << 1 : 0);
    w->store = arena_store_create();
    w->errno_feature = bits & 1;
    c.dialect = w->dialect = bits & 0x10 ? 2 : 1;
    arena_dialect(c.dialect);
    c.features = w->errno_feature ? FSIF_FEATURE_ERRNO : 0;
    c.ring = arena_ring;
    c.ring_pages = 1;
    c.first_index = bits & 2 ? 0xfffffffeu : 0;
    c.max_handles = MAX_HANDLES;
    c.max_streams = 2;
    c.transport = bits & 4 ? &arena_lends : &arena_copies;
    c.store_ops = &fsif_store_memory;
    c.store = w->store;
    w->state = malloc(fsif_backend_state_size(&c));
    w->rq = malloc(sizeof(*w->rq));
    MUST(w->state && w->rq);
    MUST(fsif_backend_init(&w->be, &c, w->state) == 0);
    w->req_prod = w->rsp_cons = c.first_index;
    arena_store(ARENA_REQ_PROD, c.first_index);
    arena_store(ARENA_RSP_PROD, c.first_index);
    arena_store(ARENA_RSP_EVENT, c.first_index + 1);
}

static void world_fini(struct world *w)
{
    fsif_backend_fini(&w->be);
    fsif_store_memory.destroy(w->store);
    free(w->state);
    free(w->rq);
}

static void check_error(const struct world *w, int64_t ret)
{
    MUST(w->errno_feature ? ret >= -FSIF_MAX_ERRNO : ret == -1);
}

static void check_listing(uint32_t gref, uint64_t ret)
{
    uint32_t count = (uint32_t)ret & FSIF_WIRE1_LIST_COUNT_MASK;
    const char *page = (const char *)arena_page(gref - ARENA_FIRST_GREF);
    size_t used = 0;

    MUST(ret >> (FSIF_WIRE1_LIST_MORE_SHIFT + 1) == 0);
    if (ret >> FSIF_WIRE1_LIST_ERROR_SHIFT & 0xffffffffu) {
        MUST(count == 0);
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        size_t n = strnlen(page + used, FSIF_PAGE_SIZE - used);

        MUST(n > 0 && used + n < FSIF_PAGE_SIZE && !memchr(page + used, '/', n));
        used += n + 1;
    }
}

/* An answer to stat in dialect 2. */
static void check_attr(const struct world *w, const unsigned char *slot)
{
    static const struct fsif_wire2_attr zero;
    struct fsif_wire2_response r;

    memcpy(&r, slot, sizeof(r));
    if (r.u.attr.ret == 0) {
        MUST(r.u.attr.size >= 0 && r.u.attr.mode > 0);
        return;
    }
    check_error(w, r.u.attr.ret);
    MUST(r.u.attr.ret < 0);
    r.u.attr.ret = 0;
    MUST(!memcmp(&r.u.attr, &zero, sizeof(zero)));
}

/* @last: no later request of the batch may have overwritten the page */
static void check_response(struct world *w, const unsigned char *request, int last)
{
    struct fsif_wire1_request q;
    struct fsif_wire1_response r;
    const unsigned char *slot = arena_slot(w->rsp_cons++);
    int64_t max_io = w->dialect == 2 ? FSIF_WIRE2_MAX_IO : FSIF_PAGE_SIZE;
    int64_t ret;

    memcpy(&q, request, sizeof(q));
    memcpy(&r, slot, sizeof(r));
    ret = (int64_t)r.ret;
    MUST(r.id == q.id && r.pad0 == 0 && r.pad1 == 0);
    if (w->dialect == 2 && q.type == FSIF_WIRE_STAT) {
        check_attr(w, slot);
        return;
    }
    for (size_t i = offsetof(struct fsif_wire1_response, unused); i < arena_slot_size; i++)
        MUST(slot[i] == 0);
    if (q.type == FSIF_WIRE_LIST) {
        if (last && q.u.list.gref - ARENA_FIRST_GREF < ARENA_PAGES)
            check_listing(q.u.list.gref, r.ret);
        return;
    }
    if (ret < 0) {
        check_error(w, ret);
        return;
    }
    switch (q.type) {
    case FSIF_WIRE_OPEN:
        MUST(ret < MAX_HANDLES);
        break;
    case FSIF_WIRE_CREATE:
        MUST(ret < (q.u.create.directory ? 1 : MAX_HANDLES));
        break;
    case FSIF_WIRE_READ:
        planted_bug(ret > 0 && w->wrote >= 2);
        /* fall through */
    case FSIF_WIRE_WRITE:
        MUST((uint64_t)ret <= q.u.io.len && ret <= max_io);
        w->wrote += q.type == FSIF_WIRE_WRITE && ret > 0;
        break;
    case FSIF_WIRE_SPACE:
        break;
    default:
        MUST(q.type >= 1 && q.type <= 13);
        MUST(ret == 0);
    }
}

/* A batch of requests and their answers. Returns 0 when the session is over. */
static int batch(struct world *w, struct input *in)
{
    unsigned char requests[8][ARENA_SLOT_MAX];
    uint8_t head = input_u8(in);
    uint32_t n = 1 + head % 8;
    uint32_t good = 0;
    int bad_id = 0;
    int ret;

    for (uint32_t i = 0; i < n; i++) {
        struct fsif_wire1_request q;

        if (head & 0x80)
            input_bytes(in, memset(requests[i], 0, ARENA_SLOT_MAX), arena_slot_size);
        else
            arena_request(in, requests[i]);
        memcpy(&q, requests[i], sizeof(q));
        memcpy(arena_slot(w->req_prod + i), requests[i], arena_slot_size);
        bad_id |= q.id >= ARENA_SLOTS;
        good += !bad_id;
    }
    if (head & 0x40)
        input_bytes(in, arena_page(head), input_u16(in) % (FSIF_PAGE_SIZE + 1));
    w->req_prod += n;
    arena_store(ARENA_REQ_PROD, w->req_prod);
    ret = fsif_backend_serve(&w->be, w->rq);
    MUST((ret == -FSIF_EPROTO) == bad_id);
    MUST(ret < 0 || (uint32_t)ret <= n);
    MUST(arena_load(ARENA_RSP_PROD) == w->rsp_cons + good);
    for (uint32_t i = 0; i < good; i++)
        check_response(w, requests[i], i + 1 == good);
    MUST(fsif_backend_busy(&w->be) == 0 && fsif_backend_handles(&w->be) <= MAX_HANDLES);
    return !bad_id;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct world w;

    world_init(&w, &in);
    for (int i = 0; i < 64 && in.left && batch(&w, &in); i++)
        ;
    world_fini(&w);
    return 0;
}
