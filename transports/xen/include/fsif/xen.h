/* SPDX-License-Identifier: MIT */
#ifndef FSIF_XEN_H
#define FSIF_XEN_H

/* Grants, event channels and xenstore between the domains of a Xen host. Addresses: xen:all for a
 * backend, which serves every guest that is attached to its domain; xen:DOMID for a frontend, the
 * backend's domain. The README beside has the xenstore nodes. */

#include <fsif/transport.h>

#ifdef __cplusplus
extern "C" {
#endif

extern const struct fsif_transport fsif_transport_xen;

#ifdef __cplusplus
}
#endif
#endif
