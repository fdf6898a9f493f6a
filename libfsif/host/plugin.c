/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L
#include <dlfcn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host-internal.h"

typedef void any_fn(void);

struct member {
    const char *name;
    any_fn *fn;
};

#define MEMBER(table, member)                                                                      \
    {                                                                                              \
#member, (any_fn *)(table)->member                                                         \
    }
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

void fsi_error_set(char *text, const char *piece, ...)
{
    size_t used = 0;
    va_list args;

    va_start(args, piece);
    for (; piece; piece = va_arg(args, const char *)) {
        size_t n = strnlen(piece, FSI_ERROR_TEXT - 1 - used);

        memcpy(text + used, piece, n);
        used += n;
    }
    va_end(args);
    text[used] = '\0';
}

static const char *first_missing(const struct member *m, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!m[i].fn)
            return m[i].name;
    }
    return NULL;
}

static int check_head(const char *what, size_t size, size_t least, uint32_t abi, uint32_t want,
                      uint32_t unknown_flags, char *error)
{
    if (size < least)
        fsi_error_set(error, what, " is of another version: its vtable is too small", NULL);
    else if (abi != want)
        fsi_error_set(error, what, " has another ABI version", NULL);
    else if (unknown_flags != 0)
        fsi_error_set(error, what, " has flags that this version does not know", NULL);
    else
        return 0;
    return -FSIF_EINVAL;
}

static int check_name(const char *what, const char *name, char *error)
{
    if (name && fsi_word_valid(name, strnlen(name, FSI_WORD_MAX + 1)))
        return 0;
    fsi_error_set(error, what, " has no valid name", NULL);
    return -FSIF_EINVAL;
}

static int missing(const char *what, const char *name, const char *member, char *error)
{
    fsi_error_set(error, what, " ", name, " lacks the member ", member, NULL);
    return -FSIF_EINVAL;
}

/* A part that a module need not have: all of its members, or none. @optional: one of those that
 * may be missing is there. */
static int check_part(const char *what, const char *name, const struct member *part, size_t n,
                      int optional, char *error)
{
    const char *lacks = first_missing(part, n);
    int any = optional;

    for (size_t i = 0; i < n; i++)
        any |= part[i].fn != NULL;
    return any && lacks ? missing(what, name, lacks, error) : 0;
}

static int check_listener(const struct fsif_transport *t, char *error)
{
    const struct member part[] = {
        MEMBER(t, listen),           MEMBER(t, listener_fd), MEMBER(t, accept),
        MEMBER(t, peer_credentials), MEMBER(t, peer_export), MEMBER(t, peer_close),
        MEMBER(t, listener_close),
    };

    return check_part("transport", t->name, part, COUNT(part),
                      t->peer_answer || t->listener_ended || t->listener_drain, error);
}

static int check_toolstack(const struct fsif_transport *t, char *error)
{
    const struct member part[] = {
        MEMBER(t, toolstack_open), MEMBER(t, toolstack_close), MEMBER(t, resolve),
        MEMBER(t, attach),         MEMBER(t, detach),          MEMBER(t, list),
    };

    return check_part("transport", t->name, part, COUNT(part), 0, error);
}

int fsi_plugin_check_transport(const struct fsif_transport *t, char *error)
{
    const char *lacks;
    int ret = check_head("the transport", t->size, sizeof(*t), t->abi, FSIF_TRANSPORT_ABI,
                         t->flags & ~FSIF_TRANSPORT_EDGES, error);

    if (!ret)
        ret = check_name("the transport", t->name, error);
    if (ret)
        return ret;

    const struct member required[] = {
        MEMBER(t, session_import),
        MEMBER(t, session_next_offer),
        MEMBER(t, session_accept_memory),
        MEMBER(t, session_answer),
        MEMBER(t, map),
        MEMBER(t, unmap),
        MEMBER(t, copy_from),
        MEMBER(t, copy_to),
        MEMBER(t, connect),
        MEMBER(t, share),
        MEMBER(t, session_offer),
        MEMBER(t, notify),
        MEMBER(t, event_fd),
        MEMBER(t, acknowledge),
        MEMBER(t, peer_fd),
        MEMBER(t, peer_state),
        MEMBER(t, close),
    };

    lacks = first_missing(required, COUNT(required));
    if (lacks)
        return missing("transport", t->name, lacks, error);
    ret = check_listener(t, error);
    return ret ? ret : check_toolstack(t, error);
}

int fsi_plugin_check_store(const struct fsif_store_ops *s, char *error)
{
    const char *lacks;
    int ret = check_head("the store", s->size, sizeof(*s), s->abi, FSIF_STORE_ABI, s->flags, error);

    if (!ret)
        ret = check_name("the store", s->name, error);
    if (ret)
        return ret;

    const struct member required[] = {
        MEMBER(s, create),  MEMBER(s, destroy), MEMBER(s, open),   MEMBER(s, close),
        MEMBER(s, read),    MEMBER(s, write),   MEMBER(s, stat),   MEMBER(s, setattr),
        MEMBER(s, sync),    MEMBER(s, remove),  MEMBER(s, rename), MEMBER(s, mkdir),
        MEMBER(s, statvfs), MEMBER(s, readdir),
    };

    const struct member watching[] = {
        MEMBER(s, watch),
        MEMBER(s, unwatch),
        MEMBER(s, watch_fd),
        MEMBER(s, watch_next),
    };

    lacks = first_missing(required, COUNT(required));
    if (lacks)
        return missing("store", s->name, lacks, error);
    return check_part("store", s->name, watching, COUNT(watching), 0, error);
}

static char *join(const char *a, const char *b, const char *c, const char *d)
{
    size_t size = strlen(a) + strlen(b) + strlen(c) + strlen(d) + 1;
    char *s = malloc(size);

    if (s) {
        s[0] = '\0';
        strcat(strcat(strcat(strcat(s, a), b), c), d);
    }
    return s;
}

static int check_loaded(enum fsi_plugin_kind kind, const char *path, const char *name,
                        const void *vtable, char *error)
{
    char why[FSI_ERROR_TEXT];
    const char *own;
    int ret;

    if (kind == FSI_PLUGIN_TRANSPORT) {
        ret = fsi_plugin_check_transport(vtable, why);
        own = ret ? NULL : ((const struct fsif_transport *)vtable)->name;
    } else {
        ret = fsi_plugin_check_store(vtable, why);
        own = ret ? NULL : ((const struct fsif_store_ops *)vtable)->name;
    }
    if (ret)
        fsi_error_set(error, path, ": ", why, NULL);
    else if (strcmp(own, name) != 0) {
        fsi_error_set(error, path, ": the plugin calls itself ", own, NULL);
        ret = -FSIF_EINVAL;
    }
    return ret;
}

int fsi_plugin_load(enum fsi_plugin_kind kind, const char *dir, const char *name, void **handle,
                    const void **vtable, char *error)
{
    int transport = kind == FSI_PLUGIN_TRANSPORT;
    const char *symbol = transport ? FSIF_TRANSPORT_SYMBOL : FSIF_STORE_SYMBOL;
    char *path = join(dir, transport ? "/fsif-transport-" : "/fsif-store-", name, ".so");
    const void *const *entry;
    void *dl = NULL;
    int ret = -FSIF_EINVAL;

    if (!path) {
        fsi_error_set(error, "out of memory", NULL);
        return -FSIF_ENOMEM;
    }
    if (access(path, F_OK) != 0) {
        fsi_error_set(error, "there is no plugin ", path, NULL);
        ret = -FSIF_ENOENT;
        goto out;
    }
    dl = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!dl) {
        const char *why = dlerror();

        fsi_error_set(error, "cannot load ", path, ": ", why ? why : "no reason given", NULL);
        goto out;
    }
    entry = dlsym(dl, symbol);
    if (!entry || !*entry) {
        fsi_error_set(error, path, ": no symbol ", symbol, NULL);
        goto out;
    }
    ret = check_loaded(kind, path, name, *entry, error);
    if (!ret) {
        *handle = dl;
        *vtable = *entry;
        dl = NULL;
    }
out:
    if (dl)
        dlclose(dl);
    free(path);
    return ret;
}
