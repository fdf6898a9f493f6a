/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "results.h"

void samples_add(struct samples *s, double ns)
{
    if (s->n < RESULTS_ROUNDS)
        s->ns[s->n++] = ns;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

double samples_median(const struct samples *s)
{
    struct samples sorted = *s;

    if (s->n == 0)
        return 0;
    qsort(sorted.ns, sorted.n, sizeof(sorted.ns[0]), compare);
    return (sorted.ns[(sorted.n - 1) / 2] + sorted.ns[sorted.n / 2]) / 2;
}

void json_open(struct json *j, const char *path)
{
    j->f = fopen(path, "we");
    j->more = 0;
    if (j->f == NULL)
        bench_die("%s: %s", path, strerror(errno));
}

void json_close(struct json *j)
{
    fputc('\n', j->f);
    if (ferror(j->f) || fclose(j->f) != 0)
        bench_die("the results could not be written");
}

static void quote(struct json *j, const char *text)
{
    fputc('"', j->f);
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            fprintf(j->f, "\\%c", c);
        else if (c < ' ')
            fprintf(j->f, "\\u%04x", c);
        else
            fputc(c, j->f);
    }
    fputc('"', j->f);
}

static void lead(struct json *j, const char *key)
{
    if (j->more)
        fputs(",", j->f);
    if (key != NULL) {
        fputs("\n", j->f);
        quote(j, key);
        fputs(": ", j->f);
    }
    j->more = 1;
}

void json_begin(struct json *j, const char *key, char bracket)
{
    lead(j, key);
    fputc(bracket, j->f);
    j->more = 0;
}

void json_end(struct json *j, char bracket)
{
    fputc(bracket, j->f);
    j->more = 1;
}

void json_text(struct json *j, const char *key, const char *text)
{
    lead(j, key);
    quote(j, text);
}

void json_number(struct json *j, const char *key, double v)
{
    lead(j, key);
    fprintf(j->f, "%.10g", v);
}

void json_samples(struct json *j, const char *key, const struct samples *s)
{
    json_begin(j, key, '[');
    for (unsigned i = 0; i < s->n; i++) {
        lead(j, NULL);
        fprintf(j->f, "%.1f", s->ns[i]);
    }
    json_end(j, ']');
}
