/* SPDX-License-Identifier: MIT */
#ifndef FSIF_FUZZ_XEN_H
#define FSIF_FUZZ_XEN_H

/* What both halves of the target xen share: a guest 5, attached to "data" of domain 0, and a guest
 * 6. */

#include <fsif/xen.h>
#include <xenstore.h>
#include "arena.h"

#define GUEST 5u
#define OTHER 6u
#define VFS "/local/domain/0/backend/vfs"
#define I "/local/domain/5/device/vfs/0"
#define FRONT "/local/domain/5/device/fsif/0"
#define BACK "/local/domain/0/backend/fsif/5/0"

/** write_some - one of @n paths gets a word that means something somewhere, or any bytes */
void write_some(struct xs_handle *xs, struct input *in, const char *const *paths, size_t n);

/** frontend, frontend_device - ours against a backend that writes what it likes, by old nodes or on
 * a device */
void frontend(struct input *in);
void frontend_device(struct input *in);

#endif
