/* SPDX-License-Identifier: MIT */
#ifndef TEST_RAWFRONT_H
#define TEST_RAWFRONT_H

/*
 * A backend engine on a scripted store, and a frontend made by hand: it writes request slots,
 * names and indices itself, so it can also write wrong ones. Page 0 is the ring; the page of an id
 * is the one after it. One of each for a test program; raw_begin() starts anew.
 */

#include <fsif/backend.h>
#include <fsif/wire.h>
#include "backend_state.h"
#include "memtransport.h"
#include "scriptstore.h"

#include "rawslot.h"

struct rawfront {
    struct memtransport mem;
    struct scriptstore store;
    struct fsif_backend be;
    struct fsif_backend_config config;
    struct fsif_hooks hooks;
    void *state;
    struct fsif_wire_ring *ring;
    uint32_t sent;          /* next index of a request */
    uint32_t got;           /* next index of a response */
    uint8_t types[1 << 16]; /* of the last request of each id */

    /* What the hooks saw */
    uint32_t poisoned;
    enum fsif_poison reason;
    uint32_t begun;
    uint32_t ended;
    struct fsif_event last_begin;
    struct fsif_event last_end;
};

/** raw_config - a configuration that is good; change it and call raw_start() */
void raw_config(struct rawfront *f, uint32_t first_index);
void raw_start(struct rawfront *f);
void raw_begin(struct rawfront *f, uint32_t first_index);

/** raw_end - fini; whatever was opened in the store must be closed once */
void raw_end(struct rawfront *f);

unsigned char *raw_page(struct rawfront *f, uint32_t id);

/** raw_request - a request with @id and its page's gref where @type has one; the rest is zero */
struct fsif_wire1_request raw_request(uint32_t type, uint32_t id);

/** raw_named - the same with @name in the page */
struct fsif_wire1_request raw_named(struct rawfront *f, uint32_t type, uint32_t id,
                                    const char *name);

/** raw_send - put it on the ring */
void raw_send(struct rawfront *f, const struct fsif_wire1_request *rq);

/** raw_receive - Return: 1 and the next response; 0 none */
int raw_receive(struct rawfront *f, struct fsif_wire1_response *out);

/** raw_call - send, serve and receive; the answer must be @rq's, and the only one */
int64_t raw_call(struct rawfront *f, const struct fsif_wire1_request *rq);

/** raw_open - open a file. Return: its handle */
uint32_t raw_open(struct rawfront *f);

/** raw_on_handle - a request of @type on @handle */
struct fsif_wire1_request raw_on_handle(uint32_t type, uint32_t id, uint32_t handle);

/** raw_send_handle - send one, with @len where @type has a length */
void raw_send_handle(struct rawfront *f, uint32_t type, uint32_t id, uint32_t handle, uint64_t len);

/** raw_expect - that the next response is @id's, with @ret, and tells nothing else */
void raw_expect(struct rawfront *f, uint32_t id, int64_t ret);
void raw_expect_nothing(struct rawfront *f);

/** raw_expect_poison - that the session is dead because of @reason, and answers nothing more */
void raw_expect_poison(struct rawfront *f, enum fsif_poison reason);

/** raw_execute, raw_complete - as the engine's, and ring the bell that they owe */
void raw_execute(struct rawfront *f, struct fsif_fetched *rq);
void raw_complete(struct rawfront *f, struct fsif_fetched *rq, const struct fsif_result *result,
                  uint64_t file);

#endif
