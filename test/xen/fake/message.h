/* SPDX-License-Identifier: MIT */
#ifndef FSIF_TEST_XEN_MESSAGE_H
#define FSIF_TEST_XEN_MESSAGE_H

/* A call of one of the libraries, from a process to the host of domains. */

#include <stddef.h>
#include <stdint.h>

#define FAKE_DATA 32768u

enum fake_kind {
    FAKE_STORE = 1,
    FAKE_MAPPER = 2, /* xengnttab */
    FAKE_SHARER = 3, /* xengntshr */
    FAKE_CHANNELS = 4,
};

enum fake_op {
    FAKE_HELLO = 1, /* number[0]: the kind, [1]: the domain */
    FAKE_READ,      /* data: path */
    FAKE_DIRECTORY, /* data: path; answer: names, each with its NUL */
    FAKE_GET_PERMS, /* answer: struct xs_permissions[] */
    FAKE_SET_PERMS, /* data: path, NUL, struct xs_permissions[] */
    FAKE_WRITE,     /* data: path, NUL, value */
    FAKE_MKDIR,
    FAKE_RM,
    FAKE_WATCH, /* data: path, NUL, token, NUL */
    FAKE_UNWATCH,
    FAKE_EVENT, /* answer: path, NUL, token, NUL */
    FAKE_START,
    FAKE_END,        /* tx; number[0]: abort */
    FAKE_INTRODUCED, /* number[0]: domain */
    FAKE_SHARE,      /* number: domain, pages, writable, offset, port; answer: struct fake_page[] */
    FAKE_UNSHARE,    /* number[0]: what FAKE_SHARE gave */
    FAKE_MAP,        /* number: domain, pages, writable, offset, port; data: grefs; answer: pages */
    FAKE_UNMAP,
    FAKE_COPY,        /* number: domain, gref, offset, to the peer?, length; data */
    FAKE_UNBOUND,     /* number[0]: domain */
    FAKE_INTERDOMAIN, /* number: domain, port */
    FAKE_NOTIFY,      /* number[0]: port; and so on */
    FAKE_UNBIND,
    FAKE_PENDING,
    FAKE_UNMASK,
};

struct fake_page {
    uint32_t gref;
    uint32_t page; /* of the memory that all domains share */
};

struct fake_message {
    uint32_t op;
    uint32_t tx;
    uint32_t number[5];
    int32_t result; /* of the answer; -1: error */
    int32_t error;
    uint32_t len; /* of data */
    char data[FAKE_DATA];
};

#define FAKE_HEAD offsetof(struct fake_message, data)
#define FAKE_NONE UINT32_MAX /* no offset, no port */

#endif
