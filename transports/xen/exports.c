/* SPDX-License-Identifier: MIT */
/* What a frontend finds below its backend's exports: numbers, of which it can read the names of
 * those that it is attached to. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fsif/host.h>

#include "internal.h"

#define EXPORTS_MAX 4096u
#define ANSWER_EXPORTS 32u

struct found {
    uint32_t number;
    char name[FSIF_EXPORT_NAME_MAX + 1];
};

/* Returns 0 and the name of an export that is ours to see. */
static int read_name(const struct fsif_session *s, const char *number, struct found *out)
{
    char path[XEN_PATH_MAX];
    int ret;

    if (!fsi_xen_number(number, UINT32_MAX, &out->number))
        return -FSIF_ENOENT;
    fsi_xen_path(path, "/local/domain/%u/backend/vfs/exports/%u/name", s->domid, out->number);
    ret = fsi_xen_read(s->xs, XBT_NULL, path, out->name, sizeof(out->name));
    if (ret)
        return ret;
    return fsif_export_name_valid(out->name) ? 0 : -FSIF_EPROTO;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct found *)a)->name, ((const struct found *)b)->name);
}

/* All of them, sorted. Returns their number, or a negative FSIF_E*. */
static int read_all(const struct fsif_session *s, struct found **out)
{
    char path[XEN_PATH_MAX];
    unsigned n = 0;
    unsigned used = 0;
    struct found *all;
    char **names;

    fsi_xen_path(path, "/local/domain/%u/backend/vfs/exports", s->domid);
    names = xs_directory(s->xs, XBT_NULL, path, &n);
    if (!names)
        return fsi_xen_error() == -FSIF_EACCES ? -FSIF_EACCES : -FSIF_ENOENT;
    n = n > EXPORTS_MAX ? EXPORTS_MAX : n;
    all = calloc(n + 1, sizeof(*all));
    for (unsigned i = 0; all && i < n; i++)
        used += read_name(s, names[i], &all[used]) == 0;
    free(names);
    if (!all)
        return -FSIF_ENOMEM;
    qsort(all, used, sizeof(*all), by_name);
    *out = all;
    return (int)used;
}

int fsi_xen_find_export(const struct fsif_session *s, const char *name, uint32_t *number)
{
    struct found *all;
    int n = read_all(s, &all);
    int ret = -FSIF_ENOENT;

    if (n < 0)
        return n;
    for (int i = 0; i < n && ret; i++) {
        if (strcmp(all[i].name, name) == 0) {
            *number = all[i].number;
            ret = 0;
        }
    }
    free(all);
    return ret;
}

static int put_export(const struct fsif_session *s, const struct found *e, uint32_t index,
                      struct fsif_dict *answer)
{
    char path[XEN_PATH_MAX];
    char key[16];
    char value[FSIF_EXPORT_NAME_MAX + 4];
    int read_only;

    fsi_xen_path(path, "/local/domain/%u/backend/vfs/exports/%u/mode", s->domid, e->number);
    read_only = fsi_xen_is(s->xs, XBT_NULL, path, "ro");
    snprintf(key, sizeof(key), "export-%u", index);
    snprintf(value, sizeof(value), "%s %s", e->name, read_only ? "ro" : "rw");
    return fsif_dict_put(answer, key, value);
}

int fsi_xen_list_exports(const struct fsif_session *s, const char *after, struct fsif_dict *answer)
{
    struct found *all;
    const char *last = after;
    uint32_t count = 0;
    uint32_t more = 0;
    int n = read_all(s, &all);
    int ret;

    if (n < 0)
        return n;
    fsif_dict_init(answer);
    ret = fsif_dict_put_u32(answer, "status", 0);
    for (int i = 0; i < n && !ret && !more; i++) {
        /* Attached twice is listed once. */
        if (strcmp(all[i].name, last) <= 0)
            continue;
        if (count == ANSWER_EXPORTS) {
            more = 1;
            break;
        }
        ret = put_export(s, &all[i], count++, answer);
        last = all[i].name;
    }
    if (!ret)
        ret = fsif_dict_put_u32(answer, "more", more);
    free(all);
    return ret;
}
