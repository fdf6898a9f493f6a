/* SPDX-License-Identifier: MIT */
/*
 * Shared fields: places[i], written by everybody. A worker changes 0 to its session's number and
 * back; the supervisor changes the number of a process that it reaped to 0. A worker that lies
 * takes time off the cores, or makes others sleep; that is all that it can do here.
 */
#include "spinners.h"

#include <errno.h>
#include <fcntl.h>
#include <fsif/error.h>
#include <fsif/host.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "barrier.h"

#define BYTES (FSI_SPINNERS_MAX * sizeof(struct fsif_shared_u32))

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

int fsi_spinners_create(uint32_t count, struct fsi_spinners *out, int *fd)
{
    int rc = 0;

    memset(out, 0, sizeof(*out));
    *fd = memfd_create("fsif-spinners", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (*fd < 0)
        return -fsif_errno_from_host(errno);
    if (ftruncate(*fd, BYTES) || fcntl(*fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
        rc = -fsif_errno_from_host(errno);
    if (!rc)
        rc = fsi_spinners_map(*fd, count, out);
    if (rc) {
        close(*fd);
        *fd = -1;
    }
    return rc;
}

int fsi_spinners_map(int fd, uint32_t count, struct fsi_spinners *out)
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
    return 0;
}

void fsi_spinners_unmap(struct fsi_spinners *s)
{
    if (s->places)
        munmap(s->places, BYTES);
    memset(s, 0, sizeof(*s));
}

int fsi_spinners_take(const struct fsi_spinners *s, uint32_t session)
{
    for (uint32_t i = 0; i < s->count; i++) {
        /* Sessions begin at different places, so that they seldom meet. */
        uint32_t at = (session + i) % s->count;

        if (!fsi_load_relaxed(&s->places[at]) && fsi_cas(&s->places[at], 0, session))
            return (int)at;
    }
    return -1;
}

void fsi_spinners_leave(const struct fsi_spinners *s, int place)
{
    if (place >= 0)
        fsi_store_release(&s->places[place], 0);
}

void fsi_spinners_forget(const struct fsi_spinners *s, uint32_t session)
{
    for (uint32_t i = 0; i < s->count; i++)
        (void)fsi_cas(&s->places[i], session, 0);
}
