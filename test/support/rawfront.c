/* SPDX-License-Identifier: MIT */
#include "rawfront.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "barrier.h"
#include "ring.h"

static void on_poisoned(void *arg, enum fsif_poison reason)
{
    struct rawfront *f = arg;

    f->poisoned++;
    f->reason = reason;
}

static void on_begin(void *arg, const struct fsif_event *event)
{
    struct rawfront *f = arg;

    __atomic_fetch_add(&f->begun, 1, __ATOMIC_SEQ_CST);
    f->last_begin = *event;
}

static void on_end(void *arg, const struct fsif_event *event)
{
    struct rawfront *f = arg;

    __atomic_fetch_add(&f->ended, 1, __ATOMIC_SEQ_CST);
    f->last_end = *event;
}

void raw_config(struct rawfront *f, uint32_t first_index)
{
    struct fsi_ring requests, responses;

    memset(f, 0, sizeof(*f));
    mem_open(&f->mem);
    script_init(&f->store);
    f->ring = (struct fsif_wire_ring *)(void *)f->mem.page[0];
    fsi_ring_requests(&requests, f->ring, 1, FSIF_WIRE1_SLOT);
    fsi_ring_responses(&responses, f->ring, 1, FSIF_WIRE1_SLOT);
    fsi_ring_format(&requests, &responses, first_index);
    f->sent = f->got = first_index;
    f->hooks = (struct fsif_hooks){sizeof(f->hooks), f, on_poisoned, on_begin, on_end};
    f->config = (struct fsif_backend_config){
        .size = sizeof(f->config),
        .dialect = RAW_DIALECT,
        .features = FSIF_FEATURE_ERRNO,
        .ring = f->ring,
        .ring_pages = 1,
        .first_index = first_index,
        .max_handles = 40,
        .max_streams = 2,
        .transport = &mem_transport,
        .session = mem_session(&f->mem),
        .store_ops = &script_ops,
        .store = script_store(&f->store),
        .hooks = &f->hooks,
    };
}

void raw_start(struct rawfront *f)
{
    size_t size = fsif_backend_state_size(&f->config);

    ck_assert_uint_gt(size, 0);
    f->state = malloc(size);
    ck_assert_ptr_nonnull(f->state);
    memset(f->state, 0xdb, size);
    ck_assert_int_eq(fsif_backend_init(&f->be, &f->config, f->state), 0);
}

void raw_begin(struct rawfront *f, uint32_t first_index)
{
    raw_config(f, first_index);
    raw_start(f);
}

void raw_end(struct rawfront *f)
{
    fsif_backend_fini(&f->be);
    ck_assert_uint_eq(fsif_backend_handles(&f->be), 0);
    ck_assert_uint_eq(f->store.opens, f->store.closes);
    ck_assert_uint_eq(f->store.list_opens, f->store.list_closes);
    ck_assert_uint_eq(f->store.wrong, 0);
    free(f->state);
    script_fini(&f->store);
    mem_close(&f->mem);
}

unsigned char *raw_page(struct rawfront *f, uint32_t id)
{
    return f->mem.page[id + 1];
}

struct fsif_wire1_request raw_request(uint32_t type, uint32_t id)
{
    struct fsif_wire1_request rq;

    memset(&rq, 0, sizeof(rq));
    rq.type = (uint8_t)type;
    rq.id = (uint16_t)id;
    switch (type) {
    case FSIF_WIRE_OPEN:
    case FSIF_WIRE_REMOVE:
    case FSIF_WIRE_SPACE:
        rq.u.path.gref = id + 1;
        break;
    case FSIF_WIRE_CREATE:
        rq.u.create.gref = id + 1;
        break;
    default: /* at the same place in all others; no harm in those without */
        rq.u.io.gref = id + 1;
    }
    return rq;
}

struct fsif_wire1_request raw_named(struct rawfront *f, uint32_t type, uint32_t id,
                                    const char *name)
{
    strncpy((char *)raw_page(f, id), name, FSIF_PAGE_SIZE);
    return raw_request(type, id);
}

struct fsif_wire1_request raw_on_handle(uint32_t type, uint32_t id, uint32_t handle)
{
    struct fsif_wire1_request rq = raw_request(type, id);

    rq.u.io.fd = handle;
    return rq;
}

void raw_send(struct rawfront *f, const struct fsif_wire1_request *rq)
{
    struct fsi_ring r;

    fsi_ring_requests(&r, f->ring, RAW_IDS, RAW_SLOT);
    f->types[rq->id] = rq->type;
    raw_put_request(r.slots + (size_t)(f->sent % RAW_IDS) * RAW_SLOT, rq);
    fsi_store_seq(&f->ring->req_prod, ++f->sent);
}

int raw_receive(struct rawfront *f, struct fsif_wire1_response *out)
{
    const volatile unsigned char *slot;
    struct fsi_ring r;
    uint32_t id;

    if (fsi_load_acquire(&f->ring->rsp_prod) == f->got)
        return 0;
    fsi_ring_responses(&r, f->ring, RAW_IDS, RAW_SLOT);
    slot = r.slots + (size_t)(f->got++ % RAW_IDS) * RAW_SLOT;
    id = (uint32_t)slot[0] | (uint32_t)slot[1] << 8;
    raw_get_response(slot, f->types[id], raw_page(f, id % RAW_IDS), out);
    return 1;
}

int64_t raw_call(struct rawfront *f, const struct fsif_wire1_request *rq)
{
    static struct fsif_fetched fetched;
    struct fsif_wire1_response answer, other;

    raw_send(f, rq);
    ck_assert_int_ge(fsif_backend_serve(&f->be, &fetched), 0);
    ck_assert_int_eq(raw_receive(f, &answer), 1);
    ck_assert_int_eq(raw_receive(f, &other), 0);
    ck_assert_uint_eq(answer.id, rq->id);
    ck_assert_uint_eq(fsif_backend_busy(&f->be), 0);
    return (int64_t)answer.ret;
}

uint32_t raw_open(struct rawfront *f)
{
    struct fsif_wire1_request rq = raw_named(f, FSIF_WIRE_OPEN, 0, "file");
    int64_t handle = raw_call(f, &rq);

    ck_assert_int_ge(handle, 0);
    return (uint32_t)handle;
}

void raw_send_handle(struct rawfront *f, uint32_t type, uint32_t id, uint32_t handle, uint64_t len)
{
    struct fsif_wire1_request r = raw_on_handle(type, id, handle);

    if (type == FSIF_WIRE_READ || type == FSIF_WIRE_WRITE)
        r.u.io.len = len;
    raw_send(f, &r);
}

void raw_expect(struct rawfront *f, uint32_t id, int64_t ret)
{
    static const unsigned char zero[16];
    struct fsif_wire1_response r;

    ck_assert_int_eq(raw_receive(f, &r), 1);
    ck_assert_uint_eq(r.id, id);
    ck_assert_int_eq((int64_t)r.ret, ret);
    /* B27 */
    ck_assert_uint_eq(r.pad0, 0);
    ck_assert_uint_eq(r.pad1, 0);
    ck_assert_mem_eq(r.unused, zero, sizeof(zero));
}

void raw_expect_nothing(struct rawfront *f)
{
    struct fsif_wire1_response r;

    ck_assert_int_eq(raw_receive(f, &r), 0);
}

void raw_expect_poison(struct rawfront *f, enum fsif_poison reason)
{
    static struct fsif_fetched rq;
    uint32_t answered = f->ring->rsp_prod.v_;

    ck_assert_int_eq(fsif_backend_fetch(&f->be, &rq), -FSIF_EPROTO);
    ck_assert_int_eq(fsif_backend_fetch(&f->be, &rq), -FSIF_EPROTO);
    ck_assert_int_eq(fsif_backend_serve(&f->be, &rq), -FSIF_EPROTO);
    ck_assert_int_eq(fsif_backend_reason(&f->be), reason);
    ck_assert_uint_eq(f->poisoned, 1);
    ck_assert_int_eq(f->reason, reason);
    ck_assert_uint_eq(f->ring->rsp_prod.v_, answered);
}

void raw_execute(struct rawfront *f, struct fsif_fetched *rq)
{
    fsif_backend_execute(&f->be, rq);
    fsif_backend_flush(&f->be);
}

void raw_complete(struct rawfront *f, struct fsif_fetched *rq, const struct fsif_result *result,
                  uint64_t file)
{
    fsif_backend_complete(&f->be, rq, result, file);
    fsif_backend_flush(&f->be);
}
