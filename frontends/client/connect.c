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
 * The life of a client: connect, reconnect, shutdown, disconnect. gate.c says who is inside. In a
 * forked child nothing of it may be touched: its mappings are gone, its locks may be held by
 * threads that do not exist. A page with MADV_WIPEONFORK tells; it is looked at first.
 *
 * fsif_reconnect() shuts the gate and waits until nobody else is inside; then the session is its
 * own to replace. Without a new one the client is `down`: there is no session, and the gate lets
 * nobody in but the next fsif_reconnect(). A handle carries the number of its session (its
 * generation), so one of an earlier session is told from a new one of the same number.
 */

#define DEFAULT_TIMEOUT_MS 30000

void fsif_client_options_init(struct fsif_client_options *o)
{
    memset(o, 0, sizeof(*o));
    o->size = sizeof(*o);
    o->timeout_ms = DEFAULT_TIMEOUT_MS;
    o->spin_us = FSIF_SPIN_DEFAULT;
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

static int make_lane(struct fsif_client *cl, struct fsi_lane *lane)
{
    memset(lane, 0, sizeof(*lane));
    lane->cl = cl;
    lane->number = cl->made;
    lane->event_fd = -1;
    lane->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (lane->wake_fd < 0)
        return -fsif_errno_from_host(errno);
    lane->sleep_fd = fsif_poller_create();
    if (lane->sleep_fd < 0) {
        close(lane->wake_fd);
        return lane->sleep_fd;
    }
    pthread_mutex_init(&lane->lock, NULL);
    cl->made++;
    return fsif_poller_add(lane->sleep_fd, lane->wake_fd, FSI_WOKEN_BY_US, 0);
}

static int make_local(struct fsif_client *cl, uint32_t queues)
{
    pthread_condattr_t attr;
    int err = 0;

    cl->peer_fd = -1;
    fsi_notes_init(cl);
    pthread_mutex_init(&cl->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_cond_init(&cl->idle, &attr);
    pthread_condattr_destroy(&attr);
    cl->handles = calloc(FSI_CLIENT_HANDLES, sizeof(*cl->handles));
    cl->lanes = aligned_alloc(_Alignof(struct fsi_lane), queues * sizeof(*cl->lanes));
    if (cl->handles == NULL || cl->lanes == NULL)
        return -FSIF_ENOMEM;
    while (err == 0 && cl->made < queues)
        err = make_lane(cl, &cl->lanes[cl->made]);
    return err < 0 ? err : make_alive_page(cl);
}

static void destroy(struct fsif_client *cl)
{
    uint32_t i;

    fsi_session_close(cl);
    fsif_registry_destroy(cl->registry);
    if (cl->alive != NULL)
        munmap((void *)(uintptr_t)cl->alive, (size_t)sysconf(_SC_PAGESIZE));
    for (i = 0; i < cl->made; i++) {
        close(cl->lanes[i].wake_fd);
        close(cl->lanes[i].sleep_fd);
        pthread_mutex_destroy(&cl->lanes[i].lock);
    }
    fsi_notes_fini(cl);
    pthread_cond_destroy(&cl->idle);
    pthread_mutex_destroy(&cl->lock);
    free(cl->lanes);
    free((void *)cl->handles);
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
    err = make_local(cl, o.queues);
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

void fsif_shutdown(struct fsif_client *cl)
{
    struct fsi_lane *lane;

    if (fsi_enter(cl, &lane) < 0)
        return;
    fsi_end(cl, FSIF_POISON_NONE);
    fsi_leave(cl);
}

void fsif_disconnect(struct fsif_client *cl)
{
    if (cl == NULL || fsi_in_child(cl))
        return;
    fsi_gate_close(cl);
    fsi_end(cl, FSIF_POISON_NONE);
    fsi_gate_drained(cl);
    destroy(cl);
}

/* End the session, wait until nobody else is inside, and let go of it. */
static void drop_session(struct fsif_client *cl)
{
    fsi_end(cl, FSIF_POISON_NONE);
    fsi_gate_drained(cl);
    fsi_session_close(cl);
    fsi_notes_begin(cl);
    memset((void *)cl->handles, 0, FSI_CLIENT_HANDLES * sizeof(*cl->handles));
    cl->generation = cl->generation % FSI_CLIENT_GENERATIONS + 1;
}

int fsif_reconnect(struct fsif_client *cl)
{
    struct fsif_client_options o;
    int err = fsi_gate_renew(cl);
    int down = cl->down;

    if (err < 0)
        return err;
    if (cl->address == NULL) {
        err = -FSIF_EOPNOTSUPP;
    } else {
        drop_session(cl);
        o = cl->options;
        err = fsi_session_open(cl, &o);
        if (err < 0)
            fsi_session_close(cl);
        down = err < 0;
    }
    fsi_gate_renewed(cl, down);
    return err;
}

void fsif_get_limits(const struct fsif_client *cl, struct fsif_limits *out)
{
    *out = cl->limits;
}
