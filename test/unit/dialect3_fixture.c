/* SPDX-License-Identifier: MIT */
#include "dialect3_fixture.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <fsif/error.h>
#include <fsif/memory.h>
#include "le.h"

static struct d3 *the;

static int notify(struct fsif_session *s, uint32_t queue)
{
    (void)s;
    (void)queue;
    __atomic_add_fetch(&the->bells, 1, __ATOMIC_RELAXED);
    if (the->on_bell)
        the->on_bell();
    return 0;
}

static const struct fsif_transport transport = {.size = sizeof(transport), .notify = notify};

static void on_notice(void *arg, const struct fsif_notice *notice)
{
    struct d3 *d = arg;

    ck_assert_uint_lt(d->nnotices, D3_NOTICES);
    d->notices[d->nnotices++] = *notice;
}

static int on_attach(void *arg, const char *name, const struct fsif_store_ops **ops,
                     struct fsif_store **store)
{
    struct d3 *d = arg;

    __atomic_add_fetch(&d->attached, 1, __ATOMIC_RELAXED);
    if (strcmp(name, "other") != 0)
        return -FSIF_ENOENT;
    *ops = &fsif_store_memory;
    *store = d->other;
    return 0;
}

static void on_waiting(void *arg)
{
    __atomic_add_fetch(&((struct d3 *)arg)->waiting, 1, __ATOMIC_RELAXED);
}

static void *zeroed(size_t size)
{
    void *p = aligned_alloc(FSIF_PAGE_SIZE,
                            (size + FSIF_PAGE_SIZE - 1) / FSIF_PAGE_SIZE * FSIF_PAGE_SIZE);

    ck_assert_ptr_nonnull(p);
    memset(p, 0, size);
    return p;
}

static struct fsif_store *new_store(void)
{
    struct fsif_store_config c = {.size = sizeof(c), .source = "", .root_fd = -1};
    struct fsif_store *st;

    ck_assert_int_eq(fsif_store_memory.create(&c, &st), 0);
    return st;
}

static void begin_queue(struct d3 *d, uint32_t q, uint32_t first_index)
{
    d->ring[q] = zeroed(fsif_ring_bytes(D3_SLOTS));
    d->fc[q] = (struct fsif_frontend_config){.size = sizeof(d->fc[q]),
                                             .dialect = 3,
                                             .features = FSIF_FEATURE_ERRNO,
                                             .ring = d->ring[q],
                                             .first_index = first_index,
                                             .slots = D3_SLOTS,
                                             .max_io = D3_MAX_IO,
                                             .arena = &d->arena,
                                             .queue = q,
                                             .transport = &transport,
                                             .notice = on_notice,
                                             .notice_arg = d};
    d->bc[q] = (struct fsif_backend_config){.size = sizeof(d->bc[q]),
                                            .dialect = 3,
                                            .features = FSIF_FEATURE_ERRNO,
                                            .ring = d->ring[q],
                                            .first_index = first_index,
                                            .slots = D3_SLOTS,
                                            .max_handles = D3_HANDLES,
                                            .max_streams = 1,
                                            .transport = &transport,
                                            .queue = q,
                                            .store_ops = &fsif_store_memory,
                                            .store = d->store,
                                            .arena = d->arena_mem,
                                            .arena_pages = D3_ARENA,
                                            .max_io = D3_MAX_IO,
                                            .max_locks = D3_LOCKS,
                                            .max_watches = D3_WATCHES,
                                            .first = q ? &d->be[0] : NULL,
                                            .attach = on_attach,
                                            .waiting = on_waiting,
                                            .arg = d};
    d->memory[3 * q] = zeroed(fsif_frontend_state_size(&d->fc[q]));
    d->memory[3 * q + 1] = zeroed(fsif_frontend_calls_size(&d->fc[q]));
    ck_assert_int_eq(
        fsif_frontend_init(&d->fe[q], &d->fc[q], d->memory[3 * q], d->memory[3 * q + 1]), 0);
    d->memory[3 * q + 2] = zeroed(fsif_backend_state_size(&d->bc[q]));
    ck_assert_int_eq(fsif_backend_init(&d->be[q], &d->bc[q], d->memory[3 * q + 2]), 0);
}

void d3_begin(struct d3 *d, uint32_t first_index)
{
    memset(d, 0, sizeof(*d));
    the = d;
    d->store = new_store();
    d->other = new_store();
    d->arena_mem = zeroed(D3_ARENA * FSIF_PAGE_SIZE);
    d->arena_state = zeroed(fsif_arena_state_size(D3_ARENA));
    ck_assert_int_eq(fsif_arena_init(&d->arena, d->arena_mem, D3_ARENA, d->arena_state), 0);
    for (uint32_t q = 0; q < D3_QUEUES; q++)
        begin_queue(d, q, first_index);
}

void d3_end(struct d3 *d)
{
    struct fsif_range whole;

    /* Whatever a request took of the arena came back. */
    if (!fsif_frontend_dead(&d->fe[0]) && !fsif_frontend_dead(&d->fe[1]))
        ck_assert_int_eq(fsif_arena_get(&d->arena, D3_ARENA * FSIF_PAGE_SIZE, &whole), 0);
    for (uint32_t q = D3_QUEUES; q-- > 0;)
        fsif_backend_fini(&d->be[q]);
    fsif_store_memory.destroy(d->store);
    fsif_store_memory.destroy(d->other);
    for (uint32_t i = 0; i < 3 * D3_QUEUES; i++)
        free(d->memory[i]);
    for (uint32_t q = 0; q < D3_QUEUES; q++)
        free(d->ring[q]);
    free(d->arena_mem);
    free(d->arena_state);
}

static void on_done(struct fsif_call *call)
{
    struct d3 *d = call->arg;

    d->result = call->result;
    d->ran++;
}

int64_t d3_on(struct d3 *d, uint32_t queue, struct fsif_op op)
{
    struct fsif_call call = {.op = op, .deadline = FSIF_NEVER, .done = on_done, .arg = d};
    int err = fsif_frontend_submit(&d->fe[queue], &call);

    if (err)
        return err;
    d->ran = 0;
    ck_assert_int_ge(fsif_backend_serve(&d->be[queue], &d->rq), 0);
    ck_assert_int_ge(fsif_frontend_poll(&d->fe[queue]), 1);
    ck_assert_int_eq(d->ran, 1);
    return d->result.value;
}

int64_t d3_go(struct d3 *d, struct fsif_op op)
{
    return d3_on(d, 0, op);
}

uint32_t d3_open(struct d3 *d, const char *path, uint32_t flags)
{
    int64_t h = d3_go(d, (struct fsif_op){.type = FSIF_OP_OPEN,
                                          .handle = FSIF_HANDLE_ROOT,
                                          .path = path,
                                          .flags = flags,
                                          .mode = 0644});

    ck_assert_int_ge(h, 0);
    return (uint32_t)h;
}

int64_t d3_raw(struct d3 *d, const uint8_t slot[64])
{
    uint32_t prod = fsi_get32(d->ring[0]);
    uint32_t answered = fsi_get32(d->ring[0] + 64);
    uint8_t *at = d->ring[0] + 128 + prod % D3_SLOTS * 64;

    memcpy(at, slot, 64);
    fsi_put16(at + 2, prod % D3_SLOTS);
    fsi_put32(d->ring[0], prod + 1);
    if (fsif_backend_serve(&d->be[0], &d->rq) < 0)
        return INT64_MIN;
    ck_assert_uint_eq(fsi_get32(d->ring[0] + 64), answered + 1);
    at = d->ring[0] + 128 + D3_SLOTS * 64 + answered % (2 * D3_SLOTS) * 128;
    ck_assert_uint_eq(fsi_get16(at), prod % D3_SLOTS);
    return (int64_t)fsi_get64(at + 8);
}

struct fsif_op d3_lock(uint32_t h, uint32_t mode, uint32_t flags, uint64_t cookie)
{
    return (struct fsif_op){.type = FSIF_OP_LOCK,
                            .handle = h,
                            .mode = mode,
                            .flags = flags,
                            .cookie = cookie,
                            .length = 10};
}
