/* SPDX-License-Identifier: MIT */
#ifndef FSI_SERVER_COMMON_H
#define FSI_SERVER_COMMON_H

/*
 * What all sessions of a daemon share: some pages that the supervisor makes and its workers map,
 * and that hold nothing of any peer.
 *
 * Spinners: places for threads that look out for requests instead of sleeping: one fewer than the
 * daemon has cores, but at least one, so that those who look out never keep those who work off
 * every core.
 *
 * Moves: how often the sessions of an export moved or removed directories there, or changed who may
 * pass them, so that each learns that what it remembers of paths may be wrong. Exports whose names
 * fall together count together, which costs them no more than that memory.
 */

#include <stdint.h>
#include <fsif/wire.h>

#define FSI_SPINNERS_MAX 256u
#define FSI_MOVES 256u

/* Longest time to look out, microseconds */
#define FSI_SPIN_MAX 100000u

/* A process's view. All zero: there are no places. */
struct fsi_common {
    struct fsif_shared_u32 *places; /* number of the session that is there, or 0 */
    uint32_t count;                 /* of them */
    struct fsif_shared_u32 *moves;  /* FSI_MOVES */
};

/** fsi_spinners_cores - cores that this process may run on, less one; 1 .. FSI_SPINNERS_MAX. On a
 * single core whoever looks out yields it at every look */
uint32_t fsi_spinners_cores(void);

/**
 * fsi_common_create - make the memory, with @count places
 *
 * @fd: receives a descriptor for workers. Its file cannot change its size
 *
 * Return: 0; a negative FSIF_E*
 */
int fsi_common_create(uint32_t count, struct fsi_common *out, int *fd);

/** fsi_common_map - a worker's view. Return: 0; a negative FSIF_E* */
int fsi_common_map(int fd, uint32_t count, struct fsi_common *out);

/** fsi_common_unmap - and there are no places any more */
void fsi_common_unmap(struct fsi_common *c);

/**
 * fsi_spinners_take - a place for a thread of session @session
 *
 * Return:  the place; -1 none is free
 * Threads: any
 */
int fsi_spinners_take(const struct fsi_common *c, uint32_t session);

/** fsi_spinners_leave - @place may be -1. Threads: any */
void fsi_spinners_leave(const struct fsi_common *c, int place);

/** fsi_spinners_forget - the session's process is gone: so are its threads */
void fsi_spinners_forget(const struct fsi_common *c, uint32_t session);

/** fsi_moves_of - the counter of export @name, as fsi_moves_add() takes it; NULL: there is none */
struct fsif_shared_u32 *fsi_moves_of(const struct fsi_common *c, const char *name);

/**
 * fsi_moves_add - one of the counters of fsif_store_config
 *
 * @counter: struct fsif_shared_u32
 *
 * Return: the count, @add included. Threads: any
 */
uint32_t fsi_moves_add(void *counter, uint32_t add);

/** fsi_moves_unknown - a worker died, perhaps before it counted what it moved */
void fsi_moves_unknown(const struct fsi_common *c);

#endif
