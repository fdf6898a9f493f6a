/* SPDX-License-Identifier: MIT */
#include "text.h"

#include <errno.h>
#include <fsif/error.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* (uid_t)-1 means "no id" to the kernel. */
#define ID_MAX 4294967294u

int fsi_fail(struct fsi_error *err, int code, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    vsnprintf(err->text, sizeof(err->text), format, ap);
    va_end(ap);
    return code;
}

void fsi_fail_at(struct fsi_error *err, const char *name, unsigned line)
{
    char place[256];
    int n = snprintf(place, sizeof(place), "%.200s:%u: ", name, line);
    size_t room = sizeof(err->text) - 1 - (size_t)n;

    memmove(err->text + n, err->text, room);
    memcpy(err->text, place, (size_t)n);
    err->text[sizeof(err->text) - 1] = '\0';
}

int fsi_parse_u64(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
    uint64_t v = 0;

    if (!*text)
        return -FSIF_EINVAL;
    for (const char *p = text; *p; p++) {
        if (*p < '0' || *p > '9')
            return -FSIF_EINVAL;
        uint64_t digit = (uint64_t)(*p - '0');
        if (v > (UINT64_MAX - digit) / 10)
            return -FSIF_ERANGE;
        v = v * 10 + digit;
    }
    if (v < min || v > max)
        return -FSIF_ERANGE;
    *out = v;
    return 0;
}

int fsi_parse_u32(const char *text, uint32_t min, uint32_t max, uint32_t *out)
{
    uint64_t v;
    int rc = fsi_parse_u64(text, min, max, &v);

    if (!rc)
        *out = (uint32_t)v;
    return rc;
}

int fsi_parse_size(const char *text, uint64_t *out)
{
    static const char units[] = "KMGT";
    char digits[24];
    size_t len = strlen(text);
    unsigned shift = 0;
    uint64_t v;
    int rc;

    if (len == 0 || len >= sizeof(digits))
        return -FSIF_EINVAL;
    const char *unit = strchr(units, text[len - 1]);
    if (unit) {
        shift = 10 * (unsigned)(unit - units + 1);
        len--;
    }
    memcpy(digits, text, len);
    digits[len] = '\0';
    rc = fsi_parse_u64(digits, 1, (uint64_t)INT64_MAX >> shift, &v);
    if (!rc)
        *out = v << shift;
    return rc;
}

int fsi_parse_bool(const char *text, uint32_t *out)
{
    static const char *const yes[] = {"yes", "true", "on", "1"};
    static const char *const no[] = {"no", "false", "off", "0"};

    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
        if (!strcasecmp(text, yes[i]) || !strcasecmp(text, no[i])) {
            *out = !strcasecmp(text, yes[i]);
            return 0;
        }
    }
    return -FSIF_EINVAL;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int fsi_parse_uuid(const char *text, uint8_t out[16])
{
    uint8_t uuid[16];
    int any = 0;

    if (strlen(text) != 36)
        return -FSIF_EINVAL;
    for (unsigned i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            if (*text++ != '-')
                return -FSIF_EINVAL;
        }
        int high = hex_digit(text[0]);
        int low = hex_digit(text[1]);
        if (high < 0 || low < 0)
            return -FSIF_EINVAL;
        uuid[i] = (uint8_t)(high << 4 | low);
        any |= uuid[i];
        text += 2;
    }
    if (!any)
        return -FSIF_EINVAL;
    memcpy(out, uuid, sizeof(uuid));
    return 0;
}

static int starts_like_number(const char *text)
{
    return (*text >= '0' && *text <= '9') || *text == '-' || *text == '+' || !*text;
}

int fsi_parse_uid(const char *text, uint32_t *out, struct fsi_error *err)
{
    if (!fsi_parse_u32(text, 0, ID_MAX, out))
        return 0;
    if (starts_like_number(text))
        return fsi_fail(err, -FSIF_EINVAL, "'%s' is not a user id", text);
    const struct passwd *pw = getpwnam(text);
    if (!pw)
        return fsi_fail(err, -FSIF_EINVAL, "there is no user '%s'", text);
    *out = pw->pw_uid;
    return 0;
}

int fsi_parse_gid(const char *text, uint32_t *out, struct fsi_error *err)
{
    if (!fsi_parse_u32(text, 0, ID_MAX, out))
        return 0;
    if (starts_like_number(text))
        return fsi_fail(err, -FSIF_EINVAL, "'%s' is not a group id", text);
    const struct group *gr = getgrnam(text);
    if (!gr)
        return fsi_fail(err, -FSIF_EINVAL, "there is no group '%s'", text);
    *out = gr->gr_gid;
    return 0;
}
