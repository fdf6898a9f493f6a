/* SPDX-License-Identifier: MIT */
#include "ctl.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#ifdef FSIF_HAVE_JANSSON
#include <jansson.h>
#endif

#define MAX_CELLS 12u

enum kind {
    CELL_NONE,
    CELL_TEXT,
    CELL_NUMBER,
    CELL_FLAG,
};

struct cell {
    const char *key;
    const char *head;
    enum kind kind;
    uint64_t number;
    char *text;  /* as it is */
    char *shown; /* as a table shows it: no blanks, no bytes that a terminal obeys */
};

struct row {
    uint32_t n;
    struct cell cells[MAX_CELLS];
};

struct table {
    const char *name;
    int single;
    struct row *rows;
    size_t n;
    size_t room;
};

struct table *table_new(const char *name)
{
    struct table *t = ctl_alloc(sizeof(*t));

    t->name = name;
    return t;
}

struct table *table_single(const char *name)
{
    struct table *t = table_new(name);

    t->single = 1;
    return t;
}

void table_row(struct table *t)
{
    if (t->n == t->room) {
        size_t room = t->room ? 2 * t->room : 16;
        struct row *rows = ctl_alloc(room * sizeof(*rows));

        if (t->n)
            memcpy(rows, t->rows, t->n * sizeof(*rows));
        free(t->rows);
        t->rows = rows;
        t->room = room;
    }
    t->n++;
}

static char *copy(const char *text)
{
    size_t size = strlen(text) + 1;

    return memcpy(ctl_alloc(size), text, size);
}

static struct cell *new_cell(struct table *t, const char *key, const char *head, enum kind kind,
                             const char *shown)
{
    struct row *r = &t->rows[t->n - 1];
    struct cell *c = &r->cells[r->n++];
    size_t size = 4 * strlen(shown) + 3;

    c->key = key;
    c->head = head;
    c->kind = kind;
    c->shown = ctl_alloc(size);
    fsif_escape(c->shown, size, shown, strlen(shown));
    return c;
}

void table_text(struct table *t, const char *key, const char *head, const char *text)
{
    new_cell(t, key, head, CELL_TEXT, text)->text = copy(text);
}

void table_number(struct table *t, const char *key, const char *head, uint64_t number)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRIu64, number);
    new_cell(t, key, head, CELL_NUMBER, text)->number = number;
}

void table_flag(struct table *t, const char *key, const char *head, uint32_t flag)
{
    new_cell(t, key, head, CELL_FLAG, flag ? "yes" : "no")->number = flag;
}

void table_mode(struct table *t, uint32_t read_only)
{
    new_cell(t, "read_only", "MODE", CELL_FLAG, read_only ? "ro" : "rw")->number = read_only;
}

void table_time(struct table *t, const char *key, const char *head, uint64_t seconds)
{
    time_t when = (time_t)seconds;
    char text[32] = "-";
    struct tm tm;

    if (gmtime_r(&when, &tm))
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
    table_text(t, key, head, text);
}

void table_none(struct table *t, const char *key, const char *head)
{
    new_cell(t, key, head, CELL_NONE, "-");
}

void table_free(struct table *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->n; i++) {
        for (uint32_t k = 0; k < t->rows[i].n; k++) {
            free(t->rows[i].cells[k].text);
            free(t->rows[i].cells[k].shown);
        }
    }
    free(t->rows);
    free(t);
}

/* --- text ------------------------------------------------------------------------------------- */

static void print_line(const struct row *r, const size_t *width, int heads)
{
    for (uint32_t k = 0; k < r->n; k++) {
        const char *text = heads ? r->cells[k].head : r->cells[k].shown;

        printf("%s%s%*s", k ? "  " : "", text,
               k + 1 < r->n && width[k] > strlen(text) ? (int)(width[k] - strlen(text)) : 0, "");
    }
    putchar('\n');
}

static void print_text(const struct table *t)
{
    size_t width[MAX_CELLS] = {0};

    if (!t->n)
        return;
    for (uint32_t k = 0; k < t->rows[0].n; k++)
        width[k] = strlen(t->rows[0].cells[k].head);
    for (size_t i = 0; i < t->n; i++) {
        for (uint32_t k = 0; k < t->rows[i].n; k++) {
            size_t len = strlen(t->rows[i].cells[k].shown);

            width[k] = len > width[k] ? len : width[k];
        }
    }
    print_line(&t->rows[0], width, 1);
    for (size_t i = 0; i < t->n; i++)
        print_line(&t->rows[i], width, 0);
}

/* --- JSON ------------------------------------------------------------------------------------- */

#ifdef FSIF_HAVE_JANSSON
int json_available(void)
{
    return 1;
}

static json_t *json_cell(const struct cell *c)
{
    json_t *s;

    switch (c->kind) {
    case CELL_NUMBER:
        return json_integer((json_int_t)c->number);
    case CELL_FLAG:
        return json_boolean(c->number);
    case CELL_TEXT:
        s = json_string(c->text);
        /* A path that is not UTF-8 is given as a table shows it. */
        return s ? s : json_string(c->shown);
    case CELL_NONE:
        break;
    }
    return json_null();
}

static json_t *json_row(const struct row *r)
{
    json_t *o = json_object();

    for (uint32_t k = 0; k < r->n; k++)
        (void)json_object_set_new(o, r->cells[k].key, json_cell(&r->cells[k]));
    return o;
}

static json_t *json_rows(const struct table *t)
{
    json_t *list;

    if (t->single)
        return json_row(&t->rows[0]);
    list = json_array();
    for (size_t i = 0; i < t->n; i++)
        (void)json_array_append_new(list, json_row(&t->rows[i]));
    return list;
}

static int print_json(struct table *const *tables, size_t n, int several)
{
    json_t *o = several ? json_object() : json_rows(tables[0]);
    int rc;

    for (size_t i = 0; several && i < n; i++)
        (void)json_object_set_new(o, tables[i]->name, json_rows(tables[i]));
    rc = json_dumpf(o, stdout, JSON_INDENT(2));
    json_decref(o);
    putchar('\n');
    return rc ? ctl_say("cannot write") : CTL_OK;
}
#else
int json_available(void)
{
    return 0;
}

static int print_json(struct table *const *tables, size_t n, int several)
{
    (void)tables;
    (void)n;
    (void)several;
    return CTL_FAILED;
}
#endif

int tables_print(const struct ctl *ctl, int several, struct table *first, ...)
{
    struct table *tables[4];
    int code = CTL_OK;
    int shown = 0;
    size_t n = 0;
    struct table *t = first;
    va_list ap;

    va_start(ap, first);
    do {
        tables[n++] = t;
        t = va_arg(ap, struct table *);
    } while (t && n < 4);
    va_end(ap);
    if (ctl->json)
        code = print_json(tables, n, several);
    for (size_t i = 0; i < n; i++) {
        if (!ctl->json) {
            if (shown && tables[i]->n)
                putchar('\n');
            print_text(tables[i]);
            shown |= tables[i]->n > 0;
        }
        table_free(tables[i]);
    }
    if (fflush(stdout) == EOF)
        code = ctl_say("cannot write to standard output");
    return code;
}
