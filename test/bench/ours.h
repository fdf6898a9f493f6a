/* SPDX-License-Identifier: MIT */
#ifndef TEST_BENCH_OURS_H
#define TEST_BENCH_OURS_H

/* A daemon of our own and sessions with it. */

#include <stdint.h>
#include <sys/types.h>
#include <fsif/client.h>
#include "bench.h"

struct ours_daemon {
    pid_t pid;
    char address[BENCH_PATH + 16];
};

/**
 * ours_daemon_start - serve place->data as export "data"
 *
 * @name: of the socket in place->dir
 * @keys: of the export, as ",handles=10"; ""
 * Return: 0, or negative
 */
int ours_daemon_start(const struct bench_place *place, const char *name, const char *keys,
                      struct ours_daemon *out);
void ours_daemon_stop(struct ours_daemon *d);

/** ours_connect - Return: 0, or a negative FSIF_E* */
int ours_connect(const struct bench_place *place, const struct ours_daemon *d,
                 struct fsif_client **out);

struct ours {
    struct ours_daemon daemon;
    struct fsif_client *cl;
    struct fsif_limits limits;
    int fh;  /* of big */
    int out; /* of out */
};

/** ours_dialect - of the newest session that was made; 0: none */
uint32_t ours_dialect(void);

/* What a session of dialect 3 can do besides, or in one request: ours3.c */
extern const struct bench_ops bench_ours3;

#endif
