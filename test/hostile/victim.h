/* SPDX-License-Identifier: MIT */
#ifndef HOSTILE_VICTIM_H
#define HOSTILE_VICTIM_H

/* What the files of the victim share. */

#include <fsif/client.h>

struct victim {
    const char *address;
    const char *export_name;
    int timeout_ms;
    uint32_t dialects; /* FSIF_DIALECT_BIT() */
    uint32_t queues;   /* of dialect 3 */
    struct fsif_registry *registry;
    const struct fsif_hooks *hooks;
    struct fsif_client *cl; /* NULL: not connected */
    int fh;                 /* the last handle that was opened */
};

/** victim_step - carry out one step and print its result; ends the program if there is no such one
 */
void victim_step(struct victim *v, const char *text);

/** victim_connect - Return: as fsif_connect() */
int victim_connect(struct victim *v);

/** victim_race - F16: submit, cancel, shut down and poll in many threads at once for some time */
int64_t victim_race(struct victim *v, double seconds);

/** victim_hammer - F2: read, list and stat, reconnecting when poisoned, and judge every result */
int64_t victim_hammer(struct victim *v, double seconds);

/** victim_fds - how many descriptors this process has */
int victim_fds(void);

void *victim_malloc(size_t size);

#endif
