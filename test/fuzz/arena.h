/* SPDX-License-Identifier: MIT */
#ifndef FSIF_FUZZ_ARENA_H
#define FSIF_FUZZ_ARENA_H

/* What the fuzz targets share: reading the input, and a transport that is nothing but an array. */

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <fsif/fsif.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A property that the input must not be able to break. */
#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #condition);                \
            __builtin_trap();                                                                      \
        }                                                                                          \
    } while (0)

/* The planted bug: a state that only a long enough input reaches. It counts as a bug when the
 * environment has FSIF_FUZZ_PLANT, so a run can show that the fuzzer finds one. */
void planted_bug(int reached);

/* --- input: reads past the end give zeros --- */

struct input {
    const uint8_t *at;
    size_t left;
};

uint8_t input_u8(struct input *in);
uint16_t input_u16(struct input *in);
uint32_t input_u32(struct input *in);
uint64_t input_u64(struct input *in);

/** input_bytes - copy up to @len bytes. Return: how many there were */
size_t input_bytes(struct input *in, void *dst, size_t len);

/** input_length - one of the lengths where things change, or any */
uint64_t input_length(struct input *in);

/* --- a session in an array --- */

#define ARENA_PAGES 8u
#define ARENA_FIRST_GREF 16u
#define ARENA_SLOTS 64u

/* The ring and the pages; a page's gref is ARENA_FIRST_GREF + its number. */
extern unsigned char arena_ring[FSIF_PAGE_SIZE];
extern unsigned char arena_pages[ARENA_PAGES * FSIF_PAGE_SIZE];
extern uint32_t arena_grefs[ARENA_PAGES];
extern uint32_t arena_bells; /* rung since the reset */

extern const struct fsif_transport arena_lends;  /* has lend */
extern const struct fsif_transport arena_copies; /* has none */

/** arena_reset - everything to zero, slots of dialect 1. @read_only: bits of pages that copy_to
 * refuses */
void arena_reset(uint32_t read_only);

/** arena_dialect - slots of this dialect from now on */
void arena_dialect(uint32_t dialect);
extern uint32_t arena_slot_size;
#define ARENA_SLOT_MAX FSIF_WIRE2_SLOT

uint32_t arena_load(unsigned offset);
void arena_store(unsigned offset, uint32_t value);
unsigned char *arena_slot(uint32_t index);
unsigned char *arena_page(uint32_t number);

#define ARENA_REQ_PROD 0u
#define ARENA_REQ_EVENT 4u
#define ARENA_RSP_PROD 8u
#define ARENA_RSP_EVENT 12u

/** arena_store_create - a small memory store */
struct fsif_store *arena_store_create(void);

/** arena_request - fill @slot, arena_slot_size bytes, with a request that is mostly sensible, and
 * the page it names. In dialect 2 the grefs of a read or write follow each other, or do not. */
void arena_request(struct input *in, unsigned char *slot);

#endif
