/* SPDX-License-Identifier: MIT */
#ifndef FSI_RING_H
#define FSI_RING_H

/*
 * Indices, slots and the decision to ring. Knows no operation.
 *
 * A ring has two halves, requests and responses; each has one producing side, where any number of
 * threads produce, and one consuming side, where one thread at a time consumes.
 */

#include <stdint.h>
#include <fsif/wire.h>

/* A process's view of one half of a ring. */
struct fsi_ring {
    struct fsif_shared_u32 *prod;  /* shared: written by the producing side */
    struct fsif_shared_u32 *event; /* shared: written by the consuming side */
    volatile uint8_t *slots;       /* shared */
    uint32_t slot_size;
    uint32_t nslots; /* a power of two */
    uint32_t little; /* indices are little-endian, else in the machine's order */
};

/* The producing side's private part; plain integers, may outlive the process. */
struct fsi_producer {
    struct fsif_shared_u32 reserved;  /* next index to hand to a submitter */
    struct fsif_shared_u32 published; /* next index to publish; changed by the token's holder */
    struct fsif_shared_u32 token;     /* 1: somebody publishes */
};

/* The consuming side's private part. */
struct fsi_consumer {
    struct fsif_shared_u32 next; /* next index to take */
    uint32_t seen;               /* the peer's index as it was last checked */
};

void fsi_ring_requests(struct fsi_ring *r, void *mem, uint32_t nslots, uint32_t slot_size);
void fsi_ring_responses(struct fsi_ring *r, void *mem, uint32_t nslots, uint32_t slot_size);

/** fsi_ring_split - both halves of a ring of dialect 3, which have slots of their own */
void fsi_ring_split(void *mem, uint32_t nslots, struct fsi_ring *requests,
                    struct fsi_ring *responses);

/** fsi_ring_format - what a frontend writes into a fresh ring page before anyone sees it */
void fsi_ring_format(const struct fsi_ring *requests, const struct fsi_ring *responses,
                     uint32_t first);

/**
 * fsi_producer_init - @ready: @nslots words, one for each slot; holds the index of the slot's last
 * ready entry
 */
void fsi_producer_init(struct fsi_producer *p, struct fsif_shared_u32 *ready, uint32_t nslots,
                       uint32_t first);

/** fsi_producer_reserve - the index of a slot that is the caller's until fsi_producer_ready() */
uint32_t fsi_producer_reserve(struct fsi_producer *p);

/** fsi_producer_ready - copy @len octets into the slot of @index and mark it ready */
void fsi_producer_ready(const struct fsi_ring *r, struct fsif_shared_u32 *ready, uint32_t index,
                        const void *slot, uint32_t len);

/**
 * fsi_producer_publish - publish whatever is ready, in order
 *
 * Return: 1 if the peer asked for a bell
 */
int fsi_producer_publish(const struct fsi_ring *r, struct fsi_producer *p,
                         struct fsif_shared_u32 *ready);

/** fsi_producer_recover - go on after a process that died while it published; publish next */
void fsi_producer_recover(const struct fsi_ring *r, struct fsi_producer *p);

void fsi_consumer_init(struct fsi_consumer *c, uint32_t first);

/**
 * fsi_consumer_peek - copy the first @len octets of the next slot in, without taking it
 *
 * @floor: the peer may have produced at most nslots entries beyond it: the responder's own
 *         published index, or the consumer's next. It is read after the peer's index: a peer that
 *         answers a response at once is never judged by what was published before it.
 *
 * Return: 1; 0 nothing there; -FSIF_EPROTO the peer's index is out of range
 */
int fsi_consumer_peek(const struct fsi_ring *r, struct fsi_consumer *c,
                      const struct fsif_shared_u32 *floor, void *slot, uint32_t len);

/** fsi_consumer_rest - copy the octets from @from on of the slot that was peeked at */
void fsi_consumer_rest(const struct fsi_ring *r, const struct fsi_consumer *c, uint32_t from,
                       void *slot);

/** fsi_consumer_ready - Return: 1 if peek would find something */
int fsi_consumer_ready(const struct fsi_ring *r, const struct fsi_consumer *c);

/** fsi_consumer_take - the slot that was peeked at is done with */
void fsi_consumer_take(struct fsi_consumer *c);

/** fsi_consumer_arm - ask for a bell. Return: 1 if there is something already */
int fsi_consumer_arm(const struct fsi_ring *r, struct fsi_consumer *c);

#endif
