/* SPDX-License-Identifier: MIT */
/*
 * Eight threads submit to one frontend engine over the loop transport while three carry requests
 * out, completing in any order. Ring indices start just below 2^32, so they wrap. Each thread
 * writes, reads back and compares a file of its own, and cancels and times out some of its calls.
 * Meant for ThreadSanitizer; proves without it that nothing is lost and nothing is done twice.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fsif/backend.h>
#include <fsif/host.h>
#include <fsif/loop.h>
#include <fsif/memory.h>
#include <fsif/negotiate.h>

#define SUBMITTERS 8
#define SERVERS 3
#define ROUNDS 400
#define SLOTS 64u
#define FIRST_INDEX (UINT32_MAX - 300)

#define CHECK(what)                                                                                \
    do {                                                                                           \
        if (!(what)) {                                                                             \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #what);                   \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

struct rig {
    struct fsif_session *front_session;
    struct fsif_session *back_session;
    struct fsif_store *store;
    struct fsif_frontend fe;
    struct fsif_backend be;
    pthread_mutex_t fetching;
    pthread_mutex_t polling;
    atomic_int stop;
    atomic_uint early; /* calls that ended by cancel or deadline */
    atomic_uint done;
    int plant_race;
    unsigned raced; /* the planted race: no lock */
};

struct pending {
    struct fsif_call call;
    atomic_int runs;
};

static void finished(struct fsif_call *call)
{
    struct pending *p = call->arg;

    atomic_fetch_add(&p->runs, 1);
}

/* Take responses, and ask for a bell if there are none. Returns 1 if there may be more. */
static int poll_and_arm(struct rig *r)
{
    int again = 1;

    if (pthread_mutex_trylock(&r->polling))
        return 0;
    CHECK(fsif_frontend_poll(&r->fe) >= 0);
    again = fsif_frontend_arm(&r->fe);
    pthread_mutex_unlock(&r->polling);
    return again;
}

/* Any thread that waits polls; whoever finds another one polling sleeps on the same bell. */
static void wait_for(struct rig *r, struct pending *p)
{
    int fd = fsif_transport_loop.event_fd(r->front_session, 0);

    while (!atomic_load(&p->runs)) {
        if (poll_and_arm(r) || atomic_load(&p->runs))
            continue;
        /* Another thread may take this one's bell, so the sleep is short. */
        (void)fsif_wait_fd(fd, POLLIN, 1);
        fsif_transport_loop.acknowledge(r->front_session, 0);
    }
}

static void submit(struct rig *r, struct pending *p)
{
    int err;

    atomic_store(&p->runs, 0);
    p->call.done = finished;
    p->call.arg = p;
    while ((err = fsif_frontend_submit(&r->fe, &p->call)) == -FSIF_EAGAIN)
        (void)poll_and_arm(r);
    CHECK(err == 0);
}

static int64_t run(struct rig *r, const struct fsif_op *op)
{
    struct pending p = {.call = {.op = *op, .deadline = FSIF_NEVER}};

    submit(r, &p);
    wait_for(r, &p);
    CHECK(atomic_load(&p.runs) == 1);
    atomic_fetch_add(&r->done, 1);
    return p.call.result.value;
}

/* A call that is ended while the backend works on it. */
static void run_early(struct rig *r, const struct fsif_op *op, int expire)
{
    struct pending p = {.call = {.op = *op, .deadline = expire ? 1 : FSIF_NEVER}};
    uint64_t next;

    submit(r, &p);
    if (expire)
        (void)fsif_frontend_expire(&r->fe, 1, &next);
    else
        (void)fsif_frontend_cancel(&r->fe, &p.call);
    wait_for(r, &p);
    CHECK(atomic_load(&p.runs) == 1);
    if (p.call.result.value == -FSIF_ECANCELED || p.call.result.value == -FSIF_ETIMEDOUT)
        atomic_fetch_add(&r->early, 1);
}

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
    handle = run(r, &(struct fsif_op){.type = FSIF_OP_CREATE, .path = name, .mode = 0600});
    CHECK(handle >= 0);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        uint64_t len = 1 + (i * 37u + (uint32_t)me->number * 101u) % FSIF_PAGE_SIZE;
        struct fsif_op op = {.type = FSIF_OP_WRITE,
                             .handle = (uint32_t)handle,
                             .offset = (uint64_t)(i % 4) * FSIF_PAGE_SIZE,
                             .length = len,
                             .data = out};

        memset(out, (int)(i + (uint32_t)me->number * 31u), sizeof(out));
        CHECK(run(r, &op) == (int64_t)len);
        op.type = FSIF_OP_READ;
        op.buffer = in;
        CHECK(run(r, &op) == (int64_t)len);
        CHECK(!memcmp(in, out, (size_t)len));
        if (i % 5 == 0)
            run_early(r, &(struct fsif_op){.type = FSIF_OP_STAT, .handle = (uint32_t)handle},
                      i % 2 == 0);
        if (r->plant_race)
            r->raced++;
    }
    CHECK(run(r, &(struct fsif_op){.type = FSIF_OP_CLOSE, .handle = (uint32_t)handle}) == 0);
    return NULL;
}

/* Fetch under a lock, carry out without one. Returns 0 when there is nothing to do. */
static int serve_one(struct rig *r, struct fsif_fetched *rq)
{
    int got;

    pthread_mutex_lock(&r->fetching);
    got = fsif_backend_fetch(&r->be, rq);
    if (!got)
        got = fsif_backend_arm(&r->be) ? 2 : 0;
    pthread_mutex_unlock(&r->fetching);
    CHECK(got >= 0);
    if (got == 1) {
        fsif_backend_execute(&r->be, rq);
        fsif_backend_flush(&r->be);
    }
    return got;
}

static void *server(void *arg)
{
    struct rig *r = arg;
    struct fsif_fetched *rq = malloc(sizeof(*rq));

    CHECK(rq);
    while (!atomic_load(&r->stop)) {
        if (serve_one(r, rq))
            continue;
        (void)fsif_wait_fd(fsif_transport_loop.event_fd(r->back_session, 0), POLLIN, 1);
        fsif_transport_loop.acknowledge(r->back_session, 0);
    }
    free(rq);
    return NULL;
}

static void *answer_offer(void *arg)
{
    struct rig *r = arg;
    const struct fsif_transport *t = &fsif_transport_loop;
    struct fsif_dict dict;
    struct fsif_choice choice = {.dialect = 1, .features = FSIF_FEATURE_ERRNO};

    CHECK(fsif_wait_fd(t->peer_fd(r->back_session), POLLIN, 10000) > 0);
    CHECK(t->session_next_offer(r->back_session, &dict) == 0);
    CHECK(t->session_accept_memory(r->back_session, &dict, SLOTS + 1) == 0);
    fsif_dict_init(&dict);
    CHECK(fsif_choice_write(&choice, &dict) == 0);
    CHECK(t->session_answer(r->back_session, &dict, 1) == 0);
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

    CHECK(fsif_loop_pair(&r->front_session, &r->back_session) == 0);
    CHECK(t->share(r->front_session, SLOTS + 1, mem, grefs) == 0);
    fsif_dict_init(&dict);
    CHECK(fsif_offer_write(&offer, &dict) == 0);
    CHECK(pthread_create(&thread, NULL, answer_offer, r) == 0);
    CHECK(t->session_offer(r->front_session, &dict, &answer, 10000) == 0);
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
    fc.session = r->front_session;
    *front = malloc(fsif_frontend_state_size(&fc));
    *calls = malloc(fsif_frontend_calls_size(&fc));
    CHECK(fsif_frontend_init(&r->fe, &fc, *front, *calls) == 0);
    CHECK(fsif_transport_loop.map(r->back_session, grefs, 1, &ring) == 0);
    bc.ring = ring;
    bc.session = r->back_session;
    bc.store = r->store;
    *back = malloc(fsif_backend_state_size(&bc));
    CHECK(fsif_backend_init(&r->be, &bc, *back) == 0);
}

static void run_threads(struct rig *r)
{
    pthread_t submitters[SUBMITTERS];
    pthread_t servers[SERVERS];
    struct submitter args[SUBMITTERS];

    for (int i = 0; i < SERVERS; i++)
        CHECK(pthread_create(&servers[i], NULL, server, r) == 0);
    for (int i = 0; i < SUBMITTERS; i++) {
        args[i] = (struct submitter){r, i};
        CHECK(pthread_create(&submitters[i], NULL, submitter, &args[i]) == 0);
    }
    for (int i = 0; i < SUBMITTERS; i++)
        pthread_join(submitters[i], NULL);
    while (fsif_frontend_quarantined(&r->fe) || fsif_backend_busy(&r->be))
        CHECK(fsif_frontend_poll(&r->fe) >= 0);
    atomic_store(&r->stop, 1);
    for (int i = 0; i < SERVERS; i++)
        pthread_join(servers[i], NULL);
}

int main(int argc, char **argv)
{
    static struct rig r = {.fetching = PTHREAD_MUTEX_INITIALIZER,
                           .polling = PTHREAD_MUTEX_INITIALIZER};
    void *front, *calls, *back;

    r.plant_race = argc > 1 && !strcmp(argv[1], "--plant-race");
    set_up(&r, &front, &calls, &back);
    run_threads(&r);
    CHECK(fsif_backend_handles(&r.be) == 0);
    CHECK(!fsif_frontend_dead(&r.fe) && !fsif_backend_reason(&r.be));
    printf("%u calls completed, %u ended early\n", atomic_load(&r.done), atomic_load(&r.early));
    CHECK(atomic_load(&r.early) > 0);
    fsif_backend_fini(&r.be);
    fsif_store_memory.destroy(r.store);
    fsif_transport_loop.close(r.front_session);
    fsif_transport_loop.close(r.back_session);
    free(front);
    free(calls);
    free(back);
    return 0;
}
