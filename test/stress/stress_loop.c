/* SPDX-License-Identifier: MIT */
/*
 * Eight threads submit to one frontend engine over the loop transport while three carry requests
 * out, completing in any order. Ring indices start just below 2^32, so they wrap. Each thread
 * writes, reads back and compares a file of its own, and cancels and times out some of its calls.
 * Meant for ThreadSanitizer; proves without it that nothing is lost and nothing is done twice.
 */
#define _GNU_SOURCE
#include "stress.h"

#include <poll.h>
#include <string.h>

#include <fsif/host.h>
#include <fsif/loop.h>
#include <fsif/memory.h>
#include <fsif/negotiate.h>

#define SUBMITTERS 8
#define SERVERS 3
#define ROUNDS 400
#define SLOTS 64u
#define FIRST_INDEX (UINT32_MAX - 300)

struct rig {
    struct queue queue;
    struct fsif_store *store;
    int plant_race;
    unsigned raced; /* the planted race: no lock */
};

struct submitter {
    struct rig *rig;
    int number;
};

static void *submitter(void *arg)
{
    const struct submitter *me = arg;
    struct rig *r = me->rig;
    char name[16];
    unsigned char out[FSIF_PAGE_SIZE];
    unsigned char in[FSIF_PAGE_SIZE];
    int64_t handle;

    snprintf(name, sizeof(name), "file-%d", me->number);
    handle =
        queue_run(&r->queue, &(struct fsif_op){.type = FSIF_OP_CREATE, .path = name, .mode = 0600});
    CHECK(handle >= 0);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        uint64_t len = 1 + (i * 37u + (uint32_t)me->number * 101u) % FSIF_PAGE_SIZE;
        struct fsif_op op = {.type = FSIF_OP_WRITE,
                             .handle = (uint32_t)handle,
                             .offset = (uint64_t)(i % 4) * FSIF_PAGE_SIZE,
                             .length = len,
                             .data = out};

        memset(out, (int)(i + (uint32_t)me->number * 31u), sizeof(out));
        CHECK(queue_run(&r->queue, &op) == (int64_t)len);
        op.type = FSIF_OP_READ;
        op.buffer = in;
        CHECK(queue_run(&r->queue, &op) == (int64_t)len);
        CHECK(!memcmp(in, out, (size_t)len));
        if (i % 5 == 0)
            queue_run_early(&r->queue,
                            &(struct fsif_op){.type = FSIF_OP_STAT, .handle = (uint32_t)handle},
                            i % 2 == 0);
        if (r->plant_race)
            r->raced++;
    }
    CHECK(queue_run(&r->queue,
                    &(struct fsif_op){.type = FSIF_OP_CLOSE, .handle = (uint32_t)handle}) == 0);
    return NULL;
}

static void *answer_offer(void *arg)
{
    struct rig *r = arg;
    const struct fsif_transport *t = &fsif_transport_loop;
    struct fsif_dict dict;
    struct fsif_choice choice = {.dialect = 1, .features = FSIF_FEATURE_ERRNO};

    CHECK(fsif_wait_fd(t->peer_fd(r->queue.back_session), POLLIN, 10000) > 0);
    CHECK(t->session_next_offer(r->queue.back_session, &dict) == 0);
    CHECK(t->session_accept_memory(r->queue.back_session, &dict, SLOTS + 1) == 0);
    fsif_dict_init(&dict);
    CHECK(fsif_choice_write(&choice, &dict) == 0);
    CHECK(t->session_answer(r->queue.back_session, &dict, 1) == 0);
    return NULL;
}

static void connect_ends(struct rig *r, void **mem, uint32_t *grefs)
{
    const struct fsif_transport *t = &fsif_transport_loop;
    const struct fsif_offer offer = {.kind = FSIF_OFFER_SESSION,
                                     .export_name = "x",
                                     .dialects = FSIF_DIALECT_BIT(1),
                                     .features = FSIF_FEATURE_ERRNO,
                                     .pages = SLOTS + 1,
                                     .ring_pages = 1};
    struct fsif_dict dict;
    struct fsif_dict answer;
    pthread_t thread;

    CHECK(fsif_loop_pair(&r->queue.front_session, &r->queue.back_session) == 0);
    CHECK(t->share(r->queue.front_session, SLOTS + 1, mem, grefs) == 0);
    fsif_dict_init(&dict);
    CHECK(fsif_offer_write(&offer, &dict) == 0);
    CHECK(pthread_create(&thread, NULL, answer_offer, r) == 0);
    CHECK(t->session_offer(r->queue.front_session, &dict, &answer, 10000) == 0);
    pthread_join(thread, NULL);
}

static void set_up(struct rig *r, void **front, void **calls, void **back)
{
    uint32_t grefs[SLOTS + 1];
    void *mem;
    void *ring;
    struct fsif_frontend_config fc = {.size = sizeof(fc),
                                      .dialect = 1,
                                      .features = FSIF_FEATURE_ERRNO,
                                      .ring_pages = 1,
                                      .first_index = FIRST_INDEX,
                                      .grefs = grefs + 1,
                                      .npages = SLOTS,
                                      .transport = &fsif_transport_loop};
    struct fsif_backend_config bc = {.size = sizeof(bc),
                                     .dialect = 1,
                                     .features = FSIF_FEATURE_ERRNO,
                                     .ring_pages = 1,
                                     .first_index = FIRST_INDEX,
                                     .max_handles = 64,
                                     .max_streams = 4,
                                     .transport = &fsif_transport_loop,
                                     .store_ops = &fsif_store_memory};
    struct fsif_store_config sc = {.size = sizeof(sc), .root_fd = -1};

    connect_ends(r, &mem, grefs);
    CHECK(fsif_store_memory.create(&sc, &r->store) == 0);
    fc.ring = mem;
    fc.pages = (char *)mem + FSIF_PAGE_SIZE;
    fc.session = r->queue.front_session;
    *front = malloc(fsif_frontend_state_size(&fc));
    *calls = malloc(fsif_frontend_calls_size(&fc));
    CHECK(fsif_frontend_init(&r->queue.fe, &fc, *front, *calls) == 0);
    CHECK(fsif_transport_loop.map(r->queue.back_session, grefs, 1, &ring) == 0);
    bc.ring = ring;
    bc.session = r->queue.back_session;
    bc.store = r->store;
    *back = malloc(fsif_backend_state_size(&bc));
    CHECK(fsif_backend_init(&r->queue.be, &bc, *back) == 0);
}

static void run_threads(struct rig *r)
{
    pthread_t submitters[SUBMITTERS];
    pthread_t servers[SERVERS];
    struct submitter args[SUBMITTERS];

    for (int i = 0; i < SERVERS; i++)
        CHECK(pthread_create(&servers[i], NULL, queue_server, &r->queue) == 0);
    for (int i = 0; i < SUBMITTERS; i++) {
        args[i] = (struct submitter){r, i};
        CHECK(pthread_create(&submitters[i], NULL, submitter, &args[i]) == 0);
    }
    for (int i = 0; i < SUBMITTERS; i++)
        pthread_join(submitters[i], NULL);
    queue_settle(&r->queue);
    atomic_store(&r->queue.stop, 1);
    for (int i = 0; i < SERVERS; i++)
        pthread_join(servers[i], NULL);
}

int main(int argc, char **argv)
{
    static struct rig r = {
        .queue = {.fetching = PTHREAD_MUTEX_INITIALIZER, .polling = PTHREAD_MUTEX_INITIALIZER}};
    void *front, *calls, *back;

    r.plant_race = argc > 1 && !strcmp(argv[1], "--plant-race");
    r.queue.next = &r.queue;
    set_up(&r, &front, &calls, &back);
    run_threads(&r);
    CHECK(fsif_backend_handles(&r.queue.be) == 0);
    CHECK(!fsif_frontend_dead(&r.queue.fe) && !fsif_backend_reason(&r.queue.be));
    printf("%u calls completed, %u ended early\n", atomic_load(&r.queue.ended),
           atomic_load(&r.queue.early));
    CHECK(atomic_load(&r.queue.early) > 0);
    fsif_backend_fini(&r.queue.be);
    fsif_store_memory.destroy(r.store);
    fsif_transport_loop.close(r.queue.front_session);
    fsif_transport_loop.close(r.queue.back_session);
    free(front);
    free(calls);
    free(back);
    return 0;
}
