/* SPDX-License-Identifier: MIT */
/*
 * What the operator asks for, on the supervisor's loop. Nothing here waits but for the file system,
 * when the directory of a new export is opened. A request is carried out as a whole or not at all.
 */
#include "admin.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "supervisor.h"
#include "workers.h"

/* A longer source is cut: the other keys must fit beside it. */
#define SHOWN_SOURCE_MAX 1200u

struct request {
    struct fsi_supervisor *sv;
    const struct fsif_dict *in;
    struct fsif_dict *out; /* status and text are put in at the end */
    struct fsi_error err;
    char name[FSIF_EXPORT_NAME_MAX + 1]; /* export=, "" without */
};

static void log_request(const struct request *rq, const char *event, const char *what)
{
    fsif_log_event(&rq->sv->log, FSIF_LOG_INFO, event, "export", rq->name,
                   what ? "what" : (const char *)NULL, what, (const char *)NULL);
}

/* --- exports ---------------------------------------------------------------------------------- */

static struct fsi_export *find(struct request *rq)
{
    const struct fsi_options *o = rq->sv->options;
    const struct fsi_export *e = fsi_exports_find(o->exports, o->nexports, rq->name);

    if (!e)
        fsi_fail(&rq->err, -FSIF_ENOENT, "there is no export '%s'", rq->name);
    return e ? &o->exports[e - o->exports] : NULL;
}

static uint32_t count_sessions(const struct fsi_supervisor *sv, const char *name)
{
    uint32_t n = 0;

    for (const struct fsi_worker *w = sv->workers; w; w = w->next)
        n += w->serving && fsi_worker_has(w, name);
    return n;
}

static void put_map(const struct fsi_export *e, struct fsif_dict *out)
{
    char text[32];

    snprintf(text, sizeof(text), "%" PRIu32 ":%" PRIu32, e->map_uid, e->map_gid);
    (void)fsif_dict_put(out, "map",
                        e->map == FSI_MAP_PEER     ? "peer"
                        : e->map == FSI_MAP_DAEMON ? "daemon"
                                                   : text);
}

static void put_export(const struct request *rq, const struct fsi_export *e)
{
    struct fsif_dict *out = rq->out;
    size_t len = strlen(e->source);

    (void)fsif_dict_put(out, "export", e->name);
    (void)fsif_dict_put(out, "store", e->store);
    if (len > SHOWN_SOURCE_MAX)
        len = SHOWN_SOURCE_MAX;
    (void)fsi_message_put_bytes(out, "source", e->source, len);
    (void)fsif_dict_put_u32(out, "read-only", e->read_only);
    fsi_admin_put(out, "strip-prefix", e->strip_prefix);
    (void)fsif_dict_put_u32(out, "setid", e->setid);
    (void)fsif_dict_put_u32(out, "xdev", e->xdev);
    (void)fsif_dict_put_u32(out, "special", e->special);
    (void)fsif_dict_put_u32(out, "exclusive", e->exclusive);
    (void)fsif_dict_put_u32(out, "nolease", e->nolease);
    (void)fsif_dict_put_u32(out, "nolock", e->nolock);
    (void)fsif_dict_put_u32(out, "noxattr", e->noxattr);
    put_map(e, out);
    (void)fsif_dict_put_u32(out, "handles", e->max_handles);
    (void)fsif_dict_put_u32(out, "nodes", e->max_nodes);
    fsi_admin_put_u64(out, "size", e->max_bytes);
    (void)fsif_dict_put_u32(out, "allowed", (uint32_t)e->allowed.n);
    (void)fsif_dict_put_u32(out, "sessions", count_sessions(rq->sv, e->name));
}

static int end_of_list(const struct request *rq)
{
    (void)fsif_dict_put_u32(rq->out, "end", 1);
    return 0;
}

static int request_exports(struct request *rq)
{
    const struct fsi_options *o = rq->sv->options;
    const struct fsi_export *e;
    char after[FSIF_EXPORT_NAME_MAX + 1] = "";

    if (fsif_dict_get(rq->in, "after", after, sizeof(after)) == -FSIF_ERANGE)
        return fsi_fail(&rq->err, -FSIF_EINVAL, "after is too long");
    e = fsi_exports_after(o->exports, o->nexports, after);
    if (!e)
        return end_of_list(rq);
    put_export(rq, e);
    return 0;
}

static int request_export(struct request *rq)
{
    const struct fsi_export *e = find(rq);

    if (!e)
        return -FSIF_ENOENT;
    put_export(rq, e);
    return 0;
}

static int request_entries(struct request *rq)
{
    const struct fsi_export *e = find(rq);
    const struct fsi_allow *a;
    char subject[FSI_SUBJECT_MAX];

    if (!e)
        return -FSIF_ENOENT;
    a = fsi_allow_after(&e->allowed, (uint32_t)fsi_admin_u64(rq->in, "after"));
    if (!a)
        return end_of_list(rq);
    fsi_allow_write(a, subject);
    (void)fsif_dict_put(rq->out, "subject", subject);
    (void)fsif_dict_put_u32(rq->out, "serial", a->serial);
    (void)fsif_dict_put_u32(rq->out, "read-only", a->terms.read_only);
    (void)fsif_dict_put_u32(rq->out, "handles", a->terms.max_handles);
    (void)fsif_dict_put_u32(rq->out, "nodes", a->terms.max_nodes);
    fsi_admin_put_u64(rq->out, "size", a->terms.max_bytes);
    return 0;
}

static int set_key(void *arg, const char *key, const char *value, struct fsi_error *err)
{
    return fsi_export_set(arg, key, value, err);
}

static int build(struct request *rq, const char *spec, struct fsi_export *e)
{
    int rc = fsi_export_keys(spec, set_key, e, &rq->err);

    if (!rc)
        rc = fsi_export_check(e, &rq->sv->self, &rq->err);
    if (!rc)
        rc = fsi_export_open(e, rq->sv->registry, &rq->err);
    if (!rc)
        rc = fsi_export_settle(e, &rq->sv->self, &rq->err);
    return rc ? rc : fsi_options_insert(rq->sv->options, e, &rq->err);
}

static int request_add(struct request *rq)
{
    char spec[FSI_ADMIN_BYTES_MAX + 1];
    struct fsi_export e;
    size_t len;
    int rc;

    if (fsi_message_get_bytes(rq->in, "spec", spec, sizeof(spec) - 1, &len) ||
        memchr(spec, '\0', len))
        return fsi_fail(&rq->err, -FSIF_EINVAL, "the export's source and keys are malformed");
    spec[len] = '\0';
    if (fsi_exports_find(rq->sv->options->exports, rq->sv->options->nexports, rq->name))
        return fsi_fail(&rq->err, -FSIF_EEXIST, "there is an export '%s' already", rq->name);
    fsi_export_init(&e, rq->name);
    rc = build(rq, spec, &e);
    if (rc)
        fsi_export_fini(&e);
    else
        log_request(rq, "export-added", NULL);
    return rc;
}

/* Call @set with set-0, set-1 ... */
typedef int set_fn(void *arg, const char *text, struct fsi_error *err);

static int each_set(struct request *rq, set_fn *set, void *arg)
{
    char key[16];
    char text[FSIF_DICT_VALUE_MAX + 1];

    for (unsigned i = 0;; i++) {
        int rc;

        snprintf(key, sizeof(key), "set-%u", i);
        if (fsif_dict_get(rq->in, key, text, sizeof(text)) < 0)
            return 0;
        rc = set(arg, text, &rq->err);
        if (rc)
            return rc;
    }
}

static int change_key(void *arg, const char *text, struct fsi_error *err)
{
    return fsi_export_change(arg, text, err);
}

static int request_change(struct request *rq)
{
    struct fsi_export *e = find(rq);
    struct fsi_export changed;
    int rc;

    if (!e)
        return -FSIF_ENOENT;
    /* None of the keys that can be changed owns anything. */
    changed = *e;
    rc = each_set(rq, change_key, &changed);
    if (!rc)
        rc = fsi_export_check(&changed, &rq->sv->self, &rq->err);
    if (rc)
        return rc;
    *e = changed;
    log_request(rq, "export-changed", NULL);
    return 0;
}

static int request_remove(struct request *rq)
{
    struct fsi_export *e = find(rq);

    if (!e)
        return -FSIF_ENOENT;
    fsi_options_remove(rq->sv->options, e);
    log_request(rq, "export-removed", NULL);
    (void)fsif_dict_put_u32(rq->out, "ended",
                            fsi_workers_recheck(rq->sv, rq->name, "the export was removed"));
    return 0;
}

/* --- who may use them ------------------------------------------------------------------------- */

static int read_subject(struct request *rq, struct fsi_allow *out)
{
    char subject[FSI_SUBJECT_MAX];

    if (fsif_dict_get(rq->in, "subject", subject, sizeof(subject)) < 0)
        return fsi_fail(&rq->err, -FSIF_EINVAL, "a subject is missing, or too long");
    return fsi_allow_read(subject, out, &rq->err);
}

static int set_term(void *arg, const char *text, struct fsi_error *err)
{
    return fsi_allow_term(arg, text, err);
}

static int request_allow(struct request *rq)
{
    struct fsi_export *e = find(rq);
    struct fsi_allow entry;
    char subject[FSI_SUBJECT_MAX];
    int added;
    int rc;

    if (!e)
        return -FSIF_ENOENT;
    rc = read_subject(rq, &entry);
    if (!rc)
        rc = each_set(rq, set_term, &entry.terms);
    if (rc)
        return rc;
    added = fsi_allow_add(&e->allowed, &entry, &rq->err);
    if (added < 0)
        return added;
    /* As at the start: some ids stand for nobody, some owners cannot be given files. */
    rc = fsi_export_check(e, &rq->sv->self, &rq->err);
    if (rc) {
        if (added)
            fsi_allow_remove(&e->allowed, &entry);
        return rc;
    }
    (void)fsif_dict_put_u32(rq->out, "added", (uint32_t)added);
    fsi_allow_write(&entry, subject);
    log_request(rq, "allowed", subject);
    return 0;
}

static int request_deny(struct request *rq)
{
    struct fsi_export *e = find(rq);
    struct fsi_allow entry;
    char subject[FSI_SUBJECT_MAX];
    int rc;

    if (!e)
        return -FSIF_ENOENT;
    rc = read_subject(rq, &entry);
    if (rc)
        return rc;
    fsi_allow_write(&entry, subject);
    if (!fsi_allow_remove(&e->allowed, &entry))
        return fsi_fail(&rq->err, -FSIF_ENOENT, "export '%s' has no entry for %s", rq->name,
                        subject);
    log_request(rq, "disallowed", subject);
    (void)fsif_dict_put_u32(rq->out, "ended",
                            fsi_workers_recheck(rq->sv, rq->name, "no longer allowed"));
    return 0;
}

/* --- sessions --------------------------------------------------------------------------------- */

static void put_session(const struct request *rq, const struct fsi_worker *w)
{
    char peer[FSI_PEER_TEXT];
    char key[24];

    fsi_worker_peer(w, peer);
    (void)fsif_dict_put_u32(rq->out, "session", w->session);
    (void)fsif_dict_put(rq->out, "transport", w->transport->name);
    (void)fsif_dict_put(rq->out, "peer", peer);
    (void)fsif_dict_put(rq->out, "export", w->export_name);
    for (uint32_t i = 0; i < w->nothers; i++) {
        snprintf(key, sizeof(key), "export-%" PRIu32, i);
        (void)fsif_dict_put(rq->out, key, w->others[i]);
    }
    (void)fsif_dict_put_u32(rq->out, "queues", w->queues);
    (void)fsif_dict_put_u32(rq->out, "dialect", w->dialect);
    (void)fsif_dict_put_u32(rq->out, "pid", (uint32_t)uv_process_get_pid(&w->process));
    (void)fsif_dict_put_u32(rq->out, "ending", w->why != NULL);
    fsi_admin_put_u64(rq->out, "since", (uint64_t)w->since);
    if (!w->has_figures)
        return;
    (void)fsif_dict_put_u32(rq->out, "handles", w->figures.handles);
    fsi_admin_put_u64(rq->out, "requests", w->figures.requests);
    fsi_admin_put_u64(rq->out, "bytes", w->figures.bytes);
}

static int request_sessions(struct request *rq)
{
    uint32_t after = (uint32_t)fsi_admin_u64(rq->in, "after");
    const struct fsi_worker *next = NULL;

    for (const struct fsi_worker *w = rq->sv->workers; w; w = w->next)
        if (w->serving && w->session > after && (!next || w->session < next->session))
            next = w;
    if (!next)
        return end_of_list(rq);
    put_session(rq, next);
    return 0;
}

static int request_end(struct request *rq)
{
    uint64_t number = fsi_admin_u64(rq->in, "session");

    for (struct fsi_worker *w = rq->sv->workers; w; w = w->next) {
        if (!w->serving || w->session != number)
            continue;
        fsi_worker_end(w, "the operator ended it");
        return 0;
    }
    return fsi_fail(&rq->err, -FSIF_ENOENT, "there is no session %" PRIu64, number);
}

static int request_limits(struct request *rq)
{
    char key[24];
    uint32_t value;
    const char *name;

    for (unsigned i = 0; (name = fsi_options_number(rq->sv->options, i, &value)); i++) {
        snprintf(key, sizeof(key), "name-%u", i);
        (void)fsif_dict_put(rq->out, key, name);
        snprintf(key, sizeof(key), "value-%u", i);
        (void)fsif_dict_put_u32(rq->out, key, value);
    }
    return 0;
}

static int request_refresh(struct request *rq)
{
    (void)rq;
    return 1;
}

/* --- all of them ------------------------------------------------------------------------------ */

static int unknown(struct request *rq, const char *word)
{
    return fsi_fail(&rq->err, -FSIF_EOPNOTSUPP, "this daemon has no request '%s'", word);
}

static int dispatch(struct request *rq)
{
    static const struct {
        const char *word;
        int (*fn)(struct request *rq);
        int needs_export;
    } table[] = {
        {"exports", request_exports, 0}, {"export", request_export, 1},
        {"entries", request_entries, 1}, {"add", request_add, 1},
        {"change", request_change, 1},   {"remove", request_remove, 1},
        {"allow", request_allow, 1},     {"deny", request_deny, 1},
        {"refresh", request_refresh, 0}, {"sessions", request_sessions, 0},
        {"end", request_end, 0},         {"limits", request_limits, 0},
    };
    char word[32] = "";
    uint32_t version;

    if (fsif_dict_get_u32(rq->in, "control", 0, UINT32_MAX, &version))
        return fsi_fail(&rq->err, -FSIF_EPROTO, "a request begins with control=%u",
                        FSI_ADMIN_VERSION);
    if (version != FSI_ADMIN_VERSION)
        return fsi_fail(&rq->err, -FSIF_EOPNOTSUPP,
                        "this daemon speaks version %u of the control socket, not %" PRIu32,
                        FSI_ADMIN_VERSION, version);
    (void)fsif_dict_get(rq->in, "request", word, sizeof(word));
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (strcmp(table[i].word, word) != 0)
            continue;
        if (fsif_dict_get(rq->in, "export", rq->name, sizeof(rq->name)) < 0)
            rq->name[0] = '\0';
        if (table[i].needs_export && !fsif_export_name_valid(rq->name))
            return fsi_fail(&rq->err, -FSIF_EINVAL,
                            "the name of an export is 1 to %u of A-Z a-z 0-9 . _ -, not starting "
                            "with . or -",
                            FSIF_EXPORT_NAME_MAX);
        return table[i].fn(rq);
    }
    return unknown(rq, word);
}

int fsi_admin_carry_out(struct fsi_supervisor *sv, const struct fsif_dict *in,
                        struct fsif_dict *out)
{
    struct request rq = {.sv = sv, .in = in, .out = out};
    int rc;

    fsif_dict_init(out);
    (void)fsif_dict_put_u32(out, "control", FSI_ADMIN_VERSION);
    rc = dispatch(&rq);
    if (rc > 0)
        return 1;
    (void)fsif_dict_put_u32(out, "status", (uint32_t)-rc);
    if (rc)
        fsi_admin_put(out, "text", rq.err.text);
    return 0;
}
