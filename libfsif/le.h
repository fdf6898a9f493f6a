/* SPDX-License-Identifier: MIT */
#ifndef FSI_LE_H
#define FSI_LE_H

/* Little-endian numbers at any address. Compilers make one load or store of each. */

#include <stdint.h>

static inline uint32_t fsi_get16(const void *at)
{
    const uint8_t *p = (const uint8_t *)at;

    return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

static inline uint32_t fsi_get32(const void *at)
{
    const uint8_t *p = (const uint8_t *)at;

    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t fsi_get64(const void *at)
{
    const uint8_t *p = (const uint8_t *)at;

    return (uint64_t)fsi_get32(p) | (uint64_t)fsi_get32(p + 4) << 32;
}

static inline void fsi_put16(void *at, uint32_t v)
{
    uint8_t *p = (uint8_t *)at;

    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static inline void fsi_put32(void *at, uint32_t v)
{
    uint8_t *p = (uint8_t *)at;

    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
    p[2] = (uint8_t)(v >> 16);
    p[3] = (uint8_t)(v >> 24);
}

static inline void fsi_put64(void *at, uint64_t v)
{
    uint8_t *p = (uint8_t *)at;

    fsi_put32(p, (uint32_t)v);
    fsi_put32(p + 4, (uint32_t)(v >> 32));
}

#endif
