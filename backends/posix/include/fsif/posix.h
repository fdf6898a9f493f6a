/* SPDX-License-Identifier: MIT */
#ifndef FSIF_POSIX_H
#define FSIF_POSIX_H

/* A store in a directory of a Linux host. */

#include <fsif/store.h>

#ifdef __cplusplus
extern "C" {
#endif

extern const struct fsif_store_ops fsif_store_posix;

#ifdef __cplusplus
}
#endif
#endif
