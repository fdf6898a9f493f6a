/* SPDX-License-Identifier: MIT */
#ifndef TEST_VECTOR_FILE_H
#define TEST_VECTOR_FILE_H

/* The files of test/vectors, see the README there. */

#include <stddef.h>
#include <stdint.h>

#define VECTOR_LINES 96

struct vector {
    char name[64];
    int n;
    struct {
        char word[24];
        char *value;
    } line[VECTOR_LINES];
};

/** vectors_read - all vectors of a file; ends the program if it is malformed. Return: how many */
int vectors_read(const char *path, struct vector **out);

void vectors_free(struct vector *v, int n);

/** vector_text - value number @nth of a word; NULL: there are no more */
const char *vector_text(const struct vector *v, const char *word, int nth);

/** vector_line - index of the first line of a word; -1 */
int vector_line(const struct vector *v, const char *word);

/** vector_number - of a word; 0 if it is not there */
uint64_t vector_number(const struct vector *v, const char *word);

/** vector_value - a number: decimal, 0x, octal with a leading 0, maybe negative */
uint64_t vector_value(const char *text);

/** vector_name - a name as it is written, to @out with @size bytes and a NUL. Return: its length */
size_t vector_name(const char *text, char *out, size_t size);

/** vector_octets - hexadecimal to bytes. Return: how many */
size_t vector_octets(const char *text, uint8_t *out, size_t size);

#endif
