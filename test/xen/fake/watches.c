/* SPDX-License-Identifier: MIT */
/* Watches: registered ones fire at once, then with each change at or below their path that their
 * owner may see. Nothing is coalesced or lost, as with the real one. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"

#define WATCHES_MAX 128u /* of an unprivileged domain's connection */

struct watch {
    struct watch *next;
    char *path;
    char *token;
};

struct event {
    struct event *next;
    size_t len;
    char text[]; /* path, NUL, token, NUL */
};

static void queue(struct connection *c, const char *path, const char *token)
{
    size_t p = strlen(path) + 1;
    size_t t = strlen(token) + 1;
    struct event *e = malloc(sizeof(*e) + p + t);

    e->next = NULL;
    e->len = p + t;
    memcpy(e->text, path, p);
    memcpy(e->text + p, token, t);
    if (c->last_event)
        c->last_event->next = e;
    else
        c->events = e;
    c->last_event = e;
    host_signal(c, 1);
}

static int below(const char *path, const char *base)
{
    size_t len = strlen(base);

    if (strcmp(base, "/") == 0)
        return path[0] == '/';
    return strncmp(path, base, len) == 0 && (path[len] == '\0' || path[len] == '/');
}

/* @n: the node, which may have been taken out of the tree. */
static int may_see(const struct connection *c, const struct node *n)
{
    if (tree_perm(n, c->domid) & XS_PERM_READ)
        return 1;
    return n->parent && tree_perm(n->parent, c->domid) & XS_PERM_READ;
}

void watch_fire(const char *path, const struct node *n, bool exact)
{
    for (struct connection *c = host_connections(); c; c = c->next) {
        if (c->dead || !c->watches || !may_see(c, n))
            continue;
        for (const struct watch *w = c->watches; w; w = w->next) {
            if (exact ? strcmp(path, w->path) == 0 : below(path, w->path))
                queue(c, path, w->token);
        }
    }
}

void watch_special(const char *name)
{
    for (struct connection *c = host_connections(); c; c = c->next) {
        for (const struct watch *w = c->watches; w && !c->dead && c->domid == 0; w = w->next) {
            if (strcmp(name, w->path) == 0)
                queue(c, name, w->token);
        }
    }
}

static struct watch **find(struct connection *c, const char *path, const char *token)
{
    struct watch **link = &c->watches;

    while (*link && (strcmp((*link)->path, path) != 0 || strcmp((*link)->token, token) != 0))
        link = &(*link)->next;
    return link;
}

static int add(struct connection *c, const char *path, const char *token)
{
    struct watch **link = find(c, path, token);
    uint32_t count = 0;

    if (*link)
        return EEXIST;
    if (path[0] != '/' && path[0] != '@')
        return EINVAL;
    for (const struct watch *w = c->watches; w; w = w->next)
        count++;
    if (c->domid != 0 && count >= WATCHES_MAX)
        return E2BIG;
    *link = calloc(1, sizeof(**link));
    (*link)->path = strdup(path);
    (*link)->token = strdup(token);
    queue(c, path, token);
    return 0;
}

static int drop(struct connection *c, const char *path, const char *token)
{
    struct watch **link = find(c, path, token);
    struct watch *w = *link;

    if (!w)
        return ENOENT;
    *link = w->next;
    free(w->path);
    free(w->token);
    free(w);
    return 0;
}

static void take(struct connection *c, struct fake_message *m)
{
    struct event *e = c->events;

    if (!e) {
        answer(m, 0, EAGAIN);
        return;
    }
    memcpy(m->data, e->text, e->len);
    m->len = (uint32_t)e->len;
    c->events = e->next;
    if (!c->events) {
        c->last_event = NULL;
        host_signal(c, 0);
    }
    free(e);
    answer(m, 0, 0);
}

void watch_call(struct connection *c, struct fake_message *m)
{
    const char *token = m->data + strlen(m->data) + 1;

    if (m->op == FAKE_EVENT) {
        take(c, m);
        return;
    }
    answer(m, 0, m->op == FAKE_WATCH ? add(c, m->data, token) : drop(c, m->data, token));
    m->len = 0;
}

void watch_drop(struct connection *c)
{
    struct event *e;

    while (c->watches)
        (void)drop(c, c->watches->path, c->watches->token);
    while ((e = c->events)) {
        c->events = e->next;
        free(e);
    }
    c->last_event = NULL;
}

void watch_count(const struct connection *c, uint32_t *watches, uint32_t *events)
{
    for (const struct watch *w = c->watches; w; w = w->next)
        ++*watches;
    for (const struct event *e = c->events; e; e = e->next)
        ++*events;
}
