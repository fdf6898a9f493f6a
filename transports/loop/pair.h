/* SPDX-License-Identifier: MIT */
#ifndef FSI_LOOP_PAIR_H
#define FSI_LOOP_PAIR_H

#include <pthread.h>
#include <fsif/loop.h>

/* Numbers of shared pages begin here, so that code which takes a gref for an index shows. */
#define LOOP_FIRST_GREF 16u

enum loop_side {
    LOOP_FRONTEND = 0,
    LOOP_BACKEND = 1,
};

enum loop_exchange {
    LOOP_IDLE,     /* no offer is under way */
    LOOP_OFFERED,  /* the frontend waits, the backend has not read it */
    LOOP_TAKEN,    /* the backend has read it and owes an answer */
    LOOP_ANSWERED, /* the frontend will pick the answer up */
    LOOP_BROKEN,   /* the frontend gave up waiting: no further offers */
};

struct fsif_session {
    struct loop_pair *pair;
    int side; /* enum loop_side */
};

struct loop_pair {
    struct fsif_session ends[2];
    pthread_mutex_t lock;
    pthread_cond_t cond;
    int exchange; /* enum loop_exchange */
    int closed[2];
    uint32_t bells;                  /* queues whose bells are there */
    int bell_fd[FSIF_QUEUES_MAX][2]; /* by queue and the side that waits on it */
    int changed_fd[2]; /* by the side that waits on it: its peer's keys or state changed */
    struct fsif_dict offer;
    struct fsif_dict answer;

    /* Set by share, then constant. */
    int mem_fd;
    uint32_t npages;
    unsigned char *mem;
    /* The backend's: whether it took the memory. */
    int accepted;
};

int fsi_loop_share(struct fsif_session *s, uint32_t n, void **mem, uint32_t *grefs);
int fsi_loop_accept_memory(struct fsif_session *s, const struct fsif_dict *offer,
                           uint32_t max_pages);
int fsi_loop_map(struct fsif_session *s, const uint32_t *grefs, uint32_t n, void **mem);
void fsi_loop_unmap(struct fsif_session *s, void *mem, uint32_t n);
int fsi_loop_copy_from(struct fsif_session *s, uint32_t gref, uint32_t off, void *dst,
                       uint32_t len);
int fsi_loop_copy_to(struct fsif_session *s, uint32_t gref, uint32_t off, const void *src,
                     uint32_t len);
void *fsi_loop_lend(struct fsif_session *s, uint32_t gref);

/** fsi_loop_open_bells - bells of the queues before @queues; those that are there stay. Return: 0;
 * -FSIF_E*, @p->bells are there */
int fsi_loop_open_bells(struct loop_pair *p, uint32_t queues);

/** fsi_loop_signal - make an eventfd readable; one that cannot count further is readable already */
void fsi_loop_signal(int fd);

void fsi_loop_close(struct fsif_session *s);

#endif
