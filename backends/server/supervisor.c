/* SPDX-License-Identifier: MIT */
/*
 *   open exports --> bind addresses --> "listening" --> serve --signal--> stopping --> end
 *        \-- any failure: everything is closed again, a message, exit code --/
 *
 * Stopping: the addresses are given up, each worker drains, and what is left after stop-timeout, or
 * at a second signal, is killed. The loop ends when the last worker was reaped.
 *
 * Short of descriptors: one that is kept in reserve is given up to accept and drop one peer (else
 * it would wait for an answer that does not come), then that address rests for PAUSE_MS.
 */
#include "supervisor.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include "builtin.h"

#define PAUSE_MS 100u
#define ACCEPTS_AT_ONCE 16
/* Above every number that a worker's own descriptors get. */
#define PROGRAM_FD_MIN 32
#define FDS_OF_DAEMON 512u /* exports that are added while it runs among them */
#define FDS_OF_SESSION 3u

/* Loaded only where a service manager listens: with what it needs itself the library would be a
 * fifth of the memory of a daemon and of each worker. */
#define SYSTEMD_LIBRARY "libsystemd.so.0"

static void tell_manager(struct fsi_supervisor *sv, const char *state)
{
    int (*notify)(int unset_environment, const char *state);
    void *library, *symbol = NULL;

    if (getenv("NOTIFY_SOCKET") == NULL)
        return;
    library = dlopen(SYSTEMD_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (library != NULL)
        symbol = dlsym(library, "sd_notify");
    if (symbol == NULL) {
        fsif_log_event(&sv->log, FSIF_LOG_WARNING, "no-notification", "reason", dlerror(),
                       (const char *)NULL);
        return;
    }
    memcpy(&notify, &symbol, sizeof(notify));
    notify(0, state);
}

/* --- accepting -------------------------------------------------------------------------------- */

static void on_peer(uv_poll_t *poll, int status, int events);

static void on_pause_over(uv_timer_t *timer)
{
    struct fsi_listener *l = timer->data;

    if (l->listener)
        uv_poll_start(&l->poll, UV_READABLE, on_peer);
}

static int open_reserve(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void drop_one(struct fsi_listener *l)
{
    struct fsi_supervisor *sv = l->supervisor;
    struct fsif_peer *peer;

    if (sv->reserve_fd >= 0) {
        close(sv->reserve_fd);
        if (l->transport->accept(l->listener, &peer) == 0)
            l->transport->peer_close(peer);
    }
    sv->reserve_fd = open_reserve();
}

/* What was allowed to a domain by its id ends with it; another one may have the id next. */
static void domain_ended(struct fsi_supervisor *sv, uint32_t domid)
{
    const struct fsi_allow entry = {.kind = FSI_ALLOW_DOMID, .id = domid};
    struct fsi_options *o = sv->options;
    char id[16];

    snprintf(id, sizeof(id), "%u", domid);
    for (size_t i = 0; i < o->nexports; i++) {
        struct fsi_export *e = &o->exports[i];

        if (!fsi_allow_remove(&e->allowed, &entry))
            continue;
        fsif_log_limited(&sv->peer_log, FSIF_LOG_INFO, "domain-ended", "domain", id, "export",
                         e->name, (const char *)NULL);
        fsi_workers_recheck(sv, e->name, "the domain ended");
    }
}

static void take_ended(const struct fsi_listener *l)
{
    uint32_t domid;

    while (l->transport->listener_ended && l->transport->listener_ended(l->listener, &domid) == 0)
        domain_ended(l->supervisor, domid);
}

static void on_peer(uv_poll_t *poll, int status, int events)
{
    struct fsi_listener *l = poll->data;
    struct fsi_supervisor *sv = l->supervisor;
    struct fsif_peer *peer;

    (void)status;
    (void)events;
    for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
        int rc = l->transport->accept(l->listener, &peer);

        /* Before the peer is looked at: its domain may have the id of one that ended. */
        take_ended(l);
        if (rc == -FSIF_EAGAIN)
            return;
        if (rc) {
            fsif_log_limited(&sv->fault_log, FSIF_LOG_ERROR, "accept-failed", "address", l->address,
                             "reason", fsif_strerror(rc), (const char *)NULL);
            if (rc == -FSIF_EMFILE || rc == -FSIF_ENFILE)
                drop_one(l);
            uv_poll_stop(&l->poll);
            uv_timer_start(&l->pause, on_pause_over, PAUSE_MS, 0);
            return;
        }
        fsi_workers_start(sv, l, peer);
    }
}

static int open_listener(struct fsi_supervisor *sv, struct fsi_listener *l, const char *address,
                         struct fsi_error *err)
{
    char name[32];
    const char *rest;
    int rc = fsif_address_split(address, name, &rest);

    l->supervisor = sv;
    l->address = address;
    if (rc)
        return fsi_fail(err, rc, "'%s' is not an address", address);
    rc = fsif_registry_transport(sv->registry, name, &l->transport);
    if (rc)
        return fsi_fail(err, rc, "%s: transport '%s': %s", address, name,
                        fsif_registry_error(sv->registry));
    if (!l->transport->listen)
        return fsi_fail(err, -FSIF_EINVAL, "%s: transport '%s' cannot listen", address, name);
    rc = l->transport->listen(rest, &l->listener);
    if (rc) {
        l->listener = NULL;
        return fsi_fail(err, rc, "cannot listen at %s: %s", address,
                        rc == -FSIF_EBUSY ? "somebody else does" : fsif_strerror(rc));
    }
    return 0;
}

static int start_listener(struct fsi_listener *l, struct fsi_error *err)
{
    struct fsi_supervisor *sv = l->supervisor;
    int fd = l->transport->listener_fd(l->listener);

    if (uv_poll_init(&sv->loop, &l->poll, fd) || uv_timer_init(&sv->loop, &l->pause))
        return fsi_fail(err, -FSIF_ENOMEM, "cannot watch %s", l->address);
    l->poll.data = l->pause.data = l;
    uv_poll_start(&l->poll, UV_READABLE, on_peer);
    fsif_log_event(&sv->log, FSIF_LOG_INFO, "listening", "address", l->address, (const char *)NULL);
    return 0;
}

/* --- stopping --------------------------------------------------------------------------------- */

static void close_listener(struct fsi_listener *l)
{
    if (!l->listener)
        return;
    if (l->poll.data) {
        uv_poll_stop(&l->poll);
        uv_timer_stop(&l->pause);
    }
    l->transport->listener_close(l->listener);
    l->listener = NULL;
}

/* No new peers. A transport that has to do with a session until its end goes on with it. */
static void drain_listeners(struct fsi_supervisor *sv)
{
    for (size_t i = 0; i < sv->nlisteners; i++) {
        struct fsi_listener *l = &sv->listeners[i];

        if (l->transport->listener_drain)
            l->transport->listener_drain(l->listener);
        else
            close_listener(l);
    }
}

static void close_listeners(struct fsi_supervisor *sv)
{
    for (size_t i = 0; i < sv->nlisteners; i++)
        close_listener(&sv->listeners[i]);
}

void fsi_supervisor_worker_gone(struct fsi_supervisor *sv)
{
    if (sv->stopping && !sv->nworkers)
        uv_stop(&sv->loop);
}

static void on_stop_timeout(uv_timer_t *timer)
{
    struct fsi_supervisor *sv = timer->data;

    fsif_log_event(&sv->log, FSIF_LOG_WARNING, "stop-timeout", (const char *)NULL);
    fsi_workers_kill(sv);
}

static void on_signal(uv_signal_t *sig, int number)
{
    struct fsi_supervisor *sv = sig->data;

    if (sv->stopping) {
        fsi_workers_kill(sv);
        return;
    }
    sv->stopping = 1;
    tell_manager(sv, "STOPPING=1");
    fsif_log_event(&sv->log, FSIF_LOG_INFO, "stopping", "signal",
                   number == SIGTERM  ? "SIGTERM"
                   : number == SIGINT ? "SIGINT"
                                      : "SIGHUP",
                   (const char *)NULL);
    drain_listeners(sv);
    fsi_admin_close(sv->admin);
    fsi_workers_drain(sv);
    uv_timer_start(&sv->stop_timer, on_stop_timeout, (uint64_t)sv->options->stop_timeout * 1000u,
                   0);
    fsi_supervisor_worker_gone(sv);
}

/* --- life ------------------------------------------------------------------------------------- */

/* Workers get ours without what speaks to the supervisor's own starter. */
static char **make_environment(void)
{
    static const char *const ours[] = {"NOTIFY_SOCKET=", "LISTEN_", "WATCHDOG_"};
    extern char **environ;
    size_t n = 0;
    size_t used = 0;
    char **list;

    while (environ[n])
        n++;
    list = calloc(n + 1, sizeof(*list));
    for (size_t i = 0; list && i < n; i++) {
        int keep = 1;
        for (size_t k = 0; k < sizeof(ours) / sizeof(ours[0]); k++)
            keep &= strncmp(environ[i], ours[k], strlen(ours[k])) != 0;
        if (keep)
            list[used++] = environ[i];
    }
    return list;
}

static void raise_nofile(struct fsi_supervisor *sv)
{
    const struct fsi_options *o = sv->options;
    rlim_t wanted = FDS_OF_DAEMON + (rlim_t)o->nexports + o->nlisten * 2 +
                    (rlim_t)o->max_sessions * FDS_OF_SESSION;
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= wanted)
        return;
    limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

/* The program is kept open, so that its workers are of the same build after an upgrade. */
static int open_program(struct fsi_supervisor *sv)
{
    int fd = open("/proc/self/exe", O_PATH | O_CLOEXEC);

    if (fd < 0)
        return -1;
    sv->program_fd = fcntl(fd, F_DUPFD_CLOEXEC, PROGRAM_FD_MIN);
    close(fd);
    return sv->program_fd < 0 ? -1 : 0;
}

static int prepare(struct fsi_supervisor *sv, struct fsi_error *err)
{
    int rc;

    sv->environment = make_environment();
    sv->listeners = calloc(sv->options->nlisten, sizeof(*sv->listeners));
    if (!sv->environment || !sv->listeners)
        return fsi_fail(err, -FSIF_ENOMEM, "out of memory");
    raise_nofile(sv);
    sv->reserve_fd = open_reserve();
    rc = fsi_common_create(fsi_spinners_cores(), &sv->common, &sv->common_fd);
    if (rc)
        return fsi_fail(err, rc, "cannot make memory for workers: %s", fsif_strerror(rc));
    if (open_program(sv))
        return fsi_fail(err, -FSIF_EIO, "cannot open /proc/self/exe: %s", strerror(errno));
    rc = fsi_builtin_registry(sv->options->plugin_dir, &sv->registry);
    if (rc)
        return fsi_fail(err, rc, "%s", fsif_strerror(rc));
    fsi_self_init(&sv->self);
    return 0;
}

static int open_all(struct fsi_supervisor *sv, struct fsi_error *err)
{
    struct fsi_options *o = sv->options;
    int rc = 0;

    for (size_t i = 0; i < o->nexports && !rc; i++)
        rc = fsi_export_check(&o->exports[i], &sv->self, err);
    for (size_t i = 0; i < o->nexports && !rc; i++)
        rc = fsi_export_open(&o->exports[i], sv->registry, err);
    for (size_t i = 0; i < o->nexports && !rc; i++)
        rc = fsi_export_settle(&o->exports[i], &sv->self, err);
    for (; sv->nlisteners < o->nlisten && !rc; sv->nlisteners++)
        rc = open_listener(sv, &sv->listeners[sv->nlisteners], o->listen[sv->nlisteners], err);
    return rc;
}

/* A hang-up of the terminal ends us too, unless we were started to survive it. */
static int watch_signals(struct fsi_supervisor *sv)
{
    struct sigaction hangup;

    sv->term.data = sv->interrupt.data = sv->hangup.data = sv;
    if (uv_signal_init(&sv->loop, &sv->term) || uv_signal_init(&sv->loop, &sv->interrupt) ||
        uv_signal_init(&sv->loop, &sv->hangup) || uv_signal_start(&sv->term, on_signal, SIGTERM) ||
        uv_signal_start(&sv->interrupt, on_signal, SIGINT))
        return -1;
    if (sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler == SIG_IGN)
        return 0;
    return uv_signal_start(&sv->hangup, on_signal, SIGHUP);
}

static int start_loop(struct fsi_supervisor *sv, struct fsi_error *err)
{
    int rc = 0;

    if (uv_timer_init(&sv->loop, &sv->stop_timer))
        return fsi_fail(err, -FSIF_ENOMEM, "out of memory");
    sv->stop_timer.data = sv;
    if (watch_signals(sv))
        return fsi_fail(err, -FSIF_EIO, "cannot watch signals");
    for (size_t i = 0; i < sv->nlisteners && !rc; i++)
        rc = start_listener(&sv->listeners[i], err);
    return rc ? rc : fsi_admin_open(sv, err);
}

/* One line, for scripts that wait for it. Nobody may read it, which is no reason to fail. */
static void announce(struct fsi_supervisor *sv)
{
    const struct fsi_options *o = sv->options;

    printf("fsif-backend: listening on ");
    for (size_t i = 0; i < sv->nlisteners; i++)
        printf("%s%s", i ? ", " : "", sv->listeners[i].address);
    printf(" (%zu export%s)\n", o->nexports, o->nexports == 1 ? "" : "s");
    (void)fflush(stdout);
    tell_manager(sv, "READY=1");
}

static void close_handle(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void clean_up(struct fsi_supervisor *sv)
{
    close_listeners(sv);
    fsi_admin_close(sv->admin);
    uv_walk(&sv->loop, close_handle, NULL);
    uv_run(&sv->loop, UV_RUN_DEFAULT);
    uv_loop_close(&sv->loop);
    fsi_admin_free(sv->admin);
    if (sv->registry)
        fsif_registry_destroy(sv->registry);
    if (sv->program_fd >= 0)
        close(sv->program_fd);
    if (sv->reserve_fd >= 0)
        close(sv->reserve_fd);
    if (sv->common_fd >= 0)
        close(sv->common_fd);
    fsi_common_unmap(&sv->common);
    free(sv->listeners);
    free(sv->environment);
}

/* What the machine lacks now is no fault of the command line. */
static int exit_code(int error)
{
    switch (error) {
    case -FSIF_ENOMEM:
    case -FSIF_EMFILE:
    case -FSIF_ENFILE:
    case -FSIF_EBUSY:
    case -FSIF_EAGAIN:
    case -FSIF_EIO:
    case -FSIF_ENOSPC:
        return FSI_EXIT_RUNTIME;
    default:
        return FSI_EXIT_USAGE;
    }
}

int fsi_supervisor_run(struct fsi_options *options, struct fsi_error *err)
{
    struct fsi_supervisor sv;
    int rc;

    memset(&sv, 0, sizeof(sv));
    sv.options = options;
    sv.program_fd = sv.reserve_fd = sv.common_fd = -1;
    fsif_log_init(&sv.log, STDERR_FILENO, (int)options->log_level, "fsif-backend");
    fsif_log_init(&sv.fault_log, STDERR_FILENO, (int)options->log_level, "fsif-backend");
    fsif_log_init(&sv.denied_log, STDERR_FILENO, (int)options->log_level, "fsif-backend");
    fsif_log_init(&sv.peer_log, STDERR_FILENO, (int)options->log_level, "fsif-backend");
    if (uv_loop_init(&sv.loop)) {
        fsi_fail(err, -FSIF_ENOMEM, "cannot start an event loop");
        return FSI_EXIT_RUNTIME;
    }
    rc = prepare(&sv, err);
    if (!rc)
        rc = open_all(&sv, err);
    if (!rc)
        rc = start_loop(&sv, err);
    if (!rc) {
        announce(&sv);
        uv_run(&sv.loop, UV_RUN_DEFAULT);
        fsif_log_event(&sv.log, FSIF_LOG_INFO, "stopped", (const char *)NULL);
    }
    clean_up(&sv);
    return rc ? exit_code(rc) : FSI_EXIT_OK;
}
