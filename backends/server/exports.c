/* SPDX-License-Identifier: MIT */
#include "exports.h"

#include <fsif/path.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_HANDLES 1024u
#define MAX_HANDLES 65536u

enum key {
    KEY_SOURCE,
    KEY_RO,
    KEY_ALLOW_UID,
    KEY_ALLOW_GID,
    KEY_ALLOW_DOMAIN,
    KEY_MAP,
    KEY_SETID,
    KEY_XDEV,
    KEY_SPECIAL,
    KEY_EXCLUSIVE,
    KEY_NOLEASE,
    KEY_NOLOCK,
    KEY_NOXATTR,
    KEY_SIZE,
    KEY_NODES,
    KEY_HANDLES,
    KEY_STRIP_PREFIX,
    KEY_COUNT
};

static const struct {
    const char *name;
    int flag;   /* may stand without a value, which means yes */
    int repeat; /* may be given more than once */
} keys[KEY_COUNT] = {
    [KEY_SOURCE] = {"source", 0, 0},
    [KEY_RO] = {"ro", 1, 0},
    [KEY_ALLOW_UID] = {"allow-uid", 0, 1},
    [KEY_ALLOW_GID] = {"allow-gid", 0, 1},
    [KEY_ALLOW_DOMAIN] = {"allow-domain", 0, 1},
    [KEY_MAP] = {"map", 0, 0},
    [KEY_SETID] = {"setid", 1, 0},
    [KEY_XDEV] = {"xdev", 1, 0},
    [KEY_SPECIAL] = {"special", 1, 0},
    [KEY_EXCLUSIVE] = {"exclusive", 1, 0},
    [KEY_NOLEASE] = {"nolease", 1, 0},
    [KEY_NOLOCK] = {"nolock", 1, 0},
    [KEY_NOXATTR] = {"noxattr", 1, 0},
    [KEY_SIZE] = {"size", 0, 0},
    [KEY_NODES] = {"nodes", 0, 0},
    [KEY_HANDLES] = {"handles", 0, 0},
    [KEY_STRIP_PREFIX] = {"strip-prefix", 0, 0},
};

void fsi_export_init(struct fsi_export *e, const char *name)
{
    memset(e, 0, sizeof(*e));
    snprintf(e->name, sizeof(e->name), "%s", name);
    e->max_handles = DEFAULT_HANDLES;
    e->root_fd = -1;
}

/* A word of a-z, 0-9 and '-' before a colon names a store, all else is a directory. */
static int set_source(struct fsi_export *e, const char *value, struct fsi_error *err)
{
    const char *words;

    if (!value || !*value)
        return fsi_fail(err, -FSIF_EINVAL, "the source is empty");
    size_t len = strspn(value, "abcdefghijklmnopqrstuvwxyz0123456789-");
    if (len > 0 && value[len] == ':') {
        if (len >= sizeof(e->store))
            return fsi_fail(err, -FSIF_EINVAL, "the name of the store in '%s' is too long", value);
        memcpy(e->store, value, len);
        e->store[len] = '\0';
        words = value + len + 1;
        if (!strcmp(e->store, "posix") && !*words)
            return fsi_fail(err, -FSIF_EINVAL, "'posix:' needs a directory");
    } else {
        strcpy(e->store, "posix");
        words = value;
    }
    if (strcmp(e->store, "posix") != 0) {
        if (strlen(words) > FSIF_DICT_VALUE_MAX)
            return fsi_fail(err, -FSIF_EINVAL, "the words for store '%s' are longer than %u bytes",
                            e->store, FSIF_DICT_VALUE_MAX);
        for (const char *p = words; *p; p++)
            if (*p < 0x20 || *p > 0x7e)
                return fsi_fail(err, -FSIF_EINVAL, "the words for store '%s' are not plain ASCII",
                                e->store);
    } else if (strlen(words) >= PATH_MAX) {
        return fsi_fail(err, -FSIF_EINVAL, "the directory's name is too long");
    }
    e->source = strdup(words);
    return e->source ? 0 : fsi_fail(err, -FSIF_ENOMEM, "out of memory");
}

static int add_allowed(struct fsi_export *e, const char *word, enum key key, struct fsi_error *err)
{
    struct fsi_allow a = {.kind = key == KEY_ALLOW_GID ? FSI_ALLOW_GID : FSI_ALLOW_UID};
    int rc;

    if (key == KEY_ALLOW_DOMAIN)
        rc = fsi_allow_domain(word, &a, err);
    else if (key == KEY_ALLOW_GID)
        rc = fsi_parse_gid(word, &a.id, err);
    else
        rc = fsi_parse_uid(word, &a.id, err);
    if (!rc)
        rc = fsi_allow_add(&e->allowed, &a, err);
    return rc < 0 ? rc : 0;
}

/* One or more ids, separated by blanks. */
static int set_allowed(struct fsi_export *e, const char *value, enum key key, struct fsi_error *err)
{
    char word[256];
    const char *p = value ? value + strspn(value, " \t") : "";
    int rc = 0;

    if (!*p)
        return fsi_fail(err, -FSIF_EINVAL, "%s needs an id or a name", keys[key].name);
    while (*p && !rc) {
        size_t len = strcspn(p, " \t");
        if (len >= sizeof(word))
            return fsi_fail(err, -FSIF_EINVAL, "'%.32s...' is too long for a name", p);
        memcpy(word, p, len);
        word[len] = '\0';
        rc = add_allowed(e, word, key, err);
        p += len;
        p += strspn(p, " \t");
    }
    return rc;
}

static int set_map(struct fsi_export *e, const char *value, struct fsi_error *err)
{
    char user[256];
    const char *colon = strchr(value, ':');
    int rc;

    if (!strcmp(value, "peer") || !strcmp(value, "daemon")) {
        e->map = value[0] == 'p' ? FSI_MAP_PEER : FSI_MAP_DAEMON;
        return 0;
    }
    if (!colon || (size_t)(colon - value) >= sizeof(user))
        return fsi_fail(err, -FSIF_EINVAL, "map is 'peer', 'daemon' or UID:GID, not '%s'", value);
    memcpy(user, value, (size_t)(colon - value));
    user[colon - value] = '\0';
    rc = fsi_parse_uid(user, &e->map_uid, err);
    if (!rc)
        rc = fsi_parse_gid(colon + 1, &e->map_gid, err);
    e->map = FSI_MAP_IDS;
    return rc;
}

static int set_flag(uint32_t *flag, const char *key, const char *value, struct fsi_error *err)
{
    if (!value)
        *flag = 1;
    else if (fsi_parse_bool(value, flag))
        return fsi_fail(err, -FSIF_EINVAL, "%s is yes or no, not '%s'", key, value);
    return 0;
}

static int set_number(uint32_t *number, const char *key, const char *value, uint32_t max,
                      struct fsi_error *err)
{
    if (fsi_parse_u32(value, 1, max, number))
        return fsi_fail(err, -FSIF_EINVAL, "%s is a number from 1 to %u, not '%s'", key, max,
                        value);
    return 0;
}

/* It goes to the worker as a word of a dictionary, hence its bytes and length. */
static int set_strip_prefix(struct fsi_export *e, const char *value, struct fsi_error *err)
{
    size_t len = strlen(value);
    int n = -FSIF_EINVAL;

    if (len < sizeof(e->strip_prefix) && *value == '/') {
        strcpy(e->strip_prefix, value);
        n = fsif_path_normalize(e->strip_prefix, sizeof(e->strip_prefix));
    }
    for (const char *p = value; *p; p++)
        if (*p < 0x20 || *p > 0x7e)
            n = -FSIF_EINVAL;
    if (n < 0 || !strcmp(e->strip_prefix, ".")) {
        e->strip_prefix[0] = '\0';
        return fsi_fail(err, -FSIF_EINVAL,
                        "strip-prefix is an absolute path of at most %u plain ASCII characters, "
                        "without '..' and not '/', not '%s'",
                        FSIF_DICT_VALUE_MAX, value);
    }
    if (e->strip_prefix[n - 1] == '/')
        e->strip_prefix[n - 1] = '\0';
    return 0;
}

int fsi_export_set(struct fsi_export *e, const char *key, const char *value, struct fsi_error *err)
{
    unsigned k = 0;

    while (k < KEY_COUNT && strcmp(keys[k].name, key) != 0)
        k++;
    if (k == KEY_COUNT)
        return fsi_fail(err, -FSIF_ENOENT, "an export has no option '%s'", key);
    if (!value && !keys[k].flag)
        return fsi_fail(err, -FSIF_EINVAL, "option '%s' needs a value", key);
    if ((e->seen_ & (1u << k)) && !keys[k].repeat)
        return fsi_fail(err, -FSIF_EINVAL, "'%s' is given twice", key);
    e->seen_ |= 1u << k;

    switch ((enum key)k) {
    case KEY_SOURCE:
        return set_source(e, value, err);
    case KEY_RO:
        return set_flag(&e->read_only, key, value, err);
    case KEY_SETID:
        return set_flag(&e->setid, key, value, err);
    case KEY_XDEV:
        return set_flag(&e->xdev, key, value, err);
    case KEY_SPECIAL:
        return set_flag(&e->special, key, value, err);
    case KEY_EXCLUSIVE:
        return set_flag(&e->exclusive, key, value, err);
    case KEY_NOLEASE:
        return set_flag(&e->nolease, key, value, err);
    case KEY_NOLOCK:
        return set_flag(&e->nolock, key, value, err);
    case KEY_NOXATTR:
        return set_flag(&e->noxattr, key, value, err);
    case KEY_ALLOW_UID:
    case KEY_ALLOW_GID:
    case KEY_ALLOW_DOMAIN:
        return set_allowed(e, value, (enum key)k, err);
    case KEY_MAP:
        return set_map(e, value, err);
    case KEY_STRIP_PREFIX:
        return set_strip_prefix(e, value, err);
    case KEY_SIZE:
        if (fsi_parse_size(value, &e->max_bytes))
            return fsi_fail(err, -FSIF_EINVAL,
                            "size is a number of bytes, as 4096, 64K, 16M or 1G, not '%s'", value);
        return 0;
    case KEY_NODES:
        return set_number(&e->max_nodes, key, value, UINT32_MAX, err);
    case KEY_HANDLES:
        return set_number(&e->max_handles, key, value, MAX_HANDLES, err);
    case KEY_COUNT:
        break;
    }
    return -FSIF_ENOENT;
}

int fsi_export_change(struct fsi_export *e, const char *text, struct fsi_error *err)
{
    static const enum key changeable[] = {KEY_RO,      KEY_MAP,       KEY_SETID,   KEY_XDEV,
                                          KEY_SPECIAL, KEY_EXCLUSIVE, KEY_NOLEASE, KEY_NOLOCK,
                                          KEY_NOXATTR, KEY_SIZE,      KEY_NODES,   KEY_HANDLES};
    char key[16];
    const char *equals = strchr(text, '=');
    size_t len = equals ? (size_t)(equals - text) : strlen(text);

    for (size_t i = 0; i < sizeof(changeable) / sizeof(changeable[0]); i++) {
        const char *name = keys[changeable[i]].name;

        if (len != strlen(name) || strncmp(text, name, len) != 0)
            continue;
        snprintf(key, sizeof(key), "%s", name);
        e->seen_ &= ~(1u << changeable[i]);
        return fsi_export_set(e, key, equals ? equals + 1 : NULL, err);
    }
    return fsi_fail(
        err, -FSIF_EINVAL,
        "'%.*s' cannot be changed: ro, map, setid, xdev, special, exclusive, nolease, nolock, "
        "noxattr, size, nodes and handles can, and who may use it with allow and deny",
        (int)len, text);
}

int fsi_export_split(const char *text, char name[FSIF_EXPORT_NAME_MAX + 1], const char **rest,
                     struct fsi_error *err)
{
    const char *equals = strchr(text, '=');

    if (!equals)
        return fsi_fail(err, -FSIF_EINVAL, "'%s' is not NAME=SOURCE[,OPTION...]", text);
    size_t len = (size_t)(equals - text);
    if (len > FSIF_EXPORT_NAME_MAX)
        return fsi_fail(err, -FSIF_EINVAL, "the name of an export has at most %u bytes",
                        FSIF_EXPORT_NAME_MAX);
    memcpy(name, text, len);
    name[len] = '\0';
    *rest = equals + 1;
    return 0;
}

/* Copy up to the next plain comma, taking escapes out. Returns where to go on; NULL: bad escape. */
static const char *next_piece(const char *from, char *out)
{
    for (; *from && *from != ','; from++) {
        if (*from == '\\') {
            from++;
            if (*from != ',' && *from != '\\')
                return NULL;
        }
        *out++ = *from;
    }
    *out = '\0';
    return from;
}

int fsi_export_keys(const char *rest, fsi_set_fn *set, void *arg, struct fsi_error *err)
{
    char *piece = malloc(strlen(rest) + 1);
    int first = 1;
    int rc;

    if (!piece)
        return fsi_fail(err, -FSIF_ENOMEM, "out of memory");
    do {
        char *value = piece;

        rest = next_piece(rest, piece);
        if (!rest) {
            rc = fsi_fail(err, -FSIF_EINVAL,
                          "a backslash stands only before a comma or a backslash");
            break;
        }
        if (!first) {
            value = strchr(piece, '=');
            if (value)
                *value++ = '\0';
            if (!*piece) {
                rc = fsi_fail(err, -FSIF_EINVAL,
                              "an option is empty (a comma in a source is '\\,')");
                break;
            }
        }
        rc = set(arg, first ? "source" : piece, value, err);
        first = 0;
    } while (!rc && *rest++ == ',');
    free(piece);
    return rc;
}

void fsi_export_fini(struct fsi_export *e)
{
    if (e->root_fd >= 0)
        close(e->root_fd);
    free(e->source);
    fsi_allow_fini(&e->allowed);
    memset(e, 0, sizeof(*e));
    e->root_fd = -1;
}
