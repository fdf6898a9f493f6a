/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/aio_abi.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "aio.h"
#include "bench.h"

struct bench_aio {
    aio_context_t context;
    struct iocb calls[BENCH_DEPTH];
};

struct bench_aio *bench_aio_open(void)
{
    struct bench_aio *a = bench_alloc(sizeof(*a));

    if (syscall(SYS_io_setup, BENCH_DEPTH, &a->context) == 0)
        return a;
    free(a);
    return NULL;
}

void bench_aio_close(struct bench_aio *a)
{
    if (a != NULL)
        syscall(SYS_io_destroy, a->context);
    free(a);
}

static struct iocb *prepare(struct bench_aio *a, unsigned slot, int fd, void *buf, uint64_t off)
{
    struct iocb *c = &a->calls[slot];

    *c = (struct iocb){
        .aio_data = slot,
        .aio_lio_opcode = IOCB_CMD_PREAD,
        .aio_fildes = (uint32_t)fd,
        .aio_buf = (uint64_t)(uintptr_t)((char *)buf + (size_t)slot * BENCH_SMALL),
        .aio_nbytes = BENCH_SMALL,
        .aio_offset = (int64_t)off,
    };
    return c;
}

int64_t bench_aio_read(struct bench_aio *a, int fd, void *buf, const uint64_t *off, unsigned n)
{
    struct io_event events[BENCH_DEPTH];
    struct iocb *next[BENCH_DEPTH];
    unsigned begun = 0, ended = 0;
    long fresh = 0;

    for (; begun < n && begun < BENCH_DEPTH; begun++)
        next[fresh++] = prepare(a, begun, fd, buf, off[begun]);
    while (ended < n) {
        if (fresh > 0 && syscall(SYS_io_submit, a->context, fresh, next) != fresh)
            return -EIO;
        fresh = 0;
        long got = syscall(SYS_io_getevents, a->context, 1L, (long)BENCH_DEPTH, events, NULL);
        if (got < 1)
            return -EIO;
        for (long i = 0; i < got; i++) {
            if (events[i].res != BENCH_SMALL)
                return -EIO;
            if (begun < n) {
                next[fresh++] = prepare(a, (unsigned)events[i].data, fd, buf, off[begun]);
                begun++;
            }
        }
        ended += (unsigned)got;
    }
    return 0;
}
