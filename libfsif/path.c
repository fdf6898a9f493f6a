/* SPDX-License-Identifier: MIT */
#include <fsif/error.h>
#include <fsif/op.h>
#include <fsif/path.h>
#include "mem.h"
#include "path.h"

static size_t component_length(const char *s, const char *end)
{
    size_t n = 0;

    while (s + n < end && s[n] != '/')
        n++;
    return n;
}

/* 1 for ".", 2 for "..", else 0 */
static int dots(const char *s, size_t n)
{
    if (n == 1 && s[0] == '.')
        return 1;
    return n == 2 && s[0] == '.' && s[1] == '.' ? 2 : 0;
}

static int component_check(const char *s, size_t n)
{
    if (dots(s, n) == 2)
        return -FSIF_EACCES;
    return n > FSIF_NAME_MAX ? -FSIF_ENAMETOOLONG : 0;
}

/* The output never overtakes the input, so bytes that are moved in order are not lost. */
static char *append(char *out, const char *start, const char *in, size_t n)
{
    if (out > start)
        *out++ = '/';
    for (size_t i = 0; i < n; i++)
        out[i] = in[i];
    return out + n;
}

int fsi_path_climbs(const char *path, size_t len)
{
    const char *end = path + len;

    while (path < end) {
        size_t n = component_length(path, end);

        if (dots(path, n) == 2)
            return 1;
        path += n + 1;
    }
    return 0;
}

int fsif_path_normalize(char *path, size_t size)
{
    size_t len = strnlen(path, size);
    const char *end = path + len;
    const char *in = path;
    char *out = path;
    int directory = 0;

    if (len == size)
        return -FSIF_ENAMETOOLONG;
    if (len == 0)
        return -FSIF_ENOENT;

    while (in < end) {
        size_t n = component_length(in, end);
        int error = component_check(in, n);

        if (error)
            return error;
        directory = in + n < end || dots(in, n) == 1;
        if (n > 0 && dots(in, n) == 0)
            out = append(out, path, in, n);
        in += n + 1;
    }

    if (out == path)
        *out++ = '.';
    else if (directory)
        *out++ = '/';
    *out = '\0';
    return (int)(out - path);
}

char *fsi_path_strip(char *path, const char *prefix)
{
    size_t n = strnlen(prefix, FSIF_PATH_MAX);

    if (strnlen(path, n) < n || fsi_memcmp(path, prefix, n) != 0)
        return path;
    if (path[n] == '/' && path[n + 1] != '\0')
        return path + n + 1;
    if (path[n] != '\0' && path[n] != '/')
        return path;
    path[0] = '.';
    path[1] = '\0';
    return path;
}
