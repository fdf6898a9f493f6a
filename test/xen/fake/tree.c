/* SPDX-License-Identifier: MIT */
/*
 * The nodes of xenstore, with owners and permissions as xenstored of Xen 4.17 has them: a new node
 * inherits its parent's permissions; one that an unprivileged domain makes belongs to it, and a
 * node that cannot be seen is told from one that is not there only where the nearest parent may be
 * read. Each change gives a node a new generation, by which transactions find conflicts.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"

/* What an unprivileged domain may have. */
#define NODES_MAX 1000u
#define ENTRY_MAX 2048u
#define PATH_BYTES 3072u

static struct node *root;
static uint64_t generation;

static void touch(struct node *n)
{
    n->generation = ++generation;
}

static struct node *make(struct node *parent, const char *name, size_t len)
{
    struct node *n = calloc(1, sizeof(*n));
    struct node **link;

    n->name = strndup(name, len);
    n->value = strdup("");
    n->parent = parent;
    if (parent) {
        memcpy(n->perms, parent->perms, sizeof(n->perms));
        n->nperms = parent->nperms;
        for (link = &parent->child; *link; link = &(*link)->next)
            ;
        *link = n;
        touch(parent);
    }
    touch(n);
    return n;
}

void tree_free(struct node *n)
{
    while (n->child) {
        struct node *c = n->child;

        n->child = c->next;
        tree_free(c);
    }
    free(n->name);
    free(n->value);
    free(n);
}

struct node *tree_copy(const struct node *n, struct node *parent)
{
    struct node *copy = malloc(sizeof(*copy));
    struct node **link = &copy->child;

    *copy = *n;
    copy->name = strdup(n->name);
    copy->value = malloc(n->len + 1u);
    memcpy(copy->value, n->value, n->len + 1u);
    copy->parent = parent;
    copy->child = copy->next = NULL;
    for (const struct node *c = n->child; c; c = c->next) {
        *link = tree_copy(c, copy);
        link = &(*link)->next;
    }
    return copy;
}

uint64_t tree_generation(void)
{
    return generation;
}

uint32_t tree_nodes(const struct node *n)
{
    uint32_t count = 1;

    for (const struct node *c = n->child; c; c = c->next)
        count += tree_nodes(c);
    return count;
}

static uint32_t owned(const struct node *n, uint32_t domid)
{
    uint32_t count = n->perms[0].id == domid;

    for (const struct node *c = n->child; c; c = c->next)
        count += owned(c, domid);
    return count;
}

void tree_reset(void)
{
    if (root)
        tree_free(root);
    root = make(NULL, "", 0);
    root->nperms = 1;
    root->perms[0] = (struct xs_permissions){.id = 0, .perms = XS_PERM_NONE};
}

struct node *tree_root(void)
{
    return root;
}

/* The nearest node there is; @rest: what is missing of the path. */
static struct node *nearest(struct node *n, const char *path, const char **rest)
{
    while (*path == '/' && path[1]) {
        const char *name = path + 1;
        size_t len = strcspn(name, "/");
        struct node *c = n->child;

        while (c && (strlen(c->name) != len || memcmp(c->name, name, len) != 0))
            c = c->next;
        if (!c)
            break;
        n = c;
        path = name + len;
    }
    *rest = path[0] == '/' && !path[1] ? path + 1 : path;
    return n;
}

struct node *tree_find(struct node *from, const char *path)
{
    const char *rest;
    struct node *n = nearest(from, path, &rest);

    return *rest ? NULL : n;
}

void tree_path(const struct node *n, char *out, size_t size)
{
    size_t len;

    out[0] = '\0';
    if (!n->parent)
        return;
    tree_path(n->parent, out, size);
    len = strlen(out);
    snprintf(out + len, size - len, "/%s", n->name);
}

unsigned tree_perm(const struct node *n, uint32_t domid)
{
    if (domid == 0 || n->perms[0].id == domid)
        return XS_PERM_READ | XS_PERM_WRITE | XS_PERM_OWNER;
    for (unsigned i = 1; i < n->nperms; i++) {
        if (n->perms[i].id == domid)
            return n->perms[i].perms;
    }
    return n->perms[0].perms;
}

static int path_valid(const char *path)
{
    size_t len = strlen(path);

    if (path[0] != '/' || len > PATH_BYTES || strstr(path, "//") ||
        (len > 1 && path[len - 1] == '/'))
        return 0;
    return path[strspn(
               path, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-/_@")] == '\0';
}

static struct node *root_of(struct view v)
{
    return v.tx ? v.tx->root : root;
}

/* Returns NULL and *error if @path may not be used so. */
static struct node *look(struct view v, const char *path, unsigned perm, int *error)
{
    const char *rest;
    struct node *near = nearest(root_of(v), path, &rest);
    struct node *n = *rest ? NULL : near;

    if (v.tx)
        transact_access(v.tx, path, n);
    *error = 0;
    if ((tree_perm(near, v.domid) & perm) != perm)
        *error = EACCES;
    else if (!n)
        *error = ENOENT;
    return *error ? NULL : n;
}

static int over_quota(struct view v, const struct node *n, unsigned len)
{
    size_t children = 0;

    if (v.domid == 0)
        return 0;
    for (const struct node *c = n ? n->child : NULL; c; c = c->next)
        children += strlen(c->name) + 1;
    return len + children + (n ? n->nperms : 1) * sizeof(struct xs_permissions) > ENTRY_MAX;
}

static void changed(struct view v, const char *path, const struct node *n, bool exact)
{
    if (!v.tx)
        watch_fire(path, n, exact);
}

/* Make @path and what is missing above it. */
static struct node *create(struct view v, const char *path, int *error)
{
    const char *rest;
    struct node *n = nearest(root_of(v), path, &rest);
    char parent[PATH_BYTES + 1];

    if (!(tree_perm(n, v.domid) & XS_PERM_WRITE)) {
        *error = EACCES;
        return NULL;
    }
    while (*rest) {
        size_t len = strcspn(rest + 1, "/");

        if (v.domid != 0 && owned(root_of(v), v.domid) >= NODES_MAX) {
            *error = ENOSPC;
            return NULL;
        }
        if (v.tx) {
            tree_path(n, parent, sizeof(parent));
            transact_access(v.tx, parent, n);
        }
        n = make(n, rest + 1, len);
        if (v.domid != 0)
            n->perms[0].id = v.domid;
        rest += 1 + len;
    }
    return n;
}

static int apply_write(struct view v, struct fake_message *m)
{
    const char *path = m->data;
    unsigned at = (unsigned)strlen(path) + 1;
    unsigned len = m->len > at ? m->len - at : 0;
    int error = 0;
    struct node *n = look(v, path, XS_PERM_WRITE, &error);

    if (error == ENOENT) {
        error = 0;
        n = create(v, path, &error);
    }
    if (error)
        return error;
    if (over_quota(v, n, len))
        return ENOSPC;
    free(n->value);
    n->value = malloc(len + 1u);
    memcpy(n->value, m->data + at, len);
    n->value[len] = '\0';
    n->len = len;
    touch(n);
    changed(v, path, n, false);
    return 0;
}

static int apply_mkdir(struct view v, struct fake_message *m)
{
    int error = 0;
    struct node *n = look(v, m->data, XS_PERM_WRITE, &error);

    if (error != ENOENT)
        return error;
    error = 0;
    n = create(v, m->data, &error);
    if (n)
        changed(v, m->data, n, false);
    return error;
}

static void unlink_node(struct node *n)
{
    struct node **link = &n->parent->child;

    while (*link != n)
        link = &(*link)->next;
    *link = n->next;
    touch(n->parent);
}

/* Children have watchers of their own. */
static void fire_below(struct view v, const struct node *n, const char *path)
{
    char below[PATH_BYTES + 64];

    for (const struct node *c = n->child; c; c = c->next) {
        snprintf(below, sizeof(below), "%s/%s", path, c->name);
        changed(v, below, c, true);
        fire_below(v, c, below);
    }
}

static int apply_rm(struct view v, struct fake_message *m)
{
    const char *rest;
    int error = 0;
    struct node *n = look(v, m->data, XS_PERM_WRITE, &error);

    if (error == ENOENT) {
        /* Fine if its parent is there. */
        nearest(root_of(v), m->data, &rest);
        return strchr(rest + 1, '/') ? ENOENT : 0;
    }
    if (error)
        return error;
    if (!n->parent)
        return EINVAL;
    if (v.tx) {
        char parent[PATH_BYTES + 1];

        tree_path(n->parent, parent, sizeof(parent));
        transact_access(v.tx, parent, n->parent);
    }
    unlink_node(n);
    changed(v, m->data, n, false);
    fire_below(v, n, m->data);
    tree_free(n);
    return 0;
}

static int apply_set_perms(struct view v, struct fake_message *m)
{
    unsigned at = (unsigned)strlen(m->data) + 1;
    unsigned count = (m->len - at) / (unsigned)sizeof(struct xs_permissions);
    struct xs_permissions perms[HOST_PERMS];
    int error = 0;
    struct node *n;

    if (count == 0 || count > HOST_PERMS)
        return EINVAL;
    memcpy(perms, m->data + at, count * sizeof(perms[0]));
    n = look(v, m->data, XS_PERM_WRITE | XS_PERM_OWNER, &error);
    if (error)
        return error;
    if (v.domid != 0 && perms[0].id != n->perms[0].id)
        return EPERM;
    memcpy(n->perms, perms, sizeof(perms));
    n->nperms = count;
    touch(n);
    changed(v, m->data, n, false);
    return 0;
}

int tree_apply(struct view v, struct fake_message *m)
{
    switch (m->op) {
    case FAKE_WRITE:
        return apply_write(v, m);
    case FAKE_MKDIR:
        return apply_mkdir(v, m);
    case FAKE_RM:
        return apply_rm(v, m);
    default:
        return apply_set_perms(v, m);
    }
}

static void read_value(const struct node *n, struct fake_message *m)
{
    memcpy(m->data, n->value, n->len);
    m->len = n->len;
}

static void read_names(const struct node *n, struct fake_message *m)
{
    m->len = 0;
    m->result = 0;
    for (const struct node *c = n->child; c; c = c->next) {
        size_t len = strlen(c->name) + 1;

        if (m->len + len > sizeof(m->data))
            break;
        memcpy(m->data + m->len, c->name, len);
        m->len += (uint32_t)len;
        m->result++;
    }
}

static void read_perms(const struct node *n, struct fake_message *m)
{
    m->len = n->nperms * (uint32_t)sizeof(n->perms[0]);
    memcpy(m->data, n->perms, m->len);
    m->result = (int32_t)n->nperms;
}

static void reading(struct view v, struct fake_message *m)
{
    int error;
    const struct node *n = look(v, m->data, XS_PERM_READ, &error);

    answer(m, 0, error);
    if (!n)
        return;
    if (m->op == FAKE_READ)
        read_value(n, m);
    else if (m->op == FAKE_DIRECTORY)
        read_names(n, m);
    else
        read_perms(n, m);
}

/* A path that does not begin with a slash is below the domain's own. */
static void make_absolute(const struct connection *c, struct fake_message *m)
{
    char home[32];
    size_t len;

    if (m->data[0] == '/')
        return;
    len = (size_t)snprintf(home, sizeof(home), "/local/domain/%u/", c->domid);
    memmove(m->data + len, m->data, m->len);
    memcpy(m->data, home, len);
    m->len += (uint32_t)len;
}

void tree_call(struct connection *c, struct fake_message *m)
{
    struct view v = {.domid = c->domid};
    int error;

    make_absolute(c, m);
    if (m->tx) {
        v.tx = transact_find(c, m->tx);
        if (!v.tx) {
            answer(m, 0, ENOENT);
            return;
        }
    }
    if (!path_valid(m->data)) {
        answer(m, 0, EINVAL);
        return;
    }
    if (m->op == FAKE_READ || m->op == FAKE_DIRECTORY || m->op == FAKE_GET_PERMS) {
        reading(v, m);
        return;
    }
    error = tree_apply(v, m);
    if (!error && v.tx)
        transact_change(v.tx, m);
    m->len = 0;
    answer(m, 0, error);
}

static void forget_perms(struct node *n, uint32_t domid)
{
    unsigned used = 1;

    for (unsigned i = 1; i < n->nperms; i++) {
        if (n->perms[i].id != domid)
            n->perms[used++] = n->perms[i];
    }
    n->nperms = used;
}

static void forget_below(struct node *n, uint32_t domid)
{
    struct node *next;

    forget_perms(n, domid);
    for (struct node *c = n->child; c; c = next) {
        next = c->next;
        if (c->perms[0].id == domid) {
            char path[PATH_BYTES + 1];

            tree_path(c, path, sizeof(path));
            unlink_node(c);
            watch_fire(path, c, false);
            fire_below((struct view){0}, c, path);
            tree_free(c);
        } else {
            forget_below(c, domid);
        }
    }
}

void tree_forget_domain(uint32_t domid)
{
    forget_below(root, domid);
}
