/* SPDX-License-Identifier: MIT */
#include "cli.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

/* Modes, sizes, owners and other numbers as people write them. */

int number_parse(const char *text, unsigned long max, unsigned int *out)
{
    unsigned long value;
    char *end;

    if (text[0] < '0' || text[0] > '9')
        return -1;
    errno = 0;
    value = strtoul(text, &end, 10);
    if (errno != 0 || *end != '\0' || value > max)
        return -1;
    *out = (unsigned int)value;
    return 0;
}

static const struct {
    char letter;
    uint32_t mask;
} who_table[] = {{'u', 04700}, {'g', 02070}, {'o', 01007}, {'a', 07777}};

static const struct {
    char letter;
    uint32_t bits;
} what_table[] = {{'r', 0444}, {'w', 0222}, {'x', 0111}, {'s', 06000}, {'t', 01000}};

static int octal(const char *text, uint32_t *out)
{
    char *end;
    unsigned long value;

    if (text[strspn(text, "01234567")] != '\0' || text[0] == '\0')
        return -1;
    value = strtoul(text, &end, 8);
    if (value > FSIF_S_PERM)
        return -1;
    *out = (uint32_t)value;
    return 0;
}

static uint32_t who_mask(const char **s)
{
    uint32_t mask = 0;
    size_t i;

    for (;; (*s)++) {
        for (i = 0; i < sizeof(who_table) / sizeof(who_table[0]); i++) {
            if (**s == who_table[i].letter)
                break;
        }
        if (i == sizeof(who_table) / sizeof(who_table[0]))
            return mask != 0 ? mask : 07777;
        mask |= who_table[i].mask;
    }
}

static uint32_t what_bits(const char **s, uint32_t mode, int directory)
{
    uint32_t bits = 0;
    size_t i;

    for (;; (*s)++) {
        for (i = 0; i < sizeof(what_table) / sizeof(what_table[0]); i++) {
            if (**s == what_table[i].letter)
                bits |= what_table[i].bits;
        }
        if (**s == 'X' && (directory || (mode & 0111)))
            bits |= 0111;
        if (**s == '\0' || strchr("rwxstX", **s) == NULL)
            return bits;
    }
}

/* One clause: [ugoa...] then one or more of +-= with bits. */
static int clause(const char **s, uint32_t *mode, int directory)
{
    uint32_t mask = who_mask(s);

    if (**s == '\0' || strchr("+-=", **s) == NULL)
        return -1;
    while (**s != '\0' && strchr("+-=", **s) != NULL) {
        char how = *(*s)++;
        uint32_t bits = what_bits(s, *mode, directory) & mask;

        if (how == '+')
            *mode |= bits;
        else if (how == '-')
            *mode &= ~bits;
        else
            *mode = (*mode & ~(mask & 0777)) | bits;
    }
    return 0;
}

int mode_parse(const char *text, uint32_t old, int directory, uint32_t *out)
{
    uint32_t mode = old & FSIF_S_PERM;

    if (octal(text, out) == 0)
        return 0;
    for (;;) {
        if (clause(&text, &mode, directory) < 0)
            return -1;
        if (*text == '\0')
            break;
        if (*text++ != ',')
            return -1;
    }
    *out = mode;
    return 0;
}

int size_parse(const char *text, uint64_t *out)
{
    static const char suffixes[] = "KMGT";
    size_t digits = strspn(text, "0123456789");
    const char *suffix;
    uint64_t value = 0;
    size_t i;

    if (digits == 0 || digits > 19)
        return -1;
    for (i = 0; i < digits; i++)
        value = 10 * value + (uint64_t)(text[i] - '0');
    if (text[digits] != '\0') {
        unsigned int shift;

        suffix = strchr(suffixes, text[digits]);
        if (suffix == NULL || text[digits + 1] != '\0')
            return -1;
        shift = 10 * (unsigned int)(suffix - suffixes + 1);
        if (value > (uint64_t)INT64_MAX >> shift)
            return -1;
        value <<= shift;
    }
    if (value > INT64_MAX)
        return -1;
    *out = value;
    return 0;
}

/* --- owners: numbers as they are, names as this host knows them ----------------------------- */

/* Return: 0; -1 */
static int id_parse(const char *text, uint32_t *out)
{
    unsigned int value;

    if (number_parse(text, UINT32_MAX - 1, &value) < 0)
        return -1;
    *out = value;
    return 0;
}

static int user_parse(const char *text, uint32_t *uid, uint32_t *login_group)
{
    const struct passwd *pw;

    if (id_parse(text, uid) == 0)
        return 0;
    pw = getpwnam(text);
    if (pw == NULL)
        return -1;
    *uid = pw->pw_uid;
    *login_group = pw->pw_gid;
    return 0;
}

static int group_parse(const char *text, uint32_t *gid)
{
    const struct group *gr;

    if (id_parse(text, gid) == 0)
        return 0;
    gr = getgrnam(text);
    if (gr == NULL)
        return -1;
    *gid = gr->gr_gid;
    return 0;
}

int owner_parse(const char *text, uint32_t *uid, uint32_t *gid)
{
    const char *colon = strchr(text, ':');
    char *user = cli_format("%.*s", colon == NULL ? (int)strlen(text) : (int)(colon - text), text);
    uint32_t login_group = UINT32_MAX;
    int err = 0;

    *uid = UINT32_MAX;
    *gid = UINT32_MAX;
    if (text[0] == '\0' || strcmp(text, ":") == 0)
        err = -1;
    if (err == 0 && user[0] != '\0')
        err = user_parse(user, uid, &login_group);
    if (err == 0 && colon != NULL && colon[1] != '\0') {
        err = group_parse(colon + 1, gid);
    } else if (err == 0 && colon != NULL) {
        /* "USER:" is the group that the user logs in with, so there must be such a user */
        *gid = login_group;
        err = login_group == UINT32_MAX ? -1 : 0;
    }
    free(user);
    return err;
}

/* --- modes for people ---------------------------------------------------------------------- */

static char type_letter(uint32_t mode)
{
    switch (mode & FSIF_S_IFMT) {
    case FSIF_S_IFREG:
        return '-';
    case FSIF_S_IFDIR:
        return 'd';
    case FSIF_S_IFLNK:
        return 'l';
    case FSIF_S_IFIFO:
        return 'p';
    case FSIF_S_IFSOCK:
        return 's';
    case FSIF_S_IFCHR:
        return 'c';
    case FSIF_S_IFBLK:
        return 'b';
    default:
        return '?';
    }
}

void mode_text(uint32_t mode, char *out)
{
    static const char letters[] = "rwxrwxrwx";
    int i;

    out[0] = type_letter(mode);
    for (i = 0; i < 9; i++)
        out[1 + i] = mode & (0400u >> i) ? letters[i] : '-';
    if (mode & FSIF_S_ISUID)
        out[3] = mode & 0100 ? 's' : 'S';
    if (mode & FSIF_S_ISGID)
        out[6] = mode & 0010 ? 's' : 'S';
    if (mode & FSIF_S_ISVTX)
        out[9] = mode & 0001 ? 't' : 'T';
    out[10] = '\0';
}
