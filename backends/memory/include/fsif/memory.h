/* SPDX-License-Identifier: MIT */
#ifndef FSIF_MEMORY_H
#define FSIF_MEMORY_H

/* A store in memory: a real tree with limits, empty at the start, gone at the end. */

#include <fsif/store.h>

#ifdef __cplusplus
extern "C" {
#endif

extern const struct fsif_store_ops fsif_store_memory;

#ifdef __cplusplus
}
#endif
#endif
