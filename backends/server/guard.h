/* SPDX-License-Identifier: MIT */
#ifndef FSI_SERVER_GUARD_H
#define FSI_SERVER_GUARD_H

/* Copying out of mapped files, whose pages may be gone: a copy that survives SIGBUS. */

#include <stddef.h>

/** fsi_guard_install - handle SIGBUS of this process from now on. Return: 0; a negative FSIF_E* */
int fsi_guard_install(void);

/**
 * fsi_guarded_copy - memcpy() from memory that may be impossible to read
 *
 * Needs fsi_guard_install(), and SIGBUS not blocked in the thread. A fault elsewhere than in the
 * @len bytes at @src is as fatal as ever.
 *
 * Return:  0; -FSIF_EIO: @dst has some of it
 * Threads: any
 */
int fsi_guarded_copy(void *dst, const void *src, size_t len);

#endif
