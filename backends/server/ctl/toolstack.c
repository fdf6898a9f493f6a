/* SPDX-License-Identifier: MIT */
#include "ctl.h"

#include <string.h>

static int missing(int quietly, const char *why, const char *more)
{
    if (!quietly)
        ctl_say("the toolstack's half is not done here: %s%s. It runs where domains are made "
                "(dom0); in a backend's own domain use 'fsifctl allow'",
                why, more);
    return -1;
}

int ctl_toolstack(struct ctl *ctl, int quietly)
{
    int rc;

    if (ctl->toolstack)
        return 0;
    rc = ctl->registry ? 0 : fsif_registry_create(ctl->plugin_dir, &ctl->registry);
    if (rc)
        return missing(quietly, fsif_strerror(rc), "");
    rc = fsif_registry_transport(ctl->registry, ctl->transport, &ctl->xen);
    if (rc)
        return missing(quietly, fsif_registry_error(ctl->registry), "");
    if (!ctl->xen->toolstack_open)
        return missing(quietly, "there is none for transport ", ctl->transport);
    rc = ctl->xen->toolstack_open(&ctl->toolstack);
    if (!rc)
        return 0;
    ctl->toolstack = NULL;
    return missing(quietly,
                   rc == -FSIF_EACCES ? "only root may" : "no hypervisor's store can be reached: ",
                   rc == -FSIF_EACCES ? "" : fsif_strerror(rc));
}

int ctl_resolve(struct ctl *ctl, const char *domain, struct fsif_domain *out)
{
    int rc = ctl->xen->resolve(ctl->toolstack, domain, out);

    if (rc == -FSIF_ENOENT)
        ctl_say("there is no domain '%s' (an id, a UUID or a name, as 'xl list' shows them)",
                domain);
    else if (rc == -FSIF_EEXIST)
        ctl_say("there are several domains '%s'; say which by id or UUID", domain);
    else if (rc)
        ctl_say("domain '%s': %s", domain, fsif_strerror(rc));
    return rc ? -1 : 0;
}

int ctl_backend(struct ctl *ctl, uint32_t *out)
{
    struct fsif_domain d;

    *out = FSIF_DOMAIN_SELF;
    if (!ctl->backend)
        return 0;
    if (ctl_resolve(ctl, ctl->backend, &d))
        return -1;
    *out = d.domid;
    return 0;
}
