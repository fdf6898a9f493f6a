/* SPDX-License-Identifier: MIT */
/* Exports that come, change and go. Names of users and relative directories are looked up here:
 * the daemon has another folder, and must not wait for a directory service. */
#include "ctl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "../control.h"
#include "../exports.h"

struct spec {
    char *text; /* SOURCE,KEY=VALUE... as the daemon shall read it */
    size_t used;
    size_t size;
};

static void append(struct spec *s, const char *text, size_t len)
{
    if (s->used + len + 1 > s->size) {
        s->size = 2 * (s->used + len + 1);
        s->text = realloc(s->text, s->size);
        if (!s->text) {
            ctl_say("out of memory");
            exit(CTL_FAILED);
        }
    }
    memcpy(s->text + s->used, text, len);
    s->used += len;
    s->text[s->used] = '\0';
}

static void append_escaped(struct spec *s, const char *text)
{
    for (; *text; text++) {
        if (*text == ',' || *text == '\\')
            append(s, "\\", 1);
        append(s, text, 1);
    }
}

static int put_source(struct spec *s, const char *value, struct fsi_error *err)
{
    const char *posix = "posix:";
    size_t store = strspn(value, "abcdefghijklmnopqrstuvwxyz0123456789-");
    char *folder;

    if (!strncmp(value, posix, strlen(posix)))
        value += strlen(posix);
    else if (store > 0 && value[store] == ':') {
        append_escaped(s, value);
        return 0;
    }
    /* An absolute path is no store, whatever its name is. */
    folder = realpath(value, NULL);
    if (!folder)
        return fsi_fail(err, -FSIF_ENOENT, "there is no directory '%s' here", value);
    append_escaped(s, folder);
    free(folder);
    return 0;
}

static int put_ids(struct spec *s, const char *key, const char *value, struct fsi_error *err)
{
    char word[256];
    char number[16];
    uint32_t id;

    while (*(value += strspn(value, " \t"))) {
        size_t len = strcspn(value, " \t");
        int rc = len >= sizeof(word) ? fsi_fail(err, -FSIF_EINVAL, "a name is too long") : 0;

        if (rc)
            return rc;
        memcpy(word, value, len);
        word[len] = '\0';
        value += len;
        rc = !strcmp(key, "allow-gid") ? fsi_parse_gid(word, &id, err)
                                       : fsi_parse_uid(word, &id, err);
        if (rc)
            return rc;
        snprintf(number, sizeof(number), "=%u", id);
        append(s, ",", 1);
        append(s, key, strlen(key));
        append(s, number, strlen(number));
    }
    return 0;
}

static int put_key(void *arg, const char *key, const char *value, struct fsi_error *err)
{
    struct spec *s = arg;

    if (!s->used)
        return put_source(s, value, err);
    if (value && (!strcmp(key, "allow-uid") || !strcmp(key, "allow-gid")))
        return put_ids(s, key, value, err);
    append(s, ",", 1);
    append_escaped(s, key);
    if (value) {
        append(s, "=", 1);
        append_escaped(s, value);
    }
    return 0;
}

static int set_key(void *arg, const char *key, const char *value, struct fsi_error *err)
{
    return fsi_export_set(arg, key, value, err);
}

/* The daemon would say the same; here it is a matter of usage. */
static int check(const char *name, const char *spec, struct fsi_error *err)
{
    struct fsi_export e;
    int rc;

    fsi_export_init(&e, name);
    rc = fsi_export_keys(spec, set_key, &e, err);
    fsi_export_fini(&e);
    return rc;
}

static int add(struct ctl *ctl, const char *text)
{
    char name[FSIF_EXPORT_NAME_MAX + 1];
    struct spec spec = {0};
    struct fsi_error err;
    struct fsif_dict request;
    struct fsif_dict answer;
    const char *rest;
    int rc = fsi_export_split(text, name, &rest, &err);

    if (!rc)
        rc = fsi_export_keys(rest, put_key, &spec, &err);
    if (!rc)
        rc = check(name, spec.text, &err);
    if (!rc && spec.used > FSI_ADMIN_BYTES_MAX)
        rc = fsi_fail(&err, -FSIF_E2BIG, "source and keys are longer than %u bytes",
                      FSI_ADMIN_BYTES_MAX);
    if (rc) {
        free(spec.text);
        return ctl_usage(ctl, "%s", err.text);
    }
    ctl_begin(&request, "add", name);
    (void)fsi_message_put_bytes(&request, "spec", spec.text, spec.used);
    free(spec.text);
    return ctl_ask(ctl, &request, &answer) ? CTL_FAILED : CTL_OK;
}

static int change(struct ctl *ctl, char **operands, int count)
{
    struct fsif_dict request;
    struct fsif_dict answer;

    ctl_begin(&request, "change", operands[0]);
    if (ctl_add_sets(&request, operands + 1, count - 1))
        return CTL_USAGE;
    return ctl_ask(ctl, &request, &answer) ? CTL_FAILED : CTL_OK;
}

static int take_away(struct ctl *ctl, const char *name)
{
    struct fsif_dict request;
    struct fsif_dict answer;
    uint32_t ended;

    ctl_begin(&request, "remove", name);
    if (ctl_ask(ctl, &request, &answer))
        return CTL_FAILED;
    ended = ctl_number(&answer, "ended");
    if (ended && !ctl->json)
        printf("%u session%s of %s %s\n", ended, ended == 1 ? "" : "s", name,
               ended == 1 ? "ends" : "end");
    return CTL_OK;
}

int command_export(struct ctl *ctl, char **operands, int count)
{
    if (!strcmp(operands[0], "add") && count == 2)
        return add(ctl, operands[1]);
    if (!strcmp(operands[0], "change") && count >= 3)
        return change(ctl, operands + 1, count - 1);
    if (!strcmp(operands[0], "remove") && count == 2)
        return take_away(ctl, operands[1]);
    return ctl_usage(ctl, "'export %s' is not used like this", operands[0]);
}
