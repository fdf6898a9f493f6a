/* SPDX-License-Identifier: MIT */
/*
 * The control socket, on the supervisor's loop. It must never hold that loop up:
 *
 *   accepted --uid is ours or root's--> idle --a packet--> answered --sent--> idle
 *      |                                 |  '--refresh--> waiting --figures, REFRESH_MS--> idle
 *      '--anybody else: closed           '--no dictionary, does not read, hung up: closed
 *
 * Invariant: a client has at most one packet of ours under way, sent without blocking, so it costs
 * a descriptor and its struct, whatever it does. There are at most MAX_CLIENTS; one more takes the
 * place of the one that was quiet for the longest. One packet is taken at a time and then it is
 * the others' turn.
 */
#include "admin.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "supervisor.h"

#define MAX_CLIENTS 32u
#define BACKLOG 32
#define ACCEPTS_AT_ONCE 16
#define PAUSE_MS 100u
#define REFRESH_MS 300u

struct client {
    struct fsi_admin *admin;
    struct client *next;
    uint64_t used; /* when: grows with each packet */
    int fd;
    int waiting;
    uv_poll_t poll;
};

struct fsi_admin {
    struct fsi_supervisor *supervisor;
    struct client *clients;
    uint32_t nclients;
    uint64_t now; /* counts packets */
    int sock;
    int refreshing;
    struct fsif_socket_file file;
    uv_poll_t poll;
    uv_timer_t pause;
    uv_timer_t refresh;
};

/* --- clients ---------------------------------------------------------------------------------- */

static void on_client_closed(uv_handle_t *handle)
{
    struct client *c = handle->data;

    close(c->fd);
    free(c);
}

static void hang_up(struct client *c)
{
    struct client **link = &c->admin->clients;

    while (*link != c)
        link = &(*link)->next;
    *link = c->next;
    c->admin->nclients--;
    uv_close((uv_handle_t *)&c->poll, on_client_closed);
}

static void hang_up_quietest(struct fsi_admin *a)
{
    struct client *quietest = a->clients;

    for (struct client *c = a->clients; c; c = c->next)
        if (c->used < quietest->used)
            quietest = c;
    if (quietest)
        hang_up(quietest);
}

/* Returns 0 if it is still there. */
static int answer(struct client *c, const struct fsif_dict *text)
{
    if (!fsi_control_send(c->fd, text, -1))
        return 0;
    hang_up(c);
    return -1;
}

static void refuse(struct client *c)
{
    struct fsif_dict out;

    fsif_dict_init(&out);
    (void)fsif_dict_put_u32(&out, "control", FSI_ADMIN_VERSION);
    (void)fsif_dict_put_u32(&out, "status", FSIF_EPROTO);
    fsi_admin_put(&out, "text", "that is no request: a request is one packet of KEY=VALUE lines");
    if (!answer(c, &out))
        hang_up(c);
}

static void on_client(uv_poll_t *poll, int status, int events);

static void on_refresh_late(uv_timer_t *timer)
{
    fsi_admin_refreshed(timer->data);
}

static void wait_for_figures(struct client *c)
{
    struct fsi_admin *a = c->admin;

    c->waiting = 1;
    uv_poll_stop(&c->poll);
    if (a->refreshing)
        return;
    a->refreshing = 1;
    if (fsi_workers_ask(a->supervisor))
        uv_timer_start(&a->refresh, on_refresh_late, REFRESH_MS, 0);
    else
        fsi_admin_refreshed(a);
}

void fsi_admin_refreshed(struct fsi_admin *a)
{
    struct fsif_dict out;
    struct client *next;

    if (!a || !a->refreshing)
        return;
    a->refreshing = 0;
    uv_timer_stop(&a->refresh);
    fsif_dict_init(&out);
    (void)fsif_dict_put_u32(&out, "control", FSI_ADMIN_VERSION);
    (void)fsif_dict_put_u32(&out, "status", 0);
    for (struct client *c = a->clients; c; c = next) {
        next = c->next;
        if (!c->waiting)
            continue;
        c->waiting = 0;
        if (!answer(c, &out))
            uv_poll_start(&c->poll, UV_READABLE | UV_DISCONNECT, on_client);
    }
}

static void on_client(uv_poll_t *poll, int status, int events)
{
    struct client *c = poll->data;
    struct fsif_dict in;
    struct fsif_dict out;
    int rc = fsi_control_receive(c->fd, &in, NULL);

    (void)events;
    c->used = ++c->admin->now;
    if (rc == -FSIF_EAGAIN && !status)
        return;
    if (rc == -FSIF_EPROTO)
        refuse(c);
    else if (rc)
        hang_up(c);
    else if (fsi_admin_carry_out(c->admin->supervisor, &in, &out))
        wait_for_figures(c);
    else
        (void)answer(c, &out);
}

/* --- accepting -------------------------------------------------------------------------------- */

/* The file's permissions say the same; this holds where somebody changed them. */
static int is_ours(const struct fsi_admin *a, int fd)
{
    const struct fsi_self *self = &a->supervisor->self;
    struct ucred who;
    socklen_t len = sizeof(who);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) != 0)
        return 0;
    return who.uid == 0 || (who.uid == self->uid && who.uid != self->overflow_uid);
}

static void take_client(struct fsi_admin *a, int fd)
{
    struct client *c = NULL;

    if (!is_ours(a, fd))
        fsif_log_limited(&a->supervisor->fault_log, FSIF_LOG_WARNING, "control-denied",
                         (const char *)NULL);
    else
        c = calloc(1, sizeof(*c));
    if (!c || uv_poll_init(&a->supervisor->loop, &c->poll, fd)) {
        close(fd);
        free(c);
        return;
    }
    if (a->nclients == MAX_CLIENTS)
        hang_up_quietest(a);
    c->admin = a;
    c->fd = fd;
    c->used = ++a->now;
    c->poll.data = c;
    c->next = a->clients;
    a->clients = c;
    a->nclients++;
    uv_poll_start(&c->poll, UV_READABLE | UV_DISCONNECT, on_client);
}

static void on_connect(uv_poll_t *poll, int status, int events);

static void on_pause_over(uv_timer_t *timer)
{
    struct fsi_admin *a = timer->data;

    uv_poll_start(&a->poll, UV_READABLE, on_connect);
}

static void on_connect(uv_poll_t *poll, int status, int events)
{
    struct fsi_admin *a = poll->data;

    (void)status;
    (void)events;
    for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
        int fd = accept4(a->sock, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd >= 0) {
            take_client(a, fd);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
            /* One that does nothing makes room. */
            hang_up_quietest(a);
            uv_poll_stop(&a->poll);
            uv_timer_start(&a->pause, on_pause_over, PAUSE_MS, 0);
            return;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            return;
        }
    }
}

/* --- the socket ------------------------------------------------------------------------------- */

/* Nobody else may put something in its place: the folder is root's or ours, and only its owner
 * writes to it. A missing one is made, for the frontends' sockets may lie there too. */
static int check_folder(const struct fsi_supervisor *sv, const char *path, struct fsi_error *err)
{
    char folder[256];
    const char *slash = strrchr(path, '/');
    struct stat st;

    if (path[0] != '/' || strlen(path) >= sizeof(folder))
        return fsi_fail(err, -FSIF_EINVAL, "control socket '%s' is not an absolute path", path);
    memcpy(folder, path, (size_t)(slash - path));
    folder[slash - path] = '\0';
    if (!*folder)
        strcpy(folder, "/");
    if (mkdir(folder, 0755) && errno != EEXIST)
        return fsi_fail(err, -fsif_errno_from_host(errno), "control socket: %s: %s", folder,
                        strerror(errno));
    if (stat(folder, &st) != 0 || !S_ISDIR(st.st_mode))
        return fsi_fail(err, -FSIF_ENOTDIR, "control socket: %s is no folder", folder);
    if ((st.st_uid != 0 && st.st_uid != sv->self.uid) || (st.st_mode & (S_IWGRP | S_IWOTH)))
        return fsi_fail(err, -FSIF_EACCES,
                        "control socket: folder %s can be written to by others than its owner, "
                        "or is not root's",
                        folder);
    return 0;
}

static int listen_at(struct fsi_admin *a, const char *path, struct fsi_error *err)
{
    int rc = check_folder(a->supervisor, path, err);

    if (rc)
        return rc;
    a->sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (a->sock < 0)
        return fsi_fail(err, -fsif_errno_from_host(errno), "control socket: %s", strerror(errno));
    rc = fsif_socket_bind(&a->file, path, a->sock, 0600);
    if (!rc && listen(a->sock, BACKLOG) != 0)
        rc = -fsif_errno_from_host(errno);
    if (rc)
        return fsi_fail(err, rc, "cannot listen at control socket %s: %s", path,
                        rc == -FSIF_EBUSY ? "another daemon does" : fsif_strerror(rc));
    return 0;
}

static int watch(struct fsi_admin *a, struct fsi_error *err)
{
    uv_loop_t *loop = &a->supervisor->loop;

    if (uv_timer_init(loop, &a->pause) || uv_timer_init(loop, &a->refresh) ||
        uv_poll_init(loop, &a->poll, a->sock))
        return fsi_fail(err, -FSIF_ENOMEM, "cannot watch the control socket");
    a->poll.data = a->pause.data = a->refresh.data = a;
    uv_poll_start(&a->poll, UV_READABLE, on_connect);
    return 0;
}

int fsi_admin_open(struct fsi_supervisor *sv, struct fsi_error *err)
{
    const char *path = sv->options->control;
    struct fsi_admin *a;
    int rc;

    /* A user's daemon has no usual place. */
    if (path ? !strcmp(path, "none") : sv->self.uid != 0)
        return 0;
    a = calloc(1, sizeof(*a));
    if (!a)
        return fsi_fail(err, -FSIF_ENOMEM, "out of memory");
    a->supervisor = sv;
    a->sock = a->file.lock_fd_ = -1;
    rc = listen_at(a, path ? path : FSI_ADMIN_PATH, err);
    if (!rc)
        rc = watch(a, err);
    if (!rc) {
        sv->admin = a;
        return 0;
    }
    fsif_socket_remove(&a->file);
    if (a->sock >= 0)
        close(a->sock);
    free(a);
    if (path)
        return rc;
    fsif_log_event(&sv->log, FSIF_LOG_INFO, "control-off", "reason", err->text, (const char *)NULL);
    err->text[0] = '\0';
    return 0;
}

void fsi_admin_close(struct fsi_admin *a)
{
    if (!a || a->sock < 0)
        return;
    while (a->clients)
        hang_up(a->clients);
    uv_close((uv_handle_t *)&a->poll, NULL);
    uv_close((uv_handle_t *)&a->pause, NULL);
    uv_close((uv_handle_t *)&a->refresh, NULL);
    fsif_socket_remove(&a->file);
    close(a->sock);
    a->sock = -1;
    a->refreshing = 0;
}

void fsi_admin_free(struct fsi_admin *a)
{
    free(a);
}
