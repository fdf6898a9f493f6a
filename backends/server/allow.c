/* SPDX-License-Identifier: MIT */
#include "allow.h"

#include <fsif/error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ENTRIES 65536u
#define MAX_HANDLES 65536u
#define MAX_DOMID 32751u /* what Xen has beyond are no domains */

static const char *const kinds[] = {
    [FSI_ALLOW_UID] = "uid:",
    [FSI_ALLOW_GID] = "gid:",
    [FSI_ALLOW_DOMID] = "domain:",
    [FSI_ALLOW_UUID] = "uuid:",
};

int fsi_allow_domain(const char *word, struct fsi_allow *out, struct fsi_error *err)
{
    memset(out, 0, sizeof(*out));
    out->kind = FSI_ALLOW_DOMID;
    if (!fsi_parse_u32(word, 0, MAX_DOMID, &out->id))
        return 0;
    out->kind = FSI_ALLOW_UUID;
    if (!fsi_parse_uuid(word, out->uuid))
        return 0;
    return fsi_fail(err, -FSIF_EINVAL, "'%s' is neither the id of a domain nor a UUID", word);
}

int fsi_allow_read(const char *subject, struct fsi_allow *out, struct fsi_error *err)
{
    for (uint32_t kind = 0; kind < sizeof(kinds) / sizeof(kinds[0]); kind++) {
        const char *word = subject + strlen(kinds[kind]);
        uint32_t max = kind == FSI_ALLOW_DOMID ? MAX_DOMID : UINT32_MAX - 1;

        if (strncmp(subject, kinds[kind], strlen(kinds[kind])) != 0)
            continue;
        memset(out, 0, sizeof(*out));
        out->kind = kind;
        if (!(kind == FSI_ALLOW_UUID ? fsi_parse_uuid(word, out->uuid)
                                     : fsi_parse_u32(word, 0, max, &out->id)))
            return 0;
        break;
    }
    return fsi_fail(err, -FSIF_EINVAL, "'%s' is not uid:N, gid:N, domain:N or uuid:UUID", subject);
}

void fsi_allow_write(const struct fsi_allow *a, char out[FSI_SUBJECT_MAX])
{
    const uint8_t *u = a->uuid;

    if (a->kind != FSI_ALLOW_UUID) {
        snprintf(out, FSI_SUBJECT_MAX, "%s%u", kinds[a->kind], a->id);
        return;
    }
    snprintf(out, FSI_SUBJECT_MAX,
             "uuid:%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", u[0],
             u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12], u[13],
             u[14], u[15]);
}

int fsi_allow_term(struct fsi_terms *terms, const char *text, struct fsi_error *err)
{
    int rc = -FSIF_EINVAL;

    if (!strcmp(text, "ro") || !strcmp(text, "rw")) {
        terms->read_only = text[1] == 'o';
        return 0;
    }
    if (!strncmp(text, "handles=", 8))
        rc = fsi_parse_u32(text + 8, 1, MAX_HANDLES, &terms->max_handles);
    else if (!strncmp(text, "nodes=", 6))
        rc = fsi_parse_u32(text + 6, 1, UINT32_MAX, &terms->max_nodes);
    else if (!strncmp(text, "size=", 5))
        rc = fsi_parse_size(text + 5, &terms->max_bytes);
    if (rc)
        return fsi_fail(err, -FSIF_EINVAL,
                        "'%s' is not ro, rw, handles=N (1 to %u), size=BYTES or nodes=N", text,
                        MAX_HANDLES);
    return 0;
}

struct fsi_allow *fsi_allow_find(const struct fsi_allow_list *list, const struct fsi_allow *like)
{
    for (size_t i = 0; i < list->n; i++) {
        struct fsi_allow *a = &list->entries[i];

        if (a->kind == like->kind && a->id == like->id &&
            !memcmp(a->uuid, like->uuid, sizeof(a->uuid)))
            return a;
    }
    return NULL;
}

int fsi_allow_add(struct fsi_allow_list *list, const struct fsi_allow *a, struct fsi_error *err)
{
    struct fsi_allow *entry = fsi_allow_find(list, a);

    if (entry) {
        entry->terms = a->terms;
        return 0;
    }
    if (list->n == MAX_ENTRIES || list->last == UINT32_MAX)
        return fsi_fail(err, -FSIF_EINVAL, "more than %u ids are allowed", MAX_ENTRIES);
    entry = realloc(list->entries, (list->n + 1) * sizeof(*entry));
    if (!entry)
        return fsi_fail(err, -FSIF_ENOMEM, "out of memory");
    list->entries = entry;
    entry += list->n++;
    *entry = *a;
    entry->serial = ++list->last;
    return 1;
}

int fsi_allow_remove(struct fsi_allow_list *list, const struct fsi_allow *like)
{
    struct fsi_allow *a = fsi_allow_find(list, like);

    if (!a)
        return 0;
    memmove(a, a + 1, (size_t)(list->entries + list->n - (a + 1)) * sizeof(*a));
    list->n--;
    return 1;
}

int fsi_allow_has(const struct fsi_allow_list *list, enum fsi_allow_kind kind, uint32_t id)
{
    const struct fsi_allow like = {.kind = kind, .id = id};

    return fsi_allow_find(list, &like) != NULL;
}

int fsi_allow_any(const struct fsi_allow_list *list, enum fsi_allow_kind kind)
{
    for (size_t i = 0; i < list->n; i++)
        if (list->entries[i].kind == kind)
            return 1;
    return 0;
}

const struct fsi_allow *fsi_allow_after(const struct fsi_allow_list *list, uint32_t serial)
{
    for (size_t i = 0; i < list->n; i++)
        if (list->entries[i].serial > serial)
            return &list->entries[i];
    return NULL;
}

void fsi_allow_fini(struct fsi_allow_list *list)
{
    free(list->entries);
    memset(list, 0, sizeof(*list));
}
