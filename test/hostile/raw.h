/* SPDX-License-Identifier: MIT */
#ifndef HOSTILE_RAW_H
#define HOSTILE_RAW_H

/*
 * Dialect 1 over shm by hand, for attackers that must be fast: written from PROTOCOL.md, using
 * nothing of libfsif. Both sides; errors end the program with code 3.
 */

#include <stdint.h>

#define RAW_PAGE 4096u
#define RAW_SLOTS 64u
#define RAW_PACKET 4096u

enum raw_type {
    RAW_OPEN = 1,
    RAW_CLOSE = 2,
    RAW_READ = 3,
    RAW_WRITE = 4,
    RAW_STAT = 5,
    RAW_REMOVE = 7,
    RAW_RENAME = 8,
    RAW_LIST = 10,
};

struct raw_ring {
    uint32_t req_prod, req_event, rsp_prod, rsp_event;
    uint8_t pad[48];
    uint8_t slots[RAW_SLOTS][32];
};

struct raw {
    int sock;
    int bell_out; /* rung by us */
    int bell_in;
    uint32_t pages;
    volatile uint8_t *mem;
    uint32_t prod; /* requests made, or answers given */
    uint32_t cons; /* answers taken, or requests taken */
    struct {       /* dialect 3, see raw3.h */
        uint32_t slots;
        uint32_t arena; /* where it begins in the area */
        uint32_t *refs; /* the area's pages */
    } three;
};

/** raw_die - say why and end */
void raw_die(const char *why) __attribute__((noreturn));

/** raw_ring - the ring page */
volatile struct raw_ring *raw_ring(const struct raw *r);

/** raw_page - page @gref */
volatile uint8_t *raw_page(const struct raw *r, uint32_t gref);

/** raw_now_ms - monotonic clock */
uint64_t raw_now_ms(void);

void raw_ring_bell(const struct raw *r);

/** raw_wait_bell - Return: 1: the bell may have rung; 0: the other side has gone; -1: nothing for
 * a long time */
int raw_wait_bell(const struct raw *r);

/* --- as a frontend --- */

/** raw_prepare - connect, and make @pages pages of memory. Return: their descriptor */
int raw_prepare(struct raw *r, const char *path, uint32_t pages);

/** raw_offer - send a session's offer and take its bells. Return: 0; the answer's status */
int raw_offer(struct raw *r, int memfd, const char *offer);

/** raw_connect - start a session of @pages pages. Return: 0; the answer's status */
int raw_connect(struct raw *r, const char *path, const char *export_name, uint32_t pages);

/** raw_send - put a request of 32 bytes on the ring and ring the bell */
void raw_send(struct raw *r, const void *slot);

/** raw_wait - the next answer. Return: 0; -1: the session has ended, or nothing for 20 s */
int raw_wait(struct raw *r, uint16_t *id, int64_t *ret);

/* --- as a backend --- */

/** raw_listen - Return: a listening socket */
int raw_listen(const char *path);

/** raw_hear - wait for a frontend's offer and map its memory */
void raw_hear(struct raw *r, int listener, char offer[RAW_PACKET]);

/** raw_reply - start its session with this answer */
void raw_reply(struct raw *r, const char *answer);

/** raw_accept - wait for a frontend and start its session with @features */
void raw_accept(struct raw *r, int listener, const char *features);

/** raw_take - the next request. Return: 0; -1: the frontend has gone */
int raw_take(struct raw *r, uint8_t slot[32]);

/** raw_answer_slot - where the next answer goes */
volatile uint8_t *raw_answer_slot(const struct raw *r);

/** raw_publish - publish one answer and ring */
void raw_publish(struct raw *r);

void raw_close(struct raw *r);

/** raw_put16, raw_put32, raw_put64 - a field of a private slot */
void raw_put16(void *at, uint16_t v);
void raw_put32(void *at, uint32_t v);
void raw_put64(void *at, uint64_t v);

#endif
