/* SPDX-License-Identifier: MIT */
#ifndef FSI_BACKEND3_H
#define FSI_BACKEND3_H

/* What a backend engine does in dialect 3 only: notices, locks that wait, watches, exports. */

#include <fsif/backend.h>
#include "backend_state.h"

/** fsi_backend_gather3 - what the request of @slot needs beside it: handles, names, ranges.
 * Return: 0, or a negative FSIF_E* to answer with */
int fsi_backend_gather3(const struct fsif_backend *be, const struct fsi_backend_view *v,
                        struct fsif_fetched *rq, const void *slot);

/** fsi_backend_export - the store that export @number of the session is kept in; ops is NULL where
 * there is none */
struct fsif_backend_export fsi_backend_export(const struct fsif_backend *be, uint32_t number);

/** fsi_backend_attach - an export by name. Return: its number; a negative FSIF_E* */
int fsi_backend_attach(struct fsif_backend *be, const char *name);

/**
 * fsi_backend_park_lock - remember a lock that must wait
 *
 * It is not tried before fsi_backend_unpark_lock(), so that the answer to its request comes first.
 *
 * Return: its number; -FSIF_ENOLCK too many wait; -FSIF_EBADF the handle is closed by now
 */
int fsi_backend_park_lock(const struct fsif_backend *be, const struct fsi_backend_view *v,
                          const struct fsif_fetched *rq);
void fsi_backend_unpark_lock(struct fsif_backend *be, const struct fsi_backend_view *v,
                             uint32_t number);

/** fsi_backend_cancel_lock - end the wait of the lock with @cookie. Return: 0; -FSIF_ENOENT */
int fsi_backend_cancel_lock(struct fsif_backend *be, const struct fsi_backend_view *v,
                            uint64_t cookie);

/** fsi_backend_watch, fsi_backend_unwatch - Return: the watch's number, 0; a negative FSIF_E* */
int fsi_backend_watch(const struct fsif_backend *be, const struct fsi_backend_view *v,
                      const struct fsif_fetched *rq);
int fsi_backend_unwatch(const struct fsif_backend *be, const struct fsi_backend_view *v,
                        uint64_t number);

/** fsi_backend_retry_notices - send what found no room before; cheap if there is nothing */
void fsi_backend_retry_notices(struct fsif_backend *any);

/** fsi_backend_fini3 - forget locks and watches; nobody else uses the engine */
void fsi_backend_fini3(const struct fsif_backend *be, const struct fsi_backend_view *v);

/** fsi_backend_recover_locks - after another process died: the locks that wait go on, each with its
 * hold, which fsi_handles_recover() forgot */
void fsi_backend_recover_locks(const struct fsi_backend_view *v);

/** fsi_backend_recover3 - after another process died: void notices for the indices that it reserved
 * for some, watches are lost */
void fsi_backend_recover3(struct fsif_backend *be, const struct fsi_backend_view *v);

/** fsi_execute3 - carry a fetched request of dialect 3 out and complete it */
void fsi_execute3(struct fsif_backend *be, const struct fsi_backend_view *v,
                  struct fsif_fetched *rq);

#endif
