/* SPDX-License-Identifier: MIT */
#ifndef FSIF_LOOP_H
#define FSIF_LOOP_H

/* Both ends of a session in one process: for tests, fuzzing and embedding. */

#include <fsif/transport.h>

#ifdef __cplusplus
extern "C" {
#endif

extern const struct fsif_transport fsif_transport_loop;

/**
 * fsif_loop_pair - two connected sessions
 *
 * The frontend's share and session_offer and the backend's session_next_offer,
 * session_accept_memory and session_answer work as over any transport; offer waits for the answer
 * of another thread. Bells are eventfds. Each end is closed with the vtable's close; the shared
 * pages live until both are.
 *
 * Return: 0; -FSIF_ENOMEM; -FSIF_EMFILE
 */
int fsif_loop_pair(struct fsif_session **frontend, struct fsif_session **backend);

#ifdef __cplusplus
}
#endif
#endif
