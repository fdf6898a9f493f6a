/* SPDX-License-Identifier: MIT */

/* Cases of listings. */

#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "conformance.h"

enum { MANY = 5000 };

static void make_many(struct context *c, int n)
{
    char name[32];

    for (int i = 0; i < n; i++) {
        snprintf(name, sizeof(name), "entry-%d", i);
        EQ(c, fsif_mkdir(c->cl, at(c, name), 0755), 0);
    }
}

static int number_of(const char *name, int n)
{
    int i = strncmp(name, "entry-", 6) == 0 ? atoi(name + 6) : -1;

    return i >= 0 && i < n ? i : -1;
}

static void errors(struct context *c)
{
    struct fsif_dir *dir = NULL;
    const char *name;
    int err;

    make(c, "f", "");
    /* Whether opendir or the first readdir finds out is the library's affair. */
    err = fsif_opendir(c->cl, at(c, "none"), &dir);
    if (err == 0) {
        err = fsif_readdir(dir, &name);
        fsif_closedir(dir);
    }
    EQ(c, err, -FSIF_ENOENT);
    err = fsif_opendir(c->cl, at(c, "f"), &dir);
    if (err == 0) {
        err = fsif_readdir(dir, &name);
        fsif_closedir(dir);
    }
    EQ(c, err, -FSIF_ENOTDIR);
}

static void empty(struct context *c)
{
    struct fsif_dir *dir;
    const char *name;

    if (!EQ(c, fsif_opendir(c->cl, c->dir, &dir), 0))
        return;
    EQ(c, fsif_readdir(dir, &name), 0);
    EQ(c, fsif_readdir(dir, &name), 0);
    fsif_closedir(dir);
}

/* B25: a listing much longer than a page gives each entry once. */
static void many(struct context *c)
{
    unsigned char *seen;
    struct fsif_dir *dir;
    const char *name;
    int n = 0, twice = 0, strange = 0, r;

    make_many(c, MANY);
    if (!EQ(c, fsif_opendir(c->cl, c->dir, &dir), 0))
        return;
    seen = calloc(1, MANY);
    while ((r = fsif_readdir(dir, &name)) == 1) {
        int i = number_of(name, MANY);
        n++;
        if (i < 0)
            strange++;
        else
            twice += seen[i]++ != 0;
    }
    fsif_closedir(dir);
    EQ(c, r, 0);
    EQ(c, n, MANY);
    EQ(c, twice, 0);
    EQ(c, strange, 0);
    free(seen);
}

/* B25: entries that are there throughout, while others come and go. */
static void changing(struct context *c)
{
    enum { N = 1500 };
    unsigned char seen[N] = {0};
    struct fsif_dir *dir;
    const char *name;
    char other[32];
    int lost = 0, twice = 0, step = 0, r;

    make_many(c, N);
    if (!EQ(c, fsif_opendir(c->cl, c->dir, &dir), 0))
        return;
    while ((r = fsif_readdir(dir, &name)) == 1) {
        int i = number_of(name, N);
        if (i >= 0)
            seen[i]++;
        /* Odd ones go from both ends, new ones come. */
        snprintf(other, sizeof(other), "entry-%d", (step * 2 + 1) % N);
        fsif_remove(c->cl, at(c, other));
        snprintf(other, sizeof(other), "entry-%d", (N - step * 2) % N | 1);
        fsif_remove(c->cl, at(c, other));
        snprintf(other, sizeof(other), "new-%d", step++);
        if (step < N)
            EQ(c, fsif_mkdir(c->cl, at(c, other), 0755), 0);
    }
    fsif_closedir(dir);
    EQ(c, r, 0);
    for (int i = 0; i < N; i += 2) {
        lost += seen[i] == 0;
        twice += seen[i] > 1;
    }
    EQ(c, lost, 0);
    EQ(c, twice, 0);
}

/* Names of the greatest length: few fit in a page. */
static void long_entries(struct context *c)
{
    enum { N = 64 };
    char name[FSIF_NAME_MAX + 1];
    unsigned char seen[N] = {0};
    struct fsif_dir *dir;
    const char *got;
    int once = 0;

    memset(name, 'x', FSIF_NAME_MAX);
    name[FSIF_NAME_MAX] = '\0';
    for (int i = 0; i < N; i++) {
        name[0] = (char)('0' + i);
        EQ(c, fsif_mkdir(c->cl, at(c, name), 0755), 0);
    }
    if (!EQ(c, fsif_opendir(c->cl, c->dir, &dir), 0))
        return;
    while (fsif_readdir(dir, &got) == 1)
        if (strlen(got) == FSIF_NAME_MAX && got[0] >= '0' && got[0] < '0' + N)
            seen[got[0] - '0']++;
    fsif_closedir(dir);
    for (int i = 0; i < N; i++)
        once += seen[i] == 1;
    EQ(c, once, N);
}

/* More listings at once than a session keeps: they start again by counting, and lose nothing when
 * nothing changes. */
static void many_at_once(struct context *c)
{
    enum { DIRS = 40, N = 600 };
    struct fsif_dir *dir[DIRS];
    const char *name;
    int n[DIRS] = {0}, open = DIRS, wrong = 0;

    make_many(c, N);
    for (int i = 0; i < DIRS; i++)
        EQ(c, fsif_opendir(c->cl, c->dir, &dir[i]), 0);
    while (open > 0) {
        open = 0;
        for (int i = 0; i < DIRS; i++) {
            int r = fsif_readdir(dir[i], &name);
            n[i] += r == 1;
            open += r == 1;
            wrong += r < 0;
        }
    }
    for (int i = 0; i < DIRS; i++) {
        wrong += n[i] != N;
        fsif_closedir(dir[i]);
    }
    EQ(c, wrong, 0);
}

const struct test_case list_cases[] = {
    {"list-errors", errors},
    {"list-empty", empty},
    {"list-many", many},
    {"list-changing", changing},
    {"list-long", long_entries},
    {"list-many-at-once", many_at_once},
    {NULL, NULL},
};
