/* SPDX-License-Identifier: MIT */

/*
 * A transport of one's own, in one file: both ends in one process, memory from calloc, bells that
 * are eventfds. A transport shares pages, rings and introduces the two sides to each other; it
 * never looks at what they say.
 *
 * It has no listener part (listen ... listener_close are NULL): the pair is made by a call.
 */

#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>
#include <fsif/client.h>
#include <fsif/host.h>
#include <fsif/memory.h>
#include "embed.h"

enum { FRONT, BACK };

/* What the two ends have in common. */
struct pair {
    pthread_mutex_t lock;
    pthread_cond_t answered;
    struct fsif_dict offer;
    struct fsif_dict answer;
    int offered;
    int has_answer;
    int closed[2];
    int bell[2];    /* rung for that end */
    int changed[2]; /* something about the other side changed: an offer, a close */
    char *pages;
    uint32_t npages;
};

/* Each transport defines its own session. */
struct fsif_session {
    struct pair *pair;
    int end;
};

static void ring(int fd)
{
    const uint64_t one = 1;
    ssize_t n;

    do {
        n = write(fd, &one, sizeof(one));
    } while (n < 0 && errno == EINTR);
}

static void silence(int fd)
{
    uint64_t count;
    ssize_t n;

    do {
        n = read(fd, &count, sizeof(count));
    } while (n < 0 && errno == EINTR);
}

/* --- the backend's part --- */

static int own_next_offer(struct fsif_session *s, struct fsif_dict *offer)
{
    struct pair *p = s->pair;
    int err = -FSIF_EAGAIN;

    pthread_mutex_lock(&p->lock);
    if (p->offered) {
        *offer = p->offer;
        p->offered = 0;
        err = 0;
    } else if (p->closed[FRONT]) {
        err = -FSIF_EPIPE;
    } else {
        silence(p->changed[BACK]);
    }
    pthread_mutex_unlock(&p->lock);
    return err;
}

static int own_accept_memory(struct fsif_session *s, const struct fsif_dict *offer, uint32_t max)
{
    uint32_t pages;

    /* Never trust what the peer says about its memory: compare it with what is really there. */
    if (fsif_dict_get_u32(offer, "pages", 1, max, &pages) < 0 || pages != s->pair->npages)
        return -FSIF_EPROTO;
    return 0;
}

static int own_answer(struct fsif_session *s, const struct fsif_dict *answer, int bells)
{
    struct pair *p = s->pair;

    (void)bells; /* both sides have them from the start */
    pthread_mutex_lock(&p->lock);
    p->answer = *answer;
    p->has_answer = 1;
    pthread_cond_signal(&p->answered);
    pthread_mutex_unlock(&p->lock);
    return 0;
}

/* A gref is a page's number here. A bad one must be refused, not followed. */
static char *page(const struct fsif_session *s, uint32_t gref)
{
    return gref < s->pair->npages ? s->pair->pages + (size_t)gref * FSIF_PAGE_SIZE : NULL;
}

static int own_map(struct fsif_session *s, const uint32_t *grefs, uint32_t n, void **mem)
{
    uint32_t i;

    for (i = 0; i < n; i++) {
        if (page(s, grefs[i]) == NULL)
            return -FSIF_EFAULT;
        if (grefs[i] != grefs[0] + i)
            return -FSIF_EINVAL;
    }
    *mem = page(s, grefs[0]);
    return 0;
}

static void own_unmap(struct fsif_session *s, void *mem, uint32_t n)
{
    (void)s;
    (void)mem;
    (void)n;
}

static int own_copy_from(struct fsif_session *s, uint32_t gref, uint32_t off, void *dst,
                         uint32_t len)
{
    const char *p = page(s, gref);

    if (p == NULL)
        return -FSIF_EFAULT;
    memcpy(dst, p + off, len);
    return 0;
}

static int own_copy_to(struct fsif_session *s, uint32_t gref, uint32_t off, const void *src,
                       uint32_t len)
{
    char *p = page(s, gref);

    if (p == NULL)
        return -FSIF_EFAULT;
    memcpy(p + off, src, len);
    return 0;
}

/* --- the frontend's part --- */

static int own_share(struct fsif_session *s, uint32_t n, void **mem, uint32_t *grefs)
{
    uint32_t i;

    s->pair->pages = aligned_alloc(FSIF_PAGE_SIZE, (size_t)n * FSIF_PAGE_SIZE);
    if (s->pair->pages == NULL)
        return -FSIF_ENOMEM;
    memset(s->pair->pages, 0, (size_t)n * FSIF_PAGE_SIZE);
    s->pair->npages = n;
    for (i = 0; i < n; i++)
        grefs[i] = i;
    *mem = s->pair->pages;
    return 0;
}

static int own_offer(struct fsif_session *s, const struct fsif_dict *offer,
                     struct fsif_dict *answer, int timeout_ms)
{
    struct pair *p = s->pair;
    struct timespec until;
    int err = 0;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += timeout_ms < 0 ? 86400 : timeout_ms / 1000 + 1;
    pthread_mutex_lock(&p->lock);
    p->offer = *offer;
    p->offered = 1;
    ring(p->changed[BACK]);
    while (!p->has_answer && !p->closed[BACK] && err == 0)
        err = pthread_cond_timedwait(&p->answered, &p->lock, &until);
    *answer = p->answer;
    err = p->has_answer ? 0 : p->closed[BACK] ? -FSIF_EPIPE : -FSIF_ETIMEDOUT;
    p->has_answer = 0;
    pthread_mutex_unlock(&p->lock);
    return err;
}

/* --- both --- */

static int own_notify(struct fsif_session *s, uint32_t queue)
{
    (void)queue;
    ring(s->pair->bell[!s->end]);
    return 0;
}

static int own_event_fd(struct fsif_session *s, uint32_t queue)
{
    (void)queue;
    return s->pair->bell[s->end];
}

static void own_acknowledge(struct fsif_session *s, uint32_t queue)
{
    (void)queue;
    silence(s->pair->bell[s->end]);
}

static int own_peer_fd(struct fsif_session *s)
{
    return s->pair->changed[s->end];
}

static int own_peer_state(struct fsif_session *s)
{
    int gone;

    pthread_mutex_lock(&s->pair->lock);
    gone = s->pair->closed[!s->end];
    pthread_mutex_unlock(&s->pair->lock);
    return gone ? FSIF_PEER_GONE : FSIF_PEER_ALIVE;
}

/* The pages live until both ends are closed: the peer may still write to them. */
static void own_close(struct fsif_session *s)
{
    struct pair *p = s->pair;
    int last;
    int i;

    pthread_mutex_lock(&p->lock);
    p->closed[s->end] = 1;
    last = p->closed[!s->end];
    ring(p->changed[!s->end]);
    pthread_cond_signal(&p->answered);
    pthread_mutex_unlock(&p->lock);
    free(s);
    if (!last)
        return;
    for (i = 0; i < 2; i++) {
        close(p->bell[i]);
        close(p->changed[i]);
    }
    pthread_cond_destroy(&p->answered);
    pthread_mutex_destroy(&p->lock);
    free(p->pages);
    free(p);
}

static const struct fsif_transport own_transport = {
    .size = sizeof(own_transport),
    .abi = FSIF_TRANSPORT_ABI,
    .name = "own",
    .session_next_offer = own_next_offer,
    .session_accept_memory = own_accept_memory,
    .session_answer = own_answer,
    .map = own_map,
    .unmap = own_unmap,
    .copy_from = own_copy_from,
    .copy_to = own_copy_to,
    .share = own_share,
    .session_offer = own_offer,
    .notify = own_notify,
    .event_fd = own_event_fd,
    .acknowledge = own_acknowledge,
    .peer_fd = own_peer_fd,
    .peer_state = own_peer_state,
    .close = own_close,
};

static int make_pair(struct fsif_session **front, struct fsif_session **back)
{
    struct pair *p = calloc(1, sizeof(*p));
    int i;

    *front = calloc(1, sizeof(**front));
    *back = calloc(1, sizeof(**back));
    if (p == NULL || *front == NULL || *back == NULL)
        return -FSIF_ENOMEM;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->answered, NULL);
    for (i = 0; i < 2; i++) {
        p->bell[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        p->changed[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (p->bell[i] < 0 || p->changed[i] < 0)
            return -FSIF_EMFILE;
    }
    **front = (struct fsif_session){p, FRONT};
    **back = (struct fsif_session){p, BACK};
    return 0;
}

static int use(struct fsif_client *cl)
{
    static const char text[] = "over a transport of one's own";
    char answer[sizeof(text)] = "";
    int fh = fsif_open(cl, "/f", FSIF_O_RDWR | FSIF_O_CREAT | FSIF_O_TRUNC, 0644);

    if (fh < 0 || fsif_pwrite(cl, fh, text, sizeof(text), 0) != (int64_t)sizeof(text) ||
        fsif_pread(cl, fh, answer, sizeof(answer), 0) != (int64_t)sizeof(text))
        return 1;
    puts(answer);
    return strcmp(answer, text) != 0;
}

int main(void)
{
    struct fsif_store_config config = {.size = sizeof(config), .source = "", .root_fd = -1};
    struct embed e = {.transport = &own_transport, .store_ops = &fsif_store_memory};
    struct fsif_client_options options;
    struct fsif_client *cl;
    int status;

    fsif_client_options_init(&options);
    options.transport = &own_transport;
    if (fsif_store_memory.create(&config, &e.store) < 0 ||
        make_pair(&options.session, &e.session) < 0 || embed_start(&e) < 0 ||
        fsif_connect(NULL, "data", &options, &cl) < 0)
        return 1;
    status = use(cl);
    fsif_disconnect(cl);
    if (embed_join(&e) < 0)
        status = 1;
    fsif_store_memory.destroy(e.store);
    return status;
}
