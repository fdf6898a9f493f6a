/* SPDX-License-Identifier: MIT */
/*
 * A session over the loop transport on a memory store, through the installed libraries; with the
 * argument "plugins" also what the installed plugins are loaded as.
 */
#include <fsif/client.h>
#include <fsif/fsif.h>
#include <fsif/host.h>
#include <fsif/loop.h>
#include <fsif/memory.h>

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "session: line %d: %s\n", __LINE__, #condition);                       \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static const struct fsif_transport *const loop = &fsif_transport_loop;

/* Take the offer, share its memory, answer it. */
static void accept_session(struct fsif_session *s, struct fsif_offer *offer,
                           struct fsif_choice *choice)
{
    struct fsif_dict dict;

    while (loop->session_next_offer(s, &dict) == -FSIF_EAGAIN)
        CHECK(fsif_wait_fd(loop->peer_fd(s), POLLIN, 10000) > 0);
    CHECK(fsif_offer_read(&dict, offer) == 0);
    CHECK(loop->session_accept_memory(s, &dict, 8192) == 0);
    CHECK(fsif_choose(offer, FSIF_DIALECT_BIT(1) | FSIF_DIALECT_BIT(2), choice) == 0);
    fsif_dict_init(&dict);
    CHECK(fsif_choice_write(choice, &dict) == 0);
    CHECK(loop->session_answer(s, &dict, 1) == 0);
}

static void serve(struct fsif_session *s, struct fsif_backend *be)
{
    struct fsif_fetched *rq = malloc(sizeof(*rq));

    CHECK(rq);
    for (;;) {
        struct pollfd fds[2] = {{.fd = loop->event_fd(s, 0), .events = POLLIN},
                                {.fd = loop->peer_fd(s), .events = POLLIN}};

        loop->acknowledge(s, 0);
        CHECK(fsif_backend_serve(be, rq) >= 0);
        if (loop->peer_state(s) == FSIF_PEER_GONE)
            break;
        if (!fsif_backend_arm(be))
            (void)poll(fds, 2, 10000);
    }
    free(rq);
}

static void *backend(void *arg)
{
    struct fsif_session *s = arg;
    struct fsif_store_config sc = {.size = sizeof(sc), .source = "", .root_fd = -1};
    struct fsif_backend_config bc = {.size = sizeof(bc)};
    struct fsif_backend be;
    struct fsif_offer offer;
    struct fsif_choice choice;
    struct fsif_store *store;
    void *state;

    accept_session(s, &offer, &choice);
    CHECK(fsif_store_memory.create(&sc, &store) == 0);
    bc.dialect = choice.dialect;
    bc.features = choice.features;
    bc.ring_pages = offer.ring_pages;
    bc.max_handles = 16;
    bc.max_streams = 4;
    bc.transport = loop;
    bc.session = s;
    bc.store_ops = &fsif_store_memory;
    bc.store = store;
    CHECK(loop->map(s, offer.ring_grefs, offer.ring_pages, &bc.ring) == 0);
    state = malloc(fsif_backend_state_size(&bc));
    CHECK(state && fsif_backend_init(&be, &bc, state) == 0);
    serve(s, &be);
    fsif_backend_fini(&be);
    loop->unmap(s, bc.ring, bc.ring_pages);
    fsif_store_memory.destroy(store);
    loop->close(s);
    free(state);
    return NULL;
}

static void use(struct fsif_client *cl)
{
    char text[] = "carried through the ring", back[64] = "";
    struct fsif_attr attr;
    int fh;

    CHECK(fsif_mkdir(cl, "d", 0755) == 0);
    fh = fsif_open(cl, "d/file", FSIF_O_RDWR | FSIF_O_CREAT | FSIF_O_TRUNC, 0644);
    CHECK(fh >= 0);
    CHECK(fsif_pwrite(cl, fh, text, sizeof(text), 0) == (int64_t)sizeof(text));
    CHECK(fsif_pread(cl, fh, back, sizeof(back), 0) == (int64_t)sizeof(text));
    CHECK(!strcmp(text, back));
    CHECK(fsif_fstat(cl, fh, &attr) == 0 && attr.size == sizeof(text));
    CHECK(fsif_close(cl, fh) == 0);
    CHECK(fsif_open(cl, "nowhere", FSIF_O_RDONLY, 0) == -FSIF_ENOENT);
}

static void load_plugins(void)
{
    const struct fsif_transport *t;
    const struct fsif_store_ops *s;
    struct fsif_registry *r;

    CHECK(fsif_registry_create(NULL, &r) == 0);
    CHECK(fsif_registry_transport(r, "loop", &t) == 0 && !strcmp(t->name, "loop"));
    CHECK(fsif_registry_transport(r, "shm", &t) == 0 && t->listen && t->connect);
    CHECK(fsif_registry_store(r, "posix", &s) == 0 && !strcmp(s->name, "posix"));
    CHECK(fsif_registry_store(r, "memory", &s) == 0);
    CHECK(fsif_registry_store(r, "nothing", &s) == -FSIF_ENOENT);
    fsif_registry_destroy(r);
}

int main(int argc, char **argv)
{
    struct fsif_client_options o;
    struct fsif_session *front, *back;
    struct fsif_client *cl;
    pthread_t thread;

    CHECK(fsif_loop_pair(&front, &back) == 0);
    CHECK(pthread_create(&thread, NULL, backend, back) == 0);
    fsif_client_options_init(&o);
    o.transport = loop;
    o.session = front;
    CHECK(fsif_connect(NULL, "any", &o, &cl) == 0);
    use(cl);
    fsif_disconnect(cl);
    pthread_join(thread, NULL);
    if (argc > 1 && !strcmp(argv[1], "plugins"))
        load_plugins();
    puts("session: ok");
    return 0;
}
