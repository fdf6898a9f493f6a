/* SPDX-License-Identifier: MIT */
/*
 * Listings, both ways. Mode 0: a backend's page and count, as the frontend's codec takes them.
 * Mode 1: a directory that changes while it is listed page by page: what was there throughout
 * appears exactly once, what was there at no time not at all.
 */
#include "arena.h"

#include <fsif/memory.h>
#include <stdlib.h>
#include <string.h>

#include "codec.h"

/* --- mode 0 --- */

static void decode(struct input *in)
{
    const struct fsi_dialect *d = fsi_dialect_find(1);
    unsigned char *page = malloc(FSIF_PAGE_SIZE);
    char *names = malloc(FSIF_PAGE_SIZE);
    struct fsif_op op = {.type = FSIF_OP_LIST, .path = ".", .length = FSIF_PAGE_SIZE};
    struct fsif_wire1_response r;
    struct fsif_result out;
    enum fsif_poison bad;
    size_t used = 0;

    MUST(page && names);
    memset(&r, 0, sizeof(r));
    memset(&out, 0, sizeof(out));
    r.ret = input_u8(in) & 1 ? input_u64(in) : input_u8(in);
    memset(page, input_u8(in), FSIF_PAGE_SIZE);
    input_bytes(in, page, FSIF_PAGE_SIZE);
    op.buffer = names;
    bad = fsi_codec_decode_response(d, &op, FSIF_FEATURE_ERRNO, &r, page, &out);
    MUST(bad == FSIF_POISON_NONE || bad == FSIF_POISON_LISTING || bad == FSIF_POISON_RESULT);
    if (!bad && out.value >= 0) {
        MUST(out.used <= FSIF_PAGE_SIZE);
        for (int64_t i = 0; i < out.value; i++) {
            size_t n = strnlen(names + used, out.used - used);

            MUST(n >= 1 && n <= FSIF_NAME_MAX && used + n < out.used);
            MUST(!memchr(names + used, '/', n));
            used += n + 1;
        }
        MUST(used == out.used);
        planted_bug(out.value >= 4 && out.more);
    } else if (!bad) {
        MUST(out.value >= -FSIF_MAX_ERRNO);
    }
    free(page);
    free(names);
}

/* --- mode 1 --- */

#define ENTRIES 28u /* and the root: within the store's limit of nodes */

struct entry {
    char name[FSIF_NAME_MAX + 1];
    unsigned there;      /* now */
    unsigned throughout; /* since the listing began */
    unsigned ever;       /* at any time since then */
    unsigned seen;
};

struct world {
    struct fsif_backend be;
    struct fsif_fetched *rq;
    void *state;
    struct fsif_store *store;
    uint32_t index;
    struct entry entries[ENTRIES];
    unsigned pages;
};

static void world_init(struct world *w)
{
    struct fsif_backend_config c = {
        .size = sizeof(c),
        .dialect = 1,
        .features = FSIF_FEATURE_ERRNO,
        .ring = arena_ring,
        .ring_pages = 1,
        .max_handles = 1,
        .max_streams = 4,
        .transport = &arena_copies,
        .store_ops = &fsif_store_memory,
    };

    memset(w, 0, sizeof(*w));
    arena_reset(0);
    w->store = c.store = arena_store_create();
    w->state = malloc(fsif_backend_state_size(&c));
    w->rq = malloc(sizeof(*w->rq));
    MUST(w->state && w->rq && fsif_backend_init(&w->be, &c, w->state) == 0);
}

static void toggle(struct world *w, unsigned which, int is_long)
{
    struct entry *e = &w->entries[which % ENTRIES];

    if (e->there) {
        MUST(fsif_store_memory.remove(w->store, FSIF_STORE_ROOT, e->name, 0) == 0);
        e->there = e->throughout = 0;
        return;
    }
    if (!e->name[0]) {
        /* Its number keeps it apart from the others. */
        memset(e->name, 'x', is_long ? 200 + which % 56 : 1 + which % 16);
        e->name[0] = (char)('A' + which % ENTRIES);
    }
    MUST(fsif_store_memory.mkdir(w->store, FSIF_STORE_ROOT, e->name, 0700) == 0);
    e->there = e->ever = 1;
}

static void take_name(struct world *w, const char *name)
{
    if (!strcmp(name, ".") || !strcmp(name, ".."))
        return;
    for (unsigned i = 0; i < ENTRIES; i++) {
        struct entry *e = &w->entries[i];

        if (!strcmp(e->name, name)) {
            MUST(e->ever);
            e->seen++;
            return;
        }
    }
    fprintf(stderr, "a name that never was: %s\n", name);
    __builtin_trap();
}

/* One page of the listing. Returns how many names; @more: whether there are others. */
static uint32_t list_page(struct world *w, uint32_t offset, int *more)
{
    struct fsif_wire1_request q = {.type = FSIF_WIRE_LIST,
                                   .id = (uint16_t)(w->index % ARENA_SLOTS)};
    struct fsif_wire1_response r;
    const char *at = (const char *)arena_page(0);

    q.u.list.offset = offset;
    q.u.list.gref = ARENA_FIRST_GREF;
    memcpy(arena_page(0), ".", 2);
    memcpy(arena_slot(w->index), &q, sizeof(q));
    arena_store(ARENA_REQ_PROD, w->index + 1);
    MUST(fsif_backend_serve(&w->be, w->rq) == 1);
    memcpy(&r, arena_slot(w->index), sizeof(r));
    w->index++;
    MUST((uint32_t)(r.ret >> FSIF_WIRE1_LIST_ERROR_SHIFT) == 0);
    *more = (int)(r.ret >> FSIF_WIRE1_LIST_MORE_SHIFT);
    for (uint32_t i = 0; i < (r.ret & FSIF_WIRE1_LIST_COUNT_MASK); i++) {
        take_name(w, at);
        at += strlen(at) + 1;
    }
    return (uint32_t)r.ret & FSIF_WIRE1_LIST_COUNT_MASK;
}

static void list_all(struct world *w, struct input *in)
{
    uint32_t offset = 0;
    int more = 1;

    for (unsigned i = 0; i < ENTRIES; i++) {
        w->entries[i].throughout = w->entries[i].ever = w->entries[i].there;
        w->entries[i].seen = 0;
    }
    for (w->pages = 0; more && w->pages < 64; w->pages++) {
        uint32_t n = list_page(w, offset, &more);

        MUST(n > 0 || !more);
        offset += n;
        for (uint8_t changes = input_u8(in) % 4; changes > 0; changes--) {
            uint8_t which = input_u8(in);

            toggle(w, which, which >= 128);
        }
    }
    for (unsigned i = 0; i < ENTRIES && !more; i++)
        MUST(!w->entries[i].throughout || w->entries[i].seen == 1);
    planted_bug(w->pages >= 2);
}

static void list(struct input *in)
{
    struct world w;

    uint32_t there = input_u32(in), is_long = input_u32(in);

    world_init(&w);
    for (unsigned i = 0; i < ENTRIES; i++) {
        if (there >> i & 1)
            toggle(&w, i, is_long >> i & 1);
    }
    for (int i = 0; i < 8 && in->left; i++)
        list_all(&w, in);
    fsif_backend_fini(&w.be);
    fsif_store_memory.destroy(w.store);
    free(w.state);
    free(w.rq);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};

    if (input_u8(&in) & 1)
        list(&in);
    else
        decode(&in);
    return 0;
}
