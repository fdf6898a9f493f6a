/* SPDX-License-Identifier: MIT */
#ifndef FSIF_TEST_SCRATCH_H
#define FSIF_TEST_SCRATCH_H

/* A test's own temporary folder. */

#include <stddef.h>

/** scratch_make - make an empty folder and write its path to @path; ends the program on error */
void scratch_make(char *path, size_t size);

/** scratch_remove - remove a folder and all that is in it; links are not followed */
void scratch_remove(const char *path);

/** scratch_path - write "@dir/@name" to @out and return it */
const char *scratch_path(char *out, size_t size, const char *dir, const char *name);

/** count_fds - the open descriptors of this process, and one */
int count_fds(void);

#endif
