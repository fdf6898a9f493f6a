/* SPDX-License-Identifier: MIT */
/*
 * The watcher of a queue, and spare threads that wait to become one. queue.c draws the whole.
 *
 *   looking --the owner sleeps--> asleep --the owner's timer--> looking
 *   looking --one request runs for a whole threshold--> the ring's owner
 *
 * Takeovers in a row halve the threshold (to an eighth at least): when a disk is slow, the next
 * request is likely to be slow too, and 32 of them shall run at once soon.
 */
#include "queue_state.h"

#include <errno.h>
#include <poll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define MAX_STREAK 3u

static struct timespec from_us(uint64_t us)
{
    struct timespec ts = {(time_t)(us / 1000000u), (long)(us % 1000000u) * 1000};

    return ts;
}

/* Without a spare left, the next executor that ends becomes the watcher. */
void fsi_queue_find_watcher(struct fsi_queue *q)
{
    if (q->has_watcher || q->closed)
        return;
    if (q->idle > q->promoted) {
        q->promoted++;
        q->has_watcher = 1;
        pthread_cond_signal(&q->idle_wakes);
    } else if (q->nthreads < q->config.threads) {
        q->has_watcher = 1;
        if (fsi_queue_start_thread(q, ROLE_WATCHER))
            q->has_watcher = 0;
    }
}

void fsi_queue_watch_soon(struct fsi_queue *q, uint64_t us)
{
    struct itimerspec when = {.it_value = from_us(us)};

    if (!us)
        when.it_value.tv_nsec = 1;
    /* It cannot fail: the descriptor is a timer and the time is sound. */
    (void)timerfd_settime(q->timer_fd, 0, &when, NULL);
}

/* @timeout: NULL: none. Returns 1 if the timer went off. */
static int nap(struct fsi_queue *q, const struct timespec *timeout)
{
    struct pollfd fd = {.fd = q->timer_fd, .events = POLLIN};
    uint64_t times;

    return ppoll(&fd, 1, timeout, NULL) == 1 && read(q->timer_fd, &times, sizeof(times)) > 0;
}

/* The owner sleeps: so do we, until it sets the timer. */
static void sleep_for_good(struct fsi_queue *q)
{
    fsi_store_seq(&q->asleep, 1);
    if ((fsi_load_seq(&q->word) & WORD_STATE) == WORD_IDLE)
        (void)nap(q, NULL);
    fsi_store_seq(&q->asleep, 0);
}

static int is_closed(struct fsi_queue *q)
{
    int closed;

    pthread_mutex_lock(&q->lock);
    closed = q->closed;
    pthread_mutex_unlock(&q->lock);
    return closed;
}

/* Returns 1 if the ring was taken over from an owner that is stuck in the request of @word. */
static int take_over(struct fsi_queue *q, uint32_t word)
{
    uint32_t streak = fsi_load_relaxed(&q->streak);

    if (!fsi_cas(&q->word, word, word & ~(uint32_t)WORD_STATE))
        return 0;
    if (streak < MAX_STREAK)
        fsi_store_relaxed(&q->streak, streak + 1);
    pthread_mutex_lock(&q->lock);
    q->has_watcher = 0;
    q->running++;
    fsi_queue_find_watcher(q);
    pthread_mutex_unlock(&q->lock);
    return 1;
}

enum role fsi_queue_watch(struct fsi_queue *q)
{
    uint64_t threshold = (uint64_t)q->config.slow_threshold * 1000u;
    uint32_t seen = fsi_load_seq(&q->word);
    int first = 1;

    while (!is_closed(q)) {
        struct timespec patience = from_us(threshold >> fsi_load_relaxed(&q->streak));
        uint32_t now;

        if ((seen & WORD_STATE) == WORD_IDLE) {
            sleep_for_good(q);
            seen = fsi_load_seq(&q->word);
            continue;
        }
        /* The timer was set for a sleep that did not come to be, and says nothing of patience. */
        if (nap(q, &patience))
            continue;
        now = fsi_load_seq(&q->word);
        /* The first change may be the new owner that begins, which says nothing of speed. */
        if (now != seen && !first)
            fsi_store_relaxed(&q->streak, 0);
        else if (now == seen && (now & WORD_STATE) == WORD_EXEC && take_over(q, now))
            return ROLE_OWNER;
        seen = now;
        first = 0;
    }
    pthread_mutex_lock(&q->lock);
    q->has_watcher = 0;
    pthread_mutex_unlock(&q->lock);
    return ROLE_LEAVE;
}

enum role fsi_queue_rest(struct fsi_queue *q)
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
