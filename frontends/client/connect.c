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
 */

#define DEFAULT_TIMEOUT_MS 30000
#define RING_PAGES 1u

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
    if (out->dialects == 0)
        out->dialects = FSIF_DIALECTS_KNOWN;
    out->dialects &= FSIF_DIALECTS_KNOWN;
    if (out->dialects == 0)
        return -FSIF_EOPNOTSUPP;
    return out->max_calls > FSIF_WIRE1_SLOTS ? -FSIF_EINVAL : 0;
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

int fsi_open_session(const char *address, const struct fsif_client_options *o,
                     const struct fsif_transport **transport, struct fsif_session **session,
                     struct fsif_registry **registry)
{
    struct fsif_registry *r = o->registry;
    char name[32];
    const char *rest;
    int err;

    *registry = NULL;
    if (o->session != NULL) {
        *transport = o->transport;
        *session = o->session;
        return address == NULL ? 0 : -FSIF_EINVAL;
    }
    *session = NULL;
    if (address == NULL || fsif_address_split(address, name, &rest) < 0)
        return -FSIF_EINVAL;
    if (r == NULL) {
        err = fsif_registry_create(o->plugin_dir, &r);
        if (err < 0)
            return err;
        *registry = r;
    }
    err = fsif_registry_transport(r, name, transport);
    if (err < 0)
        return err == -FSIF_ENOENT ? -FSIF_EOPNOTSUPP : err;
    if ((*transport)->connect == NULL)
        return -FSIF_EOPNOTSUPP;
    return (*transport)->connect(rest, o->timeout_ms, session);
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

/* Share memory and agree on it with the backend. @grefs: RING_PAGES + @npages numbers. */
static int negotiate(struct fsif_client *cl, const struct fsif_client_options *o,
                     const char *export_name, uint32_t npages, void **mem, uint32_t *grefs,
                     struct fsif_choice *choice)
{
    struct fsif_offer offer = {
        .kind = FSIF_OFFER_SESSION,
        .dialects = o->dialects,
        .features = FSIF_FEATURE_ERRNO,
        .pages = RING_PAGES + npages,
        .ring_pages = RING_PAGES,
    };
    struct fsif_dict *keys = malloc(2 * sizeof(*keys));
    int err;

    if (keys == NULL)
        return -FSIF_ENOMEM;
    err = cl->transport->share(cl->session, offer.pages, mem, grefs);
    if (err < 0)
        goto out;
    offer.ring_gref = grefs[0];
    memcpy(offer.export_name, export_name, strlen(export_name) + 1);
    err = fsif_offer_write(&offer, &keys[0]);
    if (err < 0)
        goto out;
    err = cl->transport->session_offer(cl->session, &keys[0], &keys[1], o->timeout_ms);
    if (err < 0) {
        err = err == -FSIF_EPIPE ? -FSIF_ECONNREFUSED : err;
        goto out;
    }
    err = fsif_choice_read(&keys[1], &offer, choice);
out:
    free(keys);
    return err;
}

/* Start the engine on what was agreed. */
static int start_engine(struct fsif_client *cl, const struct fsif_client_options *o, void *mem,
                        const uint32_t *grefs, uint32_t npages, const struct fsif_choice *choice)
{
    struct fsif_frontend_config config = {
        .size = sizeof(config),
        .dialect = choice->dialect,
        .features = choice->features,
        .ring = mem,
        .ring_pages = RING_PAGES,
        .pages = (char *)mem + RING_PAGES * FSIF_PAGE_SIZE,
        .grefs = grefs + RING_PAGES,
        .npages = npages,
        .transport = cl->transport,
        .session = cl->session,
        .hooks = o->hooks,
    };
    size_t state_size = fsif_frontend_state_size(&config);
    size_t calls_size = fsif_frontend_calls_size(&config);
    int err;

    if (state_size == 0 || calls_size == 0)
        return -FSIF_EPROTO;
    cl->state = calloc(1, state_size);
    cl->calls = calloc(1, calls_size);
    if (cl->state == NULL || cl->calls == NULL)
        return -FSIF_ENOMEM;
    err = fsif_frontend_init(&cl->fe, &config, cl->state, cl->calls);
    if (err < 0)
        return err;
    cl->limits = (struct fsif_limits){
        .dialect = choice->dialect,
        .max_io = fsif_frontend_max_io(&cl->fe),
        .max_calls = fsif_frontend_max_calls(&cl->fe),
        .read_only = choice->read_only,
        .features = choice->features,
    };
    cl->event_fd = cl->transport->event_fd(cl->session, 0);
    cl->peer_fd = cl->transport->peer_fd(cl->session);
    return 0;
}

static int start_session(struct fsif_client *cl, const struct fsif_client_options *o,
                         const char *export_name)
{
    uint32_t npages = o->max_calls != 0 ? o->max_calls : FSIF_WIRE1_SLOTS;
    uint32_t grefs[RING_PAGES + FSIF_WIRE1_SLOTS];
    struct fsif_choice choice;
    void *mem;
    int err;

    err = negotiate(cl, o, export_name, npages, &mem, grefs, &choice);
    if (err < 0)
        return err;
    return start_engine(cl, o, mem, grefs, npages, &choice);
}

static void destroy(struct fsif_client *cl)
{
    if (cl->session != NULL)
        cl->transport->close(cl->session);
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
    free(cl->calls);
    free(cl->state);
    free(cl);
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
    if (err == 0 || o.session != NULL) {
        int opened = fsi_open_session(address, &o, &cl->transport, &cl->session, &cl->registry);

        err = err < 0 ? err : opened;
    }
    if (err == 0)
        err = start_session(cl, &o, export_name);
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

static int enter(struct fsif_client *cl, int blocking)
{
    int err = 0;

    if (in_child(cl))
        return -FSIF_EBADF;
    pthread_mutex_lock(&cl->lock);
    if (cl->closing)
        err = -FSIF_EPROTO;
    else if (blocking && cl->leader != NULL && pthread_equal(cl->leader_thread, pthread_self()))
        err = -FSIF_EDEADLK;
    else
        cl->users++;
    pthread_mutex_unlock(&cl->lock);
    return err;
}

int fsi_enter(struct fsif_client *cl)
{
    return enter(cl, 0);
}

int fsi_enter_blocking(struct fsif_client *cl)
{
    return enter(cl, 1);
}

void fsi_leave(struct fsif_client *cl)
{
    pthread_mutex_lock(&cl->lock);
    if (--cl->users == 0 && cl->closing)
        pthread_cond_signal(&cl->idle);
    pthread_mutex_unlock(&cl->lock);
}

uint64_t fsi_deadline(const struct fsif_client *cl)
{
    return cl->timeout_ms < 0 ? FSIF_NEVER : fsif_now_ms() + (uint64_t)cl->timeout_ms;
}

void fsif_get_limits(const struct fsif_client *cl, struct fsif_limits *out)
{
    *out = cl->limits;
}
