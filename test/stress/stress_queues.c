/* SPDX-License-Identifier: MIT */
/*
 * Dialect 3: queues that share one arena, over the loop transport. Each has threads that submit,
 * several calls at a time, and threads that carry out; the indices of its two rings start just
 * below 2^32. What is written through one queue is read back through another, copied or in place in
 * the arena, in lengths around the page's. At the end each call has ended once, the rings agree on
 * how many there were, and the whole arena is free.
 */
#define _GNU_SOURCE
#include "stress.h"

#include <poll.h>
#include <string.h>

#include <fsif/arena.h>
#include <fsif/directory.h>
#include <fsif/host.h>
#include <fsif/loop.h>
#include <fsif/memory.h>
#include <fsif/negotiate.h>
#include "le.h"

#define QUEUES 3u
#define SUBMITTERS 3u /* of each queue */
#define SERVERS 2u    /* too */
#define ROUNDS 150u
#define DEPTH 4u
#define SLOTS 8u /* fewer than calls that want one */
#define FIRST_INDEX (UINT32_MAX - 300)
#define PIECE (5u * FSIF_PAGE_SIZE) /* of a file, at most, one for each call of a burst */

/* Were every submitter to hold PIECE for good, a run of that many pages would still be free. */
#define ARENA 96u

static const uint32_t lengths[] = {1,    100,   FSIF_PAGE_SIZE - 1, FSIF_PAGE_SIZE, PIECE,
                                   4097, 12288, PIECE - 1};
#define LENGTHS (sizeof(lengths) / sizeof(lengths[0]))

struct rig {
    struct queue queues[QUEUES];
    struct fsif_session *front_session;
    struct fsif_session *back_session;
    struct fsif_store *store;
    struct fsif_arena arena;
    uint8_t *area; /* the rings, then the arena */
    void *memory[3 * QUEUES + 1];
};

struct submitter {
    struct rig *rig;
    uint32_t number;
    uint32_t handle;
    struct fsif_range lent;     /* call 0's piece, in the arena */
    struct fsif_range parts[2]; /* of it */
    struct pending calls[DEPTH];
    uint8_t out[DEPTH][PIECE];
    uint8_t in[DEPTH][PIECE];
};

static uint32_t length_of(const struct submitter *me, uint32_t round, uint32_t i)
{
    return lengths[(round + 3 * i + me->number) % LENGTHS];
}

/* Unlike every other piece's of the run, and unlike its own moved by a page. */
static void fill(uint8_t *at, uint32_t len, uint32_t seed)
{
    uint32_t x = seed * 2654435761u + 1;

    for (uint32_t i = 0; i < len; i++) {
        x = x * 1664525u + 1013904223u;
        at[i] = (uint8_t)(x >> 24);
    }
}

/* Call 0 names the arena, in one range or two; the others have the engine copy. */
static void burst(struct submitter *me, struct queue *q, uint32_t type, uint32_t round)
{
    for (uint32_t i = 0; i < DEPTH; i++) {
        uint32_t len = length_of(me, round, i);
        struct fsif_op op = {
            .type = type, .handle = me->handle, .offset = (uint64_t)i * PIECE, .length = len};

        if (i == 0) {
            op.ranges = me->parts;
            op.nranges = me->parts[1].len ? 2 : 1;
        } else if (type == FSIF_OP_WRITE) {
            op.data = me->out[i];
        } else {
            op.buffer = me->in[i];
        }
        me->calls[i].call.op = op;
        me->calls[i].call.deadline = FSIF_NEVER;
        queue_submit(q, &me->calls[i]);
    }
    for (uint32_t i = 0; i < DEPTH; i++)
        CHECK(queue_wait(&me->calls[i]) == (int64_t)length_of(me, round, i));
}

/* Before anything is under way: who holds a part must not wait for another one. */
static void borrow(struct submitter *me, struct queue *q, uint32_t round)
{
    uint32_t len = length_of(me, round, 0);
    uint32_t first = round % 2 ? len : len / 3 + 1;

    while (fsif_arena_get(&me->rig->arena, len, &me->lent))
        queue_make_room(q);
    if (first > len)
        first = len;
    me->parts[0] = (struct fsif_range){me->lent.at, first};
    me->parts[1] = (struct fsif_range){me->lent.at + first, len - first};
}

static void one_round(struct submitter *me, uint32_t round)
{
    struct queue *home = &me->rig->queues[me->number % QUEUES];
    struct queue *other = &me->rig->queues[(me->number + round) % QUEUES];
    uint8_t *lent;

    borrow(me, home, round);
    lent = fsif_arena_at(&me->rig->arena, &me->lent);
    for (uint32_t i = 0; i < DEPTH; i++)
        fill(me->out[i], PIECE, (me->number * ROUNDS + round) * DEPTH + i);
    memcpy(lent, me->out[0], me->lent.len);
    burst(me, home, FSIF_OP_WRITE, round);
    memset(lent, 0, me->lent.len);
    memset(me->in, 0, sizeof(me->in));
    burst(me, other, FSIF_OP_READ, round);
    CHECK(!memcmp(lent, me->out[0], me->lent.len));
    for (uint32_t i = 1; i < DEPTH; i++)
        CHECK(!memcmp(me->in[i], me->out[i], length_of(me, round, i)));
    fsif_arena_put(&me->rig->arena, &me->lent);
    /* Its part of the arena stays taken until the backend has answered. */
    if (round % 3 == 0)
        queue_run_early(
            home,
            &(struct fsif_op){
                .type = FSIF_OP_READ, .handle = me->handle, .length = PIECE, .buffer = me->in[0]},
            round % 2 == 0);
}

static void *submitter(void *arg)
{
    struct submitter *me = arg;
    struct queue *home = &me->rig->queues[me->number % QUEUES];
    char name[16];
    int64_t handle;

    snprintf(name, sizeof(name), "file-%u", me->number);
    handle = queue_run(home, &(struct fsif_op){.type = FSIF_OP_OPEN,
                                               .handle = FSIF_HANDLE_ROOT,
                                               .path = name,
                                               .flags = FSIF_O_RDWR | FSIF_O_CREAT | FSIF_O_EXCL,
                                               .mode = 0600});
    CHECK(handle >= 0);
    me->handle = (uint32_t)handle;
    for (uint32_t i = 0; i < ROUNDS; i++)
        one_round(me, i);
    CHECK(queue_run(home, &(struct fsif_op){.type = FSIF_OP_CLOSE, .handle = me->handle}) == 0);
    return NULL;
}

/* --- setting up --- */

static void *zeroed(size_t size)
{
    void *p = calloc(1, size);

    CHECK(size && p);
    return p;
}

static void *answer_offer(void *arg)
{
    struct rig *r = arg;
    const struct fsif_transport *t = &fsif_transport_loop;
    uint32_t n = fsif_area_pages(QUEUES, SLOTS, ARENA);
    uint32_t *grefs = zeroed(n * sizeof(*grefs));
    struct fsif_dict dict;
    struct fsif_offer offer;
    struct fsif_choice choice;
    void *mem;

    CHECK(fsif_wait_fd(t->peer_fd(r->back_session), POLLIN, 10000) > 0);
    CHECK(t->session_next_offer(r->back_session, &dict) == 0);
    CHECK(fsif_offer_read(&dict, &offer) == 0);
    CHECK(fsif_choose(&offer, FSIF_DIALECT_BIT(3), &choice) == 0);
    CHECK(t->session_accept_memory(r->back_session, &dict, offer.pages) == 0);
    CHECK(fsif_directory_read(t, r->back_session, offer.directory, grefs, n) == 0);
    /* One mapping for both sides, or ThreadSanitizer would not see their races. */
    CHECK(t->map(r->back_session, grefs, n, &mem) == 0 && mem == r->area);
    CHECK(fsif_choice_write(&choice, &dict) == 0);
    CHECK(t->session_answer(r->back_session, &dict, (int)choice.queues) == 0);
    free(grefs);
    return NULL;
}

static void connect_ends(struct rig *r)
{
    const struct fsif_transport *t = &fsif_transport_loop;
    uint32_t n = fsif_area_pages(QUEUES, SLOTS, ARENA);
    uint32_t pages = n + fsif_directory_pages(n);
    uint32_t *grefs = zeroed(pages * sizeof(*grefs));
    struct fsif_offer offer = {.kind = FSIF_OFFER_SESSION,
                               .export_name = "x",
                               .dialects = FSIF_DIALECT_BIT(3),
                               .features = FSIF_FEATURE_ERRNO,
                               .pages = pages,
                               .queues = QUEUES,
                               .slots = SLOTS,
                               .arena_pages = ARENA,
                               .max_io = PIECE};
    struct fsif_choice choice;
    struct fsif_dict dict, answer;
    pthread_t thread;
    void *mem;

    CHECK(fsif_loop_pair(&r->front_session, &r->back_session) == 0);
    CHECK(t->share(r->front_session, pages, &mem, grefs) == 0);
    r->area = mem;
    offer.directory = grefs[n];
    fsif_directory_write(r->area + (size_t)n * FSIF_PAGE_SIZE, grefs + n, grefs, n);
    CHECK(fsif_offer_write(&offer, &dict) == 0);
    CHECK(pthread_create(&thread, NULL, answer_offer, r) == 0);
    CHECK(t->session_offer(r->front_session, &dict, &answer, 10000) == 0);
    pthread_join(thread, NULL);
    CHECK(fsif_choice_read(&answer, &offer, &choice) == 0 && choice.queues == QUEUES);
    free(grefs);
}

static uint8_t *ring_of(const struct rig *r, uint32_t number)
{
    return r->area + number * fsif_ring_bytes(SLOTS);
}

static void set_up_queue(struct rig *r, uint32_t number)
{
    struct queue *q = &r->queues[number];
    void **memory = &r->memory[3 * number];
    struct fsif_frontend_config fc = {.size = sizeof(fc),
                                      .dialect = 3,
                                      .features = FSIF_FEATURE_ERRNO,
                                      .ring = ring_of(r, number),
                                      .first_index = FIRST_INDEX,
                                      .slots = SLOTS,
                                      .max_io = PIECE,
                                      .arena = &r->arena,
                                      .queue = number,
                                      .transport = &fsif_transport_loop,
                                      .session = r->front_session};
    struct fsif_backend_config bc = {.size = sizeof(bc),
                                     .dialect = 3,
                                     .features = FSIF_FEATURE_ERRNO,
                                     .ring = ring_of(r, number),
                                     .first_index = FIRST_INDEX,
                                     .max_handles = 64,
                                     .max_streams = 1,
                                     .queue = number,
                                     .transport = &fsif_transport_loop,
                                     .session = r->back_session,
                                     .store_ops = &fsif_store_memory,
                                     .store = r->store,
                                     .slots = SLOTS,
                                     .arena = ring_of(r, QUEUES),
                                     .arena_pages = ARENA,
                                     .max_io = PIECE,
                                     .first = number ? &r->queues[0].be : NULL};

    q->number = number;
    q->next = &r->queues[(number + 1) % QUEUES];
    q->front_session = r->front_session;
    q->back_session = r->back_session;
    pthread_mutex_init(&q->fetching, NULL);
    pthread_mutex_init(&q->polling, NULL);
    memory[0] = zeroed(fsif_frontend_state_size(&fc));
    memory[1] = zeroed(fsif_frontend_calls_size(&fc));
    memory[2] = zeroed(fsif_backend_state_size(&bc));
    CHECK(fsif_frontend_init(&q->fe, &fc, memory[0], memory[1]) == 0);
    CHECK(fsif_backend_init(&q->be, &bc, memory[2]) == 0);
}

static void set_up(struct rig *r)
{
    struct fsif_store_config sc = {.size = sizeof(sc), .root_fd = -1};
    void *state = zeroed(fsif_arena_state_size(ARENA));

    connect_ends(r);
    CHECK(fsif_store_memory.create(&sc, &r->store) == 0);
    r->memory[3 * QUEUES] = state;
    CHECK(fsif_arena_init(&r->arena, ring_of(r, QUEUES), ARENA, state) == 0);
    for (uint32_t i = 0; i < QUEUES; i++)
        set_up_queue(r, i);
}

static void run_threads(struct rig *r)
{
    pthread_t submitters[QUEUES * SUBMITTERS];
    pthread_t servers[QUEUES * SERVERS];
    struct submitter *args = zeroed(QUEUES * SUBMITTERS * sizeof(*args));

    for (uint32_t i = 0; i < QUEUES * SERVERS; i++)
        CHECK(pthread_create(&servers[i], NULL, queue_server, &r->queues[i % QUEUES]) == 0);
    for (uint32_t i = 0; i < QUEUES * SUBMITTERS; i++) {
        args[i].rig = r;
        args[i].number = i;
        CHECK(pthread_create(&submitters[i], NULL, submitter, &args[i]) == 0);
    }
    for (uint32_t i = 0; i < QUEUES * SUBMITTERS; i++)
        pthread_join(submitters[i], NULL);
    for (uint32_t i = 0; i < QUEUES; i++) {
        queue_settle(&r->queues[i]);
        atomic_store(&r->queues[i].stop, 1);
    }
    for (uint32_t i = 0; i < QUEUES * SERVERS; i++)
        pthread_join(servers[i], NULL);
    free(args);
}

/* Both rings of the queue have wrapped, by as many as there were calls. */
static void check_queue(const struct rig *r, uint32_t number)
{
    const struct queue *q = &r->queues[number];
    const uint8_t *ring = ring_of(r, number);
    unsigned started = atomic_load(&q->started);
    uint32_t requests = fsi_get32(ring);
    uint32_t responses = fsi_get32(ring + 64);

    printf("queue %u: %u calls completed, %u ended early, indices %u and %u\n", number, started,
           atomic_load(&q->early), requests, responses);
    CHECK(!fsif_frontend_dead(&q->fe) && !fsif_backend_reason(&q->be));
    CHECK(atomic_load(&q->ended) == started && started > UINT32_MAX - FIRST_INDEX);
    CHECK(requests == FIRST_INDEX + started && responses == requests);
}

int main(void)
{
    static struct rig r;
    struct fsif_range whole;
    unsigned early = 0;

    set_up(&r);
    run_threads(&r);
    for (uint32_t i = 0; i < QUEUES; i++) {
        check_queue(&r, i);
        early += atomic_load(&r.queues[i].early);
    }
    CHECK(early > 0);
    CHECK(fsif_backend_handles(&r.queues[0].be) == 0);
    CHECK(fsif_arena_get(&r.arena, ARENA * FSIF_PAGE_SIZE, &whole) == 0);
    for (uint32_t i = QUEUES; i-- > 0;)
        fsif_backend_fini(&r.queues[i].be);
    fsif_store_memory.destroy(r.store);
    fsif_transport_loop.close(r.front_session);
    fsif_transport_loop.close(r.back_session);
    for (uint32_t i = 0; i < sizeof(r.memory) / sizeof(r.memory[0]); i++)
        free(r.memory[i]);
    return 0;
}
