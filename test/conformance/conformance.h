/* SPDX-License-Identifier: MIT */
#ifndef FSIF_TEST_CONFORMANCE_H
#define FSIF_TEST_CONFORMANCE_H

/*
 * The same cases against every transport and every store. A case is a function on a connected
 * client and an empty directory of its own; it is written against <fsif/client.h> and knows nothing
 * of what is behind it. Another transport or store is a row in target.c.
 */

#include <stddef.h>
#include <stdint.h>
#include <fsif/client.h>

struct target;

/* What a case is run with. */
struct context {
    struct fsif_client *cl;
    struct fsif_client *ro; /* a session on a read-only export; NULL: there is none */
    char dir[64];           /* the case's own directory in the export */
    const char *host;       /* the export's directory on this host, or NULL */
    int outside;            /* the export is somebody else's, with options of their own */
    struct target *target;  /* for further sessions */
    int failures;
    const char *skipped; /* why */
};

struct test_case {
    const char *name;
    void (*run)(struct context *c);
};

extern const struct test_case file_cases[];
extern const struct test_case name_cases[];
extern const struct test_case list_cases[];
extern const struct test_case session_cases[];
/* Only of sessions that speak dialect 3 */
extern const struct test_case name3_cases[];
extern const struct test_case data3_cases[];
extern const struct test_case notice3_cases[];
extern const struct test_case lock3_cases[];
/* Only of the others */
extern const struct test_case before3_cases[];

/** at - "NAME in the case's directory"; valid for the next 8 calls of this thread */
const char *at(struct context *c, const char *name);

/* Both count a failure, print it and go on. */
int expect(struct context *c, const char *file, int line, const char *what, int64_t got,
           int64_t wanted);
#define EQ(c, got, wanted)                                                                         \
    expect((c), __FILE__, __LINE__, #got " == " #wanted, (int64_t)(got), (int64_t)(wanted))
#define OK(c, cond) EQ((c), !!(cond), 1)

/** make - make a file with this text */
void make(struct context *c, const char *name, const char *text);

/** text_is - whether a file holds exactly this text */
int text_is(struct context *c, const char *name, const char *text);

/* --- what the cases run against ------------------------------------------------------------ */

/* Where the cases run. */
struct target {
    const char *transport;
    const char *store;
    const char *daemon;  /* program, for transports that need one */
    const char *plugins; /* directory */
    const char *xen;     /* program that stands for Xen, for the transport xen */
    const char *address; /* an outside backend instead of one of our own */
    const char *export_name;
    const char *host;    /* the export's directory on this host */
    const char *dialect; /* "1" or "2"; NULL: what the client offers by itself */
    const char *pages;   /* of the ring; NULL: 1 */
    const char *queues;  /* dialect 3; NULL: 1 */
    /* private */
    char folder[256];
    char data[300];
    char own_address[300];
    void *backend[3];
    void *machine;
    void *stores[2];
};

/** target_client - the client's options that the target asks for */
void target_client(const struct target *t, struct fsif_client_options *o);

/** target_start - start the backend and connect. Return: 0, or it has printed why not */
int target_start(struct target *t, struct context *c);

/** target_shares - whether sessions of the export see the same files. Those of memory behind a
 * daemon have a store each; of an outside backend it is not known, and 1 */
int target_shares(const struct target *t);

/** target_another - one more session on the same export, one at a time. @timeout_ms: of its calls;
 * 0: the client's. Return: as fsif_connect() */
int target_another(struct target *t, int timeout_ms, struct fsif_client **cl);

/** target_another_end - disconnect it */
void target_another_end(struct target *t, struct fsif_client *cl);

/**
 * target_stop - disconnect and stop. Return: 0; else what was used is not what was asked for, or
 * the backend did not end well
 */
int target_stop(struct target *t, struct context *c);

#endif
