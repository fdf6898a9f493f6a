/* SPDX-License-Identifier: MIT */
#include "admin.h"

#include <inttypes.h>
#include <fsif/error.h>
#include <stdio.h>

int fsi_admin_request(struct fsif_dict *out, const char *word)
{
    fsif_dict_init(out);
    return fsif_dict_put_u32(out, "control", FSI_ADMIN_VERSION) ||
                   fsif_dict_put(out, "request", word)
               ? -FSIF_EINVAL
               : 0;
}

void fsi_admin_put(struct fsif_dict *out, const char *key, const char *value)
{
    char plain[FSIF_DICT_VALUE_MAX + 1];
    size_t n = 0;

    for (; value[n] && n < FSIF_DICT_VALUE_MAX; n++)
        plain[n] = value[n] >= 0x20 && value[n] <= 0x7e ? value[n] : '?';
    plain[n] = '\0';
    (void)fsif_dict_put(out, key, plain);
}

void fsi_admin_put_u64(struct fsif_dict *out, const char *key, uint64_t v)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRIu64, v);
    (void)fsif_dict_put(out, key, text);
}

uint64_t fsi_admin_u64(const struct fsif_dict *in, const char *key)
{
    char text[24];
    uint64_t v = 0;

    if (fsif_dict_get(in, key, text, sizeof(text)) < 0 || fsi_parse_u64(text, 0, UINT64_MAX, &v))
        return 0;
    return v;
}
