/* SPDX-License-Identifier: MIT */

/*
 * Watching directories, with inotify.
 *
 * inotify wants a path, and a confined process has none that leads to an open directory. But "." is
 * one for a thread that stands in that directory: a short-lived thread with a current directory of
 * its own adds each watch and is joined before the call returns.
 *
 * inotify has one number for a directory however often it is watched, so each of its events is
 * offered to every watch here with that number, and each takes what it asked for. An open directory
 * says nothing when it is removed, for it lives on until it is closed. So a watch for
 * FSIF_CHANGE_SELF looks at the directory above too: whenever an entry goes there, whether this one
 * still has a name. If it is moved, the one above is another.
 *
 *   kernel queue --read--> events[at..len) --offered to watch `next`, next+1 ...--> the caller
 *
 * Everything is under the lock of struct posix_watches. What has been read and not been handed out
 * keeps an event descriptor readable, which the caller polls together with the queue.
 */

#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>
#include "internal.h"

#define ENTRY_GOES (IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO)

/* --- adding and ending watches of the kernel ------------------------------------------------- */

struct adding {
    int queue;
    int dir;
    uint32_t mask;
    int wd; /* or a negative FSIF_E* */
};

static void *add_here(void *arg)
{
    struct adding *a = arg;

    if (unshare(CLONE_FS) != 0 || fchdir(a->dir) != 0) {
        a->wd = posix_fail();
        return NULL;
    }
    a->wd = inotify_add_watch(a->queue, ".", a->mask | IN_ONLYDIR | IN_MASK_ADD);
    if (a->wd < 0)
        a->wd = posix_fail();
    return NULL;
}

/* Returns inotify's number, or a negative FSIF_E* */
static int add(const struct posix_watches *w, int dir, uint32_t mask)
{
    struct adding a = {.queue = w->queue, .dir = dir, .mask = mask, .wd = -FSIF_EAGAIN};
    sigset_t all, before;
    pthread_t thread;
    int err;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    err = pthread_create(&thread, NULL, add_here, &a);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (err != 0)
        return -fsif_errno_from_host(err);
    pthread_join(thread, NULL);
    return a.wd;
}

/* inotify's watch @wd is no longer needed by one of ours. */
static void let_go(const struct posix_watches *w, int wd)
{
    if (wd < 0)
        return;
    for (uint32_t i = 0; i < POSIX_WATCHES; i++)
        if (w->watch[i].used && (w->watch[i].wd == wd || w->watch[i].above == wd))
            return;
    inotify_rm_watch(w->queue, wd);
}

/* Watch the directory above @watch's for its removal; nothing above the root is looked at. */
static int add_above(const struct fsif_store *st, struct posix_watch *watch)
{
    const struct posix_watches *w = &st->watches;
    int old = watch->above;
    struct stat now;
    int up, wd;

    watch->above = -1;
    if (fstat(watch->fd, &now) != 0)
        return posix_fail();
    if ((watch->what & FSIF_CHANGE_SELF) != 0 && !fsi_posix_is_root(st, &now)) {
        up = openat(watch->fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (up < 0)
            return posix_fail();
        wd = add(w, up, ENTRY_GOES);
        close(up);
        if (wd < 0)
            return wd;
        watch->above = wd;
    }
    let_go(w, old);
    return 0;
}

static uint32_t mask_for(uint32_t what)
{
    uint32_t mask = 0;

    mask |= (what & FSIF_CHANGE_CREATE) != 0 ? IN_CREATE | IN_MOVED_TO : 0;
    mask |= (what & FSIF_CHANGE_REMOVE) != 0 ? IN_DELETE | IN_MOVED_FROM : 0;
    mask |= (what & FSIF_CHANGE_CONTENT) != 0 ? IN_MODIFY : 0;
    mask |= (what & FSIF_CHANGE_ATTR) != 0 ? IN_ATTRIB : 0;
    /* A directory that another one is renamed over says no more than that it changed. */
    mask |= (what & FSIF_CHANGE_SELF) != 0 ? IN_DELETE_SELF | IN_MOVE_SELF | IN_ATTRIB : 0;
    return mask;
}

/* --- the store's members --------------------------------------------------------------------- */

static int open_queue(struct posix_watches *w)
{
    struct epoll_event event = {.events = EPOLLIN};

    if (w->poll >= 0)
        return 0;
    w->queue = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    w->rest = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    w->poll = epoll_create1(EPOLL_CLOEXEC);
    if (w->queue >= 0 && w->rest >= 0 && w->poll >= 0 &&
        epoll_ctl(w->poll, EPOLL_CTL_ADD, w->queue, &event) == 0 &&
        epoll_ctl(w->poll, EPOLL_CTL_ADD, w->rest, &event) == 0)
        return 0;
    return posix_fail();
}

static void close_queue(struct posix_watches *w)
{
    int *const fds[] = {&w->queue, &w->rest, &w->poll};

    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
        if (*fds[i] >= 0)
            close(*fds[i]);
        *fds[i] = -1;
    }
}

/* With the lock held. */
static int need_queue(struct posix_watches *w)
{
    int err = open_queue(w);

    if (err != 0)
        close_queue(w);
    return err;
}

int fsi_posix_watch_fd(struct fsif_store *st)
{
    int fd;

    pthread_mutex_lock(&st->watches.lock);
    fd = need_queue(&st->watches);
    if (fd == 0)
        fd = st->watches.poll;
    pthread_mutex_unlock(&st->watches.lock);
    return fd;
}

static void end(struct posix_watches *w, struct posix_watch *watch)
{
    watch->used = 0;
    let_go(w, watch->wd);
    let_go(w, watch->above);
    if (watch->fd >= 0)
        close(watch->fd);
}

/* Returns 0 and @watch is in use, or a negative FSIF_E* */
static int begin(struct fsif_store *st, struct posix_watch *watch, int dir, uint32_t what)
{
    *watch = (struct posix_watch){.used = 1, .what = what, .wd = -1, .above = -1};
    watch->fd = fcntl(dir, F_DUPFD_CLOEXEC, 0);
    if (watch->fd < 0)
        return posix_fail();
    watch->wd = add(&st->watches, watch->fd, mask_for(what));
    return watch->wd < 0 ? watch->wd : add_above(st, watch);
}

int fsi_posix_watch(struct fsif_store *st, uint64_t dir, uint32_t what, uint32_t *watch)
{
    struct posix_watches *w = &st->watches;
    uint32_t i = 0;
    int err;

    if (dir == FSIF_STORE_ROOT || (dir & POSIX_FILE_PATH) != 0)
        return -FSIF_EBADF;
    if ((dir & POSIX_FILE_DIR) == 0)
        return -FSIF_ENOTDIR;
    if (what == 0 || (what & ~FSIF_CHANGE_ALL) != 0)
        return -FSIF_EINVAL;
    pthread_mutex_lock(&w->lock);
    err = need_queue(w);
    while (i < POSIX_WATCHES && w->watch[i].used)
        i++;
    if (err == 0 && i == POSIX_WATCHES)
        err = -FSIF_ENOSPC;
    if (err == 0) {
        err = begin(st, &w->watch[i], posix_fd(st, dir), what);
        if (err != 0)
            end(w, &w->watch[i]);
    }
    pthread_mutex_unlock(&w->lock);
    *watch = i;
    return err;
}

int fsi_posix_unwatch(struct fsif_store *st, uint32_t watch)
{
    struct posix_watches *w = &st->watches;
    int err = -FSIF_EINVAL;

    pthread_mutex_lock(&w->lock);
    if (watch < POSIX_WATCHES && w->watch[watch].used) {
        end(w, &w->watch[watch]);
        err = 0;
    }
    pthread_mutex_unlock(&w->lock);
    return err;
}

void fsi_posix_watch_end(struct fsif_store *st)
{
    for (uint32_t i = 0; i < POSIX_WATCHES; i++)
        if (st->watches.watch[i].used)
            end(&st->watches, &st->watches.watch[i]);
    close_queue(&st->watches);
}

/* --- events ---------------------------------------------------------------------------------- */

/* Whether the directory has lost its last name; told once. */
static int is_gone(struct posix_watch *watch)
{
    struct stat now;

    if (watch->gone || fstat(watch->fd, &now) != 0 || now.st_nlink != 0)
        return 0;
    watch->gone = 1;
    return 1;
}

/* What of @event is news to @watch: FSIF_CHANGE_*, or 0. */
static uint32_t news(struct posix_watch *watch, const struct inotify_event *event)
{
    const uint32_t mask = event->mask;
    uint32_t what = 0;

    if (event->wd == watch->wd) {
        what |= (mask & (IN_CREATE | IN_MOVED_TO)) != 0 ? FSIF_CHANGE_CREATE : 0;
        what |= (mask & (IN_DELETE | IN_MOVED_FROM)) != 0 ? FSIF_CHANGE_REMOVE : 0;
        what |= (mask & IN_MODIFY) != 0 ? FSIF_CHANGE_CONTENT : 0;
        what |= (mask & IN_ATTRIB) != 0 ? FSIF_CHANGE_ATTR : 0;
        what |= (mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT)) != 0 ? FSIF_CHANGE_SELF : 0;
        if ((mask & IN_ATTRIB) != 0 && event->len == 0 && is_gone(watch))
            what |= FSIF_CHANGE_SELF;
    }
    if (event->wd == watch->above && (mask & ENTRY_GOES) != 0 && is_gone(watch))
        what |= FSIF_CHANGE_SELF;
    return what & watch->what;
}

static const struct inotify_event *current(const struct posix_watches *w)
{
    return (const struct inotify_event *)(const void *)(w->events + w->at);
}

/* The event was offered to everybody. */
static void pass(struct fsif_store *st)
{
    struct posix_watches *w = &st->watches;
    const struct inotify_event *event = current(w);

    for (uint32_t i = 0; i < POSIX_WATCHES; i++) {
        struct posix_watch *watch = &w->watch[i];
        if (!watch->used)
            continue;
        if ((event->mask & IN_Q_OVERFLOW) != 0)
            watch->lost = 1;
        /* If that fails the directory is on its way out of reach, and was told to have moved. */
        if (event->wd == watch->wd && (event->mask & IN_MOVE_SELF) != 0)
            (void)add_above(st, watch);
    }
    w->at += (uint32_t)(sizeof(*event) + event->len);
    w->next = 0;
}

/* Offer what was read. Returns 1 and @out; 0 nobody wanted it. */
static int offer(struct fsif_store *st, struct fsif_store_change *out)
{
    struct posix_watches *w = &st->watches;

    for (; w->at < w->len; pass(st)) {
        const struct inotify_event *event = current(w);
        while (w->next < POSIX_WATCHES) {
            struct posix_watch *watch = &w->watch[w->next++];
            uint32_t what = watch->used ? news(watch, event) : 0;
            const char *name = (what & FSIF_CHANGE_SELF) != 0 || event->len == 0 ? "" : event->name;
            if (what == 0 || strlen(name) > FSIF_NAME_MAX)
                continue;
            out->watch = w->next - 1;
            out->what = what;
            memcpy(out->name, name, strlen(name) + 1);
            return 1;
        }
    }
    return 0;
}

/* Returns 1 and @out: changes were lost */
static int tell_lost(struct posix_watches *w, struct fsif_store_change *out)
{
    for (uint32_t i = 0; i < POSIX_WATCHES; i++) {
        if (!w->watch[i].used || !w->watch[i].lost)
            continue;
        w->watch[i].lost = 0;
        *out = (struct fsif_store_change){.watch = i, .what = FSIF_CHANGE_LOST};
        return 1;
    }
    return 0;
}

/* Returns 1 if there is something to offer. */
static int fill(struct posix_watches *w)
{
    ssize_t n = read(w->queue, w->events, sizeof(w->events));

    w->at = w->next = 0;
    w->len = n > 0 ? (uint32_t)n : 0;
    return n > 0 || (n < 0 && errno == EINTR);
}

/* Keep the descriptor readable as long as something is left here. */
static void set_rest(struct posix_watches *w, int left)
{
    uint64_t n = 1;

    if (left == w->has_rest)
        return;
    w->has_rest = left;
    if (left)
        (void)!write(w->rest, &n, sizeof(n));
    else
        (void)!read(w->rest, &n, sizeof(n));
}

int fsi_posix_watch_next(struct fsif_store *st, struct fsif_store_change *out)
{
    struct posix_watches *w = &st->watches;
    int got = 0;

    pthread_mutex_lock(&w->lock);
    if (w->poll >= 0) {
        do
            got = tell_lost(w, out) || offer(st, out) || tell_lost(w, out);
        while (!got && fill(w));
        set_rest(w, got);
    }
    pthread_mutex_unlock(&w->lock);
    return got;
}
