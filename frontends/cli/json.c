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

/* @hex_key: for what is not UTF-8 */
static void set_bytes(json_t *object, const char *key, const char *hex_key, const void *bytes,
                      size_t len)
{
    const unsigned char *p = bytes;
    json_t *s = json_stringn(bytes, len);
    char *text;
    size_t i;

    if (s != NULL) {
        set(object, key, s);
        return;
    }
    text = cli_alloc(2 * len + 1);
    for (i = 0; i < len; i++)
        sprintf(text + 2 * i, "%02x", p[i]);
    set(object, hex_key, json_string(text));
    for (i = 0; i < len; i++)
        text[i] = p[i] < 0x80 ? (char)p[i] : '?';
    set(object, key, json_stringn(text, len));
    free(text);
}

static void set_name(json_t *object, const char *name)
{
    set_bytes(object, "name", "name_hex", name, strlen(name));
}

static void set_number(json_t *object, const char *key, uint64_t value)
{
    set(object, key, json_integer((json_int_t)value));
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
    case FSIF_S_IFIFO:
        return "fifo";
    case FSIF_S_IFSOCK:
        return "socket";
    case FSIF_S_IFCHR:
        return "character";
    case FSIF_S_IFBLK:
        return "block";
    default:
        return "other";
    }
}

/* What dialects 1 and 2 do not carry */
static void set_more(json_t *o, const struct fsif_attr *attr)
{
    set_number(o, "atime_nsec", attr->atime_nsec);
    set_number(o, "mtime_nsec", attr->mtime_nsec);
    set_number(o, "ctime_nsec", attr->ctime_nsec);
    if (attr->btime != 0 || attr->btime_nsec != 0) {
        set(o, "btime", json_integer(attr->btime));
        set_number(o, "btime_nsec", attr->btime_nsec);
    }
    set_number(o, "links", attr->nlink);
    set_number(o, "inode", attr->ino);
    set_number(o, "device", attr->dev);
    set_number(o, "blocks", attr->blocks);
    set_number(o, "block_size", attr->blksize);
    if (type_of(attr->mode) == FSIF_S_IFCHR || type_of(attr->mode) == FSIF_S_IFBLK) {
        set_number(o, "rdev_major", attr->rdev_major);
        set_number(o, "rdev_minor", attr->rdev_minor);
    }
}

json_t *json_attr(const char *name, const struct fsif_attr *attr, const char *target)
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
    if (attr->nlink > 0)
        set_more(o, attr);
    if (target != NULL)
        set_bytes(o, "target", "target_hex", target, strlen(target));
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

json_t *json_total(const char *name, const struct fsif_statvfs *vfs)
{
    json_t *o = json_space(name, (int64_t)(vfs->bavail * vfs->bsize));

    set_number(o, "total", vfs->blocks * vfs->bsize);
    set_number(o, "used", (vfs->blocks - vfs->bfree) * vfs->bsize);
    set_number(o, "files", vfs->files);
    set_number(o, "files_free", vfs->ffree);
    return o;
}

json_t *json_usage(const char *name, uint64_t bytes)
{
    json_t *o = json_name(name);

    set_number(o, "bytes", bytes);
    return o;
}

void json_add_bytes(json_t *object, const char *key, const void *bytes, size_t len)
{
    char *hex = cli_format("%s_hex", key);

    set_bytes(object, key, hex, bytes, len);
    free(hex);
}

json_t *json_text(const char *text)
{
    return json_string(text);
}

json_t *json_figure(const char *name, double value, const char *unit)
{
    json_t *o = json_name(name);

    set(o, "median", json_real(value));
    set(o, "unit", json_string(unit));
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

void json_print_line(json_t *root)
{
    json_dumpf(root, stdout, JSON_COMPACT);
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

struct json_t *json_attr(const char *name, const struct fsif_attr *attr, const char *target)
{
    (void)attr;
    (void)target;
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

struct json_t *json_total(const char *name, const struct fsif_statvfs *vfs)
{
    (void)vfs;
    return json_name(name);
}

struct json_t *json_usage(const char *name, uint64_t bytes)
{
    (void)bytes;
    return json_name(name);
}

void json_add_bytes(struct json_t *object, const char *key, const void *bytes, size_t len)
{
    (void)object;
    (void)key;
    (void)bytes;
    (void)len;
}

struct json_t *json_text(const char *text)
{
    return json_name(text);
}

struct json_t *json_figure(const char *name, double value, const char *unit)
{
    (void)value;
    (void)unit;
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

void json_print_line(struct json_t *root)
{
    (void)root;
}

#endif
