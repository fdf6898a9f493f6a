/* SPDX-License-Identifier: MIT */
#include <fsif/arena.h>
#include <fsif/directory.h>
#include <fsif/negotiate.h>
#include <fsif/wire.h>
#include "mem.h"

#define HANDSHAKE_VERSION 1u

/* No ring and no arena of any dialect is larger than this; each dialect has its own limit too. */
#define PAGES_MAX (1u << 20)

static const uint32_t known[] = {1, 2, 3};
#define KNOWN (sizeof(known) / sizeof(known[0]))
/* What this build speaks of dialect 3: nothing, where it is left out. */
#define SPLIT (FSIF_DIALECT_BIT(3) & FSIF_DIALECTS_KNOWN)
#define PAGED (FSIF_DIALECT_BIT(1) | FSIF_DIALECT_BIT(2))

/* Beside the ring of a paged dialect there is a page for a call at least. */
static const struct {
    uint32_t number;
    uint32_t ring_pages; /* at most */
    uint32_t call_pages;
} paged[] = {
    {1, 1, FSIF_FRONTEND_MAX_CALLS},
    {2, FSIF_WIRE2_RING_PAGES, FSIF_FRONTEND_MAX_CALLS *FSIF_WIRE2_GREFS},
};

/* Keys that are numbered, and what fits behind their names. */
#define RING_REF "ring-ref"
#define RING_REF_DIGITS 2u

static int name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

int fsif_export_name_valid(const char *name)
{
    size_t len = strnlen(name, FSIF_EXPORT_NAME_MAX + 1);

    if (len == 0 || len > FSIF_EXPORT_NAME_MAX || name[0] == '.' || name[0] == '-')
        return 0;
    for (size_t i = 0; i < len; i++) {
        if (!name_byte(name[i]))
            return 0;
    }
    return 1;
}

/* The ring and the calls of a paged dialect. Where dialect 3 is offered too there may be more pages
 * than a paged one can use. */
static int paged_valid(const struct fsif_offer *o)
{
    uint32_t more = o->dialects & SPLIT;

    if (!(o->dialects & PAGED))
        return 1;
    if (o->ring_pages == 0 || o->ring_pages >= o->pages)
        return 0;
    for (size_t i = 0; i < sizeof(paged) / sizeof(paged[0]); i++) {
        if (!(o->dialects & FSIF_DIALECT_BIT(paged[i].number)))
            continue;
        if (o->ring_pages > paged[i].ring_pages ||
            (!more && o->pages - o->ring_pages > paged[i].call_pages))
            return 0;
    }
    return 1;
}

static int area_valid(const struct fsif_offer *o)
{
    uint32_t area;

    if (!(o->dialects & SPLIT))
        return 1;
    area = fsif_area_pages(o->queues, o->slots, o->arena_pages);
    return area && area + fsif_directory_pages(area) <= o->pages && o->max_io >= FSIF_PAGE_SIZE &&
           o->max_io <= o->arena_pages * FSIF_PAGE_SIZE;
}

/* Whether the shared pages fit every dialect that is offered. What a gref means is the transport's
 * business: map refuses a bad one. */
static int layout_valid(const struct fsif_offer *o)
{
    return paged_valid(o) && area_valid(o);
}

/* The key of the ring's page @i: "ring-ref" of the only one, else "ring-ref-@i". */
static void ring_key(char key[sizeof(RING_REF) + 1 + RING_REF_DIGITS], uint32_t pages, uint32_t i)
{
    size_t at = sizeof(RING_REF) - 1;

    fsi_memcpy(key, RING_REF, sizeof(RING_REF));
    if (pages == 1)
        return;
    key[at++] = '-';
    if (i >= 10)
        key[at++] = (char)('0' + i / 10);
    key[at++] = (char)('0' + i % 10);
    key[at] = '\0';
}

static int write_ring(const struct fsif_offer *offer, struct fsif_dict *out)
{
    char key[sizeof(RING_REF) + 1 + RING_REF_DIGITS];
    int error = fsif_dict_put_u32(out, "ring-pages", offer->ring_pages);

    for (uint32_t i = 0; i < offer->ring_pages && !error; i++) {
        ring_key(key, offer->ring_pages, i);
        error = fsif_dict_put_u32(out, key, offer->ring_grefs[i]);
    }
    return error;
}

static int write_area(const struct fsif_offer *offer, struct fsif_dict *out)
{
    int error = fsif_dict_put_u32(out, "queues", offer->queues);

    error |= fsif_dict_put_u32(out, "slots", offer->slots);
    error |= fsif_dict_put_u32(out, "arena-pages", offer->arena_pages);
    error |= fsif_dict_put_u32(out, "max-io", offer->max_io);
    return error | fsif_dict_put_u32(out, "directory", offer->directory);
}

static int read_area(const struct fsif_dict *in, struct fsif_offer *out)
{
    if (!(out->dialects & SPLIT))
        return 0;
    return fsif_dict_get_u32(in, "queues", 1, FSIF_WIRE3_QUEUES_MAX, &out->queues) ||
           fsif_dict_get_u32(in, "slots", FSIF_WIRE3_SLOTS_MIN, FSIF_WIRE3_SLOTS_MAX,
                             &out->slots) ||
           fsif_dict_get_u32(in, "arena-pages", FSIF_ARENA_PAGES_MIN, FSIF_ARENA_PAGES_MAX,
                             &out->arena_pages) ||
           fsif_dict_get_u32(in, "max-io", FSIF_PAGE_SIZE, UINT32_MAX, &out->max_io) ||
           fsif_dict_get_u32(in, "directory", 0, UINT32_MAX, &out->directory);
}

static int read_ring(const struct fsif_dict *in, struct fsif_offer *out)
{
    char key[sizeof(RING_REF) + 1 + RING_REF_DIGITS];
    int error = fsif_dict_get_u32(in, "ring-pages", 1, FSIF_RING_PAGES_MAX, &out->ring_pages);

    for (uint32_t i = 0; i < out->ring_pages && !error; i++) {
        ring_key(key, out->ring_pages, i);
        error = fsif_dict_get_u32(in, key, 0, UINT32_MAX, &out->ring_grefs[i]);
    }
    return error;
}

int fsif_dialects_parse(const char *text, uint32_t *out)
{
    uint32_t set = 0;

    for (;;) {
        uint32_t number = (uint32_t)*text - '0';

        if (number > 9 || !(FSIF_DIALECTS_KNOWN & FSIF_DIALECT_BIT(number)))
            return -FSIF_EINVAL;
        set |= FSIF_DIALECT_BIT(number);
        text++;
        if (*text == '\0')
            break;
        if (*text != ',' && *text != ' ')
            return -FSIF_EINVAL;
        text++;
    }
    *out = set;
    return 0;
}

/* "1", "2" or "1 2 3" */
static void dialect_words(uint32_t dialects, char words[2 * KNOWN])
{
    size_t at = 0;

    for (size_t i = 0; i < KNOWN; i++) {
        if (!(dialects & FSIF_DIALECT_BIT(known[i])))
            continue;
        if (at > 0)
            words[at++] = ' ';
        words[at++] = (char)('0' + known[i]);
    }
    words[at] = '\0';
}

static uint32_t read_dialects(const struct fsif_dict *in)
{
    uint32_t dialects = 0;

    for (size_t i = 0; i < KNOWN; i++) {
        const char word[2] = {(char)('0' + known[i]), '\0'};

        if (fsif_dict_has_word(in, "dialects", word))
            dialects |= FSIF_DIALECT_BIT(known[i]) & FSIF_DIALECTS_KNOWN;
    }
    return dialects;
}

static const char *feature_words(uint32_t features)
{
    return features & FSIF_FEATURE_ERRNO ? "errno" : "";
}

static uint32_t read_features(const struct fsif_dict *in)
{
    return fsif_dict_has_word(in, "features", "errno") ? FSIF_FEATURE_ERRNO : 0;
}

/* Returns 0, or a negative number: the keys of one offer always fit. */
static int write_session(const struct fsif_offer *offer, struct fsif_dict *out)
{
    char words[2 * KNOWN];
    int error = 0;

    if (!fsif_export_name_valid(offer->export_name) || offer->dialects == 0 ||
        (offer->dialects & ~FSIF_DIALECTS_KNOWN) || (offer->features & ~FSIF_FEATURE_ERRNO) ||
        !layout_valid(offer))
        return -FSIF_EINVAL;
    error |= fsif_dict_put(out, "export", offer->export_name);
    dialect_words(offer->dialects, words);
    error |= fsif_dict_put(out, "dialects", words);
    error |= fsif_dict_put(out, "features", feature_words(offer->features));
    error |= fsif_dict_put_u32(out, "pages", offer->pages);
    if (offer->dialects & PAGED)
        error |= write_ring(offer, out);
    return offer->dialects & SPLIT ? error | write_area(offer, out) : error;
}

static int write_exports(const struct fsif_offer *offer, struct fsif_dict *out)
{
    if (offer->export_name[0] == '\0')
        return 0;
    if (!fsif_export_name_valid(offer->export_name))
        return -FSIF_EINVAL;
    return fsif_dict_put(out, "export", offer->export_name);
}

int fsif_offer_write(const struct fsif_offer *offer, struct fsif_dict *out)
{
    int session = offer->kind == FSIF_OFFER_SESSION;
    int error = 0;

    fsif_dict_init(out);
    if (!session && offer->kind != FSIF_OFFER_EXPORTS)
        return -FSIF_EINVAL;
    error |= fsif_dict_put_u32(out, "fsif", HANDSHAKE_VERSION);
    error |= fsif_dict_put(out, "request", session ? "session" : "exports");
    error |= session ? write_session(offer, out) : write_exports(offer, out);
    return error ? -FSIF_EINVAL : 0;
}

/* @required: a session names its export; a listing begins at the first without a name. */
static int read_export_name(const struct fsif_dict *in, int required, struct fsif_offer *out)
{
    int len = fsif_dict_get(in, "export", out->export_name, sizeof(out->export_name));

    if (len == -FSIF_ENOENT)
        return required ? -FSIF_EPROTO : 0;
    return len < 0 || !fsif_export_name_valid(out->export_name) ? -FSIF_EPROTO : 0;
}

static int read_session(const struct fsif_dict *in, struct fsif_offer *out)
{
    char words[FSIF_DICT_VALUE_MAX + 1];

    out->kind = FSIF_OFFER_SESSION;
    out->features = read_features(in);
    /* The key must be there; words that are not known may be. */
    if (fsif_dict_get(in, "dialects", words, sizeof(words)) <= 0)
        return -FSIF_EPROTO;
    out->dialects = read_dialects(in);
    if (fsif_dict_get_u32(in, "pages", 1, PAGES_MAX, &out->pages))
        return -FSIF_EPROTO;
    /* The ring of a dialect that is not known is nobody's business here. */
    if (out->dialects & PAGED && read_ring(in, out))
        return -FSIF_EPROTO;
    if (read_area(in, out) || !layout_valid(out))
        return -FSIF_EPROTO;
    return read_export_name(in, 1, out);
}

static int read_offer(const struct fsif_dict *in, struct fsif_offer *out)
{
    char kind[FSIF_DICT_VALUE_MAX + 1];
    uint32_t version;
    int len = fsif_dict_get(in, "request", kind, sizeof(kind));

    if (fsif_dict_get_u32(in, "fsif", HANDSHAKE_VERSION, HANDSHAKE_VERSION, &version) || len != 7)
        return -FSIF_EPROTO;
    if (fsi_memcmp(kind, "session", 7) == 0)
        return read_session(in, out);
    if (fsi_memcmp(kind, "exports", 7) != 0)
        return -FSIF_EPROTO;
    out->kind = FSIF_OFFER_EXPORTS;
    return read_export_name(in, 0, out);
}

int fsif_offer_read(const struct fsif_dict *in, struct fsif_offer *out)
{
    int error;

    fsi_memset(out, 0, sizeof(*out));
    error = read_offer(in, out);
    if (error)
        fsi_memset(out, 0, sizeof(*out));
    return error;
}

int fsif_choose(const struct fsif_offer *offer, uint32_t dialects, struct fsif_choice *out)
{
    fsi_memset(out, 0, sizeof(*out));
    for (size_t i = 0; i < KNOWN; i++) {
        if (offer->dialects & dialects & FSIF_DIALECT_BIT(known[i]))
            out->dialect = known[i];
    }
    if (!out->dialect) {
        out->status = -FSIF_EOPNOTSUPP;
        return -FSIF_EOPNOTSUPP;
    }
    out->features = offer->features & FSIF_FEATURE_ERRNO;
    if (out->dialect == 3) {
        out->queues = offer->queues;
        out->max_io = offer->max_io;
    }
    return 0;
}

int fsif_choice_write(const struct fsif_choice *choice, struct fsif_dict *out)
{
    int error = 0;

    fsif_dict_init(out);
    if (choice->status > 0 || choice->status < -FSIF_MAX_ERRNO)
        return -FSIF_EINVAL;
    if (choice->status == 0 &&
        (choice->dialect > 31 || !(FSIF_DIALECTS_KNOWN & FSIF_DIALECT_BIT(choice->dialect))))
        return -FSIF_EINVAL;
    error |= fsif_dict_put_u32(out, "status", (uint32_t)-choice->status);
    if (choice->status == 0) {
        error |= fsif_dict_put_u32(out, "dialect", choice->dialect);
        error |= fsif_dict_put(out, "features", feature_words(choice->features));
        error |= fsif_dict_put_u32(out, "read-only", choice->read_only != 0);
        if (choice->dialect == 3) {
            error |= fsif_dict_put_u32(out, "queues", choice->queues);
            error |= fsif_dict_put_u32(out, "max-io", choice->max_io);
        }
    }
    return error ? -FSIF_EINVAL : 0;
}

/* A backend that does not say read-only serves for reading and writing. */
static int read_read_only(const struct fsif_dict *in, uint32_t *out)
{
    int error = fsif_dict_get_u32(in, "read-only", 0, 1, out);

    return error && error != -FSIF_ENOENT ? -FSIF_EPROTO : 0;
}

static int read_choice(const struct fsif_dict *in, const struct fsif_offer *offer,
                       struct fsif_choice *out)
{
    uint32_t status;

    if (fsif_dict_get_u32(in, "status", 0, FSIF_MAX_ERRNO, &status))
        return -FSIF_EPROTO;
    out->status = -(int32_t)status;
    if (status > 0)
        return out->status;
    if (offer->kind == FSIF_OFFER_EXPORTS)
        return 0;
    if (fsif_dict_get_u32(in, "dialect", 1, 31, &out->dialect) ||
        !(offer->dialects & FSIF_DIALECT_BIT(out->dialect)))
        return -FSIF_EPROTO;
    out->features = read_features(in) & offer->features;
    if (out->dialect == 3 &&
        (fsif_dict_get_u32(in, "queues", 1, offer->queues, &out->queues) ||
         fsif_dict_get_u32(in, "max-io", FSIF_PAGE_SIZE, offer->max_io, &out->max_io)))
        return -FSIF_EPROTO;
    return read_read_only(in, &out->read_only);
}

int fsif_choice_read(const struct fsif_dict *in, const struct fsif_offer *offer,
                     struct fsif_choice *out)
{
    int error;

    fsi_memset(out, 0, sizeof(*out));
    error = read_choice(in, offer, out);
    if (error) {
        fsi_memset(out, 0, sizeof(*out));
        out->status = error;
    }
    return error;
}
