/* SPDX-License-Identifier: MIT */
/*
 * Shared pages. The frontend makes a memfd; the backend must be able to touch every byte of it at
 * any time without SIGBUS, which a memory object raises for a page beyond its end or one that its
 * file system cannot provide. Neither can happen to memory that passed fsi_shm_check_memory():
 *  - SHRINK and GROW are sealed, so the size that was checked stays; SEAL is sealed, so nobody adds
 *    a WRITE seal later. (A WRITE seal would fail mmap, a FUTURE_WRITE seal is refused with it.)
 *  - It is tmpfs. A huge-page memfd takes the same seals, but a fault on it fails with SIGBUS once
 *    the pool of huge pages is empty.
 *  - A file that was opened on a mounted tmpfs, which may be full, cannot carry these seals: only
 *    memfd_create() makes files whose seals are open, and those lie on the kernel's own, unlimited
 *    tmpfs.
 * A hole that the peer punches reads as zeros. Running out of memory kills somebody, it does not
 * raise SIGBUS.
 */
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <fsif/error.h>
#include <fsif/op.h>

#include "internal.h"

#define SEALS_NEEDED (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif
#define SEALS_REFUSED (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)

int fsi_shm_check_memory(int fd, uint32_t pages)
{
    struct statfs fs;
    struct stat st;
    int seals;

    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        return -FSIF_EPROTO;
    if (fstatfs(fd, &fs) != 0 || fs.f_type != TMPFS_MAGIC)
        return -FSIF_EOPNOTSUPP;
    seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & SEALS_NEEDED) != SEALS_NEEDED || (seals & SEALS_REFUSED))
        return -FSIF_EACCES;
    /* After the seals: only now the size can no longer change. */
    if (fstat(fd, &st) != 0 || (uint64_t)st.st_size != (uint64_t)pages * FSIF_PAGE_SIZE)
        return -FSIF_EPROTO;
    return 0;
}

static void mark(void *mem, size_t size)
{
    madvise(mem, size, MADV_DONTFORK);
    madvise(mem, size, MADV_DONTDUMP);
}

int fsi_shm_map_all(int fd, uint32_t pages, unsigned char **out)
{
    size_t size = (size_t)pages * FSIF_PAGE_SIZE;
    void *mem;

    if (size / FSIF_PAGE_SIZE != pages)
        return -FSIF_ENOMEM;
    mem = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (mem == MAP_FAILED)
        return fsi_shm_last_error();
    mark(mem, size);
    *out = mem;
    return 0;
}

/* 0: @n known pages, none of them twice; @in_order: receives whether they follow each other. */
static int check_grefs(const struct fsif_session *s, const uint32_t *grefs, uint32_t n,
                       int *in_order)
{
    unsigned char *seen;
    int ret = 0;

    if (n == 0 || n > s->npages)
        return -FSIF_EINVAL;
    seen = calloc(s->npages, 1);
    if (!seen)
        return -FSIF_ENOMEM;
    *in_order = 1;
    for (uint32_t i = 0; i < n && !ret; i++) {
        if (grefs[i] >= s->npages)
            ret = -FSIF_EFAULT;
        else if (seen[grefs[i]]++)
            ret = -FSIF_EINVAL;
        else if (grefs[i] != grefs[0] + i)
            *in_order = 0;
    }
    free(seen);
    return ret;
}

/* How many of @grefs, of which there are @n, follow each other from the first on. */
static uint32_t run_of(const uint32_t *grefs, uint32_t n)
{
    uint32_t run = 1;

    while (run < n && grefs[run] == grefs[0] + run)
        run++;
    return run;
}

/* Another mapping of the same pages: MREMAP of length 0 duplicates a shared mapping, so the memfd
 * need not stay open. A mapping for each run of pages, not for each page: a process may have some
 * 65000 of them, and a peer that shuffles more pages than that has -FSIF_ENOMEM. */
static int map_scattered(struct fsif_session *s, const uint32_t *grefs, uint32_t n, void **mem)
{
    size_t size = (size_t)n * FSIF_PAGE_SIZE;
    unsigned char *base = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int ret;

    if (base == MAP_FAILED)
        return fsi_shm_last_error();
    for (uint32_t i = 0, run; i < n; i += run) {
        void *from = s->mem + (size_t)grefs[i] * FSIF_PAGE_SIZE;

        run = run_of(grefs + i, n - i);
        if (mremap(from, 0, (size_t)run * FSIF_PAGE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED,
                   base + (size_t)i * FSIF_PAGE_SIZE) == MAP_FAILED) {
            ret = fsi_shm_last_error();
            munmap(base, size);
            return ret;
        }
    }
    mark(base, size);
    *mem = base;
    return 0;
}

int fsi_shm_map(struct fsif_session *s, const uint32_t *grefs, uint32_t n, void **mem)
{
    int in_order;
    int ret = check_grefs(s, grefs, n, &in_order);

    if (ret)
        return ret;
    if (!in_order)
        return map_scattered(s, grefs, n, mem);
    *mem = s->mem + (size_t)grefs[0] * FSIF_PAGE_SIZE;
    return 0;
}

void fsi_shm_unmap(struct fsif_session *s, void *mem, uint32_t n)
{
    /* Pages in order lie in the one mapping, which goes with the session. */
    if ((uintptr_t)mem - (uintptr_t)s->mem >= (uintptr_t)s->npages * FSIF_PAGE_SIZE)
        munmap(mem, (size_t)n * FSIF_PAGE_SIZE);
}

static int check_range(const struct fsif_session *s, uint32_t gref, uint32_t off, uint32_t len)
{
    if (gref >= s->npages)
        return -FSIF_EFAULT;
    return off <= FSIF_PAGE_SIZE && len <= FSIF_PAGE_SIZE - off ? 0 : -FSIF_EINVAL;
}

int fsi_shm_copy_from(struct fsif_session *s, uint32_t gref, uint32_t off, void *dst, uint32_t len)
{
    int ret = check_range(s, gref, off, len);

    if (!ret)
        memcpy(dst, s->mem + (size_t)gref * FSIF_PAGE_SIZE + off, len);
    return ret;
}

int fsi_shm_copy_to(struct fsif_session *s, uint32_t gref, uint32_t off, const void *src,
                    uint32_t len)
{
    int ret = check_range(s, gref, off, len);

    if (!ret)
        memcpy(s->mem + (size_t)gref * FSIF_PAGE_SIZE + off, src, len);
    return ret;
}

void *fsi_shm_lend(struct fsif_session *s, uint32_t gref)
{
    return gref < s->npages ? s->mem + (size_t)gref * FSIF_PAGE_SIZE : NULL;
}
