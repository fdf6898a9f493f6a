/* SPDX-License-Identifier: MIT */
/*
 * old-backend: the backend of 2008, or of Xen 3.3 to 4.1, as a test double. It has their one box
 * for all requests that every guest may write, tells a frontend of M before M/state is there, gives
 * -1 for every error, and answers what came at once in reverse order. SIGTERM ends it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "old_back.h"

#define SESSIONS 16

struct old_back {
    int dialect;
    int dir;
    uint32_t domid;
    uint32_t next_m;
    uint32_t most; /* requests that came at once */
    struct xs_handle *xs;
    xengnttab_handle *tab;
    xenevtchn_handle *evtchn;
    char base[PATH_SIZE];
    struct old_session sessions[SESSIONS];
};

static volatile sig_atomic_t stopped;

static void on_signal(int signal)
{
    (void)signal;
    stopped = 1;
}

static void make_node(struct old_back *b, const char *path, unsigned other, uint32_t reader)
{
    struct xs_permissions perms[2] = {
        {.id = b->domid, .perms = other},
        {.id = reader, .perms = XS_PERM_READ},
    };

    if (!xs_mkdir(b->xs, XBT_NULL, path) ||
        !xs_set_permissions(b->xs, XBT_NULL, path, perms, reader ? 2 : 1))
        fatal(path);
}

static void announce(struct old_back *b, const char *export_name)
{
    char path[2 * PATH_SIZE];
    const char *own = xs_get(b->xs, "domid");

    b->domid = own ? (uint32_t)strtoul(own, NULL, 10) : 0;
    snprintf(b->base, sizeof(b->base), "/local/domain/%u/backend/vfs", b->domid);
    xs_rm(b->xs, XBT_NULL, b->base);
    snprintf(path, sizeof(path), "%s/exports", b->base);
    make_node(b, path, XS_PERM_READ, 0);
    snprintf(path, sizeof(path), "%s/exports/0/name", b->base);
    xs_put(b->xs, XBT_NULL, path, "%s", export_name);
    snprintf(path, sizeof(path), "%s/exports/requests", b->base);
    make_node(b, path, XS_PERM_READ | XS_PERM_WRITE, 0);
    if (!xs_watch(b->xs, path, "requests"))
        fatal(path);
}

static void write_state(struct old_back *b, const struct old_session *s, const char *state)
{
    char path[2 * PATH_SIZE];

    snprintf(path, sizeof(path), "%s/%u", b->base, s->m);
    make_node(b, path, XS_PERM_NONE, s->domid);
    snprintf(path, sizeof(path), "%s/%u/state", b->base, s->m);
    xs_put(b->xs, XBT_NULL, path, "%s", state);
}

static int64_t frontend_number(struct old_back *b, const struct old_session *s, const char *name)
{
    char path[2 * PATH_SIZE];

    snprintf(path, sizeof(path), "%s/%s", s->frontend, name);
    return xs_number(b->xs, path);
}

static int map_ring(struct old_back *b, struct old_session *s)
{
    uint32_t refs[RING_PAGES_MAX];
    char name[32];
    int64_t pages = 1;

    if (s->dialect != 1)
        pages = frontend_number(b, s, "ring-size");
    if (pages < 1 || pages > RING_PAGES_MAX)
        return -1;
    for (uint32_t i = 0; i < (uint32_t)pages; i++) {
        int64_t ref;

        snprintf(name, sizeof(name), s->dialect == 1 ? "ring-ref" : "ring-ref-%u", i);
        ref = frontend_number(b, s, name);
        if (ref < 0)
            return -1;
        refs[i] = (uint32_t)ref;
    }
    s->ring_pages = (uint32_t)pages;
    s->mem = xengnttab_map_domain_grant_refs(b->tab, s->ring_pages, s->domid, refs,
                                             PROT_READ | PROT_WRITE);
    if (!s->mem)
        return -1;
    ring_init(&s->ring, s->mem, s->dialect, s->ring_pages);
    return 0;
}

static int connect_session(struct old_back *b, struct old_session *s)
{
    int64_t remote = frontend_number(b, s, "event-channel");
    char path[2 * PATH_SIZE];
    int port;

    /* The wrong way round, with some time between. */
    snprintf(path, sizeof(path), "%s/backend", s->frontend);
    xs_put(b->xs, XBT_NULL, path, "%s/%u", b->base, s->m);
    usleep(30000);
    write_state(b, s, "init");
    usleep(30000);
    if (remote < 0 || map_ring(b, s))
        return -1;
    port = xenevtchn_bind_interdomain(b->evtchn, s->domid, (evtchn_port_t)remote);
    if (port < 0)
        return -1;
    s->port = (evtchn_port_t)port;
    snprintf(path, sizeof(path), "%s/state", s->frontend);
    if (!xs_watch(b->xs, path, "frontend"))
        return -1;
    write_state(b, s, "ready");
    printf("mounted by domain %u, ring of %u slots\n", s->domid, s->ring.slots);
    return 0;
}

static void on_request(struct old_back *b, const char *path)
{
    struct old_session *s = b->sessions;
    char node[2 * PATH_SIZE];
    const char *frontend;
    unsigned domid;

    if (sscanf(path + strlen(b->base), "/exports/requests/%u/", &domid) != 1)
        return;
    snprintf(node, sizeof(node), "%s/exports/requests/%u/0/frontend", b->base, domid);
    frontend = xs_get(b->xs, "%s", node);
    if (!frontend)
        return;
    while (s < b->sessions + SESSIONS && s->used)
        s++;
    if (s == b->sessions + SESSIONS)
        die("too many sessions");
    memset(s, 0, sizeof(*s));
    s->dialect = b->dialect;
    s->dir = b->dir;
    s->tab = b->tab;
    s->domid = domid;
    s->m = b->next_m++;
    snprintf(s->frontend, sizeof(s->frontend), "%s", frontend);
    s->used = connect_session(b, s) == 0;
    xs_rm(b->xs, XBT_NULL, node);
    if (!s->used)
        printf("mount by domain %u failed\n", domid);
}

/* The old ones left all this to the end of the domain; a test needs the room. */
static void end_session(struct old_back *b, struct old_session *s, const char *why)
{
    char path[2 * PATH_SIZE];

    snprintf(path, sizeof(path), "%s/state", s->frontend);
    xs_unwatch(b->xs, path, "frontend");
    xenevtchn_unbind(b->evtchn, s->port);
    xengnttab_unmap(b->tab, s->mem, s->ring_pages);
    if (s->dialect != 1)
        write_state(b, s, "closed");
    snprintf(path, sizeof(path), "%s/%u", b->base, s->m);
    if (s->dialect == 1)
        xs_rm(b->xs, XBT_NULL, path);
    s->used = 0;
    printf("unmounted by domain %u: %s\n", s->domid, why);
}

static void on_frontend(struct old_back *b)
{
    for (struct old_session *s = b->sessions; s < b->sessions + SESSIONS; s++) {
        const char *state = s->used ? xs_get(b->xs, "%s/state", s->frontend) : NULL;

        if (!s->used || (state && strcmp(state, "ready") == 0))
            continue;
        end_session(b, s, state ? state : "gone");
    }
}

static void on_watch(struct old_back *b)
{
    unsigned n;
    char **event = xs_read_watch(b->xs, &n);

    if (!event)
        fatal("watch");
    if (strcmp(event[XS_WATCH_TOKEN], "requests") == 0)
        on_request(b, event[XS_WATCH_PATH]);
    else
        on_frontend(b);
    free(event);
}

/* Takes all that is there, answers the last first. */
static int serve_ring(struct old_back *b, struct old_session *s)
{
    unsigned char slots[1024][SLOT_MAX];
    unsigned char response[SLOT_MAX];
    uint32_t prod = ring_get(&s->ring, REQ_PROD);
    uint32_t n = prod - s->req_cons;
    uint32_t old = s->rsp_prod;

    if (n > s->ring.slots)
        die("req_prod is %u after %u", prod, s->req_cons);
    b->most = n > b->most ? n : b->most;
    for (uint32_t i = 0; i < n; i++)
        memcpy(slots[i], ring_slot(&s->ring, s->req_cons++), s->ring.stride);
    for (uint32_t i = n; i-- > 0;) {
        old_serve(s, slots[i], response);
        memcpy(ring_slot(&s->ring, s->rsp_prod++), response, s->ring.stride);
    }
    ring_set(&s->ring, RSP_PROD, s->rsp_prod);
    if (n && s->rsp_prod - ring_get(&s->ring, RSP_EVENT) < s->rsp_prod - old)
        xenevtchn_notify(b->evtchn, s->port);
    ring_set(&s->ring, REQ_EVENT, s->req_cons + 1);
    return ring_get(&s->ring, REQ_PROD) != s->req_cons;
}

static void on_event(struct old_back *b)
{
    int port = xenevtchn_pending(b->evtchn);

    if (port < 0 || xenevtchn_unmask(b->evtchn, (evtchn_port_t)port))
        fatal("event");
    for (struct old_session *s = b->sessions; s < b->sessions + SESSIONS; s++) {
        if (!s->used || s->port != (evtchn_port_t)port)
            continue;
        while (serve_ring(b, s))
            continue;
    }
}

static void run(struct old_back *b)
{
    struct pollfd fds[2] = {
        {.fd = xs_fileno(b->xs), .events = POLLIN},
        {.fd = xenevtchn_fd(b->evtchn), .events = POLLIN},
    };

    while (!stopped) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            fatal("poll");
        if (stopped)
            break;
        if (fds[1].revents & POLLIN)
            on_event(b);
        if (fds[0].revents & POLLIN)
            on_watch(b);
    }
}

int main(int argc, char **argv)
{
    static struct old_back b = {.dialect = 1, .next_m = 1};
    struct sigaction action = {.sa_handler = on_signal};

    if (argc == 5 && strcmp(argv[1], "--dialect") == 0) {
        b.dialect = atoi(argv[2]);
        argv += 2;
        argc -= 2;
    }
    if (argc != 3 || b.dialect < 1 || b.dialect > 2)
        die("usage: old-backend [--dialect 1|2] EXPORT DIRECTORY");
    setvbuf(stdout, NULL, _IOLBF, 0);
    umask(0);
    b.dir = open(argv[2], O_RDONLY | O_DIRECTORY);
    if (b.dir < 0 || fchdir(b.dir))
        fatal(argv[2]);
    sigaction(SIGTERM, &action, NULL);
    b.xs = xs_open(0);
    b.tab = xengnttab_open(NULL, 0);
    b.evtchn = xenevtchn_open(NULL, 0);
    if (!b.xs || !b.tab || !b.evtchn)
        fatal("xenstore, gntdev or evtchn");
    announce(&b, argv[1]);
    puts("listening");
    run(&b);
    xs_rm(b.xs, XBT_NULL, b.base);
    printf("%u requests at once at most\n", b.most);
    return 0;
}
