/* SPDX-License-Identifier: MIT */
#ifndef TEST_WATCH_H
#define TEST_WATCH_H

/*
 * Pages in which each word changes as soon as it has been read: a peer that always wins the race.
 * Whoever fetches a word twice gets another one, and is counted.
 *
 * The pages are without access; the handler of SIGSEGV opens them for one instruction, that of
 * SIGTRAP, after it, counts, changes and closes them again. x86-64 only, one thread.
 */

#include <stdint.h>

#define WATCH_PAGES 3u

/** watch_possible - Return: 1 on machines whose single step is known here; 0 */
int watch_possible(void);

/** watch_begin - watch @n pages; the first @spare bytes of each are neither counted nor changed */
void watch_begin(void *const pages[], const uint32_t spare[], unsigned n);

/** watch_end - the pages are as others again. Return: words that were read */
uint32_t watch_end(void);

/** watch_most - the most often that one word was read since watch_begin; @where: its offset */
uint32_t watch_most(uint32_t *where);

#endif
