/* SPDX-License-Identifier: MIT */
/* Dictionaries as nodes: a node below a device's for each key, the value as it is. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* Nodes of one directory that are looked at: more is nobody's need. */
#define KEYS_MAX 64u

/* Longer names are no keys. */
#define KEY_PATH_MAX (XEN_PATH_MAX + FSIF_DICT_KEY_MAX + 2)

/* A word of @list that ends with '*' stands for all that begin with it. */
static int is_listed(const char *name, const char *const *list)
{
    for (; *list; list++) {
        size_t len = strlen(*list);

        if ((*list)[len - 1] == '*' ? strncmp(name, *list, len - 1) == 0 : strcmp(name, *list) == 0)
            return 1;
    }
    return 0;
}

/* Return: 1 it is a key now; 0 it cannot be one, or is gone; a negative FSIF_E* */
static int read_one(struct xs_handle *xs, xs_transaction_t t, const char *base, const char *name,
                    uint32_t owner, struct fsif_dict *out)
{
    char path[KEY_PATH_MAX];
    char value[FSIF_DICT_VALUE_MAX + 1];
    int ret;

    if (strlen(name) > FSIF_DICT_KEY_MAX)
        return 0;
    snprintf(path, sizeof(path), "%s/%s", base, name);
    ret = fsi_xen_owned_by(xs, t, path, owner);
    if (!ret)
        ret = fsi_xen_read(xs, t, path, value, sizeof(value));
    if (!ret && fsif_dict_put(out, name, value))
        ret = -FSIF_EPROTO;
    return ret;
}

int fsi_xen_read_keys(struct xs_handle *xs, xs_transaction_t t, const char *base, uint32_t owner,
                      const char *const *others, struct fsif_dict *out)
{
    unsigned n = 0;
    unsigned keys = 0;
    char **names = xs_directory(xs, t, base, &n);
    int ret = 0;

    if (!names)
        return fsi_xen_error();
    for (unsigned i = 0; i < n && !ret; i++) {
        if (is_listed(names[i], others))
            continue;
        ret = ++keys > KEYS_MAX ? -FSIF_EPROTO : read_one(xs, t, base, names[i], owner, out);
    }
    free(names);
    return ret;
}

/* The next `key=value` line, or NULL at the end. */
static const char *next_key(const struct fsif_dict *d, const char *at,
                            char key[FSIF_DICT_KEY_MAX + 1], char value[FSIF_DICT_VALUE_MAX + 1])
{
    const char *equals;
    const char *end;

    if (at >= d->text + d->used)
        return NULL;
    /* What fsif_dict_parse() or fsif_dict_put() let in has both, and fits. */
    equals = memchr(at, '=', (size_t)(d->text + d->used - at));
    end = memchr(at, '\n', (size_t)(d->text + d->used - at));
    if (!equals || !end || equals > end || equals - at > (ptrdiff_t)FSIF_DICT_KEY_MAX ||
        end - equals - 1 > (ptrdiff_t)FSIF_DICT_VALUE_MAX)
        return NULL;
    memcpy(key, at, (size_t)(equals - at));
    key[equals - at] = '\0';
    memcpy(value, equals + 1, (size_t)(end - equals - 1));
    value[end - equals - 1] = '\0';
    return end + 1;
}

int fsi_xen_write_keys(struct xs_handle *xs, xs_transaction_t t, const char *base,
                       const struct fsif_dict *d, const char *const *others)
{
    char key[FSIF_DICT_KEY_MAX + 1];
    char value[FSIF_DICT_VALUE_MAX + 1];
    char path[KEY_PATH_MAX];
    const char *at = d->text;
    unsigned keys = 0;
    int ret = 0;

    while (!ret && (at = next_key(d, at, key, value)) != NULL) {
        if (is_listed(key, others))
            continue;
        snprintf(path, sizeof(path), "%s/%s", base, key);
        ret = ++keys > KEYS_MAX ? -FSIF_E2BIG : fsi_xen_write(xs, t, path, value);
    }
    return ret;
}

int fsi_xen_drop_keys(struct xs_handle *xs, xs_transaction_t t, const char *base,
                      const char *const *others)
{
    unsigned n = 0;
    char **names = xs_directory(xs, t, base, &n);
    /* xenstore's own limit of a path is 3072. */
    char path[XEN_PATH_MAX + 256];
    int ret = 0;

    if (!names)
        return fsi_xen_error();
    for (unsigned i = 0; i < n && !ret; i++) {
        if (is_listed(names[i], others))
            continue;
        snprintf(path, sizeof(path), "%s/%s", base, names[i]);
        ret = strlen(names[i]) < 255 ? fsi_xen_remove(xs, t, path) : 0;
    }
    free(names);
    return ret;
}
