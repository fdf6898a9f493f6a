/* SPDX-License-Identifier: MIT */
/*
 * Misuse of the library that a sanitizer must see, inside the library's own code: proof that the
 * sanitized builds look. The race is in the stress test.
 */
#include <fsif/fsif.h>
#include <fsif/loop.h>
#include <fsif/memory.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void done(struct fsif_call *call)
{
    (void)call;
}

/* A read whose buffer is a byte shorter than it says: the codec copies the data out past it. */
static void overflow(void)
{
    static unsigned char ring[FSIF_PAGE_SIZE], pages[FSIF_PAGE_SIZE];
    static const uint32_t gref = 1;
    struct fsif_frontend_config c = {
        .size = sizeof(c),
        .dialect = 1,
        .ring = ring,
        .ring_pages = 1,
        .pages = pages,
        .grefs = &gref,
        .npages = 1,
    };
    struct fsif_wire1_response answer = {.ret = 64};
    struct fsif_call call = {.deadline = FSIF_NEVER, .done = done};
    struct fsif_frontend fe;
    void *state = malloc(fsif_frontend_state_size(&c));
    void *calls = malloc(fsif_frontend_calls_size(&c));
    uint32_t one = 1;

    if (!state || !calls || fsif_frontend_init(&fe, &c, state, calls) != 0)
        exit(1);
    call.op = (struct fsif_op){.type = FSIF_OP_READ, .length = 64, .buffer = malloc(63)};
    if (fsif_frontend_submit(&fe, &call) != 0)
        exit(1);
    memcpy(ring + FSIF_WIRE_RING_SLOTS, &answer, sizeof(answer));
    memcpy(ring + 8, &one, sizeof(one));
    fsif_frontend_poll(&fe);
    free(call.op.buffer);
    free(state);
    free(calls);
}

/* A dictionary at an odd address. */
static void misaligned(void)
{
    char *p = calloc(1, sizeof(struct fsif_dict) + 1);

    if (p)
        fsif_dict_put((void *)(p + 1), "key", "value");
    free(p);
}

/* A store that nobody destroys. */
static void leak(void)
{
    struct fsif_store_config c = {.size = sizeof(c), .source = "", .root_fd = -1};
    struct fsif_store *st = NULL;

    if (fsif_store_memory.create(&c, &st) != 0)
        exit(1);
    st = NULL;
}

/* A session that is looked at after both of its ends were closed. */
static void use_after_free(void)
{
    struct fsif_session *front, *back;

    if (fsif_loop_pair(&front, &back) != 0)
        exit(1);
    fsif_transport_loop.close(front);
    fsif_transport_loop.close(back);
    printf("%d\n", fsif_transport_loop.peer_state(back));
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";

    if (!strcmp(what, "overflow"))
        overflow();
    else if (!strcmp(what, "misaligned"))
        misaligned();
    else if (!strcmp(what, "leak"))
        leak();
    else if (!strcmp(what, "use-after-free"))
        use_after_free();
    else
        return 2;
    puts("nothing was seen");
    return 0;
}
