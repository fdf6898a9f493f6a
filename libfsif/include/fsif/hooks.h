/* SPDX-License-Identifier: MIT */
#ifndef FSIF_HOOKS_H
#define FSIF_HOOKS_H

/* The one event hook of both engines: logs, metrics and tracing hang on it. */

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Why a session was poisoned: the peer broke the protocol. Kept in the engine's state. */
enum fsif_poison {
    FSIF_POISON_NONE = 0,
    FSIF_POISON_INDEX,     /* the peer's producer index is not within the ring */
    FSIF_POISON_ID,        /* an id beyond the ring */
    FSIF_POISON_ID_BUSY,   /* backend: the id of a request that is still unanswered */
    FSIF_POISON_ID_IDLE,   /* frontend: a response to no request */
    FSIF_POISON_RESULT,    /* frontend: a result larger than asked, or no error number */
    FSIF_POISON_LISTING,   /* frontend: a malformed listing */
    FSIF_POISON_ATTR,      /* frontend: impossible attributes */
    FSIF_POISON_TRANSPORT, /* the transport failed: the peer's ring or doorbell is gone */
    FSIF_POISON_COUNT
};

struct fsif_event {
    uint32_t id;
    uint32_t op;    /* enum fsif_op_type */
    int64_t result; /* 0 at begin */
    uint32_t bytes; /* payload moved by read, write and list; 0 at begin */
};

struct fsif_hooks {
    size_t size; /* sizeof(struct fsif_hooks) */
    void *arg;
    /* Called once, on the thread that found it; the engine is usable for nothing but shutdown. */
    void (*poisoned)(void *arg, enum fsif_poison reason);
    /* Around each request, on the thread that starts and that ends it. May be NULL. */
    void (*begin)(void *arg, const struct fsif_event *event);
    void (*end)(void *arg, const struct fsif_event *event);
};

/** fsif_poison_text - a constant sentence for a reason */
const char *fsif_poison_text(enum fsif_poison reason);

#ifdef __cplusplus
}
#endif
#endif
