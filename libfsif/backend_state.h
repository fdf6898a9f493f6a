/* SPDX-License-Identifier: MIT */
#ifndef FSI_BACKEND_STATE_H
#define FSI_BACKEND_STATE_H

/*
 * What a backend engine is, as plain integers. Behind the head lie, in this order: max_streams
 * streams, max_handles handles, max_locks locks, max_watches watches, nslots ids, nresponses ready
 * words, the free handles' words. Another process may map it and go on. What belongs to the session
 * and not to a queue lies in the state of queue 0 only, its home.
 */

#include <stdint.h>
#include <fsif/backend.h>
#include <fsif/wire.h>

#include "codec.h"
#include "freelist.h"
#include "handles.h"
#include "ring.h"
#include "streams.h"

#define FSI_BACKEND_MAGIC 0x42734665u
#define FSI_BACKEND_VERSION 3u

/* Stages of an id, see backend.c */
enum fsi_backend_stage {
    FSI_ID_FREE,
    FSI_ID_FETCHED,
    FSI_ID_ANSWERED,
    FSI_ID_PLACED,
};

/* handle[1] is reserved for the file that the request opens. */
#define FSI_HOLDS_NEW 4u

struct fsi_backend_id {
    struct fsif_shared_u32 stage;
    uint32_t index; /* of the request while FETCHED, of the response while PLACED */
    uint32_t type;  /* enum fsif_op_type */
    uint32_t handle[2];
    struct fsif_shared_u32 holds;     /* bit i: the request holds handle[i]; FSI_HOLDS_NEW */
    uint32_t serial;                  /* of the request, dialect 3 */
    uint8_t answer[FSI_RESPONSE_MAX]; /* the response */
};

/* A lock that waits, see backend3.c */
struct fsi_waiting_lock {
    struct fsif_shared_u32 stage; /* and the generation beside it */
    uint32_t handle;
    uint32_t export;
    uint32_t flags;
    uint32_t mode;
    int32_t value;
    uint64_t file;
    uint64_t offset;
    uint64_t length;
    struct fsif_shared_u32 cookie[2]; /* low half, high half */
};

struct fsi_watch {
    struct fsif_shared_u32 stage; /* and the generation beside it */
    struct fsif_shared_u32 lost;  /* 1: a notice found no room */
    struct fsif_shared_u32 export;
    struct fsif_shared_u32 watch; /* the store's number */
    struct fsif_shared_u32 cookie[2];
};

struct fsi_backend_state {
    _Alignas(8) uint32_t magic; /* what lies behind the head has 64-bit members */
    uint32_t version;
    uint32_t size;
    uint32_t dialect;
    uint32_t nslots;
    uint32_t nresponses;
    uint32_t max_streams;
    uint32_t max_locks;
    uint32_t max_watches;
    struct fsif_shared_u32 reason; /* enum fsif_poison */
    struct fsif_shared_u32 busy;
    struct fsif_shared_u32 open; /* handles */
    struct fsif_shared_u32 clock;
    struct fsi_producer producer;
    struct fsi_consumer consumer;
    struct fsi_freelist free_handles;
    struct fsif_shared_u32 owed;    /* 1: a bell that is still to be rung */
    struct fsif_shared_u32 notices; /* sent */
    struct fsif_shared_u32 unsent;  /* 1: a notice found no room */
    struct fsif_shared_u32 waiting; /* locks */
};

/* A process's pointers into the state and the ring. */
struct fsi_backend_view {
    const struct fsi_dialect *dialect;
    struct fsi_backend_state *state;
    struct fsi_backend_state *home; /* of queue 0 */
    struct fsi_backend_id *ids;
    struct fsi_waiting_lock *locks;
    struct fsi_watch *watches;
    struct fsif_shared_u32 *ready;
    struct fsi_ring requests;
    struct fsi_ring responses;
    struct fsi_handles handles;
    struct fsi_streams streams;
};

/** fsi_backend_find - find this process's pointers, once the head of the state is there */
void fsi_backend_find(struct fsif_backend *be);

/** fsi_backend_look - the pointers that were found */
static inline void fsi_backend_look(const struct fsif_backend *be, struct fsi_backend_view *v)
{
    __builtin_memcpy(v, be->view_, sizeof(*v));
}

/** fsi_backend_slots - slots of the ring that @config describes, and entries of the responses'
 * ring; 0 if it makes no sense */
uint32_t fsi_backend_slots(const struct fsif_backend_config *config, uint32_t *responses);

/** fsi_backend_bind - check @config and take it over. Return: 0; -FSIF_EINVAL */
int fsi_backend_bind(struct fsif_backend *be, const struct fsif_backend_config *config,
                     void *state);

/** fsi_backend_place - put the ANSWERED response of @id on the ring at @index, unpublished */
void fsi_backend_place(const struct fsi_backend_view *v, uint32_t id, uint32_t index);

/** fsi_backend_unpublished - whether the response of @id, which is PLACED, is still to be published
 */
int fsi_backend_unpublished(const struct fsi_backend_view *v, uint32_t id);

/** fsi_backend_publish - publish; a bell that the peer asked for is owed until the next flush */
void fsi_backend_publish(const struct fsif_backend *be, const struct fsi_backend_view *v);

/** fsi_backend_let_go - end a request's hold of a handle; closes the file with the last one */
int fsi_backend_let_go(const struct fsif_backend *be, const struct fsi_backend_view *v,
                       uint32_t handle);

#endif
