/* SPDX-License-Identifier: MIT */
/*
 * One ring, one thread that owns it, and spares that take the ring over when a request is slow.
 *
 * A thread is the owner (fetches and executes), an executor (executes a request, but lost the ring
 * meanwhile), the watcher (looks whether the owner is stuck; at most one) or idle.
 *
 *            +---------------- request done, ring still mine ----------------+
 *            v                                                               |
 *         [owner] --fetched a request, word = EXEC(me, n)--> [owner, executing]
 *            ^                                                               |
 *            |                                    request done, ring is lost |
 *   word EXEC(t, n) for a whole                                              v
 *   threshold: CAS to FETCH                    no watcher? ------------- [executor]
 *            |                                      |                        |
 *        [watcher] <--------------------------------+<---- promoted ---- [idle]
 *
 * Whoever owns the ring is settled by one word: FETCH (its owner fetches or waits for the bell) or
 * EXEC(thread, n) (its owner executes its n-th request). Owner and watcher both try to change
 * EXEC(thread, n) to FETCH; the one whose compare-and-swap succeeds has the ring. Invariant:
 * exactly one thread has the ring until the intake is closed, and only that thread calls fetch and
 * arm and touches `sequence` and `drain_left`. No other thread ever writes EXEC with this thread's
 * number, so a word that came round to the same n cannot be mistaken for another thread's.
 *
 * The watcher sleeps for a threshold at a time while requests come, and without a time-out after
 * QUIET_MS without any, so an idle session makes no system call. Lost wake-up: the watcher sets
 * `asleep` and then looks at the word; the owner writes EXEC into the word and then looks at
 * `asleep`. Both are sequentially consistent: one of the two sees the other.
 *
 * Takeovers in a row halve the threshold (to an eighth at least): when a disk is slow, the next
 * request is likely to be slow too, and 32 of them shall run at once soon.
 *
 * Closing: `closing` is set, then wake_fd is made readable for good. The owner closes the intake;
 * the last thread to finish a request calls closed(). `lock` guards what is marked with it; the
 * owner's way of a request does not take it unless it must wake the watcher.
 */
#include "queue.h"

#include <errno.h>
#include <fsif/host.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>
#include "barrier.h"
#include "sanitize.h"

#define QUIET_MS 50u
#define MAX_STREAK 3u
#define STACK_SIZE (256u << 10)

/* More slots than a ring of any dialect so far has in @pages pages */
#define MAX_SLOTS(pages) ((pages) * (FSIF_PAGE_SIZE / 32u))

/* The word: bit 0 EXEC, bits 1-8 thread, bits 9-31 sequence */
#define WORD_EXEC 1u
#define WORD(thread, sequence) ((sequence) << 9 | (thread) << 1 | WORD_EXEC)

enum role {
    ROLE_OWNER,
    ROLE_WATCHER,
    ROLE_IDLE,
    ROLE_LEAVE,
};

struct thread {
    struct fsi_queue *queue;
    uint32_t number;
    enum role role; /* to begin with */
    pthread_t id;
    struct fsif_fetched request;
};

struct fsi_queue {
    struct fsi_queue_config config;
    int wake_fd;
    struct fsif_shared_u32 word;
    struct fsif_shared_u32 asleep;  /* the watcher sleeps without a time-out */
    struct fsif_shared_u32 closing; /* enum fsi_close, or 0 */
    uint32_t sequence;              /* the ring's owner */
    _Atomic uint64_t served;        /* written by the ring's owner, read by anybody */
    uint32_t drain_left;            /* the ring's owner: requests that a drain may still fetch */

    pthread_mutex_t lock;
    pthread_cond_t watcher_wakes;
    pthread_cond_t idle_wakes;
    uint32_t nthreads; /* lock, all of these */
    uint32_t running;  /* owner and executors */
    uint32_t idle;
    uint32_t promoted; /* an idle thread was told to become the watcher */
    uint32_t streak;   /* takeovers in a row */
    int has_watcher;   /* or will have one at once */
    int closed;        /* the intake is */
    int status;
    struct thread threads[];
};

static void *thread_main(void *arg);

/* lock held */
static int start_thread(struct fsi_queue *q, enum role role)
{
    struct thread *t = &q->threads[q->nthreads];
    pthread_attr_t attr;
    sigset_t all;
    sigset_t old;
    int rc;

    t->queue = q;
    t->number = q->nthreads;
    t->role = role;
    pthread_attr_init(&attr);
    if (!FSI_SANITIZED)
        pthread_attr_setstacksize(&attr, STACK_SIZE);
    /* Signals are the main thread's. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    rc = pthread_create(&t->id, &attr, thread_main, t);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attr);
    if (rc)
        return -fsif_errno_from_host(rc);
    q->nthreads++;
    return 0;
}

/* lock held. Without a spare left, the next executor that ends becomes the watcher. */
static void find_watcher(struct fsi_queue *q)
{
    if (q->has_watcher || q->closed)
        return;
    if (q->idle > q->promoted) {
        q->promoted++;
        q->has_watcher = 1;
        pthread_cond_signal(&q->idle_wakes);
    } else if (q->nthreads < q->config.threads) {
        q->has_watcher = 1;
        if (start_thread(q, ROLE_WATCHER))
            q->has_watcher = 0;
    }
}

static void wake_watcher(struct fsi_queue *q)
{
    pthread_mutex_lock(&q->lock);
    fsi_store_seq(&q->asleep, 0);
    pthread_cond_signal(&q->watcher_wakes);
    pthread_mutex_unlock(&q->lock);
}

/* A thread stops to own the ring or to execute. The last one after the intake closed says so. */
static enum role stop_running(struct fsi_queue *q, int close_intake, int status)
{
    int last;

    pthread_mutex_lock(&q->lock);
    q->running--;
    if (close_intake) {
        q->closed = 1;
        q->status = status;
        pthread_cond_broadcast(&q->watcher_wakes);
        pthread_cond_broadcast(&q->idle_wakes);
    }
    last = q->closed && !q->running;
    status = q->status;
    pthread_mutex_unlock(&q->lock);
    if (last)
        q->config.closed(q->config.arg, status);
    return ROLE_IDLE;
}

/* Returns 1 if the ring is still ours after the request. */
static int execute(struct fsi_queue *q, struct thread *t)
{
    uint32_t mine = WORD(t->number, ++q->sequence);

    q->served++;
    fsi_store_seq(&q->word, mine);
    if (fsi_load_seq(&q->asleep))
        wake_watcher(q);
    fsif_backend_execute(q->config.backend, &t->request);
    return fsi_cas(&q->word, mine, mine & ~WORD_EXEC);
}

static void wait_for_bell(struct fsi_queue *q)
{
    struct pollfd fds[2] = {
        {.fd = q->config.transport->event_fd(q->config.session, q->config.queue), .events = POLLIN},
        {.fd = q->wake_fd, .events = POLLIN},
    };

    while (poll(fds, 2, -1) < 0 && errno == EINTR)
        ;
    if (fds[0].revents)
        q->config.transport->acknowledge(q->config.session, q->config.queue);
}

static enum role own_ring(struct fsi_queue *q, struct thread *t)
{
    for (;;) {
        uint32_t closing = fsi_load_acquire(&q->closing);
        int rc;

        if (closing == FSI_CLOSE_NOW || (closing && !q->drain_left))
            return stop_running(q, 1, 0);
        rc = fsif_backend_fetch(q->config.backend, &t->request);
        if (rc < 0)
            return stop_running(q, 1, rc);
        if (rc == 0) {
            if (closing)
                return stop_running(q, 1, 0);
            if (!fsif_backend_arm(q->config.backend))
                wait_for_bell(q);
            continue;
        }
        if (closing)
            q->drain_left--;
        if (!execute(q, t))
            return stop_running(q, 0, 0);
    }
}

static void add_us(struct timespec *ts, uint64_t us)
{
    ts->tv_sec += (time_t)(us / 1000000u);
    ts->tv_nsec += (long)(us % 1000000u) * 1000;
    if (ts->tv_nsec >= 1000000000L) {
        ts->tv_nsec -= 1000000000L;
        ts->tv_sec++;
    }
}

/* lock held */
static void sleep_us(struct fsi_queue *q, uint64_t us)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    add_us(&until, us);
    while (!q->closed && !pthread_cond_timedwait(&q->watcher_wakes, &q->lock, &until))
        ;
}

/* lock held. Sleep until the owner begins to execute. */
static void sleep_until_busy(struct fsi_queue *q)
{
    fsi_store_seq(&q->asleep, 1);
    if (fsi_load_seq(&q->word) & WORD_EXEC) {
        fsi_store_seq(&q->asleep, 0);
        return;
    }
    while (fsi_load_seq(&q->asleep) && !q->closed)
        pthread_cond_wait(&q->watcher_wakes, &q->lock);
    fsi_store_seq(&q->asleep, 0);
}

static enum role watch(struct fsi_queue *q)
{
    uint64_t threshold = (uint64_t)q->config.slow_threshold * 1000u;
    uint64_t quiet = 0;
    uint32_t seen;
    int first = 1;

    pthread_mutex_lock(&q->lock);
    seen = fsi_load_seq(&q->word);
    while (!q->closed) {
        uint64_t patience = threshold >> q->streak;
        uint32_t now;

        sleep_us(q, patience);
        now = fsi_load_seq(&q->word);
        if (now != seen) {
            /* The first change may be the new owner that begins, which says nothing of speed. */
            if (!first)
                q->streak = 0;
            quiet = 0;
        } else if (now & WORD_EXEC) {
            if (fsi_cas(&q->word, now, now & ~WORD_EXEC)) {
                q->has_watcher = 0;
                q->running++;
                if (q->streak < MAX_STREAK)
                    q->streak++;
                find_watcher(q);
                pthread_mutex_unlock(&q->lock);
                return ROLE_OWNER;
            }
        } else if ((quiet += patience) >= QUIET_MS * 1000u) {
            sleep_until_busy(q);
            now = fsi_load_seq(&q->word);
            quiet = 0;
        }
        seen = now;
        first = 0;
    }
    q->has_watcher = 0;
    pthread_mutex_unlock(&q->lock);
    return ROLE_LEAVE;
}

static enum role rest(struct fsi_queue *q)
{
    enum role role = ROLE_LEAVE;

    pthread_mutex_lock(&q->lock);
    if (!q->closed && !q->has_watcher) {
        q->has_watcher = 1;
        pthread_mutex_unlock(&q->lock);
        return ROLE_WATCHER;
    }
    q->idle++;
    while (!q->closed && !q->promoted)
        pthread_cond_wait(&q->idle_wakes, &q->lock);
    q->idle--;
    if (!q->closed) {
        q->promoted--;
        role = ROLE_WATCHER;
    }
    pthread_mutex_unlock(&q->lock);
    return role;
}

static void *thread_main(void *arg)
{
    struct thread *t = arg;
    struct fsi_queue *q = t->queue;
    enum role role = t->role;

    for (;;) {
        switch (role) {
        case ROLE_OWNER:
            role = own_ring(q, t);
            break;
        case ROLE_WATCHER:
            role = watch(q);
            break;
        case ROLE_IDLE:
            role = rest(q);
            break;
        case ROLE_LEAVE:
            return NULL;
        }
    }
}

static int init_sync(struct fsi_queue *q)
{
    pthread_condattr_t attr;
    int rc = pthread_condattr_init(&attr);

    if (rc)
        return -fsif_errno_from_host(rc);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&q->lock, NULL);
    pthread_cond_init(&q->watcher_wakes, &attr);
    pthread_cond_init(&q->idle_wakes, &attr);
    pthread_condattr_destroy(&attr);
    return 0;
}

int fsi_queue_start(const struct fsi_queue_config *config, struct fsi_queue **out)
{
    struct fsi_queue *q = calloc(1, sizeof(*q) + config->threads * sizeof(q->threads[0]));
    int rc;

    if (!q)
        return -FSIF_ENOMEM;
    q->config = *config;
    q->drain_left = MAX_SLOTS(config->ring_pages);
    q->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (q->wake_fd < 0) {
        rc = -fsif_errno_from_host(errno);
        free(q);
        return rc;
    }
    rc = init_sync(q);
    if (rc)
        goto out;
    pthread_mutex_lock(&q->lock);
    q->running = 1;
    rc = start_thread(q, ROLE_OWNER);
    if (!rc)
        find_watcher(q);
    pthread_mutex_unlock(&q->lock);
out:
    if (rc) {
        close(q->wake_fd);
        free(q);
        return rc;
    }
    *out = q;
    return 0;
}

uint64_t fsi_queue_served(struct fsi_queue *q)
{
    return q->served;
}

void fsi_queue_close(struct fsi_queue *q, enum fsi_close how)
{
    uint32_t now = fsi_load_seq(&q->closing);
    uint64_t one = 1;

    while (now < (uint32_t)how && !fsi_cas(&q->closing, now, (uint32_t)how))
        now = fsi_load_seq(&q->closing);
    /* It cannot fail: nobody reads the counter, and a handful of additions do not fill it. */
    if (write(q->wake_fd, &one, sizeof(one)) < 0)
        return;
}

void fsi_queue_destroy(struct fsi_queue *q)
{
    for (uint32_t i = 0; i < q->nthreads; i++)
        pthread_join(q->threads[i].id, NULL);
    pthread_cond_destroy(&q->idle_wakes);
    pthread_cond_destroy(&q->watcher_wakes);
    pthread_mutex_destroy(&q->lock);
    close(q->wake_fd);
    free(q);
}
