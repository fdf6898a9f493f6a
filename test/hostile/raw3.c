/* SPDX-License-Identifier: MIT */
#include "raw3.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS 8u /* of the queue that is offered: its ring fits into one page */
#define DIRECTORY_REFS 1023u
#define HEAD 128u

enum word { REQ_PROD = 0, RSP_EVENT = 4, RSP_PROD = 64, REQ_EVENT = 68 };

/* Little-endian words as they are in memory: these attackers run on such machines only. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "order of octets");

volatile uint8_t *raw3_at(const struct raw *r, uint32_t at)
{
    return raw_page(r, r->three.refs[at / RAW_PAGE]) + at % RAW_PAGE;
}

volatile uint8_t *raw3_arena(const struct raw *r, uint32_t at)
{
    return raw3_at(r, r->three.arena + at);
}

void raw3_put(const struct raw *r, uint32_t at, const void *octets, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        *raw3_arena(r, at + i) = ((const uint8_t *)octets)[i];
}

void raw3_get(const struct raw *r, uint32_t at, void *octets, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        ((uint8_t *)octets)[i] = *raw3_arena(r, at + i);
}

static volatile uint32_t *word(const struct raw *r, enum word which)
{
    return (volatile uint32_t *)raw3_at(r, which);
}

static volatile uint8_t *slot_at(const struct raw *r, uint32_t index)
{
    return raw3_at(r, HEAD + index % r->three.slots * RAW3_SLOT);
}

static volatile uint8_t *entry_at(const struct raw *r, uint32_t index)
{
    return raw3_at(r,
                   HEAD + r->three.slots * RAW3_SLOT + index % (2 * r->three.slots) * RAW3_ENTRY);
}

static uint32_t ring_pages(uint32_t slots)
{
    return (HEAD + 320 * slots + RAW_PAGE - 1) / RAW_PAGE;
}

static void shape(struct raw *r, uint32_t queues, uint32_t slots, uint32_t arena_pages)
{
    uint32_t rings = queues * ring_pages(slots);

    r->three.slots = slots;
    r->three.arena = rings * RAW_PAGE;
    r->three.refs = calloc(rings + arena_pages, sizeof(*r->three.refs));
    if (!r->three.refs)
        raw_die("calloc");
}

/* Until @prod moves from @next, sleeping with @event set. Return: 0; -1: it never will */
static int wait_for(const struct raw *r, enum word prod, enum word event, uint32_t next)
{
    while (__atomic_load_n(word(r, prod), __ATOMIC_ACQUIRE) == next) {
        __atomic_store_n(word(r, event), next + 1, __ATOMIC_SEQ_CST);
        if (__atomic_load_n(word(r, prod), __ATOMIC_SEQ_CST) != next)
            break;
        if (raw_wait_bell(r) <= 0)
            return -1;
    }
    return 0;
}

static void publish(const struct raw *r, enum word prod, enum word event, uint32_t next)
{
    __atomic_store_n(word(r, prod), next, __ATOMIC_SEQ_CST);
    if (next - __atomic_load_n(word(r, event), __ATOMIC_SEQ_CST) < 1)
        raw_ring_bell(r);
}

/* --- as a frontend ---------------------------------------------------------------------------- */

int raw3_connect(struct raw *r, const char *path, const char *export_name)
{
    const uint32_t arena_pages = RAW3_ARENA / RAW_PAGE;
    const uint32_t area = ring_pages(SLOTS) + arena_pages;
    int memfd = raw_prepare(r, path, 1 + area);
    char text[RAW_PACKET];

    shape(r, 1, SLOTS, arena_pages);
    for (uint32_t i = 0; i < area; i++) {
        r->three.refs[i] =
            1 + i; /* the directory is page 0, the arena's last page nothing follows */
        ((volatile uint32_t *)raw_page(r, 0))[1 + i] = 1 + i;
    }
    *word(r, REQ_EVENT) = *word(r, RSP_EVENT) = 1;
    snprintf(text, sizeof(text),
             "fsif=1\nrequest=session\nexport=%s\ndialects=3\nfeatures=errno\npages=%u\n"
             "queues=1\nslots=%u\narena-pages=%u\nmax-io=%u\ndirectory=0\n",
             export_name, 1 + area, SLOTS, arena_pages, RAW3_ARENA);
    return raw_offer(r, memfd, text);
}

volatile uint8_t *raw3_next(const struct raw *r)
{
    return slot_at(r, r->prod);
}

void raw3_send(struct raw *r, const void *slot)
{
    volatile uint64_t *to = (volatile uint64_t *)raw3_next(r);
    uint64_t words[RAW3_SLOT / 8];

    /* By whole words: a flipper is at work on one of them, as in raw_send(). */
    memcpy(words, slot, sizeof(words));
    for (unsigned i = 0; i < RAW3_SLOT / 8; i++)
        to[i] = words[i];
    publish(r, REQ_PROD, REQ_EVENT, ++r->prod);
}

int raw3_wait(struct raw *r, uint8_t entry[RAW3_ENTRY])
{
    volatile uint8_t *from;

    if (wait_for(r, RSP_PROD, RSP_EVENT, r->cons) < 0)
        return -1;
    from = entry_at(r, r->cons++);
    for (unsigned i = 0; i < RAW3_ENTRY; i++)
        entry[i] = from[i];
    return 0;
}

/* --- as a backend ----------------------------------------------------------------------------- */

static uint32_t key(const char *offer, const char *name)
{
    const char *at = strstr(offer, name);

    if (!at)
        raw_die(name);
    return (uint32_t)strtoul(at + strlen(name), NULL, 10);
}

static void read_directory(struct raw *r, uint32_t gref, uint32_t area)
{
    for (uint32_t i = 0; i < area; i++) {
        volatile uint32_t *page = (volatile uint32_t *)raw_page(r, gref);

        r->three.refs[i] = page[1 + i % DIRECTORY_REFS];
        if (i % DIRECTORY_REFS == DIRECTORY_REFS - 1)
            gref = page[0];
    }
}

void raw3_accept(struct raw *r, int listener)
{
    char text[RAW_PACKET];
    uint32_t queues, slots, arena_pages, max_io;

    raw_hear(r, listener, text);
    queues = key(text, "\nqueues=");
    slots = key(text, "\nslots=");
    arena_pages = key(text, "\narena-pages=");
    max_io = key(text, "\nmax-io=");
    shape(r, queues, slots, arena_pages);
    read_directory(r, key(text, "\ndirectory="), r->three.arena / RAW_PAGE + arena_pages);
    snprintf(text, sizeof(text),
             "status=0\ndialect=3\nfeatures=errno\nread-only=0\nqueues=1\nmax-io=%u\n", max_io);
    raw_reply(r, text);
}

int raw3_take(struct raw *r, uint8_t slot[RAW3_SLOT])
{
    volatile uint8_t *from;

    if (wait_for(r, REQ_PROD, REQ_EVENT, r->cons) < 0)
        return -1;
    from = slot_at(r, r->cons++);
    for (unsigned i = 0; i < RAW3_SLOT; i++)
        slot[i] = from[i];
    return 0;
}

volatile uint8_t *raw3_answer(const struct raw *r)
{
    return entry_at(r, r->prod);
}

void raw3_publish(struct raw *r)
{
    publish(r, RSP_PROD, RSP_EVENT, ++r->prod);
}
