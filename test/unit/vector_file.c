/* SPDX-License-Identifier: MIT */
#include "vector_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST 65536

static void bad(const char *what, const char *text)
{
    fprintf(stderr, "vectors: %s: %s\n", what, text);
    abort();
}

static struct vector *another(struct vector **all, int n, const char *name)
{
    struct vector *v = realloc(*all, (size_t)(n + 1) * sizeof(**all));

    if (!v)
        bad("no memory", name);
    *all = v;
    v += n;
    memset(v, 0, sizeof(*v));
    if (strlen(name) >= sizeof(v->name))
        bad("long name", name);
    strcpy(v->name, name);
    return v;
}

static void add_line(struct vector *v, const char *word, const char *value)
{
    if (v->n == VECTOR_LINES || strlen(word) >= sizeof(v->line[0].word))
        bad("too much", v->name);
    strcpy(v->line[v->n].word, word);
    v->line[v->n].value = strdup(value);
    if (!v->line[v->n].value)
        bad("no memory", v->name);
    v->n++;
}

int vectors_read(const char *path, struct vector **out)
{
    static char text[LONGEST];
    struct vector *v = NULL;
    FILE *f = fopen(path, "r");
    int n = 0;

    *out = NULL;
    if (!f)
        bad("cannot open", path);
    while (fgets(text, sizeof(text), f)) {
        char *word = text + strspn(text, " ");
        char *value;

        word[strcspn(word, "\n")] = '\0';
        value = word + strcspn(word, " ");
        if (*value)
            *value++ = '\0';
        if (*word == '\0' || *word == '#')
            continue;
        if (strcmp(word, "vector") == 0)
            v = another(out, n++, value);
        else if (strcmp(word, "end") == 0)
            v = NULL;
        else if (v)
            add_line(v, word, value);
        else
            bad("outside of a vector", word);
    }
    fclose(f);
    return n;
}

void vectors_free(struct vector *v, int n)
{
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < v[i].n; j++)
            free(v[i].line[j].value);
    }
    free(v);
}

int vector_line(const struct vector *v, const char *word)
{
    for (int i = 0; i < v->n; i++) {
        if (strcmp(v->line[i].word, word) == 0)
            return i;
    }
    return -1;
}

const char *vector_text(const struct vector *v, const char *word, int nth)
{
    for (int i = 0; i < v->n; i++) {
        if (strcmp(v->line[i].word, word) == 0 && nth-- == 0)
            return v->line[i].value;
    }
    return NULL;
}

uint64_t vector_value(const char *text)
{
    char *end;
    uint64_t v = strtoull(text, &end, 0);

    if (end == text || *end)
        bad("not a number", text);
    return v;
}

uint64_t vector_number(const struct vector *v, const char *word)
{
    const char *text = vector_text(v, word, 0);

    return text ? vector_value(text) : 0;
}

static int digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c ? strchr(digits, c) : NULL;

    if (!at)
        bad("not hexadecimal", &c);
    return (int)(at - digits);
}

size_t vector_octets(const char *text, uint8_t *out, size_t size)
{
    size_t n = 0;

    for (; *text; text += 2, n++) {
        if (n == size)
            bad("too many octets", text);
        out[n] = (uint8_t)(digit(text[0]) << 4 | digit(text[1]));
    }
    return n;
}

static size_t unescape(const char *text, char *out, size_t size)
{
    size_t n = 0;

    while (*text) {
        if (n + 1 >= size)
            bad("long name", text);
        if (text[0] == '\\' && text[1] == 'x') {
            out[n++] = (char)(digit(text[2]) << 4 | digit(text[3]));
            text += 4;
        } else {
            out[n++] = *text++;
        }
    }
    return n;
}

size_t vector_name(const char *text, char *out, size_t size)
{
    unsigned long times = 1;
    size_t n, one;
    char *end;

    out[0] = '\0';
    if (!text)
        return 0;
    if (*text == '*') {
        times = strtoul(text + 1, &end, 10);
        text = end + 1;
    }
    one = unescape(text, out, size);
    if (one * times >= size)
        bad("long name", text);
    for (n = one; n < one * times; n++)
        out[n] = out[n - one];
    out[n] = '\0';
    return n;
}
