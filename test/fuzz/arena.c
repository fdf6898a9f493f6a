/* SPDX-License-Identifier: MIT */
#include "arena.h"

#include <fsif/memory.h>
#include <stdlib.h>
#include <string.h>

_Alignas(4096) unsigned char arena_ring[FSIF_PAGE_SIZE];
_Alignas(4096) unsigned char arena_pages[ARENA_PAGES * FSIF_PAGE_SIZE];
uint32_t arena_grefs[ARENA_PAGES];
uint32_t arena_bells;
uint32_t arena_slot_size;
static uint32_t arena_read_only;

void planted_bug(int reached)
{
    static int planted = -1;

    if (planted < 0)
        planted = getenv("FSIF_FUZZ_PLANT") != NULL;
    if (planted && reached) {
        fprintf(stderr, "the planted bug was found\n");
        __builtin_trap();
    }
}

size_t input_bytes(struct input *in, void *dst, size_t len)
{
    size_t n = len < in->left ? len : in->left;

    memcpy(dst, in->at, n);
    in->at += n;
    in->left -= n;
    return n;
}

uint8_t input_u8(struct input *in)
{
    uint8_t v = 0;

    input_bytes(in, &v, sizeof(v));
    return v;
}

uint16_t input_u16(struct input *in)
{
    uint16_t v = 0;

    input_bytes(in, &v, sizeof(v));
    return v;
}

uint32_t input_u32(struct input *in)
{
    uint32_t v = 0;

    input_bytes(in, &v, sizeof(v));
    return v;
}

uint64_t input_u64(struct input *in)
{
    uint64_t v = 0;

    input_bytes(in, &v, sizeof(v));
    return v;
}

uint64_t input_length(struct input *in)
{
    static const uint64_t edges[] = {
        0,
        1,
        4095,
        4096,
        4097,
        8192,
        24576,
        24577,
        INT32_MAX,
        UINT32_MAX,
        INT64_MAX - 4096,
        INT64_MAX,
        UINT64_MAX,
    };
    uint8_t kind = input_u8(in);

    if (kind < 128)
        return kind;
    if (kind < 192)
        return edges[kind % (sizeof(edges) / sizeof(edges[0]))];
    if (kind < 224)
        return input_u16(in);
    return input_u64(in);
}

void arena_reset(uint32_t read_only)
{
    memset(arena_ring, 0, sizeof(arena_ring));
    memset(arena_pages, 0, sizeof(arena_pages));
    for (uint32_t i = 0; i < ARENA_PAGES; i++)
        arena_grefs[i] = ARENA_FIRST_GREF + i;
    arena_bells = 0;
    arena_read_only = read_only;
    arena_dialect(1);
}

void arena_dialect(uint32_t dialect)
{
    arena_slot_size = dialect == 2 ? FSIF_WIRE2_SLOT : FSIF_WIRE1_SLOT;
}

uint32_t arena_load(unsigned offset)
{
    uint32_t v;

    memcpy(&v, arena_ring + offset, sizeof(v));
    return v;
}

void arena_store(unsigned offset, uint32_t value)
{
    memcpy(arena_ring + offset, &value, sizeof(value));
}

unsigned char *arena_slot(uint32_t index)
{
    return arena_ring + FSIF_WIRE_RING_SLOTS + (size_t)(index % ARENA_SLOTS) * arena_slot_size;
}

unsigned char *arena_page(uint32_t number)
{
    return arena_pages + (size_t)(number % ARENA_PAGES) * FSIF_PAGE_SIZE;
}

static unsigned char *place(uint32_t gref, uint32_t off, uint32_t len)
{
    MUST(off <= FSIF_PAGE_SIZE && len <= FSIF_PAGE_SIZE - off);
    if (gref - ARENA_FIRST_GREF >= ARENA_PAGES)
        return NULL;
    return arena_page(gref - ARENA_FIRST_GREF) + off;
}

static int copy_from(struct fsif_session *s, uint32_t gref, uint32_t off, void *dst, uint32_t len)
{
    const unsigned char *p = place(gref, off, len);

    (void)s;
    if (!p)
        return -FSIF_EFAULT;
    memcpy(dst, p, len);
    return 0;
}

static int copy_to(struct fsif_session *s, uint32_t gref, uint32_t off, const void *src,
                   uint32_t len)
{
    unsigned char *p = place(gref, off, len);

    (void)s;
    if (!p)
        return -FSIF_EFAULT;
    if (arena_read_only >> (gref - ARENA_FIRST_GREF) & 1)
        return -FSIF_EACCES;
    memcpy(p, src, len);
    return 0;
}

static void *lend(struct fsif_session *s, uint32_t gref)
{
    (void)s;
    if (gref - ARENA_FIRST_GREF < ARENA_PAGES && arena_read_only >> (gref - ARENA_FIRST_GREF) & 1)
        return NULL;
    return place(gref, 0, FSIF_PAGE_SIZE);
}

static int notify(struct fsif_session *s, uint32_t queue)
{
    (void)s;
    MUST(queue == 0);
    arena_bells++;
    return 0;
}

const struct fsif_transport arena_lends = {
    .size = sizeof(struct fsif_transport),
    .abi = FSIF_TRANSPORT_ABI,
    .name = "arena",
    .copy_from = copy_from,
    .copy_to = copy_to,
    .lend = lend,
    .notify = notify,
};

const struct fsif_transport arena_copies = {
    .size = sizeof(struct fsif_transport),
    .abi = FSIF_TRANSPORT_ABI,
    .name = "arena",
    .copy_from = copy_from,
    .copy_to = copy_to,
    .notify = notify,
};

struct fsif_store *arena_store_create(void)
{
    const struct fsif_store_config config = {
        .size = sizeof(config),
        .source = "",
        .root_fd = -1,
        .max_bytes = 1u << 20,
        .max_nodes = 32,
    };
    struct fsif_store *st = NULL;

    MUST(fsif_store_memory.create(&config, &st) == 0);
    return st;
}

/* A short name, or one of the awkward ones. Returns the bytes that it took. */
static size_t put_name(struct input *in, char *at, size_t room)
{
    static const char *const names[] = {
        "a", "b", "d", "d/a", "d/b", "d/e", "/a", "a/", "d/../a", "./d//a", "..", "a..b", "", "/",
    };
    uint8_t kind = input_u8(in);
    size_t n;

    if (kind < 224) {
        const char *name = names[kind % (sizeof(names) / sizeof(names[0]))];

        n = strlen(name) + 1;
        memcpy(at, name, n);
        return n;
    }
    n = input_u16(in) % room;
    memset(at, 'n', n);
    input_bytes(in, at, n);
    return n;
}

static void put_io(struct input *in, struct fsif_wire1_request *r)
{
    unsigned char *page = arena_page(r->u.io.gref - ARENA_FIRST_GREF);

    r->u.io.len = input_length(in);
    r->u.io.offset = input_length(in);
    if (r->type == FSIF_WIRE_WRITE)
        memset(page, input_u8(in), 64);
}

static void put_rename(struct input *in, struct fsif_wire1_request *r, uint32_t gref)
{
    char *page = (char *)arena_page(gref - ARENA_FIRST_GREF);
    size_t from = input_u8(in) % 16;
    size_t to = from + put_name(in, page + from, 1024) + input_u8(in) % 8;

    put_name(in, page + to, 1024);
    r->u.rename = (struct fsif_wire1_rename){(uint16_t)from, (uint16_t)to, gref};
}

/* What dialect 2 has instead of the one gref. */
static void put_grefs(struct input *in, uint32_t first, unsigned char *slot)
{
    uint8_t step = input_u8(in);

    for (uint32_t i = 0; i < FSIF_WIRE2_GREFS; i++) {
        uint32_t gref = first + i * (step % 4u);

        if (step >= 64)
            gref = ARENA_FIRST_GREF + (gref - ARENA_FIRST_GREF) % ARENA_PAGES;
        memcpy(slot + offsetof(struct fsif_wire2_request, u.io.grefs) + i * sizeof(gref), &gref,
               sizeof(gref));
    }
}

void arena_request(struct input *in, unsigned char *slot)
{
    struct fsif_wire1_request r;
    uint32_t gref = ARENA_FIRST_GREF + input_u8(in) % ARENA_PAGES;

    memset(&r, 0, sizeof(r));
    r.type = (uint8_t)(1 + input_u8(in) % 13);
    r.id = (uint16_t)(input_u8(in) % ARENA_SLOTS);
    r.u.io.fd = input_u8(in) % 4;
    r.u.io.gref = gref;
    switch (r.type) {
    case FSIF_WIRE_READ:
    case FSIF_WIRE_WRITE:
        put_io(in, &r);
        break;
    case FSIF_WIRE_OPEN:
    case FSIF_WIRE_REMOVE:
    case FSIF_WIRE_SPACE:
        r.u.path.gref = gref;
        put_name(in, (char *)arena_page(gref - ARENA_FIRST_GREF), FSIF_PAGE_SIZE);
        break;
    case FSIF_WIRE_CREATE:
        r.u.create = (struct fsif_wire1_create){
            .directory = (int8_t)(input_u8(in) & 1), .mode = input_u16(in), .gref = gref};
        put_name(in, (char *)arena_page(gref - ARENA_FIRST_GREF), FSIF_PAGE_SIZE);
        break;
    case FSIF_WIRE_LIST:
        r.u.list.offset = input_u8(in) % 8;
        put_name(in, (char *)arena_page(gref - ARENA_FIRST_GREF), FSIF_PAGE_SIZE);
        break;
    case FSIF_WIRE_RENAME:
        put_rename(in, &r, gref);
        break;
    case FSIF_WIRE_TRUNCATE:
        r.u.truncate.len = (int64_t)input_length(in);
        break;
    case FSIF_WIRE_CHMOD:
        r.u.chmod.mode = input_u16(in);
        break;
    default:
        break;
    }
    memset(slot, 0, arena_slot_size);
    memcpy(slot, &r, sizeof(r));
    if (arena_slot_size == FSIF_WIRE2_SLOT &&
        (r.type == FSIF_WIRE_READ || r.type == FSIF_WIRE_WRITE))
        put_grefs(in, gref, slot);
}
