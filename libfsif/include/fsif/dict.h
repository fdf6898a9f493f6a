/* SPDX-License-Identifier: MIT */
#ifndef FSIF_DICT_H
#define FSIF_DICT_H

/*
 * A small dictionary of text keys: what the two sides of a session tell each other before the ring
 * runs. It is one flat piece of memory without pointers, `key=value\n` back to back, so the same
 * bytes go over a socket. A key is 1 to 31 bytes of a-z, 0-9 and '-'; a value is 0 to 255 bytes
 * 0x20 to 0x7e. A key stands once.
 */

#include <stddef.h>
#include <stdint.h>
#include <fsif/error.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FSIF_DICT_MAX 4000u
#define FSIF_DICT_KEY_MAX 31u
#define FSIF_DICT_VALUE_MAX 255u

struct fsif_dict {
    uint32_t used; /* bytes of text in use */
    char text[FSIF_DICT_MAX];
};

/** fsif_dict_init - empty dictionary in the caller's storage */
void fsif_dict_init(struct fsif_dict *d);

/**
 * fsif_dict_parse - take a peer's bytes, all or nothing
 *
 * Return: 0; -FSIF_EINVAL bad syntax, bad byte or a key twice; -FSIF_E2BIG more than FSIF_DICT_MAX.
 *         On error @d is empty.
 */
int fsif_dict_parse(struct fsif_dict *d, const void *bytes, size_t len);

/**
 * fsif_dict_put, fsif_dict_put_u32 - add a key
 *
 * Return: 0; -FSIF_EINVAL bad key or value; -FSIF_EEXIST key is there; -FSIF_ENOSPC full
 */
int fsif_dict_put(struct fsif_dict *d, const char *key, const char *value);
int fsif_dict_put_u32(struct fsif_dict *d, const char *key, uint32_t value);

/**
 * fsif_dict_get - copy a value out, with its NUL
 *
 * Return: the value's length; -FSIF_ENOENT no such key; -FSIF_ERANGE @size is too small
 */
int fsif_dict_get(const struct fsif_dict *d, const char *key, char *buf, size_t size);

/**
 * fsif_dict_get_u32 - a decimal number within @min .. @max
 *
 * Return: 0; -FSIF_ENOENT no such key; -FSIF_EINVAL not a plain decimal number;
 *         -FSIF_ERANGE outside the bounds. @out is written on success only.
 */
int fsif_dict_get_u32(const struct fsif_dict *d, const char *key, uint32_t min, uint32_t max,
                      uint32_t *out);

/**
 * fsif_dict_has_word - whether the value of @key, words separated by single blanks or commas,
 * has @word among them. Return: 1 or 0.
 */
int fsif_dict_has_word(const struct fsif_dict *d, const char *key, const char *word);

#ifdef __cplusplus
}
#endif
#endif
