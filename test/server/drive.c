/* SPDX-License-Identifier: MIT */
/*
 * A frontend for the daemon's tests:
 *
 *   drive ADDRESS EXPORT SESSIONS CALLS
 *
 * opens SESSIONS sessions, makes a file in each, submits CALLS writes to each at once and prints
 * "submitted". When every call has completed it prints "answered N of M" and "threads ..." and
 * exits with 0 if all of them wrote what they should. FSIF_DIALECT=1 has it speak that dialect.
 */
#include <fsif/client.h>
#include <fsif/host.h>
#include <fsif/negotiate.h>
#include <fsif/shm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SESSIONS 16
#define MAX_CALLS 64
#define LENGTH 512

struct one {
    struct fsif_call call;
    int done;
    char data[LENGTH];
};

struct session {
    struct fsif_client *client;
    struct one calls[MAX_CALLS];
};

static unsigned answered;
static unsigned good;

static void on_done(struct fsif_call *call)
{
    struct one *one = call->arg;

    one->done = 1;
    answered++;
    good += call->result.value == LENGTH;
    if (call->result.value != LENGTH)
        fprintf(stderr, "drive: a write got %lld\n", (long long)call->result.value);
}

static int submit_all(struct session *s, unsigned calls)
{
    int fh = fsif_open(s->client, "/file", FSIF_O_RDWR | FSIF_O_CREAT | FSIF_O_TRUNC, 0644);

    if (fh < 0) {
        fprintf(stderr, "drive: open: %d\n", fh);
        return -1;
    }
    for (unsigned i = 0; i < calls; i++) {
        struct one *one = &s->calls[i];
        int rc;

        memset(one->data, (int)('a' + i % 26), LENGTH);
        one->call.op.type = FSIF_OP_WRITE;
        one->call.op.handle = (uint32_t)fh;
        one->call.op.offset = (uint64_t)i * LENGTH;
        one->call.op.length = LENGTH;
        one->call.op.data = one->data;
        one->call.deadline = FSIF_NEVER;
        one->call.done = on_done;
        one->call.arg = one;
        rc = fsif_submit(s->client, &one->call);
        if (rc) {
            fprintf(stderr, "drive: submit: %d\n", rc);
            return -1;
        }
    }
    return 0;
}

static unsigned missing(const struct session *s, unsigned calls)
{
    unsigned n = 0;

    for (unsigned i = 0; i < calls; i++)
        n += !s->calls[i].done;
    return n;
}

int main(int argc, char **argv)
{
    static struct session sessions[MAX_SESSIONS];
    struct fsif_client_options options;
    const char *dialect;
    unsigned nsessions;
    unsigned calls;

    fsif_client_options_init(&options);
    if (argc != 5)
        return 2;
    dialect = getenv("FSIF_DIALECT");
    if (dialect && atoi(dialect) == 1)
        options.dialects = FSIF_DIALECT_BIT(1);
    nsessions = (unsigned)atoi(argv[3]);
    calls = (unsigned)atoi(argv[4]);
    if (nsessions > MAX_SESSIONS || calls > MAX_CALLS)
        return 2;
    if (fsif_registry_create("", &options.registry) ||
        fsif_registry_add_transport(options.registry, &fsif_transport_shm))
        return 1;
    for (unsigned i = 0; i < nsessions; i++) {
        int rc = fsif_connect(argv[1], argv[2], &options, &sessions[i].client);
        if (rc) {
            fprintf(stderr, "drive: connect: %d\n", rc);
            return 1;
        }
    }
    uint64_t start = fsif_client_now();
    for (unsigned i = 0; i < nsessions; i++)
        if (submit_all(&sessions[i], calls))
            return 1;
    printf("submitted\n");
    fflush(stdout);
    for (unsigned i = 0; i < nsessions; i++)
        while (missing(&sessions[i], calls) && fsif_poll(sessions[i].client, 1000) >= 0)
            ;
    printf("answered %u good %u of %u in %llu ms\n", answered, good, nsessions * calls,
           (unsigned long long)(fsif_client_now() - start));
    for (unsigned i = 0; i < nsessions; i++)
        fsif_disconnect(sessions[i].client);
    fsif_registry_destroy(options.registry);
    return good == nsessions * calls ? 0 : 1;
}
