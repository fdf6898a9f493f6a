/* SPDX-License-Identifier: MIT */
/*
 * The configuration file. libinih takes lines apart; this file feeds it line by line, because then
 * it knows what the library does not tell: the number of the line, whether it was too long, and
 * where a section begins (so that an empty or a repeated one is seen).
 *
 *   state: no section --[global]--> global --[listen]--> listen --[export X]--> export X --> ...
 */
#include "options.h"

#include <errno.h>
#include <fcntl.h>
#include <fsif/host.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONFIG_MAX (1u << 20)

#ifdef FSI_HAVE_INIH
#include <ini.h>

enum section {
    SECTION_NONE,
    SECTION_GLOBAL,
    SECTION_LISTEN,
    SECTION_EXPORT,
};

struct parser {
    struct fsi_options *options;
    const char *next; /* text that was not handed out yet */
    const char *end;
    unsigned line;
    enum section section;
    unsigned section_line; /* where it began; 0: something stood in it */
    int rc;
    struct fsi_error *err;
};

static int wrong(struct parser *p, const char *name, const char *text)
{
    return fsi_fail(p->err, -FSIF_EINVAL, name ? "%s '%s'" : "%s", text, name);
}

static int section_ends(struct parser *p)
{
    unsigned line = p->section_line;

    if (!line)
        return 0;
    p->line = line;
    return wrong(p, NULL, "the section is empty");
}

/* @text: what stands between the brackets */
static int section_begins(struct parser *p, const char *text, size_t len)
{
    char name[128];
    struct fsi_export *e;
    int rc = section_ends(p);

    if (rc)
        return rc;
    if (len >= sizeof(name))
        return wrong(p, NULL, "the section's name is too long");
    memcpy(name, text, len);
    name[len] = '\0';
    p->section_line = p->line;
    if (!strcmp(name, "global")) {
        p->section = SECTION_GLOBAL;
    } else if (!strcmp(name, "listen")) {
        p->section = SECTION_LISTEN;
    } else if (!strncmp(name, "export ", 7)) {
        p->section = SECTION_EXPORT;
        return fsi_options_export(p->options, name + 7 + strspn(name + 7, " \t"), &e, p->err);
    } else {
        return wrong(p, name, "there is no section");
    }
    return 0;
}

/* Look at a line before the library does. */
static int look_at(struct parser *p, const char *line, size_t len, size_t max)
{
    const char *end;

    if (len > max)
        return fsi_fail(p->err, -FSIF_EINVAL, "the line is longer than %zu bytes", max);
    if (memchr(line, '\0', len))
        return wrong(p, NULL, "the line holds a NUL byte");
    if (len && (*line == ' ' || *line == '\t')) {
        size_t blank = 0;
        while (blank < len && (line[blank] == ' ' || line[blank] == '\t'))
            blank++;
        if (blank < len && line[blank] != '#' && line[blank] != ';' && line[blank] != '\r')
            return wrong(p, NULL, "a line begins with a blank");
    }
    if (!len || *line != '[')
        return 0;
    end = memchr(line, ']', len);
    if (!end)
        return wrong(p, NULL, "a section's name ends with ']'");
    for (const char *q = end + 1; q < line + len && *q != ';' && *q != '#'; q++)
        if (*q != ' ' && *q != '\t' && *q != '\r')
            return wrong(p, NULL, "text stands after a section's name");
    return section_begins(p, line + 1, (size_t)(end - line - 1));
}

/* As fgets(): a line with its newline and a NUL, or NULL at the end or after an error. */
static char *next_line(char *buffer, int size, void *arg)
{
    struct parser *p = arg;
    const char *newline;
    size_t len;

    if (p->rc || p->next == p->end)
        return NULL;
    newline = memchr(p->next, '\n', (size_t)(p->end - p->next));
    len = (size_t)((newline ? newline : p->end) - p->next);
    p->line++;
    /* room for "\r\n" and the NUL */
    p->rc = look_at(p, p->next, len, (size_t)size - 3);
    if (p->rc)
        return NULL;
    memcpy(buffer, p->next, len);
    memcpy(buffer + len, "\n", 2);
    p->next += len + (newline ? 1 : 0);
    return buffer;
}

static int handle(void *arg, const char *section, const char *key, const char *value)
{
    struct parser *p = arg;
    struct fsi_options *o = p->options;

    (void)section;
    if (p->rc)
        return 0;
    p->section_line = 0;
    switch (p->section) {
    case SECTION_NONE:
        p->rc = wrong(p, key, "before the first section stands");
        break;
    case SECTION_GLOBAL:
        p->rc = fsi_options_set(o, key, value, p->err);
        break;
    case SECTION_LISTEN:
        if (strcmp(key, "address") != 0)
            p->rc = wrong(p, key, "section [listen] has no key");
        else
            p->rc = fsi_options_listen(o, value, p->err);
        break;
    case SECTION_EXPORT:
        p->rc = fsi_export_set(&o->exports[o->nexports - 1], key, value, p->err);
        break;
    }
    return p->rc == 0;
}

int fsi_config_parse(struct fsi_options *o, const char *name, const char *text, size_t len,
                     struct fsi_error *err)
{
    struct parser p = {
        .options = o,
        .next = text,
        .end = text + len,
        .err = err,
    };
    int rc;

    if (len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3))
        p.next += 3;
    rc = ini_parse_stream(next_line, &p, handle, &p);
    if (!p.rc && rc > 0) {
        p.line = (unsigned)rc;
        p.rc = wrong(&p, NULL, "neither a section, a comment nor KEY = VALUE");
    } else if (!p.rc && rc < 0) {
        p.rc = fsi_fail(err, -FSIF_ENOMEM, "out of memory");
    }
    if (!p.rc)
        p.rc = section_ends(&p);
    if (p.rc)
        fsi_fail_at(err, name, p.line ? p.line : 1);
    return p.rc;
}
#else
int fsi_config_parse(struct fsi_options *o, const char *name, const char *text, size_t len,
                     struct fsi_error *err)
{
    (void)o;
    (void)text;
    (void)len;
    return fsi_fail(err, -FSIF_EOPNOTSUPP,
                    "%s: this program was built without configuration files (libinih)", name);
}
#endif

static ssize_t read_all(int fd, char *text, size_t size)
{
    size_t used = 0;

    while (used < size) {
        ssize_t n = read(fd, text + used, size - used);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        used += (size_t)n;
    }
    return (ssize_t)used;
}

int fsi_config_load(struct fsi_options *o, const char *path, struct fsi_error *err)
{
    /* O_NONBLOCK: a FIFO does not hold the daemon up. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    char *text = NULL;
    ssize_t len;
    int rc;

    if (fd < 0)
        return fsi_fail(err, -FSIF_ENOENT, "%s: %s", path, strerror(errno));
    text = malloc(CONFIG_MAX + 1);
    if (!text) {
        rc = fsi_fail(err, -FSIF_ENOMEM, "out of memory");
        goto out;
    }
    len = read_all(fd, text, CONFIG_MAX + 1);
    if (len < 0)
        rc = fsi_fail(err, -FSIF_EIO, "%s: %s", path, strerror(errno));
    else if (len > (ssize_t)CONFIG_MAX)
        rc = fsi_fail(err, -FSIF_EINVAL, "%s: longer than %u bytes", path, CONFIG_MAX);
    else
        rc = fsi_config_parse(o, path, text, (size_t)len, err);
out:
    free(text);
    close(fd);
    return rc;
}
