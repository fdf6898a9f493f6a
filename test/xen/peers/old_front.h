/* SPDX-License-Identifier: MIT */
#ifndef TEST_XEN_OLD_FRONT_H
#define TEST_XEN_OLD_FRONT_H

/* The frontend that a guest of 2008 (dialect 1), or of Xen 3.3 to 4.1 (dialect 2), had. */

#include "peer.h"

#define IDS_MAX 128u

/* What stat gives, both dialects. */
struct old_stat {
    int32_t mode;
    uint32_t uid;
    uint32_t gid;
    int64_t size;
    int64_t mtime;
};

struct old_front {
    int dialect;
    uint32_t backend;
    uint32_t import;
    const char *export_name;
    uint64_t patience_ms;    /* for <frontend>/backend: 100 in the 2008 patch */
    const char *forged_size; /* NULL, or written in the place of ring-size */
    int64_t forged_ref;      /* -1, or written in the place of the ring's reference */

    struct xs_handle *xs;
    xengntshr_handle *shr;
    xenevtchn_handle *evtchn;
    evtchn_port_t port;
    char frontend[PATH_SIZE];
    char m[PATH_SIZE]; /* the backend's nodes */
    int stale;         /* at first they are those of a session before this one */

    struct ring ring;
    uint32_t ring_pages;
    uint32_t pages_per_id;
    uint32_t ids;
    unsigned char *data;
    uint32_t grefs[IDS_MAX * IO_PAGES_MAX + RING_PAGES_MAX];

    uint32_t req_prod;
    uint32_t rsp_cons;
    uint32_t events;
    uint32_t strays; /* events that told nothing new */
    uint32_t early;  /* events while something was unanswered */
    unsigned char busy[IDS_MAX];
    unsigned char answer[IDS_MAX][SLOT_MAX];
};

/** front_open - handles, memory; front_mount - nodes and the backend's answer. They die. */
void front_open(struct old_front *f);
void front_mount(struct old_front *f);

/** front_export_number - looks through exports by name. Return: number, -1 */
int64_t front_export_number(struct old_front *f);

/** front_close - dialect 2: closing, closed. 2008's never closed, it was gone */
void front_close(struct old_front *f);

/** front_slot - a request of @type in @slot, for a free id that it returns */
uint32_t front_slot(struct old_front *f, unsigned char slot[SLOT_MAX], uint32_t type);

unsigned char *front_page(struct old_front *f, uint32_t id);
uint32_t front_gref(struct old_front *f, uint32_t id, uint32_t page);

/** front_submit - into the ring; front_push - publish all and ring; front_wait - until none is
 * unanswered, or die after @ms */
void front_submit(struct old_front *f, const unsigned char slot[SLOT_MAX]);
void front_push(struct old_front *f);
void front_wait(struct old_front *f, uint64_t ms);

/** front_call - all three for one request. Return: what the answer says @8 */
int64_t front_call(struct old_front *f, const unsigned char slot[SLOT_MAX]);

/* --- old_calls.c: the operations as the old frontends issued them, each -1 on an error --- */

int64_t old_open(struct old_front *f, const char *name);
int64_t old_close(struct old_front *f, int64_t fd);
int64_t old_read(struct old_front *f, int64_t fd, void *buf, uint64_t len, uint64_t offset);
int64_t old_write(struct old_front *f, int64_t fd, const void *buf, uint64_t len, uint64_t offset);
int64_t old_stat(struct old_front *f, int64_t fd, struct old_stat *out);
int64_t old_truncate(struct old_front *f, int64_t fd, int64_t length);
int64_t old_remove(struct old_front *f, const char *name);
int64_t old_rename(struct old_front *f, const char *from, const char *to);
int64_t old_create(struct old_front *f, const char *name, int directory, uint32_t mode);
int64_t old_chmod(struct old_front *f, int64_t fd, uint32_t mode);
int64_t old_space(struct old_front *f, const char *name);
int64_t old_sync(struct old_front *f, int64_t fd);

/** old_list - one page of names from @offset. Return: names in @names (back to back); negative:
 * the error number that only list carries; @more */
int64_t old_list(struct old_front *f, const char *name, uint32_t offset, char names[PAGE],
                 int *more);

/** old_io_slot - a read or write for callers that have several under way. Return: the id */
uint32_t old_io_slot(struct old_front *f, unsigned char slot[SLOT_MAX], uint32_t type, int64_t fd,
                     uint64_t len, uint64_t offset);

/* --- old_tests.c --- */

/** run_test - 0 it passed */
int run_test(struct old_front *f, const char *test, const char *argument);

#endif
