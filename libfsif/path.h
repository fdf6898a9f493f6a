/* SPDX-License-Identifier: MIT */
#ifndef FSI_PATH_H
#define FSI_PATH_H

#include <stddef.h>

/** fsi_path_climbs - whether a component of @path, @len bytes, is "..". Return: 1 or 0 */
int fsi_path_climbs(const char *path, size_t len);

#endif
