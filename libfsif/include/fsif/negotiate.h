/* SPDX-License-Identifier: MIT */
#ifndef FSIF_NEGOTIATE_H
#define FSIF_NEGOTIATE_H

/*
 * The two dictionaries that start a session, the same over every transport: the frontend's offer
 * and the backend's answer. PROTOCOL.md lists the keys. Whatever the peer wrote is clamped to what
 * this side asked for.
 */

#include <fsif/dict.h>
#include <fsif/error.h>
#include <fsif/frontend.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FSIF_EXPORT_NAME_MAX 63u

/* Bits of dialect sets */
#define FSIF_DIALECT_BIT(d) (1u << (d))
#ifdef FSIF_WITHOUT_DIALECT3
#define FSIF_DIALECTS_KNOWN (FSIF_DIALECT_BIT(1) | FSIF_DIALECT_BIT(2))
#else
#define FSIF_DIALECTS_KNOWN (FSIF_DIALECT_BIT(1) | FSIF_DIALECT_BIT(2) | FSIF_DIALECT_BIT(3))
#endif

/**
 * fsif_dialects_parse - a set of dialects as people write it: "1", "3", "1,2" or "1 2 3"
 *
 * Return: 0 and @out; -FSIF_EINVAL
 */
int fsif_dialects_parse(const char *text, uint32_t *out);

/* No dialect has a longer ring. */
#define FSIF_RING_PAGES_MAX 16u

enum fsif_offer_kind {
    FSIF_OFFER_SESSION = 1, /* use an export */
    FSIF_OFFER_EXPORTS = 2, /* tell the exports that this peer may use */
};

struct fsif_offer {
    uint32_t kind;
    char export_name[FSIF_EXPORT_NAME_MAX + 1]; /* exports: the last name of the page before */
    uint32_t dialects;                          /* set of bits */
    uint32_t features;                          /* FSIF_FEATURE_* that the frontend wants */
    uint32_t pages;                             /* shared in all */
    /* dialects 1 and 2; ring_pages 0: neither is offered */
    uint32_t ring_pages;
    uint32_t ring_grefs[FSIF_RING_PAGES_MAX]; /* ring_pages of them, in the ring's order */
    /* dialect 3 */
    uint32_t queues;      /* 1 .. 16 */
    uint32_t slots;       /* of each queue: a power of two, 8 .. 1024 */
    uint32_t arena_pages; /* 16 .. 65536 */
    uint32_t max_io;      /* bytes of one request, at most the arena's */
    uint32_t directory;   /* gref of the first page of the grant directory */
};

struct fsif_choice {
    int32_t status; /* 0 or a negative FSIF_E* */
    uint32_t dialect;
    uint32_t features;
    uint32_t read_only; /* the export is */
    /* dialect 3: at most what was offered */
    uint32_t queues;
    uint32_t max_io;
};

/** fsif_export_name_valid - Return: 1 for 1 to 63 bytes of A-Z a-z 0-9 . _ -, not starting with '.'
 * or '-' */
int fsif_export_name_valid(const char *name);

/** fsif_offer_write - Return: 0; -FSIF_EINVAL */
int fsif_offer_write(const struct fsif_offer *offer, struct fsif_dict *out);

/**
 * fsif_offer_read - check what a frontend wrote
 *
 * Return: 0; -FSIF_EPROTO malformed or out of range
 */
int fsif_offer_read(const struct fsif_dict *in, struct fsif_offer *out);

/**
 * fsif_choose - the backend's answer to an offer: the highest dialect that both sides allow
 *
 * @dialects: set that this side allows
 *
 * Return: 0 and @out; -FSIF_EOPNOTSUPP no dialect in common
 */
int fsif_choose(const struct fsif_offer *offer, uint32_t dialects, struct fsif_choice *out);

/** fsif_choice_write - Return: 0; -FSIF_EINVAL */
int fsif_choice_write(const struct fsif_choice *choice, struct fsif_dict *out);

/**
 * fsif_choice_read - check what a backend wrote against the offer that it answers
 *
 * Features that were not asked for are dropped; a dialect that was not offered is an error.
 *
 * Return: 0; the backend's own error (status); -FSIF_EPROTO malformed
 */
int fsif_choice_read(const struct fsif_dict *in, const struct fsif_offer *offer,
                     struct fsif_choice *out);

#ifdef __cplusplus
}
#endif
#endif
