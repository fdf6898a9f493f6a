/* SPDX-License-Identifier: MIT */
#ifndef HOSTILE_RAW3_H
#define HOSTILE_RAW3_H

/*
 * Dialect 3 over shm by hand, one queue: what raw.h has for dialect 1, on the same struct raw.
 * Bytes of the area may lie in any page, so all of them are found through raw3_at().
 */

#include "raw.h"

#define RAW3_ROOT UINT32_MAX
#define RAW3_INLINE 1
#define RAW3_LONG 1
#define RAW3_DIRECTORY 0x10000     /* a flag of open */
#define RAW3_ARENA (16 * RAW_PAGE) /* octets of the arena that raw3_connect() offers */

enum raw3_type {
    RAW3_NOP = 1,
    RAW3_OPEN = 2,
    RAW3_CLOSE = 3,
    RAW3_READ = 4,
    RAW3_STAT = 6,
    RAW3_SETATTR = 7,
    RAW3_RENAME = 9,
    RAW3_READDIR = 15,
    RAW3_READFILE = 30,
    RAW3_STATMANY = 32,
};

enum raw3_size { RAW3_SLOT = 64, RAW3_ENTRY = 128, RAW3_ATTR = 112, RAW3_RECORD = 120 };

/** raw3_at - octet @at of the area */
volatile uint8_t *raw3_at(const struct raw *r, uint32_t at);

/** raw3_arena - octet @at of the arena */
volatile uint8_t *raw3_arena(const struct raw *r, uint32_t at);

/** raw3_put, raw3_get - octets into the arena and out of it */
void raw3_put(const struct raw *r, uint32_t at, const void *octets, uint32_t n);
void raw3_get(const struct raw *r, uint32_t at, void *octets, uint32_t n);

/* --- as a frontend --- */

/** raw3_connect - start a session. Return: 0; the answer's status */
int raw3_connect(struct raw *r, const char *path, const char *export_name);

/** raw3_next - where the next request goes */
volatile uint8_t *raw3_next(const struct raw *r);

/** raw3_send - put a request on the ring and ring the bell */
void raw3_send(struct raw *r, const void *slot);

/** raw3_wait - the next answer, 128 octets. Return: 0; -1: as raw_wait() */
int raw3_wait(struct raw *r, uint8_t entry[RAW3_ENTRY]);

/* --- as a backend --- */

/** raw3_accept - wait for a frontend and start its session, with one queue */
void raw3_accept(struct raw *r, int listener);

/** raw3_take - the next request. Return: 0; -1: the frontend has gone */
int raw3_take(struct raw *r, uint8_t slot[RAW3_SLOT]);

/** raw3_answer - where the next answer goes */
volatile uint8_t *raw3_answer(const struct raw *r);

/** raw3_publish - publish one answer and ring */
void raw3_publish(struct raw *r);

#endif
