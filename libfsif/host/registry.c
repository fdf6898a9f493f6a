/* SPDX-License-Identifier: MIT */
/*
 * What a program knows of transports and stores. Names are few, so a list does; a vtable that was
 * loaded stays loaded until the registry goes, because sessions point into it.
 */
#define _POSIX_C_SOURCE 200809L
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "host-internal.h"

struct entry {
    struct entry *next;
    enum fsi_plugin_kind kind;
    const char *name; /* the vtable's own */
    const void *vtable;
    void *handle; /* NULL: linked in */
};

struct fsif_registry {
    struct entry *entries;
    char *plugin_dir;
    char error[FSI_ERROR_TEXT];
};

int fsif_registry_create(const char *plugin_dir, struct fsif_registry **out)
{
    struct fsif_registry *r = calloc(1, sizeof(*r));

    if (!r)
        return -FSIF_ENOMEM;
    r->plugin_dir = strdup(plugin_dir ? plugin_dir : FSIF_DEFAULT_PLUGIN_DIR);
    if (!r->plugin_dir) {
        free(r);
        return -FSIF_ENOMEM;
    }
    *out = r;
    return 0;
}

void fsif_registry_destroy(struct fsif_registry *r)
{
    if (!r)
        return;
    while (r->entries) {
        struct entry *e = r->entries;

        r->entries = e->next;
        if (e->handle)
            dlclose(e->handle);
        free(e);
    }
    free(r->plugin_dir);
    free(r);
}

static const struct entry *find(const struct fsif_registry *r, enum fsi_plugin_kind kind,
                                const char *name)
{
    for (const struct entry *e = r->entries; e; e = e->next) {
        if (e->kind == kind && strcmp(e->name, name) == 0)
            return e;
    }
    return NULL;
}

static int add(struct fsif_registry *r, enum fsi_plugin_kind kind, const char *name,
               const void *vtable, void *handle)
{
    struct entry *e;

    if (find(r, kind, name)) {
        fsi_error_set(r->error, name, " is registered already", NULL);
        return -FSIF_EEXIST;
    }
    e = malloc(sizeof(*e));
    if (!e) {
        fsi_error_set(r->error, "out of memory", NULL);
        return -FSIF_ENOMEM;
    }
    *e = (struct entry){
        .next = r->entries, .kind = kind, .name = name, .vtable = vtable, .handle = handle};
    r->entries = e;
    return 0;
}

int fsif_registry_add_transport(struct fsif_registry *r, const struct fsif_transport *t)
{
    int ret;

    r->error[0] = '\0';
    ret = fsi_plugin_check_transport(t, r->error);
    return ret ? ret : add(r, FSI_PLUGIN_TRANSPORT, t->name, t, NULL);
}

int fsif_registry_add_store(struct fsif_registry *r, const struct fsif_store_ops *s)
{
    int ret;

    r->error[0] = '\0';
    ret = fsi_plugin_check_store(s, r->error);
    return ret ? ret : add(r, FSI_PLUGIN_STORE, s->name, s, NULL);
}

static int find_or_load(struct fsif_registry *r, enum fsi_plugin_kind kind, const char *name,
                        const void **out)
{
    const struct entry *e;
    const char *own;
    void *handle;
    int ret;

    r->error[0] = '\0';
    if (!fsi_word_valid(name, strnlen(name, FSI_WORD_MAX + 1))) {
        fsi_error_set(r->error, "a name is 1 to 31 bytes of a-z, 0-9 and '-'", NULL);
        return -FSIF_EINVAL;
    }
    e = find(r, kind, name);
    if (e) {
        *out = e->vtable;
        return 0;
    }
    if (!r->plugin_dir[0]) {
        fsi_error_set(r->error, name, " is not linked in and no plugins are loaded", NULL);
        return -FSIF_ENOENT;
    }
    ret = fsi_plugin_load(kind, r->plugin_dir, name, &handle, out, r->error);
    if (ret)
        return ret;
    own = kind == FSI_PLUGIN_TRANSPORT ? ((const struct fsif_transport *)*out)->name
                                       : ((const struct fsif_store_ops *)*out)->name;
    ret = add(r, kind, own, *out, handle);
    if (ret)
        dlclose(handle);
    return ret;
}

int fsif_registry_transport(struct fsif_registry *r, const char *name,
                            const struct fsif_transport **out)
{
    const void *vtable;
    int ret = find_or_load(r, FSI_PLUGIN_TRANSPORT, name, &vtable);

    if (!ret)
        *out = vtable;
    return ret;
}

int fsif_registry_store(struct fsif_registry *r, const char *name,
                        const struct fsif_store_ops **out)
{
    const void *vtable;
    int ret = find_or_load(r, FSI_PLUGIN_STORE, name, &vtable);

    if (!ret)
        *out = vtable;
    return ret;
}

const char *fsif_registry_error(const struct fsif_registry *r)
{
    return r->error;
}
