/* SPDX-License-Identifier: MIT */
#ifndef FSI_FRONTEND_STATE_H
#define FSI_FRONTEND_STATE_H

/*
 * What a frontend engine is, as plain integers. Behind the head lie, in this order: nids ids,
 * nslots ready words, and the free list's words. Another process may map it and go on.
 */

#include <stdint.h>
#include <fsif/frontend.h>
#include <fsif/wire.h>

#include "codec.h"
#include "freelist.h"
#include "ring.h"

#define FSI_FRONTEND_MAGIC 0x46734665u
#define FSI_FRONTEND_VERSION 3u

struct fsi_frontend_state {
    uint32_t magic;
    uint32_t version;
    uint32_t size;
    uint32_t dialect;
    uint32_t nslots;
    uint32_t nids;
    struct fsif_shared_u32 dead;    /* 0, or 1 + enum fsif_poison */
    struct fsif_shared_u32 polling; /* 1: somebody takes responses */
    struct fsif_shared_u32 quarantined;
    struct fsif_shared_u32 taking; /* 1 + the id whose response is being taken */
    uint32_t taking_index;         /* and its index */
    struct fsi_producer producer;
    struct fsi_consumer consumer;
    struct fsi_freelist free;
    uint32_t call_pages;            /* of each id; 0: dialect 3 */
    struct fsif_shared_u32 serial;  /* of this queue's next request, dialect 3 */
    struct fsif_shared_u32 owed;    /* 1: the backend asked for a bell that flush shall ring */
    struct fsif_shared_u32 notices; /* that were taken */
};

struct fsi_frontend_id {
    struct fsif_shared_u32 word; /* generation and stage, see frontend.c */
    struct fsif_shared_u32 deadline_low;
    struct fsif_shared_u32 deadline_high;
    struct fsif_shared_u32 placed; /* 1: `index` is this request's */
    uint32_t index;
    uint32_t dirty; /* bytes of the pages that are not known to be zero */
    uint32_t grefs[FSIF_PAGES_PER_CALL_MAX];
    struct fsif_range part; /* of the arena; len 0: none */
    uint8_t slot[FSI_SLOT_MAX];
};

/* Stages of an id and the generation beside them, see frontend.c */
enum fsi_frontend_stage {
    FSI_CALL_FREE,
    FSI_CALL_BUSY,
    FSI_CALL_INFLIGHT,
    FSI_CALL_COMPLETING,
    FSI_CALL_CLAIMED,
    FSI_CALL_ANSWERED,
    FSI_CALL_ABANDONED,
};
#define FSI_CALL_STAGE(word) ((enum fsi_frontend_stage)((word)&7u))
#define FSI_CALL_GENERATION(word) ((word) & ~7u)
#define FSI_CALL_NEXT_GENERATION 8u

/* A process's pointers into the state and the ring. */
struct fsi_frontend_view {
    const struct fsi_dialect *dialect;
    struct fsi_frontend_state *state;
    struct fsi_frontend_id *ids;
    struct fsif_shared_u32 *ready;
    struct fsif_shared_u32 *freewords;
    struct fsi_ring requests;
    struct fsi_ring responses;
};

/** fsi_frontend_find - find this process's pointers, once the head of the state is there */
void fsi_frontend_find(struct fsif_frontend *fe);

/** fsi_frontend_look - the pointers that were found */
static inline void fsi_frontend_look(const struct fsif_frontend *fe, struct fsi_frontend_view *v)
{
    __builtin_memcpy(v, fe->view_, sizeof(*v));
}

/** fsi_frontend_put_part - give the arena back what @e's request took of it */
void fsi_frontend_put_part(const struct fsif_frontend *fe, struct fsi_frontend_id *e);

/** fsi_frontend_slots, fsi_frontend_ids - of the ring that @c describes; 0 if it makes no sense */
uint32_t fsi_frontend_slots(const struct fsif_frontend_config *c);
uint32_t fsi_frontend_ids(const struct fsif_frontend_config *c);

/** fsi_frontend_call_pages - pages of each id; 0: dialect 3 */
uint32_t fsi_frontend_call_pages(const struct fsif_frontend_config *c);

/** fsi_frontend_bind - check @c and take it over. Return: 0; -FSIF_EINVAL */
int fsi_frontend_bind(struct fsif_frontend *fe, const struct fsif_frontend_config *c, void *state,
                      void *calls);

/** fsi_frontend_publish - publish what is ready and ring */
void fsi_frontend_publish(const struct fsif_frontend *fe, const struct fsi_frontend_view *v);

/** fsi_frontend_report - tell the hooks of the begin, or the end, of a call */
void fsi_frontend_report(const struct fsif_frontend *fe, uint32_t id, const struct fsif_call *call,
                         int begin);

/** fsi_frontend_claim - move an id's word away from FSI_CALL_INFLIGHT. Return: 1 if it was @word */
int fsi_frontend_claim(const struct fsi_frontend_view *v, uint32_t id, uint32_t word);

void fsi_frontend_free_id(const struct fsif_frontend *fe, const struct fsi_frontend_view *v,
                          uint32_t id, uint32_t word);

/** fsi_frontend_pages_of - the shared memory that belongs to an id's request; NULL: it has none */
uint8_t *fsi_frontend_pages_of(const struct fsif_frontend *fe, const struct fsi_frontend_view *v,
                               uint32_t id);

void fsi_frontend_ring_bell(const struct fsif_frontend *fe);

#endif
