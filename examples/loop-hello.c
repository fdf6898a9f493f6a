/* SPDX-License-Identifier: MIT */

/*
 * Both engines, the ring between them and a store, in one thread: what a kernel or a unikernel
 * compiles in. Nothing here waits: whoever calls decides when each side runs.
 *
 *   frontend engine --submit--> ring --serve--> store
 *                   <--poll----      <--------
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fsif/fsif.h>
#include <fsif/loop.h>
#include <fsif/memory.h>

#define RING_PAGES 1u
#define DATA_PAGES 4u /* at most four operations under way */

static struct fsif_frontend front;
static struct fsif_backend back;
static struct fsif_fetched fetched;

/* The engines allocate nothing: their storage is the caller's, here of a size that is enough. */
static _Alignas(8) char front_state[32768];
static _Alignas(8) char front_calls[4096];
static _Alignas(8) char back_state[65536];

static void must(int ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "loop-hello: %s failed\n", what);
        exit(1);
    }
}

static void done(struct fsif_call *call)
{
    *(int *)call->arg = 1;
}

/* One operation from beginning to end. */
static int64_t carry_out(const struct fsif_op *op)
{
    int finished = 0;
    struct fsif_call call = {.op = *op, .deadline = FSIF_NEVER, .done = done, .arg = &finished};

    must(fsif_frontend_submit(&front, &call) == 0, "submit");
    must(fsif_backend_serve(&back, &fetched) == 1, "serve");
    must(fsif_frontend_poll(&front) == 1 && finished, "poll");
    printf("%-6s -> %lld\n", fsif_op_name(op->type), (long long)call.result.value);
    return call.result.value;
}

/* The frontend shares pages: the first is the ring, the others carry names and data. */
static void start_frontend(struct fsif_session *session, uint32_t *grefs)
{
    struct fsif_frontend_config config = {
        .size = sizeof(config),
        .dialect = 1,
        .features = FSIF_FEATURE_ERRNO,
        .ring_pages = RING_PAGES,
        .npages = DATA_PAGES,
        .grefs = grefs + RING_PAGES,
    };
    void *mem;

    must(fsif_transport_loop.share(session, RING_PAGES + DATA_PAGES, &mem, grefs) == 0, "share");
    config.ring = mem;
    config.pages = (char *)mem + RING_PAGES * FSIF_PAGE_SIZE;
    must(fsif_frontend_state_size(&config) <= sizeof(front_state), "state");
    must(fsif_frontend_calls_size(&config) <= sizeof(front_calls), "calls");
    must(fsif_frontend_init(&front, &config, front_state, front_calls) == 0, "frontend");
}

/* The backend maps the ring, and copies from and to the other pages. Between processes the
 * number of pages comes in an offer; here both sides know it. */
static void start_backend(struct fsif_session *session, const uint32_t *grefs,
                          struct fsif_store *store)
{
    struct fsif_backend_config config = {
        .size = sizeof(config),
        .dialect = 1,
        .features = FSIF_FEATURE_ERRNO,
        .ring_pages = RING_PAGES,
        .max_handles = 16,
        .max_streams = 1,
        .transport = &fsif_transport_loop,
        .session = session,
        .store_ops = &fsif_store_memory,
        .store = store,
    };
    struct fsif_dict offer;

    fsif_dict_init(&offer);
    fsif_dict_put_u32(&offer, "pages", RING_PAGES + DATA_PAGES);
    must(fsif_transport_loop.session_accept_memory(session, &offer, 64) == 0, "accept");
    must(fsif_transport_loop.map(session, grefs, RING_PAGES, &config.ring) == 0, "map");
    must(fsif_backend_state_size(&config) <= sizeof(back_state), "state");
    must(fsif_backend_init(&back, &config, back_state) == 0, "backend");
}

int main(void)
{
    struct fsif_store_config config = {.size = sizeof(config), .source = "", .root_fd = -1};
    static const char text[] = "hello through a ring";
    uint32_t grefs[RING_PAGES + DATA_PAGES];
    struct fsif_session *front_end;
    struct fsif_session *back_end;
    struct fsif_store *store;
    char answer[64] = "";
    uint32_t handle;

    must(fsif_store_memory.create(&config, &store) == 0, "store");
    must(fsif_loop_pair(&front_end, &back_end) == 0, "pair");
    start_frontend(front_end, grefs);
    start_backend(back_end, grefs, store);

    handle = (uint32_t)carry_out(
        &(struct fsif_op){.type = FSIF_OP_CREATE, .path = "/greeting", .mode = 0644});
    carry_out(&(struct fsif_op){
        .type = FSIF_OP_WRITE, .handle = handle, .data = text, .length = sizeof(text)});
    carry_out(&(struct fsif_op){
        .type = FSIF_OP_READ, .handle = handle, .buffer = answer, .length = sizeof(answer)});
    carry_out(&(struct fsif_op){.type = FSIF_OP_CLOSE, .handle = handle});
    must(strcmp(answer, text) == 0, "comparison");
    puts(answer);

    fsif_backend_fini(&back);
    fsif_transport_loop.close(front_end);
    fsif_transport_loop.close(back_end);
    fsif_store_memory.destroy(store);
    return 0;
}
