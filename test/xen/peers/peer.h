/* SPDX-License-Identifier: MIT */
#ifndef TEST_XEN_PEER_H
#define TEST_XEN_PEER_H

/*
 * What the test doubles of old frontends and backends share: the two wire formats as numbers, the
 * ring, and xenstore. Written from the facts in PROTOCOL.md; nothing of the library's own code but
 * the accessors of shared words.
 */

#include <stddef.h>
#include <stdint.h>
#include <xenevtchn.h>
#include <xengnttab.h>
#include <xenstore.h>

#define PAGE 4096u
#define SLOT_MAX 64u
#define PATH_SIZE 256u
#define RING_PAGES_MAX 16u
#define IO_PAGES_MAX 6u /* pages of a read or write in dialect 2 */

enum {
    OP_OPEN = 1,
    OP_CLOSE,
    OP_READ,
    OP_WRITE,
    OP_STAT,
    OP_TRUNCATE,
    OP_REMOVE,
    OP_RENAME,
    OP_CREATE,
    OP_LIST,
    OP_CHMOD,
    OP_SPACE,
    OP_SYNC,
};

/** die - message to stderr, exit code 1 */
void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

uint64_t now_ms(void);
uint64_t now_us(void);

/** fatal - what system calls and Xen's libraries say, too */
void fatal(const char *what) __attribute__((noreturn));

/* --- numbers of a slot, at an offset, in the machine's order --- */

uint16_t get16(const unsigned char *slot, size_t at);
uint32_t get32(const unsigned char *slot, size_t at);
uint64_t get64(const unsigned char *slot, size_t at);
void put16(unsigned char *slot, size_t at, uint32_t v);
void put32(unsigned char *slot, size_t at, uint32_t v);
void put64(unsigned char *slot, size_t at, uint64_t v);

/* --- the ring --- */

struct ring {
    unsigned char *mem;
    uint32_t stride; /* 32 in dialect 1, 56 in dialect 2 */
    uint32_t slots;
};

enum { REQ_PROD = 0, REQ_EVENT = 4, RSP_PROD = 8, RSP_EVENT = 12 };

void ring_init(struct ring *r, void *mem, int dialect, uint32_t pages);
uint32_t ring_get(const struct ring *r, uint32_t word);
void ring_set(struct ring *r, uint32_t word, uint32_t v);
unsigned char *ring_slot(const struct ring *r, uint32_t index);

/* --- xenstore --- */

/** xs_get - value with a NUL in static storage, or NULL */
const char *xs_get(struct xs_handle *xs, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** xs_number - a node's number, or -1 */
int64_t xs_number(struct xs_handle *xs, const char *path);

/** xs_put - write it or die */
void xs_put(struct xs_handle *xs, xs_transaction_t t, const char *path, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/** xs_wait - wait until something that is watched changes. Return: 1; 0 @ms are over */
int xs_wait(struct xs_handle *xs, uint64_t ms);

/** event_wait - wait for an event and take it. Return: 1; 0 @ms are over */
int event_wait(xenevtchn_handle *evtchn, uint64_t ms);

#endif
