/* SPDX-License-Identifier: MIT */
#ifndef FSIF_SHM_H
#define FSIF_SHM_H

/* Shared memory between processes of one Linux host: memfd, eventfds and a unix socket. The address
 * is shm:PATH, the socket's path. libfsif/PROTOCOL.md has the handshake. */

#include <fsif/transport.h>

#ifdef __cplusplus
extern "C" {
#endif

extern const struct fsif_transport fsif_transport_shm;

#ifdef __cplusplus
}
#endif
#endif
