/* SPDX-License-Identifier: MIT */
#include "rawslot.h"

#include <string.h>

#include "barrier.h"

#if RAW_DIALECT == 2

void raw_put_request(volatile unsigned char *slot, const struct fsif_wire1_request *rq)
{
    struct fsif_wire2_request w;

    memset(&w, 0, sizeof(w));
    memcpy(&w, rq, sizeof(*rq));
    if (rq->type == FSIF_WIRE_READ || rq->type == FSIF_WIRE_WRITE) {
        w.u.io.pad = 0x5a5a5a5a; /* is ignored */
        w.u.io.grefs[0] = rq->u.io.gref;
        for (uint32_t i = 1; i < FSIF_WIRE2_GREFS; i++)
            w.u.io.grefs[i] = UINT32_MAX;
    }
    fsi_copy_out(slot, &w, sizeof(w));
}

void raw_get_request(const volatile unsigned char *slot, struct fsif_wire1_request *rq)
{
    struct fsif_wire2_request w;

    fsi_copy_in(&w, slot, sizeof(w));
    memcpy(rq, &w, sizeof(*rq));
    if (w.type == FSIF_WIRE_READ || w.type == FSIF_WIRE_WRITE)
        rq->u.io.gref = w.u.io.grefs[0];
}

void raw_put_response(volatile unsigned char *slot, uint32_t type, const unsigned char *page,
                      const struct fsif_wire1_response *rsp)
{
    struct fsif_wire2_response w;

    memset(&w, 0, sizeof(w));
    memcpy(&w, rsp, sizeof(*rsp));
    if (type == FSIF_WIRE_STAT) {
        memcpy(&w.u.attr, page, sizeof(w.u.attr));
        w.u.attr.ret = (int32_t)rsp->ret;
    }
    fsi_copy_out(slot, &w, sizeof(w));
}

void raw_get_response(const volatile unsigned char *slot, uint32_t type, unsigned char *page,
                      struct fsif_wire1_response *rsp)
{
    struct fsif_wire2_response w;

    fsi_copy_in(&w, slot, sizeof(w));
    if (type == FSIF_WIRE_STAT) {
        int64_t ret = w.u.attr.ret;

        w.u.attr.ret = 0;
        if (ret == 0)
            memcpy(page, &w.u.attr, sizeof(w.u.attr));
        memset(&w.u, 0, sizeof(w.u));
        w.u.ret = (uint64_t)ret;
    }
    memcpy(rsp, &w, sizeof(*rsp));
}

#else

void raw_put_request(volatile unsigned char *slot, const struct fsif_wire1_request *rq)
{
    fsi_copy_out(slot, rq, sizeof(*rq));
}

void raw_get_request(const volatile unsigned char *slot, struct fsif_wire1_request *rq)
{
    fsi_copy_in(rq, slot, sizeof(*rq));
}

void raw_put_response(volatile unsigned char *slot, uint32_t type, const unsigned char *page,
                      const struct fsif_wire1_response *rsp)
{
    (void)type;
    (void)page;
    fsi_copy_out(slot, rsp, sizeof(*rsp));
}

void raw_get_response(const volatile unsigned char *slot, uint32_t type, unsigned char *page,
                      struct fsif_wire1_response *rsp)
{
    (void)type;
    (void)page;
    fsi_copy_in(rsp, slot, sizeof(*rsp));
}

#endif
