/* SPDX-License-Identifier: MIT */
#include "freelist.h"

#include "barrier.h"

void fsi_freelist_init(struct fsi_freelist *f, struct fsif_shared_u32 *words, uint32_t count)
{
    uint32_t nwords = FSI_FREELIST_WORDS(count);

    fsi_store_relaxed(&f->hint, 0);
    f->count = count;
    for (uint32_t i = 0; i < nwords; i++)
        fsi_store_relaxed(&words[i], UINT32_MAX);
    if (count % 32)
        fsi_store_relaxed(&words[nwords - 1], (1u << (count % 32)) - 1);
}

int fsi_freelist_get(struct fsi_freelist *f, struct fsif_shared_u32 *words, uint32_t *number)
{
    uint32_t nwords = FSI_FREELIST_WORDS(f->count);
    uint32_t start = fsi_load_relaxed(&f->hint);

    for (uint32_t i = 0; i < nwords; i++) {
        uint32_t at = start + i < nwords ? start + i : start + i - nwords;
        uint32_t word = fsi_load_relaxed(&words[at]);

        while (word) {
            uint32_t bit = fsi_lowest_bit(word);

            if (fsi_cas(&words[at], word, word & ~(1u << bit))) {
                fsi_store_relaxed(&f->hint, at);
                *number = at * 32 + bit;
                return 1;
            }
            word = fsi_load_relaxed(&words[at]);
        }
    }
    return 0;
}

void fsi_freelist_put(struct fsi_freelist *f, struct fsif_shared_u32 *words, uint32_t number)
{
    fsi_fetch_or(&words[number / 32], 1u << (number % 32));
    fsi_store_relaxed(&f->hint, number / 32);
}

int fsi_freelist_take(struct fsi_freelist *f, struct fsif_shared_u32 *words, uint32_t number)
{
    uint32_t bit = 1u << (number % 32);

    if (number >= f->count)
        return 0;
    for (;;) {
        uint32_t word = fsi_load_relaxed(&words[number / 32]);

        if (!(word & bit))
            return 0;
        if (fsi_cas(&words[number / 32], word, word & ~bit))
            return 1;
    }
}
