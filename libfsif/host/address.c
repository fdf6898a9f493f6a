/* SPDX-License-Identifier: MIT */
#include <string.h>
#include <fsif/host.h>

#include "host-internal.h"

int fsi_word_valid(const char *word, size_t len)
{
    if (len < 1 || len > FSI_WORD_MAX)
        return 0;
    for (size_t i = 0; i < len; i++) {
        char c = word[i];

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'))
            return 0;
    }
    return 1;
}

int fsif_address_split(const char *address, char name[32], const char **rest)
{
    const char *colon = strchr(address, ':');

    if (!colon || !colon[1] || !fsi_word_valid(address, (size_t)(colon - address)))
        return -FSIF_EINVAL;
    memcpy(name, address, (size_t)(colon - address));
    name[colon - address] = '\0';
    *rest = colon + 1;
    return 0;
}
