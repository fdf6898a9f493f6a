/* SPDX-License-Identifier: MIT */
/*
 * What the supervisor says of and to a worker: log lines, and answers to its two questions. Both
 * come from the credentials that the kernel gave when the peer was accepted, never from the worker.
 */
#include "workers.h"

#include <stdio.h>
#include <string.h>

void fsi_worker_peer(const struct fsi_worker *w, char out[FSI_PEER_TEXT])
{
    const struct fsif_credentials *who = &w->who;
    const size_t size = FSI_PEER_TEXT;

    if (who->kind == FSIF_CREDENTIAL_USER && who->uid == FSIF_CREDENTIAL_UNKNOWN)
        snprintf(out, size, "uid:unknown,pid:%d", who->pid);
    else if (who->kind == FSIF_CREDENTIAL_USER)
        snprintf(out, size, "uid:%u,gid:%u,pid:%d", who->uid, who->gid, who->pid);
    else if (who->kind == FSIF_CREDENTIAL_DOMAIN)
        snprintf(out, size, "domain:%u", who->domid);
    else
        snprintf(out, size, "unknown");
}

void fsi_worker_log(struct fsi_worker *w, int level, const char *event, const char *export_name,
                    const char *reason)
{
    struct fsi_supervisor *sv = w->supervisor;
    struct fsif_log *log = level > FSIF_LOG_WARNING  ? &sv->peer_log
                           : strcmp(event, "denied") ? &sv->fault_log
                                                     : &sv->denied_log;
    char id[16];
    char peer[FSI_PEER_TEXT];

    snprintf(id, sizeof(id), "%u", w->session);
    fsi_worker_peer(w, peer);
    fsif_log_limited(log, level, event, "session", id, "transport", w->transport->name, "peer",
                     peer, "export", export_name, reason ? "reason" : (const char *)NULL, reason,
                     (const char *)NULL);
}

/* The same answer whether there is no such export or the peer may not use it. */
static const struct fsi_export *look_up(struct fsi_worker *w, const char *name,
                                        struct fsi_terms *terms)
{
    struct fsi_supervisor *sv = w->supervisor;
    const struct fsi_export *e =
        fsi_exports_find(sv->options->exports, sv->options->nexports, name);

    if (e && fsi_export_terms(e, &sv->self, &w->who, terms))
        return e;
    fsi_worker_log(w, FSIF_LOG_WARNING, "denied", name, e ? "not allowed" : "no such export");
    return NULL;
}

int fsi_worker_has(const struct fsi_worker *w, const char *name)
{
    int has = !strcmp(w->export_name, name);

    for (uint32_t i = 0; i < w->nothers && !has; i++)
        has = !strcmp(w->others[i], name);
    return has;
}

/* Before the session began, the last one that was granted counts. */
static void note_granted(struct fsi_worker *w, const char *name)
{
    if (!w->serving) {
        strcpy(w->export_name, name);
    } else if (!fsi_worker_has(w, name)) {
        strcpy(w->others[w->nothers++], name);
        fsi_worker_log(w, FSIF_LOG_INFO, "session-export", name, NULL);
    }
}

int fsi_worker_answer_export(struct fsi_worker *w, const char *name)
{
    struct fsi_terms terms;
    const struct fsi_export *e = look_up(w, name, &terms);
    struct fsi_opening opening;
    struct fsif_dict answer;
    int rc;

    memset(&opening, 0, sizeof(opening));
    if (!e) {
        opening.status = -FSIF_ENOENT;
    } else if (w->serving && w->nothers == FSIF_BACKEND_EXPORTS_MAX - 1 &&
               !fsi_worker_has(w, name)) {
        opening.status = -FSIF_EMFILE;
    } else {
        strcpy(opening.name, e->name);
        strcpy(opening.store, e->store);
        if (e->root_fd < 0)
            snprintf(opening.source, sizeof(opening.source), "%s", e->source);
        strcpy(opening.strip_prefix, e->strip_prefix);
        opening.max_handles = terms.max_handles;
        opening.config.read_only = terms.read_only;
        opening.config.setid = e->setid;
        opening.config.xdev = e->xdev;
        opening.config.special = e->special;
        opening.config.exclusive = e->exclusive;
        opening.config.nolease = e->nolease;
        opening.nolock = e->nolock;
        opening.noxattr = e->noxattr;
        opening.config.max_bytes = terms.max_bytes;
        opening.config.max_nodes = terms.max_nodes;
        fsi_export_owner(e, &w->supervisor->self, &w->who, &opening.config);
    }
    rc = fsi_opening_write(&opening, &answer);
    if (!rc)
        rc = fsi_control_send(w->control, &answer, opening.status ? -1 : e->root_fd);
    if (!rc && !opening.status)
        note_granted(w, e->name);
    return rc;
}

int fsi_worker_answer_exports(struct fsi_worker *w, const char *after)
{
    struct fsi_supervisor *sv = w->supervisor;
    struct fsif_dict answer;

    fsi_exports_page(sv->options->exports, sv->options->nexports, &sv->self, &w->who, after,
                     &answer);
    return fsi_control_send(w->control, &answer, -1);
}
