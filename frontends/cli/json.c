/* SPDX-License-Identifier: MIT */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

/* JSON, where the library for it was there. A name that is not UTF-8 is also given in hex. */

#ifdef FSIF_HAVE_JANSSON
#include <jansson.h>

int json_available(void)
{
    return 1;
}

static void set(json_t *object, const char *key, json_t *value)
{
    if (object == NULL || json_object_set_new(object, key, value) != 0)
        cli_no_memory();
}

static void set_name(json_t *object, const char *name)
{
    json_t *s = json_string(name);
    size_t len = strlen(name);
    char *text;
    size_t i;

    if (s != NULL) {
        set(object, "name", s);
        return;
    }
    text = cli_alloc(2 * len + 1);
    for (i = 0; i < len; i++)
        sprintf(text + 2 * i, "%02x", (unsigned char)name[i]);
    set(object, "name_hex", json_string(text));
    for (i = 0; i < len; i++)
        text[i] = (unsigned char)name[i] < 0x80 ? name[i] : '?';
    text[len] = '\0';
    set(object, "name", json_string(text));
    free(text);
}

json_t *json_name(const char *name)
{
    json_t *o = json_object();

    set_name(o, name);
    return o;
}

static const char *type_word(uint32_t mode)
{
    switch (mode & FSIF_S_IFMT) {
    case FSIF_S_IFREG:
        return "file";
    case FSIF_S_IFDIR:
        return "directory";
    case FSIF_S_IFLNK:
        return "link";
    default:
        return "other";
    }
}

json_t *json_attr(const char *name, const struct fsif_attr *attr)
{
    json_t *o = json_name(name);
    char mode[8];

    snprintf(mode, sizeof(mode), "%04o", attr->mode & FSIF_S_PERM);
    set(o, "type", json_string(type_word(attr->mode)));
    set(o, "mode", json_string(mode));
    set(o, "uid", json_integer(attr->uid));
    set(o, "gid", json_integer(attr->gid));
    set(o, "size", json_integer((json_int_t)attr->size));
    set(o, "atime", json_integer(attr->atime));
    set(o, "mtime", json_integer(attr->mtime));
    set(o, "ctime", json_integer(attr->ctime));
    return o;
}

json_t *json_error(const char *name, int err)
{
    json_t *o = json_name(name);

    set(o, "error", json_string(fsif_strerror(err)));
    return o;
}

json_t *json_export(const struct fsif_export_info *info)
{
    json_t *o = json_name(info->name);

    set(o, "read_only", json_boolean(info->read_only));
    return o;
}

json_t *json_space(const char *name, int64_t bytes)
{
    json_t *o = json_name(name);

    set(o, "free", json_integer(bytes));
    return o;
}

json_t *json_list(void)
{
    json_t *list = json_array();

    if (list == NULL)
        cli_no_memory();
    return list;
}

void json_list_add(json_t *list, json_t *item)
{
    if (json_array_append_new(list, item) != 0)
        cli_no_memory();
}

void json_add_list(json_t *object, const char *key, json_t *list)
{
    set(object, key, list);
}

void json_print(json_t *root)
{
    json_dumpf(root, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(root);
}

#else

/* --json is refused before any of these could be called. */

int json_available(void)
{
    return 0;
}

struct json_t *json_name(const char *name)
{
    (void)name;
    return NULL;
}

struct json_t *json_attr(const char *name, const struct fsif_attr *attr)
{
    (void)attr;
    return json_name(name);
}

struct json_t *json_error(const char *name, int err)
{
    (void)err;
    return json_name(name);
}

struct json_t *json_export(const struct fsif_export_info *info)
{
    return json_name(info->name);
}

struct json_t *json_space(const char *name, int64_t bytes)
{
    (void)bytes;
    return json_name(name);
}

struct json_t *json_list(void)
{
    return NULL;
}

void json_list_add(struct json_t *list, struct json_t *item)
{
    (void)list;
    (void)item;
}

void json_add_list(struct json_t *object, const char *key, struct json_t *list)
{
    (void)object;
    (void)key;
    (void)list;
}

void json_print(struct json_t *root)
{
    (void)root;
}

#endif
