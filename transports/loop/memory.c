/* SPDX-License-Identifier: MIT */
/*
 * Shared pages of a pair. They lie in a memfd although both sides are one process, so that pages
 * can be mapped a second time in another order. Pages in their own order are not mapped again:
 * both sides then use one mapping, through which ThreadSanitizer sees their races.
 */
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <fsif/host.h>
#include <fsif/op.h>

#include "pair.h"

static int last_error(void)
{
    return -fsif_errno_from_host(errno);
}

/* The page's address, or NULL if the other side did not share it or it was not accepted. */
static unsigned char *page_of(const struct fsif_session *s, uint32_t gref)
{
    const struct loop_pair *p = s->pair;

    if (!p->accepted || gref < LOOP_FIRST_GREF || gref - LOOP_FIRST_GREF >= p->npages)
        return NULL;
    return p->mem + (size_t)(gref - LOOP_FIRST_GREF) * FSIF_PAGE_SIZE;
}

int fsi_loop_share(struct fsif_session *s, uint32_t n, void **mem, uint32_t *grefs)
{
    struct loop_pair *p = s->pair;
    size_t size = (size_t)n * FSIF_PAGE_SIZE;
    int ret = 0;
    int fd;

    if (s->side != LOOP_FRONTEND || p->mem || n == 0 || size / FSIF_PAGE_SIZE != n)
        return -FSIF_EINVAL;
    fd = memfd_create("fsif-loop", MFD_CLOEXEC);
    if (fd < 0)
        return last_error();
    if (ftruncate(fd, (off_t)size) != 0) {
        ret = last_error();
        goto out;
    }
    p->mem = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p->mem == MAP_FAILED) {
        p->mem = NULL;
        ret = last_error();
        goto out;
    }
    madvise(p->mem, size, MADV_DONTFORK);
    p->npages = n;
    p->mem_fd = fd;
    fd = -1;
    for (uint32_t i = 0; i < n; i++)
        grefs[i] = LOOP_FIRST_GREF + i;
    *mem = p->mem;
out:
    if (fd >= 0)
        close(fd);
    return ret;
}

int fsi_loop_accept_memory(struct fsif_session *s, const struct fsif_dict *offer,
                           uint32_t max_pages)
{
    struct loop_pair *p = s->pair;
    uint32_t pages;

    if (s->side != LOOP_BACKEND)
        return -FSIF_EINVAL;
    if (fsif_dict_get_u32(offer, "pages", 1, UINT32_MAX, &pages) != 0)
        return -FSIF_EPROTO;
    if (pages > max_pages)
        return -FSIF_E2BIG;
    if (pages != p->npages)
        return -FSIF_EPROTO;
    p->accepted = 1;
    return 0;
}

/* 0: @n known pages, none of them twice; @in_order: receives whether they follow each other. */
static int check_grefs(const struct fsif_session *s, const uint32_t *grefs, uint32_t n,
                       int *in_order)
{
    unsigned char *seen;
    int ret = 0;

    if (n == 0 || n > s->pair->npages)
        return -FSIF_EINVAL;
    seen = calloc(s->pair->npages, 1);
    if (!seen)
        return -FSIF_ENOMEM;
    *in_order = 1;
    for (uint32_t i = 0; i < n && !ret; i++) {
        if (!page_of(s, grefs[i])) {
            ret = -FSIF_EFAULT;
        } else if (seen[grefs[i] - LOOP_FIRST_GREF]++) {
            ret = -FSIF_EINVAL;
        } else if (grefs[i] != grefs[0] + i) {
            *in_order = 0;
        }
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

int fsi_loop_map(struct fsif_session *s, const uint32_t *grefs, uint32_t n, void **mem)
{
    size_t size = (size_t)n * FSIF_PAGE_SIZE;
    unsigned char *base;
    int in_order;
    int ret = check_grefs(s, grefs, n, &in_order);

    if (ret)
        return ret;
    if (in_order) {
        *mem = page_of(s, grefs[0]);
        return 0;
    }
    base = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED)
        return last_error();
    for (uint32_t i = 0, run; i < n; i += run) {
        off_t at = (off_t)(grefs[i] - LOOP_FIRST_GREF) * (off_t)FSIF_PAGE_SIZE;

        run = run_of(grefs + i, n - i);
        if (mmap(base + (size_t)i * FSIF_PAGE_SIZE, (size_t)run * FSIF_PAGE_SIZE,
                 PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, s->pair->mem_fd,
                 at) == MAP_FAILED) {
            ret = last_error();
            munmap(base, size);
            return ret;
        }
    }
    madvise(base, size, MADV_DONTFORK);
    *mem = base;
    return 0;
}

void fsi_loop_unmap(struct fsif_session *s, void *mem, uint32_t n)
{
    uintptr_t at = (uintptr_t)mem, all = (uintptr_t)s->pair->mem;

    if (at - all >= (uintptr_t)s->pair->npages * FSIF_PAGE_SIZE)
        munmap(mem, (size_t)n * FSIF_PAGE_SIZE);
}

/* The place @off of a page, or NULL and why. */
static unsigned char *place(const struct fsif_session *s, uint32_t gref, uint32_t off, uint32_t len,
                            int *error)
{
    unsigned char *page = page_of(s, gref);

    *error = -FSIF_EFAULT;
    if (!page)
        return NULL;
    *error = -FSIF_EINVAL;
    return off <= FSIF_PAGE_SIZE && len <= FSIF_PAGE_SIZE - off ? page + off : NULL;
}

int fsi_loop_copy_from(struct fsif_session *s, uint32_t gref, uint32_t off, void *dst, uint32_t len)
{
    int error;
    const unsigned char *p = place(s, gref, off, len, &error);

    if (!p)
        return error;
    memcpy(dst, p, len);
    return 0;
}

int fsi_loop_copy_to(struct fsif_session *s, uint32_t gref, uint32_t off, const void *src,
                     uint32_t len)
{
    int error;
    unsigned char *p = place(s, gref, off, len, &error);

    if (!p)
        return error;
    memcpy(p, src, len);
    return 0;
}

void *fsi_loop_lend(struct fsif_session *s, uint32_t gref)
{
    return page_of(s, gref);
}
