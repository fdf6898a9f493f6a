/* SPDX-License-Identifier: MIT */
/* What the toolstack makes for a guest that is attached, and takes away: written by hand, so that
 * the transport's own toolstack part is not what its other parts are tested with. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake.h"
#include "host.h"

#define DEVICES 4u

/* --- devices: a directory on either side, with the same number -------------------------------- */

static void device_paths(uint32_t backend, uint32_t domid, uint32_t number, char back[64],
                         char front[64])
{
    snprintf(back, 64, "/local/domain/%u/backend/fsif/%u/%u", backend, domid, number);
    snprintf(front, 64, "/local/domain/%u/device/fsif/%u", domid, number);
}

static void back_node(uint32_t backend, uint32_t domid, const char *base, const char *name,
                      const char *value)
{
    char path[128];

    snprintf(path, sizeof(path), "%s%s", base, name);
    host_node(path, value, backend, XS_PERM_NONE, domid, XS_PERM_READ);
}

static void front_node(uint32_t backend, uint32_t domid, const char *base, const char *name,
                       const char *value, unsigned backend_may)
{
    char path[128];

    snprintf(path, sizeof(path), "%s%s", base, name);
    host_node(path, value, domid, XS_PERM_NONE, backend, backend_may);
}

/* A number that the guest may have on either side: after those that there are. */
static uint32_t count_devices(uint32_t backend, uint32_t domid)
{
    char path[64];
    const struct node *n;
    uint32_t count = 0;

    snprintf(path, sizeof(path), "/local/domain/%u/backend/fsif/%u", backend, domid);
    n = tree_find(tree_root(), path);
    for (n = n ? n->child : NULL; n; n = n->next)
        count++;
    return count;
}

static void add_device(uint32_t backend, uint32_t domid, const char *name, int ro)
{
    char back[64], front[64], path[128], value[16];
    uint32_t number = count_devices(backend, domid);

    snprintf(path, sizeof(path), "/local/domain/%u/backend/fsif", backend);
    if (!tree_find(tree_root(), path))
        host_node(path, "", backend, XS_PERM_NONE, 0, XS_PERM_NONE);
    snprintf(path, sizeof(path), "/local/domain/%u/backend/fsif/%u", backend, domid);
    if (!tree_find(tree_root(), path))
        host_node(path, "", backend, XS_PERM_NONE, 0, XS_PERM_NONE);
    snprintf(path, sizeof(path), "/local/domain/%u/device/fsif", domid);
    if (!tree_find(tree_root(), path))
        host_node(path, "", domid, XS_PERM_NONE, backend, XS_PERM_READ);
    do {
        device_paths(backend, domid, number++, back, front);
    } while (tree_find(tree_root(), back) || tree_find(tree_root(), front));
    back_node(backend, domid, back, "", "");
    back_node(backend, domid, back, "/frontend", front);
    snprintf(value, sizeof(value), "%u", domid);
    back_node(backend, domid, back, "/frontend-id", value);
    back_node(backend, domid, back, "/name", name);
    back_node(backend, domid, back, "/mode", ro ? "ro" : "rw");
    back_node(backend, domid, back, "/state", "1");
    front_node(backend, domid, front, "", "", XS_PERM_READ);
    front_node(backend, domid, front, "/backend", back, XS_PERM_READ);
    snprintf(value, sizeof(value), "%u", backend);
    front_node(backend, domid, front, "/backend-id", value, XS_PERM_READ);
    front_node(backend, domid, front, "/state", "1", XS_PERM_READ | XS_PERM_WRITE);
}

static void remove_devices(uint32_t backend, uint32_t domid, const char *name)
{
    char back[64], front[64], path[128];

    for (uint32_t number = 0; number < 64; number++) {
        const struct node *n;

        device_paths(backend, domid, number, back, front);
        snprintf(path, sizeof(path), "%s/name", back);
        n = tree_find(tree_root(), path);
        if (!n || strcmp(n->value, name) != 0)
            continue;
        host_remove(front);
        host_remove(back);
    }
}

/* --- all of an attachment ---------------------------------------------------------------------
 */

void fake_attach(uint32_t backend, uint32_t domid, uint32_t number, const char *name, int ro)
{
    char base[64], path[128], value[16];

    pthread_mutex_lock(&host_lock);
    snprintf(base, sizeof(base), "/local/domain/%u/backend/vfs", backend);
    if (!tree_find(tree_root(), base))
        host_node(base, "", backend, XS_PERM_NONE, 0, XS_PERM_NONE);
    snprintf(path, sizeof(path), "%s/exports", base);
    if (!tree_find(tree_root(), path))
        host_node(path, "", backend, XS_PERM_READ, 0, XS_PERM_NONE);
    snprintf(path, sizeof(path), "%s/exports/requests", base);
    if (!tree_find(tree_root(), path))
        host_node(path, "", backend, XS_PERM_NONE, 0, XS_PERM_NONE);
    snprintf(path, sizeof(path), "%s/exports/requests/%u", base, domid);
    if (!tree_find(tree_root(), path)) {
        /* Writable for the guest, and readable for the backend what the guest makes there. */
        struct xs_permissions perms[3] = {{.id = backend, .perms = XS_PERM_NONE},
                                          {.id = domid, .perms = XS_PERM_WRITE},
                                          {.id = backend, .perms = XS_PERM_READ | XS_PERM_WRITE}};
        struct node *n;

        host_node(path, "", backend, XS_PERM_NONE, 0, XS_PERM_NONE);
        n = tree_find(tree_root(), path);
        memcpy(n->perms, perms, sizeof(perms));
        n->nperms = 3;
    }
    snprintf(path, sizeof(path), "%s/exports/%u", base, number);
    host_node(path, "", backend, XS_PERM_NONE, domid, XS_PERM_READ);
    snprintf(path, sizeof(path), "%s/exports/%u/name", base, number);
    host_node(path, name, backend, XS_PERM_NONE, domid, XS_PERM_READ);
    snprintf(path, sizeof(path), "%s/exports/%u/mode", base, number);
    host_node(path, ro ? "ro" : "rw", backend, XS_PERM_NONE, domid, XS_PERM_READ);
    snprintf(path, sizeof(path), "%s/exports/%u/frontend-id", base, number);
    snprintf(value, sizeof(value), "%u", domid);
    host_node(path, value, backend, XS_PERM_NONE, domid, XS_PERM_READ);
    snprintf(path, sizeof(path), "/local/domain/%u/device/vfs", domid);
    if (!tree_find(tree_root(), path))
        host_node(path, "", domid, XS_PERM_NONE, backend, XS_PERM_READ | XS_PERM_WRITE);
    for (uint32_t i = 0; i < DEVICES; i++)
        add_device(backend, domid, name, ro);
    pthread_mutex_unlock(&host_lock);
}

void fake_detach(uint32_t backend, uint32_t domid, uint32_t number)
{
    const struct node *name;
    char path[128];

    pthread_mutex_lock(&host_lock);
    snprintf(path, sizeof(path), "/local/domain/%u/backend/vfs/exports/%u/name", backend, number);
    name = tree_find(tree_root(), path);
    if (name)
        remove_devices(backend, domid, name->value);
    snprintf(path, sizeof(path), "/local/domain/%u/backend/vfs/exports/%u", backend, number);
    host_remove(path);
    snprintf(path, sizeof(path), "/local/domain/%u/backend/vfs/exports/requests/%u", backend,
             domid);
    host_remove(path);
    pthread_mutex_unlock(&host_lock);
}
