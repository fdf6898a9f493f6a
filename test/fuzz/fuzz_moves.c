/* SPDX-License-Identifier: MIT */
/*
 * A list of moves on a session: both engines on one ring, each move either what a side may do at
 * any time (submit, cancel, let time pass, fetch, answer in any order, hand the state to a
 * successor) or what a hostile peer does (write ring words, slots and pages). As long as nobody was
 * hostile all calls are answered and no session is poisoned; in any case each call completes
 * exactly once.
 */
#include "arena.h"

#include <fsif/memory.h>
#include <stdlib.h>
#include <string.h>

#define JOBS 12u
#define HELD 4u

struct job {
    struct fsif_call call;
    char path[16];
    unsigned char buffer[2 * FSIF_PAGE_SIZE];
    unsigned submitted;
    unsigned done;
};

struct world {
    struct fsif_frontend fe;
    struct fsif_frontend_config fc;
    void *fe_state;
    void *calls;
    struct fsif_backend be;
    struct fsif_backend_config bc;
    void *be_state;
    struct fsif_store *store;
    struct fsif_fetched *held[HELD]; /* NULL: none */
    struct fsif_fetched *spare;
    struct job jobs[JOBS];
    uint64_t now;
    int hostile;
    unsigned out_of_order; /* for the planted bug */
};

static void done(struct fsif_call *call)
{
    struct job *j = call->arg;

    MUST(j->done < j->submitted);
    j->done++;
    MUST(call->result.value >= -FSIF_MAX_ERRNO && call->result.used <= FSIF_PAGE_SIZE);
}

static void *allocate(size_t size)
{
    void *p = malloc(size);

    MUST(p && size);
    return p;
}

static void world_init(struct world *w, struct input *in)
{
    uint8_t bits = input_u8(in);
    uint32_t first = bits & 1 ? 0xfffffffcu : 0;
    uint32_t dialect = bits & 0x10 ? 2 : 1;

    memset(w, 0, sizeof(*w));
    arena_reset(0);
    arena_dialect(dialect);
    w->store = arena_store_create();
    w->spare = allocate(sizeof(*w->spare));
    w->fc = (struct fsif_frontend_config){
        .size = sizeof(w->fc),
        .dialect = dialect,
        .features = bits & 2 ? FSIF_FEATURE_ERRNO : 0,
        .ring = arena_ring,
        .ring_pages = 1,
        .first_index = first,
        .pages = arena_pages,
        .grefs = arena_grefs,
        .npages = 1 + bits / 32u,
        .pages_per_call = dialect == 2 && bits / 32u ? 2 : 1,
        .transport = &arena_copies,
    };
    w->bc = (struct fsif_backend_config){
        .size = sizeof(w->bc),
        .dialect = dialect,
        .features = w->fc.features,
        .ring = arena_ring,
        .ring_pages = 1,
        .first_index = first,
        .max_handles = 4,
        .max_streams = 1 + (bits >> 2 & 1u),
        .transport = bits & 8 ? &arena_lends : &arena_copies,
        .store_ops = &fsif_store_memory,
        .store = w->store,
    };
    w->fe_state = allocate(fsif_frontend_state_size(&w->fc));
    w->calls = allocate(fsif_frontend_calls_size(&w->fc));
    w->be_state = allocate(fsif_backend_state_size(&w->bc));
    MUST(fsif_frontend_init(&w->fe, &w->fc, w->fe_state, w->calls) == 0);
    MUST(fsif_backend_init(&w->be, &w->bc, w->be_state) == 0);
}

/* --- the frontend's moves --- */

static void submit(struct world *w, struct input *in)
{
    static const char *const paths[] = {"a", "b", "d", "d/a", "d/b", "."};
    struct job *j = &w->jobs[input_u8(in) % JOBS];
    struct fsif_op *op = &j->call.op;
    uint8_t bits = input_u8(in);

    if (j->submitted != j->done)
        return;
    memset(&j->call, 0, sizeof(j->call));
    strcpy(j->path, paths[bits % 6]);
    op->type = 1 + input_u8(in) % (FSIF_OP_COUNT - 1);
    op->handle = bits & 3;
    op->mode = 0700;
    op->flags = bits & 0x80 ? FSIF_CREATE_DIRECTORY : 0;
    op->offset = op->type == FSIF_OP_LIST ? 0 : input_u16(in);
    op->length = op->type == FSIF_OP_LIST ? FSIF_PAGE_SIZE
                                          : input_u16(in) % (fsif_frontend_max_io(&w->fe) + 1);
    op->path = j->path;
    op->path2 = paths[bits >> 4 & 3];
    op->buffer = j->buffer;
    op->data = j->buffer;
    j->call.deadline = bits & 0x40 ? w->now + bits : FSIF_NEVER;
    j->call.done = done;
    j->call.arg = j;
    j->submitted++;
    if (fsif_frontend_submit(&w->fe, &j->call) < 0) {
        j->submitted--;
        MUST(j->submitted == j->done);
    }
}

static void cancel(struct world *w, uint8_t which)
{
    struct job *j = &w->jobs[which % JOBS];

    if (j->submitted == j->done)
        return;
    MUST(fsif_frontend_cancel(&w->fe, &j->call) == 0);
    MUST(j->submitted == j->done);
}

/* Another process goes on with the frontend's state: the calls of this one are gone with it. */
static void frontend_successor(struct world *w)
{
    size_t size = fsif_frontend_state_size(&w->fc);
    void *state = allocate(size);

    memcpy(state, w->fe_state, size);
    free(w->fe_state);
    w->fe_state = state;
    MUST(fsif_frontend_resume(&w->fe, &w->fc, state, w->calls) == 0);
    for (unsigned i = 0; i < JOBS; i++)
        w->jobs[i].done = w->jobs[i].submitted;
}

/* --- the backend's moves --- */

static void drop_held(struct world *w)
{
    for (unsigned i = 0; i < HELD; i++) {
        free(w->held[i]);
        w->held[i] = NULL;
    }
}

static void fetch(struct world *w)
{
    for (unsigned i = 0; i < HELD; i++) {
        int ret;

        if (w->held[i])
            continue;
        w->held[i] = allocate(sizeof(*w->held[i]));
        ret = fsif_backend_fetch(&w->be, w->held[i]);
        if (ret != 1) {
            free(w->held[i]);
            w->held[i] = NULL;
            MUST(ret == 0 || (ret == -FSIF_EPROTO && (w->hostile || fsif_backend_reason(&w->be))));
        }
        return;
    }
}

static void answer(struct world *w, struct input *in, uint8_t which)
{
    struct fsif_fetched *rq = w->held[which % HELD];

    if (!rq)
        return;
    w->out_of_order += which % HELD > 0 && w->held[which % HELD - 1];
    if (which & 0x80 && rq->op.type != FSIF_OP_OPEN && rq->op.type != FSIF_OP_CREATE &&
        rq->op.type != FSIF_OP_CLOSE) {
        struct fsif_result r = {.value = (int8_t)input_u8(in)};

        if (which & 0x40)
            r.value = (int64_t)input_u64(in);
        if (rq->op.type == FSIF_OP_LIST)
            r.value = r.value < 0 ? r.value : 0;
        r.attr.mode = FSIF_S_IFREG;
        fsif_backend_complete(&w->be, rq, &r, 0);
    } else {
        fsif_backend_execute(&w->be, rq);
    }
    fsif_backend_flush(&w->be);
    free(rq);
    w->held[which % HELD] = NULL;
}

static void backend_successor(struct world *w)
{
    size_t size = fsif_backend_state_size(&w->bc);
    void *state = allocate(size);

    drop_held(w);
    memcpy(state, w->be_state, size);
    free(w->be_state);
    w->be_state = state;
    MUST(fsif_backend_resume(&w->be, &w->bc, state) >= 0);
}

/* --- a hostile side --- */

static void hostile(struct world *w, struct input *in)
{
    uint8_t what = input_u8(in);
    uint32_t value;

    w->hostile = 1;
    switch (what % 4) {
    case 0:
        value = arena_load(4u * (what / 4 % 4u)) + input_u8(in) - 128u;
        arena_store(4u * (what / 4 % 4u), what & 0x80 ? input_u32(in) : value);
        break;
    case 1:
        input_bytes(in, arena_slot(what / 4), arena_slot_size);
        break;
    case 2:
        arena_request(in, arena_slot(arena_load(ARENA_REQ_PROD)));
        arena_store(ARENA_REQ_PROD, arena_load(ARENA_REQ_PROD) + 1);
        break;
    default:
        input_bytes(in, arena_page(what / 4) + input_u16(in) % FSIF_PAGE_SIZE / 64 * 64, 64);
    }
}

static void step(struct world *w, struct input *in)
{
    uint8_t move = input_u8(in);
    uint8_t which = move / 16;

    switch (move % 16) {
    case 0:
    case 1:
    case 2:
        submit(w, in);
        break;
    case 3:
    case 4:
        fetch(w);
        break;
    case 5:
    case 6:
        answer(w, in, input_u8(in));
        break;
    case 7:
        (void)fsif_backend_serve(&w->be, w->spare);
        break;
    case 8:
    case 9:
        fsif_frontend_poll(&w->fe);
        break;
    case 10:
        cancel(w, input_u8(in));
        break;
    case 11:
        w->now += which * which;
        fsif_frontend_expire(&w->fe, w->now, NULL);
        break;
    case 12:
        if (which & 1)
            fsif_frontend_arm(&w->fe);
        else
            fsif_backend_arm(&w->be);
        break;
    case 13:
        if (which & 1)
            frontend_successor(w);
        else
            backend_successor(w);
        break;
    case 14:
        hostile(w, in);
        break;
    default:
        if (which == 15)
            fsif_frontend_shutdown(&w->fe, FSIF_POISON_NONE);
        else if (which == 14)
            fsif_backend_poison(&w->be, FSIF_POISON_TRANSPORT);
        else if (which < 4)
            hostile(w, in);
    }
    planted_bug(w->out_of_order >= 2 && !w->hostile);
}

/* Nobody broke a rule: whatever was asked is answered. */
static void settle(struct world *w)
{
    int over = fsif_frontend_dead(&w->fe) || fsif_backend_reason(&w->be) == FSIF_POISON_TRANSPORT;

    for (unsigned i = 0; i < HELD; i++) {
        if (w->held[i])
            fsif_backend_execute(&w->be, w->held[i]);
    }
    fsif_backend_flush(&w->be);
    drop_held(w);
    if (over)
        return;
    MUST(fsif_backend_serve(&w->be, w->spare) >= 0);
    MUST(fsif_frontend_poll(&w->fe) >= 0);
    MUST(fsif_backend_busy(&w->be) == 0 && fsif_frontend_quarantined(&w->fe) == 0);
    for (unsigned i = 0; i < JOBS; i++)
        MUST(w->jobs[i].done == w->jobs[i].submitted);
    MUST(!fsif_frontend_arm(&w->fe) && !fsif_backend_arm(&w->be));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world w; /* large */
    struct input in = {data, size};

    world_init(&w, &in);
    for (int i = 0; i < 512 && in.left; i++)
        step(&w, &in);
    if (!w.hostile)
        settle(&w);
    fsif_frontend_shutdown(&w.fe, FSIF_POISON_NONE);
    for (unsigned i = 0; i < JOBS; i++)
        MUST(w.jobs[i].done == w.jobs[i].submitted);
    drop_held(&w);
    fsif_backend_fini(&w.be);
    fsif_store_memory.destroy(w.store);
    free(w.spare);
    free(w.fe_state);
    free(w.calls);
    free(w.be_state);
    return 0;
}
