/* SPDX-License-Identifier: MIT */
#ifndef FSIF_PATH_H
#define FSIF_PATH_H

#include <stddef.h>
#include <fsif/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * fsif_path_normalize - bring a name into the one form that stores see, in place
 *
 * @path: @size bytes that hold a NUL-terminated name
 * @size: 1 .. FSIF_PAGE_SIZE
 *
 * Leading slashes go, runs of slashes become one, components "." go, the root becomes ".". One
 * trailing slash is kept ("must be a directory") except on ".". A final "." component counts as a
 * trailing slash. Every byte but NUL and '/' is legal in a component.
 *
 * Return:  length without the NUL, >= 1
 *          -FSIF_ENOENT        the name is empty
 *          -FSIF_ENAMETOOLONG  no NUL within @size, or a component above FSIF_NAME_MAX
 *          -FSIF_EACCES        a component is ".."
 */
int fsif_path_normalize(char *path, size_t size);

#ifdef __cplusplus
}
#endif
#endif
