/* SPDX-License-Identifier: MIT */
#include "memtransport.h"

#include <stdlib.h>
#include <string.h>
#include <fsif/error.h>
#include "barrier.h"

const uint32_t first_indices[NFIRSTS] = {0, 0x7fffffe0, 0xffffffff - 70, 0xffffffff - 3,
                                         0xffffffff};

static struct memtransport *self(struct fsif_session *s)
{
    return (struct memtransport *)(void *)s;
}

struct fsif_session *mem_session(struct memtransport *m)
{
    return (struct fsif_session *)(void *)m;
}

void mem_open(struct memtransport *m)
{
    memset(m, 0, sizeof(*m));
    m->page = aligned_alloc(FSIF_PAGE_SIZE, (size_t)MEM_PAGES * FSIF_PAGE_SIZE);
    if (!m->page)
        abort();
    memset(m->page, 0, (size_t)MEM_PAGES * FSIF_PAGE_SIZE);
}

void mem_close(struct memtransport *m)
{
    free(m->page);
    m->page = NULL;
}

uint32_t mem_notified(const struct memtransport *m)
{
    return __atomic_load_n(&m->notified, __ATOMIC_SEQ_CST);
}

static int mem_notify(struct fsif_session *s, uint32_t queue)
{
    struct memtransport *m = self(s);

    (void)queue;
    __atomic_fetch_add(&m->notified, 1, __ATOMIC_SEQ_CST);
    if (m->on_notify)
        m->on_notify(m->arg);
    return m->notify_error;
}

static int copy(struct fsif_session *s, uint32_t gref, uint32_t off, uint32_t len, uint32_t *count)
{
    (void)s;
    if (gref >= MEM_PAGES)
        return -FSIF_EFAULT;
    if (off > FSIF_PAGE_SIZE || len > FSIF_PAGE_SIZE - off)
        abort();
    __atomic_fetch_add(count, 1, __ATOMIC_SEQ_CST);
    return 0;
}

static int mem_copy_from(struct fsif_session *s, uint32_t gref, uint32_t off, void *dst,
                         uint32_t len)
{
    struct memtransport *m = self(s);
    int err = m->copy_from_error ? m->copy_from_error : copy(s, gref, off, len, &m->copied_from);

    /* memcpy may load a byte twice, which a test that watches the page would see. */
    if (!err && (off | len) % 8 == 0)
        fsi_copy_in(dst, m->page[gref] + off, len);
    else if (!err)
        memcpy(dst, m->page[gref] + off, len);
    return err;
}

static int mem_copy_to(struct fsif_session *s, uint32_t gref, uint32_t off, const void *src,
                       uint32_t len)
{
    struct memtransport *m = self(s);
    int err = m->copy_to_error ? m->copy_to_error : copy(s, gref, off, len, &m->copied_to);

    if (!err)
        memcpy(m->page[gref] + off, src, len);
    return err;
}

static void *mem_lend(struct fsif_session *s, uint32_t gref)
{
    struct memtransport *m = self(s);

    return m->lends && gref < MEM_PAGES ? m->page[gref] : NULL;
}

const struct fsif_transport mem_transport = {
    .size = sizeof(struct fsif_transport),
    .abi = FSIF_TRANSPORT_ABI,
    .name = "mem",
    .copy_from = mem_copy_from,
    .copy_to = mem_copy_to,
    .lend = mem_lend,
    .notify = mem_notify,
};

const struct fsif_transport mem_transport_copies = {
    .size = sizeof(struct fsif_transport),
    .abi = FSIF_TRANSPORT_ABI,
    .name = "mem-copies",
    .copy_from = mem_copy_from,
    .copy_to = mem_copy_to,
    .notify = mem_notify,
};
