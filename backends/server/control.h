/* SPDX-License-Identifier: MIT */
#ifndef FSI_SERVER_CONTROL_H
#define FSI_SERVER_CONTROL_H

/*
 * The channel between the supervisor and a worker: a SOCK_SEQPACKET pair, one dictionary a packet,
 * at most one descriptor with it.
 *
 * supervisor -> worker
 * - message=hello transport, blob-0 .., max-pages, threads ...: first, once
 * - status=N ...: the answer to the request before
 * - message=drain: answer what is published, then end
 * - message=figures: tell yours; a session that is served, one question at a time
 *
 * worker -> supervisor
 * - message=exports name=AFTER, message=export name=NAME: one request at a time; the latter also
 *   while a session is served, which is what its peer asks for in dialect 3
 * - message=serving dialect=N queues=N: the handshake is over
 * - message=figures handles=N requests=N bytes=N: the answer to the question
 * - message=report event=WORD reason=TEXT: for the log, where all sessions share one rate limit
 *
 * Neither side blocks in sending. The supervisor trusts nothing that a worker says: a worker that
 * is compromised can ask for what its peer may have anyway.
 */

#include <stddef.h>
#include <stdint.h>
#include <fsif/dict.h>
#include <fsif/negotiate.h>
#include <fsif/store.h>
#include <fsif/transport.h>

/* A worker's descriptors */
#define FSI_WORKER_LOG 2
#define FSI_WORKER_CONTROL 3
#define FSI_WORKER_COMMON 4    /* the memory of common.h */
#define FSI_WORKER_TRANSPORT 5 /* and those after it */

/* Why a worker ended: its exit code. Sanitizers have taken 1 and 23. */
enum fsi_end {
    FSI_END_OK = 0,         /* the peer closed its side, or the session was drained */
    FSI_END_HANDSHAKE = 40, /* the peer broke the rules of the handshake */
    FSI_END_TIMEOUT = 41,   /* the peer did not start its session in time */
    FSI_END_REFUSED = 42,   /* a limit was reached */
    FSI_END_POISONED = 43,  /* the peer broke the protocol of the ring */
    FSI_END_STORE = 44,     /* the export's store did not open */
    FSI_END_FAILED = 45,    /* no memory, no threads ... */
    FSI_END_CONTROL = 46,   /* the supervisor is gone or makes no sense */
};

/** fsi_end_text - a constant sentence for an exit code */
const char *fsi_end_text(int code);

/** fsi_control_pair - both ends, O_CLOEXEC and non-blocking. Return: 0 or a negative FSIF_E* */
int fsi_control_pair(int fds[2]);

/**
 * fsi_control_send - @fd goes along unless it is -1; it stays the caller's
 *
 * Return: 0; -FSIF_EAGAIN the other side does not read; -FSIF_EPIPE it is gone
 */
int fsi_control_send(int sock, const struct fsif_dict *message, int fd);

/**
 * fsi_control_receive - the next message; never blocks
 *
 * @fd: receives the descriptor that came along, or -1; NULL: none is welcome
 *
 * Return: 0; -FSIF_EAGAIN none is there; -FSIF_EPIPE the other side is gone; -FSIF_EPROTO not a
 *         message, or descriptors that nobody asked for
 */
int fsi_control_receive(int sock, struct fsif_dict *message, int *fd);

/** fsi_message_is - whether message=@word. Return: 1 or 0 */
int fsi_message_is(const struct fsif_dict *message, const char *word);

/** fsi_message_is_answer - whether it answers a request. Return: 1 or 0 */
int fsi_message_is_answer(const struct fsif_dict *message);

/** fsi_message_simple - a message without operands */
void fsi_message_simple(struct fsif_dict *message, const char *word);

/** fsi_message_report - a line for the log */
int fsi_message_report(struct fsif_dict *message, const char *event, const char *reason);

/** fsi_message_ask - a worker's question about @name; "" is "from the start" of a listing */
int fsi_message_ask(struct fsif_dict *message, const char *word, const char *name);

/**
 * fsi_message_put_bytes, fsi_message_get_bytes - bytes as hexadecimal digits, in parts NAME-0 ...
 *
 * @len: receives what there is; 0 if there is nothing of this name
 *
 * Return: 0; -FSIF_EINVAL no digits, or more than @size bytes; put: as fsif_dict_put()
 */
int fsi_message_put_bytes(struct fsif_dict *d, const char *name, const void *bytes, size_t len);
int fsi_message_get_bytes(const struct fsif_dict *d, const char *name, void *bytes, size_t size,
                          size_t *len);

/* What a worker must know before it meets its peer. */
struct fsi_hello {
    char transport[32];
    uint32_t session; /* number for logs */
    uint32_t nfds;
    uint32_t log_level;
    uint32_t dialects; /* set of bits */
    uint32_t max_pages;
    uint32_t threads;
    uint32_t slow_threshold; /* milliseconds */
    uint32_t max_queues;     /* these six as in options.h */
    uint32_t max_slots;
    uint32_t max_arena_pages;
    uint32_t max_io;
    uint32_t max_locks;
    uint32_t max_watches;
    uint32_t spin;              /* microseconds */
    uint32_t spinners;          /* places in the memory of common.h */
    uint32_t handshake_timeout; /* seconds */
    uint32_t refuse;            /* a FSIF_E* to answer any offer with, or 0 */
    size_t blob_len;
    unsigned char blob[FSIF_EXPORT_BLOB];
};

/** fsi_hello_write, fsi_hello_read - Return: 0; -FSIF_EINVAL */
int fsi_hello_write(const struct fsi_hello *hello, struct fsif_dict *out);
int fsi_hello_read(const struct fsif_dict *in, struct fsi_hello *out);

/* How a session goes. */
struct fsi_figures {
    uint32_t handles;
    uint64_t requests;
    uint64_t bytes; /* of file data, both ways */
};

/** fsi_figures_write, fsi_figures_read - Return: 0; -FSIF_EINVAL */
int fsi_figures_write(const struct fsi_figures *figures, struct fsif_dict *out);
int fsi_figures_read(const struct fsif_dict *in, struct fsi_figures *out);

/* How a worker opens an export: the supervisor's answer to message=export. */
struct fsi_opening {
    int32_t status; /* 0 or a negative FSIF_E* */
    char name[FSIF_EXPORT_NAME_MAX + 1];
    char store[32];
    char source[FSIF_DICT_VALUE_MAX + 1];       /* posix: empty, the descriptor says it all */
    char strip_prefix[FSIF_DICT_VALUE_MAX + 1]; /* as the engine wants it; "": none */
    uint32_t max_handles;
    uint32_t nolock; /* the store is to have none of these */
    uint32_t noxattr;
    struct fsif_store_config config; /* source and root_fd unset */
};

/** fsi_opening_write, fsi_opening_read - Return: 0; -FSIF_EINVAL */
int fsi_opening_write(const struct fsi_opening *opening, struct fsif_dict *out);
int fsi_opening_read(const struct fsif_dict *in, struct fsi_opening *out);

#endif
