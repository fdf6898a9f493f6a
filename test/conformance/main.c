/* SPDX-License-Identifier: MIT */

/* Runs the cases. Exit codes: 0 all passed, 1 some failed, 2 bad usage. */

#define _GNU_SOURCE
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fsif/host.h>
#include "conformance.h"

static const struct table {
    const struct test_case *cases;
    uint32_t first; /* dialects that they are for */
    uint32_t last;
} tables[] = {
    {file_cases, 1, 3},    {name_cases, 1, 3},  {list_cases, 1, 3},
    {session_cases, 1, 3}, {name3_cases, 3, 3}, {data3_cases, 3, 3},
    {notice3_cases, 3, 3}, {lock3_cases, 3, 3}, {before3_cases, 1, 2},
};

int expect(struct context *c, const char *file, int line, const char *what, int64_t got,
           int64_t wanted)
{
    if (got == wanted)
        return 1;
    c->failures++;
    fprintf(stderr, "%s:%d: %s: %lld, %lld was expected\n", file, line, what, (long long)got,
            (long long)wanted);
    return 0;
}

const char *at(struct context *c, const char *name)
{
    static _Thread_local char paths[8][FSIF_PATH_MAX + 256];
    static _Thread_local unsigned int next;
    char *path = paths[next++ % 8];

    snprintf(path, sizeof(paths[0]), "%s/%s", c->dir, name);
    return path;
}

void make(struct context *c, const char *name, const char *text)
{
    int fh = fsif_open(c->cl, at(c, name), FSIF_O_RDWR | FSIF_O_CREAT | FSIF_O_TRUNC, 0644);

    if (!OK(c, fh >= 0))
        return;
    EQ(c, fsif_pwrite(c->cl, fh, text, strlen(text), 0), strlen(text));
    EQ(c, fsif_close(c->cl, fh), 0);
}

int text_is(struct context *c, const char *name, const char *text)
{
    char buf[256];
    int fh = fsif_open(c->cl, at(c, name), FSIF_O_RDONLY, 0);
    int64_t n;

    if (fh < 0)
        return 0;
    n = fsif_pread(c->cl, fh, buf, sizeof(buf), 0);
    fsif_close(c->cl, fh);
    return n == (int64_t)strlen(text) && memcmp(buf, text, (size_t)n) == 0;
}

/* Depth first, by asking again and again what is left: nothing here is deep. */
static void remove_tree(struct fsif_client *cl, const char *path)
{
    char below[FSIF_PATH_MAX + 512];
    struct fsif_dir *dir;
    const char *name;

    if (fsif_opendir(cl, path, &dir) != 0)
        return;
    while (fsif_readdir(dir, &name) == 1) {
        snprintf(below, sizeof(below), "%s/%s", path, name);
        if (fsif_remove(cl, below) == -FSIF_ENOTEMPTY)
            remove_tree(cl, below);
    }
    fsif_closedir(dir);
    fsif_remove(cl, path);
}

static int run_case(struct context *c, const struct test_case *test)
{
    uint64_t begin = fsif_now_ms();

    c->failures = 0;
    c->skipped = NULL;
    snprintf(c->dir, sizeof(c->dir), "case-%s", test->name);
    if (EQ(c, fsif_mkdir(c->cl, c->dir, 0777), 0))
        test->run(c);
    remove_tree(c->cl, c->dir);
    if (c->skipped != NULL)
        printf("SKIP: %s: %s\n", test->name, c->skipped);
    else
        printf("%s %s (%llu ms)\n", c->failures == 0 ? "ok  " : "FAIL", test->name,
               (unsigned long long)(fsif_now_ms() - begin));
    fflush(stdout);
    return c->failures;
}

/* Whether @name is one of the names of a list with commas; NULL: an empty one */
static int is_listed(const char *list, const char *name)
{
    size_t len = strlen(name);

    for (const char *s = list; s != NULL; s = strchr(s, ',')) {
        s += *s == ',';
        if (strncmp(s, name, len) == 0 && (s[len] == '\0' || s[len] == ','))
            return 1;
    }
    return 0;
}

static int count_names(const char *list)
{
    int n = 1;

    for (const char *s = list; (s = strchr(s, ',')) != NULL; s++)
        n++;
    return n;
}

static int run_all(struct context *c, const char *only, const char *without)
{
    struct fsif_limits limits;
    int failed = 0, ran = 0;

    fsif_get_limits(c->cl, &limits);
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        if (limits.dialect < tables[i].first || limits.dialect > tables[i].last)
            continue;
        for (const struct test_case *test = tables[i].cases; test->name != NULL; test++) {
            if (is_listed(without, test->name) || (only != NULL && !is_listed(only, test->name)))
                continue;
            ran++;
            failed += run_case(c, test) != 0;
        }
    }
    printf("%d cases, %d failed\n", ran, failed);
    return failed > 0 || ran == 0 || (only != NULL && ran != count_names(only));
}

static int usage(void)
{
    fputs("usage: conformance --transport loop|shm|xen --store posix|memory [--daemon PROGRAM]\n"
          "                   [--plugins DIR] [--xen PROGRAM] [--dialect 1|2|3] [--pages N] "
          "[--queues N]\n"
          "                   [--case NAME[,NAME]...] [--without NAME[,NAME]...]\n"
          "       conformance --address ADDRESS --export NAME [--dir HOSTDIR] [--plugins DIR]\n"
          "                   [--dialect 1|2|3] [--pages N] [--queues N]\n"
          "                   [--case NAME[,NAME]...] [--without NAME[,NAME]...]\n",
          stderr);
    return 2;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"transport", required_argument, NULL, 't'}, {"store", required_argument, NULL, 's'},
        {"daemon", required_argument, NULL, 'd'},    {"plugins", required_argument, NULL, 'p'},
        {"xen", required_argument, NULL, 'x'},       {"address", required_argument, NULL, 'a'},
        {"export", required_argument, NULL, 'e'},    {"dir", required_argument, NULL, 'h'},
        {"case", required_argument, NULL, 'c'},      {"dialect", required_argument, NULL, 'w'},
        {"pages", required_argument, NULL, 'r'},     {"queues", required_argument, NULL, 'q'},
        {"without", required_argument, NULL, 'o'},   {NULL, 0, NULL, 0},
    };
    struct target target = {0};
    struct context c = {.target = &target};
    const char *only = NULL, *without = NULL;
    const char **place[256] = {
        ['t'] = &target.transport, ['s'] = &target.store,   ['d'] = &target.daemon,
        ['p'] = &target.plugins,   ['a'] = &target.address, ['e'] = &target.export_name,
        ['h'] = &target.host,      ['c'] = &only,           ['x'] = &target.xen,
        ['w'] = &target.dialect,   ['r'] = &target.pages,   ['o'] = &without,
        ['q'] = &target.queues};
    int o, failed;

    while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (o == '?')
            return usage();
        *place[o] = optarg;
    }
    if (optind != argc || (target.transport == NULL) == (target.address == NULL) ||
        (target.address != NULL && target.export_name == NULL))
        return usage();
    if (target_start(&target, &c) != 0)
        return 1;
    failed = run_all(&c, only, without);
    if (target_stop(&target, &c) != 0)
        failed = 1;
    return failed;
}
