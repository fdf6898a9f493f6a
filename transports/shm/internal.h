/* SPDX-License-Identifier: MIT */
#ifndef FSI_SHM_INTERNAL_H
#define FSI_SHM_INTERNAL_H

/* What the files of the shm transport share. Everything here is private to it. */

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <fsif/shm.h>

/* Descriptors in one packet at most: the memory in an offer, two bells a queue in an answer. */
#define SHM_PACKET_FDS (2u * FSIF_QUEUES_MAX)

enum shm_role {
    SHM_FRONTEND = 0,
    SHM_BACKEND = 1,
};

/*
 * A session of either role. Set up by one thread; after the answer with the bells everything but
 * gone is constant, so notify, copy_from, copy_to and lend need no lock.
 */
struct fsif_session {
    int role;        /* enum shm_role */
    int sock;        /* non-blocking */
    int memfd;       /* frontend: ours, kept until a session runs. backend: what the last offer
                        brought, unchecked. -1: none */
    int broken;      /* frontend: an exchange failed half way, no further offers */
    uint32_t queues; /* 0 before the bells are there: no session runs */
    struct shm_bells {
        int ring_fd; /* rung by us */
        int wait_fd; /* rung by the peer */
    } bells[FSIF_QUEUES_MAX];
    uint32_t npages;
    unsigned char *mem; /* all shared pages in order, NULL before they are there */
    _Atomic int gone;   /* the peer has been seen to be gone */
};

/* --- packet.c: one packet, one dictionary, some descriptors --- */

/**
 * fsi_shm_send - send a dictionary with @nfds descriptors
 *
 * Return: 0; -FSIF_EAGAIN no room now; -FSIF_EPIPE the peer is gone; another -FSIF_E*
 */
int fsi_shm_send(int sock, const struct fsif_dict *d, const int *fds, size_t nfds);

/**
 * fsi_shm_receive - receive one packet
 *
 * @fds:  room for SHM_PACKET_FDS
 * @nfds: receives how many came; they are the caller's to close
 *
 * Return: 0; -FSIF_EAGAIN none is there; -FSIF_EPIPE the peer is gone; -FSIF_EPROTO malformed, too
 *         long, too many descriptors: all of them are closed; another -FSIF_E*
 */
int fsi_shm_receive(int sock, struct fsif_dict *d, int *fds, size_t *nfds);

void fsi_shm_close_fds(const int *fds, size_t nfds);

/* --- memory.c --- */

/**
 * fsi_shm_check_memory - whether a peer's descriptor is memory that cannot hurt us
 *
 * Return: 0; what session_accept_memory returns
 */
int fsi_shm_check_memory(int fd, uint32_t pages);

/** fsi_shm_map_all - map @pages pages of @fd; Return: 0 and @out; -FSIF_E* */
int fsi_shm_map_all(int fd, uint32_t pages, unsigned char **out);

int fsi_shm_map(struct fsif_session *s, const uint32_t *grefs, uint32_t n, void **mem);
void fsi_shm_unmap(struct fsif_session *s, void *mem, uint32_t n);
int fsi_shm_copy_from(struct fsif_session *s, uint32_t gref, uint32_t off, void *dst, uint32_t len);
int fsi_shm_copy_to(struct fsif_session *s, uint32_t gref, uint32_t off, const void *src,
                    uint32_t len);
void *fsi_shm_lend(struct fsif_session *s, uint32_t gref);

/* --- bell.c --- */

int fsi_shm_bell_create(void);

/** fsi_shm_bell_check - Return: 0 if a peer's descriptor is a bell; -FSIF_EPROTO if not */
int fsi_shm_bell_check(int fd);

/**
 * fsi_shm_queues - what an offer or an answer says of queues: 1 if it does not
 *
 * Return: 0 and 1 .. @max; -FSIF_EPROTO
 */
int fsi_shm_queues(const struct fsif_dict *d, uint32_t max, uint32_t *out);

/** fsi_shm_bell_ring, fsi_shm_bell_clear - count up, count down to zero; neither waits */
int fsi_shm_bell_ring(int fd);
void fsi_shm_bell_clear(int fd);

/* --- session.c --- */

struct fsif_session *fsi_shm_session_new(int role, int sock);
int fsi_shm_notify(struct fsif_session *s, uint32_t queue);
int fsi_shm_event_fd(struct fsif_session *s, uint32_t queue);
void fsi_shm_acknowledge(struct fsif_session *s, uint32_t queue);
int fsi_shm_peer_fd(struct fsif_session *s);
int fsi_shm_peer_state(struct fsif_session *s);
void fsi_shm_close(struct fsif_session *s);

/** fsi_shm_last_error - errno as a negative FSIF_E* */
int fsi_shm_last_error(void);

/* --- backend.c --- */

/* The blob of peer_export, so that session_import knows its own. */
#define SHM_BLOB_MAGIC 0x6d687366u /* "fshm" in memory */
#define SHM_BLOB_VERSION 1u

struct shm_blob {
    uint32_t magic;
    uint32_t version;
};

int fsi_shm_import(const int *fds, size_t nfds, const void *blob, size_t len,
                   struct fsif_session **out);
int fsi_shm_next_offer(struct fsif_session *s, struct fsif_dict *offer);
int fsi_shm_accept_memory(struct fsif_session *s, const struct fsif_dict *offer,
                          uint32_t max_pages);
int fsi_shm_answer(struct fsif_session *s, const struct fsif_dict *answer, int bells);

/* --- frontend.c --- */

int fsi_shm_connect(const char *address, int timeout_ms, struct fsif_session **out);
int fsi_shm_share(struct fsif_session *s, uint32_t n, void **mem, uint32_t *grefs);
int fsi_shm_offer(struct fsif_session *s, const struct fsif_dict *offer, struct fsif_dict *answer,
                  int timeout_ms);

/* --- listener.c --- */

int fsi_shm_listen(const char *address, struct fsif_listener **out);
int fsi_shm_listener_fd(struct fsif_listener *l);
int fsi_shm_accept(struct fsif_listener *l, struct fsif_peer **out);
int fsi_shm_peer_credentials(struct fsif_peer *p, struct fsif_credentials *out);
int fsi_shm_peer_export(struct fsif_peer *p, int *fds, size_t *nfds, void *blob, size_t *len);
void fsi_shm_peer_close(struct fsif_peer *p);
void fsi_shm_listener_close(struct fsif_listener *l);

#endif
