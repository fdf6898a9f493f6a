/* SPDX-License-Identifier: MIT */
/* What the daemon serves: exports, who may use them, sessions; and what the toolstack attached. */
#include "ctl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fsif/negotiate.h>
#include "../control.h"

#define VALUE (FSIF_DICT_VALUE_MAX + 1)

static int at_end(const struct fsif_dict *answer)
{
    return ctl_number(answer, "end") != 0;
}

/* --- exports ---------------------------------------------------------------------------------- */

/* The words for another store begin with its name; a directory is itself. */
static void source_text(const struct fsif_dict *d, char *out, size_t size)
{
    char store[VALUE];
    size_t len = 0;
    size_t used = 0;

    ctl_text(d, "store", store, sizeof(store));
    if (strcmp(store, "posix") != 0)
        used = (size_t)snprintf(out, size, "%s:", store);
    if (fsi_message_get_bytes(d, "source", out + used, size - used - 1, &len))
        len = 0;
    out[used + len] = '\0';
}

/* What each table of exports begins with. */
static void export_begin(struct table *t, const struct fsif_dict *d)
{
    char source[FSI_ADMIN_BYTES_MAX + 64];
    char text[VALUE];

    source_text(d, source, sizeof(source));
    table_row(t);
    table_text(t, "export", "EXPORT", ctl_text(d, "export", text, sizeof(text)));
    table_mode(t, ctl_number(d, "read-only"));
    table_text(t, "source", "SOURCE", source);
}

static void export_row(struct table *t, const struct fsif_dict *d)
{
    export_begin(t, d);
    table_number(t, "allowed", "ALLOWED", ctl_number(d, "allowed"));
    table_number(t, "sessions", "SESSIONS", ctl_number(d, "sessions"));
}

static int list_exports(struct ctl *ctl, struct table *t)
{
    struct fsif_dict request;
    struct fsif_dict answer;
    char after[VALUE] = "";
    int rc;

    for (;;) {
        ctl_begin(&request, "exports", NULL);
        fsi_admin_put(&request, "after", after);
        rc = ctl_ask(ctl, &request, &answer);
        if (rc || at_end(&answer))
            return rc;
        export_row(t, &answer);
        ctl_text(&answer, "export", after, sizeof(after));
    }
}

static void attachment_row(void *arg, const struct fsif_attachment *a)
{
    struct table *t = arg;

    table_row(t);
    table_number(t, "domain", "DOMAIN", a->domid);
    table_text(t, "export", "EXPORT", a->export_name);
    table_mode(t, a->read_only);
    table_number(t, "number", "NUMBER", a->number);
    table_number(t, "backend", "BACKEND", a->backend);
}

static int list_attachments(struct ctl *ctl, struct table *t)
{
    uint32_t backend;
    int rc;

    if (ctl_backend(ctl, &backend))
        return -1;
    rc = ctl->xen->list(ctl->toolstack, backend, attachment_row, t);
    if (rc < 0)
        ctl_say("cannot list what is attached: %s", fsif_strerror(rc));
    return rc < 0 ? rc : 0;
}

int command_list(struct ctl *ctl, char **operands, int count)
{
    struct table *exports = NULL;
    struct table *attached = NULL;
    int rc = 0;

    (void)operands;
    (void)count;
    if (!ctl->backend) {
        exports = table_new("exports");
        rc = list_exports(ctl, exports);
    }
    if (!rc && ctl_toolstack(ctl, !ctl->backend) == 0) {
        attached = table_new("attachments");
        rc = list_attachments(ctl, attached);
    } else if (ctl->backend) {
        rc = -1;
    }
    if (rc) {
        table_free(exports);
        table_free(attached);
        return CTL_FAILED;
    }
    return exports ? tables_print(ctl, 1, exports, attached, NULL)
                   : tables_print(ctl, 1, attached, NULL);
}

/* --- one of them -------------------------------------------------------------------------------
 */

static void limit(struct table *t, const char *key, const char *head, uint64_t value)
{
    if (value)
        table_number(t, key, head, value);
    else
        table_none(t, key, head);
}

static int list_entries(struct ctl *ctl, const char *name, struct table *t)
{
    struct fsif_dict request;
    struct fsif_dict answer;
    char text[VALUE];
    uint32_t after = 0;
    int rc;

    for (;;) {
        ctl_begin(&request, "entries", name);
        (void)fsif_dict_put_u32(&request, "after", after);
        rc = ctl_ask(ctl, &request, &answer);
        if (rc || at_end(&answer))
            return rc;
        table_row(t);
        table_text(t, "who", "ALLOWED", ctl_text(&answer, "subject", text, sizeof(text)));
        table_mode(t, ctl_number(&answer, "read-only"));
        limit(t, "handles", "HANDLES", ctl_number(&answer, "handles"));
        limit(t, "size", "SIZE", fsi_admin_u64(&answer, "size"));
        limit(t, "nodes", "NODES", ctl_number(&answer, "nodes"));
        after = ctl_number(&answer, "serial");
    }
}

/* A session of dialect 3 may have several: the one that it began with first. */
static int next_export(const struct fsif_dict *d, unsigned i, char *name, size_t size)
{
    char key[24] = "export";

    if (i)
        snprintf(key, sizeof(key), "export-%u", i - 1);
    return fsif_dict_get(d, key, name, size) >= 0;
}

static const char *all_exports(const struct fsif_dict *d, char *out, size_t size)
{
    char name[FSIF_EXPORT_NAME_MAX + 1];
    size_t used = 0;

    out[0] = '\0';
    for (unsigned i = 0; used < size && next_export(d, i, name, sizeof(name)); i++)
        used += (size_t)snprintf(out + used, size - used, "%s%s", i ? "," : "", name);
    return out;
}

static int has_export(const struct fsif_dict *d, const char *wanted)
{
    char name[FSIF_EXPORT_NAME_MAX + 1];
    int found = 0;

    for (unsigned i = 0; !found && next_export(d, i, name, sizeof(name)); i++)
        found = !strcmp(name, wanted);
    return found;
}

static void session_row(struct table *t, const struct fsif_dict *d)
{
    char exports[FSIF_DICT_MAX];
    char text[VALUE];

    table_row(t);
    table_number(t, "session", "SESSION", ctl_number(d, "session"));
    table_text(t, "transport", "TRANSPORT", ctl_text(d, "transport", text, sizeof(text)));
    table_text(t, "peer", "PEER", ctl_text(d, "peer", text, sizeof(text)));
    table_text(t, "export", "EXPORT", all_exports(d, exports, sizeof(exports)));
    table_number(t, "dialect", "DIALECT", ctl_number(d, "dialect"));
    table_number(t, "queues", "QUEUES", ctl_number(d, "queues"));
    if (fsif_dict_get(d, "handles", text, sizeof(text)) >= 0) {
        table_number(t, "handles", "HANDLES", ctl_number(d, "handles"));
        table_number(t, "requests", "REQUESTS", fsi_admin_u64(d, "requests"));
        table_number(t, "bytes", "BYTES", fsi_admin_u64(d, "bytes"));
    } else {
        /* Its worker did not answer in time. */
        table_none(t, "handles", "HANDLES");
        table_none(t, "requests", "REQUESTS");
        table_none(t, "bytes", "BYTES");
    }
    table_number(t, "pid", "PID", ctl_number(d, "pid"));
    table_time(t, "since", "SINCE", fsi_admin_u64(d, "since"));
}

/* @name: of one export; NULL: all */
static int list_sessions(struct ctl *ctl, const char *name, struct table *t)
{
    struct fsif_dict request;
    struct fsif_dict answer;
    uint32_t after = 0;
    int rc;

    ctl_begin(&request, "refresh", NULL);
    rc = ctl_ask(ctl, &request, &answer);
    while (!rc) {
        ctl_begin(&request, "sessions", NULL);
        (void)fsif_dict_put_u32(&request, "after", after);
        rc = ctl_ask(ctl, &request, &answer);
        if (rc || at_end(&answer))
            break;
        after = ctl_number(&answer, "session");
        if (!name || has_export(&answer, name))
            session_row(t, &answer);
    }
    return rc;
}

int command_sessions(struct ctl *ctl, char **operands, int count)
{
    struct fsif_dict request;
    struct fsif_dict answer;
    struct table *t;

    if (count) {
        ctl_begin(&request, "export", operands[0]);
        if (ctl_ask(ctl, &request, &answer))
            return CTL_FAILED;
    }
    t = table_new("sessions");
    if (list_sessions(ctl, count ? operands[0] : NULL, t)) {
        table_free(t);
        return CTL_FAILED;
    }
    return tables_print(ctl, 0, t, NULL);
}

static void detail_row(struct table *t, const struct fsif_dict *d)
{
    char text[VALUE];

    export_begin(t, d);
    table_text(t, "map", "MAP", ctl_text(d, "map", text, sizeof(text)));
    if (*ctl_text(d, "strip-prefix", text, sizeof(text)))
        table_text(t, "strip_prefix", "PREFIX", text);
    else
        table_none(t, "strip_prefix", "PREFIX");
    table_flag(t, "setid", "SETID", ctl_number(d, "setid"));
    table_flag(t, "xdev", "XDEV", ctl_number(d, "xdev"));
    table_flag(t, "special", "SPECIAL", ctl_number(d, "special"));
    table_flag(t, "exclusive", "EXCLUSIVE", ctl_number(d, "exclusive"));
    table_flag(t, "nolease", "NOLEASE", ctl_number(d, "nolease"));
    table_flag(t, "nolock", "NOLOCK", ctl_number(d, "nolock"));
    table_flag(t, "noxattr", "NOXATTR", ctl_number(d, "noxattr"));
    table_number(t, "handles", "HANDLES", ctl_number(d, "handles"));
    limit(t, "size", "SIZE", fsi_admin_u64(d, "size"));
    limit(t, "nodes", "NODES", ctl_number(d, "nodes"));
}

int command_show(struct ctl *ctl, char **operands, int count)
{
    struct table *detail;
    struct table *entries;
    struct table *sessions;
    struct fsif_dict request;
    struct fsif_dict answer;

    (void)count;
    ctl_begin(&request, "export", operands[0]);
    if (ctl_ask(ctl, &request, &answer))
        return CTL_FAILED;
    detail = table_single("export");
    entries = table_new("allowed");
    sessions = table_new("sessions");
    detail_row(detail, &answer);
    if (!list_entries(ctl, operands[0], entries) && !list_sessions(ctl, operands[0], sessions))
        return tables_print(ctl, 1, detail, entries, sessions, NULL);
    table_free(detail);
    table_free(entries);
    table_free(sessions);
    return CTL_FAILED;
}

int command_limits(struct ctl *ctl, char **operands, int count)
{
    struct table *t = table_new("limits");
    struct fsif_dict request;
    struct fsif_dict answer;
    char text[VALUE];
    char key[24];

    (void)operands;
    (void)count;
    ctl_begin(&request, "limits", NULL);
    if (ctl_ask(ctl, &request, &answer)) {
        table_free(t);
        return CTL_FAILED;
    }
    for (unsigned i = 0;; i++) {
        snprintf(key, sizeof(key), "name-%u", i);
        if (fsif_dict_get(&answer, key, text, sizeof(text)) < 0)
            break;
        table_row(t);
        table_text(t, "limit", "LIMIT", text);
        snprintf(key, sizeof(key), "value-%u", i);
        table_number(t, "value", "VALUE", ctl_number(&answer, key));
    }
    return tables_print(ctl, 0, t, NULL);
}

int command_end(struct ctl *ctl, char **operands, int count)
{
    struct fsif_dict request;
    struct fsif_dict answer;
    uint32_t number;

    (void)count;
    if (fsi_parse_u32(operands[0], 1, UINT32_MAX, &number))
        return ctl_usage(ctl, "'%s' is not the number of a session, as 'fsifctl sessions' tells",
                         operands[0]);
    ctl_begin(&request, "end", NULL);
    (void)fsif_dict_put_u32(&request, "session", number);
    return ctl_ask(ctl, &request, &answer) ? CTL_FAILED : CTL_OK;
}
