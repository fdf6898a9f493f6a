/* SPDX-License-Identifier: MIT */
/*
 * Response slots: a backend that answers what it likes. Every call completes exactly once, with a
 * result that its operation may have; the session ends before anything else is believed.
 */
#include "arena.h"

#include <stdlib.h>
#include <string.h>

#define CALLS 8u

struct job {
    struct fsif_call call;
    unsigned char *buffer; /* of its own, so that a byte too many shows */
    unsigned submitted;
    unsigned done;
};

struct world {
    struct fsif_frontend fe;
    void *state;
    void *calls;
    uint32_t features;
    uint32_t dialect;
    uint32_t rsp_prod;
    struct job jobs[CALLS];
    unsigned lists; /* for the planted bug */
};

static struct world *current;

static void check_names(const struct job *j)
{
    const char *names = (const char *)j->buffer;
    size_t used = 0;

    MUST(j->call.result.used <= j->call.op.length);
    for (int64_t i = 0; i < j->call.result.value; i++) {
        size_t n = strnlen(names + used, j->call.result.used - used);

        MUST(n >= 1 && n <= FSIF_NAME_MAX && used + n < j->call.result.used);
        MUST(!memchr(names + used, '/', n));
        used += n + 1;
    }
    MUST(used == j->call.result.used);
    MUST(!j->call.result.more || j->call.result.value > 0);
}

static void check_result(const struct job *j)
{
    const struct fsif_result *r = &j->call.result;
    const struct fsif_op *op = &j->call.op;

    MUST(r->value >= -FSIF_MAX_ERRNO);
    if (r->value < 0)
        return;
    switch (op->type) {
    case FSIF_OP_READ:
    case FSIF_OP_WRITE:
        MUST((uint64_t)r->value <= op->length);
        break;
    case FSIF_OP_LIST:
        check_names(j);
        break;
    case FSIF_OP_STAT:
        MUST(r->value == 0 && r->attr.size <= INT64_MAX);
        MUST((r->attr.mode & ~(FSIF_S_IFMT | FSIF_S_PERM)) == 0 && (r->attr.mode & FSIF_S_IFMT));
        break;
    case FSIF_OP_OPEN:
        MUST(r->value <= INT32_MAX);
        break;
    case FSIF_OP_CREATE:
        MUST(r->value <= (op->flags & FSIF_CREATE_DIRECTORY ? 0 : INT32_MAX));
        break;
    case FSIF_OP_SPACE:
        break;
    default:
        MUST(r->value == 0);
    }
}

static void done(struct fsif_call *call)
{
    struct job *j = call->arg;

    MUST(j->done < j->submitted);
    j->done++;
    check_result(j);
    current->lists += call->op.type == FSIF_OP_LIST && call->result.value > 1;
    planted_bug(current->lists >= 1);
}

static void world_init(struct world *w, struct input *in)
{
    struct fsif_frontend_config c = {.size = sizeof(c)};
    uint8_t bits = input_u8(in);

    memset(w, 0, sizeof(*w));
    current = w;
    arena_reset(0);
    w->features = bits & 1 ? FSIF_FEATURE_ERRNO : 0;
    w->dialect = bits & 4 ? 2 : 1;
    c.dialect = w->dialect;
    c.pages_per_call = w->dialect == 2 ? 1 + bits / 64u : 1;
    arena_dialect(c.dialect);
    c.features = w->features;
    c.ring = arena_ring;
    c.ring_pages = 1;
    c.first_index = bits & 2 ? 0xfffffffdu : 0;
    c.pages = arena_pages;
    c.grefs = arena_grefs;
    c.npages = ARENA_PAGES;
    c.transport = &arena_copies;
    w->rsp_prod = c.first_index;
    w->state = malloc(fsif_frontend_state_size(&c));
    w->calls = malloc(fsif_frontend_calls_size(&c));
    MUST(w->state && w->calls);
    MUST(fsif_frontend_init(&w->fe, &c, w->state, w->calls) == 0);
}

static void submit(struct world *w, struct input *in)
{
    struct job *j = &w->jobs[input_u8(in) % CALLS];
    struct fsif_op *op = &j->call.op;
    uint32_t max_io = fsif_frontend_max_io(&w->fe);
    int ret;

    if (j->submitted != j->done)
        return;
    free(j->buffer);
    memset(&j->call, 0, sizeof(j->call));
    op->type = input_u8(in) % (FSIF_OP_COUNT + 1);
    op->length = op->type == FSIF_OP_LIST ? FSIF_PAGE_SIZE : input_length(in);
    op->flags = input_u8(in) & FSIF_CREATE_DIRECTORY;
    op->path = "some/path";
    op->path2 = "another";
    j->buffer = malloc(op->length <= max_io ? (size_t)op->length + !op->length : 1);
    MUST(j->buffer);
    op->buffer = op->length ? j->buffer : NULL;
    op->data = op->buffer;
    if (op->type == FSIF_OP_WRITE && op->length <= max_io)
        memset(j->buffer, 'w', (size_t)op->length);
    j->call.deadline = input_u8(in) & 1 ? 100 : FSIF_NEVER;
    j->call.done = done;
    j->call.arg = j;
    j->submitted++;
    ret = fsif_frontend_submit(&w->fe, &j->call);
    if (ret < 0) {
        j->submitted--;
        MUST(j->done == j->submitted);
        MUST(ret == -FSIF_EAGAIN || ret == -FSIF_EINVAL || ret == -FSIF_EPROTO ||
             ret == -FSIF_ENOSYS);
    }
}

/* Behind the 32 octets that dialect 1 has, dialect 2 has the rest of the attributes. */
static void put_response(struct world *w, struct input *in, const struct fsif_wire1_response *r,
                         uint8_t kind)
{
    struct fsif_wire2_response wide;

    memset(&wide, 0, sizeof(wide));
    memcpy(&wide, r, sizeof(*r));
    if (kind & 0x08) {
        wide.u.attr.mode = (int32_t)(kind & 0x10 ? FSIF_S_IFDIR : FSIF_S_IFREG);
        wide.u.attr.ret = kind & 0x40 ? -(int32_t)input_u16(in) : 0;
        input_bytes(in, &wide.u.attr.size, 8 * (kind % 4u));
    }
    memcpy(arena_slot(w->rsp_prod++), &wide, arena_slot_size);
}

static void respond(struct world *w, struct input *in)
{
    struct fsif_wire1_response r;
    uint8_t kind = input_u8(in);

    memset(&r, 0, sizeof(r));
    r.id = (uint16_t)(kind & 0x80 ? input_u16(in) : kind % ARENA_PAGES);
    r.ret = kind & 0x40 ? input_u64(in) : input_u8(in);
    if (kind & 0x20)
        r.ret = 0u - r.ret;
    if (kind & 0x10) {
        unsigned char *page = arena_page(r.id);
        struct fsif_wire1_attr a = {.mode = (int32_t)FSIF_S_IFREG, .size = input_u8(in)};

        memset(page, input_u8(in), FSIF_PAGE_SIZE);
        if (kind & 0x08)
            memcpy(page, &a, sizeof(a));
        input_bytes(in, page, input_u16(in) % (FSIF_PAGE_SIZE + 1));
    }
    put_response(w, in, &r, kind);
    arena_store(ARENA_RSP_PROD, w->rsp_prod);
}

static void step(struct world *w, struct input *in)
{
    uint8_t move = input_u8(in);

    switch (move % 8) {
    case 0:
    case 1:
        submit(w, in);
        break;
    case 2:
    case 3:
    case 4:
        respond(w, in);
        if (move & 0x80)
            fsif_frontend_poll(&w->fe);
        break;
    case 5:
        fsif_frontend_poll(&w->fe);
        break;
    case 6:
        if (move & 0x80) {
            fsif_frontend_expire(&w->fe, move, NULL);
        } else {
            struct job *j = &w->jobs[move / 8 % CALLS];

            if (j->submitted != j->done)
                MUST(fsif_frontend_cancel(&w->fe, &j->call) == 0);
        }
        break;
    default:
        if (move & 0x80) {
            w->rsp_prod = input_u32(in);
            arena_store(ARENA_RSP_PROD, w->rsp_prod);
        }
        fsif_frontend_arm(&w->fe);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct world w;

    world_init(&w, &in);
    for (int i = 0; i < 256 && in.left; i++)
        step(&w, &in);
    MUST(fsif_frontend_dead(&w.fe) || fsif_frontend_reason(&w.fe) == FSIF_POISON_NONE);
    fsif_frontend_shutdown(&w.fe, FSIF_POISON_NONE);
    for (unsigned i = 0; i < CALLS; i++) {
        MUST(w.jobs[i].done == w.jobs[i].submitted);
        free(w.jobs[i].buffer);
    }
    free(w.state);
    free(w.calls);
    return 0;
}
