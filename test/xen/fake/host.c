/* SPDX-License-Identifier: MIT */
/*
 * The host: which domains there are, who has what open, and the one lock over all of it. It runs in
 * a test's own process, or in a process of its own (server.c) that others reach by a socket.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fake.h"
#include "host.h"

pthread_mutex_t host_lock = PTHREAD_MUTEX_INITIALIZER;
static struct connection *connections;
static uint32_t domains[HOST_DOMAINS / 32];
static int memory = -1;

static void call_locked(struct connection *c, struct fake_message *m)
{
    if (c->dead)
        answer(m, 0, EIO);
    else if (m->op >= FAKE_READ && m->op <= FAKE_RM)
        tree_call(c, m);
    else if (m->op >= FAKE_WATCH && m->op <= FAKE_EVENT)
        watch_call(c, m);
    else if (m->op == FAKE_START || m->op == FAKE_END)
        transact_call(c, m);
    else if (m->op == FAKE_INTRODUCED)
        answer(m, host_exists(m->number[0]), c->domid == 0 ? 0 : EACCES);
    else if (m->op >= FAKE_SHARE && m->op <= FAKE_COPY)
        grant_call(c, m);
    else
        channel_call(c, m);
}

void answer(struct fake_message *m, int result, int error)
{
    m->result = error ? -1 : result;
    m->error = error;
    if (error)
        m->len = 0;
}

int host_memory(void)
{
    return memory;
}

int host_fd(const struct connection *c)
{
    return c->fd;
}

struct connection *host_connections(void)
{
    return connections;
}

int host_exists(uint32_t domid)
{
    return domid < HOST_DOMAINS && (domains[domid / 32] >> domid % 32 & 1u);
}

void host_signal(struct connection *c, int on)
{
    eventfd_t count;

    if (on ? eventfd_write(c->fd, 1) : eventfd_read(c->fd, &count) && errno != EAGAIN)
        abort();
}

static void set_exists(uint32_t domid, int exists)
{
    if (host_exists(domid) != exists)
        domains[domid / 32] ^= 1u << domid % 32;
}

/* A node of the toolstack's: made by domain 0, with these permissions. */
void host_node(const char *path, const char *value, uint32_t owner, unsigned others,
               uint32_t reader, unsigned reading)
{
    struct xs_permissions perms[2] = {{.id = owner, .perms = others},
                                      {.id = reader, .perms = reading}};
    size_t at = strlen(path) + 1;
    struct view toolstack = {.domid = 0};
    static struct fake_message message; /* the lock is held */
    struct fake_message *m = &message;

    memset(m, 0, FAKE_HEAD);
    m->op = FAKE_WRITE;
    memcpy(m->data, path, at);
    memcpy(m->data + at, value, strlen(value));
    m->len = (uint32_t)(at + strlen(value));
    if (tree_apply(toolstack, m))
        abort();
    m->op = FAKE_SET_PERMS;
    m->len = (uint32_t)(at + sizeof(perms[0]) * (reading ? 2u : 1u));
    memcpy(m->data + at, perms, m->len - at);
    if (tree_apply(toolstack, m))
        abort();
}

void host_remove(const char *path)
{
    struct view toolstack = {.domid = 0};
    static struct fake_message message; /* the lock is held */
    struct fake_message *m = &message;

    memset(m, 0, FAKE_HEAD);
    m->op = FAKE_RM;
    m->len = (uint32_t)strlen(path) + 1;
    memcpy(m->data, path, m->len);
    (void)tree_apply(toolstack, m);
}

static void create(uint32_t domid)
{
    char home[64], path[128], value[64];

    set_exists(domid, 1);
    snprintf(home, sizeof(home), "/local/domain/%u", domid);
    host_node(home, "", 0, XS_PERM_NONE, domid, XS_PERM_READ);
    snprintf(path, sizeof(path), "%s/domid", home);
    snprintf(value, sizeof(value), "%u", domid);
    host_node(path, value, 0, XS_PERM_NONE, domid, XS_PERM_READ);
    snprintf(path, sizeof(path), "%s/vm", home);
    snprintf(value, sizeof(value), "/vm/00000000-0000-4000-8000-%012x", domid);
    host_node(path, value, 0, XS_PERM_NONE, domid, XS_PERM_READ);
    snprintf(path, sizeof(path), "%s/device", home);
    host_node(path, "", 0, XS_PERM_NONE, domid, XS_PERM_READ);
    /* Of a driver domain. */
    snprintf(path, sizeof(path), "%s/backend", home);
    host_node(path, "", domid, XS_PERM_NONE, 0, XS_PERM_NONE);
    watch_special("@introduceDomain");
}

static void set_up(void)
{
    if (memory >= 0)
        return;
    memory = memfd_create("fake-xen", MFD_CLOEXEC);
    if (memory < 0 || ftruncate(memory, (off_t)HOST_PAGES * 4096))
        abort();
    tree_reset();
    grant_reset();
    channel_reset();
    create(0);
}

void fake_reset(void)
{
    pthread_mutex_lock(&host_lock);
    if (connections)
        abort();
    if (memory >= 0)
        close(memory);
    memory = -1;
    memset(domains, 0, sizeof(domains));
    transact_conflicts(0);
    set_up();
    pthread_mutex_unlock(&host_lock);
    fake_fail(0, 0);
    fake_before_commit(NULL, NULL);
    fake_after_commit(NULL, NULL);
}

struct connection *host_open(enum fake_kind kind, uint32_t domid, uint32_t process)
{
    struct connection *c = NULL;
    int fd = -1;

    pthread_mutex_lock(&host_lock);
    set_up();
    errno = ENOENT;
    if (!host_exists(domid))
        goto out;
    if (kind == FAKE_STORE || kind == FAKE_CHANNELS) {
        fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (fd < 0)
            goto out;
    } else {
        fd = fcntl(memory, F_DUPFD_CLOEXEC, 3);
        if (fd < 0)
            goto out;
    }
    c = calloc(1, sizeof(*c));
    c->kind = kind;
    c->domid = domid;
    c->process = process;
    c->fd = fd;
    c->next = connections;
    connections = c;
out:
    pthread_mutex_unlock(&host_lock);
    return c;
}

static void release(struct connection *c, int notify)
{
    transact_drop(c);
    watch_drop(c);
    grant_drop(c, notify);
    channel_drop(c);
    c->dead = 1;
}

void host_close(struct connection *c)
{
    struct connection **link = &connections;

    pthread_mutex_lock(&host_lock);
    release(c, 1);
    while (*link != c)
        link = &(*link)->next;
    *link = c->next;
    close(c->fd);
    free(c);
    pthread_mutex_unlock(&host_lock);
}

void host_call(struct connection *c, struct fake_message *m)
{
    pthread_mutex_lock(&host_lock);
    call_locked(c, m);
    pthread_mutex_unlock(&host_lock);
}

/* --- domains and processes --- */

void fake_create(uint32_t domid)
{
    pthread_mutex_lock(&host_lock);
    set_up();
    create(domid);
    pthread_mutex_unlock(&host_lock);
}

void fake_kill(uint32_t process)
{
    pthread_mutex_lock(&host_lock);
    for (struct connection *c = connections; c; c = c->next) {
        if (c->process == process && !c->dead)
            release(c, 1);
    }
    pthread_mutex_unlock(&host_lock);
}

/* First its nodes, then the domain itself, then the word of it. */
void fake_destroy(uint32_t domid)
{
    char path[64];

    pthread_mutex_lock(&host_lock);
    snprintf(path, sizeof(path), "/local/domain/%u", domid);
    host_remove(path);
    set_exists(domid, 0);
    for (struct connection *c = connections; c; c = c->next) {
        if (c->domid == domid && !c->dead)
            release(c, 0);
    }
    grant_forget_domain(domid);
    tree_forget_domain(domid);
    watch_special("@releaseDomain");
    pthread_mutex_unlock(&host_lock);
}

/* --- knobs and counts --- */

void fake_conflicts(uint32_t n)
{
    pthread_mutex_lock(&host_lock);
    transact_conflicts(n);
    pthread_mutex_unlock(&host_lock);
}

void fake_grant_limit(uint32_t pages)
{
    pthread_mutex_lock(&host_lock);
    grant_limit(pages);
    pthread_mutex_unlock(&host_lock);
}

void fake_read_only(uint32_t domid, uint32_t gref)
{
    pthread_mutex_lock(&host_lock);
    grant_change(domid, gref, 0);
    pthread_mutex_unlock(&host_lock);
}

void fake_revoke(uint32_t domid, uint32_t gref)
{
    pthread_mutex_lock(&host_lock);
    grant_change(domid, gref, 1);
    pthread_mutex_unlock(&host_lock);
}

void fake_count(struct fake_counts *out)
{
    memset(out, 0, sizeof(*out));
    pthread_mutex_lock(&host_lock);
    for (struct connection *c = connections; c; c = c->next) {
        out->handles++;
        watch_count(c, &out->watches, &out->events);
    }
    out->nodes = tree_nodes(tree_root());
    out->transactions = transact_count();
    out->grants = grant_count();
    out->maps = grant_maps();
    out->ports = channel_count();
    pthread_mutex_unlock(&host_lock);
}

static void dump(FILE *f, const struct node *n, const char *path)
{
    static const char letters[] = "nrwb";
    char below[4096];

    fprintf(f, "%s", *path ? path : "/");
    for (unsigned i = 0; i < n->nperms; i++)
        fprintf(f, " %c%u", letters[n->perms[i].perms & 3u], n->perms[i].id);
    fprintf(f, " '%.100s'\n", n->value);
    for (const struct node *c = n->child; c; c = c->next) {
        snprintf(below, sizeof(below), "%.3000s/%.1000s", path, c->name);
        dump(f, c, below);
    }
}

char *fake_dump(void)
{
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);

    pthread_mutex_lock(&host_lock);
    dump(f, tree_root(), "");
    pthread_mutex_unlock(&host_lock);
    fclose(f);
    return text;
}
