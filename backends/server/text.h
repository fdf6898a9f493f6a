/* SPDX-License-Identifier: MIT */
#ifndef FSI_SERVER_TEXT_H
#define FSI_SERVER_TEXT_H

/* Words of configurations turned into values, and messages about them. */

#include <stddef.h>
#include <stdint.h>

/* A message for a person, without the program's name and without a newline. */
struct fsi_error {
    char text[512];
};

/** fsi_fail - write the message and return @code, for `return fsi_fail(...)` */
int fsi_fail(struct fsi_error *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** fsi_fail_at - put `NAME:LINE: ` before the message */
void fsi_fail_at(struct fsi_error *err, const char *name, unsigned line);

/** fsi_parse_u64 - plain decimal digits, nothing else. Return: 0; -FSIF_EINVAL; -FSIF_ERANGE */
int fsi_parse_u64(const char *text, uint64_t min, uint64_t max, uint64_t *out);
int fsi_parse_u32(const char *text, uint32_t min, uint32_t max, uint32_t *out);

/** fsi_parse_size - decimal digits and an optional K, M, G or T (powers of 1024) */
int fsi_parse_size(const char *text, uint64_t *out);

/** fsi_parse_bool - yes, no, true, false, on, off, 1, 0. Return: 0; -FSIF_EINVAL */
int fsi_parse_bool(const char *text, uint32_t *out);

/**
 * fsi_parse_uid, fsi_parse_gid - a number or a name of the system's user or group database
 *
 * Return: 0; -FSIF_EINVAL neither a name nor a usable number; @err says why
 */
int fsi_parse_uid(const char *text, uint32_t *out, struct fsi_error *err);
int fsi_parse_gid(const char *text, uint32_t *out, struct fsi_error *err);

/** fsi_parse_uuid - 8-4-4-4-12 hexadecimal digits, not all zero. Return: 0; -FSIF_EINVAL */
int fsi_parse_uuid(const char *text, uint8_t out[16]);

#endif
