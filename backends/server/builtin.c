/* SPDX-License-Identifier: MIT */
#include "builtin.h"

#include <fsif/memory.h>
#include <fsif/posix.h>
#include <fsif/shm.h>

int fsi_builtin_registry(const char *plugin_dir, struct fsif_registry **out)
{
    struct fsif_registry *r;
    int rc = fsif_registry_create(plugin_dir, &r);

    if (rc)
        return rc;
    rc = fsif_registry_add_transport(r, &fsif_transport_shm);
    if (!rc)
        rc = fsif_registry_add_store(r, &fsif_store_posix);
    if (!rc)
        rc = fsif_registry_add_store(r, &fsif_store_memory);
    if (rc) {
        fsif_registry_destroy(r);
        return rc;
    }
    *out = r;
    return 0;
}
