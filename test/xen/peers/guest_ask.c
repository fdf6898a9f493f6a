/* SPDX-License-Identifier: MIT */
/*
 * guest-ask: dom0's side of guest-agent. A program takes long to start on an emulated processor,
 * and one that asks again and again takes a good part of it, so each of these is one program that
 * sleeps until xenstore tells of a change.
 *   guest-ask begin DOMID NAME NUMBER COMMAND        let the guest run it
 *   guest-ask end DOMID NAME NUMBER SECONDS          wait for it, print its output
 *   guest-ask run DOMID NAME NUMBER SECONDS COMMAND  both
 *   guest-ask node PATH SECONDS [VALUE]              wait until it is there and has the value
 * Exit codes: the command's; 1: the node is not so; 253: no such guest; 254: no answer in time.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "peer.h"

enum { NO_GUEST = 253, NO_ANSWER = 254 };

struct guest {
    const char *domid, *name, *number;
};

static void find_guest(struct xs_handle *xs, const struct guest *g)
{
    const char *name = xs_get(xs, "/local/domain/%s/name", g->domid);

    if (!name || strcmp(name, g->name) != 0) {
        fprintf(stderr, "guest %s is gone\n", g->name);
        exit(NO_GUEST);
    }
}

static void begin(struct xs_handle *xs, const struct guest *g, const char *command)
{
    char path[PATH_SIZE], text[4096];
    int n = snprintf(text, sizeof(text), "%s %s", g->number, command);

    if (n < 0 || (size_t)n >= sizeof(text))
        die("a command of %d octets", n);
    snprintf(path, sizeof(path), "/local/domain/%s/data/rig/command", g->domid);
    if (!xs_write(xs, XBT_NULL, path, text, (unsigned)n))
        fatal(path);
}

/* Return: 1 the node is there and has the value (NULL: any), or begins with it and a space */
static int is_so(struct xs_handle *xs, const char *path, const char *value)
{
    const char *got = xs_get(xs, "%s", path);
    size_t n = value ? strlen(value) : 0;

    return got && (!value || (strncmp(got, value, n) == 0 && (!got[n] || got[n] == ' ')));
}

/* Return: 1, or 0 after so many seconds */
static int await(struct xs_handle *xs, const char *path, const char *seconds, const char *value)
{
    uint64_t now = now_ms(), end = now + 1000 * strtoul(seconds, NULL, 10);

    if (!xs_watch(xs, path, "node"))
        fatal(path);
    while (!is_so(xs, path, value)) {
        now = now_ms();
        if (now >= end)
            return 0;
        (void)xs_wait(xs, end - now);
    }
    return 1;
}

static int end(struct xs_handle *xs, const struct guest *g, const char *seconds)
{
    const char *output, *result;
    char path[PATH_SIZE];

    snprintf(path, sizeof(path), "/local/domain/%s/data/rig/result", g->domid);
    if (!await(xs, path, seconds, g->number)) {
        fprintf(stderr, "guest %s did not answer in %s s\n", g->name, seconds);
        return NO_ANSWER;
    }
    output = xs_get(xs, "/local/domain/%s/data/rig/output", g->domid);
    fputs(output ? output : "", stdout);
    result = xs_get(xs, "%s", path);
    result = result ? strchr(result, ' ') : NULL;
    return result ? (int)strtol(result, NULL, 10) : NO_ANSWER;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    struct xs_handle *xs = xs_open(0);
    struct guest g;

    if (!xs)
        fatal("xenstore");
    if (strcmp(what, "node") == 0 && (argc == 4 || argc == 5))
        return !await(xs, argv[2], argv[3], argv[4]);
    if (argc < 6)
        die("usage: guest-ask begin|end|run DOMID NAME NUMBER ... | node PATH SECONDS [VALUE]");
    g = (struct guest){argv[2], argv[3], argv[4]};
    find_guest(xs, &g);
    if (strcmp(what, "end") == 0 && argc == 6)
        return end(xs, &g, argv[5]);
    if (strcmp(what, "begin") == 0 && argc == 6) {
        begin(xs, &g, argv[5]);
        return 0;
    }
    if (strcmp(what, "run") != 0 || argc != 7)
        die("guest-ask %s: not so", what);
    begin(xs, &g, argv[6]);
    return end(xs, &g, argv[5]);
}
