/* SPDX-License-Identifier: MIT */
/*
 * session-rate ADDRESS EXPORT DIALECT ROUNDS FILE: how many small reads, one at a time, and how
 * many KiB in large ones a session does in a second.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <fsif/client.h>
#include <fsif/negotiate.h>

#include "peer.h"

#define BIG (256u * 1024u)

static void small_reads(struct fsif_client *cl, int fh, unsigned long rounds)
{
    uint64_t begin = now_us();
    char buf[16];

    for (unsigned long i = 0; i < rounds; i++) {
        if (fsif_pread(cl, fh, buf, sizeof(buf), i % 4096) != sizeof(buf))
            die("a small read failed");
    }
    printf("operations per second: %lu\n",
           (unsigned long)(rounds * 1000000u / (now_us() - begin + 1)));
}

static void big_reads(struct fsif_client *cl, int fh, unsigned long times)
{
    uint64_t begin = now_us();
    static char buf[BIG];

    for (unsigned long i = 0; i < times; i++) {
        if (fsif_pread(cl, fh, buf, BIG, (i % 8) * BIG) != (int64_t)BIG)
            die("a big read failed");
    }
    printf("KiB per second: %lu\n",
           (unsigned long)(times * (BIG / 1024) * 1000000u / (now_us() - begin + 1)));
}

int main(int argc, char **argv)
{
    struct fsif_client_options o;
    struct fsif_client *cl;
    struct fsif_limits limits;
    unsigned long rounds;
    unsigned dialect;
    int fh;
    int ret;

    if (argc != 6)
        die("usage: session-rate ADDRESS EXPORT DIALECT ROUNDS FILE");
    dialect = (unsigned)strtoul(argv[3], NULL, 10);
    rounds = strtoul(argv[4], NULL, 10);
    fsif_client_options_init(&o);
    o.dialects = FSIF_DIALECT_BIT(dialect);
    ret = fsif_connect(argv[1], argv[2], &o, &cl);
    if (ret)
        die("no session: %d", ret);
    fsif_get_limits(cl, &limits);
    if (limits.dialect != dialect)
        die("the session speaks dialect %u", limits.dialect);
    fh = fsif_open(cl, argv[5], FSIF_O_RDONLY, 0);
    if (fh < 0)
        die("no file: %d", fh);
    small_reads(cl, fh, rounds);
    big_reads(cl, fh, rounds / 40);
    fsif_close(cl, fh);
    fsif_disconnect(cl);
    return 0;
}
