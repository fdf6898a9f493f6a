/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "cli.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Messages, and names that may hold anything. */

void cli_no_memory(void)
{
    fputs("fsif: out of memory\n", stderr);
    exit(CLI_FAILED);
}

void *cli_alloc(size_t size)
{
    void *p = calloc(1, size);

    if (p == NULL)
        cli_no_memory();
    return p;
}

char *cli_format(const char *format, ...)
{
    va_list ap;
    char *s;
    int n;

    va_start(ap, format);
    n = vasprintf(&s, format, ap);
    va_end(ap);
    if (n < 0)
        cli_no_memory();
    return s;
}

/* The length of the UTF-8 sequence at @s that a terminal may be shown, or 0. C1 controls, overlong
 * forms and surrogates are not. */
static size_t printable(const unsigned char *s)
{
    if (s[0] < 0x80)
        return s[0] >= 0x20 && s[0] != 0x7f && s[0] != '\\';
    if (s[0] >= 0xc2 && s[0] <= 0xdf && (s[1] & 0xc0) == 0x80)
        return s[0] == 0xc2 && s[1] < 0xa0 ? 0 : 2;
    if ((s[0] & 0xf0) == 0xe0 && (s[1] & 0xc0) == 0x80 && (s[2] & 0xc0) == 0x80) {
        if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] >= 0xa0))
            return 0;
        /* Line and paragraph separators, marks that turn the direction of text. */
        if (s[0] == 0xe2 && s[1] == 0x80 && s[2] >= 0x8b && s[2] <= 0xae && s[2] != 0x90)
            return s[2] >= 0x90 && s[2] <= 0xa7 ? 3 : 0;
        if (s[0] == 0xe2 && s[1] == 0x81 && s[2] >= 0xa0 && s[2] <= 0xaf)
            return 0;
        return 3;
    }
    if (s[0] >= 0xf0 && s[0] <= 0xf4 && (s[1] & 0xc0) == 0x80 && (s[2] & 0xc0) == 0x80 &&
        (s[3] & 0xc0) == 0x80) {
        if ((s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] >= 0x90))
            return 0;
        return 4;
    }
    return 0;
}

char *cli_escaped(const char *name)
{
    const unsigned char *s = (const unsigned char *)name;
    char *out = cli_alloc(4 * strlen(name) + 1);
    char *o = out;

    while (*s != '\0') {
        size_t n = printable(s);

        if (n > 0) {
            memcpy(o, s, n);
            o += n;
            s += n;
        } else if (*s == '\\') {
            *o++ = '\\';
            *o++ = '\\';
            s++;
        } else {
            o += sprintf(o, "\\x%02x", *s++);
        }
    }
    return out;
}

void cli_print_name(FILE *f, const char *name)
{
    if (isatty(fileno(f))) {
        char *s = cli_escaped(name);

        fputs(s, f);
        free(s);
    } else {
        fputs(name, f);
    }
}

/* One whole line at a time, beneath a progress bar or not. */
static void line(struct cli *cli, const char *text)
{
    pthread_mutex_lock(&cli->report_lock);
    fprintf(stderr, "%sfsif: %s\n", isatty(STDERR_FILENO) ? "\r\033[K" : "", text);
    pthread_mutex_unlock(&cli->report_lock);
}

static void vsay(struct cli *cli, const char *format, va_list ap)
{
    char *s;

    if (vasprintf(&s, format, ap) < 0)
        cli_no_memory();
    line(cli, s);
    free(s);
}

void cli_say(struct cli *cli, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    vsay(cli, format, ap);
    va_end(ap);
}

int cli_usage(struct cli *cli, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    vsay(cli, format, ap);
    va_end(ap);
    if (cli->command != NULL)
        fprintf(stderr, "usage: fsif %s %s\n", cli->command->name, cli->command->synopsis);
    else
        fputs("Try 'fsif --help'.\n", stderr);
    return CLI_USAGE;
}

/* A backend without the errno feature only says that something failed. */
static const char *reason(const struct cli *cli, const char *export_name, int err)
{
    const struct cli_session *s;

    for (s = cli->sessions; s != NULL; s = s->next) {
        if (strcmp(s->export_name, export_name) == 0)
            break;
    }
    if (err == -FSIF_EIO && s != NULL && !(s->limits.features & FSIF_FEATURE_ERRNO))
        return "failed (the backend gives no reason)";
    if (err == -FSIF_EPROTO)
        return "the session has ended";
    return fsif_strerror(err);
}

void cli_error(struct cli *cli, const char *export_name, const char *path, int err)
{
    char *shown;

    cli->failed = 1;
    if (cli_interrupted && err == -FSIF_EINTR)
        return; /* the signal says it */
    shown = cli_escaped(path);
    cli_say(cli, "%s:/%s: %s", export_name, shown, reason(cli, export_name, err));
    free(shown);
}

void cli_local_error(struct cli *cli, const char *path, int err)
{
    char *shown = cli_escaped(path);

    cli->failed = 1;
    cli_say(cli, "%s: %s", shown, err < 0 ? fsif_strerror(err) : strerror(err));
    free(shown);
}
