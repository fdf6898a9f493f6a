/* SPDX-License-Identifier: MIT */
#ifndef TEST_BENCH_AIO_H
#define TEST_BENCH_AIO_H

/* The kernel's own asynchronous reads, for a file system that carries them out one by one. */

#include <stdint.h>

struct bench_aio;

/** bench_aio_open - Return: NULL where the kernel has no such calls */
struct bench_aio *bench_aio_open(void);
void bench_aio_close(struct bench_aio *a);

/** bench_aio_read - @n reads of BENCH_SMALL from @fd (O_DIRECT) with BENCH_DEPTH under way.
 * @buf: aligned. Return: 0, or negative */
int64_t bench_aio_read(struct bench_aio *a, int fd, void *buf, const uint64_t *off, unsigned n);

#endif
