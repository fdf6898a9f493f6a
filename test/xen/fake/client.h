/* SPDX-License-Identifier: MIT */
#ifndef FSIF_TEST_XEN_CLIENT_H
#define FSIF_TEST_XEN_CLIENT_H

/* How the libraries reach the host: in this process, or by the socket that FSIF_FAKE_XEN names. */

#include <pthread.h>
#include <stdint.h>
#include "message.h"

/* What one call mapped into this process. */
struct mapping {
    struct mapping *next;
    void *at;
    uint32_t pages;
    uint32_t id;
};

struct handle {
    enum fake_kind kind;
    struct connection *direct; /* NULL: by the socket */
    int sock;
    int fd; /* to poll, or of the memory */
    pthread_mutex_t lock;
    struct mapping *mappings;
    struct fake_message m; /* of the call under way; guarded by lock */
};

/** client_fault - 1 and errno if the call @name is to fail */
int client_fault(const char *name);

/** client_open - NULL and errno */
struct handle *client_open(enum fake_kind kind, const char *name);
void client_close(struct handle *h);

/** client_begin - take the handle's message, empty, for @op; client_call - send it, with len and
 * data set, and receive its answer: 0, or -1 and errno; client_end - give it back */
struct fake_message *client_begin(struct handle *h, enum fake_op op);
int client_call(struct handle *h);
void client_end(struct handle *h);

/** client_map - the pages of the last answer, in one piece; NULL and errno */
void *client_map(struct handle *h, int writable);

/** client_unmap - Return: the id that the host knows it by, 0: there is none */
uint32_t client_unmap(struct handle *h, void *at);

/** client_before_commit, client_after_commit - what fake_before_commit() and so on set */
void client_before_commit(void);
void client_after_commit(void);

#endif
