/* SPDX-License-Identifier: MIT */
#ifndef FSI_SERVER_BUILTIN_H
#define FSI_SERVER_BUILTIN_H

#include <fsif/host.h>

/**
 * fsi_builtin_registry - a registry that has what is linked into the daemon: transport shm, stores
 * posix and memory; others are loaded as plugins
 *
 * @plugin_dir: as fsif_registry_create()
 *
 * Return: 0; a negative FSIF_E*
 */
int fsi_builtin_registry(const char *plugin_dir, struct fsif_registry **out);

#endif
