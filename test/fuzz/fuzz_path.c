/* SPDX-License-Identifier: MIT */
/* Names: whatever fsif_path_normalize lets through is in the form that stores rely on. */
#include "arena.h"

#include <stdlib.h>
#include <string.h>

static void check_component(const char *c, size_t len)
{
    MUST(len >= 1 && len <= FSIF_NAME_MAX);
    MUST(!(len == 2 && c[0] == '.' && c[1] == '.'));
    MUST(!(len == 1 && c[0] == '.'));
}

static unsigned check_normal(const char *path, size_t len)
{
    const char *at = path;
    unsigned components = 0;

    MUST(strlen(path) == len && len >= 1);
    if (!strcmp(path, "."))
        return 0;
    MUST(path[0] != '/');
    while (*at) {
        size_t n = strcspn(at, "/");

        check_component(at, n);
        components++;
        at += n;
        if (*at == '/')
            at++;
    }
    return components;
}

/* Whether a component of the first NUL-terminated name in @data is "..", told in another way. */
static int climbs(const char *name, size_t len)
{
    for (size_t i = 0; i + 1 < len; i++) {
        if (name[i] == '.' && name[i + 1] == '.' && (i == 0 || name[i - 1] == '/') &&
            (i + 2 == len || name[i + 2] == '/'))
            return 1;
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t original = strnlen((const char *)data, size);
    unsigned components;
    char *path;
    char *again;
    int len;

    if (size < 1 || size > FSIF_PAGE_SIZE)
        return 0;
    path = malloc(size);
    again = malloc(size);
    if (!path || !again)
        abort();
    memcpy(path, data, size);
    len = fsif_path_normalize(path, size);
    if (len < 0) {
        MUST(len == -FSIF_ENOENT || len == -FSIF_ENAMETOOLONG || len == -FSIF_EACCES);
        MUST(len != -FSIF_ENOENT || original == 0);
        MUST(len != -FSIF_EACCES || climbs((const char *)data, original));
    } else {
        MUST((size_t)len <= original || (len == 1 && path[0] == '.'));
        MUST(!climbs((const char *)data, original));
        components = check_normal(path, (size_t)len);
        /* A second time changes nothing. */
        memcpy(again, path, (size_t)len + 1);
        MUST(fsif_path_normalize(again, (size_t)len + 1) == len);
        MUST(!memcmp(again, path, (size_t)len + 1));
        planted_bug(components == 5 && path[len - 1] == '/' && original >= (size_t)len + 4);
    }
    free(path);
    free(again);
    return 0;
}
