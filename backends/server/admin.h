/* SPDX-License-Identifier: MIT */
#ifndef FSI_SERVER_ADMIN_H
#define FSI_SERVER_ADMIN_H

/*
 * The control socket: what an operator's program asks of a daemon that runs.
 *
 * A SOCK_SEQPACKET unix socket that only the daemon's user and root may connect to. One packet is
 * one dictionary (fsif/dict.h); a request is answered by one packet, and the next request follows
 * it. Whoever sends more than it reads is hung up on. Lists are walked: each answer has one item
 * and the caller asks for the one after it, so nothing is kept for a caller between two requests
 * and what changes meanwhile is seen or not, but never twice.
 *
 * Every request has control=1, the version, and request=WORD; every answer control=1 and
 * status=N, 0 or an error number, and then text=WHY. Another version and another word are answered
 * with FSIF_EOPNOTSUPP; what is no dictionary with FSIF_EPROTO and the end of the connection. Bytes
 * that are no plain text go in parts, KEY-0, KEY-1 ..., as hexadecimal digits. Subjects are uid:N,
 * gid:N, domain:N or uuid:UUID.
 *
 * request   | keys                             | answer
 * exports   | after=NAME, or empty             | the next export, or end=1
 * export    | export=NAME                      | this one
 * entries   | export=NAME after=SERIAL         | the next entry of its list, or end=1
 * add       | export=NAME spec-N: SOURCE,KEY.. |
 * change    | export=NAME set-N=KEY[=VALUE]    |
 * remove    | export=NAME                      | ended=N sessions
 * allow     | export=NAME subject=S set-N=TERM | added=1, or 0: it was there, terms replaced
 * deny      | export=NAME subject=S            | ended=N sessions
 * refresh   |                                  | when each worker told its figures, or time is up
 * sessions  | after=NUMBER                     | the next session, or end=1
 * end       | session=NUMBER                   |
 */

#include <stddef.h>
#include <stdint.h>
#include <fsif/dict.h>
#include "text.h"

#define FSI_ADMIN_VERSION 1u

/* Where a daemon of root's listens unless it is told otherwise */
#define FSI_ADMIN_PATH "/run/fsif/control"

/* Bytes that a key in parts may have: they must fit into one dictionary. */
#define FSI_ADMIN_BYTES_MAX 1600u

/** fsi_admin_request - begin a request. Return: 0; -FSIF_EINVAL */
int fsi_admin_request(struct fsif_dict *out, const char *word);

/** fsi_admin_put - a key whose value is cut, and made plain ASCII, rather than refused */
void fsi_admin_put(struct fsif_dict *out, const char *key, const char *value);

/** fsi_admin_u64 - Return: the number, or 0 */
uint64_t fsi_admin_u64(const struct fsif_dict *in, const char *key);

/** fsi_admin_put_u64 - a number beyond 32 bits */
void fsi_admin_put_u64(struct fsif_dict *out, const char *key, uint64_t v);

#endif
