/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "cli.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Points in time as people write them. */

static int digits(const char **s, unsigned int count, int *out)
{
    *out = 0;
    while (count-- > 0) {
        if (**s < '0' || **s > '9')
            return -1;
        *out = 10 * *out + (*(*s)++ - '0');
    }
    return 0;
}

/* ".5" is half a second; more than nine digits are cut. */
static int fraction(const char **s, uint32_t *nsec)
{
    uint32_t unit = 100000000;

    *nsec = 0;
    if (**s != '.' && **s != ',')
        return 0;
    (*s)++;
    if (**s < '0' || **s > '9')
        return -1;
    for (; **s >= '0' && **s <= '9'; (*s)++, unit /= 10)
        *nsec += unit * (uint32_t)(**s - '0');
    return 0;
}

/* @tm has fields as they were written: month 1 .. 12, year with its century. Return: 0; -1: there
 * is no such day or time. @offset: seconds east of UTC; NULL: local time */
static int finish(const struct tm *written, const int *offset, int64_t *out)
{
    struct tm tm = *written;
    struct tm again;
    time_t t;

    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    tm.tm_isdst = -1;
    again = tm;
    if (tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 60)
        return -1;
    t = offset != NULL ? timegm(&again) : mktime(&again);
    if (again.tm_mon != tm.tm_mon || again.tm_year != tm.tm_year)
        return -1;
    if (again.tm_mday != tm.tm_mday && tm.tm_sec < 60)
        return -1;
    *out = (int64_t)t - (offset != NULL ? *offset : 0);
    return 0;
}

int stamp_parse(const char *text, struct fsif_timespec *out)
{
    size_t len = strcspn(text, ".");
    struct tm tm = {.tm_sec = 0};
    const char *s = text;
    time_t now = time(NULL);
    struct tm today;
    int century = 0;

    if (localtime_r(&now, &today) == NULL || (len != 8 && len != 10 && len != 12))
        return -1;
    tm.tm_year = today.tm_year + 1900;
    if (len == 12 && digits(&s, 2, &century) < 0)
        return -1;
    if (len >= 10) {
        if (digits(&s, 2, &tm.tm_year) < 0)
            return -1;
        tm.tm_year += len == 12 ? 100 * century : tm.tm_year < 69 ? 2000 : 1900;
    }
    if (digits(&s, 2, &tm.tm_mon) < 0 || digits(&s, 2, &tm.tm_mday) < 0 ||
        digits(&s, 2, &tm.tm_hour) < 0 || digits(&s, 2, &tm.tm_min) < 0)
        return -1;
    if (*s == '.' && (s++, digits(&s, 2, &tm.tm_sec) < 0))
        return -1;
    out->nsec = 0;
    return *s != '\0' ? -1 : finish(&tm, NULL, &out->sec);
}

/* @1234567890.5 */
static int seconds_parse(const char *s, struct fsif_timespec *out)
{
    int negative = *s == '-';
    size_t n;
    int64_t value = 0;

    s += negative;
    n = strspn(s, "0123456789");
    if (n == 0 || n > 18)
        return -1;
    while (n-- > 0)
        value = 10 * value + (*s++ - '0');
    if (fraction(&s, &out->nsec) < 0 || *s != '\0')
        return -1;
    out->sec = negative ? -value : value;
    if (negative && out->nsec > 0) {
        out->sec--;
        out->nsec = 1000000000 - out->nsec;
    }
    return 0;
}

/* Z, +hh, +hhmm or +hh:mm. Return: 1 there was one; 0; -1 */
static int zone(const char **s, int *offset)
{
    int sign = **s == '-' ? -1 : 1;
    int minutes = 0;
    int hours;

    if (**s == 'Z') {
        (*s)++;
        *offset = 0;
        return 1;
    }
    if (**s != '+' && **s != '-')
        return 0;
    (*s)++;
    if (digits(s, 2, &hours) < 0)
        return -1;
    if (**s == ':')
        (*s)++;
    if (**s != '\0' && digits(s, 2, &minutes) < 0)
        return -1;
    if (hours > 24 || minutes > 59)
        return -1;
    *offset = sign * 60 * (60 * hours + minutes);
    return 1;
}

int date_parse(const char *text, struct fsif_timespec *out)
{
    struct tm tm = {.tm_sec = 0};
    const char *s = text;
    int offset;
    int zoned = 0;

    *out = (struct fsif_timespec){.nsec = 0};
    if (strcmp(text, "now") == 0) {
        out->nsec = FSIF_UTIME_NOW;
        return 0;
    }
    if (text[0] == '@')
        return seconds_parse(text + 1, out);
    if (digits(&s, 4, &tm.tm_year) < 0 || *s++ != '-' || digits(&s, 2, &tm.tm_mon) < 0 ||
        *s++ != '-' || digits(&s, 2, &tm.tm_mday) < 0)
        return -1;
    if (*s == ' ' || *s == 'T') {
        s++;
        if (digits(&s, 2, &tm.tm_hour) < 0 || *s++ != ':' || digits(&s, 2, &tm.tm_min) < 0)
            return -1;
        if (*s == ':' && (s++, digits(&s, 2, &tm.tm_sec) < 0 || fraction(&s, &out->nsec) < 0))
            return -1;
        s += *s == ' ';
        zoned = zone(&s, &offset);
    }
    if (zoned < 0 || *s != '\0')
        return -1;
    return finish(&tm, zoned ? &offset : NULL, &out->sec);
}
