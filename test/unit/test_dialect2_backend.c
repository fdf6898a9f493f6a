/* SPDX-License-Identifier: MIT */
/* A backend of dialect 2: requests of several pages, long rings. Rows B4 B5 B6 B10 B27. */
#include <string.h>

#include "barrier.h"
#include "parts.h"
#include "rawfront.h"
#include "ring.h"

static struct rawfront f;
static struct fsif_fetched fetched;
static uint32_t nslots;

static void begin(uint32_t ring_pages)
{
    raw_config(&f, 0);
    f.config.ring_pages = ring_pages;
    raw_start(&f);
    nslots = ring_pages * 64;
}

static void send2(const struct fsif_wire2_request *rq)
{
    struct fsi_ring r;

    fsi_ring_requests(&r, f.ring, nslots, FSIF_WIRE2_SLOT);
    fsi_copy_out(r.slots + (size_t)(f.sent % nslots) * FSIF_WIRE2_SLOT, rq, sizeof(*rq));
    fsi_store_seq(&f.ring->req_prod, ++f.sent);
}

static struct fsif_wire2_response receive2(void)
{
    struct fsif_wire2_response rsp;
    struct fsi_ring r;

    ck_assert_uint_ne(fsi_load_acquire(&f.ring->rsp_prod), f.got);
    fsi_ring_responses(&r, f.ring, nslots, FSIF_WIRE2_SLOT);
    fsi_copy_in(&rsp, r.slots + (size_t)(f.got++ % nslots) * FSIF_WIRE2_SLOT, sizeof(rsp));
    return rsp;
}

static struct fsif_wire2_response call2(const struct fsif_wire2_request *rq)
{
    struct fsif_wire2_response rsp;

    send2(rq);
    ck_assert_int_eq(fsif_backend_serve(&f.be, &fetched) < 0, 0);
    rsp = receive2();
    ck_assert_uint_eq(rsp.id, rq->id);
    ck_assert_uint_eq(fsi_load_acquire(&f.ring->rsp_prod), f.got);
    return rsp;
}

static struct fsif_wire2_request io2(uint8_t type, uint32_t handle, uint64_t len, uint32_t first,
                                     int step)
{
    struct fsif_wire2_request rq = {.type = type, .id = 1};

    rq.u.io.fd = handle;
    rq.u.io.len = len;
    for (int i = 0; i < 6; i++)
        rq.u.io.grefs[i] = (uint32_t)((int)first + i * step);
    return rq;
}

static int64_t io_ret(const struct fsif_wire2_request *rq)
{
    return (int64_t)call2(rq).u.ret;
}

static void fill_pages(uint32_t first, int step)
{
    for (int i = 0; i < 6; i++)
        memset(f.mem.page[(int)first + i * step], 'a' + i, FSIF_PAGE_SIZE);
}

static void check_written(uint32_t len)
{
    for (uint32_t i = 0; i < len; i++)
        ck_assert_int_eq(f.store.data[i], 'a' + (int)(i / FSIF_PAGE_SIZE));
}

/* Pages that follow each other in this process are lent; any others go through the copy. */
START_TEST(writes)
{
    static const uint32_t lengths[] = {24576, 20481, 20480, 4097, 4096, 1};
    int step = _i == 0 ? 1 : -2;
    struct fsif_wire2_request rq;
    uint32_t handle;

    begin(1);
    handle = raw_open(&f);
    f.mem.lends = 1;
    fill_pages(20, step);
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        uint32_t npages = (lengths[i] + 4095) / 4096;
        int lent = step == 1 || npages == 1;

        memset(f.store.data, 0, sizeof(f.store.data));
        f.mem.copied_from = 0;
        f.store.answer[FSIF_OP_WRITE] = lengths[i];
        rq = io2(FSIF_WIRE_WRITE, handle, lengths[i], 20, step);
        ck_assert_int_eq(io_ret(&rq), lengths[i]);
        ck_assert_uint_eq(f.store.length, lengths[i]);
        check_written(lengths[i]);
        ck_assert_int_eq(f.store.buffer == (void *)f.mem.page[20], lent);
        ck_assert_uint_eq(f.mem.copied_from, lent ? 0 : npages);
    }
    raw_end(&f);
}
END_TEST

static void check_page(uint32_t page, uint32_t used)
{
    for (uint32_t i = 0; i < FSIF_PAGE_SIZE; i++)
        ck_assert_uint_eq(f.mem.page[page][i], i < used ? (unsigned char)(i + 1) : 0xa5);
}

START_TEST(reads)
{
    struct fsif_wire2_request rq;
    uint32_t handle;
    int step = _i == 0 ? 1 : -3;

    begin(1);
    handle = raw_open(&f);
    f.mem.lends = _i != 2;
    memset(f.mem.page[1], 0xa5, (size_t)(MEM_PAGES - 1) * FSIF_PAGE_SIZE);
    f.store.answer[FSIF_OP_READ] = 2 * 4096 + 10;
    rq = io2(FSIF_WIRE_READ, handle, 24576, 30, step);
    ck_assert_int_eq(io_ret(&rq), 2 * 4096 + 10);
    for (uint32_t page = 1; page < MEM_PAGES; page++) {
        int place = ((int)page - 30) / step;

        if ((int)page - 30 != place * step || place < 0 || place > 2)
            check_page(page, 0);
        else
            check_page(page, place < 2 ? FSIF_PAGE_SIZE : 10);
    }
    ck_assert_uint_eq(f.mem.copied_to, _i == 0 ? 0 : 3);
    /* The same page twice is the peer's own affair. */
    rq = io2(FSIF_WIRE_READ, handle, 24576, 9, 0);
    ck_assert_int_eq(io_ret(&rq), 2 * 4096 + 10);
    raw_end(&f);
}
END_TEST

/* B6: one bad page of several is one error, and the store sees nothing of a write. */
START_TEST(B6_one_bad_page)
{
    struct fsif_wire2_request rq;
    uint32_t handle;

    begin(1);
    handle = raw_open(&f);
    f.mem.lends = _i;
    f.store.answer[FSIF_OP_READ] = f.store.answer[FSIF_OP_WRITE] = 24576;
    for (int bad = 0; bad < 6; bad++) {
        uint32_t calls = f.store.calls;

        rq = io2(FSIF_WIRE_WRITE, handle, 24576, 10, 1);
        rq.u.io.grefs[bad] = UINT32_MAX;
        ck_assert_int_eq(io_ret(&rq), -FSIF_EFAULT);
        ck_assert_uint_eq(f.store.calls, calls);
        rq.type = FSIF_WIRE_READ;
        ck_assert_int_eq(io_ret(&rq), -FSIF_EFAULT);
        /* It does not matter where the length does not reach it. */
        if (bad > 0) {
            rq.u.io.len = (uint64_t)bad * 4096;
            f.store.answer[FSIF_OP_READ] = bad * 4096;
            ck_assert_int_eq(io_ret(&rq), bad * 4096);
            f.store.answer[FSIF_OP_READ] = 24576;
        }
    }
    raw_end(&f);
}
END_TEST

/* B4, B5: old frontends reckoned with 9 to 11 grefs. */
START_TEST(B5_more_than_the_slot_holds)
{
    static const uint64_t bad[] = {24577, 9 * 4096, 10 * 4096, 11 * 4096, UINT64_C(1) << 52};
    struct fsif_wire2_request rq;
    uint32_t handle;

    begin(1);
    handle = raw_open(&f);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        rq = io2(FSIF_WIRE_WRITE, handle, bad[i], 10, 1);
        ck_assert_int_eq(io_ret(&rq), -FSIF_EINVAL);
        rq.type = FSIF_WIRE_READ;
        ck_assert_int_eq(io_ret(&rq), -FSIF_EINVAL);
    }
    ck_assert_uint_eq(f.store.calls, 1);
    ck_assert_int_eq(fsif_backend_reason(&f.be), FSIF_POISON_NONE);
    raw_end(&f);
}
END_TEST

/* The defect of 2008: bytes of the stack in the answer to stat. */
START_TEST(B27_stat_leaks_nothing)
{
    static const unsigned char zero[FSIF_WIRE2_SLOT];
    struct fsif_wire2_request rq = {.type = FSIF_WIRE_STAT, .id = 9};
    struct fsif_wire2_response rsp;

    begin(1);
    memset(f.mem.page[0] + 64, 0xa5, 64 * FSIF_WIRE2_SLOT);
    f.store.attr = (struct fsif_attr){.mode = 0100600, .size = 5, .mtime = 6};
    rq.u.handle.fd = raw_open(&f);
    rsp = call2(&rq);
    ck_assert_int_eq(rsp.u.attr.ret, 0);
    ck_assert_int_eq(rsp.u.attr.mode, 0100600);
    ck_assert_int_eq(rsp.u.attr.size, 5);
    ck_assert_int_eq(rsp.u.attr.mtime, 6);
    ck_assert_uint_eq(rsp.pad1, 0);
    f.store.answer[FSIF_OP_STAT] = -FSIF_EIO;
    rsp = call2(&rq);
    ck_assert_int_eq(rsp.u.attr.ret, -FSIF_EIO);
    rsp.u.attr.ret = 0;
    rsp.id = 0;
    ck_assert_mem_eq(&rsp, zero, sizeof(zero));
    rq.u.handle.fd = 4711;
    ck_assert_int_eq(call2(&rq).u.attr.ret, -FSIF_EBADF);
    raw_end(&f);
}
END_TEST

/* B10: every id of a long ring at once, answered in any order; the next one is none. */
START_TEST(B10_long_rings)
{
    static const uint32_t pages[] = {1, 2, 4, 8, 16};
    struct fsif_wire2_request rq = {.type = FSIF_WIRE_SYNC};

    begin(pages[_i]);
    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t id = 0; id < nslots; id++) {
            rq.id = (uint16_t)(nslots - 1 - id);
            rq.u.handle.fd = id;
            send2(&rq);
        }
        ck_assert_int_eq(fsif_backend_serve(&f.be, &fetched), 0);
        for (uint32_t id = 0; id < nslots; id++) {
            struct fsif_wire2_response rsp = receive2();

            ck_assert_uint_eq(rsp.id, nslots - 1 - id);
            ck_assert_int_eq((int64_t)rsp.u.ret, -FSIF_EBADF);
        }
    }
    rq.id = (uint16_t)nslots;
    send2(&rq);
    raw_expect_poison(&f, FSIF_POISON_ID);
    raw_end(&f);
}
END_TEST

static const char *opened_as(const char *name)
{
    struct fsif_wire1_request rq = raw_named(&f, FSIF_WIRE_REMOVE, 1, name);

    f.store.path[0] = '\0';
    ck_assert_int_eq(raw_call(&f, &rq), 0);
    return f.store.path;
}

/* Whole components, of absolute names only, before the store sees them. */
START_TEST(stripped_names)
{
    struct fsif_wire1_request rq;

    raw_config(&f, 0);
    f.config.strip_prefix = "srv/data";
    raw_start(&f);
    ck_assert_str_eq(opened_as("/srv/data/x/y"), "x/y");
    ck_assert_str_eq(opened_as("//srv/.//data///x/"), "x/");
    ck_assert_str_eq(opened_as("/srv/data"), ".");
    ck_assert_str_eq(opened_as("/srv/data/"), ".");
    ck_assert_str_eq(opened_as("/srv/data/srv/data/x"), "srv/data/x");
    ck_assert_str_eq(opened_as("/srv/database"), "srv/database");
    ck_assert_str_eq(opened_as("/srv/dat"), "srv/dat");
    ck_assert_str_eq(opened_as("/srv"), "srv");
    ck_assert_str_eq(opened_as("/x/srv/data"), "x/srv/data");
    ck_assert_str_eq(opened_as("/"), ".");
    ck_assert_str_eq(opened_as("srv/data/x"), "srv/data/x");
    ck_assert_str_eq(opened_as("./srv/data/x"), "srv/data/x");
    rq = raw_named(&f, FSIF_WIRE_REMOVE, 1, "/srv/data/../x");
    ck_assert_int_eq(raw_call(&f, &rq), -FSIF_EACCES);
    memcpy(raw_page(&f, 1), "/srv/data/one\0/srv/data/two", 28);
    rq = raw_request(FSIF_WIRE_RENAME, 1);
    rq.u.rename.new_offset = 14;
    ck_assert_int_eq(raw_call(&f, &rq), 0);
    ck_assert_str_eq(f.store.path, "one");
    ck_assert_str_eq(f.store.path2, "two");
    raw_end(&f);
}
END_TEST

TCase *several_pages_backend_cases(void)
{
    TCase *t = tcase_create("backend");

    tcase_set_timeout(t, 30);
    tcase_add_loop_test(t, writes, 0, 2);
    tcase_add_loop_test(t, reads, 0, 3);
    tcase_add_loop_test(t, B6_one_bad_page, 0, 2);
    tcase_add_test(t, B5_more_than_the_slot_holds);
    tcase_add_test(t, B27_stat_leaks_nothing);
    tcase_add_loop_test(t, B10_long_rings, 0, 5);
    tcase_add_test(t, stripped_names);
    return t;
}
