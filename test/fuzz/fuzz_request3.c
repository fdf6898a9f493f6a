/* SPDX-License-Identifier: MIT */
/*
 * Requests of dialect 3: a frontend that keeps to the ring's indices but writes what it likes into
 * slots and the arena. Every request is answered once, in order, with what its operation may answer
 * and nothing else in the entry; notices are sound and no more than fit; only an id beyond the ring
 * or a lie about notices ends the session.
 */
#include "arena.h"

#include <fsif/memory.h>
#include <stdlib.h>
#include <string.h>
#include "codec.h"
#include "codec3.h"
#include "le.h"

#define SLOTS 8u
#define ARENA FSIF_ARENA_PAGES_MIN
#define ARENA_SIZE (ARENA * FSIF_PAGE_SIZE)
#define MAX_HANDLES 8u
#define D (&fsi_dialect3)

static _Alignas(4096) unsigned char ring[FSIF_PAGE_SIZE];
static _Alignas(4096) unsigned char arena_mem[ARENA_SIZE];

struct world {
    struct fsif_backend be;
    struct fsif_fetched *rq;
    void *state;
    struct fsif_store *store;
    uint32_t req_prod;
    uint32_t rsp_cons;
    uint32_t notices; /* taken */
    uint32_t seen;    /* said to be taken */
    int lied;
};

static void world_init(struct world *w, struct input *in)
{
    struct fsif_backend_config c = {.size = sizeof(c)};
    uint8_t bits = input_u8(in);

    memset(w, 0, sizeof(*w));
    memset(ring, 0, sizeof(ring));
    memset(arena_mem, 0, sizeof(arena_mem));
    arena_reset(0);
    w->store = arena_store_create();
    c.dialect = 3;
    c.features = FSIF_FEATURE_ERRNO;
    c.ring = ring;
    c.slots = SLOTS;
    c.first_index = bits & 1 ? 0xfffffffeu : 0;
    c.max_handles = MAX_HANDLES;
    c.max_streams = 1;
    c.transport = &arena_copies;
    c.store_ops = &fsif_store_memory;
    c.store = w->store;
    c.arena = arena_mem;
    c.arena_pages = ARENA;
    c.max_io = ARENA_SIZE / 2;
    c.max_locks = 4;
    c.max_watches = 2;
    w->state = malloc(fsif_backend_state_size(&c));
    w->rq = malloc(sizeof(*w->rq));
    MUST(w->state && w->rq);
    MUST(fsif_backend_init(&w->be, &c, w->state) == 0);
    w->req_prod = w->rsp_cons = c.first_index;
    fsi_put32(ring, c.first_index);
    fsi_put32(ring + 64, c.first_index);
}

static void world_fini(struct world *w)
{
    fsif_backend_fini(&w->be);
    fsif_store_memory.destroy(w->store);
    free(w->state);
    free(w->rq);
}

static unsigned char *slot_at(uint32_t index)
{
    return ring + FSIF_WIRE3_RING_SLOTS + (size_t)(index % SLOTS) * FSIF_WIRE3_SLOT;
}

static unsigned char *entry_at(uint32_t index)
{
    return ring + FSIF_WIRE3_RING_SLOTS + (size_t)SLOTS * FSIF_WIRE3_SLOT +
           (size_t)(index % (2 * SLOTS)) * FSIF_WIRE3_RESPONSE;
}

/* --- requests that are mostly sensible --- */

static size_t put_name(struct input *in, char *to)
{
    static const char *const names[] = {
        "a",        "b",
        "dir",      "dir/c",
        "dir/d",    ".",
        "/",        "dir/../x",
        "..",       "user.x",
        "link",     "a/b",
        "",         "a-name-that-is-longer-than-what-lies-in-a-slot-of-a-request",
        "//dir//c", "\xff\x01"};
    uint8_t which = input_u8(in);
    const char *name = names[which % 16];
    size_t n = strlen(name);

    if (which >= 240)
        return input_bytes(in, to, which % 32u);
    memcpy(to, name, n);
    return n;
}

static void put_names(struct input *in, const struct fsi_layout3 *l, unsigned char *slot)
{
    char text[256];
    size_t n = put_name(in, text);
    size_t m = l->name[1] ? put_name(in, text + n) : 0;

    fsi_put16(slot + FSI_NAME_LEN_AT(0), (uint32_t)n);
    if (l->name[1])
        fsi_put16(slot + FSI_NAME_LEN_AT(1), (uint32_t)m);
    if (n + m <= l->names_room) {
        slot[1] = FSIF_WIRE3_INLINE;
        memcpy(slot + l->names_at, text, n + m);
    } else {
        uint32_t at = input_u16(in) % (ARENA_SIZE - 300);

        memcpy(arena_mem + at, text, n + m);
        fsi_put32(slot + l->names_at, at);
    }
}

static uint64_t field_value(struct input *in, const struct fsi_field3 *f,
                            const struct fsi_layout3 *l)
{
    static const uint32_t modes[] = {0644, 0755, 0100600, 1, 2, 3, 0, 020644};
    uint8_t which = input_u8(in);

    if (which >= 224)
        return input_u64(in);
    if (strcmp(f->name, "mode") == 0)
        return modes[which % 8];
    if (strcmp(f->name, "flags") == 0)
        return input_u32(in) & l->flags;
    if (strcmp(f->name, "mask") == 0)
        return which;
    if (strcmp(f->name, "count") == 0)
        return which % 16u;
    return which < 128 ? which : input_length(in);
}

static void put_operands(struct input *in, const struct fsi_layout3 *l, unsigned char *slot)
{
    uint32_t n = l->max_ranges ? 1 + input_u8(in) % l->max_ranges : 0;

    for (uint32_t i = 0; i < l->nfields; i++) {
        uint64_t v = field_value(in, &l->fields[i], l);

        for (uint32_t k = 0; k < l->fields[i].width; k++)
            slot[l->fields[i].at + k] = (unsigned char)(v >> 8 * k);
    }
    if (l->count_at)
        fsi_put32(slot + l->count_at, n);
    for (uint32_t i = 0; i < n; i++) {
        fsi_put32(slot + l->ranges_at + 8 * i, input_u16(in));
        fsi_put32(slot + l->ranges_at + 8 * i + 4, (uint32_t)input_length(in));
    }
    if (l->second_at)
        fsi_put32(slot + l->second_at, input_u16(in) & 0xfff8u);
}

static void put_request(struct input *in, unsigned char *slot)
{
    uint8_t how = input_u8(in);
    uint32_t number = 1 + input_u8(in) % (FSIF_WIRE3_STATMANY);
    const struct fsi_layout3 *l = fsi_layout3(D->types[number]);

    memset(slot, 0, FSIF_WIRE3_SLOT);
    if (how >= 0xf0) {
        input_bytes(in, slot, FSIF_WIRE3_SLOT);
        return;
    }
    slot[0] = (unsigned char)number;
    fsi_put32(slot + 4, input_u8(in));
    if (l->handle)
        fsi_put32(slot + 8,
                  l->handle == FSI_HANDLE_BASE && how & 1 ? FSIF_HANDLE_ROOT : how >> 1 & 7u);
    if (l->handle2)
        fsi_put32(slot + l->handle2_at,
                  l->handle2 == FSI_HANDLE_BASE && how & 1 ? FSIF_HANDLE_ROOT : how >> 4 & 7u);
    put_operands(in, l, slot);
    if (l->name[0])
        put_names(in, l, slot);
    if (how >= 0xe0) /* nearly right */
        slot[input_u8(in) % FSIF_WIRE3_SLOT] ^= (unsigned char)(1u << how % 8);
}

/* --- answers --- */

/* Octets behind what the entry says that it holds are zero. */
static void check_rest(const unsigned char *entry, uint32_t used)
{
    uint32_t length = fsi_codec_response_length(D, entry);

    for (uint32_t i = used; i < length; i++)
        MUST(entry[i] == 0);
}

static uint32_t body_size(const struct fsif_op *op, int64_t value)
{
    if (value < 0)
        return 0;
    switch (op->type) {
    case FSIF_OP_OPEN:
        return op->flags & FSIF_O_STAT ? 112 : 0;
    case FSIF_OP_STAT:
    case FSIF_OP_SETATTR:
    case FSIF_OP_READFILE:
    case FSIF_OP_WRITEFILE:
        return 112;
    case FSIF_OP_STATVFS:
        return 48;
    case FSIF_OP_LOCK:
        return op->flags & FSIF_LOCK_TEST ? 24 : 0;
    default:
        return 0;
    }
}

/* What is in the arena by now, of the batch's last request alone. */
static void check_data(const struct fsif_op *op, const struct fsi_operands *o, int64_t value)
{
    static _Alignas(8) unsigned char copy[ARENA_SIZE];
    uint64_t last;

    if (op->type == FSIF_OP_READDIR && value > 0) {
        memcpy(copy, arena_mem + op->ranges[0].at, (size_t)value);
        MUST(fsi_entries3_check(copy, (uint32_t)value, op, &last) == FSIF_POISON_NONE);
    }
    if (op->type == FSIF_OP_STATMANY && value > 0) {
        memcpy(copy, arena_mem + o->records_at, (size_t)value * FSIF_RECORD_SIZE);
        MUST(fsi_records3_check(copy, (uint32_t)value) == FSIF_POISON_NONE);
    }
}

static void check_answer(const unsigned char *request, const unsigned char *entry, int last)
{
    struct fsi_operands operands;
    struct fsif_result result;
    const struct fsi_codec_row *row;
    struct fsif_op op;
    int64_t value = (int64_t)fsi_get64(entry + 8);
    int err;

    memset(&op, 0, sizeof(op));
    err = fsi_codec_decode_request(D, request, &op, &operands, &row);
    MUST(fsi_get16(entry) == fsi_get16(request + 2) && fsi_get32(entry + 4) == 0);
    if (err) {
        MUST(value == err);
        check_rest(entry, FSIF_WIRE3_BODY);
        return;
    }
    if (op.nranges == 0)
        op.nranges = 1; /* no data is taken out */
    MUST(fsi_codec_decode_response(D, &op, FSIF_FEATURE_ERRNO, entry, NULL, &result) ==
         FSIF_POISON_NONE);
    if (op.type == FSIF_OP_OPEN && value >= 0)
        MUST(value < MAX_HANDLES);
    check_rest(entry, FSIF_WIRE3_BODY + body_size(&op, value));
    if (last)
        check_data(&op, &operands, value);
    planted_bug(op.type == FSIF_OP_READ && value > 0);
}

static void take_notice(struct world *w, const unsigned char *entry)
{
    struct fsif_notice notice;

    MUST(fsi_notice3_get(entry, &notice) == FSIF_POISON_NONE && notice.kind != 0);
    w->notices++;
    MUST(w->lied || w->notices - w->seen <= SLOTS);
}

/* Take all that is there. Returns answers that came. */
static uint32_t take(struct world *w, unsigned char requests[][FSIF_WIRE3_SLOT], uint32_t n)
{
    uint32_t prod = fsi_get32(ring + 64);
    uint32_t answers = 0;

    MUST(prod - w->rsp_cons <= 2 * SLOTS);
    for (; w->rsp_cons != prod; w->rsp_cons++) {
        unsigned char entry[FSIF_WIRE3_RESPONSE];

        memcpy(entry, entry_at(w->rsp_cons), sizeof(entry));
        memset(entry_at(w->rsp_cons), 0, sizeof(entry));
        if (entry[2] != FSIF_WIRE3_ANSWER) {
            take_notice(w, entry);
            continue;
        }
        MUST(answers < n);
        check_answer(requests[answers], entry, answers + 1 == n);
        answers++;
    }
    return answers;
}

/* A batch of requests and their answers. Returns 0 when the session is over. */
static int batch(struct world *w, struct input *in)
{
    unsigned char requests[SLOTS][FSIF_WIRE3_SLOT];
    uint8_t head = input_u8(in);
    uint32_t n = 1 + head % SLOTS;
    uint32_t good = 0;
    int bad_id = 0;
    int ret;

    for (uint32_t i = 0; i < n; i++) {
        put_request(in, requests[i]);
        if (head & 0x80)
            bad_id |= fsi_get16(requests[i] + 2) >= SLOTS;
        else
            fsi_put16(requests[i] + 2, i);
        memcpy(slot_at(w->req_prod + i), requests[i], FSIF_WIRE3_SLOT);
        good += !bad_id;
    }
    if (head & 0x40)
        input_bytes(in, arena_mem + input_u16(in) % (ARENA_SIZE / 2), input_u8(in));
    if (head & 0x20) {
        w->seen = input_u8(in) == 255 ? input_u32(in) : w->notices;
        w->lied |= w->seen != w->notices;
        fsi_put32(ring + 8, w->seen);
    }
    w->req_prod += n;
    fsi_put32(ring, w->req_prod);
    ret = fsif_backend_serve(&w->be, w->rq);
    MUST(ret != -FSIF_EPROTO || bad_id || w->lied);
    if (fsif_backend_changes(&w->be) > 0)
        fsif_backend_flush(&w->be);
    if (ret < 0 || fsif_backend_reason(&w->be) != FSIF_POISON_NONE)
        return 0;
    MUST(take(w, requests, n) == good);
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
