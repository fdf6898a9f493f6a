/* SPDX-License-Identifier: MIT */
#ifndef FSI_SERVER_EXPORTS_H
#define FSI_SERVER_EXPORTS_H

/* Exports: what they are, who may use them, and opening them. */

#include <stddef.h>
#include <stdint.h>
#include <fsif/dict.h>
#include <fsif/host.h>
#include <fsif/negotiate.h>
#include "allow.h"
#include "text.h"

#define FSI_MAX_EXPORTS 16384u

/* Whom files made by a peer belong to */
enum fsi_map {
    FSI_MAP_PEER = 0, /* the peer's own uid and gid */
    FSI_MAP_DAEMON = 1,
    FSI_MAP_IDS = 2, /* map_uid and map_gid */
};

struct fsi_export {
    char name[FSIF_EXPORT_NAME_MAX + 1];
    char store[32];
    char *source; /* posix: the directory; others: the store's words */
    /* Normalised, without a slash at either end; "": nothing is stripped */
    char strip_prefix[FSIF_DICT_VALUE_MAX + 1];
    struct fsi_allow_list allowed; /* no uid and no gid: the daemon's own uid, unless settled */
    uint32_t settled;              /* what the default allows stands in the list */
    uint32_t read_only;
    uint32_t setid;
    uint32_t xdev;
    uint32_t special;
    uint32_t exclusive;
    uint32_t nolease;
    uint32_t nolock;
    uint32_t noxattr;
    uint32_t map; /* enum fsi_map */
    uint32_t map_uid;
    uint32_t map_gid;
    uint32_t max_nodes;
    uint32_t max_handles;
    uint64_t max_bytes;
    int root_fd;    /* posix: the directory, O_PATH; -1: not open, or another store */
    uint32_t seen_; /* a bit for each key that was given */
};

/* What the daemon is, as far as access is concerned. */
struct fsi_self {
    uint32_t uid;
    uint32_t gid;
    uint32_t overflow_uid; /* what ids of another user namespace look like: they prove nothing */
    uint32_t overflow_gid;
    int may_chown;
};

/** fsi_self_init - ask the kernel */
void fsi_self_init(struct fsi_self *self);

void fsi_export_init(struct fsi_export *e, const char *name);
void fsi_export_fini(struct fsi_export *e);

/**
 * fsi_export_set - set a key of an export
 *
 * @value: NULL for a key without one, as "ro"
 *
 * Return: 0; -FSIF_ENOENT no such key; -FSIF_EINVAL bad value or given twice; -FSIF_ENOMEM
 */
int fsi_export_set(struct fsi_export *e, const char *key, const char *value, struct fsi_error *err);

/**
 * fsi_export_change - set a key of an export that is served
 *
 * @text: KEY or KEY=VALUE; not the source, and not who may use it
 *
 * Return: as fsi_export_set()
 */
int fsi_export_change(struct fsi_export *e, const char *text, struct fsi_error *err);

/**
 * fsi_export_split - read `NAME=SOURCE[,KEY[=VALUE]...]`
 *
 * In SOURCE and VALUE `\,` is a comma and `\\` a backslash.
 *
 * @set: called with each piece: first "source" and then the keys, in order
 *
 * Return: 0, or what @set returned
 */
typedef int fsi_set_fn(void *arg, const char *key, const char *value, struct fsi_error *err);
int fsi_export_split(const char *text, char name[FSIF_EXPORT_NAME_MAX + 1], const char **rest,
                     struct fsi_error *err);
int fsi_export_keys(const char *rest, fsi_set_fn *set, void *arg, struct fsi_error *err);

/** fsi_export_check - does the export make sense for this daemon? Return: 0; -FSIF_EINVAL */
int fsi_export_check(const struct fsi_export *e, const struct fsi_self *self,
                     struct fsi_error *err);

/**
 * fsi_export_open - open the directory and try the store
 *
 * Return: 0; a negative FSIF_E* and @err
 */
int fsi_export_open(struct fsi_export *e, struct fsif_registry *registry, struct fsi_error *err);

/**
 * fsi_export_settle - put the user whom the default allows into the list, so that what is allowed
 * and denied from now on changes nothing for anybody else. Return: 0; -FSIF_ENOMEM
 */
int fsi_export_settle(struct fsi_export *e, const struct fsi_self *self, struct fsi_error *err);

/**
 * fsi_export_terms - may the peer use the export, and how?
 *
 * An entry for a user counts before one for a group; of several, the strictest. What an entry says
 * of limits stands in place of the export's; read-only is what either says.
 *
 * @out: NULL, or receives what holds for the peer
 *
 * Return: 1 if the peer may, else 0
 */
int fsi_export_terms(const struct fsi_export *e, const struct fsi_self *self,
                     const struct fsif_credentials *peer, struct fsi_terms *out);

/** fsi_export_allows - the same without terms. Return: 1 or 0 */
int fsi_export_allows(const struct fsi_export *e, const struct fsi_self *self,
                      const struct fsif_credentials *peer);

/** fsi_export_owner - whom files that @peer makes belong to, as a store's configuration has it */
void fsi_export_owner(const struct fsi_export *e, const struct fsi_self *self,
                      const struct fsif_credentials *peer, struct fsif_store_config *out);

/**
 * fsi_exports_page - a page of the exports that a peer may use, as the answer to its offer
 *
 * @exports: sorted by name
 * @after:   the last name of the page before; "" for the first page
 *
 * Return: number of exports in @answer
 */
unsigned fsi_exports_page(const struct fsi_export *exports, size_t n, const struct fsi_self *self,
                          const struct fsif_credentials *peer, const char *after,
                          struct fsif_dict *answer);

/** fsi_exports_any - whether there is any export that the peer may use. Return: 1 or 0 */
int fsi_exports_any(const struct fsi_export *exports, size_t n, const struct fsi_self *self,
                    const struct fsif_credentials *peer);

/** fsi_exports_after - the first behind @name in the order of names. Return: NULL: there is none */
const struct fsi_export *fsi_exports_after(const struct fsi_export *exports, size_t n,
                                           const char *name);

/** fsi_exports_find - by name, among sorted exports. Return: NULL if there is none */
const struct fsi_export *fsi_exports_find(const struct fsi_export *exports, size_t n,
                                          const char *name);

#endif
