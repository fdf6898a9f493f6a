/* SPDX-License-Identifier: MIT */
/*
 * The daemon's configuration file, and exports as its command line has them. A configuration is
 * taken or refused with one line of text that says where.
 */
#include "arena.h"

#include <stdlib.h>
#include <string.h>

#include "options.h"

static void check_message(const struct fsi_error *err)
{
    size_t n = strnlen(err->text, sizeof(err->text));

    MUST(n > 0 && n < sizeof(err->text));
}

static void check_options(const struct fsi_options *o)
{
    for (size_t i = 0; i < o->nexports; i++)
        MUST(fsif_export_name_valid(o->exports[i].name));
    for (size_t i = 0; i < o->nlisten; i++)
        MUST(o->listen[i] && o->listen[i][0]);
}

static int set(void *arg, const char *key, const char *value, struct fsi_error *err)
{
    MUST(key && *key);
    return fsi_export_set(arg, key, value, err);
}

/* -e TEXT, as cmdline.c takes it apart */
static void command_line(const char *text, struct fsi_error *err)
{
    char name[FSIF_EXPORT_NAME_MAX + 1];
    struct fsi_export *e;
    struct fsi_options o;
    const char *rest;
    int ret;

    fsi_options_init(&o);
    ret = fsi_export_split(text, name, &rest, err);
    if (!ret)
        ret = fsi_options_export(&o, name, &e, err);
    if (!ret) {
        MUST(fsif_export_name_valid(name));
        ret = fsi_export_keys(rest, set, e, err);
    }
    if (ret)
        check_message(err);
    fsi_options_fini(&o);
}

static void file(const char *text, size_t len, struct fsi_error *err)
{
    struct fsi_options o;
    int ret;

    fsi_options_init(&o);
    ret = fsi_config_parse(&o, "test.conf", text, len, err);
    MUST(ret == 0 || ret == -FSIF_EINVAL || ret == -FSIF_ENOENT || ret == -FSIF_ENOMEM);
    if (ret) {
        check_message(err);
        MUST(!strncmp(err->text, "test.conf:", 10));
    } else {
        check_options(&o);
        if (fsi_options_finish(&o, err) != 0)
            check_message(err);
        planted_bug(o.nexports >= 1);
    }
    fsi_options_fini(&o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fsi_error err = {""};
    char *text = malloc(size + 1);

    MUST(text);
    memcpy(text, data, size);
    text[size] = '\0';
    if (size && text[0] == '=')
        command_line(text + 1, &err);
    else
        file(text, size, &err);
    free(text);
    return 0;
}
