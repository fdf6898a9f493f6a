/* SPDX-License-Identifier: MIT */
#ifndef TEST_XEN_OLD_BACK_H
#define TEST_XEN_OLD_BACK_H

/* The backend that dom0 had in 2008 (dialect 1), or with Xen 3.3 to 4.1 (dialect 2). */

#include "peer.h"

struct old_session {
    int used;
    int dialect;
    int dir;
    uint32_t domid;
    uint32_t m;
    char frontend[PATH_SIZE];
    xengnttab_handle *tab;
    evtchn_port_t port;
    void *mem;
    uint32_t ring_pages;
    struct ring ring;
    uint32_t req_cons;
    uint32_t rsp_prod;
};

/** old_serve - carry out the request @slot; @response receives SLOT_MAX bytes */
void old_serve(struct old_session *s, const unsigned char *slot, unsigned char *response);

#endif
