/* SPDX-License-Identifier: MIT */
#ifndef FSI_SERVER_WORKER_H
#define FSI_SERVER_WORKER_H

/* The first argument of a worker. Internal: only the supervisor starts workers. */
#define FSI_WORKER_ARGUMENT "--worker"

/**
 * fsi_worker_main - serve one session; descriptors as control.h says
 *
 * @plugin_dir: as fsif_registry_create()
 *
 * Return: exit code of the process, enum fsi_end
 */
int fsi_worker_main(const char *plugin_dir);

#endif
