/* SPDX-License-Identifier: MIT */
#include "cli.h"

#include <stdlib.h>

/* XXH3, 128 bits, where the library was there: for --verify, against accidents and not attacks. */

#ifdef FSIF_HAVE_XXHASH
#include <xxhash.h>

struct checksum {
    XXH3_state_t *state;
};

int checksum_available(void)
{
    return 1;
}

struct checksum *checksum_create(void)
{
    struct checksum *c = cli_alloc(sizeof(*c));

    c->state = XXH3_createState();
    if (c->state == NULL || XXH3_128bits_reset(c->state) != XXH_OK)
        cli_no_memory();
    return c;
}

void checksum_add(struct checksum *c, const void *bytes, size_t len)
{
    XXH3_128bits_update(c->state, bytes, len);
}

static void destroy(struct checksum *c)
{
    XXH3_freeState(c->state);
    free(c);
}

int checksum_match(struct checksum *a, struct checksum *b)
{
    int equal = XXH128_isEqual(XXH3_128bits_digest(a->state), XXH3_128bits_digest(b->state));

    destroy(a);
    destroy(b);
    return equal;
}

#else

/* --verify is refused before any of these could be called. */

int checksum_available(void)
{
    return 0;
}

struct checksum *checksum_create(void)
{
    return NULL;
}

void checksum_add(struct checksum *c, const void *bytes, size_t len)
{
    (void)c;
    (void)bytes;
    (void)len;
}

int checksum_match(struct checksum *a, struct checksum *b)
{
    return a == b;
}

#endif
