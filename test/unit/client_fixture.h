/* SPDX-License-Identifier: MIT */
#ifndef TEST_CLIENT_FIXTURE_H
#define TEST_CLIENT_FIXTURE_H

/* One client and its backend, in a thread of this process, on the store memory. */

#include <stddef.h>
#include <stdint.h>
#include <fsif/client.h>
#include "../support/local_backend.h"

#define CLIENT_NEW (FSIF_O_RDWR | FSIF_O_CREAT | FSIF_O_TRUNC)

/* Dialects to offer in a whole program; 0: all of them. */
#ifndef CLIENT_DIALECTS
#define CLIENT_DIALECTS 0
#endif
#define CLIENT_OLD (CLIENT_DIALECTS != 0) /* dialect 2 is what they choose */

extern struct local_backend *backend;
extern uint32_t client_dialects;
extern struct fsif_client *cl;

/** client_start - a backend of @threads, and a client with the options @timeout_ms and @max_calls
 */
void client_start(uint32_t threads, int timeout_ms, uint32_t max_calls);
void client_stop(void);

/** client_file - a new file that holds @bytes. Return: its handle */
int client_file(const char *path, const void *bytes, size_t len);

#endif
