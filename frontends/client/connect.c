/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "internal.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <fsif/wire.h>

/*
 * The life of a client: connect, the gate that every call passes (fsi_enter, fsi_leave), shutdown,
 * disconnect. A client is freed when `closing` is set and `users` is 0. In a forked child nothing
 * of it may be touched: its mappings are gone, its lock may be held by a thread that does not
 * exist. A page with MADV_WIPEONFORK tells; it is looked at first.
 *
 * fsif_reconnect() is a user too: it sets `renewing`, which shuts the gate, and waits until it is
 * the only one inside; then the session is its own to replace. Without a new one the client is
 * `down`: there is no session, and the gate lets nobody in but the next fsif_reconnect().
 * A handle carries the number of its session (its generation), so one of an earlier session is
 * told from a new one of the same number.
 */

#define DEFAULT_TIMEOUT_MS 30000

void fsif_client_options_init(struct fsif_client_options *o)
{
    memset(o, 0, sizeof(*o));
    o->size = sizeof(*o);
    o->timeout_ms = DEFAULT_TIMEOUT_MS;
}

int fsi_options_read(const struct fsif_client_options *in, struct fsif_client_options *out)
{
    fsif_client_options_init(out);
    if (in != NULL) {
        if (in->size < offsetof(struct fsif_client_options, registry) || in->size > 4096)
            return -FSIF_EINVAL;
        memcpy(out, in, in->size < sizeof(*out) ? in->size : sizeof(*out));
        out->size = sizeof(*out);
    }
    if ((out->transport == NULL) != (out->session == NULL))
        return -FSIF_EINVAL;
    return fsi_layout_check(out);
}

int fsi_left_ms(uint64_t deadline)
{
    uint64_t now;

    if (deadline == FSIF_NEVER)
        return -1;
    now = fsif_now_ms();
    if (deadline <= now)
        return 0;
    return deadline - now > INT_MAX ? INT_MAX : (int)(deadline - now);
}

/* --- connecting --------------------------------------------------------------------------- */

static int make_alive_page(struct fsif_client *cl)
{
    size_t size = (size_t)sysconf(_SC_PAGESIZE);
    uint32_t *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (page == MAP_FAILED)
        return -FSIF_ENOMEM;
    cl->alive = page;
    if (madvise(page, size, MADV_WIPEONFORK) != 0)
        return -fsif_errno_from_host(errno);
    *page = 1;
    return 0;
}

static int make_local(struct fsif_client *cl)
{
    pthread_condattr_t attr;
    int err;

    cl->poll_fd = -1;
    cl->event_fd = -1;
    cl->peer_fd = -1;
    cl->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    err = cl->wake_fd < 0 ? -fsif_errno_from_host(errno) : 0;
    pthread_mutex_init(&cl->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_cond_init(&cl->idle, &attr);
    pthread_condattr_destroy(&attr);
    if (err < 0)
        return err;
    cl->handles = calloc(FSI_CLIENT_HANDLES, sizeof(*cl->handles));
    return cl->handles == NULL ? -FSIF_ENOMEM : make_alive_page(cl);
}

static void destroy(struct fsif_client *cl)
{
    fsi_session_close(cl);
    fsif_registry_destroy(cl->registry);
    if (cl->alive != NULL)
        munmap((void *)(uintptr_t)cl->alive, (size_t)sysconf(_SC_PAGESIZE));
    if (cl->poll_fd >= 0)
        close(cl->poll_fd);
    if (cl->wake_fd >= 0)
        close(cl->wake_fd);
    pthread_cond_destroy(&cl->idle);
    pthread_mutex_destroy(&cl->lock);
    free(cl->handles);
    free(cl->address);
    free(cl);
}

/* What a later session needs. The caller's own transport session is used once. */
static int keep_target(struct fsif_client *cl, const struct fsif_client_options *o,
                       const char *address, const char *export_name)
{
    cl->options = *o;
    cl->options.plugin_dir = NULL;
    cl->options.session = NULL;
    memcpy(cl->export_name, export_name, strlen(export_name) + 1);
    if ((address == NULL) != (o->session != NULL))
        return -FSIF_EINVAL;
    if (address == NULL)
        return 0;
    cl->address = strdup(address);
    return cl->address == NULL ? -FSIF_ENOMEM : 0;
}

int fsif_connect(const char *address, const char *export_name,
                 const struct fsif_client_options *options, struct fsif_client **out)
{
    struct fsif_client_options o;
    struct fsif_client *cl;
    int err = fsi_options_read(options, &o);

    *out = NULL;
    cl = calloc(1, sizeof(*cl));
    if (cl == NULL || err < 0) {
        if (o.session != NULL && o.transport != NULL)
            o.transport->close(o.session);
        free(cl);
        return err < 0 ? err : -FSIF_ENOMEM;
    }
    cl->timeout_ms = o.timeout_ms;
    err = make_local(cl);
    if (err == 0 && !fsif_export_name_valid(export_name))
        err = -FSIF_EINVAL;
    if (err == 0)
        err = keep_target(cl, &o, address, export_name);
    if (err == 0)
        err = fsi_session_open(cl, &o);
    else if (o.session != NULL)
        o.transport->close(o.session);
    if (err < 0) {
        destroy(cl);
        return err;
    }
    *out = cl;
    return 0;
}

/* --- ending ------------------------------------------------------------------------------- */

static int in_child(const struct fsif_client *cl)
{
    return *(const volatile uint32_t *)cl->alive == 0;
}

static void end_session(struct fsif_client *cl)
{
    if (cl->down)
        return;
    fsif_frontend_shutdown(&cl->fe, FSIF_POISON_NONE);
    pthread_mutex_lock(&cl->lock);
    fsi_progress(cl);
    fsi_kick(cl);
    pthread_mutex_unlock(&cl->lock);
}

void fsif_shutdown(struct fsif_client *cl)
{
    if (fsi_enter(cl) < 0)
        return;
    end_session(cl);
    fsi_leave(cl);
}

void fsif_disconnect(struct fsif_client *cl)
{
    if (cl == NULL || in_child(cl))
        return;
    pthread_mutex_lock(&cl->lock);
    while (cl->renewing)
        pthread_cond_wait(&cl->idle, &cl->lock);
    cl->closing = 1;
    pthread_mutex_unlock(&cl->lock);
    end_session(cl);
    pthread_mutex_lock(&cl->lock);
    while (cl->users > 0)
        pthread_cond_wait(&cl->idle, &cl->lock);
    pthread_mutex_unlock(&cl->lock);
    destroy(cl);
}

/* --- the gate ----------------------------------------------------------------------------- */

enum gate {
    GATE_ANY,
    GATE_BLOCKING,
    GATE_RENEWING,
};

/* Lock held. */
static int may_enter(const struct fsif_client *cl, enum gate gate)
{
    if (cl->renewing)
        return gate == GATE_RENEWING ? -FSIF_EBUSY : -FSIF_EPROTO;
    if (cl->closing || (cl->down && gate != GATE_RENEWING))
        return -FSIF_EPROTO;
    if (gate != GATE_ANY && cl->leader != NULL && pthread_equal(cl->leader_thread, pthread_self()))
        return -FSIF_EDEADLK;
    return 0;
}

static int enter(struct fsif_client *cl, enum gate gate)
{
    int err;

    if (in_child(cl))
        return -FSIF_EBADF;
    pthread_mutex_lock(&cl->lock);
    err = may_enter(cl, gate);
    if (err == 0) {
        cl->users++;
        cl->renewing = gate == GATE_RENEWING;
    }
    pthread_mutex_unlock(&cl->lock);
    return err;
}

int fsi_enter(struct fsif_client *cl)
{
    return enter(cl, GATE_ANY);
}

int fsi_enter_blocking(struct fsif_client *cl)
{
    return enter(cl, GATE_BLOCKING);
}

void fsi_leave(struct fsif_client *cl)
{
    pthread_mutex_lock(&cl->lock);
    cl->users--;
    if (cl->closing || cl->renewing)
        pthread_cond_broadcast(&cl->idle);
    pthread_mutex_unlock(&cl->lock);
}

/* --- another session ------------------------------------------------------------------------ */

/* End the session, wait until the caller is the only one inside, and let go of it. */
static void drop_session(struct fsif_client *cl)
{
    end_session(cl);
    pthread_mutex_lock(&cl->lock);
    while (cl->users > 1)
        pthread_cond_wait(&cl->idle, &cl->lock);
    pthread_mutex_unlock(&cl->lock);
    fsi_unwatch(cl);
    fsi_session_close(cl);
    memset((void *)cl->handles, 0, FSI_CLIENT_HANDLES * sizeof(*cl->handles));
    cl->generation = cl->generation % FSI_CLIENT_GENERATIONS + 1;
}

int fsif_reconnect(struct fsif_client *cl)
{
    struct fsif_client_options o;
    int err = enter(cl, GATE_RENEWING);

    if (err < 0)
        return err;
    if (cl->address == NULL) {
        err = -FSIF_EOPNOTSUPP;
        goto out;
    }
    drop_session(cl);
    o = cl->options;
    err = fsi_session_open(cl, &o);
    if (err == 0)
        err = fsi_watch(cl);
    if (err < 0)
        fsi_session_close(cl);
    cl->down = err < 0;
out:
    pthread_mutex_lock(&cl->lock);
    cl->renewing = 0;
    cl->users--;
    pthread_cond_broadcast(&cl->idle);
    pthread_mutex_unlock(&cl->lock);
    return err;
}

uint64_t fsi_deadline(const struct fsif_client *cl)
{
    return cl->timeout_ms < 0 ? FSIF_NEVER : fsif_now_ms() + (uint64_t)cl->timeout_ms;
}

void fsif_get_limits(const struct fsif_client *cl, struct fsif_limits *out)
{
    *out = cl->limits;
}
