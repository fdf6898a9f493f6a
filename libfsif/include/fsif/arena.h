/* SPDX-License-Identifier: MIT */
#ifndef FSIF_ARENA_H
#define FSIF_ARENA_H

/*
 * The arena of dialect 3: memory that both sides have mapped for the session's life. The frontend
 * alone hands out parts of it; a request names them. Lock-free: any number of threads, and the
 * queues of one session share it. The state is plain integers and lies in the caller's storage.
 */

#include <stddef.h>
#include <stdint.h>
#include <fsif/op.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Parts are whole pages. */
#define FSIF_ARENA_PAGES_MIN 16u
#define FSIF_ARENA_PAGES_MAX 65536u

struct fsi_arena_state;

/* This process's view. Fields are private. */
struct fsif_arena {
    uint8_t *mem_;
    struct fsi_arena_state *state_;
};

/** fsif_arena_state_size - Return: bytes; 0 if @pages is out of range */
size_t fsif_arena_state_size(uint32_t pages);

/**
 * fsif_arena_init - all of it free
 *
 * @mem:   @pages pages, mapped, shared with the backend
 * @state: fsif_arena_state_size() bytes, 4-byte aligned
 *
 * Return: 0; -FSIF_EINVAL
 */
int fsif_arena_init(struct fsif_arena *a, void *mem, uint32_t pages, void *state);

/** fsif_arena_resume - go on with the state that another process left; its own parts stay taken.
 * Return: 0; -FSIF_EINVAL */
int fsif_arena_resume(struct fsif_arena *a, void *mem, uint32_t pages, void *state);

/**
 * fsif_arena_get - a part that nobody else uses
 *
 * @len: bytes, 1 .. the arena's; the part is as many pages as they take
 *
 * Return:  0 and @out, out->len is @len; -FSIF_EAGAIN none of that size is free now; -FSIF_EINVAL
 * Threads: any
 */
int fsif_arena_get(struct fsif_arena *a, uint32_t len, struct fsif_range *out);

/**
 * fsif_arena_put - give a part back
 *
 * @range: as fsif_arena_get() gave it. No request that names it may be unanswered: the backend may
 *         still write there
 */
void fsif_arena_put(struct fsif_arena *a, const struct fsif_range *range);

/** fsif_arena_at - where a part lies. Return: NULL if it is not within the arena */
void *fsif_arena_at(const struct fsif_arena *a, const struct fsif_range *range);

/** fsif_arena_size - bytes */
uint32_t fsif_arena_size(const struct fsif_arena *a);

#ifdef __cplusplus
}
#endif
#endif
