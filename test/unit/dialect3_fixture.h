/* SPDX-License-Identifier: MIT */
#ifndef TEST_DIALECT3_FIXTURE_H
#define TEST_DIALECT3_FIXTURE_H

/* Both engines of dialect 3 in one thread, on a memory store; queues share the arena. */

#include <fsif/backend.h>
#include <fsif/frontend.h>

#define D3_SLOTS 16u
#define D3_ARENA 64u
#define D3_QUEUES 2u
#define D3_MAX_IO (32u * FSIF_PAGE_SIZE)
#define D3_LOCKS 4u
#define D3_WATCHES 4u
#define D3_NOTICES 64u
#define D3_HANDLES 64u

struct d3 {
    uint8_t *ring[D3_QUEUES];
    uint8_t *arena_mem;
    struct fsif_arena arena;
    void *arena_state;
    struct fsif_frontend fe[D3_QUEUES];
    struct fsif_backend be[D3_QUEUES];
    struct fsif_frontend_config fc[D3_QUEUES];
    struct fsif_backend_config bc[D3_QUEUES];
    void *memory[3 * D3_QUEUES];
    struct fsif_store *store;
    struct fsif_store *other; /* the export "other" */
    struct fsif_fetched rq;
    struct fsif_result result; /* of the last operation */
    struct fsif_notice notices[D3_NOTICES];
    uint32_t nnotices;
    uint32_t bells;
    uint32_t waiting;  /* calls of the hook */
    uint32_t attached; /* likewise */
    int ran;
    void (*on_bell)(void); /* may be NULL */
};

void d3_begin(struct d3 *d, uint32_t first_index);
void d3_end(struct d3 *d);

/** d3_go - carry one operation out on queue @queue. Return: result.value, or what submit said */
int64_t d3_on(struct d3 *d, uint32_t queue, struct fsif_op op);
int64_t d3_go(struct d3 *d, struct fsif_op op);

/** d3_open - Return: a handle; fails the test if there is none */
uint32_t d3_open(struct d3 *d, const char *path, uint32_t flags);

/** d3_lock - a lock of the first ten octets */
struct fsif_op d3_lock(uint32_t h, uint32_t mode, uint32_t flags, uint64_t cookie);

/** d3_raw - a request's slot as @slot has it, but for its id, onto queue 0's ring, past the
 * frontend. Return: the answer's value; INT64_MIN: the session is poisoned */
int64_t d3_raw(struct d3 *d, const uint8_t slot[64]);

#endif
