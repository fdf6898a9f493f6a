/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "cli.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

/* find: what in a tree passes every test, one listing for each directory. */

enum test_kind { TEST_NAME, TEST_INAME, TEST_PATH, TEST_TYPE, TEST_SIZE, TEST_NEWER };

struct test {
    enum test_kind kind;
    int negated;
    const char *pattern;
    char sign;     /* of a size: '+', '-' or 0 */
    uint64_t unit; /* bytes */
    uint64_t size;
    struct fsif_timespec time;
};

struct find {
    struct cli *cli;
    struct cli_session *session;
    struct json_t *json;
    struct test *tests;
    unsigned int count;
    unsigned int min_depth;
    unsigned int max_depth;
    int nul;
    int attr; /* a test looks at more than names and types */
};

/* As find(1): a size is rounded up to its unit. */
static int size_matches(const struct test *t, uint64_t bytes)
{
    uint64_t units = bytes / t->unit + (bytes % t->unit != 0);

    if (t->sign == '+')
        return units > t->size;
    return t->sign == '-' ? units < t->size : units == t->size;
}

static int type_matches(const char *letters, uint32_t type)
{
    static const struct {
        char letter;
        uint32_t type;
    } rows[] = {{'f', FSIF_S_IFREG},  {'d', FSIF_S_IFDIR}, {'l', FSIF_S_IFLNK}, {'p', FSIF_S_IFIFO},
                {'s', FSIF_S_IFSOCK}, {'c', FSIF_S_IFCHR}, {'b', FSIF_S_IFBLK}};
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].type == type && strchr(letters, rows[i].letter) != NULL)
            return 1;
    }
    return 0;
}

static int newer(const struct fsif_attr *a, const struct fsif_timespec *than)
{
    return a->mtime > than->sec || (a->mtime == than->sec && a->mtime_nsec > than->nsec);
}

static int passes(const struct test *t, const struct walk_place *p, const char *shown)
{
    switch (t->kind) {
    case TEST_NAME:
        return fnmatch(t->pattern, p->name, 0) == 0;
    case TEST_INAME:
        return fnmatch(t->pattern, p->name, FNM_CASEFOLD) == 0;
    case TEST_PATH:
        return fnmatch(t->pattern, shown, 0) == 0;
    case TEST_TYPE:
        return type_matches(t->pattern, p->type);
    case TEST_SIZE:
        return p->err == 0 && size_matches(t, p->attr->size);
    default:
        return p->err == 0 && newer(p->attr, &t->time);
    }
}

static void show(struct find *f, const struct walk_place *p, const char *shown)
{
    if (f->json != NULL) {
        json_list_add(f->json,
                      p->err < 0 ? json_error(shown, p->err) : json_attr(shown, p->attr, NULL));
        return;
    }
    if (f->nul)
        fputs(shown, stdout);
    else
        cli_print_name(stdout, shown);
    putchar(f->nul ? '\0' : '\n');
}

static int consider(void *arg, const struct walk_place *p)
{
    struct find *f = arg;
    char *shown = cli_format("%s:/%s", f->session->export_name, p->path);
    unsigned int i = 0;

    if (p->err < 0)
        cli_error(f->cli, f->session->export_name, p->path, p->err);
    while (i < f->count && passes(&f->tests[i], p, shown) != f->tests[i].negated)
        i++;
    if (i == f->count && p->depth >= f->min_depth)
        show(f, p, shown);
    free(shown);
    return 0;
}

/* --- reading the tests --------------------------------------------------------------------- */

static int parse_size(struct test *t, const char *text)
{
    static const char letters[] = "bcwkMG";
    static const uint64_t units[] = {512, 1, 2, 1024, 1 << 20, 1 << 30};
    size_t n;

    if (*text == '+' || *text == '-')
        t->sign = *text++;
    n = strspn(text, "0123456789");
    if (n == 0 || n > 18)
        return -1;
    while (n-- > 0)
        t->size = 10 * t->size + (uint64_t)(*text++ - '0');
    t->unit = 512;
    if (*text == '\0')
        return 0;
    if (strchr(letters, *text) == NULL || text[1] != '\0')
        return -1;
    t->unit = units[strchr(letters, *text) - letters];
    return 0;
}

/* Letters, with commas between them or not */
static int valid_types(const char *text)
{
    return text[0] != '\0' && text[strspn(text, "fdlpscb,")] == '\0';
}

static int parse_test(struct find *f, struct test *t, const char *word, const char *value)
{
    static const struct {
        const char *word;
        enum test_kind kind;
    } rows[] = {{"-name", TEST_NAME}, {"-iname", TEST_INAME}, {"-path", TEST_PATH},
                {"-type", TEST_TYPE}, {"-size", TEST_SIZE},   {"-newer", TEST_NEWER}};
    struct fsif_timespec both[2];
    size_t i = 0;

    while (i < sizeof(rows) / sizeof(rows[0]) && strcmp(rows[i].word, word) != 0)
        i++;
    if (i == sizeof(rows) / sizeof(rows[0]))
        return cli_usage(f->cli, "'%s' is not a test", word);
    if (value == NULL)
        return cli_usage(f->cli, "the argument of %s is missing", word);
    t->kind = rows[i].kind;
    t->pattern = value;
    f->attr |= t->kind == TEST_SIZE || t->kind == TEST_NEWER;
    if (t->kind == TEST_TYPE && !valid_types(value))
        return cli_usage(f->cli, "'%s' is not a type: f d l p s c b", value);
    if (t->kind == TEST_SIZE && parse_size(t, value) < 0)
        return cli_usage(f->cli, "'%s' is not a size: [+-]N[ckMG]", value);
    if (t->kind == TEST_NEWER) {
        int status = reference_times(f->cli, value, 1, both);

        t->time = both[1];
        return status;
    }
    return CLI_OK;
}

static int parse_depth(struct find *f, const char *word, const char *value)
{
    unsigned int *out = strcmp(word, "-maxdepth") == 0 ? &f->max_depth : &f->min_depth;

    if (value == NULL || number_parse(value, UINT32_MAX - 1, out) < 0)
        return cli_usage(f->cli, "%s needs a number", word);
    return CLI_OK;
}

/* Return: a status */
static int parse_tests(struct find *f, char **words, int count)
{
    int negated = 0;
    int status = CLI_OK;
    int i = 0;

    while (status == CLI_OK && i < count) {
        const char *word = words[i++];
        const char *value = i < count ? words[i] : NULL;

        if (strcmp(word, "!") == 0 || strcmp(word, "-not") == 0) {
            negated = !negated;
            continue;
        }
        if (strcmp(word, "-print0") == 0 || strcmp(word, "-print") == 0) {
            f->nul = strcmp(word, "-print0") == 0;
            continue;
        }
        i++;
        if (strcmp(word, "-maxdepth") == 0 || strcmp(word, "-mindepth") == 0) {
            status = parse_depth(f, word, value);
            continue;
        }
        f->tests[f->count].negated = negated;
        negated = 0;
        status = parse_test(f, &f->tests[f->count++], word, value);
    }
    if (status == CLI_OK && negated)
        return cli_usage(f->cli, "nothing follows '!'");
    return status;
}

static int search(struct find *f, const struct target *t)
{
    struct walk w = {.cli = f->cli,
                     .max_depth = f->max_depth,
                     .attr = f->attr || f->cli->json,
                     .arg = f,
                     .before = consider};
    int err;

    f->session = cli_session(f->cli, t->export_name);
    if (f->session == NULL)
        return CLI_CONNECT;
    w.session = f->session;
    err = walk_tree(&w, t->path, t->slash);
    if (err < 0)
        cli_error(f->cli, t->export_name, t->path, err);
    return CLI_OK;
}

int command_find(struct cli *cli, char **operands, int count)
{
    struct find f = {.cli = cli, .max_depth = UINT32_MAX};
    int paths = 0;
    struct target *t;
    int status;
    int i;

    while (paths < count && operands[paths][0] != '-' && strcmp(operands[paths], "!") != 0)
        paths++;
    if (paths == 0)
        return cli_usage(cli, "an operand is missing");
    t = cli_alloc((size_t)paths * sizeof(*t));
    f.tests = cli_alloc((size_t)count * sizeof(*f.tests));
    status = targets_parse(cli, operands, paths, t);
    if (status == CLI_OK) {
        status = parse_tests(&f, operands + paths, count - paths);
        f.json = cli->json ? json_list() : NULL;
        for (i = 0; status == CLI_OK && i < paths && !cli_interrupted; i++)
            status = search(&f, &t[i]);
        if (f.json != NULL)
            json_print(f.json);
        targets_free(t, paths);
    }
    free(f.tests);
    free(t);
    return status;
}
