/* SPDX-License-Identifier: MIT */

/* Listings and trees of a store as text. */

#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "differential.h"
#include "stores.h"

struct lines {
    char **line;
    size_t n, room;
};

static void add_line(struct lines *l, char *text)
{
    if (text == NULL)
        abort();
    if (l->n == l->room) {
        l->room = l->room * 2 + 16;
        l->line = realloc(l->line, l->room * sizeof(char *));
        if (l->line == NULL)
            abort();
    }
    l->line[l->n++] = text;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *join(struct lines *l, const char *separator)
{
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);

    if (f == NULL)
        abort();
    if (l->n > 0)
        qsort(l->line, l->n, sizeof(char *), compare);
    for (size_t i = 0; i < l->n; i++) {
        fprintf(f, "%s%s", l->line[i], separator);
        free(l->line[i]);
    }
    free(l->line);
    fclose(f);
    return text;
}

struct listing {
    struct lines l;
    uint64_t cookie;
    uint32_t room;
    int dots; /* they count: no protocol leaves them out */
};

static char letter(uint32_t type)
{
    static const char letters[] = "?pc?d?b?-?l?s???";

    return letters[type >> 12 & 15];
}

static int is_dots(const struct fsif_store_entry *entry)
{
    return entry->name_len <= 2 && memcmp(entry->name, "..", entry->name_len) == 0;
}

static int take(void *arg, const struct fsif_store_entry *entry)
{
    struct listing *to = arg;
    char *text = NULL;

    if (to->room == 0)
        return 0;
    to->cookie = entry->cookie;
    if (!to->dots && is_dots(entry))
        return 1;
    to->room--;
    if (asprintf(&text, "%c%.*s", letter(entry->type), (int)entry->name_len, entry->name) < 0)
        abort();
    add_line(&to->l, text);
    return 1;
}

static int list(struct side *s, uint64_t dir, uint32_t piece, struct lines *out)
{
    struct listing to = {.dots = s->can->anything};
    int r;

    do {
        to.room = piece;
        r = s->ops->readdir(s->st, dir, to.cookie, take, &to);
    } while (r > 0 || (r == 0 && to.room == 0));
    *out = to.l;
    return r;
}

int side_names(struct side *s, uint64_t dir, uint32_t piece, char **out)
{
    struct lines l;
    int err = list(s, dir, piece, &l);

    *out = join(&l, " ");
    return err;
}

static uint64_t hash_file(struct side *s, const char *path)
{
    static _Thread_local unsigned char buf[65536];
    uint64_t hash = HASH_START, off = 0, file;
    int64_t n;

    if (s->ops->open(s->st, FSIF_STORE_ROOT, path, FSIF_O_NOFOLLOW, 0, &file, NULL) != 0)
        return 1;
    while ((n = s->ops->read(s->st, file, buf, sizeof(buf), off)) > 0) {
        hash = hash_bytes(hash, buf, (size_t)n);
        off += (uint64_t)n;
    }
    s->ops->close(s->st, file);
    return hash;
}

static uint64_t hash_link(struct side *s, const char *path)
{
    char text[4096];
    int64_t n = 0;

    if (s->can->texts)
        n = s->ops->readlink(s->st, FSIF_STORE_ROOT, path, text, sizeof(text));
    return n > 0 ? hash_bytes(HASH_START, text, (size_t)n) : 0;
}

/* Names and values, whatever their order */
static uint64_t hash_xattrs(struct side *s, const char *path)
{
    char names[65536], value[4096];
    uint64_t sum = 0;
    int64_t n = 0, len;

    if (s->can->xattrs && s->ops->listxattr != NULL)
        n = s->ops->listxattr(s->st, FSIF_STORE_ROOT, path, FSIF_AT_NOFOLLOW, names, sizeof(names));
    for (int64_t at = 0; at < n; at += (int64_t)strlen(names + at) + 1) {
        const char *name = names + at;
        uint64_t hash = hash_bytes(HASH_START, name, strlen(name));
        len = s->ops->getxattr(s->st, FSIF_STORE_ROOT, path, name, FSIF_AT_NOFOLLOW, value,
                               sizeof(value));
        sum += hash_bytes(hash, value, len > 0 ? (size_t)len : 0);
    }
    return sum;
}

static void dump(struct side *s, struct lines *l, const char *path);

static void dump_entry(struct side *s, struct lines *l, const char *path)
{
    char attr_text[ANSWER_TEXT], *text = NULL;
    struct fsif_attr attr = {0};
    uint64_t hash = 0;
    uint32_t type;
    int err = s->ops->stat(s->st, FSIF_STORE_ROOT, path, FSIF_AT_NOFOLLOW, &attr);

    type = attr.mode & FSIF_S_IFMT;
    side_attr(s, &attr, attr_text, sizeof(attr_text));
    if (type == FSIF_S_IFREG)
        hash = hash_file(s, path);
    else if (type == FSIF_S_IFLNK)
        hash = hash_link(s, path);
    if (asprintf(&text, "  %s: %d %s hash %" PRIx64 " xattrs %" PRIx64, path, err, attr_text, hash,
                 hash_xattrs(s, path)) < 0)
        abort();
    add_line(l, text);
    if (type == FSIF_S_IFDIR)
        dump(s, l, path);
}

static void dump(struct side *s, struct lines *l, const char *path)
{
    const int top = strcmp(path, ".") == 0;
    struct lines names;
    uint64_t dir;

    if (s->ops->open(s->st, FSIF_STORE_ROOT, path, FSIF_O_DIRECTORY | FSIF_O_NOFOLLOW, 0, &dir,
                     NULL) != 0 ||
        list(s, dir, 100, &names) != 0)
        abort();
    s->ops->close(s->st, dir);
    for (size_t i = 0; i < names.n; i++) {
        const char *name = names.line[i] + 1;
        char *below = NULL;

        if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0) {
            if (asprintf(&below, "%s%s%s", top ? "" : path, top ? "" : "/", name) < 0)
                abort();
            dump_entry(s, l, below);
        }
        free(below);
        free(names.line[i]);
    }
    free(names.line);
}

char *side_tree(struct side *s)
{
    struct lines l = {0};

    dump(s, &l, ".");
    return join(&l, "\n");
}
