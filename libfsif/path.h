/* SPDX-License-Identifier: MIT */
#ifndef FSI_PATH_H
#define FSI_PATH_H

#include <stddef.h>

/** fsi_path_climbs - whether a component of @path, @len bytes, is "..". Return: 1 or 0 */
int fsi_path_climbs(const char *path, size_t len);

/**
 * fsi_path_strip - what is left of a normalised @path behind the components of @prefix
 *
 * @prefix: normalised, without a trailing slash
 *
 * Return: a place in @path, which may be changed to "." there; @path if it does not begin so
 */
char *fsi_path_strip(char *path, const char *prefix);

#endif
