/* SPDX-License-Identifier: MIT */
/* Who may use an export: attach and detach, with both halves, allow and deny with the daemon's. */
#include "ctl.h"

#include <stdio.h>
#include <string.h>
#include <fsif/negotiate.h>

static int is_uuid(const char *domain)
{
    uint8_t uuid[16];

    return fsi_parse_uuid(domain, uuid) == 0;
}

static int is_id(const char *domain)
{
    uint32_t id;

    return fsi_parse_u32(domain, 0, UINT32_MAX, &id) == 0;
}

static int good_name(const char *name)
{
    if (fsif_export_name_valid(name))
        return 1;
    ctl_say("'%s' is not a name for an export: 1 to %u of A-Z a-z 0-9 . _ -, not starting with . "
            "or -",
            name, FSIF_EXPORT_NAME_MAX);
    return 0;
}

/* By UUID if that is how it was said, which outlives the domain; else by id, which does not. */
static void domain_subject(const char *domain, uint32_t domid, char out[FSI_SUBJECT_MAX])
{
    if (is_uuid(domain))
        snprintf(out, FSI_SUBJECT_MAX, "uuid:%s", domain);
    else
        snprintf(out, FSI_SUBJECT_MAX, "domain:%u", domid);
}

/* uid:USER, gid:GROUP or a domain; names are looked up here, not in the daemon. @makes: an entry.
 */
static int read_subject(struct ctl *ctl, const char *who, int makes, char out[FSI_SUBJECT_MAX])
{
    struct fsi_error err;
    struct fsif_domain d;
    uint32_t id;
    int rc;

    if (!strncmp(who, "uid:", 4) || !strncmp(who, "gid:", 4)) {
        rc = who[0] == 'u' ? fsi_parse_uid(who + 4, &id, &err) : fsi_parse_gid(who + 4, &id, &err);
        if (rc)
            ctl_say("%s", err.text);
        else
            snprintf(out, FSI_SUBJECT_MAX, "%.4s%u", who, id);
        return rc;
    }
    if (is_uuid(who)) {
        domain_subject(who, 0, out);
        return 0;
    }
    if (is_id(who)) {
        /* Another domain will have the id of one that is gone: no entry is made for that one. */
        if (makes && !ctl_toolstack(ctl, 1) &&
            ctl->xen->resolve(ctl->toolstack, who, &d) == -FSIF_ENOENT)
            return ctl_resolve(ctl, who, &d);
        snprintf(out, FSI_SUBJECT_MAX, "domain:%s", who);
        return 0;
    }
    if (ctl_toolstack(ctl, 1)) {
        ctl_say("'%s' is not uid:USER, gid:GROUP, a domain's id or its UUID; names of domains are "
                "known only where the toolstack is",
                who);
        return -1;
    }
    rc = ctl_resolve(ctl, who, &d);
    if (!rc)
        domain_subject(who, d.domid, out);
    return rc;
}

/* Returns 1 added, 0 replaced; a negative value, and it was said. */
static int allow(struct ctl *ctl, const char *export_name, const char *subject, char **terms,
                 int count)
{
    struct fsif_dict request;
    struct fsif_dict answer;
    int rc;

    ctl_begin(&request, "allow", export_name);
    fsi_admin_put(&request, "subject", subject);
    rc = ctl_add_sets(&request, terms, count);
    if (!rc)
        rc = ctl_ask(ctl, &request, &answer);
    return rc ? -1 : (int)ctl_number(&answer, "added");
}

/* @expected: an error that is not said. Returns 0 or a negative FSIF_E*. */
static int deny(struct ctl *ctl, const char *export_name, const char *subject, int expected)
{
    struct fsif_dict request;
    struct fsif_dict answer;

    ctl_begin(&request, "deny", export_name);
    fsi_admin_put(&request, "subject", subject);
    return ctl_try(ctl, &request, &answer, expected);
}

int command_allow(struct ctl *ctl, char **operands, int count)
{
    char subject[FSI_SUBJECT_MAX];

    if (!good_name(operands[1]))
        return CTL_USAGE;
    if (read_subject(ctl, operands[0], 1, subject))
        return CTL_FAILED;
    return allow(ctl, operands[1], subject, operands + 2, count - 2) < 0 ? CTL_FAILED : CTL_OK;
}

int command_deny(struct ctl *ctl, char **operands, int count)
{
    char subject[FSI_SUBJECT_MAX];

    (void)count;
    if (!good_name(operands[1]))
        return CTL_USAGE;
    if (read_subject(ctl, operands[0], 0, subject))
        return CTL_FAILED;
    return deny(ctl, operands[1], subject, 0) ? CTL_FAILED : CTL_OK;
}

/* --- both halves -------------------------------------------------------------------------------
 */

static int check_terms(struct ctl *ctl, char **terms, int count, struct fsi_terms *out)
{
    struct fsi_error err;

    memset(out, 0, sizeof(*out));
    for (int i = 0; i < count; i++) {
        if (fsi_allow_term(out, terms[i], &err))
            return ctl_usage(ctl, "%s", err.text);
        if (ctl->backend && strcmp(terms[i], "ro") != 0 && strcmp(terms[i], "rw") != 0)
            return ctl_usage(ctl,
                             "'%s' is the daemon's half: with --backend, give it to 'fsifctl "
                             "allow' in that domain",
                             terms[i]);
    }
    return 0;
}

static void say_attached(const struct ctl *ctl, const struct fsif_attachment *a)
{
    if (ctl->json)
        printf("{\"domain\": %u, \"export\": \"%s\", \"number\": %u, \"backend\": %u, "
               "\"read_only\": %s}\n",
               a->domid, a->export_name, a->number, a->backend, a->read_only ? "true" : "false");
    else
        printf("%s is attached to domain %u as export %u of domain %u\n", a->export_name, a->domid,
               a->number, a->backend);
}

int command_attach(struct ctl *ctl, char **operands, int count)
{
    struct fsif_attachment a = {0};
    struct fsi_terms terms;
    struct fsif_domain d;
    char subject[FSI_SUBJECT_MAX];
    int added = 0;
    int rc = good_name(operands[1]) ? check_terms(ctl, operands + 2, count - 2, &terms) : CTL_USAGE;

    if (rc)
        return rc;
    if (ctl_toolstack(ctl, 0) || ctl_resolve(ctl, operands[0], &d) || ctl_backend(ctl, &a.backend))
        return CTL_FAILED;
    a.domid = d.domid;
    a.read_only = terms.read_only;
    strcpy(a.export_name, operands[1]);
    domain_subject(operands[0], d.domid, subject);
    /* The daemon's half first: it knows whether there is such an export. */
    if (!ctl->backend) {
        added = allow(ctl, a.export_name, subject, operands + 2, count - 2);
        if (added < 0)
            return CTL_FAILED;
    }
    rc = ctl->xen->attach(ctl->toolstack, &a);
    if (rc >= 0) {
        say_attached(ctl, &a);
        return CTL_OK;
    }
    ctl_say("cannot make the nodes that domain %u needs for '%s': %s", a.domid, a.export_name,
            rc == -FSIF_ENOENT ? "the domain is gone" : fsif_strerror(rc));
    if (added > 0)
        (void)deny(ctl, a.export_name, subject, 0);
    return CTL_FAILED;
}

/* A domain that is gone has its id and its UUID still. */
static int find_domain(struct ctl *ctl, const char *domain, uint32_t *domid)
{
    struct fsif_domain d;

    *domid = FSIF_DOMAIN_SELF;
    if (!ctl->xen->resolve(ctl->toolstack, domain, &d))
        *domid = d.domid;
    else if (is_id(domain))
        return fsi_parse_u32(domain, 0, UINT32_MAX - 1, domid);
    else if (!is_uuid(domain))
        return ctl_resolve(ctl, domain, &d);
    return 0;
}

int command_detach(struct ctl *ctl, char **operands, int count)
{
    struct fsif_attachment a = {0};
    char subject[FSI_SUBJECT_MAX];
    int toolstack = -FSIF_ENOENT;
    int daemon = -FSIF_ENOENT;

    (void)count;
    if (!good_name(operands[1]))
        return CTL_USAGE;
    if (ctl_toolstack(ctl, 0) || find_domain(ctl, operands[0], &a.domid) ||
        ctl_backend(ctl, &a.backend))
        return CTL_FAILED;
    strcpy(a.export_name, operands[1]);
    domain_subject(operands[0], a.domid, subject);
    if (a.domid != FSIF_DOMAIN_SELF)
        toolstack = ctl->xen->detach(ctl->toolstack, &a);
    if (!ctl->backend)
        daemon = deny(ctl, a.export_name, subject, FSIF_ENOENT);
    if (toolstack && toolstack != -FSIF_ENOENT)
        return ctl_say("cannot remove the nodes of domain %s: %s", operands[0],
                       fsif_strerror(toolstack));
    if (daemon && daemon != -FSIF_ENOENT)
        return CTL_FAILED;
    if (toolstack && daemon)
        return ctl_say("%s is not attached to domain %s", a.export_name, operands[0]);
    return CTL_OK;
}
