/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <fsif/host.h>
#include <fsif/spin.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define MAX_LISTEN 64u

/* The global keys that are numbers. */
static const struct {
    const char *name;
    size_t offset;
    uint32_t min;
    uint32_t max;
    uint32_t standard;
} numbers[] = {
    {"max-sessions", offsetof(struct fsi_options, max_sessions), 1, 65536, 256},
    {"max-sessions-per-peer", offsetof(struct fsi_options, max_sessions_per_peer), 1, 65536, 128},
    {"max-pages", offsetof(struct fsi_options, max_pages), 2, 262144, 4096},
    {"stop-timeout", offsetof(struct fsi_options, stop_timeout), 0, 86400, 10},
    {"handshake-timeout", offsetof(struct fsi_options, handshake_timeout), 1, 3600, 10},
    {"threads", offsetof(struct fsi_options, threads), 1, 256, 32},
    {"slow-threshold", offsetof(struct fsi_options, slow_threshold), 1, 60000, 2},
    {"max-queues", offsetof(struct fsi_options, max_queues), 1, FSIF_QUEUES_MAX, 4},
    {"max-slots", offsetof(struct fsi_options, max_slots), 8, 1024, 1024},
    {"max-arena-pages", offsetof(struct fsi_options, max_arena_pages), 16, 65536, 65536},
    {"max-io", offsetof(struct fsi_options, max_io), 4096, 1u << 28, 4u << 20},
    {"max-locks", offsetof(struct fsi_options, max_locks), 16, 4096, 256},
    {"max-watches", offsetof(struct fsi_options, max_watches), 16, 1024, 128},
    {"spin", offsetof(struct fsi_options, spin), 0, FSI_SPIN_MAX, FSIF_SPIN_DEFAULT},
};
#define NUMBERS (sizeof(numbers) / sizeof(numbers[0]))
#define SEEN_LOG_LEVEL (1u << NUMBERS)
#define SEEN_PLUGIN_DIR (1u << (NUMBERS + 1))
#define SEEN_CONTROL (1u << (NUMBERS + 2))
#define SEEN_DIALECTS (1u << (NUMBERS + 3))

static uint32_t *number_at(struct fsi_options *o, size_t i)
{
    return (uint32_t *)(void *)((char *)o + numbers[i].offset);
}

const char *fsi_options_number(const struct fsi_options *o, size_t i, uint32_t *value)
{
    if (i >= NUMBERS)
        return NULL;
    memcpy(value, (const char *)o + numbers[i].offset, sizeof(*value));
    return numbers[i].name;
}

void fsi_options_init(struct fsi_options *o)
{
    memset(o, 0, sizeof(*o));
    o->log_level = FSIF_LOG_INFO;
    o->dialects = FSIF_DIALECTS_KNOWN;
    for (size_t i = 0; i < NUMBERS; i++)
        *number_at(o, i) = numbers[i].standard;
}

void fsi_options_fini(struct fsi_options *o)
{
    for (size_t i = 0; i < o->nlisten; i++)
        free(o->listen[i]);
    for (size_t i = 0; i < o->nexports; i++)
        fsi_export_fini(&o->exports[i]);
    free(o->listen);
    free(o->exports);
    free(o->plugin_dir);
    free(o->control);
    memset(o, 0, sizeof(*o));
}

void fsi_options_next_source(struct fsi_options *o)
{
    o->seen_ = 0;
}

static int set_log_level(struct fsi_options *o, const char *value, struct fsi_error *err)
{
    static const char *const levels[] = {"error", "warning", "info", "debug"};

    for (uint32_t i = 0; i < 4; i++) {
        if (!strcmp(value, levels[i])) {
            o->log_level = i;
            return 0;
        }
    }
    return fsi_fail(err, -FSIF_EINVAL, "log-level is error, warning, info or debug, not '%s'",
                    value);
}

/* Kept as an absolute path, because workers have a folder of their own. */
static int set_plugin_dir(struct fsi_options *o, const char *value, struct fsi_error *err)
{
    char *dir = *value ? realpath(value, NULL) : strdup("");

    if (!dir)
        return fsi_fail(err, -FSIF_EINVAL, "plugin-dir '%s' is not there", value);
    free(o->plugin_dir);
    o->plugin_dir = dir;
    return 0;
}

static int set_control(struct fsi_options *o, const char *value, struct fsi_error *err)
{
    char *path = strdup(value);

    if (!path)
        return fsi_fail(err, -FSIF_ENOMEM, "out of memory");
    free(o->control);
    o->control = path;
    if (!*value)
        return fsi_fail(err, -FSIF_EINVAL, "control is the path of a socket, or none");
    return 0;
}

static int set_dialects(struct fsi_options *o, const char *value, struct fsi_error *err)
{
    if (!fsif_dialects_parse(value, &o->dialects))
        return 0;
    return fsi_fail(err, -FSIF_EINVAL, "dialects is one or more of 1, 2 and 3, as 1,2, not '%s'",
                    value);
}

static int first_time(struct fsi_options *o, uint32_t bit, const char *key, struct fsi_error *err)
{
    if (o->seen_ & bit)
        return fsi_fail(err, -FSIF_EINVAL, "'%s' is given twice", key);
    o->seen_ |= bit;
    return 0;
}

int fsi_options_set(struct fsi_options *o, const char *key, const char *value,
                    struct fsi_error *err)
{
    int rc;

    if (!strcmp(key, "log-level")) {
        rc = first_time(o, SEEN_LOG_LEVEL, key, err);
        return rc ? rc : set_log_level(o, value, err);
    }
    if (!strcmp(key, "plugin-dir")) {
        rc = first_time(o, SEEN_PLUGIN_DIR, key, err);
        return rc ? rc : set_plugin_dir(o, value, err);
    }
    if (!strcmp(key, "control")) {
        rc = first_time(o, SEEN_CONTROL, key, err);
        return rc ? rc : set_control(o, value, err);
    }
    if (!strcmp(key, "dialects")) {
        rc = first_time(o, SEEN_DIALECTS, key, err);
        return rc ? rc : set_dialects(o, value, err);
    }
    for (size_t i = 0; i < NUMBERS; i++) {
        if (strcmp(key, numbers[i].name) != 0)
            continue;
        rc = first_time(o, 1u << i, key, err);
        if (!rc && fsi_parse_u32(value, numbers[i].min, numbers[i].max, number_at(o, i)))
            rc = fsi_fail(err, -FSIF_EINVAL, "%s is a number from %u to %u, not '%s'", key,
                          numbers[i].min, numbers[i].max, value);
        return rc;
    }
    return fsi_fail(err, -FSIF_ENOENT, "there is no option '%s'", key);
}

int fsi_options_listen(struct fsi_options *o, const char *address, struct fsi_error *err)
{
    char name[32];
    const char *rest;

    if (fsif_address_split(address, name, &rest))
        return fsi_fail(err, -FSIF_EINVAL, "'%s' is not an address TRANSPORT:REST, as shm:PATH",
                        address);
    for (size_t i = 0; i < o->nlisten; i++)
        if (!strcmp(o->listen[i], address))
            return fsi_fail(err, -FSIF_EINVAL, "address '%s' is given twice", address);
    if (o->nlisten == MAX_LISTEN)
        return fsi_fail(err, -FSIF_EINVAL, "more than %u addresses", MAX_LISTEN);
    char **list = realloc(o->listen, (o->nlisten + 1) * sizeof(*list));
    if (!list)
        return fsi_fail(err, -FSIF_ENOMEM, "out of memory");
    o->listen = list;
    o->listen[o->nlisten] = strdup(address);
    if (!o->listen[o->nlisten])
        return fsi_fail(err, -FSIF_ENOMEM, "out of memory");
    o->nlisten++;
    return 0;
}

static int new_name(const struct fsi_options *o, const char *name, struct fsi_error *err)
{
    if (!fsif_export_name_valid(name))
        return fsi_fail(err, -FSIF_EINVAL,
                        "'%s' is not a name for an export: 1 to %u of A-Z a-z 0-9 . _ -, not "
                        "starting with . or -",
                        name, FSIF_EXPORT_NAME_MAX);
    for (size_t i = 0; i < o->nexports; i++)
        if (!strcmp(o->exports[i].name, name))
            return fsi_fail(err, -FSIF_EEXIST, "there are two exports '%s'", name);
    if (o->nexports == FSI_MAX_EXPORTS)
        return fsi_fail(err, -FSIF_EINVAL, "more than %u exports", FSI_MAX_EXPORTS);
    return 0;
}

static int grow(struct fsi_options *o, struct fsi_error *err)
{
    struct fsi_export *list = realloc(o->exports, (o->nexports + 1) * sizeof(*list));

    if (!list)
        return fsi_fail(err, -FSIF_ENOMEM, "out of memory");
    o->exports = list;
    return 0;
}

int fsi_options_export(struct fsi_options *o, const char *name, struct fsi_export **out,
                       struct fsi_error *err)
{
    int rc = new_name(o, name, err);

    if (!rc)
        rc = grow(o, err);
    if (rc)
        return rc == -FSIF_EEXIST ? -FSIF_EINVAL : rc;
    *out = &o->exports[o->nexports++];
    fsi_export_init(*out, name);
    return 0;
}

int fsi_options_insert(struct fsi_options *o, const struct fsi_export *e, struct fsi_error *err)
{
    size_t at = 0;
    int rc = new_name(o, e->name, err);

    if (!rc)
        rc = grow(o, err);
    if (rc)
        return rc;
    while (at < o->nexports && strcmp(o->exports[at].name, e->name) < 0)
        at++;
    memmove(&o->exports[at + 1], &o->exports[at], (o->nexports - at) * sizeof(*o->exports));
    o->exports[at] = *e;
    o->nexports++;
    return 0;
}

void fsi_options_remove(struct fsi_options *o, struct fsi_export *e)
{
    size_t at = (size_t)(e - o->exports);

    fsi_export_fini(e);
    o->nexports--;
    memmove(e, e + 1, (o->nexports - at) * sizeof(*e));
}

static int by_name(const void *a, const void *b)
{
    const struct fsi_export *x = a;
    const struct fsi_export *y = b;

    return strcmp(x->name, y->name);
}

int fsi_options_finish(struct fsi_options *o, struct fsi_error *err)
{
    if (!o->nlisten)
        return fsi_fail(err, -FSIF_EINVAL, "no address to listen at: give one with -l");
    /* With a control socket of its own a daemon may begin with nothing. */
    if (!o->nexports && (!o->control || !strcmp(o->control, "none")))
        return fsi_fail(err, -FSIF_EINVAL, "nothing to serve: give an export with -e");
    if (o->nexports)
        qsort(o->exports, o->nexports, sizeof(*o->exports), by_name);
    return 0;
}
