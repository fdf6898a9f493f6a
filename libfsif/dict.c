/* SPDX-License-Identifier: MIT */
#include <fsif/dict.h>
#include <fsif/error.h>
#include "mem.h"

/* One `key=value\n` of a text. */
struct entry {
    const char *key;
    size_t key_len;
    const char *value;
    size_t value_len;
    size_t size; /* of all, with '=' and '\n' */
};

static size_t length_until(const char *s, size_t max, char stop)
{
    size_t n = 0;

    while (n < max && s[n] != stop)
        n++;
    return n;
}

/* Take the entry at the start of @s apart. Return 0, or -FSIF_EINVAL if none is complete. */
static int split(const char *s, size_t max, struct entry *out)
{
    size_t key_len = length_until(s, max, '=');
    size_t value_len;

    if (key_len == max)
        return -FSIF_EINVAL;
    value_len = length_until(s + key_len + 1, max - key_len - 1, '\n');
    if (key_len + 1 + value_len == max)
        return -FSIF_EINVAL;
    out->key = s;
    out->key_len = key_len;
    out->value = s + key_len + 1;
    out->value_len = value_len;
    out->size = key_len + 1 + value_len + 1;
    return 0;
}

static int key_valid(const char *key, size_t len)
{
    if (len == 0 || len > FSIF_DICT_KEY_MAX)
        return 0;
    for (size_t i = 0; i < len; i++) {
        char c = key[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-')
            return 0;
    }
    return 1;
}

static int value_valid(const char *value, size_t len)
{
    if (len > FSIF_DICT_VALUE_MAX)
        return 0;
    for (size_t i = 0; i < len; i++) {
        if (value[i] < 0x20 || value[i] > 0x7e)
            return 0;
    }
    return 1;
}

/* The dictionary's own text is well-formed throughout. */
static int find(const struct fsif_dict *d, const char *key, size_t len, struct entry *out)
{
    for (size_t at = 0; at < d->used; at += out->size) {
        if (split(d->text + at, d->used - at, out))
            break;
        if (out->key_len == len && fsi_memcmp(out->key, key, len) == 0)
            return 0;
    }
    return -FSIF_ENOENT;
}

static int find_key(const struct fsif_dict *d, const char *key, struct entry *out)
{
    return find(d, key, strnlen(key, FSIF_DICT_KEY_MAX + 1), out);
}

void fsif_dict_init(struct fsif_dict *d)
{
    fsi_memset(d, 0, sizeof(*d));
}

int fsif_dict_parse(struct fsif_dict *d, const void *bytes, size_t len)
{
    struct entry e, twin;

    fsif_dict_init(d);
    if (len > FSIF_DICT_MAX)
        return -FSIF_E2BIG;
    if (len > 0)
        fsi_memcpy(d->text, bytes, len);
    /* What lies before d->used is checked. */
    while (d->used < len) {
        if (split(d->text + d->used, len - d->used, &e) || !key_valid(e.key, e.key_len) ||
            !value_valid(e.value, e.value_len) || find(d, e.key, e.key_len, &twin) == 0) {
            fsif_dict_init(d);
            return -FSIF_EINVAL;
        }
        d->used += (uint32_t)e.size;
    }
    return 0;
}

int fsif_dict_put(struct fsif_dict *d, const char *key, const char *value)
{
    size_t key_len = strnlen(key, FSIF_DICT_KEY_MAX + 1);
    size_t value_len = strnlen(value, FSIF_DICT_VALUE_MAX + 1);
    struct entry twin;
    char *at = d->text + d->used;

    if (!key_valid(key, key_len) || !value_valid(value, value_len))
        return -FSIF_EINVAL;
    if (find(d, key, key_len, &twin) == 0)
        return -FSIF_EEXIST;
    if (key_len + value_len + 2 > FSIF_DICT_MAX - d->used)
        return -FSIF_ENOSPC;
    fsi_memcpy(at, key, key_len);
    at[key_len] = '=';
    fsi_memcpy(at + key_len + 1, value, value_len);
    at[key_len + 1 + value_len] = '\n';
    d->used += (uint32_t)(key_len + value_len + 2);
    return 0;
}

int fsif_dict_put_u32(struct fsif_dict *d, const char *key, uint32_t value)
{
    char digits[11];
    char *at = digits + sizeof(digits) - 1;

    *at = '\0';
    do {
        *--at = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    return fsif_dict_put(d, key, at);
}

int fsif_dict_get(const struct fsif_dict *d, const char *key, char *buf, size_t size)
{
    struct entry e;

    if (find_key(d, key, &e))
        return -FSIF_ENOENT;
    if (e.value_len >= size)
        return -FSIF_ERANGE;
    fsi_memcpy(buf, e.value, e.value_len);
    buf[e.value_len] = '\0';
    return (int)e.value_len;
}

/* One spelling for each number: no sign, no blank, no leading zero. */
static int parse_u32(const char *s, size_t len, uint32_t *out)
{
    uint32_t n = 0;
    int overflow = 0;

    if (len == 0 || (len > 1 && s[0] == '0'))
        return -FSIF_EINVAL;
    for (size_t i = 0; i < len; i++) {
        uint32_t digit = (uint32_t)(unsigned char)s[i] - '0';

        if (digit > 9)
            return -FSIF_EINVAL;
        overflow |= n > (UINT32_MAX - digit) / 10;
        n = n * 10 + digit;
    }
    *out = n;
    return overflow ? -FSIF_ERANGE : 0;
}

int fsif_dict_get_u32(const struct fsif_dict *d, const char *key, uint32_t min, uint32_t max,
                      uint32_t *out)
{
    struct entry e;
    uint32_t n;
    int error;

    if (find_key(d, key, &e))
        return -FSIF_ENOENT;
    error = parse_u32(e.value, e.value_len, &n);
    if (error)
        return error;
    if (n < min || n > max)
        return -FSIF_ERANGE;
    *out = n;
    return 0;
}

static size_t word_length(const char *s, size_t max)
{
    size_t n = 0;

    while (n < max && s[n] != ' ' && s[n] != ',')
        n++;
    return n;
}

int fsif_dict_has_word(const struct fsif_dict *d, const char *key, const char *word)
{
    size_t len = strnlen(word, FSIF_DICT_VALUE_MAX + 1);
    struct entry e;

    if (len == 0 || find_key(d, key, &e))
        return 0;
    for (size_t at = 0; at < e.value_len;) {
        size_t n = word_length(e.value + at, e.value_len - at);

        if (n == len && fsi_memcmp(e.value + at, word, n) == 0)
            return 1;
        at += n + 1;
    }
    return 0;
}
