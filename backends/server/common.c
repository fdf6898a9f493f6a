/* SPDX-License-Identifier: MIT */
/*
 * Shared fields, written by everybody. places[i]: a worker changes 0 to its session's number and
 * back; the supervisor changes the number of a process that it reaped to 0. A worker that lies
 * takes time off the cores, or makes others sleep. moves[i] only grow, by those who moved
 * something, after it was done and before they answer. A worker that lies makes others forget what
 * they know, or act in a directory that an exclusive export's other session has moved meanwhile:
 * inside the export. That is all that it can do here.
 */
#include "common.h"

#include <errno.h>
#include <fcntl.h>
#include <fsif/error.h>
#include <fsif/host.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "barrier.h"

#define BYTES ((FSI_SPINNERS_MAX + FSI_MOVES) * sizeof(struct fsif_shared_u32))

uint32_t fsi_spinners_cores(void)
{
    cpu_set_t set;
    int n;

    CPU_ZERO(&set);
    /* It fails on machines with more cores than fit. */
    n = sched_getaffinity(0, sizeof(set), &set) ? CPU_SETSIZE : CPU_COUNT(&set);
    if (n <= 2)
        return 1;
    return (uint32_t)n - 1 < FSI_SPINNERS_MAX ? (uint32_t)n - 1 : FSI_SPINNERS_MAX;
}

int fsi_common_create(uint32_t count, struct fsi_common *out, int *fd)
{
    int rc = 0;

    memset(out, 0, sizeof(*out));
    *fd = memfd_create("fsif-common", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (*fd < 0)
        return -fsif_errno_from_host(errno);
    if (ftruncate(*fd, BYTES) || fcntl(*fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
        rc = -fsif_errno_from_host(errno);
    if (!rc)
        rc = fsi_common_map(*fd, count, out);
    if (rc) {
        close(*fd);
        *fd = -1;
    }
    return rc;
}

int fsi_common_map(int fd, uint32_t count, struct fsi_common *out)
{
    void *mem;

    if (count > FSI_SPINNERS_MAX)
        return -FSIF_EINVAL;
    mem = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (mem == MAP_FAILED)
        return -fsif_errno_from_host(errno);
    (void)madvise(mem, BYTES, MADV_DONTFORK);
    out->places = mem;
    out->count = count;
    out->moves = out->places + FSI_SPINNERS_MAX;
    return 0;
}

void fsi_common_unmap(struct fsi_common *c)
{
    if (c->places)
        munmap(c->places, BYTES);
    memset(c, 0, sizeof(*c));
}

int fsi_spinners_take(const struct fsi_common *c, uint32_t session)
{
    for (uint32_t i = 0; i < c->count; i++) {
        /* Sessions begin at different places, so that they seldom meet. */
        uint32_t at = (session + i) % c->count;

        if (!fsi_load_relaxed(&c->places[at]) && fsi_cas(&c->places[at], 0, session))
            return (int)at;
    }
    return -1;
}

void fsi_spinners_leave(const struct fsi_common *c, int place)
{
    if (place >= 0)
        fsi_store_release(&c->places[place], 0);
}

void fsi_spinners_forget(const struct fsi_common *c, uint32_t session)
{
    for (uint32_t i = 0; i < c->count; i++)
        (void)fsi_cas(&c->places[i], session, 0);
}

struct fsif_shared_u32 *fsi_moves_of(const struct fsi_common *c, const char *name)
{
    uint32_t hash = 2166136261u; /* FNV-1a */

    if (!c->moves)
        return NULL;
    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * 16777619u;
    return &c->moves[hash % FSI_MOVES];
}

uint32_t fsi_moves_add(void *counter, uint32_t add)
{
    struct fsif_shared_u32 *moves = counter;

    return add ? fsi_fetch_add(moves, add) + add : fsi_load_seq(moves);
}

void fsi_moves_unknown(const struct fsi_common *c)
{
    for (uint32_t i = 0; i < FSI_MOVES; i++)
        fsi_fetch_add(&c->moves[i], 1);
}
