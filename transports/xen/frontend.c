/* SPDX-License-Identifier: MIT */
/*
 * A frontend in a Linux guest's user space. An offer of dialect 3 takes a device (claim.c); what
 * follows is for the others.
 *
 *   connect --share--> offer: nodes of I, the request (import.c) --I/backend = M--> wait for
 * M/state
 *     --ready--> running
 *     --closed, closing, gone--> refused
 *
 * A backend of 2008 may write I/backend before M/state, and M/state before we may read it: what
 * cannot be read yet is waited for, and only "ready" is ready.
 *
 * libxenstore runs a thread of its own once something is watched; it takes no signals and touches
 * nothing of ours.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <fsif/host.h>
#include <fsif/op.h>

#include "internal.h"

/* Far above what gntalloc gives; it is asked, and says what it does not have. */
#define SHARE_MAX 65536u

/* How often to look at a node that cannot be read yet, and whether the request is still there */
#define UNREADABLE_MS 50
#define REQUEST_MS 200

static int add_fd(int poll_fd, int fd)
{
    struct epoll_event ev = {.events = EPOLLIN};

    return epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &ev);
}

static int open_handles(struct fsif_session *s)
{
    int ret;

    s->xs = xs_open(0);
    if (!s->xs)
        return errno == EACCES || errno == EPERM ? -FSIF_EACCES : -FSIF_ENOENT;
    s->shr = xengntshr_open(&s->quiet, 0);
    if (!s->shr)
        return fsi_xen_error();
    ret = fsi_xen_add_bell(s, 0);
    if (ret)
        return ret;
    s->poll_fd = epoll_create1(EPOLL_CLOEXEC);
    s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (s->poll_fd < 0 || s->wake_fd < 0 || add_fd(s->poll_fd, s->wake_fd) ||
        add_fd(s->poll_fd, xs_fileno(s->xs)))
        return fsi_xen_error();
    return fsi_xen_own_domid(s->xs, &s->own_domid);
}

int fsi_xen_connect(const char *address, int timeout_ms, struct fsif_session **out)
{
    struct fsif_session *s;
    uint32_t domid;
    int ret;

    (void)timeout_ms; /* nothing here waits for the backend */
    if (!fsi_xen_number(address, XEN_DOMAINS - 1, &domid))
        return -FSIF_EINVAL;
    s = fsi_xen_session_new(XEN_FRONTEND);
    if (!s)
        return -FSIF_ENOMEM;
    s->domid = domid;
    ret = open_handles(s);
    if (ret) {
        fsi_xen_close(s);
        return ret;
    }
    *out = s;
    return 0;
}

int fsi_xen_share(struct fsif_session *s, uint32_t n, void **mem, uint32_t *grefs)
{
    void *canary;
    void *pages;

    if (s->role != XEN_FRONTEND || s->mem || n == 0)
        return -FSIF_EINVAL;
    if (n > SHARE_MAX)
        return -FSIF_ENOSPC;
    canary = xengntshr_share_page_notify(s->shr, s->domid, &s->canary_ref, 1, XEN_CANARY_FRONTEND,
                                         (evtchn_port_t)s->bells[0].port);
    if (!canary)
        return fsi_xen_error();
    memset(canary, 0, FSIF_PAGE_SIZE);
    s->canary = canary;
    pages = xengntshr_share_pages(s->shr, s->domid, (int)n, grefs, 1);
    if (!pages) {
        int ret = fsi_xen_error();

        xengntshr_unshare(s->shr, canary, 1);
        s->canary = NULL;
        return ret;
    }
    memset(pages, 0, (size_t)n * FSIF_PAGE_SIZE);
    madvise(canary, FSIF_PAGE_SIZE, MADV_DONTFORK);
    madvise(pages, (size_t)n * FSIF_PAGE_SIZE, MADV_DONTFORK);
    s->canary[XEN_CANARY_FRONTEND] = 1;
    s->mem = pages;
    s->npages = n;
    *mem = pages;
    return 0;
}

/* --- the answer ---------------------------------------------------------------------------------
 */

int fsi_xen_wait_change(struct fsif_session *s, uint64_t end, int timeout_ms, int at_most)
{
    int left = fsi_xen_left_ms(end, timeout_ms);
    char **event;
    int ret;

    if (left == 0)
        return -FSIF_ETIMEDOUT;
    if (left < 0 || (at_most >= 0 && left > at_most))
        left = at_most;
    ret = fsif_wait_fd(xs_fileno(s->xs), POLLIN, left);
    while (ret > 0 && (event = xs_check_watch(s->xs)) != NULL)
        free(event);
    return ret < 0 ? ret : 0;
}

/* The backend's nodes: exactly /local/domain/B/backend/vfs/NUMBER. */
static int read_backend_path(struct fsif_session *s, char out[XEN_PATH_MAX])
{
    char path[XEN_PATH_MAX];
    char vfs[XEN_PATH_MAX];
    uint32_t id;
    int ret;

    fsi_xen_path(path, "%s/backend", s->frontend);
    ret = fsi_xen_read(s->xs, XBT_NULL, path, out, XEN_PATH_MAX);
    fsi_xen_path(vfs, "/local/domain/%u/backend/vfs", s->domid);
    if (!ret && !fsi_xen_numbered(out, vfs, &id))
        ret = -FSIF_EPROTO;
    return ret;
}

static int wait_backend_path(struct fsif_session *s, uint64_t end, int timeout_ms)
{
    char path[XEN_PATH_MAX];
    int ret;

    if (!xs_watch(s->xs, s->frontend, "frontend"))
        return fsi_xen_error();
    while ((ret = read_backend_path(s, path)) == -FSIF_ENOENT) {
        /* A request that is not to be answered is removed. */
        ret = !fsi_xen_is_asked(s) && read_backend_path(s, path) == -FSIF_ENOENT
                  ? -FSIF_ECONNREFUSED
                  : fsi_xen_wait_change(s, end, timeout_ms, REQUEST_MS);
        if (ret)
            break;
    }
    if (!ret)
        memcpy(s->backend, path, sizeof(path));
    xs_unwatch(s->xs, s->frontend, "frontend");
    return ret;
}

/* Whether our nodes still name the same backend's: who ends a session removes both. */
static int is_answered(struct fsif_session *s)
{
    char path[XEN_PATH_MAX];

    return read_backend_path(s, path) == 0 && strcmp(path, s->backend) == 0;
}

/* Returns 0 and 1 in @ready if the session runs, 0 if it was refused. */
static int wait_state(struct fsif_session *s, uint64_t end, int timeout_ms, int *ready)
{
    char path[XEN_PATH_MAX];
    char state[32];
    int seen = 0;
    int ret;

    fsi_xen_path(path, "%s/state", s->backend);
    if (!xs_watch(s->xs, path, "state"))
        return fsi_xen_error();
    for (;;) {
        ret = fsi_xen_read(s->xs, XBT_NULL, path, state, sizeof(state));
        *ready = !ret && strcmp(state, "ready") == 0;
        if (!ret && (*ready || strcmp(state, "closed") == 0 || strcmp(state, "closing") == 0))
            return 0;
        if (ret && ret != -FSIF_ENOENT && ret != -FSIF_EACCES)
            return ret;
        seen |= !ret;
        if (ret && (seen || !is_answered(s)))
            return -FSIF_EPIPE;
        /* What becomes readable may do so without an event. */
        ret = fsi_xen_wait_change(s, end, timeout_ms, seen ? -1 : UNREADABLE_MS);
        if (ret)
            return ret;
    }
}

/* A key of the backend's, or what it means that there is none. */
static uint32_t read_key(struct fsif_session *s, const char *name, uint32_t max, uint32_t absent)
{
    char path[XEN_PATH_MAX];
    uint32_t value;

    fsi_xen_path(path, "%s/%s", s->backend, name);
    return fsi_xen_read_u32(s->xs, XBT_NULL, path, max, &value) ? absent : value;
}

/* An old backend does not say which dialect it speaks: it can only be the one that was offered. */
static uint32_t only_dialect(uint32_t set)
{
    if (set == FSIF_DIALECT_BIT(1))
        return 1;
    return set == FSIF_DIALECT_BIT(2) ? 2 : 0;
}

static int write_answer(struct fsif_session *s, int ready, struct fsif_dict *answer)
{
    uint32_t dialect;
    int ret;

    fsif_dict_init(answer);
    if (!ready)
        return fsif_dict_put_u32(answer, "status",
                                 read_key(s, "status", FSIF_MAX_ERRNO, FSIF_ECONNREFUSED));
    dialect = read_key(s, "dialect", 31, only_dialect(s->dialects));
    if (dialect == 0)
        return -FSIF_EPROTO;
    ret = fsif_dict_put_u32(answer, "status", 0);
    ret |= fsif_dict_put_u32(answer, "dialect", dialect);
    ret |= fsif_dict_put(answer, "features", read_key(s, "feature-errno", 1, 0) ? "errno" : "");
    ret |= fsif_dict_put_u32(answer, "read-only", read_key(s, "read-only", 1, 0));
    return ret ? -FSIF_EPROTO : 0;
}

static int has_dialect(const struct fsif_dict *offer, const char *word)
{
    return fsif_dict_has_word(offer, "dialects", word);
}

/* By nodes of our own, as old frontends and backends have them. */
static int offer_vfs(struct fsif_session *s, const struct fsif_dict *offer, const char *name,
                     struct fsif_dict *answer, uint64_t end, int timeout_ms)
{
    int ready = 0;
    int ret;

    ret = fsi_xen_find_export(s, name, &s->export_number);
    if (ret) {
        fsif_dict_init(answer);
        return fsif_dict_put_u32(answer, "status", (uint32_t)-ret);
    }
    if (!has_dialect(offer, "1") && !has_dialect(offer, "2")) {
        fsif_dict_init(answer);
        return fsif_dict_put_u32(answer, "status", FSIF_EOPNOTSUPP);
    }
    ret = fsi_xen_ask(s, offer, end, timeout_ms);
    if (!ret)
        ret = wait_backend_path(s, end, timeout_ms);
    if (!ret)
        ret = wait_state(s, end, timeout_ms, &ready);
    if (!ret)
        ret = write_answer(s, ready, answer);
    s->running = !ret && ready;
    return ret;
}

static int offer_session(struct fsif_session *s, const struct fsif_dict *offer, const char *name,
                         struct fsif_dict *answer, int timeout_ms)
{
    uint64_t end = timeout_ms < 0 ? 0 : fsif_now_ms() + (uint64_t)timeout_ms;
    int ret = -FSIF_EOPNOTSUPP;

    if (!s->mem || s->frontend[0])
        return -FSIF_EINVAL;
    if (has_dialect(offer, "3"))
        ret = fsi_xen_offer_device(s, offer, name, answer, end, timeout_ms);
    /* A guest that was attached before there were devices, or more sessions than those. */
    if (ret == -FSIF_EOPNOTSUPP)
        ret = offer_vfs(s, offer, name, answer, end, timeout_ms);
    s->canary_armed = s->running && s->canary[XEN_CANARY_BACKEND] != 0;
    return ret;
}

int fsi_xen_offer(struct fsif_session *s, const struct fsif_dict *offer, struct fsif_dict *answer,
                  int timeout_ms)
{
    char request[16];
    char name[FSIF_EXPORT_NAME_MAX + 1] = "";
    int len;

    if (s->role != XEN_FRONTEND || fsif_dict_get(offer, "request", request, sizeof(request)) < 0)
        return -FSIF_EINVAL;
    len = fsif_dict_get(offer, "export", name, sizeof(name));
    if (strcmp(request, "exports") == 0)
        return fsi_xen_list_exports(s, name, answer);
    if (len <= 0)
        return -FSIF_EINVAL;
    return offer_session(s, offer, name, answer, timeout_ms);
}
