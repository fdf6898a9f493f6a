/* SPDX-License-Identifier: MIT */
/* A guest whose request was answered, until its worker has what it needs. */
#define _POSIX_C_SOURCE 200809L
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "listener.h"

void fsi_xen_peer_queue(struct fsif_listener *l, struct fsif_peer *p)
{
    struct fsif_peer **link = &l->peers;

    while (*link)
        link = &(*link)->next;
    *link = p;
    l->npeers++;
}

struct fsif_peer *fsi_xen_peer_next(struct fsif_listener *l)
{
    struct fsif_peer *p = l->peers;

    if (!p)
        return NULL;
    l->peers = p->next;
    l->npeers--;
    p->next = NULL;
    return p;
}

int fsi_xen_peer_credentials(struct fsif_peer *p, struct fsif_credentials *out)
{
    memset(out, 0, sizeof(*out));
    out->kind = FSIF_CREDENTIAL_DOMAIN;
    out->uid = FSIF_CREDENTIAL_UNKNOWN;
    out->gid = FSIF_CREDENTIAL_UNKNOWN;
    out->domid = p->request.domid;
    out->read_only = p->read_only;
    memcpy(out->uuid, p->uuid, sizeof(out->uuid));
    return 0;
}

_Static_assert(sizeof(struct xen_request) <= FSIF_EXPORT_BLOB, "a request is the blob");

int fsi_xen_peer_export(struct fsif_peer *p, int *fds, size_t *nfds, void *blob, size_t *len)
{
    if (*nfds < 1 || *len < sizeof(p->request))
        return -FSIF_EINVAL;
    fds[0] = p->sock;
    *nfds = 1;
    memcpy(blob, &p->request, sizeof(p->request));
    *len = sizeof(p->request);
    return 0;
}

void fsi_xen_peer_close(struct fsif_peer *p)
{
    close(p->sock);
    free(p);
}
