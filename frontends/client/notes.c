/* SPDX-License-Identifier: MIT */
#include "internal.h"

#include <stdlib.h>
#include <string.h>
#include "barrier.h"

/*
 * What the backend tells of its own accord: the results of locks that waited, and changes below
 * watched directories. Notices come on the first queue, so whoever waits for one waits, and polls,
 * there; its own queue it uses for requests only.
 *
 *   a lock:   enlisted (a cookie is made) -> asked -> -FSIF_EINPROGRESS -> told -> delisted
 *                                              |                            ^
 *                                              +--- answered at once -------+
 *
 * A lock is enlisted before it is asked for, because the notice may be taken off the first queue
 * before the answer off another. A cookie is looked up in a list, never used as anything else, so
 * one that the backend makes up finds nothing.
 *
 * notes.lock guards everything here. It is held while a waiter is woken: a waiter leaves only after
 * it took the lock once more to delist itself, so none is woken that is gone.
 */

/* Beyond the time-out of a lock: for the backend to say that it is cancelled */
#define GRACE_MS 1000u

#define CHANGES 128u
#define WATCHES_MAX 1024u

/* A thread that waits for a notice. */
struct sleeper {
    struct fsi_waiter waiter;
    struct sleeper *next;
};

struct fsi_late {
    struct sleeper sleeper;
    struct fsi_late *next;
    uint64_t cookie;
    int64_t value;
    int told;
};

struct fsi_watch {
    uint64_t cookie;
    uint32_t number; /* the backend's */
    uint32_t first;
    uint32_t count;
    int lost;
    struct sleeper *sleepers;
    struct fsif_change changes[CHANGES];
};

void fsi_notes_init(struct fsif_client *cl)
{
    pthread_mutex_init(&cl->notes.lock, NULL);
}

static void drop_watches(struct fsi_notes *n)
{
    uint32_t i;

    for (i = 0; i < n->nwatches; i++)
        free(n->watches[i]);
    free(n->watches);
    n->watches = NULL;
    n->nwatches = 0;
}

void fsi_notes_fini(struct fsif_client *cl)
{
    drop_watches(&cl->notes);
    pthread_mutex_destroy(&cl->notes.lock);
}

void fsi_notes_begin(struct fsif_client *cl)
{
    drop_watches(&cl->notes);
    cl->notes.ended = 0;
}

static void wake_all(struct sleeper *s)
{
    for (; s != NULL; s = s->next)
        fsi_done(&s->waiter);
}

void fsi_notes_end(struct fsif_client *cl)
{
    struct fsi_notes *n = &cl->notes;
    struct fsi_late *l;
    uint32_t i;

    pthread_mutex_lock(&n->lock);
    if (!n->ended) {
        n->ended = 1;
        for (l = n->lates; l != NULL; l = l->next)
            fsi_done(&l->sleeper.waiter);
        for (i = 0; i < n->nwatches; i++) {
            if (n->watches[i] != NULL)
                wake_all(n->watches[i]->sleepers);
        }
    }
    pthread_mutex_unlock(&n->lock);
}

/* --- notices ---------------------------------------------------------------------------------- */

static void lock_told(struct fsi_notes *n, const struct fsif_notice *notice)
{
    struct fsi_late *l;

    for (l = n->lates; l != NULL; l = l->next) {
        if (l->cookie == notice->cookie && !l->told) {
            l->told = 1;
            l->value = notice->value;
            fsi_done(&l->sleeper.waiter);
        }
    }
}

static void keep_change(struct fsi_watch *w, const struct fsif_notice *notice)
{
    struct fsif_change *c;

    if (w->lost || w->count == CHANGES) {
        w->lost = 1;
        return;
    }
    c = &w->changes[(w->first + w->count++) % CHANGES];
    c->what = notice->what;
    memcpy(c->name, notice->name, sizeof(c->name));
}

static void changed(struct fsi_notes *n, const struct fsif_notice *notice)
{
    uint32_t i;

    for (i = 0; i < n->nwatches; i++) {
        struct fsi_watch *w = n->watches[i];

        if (w != NULL && w->cookie == notice->cookie) {
            keep_change(w, notice);
            wake_all(w->sleepers);
        }
    }
}

void fsi_notice(void *arg, const struct fsif_notice *notice)
{
    struct fsif_client *cl = arg;

    pthread_mutex_lock(&cl->notes.lock);
    if (notice->kind == FSIF_NOTICE_LATE)
        lock_told(&cl->notes, notice);
    else if (notice->kind == FSIF_NOTICE_CHANGE)
        changed(&cl->notes, notice);
    pthread_mutex_unlock(&cl->notes.lock);
}

/* --- locks ------------------------------------------------------------------------------------ */

static void enlist_lock(struct fsif_client *cl, struct fsi_late *l)
{
    struct fsi_notes *n = &cl->notes;

    memset(l, 0, sizeof(*l));
    fsi_waiter_init(&l->sleeper.waiter, &cl->lanes[0]);
    pthread_mutex_lock(&n->lock);
    l->cookie = ++n->cookies;
    l->next = n->lates;
    n->lates = l;
    pthread_mutex_unlock(&n->lock);
}

static void delist_lock(struct fsif_client *cl, const struct fsi_late *l)
{
    struct fsi_late **at = &cl->notes.lates;

    pthread_mutex_lock(&cl->notes.lock);
    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
    pthread_mutex_unlock(&cl->notes.lock);
}

/* Until the lock is told of. Return: 1 and its value; 0 not until @until; -FSIF_EIO */
static int await_lock(struct fsif_client *cl, struct fsi_late *l, uint64_t until, int64_t *value)
{
    for (;;) {
        uint32_t seen = fsi_load_acquire(&l->sleeper.waiter.done);
        int told;
        int ended;

        pthread_mutex_lock(&cl->notes.lock);
        told = l->told;
        *value = l->value;
        ended = cl->notes.ended;
        pthread_mutex_unlock(&cl->notes.lock);
        if (told || ended)
            return told ? 1 : -FSIF_EIO;
        if (fsi_wait(&l->sleeper.waiter, seen, until) < 0)
            return 0;
    }
}

static uint64_t grace(const struct fsif_client *cl)
{
    uint64_t until = fsif_now_ms() + GRACE_MS;
    uint64_t longest = fsi_deadline(cl);

    return until < longest ? until : longest;
}

/* It takes too long: have the backend forget it. It may be granted in the same moment. */
static int64_t cancel_lock(struct fsi_lane *lane, struct fsi_late *l)
{
    struct fsif_op op = {.type = FSIF_OP_CANCEL, .cookie = l->cookie};
    uint64_t until = grace(lane->cl);
    int64_t value = fsi_call_until(lane, &op, NULL, until);
    int told;

    if (value < 0 && value != -FSIF_ENOENT)
        return value;
    told = await_lock(lane->cl, l, until, &value);
    if (told <= 0)
        return told < 0 ? told : -FSIF_ETIMEDOUT;
    return value == -FSIF_ECANCELED ? -FSIF_ETIMEDOUT : value;
}

static int64_t lock_file(struct fsi_lane *lane, struct fsif_op *op)
{
    struct fsif_client *cl = lane->cl;
    uint64_t until = fsi_deadline(cl);
    struct fsi_late l;
    int64_t value;
    int told;

    enlist_lock(cl, &l);
    op->cookie = l.cookie;
    value = fsi_call_until(lane, op, NULL, until);
    if (value == -FSIF_EINPROGRESS && !(op->flags & FSIF_LOCK_WAIT)) {
        value = -FSIF_EIO;
    } else if (value == -FSIF_EINPROGRESS) {
        told = await_lock(cl, &l, until, &value);
        if (told <= 0)
            value = told < 0 ? told : cancel_lock(lane, &l);
    } else if (value == -FSIF_ETIMEDOUT && (op->flags & FSIF_LOCK_WAIT)) {
        /* It may come to wait there still. */
        struct fsif_op cancel = {.type = FSIF_OP_CANCEL, .cookie = l.cookie};

        (void)fsi_call_until(lane, &cancel, NULL, grace(cl));
    }
    delist_lock(cl, &l);
    return value;
}

static int lock_on(struct fsif_client *cl, int fh, struct fsif_op *op)
{
    struct fsi_lane *lane;
    int err = fsi_enter_blocking(cl, &lane);

    if (err < 0)
        return err;
    err = fsi_handle_limits(cl, fh);
    if (err >= 0 && cl->limits.dialect < 3)
        err = -FSIF_EOPNOTSUPP;
    if (err >= 0) {
        op->handle = (uint32_t)fh;
        err = (int)lock_file(lane, op);
    }
    fsi_leave(cl);
    return err;
}

int fsif_flock(struct fsif_client *cl, int fh, uint32_t mode, uint32_t flags)
{
    struct fsif_op op = {.type = FSIF_OP_LOCK, .mode = mode, .flags = flags | FSIF_LOCK_WHOLE};

    return flags & ~FSIF_LOCK_WAIT ? -FSIF_EINVAL : lock_on(cl, fh, &op);
}

int fsif_lock(struct fsif_client *cl, int fh, uint32_t mode, uint32_t flags, uint64_t off,
              uint64_t len)
{
    struct fsif_op op = {
        .type = FSIF_OP_LOCK, .mode = mode, .flags = flags, .offset = off, .length = len};

    return flags & ~FSIF_LOCK_WAIT ? -FSIF_EINVAL : lock_on(cl, fh, &op);
}

int fsif_lock_test(struct fsif_client *cl, int fh, struct fsif_lock *lock)
{
    struct fsif_op op = {.type = FSIF_OP_LOCK,
                         .mode = lock->mode,
                         .flags = FSIF_LOCK_TEST,
                         .offset = lock->offset,
                         .length = lock->length};
    struct fsif_result result;
    int64_t value = fsi_on(cl, fh, &op, &result);

    if (value == 0)
        *lock = result.lock;
    return (int)value;
}

/* --- watches ---------------------------------------------------------------------------------- */

/* A free number. Return: it, or negative. Lock held. */
static int free_number(struct fsi_notes *n)
{
    uint32_t more = n->nwatches == 0 ? 8 : 2 * n->nwatches;
    struct fsi_watch **p;
    uint32_t i;

    for (i = 0; i < n->nwatches; i++) {
        if (n->watches[i] == NULL)
            return (int)i;
    }
    if (more > WATCHES_MAX)
        return -FSIF_EMFILE;
    p = realloc(n->watches, more * sizeof(void *));
    if (p == NULL)
        return -FSIF_ENOMEM;
    memset(p + n->nwatches, 0, (more - n->nwatches) * sizeof(void *));
    n->watches = p;
    n->nwatches = more;
    return (int)i;
}

static int add_watch(struct fsi_notes *n, struct fsi_watch *w)
{
    int number;

    pthread_mutex_lock(&n->lock);
    number = free_number(n);
    if (number >= 0) {
        w->cookie = ++n->cookies;
        n->watches[number] = w;
    }
    pthread_mutex_unlock(&n->lock);
    return number;
}

/* Lock held. */
static struct fsi_watch *find_watch(struct fsi_notes *n, int number)
{
    return number < 0 || (uint32_t)number >= n->nwatches ? NULL : n->watches[number];
}

/* Take it out; who waits for it learns of that. Return: NULL it is gone already */
static struct fsi_watch *remove_watch(struct fsi_notes *n, int number)
{
    struct fsi_watch *w;

    pthread_mutex_lock(&n->lock);
    w = find_watch(n, number);
    if (w != NULL) {
        n->watches[number] = NULL;
        wake_all(w->sleepers);
    }
    pthread_mutex_unlock(&n->lock);
    return w;
}

/* Return: its number; negative */
static int watch_dir(struct fsi_lane *lane, struct fsif_op *op)
{
    struct fsi_notes *n = &lane->cl->notes;
    struct fsi_watch *w = calloc(1, sizeof(*w));
    int64_t value;
    int number;

    if (w == NULL)
        return -FSIF_ENOMEM;
    number = add_watch(n, w);
    if (number < 0) {
        free(w);
        return number;
    }
    op->cookie = w->cookie;
    value = fsi_call(lane, op, NULL);
    if (value < 0) {
        free(remove_watch(n, number));
        return (int)value;
    }
    w->number = (uint32_t)value;
    return number;
}

int fsif_watch(struct fsif_client *cl, int fh, uint32_t what)
{
    struct fsif_op op = {.type = FSIF_OP_WATCH, .flags = what};
    struct fsi_lane *lane;
    int err = fsi_enter_blocking(cl, &lane);

    if (err < 0)
        return err;
    err = fsi_handle_limits(cl, fh);
    if (err >= 0 && cl->limits.dialect < 3)
        err = -FSIF_EOPNOTSUPP;
    if (err >= 0) {
        op.handle = (uint32_t)fh;
        err = watch_dir(lane, &op);
    }
    fsi_leave(cl);
    return err;
}

int fsif_unwatch(struct fsif_client *cl, int watch)
{
    struct fsif_op op = {.type = FSIF_OP_UNWATCH};
    struct fsi_lane *lane;
    struct fsi_watch *w;
    int err = fsi_enter_blocking(cl, &lane);

    if (err < 0)
        return err;
    w = remove_watch(&cl->notes, watch);
    if (w == NULL) {
        err = -FSIF_EBADF;
    } else {
        op.offset = w->number;
        free(w);
        err = (int)fsi_call(lane, &op, NULL);
    }
    fsi_leave(cl);
    return err;
}

/* Lock held. Return: 1 and @out; 0 none */
static int take_change(struct fsi_watch *w, struct fsif_change *out)
{
    if (w->count > 0) {
        *out = w->changes[w->first];
        w->first = (w->first + 1) % CHANGES;
        w->count--;
        return 1;
    }
    if (!w->lost)
        return 0;
    w->lost = 0;
    memset(out, 0, sizeof(*out));
    out->what = FSIF_CHANGE_LOST;
    return 1;
}

static void remove_sleeper(struct sleeper **at, const struct sleeper *s)
{
    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
}

/*
 * A change, or a place among the sleepers. @cookie: 0 to begin with, then of the watch that was
 * there. Lock held. Return: 1; 0 wait; negative
 */
static int look_at_watch(struct fsi_notes *n, int number, struct sleeper *s, uint64_t *cookie,
                         struct fsif_change *out)
{
    struct fsi_watch *w = find_watch(n, number);
    int taken;

    if (w == NULL || (*cookie != 0 && w->cookie != *cookie))
        return -FSIF_EBADF;
    taken = take_change(w, out);
    if (taken)
        return 1;
    if (n->ended)
        return -FSIF_EIO;
    *cookie = w->cookie;
    s->next = w->sleepers;
    w->sleepers = s;
    return 0;
}

/* Lock held. */
static void leave_watch(struct fsi_notes *n, int number, const struct sleeper *s, uint64_t cookie)
{
    struct fsi_watch *w = find_watch(n, number);

    if (w != NULL && w->cookie == cookie)
        remove_sleeper(&w->sleepers, s);
}

/* One wait. Return: 1 a change; 0 look again; negative, -FSIF_ETIMEDOUT too */
static int watch_once(struct fsif_client *cl, int number, struct sleeper *s, uint64_t *cookie,
                      struct fsif_change *out, uint64_t until)
{
    uint32_t seen = fsi_load_acquire(&s->waiter.done);
    int n;

    pthread_mutex_lock(&cl->notes.lock);
    n = look_at_watch(&cl->notes, number, s, cookie, out);
    pthread_mutex_unlock(&cl->notes.lock);
    if (n != 0)
        return n;
    n = until == 0 ? fsi_poll_once(&s->waiter, 0) : fsi_wait(&s->waiter, seen, until);
    pthread_mutex_lock(&cl->notes.lock);
    leave_watch(&cl->notes, number, s, *cookie);
    pthread_mutex_unlock(&cl->notes.lock);
    return until == 0 ? -FSIF_ETIMEDOUT : n;
}

int fsif_watch_next(struct fsif_client *cl, int watch, struct fsif_change *out, int timeout_ms)
{
    uint64_t until = timeout_ms > 0 ? fsif_now_ms() + (uint64_t)timeout_ms : FSIF_NEVER;
    struct fsi_lane *lane;
    uint64_t cookie = 0;
    struct sleeper s;
    int n = fsi_enter_blocking(cl, &lane);

    if (n < 0)
        return n;
    fsi_waiter_init(&s.waiter, &cl->lanes[0]);
    do {
        n = watch_once(cl, watch, &s, &cookie, out, timeout_ms == 0 ? 0 : until);
    } while (n == 0);
    if (n == -FSIF_ETIMEDOUT) {
        /* What came in the last moment */
        pthread_mutex_lock(&cl->notes.lock);
        n = look_at_watch(&cl->notes, watch, &s, &cookie, out);
        if (n == 0)
            leave_watch(&cl->notes, watch, &s, cookie);
        pthread_mutex_unlock(&cl->notes.lock);
    }
    fsi_leave(cl);
    return n;
}
