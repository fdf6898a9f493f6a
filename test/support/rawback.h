/* SPDX-License-Identifier: MIT */
#ifndef TEST_RAWBACK_H
#define TEST_RAWBACK_H

/*
 * A frontend engine, and a backend made by hand: it takes request slots and writes responses and
 * indices itself, so it can also write wrong ones. Page 0 is the ring; the page of an id is the one
 * after it. One of each for a test program; back_begin() starts anew.
 */

#include <fsif/frontend.h>
#include <fsif/wire.h>
#include "frontend_state.h"
#include "memtransport.h"

#include "rawslot.h"

struct rawback {
    struct memtransport mem;
    struct fsif_frontend fe;
    struct fsif_frontend_config config;
    struct fsif_hooks hooks;
    void *state;
    void *calls;
    uint32_t grefs[6 * RAW_IDS];
    struct fsif_wire_ring *ring;
    uint32_t taken;         /* next index of a request */
    uint32_t answered;      /* next index of a response */
    uint8_t types[1 << 16]; /* of the last request of each id */

    /* What the hooks saw */
    uint32_t poisoned;
    enum fsif_poison reason;
    uint32_t begun;
    uint32_t ended;
    struct fsif_event last_begin;
    struct fsif_event last_end;
    int dies_at_begin; /* the begin hook shuts the session down */
};

/* A call and how often its done ran. */
struct tracked {
    struct fsif_call call;
    uint32_t done;
    char buffer[FSIF_PAGE_SIZE];
};

/** back_config - a configuration that is good; change it and call back_start() */
void back_config(struct rawback *b, uint32_t first_index, uint32_t npages);
void back_start(struct rawback *b);
void back_begin(struct rawback *b, uint32_t first_index, uint32_t npages);
void back_end(struct rawback *b);

unsigned char *back_page(struct rawback *b, uint32_t id);

/** back_take - Return: 1 and the next request; 0 none */
int back_take(struct rawback *b, struct fsif_wire1_request *out);

/** back_answer - put a response on the ring */
void back_answer(struct rawback *b, uint32_t id, uint64_t ret);

/** call_init - a call of @type on handle 7, with a path, a buffer and as much of it as is legal */
void call_init(struct tracked *t, uint32_t type);

/** call_submit - submit a call that must be accepted, and take its request. Return: its id */
uint32_t call_submit(struct rawback *b, struct tracked *t);

/** call_expect - that done ran once, with @value */
void call_expect(const struct tracked *t, int64_t value);

/** call_round_trip - a call of @type, whose only answer is @ret, and done */
void call_round_trip(struct rawback *b, struct tracked *t, uint32_t type, uint64_t ret);

/**
 * back_check_all_free - that no id was lost: as many calls as there may be, and not one more
 *
 * @t: RAW_IDS + 1
 */
void back_check_all_free(struct rawback *b, struct tracked *t);

#endif
