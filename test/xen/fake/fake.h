/* SPDX-License-Identifier: MIT */
#ifndef FSIF_TEST_XEN_FAKE_H
#define FSIF_TEST_XEN_FAKE_H

/*
 * A host of domains without Xen: what a test sets and looks at. The libraries themselves are in
 * their own headers (xenstore.h, xengnttab.h, xenevtchn.h). All of it may be called by any thread.
 */

#include <stdint.h>

/** fake_reset - a host with domain 0 and nothing else; all handles must be closed */
void fake_reset(void);

/** fake_be - the domain that handles which this thread opens from now on belong to (at first what
 * FSIF_FAKE_XEN_DOMAIN says, else 0) */
void fake_be(uint32_t domid);

/** fake_process - the process that they belong to, any number */
void fake_process(uint32_t process);

/** fake_kill - a process is killed: its kernel takes everything back; its handles still want to be
 * closed, but do nothing any more */
void fake_kill(uint32_t process);

/** fake_create - the toolstack's nodes of a new domain: home, id, device, and its UUID, 16 bytes of
 * @domid's lower half; a second one of the same id is another domain */
void fake_create(uint32_t domid);

/** fake_attach - what the toolstack makes to attach a guest to an export, and takes away */
void fake_attach(uint32_t backend, uint32_t domid, uint32_t number, const char *name, int ro);
void fake_detach(uint32_t backend, uint32_t domid, uint32_t number);

/** fake_destroy - xl destroy: the domain is gone, its handles are dead */
void fake_destroy(uint32_t domid);

/* --- faults --- */

/** fake_fail - the @n-th library call that may fail from now on (1 is the next) fails with @error;
 * 0: none. Calls of all threads count. */
void fake_fail(uint32_t n, int error);

/** fake_failed - the call that fake_fail() hit, NULL: none yet */
const char *fake_failed(void);

/** fake_conflicts - so many transactions that follow end with EAGAIN */
void fake_conflicts(uint32_t n);

/** fake_before_commit - before each commit @fn writes what may conflict; NULL: nothing
 * fake_after_commit - after each that went well, before its maker goes on */
void fake_before_commit(void (*fn)(void *arg), void *arg);
void fake_after_commit(void (*fn)(void *arg), void *arg);

/** fake_grant_limit - of pages that a domain can share; 1024 at first */
void fake_grant_limit(uint32_t pages);

/** fake_read_only, fake_revoke - the grant of @domid becomes read-only, or is none any more */
void fake_read_only(uint32_t domid, uint32_t gref);
void fake_revoke(uint32_t domid, uint32_t gref);

/* --- what there is --- */

struct fake_counts {
    uint32_t handles;
    uint32_t nodes;
    uint32_t watches;
    uint32_t transactions;
    uint32_t events; /* of watches, not taken yet */
    uint32_t grants;
    uint32_t maps;
    uint32_t ports;
};
void fake_count(struct fake_counts *out);

/** fake_dump - all nodes, a line each: path, permissions, value. Return: to be freed */
char *fake_dump(void);

#endif
