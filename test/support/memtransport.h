/* SPDX-License-Identifier: MIT */
#ifndef TEST_MEMTRANSPORT_H
#define TEST_MEMTRANSPORT_H

/*
 * The smallest transport for tests of the engines: a gref is the number of a page in one private
 * array. It counts what it is asked for and fails when it is told to.
 */

#include <stdint.h>
#include <fsif/op.h>
#include <fsif/transport.h>

#define MEM_PAGES 65u /* the ring and a page for each of its slots */

/* Indices that rings begin with, some of them shortly before they wrap. */
extern const uint32_t first_indices[];
#define NFIRSTS 5

struct memtransport {
    unsigned char (*page)[FSIF_PAGE_SIZE]; /* MEM_PAGES, from mem_open() */
    int copy_from_error;                   /* 0: none */
    int copy_to_error;
    int notify_error;
    int lends; /* 1: lend answers with the page */
    uint32_t notified;
    uint32_t copied_from;
    uint32_t copied_to;
    void (*on_notify)(void *arg); /* may be NULL */
    void *arg;
};

/** mem_open - zeroed pages, at an address that the run before did not have. Aborts at no memory */
void mem_open(struct memtransport *m);
void mem_close(struct memtransport *m);

/** mem_notified - rings so far */
uint32_t mem_notified(const struct memtransport *m);

struct fsif_session *mem_session(struct memtransport *m);

/* copy_from, copy_to, lend and notify; nothing else. */
extern const struct fsif_transport mem_transport;
/* The same without lend. */
extern const struct fsif_transport mem_transport_copies;

#endif
