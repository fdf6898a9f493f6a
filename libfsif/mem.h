/* SPDX-License-Identifier: MIT */
#ifndef FSI_MEM_H
#define FSI_MEM_H

/*
 * The four functions that the core takes from its surroundings. They are declared here because a
 * freestanding build has no <string.h>. The builtins let the compiler expand a short copy in place
 * although -ffreestanding is set.
 */

#include <stddef.h>

#define fsi_memcpy __builtin_memcpy
#define fsi_memset __builtin_memset
#define fsi_memcmp __builtin_memcmp

size_t strnlen(const char *s, size_t max);

#endif
