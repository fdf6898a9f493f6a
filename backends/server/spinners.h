/* SPDX-License-Identifier: MIT */
#ifndef FSI_SERVER_SPINNERS_H
#define FSI_SERVER_SPINNERS_H

/*
 * Places for threads that look out for requests instead of sleeping: one fewer than the daemon has
 * cores, but at least one, for all its sessions together, so that those who look out never keep
 * those who work off every core. They lie in a page that the supervisor makes and its workers map,
 * and that holds nothing of any peer.
 */

#include <stdint.h>
#include <fsif/wire.h>

#define FSI_SPINNERS_MAX 256u

/* Longest time to look out, microseconds */
#define FSI_SPIN_MAX 100000u

/* A process's view. All zero: there are no places. */
struct fsi_spinners {
    struct fsif_shared_u32 *places; /* number of the session that is there, or 0 */
    uint32_t count;
};

/** fsi_spinners_cores - cores that this process may run on, less one; 1 .. FSI_SPINNERS_MAX. On a
 * single core whoever looks out yields it at every look */
uint32_t fsi_spinners_cores(void);

/**
 * fsi_spinners_create - make the page, with @count places
 *
 * @fd: receives a descriptor for workers. Its file cannot change its size
 *
 * Return: 0; a negative FSIF_E*
 */
int fsi_spinners_create(uint32_t count, struct fsi_spinners *out, int *fd);

/** fsi_spinners_map - a worker's view. Return: 0; a negative FSIF_E* */
int fsi_spinners_map(int fd, uint32_t count, struct fsi_spinners *out);

/** fsi_spinners_unmap - and there are no places any more */
void fsi_spinners_unmap(struct fsi_spinners *s);

/**
 * fsi_spinners_take - a place for a thread of session @session
 *
 * Return:  the place; -1 none is free
 * Threads: any
 */
int fsi_spinners_take(const struct fsi_spinners *s, uint32_t session);

/** fsi_spinners_leave - @place may be -1. Threads: any */
void fsi_spinners_leave(const struct fsi_spinners *s, int place);

/** fsi_spinners_forget - the session's process is gone: so are its threads */
void fsi_spinners_forget(const struct fsi_spinners *s, uint32_t session);

#endif
