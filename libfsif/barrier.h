/* SPDX-License-Identifier: MIT */
#ifndef FSI_BARRIER_H
#define FSI_BARRIER_H

/*
 * The only file that names a memory order. Shared words are struct fsif_shared_u32, in memory that
 * the peer writes or that several threads write, and are touched only through these functions.
 *
 * Every access that takes part in "I changed mine, did you change yours?" is sequentially
 * consistent: a store followed by a load of another word must not pass each other, or a wake-up is
 * lost. There are no stand-alone fences: ThreadSanitizer does not know them.
 */

#include <stddef.h>
#include <stdint.h>
#include <fsif/wire.h>

/* Partner of fsi_store_release: what was written before it is visible after this. */
static inline uint32_t fsi_load_acquire(const struct fsif_shared_u32 *w)
{
    return __atomic_load_n(&w->v_, __ATOMIC_ACQUIRE);
}

static inline void fsi_store_release(struct fsif_shared_u32 *w, uint32_t v)
{
    __atomic_store_n(&w->v_, v, __ATOMIC_RELEASE);
}

static inline uint32_t fsi_load_relaxed(const struct fsif_shared_u32 *w)
{
    return __atomic_load_n(&w->v_, __ATOMIC_RELAXED);
}

static inline void fsi_store_relaxed(struct fsif_shared_u32 *w, uint32_t v)
{
    __atomic_store_n(&w->v_, v, __ATOMIC_RELAXED);
}

/* A little-endian word that only tells the peer of progress. */
static inline void fsi_put32_shared(struct fsif_shared_u32 *w, uint32_t v)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    v = __builtin_bswap32(v);
#endif
    fsi_store_release(w, v);
}

static inline uint32_t fsi_get32_shared(const struct fsif_shared_u32 *w)
{
    uint32_t v = fsi_load_acquire(w);

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    v = __builtin_bswap32(v);
#endif
    return v;
}

/* The two halves of a Dekker pair: each side stores its own word, then loads the other's. */
static inline uint32_t fsi_load_seq(const struct fsif_shared_u32 *w)
{
    return __atomic_load_n(&w->v_, __ATOMIC_SEQ_CST);
}

static inline void fsi_store_seq(struct fsif_shared_u32 *w, uint32_t v)
{
    __atomic_store_n(&w->v_, v, __ATOMIC_SEQ_CST);
}

static inline uint32_t fsi_fetch_add(struct fsif_shared_u32 *w, uint32_t v)
{
    return __atomic_fetch_add(&w->v_, v, __ATOMIC_SEQ_CST);
}

static inline uint32_t fsi_fetch_or(struct fsif_shared_u32 *w, uint32_t v)
{
    return __atomic_fetch_or(&w->v_, v, __ATOMIC_SEQ_CST);
}

/* Returns 1 if the word was @expected and is @v now. */
static inline int fsi_cas(struct fsif_shared_u32 *w, uint32_t expected, uint32_t v)
{
    return __atomic_compare_exchange_n(&w->v_, &expected, v, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

/* Returns what the word was. */
static inline uint32_t fsi_exchange(struct fsif_shared_u32 *w, uint32_t v)
{
    return __atomic_exchange_n(&w->v_, v, __ATOMIC_SEQ_CST);
}

/* A pointer of this process that is written once: what lies behind it was written before. Partner
 * of each other. */
#define fsi_load_pointer(p) __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define fsi_store_pointer(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)
#define fsi_cas_pointer(p, expected, v)                                                            \
    __atomic_compare_exchange_n(p, expected, v, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)

/* Copy between private memory, of any alignment and type, and memory that the peer may change
 * meanwhile: each word is read or written once, which a plain memcpy does not promise. The shared
 * side is aligned to 8 and @len is a multiple of 8. */
typedef unsigned long fsi_word __attribute__((may_alias));
#define FSI_WORD sizeof(fsi_word)

static inline void fsi_copy_in(void *dst, const volatile void *src, size_t len)
{
    const volatile fsi_word *s = (const volatile fsi_word *)src;
    char *d = (char *)dst;

    for (size_t i = 0; i < len / FSI_WORD; i++) {
        fsi_word w = s[i];

        __builtin_memcpy(d + FSI_WORD * i, &w, FSI_WORD);
    }
}

static inline void fsi_copy_out(volatile void *dst, const void *src, size_t len)
{
    volatile fsi_word *d = (volatile fsi_word *)dst;
    const char *s = (const char *)src;

    for (size_t i = 0; i < len / FSI_WORD; i++) {
        fsi_word w;

        __builtin_memcpy(&w, s + FSI_WORD * i, FSI_WORD);
        d[i] = w;
    }
}

#endif
