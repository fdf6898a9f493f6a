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
 * Whoever owns the ring is settled by one word: FETCH (its owner fetches or looks out), IDLE (its
 * owner sleeps until the bell) or EXEC(thread, n) (its owner executes its n-th request). Owner and
 * watcher both try to change EXEC(thread, n) to FETCH; the one whose compare-and-swap succeeds has
 * the ring; every other change is the owner's alone. Invariant: exactly one thread has the ring
 * until the intake is closed, and only that thread calls fetch and arm and touches `sequence` and
 * `drain_left`. No other thread ever writes EXEC with this thread's number, so a word that came
 * round to the same n cannot be mistaken for another thread's.
 *
 * Bells: the engine owes them, the owner has them rung before it looks out or sleeps, every
 * FLUSH_EVERY answers, and around requests that take long. Whoever comes by the ring, or loses it,
 * does so at once: a slow request holds back no earlier answer for longer than a threshold.
 *
 * Looking out: the owner polls for a while before it sleeps (fsif/spin.h), if it gets one of the
 * places that all sessions share (common.h). No bell is asked for meanwhile.
 *
 * A request costs the owner one plain store and one compare-and-swap here; all else is done when it
 * goes to sleep or wakes up.
 *
 * The watcher looks once a threshold while the owner is awake, and sleeps for good once it finds
 * the owner asleep, so an idle session makes no system call. Lost wake-up: the watcher sets
 * `asleep` and then looks at the word; the owner that wakes up changes the word from IDLE and then
 * looks at `asleep`. Both are sequentially consistent: one of the two sees the other. The owner
 * does not wake the watcher but sets a timer for it: a watcher that is awake at once would be in
 * the way of the very request that woke the owner.
 *
 * Closing: `closing` is set, then wake_fd is made readable for good. The owner closes the intake;
 * the last thread to finish a request calls closed(). `lock` guards what is marked with it; the
 * owner's way of a request does not take it.
 */
#include "queue_state.h"

#include <errno.h>
#include <fsif/host.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include "sanitize.h"

#define STACK_SIZE (256u << 10)

/* More slots than a ring of dialect 1 or 2 has in @pages pages */
#define MAX_SLOTS(pages) ((pages) * (FSIF_PAGE_SIZE / 32u))

/* Answers for one bell. A request that moves more than FLUSH_BYTES, or that waits for a disk by its
 * nature, takes longer than a bell costs. */
#define FLUSH_EVERY 16u
#define FLUSH_BYTES 32768u

/* What ends a sleep */
#define WOKEN_BY_BELL 1
#define WOKEN_TO_CLOSE 2

static void *thread_main(void *arg);

int fsi_queue_start_thread(struct fsi_queue *q, enum role role)
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
    /* Signals are the main thread's, but a fault is its own thread's (guard.h). */
    sigfillset(&all);
    sigdelset(&all, SIGBUS);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    rc = pthread_create(&t->id, &attr, thread_main, t);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attr);
    if (rc)
        return -fsif_errno_from_host(rc);
    q->nthreads++;
    return 0;
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
        pthread_cond_broadcast(&q->idle_wakes);
    }
    last = q->closed && !q->running;
    status = q->status;
    pthread_mutex_unlock(&q->lock);
    fsif_backend_flush(q->config.backend);
    if (close_intake)
        fsi_queue_watch_soon(q, 0);
    if (last)
        q->config.closed(q->config.arg, status);
    return ROLE_IDLE;
}

/* Returns 1 if the ring is still ours after the request. */
static int execute(struct fsi_queue *q, struct thread *t)
{
    uint32_t mine = WORD(t->number, ++q->sequence);

    fsi_counter_add(&t->served, 1);
    fsi_store_release(&q->word, mine);
    fsif_backend_execute(q->config.backend, &t->request);
    fsi_counter_add(&t->moved, t->request.moved);
    return fsi_cas(&q->word, mine, mine & ~(uint32_t)WORD_STATE);
}

/* Tell the watcher that the owner is awake, if it sleeps for good. */
static void wake_up(struct fsi_queue *q, uint32_t word)
{
    fsi_store_seq(&q->word, word);
    if (!fsi_load_seq(&q->asleep))
        return;
    fsi_store_seq(&q->asleep, 0);
    fsi_queue_watch_soon(q, (uint64_t)q->config.slow_threshold * 1000u);
}

static void sleep_until_bell(struct fsi_queue *q)
{
    const struct fsif_transport *transport = q->config.transport;
    uint32_t word = fsi_load_relaxed(&q->word);
    int woken;

    fsi_store_release(&q->word, word | WORD_IDLE);
    do {
        woken = fsif_poller_wait(q->sleep_fd, -1);
    } while (woken == 0);
    wake_up(q, word);
    if ((woken & WOKEN_BY_BELL) && !(transport->flags & FSIF_TRANSPORT_EDGES))
        transport->acknowledge(q->config.session, q->config.queue);
}

static int is_request_there(void *arg)
{
    struct fsi_queue *q = arg;

    return fsif_backend_ready(q->config.backend) || fsi_load_relaxed(&q->closing);
}

/* Nobody asked for a bell while we look out; so it is asked for only when we are to sleep. Where
 * the peer shares our core, whoever is rung has often run, and asked for more, before ringing is
 * over. */
static void wait_for_request(struct fsi_queue *q)
{
    int found = 0;
    int place = -1;

    fsif_backend_flush(q->config.backend);
    if (is_request_there(q))
        return;
    if (q->config.spin)
        place = fsi_spinners_take(q->config.common, q->config.session_number);
    if (place >= 0) {
        found = fsif_spin_wait(&q->spin, is_request_there, q);
        fsi_spinners_leave(q->config.common, place);
    }
    if (found || fsif_backend_arm(q->config.backend))
        return;
    sleep_until_bell(q);
    if (place >= 0)
        fsif_spin_woken(&q->spin);
}

/* Without a spare thread nobody comes by to ring while a request runs. */
static int takes_long(const struct fsi_queue *q, const struct fsif_op *op)
{
    int slow = fsi_load_relaxed(&q->streak) || q->config.threads == 1;

    switch (op->type) {
    case FSIF_OP_READ:
    case FSIF_OP_WRITE:
    case FSIF_OP_READFILE:
    case FSIF_OP_WRITEFILE:
        return op->length > FLUSH_BYTES || slow;
    case FSIF_OP_SYNC:
    case FSIF_OP_TRUNCATE:
    case FSIF_OP_ALLOCATE:
    case FSIF_OP_COPY_RANGE:
    case FSIF_OP_EXPORT:
        return 1;
    default:
        return slow;
    }
}

/* Returns 1 if the ring is still ours, and who shall hear of it did. */
static int execute_and_ring(struct fsi_queue *q, struct thread *t)
{
    int is_long = takes_long(q, &t->request.op);
    int watches = t->request.op.type == FSIF_OP_WATCH;
    int mine;

    if (is_long)
        fsif_backend_flush(q->config.backend);
    mine = execute(q, t);
    if (watches && q->config.watched)
        q->config.watched(q->config.arg);
    if (!mine)
        return 0;
    if (is_long || ++q->unrung >= FLUSH_EVERY) {
        q->unrung = 0;
        fsif_backend_flush(q->config.backend);
    }
    return 1;
}

static enum role own_ring(struct fsi_queue *q, struct thread *t)
{
    /* Whoever had the ring before is stuck, perhaps with bells that it owes. */
    fsif_backend_flush(q->config.backend);
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
            wait_for_request(q);
            continue;
        }
        if (closing)
            q->drain_left--;
        if (!execute_and_ring(q, t))
            return stop_running(q, 0, 0);
    }
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
            role = fsi_queue_watch(q);
            break;
        case ROLE_IDLE:
            role = fsi_queue_rest(q);
            break;
        case ROLE_LEAVE:
            return NULL;
        }
    }
}

static int open_fds(struct fsi_queue *q)
{
    const struct fsif_transport *transport = q->config.transport;
    int bell = transport->event_fd(q->config.session, q->config.queue);
    int err;

    q->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    q->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (q->wake_fd < 0 || q->timer_fd < 0)
        return -fsif_errno_from_host(errno);
    q->sleep_fd = fsif_poller_create();
    if (q->sleep_fd < 0)
        return q->sleep_fd;
    err = fsif_poller_add(q->sleep_fd, q->wake_fd, WOKEN_TO_CLOSE, 0);
    if (err == 0 && bell >= 0)
        err = fsif_poller_add(q->sleep_fd, bell, WOKEN_BY_BELL,
                              (transport->flags & FSIF_TRANSPORT_EDGES) != 0);
    return err;
}

static void free_queue(struct fsi_queue *q)
{
    if (q->wake_fd >= 0)
        close(q->wake_fd);
    if (q->timer_fd >= 0)
        close(q->timer_fd);
    if (q->sleep_fd >= 0)
        close(q->sleep_fd);
    pthread_cond_destroy(&q->idle_wakes);
    pthread_mutex_destroy(&q->lock);
    free(q);
}

int fsi_queue_start(const struct fsi_queue_config *config, struct fsi_queue **out)
{
    struct fsi_queue *q = calloc(1, sizeof(*q) + config->threads * sizeof(q->threads[0]));
    int rc;

    if (!q)
        return -FSIF_ENOMEM;
    q->config = *config;
    q->wake_fd = q->timer_fd = q->sleep_fd = -1;
    q->drain_left = config->slots ? config->slots : MAX_SLOTS(config->ring_pages);
    pthread_mutex_init(&q->lock, NULL);
    pthread_cond_init(&q->idle_wakes, NULL);
    fsif_spin_init(&q->spin, config->spin);
    rc = open_fds(q);
    if (!rc) {
        pthread_mutex_lock(&q->lock);
        q->running = 1;
        rc = fsi_queue_start_thread(q, ROLE_OWNER);
        if (!rc)
            fsi_queue_find_watcher(q);
        pthread_mutex_unlock(&q->lock);
    }
    if (rc)
        free_queue(q);
    else
        *out = q;
    return rc;
}

void fsi_queue_figures(struct fsi_queue *q, uint64_t *requests, uint64_t *bytes)
{
    pthread_mutex_lock(&q->lock);
    for (uint32_t i = 0; i < q->nthreads; i++) {
        *requests += fsi_counter_read(&q->threads[i].served);
        *bytes += fsi_counter_read(&q->threads[i].moved);
    }
    pthread_mutex_unlock(&q->lock);
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
    free_queue(q);
}
