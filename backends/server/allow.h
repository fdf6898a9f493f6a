/* SPDX-License-Identifier: MIT */
#ifndef FSI_SERVER_ALLOW_H
#define FSI_SERVER_ALLOW_H

/* Who may use an export: a list of entries, each with terms of its own. */

#include <stddef.h>
#include <stdint.h>
#include "text.h"

enum fsi_allow_kind {
    FSI_ALLOW_UID = 0,
    FSI_ALLOW_GID = 1,
    FSI_ALLOW_DOMID = 2, /* ends with the domain */
    FSI_ALLOW_UUID = 3,  /* of a domain; stays */
};

/* Limits of a session; 0: what the export says */
struct fsi_terms {
    uint32_t read_only;
    uint32_t max_handles;
    uint32_t max_nodes;
    uint64_t max_bytes;
};

struct fsi_allow {
    uint32_t kind; /* enum fsi_allow_kind */
    uint32_t id;   /* uid, gid or domain */
    uint8_t uuid[16];
    uint32_t serial; /* grows along the list and is given once, for those who walk it */
    struct fsi_terms terms;
};

struct fsi_allow_list {
    struct fsi_allow *entries;
    size_t n;
    uint32_t last; /* serial */
};

/* Room for an entry's subject as text: uid:1000, domain:3, uuid:0a1b2c3d-... */
#define FSI_SUBJECT_MAX 48u

/** fsi_allow_domain - read a domain's id or UUID. Return: 0; -FSIF_EINVAL */
int fsi_allow_domain(const char *word, struct fsi_allow *out, struct fsi_error *err);

/** fsi_allow_read - read a subject: uid:N, gid:N, domain:N or uuid:U. Return: 0; -FSIF_EINVAL */
int fsi_allow_read(const char *subject, struct fsi_allow *out, struct fsi_error *err);

/** fsi_allow_write - the same, written */
void fsi_allow_write(const struct fsi_allow *a, char out[FSI_SUBJECT_MAX]);

/**
 * fsi_allow_term - set a term of an entry
 *
 * @text: ro, rw, handles=N, size=BYTES or nodes=N
 *
 * Return: 0; -FSIF_EINVAL
 */
int fsi_allow_term(struct fsi_terms *terms, const char *text, struct fsi_error *err);

/**
 * fsi_allow_add - add an entry, or replace the terms of the one for the same subject
 *
 * Return: 1 added; 0 replaced; -FSIF_EINVAL too many; -FSIF_ENOMEM
 */
int fsi_allow_add(struct fsi_allow_list *list, const struct fsi_allow *a, struct fsi_error *err);

/** fsi_allow_find - Return: the entry for this subject; NULL: there is none */
struct fsi_allow *fsi_allow_find(const struct fsi_allow_list *list, const struct fsi_allow *like);

/** fsi_allow_remove - Return: 1 removed; 0 there was none */
int fsi_allow_remove(struct fsi_allow_list *list, const struct fsi_allow *like);

/** fsi_allow_has - whether the list has an entry for an id. Return: 1 or 0 */
int fsi_allow_has(const struct fsi_allow_list *list, enum fsi_allow_kind kind, uint32_t id);

/** fsi_allow_any - whether the list has any entry of a kind. Return: 1 or 0 */
int fsi_allow_any(const struct fsi_allow_list *list, enum fsi_allow_kind kind);

/** fsi_allow_after - the first entry with a greater serial. Return: NULL: there is none */
const struct fsi_allow *fsi_allow_after(const struct fsi_allow_list *list, uint32_t serial);

void fsi_allow_fini(struct fsi_allow_list *list);

#endif
